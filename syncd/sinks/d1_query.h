/* Queries to D1 (struct sync_query) for its REST API; pure. */
#ifndef SYNCD_D1_QUERY_H
#define SYNCD_D1_QUERY_H

#include "syncd/sinks/sink.h"

/* Appends the request's body. */
void sync_d1_query_body(struct ck_buf *body, const struct sync_query *query,
                        const struct sync_limits *limits);

/* Reads the answer: fills *a and what was asked for, and calls back. */
void sync_d1_query_answer(struct sync_answer *a, long http, struct ck_str body,
                          struct sync_query *query);

#endif
