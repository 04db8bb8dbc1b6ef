/* A sorted array of slots, one per range, and the states that a range goes through. */
#include "store/mirror/leases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/states.h"
#include "proto/text.h"
#include "proto/wire.h"

/* The most ranges after the cursor. While one lease holds the cursor, the other workers can go on
 * this far. */
#define LEASES_MAX 1024

/* The states of a range, and what each event makes of it. Blank: the event cannot happen; what a
 * worker says of a lease in another state is ignored before it gets here.
 *
 *              granted    returned   expired   postponed  outcome  commit     commit   made a
 *                         or unsent                       came     failed     durable  backlog
 *   FREE       IN_FLIGHT                                                               BACKLOG
 *   IN_FLIGHT             EXPIRED    EXPIRED   POSTPONED  ENDING
 *                         or FREE
 *   EXPIRED    IN_FLIGHT                                  ENDING
 *   ENDING                                                         IN_FLIGHT  DONE
 *   DONE
 *   BACKLOG    IN_FLIGHT
 *   POSTPONED  IN_FLIGHT
 *
 * A FREE range has no slot: it was never granted, or it was the last one and was returned. A DONE
 * range loses its slot when the cursor passes it, or when it is merged into a neighbour that is
 * done or postponed. leases_split leaves the first part IN_FLIGHT and makes the rest EXPIRED.
 * leases_restart makes everything FREE. */
enum slot_state { FREE, IN_FLIGHT, EXPIRED, ENDING, DONE, BACKLOG, POSTPONED };

static const unsigned may_become[] = {
    [FREE] = CK_TO(IN_FLIGHT) | CK_TO(BACKLOG),
    [IN_FLIGHT] = CK_TO(EXPIRED) | CK_TO(FREE) | CK_TO(POSTPONED) | CK_TO(ENDING),
    [EXPIRED] = CK_TO(IN_FLIGHT) | CK_TO(ENDING),
    [ENDING] = CK_TO(IN_FLIGHT) | CK_TO(DONE),
    [DONE] = 0,
    [BACKLOG] = CK_TO(IN_FLIGHT),
    [POSTPONED] = CK_TO(IN_FLIGHT),
};

struct slot {
  struct lease lease;
  int64_t until; /* ck_boot_ms at which a lease in flight expires */
  enum slot_state state;
};

static void become(struct slot *s, enum slot_state next) { CK_BECOME(may_become, s->state, next); }

struct leases {
  pthread_mutex_t lock;
  uint64_t cursor, generation;
  struct slot slot[LEASES_MAX + 1]; /* ascending, without gaps from the cursor on; the extra one is
                                       for a backlog that is split in two */
  size_t count;
};

/* A generation is never used twice: its high 32 bits are the number of this run. */
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

static void put_in_flight(struct slot *s, int64_t now) {
  become(s, IN_FLIGHT);
  s->until = now + CK_LEASE_MS;
}

bool leases_regrant(struct leases *l, int64_t now, struct lease *again) {
  bool found = false;
  pthread_mutex_lock(&l->lock);
  for (size_t i = 0; i < l->count && !found; ++i) {
    struct slot *s = &l->slot[i];
    if (s->state == IN_FLIGHT && s->until <= now) become(s, EXPIRED);
    if (s->state != EXPIRED) continue;
    s->lease.generation = ++l->generation;
    put_in_flight(s, now);
    *again = s->lease;
    found = true;
  }
  pthread_mutex_unlock(&l->lock);
  return found;
}

static uint64_t granted_upto(const struct leases *l) {
  return l->count ? l->slot[l->count - 1].lease.upto : l->cursor;
}

static bool is_with_a_worker(const struct slot *s) {
  return s->state == ENDING || s->state == IN_FLIGHT;
}

uint64_t leases_next(struct leases *l, size_t *in_flight) {
  pthread_mutex_lock(&l->lock);
  uint64_t next = granted_upto(l);
  *in_flight = 0;
  for (size_t i = 0; i < l->count; ++i) *in_flight += is_with_a_worker(&l->slot[i]);
  pthread_mutex_unlock(&l->lock);
  return next;
}

bool leases_full(struct leases *l) {
  pthread_mutex_lock(&l->lock);
  bool full = l->count >= LEASES_MAX;
  pthread_mutex_unlock(&l->lock);
  return full;
}

/* Adds a slot after all others, still FREE. */
static struct slot *add_slot(struct leases *l, struct lease lease) {
  struct slot *s = &l->slot[l->count++];
  *s = (struct slot){.lease = lease, .state = FREE};
  return s;
}

/* ---- backlogs ---- */

static void add_backlog(struct leases *l, uint64_t upto) {
  uint64_t after = granted_upto(l);
  struct slot *last = l->count ? &l->slot[l->count - 1] : NULL;
  if (upto <= after) return;
  if (last && last->state == BACKLOG)
    last->lease.upto = upto;
  else if (l->count <= LEASES_MAX)
    become(add_slot(l, (struct lease){0, after, upto}), BACKLOG);
}

void leases_add_backlog(struct leases *l, uint64_t upto) {
  pthread_mutex_lock(&l->lock);
  add_backlog(l, upto);
  pthread_mutex_unlock(&l->lock);
}

void leases_restart(struct leases *l, uint64_t upto) {
  pthread_mutex_lock(&l->lock);
  l->cursor = 0;
  l->count = 0;
  add_backlog(l, upto);
  pthread_mutex_unlock(&l->lock);
}

static bool is_backlog(const struct slot *s) {
  return s->state == BACKLOG || s->state == POSTPONED;
}

bool leases_backlog_next(struct leases *l, bool postponed, uint64_t *after, uint64_t *upto) {
  const struct slot *s = NULL;
  pthread_mutex_lock(&l->lock);
  for (size_t i = 0; i < l->count && !s; ++i)
    if (l->slot[i].state == BACKLOG || (postponed && is_backlog(&l->slot[i]))) s = &l->slot[i];
  if (s) {
    *after = s->lease.after;
    *upto = s->lease.upto;
  }
  pthread_mutex_unlock(&l->lock);
  return s != NULL;
}

static struct slot *backlog_after(struct leases *l, uint64_t after) {
  for (size_t i = 0; i < l->count; ++i)
    if (is_backlog(&l->slot[i]) && l->slot[i].lease.after == after) return &l->slot[i];
  return NULL;
}

static void duplicate_slot(struct leases *l, struct slot *s) {
  memmove(s + 1, s, (l->count - (size_t)(s - l->slot)) * sizeof *s);
  ++l->count;
}

/* Gives the start of a backlog, up to `upto`, a slot of its own. */
static struct slot *split_backlog(struct leases *l, struct slot *s, uint64_t upto) {
  if (upto < s->lease.upto) {
    duplicate_slot(l, s);
    s[1].lease.after = upto;
  }
  return s;
}

struct lease leases_grant(struct leases *l, uint64_t after, uint64_t upto, int64_t now) {
  struct lease granted = {0, after, upto};
  pthread_mutex_lock(&l->lock);
  struct slot *s = NULL, *backlog = backlog_after(l, after);
  if (upto > after && after == granted_upto(l))
    s = add_slot(l, granted);
  else if (upto > after && backlog && upto <= backlog->lease.upto)
    s = split_backlog(l, backlog, upto);
  if (s) {
    granted.generation = ++l->generation;
    s->lease = granted;
    put_in_flight(s, now);
  }
  pthread_mutex_unlock(&l->lock);
  return granted;
}

uint64_t leases_backlog_left(struct leases *l) {
  uint64_t left = 0;
  pthread_mutex_lock(&l->lock);
  for (size_t i = 0; i < l->count; ++i)
    if (is_backlog(&l->slot[i])) left += l->slot[i].lease.upto - l->slot[i].lease.after;
  pthread_mutex_unlock(&l->lock);
  return left;
}

/* ---- outcomes ---- */

static struct slot *find(struct leases *l, uint64_t generation) {
  for (size_t i = 0; i < l->count; ++i)
    if (l->slot[i].lease.generation == generation && !is_backlog(&l->slot[i])) return &l->slot[i];
  return NULL;
}

bool leases_return(struct leases *l, uint64_t generation) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  bool held = s && s->state == IN_FLIGHT;
  bool is_last = held && s == &l->slot[l->count - 1];
  if (held) become(s, is_last ? FREE : EXPIRED);
  if (is_last) --l->count;
  pthread_mutex_unlock(&l->lock);
  return held;
}

/* Merges the slots `first` to `last` into the first. */
static void merge_slots(struct leases *l, size_t first, size_t last) {
  l->slot[first].lease.upto = l->slot[last].lease.upto;
  memmove(&l->slot[first + 1], &l->slot[last + 1], (l->count - last - 1) * sizeof *l->slot);
  l->count -= last - first;
}

/* Merges postponed ranges that have only done ranges between them. */
static void join_postponed(struct leases *l) {
  size_t last = SIZE_MAX;
  for (size_t i = 0; i < l->count; ++i) {
    if (l->slot[i].state != POSTPONED && l->slot[i].state != DONE) last = SIZE_MAX;
    if (l->slot[i].state != POSTPONED) continue;
    if (last != SIZE_MAX) {
      merge_slots(l, last, i);
      i = last;
    }
    last = i;
  }
}

bool leases_postpone(struct leases *l, uint64_t generation) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  bool held = s && s->state == IN_FLIGHT;
  if (held) {
    become(s, POSTPONED);
    join_postponed(l);
  }
  pthread_mutex_unlock(&l->lock);
  return held;
}

bool leases_split(struct leases *l, uint64_t generation, uint64_t upto) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  bool room = s && s->state == IN_FLIGHT && upto > s->lease.after && upto < s->lease.upto &&
              l->count < LEASES_MAX;
  if (room) {
    duplicate_slot(l, s);
    s->lease.upto = upto;
    s[1].lease = (struct lease){++l->generation, upto, s[1].lease.upto};
    become(&s[1], EXPIRED);
  }
  pthread_mutex_unlock(&l->lock);
  return room;
}

void leases_extend(struct leases *l, uint64_t generation, int64_t now) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  if (s && is_with_a_worker(s) && s->until < now + CK_LEASE_MS) s->until = now + CK_LEASE_MS;
  pthread_mutex_unlock(&l->lock);
}

bool leases_end(struct leases *l, const struct lease *done, uint64_t *cursor) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, done->generation);
  bool open = s && (s->state == IN_FLIGHT || s->state == EXPIRED);
  bool current = open && s->lease.after == done->after && s->lease.upto == done->upto;
  if (current) become(s, ENDING);
  *cursor = l->cursor;
  for (size_t i = 0; i < l->count && (l->slot[i].state == ENDING || l->slot[i].state == DONE); ++i)
    *cursor = l->slot[i].lease.upto;
  pthread_mutex_unlock(&l->lock);
  return current;
}

void leases_rolled_back(struct leases *l, uint64_t generation) {
  pthread_mutex_lock(&l->lock);
  struct slot *s = find(l, generation);
  if (s && s->state == ENDING) become(s, IN_FLIGHT);
  pthread_mutex_unlock(&l->lock);
}

void leases_committed(struct leases *l) {
  pthread_mutex_lock(&l->lock);
  size_t kept = 0;
  for (size_t i = 0; i < l->count; ++i) {
    struct slot s = l->slot[i];
    if (s.state == ENDING) become(&s, DONE);
    bool beside = kept && s.state == DONE && l->slot[kept - 1].state == DONE;
    if (kept == 0 && s.state == DONE)
      l->cursor = s.lease.upto;
    else if (beside) /* done ranges after a backlog share one slot */
      l->slot[kept - 1].lease.upto = s.lease.upto;
    else
      l->slot[kept++] = s;
  }
  l->count = kept;
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
    if (l->slot[i].state == EXPIRED)
      least = 0;
    else if (l->slot[i].state == IN_FLIGHT && l->slot[i].until < least)
      least = l->slot[i].until;
  pthread_mutex_unlock(&l->lock);
  return least;
}
