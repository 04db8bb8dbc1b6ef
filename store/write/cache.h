/* A write-back cache of records: those that this commit touches, and the conversations, sessions,
 * links and jobs that the next one is likely to touch again.
 *
 * Changesets are applied here, in memory, and the commit writes each changed record once, however
 * many changesets changed it. A refused changeset is undone here, without an SQLite savepoint. That
 * a record does not exist is remembered too, until the commit. The cache is valid because nobody
 * else writes the database; after a failed commit it is cleared.
 */
#ifndef CK_STORE_CACHE_H
#define CK_STORE_CACHE_H

#include "proto/records.h"

struct entry {
  struct ck_row row; /* its text is in `text`; only the key if the record does not exist */
  bool exists;
  uint64_t version; /* of its newest change */
  uint64_t stored;  /* its version in the database; 0: not there */
  bool back; /* a message that the index of ids knows and that is not there: somebody deleted it */
  uint64_t born; /* serial of the changeset that inserted it; 0: inserted in an earlier batch */
  bool dirty;    /* changed in this commit; with `version` as `stored`: only CK_QUIET columns */
  bool listed;   /* in the list of changed entries */
  bool moved;    /* its ties (ck_is_tie) may be others than in the database */
  char *text;
  uint64_t hash;
  uint64_t unique_hash;   /* of its unique key (proto/records.h); 0: none */
  uint64_t stored_unique; /* unique_hash of the record in the database */
  struct entry *next, *next_unique;
};

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache **c);

/* NULL: not in the cache. Entries are valid until cache_committed or cache_clear. */
struct entry *cache_find(struct cache *c, enum ck_table t, struct ck_str key);
/* The record with the same unique key as `row`, which must have one. NULL: not in the cache. */
struct entry *cache_find_unique(struct cache *c, const struct ck_row *row);

/* Adds what the database has: a record (version > 0), or that there is none (row: the key only,
 * version 0). cache_rollback does not undo this. */
struct entry *cache_remember(struct cache *c, const struct ck_row *row, uint64_t version);

/* Changes the entry; copies the row's text. cache_rollback undoes this. born: see struct entry. */
void cache_change(struct cache *c, struct entry *e, const struct ck_row *row, uint64_t version,
                  uint64_t born);

/* Accepts all changes so far: from here on cache_rollback undoes later ones only. */
void cache_mark(struct cache *c);
/* Undoes all changes since the last cache_mark or cache_rollback. */
void cache_rollback(struct cache *c);

/* The entries that this commit changes, in order of version. Valid until cache_committed or
 * cache_clear. */
struct entry **cache_dirty(struct cache *c, size_t *n);
/* The changes are durable: nothing is dirty any more, and messages, executions and what does not
 * exist are forgotten. */
void cache_committed(struct cache *c);
/* Forgets everything, changes too. */
void cache_clear(struct cache *c);

#endif
