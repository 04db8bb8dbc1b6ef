/* renewd's end: starts the launcher, and talks to it. See launcher.h. */
#include "renewd/launcher_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/text.h"

#define END_MS 3000

struct renew_launcher {
  pid_t pid;
  int socket;
  bool lost;
  char *report; /* LAUNCH_REPORT_MAX bytes */
};

struct renew_launcher *renew_launcher_start(const struct ck_settings *s, struct ck_err *err) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
    ck_fail(err, "socketpair: %s", strerror(errno));
    return NULL;
  }
  pid_t pid = fork();
  if (pid == 0) launcher_loop(s, pair[1]);
  close(pair[1]);
  if (pid < 0) {
    ck_fail(err, "fork: %s", strerror(errno));
    close(pair[0]);
    return NULL;
  }
  struct renew_launcher *l = ck_zalloc(sizeof *l);
  *l = (struct renew_launcher){.pid = pid, .socket = pair[0]};
  l->report = ck_alloc(LAUNCH_REPORT_MAX);
  return l;
}

void renew_launcher_end(struct renew_launcher **launcher) {
  struct renew_launcher *l = *launcher;
  if (!l) return;
  close(l->socket);
  int left = END_MS;
  for (; waitpid(l->pid, NULL, WNOHANG) == 0 && left > 0; left -= 10) poll(NULL, 0, 10);
  if (left <= 0) { /* a command hangs in its file system */
    kill(l->pid, SIGKILL);
    waitpid(l->pid, NULL, 0);
  }
  free(l->report);
  free(l);
  *launcher = NULL;
}

/* ---- requests ---- */

/* Writes all of it; -1 with errno. */
static int write_all(int fd, struct ck_str bytes) {
  for (size_t written = 0; written < bytes.n;) {
    ssize_t n = write(fd, bytes.s + written, bytes.n - written);
    if (n > 0) written += (size_t)n;
    if (n < 0 && errno != EINTR) return -1;
  }
  return 0;
}

/* A nameless file with both; -1 with errno. */
static int file_of(struct ck_str delivery, struct ck_str payload) {
  int fd = memfd_create("delivery", MFD_CLOEXEC);
  if (fd < 0) return -1;
  if (write_all(fd, delivery) == 0 && write_all(fd, payload) == 0) return fd;
  int why = errno;
  close(fd);
  errno = why;
  return -1;
}

/* fd: sent with it; -1: none. 0, or -1 with errno. */
static int tell(struct renew_launcher *l, const struct launch_request *request, int fd) {
  struct iovec bytes = {(void *)(uintptr_t)request, sizeof *request};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {{0}};
  struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (fd >= 0) {
    m.msg_control = &control;
    m.msg_controllen = sizeof control;
    control.header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  }
  ssize_t sent = sendmsg(l->socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent == (ssize_t)sizeof *request ? 0 : -1;
}

int renew_launcher_run(struct renew_launcher *l, uint64_t id, const char *name,
                       struct ck_str delivery, struct ck_str payload, struct ck_err *err) {
  struct launch_request request = {
      .id = id, .what = LAUNCH_RUN, .delivery_bytes = delivery.n, .payload_bytes = payload.n};
  if (strlen(name) >= sizeof request.name) return ck_fail(err, "its name is too long");
  strcpy(request.name, name);
  int fd = file_of(delivery, payload), rc = fd < 0 ? -1 : tell(l, &request, fd), why = errno;
  if (fd >= 0) close(fd);
  return rc ? ck_fail(err, "not started: %s", strerror(why)) : 0;
}

void renew_launcher_kill(struct renew_launcher *l, uint64_t id) {
  tell(l, &(struct launch_request){.id = id, .what = LAUNCH_KILL}, -1);
}

void renew_launcher_cancel(struct renew_launcher *l, uint64_t id) {
  tell(l, &(struct launch_request){.id = id, .what = LAUNCH_CANCEL}, -1);
}

void renew_launcher_stop(struct renew_launcher *l) {
  tell(l, &(struct launch_request){.what = LAUNCH_STOP}, -1);
}

/* ---- reports ---- */

bool renew_launcher_ended(struct renew_launcher *l, struct renew_launched *ended) {
  struct launch_report r;
  if (l->lost) return false;
  ssize_t n = recv(l->socket, l->report, LAUNCH_REPORT_MAX, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n < (ssize_t)sizeof r) {
    l->lost = true;
    return false;
  }
  memcpy(&r, l->report, sizeof r);
  const char *last = l->report + sizeof r, *said = last + r.last_bytes;
  *ended = (struct renew_launched){.id = r.id,
                                   .end = r.end,
                                   .code = r.code,
                                   .last = {last, r.last_bytes},
                                   .alone = r.alone,
                                   .said = {said, r.said_bytes},
                                   .refusal = {said + r.said_bytes, r.refusal_bytes},
                                   .never_will = r.never_will};
  return true;
}

int renew_launcher_fd(const struct renew_launcher *l) { return l->lost ? -1 : l->socket; }

bool renew_launcher_is_lost(const struct renew_launcher *l) { return l->lost; }
