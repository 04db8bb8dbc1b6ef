/* The mirror's witness as a worker or a task reads it, and tells it to the store
 * (sql/mirror_witness.h). */
#ifndef SYNCD_WITNESS_QUERY_H
#define SYNCD_WITNESS_QUERY_H

#include "syncd/sinks/sink.h"

struct sync_witness {
  struct sync_query query; /* for the sink */
  bool there;
  char run[40];      /* of the store, which wants to know it */
  char cells[3][80]; /* store_id, run and version, as it stands there */
  /* Of a worker: */
  bool wanted;  /* the store wants it, … */
  bool asking;  /* … the sink has the question, … */
  bool telling; /* … or the store has the answer, without a receipt */
};

/* The witness must not move afterwards: its query points to it. */
void sync_witness_init(struct sync_witness *v);
/* The store wants it; run "": it does not. */
void sync_witness_want(struct sync_witness *v, struct ck_str run);
/* Until the store knows it, a worker takes no batch: it would be returned at once. */
bool sync_witness_open(const struct sync_witness *v);
/* Appends a changeset's mutations that tell it. */
void sync_witness_encode(const struct sync_witness *v, const char *sink, struct ck_buf *mutations);

#endif
