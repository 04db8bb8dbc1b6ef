/* What the files that make the mirror's SQL share: what in its tables belongs together. */
#ifndef CK_PROTO_MIRROR_OWN_H
#define CK_PROTO_MIRROR_OWN_H

#include "proto/mirror.h"

/* What points where. The mirror has no FOREIGN KEY of its own: a child may arrive in another batch than its parent, or before it. A database of the
 * predecessor's has them. */
struct mirror_parent {
  enum ck_table child;
  int column;
  enum ck_table parent;
};
#define MIRROR_PARENTS 4
extern const struct mirror_parent mirror_parents[MIRROR_PARENTS];

/* Beside the key, what else is unique in a table: columns, or NULL. */
extern const char *const mirror_uniques[CK_TABLES];
/* Of those the column that a record may let go of, and then another has it. 0: none. */
extern const int mirror_let_go[CK_TABLES];

/* How a statement writes a column of the row that it brings; the one behind the last is the version. */
typedef void mirror_column(struct ck_buf *sql, enum ck_table t, int column);
/* `holder` has what is unique of the row, under another key. */
void mirror_held_by(struct ck_buf *sql, enum ck_table t, const char *holder, mirror_column *of_row);

#endif
