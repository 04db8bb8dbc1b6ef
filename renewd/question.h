/* The core's questions: each becomes queries to the store, whose rows become plain facts. */
#ifndef RENEWD_QUESTION_H
#define RENEWD_QUESTION_H

#include "renewd/core/core.h"
#include "renewd/query.h"

typedef void renew_answered(void *self, uint64_t ticket, const struct renew_answer *answer);

/* Sends the question. answered: called once with self, from renew_queries_step, unless the queries
 * are freed first; the answer is valid during the call. */
void renew_question_send(struct renew_queries *queries, uint64_t ticket,
                         const struct renew_question *q, renew_answered *answered, void *self);

/* What the receipt of a claim says that it found, as the answer to the question about its lease,
 * job and conversation. Text is borrowed. head: the version up to which it is known. */
struct renew_answer renew_answer_of_claim(const struct ck_claimed *claimed, uint64_t head);

/* The query for the conversation's active link that was observed last, and what its row says. Text
 * is borrowed from the row. */
struct renew_query renew_link_query(struct ck_str conversation_id,
                                    void (*take)(void *self, const struct renew_reply *reply));
struct renew_link renew_link_of(struct ck_str row);

#endif
