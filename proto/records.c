/* The tables that records.h lists, their rows, and both forms of a row: MessagePack and JSON. */
#include "proto/records.h"

#include <string.h>
#include "proto/map.h"

#define CK_F(TABLE, COLUMN, name, kind, flags, choices, dflt) \
  {#name, \
   sizeof #name - 1, \
   kind, \
   flags, \
   choices, \
   dflt, \
   (flags)&CK_FILTER_MAX ? #name "_max" \
   : (flags)&CK_FILTER   ? #name \
                         : NULL},
static const struct ck_field messages_fields[] = {CK_MESSAGES_FIELDS(CK_F)};
static const struct ck_field executions_fields[] = {CK_EXECUTIONS_FIELDS(CK_F)};
static const struct ck_field sessions_fields[] = {CK_SESSIONS_FIELDS(CK_F)};
static const struct ck_field local_conversations_fields[] = {CK_CONVERSATIONS_FIELDS(CK_F)};
static const struct ck_field conversation_links_fields[] = {CK_LINKS_FIELDS(CK_F)};
static const struct ck_field renewal_jobs_fields[] = {CK_JOBS_FIELDS(CK_F)};
static const struct ck_field forgotten_fields[] = {CK_FORGOTTEN_FIELDS(CK_F)};
#undef CK_F

#define CK_IS_MIRRORED(TABLE, COLUMN, name, kind, flags, choices, dflt) +(!((flags)&CK_LOCAL))
/* A table has at most one such column, so a sum over all columns is its place, as a constant. */
#define CK_AT_KEY(TABLE, COLUMN, name, kind, flags, choices, dflt) \
  +(((flags)&CK_KEY) ? CK_##TABLE##_##COLUMN + 1 : 0)
#define CK_AT_AGES(TABLE, COLUMN, name, kind, flags, choices, dflt) \
  +((kind) == CK_K_AGES ? CK_##TABLE##_##COLUMN + 1 : 0)
#define CK_AT_PATH(TABLE, COLUMN, name, kind, flags, choices, dflt) \
  +((kind) == CK_K_PATH ? CK_##TABLE##_##COLUMN + 1 : 0)
#define CK_AT_PATH_TIME(TABLE, COLUMN, name, kind, flags, choices, dflt) \
  +(((flags)&CK_DATES_PATH) ? CK_##TABLE##_##COLUMN + 1 : 0)

#define CK_T(TABLE, sql, word) \
  {#sql, \
   word, \
   sql##_fields, \
   CK_##TABLE##_COLUMNS, \
   CK_##TABLE##_FIELDS(CK_IS_MIRRORED), \
   CK_##TABLE##_FIELDS(CK_AT_KEY) - 1, \
   CK_##TABLE##_FIELDS(CK_AT_AGES) - 1, \
   CK_##TABLE##_FIELDS(CK_AT_PATH) - 1, \
   CK_##TABLE##_FIELDS(CK_AT_PATH_TIME) - 1},
const struct ck_table_info ck_tables[CK_TABLES] = {CK_TABLE_LIST(CK_T)};
#undef CK_T

#define CK_R(TABLE, COLUMN, PARENT) {CK_##TABLE, CK_##TABLE##_##COLUMN, CK_##PARENT},
const struct ck_reference ck_references[CK_REFERENCES] = {CK_REFERENCE_LIST(CK_R)};
#undef CK_R

#define CK_U(TABLE, ...) [CK_##TABLE] = {sizeof((int[]){__VA_ARGS__}) / sizeof(int), {__VA_ARGS__}},
const struct ck_unique ck_uniques[CK_TABLES] = {CK_UNIQUE_LIST(CK_U)};
#undef CK_U

#define CK_I(WHERE, TABLE, name, ...) \
  {CK_INDEX_##WHERE, CK_##TABLE, name, sizeof((int[]){__VA_ARGS__}) / sizeof(int), {__VA_ARGS__}},
const struct ck_index ck_indexes[CK_INDEXES] = {CK_INDEX_LIST(CK_I)};
#undef CK_I

/* Writing the tables in the list's order keeps every reference. */
#define CK_R(TABLE, COLUMN, PARENT) \
  _Static_assert((int)CK_##PARENT < (int)CK_##TABLE, #PARENT " must come before " #TABLE);
CK_REFERENCE_LIST(CK_R)
#undef CK_R

void ck_unique_names(struct ck_buf *b, enum ck_table t) {
  const struct ck_unique *u = &ck_uniques[t];
  for (int i = 0; i < u->columns; i++)
    ck_buf_printf(b, "%s%s", i ? ", " : "", ck_tables[t].fields[u->column[i]].name);
}

void ck_index_sql(struct ck_buf *b, const struct ck_index *index) {
  const struct ck_table_info *info = &ck_tables[index->table];
  ck_buf_printf(b, "ON %s (", info->name);
  for (int i = 0; i < index->columns; i++)
    ck_buf_printf(b, "%s%s%s", i ? ", " : "", info->fields[index->column[i] & ~CK_DESC].name,
                  index->column[i] & CK_DESC ? " DESC" : "");
  ck_buf_text(b, ")");
}

const struct ck_reference *ck_reference_in(enum ck_table t, int column) {
  for (int i = 0; i < CK_REFERENCES; i++)
    if (ck_references[i].table == t && ck_references[i].column == column) return &ck_references[i];
  return NULL;
}

bool ck_is_tie(enum ck_table t, int column) {
  for (int i = 0; i < ck_uniques[t].columns; i++)
    if (ck_uniques[t].column[i] == column) return true;
  return ck_reference_in(t, column) != NULL;
}

bool ck_has_parents(enum ck_table t) {
  for (int i = 0; i < CK_REFERENCES; i++)
    if (ck_references[i].table == t) return true;
  return false;
}

bool ck_is_parent(enum ck_table t) {
  for (int i = 0; i < CK_REFERENCES; i++)
    if (ck_references[i].parent == t) return true;
  return false;
}

int ck_release_column(enum ck_table t) {
  const struct ck_unique *u = &ck_uniques[t];
  for (int i = 0; i < u->columns; i++)
    if (ck_tables[t].fields[u->column[i]].flags & CK_OPTIONAL) return u->column[i];
  return -1;
}

enum ck_table ck_table_named(struct ck_str name) {
  int t = 0;
  while (t < CK_TABLES && !ck_str_is(name, ck_tables[t].name) &&
         !ck_str_is(name, ck_tables[t].word))
    t++;
  return (enum ck_table)t;
}

static struct ck_str column_name(const struct ck_field *f) {
  return (struct ck_str){f->name, f->name_bytes};
}

int ck_column_named(enum ck_table t, struct ck_str name) {
  for (int c = 0; c < ck_tables[t].columns; c++)
    if (ck_str_eq(column_name(&ck_tables[t].fields[c]), name)) return c;
  return -1;
}

bool ck_kind_is_int(enum ck_kind kind) {
  switch (kind) {
  case CK_K_TIME:
  case CK_K_COUNT:
  case CK_K_POSITIVE:
  case CK_K_STATUS_CODE:
  case CK_K_BOOL:
    return true;
  default:
    return false;
  }
}

bool ck_choice_ok(const char *choices, struct ck_str value) {
  for (const char *p = choices; p;) {
    size_t n = strcspn(p, "|");
    if (ck_str_eq(value, (struct ck_str){p, n})) return true;
    p = p[n] ? p + n + 1 : NULL;
  }
  return false;
}

struct ck_value ck_int(int64_t i) {
  return (struct ck_value){.state = CK_INT, .as.i = i};
}
struct ck_value ck_text(struct ck_str s) {
  return (struct ck_value){.state = CK_TEXT, .as.s = s};
}
struct ck_value ck_textz(const char *terminated) {
  return terminated ? ck_text(ck_str_of(terminated)) : ck_null();
}
struct ck_value ck_null(void) {
  return (struct ck_value){.state = CK_NULL};
}

bool ck_value_eq(struct ck_value a, struct ck_value b) {
  if (a.state != b.state) return false;
  if (a.state == CK_INT) return a.as.i == b.as.i;
  return a.state != CK_TEXT || ck_str_eq(a.as.s, b.as.s);
}

struct ck_str ck_row_text(const struct ck_row *row, int column) {
  const struct ck_value *v = &row->v[column];
  return v->state == CK_TEXT ? v->as.s : (struct ck_str){"", 0};
}

int64_t ck_row_int(const struct ck_row *row, int column, int64_t otherwise) {
  return row->v[column].state == CK_INT ? row->v[column].as.i : otherwise;
}

struct ck_str ck_row_key(const struct ck_row *row) {
  return ck_row_text(row, ck_tables[row->table].key);
}

bool ck_row_has_unique(const struct ck_row *row) {
  const struct ck_unique *u = &ck_uniques[row->table];
  for (int i = 0; i < u->columns; i++)
    if (ck_row_text(row, u->column[i]).n == 0) return false;
  return u->columns > 0;
}

bool ck_row_same_unique(const struct ck_row *a, const struct ck_row *b) {
  const struct ck_unique *u = &ck_uniques[a->table];
  for (int i = 0; i < u->columns; i++)
    if (!ck_value_eq(a->v[u->column[i]], b->v[u->column[i]])) return false;
  return true;
}

size_t ck_row_parents(const struct ck_row *row, struct ck_parent out[CK_REFERENCES]) {
  size_t n = 0;
  for (int i = 0; i < CK_REFERENCES; i++) {
    const struct ck_reference *r = &ck_references[i];
    if (r->table == row->table && row->v[r->column].state == CK_TEXT)
      out[n++] = (struct ck_parent){r->parent, row->v[r->column].as.s};
  }
  return n;
}

#define MAP_BYTES 3 /* the head of a map with fewer than 65,536 pairs */

size_t ck_row_room(const struct ck_row *row) {
  const struct ck_table_info *t = &ck_tables[row->table];
  size_t n = MAP_BYTES;
  for (int c = 0; c < t->columns; c++)
    n += 1 + t->fields[c].name_bytes + (row->v[c].state == CK_TEXT ? 5 + row->v[c].as.s.n : 9);
  return n;
}

static void encode_columns(struct ck_buf *b, const struct ck_row *row, int columns) {
  const struct ck_table_info *t = &ck_tables[row->table];
  uint32_t n = 0;
  for (int c = 0; c < columns; c++) n += row->v[c].state != CK_LEFT_OUT;
  ck_buf_room(b, ck_row_room(row));
  ck_put_map(b, n);
  char *to = b->data + b->len;
  for (int c = 0; c < columns; c++) {
    const struct ck_value *v = &row->v[c];
    if (v->state == CK_LEFT_OUT) continue;
    to = ck_write_str(to, column_name(&t->fields[c]));
    if (v->state == CK_NULL)
      to = ck_write_nil(to);
    else
      to = v->state == CK_INT ? ck_write_int(to, v->as.i) : ck_write_str(to, v->as.s);
  }
  b->len = (size_t)(to - b->data);
}

void ck_row_encode(struct ck_buf *b, const struct ck_row *row) {
  encode_columns(b, row, ck_tables[row->table].columns);
}

void ck_row_encode_mirrored(struct ck_buf *b, const struct ck_row *row) {
  encode_columns(b, row, ck_tables[row->table].mirrored);
}

static int decode_int(struct ck_value *v, enum ck_kind kind, const struct ck_item *item,
                      struct ck_err *err) {
  if (item->type == CK_T_INT)
    *v = ck_int(item->as.i);
  else if (item->type == CK_T_BOOL && kind == CK_K_BOOL)
    *v = ck_int(item->as.b);
  else if (item->type == CK_T_UINT)
    return ck_fail(err, "is larger than a 64 bit integer");
  else
    return ck_fail(err, "must be an integer");
  return 0;
}

static int decode_text(struct ck_value *v, const struct ck_item *item, bool bytes,
                       struct ck_err *err) {
  if (item->type != CK_T_STR) return ck_fail(err, "must be text");
  if (!bytes && !ck_utf8_ok(item->as.str)) return ck_fail(err, "is not UTF-8");
  *v = ck_text(item->as.str);
  return 0;
}

/* A JSON column's value that is not text becomes JSON text in the arena. */
static int decode_json(struct ck_value *v, struct ck_str raw, struct ck_arena *arena,
                       struct ck_err *err) {
  struct ck_buf json = {0};
  struct ck_reader r = ck_reader_of(raw);
  int rc = ck_read_json(&r, &json);
  if (rc == 0) *v = ck_text(ck_arena_copy(arena, ck_buf_view(&json)));
  ck_buf_free(&json);
  return rc ? ck_fail(err, "cannot be written as JSON") : 0;
}

static int decode_value(struct ck_value *v, enum ck_kind kind, struct ck_reader *r, bool bytes,
                        struct ck_arena *arena, struct ck_err *err) {
  struct ck_reader before = *r;
  struct ck_str raw;
  struct ck_item item;
  if (ck_read(r, &item)) return ck_fail(err, "ends too soon");
  if (item.type == CK_T_NIL) {
    *v = ck_null();
    return 0;
  }
  if (ck_kind_is_int(kind)) return decode_int(v, kind, &item, err);
  if (kind != CK_K_JSON || item.type == CK_T_STR) return decode_text(v, &item, bytes, err);
  *r = before;
  if (ck_read_raw(r, &raw)) return ck_fail(err, "ends too soon");
  return decode_json(v, raw, arena, err);
}

/* The unknown name comes from outside: it can be long, and any bytes. */
static int unknown_column(enum ck_table table, struct ck_str name, struct ck_err *err) {
  struct ck_str shown = ck_utf8_ok(name) ? ck_utf8_cut(name, 60) : CK_LIT("(not UTF-8)");
  return ck_fail(err, "%s has no column \"%.*s\"", ck_tables[table].name, (int)shown.n, shown.s);
}

/* A column's name, or -1 with the reason. */
static int read_column(enum ck_table table, struct ck_reader *r, struct ck_err *err) {
  struct ck_str name;
  if (ck_read_str(r, &name))
    return ck_fail(err, "%s: a column's name must be text", ck_tables[table].name);
  int c = ck_column_named(table, name);
  return c < 0 ? unknown_column(table, name, err) : c;
}

/* Writers keep to the list's order, so it is nearly always the next column. */
int ck_row_read(struct ck_row *row, enum ck_table table, struct ck_reader *r, bool bytes,
                struct ck_arena *arena, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[table];
  uint32_t n;
  *row = (struct ck_row){.table = table};
  if (ck_read_map(r, &n)) return ck_fail(err, "%s: a row must be a map", t->name);
  for (int expected = 0; n; n--) {
    int c = expected < t->columns && ck_read_this(r, column_name(&t->fields[expected]))
                ? expected
                : read_column(table, r, err);
    if (c < 0) return -1;
    if (row->v[c].state != CK_LEFT_OUT)
      return ck_fail(err, "%s.%s is given twice", t->name, t->fields[c].name);
    if (decode_value(&row->v[c], t->fields[c].kind, r, bytes, arena, err)) {
      struct ck_err why = err ? *err : (struct ck_err){{0}};
      return ck_fail(err, "%s.%s %s", t->name, t->fields[c].name, why.text);
    }
    expected = c + 1;
  }
  return 0;
}

int ck_row_decode(struct ck_row *row, enum ck_table table, struct ck_str map,
                  struct ck_arena *arena, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(map);
  if (ck_row_read(row, table, &r, false, arena, err)) return -1;
  return r.p == r.end ? 0 : ck_fail(err, "%s: bytes after the row", ck_tables[table].name);
}

struct ck_str ck_row_key_in(enum ck_table table, struct ck_str map) {
  const struct ck_table_info *t = &ck_tables[table];
  struct ck_str key = ck_map_str(map, t->fields[t->key].name);
  return ck_utf8_ok(key) ? key : (struct ck_str){0};
}

void ck_row_json(struct ck_buf *b, const struct ck_row *row) {
  const struct ck_table_info *t = &ck_tables[row->table];
  const char *comma = "{";
  for (int c = 0; c < t->mirrored; c++) {
    const struct ck_value *v = &row->v[c];
    if (v->state == CK_LEFT_OUT) continue;
    ck_buf_printf(b, "%s\"%s\":", comma, t->fields[c].name);
    comma = ",";
    if (v->state == CK_NULL)
      ck_buf_text(b, "null");
    else if (v->state == CK_INT)
      ck_buf_printf(b, "%lld", (long long)v->as.i);
    else
      ck_buf_json_str(b, v->as.s);
  }
  ck_buf_text(b, *comma == '{' ? "{}" : "}");
}

/* ---- ids ---- */

struct ck_str ck_derived_id(struct ck_arena *arena, struct ck_str id, const struct ck_str *parts,
                            size_t n) {
  char hash[33], *all = ck_arena_get(arena, id.n + 1 + CK_DERIVED_DIGITS);
  ck_hash_id(hash, parts, n);
  if (id.n) memcpy(all, id.s, id.n);
  all[id.n] = '@';
  memcpy(all + id.n + 1, hash, CK_DERIVED_DIGITS);
  return (struct ck_str){all, id.n + 1 + CK_DERIVED_DIGITS};
}

void ck_job_id(char out[37], struct ck_str message_id) {
  const struct ck_str parts[] = {CK_LIT("renew"), message_id};
  memcpy(out, CK_JOB_OF_RENEWD, sizeof CK_JOB_OF_RENEWD - 1);
  ck_hash_id(out + sizeof CK_JOB_OF_RENEWD - 1, parts, 2);
}

void ck_forgotten_id(struct ck_buf *b, enum ck_table t, struct ck_str key) {
  ck_buf_printf(b, "%s/", ck_tables[t].name);
  ck_buf_str(b, key);
}

void ck_forgotten_home_id(struct ck_buf *b, struct ck_str key) {
  ck_buf_text(b, CK_FORGOTTEN_HOME "/");
  ck_buf_str(b, key);
}

bool ck_job_is_automatic(struct ck_str job_id, struct ck_str message_id) {
  char automatic[37];
  ck_job_id(automatic, message_id);
  return ck_str_is(job_id, automatic);
}

bool ck_kind_is_clients(struct ck_str kind) {
  return ck_str_is(kind, "feed") || ck_str_starts(kind, "browser.");
}
