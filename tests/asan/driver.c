/*
 * Linked into the sanitized driver: no leak check at its exit, since it allocates nothing. To look for
 * leaks, LeakSanitizer stops the process by ptrace(2), whose SIGSTOP is undone by the SIGCONT that a
 * driver gets when its server dies; then it would wait for ever.
 */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}
