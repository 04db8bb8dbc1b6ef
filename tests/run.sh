#!/bin/bash
# Runs suites one after another, all of them whatever fails, and ends with what passed and failed.
# usage: tests/run.sh BUILD SUITE…
#   CONVKEEP_FAULT=short|long   how far fault goes
#   FUZZ_SECONDS                how long each fuzz target runs
#   TEST_PROGRAMS               where those test programs are that are not in BUILD/tests
#
# Counted are a Criterion suite's tests, fuzz's targets, and what the last line of make, mutants,
# compose and browser says; any other suite counts as one.
set -u
cd "$(dirname "$0")/.."
build=$(realpath "$1")
programs=$(realpath "${TEST_PROGRAMS:-$build/tests}")
shift
mkdir -p "$build/log"

export CONVKEEP_BUILD=$build
export CONVKEEP_FAULT=${CONVKEEP_FAULT:-short}
# The caller's settings for a ring of his own must not reach the tests' rings.
for name in $(compgen -e CONVKEEP_); do
    case $name in CONVKEEP_BUILD | CONVKEEP_FAULT | CONVKEEP_TEST_*) ;; *) unset "$name" ;; esac
done
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:exitcode=99:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
# die_after_fork: a test's child has threads of its own.
export TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=99:die_after_fork=0:suppressions=$PWD/tests/tsan.supp}

passed=0 failed=0 child='' summary='' failures='' names=''
end() {
    [ -z "$child" ] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
    exit 130
}
trap end INT TERM

# timeout puts the suite in a process group of its own and ends all of it, with whatever a daemon
# left running: at the limit, or when this shell is told to end.
limited() { # SECONDS COMMAND…
    local code group
    timeout --kill-after=30 "$@" </dev/null &
    group=$!
    trap 'kill -TERM $group 2>/dev/null' TERM
    wait $group
    code=$?
    trap - TERM
    # The trap has ended the first wait, but not the suite, which may have to clean up.
    wait $group
    [ $code != 124 ] || echo "ended after its limit of $1 s: $2"
    return $code
}

# A Criterion program, JOBS tests at a time. Tests with daemons wait for three quarters of their
# time, for a backoff, a lease or the end of a process: JOBS is so high that two cores have work
# and so low that each test still has the processor when its deadlines need it.
criterion() { # LIMIT SUITE JOBS
    local program=$build/tests/$2
    [ -x "$program" ] || program=$programs/$2
    # Criterion itself leaks some bytes if it runs several tests with a limit at once, which the
    # leak sanitizer would report.
    limited "$1" "$program" --jobs $((slower > 1 ? 1 : $3))
}

# Sanitized programs are slower.
slower=1
! grep -sqa '__[at]san_init' "$build/libexec/convkeep/store" || slower=3

# One target; prints its output at once, after its end. An input that takes a second is a fault of
# the decoder; the limit here is 3 s, because other processes may use the cores.
fuzz_one() {
    local name=$1 said code
    mkdir -p "$build/fuzz/corpus/$name"
    said=$(limited $((FUZZ_SECONDS * 2 + 120)) "$build/fuzz/$name" \
        -max_total_time="$FUZZ_SECONDS" -timeout=3 -malloc_limit_mb=64 -rss_limit_mb=1024 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$build/fuzz/$name-" \
        "$build/fuzz/corpus/$name" $(ls -d "tests/fuzz/corpus/$name" 2>/dev/null) 2>&1)
    code=$?
    said=$(grep -av '# Uses: \|recommended dictionary' <<<"$said")
    printf '%s\n%s %s\n' "$said" "$([ $code = 0 ] && echo ok || echo not ok)" "$name"
    return $code
}

fuzz() {
    export FUZZ_SECONDS=${FUZZ_SECONDS:-20} build
    export -f fuzz_one limited
    limited $((FUZZ_SECONDS * 40 + 600)) xargs -P "$(nproc)" -I{} -a <(ls tests/fuzz/*.c) \
        bash -c 'fuzz_one "$(basename "{}" .c)"'
}

# The limits catch a suite that hangs: each is several times what the suite takes on two idle cores,
# because others may use them too.
suite() {
    case $1 in
    rooms) limited 300 tests/rooms.sh ;;
    make) limited 300 tests/make.sh "$build" ;;
    unit) criterion $((900 * slower)) unit 2 ;;
    golden) criterion 300 golden 2 ;;
    flow) criterion $((1500 * slower)) flow 4 ;;
    web) criterion $((900 * slower)) web 4 ;;
    fault)
        local limit=2400
        [ "$CONVKEEP_FAULT" != long ] || limit=14400
        criterion $((limit * slower)) fault 3
        ;;
    d1) criterion $((2400 * slower)) d1 4 ;;
    postgres) criterion $((1200 * slower)) postgres 4 ;;
    # One seed, which each change of the code makes another story of; `make sim` takes a new one.
    sim)
        limited $((300 * slower)) "$build/tests/sim" --conversations 200 --deliveries 5000 \
            --seed "${SIM_SEED:-7}" --twice
        ;;
    fuzz) fuzz ;;
    mutants) limited 1800 tests/mutants/run.sh "$build" ci ;;
    compose) limited 1200 tests/compose/run.sh ;;
    browser) limited 900 tests/web/browser/run.sh "$build" ;;
    *) echo "no such suite: $1" && return 2 ;;
    esac
}

# Repeats at the end, for a reader who looks only there, each test that failed and what it printed.
what_failed() { # LOG
    printf '\n%s\n' "── what failed: $1 ──"
    local said='^\[(----|FAIL)\] |^not ok|^(FAIL|ended after its limit)|Sanitizer: |runtime error: '
    sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -aE "$said" | grep -avE '^\[----\] *$' |
        cut -c1-400 | tail -40
}

# Only the names of the tests that failed, each on a line, for a reader who sees the last lines.
names_of_failures() { # SUITE LOG
    sed 's/\x1b\[[0-9;]*m//g' "$2" |
        sed -nE "s/^\\[FAIL\\] ([^:]*::[^:]*).*/failed: $1 \\1/p; s/^(not ok .*)/failed: $1 \\1/p" |
        sort -u | head -20
}

count() { # SUITE CODE LOG: adds to passed and failed
    local good=0 bad=0
    case $1 in
    unit | golden | flow | web | fault | d1 | postgres)
        read -r good bad < <(sed 's/\x1b\[[0-9;]*m//g' "$3" |
            sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) .*/\2 \1/p' |
            awk 'END { print $1 + 0, $2 - $1 }')
        # A runner that ended without its last line, or without any test, has passed nothing.
        [ "$((good + bad))" -gt 0 ] || bad=1
        ;;
    fuzz)
        good=$(grep -c '^ok ' "$3")
        bad=$(grep -c '^not ok ' "$3")
        ;;
    make | mutants | compose | browser)
        read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$3" |
            tail -1 | grep . || echo 0 1)
        ;;
    *) [ "$2" = 0 ] && good=1 ;;
    esac
    # A race does not end a test, and leaks are looked for after it has passed.
    bad=$((bad + $(grep -acE '(ERROR|WARNING): [A-Za-z]*Sanitizer: |: runtime error: ' "$3")))
    [ "$2" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
    if [ "$bad" != 0 ]; then
        failures+=$(what_failed "$3")$'\n'
        names+=$(names_of_failures "$1" "$3")$'\n'
    fi
    summary+=$(printf '%-8s %4d passed %4d failed  %4d s' "$1" "$good" "$bad" "$4")$'\n'
}

for name in "$@"; do
    printf '\n── %s ──\n' "$name"
    log=$build/log/$name.txt begin=$SECONDS
    exec {out}> >(exec tee "$log")
    teller=$!
    suite "$name" >&$out 2>&1 {out}>&- &
    child=$!
    wait "$child"
    code=$?
    child=''
    # tee ends after the last writer, when it has written the last line. A process that a failed
    # suite left running is not waited for.
    exec {out}>&-
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 "$teller" 2>/dev/null || break
        sleep 0.1
    done
    count "$name" "$code" "$log" $((SECONDS - begin))
done

printf '%s\n%s\n%s' "$failures" "$summary" "$names"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
