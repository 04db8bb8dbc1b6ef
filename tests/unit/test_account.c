/* The names of accounts. */
#include <criterion/criterion.h>

#include "proto/account.h"
#include "proto/wire.h"

static void is(struct ck_account_facts f, const char *name) {
  struct ck_buf b = {0};
  ck_account_name(&b, &f);
  cr_expect_str_eq(ck_buf_cstr(&b), name);
  ck_buf_free(&b);
}

#define PAYLOAD(text) .platform = CK_LIT("claude-code"), .payload = CK_LIT(text)

Test(account, names) {
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/home/x/.claude\",\"cwd\":\"/w\"}")},
     "claude-code:/home/x/.claude");
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/home/x/.claude//\"}")},
     "claude-code:/home/x/.claude");
  is((struct ck_account_facts){PAYLOAD("\"{\\\"home\\\":\\\"/h\\\"}\"")}, "claude-code:/h");
  is((struct ck_account_facts){.payload = CK_LIT("{\"home\":\"/h\"}")}, "/h");
  is((struct ck_account_facts){PAYLOAD("{\"organization_id\":\"o1\"}"), .client_id = CK_LIT("ff")},
     "claude-code:o1");
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/h\",\"account\":\"mine\"}")}, "mine");
  is((struct ck_account_facts){PAYLOAD("{\"home\":\"/h\"}"), .own = CK_LIT("work")}, "work");
  is((struct ck_account_facts){.client_id = CK_LIT("firefox-1")}, "client:firefox-1");
}

/* What is known besides goes before the client, and after what the target says. */
Test(account, what_is_known) {
  const struct ck_account_facts f = {
      .platform = CK_LIT("claude"), .client_id = CK_LIT("ff"), .known = CK_LIT(" o1 ")};
  is(f, "claude:o1");
  struct ck_account_facts other = f;
  other.payload = CK_LIT("{\"organization_id\":\"o2\"}");
  is(other, "claude:o2");
  other.payload = CK_LIT("{\"account\":\"mine\"}");
  is(other, "mine");
  other.payload = CK_LIT("{\"home\":\"/h\"}");
  is(other, "claude:/h");
  other.own = CK_LIT("work");
  is(other, "work");
  is((struct ck_account_facts){.platform = CK_LIT("codex"), .known = CK_LIT("/home/x/.codex/")},
     "codex:/home/x/.codex");
}

Test(account, a_client_is_one_of_a_clients_target) {
  is((struct ck_account_facts){.kind = CK_LIT("feed"), .id = CK_LIT("ff")}, "client:ff");
  is((struct ck_account_facts){.kind = CK_LIT("browser.tab"),
                               .id = CK_LIT("tab"),
                               .client_id = CK_LIT("ff")},
     "client:ff");
  is((struct ck_account_facts){.platform = CK_LIT("claude"),
                               .kind = CK_LIT("feed"),
                               .client_id = CK_LIT("ff")},
     "client:claude:ff");
  is((struct ck_account_facts){.platform = CK_LIT("chatgpt"),
                               .kind = CK_LIT("feed"),
                               .client_id = CK_LIT("ff")},
     "client:chatgpt:ff");
  is((struct ck_account_facts){.kind = CK_LIT("webhook"),
                               .id = CK_LIT("hook"),
                               .client_id = CK_LIT("ff")},
     "");
}

Test(account, none) {
  is((struct ck_account_facts){0}, "");
  is((struct ck_account_facts){PAYLOAD("{\"url\":\"http://x/\"}")}, "");
  is((struct ck_account_facts){PAYLOAD("{\"home\":7,\"account\":\" \"}")}, "");
  is((struct ck_account_facts){PAYLOAD("{\"home\"")}, "");
  is((struct ck_account_facts){PAYLOAD("[1]")}, "");
}

/* So that every name fits whatever has one, and those of two accounts differ. */
Test(account, long_ones) {
  struct ck_buf payload = {0}, name = {0}, other = {0};
  for (int i = 0; i < 2; i++) {
    struct ck_buf *b = i ? &other : &name;
    ck_buf_clear(&payload);
    ck_buf_text(&payload, "{\"home\":\"/");
    for (int k = 0; k < 2500; k++) ck_buf_text(&payload, "\xc3\xa4");
    ck_buf_printf(&payload, "%d\"}", i);
    ck_account_name(
        b, &(struct ck_account_facts){.platform = CK_LIT("x"), .payload = ck_buf_view(&payload)});
    cr_expect_leq(b->len, CK_ACCOUNT_MAX);
    cr_expect_geq(b->len, CK_ACCOUNT_MAX - 1);
    cr_expect(ck_str_starts(ck_buf_view(b), "x:/\xc3\xa4"));
    cr_expect(ck_utf8_ok(ck_buf_view(b)));
  }
  cr_expect_not(ck_str_eq(ck_buf_view(&name), ck_buf_view(&other)));
  ck_buf_clear(&other);
  ck_account_name(&other, &(struct ck_account_facts){.own = ck_buf_view(&name)});
  cr_expect(ck_str_eq(ck_buf_view(&name), ck_buf_view(&other)), "a name that was cut is a name");
  ck_buf_free(&payload);
  ck_buf_free(&name);
  ck_buf_free(&other);
}
