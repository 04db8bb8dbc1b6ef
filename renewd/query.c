#include "renewd/query.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

/* Without any answer for so long the connection is made anew, which also forgets what is queued in
 * it; doubling. */
#define PATIENCE_MS 1000
#define PATIENCE_MAX_MS 4000
/* The store is busy, or the socket full. */
#define AGAIN_MS 50

/* Questions that were asked together. */
struct together {
  unsigned left; /* questions that point here; freed with the last */
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
  struct renew_query *a = ck_zalloc(sizeof *a);
  a->settings = s;
  a->tail = &a->head;
  a->patience = PATIENCE_MS;
  a->dealer = ck_door_connect(s, CK_DOOR_SNAPSHOT, err);
  if (!a->dealer) renew_query_free(&a);
  return a;
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
  struct renew_query *a = *query;
  if (!a) return;
  for (struct question *q = a->head, *next; q; q = next) {
    next = q->next;
    question_free(q);
  }
  ck_door_close(&a->dealer, 0);
  free(a);
  *query = NULL;
}

/* ---- rows ---- */

static bool find_cell(struct ck_str row, const char *column, struct ck_item *item) {
  struct ck_reader r = ck_reader_of(row);
  uint32_t n;
  if (!row.n || ck_read_map(&r, &n)) return false;
  while (n--) {
    struct ck_str name, skipped;
    if (ck_read_str(&r, &name)) return false;
    if (ck_str_is(name, column)) return ck_read(&r, item) == 0;
    if (ck_read_raw(&r, &skipped)) return false;
  }
  return false;
}

struct ck_str renew_cell(struct ck_str row, const char *column) {
  struct ck_item item;
  return find_cell(row, column, &item) && item.type == CK_T_STR ? item.as.str : (struct ck_str){0};
}

int64_t renew_cell_int(struct ck_str row, const char *column, int64_t otherwise) {
  struct ck_item item;
  return find_cell(row, column, &item) && item.type == CK_T_INT ? item.as.i : otherwise;
}

/* ---- asking ---- */

static void put_filters(struct ck_buf *b, const struct renew_filter filters[2]) {
  uint32_t n = 0;
  while (n < 2 && filters[n].column) n++;
  ck_put_map(b, n);
  for (uint32_t i = 0; i < n; i++) {
    ck_put_text(b, filters[i].column);
    if (filters[i].value.state == CK_INT)
      ck_put_int(b, filters[i].value.as.i);
    else
      ck_put_str(b, filters[i].value.as.s);
  }
}

static void query_one(struct renew_query *a, const struct renew_question *question,
                    struct together *all) {
  struct question *q = ck_zalloc(sizeof *q);
  q->request = ++a->requests;
  q->take = question->take;
  q->together = all;
  struct ck_buf map = {0};
  put_filters(&map, question->filters);
  struct ck_message m = {.kind = CK_MSG_QUERY};
  m.as.query = (struct ck_query){q->request, ck_str_of(question->table), ck_buf_view(&map), 1, 0};
  ck_message_encode(&q->frame, &m);
  ck_buf_free(&map);
  if (!a->head) a->heard_at = ck_boot_ms();
  *a->tail = q;
  a->tail = &q->next;
}

void renew_query_all(struct renew_query *a, const struct renew_question *questions, unsigned n,
                     void (*decide)(void *self, const char *problem), void *self) {
  struct together *all = ck_zalloc(sizeof *all);
  *all = (struct together){.left = n, .decide = decide, .self = self};
  for (unsigned i = 0; i < n; i++) query_one(a, &questions[i], all);
}

uint64_t renew_query_answered(const struct renew_query *a) { return a->answered; }

void *renew_query_socket(struct renew_query *a) { return a->dealer; }

/* ---- answers ---- */

static struct question *take_out(struct renew_query *a, uint64_t request) {
  for (struct question **at = &a->head; *at; at = &(*at)->next) {
    struct question *q = *at;
    if (q->request != request) continue;
    *at = q->next;
    if (a->tail == &q->next) a->tail = at;
    return q;
  }
  return NULL;
}

/* The question is out of the list. The last answer has what was asked together decided, and that
 * may ask more. */
static void answer(struct question *q, const struct renew_reply *reply) {
  struct together *all = q->together;
  if (reply->problem && !all->problem) all->problem = ck_strdup(reply->problem);
  q->take(all->self, reply);
  if (all->left == 1) all->decide(all->self, all->problem);
  question_free(q);
}

static void take_rows(struct renew_query *a, const struct ck_rows *rows) {
  struct question *q = take_out(a, rows->request);
  if (!q) return;
  struct renew_reply reply = {.head = rows->head};
  struct ck_reader r = ck_reader_of(rows->rows);
  if (ck_read_array(&r, &reply.rows)) reply.rows = 0;
  if (reply.rows && ck_read_raw(&r, &reply.first)) reply.rows = 0;
  answer(q, &reply);
}

static void take_problem(struct renew_query *a, const struct ck_problem *p) {
  if (ck_str_is(p->code, "busy")) {
    for (struct question *q = a->head; q; q = q->next) {
      if (q->request != p->request) continue;
      q->sent = false;
      q->not_before = ck_boot_ms() + AGAIN_MS;
    }
    return;
  }
  struct question *q = take_out(a, p->request);
  if (!q) return;
  char *text = ck_str_dup(p->reason);
  ck_log(CK_WARN, "-", "question_refused", "code=%.*s reason=%s", (int)p->code.n, p->code.s,
         ck_quoted(p->reason));
  answer(q, &(struct renew_reply){.problem = text});
  free(text);
}

static void receive(struct renew_query *a) {
  zmq_msg_t frame;
  while (ck_recv(a->dealer, &frame) == 0) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    a->heard_at = ck_boot_ms();
    a->patience = PATIENCE_MS;
    a->answered++;
    if (ck_message_decode(&m, bytes.s, bytes.n, &err))
      ck_log(CK_WARN, "-", "answer_refused", "reason=%s", ck_quotedz(err.text));
    else if (m.kind == CK_MSG_ROWS)
      take_rows(a, &m.as.rows);
    else if (m.kind == CK_MSG_PROBLEM)
      take_problem(a, &m.as.problem);
    zmq_msg_close(&frame);
  }
}

static void reconnect(struct renew_query *a) {
  struct ck_err err;
  void *dealer = ck_door_connect(a->settings, CK_DOOR_SNAPSHOT, &err);
  a->heard_at = ck_boot_ms();
  if (!dealer) {
    ck_log(CK_ERROR, "-", "snapshot_lost", "reason=%s", ck_quotedz(err.text));
    return;
  }
  ck_door_close(&a->dealer, 0);
  a->dealer = dealer;
  if (a->patience < PATIENCE_MAX_MS) a->patience *= 2;
  for (struct question *q = a->head; q; q = q->next) q->sent = false;
}

/* How long until something unsent may be sent; -1 when all is out. */
static int send_all(struct renew_query *a) {
  int wait = -1;
  int64_t now = ck_boot_ms();
  for (struct question *q = a->head; q; q = q->next) {
    if (q->sent) continue;
    q->sent = q->not_before <= now && ck_send(a->dealer, ck_buf_view(&q->frame)) == 0;
    if (!q->sent) wait = AGAIN_MS;
  }
  return wait;
}

int renew_query_step(struct renew_query *a) {
  receive(a);
  if (!a->head) return -1;
  if (ck_boot_ms() - a->heard_at >= a->patience) reconnect(a);
  int64_t left = a->heard_at + a->patience - ck_boot_ms();
  int wait = send_all(a);
  return wait >= 0 && wait < left ? wait : left > 0 ? (int)left : 0;
}
