#!/usr/bin/env bats
# The recipes in scripts/recipes that lead to a server by TCP, by ssh and into a container; and the
# static programs, which the last one needs.

load lib/helpers

RECIPES=$ROOT/scripts/recipes

# start_recipe RECIPE ARGUMENT...: runs it in the background; its standard error goes to recipe.err.
# Sets recipe_pid.
start_recipe() {
    "$RECIPES/$1" "${@:2}" </dev/null >recipe.out 2>recipe.err 3>&- &
    recipe_pid=$!
    started=("$recipe_pid" "${started[@]}") # it ends before what it leads to
}

# on_a_port COMMAND...: runs the command with a port, until one is found on which it succeeds. It
# fails if the port is taken.
on_a_port() {
    for ((port = 20000 + $$ % 20000; port < 60000; port += 101)); do
        "$@" && return
    done
    fail "no port works: $(cat recipe.err)"
}

# through_tcp: sends its input to the port, and prints the replies.
through_tcp() {
    perl "$LIB/net.pl" exchange 127.0.0.1 "$port"
}

tcp_leads_to_server() {
    start_recipe tcp.sh taxi.sock "$port"
    wait_until tcp_has_begun
    [[ $(through_tcp 2>/dev/null <<<stats) == Stats* ]]
}

tcp_has_begun() {
    ended "$recipe_pid" || through_tcp </dev/null 2>/dev/null
}

start_tcp() {
    command -v socat >/dev/null || skip 'no socat'
    start_listening --drivers 1
    on_a_port tcp_leads_to_server
}

@test "tcp.sh: carries the sessions of clients, also replies that come after the end of the commands" {
    start_tcp
    run -0 through_tcp < <(printf 'run any 60 sleep 1.5; exit 3\nget_jobs\n')
    [ "$output" = $'Job 1 Done exit 3\n0 jobs' ]
    run -0 through_tcp < <(yes fly | head -n 20000)
    [ "${#lines[@]}" = 20000 ]
    [ "$(sort -u <<<"$output")" = "Error: unknown command 'fly' (try help)" ]
}

@test "tcp.sh: listens on 127.0.0.1 alone, unless it is given another address" {
    start_tcp
    line=$(printf '0100007F:%04X' "$port")
    grep -qE "^ *[0-9]+: $line 0+:0000 0A" /proc/net/tcp
    run ! grep -E "^ *[0-9]+: [0-9A-F]+:${line#*:} 0+:0000 0A" /proc/net/tcp6
}

# As the manual and the recipe warn: this is no different from the end of the input.
@test "tcp.sh: the half line of a client that is gone is run" {
    start_tcp
    exec {fd}<>"/dev/tcp/127.0.0.1/$port"
    printf create_driver >&"$fd"
    exec {fd}>&-
    wait_until has_children 2
}

# recipe_runs PROGRAM RECIPE ARGUMENT...: prints the words of the program that the recipe runs.
recipe_runs() {
    mkdir -p stand-in
    printf '#!%s\nprintf "%%s " "${0##*/}" "$@"\n' "$BASH" >"stand-in/$1"
    chmod +x "stand-in/$1"
    PATH=$PWD/stand-in:$PATH "$RECIPES/$2" "${@:3}"
}

@test "tcp.sh and ssh.sh: the manual has the same commands" {
    page=$(sed -z 's/ \\e\n */ /g' "$ROOT/scripts/install/man/taxi-server.1")
    run -0 recipe_runs socat tcp.sh /run/taxi/control
    grep -qxF "${output% }" <<<"$page"
    run -0 recipe_runs ssh ssh.sh host
    [[ $output == 'ssh -N '*'-L ./taxi.sock:/run/taxi/control host ' ]]
    grep -qxF '.Dl ssh -N -L ./taxi.sock:/run/taxi/control host' <<<"$page"
    run -0 recipe_runs socat tcp.sh there 17 10.0.0.1
    [[ $output == *' TCP-LISTEN:17,bind=10.0.0.1,fork,reuseaddr UNIX-CONNECT:there ' ]]
    run -0 recipe_runs ssh ssh.sh me@host /there /here -p 17
    [[ $output == *' -p 17 -L /here:/there me@host ' ]]
}

@test "tcp.sh, ssh.sh and container.sh: wrong usage ends with status 2" {
    for words in tcp.sh 'tcp.sh a b c d' 'tcp.sh --help' ssh.sh 'ssh.sh -x' container.sh 'container.sh --busybox' 'container.sh -x'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr "$RECIPES"/$words
        [[ -z $output && $stderr == *'usage: '${words%% *}* ]] || fail "$words: $stderr"
    done
}

# ---- ssh

# Makes the keys and the configuration of an own sshd, which lets this user in, and nobody else.
make_sshd() {
    [[ -x /usr/bin/ssh && -x /usr/sbin/sshd ]] || skip 'no ssh and sshd'
    [ "$(id -u)" != 0 ] || unshare --mount mount -t tmpfs none /run 2>/dev/null || skip 'no mount namespace to be had'
    ssh-keygen -q -t ed25519 -N '' -f host_key
    ssh-keygen -q -t ed25519 -N '' -f key
    cp key.pub authorized
    cat >sshd_config <<END
ListenAddress 127.0.0.1
HostKey $PWD/host_key
AuthorizedKeysFile $PWD/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
END
}

# run_sshd PORT: becomes sshd. Root's has a directory in /run, which only its own namespace sees.
run_sshd() {
    local words=(/usr/sbin/sshd -D -e -f "$PWD/sshd_config" -p "$1")
    [ "$(id -u)" = 0 ] || exec "${words[@]}"
    exec unshare --mount sh -c 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' sh "${words[@]}"
}

# An sshd listens at the port; its key is in the list of known hosts.
sshd_listens() {
    run_sshd "$port" </dev/null 2>recipe.err 3>&- &
    sshd=$!
    started+=("$sshd")
    wait_until sshd_has_begun
    echo "[127.0.0.1]:$port $(cat host_key.pub)" >known
    alive "$sshd"
}

sshd_has_begun() {
    ended "$sshd" || grep -q '^Server listening on' recipe.err
}

# start_ssh: makes the socket local.sock, which leads to the server through sshd.
start_ssh() {
    start_recipe ssh.sh "$(id -un)@127.0.0.1" "$PWD/taxi.sock" local.sock -F none -p "$port" -i key \
        -o IdentitiesOnly=yes -o UserKnownHostsFile="$PWD/known" -o BatchMode=yes
    wait_until ssh_has_begun
    alive "$recipe_pid" || fail "$(cat recipe.err)"
}

ssh_has_begun() {
    ended "$recipe_pid" || timeout 60 "$SERVER" --connect local.sock stats >/dev/null 2>&1
}

@test "ssh.sh: makes a socket, for its user alone, that leads to a server through sshd" {
    make_sshd
    start_listening --drivers 1
    on_a_port sshd_listens
    umask 0
    start_ssh
    [ "$(stat -c '%a' local.sock)" = 600 ]
    run -7 timeout 60 "$SERVER" --connect local.sock run any 60 'sleep 0.2; exit 7'
    [ "$output" = 'Job 1 Done exit 7' ]
    run -1 timeout 60 "$SERVER" --connect local.sock <<<$'get_jobs\nfly'
    [ "$output" = $'0 jobs\nError: unknown command \'fly\' (try help)' ]
    # The socket that a killed ssh leaves is no obstacle.
    kill -KILL "$recipe_pid"
    wait_until ended "$recipe_pid"
    [ -S local.sock ]
    start_ssh
    run -0 timeout 60 "$SERVER" --connect local.sock get_drivers
}

# ---- static programs and the container

# static_programs: makes the programs of make static, if the other objects are there.
static_programs() {
    echo 'int main(void) { return 0; }' | "${CC:-cc}" -static -x c -o has-libc - 2>/dev/null || skip 'no static libc'
    make -s -C "$ROOT" -o build/release/server.o -o build/release/driver.o static >make.log 2>&1 || fail "$(cat make.log)"
}

@test "make static: both programs need no dynamic linker, and serve a session" {
    static_programs
    for program in server driver; do
        cp "$ROOT/build/static/$program" .
        run ! grep -E 'INTERP|NEEDED' <(readelf -dlW $program)
    done
    run -0 ./server <<<$'create_driver\nrun any 60 exit 0\nsend_task any 0.01\nwait'
    [[ ${lines[0]} == 'Driver '*' Available' && ${lines[1]} == 'Job 1 Done exit 0' && ${lines[3]} == '1 driver' ]]
}

# needs_container: static programs are there, and namespaces are available.
needs_container() {
    static_programs
    unshare --user --map-root-user --mount --pid --fork mount -t proc proc /proc 2>/dev/null ||
        skip 'no user, pid and mount namespaces available'
}

# start_container [--busybox]: starts the recipe's container in root, with a driver, and waits until
# its server answers. Sets server_pid to its pid out here.
start_container() {
    needs_container
    start_recipe container.sh "$@" root --drivers 1 --listen /control
    wait_until container_answers
    server_pid=$(children_of "$recipe_pid")
    server_pid=${server_pid% }
}

container_answers() {
    ended "$recipe_pid" || timeout 60 "$SERVER" --connect root/control stats >/dev/null 2>&1
}

in_container() {
    timeout 60 "$SERVER" --connect root/control "$@"
}

# container_ends STATUS: the recipe ends with that status.
container_ends() {
    local server_pid=$recipe_pid
    cp recipe.err err
    server_ends "$1"
}

@test "container.sh: with nothing but the programs, the server is process 1, and TERM ends it" {
    start_container
    [[ $(status_field "$server_pid" NSpid) == *$'\t1' ]]
    [ "$(cd root && find . ! -type d | sort | xargs)" = './control ./dev/null ./driver ./server' ]
    run -0 in_container <<<$'send_task any 0.05\nwait'
    [[ ${lines[0]} == 'Driver '*' Busy 1' && ${lines[1]} == '1 driver' ]]
    run -127 in_container run any 60 true
    [ "$output" = 'Job 1 Done exit 127' ]
    kill -TERM "$server_pid"
    container_ends 0
    [ "$(cat recipe.err)" = 'driver: cannot run /bin/sh: No such file or directory' ]
}

@test "container.sh: a root that is another user's, or that others can write, or a link, is left alone" {
    needs_container
    mkdir real shared
    chmod 775 shared
    ln -s real link
    for root in shared link link/; do
        run -1 --separate-stderr "$RECIPES/container.sh" "$root" </dev/null
        [[ -z $output && $stderr == "container.sh: "*"$root"* ]] || fail "$root: $output $stderr"
    done
    [ -z "$(find real/ shared/ -mindepth 1)" ]
    become_other
    mkdir other
    chmod 777 other
    echo precious >file
    "${as_other[@]}" ln -s ../file other/server
    chown "$OTHER_UID" other
    run -1 --separate-stderr "$RECIPES/container.sh" other </dev/null
    [ "$stderr" = "container.sh: other is another user's" ]
    [ "$(<file)" = precious ]
}

@test "container.sh: --each runs static programs of the root" {
    needs_container
    mkdir root
    cp "$ROOT/build/static/driver" root/tool # which ends with 2 if it is not started by a server
    run -4 --separate-stderr "$RECIPES/container.sh" root --each 60 /tool <<<name
    [ "$output" = 'Job 1 Done exit 2' ] || fail "$stderr"
}

@test "container.sh: with busybox, jobs have a shell; what a job leaves is reaped by process 1" {
    busybox=$(command -v busybox) || skip 'no busybox'
    ! readelf -lW "$busybox" | grep -q INTERP || skip 'busybox is not static'
    start_container --busybox
    run -3 in_container run any 60 '(sleep 1000 &); exit 3'
    [ "$output" = 'Job 1 Done exit 3' ]
    grep -q '^server: job 1 left 1 process$' recipe.err
    # The driver dies, and its job's orphans become children of the server.
    in_container submit 60 'sleep 1000 & sleep 1000 & wait'
    wait_until orphans_can_be_made
    kill -KILL "$driver"
    run -125 in_container wait_job 2
    [[ $output == 'Job 2 Done lost driver '* ]]
    wait_until has_children 1 # the next driver
    for process in $family; do
        gone "$process"
    done
    in_container shutdown
    container_ends 0
}

# The job's shell and its two processes are there. Sets driver, and family to all of them.
orphans_can_be_made() {
    local shell
    driver=$(children_of "$server_pid")
    driver=${driver% }
    shell=$(children_of "$driver")
    family="$driver $shell$(children_of "${shell% }")"
    has_children_of "${shell% }" 2
}
