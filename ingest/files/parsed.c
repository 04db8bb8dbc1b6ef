/* See parsed.h. */
#include "ingest/files/parsed.h"

#include "ingest/parse/json.h"

int ingest_parsed_read(struct ingest_parsed *p, char *bytes, size_t n,
                       const struct ingest_place *place, size_t outline_from, unsigned *replaced,
                       struct ck_err *err) {
  *p = (struct ingest_parsed){.element = {.place = place}};
  if (n > outline_from) p->element.outline = &p->outline;
  if (place->lines) p->element.raw = (struct ck_str){bytes, n};
  json_t *json = ingest_json_parse(bytes, n, place->offset, replaced, p->element.outline, err);
  if (!json) return -1;
  if (json_is_object(json)) {
    p->element.json = json;
    return 0;
  }
  ck_fail(err, "expected an object, got %s", ingest_json_type(json));
  json_decref(json);
  return -1;
}

void ingest_parsed_free(struct ingest_parsed *p) {
  json_decref(p->element.json);
  p->element.json = NULL;
  ingest_outline_free(&p->outline);
}
