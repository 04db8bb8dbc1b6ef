#!/bin/bash
# Tests docker-compose.yml with a real Docker engine: builds the image, waits for healthy daemons,
# imports an export, has a follow-up sent to a container that listens, scales syncd, kills daemons,
# and compares the mirror with the database, row by row.
# usage: tests/compose/run.sh     needs no engine: engine.sh starts one if none answers
set -uo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${CONVKEEP_TEST_ENGINE:-}" ]; then
    tools/deps.sh compose test || { echo "compose: a package is missing"; exit 1; }
    exec tests/compose/engine.sh tests/compose/run.sh
fi

root=
[ "$(id -u)" = 0 ] || root=sudo
work=$(mktemp -d "${TMPDIR:-/tmp}/convkeep-compose.XXXXXX")
tool=(docker-compose)
docker-compose version >/dev/null 2>&1 || tool=(docker compose)
compose() {
    "${tool[@]}" -p "convkeeptest$$" -f docker-compose.yml -f tests/compose/listener.yml "$@"
}
inside() { compose exec -T store convkeep "$@"; }
finish() {
    compose down -v --remove-orphans -t 5 >/dev/null 2>&1
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

passed=0 failed=0
# check NAME COMMAND…: runs COMMAND; if it fails, prints the end of its output and continues.
check() {
    local name=$1 begin=$SECONDS
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name ($((SECONDS - begin)) s)"
    else
        failed=$((failed + 1))
        echo "FAILED  $name ($((SECONDS - begin)) s)"
        tail -40 "$work/said" | sed 's/^/        /'
    fi
}
give_up() {
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}
# until_true SECONDS COMMAND…
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -1; }

base=$(tests/compose/base-image.sh) || { echo "compose: no base image"; give_up; }
export CONVKEEP_TEST_BASE=$base
echo a-secret-of-this-test >"$work/token"
$root chown 10001 "$work/token" && $root chmod 0400 "$work/token"
export CONVKEEP_SECRET_D1_TOKEN=$work/token CONVKEEP_D1_TOKEN_FILE=/run/secrets/d1_token
export CONVKEEP_RENEW_WEBHOOK_ALLOW=http://listener:8080/ CONVKEEP_RENEW_COOLDOWN=1s

# One that nobody listens at.
free_port() {
    local port
    until port=$((20000 + RANDOM % 12000)) && ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        :
    done
    echo $port
}
CONVKEEP_WEB_PORT=$(free_port)
export CONVKEEP_WEB_PORT

# Only the build uses the machine's network: its package mirror may be reachable in no other way.
image() { docker build --network host --build-arg BASE="$base" -t convkeep .; }
check "the image is built" image
docker image inspect convkeep >/dev/null 2>&1 || give_up
megabytes() { docker image inspect -f '{{.Size}}' "$1" | awk '{ printf "%d MB", $1 / 1e6 }'; }
echo "        $(megabytes convkeep), of which base $(megabytes "$base")"

not_root() { [ "$(docker run --rm --network none convkeep id -u)" = 10001 ]; }
no_compiler() {
    ! docker run --rm --network none convkeep sh -c 'command -v cc gcc make pkg-config as ld'
}
check "it runs as a user other than root" not_root
check "it holds no compiler" no_compiler

healthy() { # SERVICE COUNT
    local id n=0
    for id in $(compose ps -q "$1" 2>/dev/null); do
        [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ] && n=$((n + 1))
    done
    [ $n = "$2" ]
}
all_healthy() { # SECONDS COUNT-OF-SYNCD
    local service count
    for service in store ingest renewd webd syncd; do
        count=1
        [ $service != syncd ] || count=$2
        until_true "$1" healthy "$service" "$count" && continue
        echo "$service is not healthy"
        compose ps
        compose logs --tail=20 "$service"
        return 1
    done
}
start() { compose up -d && all_healthy 60 1; }
check "the ring comes up, every part healthy" start

# As convkeep's user: it must be readable for syncd there, and be in no other container.
# grep reads to the end: with -q the command before it could end by SIGPIPE, which pipefail would
# call a failure.
secret() {
    local service
    [ "$(compose exec -T syncd cat /run/secrets/d1_token)" = a-secret-of-this-test ] || return 1
    compose exec -T syncd convkeep --data /data config --json |
        grep /run/secrets/d1_token >/dev/null || return 1
    for service in store ingest renewd webd; do
        ! compose exec -T $service test -e /run/secrets/d1_token || return 1
    done
    for service in store ingest renewd webd syncd; do
        ! docker inspect -f '{{.Config.Env}}' "$(compose ps -q $service | head -1)" |
            grep a-secret-of-this-test >/dev/null || return 1
    done
}
check "the token reaches syncd alone, and no environment" secret

# answer HOST [TOKEN]: what GET /v1/status says at the port on this machine.
answer() {
    local token=''
    [ $# = 1 ] || token="Authorization: Bearer $2"$'\r\n'
    exec 8<>"/dev/tcp/127.0.0.1/$CONVKEEP_WEB_PORT"
    printf 'GET /v1/status HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n' "$1" "$token" >&8
    cat <&8
    exec 8>&-
}
# says STATUS HOST [TOKEN]
says() {
    answer "${@:2}" >"$work/answer"
    head -1 "$work/answer"
    [ "$(awk 'NR == 1 { print $2 }' "$work/answer")" = "$1" ]
}
served() {
    local token here=127.0.0.1:$CONVKEEP_WEB_PORT
    token=$(inside --json web token add compose --scope read | field token)
    [ -n "$token" ] && says 401 "$here" && says 421 "elsewhere:$CONVKEEP_WEB_PORT" "$token" &&
        says 421 127.0.0.1 "$token" && says 200 "$here" "$token" &&
        grep -q '"store_id"' "$work/answer"
}
check "HTTP is served on this machine, for this host only, and to who has a token" served

level() {
    local s
    s=$(inside --json sync status) && [ "$(field pending <<<"$s")" = 0 ] &&
        [ "$(field in_flight <<<"$s")" = 0 ]
}
messages() { inside --json status | sed -n 's/.*"messages": *\([0-9]*\).*/\1/p'; }

import_sample() { inside import - <samples/chatgpt.json && [ "$(messages)" -gt 0 ]; }
check "an export goes in" import_sample
unchanged() {
    local before after
    before=$(inside --json status | field version)
    inside import - <samples/chatgpt.json
    after=$(inside --json status | field version)
    echo "version before $before, after $after"
    [ -n "$before" ] && [ "$before" = "$after" ]
}
check "importing it again changes nothing" unchanged

follow_up() {
    local where id
    where='"platform":"sample","conversation_id":"compose","target":{"kind":"webhook",'
    where+='"id":"listener","payload":{"url":"http://listener:8080/hook"}}'
    echo "{$where,\"message_id\":\"q\",\"role\":\"user\",\"text\":\"Shall we?\"}" |
        inside import - || return 1
    id=$(inside --json list conversations --platform sample | field local_conversation_id)
    inside set "$id" --automation auto || return 1
    where+=",\"observed_at\":$(date +%s%3N)"
    echo "{$where,\"message_id\":\"a\",\"role\":\"assistant\",\"text\":\"We shall.\"}" |
        inside import - || return 1
    until_true 15 sh -c "docker logs $(compose ps -q listener) 2>&1 | grep -q ^POST"
}
check "a follow-up goes out to a container that listens" follow_up
# The job is done, so no other attempt can follow.
delivered() {
    [ "$(inside --json list jobs --status "done" | wc -l)" = 1 ] &&
        [ -z "$(inside --json list jobs --status pending)" ] &&
        [ -z "$(inside --json list jobs --status running)" ]
}
once() {
    until_true 15 delivered || { inside list jobs; return 1; }
    docker logs "$(compose ps -q listener)" >"$work/posts" 2>&1
    cat "$work/posts"
    # One POST, of JSON, whose Idempotency-Key is the delivery's own id.
    [ "$(grep -c ^POST "$work/posts")" = 1 ] &&
        awk -F'\t' '/^POST \/hook / {
            exit !($2 ~ /^application\/json/ && $3 != "-" && index($4, "\"" $3 "\""))
        }' "$work/posts"
}
check "exactly once, with its delivery id" once

scale() { compose up -d --no-recreate --scale syncd=3 && all_healthy 60 3; }
check "syncd is scaled to three" scale

observations() { # FROM TO
    awk -v a="$1" -v b="$2" 'BEGIN { for (i = a; i <= b; i++) {
        printf "{\"platform\":\"sample\",\"conversation_id\":\"c%d\",", i % 97
        printf "\"message_id\":\"m%d\",", i
        printf "\"role\":\"user\",\"text\":\"Message %d, with \\u00e9 and \\\"quotes\\\".\"}\n", i
    } }'
}
many() {
    local before after
    before=$(messages)
    observations 1 3000 | inside import - || return 1
    after=$(messages)
    echo "messages before $before, after $after"
    [ $((after - before)) = 3000 ]
}
check "3000 observations go in while three syncd run" many

# CONTAINER COUNT-BEFORE
restarted() { [ "$(docker inspect -f '{{.RestartCount}}' "$1")" -gt "$2" ]; }
restarts() { # kills from the host, so that the engine sees a crash
    local service id before=()
    for service in store ingest renewd syncd; do
        id=$(compose ps -q $service | head -1)
        before+=("$id $(docker inspect -f '{{.RestartCount}}' "$id")")
        $root kill -9 "$(docker inspect -f '{{.State.Pid}}' "$id")" || return 1
    done
    for id in "${before[@]}"; do
        # shellcheck disable=SC2086
        until_true 60 restarted $id && continue
        docker inspect -f '{{.Name}} was not restarted' "${id% *}"
        return 1
    done
    all_healthy 60 3
}
check "killed daemons come back" restarts
more() {
    observations 3001 3100 | inside import - || return 1
    until_true 60 level
}
check "and accept and mirror what comes then" more

stops() {
    local begin=$SECONDS id
    compose stop -t 10 store ingest renewd syncd || return 1
    echo "stopping took $((SECONDS - begin)) s"
    for id in $(compose ps -q store ingest renewd syncd); do
        # 137: it did not end by itself and was killed.
        [ "$(docker inspect -f '{{.State.ExitCode}}' "$id")" != 0 ] || continue
        docker inspect -f '{{.Name}} ended with {{.State.ExitCode}}' "$id"
        return 1
    done
}
check "every daemon ends by itself when asked to" stops
# There is no settings file in a container. What happened before the stop is left out.
stops_quietly() {
    local id
    for id in $(compose ps -q store ingest renewd syncd); do
        docker logs "$id" 2>&1 | awk '/ event=stopping / { stops = 1; said = "" }
            / event=ready / { stops = 0 }
            stops && / error / { said = said $0 "\n" }
            END { printf "%s", said; exit !stops || said != "" }' && continue
        docker inspect -f '{{.Name}} logs an error at its stop, or no stop' "$id"
        return 1
    done
}
check "and logs no error then" stops_quietly

# Compares the columns of the mirror's tables, all of which the database must have.
same_rows() {
    local id file table columns
    local tables='messages executions sessions local_conversations conversation_links renewal_jobs'
    id=$(compose ps -q store)
    for file in artifact.db artifact.db-wal mirror.db mirror.db-wal; do
        docker cp "$id:/data/$file" "$work/" 2>/dev/null
    done
    for table in $tables; do
        columns=$(sqlite3 "$work/mirror.db" \
            "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info('$table')")
        [ -n "$columns" ] || { echo "no table $table in the mirror"; return 1; }
        for file in artifact mirror; do
            sqlite3 -quote "$work/$file.db" "SELECT $columns FROM $table ORDER BY 1" \
                >"$work/$file.$table" || return 1
        done
        echo "$table: $(wc -l <"$work/artifact.$table") rows"
        diff "$work/artifact.$table" "$work/mirror.$table" >"$work/diff" && continue
        head -10 "$work/diff"
        return 1
    done
    [ -s "$work/mirror.messages" ] && [ -s "$work/mirror.renewal_jobs" ]
}
check "the mirror equals the database, row by row" same_rows
sed 's/^/        /' "$work/said"

# The service of the sqlite sink takes the place of syncd.
several() {
    export COMPOSE_PROFILES=sqlite CONVKEEP_SYNC_SINKS='sqlite null'
    compose up -d --scale syncd=0 && until_true 60 healthy store 1 &&
        until_true 60 healthy syncd-sqlite 1 && until_true 30 level_in sqlite
}
level_in() { [ "$(inside --json sync status --sink "$1" | field pending)" = 0 ]; }
check "several mirrors: a service for each" several

echo "$passed passed, $failed failed"
[ $failed = 0 ]
