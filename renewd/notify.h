/* renew.notify: a person is told by a program or a webhook of what needs one (core/notices.h).
 * What is told, and how far the rows of attempts have been looked at, is in a file, so a restart
 * neither loses nor repeats anything but, at most, the message that was under way. */
#ifndef RENEWD_NOTIFY_H
#define RENEWD_NOTIFY_H

#include "proto/map.h"
#include "renewd/renewd.h"

struct renew_notify;

/* NULL: renew.notify is not set. r has to outlive it. */
struct renew_notify *renew_notify_new(struct renewd *r);
/* Sets *n to NULL; *n may be NULL. Before the channels are closed. */
void renew_notify_free(struct renew_notify **n);

/* These take NULL, and then do nothing. */

/* The row of an attempt may have changed. */
void renew_notify_look(struct renew_notify *n);
/* A row of what was forgotten: what is known of it goes. */
void renew_notify_forgotten(struct renew_notify *n, const struct ck_row *gone);
/* A job that does not go, and an account that has or had a limit, at a look at all of them; then,
 * that the look is over. */
void renew_notify_held(struct renew_notify *n, const struct renew_job *j,
                       const struct renew_held *h);
void renew_notify_limit(struct renew_notify *n, const struct renew_account *a);
void renew_notify_looked(struct renew_notify *n);
/* Asks for attempts, and sends what is due. To be called after the channels were pumped. */
void renew_notify_step(struct renew_notify *n);
/* The boot time of the next step; INT64_MAX: after something else. */
int64_t renew_notify_until(const struct renew_notify *n);
/* Appends the pair `notify` of the report. */
void renew_notify_report(const struct renew_notify *n, struct ck_map *m);

#endif
