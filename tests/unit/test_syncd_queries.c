/* Queries to a sink, with the sqlite sink. */
#include "syncd/sinks/sink.h"
#include "tests/unit/test_syncd_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static struct ck_settings *settings;
static void *sink;
static struct help_batch help;
static struct sync_batch batch;
static struct sync_slices slices;

static struct sync_answer stepped(void) {
  struct sync_answer a = {0};
  cr_assert(sync_sink_sqlite.step(sink, &a));
  return a;
}

static struct sync_answer query(struct sync_query *what) {
  sync_sink_sqlite.query(sink, what);
  return stepped();
}

/* Messages m1 … m9 with versions 1 … 9. */
static void setup(void) {
  struct ck_err err = {{0}};
  char file[96];
  snprintf(folder, sizeof folder, "/tmp/convkeep-queries.XXXXXX");
  cr_assert(mkdtemp(folder));
  snprintf(file, sizeof file, "%s/mirror.db", folder);
  settings = ck_settings_load("/nonexistent", &err);
  cr_assert_eq(ck_settings_flag(settings, "sync.sqlite.file", file, &err), 0);
  cr_assert_eq(sync_sink_sqlite.open(&sink, settings, &err), 0, "%s", err.text);
  help_messages(&help, &batch, 1, 9);
  sync_plan(&batch, &sync_sink_sqlite.limits, &slices);
  sync_sink_sqlite.begin(sink, &slices.at[0]);
  cr_assert_eq(stepped().class, SYNC_DONE);
}

static void teardown(void) {
  char command[96];
  sync_sink_sqlite.close(&sink);
  sync_slices_free(&slices);
  sync_batch_free(&batch);
  help_free(&help);
  ck_settings_free(&settings);
  snprintf(command, sizeof command, "rm -r %s", folder);
  cr_assert_eq(system(command), 0);
}

TestSuite(syncd_queries, .init = setup, .fini = teardown);

static void sql(const char *text) {
  struct sync_query a = {.kind = SYNC_QUERY_SQL, .sql = text};
  struct sync_answer answer = query(&a);
  cr_assert_eq(answer.class, SYNC_DONE, "%s: %s", text, answer.text);
}

Test(syncd_queries, digests_of_ranges_are_those_of_their_rows) {
  struct sync_range ranges[] = {{.after = CK_LIT(""), .upto = CK_LIT("m3")},
                                {.after = CK_LIT("m3"), .upto = CK_LIT("m5")},
                                {.after = CK_LIT("m5")}};
  struct sync_query a = {.kind = SYNC_QUERY_DIGESTS,
                         .table = CK_MESSAGES,
                         .ranges = ranges,
                         .range_count = 3,
                         .longest = 2};
  struct ck_digest want = {0};
  cr_assert_eq(query(&a).class, SYNC_DONE);
  ck_digest_add(&want, CK_LIT("m4"), 4);
  ck_digest_add(&want, CK_LIT("m5"), 5);
  cr_assert(ck_digest_eq(&ranges[1].digest, &want));
  cr_assert_eq(ranges[0].digest.count, 3);
  cr_assert_eq(ranges[2].digest.sum, 6 + 7 + 8 + 9);
}

static void note(void *self, size_t range, struct ck_str key, int64_t version) {
  ck_buf_printf(self, "%zu:%.*s=%lld ", range, (int)key.n, key.s, (long long)version);
}

Test(syncd_queries, versions_come_range_by_range) {
  struct sync_range ranges[] = {{.after = CK_LIT("m7")},
                                {.after = CK_LIT("m1"), .upto = CK_LIT("m3")}};
  struct ck_buf said = {0};
  struct sync_query a = {.kind = SYNC_QUERY_VERSIONS,
                         .table = CK_MESSAGES,
                         .ranges = ranges,
                         .range_count = 2,
                         .limit = 100,
                         .found = note,
                         .self = &said};
  cr_assert_eq(query(&a).class, SYNC_DONE);
  cr_assert_str_eq(ck_buf_cstr(&said), "0:m8=8 0:m9=9 1:m2=2 1:m3=3 ");
  ck_buf_clear(&said);
  a.limit = 3;
  cr_assert_eq(query(&a).class, SYNC_DONE);
  cr_assert_str_eq(ck_buf_cstr(&said), "0:m8=8 0:m9=9 1:m2=2 ");
  ck_buf_free(&said);
}

Test(syncd_queries, one_changed_byte_is_different) {
  struct sync_query a = {.kind = SYNC_QUERY_COMPARE, .slice = &slices.at[0]};
  cr_assert_eq(query(&a).class, SYNC_DONE);
  for (size_t i = 0; i < 9; ++i) cr_assert_eq(slices.at[0].rows[i]->state, SYNC_ROW_OPEN);
  sql("UPDATE messages SET raw_text = 'y' WHERE id = 'm2'; UPDATE messages SET summary = '' WHERE "
      "id = 'm4'; DELETE FROM messages WHERE id = 'm6';"
      "UPDATE messages SET version = 80 WHERE id = 'm8'");
  cr_assert_eq(query(&a).class, SYNC_DONE);
  for (size_t i = 0; i < 9; ++i)
    cr_assert_eq(slices.at[0].rows[i]->state, i % 2 ? SYNC_ROW_DIFFERENT : SYNC_ROW_OPEN, "m%zu",
                 i + 1);
}

Test(syncd_queries, only_rows_of_the_known_version_are_reset_and_deleted) {
  struct sync_known known[] = {{CK_LIT("m1"), 1}, {CK_LIT("m2"), 7}, {CK_LIT("none"), 3}};
  struct sync_query reset = {
      .kind = SYNC_QUERY_RESET, .table = CK_MESSAGES, .known = known, .known_count = 3};
  struct sync_answer a = query(&reset);
  cr_assert_eq(a.class, SYNC_DONE);
  cr_assert_eq(a.written, 1);
  known[0].version = 0;
  known[1].version = 2;
  struct sync_query delete = {
      .kind = SYNC_QUERY_DELETE, .table = CK_MESSAGES, .known = known, .known_count = 3};
  a = query(&delete);
  cr_assert_eq(a.class, SYNC_DONE);
  cr_assert_eq(a.written, 2);
}

Test(syncd_queries, sql_that_fails_changes_nothing) {
  struct sync_query bad = {.kind = SYNC_QUERY_SQL,
                           .sql = "DELETE FROM messages; SELECT * FROM nothing"};
  cr_assert_eq(query(&bad).class, SYNC_TABLE);
  struct sync_range all = {.after = CK_LIT("")};
  struct sync_query a = {
      .kind = SYNC_QUERY_DIGESTS, .table = CK_MESSAGES, .ranges = &all, .range_count = 1};
  cr_assert_eq(query(&a).class, SYNC_DONE);
  cr_assert_eq(all.digest.count, 9);
}
