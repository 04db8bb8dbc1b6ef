/* docs/openapi.yaml against the tables of webd and of the store: routes, scopes, arguments,
 * columns, refusals. What is answered is compared by tests/web/openapi.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/conversation_change.h"
#include "proto/file.h"
#include "proto/filters.h"
#include "tests/openapi/openapi.h"
#include "webd/webd.h"

#include <fcntl.h>

static json_t *document(void) {
  char *why;
  json_t *doc = t_openapi_read("docs/openapi.yaml", &why);
  cr_assert_null(why, "docs/openapi.yaml: %s", why);
  if (!doc) cr_skip_test("docs/openapi.yaml is not below the working directory");
  return doc;
}

static const char *text(const json_t *o, const char *name) {
  const char *value = json_string_value(json_object_get(o, name));
  return value ? value : "";
}

static json_t *schema(const json_t *doc, const char *name) {
  json_t *all = json_object_get(json_object_get(doc, "components"), "schemas"),
         *one = json_object_get(all, name);
  cr_assert(one, "there is no schema %s", name);
  return one;
}

/* ---- lists of words, as sorted lines ---- */

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

struct list {
  char *lines[200];
  size_t n;
};

static void add(struct list *l, char *line) {
  cr_assert(l->n < sizeof l->lines / sizeof *l->lines);
  l->lines[l->n++] = line;
}

/* Of words with one of these between them. */
static void add_words(struct list *l, const char *words, const char *between) {
  char *copy = ck_strdup(words), *rest = copy;
  for (char *word; (word = strsep(&rest, between));)
    if (*word) add(l, ck_strdup(word));
  free(copy);
}

static char *joined(struct list *l) {
  struct ck_buf b = {0};
  qsort(l->lines, l->n, sizeof *l->lines, by_text);
  for (size_t i = 0; i < l->n; ++i) {
    ck_buf_printf(&b, "%s\n", l->lines[i]);
    free(l->lines[i]);
  }
  ck_buf_cstr(&b);
  l->n = 0;
  return b.data;
}

static void same(struct list *there, struct list *here, const char *what) {
  char *a = joined(there), *b = joined(here);
  cr_expect_str_eq(a, b, "%s: described:\n%sbut it is:\n%s", what, a, b);
  free(a);
  free(b);
}

static void same_enum(const json_t *of, const char *choices, const char *what) {
  struct list there = {0}, here = {0};
  const json_t *word;
  size_t i;
  json_array_foreach(json_object_get(of, "enum"), i, word)
      add(&there, ck_strdup(json_string_value(word)));
  add_words(&here, choices, "|");
  same(&there, &here, what);
}

/* ---- routes ---- */

static void add_operation(void *self, const char *method, const char *path,
                          const json_t *operation) {
  struct ck_buf scopes = {0};
  const json_t *scope;
  size_t i;
  json_array_foreach(json_object_get(operation, "x-scopes"), i, scope)
      ck_buf_printf(&scopes, "%s%s", i ? "," : "", json_string_value(scope));
  add(self, ck_sprintf("%s %s %s", method, path, ck_buf_cstr(&scopes)));
  ck_buf_free(&scopes);
}

Test(web_openapi, describes_what_is_served) {
  json_t *doc = document();
  struct list there = {0}, here = {0};
  t_openapi_each(doc, add_operation, &there);
  for (const struct web_route *r = web_api_routes; r->path; ++r) {
    struct ck_buf words = {0};
    ck_scopes_text(&words, r->scopes);
    add(&here, ck_sprintf("%s %s %s", web_method_names[r->method], r->path, ck_buf_cstr(&words)));
    ck_buf_free(&words);
  }
  same(&there, &here, "routes");
  json_decref(doc);
}

/* ---- arguments ---- */

static const struct web_route *route_of(const char *method, const char *path) {
  const struct web_route *r = web_api_routes;
  while (r->path && (strcmp(web_method_names[r->method], method) || strcmp(r->path, path))) ++r;
  cr_assert(r->path, "%s %s is not served", method, path);
  return r;
}

/* The table of the list that the path is. */
static enum ck_table table_of(const char *path) {
  enum ck_table t = 0;
  while (t < CK_TABLES && strcmp(strrchr(path, '/') + 1, ck_tables[t].word) != 0) ++t;
  cr_assert_lt((int)t, CK_TABLES, "%s is a list of no table", path);
  return t;
}

static void check_filter(enum ck_table table, const json_t *p) {
  struct ck_filter f;
  const char *name = text(p, "name");
  const json_t *s = json_object_get(p, "schema");
  if (ck_filter_named(&f, ck_tables[table].name, ck_str_of(name))) return; /* limit, cursor */
  const char *choices = f.by == CK_BY_SORT ? f.column : f.field ? f.field->choices : NULL;
  bool number = f.field && ck_kind_is_int(f.field->kind) && f.field->kind != CK_K_TIME;
  cr_expect_str_eq(text(s, "type"), number ? "integer" : "string", "%s", name);
  if (choices) same_enum(s, choices, name);
}

static void check_arguments(void *self, const char *method, const char *path,
                            const json_t *operation) {
  const json_t *doc = self, *one;
  const struct web_route *route = route_of(method, path);
  struct list there = {0}, here = {0};
  struct ck_buf names = {0};
  size_t i;
  if (route->args) {
    ck_buf_text(&names, route->args);
  } else {
    ck_buf_text(&names, "limit cursor ");
    ck_filter_names(&names, ck_tables[table_of(path)].name, " ");
  }
  add_words(&here, ck_buf_cstr(&names), " ");
  ck_buf_free(&names);
  json_array_foreach(json_object_get(operation, "parameters"), i, one) {
    const json_t *p = t_openapi_of(doc, one);
    if (strcmp(text(p, "in"), "query") != 0) continue;
    add(&there, ck_strdup(text(p, "name")));
    if (!route->args) check_filter(table_of(path), p);
  }
  same(&there, &here, path);
}

Test(web_openapi, arguments) {
  json_t *doc = document();
  t_openapi_each(doc, check_arguments, doc);
  json_decref(doc);
}

Test(web_openapi, what_of_a_conversation_can_be_changed) {
  json_t *doc = document(), *at = doc, *one;
  static const char *const path[] = {"paths",   "/v1/conversations/{id}", "post",   "requestBody",
                                     "content", "application/json",       "schema", "properties"};
  struct list there = {0}, here = {0};
  const char *name;
  for (size_t i = 0; i < sizeof path / sizeof *path; ++i) at = json_object_get(at, path[i]);
  json_object_foreach(at, name, one) add(&there, ck_strdup(name));
#define CK_F(field, option, member) add(&here, ck_strdup(member));
  CK_CONVERSATION_CHANGES(CK_F)
#undef CK_F
  same(&there, &here, "members");
  json_decref(doc);
}

/* ---- columns ---- */

/* besides: members that are no columns. */
static void check_columns(const json_t *doc, const char *name, enum ck_table table,
                          const char *besides) {
  const struct ck_table_info *info = &ck_tables[table];
  const json_t *s = schema(doc, name), *properties = json_object_get(s, "properties");
  struct list there = {0}, here = {0};
  const char *member;
  json_t *one;
  json_object_foreach((json_t *)properties, member, one) add(&there, ck_strdup(member));
  add_words(&here, besides, " ");
  for (int i = 0; i < info->mirrored; ++i) {
    const struct ck_field *f = &info->fields[i];
    const json_t *p = json_object_get(properties, f->name);
    add(&here, ck_strdup(f->name));
    cr_expect_str_eq(text(p, "type"), ck_kind_is_int(f->kind) ? "integer" : "string", "%s.%s", name,
                     f->name);
    cr_expect_eq(json_is_true(json_object_get(p, "nullable")), (f->flags & CK_OPTIONAL) != 0,
                 "%s.%s", name, f->name);
    if (f->choices && f->kind == CK_K_CHOICE) same_enum(p, f->choices, f->name);
  }
  same(&there, &here, name);
}

Test(web_openapi, columns) {
  json_t *doc = document();
  check_columns(doc, "Conversation", CK_CONVERSATIONS, "renewal first_question");
  check_columns(doc, "Message", CK_MESSAGES, "");
  check_columns(doc, "Job", CK_JOBS, "");
  json_decref(doc);
}

/* ---- refusals ---- */

struct refusals {
  const json_t *doc;
  bool described[WEB_REFUSALS]; /* the word is in an answer of its status */
};

static const unsigned statuses[] = {
#define WEB_R(NAME, word, status, what) status,
    WEB_REFUSAL_LIST(WEB_R)
#undef WEB_R
};

static void check_word(struct refusals *all, const char *word, unsigned status) {
  for (int i = 0; i < WEB_REFUSALS; ++i) {
    if (strcmp(web_refusal_words[i], word) != 0) continue;
    cr_expect_eq(statuses[i], status, "%s has the status %u, not %u", word, statuses[i], status);
    all->described[i] = true;
    return;
  }
  cr_expect(false, "%s is the word of no refusal", word);
}

/* The words that the schema, or a part of it, has for `error`. */
static void check_words(struct refusals *all, const json_t *at, unsigned status) {
  static const char *const parts[] = {"allOf", "oneOf"};
  const json_t *s = t_openapi_of(all->doc, at), *one,
               *error = json_object_get(json_object_get(s, "properties"), "error");
  size_t i;
  json_array_foreach(json_object_get(error, "enum"), i, one)
      check_word(all, json_string_value(one), status);
  for (size_t k = 0; k < sizeof parts / sizeof *parts; ++k)
    json_array_foreach(json_object_get(s, parts[k]), i, one) check_words(all, one, status);
}

static const json_t *schema_of(const json_t *answer) {
  const json_t *content = json_object_get(answer, "content");
  return json_object_get(json_object_get(content, "application/json"), "schema");
}

/* Every operation can be answered with what any can, but for 404, 409 and 422; an open one does not
 * want a token. */
static void check_refusals(void *self, const char *method, const char *path,
                           const json_t *operation) {
  struct refusals *all = self;
  json_t *answers = json_object_get(operation, "responses"), *one;
  const char *code;
  json_object_foreach(answers, code, one) {
    unsigned status = (unsigned)atoi(code);
    if (status >= 400) check_words(all, schema_of(t_openapi_of(all->doc, one)), status);
  }
  bool open = route_of(method, path)->flags & WEB_OPEN;
  static const char *const every[] = {"400", "401", "403", "405", "413",
                                      "421", "429", "500", "503"};
  for (size_t i = 0; i < sizeof every / sizeof *every; ++i)
    cr_expect_eq(json_object_get(answers, every[i]) != NULL, !open || strcmp(every[i], "401") != 0,
                 "%s %s: %s", method, path, every[i]);
}

Test(web_openapi, refusals) {
  struct refusals all = {.doc = document()};
  t_openapi_each(all.doc, check_refusals, &all);
  const char *description = text(json_object_get(all.doc, "info"), "description");
  for (int i = 0; i < WEB_REFUSALS; ++i) {
    char *word = ck_sprintf("`%s` (%u)", web_refusal_words[i], statuses[i]);
    cr_expect(all.described[i] != (strstr(description, word) != NULL),
              "%s must be a word of an answer, or be told in the description", word);
    free(word);
  }
  json_decref((json_t *)all.doc);
}

/* docs/web.md has each refusal with its status. */
Test(web_openapi, every_refusal) {
  static const char *const rows[] = {
#define WEB_R(NAME, word, status, what) "| `" word "` | " #status " | " what " |",
      WEB_REFUSAL_LIST(WEB_R)
#undef WEB_R
  };
  struct ck_buf text_of = {0};
  if (ck_read_file(AT_FDCWD, "docs/web.md", 0, 1u << 20, &text_of, NULL))
    cr_skip_test("docs/web.md is not below the working directory");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
    cr_expect(strstr(ck_buf_cstr(&text_of), rows[i]), "missing: %s", rows[i]);
  ck_buf_free(&text_of);
}
