/* Ranges of keys: their digests, versions and whole records. */
#include "test_store_help.h"

#include "proto/digest.h"
#include "store/read/ranges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sh_store s;
static struct ck_buf body;
static struct ck_ranges answer;

static void open_it(void) {
  sh_open(&s);
  for (int i = 1; i <= 9; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sh_message(&s, id, 10, "");
  }
  sh_message(&s, "m4", 20, ",'role':'assistant'"); /* the tenth version */
}

static void close_it(void) {
  ck_buf_free(&body);
  sh_close(&s);
}

TestSuite(ranges, .init = open_it, .fini = close_it);

static int ask(const char *table, const char *after, const char *upto, uint64_t rows,
               uint64_t limit) {
  struct ck_range q = {1, ck_str_of(table), ck_str_of(after), ck_str_of(upto), rows, limit, {0}};
  const char *code;
  struct ck_err err;
  ck_buf_clear(&body);
  answer = (struct ck_ranges){0};
  return ranges_query(s.db, &q, &body, &answer, &code, &err);
}

/* "last:count:sum …" */
static const char *digests(void) {
  static char out[400];
  struct ck_reader r = ck_reader_of(answer.ranges);
  uint32_t n, four;
  out[0] = '\0';
  cr_assert_eq(ck_read_array(&r, &n), 0);
  while (n--) {
    struct ck_str key;
    uint64_t count;
    int64_t sum, mix;
    cr_assert(ck_read_array(&r, &four) == 0 && four == 4 && ck_read_str(&r, &key) == 0 &&
              ck_read_uint(&r, &count) == 0 && ck_read_int(&r, &sum) == 0 &&
              ck_read_int(&r, &mix) == 0);
    snprintf(out + strlen(out), sizeof out - strlen(out), "%s%.*s:%llu:%lld", *out ? " " : "",
             (int)key.n, key.s, (unsigned long long)count, (long long)sum);
  }
  return out;
}

Test(ranges, each_range_has_the_given_number_of_records_in_key_order) {
  cr_assert_eq(ask("messages", "", "", 4, 100), 0);
  cr_assert_str_eq(digests(), "m4:4:16 m8:4:26 m9:1:9");
  cr_assert_not(answer.more);
  cr_assert_eq(answer.longest, 2);
}

Test(ranges, more_is_true_when_the_limit_is_reached) {
  cr_assert_eq(ask("messages", "", "", 4, 2), 0);
  cr_assert_str_eq(digests(), "m4:4:16 m8:4:26");
  cr_assert(answer.more);
  cr_assert_eq(ask("messages", "m8", "", 4, 2), 0);
  cr_assert_str_eq(digests(), "m9:1:9");
  cr_assert_not(answer.more);
}

Test(ranges, the_digest_of_one_record_has_its_version) {
  cr_assert_eq(ask("messages", "m2", "m5", 1, 100), 0);
  cr_assert_str_eq(digests(), "m3:1:3 m4:1:10 m5:1:5");
  cr_assert_eq(ask("messages", "m9", "", 1, 100), 0);
  cr_assert_str_eq(digests(), "");
}

Test(ranges, whole_records) {
  struct ck_arena arena = {0};
  struct ck_err err;
  uint32_t n;
  cr_assert_eq(ask("messages", "m3", "m6", 0, 2), 0);
  cr_assert(answer.more);
  struct ck_reader r = ck_reader_of(answer.ranges);
  cr_assert_eq(ck_read_array(&r, &n), 0);
  cr_assert_eq(n, 2);
  for (uint32_t i = 0; i < n; ++i) {
    uint64_t version;
    struct ck_row row;
    cr_assert_eq(ck_change_decode(&r, &version, &row, &arena, &err), 0, "%s", err.text);
    cr_assert(ck_str_is(ck_row_key(&row), i ? "m5" : "m4"));
    cr_assert_eq(version, i ? 5 : 10);
  }
  ck_arena_free(&arena);
}

Test(ranges, bad_questions_are_refused) {
  cr_assert_eq(ask("sinks", "", "", 1, 1), -1);
  cr_assert_eq(ask("messages", "", "", 1, 0), -1);
  cr_assert_eq(ask("messages", "", "", UINT64_MAX, 2), -1);
  cr_assert_eq(ask("messages", "", "", 2, RANGES_RECORDS_MAX), -1);
}
