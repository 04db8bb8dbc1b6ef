/* The runs of logs, each in its file. */
#include "cli/log_files.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/text.h"

/* name, log, age, lines, chain, chain_end; in the order of log and age. */
#define RUN(name, log, age, lines, from, to) \
  "{\"id\":\"" name "\",\"log\":" #log ",\"age\":" #age ",\"lines\":" #lines ",\"chain\":\"" from \
  "\",\"chain_end\":\"" to "\"}"

/* The names of a file side by side, + with what another one has, too. */
static void files_are(const char *list, const char *expected) {
  json_t *in = json_loads(list, 0, NULL), *run;
  cr_assert_not_null(in);
  json_t *out = cli_log_files(in);
  struct ck_buf b = {0};
  json_int_t file = 0;
  size_t i;
  json_array_foreach(out, i, run) {
    json_int_t own = json_integer_value(json_object_get(run, "file"));
    ck_buf_printf(&b, "%s%s%s", i && (own != file || !own) ? " " : "",
                  json_object_get(run, "again") ? "+" : "",
                  json_string_value(json_object_get(run, "id")));
    file = own;
  }
  cr_expect_str_eq(ck_buf_cstr(&b), expected);
  ck_buf_free(&b);
  json_decref(in);
  json_decref(out);
}

Test(cli_log_files, each_run_is_in_its_file) {
  files_are("[]", "");
  files_are("[" RUN("a", 0, 1, 0, "", "") "," RUN("b", 0, 1, 0, "", "") "]", "a b");
  files_are("[" RUN("a", 7, 1, 5, "0", "x") "," RUN("b", 7, 6, 2, "x", "y") "," RUN("c", 8, 1, 2,
                                                                                    "0", "x") "]",
            "ab c");
}

/* Two that begin alike, or two versions of one, from their second window on. */
Test(cli_log_files, files_with_lines_in_common) {
  files_are("[" RUN("a", 7, 1, 5, "0", "5") "," RUN("b", 7, 6, 5, "5", "10") "," RUN(
                "B", 7, 6, 4, "5", "9") "," RUN("C", 7, 10, 3, "9", "12") "," RUN("c", 7, 11, 1,
                                                                                  "10", "11") "]",
            "aBC +abc");
  files_are("[" RUN("a", 7, 1, 5, "0", "5") "," RUN("A", 7, 1, 5, "0", "V") "," RUN(
                "b", 7, 6, 2, "5", "7") "," RUN("B", 7, 6, 9, "V", "X") "]",
            "ab AB");
}

/* Lines are missing, or not joined, or nothing is known of their place. */
Test(cli_log_files, runs_without_one_before_them) {
  files_are("[" RUN("a", 7, 1, 5, "0", "5") "," RUN("b", 7, 9, 5, "8", "13") "]", "ab");
  files_are("[" RUN("a", 7, 1, 5, "0", "5") "," RUN("b", 7, 3, 5, "2", "7") "," RUN("c", 7, 8, 1,
                                                                                    "7", "8") "]",
            "abc");
  files_are(
      "[" RUN("a", 7, 1, 0, "", "") "," RUN("b", 7, 3, 0, "", "") "," RUN("c", 7, 8, 0, "", "") "]",
      "abc");
}
