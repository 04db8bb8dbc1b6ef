/* convkeep: the command-line program. One file per command, listed in commands.c; this one holds
 * main(). */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/manual.h"
#include "proto/secrets.h"

/* `convkeep help [COMMAND]`, the same as `convkeep [COMMAND] --help`. */
static int help_of(struct cli *c, int argc, char **argv) {
  char help[] = "--help";
  char *words[] = {argv[0], help, NULL};
  c->command = argc > 1 ? cli_command_named(argv[1]) : NULL;
  if (argc > 1 && !c->command) return cli_no_such_command(c, argv[1]);
  int at;
  return cli_global_options(c, 2, words, &at);
}

/* What `make install` and the shells ask for (manual.h). They are no commands: nobody types them.
 */
static bool is_for_programs(struct cli *c, int argc, char **argv, int *rc) {
  bool one = argc == 2;
  if (strcmp(argv[0], "complete") == 0 && argc > 1 && strcmp(argv[1], "--") == 0)
    *rc = cli_complete(c, argc - 2, argv + 2);
  else if (one && strcmp(argv[0], "manual") == 0)
    *rc = cli_manual(c, argv[1]);
  else if (one && strcmp(argv[0], "completion") == 0)
    *rc = cli_completion(c, argv[1]);
  else
    return false;
  return true;
}

/* What is wrong with the words is told as JSON wherever --json stands among them. */
static bool has_json(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; ++i)
    if (strcmp(argv[i], "--json") == 0) return true;
  return false;
}

static int run(struct cli *c, int argc, char **argv) {
  int at;
  c->json_errors = has_json(argc, argv);
  int rc = cli_global_options(c, argc, argv, &at);
  if (rc != CLI_GO_ON) return rc;
  if (strcmp(argv[at], "help") == 0) return help_of(c, argc - at, argv + at);
  if (is_for_programs(c, argc - at, argv + at, &rc)) return rc;
  c->command = cli_command_named(argv[at]);
  if (!c->command) return cli_no_such_command(c, argv[at]);
  return c->command->run(c, argc - at, argv + at);
}

/* The reader closed the pipe, as in `convkeep list messages | head -1`: not an error. */
static bool reader_gone(void) {
  struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};
  return poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR);
}

/* An answer that could not be written (disk full) is a failure. */
static int flush_answer(const struct cli *c, int rc) {
  if ((fflush(stdout) == 0 && !ferror(stdout)) || reader_gone()) return rc;
  cli_error(c, "standard output", "the answer could not be written");
  return rc == CLI_DONE ? CLI_FAILED : rc;
}

/* Opens any closed standard descriptors, so that no file opened later gets their numbers. */
static void fill_standard_descriptors(void) {
  for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR))
    if (fd > STDERR_FILENO) {
      close(fd);
      return;
    }
}

int main(int argc, char **argv) {
  setlocale(LC_CTYPE, "C.UTF-8"); /* only for the width of characters; all text is UTF-8 */
  signal(SIGPIPE, SIG_IGN);
  ck_secrets_take(true); /* a syncd that it starts gets them */
  fill_standard_descriptors();
  struct cli c = {.cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  int rc = flush_answer(&c, run(&c, argc, argv));
  cli_close(&c);
  if (c.cwd >= 0) close(c.cwd);
  return rc;
}
