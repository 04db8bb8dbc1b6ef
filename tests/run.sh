#!/bin/bash
# Runs suites one after another, all of them whatever fails, and closes with what passed and failed.
# usage: tests/run.sh BUILD SUITE…      CONVKEEP_FAULT=short|long, FUZZ_SECONDS: how far fault and fuzz go
#                                       TEST_PROGRAMS: where the tests themselves are, if not in BUILD/tests
#
# A Criterion suite counts its tests, fuzz its targets, make and compose what their own closing lines say; anything else counts as one.
set -u
cd "$(dirname "$0")/.."
build=$(realpath "$1")
programs=$(realpath "${TEST_PROGRAMS:-$build/tests}")
shift
mkdir -p "$build/log"

export CONVKEEP_BUILD=$build
export CONVKEEP_FAULT=${CONVKEEP_FAULT:-short}
# What the person who calls has set for a ring of theirs is not to reach the rings of the tests.
for name in $(compgen -e CONVKEEP_); do
    case $name in CONVKEEP_BUILD | CONVKEEP_FAULT | CONVKEEP_TEST_*) ;; *) unset "$name" ;; esac
done
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:exitcode=99:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=99:suppressions=$PWD/tests/tsan.supp}

passed=0 failed=0 child='' summary='' failures=''
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null; exit 130' INT TERM

# timeout puts the suite in a process group of its own and ends all of it; whatever a daemon left behind goes too.
limited() {
    timeout --kill-after=30 "$@" </dev/null
    local code=$?
    [ $code != 124 ] || echo "ended after its limit of $1 s: $2"
    return $code
}

# Real daemons and their deadlines want the two cores for themselves: one test at a time.
criterion() { limited "$1" "$programs/$2" --jobs "$3"; }

# A sanitizer takes its time.
slower=1
! grep -qa '__[at]san_init' "$build/libexec/convkeep/store" || slower=3

# One target; its output comes at once, when it has ended. A second for one input is too long for a decoder; here it may be another process's second.
fuzz_one() {
    local name=$1 said code
    mkdir -p "$build/fuzz/corpus/$name"
    said=$(limited $((FUZZ_SECONDS * 2 + 120)) "$build/fuzz/$name" -max_total_time="$FUZZ_SECONDS" -timeout=3 -malloc_limit_mb=64 -rss_limit_mb=1024 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$build/fuzz/$name-" "$build/fuzz/corpus/$name" $(ls -d "tests/fuzz/corpus/$name" 2>/dev/null) 2>&1)
    code=$?
    printf '%s\n%s %s\n' "$(grep -av '# Uses: \|recommended dictionary' <<<"$said")" "$([ $code = 0 ] && echo ok || echo not ok)" "$name"
    return $code
}

fuzz() {
    export FUZZ_SECONDS=${FUZZ_SECONDS:-20} build
    export -f fuzz_one limited
    # shellcheck disable=SC2012
    ls tests/fuzz/*.c | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one "$(basename "{}" .c)"'
}

# The limits are for what hangs: each is several times what the suite takes on two idle cores, because others may want those too.
suite() {
    case $1 in
    rooms) limited 300 tests/rooms.sh ;;
    make) limited 300 tests/make.sh "$build" ;;
    # Criterion itself loses some bytes where it runs several tests with a limit at once, which the leak sanitizer would report of it.
    unit) criterion $((900 * slower)) unit $((slower > 1 ? 1 : 2)) ;;
    golden) criterion 300 golden 2 ;;
    flow) criterion $((1500 * slower)) flow 1 ;;
    fault) criterion $(($([ "$CONVKEEP_FAULT" = long ] && echo 14400 || echo 2400) * slower)) fault 1 ;;
    d1) criterion $((2400 * slower)) d1 1 ;;
    postgres) criterion $((1200 * slower)) postgres 1 ;;
    fuzz) fuzz ;;
    compose) limited 1200 tests/compose/run.sh ;;
    *) echo "no such suite: $1" && return 2 ;;
    esac
}

# Once more at the end, where whoever sees only that looks: each test that failed, below what it said of it.
what_failed() { # LOG
    printf '\n%s\n' "── what failed: $1 ──"
    sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -aE '^\[(----|FAIL)\] |^not ok|^(FAIL|ended after its limit)|Sanitizer: |runtime error: ' | grep -avE '^\[----\] *$' | cut -c1-400 | tail -40
}

count() { # SUITE CODE LOG: adds to passed and failed
    local good=0 bad=0
    case $1 in
    unit | golden | flow | fault | d1 | postgres)
        read -r good bad < <(sed 's/\x1b\[[0-9;]*m//g' "$3" |
            sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) .*/\2 \1/p' | awk 'END { print $1 + 0, $2 - $1 }')
        # A runner that ended without a closing line, or with no test in it, has passed nothing.
        [ "$((good + bad))" -gt 0 ] || bad=1
        ;;
    fuzz)
        good=$(grep -c '^ok ' "$3")
        bad=$(grep -c '^not ok ' "$3")
        ;;
    make | compose) read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$3" | tail -1 | grep . || echo 0 1) ;;
    *) [ "$2" = 0 ] && good=1 ;;
    esac
    # A test has passed before its process is looked through for what it lost.
    bad=$((bad + $(grep -ac 'ERROR: [A-Za-z]*Sanitizer: \|: runtime error: ' "$3")))
    [ "$2" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
    [ "$bad" = 0 ] || failures+=$(what_failed "$3")$'\n'
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
    # tee ends with the last writer, and has then written the closing line; what a failed suite has left behind is not waited for.
    exec {out}>&-
    for ((tries = 0; tries < 50; tries++)); do
        kill -0 "$teller" 2>/dev/null || break
        sleep 0.1
    done
    count "$name" "$code" "$log" $((SECONDS - begin))
done

printf '%s\n%s\n' "$failures" "$summary"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
