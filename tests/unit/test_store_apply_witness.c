/* The mirror's witness against the store's own account, start after start. */
#include <stdio.h>
#include <string.h>

#include "store/mirror/fit.h"
#include "test_store_apply.h"

static struct fit *fit;
static char id[33];
static char alarm_text[300];

static void begin_run(void) {
  struct ck_err err;
  sqlite3_stmt *q = db_prepare(s.db, "SELECT store_id FROM store", &err);
  cr_assert_eq(sqlite3_step(q), SQLITE_ROW);
  snprintf(id, sizeof id, "%s", (const char *)sqlite3_column_text(q, 0));
  sqlite3_finalize(q);
  fit = s.mirrors->at[0].fit;
}

/* As at the next start. */
static void next_run(void) {
  struct ck_err err;
  char sql[100];
  sh_reopen(&s);
  snprintf(sql, sizeof sql, "UPDATE runs SET last = %lld WHERE last IS NULL",
           (long long)apply_head(s.apply));
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
  begin_run();
}

/* A worker tells it. */
static void tell(bool there, const char *store_id, const char *run, uint64_t version) {
  struct ck_mutation m = {.kind = CK_OP_WITNESS};
  m.as.witness = (struct ck_witness){CK_LIT("sqlite"),    ck_str_of(fit_run(fit)), there,
                                     ck_str_of(store_id), ck_str_of(run),          version};
  cr_expect_neq(ap_mutate(m), 'r', "%s", s.reason.text);
}

static enum fit_state state(void) {
  struct fit_view v;
  fit_read(fit, &v);
  return v.state;
}

/* The alarm's word; "" if there is none. */
static const char *alarm_word(void) {
  struct ck_err err;
  sqlite3_stmt *q = db_prepare(s.db, "SELECT alarm FROM sinks WHERE name = 'sqlite'", &err);
  bool is = sqlite3_step(q) == SQLITE_ROW;
  snprintf(alarm_text, sizeof alarm_text, "%s", is ? (const char *)sqlite3_column_text(q, 0) : "");
  sqlite3_finalize(q);
  alarm_text[strcspn(alarm_text, ":")] = '\0';
  return alarm_text;
}

static int64_t paused(void) {
  return sh_int(&s, "SELECT count(*) FROM pauses WHERE kind = 'everything'");
}

static void written(uint64_t version) {
  char sql[100];
  struct ck_err err;
  snprintf(sql, sizeof sql, "UPDATE sinks SET written = %llu", (unsigned long long)version);
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
}

static void expect_fits(void) {
  cr_expect_eq(state(), FIT_YES);
  cr_expect_str_eq(alarm_word(), "");
  cr_expect_eq(paused(), 0);
}

static void expect_alarm(const char *word) {
  cr_expect_eq(state(), FIT_NO);
  cr_expect_str_eq(alarm_word(), word);
  cr_expect_eq(paused(), 1);
}

Test(apply, a_witness_of_a_former_run_fits_within_what_that_run_had) {
  char run[FIT_RUN];
  begin_run();
  cr_expect_eq(state(), FIT_UNKNOWN);
  tell(false, "", "", 0);
  expect_fits();
  sh_message(&s, "m1", 1, "");
  sh_message(&s, "m2", 1, "");
  written(1);
  snprintf(run, sizeof run, "%s", fit_run(fit));
  next_run();
  sh_message(&s, "m3", 1, "");
  tell(true, id, run, 2);
  expect_fits();
  struct fit_view v;
  fit_read(fit, &v);
  cr_expect_eq(v.least, 1);
  cr_expect_eq(strlen(v.before), 32 + 1 + 16, "%s", v.before);
  next_run();
  tell(true, id, run, 1);
  expect_fits();
  next_run();
  tell(true, id, run, 3); /* that run ended at 2 */
  expect_alarm("set_back");
}

Test(apply, a_mirror_below_what_was_confirmed_was_set_back) {
  char run[FIT_RUN];
  begin_run();
  tell(false, "", "", 0);
  sh_message(&s, "m1", 1, "");
  sh_message(&s, "m2", 1, "");
  written(2);
  snprintf(run, sizeof run, "%s", fit_run(fit));
  next_run();
  tell(true, id, run, 1);
  expect_alarm("mirror_set_back");
  cr_expect_eq(apply_head(s.apply), 2, "versions are raised, though this store is right");
}

Test(apply, a_witness_that_does_not_fit_is_an_alarm_and_pauses_once) {
  struct ck_mutation unpause = {.kind = CK_OP_UNPAUSE};
  unpause.as.unpause.kind = CK_LIT("everything");
  begin_run();
  tell(false, "", "", 0);
  sh_message(&s, "m1", 1, "");
  written(1);
  next_run();
  tell(true, "f00df00d", "beef", 77);
  expect_alarm("other_store");
  cr_expect_eq(apply_head(s.apply), 77 + 1000000000);
  cr_expect_eq(sh_int(&s, "SELECT version_floor FROM store"), 77 + 1000000000);
  cr_expect_neq(ap_mutate(unpause), 'r');
  tell(true, "f00df00d", "beef", 77);
  cr_expect_eq(paused(), 0, "a pause that a person ended begins again");
  cr_expect_eq(apply_head(s.apply), 77 + 1000000000);
  next_run();
  tell(true, id, "beef", 5);
  cr_expect_str_eq(alarm_word(), "set_back");
  tell(false, "", "", 0);
  cr_expect_str_eq(alarm_word(), "mirror_new");
  cr_expect_eq(state(), FIT_NO);
}

Test(apply, a_takeover_accepts_whatever_is_there) {
  struct ck_mutation m = {.kind = CK_OP_TAKEOVER};
  struct fit_view v;
  m.as.takeover.sink = CK_LIT("sqlite");
  begin_run();
  sh_message(&s, "m1", 1, "");
  tell(true, "f00df00d", "beef", 77);
  expect_alarm("other_store");
  cr_expect_neq(ap_mutate(m), 'r', "%s", s.reason.text);
  cr_expect_eq(state(), FIT_UNKNOWN);
  tell(true, "f00df00d", "beef", 78);
  fit_read(fit, &v);
  cr_expect_eq(v.state, FIT_YES);
  cr_expect_str_eq(v.before, "f00df00d/beef");
  cr_expect_eq(v.least, 0);
  cr_expect_str_eq(alarm_word(), "");
  /* What was written by hand is no text for a statement. */
  cr_expect_neq(ap_mutate(m), 'r', "%s", s.reason.text);
  tell(true, "'; DROP TABLE messages; --", "x", 1);
  fit_read(fit, &v);
  cr_expect_str_eq(v.before, CK_WITNESS_ANY);
  m.as.takeover.sink = CK_LIT("postgres");
  ap_refused(m, "takeover.sink");
}

Test(apply, a_witness_for_a_former_run_is_refused) {
  struct ck_mutation m = {.kind = CK_OP_WITNESS};
  begin_run();
  m.as.witness.sink = CK_LIT("sqlite");
  m.as.witness.run = CK_LIT("0123456789abcdef");
  ap_refused(m, "witness.run");
  cr_expect_eq(state(), FIT_UNKNOWN);
}

/* By a flipped bit, or by hand: the versions cannot go above it, so the witness has to come down.
 */
Test(apply, a_takeover_ends_a_version_that_no_store_reaches) {
  struct ck_mutation m = {.kind = CK_OP_TAKEOVER};
  struct fit_view v;
  m.as.takeover.sink = CK_LIT("sqlite");
  begin_run();
  tell(false, "", "", 0);
  sh_message(&s, "m1", 1, "");
  tell(true, id, fit_run(fit), UINT64_C(3000000000000000000));
  expect_alarm("set_back");
  cr_expect_eq(apply_head(s.apply), 1);
  cr_expect_neq(ap_mutate(m), 'r', "%s", s.reason.text);
  tell(true, id, fit_run(fit), UINT64_C(3000000000000000000));
  fit_read(fit, &v);
  cr_expect_eq(v.state, FIT_YES);
  cr_expect_str_eq(v.before, CK_WITNESS_ANY);
}

Test(apply, a_takeover_is_above_what_was_written_since_the_alarm) {
  struct ck_mutation m = {.kind = CK_OP_TAKEOVER};
  m.as.takeover.sink = CK_LIT("sqlite");
  begin_run();
  tell(true, "f00df00d", "beef", 77);
  cr_expect_neq(ap_mutate(m), 'r', "%s", s.reason.text);
  tell(true, "f00df00d", "beef", 5000000000);
  cr_expect_eq(apply_head(s.apply), 6000000000);
}

Test(apply, an_alarm_is_not_new_because_the_other_store_goes_on) {
  begin_run();
  tell(true, "f00df00d", "beef", 77);
  cr_assert_eq(db_exec(s.db, "UPDATE sinks SET alarm_at = 5", &s.reason), 0);
  tell(true, "f00df00d", "beef", 99);
  cr_expect_eq(sh_int(&s, "SELECT alarm_at FROM sinks"), 5);
  tell(true, "beefbeef", "beef", 99);
  cr_expect_neq(sh_int(&s, "SELECT alarm_at FROM sinks"), 5, "the same alarm of another store");
}

/* How a comparison ended before says nothing of a mirror that was taken over. */
Test(apply, a_takeover_forgets_the_last_comparison) {
  struct ck_mutation take = {.kind = CK_OP_TAKEOVER}, checked = {.kind = CK_OP_CHECKED};
  take.as.takeover.sink = CK_LIT("sqlite");
  checked.as.checked = (struct ck_checked){CK_LIT("sqlite"), CK_LIT("repair deep"), 10, 3, 0};
  begin_run();
  tell(false, "", "", 0);
  cr_expect_neq(ap_mutate(checked), 'r', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT wrong FROM checks"), 3);
  cr_expect_neq(ap_mutate(take), 'r', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT wrong FROM checks WHERE task = ''"), 0);
}

Test(apply, null_keeps_nothing_to_take_over) {
  struct ck_mutation take = {.kind = CK_OP_TAKEOVER};
  fit_free(&s.mirrors->at[1].fit);
  s.mirrors->at[1].fit = fit_new("", false); /* keeps no witness */
  take.as.takeover.sink = CK_LIT("d1");
  ap_refused(take, "keeps nothing to take over");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sinks WHERE unproven"), 0);
}

/* It fits: taking it over would cost its rows, and settle nothing. */
Test(apply, a_mirror_that_is_only_held_is_not_taken_over_or_filled) {
  struct ck_mutation take = {.kind = CK_OP_TAKEOVER}, fill = {.kind = CK_OP_BACKFILL};
  take.as.takeover.sink = fill.as.backfill.sink = CK_LIT("d1");
  sh_message(&s, "m1", 1, "");
  begin_run();
  tell(true, id, "beef", 5);
  expect_alarm("set_back");
  ap_refused(take, "settle the mirror in sqlite first");
  ap_refused(fill, "settle the mirror in sqlite first");
  take.as.takeover.sink = CK_LIT("sqlite");
  cr_expect_neq(ap_mutate(take), 'r', "%s", s.reason.text);
  cr_expect_neq(ap_mutate(fill), 'r', "%s", s.reason.text);
}

/* What another store has written is about one mirror; that the database was set back is about all,
 * until that mirror fits or is taken over, also at the next start. */
Test(apply, what_a_witness_says_of_the_database_is_about_all_mirrors) {
  struct ck_mutation take = {.kind = CK_OP_TAKEOVER};
  take.as.takeover.sink = CK_LIT("sqlite");
  begin_run();
  tell(true, "f00df00d", "beef", 77);
  expect_alarm("other_store");
  cr_expect_null(mirrors_set_back(s.mirrors));
  tell(true, id, "beef", 5);
  expect_alarm("set_back");
  cr_expect_eq(mirrors_set_back(s.mirrors), &s.mirrors->at[0]);
  next_run();
  cr_expect_eq(state(), FIT_UNKNOWN);
  cr_expect_eq(mirrors_set_back(s.mirrors), &s.mirrors->at[0], "before it is read again");
  cr_expect_neq(ap_mutate(take), 'r', "%s", s.reason.text);
  cr_expect_null(mirrors_set_back(s.mirrors));
}
