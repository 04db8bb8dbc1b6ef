#!/bin/bash
# The rules of the rooms: which room may include, call and name what. Prints each breach with file
# and line, and exits with 1 if there is any.
#
#   msgpack                  only in proto/
#   sqlite3                  only in store/, proto/sqlite_pages.[ch], syncd/sinks/sink_sqlite* and
#                            cli/import/foreign*.[ch]
#   curl                     only in proto/curl_loop.[ch], proto/url.c, syncd/sinks/sink_*.c and
#                            renewd/channel_*.c; its multi interface only in the first
#   libpq                    only in syncd/sinks/sink_postgres*.c
#   libarchive               only in cli/import/archive.c and cli/reading/export_zip.c
#   nettle                   only in proto/sha256.c
#   zlib, liblzma            only in cli/import/inflate.c
#   zstd                     only in ingest/, store/originals/ and cli/import/inflate.c
#   md4c                     only in proto/render/
#   pcre2                    only in proto/pattern.c
#   libmicrohttpd            only in webd/http/
#   another room's header    a daemon includes its own and proto's; proto its own; cli its own and
#                            proto's
#   clock, environment,      only in proto/ and cli/
#   standard output
#   the mirror's SQL         only in syncd/
#   waiting                  not in the pure files
#   the core of renewd       of proto it includes only the headers in `core_may`, and takes no
#                            randomness from the kernel
#   another folder's header  only that of a folder that `floors` lists for it
#   an inner header          only in its own sub-room. A folder is a sub-room if it has a header of
#                            its own name (store/keys/keys.h); others include that one only
#   retired words            not as a name or a part of one, in the folder that has retired them
#
# Retired words are looked for in tests/ and bench/ too. A rule is about code, so comments and
# strings are removed first. Retired phrases are looked for in every line of code and docs.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

shopt -s nullglob globstar
files=({proto,ingest,store,syncd,renewd,webd,cli}/{,*/}*.[ch])
tests=({tests,bench}/{,*/}*.[ch])
doors=()
for f in "${files[@]}"; do
    [[ $f == */*/* ]] || continue
    folder=${f%/*}
    [ -f "$folder/${folder##*/}.h" ] && doors+=("$folder")
done
[ ${#files[@]} -gt 0 ] || { echo "rooms: no sources here" >&2; exit 1; }

# FOLDER WORD INSTEAD: one name for one thing.
# A word is looked for in the parts of a name between underscores; FOLDER is a prefix of the path.
# Names that come from a library or from the six tables are left out.
retired='
store/   care      task
store/   copier    backup_copy
store/   progress  lag
store/   local     system
store/   shared    context
store/   wants     demand
store/   vacate    release
syncd/   wants     demand
syncd/   care      caution
syncd/   job       batch
syncd/   bury      dead_letter
ingest/  taker     acceptor
ingest/  aside     quarantine
ingest/  shape     changeset
ingest/  sink      visitor
ingest/  lie       found
renewd/  ask       query
proto/   ck_keep   ck_unacked
tests/unit/test_store    care      task
tests/unit/test_store    copier    backup_copy
tests/unit/test_store    progress  lag
tests/unit/test_store    shared    context
tests/unit/test_store    wants     demand
tests/unit/test_syncd    wants     demand
tests/unit/test_syncd    care      caution
tests/unit/test_renewd   ask       query
tests/   taker     acceptor
tests/   vacate    release
tests/   bury      dead_letter
tests/   ck_keep   ck_unacked
bench/   taker     acceptor
bench/   copier    backup_copy
bench/   wants     demand
bench/   care      task
'

# PHRASE = INSTEAD, in texts: messages, comments, docs.
phrases='
set aside = a dead letter, or moved
passed over = skipped, or swept again
handed back = returned
'

# FOLDER and the folders of its room whose headers it may include, besides its own. These are above
# it in the list, so there is no circle. Every sub-folder has a line. A room's own line is for the
# files beside its sub-folders, except main.c, which may include all; without it they may, too.
floors='
proto
proto/render    proto
cli
cli/sync        cli
cli/reading     cli
cli/import      cli
store
store/database  store
store/keys      store store/database
store/files     store store/database store/keys
store/search    store store/database store/keys
store/originals store store/database
store/format    store store/database store/keys store/files store/originals
store/mirror    store store/database store/keys
store/tasks     store store/database store/keys store/files store/originals store/format store/search
store/read      store store/database store/keys store/files store/originals store/mirror store/tasks store/search
store/write     store store/database store/keys store/files store/originals store/mirror store/read
ingest/parse
ingest/spool
ingest          ingest/parse ingest/spool
ingest/sources  ingest ingest/parse
ingest/files    ingest ingest/parse ingest/spool ingest/sources
ingest/watch    ingest ingest/parse ingest/spool ingest/sources ingest/files
renewd/core
syncd/sql
syncd/batches   syncd/sql
syncd/sinks     syncd/sql syncd/batches
syncd/tasks     syncd/sql syncd/batches syncd/sinks
webd/guard
webd/http       webd/guard
webd/ask
webd            webd/guard webd/http webd/ask
webd/api        webd webd/guard webd/http webd/ask
webd/page       webd webd/guard webd/http webd/ask
'

awk -v floors="$floors" -v doors="${doors[*]:-}" -v retired="$retired" '
BEGIN {
    split(doors, names, " "); for (i in names) has_door[names[i]] = 1
    waits = "sleep|usleep|nanosleep|clock_nanosleep|poll|ppoll|select|epoll_wait|" \
            "open|openat|fopen|read|write|recv|send|connect|fsync|fdatasync|" \
            "system|fork|waitpid|ck_now_ms|ck_boot_ms|ck_mono_us|" \
            "zmq_[a-z_]+|zsock_[a-z_]+|zstr_[a-z_]+|zpoller_[a-z_]+"
    core_may = "^proto/(account|calendar|cost|crc32c|error|heap|map|pattern|payload|quiet|random|records|" \
               "renewal|text|wire|words|zone)[.]h$"
    sqlite_elsewhere = "sqlite3 outside store/, proto/sqlite_pages.[ch]," \
                       " syncd/sinks/sink_sqlite*.[ch] and cli/import/foreign*.[ch]"
    libpq_elsewhere = "libpq outside syncd/sinks/sink_postgres*.c"
    archive_elsewhere = "libarchive outside cli/import/archive.c and cli/reading/export_zip.c"
    nettle_elsewhere = "nettle outside proto/sha256.c"
    md4c_elsewhere = "md4c outside proto/render/"
    pcre2_elsewhere = "pcre2 outside proto/pattern.c"
    microhttpd_elsewhere = "libmicrohttpd outside webd/http/"
    zlib_elsewhere = "zlib or liblzma outside cli/import/inflate.c"
    zstd_elsewhere = "zstd outside ingest/, store/originals/ and cli/import/inflate.c"
    curl_elsewhere = "curl outside proto/curl_loop.[ch], proto/url.c, syncd/sinks/sink_*.c, " \
                     "renewd/channel_*.c"
}

BEGIN {
    pairs = split(retired, lines, "\n"); kept = 0
    for (i = 1; i <= pairs; i++)
        if (split(lines[i], part, " ") == 3) {
            kept++; prefix[kept] = part[1]; word[kept] = part[2]; instead[kept] = part[3]
        }
    pairs = kept
}

BEGIN {
    floor_count = split(floors, lines, "\n")
    for (i = 1; i <= floor_count; i++) {
        n = split(lines[i], part, " ")
        if (n == 0) continue
        for (j = 2; j <= n; j++) {
            if (!(part[j] in has_floor)) {
                printf "floors: %s is not above %s\n", part[j], part[1]; breaches++
            }
            may_include[part[1], part[j]] = 1
        }
        has_floor[part[1]] = 1
    }
}

# The header is of another folder of this room, which the file is not to know.
function above(inner) {
    if (inner == folder || inner == "" || inner !~ ("^" room "(/|$)")) return 0
    if (folder == room && (!(room in has_floor) || FILENAME == room "/main.c")) return 0
    return !((folder, inner) in may_include)
}

function folder_of(path) { sub("/[^/]*$", "", path); return path }

# Names of the project with a part that the folder of this file has retired.
function retired_words(text,    i, names) {
    names = text
    gsub(/(sqlite3|curl|zmq|json|PQ)_[A-Za-z0-9_]*/, " ", names)
    gsub(/local_conversation[a-z_]*|[A-Z_]*LOCAL_CONVERSATION[A-Z_]*/, " ", names)
    for (i = 1; i <= pairs; i++)
        if (index(FILENAME, prefix[i]) == 1 &&
            match(tolower(names), "(^|[^a-z0-9])" word[i] "([^a-z0-9]|$)"))
            breach("the word " word[i] " is retired here; it is " instead[i] " now")
}

function breach(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; breaches++ }

# One line without comments and with empty strings; in_comment lasts from line to line.
function code(line,    out, c, two, quote) {
    out = ""
    while (line != "") {
        two = substr(line, 1, 2); c = substr(line, 1, 1)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; out = out " "; line = substr(line, 3) }
            else line = substr(line, 2)
        } else if (quote != "") {
            if (c == "\\") line = substr(line, 3)
            else { if (c == quote) { out = out c; quote = "" } line = substr(line, 2) }
        } else if (two == "/*") { in_comment = 1; line = substr(line, 3) }
        else if (two == "//") break
        else { if (c == "\"" || c == "\047") quote = c; out = out c; line = substr(line, 2) }
    }
    return out
}

# A call of one of the names (a|b|c): not of a longer name that ends so, nor of a member.
function calls(text, names) { return match(text, "(^|[^A-Za-z0-9_.>])(" names ")[ \t]*\\(") }

FNR == 1 {
    in_comment = 0
    room = FILENAME; sub("/.*", "", room)
    is_test = room == "tests" || room == "bench"
    folder = folder_of(FILENAME)
    if (!is_test && folder != room && !(folder in has_floor))
        breach(folder "/ has no line in floors")
    file = FILENAME; sub(".*/", room "/", file)
    is_sqlite = room == "store" || FILENAME ~ "^syncd/sinks/sink_sqlite[^/]*\\.[ch]$" || \
                FILENAME ~ "^proto/sqlite_pages\\.[ch]$" || \
                FILENAME ~ "^cli/import/foreign[^/]*\\.[ch]$"
    is_curl_loop = file ~ "^proto/curl_loop\\.[ch]$"
    is_http = is_curl_loop || file == "proto/url.c" || \
              FILENAME ~ "^(syncd/sinks/sink_|renewd/channel_)[^/]*\\.c$"
    is_zstd = room == "ingest" || folder == "store/originals"
    is_libpq = FILENAME ~ "^syncd/sinks/sink_postgres[^/]*\\.[ch]$"
    is_pure = FILENAME ~ "^(proto/render/|ingest/changeset|store/write/rules|renewd/core/|syncd/batches/|webd/guard/(names|rate))"
    is_core = folder == "renewd/core"
    is_edge = room == "proto" || room == "cli"
}

!is_test && !in_comment && match($0, /^[ \t]*#[ \t]*include[ \t]*[<"][^>"]*[>"]/) {
    header = substr($0, RSTART, RLENGTH); gsub(/^[^<"]*[<"]|[>"]$/, "", header)
    if (header ~ /^msgpack/ && room != "proto") breach("msgpack outside proto/")
    if (header ~ /^sqlite3/ && !is_sqlite) breach(sqlite_elsewhere)
    if ((header ~ /^curl\// || header == "proto/curl_loop.h") && !is_http) breach(curl_elsewhere)
    if (header ~ /^(libpq|postgresql)/ && !is_libpq) breach(libpq_elsewhere)
    if (header ~ /^archive(_entry)?\.h$/ && FILENAME != "cli/import/archive.c" &&
        FILENAME != "cli/reading/export_zip.c") breach(archive_elsewhere)
    if ((header == "zlib.h" || header == "lzma.h") && FILENAME != "cli/import/inflate.c")
        breach(zlib_elsewhere)
    if (header ~ /^zstd/ && !is_zstd && FILENAME != "cli/import/inflate.c") breach(zstd_elsewhere)
    if (header ~ /^md4c/ && folder != "proto/render") breach(md4c_elsewhere)
    if (header ~ /^pcre2/ && FILENAME != "proto/pattern.c") breach(pcre2_elsewhere)
    if (header ~ /^microhttpd/ && folder != "webd/http") breach(microhttpd_elsewhere)
    if (header ~ /^nettle\// && FILENAME != "proto/sha256.c") breach(nettle_elsewhere)
    if (is_core && header ~ /^proto\// && header !~ core_may)
        breach("the core of renewd is pure: " header)
    if (match(header, /^(\.\.\/)*(proto|ingest|store|syncd|renewd|webd|cli|tests|bench)\//)) {
        of = header; gsub(/^(\.\.\/)*/, "", of); sub("/.*", "", of)
        if (of != room && of != "proto") breach("header of " of "/ in " room "/: " header)
        gsub(/^(\.\.\/)*/, "", header)
        inner = folder_of(header); door = inner; sub(".*/", "", door)
        if (above(inner)) breach("header of " inner "/ in " folder "/: " header)
        if (inner in has_door && inner != folder && header != inner "/" door ".h")
            breach("an inner header of " inner "/: include " inner "/" door ".h")
    }
}

{
    text = code($0)
    retired_words(text)
    if (is_test) next
    if (room != "proto" && calls(text, "msgpack_[a-z0-9_]+")) breach("msgpack outside proto/")
    if (!is_sqlite && calls(text, "sqlite3_[a-z0-9_]+"))
        breach(sqlite_elsewhere)
    if (folder != "proto/render" && calls(text, "md_[a-z]+")) breach(md4c_elsewhere)
    if (folder != "webd/http" && calls(text, "MHD_[a-z_]+")) breach(microhttpd_elsewhere)
    if (!is_curl_loop && calls(text, "curl_multi_[a-z0-9_]+"))
        breach("curl_multi_ outside proto/curl_loop.c")
    if (!is_http && calls(text, "curl_[a-z0-9_]+")) breach(curl_elsewhere)
    if (!is_libpq && calls(text, "PQ[a-zA-Z]+")) breach(libpq_elsewhere)
    if (room != "syncd" && calls(text, "ck_(mirror|pg)_[a-z0-9_]+"))
        breach("the mirror\047s SQL outside syncd/")
    if (!is_edge) {
        if (calls(text, "clock_gettime|gettimeofday|time|clock|zclock_[a-z]+"))
            breach("a clock outside proto/ and cli/: use ck_now_ms, ck_boot_ms or ck_mono_us")
        if (calls(text, "getenv|secure_getenv|setenv|putenv|unsetenv") ||
            text ~ /(^|[^A-Za-z0-9_])environ([^A-Za-z0-9_]|$)/)
            breach("the environment outside proto/ and cli/")
        if (calls(text, "printf|vprintf|puts|putchar|perror") ||
            text ~ /(^|[^A-Za-z0-9_])stdout([^A-Za-z0-9_]|$)/ ||
            text ~ ("(^|[^A-Za-z0-9_])(write|dprintf|vdprintf)[ \t]*\\([ \t]*" \
                    "(1|STDOUT_FILENO)[ \t]*,"))
            breach("standard output outside proto/ and cli/")
    }
    if (is_core && calls(text, "ck_random_id|ck_(mutation|message|row)_(en|de)code[a-z]*"))
        breach("the core of renewd is pure: no randomness of the kernel, no frames")
    if (is_pure && calls(text, waits))
        breach("a pure file waits or reads the clock: pass the time as an argument")
}

END {
    if (breaches) printf "rooms: %d breaches\n", breaches
    exit (breaches > 0)
}' "${files[@]}" "${tests[@]}"

texts=("${files[@]}" {tests,bench}/**/*.[ch] {.,*,docs}/*.md store/*/*.md syncd/*/*.md tools/*.sh)
found=0
while IFS== read -r phrase instead; do
    [ -n "$phrase" ] || continue
    if grep -HniF -- "${phrase% }" "${texts[@]}"; then
        echo "rooms: \"${phrase% }\" is retired; it is:$instead"
        found=1
    fi
done <<<"$phrases"
[ "$found" = 0 ] || exit 1

echo "rooms: ${#files[@]} files keep to them"
