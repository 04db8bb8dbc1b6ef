/* See forget_lines.h. */
#include "cli/forget_lines.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
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
    bool link = strcmp(cli_member(row, "table_name"), ck_tables[CK_LINKS].name) == 0;
    add(ids, cli_member(row, "record_key"));
    if (link) add(ids, cli_member(row, "conversation_id"));
  }
}

int cli_forget_lines(struct cli *c, const json_t *rows) {
  static const char *const files[] = {CK_PLACE_REFUSED, CK_PLACE_UNKNOWN};
  struct ids ids = {0};
  struct ck_err err;
  int rc = CLI_GO_ON;
  gather(&ids, rows);
  for (size_t i = 0; i < sizeof files / sizeof *files && rc == CLI_GO_ON; ++i)
    if (ck_quarantine_forget(files[i], ids.at, ids.n, &err))
      rc = cli_fail(c, CLI_FAILED, NULL, "%s", err.text);
  free(ids.at);
  return rc;
}
