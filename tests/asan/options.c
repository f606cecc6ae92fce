/*
 * Linked into the sanitized programs. A fault ends them as it ends the normal ones, instead of being
 * caught by the sanitizer's own handlers. No leak check at the exit of the driver (DETECT_LEAKS "0"),
 * which allocates nothing: LeakSanitizer stops the process by ptrace(2), and its SIGSTOP is undone by
 * the SIGCONT that a driver gets when its server dies; then it would wait for ever.
 */
#define FAULTS "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
    return FAULTS ":max_malloc_fill_size=1000000:detect_leaks=" DETECT_LEAKS;
}

const char *
__ubsan_default_options(void)
{
    return FAULTS;
}
