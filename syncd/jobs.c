#include "syncd/jobs_own.h"

#include <stdlib.h>
#include <string.h>

void sync_jobs_init(struct sync_jobs *j, const struct sync_limits *limits, int64_t backoff_max, uint64_t seed) {
  *j = (struct sync_jobs){.limits = limits, .backoff_max = backoff_max, .random = {seed}};
}

/* ---- pieces ---- */

struct sync_piece *sync_piece_new(struct sync_slice slice, struct sync_piece *next) {
  struct sync_piece *p = ck_zalloc(sizeof *p);
  p->slice = slice;
  p->next = next;
  return p;
}

void sync_piece_split(struct sync_piece *p, size_t n) {
  struct sync_piece *rest = sync_piece_new(sync_slice_halve(&p->slice, n), p->next);
  rest->parked = p->parked;
  rest->suspect = p->suspect;
  rest->tries = p->tries;
  rest->waits = p->waits;
  rest->since = p->since;
  rest->blamed = p->blamed;
  rest->through = p->through;
  rest->not_before = p->not_before;
  p->next = rest;
}

void sync_piece_remove(struct sync_job *job, struct sync_piece *p) {
  struct sync_piece **at = &job->pieces;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  sync_slice_free(&p->slice);
  free(p);
}

void sync_park(struct sync_piece *p, enum sync_parked how, int64_t until) {
  p->parked = how;
  p->not_before = until;
}

static bool only_parked(const struct sync_job *job) {
  for (const struct sync_piece *p = job->pieces; p; p = p->next)
    if (p->parked == SYNC_FRESH) return false;
  return true;
}

/* For a table that is paused, or with an error that nobody knows. */
static bool waits_for_a_person(const struct sync_job *job) {
  for (const struct sync_piece *p = job->pieces; p; p = p->next)
    if (p->parked != SYNC_PARKED_TABLE && p->parked != SYNC_PARKED_ODD) return false;
  return job->pieces != NULL;
}

/* ---- jobs ---- */

void sync_job_free(struct sync_job *job) {
  while (job->pieces) sync_piece_remove(job, job->pieces);
  sync_batch_free(&job->batch);
  ck_buf_free(&job->frame);
  ck_buf_free(&job->dead);
  free(job);
}

static struct sync_job *take_first(struct sync_job **list) {
  struct sync_job *job = *list;
  if (!job) return NULL;
  *list = job->next;
  job->next = NULL;
  return job;
}

void sync_jobs_free(struct sync_jobs *j) {
  for (struct sync_job *job; (job = take_first(&j->first));) sync_job_free(job);
  for (struct sync_job *job; (job = take_first(&j->back));) sync_job_free(job);
}

static void unlink_job(struct sync_jobs *j, struct sync_job *job) {
  struct sync_job **at = &j->first;
  while (*at != job) at = &(*at)->next;
  *at = job->next;
  job->next = NULL;
}

unsigned sync_jobs_room(const struct sync_jobs *j) {
  unsigned fresh = 0, parked = 0;
  size_t bytes = 0;
  for (const struct sync_job *job = j->first; job; job = job->next) {
    if (waits_for_a_person(job)) continue; /* of those sync_jobs_postpone keeps a few */
    bool waits = only_parked(job);
    fresh += !waits;
    parked += waits;
    if (waits) bytes += job->bytes;
  }
  return fresh < SYNC_IN_HAND && parked < SYNC_PARKED_MAX && bytes < SYNC_PARKED_BYTES ? SYNC_IN_HAND - fresh : 0;
}

void sync_bury(struct sync_job *job, const struct sync_row *r) {
  ck_put_array(&job->dead, 4);
  ck_put_text(&job->dead, ck_tables[r->row.table].name);
  struct ck_str key = ck_row_key(&r->row);
  ck_put_str(&job->dead, ck_utf8_ok(key) ? key : CK_LIT("(not UTF-8)"));
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
    if (job->batch.rows[i].state == SYNC_ROW_DEAD) sync_bury(job, &job->batch.rows[i]);
  struct sync_piece **tail = &job->pieces;
  for (size_t i = 0; i < slices.n; ++i) {
    *tail = sync_piece_new(slices.at[i], NULL);
    (*tail)->not_before = now;
    tail = &(*tail)->next;
  }
  free(slices.at);
  struct sync_job **last = &j->first;
  while (*last) last = &(*last)->next;
  *last = job;
}

void sync_job_back(struct sync_jobs *j, struct sync_job *job) {
  unlink_job(j, job);
  job->next = j->back;
  j->back = job;
}

bool sync_any_paused(const struct sync_jobs *j) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    if (j->table_again[t]) return true;
  return false;
}

void sync_jobs_postpone(struct sync_jobs *j) {
  unsigned kept = 0;
  size_t bytes = 0;
  for (struct sync_job *job = j->first, *next; job; job = next) {
    next = job->next;
    if (job == j->job || !waits_for_a_person(job)) continue;
    sync_job_lighten(job);
    if (kept < SYNC_KEPT_MAX && bytes < SYNC_KEPT_BYTES) {
      ++kept;
      bytes += job->bytes;
    } else {
      job->postponed = true;
      sync_job_back(j, job);
    }
  }
  j->postpones = sync_any_paused(j) || kept == SYNC_KEPT_MAX || bytes >= SYNC_KEPT_BYTES;
}

void sync_jobs_give_back(struct sync_jobs *j) {
  for (struct sync_job *job = j->first, *next; job; job = next) {
    next = job->next;
    if (job != j->job && job->pieces) sync_job_back(j, job);
  }
}

struct sync_job *sync_jobs_returned(struct sync_jobs *j) {
  return take_first(&j->back);
}

struct sync_job *sync_jobs_finished(struct sync_jobs *j) {
  for (struct sync_job *job = j->first; job; job = job->next) {
    if (job->pieces) continue;
    unlink_job(j, job);
    return job;
  }
  return NULL;
}

void sync_job_lighten(struct sync_job *job) {
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

void sync_piece_by_table(struct sync_piece *p) {
  for (size_t n; (n = sync_slice_same_table(&p->slice)) < p->slice.n; p = p->next) sync_piece_split(p, n);
}

/* Fresh rows of a table that is paused need not find out for themselves. */
static void obey_pauses(const struct sync_jobs *j, struct sync_piece *p, int64_t now) {
  if (p->parked != SYNC_FRESH) return;
  sync_piece_by_table(p);
  int64_t until = j->table_again[p->slice.rows[0]->row.table];
  if (until > now) sync_park(p, SYNC_PARKED_TABLE, until);
}

/* Early rows are tried one piece after another, so that many of them do not take the requests away from what they wait for. */
static int64_t piece_wake(const struct sync_jobs *j, const struct sync_piece *p) {
  return p->parked == SYNC_PARKED_EARLY && j->early_again > p->not_before ? j->early_again : p->not_before;
}

static int64_t ready_at(const struct sync_jobs *j) {
  int64_t wake = INT64_MAX;
  if (j->piece) return wake;
  for (const struct sync_job *job = j->first; job; job = job->next)
    for (const struct sync_piece *p = job->pieces; p; p = p->next) {
      int64_t at = piece_wake(j, p);
      if (at < wake) wake = at;
    }
  return wake != INT64_MAX && wake < j->again ? j->again : wake;
}

int64_t sync_jobs_wake(const struct sync_jobs *j) {
  int64_t wake = ready_at(j);
  return j->probe_at && j->first && !j->piece && j->probe_at < wake ? j->probe_at : wake;
}

unsigned sync_jobs_ready(const struct sync_jobs *j, unsigned most, int64_t now) {
  unsigned n = 0;
  if (j->again > now) return 0;
  for (const struct sync_job *job = j->first; job; job = job->next)
    for (const struct sync_piece *p = job->pieces; p && n < most; p = p->next) n += p != j->piece && piece_wake(j, p) <= now;
  return n;
}

struct choice {
  struct sync_job *job;
  struct sync_piece *piece;
};

/* The one that has been ready longest; of two, the first. */
static void consider(struct choice *c, struct sync_job *job, struct sync_piece *p) {
  if (!c->piece || p->not_before < c->piece->not_before) *c = (struct choice){job, p};
}

/* What is fine does not wait for what is taken apart or tried again, and the other way round: they take turns. */
struct sync_slice *sync_jobs_pick(struct sync_jobs *j, int64_t now) {
  if (ready_at(j) > now) return NULL;
  struct choice fine = {0}, other = {0};
  bool paused = sync_any_paused(j);
  for (struct sync_job *job = j->first; job; job = job->next)
    for (struct sync_piece *p = job->pieces; p; p = p->next) {
      if (paused) obey_pauses(j, p, now);
      if (piece_wake(j, p) <= now) consider(p->parked == SYNC_FRESH && !p->suspect ? &fine : &other, job, p);
    }
  struct choice *one = fine.piece && (!other.piece || !j->others_turn) ? &fine : &other;
  if (!one->piece) return NULL;
  j->others_turn = one == &fine;
  j->job = one->job;
  j->piece = one->piece;
  struct sync_slice *s = &j->piece->slice;
  for (size_t i = 0; i < s->n; ++i) s->rows[i]->state = SYNC_ROW_OPEN;
  return s;
}

unsigned sync_jobs_parked(const struct sync_jobs *j) {
  unsigned n = 0;
  for (const struct sync_job *job = j->first; job; job = job->next) n += job->pieces && only_parked(job);
  return n;
}

const char *sync_jobs_state(const struct sync_jobs *j, int64_t now) {
  if (!j->first) return "idle";
  if (j->stopped) return "stopped";
  return j->piece || ready_at(j) <= now ? "working" : "waiting";
}
