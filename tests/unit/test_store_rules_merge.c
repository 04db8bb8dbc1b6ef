/* Merging a write into a record: a table of cases, and what must hold for any write. */
#include "test_store_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    {CK_MESSAGES, "'created_at':1,'static_path':'msg/a/m1.txt'",
     "{'id':'m1','created_at':2,'static_path':'msg/b/m1.txt'}", false, 0,
     "created_at=1 static_path=msg/a/m1.txt"},
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
    {CK_EXECUTIONS, "'result_ok':1",
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

/* `rules_least`, overridden by the members of json. */
static struct ck_row old_row(enum ck_table t, const char *json) {
  struct ck_row whole = sh_row(t, rules_least[t]), more, out;
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
    return ck_textz(t == CK_MESSAGES     ? "msg/key.txt"
                    : t == CK_EXECUTIONS ? "exec/key.txt"
                                         : "session/key.txt");
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
