/* Shared by apply_forget.c (FORGET and REMEMBER), forget_rows.c (what goes) and forget_rest.c (what
 * is left of a conversation without one of its messages). For no other file. */
#ifndef CK_STORE_FORGET_H
#define CK_STORE_FORGET_H

#include "store/write/apply_internal.h"

/* What a FORGET is about. */
struct forget {
  bool conversation;
  bool absent; /* also if there is none */
  struct ck_str id;
  uint64_t version;   /* of the message */
  struct ck_str with; /* "TABLE/KEY" of it */
};

/* Prepares a statement with ?1 the id and ?2 the version, as far as it has them; the caller
 * finalizes it. NULL: the database failed. */
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

/* ---- forget_rows.c ---- */

/* Finds what goes. To be called first; forget_end in the end. 0 or -1. */
int forget_collect(struct apply *a, const struct forget *f, struct ck_err *err);
void forget_end(struct apply *a);
/* 0; -1: an attempt is under way, or the database failed. */
int forget_check_jobs(struct apply *a, const struct forget *f, struct ck_err *err);
/* How many executions go. */
int forget_count_executions(struct apply *a, const struct forget *f, int64_t *n,
                            struct ck_err *err);
/* Deletes all of it, but for what the cache has. 0 or -1. */
int forget_delete(struct apply *a, const struct forget *f, struct ck_err *err);
/* The queries of what goes, the last table first: t, key, platform, conversation, path; and of the
 * platforms' conversations that go: platform, conversation. */
extern const char forget_rows_sql[], forget_homes_sql[];

/* ---- forget_rest.c ---- */

/* gone: the message, with so many executions. 0 or -1. */
int forget_mend(struct apply *a, const struct ck_row *gone, int64_t executions, struct ck_err *err);

#endif
