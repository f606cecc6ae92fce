# A stand-in for systemctl(1) in the sessions of documents: starts the server as systemd would, by
# the ExecStart of the unit, and returns when the server is ready.
# shellcheck shell=bash

[[ $* == 'start taxi' ]] || { echo "systemctl $*: no stand-in for this" >&2; exit 1; }
command=$(sed -n 's/^ExecStart=//p' scripts/install/taxi.service)
mkdir ../run/taxi # RuntimeDirectory=
read -r -a words <<<"${command//%t/../run}"
words[0]=${words[0]##*/}
{ "${words[@]}" --ready-fd 3 3>&1 >&2 </dev/null & } | read -r _
