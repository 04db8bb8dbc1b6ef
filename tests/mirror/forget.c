/* What is forgotten is deleted in the mirror, and nothing brings it back there: no late statement,
 * no backfill, no hand. */
#include <stdio.h>

#include "tests/mirror/stories.h"

static void forget(struct t_producer *p, const char *kind, const char *id) {
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){ck_str_of(kind), ck_str_of(id), false};
  t_mutate(p, &m);
  char result = t_commit(p);
  T_CHECK(result == 'n' || result == 'u', "%s %s is not forgotten: %s", kind, id, t_refusal(p));
}

static void remember(struct t_producer *p, const char *kind, const char *id) {
  struct ck_mutation m = {.kind = CK_OP_REMEMBER};
  m.as.remember = (struct ck_remember){ck_str_of(kind), ck_str_of(id)};
  t_mutate(p, &m);
  T_CHECK(t_commit(p) == 'u', "%s", t_refusal(p));
}

static int64_t wrong(const char *word, int code) {
  json_t *lines = t_lines(code, "sync", word);
  int64_t n = mirror_said(lines, "missing") + mirror_said(lines, "other") +
              mirror_said(lines, "extra") + mirror_said(lines, "different");
  json_decref(lines);
  return n;
}

#define MESSAGE_OF_1 \
  "INSERT INTO messages (id, platform, conversation_id, role, raw_text, observed_at, static_path," \
  " created_at, version) VALUES ('m1-0', 'p', 'r1', 'user', 'it is back', 1, 'msg/x.txt', 1, 1)"

void story_what_is_forgotten_is_deleted(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 5, 0);
  mirror_same(m, 20000);
  forget(p, "conversation", "c1");
  forget(p, "message", "m2-1");
  mirror_same(m, 20000);
  mirror_none_dead();
  T_CHECK(m->number("SELECT count(*) AS n FROM messages") == 11, "messages are left");
  T_CHECK(m->number("SELECT count(*) AS n FROM local_conversations") == 4,
          "a conversation is left");
  T_CHECK(m->number("SELECT count(*) AS n FROM executions") == 3, "executions are left");
  T_CHECK(m->number("SELECT count(*) AS n FROM renewal_jobs") == 3, "jobs are left");
  T_CHECK(m->number("SELECT count(*) AS n FROM conversation_links") == 4, "a link is left");
  T_CHECK(wrong("verify", 0) == 0, "the mirror is not right");
  mirror_stop(m);
}

/* Everything is sent again; what was put back by hand goes. */
/* A dump reads every table in one transaction, for hours. reads: begins one that has read
 * `forgotten`; done: ends it. */
void story_a_reader_does_not_stop_forgetting(const struct mirror *m, const char *reads,
                                             const char *done) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 5, 0);
  mirror_same(m, 20000);
  m->sql(reads);
  forget(p, "conversation", "c1");
  mirror_settle(10000);
  mirror_write(p, 6, 1, 0);
  mirror_settle(10000);
  m->sql(done);
  mirror_same(m, 20000);
  mirror_stop(m);
}

/* Of a row that another worker is about to commit, forgetting could not know. writes: begins a
 * transaction that has the writers' lock; done: ends it; waiting: how many wait for it alone. */
void story_forgetting_waits_for_writers(const struct mirror *m, const char *writes,
                                        const char *waiting, const char *done) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 5, 0);
  mirror_same(m, 20000);
  m->sql(writes);
  mirror_write(p, 6, 1, 0);
  mirror_settle(10000);
  forget(p, "conversation", "c1");
  T_UNTIL(10000, m->number(waiting) == 1, "it does not wait");
  m->sql(done);
  mirror_same(m, 20000);
  mirror_stop(m);
}

void story_a_backfill_deletes_what_is_forgotten(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 3, 0);
  forget(p, "conversation", "c1");
  mirror_same(m, 20000);
  m->sql(MESSAGE_OF_1);
  T_CHECK(m->number("SELECT count(*) AS n FROM messages") == 7, "it was not put back");
  t_do(0, "sync", "backfill");
  mirror_same(m, 20000);
  mirror_none_dead();
  mirror_stop(m);
}

void story_repair_knows_what_is_forgotten(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 3, 0);
  forget(p, "conversation", "c1");
  mirror_same(m, 20000);
  m->sql(MESSAGE_OF_1);
  m->sql("DELETE FROM forgotten WHERE record_key = 'm1-1'");
  T_CHECK(wrong("verify", 1) == 2, "a row too many, and one too few");
  t_do(0, "sync", "repair");
  mirror_same(m, 20000);
  /* A mirror that says that more is gone than is: its rows come back. */
  m->sql("INSERT INTO forgotten (forgotten_id, table_name, record_key, forgotten_with,"
         " forgotten_at, taken_back, version) VALUES ('messages/m2-0', 'messages', 'm2-0', 'x', 1,"
         " 0, 1000000)");
  m->sql("DELETE FROM messages WHERE id = 'm2-0'");
  T_CHECK(wrong("verify", 1) == 2, "a row too few, and one too many");
  t_do(0, "sync", "repair");
  mirror_same(m, 20000);
  mirror_stop(m);
}

/* It is forgotten, comes back by a person's wish, and is forgotten again. */
void story_what_is_taken_back_is_mirrored(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 2, 0);
  for (int i = 0; i < 2; ++i) {
    forget(p, "conversation", "c1");
    if (i == 0) mirror_settle(20000);
    remember(p, "conversation", "c1");
    mirror_write(p, 1, 1, i + 1);
    mirror_same(m, 20000);
    T_CHECK(m->number("SELECT count(*) AS n FROM messages") == 6, "it is not back");
  }
  mirror_none_dead();
  mirror_stop(m);
}

/* Two workers, and changes in between: an older batch may come after what deletes its rows. */
void story_what_is_forgotten_while_workers_are_killed(const struct mirror *m) {
  struct t_process *w[2];
  mirror_start(m);
  mirror_schema(m);
  t_set("sync.batch", "4000");
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  for (int i = 1; i <= 40; i += 4) {
    char id[16];
    mirror_write(p, i, 4, 0);
    mirror_workers(w, 2);
    snprintf(id, sizeof id, "c%d", i);
    mirror_write(p, i, 4, 1);
    forget(p, "conversation", id);
    mirror_write(p, i + 1, 3, 2);
    t_signal(w[0], i % 8 == 1 ? SIGKILL : SIGTERM);
    t_wait_end(w[0], 20000);
    mirror_end_workers(w + 1, 1);
  }
  mirror_workers(w, 1);
  mirror_same(m, 60000);
  mirror_none_dead();
  T_CHECK(m->number("SELECT count(*) AS n FROM local_conversations") == 30, "%lld are left",
          (long long)m->number("SELECT count(*) AS n FROM local_conversations"));
  mirror_end_workers(w, 1);
  mirror_stop(m);
}
