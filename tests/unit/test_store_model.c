/* The store against a model of its rules: both get the same random changesets, and after each
 * commit everything that is stored is compared.
 *
 *   CONVKEEP_TEST_STEPS   how many changesets (20,000)
 *   CONVKEEP_TEST_SEED    the seed of the first world; each later world has another. A failure
 *                         names its world's seed, which then repeats it as the first world.
 */
#include "test_store_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "test_store_help.h"
#include "test_store_model_said.h"

#define YEAR (365 * INT64_C(86400000))
#define STEPS 20000
#define WORLD 800 /* changesets in one database: fewer than PRODUCER_TAIL */
#define MUTATIONS 8

static struct sh_store s;
static struct model m;
static struct ck_arena arena;
static sqlite3_stmt *all[TABLES];
static uint64_t seed;
static char letters[WORLD + 1], committed_letters[WORLD + 1];
static unsigned refused[WORLD], refused_count, committed_refused;
static unsigned step;
/* The wall time if nobody had stepped it, by how much that was, and the clock that nobody steps,
 * which begins anew with the machine. */
static int64_t truth, stepped, boot;
static unsigned starts;
static uint64_t waits; /* that were compared */
static unsigned forgets;

#define must(condition, ...) \
  do { \
    if (!(condition)) fail_at(ck_sprintf(__VA_ARGS__)); \
  } while (0)

static void fail_at(char *what) {
  cr_assert_fail("seed %" PRIu64 ", changeset %u of it: %s", seed, step, what);
}

/* ---- comparing ---- */

static bool same(const struct m_value *a, const struct m_value *b) {
  return a->is == b->is &&
         (a->is == M_INT ? a->i == b->i : a->is != M_STR || ck_str_eq(a->s, b->s));
}

static void prepare(void) {
  struct ck_err err;
  for (int t = 0; t < TABLES; ++t) {
    struct ck_buf sql = {0};
    ck_buf_text(&sql, "SELECT version");
    for (int c = 0; m_tables[t].column[c].name; ++c)
      ck_buf_printf(&sql, ", %s", m_tables[t].column[c].name);
    ck_buf_printf(&sql, " FROM %s", m_tables[t].name);
    all[t] = db_prepare(s.db, ck_buf_cstr(&sql), &err);
    cr_assert(all[t], "%s", err.text);
    ck_buf_free(&sql);
  }
  cr_assert_eq(db_exec(s.db, "PRAGMA synchronous = OFF", &err), 0);
}

static void compare_table(int t) {
  int n = 0;
  while (sqlite3_step(all[t]) == SQLITE_ROW) {
    struct ck_str key = db_str(all[t], 1);
    const struct m_record *r = m_find(&m.now, t, key);
    must(r, "%s has '%.*s', which it should not", m_tables[t].name, (int)key.n, key.s);
    for (int c = 0; m_tables[t].column[c].name; ++c) {
      struct m_value v = m_stored(all[t], c + 1);
      must(same(&v, &r->v[c]), "%s.%s of '%.*s' is %s, not %s", m_tables[t].name,
           m_tables[t].column[c].name, (int)key.n, key.s, m_said(&v), m_said(&r->v[c]));
    }
    must((uint64_t)sqlite3_column_int64(all[t], 0) == r->version,
         "%s '%.*s' has version %lld, not %" PRIu64, m_tables[t].name, (int)key.n, key.s,
         sqlite3_column_int64(all[t], 0), r->version);
    ++n;
  }
  sqlite3_reset(all[t]);
  must(n == m.now.rows[t], "%s has %d records, not %d", m_tables[t].name, n, m.now.rows[t]);
  char sql[80];
  snprintf(sql, sizeof sql, "SELECT %s FROM store", m_tables[t].name);
  int64_t counted = sh_int(&s, sql);
  must(counted == n, "%s are %d, but counted %" PRId64, m_tables[t].name, n, counted);
}

static sqlite3_stmt *ask(const char *sql) {
  struct ck_err err;
  sqlite3_stmt *q = db_prepare(s.db, sql, &err);
  cr_assert(q, "%s", err.text);
  return q;
}

/* The rows that the store has, each as the model has it, and no fewer. */
static void compare_rows(const char *what, const char *sql, int expected,
                         char *(*differs)(const struct m_state *now, sqlite3_stmt *row)) {
  int n = 0;
  sqlite3_stmt *q = ask(sql);
  for (; sqlite3_step(q) == SQLITE_ROW; ++n) {
    char *wrong = differs(&m.now, q);
    must(!wrong, "%s: %s", what, wrong);
  }
  sqlite3_finalize(q);
  must(n == expected, "%s: %d, not %d", what, n, expected);
}

static void compare_states(void) {
  int leases = 0, automation = 0;
  for (int i = 0; i < M_FEW; ++i) leases += m.now.lease[i].state != NULL;
  for (int i = 0; i < M_FEW; ++i) automation += m.now.automation[i].on;
  compare_rows("leases", "SELECT job_id, attempt, token, state, at FROM leases", leases,
               m_lease_differs);
  compare_rows("on auto", "SELECT local_conversation_id, since FROM automation", automation,
               m_automation_differs);
  compare_rows("forgotten",
               "SELECT forgotten_id, table_name, record_key, forgotten_with, platform,"
               " conversation_id, static_path, forgotten_at, taken_back, version FROM forgotten",
               m.now.gones, m_gone_differs);
}

static void compare_wait(struct ck_str row) {
  struct ck_str id = ck_map_str(row, "id");
  int table = ck_str_is(ck_map_str(row, "kind"), "job") ? JOBS : CONVERSATIONS;
  int64_t until = ck_map_int(row, "until", 0), left = ck_map_int(row, "left", 0), expected;
  const struct m_wait *w = m.now.wait;
  while (w < m.now.wait + M_WAITS && !(w->table == table && ck_str_eq(w->id, id))) ++w;
  must(w < m.now.wait + M_WAITS && m_is_waited(&m, w, &expected),
       "'%.*s' waits for %" PRId64 " ms, which it should not", (int)id.n, id.s, left);
  must(w->until == until && expected == left,
       "'%.*s' waits until %" PRId64 ", for %" PRId64 " ms, not until %" PRId64 ", for %" PRId64,
       (int)id.n, id.s, until, left, w->until, expected);
}

static void compare_waits(void) {
  struct ck_buf rows = {0}, cursor = {0};
  struct ck_err err = {{0}};
  const char *code = "";
  struct list_answer answer = {&rows, &cursor};
  const struct ck_query q = {
      .table = CK_LIT("waits"), .filters = CK_LIT("\x80"), .limit = LIST_LIMIT};
  uint32_t n, expected = 0;
  for (int i = 0; i < M_WAITS; ++i) {
    int64_t left;
    expected += m_is_waited(&m, &m.now.wait[i], &left);
  }
  cr_assert_eq(sh_query(&s, &q, &answer, &code, &err), 0, "%s: %s", code, err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  struct ck_str row;
  cr_assert_eq(ck_read_array(&r, &n), 0);
  for (uint32_t i = 0; i < n; ++i) {
    cr_assert_eq(ck_read_raw(&r, &row), 0);
    compare_wait(row);
  }
  must(n == expected, "%u wait, not %u", n, expected);
  waits += n;
  ck_buf_free(&rows);
  ck_buf_free(&cursor);
}

static void compare_rest(void) {
  sqlite3_stmt *q = ask("SELECT applied, refused, results FROM producers WHERE id = 'test'");
  bool any = sqlite3_step(q) == SQLITE_ROW;
  must(any || letters[0] == 0, "the producer is unknown");
  if (any) {
    must((size_t)sqlite3_column_int64(q, 0) == strlen(letters), "applied %lld, not %zu",
         sqlite3_column_int64(q, 0), strlen(letters));
    must((unsigned)sqlite3_column_int64(q, 1) == refused_count, "refused %lld, not %u",
         sqlite3_column_int64(q, 1), refused_count);
    must(ck_str_is(db_str(q, 2), letters), "other results");
  }
  sqlite3_finalize(q);
  q = ask("SELECT number, reason FROM refusals ORDER BY number");
  unsigned n = 0;
  for (; sqlite3_step(q) == SQLITE_ROW; ++n)
    must(n < refused_count && (unsigned)sqlite3_column_int64(q, 0) == refused[n] &&
             sqlite3_column_bytes(q, 1) > 0,
         "other refusals");
  sqlite3_finalize(q);
  must(n == refused_count, "%u refusals, not %u", n, refused_count);
  must(apply_head(s.apply) == m.now.head, "the head is %" PRIu64 ", not %" PRIu64,
       apply_head(s.apply), m.now.head);
  must(sh_int(&s, "SELECT coalesce(max(version), -1) FROM cursors") ==
           (m.now.cursor.is == M_INT ? m.now.cursor.i : -1),
       "another cursor");
}

/* Sizes so small that ids pass through all stages of store/keys/. They depend on the world's seed.
 */
static void keep_few_keys(void) {
  apply_resize_keys(s.apply, (int64_t)(seed % 5), (int64_t)(seed % 3) + 1,
                    1 + (int64_t)(seed % 40));
}

static void compare(void) {
  for (int t = 0; t < TABLES; ++t) compare_table(t);
  compare_states();
  compare_waits();
  compare_rest();
  sh_check_keys(&s);
}

/* ---- the clocks ---- */

/* In half of all worlds. */
static void step_wall(void) {
  static const int64_t sizes[] = {1000, 5000, 3600000, 90000000, YEAR, 10 * YEAR};
  if (seed % 2) return;
  stepped = sh_below(2) ? 0 : sizes[sh_below(6)];
  if (sh_below(2)) stepped = -stepped;
}

static void show_clocks(void) {
  m.clock = s.now = truth + stepped;
  m.boot = boot;
  s.behind = boot - s.now;
}

static void pass_time(void) {
  int64_t ms = (int64_t)sh_below(sh_below(40) ? 4 : 4000);
  if (sh_below(400) == 0) ms += 3600000 * (int64_t)sh_below(30);
  truth += ms;
  boot += ms;
  if (sh_below(30) == 0) step_wall();
  if (sh_below(5) == 0) stepped += (int64_t)sh_below(3) - 1;
  show_clocks();
}

static bool kept(const struct m_wait *w) {
  struct ck_err err;
  sqlite3_stmt *q = db_prepare(s.db, "SELECT 1 FROM waits WHERE kind = ? AND id = ?", &err);
  cr_assert(q, "%s", err.text);
  db_bind_str(q, 1, w->table == JOBS ? CK_LIT("job") : CK_LIT("conversation"));
  db_bind_str(q, 2, w->id);
  bool is = sqlite3_step(q) == SQLITE_ROW;
  sqlite3_finalize(q);
  return is;
}

/* After the database was opened again. */
static void start_machine(void) {
  char name[16];
  truth += (int64_t)sh_below(2 * 3600000);
  boot = 0;
  step_wall();
  snprintf(name, sizeof name, "start %u", ++starts);
  sh_machine_starts(&s, name, truth + stepped);
  show_clocks();
  m_machine_starts(&m, kept);
  m_copy(&m.committed, &m.now);
}

/* ---- store and model side by side ---- */

static void take_result(const struct m_mutation *list, int n) {
  char is = sh_apply(&s), expected = m_apply(&m, list, n);
  must(is == expected, "the store says %c, the model %c; %s;%s", is ? is : '0', expected,
       s.reason.text, m_named(list, n));
  size_t number = strlen(letters);
  letters[number] = is;
  if (is == 'r') refused[refused_count++] = (unsigned)number + 1;
}

static void apply_both(void) {
  struct m_mutation list[MUTATIONS];
  struct ck_buf row = {0};
  pass_time();
  int n = m_chance(&m, list, MUTATIONS, truth);
  for (int i = 0; i < n; ++i) {
    struct ck_mutation w = m_wire(&list[i], &row);
    sh_mutate(&s, &w);
  }
  ck_buf_free(&row);
  take_result(list, n);
}

static void commit_both(void);

/* It is alone in its transaction, and all its records go at once: test_store_model_forget.c has the
 * pieces. */
static void forget_or_remember(void) {
  struct m_mutation one = m_chance_forget(&m);
  struct ck_mutation w = m_wire(&one, NULL);
  commit_both();
  pass_time();
  apply_resize_forget(s.apply, 1 << 20);
  sh_mutate(&s, &w);
  take_result(&one, 1);
  forgets += strchr("nu", letters[strlen(letters) - 1]) != NULL && one.kind == CK_OP_FORGET;
  commit_both();
  while (sh_forget_piece(&s)) continue;
}

static void commit_both(void) {
  int rc = s.begun ? sh_commit(&s) : 0;
  must(rc == 0, "not committed: %s", s.reason.text);
  m_copy(&m.committed, &m.now);
  memcpy(committed_letters, letters, sizeof letters);
  committed_refused = refused_count;
}

/* As after a failed commit, kill -9, or another start of the machine: the batch is lost. */
static void forget_both(void) {
  sh_reopen(&s);
  keep_few_keys();
  prepare();
  m_copy(&m.now, &m.committed);
  if (sh_below(3) == 0) start_machine();
  memcpy(letters, committed_letters, sizeof letters);
  refused_count = committed_refused;
}

static unsigned live(unsigned steps) {
  unsigned done = 0;
  while (strlen(letters) < steps) {
    unsigned batch = 1 + (unsigned)sh_below(sh_below(4) ? 4 : 20);
    for (unsigned i = 0; i < batch && strlen(letters) < steps; ++i, ++done, ++step) apply_both();
    if (sh_below(8) == 0 && strlen(letters) < steps) {
      forget_or_remember();
      ++done, ++step;
    }
    if (sh_below(60) == 0)
      forget_both();
    else
      commit_both();
    compare();
    if (sh_below(100) == 0) forget_both();
  }
  return done;
}

static unsigned world(unsigned steps) {
  memset(&m, 0, sizeof m);
  m.arena = &arena;
  memset(letters, 0, sizeof letters);
  memset(committed_letters, 0, sizeof letters);
  refused_count = committed_refused = step = 0;
  sh_seed(seed);
  sh_open(&s);
  truth = boot = 1700000005000; /* the random times are around it */
  stepped = 0;
  starts = 0;
  keep_few_keys();
  prepare();
  unsigned done = live(steps);
  must(sh_int(&s, "SELECT count(*) FROM pragma_foreign_key_check") == 0, "foreign keys");
  must(sh_int(&s, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1, "integrity");
  sh_close(&s);
  ck_arena_free(&arena);
  return done;
}

Test(store_model, random_changesets, .timeout = 7200) {
  const char *given = getenv("CONVKEEP_TEST_STEPS");
  unsigned steps = given ? (unsigned)strtoul(given, NULL, 10) : STEPS, done = 0, worlds = 0,
           count[128] = {0};
  given = getenv("CONVKEEP_TEST_SEED");
  seed = given ? strtoull(given, NULL, 10) : (uint64_t)ck_now_ms();
  uint64_t first = seed;
  int64_t begin = ck_boot_ms();
  /* This test is not about durability. */
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  for (; done < steps; ++seed, ++worlds) {
    done += world(steps - done < WORLD ? steps - done : WORLD);
    for (const char *l = letters; *l; ++l) ++count[(unsigned char)*l];
  }
  fprintf(stderr,
          "model: %u changesets in %u worlds from seed %" PRIu64
          ": %u new, %u updated, %u unchanged, %u refused, %u forgotten, %" PRIu64
          " waits, %lld ms\n",
          done, worlds, first, count['n'], count['u'], count['='], count['r'], forgets, waits,
          (long long)(ck_boot_ms() - begin));
}
