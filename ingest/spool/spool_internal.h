/* The spool's state, shared by spool.c (the running spool), spool_open.c (its start) and
 * spool_note.c (its notes). */
#ifndef INGEST_SPOOL_SPOOL_INTERNAL_H
#define INGEST_SPOOL_SPOOL_INTERNAL_H

#include "ingest/spool/segment.h"
#include "ingest/spool/spool.h"
#include "proto/spool_files.h"

#define SPOOL_SEGMENT_MAX (4u << 20)
#define SPOOL_READ_AHEAD (256u << 10)
/* A small batch is followed by zeroes, enough for SPOOL_AHEAD_BATCHES more like it, which later
 * batches overwrite: a sync of a file that did not grow has no metadata to write, and takes half as
 * long. Not so after a large batch: writing its zeroes would cost more than the metadata. */
#define SPOOL_AHEAD_BATCH_MAX (128u << 10)
#define SPOOL_AHEAD_BATCHES 16
#define SPOOL_AHEAD_MIN (64u << 10)
#define SPOOL_AHEAD_MAX (1u << 20)

struct spool_segment {
  uint64_t first, last; /* last is first - 1 while it is empty */
  uint64_t size;
  char name[CK_SPOOL_NAME_MAX];
};

struct ingest_spool {
  struct ingest_spool_ops ops;
  int dir; /* the folder */
  char producer[CK_SPOOL_ID_MAX];
  struct spool_segment *segments; /* ascending; the last one grows */
  size_t count, room;
  int active;          /* file of the segment that grows; -1: none yet */
  uint64_t written;    /* length of that file, zeroes included */
  struct ck_buf batch; /* records that are not durable yet */
  uint64_t batch_first, batch_last;
  uint64_t released; /* the last number with a receipt */
  uint64_t noted;    /* what spool/released says */
  uint64_t known;    /* the last number that may have been sent to a store */
  bool answered;     /* the store has answered since the spool was opened, or the id is new */
  bool unsent;       /* spool/unsent exists */
  bool broken;
  struct ck_counts counts; /* that came last */
  struct ck_histogram syncs;
  /* reading back */
  int reading;          /* file of the segment that is read; -1: none */
  uint64_t read_first;  /* its first number */
  uint64_t read_number; /* the next record */
  uint64_t read_at;     /* and its offset */
  struct ck_buf ahead;
  uint64_t ahead_at;
};

struct spool_segment *spool_add_segment(struct ingest_spool *s);
/* Begins a new segment at number `first`. 0, or -1 with errno. */
int spool_roll(struct ingest_spool *s, uint64_t first);
/* Unlinks segments whose numbers all have receipts, but never the one that grows. */
void spool_drop_released(struct ingest_spool *s);
/* The last durable number. */
uint64_t spool_last(const struct ingest_spool *s);

/* ---- spool_note.c: one line in a file beside the segments; name is the file's ---- */

/* Replaces the line, durably. 0, or -1 with errno. */
int spool_note_write(const struct ingest_spool *s, const char *name, const char *line);
/* Replaces the number, durably. 0, or -1 with errno. */
int spool_note_write_number(const struct ingest_spool *s, const char *name, uint64_t number);
/* Overwrites the number in place without a sync, for a number that is only a hint. */
bool spool_note_overwrite(const struct ingest_spool *s, const char *name, uint64_t number);

#endif
