/* The questions that are open at one door. Answers may come in any order. */
#include "webd/ask/ask.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"

/* After this long without any answer, all that is open is sent again on a new connection. */
#define PATIENCE_MS 1000
#define PATIENCE_MAX_MS 4000
/* Sent at once: more would have more answers than the sockets between hold. */
#define WINDOW 256
/* When to try again after PROBLEM `busy`, or after the socket was full. */
#define AGAIN_MS 50

struct open {
  struct open *next;
  uint64_t request;
  int64_t not_before, until; /* boot */
  web_heard *heard;
  void *self;
  struct ck_buf frame;
};

struct queue {
  struct open *head, **tail;
  size_t count;
};

struct web_ask {
  const struct ck_settings *settings;
  enum ck_door door;
  void *dealer;
  uint64_t requests;
  struct queue unsent, sent;
  int64_t heard_at;
  int patience;
};

/* ---- queues ---- */

static void empty(struct queue *q) { *q = (struct queue){NULL, &q->head, 0}; }

static void append(struct queue *q, struct open *o) {
  o->next = NULL;
  *q->tail = o;
  q->tail = &o->next;
  ++q->count;
}

/* Takes out what stands at *at. */
static struct open *take(struct queue *q, struct open **at) {
  struct open *o = *at;
  *at = o->next;
  if (q->tail == &o->next) q->tail = at;
  --q->count;
  return o;
}

static void put_in_front(struct queue *q, struct queue *before) {
  if (!before->head) return;
  *before->tail = q->head;
  if (!q->head) q->tail = before->tail;
  q->head = before->head;
  q->count += before->count;
  empty(before);
}

static struct open *take_request(struct queue *q, uint64_t request) {
  for (struct open **at = &q->head; *at; at = &(*at)->next)
    if ((*at)->request == request) return take(q, at);
  return NULL;
}

/* ---- start and end ---- */

struct web_ask *web_ask_new(const struct ck_settings *s, enum ck_door door, struct ck_err *err) {
  void *dealer = ck_door_connect(s, door, err);
  if (!dealer) return NULL;
  struct web_ask *a = ck_zalloc(sizeof *a);
  a->settings = s;
  a->door = door;
  a->dealer = dealer;
  a->patience = PATIENCE_MS;
  empty(&a->unsent);
  empty(&a->sent);
  return a;
}

/* The caller has taken it out of its queue. */
static void finish(struct open *o, const struct web_said *said) {
  o->heard(o->self, said);
  ck_buf_free(&o->frame);
  free(o);
}

static void nobody(struct open *o) { finish(o, &(struct web_said){0}); }

void web_ask_free(struct web_ask **ask) {
  struct web_ask *a = *ask;
  if (!a) return;
  while (a->sent.head) nobody(take(&a->sent, &a->sent.head));
  while (a->unsent.head) nobody(take(&a->unsent, &a->unsent.head));
  ck_door_close(&a->dealer, 0);
  free(a);
  *ask = NULL;
}

size_t web_ask_open(const struct web_ask *a) { return a->sent.count + a->unsent.count; }

int64_t web_ask_silent_ms(const struct web_ask *a) {
  return web_ask_open(a) ? ck_boot_ms() - a->heard_at : 0;
}

void *web_ask_socket(struct web_ask *a) { return a->dealer; }

/* ---- asking ---- */

/* Returns when to try the rest; -1: answers come first, or there is none. */
static int send_all(struct web_ask *a) {
  int64_t now = ck_boot_ms(), next = INT64_MAX;
  for (struct open **at = &a->unsent.head; *at && a->sent.count < WINDOW;) {
    struct open *o = *at;
    if (o->not_before > now) {
      if (o->not_before < next) next = o->not_before;
      at = &o->next;
      continue;
    }
    if (ck_send(a->dealer, ck_buf_view(&o->frame))) return AGAIN_MS;
    append(&a->sent, take(&a->unsent, at));
  }
  return next == INT64_MAX ? -1 : (int)(next - now);
}

int web_ask(struct web_ask *a, struct ck_message *request, int ms, web_heard *heard, void *self) {
  struct open *o = ck_zalloc(sizeof *o);
  o->request = ++a->requests;
  o->until = ck_boot_after(ms);
  o->heard = heard;
  o->self = self;
  *ck_message_request(request) = o->request;
  ck_message_encode(&o->frame, request);
  if (o->frame.len > CK_FRAME_MAX) {
    ck_buf_free(&o->frame);
    free(o);
    return -1;
  }
  if (web_ask_open(a) == 0) a->heard_at = ck_boot_ms();
  append(&a->unsent, o);
  return 0;
}

/* ---- answers ---- */

static void take_problem(struct web_ask *a, struct open *o, const struct ck_problem *p) {
  int64_t again = ck_boot_after(AGAIN_MS);
  bool again_soon = a->door == CK_DOOR_SNAPSHOT && again < o->until;
  if (ck_str_is(p->code, "busy") && again_soon) {
    o->not_before = again;
    append(&a->unsent, o);
    return;
  }
  finish(o, &(struct web_said){.code = p->code, .reason = p->reason});
}

static void take_answer(struct web_ask *a, struct ck_message *m) {
  const uint64_t *request = ck_message_request(m);
  struct open *o = request ? take_request(&a->sent, *request) : NULL;
  if (!o) return; /* its time is over, or it was answered twice */
  if (m->kind == CK_MSG_PROBLEM)
    take_problem(a, o, &m->as.problem);
  else
    finish(o, &(struct web_said){.answer = m});
}

void web_ask_take(struct web_ask *a) {
  zmq_msg_t frame;
  while (ck_recv(a->dealer, &frame) == 0) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    a->heard_at = ck_boot_ms();
    a->patience = PATIENCE_MS;
    if (ck_message_decode(&m, bytes.s, bytes.n, &err))
      ck_log(CK_WARN, "-", "answer_refused", "reason=%s", ck_quotedz(err.text));
    else
      take_answer(a, &m);
    zmq_msg_close(&frame);
  }
}

static void reconnect(struct web_ask *a) {
  struct ck_err err;
  void *dealer = ck_door_connect(a->settings, a->door, &err);
  a->heard_at = ck_boot_ms();
  if (!dealer) {
    ck_log(CK_ERROR, "-", "door_lost", "reason=%s", ck_quotedz(err.text));
    return;
  }
  ck_door_close(&a->dealer, 0);
  a->dealer = dealer;
  if (a->patience < PATIENCE_MAX_MS) a->patience *= 2;
  put_in_front(&a->unsent, &a->sent);
}

/* Ends those whose time is over. Returns when the next one's is. */
static int64_t end_late(struct queue *q, int64_t now) {
  int64_t next = INT64_MAX;
  for (struct open **at = &q->head; *at;) {
    if ((*at)->until <= now) {
      nobody(take(q, at));
      at = &q->head; /* the callback may have asked more */
      next = INT64_MAX;
      continue;
    }
    if ((*at)->until < next) next = (*at)->until;
    at = &(*at)->next;
  }
  return next;
}

int web_ask_send(struct web_ask *a) {
  int64_t now = ck_boot_ms();
  int64_t late = end_late(&a->sent, now), later = end_late(&a->unsent, now);
  if (later < late) late = later;
  if (web_ask_open(a) == 0) return -1;
  if (now - a->heard_at >= a->patience) reconnect(a);
  int64_t wait = a->heard_at + a->patience - now;
  if (late - now < wait) wait = late - now;
  int again = send_all(a);
  if (again >= 0 && again < wait) wait = again;
  return wait > 0 ? (int)wait : 0;
}
