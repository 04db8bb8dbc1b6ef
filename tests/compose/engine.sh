#!/bin/bash
# usage: tests/compose/engine.sh COMMAND…
# Runs COMMAND with a Docker engine that answers.
#
# If none does, one is installed and started for as long as COMMAND runs, with a socket of its own.
# Its images are kept below build/engine for the next run. It has no bridge and changes no firewall
# rule and no forwarding, so the machine stays as it was. Containers of one compose network reach
# each other all the same; a build that needs the package mirror uses the machine's network.
set -euo pipefail
cd "$(dirname "$0")/../.."

if docker version >/dev/null 2>&1; then
    CONVKEEP_TEST_ENGINE=found exec "$@"
fi

tools/deps.sh engine
root=
[ "$(id -u)" = 0 ] || root=sudo
images=$PWD/build/engine
# A socket's path is at most 107 bytes, so it is not below a folder of unknown depth.
run=$(mktemp -d /tmp/convkeep-engine.XXXXXX)
mkdir -p "$images"
log=$PWD/build/engine.log

# In a session of its own: ^C ends COMMAND, which needs the engine to clean up.
setsid $root dockerd --host "unix://$run/docker.sock" --group "$(id -g)" --data-root "$images" \
    --exec-root "$run/exec" --pidfile "$run/pid" --bridge=none --iptables=false --ip6tables=false \
    --ip-forward=false --log-level=warn >"$log" 2>&1 </dev/null &
engine=$!
stop() {
    [ ! -f "$run/pid" ] || $root kill "$(cat "$run/pid")" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    # dockerd leaves its network namespaces mounted.
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
docker version >/dev/null || {
    echo "engine: dockerd does not answer after 30 s; see $log" >&2
    exit 1
}
"$@" &
command=$!
trap 'kill -TERM "$command" 2>/dev/null; wait "$command"; exit 130' INT TERM HUP
wait "$command"
