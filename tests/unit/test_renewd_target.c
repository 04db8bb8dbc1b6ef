/* Targets, letters, and allowed addresses. */
#include <criterion/criterion.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "renewd/channel.h"
#include "renewd/core/target.h"

/* ---- snapshots ---- */

static void snapshot_is(const struct renew_link *link, const char *expected) {
  struct ck_buf b = {0};
  renew_snapshot(&b, link);
  cr_assert_str_eq(ck_buf_cstr(&b), expected);
  ck_buf_free(&b);
}

Test(renewd_target, snapshot_of_a_link) {
  snapshot_is(&(struct renew_link){.target_kind = CK_LIT("webhook"),
                                   .target_id = CK_LIT("hook"),
                                   .target_payload = CK_LIT("{\"url\": \"http://a/b\"}"),
                                   .client_id = CK_LIT("tab"),
                                   .platform = CK_LIT("claude"),
                                   .remote_conversation_id = CK_LIT("r1"),
                                   .page_url = CK_LIT("https://x/c/r1"),
                                   .account = CK_LIT("o1")},
              "{\"kind\":\"webhook\",\"id\":\"hook\",\"payload\":{\"url\":\"http://a/b\"},"
              "\"client_id\":\"tab\",\"platform\":\"claude\",\"remote_conversation_id\":\"r1\","
              "\"account\":\"o1\"}");
  snapshot_is(&(struct renew_link){.client_id = CK_LIT("tab"), .platform = CK_LIT("x")},
              "{\"kind\":\"feed\",\"client_id\":\"tab\",\"platform\":\"x\"}");
  snapshot_is(&(struct renew_link){.platform = CK_LIT("x")}, "{\"platform\":\"x\"}");
  snapshot_is(&(struct renew_link){.target_kind = CK_LIT("browser.proxy_delivery"),
                                   .target_id = CK_LIT("firefox-claude"),
                                   .page_url = CK_LIT("https://x/c/r1"),
                                   .page_title = CK_LIT("Talk"),
                                   .route_path = CK_LIT("/c/r1"),
                                   .route_pattern = CK_LIT("/c/:id"),
                                   .route_params = CK_LIT("{\"id\":\"r1\"}")},
              "{\"kind\":\"browser.proxy_delivery\",\"id\":\"firefox-claude\","
              "\"page_url\":\"https://x/c/r1\",\"page_title\":\"Talk\",\"route_path\":\"/c/r1\","
              "\"route_pattern\":\"/c/:id\",\"route_params\":{\"id\":\"r1\"}}");
  snapshot_is(
      &(struct renew_link){.target_kind = CK_LIT("exec"), .target_payload = CK_LIT("plain words")},
      "{\"kind\":\"exec\",\"payload\":\"plain words\"}");
}

Test(renewd_target, parse) {
  struct renew_target t;
  struct ck_err err;
  cr_assert_eq(renew_target_parse(&t,
                                  CK_LIT("{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://a/"
                                         "\"},\"client_id\":null,\"platform\":\"p\"}"),
                                  &err),
               0);
  cr_assert_str_eq(t.kind, "webhook");
  cr_assert_null(t.client_id);
  cr_assert_str_eq(t.url, "http://a/");
  renew_target_free(&t);
  cr_assert_eq(
      renew_target_parse(&t, CK_LIT("{\"payload\":\"{\\\"url\\\":\\\"http://b/\\\"}\"}"), &err), 0);
  cr_assert_str_eq(t.url, "http://b/");
  renew_target_free(&t);
  static const char *const bad[] = {"", "[]", "null", "{", "\"x\"", "{\"kind\":\"a\"} {"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    cr_assert_eq(renew_target_parse(&t, ck_str_of(bad[i]), &err), -1, "%s", bad[i]);
    renew_target_free(&t);
  }
  static const char *const no_url[] = {"{}", "{\"payload\":7}", "{\"payload\":\"http://a/\"}",
                                       "{\"payload\":{\"url\":5}}", "{\"payload\":{\"url\":\"\"}}"};
  for (size_t i = 0; i < sizeof no_url / sizeof *no_url; i++) {
    cr_assert_eq(renew_target_parse(&t, ck_str_of(no_url[i]), &err), 0);
    cr_assert_null(t.url, "%s", no_url[i]);
    renew_target_free(&t);
  }
}

static void client_is(const char *snapshot, const char *client) {
  struct renew_target t;
  cr_assert_eq(renew_target_parse(&t, ck_str_of(snapshot), NULL), 0);
  const char *is = renew_target_client(&t);
  cr_assert(client ? is && strcmp(is, client) == 0 : !is, "%s: %s", snapshot, is ? is : "none");
  renew_target_free(&t);
}

/* The predecessor's targets name the client by their id. */
Test(renewd_target, whose_client_takes_it) {
  client_is("{\"kind\":\"feed\",\"client_id\":\"tab\",\"id\":\"x\"}", "tab");
  client_is("{\"kind\":\"feed\",\"id\":\"x\"}", "x");
  client_is("{\"kind\":\"browser.proxy_delivery\",\"id\":\"firefox-claude\"}", "firefox-claude");
  client_is("{\"kind\":\"browser.a.b\",\"client_id\":\"tab\"}", "tab");
  client_is("{\"kind\":\"browser.a\"}", NULL);
  client_is("{\"kind\":\"browser\",\"id\":\"x\"}", NULL);
  client_is("{\"kind\":\"exec\",\"id\":\"x\",\"client_id\":\"tab\"}", NULL);
  client_is("{\"client_id\":\"tab\"}", NULL);
}

/* ---- letters ---- */

static int letter(struct ck_buf *b, const char *payload, const char *kind, struct ck_err *err) {
  struct renew_target t = {.platform = (char[]){"claude"},
                           .remote_conversation_id = (char[]){"r\"1"}};
  struct renew_letter l = {.job_id = CK_LIT("job_1"),
                           .conversation_id = CK_LIT("claude:r1"),
                           .payload = ck_str_of(payload),
                           .payload_kind = ck_str_of(kind),
                           .attempt = 2,
                           .target = &t};
  return renew_letter_json(b, &l, err);
}

Test(renewd_target, letter_with_text) {
  struct ck_buf b = {0};
  struct ck_err err;
  cr_assert_eq(letter(&b, "go\non \"now\"", "text", &err), 0);
  cr_assert_str_eq(ck_buf_cstr(&b),
                   "{\"delivery_id\":\"job_1\",\"job_id\":\"job_1\",\"attempt\":2,"
                   "\"platform\":\"claude\",\"conversation_id\":\"r\\\"1\","
                   "\"local_conversation_id\":\"claude:r1\","
                   "\"payload\":\"go\\non \\\"now\\\"\",\"payload_kind\":\"text\"}");
  ck_buf_free(&b);
}

Test(renewd_target, letter_with_json_is_one_line_and_keeps_numbers) {
  struct ck_buf b = {0};
  struct ck_err err;
  cr_assert_eq(letter(&b, "{\"a\":\r\n [12345678901234567890.5, \"x\\ny\"]}", "json", &err), 0);
  const char *text = ck_buf_cstr(&b);
  cr_assert_null(strchr(text, '\n'));
  cr_assert_not_null(strstr(text, "12345678901234567890.5"));
  json_t *o = json_loads(text, 0, NULL);
  cr_assert(json_is_object(json_object_get(o, "payload")));
  json_decref(o);
  ck_buf_clear(&b);
  cr_assert_eq(letter(&b, "{\"a\":", "json", &err), -1);
  ck_buf_clear(&b);
  cr_assert_eq(letter(&b, "1 2", "json", &err), -1);
  ck_buf_free(&b);
}

/* A client with several pages finds the one by them. */
Test(renewd_target, letter_to_a_client) {
  struct renew_target t;
  struct ck_buf b = {0};
  struct ck_err err;
  cr_assert_eq(
      renew_target_parse(&t,
                         CK_LIT("{\"kind\":\"browser.x\",\"id\":\"ff1\",\"payload\":{\"a\":1},"
                                "\"platform\":\"claude\",\"remote_conversation_id\":\"r1\","
                                "\"page_url\":\"https://x/c/r1\",\"route_path\":\"/c/r1\","
                                "\"route_params\":{\"id\":\"r1\"}}"),
                         &err),
      0);
  struct renew_letter l = {.job_id = CK_LIT("j"),
                           .conversation_id = CK_LIT("claude:r1"),
                           .payload = CK_LIT("go on"),
                           .payload_kind = CK_LIT("text"),
                           .attempt = 1,
                           .target = &t,
                           .message_id = CK_LIT("m1"),
                           .last_message_id = CK_LIT("m2")};
  cr_assert_eq(renew_letter_json(&b, &l, &err), 0);
  cr_assert_str_eq(
      ck_buf_cstr(&b),
      "{\"delivery_id\":\"j\",\"job_id\":\"j\",\"attempt\":1,\"platform\":\"claude\","
      "\"conversation_id\":\"r1\",\"local_conversation_id\":\"claude:r1\",\"payload\":\"go on\","
      "\"payload_kind\":\"text\",\"message_id\":\"m1\",\"last_message_id\":\"m2\","
      "\"client_id\":\"ff1\",\"target\":{\"kind\":\"browser.x\",\"id\":\"ff1\",\"payload\":{\"a\":"
      "1}},"
      "\"page_url\":\"https://x/c/r1\",\"page_title\":null,\"route_path\":\"/c/r1\","
      "\"route_pattern\":null,\"route_params\":{\"id\":\"r1\"}}");
  ck_buf_free(&b);
  renew_target_free(&t);
}

/* ---- addresses ---- */

Test(renewd_target, which_addresses_a_webhook_may_reach) {
  static const struct {
    const char *prefix, *url;
    bool below;
  } cases[] = {
      {"http://a.example/hook", "http://a.example/hook", true},
      {"http://a.example/hook", "http://a.example/hook/x?y=1", true},
      {"http://a.example/hook", "http://a.example/hook?y=1", true},
      {"http://a.example/hook/", "http://a.example/hook/x", true},
      {"http://a.example/hook", "http://A.Example:80/hook", true},
      {"http://a.example", "http://a.example/anything", true},
      {"http://a.example/", "http://a.example", true},
      {"http://a.example/hook", "http://a.example/hooks", false},
      {"http://a.example/hook", "http://a.example/", false},
      {"http://a.example/hook", "https://a.example/hook", false},
      {"http://a.example/hook", "http://a.example:8080/hook", false},
      {"http://a.example:8080", "http://a.example:8080/x", true},
      {"http://a.example", "http://a.example.evil.test/", false},
      {"http://a.example", "http://a.example@evil.test/", false},
      {"http://a.example", "http://user:pass@a.example/", false},
      {"http://a.example", "http://user@a.example/", false},
      {"http://a.example/hook", "http://a.example/hook/../admin", false},
      {"http://a.example/hook", "http://a.example/x/../hook/y", true},
      {"http://a.example/hook", "http://a.example/hook/%2e%2e/admin", false},
      {"http://a.example/hook", "http://a.example/hook/..%2fadmin", false},
      {"http://a.example/hook", "http://a.example/hook/..\\admin", false},
      {"http://a.example/hook", "http://a.example/hook/%5C..", false},
      {"http://a.example/hook", "http://a.example/hook/", true},
      {"http://a.example/hook", "http://a.example/hook/x.y/T-0_1~2:3@4=5,6+7!", true},
      {"http://a.example/hook", "http://a.example/hook/x?y=%2e%2e/%2f&z=1;2", true},
      {"http://a.example/hook", "http://a.example/hook/..;/admin", false},
      {"http://a.example/hook", "http://a.example/hook/..;x=1/admin", false},
      {"http://a.example/hook", "http://a.example/hook;/../admin", false},
      {"http://a.example/hook", "http://a.example/hook/x;y/z", false},
      {"http://a.example/hook", "http://a.example/hook/%252e%252e/admin", false},
      {"http://a.example/hook", "http://a.example/hook/%25252e%25252e/admin", false},
      {"http://a.example/hook", "http://a.example/hook/..%252fadmin", false},
      {"http://a.example/hook", "http://a.example/hook/%00/admin", false},
      {"http://a.example/hook", "http://a.example/hook%00", false},
      {"http://a.example/hook", "http://a.example/hook/..%00/admin", false},
      {"http://a.example/hook", "http://a.example/hook/..%0d%0aX:1", false},
      {"http://a.example/hook", "http://a.example/hook/..%20/admin", false},
      {"http://a.example/hook", "http://a.example/hook/%c0%ae%c0%ae/admin", false},
      {"http://a.example/hook", "http://a.example/hook/%ef%bc%8e%ef%bc%8e/admin", false},
      {"http://a.example/hook", "http://a.example/hook/\xef\xbc\x8e\xef\xbc\x8e/admin", false},
      {"http://a.example/hook", "http://a.example/hook/%u002e%u002e/admin", false},
      {"http://a.example/hook", "http://a.example/hook/\\..\\admin", false},
      {"http://a.example/hook", "http://a.example/hook\\..\\admin", false},
      {"http://a.example", "http://a.example\\@evil.test/", false},
      {"http://a.example/hook", "http://a.example/hook/x?y=\\", false},
      {"http://a.example/hook", "http://a.example/hook/.../admin", false},
      {"http://a.example/hook", "http://a.example/hook//admin", false},
      {"http://a.example", "http://a.example//evil.test/", false},
      {"http://a.example/hook", "http://a.example/hook/a\tb", false},
      {"http://a.example/hook", "http://a.example/hook/a b", false},
      {"http://a.example/hook", "http://a.example/hook/%3f/../x", true},
      {"http://a.example/my%20hook;v=1", "http://a.example/my%20hook;v=1", true},
      {"http://a.example/my%20hook;v=1", "http://a.example/my%20hook;v=1/x", true},
      {"http://a.example/my%20hook", "http://a.example/my hook", false},
      {"http://a.example", "ftp://a.example/", false},
      {"http://a.example", "file:///etc/passwd", false},
      {"http://a.example", "gopher://a.example/", false},
      {"http://a.example", "a.example/", false},
      {"http://a.example", "", false},
      {"http://a.example", "http:///x", false},
      {"http://127.0.0.1:9", "http://127.0.0.1:9/x", true},
      {"http://[::1]:9", "http://[::1]:9/x", true},
      {"http://[fe80::1%25a]", "http://[fe80::1%25a]/x", true},
      {"http://[fe80::1%25a]", "http://[fe80::1%25b]/x", false},
      {"http://[fe80::1]", "http://[fe80::1%25b]/x", false},
      {"ftp://a.example", "ftp://a.example/", false},
      {"nonsense", "nonsense", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_assert_eq(renew_url_below(cases[i].prefix, cases[i].url), cases[i].below, "%s below %s",
                 cases[i].url, cases[i].prefix);
}

/* ---- what a target says ---- */

static void words_are(const char *bytes, size_t n, const char *expected) {
  char out[RENEW_WORDS];
  renew_words(out, (struct ck_str){bytes, n});
  cr_assert_str_eq(out, expected);
}

Test(renewd_target, words_of_a_target_are_made_harmless) {
  words_are("  no\tsuch\x1b[31m thing\n", 22, "no such [31m thing");
  words_are("\xff\xfe broken", 9, "?? broken");
  words_are("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
  words_are("", 0, "");
  words_are("a\0b", 3, "a b");
  words_are("caf\xc3\xa9 \xe2\x82", 8, "caf\xc3\xa9");
  char longest[1000], out[RENEW_WORDS];
  memset(longest, 'x', sizeof longest);
  renew_words(out, (struct ck_str){longest, sizeof longest});
  cr_assert_eq(strlen(out), 300);
}

/* No changeset can carry text that is not UTF-8, so the job would never end. */
Test(renewd_target, an_error_is_always_utf8) {
  struct renew_result r;
  char text[1000];
  for (size_t at = 0; at < 8; at++) {
    memset(text, 'x', sizeof text);
    for (size_t i = at; i + 4 < sizeof text - 1; i += 4) memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    text[sizeof text - 1] = '\0';
    renew_result_set(&r, RENEW_FAILED, "%s", text);
    cr_assert(ck_utf8_ok(ck_str_of(r.error)));
    renew_result_set(&r, RENEW_FAILED, "%.9s is cut in the middle", text);
    cr_assert(ck_utf8_ok(ck_str_of(r.error)));
  }
}
