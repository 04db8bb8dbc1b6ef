/* A sink keeps the mirror: a table of operations. It works on one slice or one question at a time.
 * No operation blocks, except that sqlite waits for its own disk. */
#ifndef SYNCD_SINK_H
#define SYNCD_SINK_H

#include "proto/daemon.h"
#include "proto/digest.h"
#include "proto/settings.h"
#include "syncd/batches/answer.h"
#include "syncd/batches/plan.h"
#include "syncd/sinks/errors.h"
#include "syncd/sql/mirror.h"

/* What is asked of the mirror besides writing slices: to compare it with the database, and to
 * repair it. */
enum sync_query_kind {
  SYNC_QUERY_DIGESTS,  /* fills the digest of each range */
  SYNC_QUERY_VERSIONS, /* calls found() for the first `limit` rows in the ranges: range after range,
                        each ascending by key */
  SYNC_QUERY_COMPARE,  /* marks those rows of the slice, all of one table, SYNC_ROW_DIFFERENT that
                        are  not in the mirror with every column and the version */
  SYNC_QUERY_RESET,  /* sets the version of the known rows to 0, so that any write replaces them; a
                      row  that has another version by now stays */
  SYNC_QUERY_DELETE, /* deletes the known rows, with the same exception */
  SYNC_QUERY_SQL /* runs `sql`, statements without parameters, as one transaction; calls row() for
                  each row of the last one */
};

/* The keys after `after`, up to `upto`, compared byte by byte. upto empty: to the end. */
struct sync_range {
  struct ck_str after, upto;
  struct ck_digest digest;
};

/* A row of the mirror, as it was read. */
struct sync_known {
  struct ck_str key;
  int64_t version;
};

/* A question. All that it points to belongs to the caller and stays in place until step() has
 * answered. */
struct sync_query {
  enum sync_query_kind kind;
  enum ck_table table; /* except for COMPARE and SQL */
  struct sync_range *ranges;
  size_t range_count;
  size_t longest; /* bytes of the longest key expected in the ranges */
  size_t limit;
  const struct sync_known *known;
  size_t known_count;
  struct sync_slice *slice;
  const char *sql;
  const struct ck_mirror_witness *witness; /* RESET, DELETE: nothing is done unless it is as
                                              expected; NULL: whatever it is */
  int64_t timeout;                         /* ms; 0: the sink's own */
  /* Texts are valid during the call; the text of a NULL cell is empty. restart (may be NULL): the
   * caller of query() calls it before each try, because one that failed halfway may have called
   * back already. */
  void (*found)(void *self, size_t range, struct ck_str key, int64_t version);
  void (*row)(void *self, const struct ck_str *cells, size_t n);
  void (*restart)(void *self);
  void *self;
};

struct sync_sink {
  const char *name; /* on the wire, and in sync.sinks */
  struct sync_limits limits;
  bool counted;    /* it limits requests: each needs a token from the store (d1.rate) */
  bool own_schema; /* open() makes missing tables itself */
  enum ck_mirror_dialect dialect;
  /* 0: open. 1: open, but something must be set first (err says what, and where); until then every
   * slice is answered with SYNC_STOP. -1: failed, with the reason in err. */
  int (*open)(void **self, const struct ck_settings *s, struct ck_err *err);
  /* Starts to apply the slice, all of it or nothing. The slice must not change until step() has
   * answered. */
  void (*begin)(void *self, struct sync_slice *slice);
  /* Starts a question. NULL if the sink keeps nothing to ask about. */
  void (*query)(void *self, struct sync_query *query);
  /* Continues; true once *answer is filled. With SYNC_DONE, rows of the slice that were not written
   * after all are marked (EARLY or DEAD). */
  bool (*step)(void *self, struct sync_answer *answer);
  /* Adds what step() waits for. Called only between begin() or query() and the answer. */
  void (*wait)(void *self, struct ck_wait *w);
  void (*close)(void **self);
};

extern const struct sync_sink sync_sink_sqlite, sync_sink_d1, sync_sink_postgres, sync_sink_null;

/* The sink of that name in sync.sinks; NULL if there is none. */
const struct sync_sink *sync_sink_named(const char *name);

#endif
