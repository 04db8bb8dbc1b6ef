"""What a script does with a ChatGPT export: parse all of it, write its messages into SQLite.
usage: import.py EXPORT DATABASE one|each

one: a single commit. each: one for each row. The database is as durable as convkeep's."""

import json
import sqlite3
import sys

export, database, commits = sys.argv[1:]
db = sqlite3.connect(database, isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute(
    "CREATE TABLE messages (id TEXT PRIMARY KEY, conversation_id TEXT, title TEXT, role TEXT,"
    " text TEXT, created REAL)"
)


def rows():
    with open(export, encoding="utf-8") as file:
        conversations = json.load(file)
    for conversation in conversations:
        for node in conversation["mapping"].values():
            message = node.get("message")
            if not message:
                continue
            content = message.get("content") or {}
            parts = content.get("parts") or [content.get("text") or ""]
            yield (
                message["id"],
                conversation.get("conversation_id") or conversation.get("id"),
                conversation.get("title"),
                message["author"]["role"],
                "\n".join(part for part in parts if isinstance(part, str)),
                message.get("create_time"),
            )


if commits == "one":
    db.execute("BEGIN")
for row in rows():
    db.execute("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?)", row)
if commits == "one":
    db.execute("COMMIT")
print(db.execute("SELECT count(*) FROM messages").fetchone()[0])
