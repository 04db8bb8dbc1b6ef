/* The queries that are out, and the connection on which they are sent. */
#include "renewd/query.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/map.h"

/* After this long without any answer, everything is sent again on a new connection, which also
 * drops what was queued on the old one. The time doubles up to PATIENCE_MAX_MS. */
#define PATIENCE_MS 1000
#define PATIENCE_MAX_MS 4000
/* Queries that are sent at once: more of them would have more answers than what is between the
 * store and this process holds, and the store drops what it cannot send. */
#define WINDOW 256
/* When to try again after PROBLEM `busy`, or after the socket was full. */
#define AGAIN_MS 50

/* Queries that were sent together. */
struct together {
  unsigned left; /* queries without an answer; this is freed with the last one */
  void (*decide)(void *self, const char *problem);
  void (*forget)(void *self);
  void *self;
  char *problem;
};

struct pending {
  struct pending *next;
  struct together *together;
  uint64_t request;
  int64_t not_before;
  void (*take)(void *self, const struct renew_reply *reply);
  struct ck_buf frame;
};

/* In the order in which they were asked, or sent. */
struct queue {
  struct pending *head, **tail;
  size_t count;
};

struct renew_queries {
  const struct ck_settings *settings;
  void *dealer;
  uint64_t requests;
  struct queue unsent, sent;
  int64_t heard_at;
  int patience;
};

/* ---- queues ---- */

static void empty(struct queue *u) { *u = (struct queue){NULL, &u->head, 0}; }

static void append(struct queue *u, struct pending *q) {
  q->next = NULL;
  *u->tail = q;
  u->tail = &q->next;
  ++u->count;
}

/* Puts all of `before` in front of u. */
static void put_in_front(struct queue *u, struct queue *before) {
  if (!before->head) return;
  *before->tail = u->head;
  if (!u->head) u->tail = before->tail;
  u->head = before->head;
  u->count += before->count;
  empty(before);
}

/* The first one. */
static struct pending *take_first(struct queue *u) {
  struct pending *q = u->head;
  u->head = q->next;
  if (!u->head) u->tail = &u->head;
  --u->count;
  return q;
}

static bool has(const struct queue *u, uint64_t request) {
  const struct pending *q = u->head;
  while (q && q->request != request) q = q->next;
  return q != NULL;
}

/* ---- start and end ---- */

struct renew_queries *renew_queries_new(const struct ck_settings *s, struct ck_err *err) {
  struct renew_queries *queries = ck_zalloc(sizeof *queries);
  queries->settings = s;
  empty(&queries->unsent);
  empty(&queries->sent);
  queries->patience = PATIENCE_MS;
  queries->dealer = ck_door_connect(s, CK_DOOR_SNAPSHOT, err);
  if (!queries->dealer) renew_queries_free(&queries);
  return queries;
}

static void pending_free(struct pending *q) {
  struct together *all = q->together;
  if (--all->left == 0) {
    if (all->forget) all->forget(all->self);
    free(all->problem);
    free(all);
  }
  ck_buf_free(&q->frame);
  free(q);
}

static void queue_free(struct queue *u) {
  while (u->head) pending_free(take_first(u));
}

void renew_queries_free(struct renew_queries **queries) {
  struct renew_queries *self = *queries;
  if (!self) return;
  queue_free(&self->sent);
  queue_free(&self->unsent);
  ck_door_close(&self->dealer, 0);
  free(self);
  *queries = NULL;
}

/* ---- queries ---- */

static void put_filters(struct ck_buf *b, const struct renew_filter *filters) {
  struct ck_map m = ck_map_open(b);
  for (int i = 0; i < RENEW_FILTERS && filters[i].column; i++) {
    if (filters[i].value.state == CK_INT)
      ck_pair_int(&m, filters[i].column, filters[i].value.as.i);
    else
      ck_pair_str(&m, filters[i].column, filters[i].value.as.s);
  }
  ck_map_close(&m);
}

static void add(struct renew_queries *queries, const struct renew_query *query,
                struct together *all) {
  struct pending *q = ck_zalloc(sizeof *q);
  q->request = ++queries->requests;
  q->take = query->take;
  q->together = all;
  struct ck_buf map = {0};
  put_filters(&map, query->filters);
  struct ck_message m = {.kind = CK_MSG_QUERY};
  m.as.query = (struct ck_query){.request = q->request,
                                 .table = ck_str_of(query->table),
                                 .filters = ck_buf_view(&map),
                                 .limit = query->limit ? query->limit : 1,
                                 .offset = query->offset,
                                 .cursor = query->cursor};
  ck_message_encode(&q->frame, &m);
  ck_buf_free(&map);
  if (!queries->unsent.head && !queries->sent.head) queries->heard_at = ck_boot_ms();
  append(&queries->unsent, q);
}

void renew_query_all(struct renew_queries *queries, const struct renew_query *list, unsigned n,
                     void (*decide)(void *self, const char *problem), void (*forget)(void *self),
                     void *self) {
  struct together *all = ck_zalloc(sizeof *all);
  *all = (struct together){.left = n, .decide = decide, .forget = forget, .self = self};
  for (unsigned i = 0; i < n; i++) add(queries, &list[i], all);
}

void *renew_queries_socket(struct renew_queries *queries) { return queries->dealer; }

/* ---- answers ---- */

/* Answers come in the order of the queries. So one that was sent before it, and has no answer, has
 * lost it, and is sent again. NULL: nobody waits for this answer. */
static struct pending *take_sent(struct renew_queries *queries, uint64_t request) {
  struct queue lost;
  empty(&lost);
  if (!has(&queries->sent, request)) return NULL;
  while (queries->sent.head->request != request) append(&lost, take_first(&queries->sent));
  put_in_front(&queries->unsent, &lost);
  return take_first(&queries->sent);
}

/* q is in no queue any more. After the last answer `decide` is called, which may ask more. */
static void answer(struct pending *q, const struct renew_reply *reply) {
  struct together *all = q->together;
  if (reply->problem && !all->problem) all->problem = ck_strdup(reply->problem);
  q->take(all->self, reply);
  if (all->left == 1) all->decide(all->self, all->problem);
  pending_free(q);
}

static void take_rows(struct renew_queries *queries, const struct ck_rows *rows) {
  struct pending *q = take_sent(queries, rows->request);
  if (!q) return;
  struct renew_reply reply = {.head = rows->head, .all = rows->rows, .cursor = rows->cursor};
  struct ck_reader r = ck_reader_of(rows->rows);
  if (ck_read_array(&r, &reply.rows)) reply.rows = 0;
  if (reply.rows && ck_read_raw(&r, &reply.first)) reply.rows = 0;
  answer(q, &reply);
}

/* A busy store is asked again after AGAIN_MS; any other PROBLEM is the answer. */
static void take_problem(struct renew_queries *queries, const struct ck_problem *p) {
  struct pending *q = take_sent(queries, p->request);
  if (!q) return;
  if (ck_str_is(p->code, "busy")) {
    q->not_before = ck_boot_after(AGAIN_MS);
    append(&queries->unsent, q);
    return;
  }
  char *text = ck_str_dup(p->reason);
  ck_log(CK_WARN, "-", "question_refused", "code=%.*s reason=%s", (int)p->code.n, p->code.s,
         ck_quoted(p->reason));
  answer(q, &(struct renew_reply){.problem = text});
  free(text);
}

static void receive(struct renew_queries *queries) {
  zmq_msg_t frame;
  while (ck_recv(queries->dealer, &frame) == 0) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    queries->heard_at = ck_boot_ms();
    queries->patience = PATIENCE_MS;
    if (ck_message_decode(&m, bytes.s, bytes.n, &err))
      ck_log(CK_WARN, "-", "answer_refused", "reason=%s", ck_quotedz(err.text));
    else if (m.kind == CK_MSG_ROWS)
      take_rows(queries, &m.as.rows);
    else if (m.kind == CK_MSG_PROBLEM)
      take_problem(queries, &m.as.problem);
    zmq_msg_close(&frame);
  }
}

static void reconnect(struct renew_queries *queries) {
  struct ck_err err;
  void *dealer = ck_door_connect(queries->settings, CK_DOOR_SNAPSHOT, &err);
  queries->heard_at = ck_boot_ms();
  if (!dealer) {
    ck_log(CK_ERROR, "-", "snapshot_lost", "reason=%s", ck_quotedz(err.text));
    return;
  }
  ck_door_close(&queries->dealer, 0);
  queries->dealer = dealer;
  if (queries->patience < PATIENCE_MAX_MS) queries->patience *= 2;
  put_in_front(&queries->unsent, &queries->sent);
}

/* Sends what is unsent, in its order. Returns when to try the rest; -1 when answers come first, or
 * there is none. */
static int send_all(struct renew_queries *queries) {
  int64_t now = ck_boot_ms();
  while (queries->unsent.head && queries->sent.count < WINDOW) {
    struct pending *q = queries->unsent.head;
    if (q->not_before > now) return (int)(q->not_before - now);
    if (ck_send(queries->dealer, ck_buf_view(&q->frame))) return AGAIN_MS;
    append(&queries->sent, take_first(&queries->unsent));
  }
  return -1;
}

int renew_queries_step(struct renew_queries *queries) {
  receive(queries);
  if (!queries->unsent.head && !queries->sent.head) return -1;
  if (ck_boot_ms() - queries->heard_at >= queries->patience) reconnect(queries);
  int64_t left = queries->heard_at + queries->patience - ck_boot_ms();
  int wait = send_all(queries);
  return wait >= 0 && wait < left ? wait : left > 0 ? (int)left : 0;
}
