/* Shared by apply_forget.c (FORGET and REMEMBER), forget_pieces.c (what is done after the first
 * transaction), forget_rows.c (the records that go), forget_files.c (the files that they name) and
 * forget_rest.c (what is left of a conversation without one of its messages). For no other file. */
#ifndef CK_STORE_FORGET_H
#define CK_STORE_FORGET_H

#include "store/write/apply_internal.h"

/* What a FORGET is about. */
struct forget {
  bool conversation;
  bool absent; /* also if there is none */
  struct ck_str id;
  uint64_t
      version; /* of the message; while files are looked for: all messages up to here were seen */
  struct ck_str with; /* "TABLE/KEY" of it */
  int64_t number;     /* of its row in `forgetting` */
  int64_t limit;      /* how much may go in this transaction, in rows */
  int64_t records;    /* how many went in it */
};

/* Sets what a "TABLE/KEY" says. */
void forget_named(struct forget *f, struct ck_str with);

/* Prepares a statement with ?1 the id, ?2 the version, ?3 the number, ?4 the limit, ?5 `with`, as
 * far as it has them; the caller finalizes it. NULL: the database failed. */
sqlite3_stmt *forget_begin(struct apply *a, const char *sql, const struct forget *f,
                           struct ck_err *err);
/* 1: a row; 0: the end; -1: the database failed. */
int forget_next(struct apply *a, sqlite3_stmt *s, struct ck_err *err);
/* Runs n statements. 0 or -1. */
int forget_run(struct apply *a, const char *const *sql, size_t n, const struct forget *f,
               struct ck_err *err);

/* Keys, in an arena of their own. Zero-initialise. */
struct forget_keys {
  struct ck_str *at;
  size_t n;
  struct ck_arena arena;
};

/* The first column of all rows. Finalizes the statement, which may be NULL. 0 or -1. */
int forget_keys(struct apply *a, sqlite3_stmt *s, struct forget_keys *l, struct ck_err *err);
void forget_keys_free(struct forget_keys *l);

/* ---- apply_forget.c ---- */

/* Deletes records, f->limit of them if it is a conversation, and keeps them away. The cache must
 * have nothing that is not in the database. 1: all are gone; 0: some are left; -1. */
int forget_remove(struct apply *a, struct forget *f, struct ck_err *err);

/* ---- forget_pieces.c ---- */

/* It is being forgotten from now on: sets f->number. 0 or -1. */
int forget_enter(struct apply *a, struct forget *f, struct ck_err *err);
/* How many messages there are, for those who want to know how far it is. 0 or -1. */
int forget_count_messages(struct apply *a, const struct forget *f, struct ck_err *err);
/* Notes what was done first, and does what else f->limit allows. 0 or -1. */
int forget_go_on(struct apply *a, const struct forget *f, bool rows_left, struct ck_err *err);

/* ---- forget_rows.c ---- */

/* Notes whose messages go with a conversation. 0 or -1. */
int forget_find_homes(struct apply *a, const struct forget *f, struct ck_err *err);
/* Finds what goes in this transaction; lowers f->limit, to 0 if something else is left. 0 or -1. */
int forget_collect(struct apply *a, struct forget *f, struct ck_err *err);
/* How many executions of that. */
int forget_count_executions(struct apply *a, const struct forget *f, int64_t *n,
                            struct ck_err *err);
/* Deletes it, but for what the cache has, and keeps the originals out that it names. 0 or -1. */
int forget_delete(struct apply *a, const struct forget *f, struct ck_err *err);
/* Keeps out the originals of the conversations whose messages go. 0 or -1. */
int forget_originals_of(struct apply *a, const struct forget *f, struct ck_err *err);
/* Nothing is being forgotten any more. */
void forget_end(struct apply *a);
/* The queries of what goes now, the last table first: t, key, platform, conversation, path; of the
 * platforms' conversations that go: platform, conversation; and of running jobs: job, conversation,
 * message. */
extern const char forget_rows_sql[], forget_homes_sql[], forget_running_sql[];

/* ---- forget_files.c ---- */

/* Notes the files that the messages name which go now. 0 or -1. */
int forget_files_named(struct apply *a, const struct forget *f, struct ck_err *err);
/* Looks through messages after f->version for others that name them, and lowers f->limit. 1: all
 * were seen, the rest is kept out; 0; -1. */
int forget_files_some(struct apply *a, struct forget *f, struct ck_err *err);

/* ---- forget_rest.c ---- */

/* gone: the message, with so many executions. 0 or -1. */
int forget_mend(struct apply *a, const struct ck_row *gone, int64_t executions, struct ck_err *err);

#endif
