/* The mirror's witness against the store's own account: the table `runs` (in which runs it wrote to
 * a mirror, and which versions it had then) and sinks.written (what the witness must have at
 * least).
 *
 * A version that a mirror got in a run was durable here before it was handed out. So a witness of a
 * run that is not known, or of a version beyond the end of its run, was written by another store or
 * by a later state of this one: the database was set back, also where the head has passed that
 * version since. A witness below what was confirmed was itself set back.
 *
 * What does not fit is treated as a restored backup is: no follow-up begins until a person says so,
 * and the next versions are above all that the mirror can have. */
#include "store/write/apply_internal.h"

#include <stdio.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/witness.h"

/* How many versions another store, or a later state of this one, may have given after the witness
 * was written. */
#define VERSIONS_JUMP UINT64_C(1000000000)
#define STORE_ID 32

struct account {
  uint64_t written;
  bool taken;
  char alarm[sizeof((struct ck_err *)0)->text];
};

static int read_account(struct apply *a, struct ck_str mirror, struct account *out,
                        struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_SINK_WITNESS, "s", mirror);
  int rc = system_step(a->system, s, err);
  *out = (struct account){0};
  if (rc > 0) {
    struct ck_str alarm = db_str(s, 2);
    out->written = (uint64_t)sqlite3_column_int64(s, 0);
    out->taken = sqlite3_column_int(s, 1) != 0;
    snprintf(out->alarm, sizeof out->alarm, "%.*s", (int)alarm.n, alarm.n ? alarm.s : "");
  }
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

/* 1: the run is known, and *last is the newest version that it can have handed out. 0: it is not.
 * -1: the database failed. */
static int run_known(struct apply *a, const struct ck_witness *m, uint64_t *last,
                     struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_RUN_GET, "ssii", m->of_run, m->store_id,
                                 (int64_t)a->committed, (int64_t)m->version);
  int rc = system_step(a->system, s, err);
  if (rc > 0) *last = (uint64_t)sqlite3_column_int64(s, 0);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

/* 1: it is the id of this store, or of one that it was before a restore. */
static int is_own(struct apply *a, struct ck_str store_id, struct ck_err *err) {
  if (ck_str_is(store_id, a->mirrors->store_id)) return 1;
  sqlite3_stmt *s = system_query(a->system, SYSTEM_RUNS_OF, "s", store_id);
  int rc = system_step(a->system, s, err);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

static bool is_id(struct ck_str s, size_t most) {
  for (size_t i = 0; i < s.n; ++i)
    if (!memchr("0123456789abcdef", s.s[i], 16)) return false;
  return s.n > 0 && s.n <= most;
}

/* `sync schema --apply` or syncd has created tables, which are empty. Of an own mirror only; if the
 * table of the witness was one of them, nobody's name is there. */
static int is_refill(struct apply *a, const struct ck_witness *m, struct ck_err *err) {
  if (!ck_str_is(m->of_run, CK_WITNESS_REFILL) || m->version > a->committed) return 0;
  return m->store_id.n ? is_own(a, m->store_id, err) : 1;
}

/* What a comparison gives; -1: the database failed. */
enum compared {
  FITS,
  REFILL,      /* it fits, but some tables were created since, and are empty */
  MIRROR_LOST, /* the mirror is not what it was, and this store is right */
  OTHER_STORE, /* what was written there is another store's */
  SET_BACK     /* … is of a later state of this one */
};

static int of_unknown_run(struct apply *a, const struct ck_witness *m, struct ck_err *why,
                          struct ck_err *err) {
  int own = is_own(a, m->store_id, err);
  unsigned long long version = m->version;
  if (own < 0) return -1;
  if (own)
    ck_fail(why,
            "set_back: a run of this store that it does not know has filled the mirror up to "
            "version %llu: this database is an older copy, or a copy of it is in use elsewhere",
            version);
  else
    ck_fail(why, "other_store: the store %.*s… has filled the mirror, up to version %llu",
            is_id(m->store_id, STORE_ID) && m->store_id.n >= 8 ? 8 : 0,
            m->store_id.n >= 8 ? m->store_id.s : "", version);
  return own ? SET_BACK : OTHER_STORE;
}

static int compare(struct apply *a, const struct ck_witness *m, uint64_t written,
                   struct ck_err *why, struct ck_err *err) {
  uint64_t last = 0;
  if (!m->there) {
    if (!written) return FITS;
    ck_fail(why,
            "mirror_new: the mirror is empty or new, though versions up to %llu were written to it",
            (unsigned long long)written);
    return MIRROR_LOST;
  }
  int refill = is_refill(a, m, err);
  if (refill) return refill < 0 ? -1 : REFILL;
  int known = run_known(a, m, &last, err);
  if (known < 0) return -1;
  if (!known) return of_unknown_run(a, m, why, err);
  if (m->version > last) {
    ck_fail(why,
            "set_back: the mirror was filled up to version %llu in a run that ends at %llu here: "
            "this database is an older copy, or has lost its newest changes",
            (unsigned long long)m->version, (unsigned long long)last);
    return SET_BACK;
  }
  if (m->version >= written) return FITS;
  ck_fail(why, "mirror_set_back: the mirror is at version %llu, and had come to %llu",
          (unsigned long long)m->version, (unsigned long long)written);
  return MIRROR_LOST;
}

static void name_before(char before[FIT_BEFORE], const struct ck_witness *m) {
  if (!m->there)
    *before = '\0';
  else if (m->store_id.n == 0 && ck_str_is(m->of_run, CK_WITNESS_REFILL))
    snprintf(before, FIT_BEFORE, "/" CK_WITNESS_REFILL);
  else if (is_id(m->store_id, STORE_ID) && is_id(m->of_run, FIT_RUN - 1) &&
           m->version < CK_WITNESS_VERSION_END)
    snprintf(before, FIT_BEFORE, "%.*s/%.*s", (int)m->store_id.n, m->store_id.s, (int)m->of_run.n,
             m->of_run.s);
  else
    snprintf(before, FIT_BEFORE, CK_WITNESS_ANY); /* damaged or written by hand, and taken over */
}

static int read_check(struct apply *a, const struct mirror *mirror, struct ck_err *err) {
  struct mirror_news *news = apply_news(a, mirror);
  sqlite3_stmt *s = system_query(a->system, SYSTEM_CHECK_GET, "s", ck_str_of(mirror->name));
  int rc = system_step(a->system, s, err);
  news->checks = rc > 0;
  if (rc > 0)
    news->check = (struct fit_check){sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1) != 0,
                                     a->committed, sqlite3_column_int(s, 2) != 0};
  system_done(s);
  return rc < 0 ? -1 : 0;
}

/* A deep repair that has left nothing proves the mirror; so does a deep comparison without a
 * finding. */
int mutate_checked(struct apply *a, const struct ck_checked *m, struct ck_err *err) {
  struct mirror *mirror = apply_mirror(a, m->sink, "checked", err);
  if (!mirror) return -1;
  struct ck_str name = ck_str_of(mirror->name);
  bool deep = ck_str_is(m->task, "verify deep") || ck_str_is(m->task, CK_TASK_REPAIR);
  if (!deep && !ck_str_is(m->task, CK_TASK_VERIFY) && !ck_str_is(m->task, "repair"))
    return ck_fail(err, "checked.task: %s is none", ck_quoted(m->task));
  if (m->records > INT64_MAX || m->wrong > INT64_MAX || m->skipped > INT64_MAX)
    return ck_fail(err, "checked: a number is too large");
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_CHECK_SAVE, err, "ssiiii", name, m->task, a->now,
                 (int64_t)m->records, (int64_t)m->wrong, (int64_t)m->skipped) ||
      (deep && !m->wrong &&
       system_run(a->system, SYSTEM_SINK_PROVEN, err, "si", name, (int64_t)0)) ||
      read_check(a, mirror, err))
    return apply_failed(a);
  return 0;
}

/* Another history has written to it: how former comparisons ended says nothing of what is there. */
static int unprove(struct apply *a, struct ck_str name, struct ck_err *err) {
  return system_run(a->system, SYSTEM_SINK_PROVEN, err, "si", name, (int64_t)1) ||
                 system_run(a->system, SYSTEM_CHECK_SAVE, err, "ssiiii", name, CK_LIT(""), a->now,
                            (int64_t)0, (int64_t)0, (int64_t)0)
             ? -1
             : 0;
}

static int accept(struct apply *a, const struct mirror *mirror, const struct ck_witness *m,
                  const struct account *account, struct ck_err *err) {
  struct ck_str name = ck_str_of(mirror->name);
  struct mirror_news *news = apply_news(a, mirror);
  if (account->alarm[0])
    ck_log(CK_INFO, mirror->sink, "witness_fits", "was=%s", ck_quotedz(account->alarm));
  if (system_run(a->system, SYSTEM_SINK_FITS, err, "s", name) ||
      system_run(a->system, SYSTEM_RUN_SAVE, err, "ssi", ck_str_of(fit_run(mirror->fit)),
                 ck_str_of(a->mirrors->store_id), (int64_t)a->committed) ||
      system_run(a->system, SYSTEM_RUNS_PRUNE, err, ""))
    return apply_failed(a);
  bool foreign = m->there && m->store_id.n && !ck_str_is(m->store_id, a->mirrors->store_id);
  if (foreign && unprove(a, name, err)) return apply_failed(a);
  if (system_run(a->system, SYSTEM_CHECK_BEGIN, err, "si", name, a->now) ||
      read_check(a, mirror, err))
    return apply_failed(a);
  news->what = FIT_NEWS_FITS;
  news->least = account->written;
  name_before(news->before, m);
  return 0;
}

static int fill_again(struct apply *a, const struct mirror *mirror, struct ck_err *err) {
  struct ck_str name = ck_str_of(mirror->name);
  if (system_run(a->system, SYSTEM_SINK_RESTART, err, "s", name) ||
      system_run(a->system, SYSTEM_BACKFILL_SAVE, err, "si", name, (int64_t)a->head))
    return apply_failed(a);
  ck_log(CK_INFO, mirror->sink, "filled_again", "upto=%llu", (unsigned long long)a->head);
  apply_news(a, mirror)->backfill = a->head;
  return 0;
}

/* Above all that the mirror can have. */
static int raise_versions(struct apply *a, uint64_t version, struct ck_err *err) {
  if (version >= CK_WITNESS_VERSION_END || a->head >= version + VERSIONS_JUMP) return 0;
  a->head = version + VERSIONS_JUMP;
  return system_run(a->system, SYSTEM_FLOOR_RAISE, err, "i", (int64_t)a->head) ? apply_failed(a)
                                                                               : 0;
}

/* Up to the versions in it, which grow as long as another store goes on. */
static bool same_alarm(const char *a, const char *b) {
  const char *of_a = strstr(a, " version"), *of_b = strstr(b, " version");
  return of_a && of_b && of_a - a == of_b - b && memcmp(a, b, (size_t)(of_a - a)) == 0;
}

/* It pauses once: a person may end the pause before the witness fits. */
static int raise_alarm(struct apply *a, const struct mirror *mirror, const char *before,
                       const struct ck_err *why, struct ck_err *err) {
  if (same_alarm(before, why->text)) return 0;
  ck_log(CK_ERROR, mirror->sink, "witness", "reason=%s", ck_quotedz(why->text));
  if (system_run(a->system, SYSTEM_SINK_ALARM, err, "ssi", ck_str_of(mirror->name),
                 ck_str_of(why->text), a->now))
    return apply_failed(a);
  return *before ? 0 : pause_everything(a, err);
}

int mutate_witness(struct apply *a, const struct ck_witness *m, struct ck_err *err) {
  struct account account;
  struct ck_err why = {{0}};
  struct mirror *mirror = apply_mirror(a, m->sink, "witness", err);
  if (!mirror) return -1;
  if (m->run.n == 0 || !ck_str_is(m->run, fit_run(mirror->fit)))
    return ck_fail(err, "witness.run: is not the store's present one");
  if (apply_savepoint(a, err) || read_account(a, ck_str_of(mirror->name), &account, err)) return -1;
  int found = account.taken ? FITS : compare(a, m, account.written, &why, err);
  if (found < 0) return -1;
  if (found == REFILL && account.written) {
    if (fill_again(a, mirror, err)) return -1;
    account.written = 0;
  }
  bool above =
      found == OTHER_STORE || found == SET_BACK || (account.taken && m->version > a->committed);
  if (above && raise_versions(a, m->version, err)) return -1;
  if (found == FITS || found == REFILL) return accept(a, mirror, m, &account, err);
  apply_news(a, mirror)->what = found == SET_BACK ? FIT_NEWS_SET_BACK : FIT_NEWS_ALARM;
  return raise_alarm(a, mirror, account.alarm, &why, err);
}

int witness_held(struct apply *a, const struct mirror *mirror, const char *what,
                 struct ck_err *err) {
  struct account account;
  const struct mirror *by = mirrors_set_back(a->mirrors);
  if (!by || by == mirror) return 0;
  if (read_account(a, ck_str_of(mirror->name), &account, err)) return -1;
  if (account.alarm[0]) return 0;
  return ck_fail(err,
                 "%s.sink: nothing is wrong with the mirror in %s: it is held because the one in %s"
                 " says that the database was set back; settle the mirror in %s first",
                 what, mirror->sink, by->sink, by->sink);
}

int mutate_takeover(struct apply *a, const struct ck_takeover *m, struct ck_err *err) {
  struct mirror *mirror = apply_mirror(a, m->sink, "takeover", err);
  if (!mirror) return -1;
  if (!*fit_run(mirror->fit))
    return ck_fail(err, "takeover.sink: %s keeps nothing to take over", mirror->sink);
  if (witness_held(a, mirror, "takeover", err) || apply_savepoint(a, err)) return -1;
  struct ck_str name = ck_str_of(mirror->name);
  if (system_run(a->system, SYSTEM_SINK_TAKE, err, "s", name) || unprove(a, name, err) ||
      system_run(a->system, SYSTEM_BACKFILL_SAVE, err, "si", name, (int64_t)a->head))
    return apply_failed(a);
  apply_news(a, mirror)->backfill = a->head;
  apply_news(a, mirror)->what = FIT_NEWS_FORGET;
  return 0;
}

bool witness_alarm(const struct mirror *mirror) {
  struct fit_view v;
  fit_read(mirror->fit, &v);
  return v.state == FIT_NO;
}

void witness_committed(const struct mirror *mirror, const struct mirror_news *n) {
  if (n->what == FIT_NEWS_FORGET)
    fit_forget(mirror->fit);
  else if (n->what != FIT_NEWS_NONE)
    fit_compared(mirror->fit, n->what == FIT_NEWS_FITS, n->what == FIT_NEWS_SET_BACK, n->before,
                 n->least);
  if (n->written) fit_confirmed(mirror->fit, n->written);
  if (n->checks) fit_checked(mirror->fit, &n->check, ck_boot_ms());
}
