/* See order.h. A cursor is a MessagePack array in hexadecimal digits: the list's and its order's
 * checksum, then the values. */
#include "store/read/order.h"

#include <assert.h>
#include <string.h>

#include "proto/crc32c.h"
#include "proto/pack.h"
#include "store/database/db.h"

#define DOWN " DESC"

static void add(struct order *o, struct ck_str sql, bool down) {
  assert(o->count < ORDER_MAX);
  o->by[o->count].sql = sql;
  o->by[o->count++].down = down;
}

void order_add_down(struct order *o, const char *sql) { add(o, ck_str_of(sql), true); }

void order_add(struct order *o, const char *columns) {
  for (const char *at = columns, *end; at; at = *end ? end + 2 : NULL) {
    struct ck_str sql = {at, strcspn(at, ",")};
    end = at + sql.n;
    bool down = ck_str_ends(sql, DOWN);
    if (down) sql.n -= strlen(DOWN);
    add(o, sql, down);
  }
}

void order_values(struct ck_buf *sql, const struct order *o) {
  for (int i = 0; i < o->count; ++i) {
    ck_buf_text(sql, ", ");
    ck_buf_str(sql, o->by[i].sql);
  }
}

void order_by(struct ck_buf *sql, const struct order *o) {
  for (int i = 0; i < o->count; ++i) {
    ck_buf_text(sql, i ? ", " : " ORDER BY ");
    ck_buf_str(sql, o->by[i].sql);
    if (o->by[i].down) ck_buf_text(sql, DOWN);
  }
}

static void compare(struct ck_buf *sql, const struct order *o, int i, const char *end, int first) {
  ck_buf_str(sql, o->by[i].sql);
  ck_buf_printf(sql, " %c%s ?%d", o->by[i].down ? '<' : '>', end, first + i);
}

static bool is_up(const struct order *o) {
  for (int i = 0; i < o->count; ++i)
    if (o->by[i].down) return false;
  return true;
}

/* All upwards, which an index of several columns can be searched by. */
static void after_up(struct ck_buf *sql, const struct order *o, int first) {
  for (int i = 0; i < o->count; ++i) {
    ck_buf_text(sql, i ? ", " : "(");
    ck_buf_str(sql, o->by[i].sql);
  }
  ck_buf_text(sql, ") > (");
  for (int i = 0; i < o->count; ++i) ck_buf_printf(sql, "%s?%d", i ? ", " : "", first + i);
  ck_buf_text(sql, ")");
}

/* a <= ?1 AND (a < ?1 OR a = ?1 AND (b > ?2 OR …)): an index is searched by the first. */
void order_after(struct ck_buf *sql, const struct order *o, int first) {
  int last = o->count - 1;
  if (is_up(o)) {
    after_up(sql, o, first);
    return;
  }
  compare(sql, o, 0, "=", first);
  ck_buf_text(sql, " AND ");
  for (int i = 0; i < last; ++i) {
    ck_buf_text(sql, "(");
    compare(sql, o, i, "", first);
    ck_buf_text(sql, " OR ");
    ck_buf_str(sql, o->by[i].sql);
    ck_buf_printf(sql, " = ?%d AND ", first + i);
  }
  compare(sql, o, last, "", first);
  for (int i = 0; i < last; ++i) ck_buf_text(sql, ")");
}

/* ---- the cursor ---- */

static uint32_t checksum(const struct order *o) {
  uint32_t sum = ck_crc32c(0, o->list, strlen(o->list));
  for (int i = 0; i < o->count; ++i) {
    sum = ck_crc32c(sum, o->by[i].sql.s, o->by[i].sql.n);
    sum = ck_crc32c(sum, o->by[i].down ? ">" : "<", 1);
  }
  return sum;
}

void order_keep(struct ck_buf *row, const struct order *o, sqlite3_stmt *s, int column) {
  ck_buf_clear(row);
  for (int i = 0; i < o->count; ++i) {
    if (sqlite3_column_type(s, column + i) == SQLITE_INTEGER)
      ck_put_int(row, sqlite3_column_int64(s, column + i));
    else
      ck_put_str(row, db_str(s, column + i));
  }
}

void order_cursor(struct ck_buf *cursor, const struct order *o, const struct ck_buf *row) {
  struct ck_buf bytes = {0};
  ck_put_array(&bytes, (uint32_t)o->count + 1);
  ck_put_int(&bytes, checksum(o));
  ck_buf_str(&bytes, ck_buf_view(row));
  ck_buf_clear(cursor);
  ck_buf_hex(cursor, bytes.data, bytes.len);
  ck_buf_free(&bytes);
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static int read_value(struct ck_reader *r, struct ck_value *v) {
  struct ck_item item;
  if (ck_read(r, &item)) return -1;
  if (item.type == CK_T_INT)
    *v = ck_int(item.as.i);
  else if (item.type == CK_T_STR)
    *v = ck_text(item.as.str);
  else
    return -1;
  return 0;
}

int order_read(const struct order *o, struct ck_str cursor, struct ck_buf *bytes,
               struct ck_value values[ORDER_MAX]) {
  struct ck_value sum;
  uint32_t n;
  if (cursor.n % 2 || !ck_str_is_hex(cursor)) return -1;
  ck_buf_clear(bytes);
  for (size_t i = 0; i < cursor.n; i += 2) {
    char byte = (char)(digit(cursor.s[i]) << 4 | digit(cursor.s[i + 1]));
    ck_buf_add(bytes, &byte, 1);
  }
  struct ck_reader r = ck_reader_of(ck_buf_view(bytes));
  if (ck_read_array(&r, &n) || (int)n != o->count + 1 || read_value(&r, &sum)) return -1;
  if (sum.state != CK_INT || sum.as.i != checksum(o)) return -1;
  for (int i = 0; i < o->count; ++i)
    if (read_value(&r, &values[i])) return -1;
  return ck_reader_rest(r).n ? -1 : 0;
}
