/* See mirror_witness.h. */
#include "syncd/sql/mirror_witness.h"

#include <string.h>

#include "proto/wire.h"
#include "proto/witness.h"

#define TABLE CK_MIRROR_WITNESS

/* These are put into statements as they are. */
static int copy(char *out, size_t size, struct ck_str s, const char *more, const char *name,
                struct ck_err *err) {
  for (size_t i = 0; i < s.n; ++i)
    if (!memchr("0123456789abcdef", s.s[i], 16) && (!*more || !strchr(more, s.s[i])))
      return ck_fail(err, "%s: is no id", name);
  if (s.n >= size) return ck_fail(err, "%s: is too long", name);
  if (s.n) memcpy(out, s.s, s.n);
  out[s.n] = '\0';
  return 0;
}

int ck_mirror_witness_set(struct ck_mirror_witness *w, struct ck_str store_id, struct ck_str run,
                          struct ck_str before, uint64_t least, uint64_t version,
                          struct ck_err *err) {
  *w = (struct ck_mirror_witness){.least = least, .version = version};
  if (run.n == 0) return 0;
  if (least > INT64_MAX || version > INT64_MAX) return ck_fail(err, "least: is too large");
  return copy(w->store_id, sizeof w->store_id, store_id, "", "store_id", err) ||
                 copy(w->run, sizeof w->run, run, "", "run", err) ||
                 (!ck_str_is(before, CK_WITNESS_ANY) &&
                  copy(w->before, sizeof w->before, before, "/", "before", err)) ||
                 (ck_str_is(before, CK_WITNESS_ANY) &&
                  copy(w->before, sizeof w->before, before, CK_WITNESS_ANY, "before", err))
             ? -1
             : 0;
}

bool ck_mirror_witness_kept(const struct ck_mirror_witness *w) { return w && w->run[0]; }

void ck_mirror_witness_table(struct ck_buf *sql, const char *integer, const char *text,
                             const char *table_end) {
  ck_buf_printf(sql,
                "CREATE TABLE IF NOT EXISTS " TABLE " (\n"
                "  id %s NOT NULL PRIMARY KEY CHECK (id = 1),\n"
                "  store_id %s NOT NULL,\n"
                "  run %s NOT NULL,\n"
                "  version %s NOT NULL\n%s;\n",
                integer, text, text, integer, table_end);
}

void ck_mirror_witness_refill(struct ck_buf *sql, bool made) {
  if (made)
    ck_buf_text(sql, "INSERT INTO " TABLE
                     " (id, store_id, run, version) VALUES (1, '', '" CK_WITNESS_REFILL "', 0);\n");
  else
    ck_buf_text(sql, "UPDATE " TABLE " SET run = '" CK_WITNESS_REFILL "';\n");
}

static void expected(struct ck_buf *sql, const struct ck_mirror_witness *w) {
  if (strcmp(w->before, CK_WITNESS_ANY) == 0) {
    ck_buf_text(sql, "(1 = 1)");
    return;
  }
  ck_buf_printf(sql,
                "(" TABLE ".version >= %llu AND " TABLE ".version < %llu AND " TABLE
                ".store_id || '/' || " TABLE ".run IN ('%s/%s'",
                (unsigned long long)w->least, (unsigned long long)CK_WITNESS_VERSION_END,
                w->store_id, w->run);
  if (w->before[0]) ck_buf_printf(sql, ", '%s'", w->before);
  ck_buf_text(sql, "))");
}

/* It has to be there if it was once. */
static bool must_be_there(const struct ck_mirror_witness *w) { return w->before[0] || w->least; }

/* A row that is as expected, and has that version, is not written again. */
void ck_mirror_witness_write(struct ck_buf *sql, const struct ck_mirror_witness *w) {
  ck_buf_printf(sql, "INSERT INTO " TABLE " (id, store_id, run, version) VALUES (1, ");
  if (must_be_there(w))
    ck_buf_printf(sql, "(SELECT '%s' FROM " TABLE ")", w->store_id);
  else
    ck_buf_printf(sql, "'%s'", w->store_id);
  ck_buf_printf(sql, ", '%s', %llu) ON CONFLICT (id) DO UPDATE SET store_id = CASE WHEN ", w->run,
                (unsigned long long)w->version);
  expected(sql, w);
  ck_buf_printf(sql,
                " THEN excluded.store_id END, run = excluded.run, version = CASE WHEN " TABLE
                ".version > excluded.version AND " TABLE ".version < %llu THEN " TABLE
                ".version ELSE excluded.version END WHERE " TABLE ".run <> excluded.run OR " TABLE
                ".version < excluded.version OR " TABLE ".version >= %llu OR NOT ",
                (unsigned long long)CK_WITNESS_VERSION_END,
                (unsigned long long)CK_WITNESS_VERSION_END);
  expected(sql, w);
}

void ck_mirror_witness_holds(struct ck_buf *sql, const struct ck_mirror_witness *w) {
  bool there = must_be_there(w);
  ck_buf_printf(sql, " AND %sEXISTS (SELECT 1 FROM " TABLE " WHERE %s", there ? "" : "NOT ",
                there ? "" : "NOT ");
  expected(sql, w);
  ck_buf_text(sql, ")");
}
