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
  bool sent;
  int64_t not_before;
  void (*take)(void *self, const struct renew_reply *reply);
  struct ck_buf frame;
};

struct renew_queries {
  const struct ck_settings *settings;
  void *dealer;
  uint64_t requests;
  struct pending *head, **tail;
  int64_t heard_at;
  int patience;
};

struct renew_queries *renew_queries_new(const struct ck_settings *s, struct ck_err *err) {
  struct renew_queries *queries = ck_zalloc(sizeof *queries);
  queries->settings = s;
  queries->tail = &queries->head;
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

void renew_queries_free(struct renew_queries **queries) {
  struct renew_queries *self = *queries;
  if (!self) return;
  for (struct pending *q = self->head, *next; q; q = next) {
    next = q->next;
    pending_free(q);
  }
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
                                 .offset = query->offset};
  ck_message_encode(&q->frame, &m);
  ck_buf_free(&map);
  if (!queries->head) queries->heard_at = ck_boot_ms();
  *queries->tail = q;
  queries->tail = &q->next;
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

static struct pending *take_out(struct renew_queries *queries, uint64_t request) {
  for (struct pending **at = &queries->head; *at; at = &(*at)->next) {
    struct pending *q = *at;
    if (q->request != request) continue;
    *at = q->next;
    if (queries->tail == &q->next) queries->tail = at;
    return q;
  }
  return NULL;
}

/* q is no longer in the list. After the last answer `decide` is called, which may ask more. */
static void answer(struct pending *q, const struct renew_reply *reply) {
  struct together *all = q->together;
  if (reply->problem && !all->problem) all->problem = ck_strdup(reply->problem);
  q->take(all->self, reply);
  if (all->left == 1) all->decide(all->self, all->problem);
  pending_free(q);
}

static void take_rows(struct renew_queries *queries, const struct ck_rows *rows) {
  struct pending *q = take_out(queries, rows->request);
  if (!q) return;
  struct renew_reply reply = {.head = rows->head, .all = rows->rows};
  struct ck_reader r = ck_reader_of(rows->rows);
  if (ck_read_array(&r, &reply.rows)) reply.rows = 0;
  if (reply.rows && ck_read_raw(&r, &reply.first)) reply.rows = 0;
  answer(q, &reply);
}

/* A busy store is asked again after AGAIN_MS; any other PROBLEM is the answer. */
static void take_problem(struct renew_queries *queries, const struct ck_problem *p) {
  if (ck_str_is(p->code, "busy")) {
    for (struct pending *q = queries->head; q; q = q->next) {
      if (q->request != p->request) continue;
      q->sent = false;
      q->not_before = ck_boot_after(AGAIN_MS);
    }
    return;
  }
  struct pending *q = take_out(queries, p->request);
  if (!q) return;
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
  for (struct pending *q = queries->head; q; q = q->next) q->sent = false;
}

/* Sends what is unsent. Returns when to try the rest; -1 when there is none. */
static int send_all(struct renew_queries *queries) {
  int wait = -1;
  int64_t now = ck_boot_ms();
  for (struct pending *q = queries->head; q; q = q->next) {
    if (q->sent) continue;
    q->sent = q->not_before <= now && ck_send(queries->dealer, ck_buf_view(&q->frame)) == 0;
    if (!q->sent) wait = AGAIN_MS;
  }
  return wait;
}

int renew_queries_step(struct renew_queries *queries) {
  receive(queries);
  if (!queries->head) return -1;
  if (ck_boot_ms() - queries->heard_at >= queries->patience) reconnect(queries);
  int64_t left = queries->heard_at + queries->patience - ck_boot_ms();
  int wait = send_all(queries);
  return wait >= 0 && wait < left ? wait : left > 0 ? (int)left : 0;
}
