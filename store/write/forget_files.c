/* The files of attachments that forgotten messages named. One that another message names stays: all
 * messages are looked through for that, in pieces. A message that changes meanwhile gets a higher
 * version, and is come to later. */
#include "store/write/forget.h"

#define MESSAGES_A_ROW 50 /* so many are looked through in the time in which a row is deleted */

/* The files that messages m name: each by the source's id of it. */
#define NAMED_BY_M \
  " CROSS JOIN json_each(CASE WHEN json_valid(m.details) THEN m.details END, '$.attachments') a" \
  " CROSS JOIN attachment_names n ON n.file = CASE a.type WHEN 'object'" \
  "  THEN json_extract(a.value, '$.file') END AND n.file <> ''"

static const char *const named[] = {
    "INSERT OR IGNORE INTO forgetting_files SELECT ?3, n.hash FROM messages m" NAMED_BY_M
    " WHERE m.version IN (SELECT version FROM temp.forget_rows WHERE t = 0)"};
_Static_assert(CK_MESSAGES == 0, "the number above");

/* ?2: looked through up to this version; ?4: how many. */
static const char next_sql[] =
    "SELECT count(*), max(version) FROM (SELECT version FROM messages WHERE version > ?2"
    " ORDER BY version LIMIT ?4)";
static const char *const kept[] = {
    "DELETE FROM forgetting_files WHERE number = ?3 AND hash IN (SELECT n.hash FROM messages "
    "m" NAMED_BY_M " WHERE m.version > ?2 AND m.version <= ?4)"};

static const char *const rest[] = {
    "INSERT OR IGNORE INTO forgotten_files SELECT hash, ?5 FROM forgetting_files"
    " WHERE number = ?3",
    "DELETE FROM attachments WHERE hash IN"
    " (SELECT hash FROM forgetting_files WHERE number = ?3)",
    "DELETE FROM attachment_names WHERE hash IN"
    " (SELECT hash FROM forgetting_files WHERE number = ?3)"};

int forget_files_named(struct apply *a, const struct forget *f, struct ck_err *err) {
  return forget_run(a, named, 1, f, err);
}

/* *n messages from f->version on; *upto: the last of them. */
static int look_ahead(struct apply *a, const struct forget *f, int64_t *n, int64_t *upto,
                      struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a, next_sql, f, err);
  int rc = s ? forget_next(a, s, err) : -1;
  *n = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  *upto = rc > 0 ? sqlite3_column_int64(s, 1) : 0;
  sqlite3_finalize(s);
  return rc < 0 ? -1 : 0;
}

/* 1: some of them may still have to go; 0: none; -1. */
static int any(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s =
      forget_begin(a, "SELECT 1 FROM forgetting_files WHERE number = ?3 LIMIT 1", f, err);
  int rc = s ? forget_next(a, s, err) : -1;
  sqlite3_finalize(s);
  return rc;
}

int forget_files_some(struct apply *a, struct forget *f, struct ck_err *err) {
  int there = any(a, f, err);
  if (there <= 0) return there < 0 ? -1 : 1;
  int64_t n, upto, budget = f->limit;
  f->limit *= MESSAGES_A_ROW;
  const int64_t most = f->limit;
  if (look_ahead(a, f, &n, &upto, err)) return -1;
  f->limit = upto;
  if (n && forget_run(a, kept, 1, f, err)) return -1;
  f->version = (uint64_t)upto;
  f->limit = budget - 1 - n / MESSAGES_A_ROW;
  if (n == most) return 0;
  return forget_run(a, rest, sizeof rest / sizeof *rest, f, err) ? -1 : 1;
}

int apply_delete_files(struct apply *a, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(a->db,
                               "SELECT hash FROM forgotten_files"
                               " WHERE hash NOT IN (SELECT hash FROM attachments)",
                               err);
  int rc = s ? SQLITE_ROW : -1, bad = 0;
  while (bad == 0 && rc == SQLITE_ROW && (rc = sqlite3_step(s)) == SQLITE_ROW)
    bad = attachments_delete(a->attachments, db_str(s, 0), err);
  if (s && bad == 0 && rc != SQLITE_DONE) bad = db_fail(a->db, "forgotten_files", err);
  sqlite3_finalize(s);
  return s && bad == 0 ? 0 : -1;
}
