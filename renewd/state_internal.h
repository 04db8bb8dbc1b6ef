/* Shared by state.c (jobs and when they are due) and state_turn.c (the last messages of
 * conversations). For no other file. */
#ifndef RENEWD_STATE_INTERNAL_H
#define RENEWD_STATE_INTERNAL_H

#include "renewd/state.h"

#define TO(state) (1u << (state))

/* Where the conversation waits: in the lane of its next job, at that job's time; else nowhere. */
void renew_state_place(struct renew_state *st, struct renew_conversation *c, struct renew_now now);
/* Frees a conversation that need not be known: manual, without jobs and without queries. */
void renew_state_drop_unneeded(struct renew_state *st, struct renew_conversation *c);

/* ---- state_turn.c ---- */

/* From the word in a conversation's row. */
enum renew_automation renew_automation_of(struct ck_str word);

void renew_state_message_row(struct renew_state *st, const struct ck_row *row,
                             struct renew_now now);
/* Takes automation and last message from the conversation's row. */
void renew_state_turn_row(struct renew_state *st, struct renew_conversation *c,
                          const struct ck_row *row, struct renew_now now);
/* The message has a job: if it is the last one, it need not be judged. */
void renew_state_turn_job(struct renew_state *st, struct renew_conversation *c,
                          struct ck_str message_id);
/* Some job of the conversation may be superseded. */
void renew_state_check(struct renew_state *st, struct renew_conversation *c);
/* Forgets the last message, and that the conversation is on auto. */
void renew_state_turn_forget(struct renew_state *st, struct renew_conversation *c);

#endif
