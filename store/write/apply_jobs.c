/* Mutations of renewal jobs: claiming and ending an attempt, and what becomes of a job that waits.
 *
 * A job that renewd made follows the end of a turn. It is superseded when somebody answers, another
 * message becomes the last one, or the conversation becomes manual, unless a person said `anyway`.
 */
#include "store/write/apply_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/map.h"

struct entry *apply_find_job(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct entry *e = apply_find(a, CK_JOBS, id, err);
  int goes = e && e->exists ? apply_row_goes(a, &e->row, err) : 0;
  if (goes < 0) return NULL;
  if (!e || (e->exists && !goes)) return e;
  struct ck_str shown = ck_utf8_cut(id, 100);
  ck_fail(err, "renewal_jobs.job_id: there is no '%.*s'", (int)shown.n, shown.s);
  return NULL;
}

/* ---- superseded jobs ---- */

/* Did a person say that the job goes out although it is superseded? 1, 0, or -1. */
static int goes_anyway(struct apply *a, struct ck_str job_id, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_ANYWAY_GET, "s", job_id);
  int rc = system_step(a->system, s, err);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

static struct entry *conversation_of(struct apply *a, const struct ck_row *job,
                                     struct ck_err *err) {
  return apply_find(a, CK_CONVERSATIONS, ck_row_text(job, CK_JOBS_LOCAL_CONVERSATION_ID), err);
}

static bool has_automation(const struct entry *conversation, const char *status) {
  return ck_str_is(ck_row_text(&conversation->row, CK_CONVERSATIONS_AUTOMATION_STATUS), status);
}

/* *reason: why nobody wants an automatic job any more, or NULL. 0, or -1: the database failed. */
static int superseded(struct apply *a, const struct ck_row *job, const char **reason,
                      struct ck_err *err) {
  *reason = NULL;
  if (!ck_job_is_automatic(ck_row_key(job), ck_row_text(job, CK_JOBS_MESSAGE_ID))) return 0;
  const struct entry *c = conversation_of(a, job, err);
  if (!c) return -1;
  if (has_automation(c, "manual")) *reason = CK_SUPERSEDED "the conversation is not on auto";
  struct ck_str last = ck_row_text(&c->row, CK_CONVERSATIONS_LAST_MESSAGE_ID);
  if (last.n == 0 || ck_str_eq(last, ck_row_text(job, CK_JOBS_MESSAGE_ID))) return 0;
  const struct entry *m = apply_find(a, CK_MESSAGES, last, err);
  if (!m) return -1;
  struct ck_str role = ck_row_text(&m->row, CK_MESSAGES_ROLE);
  *reason = ck_str_is(role, "user") || ck_str_is(role, "human") ? CK_SUPERSEDED "somebody answered"
                                                                : CK_SUPERSEDED
                "another message is the last one";
  return 0;
}

/* 0, or -1 with the reason: the job is superseded, and no person said `anyway`. */
static int check_wanted(struct apply *a, const struct ck_row *job, struct ck_err *err) {
  const char *reason;
  if (superseded(a, job, &reason, err)) return -1;
  int anyway = reason ? goes_anyway(a, ck_row_key(job), err) : 1;
  if (anyway < 0) return -1;
  return anyway ? 0 : ck_fail(err, "%s", reason);
}

struct entry *apply_find_pending(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct entry *e = apply_find_job(a, id, err);
  if (!e) return NULL;
  struct ck_str status = ck_row_text(&e->row, CK_JOBS_STATUS),
                why = ck_utf8_cut(ck_row_text(&e->row, CK_JOBS_LAST_ERROR), 200);
  if (ck_str_is(status, "pending")) return e;
  ck_fail(err, "renewal_jobs.status: the job is %.*s, not pending%s%.*s", (int)status.n, status.s,
          why.n ? ": " : "", (int)why.n, why.n ? why.s : "");
  return NULL;
}

/* Ends a job without an end of an attempt. */
static int end_without_attempt(struct apply *a, struct entry *e, struct ck_str error, int64_t at,
                               struct ck_err *err) {
  struct ck_row row = e->row;
  row.v[CK_JOBS_STATUS] = ck_textz("failed");
  row.v[CK_JOBS_LAST_ERROR] = ck_text(error);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_null();
  row.v[CK_JOBS_FINISHED_AT] = ck_int(at);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
  return apply_change(a, e, &row, err);
}

int mutate_supersede(struct apply *a, const struct ck_supersede *m, struct ck_err *err) {
  const char *reason;
  struct entry *e = apply_find_pending(a, m->job_id, err);
  if (!e || superseded(a, &e->row, &reason, err)) return -1;
  if (!reason) return ck_fail(err, "supersede.job_id: the job is not superseded");
  int anyway = goes_anyway(a, m->job_id, err);
  if (anyway) return anyway < 0 ? -1 : 0;
  return end_without_attempt(a, e, ck_str_of(reason), m->at, err);
}

static int cancel_running(struct apply *a, struct entry *e, struct ck_str reason, int64_t at,
                          struct ck_err *err) {
  char *text = ck_sprintf("%.*s while an attempt was under way: it may have arrived",
                          (int)ck_utf8_cut(reason, 1000).n, reason.s);
  struct ck_buf result = {0};
  struct ck_map m = ck_map_open(&result);
  ck_pair_text(&m, "why", "its owner cancelled it");
  ck_map_close(&m);
  const struct ck_end end = {.job_id = ck_arena_copy(&a->frame, ck_row_key(&e->row)),
                             .error = ck_arena_copy(&a->frame, ck_str_of(text)),
                             .result = ck_buf_view(&result),
                             .at = at};
  free(text);
  int rc = attempt_ends(a, &end, CK_LIT("unknown"), true, true, err);
  ck_buf_free(&result);
  return rc ? -1 : end_without_attempt(a, e, end.error, at, err);
}

int mutate_cancel(struct apply *a, const struct ck_cancel *m, struct ck_err *err) {
  struct entry *e =
      m->running ? apply_find_job(a, m->job_id, err) : apply_find_pending(a, m->job_id, err);
  struct ck_str reason = ck_trim(m->reason);
  if (!e) return -1;
  if (reason.n == 0) return ck_fail(err, "cancel.reason: must not be blank");
  if (!apply_is_running(&e->row))
    return apply_find_pending(a, m->job_id, err) ? end_without_attempt(a, e, reason, m->at, err)
                                                 : -1;
  return cancel_running(a, e, reason, m->at, err);
}

static int check_requeued(struct apply *a, const struct entry *e, bool anyway, struct ck_err *err) {
  struct ck_str status = ck_row_text(&e->row, CK_JOBS_STATUS);
  if (!ck_str_is(status, "pending") && !ck_str_is(status, "failed"))
    return ck_fail(err, "renewal_jobs.status: the job is %.*s, not pending or failed",
                   (int)status.n, status.s);
  return anyway ? 0 : check_wanted(a, &e->row, err);
}

/* It begins anew: with all its attempts, and without a target. */
static void begin_anew(struct ck_row *job) {
  if (ck_str_is(ck_row_text(job, CK_JOBS_STATUS), "failed")) {
    job->v[CK_JOBS_STATUS] = ck_textz("pending");
    job->v[CK_JOBS_ATTEMPT_COUNT] = ck_int(0);
    job->v[CK_JOBS_FINISHED_AT] = job->v[CK_JOBS_LAST_ERROR] = ck_null();
  }
  job->v[CK_JOBS_TARGET_SNAPSHOT] = ck_null();
}

int mutate_requeue(struct apply *a, const struct ck_requeue *m, struct ck_err *err) {
  struct entry *e =
      m->due_only ? apply_find_pending(a, m->job_id, err) : apply_find_job(a, m->job_id, err);
  if (!e || check_requeued(a, e, m->anyway, err)) return -1;
  if (apply_savepoint(a, err)) return -1;
  if ((m->anyway && system_run(a->system, SYSTEM_ANYWAY_ON, err, "s", m->job_id)) ||
      (!m->due_only && system_run(a->system, SYSTEM_UNREACHED_END, err, "s", m->job_id)))
    return apply_failed(a);
  struct ck_row row = e->row;
  if (!m->due_only) begin_anew(&row);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(m->at);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
  return apply_change(a, e, &row, err);
}

/* The row gets a new version, so that whoever follows it sees that a person was there. */
int mutate_resume(struct apply *a, const struct ck_resume *m, struct ck_err *err) {
  struct entry *e = apply_find(a, CK_CONVERSATIONS, m->conversation_id, err);
  if (!e) return -1;
  if (!e->exists)
    return ck_fail(err, "local_conversations.local_conversation_id: there is no %s",
                   ck_quoted(m->conversation_id));
  if (!has_automation(e, "auto")) return 0;
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_AUTO_RESUMED, err, "si", m->conversation_id,
                 (int64_t)(a->head + 1)))
    return apply_failed(a);
  struct ck_row row = e->row;
  return apply_change(a, e, &row, err);
}

/* ---- attempts ---- */

/* Asked at each claim, so that no follow-up goes out that nobody wants. */
static int check_claimable(struct apply *a, const struct ck_row *job, struct ck_err *err) {
  const struct entry *c = conversation_of(a, job, err);
  if (!c) return -1;
  if (has_automation(c, "paused")) return ck_fail(err, CK_PAUSED "the conversation is paused");
  if (pauses_check(a, job, &c->row, err)) return -1;
  return check_wanted(a, job, err);
}

static struct ck_str kept(struct apply *a, const struct ck_row *row, int column) {
  return ck_arena_copy(&a->frame, ck_row_text(row, column));
}

/* What renewd would ask about next: the receipt tells it. Another mutation of the changeset may
 * change the rows again. */
static int note_claim(struct apply *a, const struct ck_claim *m, const struct entry *job,
                      struct ck_err *err) {
  const struct entry *c = conversation_of(a, &job->row, err);
  if (!c) return -1;
  const struct ck_row *of = &c->row, *row = &job->row;
  a->claimed =
      (struct ck_claimed){.job_id = m->job_id,
                          .token = m->token,
                          .attempt = ck_row_int(row, CK_JOBS_ATTEMPT_COUNT, 0),
                          .max_attempts = ck_row_int(row, CK_JOBS_MAX_ATTEMPTS, 1),
                          .message_id = kept(a, row, CK_JOBS_MESSAGE_ID),
                          .payload = kept(a, row, CK_JOBS_PAYLOAD),
                          .payload_kind = kept(a, row, CK_JOBS_PAYLOAD_KIND),
                          .target_snapshot = kept(a, row, CK_JOBS_TARGET_SNAPSHOT),
                          .automation_status = kept(a, of, CK_CONVERSATIONS_AUTOMATION_STATUS),
                          .last_message_id = kept(a, of, CK_CONVERSATIONS_LAST_MESSAGE_ID)};
  sqlite3_stmt *s = system_query(a->system, SYSTEM_UNREACHED_GET, "s", m->job_id);
  int rc = system_step(a->system, s, err);
  if (rc > 0) a->claimed.unreached = sqlite3_column_int64(s, 0);
  if (rc > 0) a->claimed.unreached_age = sqlite3_column_int64(s, 1);
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

int mutate_claim(struct apply *a, const struct ck_claim *m, struct ck_err *err) {
  struct entry *e = apply_find_pending(a, m->job_id, err);
  if (!e || check_claimable(a, &e->row, err)) return -1;
  if (m->token.n == 0) return ck_fail(err, "claim.token: must not be blank");
  struct client_lease client = {0};
  struct ck_str account;
  if (offer_claimed(a, m, &client, &account, err) || pauses_check_account(a, account, err))
    return -1;
  int64_t at = m->client.n ? a->now : m->at;
  int64_t attempt = apply_sum(ck_row_int(&e->row, CK_JOBS_ATTEMPT_COUNT, 0), 1);
  struct ck_row row = e->row;
  row.v[CK_JOBS_STATUS] = ck_textz("running");
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempt);
  row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(at);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
  if (row.v[CK_JOBS_STARTED_AT].state != CK_INT) row.v[CK_JOBS_STARTED_AT] = ck_int(at);
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_LEASE_SAVE, err, "sisisiii", m->job_id, attempt, m->token, at,
                 client.client, client.until, client.rest, a->now))
    return apply_failed(a);
  if (attempt_begins(a, &row, m, at, err) || apply_change(a, e, &row, err)) return -1;
  return m->client.n ? 0 : note_claim(a, m, e, err);
}

/* How each outcome changes the job. */
struct outcome {
  const char *word, *status;
  bool finished, charged;
};

static const struct outcome outcomes[] = {
    {"done", "done", true, true},          {"retry", "pending", false, true},
    {"failed", "failed", true, true},      {"unknown", "running", false, true},
    {"released", "pending", false, false}, {"unreached", "pending", false, false},
};

static const struct outcome *outcome_named(struct ck_str word) {
  for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; ++i)
    if (ck_str_is(word, outcomes[i].word)) return &outcomes[i];
  return NULL;
}

static struct ck_value text_or_null(struct ck_str s) { return s.n ? ck_text(s) : ck_null(); }

static void end_job(const struct apply *a, struct ck_row *row, const struct ck_end *m,
                    const struct outcome *o) {
  row->v[CK_JOBS_STATUS] = ck_textz(o->status);
  row->v[CK_JOBS_LAST_ERROR] = text_or_null(ck_trim(m->error));
  if (m->log_path.n) row->v[CK_JOBS_LOG_PATH] = ck_text(m->log_path);
  if (o->finished) row->v[CK_JOBS_FINISHED_AT] = ck_int(m->at);
  if (strcmp(o->status, "pending") == 0)
    row->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(m->next_attempt_at);
  if (o->finished) row->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_null();
  int64_t attempts = ck_row_int(row, CK_JOBS_ATTEMPT_COUNT, 0);
  if (!o->charged && attempts > 0) row->v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempts - 1);
  row->v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
}

/* How often in a row an attempt has not reached its target, and since when. An attempt that
 * reached it ends the count; one that was not made leaves it as it is. */
static int count_unreached(struct apply *a, const struct ck_end *m, const struct outcome *o,
                           struct ck_err *err) {
  bool unreached = strcmp(o->word, "unreached") == 0;
  if (!unreached && !o->charged) return 0;
  if (apply_savepoint(a, err)) return -1;
  int rc = unreached ? system_run(a->system, SYSTEM_UNREACHED_SAVE, err, "si", m->job_id, m->at)
                     : system_run(a->system, SYSTEM_UNREACHED_END, err, "s", m->job_id);
  return rc ? apply_failed(a) : 0;
}

/* The later of two rests counts. */
static int cool_down(struct apply *a, struct ck_str conversation, int64_t until,
                     struct ck_err *err) {
  const struct entry *e = apply_find(a, CK_CONVERSATIONS, conversation, err);
  int later = e ? rest_is_later(a, e, &until, err) : -1;
  if (later <= 0) return later;
  struct ck_row write = {.table = CK_CONVERSATIONS};
  write.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_text(conversation);
  write.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = ck_int(until);
  return apply_update(a, &write, err);
}

/* What the store's own tables keep of the end. */
static int note_end(struct apply *a, const struct ck_end *m, const struct outcome *o,
                    struct ck_err *err) {
  bool unknown = strcmp(o->status, "running") == 0;
  if (!unknown && !m->message_id.n) return 0;
  if (apply_savepoint(a, err)) return -1;
  if ((unknown && system_run(a->system, SYSTEM_LEASE_UNKNOWN, err, "si", m->job_id, m->at)) ||
      (m->message_id.n &&
       system_run(a->system, SYSTEM_SENT_SAVE, err, "ssi", m->message_id, m->job_id, m->at)))
    return apply_failed(a);
  return 0;
}

int end_attempt(struct apply *a, const struct ck_end *said, bool known, struct ck_err *err) {
  struct ck_end end = *said;
  bool by_client = false;
  struct entry *e = apply_find_job(a, said->job_id, err);
  if (!e || lease_ends(a, e, &end, &by_client, err)) return -1;
  const struct outcome *o = outcome_named(end.outcome);
  if (!o) {
    struct ck_str shown = ck_utf8_cut(end.outcome, 40);
    return ck_fail(err,
                   "end.outcome: '%.*s' is not one of done|retry|failed|unknown|released|"
                   "unreached",
                   (int)shown.n, shown.s);
  }
  struct ck_row row = e->row;
  end_job(a, &row, &end, o);
  a->said_at = end.at ? end.at : 1;
  if (count_unreached(a, &end, o, err) || note_end(a, &end, o, err) ||
      attempt_ends(a, &end, said->outcome, o->charged, known || by_client, err) ||
      apply_change(a, e, &row, err))
    return -1;
  int rc = end.cooldown_until ? cool_down(a, ck_row_text(&e->row, CK_JOBS_LOCAL_CONVERSATION_ID),
                                          end.cooldown_until, err)
                              : 0;
  a->said_at = 0;
  return rc;
}

int mutate_end(struct apply *a, const struct ck_end *m, struct ck_err *err) {
  return end_attempt(a, m, false, err);
}
