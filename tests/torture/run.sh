#!/bin/bash
# The long campaigns, one after another, whatever fails; prints their figures and appends them to docs/torture.md.
# usage: tests/torture/run.sh BUILD          sizes, all settable, 0 leaves one out:
#   TORTURE_CUTS      power cuts of the store and of the spool                                         1000
#   TORTURE_STEPS     changesets that go to the store and to the model                               1000000
#   TORTURE_KILLS     kill -9 of ring members under load, 250 a round                                  10000
#                     A run that was ended goes on where it was: rounds of this commit that passed are in BUILD/log/torture/kills.done
#   TORTURE_MIRROR    1: a million values into D1 and mirror.db and back, a million records verified      1
#   TORTURE_ZOMBIES   1,000,000 changes that 8 sync workers and 4 zombies bring to D1: how often            1
#   TORTURE_MINUTES   minutes of fuzzing for each decoder                                                 10
#   TORTURE_NOTES     the file that the figures go to                                        docs/torture.md
#   CONVKEEP_TEST_SEED   where chance begins, else the clock; each campaign says it
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}")
cuts=${TORTURE_CUTS:-1000} steps=${TORTURE_STEPS:-1000000} kills=${TORTURE_KILLS:-10000} minutes=${TORTURE_MINUTES:-10} mirror=${TORTURE_MIRROR:-1} zombies=${TORTURE_ZOMBIES:-1}
notes=${TORTURE_NOTES:-docs/torture.md}
log=$build/log/torture
mkdir -p "$log"
export CONVKEEP_BUILD=$build
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:exitcode=99}

failed=0 rows='' child=''
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null; exit 130' INT TERM

# In a process group of its own, so that an interrupt ends all of it.
run() { # NAME COMMAND…: output to its log
    local name=$1
    shift
    timeout --kill-after=30 86400 "$@" >"$log/$name.txt" 2>&1 </dev/null &
    child=$!
    wait "$child"
    local code=$?
    child=''
    return $code
}

row() { # NAME COMMAND PASSED FIGURES SECONDS
    local result
    result=$([ "$3" = 0 ] && echo passed || echo FAILED)
    [ "$3" = 0 ] || failed=1
    printf '%-8s %s in %d s: %s\n' "$1" "$result" "$5" "$4"
    rows+="| $1 | \`$2\` | $result | $4 | $5 s |"$'\n'
}

# What a campaign says of itself stands behind this word; ; joins its lines.
figures() { sed 's/\x1b\[[0-9;]*m//g' "$1" | sed -n "s/^\($2\)[: ]*//p" | paste -sd';' | sed 's/;/; /g'; }
seed() { sed -n 's/^CONVKEEP_TEST_SEED=/seed /p' "$1" | paste -sd' '; }

power() {
    local begin=$SECONDS
    CONVKEEP_TEST_CUTS=$cuts run power "$build/tests/fault" --filter '@(power|power_spool)/*' --jobs 1
    row power "TORTURE_CUTS=$cuts" $? "$(figures "$log/power.txt" power)" $((SECONDS - begin))
}

model() {
    local begin=$SECONDS
    CONVKEEP_TEST_STEPS=$steps run model "$build/tests/unit" --filter 'store_model/*' --jobs 1
    row model "TORTURE_STEPS=$steps" $? "$(figures "$log/model.txt" model)" $((SECONDS - begin))
}

# What rounds of this commit have in sum: kills, observations, seconds of the kills themselves, rounds.
killed() {
    awk -v commit="$commit" '$1 == commit { kills += $2; observations += $3; seconds += $4; rounds++ } END { print kills + 0, observations + 0, seconds + 0, rounds + 0 }' "$log/kills.done"
}

# Rounds until there were enough kills; the first that fails is the last, and its seed is in its log.
kills() {
    local begin=$SECONDS code=0 commit sum round
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo none)
    touch "$log/kills.done"
    while read -ra sum < <(killed) && [ "${sum[0]}" -lt "$kills" ]; do
        CONVKEEP_TEST_KILLS=250 run kills "$build/tests/fault" --filter 'kill/random_moments' --jobs 1
        code=$?
        round=$(sed -n 's/.*random_moments: \([0-9]*\) kills .* in \([0-9]*\) s, \([0-9]*\) observations.*/\1 \3 \2/p' "$log/kills.txt")
        [ $code = 0 ] && [ -n "$round" ] || { code=1 && break; }
        echo "$commit $round" >>"$log/kills.done"
    done
    row kills "TORTURE_KILLS=$kills" "$code" "${sum[0]} kills in ${sum[3]} rounds that passed, ${sum[1]} observations acknowledged; $((sum[2] ? sum[0] * 60 / sum[2] : 0)) kills a minute" $((SECONDS - begin))
}

mirror() {
    local begin=$SECONDS
    CONVKEEP_LONG=1 run mirror "$build/tests/d1" --filter '@(d1_values|d1_verify)/@(are|many)*' --jobs 1
    row mirror "TORTURE_MIRROR=$mirror" $? "$(figures "$log/mirror.txt" ' *d1_[a-z_0-9.]*')" $((SECONDS - begin))
}

zombies() {
    local begin=$SECONDS code=0 i
    for ((i = 0; i < zombies && code == 0; i++)); do
        CONVKEEP_LONG=1 run zombies "$build/tests/d1" --filter 'd1_workers/zombies*' --jobs 1
        code=$?
        row zombies "TORTURE_ZOMBIES=1" "$code" "$(figures "$log/zombies.txt" '  d1_workers.zombies_change_nothing_and_nothing_is_lost')" $((SECONDS - begin))
    done
}

fuzz() {
    local target name
    for target in tests/fuzz/*.c; do
        name=$(basename "$target" .c)
        mkdir -p "$build/fuzz/corpus/$name"
        local begin=$SECONDS
        # A decoder that takes a second for one input has failed.
        run "$name" "$build/fuzz/$name" -max_total_time=$((minutes * 60)) -timeout=1 -malloc_limit_mb=64 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
            -artifact_prefix="$build/fuzz/$name-" "$build/fuzz/corpus/$name" $(ls -d "tests/fuzz/corpus/$name" 2>/dev/null)
        row "$name" "TORTURE_MINUTES=$minutes" $? "$(sed -n 's/^stat::\(number_of_executed_units\|peak_rss_mb\|slowest_unit_time_sec\): */\1 /p' "$log/$name.txt" | paste -sd',' | sed 's/_/ /g; s/,/, /g')" $((SECONDS - begin))
    done
}

[ "$cuts" = 0 ] || power
[ "$steps" = 0 ] || model
[ "$kills" = 0 ] || kills
[ "$mirror" = 0 ] || mirror
[ "$zombies" = 0 ] || zombies
[ "$minutes" = 0 ] || fuzz

{
    printf '\n## %s, %s%s\n\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" "$(git rev-parse --short HEAD 2>/dev/null || echo 'no commit')" \
        "$([ -z "$(git status --porcelain -- '*.c' '*.h' 2>/dev/null)" ] || echo ' and changes not committed')"
    # shellcheck disable=SC2016
    printf '`make torture` on %s cores, load %s\n\n| campaign | size | result | figures | took |\n|---|---|---|---|---|\n%s' "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" "$rows"
} >>"$notes"
exit $failed
