/* Quarantine files: JSON lines that keep refused and unreadable inputs, so that a person can look
 * at them. Size is bounded: a full file is renamed to NAME.old, which replaces the previous one.
 * Several processes may add to one file: ingest, and a command that imports a database. */
#ifndef CK_PROTO_QUARANTINE_H
#define CK_PROTO_QUARANTINE_H

#include "proto/error.h"
#include "proto/places.h"
#include "proto/text.h"

#define CK_QUARANTINE_MAX (64u << 20)

struct ck_quarantine {
  char *path;
  int fd; /* -1: not open */
  uint64_t max;
};

/* The one of `spool/` with what was refused. */
#define CK_PLACE_REFUSED CK_PLACE_SPOOL "/refused.jsonl"
/* …and the one with observations that have unknown names. */
#define CK_PLACE_UNKNOWN CK_PLACE_SPOOL "/unknown.jsonl"

/* max: bytes per file. The file is opened when the first line is added. */
void ck_quarantine_init(struct ck_quarantine *q, const char *path, uint64_t max);
void ck_quarantine_free(struct ck_quarantine *q);
/* Appends one line, an object given without its line feed, and its seal (proto/sealed_line.h). If
 * it cannot be written, the log has the reason and the beginning of the line. */
void ck_quarantine_add(struct ck_quarantine *q, struct ck_str line);

/* Takes the lines out of the file of that name, and of its former one (NAME.old), that have one of
 * these ids, in quotation marks, however it is escaped; sorts the ids. A file is written again as a
 * whole, while nobody who locks it (ck_turn_wait) adds to it. 0, also if there is none; or -1 with
 * the reason. */
int ck_quarantine_forget(const char *path, struct ck_str *ids, size_t n, struct ck_err *err);

#endif
