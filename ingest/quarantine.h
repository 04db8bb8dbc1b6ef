/* Files of JSON lines in which is kept what went nowhere else, so that somebody can look at it.
 * Bounded: a full one becomes NAME.old, in place of the one before. */
#ifndef INGEST_QUARANTINE_H
#define INGEST_QUARANTINE_H

#include "proto/text.h"

#define INGEST_QUARANTINE_MAX (64u << 20)

struct ingest_quarantine {
  char *path;
  int fd; /* -1: not open */
  uint64_t size, max;
};

/* The file is opened at the first line. */
void ingest_quarantine_init(struct ingest_quarantine *a, const char *path, uint64_t max);
void ingest_quarantine_free(struct ingest_quarantine *a);
/* One line, without its line feed. A disk that does not take it is said in the log, with the line's
 * beginning. */
void ingest_quarantine_add(struct ingest_quarantine *a, struct ck_str line);

#endif
