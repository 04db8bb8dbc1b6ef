#include "syncd/jobs.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_MS 50
#define STOPPED_MS 30000
#define EARLY_RETRY_MAX 5000
/* So often the same is sent again before it is taken apart. */
#define ODD_TRIES 8

void sync_jobs_init(struct sync_jobs *j, const struct sync_limits *limits, int64_t backoff_max, uint64_t seed) {
  *j = (struct sync_jobs){.limits = limits, .backoff_max = backoff_max, .random = seed ? seed : 1};
}

/* ---- waiting ---- */

static uint64_t random_below(struct sync_jobs *j, uint64_t n) {
  j->random ^= j->random << 13;
  j->random ^= j->random >> 7;
  j->random ^= j->random << 17;
  return j->random % n;
}

static int64_t doubled(int64_t first, int tries, int64_t max) {
  int64_t wait = first;
  for (int i = 0; i < tries && wait < max; ++i) wait *= 2;
  return wait < max ? wait : max;
}

/* Full jitter: anything up to the doubled wait, so that many workers do not come back together. */
static void back_off(struct sync_jobs *j, int64_t now) {
  j->again = now + 1 + (int64_t)random_below(j, (uint64_t)doubled(BACKOFF_MS, j->tries++, j->backoff_max));
}

/* As long as was said, and a little more for the same reason. */
static void hold_back(struct sync_jobs *j, int64_t now, int64_t ms) { j->again = now + ms + (int64_t)random_below(j, (uint64_t)(ms / 10 + 100)); }

/* ---- pieces ---- */

static struct sync_piece *piece_new(struct sync_slice slice, struct sync_piece *next) {
  struct sync_piece *p = ck_zalloc(sizeof *p);
  p->slice = slice;
  p->next = next;
  return p;
}

/* The rows behind the first n become a piece of their own, in the same state. */
static void piece_split(struct sync_piece *p, size_t n) {
  struct sync_piece *rest = piece_new(sync_slice_halve(&p->slice, n), p->next);
  rest->parked = p->parked;
  rest->tries = p->tries;
  rest->since = p->since;
  rest->not_before = p->not_before;
  p->next = rest;
}

static void piece_remove(struct sync_job *job, struct sync_piece *p) {
  struct sync_piece **at = &job->pieces;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  sync_slice_free(&p->slice);
  free(p);
}

static void park(struct sync_piece *p, enum sync_parked how, int64_t until) {
  p->parked = how;
  p->not_before = until;
}

static bool only_parked(const struct sync_job *job) {
  for (const struct sync_piece *p = job->pieces; p; p = p->next)
    if (p->parked == SYNC_FRESH) return false;
  return true;
}

/* ---- jobs ---- */

void sync_job_free(struct sync_job *job) {
  while (job->pieces) piece_remove(job, job->pieces);
  sync_batch_free(&job->batch);
  ck_buf_free(&job->frame);
  ck_buf_free(&job->dead);
  free(job);
}

void sync_jobs_free(struct sync_jobs *j) {
  while (j->first) {
    struct sync_job *job = j->first;
    j->first = job->next;
    sync_job_free(job);
  }
}

static void unlink_job(struct sync_jobs *j, struct sync_job *job) {
  struct sync_job **at = &j->first;
  while (*at != job) at = &(*at)->next;
  *at = job->next;
  job->next = NULL;
}

bool sync_jobs_room(const struct sync_jobs *j) {
  unsigned fresh = 0, parked = 0;
  size_t bytes = 0;
  for (const struct sync_job *job = j->first; job; job = job->next) {
    bool waits = only_parked(job);
    fresh += !waits;
    parked += waits;
    if (waits) bytes += job->bytes;
  }
  return fresh < SYNC_IN_HAND && parked < SYNC_PARKED_MAX && bytes < SYNC_PARKED_BYTES;
}

static void bury(struct sync_job *job, const struct sync_row *r) {
  ck_put_array(&job->dead, 4);
  ck_put_text(&job->dead, ck_tables[r->row.table].name);
  ck_put_str(&job->dead, ck_row_key(&r->row));
  ck_put_uint(&job->dead, r->version);
  ck_put_text(&job->dead, r->reason ? r->reason : "");
  ++job->dead_count;
}

static void drop_overlapping(struct sync_jobs *j, const struct sync_batch *b) {
  for (struct sync_job *job = j->first, *next; job; job = next) {
    next = job->next;
    if (job == j->job || b->after >= job->batch.upto || job->batch.after >= b->upto) continue;
    unlink_job(j, job);
    sync_job_free(job);
  }
}

void sync_jobs_add(struct sync_jobs *j, struct sync_batch *batch, struct ck_buf *frame, int64_t now) {
  struct sync_slices slices;
  drop_overlapping(j, batch);
  struct sync_job *job = ck_zalloc(sizeof *job);
  job->batch = *batch;
  job->frame = *frame;
  *batch = (struct sync_batch){0};
  *frame = (struct ck_buf){0};
  sync_plan(&job->batch, j->limits, &slices);
  for (size_t i = 0; i < job->batch.n; ++i)
    if (job->batch.rows[i].state == SYNC_ROW_DEAD) bury(job, &job->batch.rows[i]);
  struct sync_piece **tail = &job->pieces;
  for (size_t i = 0; i < slices.n; ++i) {
    *tail = piece_new(slices.at[i], NULL);
    (*tail)->not_before = now;
    tail = &(*tail)->next;
  }
  free(slices.at);
  struct sync_job **last = &j->first;
  while (*last) last = &(*last)->next;
  *last = job;
}

struct sync_job *sync_jobs_finished(struct sync_jobs *j) {
  for (struct sync_job *job = j->first; job; job = job->next) {
    if (job->pieces) continue;
    unlink_job(j, job);
    return job;
  }
  return NULL;
}

/* A job that only waits holds its rows, not the whole frame. */
static void lighten(struct sync_job *job) {
  if (!job->frame.cap || !job->pieces || !only_parked(job)) return;
  size_t n = 0;
  for (struct sync_piece *p = job->pieces; p; p = p->next) n += p->slice.n;
  struct sync_row **rows = ck_alloc(n * sizeof *rows);
  size_t at = 0;
  for (struct sync_piece *p = job->pieces; p; p = p->next)
    for (size_t i = 0; i < p->slice.n; ++i) rows[at++] = p->slice.rows[i];
  struct sync_row *kept = sync_batch_keep(&job->batch, rows, n);
  free(rows);
  job->bytes = 0;
  for (struct sync_piece *p = job->pieces; p; p = p->next)
    for (size_t i = 0; i < p->slice.n; ++i) {
      job->bytes += kept->bytes + kept->json.n + sizeof *kept;
      p->slice.rows[i] = kept++;
    }
  ck_buf_free(&job->frame);
}

/* ---- picking ---- */

static bool any_paused(const struct sync_jobs *j) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    if (j->table_again[t]) return true;
  return false;
}

static void by_table(struct sync_piece *p) {
  for (size_t n; (n = sync_slice_same_table(&p->slice)) < p->slice.n; p = p->next) piece_split(p, n);
}

/* Fresh rows of a table that is paused need not find out for themselves. */
static void obey_pauses(const struct sync_jobs *j, struct sync_piece *p, int64_t now) {
  if (p->parked != SYNC_FRESH) return;
  by_table(p);
  int64_t until = j->table_again[p->slice.rows[0]->row.table];
  if (until > now) park(p, SYNC_PARKED_TABLE, until);
}

int64_t sync_jobs_wake(const struct sync_jobs *j) {
  int64_t wake = INT64_MAX;
  if (j->piece) return wake;
  for (const struct sync_job *job = j->first; job; job = job->next)
    for (const struct sync_piece *p = job->pieces; p; p = p->next)
      if (p->not_before < wake) wake = p->not_before;
  return wake != INT64_MAX && wake < j->again ? j->again : wake;
}

struct sync_slice *sync_jobs_pick(struct sync_jobs *j, int64_t now) {
  if (sync_jobs_wake(j) > now) return NULL;
  bool paused = any_paused(j);
  for (struct sync_job *job = j->first; job; job = job->next)
    for (struct sync_piece *p = job->pieces; p; p = p->next) {
      if (paused) obey_pauses(j, p, now);
      if (p->not_before > now) continue;
      j->job = job;
      j->piece = p;
      for (size_t i = 0; i < p->slice.n; ++i) p->slice.rows[i]->state = SYNC_ROW_OPEN;
      return &p->slice;
    }
  return NULL;
}

/* ---- answers: what each class does ---- */

struct turn {
  struct sync_jobs *j;
  struct sync_job *job;
  struct sync_piece *piece;
  const struct sync_answer *a;
  int64_t now, today_left;
};

static void table_is_back(struct sync_jobs *j, enum ck_table t, int64_t now) {
  j->table_again[t] = 0;
  for (struct sync_job *job = j->first; job; job = job->next)
    for (struct sync_piece *p = job->pieces; p; p = p->next)
      if (p->parked == SYNC_PARKED_TABLE && p->slice.rows[0]->row.table == t) park(p, SYNC_FRESH, now);
}

static void park_early(struct sync_piece *p, int64_t now, int64_t backoff_max) {
  if (!p->since) p->since = now;
  int64_t max = backoff_max < EARLY_RETRY_MAX ? backoff_max : EARLY_RETRY_MAX;
  park(p, SYNC_PARKED_EARLY, now + doubled(2 * BACKOFF_MS, p->tries++, max));
}

static void bury_all(struct sync_job *job, const struct sync_slice *s) {
  for (size_t i = 0; i < s->n; ++i)
    if (s->rows[i]->state == SYNC_ROW_DEAD) bury(job, s->rows[i]);
}

static void bury_early(struct turn *t) {
  for (size_t i = 0; i < t->piece->slice.n; ++i) {
    struct sync_row *r = t->piece->slice.rows[i];
    char *reason = ck_sprintf("%s, for 5 minutes", r->reason ? r->reason : t->a->text);
    sync_row_mark(r, SYNC_ROW_DEAD, reason);
    free(reason);
  }
  bury_all(t->job, &t->piece->slice);
  piece_remove(t->job, t->piece);
}

static bool early_too_long(const struct sync_piece *p, int64_t now) { return p->since && now - p->since >= SYNC_EARLY_MAX; }

/* What the sink passed over becomes a piece that waits. */
static void keep_early(struct turn *t) {
  struct sync_slice early = sync_slice_of(&t->piece->slice, SYNC_ROW_EARLY);
  if (!early.rows) return;
  early.careful = true;
  struct sync_piece *p = piece_new(early, t->piece->next);
  t->piece->next = p;
  p->since = t->piece->since;
  p->tries = t->piece->parked == SYNC_PARKED_EARLY ? t->piece->tries : 0;
  if (early_too_long(p, t->now)) {
    struct turn last = *t;
    last.piece = p;
    bury_early(&last);
    return;
  }
  park_early(p, t->now, t->j->backoff_max);
}

static void on_done(struct turn *t) {
  struct sync_jobs *j = t->j;
  j->tries = 0;
  j->again = 0;
  j->stopped = false;
  for (size_t i = 0; i < t->piece->slice.n; ++i) {
    enum ck_table table = t->piece->slice.rows[i]->row.table;
    if (j->table_again[table]) table_is_back(j, table, t->now);
  }
  bury_all(t->job, &t->piece->slice);
  keep_early(t);
  piece_remove(t->job, t->piece);
}

static void on_again(struct turn *t) { back_off(t->j, t->now); }

static void on_less(struct turn *t) {
  if (t->piece->slice.n > 1) piece_split(t->piece, (t->piece->slice.n + 1) / 2);
  back_off(t->j, t->now);
}

static void on_split(struct turn *t) {
  if (t->piece->slice.n > 1)
    on_less(t);
  else
    park(t->piece, SYNC_PARKED_ODD, t->now + doubled(BACKOFF_MS, t->piece->tries++, t->j->backoff_max));
}

static void on_wait(struct turn *t) {
  if (t->a->wait_ms > 0)
    hold_back(t->j, t->now, t->a->wait_ms);
  else
    back_off(t->j, t->now);
}

static void on_quota(struct turn *t) { hold_back(t->j, t->now, t->today_left); }

static void on_stop(struct turn *t) {
  t->j->stopped = true;
  t->j->again = t->now + (t->j->backoff_max < STOPPED_MS ? t->j->backoff_max : STOPPED_MS);
}

static void on_table(struct turn *t) {
  enum ck_table table = t->piece->slice.rows[0]->row.table;
  if (sync_slice_same_table(&t->piece->slice) < t->piece->slice.n) {
    by_table(t->piece);
    return;
  }
  t->j->table_again[table] = t->now + t->j->backoff_max;
  park(t->piece, SYNC_PARKED_TABLE, t->j->table_again[table]);
}

static void on_early(struct turn *t) {
  struct sync_slice *s = &t->piece->slice;
  if (!s->careful)
    s->careful = true;
  else if (s->n > 1)
    piece_split(t->piece, (s->n + 1) / 2);
  else if (early_too_long(t->piece, t->now))
    bury_early(t);
  else
    park_early(t->piece, t->now, t->j->backoff_max);
}

static void on_row(struct turn *t) {
  struct sync_slice *s = &t->piece->slice;
  if (s->n > 1) {
    piece_split(t->piece, (s->n + 1) / 2);
    return;
  }
  sync_row_mark(s->rows[0], SYNC_ROW_DEAD, t->a->text);
  bury(t->job, s->rows[0]);
  piece_remove(t->job, t->piece);
}

static void on_odd(struct turn *t) {
  struct sync_piece *p = t->piece;
  if (++p->tries < ODD_TRIES)
    back_off(t->j, t->now);
  else if (p->slice.n > 1)
    on_less(t);
  else
    park(p, SYNC_PARKED_ODD, t->now + t->j->backoff_max);
}

static void (*const handlers[SYNC_CLASSES])(struct turn *) = {
    [SYNC_DONE] = on_done,   [SYNC_UNKNOWN] = on_again, [SYNC_NOT_APPLIED] = on_again, [SYNC_LESS] = on_less,   [SYNC_SPLIT] = on_split, [SYNC_WAIT] = on_wait,
    [SYNC_QUOTA] = on_quota, [SYNC_STOP] = on_stop,     [SYNC_TABLE] = on_table,       [SYNC_EARLY] = on_early, [SYNC_ROW] = on_row,     [SYNC_ODD] = on_odd,
};

static bool any_parked(const struct sync_jobs *j) {
  for (const struct sync_job *job = j->first; job; job = job->next)
    for (const struct sync_piece *p = job->pieces; p; p = p->next)
      if (p->parked != SYNC_FRESH) return true;
  return false;
}

void sync_jobs_answer(struct sync_jobs *j, const struct sync_answer *a, int64_t now, int64_t today_left) {
  struct turn t = {j, j->job, j->piece, a, now, today_left};
  j->job = NULL;
  j->piece = NULL;
  handlers[a->class](&t);
  lighten(t.job);
  if (a->class != SYNC_DONE)
    memcpy(j->last_error, a->text, sizeof j->last_error);
  else if (!any_parked(j))
    j->last_error[0] = '\0';
}

unsigned sync_jobs_parked(const struct sync_jobs *j) {
  unsigned n = 0;
  for (const struct sync_job *job = j->first; job; job = job->next) n += job->pieces && only_parked(job);
  return n;
}

const char *sync_jobs_state(const struct sync_jobs *j, int64_t now) {
  if (!j->first) return "idle";
  if (j->stopped) return "stopped";
  return j->piece || sync_jobs_wake(j) <= now ? "working" : "waiting";
}
