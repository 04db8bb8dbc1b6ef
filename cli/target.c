/* Asks renewd for a conversation's target; see target.h. */
#include "cli/target.h"

#include "cli/daemon_task.h"
#include "cli/out.h"

int cli_target(struct cli *c, const char *conversation, char **snapshot, char **missing) {
  const char *const words[] = {"--", "target", conversation, NULL};
  const struct cli_daemon_task task = {.daemon = "renewd", .words = words, .label = "target"};
  json_t *result;
  *snapshot = *missing = NULL;
  int rc = cli_daemon_task(c, &task, &result);
  if (rc != CLI_GO_ON) return rc;
  if (*cli_member(result, "snapshot")) *snapshot = ck_strdup(cli_member(result, "snapshot"));
  if (*cli_member(result, "missing")) *missing = ck_strdup(cli_member(result, "missing"));
  json_decref(result);
  return CLI_GO_ON;
}
