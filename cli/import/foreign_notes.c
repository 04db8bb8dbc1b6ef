/* See foreign_notes.h. */
#include "cli/import/foreign_notes.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>

enum { LINK, WANTED, MESSAGE, OF_CONVERSATION, OF_MESSAGE, STATEMENTS };

struct foreign_notes {
  sqlite3 *db;
  sqlite3_stmt *statements[STATEMENTS];
  bool any_wanted;
};

static const char setup[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;"
    "CREATE TABLE links (id TEXT PRIMARY KEY, platform TEXT, remote TEXT, at INTEGER) WITHOUT "
    "ROWID;"
    "CREATE TABLE messages (id TEXT PRIMARY KEY, platform TEXT, remote TEXT) WITHOUT ROWID;"
    "BEGIN";

static const char *const sql[STATEMENTS] = {
    [LINK] = "INSERT INTO links VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET"
             " platform = ?2, remote = ?3, at = ?4 WHERE ?4 > at",
    [WANTED] = "INSERT OR IGNORE INTO messages (id) VALUES (?1)",
    [MESSAGE] = "UPDATE messages SET platform = ?2, remote = ?3 WHERE id = ?1",
    [OF_CONVERSATION] = "SELECT platform, remote FROM links WHERE id = ?1",
    [OF_MESSAGE] = "SELECT platform, remote FROM messages WHERE id = ?1"};

struct foreign_notes *foreign_notes_new(struct ck_err *err) {
  struct foreign_notes *n = ck_zalloc(sizeof *n);
  int rc = sqlite3_open_v2("", &n->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_exec(n->db, setup, NULL, NULL, NULL);
  for (int i = 0; rc == SQLITE_OK && i < STATEMENTS; ++i)
    rc = sqlite3_prepare_v2(n->db, sql[i], -1, &n->statements[i], NULL);
  if (rc == SQLITE_OK) return n;
  ck_fail(err, "a temporary database: %s", n->db ? sqlite3_errmsg(n->db) : sqlite3_errstr(rc));
  foreign_notes_free(&n);
  return NULL;
}

void foreign_notes_free(struct foreign_notes **notes) {
  struct foreign_notes *n = *notes;
  if (!n) return;
  for (int i = 0; i < STATEMENTS; ++i) sqlite3_finalize(n->statements[i]);
  sqlite3_close(n->db);
  free(n);
  *notes = NULL;
}

static sqlite3_stmt *begin(struct foreign_notes *n, int which, struct ck_str id) {
  sqlite3_stmt *s = n->statements[which];
  sqlite3_reset(s);
  sqlite3_bind_text(s, 1, id.s, (int)id.n, SQLITE_TRANSIENT);
  return s;
}

static void run_with(sqlite3_stmt *s, struct ck_str platform, struct ck_str remote) {
  sqlite3_bind_text(s, 2, platform.s, (int)platform.n, SQLITE_TRANSIENT);
  sqlite3_bind_text(s, 3, remote.s, (int)remote.n, SQLITE_TRANSIENT);
  sqlite3_step(s);
  sqlite3_reset(s);
}

void foreign_notes_link(struct foreign_notes *n, struct ck_str conversation, struct ck_str platform,
                        struct ck_str remote, int64_t observed_at) {
  if (!conversation.n || !platform.n || !remote.n) return;
  sqlite3_stmt *s = begin(n, LINK, ck_trim(conversation));
  sqlite3_bind_int64(s, 4, observed_at);
  run_with(s, ck_trim(platform), ck_trim(remote));
}

void foreign_notes_wanted(struct foreign_notes *n, struct ck_str message) {
  n->any_wanted = true;
  sqlite3_stmt *s = begin(n, WANTED, ck_trim(message));
  sqlite3_step(s);
  sqlite3_reset(s);
}

void foreign_notes_message(struct foreign_notes *n, struct ck_str message, struct ck_str platform,
                           struct ck_str remote) {
  if (n->any_wanted) run_with(begin(n, MESSAGE, ck_trim(message)), platform, remote);
}

static void noted(struct foreign_notes *n, int which, struct ck_str id, struct ck_str *platform,
                  struct ck_str *remote) {
  struct ck_str *const to[] = {platform, remote};
  sqlite3_stmt *s = begin(n, which, ck_trim(id));
  bool there = sqlite3_step(s) == SQLITE_ROW;
  for (int i = 0; i < 2; ++i) {
    const char *p = there ? (const char *)sqlite3_column_text(s, i) : NULL;
    *to[i] = (struct ck_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(s, i) : 0};
  }
}

void foreign_notes_of_conversation(struct foreign_notes *n, struct ck_str conversation,
                                   struct ck_str *platform, struct ck_str *remote) {
  noted(n, OF_CONVERSATION, conversation, platform, remote);
}

void foreign_notes_of_message(struct foreign_notes *n, struct ck_str message,
                              struct ck_str *platform, struct ck_str *remote) {
  noted(n, OF_MESSAGE, message, platform, remote);
}
