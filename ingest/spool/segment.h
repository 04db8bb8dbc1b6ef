/* A segment: one file of the spool, written from its beginning to its end.
 *
 *   head      64 bytes: "convkeep spool 1\n", the producer's id, zeroes
 *   records   each: "CKSR" (4 bytes), payload length (4), number (8), CRC-32C (4), payload
 *   zeroes    any number of bytes; later records overwrite them
 *
 * Integers are little-endian. The CRC covers length, number and payload. A new format needs another
 * first line, and a reader for both.
 */
#ifndef INGEST_SPOOL_SEGMENT_H
#define INGEST_SPOOL_SEGMENT_H

#include "proto/error.h"
#include "proto/spool_files.h"
#include "proto/text.h"

#define INGEST_SEGMENT_HEAD CK_SPOOL_SEGMENT_HEAD
#define INGEST_RECORD_HEAD CK_SPOOL_RECORD_HEAD

void ingest_segment_head(char out[INGEST_SEGMENT_HEAD], const char *producer);
/* Copies the producer's id into out. False: the file does not begin with a valid head. */
bool ingest_segment_producer(char out[INGEST_SEGMENT_HEAD], struct ck_str file);

/* Appends one record. */
void ingest_record_add(struct ck_buf *b, uint64_t number, struct ck_str payload);
/* Changes the number of a record in memory. */
void ingest_record_renumber(char *record, uint64_t number);
/* The payload length that a record's head gives; -1 if it is not a head or exceeds the maximum. */
int64_t ingest_record_length(const char head[INGEST_RECORD_HEAD]);
/* Reads the record at the beginning of bytes. Returns its size, or 0 if it is incomplete or its CRC
 * is wrong. payload points into bytes. */
size_t ingest_record_read(struct ck_str bytes, uint64_t *number, struct ck_str *payload);

struct ingest_scan {
  uint64_t records, first, last; /* count and numbers of the valid records; 0 if there are none */
  size_t good;                   /* bytes up to the end of the last valid record */
  size_t torn;                   /* bytes from there to the last byte that is not zero */
  bool damaged;                  /* valid records follow an invalid one or a jump in the numbers */
  char producer[INGEST_SEGMENT_HEAD]; /* "" if the head is invalid */
};

/* Reads a whole file. each is called for every valid record, in order; it may be NULL. */
void ingest_segment_scan(struct ck_str file, struct ingest_scan *scan,
                         void (*each)(void *self, uint64_t number, struct ck_str payload),
                         void *self);

#endif
