/* Answers the QUERY `brakes`: what the store knows that may stop a conversation's next delivery.
 * renewd asks before each attempt. */
#ifndef CK_STORE_BRAKE_H
#define CK_STORE_BRAKE_H

#include "proto/wire.h"
#include "store/database/cached.h"

/* The filters: local_conversation_id; job_id, and message_id, that is followed up; and five
 * numbers, each of which the conversation's `renewal` (proto/renewal.h) overrides: in_a_row, how
 * many automatic deliveries there may be without a person in between; per_day, how many within 24
 * hours; alike, how many answers may have the same text; cost_per_day, what the deliveries of 24
 * hours may cost, in millionths (proto/cost.h), and tokens_per_day, how many they may use, as far
 * as targets say. 0: that is not looked for. Appends one row:
 *
 *   renewal      the conversation's; nil
 *   sixtieth_age how long ago the 60th newest delivery began, in milliseconds; nil: there are fewer
 *   in_a_row     that number, if there were so many with no person in between; else 0
 *   per_day      that number, if there were so many; else 0
 *   day_age      of them: how long ago the oldest began; nil
 *   cost_per_day that number, if they cost so much; else 0
 *   cost_age     of the newest that cost so much together: how long ago the oldest began; nil
 *   tokens_per_day, tokens_age   likewise
 *   alike        that number, if so many answers are alike: the message, and those before it that
 *                were followed up; else 0
 *   text         the message's text, at most its last 256 KiB; nil: there is no such message
 *   waits        what its details say that it waits for: question, plan, permission; nil
 *   turn         what its details say of its turn: open, interrupted, failed; nil
 *   limit        what they say of the limit with which the turn was refused, JSON; nil
 *   came_at      when it came; nil
 *   resumed      1: a person let the conversation go on after the message; else 0
 *   anyway       1: a person wants that job, whatever would stop it; else 0
 *
 * A delivery is an attempt that is charged, so it may have got to its target; also one of a job
 * that got all its attempts again. A person is in between if somebody said something that is not
 * the text of a follow-up (echo.h), nor of the kind `context` or `result`, nor hidden (details),
 * or said RESUME. 0, or -1 with the reason and the PROBLEM's code, which is left as it is when the
 * database failed. */
int brake_query(struct db_cached *db, const struct ck_query *q, struct ck_buf *rows,
                const char **code, struct ck_err *err);

#endif
