/* The conversation's deliveries, newest first, and whether a person came after them; and the
 * message that is followed up. Versions tell what came after what: they follow no clock. */
#include "store/read/brake.h"

#include "proto/calendar.h"
#include "proto/cost.h"
#include "proto/map.h"
#include "store/keys/keys.h"
#include "store/database/moment.h"
#include "store/read/echo.h"

#define HOURLY 60
#define TEXT_MAX (256 << 10)

/* What the deliveries of a day may use. */
struct budget {
  int64_t most, used; /* 0: anything */
  int64_t age;        /* of the oldest that counts, once as much is used */
};

struct deliveries {
  struct ck_str conversation, message, job;
  struct budget cost, tokens;
  int64_t in_a_row, per_day, alike; /* what is looked for; 0: nothing */
  bool has_sixtieth, has_day;
  int64_t sixtieth, day; /* their ages */
  int64_t nth;           /* the version of the last of in_a_row; 0: there are fewer */
  int64_t nth_made;      /* when its job was made; wall */
  bool are_alike;
};

/* 0: the statement has a row, or none; -1 with the reason. */
static int check(struct db_cached *db, int rc, struct ck_err *err) {
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(db_cached_db(db), "brakes", err);
}

/* ---- how many, and when ---- */

/* They are in the order in which they began. */
static const char attempts_sql[] = "SELECT " MOMENT_AGE(
    "begun", "start", "boot") " FROM attempts WHERE local_conversation_id = ?1"
                              " AND charged = 1 ORDER BY number DESC LIMIT 1 OFFSET ?2";

/* How long ago the nth newest attempt began; *is_there is false if there are fewer. */
static int find_attempt(struct db_cached *db, const struct deliveries *d, int64_t nth,
                        bool *is_there, int64_t *age, struct ck_err *err) {
  *is_there = false;
  if (!nth) return 0;
  sqlite3_stmt *s = db_cached(db, attempts_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  sqlite3_bind_int64(s, 2, nth - 1);
  int rc = sqlite3_step(s);
  *is_there = rc == SQLITE_ROW;
  if (*is_there) *age = sqlite3_column_int64(s, 0);
  int bad = check(db, rc, err);
  db_done(db, s);
  return bad;
}

static const char costs_sql[] = "SELECT " MOMENT_AGE(
    "begun", "start",
    "boot") ", cost, tokens FROM attempts"
            " WHERE local_conversation_id = ?1 AND charged = 1 ORDER BY number DESC";

static bool is_used_up(const struct budget *b) { return b->most && b->used >= b->most; }

/* An attempt of that age, older than those before. */
static void use(struct budget *b, int64_t amount, int64_t age) {
  if (!b->most || amount <= 0 || is_used_up(b)) return;
  b->used = amount < b->most - b->used ? b->used + amount : b->most;
  b->age = age;
}

/* The newest first, until both are used up, or a day is over. */
static int find_costs(struct db_cached *db, struct deliveries *d, struct ck_err *err) {
  if (!d->cost.most && !d->tokens.most) return 0;
  sqlite3_stmt *s = db_cached(db, costs_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && sqlite3_column_int64(s, 0) < CK_DAY_MS) {
    use(&d->cost, ck_cost_of(sqlite3_column_double(s, 1)), sqlite3_column_int64(s, 0));
    use(&d->tokens, sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 0));
  }
  int bad = check(db, rc, err);
  db_done(db, s);
  return bad;
}

/* The inner SELECT needs only an index, and the rows are read up to the last one that counts. A
 * pending job is the one that renewd asks about: its own attempts do not count. */
static const char row_sql[] =
    "SELECT version, created_at, job_id, message_id FROM renewal_jobs"
    " WHERE version IN (SELECT version FROM renewal_jobs WHERE local_conversation_id = ?1)"
    " AND attempt_count > 0 AND status <> 'pending' ORDER BY version DESC";

static int find_row(struct db_cached *db, struct deliveries *d, struct ck_err *err) {
  int64_t in_a_row = 0;
  int rc = SQLITE_ROW;
  if (!d->in_a_row) return 0;
  sqlite3_stmt *s = db_cached(db, row_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  while (in_a_row < d->in_a_row && (rc = sqlite3_step(s)) == SQLITE_ROW)
    in_a_row += ck_job_is_automatic(db_str(s, 2), db_str(s, 3));
  if (rc == SQLITE_ROW) {
    d->nth = sqlite3_column_int64(s, 0);
    d->nth_made = sqlite3_column_int64(s, 1);
  }
  int bad = check(db, rc, err);
  db_done(db, s);
  return bad;
}

static int look(struct db_cached *db, struct deliveries *d, struct ck_err *err) {
  if (find_attempt(db, d, HOURLY, &d->has_sixtieth, &d->sixtieth, err) ||
      find_attempt(db, d, d->per_day, &d->has_day, &d->day, err) || find_costs(db, d, err))
    return -1;
  return find_row(db, d, err);
}

/* ---- a person ---- */

static const char resumed_sql[] = "SELECT EXISTS (SELECT 1 FROM automation"
                                  " WHERE local_conversation_id = ?1 AND resumed > ?2)";

/* What came with an export is history, or another branch of the conversation. A message that came
 * before the job was made gets a later version when it is observed again with another title; it
 * does not count as new. What a program tells its model, and what a command has printed, goes by
 * the name of the user, too; and what was taken back was not said. */
static const char said_sql[] =
    "SELECT m.raw_text FROM conversation_links l"
    " JOIN messages m ON m.conversation_id = l.remote_conversation_id AND m.platform = l.platform"
    " WHERE l.local_conversation_id = ?1 AND m.version > ?2 AND m.created_at >= ?3"
    " AND m.role IN ('user', 'human') AND m.live = 1"
    " AND (m.details IS NULL OR NOT json_valid(m.details)"
    "  OR (coalesce(m.details ->> '$.kind', '') NOT IN ('context', 'result')"
    "   AND coalesce(m.details ->> '$.hidden', 0) = 0))"
    " AND NOT EXISTS (SELECT 1 FROM sent WHERE sent.message_id = m.id)";

static const char payloads_sql[] = "SELECT DISTINCT payload, payload_kind FROM renewal_jobs"
                                   " WHERE local_conversation_id = ?1 AND attempt_count > 0";

/* Is the text one of a follow-up? 1, 0, or -1. */
static int is_follow_up(struct db_cached *db, sqlite3_stmt *payloads, struct ck_str text,
                        struct ck_err *err) {
  int rc;
  bool is = false;
  while (!is && (rc = sqlite3_step(payloads)) == SQLITE_ROW)
    is = echo_of(db_str(payloads, 0), db_str(payloads, 1), text);
  int bad = is ? 0 : check(db, rc, err);
  sqlite3_reset(payloads);
  return bad ? -1 : is;
}

static int look_for_words(struct db_cached *db, sqlite3_stmt *said, sqlite3_stmt *payloads,
                          struct ck_err *err) {
  int rc, own = 1;
  while (own == 1 && (rc = sqlite3_step(said)) == SQLITE_ROW)
    own = is_follow_up(db, payloads, db_str(said, 0), err);
  if (own < 1) return own < 0 ? -1 : 1;
  return check(db, rc, err);
}

static int has_resumed(struct db_cached *db, const struct deliveries *d, struct ck_err *err) {
  sqlite3_stmt *s = db_cached(db, resumed_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  sqlite3_bind_int64(s, 2, d->nth);
  int rc = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0)
                                         : db_fail(db_cached_db(db), "brakes", err);
  db_done(db, s);
  return rc;
}

/* Did a person say something, or let it go on, after that version? 1, 0, or -1. */
static int person_since(struct db_cached *db, const struct deliveries *d, struct ck_err *err) {
  int person = has_resumed(db, d, err);
  if (person) return person;
  sqlite3_stmt *said = db_cached(db, said_sql, err);
  sqlite3_stmt *payloads = said ? db_cached(db, payloads_sql, err) : NULL;
  if (payloads) {
    db_bind_str(said, 1, d->conversation);
    sqlite3_bind_int64(said, 2, d->nth);
    sqlite3_bind_int64(said, 3, d->nth_made);
    db_bind_str(payloads, 1, d->conversation);
    person = look_for_words(db, said, payloads, err);
  }
  db_done(db, payloads);
  db_done(db, said);
  return payloads ? person : -1;
}

/* ---- the message ---- */

/* The version of a message, which is one of the newest of its conversation, ?1, as a rule. */
#define VERSION_OF(id) \
  "coalesce((SELECT version FROM (SELECT version, id AS its FROM messages" \
  " WHERE conversation_id = (SELECT remote_conversation_id FROM conversation_links" \
  "  WHERE local_conversation_id = ?1 AND is_active = 1 ORDER BY updated_at DESC LIMIT 1)" \
  " ORDER BY observed_at DESC LIMIT 32) WHERE its = " id "), " KEYS_VERSION_OF(id) ")"

/* The answers before it that were followed up, the newest first. */
static const char answers_sql[] =
    "SELECT m.raw_text, last.raw_text"
    " FROM (SELECT message_id FROM renewal_jobs WHERE local_conversation_id = ?1"
    "  AND attempt_count > 0 AND message_id <> ?2 ORDER BY version DESC LIMIT ?3) j"
    " JOIN messages m ON m.version = " VERSION_OF(
        "j.message_id") " JOIN messages last ON last.version = " VERSION_OF("?2");

static int compare_answers(struct db_cached *db, struct deliveries *d, struct ck_err *err) {
  int64_t alike = 1;
  int rc;
  if (!d->alike || !d->message.n) return 0;
  sqlite3_stmt *s = db_cached(db, answers_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  db_bind_str(s, 2, d->message);
  sqlite3_bind_int64(s, 3, d->alike - 1);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && echo_same(db_str(s, 0), db_str(s, 1))) ++alike;
  int bad = check(db, rc, err);
  db_done(db, s);
  d->are_alike = alike >= d->alike;
  return bad;
}

static const char message_sql[] =
    "SELECT raw_text, d ->> '$.waits', d ->> '$.turn', d -> '$.limit', created_at,"
    " EXISTS (SELECT 1 FROM automation WHERE local_conversation_id = ?1 AND resumed > version)"
    " FROM (SELECT raw_text, created_at, version, CASE WHEN json_valid(details) THEN details END "
    "AS d"
    "  FROM messages) m WHERE m.version = " VERSION_OF("?2");

static void put_text_or_nil(struct ck_map *m, const char *name, sqlite3_stmt *s, int column) {
  if (sqlite3_column_type(s, column) == SQLITE_TEXT)
    ck_pair_str(m, name, ck_utf8_end(db_str(s, column), TEXT_MAX));
  else
    ck_pair_nil(m, name);
}

static int put_message(struct db_cached *db, struct ck_map *m, const struct deliveries *d,
                       struct ck_err *err) {
  sqlite3_stmt *s = db_cached(db, message_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  db_bind_str(s, 2, d->message);
  int rc = d->message.n ? sqlite3_step(s) : SQLITE_DONE;
  bool is_there = rc == SQLITE_ROW;
  if (is_there) {
    put_text_or_nil(m, "text", s, 0);
    put_text_or_nil(m, "waits", s, 1);
    put_text_or_nil(m, "turn", s, 2);
    put_text_or_nil(m, "limit", s, 3);
    ck_pair_int(m, "came_at", sqlite3_column_int64(s, 4));
  } else {
    ck_pair_nil(m, "text");
    ck_pair_nil(m, "waits");
    ck_pair_nil(m, "turn");
    ck_pair_nil(m, "limit");
    ck_pair_nil(m, "came_at");
  }
  ck_pair_int(m, "resumed", is_there ? sqlite3_column_int(s, 5) : 0);
  int bad = check(db, rc, err);
  db_done(db, s);
  return bad;
}

/* ---- the answer ---- */

static const char rules_sql[] =
    "SELECT renewal, coalesce(r ->> '$.in_a_row', ?2), coalesce(r ->> '$.per_day', ?3),"
    " coalesce(r ->> '$.alike', ?4), platform,"
    " coalesce(CAST(round((r ->> '$.cost_per_day') * 1000000) AS INTEGER), ?5),"
    " coalesce(r ->> '$.tokens_per_day', ?6) FROM (SELECT renewal, platform,"
    "  CASE WHEN json_valid(renewal) THEN renewal ELSE '{}' END AS r"
    "  FROM local_conversations WHERE local_conversation_id = ?1)";

/* What the conversation says counts. */
static int put_rules(struct db_cached *db, struct ck_map *m, struct deliveries *d,
                     struct ck_err *err) {
  sqlite3_stmt *s = db_cached(db, rules_sql, err);
  if (!s) return -1;
  db_bind_str(s, 1, d->conversation);
  sqlite3_bind_int64(s, 2, d->in_a_row);
  sqlite3_bind_int64(s, 3, d->per_day);
  sqlite3_bind_int64(s, 4, d->alike);
  sqlite3_bind_int64(s, 5, d->cost.most);
  sqlite3_bind_int64(s, 6, d->tokens.most);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    put_text_or_nil(m, "renewal", s, 0);
    put_text_or_nil(m, "platform", s, 4);
    d->in_a_row = sqlite3_column_int64(s, 1);
    d->per_day = sqlite3_column_int64(s, 2);
    d->alike = sqlite3_column_int64(s, 3);
    d->cost.most = sqlite3_column_int64(s, 5);
    d->tokens.most = sqlite3_column_int64(s, 6);
  } else {
    ck_pair_nil(m, "renewal");
    ck_pair_nil(m, "platform");
  }
  int bad = check(db, rc, err);
  db_done(db, s);
  return bad;
}

static int put_anyway(struct db_cached *db, struct ck_map *m, const struct deliveries *d,
                      struct ck_err *err) {
  sqlite3_stmt *s = db_cached(db, "SELECT EXISTS (SELECT 1 FROM anyway WHERE job_id = ?1)", err);
  if (!s) return -1;
  db_bind_str(s, 1, d->job);
  int bad = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(db_cached_db(db), "brakes", err);
  if (!bad) ck_pair_int(m, "anyway", sqlite3_column_int(s, 0));
  db_done(db, s);
  return bad;
}

static void put_age(struct ck_map *m, const char *name, bool is_there, int64_t age) {
  if (is_there)
    ck_pair_int(m, name, age);
  else
    ck_pair_nil(m, name);
}

static void put_budget(struct ck_map *m, const char *most, const char *age,
                       const struct budget *b) {
  ck_pair_int(m, most, is_used_up(b) ? b->most : 0);
  put_age(m, age, is_used_up(b), b->age);
}

static int put(struct db_cached *db, struct ck_map *m, struct deliveries *d, struct ck_err *err) {
  if (put_rules(db, m, d, err) || look(db, d, err) || compare_answers(db, d, err)) return -1;
  int person = d->nth ? person_since(db, d, err) : 1;
  if (person < 0) return -1;
  put_age(m, "sixtieth_age", d->has_sixtieth, d->sixtieth);
  ck_pair_int(m, "in_a_row", person ? 0 : d->in_a_row);
  ck_pair_int(m, "per_day", d->has_day ? d->per_day : 0);
  put_age(m, "day_age", d->has_day, d->day);
  put_budget(m, "cost_per_day", "cost_age", &d->cost);
  put_budget(m, "tokens_per_day", "tokens_age", &d->tokens);
  ck_pair_int(m, "alike", d->are_alike ? d->alike : 0);
  return put_anyway(db, m, d, err) || put_message(db, m, d, err) ? -1 : 0;
}

int brake_query(struct db_cached *db, const struct ck_query *q, struct ck_buf *rows,
                const char **code, struct ck_err *err) {
  struct deliveries d = {.conversation = ck_map_str(q->filters, "local_conversation_id"),
                         .message = ck_map_str(q->filters, "message_id"),
                         .job = ck_map_str(q->filters, "job_id"),
                         .in_a_row = ck_map_int(q->filters, "in_a_row", 0),
                         .per_day = ck_map_int(q->filters, "per_day", 0),
                         .alike = ck_map_int(q->filters, "alike", 0),
                         .cost.most = ck_map_int(q->filters, "cost_per_day", 0),
                         .tokens.most = ck_map_int(q->filters, "tokens_per_day", 0)};
  *code = "bad_request";
  if (d.conversation.n == 0 || d.in_a_row < 0 || d.per_day < 0 || d.alike < 0 || d.cost.most < 0 ||
      d.tokens.most < 0)
    return ck_fail(err, "query.filters: brakes needs local_conversation_id, and numbers from 0 on");
  ck_put_array(rows, 1);
  struct ck_map m = ck_map_open(rows);
  int rc = put(db, &m, &d, err);
  ck_map_close(&m);
  return rc;
}
