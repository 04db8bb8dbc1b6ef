/* For LD_PRELOAD: shifts the wall clock by a number of seconds, an int64_t in the file that
 * CLOCK_STEP_FILE names. The file may change at any time. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const int64_t none;
static const volatile int64_t *seconds = &none;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CLOCK_STEP_FILE");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) seconds = at;
  close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t) {
  int rc = (int)syscall(SYS_clock_gettime, id, t);
  if (rc == 0 && id == CLOCK_REALTIME) t->tv_sec += (time_t)*seconds;
  return rc;
}
