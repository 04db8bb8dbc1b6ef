/* FORGET and REMEMBER among random changesets. Each world is lived twice, with the same changesets:
 * once each FORGET is done at once, once in pieces of random size, between which the others go on
 * and the store is killed. Both must end the same. At every commit nothing is there that was
 * forgotten, and what refers to something finds it. The model only says what makes sense to send;
 * it does not know what was forgotten.
 *
 *   CONVKEEP_TEST_FORGET_WORLDS   how many (12)
 *   CONVKEEP_TEST_SEED            the seed of the first
 */
#include "test_store_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "test_store_help.h"

#define WORLDS 12
#define STEPS 500
#define MUTATIONS 6
#define COUNT(list) (sizeof(list) / sizeof *(list))

static struct sh_store s;
static struct model m;
static struct ck_arena arena;
static uint64_t seed,
    chance; /* chance: of the pieces alone, so that both lives have the same rest */
static bool in_pieces;
static char letters[2][STEPS + 1];
static unsigned step, forgets, remembers, pieces;

#define must(condition, ...) \
  do { \
    if (!(condition)) fail_at(ck_sprintf(__VA_ARGS__)); \
  } while (0)

static void fail_at(char *what) {
  cr_assert_fail("seed %" PRIu64 ", %s, changeset %u of it: %s", seed,
                 in_pieces ? "in pieces" : "at once", step, what);
}

static uint64_t other_below(uint64_t n) {
  chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (chance >> 33) % n;
}

/* ---- what must hold at every commit ---- */

/* Each is to find nothing. */
#define AWAY(table, key) \
  "SELECT '" table ": ' || x." key " FROM " table \
  " x JOIN forgotten f ON f.forgotten_id = '" table "/' || x." key " WHERE NOT f.taken_back"
static const char *const nothing[] = {
    AWAY("messages", "id"),
    AWAY("executions", "instruction_id"),
    AWAY("sessions", "id"),
    AWAY("local_conversations", "local_conversation_id"),
    AWAY("conversation_links", "link_id"),
    "SELECT 'message of a home: ' || x.id FROM messages x JOIN forgotten f ON f.forgotten_id ="
    " 'remote_conversations/' || x.platform || ':' || x.conversation_id WHERE NOT f.taken_back"
    " AND NOT EXISTS (SELECT 1 FROM forgetting_homes h WHERE h.platform = x.platform"
    "  AND h.conversation = x.conversation_id)",
    "SELECT 'session of a home: ' || x.id FROM sessions x JOIN forgotten f ON f.forgotten_id ="
    " 'remote_conversations/' || x.platform || ':' || x.conversation_id WHERE NOT f.taken_back"
    " AND NOT EXISTS (SELECT 1 FROM forgetting_homes h WHERE h.platform = x.platform"
    "  AND h.conversation = x.conversation_id)",
    "SELECT 'no message: ' || instruction_id FROM executions"
    " WHERE message_id NOT IN (SELECT id FROM messages)",
    "SELECT 'no message: ' || job_id FROM renewal_jobs"
    " WHERE message_id NOT IN (SELECT id FROM messages)",
    "SELECT 'a reference: ' || \"table\" FROM pragma_foreign_key_check",
    "SELECT 'lease ' || job_id FROM leases WHERE job_id NOT IN (SELECT job_id FROM renewal_jobs)",
    "SELECT 'wait ' || id FROM waits WHERE kind = 'job'"
    " AND id NOT IN (SELECT job_id FROM renewal_jobs)",
    "SELECT 'attempt ' || job_id FROM attempts"
    " WHERE job_id NOT IN (SELECT job_id FROM renewal_jobs)",
    "SELECT 'automation ' || local_conversation_id FROM automation WHERE local_conversation_id"
    " NOT IN (SELECT local_conversation_id FROM local_conversations)",
    "SELECT 'counts' FROM store WHERE messages <> (SELECT count(*) FROM messages)"
    " OR executions <> (SELECT count(*) FROM executions)"
    " OR forgotten <> (SELECT count(*) FROM forgotten)"
    " OR renewal_jobs <> (SELECT count(*) FROM renewal_jobs)",
    "SELECT 'version ' || version FROM (SELECT version FROM messages UNION ALL"
    " SELECT version FROM executions UNION ALL SELECT version FROM sessions UNION ALL"
    " SELECT version FROM local_conversations UNION ALL SELECT version FROM conversation_links"
    " UNION ALL SELECT version FROM renewal_jobs UNION ALL SELECT version FROM forgotten)"
    " GROUP BY version HAVING count(*) > 1",
};

static void check(void) {
  struct ck_err err;
  for (size_t i = 0; i < COUNT(nothing); ++i) {
    sqlite3_stmt *q = db_prepare(s.db, nothing[i], &err);
    cr_assert(q, "%s: %s", nothing[i], err.text);
    bool any = sqlite3_step(q) == SQLITE_ROW;
    must(!any, "%s", sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
  }
  sh_check_keys(&s);
}

/* ---- a life ---- */

static void commit(void) {
  int rc = sh_commit(&s);
  must(rc == 0, "not committed: %s", s.reason.text);
}

static void resize(void) {
  apply_resize_forget(s.apply, in_pieces ? 1 + (int64_t)other_below(3) : 1 << 20);
}

static bool jobs_are_left(void) {
  return sh_int(&s, "SELECT EXISTS (SELECT 1 FROM renewal_jobs j JOIN forgetting f ON"
                    " f.forgotten_with = 'local_conversations/' || j.local_conversation_id)");
}

static void do_pieces(bool all) {
  for (bool more = apply_forgets(s.apply); more && (all || jobs_are_left() || other_below(3));
       ++pieces) {
    resize();
    more = sh_forget_piece(&s);
    check();
    if (other_below(10) == 0) sh_reopen(&s);
  }
}

/* Of few ids, as the random rows have them. */
static const char *const messages[] = {"m1", "m2", "m3", "m4", "m:5", "m8", "m9", "m10"};
static const char *const conversations[] = {"c1", "c2", "c3", "c4", "c5"};

static struct ck_mutation forget_or_remember(void) {
  bool conversation = sh_below(2), back = sh_below(3) == 0;
  struct ck_str id = ck_str_of(conversation ? conversations[sh_below(COUNT(conversations))]
                                            : messages[sh_below(COUNT(messages))]);
  struct ck_str kind = ck_str_of(conversation ? "conversation" : "message");
  struct ck_mutation w = {.kind = back ? CK_OP_REMEMBER : CK_OP_FORGET};
  if (back)
    w.as.remember = (struct ck_remember){kind, id};
  else
    w.as.forget = (struct ck_forget){kind, id, sh_below(4) == 0};
  return w;
}

/* A job of one conversation after a message of another goes with the one that comes to it first,
 * which its record in `forgotten` names: if both were being forgotten at a time, only there the two
 * lives would differ. */
static bool a_job_is_between(void) {
  return sh_int(&s, "SELECT EXISTS (SELECT 1 FROM renewal_jobs j JOIN messages m ON"
                    " m.id = j.message_id JOIN forgetting_homes h ON h.platform = m.platform AND"
                    " h.conversation = m.conversation_id WHERE NOT EXISTS (SELECT 1 FROM forgetting"
                    " f WHERE f.forgotten_with = 'local_conversations/' ||"
                    " j.local_conversation_id))");
}

static char apply_forget(void) {
  struct ck_mutation w = forget_or_remember();
  /* What is still being forgotten cannot be taken back. */
  if (w.kind == CK_OP_REMEMBER || a_job_is_between()) do_pieces(true);
  resize();
  sh_mutate(&s, &w);
  char letter = sh_apply(&s);
  bool done = letter && strchr("nu", letter);
  if (done) letter = 'u'; /* with the first piece, only some of its records may be there again */
  forgets += done && w.kind == CK_OP_FORGET;
  remembers += done && w.kind == CK_OP_REMEMBER;
  return letter;
}

/* The id of an execution that is there means another one for another message, and is left out once
 * that is gone: only here the two lives would differ. */
static void end_executions(const struct m_mutation *list, int n) {
  bool any = false;
  for (int i = 0; i < n; ++i) any |= list[i].table == EXECUTIONS;
  if (any && sh_int(&s, "SELECT EXISTS (SELECT 1 FROM executions e JOIN messages m ON"
                        " m.id = e.message_id JOIN forgetting_homes h ON h.platform = m.platform"
                        " AND h.conversation = m.conversation_id)"))
    do_pieces(true);
}

static char apply_random(void) {
  struct m_mutation list[MUTATIONS];
  struct ck_buf row = {0};
  int n = m_chance(&m, list, MUTATIONS, 1700000005000);
  end_executions(list, n);
  for (int i = 0; i < n; ++i) {
    struct ck_mutation w = m_wire(&list[i], &row);
    sh_mutate(&s, &w);
  }
  ck_buf_free(&row);
  char letter = sh_apply(&s);
  m_apply(&m, list, n);
  return letter;
}

static void dump(struct ck_buf *b) {
  struct ck_err err;
  for (int t = 0; t < CK_TABLES; ++t) {
    struct ck_buf sql = {0};
    ck_buf_text(&sql, "SELECT ");
    db_columns(&sql, (enum ck_table)t, "");
    ck_buf_printf(&sql, " FROM %s ORDER BY %s", ck_tables[t].name,
                  ck_tables[t].fields[ck_tables[t].key].name);
    sqlite3_stmt *q = db_prepare(s.db, ck_buf_cstr(&sql), &err);
    cr_assert(q, "%s", err.text);
    while (sqlite3_step(q) == SQLITE_ROW) {
      ck_buf_printf(b, "%s", ck_tables[t].name);
      for (int c = 0; c < sqlite3_column_count(q); ++c) {
        if (strcmp(sqlite3_column_name(q, c), "forgotten_at") == 0) continue;
        ck_buf_printf(b, " %s=", sqlite3_column_name(q, c));
        ck_buf_json_str(b, db_str(q, c));
      }
      ck_buf_text(b, "\n");
    }
    sqlite3_finalize(q);
    ck_buf_free(&sql);
  }
}

static void live(bool pieces_too, struct ck_buf *end) {
  in_pieces = pieces_too;
  memset(&m, 0, sizeof m);
  m.arena = &arena;
  sh_seed(seed);
  chance = seed;
  sh_open(&s);
  s.now = 1700000005000;
  struct ck_err err;
  cr_assert_eq(db_exec(s.db, "PRAGMA synchronous = OFF", &err), 0);
  for (step = 0; step < STEPS; ++step) {
    m.clock = m.boot = s.now += (int64_t)sh_below(5);
    letters[pieces_too][step] = sh_below(8) ? apply_random() : apply_forget();
    must(letters[pieces_too][step], "%s", s.reason.text);
    commit();
    check();
    do_pieces(false);
    must(!pieces_too || letters[0][step] == letters[1][step], "%c at once, %c in pieces: %s",
         letters[0][step], letters[1][step], s.reason.text);
  }
  do_pieces(true);
  dump(end);
  sh_close(&s);
  ck_arena_free(&arena);
}

/* The first line that differs. */
static void compare(struct ck_buf *once, struct ck_buf *in) {
  const char *a = ck_buf_cstr(once), *b = ck_buf_cstr(in);
  while (*a && *b) {
    size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
    must(na == nb && memcmp(a, b, na) == 0, "at once\n%.*s\nin pieces\n%.*s", (int)na, a, (int)nb,
         b);
    a += na + 1;
    b += nb + 1;
  }
  must(!*a && !*b, "more records: %.200s%.200s", a, b);
}

Test(store_model, random_forgets, .timeout = 3600) {
  const char *given = getenv("CONVKEEP_TEST_FORGET_WORLDS");
  unsigned worlds = given ? (unsigned)strtoul(given, NULL, 10) : WORLDS;
  given = getenv("CONVKEEP_TEST_SEED");
  seed = given ? strtoull(given, NULL, 10) : (uint64_t)ck_now_ms();
  uint64_t first = seed;
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  for (unsigned w = 0; w < worlds; ++w, ++seed) {
    struct ck_buf ends[2] = {{0}, {0}};
    for (int life = 0; life < 2; ++life) live(life == 1, &ends[life]);
    compare(&ends[0], &ends[1]);
    ck_buf_free(&ends[0]);
    ck_buf_free(&ends[1]);
  }
  cr_assert(forgets && remembers && pieces);
  fprintf(stderr,
          "model: %u worlds from seed %" PRIu64 ": %u forgotten, %u taken back, %u pieces\n",
          worlds, first, forgets, remembers, pieces);
}
