/*
 * driver.h: a driver for the unit tests. The server's modules have one end of its socketpair, the
 * test the other. It counts as reaped, so that no process is killed.
 */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include "lib/channel.h"

#include "check.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PID = 4711,
};

static struct driver driver;
static int other_end;
static int log_fd = -1, stderr_fd; /* see log_begin() */

/* The other end sends this frame. The server does not read it yet. */
static inline void
driver_says(enum proto_type type, uint32_t id, const void *body, size_t size)
{
    unsigned char data[PROTO_FRAME_MAX];
    struct proto_header header = proto_header(PROTO_FROM_DRIVER, type, id);

    memcpy(data, &header, sizeof(header));
    memcpy(data + sizeof(header), body, size);
    CHECK(header.length == size);
    CHECK(send(other_end, data, sizeof(header) + size, 0) == (ssize_t)(sizeof(header) + size));
}

/* A driver that is up; its questions begin after that number. */
static inline void
driver_begin(uint32_t id)
{
    uint32_t pid = PID;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    other_end = pair[1];
    driver = (struct driver){
        .pid = PID, .pid_text = {4, "4711"}, .reaped = true, .sent_id = id, .answered_id = id};
    driver_init(&driver);
    CHECK(source_open(&driver.source, pair[0], driver_ready, EPOLLIN));
    fleet_add(&driver);
    driver_says(PROTO_HELLO, 0, &pid, sizeof(pid));
    CHECK(driver_receive(&driver));
    CHECK(driver.state == DRIVER_READY && fleet_count(DRIVER_READY) == 1);
}

/* Takes the driver out of the fleet, as when it was reaped. */
static inline void
driver_end(void)
{
    driver_close(&driver);
    driver_unlist(&driver);
    wire_set_text(&driver.wire, NULL);
    close(other_end);
    fleet_remove(&driver);
    list_remove(&driver.by_age);
    CHECK(fleet_next(NULL) == NULL && driver_find(driver.pid) == NULL);
    for (int state = 0; state < DRIVER_STATES; state++)
        CHECK_NUMBER(fleet_count((enum driver_state)state), 0);
}

/* From here on, what is logged is kept; log_is() compares it. */
static inline void
log_begin(void)
{
    log_fd = memfd_create("log", MFD_CLOEXEC);
    stderr_fd = dup(STDERR_FILENO);
    dup2(log_fd, STDERR_FILENO);
}

static inline void
log_is(const char *wanted, int line)
{
    char said[512];

    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    ssize_t n = pread(log_fd, said, sizeof(said), 0);
    close(log_fd);
    check_bytes(said, n > 0 ? (size_t)n : 0, wanted, __FILE__, line);
}

#endif
