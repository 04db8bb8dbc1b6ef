/* Queries to the store, without waiting: many can be out at once, each answer is given to a
 * callback. When no answer comes, they are sent again on a new connection. */
#ifndef RENEWD_QUERY_H
#define RENEWD_QUERY_H

#include "proto/settings.h"
#include "proto/wire.h"

struct renew_queries;

/* s must outlive it. NULL with the reason: the door cannot be connected. */
struct renew_queries *renew_queries_new(const struct ck_settings *s, struct ck_err *err);
/* Sets *queries to NULL; *queries may be NULL. Queries that are still out get no answer. */
void renew_queries_free(struct renew_queries **queries);

/* The answer to one query; valid during the call. */
struct renew_reply {
  const char *problem; /* NULL; or why the store did not answer, and the rest is 0 */
  uint64_t head;       /* the store's version when the rows were read */
  uint32_t rows;       /* how many there are */
  struct ck_str
      first; /* the row, a map from column to value (proto/map.h); empty when there is none */
  struct ck_str all;    /* the array of all rows */
  struct ck_str cursor; /* for the rows after these; empty: there are none */
};

/* The column must have this value. */
struct renew_filter {
  const char *column; /* NULL: no filter */
  struct ck_value value;
};

#define RENEW_FILTERS 8

/* What are the first rows of the table that fit all filters? */
struct renew_query {
  const char *table;
  struct renew_filter filters[RENEW_FILTERS];
  uint64_t limit, offset; /* limit 0: one row */
  struct ck_str cursor;   /* of a reply: the rows after its own; empty: from the first on */
  void (*take)(void *self, const struct renew_reply *reply); /* copies what it needs */
};

/* Sends n queries at once, at least one. Each `take` is called with its answer, in the order in
 * which the answers come, and `decide` after the last one; problem is NULL, or why the store did
 * not answer one of them. forget: called once, when neither will be called again, also by
 * renew_queries_free; NULL: nobody needs it. The queries are copied. Nothing is called before this
 * returns, nor after renew_queries_free. */
void renew_query_all(struct renew_queries *queries, const struct renew_query *list, unsigned n,
                     void (*decide)(void *self, const char *problem), void (*forget)(void *self),
                     void *self);

/* The socket to wait on (ZMQ_POLLIN); it may be another one after each step. */
void *renew_queries_socket(struct renew_queries *queries);
/* Does what can be done without blocking; all callbacks are called from here. To be called when the
 * socket is readable, when a query was added, and at the latest after the milliseconds that it
 * returned; -1: no limit. */
int renew_queries_step(struct renew_queries *queries);

#endif
