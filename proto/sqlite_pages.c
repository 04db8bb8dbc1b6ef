/* See sqlite_pages.h. The form of a page: https://www.sqlite.org/fileformat2.html#b_tree_pages */
#include "proto/sqlite_pages.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/crc32c.h"
#include "proto/log.h"

#define FILE_HEADER 100u
#define PAGE_MIN 512u
#define PAGE_MAX 65536u
#define MET_MAX 64
#define MET_NAME 64

/* The first byte of a page of a b-tree. */
enum { INNER_INDEX = 2, INNER_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 };

/* The end of a page. */
enum { SEAL = 8, SEAL_STATE = 8, SEAL_CRC = 4 };
enum state { WRITTEN = 0, DIFFERED = 1 };

/* Where a file's first page says the size of its pages, and the room at their ends. */
#define SIZE_AT 16
#define ROOM_AT 20

/* In a WAL, before each page. */
#define FRAME_HEAD 24

enum { CONTROL_SEEN = 0x636b01, CONTROL_STRICT, CONTROL_GUARD }; /* for sqlite3_file_control */

/* Follows the default VFS's file in memory: its methods, but for some. */
struct paged {
  sqlite3_io_methods methods;
  const sqlite3_io_methods *real;
  const char *path;
  sqlite3_file *database;     /* of a WAL */
  struct ck_histogram *syncs; /* where the time of each is noted; NULL: nowhere */
  enum { UNKNOWN, PLAIN, MAPPED } pages;
  enum { UNREAD, OPEN, SEALED } seals;
  bool strict, guarded;
  struct ck_sqlite_pages seen;
};

static sqlite3_vfs vfs, *under;

/* All other pages begin with the number of a page. Its first byte is that of a page of a b-tree
 * only in a file of more pages than 2^25; this is half of that, because a checkpoint writes the
 * pages of a file before it is as long as it will be. */
#define MOST_PAGES (1 << 24)

/* In the first page: the largest root page if the file has pages of another kind, which may begin
 * like those of a b-tree: maps of pages, for auto_vacuum; else 0. */
#define LARGEST_ROOT_AT 52
#define LARGEST_ROOT_BYTES 4

static size_t number_at(const unsigned char *at) { return (size_t)at[0] << 8 | at[1]; }

void ck_sqlite_page_wipe(unsigned char *page, size_t n, int first) {
  unsigned char *head = page + (first ? FILE_HEADER : 0);
  bool inner = *head == INNER_INDEX || *head == INNER_TABLE;
  if (!inner && *head != LEAF_INDEX && *head != LEAF_TABLE) return;
  size_t cells = number_at(head + 3), content = number_at(head + 5),
         from = (size_t)(head - page) + (inner ? 12 : 8) + 2 * cells;
  if (content == 0) content = PAGE_MAX;
  if (from < content && content <= n) memset(page + from, 0, content - from);
}

static struct paged *paged_of(sqlite3_file *file) {
  size_t at = ((size_t)under->szOsFile + 15) / 16 * 16;
  return (struct paged *)(void *)((char *)file + at);
}

static bool is_page(int n, sqlite3_int64 at) {
  return n >= (int)PAGE_MIN && n <= (int)PAGE_MAX && (n & (n - 1)) == 0 && at % n == 0;
}

static bool is_small(sqlite3_file *file, int n) {
  sqlite3_int64 size;
  return paged_of(file)->real->xFileSize(file, &size) == SQLITE_OK && size / n < MOST_PAGES;
}

/* The first page is written first of all in a new file. first: it, if it is written now. */
static bool is_plain(sqlite3_file *file, const unsigned char *first) {
  static const unsigned char none[LARGEST_ROOT_BYTES];
  struct paged *w = paged_of(file);
  unsigned char root[LARGEST_ROOT_BYTES];
  if (first) {
    memcpy(root, first + LARGEST_ROOT_AT, sizeof root);
  } else if (w->pages != UNKNOWN) {
    return w->pages == PLAIN;
  } else if (w->real->xRead(file, root, sizeof root, LARGEST_ROOT_AT) != SQLITE_OK) {
    return false;
  }
  w->pages = memcmp(root, none, sizeof root) ? MAPPED : PLAIN;
  return w->pages == PLAIN;
}

/* ---- seals ---- */

static uint32_t crc_of(const unsigned char *page, int n, uint32_t number) {
  return ck_crc32c(number, page, (size_t)n - SEAL_CRC);
}

static uint32_t crc_in(const unsigned char *page, int n) {
  const unsigned char *at = page + n - SEAL_CRC;
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void seal(unsigned char *page, int n, uint32_t number, enum state state) {
  unsigned char *at = page + n - SEAL;
  memset(at, 0, SEAL);
  at[0] = (unsigned char)state;
  uint32_t crc = crc_of(page, n, number);
  for (int i = 0; i < SEAL_CRC; ++i) at[SEAL - SEAL_CRC + i] = (unsigned char)(crc >> (24 - 8 * i));
}

static bool is_empty(const unsigned char *page, int n) {
  return page[0] == 0 && memcmp(page, page + 1, (size_t)n - 1) == 0;
}

static bool is_sound(const unsigned char *page, int n, uint32_t number) {
  return (page[n - SEAL_STATE] == WRITTEN && crc_in(page, n) == crc_of(page, n, number)) ||
         is_empty(page, n);
}

static bool is_first(const unsigned char *head) {
  return memcmp(head, "SQLite format 3", SIZE_AT) == 0;
}

static bool says_seals(const unsigned char *head) {
  return is_first(head) && head[ROOM_AT] == SEAL;
}

/* An empty file has no first page yet; SQLite may write others before it. first: it, if it is at
 * hand. */
static bool has_seals(sqlite3_file *file, const unsigned char *first) {
  struct paged *w = paged_of(file);
  unsigned char head[ROOM_AT + 1];
  if (!first && w->seals != UNREAD) return w->seals == SEALED;
  if (!first && (w->real->xRead(file, head, sizeof head, 0) != SQLITE_OK || !is_first(head)))
    return w->guarded;
  w->seals = says_seals(first ? first : head) ? SEALED : OPEN;
  return w->seals == SEALED;
}

/* ---- what all connections of the process have met ---- */

static struct {
  pthread_mutex_t lock;
  struct met {
    char name[MET_NAME];
    uint32_t page;
  } pages[MET_MAX];
  unsigned count;
} all_met = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *name_of(const char *path) {
  const char *slash = path ? strrchr(path, '/') : NULL;
  return slash ? slash + 1 : path ? path : "";
}

static void meet(const char *path, uint32_t page) {
  struct met m = {.page = page};
  unsigned i = 0;
  snprintf(m.name, sizeof m.name, "%s", name_of(path));
  pthread_mutex_lock(&all_met.lock);
  while (i < all_met.count &&
         (all_met.pages[i].page != page || strcmp(all_met.pages[i].name, m.name) != 0))
    ++i;
  if (i < MET_MAX) all_met.pages[i] = m;
  if (i == all_met.count && i < MET_MAX) ++all_met.count;
  pthread_mutex_unlock(&all_met.lock);
}

/* forget: they are as they should be. */
static unsigned count_met(const char *name, bool forget) {
  unsigned n = 0, kept = 0;
  pthread_mutex_lock(&all_met.lock);
  for (unsigned i = 0; i < all_met.count; ++i) {
    bool its = strcmp(all_met.pages[i].name, name) == 0;
    n += its;
    if (!forget || !its) all_met.pages[kept++] = all_met.pages[i];
  }
  all_met.count = kept;
  pthread_mutex_unlock(&all_met.lock);
  return n;
}

unsigned ck_sqlite_pages_met(const char *name) { return count_met(name, false); }

/* Remembers a page, and logs it if it was not known. */
static void note(struct paged *w, uint32_t number) {
  struct ck_sqlite_pages *s = &w->seen;
  if (s->count == CK_SQLITE_PAGES_KEPT) return;
  for (unsigned i = 0; i < s->count; ++i)
    if (s->pages[i] == number) return;
  s->pages[s->count++] = number;
  meet(w->path, number);
  ck_log(CK_ERROR, w->path ? w->path : "database", "page_damaged", "page=%u", number);
}

/* ---- the file's methods ---- */

static uint32_t number_of(int n, sqlite3_int64 at) { return (uint32_t)(at / n) + 1; }

static int write_page(sqlite3_file *file, const void *from, int n, sqlite3_int64 at) {
  unsigned char page[PAGE_MAX];
  struct paged *w = paged_of(file);
  if (!is_page(n, at)) return w->real->xWrite(file, from, n, at);
  const unsigned char *first = at == 0 ? from : NULL;
  bool wipes = is_plain(file, first) && is_small(file, n), seals = has_seals(file, first);
  if (!wipes && !seals) return w->real->xWrite(file, from, n, at);
  memcpy(page, from, (size_t)n);
  if (wipes) ck_sqlite_page_wipe(page, (size_t)n, at == 0);
  if (seals) seal(page, n, number_of(n, at), page[n - SEAL_STATE] == DIFFERED ? DIFFERED : WRITTEN);
  return w->real->xWrite(file, page, n, at);
}

static int read_page(sqlite3_file *file, void *to, int n, sqlite3_int64 at) {
  struct paged *w = paged_of(file);
  unsigned char *page = to;
  int rc = w->real->xRead(file, to, n, at);
  if (rc != SQLITE_OK || !is_page(n, at) || !has_seals(file, at == 0 ? page : NULL)) return rc;
  uint32_t number = number_of(n, at);
  if (is_sound(page, n, number)) return rc;
  page[n - SEAL_STATE] = DIFFERED;
  note(w, number);
  return w->strict ? SQLITE_CORRUPT : rc;
}

/* A page that differed when it was read, and was written again since. Its number is in the frame's
 * head, before it. */
static int read_frame(sqlite3_file *file, void *to, int n, sqlite3_int64 at) {
  struct paged *w = paged_of(file);
  const unsigned char *page = to;
  unsigned char number[4];
  int rc = w->real->xRead(file, to, n, at);
  if (rc != SQLITE_OK || !is_page(n, 0) || page[n - SEAL_STATE] != DIFFERED ||
      !has_seals(w->database, NULL) ||
      w->real->xRead(file, number, sizeof number, at - FRAME_HEAD) != SQLITE_OK)
    return rc;
  note(paged_of(w->database), (uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 |
                                  (uint32_t)number[2] << 8 | number[3]);
  return paged_of(w->database)->strict ? SQLITE_CORRUPT : rc;
}

static int sync_file(sqlite3_file *file, int flags) {
  struct paged *w = paged_of(file);
  int64_t began = ck_mono_us();
  int rc = w->real->xSync(file, flags);
  ck_histogram_note(w->syncs, ck_mono_us() - began);
  return rc;
}

static int control(sqlite3_file *file, int op, void *arg) {
  struct paged *w = paged_of(file);
  if (op == CONTROL_STRICT) return w->strict = true, SQLITE_OK;
  if (op == CONTROL_GUARD) return w->guarded = true, SQLITE_OK;
  if (op != CONTROL_SEEN) return w->real->xFileControl(file, op, arg);
  w->seen.sealed = has_seals(file, NULL);
  *(struct ck_sqlite_pages *)arg = w->seen;
  return SQLITE_OK;
}

static struct {
  const char *name;
  struct ck_histogram *database, *wal;
} timed;

void ck_sqlite_pages_time(const char *name, struct ck_histogram *database,
                          struct ck_histogram *wal) {
  timed.name = name;
  timed.database = database;
  timed.wal = wal;
}

/* Where the syncs of this file are noted; NULL: nowhere. */
static struct ck_histogram *syncs_of(const char *path, bool wal) {
  const char *name = name_of(path);
  size_t n = timed.name ? strlen(timed.name) : 0;
  if (!timed.name || strncmp(name, timed.name, n) != 0 || strcmp(name + n, wal ? "-wal" : "") != 0)
    return NULL;
  return wal ? timed.wal : timed.database;
}

static int open_file(sqlite3_vfs *v, const char *path, sqlite3_file *file, int flags, int *out) {
  (void)v;
  int rc = under->xOpen(under, path, file, flags, out);
  if (rc != SQLITE_OK || !file->pMethods || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
    return rc;
  struct paged *w = paged_of(file);
  *w = (struct paged){.methods = *file->pMethods,
                      .real = file->pMethods,
                      .path = path,
                      .syncs = syncs_of(path, flags & SQLITE_OPEN_WAL)};
  if (w->syncs) w->methods.xSync = sync_file;
  if (flags & SQLITE_OPEN_WAL) {
    w->database = sqlite3_database_file_object(path);
    w->methods.xRead = read_frame;
  } else {
    w->methods.xWrite = write_page;
    w->methods.xRead = read_page;
    w->methods.xFileControl = control;
  }
  file->pMethods = &w->methods;
  return rc;
}

const char *ck_sqlite_pages_vfs(void) {
  sqlite3_vfs *now = sqlite3_vfs_find(NULL);
  if (now == under) return vfs.zName;
  if (under) sqlite3_vfs_unregister(&vfs);
  under = now;
  vfs = *under;
  vfs.pNext = NULL;
  vfs.zName = "convkeep-pages";
  vfs.szOsFile = under->szOsFile + 16 + (int)sizeof(struct paged);
  vfs.xOpen = open_file;
  sqlite3_vfs_register(&vfs, 0);
  return vfs.zName;
}

/* ---- for others ---- */

void ck_sqlite_pages_guard(sqlite3 *db) {
  int room = SEAL;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &room);
  sqlite3_file_control(db, "main", CONTROL_GUARD, NULL);
}

void ck_sqlite_pages_strict(sqlite3 *db) { sqlite3_file_control(db, "main", CONTROL_STRICT, NULL); }

void ck_sqlite_pages_guard_copy(sqlite3 *to, sqlite3 *from) {
  struct ck_sqlite_pages seen;
  if (ck_sqlite_pages_seen(from, "main", &seen) && seen.sealed) ck_sqlite_pages_guard(to);
}

bool ck_sqlite_pages_seen(sqlite3 *db, const char *name, struct ck_sqlite_pages *seen) {
  *seen = (struct ck_sqlite_pages){0};
  return sqlite3_file_control(db, name, CONTROL_SEEN, seen) == SQLITE_OK;
}

/* SQLITE_DONE: it had that seal. */
static int accept_page(sqlite3_file *file, unsigned char *page, int n, uint32_t number) {
  const sqlite3_io_methods *real = paged_of(file)->real;
  sqlite3_int64 at = (sqlite3_int64)(number - 1) * n;
  int rc = real->xRead(file, page, n, at);
  if (rc != SQLITE_OK || is_sound(page, n, number)) return rc == SQLITE_OK ? SQLITE_DONE : rc;
  seal(page, n, number, WRITTEN);
  return real->xWrite(file, page + n - SEAL, SEAL, at + n - SEAL);
}

static int accept_all(sqlite3_file *file, uint64_t *changed) {
  unsigned char page[PAGE_MAX];
  const sqlite3_io_methods *real = paged_of(file)->real;
  sqlite3_int64 size;
  int rc = real->xFileSize(file, &size);
  if (rc == SQLITE_OK) rc = real->xRead(file, page, FILE_HEADER, 0);
  if (rc != SQLITE_OK) return rc;
  size_t n = number_at(page + SIZE_AT) == 1 ? PAGE_MAX : number_at(page + SIZE_AT);
  if (!says_seals(page) || n < PAGE_MIN || (n & (n - 1))) return SQLITE_NOTADB;
  for (uint32_t number = 1; number <= (uint32_t)(size / (sqlite3_int64)n); ++number) {
    rc = accept_page(file, page, (int)n, number);
    *changed += rc == SQLITE_OK;
    if (rc != SQLITE_OK && rc != SQLITE_DONE) return rc;
  }
  return real->xSync(file, SQLITE_SYNC_NORMAL);
}

int ck_sqlite_pages_accept(sqlite3 *db, uint64_t *changed, struct ck_err *err) {
  sqlite3_file *file = NULL;
  *changed = 0;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (rc == SQLITE_OK) rc = file->pMethods ? accept_all(file, changed) : SQLITE_CANTOPEN;
  if (rc == SQLITE_OK) count_met(name_of(sqlite3_db_filename(db, "main")), true);
  if (rc == SQLITE_OK) return 0;
  return ck_fail(err, "%s: %s (%d)", sqlite3_db_filename(db, "main"), sqlite3_errstr(rc), rc);
}
