/* A pseudo-terminal; see terminal.h. */
#include "tests/harness/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "tests/harness/base.h"

#define MS 60000

static _Noreturn void become(int terminal, const char *const words[]) {
  const char *argv[40];
  int n = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  login_tty(terminal);
  closefrom(3);
  char *program = ck_sprintf("%s/bin/convkeep", t_build());
  argv[n++] = program;
  for (int i = 0; words[i] && n < 39; i++) argv[n++] = words[i];
  argv[n] = NULL;
  execv(argv[0], (char *const *)(uintptr_t)argv);
  _exit(127);
}

/* Until the other side is closed, which is an error of the terminal. */
static void read_all(int terminal, struct ck_buf *out) {
  int64_t until = ck_boot_ms() + (int64_t)MS * T_SLOWER;
  for (;;) {
    struct pollfd item = {terminal, POLLIN, 0};
    int64_t left = until - ck_boot_ms();
    T_CHECK(left > 0 && poll(&item, 1, (int)left) > 0, "nothing more after %d ms", MS);
    ssize_t n = read(terminal, ck_buf_room(out, 4096), 4096);
    if (n <= 0) break;
    out->len += (size_t)n;
  }
}

struct t_result t_terminal_words(unsigned short columns, const char *const words[]) {
  int own, its, status;
  struct winsize size = {.ws_row = 24, .ws_col = columns};
  struct termios raw = {0};
  cfmakeraw(&raw);
  T_CHECK(openpty(&own, &its, NULL, &raw, &size) == 0, "no terminal: %s", strerror(errno));
  fcntl(own, F_SETFD, FD_CLOEXEC);
  fflush(NULL);
  pid_t pid = fork();
  T_CHECK(pid >= 0, "cannot fork: %s", strerror(errno));
  if (pid == 0) become(its, words);
  close(its);
  struct ck_buf out = {0};
  read_all(own, &out);
  close(own);
  T_CHECK(waitpid(pid, &status, 0) == pid, "it is gone");
  ck_buf_cstr(&out);
  return (struct t_result){.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                           .out = out.data,
                           .out_size = out.len,
                           .err = ck_strdup("")};
}
