/* See dirty.h. An array, and where each conversation is in it. */
#include "store/files/dirty.h"

#include <jansson.h>
#include <stdlib.h>

struct entry {
  char *id;
  size_t bytes;     /* of the id */
  uint64_t version; /* the first that is not written; 0: all are … */
  uint64_t upto;    /* … up to this one */
  int64_t since;    /* when that came */
  int64_t rests;    /* until then */
};

struct dirty {
  struct entry *entries;
  size_t count, room;
  json_t *places; /* conversation → place in entries */
};

struct dirty *dirty_new(void) {
  struct dirty *d = ck_zalloc(sizeof *d);
  d->places = json_object();
  return d;
}

void dirty_clear(struct dirty *d) {
  for (size_t i = 0; i < d->count; ++i) free(d->entries[i].id);
  d->count = 0;
  json_object_clear(d->places);
}

void dirty_free(struct dirty **d) {
  if (!*d) return;
  dirty_clear(*d);
  json_decref((*d)->places);
  free((*d)->entries);
  free(*d);
  *d = NULL;
}

static struct entry *find(const struct dirty *d, struct ck_str conversation) {
  const json_t *place = json_object_getn(d->places, conversation.s, conversation.n);
  return place ? &d->entries[json_integer_value(place)] : NULL;
}

static struct entry *add(struct dirty *d, struct ck_str conversation) {
  if (d->count == d->room) {
    d->room = d->room ? d->room * 2 : 64;
    d->entries = ck_realloc(d->entries, d->room * sizeof *d->entries);
  }
  struct entry *e = &d->entries[d->count];
  *e = (struct entry){.id = ck_str_dup(conversation), .bytes = conversation.n};
  json_object_setn_new(d->places, conversation.s, conversation.n,
                       json_integer((json_int_t)d->count++));
  return e;
}

void dirty_add(struct dirty *d, struct ck_str conversation, uint64_t version, int64_t now) {
  struct entry *e = find(d, conversation);
  if (!e) e = add(d, conversation);
  if (e->version || version <= e->upto) return;
  e->version = version;
  e->since = now;
}

bool dirty_full(const struct dirty *d) { return d->count >= DIRTY_FULL; }

uint64_t dirty_least(const struct dirty *d) {
  uint64_t least = 0;
  for (size_t i = 0; i < d->count; ++i) {
    uint64_t v = d->entries[i].version;
    if (v && (!least || v < least)) least = v;
  }
  return least;
}

int64_t dirty_next(const struct dirty *d, bool quiet, struct ck_str *conversation) {
  int64_t next = INT64_MAX;
  bool now = quiet || dirty_full(d);
  for (size_t i = 0; i < d->count; ++i) {
    const struct entry *e = &d->entries[i];
    int64_t at = now ? e->since : e->since + DIRTY_MOST_MS;
    if (at < e->rests) at = e->rests;
    if (!e->version || at >= next) continue;
    next = at;
    *conversation = (struct ck_str){e->id, e->bytes};
  }
  return next;
}

void dirty_written(struct dirty *d, struct ck_str conversation, uint64_t upto, int64_t took,
                   int64_t now) {
  struct entry *e = find(d, conversation);
  int64_t rest = took * DIRTY_REST;
  if (!e) return;
  e->version = 0;
  e->upto = upto;
  e->rests = now + (rest < DIRTY_REST_MAX ? rest : DIRTY_REST_MAX);
}

/* The last one takes its place. */
static void forget(struct dirty *d, size_t i) {
  struct entry *e = &d->entries[i], *last = &d->entries[--d->count];
  json_object_deln(d->places, e->id, e->bytes);
  free(e->id);
  if (e == last) return;
  *e = *last;
  json_object_setn_new(d->places, e->id, e->bytes, json_integer((json_int_t)i));
}

void dirty_tidy(struct dirty *d, uint64_t upto, int64_t now) {
  for (size_t i = d->count; i-- > 0;) {
    const struct entry *e = &d->entries[i];
    if (!e->version && e->upto <= upto && e->rests <= now) forget(d, i);
  }
}
