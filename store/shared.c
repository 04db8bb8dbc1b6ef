#include "store/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int shared_open(struct shared *s, struct ck_err *err) {
  for (int i = 0; i < WAKES; ++i) {
    s->wake[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake[i] < 0) return ck_fail(err, "eventfd: %s", strerror(errno));
  }
  return 0;
}

void shared_close(struct shared *s) {
  for (int i = 0; i < WAKES; ++i) close(s->wake[i]);
}

void shared_wake(struct shared *s) {
  for (int i = 0; i < WAKES; ++i) eventfd_write(s->wake[i], 1);
}

void shared_wake_one(struct shared *s, int which) { eventfd_write(s->wake[which], 1); }

void shared_woken(struct shared *s, int which) {
  eventfd_t ignored;
  eventfd_read(s->wake[which], &ignored);
}
