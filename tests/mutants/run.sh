#!/bin/bash
# Plants one fault after another in a copy of the tree, and says which of them the tests catch.
# usage: tests/mutants/run.sh BUILD [ci | NAME…]
#
# BUILD     must be built completely: it is copied, so that a fault costs one compilation.
# ci        plants only the faults that cost seconds, for `make test`; NAME…: these; neither: all.
#
# tests/mutants/list has the faults; its head explains an entry. A fault that cannot be planted or
# does not compile, or whose tests fail without it, is an error of the list and counts as failed. If
# all are planted, two may be missed; otherwise none.
#
# Tests are run without the fault first, and may take long: the machine may be busy. With it they
# get several times as long as they took then, so that one that hangs is told from one that is slow.
set -u
cd "$(dirname "$0")/../.."
source=$PWD
build=$(realpath "$1")
shift
tree=$build/mutants/tree log=$build/mutants/log
TEST_SECONDS=180   # at least, with a fault
SOUND_SECONDS=1200 # without
MISSED_MAX=0
[ $# -gt 0 ] || MISSED_MAX=2

# ---- the list ----

names=() files=() olds=() news=() suites=() tests=() whats=() cheap=()

# A field that is given twice is one text of two lines.
read_list() {
    local key rest n=-1
    while read -r key rest; do
        case $key in
        '' | '#'*) ;;
        mutant)
            n=$((n + 1)) names[n]=$rest files[n]='' olds[n]='' news[n]=''
            suites[n]='' tests[n]='' whats[n]='' cheap[n]=''
            ;;
        what) whats[n]=$rest ;;
        file) files[n]=$rest ;;
        old) olds[n]+=${olds[n]:+ }$rest ;;
        new) news[n]+=${news[n]:+ }$rest ;;
        suite) suites[n]=$rest ;;
        tests) tests[n]=$rest ;;
        ci) cheap[n]=yes ;;
        *) echo "tests/mutants/list: no such field: $key" >&2 && exit 2 ;;
        esac
    done <tests/mutants/list
}

is_wanted() { # NUMBER WANTED…
    local n=$1 word
    shift
    [ $# -gt 0 ] || return 0
    for word in "$@"; do
        [ "$word" = "${names[n]}" ] || { [ "$word" = ci ] && [ "${cheap[n]}" ]; } && return 0
    done
    return 1
}

# ---- the copy ----

# Keeps the files' times, so that make finds everything up to date.
copy_tree() {
    rm -rf "$build/mutants"
    mkdir -p "$tree/build" "$log"
    tar -C "$source" --exclude=./build --exclude='./build-*' --exclude=./.git -cf - . |
        tar -C "$tree" -xf - || exit 1
    local of=() part
    for part in obj bin libexec tests; do of+=("$part"); done
    for part in "$build"/lib*.a; do of+=("$(basename "$part")"); done
    tar -C "$build" --exclude=obj/bench -cf - "${of[@]}" | tar -C "$tree/build" -xf - || exit 1
}

# Without the flags of the calling make.
make_suite() { # SUITE
    local all=all
    [ "$1" != unit ] || all=''
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
        make -s -C "$tree" -j"$(nproc)" ${CC:+CC="$CC"} $all "build/tests/$1"
}

# ---- one of them ----

child=''
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ckm.XXXXXX")
trap 'rm -rf "$scratch" "$scratch.c"' EXIT
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null; exit 130' INT TERM

# 0: all pass. 1: one fails, or hangs. 2: none was run. `came` is what came of it.
run_tests() { # SUITE TESTS LOG SECONDS
    local jobs=1 code tested passing
    [ "$1" != unit ] || jobs=2
    (cd "$tree" && CONVKEEP_BUILD=$tree/build TMPDIR=$scratch exec \
        timeout --kill-after=10 "$4" \
        "build/tests/$1" --jobs $jobs --filter "$2" </dev/null) >"$3.run" 2>&1 &
    child=$!
    wait "$child"
    code=$?
    child=''
    rm -rf "${scratch:?}"/*
    read -r tested passing < <(sed 's/\x1b\[[0-9;]*m//g' "$3.run" |
        sed -n 's/.*Synthesis: Tested: \([0-9]*\) | Passing: \([0-9]*\) .*/\1 \2/p' | tail -1)
    cat "$3.run" >>"$3" && rm "$3.run"
    came="they are not done after $4 s"
    [ $code != 124 ] && [ $code != 137 ] || return 1
    came="build/tests/$1 ended with $code; ${passing:-0} of ${tested:-0} passed"
    [ $code -lt 128 ] || return 1
    [ "${tested:-0}" -gt 0 ] || return 2
    [ $code = 0 ] && [ "$passing" = "$tested" ]
}

caught=0 missed=0 errors=0
say() { printf '%-10s %-44s %4d s  %s\n' "$1" "$2" "$3" "$4"; }
fail() { # NAME SECONDS WHY
    errors=$((errors + 1))
    say FAIL "$1" "$2" "$3"
}

# Tests that fail without a fault would catch anything. `took` is how many seconds they took, `why`
# what is wrong with them.
declare -A sound=() sound_took=() sound_why=()
sounds=0
check_sound() { # SUITE TESTS
    local id="$1 $2" said begin=$SECONDS
    if [ -z "${sound[$id]:-}" ]; then
        said=$log/sound-$((++sounds))
        why="it does not build: $said"
        make_suite "$1" >"$said" 2>&1 && {
            begin=$SECONDS
            run_tests "$1" "$2" "$said" $SOUND_SECONDS
        }
        sound[$id]=$?
        [ -z "${came:-}" ] || why="without it its tests do not pass: $came: $said"
        sound_took[$id]=$((SECONDS - begin)) sound_why[$id]=$why came=''
        [ "${sound[$id]}" = 0 ] || tail -20 "$said" | sed 's/^/    /'
    fi
    took=${sound_took[$id]} why=${sound_why[$id]}
    return "${sound[$id]}"
}

# Plants the fault, builds, tests, and removes it again.
try_planted() { # NUMBER SECONDS: says what came of it
    local n=$1 begin=$SECONDS said=$log/${names[$1]} code
    make_suite "${suites[n]}" >"$said" 2>&1 || {
        fail "${names[n]}" $((SECONDS - begin)) "it does not build: $said"
        return
    }
    run_tests "${suites[n]}" "${tests[n]}" "$said" "$2"
    code=$?
    case $code in
    0)
        missed=$((missed + 1))
        say FAIL "${names[n]}" $((SECONDS - begin)) "not caught: ${whats[n]} (${files[n]})"
        ;;
    1) caught=$((caught + 1)) && say caught "${names[n]}" $((SECONDS - begin)) "${whats[n]}" ;;
    *) fail "${names[n]}" $((SECONDS - begin)) "no test of ${tests[n]} was run: $came: $said" ;;
    esac
}

try() { # NUMBER
    local n=$1 file=$tree/${files[$1]} why took
    check_sound "${suites[n]}" "${tests[n]}" || {
        fail "${names[n]}" "$took" "$why"
        return
    }
    took=$((took * 4 > TEST_SECONDS ? took * 4 : TEST_SECONDS))
    cp "$file" "$scratch.c" 2>/dev/null
    if why=$(tests/mutants/plant.pl "$file" "${olds[n]}" "${news[n]}" 2>&1); then
        try_planted "$n" "$took"
    else
        fail "${names[n]}" 0 "${why#"$tree/"}"
    fi
    [ ! -f "$scratch.c" ] || mv "$scratch.c" "$file"
    touch "$file" 2>/dev/null
}

# Checks every pattern of the list, even those not planted now: a change of the code has to
# adapt them.
check_patterns() {
    local n why
    for n in "${!names[@]}"; do
        cp "${files[n]}" "$scratch.c" 2>/dev/null || {
            fail "${names[n]}" 0 "no file ${files[n]}" && continue
        }
        why=$(tests/mutants/plant.pl "$scratch.c" "${olds[n]}" "${news[n]}" 2>&1) ||
            fail "${names[n]}" 0 "${files[n]}${why#"$scratch.c"}"
    done
    rm -f "$scratch.c"
}

read_list
check_patterns
[ "$errors" = 0 ] || { echo "0 passed, $errors failed" && exit 1; }
copy_tree
chosen=()
for n in "${!names[@]}"; do
    is_wanted "$n" "$@" && chosen+=("$n")
done
[ ${#chosen[@]} -gt 0 ] || { echo "tests/mutants/list: nothing of it is called $*" >&2 && exit 2; }
for n in "${chosen[@]}"; do try "$n"; done

rm -rf "$tree"
echo "$caught passed, $((missed + errors)) failed"
[ "$errors" = 0 ] && [ "$missed" -le "$MISSED_MAX" ]
