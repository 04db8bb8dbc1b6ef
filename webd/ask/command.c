/* Programs that webd runs beside itself: what they do is written once, and a long one holds up no
 * request. Each says lines of JSON. */
#include "webd/ask/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/child.h"
#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/log.h"

#define NOT_RUN 127
#define READ_BYTES (64u << 10)
/* Of convkeep that run at once; one more is not started. */
#define AT_ONCE 16
/* A longer line is thrown away. */
#define LINE_MAX_BYTES ((size_t)8 << 20)

struct pipe_end {
  int fd;
  bool errors; /* standard error */
  struct ck_buf line;
};

struct web_command {
  struct web_command *next;
  struct web_commands *all;
  struct web_command_wish wish; /* without its words */
  int64_t until;                /* boot; 0: it may take as long as it does */
  bool late;                    /* it was killed then */
  pid_t pid;
  int pidfd;
  struct pipe_end ends[2];
};

struct web_commands {
  int epoll;
  bool ending;
  struct web_command *head;
  unsigned count;
};

/* ---- start and end ---- */

/* Of PREFIX/libexec/convkeep/webd: renewd beside it, or PREFIX/bin/convkeep. */
static char *program_of(enum web_program program) {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  self[n > 0 ? n : 0] = '\0';
  char *slash = strrchr(self, '/');
  if (slash) *slash = '\0';
  return ck_sprintf(program == WEB_RENEWD ? "%s/renewd" : "%s/../../bin/convkeep", self);
}

struct web_commands *web_commands_new(struct ck_err *err) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    ck_fail(err, "epoll: %s", strerror(errno));
    return NULL;
  }
  struct web_commands *all = ck_zalloc(sizeof *all);
  all->epoll = epoll;
  return all;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* A question to renewd changes nothing, and need not come to an end of its own. */
static void command_end(const struct web_command *c) {
  kill(c->pid, c->wish.program == WEB_RENEWD ? SIGKILL : SIGTERM);
}

static void command_free(struct web_command *c) {
  struct web_command **at = &c->all->head;
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  c->all->count -= c->wish.program == WEB_CONVKEEP;
  for (int i = 0; i < 2; ++i) {
    shut(&c->ends[i].fd);
    ck_buf_free(&c->ends[i].line);
  }
  shut(&c->pidfd);
  free(c);
}

void web_commands_free(struct web_commands **commands) {
  struct web_commands *all = *commands;
  if (!all) return;
  all->ending = true;
  while (all->head) {
    struct web_command *c = all->head;
    command_end(c);
    c->wish.ended(c->wish.self, -1);
    command_free(c);
  }
  shut(&all->epoll);
  free(all);
  *commands = NULL;
}

/* ---- running ---- */

/* Between fork and exec: only what may be called after a signal. */
__attribute__((noreturn)) static void become(char *const *argv, char *const *env,
                                             const char *folder, const int *outs, pid_t parent) {
  static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
  sigset_t none;
  sigemptyset(&none);
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(NOT_RUN);
  for (size_t i = 0; i < sizeof handled / sizeof *handled; ++i) signal(handled[i], SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(outs[0], STDOUT_FILENO) < 0 ||
      dup2(outs[1], STDERR_FILENO) < 0)
    _exit(NOT_RUN);
  close_range(STDERR_FILENO + 1, ~0u, 0);
  if (folder && chdir(folder)) _exit(NOT_RUN);
  execve(argv[0], argv, env);
  _exit(NOT_RUN);
}

static void free_words(char **words) {
  for (char **word = words; *word; ++word) free(*word);
  free(words);
}

static void add_word(char **argv, const char *word) {
  while (*argv) ++argv;
  *argv = ck_strdup(word);
}

static char **arguments(const struct web_command_wish *wish) {
  bool renewd = wish->program == WEB_RENEWD;
  char **flags = ck_daemon_flags(), *program = program_of(wish->program);
  size_t flag_count = 0, word_count = 0;
  while (flags[flag_count]) ++flag_count;
  while (wish->words[word_count]) ++word_count;
  char **argv = ck_zalloc((flag_count + word_count + 3) * sizeof *argv);
  add_word(argv, program);
  if (!renewd) add_word(argv, "--json");
  for (size_t i = 0; i < flag_count; ++i) add_word(argv, flags[i]);
  if (renewd) add_word(argv, "--");
  for (size_t i = 0; i < word_count; ++i) add_word(argv, wish->words[i]);
  free_words(flags);
  free(program);
  return argv;
}

static void listen_to(struct web_commands *all, int fd, struct web_command *c) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(all->epoll, EPOLL_CTL_ADD, fd, &event)) ck_no_memory();
}

static int spawn(struct web_commands *all, struct web_command *c, const char *const *words,
                 struct ck_err *err) {
  struct web_command_wish wish = c->wish;
  int out[2] = {-1, -1}, errors[2] = {-1, -1};
  bool own = wish.program == WEB_RENEWD;
  pid_t parent = getpid();
  wish.words = words;
  char **argv = arguments(&wish), **env = ck_child_env();
  if (pipe2(out, O_CLOEXEC) || (!own && pipe2(errors, O_CLOEXEC))) {
    ck_fail(err, "pipe: %s", strerror(errno));
  } else {
    c->pid = fork();
    if (c->pid == 0)
      become(argv, env, wish.folder, (int[]){out[1], own ? STDERR_FILENO : errors[1]}, parent);
    if (c->pid < 0) ck_fail(err, "fork: %s", strerror(errno));
  }
  free_words(argv);
  free(env);
  shut(&out[1]);
  shut(&errors[1]);
  c->ends[0].fd = out[0];
  c->ends[1] = (struct pipe_end){.fd = errors[0], .errors = true};
  if (c->pid <= 0) return -1;
  c->pidfd = pidfd_open(c->pid, 0);
  if (c->pidfd < 0) ck_no_memory();
  listen_to(all, c->pidfd, c);
  for (int i = 0; i < 2; ++i) {
    if (c->ends[i].fd < 0) continue;
    fcntl(c->ends[i].fd, F_SETFL, O_NONBLOCK);
    listen_to(all, c->ends[i].fd, c);
  }
  return 0;
}

int web_command(struct web_commands *all, const struct web_command_wish *wish, struct ck_err *err) {
  if (all->ending) return ck_fail(err, "webd is being stopped");
  bool counts = wish->program == WEB_CONVKEEP;
  if (counts && all->count >= AT_ONCE) return ck_fail(err, "%d commands run already", AT_ONCE);
  struct web_command *c = ck_zalloc(sizeof *c);
  *c = (struct web_command){.next = all->head,
                            .all = all,
                            .wish = *wish,
                            .until = wish->ms ? ck_boot_after(wish->ms) : 0,
                            .pidfd = -1,
                            .ends = {{.fd = -1}, {.fd = -1}}};
  c->wish.words = NULL;
  all->head = c;
  all->count += counts;
  if (spawn(all, c, wish->words, err) == 0) return 0;
  command_free(c);
  return -1;
}

/* ---- hearing ---- */

static void say(struct web_command *c, const struct pipe_end *end, struct ck_str text) {
  json_t *line = json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL);
  if (json_is_object(line))
    c->wish.line(c->wish.self, line, end->errors);
  else
    ck_log(CK_WARN, "-", "command_said", "text=%s", ck_quoted(ck_utf8_cut(text, 300)));
  json_decref(line);
}

static void take(struct web_command *c, struct pipe_end *end, struct ck_str bytes) {
  while (bytes.n) {
    const char *feed = memchr(bytes.s, '\n', bytes.n);
    size_t n = feed ? (size_t)(feed - bytes.s) : bytes.n;
    if (end->line.len + n <= LINE_MAX_BYTES) ck_buf_add(&end->line, bytes.s, n);
    if (feed && end->line.len) say(c, end, ck_buf_view(&end->line));
    if (feed) ck_buf_clear(&end->line);
    bytes.s += n + (feed != NULL);
    bytes.n -= n + (feed != NULL);
  }
}

static void read_end(struct web_command *c, struct pipe_end *end) {
  static char bytes[READ_BYTES];
  ssize_t n;
  while (end->fd >= 0 && (n = read(end->fd, bytes, sizeof bytes)) != 0) {
    if (n > 0) take(c, end, (struct ck_str){bytes, (size_t)n});
    if (n < 0 && errno != EINTR) return;
  }
  shut(&end->fd);
}

static void step(struct web_command *c) {
  int status = 0;
  bool over = waitpid(c->pid, &status, WNOHANG) == c->pid;
  read_end(c, &c->ends[0]);
  read_end(c, &c->ends[1]);
  if (!over && c->until && !c->late && ck_boot_ms() >= c->until) {
    c->late = true;
    kill(c->pid, SIGKILL);
  }
  if (!over) return;
  int code = c->late ? WEB_COMMAND_LATE : WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  c->wish.ended(c->wish.self, code);
  command_free(c);
}

void web_commands_step(struct web_commands *all) {
  for (struct web_command *c = all->head, *next; c; c = next) {
    next = c->next;
    step(c);
  }
}

void web_commands_wait(const struct web_commands *all, struct ck_wait *w) {
  ck_wait_for(w, NULL, all->epoll, ZMQ_POLLIN);
  for (const struct web_command *c = all->head; c; c = c->next)
    if (c->until && !c->late) ck_wait_until(w, c->until);
}
