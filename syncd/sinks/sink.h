/* Where the mirror is kept: a table of operations. One slice or one question at a time; nothing
 * here waits, except sqlite for its own disk. */
#ifndef SYNCD_SINK_H
#define SYNCD_SINK_H

#include "proto/daemon.h"
#include "proto/digest.h"
#include "syncd/sql/mirror.h"
#include "proto/settings.h"
#include "syncd/sinks/errors.h"
#include "syncd/batches/plan.h"

#define SYNC_TEXT 320

struct sync_answer {
  enum sync_class class;
  int64_t wait_ms; /* how long to wait at least, where the other side said it; 0: not said */
  uint64_t
      written; /* rows that the sink says it wrote, its indexes' included where it counts them */
  char text[SYNC_TEXT]; /* why not, as the sink said it */
  bool rate_said; /* the sink said how many more requests it takes, within so many milliseconds */
  int64_t rate_left, rate_ms;
};

/* What is asked of the mirror beside writing slices: to compare it with the database, and to mend
 * it. */
enum sync_ask_kind {
  SYNC_ASK_DIGESTS,  /* fills the digest of each range */
  SYNC_ASK_VERSIONS, /* calls found() for the first `limit` rows in the ranges, a range after the
                        other, each ascending by key */
  SYNC_ASK_COMPARE,  /* marks those rows of the slice, all of one table, SYNC_ROW_DIFFERENT that are
                        not there with each column and the version */
  SYNC_ASK_RESET,  /* sets the version of the known rows to 0, so that whatever is written replaces
                      them; one that has another version by now stays */
  SYNC_ASK_DELETE, /* deletes the known rows, likewise */
  SYNC_ASK_SQL     /* runs `sql`, statements without parameters, as one transaction; calls row() for
                      each row that the last one gives */
};

/* The keys behind `after` up to `upto`, compared byte by byte; upto empty: to the end. */
struct sync_range {
  struct ck_str after, upto;
  struct ck_digest digest;
};

struct sync_known {
  struct ck_str key;
  int64_t version;
};

/* Everything that it points to belongs to the caller and stays until step() has answered. */
struct sync_ask {
  enum sync_ask_kind kind;
  enum ck_table table; /* of all but COMPARE and SQL */
  struct sync_range *ranges;
  size_t range_count;
  size_t longest; /* bytes of the longest key that is expected in the ranges */
  size_t limit;
  const struct sync_known *known;
  size_t known_count;
  struct sync_slice *slice;
  const char *sql;
  int64_t timeout; /* milliseconds; 0: the sink's own */
  /* Text is valid during the call; a cell that is NULL is empty. anew (may be NULL): whoever asks
   * calls it before each try, because one that failed in the middle may have called back already.
   */
  void (*found)(void *self, size_t range, struct ck_str key, int64_t version);
  void (*row)(void *self, const struct ck_str *cells, size_t n);
  void (*anew)(void *self);
  void *self;
};

struct sync_sink {
  const char *name; /* on the wire and in sync.sink */
  struct sync_limits limits;
  bool counted;    /* it counts requests: each needs the store's leave (d1.rate) */
  bool own_schema; /* open() makes the tables where they are missing */
  enum ck_mirror_dialect dialect;
  /* 0. 1: it is open, but a person has to set something first (err says what, and where): until
   * then each slice is answered with SYNC_STOP. -1: err. */
  int (*open)(void **self, const struct ck_settings *s, struct ck_err *err);
  /* Starts to apply the slice, all of it or nothing. The slice stays as it is until step() has
   * answered. */
  void (*begin)(void *self, struct sync_slice *slice);
  /* Starts to ask; NULL where there is nothing to compare. */
  void (*ask)(void *self, struct sync_ask *ask);
  /* Goes on; true when *answer is filled. With SYNC_DONE, rows of the slice that are not in the
   * mirror after all are marked. */
  bool (*step)(void *self, struct sync_answer *answer);
  void (*wait)(void *self, struct ck_wait *w); /* what step() waits for; called only between begin()
                                                  or ask() and its answer */
  void (*close)(void **self);
};

extern const struct sync_sink sync_sink_sqlite, sync_sink_d1, sync_sink_postgres, sync_sink_null;

/* By the name in sync.sink; NULL when there is none. */
const struct sync_sink *sync_sink_named(const char *name);

/* Copies, cut where it is too long; what comes out is UTF-8, because it goes on in frames. */
void sync_text_copy(char out[SYNC_TEXT], const char *text);

/* Fills the answer from what the other side said. Always returns true. */
bool sync_answer_text(struct sync_answer *a, enum sync_class class, const char *text);

#endif
