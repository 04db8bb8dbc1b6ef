/* The load: observations of one message of 500 bytes (or another size) with a random id each, in 50 conversations, as a browser would see them. The same ones
 * as changesets (by ingest's own shape), as what the door `observe` takes, and as the rows that the store makes of them. */
#ifndef BENCH_OBSERVATION_H
#define BENCH_OBSERVATION_H

#include "proto/records.h"

#define BENCH_CONVERSATIONS 50
#define BENCH_TEXT 500
#define BENCH_TEXT_MAX 1000

struct bench_load {
  size_t n;
  struct ck_str *changesets;   /* encoded arrays of mutations */
  struct ck_str *observations; /* encoded maps */
  struct ck_arena arena;
};

/* Other ids for every seed. */
struct bench_load bench_load_make(size_t n, uint64_t seed);
/* The same with texts of so many bytes, up to BENCH_TEXT_MAX. */
struct bench_load bench_load_sized(size_t n, size_t text, uint64_t seed);
/* Likewise, the first seen at this time (ms), every other 1 ms after the one before. */
struct bench_load bench_load_from(size_t n, size_t text, uint64_t seed, int64_t at);
void bench_load_free(struct bench_load *load);

/* What one changeset makes of an empty store: a message, a session, a conversation, a link, in this order; text is in the changeset and in arena. */
enum { BENCH_ROWS = 4 };
void bench_load_rows(struct ck_row rows[BENCH_ROWS], struct ck_str changeset, struct ck_arena *arena);

#endif
