/* lib/slot.h: the smallest number that is not taken. */
#include "lib/slot.h"

#include "check.h"

enum {
    MANY = 1000,
    MOST = 1 << 18,
};

/* Some in the middle are given back, in any order, and taken again: the smallest first. */
static void
test_smallest(void)
{
    static const uint32_t freed[] = {1000, 64, 65, 1, 66, 128, 129, 501};
    static const uint32_t ordered[] = {1, 64, 65, 66, 128, 129, 501, 1000, 1001};

    for (uint32_t i = 1; i <= MANY; i++)
        CHECK_NUMBER(slot_take(), i);
    for (size_t i = 0; i < 8; i++)
        slot_return(freed[i]);
    slot_return(freed[0]); /* again does nothing */
    for (size_t i = 0; i < 9; i++)
        CHECK_NUMBER(slot_take(), ordered[i]);
    slot_return(2);
    CHECK_NUMBER(slot_take(), 2);
    for (uint32_t i = MANY + 1; i > 0; i--)
        slot_return(i);
    CHECK_NUMBER(slot_take(), 1);
    slot_return(1);
}

static void
test_none(void)
{
    slot_return(0);
    slot_return(UINT32_MAX);
    CHECK_NUMBER(slot_take(), 1);
    slot_return(1);
}

/* When all are taken, the others get one number more, which is nobody's own. */
static void
test_full(void)
{
    for (uint32_t i = 1; i <= MOST; i++)
        if (slot_take() != i)
            CHECK_NUMBER(i, 0);
    CHECK_NUMBER(slot_take(), MOST + 1);
    CHECK_NUMBER(slot_take(), MOST + 1);
    slot_return(MOST + 1);
    CHECK_NUMBER(slot_take(), MOST + 1);
    slot_return(MOST);
    CHECK_NUMBER(slot_take(), MOST);
    slot_return(77);
    CHECK_NUMBER(slot_take(), 77);
}

int
main(void)
{
    test_smallest();
    test_none();
    test_full();
    return checks_failed();
}
