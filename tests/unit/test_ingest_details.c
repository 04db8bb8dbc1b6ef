/* The JSON of details: only what has something to say, in the caller's order. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "ingest/sources/details.h"

static void is(struct ck_buf *b, const char *expected) {
  struct ck_arena arena = {0};
  struct ck_str all = ingest_details_end(b, &arena);
  cr_assert(ck_str_is(all, expected), "%.*s", (int)all.n, all.s);
  ck_arena_free(&arena);
}

Test(ingest_details, what_says_nothing_is_left_out) {
  struct ck_buf b = {0};
  json_t *empty = json_pack("[[]{}bns]", 0, "");
  ingest_details_text(&b, "a", CK_LIT(""));
  ingest_details_true(&b, "b", false);
  ingest_details_json(&b, "c", NULL);
  for (size_t i = 0; i < json_array_size(empty); ++i)
    ingest_details_json(&b, "d", json_array_get(empty, i));
  is(&b, "");
  json_decref(empty);
}

Test(ingest_details, members_and_lists) {
  struct ck_buf b = {0};
  json_t *value = json_pack("{s:[i]}", "x", 1);
  ingest_details_text(&b, "a", CK_LIT("\"{"));
  ingest_details_true(&b, "b", true);
  ingest_details_false(&b, "c");
  ingest_details_int(&b, "d", -7);
  ingest_details_list(&b, "e");
  for (int i = 0; i < 2; ++i) {
    ingest_details_item(&b);
    if (i) ingest_details_json(&b, "f", value);
    ingest_details_int(&b, "g", i);
    ingest_details_item_end(&b);
  }
  ingest_details_list_end(&b);
  ingest_details_list(&b, "h");
  ingest_details_line(&b, CK_LIT("x["));
  ingest_details_line(&b, CK_LIT("y"));
  ingest_details_list_end(&b);
  is(&b, "{\"a\":\"\\\"{\",\"b\":true,\"c\":false,\"d\":-7,"
         "\"e\":[{\"g\":0},{\"f\":{\"x\":[1]},\"g\":1}],\"h\":[\"x[\",\"y\"]}");
  json_decref(value);
}
