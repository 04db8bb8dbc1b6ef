/* What the files of the core share. For no other file. */
#ifndef RENEWD_CORE_INNER_H
#define RENEWD_CORE_INNER_H

#include "renewd/core/core.h"

/* After a refusal, or without an answer, it is tried again after this long. */
#define RENEW_AGAIN_MS 1000
/* Later times (from the year 287396 on) count as never, so that no sum overflows. */
#define RENEW_TIME_LIMIT INT64_C(9000000000000000)

/* Wall time as the rows have it → within the limit; and as boot time. */
int64_t renew_clamp(int64_t wall);
int64_t renew_rebase(int64_t wall, struct renew_now now);
/* Remembers the last error for `status`. */
void renew_core_error(struct renew_core *core, const char *what);
/* *kept becomes a copy of the cursor for the next page; NULL: this was the last one. */
void renew_keep_cursor(char **kept, struct ck_str cursor);
/* 32 hex digits of the core's randomness, terminated. */
void renew_core_token(struct renew_core *core, char token[33]);

/* ---- conversation.c: conversations, and when the next job of each may go ---- */

void renew_conversation_row(struct renew_core *core, const struct ck_row *row);
/* The conversation, known from now on. */
struct renew_conversation *renew_conversation_get(struct renew_core *core, struct ck_str id);
/* It is of this platform; empty: that is not known. */
void renew_conversation_platform(struct renew_core *core, struct renew_conversation *c,
                                 struct ck_str platform);
void renew_platforms_free(struct renew_core *core);
/* Where it waits: in the lane of its next job, at that job's time; else nowhere. */
void renew_conversation_place(struct renew_core *core, struct renew_conversation *c);
/* It waits nowhere. */
void renew_conversation_unplace(struct renew_core *core, struct renew_conversation *c);
/* Something has changed about it or its jobs: it is placed, and looked at before the step ends. */
void renew_conversation_touch(struct renew_core *core, struct renew_conversation *c);
/* Frees it unless it must be known: not manual, or with jobs, or something is under way. */
void renew_conversation_drop(struct renew_core *core, struct renew_conversation *c);
/* Sets why its deliveries wait; why: on the heap, taken over. */
void renew_conversation_brake(struct renew_conversation *c, struct renew_braked braked);
/* A row came that may end the brake: it is asked about again, also if that is under way. */
void renew_conversation_unbrake(struct renew_conversation *c);
/* The job waits for that. */
bool renew_job_is_braked(const struct renew_job *j);
/* After a step of the wall clock, calendar times have other boot times. */
void renew_conversations_follow_clock(struct renew_core *core);
/* Takes what its owner says of its account: JSON (proto/renewal.h). True: that has changed, and its
 * jobs are in other lanes. */
bool renew_conversation_account(struct renew_core *core, struct renew_conversation *c,
                                struct ck_str renewal);
/* The job whose turn has come; NULL: none. */
struct renew_job *renew_conversations_next_job(struct renew_core *core);
/* Nobody wants the job any more, as far as is known here: another message is the conversation's
 * last one, or it is manual. */
bool renew_job_is_superseded(const struct renew_job *j);
/* May the job go now, as far as its row and its conversation say? */
bool renew_job_may_go(const struct renew_core *core, const struct renew_job *j);
/* Another history begins. */
void renew_conversations_reset(struct renew_core *core);

/* ---- waits.c: how long what the rows say is to be waited for ---- */

/* What a wait in a row of the conversation, or of its jobs, stands for is to be asked for. Returns
 * the round that tells it. */
uint32_t renew_wait_unsure(struct renew_core *core, struct renew_conversation *c);
/* The store is another one, or what it was asked is not answered any more. */
void renew_waits_lost(struct renew_core *core);
/* Frees what is asked for. */
void renew_waits_forget(struct renew_core *core);
/* Asks for them. What waits so goes nowhere before the answers are there. */
void renew_waits_load(struct renew_core *core);
/* It does, from waits.at on. */
bool renew_waits_look(const struct renew_core *core);
void renew_waits_page(struct renew_core *core, const struct renew_answer *a);

/* ---- pause.c ---- */

/* The pause that holds for the job and lasts longest; NULL: none. */
const struct renew_pause *renew_job_pause(const struct renew_core *core, const struct renew_job *j);
/* These are all that there are now. */
void renew_pauses_changed(struct renew_core *core, const struct renew_pause_row *rows, size_t n);

/* ---- turn.c: last messages, and which jobs they supersede ---- */

/* What happens to a conversation's turn; turn.c has the table. */
enum renew_turn_event {
  RENEW_TURN_CHANGED,  /* the last message is new or has changed, or the automation has */
  RENEW_TURN_SETTLED,  /* it has been unchanged for `delay` */
  RENEW_TURN_HAS_JOB,  /* the last message has a job */
  RENEW_TURN_ANSWERED, /* the facts are there */
  RENEW_TURN_RECEIPTED /* of PUT */
};
#define RENEW_TURN_EVENTS 5
void renew_turn_step(struct renew_core *core, struct renew_conversation *c,
                     enum renew_turn_event what, const struct renew_event *e);
/* From the word in a conversation's row. */
enum renew_automation renew_automation_of(struct ck_str word);
void renew_turn_message_row(struct renew_core *core, const struct ck_row *row);
/* Takes automation and last message from the conversation's row. */
void renew_turn_conversation_row(struct renew_core *core, struct renew_conversation *c,
                                 const struct ck_row *row);
/* Whether its rest is known has changed: nothing is judged before it is. */
void renew_turn_rests(struct renew_core *core, struct renew_conversation *c);
/* Forgets the last message, and that the conversation is on auto. */
void renew_turn_forget(struct renew_core *core, struct renew_conversation *c);
/* Asks about the last messages that have settled. */
void renew_turns_settle(struct renew_core *core);
/* No more are asked about than can be at once. */
bool renew_turns_may_settle(const struct renew_core *core);

/* ---- job.c: jobs, and what is under way with them ---- */

/* What happens to a job; job.c has the table. */
enum renew_job_event {
  RENEW_JOB_TURN,      /* its turn has come */
  RENEW_JOB_ANSWERED,  /* the facts are there */
  RENEW_JOB_RECEIPTED, /* the mutation has its receipt */
  RENEW_JOB_RESULTED,  /* the delivery has its result */
  RENEW_JOB_FOLLOWED,  /* what came of it has been followed */
  RENEW_JOB_TIMED,     /* the lease is to be looked at again */
  RENEW_JOB_HELD,      /* it must wait again */
  RENEW_JOB_PENDING,   /* its row came, with that status */
  RENEW_JOB_RUNNING,
  RENEW_JOB_OVER
};
#define RENEW_JOB_EVENTS 10
typedef void renew_job_rule(struct renew_core *core, struct renew_job *j,
                            const struct renew_event *e);
void renew_job_step(struct renew_core *core, struct renew_job *j, enum renew_job_event what,
                    const struct renew_event *e);
void renew_job_row(struct renew_core *core, const struct ck_row *row);
/* The same of one that is not over, and is held, however far it is. */
void renew_job_take(struct renew_core *core, const struct ck_row *row);
/* An attempt of it began so many milliseconds ago: its target and its account are to be left alone
 * for the rest of their spacing. */
void renew_job_begun(struct renew_core *core, const struct ck_row *row, int64_t ago);
/* Enters a phase, which waits for nothing yet. */
void renew_job_enter(struct renew_core *core, struct renew_job *j, enum renew_phase next);
/* Enters it, and gives the ticket for what it waits for. */
uint64_t renew_job_await(struct renew_core *core, struct renew_job *j, enum renew_phase next);
/* It has a slot of its lane. */
void renew_job_take_slot(struct renew_core *core, struct renew_job *j);
/* Its delivery begins. */
void renew_job_begin(struct renew_core *core, struct renew_job *j);
/* Its slot is free; does nothing if it has none. */
void renew_job_free_slot(struct renew_core *core, struct renew_job *j);
/* Its delivery is over, or does not begin: another one may have its slot. The attempt stays ours.
 */
void renew_job_leave_slot(struct renew_core *core, struct renew_job *j);
/* FOLLOWING until this version has been followed. */
void renew_job_follow(struct renew_core *core, struct renew_job *j, uint64_t version);
/* Nothing is under way any more: it waits, or is forgotten if it is over. */
renew_job_rule renew_job_rest;
/* Tells the store the END of an attempt. It is ENDING then. took_ms: -1: not known. */
void renew_job_tell_end(struct renew_core *core, struct renew_job *j, const struct renew_lease *l,
                        const struct renew_verdict *v, const struct renew_result *result,
                        int64_t took_ms);
/* Its conversation's account is another one: so is its lane. */
void renew_job_change_lane(struct renew_core *core, struct renew_job *j);
/* Goes on with those whose version has been followed. */
void renew_jobs_followed(struct renew_core *core);
/* Another history begins. */
void renew_jobs_reset(struct renew_core *core);
/* Frees all. */
void renew_jobs_free(struct renew_core *core);

/* ---- the rules of job.c's table ---- */

/* deliver.c: attempts of ours */
renew_job_rule renew_query_past, renew_past_known, renew_claim_receipted, renew_lease_known,
    renew_resulted, renew_end_receipted;
void renew_trying_free(struct renew_job *j);
/* A row says that the job is over, though its attempt is not: a person cancelled it. */
void renew_attempt_cancelled(struct renew_core *core, struct renew_job *j);
/* offer.c: jobs that are left to their clients */
renew_job_rule renew_offer_begin, renew_offer_read, renew_offer_receipted, renew_offer_withdraw,
    renew_withdraw_receipted;
/* look.c: somebody else's attempts */
renew_job_rule renew_look, renew_look_at_run, renew_looked;

/* ---- limits.c: the limits of accounts ---- */

/* What is known of the account's limit; NULL: it never had one. */
struct renew_account *renew_account_known(const struct renew_core *core, struct ck_str name);
/* Empty: without one. Valid as long as the lane. */
struct ck_str renew_lane_account(const struct renew_lane *l);
/* The lane may be its account's first. */
void renew_account_joined(struct renew_core *core, const struct renew_lane *l);
/* The limit of its account, which may have ended, but is not known to be over; NULL: none. */
const struct renew_account *renew_job_limit(const struct renew_core *core,
                                            const struct renew_job *j);
/* It may not go before that limit's end. */
bool renew_job_is_limited(const struct renew_core *core, const struct renew_job *j);
/* The account's limit is reached. True: *m is what the store is to be told; the texts in it are the
 * account's. False: one without an end was known, and nothing is new. */
bool renew_account_limited(struct renew_core *core, struct ck_str name,
                           const struct renew_limit *limit, struct ck_str reason,
                           struct ck_mutation *m);
/* At that time (wall) something showed that one without an end may be over: an answer in one of its
 * conversations, or a person who wants a delivery. True: it ends, one delivery goes first, and *m
 * is what the store is to be told. */
bool renew_account_answered(struct renew_core *core, struct ck_str name, int64_t at,
                            struct ck_mutation *m);
/* The job's row came: it may be that of a person who wants a delivery now, after all that is known
 * of its account. */
void renew_account_wished(struct renew_core *core, const struct renew_job *j);
/* A delivery of the account that began then (boot) arrived. True: that ended a limit, and *m is
 * what the store is to be told. */
bool renew_account_worked(struct renew_core *core, struct ck_str name, int64_t began,
                          struct ck_mutation *m);
/* The limit goes along with the TELL that was added last, which has that ticket; and alone, if the
 * store refuses that: both of them are lost then, but the account is as it is. */
void renew_limit_tell(struct renew_core *core, const struct ck_mutation *limit, uint64_t with);
/* e: a receipt. */
void renew_limit_receipted(struct renew_core *core, const struct renew_event *e);

/* Asks for those that the store has. Nothing is claimed before they are there. */
void renew_limits_load(struct renew_core *core);
/* It does, from limits.look_at on. */
bool renew_limits_look(const struct renew_core *core);
void renew_limits_page(struct renew_core *core, const struct renew_answer *a);
void renew_limits_reset(struct renew_core *core);
void renew_limits_free(struct renew_core *core);

/* ---- look.c ---- */

/* Looks at everything that runs. Nothing is claimed before that is done. */
void renew_recover_all(struct renew_core *core);

/* ---- doubt.c: unknown ends ---- */

void renew_doubt_begin(struct renew_core *core, struct renew_job *j);
/* Its row came, or it is forgotten. */
void renew_doubt_end(struct renew_core *core, struct renew_job *j);
/* A row that is no job's came. */
void renew_doubts_row(struct renew_core *core);
void renew_doubts_step(struct renew_core *core);
void renew_doubts_page(struct renew_core *core, const struct renew_answer *a);
void renew_resolve_receipted(struct renew_core *core, struct renew_job *j,
                             const struct renew_event *e);

/* ---- upcoming.c: jobs by hand that were not tried yet ---- */

void renew_upcoming_init(struct renew_upcoming *u);
/* The job is one of them; and it is counted as held from now on, or not any more. */
bool renew_upcoming_is(const struct renew_job *j);
void renew_upcoming_count(struct renew_core *core, struct renew_job *j, bool counts);
/* One that is due then (wall) need not be held: it comes with a page, or never goes. */
bool renew_upcoming_is_far(struct renew_core *core, int64_t due);
/* A job's row came, and says that it is over, or not. */
void renew_upcoming_over(struct renew_core *core, struct ck_str job_id, bool over);
/* A row of a page, which is taken unless a newer one has come, or will. Returns the job; NULL: it
 * is not known. */
struct renew_job *renew_upcoming_take(struct renew_core *core, const struct renew_job_row *r);
/* Asks for a page. */
void renew_upcoming_step(struct renew_core *core);
/* Some are not held: then a step of the wall clock matters. *at: when a page is to be asked for. */
bool renew_upcoming_waits(const struct renew_core *core, int64_t *at);
void renew_upcoming_page(struct renew_core *core, const struct renew_answer *a);
void renew_upcoming_reset(struct renew_core *core);

/* ---- begun.c ---- */

void renew_begun_load(struct renew_core *core);
void renew_begun_page(struct renew_core *core, const struct renew_answer *a);
void renew_begun_reset(struct renew_core *core);

/* ---- offer.c ---- */

/* Asks for the offers that a former run made. Nothing is claimed before they are there. */
void renew_offers_load(struct renew_core *core);
/* It does, from offers.at on: the jobs that can have been offered are known. */
bool renew_offers_are_wanted(const struct renew_core *core);
void renew_offers_page(struct renew_core *core, const struct renew_answer *a);
void renew_offers_reset(struct renew_core *core);

/* ---- address.c: jobs that have nowhere to go ---- */

/* A job's row came, and this is its target; NULL: it has none that can be read. */
void renew_address_job(struct renew_core *core, struct renew_job *j,
                       const struct renew_target *target);
void renew_address_link_row(struct renew_core *core, const struct ck_row *row);
/* A job of it waits for the limit of an account: is that what its owner says? Asked for unless it
 * is known. */
void renew_address_account(struct renew_core *core, struct renew_conversation *c);
/* Something is to be asked for, from address_at on. */
bool renew_address_is_asked(const struct renew_core *core);
/* Asks for links. */
void renew_address_step(struct renew_core *core);
void renew_address_known(struct renew_core *core, struct renew_conversation *c,
                         const struct renew_answer *a);
/* The link is not looked for any more. Not of one in the queue, unless that is emptied. */
void renew_address_forget(struct renew_core *core, struct renew_conversation *c);

/* ---- touched.c: jobs that must not go ---- */

/* Looks at the conversations that were touched: proposes that superseded jobs end, and withdraws
 * offers that must wait. */
void renew_touched_step(struct renew_core *core);
void renew_proposal_receipted(struct renew_core *core, struct renew_job *j,
                              const struct renew_event *e);

#endif
