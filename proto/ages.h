/* How new each value of a record is: the text of its column `ages` (docs/records.md). */
#ifndef CK_PROTO_AGES_H
#define CK_PROTO_AGES_H

#include "proto/records.h"

/* An age is in milliseconds since the Unix epoch, at least 0, or one of these. */
#define CK_AGE_NONE INT64_C(-1) /* nobody gave the value: any other takes its place */
#define CK_AGE_OWNER INT64_MAX  /* the owner gave it: above all sources */

/* The most bytes of such a text: every CK_AGED column with its own age. */
#define CK_AGES_BYTES 1024

/* Reads the ages of the row's CK_AGED columns. Those that are NULL have CK_AGE_NONE, and without a
 * text all have; in a table without such a column the others have 0. What cannot be read as an age
 * is 0.
 */
void ck_ages_read(int64_t ages[CK_COLUMNS_MAX], const struct ck_row *row);

/* Writes them: the age that most columns have (of two, the greater), then " name=age" for each
 * other one. Columns that are NULL have none, nor have summaries that are made. The text is in
 * `out`. */
struct ck_str ck_ages_write(char out[CK_AGES_BYTES], const struct ck_row *row,
                            const int64_t ages[CK_COLUMNS_MAX]);

#endif
