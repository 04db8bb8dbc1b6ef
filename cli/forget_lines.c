/* See forget_lines.h. */
#include "cli/forget_lines.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "proto/places.h"
#include "proto/quarantine.h"

struct ids {
  struct ck_str *at;
  size_t n;
};

static void add(struct ids *ids, const char *id) {
  if (!*id) return;
  ids->at = ck_realloc(ids->at, (ids->n + 1) * sizeof *ids->at);
  ids->at[ids->n++] = ck_str_of(id);
}

/* Of a whole conversation also the id that its platform has for it. */
static void gather(struct ids *ids, const json_t *rows) {
  size_t i;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    bool home = strcmp(cli_member(row, "table_name"), CK_FORGOTTEN_HOME) == 0;
    add(ids, cli_member(row, "record_key"));
    if (home) add(ids, cli_member(row, "conversation_id"));
  }
}

static int take_out(struct cli *c, const char *path, const struct ids *ids) {
  struct ck_err err;
  if (ck_quarantine_forget(path, ids->at, ids->n, &err) == 0) return CLI_GO_ON;
  return cli_fail(c, CLI_FAILED, NULL, "%s", err.text);
}

/* ---- the log of attempts ---- */

/* The conversations whose message it was: an attempt's text is the answer to it. */
static int find_conversations(struct cli *c, const json_t *message, json_t *found) {
  const char *remote = cli_member(message, "conversation_id");
  const struct cli_filter filters[] = {{"platform", cli_member(message, "platform"), 0},
                                       {"remote_conversation_id", remote, 0}};
  json_t *links, *link;
  size_t i;
  if (!*remote) return CLI_GO_ON;
  int rc = cli_query_all(c, "conversation_links", filters, 2, &links);
  if (rc != CLI_GO_ON) return rc;
  json_array_foreach(links, i, link)
      json_array_append(found, json_object_get(link, "local_conversation_id"));
  json_decref(links);
  return CLI_GO_ON;
}

/* Of a message that was named itself; of a whole conversation the record of its own key does. */
static int gather_conversations(struct cli *c, const json_t *rows, json_t *found) {
  size_t i;
  const json_t *row;
  int rc = CLI_GO_ON;
  json_array_foreach(rows, i, row) {
    const char *with = cli_member(row, "forgotten_with");
    bool named = strcmp(cli_member(row, "forgotten_id"), with) == 0;
    bool message = strcmp(cli_member(row, "table_name"), ck_tables[CK_MESSAGES].name) == 0;
    if (rc == CLI_GO_ON && named && message) rc = find_conversations(c, row, found);
  }
  return rc;
}

static int clean_attempts(struct cli *c, const struct ids *ids) {
  glob_t days = {0};
  int rc = CLI_GO_ON;
  if (glob(CK_PLACE_ATTEMPTS "/*.jsonl", 0, NULL, &days) == 0)
    for (size_t i = 0; i < days.gl_pathc && rc == CLI_GO_ON; ++i)
      rc = take_out(c, days.gl_pathv[i], ids);
  globfree(&days);
  return rc;
}

int cli_forget_lines(struct cli *c, const json_t *rows) {
  struct ids ids = {0};
  json_t *conversations = json_array(), *one;
  size_t i;
  gather(&ids, rows);
  int rc = take_out(c, CK_PLACE_REFUSED, &ids);
  if (rc == CLI_GO_ON) rc = take_out(c, CK_PLACE_UNKNOWN, &ids);
  if (rc == CLI_GO_ON) rc = gather_conversations(c, rows, conversations);
  json_array_foreach(conversations, i, one) add(&ids, json_string_value(one));
  if (rc == CLI_GO_ON) rc = clean_attempts(c, &ids);
  json_decref(conversations);
  free(ids.at);
  return rc;
}
