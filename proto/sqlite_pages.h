/* SQLite's database files without the bytes of what was deleted from them: an SQLite VFS on top of
 * the default one.
 *
 * With `secure_delete` SQLite overwrites what it frees in a page of a b-tree. But where it spreads
 * the cells of a page over several pages, it copies them, and what they leave in the middle of a
 * page, between the list of the cells and the first of them, stays as it was. This VFS puts zeroes
 * there in each page on its way into a database file. Nothing is lost: no cell is there.
 * A file of more than 2^24 pages (64 GiB), or with auto_vacuum, stays as SQLite writes it.
 *
 * The WAL and the memory of a connection still have such bytes. So after a deletion the WAL is to
 * be emptied, and the memory released (sqlite3_db_release_memory), or the next change of a page
 * would take them to the WAL again.
 */
#ifndef CK_SQLITE_PAGES_H
#define CK_SQLITE_PAGES_H

#include <sqlite3.h>
#include <stddef.h>

/* Registers the VFS, on top of what is SQLite's default VFS at this call. Returns its name for
 * sqlite3_open_v2. Not by two threads at once, and not while another opens a file with it. */
const char *ck_sqlite_pages_vfs(void);

/* Fills with zeroes what no cell takes in the middle of a page of n bytes, if it is one of a
 * b-tree. first: it is the first page of its file. */
void ck_sqlite_page_wipe(unsigned char *page, size_t n, int first);

#endif
