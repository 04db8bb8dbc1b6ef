#!/bin/sh
# Puts promtool, Prometheus' own tool, which the tests of /metrics run, into a file.
# Debian's package prometheus has it, but installed would start a server on this machine. So only
# the program is taken out of the package, and nothing is installed: this needs no root.
#
# usage: promtool.sh FILE
set -eu
to=$1
mkdir -p "$(dirname "$to")"

if there=$(command -v promtool); then
    ln -sf "$there" "$to"
    exit
fi
if ! command -v apt-get >/dev/null; then
    echo "promtool: missing, and this is not a Debian system: install it (it comes with" \
        "Prometheus), or put it at $to" >&2
    exit 1
fi

folder=$(realpath "$(mktemp -d "$to.XXXXXX")")
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
# The sandbox of apt, a user of its own, could not write here.
apt() { (cd "$folder" && apt-get -qq -o APT::Sandbox::User=root "$@"); }

echo "promtool: taking it out of Debian's package prometheus, which is not installed"
# This machine's lists of packages may be missing, or name one that is gone.
if ! apt download prometheus 2>/dev/null; then
    mkdir -p "$folder/lists/partial"
    lists() { apt -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" "$@"; }
    lists update
    lists download prometheus
fi
dpkg-deb --fsys-tarfile "$folder"/prometheus_*.deb | tar -xOf - ./usr/bin/promtool >"$folder/promtool"
chmod 755 "$folder/promtool"
"$folder/promtool" --version >/dev/null
mv "$folder/promtool" "$to"
