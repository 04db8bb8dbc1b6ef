/* See fit.h. */
#include "store/mirror/fit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/calendar.h"
#include "proto/text.h"
#include "proto/wire.h"

#define AGAIN_MS 2500 /* a worker that was asked has not told it */
#define HOUR_MS (INT64_C(3600) * 1000)
#define TASK_AGAIN_MS (HOUR_MS / 4)
#define NIGHT_FROM 2 /* hours */
#define NIGHT_TO 6
#define AGAIN_ALARM_MS 60000 /* somebody may have put things right */

struct fit {
  pthread_mutex_t lock;
  char run[FIT_RUN];
  struct fit_view view;
  bool set_back;
  int64_t ask_at; /* while it does not fit */
  struct fit_check check;
  int64_t task_at;   /* the next task is not asked for before */
  int64_t task_wait; /* … for as long after one that did not help, or did not tell; 0: none yet */
};

struct fit *fit_new(const char *run, bool set_back) {
  struct fit *f = ck_zalloc(sizeof *f);
  pthread_mutex_init(&f->lock, NULL);
  snprintf(f->run, sizeof f->run, "%s", run);
  f->view.state = *run ? FIT_UNKNOWN : FIT_YES;
  f->set_back = set_back;
  return f;
}

void fit_free(struct fit **f) {
  if (!*f) return;
  pthread_mutex_destroy(&(*f)->lock);
  free(*f);
  *f = NULL;
}

const char *fit_run(const struct fit *f) { return f->run; }

void fit_read(struct fit *f, struct fit_view *v) {
  pthread_mutex_lock(&f->lock);
  *v = f->view;
  pthread_mutex_unlock(&f->lock);
}

bool fit_set_back(struct fit *f) {
  pthread_mutex_lock(&f->lock);
  bool set_back = f->set_back;
  pthread_mutex_unlock(&f->lock);
  return set_back;
}

void fit_compared(struct fit *f, bool fits, bool set_back, const char *before, uint64_t least) {
  pthread_mutex_lock(&f->lock);
  f->view.state = fits ? FIT_YES : FIT_NO;
  f->set_back = set_back;
  f->view.least = least;
  snprintf(f->view.before, sizeof f->view.before, "%s", before);
  pthread_mutex_unlock(&f->lock);
}

void fit_forget(struct fit *f) {
  pthread_mutex_lock(&f->lock);
  f->view.state = f->run[0] ? FIT_UNKNOWN : FIT_YES;
  f->set_back = false;
  f->ask_at = 0;
  f->task_at = f->task_wait = 0;
  pthread_mutex_unlock(&f->lock);
}

void fit_confirmed(struct fit *f, uint64_t version) {
  pthread_mutex_lock(&f->lock);
  if (version > f->view.least) f->view.least = version;
  pthread_mutex_unlock(&f->lock);
}

int64_t fit_ask_at(struct fit *f) {
  pthread_mutex_lock(&f->lock);
  int64_t at = f->view.state == FIT_YES ? INT64_MAX : f->ask_at;
  pthread_mutex_unlock(&f->lock);
  return at;
}

void fit_asked(struct fit *f, int64_t now) {
  pthread_mutex_lock(&f->lock);
  f->ask_at = now + (f->view.state == FIT_NO ? AGAIN_ALARM_MS : AGAIN_MS);
  pthread_mutex_unlock(&f->lock);
}

/* A comparison by hand of what is to be repaired changes nothing in that. */
void fit_checked(struct fit *f, const struct fit_check *check, int64_t now) {
  pthread_mutex_lock(&f->lock);
  f->check = *check;
  if (check->unproven && check->left) {
    if (!f->task_wait) f->task_wait = TASK_AGAIN_MS;
    f->task_at = now + f->task_wait;
  } else if (!check->unproven) {
    f->task_at = f->task_wait = 0;
  }
  pthread_mutex_unlock(&f->lock);
}

/* Once a night; by day only if it was missed for a day more. A comparison that lies ahead of the
 * clock, because that was set back, says nothing of when it was. */
static bool verify_due(const struct fit_check *c, int64_t wall, int64_t shown) {
  int64_t hour = shown % CK_DAY_MS / HOUR_MS, age = wall - c->at;
  bool night = hour >= NIGHT_FROM && hour < NIGHT_TO;
  if (c->at && age < 0) return night;
  return c->at && age >= (night ? CK_DAY_MS - (NIGHT_TO - NIGHT_FROM) * HOUR_MS : 2 * CK_DAY_MS);
}

const char *fit_task_due(struct fit *f, uint64_t cursor, int64_t now, int64_t wall, int64_t shown) {
  const char *task = NULL;
  pthread_mutex_lock(&f->lock);
  if (f->run[0] && f->view.state == FIT_YES && now >= f->task_at) {
    if (f->check.unproven)
      task = cursor >= f->check.behind ? CK_TASK_REPAIR : NULL;
    else if (verify_due(&f->check, wall, shown))
      task = CK_TASK_VERIFY;
  }
  pthread_mutex_unlock(&f->lock);
  return task;
}

void fit_task_asked(struct fit *f, int64_t now) {
  pthread_mutex_lock(&f->lock);
  int64_t wait = 2 * f->task_wait;
  f->task_wait = wait == 0 ? TASK_AGAIN_MS : wait < CK_DAY_MS ? wait : CK_DAY_MS;
  f->task_at = now + f->task_wait;
  pthread_mutex_unlock(&f->lock);
}
