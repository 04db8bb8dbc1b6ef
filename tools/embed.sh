#!/bin/sh
# Prints the C source that has the files of the page (webd/page/page.h).
# usage: embed.sh FILE…
set -eu

type_of() {
    case $1 in
    *.css) echo 'text/css; charset=utf-8' ;;
    *.js | *.mjs) echo 'text/javascript; charset=utf-8' ;;
    *.svg) echo 'image/svg+xml' ;;
    *.png) echo 'image/png' ;;
    *.ico) echo 'image/x-icon' ;;
    *)
        echo "embed: $1: which type is it?" >&2
        exit 1
        ;;
    esac
}

echo '#include "webd/page/page.h"'
i=0
for file in "$@"; do
    echo "static const unsigned char bytes_$i[] = {"
    od -An -v -tu1 "$file" | sed 's/  *\([0-9][0-9]*\)/\1,/g'
    echo '};'
    i=$((i + 1))
done
echo 'const struct page_file page_files[] = {'
i=0
for file in "$@"; do
    type=$(type_of "$file")
    version=$(sha256sum "$file" | cut -c1-16)
    echo "    {\"${file##*/}\", \"$type\", \"$version\", bytes_$i, sizeof bytes_$i},"
    i=$((i + 1))
done
echo '    {0}};'
