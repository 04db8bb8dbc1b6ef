/* See summary.h. */
#include "proto/summary.h"

#include <string.h>

#define CK_S(TABLE, COLUMN, OF) [CK_##TABLE] = {CK_##TABLE##_##COLUMN, CK_##TABLE##_##OF},
const struct ck_summary_of ck_summaries[CK_TABLES] = {CK_SUMMARY_LIST(CK_S)};
#undef CK_S

/* A write is merged column by column, the text first. */
#define CK_S(TABLE, COLUMN, OF) \
  _Static_assert((int)CK_##TABLE##_##OF < (int)CK_##TABLE##_##COLUMN, #OF " must come first");
CK_SUMMARY_LIST(CK_S)
#undef CK_S

struct ck_str ck_summary_make(char out[CK_SUMMARY_ROOM], struct ck_str text) {
  struct ck_str made = {out, ck_summary(out, text, CK_SUMMARY_BYTES)};
  if (!made.n || !memchr(out, '\0', made.n)) return made;
  struct ck_buf plain = {0};
  ck_buf_without_nul(&plain, made);
  made.n = ck_summary(out, ck_buf_view(&plain), CK_SUMMARY_BYTES);
  ck_buf_free(&plain);
  return made;
}

bool ck_is_summary(enum ck_table t, int column) {
  return column == ck_summaries[t].column && column != ck_summaries[t].text;
}

bool ck_is_made_summary(const struct ck_row *row, int column) {
  return ck_is_summary(row->table, column) &&
         row->v[ck_summaries[row->table].text].state == CK_TEXT;
}
