#!/bin/bash
# Looks at the page as a person would, with Debian's Chromium and Firefox: each view in both themes,
# by keyboard, with what was planted in it. Screenshots are in BUILD/browser. The last line says how
# many checks passed and failed.
# usage: tests/web/browser/run.sh [BUILD]
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=$(realpath "${1:-build}")
tools/deps.sh browser
shots=$build/browser
mkdir -p "$shots"
NODE_PATH=$(tests/web/browser/modules.sh)
export NODE_PATH

work=$(mktemp -d "${TMPDIR:-/tmp}/convkeep-browser.XXXXXX")
ring=
finish() {
    [ -z "$ring" ] || { kill "$ring" && wait "$ring"; } 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
    console.log(s.address().port); s.close(); })')
convkeep=("$build/bin/convkeep" --data "$work/data" --set "web.listen=127.0.0.1:$port")
mkfifo "$work/said"
"${convkeep[@]}" up >"$work/said" &
ring=$!
read -r ready <"$work/said"
[ "$ready" = ready ]
node tests/web/browser/said.mjs >"$work/said.jsonl"
node tests/web/browser/exports.mjs "$work/exports"
"${convkeep[@]}" import "$work/said.jsonl" "$work/exports"
for i in 0 1 2 3 4 5 6 7 8; do
    "${convkeep[@]}" renew "chatgpt:work-$i" --payload "go on with step $i" --at "+$((i + 1))h" \
        >"$work/job-$i"
done
"${convkeep[@]}" renew "chatgpt:work-11" --payload "<b>go</b>" --at +90s >/dev/null
"${convkeep[@]}" renew "chatgpt:$(printf 'x%.0s' {1..150})" --payload "$(printf 'unbroken%.0s' {1..40})" \
    --at +1h >/dev/null
for i in 0 1; do "${convkeep[@]}" jobs cancel "$(cut -d: -f1 "$work/job-$i")" >/dev/null; done
for i in 2 3; do "${convkeep[@]}" jobs retry "$(cut -d: -f1 "$work/job-$i")" >/dev/null; done
"${convkeep[@]}" pause --account work >/dev/null
"${convkeep[@]}" pause --account "$(printf 'unbroken%.0s' {1..20})" >/dev/null
"${convkeep[@]}" pause --platform claude --for 2h >/dev/null
token=$("${convkeep[@]}" web token add client --scope deliver | grep -o 'ck_[^ ]*')
node tests/web/browser/client.mjs "http://127.0.0.1:$port" "$token"
link() { "${convkeep[@]}" --json open | sed -n 's/.*"link":"\([^"]*\)".*/\1/p'; }

# The browsers keep nothing outside of this folder.
mkdir "$work/home" "$work/tmp" "$work/shots" "$work/netlogs"
export HOME=$work/home TMPDIR=$work/tmp NETLOGS=$work/netlogs XDG_CONFIG_HOME= XDG_CACHE_HOME=
passed=0 failed=0
told() { # NAME COMMAND…: what it says is in a file
    local rc=0
    "${@:2}" >"$work/$1.told" 2>&1 || rc=$?
    echo "$rc" >"$work/$1.rc"
}
look() { # NAME ARGUMENT…
    told "$1" node "tests/web/browser/$1" "${@:2}"
}
crowd() { # COUNT…
    for n in "$@"; do
        told "crowd-$n" tests/web/browser/crowd.sh "$build" "$work/crowd-$n" "$n"
        rm -rf "$work/crowd-$n"
    done
}
count() { # NAME
    local good=0 bad=0 rc
    rc=$(cat "$work/$1.rc")
    sed '/^[0-9]* passed, [0-9]* failed$/d' "$work/$1.told"
    read -r good bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/$1.told") ||
        echo "not ok $1: it ended with $rc before its end"
    [ "$rc" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
}
# Firefox changes nothing that Chromium's views show; follow_ups.cjs changes everything, and
# trouble.cjs stops the store.
look views.cjs "$(link)" "$work/shots" "$work" &
views=$!
look firefox.cjs "$work/shots" "${convkeep[@]}"
wait "$views"
crowd 10 100000 &
crowds=$!
look follow_ups.cjs "$(link)" "${convkeep[@]}"
look comfort.cjs "$(link)" "$work/shots" "${convkeep[@]}"
look trouble.cjs "$(link)" "$work/shots" "$work/data/mirror.db" "${convkeep[@]}"
wait "$crowds"
for name in views.cjs firefox.cjs follow_ups.cjs comfort.cjs trouble.cjs crowd-10 crowd-100000; do count "$name"; done
cp "$work"/shots/*.png "$shots"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
