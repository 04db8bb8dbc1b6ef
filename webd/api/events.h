/* GET /v1/events: who reads, and what they have been told. For events.c and events_read.c. */
#ifndef WEBD_API_EVENTS_H
#define WEBD_API_EVENTS_H

#include "proto/follow.h"
#include "webd/webd.h"

/* What a reader may have to fetch before it is told more: less with many readers, so that all
 * together keep EVENTS_BYTES at most, besides one change each. */
#define EVENTS_BYTES ((size_t)32 << 20)
#define EVENTS_MOST ((size_t)256 << 10)
#define EVENTS_LEAST ((size_t)16 << 10)
/* So many readers are told at once what they missed. */
#define EVENTS_ASKING 8
#define EVENTS_AGAIN_MS 1000
#define EVENTS_BEAT_MS 15000
/* After so many beats of which nothing was fetched, a reader is cut off. */
#define EVENTS_STUCK 8

/* One that reads. It is told every change above its cursor in order: live, from the follower's
 * feed; or, as long as it is behind, by questions of its own. */
struct reader {
  struct reader *prev, *next;
  struct web_events *events;
  struct web_stream *stream; /* NULL: it has gone, and an answer for it is still to come */
  unsigned tables;           /* bit mask; 0: all */
  char *store_id;            /* of the cursor; "": of any store */
  uint64_t cursor;
  bool from_now;  /* it has no cursor yet: what comes from now on */
  bool begun;     /* it was told the store */
  bool live;      /* its cursor is at least the follower's */
  bool asking;    /* a question is on its way */
  unsigned reset; /* counts; an answer to a question of before a reset is thrown away */
  unsigned asked_reset;
  int64_t again_at; /* boot: not before */
  uint64_t fetched; /* at the last beat */
  int stuck;        /* beats since it has fetched anything */
};

struct web_events {
  struct webd *webd;
  struct reader *readers, *last; /* those that wait longest for a question come first */
  size_t count, behind, asking;
  struct ck_follow *follow; /* NULL: nobody reads, or it is not known where to begin */
  char *store_id;           /* the follower's */
  uint64_t cursor;          /* of it, up to which all live readers have been told */
  int wait;                 /* ms until its next step */
  bool seeking;             /* a question for store and version is on its way */
  bool lost;                /* the follower's store has become another */
  int64_t seek_at, beat_at; /* boot */
  struct ck_buf one;        /* an event */
};

/* ---- events_read.c: what readers are told ---- */

/* Tells the change, if the reader wants it and has not had it; the cursor is its version then. */
void reader_change(struct reader *r, uint64_t version, const struct ck_row *row);
/* The store and the version where it is; what it is told first. */
void reader_begin(struct reader *r);
/* Another store: everything comes again. */
void reader_reset(struct reader *r, const char *store_id);
void reader_beat(struct reader *r);
/* It has fetched enough to be told more. */
bool reader_has_room(const struct reader *r);
/* Puts the event of a change into b. */
void events_change(struct ck_buf *b, const char *store_id, uint64_t version,
                   const struct ck_row *row);
/* Asks for what it has missed; it goes to the end of the list. */
void reader_ask(struct reader *r);
/* It becomes live, or behind. */
void reader_live(struct reader *r, bool live);
void reader_free(struct reader *r);

#endif
