#include "store/mirror/meter.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/text.h"

/* A token is METER_WINDOW_MS units, so that a millisecond brings exactly `rate` units. */
#define TOKEN ((int64_t)METER_WINDOW_MS)
#define LONG_SHARE 12
#define RESERVE_SHARE 4
#define SHORT_FASTER 3
#define SHORT_TOKENS 3
/* Of what comes in, the fourth part goes into the reserve until that is full: batches do not stand
 * still meanwhile. */
#define RESERVE_GROWS 4
#define BINS 60

struct bucket {
  int64_t level, most, speed; /* units, units, units a millisecond */
};

struct meter {
  pthread_mutex_t lock;
  unsigned rate;
  struct bucket longer, shorter;
  int64_t reserve, reserve_most;
  int64_t at, held_until;
  /* What was allowed, by twelfths of a minute. */
  unsigned bin[BINS];
  int64_t bin_at;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* What was sent before the start is not remembered, so it begins empty, and the reserve with it. */
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

static void bins_pass(struct meter *m, int64_t now) {
  const int64_t width = METER_WINDOW_MS / BINS;
  for (int i = 0; i <= BINS && now - m->bin_at >= width; ++i) {
    m->bin_at = i < BINS ? m->bin_at + width : now;
    m->bin[m->bin_at / width % BINS] = 0;
  }
}

/* Under the lock: brings everything up to now. */
static void pass(struct meter *m, int64_t now) {
  int64_t ms = now - m->at;
  if (!m->rate || ms <= 0) return;
  m->at = now;
  fill(&m->longer, ms);
  fill(&m->shorter, ms);
  m->reserve = ms > m->reserve_most / m->rate * RESERVE_GROWS
                   ? m->reserve_most
                   : least(m->reserve_most, m->reserve + ms * m->rate / RESERVE_GROWS);
  bins_pass(m, now);
}

static void count(struct meter *m, unsigned n) {
  m->bin[m->bin_at / (METER_WINDOW_MS / BINS) % BINS] += n;
}

static int64_t until(const struct bucket *b, int64_t wanted) {
  return b->level >= wanted ? 0 : (wanted - b->level + b->speed - 1) / b->speed;
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* While the reserve grows, a batch waits for it by that much longer. */
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
  return later(now + wait, m->held_until);
}

static int64_t token_at(const struct meter *m, int64_t now) {
  return m->rate ? later(now + until(&m->longer, TOKEN), m->held_until) : now;
}

bool meter_batch(struct meter *m, int64_t now) {
  pthread_mutex_lock(&m->lock);
  pass(m, now);
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
  pass(m, now);
  if (m->rate) {
    int64_t there = m->held_until > now ? 0 : m->longer.level / TOKEN;
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
  pass(m, now);
  int64_t at = batch_at(m, now);
  pthread_mutex_unlock(&m->lock);
  return at;
}

int64_t meter_token_at(struct meter *m, int64_t now) {
  pthread_mutex_lock(&m->lock);
  pass(m, now);
  int64_t at = token_at(m, now);
  pthread_mutex_unlock(&m->lock);
  return at;
}

void meter_hold(struct meter *m, int64_t ms, int64_t now) {
  pthread_mutex_lock(&m->lock);
  m->held_until = later(m->held_until, now + ms);
  pthread_mutex_unlock(&m->lock);
}

void meter_look(struct meter *m, int64_t now, struct meter_view *v) {
  *v = (struct meter_view){0};
  pthread_mutex_lock(&m->lock);
  pass(m, now);
  v->rate = m->rate;
  for (int i = 0; m->rate && i < BINS; ++i) v->used += m->bin[i];
  if (m->rate && m->held_until <= now) v->left = (unsigned)(m->longer.level / TOKEN);
  v->held = m->held_until > now ? m->held_until - now : 0;
  pthread_mutex_unlock(&m->lock);
}
