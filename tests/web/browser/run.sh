#!/bin/bash
# Looks at the page as a person would, with Debian's Chromium: each view in both themes at two
# widths, by keyboard, with what was planted in it. Screenshots are in BUILD/browser.
# usage: tests/web/browser/run.sh [BUILD]
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=${1:-build}
tools/deps.sh browser
shots=$PWD/$build/browser
modules=$PWD/build/browser-modules
mkdir -p "$shots" "$modules"
cp tests/web/browser/package.json tests/web/browser/package-lock.json "$modules"
[ -d "$modules/node_modules" ] || (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund --silent)

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
"${convkeep[@]}" import "$work/said.jsonl"
for i in 0 1 2 3 4 5 6 7 8; do
    "${convkeep[@]}" renew "chatgpt:work-$i" --payload "go on with step $i" --at "+$((i + 1))h" \
        >"$work/job-$i"
done
"${convkeep[@]}" renew "chatgpt:work-11" --payload "<b>go</b>" --at +90s >/dev/null
for i in 0 1; do "${convkeep[@]}" jobs cancel "$(cut -d: -f1 "$work/job-$i")" >/dev/null; done
for i in 2 3; do "${convkeep[@]}" jobs retry "$(cut -d: -f1 "$work/job-$i")" >/dev/null; done
"${convkeep[@]}" pause --account work >/dev/null
"${convkeep[@]}" pause --platform claude --for 2h >/dev/null
token=$("${convkeep[@]}" web token add client --scope deliver | grep -o 'ck_[^ ]*')
node tests/web/browser/client.mjs "http://127.0.0.1:$port" "$token"
export NODE_PATH=$modules/node_modules
link() { "${convkeep[@]}" --json open | sed -n 's/.*"link":"\([^"]*\)".*/\1/p'; }
rc=0
node tests/web/browser/views.cjs "$(link)" "$shots" || rc=1
node tests/web/browser/follow_ups.cjs "$(link)" "${convkeep[@]}" || rc=1
exit "$rc"
