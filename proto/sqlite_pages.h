/* SQLite's database files, each page of which shows whether it is as it was written, and without
 * the bytes of what was deleted: an SQLite VFS on top of the default one.
 *
 * **Checksums.** SQLite's pages have none, and it does not notice a bit that a disk has turned in a
 * text. In a file that has room for it (ck_sqlite_pages_guard), the last eight bytes of each page
 * are its seal: its state, three zeroes, and the CRC-32C of the page's number and all before it.
 * It is written with the page on its way into the file, and compared when the page is read from
 * there. A page that differs is handed on, with a state that stays with it through WAL, changes and
 * copies, so that no later write makes it look sound; it is logged once (`page_damaged`) and
 * counted for its connection. A page of zeroes is sound: SQLite leaves it out.
 * To other programs, the seal is room that SQLite does not use. What they write keeps the seal of
 * what was there before, so it looks damaged until ck_sqlite_pages_accept.
 * The WAL has checksums of its own, which SQLite compares when it opens it.
 *
 * **Deleted bytes.** With `secure_delete` SQLite overwrites what it frees in a page of a b-tree.
 * But where it spreads the cells of a page over several pages, it copies them, and what they leave
 * in the middle of a page, between the list of the cells and the first of them, stays as it was.
 * This VFS puts zeroes there in each page on its way into a database file. Nothing is lost: no cell
 * is there. A file of more than 2^24 pages (64 GiB), or with auto_vacuum, stays as SQLite writes
 * it.
 * The WAL and the memory of a connection still have such bytes. So after a deletion the WAL is to
 * be emptied, and the memory released (sqlite3_db_release_memory), or the next change of a page
 * would take them to the WAL again.
 */
#ifndef CK_SQLITE_PAGES_H
#define CK_SQLITE_PAGES_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/histogram.h"

/* Registers the VFS, on top of what is SQLite's default VFS at this call. Returns its name for
 * sqlite3_open_v2. The first call, and one after the default VFS has changed, must be by one thread
 * alone, while no other opens a file with it. */
const char *ck_sqlite_pages_vfs(void);

/* Notes how long each fsync takes of files of this name, without folders, and of their WALs, that
 * are opened from now on. They stay in use until the last of these is closed. Name NULL: of none.
 * By one thread alone, while no other opens a file with the VFS. */
void ck_sqlite_pages_time(const char *name, struct ck_histogram *database,
                          struct ck_histogram *wal);

/* Asks SQLite for the seals' room in the database "main" of a connection that has run nothing yet.
 * It is given to a file that is empty, and to any by its next VACUUM. */
void ck_sqlite_pages_guard(sqlite3 *db);

/* The same for an empty file that SQLite's backup is to make a copy of `from`, if that has seals:
 * it gets the room that its source has. */
void ck_sqlite_pages_guard_copy(sqlite3 *to, sqlite3 *from);

/* A page that differs cannot be read: SQLITE_CORRUPT. For a file that can be made again, and for
 * who makes something else of what it reads. */
void ck_sqlite_pages_strict(sqlite3 *db);

#define CK_SQLITE_PAGES_KEPT 16
struct ck_sqlite_pages {
  bool sealed; /* the file has room for seals */
  unsigned
      count; /* pages read so far by the connection that differ; CK_SQLITE_PAGES_KEPT: or more */
  uint32_t pages[CK_SQLITE_PAGES_KEPT]; /* their numbers, from 1, as they were met */
};

/* What a connection has read from its database `name` ("main", or as it was attached). False: it
 * was not opened with the VFS. */
bool ck_sqlite_pages_seen(sqlite3 *db, const char *name, struct ck_sqlite_pages *seen);

/* How many pages of the files of this name, without folders, all connections of this process have
 * met so far that differ, 64 of all files at most; 0 after ck_sqlite_pages_accept. Any thread. */
unsigned ck_sqlite_pages_met(const char *name);

/* Gives every page of the database file the seal of what it says now, durably. The connection was
 * opened with the VFS, for writing. Nobody may write meanwhile, and the WAL must be empty. A
 * connection that stays open must call sqlite3_db_release_memory before it writes: the pages that
 * it has in memory have the former seals.
 * *changed: how many pages had another. -1 with the reason. */
int ck_sqlite_pages_accept(sqlite3 *db, uint64_t *changed, struct ck_err *err);

/* Fills with zeroes what no cell takes in the middle of a page of n bytes, if it is one of a
 * b-tree. first: it is the first page of its file. */
void ck_sqlite_page_wipe(unsigned char *page, size_t n, int first);

#endif
