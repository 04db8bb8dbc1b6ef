/* GET /v1/conversations, /v1/messages, /v1/jobs: the rows of a table, filtered, page by page; and
 * one conversation. Filters, order and cursors are the store's (docs/records.md). */
#include "webd/api/api.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/filters.h"
#include "proto/json.h"
#include "proto/map.h"
#include "proto/moment.h"

#define LIMIT 50
#define LIMIT_MAX 1000

/* ---- arguments ---- */

bool web_arg_number(struct web_request *r, const char *name, int64_t least, int64_t most,
                    int64_t *value) {
  const char *text = web_arg(r, name);
  char *end;
  if (!text) return true;
  long long n = strtoll(text, &end, 10);
  if (*text && !*end && n >= least && n <= most && strlen(text) < 19) {
    *value = n;
    return true;
  }
  web_refuse(r, WEB_REFUSED_ARGUMENT, "%s: a number from %lld to %lld, not \"%.40s\"", name,
             (long long)least, (long long)most, text);
  return false;
}

bool web_arg_moment(struct web_request *r, const char *name, int64_t *ms) {
  struct ck_err err;
  const char *text = web_arg(r, name);
  if (!text || ck_moment_parse(text, ck_now_ms(), ms, &err) == 0) return true;
  web_refuse(r, WEB_REFUSED_ARGUMENT, "%s: %s", name, err.text);
  return false;
}

/* ---- filters ---- */

struct filters {
  const char *table;
  struct ck_map map;
  struct ck_err err;
};

static bool is_time(const struct ck_filter *f) {
  return f->by == CK_BY_SINCE || f->by == CK_BY_UNTIL || (f->field && f->field->kind == CK_K_TIME);
}

static bool is_choice(const char *choices, const char *value) {
  size_t n = strlen(value);
  for (const char *at = choices; at; at = strchr(at, '|'), at = at ? at + 1 : NULL)
    if (strncmp(at, value, n) == 0 && (at[n] == '|' || !at[n])) return true;
  return false;
}

static int put_filter(struct filters *f, const char *name, const char *value) {
  struct ck_filter known;
  int64_t ms;
  char *end;
  if (ck_filter_named(&known, f->table, ck_str_of(name))) {
    struct ck_buf names = {0};
    ck_filter_names(&names, f->table, ", ");
    ck_fail(&f->err, "%.40s: there is no such filter; there are limit, cursor, %s", name,
            ck_buf_cstr(&names));
    ck_buf_free(&names);
    return -1;
  }
  const char *choices = known.by == CK_BY_SORT ? known.column
                        : known.field          ? known.field->choices
                                               : NULL;
  if (choices && !is_choice(choices, value))
    return ck_fail(&f->err, "%s: one of %s, not \"%.40s\"", name, choices, value);
  if (is_time(&known)) {
    if (ck_moment_parse(value, ck_now_ms(), &ms, &f->err)) return ck_fail_in(&f->err, "%s", name);
    ck_pair_int(&f->map, name, ms);
    return 0;
  }
  if (!known.field || !ck_kind_is_int(known.field->kind)) {
    ck_pair_text(&f->map, name, value);
    return 0;
  }
  long long n = strtoll(value, &end, 10);
  if (!*value || *end) return ck_fail(&f->err, "%s: a number, not \"%.40s\"", name, value);
  ck_pair_int(&f->map, name, n);
  return 0;
}

static bool take_argument(void *self, const char *name, const char *value) {
  struct filters *f = self;
  if (strcmp(name, "limit") == 0 || strcmp(name, "cursor") == 0) return true;
  return put_filter(f, name, value) == 0;
}

/* ---- the answer ---- */

struct list {
  struct webd *w;
  struct web_request *r;
  enum ck_table table;
  bool one; /* a single record, which must be there */
  json_t *records;
  char *next; /* NULL: there are no more */
  int64_t head;
};

static json_t *records_of(enum ck_table table, struct ck_str rows) {
  json_t *all = ck_json_of(rows), *row, *list = json_is_array(all) ? json_array() : NULL;
  size_t i;
  if (list) json_array_foreach(all, i, row) json_array_append_new(list, ck_record_json(table, row));
  json_decref(all);
  return list;
}

static void list_free(struct list *l) {
  json_decref(l->records);
  free(l->next);
  free(l);
}

static void answer_one(struct list *l) {
  json_t *record = json_incref(json_array_get(l->records, 0));
  if (record)
    web_answer_json(l->r, 200, record);
  else
    web_refuse(l->r, WEB_REFUSED_MISSING, "there is no conversation of that id");
}

static void answer(void *self, const struct web_said *trouble) {
  struct list *l = self;
  if (trouble)
    web_refuse_said(l->r, "the store", trouble);
  else if (l->one)
    answer_one(l);
  else
    web_answer_json(l->r, 200,
                    json_pack("{s:O, s:s?, s:I}", ck_tables[l->table].word, l->records, "next",
                              l->next, "version", (json_int_t)l->head));
  list_free(l);
}

static void take_rows(struct list *l, const struct ck_rows *rows) {
  l->records = records_of(l->table, rows->rows);
  l->next = rows->cursor.n ? ck_str_dup(rows->cursor) : NULL;
  l->head = (int64_t)rows->head;
  if (!l->records) {
    web_refuse_strange(l->r, "the store");
    list_free(l);
  } else if (l->table == CK_CONVERSATIONS) {
    web_first_questions(l->w, l->records, answer, l);
  } else if (l->table == CK_JOBS) {
    web_job_states(l->w, l->records, answer, l);
  } else {
    answer(l, NULL);
  }
}

static void heard(void *self, const struct web_said *said) {
  struct list *l = self;
  if (said->answer && said->answer->kind == CK_MSG_ROWS) {
    take_rows(l, &said->answer->as.rows);
    return;
  }
  if (!said->answer)
    web_refuse_said(l->r, "the store", said);
  else
    web_refuse_strange(l->r, "the store");
  list_free(l);
}

static void ask(struct webd *w, struct list l, struct ck_str filters, int64_t limit) {
  struct ck_message m = {.kind = CK_MSG_QUERY};
  struct list *kept = ck_alloc(sizeof *kept);
  *kept = l;
  kept->w = w;
  m.as.query = (struct ck_query){.table = ck_str_of(ck_tables[l.table].name),
                                 .filters = filters,
                                 .limit = (uint64_t)limit,
                                 .cursor = ck_str_of(l.one ? NULL : web_arg(l.r, "cursor"))};
  if (web_ask(w->store, &m, WEB_ANSWER_MS, heard, kept) == 0) return;
  web_refuse(l.r, WEB_REFUSED_ARGUMENT, "the filters are too long");
  list_free(kept);
}

static void list(struct webd *w, struct web_request *r, enum ck_table table) {
  struct ck_buf b = {0};
  struct filters f = {.table = ck_tables[table].name};
  int64_t limit = LIMIT;
  if (!web_arg_number(r, "limit", 1, LIMIT_MAX, &limit)) return;
  f.map = ck_map_open(&b);
  bool ok = web_args(r, take_argument, &f);
  ck_map_close(&f.map);
  if (ok)
    ask(w, (struct list){.r = r, .table = table}, ck_buf_view(&b), limit);
  else
    web_refuse(r, WEB_REFUSED_ARGUMENT, "%s", f.err.text);
  ck_buf_free(&b);
}

void web_api_conversations(void *self, struct web_request *r) { list(self, r, CK_CONVERSATIONS); }
void web_api_messages(void *self, struct web_request *r) { list(self, r, CK_MESSAGES); }
void web_api_jobs(void *self, struct web_request *r) { list(self, r, CK_JOBS); }

void web_api_conversation(void *self, struct web_request *r) {
  struct ck_buf b = {0};
  struct ck_map map = ck_map_open(&b);
  ck_pair_str(&map, "local_conversation_id", web_part(r, 0));
  ck_map_close(&map);
  ask(self, (struct list){.r = r, .table = CK_CONVERSATIONS, .one = true}, ck_buf_view(&b), 1);
  ck_buf_free(&b);
}
