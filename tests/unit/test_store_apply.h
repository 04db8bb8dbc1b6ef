/* What the tests of changesets share: the store that each test opens for itself, and mutations of
 * jobs. The suite and these functions are in test_store_apply.c. */
#ifndef CK_TEST_STORE_APPLY_H
#define CK_TEST_STORE_APPLY_H

#include "test_store_help.h"

/* Opened before each test of the suite `apply` and closed after it. */
extern struct sh_store s;

/* Fails unless the newest version is this one, in memory and in the database. */
void ap_check_versions(uint64_t expected_head);
/* Borrow their arguments. The END has the time 5000. */
struct ck_mutation ap_claim_of(const char *job, const char *token, int64_t at);
struct ck_mutation ap_end_of(const char *job, uint64_t attempt, const char *token,
                             const char *outcome);
struct ck_mutation ap_supersede_of(const char *job, int64_t at);
struct ck_mutation ap_cancel_of(const char *job, const char *reason, int64_t at);
struct ck_mutation ap_requeue_of(const char *job, bool anyway, int64_t at);
/* One mutation as a changeset, committed. Returns the changeset's letter. */
char ap_mutate(struct ck_mutation m);

#define ap_refused(m, part) \
  do { \
    cr_expect_eq(ap_mutate(m), 'r'); \
    cr_expect(strstr(s.reason.text, part), "%s", s.reason.text); \
  } while (0)

#endif
