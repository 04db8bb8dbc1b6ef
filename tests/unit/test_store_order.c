/* Several sources tell of the same conversations, each with its age: exports that grew, live
 * observations, copies. In every order they make the same rows; compared by conversation and the
 * id of the source, without versions, static_path and the time at which something came. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_store_help.h"

#define WORLDS 60
#define SOURCES 6
#define MESSAGES 12 /* of a conversation; two in the day */
#define DAY INT64_C(86400000)

enum { ORIGINAL, COPY, FORK, CONVERSATIONS };
static const char *const names[] = {"original", "copy", "fork"};

/* What one source says; made once, so that it says the same in every order. */
struct source {
  struct ck_buf mutations;
  uint32_t count;
};

static struct sh_store s;

static bool one_in(uint64_t n) { return sh_below(n) == 0; }

static void add(struct source *to, enum ck_table t, int64_t age, char *json) {
  struct ck_buf row = {0};
  struct ck_mutation m = {.kind = CK_OP_PUT};
  sh_pack(&row, json);
  m.as.put = (struct ck_put){ck_str_of(ck_tables[t].name), ck_buf_view(&row), age};
  ck_mutation_encode(&to->mutations, &m);
  ++to->count;
  ck_buf_free(&row);
  free(json);
}

/* ---- what sources say ---- */

/* The copy has the original's ids; the fork has ids of its own, and begins below the original's
 * message x2, which is not copied. Message n is below n - 1, or, on a branch, below n - 2. */
static void id_of(char id[24], int conversation, int n) {
  bool both = conversation != FORK && n >= 4;
  snprintf(id, 24, "%s%d", both ? "m" : conversation == ORIGINAL ? "x" : names[conversation], n);
}

static void parent_of(char parent[40], int conversation, int n) {
  char id[24];
  if (n == 0 && conversation != FORK) {
    strcpy(parent, "null");
    return;
  }
  if (n == 0)
    id_of(id, ORIGINAL, 2);
  else
    id_of(id, conversation, n % 5 == 4 && n > 1 ? n - 2 : n - 1);
  snprintf(parent, 40, "'%s'", id);
}

static int64_t day_of(int n) { return (n / 2 + 1) * DAY; }

static void say_message(struct source *to, int conversation, int n, int64_t age) {
  char id[24], parent[40];
  bool placed = !one_in(4);
  id_of(id, conversation, n);
  parent_of(parent, conversation, n);
  struct ck_buf b = {0};
  ck_buf_printf(&b,
                "{'id':'%s','platform':'p','conversation_id':'%s','role':'%s','raw_text':'%s %s "
                "v%d'",
                id, names[conversation], n % 2 ? "assistant" : "user", names[conversation], id,
                (int)sh_below(3));
  ck_buf_printf(&b, ",'%s':%" PRId64, one_in(5) ? "created_at" : "observed_at",
                day_of(n) + (int64_t)sh_below(3));
  if (placed) ck_buf_printf(&b, ",'parent_id':%s,'position':%d", parent, n);
  if (one_in(2)) ck_buf_printf(&b, ",'details':'{\\\"model\\\":\\\"%d\\\"}'", (int)sh_below(3));
  if (one_in(2)) ck_buf_printf(&b, ",'original':'%016d'", (int)sh_below(3));
  if (one_in(3)) ck_buf_printf(&b, ",'page_title':'title %d'", (int)sh_below(3));
  if (one_in(3)) ck_buf_printf(&b, ",'summary':'summary %d'", (int)sh_below(3));
  ck_buf_text(&b, "}");
  add(to, CK_MESSAGES, age, ck_strdup(ck_buf_cstr(&b)));
  ck_buf_free(&b);
}

/* Its id is that of the copied message's too. */
static void say_execution(struct source *to, int conversation, int n, int64_t age) {
  char id[24];
  id_of(id, conversation, n);
  struct ck_buf b = {0};
  ck_buf_printf(
      &b, "{'instruction_id':'call%d','message_id':'%s','target':'t','tool':'u','%s':%" PRId64, n,
      id, one_in(3) ? "created_at" : "executed_at", day_of(n) + (int64_t)sh_below(3));
  if (one_in(2)) ck_buf_printf(&b, ",'result_ok':1,'result_data':'%d'", (int)sh_below(3));
  if (one_in(3)) ck_buf_printf(&b, ",'result_summary':'summary %d'", (int)sh_below(3));
  ck_buf_text(&b, "}");
  add(to, CK_EXECUTIONS, age, ck_strdup(ck_buf_cstr(&b)));
  ck_buf_free(&b);
}

static void say_session(struct source *to, int conversation, int n, int64_t age) {
  add(to, CK_SESSIONS, age,
      ck_sprintf("{'id':'p:%s@%d','platform':'p','conversation_id':'%s','started_at':%" PRId64
                 ",'last_activity_at':%" PRId64 "}",
                 names[conversation], n / 2, names[conversation], day_of(n),
                 day_of(n) + (int64_t)sh_below(9)));
}

static void say_conversation(struct source *to, int conversation, int last, int64_t age) {
  char id[24];
  id_of(id, conversation, last);
  struct ck_buf b = {0};
  ck_buf_printf(&b,
                "{'local_conversation_id':'p:%s','platform':'p','last_message_id':'%s',"
                "'last_message_at':%" PRId64 ",'created_at':%" PRId64,
                names[conversation], id, day_of(last) + (int64_t)sh_below(3),
                DAY + (int64_t)sh_below(5));
  if (!one_in(4)) ck_buf_printf(&b, ",'title':'title %d'", (int)sh_below(4));
  if (one_in(3)) ck_buf_printf(&b, ",'details':'{\\\"project\\\":%d}'", (int)sh_below(4));
  ck_buf_text(&b, "}");
  add(to, CK_CONVERSATIONS, age, ck_strdup(ck_buf_cstr(&b)));
  ck_buf_free(&b);
  add(to, CK_LINKS, age,
      ck_sprintf("{'link_id':'link:p:%s','local_conversation_id':'p:%s','platform':'p',"
                 "'remote_conversation_id':'%s','observed_at':%" PRId64 ",'page_title':'title %d'}",
                 names[conversation], names[conversation], names[conversation],
                 day_of(last) + (int64_t)sh_below(9), (int)sh_below(4)));
}

/* The first `size` messages of a conversation, or, as a live observation, the last of them. Sources
 * of one age may contradict each other. */
static void make_source(struct source *to, int conversation) {
  int size = 1 + (int)sh_below(MESSAGES), from = one_in(3) ? size - 1 : 0;
  int64_t age = 1000 * (int64_t)sh_below(4);
  *to = (struct source){{0}, 0};
  for (int n = from; n < size; ++n) {
    say_message(to, conversation, n, age);
    if (n % 3 == 1) say_execution(to, conversation, n, age);
    if (n % 2 || n == size - 1) say_session(to, conversation, n, age);
  }
  say_conversation(to, conversation, from + (int)sh_below((uint64_t)(size - from)), age);
}

/* ---- in some order ---- */

static char apply(const struct source *from) {
  ck_buf_str(&s.mutations, ck_buf_view(&from->mutations));
  s.count = from->count;
  char letter = sh_apply(&s);
  cr_assert(letter && letter != 'r', "%s", s.reason.text);
  if (one_in(2)) cr_assert_eq(sh_commit(&s), 0);
  return letter;
}

#define SOURCE_ID(m) "coalesce(json_extract(" m ".details, '$.source_id'), " m ".id)"
#define MESSAGE(id) \
  "coalesce((SELECT o.conversation_id || '/' || " SOURCE_ID( \
      "o") " FROM messages o WHERE o.id = " id "), " id ")"

static const char *const dumps[] = {
    "SELECT 'message', conversation_id, " SOURCE_ID(
        "m") " AS name, platform, role, raw_text,"
             " summary, observed_at, page_url, page_title, organization_id, " MESSAGE(
                 "m.parent_id") ","
                                " position, nullif(json_remove(details, '$.source_id'), '{}'), "
                                "original,"
                                " replace(ages, ' details=none', '') FROM messages m ORDER BY 2, 3",
    "SELECT 'execution', m.conversation_id, " SOURCE_ID(
        "m") ", substr(instruction_id, 1, 5), target,"
             " tool, params, params_kind, result_ok, result_data, result_summary, executed_at, "
             "e.original, e.ages"
             " FROM executions e JOIN messages m ON m.id = e.message_id ORDER BY 2, 3, 4",
    "SELECT 'session', id, platform, conversation_id, started_at, last_activity_at, message_count,"
    " execution_count FROM sessions ORDER BY 2",
    "SELECT 'conversation', local_conversation_id, platform, title, summary,"
    " " MESSAGE("c.last_message_id") ", last_message_at, created_at, details, newest_at, ages"
                                     " FROM local_conversations c ORDER BY 2",
    "SELECT 'link', link_id, local_conversation_id, platform, remote_conversation_id, page_title,"
    " is_active, observed_at, ages FROM conversation_links ORDER BY 2",
};

static void dump(struct ck_buf *b) {
  struct ck_err err;
  ck_buf_clear(b);
  for (size_t i = 0; i < sizeof dumps / sizeof *dumps; ++i) {
    sqlite3_stmt *q = db_prepare(s.db, dumps[i], &err);
    cr_assert(q, "%s", err.text);
    while (sqlite3_step(q) == SQLITE_ROW) {
      for (int c = 0; c < sqlite3_column_count(q); ++c) {
        ck_buf_text(b, c ? " | " : "");
        ck_buf_str(b, db_str(q, c));
      }
      ck_buf_text(b, "\n");
    }
    sqlite3_finalize(q);
  }
}

static void shuffle(int *order, int n) {
  for (int i = n; i > 1; --i) {
    int k = (int)sh_below((uint64_t)i), swap = order[k];
    order[k] = order[i - 1];
    order[i - 1] = swap;
  }
}

/* The owner gives the original a title, some time after he has seen it. */
static void give_title(void) {
  if (sh_int(&s, "SELECT count(*) FROM local_conversations WHERE title = 'mine'")) return;
  if (!sh_int(&s, "SELECT count(*) FROM local_conversations WHERE"
                  " local_conversation_id = 'p:original'"))
    return;
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'p:original','title':'mine'}");
  cr_assert_neq(sh_apply(&s), 'r');
  cr_assert_eq(sh_commit(&s), 0);
}

static void in_order(const struct source *sources, const int *order, int n, struct ck_buf *rows) {
  sh_open(&s);
  s.now = INT64_C(1000000000000);
  for (int i = 0; i < n; ++i) {
    apply(&sources[order[i]]);
    if (!s.begun && one_in(3)) give_title();
  }
  if (s.begun) cr_assert_eq(sh_commit(&s), 0);
  give_title();
  dump(rows);
  uint64_t head = apply_head(s.apply);
  for (int i = 0; i < n; ++i) cr_expect_eq(apply(&sources[i]), '=', "a source says it again");
  if (s.begun) cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(apply_head(s.apply), head);
  struct ck_buf again = {0};
  dump(&again);
  cr_expect_str_eq(ck_buf_cstr(&again), ck_buf_cstr(rows));
  ck_buf_free(&again);
  sh_check_keys(&s);
  sh_close(&s);
}

static void first_difference(const char *a, const char *b, char out[2000]) {
  size_t i = 0, line = 0;
  for (; a[i] && a[i] == b[i]; ++i)
    if (a[i] == '\n') line = i + 1;
  snprintf(out, 2000, "%.*s\nand\n%.*s", (int)strcspn(a + line, "\n"), a + line,
           (int)strcspn(b + line, "\n"), b + line);
}

static void world(void) {
  struct source sources[SOURCES];
  int order[SOURCES];
  struct ck_buf first = {0}, other = {0};
  for (int i = 0; i < SOURCES; ++i) {
    make_source(&sources[i], i < CONVERSATIONS ? i : (int)sh_below(CONVERSATIONS));
    order[i] = i;
  }
  in_order(sources, order, SOURCES, &first);
  for (int i = 0; i < 3; ++i) {
    char difference[2000];
    shuffle(order, SOURCES);
    in_order(sources, order, SOURCES, &other);
    first_difference(ck_buf_cstr(&first), ck_buf_cstr(&other), difference);
    cr_assert_str_eq(ck_buf_cstr(&first), ck_buf_cstr(&other), "the order matters:\n%s",
                     difference);
  }
  for (int i = 0; i < SOURCES; ++i) ck_buf_free(&sources[i].mutations);
  ck_buf_free(&first);
  ck_buf_free(&other);
}

Test(store_order, sources_in_every_order_make_the_same_rows, .timeout = 600) {
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1); /* not about durability */
  for (int i = 0; i < WORLDS; ++i) world();
}
