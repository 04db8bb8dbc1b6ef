#include "syncd/jobs_own.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_MS 50
#define STOPPED_MS 30000
#define EARLY_FIRST_MS 100
#define EARLY_RETRY_MAX 5000
#define FIVE_MINUTES ", for 5 minutes" /* SYNC_EARLY_MAX */
/* So often the same is sent again before it is taken apart. */
#define ODD_TRIES 8
/* While nothing gets through: how soon to knock again, at least and at most. */
#define PROBE_MS 1200
#define PROBE_MORE_MS 400

/* ---- waiting ---- */

static int64_t doubled(int64_t first, int tries, int64_t max) {
  int64_t wait = first;
  for (int i = 0; i < tries && wait < max; ++i) wait *= 2;
  return wait < max ? wait : max;
}

/* Full jitter: anything up to the doubled wait, so that many workers do not come back together. */
static void back_off(struct sync_jobs *j, int64_t now, int64_t max) {
  if (max > j->backoff_max) max = j->backoff_max;
  j->again = now + 1 + ck_random_upto(&j->random, doubled(BACKOFF_MS, j->tries++, max) - 1);
}

/* As long as was said, and a little more for the same reason. */
static void hold_back(struct sync_jobs *j, int64_t now, int64_t ms) {
  j->again = now + ms + ck_random_upto(&j->random, ms / 10 + 99);
  j->hold = j->again;
}

/* ---- whether the sink works ---- */

static bool is_sinks_fault(enum sync_class c) {
  return c == SYNC_UNKNOWN || c == SYNC_NOT_APPLIED || c == SYNC_LESS || c == SYNC_WAIT || c == SYNC_QUOTA || c == SYNC_STOP;
}

static void note_health(struct sync_jobs *j, enum sync_class c, int64_t now) {
  if (is_sinks_fault(c)) {
    if (!j->down_since) j->down_since = now;
    return;
  }
  if (j->down_since) j->down_ms += now - j->down_since;
  j->down_since = 0;
  if (c == SYNC_DONE) ++j->through;
}

/* A clock that stands still while the sink does not work: what may wait for so long does not run out of time then. */
static int64_t well(const struct sync_jobs *j, int64_t now) { return now - j->down_ms - (j->down_since ? now - j->down_since : 0); }

static void probe_later(struct sync_jobs *j, int64_t now) {
  int64_t at = now + PROBE_MS + ck_random_upto(&j->random, PROBE_MORE_MS - 1);
  j->probe_at = at < j->again ? at : 0;
}

bool sync_jobs_probe(const struct sync_jobs *j, int64_t now) { return j->probe_at && !j->piece && j->first && now >= j->probe_at; }

void sync_jobs_probed(struct sync_jobs *j, const struct sync_answer *a, int64_t now) {
  note_health(j, a->class, now);
  if (!is_sinks_fault(a->class)) {
    j->again = now;
    j->probe_at = 0;
  } else {
    probe_later(j, now);
    memcpy(j->last_error, a->text, sizeof j->last_error);
  }
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
      if (p->parked == SYNC_PARKED_TABLE && p->slice.rows[0]->row.table == t) sync_park(p, SYNC_FRESH, now);
}

/* The next early rows, of whatever piece, later than these. */
static void early_pause(struct sync_jobs *j, int64_t now) {
  int64_t max = j->backoff_max < EARLY_RETRY_MAX ? j->backoff_max : EARLY_RETRY_MAX;
  j->early_again = now + doubled(EARLY_FIRST_MS, j->early_tries++, max);
}

static void park_early(struct sync_jobs *j, struct sync_piece *p, int64_t now) {
  int64_t max = j->backoff_max < EARLY_RETRY_MAX ? j->backoff_max : EARLY_RETRY_MAX;
  if (!p->waits) p->since = well(j, now);
  p->waits = true;
  sync_park(p, SYNC_PARKED_EARLY, now + doubled(EARLY_FIRST_MS, p->tries++, max));
}

static void bury_all(struct sync_job *job, const struct sync_slice *s) {
  for (size_t i = 0; i < s->n; ++i)
    if (s->rows[i]->state == SYNC_ROW_DEAD) sync_bury(job, s->rows[i]);
}

static void bury_early(struct turn *t, struct sync_piece *p, const char *waited) {
  for (size_t i = 0; i < p->slice.n; ++i) {
    struct sync_row *r = p->slice.rows[i];
    char *reason = ck_sprintf("%s%s", r->reason ? r->reason : t->a->text, waited);
    sync_row_mark(r, SYNC_ROW_DEAD, reason);
    free(reason);
  }
  bury_all(t->job, &p->slice);
  sync_piece_remove(t->job, p);
}

/* A table that waits for a person may be what the row points to. */
static bool early_too_long(const struct sync_jobs *j, const struct sync_piece *p, int64_t now) {
  return !sync_any_paused(j) && p->waits && well(j, now) - p->since >= SYNC_EARLY_MAX;
}

/* What the rows of a batch point to is in the sink, or came with it. Where all of that has been answered and it is not there, the sink refused it, or somebody
 * deleted it: waiting brings nothing. */
static bool parents_never_come(const struct turn *t, const struct sync_piece *early) {
  if (!t->job->batch.parents || sync_any_paused(t->j)) return false;
  for (const struct sync_piece *p = t->job->pieces; p; p = p->next)
    if (p != t->piece && p != early && p->parked != SYNC_PARKED_EARLY) return false;
  return true;
}

/* What the sink passed over becomes a piece that waits. Returns how many rows. */
static size_t keep_early(struct turn *t) {
  struct sync_slice early = sync_slice_of(&t->piece->slice, SYNC_ROW_EARLY);
  if (!early.rows) return 0;
  struct sync_piece *p = sync_piece_new(early, t->piece->next);
  t->piece->next = p;
  p->since = t->piece->since;
  p->waits = t->piece->waits;
  p->tries = t->piece->parked == SYNC_PARKED_EARLY ? t->piece->tries : 0;
  if (parents_never_come(t, p))
    bury_early(t, p, "");
  else if (early_too_long(t->j, p, t->now))
    bury_early(t, p, FIVE_MINUTES);
  else
    park_early(t->j, p, t->now);
  return early.n;
}

static void on_done(struct turn *t) {
  struct sync_jobs *j = t->j;
  size_t rows = t->piece->slice.n;
  bool waited = t->piece->parked == SYNC_PARKED_EARLY;
  j->tries = 0;
  j->again = 0;
  j->probe_at = 0;
  j->stopped = false;
  for (size_t i = 0; i < rows; ++i) {
    enum ck_table table = t->piece->slice.rows[i]->row.table;
    if (j->table_again[table]) table_is_back(j, table, t->now);
  }
  bury_all(t->job, &t->piece->slice);
  if (keep_early(t) == rows && waited) {
    early_pause(j, t->now);
  } else { /* something got in: perhaps what others wait for */
    j->early_again = 0;
    j->early_tries = 0;
  }
  sync_piece_remove(t->job, t->piece);
}

static void on_less(struct turn *t) {
  if (t->piece->slice.n > 1) sync_piece_split(t->piece, (t->piece->slice.n + 1) / 2);
  back_off(t->j, t->now, INT64_MAX);
}

static void on_split(struct turn *t) {
  if (t->piece->slice.n > 1)
    on_less(t);
  else
    sync_park(t->piece, SYNC_PARKED_ODD, t->now + doubled(BACKOFF_MS, t->piece->tries++, t->j->backoff_max));
}

/* Where others get through and this does not, again and again, it is no outage. */
static bool is_blamed(struct turn *t) {
  struct sync_piece *p = t->piece;
  if (t->j->through != p->through) ++p->blamed;
  p->through = t->j->through;
  return p->blamed > ODD_TRIES;
}

static void on_again(struct turn *t) {
  if (is_blamed(t)) {
    on_split(t);
    return;
  }
  back_off(t->j, t->now, t->j->probes ? INT64_MAX : PROBE_MS + PROBE_MORE_MS);
  if (t->j->probes) probe_later(t->j, t->now);
}

static void on_wait(struct turn *t) {
  if (t->a->wait_ms > 0)
    hold_back(t->j, t->now, t->a->wait_ms);
  else
    back_off(t->j, t->now, INT64_MAX);
}

static void on_quota(struct turn *t) { hold_back(t->j, t->now, t->today_left); }

static void on_stop(struct turn *t) {
  t->j->stopped = true;
  t->j->again = t->now + (t->j->backoff_max < STOPPED_MS ? t->j->backoff_max : STOPPED_MS);
}

static void on_table(struct turn *t) {
  enum ck_table table = t->piece->slice.rows[0]->row.table;
  if (sync_slice_same_table(&t->piece->slice) < t->piece->slice.n) {
    sync_piece_by_table(t->piece);
    return;
  }
  t->j->table_again[table] = t->now + t->j->backoff_max;
  sync_park(t->piece, SYNC_PARKED_TABLE, t->j->table_again[table]);
}

static void wait_early(struct turn *t) {
  if (t->piece->parked == SYNC_PARKED_EARLY) early_pause(t->j, t->now);
  park_early(t->j, t->piece, t->now);
}

/* SQLite and PostgreSQL say it in words that differ by their case. */
static bool names_a_foreign_key(const char *text) { return strcasestr(text, "foreign key") != NULL; }

/* What the batch's rows point to may be anywhere in a backlog. The store knows, and sends it along once it is told that there are foreign keys: so the batch is
 * handed back, once. */
static bool give_back(struct turn *t) {
  struct sync_jobs *j = t->j;
  uint64_t after = t->job->batch.after;
  j->foreign_keys = true;
  size_t known = j->back_count < SYNC_BACK_MAX ? j->back_count : SYNC_BACK_MAX;
  for (size_t i = 0; i < known; ++i)
    if (j->back_after[i] == after) return false;
  j->back_after[j->back_count++ % SYNC_BACK_MAX] = after;
  sync_job_back(j, t->job);
  return true;
}

static void on_early(struct turn *t) {
  struct sync_slice *s = &t->piece->slice;
  bool foreign_key = names_a_foreign_key(t->a->text);
  enum ck_mirror_care care = foreign_key ? CK_CARE_PARENTS : CK_CARE_UNIQUE;
  if (foreign_key && s->care < care && give_back(t)) return;
  if (s->care < care)
    s->care = care;
  else if (s->n > 1)
    sync_piece_split(t->piece, (s->n + 1) / 2);
  else if (early_too_long(t->j, t->piece, t->now))
    bury_early(t, t->piece, FIVE_MINUTES);
  else
    wait_early(t);
}

static void on_row(struct turn *t) {
  struct sync_slice *s = &t->piece->slice;
  t->piece->suspect = true;
  if (s->n > 1) {
    sync_piece_split(t->piece, (s->n + 1) / 2);
    return;
  }
  sync_row_mark(s->rows[0], SYNC_ROW_DEAD, t->a->text);
  sync_bury(t->job, s->rows[0]);
  sync_piece_remove(t->job, t->piece);
}

static void on_odd(struct turn *t) {
  struct sync_piece *p = t->piece;
  if (++p->tries < ODD_TRIES)
    back_off(t->j, t->now, INT64_MAX);
  else if (p->slice.n > 1)
    on_less(t);
  else
    sync_park(p, SYNC_PARKED_ODD, t->now + t->j->backoff_max);
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
  j->probe_at = 0;
  note_health(j, a->class, now);
  handlers[a->class](&t);
  sync_job_lighten(t.job);
  if (a->class != SYNC_DONE)
    memcpy(j->last_error, a->text, sizeof j->last_error);
  else if (!any_parked(j))
    j->last_error[0] = '\0';
}
