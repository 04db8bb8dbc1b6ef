/* What a person is told of: once until it has changed, one message a minute. */
#include "renewd/core/notices.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct renew_notices n;

static void end(void) {
  renew_notices_free(&n);
  memset(&n, 0, sizeof n);
}

static bool hides;

static bool hidden(const void *self, const struct renew_notice *notice) {
  (void)self;
  return hides && strcmp(notice->job_id, "j") == 0;
}

static bool sweep(void) { return renew_notices_sweep(&n, hidden, NULL); }

static void failed(const char *conversation, const char *reason) {
  renew_notices_happened(&n, "failed", ck_str_of(conversation), CK_LIT("j"), ck_str_of(reason), 1);
}

static void stopped(const char *reason, int64_t tell_at) {
  renew_notices_stands(&n, "stopped", CK_LIT("c"), CK_LIT("j"), ck_str_of(reason), 1, tell_at);
}

static void told(const char *kind, const char *job, const char *reason, bool stands) {
  char digest[33];
  ck_hash_id(digest, &(struct ck_str){reason, strlen(reason)}, 1);
  renew_notices_told(&n, kind, CK_LIT("c"), ck_str_of(job), ck_str_of(digest), stands);
}

static struct {
  size_t count;
  char words[200];
} known;

static void look_at(void *self, struct renew_node *node) {
  const struct renew_notice *one = (const struct renew_notice *)node;
  size_t used = strlen(known.words);
  (void)self;
  known.count++;
  snprintf(known.words + used, sizeof known.words - used, "%s%s", one->node.id,
           one->reason ? one->reason : "");
}

/* So many are known, and nothing that is kept of them has these words. */
static void kept(size_t count, const char * not ) {
  memset(&known, 0, sizeof known);
  renew_index_each(&n.all, look_at, NULL);
  cr_expect_eq(known.count, count, "%zu are known", known.count);
  cr_expect_null(strstr(known.words, not ), "%s", known.words);
}

Test(renewd_notices, each_is_told_once, .fini = end) {
  failed("c", "no");
  failed("c", "no");
  cr_expect_eq(renew_notices_due(&n, 0), 1);
  cr_expect_eq(renew_notices_due(&n, 0), 0, "a message is under way");
  renew_notices_sent(&n, true, 0);
  failed("c", "no");
  cr_expect_eq(renew_notices_due(&n, 100000), 0);
  failed("c", "another reason");
  cr_expect_eq(renew_notices_due(&n, 100000), 1);
}

Test(renewd_notices, one_message_a_minute_has_all, .fini = end) {
  failed("a", "no");
  cr_expect_eq(renew_notices_due(&n, 1000), 1);
  failed("b", "no");
  renew_notices_sent(&n, true, 1000);
  failed("c", "no");
  cr_expect_eq(renew_notices_due(&n, 60999), 0);
  cr_expect_eq(renew_notices_due(&n, 61000), 2);
}

Test(renewd_notices, what_did_not_arrive_is_sent_again_a_minute_later, .fini = end) {
  failed("a", "no");
  cr_expect_eq(renew_notices_due(&n, 0), 1);
  renew_notices_sent(&n, false, 0);
  cr_expect_eq(renew_notices_due(&n, 59999), 0);
  cr_expect_eq(renew_notices_due(&n, 60000), 1);
}

Test(renewd_notices, after_a_delivery_a_failure_is_news, .fini = end) {
  failed("c", "no");
  failed("d", "no");
  cr_expect_eq(renew_notices_due(&n, 0), 2);
  renew_notices_sent(&n, true, 0);
  renew_notices_arrived(&n, CK_LIT("c"));
  failed("c", "no");
  failed("d", "no");
  cr_expect_eq(renew_notices_due(&n, 60000), 1);
}

Test(renewd_notices, a_state_is_told_again_only_after_it_was_over, .fini = end) {
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 0), 1);
  renew_notices_sent(&n, true, 0);
  for (int i = 0; i < 10; i++) {
    stopped("a question", 0);
    sweep();
  }
  cr_expect_eq(renew_notices_due(&n, 60000), 0);
  for (int i = 1; i < RENEW_NOTICES_MISSED; i++) sweep();
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 60000), 0, "a look that misses it is no end");
  for (int i = 0; i <= RENEW_NOTICES_MISSED; i++) sweep();
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 60000), 1);
}

Test(renewd_notices, a_client_has_time, .fini = end) {
  stopped("away", 900000);
  cr_expect_eq(renew_notices_due(&n, 899999), 0);
  stopped("away", 1800000);
  cr_expect_eq(renew_notices_due(&n, 900000), 1, "its time counts from the first look");
}

Test(renewd_notices, what_another_run_has_told_is_not_told_again, .fini = end) {
  told("failed", "j", "no", false);
  told("stopped", "j", "a question", true);
  failed("c", "no");
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 0), 0);
}

/* The next question in the same words, before it was seen that the first is answered. */
Test(renewd_notices, of_another_job_is_news, .fini = end) {
  told("stopped", "former", "a question", true);
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 0), 1);
}

static void limited(const char *reason) {
  renew_notices_stands(&n, "limit", CK_LIT("home"), CK_LIT(""), ck_str_of(reason), 1, 0);
}

/* The same limit, which says so in other words each time that it is tried. */
Test(renewd_notices, of_an_account_is_one_thing, .fini = end) {
  limited("no more");
  cr_expect_eq(renew_notices_due(&n, 0), 1);
  renew_notices_sent(&n, true, 0);
  limited("reached again");
  cr_expect_eq(renew_notices_due(&n, 60000), 0);
  renew_notices_stands(&n, "limit", CK_LIT("work"), CK_LIT(""), CK_LIT("no more"), 1, 0);
  cr_expect_eq(renew_notices_due(&n, 60000), 1);
}

Test(renewd_notices, what_a_pause_hides_is_not_over, .fini = end) {
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 0), 1);
  renew_notices_sent(&n, true, 0);
  hides = true;
  for (int i = 0; i < 10; i++) cr_expect_not(sweep());
  hides = false;
  stopped("a question", 0);
  cr_expect_eq(renew_notices_due(&n, 60000), 0);
}

Test(renewd_notices, the_end_of_what_was_told_is_kept, .fini = end) {
  stopped("a question", 60000);
  for (int i = 0; i < 10; i++) cr_expect_not(sweep(), "nobody was told");
  told("stopped", "j", "a question", true);
  for (int i = 0; i < RENEW_NOTICES_MISSED; i++) cr_expect_not(sweep());
  cr_expect(sweep());
}

Test(renewd_notices, a_minute_goes_on_after_a_restart, .fini = end) {
  renew_notices_said_at(&n, 1000000, 1020000, 5000);
  failed("a", "no");
  cr_expect_eq(renew_notices_due(&n, 44999), 0);
  cr_expect_eq(renew_notices_due(&n, 45000), 1);
}

/* A clock that went back does not make it longer than a minute. */
Test(renewd_notices, a_minute_is_a_minute, .fini = end) {
  renew_notices_said_at(&n, 9000000, 1000, 5000);
  failed("a", "no");
  cr_expect_eq(renew_notices_due(&n, 65000), 1);
}

/* What a target has said is not kept longer than it takes to tell it. */
Test(renewd_notices, of_what_was_told_no_words_are_kept, .fini = end) {
  failed("c", "my key is 7");
  stopped("so is 7", 0);
  cr_expect_eq(renew_notices_due(&n, 0), 2);
  renew_notices_sent(&n, false, 0);
  cr_expect_eq(renew_notices_due(&n, 60000), 2);
  renew_notices_sent(&n, true, 60000);
  kept(2, "is 7");
  failed("c", "my key is 7");
  stopped("so is 7", 0);
  cr_expect_eq(renew_notices_due(&n, 120000), 0);
  kept(2, "is 7");
}

Test(renewd_notices, what_was_forgotten, .fini = end) {
  failed("c", "my key is 7"); /* at 1 */
  cr_expect_not(renew_notices_forget(&n, CK_LIT("other"), 5));
  cr_expect_not(renew_notices_forget(&n, CK_LIT(""), 0), "a message, before that");
  cr_expect(renew_notices_forget(&n, CK_LIT(""), 5));
  kept(1, "is 7");
  cr_expect_eq(renew_notices_due(&n, 0), 1, "that it failed is told all the same");
  cr_expect(renew_notices_forget(&n, CK_LIT("j"), 5), "it is in the message under way");
  renew_notices_sent(&n, false, 0);
  cr_expect(renew_notices_forget(&n, CK_LIT("j"), 5));
  kept(0, "is 7");
}
