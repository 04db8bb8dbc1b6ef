/* Why a job that is due does not go, for people. */
#include <criterion/criterion.h>

#include <string.h>

#include "renewd/held.h"

static struct renew_state st;
static struct renew_now at;

static void begin(void) {
  memset(&st, 0, sizeof st);
  at = (struct renew_now){1000000, 5000};
}

static void conversation(const char *id, const char *automation, int64_t cooldown_until) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(automation);
  row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(id);
  row.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = cooldown_until ? ck_int(cooldown_until) : ck_null();
  renew_state_row(&st, &row, at);
}

/* A job of the conversation of that name, for the message of that name. */
static const char *job(const char *of, bool automatic, const char *target) {
  static char ids[64][37];
  static int n;
  char *id = ids[n++ % 64];
  ck_job_id(id, ck_str_of(of));
  if (!automatic) strcpy(id, of);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = row.v[CK_JOBS_MESSAGE_ID] = ck_textz(of);
  row.v[CK_JOBS_STATUS] = ck_textz("pending");
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(0);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(at.wall);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(target);
  renew_state_row(&st, &row, at);
  renew_state_target(&st, renew_state_job(&st, ck_str_of(id)), NULL, at);
  return id;
}

#define A "{\"kind\":\"exec\",\"id\":\"a\"}"

static void held(const char *id, const char *state) {
  struct renew_held h = {.state = NULL};
  bool is = renew_is_held(&h, &st, renew_state_job(&st, ck_str_of(id)), at);
  cr_expect_eq(is, state != NULL, "%s is %sheld: %s", id, is ? "" : "not ", is ? h.state : "");
  if (is && state) cr_expect_str_eq(h.state, state, "%s: %s, not %s", id, h.state, state);
}

Test(renewd_held, offered, .init = begin) {
  const char *id = job("c1", false, "{\"kind\":\"feed\",\"client_id\":\"ff1\"}");
  job("c2", false, A);
  struct renew_job *j = renew_state_job(&st, ck_str_of(id));
  renew_state_offer(&st, j, at);
  held(id, "offered");
  cr_expect_not_null(renew_state_claim(&st, at));
  cr_expect_null(renew_state_claim(&st, at), "an offer is not claimed");
  renew_state_offered(&st, ck_str_of(id), 0, at);
  cr_expect_eq(renew_state_claim(&st, at), j);
}

Test(renewd_held, slots_and_spacing, .init = begin) {
  st.pace.spacing = 2000;
  char name[4] = "c0";
  for (char i = '0'; i < '6'; i++) job((name[1] = i, name), false, A);
  held("c0", NULL);
  struct renew_job *j = renew_state_claim(&st, at);
  cr_assert_not_null(j);
  held(j->node.id, NULL);
  held("c5", "spacing");
  cr_expect(renew_goes_soon(&st, renew_state_job(&st, CK_LIT("c5")), at));
  cr_expect_not(renew_goes_soon(&st, j, at), "it is under way");
  renew_state_begin(&st, ck_str_of(j->node.id), at);
  held("c5", "spacing");
  for (int i = 1; i < RENEW_SLOTS_OF_A_TARGET; i++) {
    at.wall += 2000;
    at.boot += 2000;
    held("c5", NULL);
    j = renew_state_claim(&st, at);
    cr_assert_not_null(j);
    renew_state_begin(&st, ck_str_of(j->node.id), at);
  }
  held("c5", "slots");
  renew_state_free(&st);
}

Test(renewd_held, what_its_conversation_waits_for, .init = begin) {
  conversation("c", "auto", at.wall + 500);
  const char *id = job("c", true, A);
  held(id, "resting");
  at.wall += 500;
  at.boot += 500;
  held(id, NULL);
  cr_assert_not_null(renew_state_claim(&st, at));
  renew_state_brake(&st, ck_str_of(id), (struct renew_braked){RENEW_STOPPED, RENEW_NEVER}, at);
  held(id, "stopped");
  cr_expect_not(renew_goes_soon(&st, renew_state_job(&st, ck_str_of(id)), at));
  conversation("c", "paused", 0);
  held(id, "paused");
  cr_expect_not(renew_goes_soon(&st, renew_state_job(&st, ck_str_of(id)), at));
  conversation("c", "auto", 0);
  held(id, NULL);
  cr_expect(renew_goes_soon(&st, renew_state_job(&st, ck_str_of(id)), at));
  renew_state_free(&st);
}
