/* Asking before something is done; see cli.h. */
#include <stdio.h>
#include <unistd.h>
#include "cli/client.h"
#include "cli/out.h"

int cli_agreed(const struct cli *c, const char *question) {
  char answer[16] = "";
  if (c->json)
    return cli_usage_error(c, NULL, "%s With --json nothing is asked; --yes says yes", question);
  if (!isatty(STDIN_FILENO) || !cli_on_terminal())
    return cli_usage_error(c, NULL, "%s Nobody is there to be asked; --yes says yes", question);
  printf("%s [y/N] ", question);
  fflush(stdout);
  if (!fgets(answer, sizeof answer, stdin)) puts("");
  return answer[0] == 'y' || answer[0] == 'Y' ? CLI_GO_ON : CLI_DONE;
}
