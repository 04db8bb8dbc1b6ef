/* Any bytes as one observation in MessagePack: reading it directly gives the same changeset as
 * reading it by way of JSON. */
#include "ingest/parse/json.h"
#include "ingest/changeset.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The changeset, or nothing if the observation is refused. */
static void make_changeset(struct ingest_changeset *s, struct ingest_observation *o, int read) {
  struct ingest_changeset_facts facts;
  struct ck_err err;
  if (read || ingest_changeset_alone(s, o, (struct ck_str){0}, 1, 0, &facts, &err))
    ck_buf_clear(&s->out);
  else if (ck_scan(s->out.data, s->out.len, &err))
    abort();
}

static json_t *by_json(struct ck_str packed, struct ck_buf *json) {
  struct ck_reader r = ck_reader_of(packed);
  struct ck_err err;
  return ck_read_json(&r, json) ? NULL
                                : ingest_json_parse(json->data, json->len, 0, NULL, NULL, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct ck_str packed = {(const char *)data, n};
  struct ck_err err;
  struct ck_arena arena = {0};
  struct ck_buf json = {0};
  struct ingest_changeset direct = {0}, around = {0};
  struct ingest_observation o;
  if (ck_scan(data, n, &err)) return 0;
  json_t *object = by_json(packed, &json);
  make_changeset(&direct, &o, ingest_observation_unpack(&o, packed, &arena, &err));
  /* An accepted observation with unknown names must be writable as JSON. */
  bool kept = object || direct.out.len == 0 || !o.unknown;
  if (object) make_changeset(&around, &o, ingest_observation_read(&o, object, &arena, &err));
  if (!kept || (object && !ck_str_eq(ck_buf_view(&direct.out), ck_buf_view(&around.out)))) abort();
  json_decref(object);
  ck_arena_free(&arena);
  ck_buf_free(&json);
  ingest_changeset_free(&direct);
  ingest_changeset_free(&around);
  return 0;
}
