/* Questions to the doors of the store and of ingest, many at once, and changesets to the store.
 * Nothing here waits: what asks gives a function that is called with the end, from web_ask_take,
 * web_ask_send or web_write_step, exactly once.
 *
 * A question that a door may have lost is sent again on a new connection once nothing has come
 * from it for a while, so it must be one that may be asked twice; so are all that there are. */
#ifndef WEBD_ASK_H
#define WEBD_ASK_H

#include <jansson.h>

#include "proto/conversation_change.h"
#include "proto/daemon.h"
#include "proto/doors.h"
#include "proto/push.h"
#include "proto/wire.h"
#include "webd/ask/command.h"
#include "webd/ask/doctor.h"
#include "webd/ask/upload.h"

/* ---- questions ---- */

struct web_ask;

/* How a question has ended. */
struct web_said {
  /* The answer; PROBLEM is none. NULL: there is none, and the rest says why. Valid during the
   * call. */
  const struct ck_message *answer;
  struct ck_str code, reason; /* of PROBLEM; code "": nobody answered within the time */
};
typedef void web_heard(void *self, const struct web_said *said);

/* For one door, snapshot or observe. NULL with the reason: it cannot be connected. s must last. */
struct web_ask *web_ask_new(const struct ck_settings *s, enum ck_door door, struct ck_err *err);
/* Ends all that is asked with nobody's answer. Sets *a to NULL; *a may be NULL. */
void web_ask_free(struct web_ask **a);

/* Asks, with the next web_ask_send, so that what is asked in a turn goes out together; the number
 * of the request is filled in. ms: how long it may take; heard is called after that at the latest.
 * PROBLEM `busy` of the store is no end: it is asked again while there is time. -1: the request is
 * larger than a frame can be, and heard is not called. */
int web_ask(struct web_ask *a, struct ck_message *request, int ms, web_heard *heard, void *self);

/* Questions without an end. */
size_t web_ask_open(const struct web_ask *a);
/* Milliseconds since anything was last heard from the door; while nothing is asked, 0. */
int64_t web_ask_silent_ms(const struct web_ask *a);

/* The socket to wait on (ZMQ_POLLIN); it may change with each web_ask_send. */
void *web_ask_socket(struct web_ask *a);
/* Takes the answers that have come. */
void web_ask_take(struct web_ask *a);
/* Sends what is to be sent, and ends what has waited too long. Returns after how many milliseconds
 * it is to be called again at the latest; -1: no limit. */
int web_ask_send(struct web_ask *a);

/* ---- files for ingest ---- */

struct web_imports;

/* How a file has ended. */
struct web_imported {
  const struct ck_imported *end; /* valid during the call; NULL: ingest did not answer, or `busy` */
  bool busy;                     /* it has too many files at present */
  struct ck_str reason;          /* of that */
};
typedef void web_imported_fn(void *self, const struct web_imported *how);

/* As web_ask_new and web_ask_free, for ingest's door. */
struct web_imports *web_imports_new(const struct ck_settings *s, struct ck_err *err);
void web_imports_free(struct web_imports **all);
/* Gives ingest a file, as `convkeep import` does; bytes must last until the end. It is durable in
 * the spool, or the store has it, when `done` is called with `end`. */
void web_import(struct web_imports *all, const char *name, struct ck_str bytes,
                web_imported_fn *done, void *self);
/* The socket to wait on; NULL: there is nothing to wait for. The step takes answers and sends, and
 * returns what web_ask_send does. */
void *web_imports_socket(struct web_imports *all);
int web_imports_step(struct web_imports *all);

/* ---- changesets ---- */

struct web_write;

/* What became of a changeset. */
struct web_receipt {
  char result;          /* a letter of RECEIPT (proto/wire.h); ?: none has come, and it may still be
                         * applied */
  struct ck_str reason; /* unless it is r: empty */
  uint64_t version;     /* a follower that has reached it has seen what was changed */
};
typedef void web_receipted(void *self, const struct web_receipt *r);

/* A producer of the store's. NULL with the reason. */
struct web_write *web_write_new(const struct ck_settings *s, struct ck_err *err);
/* Ends all that wait with ?. Sets *w to NULL; *w may be NULL. */
void web_write_free(struct web_write **w);

/* Sends a changeset: mutations, an encoded array. done is called with its receipt, or with ? after
 * ms; the changeset is applied even so, once the store is there. -1: it is larger than a frame can
 * be, and done is not called. */
int web_write(struct web_write *w, struct ck_str mutations, int ms, web_receipted *done,
              void *self);

/* ---- questions to renewd's own code ----
 *
 * Its program is run once for each (ask/command.h), and answers in lines of JSON. */

struct web_renewd;

struct web_renewd_ops {
  /* A line {name: value}, but for the two that end it; borrowed. NULL: they are thrown away. */
  void (*line)(void *self, const char *name, json_t *value);
  /* Called once. result: borrowed; NULL: there is none, and the reason says why. */
  void (*done)(void *self, json_t *result, const char *reason);
};

struct web_renewd *web_renewd_new(struct web_commands *commands);
/* After the commands, which end those that run and wait. Sets *r to NULL; *r may be NULL. */
void web_renewd_free(struct web_renewd **r);

/* Runs it with these words, which end with NULL, for ms at most. done may be called at once. */
void web_renewd_ask(struct web_renewd *r, const char *const words[], int ms,
                    const struct web_renewd_ops *ops, void *self);

/* ---- what a person changes ---- */

/* How a change has ended. */
enum web_end {
  WEB_DONE,    /* it is so now, or was before */
  WEB_NONE,    /* there is no record of that id */
  WEB_DENIED,  /* refused, here or by the store; with the reason */
  WEB_SILENCE, /* the store has not answered; it may still be done */
  WEB_INVALID  /* what is wished for makes no sense; with the reason, which names it */
};
struct web_changed {
  enum web_end end;
  const char *reason;
  const json_t *row; /* the record as it is afterwards, of WEB_DONE; NULL: it is none's */
};
typedef void web_changed_fn(void *self, const struct web_changed *how);

/* Both doors of the store. */
struct web_store {
  struct web_ask *ask;
  struct web_write *write;
};

/* Asks for the row of a list whose column is that value. got is called once; row: borrowed, NULL:
 * there is none, or, if `there` is false, the store has not answered. The last, if there are
 * several. */
void web_row(struct web_ask *a, const char *list, const char *column, struct ck_str value, int ms,
             void (*got)(void *self, bool there, json_t *row), void *self);

enum web_job_verb { WEB_JOB_RETRY, WEB_JOB_CANCEL, WEB_JOB_SNOOZE, WEB_JOB_ARRIVED };
struct web_job_wish {
  enum web_job_verb verb;
  bool anyway;   /* of retry and snooze: also one that is superseded or stopped */
  int64_t until; /* of snooze: wall time in milliseconds */
};
/* As `convkeep jobs` does; done is called once, within three times ms. */
void web_change_job(const struct web_store *s, struct ck_str id, const struct web_job_wish *wish,
                    int ms, web_changed_fn *done, void *self);

/* As `convkeep set` does. texts: what the change borrows, which is given up. */
void web_change_conversation(const struct web_store *s, struct ck_str id,
                             const struct ck_conversation_change *change, json_t *texts, int ms,
                             web_changed_fn *done, void *self);

struct web_renew_wish {
  const char *payload; /* a text */
  int64_t at;          /* when it is due, wall time in milliseconds */
  int64_t max_attempts;
};
/* As `convkeep renew` does, after the conversation's last message; the row is that of the job.
 * renewd is asked where it goes. */
void web_renew(const struct web_store *s, struct web_renewd *renewd, struct ck_str id,
               const struct web_renew_wish *wish, int ms, web_changed_fn *done, void *self);

struct web_pause_wish {
  const char *kind, *name; /* as of PAUSE (proto/wire.h) */
  bool paused;             /* false: it ends */
  int64_t until;           /* wall time in milliseconds; 0: without an end */
  const char *to;          /* what a conversation that is paused becomes; NULL: auto */
};
/* As `convkeep pause` and `resume` do, by kind and name; the row is that of a conversation. */
void web_change_pause(const struct web_store *s, const struct web_pause_wish *wish, int ms,
                      web_changed_fn *done, void *self);

/* The producer: for REPORT, and to know whether the store is there. */
struct ck_push *web_write_push(struct web_write *w);
/* As web_imports_step. */
int web_write_step(struct web_write *w);

#endif
