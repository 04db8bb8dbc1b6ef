/* Where a record's readable files stand below the artifact folder. Pure.
 *
 *   msg/2026/11/22/chatgpt_m1.txt        and beside it msg/2026/11/22/chatgpt_m1.json
 *
 * Every file ends in .txt or .json and no folder does, so that no record's file can stand where
 * another record's folder must be; nothing begins with a dot, so that the projection's own names
 * (.cursor, .spare) are nobody else's.
 */
#ifndef CK_STORE_STATIC_PATH_H
#define CK_STORE_STATIC_PATH_H

#include "proto/records.h"

#define STATIC_PATH_MAX 400 /* bytes of a path that a write may give */

/* Appends the path that the store gives a message, an execution or a session: folder/YYYY/MM/DD/<id
 * made safe>.txt by the record's own time in UTC, folder `undated` where that is missing or outside
 * the years 1 to 9999. Different ids give different names. Appends nothing for other tables. */
void static_path_make(struct ck_buf *out, enum ck_table t, const struct ck_row *row);

/* True for a path that a write may give: relative, in the table's folder, no component empty,
 * hidden, "." or "..", none too long for a file system, no folder named like a file, no control
 * character, and not one of the two files of the session index. */
bool static_path_ok(enum ck_table t, struct ck_str path);

/* Appends the file's path: the given one with `ending` (".txt" or ".json") in place of .txt, or
 * behind it where it ends otherwise. */
void static_path_file(struct ck_buf *out, struct ck_str path, const char *ending);

#endif
