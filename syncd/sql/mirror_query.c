/* The statements that compare and repair, for SQLite and D1 (mirror.h). */
#include "proto/digest.h"
#include "syncd/sql/mirror.h"

/* D1 allows expressions 100 deep, and each + goes one deeper: so at most this many terms in one
 * pair of brackets. */
#define TERMS 8

static const char *key_of(enum ck_table t) { return ck_tables[t].fields[ck_tables[t].key].name; }

/* ---- digests ---- */

/* The same arithmetic as in proto/digest.c. JSON5 reads "0x0" and hexadecimal digits as a
 * number. */
static void key_hash(struct ck_buf *sql, const char *key, size_t longest) {
  size_t pieces = (longest + CK_DIGEST_PIECE - 1) / CK_DIGEST_PIECE;
  if (pieces > CK_DIGEST_PIECES) pieces = CK_DIGEST_PIECES;
  ck_buf_text(sql, "((");
  for (size_t i = 0; i < pieces; ++i)
    ck_buf_printf(
        sql,
        "%sjson_extract('0x0' || hex(substr(CAST(m.%s AS BLOB), %zu, %d)), '$') %% %d * %lld %% %d",
        i == 0           ? ""
        : i % TERMS == 0 ? ") + ("
                         : " + ",
        key, i * CK_DIGEST_PIECE + 1, CK_DIGEST_PIECE, CK_DIGEST_PRIME,
        (long long)ck_digest_weight((int)i), CK_DIGEST_PRIME);
  ck_buf_printf(sql, ") + length(CAST(m.%s AS BLOB)) * %lld) %% %d", key,
                (long long)ck_digest_weight(CK_DIGEST_PIECES), CK_DIGEST_PRIME);
}

/* Every text sorts before every blob, so x'' is "to the end". */
static void in_range(struct ck_buf *sql, const char *key) {
  ck_buf_printf(sql,
                "m.%s > json_extract(r.value, '$[0]')"
                " AND m.%s <= coalesce(json_extract(r.value, '$[1]'), x'')",
                key, key);
}

void ck_mirror_digests(struct ck_buf *sql, enum ck_table t, size_t longest) {
  ck_buf_printf(
      sql,
      "SELECT (SELECT count(*) || ' ' || ifnull(sum(m.version %% %d), 0) || ' ' || ifnull(sum((",
      CK_DIGEST_PRIME);
  key_hash(sql, key_of(t), longest ? longest : 1);
  ck_buf_printf(sql, ") * (m.version %% %d + 1) %% %d), 0) FROM %s m WHERE ", CK_DIGEST_PRIME,
                CK_DIGEST_PRIME, ck_tables[t].name);
  in_range(sql, key_of(t));
  ck_buf_text(sql, ") AS d FROM json_each(?1) r");
}

void ck_mirror_versions(struct ck_buf *sql, enum ck_table t, size_t limit) {
  ck_buf_printf(sql,
                "SELECT r.key AS place, m.%s AS k, CAST(CAST(m.version AS INTEGER) AS TEXT) AS v"
                " FROM json_each(?1) r CROSS JOIN %s m WHERE ",
                key_of(t), ck_tables[t].name);
  in_range(sql, key_of(t));
  ck_buf_printf(sql, " ORDER BY r.key, m.%s LIMIT %zu", key_of(t), limit);
}

/* ---- whole rows ---- */

void ck_mirror_compare(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_printf(sql,
                "SELECT r.key AS place FROM json_each(?1) r WHERE NOT EXISTS"
                " (SELECT 1 FROM %s m WHERE m.%s = json_extract(r.value, '$[%d]')",
                info->name, key_of(t), info->key);
  for (int c = 0; c < info->mirrored; ++c)
    if (c != info->key)
      ck_buf_printf(sql, " AND m.%s IS json_extract(r.value, '$[%d]')", info->fields[c].name, c);
  ck_buf_printf(sql, " AND m.version = json_extract(r.value, '$[%d]'))", info->mirrored);
}

void ck_mirror_compare_one(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_printf(sql, "SELECT 0 AS place WHERE NOT EXISTS (SELECT 1 FROM %s m WHERE m.%s = ?%d",
                info->name, key_of(t), info->key + 1);
  for (int c = 0; c < info->mirrored; ++c) {
    if (c == info->key) continue;
    bool number = ck_kind_is_int(info->fields[c].kind);
    ck_buf_printf(sql, " AND m.%s IS %s?%d%s", info->fields[c].name, number ? "CAST(" : "", c + 1,
                  number ? " AS INTEGER)" : "");
  }
  ck_buf_printf(sql, " AND m.version = CAST(?%d AS INTEGER))", info->mirrored + 1);
}

void ck_mirror_reset(struct ck_buf *sql, enum ck_table t, bool gone) {
  ck_buf_printf(sql,
                "%s %s%s WHERE (%s, version) IN"
                " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')"
                " FROM json_each(?1))",
                gone ? "DELETE FROM" : "UPDATE", ck_tables[t].name, gone ? "" : " SET version = 0",
                key_of(t));
}
