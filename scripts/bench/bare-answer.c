/*
 * bare-answer: a worker of bare-server. Says by a frame of 16 bytes that it is up, then sends back whatever it
 * reads, all on descriptor 3, until that ends.
 */
#include <unistd.h>

int
main(void)
{
    static char data[64 << 10];
    ssize_t size = 16;

    do {
        if (write(3, data, (size_t)size) != size)
            return 1;
    } while ((size = read(3, data, sizeof(data))) > 0);
    return size < 0;
}
