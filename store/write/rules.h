/* How a write changes a record (docs/records.md). Pure: takes the old record, the write and the
 * time, and makes the new record, without SQL, clock or I/O. */
#ifndef CK_STORE_RULES_H
#define CK_STORE_RULES_H

#include "proto/error.h"
#include "proto/records.h"

/* Trims and checks the write in place, and turns blank text into NULL. The trimmed text views the
 * same memory. Columns that are left out stay so. 0, or -1: err names table and column. */
int rules_clean(struct ck_row *write, struct ck_err *err);

/* Fills in the times of an observation that does not say when it was made. Such a write leaves its
 * own times out (observed_at, executed_at, started_at, last_activity_at, last_message_at), and its
 * created_at says when ingest accepted it. An observation whose time is ahead of the clock (now) by
 * more than CK_AHEAD_MS counts as one for its session, conversation and link, so that nothing is
 * late for ever after it.
 *
 * - If the record is new (old: NULL), created_at becomes its time.
 * - So it does for an existing session, conversation or link if `news`: the changeset inserted what
 *   the write is about.
 * - Else the write says nothing new, and no time moves. For a conversation, last_message_id is
 *   taken out of the write, and so are title and summary if the record has them.
 *
 * A message's created_at equals its observed_at only if the observation did not say when it was
 * made: a new message with that time gets a created_at that is one millisecond later. */
void rules_time(struct ck_row *write, const struct ck_row *old, bool news, int64_t now);

/* Makes a new record of a cleaned write and the defaults. A path that is left out stays so; the
 * caller makes it. 0, or -1: a required field is missing. out borrows from write. */
int rules_insert(struct ck_row *out, const struct ck_row *write, int64_t now, struct ck_err *err);

/* Merges a cleaned write into an existing record. A write of about now is newer than a record whose
 * time is ahead of the clock. fresh: this changeset inserted the message that
 * the write names as the conversation's last; it decides between two messages, and two titles, of
 * the same time. 1: out is the changed record; 0: at most updated_at would change, out equals old;
 * -1: refused. out borrows from old and write. */
int rules_merge(struct ck_row *out, const struct ck_row *old, const struct ck_row *write,
                int64_t now, bool fresh, struct ck_err *err);

#endif
