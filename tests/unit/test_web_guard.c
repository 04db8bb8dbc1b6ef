/* The names of the server, the limit of requests, and the file of those who are let in. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/check.h"
#include "webd/guard/guard.h"

static struct ck_settings *settings(const char *listen, const char *proxy, const char *published) {
  struct ck_err err;
  struct ck_settings *s = ck_settings_load(NULL, &err);
  cr_assert(s);
  cr_assert_eq(ck_settings_flag(s, "web.listen", listen, &err), 0);
  cr_assert_eq(ck_settings_flag(s, "web.behind_proxy", proxy, &err), 0);
  cr_assert_eq(ck_settings_flag(s, "web.published_on_loopback", published, &err), 0);
  return s;
}

Test(web_guard, where_it_may_listen) {
  static const struct {
    const char *listen, *proxy, *published;
    bool ok;
  } cases[] = {{"127.0.0.1:7411", "", "off", true},
               {"127.0.0.1:0", "", "off", true},
               {"[::1]:7411", "", "off", true},
               {"localhost:7411", "", "off", true},
               {"0.0.0.0:7411", "", "off", false},
               {"0.0.0.0:7411", "", "on", true},
               {"0.0.0.0:7411", "https://chats.example", "off", true},
               {"192.168.1.2:7411", "", "off", false},
               {"[::]:7411", "", "off", false},
               {"[::ffff:127.0.0.1]:7411", "", "off", false},
               {"127.0.0.1", "", "off", false},
               {"127.0.0.1:", "", "off", false},
               {"127.0.0.1:70000", "", "off", false},
               {"chats.example:80", "", "on", false},
               {"", "", "off", false},
               {"127.0.0.1:1", "http://chats.example", "off", false},
               {"127.0.0.1:1", "https://", "off", false},
               {"127.0.0.1:1", "https://chats.example/path", "off", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    struct ck_settings *s = settings(cases[i].listen, cases[i].proxy, cases[i].published);
    struct ck_web w;
    struct ck_err err;
    enum ck_setting which;
    cr_expect_eq(ck_web_read(&w, s, &which, &err) == 0, cases[i].ok, "%s %s", cases[i].listen,
                 cases[i].proxy);
    ck_settings_free(&s);
  }
}

Test(web_guard, names) {
  struct ck_settings *s = settings("127.0.0.1:7411", "https://chats.example", "off");
  struct ck_web w;
  struct ck_err err;
  enum ck_setting which;
  cr_assert_eq(ck_web_read(&w, s, &which, &err), 0);
  struct web_names *n = web_names_new(&w, 7411);
  static const struct {
    const char *host;
    bool ok;
  } hosts[] = {{"127.0.0.1:7411", true}, {"localhost:7411", true},
               {"[::1]:7411", true},     {"chats.example", true},
               {"127.0.0.1", false},     {"127.0.0.1:74110", false},
               {"127.0.0.1:741", false}, {"", false},
               {"evil.example", false},  {"chats.example:80", false}};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i)
    cr_expect_eq(web_names_host(n, ck_str_of(hosts[i].host)), hosts[i].ok, "%s", hosts[i].host);
  static const struct {
    const char *origin;
    bool ok;
  } origins[] = {{"http://127.0.0.1:7411", true},
                 {"https://chats.example", true},
                 {"http://chats.example", false},
                 {"https://127.0.0.1:7411", false},
                 {"null", false},
                 {"http://127.0.0.1:7411/", false},
                 {"http://127.0.0.1:7411.x", false}};
  for (size_t i = 0; i < sizeof origins / sizeof *origins; ++i)
    cr_expect_eq(web_names_origin(n, ck_str_of(origins[i].origin)), origins[i].ok, "%s",
                 origins[i].origin);
  web_names_free(&n);
  ck_settings_free(&s);
}

Test(web_guard, rate) {
  struct web_rate *r = web_rate_new(10);
  int taken = 0;
  for (int i = 0; i < 50; ++i) taken += web_rate_take(r, CK_LIT("a"), 1000);
  cr_expect_eq(taken, 10);
  cr_expect(web_rate_take(r, CK_LIT("b"), 1000));
  cr_expect(!web_rate_take(r, CK_LIT("a"), 1050));
  cr_expect(web_rate_take(r, CK_LIT("a"), 1150));
  taken = 0;
  for (int i = 0; i < 50; ++i) taken += web_rate_take(r, CK_LIT("a"), 100000);
  cr_expect_eq(taken, 10);
  web_rate_free(&r);
  r = web_rate_new(0);
  for (int i = 0; i < 5000; ++i) cr_assert(web_rate_take(r, CK_LIT("a"), 1));
  web_rate_free(&r);
}

/* ---- the file ---- */

static char folder[64];

static void enter(void) {
  snprintf(folder, sizeof folder, "/tmp/convkeep-access.XXXXXX");
  cr_assert(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
  cr_assert_eq(mkdir(CK_PLACE_WEB, 0700), 0);
}

static void leave(void) {
  static const char *const files[] = {CK_PLACE_ACCESS, CK_PLACE_ACCESS ".lock"};
  for (size_t i = 0; i < 2; ++i) unlink(files[i]);
  rmdir(CK_PLACE_WEB);
  cr_expect_eq(chdir("/"), 0);
  rmdir(folder);
}

TestSuite(web_access, .init = enter, .fini = leave);

static int add(void *self, struct ck_access *a, struct ck_err *err) {
  (void)err;
  ck_access_add(a, self);
  return 0;
}

static void put(enum ck_access_kind kind, const char *name, int64_t from, int64_t until,
                char secret[CK_SECRET_TEXT]) {
  struct ck_access_entry e = {
      .kind = kind, .scopes = CK_SCOPE_READ, .created_at = from, .expires_at = until};
  struct ck_err err;
  snprintf(e.name, sizeof e.name, "%s", name);
  if (kind == CK_ACCESS_CODE)
    ck_access_code(secret, e.hash);
  else
    ck_access_secret(secret, e.hash);
  cr_assert_eq(ck_access_change(from, add, &e, &err), 0, "%s", err.text);
}

Test(web_access, what_is_added_holds_until_its_time) {
  char token[CK_SECRET_TEXT], session[CK_SECRET_TEXT];
  struct web_who who;
  put(CK_ACCESS_TOKEN, "t", 1000, 0, token);
  put(CK_ACCESS_SESSION, "page", 1000, 500000, session);
  struct web_access *a = web_access_new();
  cr_expect(web_access_token(a, ck_str_of(token), 1, &who));
  cr_expect_str_eq(who.name, "t");
  cr_expect_eq(who.scopes, (unsigned)CK_SCOPE_READ);
  cr_expect(!web_access_session(a, ck_str_of(token), 2000, &who));
  cr_expect(!web_access_token(a, CK_LIT("ck_"), 2000, &who));
  cr_expect(!web_access_token(a, (struct ck_str){0}, 2000, &who));
  cr_expect(web_access_session(a, ck_str_of(session), 499999, &who));
  cr_expect(web_access_still(a, &who, 499999));
  cr_expect(!web_access_session(a, ck_str_of(session), 500000, &who));
  /* A clock that was set back does not make it last longer. */
  cr_expect(!web_access_session(a, ck_str_of(session), -100000, &who));
  web_access_free(&a);
}

Test(web_access, a_change_is_seen) {
  char token[CK_SECRET_TEXT];
  struct web_who who;
  struct web_access *a = web_access_new();
  cr_expect(!web_access_look(a));
  put(CK_ACCESS_TOKEN, "t", 1000, 0, token);
  cr_expect(web_access_look(a));
  cr_expect(!web_access_look(a));
  cr_expect(web_access_token(a, ck_str_of(token), 1, &who));
  unlink(CK_PLACE_ACCESS);
  cr_expect(web_access_look(a));
  cr_expect(!web_access_token(a, ck_str_of(token), 1, &who));
  cr_expect(!web_access_still(a, &who, 1));
  web_access_free(&a);
}

/* Before each request: another token, none, and the file again; and with a look, another folder. */
Test(web_access, a_glance_sees_a_change) {
  char one[CK_SECRET_TEXT], two[CK_SECRET_TEXT];
  struct web_who who;
  struct web_access *a = web_access_new();
  put(CK_ACCESS_TOKEN, "one", 1000, 0, one);
  web_access_glance(a);
  cr_expect(web_access_token(a, ck_str_of(one), 1, &who));
  put(CK_ACCESS_TOKEN, "two", 1000, 0, two);
  web_access_glance(a);
  cr_expect(web_access_token(a, ck_str_of(two), 1, &who));
  unlink(CK_PLACE_ACCESS);
  web_access_glance(a);
  cr_expect(!web_access_token(a, ck_str_of(two), 1, &who));
  put(CK_ACCESS_TOKEN, "one", 1000, 0, one);
  web_access_glance(a);
  cr_expect(web_access_token(a, ck_str_of(one), 1, &who));
  cr_assert(rename(CK_PLACE_WEB, "away") == 0);
  cr_expect(web_access_look(a));
  cr_expect(!web_access_token(a, ck_str_of(one), 1, &who));
  web_access_free(&a);
}

Test(web_access, lines_that_are_none) {
  static const char *const lines[] = {
      "token t read 00 1 0 0 -\n",
      "token t read\n",
      "\n",
      "token t all X 1 0 0 -\n",
      "key t read "
      "0000000000000000000000000000000000000000000000000000000000000000 1 0 0 -\n",
      "token t read "
      "0000000000000000000000000000000000000000000000000000000000000000 1 0 0 - more\n",
      "token a/b read "
      "0000000000000000000000000000000000000000000000000000000000000000 1 0 0 -\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) {
    struct ck_access list;
    struct ck_err err = {{0}};
    FILE *f = fopen(CK_PLACE_ACCESS, "w");
    fputs(lines[i], f);
    fclose(f);
    cr_expect_eq(ck_access_read(&list, &err), -1, "%s", lines[i]);
    cr_expect(strstr(err.text, CK_PLACE_ACCESS ":1"), "%s", err.text);
    cr_expect_eq(list.n, 0u);
  }
}

Test(web_access, the_file_has_no_rights_for_others) {
  char token[CK_SECRET_TEXT];
  struct stat st;
  umask(0);
  put(CK_ACCESS_TOKEN, "t", 1000, 0, token);
  cr_assert_eq(stat(CK_PLACE_ACCESS, &st), 0);
  cr_expect_eq(st.st_mode & 0777, 0600u);
}

Test(web_access, a_link_works_once) {
  char link[CK_SECRET_TEXT], session[CK_SECRET_TEXT];
  struct ck_err err;
  struct web_who who;
  bool fits;
  put(CK_ACCESS_LINK, "page", 1000, 1000 + CK_LINK_MS, link);
  struct web_access *a = web_access_new();
  cr_assert_eq(web_access_sign_in(a, CK_LIT("another"), 2000, &fits, session, &err), 0);
  cr_expect(!fits);
  cr_assert_eq(web_access_sign_in(a, ck_str_of(link), 2000, &fits, session, &err), 0);
  cr_expect(fits);
  cr_expect(web_access_session(a, ck_str_of(session), 3000, &who));
  char form[CK_SHA256_HEX + 1];
  web_form_secret(form, ck_str_of(session));
  cr_expect_str_neq(form, who.hash);
  cr_assert_eq(web_access_sign_in(a, ck_str_of(link), 2000, &fits, session, &err), 0);
  cr_expect(!fits);
  cr_assert_eq(web_access_sign_out(a, &who, 3000, &err), 0);
  cr_expect(!web_access_still(a, &who, 3000));
  web_access_free(&a);
}

Test(web_access, a_code_ends_with_the_fifth_try) {
  char code[CK_SECRET_TEXT], token[CK_SECRET_TEXT];
  struct ck_err err;
  bool fits;
  put(CK_ACCESS_CODE, "pair", 1000, 1000 + CK_CODE_MS, code);
  cr_expect_eq(strlen(code), (size_t)CK_CODE_DIGITS);
  struct web_access *a = web_access_new();
  for (int i = 0; i < CK_CODE_TRIES; ++i) {
    cr_expect(web_access_pairing(a, 2000));
    cr_assert_eq(
        web_access_pair(a, CK_LIT("0"), CK_LIT("x"), (struct ck_str){0}, 2000, &fits, token, &err),
        0);
    cr_expect(!fits);
  }
  cr_expect(!web_access_pairing(a, 2000));
  cr_assert_eq(web_access_pair(a, ck_str_of(code), CK_LIT("x"), (struct ck_str){0}, 2000, &fits,
                               token, &err),
               0);
  cr_expect(!fits);
  put(CK_ACCESS_CODE, "pair", 1000, 1000 + CK_CODE_MS, code);
  cr_assert_eq(web_access_pair(a, ck_str_of(code), CK_LIT("x"), CK_LIT("moz-extension://1"), 2000,
                               &fits, token, &err),
               0);
  cr_expect(fits);
  cr_expect(web_access_paired(a, CK_LIT("moz-extension://1")));
  cr_expect(!web_access_paired(a, CK_LIT("moz-extension://2")));
  put(CK_ACCESS_CODE, "pair", 1000, 1000 + CK_CODE_MS, code);
  cr_expect_eq(web_access_pair(a, ck_str_of(code), CK_LIT("x"), (struct ck_str){0}, 2000, &fits,
                               token, &err),
               -1);
  web_access_free(&a);
}
