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
  struct lag *lag = ck_zalloc(sizeof *lag);
  pthread_mutex_init(&lag->lock, NULL);
  lag->ended = now;
  lag->moved = now;
  lag->spacing = 1;
  lag->sample[lag->n++] = (struct sample){head, now};
  return lag;
}

void lag_free(struct lag **lag) {
  if (!*lag) return;
  pthread_mutex_destroy(&(*lag)->lock);
  free(*lag);
  *lag = NULL;
}

/* Merges each pair of neighbours and keeps the earlier time, so that a change is never reported as
 * younger than it is. */
static void thin_out(struct lag *lag) {
  size_t kept = 0;
  for (size_t i = 0; i + 1 < lag->n; i += 2)
    lag->sample[kept++] = (struct sample){lag->sample[i + 1].head, lag->sample[i].at};
  if (lag->n % 2) lag->sample[kept++] = lag->sample[lag->n - 1];
  lag->n = kept;
}

/* Drops the samples of what is mirrored. If more than half are left, merges pairs and doubles the
 * spacing. */
static void make_room(struct lag *lag) {
  size_t done = 0;
  while (done < lag->n && lag->sample[done].head <= lag->cursor) ++done;
  memmove(lag->sample, lag->sample + done, (lag->n - done) * sizeof *lag->sample);
  lag->n -= done;
  if (lag->n == 0) lag->spacing = 1;
  if (lag->n <= SAMPLES / 2) return;
  thin_out(lag);
  lag->spacing *= 2;
}

void lag_commit(struct lag *lag, uint64_t head, int64_t now) {
  pthread_mutex_lock(&lag->lock);
  if (lag->n == SAMPLES) make_room(lag);
  struct sample *last = lag->n ? &lag->sample[lag->n - 1] : NULL;
  if (last && now - last->at < lag->spacing)
    last->head = head;
  else
    lag->sample[lag->n++] = (struct sample){head, now};
  pthread_mutex_unlock(&lag->lock);
}

void lag_ended(struct lag *lag, uint64_t cursor, int64_t now) {
  pthread_mutex_lock(&lag->lock);
  if (cursor != lag->cursor) lag->moved = now;
  lag->cursor = cursor;
  lag->ended = now;
  pthread_mutex_unlock(&lag->lock);
}

int64_t lag_behind(struct lag *lag, uint64_t cursor, int64_t now) {
  int64_t behind = 0;
  pthread_mutex_lock(&lag->lock);
  for (size_t i = 0; i < lag->n && !behind; ++i)
    if (lag->sample[i].head > cursor)
      behind = now > lag->sample[i].at ? now - lag->sample[i].at : 1;
  pthread_mutex_unlock(&lag->lock);
  return behind;
}

int64_t lag_since_moved(struct lag *lag, int64_t now) {
  pthread_mutex_lock(&lag->lock);
  int64_t stuck = now - lag->moved;
  pthread_mutex_unlock(&lag->lock);
  return stuck;
}

int64_t lag_since_ended(struct lag *lag, int64_t now) {
  pthread_mutex_lock(&lag->lock);
  int64_t still = now - lag->ended;
  pthread_mutex_unlock(&lag->lock);
  return still;
}
