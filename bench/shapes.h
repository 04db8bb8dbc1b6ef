/* Messages, and the plain ways to bring them to D1: what syncd is measured against. */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H

#include "bench/common.h"
#include "bench/observation.h"

/* n messages whose text has so many bytes, with random ids, in changesets of so many. Free with
 * bench_load_free. */
struct bench_load shapes_load(size_t n, size_t text, size_t per_changeset, uint64_t seed);

enum shape { SHAPE_ONE, SHAPE_VALUES, SHAPE_BATCH, SHAPE_JSON };

struct shape_bodies {
  size_t n, rows; /* bodies; rows in all */
  struct ck_buf *at;
};

/* The requests that bring n messages there, made before anything is measured. SHAPE_JSON: so many
 * rows a request, in so many parameters. */
struct shape_bodies shapes_make(enum shape shape, size_t n, size_t text, size_t per_request,
                                size_t params, uint64_t seed);
void shapes_free(struct shape_bodies *b);

/* Rows a second of sending them one after another, and nothing else. */
double shapes_send(const struct shape_bodies *b);

#endif
