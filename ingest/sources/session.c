/* See session.h. */
#include "ingest/sources/session.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 64 /* slots */

static void make_key(unsigned char key[SESSION_KEY], char kind, struct ck_str scope,
                     struct ck_str name) {
  struct ck_str parts[] = {{&kind, 1}, scope, name};
  ck_hash(key, parts, 3);
}

/* The key's slot, or the free one where it belongs. */
static struct session_slot *slot_of(const struct session_table *t,
                                    const unsigned char key[SESSION_KEY]) {
  size_t at;
  memcpy(&at, key, sizeof at);
  for (;; ++at) {
    struct session_slot *slot = &t->slots[at & (t->room - 1)];
    if (!slot->value || memcmp(slot->key, key, SESSION_KEY) == 0) return slot;
  }
}

static void grow(struct session_table *t) {
  struct session_table larger = {.count = t->count, .room = t->room ? t->room * 2 : LEAST};
  larger.slots = ck_zalloc(larger.room * sizeof *larger.slots);
  for (size_t i = 0; i < t->room; ++i)
    if (t->slots[i].value) *slot_of(&larger, t->slots[i].key) = t->slots[i];
  free(t->slots);
  *t = larger;
}

void *session_get(const struct session_table *t, char kind, struct ck_str scope,
                  struct ck_str name) {
  unsigned char key[SESSION_KEY];
  if (!t->count) return NULL;
  make_key(key, kind, scope, name);
  return slot_of(t, key)->value;
}

void session_set(struct session_table *t, char kind, struct ck_str scope, struct ck_str name,
                 void *value) {
  unsigned char key[SESSION_KEY];
  if (t->count * 4 >= t->room * 3) grow(t);
  make_key(key, kind, scope, name);
  struct session_slot *slot = slot_of(t, key);
  t->count += !slot->value;
  memcpy(slot->key, key, SESSION_KEY);
  slot->value = value;
}

void session_table_free(struct session_table *t) {
  free(t->slots);
  *t = (struct session_table){0};
}
