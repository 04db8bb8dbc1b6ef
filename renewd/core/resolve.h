/* Where a follow-up goes when its job does not say: to the conversation's active link that was
 * observed last, if something serves it. A job that has nowhere to go waits until a link comes.
 * Pure. */
#ifndef RENEWD_CORE_RESOLVE_H
#define RENEWD_CORE_RESOLVE_H

#include "renewd/core/state.h"

/* 0 when something serves this target with these settings; -1 with what is missing. */
int renew_resolve_target(const struct renew_settings *set, const struct renew_target *t,
                         struct ck_err *err);
/* The same for a link; NULL: there is no active one. It appends the link's snapshot if that names a
 * target, served or not. */
int renew_resolve_link(const struct renew_settings *set, const struct renew_link *link,
                       struct ck_buf *snapshot, struct ck_err *err);

#endif
