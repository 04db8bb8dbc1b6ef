/* The names of accounts. */
#include <criterion/criterion.h>

#include "proto/account.h"

static void is(struct ck_account_facts f, const char *name) {
  struct ck_buf b = {0};
  ck_account_name(&b, &f);
  cr_expect_str_eq(ck_buf_cstr(&b), name);
  ck_buf_free(&b);
}

#define PAYLOAD(text) .platform = CK_LIT("claude-code"), .target_payload = CK_LIT(text)

Test(account, names) {
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/home/x/.claude\",\"cwd\":\"/w\"}")},
     "claude-code:/home/x/.claude");
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/home/x/.claude//\"}")},
     "claude-code:/home/x/.claude");
  is((struct ck_account_facts){PAYLOAD("\"{\\\"home\\\":\\\"/h\\\"}\"")}, "claude-code:/h");
  is((struct ck_account_facts){.target_payload = CK_LIT("{\"home\":\"/h\"}")}, "/h");
  is((struct ck_account_facts){PAYLOAD("{\"organization_id\":\"o1\"}"), .client_id = CK_LIT("ff")},
     "claude-code:o1");
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/h\",\"account\":\"mine\"}")}, "mine");
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/h\"}"), .own = CK_LIT("work")}, "work");
  is((struct ck_account_facts){.client_id = CK_LIT("firefox-1")}, "client:firefox-1");
}

Test(account, none) {
  is((struct ck_account_facts){0}, "");
  is((struct ck_account_facts){PAYLOAD("{\"url\":\"http://x/\"}")}, "");
  is((struct ck_account_facts){PAYLOAD("{\"home\":7,\"account\":\" \"}")}, "");
  is((struct ck_account_facts){PAYLOAD("{\"home\"")}, "");
  is((struct ck_account_facts){PAYLOAD("[1]")}, "");
}
