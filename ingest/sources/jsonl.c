/* Observations, as JSON lines or in an array: docs/cli.md has their names. */
#include "ingest/sources/source.h"

static bool knows(const json_t *element) {
  static const char *const names[] = {"platform", "text", "execution", "message_id", "observed_at"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    if (json_object_get(element, names[i])) return true;
  return false;
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  struct ingest_observation o;
  struct ck_arena arena = {0};
  struct ck_err err;
  char where[INGEST_PLACE_TEXT];
  ingest_place_text(where, element->place, NULL, (struct ck_str){0});
  if (ingest_observation_read(&o, element->json, &arena, &err)) {
    visitor->failure(visitor->self, where, err.text, element->raw);
  } else {
    o.raw = element->raw;
    o.number = element->place->index;
    if (o.execution_count && o.executions[0].no_result)
      visitor->note(visitor->self, "tool call without a result", 1);
    visitor->observation(visitor->self, &o, where);
  }
  ck_arena_free(&arena);
}

const struct ingest_source ingest_source_jsonl = {
    .name = "observations", .version = 1, .log = true, .knows = knows, .read = read_element};
