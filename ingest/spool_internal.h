/* What spool.c (the running spool), spool_open.c (its start) and spool_note.c (its notes) share. */
#ifndef INGEST_SPOOL_INTERNAL_H
#define INGEST_SPOOL_INTERNAL_H

#include "ingest/segment.h"
#include "ingest/spool.h"

#define SPOOL_SEGMENT_MAX (4u << 20)
#define SPOOL_READ_AHEAD (256u << 10)
/* Small batches are written over zeroes: a sync that finds the file as long as it was has no
 * metadata to write, and takes half as long. The zeroes are written behind a batch, for so many
 * more like it. A large batch costs more than its metadata, and would cost that twice. */
#define SPOOL_AHEAD_BATCH_MAX (128u << 10)
#define SPOOL_AHEAD_BATCHES 16
#define SPOOL_AHEAD_MIN (64u << 10)
#define SPOOL_AHEAD_MAX (1u << 20)

struct spool_segment {
  uint64_t first, last; /* last is first - 1 while it is empty */
  uint64_t size;
  char name[64];
};

struct ingest_spool {
  struct ingest_spool_ops ops;
  int dir; /* the folder */
  char producer[48];
  struct spool_segment *segments; /* ascending; the last one is the one that grows */
  size_t count, room;
  int active;          /* its file; -1: none so far */
  uint64_t written;    /* the end of what was written to that file, zeroes included */
  struct ck_buf batch; /* records that are not durable so far */
  uint64_t batch_first, batch_last;
  uint64_t released, noted;
  uint64_t
      known; /* the last number that a store can have from here; all behind it were never sent */
  bool answered; /* by the store, since the spool was opened; or its id is new, and no store can
                    know it */
  bool unsent;   /* the note of that name lies there */
  bool broken;
  /* reading back */
  int reading;                               /* the file of the segment `read_first` */
  uint64_t read_first, read_number, read_at; /* the next record, and where it begins */
  struct ck_buf ahead;
  uint64_t ahead_at;
};

struct spool_segment *spool_add_segment(struct ingest_spool *s);
/* Makes a new segment the one that grows. 0, or -1 with errno. */
int spool_roll(struct ingest_spool *s, uint64_t first);
/* Forgets and unlinks segments all of whose numbers have receipts, but never the one that grows. */
void spool_drop_released(struct ingest_spool *s);
uint64_t spool_last(const struct ingest_spool *s);

/* ---- spool_note.c: one line in a file beside the segments; name is the file's ---- */

/* The line without white space at its ends; empty where there is none or it cannot be read. */
void spool_note_read(const struct ingest_spool *s, const char *name, struct ck_buf *line);
/* Replaces the line, durably. 0, or -1 with errno. */
int spool_note_write(const struct ingest_spool *s, const char *name, const char *line);
/* A number of this producer. 0: there is none, it is damaged, or it is another producer's. */
uint64_t spool_note_number(const struct ingest_spool *s, const char *name);
/* Replaces the number, durably. 0, or -1 with errno. */
int spool_note_write_number(const struct ingest_spool *s, const char *name, uint64_t number);
/* Writes over the number in place, without a sync: for what is only a hint. */
bool spool_note_overwrite(const struct ingest_spool *s, const char *name, uint64_t number);

#endif
