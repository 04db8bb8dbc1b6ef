/* See power_store.h: the stream of changesets, the store, and what must be stored. */
#include "tests/fault/power_store.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/format/migrations.h"
#include "store/keys/keys.h"

#define SESSIONS 7
#define CONVERSATIONS 11
#define ONE "power"

static _Atomic uint64_t state; /* the checkpoint thread draws too */
static uint64_t stream_seed, seed;
static unsigned stream_size = 1;
static char folder[64];

/* ---- random numbers ---- */

static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

uint64_t power_below(uint64_t n) {
  if (!state) {
    const char *given = getenv("CONVKEEP_TEST_SEED");
    state = seed = given ? strtoull(given, NULL, 10) : (uint64_t)ck_mono_us() | 1;
    fprintf(stderr, "CONVKEEP_TEST_SEED=%" PRIu64 "\n", seed);
  }
  return mix(state += 0x9e3779b97f4a7c15u) % n;
}

void power_stream(uint64_t stream, unsigned size) {
  stream_seed = stream;
  stream_size = size;
}

/* ---- the stream ---- */

enum kind { OBSERVED, TOUCHED, REFUSED };

static uint64_t draw(uint64_t k, uint64_t what) { return mix(stream_seed ^ mix(k * 8 + what)); }

static enum kind kind_of(uint64_t k) {
  uint64_t r = draw(k, 0) % 10;
  return r < 7 || k == 1 ? OBSERVED : r < 9 ? TOUCHED : REFUSED;
}

/* The message that it writes. */
static uint64_t message_of(uint64_t k) {
  return kind_of(k) == TOUCHED ? 1 + draw(k, 1) % (k - 1) : k;
}

static struct ck_str text_of(struct ck_buf *b, uint64_t k) {
  uint64_t r = draw(k, 2);
  size_t n = (r % 50 ? r % 2000 : 30000) * stream_size;
  ck_buf_clear(b);
  ck_buf_printf(b, "said by %" PRIu64 " ", k);
  memset(ck_buf_room(b, n), 'a' + (int)(r % 26), n);
  b->len += n;
  return ck_buf_view(b);
}

static struct ck_value name(struct ck_arena *a, char kind, uint64_t k) {
  char text[32];
  snprintf(text, sizeof text, "%c%" PRIu64, kind, k);
  return ck_text(ck_arena_copy(a, ck_str_of(text)));
}

static void put_message(struct ck_buf *b, struct ck_arena *a, struct ck_buf *text, uint64_t k) {
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = name(a, 'm', message_of(k));
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("p");
  row.v[CK_MESSAGES_ROLE] = ck_textz("assistant");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_text(text_of(text, k));
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int((int64_t)k);
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void put_session(struct ck_buf *b, struct ck_arena *a, uint64_t k) {
  struct ck_row row = {.table = CK_SESSIONS};
  row.v[CK_SESSIONS_ID] = name(a, 's', k % SESSIONS);
  row.v[CK_SESSIONS_PLATFORM] = ck_textz("p");
  row.v[CK_SESSIONS_STARTED_AT] = row.v[CK_SESSIONS_LAST_ACTIVITY_AT] = ck_int((int64_t)k);
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void put_conversation(struct ck_buf *b, struct ck_arena *a, uint64_t k) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = name(a, 'c', k % CONVERSATIONS);
  row.v[CK_CONVERSATIONS_PLATFORM] = ck_textz("p");
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(k / CONVERSATIONS % 3 ? "manual" : "auto");
  row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = name(a, 'm', k);
  row.v[CK_CONVERSATIONS_LAST_MESSAGE_AT] = ck_int((int64_t)k);
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void put_link(struct ck_buf *b, struct ck_arena *a, uint64_t k, bool dangling) {
  struct ck_row row = {.table = CK_LINKS};
  row.v[CK_LINKS_LINK_ID] = name(a, 'l', k);
  row.v[CK_LINKS_LOCAL_CONVERSATION_ID] =
      dangling ? ck_textz("nowhere") : name(a, 'c', k % CONVERSATIONS);
  row.v[CK_LINKS_PLATFORM] = ck_textz("p");
  row.v[CK_LINKS_REMOTE_CONVERSATION_ID] =
      name(a, 'r', dangling ? k + CONVERSATIONS : k % CONVERSATIONS);
  row.v[CK_LINKS_OBSERVED_AT] = ck_int((int64_t)k);
  ck_mutation_row(b, CK_OP_PUT, &row);
}

static void make(struct ck_buf *b, struct ck_arena *a, uint64_t k) {
  struct ck_buf text = {0};
  uint32_t n = 1;
  size_t open = ck_open_array(b);
  put_message(b, a, &text, k);
  if (kind_of(k) == OBSERVED) {
    put_session(b, a, k);
    put_conversation(b, a, k);
    put_link(b, a, k, false);
    n = 4;
  } else if (kind_of(k) == REFUSED) {
    put_link(b, a, k + 1000000, true);
    n = 2;
  }
  ck_close_array(b, open, n);
  ck_buf_free(&text);
}

/* ---- the store ---- */

static int read_producers(struct power_store *s, struct ck_err *err) {
  producers_free(&s->producers);
  s->producer = NULL;
  s->producers = producers_load(s->system, err);
  if (!s->producers) return -1;
  s->producer = producers_find(s->producers, CK_LIT(ONE));
  if (!s->producer) s->producer = producers_add(s->producers, CK_LIT(ONE));
  return 0;
}

int power_open(struct power_store *s, struct ck_err *err) {
  uint64_t head;
  *s = (struct power_store){0};
  ck_log_setup("power", CK_ERROR);
  if (db_open_writer(&s->db, store_migrations, 1, err) || db_grow_wal(s->db, err) ||
      db_head(s->db, &head, err))
    return -1;
  s->system = system_new(s->db, err);
  if (!s->system || read_producers(s, err)) return -1;
  s->settings = ck_settings_load(NULL, err);
  s->mirrors = s->settings ? mirrors_open(s->db, s->settings, head, err) : NULL;
  s->apply = s->mirrors ? apply_new(s->db, s->system, s->mirrors, head, err) : NULL;
  if (s->apply) apply_resize_keys(s->apply, 8, 3, 32);
  return s->apply ? 0 : -1;
}

int power_checkpoint(struct power_store *s, unsigned due, bool thread, struct ck_err *err) {
  s->checkpoint = checkpoint_new(s->db, due, err);
  return s->checkpoint && (!thread || checkpoint_start(s->checkpoint, err) == 0) ? 0 : -1;
}

void power_close(struct power_store *s) {
  apply_free(&s->apply);
  producers_free(&s->producers);
  system_free(&s->system);
  checkpoint_free(&s->checkpoint);
  mirrors_free(&s->mirrors);
  ck_settings_free(&s->settings);
  db_close(&s->db);
}

uint64_t power_applied(const struct power_store *s) {
  return s->producer ? s->producer->applied : 0;
}

static int apply_one(struct power_store *s, struct ck_err *err) {
  struct ck_buf b = {0};
  struct ck_arena a = {0};
  struct ck_err reason = {""};
  uint64_t k = s->producer->applied + 1;
  make(&b, &a, k);
  struct ck_changeset c = {CK_LIT(ONE), 1, k, ck_buf_view(&b)};
  char letter = apply_changeset(s->apply, &c, 1000, &reason);
  if (letter)
    producer_result(s->producer, k, letter, ck_str_of(reason.text), apply_counts(s->apply));
  else
    *err = reason;
  ck_buf_free(&b);
  ck_arena_free(&a);
  return letter ? 0 : -1;
}

int power_batch(struct power_store *s, unsigned n, struct ck_err *err) {
  bool constraint = false;
  err->text[0] = '\0';
  if (!s->producer && read_producers(s, err)) return -1;
  int rc = apply_begin(s->apply, err);
  for (unsigned i = 0; i < n && rc == 0; ++i) rc = apply_one(s, err);
  if (rc) apply_abandon(s->apply);
  if (rc == 0) rc = apply_commit(s->apply, s->producers, &constraint, err);
  if (rc) {
    struct ck_err again;
    cr_assert(!constraint, "a failing disk is taken for a broken rule: %s", err->text);
    read_producers(s, &again);
    return -1;
  }
  apply_release_changes(s->apply);
  producers_receipted(s->producers);
  if (s->checkpoint) checkpoint_turn(s->checkpoint);
  return 0;
}

/* ---- what must be stored ---- */

struct expected {
  uint64_t n, head, *last; /* for each message, the number that wrote it last; 0: not there */
  int64_t counts[SESSIONS];
  uint64_t messages, refused;
  struct ck_buf results;
};

static void expect(struct expected *x, uint64_t n) {
  *x = (struct expected){.n = n, .last = ck_zalloc((n + 1) * sizeof *x->last)};
  for (uint64_t k = 1; k <= n; ++k) {
    enum kind kind = kind_of(k);
    uint64_t m = message_of(k);
    char letter = kind == REFUSED ? 'r' : kind == TOUCHED && x->last[m] ? 'u' : 'n';
    ck_buf_add(&x->results, &letter, 1);
    x->refused += kind == REFUSED;
    if (kind == REFUSED) continue;
    x->messages += x->last[m] == 0;
    x->last[m] = k;
    x->head += kind == OBSERVED ? 4 : 1;
    x->counts[k % SESSIONS] += kind == OBSERVED;
  }
}

static int64_t one(struct power_store *s, const char *sql) {
  struct ck_err err = {""};
  int64_t v;
  cr_assert_eq(db_int(s->db, sql, -1, &v, &err), 0, "%s", err.text);
  return v;
}

static sqlite3_stmt *ask(struct power_store *s, const char *sql) {
  struct ck_err err;
  sqlite3_stmt *q = db_prepare(s->db, sql, &err);
  cr_assert(q, "%s", err.text);
  return q;
}

static void verify_messages(struct power_store *s, const struct expected *x) {
  struct ck_buf text = {0};
  uint64_t n = 0;
  sqlite3_stmt *q = ask(s, "SELECT id, raw_text, observed_at FROM messages");
  for (; sqlite3_step(q) == SQLITE_ROW; ++n) {
    uint64_t m = strtoull((const char *)sqlite3_column_text(q, 0) + 1, NULL, 10);
    cr_assert(m <= x->n && x->last[m],
              "message %" PRIu64 " is there, but of %" PRIu64
              " changesets none wrote it (seed %" PRIu64 ")",
              m, x->n, seed);
    cr_assert(ck_str_eq(db_str(q, 1), text_of(&text, x->last[m])),
              "message %" PRIu64 " is not what number %" PRIu64 " made it (seed %" PRIu64 ")", m,
              x->last[m], seed);
    cr_assert_eq((uint64_t)sqlite3_column_int64(q, 2), x->last[m]);
  }
  sqlite3_finalize(q);
  ck_buf_free(&text);
  cr_assert_eq(n, x->messages, "%" PRIu64 " messages of %" PRIu64 " (seed %" PRIu64 ")", n,
               x->messages, seed);
}

/* Each observation is counted once in its session, so one applied twice or in part would show. */
static void verify_sessions(struct power_store *s, const struct expected *x) {
  sqlite3_stmt *q = ask(s, "SELECT id, message_count FROM sessions");
  int64_t sum = 0;
  while (sqlite3_step(q) == SQLITE_ROW) {
    int i = ((const char *)sqlite3_column_text(q, 0))[1] - '0';
    cr_assert_eq(sqlite3_column_int64(q, 1), x->counts[i],
                 "session %d counts %lld, not %" PRId64 " (seed %" PRIu64 ")", i,
                 sqlite3_column_int64(q, 1), x->counts[i], seed);
    sum += x->counts[i];
  }
  sqlite3_finalize(q);
  for (int i = 0; i < SESSIONS; ++i) sum -= x->counts[i];
  cr_assert_eq(sum, 0, "a session is missing (seed %" PRIu64 ")", seed);
}

#define VERSIONS \
  "SELECT version FROM messages UNION ALL SELECT version FROM executions" \
  " UNION ALL SELECT version FROM sessions UNION ALL SELECT version FROM local_conversations" \
  " UNION ALL SELECT version FROM conversation_links UNION ALL SELECT version FROM renewal_jobs"

static bool keys_are_wrong(void *unused, const char *what) {
  (void)unused;
  cr_assert_fail("%s (seed %" PRIu64 ")", what, seed);
  return false;
}

static void verify_keys(struct power_store *s) {
  struct ck_err err = {{0}};
  uint64_t missed;
  char *id;
  cr_assert_eq(keys_check(s->db, keys_are_wrong, NULL, &err), 0, "%s", err.text);
  cr_assert_eq(keys_check_filter(s->db, &missed, &id, &err), 0, "%s", err.text);
  cr_assert_eq(missed, 0, "the filter misses %s (seed %" PRIu64 ")", id, seed);
}

static void verify_numbers(struct power_store *s, const struct expected *x) {
  uint64_t head = UINT64_MAX;
  struct ck_err err = {""};
  cr_assert_eq(db_head(s->db, &head, &err), 0, "%s", err.text);
  cr_assert_eq(head, x->head,
               "%" PRIu64 " changesets make version %" PRIu64 ", not %" PRIu64 " (seed %" PRIu64
               ")",
               x->n, x->head, head, seed);
  cr_assert_eq(one(s, "SELECT count(*) - count(DISTINCT version) FROM (" VERSIONS ")"), 0,
               "a version twice (seed %" PRIu64 ")", seed);
  cr_assert_eq(one(s, "SELECT messages FROM store"), (int64_t)x->messages);
  cr_assert_eq(one(s, "SELECT count(*) FROM refusals") +
                       (x->refused > 0 && x->n > PRODUCER_TAIL ? (int64_t)x->refused : 0) >=
                   (int64_t)x->refused,
               1, "refusals are missing");
  if (x->n == 0) return;
  sqlite3_stmt *q = ask(s, "SELECT refused, results FROM producers WHERE id = '" ONE "'");
  cr_assert_eq(sqlite3_step(q), SQLITE_ROW);
  cr_assert_eq((uint64_t)sqlite3_column_int64(q, 0), x->refused);
  struct ck_str is = db_str(q, 1), all = ck_buf_view(&x->results);
  cr_assert(is.n <= all.n && is.n >= (all.n < PRODUCER_TAIL / 2 ? all.n : PRODUCER_TAIL / 2) &&
                memcmp(is.s, all.s + all.n - is.n, is.n) == 0,
            "other results (seed %" PRIu64 ")", seed);
  sqlite3_finalize(q);
}

void power_verify(struct power_store *s, uint64_t acknowledged) {
  struct expected x;
  uint64_t n = power_applied(s);
  cr_assert(n >= acknowledged,
            "%" PRIu64 " were acknowledged, %" PRIu64 " are there (seed %" PRIu64 ")", acknowledged,
            n, seed);
  cr_assert_eq(one(s, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1,
               "integrity_check (seed %" PRIu64 ")", seed);
  cr_assert_eq(one(s, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
  verify_keys(s);
  expect(&x, n);
  verify_messages(s, &x);
  verify_sessions(s, &x);
  verify_numbers(s, &x);
  free(x.last);
  ck_buf_free(&x.results);
}

/* ---- the folder ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

void power_folder(void) {
  const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  power_folder_gone();
  snprintf(folder, sizeof folder, "%s/convkeep-power.XXXXXX", tmp);
  cr_assert(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
}

void power_folder_gone(void) {
  if (!folder[0]) return;
  if (chdir("/") == 0) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  folder[0] = '\0';
}
