/* How a write changes a record: every rule of docs/records.md, and what must hold for any write. No
 * database. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/write/rules.h"

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
    {CK_MESSAGES, "{'static_path':' msg/a/b.txt '}", "static_path", "msg/a/b.txt", NULL},
    {CK_MESSAGES, "{'static_path':'/etc/passwd'}", NULL, NULL,
     "messages.static_path: must be a relative path"},
    {CK_MESSAGES, "{'static_path':'msg/../exec/a.txt'}", NULL, NULL, "messages.static_path"},
    {CK_MESSAGES, "{'static_path':'exec/a.txt'}", NULL, NULL, "messages.static_path"},
    {CK_EXECUTIONS, "{'static_path':'exec/a.txt'}", "static_path", "exec/a.txt", NULL},
    {CK_SESSIONS, "{'static_path':'session/latest.txt'}", NULL, NULL, "sessions.static_path"},
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
static const char *const least[CK_TABLES] = {
    [CK_MESSAGES] = "{'id':'m1','platform':'p','role':'user','raw_text':'hello','observed_at':10}",
    [CK_EXECUTIONS] = "{'instruction_id':'e1','message_id':'m1','target':'t','tool':'u','result_ok'"
                      ":1,'executed_at':10}",
    [CK_SESSIONS] = "{'id':'s1','platform':'p','started_at':5,'last_activity_at':10}",
    [CK_CONVERSATIONS] = "{'local_conversation_id':'c1','platform':'p'}",
    [CK_LINKS] = "{'link_id':'l1','local_conversation_id':'c1','platform':'p','observed_at':10}",
    [CK_JOBS] = "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'go on'}",
};

static int insert(struct ck_row *out, enum ck_table t, const char *json, struct ck_err *err) {
  struct ck_row row = sh_row(t, json);
  return rules_clean(&row, err) ? -1 : rules_insert(out, &row, 1000, err);
}

Test(rules, insert_demands_what_is_required) {
  for (int t = 0; t < CK_TABLES; ++t) {
    struct ck_row whole = sh_row((enum ck_table)t, least[t]), out, unused;
    struct ck_err err = {{0}};
    cr_expect_eq(rules_insert(&out, &whole, 1000, &err), 0, "%s: %s", least[t], err.text);
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
      cr_expect_eq(rules_insert(&unused, &part, 1000, &err), -1, "%s", expected);
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
      {CK_MESSAGES, "summary", "NULL"},
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
    cr_assert_eq(insert(&out, d->table, least[d->table], &err), 0, "%s", err.text);
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

/* ---- merging ---- */

struct merge {
  enum ck_table table;
  const char *old;   /* added to `least`, which it overrides */
  const char *write; /* at 2000 */
  bool fresh;
  int rc;
  const char *expected; /* column=value column=value … */
};

static const struct merge merging[] = {
    /* left out: keeps; NULL: clears; the same value: no change */
    {CK_MESSAGES, "'summary':'s','page_url':'u'", "{'id':'m1','summary':null}", false, 1,
     "summary=NULL page_url=u"},
    {CK_MESSAGES, "'summary':'s'", "{'id':'m1'}", false, 0, "summary=s"},
    {CK_MESSAGES, "'summary':'s'", "{'id':'m1','summary':' s ','role':'user','observed_at':10}",
     false, 0, ""},
    {CK_MESSAGES, "", "{'id':'m1','summary':''}", false, 0, "summary=NULL"},
    /* upserts update */
    {CK_MESSAGES, "", "{'id':'m1','raw_text':'hello world','observed_at':20}", false, 1,
     "raw_text=hello\xc2\xa0world observed_at=20"},
    {CK_MESSAGES, "", "{'id':'m1','raw_text':'longer','observed_at':10}", false, 1,
     "raw_text=longer observed_at=10"},
    {CK_MESSAGES, "", "{'id':'m1','raw_text':'longer'}", false, 1, "raw_text=longer"},
    {CK_EXECUTIONS, "'result_data':'d'",
     "{'instruction_id':'e1','result_ok':0,'result_error':'no','executed_at':11}", false, 1,
     "result_ok=0 result_error=no result_data=d executed_at=11"},
    /* fixed fields stay, without an error */
    {CK_MESSAGES, "'created_at':1,'static_path':'msg/a.txt'",
     "{'id':'m1','created_at':2,'static_path':'msg/b.txt'}", false, 0,
     "created_at=1 static_path=msg/a.txt"},
    {CK_CONVERSATIONS, "'created_at':1",
     "{'local_conversation_id':'c1','created_at':9,'title':'t'}", false, 1,
     "created_at=1 title=t updated_at=2000"},
    /* updated_at: the write's or now; alone it is no change */
    {CK_CONVERSATIONS, "'updated_at':5", "{'local_conversation_id':'c1','updated_at':9}", false, 0,
     "updated_at=5"},
    {CK_CONVERSATIONS, "'updated_at':5",
     "{'local_conversation_id':'c1','updated_at':9,'title':'t'}", false, 1, "updated_at=9"},
    {CK_LINKS, "'updated_at':5", "{'link_id':'l1','is_active':0}", false, 1,
     "is_active=0 updated_at=2000 observed_at=10"},
    /* late: fills what is missing, leaves the rest */
    {CK_MESSAGES, "'summary':'s'",
     "{'id':'m1','summary':'late','page_url':'u','raw_text':'old','role':'x','observed_at':9}",
     false, 1, "summary=s page_url=u raw_text=hello role=user observed_at=10"},
    {CK_MESSAGES, "'summary':'s'", "{'id':'m1','summary':null,'observed_at':9}", false, 0,
     "summary=s"},
    {CK_EXECUTIONS, "",
     "{'instruction_id':'e1','tool':'v','result_data':'d','result_ok':0,'executed_at':9}", false, 1,
     "tool=u result_data=d result_ok=1 executed_at=10"},
    {CK_SESSIONS, "'summary':'s'",
     "{'id':'s1','started_at':2,'last_activity_at':9,'summary':'late','conversation_id':'r'}",
     false, 1, "started_at=2 last_activity_at=10 summary=s conversation_id=r"},
    {CK_CONVERSATIONS, "'last_message_id':'m2','last_message_at':20,'title':'t'",
     "{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':10,'title':'old','"
     "summary':'s'}",
     false, 1, "last_message_id=m2 last_message_at=20 title=t summary=s"},
    {CK_CONVERSATIONS, "'last_message_id':'m2','last_message_at':20",
     "{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':10}", true, 0,
     "last_message_id=m2 last_message_at=20"},
    {CK_LINKS, "'page_url':'u','observed_at':20",
     "{'link_id':'l1','page_url':'old','page_title':'t','is_active':0,'observed_at':10}", false, 1,
     "page_url=u page_title=t is_active=1 observed_at=20"},
    /* newer: changes all */
    {CK_CONVERSATIONS, "'last_message_id':'m1','last_message_at':10",
     "{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':20}", false, 1,
     "last_message_id=m2 last_message_at=20"},
    {CK_CONVERSATIONS, "",
     "{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':20}", false, 1,
     "last_message_id=m2 last_message_at=20"},
    {CK_SESSIONS, "", "{'id':'s1','started_at':7,'last_activity_at':30}", false, 1,
     "started_at=5 last_activity_at=30"},
    {CK_LINKS, "'page_url':'u'", "{'link_id':'l1','page_url':'v','observed_at':11}", false, 1,
     "page_url=v observed_at=11"},
    /* equal times: only a message that came with the same changeset takes over; NULL clears all the
       same */
    {CK_CONVERSATIONS, "'last_message_id':'m1','last_message_at':10",
     "{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':10}", false, 0,
     "last_message_id=m1"},
    {CK_CONVERSATIONS, "'last_message_id':'m1','last_message_at':10",
     "{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':10}", true, 1,
     "last_message_id=m2"},
    {CK_CONVERSATIONS, "'last_message_at':10",
     "{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':10}", false, 1,
     "last_message_id=m2"},
    {CK_CONVERSATIONS, "'last_message_id':'m1','last_message_at':10",
     "{'local_conversation_id':'c1','last_message_id':null,'last_message_at':10}", false, 1,
     "last_message_id=NULL last_message_at=10"},
    {CK_CONVERSATIONS, "'last_message_id':'m1','last_message_at':10",
     "{'local_conversation_id':'c1','last_message_id':null,'last_message_at':null}", false, 1,
     "last_message_id=NULL last_message_at=NULL"},
    /* a job */
    {CK_JOBS, "", "{'job_id':'j1','status':'done','attempt_count':2,'next_attempt_at':null}", false,
     1, "status=done attempt_count=2 next_attempt_at=NULL message_id=m1 updated_at=2000"},
    {CK_JOBS, "", "{'job_id':'j1','message_id':'m2'}", false, -1,
     "renewal_jobs.message_id: cannot be changed (job_id j1)"},
    {CK_JOBS, "", "{'job_id':'j1','local_conversation_id':'c2'}", false, -1,
     "renewal_jobs.local_conversation_id: cannot be changed"},
    {CK_JOBS, "", "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','created_at':1}",
     false, 0, "created_at=1000"},
};

/* `least`, overridden by the members of json. */
static struct ck_row old_row(enum ck_table t, const char *json) {
  struct ck_row whole = sh_row(t, least[t]), more, out;
  struct ck_err err = {{0}};
  char *object = ck_sprintf("{%s}", json);
  more = sh_row(t, object);
  free(object);
  for (int c = 0; c < ck_tables[t].columns; ++c)
    if (more.v[c].state != CK_LEFT_OUT) whole.v[c] = more.v[c];
  cr_assert_eq(rules_clean(&whole, &err), 0, "%s: %s", json, err.text);
  cr_assert_eq(rules_insert(&out, &whole, 1000, &err), 0, "%s: %s", json, err.text);
  return out;
}

static bool rows_equal(const struct ck_row *a, const struct ck_row *b) {
  for (int c = 0; c < ck_tables[a->table].columns; ++c)
    if (!ck_value_eq(a->v[c], b->v[c])) return false;
  return true;
}

/* expected's values have no blanks; a no-break space stands for one. */
static void expect_columns(const struct ck_row *row, const char *expected, const char *what) {
  char words[300];
  snprintf(words, sizeof words, "%s", expected);
  for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
    char *value = strchr(word, '='), *nbsp = strstr(word, "\xc2\xa0");
    *value++ = '\0';
    if (nbsp) {
      *nbsp = ' ';
      memmove(nbsp + 1, nbsp + 2, strlen(nbsp + 2) + 1);
    }
    cr_expect_str_eq(sh_value(row, word), value, "%s: %s is %s, not %s", what, word,
                     sh_value(row, word), value);
  }
}

Test(rules, merge) {
  for (size_t i = 0; i < sizeof merging / sizeof *merging; ++i) {
    const struct merge *m = &merging[i];
    struct ck_err err = {{0}};
    struct ck_row old = old_row(m->table, m->old), write = sh_row(m->table, m->write), out;
    cr_assert_eq(rules_clean(&write, &err), 0, "%s: %s", m->write, err.text);
    int rc = rules_merge(&out, &old, &write, 2000, m->fresh, &err);
    cr_expect_eq(rc, m->rc, "%s onto %s: %d %s", m->write, m->old, rc, rc < 0 ? err.text : "");
    if (rc != m->rc) continue;
    if (rc < 0)
      cr_expect(strstr(err.text, m->expected), "%s: %s", m->write, err.text);
    else
      expect_columns(&out, m->expected, m->write);
    if (rc == 0) cr_expect(rows_equal(&old, &out), "%s", m->write);
  }
}

/* ---- what must hold for any write ---- */

static struct ck_value any_value(enum ck_table t, const struct ck_field *f) {
  static const char *const texts[] = {"a", "b", " a ", "a b", "", " ", "\xe3\x80\x80", "{\"x\":1}"};
  if ((f->flags & CK_OPTIONAL) && sh_below(4) == 0) return ck_null();
  switch (f->kind) {
  case CK_K_BOOL:
    return ck_int((int64_t)sh_below(2));
  case CK_K_POSITIVE:
    return ck_int((int64_t)sh_below(3) + 1);
  case CK_K_COUNT:
  case CK_K_STATUS_CODE:
  case CK_K_TIME:
    return ck_int((int64_t)sh_below(4));
  case CK_K_CHOICE: {
    size_t n = strcspn(f->choices, "|");
    return sh_below(2)
               ? ck_text((struct ck_str){f->choices, n})
               : ck_text((struct ck_str){f->choices + n + 1, strcspn(f->choices + n + 1, "|")});
  }
  case CK_K_PATH:
    return ck_textz(t == CK_MESSAGES     ? "msg/a.txt"
                    : t == CK_EXECUTIONS ? "exec/a.txt"
                                         : "session/a.txt");
  default:
    return ck_textz(
        texts[f->flags & CK_OPTIONAL || f->kind == CK_K_RAW ? sh_below(8) : sh_below(4)]);
  }
}

static struct ck_row any_write(enum ck_table t, bool whole) {
  struct ck_row row = {.table = t};
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    if ((whole && (f->flags & CK_REQUIRED)) || sh_below(3)) row.v[c] = any_value(t, f);
  }
  row.v[ck_tables[t].key] = ck_textz("key");
  /* Columns that a job's write may not change. */
  if (t == CK_JOBS)
    row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = row.v[CK_JOBS_MESSAGE_ID] = ck_textz("fixed");
  struct ck_err err = {{0}};
  cr_assert_eq(rules_clean(&row, &err), 0, "%s", err.text);
  return row;
}

static void check_any(enum ck_table t) {
  struct ck_row first = any_write(t, true), old, once, twice, again, write = any_write(t, false);
  struct ck_err err = {{0}};
  bool fresh = sh_below(2);
  cr_assert_eq(rules_insert(&old, &first, 1000, &err), 0, "%s", err.text);
  cr_expect_eq(rules_merge(&again, &old, &first, 2000, fresh, &err), 0,
               "the write that made the record changes it");
  int rc = rules_merge(&once, &old, &write, 2000, fresh, &err);
  cr_assert_geq(rc, 0, "%s", err.text);
  cr_expect_eq(rc == 0, rows_equal(&old, &once));
  cr_expect_eq(rules_merge(&twice, &once, &write, 3000, fresh, &err), 0,
               "a write that came before changes something");
  int newest = ck_tables[t].newest;
  bool late = newest >= 0 && old.v[newest].state == CK_INT && write.v[newest].state == CK_INT &&
              write.v[newest].as.i < old.v[newest].as.i;
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    bool same = ck_value_eq(old.v[c], once.v[c]);
    cr_expect(once.v[c].state != CK_LEFT_OUT || f->kind == CK_K_PATH);
    cr_expect(same || !(f->flags & (CK_KEY | CK_FIXED)), "%s.%s changed", ck_tables[t].name,
              f->name);
    cr_expect(same || write.v[c].state != CK_LEFT_OUT || (f->flags & CK_TOUCHED),
              "%s.%s changed though left out", ck_tables[t].name, f->name);
    if (!late) continue;
    cr_expect(same || !(f->flags & (CK_NEWEST | CK_FOLLOWS)), "%s.%s moved with a late write",
              ck_tables[t].name, f->name);
    cr_expect(same || old.v[c].state == CK_NULL || (f->flags & (CK_EARLIEST | CK_TOUCHED)),
              "%s.%s was overwritten by a late write", ck_tables[t].name, f->name);
  }
}

Test(rules, any_write) {
  for (int i = 0; i < 60000; ++i) check_any((enum ck_table)(i % CK_TABLES));
}
