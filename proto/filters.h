/* What the rows of a QUERY can be filtered by. The six tables: their columns with CK_FILTER, by
 * equality, and those with CK_FILTER_MAX, by an upper bound under the name COLUMN_max. The system
 * tables that a QUERY knows have filters of their own, by equality. Some lists have more. */
#ifndef CK_PROTO_FILTERS_H
#define CK_PROTO_FILTERS_H

#include "proto/records.h"

/* S(SQL name, a filter of it): the system tables that a QUERY knows. */
#define CK_SYSTEM_FILTER_LIST(S) \
  S(automation, local_conversation_id) \
  S(leases, job_id) \
  S(unreached, job_id) \
  S(waits, kind) \
  S(waits, id) \
  S(limits, account) \
  S(offers, client) \
  S(offers, job_id) \
  S(pauses, kind) \
  S(attempts, job_id) \
  S(attempts, local_conversation_id) \
  S(doubts, job_id) \
  S(sent, message_id) \
  S(dead_letters, sink) \
  S(dead_letters, mirror) \
  S(refusals, producer) \
  S(places, conversation_id) \
  S(places, platform) \
  S(bodies, version) \
  S(executed, message_id) \
  S(questions, local_conversation_id) \
  S(job_count, status) \
  S(job_count, local_conversation_id) \
  S(attachments, file) \
  S(attachments, name) \
  S(attachments, hash)

/* How a filter chooses rows. */
enum ck_filter_by {
  CK_BY_VALUE,     /* the column has the value; or one of them, if it is an array */
  CK_BY_MOST,      /* the column has at most the value */
  CK_BY_LEAST,     /* the column has at least the value */
  CK_BY_BEGINNING, /* the column's text begins with the value */
  CK_BY_WORDS,     /* the column's text contains every word of the value (proto/words.h) */
  CK_BY_SORT,      /* the value is one of `choices`, and names the time by which rows are sorted */
  CK_BY_SINCE,     /* the time by which the rows are sorted is at least the value */
  CK_BY_UNTIL      /* it is before the value */
};

#define CK_JOB_IS_SUPERSEDED "iif(last_error GLOB '" CK_SUPERSEDED "*', 'yes', 'no')"
#define CK_JOB_PLATFORM \
  "(SELECT c.platform FROM local_conversations c" \
  " WHERE c.local_conversation_id = renewal_jobs.local_conversation_id)"

/* L(SQL name, filter, column or choices, how): further filters of a list. named: 1 is what a person
 * named, not what went with it. */
#define CK_LIST_FILTER_LIST(L) \
  L(messages, since, NULL, CK_BY_SINCE) \
  L(messages, until, NULL, CK_BY_UNTIL) \
  L(executions, since, NULL, CK_BY_SINCE) \
  L(executions, until, NULL, CK_BY_UNTIL) \
  L(sessions, since, NULL, CK_BY_SINCE) \
  L(sessions, until, NULL, CK_BY_UNTIL) \
  L(conversation_links, since, NULL, CK_BY_SINCE) \
  L(conversation_links, until, NULL, CK_BY_UNTIL) \
  L(renewal_jobs, since, NULL, CK_BY_SINCE) \
  L(renewal_jobs, until, NULL, CK_BY_UNTIL) \
  L(renewal_jobs, superseded, CK_JOB_IS_SUPERSEDED, CK_BY_VALUE) \
  L(renewal_jobs, platform, CK_JOB_PLATFORM, CK_BY_VALUE) \
  L(job_count, superseded, CK_JOB_IS_SUPERSEDED, CK_BY_VALUE) \
  L(job_count, platform, CK_JOB_PLATFORM, CK_BY_VALUE) \
  L(local_conversations, begins, "local_conversation_id", CK_BY_BEGINNING) \
  L(local_conversations, title, "title", CK_BY_WORDS) \
  L(local_conversations, sort, CK_SORTS, CK_BY_SORT) \
  L(local_conversations, since, NULL, CK_BY_SINCE) \
  L(local_conversations, until, NULL, CK_BY_UNTIL) \
  L(conversation_links, begins, "remote_conversation_id", CK_BY_BEGINNING) \
  L(forgotten, named, "(forgotten_id = forgotten_with)", CK_BY_VALUE) \
  L(upcoming, next_attempt_at_min, "next_attempt_at", CK_BY_LEAST) \
  L(attempts, since, "at", CK_BY_LEAST) \
  L(attempts, version_min, "version", CK_BY_LEAST) \
  L(waits, number_min, "number", CK_BY_LEAST)

/* How conversations can be sorted; the first unless the QUERY says another. */
#define CK_SORTS "last|updated|created"

struct ck_filter {
  const char *name;             /* in the QUERY */
  const char *column;           /* of CK_BY_SORT its choices; NULL: it is about the order */
  const struct ck_field *field; /* NULL: not a column of the six tables */
  enum ck_filter_by by;
};

/* Fills f with the table's filter of that name. table: a name in SQL. 0, or -1: it has none. */
int ck_filter_named(struct ck_filter *f, const char *table, struct ck_str name);

/* Appends the names of all the table's filters, this text between two of them. */
void ck_filter_names(struct ck_buf *b, const char *table, const char *between);

#endif
