/* See outline.h. */
#include "ingest/parse/outline.h"

#include <assert.h>
#include <string.h>

#include "ingest/parse/breath.h"
#include "ingest/parse/json.h"

struct span {
  const json_t *value; /* that stands for it */
  size_t at, n;
};

static json_t *add(void *self, size_t at, size_t end) {
  struct ingest_outline *o = self;
  json_t *value = json_integer((json_int_t)(o->spans.len / sizeof(struct span)));
  const struct span span = {value, at, end - at};
  ck_buf_add(&o->spans, &span, sizeof span);
  return value;
}

/* Other formats have `messages`, too. */
static bool holds_messages(const json_t *root, const char *name) {
  if (strcmp(name, "messages") == 0) return json_is_integer(json_object_get(root, "convkeep"));
  return strcmp(name, "mapping") == 0 || strcmp(name, "chat_messages") == 0;
}

json_t *ingest_outline_build(struct ingest_outline *o, const struct ck_json_text *text) {
  const struct ck_json_outline outline = {o, holds_messages, add};
  struct ck_json_text outlined = *text;
  outlined.outline = &outline;
  o->bytes = text->bytes;
  return ck_json_build(&outlined, &o->end);
}

/* NULL: the value stands for itself. */
static const struct span *span_of(const struct ingest_outline *o, const json_t *value) {
  if (!o || !json_is_integer(value)) return NULL;
  const struct span *spans = (const struct span *)(const void *)o->spans.data;
  size_t i = (size_t)json_integer_value(value);
  return i < o->spans.len / sizeof *spans && spans[i].value == value ? &spans[i] : NULL;
}

json_t *ingest_outline_child(struct ingest_outline *o, json_t *value) {
  unsigned replaced = 0; /* was counted when the child was checked */
  const struct span *span = span_of(o, value);
  if (!span) return json_incref(value);
  o->since += span->n;
  if (o->since >= INGEST_BREATH_BYTES) {
    o->since = 0;
    ingest_breathe();
  }
  const struct ck_json_text text = {.bytes = o->bytes + span->at,
                                    .n = span->n,
                                    .depth = INGEST_JSON_DEPTH,
                                    .values = SIZE_MAX,
                                    .replaced = &replaced,
                                    .breathe = ingest_breathe,
                                    .breath_bytes = INGEST_BREATH_BYTES};
  json_t *child = ck_json_build(&text, NULL);
  assert(child); /* it was checked */
  return child;
}

void ingest_outline_free(struct ingest_outline *o) { ck_buf_free(&o->spans); }
