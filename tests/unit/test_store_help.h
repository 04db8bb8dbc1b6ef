/* Shared by the store's unit tests: rows and changesets from JSON, and a real database in a folder
 * of its own, without a daemon. */
#ifndef CK_TESTS_STORE_HELP_H
#define CK_TESTS_STORE_HELP_H

#include <criterion/criterion.h>
#include <sys/types.h>

#include "proto/settings.h"
#include "store/context.h"
#include "store/read/lists.h"
#include "store/write/apply.h"

/* A row from JSON, with ' instead of ". Its text is never freed: Criterion runs each test in a
 * process of its own. */
struct ck_row sh_row(enum ck_table t, const char *json);
/* A column's value as text: "left out", "NULL", the digits, or the text. Valid for seven more
 * calls. */
const char *sh_value(const struct ck_row *row, const char *column);
/* Appends JSON as MessagePack. */
void sh_pack(struct ck_buf *b, const char *json);

/* Random numbers. The seed is CONVKEEP_TEST_SEED, else from the clock; the first use prints it on
 * standard error. */
uint64_t sh_random(void);
uint64_t sh_below(uint64_t n);
void sh_seed(uint64_t seed); /* continues with this seed */

struct sh_store {
  char folder[64];
  sqlite3 *db;
  struct system_tables *system;
  struct ck_settings *settings; /* sync.sinks = sqlite d1, d1.database = db */
  struct mirrors *mirrors;
  struct leases *leases; /* of the first */
  struct producers *producers;
  struct producer *producer;
  struct apply *apply;
  int64_t now;
  int64_t behind;  /* by so much the wall clock, `now`, has been set back */
  bool has_clocks; /* whoever uses it has replaced the clocks; else they show `now` */
  bool begun;
  uint64_t number;
  struct ck_buf mutations;
  uint32_t count;
  struct ck_err reason; /* of the last refusal */
};

/* A new store in a temporary folder, which becomes the working directory. Its clock shows 1000. */
void sh_open(struct sh_store *s);
void sh_reopen(struct sh_store *s); /* as after a restart */
/* The machine is started again, with its wall clock at that time, and the database opened. name:
 * what names the start. */
void sh_machine_starts(struct sh_store *s, const char *name, int64_t wall);
void sh_swap(struct sh_store *s, const char *copy); /* likewise, with this file as the database */
void sh_close(struct sh_store *s);

/* Adds to the changeset that sh_apply applies. */
void sh_put(struct sh_store *s, enum ck_table t, const char *json);
void sh_put_aged(struct sh_store *s, enum ck_table t, int64_t age, const char *json);
void sh_update(struct sh_store *s, enum ck_table t, const char *json);
void sh_mutate(struct sh_store *s, const struct ck_mutation *m);
/* Applies the changeset in the open batch, or opens one. Returns apply_changeset's result. */
char sh_apply(struct sh_store *s);
/* Commits the batch. 0; 1: a constraint failed; -1; `reason` has the message. */
int sh_commit(struct sh_store *s);
/* Deletes a piece of what was forgotten, as the writer does between two batches. Returns whether
 * more is left. */
bool sh_forget_piece(struct sh_store *s);
/* The rest of sh_commit, after apply_commit. */
void sh_committed(struct sh_store *s);
/* lists_query. */
int sh_query(struct sh_store *s, const struct ck_query *q, struct list_answer *answer,
             const char **code, struct ck_err *err);
/* One row, one changeset, one commit. */
char sh_write(struct sh_store *s, enum ck_table t, const char *json);
/* The same, but it must be refused, with `part` in the reason. */
void sh_refused(struct sh_store *s, const char *part, enum ck_table t, const char *json);

/* From the database: a column of a record by key, in sh_value's form ("none": no such record); one
 * number. */
const char *sh_field(struct sh_store *s, enum ck_table t, const char *key, const char *column);
int64_t sh_int(struct sh_store *s, const char *sql);
/* All rows of the six tables, but which original gave each, and how new what it says is. text is
 * cleared first. */
void sh_dump(struct sh_store *s, struct ck_buf *text);
/* Likewise, but for which messages were seen live. */
void sh_dump_said(struct sh_store *s, struct ck_buf *text);
/* Fails unless the index of ids agrees with the messages. */
void sh_check_keys(struct sh_store *s);
#define sh_is(s, t, key, column, expected) \
  cr_expect_str_eq(sh_field(s, t, key, column), expected, "%s.%s is %s, not %s", key, column, \
                   sh_field(s, t, key, column), expected)

/* Write a message, a conversation, a link or a job with what is required, and more JSON members
 * (", 'a':1", or ""). */
char sh_message(struct sh_store *s, const char *id, int64_t observed_at, const char *more);
char sh_conversation(struct sh_store *s, const char *id, const char *more);
char sh_link(struct sh_store *s, const char *id, const char *conversation, const char *remote,
             const char *more);
char sh_job(struct sh_store *s, const char *id, const char *conversation, const char *message,
            const char *more);

/* ---- a thread of the store, alone ---- */

/* An empty database in a temporary folder, which becomes the working directory, and what a thread
 * shares with others. folder: its name. */
void sh_thread_open(char folder[64], sqlite3 **db, struct context *context);
/* One setting; the others have their defaults. While no thread runs. */
void sh_thread_set(struct context *context, const char *name, const char *value);
/* Once the thread has ended. */
void sh_thread_close(const char *folder, sqlite3 **db, struct context *context);

/* Processor time of this thread, in µs: other programs do not count. */
int64_t sh_processor_us(void);

/* ---- the real daemon, as a child ---- */

/* A new data folder, which becomes the working directory, with the settings of a ring. Skips the
 * test if the store is not built. */
struct sh_ring {
  char folder[64], program[512];
  pid_t pid; /* 0: not running */
  struct ck_settings *settings;
};
void sh_ring_open(struct sh_ring *r);
void sh_ring_close(struct sh_ring *r);
void sh_ring_start(struct sh_ring *r);         /* returns when it is ready */
void sh_ring_stop(struct sh_ring *r, int sig); /* returns when it has ended */
/* One number from its database, by a connection of the test's own. */
int64_t sh_ring_int(const char *sql);

#endif
