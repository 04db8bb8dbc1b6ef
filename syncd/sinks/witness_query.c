/* See witness_query.h. */
#include "syncd/sinks/witness_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

/* A query may be tried again. */
static void restart(void *self) {
  struct sync_witness *v = self;
  v->there = false;
  memset(v->cells, 0, sizeof v->cells);
}

static void row(void *self, const struct ck_str *cells, size_t n) {
  struct sync_witness *v = self;
  for (size_t i = 0; i < 3 && n == 3; ++i) {
    struct ck_str cut = ck_utf8_cut(cells[i], sizeof v->cells[i] - 1);
    snprintf(v->cells[i], sizeof v->cells[i], "%.*s", (int)cut.n, cut.n ? cut.s : "");
  }
  v->there = true;
}

void sync_witness_init(struct sync_witness *v) {
  *v = (struct sync_witness){.query = {.kind = SYNC_QUERY_SQL,
                                       .sql = CK_MIRROR_WITNESS_READ,
                                       .row = row,
                                       .restart = restart,
                                       .self = v}};
}

void sync_witness_want(struct sync_witness *v, struct ck_str run) {
  if (run.n == 0 || run.n >= sizeof v->run) return;
  v->wanted = true;
  snprintf(v->run, sizeof v->run, "%.*s", (int)run.n, run.s);
}

bool sync_witness_open(const struct sync_witness *v) {
  return v->wanted || v->asking || v->telling;
}

void sync_witness_encode(const struct sync_witness *v, const char *sink, struct ck_buf *mutations) {
  struct ck_mutation m = {.kind = CK_OP_WITNESS};
  m.as.witness = (struct ck_witness){.sink = ck_str_of(sink),
                                     .run = ck_str_of(v->run),
                                     .there = v->there,
                                     .store_id = ck_str_of(v->cells[0]),
                                     .of_run = ck_str_of(v->cells[1]),
                                     .version = strtoull(v->cells[2], NULL, 10)};
  ck_put_array(mutations, 1);
  ck_mutation_encode(mutations, &m);
}
