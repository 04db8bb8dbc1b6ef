# convkeep. `make run` shows it at work, `make test` runs the tests; both install the packages
# that they miss. `make` alone builds and installs nothing: it names what is missing.
#
# No source is listed here: every .c file in a room's folder belongs to the room (proto, the five
# daemons, cli; docs/architecture.md). A room's main.c is its program. The rest of the room is also
# an archive, so that tests can call it without the program.

BUILD   := build
PREFIX  ?= /usr/local
DESTDIR ?=

DAEMONS := ingest store syncd renewd webd
ROOMS   := proto $(DAEMONS) cli

# Nothing below may run a compiler or pkg-config while make only reads this file: on a bare machine
# neither exists before `deps` has run. once: evaluates at first use and keeps the value.
once = $(eval $(1) := $(2))$($(1))

MSGPACK   = $(call once,MSGPACK,$(shell pkg-config --exists msgpack-c 2>/dev/null && \
                                        echo msgpack-c || echo msgpack))
PKGS      = libzmq libczmq sqlite3 jansson libcurl libpq libarchive zlib liblzma libzstd nettle \
            md4c libpcre2-8 libmicrohttpd $(MSGPACK)
PKG_CPP   = $(call once,PKG_CPP,$(shell pkg-config --cflags $(PKGS)))
PKG_LIBS  = $(call once,PKG_LIBS,$(shell pkg-config --libs $(PKGS)))
CRIT_CPP  = $(call once,CRIT_CPP,$(shell pkg-config --cflags criterion))
CRIT_LIBS = $(call once,CRIT_LIBS,$(shell pkg-config --libs criterion))
JOBS      = $(call once,JOBS,$(shell nproc))

comma := ,

# V=1 shows the full commands.
Q     := $(if $(V),,@)
QUIET = --no-print-directory $(if $(V),,-s)
say    = @printf '%-5s %s\n' $(1) $(2)

# A sub-make uses the caller's -j if there is one, else all cores.
PARALLEL  = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

# SAN: the sanitizers that asan, tsan and fuzz build with. They and _FORTIFY_SOURCE replace the same
# calls, so only one of the two is used.
SAN      :=
WERROR   := -Werror
HARDEN    = $(if $(SAN),-fno-omit-frame-pointer,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
                                                -fstack-protector-strong -fPIE)
WARN     := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Wundef \
            -Wmissing-prototypes -Wformat=2 -Wpointer-arith -Wcast-qual -Wwrite-strings \
            -Wnull-dereference
# Criterion's macros narrow to a bit-field, cast const away and declare no prototypes.
TESTWARN := -Wno-pedantic -Wno-conversion -Wno-missing-prototypes -Wno-cast-qual

CPPFLAGS_ALL = -D_GNU_SOURCE -I. $(PKG_CPP) $(CPPFLAGS)
CFLAGS_ALL   = -std=c17 -O2 -g $(WARN) $(WERROR) $(HARDEN) \
               $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) -pthread -MMD -MP $(CFLAGS)
LDFLAGS_ALL  = $(if $(SAN),-fsanitize=$(SAN),-pie -Wl,-z,relro,-z,now) -pthread -Wl,--as-needed \
               $(LDFLAGS)

# objects: of one folder. room: of a room and its sub-folders.
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))
room    = $(call objects,$(1)) $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*/*.c))
rest    = $(filter-out $(BUILD)/obj/$(1)/main.o,$(call room,$(1))) \
          $(if $(filter webd,$(1)),$(BUILD)/obj/webd/page/static_files.o)

ARCHIVES := $(foreach r,$(ROOMS),$(if $(call rest,$(r)),$(BUILD)/lib$(r).a))
PROGRAMS := $(foreach d,$(DAEMONS),$(if $(wildcard $(d)/main.c),$(BUILD)/libexec/convkeep/$(d))) \
            $(if $(wildcard cli/main.c),$(BUILD)/bin/convkeep)
CRITERIA := $(foreach s,unit golden flow web fault d1 postgres,$(if $(wildcard tests/$(s)/*.c),$(s)))
TESTS    := $(CRITERIA:%=$(BUILD)/tests/%) $(BUILD)/tests/sim
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
# In bench/, a .c file with a header is shared by the measurements; every other .c is a measurement.
BENCHES  := $(foreach c,$(wildcard bench/*.c),$(if $(wildcard $(c:.c=.h)),,$(BUILD)/$(c:.c=)))
SHARED   := $(patsubst %.h,$(BUILD)/obj/%.o,$(wildcard bench/*.h))
HARNESS  := $(call objects,tests/harness)
MIRROR   := $(call objects,tests/mirror)
OPENAPI  := $(call objects,tests/openapi)
PRELOAD  := $(patsubst tests/fault/preload/%.c,$(BUILD)/tests/%.so, \
                       $(wildcard tests/fault/preload/*.c))
PEER     := $(if $(wildcard tests/d1/peer/package-lock.json),build/d1-peer/installed.lock) \
            $(patsubst tests/d1/peer/%.c,$(BUILD)/tests/%,$(wildcard tests/d1/peer/*.c))
PROMTOOL := build/promtool
SUITES   := rooms make $(CRITERIA) browser sim mutants $(if $(FUZZERS),fuzz) \
            $(if $(wildcard tests/compose/run.sh),compose)

.PHONY: all run test suites mutants bench asan tsan fuzz fuzzers fault sim sim-mutants torture \
        mishandle capture flips deliveries bare rooms fmt fmt-check install uninstall rooted clean deps needs test-needs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(ARCHIVES)

# ── building ──────────────────────────────────────────────────────────────────────────────────────

# The page's files, as an array each.
STATIC := $(sort $(wildcard webd/page/static/*))
$(BUILD)/obj/webd/page/static_files.c: tools/embed.sh $(STATIC)
	@mkdir -p $(@D)
	@tools/embed.sh $(STATIC) >$@
$(BUILD)/obj/webd/page/static_files.o: $(BUILD)/obj/webd/page/static_files.c Makefile | needs
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

# Everything that calls the compiler depends on these: nothing is compiled if something is missing.
needs:
	@tools/deps.sh missing '$(CC)' $(PKGS)
test-needs:
	@tools/deps.sh missing '$(CC)' $(PKGS) criterion yaml-0.1

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

# ar would keep members whose source is gone, so the archive is always made from scratch. The file
# of its members' names changes when a source comes or goes.
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

# Rooms call proto and, in tests, each other: no order of the archives would suffice.
GROUP = -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

define program
$(BUILD)/$(2): $(call objects,$(1)) $(filter $(BUILD)/lib$(1).a $(BUILD)/libproto.a,$(ARCHIVES))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $(BUILD)/obj/$(1)/main.o $$(GROUP) $$(PKG_LIBS) -o $$@
endef
$(foreach d,$(DAEMONS),$(eval $(call program,$(d),libexec/convkeep/$(d))))
$(eval $(call program,cli,bin/convkeep))

# Every suite may call every room; the linker takes what is used. No archive contains a main, so the
# program gets Criterion's. The fault suite intercepts the spool's calls to the file system:
# tests/fault/power_disk.c.
WRAP_fault := $(patsubst %,-Wl$(comma)--wrap=%,openat pwrite write fsync fdatasync ftruncate \
                                               renameat unlinkat)

define suite
$(BUILD)/tests/$(1): $(call objects,tests/$(1)) $(ARCHIVES) \
    $(if $(filter flow web fault d1 postgres,$(1)),$(HARNESS)) \
    $(if $(filter d1 postgres,$(1)),$(MIRROR)) \
    $(if $(filter unit,$(1)),$(BUILD)/obj/tests/harness/archive.o) \
    $(if $(filter unit web,$(1)),$(OPENAPI))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $(WRAP_$(1)) $$(filter %.o,$$^) $$(GROUP) $$(PKG_LIBS) \
	    $$(CRIT_LIBS) $(if $(filter unit web,$(1)),-lyaml) -o $$@
endef
$(foreach s,$(CRITERIA),$(eval $(call suite,$(s))))

$(BUILD)/tests/d1 $(BUILD)/tests/postgres: | $(BUILD)/tests/faultproxy

# The simulation of renewals.
$(BUILD)/tests/sim: $(call objects,tests/sim) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(GROUP) $(PKG_LIBS) -o $@

# The libraries that the fault suite preloads into the daemons.
$(BUILD)/tests/fault: | $(PRELOAD)
$(PRELOAD): $(BUILD)/tests/%.so: tests/fault/preload/%.c Makefile | test-needs
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=c17 -O2 -g $(WARN) $(WERROR) -fPIC -shared $< -o $@

$(BENCHES): $(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(SHARED) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(GROUP) $(PKG_LIBS) -lm -o $@

# Built by a sub-make with BUILD=…/fuzz and clang: see `fuzzers`.
$(FUZZERS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/tests/fuzz/%.o $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer $< $(GROUP) $(PKG_LIBS) -o $@

# The stand-in for Cloudflare, and the proxy between it and syncd. All builds share one D1.
build/d1-peer/installed.lock: tests/d1/peer/package-lock.json
	tests/d1/peer/d1-peer install
	@touch $@

$(BUILD)/tests/%: $(BUILD)/obj/tests/d1/peer/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $^ -o $@

# Prometheus' own tool, for the test of /metrics; all builds share it. It stays until `make clean`.
$(PROMTOOL):
	@tools/promtool.sh $@

# ── for people ────────────────────────────────────────────────────────────────────────────────────

deps:
	@tools/deps.sh run

# deps runs first and alone: it installs what the rest is built with.
run:
	$(if $(INPUT),@{ [ -f '$(INPUT)' ] && [ -r '$(INPUT)' ]; } || \
	    { echo 'make run: INPUT=$(INPUT): there is no file that can be read' >&2; exit 2; })
	@tools/deps.sh run
	@$(MAKE) $(QUIET) $(PARALLEL) all
	@exec tools/run.sh $(BUILD) $(if $(DATA),--data '$(DATA)') $(if $(INPUT),'$(INPUT)')

# Compiles the measurements too: they are run less often than the code that they call changes.
test:
	@tools/deps.sh run test $(filter browser fuzz compose,$(SUITES))
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER) $(PROMTOOL) $(BENCHES) \
	    $(if $(FUZZERS),fuzzers)
	@CONVKEEP_FAULT=short tests/run.sh $(BUILD) $(SUITES)

# Some suites: make suites SUITES='unit flow'
suites:
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER) $(if $(filter web,$(SUITES)),$(PROMTOOL)) \
	    $(if $(filter fuzz,$(SUITES)),fuzzers)
	@tests/run.sh $(BUILD) $(SUITES)

# Plants faults one after another, and names those that no test notices.
mutants:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS)
	@tests/mutants/run.sh $(BUILD)

# The whole fault suite; `test` runs a short selection of it.
fault:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER)
	@CONVKEEP_FAULT=long tests/run.sh $(BUILD) fault

# A long simulation of renewals; `test` runs a short one. SIM_SEED repeats a run.
sim:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) $(BUILD)/tests/sim
	@$(BUILD)/tests/sim --conversations 10000 --deliveries 1000000 $(if $(SIM_SEED),--seed $(SIM_SEED))

# Plants faults in renewd, and names those that the simulation does not notice.
sim-mutants:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) $(BUILD)/tests/sim
	@CC='$(CC)' CFLAGS='$(CPPFLAGS_ALL) $(CFLAGS_ALL)' LDFLAGS='$(LDFLAGS_ALL)' LIBS='$(PKG_LIBS)' \
	    tests/sim/mutants.sh $(BUILD)

# The long campaigns. tests/torture/run.sh has their sizes; the results go to docs/torture.md.
torture:
	@tools/deps.sh run test fuzz
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER) $(if $(FUZZERS),fuzzers)
	@tests/torture/run.sh $(BUILD)

# Some of them alone: a data folder that is mishandled at random (TORTURE_HANDS rounds); sessions
# that are followed while daemons are killed (TORTURE_CAPTURE minutes); bits that are turned in files
# (TORTURE_FLIPS); follow-ups under kills (TORTURE_DELIVERIES).
ALONE = mishandle:hands capture:capture flips:flips deliveries:deliveries
$(foreach a,$(ALONE),$(firstword $(subst :, ,$(a)))):
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER)
	@TORTURE_TARGET=$@ tests/torture/run.sh $(BUILD) $(patsubst $@:%,%,$(filter $@:%,$(ALONE)))

SANITIZED = $(filter unit golden flow web fault d1,$(CRITERIA))

asan:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) suites BUILD=build-asan SAN=address,undefined SUITES='$(SANITIZED)'

# Of the stories only the daemons are sanitized. setarch -R: gcc 12's runtime fails with the wider
# address space randomisation of newer kernels, and unit needs a place (tests/unit/sandbox.c).
tsan:
	@tools/deps.sh run test
	@$(MAKE) $(QUIET) $(PARALLEL) all $(TESTS) $(PEER)
	@$(MAKE) $(QUIET) $(PARALLEL) BUILD=build-tsan SAN=thread all build-tsan/tests/unit
	@TEST_PROGRAMS=$(BUILD)/tests setarch -R tests/run.sh build-tsan $(filter flow unit,$(CRITERIA))

fuzzers:
	@tools/deps.sh fuzz
	@$(MAKE) $(QUIET) $(PARALLEL) BUILD=$(BUILD)/fuzz CC=clang \
	    SAN=fuzzer-no-link,address,undefined WERROR= $(FUZZERS:%=$(BUILD)/fuzz/%)

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

# What install installs and uninstall removes: programs, no data.
ROOT      = $(DESTDIR)$(PREFIX)
INSTALLED = bin/convkeep $(DAEMONS:%=libexec/convkeep/%)
# Made by the program itself, from its tables.
MANUALS   = share/man/man1/convkeep.1 share/man/man5/convkeep.conf.5
SHELLS    = share/bash-completion/completions/convkeep share/zsh/site-functions/_convkeep \
            share/fish/vendor_completions.d/convkeep.fish

$(MANUALS:%=$(BUILD)/%): $(BUILD)/bin/convkeep
	@mkdir -p $(@D)
	$(Q)env -i $< manual $(@F) >$@
$(SHELLS:%=$(BUILD)/%): $(BUILD)/bin/convkeep
	@mkdir -p $(@D)
	$(Q)env -i $< completion $(firstword $(subst -, ,$(word 2,$(subst /, ,$(@:$(BUILD)/%=%))))) >$@

# With both empty, install would write to /bin and /libexec.
rooted:
	@[ -n '$(ROOT)' ] || { echo "make: PREFIX is empty: name the folder to install in, as in" \
	    "make install PREFIX=/usr/local" >&2; exit 1; }

install: rooted all $(MANUALS:%=$(BUILD)/%) $(SHELLS:%=$(BUILD)/%)
	install -d $(patsubst %/,'$(ROOT)/%',$(sort $(dir $(INSTALLED) $(MANUALS) $(SHELLS))))
	$(foreach f,$(INSTALLED),install -m 755 '$(BUILD)/$(f)' '$(ROOT)/$(f)' &&) :
	$(foreach f,$(MANUALS) $(SHELLS),install -m 644 '$(BUILD)/$(f)' '$(ROOT)/$(f)' &&) :

# bin, libexec, share and share/man stay: they are the system's.
uninstall: rooted
	rm -f $(INSTALLED:%='$(ROOT)/%') $(MANUALS:%='$(ROOT)/%') $(SHELLS:%='$(ROOT)/%')
	for folder in libexec/convkeep $(patsubst %/,%,$(dir $(MANUALS) $(SHELLS))) \
	        $(patsubst %/completions/,%,$(filter %/completions/,$(dir $(SHELLS)))) \
	        share/zsh share/fish; do \
	    [ ! -d '$(ROOT)'/$$folder ] || \
	        rmdir --ignore-fail-on-non-empty '$(ROOT)'/$$folder || exit 1; \
	done

# build/data stays: `make run` keeps its data there, which no compiler can make again.
clean:
	rm -rf build-asan build-tsan
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name data -exec rm -rf {} +

-include $(shell find $(BUILD) -name '*.d' -path '$(BUILD)/obj/*' 2>/dev/null)
