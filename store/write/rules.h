/* How a write changes a record (docs/records.md). Pure: old record, write and now in; new record
 * out. No SQL, no clock, no I/O. */
#ifndef CK_STORE_RULES_H
#define CK_STORE_RULES_H

#include "proto/error.h"
#include "proto/records.h"

/* Trims, checks and turns blanks into NULL, in place; text may then view into what it viewed
 * before. What is left out stays left out. -1: names table and column. */
int rules_clean(struct ck_row *write, struct ck_err *err);

/* An observation that does not say when it was made leaves its own times out (observed_at,
 * executed_at, started_at, last_activity_at, last_message_at) and gives created_at, the time at
 * which it was taken. That is then its time where the record is new, and for a session, a
 * conversation and a link also where `news`: the changeset inserted what the write is about. Else
 * it says nothing that was not said before: no time moves, and last_message_id is left out, and so
 * are a title and a summary that are known. old: NULL where the record is new. */
void rules_time(struct ck_row *write, const struct ck_row *old, bool news);

/* A record that does not exist yet, of a cleaned write: defaults filled in, required fields
 * demanded. CK_K_PATH left out stays left out for the caller to make. */
int rules_insert(struct ck_row *out, const struct ck_row *write, int64_t now, struct ck_err *err);

/* A cleaned write merged into what is there. fresh: the message that the write names as the
 * conversation's last was inserted by this very changeset (it decides between two messages, and two
 * titles, of the same time). 1: out is the changed record; 0: nothing but updated_at would change,
 * out equals old; -1: refused. out borrows from old and write. */
int rules_merge(struct ck_row *out, const struct ck_row *old, const struct ck_row *write,
                int64_t now, bool fresh, struct ck_err *err);

#endif
