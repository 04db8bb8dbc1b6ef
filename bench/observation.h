/* The load of most measurements: observations of one message each, with a random id, by default of
 * 500 bytes and in 50 conversations, as a browser would send them. The same load is available as
 * observations (what the door `observe` accepts), as changesets (what ingest makes of them) and as
 * rows (what the store makes of those). */
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

/* A field that is 0 has its default. text: bytes, at most BENCH_TEXT_MAX; default BENCH_TEXT.
 * conversations: default BENCH_CONVERSATIONS. at: the first observed_at, in ms; default a day of
 * 2026; each message is 1 ms later than the one before. seed: each seed gives other ids. */
struct bench_kind {
  size_t n, text, conversations;
  uint64_t seed;
  int64_t at;
};
struct bench_load bench_load_of(struct bench_kind kind);
struct bench_load bench_load_make(size_t n, uint64_t seed);
void bench_load_free(struct bench_load *load);

/* ---- as rows ---- */

/* The rows that one changeset makes in an empty store: a message, a session, a conversation and a
 * link, in this order. */
enum { BENCH_ROWS = 4 };
/* The rows' text points into the changeset and arena. */
void bench_load_rows(struct ck_row rows[BENCH_ROWS], struct ck_str changeset,
                     struct ck_arena *arena);

struct bench_rows {
  struct ck_row (*at)[BENCH_ROWS];
  size_t *conversation; /* for each changeset, 0 to conversations - 1 */
  size_t n, conversations;
  struct ck_arena arena;
};
/* The rows of all changesets, made by the store's own rules. Their text points into the load and
 * the arena. */
struct bench_rows bench_rows_of(const struct bench_load *load);
void bench_rows_free(struct bench_rows *rows);

/* The ON CONFLICT clause of each row's INSERT, for SQLite and PostgreSQL: what a later observation
 * of the same conversation changes. NULL: none, because every message is new. */
extern const char *const bench_merges[BENCH_ROWS];

/* The rows that several changesets write together, each record once. */
struct bench_group {
  size_t n; /* conversations touched */
  struct bench_touched {
    const struct ck_row *newest; /* the rows of its newest changeset in the group */
    size_t messages;
  } * at;
  size_t *place; /* by conversation: 1 + its index in `at`; 0: not touched */
};
struct bench_group bench_group_new(const struct bench_rows *rows);
void bench_group_free(struct bench_group *g);
/* Makes the group of the changesets [from, to). */
void bench_group_make(struct bench_group *g, const struct bench_rows *rows, size_t from, size_t to);
/* Row k (1 to BENCH_ROWS - 1) of touched conversation i. A session's message_count is the number of
 * new messages. */
struct ck_row bench_group_row(const struct bench_group *g, size_t i, int k);

#endif
