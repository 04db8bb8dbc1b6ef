/* Versions and numbers: a follower gets every version in order, a producer every receipt, and
 * neither accepts a gap. */
#include "proto/follow.h"

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define MESSAGE "'platform': 'x', 'role': 'user', 'raw_text': 'hi', 'observed_at': 1000"

/* ---- the library's follower ---- */

struct seen {
  struct ck_follow *follow;
  uint64_t cursor, last_change;
  int changes, resets;
  char store_id[64];
};

static void on_change(void *self, uint64_t version, const struct ck_row *row) {
  struct seen *s = self;
  (void)row;
  T_CHECK(version > s->last_change && version > s->cursor, "version %llu after %llu",
          (unsigned long long)version, (unsigned long long)s->last_change);
  s->last_change = version;
  s->changes++;
}

static void on_upto(void *self, const char *store_id, uint64_t version, bool live) {
  struct seen *s = self;
  (void)live;
  T_CHECK(version >= s->cursor, "the cursor went back from %llu to %llu",
          (unsigned long long)s->cursor, (unsigned long long)version);
  s->cursor = version;
  snprintf(s->store_id, sizeof s->store_id, "%s", store_id);
}

static void on_reset(void *self, const char *store_id) {
  struct seen *s = self;
  (void)store_id;
  s->resets++;
  s->cursor = s->last_change = 0;
  s->changes = 0;
}

static void begin(struct seen *s, unsigned tables, const char *store_id, uint64_t cursor) {
  struct ck_follow_ops ops = {s, on_change, on_upto, on_reset, NULL};
  struct ck_err err = {""};
  *s = (struct seen){.cursor = cursor, .last_change = cursor};
  s->follow = ck_follow_new(t_settings(), &ops, tables, store_id, cursor, &err);
  T_CHECK(s->follow != NULL, "no follower: %s", err.text);
}

/* Runs the follower until it is live and has this version; fails after `ms` milliseconds. */
static void go_on(struct seen *s, uint64_t version, int ms) {
  int64_t until = ck_boot_ms() + ms * T_SLOWER;
  for (;;) {
    int wait = ck_follow_step(s->follow);
    if (s->cursor >= version && ck_follow_live(s->follow)) return;
    T_CHECK(ck_boot_ms() < until, "the follower is at %llu of %llu after %d ms",
            (unsigned long long)s->cursor, (unsigned long long)version, ms);
    zmq_pollitem_t items[2];
    int n = ck_follow_items(s->follow, items);
    zmq_poll(items, n, wait < 0 || wait > 50 ? 50 : wait);
  }
}

static uint64_t head(void) { return (uint64_t)t_status_int("version", -1); }

static void write_messages(struct t_producer *p, int from, int upto) {
  for (int i = from; i < upto; i++) t_taken(p, 'n', "messages", "{'id': 'm%d', " MESSAGE "}", i);
}

T_STORY(follow, live_and_late, 40) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  struct seen early, late, part;
  begin(&early, 0, "", 0);
  go_on(&early, 0, 20000);
  write_messages(p, 0, 50);
  go_on(&early, 50, 20000);
  T_CHECK(early.changes == 50, "%d of 50 changes came with the feed", early.changes);
  begin(&late, 0, "", 0);
  go_on(&late, 50, 20000);
  T_CHECK(late.changes == 50, "%d of 50 changes came with the snapshot", late.changes);
  begin(&part, 0, late.store_id, 30);
  go_on(&part, 50, 20000);
  T_CHECK(part.changes == 20 && part.resets == 0, "%d changes, %d resets since version 30",
          part.changes, part.resets);
  write_messages(p, 50, 60);
  go_on(&early, 60, 20000), go_on(&late, 60, 20000), go_on(&part, 60, 20000);
  T_CHECK(early.changes == 60 && late.changes == 60 && part.changes == 30, "%d, %d, %d changes",
          early.changes, late.changes, part.changes);
  ck_follow_free(&early.follow), ck_follow_free(&late.follow), ck_follow_free(&part.follow);
}

T_STORY(follow, only_some_tables, 40) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  struct seen s;
  begin(&s, 1u << CK_CONVERSATIONS, "", 0);
  write_messages(p, 0, 5);
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'l1', 'platform': 'x'}");
  write_messages(p, 5, 10);
  go_on(&s, 11, 20000);
  T_CHECK(s.changes == 1, "%d changes of one table", s.changes);
  ck_follow_free(&s.follow);
}

/* A record that changed several times comes once, in its newest state, and no version is skipped.
 */
T_STORY(follow, overtaken_versions, 40) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < 20; i++)
    t_taken(p, i ? 'u' : 'n', "messages",
            "{'id': 'm1', 'platform': 'x', 'role': 'user', 'raw_text': '%d', 'observed_at': %d}", i,
            i);
  struct seen s;
  begin(&s, 0, "", 0);
  go_on(&s, 20, 20000);
  T_CHECK(s.changes == 1 && s.last_change == 20, "%d changes, the last %llu", s.changes,
          (unsigned long long)s.last_change);
  ck_follow_free(&s.follow);
}

/* Another database: the follower forgets everything and starts at the first record. */
T_STORY(follow, another_store_id, 40) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  write_messages(p, 0, 3);
  struct seen s;
  begin(&s, 0, "0123456789abcdef0123456789abcdef", 2);
  go_on(&s, 3, 20000);
  T_CHECK(s.resets == 1 && s.changes == 3, "%d resets, %d changes", s.resets, s.changes);
  ck_follow_free(&s.follow);
}

T_STORY(follow, through_a_restart_of_the_store, 60) {
  struct t_process *store = t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  struct seen s;
  begin(&s, 0, "", 0);
  write_messages(p, 0, 10);
  go_on(&s, 10, 20000);
  t_kill("store", SIGKILL);
  t_wait_end(store, 10000);
  t_daemon("store", NULL);
  write_messages(p, 10, 20);
  go_on(&s, 20, 10000);
  T_CHECK(s.changes == 20 && s.resets == 0, "%d changes, %d resets", s.changes, s.resets);
  ck_follow_free(&s.follow);
}

/* ---- the feed on the wire ---- */

T_STORY(follow, the_feed_itself, 40) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  void *feed = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB);
  zmq_setsockopt(feed, ZMQ_SUBSCRIBE, "change", 6);
  zmq_setsockopt(feed, ZMQ_SUBSCRIBE, "beat", 4);
  struct ck_buf b = {0};
  T_CHECK(t_raw_recv(feed, &b, 3000), "no heartbeat within 3 s");
  int beats = 1;
  for (int i = 0; i < 3; i++, beats++)
    T_CHECK(t_raw_recv(feed, &b, 600), "%d heartbeats, then none for 600 ms", beats);
  write_messages(p, 0, 30);
  uint64_t at = 0;
  while (at < 30) {
    struct ck_message m;
    struct ck_err err;
    T_CHECK(t_raw_recv(feed, &b, 3000), "the feed stops at %llu of 30", (unsigned long long)at);
    T_CHECK(ck_message_decode(&m, b.data, b.len, &err) == 0, "a frame of the feed: %s", err.text);
    if (m.kind == CK_MSG_BEAT)
      T_CHECK(m.as.beat.head <= 30 && m.as.beat.store_id.n > 0, "a heartbeat with head %llu",
              (unsigned long long)m.as.beat.head);
    if (m.kind != CK_MSG_CHANGES) continue;
    T_CHECK(m.as.changes.request == 0 && m.as.changes.after == at && m.as.changes.upto > at,
            "changes (%llu, %llu] after %llu", (unsigned long long)m.as.changes.after,
            (unsigned long long)m.as.changes.upto, (unsigned long long)at);
    at = m.as.changes.upto;
  }
  ck_buf_free(&b);
}

/* ---- a producer by hand ---- */

struct hand {
  void *intake, *feed;
  uint64_t epoch, applied;
};

static void greet(struct hand *h, const char *id, uint64_t next) {
  struct ck_message hello = {.kind = CK_MSG_HELLO}, answer;
  hello.as.hello = (struct ck_hello){0, ck_str_of(id), next};
  zmq_msg_t frame;
  struct ck_err err;
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &hello, &answer, &frame, 5000, &err) == 0, "HELLO: %s", err.text);
  T_CHECK(answer.kind == CK_MSG_WELCOME, "HELLO was answered with %s",
          ck_message_name(answer.kind));
  h->epoch = answer.as.welcome.epoch;
  h->applied = answer.as.welcome.applied;
  zmq_msg_close(&frame);
}

static void send_number(struct hand *h, const char *id, uint64_t epoch, uint64_t number,
                        const char *key) {
  t_raw_message(h->intake, id, epoch, number, "{'id': '%s', " MESSAGE "}", key);
}

/* `applied` of the next receipt; 0: none came. */
static uint64_t next_receipt(struct hand *h, char results[64]) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  uint64_t applied = 0;
  if (t_raw_recv(h->feed, &b, 1500)) {
    T_CHECK(ck_message_decode(&m, b.data, b.len, &err) == 0 && m.kind == CK_MSG_RECEIPT,
            "not a receipt: %s", err.text);
    applied = m.as.receipt.applied;
    snprintf(results, 64, "%.*s", (int)m.as.receipt.results.n, m.as.receipt.results.s);
    T_CHECK(m.as.receipt.applied + 1 - m.as.receipt.first == m.as.receipt.results.n,
            "%zu results for %llu to %llu", m.as.receipt.results.n,
            (unsigned long long)m.as.receipt.first, (unsigned long long)m.as.receipt.applied);
  }
  ck_buf_free(&b);
  return applied;
}

static void open_hand(struct hand *h, const char *id) {
  char topic[64];
  snprintf(topic, sizeof topic, "receipt/%s/", id);
  *h = (struct hand){.intake = t_raw_socket(CK_DOOR_INTAKE, ZMQ_PUSH),
                     .feed = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB)};
  zmq_setsockopt(h->feed, ZMQ_SUBSCRIBE, topic, strlen(topic));
  greet(h, id, 1);
  t_pause(100); /* the subscription is on its way, and nothing tells when it has arrived */
}

T_STORY(follow, receipts_duplicates_and_gaps, 40) {
  t_daemon("store", NULL);
  struct hand h;
  char results[64];
  open_hand(&h, "hand");
  T_CHECK(h.applied == 0 && h.epoch > 0, "a new producer has %llu applied in epoch %llu",
          (unsigned long long)h.applied, (unsigned long long)h.epoch);
  send_number(&h, "hand", h.epoch, 1, "m1");
  T_CHECK(next_receipt(&h, results) == 1 && strcmp(results, "n") == 0, "number 1: %s", results);
  send_number(&h, "hand", h.epoch, 1, "m1-other");
  T_CHECK(next_receipt(&h, results) == 1, "a duplicate has no receipt");
  T_CHECK(t_count("messages") == 1, "a duplicate was applied");
  send_number(&h, "hand", h.epoch, 3, "m3");
  uint64_t gap = next_receipt(&h, results);
  T_CHECK(gap == 0 || gap == 1, "%llu were applied after a gap", (unsigned long long)gap);
  T_CHECK(t_count("messages") == 1, "a changeset after a gap was applied");
  send_number(&h, "hand", h.epoch, 2, "m2");
  send_number(&h, "hand", h.epoch, 3, "m3");
  T_UNTIL(20000, next_receipt(&h, results) == 3, "the gap was not closed");
  T_CHECK(t_count("messages") == 3 && head() == 3, "%lld messages", (long long)t_count("messages"));
}

/* A changeset that an older run of a producer left in some pipe must not take a newer run's number.
 */
T_STORY(follow, an_older_epoch_is_dropped, 40) {
  t_daemon("store", NULL);
  struct hand h;
  char results[64];
  open_hand(&h, "hand");
  uint64_t old = h.epoch;
  send_number(&h, "hand", old, 1, "m1");
  T_CHECK(next_receipt(&h, results) == 1, "number 1 has no receipt");
  greet(&h, "hand", 2);
  T_CHECK(h.epoch > old && h.applied == 1, "epoch %llu after %llu, %llu applied",
          (unsigned long long)h.epoch, (unsigned long long)old, (unsigned long long)h.applied);
  send_number(&h, "hand", old, 2, "stale");
  send_number(&h, "hand", h.epoch, 2, "fresh");
  T_UNTIL(20000, next_receipt(&h, results) == 2, "number 2 has no receipt");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 'fresh'") == 1,
          "the newer run's changeset is missing");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 'stale'") == 0,
          "the older run's changeset took a new number");
}

/* A receipt is final: its changesets are still there after kill -9. */
T_STORY(follow, a_receipt_means_durable, 60) {
  struct t_process *store = t_daemon("store", NULL);
  for (int round = 0; round < 5; round++) {
    struct t_producer *p = t_producer("test");
    for (int i = 0; i < 10; i++)
      t_taken(p, 'n', "messages", "{'id': 'm%d-%d', " MESSAGE "}", round, i);
    t_talk_forget();
    t_kill("store", SIGKILL);
    t_wait_end(store, 10000);
    store = t_daemon("store", NULL);
    T_CHECK(t_count("messages") == 10 * (round + 1), "%lld messages after round %d",
            (long long)t_count("messages"), round + 1);
  }
  t_check_database("artifact.db");
}
