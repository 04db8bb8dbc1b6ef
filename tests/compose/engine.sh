#!/bin/bash
# usage: tests/compose/engine.sh COMMAND…: runs COMMAND with a Docker engine that answers.
#
# Where none does, one is installed and started for as long as COMMAND runs, with a socket of its own and its images below build/engine,
# so that a second run finds them. It gets no bridge and touches no firewall rule and no forwarding: the machine is left as it was. Containers
# of one compose network reach each other all the same; a build that needs the package mirror uses the machine's network.
set -euo pipefail
cd "$(dirname "$0")/../.."

if docker version >/dev/null 2>&1; then
    CONVKEEP_TEST_ENGINE=found exec "$@"
fi

tools/deps.sh engine
root=
[ "$(id -u)" = 0 ] || root=sudo
images=$PWD/build/engine
# A path for a socket is 107 bytes at most, so not below a folder whose depth nobody knows.
run=$(mktemp -d /tmp/convkeep-engine.XXXXXX)
mkdir -p "$images"
log=$PWD/build/engine.log

# Of its own session: ^C is for COMMAND, which cleans up, and needs the engine for that.
setsid $root dockerd --host "unix://$run/docker.sock" --group "$(id -g)" --data-root "$images" --exec-root "$run/exec" --pidfile "$run/pid" \
    --bridge=none --iptables=false --ip6tables=false --ip-forward=false --log-level=warn >"$log" 2>&1 </dev/null &
engine=$!
stop() {
    [ ! -f "$run/pid" ] || $root kill "$(cat "$run/pid")" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    # dockerd leaves the network namespace that it ran in mounted.
    $root umount -l "$run"/exec/netns/* 2>/dev/null || true
    $root rm -rf "$run"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

export DOCKER_HOST=unix://$run/docker.sock CONVKEEP_TEST_ENGINE=started
for ((i = 0; i < 300; i++)); do
    docker version >/dev/null 2>&1 && break
    if ! kill -0 "$engine" 2>/dev/null; then
        echo "engine: dockerd did not start:" >&2
        tail -5 "$log" >&2
        exit 1
    fi
    sleep 0.1
done
docker version >/dev/null || { echo "engine: dockerd does not answer after 30 s; see $log" >&2; exit 1; }
"$@" &
command=$!
trap 'kill -TERM "$command" 2>/dev/null; wait "$command"; exit 130' INT TERM HUP
wait "$command"
