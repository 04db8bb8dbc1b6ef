/* The plain ways to bring messages to D1, against which syncd is measured. */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H

#include "bench/common.h"
#include "bench/observation.h"

/* A load of n messages with `text` bytes each and random ids, `per_changeset` in a changeset. Free
 * with bench_load_free. */
struct bench_load shapes_load(size_t n, size_t text, size_t per_changeset, uint64_t seed);

/* A request is one upsert of one row, one of several rows in VALUES, a batch of one-row statements,
 * or upserts of all rows in JSON parameters (json_each). */
enum shape { SHAPE_ONE, SHAPE_VALUES, SHAPE_BATCH, SHAPE_JSON };

struct shape_bodies {
  size_t n, rows; /* bodies; rows in all */
  struct ck_buf *at;
};

/* The bodies of the requests that bring n messages to D1, prepared before anything is measured.
 * per_request, params: for SHAPE_JSON, the rows and the parameters of a request. */
struct shape_bodies shapes_make(enum shape shape, size_t n, size_t text, size_t per_request,
                                size_t params, uint64_t seed);
void shapes_free(struct shape_bodies *b);

/* Sends them one after another. Returns rows a second. */
double shapes_send(const struct shape_bodies *b);

#endif
