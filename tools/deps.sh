#!/bin/sh
# Installs the Debian packages that the named purposes need and this machine lacks, after naming
# them. Silent if none is missing. Purposes: run, test, bench, fuzz, fmt, compose, engine, bare,
# browser, chromium.
#
# usage: deps.sh PURPOSE…
#        deps.sh missing CC LIBRARY…
# missing: installs nothing. It says what a build with this compiler and these libraries (by their
# names in pkg-config) lacks, and what installs it; the exit code is then 1.
set -eu

# The Debian package of a library, by its name in pkg-config, or of a program.
package_of() {
    case $1 in
    libzmq) echo libzmq3-dev ;;
    libczmq) echo libczmq-dev ;;
    sqlite3) echo libsqlite3-dev ;;
    jansson) echo libjansson-dev ;;
    libcurl) echo libcurl4-openssl-dev ;;
    libpq) echo libpq-dev ;;
    libarchive) echo libarchive-dev ;;
    zlib) echo zlib1g-dev ;;
    liblzma) echo liblzma-dev ;;
    libzstd) echo libzstd-dev ;;
    nettle) echo nettle-dev ;;
    md4c) echo libmd4c-dev ;;
    libpcre2-8) echo libpcre2-dev ;;
    libmicrohttpd) echo libmicrohttpd-dev ;;
    msgpack | msgpack-c) echo libmsgpack-dev ;;
    criterion) echo libcriterion-dev ;;
    yaml-0.1) echo libyaml-dev ;;
    cc | gcc) echo build-essential ;;
    *) echo "$1" ;;
    esac
}
packages_of() { for name in "$@"; do package_of "$name"; done; }

is_debian() { command -v dpkg-query >/dev/null; }

# dpkg-query fails if it does not know one of the names, but still prints the others.
not_installed() { # PACKAGE…
    there=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^installed //p') || true
    for package in "$@"; do
        echo "$there" | grep -qxF "$package" || echo "$package"
    done
}

# A compiler without the C library's headers does not count.
compiles() { echo '#include <stdio.h>' | $1 -E -x c - >/dev/null 2>&1; }

# The compiler of "ccache gcc -m32" is gcc, or ccache if that is missing.
compiler_of() { # CC
    for word in $1; do
        [ "$word" = ccache ] && command -v ccache >/dev/null || break
    done
    echo "$word"
}

# Without pkg-config only dpkg can tell which libraries are there; without either, all may be
# missing.
lacking() { # CC LIBRARY…
    cc=$1 && shift
    compiles "$cc" || package_for "$(compiler_of "$cc")"
    if command -v pkg-config >/dev/null; then
        for library in "$@"; do
            pkg-config --exists "$library" || package_for "$library"
        done
    else
        echo pkg-config
        if is_debian; then not_installed $(packages_of "$@"); else printf '%s\n' "$@"; fi
    fi
}
package_for() { if is_debian; then package_of "$1"; else echo "$1"; fi; }

wanted=
want() { wanted="$wanted $*"; }
# A program may be there without its package.
want_command() { command -v "$1" >/dev/null 2>&1 || want "$2"; }

want_for() { # PURPOSE…
    for purpose in "$@"; do
        case $purpose in
        run)
            want ca-certificates tzdata pkg-config \
                $(packages_of cc libzmq libczmq sqlite3 msgpack libcurl libpq libarchive zlib liblzma \
                    libzstd nettle jansson md4c libpcre2-8 libmicrohttpd)
            ;;
        test)
            # The client in docs/wire.md is Python, and is run as it stands there. docs/openapi.yaml
            # is read as YAML, to be compared with what is served.
            want $(packages_of criterion yaml-0.1) procps util-linux postgresql \
                python3-zmq python3-msgpack bash-completion
            want_command fish fish
            want_command zsh zsh
            want_command mandoc mandoc
            want_command curl curl
            want_command sqlite3 sqlite3
            # npm brings nodejs; only the D1 peer needs it.
            [ ! -f tests/d1/peer/package-lock.json ] || want_command npm npm
            ;;
        # redis-tools contains the server program too, and unlike redis-server starts no service.
        bench)
            want redis-tools postgresql
            want_command python3 python3
            want_command zstd zstd
            want_command sqlite3 sqlite3
            ;;
        fuzz) want clang libclang-rt-14-dev ;;
        fmt) want_command clang-format clang-format ;;
        compose)
            want_command docker docker.io
            docker compose version >/dev/null 2>&1 || want_command docker-compose docker-compose
            want_command debootstrap debootstrap
            ;;
        browser)
            want chromium firefox-esr
            want_command npm npm
            want_command sqlite3 sqlite3
            ;;
        chromium)
            want chromium
            want_command npm npm
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
}

# Packages of Debian are known only for the usual compilers.
check_compiler() { # CC
    compiler=$(compiler_of "$1")
    case $compiler in cc | gcc | gcc-* | clang | clang-* | ccache) return 0 ;; esac
    command -v "$compiler" >/dev/null && return 0
    echo "make: CC=$1: there is no compiler $compiler on this machine
make: name one that is there, as in make CC=gcc" >&2
    return 1
}

# Names `make deps` only if that would install all of them.
say_missing() { # CC LIBRARY…
    check_compiler "$1" || return 1
    lacks=$(lacking "$@" | sort -u)
    [ -n "$lacks" ] || return 0
    lacks=$(echo $lacks)
    if is_debian; then
        want_for run
        others=$(printf '%s\n' $lacks | grep -vxF "$(printf '%s\n' $wanted)") || true
        [ -n "$others" ] || deps='make deps, or '
        echo "make: missing packages: $lacks
make: to install them: ${deps-}as root: apt-get install $lacks"
    else
        echo "make: missing (names of pkg-config, or programs): $lacks
make: install what has them, with headers, by this system's package manager"
    fi >&2
    return 1
}

if [ "${1-}" = missing ]; then
    shift
    say_missing "$@"
    exit
fi

want_for "$@"
if ! is_debian; then
    echo "deps: not a Debian system, nothing checked; needed:$wanted" >&2
    exit 0
fi
missing=
for package in $(not_installed $wanted); do missing="$missing $package"; done
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
# Another apt may be running: wait for it instead of failing.
apt() {
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}
apt update
# Debian's postgresql makes and starts a cluster unless it is told not to. The tests and benches
# start a server of their own.
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
