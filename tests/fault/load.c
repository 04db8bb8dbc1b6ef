/* The observations, the ledger of answers, the follower, and the comparison at the end. */
#include "tests/fault/load.h"

#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/follow.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define WINDOW 64    /* the most observations without an answer */
#define AHEAD 256    /* how far the newest sent may be ahead of the oldest without an answer */
#define AGAIN_MS 400 /* without any answer for this long, everything without one is sent again */
/* So many that in an hour none of them has so many follow-ups that renewd stops it. */
#define CONVERSATIONS 4000
/* Every tenth observation repeats a message or an execution from this many before: more than AHEAD,
 * so that it never overtakes the first one. */
#define AGAIN_EVERY 10
#define AGAIN_MESSAGE 506
#define AGAIN_EXECUTION 509

struct load {
  unsigned observations, allowed, sent, taken, problems, oldest, outstanding;
  size_t text;
  bool stopped;
  uint64_t *number; /* of TAKEN, by observation; 0: not acknowledged */
  bool *waiting;    /* sent, no answer yet */
  int64_t began;    /* when observation 0 was made; one is made each millisecond */
  int64_t progress_at;
  char problem[320];
  struct ck_buf frame;
  void *door;
  struct ck_follow *follow;
  uint64_t cursor;
  sqlite3 *seen;
  sqlite3_stmt *see;
};

/* ---- the follower ---- */

static void on_change(void *self, uint64_t version, const struct ck_row *row) {
  struct load *l = self;
  struct ck_str key = ck_row_key(row);
  T_CHECK(version > l->cursor, "the follower was given version %" PRIu64 " after %" PRIu64, version,
          l->cursor);
  sqlite3_bind_int(l->see, 1, (int)row->table);
  sqlite3_bind_text(l->see, 2, key.s, (int)key.n, SQLITE_STATIC);
  sqlite3_bind_int64(l->see, 3, (int64_t)version);
  T_CHECK(sqlite3_step(l->see) == SQLITE_DONE, "the test's own table: %s", sqlite3_errmsg(l->seen));
  sqlite3_reset(l->see);
}

static void on_upto(void *self, const char *store_id, uint64_t version, bool live) {
  struct load *l = self;
  (void)store_id, (void)live;
  T_CHECK(version >= l->cursor, "the follower's cursor went back from %" PRIu64 " to %" PRIu64,
          l->cursor, version);
  l->cursor = version;
}

static void on_reset(void *self, const char *store_id) {
  (void)self;
  T_FAIL("the follower was reset: the store is now %s", store_id);
}

static void begin_to_follow(struct load *l) {
  struct ck_follow_ops ops = {l, on_change, on_upto, on_reset, NULL};
  struct ck_err err = {""};
  T_CHECK(sqlite3_open(":memory:", &l->seen) == SQLITE_OK, "no memory");
  sqlite3_exec(l->seen,
               "CREATE TABLE seen (t INTEGER, key TEXT, version INTEGER, PRIMARY KEY (t, key))"
               " WITHOUT ROWID",
               NULL, NULL, NULL);
  sqlite3_prepare_v2(l->seen, "INSERT OR REPLACE INTO seen VALUES (?1, ?2, ?3)", -1, &l->see, NULL);
  l->follow = ck_follow_new(t_settings(), &ops, 0, "", 0, &err);
  T_CHECK(l->follow != NULL, "no follower: %s", err.text);
}

/* ---- the observations ---- */

/* The number of the message in observation i: that of the observation that has it first. Messages
 * and executions are repeated in turn. */
static unsigned id_of(unsigned i) {
  if (i % AGAIN_EVERY != AGAIN_EVERY - 1 || i < AGAIN_EXECUTION) return i;
  return i - (i / AGAIN_EVERY % 2 ? AGAIN_MESSAGE : AGAIN_EXECUTION);
}

/* The observation that repeats a message; UINT_MAX: none. */
static unsigned again_of(unsigned id) {
  unsigned message = id + AGAIN_MESSAGE, execution = id + AGAIN_EXECUTION;
  if (id_of(message) == id) return message;
  return id_of(execution) == id ? execution : UINT_MAX;
}

static void text_of(const struct load *l, unsigned i, char *text) {
  int n = snprintf(text, l->text + 1, "observation %06u, said %s ", id_of(i),
                   id_of(i) == i ? "before" : "later");
  memset(text + n, 'a' + (int)(i % 26), l->text - (size_t)n);
  text[l->text] = 0;
}

static void put_pair(struct ck_buf *b, const char *name, const char *text) {
  ck_put_text(b, name);
  ck_put_text(b, text);
}

static void observe(struct load *l, unsigned i) {
  struct ck_buf o = {0};
  char id[16], conversation[16], *text = ck_alloc(l->text + 1);
  unsigned k = id_of(i);
  bool execution = k % 10 == 0;
  snprintf(id, sizeof id, "k%06u", k);
  snprintf(conversation, sizeof conversation, "c%u", k % CONVERSATIONS);
  text_of(l, i, text);
  ck_put_map(&o, execution ? 7 : 6);
  put_pair(&o, "platform", "load"), put_pair(&o, "text", text),
      put_pair(&o, "role", (k + k / CONVERSATIONS) % 2 ? "assistant" : "user");
  put_pair(&o, "conversation_id", conversation), put_pair(&o, "message_id", id);
  ck_put_text(&o, "observed_at"), ck_put_int(&o, l->began + k);
  if (execution) {
    ck_put_text(&o, "execution"), ck_put_map(&o, 6);
    put_pair(&o, "instruction_id", id), put_pair(&o, "target", "shell"), put_pair(&o, "tool", "ls"),
        put_pair(&o, "result", "listed");
    ck_put_text(&o, "result_ok"), ck_put_int(&o, 1);
    ck_put_text(&o, "executed_at"), ck_put_int(&o, l->began + k);
  }
  struct ck_message m = {.kind = CK_MSG_OBSERVE};
  m.as.observe = (struct ck_observe){i + 1, ck_buf_view(&o)};
  ck_buf_clear(&l->frame);
  ck_message_encode(&l->frame, &m);
  ck_buf_free(&o);
  free(text);
}

/* ---- the stream ---- */

void load_set_clock(struct load *l, int64_t seconds) {
  l->began = ck_now_ms() + seconds * 1000 - 10000 - l->sent;
}

struct load *load_new(unsigned observations, size_t text) {
  struct load *l = ck_zalloc(sizeof *l);
  struct ck_err err = {""};
  l->observations = l->allowed = observations;
  l->text = text;
  load_set_clock(l, 0);
  l->number = ck_zalloc(observations * sizeof *l->number);
  l->waiting = ck_zalloc(observations * sizeof *l->waiting);
  l->door = ck_door_connect(t_settings(), CK_DOOR_OBSERVE, &err);
  T_CHECK(l->door != NULL, "no door: %s", err.text);
  l->progress_at = ck_boot_ms();
  begin_to_follow(l);
  return l;
}

static bool send_one(struct load *l, unsigned i) {
  observe(l, i);
  return ck_send(l->door, ck_buf_view(&l->frame)) == 0;
}

static void send_more(struct load *l) {
  while (l->oldest < l->observations && l->number[l->oldest]) l->oldest++;
  while (!l->stopped && l->sent < l->allowed && l->outstanding < WINDOW &&
         l->sent < l->oldest + AHEAD && send_one(l, l->sent)) {
    l->waiting[l->sent++] = true;
    l->outstanding++;
  }
  if (ck_boot_ms() - l->progress_at < AGAIN_MS) return;
  /* In order, so that a repeated message never comes before the first one. */
  for (unsigned i = l->oldest; i < l->sent; i++)
    if (!l->number[i] && !send_one(l, i)) break;
  l->progress_at = ck_boot_ms();
}

static void note_answer(struct load *l, const struct ck_message *m) {
  if (m->kind == CK_MSG_PROBLEM) {
    l->problems++;
    snprintf(l->problem, sizeof l->problem, "%.*s: %.*s", (int)m->as.problem.code.n,
             m->as.problem.code.s, (int)m->as.problem.reason.n, m->as.problem.reason.s);
    return;
  }
  T_CHECK(m->kind == CK_MSG_TAKEN, "an observation was answered with %s", ck_message_name(m->kind));
  uint64_t i = m->as.taken.request - 1;
  T_CHECK(i < l->sent, "an answer to a question that was not asked");
  T_CHECK(m->as.taken.number > 0, "taken without a number");
  l->progress_at = ck_boot_ms();
  if (l->number[i]) return;
  l->number[i] = m->as.taken.number;
  l->waiting[i] = false;
  l->outstanding--;
  l->taken++;
}

void load_step(struct load *l) { load_step_within(l, 20); }

void load_step_within(struct load *l, int ms) {
  send_more(l);
  zmq_pollitem_t items[3] = {{l->door, 0, ZMQ_POLLIN, 0}};
  int wait = ck_follow_step(l->follow), n = 1 + ck_follow_items(l->follow, items + 1);
  zmq_poll(items, n, wait < 0 || wait > ms ? ms : wait);
  zmq_msg_t frame;
  struct ck_message m;
  struct ck_err err;
  for (int i = 0; i < 1000 && ck_recv(l->door, &frame) == 0; i++) {
    struct ck_str bytes = ck_frame(&frame);
    T_CHECK(ck_message_decode(&m, bytes.s, bytes.n, &err) == 0, "ingest's answer: %s", err.text);
    note_answer(l, &m);
    zmq_msg_close(&frame);
  }
}

unsigned load_sent(const struct load *l) { return l->sent; }

unsigned load_taken(const struct load *l) { return l->taken; }

unsigned load_problems(const struct load *l) { return l->problems; }

const char *load_last_problem(const struct load *l) { return l->problem; }

bool load_done(const struct load *l) { return l->taken == l->observations; }

void load_allow(struct load *l, unsigned n) {
  l->allowed = n < l->observations ? n : l->observations;
}

void load_stop(struct load *l) { l->stopped = true; }

bool load_quiet(const struct load *l) { return l->taken == l->sent; }

/* ---- the ledger compared with the database ---- */

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* If a number acknowledged two observations, ingest would have forgotten one of them. */
static void check_numbers(const struct load *l) {
  uint64_t *sorted = ck_alloc((l->observations + 1) * sizeof *sorted);
  unsigned n = 0;
  for (unsigned i = 0; i < l->observations; i++)
    if (l->number[i]) sorted[n++] = l->number[i];
  qsort(sorted, n, sizeof *sorted, by_number);
  for (unsigned i = 1; i < n; i++)
    T_CHECK(sorted[i] != sorted[i - 1], "number %" PRIu64 " acknowledges two observations",
            sorted[i]);
  free(sorted);
}

static void check_messages(const struct load *l) {
  json_t *rows =
      t_sql("artifact.db", "SELECT id, raw_text FROM messages WHERE platform = 'load' ORDER BY id");
  char *first = ck_alloc(l->text + 1), *again = ck_alloc(l->text + 1), id[16];
  size_t at = 0, n = json_array_size(rows);
  for (unsigned k = 0; k < l->observations; k++) {
    if (id_of(k) != k) continue;
    unsigned second = again_of(k);
    bool was = l->number[k] != 0, changed = second < l->observations && l->number[second] != 0,
         perhaps = second < l->sent;
    snprintf(id, sizeof id, "k%06u", k);
    json_t *row = at < n ? json_array_get(rows, at) : NULL;
    bool there = row && strcmp(t_text_at(row, "id"), id) == 0;
    T_CHECK(there || !was, "%s was acknowledged as number %" PRIu64 " and is missing", id,
            l->number[k]);
    if (!there) continue;
    at++;
    text_of(l, k, first);
    if (second < l->observations) text_of(l, second, again);
    const char *text = t_text_at(row, "raw_text");
    bool is_first = strcmp(text, first) == 0, is_again = perhaps && strcmp(text, again) == 0;
    T_CHECK(is_again || (is_first && !changed), "%s says \"%.60s…\", though %s was said last", id,
            text, changed ? "again" : "first");
  }
  T_CHECK(at == n, "there is a message that nobody said: %s",
          t_text_at(json_array_get(rows, at), "id"));
  T_CHECK(
      t_sql_int("artifact.db", "SELECT sum(message_count) FROM sessions WHERE platform = 'load'") ==
          (int64_t)n,
      "the sessions do not count %zu messages", n);
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT sum(execution_count) FROM sessions WHERE platform = 'load'") ==
              t_sql_int("artifact.db",
                        "SELECT count(*) FROM executions WHERE instruction_id LIKE 'k%'"),
          "the sessions do not count the executions");
  free(first), free(again);
  json_decref(rows);
}

/* The follower has seen what the database has, version for version. */
static void check_followed(struct load *l) {
  int64_t version, until = ck_boot_ms() + 60000 * T_SLOWER;
  T_UNTIL(20000, (version = t_status_int("version", -1)) >= 0, "the store does not answer");
  uint64_t head = (uint64_t)version;
  while (l->cursor < head) {
    T_CHECK(ck_boot_ms() < until, "the follower is at %" PRIu64 " of %" PRIu64, l->cursor, head);
    load_step(l);
  }
  T_CHECK(sqlite3_exec(l->seen, "ATTACH 'file:artifact.db?mode=ro' AS db", NULL, NULL, NULL) ==
              SQLITE_OK,
          "cannot read the database: %s", sqlite3_errmsg(l->seen));
  for (int t = 0; t < CK_TABLES; t++) {
    const char *table = ck_tables[t].name, *key = ck_tables[t].fields[ck_tables[t].key].name;
    char *sql = ck_sprintf("SELECT"
                           " (SELECT count(*) FROM (SELECT %s, version FROM db.%s"
                           " EXCEPT SELECT key, version FROM seen WHERE t = %d)),"
                           " (SELECT count(*) FROM (SELECT key, version FROM seen WHERE t = %d"
                           " EXCEPT SELECT %s, version FROM db.%s))",
                           key, table, t, t, key, table);
    sqlite3_stmt *st;
    T_CHECK(sqlite3_prepare_v2(l->seen, sql, -1, &st, NULL) == SQLITE_OK &&
                sqlite3_step(st) == SQLITE_ROW,
            "%s: %s", sql, sqlite3_errmsg(l->seen));
    T_CHECK(sqlite3_column_int64(st, 0) == 0, "the follower never saw %lld versions of %s",
            (long long)sqlite3_column_int64(st, 0), table);
    T_CHECK(sqlite3_column_int64(st, 1) == 0,
            "the follower saw %lld versions of %s that the database does not have",
            (long long)sqlite3_column_int64(st, 1), table);
    sqlite3_finalize(st);
    free(sql);
  }
}

static void load_free(struct load **load) {
  struct load *l = *load;
  ck_follow_free(&l->follow);
  ck_door_close(&l->door, 0);
  sqlite3_finalize(l->see);
  sqlite3_close(l->seen);
  ck_buf_free(&l->frame);
  free(l->number);
  free(l->waiting);
  free(l);
  *load = NULL;
}

void load_check(struct load **load, int ms) {
  struct load *l = *load;
  check_numbers(l);
  t_settle(ms);
  check_messages(l);
  check_followed(l);
  t_whole(ms);
  load_free(load);
}
