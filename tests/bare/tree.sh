#!/bin/bash
# usage: tests/bare/tree.sh DIR [PACKAGE…]
# Makes DIR a minimal Debian 12 with those packages, for tests. Mirror, proxy and certificates are
# those of this machine's apt.
set -euo pipefail
dir=$1
shift
release=bookworm

# The sources that are Debian's. ORIGIN is left unexpanded if the lists were never fetched.
format='$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)'
sources=$(apt-get indextargets --format "$format" 'Created-By: Packages' |
    awk -v r=$release '$3 == "main" && ($4 == "Debian" || $4 ~ /^\$/) &&
                       ($2 == r || $2 == r "-updates" || $2 == r "-security")' | sort -u)
mirror=$(awk -v r=$release '$2 == r { print $1; exit }' <<<"$sources")

mkdir -p "$dir"
included=$(IFS=,; echo "$*")
if ! debootstrap --variant=minbase ${included:+--include="$included"} "$release" "$dir" \
    ${mirror:+"$mirror"} >"$dir.log" 2>&1; then
    tail -20 "$dir.log" >&2
    exit 1
fi
rm -f "$dir.log"

[ -z "$sources" ] || awk '{ print "deb", $1, $2, $3 }' <<<"$sources" >"$dir/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::((http|https)(::| )|Check-(Valid-Until|Date) )' \
    >"$dir/etc/apt/apt.conf.d/90machine" || true
[ ! -d /usr/local/share/ca-certificates ] ||
    cp -a /usr/local/share/ca-certificates "$dir/usr/local/share/"
# The folder has no init: packages must not start services on installation.
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod 755 "$dir/usr/sbin/policy-rc.d"
chroot "$dir" apt-get clean
rm -rf "$dir"/var/lib/apt/lists/*
