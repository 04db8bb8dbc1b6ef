/* See intake.h: receiving, applying and committing, receipts, then HELLO and LAST. */
#include "store/write/intake.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "store/mirror/lag.h"
#include "store/rejected.h"

/* A batch takes frames until it has so many bytes. Its frames are kept until the commit, because
 * they may have to be applied again, one by one. */
#define BATCH_BYTES (1u << 20)
#define RETRY_MS 500
#define ID_MAX 120
/* A HELLO may move its producer's number on, but not beyond this: no producer has pushed a million
 * million changesets. So an id that somebody else greets with has numbers left. */
#define MOVE_MAX (UINT64_C(1) << 40)

struct pending {
  zmq_msg_t frame;
  struct ck_changeset changeset;
};

struct intake {
  struct intake_parts parts;
  struct producers *producers;
  void *socket;
  struct pending *batch;
  size_t count, max;
  struct ck_buf refused, counts, claims;
  struct ck_err failure; /* the last failed commit's */
  bool leases_ended;     /* by this commit */
  bool failing;          /* the last commit failed */
  bool forgot;           /* something, since intake_forgot was asked */
};

struct intake *intake_open(const struct intake_parts *parts, struct ck_err *err) {
  struct intake *i = ck_zalloc(sizeof *i);
  i->parts = *parts;
  i->max = (size_t)ck_set_int(parts->context->settings, CK_SET_STORE_BATCH);
  i->batch = ck_alloc(i->max * sizeof *i->batch);
  i->producers = producers_load(parts->system, err);
  if (i->producers) i->socket = ck_door_bind(parts->context->settings, CK_DOOR_INTAKE, err);
  if (!i->socket) intake_close(&i);
  return i;
}

void intake_close(struct intake **intake) {
  struct intake *i = *intake;
  if (!i) return;
  ck_door_close(&i->socket, 0);
  producers_free(&i->producers);
  ck_buf_free(&i->refused);
  ck_buf_free(&i->counts);
  ck_buf_free(&i->claims);
  free(i->batch);
  free(i);
  *intake = NULL;
}

void *intake_socket(struct intake *i) { return i->socket; }

/* ---- receiving ---- */

static void reject(struct intake *i, struct ck_str frame, const char *reason) {
  atomic_fetch_add(&i->parts.context->rejected, 1);
  ck_log(CK_WARN, "-", "rejected", "door=intake bytes=%zu reason=%s", frame.n, ck_quotedz(reason));
  rejected_keep("intake", frame, reason);
}

/* True: the frame is a changeset for this batch. Its number is checked when it is applied. */
static bool accept_frame(struct intake *i, zmq_msg_t *frame, struct ck_changeset *changeset) {
  struct ck_message m;
  struct ck_err err;
  struct ck_str bytes = ck_frame(frame);
  if (ck_message_decode(&m, bytes.s, bytes.n, &err)) {
    reject(i, bytes, err.text);
    return false;
  }
  if (m.kind == CK_MSG_CHANGESET) {
    *changeset = m.as.changeset;
    return true;
  }
  if (m.kind == CK_MSG_REPORT)
    reports_take(i->parts.reports, &m.as.report);
  else
    reject(i, bytes, "the intake accepts only changesets and reports");
  return false;
}

static bool drain(struct intake *i) {
  size_t bytes = 0;
  for (size_t seen = 0; seen < i->max && bytes < BATCH_BYTES; ++seen) {
    struct pending *p = &i->batch[i->count];
    if (ck_recv(i->socket, &p->frame)) {
      if (errno != EPROTO) return false;
      reject(i, (struct ck_str){0}, "a changeset must be one frame");
      continue;
    }
    bytes += zmq_msg_size(&p->frame);
    if (accept_frame(i, &p->frame, &p->changeset))
      ++i->count;
    else
      zmq_msg_close(&p->frame);
  }
  return true;
}

static void drop_batch(struct intake *i) {
  for (size_t k = 0; k < i->count; ++k) zmq_msg_close(&i->batch[k].frame);
  i->count = 0;
}

/* ---- applying ---- */

/* The producer, if this is the next changeset of its present run; else NULL. If only the number is
 * wrong, the producer is owed a receipt, which tells it where to go on. */
static struct producer *expected_producer(struct intake *i, const struct ck_changeset *c) {
  struct producer *p = producers_find(i->producers, c->producer);
  if (!p || p->epoch != c->epoch) {
    ck_log(CK_DEBUG, ck_quoted(c->producer), "stale", "epoch=%llu number=%llu",
           (unsigned long long)c->epoch, (unsigned long long)c->number);
    return NULL;
  }
  if (c->number == p->applied + 1) return p;
  p->owes = true;
  return NULL;
}

/* -1: the database failed. */
static int apply_one(struct intake *i, const struct ck_changeset *c, int64_t now,
                     struct ck_err *err) {
  struct producer *p = expected_producer(i, c);
  if (!p) return 0;
  struct ck_err reason = {{0}};
  char letter = apply_changeset(i->parts.apply, c, now, &reason);
  if (letter == 0) {
    *err = reason;
    return -1;
  }
  if (letter == 'r')
    ck_log(CK_WARN, p->id, "refused", "number=%llu reason=%s", (unsigned long long)c->number,
           ck_quotedz(reason.text));
  producer_result(p, c->number, letter, ck_str_of(reason.text), apply_counts(i->parts.apply));
  const struct ck_claimed *claimed = apply_claimed(i->parts.apply);
  if (claimed) producer_claimed(p, c->number, claimed);
  return 0;
}

/* A delivery goes out before the receipt of the producer that asked for it. */
static void publish_deliveries(struct intake *i) {
  size_t n;
  const struct ck_delivery *published = apply_published(i->parts.apply, &n);
  for (size_t k = 0; k < n; ++k) feed_delivery(i->parts.feed, &published[k]);
}

/* Makes the commit visible before its receipts: a producer with a receipt finds what it wrote. */
static void note_commit(struct intake *i, uint64_t before) {
  uint64_t head = apply_head(i->parts.apply);
  const struct mirrors *mirrors = i->parts.context->mirrors;
  int64_t now = ck_boot_ms();
  for (size_t k = 0; k < mirrors->n; ++k) {
    const struct mirror *m = &mirrors->at[k];
    bool ended = apply_ended_leases(i->parts.apply, k);
    i->leases_ended |= ended;
    if (ended) lag_ended(m->lag, leases_cursor(m->leases), now);
    if (head != before) lag_commit(m->lag, head, now);
  }
  if (head != before) atomic_store(&i->parts.context->head, head);
}

static size_t news(struct entry *const *changes, size_t n) {
  size_t records = 0;
  for (size_t k = 0; k < n; ++k)
    records += changes[k]->row.table == CK_MESSAGES || changes[k]->row.table == CK_EXECUTIONS;
  return records;
}

static void publish_changes(struct intake *i, uint64_t before) {
  size_t n;
  struct entry **changes = apply_changes(i->parts.apply, &n);
  pace_commit(&i->parts.context->pace, news(changes, n), ck_boot_ms());
  feed_changes(i->parts.feed, changes, n, before, apply_head(i->parts.apply));
  apply_release_changes(i->parts.apply);
}

/* After the receipts, which somebody waits for. The snapshot thread needs no waking: it reads when
 * it is asked. */
static void wake_readers(struct intake *i, uint64_t before) {
  bool changed = apply_head(i->parts.apply) != before;
  if (changed || i->leases_ended) context_wake_one(i->parts.context, WAKE_WORK);
  if (changed) context_wake_one(i->parts.context, WAKE_ARTIFACTS);
  if (changed) context_wake_one(i->parts.context, WAKE_INDEX);
  i->leases_ended = false;
}

static void send_receipts(struct intake *i) {
  struct producer *p;
  for (size_t k = 0; (p = producers_at(i->producers, k)); ++k) {
    if (!p->owes) continue;
    struct ck_receipt r;
    ck_buf_clear(&i->refused);
    ck_buf_clear(&i->counts);
    ck_buf_clear(&i->claims);
    producer_receipt(p, &r, &i->refused, &i->counts, &i->claims);
    r.version = atomic_load(&i->parts.context->head);
    feed_receipt(i->parts.feed, &r);
  }
  producers_receipted(i->producers);
}

/* After a failed commit, reads the producers from the database again. If that fails too, this
 * process might give receipts for what is not applied: it must end. */
static void reload_producers(struct intake *i) {
  struct ck_err err = {{0}};
  struct producers *fresh = producers_load(i->parts.system, &err);
  if (!fresh) {
    ck_log(CK_ERROR, DB_FILE, "unreadable", "reason=%s", ck_quotedz(err.text));
    quick_exit(1);
  }
  producers_free(&i->producers);
  i->producers = fresh;
}

static int apply_range(struct intake *i, size_t from, size_t to, int64_t now, struct ck_err *err) {
  int rc = 0;
  for (size_t k = from; k < to && rc == 0; ++k) rc = apply_one(i, &i->batch[k].changeset, now, err);
  return rc;
}

/* Applies and commits batch[from … to); or, if forgets, a piece of what is forgotten. 0; 1: one of
 * them broke a constraint of the database; -1: the database failed. That it is damaged stays said:
 * other batches do not disprove it. */
static int commit(struct intake *i, size_t from, size_t to, bool forgets) {
  struct ck_err err = {{0}};
  bool constraint = false, damaged = apply_met_damage(i->parts.apply);
  uint64_t before = apply_head(i->parts.apply);
  int64_t now = ck_now_ms(), began = ck_mono_us();
  int rc = apply_begin(i->parts.apply, &err);
  if (rc == 0)
    rc = forgets ? apply_forget_piece(i->parts.apply, now, &err)
                 : apply_range(i, from, to, now, &err);
  /* Whoever sees that its last record is gone is to see that it is still on the disk. */
  if (rc == 0 && apply_forgot(i->parts.apply)) atomic_store(&i->parts.context->forgetting, true);
  if (rc) apply_abandon(i->parts.apply);
  if (rc == 0) rc = apply_commit(i->parts.apply, i->producers, &constraint, &err);
  if (rc) {
    if (to > from || forgets)
      ck_log(CK_ERROR, DB_FILE, "not_committed", "changesets=%zu reason=%s", to - from,
             ck_quotedz(err.text));
    i->failure = err;
    i->failing = !constraint;
    if (!constraint && !damaged) context_trouble(i->parts.context, TROUBLE_COMMITS, err.text);
    reload_producers(i);
    return constraint ? 1 : -1;
  }
  i->failing = false;
  if (!damaged) context_trouble(i->parts.context, TROUBLE_COMMITS, NULL);
  i->forgot |= apply_forgot(i->parts.apply);
  if (i->forgot || apply_forgets(i->parts.apply)) atomic_store(&i->parts.context->forgetting, true);
  note_commit(i, before);
  publish_deliveries(i);
  send_receipts(i); /* before the changes: producers wait for them */
  if (to > from) ck_histogram_note(&i->parts.context->commits, ck_mono_us() - began);
  publish_changes(i, before);
  wake_readers(i, before);
  return 0;
}

static int commit_range(struct intake *i, size_t from, size_t to) {
  return commit(i, from, to, false);
}

/* Refuses, with SQLite's message, a changeset that breaks a constraint of the database by itself.
 * The rules should have refused it before. */
static int refuse_one(struct intake *i, const struct ck_changeset *c) {
  struct producer *p = expected_producer(i, c);
  if (!p) return 0;
  struct ck_err err = {{0}};
  bool constraint;
  if (apply_begin(i->parts.apply, &err)) return -1;
  struct ck_err reason = i->failure;
  ck_log(CK_WARN, p->id, "refused", "number=%llu reason=%s", (unsigned long long)c->number,
         ck_quotedz(reason.text));
  producer_result(p, c->number, 'r', ck_str_of(reason.text), NULL);
  bool kept = system_run(i->parts.system, SYSTEM_REFUSAL_SAVE, &err, "sisi", c->producer,
                         (int64_t)c->number, ck_str_of(reason.text), ck_now_ms()) == 0;
  if (!kept) apply_abandon(i->parts.apply);
  if (kept && apply_commit(i->parts.apply, i->producers, &constraint, &err) == 0) {
    apply_release_changes(i->parts.apply);
    send_receipts(i);
    return 0;
  }
  reload_producers(i);
  return -1;
}

static int commit_one_by_one(struct intake *i) {
  for (size_t k = 0; k < i->count; ++k) {
    int rc = commit_range(i, k, k + 1);
    if (rc > 0) rc = refuse_one(i, &i->batch[k].changeset);
    if (rc) return rc;
  }
  return 0;
}

/* A FORGET deletes what the database has, so it is alone in its transaction. */
static bool forgets(const struct ck_changeset *c) {
  struct ck_reader r = ck_reader_of(c->mutations);
  uint32_t n;
  uint64_t kind;
  return ck_read_array(&r, &n) == 0 && n && ck_read_array(&r, &n) == 0 && n &&
         ck_read_uint(&r, &kind) == 0 && kind == CK_OP_FORGET;
}

static int commit_batch(struct intake *i) {
  size_t from = 0;
  int rc = 0;
  for (size_t k = 0; k < i->count && rc == 0; ++k) {
    if (!forgets(&i->batch[k].changeset)) continue;
    if (k > from) rc = commit_range(i, from, k);
    if (rc == 0) rc = commit_range(i, k, k + 1);
    from = k + 1;
  }
  return rc == 0 && (from < i->count || i->count == 0) ? commit_range(i, from, i->count) : rc;
}

bool intake_forgot(struct intake *i) {
  bool forgot = i->forgot;
  i->forgot = false;
  return forgot;
}

/* After a failed commit nothing may come for a while. A producer's row is written again then, so
 * that status says within RETRY_MS that all is well. */
static void try_again(struct intake *i) {
  struct producer *p = producers_at(i->producers, 0);
  if (p) p->dirty = true;
}

bool intake_turn(struct intake *i, bool hold, int *retry_in) {
  *retry_in = -1;
  bool more = drain(i);
  if (i->count == 0 && !hold && !i->failing) return more;
  if (i->count == 0) try_again(i);
  int rc = hold ? -1 : commit_batch(i);
  if (rc > 0) rc = commit_one_by_one(i);
  if (rc < 0) {
    /* Nothing is lost: no receipt went out, so the producers send it again. */
    *retry_in = RETRY_MS;
    more = false;
  }
  drop_batch(i);
  return more;
}

bool intake_forgets(const struct intake *i) { return apply_forgets(i->parts.apply); }

void intake_forget_piece(struct intake *i, int *retry_in) {
  *retry_in = commit(i, 0, 0, true) ? RETRY_MS : -1;
}

/* ---- HELLO and LAST ---- */

static void problem(struct ck_buf *frame, uint64_t request, const char *code, const char *reason) {
  struct ck_message m = {.kind = CK_MSG_PROBLEM};
  m.as.problem = (struct ck_problem){request, ck_str_of(code), ck_str_of(reason)};
  ck_message_encode(frame, &m);
}

static void welcome(struct intake *i, const struct producer *p, uint64_t request,
                    struct ck_buf *frame) {
  struct ck_message m = {.kind = CK_MSG_WELCOME};
  struct ck_err err;
  m.as.welcome.request = request;
  m.as.welcome.store_id = ck_str_of(i->parts.context->store_id);
  m.as.welcome.version = atomic_load(&i->parts.context->head);
  ck_buf_clear(&i->refused);
  ck_buf_clear(&i->counts);
  if (producer_welcome(p, i->parts.system, &m.as.welcome, &i->refused, &i->counts, &err))
    problem(frame, request, "busy", err.text);
  else
    ck_message_encode(frame, &m);
}

static bool is_valid_id(struct ck_str id) {
  if (id.n == 0 || id.n > ID_MAX) return false;
  for (size_t k = 0; k < id.n; ++k)
    if ((unsigned char)id.s[k] <= ' ' || id.s[k] == 0x7f) return false;
  return true;
}

static int save_producer(struct intake *i, struct producer *p, struct ck_err *err) {
  bool constraint;
  p->dirty = true;
  if (apply_begin(i->parts.apply, err)) {
    apply_abandon(i->parts.apply);
    return -1;
  }
  if (apply_commit(i->parts.apply, i->producers, &constraint, err)) return -1;
  apply_release_changes(i->parts.apply);
  p->dirty = false;
  return 0;
}

static void refuse_move(const struct producer *p, const struct ck_hello *h, struct ck_buf *frame) {
  struct ck_err reason;
  ck_fail(&reason,
          "hello.next: %llu cannot be right, because no producer has come so far, and the store's "
          "last number of this one is %llu; take a new producer id",
          (unsigned long long)h->next, (unsigned long long)(p ? p->applied : 0));
  problem(frame, h->request, "bad_request", reason.text);
}

/* A new run of the producer begins. h->next is its first number without a receipt. Lower numbers
 * never come again, so a store that is behind (a restored backup) moves on to it. */
static void answer_hello(struct intake *i, const struct ck_hello *h, struct ck_buf *frame) {
  if (!is_valid_id(h->producer)) {
    problem(frame, h->request, "bad_request",
            "hello.producer: must be 1 to 120 bytes, without blanks or control characters");
    return;
  }
  struct producer *p = producers_find(i->producers, h->producer);
  if (h->next > MOVE_MAX && h->next > (p ? p->applied : 0) + 1) {
    refuse_move(p, h, frame);
    return;
  }
  if (!p) p = producers_add(i->producers, h->producer);
  ++p->epoch;
  if (h->next > 0 && p->applied + 1 < h->next) {
    ck_log(CK_WARN, p->id, "moved_on", "applied=%llu next=%llu", (unsigned long long)p->applied,
           (unsigned long long)h->next);
    p->applied = h->next - 1;
    p->tail_len = 0;
  }
  struct ck_err err = {{0}};
  if (save_producer(i, p, &err)) {
    /* Nobody can send anything then: no commit would show it. */
    context_trouble(i->parts.context, TROUBLE_COMMITS, err.text);
    reload_producers(i);
    problem(frame, h->request, "busy", err.text);
    return;
  }
  context_trouble(i->parts.context, TROUBLE_COMMITS, NULL);
  ck_log(CK_INFO, p->id, "hello", "epoch=%llu applied=%llu", (unsigned long long)p->epoch,
         (unsigned long long)p->applied);
  welcome(i, p, h->request, frame);
}

static void answer_last(struct intake *i, const struct ck_last *l, struct ck_buf *frame) {
  const struct producer *p = producers_find(i->producers, l->producer);
  if (p && p->epoch == l->epoch)
    welcome(i, p, l->request, frame);
  else if (p && p->epoch > l->epoch)
    problem(frame, l->request, "epoch", "a newer run of this producer has said HELLO");
  else
    problem(frame, l->request, "hello",
            "the store does not know this run of the producer; say HELLO");
}

void intake_answer(struct intake *i, const struct ck_message *m, struct ck_buf *frame) {
  if (m->kind == CK_MSG_HELLO)
    answer_hello(i, &m->as.hello, frame);
  else
    answer_last(i, &m->as.last, frame);
}
