/* See ids.h. */
#include "cli/ids.h"

#include <stdlib.h>
#include <string.h>
#include "cli/out.h"
#include "proto/map.h"

#define SHORT 8 /* bytes of an id that are shown at least, after what says of what kind it is */
#define KIND_MOST 24 /* the longest "link:chatgpt:" */
#define WORD_MOST 5  /* the longest "exec_" */
#define STEP 4

int cli_ids_that_begin(struct cli *c, enum ck_table t, const char *text, unsigned most,
                       json_t *keys) {
  struct ck_message request = {.kind = CK_MSG_RANGE}, answer;
  struct ck_arena arena = {0};
  zmq_msg_t frame;
  char *last = ck_sprintf("%s\xf4\x8f\xbf\xbf", text); /* the greatest character */
  request.as.range = (struct ck_range){.table = ck_str_of(ck_tables[t].name),
                                       .after = ck_str_of(text),
                                       .upto = ck_str_of(last),
                                       .limit = most};
  int rc = cli_ask(c, &request, &answer, &frame);
  free(last);
  if (rc != CLI_GO_ON) return rc;
  struct ck_reader r = ck_reader_of(answer.as.ranges.ranges);
  struct ck_row row;
  uint64_t version;
  uint32_t n = 0;
  ck_read_array(&r, &n);
  for (; n && ck_change_decode(&r, &version, &row, &arena, NULL) == 0; --n) {
    struct ck_str key = ck_row_key(&row);
    json_array_append_new(keys, json_stringn(key.s, key.n));
  }
  ck_arena_free(&arena);
  zmq_msg_close(&frame);
  return rc;
}

int cli_ids_alone(const struct cli *c, const char *text, const json_t *keys) {
  if (json_array_size(keys) < 2) return CLI_GO_ON;
  return cli_fail(c, CLI_FAILED, text, "several ids begin so, %s and %s are two; give more of it",
                  json_string_value(json_array_get(keys, 0)),
                  json_string_value(json_array_get(keys, 1)));
}

/* *id: the key of the only record that begins so; NULL: none does. */
static int by_beginning(struct cli *c, enum ck_table t, const char *text, char **id) {
  json_t *keys = json_array();
  int rc = cli_ids_that_begin(c, t, text, 2, keys);
  if (rc == CLI_GO_ON) rc = cli_ids_alone(c, text, keys);
  if (rc == CLI_GO_ON && json_array_size(keys))
    *id = ck_strdup(json_string_value(json_array_get(keys, 0)));
  json_decref(keys);
  return rc;
}

int cli_id_of(struct cli *c, enum ck_table t, const char *text, char **id) {
  const char *key = ck_tables[t].fields[ck_tables[t].key].name;
  json_t *row = NULL;
  *id = NULL;
  int rc = cli_query_one(c, ck_tables[t].name, key, text, &row);
  bool known = row != NULL;
  json_decref(row);
  if (rc == CLI_GO_ON && !known && strlen(text) >= CLI_ID_BEGINNING)
    rc = by_beginning(c, t, text, id);
  if (rc == CLI_GO_ON && !*id) *id = ck_strdup(text);
  return rc;
}

/* ---- shortening ---- */

/* How many bytes say of what kind it is: "chatgpt:", "link:chatgpt:", "job_". */
static size_t kind_of(const char *id) {
  const char *colon = strrchr(id, ':'), *line = strchr(id, '_');
  if (colon && colon - id > KIND_MOST) colon = strchr(id, ':');
  if (colon) return (size_t)(colon - id) + 1;
  return line && line - id < WORD_MOST ? (size_t)(line - id) + 1 : 0;
}

/* At the end of a character. */
static size_t whole_characters(const char *id, size_t n) {
  size_t whole = strlen(id);
  n = n < whole ? n : whole;
  return ck_utf8_cut((struct ck_str){id, whole}, n).n == n ? n : whole;
}

size_t cli_id_length(const json_t *rows, size_t which, const char *member) {
  const char *id = cli_member(json_array_get(rows, which), member);
  size_t n = kind_of(id) + SHORT, whole = strlen(id), i;
  const json_t *row;
  json_array_foreach(rows, i, row) {
    const char *other = cli_member(row, member);
    if (strcmp(other, id) == 0) continue;
    while (n < whole && strncmp(id, other, n) == 0) ++n;
  }
  return whole_characters(id, n);
}

/* *n: longer until no other record of the table begins so. */
static int lengthen(struct cli *c, enum ck_table t, const char *id, size_t *n) {
  for (size_t whole = strlen(id); *n < whole;) {
    json_t *keys = json_array();
    char *text = ck_str_dup((struct ck_str){id, *n});
    int rc = cli_ids_that_begin(c, t, text, 2, keys);
    bool alone = json_array_size(keys) < 2;
    json_decref(keys);
    free(text);
    if (rc != CLI_GO_ON || alone) return rc;
    *n = whole_characters(id, *n + STEP);
  }
  return CLI_GO_ON;
}

int cli_ids_shorten(struct cli *c, json_t *rows, const char *id, const char *short_id,
                    enum ck_table t) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) {
    const char *whole = cli_member(row, id);
    size_t n = cli_id_length(rows, i, id);
    int rc = t == CK_TABLES ? CLI_GO_ON : lengthen(c, t, whole, &n);
    if (rc != CLI_GO_ON) return rc;
    json_object_set_new(row, short_id, json_stringn(whole, n));
  }
  return CLI_GO_ON;
}
