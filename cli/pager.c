/* Starts a pager and gives it the output; see pager.h. */
#include "cli/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/out.h"

#define PAGER "less -R"
/* For less, unless the reader has set it: end if it all fits, colours, leave it on the screen. */
#define LESS "FRX"

static void run(const char *pager, const int pipe[2]) {
  signal(SIGPIPE, SIG_DFL);
  setenv("LESS", LESS, 0);
  if (dup2(pipe[0], STDIN_FILENO) >= 0) execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
  _exit(127);
}

/* The default may not be installed; a pager that was asked for is the shell's to complain about. */
static const char *pager_command(void) {
  const char *pager = getenv("PAGER");
  if (pager) return *pager && strcmp(pager, "cat") != 0 ? pager : NULL;
  return system("command -v less >/dev/null 2>&1") == 0 ? PAGER : NULL;
}

/* A terminal that says nothing of itself can do nothing either. */
static bool can_page(void) {
  const char *term = getenv("TERM");
  return cli_on_terminal() && term && *term && strcmp(term, "dumb") != 0;
}

void cli_pager_begin(struct cli_pager *pager) {
  int ends[2];
  *pager = (struct cli_pager){.terminal = -1};
  const char *command = can_page() ? pager_command() : NULL;
  if (!command || fflush(stdout) || pipe2(ends, O_CLOEXEC)) return;
  pager->terminal = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  pid_t pid = pager->terminal >= 0 ? fork() : -1;
  if (pid == 0) run(command, ends);
  if (pid > 0 && dup2(ends[1], STDOUT_FILENO) >= 0) pager->pid = pid;
  if (pid > 0) signal(SIGINT, SIG_IGN);
  close(ends[0]);
  close(ends[1]);
}

void cli_pager_end(struct cli_pager *pager) {
  if (pager->pid) {
    fflush(stdout);
    clearerr(stdout);                     /* that the reader had enough is no failure */
    dup2(pager->terminal, STDOUT_FILENO); /* closes the pager's input */
    while (waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR) continue;
    signal(SIGINT, SIG_DFL);
  }
  if (pager->terminal >= 0) close(pager->terminal);
  *pager = (struct cli_pager){.terminal = -1};
}
