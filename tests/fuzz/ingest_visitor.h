/* A visitor that hashes everything a source gives into one id: every changeset and failure, in
 * order. */
#ifndef CK_TESTS_FUZZ_INGEST_VISITOR_H
#define CK_TESTS_FUZZ_INGEST_VISITOR_H

#include <assert.h>
#include <string.h>

#include "ingest/changeset.h"
#include "ingest/files/parsed.h"
#include "ingest/sources/source.h"

struct sum {
  char id[33];
  bool in_conversation;
  struct ingest_changeset many;
};

static inline void sum_add(struct sum *s, struct ck_str what, struct ck_str place) {
  struct ck_str parts[] = {{s->id, 32}, what, place};
  char next[33];
  ck_hash_id(next, parts, 3);
  memcpy(s->id, next, sizeof next);
}

static inline void sum_close(struct sum *s, bool last) {
  struct ck_err err;
  if (!ingest_changeset_close(&s->many, last)) return;
  assert(ck_scan(s->many.out.data, s->many.out.len, &err) == 0);
  sum_add(s, ck_buf_view(&s->many.out), (struct ck_str){0});
}

static inline void sum_keep(struct sum *s) {
  if (ingest_changeset_is_full(&s->many)) {
    sum_close(s, false);
    ingest_changeset_next(&s->many);
  }
  ingest_changeset_keep(&s->many);
}

static inline void sum_many(struct sum *s, const struct ingest_observation *o) {
  struct ck_err err;
  if (!o->has_text) {
    ingest_changeset_known(&s->many, o);
  } else {
    if (ingest_changeset_message(&s->many, o, &err)) return;
    sum_keep(s);
  }
  for (size_t i = 0; i < o->execution_count; ++i)
    if (ingest_changeset_execution(&s->many, &o->executions[i], &err) == 0) sum_keep(s);
}

static inline void sum_observation(void *self, const struct ingest_observation *o,
                                   const char *place) {
  struct sum *s = self;
  struct ingest_changeset alone = {0};
  struct ingest_changeset_facts facts;
  struct ck_err err = {""};
  if (s->in_conversation) {
    sum_many(s, o);
    return;
  }
  if (ingest_changeset_alone(&alone, o, (struct ck_str){0}, 1, 0, &facts, &err))
    sum_add(self, ck_str_of(err.text), ck_str_of(place));
  else
    assert(ck_scan(alone.out.data, alone.out.len, &err) == 0);
  sum_add(self, ck_buf_view(&alone.out), ck_str_of(place));
  ingest_changeset_free(&alone);
}

static inline void sum_failure(void *self, const char *place, const char *reason,
                               struct ck_str raw) {
  assert(*place && *reason);
  (void)raw;
  sum_add(self, ck_str_of(reason), ck_str_of(place));
}

static inline void sum_begin(void *self, const struct ingest_conversation *c, const char *place) {
  struct sum *s = self;
  sum_add(s, ck_str_of(place), (struct ck_str){0});
  assert(!s->in_conversation);
  s->in_conversation = true;
  ingest_changeset_begin(&s->many, c, (struct ck_str){0}, 1);
}

static inline void sum_end(void *self) {
  struct sum *s = self;
  sum_close(s, true);
  s->in_conversation = false;
  ingest_changeset_free(&s->many);
}

static inline void sum_note(void *self, const char *kind, uint64_t n) {
  sum_add(self, ck_str_of(kind), (struct ck_str){(const char *)&n, sizeof n});
}

static inline void sum_rows(void *self, const struct ingest_rows *rows, const char *place) {
  struct ck_buf b = {0};
  for (size_t i = 0; i < rows->count; ++i) ck_row_encode(&b, &rows->rows[i]);
  sum_add(self, ck_buf_view(&b), ck_str_of(place));
  ck_buf_free(&b);
}

/* One element straight into a source, whatever it looks like. False: it is no object. */
static inline bool sum_element(struct sum *s, const struct ingest_source *source,
                               const uint8_t *data, size_t size, size_t outline_from) {
  const struct ingest_visitor visitor = {s,           sum_begin, sum_end, sum_observation,
                                         sum_failure, sum_note,  sum_rows};
  const struct ingest_place place = {.index = 1, .line = 1, .lines = true};
  struct ck_err err = {""};
  struct ingest_parsed p;
  char *copy = ck_alloc(size);
  memcpy(copy, data, size);
  memset(s, 0, sizeof *s);
  bool is_object = ingest_parsed_read(&p, copy, size, &place, outline_from, NULL, &err) == 0;
  assert(is_object || err.text[0]);
  if (is_object) source->read(&visitor, &p.element);
  ingest_parsed_free(&p);
  free(copy);
  return is_object;
}

/* If its outline is read, that gives the same as the whole. */
static inline void sum_source(const struct ingest_source *source, const uint8_t *data,
                              size_t size) {
  struct sum whole, outline;
  bool is_object = sum_element(&whole, source, data, size, size);
  if (!source->outlines) return;
  assert(sum_element(&outline, source, data, size, 0) == is_object);
  assert(memcmp(whole.id, outline.id, sizeof whole.id) == 0);
}

#endif
