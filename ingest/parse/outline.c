/* See outline.h. */
#include "ingest/parse/outline.h"

#include <assert.h>

#include "ingest/parse/breath.h"
#include "ingest/parse/json.h"
#include "ingest/parse/json_build.h"

struct span {
  const json_t *value; /* that stands for it */
  size_t at, n;
};

json_t *ingest_outline_add(struct ingest_outline *o, size_t at, size_t end) {
  json_t *value = json_integer((json_int_t)(o->spans.len / sizeof(struct span)));
  const struct span span = {value, at, end - at};
  ck_buf_add(&o->spans, &span, sizeof span);
  return value;
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
  json_t *child =
      ingest_json_build(o->bytes + span->at, span->n, INGEST_JSON_DEPTH, SIZE_MAX, &replaced, NULL);
  assert(child); /* it was checked */
  return child;
}

void ingest_outline_free(struct ingest_outline *o) { ck_buf_free(&o->spans); }
