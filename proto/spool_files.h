/* The files of a spool, which ingest writes and `convkeep doctor` reads, too: the names of its
 * segments, and its notes. A note is a file of one line. What each is for: ingest/spool/spool.h.
 *
 * Every note but `producer` counts only for the producer that it names, so that what an earlier
 * life of the spool left behind says nothing about this one. A damaged note counts as none.
 */
#ifndef CK_PROTO_SPOOL_FILES_H
#define CK_PROTO_SPOOL_FILES_H

#include <stdbool.h>

#include "proto/error.h"
#include "proto/text.h"

#define CK_SPOOL_PRODUCER "producer"
#define CK_SPOOL_RELEASED "released"
#define CK_SPOOL_UNSENT "unsent"
#define CK_SPOOL_RENOUNCED "renounced"

/* Bytes for a producer's id, a segment's name and a note with a number, each terminated. */
#define CK_SPOOL_ID_MAX 48
#define CK_SPOOL_NAME_MAX 64
#define CK_SPOOL_LINE_MAX 96

/* A segment's name, TAG-NUMBER.seg: the tag of the producer's id, and the segment's first number.
 */
void ck_spool_segment_name(char out[CK_SPOOL_NAME_MAX], const char *producer, uint64_t first);
/* True if a file has such a name; *first is its number. */
bool ck_spool_is_segment(const char *name, uint64_t *first);

/* The heads in a segment (ingest/spool/segment.h): of the file, and of each record. */
#define CK_SPOOL_SEGMENT_HEAD 64
#define CK_SPOOL_TITLE "convkeep spool 1\n"
#define CK_SPOOL_RECORD_HEAD 20
#define CK_SPOOL_MAGIC "CKSR"
struct ck_spool_record {
  uint32_t length, crc; /* of the payload, which follows; the CRC is of the head, too */
  uint64_t number;
};
/* Reads a record's head. False: it is none. */
bool ck_spool_record_head(const char head[CK_SPOOL_RECORD_HEAD], struct ck_spool_record *record);
/* The CRC of a record whose payload has that many bytes. */
uint32_t ck_spool_record_crc(const char *record, size_t payload);
/* Does every byte of the segment in the folder `dir` belong to the producer's whole records, one
 * number after the other from that of its name, or to zeroes after the last? False: why says what
 * does not. */
bool ck_spool_segment_sound(int dir, const char *name, const char *producer, struct ck_err *why);
/* How many records of the segment in the folder `dir` are above the number `released`. */
uint64_t ck_spool_count_above(int dir, const char *name, uint64_t released);

/* True if text is a spool's producer id. */
bool ck_spool_producer_ok(struct ck_str text);

/* 0 if every note in the folder `dir` is missing or a regular file; else -1 and the reason: ingest
 * does not start with it. */
int ck_spool_check_notes(int dir, struct ck_err *err);
/* Reads a note's line, trimmed; empty if it is missing or cannot be read. */
void ck_spool_read_note(int dir, const char *name, struct ck_buf *line);
/* Reads the producer's id; "" if there is none, or it is damaged. */
void ck_spool_read_producer(int dir, char out[CK_SPOOL_ID_MAX]);
/* Reads the number in a note. 0: none, damaged, or another producer's. */
uint64_t ck_spool_read_number(int dir, const char *name, const char *producer);

/* Fills out with the line that notes a number, and returns its length. Lines of one producer are
 * equally long, because a new one overwrites the old one; the checksum guards against a number read
 * higher than it was written, which would never be sent. */
int ck_spool_number_line(char out[CK_SPOOL_LINE_MAX], const char *producer, uint64_t number);

#endif
