/* Paths of the readable files. */
#include <criterion/criterion.h>

#include <string.h>

#include "store/files/static_path.h"

#define NOON INT64_C(1795348800000) /* 2026-11-22T12:00:00Z */

static struct ck_row message_of(const char *id, int64_t at) {
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(at);
  return row;
}

static void expect_path(const char *id, int64_t at, const char *expected) {
  struct ck_buf path = {0};
  struct ck_row row = message_of(id, at);
  static_path_make(&path, CK_MESSAGES, &row);
  cr_expect_str_eq(ck_buf_cstr(&path), expected);
  cr_expect(static_path_ok(CK_MESSAGES, ck_buf_view(&path), ck_str_of(id)), "%s",
            ck_buf_cstr(&path));
  ck_buf_free(&path);
}

Test(static_path, is_made_of_day_and_id) {
  expect_path("m1", NOON, "msg/2026/11/22/m1.txt");
  expect_path("a/b c%", NOON, "msg/2026/11/22/a%2Fb%20c%25.txt");
  expect_path("..", NOON, "msg/2026/11/22/%2E..txt");
  expect_path(".hidden", NOON, "msg/2026/11/22/%2Ehidden.txt");
  expect_path("é\n", NOON, "msg/2026/11/22/%C3%A9%0A.txt");
  expect_path("m", 0, "msg/1970/01/01/m.txt");
  expect_path("m", -1, "msg/1969/12/31/m.txt");
  expect_path("m", INT64_C(-62135596800000), "msg/0001/01/01/m.txt");
  expect_path("m", INT64_C(-62135596800001), "msg/undated/m.txt");
  expect_path("m", INT64_C(253402300799999), "msg/9999/12/31/m.txt");
  expect_path("m", INT64_C(253402300800000), "msg/undated/m.txt");
  expect_path("m", INT64_MIN, "msg/undated/m.txt");
  expect_path("m", INT64_MAX, "msg/undated/m.txt");
}

Test(static_path, of_the_other_tables) {
  struct ck_buf path = {0};
  struct ck_row execution = {.table = CK_EXECUTIONS}, session = {.table = CK_SESSIONS},
                job = {.table = CK_JOBS};
  execution.v[CK_EXECUTIONS_INSTRUCTION_ID] = ck_textz("call_1");
  execution.v[CK_EXECUTIONS_EXECUTED_AT] = ck_int(NOON);
  static_path_make(&path, CK_EXECUTIONS, &execution);
  cr_expect_str_eq(ck_buf_cstr(&path), "exec/2026/11/22/call_1.txt");
  ck_buf_clear(&path);
  session.v[CK_SESSIONS_ID] = ck_textz("chatgpt:c@2026-11-22");
  session.v[CK_SESSIONS_STARTED_AT] = ck_int(NOON);
  static_path_make(&path, CK_SESSIONS, &session);
  cr_expect_str_eq(ck_buf_cstr(&path), "session/2026/11/22/chatgpt%3Ac%402026-11-22.txt");
  ck_buf_clear(&path);
  static_path_make(&path, CK_JOBS, &job);
  cr_expect_eq(path.len, 0);
  cr_expect_not(static_path_ok(CK_JOBS, CK_LIT("msg/a.txt"), CK_LIT("a")));
  ck_buf_free(&path);
}

static void long_path(struct ck_buf *path, char fill, size_t n) {
  char id[2048];
  memset(id, fill, n);
  id[n] = '\0';
  struct ck_row row = message_of(id, NOON);
  static_path_make(path, CK_MESSAGES, &row);
  cr_expect(static_path_ok(CK_MESSAGES, ck_buf_view(path), ck_row_key(&row)));
}

/* Long ids keep a readable beginning, and differ by their hash. */
Test(static_path, of_long_ids) {
  struct ck_buf a = {0}, b = {0}, c = {0};
  long_path(&a, 'x', 1000);
  long_path(&b, 'x', 1001);
  long_path(&c, '/', 1000);
  cr_expect_lt(a.len, 160);
  cr_expect_lt(c.len, 160);
  cr_expect_not(ck_str_eq(ck_buf_view(&a), ck_buf_view(&b)));
  cr_expect(ck_str_starts(ck_buf_view(&a), "msg/2026/11/22/xxxxxxxx"));
  cr_expect_not_null(strchr(ck_buf_cstr(&a), '~'));
  ck_buf_clear(&a);
  long_path(&a, 'x', 120);
  cr_expect_null(strchr(ck_buf_cstr(&a), '~'));
  ck_buf_free(&a);
  ck_buf_free(&b);
  ck_buf_free(&c);
}

static bool ok(const char *path, const char *id) {
  return static_path_ok(CK_MESSAGES, ck_str_of(path), ck_str_of(id));
}

Test(static_path, that_a_write_may_give) {
  static const char *const good[][2] = {
      {"msg/a.txt", "a"},   {"msg/2026/11/22/a b.txt", "a b"},
      {"msg/a", "a"},       {"msg/a.json", "a.json"},
      {"msg/é/ü.txt", "ü"}, {"msg/a..b/c", "c"},
  };
  static const char *const bad[][2] = {
      {"", ""},
      {"msg", "msg"},
      {"msg/", ""},
      {"/msg/a.txt", "a"},
      {"exec/a.txt", "a"},
      {"msg/../a.txt", "a"},
      {"msg/a/../b", "b"},
      {"msg/./a", "a"},
      {"msg//a", "a"},
      {"msg/a/", ""},
      {"msg/.a.txt", ".a"},
      {"msg/.a/b.txt", "b"},
      {"msg/..", ".."},
      {"msg/a\n.txt", "a\n"},
      {"msg/\x7f", "\x7f"},
      {"msg/\xc2\x85", "\xc2\x85"},
      {"msg/a.txt/b", "b"},
      {"msg/a.json/b", "b"},
      {"../msg/a.txt", "a"},
      {"msgs/a.txt", "a"},
      {"msg\\a", "a"},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    cr_expect(ok(good[i][0], good[i][1]), "%s", good[i][0]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_expect_not(ok(bad[i][0], bad[i][1]), "%s", bad[i][0]);
  struct ck_str latest = CK_LIT("latest");
  cr_expect_not(static_path_ok(CK_SESSIONS, CK_LIT("session/latest.txt"), latest));
  cr_expect_not(static_path_ok(CK_SESSIONS, CK_LIT("session/latest"), latest));
  cr_expect(static_path_ok(CK_SESSIONS, CK_LIT("session/latest/a"), CK_LIT("a")));
  struct ck_str nul = {"msg/a\0b", 7};
  cr_expect_not(static_path_ok(CK_MESSAGES, nul, (struct ck_str){nul.s + 4, 3}));
}

/* Two records never have the same files: the last component is the record's own name. */
Test(static_path, names_its_record) {
  cr_expect_not(ok("msg/day.txt", "m1"));
  cr_expect_not(ok("msg/m1/notes.txt", "m1"));
  cr_expect_not(ok("msg/M1.txt", "m1"));
  cr_expect_not(ok("msg/m1.txt", "m1.txt"));
  cr_expect(ok("msg/m1.txt.txt", "m1.txt"));
  cr_expect_not(ok("msg/m1.txt", ""));
  cr_expect(ok("msg/chatgpt:m1.txt", "chatgpt:m1"));
  cr_expect(ok("msg/chatgpt%3Am1.txt", "chatgpt:m1"));
  cr_expect_not(ok("msg/chatgpt%3Am1.txt", "chatgpt%3Am1"), "is the name of chatgpt:m1");
  cr_expect_not(
      ok("msg/xx~0123456789abcdef0123456789abcdef.txt", "xx~0123456789abcdef0123456789abcdef"),
      "may be the name of a longer id");
}

Test(static_path, has_limits) {
  char path[500];
  memset(path, 'x', sizeof path);
  memcpy(path, "msg/", 4);
#define ok_with_id(n, id_from) \
  static_path_ok(CK_MESSAGES, (struct ck_str){path, n}, \
                 (struct ck_str){path + (id_from), (n) - (id_from)})
  cr_expect(ok_with_id(244, 4));
  cr_expect_not(ok_with_id(245, 4), "no room is left for the endings");
  for (size_t i = 103; i < sizeof path; i += 100) path[i] = '/';
  cr_expect(ok_with_id(400, 304));
  cr_expect_not(ok_with_id(402, 304));
}

Test(static_path, both_files_have_the_same_folder) {
  static const char *const cases[][3] = {{"msg/a.txt", "msg/a.txt", "msg/a.json"},
                                         {"msg/a", "msg/a.txt", "msg/a.json"},
                                         {"msg/a.json", "msg/a.json.txt", "msg/a.json.json"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ck_buf txt = {0}, json = {0};
    static_path_file(&txt, ck_str_of(cases[i][0]), ".txt");
    static_path_file(&json, ck_str_of(cases[i][0]), ".json");
    cr_expect_str_eq(ck_buf_cstr(&txt), cases[i][1]);
    cr_expect_str_eq(ck_buf_cstr(&json), cases[i][2]);
    ck_buf_free(&txt);
    ck_buf_free(&json);
  }
}
