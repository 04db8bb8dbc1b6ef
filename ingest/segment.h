/* A segment: one file of the spool, written from its beginning to its end.
 *
 *   64 bytes   "convkeep spool 1\n", the producer's id, zeroes
 *   records    "CKSR" · length of the payload (4) · number (8) · CRC-32C of the 12 bytes before and of the payload (4) · payload       little endian
 *   zeroes     any number of bytes; the next records are written over them
 *
 * To change this: another first line, and a reader for both.
 */
#ifndef INGEST_SEGMENT_H
#define INGEST_SEGMENT_H

#include "proto/error.h"
#include "proto/text.h"

#define INGEST_SEGMENT_HEAD 64
#define INGEST_RECORD_HEAD 20
/* A changeset and its frame around it must fit the doors. */
#define INGEST_RECORD_MAX ((8u << 20) - 4096)

void ingest_segment_head(char out[INGEST_SEGMENT_HEAD], const char *producer);
/* The producer's id into out; false when this is no head. */
bool ingest_segment_producer(char out[INGEST_SEGMENT_HEAD], struct ck_str file);

void ingest_record_add(struct ck_buf *b, uint64_t number, struct ck_str payload);
/* Gives a record in memory another number. */
void ingest_record_renumber(char *record, uint64_t number);
/* The payload's length as the head says it, or -1 when this is no head or says too much. */
int64_t ingest_record_length(const char head[INGEST_RECORD_HEAD]);
/* A whole and sound record at the beginning of bytes: its size, number and payload; else 0. */
size_t ingest_record_read(struct ck_str bytes, uint64_t *number, struct ck_str *payload);

struct ingest_scan {
  uint64_t records, first, last; /* of the sound ones; 0 when there is none */
  size_t good;                   /* bytes up to the end of the last sound one */
  size_t torn;                   /* bytes behind these, up to the last that is not zero */
  bool damaged; /* something that is not sound, or a jump in the numbers, has sound records behind
                   it */
  char producer[INGEST_SEGMENT_HEAD]; /* "" when the head is not sound */
};

/* Reads a whole file. each may be NULL. */
void ingest_segment_scan(struct ck_str file, struct ingest_scan *scan,
                         void (*each)(void *self, uint64_t number, struct ck_str payload),
                         void *self);

#endif
