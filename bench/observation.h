/* The load: observations of one message of 500 bytes (or another size) with a random id each, in 50
 * conversations (or more), as a browser would see them. The same ones as changesets (by ingest's
 * own shape), as what the door `observe` takes, and as the rows that the store makes of them. */
#ifndef BENCH_OBSERVATION_H
#define BENCH_OBSERVATION_H

#include "proto/records.h"

#define BENCH_CONVERSATIONS 50
#define BENCH_TEXT 500
#define BENCH_TEXT_MAX 1000

struct bench_load {
  size_t n, conversations;
  struct ck_str *changesets;   /* encoded arrays of mutations */
  struct ck_str *observations; /* encoded maps */
  struct ck_arena arena;
};

/* What is 0 is as usual: texts of BENCH_TEXT bytes (up to BENCH_TEXT_MAX), BENCH_CONVERSATIONS, the
 * first seen on a day of 2026 (ms), every other 1 ms after the one before. Other ids for every
 * seed. */
struct bench_kind {
  size_t n, text, conversations;
  uint64_t seed;
  int64_t at;
};
struct bench_load bench_load_of(struct bench_kind kind);
struct bench_load bench_load_make(size_t n, uint64_t seed);
void bench_load_free(struct bench_load *load);

/* ---- as rows ---- */

/* What one changeset makes of an empty store: a message, a session, a conversation, a link, in this
 * order. */
enum { BENCH_ROWS = 4 };
/* Text is in the changeset and in arena. */
void bench_load_rows(struct ck_row rows[BENCH_ROWS], struct ck_str changeset,
                     struct ck_arena *arena);

struct bench_rows {
  struct ck_row (*at)[BENCH_ROWS];
  size_t *conversation; /* of each changeset, 0 to conversations - 1 */
  size_t n, conversations;
  struct ck_arena arena;
};
/* Those of all changesets, made by the store's own rules. Their text is the load's and the arena's.
 */
struct bench_rows bench_rows_of(const struct bench_load *load);
void bench_rows_free(struct bench_rows *rows);

/* What an INSERT of each row ends with, in SQLite and in PostgreSQL: what a later observation of
 * the same conversation changes. NULL: nothing, a message is new. */
extern const char *const bench_merges[BENCH_ROWS];

/* What some changesets together make of the conversations that they touch: each record once. */
struct bench_group {
  size_t n; /* conversations touched */
  struct bench_touched {
    const struct ck_row *newest; /* the rows of its newest changeset */
    size_t messages;
  } * at;
  size_t *place; /* by conversation: 1 + where it is in `at`; 0: not touched */
};
struct bench_group bench_group_new(const struct bench_rows *rows);
void bench_group_free(struct bench_group *g);
/* Of the changesets from `from` on and before `to`. */
void bench_group_make(struct bench_group *g, const struct bench_rows *rows, size_t from, size_t to);
/* Row k (1 to BENCH_ROWS - 1) of touched conversation i. A session has the number of messages that
 * are new. */
struct ck_row bench_group_row(const struct bench_group *g, size_t i, int k);

#endif
