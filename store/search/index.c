/* See index.h. */
#include "store/search/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/crc32c.h"
#include "proto/file.h"
#include "proto/log.h"
#include "store/search/fts.h"
#include "store/database/statements.h"

/* Below this many dead entries the index is not made again. */
#define WORN_MIN 10000
#define WORN_SHARE 5  /* made again when one in so many is dead */
#define BUSY_MS 10000 /* doctor holds the file's lock while it looks at the words */

/* Columns of bm25 and of `columns` in query.h, in this order: text, title, tool. */
#define PART \
  "CREATE VIRTUAL TABLE words# USING fts5(text, title, tool, content='', tokenize=convkeep)"
#define PART_WORDS "INSERT INTO words# (rowid, text, title, tool) VALUES (?1, ?2, ?3, ?4)"
#define SCHEMA \
  "CREATE TABLE entries (entry INTEGER PRIMARY KEY, version INTEGER NOT NULL, at INTEGER," \
  " place INTEGER NOT NULL, role INTEGER, sum INTEGER NOT NULL);" \
  "CREATE TABLE dead (entry INTEGER PRIMARY KEY);" \
  "CREATE TABLE keys (key INTEGER PRIMARY KEY, entry INTEGER NOT NULL);" \
  "CREATE TABLE places (place INTEGER PRIMARY KEY, kind INTEGER NOT NULL, platform TEXT NOT NULL," \
  " conversation TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL," \
  " UNIQUE (kind, platform, conversation));" \
  "CREATE TABLE roles (role INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);" \
  "CREATE TABLE blocks (block INTEGER PRIMARY KEY, oldest INTEGER NOT NULL," \
  " newest INTEGER NOT NULL);" \
  "CREATE TABLE search_state (store_id TEXT NOT NULL, cursor INTEGER NOT NULL," \
  " next INTEGER NOT NULL, dead INTEGER NOT NULL);"

/* S(NAME, sql). An entry without a time counts as older than all. None writes more than one row or
 * has a RETURNING: SQLite runs such in a savepoint, at which FTS5 writes out the words that it has
 * gathered, so that each message would become a list of its own. */
#define STATEMENTS(S) \
  S(STATE, "SELECT store_id, cursor, next, dead FROM search_state") \
  S(SET_STATE, "UPDATE search_state SET cursor = ?1, next = ?2, dead = ?3") \
  S(FIND, "SELECT e.entry, e.sum FROM keys k JOIN entries e ON e.entry = k.entry" \
          " WHERE k.key = ?1") \
  S(UPDATE, "UPDATE entries SET version = ?2, at = ?3, place = ?4, role = ?5 WHERE entry = ?1") \
  S(DELETE, "DELETE FROM entries WHERE entry = ?1") \
  S(DEAD, "INSERT INTO dead VALUES (?1)") \
  S(INSERT, "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
  S(KEY, "INSERT OR REPLACE INTO keys VALUES (?1, ?2)") \
  S(PLACE, "SELECT place FROM places WHERE kind = ?1 AND platform = ?2 AND conversation = ?3") \
  S(ADD_PLACE, "INSERT INTO places (kind, platform, conversation, first, last)" \
               " VALUES (?1, ?2, ?3, ?4, ?4)") \
  S(REACH, "UPDATE places SET first = min(first, ?2), last = max(last, ?2) WHERE place = ?1") \
  S(ROLE, "SELECT role FROM roles WHERE name = ?1") \
  S(ADD_ROLE, "INSERT INTO roles (name) VALUES (?1)") \
  S(BLOCK, "INSERT INTO blocks VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE SET" \
           " oldest = min(oldest, ?2), newest = max(newest, ?2)")

DB_STATEMENTS(STATEMENTS)

struct search_index {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
  sqlite3_stmt *words; /* puts some into the newest part; NULL: not prepared */
  dev_t device;
  ino_t inode;
  int64_t next, dead;           /* the next entry; entries that are gone */
  int64_t kept_next, kept_dead; /* as committed */
  bool damaged;
};

/* ---- opening ---- */

static int fail(struct search_index *x, const char *doing, struct ck_err *err) {
  int kind = sqlite3_errcode(x->db) & 0xff;
  x->damaged |= kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_CONSTRAINT;
  return ck_fail(err, SEARCH_FILE ": %.80s: %s (%d)", doing, sqlite3_errmsg(x->db),
                 sqlite3_extended_errcode(x->db));
}

static int exec(struct search_index *x, const char *sql, struct ck_err *err) {
  return sqlite3_exec(x->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(x, "SQL", err);
}

int search_index_drop(struct ck_err *err) {
  static const char *const files[] = {SEARCH_FILE "-wal", SEARCH_FILE "-shm",
                                      SEARCH_FILE "-journal", SEARCH_FILE};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    if (unlink(files[i]) && errno != ENOENT)
      return ck_fail(err, "%s: %s", files[i], strerror(errno));
  return 0;
}

/* synchronous = NORMAL: a power cut takes the last commits, and their records are read again. */
static int connect(struct search_index *x, struct ck_err *err) {
  if (ck_no_other_kind(AT_FDCWD, SEARCH_FILE, err)) return -1;
  if (sqlite3_open_v2(SEARCH_FILE, &x->db, DB_OPEN_FLAGS | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
    return fail(x, "opening", err);
  db_harden(x->db);
  sqlite3_busy_timeout(x->db, BUSY_MS);
  if (search_fts_register(x->db, err)) return -1;
  return exec(x,
              "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
              "PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 2000;"
              "PRAGMA journal_size_limit = 16777216",
              err);
}

static int make(struct search_index *x, const char *store_id, struct ck_err *err) {
  char *state = ck_sprintf("INSERT INTO search_state VALUES ('%s', 0, 1, 0);"
                           "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                           store_id, SEARCH_MARK, SEARCH_VERSION);
  int rc = exec(x, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE;" SCHEMA, err) || exec(x, state, err)
               ? -1
               : 0;
  free(state);
  return rc;
}

/* 1: it is an index of this version; 0: it is empty or anything else; -1. */
static int is_ours(sqlite3 *db, struct ck_err *err) {
  int64_t mark, version;
  if (db_int(db, "PRAGMA application_id", 0, &mark, err) ||
      db_int(db, "PRAGMA user_version", 0, &version, err))
    return -1;
  return mark == SEARCH_MARK && version == SEARCH_VERSION;
}

static int prepare(struct search_index *x, struct ck_err *err) {
  for (int i = 0; i < STATEMENT_COUNT; ++i)
    if (sqlite3_prepare_v3(x->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &x->s[i], NULL) !=
        SQLITE_OK)
      return fail(x, texts[i], err);
  return 0;
}

/* *known: the state is this store's. */
static int read_state(struct search_index *x, const char *store_id, uint64_t *cursor, bool *known,
                      struct ck_err *err) {
  sqlite3_stmt *s = x->s[STATE];
  int rc = sqlite3_step(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return fail(x, texts[STATE], err);
  *known = rc == SQLITE_ROW && ck_str_is(db_str(s, 0), store_id);
  *cursor = *known ? (uint64_t)sqlite3_column_int64(s, 1) : 0;
  x->next = x->kept_next = sqlite3_column_int64(s, 2);
  x->dead = x->kept_dead = sqlite3_column_int64(s, 3);
  sqlite3_reset(s);
  return 0;
}

static int note_file(struct search_index *x, struct ck_err *err) {
  struct stat st;
  if (stat(SEARCH_FILE, &st)) return ck_fail(err, SEARCH_FILE ": %s", strerror(errno));
  x->device = st.st_dev;
  x->inode = st.st_ino;
  return 0;
}

/* -1 with x->damaged: what is there is not this store's index. */
static int open_file(struct search_index *x, const char *store_id, uint64_t *cursor, bool fresh,
                     struct ck_err *err) {
  bool known = false;
  if (connect(x, err)) return -1;
  int ours = fresh ? 0 : is_ours(x->db, err);
  if (ours < 0) return fail(x, "opening", err);
  if (!ours && !fresh) {
    x->damaged = true;
    return ck_fail(err, SEARCH_FILE ": another version's, or no index");
  }
  if ((fresh && make(x, store_id, err)) || prepare(x, err) ||
      read_state(x, store_id, cursor, &known, err) || note_file(x, err))
    return -1;
  if (known) return 0;
  x->damaged = true;
  return ck_fail(err, SEARCH_FILE ": another store's");
}

static struct search_index *open_one(const char *store_id, uint64_t *cursor, bool fresh,
                                     bool *damaged, struct ck_err *err) {
  struct search_index *x = ck_zalloc(sizeof *x);
  if (open_file(x, store_id, cursor, fresh, err)) {
    *damaged = x->damaged;
    search_index_close(&x);
  }
  return x;
}

struct search_index *search_index_open(const char *store_id, uint64_t *cursor, struct ck_err *err) {
  bool damaged = false, there = access(SEARCH_FILE, F_OK) == 0;
  struct search_index *x = NULL;
  if (there) x = open_one(store_id, cursor, false, &damaged, err);
  if (x || (there && !damaged)) return x;
  if (there) ck_log(CK_WARN, SEARCH_FILE, "search_made_again", "reason=%s", ck_quotedz(err->text));
  return search_index_drop(err) ? NULL : open_one(store_id, cursor, true, &damaged, err);
}

void search_index_close(struct search_index **x) {
  if (!*x) return;
  db_finalize_all((*x)->s, STATEMENT_COUNT);
  sqlite3_finalize((*x)->words);
  db_close(&(*x)->db);
  free(*x);
  *x = NULL;
}

bool search_index_same(const struct search_index *x) {
  struct stat st;
  return stat(SEARCH_FILE, &st) == 0 && st.st_dev == x->device && st.st_ino == x->inode;
}

bool search_index_damaged(const struct search_index *x) { return x->damaged; }

bool search_index_worn(const struct search_index *x) {
  return x->dead >= WORN_MIN && x->dead >= x->next / WORN_SHARE;
}

/* ---- writing ---- */

/* 1: a row; 0: none; -1. The caller resets the statement. */
static int step(struct search_index *x, enum statement name, struct ck_err *err) {
  int rc = sqlite3_step(x->s[name]);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(x, texts[name], err);
}

/* Runs a statement. *value: its first column, if it gives a row; else unchanged. 1, 0 or -1. */
static int run(struct search_index *x, enum statement name, int64_t *value, struct ck_err *err) {
  int rc = step(x, name, err);
  if (rc > 0 && value) *value = sqlite3_column_int64(x->s[name], 0);
  sqlite3_reset(x->s[name]);
  return rc;
}

/* Runs an INSERT. *number: the new row's. */
static int add(struct search_index *x, enum statement name, int64_t *number, struct ck_err *err) {
  if (run(x, name, NULL, err) < 0) return -1;
  *number = sqlite3_last_insert_rowid(x->db);
  return 0;
}

int search_index_begin(struct search_index *x, struct ck_err *err) {
  return exec(x, "BEGIN IMMEDIATE", err);
}

static int find_role(struct search_index *x, struct ck_str name, int64_t *role,
                     struct ck_err *err) {
  db_bind_str(x->s[ROLE], 1, name);
  int rc = run(x, ROLE, role, err);
  if (rc) return rc < 0 ? -1 : 0;
  db_bind_str(x->s[ADD_ROLE], 1, name);
  return add(x, ADD_ROLE, role, err);
}

static void bind_place(sqlite3_stmt *s, const struct search_item *item) {
  sqlite3_bind_int(s, 1, item->is_title ? SEARCH_PLACE_OWN : SEARCH_PLACE_REMOTE);
  db_bind_str(s, 2, item->platform);
  db_bind_str(s, 3, item->conversation);
}

/* The place of the entry's conversation, which reaches to the entry from now on. */
static int find_place(struct search_index *x, const struct search_item *item, int64_t entry,
                      int64_t *place, struct ck_err *err) {
  bind_place(x->s[PLACE], item);
  int rc = run(x, PLACE, place, err);
  if (rc < 0) return -1;
  if (rc == 0) {
    bind_place(x->s[ADD_PLACE], item);
    sqlite3_bind_int64(x->s[ADD_PLACE], 4, entry);
    return add(x, ADD_PLACE, place, err);
  }
  sqlite3_bind_int64(x->s[REACH], 1, *place);
  sqlite3_bind_int64(x->s[REACH], 2, entry);
  return run(x, REACH, NULL, err);
}

static int note_time(struct search_index *x, const struct search_item *item, int64_t entry,
                     struct ck_err *err) {
  sqlite3_bind_int64(x->s[BLOCK], 1, entry / SEARCH_BLOCK);
  sqlite3_bind_int64(x->s[BLOCK], 2, item->is_dated ? item->at : INT64_MIN);
  return run(x, BLOCK, NULL, err);
}

/* Where and when the entry is. name: INSERT or UPDATE. */
static int put_entry(struct search_index *x, enum statement name, const struct search_item *item,
                     int64_t entry, uint32_t sum, struct ck_err *err) {
  int64_t place = 0, role = 0;
  if (find_place(x, item, entry, &place, err) ||
      (!item->is_title && find_role(x, item->role, &role, err)) || note_time(x, item, entry, err))
    return -1;
  sqlite3_stmt *s = x->s[name];
  sqlite3_bind_int64(s, 1, entry);
  sqlite3_bind_int64(s, 2, (int64_t)item->version);
  sqlite3_bind_int64(s, 3, item->at);
  if (!item->is_dated) sqlite3_bind_null(s, 3);
  sqlite3_bind_int64(s, 4, place);
  sqlite3_bind_int64(s, 5, role);
  if (item->is_title) sqlite3_bind_null(s, 5);
  if (name == INSERT) sqlite3_bind_int64(s, 6, sum);
  return run(x, name, NULL, err);
}

static int put_words(struct search_index *x, const struct search_item *item, int64_t entry,
                     struct ck_err *err) {
  sqlite3_stmt *s = x->words;
  sqlite3_bind_int64(s, 1, entry);
  db_bind_str(s, 2, item->is_title ? (struct ck_str){0} : item->text);
  db_bind_str(s, 3, item->is_title ? item->text : (struct ck_str){0});
  db_bind_str(s, 4, item->tool);
  int rc = sqlite3_step(s);
  sqlite3_reset(s);
  return rc == SQLITE_DONE ? 0 : fail(x, "words", err);
}

/* Entries are numbered from 1, so the first one of a part makes its table. */
static int need_part(struct search_index *x, int64_t entry, struct ck_err *err) {
  int64_t part = entry / SEARCH_PART;
  bool first = entry == 1 || entry % SEARCH_PART == 0;
  if (x->words && !first) return 0;
  sqlite3_finalize(x->words);
  x->words = NULL;
  sqlite3_stmt *table = first ? search_index_part(x->db, PART, part, err) : NULL;
  int rc = table ? sqlite3_step(table) : SQLITE_DONE;
  sqlite3_finalize(table);
  if (rc == SQLITE_DONE && (table || !first))
    x->words = search_index_part(x->db, PART_WORDS, part, err);
  return x->words ? 0 : fail(x, "a part", err);
}

static int64_t key_of(const struct search_item *item) {
  const struct ck_str parts[] = {ck_str_of(item->is_title ? "title" : "message"), item->id};
  char hash[33];
  ck_hash_id(hash, parts, 2);
  hash[16] = '\0';
  return (int64_t)strtoull(hash, NULL, 16);
}

/* What of it is a sum. With the bit above, it takes four bytes. */
#define SUM_MASK 0x3fffffffu

/* Another number for other words; 0: it has none. */
static uint32_t sum_of(const struct search_item *item) {
  uint32_t sum = ck_crc32c(0, item->text.s, item->text.n);
  sum = ck_crc32c(ck_crc32c(sum, "\n", 1), item->tool.s, item->tool.n) & SUM_MASK;
  if (item->text.n + item->tool.n == 0) return 0;
  return (sum ? sum : 1) | (item->tool.n ? SEARCH_HAS_TOOL : 0);
}

static int drop_entry(struct search_index *x, int64_t entry, struct ck_err *err) {
  sqlite3_bind_int64(x->s[DELETE], 1, entry);
  sqlite3_bind_int64(x->s[DEAD], 1, entry);
  ++x->dead;
  return run(x, DELETE, NULL, err) || run(x, DEAD, NULL, err) ? -1 : 0;
}

static int add_entry(struct search_index *x, const struct search_item *item, int64_t key,
                     uint32_t sum, struct ck_err *err) {
  int64_t entry = x->next++;
  sqlite3_bind_int64(x->s[KEY], 1, key);
  sqlite3_bind_int64(x->s[KEY], 2, entry);
  if (need_part(x, entry, err) || run(x, KEY, NULL, err) ||
      put_entry(x, INSERT, item, entry, sum, err))
    return -1;
  return sum ? put_words(x, item, entry, err) : 0;
}

int search_index_put(struct search_index *x, const struct search_item *item, struct ck_err *err) {
  int64_t key = key_of(item), entry = 0;
  uint32_t sum = sum_of(item), former = 0;
  sqlite3_bind_int64(x->s[FIND], 1, key);
  int rc = step(x, FIND, err);
  if (rc > 0) {
    entry = sqlite3_column_int64(x->s[FIND], 0);
    former = (uint32_t)sqlite3_column_int64(x->s[FIND], 1);
  }
  sqlite3_reset(x->s[FIND]);
  if (rc < 0) return -1;
  if (rc > 0 && former == sum) return put_entry(x, UPDATE, item, entry, sum, err);
  if (rc > 0 && drop_entry(x, entry, err)) return -1;
  return add_entry(x, item, key, sum, err);
}

int search_index_commit(struct search_index *x, uint64_t cursor, struct ck_err *err) {
  sqlite3_stmt *s = x->s[SET_STATE];
  sqlite3_bind_int64(s, 1, (int64_t)cursor);
  sqlite3_bind_int64(s, 2, x->next);
  sqlite3_bind_int64(s, 3, x->dead);
  if (run(x, SET_STATE, NULL, err) < 0 || exec(x, "COMMIT", err)) return -1;
  x->kept_next = x->next;
  x->kept_dead = x->dead;
  return 0;
}

void search_index_rollback(struct search_index *x) {
  sqlite3_finalize(x->words); /* the part may be gone now */
  x->words = NULL;
  if (!sqlite3_get_autocommit(x->db)) sqlite3_exec(x->db, "ROLLBACK", NULL, NULL, NULL);
  x->next = x->kept_next;
  x->dead = x->kept_dead;
}

/* ---- reading ---- */

int search_index_parts(sqlite3 *db, int64_t *parts, struct ck_err *err) {
  int64_t next;
  if (db_int(db, "SELECT next FROM search_state", 1, &next, err)) return -1;
  *parts = next > 1 ? (next - 1) / SEARCH_PART + 1 : 0;
  return 0;
}

sqlite3_stmt *search_index_part(sqlite3 *db, const char *sql, int64_t part, struct ck_err *err) {
  struct ck_buf text = {0};
  for (; *sql; ++sql) {
    if (*sql == '#')
      ck_buf_printf(&text, "%lld", (long long)part);
    else
      ck_buf_add(&text, sql, 1);
  }
  sqlite3_stmt *s = db_prepare(db, ck_buf_cstr(&text), err);
  ck_buf_free(&text);
  return s;
}

int search_index_reader(sqlite3 **db, struct ck_err *err) {
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  if (ck_no_other_kind(AT_FDCWD, SEARCH_FILE, err)) return -1;
  if (access(SEARCH_FILE, F_OK) && errno == ENOENT) return 1;
  if (sqlite3_open_v2(SEARCH_FILE, db, flags, NULL) != SQLITE_OK)
    return ck_fail(err, SEARCH_FILE ": %s", sqlite3_errmsg(*db));
  db_harden(*db);
  sqlite3_busy_timeout(*db, DB_BUSY_MS);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if (search_fts_register(*db, err) ||
      db_exec(*db, "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA mmap_size = 0", err))
    return -1;
  int ours = is_ours(*db, err);
  return ours > 0 ? 0 : ours < 0 ? -1 : 1;
}
