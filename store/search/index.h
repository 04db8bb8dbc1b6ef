/* The index's file: search.db, with an entry for each message and each title of a conversation.
 *
 *   words0, words1 …   FTS5 without contents, each of the words of SEARCH_PART entries;
 *                      columns text, title and tool
 *   runs0, runs1 …     the same of the pieces of runs, without their places
 *   entries            what else is asked for: whose it is, when it was, its record's version
 *   dead               entries that are gone, and whose words stay
 *   keys               the entry of a record, by a hash of its id
 *   places             conversations, as messages and titles name them
 *   roles              the names of the roles
 *   blocks             when the entries of each SEARCH_BLOCK were
 *
 * A record whose words have changed gets a new entry; the words of the former one stay, and are
 * left out since `entries` does not have it. The file is thrown away and made again when a fifth of
 * it is such, when it is another store's or another version's, or damaged. Nothing is lost with it.
 *
 * Functions that return int return 0, or -1 with the reason in err. */
#ifndef CK_STORE_SEARCH_INDEX_H
#define CK_STORE_SEARCH_INDEX_H

#include "store/database/db.h"
#include "store/search/query.h"

#define SEARCH_FILE CK_PLACE_SEARCH
#define SEARCH_MARK 0x636b7364 /* "cksd" */
/* Another number for every change of the tables, or of the words that a record is found by. */
#define SEARCH_VERSION 7

#define SEARCH_BLOCK 1024 /* entries */
/* Entries whose words are in one table, since FTS5 brings all words that begin alike together
 * before it gives the first hit. Whole blocks. */
#define SEARCH_PART (128 * SEARCH_BLOCK)
/* Of an entry's sum of words: 0 if it has none; with this bit if some are in the column `tool`. */
#define SEARCH_HAS_TOOL 0x40000000u

enum search_place { SEARCH_PLACE_REMOTE, SEARCH_PLACE_OWN };

/* What an entry is made of. */
struct search_item {
  bool is_title; /* of a conversation; else it is a message */
  struct ck_str id;
  uint64_t version;
  bool is_dated;
  int64_t at;
  struct ck_str platform, conversation; /* the platform's id; of a title its own id */
  struct ck_str role;
  struct ck_str text, tool; /* text: of a title, the title */
};

struct search_index;

/* Opens the file in the working directory for writing; makes it if it is missing, or not this
 * store's. *cursor: all records up to this version are in it. NULL with the reason. */
struct search_index *search_index_open(const char *store_id, uint64_t *cursor, struct ck_err *err);
void search_index_close(struct search_index **x);
/* Throws the file away; the index must be closed. */
int search_index_drop(struct ck_err *err);

/* False: somebody has deleted the file, or put another one there. */
bool search_index_same(const struct search_index *x);
/* True after a failure because of what is in the file: it has to be thrown away. */
bool search_index_damaged(const struct search_index *x);
/* True: so much of it is dead that it is to be made again. */
bool search_index_worn(const struct search_index *x);

/* The database's newest version when the index was begun: it has nothing of what was forgotten up
 * to then. To be set when its cursor is 0. 0 or -1. */
int search_index_set_since(struct search_index *x, uint64_t version, struct ck_err *err);
int search_index_since(struct search_index *x, uint64_t *version, struct ck_err *err);

int search_index_begin(struct search_index *x, struct ck_err *err);
/* Inside a transaction: the record is found by these words from now on. */
int search_index_put(struct search_index *x, const struct search_item *item, struct ck_err *err);
/* Ends it; cursor: all records up to this version are in it. */
int search_index_commit(struct search_index *x, uint64_t cursor, struct ck_err *err);
/* After a failure. */
void search_index_rollback(struct search_index *x);

/* How many parts there are, in this transaction. */
int search_index_parts(sqlite3 *db, int64_t *parts, struct ck_err *err);
/* Prepares a statement about a part's words. sql: with # in place of its number. NULL with the
 * reason; the caller finalizes it. */
sqlite3_stmt *search_index_part(sqlite3 *db, const char *sql, int64_t part, struct ck_err *err);

/* A connection that only reads it. 1: there is no index of this version yet; the thread that makes
 * it does so as soon as it sees that. *db is to be closed (db_close) in any case. */
int search_index_reader(sqlite3 **db, struct ck_err *err);

#endif
