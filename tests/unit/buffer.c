/* lib/buffer.h: blocks that are taken for what there is to hold, and given back. */
#include "lib/buffer.h"
#include "lib/pool.h"

#include "check.h"

static void
test_block(void)
{
    struct buffer buffer = {0};

    CHECK(buffer_prepare(&buffer) && buffer.data != NULL);
    CHECK_NUMBER(buffer_room(&buffer), BLOCK_SIZE);
    buffer_append_string(&buffer, "pid ");
    buffer_append_number(&buffer, UINT64_MAX);
    buffer_append(&buffer, ";;", 1);
    CHECK_BYTES(buffer.data, buffer.end, "pid 18446744073709551615;");
    buffer_consume(&buffer, 4);
    CHECK_NUMBER(buffer_used(&buffer), 21);
    CHECK(buffer_prepare(&buffer) && buffer.start == 0); /* is moved to the beginning */
    CHECK_BYTES(buffer.data, buffer.end, "18446744073709551615;");
    pool_freed = false;
    buffer_consume(&buffer, 20);
    CHECK(buffer.data != NULL && !pool_freed);
    buffer_consume(&buffer, 1);
    CHECK(buffer.data == NULL && buffer_used(&buffer) == 0 && pool_freed);
    pool_freed = false;
    buffer_consume(&buffer, 0); /* there is no block to give back */
    CHECK(!pool_freed);
    CHECK(buffer_prepare(&buffer));
    buffer_consume(&buffer, 0); /* there is one that nothing was put into */
    CHECK(buffer.data == NULL && pool_freed);
}

static void
test_full(void)
{
    static char bytes[BLOCK_SIZE];
    struct buffer buffer = {0};

    memset(bytes, 'x', sizeof(bytes));
    CHECK(buffer_prepare(&buffer));
    buffer_append(&buffer, bytes, BLOCK_SIZE);
    CHECK_NUMBER(buffer_room(&buffer), 0);
    buffer_consume(&buffer, BLOCK_SIZE - 1);
    CHECK(buffer_room(&buffer) == 0 && buffer_prepare(&buffer));
    CHECK_NUMBER(buffer_room(&buffer), BLOCK_SIZE - 1);
    buffer_consume(&buffer, 1);
}

static void
test_no_memory(void)
{
    struct buffer first = {0}, second = {0}, third = {0};

    setenv("FAULT", "malloc:ENOMEM:1+", 1); /* see tests/faults/inject.c */
    CHECK(buffers_available(2) && buffer_prepare(&first));
    CHECK(buffers_available(1) && !buffers_available(2) && buffer_prepare(&second));
    CHECK(buffers_available(0) && !buffers_available(1) && !buffer_prepare(&third));
    CHECK(third.data == NULL && buffer_prepare(&first)); /* that has one already */
    buffer_consume(&second, 0);
    CHECK(buffer_prepare(&third));
    buffer_consume(&third, 0);
    buffer_consume(&first, 0);
    unsetenv("FAULT");
}

int
main(void)
{
    CHECK(buffers_open());
    test_block();
    test_full();
    test_no_memory();
    buffers_close();
    return checks_failed();
}
