/*
 * Linked into the sanitized programs. A fault ends them as it ends the normal programs: the
 * sanitizer's own handlers do not catch it. The driver, which allocates nothing, has no leak check
 * at its exit (DETECT_LEAKS is "0"): LeakSanitizer stops the process by ptrace(2), and the SIGCONT
 * that a driver gets when its server dies undoes that SIGSTOP. LeakSanitizer would then wait
 * forever. What was freed stays in a quarantine of 32 MiB at most, so that tests can limit memory.
 */
#define FAULTS "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
    return FAULTS ":quarantine_size_mb=32:max_malloc_fill_size=1000000:detect_leaks=" DETECT_LEAKS;
}

const char *
__ubsan_default_options(void)
{
    return FAULTS;
}
