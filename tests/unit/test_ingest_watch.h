/* A watched folder, ingest's half of the way, and a store, all in the test's process, with a clock
 * that the test moves. */
#ifndef CK_TESTS_INGEST_WATCH_H
#define CK_TESTS_INGEST_WATCH_H

#include "ingest/watch/watch.h"
#include "test_store_help.h"

struct wr_rig {
  struct sh_store store;
  char home[64]; /* of the one who uses Claude Code; it stays until wr_close */
  char *folder;  /* the watched one, in it */
  char *store_id;
  struct ck_settings *settings;
  struct ingest_spool *spool;
  struct ingest_acceptor acceptor;
  struct ingest_readings readings;
  struct ingest_lookup *lookup;
  struct ingest_watch *watch;
  uint64_t next;  /* the first number in the spool that the store has not got */
  uint64_t taken; /* changesets that it has got */
  bool away;      /* it gives no receipts */
};

void wr_open(struct wr_rig *r);
/* An empty store, and nothing known; the home is emptied, too. */
void wr_again(struct wr_rig *r);
void wr_close(struct wr_rig *r);

/* Begins to watch; ends it as kill -9 does: what is in the spool stays. */
void wr_start(struct wr_rig *r);
void wr_kill(struct wr_rig *r);
/* One turn of the loop, 50 ms after the last one. */
void wr_step(struct wr_rig *r);
/* Turns until nothing is left to be done, with what is done in some seconds of rest. That a folder
 * which is not there is looked for each minute is no work. */
void wr_settle(struct wr_rig *r);

/* Imports a file of the folder as `convkeep import` does. */
void wr_import(struct wr_rig *r, const char *name);
/* Files of the watched folder, by their names in it; folders are made. */
char *wr_path(struct wr_rig *r, const char *name);
void wr_write(struct wr_rig *r, const char *name, struct ck_str bytes);
void wr_append(struct wr_rig *r, const char *name, struct ck_str bytes);
void wr_rename(struct wr_rig *r, const char *from, const char *to);
void wr_remove(struct wr_rig *r, const char *name);
/* The bytes, compressed with zstd; the caller frees. */
struct ck_buf wr_packed(struct ck_str bytes);

/* Three logs, and their names in the watched folder: a session, a subagent of it, and a fork. */
#define WR_LOGS ((size_t)3)
extern const char *const wr_log_names[];
struct ck_str wr_log(size_t i);
struct ck_str wr_log_part(size_t i, size_t from, size_t to);

/* Notes what an import of the first n logs gives; then all is as at the beginning. */
void wr_expect(struct wr_rig *r, size_t n);
/* Notes what the store has. */
void wr_expect_this(struct wr_rig *r);
/* The store has what was noted. */
bool wr_has_expected(struct wr_rig *r);
/* Fails unless it has. how, at: when that is. */
void wr_same(struct wr_rig *r, const char *how, uint64_t at);
/* Fails unless nothing is read again: the store gets nothing. */
void wr_rests(struct wr_rig *r, const char *how);

/* What INFO says of the folder: a member of it. */
int64_t wr_says(struct wr_rig *r, const char *member);
/* A text there; "": none. Valid until the next call. */
const char *wr_text(struct wr_rig *r, const char *member);
/* The error there, likewise. */
const char *wr_error(struct wr_rig *r);

#endif
