/* The parts of the index's file: opening it (index.c), the records' entries (index_put.c), and the
 * tables of words (index_words.c). Functions that return int return 0, or -1 with the reason. */
#ifndef CK_STORE_SEARCH_INDEX_INTERNAL_H
#define CK_STORE_SEARCH_INDEX_INTERNAL_H

#include <sys/types.h>

#include "store/search/index.h"

struct search_index {
  sqlite3 *db;
  sqlite3_stmt **s; /* of index_put.c; NULL: not prepared */
  dev_t device;
  ino_t inode;
  /* The next entry; entries that are gone; parts whose lists are merged. And as committed. */
  struct search_index_state {
    int64_t next, dead, merged;
  } state, kept;
  bool damaged;

  /* of index_words.c */
  sqlite3_stmt *words, *runs;         /* put some into the newest part; NULL: not prepared */
  struct ck_buf text[SEARCH_COLUMNS]; /* what is put */
  struct ck_buf pieces;
  size_t bytes; /* of text, put in this transaction */
};

/* The reason that SQLite gives. Notes whether the file is damaged. -1. */
int index_fail(struct search_index *x, const char *doing, struct ck_err *err);
int index_exec(struct search_index *x, const char *sql, struct ck_err *err);

/* ---- entries ---- */

int index_prepare(struct search_index *x, struct ck_err *err);
void index_unprepare(struct search_index *x);
/* *known: the state is this store's. */
int index_read_state(struct search_index *x, const char *store_id, uint64_t *cursor, bool *known,
                     struct ck_err *err);

/* ---- words ---- */

/* Inside a transaction. Entries come in ascending order; the first one of a part makes its tables.
 */
int index_words_put(struct search_index *x, const struct search_item *item, int64_t entry,
                    struct ck_err *err);
/* At the end of a transaction: merges a piece of the lists of the first part that is full and not
 * merged yet, as much as keeps up with what was put. */
int index_words_merge(struct search_index *x, struct ck_err *err);
/* Forgets what is prepared: at a rollback the part may be gone. */
void index_words_forget(struct search_index *x);
void index_words_close(struct search_index *x);

#endif
