/* See pauses.h. */
#include "cli/pauses.h"

#include <string.h>
#include "cli/out.h"
#include "cli/time.h"
#include "proto/clock.h"
#include "proto/pause_change.h"

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

const json_t *cli_pause_of(const json_t *rows, const json_t *job, const json_t *conversation,
                           const char *account) {
  const struct ck_pausable what = {ck_str_of(cli_member(conversation, "platform")),
                                   ck_str_of(account),
                                   ck_str_of(cli_member(conversation, "local_conversation_id")),
                                   ck_str_of(cli_member(job, "job_id"))};
  const json_t *longest = NULL, *row;
  size_t i;
  json_array_foreach(rows, i, row) {
    struct ck_str kind = ck_str_of(cli_member(row, "kind")),
                  name = ck_str_of(cli_member(row, "name"));
    if (ck_pause_holds(kind, name, &what) &&
        (!longest ||
         ck_pause_outlasts(cli_member_int(row, "until", 0), cli_member_int(longest, "until", 0))))
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

/* mutation: one, encoded; it is freed. */
static int write_one(struct cli *c, struct ck_buf *mutation, const char *where, char *result) {
  struct ck_buf mutations = {0};
  struct ck_err err;
  ck_put_array(&mutations, 1);
  ck_buf_str(&mutations, ck_buf_view(mutation));
  int rc = cli_write(c, ck_buf_view(&mutations), result, &err);
  ck_buf_free(&mutations);
  ck_buf_free(mutation);
  if (rc != CLI_GO_ON || *result != 'r') return rc;
  cli_error(c, where, "%s", err.text);
  return CLI_FAILED;
}

int cli_pause_begin(struct cli *c, const char *kind, const char *name, int64_t until) {
  struct ck_buf m = {0};
  char result;
  ck_pause_put(&m, kind, name, until);
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
  struct ck_buf m = {0};
  char result = '=';
  int rc = is_there(c, kind, name, was);
  ck_pause_put_end(&m, kind, name);
  if (rc == CLI_GO_ON) rc = write_one(c, &m, *name ? name : kind, &result);
  ck_buf_free(&m);
  *was &= result != '=';
  return rc;
}
