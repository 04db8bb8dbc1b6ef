/* What the rows of a QUERY can be filtered by. The six tables: their columns with CK_FILTER, by
 * equality, and those with CK_FILTER_MAX, by an upper bound under the name COLUMN_max. The system
 * tables that a QUERY knows have filters of their own, by equality. */
#ifndef CK_PROTO_FILTERS_H
#define CK_PROTO_FILTERS_H

#include "proto/records.h"

/* S(SQL name, a filter of it): the system tables that a QUERY knows. */
#define CK_SYSTEM_FILTER_LIST(S) \
  S(automation, local_conversation_id) \
  S(leases, job_id) \
  S(unreached, job_id) \
  S(offers, client) \
  S(offers, job_id) \
  S(ended, job_id) \
  S(sent, message_id) \
  S(dead_letters, sink) \
  S(refusals, producer)

struct ck_filter {
  const char *name; /* in the QUERY */
  const char *column;
  const struct ck_field *field; /* NULL: of a system table */
  bool at_most;                 /* the rows' values are at most the filter's, not equal to it */
};

/* Fills f with the table's filter of that name. table: a name in SQL. 0, or -1: it has none. */
int ck_filter_named(struct ck_filter *f, const char *table, struct ck_str name);

/* Appends the names of all the table's filters, this text between two of them. */
void ck_filter_names(struct ck_buf *b, const char *table, const char *between);

#endif
