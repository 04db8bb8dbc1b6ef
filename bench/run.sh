#!/bin/bash
# All measurements in one run on one machine: prints what it finds, and writes docs/bench.md.
# usage: bench/run.sh BUILD [NAME…]     NAME: only these measurements, printed only
# Environment: BENCH_ROUNDS (5), BENCH_EXPORT_MB (300), BENCH_GROWTH (10000000 messages: 10 GB of disk and some minutes; 0 leaves this out), BENCH_FILES (1000000 files in
# one folder: 4 GB of disk and two minutes; 0 leaves them out).
set -euo pipefail
cd "$(dirname "$0")/.."

build=$(realpath "$1")
shift
export CONVKEEP_BENCH_DATA=$build/bench-data BENCH_ROUNDS=${BENCH_ROUNDS:-5}
mkdir -p "$CONVKEEP_BENCH_DATA"
trap 'rm -rf "$CONVKEEP_BENCH_DATA"' EXIT

# A name may have words of its own: 'd1 lag'.
if [ $# -gt 0 ]; then
    for name in "$@"; do "$build"/bench/$name; done
    exit
fi

of() { sed -n "s/^$1[[:space:]]*: *//p" "$2" | head -1; }
head_of_report() {
    local commit changed load
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    changed=$(git status --porcelain -- proto store ingest syncd renewd cli bench 2>/dev/null || true)
    [ -z "$changed" ] || commit="$commit, with changes that are not committed"
    load=$(cut -d' ' -f1 /proc/loadavg)
    cat <<END
# Figures

Written by \`make bench\`, rounds: $BENCH_ROUNDS. A figure is worth what it stands beside: ratios hold on another machine, the figures themselves do not.

| | |
|:--|:--|
| when | $(date -u +'%Y-%m-%d %H:%M UTC') |
| commit | $commit |
| machine | $(nproc) × $(of 'model name' /proc/cpuinfo), $(free -m | awk '/^Mem/ {printf "%.0f", $2 / 1024}') GiB, Linux $(uname -r) |
| disk | $(df --output=fstype,source "$CONVKEEP_BENCH_DATA" | tail -1 | awk '{print $1 " on " $2}') |
| libraries | SQLite $(pkg-config --modversion sqlite3), ZeroMQ $(pkg-config --modversion libzmq), $(redis-cli --version 2>/dev/null || echo 'no Redis') |
| load when it began | $load$(awk -v l="$load" 'BEGIN {if (l > 0.5) print ": **the machine was busy**, read the ratios with care"}') |

END
}

began=$SECONDS took=
report=$CONVKEEP_BENCH_DATA/report.md
{
    head_of_report
    for name in store road spool follow memory artifacts d1 postgres_sink growth; do
        at=$SECONDS
        [ "$name ${BENCH_GROWTH-}" != "growth 0" ] || continue
        "$build/bench/$name"
        echo
        took="${took:+$took, }$name $((SECONDS - at))"
    done
    echo "All of it took $((SECONDS - began)) s: $took."
} | tee "$report"
mkdir -p docs
mv "$report" docs/bench.md
