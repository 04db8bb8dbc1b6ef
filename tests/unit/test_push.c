/* The producer's half against the real store: everything arrives once and in order, whatever
 * happens to the store or the producer. */
#include "test_store_help.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/push.h"

/* ---- unacked changesets in memory, alone ---- */

struct noted {
  uint64_t numbers[16];
  char letters[16];
  size_t count;
};

static void note(void *self, uint64_t number, char result, struct ck_str reason) {
  struct noted *n = self;
  (void)reason;
  n->numbers[n->count] = number;
  n->letters[n->count++] = result;
}

static void expect_item(struct ck_unacked *k, uint64_t number, const char *text) {
  struct ck_str got;
  cr_assert(k->get(k->self, number, &got), "%" PRIu64, number);
  cr_expect(ck_str_is(got, text), "%" PRIu64 " is %.*s", number, (int)got.n, got.s);
}

Test(memory_unacked, is_numbered_once_the_store_has_said_from_where) {
  struct noted noted = {.count = 0};
  struct ck_memory_unacked *m = ck_memory_unacked_new(note, &noted);
  struct ck_unacked k = ck_memory_unacked_ops(m);
  struct ck_str got;
  cr_expect_eq(k.first(k.self), 0, "not bound yet");
  ck_memory_unacked_add(m, CK_LIT("a"));
  ck_memory_unacked_add(m, CK_LIT("b"));
  cr_expect_eq(k.first(k.self), 0);
  k.skip(k.self, 41);
  cr_expect_eq(k.first(k.self), 42);
  cr_expect_eq(k.last(k.self), 43);
  cr_expect_eq(ck_memory_unacked_add(m, CK_LIT("c")), 44);
  expect_item(&k, 44, "c");
  expect_item(&k, 42, "a");
  expect_item(&k, 43, "b");
  cr_expect_not(k.get(k.self, 41, &got));
  cr_expect_not(k.get(k.self, 45, &got));
  k.receipt(k.self, 42, 'n', (struct ck_str){0});
  cr_expect_eq(k.first(k.self), 43);
  expect_item(&k, 44, "c");
  k.receipt(k.self, 43, 'r', CK_LIT("why"));
  k.receipt(k.self, 44, '=', (struct ck_str){0});
  cr_expect_eq(k.first(k.self), 45);
  cr_expect_eq(k.last(k.self), 44);
  cr_expect_eq(ck_memory_unacked_pending(m), 0);
  cr_expect_eq(ck_memory_unacked_add(m, CK_LIT("")), 45);
  expect_item(&k, 45, "");
  cr_expect(noted.count == 3 && memcmp(noted.letters, "nr=", 3) == 0 && noted.numbers[0] == 42 &&
            noted.numbers[2] == 44);
  ck_memory_unacked_free(&m);
}

/* ---- with the store ---- */

struct producer_here {
  struct ck_memory_unacked *unacked;
  struct ck_push *push;
  uint64_t last;
  uint64_t version; /* ck_push_version during the last receipt */
  size_t done, fresh, refused;
  struct ck_counts counts; /* the last that came, and of how many numbers */
  size_t counted;
  char reason[200];
};

static struct sh_ring r;

static void done(void *self, uint64_t number, char result, struct ck_str reason) {
  struct producer_here *p = self;
  cr_expect(p->last == 0 || number == p->last + 1, "%" PRIu64 " after %" PRIu64, number, p->last);
  p->last = number;
  p->version = ck_push_version(p->push);
  ++p->done;
  p->fresh += result == 'n';
  p->refused += result == 'r';
  if (result == 'r') snprintf(p->reason, sizeof p->reason, "%.*s", (int)reason.n, reason.s);
}

/* Of the producer that began last. */
static struct producer_here *counting;

static void counts(void *self, const struct ck_counts *counts) {
  (void)self;
  cr_expect(counting->last == 0 || counts->number == counting->last + 1, "before the receipt");
  counting->counts = *counts;
  ++counting->counted;
}

static void begin(struct producer_here *p, const char *id) {
  struct ck_err err = {{0}};
  *p = (struct producer_here){.unacked = ck_memory_unacked_new(done, p)};
  struct ck_unacked ops = ck_memory_unacked_ops(p->unacked);
  ops.counts = counts;
  counting = p;
  p->push = ck_push_new(r.settings, id, &ops, 64, &err);
  cr_assert(p->push, "%s", err.text);
}

static void end(struct producer_here *p) {
  ck_push_free(&p->push);
  ck_memory_unacked_free(&p->unacked);
}

static void put(struct ck_buf *b, const char *table, const char *json) {
  struct ck_buf row = {0};
  struct ck_mutation m = {.kind = CK_OP_PUT};
  sh_pack(&row, json);
  m.as.put = (struct ck_put){ck_str_of(table), ck_buf_view(&row), 0};
  ck_mutation_encode(b, &m);
  ck_buf_free(&row);
}

static void add(struct producer_here *p, const char *json) {
  struct ck_buf b = {0};
  ck_put_array(&b, 1);
  put(&b, "messages", json);
  ck_memory_unacked_add(p->unacked, ck_buf_view(&b));
  ck_buf_free(&b);
}

static void add_messages(struct producer_here *p, const char *prefix, int from, int to) {
  for (int i = from; i < to; ++i) {
    char *json = ck_sprintf(
        "{'id':'%s%d','platform':'p','role':'user','raw_text':'','observed_at':1}", prefix, i);
    add(p, json);
    free(json);
  }
}

static void turn(struct producer_here *p, int most) {
  int wait = ck_push_step(p->push);
  zmq_pollitem_t items[2];
  int n = ck_push_items(p->push, items);
  zmq_poll(items, n, wait < 0 || wait > most ? most : wait);
}

static void until_done(struct producer_here *p, size_t count, int ms) {
  int64_t until = ck_boot_ms() + ms;
  while (p->done < count) {
    cr_assert_lt(ck_boot_ms(), until, "%zu of %zu receipts after %d ms; see %s/store.log", p->done,
                 count, ms, r.folder);
    turn(p, 100);
  }
}

static void open_it(void) { sh_ring_open(&r); }
static void close_it(void) { sh_ring_close(&r); }

TestSuite(push, .init = open_it, .fini = close_it, .timeout = 60);

Test(push, a_stream_arrives_once_and_in_order) {
  struct producer_here p;
  sh_ring_start(&r);
  begin(&p, "one");
  add_messages(&p, "m", 0, 2000);
  until_done(&p, 2000, 20000);
  cr_expect_eq(p.fresh, 2000);
  cr_expect_eq(p.version, 2000, "the last receipt says which version it was, not %" PRIu64,
               p.version);
  cr_expect_eq(sh_ring_int("SELECT count(*) FROM messages"), 2000);
  cr_expect_eq(sh_ring_int("SELECT max(version) FROM messages"), 2000);
  cr_expect_eq(sh_ring_int("SELECT applied FROM producers WHERE id = 'one'"), 2000);
  end(&p);
}

Test(push, it_starts_before_the_store) {
  struct producer_here p;
  begin(&p, "one");
  add_messages(&p, "m", 0, 10);
  for (int i = 0; i < 20; ++i) turn(&p, 50);
  cr_expect_not(ck_push_streaming(p.push));
  sh_ring_start(&r);
  until_done(&p, 10, 6000);
  end(&p);
}

Test(push, a_refused_changeset_uses_its_number) {
  struct producer_here p;
  sh_ring_start(&r);
  begin(&p, "one");
  add_messages(&p, "m", 0, 3);
  add(&p, "{'id':'x','platform':' '}");
  add_messages(&p, "m", 3, 5);
  until_done(&p, 6, 6000);
  cr_expect(p.fresh == 5 && p.refused == 1);
  cr_expect_eq(p.version, 5, "what is refused changes no version");
  cr_expect(strstr(p.reason, "messages.platform: must not be blank (id x)"), "%s", p.reason);
  end(&p);
}

/* kill -9 at any moment: nothing applied twice, nothing lost, no version left out. */
Test(push, the_store_is_killed_in_the_stream) {
  struct producer_here p;
  sh_ring_start(&r);
  begin(&p, "one");
  add_messages(&p, "m", 0, 3000);
  for (int i = 1; i <= 4; ++i) {
    until_done(&p, (size_t)i * 500 + (size_t)sh_below(300), 20000);
    sh_ring_stop(&r, SIGKILL);
    size_t before = p.done;
    for (int k = 0; k < 5; ++k) turn(&p, 20);
    cr_expect_leq(p.done - before, 64, "receipts that were under way");
    sh_ring_start(&r);
  }
  until_done(&p, 3000, 30000);
  cr_expect_eq(sh_ring_int("SELECT count(*) FROM messages"), 3000);
  cr_expect_eq(sh_ring_int("SELECT max(version) FROM messages"), 3000);
  end(&p);
}

/* A receipt that was lost with the feed is asked for. */
Test(push, the_producer_is_killed_and_its_next_run_goes_on) {
  struct producer_here p, q;
  sh_ring_start(&r);
  begin(&p, "one");
  add_messages(&p, "m", 0, 100);
  while (!ck_push_streaming(p.push)) turn(&p, 100);
  ck_push_step(p.push);
  begin(&q, "one");
  add_messages(&q, "m", 0, 100);
  until_done(&q, 100, 6000);
  /* Changesets of the first run were applied before, or are dropped as an older run's. */
  cr_expect_eq(sh_ring_int("SELECT count(*) FROM messages"), 100);
  cr_expect_eq(sh_ring_int("SELECT max(version) FROM messages"), 100);
  /* More, if a slow store was greeted again. */
  cr_expect_geq(sh_ring_int("SELECT epoch FROM producers WHERE id = 'one'"), 2);
  add_messages(&p, "late", 0, 100);
  for (int64_t until = ck_boot_ms() + 5000; !ck_push_usurped(p.push) && ck_boot_ms() < until;)
    turn(&p, 50);
  cr_expect(ck_push_usurped(p.push), "the older run is told");
  cr_expect_eq(ck_push_step(p.push), -1);
  cr_expect_eq(sh_ring_int("SELECT count(*) FROM messages"), 100);
  end(&p);
  end(&q);
}

/* A slow store is not greeted so often that none of its answers counts. */
Test(push, the_store_stalls_while_it_is_greeted) {
  struct producer_here p;
  sh_ring_start(&r);
  kill(r.pid, SIGSTOP);
  begin(&p, "one");
  add_messages(&p, "m", 0, 5);
  for (int64_t until = ck_boot_ms() + 2500; ck_boot_ms() < until;) turn(&p, 50);
  kill(r.pid, SIGCONT);
  until_done(&p, 5, 6000);
  cr_expect_leq(sh_ring_int("SELECT epoch FROM producers WHERE id = 'one'"), 6);
  end(&p);
}

/* The producer is elsewhere, and the store begins again in an empty folder: changesets that had
 * their receipt do not come again, those that had none do. */
Test(push, the_database_is_set_back) {
  struct producer_here p;
  sh_ring_start(&r);
  begin(&p, "one");
  add_messages(&p, "m", 0, 10);
  until_done(&p, 10, 6000);
  sh_ring_stop(&r, SIGTERM);
  cr_assert_eq(rename(DB_FILE, "away"), 0);
  cr_assert_eq(system("rm -r " CK_PLACE_WITNESS " artifacts"), 0);
  sh_ring_start(&r);
  add_messages(&p, "m", 10, 15);
  until_done(&p, 15, 10000);
  cr_expect_eq(sh_ring_int("SELECT count(*) FROM messages"), 5);
  cr_expect_eq(sh_ring_int("SELECT applied FROM producers WHERE id = 'one'"), 15);
  end(&p);
}

/* Messages a to c, of which a is there already with another text, and c twice; b's execution. */
static void add_many(struct producer_here *p, const char *text, const char *execution) {
  struct ck_buf b = {0};
  const char *ids[] = {"a", "b", "c", "c"};
  ck_put_array(&b, 5);
  for (int i = 0; i < 4; ++i) {
    char *json = ck_sprintf("{'id':'%s','platform':'p','role':'user','raw_text':'%s',"
                            "'observed_at':%d}",
                            ids[i], i ? "" : text, i ? 1 : 2);
    put(&b, "messages", json);
    free(json);
    if (i != 1) continue;
    json = ck_sprintf("{'instruction_id':'%s','message_id':'b','target':'t','tool':'u',"
                      "'executed_at':1}",
                      execution);
    put(&b, "executions", json);
    free(json);
  }
  ck_memory_unacked_add(p->unacked, ck_buf_view(&b));
  ck_buf_free(&b);
}

static void expect_counts(const struct producer_here *p, uint64_t added, uint64_t updated,
                          uint64_t unchanged) {
  cr_expect(p->counts.added == added && p->counts.updated == updated &&
                p->counts.unchanged == unchanged,
            "%" PRIu64 " added, %" PRIu64 " updated, %" PRIu64 " unchanged", p->counts.added,
            p->counts.updated, p->counts.unchanged);
}

Test(push, a_changeset_of_many_messages_has_its_counts) {
  struct producer_here p;
  sh_ring_start(&r);
  begin(&p, "one");
  add(&p, "{'id':'a','platform':'p','role':'user','raw_text':'','observed_at':1}");
  until_done(&p, 1, 6000);
  cr_expect_eq(p.counted, 0, "one message has its letter");
  add_many(&p, "more", "e1");
  until_done(&p, 2, 6000);
  cr_expect_eq(p.counted, 1);
  expect_counts(&p, 2, 1, 1);
  add_many(&p, "more", "e1");
  until_done(&p, 3, 6000);
  expect_counts(&p, 0, 0, 4);
  add_many(&p, "more", "e2"); /* b has another execution */
  until_done(&p, 4, 6000);
  expect_counts(&p, 0, 1, 3);
  add(&p, "{'id':'x','platform':' '}");
  until_done(&p, 5, 6000);
  cr_expect_eq(p.counted, 3, "nothing of what is refused");
  end(&p);
}

/* ---- with a store that the test plays ---- */

struct played {
  void *intake, *feed, *snapshot;
};

static void play(struct played *s) {
  struct ck_err err = {{0}};
  s->intake = ck_door_bind(r.settings, CK_DOOR_INTAKE, &err);
  s->feed = ck_door_bind(r.settings, CK_DOOR_FEED, &err);
  s->snapshot = ck_door_bind(r.settings, CK_DOOR_SNAPSHOT, &err);
  cr_assert(s->intake && s->feed && s->snapshot, "%s", err.text);
}

static void end_play(struct played *s) {
  ck_door_close(&s->intake, 0);
  ck_door_close(&s->feed, 0);
  ck_door_close(&s->snapshot, 0);
}

/* Answers the next HELLO or LAST: all up to `applied` is applied. */
static void welcome(struct played *s, struct producer_here *p, uint64_t applied) {
  zmq_msg_t peer, frame;
  struct ck_message m, answer = {.kind = CK_MSG_WELCOME};
  struct ck_buf out = {0};
  int64_t until = ck_boot_ms() + 10000;
  while (ck_recv2(s->snapshot, &peer, &frame)) {
    cr_assert_lt(ck_boot_ms(), until, "the producer does not ask");
    turn(p, 5);
  }
  cr_assert_eq(ck_message_decode(&m, ck_frame(&frame).s, ck_frame(&frame).n, NULL), 0);
  cr_assert(m.kind == CK_MSG_HELLO || m.kind == CK_MSG_LAST);
  answer.as.welcome = (struct ck_welcome){.request = m.kind == CK_MSG_HELLO ? m.as.hello.request
                                                                            : m.as.last.request,
                                          .store_id = CK_LIT("played"),
                                          .epoch = 1,
                                          .first = 1,
                                          .applied = applied,
                                          .results = {"nnnnnnnnnnnnnnnn", (size_t)applied},
                                          .refused = CK_LIT("\x90"),
                                          .counts = CK_LIT("\x90")};
  ck_message_encode(&out, &answer);
  cr_assert_eq(ck_send_to(s->snapshot, ck_frame(&peer), ck_buf_view(&out)), 0);
  ck_buf_free(&out);
  zmq_msg_close(&peer);
  zmq_msg_close(&frame);
}

/* Takes `count` changesets, from this number on. */
static void take_changesets(struct played *s, struct producer_here *p, uint64_t from, int count) {
  int64_t until = ck_boot_ms() + 10000;
  for (int i = 0; i < count;) {
    zmq_msg_t frame;
    struct ck_message m;
    cr_assert_lt(ck_boot_ms(), until, "%d of %d changesets came", i, count);
    turn(p, 5);
    if (ck_recv(s->intake, &frame)) continue;
    cr_assert_eq(ck_message_decode(&m, ck_frame(&frame).s, ck_frame(&frame).n, NULL), 0);
    cr_assert_eq(m.kind, CK_MSG_CHANGESET);
    cr_expect_eq(m.as.changeset.number, from + (uint64_t)i++);
    zmq_msg_close(&frame);
  }
}

/* What lies in the intake of a store that is at work would be there twice. What is lost is sent
 * again: the next answer shows no progress. */
Test(push, a_store_that_comes_further_gets_nothing_twice) {
  struct producer_here p;
  struct played s;
  play(&s);
  begin(&p, "one");
  add_messages(&p, "m", 0, 10);
  welcome(&s, &p, 0);
  take_changesets(&s, &p, 1, 10);
  welcome(&s, &p, 4);
  until_done(&p, 4, 5000);
  add_messages(&p, "m", 10, 11);
  take_changesets(&s, &p, 11, 1);
  welcome(&s, &p, 4);
  take_changesets(&s, &p, 5, 7);
  welcome(&s, &p, 11);
  until_done(&p, 11, 5000);
  end(&p);
  end_play(&s);
}
