/* See turn_status.h. */
#include "cli/turn_status.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/stays.h"
#include "proto/clock.h"
#include "proto/pause_change.h"

#define CHUNK 1000 /* conversations per changeset */

struct turn {
  struct cli *c;
  const char *to;
  int64_t now;
};

/* Changes rows [from, from + CHUNK) in one changeset: all of them or none. */
static int turn_chunk(const struct turn *t, const json_t *rows, size_t from) {
  struct ck_buf mutations = {0};
  size_t n = json_array_size(rows) - from;
  if (n > CHUNK) n = CHUNK;
  ck_put_array(&mutations, (uint32_t)n);
  for (size_t i = from; i < from + n; ++i)
    ck_pause_put_status(&mutations, cli_member(json_array_get(rows, i), "local_conversation_id"),
                        t->to, t->now);
  char result;
  struct ck_err err;
  int rc = cli_write(t->c, ck_buf_view(&mutations), &result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || result != 'r') return rc;
  cli_error(t->c, NULL, "%s", err.text);
  return CLI_FAILED;
}

/* What became of a conversation; with --json it itself, as it is afterwards. */
static int say_one(struct cli *c, const char *id, const char *became) {
  json_t *row;
  struct ck_buf line = {0};
  if (!c->json) {
    cli_safe_text(&line, ck_str_of(id), false);
    printf("%s: %s\n", ck_buf_cstr(&line), became);
    ck_buf_free(&line);
    return CLI_DONE;
  }
  int rc = cli_query_one(c, "local_conversations", "local_conversation_id", id, &row);
  if (rc != CLI_GO_ON) return rc;
  cli_record_line(CK_CONVERSATIONS, row);
  json_decref(row);
  return CLI_DONE;
}

static int say(const struct turn *t, const json_t *rows) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    const char *id = cli_member(row, "local_conversation_id");
    char *became = ck_sprintf("%s, was %s", t->to, cli_member(row, "automation_status"));
    int rc = say_one(t->c, id, became);
    free(became);
    if (rc != CLI_DONE) return rc;
  }
  return CLI_DONE;
}

static int turn_rows(const struct turn *t, const json_t *rows) {
  for (size_t from = 0; from < json_array_size(rows); from += CHUNK) {
    int rc = turn_chunk(t, rows, from);
    if (rc != CLI_GO_ON) return rc;
  }
  return say(t, rows);
}

int cli_status_turn_many(struct cli *c, const char *from, const char *to, size_t *n) {
  const struct turn t = {c, to, ck_now_ms()};
  json_t *rows;
  const struct cli_filter filter = {"automation_status", from, 0};
  int rc = cli_query_all(c, "local_conversations", &filter, 1, &rows);
  *n = rc == CLI_GO_ON ? json_array_size(rows) : 0;
  if (rc == CLI_GO_ON) rc = turn_rows(&t, rows);
  json_decref(rows);
  return rc;
}

int cli_go_on(struct cli *c, const char *conversation_id) {
  struct ck_buf mutations = {0};
  ck_put_array(&mutations, 1);
  ck_pause_put_going_on(&mutations, conversation_id);
  char result;
  struct ck_err err;
  int rc = cli_write(c, ck_buf_view(&mutations), &result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || result != 'r') return rc;
  cli_error(c, conversation_id, "%s", err.text);
  return CLI_FAILED;
}

/* It is on auto already, but renewd may have stopped it. */
static int go_on(struct cli *c, const json_t *conversation) {
  const char *id = cli_member(conversation, "local_conversation_id");
  int rc = cli_go_on(c, id);
  if (rc == CLI_GO_ON) cli_warn_stopped(c, conversation);
  return rc == CLI_GO_ON ? say_one(c, id, "on auto already; " CLI_GOES_ON) : rc;
}

static int leave(struct cli *c, const json_t *conversation, const char *status, bool pauses) {
  char *is = pauses ? ck_strdup("is paused already")
                    : ck_sprintf("nothing to do: it is on %s, and not paused", status);
  int rc = say_one(c, cli_member(conversation, "local_conversation_id"), is);
  free(is);
  return rc;
}

int cli_status_turn_one(struct cli *c, json_t *conversation, const char *to) {
  const struct turn t = {c, to, ck_now_ms()};
  const char *status = cli_member(conversation, "automation_status");
  bool pauses = strcmp(to, "paused") == 0, is_paused = strcmp(status, "paused") == 0;
  if (strcmp(to, "auto") == 0 && strcmp(status, to) == 0) return go_on(c, conversation);
  if (pauses == is_paused) return leave(c, conversation, status, pauses);
  json_t *rows = json_array();
  json_array_append(rows, conversation);
  int rc = turn_rows(&t, rows);
  json_decref(rows);
  return rc;
}
