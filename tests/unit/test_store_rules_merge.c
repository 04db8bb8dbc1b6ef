/* Merging a write into a record: a table of cases, and what must hold for any write. */
#include "test_store_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A write and its age; -1: the owner's. */
struct said {
  const char *write;
  int64_t age;
};

struct merge {
  enum ck_table table;
  const char *old;  /* added to `least`, which it overrides */
  struct said said; /* at 2000 */
  int rc;
  const char *expected; /* column=value column=value … */
};

#define SAME RULES_SAME
#define QUIET RULES_QUIET
#define CHANGED RULES_CHANGED

static const struct merge merging[] = {
    /* left out and NULL say nothing; the same value: no change */
    {CK_MESSAGES,
     "'page_title':'s','page_url':'u'",
     {"{'id':'m1','page_title':null}", 20},
     SAME,
     "page_title=s page_url=u"},
    {CK_MESSAGES, "'page_title':'s'", {"{'id':'m1'}", 20}, SAME, "page_title=s ages=10"},
    {CK_MESSAGES,
     "'page_title':'s'",
     {"{'id':'m1','page_title':' s ','role':'user','observed_at':10}", 0},
     SAME,
     ""},
    /* a greater age wins, and what is missing is filled by any */
    {CK_MESSAGES,
     "",
     {"{'id':'m1','raw_text':'hello world','observed_at':20}", 0},
     CHANGED,
     "raw_text=hello·world observed_at=20 ages=20·platform=10·role=10"},
    {CK_MESSAGES,
     "'page_title':'s'",
     {"{'id':'m1','page_title':'late','page_url':'u','raw_text':'old','role':'x','observed_at':9}",
      0},
     CHANGED,
     "page_title=s page_url=u raw_text=hello role=user observed_at=10 ages=10·page_url=9"},
    {CK_MESSAGES, "'page_title':'s'", {"{'id':'m1','page_title':'t'}", 9}, SAME, "page_title=s"},
    {CK_EXECUTIONS,
     "'result_data':'d'",
     {"{'instruction_id':'e1','result_ok':0,'result_error':'no','executed_at':11}", 0},
     CHANGED,
     "result_ok=0 result_error=no result_data=d executed_at=11"},
    /* of equal ages the greater bytes, or the greater number, win */
    {CK_MESSAGES,
     "",
     {"{'id':'m1','raw_text':'hello, or longer','observed_at':10}", 0},
     CHANGED,
     "raw_text=hello,·or·longer observed_at=10 ages=10"},
    {CK_MESSAGES, "", {"{'id':'m1','raw_text':'hell','role':'us'}", 10}, SAME, "raw_text=hello"},
    {CK_MESSAGES, "'position':9", {"{'id':'m1','position':10}", 10}, CHANGED, "position=10"},
    {CK_MESSAGES, "'position':9", {"{'id':'m1','position':8}", 10}, SAME, "position=9"},
    /* no age is the lowest */
    {CK_LINKS,
     "'page_url':'u','observed_at':0",
     {"{'link_id':'l1','page_url':'t'}", 1},
     CHANGED,
     "page_url=t"},
    {CK_MESSAGES, "", {"{'id':'m1','raw_text':'zzz'}", 0}, SAME, "raw_text=hello"},
    /* a default was said by nobody */
    {CK_EXECUTIONS,
     "",
     {"{'instruction_id':'e1','result_ok':1,'result_data':'d'}", 5},
     CHANGED,
     "result_ok=1 result_data=d ages=10·params_kind=none·result_ok=5·result_data=5"},
    {CK_LINKS,
     "",
     {"{'link_id':'l1','is_active':0}", 1},
     CHANGED,
     "is_active=0 updated_at=2000 observed_at=10"},
    /* ages and the original alone make no new version */
    {CK_MESSAGES, "", {"{'id':'m1','raw_text':'hello'}", 20}, QUIET, "ages=10·raw_text=20"},
    {CK_MESSAGES,
     "",
     {"{'id':'m1','platform':'p','role':'user','raw_text':'hello','observed_at':10}", 20},
     QUIET,
     "ages=20"},
    {CK_MESSAGES,
     "'original':'a'",
     {"{'id':'m1','original':'b'}", 20},
     QUIET,
     "original=b ages=10·original=20"},
    {CK_MESSAGES,
     "'original':'a'",
     {"{'id':'m1','original':'b','details':'{}'}", 20},
     CHANGED,
     "original=b details={}"},
    /* fixed fields stay, without an error */
    {CK_MESSAGES,
     "'created_at':1,'static_path':'msg/a/m1.txt'",
     {"{'id':'m1','created_at':2,'static_path':'msg/b/m1.txt'}", 20},
     SAME,
     "created_at=1 static_path=msg/a/m1.txt"},
    /* updated_at: the write's or now; alone it is no change */
    {CK_CONVERSATIONS,
     "'updated_at':5",
     {"{'local_conversation_id':'c1','updated_at':9}", 20},
     SAME,
     "updated_at=5"},
    {CK_CONVERSATIONS,
     "'updated_at':5",
     {"{'local_conversation_id':'c1','updated_at':9,'title':'t'}", 20},
     CHANGED,
     "updated_at=9"},
    {CK_CONVERSATIONS,
     "'updated_at':5",
     {"{'local_conversation_id':'c1','updated_at':2001,'title':'t'}", 20},
     CHANGED,
     "updated_at=2000"},
    {CK_CONVERSATIONS,
     "'updated_at':5",
     {"{'local_conversation_id':'c1','platform':'p'}", 20},
     QUIET,
     "updated_at=5"},
    /* the earliest and the greatest */
    {CK_CONVERSATIONS,
     "'created_at':7",
     {"{'local_conversation_id':'c1','created_at':9}", 20},
     SAME,
     "created_at=7"},
    {CK_CONVERSATIONS,
     "'created_at':7",
     {"{'local_conversation_id':'c1','created_at':3}", 1},
     CHANGED,
     "created_at=3 updated_at=2000"},
    {CK_CONVERSATIONS,
     "'newest_at':7",
     {"{'local_conversation_id':'c1','newest_at':9}", 1},
     CHANGED,
     "newest_at=9"},
    {CK_CONVERSATIONS,
     "'newest_at':7",
     {"{'local_conversation_id':'c1','newest_at':null}", 1},
     SAME,
     "newest_at=7"},
    {CK_CONVERSATIONS,
     "",
     {"{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':10,"
      "'newest_at':4102444800000}",
      20},
     CHANGED,
     "last_message_id=m1 last_message_at=10 newest_at=10"},
    {CK_SESSIONS,
     "'summary':'s'",
     {"{'id':'s1','started_at':2,'last_activity_at':9,'conversation_id':'r'}", 0},
     CHANGED,
     "started_at=2 last_activity_at=10 summary=s conversation_id=r"},
    {CK_SESSIONS,
     "",
     {"{'id':'s1','started_at':7,'last_activity_at':30}", 0},
     CHANGED,
     "started_at=5 last_activity_at=30"},
    {CK_SESSIONS,
     "'message_count':7",
     {"{'id':'s1','message_count':6}", 0},
     SAME,
     "message_count=7"},
    {CK_LINKS,
     "'page_url':'u','observed_at':20",
     {"{'link_id':'l1','page_url':'old','page_title':'t','is_active':0,'observed_at':10}", 0},
     CHANGED,
     "page_url=u page_title=t is_active=0 observed_at=20"},
    /* last_message_at goes with last_message_id, and back with it */
    {CK_CONVERSATIONS,
     "'last_message_id':'m2','last_message_at':20",
     {"{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':10}", 0},
     SAME,
     "last_message_id=m2 last_message_at=20 newest_at=20"},
    {CK_CONVERSATIONS,
     "'last_message_id':'m2','last_message_at':20",
     {"{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':10}", 30},
     CHANGED,
     "last_message_id=m1 last_message_at=10 newest_at=20"},
    {CK_CONVERSATIONS,
     "'last_message_id':'m1','last_message_at':10",
     {"{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':20}", 0},
     CHANGED,
     "last_message_id=m2 last_message_at=20 newest_at=20"},
    {CK_CONVERSATIONS,
     "'last_message_id':'m1','last_message_at':10",
     {"{'local_conversation_id':'c1','last_message_id':'m2','last_message_at':10}", 0},
     CHANGED,
     "last_message_id=m2"},
    {CK_CONVERSATIONS,
     "'last_message_id':'m2','last_message_at':10",
     {"{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':10}", 0},
     SAME,
     "last_message_id=m2"},
    {CK_CONVERSATIONS,
     "'last_message_id':'m1','last_message_at':10",
     {"{'local_conversation_id':'c1','last_message_id':'m1','last_message_at':11}", 0},
     CHANGED,
     "last_message_at=11"},
    {CK_CONVERSATIONS,
     "'last_message_id':'m1','last_message_at':10",
     {"{'local_conversation_id':'c1','last_message_id':null,'last_message_at':null}", 20},
     SAME,
     "last_message_id=m1 last_message_at=10"},
    /* without a time, an old message does not become the last one */
    {CK_CONVERSATIONS,
     "'last_message_id':'m1','last_message_at':10",
     {"{'local_conversation_id':'c1','last_message_id':'m2','created_at':30,'title':'t'}", 30},
     CHANGED,
     "last_message_id=m1 last_message_at=10 title=t"},
    /* times that nobody said: the earlier one is kept, and any that somebody says is better */
    {CK_EXECUTIONS,
     "'executed_at':10",
     {"{'instruction_id':'e1','created_at':5}", 0},
     SAME,
     "executed_at=10"},
    /* ages far ahead of the clock count as none: then it is the row's own time */
    {CK_MESSAGES, "", {"{'id':'m1','raw_text':'zzz'}", 86402001}, SAME, "raw_text=hello"},
    {CK_MESSAGES,
     "",
     {"{'id':'m1','raw_text':'zzz','observed_at':12}", 86402001},
     CHANGED,
     "raw_text=zzz ages=12·platform=10·role=10"},
    {CK_MESSAGES,
     "",
     {"{'id':'m1','raw_text':'zzz'}", 86402000},
     CHANGED,
     "ages=10·raw_text=86402000"},
    /* another store's row brings its ages */
    {CK_MESSAGES,
     "",
     {"{'id':'m1','raw_text':'a','role':'b','ages':'9 raw_text=11'}", 50},
     CHANGED,
     "raw_text=a role=user ages=10·raw_text=11"},
    {CK_CONVERSATIONS,
     "'title':'t'",
     {"{'local_conversation_id':'c1','title':'a','ages':'9 title=owner'}", 50},
     CHANGED,
     "title=a"},
    /* a summary is the beginning of the text, whatever is said of it */
    {CK_MESSAGES, "'summary':'s'", {"{'id':'m1','summary':'t'}", 20}, SAME, "summary=hello"},
    {CK_MESSAGES,
     "",
     {"{'id':'m1','raw_text':' a\\n\\u0000b ','summary':'s'}", 20},
     CHANGED,
     "summary=a·\xef\xbf\xbd"
     "b ages=10·raw_text=20"},
    {CK_MESSAGES, "", {"{'id':'m1','raw_text':'  '}", 20}, CHANGED, "summary=NULL"},
    {CK_MESSAGES, "", {"{'id':'m1','raw_text':'by hand'}", -1}, CHANGED, "summary=by·hand"},
    {CK_MESSAGES, "", {"{'id':'m1','summary':'s'}", -1}, -1, "messages.summary: cannot be changed"},
    {CK_EXECUTIONS,
     "'result_data':'d'",
     {"{'instruction_id':'e1','result_summary':'s'}", 20},
     SAME,
     "result_summary=d"},
    /* of a result that nobody gave it is what the sources say */
    {CK_EXECUTIONS,
     "'result_summary':'s'",
     {"{'instruction_id':'e1','result_summary':'t'}", 20},
     CHANGED,
     "result_summary=t ages=10·params_kind=none·result_ok=none·result_summary=20"},
    {CK_EXECUTIONS,
     "'result_summary':'s'",
     {"{'instruction_id':'e1','result_ok':1,'result_data':'d'}", 5},
     CHANGED,
     "result_summary=d ages=10·params_kind=none·result_ok=5·result_data=5"},
    {CK_EXECUTIONS,
     "",
     {"{'instruction_id':'e1','result_summary':'s'}", -1},
     -1,
     "executions.result_summary: cannot be changed"},
    /* the owner is above all */
    {CK_CONVERSATIONS,
     "'title':'t'",
     {"{'local_conversation_id':'c1','title':'a'}", -1},
     CHANGED,
     "title=a"},
    {CK_CONVERSATIONS,
     "'title':'z','last_message_at':50,'last_message_id':'m'",
     {"{'local_conversation_id':'c1','title':'a'}", -1},
     CHANGED,
     "title=a ages=50·title=owner"},
    {CK_CONVERSATIONS,
     "'title':'t'",
     {"{'local_conversation_id':'c1','title':null}", -1},
     SAME,
     "title=t"},
    {CK_CONVERSATIONS,
     "",
     {"{'local_conversation_id':'c1','cooldown_until':5}", -1},
     CHANGED,
     "cooldown_until=5"},
    {CK_CONVERSATIONS,
     "'cooldown_until':5",
     {"{'local_conversation_id':'c1','cooldown_until':null}", -1},
     CHANGED,
     "cooldown_until=NULL"},
    {CK_CONVERSATIONS,
     "",
     {"{'local_conversation_id':'c1','ages':'7'}", -1},
     -1,
     "local_conversations.ages: cannot be changed"},
    /* a job */
    {CK_JOBS,
     "",
     {"{'job_id':'j1','status':'done','attempt_count':2,'next_attempt_at':null}", -1},
     CHANGED,
     "status=done attempt_count=2 next_attempt_at=NULL message_id=m1 updated_at=2000"},
    {CK_JOBS,
     "",
     {"{'job_id':'j1','message_id':'m2'}", -1},
     -1,
     "renewal_jobs.message_id: cannot be changed (job_id j1)"},
    {CK_JOBS,
     "",
     {"{'job_id':'j1','local_conversation_id':'c2'}", -1},
     -1,
     "renewal_jobs.local_conversation_id: cannot be changed"},
    {CK_JOBS,
     "",
     {"{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','created_at':1}", -1},
     SAME,
     "created_at=1000"},
};

/* What rules_write has the new text of ages in must live as long as its row. */
struct record {
  struct ck_row row;
  struct rules_write how;
};

static void insert(struct record *r, struct ck_row *write, int64_t age, int64_t now) {
  struct ck_err err;
  r->how = (struct rules_write){.now = now, .age = age, .news = true};
  rules_time(write, NULL, &r->how);
  cr_assert_eq(rules_insert(&r->row, write, &r->how, &err), 0, "%s", err.text);
}

static int merge(struct record *r, const struct ck_row *old, struct ck_row write, int64_t age,
                 struct ck_err *err) {
  r->how = (struct rules_write){.now = 2000, .age = age < 0 ? 0 : age, .owner = age < 0};
  if (!r->how.owner) rules_time(&write, old, &r->how);
  return (int)rules_merge(&r->row, old, &write, &r->how, err);
}

/* `rules_least`, overridden by the members of json. */
static void old_row(struct record *r, enum ck_table t, const char *json) {
  struct ck_row whole = sh_row(t, rules_least[t]), more;
  struct ck_err err;
  char *object = ck_sprintf("{%s}", json);
  more = sh_row(t, object);
  free(object);
  for (int c = 0; c < ck_tables[t].columns; ++c)
    if (more.v[c].state != CK_LEFT_OUT) whole.v[c] = more.v[c];
  cr_assert_eq(rules_clean(&whole, &err), 0, "%s: %s", json, err.text);
  insert(r, &whole, 0, 1000);
}

static bool rows_equal(const struct ck_row *a, const struct ck_row *b) {
  for (int c = 0; c < ck_tables[a->table].columns; ++c)
    if (!ck_value_eq(a->v[c], b->v[c])) return false;
  return true;
}

/* expected's values have no blanks; · stands for one. */
static void expect_columns(const struct ck_row *row, const char *expected, const char *what) {
  char words[300];
  snprintf(words, sizeof words, "%s", expected);
  for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
    char *value = strchr(word, '='), *dot;
    *value++ = '\0';
    while ((dot = strstr(value, "·"))) {
      *dot = ' ';
      memmove(dot + 1, dot + 2, strlen(dot + 2) + 1);
    }
    cr_expect_str_eq(sh_value(row, word), value, "%s: %s is %s, not %s", what, word,
                     sh_value(row, word), value);
  }
}

Test(rules, merge) {
  for (size_t i = 0; i < sizeof merging / sizeof *merging; ++i) {
    const struct merge *m = &merging[i];
    struct ck_err err = {{0}};
    struct record old, out;
    struct ck_row write = sh_row(m->table, m->said.write);
    old_row(&old, m->table, m->old);
    cr_assert_eq(rules_clean(&write, &err), 0, "%s: %s", m->said.write, err.text);
    int rc = merge(&out, &old.row, write, m->said.age, &err);
    cr_expect_eq(rc, m->rc, "%s onto %s: %d %s", m->said.write, m->old, rc, rc < 0 ? err.text : "");
    if (rc != m->rc) continue;
    if (rc < 0)
      cr_expect(strstr(err.text, m->expected), "%s: %s", m->said.write, err.text);
    else
      expect_columns(&out.row, m->expected, m->said.write);
    if (rc == 0) cr_expect(rows_equal(&old.row, &out.row), "%s", m->said.write);
  }
}

/* ---- a time that nobody said ---- */

static struct ck_row message(const char *times) {
  struct ck_err err;
  char *json = ck_sprintf("{'id':'m1','platform':'p','role':'user','raw_text':'',%s}", times);
  struct ck_row row = sh_row(CK_MESSAGES, json);
  free(json);
  cr_assert_eq(rules_clean(&row, &err), 0, "%s", err.text);
  return row;
}

static void says(struct record *out, const struct record *old, const char *times, int64_t age,
                 const char *expected) {
  struct ck_err err;
  cr_assert_geq(merge(out, &old->row, message(times), age, &err), 0);
  expect_columns(&out->row, expected, times);
}

Test(rules, a_made_up_time_gives_way_to_any_that_is_said) {
  struct record first, second, third, fourth;
  struct ck_row write = message("'created_at':500");
  insert(&first, &write, 0, 1000);
  expect_columns(&first.row, "observed_at=500 created_at=500 ages=0·observed_at=none", "first");
  says(&second, &first, "'created_at':700", 0, "observed_at=500 created_at=500");
  says(&second, &first, "'created_at':300", 0, "observed_at=300 created_at=300");
  /* It stays a message that came without its time. */
  says(&third, &second, "'observed_at':900", 0, "observed_at=900 created_at=900");
  says(&fourth, &third, "'created_at':100", 0, "observed_at=900 created_at=900");
  says(&fourth, &third, "'observed_at':800", 950, "observed_at=800 created_at=800");
}

Test(rules, a_time_that_was_said_is_kept_apart_from_created_at) {
  struct record first, second;
  struct ck_row write = message("'observed_at':10,'created_at':500");
  insert(&first, &write, 0, 1000);
  says(&second, &first, "'observed_at':500", 0, "observed_at=500 created_at=501");
  says(&second, &first, "'created_at':5", 0, "observed_at=10 created_at=500");
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

/* Columns of the owner, whose order counts, are left out if `sources`. */
static struct ck_row any_write(enum ck_table t, bool whole, bool sources) {
  struct ck_row row = {.table = t};
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    if (f->kind == CK_K_AGES) continue;
    bool merges = f->flags & (CK_AGED | CK_FOLLOWS | CK_EARLIEST | CK_GREATEST);
    if ((whole && (f->flags & CK_REQUIRED)) || (sh_below(3) && (!sources || merges)))
      row.v[c] = any_value(t, f);
  }
  row.v[ck_tables[t].key] = ck_textz("key");
  /* Columns that a job's write may not change. */
  if (t == CK_JOBS)
    row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = row.v[CK_JOBS_MESSAGE_ID] = ck_textz("fixed");
  struct ck_err err;
  cr_assert_eq(rules_clean(&row, &err), 0, "%s", err.text);
  return row;
}

static void check_any(enum ck_table t) {
  struct ck_row first = any_write(t, true, false), write = any_write(t, false, false);
  struct record old, once, twice, again;
  struct ck_err err = {{0}};
  int64_t age = (int64_t)sh_below(4), later = t == CK_JOBS ? -1 : (int64_t)sh_below(5) - 1;
  if (later < 0 && ck_is_summary(t, ck_summaries[t].column))
    write.v[ck_summaries[t].column] = (struct ck_value){0}; /* refused */
  insert(&old, &first, age, 1000);
  cr_expect_eq(merge(&again, &old.row, first, t == CK_JOBS ? -1 : age, &err), RULES_SAME,
               "the write that made the record changes it");
  int rc = merge(&once, &old.row, write, later, &err);
  cr_assert_geq(rc, 0, "%s", err.text);
  cr_expect_eq(rc == RULES_SAME, rows_equal(&old.row, &once.row));
  cr_expect_eq(merge(&twice, &once.row, write, later, &err), RULES_SAME,
               "a write that came before changes something");
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    bool same = ck_value_eq(old.row.v[c], once.row.v[c]);
    cr_expect(once.row.v[c].state != CK_LEFT_OUT || f->kind == CK_K_PATH);
    cr_expect(same || !(f->flags & CK_KEY) || t == CK_MESSAGES, "%s.%s changed", ck_tables[t].name,
              f->name);
    cr_expect(same || later < 0 || !(f->flags & CK_AGED) || once.row.v[c].state != CK_NULL,
              "%s.%s was cleared by a source", ck_tables[t].name, f->name);
    if (rc == RULES_QUIET)
      cr_expect(same || (f->flags & CK_QUIET), "%s.%s changed quietly", ck_tables[t].name, f->name);
  }
}

Test(rules, any_write) {
  for (int i = 0; i < 60000; ++i) check_any((enum ck_table)(i % CK_TABLES));
}

/* ---- no order ---- */

#define SAYINGS 4

/* The records that the writes make in this order; the last one is what they end as. A record's text
 * may be that of the ones before it. */
static void in_order(struct record r[SAYINGS], const struct ck_row *writes, const int64_t *ages,
                     const int *order) {
  struct ck_err err;
  struct ck_row first = writes[order[0]];
  insert(&r[0], &first, ages[order[0]], 2000);
  for (int i = 1; i < SAYINGS; ++i)
    cr_assert_geq(merge(&r[i], &r[i - 1].row, writes[order[i]], ages[order[i]], &err), 0);
}

static void check_orders(enum ck_table t) {
  struct ck_row writes[SAYINGS];
  int64_t ages[SAYINGS];
  int order[SAYINGS] = {0, 1, 2, 3};
  struct record ones[SAYINGS], others[SAYINGS];
  const struct ck_row *one = &ones[SAYINGS - 1].row, *other = &others[SAYINGS - 1].row;
  for (int i = 0; i < SAYINGS; ++i) {
    writes[i] = any_write(t, true, true);
    ages[i] = (int64_t)sh_below(4);
    if (t == CK_CONVERSATIONS && writes[i].v[CK_CONVERSATIONS_LAST_MESSAGE_ID].state == CK_TEXT)
      writes[i].v[CK_CONVERSATIONS_LAST_MESSAGE_AT] = ck_int((int64_t)sh_below(4));
    else if (t == CK_CONVERSATIONS)
      writes[i].v[CK_CONVERSATIONS_LAST_MESSAGE_AT] = (struct ck_value){0};
  }
  in_order(ones, writes, ages, order);
  for (int i = SAYINGS; i > 1; --i) {
    int k = (int)sh_below((uint64_t)i), swap = order[k];
    order[k] = order[i - 1];
    order[i - 1] = swap;
  }
  in_order(others, writes, ages, order);
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    if (f->flags & (CK_FIXED | CK_TOUCHED)) continue;
    cr_expect(ck_value_eq(one->v[c], other->v[c]), "%s.%s depends on the order: %s, %s",
              ck_tables[t].name, f->name, sh_value(one, f->name), sh_value(other, f->name));
  }
}

Test(rules, the_order_of_sources_does_not_matter) {
  for (int i = 0; i < 60000; ++i) check_orders((enum ck_table)(i % CK_JOBS));
}
