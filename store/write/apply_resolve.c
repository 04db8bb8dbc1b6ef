/* Unknown ends that what was observed since tells.
 *
 * Done: our text was said in the conversation after the attempt had begun, by a message that is not
 * known as another attempt's; or somebody answered the message that its client named. Not sent: a
 * source has told the whole conversation as it was a minute after the attempt, and there is nothing
 * of the kind. What may be ours, and is not certain to be, leaves it to a person. */
#include "store/write/apply_internal.h"

#include "proto/calendar.h"
#include "proto/map.h"
#include "store/read/echo.h"

/* The clocks of the platform and ours may differ by so much. */
#define SKEW_MS 60000

struct doubt {
  int64_t attempt, claimed, begun, ended;
  struct ck_str token, conversation; /* of the changeset's arena */
};

/* 1: the end of the job's attempt is unknown, 0: it is not, -1: the database failed. */
static int doubt_get(struct apply *a, struct ck_str job_id, struct doubt *d, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_DOUBT_GET, "s", job_id);
  int rc = system_step(a->system, s, err);
  if (rc > 0)
    *d = (struct doubt){.attempt = sqlite3_column_int64(s, 0),
                        .token = ck_arena_copy(&a->frame, db_str(s, 1)),
                        .claimed = sqlite3_column_int64(s, 2),
                        .begun = sqlite3_column_int64(s, 3),
                        .ended = sqlite3_column_int64(s, 4),
                        .conversation = ck_arena_copy(&a->frame, db_str(s, 5))};
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

enum seen { NOTHING, MAYBE, OURS };

static bool is_ours(const struct ck_row *job, sqlite3_stmt *s) {
  struct ck_str role = db_str(s, 3);
  if (!ck_str_is(role, "user") && !ck_str_is(role, "human")) return true; /* an answer to it */
  return echo_of(ck_row_text(job, CK_JOBS_PAYLOAD), ck_row_text(job, CK_JOBS_PAYLOAD_KIND),
                 db_str(s, 1));
}

/* *id, of the changeset's arena: the first message that proves it. 0 or -1. */
static int look_for_ours(struct apply *a, const struct ck_row *job, const struct doubt *d,
                         enum seen *seen, struct ck_str *id, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_DOUBT_MESSAGES, "ssii", ck_row_key(job),
                                 d->conversation, d->claimed, d->begun);
  int rc;
  *seen = NOTHING;
  while (*seen != OURS && (rc = system_step(a->system, s, err)) > 0) {
    int64_t at = sqlite3_column_int64(s, 2);
    if (at < d->begun - SKEW_MS || !is_ours(job, s)) continue;
    *seen = at >= d->begun ? OURS : MAYBE;
    *id = ck_arena_copy(&a->frame, db_str(s, 0));
  }
  system_done(s);
  return *seen != OURS && rc < 0 ? apply_failed(a) : 0;
}

/* *age: up to when a source has told all of the conversation; 0: none has. 0 or -1. */
static int captured_upto(struct apply *a, const struct doubt *d, int64_t *age, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_CAPTURE_AGE, "s", d->conversation);
  int rc = system_step(a->system, s, err);
  *age = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

static int resolve(struct apply *a, const struct doubt *d, struct ck_end *end, const char *why,
                   struct ck_err *err) {
  struct ck_buf result = {0};
  struct ck_map map = ck_map_open(&result);
  ck_pair_text(&map, "why", why);
  ck_map_close(&map);
  end->attempt = (uint64_t)d->attempt;
  end->token = d->token;
  end->result = ck_buf_view(&result);
  int rc = end_attempt(a, end, true, err);
  ck_buf_free(&result);
  return rc;
}

int mutate_resolve(struct apply *a, const struct ck_resolve *m, struct ck_err *err) {
  struct doubt d = {0};
  enum seen seen;
  struct ck_str id = {0};
  int64_t age;
  struct entry *e = apply_find_job(a, m->job_id, err);
  if (!e) return -1;
  if (m->rest > CK_CLIENT_TIME_MAX_MS) return ck_fail(err, "resolve.rest: is too long");
  int rc = doubt_get(a, m->job_id, &d, err);
  if (rc <= 0) return rc;
  if (look_for_ours(a, &e->row, &d, &seen, &id, err)) return -1;
  struct ck_end end = {.job_id = m->job_id, .at = m->at};
  if (seen == OURS) {
    end.outcome = CK_LIT("done");
    end.cooldown_until = m->at + (int64_t)m->rest;
    end.message_id = id;
    return resolve(a, &d, &end, "seen in the conversation afterwards: it was delivered", err);
  }
  if (seen == MAYBE) return 0;
  if (captured_upto(a, &d, &age, err)) return -1;
  if (age < d.ended + SKEW_MS || age > a->now + CK_AHEAD_MS) return 0;
  end.outcome = CK_LIT("released");
  end.next_attempt_at = m->at;
  return resolve(a, &d, &end, "not sent: the conversation as it was later does not have it", err);
}

/* One that is ahead of the clock gives way to any other. */
int mutate_captured(struct apply *a, const struct ck_captured *m, struct ck_err *err) {
  if (m->age > a->now + CK_DAY_MS) return 0; /* no time of a capture */
  if (apply_savepoint(a, err)) return -1;
  return system_run(a->system, SYSTEM_CAPTURE_SAVE, err, "ssii", m->platform, m->conversation,
                    m->age, a->now + CK_AHEAD_MS)
             ? apply_failed(a)
             : 0;
}
