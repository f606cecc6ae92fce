#include "slot.h"

#include <stddef.h>

enum {
    SLOTS_MAX = 1 << 18, /* far more than there can be drivers */
    SLOTS_PER_WORD = 64,
    SLOT_WORDS = SLOTS_MAX / SLOTS_PER_WORD,
};

static struct {
    uint64_t words[SLOT_WORDS]; /* a bit for each number that is taken */
    size_t full;                /* the words before this one are full */
} slots;

uint32_t
slot_take(void)
{
    while (slots.full < SLOT_WORDS && slots.words[slots.full] == UINT64_MAX)
        slots.full++;
    if (slots.full == SLOT_WORDS)
        return SLOTS_MAX + 1;
    unsigned bit = (unsigned)__builtin_ctzll(~slots.words[slots.full]);
    slots.words[slots.full] |= UINT64_C(1) << bit;
    return (uint32_t)(slots.full * SLOTS_PER_WORD + bit + 1);
}

void
slot_return(uint32_t slot)
{
    uint32_t index = slot - 1; /* a large number if slot is 0 */

    if (index >= SLOTS_MAX)
        return;
    size_t word = index / SLOTS_PER_WORD;
    slots.words[word] &= ~(UINT64_C(1) << index % SLOTS_PER_WORD);
    if (word < slots.full)
        slots.full = word;
}
