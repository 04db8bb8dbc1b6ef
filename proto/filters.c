/* The filters of the six tables, from their columns' flags, and of the system tables. */
#include "proto/filters.h"

#include <string.h>

static const struct {
  const char *table, *filter;
} system_filters[] = {
#define CK_S(table, filter) {#table, #filter},
    CK_SYSTEM_FILTER_LIST(CK_S)
#undef CK_S
};
#define SYSTEM_FILTERS (sizeof system_filters / sizeof *system_filters)

static int column_filter(struct ck_filter *f, enum ck_table t, struct ck_str name) {
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *field = &ck_tables[t].fields[c];
    if (!field->filter || !ck_str_is(name, field->filter)) continue;
    *f = (struct ck_filter){field->filter, field->name, field, field->flags & CK_FILTER_MAX};
    return 0;
  }
  return -1;
}

int ck_filter_named(struct ck_filter *f, const char *table, struct ck_str name) {
  enum ck_table t = ck_table_named(ck_str_of(table));
  if (t < CK_TABLES) return column_filter(f, t, name);
  for (size_t i = 0; i < SYSTEM_FILTERS; ++i)
    if (strcmp(system_filters[i].table, table) == 0 && ck_str_is(name, system_filters[i].filter)) {
      const char *column = system_filters[i].filter;
      *f = (struct ck_filter){column, column, NULL, false};
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
  for (size_t i = 0; i < SYSTEM_FILTERS; ++i)
    if (strcmp(system_filters[i].table, table) == 0)
      add_name(b, begin, between, system_filters[i].filter);
}
