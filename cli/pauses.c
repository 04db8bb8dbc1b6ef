/* See pauses.h. */
#include "cli/pauses.h"

#include <string.h>
#include "cli/out.h"
#include "cli/time.h"
#include "proto/clock.h"

static bool is_over(const json_t *row, int64_t now) {
  return cli_member_int(row, "until", INT64_MAX) <= now;
}

int cli_pauses(struct cli *c, json_t **rows) {
  int64_t now = ck_now_ms();
  int rc = cli_query_all(c, "pauses", NULL, 0, rows);
  for (size_t i = json_array_size(*rows); rc == CLI_GO_ON && i-- > 0;)
    if (is_over(json_array_get(*rows, i), now)) json_array_remove(*rows, i);
  return rc;
}

static bool holds(const json_t *row, const json_t *job, const json_t *conversation,
                  const char *account) {
  const char *kind = cli_member(row, "kind"), *name = cli_member(row, "name");
  if (strcmp(kind, "everything") == 0) return true;
  if (strcmp(kind, "platform") == 0) return strcmp(name, cli_member(conversation, "platform")) == 0;
  if (strcmp(kind, "account") == 0) return strcmp(name, account) == 0;
  if (strcmp(kind, "conversation") == 0)
    return strcmp(name, cli_member(conversation, "local_conversation_id")) == 0;
  return strcmp(kind, "job") == 0 && strcmp(name, cli_member(job, "job_id")) == 0;
}

const json_t *cli_pause_of(const json_t *rows, const json_t *job, const json_t *conversation,
                           const char *account) {
  const json_t *longest = NULL, *row;
  size_t i;
  json_array_foreach(rows, i, row) {
    if (!holds(row, job, conversation, account)) continue;
    if (!longest ||
        cli_member_int(row, "until", INT64_MAX) > cli_member_int(longest, "until", INT64_MAX))
      longest = row;
  }
  return longest;
}

#define SHOWN 200 /* of a name */

void cli_pause_text(struct ck_buf *b, const json_t *row) {
  const char *kind = cli_member(row, "kind"), *name = cli_member(row, "name");
  int64_t until = cli_member_int(row, "until", 0);
  struct ck_buf shown = {0};
  ck_buf_printf(b, "%s%s", *name ? "the " : "", kind);
  if (*name) ck_buf_text(b, " ");
  ck_buf_summary(&shown, ck_str_of(name), SHOWN);
  cli_safe_text(b, ck_buf_view(&shown), false);
  ck_buf_free(&shown);
  if (!until) return;
  ck_buf_text(b, " until ");
  cli_time_text(b, until);
}

void cli_resume_text(struct ck_buf *b, const char *kind, const char *name) {
  bool option = strcmp(kind, "platform") == 0 || strcmp(kind, "account") == 0;
  ck_buf_text(b, "convkeep resume");
  if (option) ck_buf_printf(b, " --%s", kind);
  if (!*name) return;
  ck_buf_text(b, " ");
  cli_shell_word(b, name);
}

static int write_one(struct cli *c, const struct ck_mutation *m, const char *where, char *result) {
  struct ck_buf mutations = {0};
  struct ck_err err;
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, m);
  int rc = cli_write(c, ck_buf_view(&mutations), result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || *result != 'r') return rc;
  cli_error(c, where, "%s", err.text);
  return CLI_FAILED;
}

int cli_pause_begin(struct cli *c, const char *kind, const char *name, int64_t until) {
  struct ck_mutation m = {.kind = CK_OP_PAUSE};
  char result;
  m.as.pause = (struct ck_pause){ck_str_of(kind), ck_str_of(name), until};
  return write_one(c, &m, *name ? name : kind, &result);
}

/* *there: among those that hold now. */
static int is_there(struct cli *c, const char *kind, const char *name, bool *there) {
  json_t *rows, *row;
  size_t i;
  int rc = cli_pauses(c, &rows);
  *there = false;
  json_array_foreach(rc == CLI_GO_ON ? rows : NULL, i, row) {
    *there |=
        strcmp(cli_member(row, "kind"), kind) == 0 && strcmp(cli_member(row, "name"), name) == 0;
  }
  json_decref(rows);
  return rc;
}

int cli_pause_end(struct cli *c, const char *kind, const char *name, bool *was) {
  struct ck_mutation m = {.kind = CK_OP_UNPAUSE};
  char result = '=';
  m.as.unpause = (struct ck_unpause){ck_str_of(kind), ck_str_of(name)};
  int rc = is_there(c, kind, name, was);
  if (rc == CLI_GO_ON) rc = write_one(c, &m, *name ? name : kind, &result);
  *was &= result != '=';
  return rc;
}
