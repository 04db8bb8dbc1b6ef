/* The attempts, from their rows; see jobs.h. */
#include "cli/jobs.h"

#include "cli/out.h"
#include "cli/rows.h"

/* Members that do not apply are left out. */
static void drop_nulls(json_t *line) {
  const char *name;
  json_t *value;
  void *next;
  json_object_foreach_safe(line, next, name, value) {
    if (json_is_null(value)) json_object_del(line, name);
  }
}

int cli_attempts(struct cli *c, const char *job_id, int64_t since, json_t **lines) {
  const struct cli_filter filters[] = {{"since", NULL, since}, {"job_id", job_id, 0}};
  int rc = cli_query_all(c, "attempts", filters, job_id ? 2 : 1, lines);
  if (rc != CLI_GO_ON) return rc;
  for (size_t i = json_array_size(*lines); i-- > 0;) {
    json_t *line = json_array_get(*lines, i);
    if (*cli_member(line, "outcome"))
      drop_nulls(line);
    else
      json_array_remove(*lines, i);
  }
  return CLI_GO_ON;
}
