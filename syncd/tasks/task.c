/* Asking the store and the sink, waiting for their answers, and saying lines (task.h). */
#include "syncd/tasks/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

#define ANSWER_MS 10000 /* for the store to answer: a backup or an import may be in the way */
#define STORE_MS 60000  /* … and for a store that is restarted to be back */
#define BACKOFF_MS 50
#define PATIENCE_MS 180000 /* without a good answer from the sink: D1 stalls for 80 s at times */
#define SAY_MS 2000
#define WAIT_MAX_MS 600000 /* that a sink may ask for: a rate limit is over after 300 s */
#define ODD_TRIES 8
#define DEMAND_MS 1000 /* a demand is said again so often (proto/wire.h) */
#define ALLOWED_WITHIN_MS 900000

/* ---- saying ---- */

struct ck_buf *sync_task_line(struct sync_task *t) {
  ck_buf_clear(&t->line);
  return &t->line;
}

void sync_task_say(struct sync_task *t) { ck_task_say(ck_buf_view(&t->line)); }

void sync_task_text(struct ck_buf *b, struct ck_str text) {
  if (ck_utf8_ok(text)) {
    ck_buf_json_str(b, text);
    return;
  }
  char *copy = ck_str_dup(text);
  for (size_t i = 0; i < text.n; ++i)
    if ((unsigned char)copy[i] >= 0x80) copy[i] = '?';
  ck_buf_json_str(b, (struct ck_str){copy, text.n});
  free(copy);
}

void sync_task_progress(struct sync_task *t, uint64_t done, uint64_t total) {
  ck_buf_printf(sync_task_line(t), "{\"done\":%llu,\"total\":%llu}",
                (unsigned long long)(done < total ? done : total), (unsigned long long)total);
  sync_task_say(t);
}

/* ---- waiting ---- */

void sync_task_pause(int64_t ms) {
  for (int64_t until = ck_boot_ms() + ms, left; (left = until - ck_boot_ms()) > 0;)
    zmq_poll(NULL, 0, (long)left);
}

/* ---- the store ---- */

static int reconnect(struct sync_task *t, struct ck_err *err) {
  ck_door_close(&t->store, 0);
  t->store = ck_door_connect(t->settings, CK_DOOR_SNAPSHOT, err);
  return t->store ? 0 : -1;
}

int sync_task_store(struct sync_task *t, struct ck_message *request, struct ck_message *answer,
                    zmq_msg_t *frame, struct ck_err *err) {
  for (int64_t until = ck_boot_ms() + STORE_MS;;) {
    int64_t asked = ck_boot_ms();
    *answer = (struct ck_message){0};
    if (ck_ask(t->store, request, answer, frame, ANSWER_MS, err) == 0) return 0;
    bool refused = answer->kind == CK_MSG_PROBLEM && ck_boot_ms() - asked < ANSWER_MS;
    if (refused || ck_boot_ms() >= until || reconnect(t, err)) return ck_fail_in(err, "the store");
  }
}

int sync_task_range(struct sync_task *t, const struct ck_range *q, struct ck_ranges *answer,
                    zmq_msg_t *frame, struct ck_err *err) {
  struct ck_message request = {.kind = CK_MSG_RANGE}, got;
  request.as.range = *q;
  request.as.range.sink = ck_str_of(t->sink->name);
  if (sync_task_store(t, &request, &got, frame, err)) return -1;
  char id[33] = "";
  *answer = got.as.ranges;
  if (got.kind == CK_MSG_RANGES && answer->store_id.n < sizeof id)
    memcpy(id, answer->store_id.s, answer->store_id.n);
  bool same = !t->store_id[0] || strcmp(t->store_id, id) == 0;
  memcpy(t->store_id, id, sizeof id);
  t->cursor = answer->cursor;
  t->head = answer->head;
  if (id[0] && same) return 0;
  zmq_msg_close(frame);
  return ck_fail(err, id[0] ? "another database was put in place meanwhile: begin again"
                            : "the store's answer was not understood: are all of one version?");
}

/* ---- the sink ---- */

/* Asks the store for a token, because workers and tasks share one rate, which the store keeps.
 * hold: how long (ms) the sink has said that all of them have to wait. */
static int request_allowed(struct sync_task *t, int64_t hold, struct ck_err *err) {
  char name[40];
  snprintf(name, sizeof name, "task-%d", (int)getpid());
  for (int64_t until = ck_boot_ms() + ALLOWED_WITHIN_MS; ck_boot_ms() < until; hold = 0) {
    struct ck_message demand = {.kind = CK_MSG_DEMAND}, answer = {0};
    zmq_msg_t frame;
    int64_t asked = ck_boot_ms();
    demand.as.demand = (struct ck_demand){.worker = ck_str_of(name),
                                          .sink = ck_str_of(t->sink->name),
                                          .tokens = 1,
                                          .hold = (uint64_t)hold};
    if (ck_ask(t->work, &demand, &answer, &frame, DEMAND_MS, err) == 0) {
      uint64_t tokens = answer.kind == CK_MSG_GRANT ? answer.as.grant.tokens : 0;
      zmq_msg_close(&frame);
      if (tokens) return 0;
    } else if (answer.kind == CK_MSG_PROBLEM && ck_boot_ms() - asked < DEMAND_MS) {
      return ck_fail_in(err, "the store");
    }
  }
  return ck_fail(err,
                 "the store did not allow a request for %d min: d1.rate, or the mirror's own "
                 "limit, is used up",
                 ALLOWED_WITHIN_MS / 60000);
}

static void step(struct sync_task *t, struct sync_answer *a) {
  *a = (struct sync_answer){0};
  ++t->requests;
  while (!t->sink->step(t->sink_self, a)) {
    struct ck_wait w = {.until = INT64_MAX};
    t->sink->wait(t->sink_self, &w);
    int64_t left = w.until == INT64_MAX ? 60000 : w.until - ck_boot_ms();
    zmq_poll(w.items, w.count, (long)(left < 0 ? 0 : left > 60000 ? 60000 : left));
  }
}

int sync_task_refused(const struct sync_answer *a, struct ck_err *err) {
  if (a->class == SYNC_TABLE || a->class == SYNC_WITNESS)
    return ck_fail(err, "the mirror: %s; convkeep sync schema --apply makes what is missing",
                   a->text);
  return ck_fail(err, "the mirror: %s", a->text[0] ? a->text : sync_class_name(a->class));
}

/* What to do about each class: try again after a backoff, try again after the wait that the sink
 * said, leave it to the caller, or give up. */
static const enum turn {
  AGAIN,
  AFTER,
  CALLER,
  GIVE_UP
} turns[SYNC_CLASSES] = {
    [SYNC_DONE] = CALLER,    [SYNC_UNKNOWN] = AGAIN, [SYNC_NOT_APPLIED] = AGAIN,
    [SYNC_LESS] = AGAIN,     [SYNC_SPLIT] = CALLER,  [SYNC_WAIT] = AFTER,
    [SYNC_QUOTA] = GIVE_UP,  [SYNC_STOP] = GIVE_UP,  [SYNC_TABLE] = CALLER,
    [SYNC_EARLY] = CALLER,   [SYNC_ROW] = CALLER,    [SYNC_ODD] = AGAIN,
    [SYNC_WITNESS] = CALLER,
};

struct patience {
  int64_t until, backoff, say_at;
  int odd;
  bool one; /* it cannot be split further */
};

/* Once it has waited for SAY_MS, it says what for, one time. */
static void say_waiting(struct sync_task *t, struct patience *p, const struct sync_answer *a) {
  if (ck_boot_ms() < p->say_at) return;
  p->say_at = INT64_MAX;
  ck_buf_text(sync_task_line(t), "{\"waiting\":");
  sync_task_text(&t->line, ck_str_of(a->text[0] ? a->text : sync_class_name(a->class)));
  ck_buf_text(&t->line, "}");
  sync_task_say(t);
}

static bool is_one(const struct sync_query *query, const struct sync_slice *slice) {
  if (query && query->kind == SYNC_QUERY_VERSIONS) return query->limit <= 1;
  if (query && query->kind != SYNC_QUERY_COMPARE)
    return query->range_count <= 1 && query->known_count <= 1;
  return (query ? query->slice : slice)->n <= 1;
}

/* 1: try again. 0: leave it to the caller. -1: given up. */
static int after_answer(struct sync_task *t, struct patience *p, const struct sync_answer *a,
                        struct ck_err *err) {
  enum turn turn = a->class == SYNC_SPLIT && p->one ? AGAIN : turns[a->class];
  int64_t max = ck_set_int(t->settings, CK_SET_SYNC_BACKOFF_MAX), now = ck_boot_ms();
  if (turn == CALLER) return 0;
  ck_log(CK_WARN, "-", "sink_failed", "what=%s reason=%s", sync_class_name(a->class),
         ck_quotedz(a->text));
  bool over = turn == GIVE_UP || (a->class == SYNC_ODD && ++p->odd >= ODD_TRIES) ||
              (turn == AGAIN && now > p->until) || a->wait_ms > WAIT_MAX_MS;
  if (over) return sync_task_refused(a, err);
  say_waiting(t, p, a);
  if (turn == AFTER && a->wait_ms) {
    p->until += a->wait_ms;
    if (!t->work)
      sync_task_pause(
          a->wait_ms +
          ck_random_upto(&t->random, 99)); /* with tokens, the store holds back all requests */
    return 1;
  }
  sync_task_pause(1 + ck_random_upto(&t->random, p->backoff - 1));
  p->backoff = p->backoff * 2 < max ? p->backoff * 2 : max;
  return 1;
}

static int patiently(struct sync_task *t, struct sync_query *query, struct sync_slice *slice,
                     struct sync_answer *a, struct ck_err *err) {
  int64_t now = ck_boot_ms();
  struct patience p = {now + PATIENCE_MS, BACKOFF_MS, now + SAY_MS, .one = is_one(query, slice)};
  *a = (struct sync_answer){0};
  for (int rc = 1; rc > 0;) {
    if (t->work && request_allowed(t, a->class == SYNC_WAIT ? a->wait_ms : 0, err)) return -1;
    if (query && query->restart) query->restart(query->self);
    if (query)
      t->sink->query(t->sink_self, query);
    else
      t->sink->begin(t->sink_self, slice);
    step(t, a);
    rc = after_answer(t, &p, a, err);
    if (rc <= 0) return rc;
  }
  return 0;
}

int sync_task_query(struct sync_task *t, struct sync_query *query, struct sync_answer *a,
                    struct ck_err *err) {
  return patiently(t, query, NULL, a, err);
}

int sync_task_write(struct sync_task *t, struct sync_slice *slice, struct sync_answer *a,
                    struct ck_err *err) {
  return patiently(t, NULL, slice, a, err);
}
