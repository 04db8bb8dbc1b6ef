/* FORGET of a message: what is left of its conversation's follow-ups tells nothing of it. */
#include "test_store_apply.h"

#include <stdlib.h>

/* A conversation p:ID with two messages, the first of which had a follow-up; its target has said
 * that. */
static void put_conversation(const char *id, const char *job, const char *outcome,
                             const char *error) {
  char *conversation = ck_sprintf("p:%s", id), *link = ck_sprintf("l%s", id),
       *first = ck_sprintf("%s1", id), *second = ck_sprintf("%s2", id),
       *more = ck_sprintf(",'conversation_id':'%s'", id);
  sh_conversation(&s, conversation, "");
  sh_link(&s, link, conversation, id, "");
  sh_message(&s, first, 500, more);
  sh_message(&s, second, 600, more);
  cr_assert_eq(sh_job(&s, job, conversation, first, ""), 'n', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(ap_claim_of(job, "token", 1000)), 'u', "%s", s.reason.text);
  struct ck_mutation end = ap_end_of(job, 1, "token", outcome);
  end.as.end.error = ck_str_of(error);
  cr_assert_eq(ap_mutate(end), 'u', "%s", s.reason.text);
  free(conversation);
  free(link);
  free(first);
  free(second);
  free(more);
}

static void forget(const char *message) {
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("message"), ck_str_of(message), false};
  cr_assert_eq(ap_mutate(m), 'n', "%s", s.reason.text);
}

/* What `claude -p` prints is the answer itself. */
Test(apply, the_attempt_before_a_forgotten_answer_does_not_tell_it) {
  struct ck_err err;
  put_conversation("a", "ja", "done", "");
  put_conversation("b", "jb", "done", "");
  cr_assert_eq(db_exec(s.db, "UPDATE attempts SET text = 'answer', error = 'answer'", &err), 0);
  forget("a2");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts"
                          " WHERE job_id = 'ja' AND text IS NULL AND error IS NULL"),
               1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts WHERE job_id = 'jb' AND text = 'answer'"),
               1);
}

/* Its job has the same words, in the six tables, and with that in the mirrors and files. */
Test(apply, the_job_before_a_forgotten_answer_does_not_tell_it) {
  put_conversation("a", "ja", "failed", "exit 1: the answer");
  put_conversation("b", "jb", "failed", "exit 1: the answer");
  put_conversation("c", "jc", "failed", "cancelled by hand");
  uint64_t head = apply_head(s.apply);
  forget("a2");
  forget("c2");
  sh_is(&s, CK_JOBS, "ja", "last_error", "NULL");
  sh_is(&s, CK_JOBS, "ja", "status", "failed");
  sh_is(&s, CK_JOBS, "jb", "last_error", "exit 1: the answer");
  sh_is(&s, CK_JOBS, "jc", "last_error", "cancelled by hand");
  cr_expect_eq(sh_int(&s, "SELECT version FROM renewal_jobs WHERE job_id = 'ja'") > (int64_t)head,
               1, "it is no change of the record");
}
