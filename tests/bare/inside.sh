#!/bin/bash
# The part of tests/bare/run.sh that runs in the bare folder. usage: inside.sh run|test|all
set -euo pipefail
# Job control, so that a background job is a process group with ^C at its default, as at a terminal.
set -m
limit=240

cd /root
begin=$SECONDS
git -c advice.detachedHead=false clone -q /convkeep.bundle convkeep
cd convkeep

# make alone installs nothing: it names what is missing, and how to install it.
if make >/root/make.txt 2>&1; then
    echo "bare: make built something out of nothing"
    exit 1
fi
cat /root/make.txt
grep -q '^make: missing packages: build-essential .*libzmq3-dev' /root/make.txt
grep -q '^make: to install them: make deps, or as root: apt-get install build-essential ' \
    /root/make.txt
! command -v gcc || exit 1

if [ "$1" != test ]; then
    make run >/root/run.txt 2>&1 </dev/null &
    job=$!
    while ! grep -q '^It stays up' /root/run.txt; do
        if ! kill -0 "$job" 2>/dev/null || [ $((SECONDS - begin)) -gt $limit ]; then
            cat /root/run.txt
            echo "bare: make run showed nothing after $((SECONDS - begin)) s (at most $limit)"
            exit 1
        fi
        sleep 0.2
    done
    took=$((SECONDS - begin))
    cat /root/run.txt
    if grep -q '^run: ' /root/run.txt; then
        echo "bare: make run came up, but something in it failed"
        exit 1
    fi
    build/bin/convkeep --data build/data --json sync status
    kill -INT -- "-$job"
    wait "$job" || true
    # make ends at ^C; the daemons have got the signal too, and may take a while to end.
    left() {
        readlink /proc/[0-9]*/exe | grep "^$PWD/build/" || true
        find build/data -type s -o -name '*.tmp'
    }
    until [ -z "$(left)" ]; do
        if [ $((SECONDS - begin)) -gt $((took + 30)) ]; then
            printf 'bare: left behind after ^C:\n%s\n' "$(left)"
            exit 1
        fi
        sleep 0.1
    done
    echo "bare: clone, install, build, run: $took s (at most $limit); ^C left nothing"
fi

if [ "$1" != run ]; then
    begin=$SECONDS
    make test </dev/null
    echo "bare: make test: $((SECONDS - begin)) s"
fi
