#!/bin/bash
# Installs what the lock file names below build/browser-modules, if that is not what is there, and
# prints the folder for NODE_PATH. One of several runs does it. It needs the network then.
# usage: tests/web/browser/modules.sh
set -euo pipefail
cd "$(dirname "$0")/../../.."
modules=$PWD/build/browser-modules
mkdir -p "$modules"
(
    flock 9
    cmp -s tests/web/browser/package-lock.json "$modules/installed.lock" && exit
    cp tests/web/browser/package.json tests/web/browser/package-lock.json "$modules"
    cd "$modules"
    npm ci --ignore-scripts --no-audit --no-fund --silent >&2
    cp package-lock.json installed.lock
) 9>"$modules/lock"
echo "$modules/node_modules"
