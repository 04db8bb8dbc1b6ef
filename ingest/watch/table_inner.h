/* The inside of the table, which table.c and table_file.c share. */
#ifndef INGEST_WATCH_TABLE_INNER_H
#define INGEST_WATCH_TABLE_INNER_H

#include <stdio.h>

#include "ingest/watch/table.h"
#include "proto/clock.h"

#define WATCH_FILE "watch.files"

struct watch_table {
  struct watch_row **buckets[WATCH_KEYS]; /* `room` of each, a power of two */
  size_t room, count;
  char store[80], readers[80];
  char *path;        /* of the file */
  int fd;            /* -1: there is none */
  size_t frames;     /* in the file */
  struct ck_buf out; /* frames that are to be written; the last one begins at begun */
  size_t begun;
};

/* ---- table.c ---- */

struct watch_row *watch_row_add(struct watch_table *t, struct ck_str path);
/* In memory only. */
void watch_row_drop(struct watch_table *t, struct watch_row *row);
void watch_row_set(struct watch_table *t, struct watch_row *row, uint64_t inode, uint64_t size,
                   int64_t mtime_ns);

/* ---- table_file.c: frames, each of them a change ---- */

/* Reads the file into the empty table. */
void watch_file_read(struct watch_table *t);
/* Adds the row as it is, or that it is not there any more; nothing of a row that was never read. */
void watch_file_put(struct watch_table *t, const struct watch_row *row);
void watch_file_remove(struct watch_table *t, const struct watch_row *row);
/* Begins the file again with what the table has. */
void watch_file_write_again(struct watch_table *t);
void watch_file_close(struct watch_table *t);

#endif
