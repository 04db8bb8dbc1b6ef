/* The schema, for all three dialects, and the statements that write to SQLite and D1 (mirror.h). */
#include <string.h>

#include "syncd/sql/mirror_internal.h"
#include "syncd/sql/mirror_witness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

_Static_assert((int)CK_COLUMNS_MAX <= 32, "a bit of ck_mirror_table.columns for each column");
_Static_assert((int)CK_INDEXES <= 32, "a bit of ck_mirror_table.indexes for each index");

/* PostgreSQL: keys are compared byte by byte, as everywhere else, whatever collation the database
 * has. */
static const struct dialect {
  const char *integer, *text, *table_end;
  bool for_people; /* with references and views */
} dialects[] = {
    [CK_MIRROR_SQLITE] = {"INTEGER", "TEXT", ") STRICT", false},
    [CK_MIRROR_POSTGRES] = {"bigint", "text COLLATE \"C\"", ")", false},
    [CK_MIRROR_EMBEDDED] = {"INTEGER", "TEXT", ") STRICT", true},
};

/* ---- schema ---- */

static const char *type_of(const struct dialect *d, const struct ck_field *f) {
  return ck_kind_is_int(f->kind) ? d->integer : d->text;
}

static const char *key_of(enum ck_table t) { return ck_tables[t].fields[ck_tables[t].key].name; }

static void references(struct ck_buf *sql, enum ck_table t, int column) {
  const struct ck_reference *r = ck_reference_in(t, column);
  if (r) ck_buf_printf(sql, " REFERENCES %s (%s)", ck_tables[r->parent].name, key_of(r->parent));
}

static bool has_default(const struct ck_field *f) {
  return (f->flags & CK_DEFAULT) && f->kind != CK_K_PATH;
}

/* What the store takes for a value that is left out. convkeep always writes every column; who
 * inserts by hand need not. */
static void default_value(struct ck_buf *sql, const struct ck_field *f) {
  if (f->kind == CK_K_CHOICE)
    ck_buf_printf(sql, "'%.*s'", (int)strcspn(f->choices, "|"), f->choices);
  else
    ck_buf_printf(sql, "%lld", (long long)f->dflt);
}

static void column(struct ck_buf *sql, const struct dialect *d, enum ck_table t, int c) {
  const struct ck_field *f = &ck_tables[t].fields[c];
  ck_buf_printf(sql, "  %s %s", f->name, type_of(d, f));
  if (!(f->flags & CK_OPTIONAL)) ck_buf_text(sql, " NOT NULL");
  if (has_default(f)) {
    ck_buf_text(sql, " DEFAULT ");
    default_value(sql, f);
  }
  if (f->flags & CK_KEY) ck_buf_text(sql, " PRIMARY KEY");
  if (d->for_people) references(sql, t, c);
  ck_buf_text(sql, ",\n");
}

static void create_table(struct ck_buf *sql, const struct dialect *d, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_printf(sql, "CREATE TABLE IF NOT EXISTS %s (\n", info->name);
  for (int c = 0; c < info->mirrored; ++c) column(sql, d, t, c);
  ck_buf_printf(sql, "  version %s NOT NULL DEFAULT 0", d->integer);
  if (ck_uniques[t].columns) {
    ck_buf_text(sql, ",\n  UNIQUE (");
    ck_unique_names(sql, t);
    ck_buf_text(sql, ")");
  }
  ck_buf_printf(sql, "\n%s;\n", d->table_end);
}

static void create_witness(struct ck_buf *sql, const struct dialect *d) {
  ck_mirror_witness_table(sql, d->integer, d->text, d->table_end);
}

static bool is_wanted(const struct ck_index *index, bool extra) {
  return index->where & (extra ? CK_INDEX_EXTRA : CK_INDEX_MIRROR);
}

static void create_index(struct ck_buf *sql, const struct ck_index *index) {
  if (index->where & CK_INDEX_EXTRA) {
    ck_buf_printf(sql, "-- %s: ", index->name);
    ck_mirror_index_cost(sql, index);
    ck_buf_text(sql, "\n");
  }
  ck_buf_printf(sql, "CREATE INDEX IF NOT EXISTS %s ", index->name);
  ck_index_sql(sql, index);
  ck_buf_text(sql, ";\n");
}

/* A time that SQLite cannot format is shown as the number. */
static void create_iso_view(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_printf(sql, "CREATE VIEW IF NOT EXISTS %s_iso AS SELECT\n", info->name);
  for (int c = 0; c < info->mirrored; ++c) {
    const char *name = info->fields[c].name;
    if (info->fields[c].kind == CK_K_TIME)
      ck_buf_printf(sql,
                    "  coalesce(strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', %s / 1000.0, 'unixepoch'), %s)"
                    " AS %s,\n",
                    name, name, name);
    else
      ck_buf_printf(sql, "  %s,\n", name);
  }
  ck_buf_printf(sql, "  version\nFROM %s;\n", info->name);
}

static void add_column(struct ck_buf *sql, const struct dialect *d, enum ck_table t,
                       const struct ck_field *f) {
  ck_buf_printf(sql, "ALTER TABLE %s ADD COLUMN %s %s", ck_tables[t].name, f->name, type_of(d, f));
  if (!(f->flags & CK_OPTIONAL)) ck_buf_text(sql, " NOT NULL DEFAULT ");
  if (has_default(f))
    default_value(sql, f);
  else if (!(f->flags & CK_OPTIONAL))
    ck_buf_text(sql, ck_kind_is_int(f->kind) ? "0" : "''");
  ck_buf_text(sql, ";\n");
}

static void add_version(struct ck_buf *sql, const struct dialect *d, enum ck_table t) {
  ck_buf_printf(sql, "ALTER TABLE %s ADD COLUMN version %s NOT NULL DEFAULT 0;\n",
                ck_tables[t].name, d->integer);
}

static void create_indexes(struct ck_buf *sql, bool extra) {
  for (size_t i = 0; i < CK_INDEXES; ++i)
    if (is_wanted(&ck_indexes[i], extra)) create_index(sql, &ck_indexes[i]);
}

void ck_mirror_schema(struct ck_buf *sql, enum ck_mirror_dialect dialect, bool extra) {
  const struct dialect *d = &dialects[dialect];
  for (enum ck_table t = 0; t < CK_TABLES; ++t) create_table(sql, d, t);
  create_witness(sql, d);
  create_indexes(sql, false);
  if (extra) create_indexes(sql, true);
  for (enum ck_table t = 0; t < CK_TABLES && d->for_people; ++t) create_iso_view(sql, t);
}

/* ---- what exists, and what is missing ---- */

/* Only the tables of the schema are named: D1 has tables of its own, which may not be looked at.
 * What is indexed and no column is shown as ?. */
void ck_mirror_what_is_there(struct ck_buf *sql) {
  ck_buf_text(sql, "WITH t (name, strict) AS"
                   " (SELECT l.name, l.strict FROM json_each('[");
  for (int t = 0; t < CK_TABLES; ++t)
    ck_buf_printf(sql, "%s\"%s\"", t ? "," : "", ck_tables[t].name);
  ck_buf_text(sql, ",\"" CK_MIRROR_WITNESS
                   "\"]') n CROSS JOIN pragma_table_list(n.value) l WHERE l.schema = 'main')"
                   " SELECT 'column' AS kind, t.name AS tbl, c.name AS name,"
                   " CAST(t.strict AS TEXT) AS more"
                   " FROM t CROSS JOIN pragma_table_xinfo(t.name) c"
                   " UNION ALL SELECT 'default', t.name, c.name, ''"
                   " FROM t CROSS JOIN pragma_table_xinfo(t.name) c"
                   " WHERE c.dflt_value IS NOT NULL"
                   " UNION ALL SELECT 'unique', t.name, l.name,"
                   " (SELECT group_concat(coalesce(name, '?'), ', ') FROM"
                   " (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno))"
                   " FROM t CROSS JOIN pragma_index_list(t.name) l"
                   " WHERE l.\"unique\" = 1 AND l.partial = 0"
                   " UNION ALL SELECT 'index', t.name, l.name,"
                   " (SELECT group_concat(coalesce(name, '?'), ', ') FROM"
                   " (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno))"
                   " FROM t CROSS JOIN pragma_index_list(t.name) l WHERE l.partial = 0");
}

/* Whether these are the columns of ck_uniques, in that order. */
static bool is_unique_key(enum ck_table t, struct ck_str columns) {
  struct ck_buf names = {0};
  ck_unique_names(&names, t);
  bool is = names.len > 0 && ck_str_eq(ck_buf_view(&names), columns);
  ck_buf_free(&names);
  return is;
}

/* Whether an index with these columns is as good: the order of one that is descending does not
 * matter. */
static bool is_index_on(const struct ck_index *index, enum ck_table t, struct ck_str columns) {
  struct ck_buf names = {0};
  for (int i = 0; i < index->columns && index->table == t; ++i)
    ck_buf_printf(&names, "%s%s", i ? ", " : "",
                  ck_tables[t].fields[index->column[i] & ~CK_DESC].name);
  bool is = index->table == t && ck_str_eq(ck_buf_view(&names), columns);
  ck_buf_free(&names);
  return is;
}

void ck_mirror_note(struct ck_mirror_there *m, enum ck_table t, struct ck_str kind,
                    struct ck_str name, struct ck_str more) {
  struct ck_mirror_table *at = &m->table[t];
  int column = ck_column_named(t, name);
  if (ck_str_is(kind, "column")) {
    at->there = true;
    at->old = ck_str_is(more, "0");
    if (column >= 0) at->columns |= 1u << column;
    if (ck_str_is(name, "version")) at->version = true;
  } else if (ck_str_is(kind, "default")) {
    if (column >= 0) at->defaults |= 1u << column;
  } else if (ck_str_is(kind, "unique")) {
    if (ck_str_is(more, key_of(t))) at->unique[0] = true;
    if (is_unique_key(t, more)) at->unique[1] = true;
  } else {
    for (size_t i = 0; i < CK_INDEXES; ++i)
      if (ck_str_is(name, ck_indexes[i].name) || is_index_on(&ck_indexes[i], t, more))
        at->indexes |= 1u << i;
  }
}

struct missing {
  struct ck_buf *sql, *what;
  const struct dialect *dialect;
  unsigned n;
};

static void made(struct missing *m, const char *what, const char *name) {
  ck_buf_printf(m->what, "%s%s%s", m->n++ ? ", " : "", what, name);
}

static void add_columns(struct missing *m, enum ck_table t, const struct ck_mirror_table *at) {
  const struct ck_table_info *info = &ck_tables[t];
  for (int c = 0; c < info->mirrored; ++c) {
    const struct ck_field *f = &info->fields[c];
    if (at->columns & 1u << c) continue;
    add_column(m->sql, m->dialect, t, f);
    made(m, "column ", f->name);
  }
  if (at->version) return;
  add_version(m->sql, m->dialect, t);
  made(m, "column ", "version");
}

static void add_unique(struct missing *m, enum ck_table t, int i, const char *columns) {
  ck_buf_printf(m->sql, "CREATE UNIQUE INDEX %s_unique_%d ON %s (%s);\n", ck_tables[t].name, i,
                ck_tables[t].name, columns);
  made(m, "unique index on ", columns);
}

/* Without these indexes, ON CONFLICT has nothing to refer to. */
static void add_uniques(struct missing *m, enum ck_table t, const struct ck_mirror_table *at) {
  struct ck_buf names = {0};
  ck_unique_names(&names, t);
  if (!at->unique[0]) add_unique(m, t, 0, key_of(t));
  if (names.len && !at->unique[1]) add_unique(m, t, 1, ck_buf_cstr(&names));
  ck_buf_free(&names);
}

bool ck_mirror_witness_missing(struct ck_buf *sql, enum ck_mirror_dialect dialect,
                               const struct ck_mirror_there *there) {
  if (!there->witness) create_witness(sql, &dialects[dialect]);
  return !there->witness;
}

/* SQLite cannot change a column of a table that is there. */
static void add_defaults(struct missing *m, enum ck_table t, const struct ck_mirror_table *at) {
  for (int c = 0; c < ck_tables[t].mirrored && m->dialect == &dialects[CK_MIRROR_POSTGRES]; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    if (!has_default(f) || (at->defaults & 1u << c) || !(at->columns & 1u << c)) continue;
    ck_buf_printf(m->sql, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT ", ck_tables[t].name,
                  f->name);
    default_value(m->sql, f);
    ck_buf_text(m->sql, ";\n");
    made(m, "default of ", f->name);
  }
}

static void add_indexes(struct missing *m, enum ck_table t, const struct ck_mirror_table *at,
                        bool extra) {
  for (size_t i = 0; i < CK_INDEXES; ++i) {
    const struct ck_index *index = &ck_indexes[i];
    if (!is_wanted(index, extra) || index->table != t || at->indexes & 1u << i) continue;
    create_index(m->sql, index);
    made(m, "index ", index->name);
    if (!extra) continue;
    ck_buf_text(m->what, " (");
    ck_mirror_index_cost(m->what, index);
    ck_buf_text(m->what, ")");
  }
}

unsigned ck_mirror_missing(struct ck_buf *sql, struct ck_buf *what, enum ck_mirror_dialect dialect,
                           enum ck_table t, const struct ck_mirror_there *there, bool extra) {
  const struct ck_mirror_table *at = &there->table[t];
  struct missing m = {sql, what, &dialects[dialect], 0};
  if (at->there) {
    add_columns(&m, t, at);
    add_uniques(&m, t, at);
  } else {
    create_table(sql, m.dialect, t);
    made(&m, "table", "");
  }
  /* The predecessor's tables have indexes of their own, and every further one is paid for. */
  if (!at->old) add_indexes(&m, t, at, false);
  if (extra) add_indexes(&m, t, at, true);
  if (extra && at->there) add_defaults(&m, t, at);
  return m.n;
}

/* ---- upserts ---- */

static void insert_into(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_printf(sql, "INSERT INTO %s (", info->name);
  for (int c = 0; c < info->mirrored; ++c) ck_buf_printf(sql, "%s, ", info->fields[c].name);
  ck_buf_text(sql, "version)");
}

/* target: the columns that may conflict. All columns are set, the key too: if a row with another
 * key has what is unique, the newer record takes over that row. (It may be a job or link that was
 * made in another history, or one whose own newer state is still on its way.) */
static void on_conflict(struct ck_buf *sql, enum ck_table t, const char *target) {
  const struct ck_table_info *info = &ck_tables[t];
  bool by_key = strcmp(target, key_of(t)) == 0;
  ck_buf_printf(sql, " ON CONFLICT (%s) DO UPDATE SET ", target);
  for (int c = 0; c < info->mirrored; ++c)
    if (!by_key || c != info->key)
      ck_buf_printf(sql, "%s = excluded.%s, ", info->fields[c].name, info->fields[c].name);
  ck_buf_printf(sql, "version = excluded.version WHERE excluded.version > %s.version", info->name);
}

static void guard(struct ck_buf *sql, enum ck_table t) {
  struct ck_buf names = {0};
  ck_unique_names(&names, t);
  on_conflict(sql, t, key_of(t));
  if (names.len) on_conflict(sql, t, ck_buf_cstr(&names));
  ck_buf_free(&names);
}

static void from_json(struct ck_buf *sql, enum ck_table t) {
  ck_buf_text(sql, " SELECT ");
  for (int c = 0; c < ck_tables[t].mirrored; ++c)
    ck_buf_printf(sql, "json_extract(value, '$[%d]'), ", c);
  ck_buf_printf(sql, "json_extract(value, '$[%d]') FROM json_each(?1)", ck_tables[t].mirrored);
}

/* Appends the condition that every parent of the row in json_each's `value` exists. */
static void parents_there(struct ck_buf *sql, enum ck_table t) {
  const char *between = "";
  if (!ck_has_parents(t)) ck_buf_text(sql, "true");
  for (int i = 0; i < CK_REFERENCES; ++i) {
    if (ck_references[i].table != t) continue;
    const struct ck_table_info *parent = &ck_tables[ck_references[i].parent];
    ck_buf_printf(sql,
                  "%sEXISTS (SELECT 1 FROM %s AS parent WHERE parent.%s = "
                  "json_extract(json_each.value, '$[%d]'))",
                  between, parent->name, parent->fields[parent->key].name, ck_references[i].column);
    between = " AND ";
  }
}

static void of_json(struct ck_buf *sql, enum ck_table t, int column) {
  (void)t;
  ck_buf_printf(sql, "json_extract(json_each.value, '$[%d]')", column);
}

static void of_bound(struct ck_buf *sql, enum ck_table t, int column) {
  bool text = column < ck_tables[t].mirrored && !ck_kind_is_int(ck_tables[t].fields[column].kind);
  ck_buf_printf(sql, text ? "?%d" : "CAST(?%d AS INTEGER)", column + 1);
}

void mirror_not_forgotten(struct ck_buf *sql, enum ck_table t, mirror_column *of_row) {
  if (t == CK_FORGOTTEN) {
    ck_buf_text(sql, "true");
    return;
  }
  ck_buf_printf(sql, "NOT EXISTS (SELECT 1 FROM %s AS gone WHERE gone.%s = '%s/' || ",
                ck_tables[CK_FORGOTTEN].name, key_of(CK_FORGOTTEN), ck_tables[t].name);
  of_row(sql, t, ck_tables[t].key);
  ck_buf_text(sql, " AND gone.version > ");
  of_row(sql, t, ck_tables[t].mirrored);
  ck_buf_text(sql, ")");
}

/* Without WHERE, ON is parsed as that of a join. */
void ck_mirror_upsert(struct ck_buf *sql, enum ck_table t) {
  insert_into(sql, t);
  from_json(sql, t);
  ck_buf_text(sql, " WHERE ");
  mirror_not_forgotten(sql, t, of_json);
  guard(sql, t);
}

static void from_bound(struct ck_buf *sql, enum ck_table t) {
  for (int c = 0; c <= ck_tables[t].mirrored; ++c) {
    ck_buf_text(sql, c ? ", " : " SELECT ");
    of_bound(sql, t, c);
  }
}

void ck_mirror_upsert_one(struct ck_buf *sql, enum ck_table t) {
  insert_into(sql, t);
  from_bound(sql, t);
  ck_buf_text(sql, " WHERE ");
  mirror_not_forgotten(sql, t, of_bound);
  guard(sql, t);
}

/* ---- unique columns that pass from one record to another ---- */

void mirror_held_by(struct ck_buf *sql, enum ck_table t, const char *holder,
                    mirror_column *of_row) {
  const struct ck_table_info *info = &ck_tables[t];
  const struct ck_unique *u = &ck_uniques[t];
  for (int i = 0; i < u->columns; ++i) {
    ck_buf_printf(sql, "%s.%s = ", holder, info->fields[u->column[i]].name);
    of_row(sql, t, u->column[i]);
    ck_buf_text(sql, " AND ");
  }
  ck_buf_printf(sql, "%s.%s <> ", holder, info->fields[info->key].name);
  of_row(sql, t, info->key);
}

/* If a newer record has it, this one has released it since, and its own newer state is on its
 * way. */
static void and_no_newer_holder(struct ck_buf *sql, enum ck_table t, mirror_column *of_row) {
  if (ck_release_column(t) < 0) return;
  ck_buf_printf(sql, " AND NOT EXISTS (SELECT 1 FROM %s AS holder WHERE ", ck_tables[t].name);
  mirror_held_by(sql, t, "holder", of_row);
  ck_buf_text(sql, " AND holder.version > ");
  of_row(sql, t, ck_tables[t].mirrored);
  ck_buf_text(sql, ")");
}

/* An older holder has to release it if the row is in the mirror already, under its own key: then
 * the upsert cannot take over the holder's row. */
static void older_holders(struct ck_buf *sql, enum ck_table t, mirror_column *of_row) {
  const char *key = ck_tables[t].fields[ck_tables[t].key].name;
  mirror_held_by(sql, t, "holder", of_row);
  ck_buf_text(sql, " AND holder.version < ");
  of_row(sql, t, ck_tables[t].mirrored);
  ck_buf_printf(sql, " AND EXISTS (SELECT 1 FROM %s AS own WHERE own.%s = ", ck_tables[t].name,
                key);
  of_row(sql, t, ck_tables[t].key);
  ck_buf_text(sql, ")");
}

/* rows: the FROM items before `holder` for many rows; "" for one. */
static void release(struct ck_buf *sql, enum ck_table t, const char *rows, mirror_column *of_row) {
  const char *name = ck_tables[t].name, *key = ck_tables[t].fields[ck_tables[t].key].name;
  ck_buf_printf(sql,
                "UPDATE %s SET %s = NULL WHERE %s IN (SELECT holder.%s FROM %s%s AS holder WHERE ",
                name, ck_tables[t].fields[ck_release_column(t)].name, key, key, rows, name);
  older_holders(sql, t, of_row);
  ck_buf_text(sql, ")");
}

void ck_mirror_release(struct ck_buf *sql, enum ck_table t) {
  release(sql, t, "json_each(?1) CROSS JOIN ", of_json);
}

void ck_mirror_release_one(struct ck_buf *sql, enum ck_table t) { release(sql, t, "", of_bound); }

/* ---- upserts with caution ---- */

void ck_mirror_upsert_unique(struct ck_buf *sql, enum ck_table t) {
  insert_into(sql, t);
  from_json(sql, t);
  ck_buf_text(sql, " WHERE ");
  mirror_not_forgotten(sql, t, of_json);
  and_no_newer_holder(sql, t, of_json);
  guard(sql, t);
}

void ck_mirror_upsert_cautious(struct ck_buf *sql, enum ck_table t) {
  insert_into(sql, t);
  from_json(sql, t);
  ck_buf_text(sql, " WHERE ");
  mirror_not_forgotten(sql, t, of_json);
  ck_buf_text(sql, " AND ");
  parents_there(sql, t);
  and_no_newer_holder(sql, t, of_json);
  guard(sql, t);
}

void ck_mirror_upsert_unique_one(struct ck_buf *sql, enum ck_table t) {
  insert_into(sql, t);
  from_bound(sql, t);
  ck_buf_text(sql, " WHERE ");
  mirror_not_forgotten(sql, t, of_bound);
  and_no_newer_holder(sql, t, of_bound);
  guard(sql, t);
}

void ck_mirror_orphans(struct ck_buf *sql, enum ck_table t) {
  ck_buf_text(sql, "SELECT json_each.key AS place FROM json_each(?1) WHERE NOT (");
  parents_there(sql, t);
  ck_buf_text(sql, ") AND ");
  mirror_not_forgotten(sql, t, of_json);
}

/* ---- what was forgotten ---- */

/* The rows of t whose column has the key of a record of `of` that one of the rows says is gone. */
static void gone_by(struct ck_buf *sql, enum ck_table t, const char *column, enum ck_table of,
                    bool one) {
  const char *name = ck_tables[of].name;
  ck_buf_printf(sql, "(%s ", column);
  if (one)
    ck_buf_printf(sql, "= ?%d AND ?%d = '%s'", CK_FORGOTTEN_RECORD_KEY + 1,
                  CK_FORGOTTEN_TABLE_NAME + 1, name);
  else
    ck_buf_printf(sql,
                  "IN (SELECT json_extract(value, '$[%d]') FROM json_each(?1)"
                  " WHERE json_extract(value, '$[%d]') = '%s')",
                  CK_FORGOTTEN_RECORD_KEY, CK_FORGOTTEN_TABLE_NAME, name);
  ck_buf_printf(sql,
                " AND version < (SELECT gone.version FROM %s AS gone WHERE gone.%s = '%s/' || "
                "%s.%s))",
                ck_tables[CK_FORGOTTEN].name, key_of(CK_FORGOTTEN), name, ck_tables[t].name,
                column);
}

static void forget(struct ck_buf *sql, enum ck_table t, bool one) {
  ck_buf_printf(sql, "DELETE FROM %s WHERE ", ck_tables[t].name);
  gone_by(sql, t, key_of(t), t, one);
  for (int i = 0; i < CK_REFERENCES; ++i) {
    if (ck_references[i].table != t) continue;
    ck_buf_text(sql, " OR ");
    gone_by(sql, t, ck_tables[t].fields[ck_references[i].column].name, ck_references[i].parent,
            one);
  }
}

void ck_mirror_forget(struct ck_buf *sql, enum ck_table t) { forget(sql, t, false); }

void ck_mirror_forget_one(struct ck_buf *sql, enum ck_table t) { forget(sql, t, true); }
