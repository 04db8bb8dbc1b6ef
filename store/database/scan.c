/* A merge of six cursors, one per table, each in the order of its versions. */
#include "store/database/scan.h"

#include <stdlib.h>

#include "proto/wire.h"

/* How much of a frame a list of changes may fill. */
#define CHANGES_BYTES (CK_FRAME_MAX - 1024u)

struct cursor {
  sqlite3_stmt *all, *some; /* some: of the brief part; NULL: there is none */
  sqlite3_stmt *at;         /* the one under way */
  uint64_t version;         /* of the current row; 0: after the last */
};

struct scan {
  sqlite3 *db;
  struct cursor at[CK_TABLES];
  int stepped;    /* the table whose row was returned last, or -1 */
  uint64_t last;  /* the version that was returned last, or after which it began */
  uint64_t brief; /* up to this version not all rows are wanted */
};

/* Which rows are in the brief part, and the index that has them. */
#define RENEWED_CONVERSATIONS "automation_status <> 'manual'"
#define RENEWED_JOBS \
  "status = 'running' OR (status = 'pending'" \
  " AND (last_attempt_at IS NOT NULL OR job_id GLOB '" CK_JOB_OF_RENEWD "*'))"
static const struct {
  const char *index, *rows;
} briefs[CK_TABLES] = {[CK_CONVERSATIONS] = {"conversations_renewed", RENEWED_CONVERSATIONS},
                       [CK_JOBS] = {"jobs_renewed", RENEWED_JOBS}};
const char scan_schema[] = "CREATE INDEX conversations_renewed ON local_conversations (version)"
                           " WHERE " RENEWED_CONVERSATIONS ";"
                           "CREATE INDEX jobs_renewed ON renewal_jobs (version)"
                           " WHERE " RENEWED_JOBS ";";

static sqlite3_stmt *prepare(struct scan *s, enum ck_table t, bool brief, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT version, ");
  db_columns(&sql, t, "");
  ck_buf_printf(&sql, " FROM %s", ck_tables[t].name);
  if (brief) ck_buf_printf(&sql, " INDEXED BY %s", briefs[t].index);
  ck_buf_text(&sql, " WHERE version > ?1");
  if (brief) ck_buf_printf(&sql, " AND version <= ?2 AND (%s)", briefs[t].rows);
  ck_buf_text(&sql, " ORDER BY version");
  sqlite3_stmt *stmt = db_prepare(s->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return stmt;
}

struct scan *scan_new(sqlite3 *db, struct ck_err *err) {
  struct scan *s = ck_zalloc(sizeof *s);
  s->db = db;
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    struct cursor *c = &s->at[t];
    c->at = c->all = prepare(s, t, false, err);
    if (c->all && briefs[t].rows) c->some = prepare(s, t, true, err);
    if (!c->all || (briefs[t].rows && !c->some)) {
      scan_free(&s);
      return NULL;
    }
  }
  return s;
}

void scan_free(struct scan **scan) {
  if (!*scan) return;
  for (int t = 0; t < CK_TABLES; ++t) {
    sqlite3_finalize((*scan)->at[t].all);
    sqlite3_finalize((*scan)->at[t].some);
  }
  free(*scan);
  *scan = NULL;
}

void scan_brief(struct scan *s, uint64_t upto) { s->brief = upto > INT64_MAX ? INT64_MAX : upto; }

static void begin(struct scan *s, struct cursor *c, uint64_t after) {
  c->at = c->some && after < s->brief ? c->some : c->all;
  sqlite3_bind_int64(c->at, 1, (sqlite3_int64)after);
  if (c->at == c->some) sqlite3_bind_int64(c->at, 2, (sqlite3_int64)s->brief);
}

static int advance(struct scan *s, int t, struct ck_err *err) {
  struct cursor *c = &s->at[t];
  int rc = sqlite3_step(c->at);
  if (rc == SQLITE_DONE && c->at == c->some) {
    begin(s, c, s->brief);
    rc = sqlite3_step(c->at);
  }
  c->version = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(c->at, 0) : 0;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(s->db, ck_tables[t].name, err);
}

void scan_end(struct scan *s) {
  for (int t = 0; t < CK_TABLES; ++t) {
    sqlite3_reset(s->at[t].all);
    sqlite3_reset(s->at[t].some);
  }
  s->brief = 0;
  sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
}

int scan_begin(struct scan *s, uint64_t after, unsigned tables, uint64_t *head,
               struct ck_err *err) {
  if (db_exec(s->db, "BEGIN", err)) return -1;
  s->stepped = -1;
  s->last = after;
  int rc = db_head(s->db, head, err);
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) {
    s->at[t].version = 0;
    if (tables && !(tables & 1u << t)) continue;
    begin(s, &s->at[t], after);
    rc = advance(s, t, err);
  }
  if (rc) scan_end(s);
  return rc;
}

int scan_next(struct scan *s, uint64_t *version, struct ck_row *row, struct ck_err *err) {
  if (s->stepped >= 0 && advance(s, s->stepped, err)) return -1;
  int least = -1;
  for (int t = 0; t < CK_TABLES; ++t)
    if (s->at[t].version && (least < 0 || s->at[t].version < s->at[least].version)) least = t;
  s->stepped = least;
  if (least < 0) return 0;
  /* In a damaged table the rows after one may begin before it, and whoever goes on after the last
   * would never come to an end. */
  if (s->at[least].version <= s->last)
    return ck_fail(err, "%s: its versions are out of order after %llu", ck_tables[least].name,
                   (unsigned long long)s->last);
  *version = s->last = s->at[least].version;
  db_row(s->at[least].at, 1, (enum ck_table)least, row);
  return 1;
}

bool scan_encode(struct ck_buf *changes, uint64_t version, const struct ck_row *row) {
  size_t before = changes->len;
  ck_change_encode(changes, version, row);
  if (changes->len <= CHANGES_BYTES) return true;
  changes->len = before;
  return false;
}
