/* convkeep rebuild: artifacts has the store write all readable files again; messages is in
 * rebuild_messages.c. */
#include "cli/rebuild.h"

#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "cli/time.h"
#include "proto/clock.h"

static int rebuild_artifacts(struct cli *c) {
  struct cli_task task = {.name = "rebuild", .label = "artifacts"};
  int64_t began = ck_boot_ms();
  json_t *info = NULL;
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_task_run(c, &task);
  if (rc == CLI_GO_ON) rc = cli_status_of(c, &info);
  if (rc != CLI_GO_ON) return rc;
  const json_t *records = json_object_get(info, "records");
  uint64_t n = 0;
  for (int t = 0; t < CK_TABLES; ++t)
    if (ck_tables[t].path >= 0) n += (uint64_t)cli_member_int(records, ck_tables[t].name, 0);
  if (c->json) {
    json_t *line =
        json_pack("{s:I, s:I}", "records", (json_int_t)n, "ms", (json_int_t)(ck_boot_ms() - began));
    cli_json_line(line);
    json_decref(line);
  } else {
    struct ck_buf text = {0};
    ck_buf_count(&text, n);
    ck_buf_printf(&text, " %s: files written again, in ", ck_noun(n, "record", "records"));
    cli_duration_text(&text, ck_boot_ms() - began);
    ck_buf_text(&text, "\n");
    cli_print(&text);
    ck_buf_free(&text);
  }
  json_decref(info);
  return CLI_DONE;
}

static int run(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL);
  if (rc != CLI_GO_ON) return rc;
  if (strcmp(argv[1], "artifacts") == 0) return rebuild_artifacts(c);
  return cli_rebuild_messages(c);
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("artifacts|messages", CLI_CHOICE, 0),
                                                {0}};

const struct cli_command cli_rebuild = {
    "rebuild",
    CLI_TO_KEEP,
    "make all readable files, or all records, again",
    arguments,
    NULL,
    "artifacts: writes every message's, execution's and session's .txt and .json again from the\n"
    "database, and the index of sessions. Files that belong to no record are left alone. If the\n"
    "command is interrupted, the store continues.\n\n"
    "messages: reads all that was ever imported again, from the originals that the store keeps\n"
    "(convkeep original): what this convkeep reads better than the one that imported it is\n"
    "corrected, and rows that are missing are made. Right after an import nothing changes.\n\n"
    "The ring may be up.",
    run,
    NULL};
