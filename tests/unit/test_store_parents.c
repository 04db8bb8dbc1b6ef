/* The parents of a batch's records are sent with it, unless they are in the sink already or in the
 * batch itself. */
#include "test_store_help.h"

#include "proto/wire.h"
#include "store/mirror/parents.h"
#include "store/database/scan.h"

#include <stdio.h>
#include <string.h>

static struct sh_store s;
static sqlite3 *reader;
static struct parents *parents;
static struct scan *scan;

static void open_it(void) {
  struct ck_err err;
  sh_open(&s);
  cr_assert_eq(db_open_reader(&reader, &err), 0, "%s", err.text);
  cr_assert(parents = parents_new(reader, &err), "%s", err.text);
  cr_assert(scan = scan_new(reader, &err), "%s", err.text);
}

static void close_it(void) {
  scan_free(&scan);
  parents_free(&parents);
  db_close(&reader);
  sh_close(&s);
}

TestSuite(parents, .init = open_it, .fini = close_it);

/* The parents that go with the batch (after, upto] if everything up to `floor` is in the sink:
 * "table:version …", ascending by version. */
static const char *with(uint64_t after, uint64_t upto, uint64_t floor) {
  static char out[400];
  struct ck_buf changes = {0};
  struct ck_arena arena = {0};
  struct ck_row row;
  struct ck_err err;
  uint64_t head, version, seen[20];
  enum ck_table tables[20];
  cr_assert_eq(scan_begin(scan, after, 0, &head, &err), 0);
  parents_begin(parents, after, floor);
  while (scan_next(scan, &version, &row, &err) > 0 && version <= upto)
    cr_assert_eq(parents_note(parents, version, &row, &err), 0, "%s", err.text);
  scan_end(scan);
  bool all;
  uint32_t n = parents_put(parents, upto, &changes, &all);
  cr_expect(all);
  cr_expect(parents_bytes(parents) >= changes.len);
  struct ck_reader r = ck_reader_of(ck_buf_view(&changes));
  for (uint32_t i = 0; i < n; ++i) {
    cr_assert_eq(ck_change_decode(&r, &version, &row, &arena, &err), 0, "%s", err.text);
    uint32_t at = i;
    for (; at && seen[at - 1] > version; --at) seen[at] = seen[at - 1], tables[at] = tables[at - 1];
    seen[at] = version;
    tables[at] = row.table;
  }
  out[0] = '\0';
  for (uint32_t i = 0; i < n; ++i)
    snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s:%llu", i ? " " : "",
             ck_tables[tables[i]].name, (unsigned long long)seen[i]);
  ck_arena_free(&arena);
  ck_buf_free(&changes);
  return out;
}

static void fill(void) {
  sh_message(&s, "m1", 10, "");      /* 1 */
  sh_conversation(&s, "c1", "");     /* 2, then 6 */
  sh_link(&s, "l1", "c1", "r1", ""); /* 3 */
  sh_write(&s, CK_EXECUTIONS,
           "{'instruction_id':'e1','message_id':'m1','target':'t',"
           "'tool':'x','result_ok':true,'executed_at':10}"); /* 4 */
  sh_job(&s, "j1", "c1", "m1", "");                          /* 5 */
  sh_conversation(&s, "c1", ",'title':'later'");             /* 6 */
  sh_message(&s, "m1", 20, ",'role':'assistant'");           /* 7 */
}

Test(parents, a_parent_newer_than_its_children_goes_with_them) {
  fill();
  cr_assert_eq(sh_int(&s, "SELECT max(version) FROM messages"), 7);
  cr_expect_str_eq(with(0, 5, 0), "local_conversations:6 messages:7");
  cr_expect_str_eq(with(2, 3, 0), "local_conversations:6");
  cr_expect_str_eq(with(3, 4, 0), "messages:7");
  cr_expect_str_eq(with(5, 7, 0), "", "they point to nothing");
}

Test(parents, a_parent_in_the_batch_itself_is_not_sent_twice) {
  fill();
  cr_expect_str_eq(with(0, 7, 0), "");
  cr_expect_str_eq(with(2, 6, 0), "messages:7");
}

Test(parents, an_older_parent_goes_along_unless_the_sink_has_it) {
  sh_message(&s, "m1", 10, "");
  sh_conversation(&s, "c1", "");
  sh_job(&s, "j1", "c1", "m1", "");
  cr_expect_str_eq(with(2, 3, 0), "messages:1 local_conversations:2",
                   "in a backlog, or with another worker");
  cr_expect_str_eq(with(2, 3, 1), "local_conversations:2");
  cr_expect_str_eq(with(2, 3, 2), "");
}

Test(parents, many_children_of_one_are_one_parent_and_many_parents_are_all_there) {
  char json[200], id[16];
  for (int i = 0; i < 600; ++i) {
    snprintf(id, sizeof id, "m%d", i);
    sh_message(&s, id, 10, "");
  }
  for (int i = 0; i < 1200; ++i) {
    snprintf(json, sizeof json,
             "{'instruction_id':'e%d','message_id':'m%d','target':'t',"
             "'tool':'x','result_ok':true,'executed_at':10}",
             i, i / 2);
    sh_write(&s, CK_EXECUTIONS, json);
  }
  struct ck_buf changes = {0};
  struct ck_row row;
  struct ck_err err;
  uint64_t head, version;
  cr_assert_eq(scan_begin(scan, 600, 0, &head, &err), 0);
  parents_begin(parents, 600, 0);
  while (scan_next(scan, &version, &row, &err) > 0)
    cr_assert_eq(parents_note(parents, version, &row, &err), 0);
  scan_end(scan);
  bool all;
  cr_expect_eq(parents_put(parents, head, &changes, &all), 600);
  cr_expect(all);
  ck_buf_free(&changes);
}
