#!/bin/sh
# Installs the Debian packages that the named purposes need and this machine lacks, and names them first.
# Silent where all are there. Purposes: run, test, bench, fuzz, fmt, compose, bare.
set -eu

wanted=
want() { wanted="$wanted $*"; }
# A program may have come from elsewhere than its package.
want_command() { command -v "$1" >/dev/null 2>&1 || want "$2"; }

for purpose in "$@"; do
    case $purpose in
    run)
        want build-essential pkg-config libzmq3-dev libczmq-dev libsqlite3-dev libmsgpack-dev libcurl4-openssl-dev \
            libpq-dev libjansson-dev ca-certificates
        ;;
    test)
        want libcriterion-dev procps util-linux postgresql
        want_command curl curl
        want_command sqlite3 sqlite3
        # npm brings nodejs; only the D1 peer needs it.
        [ ! -f tests/d1/peer/package-lock.json ] || want_command npm npm
        ;;
    # redis-tools brings the server's program too, and unlike redis-server no service that would be started.
    bench) want redis-tools postgresql ;;
    fuzz) want clang libclang-rt-14-dev ;;
    fmt) want_command clang-format clang-format ;;
    compose)
        want_command docker docker.io
        docker compose version >/dev/null 2>&1 || want_command docker-compose docker-compose
        want_command debootstrap debootstrap
        ;;
    engine) want_command dockerd docker.io ;;
    bare)
        want_command debootstrap debootstrap
        want_command unshare util-linux
        ;;
    *)
        echo "deps: $purpose: no such purpose" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "deps: not a Debian system, nothing checked; needed:$wanted" >&2
    exit 0
fi

# dpkg-query fails if any name is unknown to it, and says the others all the same.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p') || true
missing=
for package in $wanted; do
    echo "$installed" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    root=sudo
    if ! command -v sudo >/dev/null; then
        echo "deps: missing:$missing; install them as root: apt-get install$missing" >&2
        exit 1
    fi
fi
echo "deps: installing$missing"
# Another apt may be at work: wait for it rather than fail.
apt() { $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }
apt update
# Debian's postgresql makes a cluster of its own and starts it, unless it is told not to: what needs a server here starts one itself.
no_cluster=
case "$missing " in
*" postgresql "*)
    no_cluster=/etc/postgresql-common/createcluster.d/convkeep.conf
    $root mkdir -p "${no_cluster%/*}"
    echo "create_main_cluster = false" | $root tee "$no_cluster" >/dev/null
    trap '$root rm -f "$no_cluster"' EXIT
    ;;
esac
apt install -y --no-install-recommends $missing >/dev/null
