/* convkeep: the command-line program. One file per command; this one holds the table of commands
 * and main(). */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct cli_command *const commands[] = {
    &cli_up,     &cli_import,  &cli_status,   &cli_list,   &cli_read, &cli_show,   &cli_set,
    &cli_renew,  &cli_jobs,    &cli_pause,    &cli_resume, &cli_sync, &cli_backup, &cli_restore,
    &cli_doctor, &cli_rebuild, &cli_original, &cli_config, &cli_ping, &cli_keys,   NULL};

static const struct cli_command *command_named(const char *name) {
  for (const struct cli_command *const *p = commands; *p; ++p)
    if (strcmp((*p)->name, name) == 0) return *p;
  return NULL;
}

/* `convkeep help [COMMAND]`, the same as `convkeep [COMMAND] --help`. */
static int help_of(struct cli *c, int argc, char **argv) {
  char help[] = "--help";
  char *words[] = {argv[0], help, NULL};
  c->command = argc > 1 ? command_named(argv[1]) : NULL;
  if (argc > 1 && !c->command) return cli_usage_error(c, argv[1], "no such command");
  int at;
  return cli_global_options(c, 2, words, &at);
}

static int run(struct cli *c, int argc, char **argv) {
  int at;
  int rc = cli_global_options(c, argc, argv, &at);
  if (rc != CLI_GO_ON) return rc;
  if (strcmp(argv[at], "help") == 0) return help_of(c, argc - at, argv + at);
  c->command = command_named(argv[at]);
  if (!c->command) return cli_usage_error(c, argv[at], "no such command");
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
  fill_standard_descriptors();
  struct cli c = {.commands = commands, .cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  int rc = flush_answer(&c, run(&c, argc, argv));
  cli_close(&c);
  if (c.cwd >= 0) close(c.cwd);
  return rc;
}
