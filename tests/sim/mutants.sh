#!/bin/bash
# Plants one fault after another in renewd, and says which of them the simulation catches.
# usage: tests/sim/mutants.sh BUILD [NAME…]
#   CC, CFLAGS, LDFLAGS, LIBS   as the Makefile builds with (make sim-mutants)
#   SIM_SEED                    the first seed (1)
#
# tests/sim/mutants has the faults, in the form of tests/mutants/list without suite and tests. A
# fault's file is compiled alone, and linked before the archives, so the rest is as in BUILD. Each is
# run with up to twelve seeds. Two of all may be missed.
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
shift
scratch=$(mktemp -d /tmp/cksim.XXXXXX)
log=$build/sim-mutants
MISSED_MAX=2
SEEDS=12
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$log"

names=() files=() olds=() news=() whats=()
n=-1
while read -r key rest; do
    case $key in
    '' | '#'*) ;;
    mutant) n=$((n + 1)) names[n]=$rest files[n]='' olds[n]='' news[n]='' whats[n]='' ;;
    what) whats[n]=$rest ;;
    file) files[n]=$rest ;;
    old) olds[n]+=${olds[n]:+ }$rest ;;
    new) news[n]+=${news[n]:+ }$rest ;;
    *) echo "tests/sim/mutants: no such field: $key" >&2 && exit 2 ;;
    esac
done <tests/sim/mutants

caught=0 missed=0 errors=0
say() { printf '%-10s %-40s %4d s  %s\n' "$1" "$2" "$3" "$4"; }

link() { # OBJECT… : the simulation with them, as $scratch/sim
    # shellcheck disable=SC2086 # flags are words
    ${CC:-cc} ${LDFLAGS:-} "$@" "$build"/obj/tests/sim/*.o -Wl,--start-group "$build"/lib*.a \
        -Wl,--end-group ${LIBS:-} -o "$scratch/sim"
}

# 0: some seed fails. A fault that makes it hang (120 s of processor time), or run out of memory, is
# caught as well.
run_all() { # LOG
    local seed
    for ((seed = ${SIM_SEED:-1}; seed < ${SIM_SEED:-1} + SEEDS; seed++)); do
        (ulimit -v 4000000 -c 0 -t 120 && exec "$scratch/sim" --seed $seed \
            --conversations 200 --deliveries 5000) >>"$1" 2>&1 || return 0
    done
    return 1
}

plant() { # NUMBER
    local n=$1 begin=$SECONDS said=$log/${names[$1]} file=$scratch/${files[$1]##*/}
    : >"$said"
    cp "${files[n]}" "$file" 2>>"$said" &&
        tests/mutants/plant.pl "$file" "${olds[n]}" "${news[n]}" >>"$said" 2>&1 &&
        ${CC:-cc} ${CFLAGS:-} -Wno-error -w -MF "$scratch/d" -c "$file" -o "$scratch/planted.o" \
            >>"$said" 2>&1 && link "$scratch/planted.o" >>"$said" 2>&1 || {
        errors=$((errors + 1))
        say FAIL "${names[n]}" $((SECONDS - begin)) "cannot be planted: $said"
        return
    }
    if run_all "$said"; then
        caught=$((caught + 1))
        say caught "${names[n]}" $((SECONDS - begin)) "${whats[n]}"
    else
        missed=$((missed + 1))
        say FAIL "${names[n]}" $((SECONDS - begin)) "not caught: ${whats[n]} (${files[n]})"
    fi
}

# Without a fault nothing may fail.
: >"$log/sound"
link >>"$log/sound" 2>&1 || { echo "it does not link: $log/sound" && exit 2; }
! run_all "$log/sound" || { echo "it fails without a fault: $log/sound" && exit 2; }
for n in "${!names[@]}"; do
    [ $# = 0 ] || [[ " $* " == *" ${names[n]} "* ]] || continue
    plant "$n"
done
echo "$caught passed, $((missed + errors)) failed"
[ "$errors" = 0 ] && [ "$missed" -le "$MISSED_MAX" ]
