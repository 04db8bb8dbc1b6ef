#!/bin/bash
# Tests what make says if something is missing, what install and uninstall leave, what the programs
# are linked with, and how a run of the suites ends.
# usage: tests/make.sh BUILD
#
# A machine that lacks something is simulated by a PATH of links to all programs but some, and a
# folder of pkg-config's files likewise. Its sudo and apt-get only note that they were called; its
# dpkg-query, if it has one, says that nothing is installed.
set -u
cd "$(dirname "$0")/.."
build=$(realpath "$1")
# The make that has called this one has nothing to say here.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC PKG_CONFIG_PATH
place=$(mktemp -d "${TMPDIR:-/tmp}/convkeep-make.XXXXXX")
trap 'rm -rf "$place"' EXIT
libraries='jansson libarchive libcurl libczmq liblzma libmicrohttpd libpcre2-8 libpq libzmq libzstd md4c msgpack nettle sqlite3 zlib'
packages='libarchive-dev libcurl4-openssl-dev libczmq-dev libjansson-dev liblzma-dev libmd4c-dev libmicrohttpd-dev'
packages="$packages libmsgpack-dev libpcre2-dev libpq-dev libsqlite3-dev libzmq3-dev libzstd-dev nettle-dev"
packages="$packages zlib1g-dev"
passed=0 failed=0

check() { # WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $what"
    else
        failed=$((failed + 1))
        printf 'not ok %s; make said (%s):\n%s\n' "$what" "$code" "$said"
    fi
}

fake() { # MACHINE NAME SCRIPT
    rm -f "$place/$1/bin/$2"
    printf '#!/bin/sh\n%s\n' "$3" >"$place/$1/bin/$2"
    chmod +x "$place/$1/bin/$2"
}

machine() { # NAME PROGRAM…: one that lacks these programs
    local bin=$place/$1/bin folder
    mkdir -p "$bin" "$place/$1/pkgconfig"
    for folder in ${PATH//:/ }; do ln -s "$folder"/* "$bin" 2>/dev/null; done
    fake "$1" sudo "touch $place/installed"
    fake "$1" apt-get "touch $place/installed"
    fake "$1" dpkg-query "exit 1"
    shift
    for name in "$@"; do rm -f "$bin/$name"; done
}

# Every file of pkg-config but one library's.
libraries_but() { # MACHINE LIBRARY
    pkg-config --variable pc_path pkg-config | tr : '\n' | while read -r folder; do
        ln -s "$folder"/*.pc "$place/$1/pkgconfig" 2>/dev/null
    done
    rm -f "$place/$1/pkgconfig/$2.pc"
}

on() { # MACHINE ARGUMENT…: what make says there is in said, its end in code
    local machine=$1
    shift
    said=$(PATH=$place/$machine/bin PKG_CONFIG_LIBDIR=$place/$machine/pkgconfig \
        make BUILD="$place/build" "$@" 2>&1)
    code=$?
}

says() { # TEXT…: each as a line of its own
    local text
    for text in "$@"; do grep -qxF "$text" <<<"$said" || return 1; done
}

# make failed before anything was compiled or installed, with two lines beside its own
# ("make: ***").
nothing_done() {
    [ "$code" = 2 ] && [ "$(grep -cv '^make: \*\*\* ' <<<"$said")" = 2 ] &&
        [ ! -e "$place/installed" ] &&
        [ -z "$(find "$place/build" -name '*.o' 2>/dev/null)" ]
}

names() { # WHAT PACKAGES: make deps is offered, and apt-get
    check "$1: named" says "make: missing packages: $2" \
        "make: to install them: make deps, or as root: apt-get install $2"
    check "$1: nothing done" nothing_done
}

machine no_library
on no_library -j2
names "no library, make" "$packages"
on no_library all
names "no library, make all" "$packages"
on no_library install DESTDIR="$place/none"
names "no library, make install" "$packages"
check "no library: nothing is installed" test ! -e "$place/none"

machine one
libraries_but one jansson
on one all
names "one library" "libjansson-dev"

machine tests
libraries_but tests criterion
on tests "$place/build/obj/tests/unit/test_text.o"
check "no Criterion: only apt-get, since make deps would not install it" says \
    "make: missing packages: libcriterion-dev" \
    "make: to install them: as root: apt-get install libcriterion-dev"
check "no Criterion: nothing done" nothing_done

machine no_pkg_config pkg-config pkgconf
libraries_but no_pkg_config none
on no_pkg_config all
names "no pkg-config" "$(printf "%s\n" $packages pkg-config | sort | xargs)"

machine no_compiler cc gcc
libraries_but no_compiler none
on no_compiler all
names "no compiler" "build-essential"
on no_compiler all CC='gcc -m64'
names "a compiler of two words" "build-essential"
on no_compiler all CC=nocc
check "a compiler that no package has: named" says \
    "make: CC=nocc: there is no compiler nocc on this machine" \
    "make: name one that is there, as in make CC=gcc"
check "a compiler that no package has: nothing done" nothing_done

machine not_debian dpkg-query
on not_debian all
check "not Debian: by names of pkg-config" says \
    "make: missing (names of pkg-config, or programs): $libraries" \
    "make: install what has them, with headers, by this system's package manager"
check "not Debian: nothing done" nothing_done

said=$(make BUILD="$build" needs test-needs 2>&1) code=$?
check "nothing missing: silent" test "$code$said" = 0

# ── install and uninstall ──

root=$place/a\ root
files() { (cd "$root" && find . -mindepth 1 | sort); }
installs() {
    said=$(make BUILD="$build" "$1" DESTDIR="$root" PREFIX=/opt/convkeep 2>&1)
    code=$?
    return "$code"
}
lint() { # MANUAL
    said=$(mandoc -T lint -W warning "$1" 2>&1 | grep -v 'missing date')
    test -z "$said"
}
mkdir -p "$root/opt/convkeep/bin" "$root/opt/convkeep/libexec" "$root/opt/convkeep/share/man"
touch "$root/opt/convkeep/bin/another"
before=$(files)
check "install" installs install
check "install: the command line" test -x "$root/opt/convkeep/bin/convkeep"
check "install: the daemons" test -x "$root/opt/convkeep/libexec/convkeep/store"
for page in man1/convkeep.1 man5/convkeep.conf.5; do
    check "install: $page, which mandoc takes" lint "$root/opt/convkeep/share/man/$page"
done
for file in bash-completion/completions/convkeep zsh/site-functions/_convkeep \
    fish/vendor_completions.d/convkeep.fish; do
    check "install: $file" test -s "$root/opt/convkeep/share/$file"
done
check "uninstall" installs uninstall
check "uninstall: what was there before, and no more" test "$(files)" = "$before"
check "uninstall where nothing is" installs uninstall
installs install
touch "$root/opt/convkeep/libexec/convkeep/of-somebody"
check "uninstall beside a stranger's file" installs uninstall
left=$(ls "$root/opt/convkeep/libexec/convkeep")
check "uninstall: that file stays, alone" test "$left" = of-somebody

# If make did not refuse, it would write in /: its install and rm only note that they were called.
refused() { # TARGET
    said=$(PATH=$place/harmless:$PATH make BUILD="$build" "$1" PREFIX= DESTDIR= 2>&1)
    code=$?
    [ "$code" = 2 ] && [ ! -e "$place/ran" ] && grep -q '^make: PREFIX is empty' <<<"$said"
}
mkdir "$place/harmless"
for name in install rm rmdir; do
    printf '#!/bin/sh\ntouch %s/ran\n' "$place" >"$place/harmless/$name"
    chmod +x "$place/harmless/$name"
done
check "install without a PREFIX" refused install
check "uninstall without a PREFIX" refused uninstall

# libcurl brings twenty libraries more, which cost each start time and memory.
without_curl() { # PROGRAM
    said=$(readelf -d "$build/libexec/convkeep/$1" | grep NEEDED)
    code=$?
    [ "$code" = 0 ] && ! grep -q curl <<<"$said"
}
check "store is linked without libcurl" without_curl store
check "ingest is linked without libcurl" without_curl ingest

# ── a run of the suites, with programs that only say that they passed, failed, or stay ──

suites=$place/suites
mkdir -p "$suites"
program() { # SUITE SCRIPT
    printf '#!/bin/sh\n%s\n' "$2" >"$suites/$1"
    chmod +x "$suites/$1"
}
program flow 'echo "[FAIL] a::b: (1.00s)"; echo "Synthesis: Tested: 2 | Passing: 1 |"; exit 1'
program golden 'echo "Synthesis: Tested: 3 | Passing: 3 |"'
program fault "echo \$\$ >$suites/pid; exec sleep 60"
run() { TEST_PROGRAMS=$suites exec tests/run.sh "$suites" "$@"; }
fails_as_a_whole() {
    said=$(run flow golden 2>&1)
    code=$?
    [ "$code" = 1 ] && [ "$(tail -1 <<<"$said")" = "4 passed, 1 failed" ] &&
        grep -q '^golden .*3 passed .*0 failed' <<<"$said" &&
        [ "$(grep -cF '[FAIL] a::b' <<<"$said")" = 2 ]
}
ends_when_told() {
    local begin=$SECONDS id
    run fault >"$suites/said" 2>&1 &
    id=$!
    until [ -s "$suites/pid" ] || ! kill -0 "$id"; do sleep 0.05; done
    kill -TERM "$id"
    wait "$id"
    code=$?
    said=$(cat "$suites/said")
    [ "$code" = 130 ] && [ $((SECONDS - begin)) -lt 30 ] &&
        ! kill -0 "$(cat "$suites/pid")" 2>/dev/null
}
check "run: one suite that fails, and the next one goes on" fails_as_a_whole
check "run: told to end, it ends the suite" ends_when_told

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
