/* The files that are known: where each is, how it was when it was last read to its end, and how far
 * it was read. The table is in memory, and in spool/watch.files, so that after a restart only those
 * are read that have changed.
 *
 * A row is written once all that the file gave has its receipt. A row that is lost costs one more
 * reading, after which the store has what it had. So the file is never synced, and one that is
 * damaged is believed up to the damage. */
#ifndef INGEST_WATCH_TABLE_H
#define INGEST_WATCH_TABLE_H

#include <sys/stat.h>

#include "ingest/watch/mark.h"
#include "proto/error.h"
#include "proto/text.h"

struct watch_open;
struct watch_root;

/* By what rows are found: their path; their inode; their size and time together. */
enum watch_key { WATCH_PATH, WATCH_INODE, WATCH_STAMP, WATCH_KEYS };

struct watch_row {
  struct {
    struct watch_row *next, **back; /* the next one in its bucket, and what points to this one */
  } links[WATCH_KEYS];
  struct watch_row *next_due; /* in the queue (watch_inner.h) */
  char *path;                 /* absolute */
  struct watch_root *root;    /* NULL: none that is followed */
  uint64_t inode;
  /* When it was last read: its size, its time, and what of it was taken. */
  uint64_t size;
  int64_t mtime_ns;
  struct watch_mark mark;
  int64_t taken_at; /* ck_now_ms(); 0: it was never read to its end */
  /* ---- not written down ---- */
  struct watch_open *open; /* while it is being read, or grows; NULL: neither */
  int64_t due_at;          /* ck_boot_ms(); 0: it is not in the queue */
  uint64_t seen_size;      /* when it was last looked at */
  unsigned seen;           /* the number of the scan that has seen it last */
  bool gone;               /* nothing has its name */
  bool bad;                /* it cannot be read, */
  bool passing;            /* for a reason that may pass by itself: */
  int64_t retry_at;        /* ck_boot_ms() when it is tried again */
  unsigned damaged;        /* how often in a row it was damaged or cut off */
  bool half_seen;          /* its last line without an end was looked at, or soon is */
};

struct watch_table;

/* Reads the table from the folder `dir`. Never NULL: without a file it is empty. */
struct watch_table *watch_table_open(const char *dir);
void watch_table_close(struct watch_table **table);

/* The rows count for this store and these readers only: with others than those of the rows, all
 * rows but those that are open are forgotten. Call before anything else, and again when the store's
 * id may have changed. True: they were. */
bool watch_table_of(struct watch_table *table, const char *store, const char *readers);

struct watch_row *watch_table_at(const struct watch_table *table, const char *path);
/* The row of that root whose file had this inode; one after another: after NULL the first. */
struct watch_row *watch_table_inode(const struct watch_table *table, const struct watch_root *root,
                                    uint64_t inode);
/* The next row with this size and time that was read to its end; after NULL the first. */
struct watch_row *watch_table_like(const struct watch_table *table, uint64_t size, int64_t mtime_ns,
                                   struct watch_row *after);
/* Adds a row, which was never read. */
struct watch_row *watch_table_add(struct watch_table *table, const char *path);
/* The file was made just now, and nothing of it was taken. */
void watch_table_born(struct watch_table *table, struct watch_row *row, const struct stat *st);
/* The file has another name now, at which no row is. */
void watch_table_move(struct watch_table *table, struct watch_row *row, const char *path);
/* The file was read to its end, and was so then. */
void watch_table_taken(struct watch_table *table, struct watch_row *row, const struct stat *st,
                       const struct watch_mark *mark);
void watch_table_remove(struct watch_table *table, struct watch_row *row);

/* Calls each() for all rows; it may remove the row that it is given. */
void watch_table_each(struct watch_table *table, void (*each)(void *self, struct watch_row *row),
                      void *self);
size_t watch_table_count(const struct watch_table *table);

int64_t watch_mtime_ns(const struct stat *st);

#endif
