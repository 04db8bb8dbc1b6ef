/* What PostgreSQL's SQLSTATEs mean, and what the message says if there is none. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "syncd/sql/mirror_postgres.h"
#include "syncd/sinks/errors.h"
#include "syncd/batches/plan.h"

static void means(const char *state, enum sync_class class) {
  int64_t wait = -1;
  enum sync_class got = sync_classify_postgres(state, CK_LIT("whatever"), &wait);
  cr_expect_eq(got, class, "%s is %s, not %s", state, sync_class_name(got), sync_class_name(class));
  cr_expect_eq(wait > 0, class == SYNC_WAIT, "%s: wait %lld", state, (long long)wait);
}

Test(syncd_postgres, each_sqlstate_has_its_class) {
  static const struct {
    const char *state;
    enum sync_class class;
  } all[] = {
      {"08001", SYNC_NOT_APPLIED}, {"08004", SYNC_NOT_APPLIED}, {"08006", SYNC_UNKNOWN},
      {"09000", SYNC_ROW},         {"21000", SYNC_ROW},         {"22021", SYNC_ROW},
      {"22003", SYNC_ROW},         {"23502", SYNC_ROW},         {"23503", SYNC_EARLY},
      {"23505", SYNC_EARLY},       {"23514", SYNC_ROW},         {"25006", SYNC_STOP},
      {"25P02", SYNC_UNKNOWN},     {"28P01", SYNC_STOP},        {"28000", SYNC_STOP},
      {"3D000", SYNC_STOP},        {"3F000", SYNC_STOP},        {"40001", SYNC_NOT_APPLIED},
      {"40003", SYNC_UNKNOWN},     {"40P01", SYNC_NOT_APPLIED}, {"42501", SYNC_TABLE},
      {"42703", SYNC_TABLE},       {"42P01", SYNC_TABLE},       {"42P10", SYNC_TABLE},
      {"44000", SYNC_ROW},         {"53100", SYNC_STOP},        {"53200", SYNC_SPLIT},
      {"53300", SYNC_WAIT},        {"53400", SYNC_STOP},        {"53000", SYNC_LESS},
      {"54001", SYNC_SPLIT},       {"54000", SYNC_ROW},         {"55P03", SYNC_NOT_APPLIED},
      {"57014", SYNC_SPLIT},       {"57P01", SYNC_UNKNOWN},     {"57P02", SYNC_UNKNOWN},
      {"57P03", SYNC_NOT_APPLIED}, {"57P04", SYNC_STOP},        {"58030", SYNC_UNKNOWN},
      {"0A000", SYNC_TABLE},       {"72000", SYNC_NOT_APPLIED}, {"F0000", SYNC_STOP},
      {"P0001", SYNC_ROW},         {"XX001", SYNC_STOP},        {"XX002", SYNC_STOP},
      {"XX000", SYNC_ODD},         {"ZZZZZ", SYNC_ODD},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) means(all[i].state, all[i].class);
}

Test(syncd_postgres, a_connection_that_fails_is_nobodys_or_the_configurations_fault) {
  static const char *const stop[] = {
      "SSL error: certificate verify failed",
      "server certificate for \"a\" does not match host name \"b\"",
      "server does not support SSL, but SSL was required",
      "root certificate file \"/x\" does not exist",
      "fe_sendauth: no password supplied",
      "the server's encoding of this database is not UTF8",
  };
  for (size_t i = 0; i < sizeof stop / sizeof *stop; ++i)
    cr_expect_eq(sync_classify_postgres(NULL, ck_str_of(stop[i]), NULL), SYNC_STOP, "%s", stop[i]);
  cr_expect_eq(sync_classify_postgres(NULL, CK_LIT("Connection refused"), NULL), SYNC_NOT_APPLIED);
  cr_expect_eq(
      sync_classify_postgres(NULL, CK_LIT("could not translate host name \"x\" to address"), NULL),
      SYNC_NOT_APPLIED);
  cr_expect_eq(sync_classify_postgres(NULL, CK_LIT("session is read-only"), NULL),
               SYNC_NOT_APPLIED);
}

Test(syncd_postgres, every_statement_that_writes_has_a_version_guard) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    for (enum ck_mirror_caution caution = CK_CAUTION_NONE; caution <= CK_CAUTION_PARENTS;
         ++caution) {
      struct ck_buf sql = {0};
      ck_pg_upsert(&sql, t, caution);
      char guard[80];
      snprintf(guard, sizeof guard, "WHERE excluded.version > %s.version", ck_tables[t].name);
      cr_expect(strstr(ck_buf_cstr(&sql), guard), "%s", ck_buf_cstr(&sql));
      ck_buf_clear(&sql);
      if (ck_uniques[t].columns) ck_pg_takeover(&sql, t, caution);
      cr_expect(!sql.len || strstr(ck_buf_cstr(&sql), "m.version < x.version"), "%s",
                ck_buf_cstr(&sql));
      ck_buf_clear(&sql);
      if (ck_release_column(t) >= 0) ck_pg_release(&sql, t);
      cr_expect(!sql.len || strstr(ck_buf_cstr(&sql), "m.version < x.version"), "%s",
                ck_buf_cstr(&sql));
      ck_buf_free(&sql);
    }
}
