/* A visitor that hashes everything a source gives into one id: every changeset and failure, in
 * order. */
#ifndef CK_TESTS_FUZZ_INGEST_VISITOR_H
#define CK_TESTS_FUZZ_INGEST_VISITOR_H

#include <assert.h>
#include <string.h>

#include "ingest/json.h"
#include "ingest/changeset.h"
#include "ingest/source.h"

struct sum {
  char id[33];
};

static inline void sum_add(struct sum *s, struct ck_str what, struct ck_str place) {
  struct ck_str parts[] = {{s->id, 32}, what, place};
  char next[33];
  ck_hash_id(next, parts, 3);
  memcpy(s->id, next, sizeof next);
}

static inline void sum_observation(void *self, const struct ingest_observation *o,
                                   const char *place) {
  struct ck_buf packed = {0};
  struct ck_arena arena = {0};
  struct ingest_changeset_facts facts;
  struct ck_err err = {""};
  if (ingest_changeset(&packed, o, 1, &arena, &facts, &err))
    sum_add(self, ck_str_of(err.text), ck_str_of(place));
  else
    assert(ck_scan(packed.data, packed.len, &err) == 0);
  sum_add(self, ck_buf_view(&packed), ck_str_of(place));
  ck_buf_free(&packed);
  ck_arena_free(&arena);
}

static inline void sum_failure(void *self, const char *place, const char *reason,
                               struct ck_str raw) {
  assert(*place && *reason);
  (void)raw;
  sum_add(self, ck_str_of(reason), ck_str_of(place));
}

static inline void sum_begin(void *self, const struct ingest_conversation *c, const char *place) {
  sum_add(self, c->id, ck_str_of(place));
  sum_add(self, c->current, c->details);
}

static inline void sum_end(void *self) { sum_add(self, CK_LIT("end"), (struct ck_str){0}); }

static inline void sum_note(void *self, const char *kind) {
  sum_add(self, ck_str_of(kind), (struct ck_str){0});
}

/* One element straight into a source, whatever it looks like. */
static inline void sum_source(const struct ingest_source *source, const uint8_t *data,
                              size_t size) {
  struct sum s = {{0}};
  struct ingest_visitor visitor = {&s, sum_begin, sum_end, sum_observation, sum_failure, sum_note};
  const struct ingest_place place = {.index = 1, .line = 1};
  struct ck_err err = {""};
  char *copy = ck_alloc(size);
  memcpy(copy, data, size);
  json_t *element = ingest_json_parse(copy, size, 0, NULL, &err);
  assert(element || err.text[0]);
  if (json_is_object(element)) source->read(&visitor, element, (struct ck_str){copy, size}, &place);
  json_decref(element);
  free(copy);
}

#endif
