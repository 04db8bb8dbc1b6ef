/* Codex's session_index.jsonl: the names that the user has given to threads, one a line. */
#include "ingest/parse/json.h"
#include "ingest/sources/source.h"

static bool knows(const json_t *element) {
  return json_object_get(element, "id") && json_object_get(element, "thread_name") &&
         !json_object_get(element, "payload");
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  char where[INGEST_PLACE_TEXT];
  struct ingest_conversation about = {.platform = CK_LIT("codex"),
                                      .id = ck_trim(ingest_json_text(element->json, "id")),
                                      .title = ingest_json_text(element->json, "thread_name"),
                                      .created_at = INGEST_NO_TIME,
                                      .partly = true};
  if (!about.id.n) return;
  if (!ingest_json_time(json_object_get(element->json, "updated_at"), &about.age)) about.age = 1;
  ingest_place_text(where, element->place, NULL, (struct ck_str){0});
  visitor->begin(visitor->self, &about, where);
  visitor->end(visitor->self);
}

const struct ingest_source ingest_source_codex_names = {
    .name = "codex names", .version = 1, .log = true, .knows = knows, .read = read_element};
