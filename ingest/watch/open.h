/* A file that is being read, or grows: its reader with what that knows of the lines so far, and how
 * far it has come. A compressed file is read once, to its end. */
#ifndef INGEST_WATCH_OPEN_H
#define INGEST_WATCH_OPEN_H

#include "ingest/files/reading.h"
#include "ingest/watch/table.h"

/*   reading ── at the end of the file ──► settling ── all receipts ──► idle ── grown ──► reading
 *                                            │ nothing more comes of it
 *                                            ▼
 *                                         ending ── all receipts ──► over */
enum watch_state { WATCH_READING, WATCH_SETTLING, WATCH_IDLE, WATCH_ENDING };

struct watch_open {
  struct watch_open *next;
  struct watch_row *row;
  enum watch_state state;
  int64_t used_at; /* ck_boot_ms() when it was last begun or grew */
  int64_t rest_at; /* likewise, when its half line is looked at; 0: it has none, or was looked at */
  bool again;      /* another file has its name: that one is read next */
  bool settled;    /* the table has it as it is */
  bool once;       /* its last line is whole: then nothing more is expected */
  /* ---- its own ---- */
  struct ingest_reading *reading;
  struct watch_unpack *unpack; /* NULL: it is not compressed */
  int fd;                      /* -1 while idle */
  struct stat st;              /* as it was at its end */
  uint64_t fed;                /* bytes of the file that the reader has */
  uint64_t line_end;           /* those to the end of the last whole line */
  bool enough;                 /* the reader wants no more */
  struct watch_mark mark;      /* if it was marked */
  struct watch_mark fed_mark;  /* likewise; of all that was fed then */
  bool marked;
};

/* When the row's file was read, its last line had no line feed, and was not taken. */
bool watch_row_is_half(const struct watch_row *row);
/* The file's bytes from `from` to `to`, the last of its lines, are a whole JSON value. */
bool watch_line_is_whole(int fd, uint64_t from, uint64_t to);

/* Takes fd over. Messages are history that were there when the file was read for the first time,
 * and all of a file that has been replaced or is compressed; those that came later are live. */
struct watch_open *watch_open_new(struct ingest_readings *all, struct watch_row *row, int fd,
                                  const struct stat *st);
void watch_open_free(struct watch_open *o);

/* Is the file that fd has open the one that was read so far, and perhaps more? */
bool watch_open_continues(const struct watch_open *o, int fd, const struct stat *st);
/* It is, and is read on. Takes fd over. */
void watch_open_grow(struct watch_open *o, int fd);

/* Reads on, about `most` bytes. -1 with errno: it cannot be read, err says why; it is as before.
 * errno 0: it is compressed, and damaged or not complete. */
int watch_open_read(struct watch_open *o, size_t most, struct ck_err *err);
/* How much memory it keeps between two turns. */
size_t watch_open_memory(const struct watch_open *o);
/* Bytes that wait for an answer of the store. */
size_t watch_open_waiting(const struct watch_open *o);
/* Has what was read given to the store. True: the store has all of it. */
bool watch_open_settle(struct watch_open *o, struct ingest_lookup *lookup);
/* All of it was taken: what the table is told of it. -1: the file is another one now. */
int watch_open_mark(struct watch_open *o, struct watch_mark *mark);
/* It is settled, and waits until it grows. */
void watch_open_rest(struct watch_open *o);
/* Nothing more is read. */
void watch_open_end(struct watch_open *o);

/* Its last line has no line feed. */
bool watch_open_is_half(const struct watch_open *o);
/* That line is a whole one. fd: of the file. */
bool watch_open_half_is_whole(const struct watch_open *o, int fd);

#endif
