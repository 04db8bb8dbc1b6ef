/* Every statement for PostgreSQL, except the schema (mirror_postgres.h). */
#include "syncd/sql/mirror_postgres.h"
#include "syncd/sql/mirror_witness.h"

#include "proto/digest.h"
#include "syncd/sql/mirror_internal.h"

static const char *key_of(enum ck_table t) { return ck_tables[t].fields[ck_tables[t].key].name; }

static void columns(struct ck_buf *sql, enum ck_table t, const char *prefix) {
  for (int c = 0; c < ck_tables[t].mirrored; ++c)
    ck_buf_printf(sql, "%s%s, ", prefix, ck_tables[t].fields[c].name);
  ck_buf_printf(sql, "%sversion", prefix);
}

/* unnest($1, …) AS x (column, …, version), and with `placed` also `place`, from 1. */
static void rows(struct ck_buf *sql, enum ck_table t, bool placed) {
  ck_buf_text(sql, "unnest(");
  for (int c = 0; c <= ck_tables[t].mirrored; ++c)
    ck_buf_printf(sql, "%s$%d", c ? ", " : "", c + 1);
  ck_buf_printf(sql, ")%s AS x (", placed ? " WITH ORDINALITY" : "");
  columns(sql, t, "");
  ck_buf_text(sql, placed ? ", place)" : ")");
}

/* Appends ` AND …` for each parent of x: it exists. */
static void and_parents(struct ck_buf *sql, enum ck_table t) {
  for (int i = 0; i < CK_REFERENCES; ++i) {
    if (ck_references[i].table != t) continue;
    enum ck_table parent = ck_references[i].parent;
    ck_buf_printf(sql, " AND EXISTS (SELECT 1 FROM %s p WHERE p.%s = x.%s)", ck_tables[parent].name,
                  key_of(parent), ck_tables[t].fields[ck_references[i].column].name);
  }
}

/* ---- upserts ---- */

static void of_x(struct ck_buf *sql, enum ck_table t, int column) {
  ck_buf_printf(sql, "x.%s",
                column < ck_tables[t].mirrored ? ck_tables[t].fields[column].name : "version");
}

/* Appends the condition that x is in the mirror under its own key. */
static void x_there(struct ck_buf *sql, enum ck_table t) {
  ck_buf_printf(sql, "EXISTS (SELECT 1 FROM %s k WHERE k.%s = x.%s)", ck_tables[t].name, key_of(t),
                key_of(t));
}

static void set_columns(struct ck_buf *sql, enum ck_table t, const char *from, bool key) {
  for (int c = 0; c < ck_tables[t].mirrored; ++c)
    if (key || c != ck_tables[t].key)
      ck_buf_printf(sql, "%s = %s.%s, ", ck_tables[t].fields[c].name, from,
                    ck_tables[t].fields[c].name);
  ck_buf_printf(sql, "version = %s.version", from);
}

void ck_pg_takeover(struct ck_buf *sql, enum ck_table t, enum ck_mirror_caution caution) {
  const char *name = ck_tables[t].name;
  ck_buf_printf(sql, "UPDATE %s AS m SET ", name);
  set_columns(sql, t, "x", true);
  ck_buf_text(sql, " FROM ");
  rows(sql, t, false);
  ck_buf_text(sql, " WHERE ");
  mirror_held_by(sql, t, "m", of_x);
  ck_buf_text(sql, " AND m.version < x.version AND NOT ");
  x_there(sql, t);
  ck_buf_text(sql, " AND ");
  mirror_not_forgotten(sql, t, of_x);
  if (caution == CK_CAUTION_PARENTS) and_parents(sql, t);
}

void ck_pg_release(struct ck_buf *sql, enum ck_table t) {
  ck_buf_printf(sql, "UPDATE %s AS m SET %s = NULL FROM ", ck_tables[t].name,
                ck_tables[t].fields[ck_release_column(t)].name);
  rows(sql, t, false);
  ck_buf_text(sql, " WHERE ");
  mirror_held_by(sql, t, "m", of_x);
  ck_buf_text(sql, " AND m.version < x.version AND ");
  x_there(sql, t);
}

void ck_pg_upsert(struct ck_buf *sql, enum ck_table t, enum ck_mirror_caution caution) {
  const char *name = ck_tables[t].name;
  ck_buf_printf(sql, "INSERT INTO %s (", name);
  columns(sql, t, "");
  ck_buf_text(sql, ") SELECT ");
  columns(sql, t, "x.");
  ck_buf_text(sql, " FROM ");
  rows(sql, t, false);
  ck_buf_text(sql, " WHERE ");
  mirror_not_forgotten(sql, t, of_x);
  if (ck_uniques[t].columns) {
    ck_buf_printf(sql, " AND NOT EXISTS (SELECT 1 FROM %s o WHERE ", name);
    mirror_held_by(sql, t, "o", of_x);
    ck_buf_text(sql, " AND o.version >= x.version");
    if (caution == CK_CAUTION_NONE) {
      ck_buf_text(sql, " AND NOT ");
      x_there(sql, t);
    }
    ck_buf_text(sql, ")");
  }
  if (caution == CK_CAUTION_PARENTS) and_parents(sql, t);
  /* In this order, what one record releases another may take. */
  if (ck_uniques[t].columns) ck_buf_text(sql, " ORDER BY x.version");
  ck_buf_printf(sql, " ON CONFLICT (%s) DO UPDATE SET ", key_of(t));
  set_columns(sql, t, "excluded", false);
  ck_buf_printf(sql, " WHERE excluded.version > %s.version", name);
}

void ck_pg_orphans(struct ck_buf *sql, enum ck_table t) {
  ck_buf_text(sql, "SELECT x.place - 1 FROM ");
  rows(sql, t, true);
  ck_buf_text(sql, " WHERE NOT (true");
  and_parents(sql, t);
  ck_buf_text(sql, ") AND ");
  mirror_not_forgotten(sql, t, of_x);
}

/* ---- what was forgotten ---- */

static void gone_by(struct ck_buf *sql, const char *column, enum ck_table of) {
  ck_buf_printf(sql, "(x.table_name = '%s' AND m.%s = x.record_key)", ck_tables[of].name, column);
}

void ck_pg_forget(struct ck_buf *sql, enum ck_table t) {
  ck_buf_printf(sql, "DELETE FROM %s m USING ", ck_tables[t].name);
  rows(sql, CK_FORGOTTEN, false);
  ck_buf_printf(sql, ", %s gone WHERE gone.%s = x.%s AND m.version < gone.version AND (",
                ck_tables[CK_FORGOTTEN].name, key_of(CK_FORGOTTEN), key_of(CK_FORGOTTEN));
  gone_by(sql, key_of(t), t);
  for (int i = 0; i < CK_REFERENCES; ++i) {
    if (ck_references[i].table != t) continue;
    ck_buf_text(sql, " OR ");
    gone_by(sql, ck_tables[t].fields[ck_references[i].column].name, ck_references[i].parent);
  }
  ck_buf_text(sql, ")");
}

/* Any number; another program that locks it would only be waited for. */
#define WRITERS_LOCK "7164206874913563002"

void ck_pg_writers_lock(struct ck_buf *sql, bool alone) {
  ck_buf_printf(sql, "SELECT pg_advisory_xact_lock%s(" WRITERS_LOCK ")", alone ? "" : "_shared");
}

/* ---- comparing and repairing ---- */

void ck_pg_compare(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_text(sql, "SELECT x.place - 1 FROM ");
  rows(sql, t, true);
  ck_buf_printf(sql, " WHERE NOT EXISTS (SELECT 1 FROM %s m WHERE m.%s = x.%s", info->name,
                key_of(t), key_of(t));
  for (int c = 0; c < info->mirrored; ++c)
    if (c != info->key)
      ck_buf_printf(sql, " AND m.%s IS NOT DISTINCT FROM x.%s", info->fields[c].name,
                    info->fields[c].name);
  ck_buf_text(sql, " AND m.version = x.version)");
}

/* end 0: the condition for ranges with an end; 1: for those without. These are two queries, of
 * which one finds nothing, so that each can use the index from its first key to its last. */
static void in_range(struct ck_buf *sql, enum ck_table t, int end) {
  if (end == 0)
    ck_buf_printf(
        sql, "r.upto IS NOT NULL AND m.%s COLLATE \"C\" > r.after AND m.%s COLLATE \"C\" <= r.upto",
        key_of(t), key_of(t));
  else
    ck_buf_printf(sql, "r.upto IS NULL AND m.%s COLLATE \"C\" > r.after", key_of(t));
}

#define RANGES " FROM unnest($1, $2) WITH ORDINALITY AS r (after, upto, place) CROSS JOIN LATERAL ("

/* The same arithmetic as in proto/digest.c. */
static void key_hash(struct ck_buf *sql, const char *key, size_t longest) {
  size_t pieces = (longest + CK_DIGEST_PIECE - 1) / CK_DIGEST_PIECE;
  if (pieces > CK_DIGEST_PIECES) pieces = CK_DIGEST_PIECES;
  ck_buf_text(sql, "((");
  for (size_t i = 0; i < pieces; ++i)
    ck_buf_printf(sql,
                  "('x' || lpad(encode(substring(convert_to(m.%s, 'UTF8') from %zu for %d), "
                  "'hex'), 16, '0'))::bit(64)::bigint %% %d * %lld %% %d + ",
                  key, i * CK_DIGEST_PIECE + 1, CK_DIGEST_PIECE, CK_DIGEST_PRIME,
                  (long long)ck_digest_weight((int)i), CK_DIGEST_PRIME);
  ck_buf_printf(sql, "octet_length(m.%s)::bigint * %lld) %% %d)", key,
                (long long)ck_digest_weight(CK_DIGEST_PIECES), CK_DIGEST_PRIME);
}

static void digest_of(struct ck_buf *sql, enum ck_table t, size_t longest, int end) {
  ck_buf_printf(sql, "SELECT count(*) AS n, coalesce(sum(m.version %% %d), 0) AS v, coalesce(sum(",
                CK_DIGEST_PRIME);
  key_hash(sql, key_of(t), longest ? longest : 1);
  ck_buf_printf(sql, " * (m.version %% %d + 1) %% %d), 0) AS x FROM %s m WHERE ", CK_DIGEST_PRIME,
                CK_DIGEST_PRIME, ck_tables[t].name);
  in_range(sql, t, end);
}

void ck_pg_digests(struct ck_buf *sql, enum ck_table t, size_t longest) {
  ck_buf_text(sql, "SELECT sum(d.n), sum(d.v), sum(d.x)" RANGES);
  digest_of(sql, t, longest, 0);
  ck_buf_text(sql, " UNION ALL ");
  digest_of(sql, t, longest, 1);
  ck_buf_text(sql, ") d GROUP BY r.place ORDER BY r.place");
}

static void versions_of(struct ck_buf *sql, enum ck_table t, size_t limit, int end) {
  ck_buf_printf(sql, "(SELECT m.%s AS k, m.version AS v FROM %s m WHERE ", key_of(t),
                ck_tables[t].name);
  in_range(sql, t, end);
  ck_buf_printf(sql, " ORDER BY m.%s COLLATE \"C\" LIMIT %zu)", key_of(t), limit);
}

void ck_pg_versions(struct ck_buf *sql, enum ck_table t, size_t limit) {
  ck_buf_text(sql, "SELECT r.place - 1, d.k, d.v" RANGES);
  versions_of(sql, t, limit, 0);
  ck_buf_text(sql, " UNION ALL ");
  versions_of(sql, t, limit, 1);
  ck_buf_printf(sql, ") d ORDER BY r.place, d.k COLLATE \"C\" LIMIT %zu", limit);
}

void ck_pg_reset(struct ck_buf *sql, enum ck_table t, bool gone) {
  const char *name = ck_tables[t].name;
  ck_buf_printf(sql, gone ? "DELETE FROM %s m USING" : "UPDATE %s AS m SET version = 0 FROM", name);
  ck_buf_printf(sql,
                " unnest($1, $2) AS x (key, version) WHERE m.%s = x.key AND m.version = x.version",
                key_of(t));
}

/* ---- what exists ---- */

static void ours(struct ck_buf *sql, const char *column) {
  ck_buf_printf(sql, "%s IN (", column);
  for (int t = 0; t < CK_TABLES; ++t) ck_buf_printf(sql, "'%s', ", ck_tables[t].name);
  ck_buf_text(sql, "'" CK_MIRROR_WITNESS "')");
}

/* The indexes on whole columns, with these. */
static void indexes_there(struct ck_buf *sql, const char *kind, const char *which) {
  ck_buf_printf(sql,
                " UNION ALL SELECT '%s', t.relname::text, i.relname::text,"
                " (SELECT string_agg(a.attname::text, ', ' ORDER BY k.n)"
                " FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, n)"
                " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum"
                " WHERE k.n <= x.indnkeyatts)"
                " FROM pg_index x"
                " JOIN pg_class i ON i.oid = x.indexrelid"
                " JOIN pg_class t ON t.oid = x.indrelid"
                " JOIN pg_namespace s ON s.oid = t.relnamespace"
                " WHERE s.nspname = current_schema() AND %sx.indpred IS NULL"
                " AND x.indexprs IS NULL AND x.indisvalid AND ",
                kind, which);
  ours(sql, "t.relname");
}

void ck_pg_what_is_there(struct ck_buf *sql) {
  ck_buf_text(sql, "SELECT 'column', table_name::text, column_name::text, '1'"
                   " FROM information_schema.columns"
                   " WHERE table_schema = current_schema() AND ");
  ours(sql, "table_name");
  ck_buf_text(sql, " UNION ALL SELECT 'default', table_name::text, column_name::text, ''"
                   " FROM information_schema.columns"
                   " WHERE table_schema = current_schema() AND column_default IS NOT NULL AND ");
  ours(sql, "table_name");
  indexes_there(sql, "unique", "x.indisunique AND ");
  indexes_there(sql, "index", "");
}
