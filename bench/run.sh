#!/bin/bash
# Runs all measurements on this machine, prints the report and writes it to docs/bench.md, with the
# missed bounds first.
# usage: bench/run.sh BUILD
# Environment (make bench BENCH_ONLY=store):
#   BENCH_ONLY    only these, printed but not written; separated by commas: 'store leanest,d1 lag'
#   BENCH_ROUNDS  rounds of each measurement: 5
#   BENCH_IMPORT_MB  size of the export in `import`: 69
#   BENCH_GROWING  conversations in `growing`: 600
#   BENCH_WATCH   files that `watch` knows at a start: 50000, a minute or two; 0 leaves that out
#   BENCH_RENEW   pending jobs in `renew`: 1000000
#   BENCH_EXPORT_MB  size of the export in `memory`: 300
#   BENCH_GROWTH  messages in `growth`: 10000000, 10 GB of disk and some minutes; 0 leaves it out
#   BENCH_VIEWS   messages beside which views are shown, also in Chromium: 1000000
#   BENCH_SEARCH  messages that are searched: 1000000, 3 GB of disk and some minutes
#   BENCH_FILES   files in one folder: 1000000, 4 GB of disk and two minutes; 0 leaves this out
set -euo pipefail
cd "$(dirname "$0")/.."

build=$(realpath "$1")
export CONVKEEP_BENCH_DATA=$build/bench-data BENCH_ROUNDS=${BENCH_ROUNDS:-5}
mkdir -p "$CONVKEEP_BENCH_DATA"
trap 'rm -rf "$CONVKEEP_BENCH_DATA"' EXIT
bounds=$CONVKEEP_BENCH_DATA/bounds report=$CONVKEEP_BENCH_DATA/report.md
: >"$bounds"
all='store,pages,road,spool,follow,memory,import,growing,watch,renew,artifacts,cost,d1'
all+=',postgres_sink,views,browser,search,web,growth'

of() { sed -n "s/^$1[[:space:]]*: *//p" "$2" | head -1; }

head_of_report() {
    local commit changed load machine disk libraries busy=
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    changed=$(git status --porcelain -- proto store ingest syncd renewd webd cli bench \
        2>/dev/null || true)
    [ -z "$changed" ] || commit="$commit, with changes that are not committed"
    load=$(cut -d' ' -f1 /proc/loadavg)
    machine="$(nproc) × $(of 'model name' /proc/cpuinfo)"
    machine+=", $(free -m | awk '/^Mem/ {printf "%.0f", $2 / 1024}') GiB, Linux $(uname -r)"
    disk=$(df --output=fstype,source "$CONVKEEP_BENCH_DATA" | awk 'END {print $1 " on " $2}')
    libraries="SQLite $(pkg-config --modversion sqlite3), ZeroMQ $(pkg-config --modversion libzmq)"
    libraries+=", $(redis-cli --version 2>/dev/null || echo 'no Redis')"
    awk -v l="$load" 'BEGIN {exit !(l > 0.5)}' &&
        busy=': **the machine was busy**, read the ratios with care'
    cat <<END
## The run

Written by \`make bench\`, rounds: $BENCH_ROUNDS.
A figure is worth what it stands beside: ratios hold on another machine, figures do not.

| | |
|:--|:--|
| when | $(date -u +'%Y-%m-%d %H:%M UTC') |
| commit | $commit |
| machine | $machine |
| disk | $disk |
| libraries | $libraries |
| load when it began | $load$busy |

END
}

# Lists the bounds that do not hold, and the comparisons without a bound that are told first.
# Measurements note one a line: "missed", "kept" or "told", a tab, what.
missed() {
    local n of
    n=$(grep -c '^missed' "$bounds" || true) of=$(grep -c '^missed\|^kept' "$bounds" || true)
    printf '## Missed\n\n'
    if [ "$of" = 0 ]; then
        printf 'No bound was measured.\n\n'
    elif [ "$n" = 0 ]; then
        printf 'Nothing: all %s bounds are kept.\n\n' "$of"
    else
        printf '%s of %s bounds:\n\n%s\n\n' "$n" "$of" "$(sed -n 's/^missed\t/- /p' "$bounds")"
    fi
    grep -q '^told' "$bounds" || return 0
    printf 'Without a bound, beside the best that others do:\n\n%s\n\n' \
        "$(sed -n 's/^told\t/- /p' "$bounds")"
}

# Puts one sentence on a line, and outside tables breaks lines over 100 columns at a clause or word.
wrap() {
    awk '
    function put(line,    at, cut) {
        while (length(line) > 100) {
            cut = 0
            for (at = 50; at <= 100; at++) if (substr(line, at, 2) ~ /[,;:] /) cut = at + 1
            for (at = 101; at > 0 && !cut; at--) if (substr(line, at, 1) == " ") cut = at
            if (!cut) break
            print substr(line, 1, cut - 1)
            line = substr(line, cut + 1)
        }
        print line
    }
    /^[|#]/ { print; next }
    {
        while (match($0, /[.?] [A-Z`]/)) {
            put(substr($0, 1, RSTART))
            $0 = substr($0, RSTART + 2)
        }
        put($0)
    }'
}

head=$(head_of_report)
began=$SECONDS took=
IFS=, read -ra names <<<"${BENCH_ONLY:-$all}"
for name in "${names[@]}"; do
    at=$SECONDS
    [ "$name ${BENCH_GROWTH-}" != "growth 0" ] || continue
    if [ "$name" = browser ]; then
        tools/deps.sh chromium >&2
        NODE_PATH=$(tests/web/browser/modules.sh)
        export NODE_PATH
    fi
    # A name may be followed by arguments.
    # shellcheck disable=SC2086
    "$build"/bench/$name
    echo
    took="${took:+$took, }$name $((SECONDS - at))"
done > >(wrap | tee "$report")
wait $!
took="All of it took $((SECONDS - began)) s: $took."
echo "$took"
missed
[ -z "${BENCH_ONLY-}" ] || exit 0

mkdir -p docs
{
    printf '# Figures\n\n'
    missed
    wrap <<<"$head"
    echo
    cat "$report"
    wrap <<<"$took"
} >"$CONVKEEP_BENCH_DATA/bench.md"
mv "$CONVKEEP_BENCH_DATA/bench.md" docs/bench.md
