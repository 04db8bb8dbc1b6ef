/* The records that the present commit touches, and the conversations, sessions and links that the
 * next one will most likely touch again.
 *
 * A changeset is applied here, in memory; what many changesets of one commit write to one record is
 * written once, when the commit is made (apply_flush). A refused changeset is undone here, which
 * makes it all or none without a savepoint of SQLite's. Known absence is kept too, until the
 * commit's end. One writer, one cache: nobody else changes the database. After a rollback the cache
 * is cleared, and the disk is the truth again.
 */
#ifndef CK_STORE_CACHE_H
#define CK_STORE_CACHE_H

#include "proto/records.h"

struct entry {
  struct ck_row row; /* text in `text`; only the key when it does not exist */
  bool exists;
  uint64_t version; /* of its newest change */
  uint64_t stored;  /* its version in the database; 0: not there */
  uint64_t born;    /* serial of the changeset that inserted it; 0: it was there before */
  uint64_t counted; /* a session: serial of the changeset that last counted here, and what it has
                       added */
  int64_t counted_messages, counted_executions;
  bool dirty, listed;
  char *text;
  uint64_t hash;
  uint64_t unique_hash;   /* of its unique key (proto/records.h); 0: it has none */
  uint64_t stored_unique; /* unique_hash of what the database has */
  struct entry *next, *next_unique;
};

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache **c);

struct entry *cache_find(struct cache *c, enum ck_table t, struct ck_str key);
/* The record with the same unique key as the row, which must have one. NULL: none here has. */
struct entry *cache_find_unique(struct cache *c, const struct ck_row *row);

/* Remembers what the database has (version > 0), or that it has no such record (row holds the key
 * only, version 0). Not undone. */
struct entry *cache_remember(struct cache *c, const struct ck_row *row, uint64_t version);

/* Changes the entry; the row's text is copied. Undone by cache_undo. */
void cache_change(struct cache *c, struct entry *e, const struct ck_row *row, uint64_t version,
                  uint64_t born);

/* Between changesets. */
void cache_keep(struct cache *c); /* the changeset stands */
void cache_undo(struct cache *c); /* everything since the last keep or undo is as it was */

/* The changed entries of this commit, in order of version. Valid until cache_committed or
 * cache_clear. */
struct entry **cache_dirty(struct cache *c, size_t *n);
void cache_committed(struct cache *c);
void cache_clear(struct cache *c);

#endif
