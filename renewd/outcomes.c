/* A producer with its unacked changesets, and the queue of those who wait for a receipt. */
#include "renewd/outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "renewd/attempts.h"

/* Changesets sent ahead of their receipts: a few for each delivery slot, the rest for recovery at
 * the start. */
#define WINDOW 64
/* The most bytes that a frame has besides the mutations. */
#define FRAME_REST 1024

struct expected {
  struct expected *next;
  const char *what; /* for the log */
  renew_receipt *receipt;
  void *self;
  bool there; /* its receipt has come; the rest is that receipt */
  char result;
  char *reason;
  uint64_t version;
};

struct renew_outcomes {
  struct ck_memory_unacked *unacked;
  struct ck_push *push;
  struct expected *head, **tail; /* to be passed on, oldest first */
  struct expected *waiting;      /* the oldest without a receipt */
  uint64_t told;
  struct ck_buf buf;
  char last_error[200];
};

static struct expected *next_waiting(struct expected *e) {
  while (e && e->there) e = e->next;
  return e;
}

/* Receipts come in the order in which changesets were added. They are passed on later, from the
 * step, where adding more is safe. */
static void receipt_came(void *self, uint64_t number, char result, struct ck_str reason) {
  (void)number;
  struct renew_outcomes *o = self;
  struct expected *e = o->waiting;
  if (!e) return;
  e->there = true;
  e->result = result;
  e->reason = ck_str_dup(reason);
  e->version = ck_push_version(o->push);
  o->waiting = next_waiting(e->next);
}

struct renew_outcomes *renew_outcomes_new(const struct ck_settings *s, struct ck_err *err) {
  char producer[96];
  if (ck_producer_slot("renewd", producer, err)) return NULL;
  struct renew_outcomes *o = ck_zalloc(sizeof *o);
  o->tail = &o->head;
  o->unacked = ck_memory_unacked_new(receipt_came, o);
  struct ck_unacked unacked = ck_memory_unacked_ops(o->unacked);
  o->push = ck_push_new(s, producer, &unacked, WINDOW, err);
  if (!o->push) renew_outcomes_free(&o);
  return o;
}

static void drop_head(struct renew_outcomes *o) {
  struct expected *e = o->head;
  o->head = e->next;
  if (!o->head) o->tail = &o->head;
  free(e->reason);
  free(e);
}

void renew_outcomes_free(struct renew_outcomes **outcomes) {
  struct renew_outcomes *o = *outcomes;
  if (!o) return;
  ck_push_free(&o->push);
  ck_memory_unacked_free(&o->unacked);
  while (o->head) drop_head(o);
  ck_buf_free(&o->buf);
  free(o);
  *outcomes = NULL;
}

/* A changeset that no frame can carry is refused here: it would hold up all after it. */
static void add(struct renew_outcomes *o, const char *what, renew_receipt *receipt, void *self) {
  struct expected *e = ck_zalloc(sizeof *e);
  *e = (struct expected){.what = what, .receipt = receipt, .self = self};
  *o->tail = e;
  o->tail = &e->next;
  if (o->buf.len > CK_FRAME_MAX - FRAME_REST) {
    e->there = true;
    e->result = 'r';
    e->reason = ck_strdup("larger than what one frame can carry");
    return;
  }
  if (!o->waiting) o->waiting = e;
  ck_memory_unacked_add(o->unacked, ck_buf_view(&o->buf));
}

void renew_outcomes_add(struct renew_outcomes *o, const struct ck_mutation *m,
                        renew_receipt *receipt, void *self) {
  ck_buf_clear(&o->buf);
  ck_put_array(&o->buf, 1);
  ck_mutation_encode(&o->buf, m);
  add(o, ck_mutation_name(m->kind), receipt, self);
}

void renew_outcomes_row(struct renew_outcomes *o, enum ck_mutation_kind kind,
                        const struct ck_row *row, renew_receipt *receipt, void *self) {
  ck_buf_clear(&o->buf);
  ck_put_array(&o->buf, 1);
  ck_mutation_row(&o->buf, kind, row);
  add(o, ck_mutation_name(kind), receipt, self);
}

void renew_outcomes_end(struct renew_outcomes *o, const struct renew_ending *e,
                        renew_receipt *receipt, void *self) {
  char path[RENEW_LOG_PATH];
  renew_log_path(path, e->at);
  struct ck_mutation m = {.kind = CK_OP_END};
  m.as.end = (struct ck_end){.job_id = e->job_id,
                             .attempt = (uint64_t)e->attempt,
                             .token = e->token,
                             .outcome = ck_str_of(renew_outcome_name(e->verdict->outcome)),
                             .error = ck_str_of(e->result->error),
                             .next_attempt_at = e->verdict->next_attempt_at,
                             .cooldown_until = e->verdict->cooldown_until,
                             .log_path = ck_str_of(path),
                             .at = e->at};
  renew_outcomes_add(o, &m, receipt, self);
}

void renew_outcomes_error(struct renew_outcomes *o, const char *what) {
  struct ck_str kept = ck_utf8_cut(ck_str_of(what), sizeof o->last_error - 1);
  memcpy(o->last_error, kept.s, kept.n);
  o->last_error[kept.n] = '\0';
}

const char *renew_outcomes_last_error(const struct renew_outcomes *o) { return o->last_error; }

struct ck_push *renew_outcomes_push(struct renew_outcomes *o) {
  return o->push;
}
size_t renew_outcomes_pending(const struct renew_outcomes *o) {
  return ck_memory_unacked_pending(o->unacked);
}

uint64_t renew_outcomes_told(const struct renew_outcomes *o) { return o->told; }

static void tell(struct renew_outcomes *o) {
  while (o->head && o->head->there) {
    struct expected e = *o->head;
    o->head->reason = NULL;
    drop_head(o);
    o->told++;
    if (e.result == 'r')
      ck_log(CK_DEBUG, "-", "refused", "what=%s reason=%s", e.what, ck_quotedz(e.reason));
    if (e.receipt) e.receipt(e.self, e.result, ck_str_of(e.reason), e.version);
    free(e.reason);
  }
}

int renew_outcomes_step(struct renew_outcomes *o) {
  int wait = ck_push_step(o->push);
  uint64_t before = o->told;
  tell(o);
  return o->told == before ? wait : ck_push_step(o->push);
}
