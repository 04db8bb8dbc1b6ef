/* What a write may give: each field trimmed and checked by itself. */
#include "store/write/rules_internal.h"

#include <string.h>

#include "store/files/static_path.h"

int rules_refuse(struct ck_err *err, const struct ck_row *row, int column, const char *what) {
  const struct ck_table_info *t = &ck_tables[row->table];
  struct ck_str key = ck_row_key(row);
  if (key.n == 0) return ck_fail(err, "%s.%s: %s", t->name, t->fields[column].name, what);
  struct ck_str shown = ck_utf8_cut(key, 100);
  return ck_fail(err, "%s.%s: %s (%s %.*s)", t->name, t->fields[column].name, what,
                 t->fields[t->key].name, (int)shown.n, shown.s);
}

static int clean_text(struct ck_row *w, int c, const struct ck_field *f, struct ck_err *err) {
  struct ck_value *v = &w->v[c];
  struct ck_str trimmed = ck_trim(v->as.s);
  switch (f->kind) {
  case CK_K_RAW:
    return 0;
  case CK_K_PAYLOAD:
    return trimmed.n ? 0 : rules_refuse(err, w, c, "must not be blank");
  case CK_K_JSON:
    if (trimmed.n == 0) *v = ck_null();
    return 0;
  default:
    break;
  }
  if (trimmed.n == 0 && !(f->flags & CK_OPTIONAL))
    return rules_refuse(err, w, c, "must not be blank");
  *v = trimmed.n ? ck_text(trimmed) : ck_null();
  if (trimmed.n && f->kind == CK_K_CHOICE && !ck_choice_ok(f->choices, trimmed)) {
    struct ck_str shown = ck_utf8_cut(trimmed, 40);
    char what[160];
    struct ck_buf b = {0};
    ck_buf_printf(&b, "'%.*s' is not one of %s", (int)shown.n, shown.s, f->choices);
    strncpy(what, ck_buf_cstr(&b), sizeof what - 1);
    what[sizeof what - 1] = '\0';
    ck_buf_free(&b);
    return rules_refuse(err, w, c, what);
  }
  if (trimmed.n && f->kind == CK_K_PATH && !static_path_ok(w->table, trimmed, ck_row_key(w)))
    return rules_refuse(
        err, w, c, "must be a relative path inside the table's artifact folder, named as the id");
  return 0;
}

static int check_int(const struct ck_row *w, int c, const struct ck_field *f, struct ck_err *err) {
  int64_t i = w->v[c].as.i;
  if (f->kind == CK_K_COUNT && i < 0) return rules_refuse(err, w, c, "must not be negative");
  if (f->kind == CK_K_POSITIVE && i < 1) return rules_refuse(err, w, c, "must be at least 1");
  if (f->kind == CK_K_BOOL && i != 0 && i != 1) return rules_refuse(err, w, c, "must be 0 or 1");
  return 0;
}

int rules_clean(struct ck_row *w, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[w->table];
  for (int c = 0; c < t->columns; ++c) {
    const struct ck_field *f = &t->fields[c];
    struct ck_value *v = &w->v[c];
    if (v->state == CK_LEFT_OUT) continue;
    if (v->state == CK_NULL && !(f->flags & CK_OPTIONAL))
      return rules_refuse(err, w, c, "must not be NULL");
    if (v->state == CK_TEXT && ck_kind_is_int(f->kind))
      return rules_refuse(err, w, c, "must be an integer");
    if (v->state == CK_INT && !ck_kind_is_int(f->kind))
      return rules_refuse(err, w, c, "must be text");
    int rc = v->state == CK_TEXT  ? clean_text(w, c, f, err)
             : v->state == CK_INT ? check_int(w, c, f, err)
                                  : 0;
    if (rc) return -1;
  }
  return 0;
}
