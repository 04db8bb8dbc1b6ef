/* What the predecessor's other indexes cost, and which rows are in the way of a unique index
 * (mirror.h). */
#include "syncd/sql/mirror.h"

#include <string.h>

/* When else than at a record's insert the index is written. */
static const char *again(const struct ck_index *index) {
  const char *when = "";
  for (int i = 0; i < index->columns; ++i) {
    int c = index->column[i] & ~CK_DESC;
    if (ck_tables[index->table].fields[c].flags & CK_TOUCHED) return ", and at each change of it";
    if ((index->table == CK_SESSIONS && c == CK_SESSIONS_LAST_ACTIVITY_AT) ||
        (index->table == CK_CONVERSATIONS && c == CK_CONVERSATIONS_LAST_MESSAGE_AT))
      when = ", and with each new message";
    if (index->table == CK_JOBS && c == CK_JOBS_STATUS)
      when = ", and each time that its state changes";
  }
  return when;
}

void ck_mirror_index_cost(struct ck_buf *words, const struct ck_index *index) {
  const char *records = ck_tables[index->table].word;
  ck_buf_printf(words, "one more row written for each new %.*s%s", (int)strlen(records) - 1,
                records, again(index));
}

static const char *key_of(enum ck_table t) { return ck_tables[t].fields[ck_tables[t].key].name; }

static void of_the_key(struct ck_buf *sql, enum ck_table t) {
  ck_buf_printf(sql,
                "WITH r AS (SELECT %s AS k, CAST(count(*) AS TEXT) || ' times' AS u,"
                " count(*) AS n FROM %s WHERE %s IS NOT NULL GROUP BY %s HAVING count(*) > 1)",
                key_of(t), ck_tables[t].name, key_of(t), key_of(t));
}

static void of_the_unique(struct ck_buf *sql, enum ck_table t) {
  const struct ck_unique *u = &ck_uniques[t];
  struct ck_buf names = {0};
  ck_unique_names(&names, t);
  ck_buf_printf(sql, "WITH r AS (SELECT m.%s AS k, ", key_of(t));
  for (int i = 0; i < u->columns; ++i)
    ck_buf_printf(sql, "%sm.%s", i ? " || ', ' || " : "", ck_tables[t].fields[u->column[i]].name);
  ck_buf_printf(sql,
                " AS u, 1 AS n FROM %s m JOIN (SELECT %s FROM %s GROUP BY %s HAVING count(*) > 1)"
                " d ON ",
                ck_tables[t].name, ck_buf_cstr(&names), ck_tables[t].name, ck_buf_cstr(&names));
  for (int i = 0; i < u->columns; ++i)
    ck_buf_printf(sql, "%sm.%s = d.%s", i ? " AND " : "", ck_tables[t].fields[u->column[i]].name,
                  ck_tables[t].fields[u->column[i]].name);
  ck_buf_text(sql, ")");
  ck_buf_free(&names);
}

void ck_mirror_in_the_way(struct ck_buf *sql, enum ck_table t, bool of_key, size_t limit) {
  if (of_key)
    of_the_key(sql, t);
  else
    of_the_unique(sql, t);
  ck_buf_printf(sql,
                " SELECT k, u, CAST((SELECT sum(n) FROM r) AS TEXT) AS n FROM r"
                " ORDER BY u, k LIMIT %zu",
                limit);
}
