/* doctor's check `summaries`: is each of them the beginning of its text, as the store makes it?
 * Every text is read, in pieces. */
#include "store/tasks/doctor_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/summary.h"

#define ADVICE \
  "another program or a failing disk has changed the text or the summary: the originals tell " \
  "which (convkeep original), and convkeep rebuild messages makes it right where it came from one"

struct found {
  struct doctor *d;
  uint64_t records, wrong;
  char first[160];
};

static void look(struct found *f, enum ck_table t, sqlite3_stmt *s) {
  char room[CK_SUMMARY_ROOM];
  struct ck_str made = ck_summary_make(room, db_str(s, 3));
  ++f->records;
  if (ck_str_eq(db_str(s, 2), made) || f->wrong++) return;
  struct ck_str id = ck_utf8_cut(db_str(s, 1), 100);
  snprintf(f->first, sizeof f->first, "%s %.*s", ck_tables[t].name, (int)id.n, id.s);
}

/* Some of the rows above version *after, which moves on. 1: there may be more. */
static int look_at_some(struct found *f, enum ck_table t, sqlite3_stmt *s, int64_t *after,
                        struct ck_err *err) {
  int rc, n = 0;
  int64_t began = ck_mono_us();
  sqlite3_bind_int64(s, 1, *after);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    *after = sqlite3_column_int64(s, 0);
    look(f, t, s);
    if (++n % 64 == 0 && doctor_piece_over(began)) break;
  }
  int bad = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(f->d->db, ck_tables[t].name, err);
  sqlite3_reset(s);
  if (rc == SQLITE_ROW) doctor_piece_rest(began);
  return bad ? -1 : rc == SQLITE_ROW && !task_cancelled(f->d->task);
}

static int look_at_table(struct found *f, enum ck_table t, struct ck_err *err) {
  const struct ck_field *fields = ck_tables[t].fields;
  const char *text = fields[ck_summaries[t].text].name;
  char *sql = ck_sprintf("SELECT version, %s, %s, %s FROM %s WHERE version > ?1 AND +version > ?1"
                         " AND %s IS NOT NULL ORDER BY version",
                         fields[ck_tables[t].key].name, fields[ck_summaries[t].column].name, text,
                         ck_tables[t].name, text);
  sqlite3_stmt *s = db_prepare(f->d->db, sql, err);
  int64_t after = 0;
  int rc = s ? 1 : -1;
  while (rc > 0) rc = look_at_some(f, t, s, &after, err);
  sqlite3_finalize(s);
  free(sql);
  return rc;
}

int doctor_summaries(struct doctor *d, struct ck_err *err) {
  struct found f = {.d = d};
  for (int t = 0; t < CK_TABLES; ++t)
    if (ck_is_summary((enum ck_table)t, ck_summaries[t].column) &&
        look_at_table(&f, (enum ck_table)t, err))
      return -1;
  if (f.wrong)
    doctor_say(d, "summaries", CK_FOUND_WRONG, ADVICE,
               "%llu of %llu are not the beginning of their text, the first: %s",
               (unsigned long long)f.wrong, (unsigned long long)f.records, f.first);
  else
    doctor_say(d, "summaries", CK_FOUND_OK, "", "%llu %s the beginning of their text",
               (unsigned long long)f.records, ck_noun(f.records, "is", "are"));
  return 0;
}
