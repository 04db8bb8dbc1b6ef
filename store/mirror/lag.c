/* A list of (head, time) samples, one per commit; when it is full, it is thinned out. */
#include "store/mirror/lag.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

#define SAMPLES 512

struct sample {
  uint64_t head; /* versions up to this one, and above the sample before … */
  int64_t at;    /* … were committed at this time or later */
};

struct lag {
  pthread_mutex_t lock;
  struct sample sample[SAMPLES]; /* ascending */
  size_t n;
  int64_t spacing; /* ms; commits closer than this share a sample */
  uint64_t cursor; /* as it was when a batch last ended */
  int64_t ended;   /* when a batch last ended … */
  int64_t moved;   /* … and when one last moved the cursor */
};

struct lag *lag_new(uint64_t head, int64_t now) {
  struct lag *p = ck_zalloc(sizeof *p);
  pthread_mutex_init(&p->lock, NULL);
  p->ended = now;
  p->moved = now;
  p->spacing = 1;
  p->sample[p->n++] = (struct sample){head, now};
  return p;
}

void lag_free(struct lag **p) {
  if (!*p) return;
  pthread_mutex_destroy(&(*p)->lock);
  free(*p);
  *p = NULL;
}

/* Merges each pair of neighbours and keeps the earlier time, so that a change is never reported as
 * younger than it is. */
static void thin_out(struct lag *p) {
  size_t kept = 0;
  for (size_t i = 0; i + 1 < p->n; i += 2)
    p->sample[kept++] = (struct sample){p->sample[i + 1].head, p->sample[i].at};
  if (p->n % 2) p->sample[kept++] = p->sample[p->n - 1];
  p->n = kept;
}

/* Drops the samples of what is mirrored. If more than half are left, merges pairs and doubles the
 * spacing. */
static void make_room(struct lag *p) {
  size_t done = 0;
  while (done < p->n && p->sample[done].head <= p->cursor) ++done;
  memmove(p->sample, p->sample + done, (p->n - done) * sizeof *p->sample);
  p->n -= done;
  if (p->n == 0) p->spacing = 1;
  if (p->n <= SAMPLES / 2) return;
  thin_out(p);
  p->spacing *= 2;
}

void lag_commit(struct lag *p, uint64_t head, int64_t now) {
  pthread_mutex_lock(&p->lock);
  if (p->n == SAMPLES) make_room(p);
  struct sample *last = p->n ? &p->sample[p->n - 1] : NULL;
  if (last && now - last->at < p->spacing)
    last->head = head;
  else
    p->sample[p->n++] = (struct sample){head, now};
  pthread_mutex_unlock(&p->lock);
}

void lag_ended(struct lag *p, uint64_t cursor, int64_t now) {
  pthread_mutex_lock(&p->lock);
  if (cursor != p->cursor) p->moved = now;
  p->cursor = cursor;
  p->ended = now;
  pthread_mutex_unlock(&p->lock);
}

int64_t lag_behind(struct lag *p, uint64_t cursor, int64_t now) {
  int64_t behind = 0;
  pthread_mutex_lock(&p->lock);
  for (size_t i = 0; i < p->n && !behind; ++i)
    if (p->sample[i].head > cursor) behind = now > p->sample[i].at ? now - p->sample[i].at : 1;
  pthread_mutex_unlock(&p->lock);
  return behind;
}

int64_t lag_stuck(struct lag *p, int64_t now) {
  pthread_mutex_lock(&p->lock);
  int64_t stuck = now - p->moved;
  pthread_mutex_unlock(&p->lock);
  return stuck;
}

int64_t lag_still(struct lag *p, int64_t now) {
  pthread_mutex_lock(&p->lock);
  int64_t still = now - p->ended;
  pthread_mutex_unlock(&p->lock);
  return still;
}
