/* The order of a list, and where its next page begins: after the row with these values, so that a
 * page costs the same wherever it is, and rows that come in between move none. */
#ifndef CK_STORE_ORDER_H
#define CK_STORE_ORDER_H

#include <sqlite3.h>

#include "proto/records.h"

#define ORDER_MAX 5

/* What a list is sorted by, the first first. No two rows have the same values, and none is NULL. */
struct order {
  const char *list; /* its name */
  struct {
    struct ck_str sql; /* an expression */
    bool down;         /* the greatest first */
  } by[ORDER_MAX];
  int count;
};

/* Adds an expression with the greatest first; and columns, as ORDER BY has them. */
void order_add_down(struct order *o, const char *sql);
void order_add(struct order *o, const char *columns);

/* Appends ", a, b": the values of a row, to be selected. */
void order_values(struct ck_buf *sql, const struct order *o);
/* Appends " ORDER BY a DESC, b". */
void order_by(struct ck_buf *sql, const struct order *o);
/* Appends the condition that a row comes after the values that are bound to ?first and up. */
void order_after(struct ck_buf *sql, const struct order *o, int first);

/* Makes `row` the values that stand in the statement's columns from this one on. */
void order_keep(struct ck_buf *row, const struct order *o, sqlite3_stmt *s, int column);
/* Makes `cursor` the text of such a row. */
void order_cursor(struct ck_buf *cursor, const struct order *o, const struct ck_buf *row);
/* Reads it into values[], which point into *bytes. 0; -1: it is no cursor of this list and order.
 */
int order_read(const struct order *o, struct ck_str cursor, struct ck_buf *bytes,
               struct ck_value values[ORDER_MAX]);

#endif
