/* Quarantine files: JSON lines that keep refused and unreadable inputs, so that a person can look
 * at them. Size is bounded: a full file is renamed to NAME.old, which replaces the previous one. */
#ifndef INGEST_QUARANTINE_H
#define INGEST_QUARANTINE_H

#include "proto/text.h"

#define INGEST_QUARANTINE_MAX (64u << 20)

struct ingest_quarantine {
  char *path;
  int fd; /* -1: not open */
  uint64_t size, max;
};

/* max: bytes per file. The file is opened when the first line is added. */
void ingest_quarantine_init(struct ingest_quarantine *q, const char *path, uint64_t max);
void ingest_quarantine_free(struct ingest_quarantine *q);
/* Appends one line, given without its line feed. If it cannot be written, the log has the reason
 * and the beginning of the line. */
void ingest_quarantine_add(struct ingest_quarantine *q, struct ck_str line);

#endif
