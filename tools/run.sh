#!/bin/bash
# The demonstration of `make run`: starts the ring, imports an export, shows the result and where to
# look, then stays up until ^C.
# usage: tools/run.sh BUILD [--data DIR] [INPUT…]
#        Without INPUT: the project's own samples, and one follow-up.
set -uo pipefail
cd "$(dirname "$0")/.."

build=$(realpath "$1") data=
shift
if [ "${1:-}" = --data ]; then
    data=$2
    shift 2
fi
data=$(realpath -m "${data:-$build/data}")
convkeep() { "$build/bin/convkeep" --data "$data" "$@"; }
# A title above each part's output.
part() { printf '\n── %s ──\n' "$1"; }
# One field of the one-line JSON object on standard input: a number, or text without escapes.
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -1; }

# The sample's follow-up goes to this command, which only appends it to a file. The caller's own
# setting wins.
export CONVKEEP_RENEW_EXEC_DEMO=${CONVKEEP_RENEW_EXEC_DEMO:-"tee -a \"$data/delivered.jsonl\""}

part "up: $data"
exec 3< <(exec "$build/bin/convkeep" --data "$data" up)
up=$!
end() {
    trap '' INT TERM
    kill -TERM "$up" 2>/dev/null
    wait "$up"
    exit $?
}
trap end INT TERM HUP
ready=
while read -r line <&3; do
    printf '%s\n' "$line"
    [ "$line" = ready ] && ready=1 && break
done
if [ -z "$ready" ]; then
    wait "$up"
    code=$?
    echo "run: the ring did not come up (exit $code); its logs are in $data/logs" >&2
    exit "$((code ? code : 1))"
fi

failed=0
if [ $# -gt 0 ]; then
    part "import $*"
    convkeep import "$@" || failed=1
else
    part "import samples/"
    convkeep import samples/chatgpt.json samples/claude.json samples/observations.jsonl || failed=1

    # A conversation that is turned to `auto` before its assistant answers: the answer is followed
    # up, once. What was said long ago gets no follow-up, so this is said now, in the first run.
    part "a follow-up"
    observe() { # MESSAGE_ID ROLE TEXT
        printf '{%s,"message_id":"%s","role":"%s","observed_at":%s,"text":"%s"}\n' \
            "$where" "$1" "$2" "$(date +%s%3N)" "$3" | convkeep import - || failed=1
    }
    where='"platform":"demo","conversation_id":"follow-up","target":{"kind":"exec","id":"demo"}'
    if [ -z "$(convkeep --json list conversations --platform demo)" ]; then
        observe question user "Count to three, one number at a time."
        conversation=$(convkeep --json list conversations --platform demo |
            field local_conversation_id)
        convkeep set "$conversation" --automation auto || failed=1
        observe answer assistant "One. Shall I go on?"
        echo "It is sent when the answer has not changed for renew.delay."
        for _ in $(seq 100); do
            [ -z "$(convkeep --json list jobs --status done)" ] || break
            sleep 0.2
        done
    fi
fi

# The mirror runs after the import, so wait until it has caught up. Two looks in a row have to say
# so: syncd reports up to 0.1 s late.
caught_up=0
for _ in $(seq 50); do
    state=$(convkeep --json sync status)
    if [ "$(field pending <<<"$state")" = 0 ] && [ "$(field in_flight <<<"$state")" = 0 ]; then
        caught_up=$((caught_up + 1))
    else
        caught_up=0
    fi
    [ "$caught_up" = 2 ] && break
    sleep 0.2
done

part "status"
convkeep status || failed=1
part "conversations"
convkeep list conversations --limit 10
if [ $# = 0 ]; then
    part "follow-ups"
    convkeep list jobs --limit 5
fi
part "mirror"
convkeep sync status

part "where to look"
while read -r what file; do
    [ ! -e "$data/$file" ] || printf '%-11s%s\n' "$what" "$data/$file"
done <<'LIST'
database artifact.db
readable artifacts/conversations
mirror mirror.db
delivered delivered.jsonl
settings convkeep.conf
logs logs
LIST
printf 'more       %s --data %s --help\n' "$build/bin/convkeep" "$data"
[ "$failed" = 0 ] || echo "run: something above failed; the ring stays up all the same" >&2
printf '\nIt stays up; ^C ends it.\n'

# Keep showing what the ring prints; a signal ends the wait and calls end().
cat <&3 &
wait "$up"
