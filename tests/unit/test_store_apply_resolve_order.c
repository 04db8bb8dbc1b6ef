/* What may happen to an attempt whose end is unknown, in every order: our text is observed, an
 * answer to it, a complete capture; its late outcome comes; its owner decides; renewd is killed.
 * The first one that tells the end is right. Afterwards the job's row, the log of attempts and what
 * `jobs why` shows say the same. With the core of renewd, which proposes to look, and a real store.
 */
#include "test_store_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/map.h"
#include "renewd/attempts.h"
#include "test_renewd_core.h"

#define BEGUN INT64_C(2000000)
#define ENDED (BEGUN + 5000)
#define LATER (ENDED + 600000)

enum happening { TEXT, ANSWER, CAPTURE, LATE, OWNER, KILL };
#define HAPPENINGS 6
static const char letters[] = "TACLOK";

/* ---- what must follow, by docs/renewal.md ---- */

enum late { LATE_DONE, LATE_FAILED, LATE_RETRY };
enum wish { CANCELS, SENDS_AGAIN };

/* Known of one attempt. */
struct should {
  bool text, answer, capture; /* have been observed */
  const char *outcome;        /* of the attempt: unknown until something tells it */
  const char *status;         /* of the job */
  const char *why;            /* a part of it */
  int64_t charged;
};

static void tells(struct should *x, const char *outcome, const char *status, const char *why) {
  x->outcome = outcome;
  x->status = status;
  x->why = why;
  x->charged = strcmp(outcome, "released") != 0;
}

static bool is_unknown(const struct should *x) { return strcmp(x->outcome, "unknown") == 0; }

/* The store looks. */
static void looked(struct should *x) {
  if (!is_unknown(x)) return;
  if (x->text || x->answer)
    tells(x, "done", "done", "seen in the conversation");
  else if (x->capture)
    tells(x, "released", "pending", "not sent");
}

static void late(struct should *x, enum late what) {
  static const char *const outcomes[] = {"done", "failed", "retry"}, *const statuses[] = {
                                                                         "done", "failed",
                                                                         "pending"};
  if (is_unknown(x)) tells(x, outcomes[what], statuses[what], "late");
}

static void decided(struct should *x, enum wish wish) {
  bool again = wish == SENDS_AGAIN;
  if (is_unknown(x)) {
    tells(x, again ? "released" : "failed", again ? "pending" : "failed", "a person");
  } else if (again && strcmp(x->status, "failed") == 0) {
    x->status = "pending"; /* with all its attempts */
    x->charged = 0;
  } else if (!again && strcmp(x->status, "pending") == 0) {
    x->status = "failed";
  }
}

/* ---- one case ---- */

static struct one {
  char job[16], conversation[16], remote[16], first[16], token[16], named[16];
  char order[64]; /* for a failure */
  struct should should;
  struct ck_buf log; /* its last line */
  int lines;
  int64_t cursor; /* of the log */
} one;

static void says(const char *kind, const char *role, const char *text, const char *more) {
  char *id = ck_sprintf("%s-%s", one.job, kind);
  char *all = ck_sprintf(",'conversation_id':'%s','role':'%s','raw_text':'%s'%s", one.remote, role,
                         text, more);
  cr_assert_neq(sh_message(&s, id, s.now, all), 'r', "%s", s.reason.text);
  free(all);
  free(id);
}

static struct ck_mutation end_of(const char *outcome, const char *why) {
  static struct ck_buf result;
  struct ck_mutation m = ap_end_of(one.job, 1, one.token, outcome);
  ck_buf_clear(&result);
  struct ck_map map = ck_map_open(&result);
  ck_pair_text(&map, "why", why);
  ck_map_close(&map);
  m.as.end.at = s.now;
  m.as.end.result = ck_buf_view(&result);
  if (strcmp(outcome, "retry") == 0 || strcmp(outcome, "released") == 0)
    m.as.end.next_attempt_at = s.now;
  return m;
}

/* The same text, which lasts as long as the rows that the harness keeps of it. */
static const char *lasting(const char *status) {
  static const char *const all[] = {"pending", "running", "done", "failed"};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
    if (strcmp(status, all[i]) == 0) return all[i];
  cr_assert_fail("a job is '%s'", status);
  return NULL;
}

/* The row of the job, as renewd follows it. */
static void follow_job(void) {
  char attempts[24];
  const char *status = lasting(sh_field(&s, CK_JOBS, one.job, "status"));
  snprintf(attempts, sizeof attempts, "%s", sh_field(&s, CK_JOBS, one.job, "attempt_count"));
  at.wall = s.now;
  row_job((struct row_of_job){.id = one.job,
                              .of = one.conversation,
                              .message = one.first,
                              .status = status,
                              .target = CLIENTS,
                              .attempts = atoll(attempts)});
  follow(apply_head(s.apply));
}

/* renewd starts: it finds the job, and that its end is unknown, if that is so. */
static void renewd_starts(void) {
  core_new();
  at.wall = s.now;
  follow_job();
  core_connect();
  const struct renew_effect *look = queried(LOOK);
  char *sql =
      ck_sprintf("SELECT count(*) FROM leases WHERE job_id = '%s' AND state = 'unknown'", one.job);
  struct renew_answer a = {.head = apply_head(s.apply)};
  a.lease.unknown = sh_int(&s, sql) == 1;
  free(sql);
  cr_assert_eq(look != NULL, a.lease.unknown, "%s", one.order);
  if (look) answer(look, a);
}

/* ---- lists of the store ---- */

static void query(const char *table, const char *filters, struct ck_buf *rows) {
  struct ck_buf packed = {0}, cursor = {0};
  struct ck_err err = {{0}};
  const char *code = "";
  struct list_answer list = {rows, &cursor};
  sh_pack(&packed, filters);
  const struct ck_query q = {
      .table = ck_str_of(table), .filters = ck_buf_view(&packed), .limit = 1000};
  cr_assert_eq(sh_query(&s, &q, &list, &code, &err), 0, "%s: %s", code, err.text);
  ck_buf_free(&packed);
  ck_buf_free(&cursor);
}

static bool next_row(struct ck_reader *r, uint32_t *n, struct ck_str *row) {
  return *n && (*n)-- && ck_read_raw(r, row) == 0;
}

/* renewd asks what may tell unknown ends, and proposes to look; the store does. */
static void renewd_looks(void) {
  struct ck_buf rows = {0};
  struct renew_doubt doubt = {{0}, 0, 0};
  struct ck_str row;
  uint32_t n = 0;
  pass(20000);
  at.wall = s.now;
  happen(RENEW_TICK);
  const struct renew_effect *asked = queried(RENEW_ABOUT_DOUBTS);
  if (!asked) return;
  query("doubts", "{}", &rows);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  cr_assert_eq(ck_read_array(&r, &n), 0);
  size_t found = n;
  if (next_row(&r, &n, &row))
    doubt = (struct renew_doubt){ck_map_str(row, "job_id"), ck_map_int(row, "said", 0),
                                 ck_map_int(row, "captured", 0)};
  cr_assert_leq(found, 1, "%s", one.order);
  answer(asked, (struct renew_answer){.doubts = &doubt, .n = found});
  const struct renew_effect *resolve = told(CK_OP_RESOLVE);
  ck_buf_free(&rows);
  if (!resolve) return;
  receipt(resolve, ap_mutate(resolve->as.tell.mutation), apply_head(s.apply));
  follow_job();
}

/* ---- what happens ---- */

static void late_outcome(enum late what) {
  static const char *const outcomes[] = {"done", "failed", "retry"};
  bool was = is_unknown(&one.should);
  char letter = ap_mutate(end_of(outcomes[what], "late"));
  cr_expect_eq(letter, was ? 'u' : 'r', "%s: a late %s gives %c", one.order, outcomes[what],
               letter);
  late(&one.should, what);
}

/* As the command line does it. */
static void owner_decides(enum wish wish) {
  bool again = wish == SENDS_AGAIN, was = is_unknown(&one.should);
  struct ck_mutation end = end_of(again ? "released" : "failed", "a person"),
                     requeue = ap_requeue_of(one.job, false, s.now),
                     cancel = ap_cancel_of(one.job, "cancelled", s.now);
  if (was) sh_mutate(&s, &end);
  if (again) sh_mutate(&s, &requeue);
  if (!again && !was) sh_mutate(&s, &cancel);
  sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  decided(&one.should, wish);
}

static void captured(void) {
  struct ck_mutation m = {.kind = CK_OP_CAPTURED};
  m.as.captured = (struct ck_captured){CK_LIT("p"), ck_str_of(one.remote), s.now - 1000};
  ap_mutate(m);
}

static void happens(enum happening what, unsigned variant) {
  char parent[40];
  size_t n = strlen(one.order);
  if (n + 2 < sizeof one.order) one.order[n] = letters[what];
  s.now += 1000;
  snprintf(parent, sizeof parent, ",'parent_id':'%s'", one.named);
  if (what == TEXT) says("t", "user", "  go   on ", "");
  if (what == ANSWER) says("a", "assistant", "gone on", parent);
  if (what == CAPTURE) captured();
  if (what == LATE) late_outcome((enum late)(variant % 3));
  if (what == OWNER) owner_decides((enum wish)(variant / 3 % 2));
  if (what == KILL) renewd_starts();
  one.should.text |= what == TEXT;
  one.should.answer |= what == ANSWER;
  one.should.capture |= what == CAPTURE;
  if (what == LATE || what == OWNER) follow_job();
}

/* ---- the row, the log, and why ---- */

/* The lines that have come since, as renewd writes them. */
static void read_log(void) {
  struct ck_buf rows = {0};
  struct ck_str row;
  uint32_t n = 0;
  char *filters = ck_sprintf("{'version_min':%lld}", (long long)one.cursor + 1);
  query("attempts", filters, &rows);
  free(filters);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  cr_assert_eq(ck_read_array(&r, &n), 0);
  while (next_row(&r, &n, &row)) {
    cr_assert(ck_str_is(ck_map_str(row, "job_id"), one.job), "%s", one.order);
    one.cursor = ck_map_int(row, "version", 0);
    ck_buf_clear(&one.log);
    if (renew_log_line(&one.log, row) == 0) one.lines++;
  }
  ck_buf_free(&rows);
}

static void is_in_log(const char *member, const char *value) {
  char *part = ck_sprintf("\"%s\":\"%s", member, value);
  cr_expect(strstr(ck_buf_cstr(&one.log), part), "%s: %s is not in the log: %s", one.order, part,
            ck_buf_cstr(&one.log));
  free(part);
}

/* What `jobs why` shows of the attempt. */
static void check_why(void) {
  struct ck_buf rows = {0}, line = {0};
  struct ck_str row;
  uint32_t n = 0;
  char *filters = ck_sprintf("{'job_id':'%s'}", one.job);
  query("attempts", filters, &rows);
  free(filters);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  cr_assert_eq(ck_read_array(&r, &n), 0);
  cr_assert_eq(n, 1);
  cr_assert(next_row(&r, &n, &row));
  cr_expect_eq(renew_log_line(&line, row), 0);
  cr_expect_str_eq(ck_buf_cstr(&line), ck_buf_cstr(&one.log), "%s", one.order);
  cr_expect(ck_str_is(ck_map_str(row, "outcome"), one.should.outcome), "%s: %.*s, not %s",
            one.order, (int)ck_map_str(row, "outcome").n, ck_map_str(row, "outcome").s,
            one.should.outcome);
  ck_buf_free(&rows);
  ck_buf_free(&line);
}

static int64_t count(const char *sql) {
  char *of_job = ck_sprintf("%s '%s'", sql, one.job);
  int64_t n = sh_int(&s, of_job);
  free(of_job);
  return n;
}

static void check(void) {
  const struct should *x = &one.should;
  const char *status = is_unknown(x) ? "running" : x->status;
  cr_expect_str_eq(sh_field(&s, CK_JOBS, one.job, "status"), status, "%s: the job is %s, not %s",
                   one.order, sh_field(&s, CK_JOBS, one.job, "status"), status);
  cr_expect_eq(atoll(sh_field(&s, CK_JOBS, one.job, "attempt_count")), x->charged, "%s", one.order);
  cr_expect_eq(count("SELECT count(*) FROM leases WHERE job_id ="), is_unknown(x), "%s", one.order);
  read_log();
  is_in_log("outcome", x->outcome);
  is_in_log("why", x->why);
  cr_expect_leq(one.lines, 2, "%s: the log tells %d ends", one.order, one.lines);
  check_why();
  bool by_text = strcmp(x->why, "seen in the conversation") == 0 && !x->answer;
  if (by_text)
    cr_expect_eq(count("SELECT count(*) FROM attempts WHERE sent_message_id = job_id || '-t'"
                       " AND job_id ="),
                 1, "%s", one.order);
}

/* An attempt whose end is unknown. */
static void begin(int number) {
  ck_buf_free(&one.log);
  int64_t cursor = one.cursor;
  one = (struct one){.cursor = cursor};
  snprintf(one.job, sizeof one.job, "j%d", number);
  snprintf(one.conversation, sizeof one.conversation, "c%d", number);
  snprintf(one.remote, sizeof one.remote, "r%d", number);
  snprintf(one.first, sizeof one.first, "f%d", number);
  snprintf(one.token, sizeof one.token, "t%d", number);
  snprintf(one.named, sizeof one.named, "n%d", number);
  char *link = ck_sprintf("l%d", number);
  char *first = ck_sprintf(",'conversation_id':'%s'", one.remote);
  s.now = BEGUN - 1000;
  sh_conversation(&s, one.conversation, "");
  sh_link(&s, link, one.conversation, one.remote, "");
  sh_message(&s, one.first, s.now - 10, first);
  cr_assert_eq(sh_job(&s, one.job, one.conversation, one.first, ""), 'n', "%s", s.reason.text);
  free(link);
  free(first);
  s.now = BEGUN;
  cr_assert_eq(ap_mutate(ap_claim_of(one.job, one.token, BEGUN)), 'u', "%s", s.reason.text);
  s.now = ENDED;
  struct ck_mutation end = ap_end_of(one.job, 1, one.token, "unknown");
  end.as.end.at = ENDED;
  end.as.end.message_id = ck_str_of(one.named);
  cr_assert_eq(ap_mutate(end), 'u', "%s", s.reason.text);
  tells(&one.should, "unknown", "running", "it may have arrived");
  s.now = LATER;
  renewd_starts();
}

/* In the end it is known, so the next case is the only one in doubt. */
static void finish(void) {
  if (is_unknown(&one.should)) happens(OWNER, 0);
  check();
}

static void open_it(void) { sh_open(&s); }
static void close_it(void) {
  core_end();
  sh_close(&s);
}

TestSuite(resolve_order, .init = open_it, .fini = close_it, .timeout = 300);

/* The n-th order of all of them. */
static void order_of(int n, enum happening order[HAPPENINGS]) {
  enum happening left[HAPPENINGS] = {TEXT, ANSWER, CAPTURE, LATE, OWNER, KILL};
  for (int i = 0, most = HAPPENINGS; i < HAPPENINGS; i++, most--) {
    int k = n % most;
    n /= most;
    order[i] = left[k];
    memmove(&left[k], &left[k + 1], (size_t)(most - 1 - k) * sizeof *left);
  }
}

/* renewd looks after each of them. */
Test(resolve_order, all_orders) {
  enum happening order[HAPPENINGS];
  for (int n = 0; n < 720; n++) {
    begin(n);
    order_of(n, order);
    for (int i = 0; i < HAPPENINGS; i++) {
      happens(order[i], (unsigned)n);
      renewd_looks();
      looked(&one.should);
      check();
    }
    finish();
  }
}

/* Any of them, any number of times; renewd looks now and then. */
Test(resolve_order, any_orders) {
  for (int n = 0; n < 300; n++) {
    begin(n);
    for (uint64_t i = 1 + sh_below(8); i; i--) {
      happens((enum happening)sh_below(HAPPENINGS), (unsigned)sh_below(6));
      if (sh_below(2)) continue;
      renewd_looks();
      looked(&one.should);
      check();
    }
    finish();
  }
}
