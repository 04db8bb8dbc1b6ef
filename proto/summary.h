/* Summaries: columns that are the beginning of a text in the same record. The store makes them,
 * whoever sends the record (docs/records.md). Pure. */
#ifndef CK_PROTO_SUMMARY_H
#define CK_PROTO_SUMMARY_H

#include "proto/records.h"

/* S(TABLE, COLUMN, OF): the column is the beginning of the text in OF, which comes before it; what
 * a source says of it counts only while OF is NULL. At most one line for each table. */
#define CK_SUMMARY_LIST(S) \
  S(MESSAGES, SUMMARY, RAW_TEXT) \
  S(EXECUTIONS, RESULT_SUMMARY, RESULT_DATA)

/* Which column it is, and of which text; both are 0 (no summary is the first column) in a table
 * that has none. */
struct ck_summary_of {
  int column, text;
};

extern const struct ck_summary_of ck_summaries[CK_TABLES];

/* The most bytes of a summary, and the room in which it is made. */
#define CK_SUMMARY_BYTES 200
#define CK_SUMMARY_ROOM (CK_SUMMARY_BYTES + CK_SUMMARY_MARK)

/* Makes the summary of a text: its beginning as ck_buf_summary has it, with U+FFFD for U+0000;
 * empty if there is nothing but white space. It is in `out`. */
struct ck_str ck_summary_make(char out[CK_SUMMARY_ROOM], struct ck_str text);

/* Is this column of the table a summary? */
bool ck_is_summary(enum ck_table t, int column);
/* Is it one, and has the row the text of which it is made? */
bool ck_is_made_summary(const struct ck_row *row, int column);

#endif
