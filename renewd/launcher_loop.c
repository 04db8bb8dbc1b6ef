/* The launcher: takes requests, watches what runs, and reports each end. It has one thread, and
 * waits in poll() only. */
#include "renewd/launcher_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"

#define KILL_AFTER_MS 2000
#define LINE_HEAD 32
#define SOCKET_FD (STDERR_FILENO + 1)

/* The newest bytes of an output. */
struct tail {
  struct ck_buf bytes;
  size_t most;
  bool cut;       /* older ones were dropped */
  bool line_over; /* what comes next begins a line */
  char head[LINE_HEAD];
  size_t heads; /* the first bytes of the last line that is not blank */
};

struct run {
  struct run *next;
  uint64_t id;
  struct launch_child child;
  struct tail out, err;
  int64_t deadline;           /* boot: when to send the next signal */
  enum renew_command_end end; /* RENEW_COMMAND_EXITED until it is made to end */
};

struct launcher {
  const struct ck_settings *settings;
  struct run *all;
  struct pollfd *polls;
};

/* ---- output ---- */

static void note_head(struct tail *t, const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    bool blank = (unsigned char)bytes[i] <= ' ';
    if (bytes[i] == '\n') t->line_over = true;
    if (t->line_over && blank) continue;
    if (t->line_over) t->heads = 0;
    t->line_over = false;
    if (t->heads < LINE_HEAD) t->head[t->heads++] = bytes[i];
  }
}

static void tail_add(struct tail *t, const char *bytes, size_t n) {
  note_head(t, bytes, n);
  ck_buf_add(&t->bytes, bytes, n);
  if (t->bytes.len <= 2 * t->most) return;
  memmove(t->bytes.data, t->bytes.data + t->bytes.len - t->most, t->most);
  t->bytes.len = t->most;
  t->cut = true;
}

/* Reads what is there. */
static void drain(int *fd, struct tail *t) {
  char bytes[16384];
  while (*fd >= 0) {
    ssize_t n = read(*fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) {
      tail_add(t, bytes, (size_t)n);
      continue;
    }
    close(*fd);
    *fd = -1;
  }
}

/* The last line that is not blank; *whole: nothing of it was dropped. */
static struct ck_str last_line(const struct tail *t, bool *whole) {
  struct ck_str all = ck_trim(ck_buf_view(&t->bytes));
  size_t from = all.n;
  while (from && all.s[from - 1] != '\n') from--;
  *whole = from > 0 || !t->cut;
  return (struct ck_str){all.s + from, all.n - from};
}

/* The last whole line that may say that a limit has refused the turn. */
static struct ck_str refusal_in(const struct tail *t) {
  static const char name[] = "\"rate_limit_event\"";
  struct ck_str all = ck_buf_view(&t->bytes), found = {0};
  const char *end = all.s + all.n, *at = all.s;
  while (all.n && (at = memmem(at, (size_t)(end - at), name, sizeof name - 1))) {
    const char *before = memrchr(all.s, '\n', (size_t)(at - all.s)),
               *from = before ? before + 1 : all.s, *to = memchr(at, '\n', (size_t)(end - at));
    if (!to) to = end;
    if ((before || !t->cut) && to - from <= LAUNCH_ERR_MAX)
      found = (struct ck_str){from, (size_t)(to - from)};
    at = to;
  }
  return found;
}

/* ---- reports ---- */

/* Blocks if renewd does not read; it then has nothing to do with other ends either. */
static void send_report(const struct launch_report *r, struct ck_str last, struct ck_str said,
                        struct ck_str refusal) {
  struct iovec parts[] = {{(void *)(uintptr_t)r, sizeof *r},
                          {(void *)(uintptr_t)last.s, last.n},
                          {(void *)(uintptr_t)said.s, said.n},
                          {(void *)(uintptr_t)refusal.s, refusal.n}};
  struct msghdr m = {.msg_iov = parts, .msg_iovlen = 4};
  ssize_t sent;
  while ((sent = sendmsg(SOCKET_FD, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
  }
  /* An end that renewd is not told would never come: it is told that the launcher has ended. */
  if (sent < 0) _exit(1);
}

static void report(const struct run *r, int code) {
  bool whole, ignored;
  struct ck_str last = last_line(&r->out, &whole), said = last_line(&r->err, &ignored);
  /* Of a line that is too long, its beginning tells what it was. */
  bool alone = whole && !r->out.cut && last.n == ck_trim(ck_buf_view(&r->out.bytes)).n;
  if (!whole || last.n > LAUNCH_OUT_MAX) last = (struct ck_str){r->out.head, r->out.heads};
  if (!said.n) said = last_line(&r->out, &ignored);
  if (said.n > LAUNCH_ERR_MAX) said.n = LAUNCH_ERR_MAX;
  struct ck_str refusal = refusal_in(&r->out);
  send_report(&(struct launch_report){.id = r->id,
                                      .end = r->end,
                                      .code = code,
                                      .alone = alone,
                                      .last_bytes = last.n,
                                      .said_bytes = said.n,
                                      .refusal_bytes = refusal.n},
              last, said, refusal);
}

static void report_not_run(uint64_t id, bool never_will, const char *why) {
  struct ck_str said = ck_str_of(why);
  send_report(
      &(struct launch_report){
          .id = id, .end = RENEW_COMMAND_NOT_RUN, .never_will = never_will, .said_bytes = said.n},
      CK_LIT(""), said, CK_LIT(""));
}

/* ---- runs ---- */

static void shut(int fd) {
  if (fd >= 0) close(fd);
}

static void run_free(struct run *r) {
  shut(r->child.pidfd);
  shut(r->child.out);
  shut(r->child.err);
  ck_buf_free(&r->out.bytes);
  ck_buf_free(&r->err.bytes);
  free(r);
}

/* Kills what is left of the group. Its number is the command's own, which is not given to another
 * process before the command has been waited for. */
static int end_group(struct run *r) {
  int status = 0;
  kill(-r->child.pid, SIGKILL);
  while (waitpid(r->child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

static bool has_ended(const struct run *r) {
  siginfo_t info = {.si_pid = 0};
  return waitid(P_PID, (id_t)r->child.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == r->child.pid;
}

static void make_it_end(struct run *r, enum renew_command_end why, int64_t grace) {
  kill(-r->child.pid, SIGTERM);
  kill(-r->child.pid, SIGCONT); /* it may be stopped */
  r->end = why;
  r->deadline = ck_boot_after(grace);
}

/* True: it is over, and was reported. */
static bool step(struct run *r, int64_t now) {
  bool ended = has_ended(r);
  int status = ended ? end_group(r) : 0;
  drain(&r->child.out, &r->out);
  drain(&r->child.err, &r->err);
  if (ended) {
    bool by_signal = WIFSIGNALED(status);
    if (by_signal && r->end == RENEW_COMMAND_EXITED) r->end = RENEW_COMMAND_SIGNALLED;
    report(r, by_signal ? WTERMSIG(status) : WEXITSTATUS(status));
    return true;
  }
  if (now < r->deadline) return false;
  if (r->end == RENEW_COMMAND_EXITED) {
    make_it_end(r, RENEW_COMMAND_TIMED_OUT, KILL_AFTER_MS);
  } else {
    kill(-r->child.pid, SIGKILL);
    r->deadline = INT64_MAX;
  }
  return false;
}

static void step_all(struct launcher *l) {
  int64_t now = ck_boot_ms();
  for (struct run **at = &l->all, *r; (r = *at);) {
    if (!step(r, now)) {
      at = &r->next;
      continue;
    }
    *at = r->next;
    run_free(r);
  }
}

static void kill_run(struct launcher *l, uint64_t id) {
  for (struct run **at = &l->all, *r; (r = *at); at = &r->next) {
    if (r->id != id) continue;
    *at = r->next;
    end_group(r);
    run_free(r);
    return;
  }
}

static void cancel_run(struct launcher *l, uint64_t id) {
  for (struct run *r = l->all; r; r = r->next)
    if (r->id == id && r->end == RENEW_COMMAND_EXITED)
      make_it_end(r, RENEW_COMMAND_CANCELLED, KILL_AFTER_MS);
}

static void stop_all(struct launcher *l) {
  int64_t grace = ck_set_int(l->settings, CK_SET_RENEW_STOP_GRACE);
  for (struct run *r = l->all; r; r = r->next)
    if (r->end == RENEW_COMMAND_EXITED) make_it_end(r, RENEW_COMMAND_STOPPED, grace);
}

/* ---- requests ---- */

/* Reads `bytes` of the file from `from` on. -1 with the reason. */
static int read_part(int fd, size_t from, size_t bytes, struct ck_buf *b, struct ck_err *err) {
  char *room = ck_buf_room(b, bytes);
  while (b->len < bytes) {
    ssize_t n = pread(fd, room + b->len, bytes - b->len, (off_t)(from + b->len));
    if (n > 0) b->len += (size_t)n;
    if (n == 0) return ck_fail(err, "the delivery is cut off");
    if (n < 0 && errno != EINTR) return ck_fail(err, "the delivery: %s", strerror(errno));
  }
  return 0;
}

static bool has_bytes(int fd, const struct launch_request *q) {
  struct stat st;
  return fd >= 0 && fstat(fd, &st) == 0 && q->delivery_bytes <= (size_t)st.st_size &&
         q->payload_bytes == (size_t)st.st_size - q->delivery_bytes;
}

static void begin(struct launcher *l, const struct launch_request *q, int fd) {
  struct ck_exec exec;
  struct ck_err err = {"the delivery is not there"};
  struct ck_buf delivery = {0}, payload = {0};
  struct run *r = ck_zalloc(sizeof *r);
  bool never_will = false;
  int rc = has_bytes(fd, q) ? 0 : -1;
  if (rc == 0 && !ck_set_exec(l->settings, q->name, &exec))
    rc = ck_fail(&err, "there is no setting renew.exec.%.100s", q->name);
  if (rc == 0) rc = read_part(fd, 0, q->delivery_bytes, &delivery, &err);
  if (rc == 0) rc = read_part(fd, q->delivery_bytes, q->payload_bytes, &payload, &err);
  if (rc == 0)
    rc = launch_child_start(&r->child, &exec, ck_buf_view(&delivery), ck_buf_view(&payload),
                            &never_will, &err);
  ck_buf_free(&delivery);
  ck_buf_free(&payload);
  if (rc) {
    report_not_run(q->id, never_will, err.text);
    free(r);
    return;
  }
  r->id = q->id;
  r->end = RENEW_COMMAND_EXITED;
  r->out.most = LAUNCH_OUT_MAX;
  r->err.most = LAUNCH_ERR_MAX;
  r->deadline = ck_boot_after(exec.timeout);
  r->next = l->all;
  l->all = r;
}

static int fd_in(struct msghdr *m) {
  int fd = -1;
  struct cmsghdr *c = CMSG_FIRSTHDR(m);
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
  return fd;
}

/* False: renewd has gone. */
static bool take_request(struct launcher *l) {
  struct launch_request q;
  struct iovec bytes = {&q, sizeof q};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr m = {.msg_iov = &bytes,
                     .msg_iovlen = 1,
                     .msg_control = &control,
                     .msg_controllen = sizeof control};
  ssize_t n = recvmsg(SOCKET_FD, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n != (ssize_t)sizeof q) return false;
  int fd = fd_in(&m);
  q.name[sizeof q.name - 1] = '\0';
  if (q.what == LAUNCH_RUN) begin(l, &q, fd);
  if (q.what == LAUNCH_CANCEL) cancel_run(l, q.id);
  if (q.what == LAUNCH_KILL) kill_run(l, q.id);
  if (q.what == LAUNCH_STOP) stop_all(l);
  shut(fd);
  return true;
}

/* ---- the loop ---- */

/* Nothing of renewd's but standard error and the socket: not its lock, nor the descriptor by which
 * its starter sees that it has gone. */
static void let_go(int socket) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(socket, SOCKET_FD);
  fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
  close_range(SOCKET_FD + 1, ~0u, 0);
}

/* It ends when renewd has gone, so that a ^C at the terminal, which both get, ends no command
 * before renewd says so. */
static void ignore_signals(void) {
  static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
  sigset_t none;
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void wait_for_something(struct launcher *l) {
  size_t n = 1, runs = 0;
  int64_t until = INT64_MAX;
  for (const struct run *r = l->all; r; r = r->next) runs++;
  l->polls = ck_realloc(l->polls, (1 + 3 * runs) * sizeof *l->polls);
  l->polls[0] = (struct pollfd){SOCKET_FD, POLLIN, 0};
  for (const struct run *r = l->all; r; r = r->next) {
    l->polls[n++] = (struct pollfd){r->child.pidfd, POLLIN, 0};
    l->polls[n++] = (struct pollfd){r->child.out, POLLIN, 0};
    l->polls[n++] = (struct pollfd){r->child.err, POLLIN, 0};
    if (r->deadline < until) until = r->deadline;
  }
  int64_t left = until == INT64_MAX ? -1 : until - ck_boot_ms();
  if (until != INT64_MAX && left < 0) left = 0;
  poll(l->polls, n, left > INT32_MAX ? INT32_MAX : (int)left);
}

void launcher_loop(const struct ck_settings *s, int socket) {
  struct launcher l = {.settings = s};
  let_go(socket);
  ignore_signals();
  prctl(PR_SET_NAME, "launcher");
  do {
    step_all(&l);
    wait_for_something(&l);
  } while (take_request(&l));
  for (struct run *r; (r = l.all);) kill_run(&l, r->id);
  _exit(0);
}
