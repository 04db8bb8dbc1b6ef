/* What the parts of applying share: apply.c (changesets and batches), apply_record.c (the six
 * tables), apply_system.c (the store's own). Nobody else's. */
#ifndef CK_STORE_APPLY_INTERNAL_H
#define CK_STORE_APPLY_INTERNAL_H

#include "store/write/apply.h"
#include "store/write/tables.h"

struct apply {
  sqlite3 *db;
  struct system_tables *system;
  struct leases *leases;
  const char *mirror;
  struct tables *tables;
  struct cache *cache;
  uint64_t head;      /* with what is not committed yet */
  uint64_t committed; /* durable */
  uint64_t serial;    /* of the changeset at hand */
  int64_t now;
  int64_t added[CK_TABLES]; /* inserted in this transaction */
  bool savepoint;           /* the changeset at hand has touched the store's own tables */
  bool failed;              /* the database failed, not a rule */
  /* the changeset at hand */
  int64_t new_messages, new_executions;
  bool known; /* it put a message or an execution that was there */
  int64_t fresh[CK_TABLES];
  bool inserted, updated;
  size_t published_before, ended_before;
  uint64_t refill, refill_before; /* the mirror is to be filled anew up to there, once this batch is
                                     durable; 0: it is not */
  struct published *published;
  size_t published_count, published_cap;
  uint64_t *ended; /* generations of the sync leases that this batch ends */
  size_t ended_count, ended_cap;
  struct ck_arena frame, batch; /* text of one changeset; text that lives until the batch is told */
  struct ck_buf path;
};

/* Notes that the database failed, not a rule: the whole batch is to be abandoned. Returns -1. */
int apply_failed(struct apply *a);

/* The SQL of the store's own tables runs at once; after this it is undone with the changeset. */
int apply_savepoint(struct apply *a, struct ck_err *err);

/* The record's entry, whether it exists or not. NULL: the database failed. */
struct entry *apply_find(struct apply *a, enum ck_table t, struct ck_str key, struct ck_err *err);

/* Makes `after` the record's newest state, checks what it refers to, and gives it the next version.
 */
int apply_change(struct apply *a, struct entry *e, const struct ck_row *after, struct ck_err *err);

/* A write of a record that must exist. */
int apply_update(struct apply *a, struct ck_row *write, struct ck_err *err);

/* A count grown by `more`; it stays at INT64_MAX. */
int64_t apply_sum(int64_t count, int64_t more);

bool apply_is_running(const struct ck_row *job);

/* One function a mutation: 0, or -1 with the reason. */
#define APPLY_MUTATE(NAME, name, number) \
  int mutate_##name(struct apply *a, const struct ck_##name *m, struct ck_err *err);
CK_MUTATION_LIST(APPLY_MUTATE)
#undef APPLY_MUTATE

#endif
