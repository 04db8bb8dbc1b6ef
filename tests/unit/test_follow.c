/* The follower's half against the real store: every change once and in order, and none skipped. */
#include "test_store_help.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/follow.h"
#include "proto/push.h"
#include "tests/unit/test_sanitized.h"

static struct sh_ring r;
static struct ck_memory_unacked *unacked;
static struct ck_push *push;
static size_t receipts;

static void done(void *self, uint64_t number, char result, struct ck_str reason) {
  (void)self, (void)number, (void)reason;
  cr_expect_neq(result, 'r', "%.*s", (int)reason.n, reason.s);
  ++receipts;
}

static void open_it(void) {
  struct ck_err err = {{0}};
  sh_ring_open(&r);
  sh_ring_start(&r);
  unacked = ck_memory_unacked_new(done, NULL);
  struct ck_unacked ops = ck_memory_unacked_ops(unacked);
  push = ck_push_new(r.settings, "test", &ops, 16, &err);
  cr_assert(push, "%s", err.text);
}

static void close_it(void) {
  ck_push_free(&push);
  ck_memory_unacked_free(&unacked);
  sh_ring_close(&r);
}

TestSuite(follow, .init = open_it, .fini = close_it, .timeout = 60);

/* ---- writing ---- */

static void tell(enum ck_mutation_kind kind, enum ck_table t, const char *json) {
  struct ck_buf b = {0}, row = {0};
  struct ck_mutation m = {.kind = kind};
  sh_pack(&row, json);
  struct ck_str table = ck_str_of(ck_tables[t].name), map = ck_buf_view(&row);
  if (kind == CK_OP_UPDATE)
    m.as.update = (struct ck_update){table, map};
  else
    m.as.put = (struct ck_put){table, map, 0};
  ck_put_array(&b, 1);
  ck_mutation_encode(&b, &m);
  ck_memory_unacked_add(unacked, ck_buf_view(&b));
  ck_buf_free(&b);
  ck_buf_free(&row);
}

static void add(enum ck_table t, const char *json) { tell(CK_OP_PUT, t, json); }

static void add_message(const char *id, const char *text) {
  char *json = ck_sprintf(
      "{'id':'%s','platform':'p','role':'user','raw_text':'%s','observed_at':1}", id, text);
  add(CK_MESSAGES, json);
  free(json);
}

static void add_messages(const char *prefix, int n) {
  for (int i = 0; i < n; ++i) {
    char id[24];
    snprintf(id, sizeof id, "%s%d", prefix, i);
    add_message(id, "");
  }
}

/* ---- following ---- */

struct seen {
  struct ck_follow *follow;
  uint64_t cursor, last;
  size_t changes, resets, bytes;
  unsigned tables; /* of the changes that came */
  char store_id[40], last_key[32];
};

static void change(void *self, uint64_t version, const struct ck_row *row) {
  struct seen *s = self;
  cr_expect_gt(version, s->last);
  cr_expect_gt(version, s->cursor);
  s->last = version;
  ++s->changes;
  s->tables |= 1u << row->table;
  s->bytes += row->table == CK_MESSAGES ? ck_row_text(row, CK_MESSAGES_RAW_TEXT).n : 0;
  struct ck_str key = ck_row_key(row);
  snprintf(s->last_key, sizeof s->last_key, "%.*s", (int)key.n, key.s);
}

static void upto(void *self, const char *store_id, uint64_t version, bool live) {
  struct seen *s = self;
  (void)live;
  cr_expect_geq(version, s->cursor);
  s->cursor = version;
  snprintf(s->store_id, sizeof s->store_id, "%s", store_id);
}

static void reset(void *self, const char *store_id) {
  struct seen *s = self;
  (void)store_id;
  s->cursor = s->last = s->changes = 0;
  ++s->resets;
}

static void begin(struct seen *s, unsigned tables, const char *store_id, uint64_t cursor) {
  struct ck_err err = {{0}};
  *s = (struct seen){.cursor = cursor, .last = cursor};
  struct ck_follow_ops ops = {s, change, upto, reset, NULL};
  s->follow = ck_follow_new(r.settings, &ops, tables, store_id, cursor, &err);
  cr_assert(s->follow, "%s", err.text);
}

/* Steps both until the follower has the version and every changeset has its receipt. */
static void until(struct seen *s, uint64_t version, int ms) {
  int64_t end = ck_boot_ms() + ms;
  for (;;) {
    int a = ck_push_step(push), b = s ? ck_follow_step(s->follow) : -1;
    bool there = !s || (s->cursor >= version && ck_follow_live(s->follow));
    if (there && ck_memory_unacked_pending(unacked) == 0) return;
    cr_assert_lt(ck_boot_ms(), end, "at %" PRIu64 " of %" PRIu64 " after %d ms; see %s/store.log",
                 s ? s->cursor : 0, version, ms, r.folder);
    zmq_pollitem_t items[4];
    int n = ck_push_items(push, items);
    if (s) n += ck_follow_items(s->follow, items + n);
    int wait = a < 0 || (b >= 0 && b < a) ? b : a;
    zmq_poll(items, n, wait < 0 || wait > 50 ? 50 : wait);
  }
}

Test(follow, what_was_there_and_what_comes) {
  struct seen s;
  add_messages("a", 3000);
  until(NULL, 0, 20000);
  begin(&s, 0, "", 0);
  until(&s, 3000, 10000);
  cr_expect_eq(s.changes, 3000);
  add_messages("b", 500);
  until(&s, 3500, 10000);
  cr_expect(s.changes == 3500 && s.resets == 0 && strcmp(s.last_key, "b499") == 0);
  /* goes on from its cursor */
  struct seen later;
  begin(&later, 0, s.store_id, 3400);
  until(&later, 3500, 5000);
  cr_expect(later.changes == 100 && later.resets == 0);
  ck_follow_free(&later.follow);
  ck_follow_free(&s.follow);
}

Test(follow, only_the_tables_it_wants) {
  struct seen s;
  begin(&s, 1u << CK_CONVERSATIONS, "", 0);
  add_messages("a", 20);
  add(CK_CONVERSATIONS, "{'local_conversation_id':'c1','platform':'p'}");
  add_messages("b", 20);
  until(&s, 41, 5000);
  cr_expect(s.changes == 1 && s.tables == 1u << CK_CONVERSATIONS);
  struct seen late;
  begin(&late, 1u << CK_CONVERSATIONS, "", 0);
  until(&late, 41, 5000);
  cr_expect(late.changes == 1 && late.tables == 1u << CK_CONVERSATIONS);
  ck_follow_free(&late.follow);
  ck_follow_free(&s.follow);
}

/* Of the messages, only those that come after the follower has been live; also if they come while
 * the store is away for a moment. */
Test(follow, some_tables_only_from_the_present_on) {
  struct seen s;
  add_messages("a", 20);
  add(CK_CONVERSATIONS, "{'local_conversation_id':'c1','platform':'p'}");
  until(NULL, 0, 5000);
  begin(&s, 1u << CK_CONVERSATIONS, "", 0);
  ck_follow_also(s.follow, 1u << CK_MESSAGES);
  until(&s, 21, 5000);
  cr_expect(s.changes == 1 && s.tables == 1u << CK_CONVERSATIONS);
  add_messages("b", 20);
  until(&s, 41, 5000);
  cr_expect_eq(s.changes, 21);
  sh_ring_stop(&r, SIGKILL);
  sh_ring_start(&r);
  add_messages("c", 20);
  until(NULL, 0, 10000); /* the follower does not look meanwhile */
  until(&s, 61, 10000);
  cr_expect_eq(s.changes, 41, "%zu changes", s.changes);
  ck_follow_free(&s.follow);
}

static void add_job(const char *id, const char *more) {
  char *json = ck_sprintf("{'job_id':'%s','local_conversation_id':'manual','message_id':'%s',"
                          "'payload_kind':'text'%s%s}",
                          id, id, strstr(more, "'payload'") ? "" : ",'payload':'go on'", more);
  add_message(id, "");
  add(CK_JOBS, json);
  free(json);
}

static void add_chat(const char *id, const char *automation) {
  char *json = ck_sprintf("{'local_conversation_id':'%s','platform':'p','automation_status':'%s'}",
                          id, automation);
  add(CK_CONVERSATIONS, json);
  free(json);
}

static void begin_brief(struct seen *s) {
  begin(s, 1u << CK_CONVERSATIONS | 1u << CK_JOBS, "", 0);
  ck_follow_brief(s->follow);
}

/* Of what there is, only what follow-ups are scheduled by; of what comes, everything, also after
 * the store was away. */
Test(follow, in_brief) {
  struct seen s;
  add_chat("manual", "manual");
  add_chat("auto", "auto");
  add_chat("paused", "paused");
  add_job("hand_1", ",'next_attempt_at':5");
  add_job("job_1", ",'next_attempt_at':5");
  add_job("tried", ",'next_attempt_at':5,'last_attempt_at':1");
  add_job("over", ",'status':'done'");
  add_job("over too", ",'status':'failed'");
  add_job("runs", ",'status':'running'");
  until(NULL, 0, 5000);
  begin_brief(&s);
  until(&s, 15, 5000);
  cr_expect_eq(s.changes, 5, "%zu changes", s.changes);
  add_job("hand_2", ",'next_attempt_at':5");
  add_chat("new", "manual");
  until(&s, 18, 5000);
  cr_expect_eq(s.changes, 7, "%zu changes", s.changes);
  sh_ring_stop(&r, SIGKILL);
  sh_ring_start(&r);
  add_job("hand_3", ",'next_attempt_at':5");
  add_job("over 3", ",'status':'done'");
  until(NULL, 0, 10000); /* the follower does not look meanwhile */
  until(&s, 22, 10000);
  cr_expect_eq(s.changes, 9, "%zu changes", s.changes);
  ck_follow_free(&s.follow);
}

/* One that has run when the first answer was made, and is over by the third, is not left out of
 * that: the first one had it. */
Test(follow, what_changes_between_brief_answers) {
  struct seen s;
  size_t n = 800 << 10;
  char *text = ck_alloc(n + 1);
  memset(text, 'x', n);
  text[n] = '\0';
  add_chat("manual", "manual");
  add_job("runs", ",'status':'running'");
  for (int i = 0; i < 6; ++i) {
    char id[8];
    snprintf(id, sizeof id, "big%d", i);
    char *more = ck_sprintf(",'last_attempt_at':1,'payload':'%s'", text);
    add_job(id, more);
    free(more);
  }
  until(NULL, 0, 10000);
  begin_brief(&s);
  while (s.changes == 0) {
    zmq_pollitem_t items[2];
    int wait = ck_follow_step(s.follow), k = ck_follow_items(s.follow, items);
    if (s.changes == 0) zmq_poll(items, k, wait);
  }
  cr_assert_lt(s.cursor, 10);
  size_t first = s.changes;
  tell(CK_OP_UPDATE, CK_JOBS, "{'job_id':'runs','status':'done'}");
  until(NULL, 0, 10000);
  until(&s, 16, 10000);
  cr_expect_str_eq(s.last_key, "runs");
  cr_expect_eq(s.changes, 8, "%zu changes, %zu with the first answer", s.changes, first);
  ck_follow_free(&s.follow);
  free(text);
}

Test(follow, the_store_is_killed) {
  struct seen s;
  begin(&s, 0, "", 0);
  for (int i = 0; i < 3; ++i) {
    add_messages(i == 0 ? "a" : i == 1 ? "b" : "c", 300);
    for (unsigned n = 20 + (unsigned)sh_below(100); n; --n)
      ck_push_step(push), ck_follow_step(s.follow);
    sh_ring_stop(&r, SIGKILL);
    sh_ring_start(&r);
  }
  until(&s, 900, 20000);
  cr_expect(s.changes == 900 && s.resets == 0, "%zu changes", s.changes);
  ck_follow_free(&s.follow);
}

Test(follow, another_history_comes_from_its_start) {
  struct seen s;
  add_messages("a", 10);
  until(NULL, 0, 5000);
  begin(&s, 0, "0123456789abcdef0123456789abcdef", 5);
  until(&s, 10, 5000);
  cr_expect(s.resets == 1 && s.changes == 10);
  ck_follow_free(&s.follow);
}

/* The database was restored from an older copy with the same id: what the follower knows beyond
 * that is of another history. */
Test(follow, a_cursor_beyond_the_head_is_of_another_history) {
  struct seen s;
  add_messages("a", 10);
  begin(&s, 0, "", 0);
  until(&s, 10, 5000);
  struct seen lost;
  begin(&lost, 0, s.store_id, 99);
  until(&lost, 10, 5000);
  cr_expect(lost.resets == 1 && lost.changes == 10);
  ck_follow_free(&lost.follow);
  ck_follow_free(&s.follow);
}

/* Two records that nearly fill a frame each, after small ones: each answer ends before the record
 * that would not fit. */
Test(follow, the_largest_records, .timeout = 60 * SLOWER) {
  struct seen s, late;
  size_t n = CK_FRAME_MAX - (66u << 10);
  char *text = ck_alloc(n + 1);
  memset(text, 'x', n);
  text[n] = '\0';
  text[600000] = '\0';
  begin(&s, 0, "", 0);
  add_message("small", text);
  text[600000] = 'x';
  add_message("large", text);
  add_message("larger", text);
  add_messages("a", 3);
  until(&s, 6, 30000);
  cr_expect(s.changes == 6 && s.bytes == 2 * n + 600000);
  begin(&late, 0, "", 0);
  until(&late, 6, 30000);
  cr_expect(late.changes == 6 && late.bytes == 2 * n + 600000);
  ck_follow_free(&late.follow);
  ck_follow_free(&s.follow);
  free(text);
}
