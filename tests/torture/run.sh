#!/bin/bash
# Runs the long campaigns one after another, even if one fails, prints their figures and appends
# them to docs/torture.md. Exit 1 if a campaign failed.
# usage: tests/torture/run.sh BUILD [CAMPAIGN…]     power, model, kills, deliveries, hands, capture,
#        flips, mirror, zombies, fuzz; none: all. Variables set the sizes (0 leaves one out):
#   TORTURE_CUTS      power cuts of the store and of the spool                               1000
#   TORTURE_STEPS     changesets that go to the store and to the model                    1000000
#   TORTURE_KILLS     kill -9 of ring members under load, 250 a round. An interrupted
#                     run continues: the rounds of this commit that passed are in
#                     BUILD/log/torture/kills.done                                          10000
#   TORTURE_DELIVERIES   follow-ups to a web server, a command and a client, while
#                     people answer, history is imported, and renewd and the store
#                     are killed; 10,000 a round                                            20000
#   TORTURE_HANDS     rounds in which a data folder is mishandled, and as many on a
#                     disk that fills up                                                      500
#   TORTURE_CAPTURE   minutes in which sessions are written and followed, while ingest
#                     and the store are killed and the disk fills up                           10
#   TORTURE_FLIPS     bits that are turned in a file, 500 a round: doctor names the file,
#                     or nothing differs                                                    10000
#   TORTURE_MIRROR    1: a million values into D1 and mirror.db and back, a million
#                     records verified                                                          1
#   TORTURE_ZOMBIES   how often 8 sync workers and 4 zombies bring 1,000,000 changes
#                     to D1                                                                     1
#   TORTURE_MINUTES   minutes of fuzzing for each decoder                                      10
#   TORTURE_NOTES     the file that the figures go to                             docs/torture.md
#   CONVKEEP_TEST_SEED   the seed; default: from the clock. Each campaign prints it
set -u
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}") chosen="${*:2}"
cuts=${TORTURE_CUTS:-1000} steps=${TORTURE_STEPS:-1000000} kills=${TORTURE_KILLS:-10000}
deliveries=${TORTURE_DELIVERIES:-20000} hands=${TORTURE_HANDS:-500} capture=${TORTURE_CAPTURE:-10}
flips=${TORTURE_FLIPS:-10000} minutes=${TORTURE_MINUTES:-10} mirror=${TORTURE_MIRROR:-1} zombies=${TORTURE_ZOMBIES:-1}
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

# A campaign's figures: the lines of LOG that begin with WORD, without it, joined by "; ".
figures() { # LOG WORD
    sed 's/\x1b\[[0-9;]*m//g' "$1" | sed -n "s/^\($2\)[: ]*//p" | paste -sd';' | sed 's/;/; /g'
}
seed() { sed -n 's/^CONVKEEP_TEST_SEED=/seed /p' "$1" | paste -sd' '; }

power() {
    local begin=$SECONDS
    CONVKEEP_TEST_CUTS=$cuts run power "$build/tests/fault" --jobs 1 \
        --filter '@(power|power_spool)/*'
    row power "TORTURE_CUTS=$cuts" $? "$(figures "$log/power.txt" power)" $((SECONDS - begin))
}

model() {
    local begin=$SECONDS
    CONVKEEP_TEST_STEPS=$steps run model "$build/tests/unit" --filter 'store_model/*' --jobs 1
    row model "TORTURE_STEPS=$steps" $? "$(figures "$log/model.txt" model)" $((SECONDS - begin))
}

# Sums up this commit's rounds: kills, observations, seconds (of the kills alone), rounds.
killed() {
    awk -v commit="$commit" '
        $1 == commit { kills += $2; observations += $3; seconds += $4; rounds++ }
        END { print kills + 0, observations + 0, seconds + 0, rounds + 0 }' "$log/kills.done"
}

# Runs rounds until there are enough kills or one fails; the log has its seed.
kills() {
    local begin=$SECONDS code=0 commit sum round said
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo none)
    touch "$log/kills.done"
    while read -ra sum < <(killed) && [ "${sum[0]}" -lt "$kills" ]; do
        CONVKEEP_TEST_KILLS=250 run kills "$build/tests/fault" --jobs 1 \
            --filter 'kill/random_moments'
        code=$?
        said='random_moments: \([0-9]*\) kills .* in \([0-9]*\) s, \([0-9]*\) observations'
        round=$(sed -n "s/.*$said.*/\1 \3 \2/p" "$log/kills.txt")
        [ $code = 0 ] && [ -n "$round" ] || { code=1 && break; }
        echo "$commit $round" >>"$log/kills.done"
    done
    said="${sum[0]} kills in ${sum[3]} rounds that passed, ${sum[1]} observations acknowledged"
    said+="; $((sum[2] ? sum[0] * 60 / sum[2] : 0)) kills a minute"
    row kills "TORTURE_KILLS=$kills" "$code" "$said" $((SECONDS - begin))
}

deliveries() {
    local begin code=0 done=0 size story=renewal_campaign.each_once_or_listed
    for (( ; done < deliveries && code == 0; done += size)); do
        begin=$SECONDS size=$((deliveries - done < 10000 ? deliveries - done : 10000))
        CONVKEEP_TEST_DELIVERIES=$size run deliveries "$build/tests/flow" --jobs 1 \
            --filter 'renewal_campaign/*'
        code=$?
        row deliveries "TORTURE_DELIVERIES=$size" "$code" \
            "$(figures "$log/deliveries.txt" "  $story")" $((SECONDS - begin))
    done
}

hands() {
    local begin=$SECONDS
    CONVKEEP_TEST_ROUNDS=$hands run hands "$build/tests/fault" --jobs 1 --filter 'mishandled/*'
    local code=$?
    # The log has a line for each round, too.
    grep ' rounds: \|: seed ' "$log/hands.txt" >"$log/hands.sum"
    row hands "TORTURE_HANDS=$hands" $code \
        "$(figures "$log/hands.sum" ' *mishandled[.]')" $((SECONDS - begin))
}

capture() {
    local begin=$SECONDS
    CONVKEEP_TEST_MINUTES=$capture run capture "$build/tests/fault" --jobs 1 --filter 'capture/*'
    row capture "TORTURE_CAPTURE=$capture" $? \
        "$(figures "$log/capture.txt" ' *capture[.][a-z_]*')" $((SECONDS - begin))
}

# Each round makes its folders anew, with another seed.
flips() {
    local begin=$SECONDS code=0 done=0 size
    : >"$log/flips.sum"
    for (( ; done < flips && code == 0; done += size)); do
        size=$((flips - done < 500 ? flips - done : 500))
        CONVKEEP_TEST_FLIPS=$size run flips "$build/tests/fault" --jobs 1 --filter 'flips/*'
        code=$?
        sed -n 's/.*: \([0-9]* found, [0-9]* without effect, [0-9]* missed\).*/\1/p' \
            "$log/flips.txt" >>"$log/flips.sum"
    done
    row flips "TORTURE_FLIPS=$flips" $code "$(awk '
        { found += $1; harmless += $3; missed += $6 }
        END { printf "%d found, %d without effect, %d missed, in %d rounds", found, harmless,
              missed, NR }' "$log/flips.sum")" $((SECONDS - begin))
}

mirror() {
    local begin=$SECONDS
    CONVKEEP_LONG=1 run mirror "$build/tests/d1" --jobs 1 \
        --filter '@(d1_values|d1_verify)/@(are|many)*'
    row mirror "TORTURE_MIRROR=$mirror" $? \
        "$(figures "$log/mirror.txt" ' *d1_[a-z_0-9.]*')" $((SECONDS - begin))
}

zombies() {
    local begin=$SECONDS code=0 i story=d1_workers.zombies_change_nothing_and_nothing_is_lost
    for ((i = 0; i < zombies && code == 0; i++)); do
        CONVKEEP_LONG=1 run zombies "$build/tests/d1" --filter 'd1_workers/zombies*' --jobs 1
        code=$?
        row zombies "TORTURE_ZOMBIES=1" "$code" \
            "$(figures "$log/zombies.txt" "  $story")" $((SECONDS - begin))
    done
}

fuzz() {
    local target name code stats
    stats='number_of_executed_units\|peak_rss_mb\|slowest_unit_time_sec'
    for target in tests/fuzz/*.c; do
        name=$(basename "$target" .c)
        mkdir -p "$build/fuzz/corpus/$name"
        local begin=$SECONDS
        # A decoder that takes a second for one input has failed.
        run "$name" "$build/fuzz/$name" -max_total_time=$((minutes * 60)) -timeout=1 \
            -malloc_limit_mb=64 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
            -artifact_prefix="$build/fuzz/$name-" "$build/fuzz/corpus/$name" \
            $(ls -d "tests/fuzz/corpus/$name" 2>/dev/null)
        code=$?
        row "$name" "TORTURE_MINUTES=$minutes" $code \
            "$(sed -n "s/^stat::\($stats\): */\1 /p" "$log/$name.txt" |
                paste -sd',' | sed 's/_/ /g; s/,/, /g')" $((SECONDS - begin))
    done
}

campaign() { # NAME SIZE
    [ "$2" = 0 ] || [[ -n $chosen && " $chosen " != *" $1 "* ]] || "$1"
}
campaign power "$cuts"
campaign model "$steps"
campaign kills "$kills"
campaign deliveries "$deliveries"
campaign hands "$hands"
campaign capture "$capture"
campaign flips "$flips"
campaign mirror "$mirror"
campaign zombies "$zombies"
campaign fuzz "$minutes"

{
    changes=$(git status --porcelain -- '*.c' '*.h' 2>/dev/null)
    printf '\n## %s, %s%s\n\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" \
        "$(git rev-parse --short HEAD 2>/dev/null || echo 'no commit')" \
        "${changes:+ and changes not committed}"
    # shellcheck disable=SC2016
    printf '`make %s` on %s cores, load %s\n\n' "${TORTURE_TARGET:-torture}" \
        "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
    printf '| campaign | size | result | figures | took |\n|---|---|---|---|---|\n%s' "$rows"
} >>"$notes"
exit $failed
