# A stand-in for systemctl(1) in the sessions of documents: starts the server as systemd would, by
# the lines of the unit. With taxi, returns when the server is ready; with the socket of a user, the
# server starts at once, and has the socket.
# shellcheck shell=bash

# words_of UNIT DIRECTIVE: sets words to the command that this line of the unit has.
words_of() {
    local command
    command=$(sed -n "s/^$2=//p" "scripts/install/$1")
    command=${command//%t/../run}
    read -r -a words <<<"${command//%h/~}"
    words[0]=${words[0]##*/}
}

mkdir ../run/taxi # RuntimeDirectory=, or for ListenStream=
case $* in
'start taxi')
    words_of taxi.service ExecStart
    { "${words[@]}" --ready-fd 3 3>&1 >&2 </dev/null & } | read -r _
    ;;
'--user start taxi.socket')
    words_of user/taxi.service ExecStartPre
    "${words[@]}"
    words_of user/taxi.service ExecStart
    perl "$LIB/activate.pl" --nonblock "$XDG_RUNTIME_DIR/taxi/control" "${words[@]}" </dev/null &
    until [[ -S $XDG_RUNTIME_DIR/taxi/control ]]; do read -r -t 0.01 -u 9 _ 9<> <(:); done
    ;;
*)
    echo "systemctl $*: no stand-in for this" >&2
    exit 1
    ;;
esac
