/*
 * count-allocs.so: counts the calls of malloc and the like in the program that it is preloaded
 * into, but not in programs that this program starts. The count is the first 8 bytes of the file
 * $ALLOCS, where another process can read it at any time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* dlsym() may allocate memory before it has found the real functions. That memory comes from here,
 * and is never freed. */
static _Alignas(16) char early[4096];
static size_t early_used;

static _Atomic uint64_t nowhere;
static _Atomic uint64_t *count = &nowhere;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);

__attribute__((constructor)) static void
count_open(void)
{
    const char *path = getenv("ALLOCS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    *(void **)&real_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&real_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    if (fd >= 0) {
        void *map = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED)
            count = map;
        close(fd);
    }
    unsetenv("LD_PRELOAD");
}

static void *
early_alloc(size_t size)
{
    char *memory = early + early_used;

    size = (size + 15) & ~(size_t)15;
    if (size > sizeof(early) - early_used) {
        errno = ENOMEM;
        return NULL;
    }
    early_used += size;
    return memory;
}

static int
is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + sizeof(early);
}

void *
malloc(size_t size)
{
    atomic_fetch_add(count, 1);
    return real_malloc != NULL ? real_malloc(size) : early_alloc(size);
}

void *
calloc(size_t members, size_t size)
{
    atomic_fetch_add(count, 1);
    return real_calloc != NULL ? real_calloc(members, size) : early_alloc(members * size);
}

void *
realloc(void *memory, size_t size)
{
    atomic_fetch_add(count, 1);
    if (!is_early(memory))
        return real_realloc(memory, size);
    void *copy = malloc(size);
    if (copy != NULL) {
        size_t most = (size_t)(early + sizeof(early) - (char *)memory);
        memcpy(copy, memory, size < most ? size : most);
    }
    return copy;
}

void
free(void *memory)
{
    if (memory == NULL)
        return;
    atomic_fetch_add(count, 1);
    if (!is_early(memory))
        real_free(memory);
}

int
posix_memalign(void **memory, size_t alignment, size_t size)
{
    atomic_fetch_add(count, 1);
    return real_posix_memalign(memory, alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(count, 1);
    return real_aligned_alloc(alignment, size);
}
