/* The inside of the watcher:
 *
 *   folders.c  inotify: which folders are watched, and what has happened in them
 *   scan.c     what there is in a folder; and which file it is that stands there
 *   work.c     the files that have changed, one after another, a piece of each at a time
 *   memory.c   how much memory they may take: who waits for others
 *   watch.c    the folders that are followed, and the loop's side
 */
#ifndef INGEST_WATCH_INNER_H
#define INGEST_WATCH_INNER_H

#include "ingest/watch/open.h"
#include "ingest/watch/watch.h"

#define WATCH_RESCAN_MS \
  10000 /* between two looks at a folder from which no events come, at least */
#define WATCH_RESCAN_SHARE 20 /* of the time, one part at most goes into them */
#define WATCH_SEEK_MS 60000   /* between two looks for a folder that is not there */

/* A folder that is followed, with all below it. */
struct watch_root {
  struct ck_watched of;
  bool there;
  const char *slow; /* why it is looked at again and again; NULL: events come */
  bool still_slow;  /* its scan has shown so */
  char error[320];  /* why it cannot be read; "": it can */
  char bad_error[320];
  size_t files, bad; /* rows of files that are there; those whose file cannot be read, and the last
                        one's reason */
  int64_t taken_at;  /* of its rows, the last */
  unsigned scan;     /* the number of the last whole scan */
  size_t left;       /* folders that are still to be scanned */
  bool whole;        /* the scan is of all of it */
  bool known;        /* there was such a scan: what it did not see is new */
  bool once_more;    /* events were lost meanwhile */
  bool failed;       /* something was not seen in it */
  int64_t scan_at,
      rescan_at; /* ck_boot_ms() of its beginning; when the next is due, 0: it is not */
};

struct watch_folder {
  struct watch_folder *next; /* in its bucket */
  struct watch_root *root;
  char *path;
  int wd;
};

#define WATCH_BUCKETS 4096

struct watch_scan;

/* Was a file made while its folder was followed? */
enum watch_age { WATCH_OLD, WATCH_BORN };

struct ingest_watch {
  struct ingest_readings *readings;
  struct watch_table *table;
  char readers[33]; /* whose rows the table has */
  struct watch_root *roots;
  size_t root_count;
  /* folders.c */
  int fd;                                      /* inotify's; -1: there is none */
  struct watch_folder *folders[WATCH_BUCKETS]; /* by wd */
  int *above;                                  /* wds of folders above roots, and maybe of others */
  size_t above_count;
  bool missing; /* a folder that is not there is to be looked for again */
  /* scan.c */
  struct watch_scan *scans;
  unsigned scan_number;
  size_t gone; /* rows without a file, since they were removed last */
  /* work.c */
  struct watch_row *due, **due_end; /* in the order of their times */
  struct watch_open *opens;
  size_t open_count;
  size_t memory, used; /* that all of them together may keep, and that they do */
  bool held;           /* there is work, and no room for what it gives */
  int64_t retry_at;    /* ck_boot_ms(), when passing failures are tried again; 0: there are none */
};

/* ---- folders.c ---- */

/* Is the path this folder, or below it? */
bool watch_is_in(const char *path, const char *folder);
void watch_folders_begin(struct ingest_watch *w);
void watch_folders_end(struct ingest_watch *w);
/* Has events come of what is in the folder. 0; or -1 with errno: ENOENT or ENOTDIR, it is not
 * there. If the system's limit is reached, the root becomes slow, and that is no error. */
int watch_folder_add(struct ingest_watch *w, struct watch_root *root, const char *path);
/* Has events come when something is made in the folder above a root that is not there. */
void watch_folder_above(struct ingest_watch *w, const char *path);
/* All roots are there: ends that for the folders that are not followed themselves. */
void watch_folders_alone(struct ingest_watch *w);
/* Takes the events that have come, or some of them: then the descriptor stays readable. */
void watch_folders_read(struct ingest_watch *w);
/* Not all events come of what is in it, so it is scanned again and again. */
void watch_make_slow(struct watch_root *root, const char *why);

/* ---- scan.c ---- */

/* All of the root, or a folder in it. age: of the files in it that are not known. */
void watch_scan_root(struct ingest_watch *w, struct watch_root *root);
void watch_scan_folder(struct ingest_watch *w, struct watch_root *root, const char *path,
                       enum watch_age age);
/* Scans on for a while. */
void watch_scan_step(struct ingest_watch *w);
void watch_scan_end(struct ingest_watch *w);
/* A file of that name is there, or has changed. age: of one that is not known. */
void watch_found(struct ingest_watch *w, struct watch_root *root, const char *path,
                 const struct stat *st, enum watch_age age);
/* None is there any more. The row stays until watch_remove_gone. */
void watch_lost(struct ingest_watch *w, struct watch_row *row);
/* Removes the rows without a file if there are many. Call while nobody walks through the table. */
void watch_remove_gone(struct ingest_watch *w);
/* The row is of this root; NULL: of none. */
void watch_row_of(struct watch_row *row, struct watch_root *root);
/* Removes it, unless it is in use. */
void watch_row_remove(struct ingest_watch *w, struct watch_row *row);

/* ---- work.c ---- */

/* The file is looked at in a moment. */
void watch_due(struct ingest_watch *w, struct watch_row *row);
void watch_work_step(struct ingest_watch *w, struct ingest_lookup *lookup, bool room);
int64_t watch_work_until(const struct ingest_watch *w);
/* Has nothing more to do with it. */
void watch_close(struct ingest_watch *w, struct watch_open *o);
/* Forgets what is open and what is due. */
void watch_work_end(struct ingest_watch *w);
/* The file cannot be read; reason NULL: it can. */
void watch_bad(struct watch_row *row, const char *reason);
/* What is wrong with the file or folder, always in UTF-8: INFO has it. */
void watch_error(char *out, size_t room, const char *path, const char *reason);

/* ---- memory.c ---- */

/* At the end of a turn: looks how much memory is used, and closes files that are only kept
 * open in case they grow if that is too much. */
void watch_memory_turn(struct ingest_watch *w);
/* May another file be opened? */
bool watch_memory_may_begin(const struct ingest_watch *w);
/* May the file be read on? The one that was begun first always is, so that there is an end. */
bool watch_memory_may_read(const struct ingest_watch *w, const struct watch_open *o);

#endif
