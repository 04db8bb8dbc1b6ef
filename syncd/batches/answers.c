/* What becomes of the slice that the sink answered, by the class of the answer: the table in
 * slice.h, class by class. What is held and picked is in pipeline.c. */
#include "syncd/batches/pipeline_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MS 50
#define STOPPED_MS 30000
#define EARLY_FIRST_MS 100
#define EARLY_RETRY_MAX 5000
#define FIVE_MINUTES ", for 5 minutes" /* SYNC_EARLY_MAX */
/* How often the same is sent before it is split. */
#define ODD_TRIES 8
/* While nothing gets through, the cheap request is sent this often, plus up to PROBE_MORE_MS. */
#define PROBE_MS 1200
#define PROBE_MORE_MS 400

/* ---- waiting ---- */

static int64_t doubled(int64_t first, int tries, int64_t max) {
  int64_t wait = first;
  for (int i = 0; i < tries && wait < max; ++i) wait *= 2;
  return wait < max ? wait : max;
}

/* Full jitter: anything up to the doubled wait, so that workers do not all come back at once. */
static void back_off(struct sync_pipeline *p, int64_t now, int64_t max) {
  if (max > p->backoff_max) max = p->backoff_max;
  int64_t most = doubled(BACKOFF_MS, p->tries++, max);
  p->again = now + 1 + ck_random_upto(&p->random, most - 1);
}

void sync_pipeline_held(struct sync_pipeline *p, enum sync_class class, int64_t until,
                        const char *reason) {
  if (until <= p->held.until) return;
  p->held.until = until;
  p->held.class = class;
  sync_text_copy(p->held.reason, reason);
}

/* ---- whether the sink works ---- */

static bool is_sinks_fault(enum sync_class c) {
  return c == SYNC_UNKNOWN || c == SYNC_NOT_APPLIED || c == SYNC_LESS || c == SYNC_WAIT ||
         c == SYNC_QUOTA || c == SYNC_STOP;
}

/* Whatever the sink says to a request that it has looked at ends `stopped`: it no longer refuses
 * everything. It did not look at one that was lost on the way, or that nobody understands. */
static void heard(struct sync_pipeline *p, enum sync_class c) {
  bool looked = c != SYNC_STOP && c != SYNC_UNKNOWN && c != SYNC_NOT_APPLIED && c != SYNC_ODD;
  if (looked) p->stopped = false;
}

/* The early clock stops while the sink does not work or a table is paused, so that this time does
 * not count against rows whose wait is limited. */
static void set_clock(struct sync_pipeline *p, bool still, int64_t now) {
  if (still && !p->still_since) p->still_since = now;
  if (still || !p->still_since) return;
  p->still_ms += now - p->still_since;
  p->still_since = 0;
}

/* The time on the clock. Never 0. */
static int64_t early_clock(const struct sync_pipeline *p, int64_t now) {
  int64_t at = (p->still_since ? p->still_since : now) - p->still_ms;
  return at ? at : 1;
}

static void set_clock_by(struct sync_pipeline *p, enum sync_class c, int64_t now) {
  set_clock(p, is_sinks_fault(c) || sync_pipeline_any_paused(p), now);
}

static void probe_later(struct sync_pipeline *p, int64_t now) {
  int64_t at = now + PROBE_MS + ck_random_upto(&p->random, PROBE_MORE_MS - 1);
  p->probe_at = at < p->again ? at : 0;
}

bool sync_pipeline_probe(const struct sync_pipeline *p, int64_t now) {
  return p->probe_at && !p->sent && p->first && now >= p->probe_at;
}

void sync_pipeline_probed(struct sync_pipeline *p, const struct sync_answer *a, int64_t now) {
  set_clock_by(p, a->class, now);
  if (a->class == SYNC_DONE) ++p->through;
  if (!is_sinks_fault(a->class)) {
    p->again = now;
    p->probe_at = 0;
  } else {
    probe_later(p, now);
    memcpy(p->last_error, a->text, sizeof p->last_error);
  }
}

/* ---- what several classes do ---- */

struct turn {
  struct sync_pipeline *p;
  struct sync_batch *batch;
  struct sync_slice *slice;
  const struct sync_answer *a;
  int64_t now, today_left;
};

/* As long as the sink said, and a little more, so that workers do not all come back at once. */
static void hold_back(struct turn *t, int64_t ms) {
  t->p->again = t->now + ms + ck_random_upto(&t->p->random, ms / 10 + 99);
  t->p->hold = t->p->again;
  sync_pipeline_held(t->p, t->a->class, t->p->again, t->a->text);
}

static void move(struct turn *t, struct sync_slice *s, enum sync_slice_state to, int64_t until) {
  sync_pipeline_move(s, t->a->class, to, until);
}

static void halve(struct turn *t) {
  if (t->slice->n > 1) sync_pipeline_split(t->batch, t->slice, (t->slice->n + 1) / 2);
}

static void stick(struct turn *t, int64_t wait) {
  assert(t->slice->n == 1);
  move(t, t->slice, SYNC_SLICE_STUCK, t->now + wait);
}

static void table_is_back(struct turn *t, enum ck_table table) {
  t->p->table_again[table] = 0;
  for (struct sync_batch *b = t->p->first; b; b = b->next)
    for (struct sync_slice *s = b->slices; s; s = s->next)
      if (s->state == SYNC_SLICE_PAUSED && s->rows[0]->row.table == table)
        move(t, s, SYNC_SLICE_READY, t->now);
}

static int64_t early_retry_max(const struct sync_pipeline *p) {
  return p->backoff_max < EARLY_RETRY_MAX ? p->backoff_max : EARLY_RETRY_MAX;
}

/* No other EARLY slice is sent right after one that is still early. */
static void early_pause(struct sync_pipeline *p, int64_t now) {
  p->early_again = now + doubled(EARLY_FIRST_MS, p->early_tries++, early_retry_max(p));
}

static void wait_early(struct turn *t, struct sync_slice *s) {
  if (!s->early_from) s->early_from = early_clock(t->p, t->now);
  int64_t wait = doubled(EARLY_FIRST_MS, s->tries++, early_retry_max(t->p));
  move(t, s, SYNC_SLICE_EARLY, t->now + wait);
}

static void dead_letters(struct sync_batch *b, const struct sync_slice *s) {
  for (size_t i = 0; i < s->n; ++i)
    if (s->rows[i]->state == SYNC_ROW_DEAD) sync_batch_dead_letter(b, s->rows[i]);
}

/* The parents of its rows will not come: the rows are dead letters. */
static void give_up_early(struct turn *t, struct sync_slice *s, const char *waited) {
  for (size_t i = 0; i < s->n; ++i) {
    struct sync_row *r = s->rows[i];
    char *reason = ck_sprintf("%s%s", r->reason ? r->reason : t->a->text, waited);
    sync_row_mark(r, SYNC_ROW_DEAD, reason);
    free(reason);
  }
  dead_letters(t->batch, s);
  sync_batch_remove(t->batch, s, t->a->class);
}

/* Not while a table is paused: that table may hold what the row points to. */
static bool early_too_long(const struct turn *t, const struct sync_slice *s) {
  return !sync_pipeline_any_paused(t->p) && s->early_from &&
         early_clock(t->p, t->now) - s->early_from >= SYNC_EARLY_MAX;
}

/* What the rows of a batch with `parents` point to is in the sink or came in the batch. If all of
 * that has been answered and it is still not there, the sink refused it or somebody deleted it. */
static bool parents_never_come(const struct turn *t, const struct sync_slice *early) {
  if (!t->batch->parents || sync_pipeline_any_paused(t->p)) return false;
  for (const struct sync_slice *s = t->batch->slices; s; s = s->next)
    if (s != t->slice && s != early && s->state != SYNC_SLICE_EARLY) return false;
  return true;
}

/* ---- done ---- */

/* The rows that the sink skipped become a slice that waits. Returns how many. */
static size_t keep_early(struct turn *t) {
  struct sync_slice skipped = sync_slice_of(t->slice, SYNC_ROW_EARLY);
  if (!skipped.rows) return 0;
  size_t n = skipped.n;
  struct sync_slice *s = sync_batch_insert(t->batch, t->slice, skipped);
  s->failed_alone = 0;
  s->others_through = 0;
  if (s->state != SYNC_SLICE_EARLY) s->tries = 0;
  if (parents_never_come(t, s))
    give_up_early(t, s, "");
  else if (early_too_long(t, s))
    give_up_early(t, s, FIVE_MINUTES);
  else
    wait_early(t, s);
  return n;
}

static void on_done(struct turn *t) {
  struct sync_pipeline *p = t->p;
  size_t rows = t->slice->n;
  bool waited = t->slice->state == SYNC_SLICE_EARLY;
  p->tries = 0;
  p->again = 0;
  p->probe_at = 0;
  p->held.until = 0;
  for (size_t i = 0; i < rows; ++i) {
    enum ck_table table = t->slice->rows[i]->row.table;
    if (p->table_again[table]) table_is_back(t, table);
  }
  dead_letters(t->batch, t->slice);
  if (keep_early(t) == rows && waited) {
    early_pause(p, t->now);
  } else { /* something was written: perhaps what others wait for */
    p->early_again = 0;
    p->early_tries = 0;
  }
  sync_batch_remove(t->batch, t->slice, t->a->class);
}

/* ---- the sink's fault ---- */

static void on_less(struct turn *t) {
  halve(t);
  back_off(t->p, t->now, INT64_MAX);
}

static void on_split(struct turn *t) {
  if (t->slice->n > 1)
    on_less(t);
  else
    stick(t, doubled(BACKOFF_MS, t->slice->tries++, t->p->backoff_max));
}

/* If others get through and this slice fails again and again, it is no outage. */
static bool fails_alone(struct turn *t) {
  struct sync_slice *s = t->slice;
  if (t->p->through != s->others_through) ++s->failed_alone;
  s->others_through = t->p->through;
  return s->failed_alone > ODD_TRIES;
}

static void on_again(struct turn *t) {
  if (fails_alone(t)) {
    on_split(t);
    return;
  }
  back_off(t->p, t->now, t->p->probes ? INT64_MAX : PROBE_MS + PROBE_MORE_MS);
  if (t->p->probes) probe_later(t->p, t->now);
}

static void on_wait(struct turn *t) {
  if (t->a->wait_ms > 0)
    hold_back(t, t->a->wait_ms);
  else
    back_off(t->p, t->now, INT64_MAX);
}

static void on_quota(struct turn *t) { hold_back(t, t->today_left); }

static void on_stop(struct turn *t) {
  int64_t max = t->p->backoff_max;
  t->p->stopped = true;
  t->p->again = t->now + (max < STOPPED_MS ? max : STOPPED_MS);
  sync_pipeline_held(t->p, SYNC_STOP, t->p->again, t->a->text);
}

/* What is held besides was planned for the same mirror. */
static void on_witness(struct turn *t) {
  t->p->unfit = true;
  sync_pipeline_return(t->p, t->batch);
  sync_pipeline_return_all(t->p);
}

/* ---- the fault of a table, of a row, or unknown ---- */

static void on_table(struct turn *t) {
  enum ck_table table = t->slice->rows[0]->row.table;
  if (sync_slice_same_table(t->slice) < t->slice->n) {
    sync_pipeline_by_table(t->batch, t->slice);
    return;
  }
  t->p->table_again[table] = t->now + t->p->backoff_max;
  move(t, t->slice, SYNC_SLICE_PAUSED, t->p->table_again[table]);
}

/* SQLite and PostgreSQL use the same words in different case. */
static bool names_a_foreign_key(const char *text) {
  return strcasestr(text, "foreign key") != NULL;
}

/* What the batch's rows point to may be anywhere in a backlog. Once the store knows that there are
 * foreign keys, it sends that along with the batch: so the batch is returned, but only once. */
static bool return_once(struct turn *t) {
  struct sync_pipeline *p = t->p;
  uint64_t after = t->batch->after;
  p->foreign_keys = true;
  size_t known = p->returned_count < SYNC_RETURNED_MAX ? p->returned_count : SYNC_RETURNED_MAX;
  for (size_t i = 0; i < known; ++i)
    if (p->returned_after[i] == after) return false;
  p->returned_after[p->returned_count++ % SYNC_RETURNED_MAX] = after;
  sync_pipeline_return(p, t->batch);
  return true;
}

static void on_early(struct turn *t) {
  struct sync_slice *s = t->slice;
  bool foreign_key = names_a_foreign_key(t->a->text);
  enum ck_mirror_caution caution = foreign_key ? CK_CAUTION_PARENTS : CK_CAUTION_UNIQUE;
  if (foreign_key && s->caution < caution && return_once(t)) return;
  if (s->caution < caution) {
    s->caution = caution;
  } else if (s->n > 1) {
    halve(t);
  } else if (early_too_long(t, s)) {
    give_up_early(t, s, FIVE_MINUTES);
  } else {
    if (s->state == SYNC_SLICE_EARLY) early_pause(t->p, t->now);
    wait_early(t, s);
  }
}

static void on_row(struct turn *t) {
  struct sync_slice *s = t->slice;
  if (s->n > 1) {
    if (s->state == SYNC_SLICE_READY) move(t, s, SYNC_SLICE_SUSPECT, s->not_before);
    halve(t);
    return;
  }
  sync_row_mark(s->rows[0], SYNC_ROW_DEAD, t->a->text);
  sync_batch_dead_letter(t->batch, s->rows[0]);
  sync_batch_remove(t->batch, s, t->a->class);
}

static void on_odd(struct turn *t) {
  if (++t->slice->tries < ODD_TRIES)
    back_off(t->p, t->now, INT64_MAX);
  else if (t->slice->n > 1)
    on_less(t);
  else
    stick(t, t->p->backoff_max);
}

/* ---- by class ---- */

static void (*const handlers[SYNC_CLASSES])(struct turn *) = {
    [SYNC_DONE] = on_done,       [SYNC_UNKNOWN] = on_again, [SYNC_NOT_APPLIED] = on_again,
    [SYNC_LESS] = on_less,       [SYNC_SPLIT] = on_split,   [SYNC_WAIT] = on_wait,
    [SYNC_QUOTA] = on_quota,     [SYNC_STOP] = on_stop,     [SYNC_TABLE] = on_table,
    [SYNC_EARLY] = on_early,     [SYNC_ROW] = on_row,       [SYNC_ODD] = on_odd,
    [SYNC_WITNESS] = on_witness,
};

static bool any_waits(const struct sync_pipeline *p) {
  for (const struct sync_batch *b = p->first; b; b = b->next)
    for (const struct sync_slice *s = b->slices; s; s = s->next)
      if (sync_slice_waits(s)) return true;
  return false;
}

void sync_pipeline_answer(struct sync_pipeline *p, const struct sync_answer *a, int64_t now,
                          int64_t today_left) {
  struct turn t = {p, p->sent_batch, p->sent, a, now, today_left};
  assert(t.slice);
  p->sent_batch = NULL;
  p->sent = NULL;
  p->probe_at = 0;
  if (a->class == SYNC_DONE) ++p->through;
  heard(p, a->class);
  set_clock_by(p, a->class, now); /* decides how long a slice has waited, … */
  handlers[a->class](&t);
  set_clock_by(p, a->class, now); /* … and then which tables are paused now */
  sync_batch_shrink(t.batch);
  if (a->class != SYNC_DONE)
    memcpy(p->last_error, a->text, sizeof p->last_error);
  else if (!any_waits(p))
    p->last_error[0] = '\0';
}

void sync_pipeline_witness(struct sync_pipeline *p, const struct sync_answer *a, int64_t now,
                           int64_t today_left) {
  struct turn t = {.p = p, .a = a, .now = now, .today_left = today_left};
  p->unread = a->class != SYNC_DONE;
  heard(p, a->class);
  if (a->class == SYNC_DONE) {
    p->tries = 0;
    p->again = 0;
    p->held.until = 0;
    p->last_error[0] = '\0';
    return;
  }
  memcpy(p->last_error, a->text, sizeof p->last_error);
  if (a->class == SYNC_WAIT)
    on_wait(&t);
  else if (a->class == SYNC_QUOTA)
    on_quota(&t);
  else if (a->class == SYNC_UNKNOWN || a->class == SYNC_NOT_APPLIED || a->class == SYNC_LESS)
    back_off(p, now, PROBE_MS + PROBE_MORE_MS);
  else /* no access, or its table is missing */
    on_stop(&t);
}
