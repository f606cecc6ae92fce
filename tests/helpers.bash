# Helpers for the tests. A test talks to a server over two FIFOs and waits for what it expects, a
# line or a process's end, with a deadline; nothing here waits for time to pass.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# A driver on a loaded machine may need more than the second that it has by default. Tests of the
# timeout itself give their own, which counts because it comes later.
PATIENT=(-t 30)
BUILD=$(cd "$ROOT/${TEST_BUILD:-.}" && pwd) # where the binaries under test are
SERVER=$BUILD/server
DRIVER=$BUILD/driver
FAULTY=$(cd "$ROOT/${TEST_BUILD:-build/faulty}" && pwd) # those that fail as told: all but the normal ones

: "${MEMORY_MAX_KB:=16384}" # what the server may take at the most
DEADLINE=10 # seconds, for anything that should happen at once; generous for a loaded machine

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    server_pid='' line='' to='' from=''
    started=() # pids to end in teardown
    declare -gA client_pid=() client_to=() client_from=()
}

teardown() {
    end_started
}

# Ends what the test started. A driver that is left over fails the test.
end_started() {
    local pid fd left=
    for fd in "${client_to[@]}" "${client_from[@]}"; do
        { exec {fd}>&-; } 2>/dev/null || true # a test may have closed it
    done
    [[ -z $to ]] || exec {to}>&-
    [[ -z $from ]] || exec {from}<&-
    to='' from=''
    for pid in "${started[@]}"; do
        drivers_are_gone_with "$pid" || left+=" $pid"
    done
    started=()
    [[ -z $left ]] || fail "drivers of$left were left over"
}

# Ends that process, a server as a user would who is in a hurry, and checks that its children end.
drivers_are_gone_with() {
    local child children
    children=$(children_of "$1")
    if alive "$1" && [[ /proc/$1/exe -ef $SERVER || /proc/$1/exe -ef $FAULTY/server ]]; then
        kill -QUIT "$1"
        # Only if it is stopped: a leak checker at the end of one that is not can hang of it.
        ! in_state "$1" T || kill -CONT "$1"
        wait_until ended "$1" || true
    fi
    ! alive "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    for child in $children; do
        wait_until ended "$child" || return 1
    done
}

fail() {
    printf '%s\n' "$@" >&2
    return 1
}

# wait_until COMMAND...: until it succeeds, looked at often, at most DEADLINE seconds.
wait_until() {
    local end=$((SECONDS + DEADLINE))
    until "$@"; do
        ((SECONDS < end)) || fail "waited in vain until: $*" || return
        pause
    done
}

# Gives the processor away between two looks: a read from a pipe that nobody writes to.
pause() {
    local nothing
    [[ -n ${idle_fd-} ]] || exec {idle_fd}<> <(:)
    read -r -t 0.01 -u "$idle_fd" nothing || true
}

uptime_ms() {
    local up
    read -r up _ </proc/uptime
    echo "${up/./}0"
}

# For what cannot be waited for otherwise: wait_until past "$(($(uptime_ms) + 500))".
past() {
    (($(uptime_ms) > $1))
}

# ---- processes

# The letter of its state, see proc(5); nothing if there is no such process.
state_of() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    stat=${stat##*) }
    printf '%s' "${stat%% *}"
}

alive() {
    [[ $(state_of "$1") == [RSDTt] ]]
}

# Ended and reaped.
gone() {
    [[ -z $(state_of "$1") ]]
}

# Ended; reaping it may be left to somebody else, who may be slow.
ended() {
    [[ $(state_of "$1") == Z || -z $(state_of "$1") ]]
}

in_state() {
    [[ $(state_of "$1") == "$2" ]]
}

children_of() {
    cat "/proc/$1/task/$1/children" 2>/dev/null || true
}

has_children() {
    (($(children_of "$server_pid" | wc -w) == $1))
}

# A field of /proc/PID/status.
status_field() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# ---- a server at two FIFOs

# start COMMAND...: runs it, a server or what becomes one, at two FIFOs. Sets server_pid; its standard
# error goes to the file err.
start() {
    mkfifo in out
    "$@" <in >out 2>err 3>&- &
    server_pid=$!
    started+=("$server_pid")
    exec {to}>in {from}<out
}

start_server() {
    start "$SERVER" "${PATIENT[@]}" "$@"
}

# start_faulty FAULT OPTION...: a server to which that happens, see tests/faults/inject.c.
start_faulty() {
    start env "FAULT=$1" "$FAULTY/server" "${PATIENT[@]}" "${@:2}"
}

# start_after CODE: a shell that runs that code and then becomes the server.
start_after() {
    start bash -c "$1; exec '$SERVER' ${PATIENT[*]}"
}

# Closes both FIFOs, so that another server can be started.
hang_up() {
    [[ -z $to ]] || exec {to}>&-
    exec {from}<&-
    to='' from=''
    rm in out
}

# say LINE...: gives commands.
say() {
    printf '%s\n' "$@" >&"$to"
}

# Reads the next reply into $line.
reply() {
    IFS= read -r -t "$DEADLINE" -u "$from" line || fail "no reply; the log: $(cat err)"
}

# expect PATTERN...: the next replies match them, one each.
expect() {
    local pattern
    for pattern in "$@"; do
        reply || return
        # shellcheck disable=SC2053 # a pattern is what is wanted
        [[ $line == $pattern ]] || fail "expected: $pattern" "got:      $line" || return
    done
}

# The server waits for room in its output: its epoll set, descriptor 3, has descriptor 1.
output_waits() {
    grep -q '^tfd: *1 ' "/proc/$server_pid/fdinfo/3"
}

# took COUNT: so many commands were taken so far; the server says so in its log when it is asked.
took() {
    kill -USR1 "$server_pid"
    pause
    logged "commands=$1 "
}

# create: creates a driver and sets pid to its pid.
create() {
    say create_driver
    expect 'Driver +([0-9]) Available'
    pid=${line#Driver }
    pid=${pid% *}
}

# create_many COUNT: creates that many drivers and sets pids to their pids.
create_many() {
    local i
    say "create_driver $1"
    pids=()
    for ((i = 0; i < $1; i++)); do
        expect 'Driver +([0-9]) Available' || return
        pids+=("${line//[^0-9]/}")
    done
    expect "$1 drivers"
}

# end_input: the server sees the end of its input.
end_input() {
    exec {to}>&-
    to=
}

# server_ends STATUS: the server has ended with it.
server_ends() {
    local status=0
    wait_until ended "$server_pid" || return
    wait "$server_pid" || status=$?
    ((status == $1)) || fail "exit status $status; the log: $(cat err)"
}

# The log holds nothing but lines that match one of the patterns.
log_is() {
    local logged pattern
    while IFS= read -r logged; do
        for pattern in "$@"; do
            # shellcheck disable=SC2053
            [[ $logged == $pattern ]] && continue 2
        done
        fail "unexpected in the log: $logged" || return
    done <err
}

logged() {
    grep -qE "$1" err
}

# session OPTION...: a server that ends by itself, or is made to.
session() {
    timeout --foreground -k 1 30 "$SERVER" "${PATIENT[@]}" "$@"
}

# ask LINE...: a whole session of its own; sets output and status, its log is in the file err.
ask() {
    # shellcheck disable=SC2034
    {
        status=0
        output=$(printf '%s\n' "$@" | session 2>err) || status=$?
    }
}

# ---- clients at a control socket

# start_listening OPTION...: a server that also listens at taxi.sock, and has begun to.
start_listening() {
    start_server --listen taxi.sock "$@"
    say 'session'
    expect 'Error: usage: session*'
}

# control WORD...: a client, of one command or of those at its standard input.
control() {
    timeout --foreground -k 1 30 "$SERVER" --connect taxi.sock "$@"
}

# attach NAME OPTION...: a client at FIFOs of its own, in the background.
attach() {
    local name=$1 fd
    shift
    mkfifo "$name.in" "$name.out"
    (
        # What it held open of the others would have no end.
        for fd in $to $from "${client_to[@]}" "${client_from[@]}"; do exec {fd}>&-; done
        exec "$SERVER" --connect taxi.sock "$@"
    ) <"$name.in" >"$name.out" 2>"$name.err" 3>&- &
    client_pid[$name]=$!
    started+=("$!")
    exec {fd}>"$name.in"
    client_to[$name]=$fd
    exec {fd}<"$name.out"
    client_from[$name]=$fd
}

# tell NAME LINE...: the client gives commands.
tell() {
    printf '%s\n' "${@:2}" >&"${client_to[$1]}"
}

# hear NAME PATTERN...: the client's next replies match them.
hear() {
    local from=${client_from[$1]}
    expect "${@:2}"
}

# detach NAME: the end of the client's input.
detach() {
    local fd=${client_to[$1]}
    exec {fd}>&-
}

# client_ends NAME STATUS
client_ends() {
    local server_pid=${client_pid[$1]}
    server_ends "$2"
}

# raw CODE: runs that Perl code, which may attach() sockets to taxi.sock, read a line() from one, or the
# rest(), and say what is not so (check(), with a condition).
raw() {
    # shellcheck disable=SC2016
    timeout --foreground 60 perl -MSocket -MFcntl -MIO::Handle -e '
        use strict; use warnings;
        $SIG{PIPE} = "IGNORE";
        sub attach {
            socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
            connect $s, pack_sockaddr_un("taxi.sock") or die "connect: $!";
            $s->autoflush;
            return $s;
        }
        sub line { my ($s) = @_; my $line = <$s> // "END\n"; chomp $line; $line }
        sub rest { my ($s) = @_; local $/; <$s> // "" }
        sub check { $_[0] or die "not so at line " . (caller)[2] . ": $_[1]\n" }
#line 1
        '"$1" 3>&-
}

# ---- programs that are not quite a driver

# fake_driver NAME LINE...: a bash script, to be used with --driver; frame() and hello write to
# the socket. It starts with all signals blocked, as any driver, so it can only run builtins.
fake_driver() {
    local name=$1
    shift
    {
        printf '#!%s\n' "$BASH"
        cat <<'END'
u8() { printf '\\x%02x' "$1"; }
u16() { u8 $(($1 & 255)); u8 $(($1 >> 8 & 255)); }
u32() { u16 $(($1 & 65535)); u16 $(($1 >> 16 & 65535)); }
u64() { u32 $(($1 & 4294967295)); u32 $(($1 >> 32)); }
# frame VERSION TYPE LENGTH ID [BODY, as u8 and the like print it]
frame() { printf "$(u8 "$1")$(u8 "$2")$(u16 "$3")$(u32 "$4")${5-}" >&3; }
hello() { frame 1 65 4 0 "$(u32 "${1-$$}")"; }
# state ID BUSY REFUSAL REMAINING_MS
state() { frame 1 66 16 "$1" "$(u8 "$2")$(u8 "$3")$(u16 0)$(u32 0)$(u64 "$4")"; }
linger() { exec sleep 1000; }
END
        printf '%s\n' "$@"
    } >"$name"
    chmod +x "$name"
}

# ---- a program that is not quite the server

# as_server CODE [DRIVER]: runs that Perl code with a driver, just started, at the other end of the socket S.
# It can say frame(TYPE, ID, BODY), hear(), which returns the next frame's type, id and body, and
# status(), the driver's exit status; check() ends it unless its argument is true.
as_server() {
    DRIVER=${2-$DRIVER} timeout --foreground 30 perl -MSocket -MPOSIX -e '
        use strict; use warnings;
        $^F = 9; # the socket passes an exec
        socketpair(S, my $its, AF_UNIX, SOCK_STREAM, 0) or die;
        my $driver = fork;
        if (!$driver) { close S; dup2(fileno $its, 3); exec $ENV{DRIVER}; die }
        close $its;
        $SIG{PIPE} = "IGNORE";
        my $heard = "";
        # Asks until neither direction takes any more; returns how often.
        sub fill {
            my ($asked, $ready) = (0);
            S->blocking(0);
            while ($ready = "", vec($ready, fileno S, 1) = 1, select undef, $ready, undef, 0.5) {
                if (syswrite S, packed(2, $asked + 1)) { $asked++ } elsif ($!{EPIPE}) { last }
            }
            S->blocking(1);
            return $asked;
        }
        sub bytes { syswrite(S, $_[0]) // 0 }
        sub packed { my ($type, $id, $body) = (@_, ""); pack "CCSLa*", 1, $type, length $body, $id, $body }
        sub frame { bytes(packed(@_)) }
        sub take { while (length $heard < $_[0]) { sysread(S, $heard, 65536, length $heard) or return }
                   substr $heard, 0, $_[0], "" }
        sub hear { my (undef, $type, $length, $id) = unpack "CCSL", take(8) // return;
                   ($type, $id, $length ? take($length) : "") }
        sub check { $_[0] or do { kill "KILL", $driver; die "not so at line " . (caller)[2] . "
" } }
        sub status { waitpid $driver, 0; $? >> 8 }
        my ($type, $id, $body) = hear();
        check($type == 65 && $id == 0 && $body eq pack "L", $driver);
        {
#line 1
        '"$1"'
        }
        close S;
        exit status()' 3>&-
}

# ---- a server at a terminal

# start_terminal COMMAND: bash runs it at a terminal of its own (script(1), which would take the
# user's shell); what is typed goes to $to, what is shown comes to the file screen. Sets terminal_pid.
start_terminal() {
    mkfifo keys
    : >screen
    SHELL=$BASH script -qefc "$1" /dev/null <keys >screen 2>&1 3>&- &
    terminal_pid=$!
    started+=("$terminal_pid")
    exec {to}>keys
}

keys() {
    # shellcheck disable=SC2059 # escapes are meant
    printf "$1" >&"$to"
}

# shows PATTERN: the screen shows it, in time; line ends are those of a terminal, \r\n.
shows() {
    wait_until grep -qaE "$1" screen || fail "on the screen: $(cat -v screen)"
}
