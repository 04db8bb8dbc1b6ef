/* See context.h. */
#include "store/context.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/clock.h"

int context_open(struct context *s, struct ck_err *err) {
  pthread_mutex_init(&s->lock, NULL);
  for (int i = 0; i < WAKES; ++i) {
    s->wake[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake[i] < 0) return ck_fail(err, "eventfd: %s", strerror(errno));
  }
  return 0;
}

void context_close(struct context *s) {
  for (int i = 0; i < WAKES; ++i) close(s->wake[i]);
  pthread_mutex_destroy(&s->lock);
}

void context_wake(struct context *s) {
  for (int i = 0; i < WAKES; ++i) eventfd_write(s->wake[i], 1);
}

void context_wake_one(struct context *s, int which) { eventfd_write(s->wake[which], 1); }

void context_woken(struct context *s, int which) {
  eventfd_t ignored;
  eventfd_read(s->wake[which], &ignored);
}

void context_trouble(struct context *s, enum trouble_of whose, const char *reason) {
  pthread_mutex_lock(&s->lock);
  s->trouble[whose] = (struct trouble){0};
  if (reason) {
    s->trouble[whose].at = ck_now_ms();
    ck_fail(&s->trouble[whose].reason, "%s", reason);
  }
  pthread_mutex_unlock(&s->lock);
}

struct trouble context_trouble_of(struct context *s, enum trouble_of whose) {
  pthread_mutex_lock(&s->lock);
  struct trouble t = s->trouble[whose];
  pthread_mutex_unlock(&s->lock);
  return t;
}

struct trouble context_newest_trouble(struct context *s) {
  struct trouble newest = {0};
  pthread_mutex_lock(&s->lock);
  for (int i = 0; i < TROUBLES; ++i) {
    const struct trouble *t = &s->trouble[i];
    if (t->reason.text[0] && (!newest.reason.text[0] || t->at > newest.at)) newest = *t;
  }
  pthread_mutex_unlock(&s->lock);
  return newest;
}
