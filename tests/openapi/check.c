/* Schemas of docs/openapi.yaml: whether a value is as they have it. */
#include "tests/openapi/openapi.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

static const char *text(const json_t *o, const char *name) {
  const char *value = json_string_value(json_object_get(o, name));
  return value ? value : "";
}

const json_t *t_openapi_of(const json_t *doc, const json_t *at) {
  const char *ref = text(at, "$ref");
  if (strncmp(ref, "#/", 2) != 0) return at;
  char *path = ck_strdup(ref + 2), *rest = path;
  const json_t *to = doc;
  for (char *name; (name = strsep(&rest, "/"));) to = json_object_get(to, name);
  free(path);
  return to ? t_openapi_of(doc, to) : NULL;
}

void t_openapi_each(const json_t *doc,
                    void (*each)(void *self, const char *method, const char *path,
                                 const json_t *operation),
                    void *self) {
  const char *path, *method;
  json_t *item, *operation;
  json_object_foreach(json_object_get(doc, "paths"), path, item)
      json_object_foreach(item, method, operation) {
    char *upper = ck_strdup(method);
    for (char *c = upper; *c; ++c) *c = (char)toupper((unsigned char)*c);
    each(self, upper, path, operation);
    free(upper);
  }
}

/* ---- values ---- */

static bool is_type(const json_t *value, const char *type) {
  return strcmp(type, "string") == 0    ? json_is_string(value)
         : strcmp(type, "integer") == 0 ? json_is_integer(value)
         : strcmp(type, "number") == 0  ? json_is_number(value)
         : strcmp(type, "boolean") == 0 ? json_is_boolean(value)
         : strcmp(type, "array") == 0   ? json_is_array(value)
         : strcmp(type, "object") == 0  ? json_is_object(value)
                                        : !*type;
}

static char *said(const json_t *value, const char *what, const char *wanted) {
  char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT),
       *why = ck_sprintf(": %s %s, not %.200s", what, wanted, json);
  free(json);
  return why;
}

/* The place before what is wrong there; why is given up. */
static char *at(const char *place, char *why) {
  char *whole = why ? ck_sprintf(".%s%s", place, why) : NULL;
  free(why);
  return whole;
}

static char *wrong_enum(const json_t *schema, const json_t *value) {
  const json_t *all = json_object_get(schema, "enum"), *one;
  size_t i;
  if (!all) return NULL;
  json_array_foreach(all, i, one) if (json_equal(one, value)) return NULL;
  char *words = json_dumps(all, JSON_COMPACT), *why = said(value, "one of", words);
  free(words);
  return why;
}

static char *wrong_range(const json_t *schema, const json_t *value) {
  const json_t *least = json_object_get(schema, "minimum"),
               *most = json_object_get(schema, "maximum");
  double n = json_number_value(value);
  if (!json_is_number(value)) return NULL;
  if (least && n < json_number_value(least)) return said(value, "at least", "minimum");
  return most && n > json_number_value(most) ? said(value, "at most", "maximum") : NULL;
}

/* How many of the schemas the value fits. */
static size_t fitting(const json_t *doc, const json_t *schemas, const json_t *value) {
  const json_t *one;
  size_t i, n = 0;
  json_array_foreach(schemas, i, one) {
    char *why = t_openapi_wrong(doc, one, value);
    n += !why;
    free(why);
  }
  return n;
}

static char *wrong_choice(const json_t *doc, const json_t *schema, const json_t *value) {
  const json_t *one = json_object_get(schema, "oneOf"), *any = json_object_get(schema, "anyOf");
  if (one && fitting(doc, one, value) != 1) return said(value, "of one schema of", "oneOf");
  if (any && !fitting(doc, any, value)) return said(value, "of a schema of", "anyOf");
  return NULL;
}

static char *wrong_array(const json_t *doc, const json_t *schema, const json_t *value) {
  const json_t *items = json_object_get(schema, "items"), *one;
  size_t i;
  if (!items) return ck_strdup(": its schema does not say what is in the array");
  json_array_foreach(value, i, one) {
    char *why = t_openapi_wrong(doc, items, one), place[24];
    snprintf(place, sizeof place, "%zu", i);
    if (why) return at(place, why);
  }
  return NULL;
}

/* additionalProperties false is as if it were not there. */
static char *wrong_object(const json_t *doc, const json_t *schema, const json_t *value) {
  const json_t *properties = json_object_get(schema, "properties"),
               *others = json_object_get(schema, "additionalProperties"), *name;
  const char *member;
  json_t *one;
  size_t i;
  json_array_foreach(json_object_get(schema, "required"), i, name) {
    const char *required = json_string_value(name);
    if (!json_object_get(value, required)) return ck_sprintf(": %s is missing", required);
  }
  json_object_foreach((json_t *)value, member, one) {
    const json_t *of = json_object_get(properties, member);
    if (!of && json_is_true(others)) continue;
    if (!of && json_is_object(others)) of = others;
    char *why = of ? t_openapi_wrong(doc, of, one) : ck_strdup(": is not documented");
    if (why) return at(member, why);
  }
  return NULL;
}

/* A schema that has what all of them have: of a member that is there twice, the last counts. */
static void put_together(const json_t *doc, json_t *whole, const json_t *schemas) {
  const json_t *one;
  size_t i;
  json_array_foreach(schemas, i, one) {
    const json_t *s = t_openapi_of(doc, one);
    put_together(doc, whole, json_object_get(s, "allOf"));
    json_object_update(json_object_get(whole, "properties"), json_object_get(s, "properties"));
    if (json_object_get(s, "required"))
      json_array_extend(json_object_get(whole, "required"), json_object_get(s, "required"));
  }
}

static char *wrong_all_of(const json_t *doc, const json_t *schemas, const json_t *value) {
  json_t *whole = json_pack("{s:s, s:[], s:{}}", "type", "object", "required", "properties");
  put_together(doc, whole, schemas);
  char *why = t_openapi_wrong(doc, whole, value);
  json_decref(whole);
  return why;
}

char *t_openapi_wrong(const json_t *doc, const json_t *schema, const json_t *value) {
  const json_t *s = t_openapi_of(doc, schema), *all = json_object_get(s, "allOf");
  if (!s) return ck_sprintf(": there is no %s", text(schema, "$ref"));
  if (all) return wrong_all_of(doc, all, value);
  if (json_is_null(value) && json_is_true(json_object_get(s, "nullable"))) return NULL;
  const char *type = text(s, "type");
  if (!is_type(value, type)) return said(value, "of the type", type);
  char *why = wrong_enum(s, value);
  if (!why) why = wrong_range(s, value);
  if (!why) why = wrong_choice(doc, s, value);
  if (!why && strcmp(type, "array") == 0) why = wrong_array(doc, s, value);
  if (!why && strcmp(type, "object") == 0) why = wrong_object(doc, s, value);
  return why;
}
