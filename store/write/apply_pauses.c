/* Pauses: states of everything, an account, a platform, a conversation or a job, in which no
 * attempt begins. They are asked about at each claim, in its transaction. What account a job is
 * charged to renewd says, with its offer or claim. */
#include "store/write/apply_internal.h"

static bool is_everything(struct ck_str kind) { return ck_str_is(kind, "everything"); }

/* The pause is one that can be. 0 or -1. */
static int check(struct ck_str kind, struct ck_str name, const char *what, struct ck_err *err) {
  if (!ck_choice_ok(CK_PAUSES, kind)) return ck_fail(err, "%s.kind: must be %s", what, CK_PAUSES);
  if (is_everything(kind) != (name.n == 0))
    return ck_fail(err, "%s.name: must be %s", what, name.n ? "empty" : "there");
  return name.n > CK_PAUSE_NAME ? ck_fail(err, "%s.name: is too long", what) : 0;
}

/* Pauses that are over are forgotten with the next change. */
static int change(struct apply *a, struct ck_err *err) {
  if (apply_savepoint(a, err)) return -1;
  a->pauses_changed = true;
  return system_run(a->system, SYSTEM_PAUSES_PRUNE, err, "i", a->now) ? apply_failed(a) : 0;
}

/* 1: there is such a pause, which ends after `at`, 0: there is none, -1: the database failed. */
static int holds(struct apply *a, struct ck_str kind, struct ck_str name, int64_t at,
                 struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_PAUSE_GET, "ssi", kind, name, at);
  int rc = system_step(a->system, s, err);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

/* There is such a job, which is not over, or such a conversation. An account or a platform may
 * come. 0 or -1. */
static int check_there(struct apply *a, const struct ck_pause *m, struct ck_err *err) {
  bool job = ck_str_is(m->kind, "job");
  if (!job && !ck_str_is(m->kind, "conversation")) return 0;
  const struct entry *e = apply_find(a, job ? CK_JOBS : CK_CONVERSATIONS, m->name, err);
  if (!e) return -1;
  if (!e->exists)
    return ck_fail(err, "pause.name: there is no such %s", job ? "job" : "conversation");
  struct ck_str status = job ? ck_row_text(&e->row, CK_JOBS_STATUS) : (struct ck_str){0};
  return job && apply_is_over(&e->row)
             ? ck_fail(err, "pause.name: the job is over (%.*s)", (int)status.n, status.s)
             : 0;
}

int pause_ends(struct apply *a, struct ck_str job_id, struct ck_err *err) {
  int rc = holds(a, CK_LIT("job"), job_id, INT64_MIN, err);
  if (rc <= 0) return rc;
  if (apply_savepoint(a, err)) return -1;
  a->pauses_changed = true;
  return system_run(a->system, SYSTEM_PAUSE_END, err, "ss", CK_LIT("job"), job_id) ? apply_failed(a)
                                                                                   : 0;
}

int mutate_pause(struct apply *a, const struct ck_pause *m, struct ck_err *err) {
  if (check(m->kind, m->name, "pause", err) || check_there(a, m, err)) return -1;
  if (m->until && m->until <= a->now) return ck_fail(err, "pause.until: has passed");
  if (change(a, err)) return -1;
  a->updated = true;
  return system_run(a->system, SYSTEM_PAUSE_SAVE, err, "ssii", m->kind, m->name, a->now, m->until)
             ? apply_failed(a)
             : 0;
}

int pause_everything(struct apply *a, struct ck_err *err) {
  return mutate_pause(a, &(struct ck_pause){.kind = CK_LIT("everything")}, err);
}

int mutate_unpause(struct apply *a, const struct ck_unpause *m, struct ck_err *err) {
  if (check(m->kind, m->name, "unpause", err)) return -1;
  int rc = holds(a, m->kind, m->name, INT64_MIN, err);
  if (rc <= 0) return rc;
  if (change(a, err)) return -1;
  a->updated = true;
  return system_run(a->system, SYSTEM_PAUSE_END, err, "ss", m->kind, m->name) ? apply_failed(a) : 0;
}

int pauses_check(struct apply *a, const struct ck_row *job, const struct ck_row *conversation,
                 struct ck_err *err) {
  struct ck_str platform = ck_row_text(conversation, CK_CONVERSATIONS_PLATFORM);
  const struct {
    const char *kind, *what;
    struct ck_str name;
  } all[] = {{"everything", "everything is", {0}},
             {"platform", "the platform is", platform},
             {"conversation", "the conversation is", ck_row_key(conversation)},
             {"job", "the job is", ck_row_key(job)}};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    int rc = holds(a, ck_str_of(all[i].kind), all[i].name, a->now, err);
    if (rc < 0) return -1;
    if (rc > 0) return ck_fail(err, CK_PAUSED "%s paused", all[i].what);
  }
  return 0;
}

int pauses_check_account(struct apply *a, struct ck_str account, struct ck_err *err) {
  int rc = account.n ? holds(a, CK_LIT("account"), account, a->now, err) : 0;
  return rc > 0 ? ck_fail(err, CK_PAUSED "the account is paused") : rc;
}
