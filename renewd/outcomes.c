/* A producer with its unacked changesets, and the queue of those who wait for a receipt. */
#include "renewd/outcomes.h"

#include <stdlib.h>
#include "proto/clock.h"
#include "proto/log.h"
#include "renewd/attempts.h"

/* Changesets sent ahead of their receipts: a few for each delivery slot, the rest for recovery at
 * the start. */
#define WINDOW 64
/* How long a receipt waits until the changes that it reports are followed. */
#define FOLLOWED_MS 50
/* The most bytes that a frame has besides the mutations. */
#define FRAME_REST 1024

struct expected {
  struct expected *next;
  const char *what; /* for the log */
  uint64_t ticket;
  bool there; /* its receipt has come; the rest is that receipt */
  char result;
  char *reason;
  uint64_t version;
  int64_t until;             /* boot: how long it waits for what it says that a claim has found */
  struct ck_claimed claimed; /* without a job_id: nothing */
  struct ck_arena texts;     /* of that */
};

struct renew_outcomes {
  struct ck_memory_unacked *unacked;
  struct ck_push *push;
  struct expected *head, **tail; /* to be passed on, oldest first */
  struct expected *waiting;      /* the oldest without a receipt */
  struct ck_buf buf;
  renew_receipted *receipted;
  void *self;
};

static struct expected *next_waiting(struct expected *e) {
  while (e && e->there) e = e->next;
  return e;
}

static void claim_found(void *self, const struct ck_claimed *found) {
  struct renew_outcomes *o = self;
  struct expected *e = o->waiting;
  if (!e) return;
  struct ck_claimed *c = &e->claimed;
  *c = *found;
  struct ck_str *const texts[] = {
      &c->job_id,       &c->token,           &c->message_id,        &c->payload,
      &c->payload_kind, &c->target_snapshot, &c->automation_status, &c->last_message_id};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    *texts[i] = ck_arena_copy(&e->texts, *texts[i]);
  e->until = ck_boot_after(FOLLOWED_MS);
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

struct renew_outcomes *renew_outcomes_new(const struct ck_settings *s, renew_receipted *receipted,
                                          void *self, struct ck_err *err) {
  char producer[96];
  if (ck_producer_slot("renewd", producer, err)) return NULL;
  struct renew_outcomes *o = ck_zalloc(sizeof *o);
  o->tail = &o->head;
  o->receipted = receipted;
  o->self = self;
  o->unacked = ck_memory_unacked_new(receipt_came, o);
  ck_memory_unacked_claims(o->unacked, claim_found);
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
  ck_arena_free(&e->texts);
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
static void add(struct renew_outcomes *o, const char *what, uint64_t ticket) {
  struct expected *e = ck_zalloc(sizeof *e);
  *e = (struct expected){.what = what, .ticket = ticket};
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

/* A PUT or an UPDATE of a job. */
static void encode_row(struct ck_buf *b, enum ck_mutation_kind kind, const struct ck_row *given) {
  char path[RENEW_LOG_PATH];
  struct ck_row row = *given;
  renew_log_path(path, ck_now_ms());
  if (kind == CK_OP_PUT) row.v[CK_JOBS_LOG_PATH] = ck_textz(path);
  ck_mutation_row(b, kind, &row);
}

static void encode(struct ck_buf *b, struct ck_mutation m) {
  char path[RENEW_LOG_PATH];
  if (m.kind == CK_OP_END) {
    renew_log_path(path, m.as.end.at);
    m.as.end.log_path = ck_str_of(path);
  }
  ck_mutation_encode(b, &m);
}

void renew_outcomes_tell(struct renew_outcomes *o, const struct renew_effect *tell) {
  const struct ck_mutation *m = &tell->as.tell.mutation;
  ck_buf_clear(&o->buf);
  const struct ck_mutation *limit = tell->as.tell.limit;
  ck_put_array(&o->buf, limit ? 2 : 1);
  if (tell->as.tell.row)
    encode_row(&o->buf, m->kind, tell->as.tell.row);
  else
    encode(&o->buf, *m);
  if (limit) encode(&o->buf, *limit);
  add(o, ck_mutation_name(m->kind), tell->ticket);
}

struct ck_push *renew_outcomes_push(struct renew_outcomes *o) {
  return o->push;
}
size_t renew_outcomes_pending(const struct renew_outcomes *o) {
  return ck_memory_unacked_pending(o->unacked);
}

/* Its changes are still on their way. */
static bool waits(const struct expected *e, uint64_t followed) {
  return e->claimed.job_id.n && e->version > followed && ck_boot_ms() < e->until;
}

static void pass_on_first(struct renew_outcomes *o) {
  struct expected e = *o->head;
  o->head->reason = NULL;
  o->head->texts = (struct ck_arena){0};
  drop_head(o);
  if (e.result == 'r')
    ck_log(CK_DEBUG, "-", "refused", "what=%s reason=%s", e.what, ck_quotedz(e.reason));
  if (e.ticket)
    o->receipted(o->self, e.ticket, e.result, ck_str_of(e.reason), e.version,
                 e.claimed.job_id.n ? &e.claimed : NULL);
  free(e.reason);
  ck_arena_free(&e.texts);
}

int renew_outcomes_step(struct renew_outcomes *o, uint64_t followed) {
  int wait = ck_push_step(o->push);
  bool any = false;
  for (; o->head && o->head->there && !waits(o->head, followed); any = true) pass_on_first(o);
  if (any) wait = ck_push_step(o->push);
  bool held = o->head && o->head->there;
  return held && (wait < 0 || wait > FOLLOWED_MS) ? FOLLOWED_MS : wait;
}
