/* What a deadline does not say: how long a wait was to last when it began, or that it is a calendar
 * time. The wall clock may be stepped since, and renewd started again. */
#include "store/write/apply_internal.h"

/* Of a wait. */
struct what {
  struct ck_str kind;
  int column;
};

static bool what_of(enum ck_table t, struct what *w) {
  if (t == CK_JOBS) *w = (struct what){CK_LIT("job"), CK_JOBS_NEXT_ATTEMPT_AT};
  if (t == CK_CONVERSATIONS)
    *w = (struct what){CK_LIT("conversation"), CK_CONVERSATIONS_COOLDOWN_UNTIL};
  return t == CK_JOBS || t == CK_CONVERSATIONS;
}

static bool is_pending(const struct ck_row *job) {
  return ck_str_is(ck_row_text(job, CK_JOBS_STATUS), "pending");
}

/* A person says until when a job that waits is put off. */
static bool is_calendar(const struct entry *e, const struct ck_row *after) {
  return after->table == CK_JOBS && e->exists && is_pending(&e->row) && is_pending(after);
}

/* By hand, and not tried yet: always a calendar time, of which nothing is kept. */
static bool is_untried(const struct ck_row *job) {
  return job->table == CK_JOBS && job->v[CK_JOBS_LAST_ATTEMPT_AT].state != CK_INT &&
         !ck_job_is_automatic(ck_row_key(job), ck_row_text(job, CK_JOBS_MESSAGE_ID));
}

/* What is over waits for nothing. */
static int64_t until_of(const struct what *w, const struct ck_row *row) {
  struct ck_str status = row->table == CK_JOBS ? ck_row_text(row, CK_JOBS_STATUS) : CK_LIT("");
  bool over = ck_str_is(status, "done") || ck_str_is(status, "failed");
  return over ? 0 : ck_row_int(row, w->column, 0);
}

/* The present time and that at which it was decided are of two clocks: the later one counts, so
 * that a step of either lengthens nothing. */
static int64_t begun(const struct apply *a) { return a->said_at > a->now ? a->said_at : a->now; }

/* What is left of the conversation's rest. 0 or -1. */
static int rest_left(struct apply *a, const struct entry *e, int64_t *left, struct ck_err *err) {
  sqlite3_stmt *s =
      system_query(a->system, SYSTEM_WAIT_LEFT, "ss", CK_LIT("conversation"), ck_row_key(&e->row));
  int rc = system_step(a->system, s, err);
  *left = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

int rest_is_later(struct apply *a, const struct entry *e, int64_t *until, struct ck_err *err) {
  int64_t left;
  if (rest_left(a, e, &left, err)) return -1;
  if (*until <= begun(a)) return left <= 0;
  if (left > 0 && *until - begun(a) <= left) return 0;
  if (ck_row_int(&e->row, CK_CONVERSATIONS_COOLDOWN_UNTIL, 0) == *until)
    *until = apply_sum(*until, 1);
  return 1;
}

/* What an end says begins then, also if the clock, stepped back, names the same time as before. */
static bool begins_anew(const struct apply *a, const struct ck_row *after) {
  return a->said_at && after->table == CK_JOBS && is_pending(after);
}

int wait_changes(struct apply *a, const struct entry *e, const struct ck_row *after,
                 struct ck_err *err) {
  struct what w;
  if (!what_of(after->table, &w)) return 0;
  int64_t was = e->exists ? until_of(&w, &e->row) : 0, until = until_of(&w, after);
  if (was == until && !begins_anew(a, after)) return 0;
  bool waits = until > begun(a) && !is_untried(after);
  if (!was && !waits) return 0;
  if (apply_savepoint(a, err)) return -1;
  struct ck_str id = ck_row_key(after);
  int64_t length = waits ? until - begun(a) : 0;
  if (!a->said_at && length > CK_CLIENT_TIME_MAX_MS)
    length = CK_CLIENT_TIME_MAX_MS; /* more is a clock's fault */
  if (is_calendar(e, after)) length = -1;
  bool pruned = a->waits_pruned;
  a->waits_pruned = true;
  int rc = (!pruned && system_run(a->system, SYSTEM_WAITS_PRUNE, err, "")) ||
           (waits ? system_run(a->system, SYSTEM_WAIT_SAVE, err, "ssiii", w.kind, id, until, length,
                               a->now)
                  : system_run(a->system, SYSTEM_WAIT_END, err, "ss", w.kind, id));
  return rc ? apply_failed(a) : 0;
}
