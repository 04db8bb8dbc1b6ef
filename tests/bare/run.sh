#!/bin/bash
# What a person with a bare Debian 12 gets: makes a folder that holds Debian, git, make and nothing
# else, clones the project into it, runs `make run` until it shows the mirrored sample, then
# `make test`.
# usage: tests/bare/run.sh REPO [run|test|all]
#   CONVKEEP_BARE_KEEP=1   keeps the folder and says where it is
#
# It has its own processes and mounts, which end with it, and uses this machine's network.
set -euo pipefail
repo=$(realpath "${1:?usage: tests/bare/run.sh REPO [run|test|all]}") what=${2:-all}
cd "$(dirname "$0")/../.."

if [ "$(id -u)" != 0 ]; then
    echo "bare: this makes a folder with devices in it and enters it: run it as root" >&2
    exit 1
fi
place=$(mktemp -d /var/tmp/convkeep-bare.XXXXXX)
tree=$place/root
finish() {
    if [ -n "${CONVKEEP_BARE_KEEP:-}" ]; then
        echo "bare: kept in $tree"
    else
        # The mounts were in a namespace that is gone; --one-file-system in case it is not.
        rm -rf --one-file-system "$place"
    fi
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

echo "bare: making a Debian 12 with git and make in $tree"
tests/bare/tree.sh "$tree" git make
# shellcheck disable=SC2016
any='for program in gcc cc pkg-config curl; do command -v $program && exit; done; false'
if chroot "$tree" sh -c "$any"; then
    echo "bare: that is not bare" >&2
    exit 1
fi
# A bundle: a file in the folder from which the folder's own git can clone.
git -C "$repo" bundle create -q "$tree/convkeep.bundle" HEAD
cp tests/bare/inside.sh "$tree/inside.sh"

# pivot_root instead of chroot: starting containers inside needs a real root.
unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    cd "$1"
    mount --bind . .
    cd "$1"
    mount -t proc proc proc
    mount --rbind /sys sys
    mount --rbind /dev dev
    mount -t tmpfs tmpfs run
    mkdir -p .outside
    pivot_root . .outside
    cd /
    umount -l /.outside
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 bash /inside.sh "$2"
' bare "$tree" "$what"
