/* Where a record's readable files are, below the artifact folder. Pure functions.
 *
 *   msg/2026/11/22/chatgpt_m1.txt        and beside it msg/2026/11/22/chatgpt_m1.json
 *
 * Every file ends in .txt or .json and no folder does, so no record's file can be where another
 * record's folder must be. Nothing begins with a dot, so no record can take the artifact folder's
 * own names (.cursor, .spare).
 */
#ifndef CK_STORE_STATIC_PATH_H
#define CK_STORE_STATIC_PATH_H

#include "proto/records.h"

#define STATIC_PATH_MAX 400 /* bytes of a path that a write may give */

/* Appends the path that the store gives a message, an execution or a session:
 * folder/YYYY/MM/DD/<escaped id>.txt, by the record's own time in UTC. The folder is `undated` if
 * that time is missing or outside the years 1 to 9999. Different ids give different names. Appends
 * nothing for other tables. */
void static_path_make(struct ck_buf *out, enum ck_table t, const struct ck_row *row);

/* True for a path that a write may give the record with this id: it is relative and in the table's
 * folder; no component is empty, hidden, "." or "..", or too long for a file system; no folder is
 * named like a file; there is no control character; it is not one of the two files of the session
 * index; and its last component, without .txt, is the id as it is or as static_path_make escapes
 * it, so no two records have the same files. */
bool static_path_ok(enum ck_table t, struct ck_str path, struct ck_str id);

/* Appends the path of a record's file: `ending` (".txt" or ".json") replaces the path's .txt, or is
 * appended if the path does not end in .txt. */
void static_path_file(struct ck_buf *out, struct ck_str path, const char *ending);

#endif
