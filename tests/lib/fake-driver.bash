# What a driver that a test makes up can say; see proto.h. Is put before what the test has it do.
# shellcheck shell=bash disable=SC2034,SC2059 # used below; escapes are meant
LC_ALL=C # a character is a byte

u8() { printf '\\x%02x' "$1"; }
u16() { u8 $(($1 & 255)); u8 $(($1 >> 8 & 255)); }
u32() { u16 $(($1 & 65535)); u16 $(($1 >> 16 & 65535)); }
u64() { u32 $(($1 & 4294967295)); u32 $(($1 >> 32)); }
# frame VERSION TYPE LENGTH ID [BODY, as u8 and the like print it]
frame() { printf "$(u8 "$1")$(u8 "$2")$(u16 "$3")$(u32 "$4")${5-}" >&3; }
hello() { frame 1 65 4 0 "$(u32 "${1-$$}")"; }
# state ID BUSY REFUSAL REMAINING_MS [VALUE]
state() { frame 1 66 16 "$1" "$(u8 "$2")$(u8 "$3")$(u16 0)$(u32 "${5-0}")$(u64 "$4")"; }
# result ID OUTCOME STATUS
result() { frame 1 68 40 "$1" "$(u32 "$2")$(u32 "$3")$(u64 1)$(u64 1)$(u64 1)$(u64 1)"; }

# take BYTES: reads that many; the socket is nonblocking, and fails until there are some. Sets byte
# to the last.
take() {
    local n
    for ((n = 0; n < $1; n++)); do
        until IFS= read -r -d "" -n 1 -u 3 byte 2>/dev/null; do :; done
    done
}

# What a whole frame has; the RUN of a command of one byte.
RUN=41 STATUS=8 TASK=24 CANCEL=12

linger() { exec sleep 1000; }
