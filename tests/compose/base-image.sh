#!/bin/bash
# Prints the name of a Debian 12 image to build on: Debian's own if it can be pulled, else one made
# here with debootstrap, which is kept for the next run.
set -euo pipefail
cd "$(dirname "$0")/../.."

own=convkeep-base:12 official=debian:12-slim
for name in "$official" "$own"; do
    if docker image inspect "$name" >/dev/null 2>&1; then
        echo "$name"
        exit 0
    fi
done
if timeout 120 docker pull -q "$official" >/dev/null 2>&1; then
    echo "$official"
    exit 0
fi

echo "base image: $official cannot be pulled here; making $own with debootstrap" >&2
root=
[ "$(id -u)" = 0 ] || root=sudo
tree=$(mktemp -d /tmp/convkeep-base.XXXXXX)
trap '$root rm -rf "$tree"' EXIT
$root tests/bare/tree.sh "$tree/root" ca-certificates >&2
# Adds the certificates that this machine trusts: its package mirror or proxy may need them.
$root chroot "$tree/root" update-ca-certificates >/dev/null 2>&1
$root tar -C "$tree/root" -c . | docker import -c 'CMD ["/bin/bash"]' - "$own" >/dev/null
echo "$own"
