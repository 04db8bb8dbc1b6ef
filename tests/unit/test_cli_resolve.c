/* URLs that mean a conversation (cli/resolve.c). */
#include <criterion/criterion.h>
#include "cli/resolve.h"

static void expect_page(const char *url, const char *want) {
  struct ck_buf b = {0};
  cli_url_page(&b, ck_str_of(url));
  cr_expect_str_eq(ck_buf_cstr(&b), want, "%s gave %s", url, b.data);
  ck_buf_free(&b);
}

Test(cli_resolve, what_addresses_of_one_page_have_in_common) {
  expect_page("https://chatgpt.com/c/6650-ab", "chatgpt.com/c/6650-ab");
  expect_page("https://chatgpt.com/c/6650-ab/", "chatgpt.com/c/6650-ab");
  expect_page("http://www.ChatGPT.com/c/6650-AB?model=4#x", "chatgpt.com/c/6650-AB");
  expect_page("https://claude.ai", "claude.ai");
  expect_page("https://claude.ai/", "claude.ai");
  expect_page("", "");
}

static void expect_piece(const char *url, int i, const char *want) {
  struct ck_str got = cli_url_piece(ck_str_of(url), i);
  cr_expect(ck_str_is(got, want), "%s [%d] gave %.*s", url, i, (int)got.n, got.n ? got.s : "");
}

Test(cli_resolve, the_pieces_that_could_be_an_id_last_first) {
  const char *url = "https://chatgpt.com/g/g-p-12345/c/68a1-77f0-beef?model=gpt-4o-mini";
  expect_piece(url, 0, "gpt-4o-mini");
  expect_piece(url, 1, "68a1-77f0-beef");
  expect_piece(url, 2, "g-p-12345");
  expect_piece(url, 3, "");
  expect_piece("https://x.com/i/grok?conversation=1234567890", 0, "1234567890");
  expect_piece("https://chatgpt.com", 0, "");
  expect_piece("https://chatgpt.com/c/short", 0, "");
  expect_piece("", 0, "");
}

Test(cli_resolve, only_http_is_an_address) {
  cr_expect(cli_is_url("https://claude.ai/chat/1"));
  cr_expect(cli_is_url("http://localhost/1"));
  cr_expect_not(cli_is_url("chatgpt:https://x"));
  cr_expect_not(cli_is_url("claude.ai/chat/1"));
}
