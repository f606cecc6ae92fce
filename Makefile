# "make help" lists the targets. CC, CFLAGS, CPPFLAGS and LDFLAGS are for the user to set.

CC       = cc
CFLAGS   = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
LDFLAGS  = -Wl,-z,relro,-z,now
PREFIX   = /usr/local
bindir        = $(PREFIX)/bin
libexecdir    = $(PREFIX)/libexec/taxi
mandir        = $(PREFIX)/share/man
completiondir = $(PREFIX)/share/bash-completion/completions
unitdir       = $(PREFIX)/lib/systemd/system
userunitdir   = $(PREFIX)/lib/systemd/user

STANDARD = -std=c11 -D_GNU_SOURCE
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
COMPILE  = $(CC) $(STANDARD) $(WARNINGS) -Wwrite-strings $(CPPFLAGS) $(CFLAGS) -MMD -MP

# The sources of the programs. Some files of lib/ belong to the driver alone; the server uses all
# others, and the driver shares a few of them. See lib/README.md.
DRIVER_OWN = $(addprefix lib/,driver_log.c job_child.c job_line.c job_tree.c link.c report.c)
DRIVER     = driver.c $(DRIVER_OWN) \
             $(addprefix lib/,children.c clock.c directory.c family.c process.c signals.c source.c stack.c text.c \
                               timer.c)
SERVER     = server.c $(filter-out $(DRIVER_OWN),$(wildcard lib/*.c))

# Plain `make` ends with a line about what comes next, unless make is silent.
SILENT = $(findstring s,$(firstword -$(MAKEFLAGS)))
all: server driver
	@$(if $(MAKECMDGOALS)$(SILENT),:,echo 'Next: make run starts the server, make help lists the other targets.')

# The release build compiles each program as a single unit, which includes all its sources; the
# program is faster than one that is linked from separate objects. The other flavours compile each
# file by itself, which shows that no file depends on what another one includes or defines.
server: build/release/server.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<

# A statically linked driver starts faster and takes half the memory; if there is no static libc, it is
# linked dynamically. The variables that it touches when it is idle fill fewer pages if those of the libraries
# come first: otherwise the driver's large buffers, which it does not touch yet, lie between them.
LIBRARIES_FIRST = -Wl,--start-group -lc -lgcc_eh -Wl,--end-group
driver: build/release/driver.o
	$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $(LIBRARIES_FIRST) $< 2>/dev/null || \
	$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $< 2>/dev/null || $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<

# For containers and machines without this libc; see scripts/recipes/container.sh.
static: build/static/server build/static/driver
build/static/%: build/release/%.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $<

# For valgrind, which reports false errors at the start of a statically linked program.
build/dynamic/driver: build/release/driver.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<

# gcc can be told that the unit is the whole program; it then inlines as if everything were static.
WHOLE = $(shell echo | $(CC) -Werror -fwhole-program -E - >/dev/null 2>&1 && echo -fwhole-program)
build/release/%.o: build/release/%.c
	$(COMPILE) $(WHOLE) -c -o $@ $<

build/release/server.c: $(SERVER) Makefile
	@mkdir -p $(@D)
	@printf '#include "../../%s"\n' $(SERVER) >$@

build/release/driver.c: $(DRIVER) Makefile
	@mkdir -p $(@D)
	@printf '#include "../../%s"\n' $(DRIVER) >$@

# Small servers that use only the base modules of lib/; see tests/examples.
BASE = $(addprefix lib/,children.c clock.c signals.c source.c stream.c text.c)
examples: build/examples/echo build/examples/fifo
build/examples/%: tests/examples/%.c $(BASE) $(wildcard lib/*.h) Makefile
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -I. -o $@ $< $(BASE)

run: all
	@./server $(ARGS)

# Unit tests, each of one module, linked with the modules that it needs from the faulty build.
# tests/unit.bats runs them, too.
UNIT = $(patsubst tests/unit/%.c,build/unit/%,$(wildcard tests/unit/*.c))
unit: $(UNIT)
	@cd build/unit && for test in $(notdir $(UNIT)); do ./$$test || exit 1; done
	@echo 'unit: $(words $(UNIT)) programs found nothing wrong'

build/unit/%: tests/unit/%.c build/faulty/lib.a
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(WARNINGS) $(CPPFLAGS) -O1 -g -I. -MMD -MP -o $@ $(filter %.c %.a,$^)

build/faulty/lib.a: $(patsubst %.c,build/faulty/%.o,$(wildcard lib/*.c)) build/inject.o
	rm -f $@
	ar rcs $@ $^

# Programs that the tests use.
TEST_HELPERS = $(patsubst tests/lib/%.c,build/tests/%,$(wildcard tests/lib/*.c))
test: all faulty examples bench-programs $(TEST_HELPERS) $(UNIT)
	@scripts/test.sh

build/tests/%: tests/lib/%.c proto.h Makefile
	@mkdir -p build/tests
	$(CC) $(STANDARD) $(WARNINGS) $(CPPFLAGS) -O1 -g -o $@ $<

# Three more flavours, in which calls can be made to fail (see tests/faults/inject.c): faulty, for
# the tests and the sweep; asan, with AddressSanitizer and UndefinedBehaviorSanitizer, which is
# tested by TEST_BUILD=build/asan make test; coverage, which counts how often each line is executed.
INJECT = $(foreach call,read write send recv close epoll_ctl malloc calloc prctl setpgid dup2 \
                        setrlimit readlink syscall execve execv \
                        execvp,-D$(call)=faulty_$(call))
FLAGS_faulty   = -O1 -g
FLAGS_asan     = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
                 -fno-omit-frame-pointer
FLAGS_coverage = -O0 -g --coverage -fprofile-update=atomic
# Only the server is checked for leaks; see tests/asan/options.c.
MORE_asan = -DDETECT_LEAKS='"$(if $(filter %server,$@),1,0)"' tests/asan/options.c

faulty: build/faulty/server build/faulty/driver
asan: build/asan/server build/asan/driver

define flavour
build/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	@echo $$(CC) $$(FLAGS_$(1)) -c -o $$@ $$< # and more
	@$$(CC) $$(STANDARD) $$(WARNINGS) $$(FLAGS_$(1)) $$(INJECT) -MMD -MP -c -o $$@ $$<
build/$(1)/server: $$(SERVER:%.c=build/$(1)/%.o) build/inject.o
	$$(CC) $$(FLAGS_$(1)) -o $$@ $$^ $$(MORE_$(1))
build/$(1)/driver: $$(DRIVER:%.c=build/$(1)/%.o) build/inject.o
	$$(CC) $$(FLAGS_$(1)) -o $$@ $$^ $$(MORE_$(1))
endef
$(foreach name,faulty asan coverage,$(eval $(call flavour,$(name))))

build/inject.o: tests/faults/inject.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STANDARD) $(WARNINGS) -O1 -g -c -o $@ $<

# Fuzzes each target for FUZZ_SECONDS, starting from the inputs in tests/corpus and those that
# earlier runs have found. Needs clang with libFuzzer. The targets include the real code, that is,
# the server as the single unit of the release build; see tests/fuzz.
FUZZ_SECONDS = 60
FUZZ = clang $(STANDARD) -O1 -g -MMD -MP -fsanitize=fuzzer,address,undefined \
       -fno-sanitize-recover=undefined
fuzz: build/fuzz/frames build/fuzz/commands build/fuzz/session
	@scripts/fuzz.sh $(FUZZ_SECONDS)

build/fuzz/frames: tests/fuzz/frames.c Makefile
	@mkdir -p build/fuzz
	$(FUZZ) -o $@ $<

build/fuzz/commands build/fuzz/session: tests/fuzz/session.c build/release/server.c
	@mkdir -p build/fuzz
	$(FUZZ) $(if $(filter %commands,$@),-DCOMMANDS_ONLY) -o $@ $<

# Puts the programs under stress. The sizes are the ones that .ci/run uses; see
# scripts/torture/README.md.
SWEEP =
FLOOD = 32 100000
STORM = 10
JOBS  = 3000
torture: all faulty
	scripts/torture/sweep.sh $(SWEEP)
	scripts/torture/flood.sh $(FLOOD)
	scripts/torture/storm.sh $(STORM)
	scripts/torture/jobs.sh $(JOBS)

# Measures what the server costs; see scripts/bench/README.md.
BENCH_CFLAGS = -O2
BENCH_PROGRAMS = $(patsubst scripts/bench/%.c,build/bench/%,$(wildcard scripts/bench/bare-*.c)) \
                 $(addprefix build/bench/,load workers beanstalk-ask count-allocs.so)
bench: bench-programs
	@scripts/bench/run.sh

bench-smoke: bench-programs
	@scripts/bench/run.sh --smoke

bench-plot: bench-programs
	@scripts/bench/plot.sh

bench-programs: all $(BENCH_PROGRAMS)

build/bench/bare-pause build/bench/bare-worker build/bench/bare-answer: BENCH_CFLAGS = -O2 -static -fno-pie
build/bench/load: $(wildcard scripts/bench/load-*.c)
build/bench/%: scripts/bench/%.c $(wildcard scripts/bench/*.h) Makefile
	@mkdir -p build/bench
	$(CC) $(STANDARD) $(WARNINGS) $(CPPFLAGS) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

build/bench/%.so: scripts/bench/%.c Makefile
	@mkdir -p build/bench
	$(CC) $(STANDARD) $(WARNINGS) $(CPPFLAGS) -O2 -shared -fPIC -o $@ $< -ldl

coverage: faulty examples bench-programs $(TEST_HELPERS) $(UNIT)
	@scripts/coverage.sh

lint:
	@scripts/lint.sh

# The units for systemd get the path at which the server is installed. The client is the server by
# another name.
UNITS      = taxi.service taxi-jobs.service
USER_UNITS = taxi.service taxi.socket
PAGES      = taxi.1 taxi-server.1 taxi-driver.1 taxi-protocol.7
install: all
	mkdir -p build/user
	for unit in $(UNITS) $(USER_UNITS:%=user/%); do \
	    sed 's|/usr/local/bin/taxi-server|"$(bindir)/taxi-server"|' scripts/install/$$unit >build/$$unit || exit; \
	done
	install -d "$(DESTDIR)$(bindir)" "$(DESTDIR)$(libexecdir)" "$(DESTDIR)$(mandir)/man1" \
	    "$(DESTDIR)$(mandir)/man7" \
	    "$(DESTDIR)$(completiondir)" "$(DESTDIR)$(unitdir)" "$(DESTDIR)$(userunitdir)"
	install -m 755 server "$(DESTDIR)$(bindir)/taxi-server"
	ln -sf taxi-server "$(DESTDIR)$(bindir)/taxi"
	install -m 755 driver "$(DESTDIR)$(libexecdir)/driver"
	for page in $(PAGES); do \
	    install -m 644 scripts/install/man/$$page "$(DESTDIR)$(mandir)/man$${page##*.}" || exit; \
	done
	install -m 644 scripts/install/completion/taxi-server "$(DESTDIR)$(completiondir)/taxi-server"
	ln -sf taxi-server "$(DESTDIR)$(completiondir)/taxi"
	install -m 644 $(UNITS:%=build/%) "$(DESTDIR)$(unitdir)"
	install -m 644 $(USER_UNITS:%=build/user/%) "$(DESTDIR)$(userunitdir)"

uninstall:
	rm -f "$(DESTDIR)$(bindir)/taxi-server" "$(DESTDIR)$(bindir)/taxi" "$(DESTDIR)$(libexecdir)/driver" \
	    $(foreach page,$(PAGES),"$(DESTDIR)$(mandir)/man$(lastword $(subst ., ,$(page)))/$(page)") \
	    "$(DESTDIR)$(completiondir)/taxi-server" "$(DESTDIR)$(completiondir)/taxi" \
	    $(UNITS:%="$(DESTDIR)$(unitdir)/%") $(USER_UNITS:%="$(DESTDIR)$(userunitdir)/%")
	rmdir "$(DESTDIR)$(libexecdir)" 2>/dev/null || true

-include $(wildcard build/*/*.d build/*/lib/*.d)

clean:
	rm -rf server driver build

help:
	@echo 'make            build ./server and ./driver'
	@echo "make run        build, then run ./server in the foreground; ARGS='--drivers 2' are its options"
	@echo 'make test       build, then run all tests (fetches bats if it is not installed);'
	@echo '                TEST_JOBS=N runs N files at a time, TEST_BUILD=build/asan tests that build'
	@echo 'make unit       build, then run the tests of single modules'
	@echo 'make examples   build two small servers to start from: build/examples/echo and .../fifo'
	@echo 'make static     build build/static/server and build/static/driver, which need no libc'
	@echo 'make asan       build build/asan/server and build/asan/driver with sanitizers'
	@echo 'make faulty     build build/faulty/server and build/faulty/driver, which fail on request'
	@echo 'make fuzz       fuzz frames, commands and whole sessions (needs clang);'
	@echo '                FUZZ_SECONDS=$(FUZZ_SECONDS) is the time for each of the three'
	@echo 'make torture    run the stress tests: failing calls, floods, random blows, jobs; with'
	@echo '                SWEEP=--full, FLOOD="MEGABYTES COMMANDS", STORM=SECONDS, JOBS=COUNT'
	@echo 'make bench      measure what the server costs, beside bare programs; make bench-smoke'
	@echo '                only tries each of them, make bench-plot draws the costs (needs gnuplot)'
	@echo 'make coverage   list the lines that the tests never reach (needs gcc)'
	@echo 'make lint       check the format and look for mistakes (needs the linters)'
	@echo 'make install    install as PREFIX/bin/taxi-server and taxi (PREFIX=$(PREFIX), DESTDIR=$(DESTDIR))'
	@echo 'make uninstall  remove what make install has installed'
	@echo 'make clean      remove everything that was built'

.PHONY: all examples run static test unit asan faulty fuzz torture bench bench-smoke bench-plot bench-programs \
        coverage lint install uninstall clean help
