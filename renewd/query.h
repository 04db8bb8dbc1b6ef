/* Questions to the store that do not wait: many under way at once, each answered by a call, asked
 * again on a fresh connection when no answer comes. */
#ifndef RENEWD_QUERY_H
#define RENEWD_QUERY_H

#include "proto/settings.h"
#include "proto/wire.h"

struct renew_query;

struct renew_query *renew_query_new(const struct ck_settings *s, struct ck_err *err);
void renew_query_free(struct renew_query **query); /* without the answers that are still out */

/* One row of an answer: a map of the wire, read by name. */
struct ck_str renew_cell(struct ck_str row, const char *column); /* empty when it is no text */
int64_t renew_cell_int(struct ck_str row, const char *column, int64_t otherwise);

struct renew_reply {
  const char *problem; /* NULL; else why the store would not answer, and the rest is empty */
  uint64_t head;       /* the store's version that the rows are of */
  uint32_t rows;
  struct ck_str first; /* the first row's map; empty when there is none */
};

struct renew_filter {
  const char *column; /* NULL: none */
  struct ck_value value;
};

/* One of several questions that are asked at once: the first row of the table that fits both
 * filters. */
struct renew_question {
  const char *table;
  struct renew_filter filters[2];
  void (*take)(void *self, const struct renew_reply *reply); /* takes what it needs of the answer */
};

/* Asks all `n` (at least one) at once. Calls each `take` with its answer, in the order in which
 * they come, and `decide` after the last of them. problem: NULL, or why the store would not answer
 * one of them. What is borrowed is copied. Calls nothing before it returns, nor after
 * renew_query_free. */
void renew_query_all(struct renew_query *query, const struct renew_question *questions, unsigned n,
                     void (*decide)(void *self, const char *problem), void *self);

void *renew_query_socket(
    struct renew_query *query); /* to be waited on; it may be another one after a step */
uint64_t
renew_query_answered(const struct renew_query *query); /* how many answers have been given so far */
int renew_query_step(struct renew_query *query);       /* as ck_push_step */

#endif
