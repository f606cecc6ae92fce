#!/usr/bin/env bats
# scripts/recipes/kubernetes.yaml: what its containers run.

load lib/helpers

# pod INDEX: runs the command of the pod with that index, of two.
pod() {
    sed -n '/^ *- |$/,/^ *env:$/{ s/^ \{14\}//p; }' "$ROOT/scripts/recipes/kubernetes.yaml" >script
    SERVERS=2 DRIVERS=3 JOB_COMPLETION_INDEX=$1 TMPDIR=$PWD PATH=$PWD/bin:$PATH timeout -k 1 60 sh -euc "$(cat script)"
}

@test "kubernetes.yaml: each pod runs its share, and a pod that replaces it runs nothing that has begun" {
    mkdir bin
    ln -s "$SERVER" bin/taxi-server
    printf 'run any 50 echo %s >>deeds\n' {1..7} >'jobs'
    echo 'run any 50 echo 8 >>deeds; test -e good' >>'jobs'
    run -4 pod 0
    [ "$(sort deeds | xargs)" = '2 4 6 8' ]
    run -0 pod 1
    [ "$(sort deeds | xargs)" = '1 2 3 4 5 6 7 8' ]
    touch good
    run -4 pod 0
    run -0 pod 1
    [ "$(wc -l <deeds)" = 8 ]
    [ -s jobs.0-of-2.log ]
    [ -s jobs.1-of-2.log ]
}
