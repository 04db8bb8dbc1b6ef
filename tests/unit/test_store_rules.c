/* How a write changes a record: every rule of docs/records.md, and what must hold for any write. No
 * database. */
#include "test_store_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cleaning ---- */

struct clean {
  enum ck_table table;
  const char *write, *column;
  const char *becomes; /* NULL: refused */
  const char *reason;  /* part of the refusal */
};

#define WS " \t\n\r\v\f"
#define UNI_WS \
  "\xc2\xa0\xe1\x9a\x80\xe2\x80\x83\xe2\x80\xa8\xe2\x80\xaf\xe2\x81\x9f\xe3\x80\x80\xef\xbb\xbf" \
  "\xc2\x85"

static const struct clean cleaning[] = {
    /* text is trimmed of Unicode white space too; inner white space stays */
    {CK_MESSAGES, "{'id':' m 1 '}", "id", "m 1", NULL},
    {CK_MESSAGES, "{'id':'" UNI_WS "m" UNI_WS "'}", "id", "m", NULL},
    {CK_MESSAGES, "{'page_title':'" UNI_WS "a b" UNI_WS "'}", "page_title", "a b", NULL},
    {CK_MESSAGES, "{'page_title':'\xe2\x80\x8b'}", "page_title", "\xe2\x80\x8b",
     NULL}, /* a zero width space is no white space */
    /* blank becomes NULL if the column may be NULL, else it is refused */
    {CK_MESSAGES, "{'summary':''}", "summary", "NULL", NULL},
    {CK_MESSAGES, "{'summary':'" UNI_WS "'}", "summary", "NULL", NULL},
    {CK_MESSAGES, "{'summary':null}", "summary", "NULL", NULL},
    {CK_MESSAGES, "{'id':'" UNI_WS "'}", NULL, NULL, "messages.id: must not be blank"},
    {CK_MESSAGES, "{'id':'m1','role':''}", NULL, NULL, "messages.role: must not be blank (id m1)"},
    {CK_MESSAGES, "{'role':null}", NULL, NULL, "messages.role: must not be NULL"},
    {CK_LINKS, "{'local_conversation_id':' '}", NULL, NULL,
     "conversation_links.local_conversation_id: must not be blank"},
    {CK_SESSIONS, "{'message_count':null}", NULL, NULL, "sessions.message_count: must not be NULL"},
    {CK_CONVERSATIONS, "{'updated_at':null}", NULL, NULL,
     "local_conversations.updated_at: must not be NULL"},
    /* left out stays left out */
    {CK_MESSAGES, "{'id':'m1'}", "summary", "left out", NULL},
    /* raw_text: byte for byte, may be empty; payload: byte for byte, not blank */
    {CK_MESSAGES, "{'raw_text':'" UNI_WS " x '}", "raw_text", UNI_WS " x ", NULL},
    {CK_MESSAGES, "{'raw_text':''}", "raw_text", "", NULL},
    {CK_MESSAGES, "{'raw_text':null}", NULL, NULL, "messages.raw_text: must not be NULL"},
    {CK_JOBS, "{'payload':'  go on\\n'}", "payload", "  go on\n", NULL},
    {CK_JOBS, "{'payload':'" UNI_WS "'}", NULL, NULL, "renewal_jobs.payload: must not be blank"},
    {CK_JOBS, "{'payload':''}", NULL, NULL, "renewal_jobs.payload: must not be blank"},
    /* choices */
    {CK_CONVERSATIONS, "{'automation_status':' auto '}", "automation_status", "auto", NULL},
    {CK_CONVERSATIONS, "{'automation_status':'paused'}", "automation_status", "paused", NULL},
    {CK_CONVERSATIONS, "{'automation_status':'Auto'}", NULL, NULL,
     "local_conversations.automation_status: 'Auto' is not one of manual|auto|paused"},
    {CK_CONVERSATIONS, "{'automation_status':'manual|auto'}", NULL, NULL, "is not one of"},
    {CK_CONVERSATIONS, "{'automation_status':''}", NULL, NULL, "must not be blank"},
    {CK_JOBS, "{'status':'cancelled'}", NULL, NULL,
     "renewal_jobs.status: 'cancelled' is not one of pending|running|done|failed"},
    {CK_JOBS, "{'payload_kind':'yaml'}", NULL, NULL,
     "renewal_jobs.payload_kind: 'yaml' is not one of text|json"},
    {CK_EXECUTIONS, "{'params_kind':'inline'}", NULL, NULL,
     "executions.params_kind: 'inline' is not one of none|body|inline_json|inline_string"},
    {CK_EXECUTIONS, "{'params_kind':'inline_json'}", "params_kind", "inline_json", NULL},
    /* integers */
    {CK_SESSIONS, "{'message_count':0}", "message_count", "0", NULL},
    {CK_SESSIONS, "{'message_count':-1}", NULL, NULL,
     "sessions.message_count: must not be negative"},
    {CK_JOBS, "{'attempt_count':-1}", NULL, NULL,
     "renewal_jobs.attempt_count: must not be negative"},
    {CK_JOBS, "{'max_attempts':0}", NULL, NULL, "renewal_jobs.max_attempts: must be at least 1"},
    {CK_JOBS, "{'max_attempts':1}", "max_attempts", "1", NULL},
    {CK_MESSAGES, "{'observed_at':-5}", "observed_at", "-5", NULL},
    {CK_MESSAGES, "{'observed_at':9223372036854775807}", "observed_at", "9223372036854775807",
     NULL},
    {CK_EXECUTIONS, "{'http_status':null}", "http_status", "NULL", NULL},
    /* booleans */
    {CK_EXECUTIONS, "{'result_ok':true}", "result_ok", "1", NULL},
    {CK_EXECUTIONS, "{'result_ok':0}", "result_ok", "0", NULL},
    {CK_EXECUTIONS, "{'result_ok':2}", NULL, NULL, "executions.result_ok: must be 0 or 1"},
    {CK_LINKS, "{'is_active':-1}", NULL, NULL, "conversation_links.is_active: must be 0 or 1"},
    {CK_LINKS, "{'is_active':null}", NULL, NULL, "conversation_links.is_active: must not be NULL"},
    /* JSON: text as it is, other values as their JSON text, blank is NULL */
    {CK_LINKS, "{'target_payload':' {\\\"a\\\": 1} '}", "target_payload", " {\"a\": 1} ", NULL},
    {CK_LINKS, "{'target_payload':'no JSON at all'}", "target_payload", "no JSON at all", NULL},
    {CK_LINKS, "{'target_payload':{'a':[1,true,null,'x']}}", "target_payload",
     "{\"a\":[1,true,null,\"x\"]}", NULL},
    {CK_LINKS, "{'target_payload':7}", "target_payload", "7", NULL},
    {CK_LINKS, "{'target_payload':false}", "target_payload", "false", NULL},
    {CK_LINKS, "{'target_payload':[]}", "target_payload", "[]", NULL},
    {CK_LINKS,
     "{'target_payload':"
     "'" WS "'"
     "}",
     "target_payload", "NULL", NULL},
    {CK_JOBS, "{'target_snapshot':1.5}", "target_snapshot", "1.5", NULL},
    /* paths */
    {CK_MESSAGES, "{'id':' b ','static_path':' msg/a/b.txt '}", "static_path", "msg/a/b.txt", NULL},
    {CK_MESSAGES, "{'id':'c','static_path':'msg/a/b.txt'}", NULL, NULL, "named as the id (id c)"},
    {CK_MESSAGES, "{'id':'passwd','static_path':'/etc/passwd'}", NULL, NULL,
     "messages.static_path: must be a relative path"},
    {CK_MESSAGES, "{'id':'a','static_path':'msg/../exec/a.txt'}", NULL, NULL,
     "messages.static_path"},
    {CK_MESSAGES, "{'id':'a','static_path':'exec/a.txt'}", NULL, NULL, "messages.static_path"},
    {CK_EXECUTIONS, "{'instruction_id':'a','static_path':'exec/a.txt'}", "static_path",
     "exec/a.txt", NULL},
    {CK_SESSIONS, "{'id':'latest','static_path':'session/latest.txt'}", NULL, NULL,
     "sessions.static_path"},
};

/* JSON escapes for the C escapes in the cases. */
static char *as_json(const char *text) {
  struct ck_buf b = {0};
  for (const char *p = text; *p; ++p) {
    if ((unsigned char)*p < 0x20)
      ck_buf_printf(&b, "\\u%04x", *p);
    else
      ck_buf_add(&b, p, 1);
  }
  char *out = ck_strdup(ck_buf_cstr(&b));
  ck_buf_free(&b);
  return out;
}

Test(rules, clean) {
  for (size_t i = 0; i < sizeof cleaning / sizeof *cleaning; ++i) {
    const struct clean *c = &cleaning[i];
    struct ck_err err = {{0}};
    char *write = as_json(c->write);
    struct ck_row row = sh_row(c->table, write);
    free(write);
    int rc = rules_clean(&row, &err);
    if (c->becomes) {
      cr_expect_eq(rc, 0, "%s: %s", c->write, err.text);
      cr_expect_str_eq(sh_value(&row, c->column), c->becomes, "%s: %s", c->write,
                       sh_value(&row, c->column));
    } else {
      cr_expect_eq(rc, -1, "%s was not refused", c->write);
      cr_expect(strstr(err.text, c->reason), "%s: the reason is '%s'", c->write, err.text);
    }
  }
}

Test(rules, clean_sees_types_that_the_codec_let_through) {
  struct ck_err err;
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_textz("5");
  cr_expect_eq(rules_clean(&row, &err), -1);
  cr_expect(strstr(err.text, "messages.observed_at: must be an integer"), "%s", err.text);
  row = (struct ck_row){.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ROLE] = ck_int(5);
  cr_expect_eq(rules_clean(&row, &err), -1);
  cr_expect(strstr(err.text, "messages.role: must be text"), "%s", err.text);
}

/* Every field of every table obeys its kind and flags: blank, NULL and the wrong type. */
Test(rules, clean_every_field) {
  for (int t = 0; t < CK_TABLES; ++t)
    for (int c = 0; c < ck_tables[t].columns; ++c) {
      const struct ck_field *f = &ck_tables[t].fields[c];
      struct ck_err err;
      struct ck_row row = {.table = (enum ck_table)t};
      row.v[c] = ck_null();
      cr_expect_eq(rules_clean(&row, &err), f->flags & CK_OPTIONAL ? 0 : -1, "%s.%s NULL",
                   ck_tables[t].name, f->name);
      row.v[c] = ck_textz(" \xe3\x80\x80 ");
      int expected = ck_kind_is_int(f->kind)                           ? -1
                     : f->kind == CK_K_RAW || (f->flags & CK_OPTIONAL) ? 0
                                                                       : -1;
      cr_expect_eq(rules_clean(&row, &err), expected, "%s.%s blank", ck_tables[t].name, f->name);
      if (expected == 0 && f->kind != CK_K_RAW)
        cr_expect_eq(row.v[c].state, CK_NULL, "%s.%s blank", ck_tables[t].name, f->name);
      row.v[c] = ck_int(1);
      cr_expect_eq(rules_clean(&row, &err), ck_kind_is_int(f->kind) ? 0 : -1, "%s.%s 1",
                   ck_tables[t].name, f->name);
    }
}

/* ---- inserting ---- */

/* What an insert must give, for each table. */
const char *const rules_least[CK_TABLES] = {
    [CK_MESSAGES] = "{'id':'m1','platform':'p','role':'user','raw_text':'hello','observed_at':10}",
    [CK_EXECUTIONS] = "{'instruction_id':'e1','message_id':'m1','target':'t','tool':'u',"
                      "'executed_at':10}",
    [CK_SESSIONS] = "{'id':'s1','platform':'p','started_at':5,'last_activity_at':10}",
    [CK_CONVERSATIONS] = "{'local_conversation_id':'c1','platform':'p'}",
    [CK_LINKS] = "{'link_id':'l1','local_conversation_id':'c1','platform':'p','observed_at':10}",
    [CK_JOBS] = "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'go on'}",
    [CK_FORGOTTEN] = "{'forgotten_id':'messages/m1','table_name':'messages','record_key':'m1',"
                     "'forgotten_with':'messages/m1','forgotten_at':10}",
};

static struct rules_write how; /* out borrows its text */

static int insert(struct ck_row *out, enum ck_table t, const char *json, struct ck_err *err) {
  struct ck_row row = sh_row(t, json);
  how.now = 1000;
  return rules_clean(&row, err) ? -1 : rules_insert(out, &row, &how, err);
}

Test(rules, insert_demands_what_is_required) {
  how.now = 1000;
  for (int t = 0; t < CK_TABLES; ++t) {
    struct ck_row whole = sh_row((enum ck_table)t, rules_least[t]), out, unused;
    struct ck_err err = {{0}};
    cr_expect_eq(rules_insert(&out, &whole, &how, &err), 0, "%s: %s", rules_least[t], err.text);
    for (int c = 0; c < ck_tables[t].columns; ++c) {
      const struct ck_field *f = &ck_tables[t].fields[c];
      cr_expect_eq((whole.v[c].state != CK_LEFT_OUT), (f->flags & CK_REQUIRED) != 0, "%s.%s",
                   ck_tables[t].name, f->name);
      cr_expect(out.v[c].state != CK_LEFT_OUT || f->kind == CK_K_PATH, "%s.%s has no default",
                ck_tables[t].name, f->name);
      if (!(f->flags & CK_REQUIRED)) continue;
      struct ck_row part = whole;
      part.v[c].state = CK_LEFT_OUT;
      char expected[120];
      snprintf(expected, sizeof expected, "%s.%s: is required", ck_tables[t].name, f->name);
      cr_expect_eq(rules_insert(&unused, &part, &how, &err), -1, "%s", expected);
      cr_expect(strstr(err.text, expected), "%s, not %s", err.text, expected);
    }
  }
}

struct dflt {
  enum ck_table table;
  const char *column, *value;
};

Test(rules, insert_fills_in_defaults) {
  static const struct dflt defaults[] = {
      {CK_MESSAGES, "created_at", "1000"},
      {CK_MESSAGES, "summary", "hello"},
      {CK_MESSAGES, "page_title", "NULL"},
      {CK_MESSAGES, "static_path", "left out"},
      {CK_EXECUTIONS, "params_kind", "none"},
      {CK_EXECUTIONS, "http_status", "NULL"},
      {CK_EXECUTIONS, "created_at", "1000"},
      {CK_SESSIONS, "message_count", "0"},
      {CK_SESSIONS, "execution_count", "0"},
      {CK_CONVERSATIONS, "automation_status", "manual"},
      {CK_CONVERSATIONS, "updated_at", "1000"},
      {CK_CONVERSATIONS, "paused_at", "NULL"},
      {CK_LINKS, "is_active", "1"},
      {CK_LINKS, "updated_at", "1000"},
      {CK_JOBS, "status", "pending"},
      {CK_JOBS, "payload_kind", "text"},
      {CK_JOBS, "attempt_count", "0"},
      {CK_JOBS, "max_attempts", "3"},
      {CK_JOBS, "next_attempt_at", "1000"},
      {CK_JOBS, "created_at", "1000"},
  };
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; ++i) {
    const struct dflt *d = &defaults[i];
    struct ck_row out;
    struct ck_err err;
    cr_assert_eq(insert(&out, d->table, rules_least[d->table], &err), 0, "%s", err.text);
    cr_expect_str_eq(sh_value(&out, d->column), d->value, "%s.%s is %s", ck_tables[d->table].name,
                     d->column, sh_value(&out, d->column));
  }
}

Test(rules, insert_keeps_given_times) {
  struct ck_row out;
  struct ck_err err;
  cr_assert_eq(insert(&out, CK_CONVERSATIONS,
                      "{'local_conversation_id':'c1','platform':'p','created_at':3,'updated_at':4}",
                      &err),
               0);
  cr_expect_str_eq(sh_value(&out, "created_at"), "3");
  cr_expect_str_eq(sh_value(&out, "updated_at"), "4");
}

/* By it renewd knows that the clock has gone back since. */
Test(rules, updated_at_is_never_ahead_of_the_clock) {
  struct ck_row out;
  struct ck_err err;
  cr_assert_eq(insert(&out, CK_CONVERSATIONS,
                      "{'local_conversation_id':'c1','platform':'p','updated_at':1001}", &err),
               0);
  cr_expect_str_eq(sh_value(&out, "updated_at"), "1000");
}

#define JOB "'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'x'"

Test(rules, a_job_is_due_when_made_unless_told) {
  struct ck_row out;
  struct ck_err err;
  cr_assert_eq(insert(&out, CK_JOBS, "{" JOB ",'created_at':77}", &err), 0);
  cr_expect_str_eq(sh_value(&out, "next_attempt_at"), "77");
  cr_assert_eq(insert(&out, CK_JOBS, "{" JOB ",'next_attempt_at':null}", &err), 0);
  cr_expect_str_eq(sh_value(&out, "next_attempt_at"), "NULL");
  cr_assert_eq(insert(&out, CK_JOBS, "{" JOB ",'next_attempt_at':5}", &err), 0);
  cr_expect_str_eq(sh_value(&out, "next_attempt_at"), "5");
}
