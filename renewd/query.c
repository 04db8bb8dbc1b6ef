/* The questions that are out, and the connection on which they are asked. */
#include "renewd/query.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/map.h"

/* After this long without any answer, everything is asked again on a new connection, which also
 * drops what was queued on the old one. The time doubles up to PATIENCE_MAX_MS. */
#define PATIENCE_MS 1000
#define PATIENCE_MAX_MS 4000
/* When to try again after PROBLEM `busy`, or after the socket was full. */
#define AGAIN_MS 50

/* Questions that were asked together. */
struct together {
  unsigned left; /* questions without an answer; this is freed with the last one */
  void (*decide)(void *self, const char *problem);
  void *self;
  char *problem;
};

struct question {
  struct question *next;
  struct together *together;
  uint64_t request;
  bool sent;
  int64_t not_before;
  void (*take)(void *self, const struct renew_reply *reply);
  struct ck_buf frame;
};

struct renew_query {
  const struct ck_settings *settings;
  void *dealer;
  uint64_t requests, answered;
  struct question *head, **tail;
  int64_t heard_at;
  int patience;
};

struct renew_query *renew_query_new(const struct ck_settings *s, struct ck_err *err) {
  struct renew_query *query = ck_zalloc(sizeof *query);
  query->settings = s;
  query->tail = &query->head;
  query->patience = PATIENCE_MS;
  query->dealer = ck_door_connect(s, CK_DOOR_SNAPSHOT, err);
  if (!query->dealer) renew_query_free(&query);
  return query;
}

static void question_free(struct question *q) {
  struct together *all = q->together;
  if (--all->left == 0) {
    free(all->problem);
    free(all);
  }
  ck_buf_free(&q->frame);
  free(q);
}

void renew_query_free(struct renew_query **query) {
  struct renew_query *self = *query;
  if (!self) return;
  for (struct question *q = self->head, *next; q; q = next) {
    next = q->next;
    question_free(q);
  }
  ck_door_close(&self->dealer, 0);
  free(self);
  *query = NULL;
}

/* ---- questions ---- */

static void put_filters(struct ck_buf *b, const struct renew_filter filters[2]) {
  struct ck_map m = ck_map_open(b);
  for (int i = 0; i < 2 && filters[i].column; i++) {
    if (filters[i].value.state == CK_INT)
      ck_pair_int(&m, filters[i].column, filters[i].value.as.i);
    else
      ck_pair_str(&m, filters[i].column, filters[i].value.as.s);
  }
  ck_map_close(&m);
}

static void query_one(struct renew_query *query, const struct renew_question *question,
                      struct together *all) {
  struct question *q = ck_zalloc(sizeof *q);
  q->request = ++query->requests;
  q->take = question->take;
  q->together = all;
  struct ck_buf map = {0};
  put_filters(&map, question->filters);
  struct ck_message m = {.kind = CK_MSG_QUERY};
  m.as.query = (struct ck_query){q->request, ck_str_of(question->table), ck_buf_view(&map), 1, 0};
  ck_message_encode(&q->frame, &m);
  ck_buf_free(&map);
  if (!query->head) query->heard_at = ck_boot_ms();
  *query->tail = q;
  query->tail = &q->next;
}

void renew_query_all(struct renew_query *query, const struct renew_question *questions, unsigned n,
                     void (*decide)(void *self, const char *problem), void *self) {
  struct together *all = ck_zalloc(sizeof *all);
  *all = (struct together){.left = n, .decide = decide, .self = self};
  for (unsigned i = 0; i < n; i++) query_one(query, &questions[i], all);
}

uint64_t renew_query_answered(const struct renew_query *query) { return query->answered; }

void *renew_query_socket(struct renew_query *query) { return query->dealer; }

/* ---- answers ---- */

static struct question *take_out(struct renew_query *query, uint64_t request) {
  for (struct question **at = &query->head; *at; at = &(*at)->next) {
    struct question *q = *at;
    if (q->request != request) continue;
    *at = q->next;
    if (query->tail == &q->next) query->tail = at;
    return q;
  }
  return NULL;
}

/* q is no longer in the list. After the last answer `decide` is called, which may ask more. */
static void answer(struct question *q, const struct renew_reply *reply) {
  struct together *all = q->together;
  if (reply->problem && !all->problem) all->problem = ck_strdup(reply->problem);
  q->take(all->self, reply);
  if (all->left == 1) all->decide(all->self, all->problem);
  question_free(q);
}

static void take_rows(struct renew_query *query, const struct ck_rows *rows) {
  struct question *q = take_out(query, rows->request);
  if (!q) return;
  struct renew_reply reply = {.head = rows->head};
  struct ck_reader r = ck_reader_of(rows->rows);
  if (ck_read_array(&r, &reply.rows)) reply.rows = 0;
  if (reply.rows && ck_read_raw(&r, &reply.first)) reply.rows = 0;
  answer(q, &reply);
}

/* A busy store is asked again after AGAIN_MS; any other PROBLEM is the answer. */
static void take_problem(struct renew_query *query, const struct ck_problem *p) {
  if (ck_str_is(p->code, "busy")) {
    for (struct question *q = query->head; q; q = q->next) {
      if (q->request != p->request) continue;
      q->sent = false;
      q->not_before = ck_boot_ms() + AGAIN_MS;
    }
    return;
  }
  struct question *q = take_out(query, p->request);
  if (!q) return;
  char *text = ck_str_dup(p->reason);
  ck_log(CK_WARN, "-", "question_refused", "code=%.*s reason=%s", (int)p->code.n, p->code.s,
         ck_quoted(p->reason));
  answer(q, &(struct renew_reply){.problem = text});
  free(text);
}

static void receive(struct renew_query *query) {
  zmq_msg_t frame;
  while (ck_recv(query->dealer, &frame) == 0) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    query->heard_at = ck_boot_ms();
    query->patience = PATIENCE_MS;
    query->answered++;
    if (ck_message_decode(&m, bytes.s, bytes.n, &err))
      ck_log(CK_WARN, "-", "answer_refused", "reason=%s", ck_quotedz(err.text));
    else if (m.kind == CK_MSG_ROWS)
      take_rows(query, &m.as.rows);
    else if (m.kind == CK_MSG_PROBLEM)
      take_problem(query, &m.as.problem);
    zmq_msg_close(&frame);
  }
}

static void reconnect(struct renew_query *query) {
  struct ck_err err;
  void *dealer = ck_door_connect(query->settings, CK_DOOR_SNAPSHOT, &err);
  query->heard_at = ck_boot_ms();
  if (!dealer) {
    ck_log(CK_ERROR, "-", "snapshot_lost", "reason=%s", ck_quotedz(err.text));
    return;
  }
  ck_door_close(&query->dealer, 0);
  query->dealer = dealer;
  if (query->patience < PATIENCE_MAX_MS) query->patience *= 2;
  for (struct question *q = query->head; q; q = q->next) q->sent = false;
}

/* Sends what is unsent. Returns when to try the rest; -1 when there is none. */
static int send_all(struct renew_query *query) {
  int wait = -1;
  int64_t now = ck_boot_ms();
  for (struct question *q = query->head; q; q = q->next) {
    if (q->sent) continue;
    q->sent = q->not_before <= now && ck_send(query->dealer, ck_buf_view(&q->frame)) == 0;
    if (!q->sent) wait = AGAIN_MS;
  }
  return wait;
}

int renew_query_step(struct renew_query *query) {
  receive(query);
  if (!query->head) return -1;
  if (ck_boot_ms() - query->heard_at >= query->patience) reconnect(query);
  int64_t left = query->heard_at + query->patience - ck_boot_ms();
  int wait = send_all(query);
  return wait >= 0 && wait < left ? wait : left > 0 ? (int)left : 0;
}
