/* Reads frames, dispatches them to a handler by kind, and answers. Single observations are answered
 * only after the spool is synced: until then they are in `waiting`. */
#include "ingest/files/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"

#define FRAMES_A_TURN 256 /* read between two syncs */
#define IDENTITY_MAX 255  /* ZeroMQ's limit */

/* An accepted OBSERVE that has not been answered. */
struct waiting {
  unsigned char peer[IDENTITY_MAX];
  unsigned char peer_n;
  uint64_t request, number;
  size_t id_at, id_n; /* in ids */
};

struct ingest_door {
  const struct ck_settings *settings;
  struct ingest_door_ops ops;
  void *router;
  struct waiting *waiting;
  size_t waiting_n;
  struct ck_buf ids; /* of their messages */
  struct ck_buf out;
};

struct ingest_door *ingest_door_open(const struct ck_settings *s, const struct ingest_door_ops *ops,
                                     struct ck_err *err) {
  void *router = ck_door_bind(s, CK_DOOR_OBSERVE, err);
  if (!router) return NULL;
  struct ingest_door *d = ck_zalloc(sizeof *d);
  *d = (struct ingest_door){.settings = s, .ops = *ops, .router = router};
  d->waiting = ck_alloc(FRAMES_A_TURN * sizeof *d->waiting);
  return d;
}

void ingest_door_close(struct ingest_door **door) {
  struct ingest_door *d = *door;
  if (!d) return;
  ck_door_close(&d->router, 200);
  ck_door_unlink(d->settings, CK_DOOR_OBSERVE);
  ck_buf_free(&d->out);
  ck_buf_free(&d->ids);
  free(d->waiting);
  free(d);
  *door = NULL;
}

void *ingest_door_socket(struct ingest_door *d) { return d->router; }

/* ---- answers ---- */

/* An answer that cannot be delivered is dropped: if the peer still wants it, it sends its request
 * again. */
static void say(struct ingest_door *d, struct ck_str peer, const struct ck_message *m) {
  ck_buf_clear(&d->out);
  ck_message_encode(&d->out, m);
  if (ck_send_to(d->router, peer, ck_buf_view(&d->out)))
    ck_log(CK_DEBUG, "-", "answer_lost", "message=%s reason=%s", ck_message_name(m->kind),
           ck_quotedz(strerror(errno)));
}

static void say_problem(struct ingest_door *d, struct ck_str peer, uint64_t request,
                        const char *code, const char *reason) {
  struct ck_message m = {.kind = CK_MSG_PROBLEM};
  char shown[512];
  m.as.problem = (struct ck_problem){request, ck_str_of(code),
                                     ingest_clean(shown, sizeof shown, ck_str_of(reason))};
  say(d, peer, &m);
}

#define NO_ROOM "the spool's disk is full: make room and send it again"

void ingest_door_answer(struct ingest_door *d, bool durable) {
  for (size_t i = 0; i < d->waiting_n; ++i) {
    const struct waiting *w = &d->waiting[i];
    struct ck_str peer = {(const char *)w->peer, w->peer_n};
    struct ck_message m = {.kind = CK_MSG_TAKEN};
    m.as.taken = (struct ck_taken){w->request, w->number, {d->ids.data + w->id_at, w->id_n}};
    if (durable)
      say(d, peer, &m);
    else
      say_problem(d, peer, w->request, "busy", NO_ROOM);
  }
  d->waiting_n = 0;
  ck_buf_clear(&d->ids);
}

/* ---- messages ---- */

static void on_observe(struct ingest_door *d, struct ck_str peer, const struct ck_message *m) {
  const struct ck_observe *observe = &m->as.observe;
  struct ingest_observation o;
  struct ck_arena arena = {0};
  struct ck_err err;
  uint64_t number;
  if (d->ops.acceptor->full) {
    say_problem(d, peer, observe->request, "busy", NO_ROOM);
    return;
  }
  int rc = ingest_observation_unpack(&o, observe->observation, &arena, &err);
  if (rc)
    ingest_reject(d->ops.acceptor, "observe", "", err.text, ingest_accept_raw(d->ops.acceptor, &o));
  else
    rc = ingest_accept(d->ops.acceptor, &o, "observe", "", (struct ck_str){0}, ck_now_ms(), &number,
                       &err);
  if (rc) {
    say_problem(d, peer, observe->request, "refused", err.text);
  } else {
    struct waiting *w = &d->waiting[d->waiting_n++];
    struct ck_str id = ck_buf_view(&d->ops.acceptor->message_id);
    *w = (struct waiting){.peer_n = (unsigned char)peer.n,
                          .request = observe->request,
                          .number = number,
                          .id_at = d->ids.len,
                          .id_n = id.n};
    ck_buf_str(&d->ids, id);
    memcpy(w->peer, peer.s, peer.n);
  }
  ck_arena_free(&arena);
}

static void on_open(struct ingest_door *d, struct ck_str peer, const struct ck_message *m) {
  struct ck_err err;
  struct ck_message more = {.kind = CK_MSG_MORE};
  uint64_t request = m->as.open.request;
  more.as.more.request = request;
  if (ingest_import_find(d->ops.imports, peer, request))
    say_problem(d, peer, request, "bad_request",
                "an import with this request number is already running");
  else if (!ingest_import_open(d->ops.imports, peer, &m->as.open, &err))
    say_problem(d, peer, request, "busy", err.text);
  else
    say(d, peer, &more);
}

static struct ingest_import *import_of(struct ingest_door *d, struct ck_str peer,
                                       uint64_t request) {
  struct ingest_import *import = ingest_import_find(d->ops.imports, peer, request);
  if (!import)
    say_problem(d, peer, request, "bad_request",
                "no such import: it has ended, or ingest was restarted; send the file again");
  return import;
}

static void on_piece(struct ingest_door *d, struct ck_str peer, const struct ck_message *m) {
  const struct ck_piece *p = &m->as.piece;
  struct ck_reader r = ck_reader_of(p->bytes);
  struct ck_item item;
  struct ingest_import *import = import_of(d, peer, p->request);
  if (!import) return;
  if (ck_read(&r, &item) || (item.type != CK_T_BIN && item.type != CK_T_STR))
    say_problem(d, peer, p->request, "bad_request", "bytes: expected binary or text");
  else
    ingest_import_piece(import, p->piece, item.as.str, p->last);
}

static void on_attach(struct ingest_door *d, struct ck_str peer, const struct ck_message *m) {
  const struct ck_attach *a = &m->as.attach;
  struct ingest_import *import = import_of(d, peer, a->request);
  if (import) ingest_import_attach(import, a->piece, a->attachments, a->last);
}

static void on_status(struct ingest_door *d, struct ck_str peer, const struct ck_message *m) {
  struct ck_message info = {.kind = CK_MSG_INFO};
  struct ck_buf map = {0};
  d->ops.info(d->ops.self, &map);
  info.as.info = (struct ck_info){m->as.status.request, ck_buf_view(&map)};
  say(d, peer, &info);
  ck_buf_free(&map);
}

static const struct {
  enum ck_message_kind kind;
  void (*handle)(struct ingest_door *d, struct ck_str peer, const struct ck_message *m);
} handlers[] = {{CK_MSG_OBSERVE, on_observe},
                {CK_MSG_OPEN, on_open},
                {CK_MSG_PIECE, on_piece},
                {CK_MSG_ATTACH, on_attach},
                {CK_MSG_STATUS, on_status}};

/* ---- frames ---- */

/* A frame that is not a valid request: it is counted and answered. The log has the first 16,
 * then only every one whose count is a power of two. */
static void reject(struct ingest_door *d, struct ck_str peer, const char *reason) {
  uint64_t n = d->ops.acceptor->rejected_count + 1;
  ingest_reject(d->ops.acceptor, "observe", "", reason, (struct ck_str){0});
  if (n <= 16 || (n & (n - 1)) == 0)
    ck_log(CK_WARN, "-", "frame_refused", "reason=%s rejected=%llu", ck_quotedz(reason),
           (unsigned long long)n);
  if (peer.n) say_problem(d, peer, 0, "bad_request", reason);
}

static void take_frame(struct ingest_door *d, struct ck_str peer, struct ck_str frame) {
  struct ck_message m;
  struct ck_err err;
  if (peer.n > IDENTITY_MAX) return;
  if (ck_message_decode(&m, frame.s, frame.n, &err)) {
    reject(d, peer, err.text);
    return;
  }
  for (size_t i = 0; i < sizeof handlers / sizeof *handlers; ++i)
    if (handlers[i].kind == m.kind) {
      handlers[i].handle(d, peer, &m);
      return;
    }
  ck_fail(&err, "%s: not a request for this door", ck_message_name(m.kind));
  reject(d, peer, err.text);
}

bool ingest_door_read(struct ingest_door *d) {
  for (int i = 0; i < FRAMES_A_TURN; ++i) {
    zmq_msg_t peer, frame;
    if (ck_recv2(d->router, &peer, &frame)) {
      if (errno != EPROTO) return false;
      reject(d, (struct ck_str){0}, "a message must be exactly one frame");
      continue;
    }
    take_frame(d, ck_frame(&peer), ck_frame(&frame));
    zmq_msg_close(&peer);
    zmq_msg_close(&frame);
  }
  return true;
}
