# What a fake driver can say; see proto.h. fake_driver() puts this before the lines that the test
# gives.
# shellcheck shell=bash disable=SC2034,SC2059 # used below; escapes are meant
LC_ALL=C # a character is a byte

u8() { printf '\\x%02x' "$1"; }
u16() { u8 $(($1 & 255)); u8 $(($1 >> 8 & 255)); }
u32() { u16 $(($1 & 65535)); u16 $(($1 >> 16 & 65535)); }
u64() { u32 $(($1 & 4294967295)); u32 $(($1 >> 32)); }
# frame VERSION TYPE LENGTH ID [BODY]; BODY is as u8 and the others print it
frame() { printf "$(u8 "$1")$(u8 "$2")$(u16 "$3")$(u32 "$4")${5-}" >&3; }
hello() { frame 3 65 4 0 "$(u32 "${1-$$}")"; }
# state ID WORK REFUSAL REMAINING_MS [RESERVED]; WORK is 0 if it is free, 1 on a task, 2 on a job
state() { frame 3 66 16 "$1" "$(u8 "$2")$(u8 "$3")$(u16 0)$(u32 "${5-0}")$(u64 "$4")"; }
begun() { frame 3 69 4 "$1" "$(u32 "$2")"; }
# result ID OUTCOME STATUS [CAUSE [LEFT]]
result() {
    frame 3 68 48 "$1" "$(u32 "$2")$(u32 "$3")$(u32 "${4-0}")$(u32 "${5-0}")$(u64 1)$(u64 1)$(u64 1)$(u64 1)"
}

# take BYTES: reads that many bytes, and sets byte to the last one. The socket is nonblocking, so a
# read fails until something is there.
take() {
    local n
    for ((n = 0; n < $1; n++)); do
        until IFS= read -r -d "" -n 1 -u 3 byte 2>/dev/null; do :; done
    done
}

# Sizes of whole frames; RUN is for a job of one byte.
RUN=57 STATUS=8 TASK=24 CANCEL=12

linger() { exec sleep 1000; }
