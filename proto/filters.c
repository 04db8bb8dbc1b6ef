/* The filters of the six tables, from their columns' flags, and the lists of the others. */
#include "proto/filters.h"

#include <string.h>

#include "proto/wire.h"

/* Those that are not a column's flag. */
static const struct {
  const char *table;
  struct ck_filter filter;
} others[] = {
#define CK_S(table, filter) {#table, {#filter, #filter, NULL, CK_BY_VALUE}},
    CK_SYSTEM_FILTER_LIST(CK_S)
#undef CK_S
#define CK_L(table, filter, column, by) {#table, {#filter, column, NULL, by}},
        CK_LIST_FILTER_LIST(CK_L)
#undef CK_L
};
#define OTHERS (sizeof others / sizeof *others)

static int column_filter(struct ck_filter *f, enum ck_table t, struct ck_str name) {
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *field = &ck_tables[t].fields[c];
    if (!field->filter || !ck_str_is(name, field->filter)) continue;
    *f = (struct ck_filter){field->filter, field->name, field,
                            field->flags & CK_FILTER_MAX ? CK_BY_MOST : CK_BY_VALUE};
    return 0;
  }
  return -1;
}

int ck_filter_named(struct ck_filter *f, const char *table, struct ck_str name) {
  enum ck_table t = ck_table_named(ck_str_of(table));
  if (t < CK_TABLES && column_filter(f, t, name) == 0) return 0;
  for (size_t i = 0; i < OTHERS; ++i)
    if (strcmp(others[i].table, table) == 0 && ck_str_is(name, others[i].filter.name)) {
      *f = others[i].filter;
      return 0;
    }
  return -1;
}

static void add_name(struct ck_buf *b, size_t begin, const char *between, const char *name) {
  if (!name) return;
  if (b->len > begin) ck_buf_text(b, between);
  ck_buf_text(b, name);
}

void ck_filter_names(struct ck_buf *b, const char *table, const char *between) {
  enum ck_table t = ck_table_named(ck_str_of(table));
  size_t begin = b->len;
  for (int c = 0; t < CK_TABLES && c < ck_tables[t].columns; ++c)
    add_name(b, begin, between, ck_tables[t].fields[c].filter);
  for (size_t i = 0; i < OTHERS; ++i)
    if (strcmp(others[i].table, table) == 0) add_name(b, begin, between, others[i].filter.name);
}
