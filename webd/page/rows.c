/* What the store answers to the page's questions; see page.h. */
#include "webd/page/page.h"

#include "proto/map.h"

bool page_ask(struct webd *w, struct web_request *r, const struct ck_query *query, web_heard *heard,
              void *self) {
  struct ck_message request = {.kind = CK_MSG_QUERY};
  request.as.query = *query;
  if (web_ask(w->store, &request, WEB_ANSWER_MS, heard, self) == 0) return true;
  if (r) web_refuse(r, WEB_REFUSED_ARGUMENT, "the question is too long for the store");
  return false;
}

bool page_heard_rows(struct web_request *r, const struct web_said *said, struct page_rows *rows,
                     void (*gone)(void *self), void *self) {
  if (page_rows_of(said, rows)) return true;
  if (said->answer)
    web_refuse_strange(r, "the store");
  else
    web_refuse_said(r, "the store", said);
  if (gone) gone(self);
  return false;
}

bool page_rows_of(const struct web_said *said, struct page_rows *rows) {
  *rows = (struct page_rows){0};
  if (!said->answer || said->answer->kind != CK_MSG_ROWS) return false;
  const struct ck_rows *answer = &said->answer->as.rows;
  rows->reader = ck_reader_of(answer->rows);
  rows->cursor = answer->cursor;
  return ck_read_array(&rows->reader, &rows->left) == 0;
}

bool page_next_row(struct page_rows *rows, struct ck_str *map) {
  if (rows->left == 0 || ck_read_raw(&rows->reader, map)) return false;
  --rows->left;
  return true;
}

static struct ck_value value_of(struct ck_str map, const char *name) {
  struct ck_reader at;
  struct ck_item item;
  if (!ck_map_find(map, name, &at) || ck_read(&at, &item)) return (struct ck_value){0};
  if (item.type == CK_T_STR) return ck_text(item.as.str);
  if (item.type == CK_T_INT) return ck_int(item.as.i);
  return item.type == CK_T_NIL ? ck_null() : (struct ck_value){0};
}

void page_row_of(struct ck_row *row, enum ck_table table, struct ck_str map) {
  const struct ck_table_info *info = &ck_tables[table];
  *row = (struct ck_row){.table = table};
  for (int c = 0; c < info->columns; ++c) row->v[c] = value_of(map, info->fields[c].name);
}
