/* YAML as JSON, by libyaml's events. Of YAML: no anchors, no tags, one document. */
#include "tests/openapi/openapi.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "proto/text.h"

struct reader {
  yaml_parser_t parser;
  yaml_event_t event;
  char *why; /* NULL: nothing is wrong so far */
};

static void fail(struct reader *r, const char *why) {
  if (!r->why) r->why = ck_sprintf("line %zu: %s", r->event.start_mark.line + 1, why);
}

static bool next(struct reader *r) {
  yaml_event_delete(&r->event);
  if (yaml_parser_parse(&r->parser, &r->event)) return true;
  memset(&r->event, 0, sizeof r->event);
  if (!r->why)
    r->why = ck_sprintf("line %zu: %s", r->parser.problem_mark.line + 1, r->parser.problem);
  return false;
}

/* Text that stands without quotes may be a number, a truth value or null. */
static json_t *scalar(const yaml_event_t *e) {
  const char *text = (const char *)e->data.scalar.value;
  json_t *value = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
                      ? json_loads(text, JSON_DECODE_ANY, NULL)
                      : NULL;
  if (json_is_number(value) || json_is_boolean(value) || json_is_null(value)) return value;
  json_decref(value);
  return json_stringn(text, e->data.scalar.length);
}

static json_t *value_of(struct reader *r);

static json_t *sequence(struct reader *r) {
  json_t *all = json_array();
  while (next(r) && r->event.type != YAML_SEQUENCE_END_EVENT)
    json_array_append_new(all, value_of(r));
  return all;
}

static json_t *mapping(struct reader *r) {
  json_t *all = json_object();
  while (next(r) && r->event.type == YAML_SCALAR_EVENT) {
    char *name = ck_strdup((const char *)r->event.data.scalar.value);
    if (json_object_get(all, name)) fail(r, "the member is there twice");
    if (next(r)) json_object_set_new(all, name, value_of(r));
    free(name);
  }
  if (!r->why && r->event.type != YAML_MAPPING_END_EVENT) fail(r, "a member's name is no text");
  return all;
}

/* Of the event at hand. */
static json_t *value_of(struct reader *r) {
  if (r->why) return json_null();
  switch (r->event.type) {
  case YAML_SCALAR_EVENT:
    return scalar(&r->event);
  case YAML_SEQUENCE_START_EVENT:
    return sequence(r);
  case YAML_MAPPING_START_EVENT:
    return mapping(r);
  default:
    fail(r, "something else than a value");
    return json_null();
  }
}

json_t *t_openapi_read(const char *path, char **why) {
  struct reader r = {0};
  json_t *doc = NULL;
  *why = NULL;
  FILE *file = fopen(path, "r");
  if (!file) {
    if (errno != ENOENT) *why = ck_sprintf("%s: %s", path, strerror(errno));
    return NULL;
  }
  if (!yaml_parser_initialize(&r.parser)) abort();
  yaml_parser_set_input_file(&r.parser, file);
  while (!doc && next(&r))
    if (r.event.type == YAML_MAPPING_START_EVENT) doc = value_of(&r);
  yaml_event_delete(&r.event);
  yaml_parser_delete(&r.parser);
  fclose(file);
  if (!r.why) return doc;
  *why = r.why;
  json_decref(doc);
  return NULL;
}
