/* A delivery through a real channel, as the daemon makes it. */
#ifndef TEST_RENEWD_DELIVER_H
#define TEST_RENEWD_DELIVER_H

#include "renewd/channel.h"

/* The settings of the test, between test_deliver_begin and test_deliver_end. */
extern struct ck_settings *test_settings;

void test_deliver_begin(void);
void test_deliver_end(void);
void test_set(const char *name, const char *value);

/* Delivers to the target and waits for the end as the daemon's loop does. */
struct renew_result test_deliver(const struct renew_channel *c, const char *target,
                                 const char *body);
/* The same with a payload. stop_after: milliseconds after which renewd begins to stop; -1: it does
 * not. */
struct renew_result test_deliver_with(const struct renew_channel *c, const char *target,
                                      const char *body, const char *payload, int64_t stop_after);
void test_result_is(struct renew_result r, enum renew_outcome outcome, const char *part);

#endif
