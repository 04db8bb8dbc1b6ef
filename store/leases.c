#include "store/leases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

#define LEASE_MS 10000
/* While one worker stands still for the length of its lease, the others go on so far. */
#define LEASES_MAX 1024

enum slot_state { IN_FLIGHT, ENDING, DONE };

struct slot {
  struct lease lease;
  int64_t until;
  enum slot_state state;
};

struct leases {
  pthread_mutex_t lock;
  uint64_t cursor, generation;
  struct slot slot[LEASES_MAX]; /* ascending, without gap from the cursor on */
  size_t count;
};

/* A generation is never used twice: the run of the database in its high bits. */
struct leases *leases_new(uint64_t cursor, uint64_t run) {
  struct leases *l = ck_zalloc(sizeof *l);
  pthread_mutex_init(&l->lock, NULL);
  l->cursor = cursor;
  l->generation = run << 32;
  return l;
}

void leases_free(struct leases **l) {
  if (!*l) return;
  pthread_mutex_destroy(&(*l)->lock);
  free(*l);
  *l = NULL;
}

bool leases_expired(struct leases *l, int64_t now, struct lease *again) {
  bool found = false;
  pthread_mutex_lock(&l->lock);
  for (size_t i = 0; i < l->count && !found; ++i) {
    struct slot *s = &l->slot[i];
    if (s->state != IN_FLIGHT || s->until > now) continue;
    s->lease.generation = ++l->generation;
    s->until = now + LEASE_MS;
    *again = s->lease;
    found = true;
  }
  pthread_mutex_unlock(&l->lock);
  return found;
}

static uint64_t granted_upto(const struct leases *l) { return l->count ? l->slot[l->count - 1].lease.upto : l->cursor; }

uint64_t leases_next(struct leases *l, size_t *in_flight) {
  pthread_mutex_lock(&l->lock);
  uint64_t next = granted_upto(l);
  *in_flight = 0;
  for (size_t i = 0; i < l->count; ++i) *in_flight += l->slot[i].state != DONE;
  pthread_mutex_unlock(&l->lock);
  return next;
}

bool leases_full(struct leases *l) {
  pthread_mutex_lock(&l->lock);
  bool full = l->count == LEASES_MAX;
  pthread_mutex_unlock(&l->lock);
  return full;
}

struct lease leases_grant(struct leases *l, uint64_t upto, int64_t now) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = &l->slot[l->count];
  *s = (struct slot){{++l->generation, granted_upto(l), upto}, now + LEASE_MS, IN_FLIGHT};
  ++l->count;
  struct lease granted = s->lease;
  pthread_mutex_unlock(&l->lock);
  return granted;
}

static struct slot *find(struct leases *l, uint64_t generation) {
  for (size_t i = 0; i < l->count; ++i)
    if (l->slot[i].lease.generation == generation) return &l->slot[i];
  return NULL;
}

void leases_unsent(struct leases *l, uint64_t generation) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  if (s && s == &l->slot[l->count - 1])
    --l->count;
  else if (s)
    s->until = 0;
  pthread_mutex_unlock(&l->lock);
}

void leases_held(struct leases *l, uint64_t generation, int64_t now) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  if (s && s->until < now + LEASE_MS) s->until = now + LEASE_MS;
  pthread_mutex_unlock(&l->lock);
}

bool leases_end(struct leases *l, const struct lease *done, uint64_t *cursor) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, done->generation);
  bool current = s && s->state == IN_FLIGHT && s->lease.after == done->after && s->lease.upto == done->upto;
  if (current) s->state = ENDING;
  *cursor = l->cursor;
  for (size_t i = 0; i < l->count && l->slot[i].state != IN_FLIGHT; ++i) *cursor = l->slot[i].lease.upto;
  pthread_mutex_unlock(&l->lock);
  return current;
}

void leases_take_back(struct leases *l, uint64_t generation) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  if (s && s->state == ENDING) s->state = IN_FLIGHT;
  pthread_mutex_unlock(&l->lock);
}

void leases_settle(struct leases *l) {
  pthread_mutex_lock(&l->lock);
  size_t n = 0;
  for (size_t i = 0; i < l->count; ++i)
    if (l->slot[i].state == ENDING) l->slot[i].state = DONE;
  while (n < l->count && l->slot[n].state == DONE) l->cursor = l->slot[n++].lease.upto;
  memmove(l->slot, l->slot + n, (l->count - n) * sizeof *l->slot);
  l->count -= n;
  pthread_mutex_unlock(&l->lock);
}

uint64_t leases_cursor(struct leases *l) {
  pthread_mutex_lock(&l->lock);
  uint64_t cursor = l->cursor;
  pthread_mutex_unlock(&l->lock);
  return cursor;
}

int64_t leases_deadline(struct leases *l) {
  int64_t least = INT64_MAX;
  pthread_mutex_lock(&l->lock);
  for (size_t i = 0; i < l->count; ++i)
    if (l->slot[i].state == IN_FLIGHT && l->slot[i].until < least) least = l->slot[i].until;
  pthread_mutex_unlock(&l->lock);
  return least;
}
