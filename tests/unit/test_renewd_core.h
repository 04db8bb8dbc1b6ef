/* The core of renewd, driven by hand: rows and answers go in, and what it says is looked for among
 * the effects. One core at a time, in one process. */
#ifndef CK_TEST_RENEWD_CORE_H
#define CK_TEST_RENEWD_CORE_H

#include "renewd/core/core.h"

extern struct renew_core core;
extern struct renew_effects effects;
extern struct renew_now at; /* both clocks advance together unless a test steps one */

#define TARGET "{\"kind\":\"exec\",\"id\":\"it\"}" /* one that is served */
#define REPEATABLE "{\"kind\":\"null\"}"
#define CLIENTS "{\"kind\":\"feed\",\"client_id\":\"ff1\"}"

/* A core without delay and spacing that has followed an empty store, and is connected. */
void core_begin(void);
void core_end(void);
/* The same before it has followed anything. */
void core_new(void);
/* Follows, is connected, and has read the offers of a former run and the limits of accounts, of
 * both of which there are none. */
void core_connect(void);
/* The store says what the rows that came stand for as soon as it is asked: calendar times of jobs
 * by hand that were not tried, and waits. A test that answers by itself sets this to false. */
extern bool knows_waits;
void pass(int64_t ms);

/* ---- events ---- */

void happen(enum renew_event_kind kind);
void follow(uint64_t version);
/* No answer: problem. */
void answer(const struct renew_effect *query, struct renew_answer a);
void receipt(const struct renew_effect *tell, char result, uint64_t version);
/* Of a claim, with what it found. */
void receipt_found(const struct renew_effect *claim, uint64_t version, struct renew_answer found);
void result(const struct renew_effect *send, enum renew_outcome outcome);

void row_message(const char *id, const char *text);
void row_conversation(const char *id, const char *automation, const char *last,
                      int64_t cooldown_until);
/* Of a job: what is not given is 0. next: `at.wall` if there is none of the two. */
struct row_of_job {
  const char *id, *of, *message, *status, *target;
  int64_t attempts, created_at, last_attempt_at;
  struct ck_value next;
};
void row_job(struct row_of_job j);
/* As a page has it, which was changed at that version. */
struct renew_job_row listed(uint64_t version, struct row_of_job j);
/* The question about jobs by hand, if there is one, is answered with those pending ones whose rows
 * came before the core was live. */
void page(void);
void row_link(const char *of);

/* The id of renewd's own job for the message; valid until the 64th call after it. */
const char *automatic(const char *message);

/* ---- effects: the oldest that fits and was not found before; NULL: none ---- */

const struct renew_effect *queried(unsigned parts);
const struct renew_effect *told(enum ck_mutation_kind kind);
const struct renew_effect *sent(void);
const struct renew_effect *abandoned(void);
const struct renew_line *said(const char *event);

/* ---- what is often looked for ---- */

enum renew_phase phase(const char *job);
/* After a tick, the next job that has its turn; NULL: none has. */
void claims(const char *job);
/* The question about its conversation's past. */
const struct renew_effect *past_query(void);
/* Its attempt goes on: the store says that the conversation is free to go, grants the claim, and
 * reads its target as `target`. Returns the SEND. */
const struct renew_effect *sends(const char *job, const char *target);
/* The facts that the store has then. */
struct renew_answer leased(const char *job, const char *target);
/* The attempt that was claimed ends so; its rows come with `status`, and are followed. */
void ends(const char *job, enum renew_outcome outcome, const char *status);

#define PAST (RENEW_ABOUT_PAST)
#define LEASE \
  (RENEW_ABOUT_LEASE | RENEW_ABOUT_UNREACHED | RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION)
#define LOOK (RENEW_ABOUT_LEASE | RENEW_ABOUT_JOB)
#define OFFER (RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION)
#define TURN \
  (RENEW_ABOUT_MESSAGE | RENEW_ABOUT_CONVERSATION | RENEW_ABOUT_AUTOMATION | \
   RENEW_ABOUT_JOB_OF_MESSAGE | RENEW_ABOUT_LINK)

#endif
