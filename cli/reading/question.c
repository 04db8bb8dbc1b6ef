/* See question.h. */
#include "cli/reading/question.h"

#include "cli/out.h"
#include "proto/map.h"

#define MEMBER "first_question"
#define ASK_MOST 500 /* conversations in one query */

static bool is_wanted(const json_t *row) {
  return !*cli_member(row, "title") && *cli_member(row, "local_conversation_id");
}

/* Asks about these conversations, and adds what comes to `found`. */
static int ask(struct cli *c, const json_t *ids, json_t *found) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  json_t *rows, *row;
  const json_t *id;
  size_t i;
  ck_pair_name(&m, "local_conversation_id");
  ck_put_array(&filters, (uint32_t)json_array_size(ids));
  json_array_foreach(ids, i, id) ck_put_text(&filters, json_string_value(id));
  ck_map_close(&m);
  int rc = cli_query_packed_all(c, "questions", ck_buf_view(&filters), &rows);
  ck_buf_free(&filters);
  if (rc != CLI_GO_ON) return rc;
  json_array_foreach(rows, i, row) {
    json_t *question = json_object_get(row, MEMBER);
    if (json_is_string(question))
      json_object_set(found, cli_member(row, "local_conversation_id"), question);
  }
  json_decref(rows);
  return rc;
}

/* *found: an object, the questions by conversation. */
static int ask_all(struct cli *c, const json_t *rows, json_t *found) {
  json_t *ids = json_array();
  const json_t *row;
  size_t i, n = json_array_size(rows);
  int rc = CLI_GO_ON;
  json_array_foreach(rows, i, row) {
    if (is_wanted(row)) json_array_append(ids, json_object_get(row, "local_conversation_id"));
    size_t wanted = json_array_size(ids);
    if (rc != CLI_GO_ON || !wanted || (wanted < ASK_MOST && i + 1 < n)) continue;
    rc = ask(c, ids, found);
    json_array_clear(ids);
  }
  json_decref(ids);
  return rc;
}

int cli_first_questions(struct cli *c, json_t *rows) {
  json_t *found = json_object(), *row;
  size_t i;
  int rc = ask_all(c, rows, found);
  json_array_foreach(rows, i, row) {
    json_t *question = json_object_get(found, cli_member(row, "local_conversation_id"));
    if (question && is_wanted(row)) json_object_set(row, MEMBER, question);
  }
  json_decref(found);
  return rc;
}

int cli_first_question(struct cli *c, json_t *row) {
  json_t *rows = json_array();
  json_array_append(rows, row);
  int rc = cli_first_questions(c, rows);
  json_decref(rows);
  return rc;
}
