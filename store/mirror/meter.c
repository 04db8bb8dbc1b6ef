/* Two token buckets, the reserve in the long one, and a count of the last 5 minutes. */
#include "store/mirror/meter.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/text.h"

/* A token is METER_WINDOW_MS units, so that each millisecond adds exactly `rate` units. */
#define TOKEN ((int64_t)METER_WINDOW_MS)
#define LONG_SHARE 12
#define RESERVE_SHARE 4
#define SHORT_FASTER 3
#define SHORT_TOKENS 3
/* A quarter of what flows in goes to the reserve until that is full, so that batches go on. */
#define RESERVE_GROWS 4
#define BINS 60

struct bucket {
  int64_t level, most; /* units */
  int64_t speed;       /* units per millisecond */
};

struct meter {
  pthread_mutex_t lock;
  unsigned rate;
  struct bucket longer, shorter;
  int64_t reserve, reserve_most; /* units of `longer` that batches may not use */
  int64_t at;                    /* levels are as of this time */
  int64_t paused_until;
  unsigned bin[BINS]; /* requests allowed, by twelfths of a minute; a ring */
  int64_t bin_at;     /* when the newest bin began */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Requests sent before the start are not known, so the long bucket and its reserve start empty. */
struct meter *meter_new(unsigned rate, int64_t now) {
  struct meter *m = ck_zalloc(sizeof *m);
  pthread_mutex_init(&m->lock, NULL);
  int64_t most = rate / LONG_SHARE > 1 ? rate / LONG_SHARE : 1;
  m->rate = rate;
  m->reserve_most = most / RESERVE_SHARE * TOKEN;
  m->longer = (struct bucket){0, most * TOKEN, rate};
  m->shorter =
      (struct bucket){SHORT_TOKENS * TOKEN, SHORT_TOKENS * TOKEN, (int64_t)rate * SHORT_FASTER};
  m->at = now;
  m->bin_at = now;
  return m;
}

void meter_free(struct meter **m) {
  if (!*m) return;
  pthread_mutex_destroy(&(*m)->lock);
  free(*m);
  *m = NULL;
}

static void fill(struct bucket *b, int64_t ms) {
  int64_t room = b->most - b->level;
  b->level = ms > room / b->speed ? b->most : b->level + ms * b->speed;
}

static void refresh_bins(struct meter *m, int64_t now) {
  const int64_t width = METER_WINDOW_MS / BINS;
  for (int i = 0; i <= BINS && now - m->bin_at >= width; ++i) {
    m->bin_at = i < BINS ? m->bin_at + width : now;
    m->bin[m->bin_at / width % BINS] = 0;
  }
}

/* Brings levels and bins up to `now`. Under the lock. */
static void refresh(struct meter *m, int64_t now) {
  int64_t ms = now - m->at;
  if (!m->rate || ms <= 0) return;
  m->at = now;
  fill(&m->longer, ms);
  fill(&m->shorter, ms);
  m->reserve = ms > m->reserve_most / m->rate * RESERVE_GROWS
                   ? m->reserve_most
                   : least(m->reserve_most, m->reserve + ms * m->rate / RESERVE_GROWS);
  refresh_bins(m, now);
}

static void count(struct meter *m, unsigned n) {
  m->bin[m->bin_at / (METER_WINDOW_MS / BINS) % BINS] += n;
}

/* How many milliseconds until the bucket has `wanted` units. */
static int64_t until(const struct bucket *b, int64_t wanted) {
  return b->level >= wanted ? 0 : (wanted - b->level + b->speed - 1) / b->speed;
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* While the reserve grows, batches get only the rest of what flows in, and wait longer. */
static int64_t until_batch(const struct meter *m) {
  int64_t wanted = m->reserve + TOKEN, wait = until(&m->longer, wanted);
  if (!wait || m->reserve == m->reserve_most) return wait;
  int64_t slower =
      (wanted - m->longer.level) * RESERVE_GROWS / ((RESERVE_GROWS - 1) * (int64_t)m->rate) + 1;
  return least(slower, until(&m->longer, m->reserve_most + TOKEN));
}

static int64_t batch_at(const struct meter *m, int64_t now) {
  if (!m->rate) return now;
  int64_t wait = later(until_batch(m), until(&m->shorter, TOKEN));
  return later(now + wait, m->paused_until);
}

static int64_t token_at(const struct meter *m, int64_t now) {
  return m->rate ? later(now + until(&m->longer, TOKEN), m->paused_until) : now;
}

bool meter_batch(struct meter *m, int64_t now) {
  pthread_mutex_lock(&m->lock);
  refresh(m, now);
  bool yes = batch_at(m, now) <= now;
  if (yes && m->rate) {
    m->longer.level -= TOKEN;
    m->shorter.level -= TOKEN;
    count(m, 1);
  }
  pthread_mutex_unlock(&m->lock);
  return yes;
}

unsigned meter_tokens(struct meter *m, unsigned wanted, int64_t now) {
  unsigned n = wanted;
  pthread_mutex_lock(&m->lock);
  refresh(m, now);
  if (m->rate) {
    int64_t there = m->paused_until > now ? 0 : m->longer.level / TOKEN;
    n = (unsigned)least(wanted, there);
    m->longer.level -= n * TOKEN;
    m->reserve -= least(n * TOKEN, m->reserve);
    count(m, n);
  }
  pthread_mutex_unlock(&m->lock);
  return n;
}

int64_t meter_batch_at(struct meter *m, int64_t now) {
  pthread_mutex_lock(&m->lock);
  refresh(m, now);
  int64_t at = batch_at(m, now);
  pthread_mutex_unlock(&m->lock);
  return at;
}

int64_t meter_token_at(struct meter *m, int64_t now) {
  pthread_mutex_lock(&m->lock);
  refresh(m, now);
  int64_t at = token_at(m, now);
  pthread_mutex_unlock(&m->lock);
  return at;
}

void meter_pause(struct meter *m, int64_t ms, int64_t now) {
  pthread_mutex_lock(&m->lock);
  m->paused_until = later(m->paused_until, now + ms);
  pthread_mutex_unlock(&m->lock);
}

void meter_read(struct meter *m, int64_t now, struct meter_view *v) {
  *v = (struct meter_view){0};
  pthread_mutex_lock(&m->lock);
  refresh(m, now);
  v->rate = m->rate;
  for (int i = 0; m->rate && i < BINS; ++i) v->used += m->bin[i];
  if (m->rate && m->paused_until <= now) v->left = (unsigned)(m->longer.level / TOKEN);
  v->pause = m->paused_until > now ? m->paused_until - now : 0;
  pthread_mutex_unlock(&m->lock);
}
