/* The files that are on their way to ingest, each in pieces. One that ingest has lost begins
 * again. */
#include "webd/ask/ask.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"

#define PIECE_BYTES ((size_t)256 << 10)
/* An ingest that works on a file says so twice a second. */
#define SILENT_MS 5000
#define TRIES 3

struct import {
  struct import *next;
  char *name;
  struct ck_str bytes;
  web_imported_fn *done;
  void *self;
  uint64_t request, piece;   /* pieces sent */
  size_t at;                 /* bytes sent */
  bool opened, wants, ended; /* OPEN is sent; ingest wants the next piece; the last one is sent */
  int tries;
  int64_t heard_at; /* boot */
};

struct web_imports {
  void *dealer;
  uint64_t requests;
  struct import *head;
};

struct web_imports *web_imports_new(const struct ck_settings *s, struct ck_err *err) {
  void *dealer = ck_door_connect(s, CK_DOOR_OBSERVE, err);
  if (!dealer) return NULL;
  struct web_imports *all = ck_zalloc(sizeof *all);
  all->dealer = dealer;
  all->requests = (uint64_t)getpid() << 32; /* ingest knows a request by peer and number */
  return all;
}

/* Takes it out of the list. */
static void finish(struct web_imports *all, struct import *i, const struct web_imported *how) {
  struct import **at = &all->head;
  while (*at != i) at = &(*at)->next;
  *at = i->next;
  i->done(i->self, how);
  free(i->name);
  free(i);
}

void web_imports_free(struct web_imports **imports) {
  struct web_imports *all = *imports;
  if (!all) return;
  while (all->head) finish(all, all->head, &(struct web_imported){0});
  ck_door_close(&all->dealer, 0);
  free(all);
  *imports = NULL;
}

void *web_imports_socket(struct web_imports *all) { return all->head ? all->dealer : NULL; }

/* ---- sending ---- */

static void begin(struct web_imports *all, struct import *i) {
  i->request = ++all->requests;
  i->piece = 0;
  i->at = 0;
  i->opened = i->wants = i->ended = false;
  i->heard_at = ck_boot_ms();
  ++i->tries;
}

static bool send_message(struct web_imports *all, const struct ck_message *m) {
  struct ck_buf b = {0};
  ck_message_encode(&b, m);
  bool sent = ck_send(all->dealer, ck_buf_view(&b)) == 0;
  ck_buf_free(&b);
  return sent;
}

static bool send_open(struct web_imports *all, struct import *i) {
  struct ck_message m = {.kind = CK_MSG_OPEN};
  m.as.open = (struct ck_open){.request = i->request, .name = ck_str_of(i->name)};
  return send_message(all, &m);
}

static bool send_piece(struct web_imports *all, struct import *i) {
  size_t left = i->bytes.n - i->at, n = left < PIECE_BYTES ? left : PIECE_BYTES;
  struct ck_message m = {.kind = CK_MSG_PIECE};
  struct ck_buf raw = {0};
  ck_put_bin(&raw, (struct ck_str){i->bytes.s + i->at, n});
  m.as.piece = (struct ck_piece){i->request, i->piece + 1, n == left, ck_buf_view(&raw)};
  bool sent = send_message(all, &m);
  ck_buf_free(&raw);
  if (!sent) return false;
  ++i->piece;
  i->at += n;
  i->wants = false;
  i->ended = n == left;
  return true;
}

static void advance(struct web_imports *all, struct import *i) {
  if (!i->opened) i->opened = send_open(all, i);
  if (i->opened && i->wants && !i->ended) send_piece(all, i);
}

void web_import(struct web_imports *all, const char *name, struct ck_str bytes,
                web_imported_fn *done, void *self) {
  struct import *i = ck_zalloc(sizeof *i);
  *i = (struct import){.next = all->head,
                       .name = ck_strdup(name),
                       .bytes = bytes.n ? bytes : CK_LIT(""),
                       .done = done,
                       .self = self};
  all->head = i;
  begin(all, i);
  advance(all, i);
}

/* ---- hearing ---- */

static struct import *find(struct web_imports *all, uint64_t request) {
  struct import *i = all->head;
  while (i && i->request != request) i = i->next;
  return i;
}

static void take_problem(struct web_imports *all, struct import *i, const struct ck_problem *p) {
  if (ck_str_is(p->code, "busy"))
    finish(all, i, &(struct web_imported){.busy = true, .reason = p->reason});
  else if (i->tries < TRIES)
    begin(all, i); /* ingest was started again */
  else
    finish(all, i, &(struct web_imported){.reason = p->reason});
}

static void take(struct web_imports *all, struct ck_message *m) {
  const uint64_t *request = ck_message_request(m);
  struct import *i = request ? find(all, *request) : NULL;
  if (!i) return;
  i->heard_at = ck_boot_ms();
  if (m->kind == CK_MSG_MORE && m->as.more.piece == i->piece) i->wants = true;
  if (m->kind == CK_MSG_IMPORTED) finish(all, i, &(struct web_imported){.end = &m->as.imported});
  if (m->kind == CK_MSG_PROBLEM) take_problem(all, i, &m->as.problem);
}

static void receive(struct web_imports *all) {
  zmq_msg_t frame;
  while (ck_recv(all->dealer, &frame) == 0) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    if (ck_message_decode(&m, bytes.s, bytes.n, &err))
      ck_log(CK_WARN, "-", "answer_refused", "reason=%s", ck_quotedz(err.text));
    else
      take(all, &m);
    zmq_msg_close(&frame);
  }
}

/* One from which nothing was heard for long: it begins again, or ends. */
static void end_silent(struct web_imports *all) {
  int64_t now = ck_boot_ms();
  for (struct import *i = all->head, *next; i; i = next) {
    next = i->next;
    if (now - i->heard_at < SILENT_MS) continue;
    if (i->tries < TRIES)
      begin(all, i);
    else
      finish(all, i, &(struct web_imported){0});
  }
}

int web_imports_step(struct web_imports *all) {
  if (!all->head) return -1; /* what still comes waits until the next one */
  receive(all);
  end_silent(all);
  for (struct import *i = all->head; i; i = i->next) advance(all, i);
  return all->head ? 200 : -1;
}
