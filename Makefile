# convkeep. `make run` shows it at work, `make test` passes the tests; both install what they miss.
# `make` alone builds and installs nothing: it names what is missing.
#
# Nothing here lists a source: a file in a room's folder belongs to it (see docs and shared design: proto, four daemons, cli, tests).
# A room's main.c is its program; the rest of the room is also an archive, so that tests reach it without the program.

BUILD   := build
PREFIX  ?= /usr/local
DESTDIR ?=

DAEMONS := ingest store syncd renewd
ROOMS   := proto $(DAEMONS) cli

# Nothing below may run a compiler or pkg-config while the Makefile is only read: on a bare machine neither is there until `deps` ran.
# once: evaluates at first use and keeps the value.
once = $(eval $(1) := $(2))$($(1))

MSGPACK   = $(call once,MSGPACK,$(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack))
PKGS      = libzmq libczmq sqlite3 jansson libcurl libpq $(MSGPACK)
PKG_CPP   = $(call once,PKG_CPP,$(shell pkg-config --cflags $(PKGS)))
PKG_LIBS  = $(call once,PKG_LIBS,$(shell pkg-config --libs $(PKGS)))
CRIT_CPP  = $(call once,CRIT_CPP,$(shell pkg-config --cflags criterion))
CRIT_LIBS = $(call once,CRIT_LIBS,$(shell pkg-config --libs criterion))
JOBS      = $(call once,JOBS,$(shell nproc))

comma := ,

# V=1 shows the commands whole.
Q     := $(if $(V),,@)
QUIET = --no-print-directory $(if $(V),,-s)
say    = @printf '%-5s %s\n' $(1) $(2)

# A sub-make takes the caller's -j where there is one, else all cores.
PARALLEL  = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

# SAN: what asan, tsan and fuzz build with. _FORTIFY_SOURCE and the sanitizers see the same calls and get in each other's way.
SAN      :=
WERROR   := -Werror
HARDEN    = $(if $(SAN),-fno-omit-frame-pointer,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
WARN     := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wnull-dereference
# What Criterion's macros expand to is not as strict as the project: they narrow to a bit-field, cast const away, declare no prototypes.
TESTWARN := -Wno-pedantic -Wno-conversion -Wno-missing-prototypes -Wno-cast-qual

CPPFLAGS_ALL = -D_GNU_SOURCE -I. $(PKG_CPP) $(CPPFLAGS)
CFLAGS_ALL   = -std=c17 -O2 -g $(WARN) $(WERROR) $(HARDEN) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) -pthread -MMD -MP $(CFLAGS)
LDFLAGS_ALL  = $(if $(SAN),-fsanitize=$(SAN),-pie -Wl,-z,relro,-z,now) -pthread -Wl,--as-needed $(LDFLAGS)

# The objects of one folder; those of a room, whose files may also stand in sub-folders.
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))
room    = $(call objects,$(1)) $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*/*.c))
rest    = $(filter-out $(BUILD)/obj/$(1)/main.o,$(call room,$(1)))

ARCHIVES := $(foreach r,$(ROOMS),$(if $(call rest,$(r)),$(BUILD)/lib$(r).a))
PROGRAMS := $(foreach d,$(DAEMONS),$(if $(wildcard $(d)/main.c),$(BUILD)/libexec/convkeep/$(d))) \
            $(if $(wildcard cli/main.c),$(BUILD)/bin/convkeep)
CRITERIA := $(foreach s,unit golden flow fault d1 postgres,$(if $(wildcard tests/$(s)/*.c),$(s)))
TESTS    := $(CRITERIA:%=$(BUILD)/tests/%)
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
# In bench/, a file with a header beside it is shared by the measurements, which are all others.
BENCHES  := $(foreach c,$(wildcard bench/*.c),$(if $(wildcard $(c:.c=.h)),,$(BUILD)/$(c:.c=)))
SHARED   := $(patsubst %.h,$(BUILD)/obj/%.o,$(wildcard bench/*.h))
HARNESS  := $(call objects,tests/harness)
MIRROR   := $(call objects,tests/mirror)
PRELOAD  := $(patsubst tests/fault/preload/%.c,$(BUILD)/tests/%.so,$(wildcard tests/fault/preload/*.c))
PEER     := $(if $(wildcard tests/d1/peer/package-lock.json),build/d1-peer/installed.lock) $(patsubst tests/d1/peer/%.c,$(BUILD)/tests/%,$(wildcard tests/d1/peer/*.c))
SUITES   := rooms make $(CRITERIA) $(if $(FUZZERS),fuzz) $(if $(wildcard tests/compose/run.sh),compose)

.PHONY: all run test suites bench asan tsan fuzz fuzzers fault torture bare rooms fmt fmt-check install uninstall clean deps
.PHONY: needs test-needs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(ARCHIVES)

# ── building ──────────────────────────────────────────────────────────────────────────────────────────────────────────

# Everything that calls the compiler waits for these: nothing is compiled where something is missing.
needs:
	@tools/deps.sh missing '$(CC)' $(PKGS)
test-needs:
	@tools/deps.sh missing '$(CC)' $(PKGS) criterion

$(BUILD)/obj/tests/%.o: tests/%.c Makefile | test-needs
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CRIT_CPP) $(CFLAGS_ALL) $(TESTWARN) -c $< -o $@

$(BUILD)/obj/tests/fuzz/%.o: tests/fuzz/%.c Makefile | needs
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -Wno-missing-prototypes -c $< -o $@

$(BUILD)/obj/%.o: %.c Makefile | needs
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

# An archive keeps members of sources that are gone, so it is made anew; its list of members is what tells that one went.
define archive
$(BUILD)/lib$(1).a: $(call rest,$(1)) $(BUILD)/obj/$(1).members
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
$(BUILD)/obj/$(1).members: FORCE
	@mkdir -p $$(@D)
	@echo '$(call rest,$(1))' | cmp -s - $$@ || echo '$(call rest,$(1))' >$$@
endef
$(foreach r,$(ROOMS),$(eval $(call archive,$(r))))
.PHONY: FORCE

# Rooms call proto and, in tests, each other: no order of archives would do.
GROUP = -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

define program
$(BUILD)/$(2): $(call objects,$(1)) $(filter $(BUILD)/lib$(1).a $(BUILD)/libproto.a,$(ARCHIVES))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $(BUILD)/obj/$(1)/main.o $$(GROUP) $$(PKG_LIBS) -o $$@
endef
$(foreach d,$(DAEMONS),$(eval $(call program,$(d),libexec/convkeep/$(d))))
$(eval $(call program,cli,bin/convkeep))

# Every suite may reach every room; the linker takes what is used. A room's archive never holds a main, so Criterion's is the one.
# The fault suite stands between the spool and the file system: tests/fault/power_spool.c.
WRAP_fault := $(patsubst %,-Wl$(comma)--wrap=%,openat pwrite write fsync fdatasync ftruncate renameat unlinkat)

define suite
$(BUILD)/tests/$(1): $(call objects,tests/$(1)) $(if $(filter flow fault d1 postgres,$(1)),$(HARNESS)) $(if $(filter d1 postgres,$(1)),$(MIRROR)) $(ARCHIVES)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $(WRAP_$(1)) $$(filter %.o,$$^) $$(GROUP) $$(PKG_LIBS) $$(CRIT_LIBS) -o $$@
endef
$(foreach s,$(CRITERIA),$(eval $(call suite,$(s))))

$(BUILD)/tests/d1 $(BUILD)/tests/postgres: | $(BUILD)/tests/faultproxy

# What the fault suite has the daemons load before everything else.
$(BUILD)/tests/fault: | $(PRELOAD)
$(PRELOAD): $(BUILD)/tests/%.so: tests/fault/preload/%.c Makefile | test-needs
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=c17 -O2 -g $(WARN) $(WERROR) -fPIC -shared $< -o $@

$(BENCHES): $(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(SHARED) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(GROUP) $(PKG_LIBS) -lm -o $@

# Called by a make of its own, with BUILD=…/fuzz and clang; see fuzzers.
$(FUZZERS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/tests/fuzz/%.o $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer $< $(GROUP) $(PKG_LIBS) -o $@

# What stands in for Cloudflare, and between it and syncd. One D1 is enough for every build.
build/d1-peer/installed.lock: tests/d1/peer/package-lock.json
	tests/d1/peer/d1-peer install
	@touch $@

$(BUILD)/tests/%: $(BUILD)/obj/tests/d1/peer/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ -o $@

# ── for people ────────────────────────────────────────────────────────────────────────────────────────────────────────

deps:
	@tools/deps.sh run

# deps comes first and alone: what it installs is what the rest is built with.
run:
	$(if $(INPUT),@{ [ -f '$(INPUT)' ] && [ -r '$(INPUT)' ]; } || { echo 'make run: INPUT=$(INPUT): there is no file that can be read' >&2; exit 2; })
	@tools/deps.sh run
	@$(MAKE) $(QUIET) $(PARALLEL) all
	@exec tools/run.sh $(BUILD) $(if $(DATA),--data '$(DATA)') $(if $(INPUT),'$(INPUT)')

# The measurements are compiled too: nobody runs them as often as what they measure changes.
test:
	@tools/deps.sh run test $(filter fuzz compose,$(SUITES))
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER) $(BENCHES) $(if $(FUZZERS),fuzzers)
	@CONVKEEP_FAULT=short tests/run.sh $(BUILD) $(SUITES)

# One suite, or some: make suites SUITES='unit flow'
suites:
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER) $(if $(filter fuzz,$(SUITES)),fuzzers)
	@tests/run.sh $(BUILD) $(SUITES)

# Everything that the fault suite knows, not the short selection that `test` takes.
fault:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER)
	@CONVKEEP_FAULT=long tests/run.sh $(BUILD) fault

# The long campaigns; how long each is stands in tests/torture/run.sh, and what came of them goes to docs/torture.md.
torture:
	@tools/deps.sh run test fuzz
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER) $(if $(FUZZERS),fuzzers)
	@tests/torture/run.sh $(BUILD)

SANITIZED = $(filter unit golden flow fault d1,$(CRITERIA))

asan:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) suites BUILD=build-asan SAN=address,undefined SUITES='$(SANITIZED)'

# Only what is tested is sanitized: Criterion maps memory where this sanitizer keeps its own, so its programs run as they are, against
# daemons that are watched. setarch -R: gcc 12's runtime does not know the wider address space randomisation of newer kernels.
tsan:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER)
	@$(MAKE) $(QUIET) $(PARALLEL) BUILD=build-tsan SAN=thread all
	@TEST_PROGRAMS=$(BUILD)/tests setarch -R tests/run.sh build-tsan $(filter flow,$(CRITERIA))

fuzzers:
	@tools/deps.sh fuzz
	@$(MAKE) $(QUIET) $(PARALLEL) BUILD=$(BUILD)/fuzz CC=clang SAN=fuzzer-no-link,address,undefined WERROR= $(FUZZERS:%=$(BUILD)/fuzz/%)

FUZZ_SECONDS ?= 300
fuzz:
	@tools/deps.sh run
	@$(MAKE) $(QUIET) fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run.sh $(BUILD) fuzz

# What BENCH_ONLY and the others are: bench/run.sh.
bench:
	@tools/deps.sh run bench
	@$(MAKE) $(QUIET) $(PARALLEL) all $(BENCHES)
	@bench/run.sh $(BUILD)

bare:
	@tools/deps.sh bare
	@tests/bare/run.sh .

rooms:
	@tests/rooms.sh

SOURCES = $(wildcard $(foreach d,$(ROOMS) bench tests,$(d)/*.[ch] $(d)/*/*.[ch]))
fmt:
	@tools/deps.sh fmt
	clang-format -i $(SOURCES)
fmt-check:
	@tools/deps.sh fmt
	@clang-format --dry-run --Werror $(SOURCES)

# What install puts there, and uninstall takes away: programs, no data.
ROOT      = $(DESTDIR)$(PREFIX)
INSTALLED = bin/convkeep $(DAEMONS:%=libexec/convkeep/%)

install: all
	install -d '$(ROOT)/bin' '$(ROOT)/libexec/convkeep'
	$(foreach f,$(INSTALLED),install -m 755 '$(BUILD)/$(f)' '$(ROOT)/$(f)' &&) :

uninstall:
	rm -f $(INSTALLED:%='$(ROOT)/%')
	[ ! -d '$(ROOT)/libexec/convkeep' ] || rmdir --ignore-fail-on-non-empty '$(ROOT)/libexec/convkeep'

# build/data is where `make run` keeps what it was given, which no compiler can make again.
clean:
	rm -rf build-asan build-tsan
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name data -exec rm -rf {} +

-include $(shell find $(BUILD) -name '*.d' -path '$(BUILD)/obj/*' 2>/dev/null)
