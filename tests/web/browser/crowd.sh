#!/bin/bash
# Starts a ring with so many conversations, which are written straight into its database, and opens
# each view of it in Chromium (crowd.cjs).
# usage: tests/web/browser/crowd.sh BUILD FOLDER COUNT; FOLDER is made, and keeps the ring's data
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=$1 folder=$2 count=$3
export TZ=UTC # of the days that are filtered by
mkdir -p "$folder"
ring=
finish() { [ -z "$ring" ] || { kill "$ring" && wait "$ring"; } 2>/dev/null || true; }
trap finish EXIT
trap 'exit 130' INT TERM HUP
convkeep=("$build/bin/convkeep" --data "$folder/data" --set web.listen=127.0.0.1:0 --set web.rate=0
    --set artifacts.form=none)
mkfifo "$folder/said"
up() {
    "${convkeep[@]}" up >"$folder/said" 2>>"$folder/errors" &
    ring=$!
    read -r ready <"$folder/said"
    [ "$ready" = ready ]
}
up
kill "$ring" && wait "$ring"
ring=

# One in 100 conversations is of another platform, one in 50 on auto, every other without a title;
# one in ten has a follow-up, which waits a year, or has failed, or was delivered.
sqlite3 -bail "$folder/data/artifact.db" >"$folder/filled" <<END
PRAGMA synchronous = OFF;
BEGIN;
CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $count)
    SELECT i, iif(i % 100, 'chatgpt', 'rare') AS platform, 1700000000000 + i * 300000 AS at FROM n;
INSERT INTO local_conversations (version, local_conversation_id, platform, automation_status,
    title, last_message_id, newest_at, created_at, updated_at)
    SELECT 1000000 + i, 'x:c' || i, platform, iif(i % 50, 'manual', 'auto'),
        iif(i % 2, 'Talk number ' || i, NULL), 'm' || i, at, at, at FROM n;
INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,
    remote_conversation_id, is_active, observed_at, created_at, updated_at)
    SELECT 2000000 + i, 'link' || i, 'x:c' || i, platform, 'c' || i, 1, at, at, at FROM n;
INSERT INTO sessions (version, id, platform, conversation_id, started_at, last_activity_at,
    message_count, execution_count, static_path, created_at)
    SELECT 3000000 + i, 's' || i, platform, 'c' || i, at, at, 1, 0, 'session/2025/x.txt', at FROM n;
INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, observed_at,
    static_path, created_at, live)
    SELECT 4000000 + i, 'm' || i, platform, 'c' || i, 'user', 'What is number ' || i || '?', at,
        'msg/2025/01/01/x.txt', at, 0 FROM n;
INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status, payload,
    payload_kind, attempt_count, max_attempts, next_attempt_at, last_error, finished_at,
    created_at, updated_at)
    SELECT 5000000 + i, 'hand_' || i, 'x:c' || i, 'm' || i,
        CASE i / 10 % 3 WHEN 0 THEN 'pending' WHEN 1 THEN 'failed' ELSE 'done' END, 'go on', 'text',
        i / 10 % 3 <> 0, 3,
        iif(i / 10 % 3, NULL, (strftime('%s') + 31536000) * 1000 + i * 1000),
        iif(i / 10 % 3 = 1, 'HTTP 500', NULL), iif(i / 10 % 3, at, NULL), at, at FROM n
    WHERE i % 10 = 0;
COMMIT;
END
"${convkeep[@]}" rebuild seals >/dev/null
up
link=$("${convkeep[@]}" --json open | sed -n 's/.*"link":"\([^"]*\)".*/\1/p')
node tests/web/browser/crowd.cjs "$link" "$count"
