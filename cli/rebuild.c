/* convkeep rebuild: artifacts has the store write all readable files again, search the index of
 * the search; messages is in rebuild_messages.c. */
#include "cli/rebuild.h"

#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "cli/time.h"
#include "proto/clock.h"

/* What the store makes again, and from which tables. */
struct made {
  struct cli_task task;
  const char *said;
  bool (*from)(enum ck_table t);
};

static bool has_files(enum ck_table t) { return ck_tables[t].path >= 0; }

static bool is_searched(enum ck_table t) {
  return t == CK_MESSAGES || t == CK_EXECUTIONS || t == CK_CONVERSATIONS;
}

static void say(const struct cli *c, const char *said, uint64_t n, int64_t ms) {
  if (c->json) {
    json_t *line = json_pack("{s:I, s:I}", "records", (json_int_t)n, "ms", (json_int_t)ms);
    cli_json_line(line);
    json_decref(line);
    return;
  }
  struct ck_buf text = {0};
  ck_buf_count(&text, n);
  ck_buf_printf(&text, " %s: %s again, in ", ck_noun(n, "record", "records"), said);
  cli_duration_text(&text, ms);
  ck_buf_text(&text, "\n");
  cli_print(&text);
  ck_buf_free(&text);
}

static int rebuild(struct cli *c, struct made m) {
  int64_t began = ck_boot_ms();
  json_t *info = NULL;
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_task_run(c, &m.task);
  if (rc == CLI_GO_ON) rc = cli_status_of(c, &info);
  if (rc != CLI_GO_ON) return rc;
  const json_t *records = json_object_get(info, "records");
  uint64_t n = 0;
  for (int t = 0; t < CK_TABLES; ++t)
    if (m.from((enum ck_table)t)) n += (uint64_t)cli_member_int(records, ck_tables[t].name, 0);
  say(c, m.said, n, ck_boot_ms() - began);
  json_decref(info);
  return CLI_DONE;
}

static const struct made artifacts = {
    {.name = "rebuild", .label = "artifacts"}, "files written", has_files};
static const struct made search = {
    {.name = "rebuild_search", .label = "search"}, "made findable", is_searched};

static void say_sealed(void *self, const json_t *line) {
  const struct cli *c = self;
  uint64_t pages = (uint64_t)cli_member_int(line, "pages", 0);
  if (c->json) {
    cli_json_line(line);
    return;
  }
  struct ck_buf text = {0};
  ck_buf_printf(&text, "%s: ", cli_member(line, "file"));
  ck_buf_count(&text, pages);
  ck_buf_printf(&text, " %s as it is now\n", ck_noun(pages, "page is taken", "pages are taken"));
  cli_print(&text);
  ck_buf_free(&text);
}

static int rebuild_seals(struct cli *c) {
  struct cli_task task = {.name = "rebuild_seals", .label = "seals", .line = say_sealed, .self = c};
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_task_run(c, &task);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

static int run(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL);
  if (rc != CLI_GO_ON) return rc;
  if (strcmp(argv[1], "artifacts") == 0) return rebuild(c, artifacts);
  if (strcmp(argv[1], "search") == 0) return rebuild(c, search);
  if (strcmp(argv[1], "seals") == 0) return rebuild_seals(c);
  return cli_rebuild_messages(c);
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("artifacts|messages|seals|search", CLI_CHOICE, 0), {0}};

const struct cli_command cli_rebuild = {
    "rebuild",
    CLI_TO_KEEP,
    "make files, records or the index of the search again",
    arguments,
    NULL,
    "artifacts: writes all readable files again from the database, in the form that the setting\n"
    "artifacts.form says, and deletes those of another form. Files that belong to nothing in the\n"
    "database are left alone. If the command is interrupted, the store continues.\n\n"
    "messages: reads all that was ever imported again, from the originals that the store keeps\n"
    "(convkeep original): what this convkeep reads better than the one that imported it is\n"
    "corrected, and rows that are missing are made. Right after an import nothing changes.\n\n"
    "seals: takes the pages of artifact.db and mirror.db as they are. For when doctor says that\n"
    "pages are not as they were written, and that is right: another program wrote to the file, or\n"
    "what was damaged has been put right.\n\n"
    "search: makes the index of the search (search.db) again from the database. Meanwhile search\n"
    "finds what is in it already. Deleting the file does the same.\n\n"
    "The ring may be up.",
    run,
    NULL};
