/* The conversation's deliveries, newest first, and whether a person came after them. Versions tell
 * what came after what: they follow no clock. */
#include "store/read/brake.h"

#include "proto/map.h"

#define HOURLY 60

struct deliveries {
  struct ck_str conversation;
  int64_t wanted; /* automatic ones that are looked for */
  bool has_sixtieth;
  int64_t sixtieth_at; /* wall */
  int64_t nth;         /* the version of the last one that was wanted; 0: there are fewer */
  int64_t nth_made;    /* when its job was made; wall */
};

/* The inner SELECT needs only an index, and the rows are read up to the last one that counts. */
static const char deliveries_sql[] =
    "SELECT version, job_id, message_id, status, attempt_count, last_attempt_at,"
    " created_at FROM renewal_jobs"
    " WHERE version IN (SELECT version FROM renewal_jobs WHERE local_conversation_id = ?1)"
    " AND attempt_count > 0 ORDER BY version DESC";

/* A pending job is the one that renewd asks about: its own attempts do not count among those in a
 * row. */
static void count(struct deliveries *d, sqlite3_stmt *s, int64_t *attempts, int64_t *in_a_row) {
  if (*attempts < HOURLY && (*attempts += sqlite3_column_int64(s, 4)) >= HOURLY) {
    d->has_sixtieth = true;
    d->sixtieth_at = sqlite3_column_int64(s, 5);
  }
  if (d->nth || ck_str_is(db_str(s, 3), "pending") ||
      !ck_job_is_automatic(db_str(s, 1), db_str(s, 2)))
    return;
  if (++*in_a_row < d->wanted) return;
  d->nth = sqlite3_column_int64(s, 0);
  d->nth_made = sqlite3_column_int64(s, 6);
}

static int look(sqlite3 *db, struct deliveries *d, struct ck_err *err) {
  int64_t attempts = 0, in_a_row = 0;
  int rc = SQLITE_ROW;
  sqlite3_stmt *s = db_prepare(db, deliveries_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  while (!(d->has_sixtieth && d->nth) && (rc = sqlite3_step(s)) == SQLITE_ROW)
    count(d, s, &attempts, &in_a_row);
  int bad = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(db, "brakes", err);
  sqlite3_finalize(s);
  return bad;
}

/* Did a person say something, or let it go on, after that version? What came with an export is
 * history, or another branch of the conversation. A message that came before the
 * job was made gets a later version when it is observed again with another title; it does not count
 * as new. */
static const char person_sql[] =
    "SELECT EXISTS (SELECT 1 FROM automation WHERE local_conversation_id = ?1 AND resumed > ?2)"
    " OR EXISTS (SELECT 1 FROM conversation_links l"
    "  JOIN messages m ON m.conversation_id = l.remote_conversation_id AND m.platform = l.platform"
    "  WHERE l.local_conversation_id = ?1 AND m.version > ?2 AND m.created_at >= ?3"
    "  AND m.role IN ('user', 'human') AND m.live = 1"
    "  AND NOT EXISTS (SELECT 1 FROM sent WHERE sent.message_id = m.id)"
    "  AND NOT EXISTS (SELECT 1 FROM renewal_jobs j WHERE j.local_conversation_id = ?1"
    "   AND j.attempt_count > 0 AND trim(j.payload) = trim(m.raw_text)))";

/* 1, 0, or -1. */
static int person_since(sqlite3 *db, const struct deliveries *d, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, person_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  sqlite3_bind_int64(s, 2, d->nth);
  sqlite3_bind_int64(s, 3, d->nth_made);
  int rc = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : db_fail(db, "brakes", err);
  sqlite3_finalize(s);
  return rc;
}

static void put(struct ck_buf *rows, const struct deliveries *d, bool stopped) {
  ck_put_array(rows, 1);
  struct ck_map m = ck_map_open(rows);
  if (d->has_sixtieth)
    ck_pair_int(&m, "sixtieth_at", d->sixtieth_at);
  else
    ck_pair_nil(&m, "sixtieth_at");
  ck_pair_int(&m, "stopped", stopped);
  ck_map_close(&m);
}

int brake_query(sqlite3 *db, const struct ck_query *q, struct ck_buf *rows, const char **code,
                struct ck_err *err) {
  struct deliveries d = {.conversation = ck_map_str(q->filters, "local_conversation_id"),
                         .wanted = ck_map_int(q->filters, "in_a_row", 0)};
  *code = "bad_request";
  if (d.conversation.n == 0 || d.wanted < 1)
    return ck_fail(err, "query.filters: brakes needs local_conversation_id and in_a_row");
  if (look(db, &d, err)) return -1;
  int person = d.nth ? person_since(db, &d, err) : 1;
  if (person < 0) return -1;
  put(rows, &d, !person);
  return 0;
}
