/* See sqlite_pages.h. The form of a page: https://www.sqlite.org/fileformat2.html#b_tree_pages */
#include "proto/sqlite_pages.h"

#include <stdbool.h>
#include <string.h>

#define FILE_HEADER 100u
#define PAGE_MIN 512u
#define PAGE_MAX 65536u

/* The first byte of a page of a b-tree. */
enum { INNER_INDEX = 2, INNER_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 };

/* Follows the default VFS's file in memory: its methods, but for one. */
struct wiped {
  sqlite3_io_methods methods;
  int (*write)(sqlite3_file *, const void *, int, sqlite3_int64);
  enum { UNKNOWN, PLAIN, MAPPED } pages;
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

static struct wiped *wiped_of(sqlite3_file *file) {
  size_t at = ((size_t)under->szOsFile + 15) / 16 * 16;
  return (struct wiped *)(void *)((char *)file + at);
}

static bool is_page(int n, sqlite3_int64 at) {
  return n >= (int)PAGE_MIN && n <= (int)PAGE_MAX && (n & (n - 1)) == 0 && at % n == 0;
}

static bool is_small(sqlite3_file *file, int n) {
  sqlite3_int64 size;
  return file->pMethods->xFileSize(file, &size) == SQLITE_OK && size / n < MOST_PAGES;
}

/* The first page is written first of all in a new file. first: it, if it is written now. */
static bool is_plain(sqlite3_file *file, const unsigned char *first) {
  static const unsigned char none[LARGEST_ROOT_BYTES];
  struct wiped *w = wiped_of(file);
  unsigned char root[LARGEST_ROOT_BYTES];
  if (first) {
    memcpy(root, first + LARGEST_ROOT_AT, sizeof root);
  } else if (w->pages != UNKNOWN) {
    return w->pages == PLAIN;
  } else if (file->pMethods->xRead(file, root, sizeof root, LARGEST_ROOT_AT) != SQLITE_OK) {
    return false;
  }
  w->pages = memcmp(root, none, sizeof root) ? MAPPED : PLAIN;
  return w->pages == PLAIN;
}

static int write_page(sqlite3_file *file, const void *from, int n, sqlite3_int64 at) {
  unsigned char page[PAGE_MAX];
  bool wipes = is_page(n, at) && is_plain(file, at == 0 ? from : NULL) && is_small(file, n);
  if (!wipes) return wiped_of(file)->write(file, from, n, at);
  memcpy(page, from, (size_t)n);
  ck_sqlite_page_wipe(page, (size_t)n, at == 0);
  return wiped_of(file)->write(file, page, n, at);
}

static int open_file(sqlite3_vfs *v, const char *path, sqlite3_file *file, int flags, int *out) {
  (void)v;
  int rc = under->xOpen(under, path, file, flags, out);
  if (rc != SQLITE_OK || !file->pMethods || !(flags & SQLITE_OPEN_MAIN_DB)) return rc;
  struct wiped *w = wiped_of(file);
  w->methods = *file->pMethods;
  w->write = w->methods.xWrite;
  w->pages = UNKNOWN;
  w->methods.xWrite = write_page;
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
  vfs.szOsFile = under->szOsFile + 16 + (int)sizeof(struct wiped);
  vfs.xOpen = open_file;
  sqlite3_vfs_register(&vfs, 0);
  return vfs.zName;
}
