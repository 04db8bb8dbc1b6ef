/* What the store is asked for: rows and status, as JSON (client.h). */
#include "cli/client.h"

#include <stdlib.h>

#include "proto/json.h"
#include "proto/map.h"

#define PAGE 1000

/* Reports an answer of an unexpected kind. */
static int strange(const struct cli *c, zmq_msg_t *frame) {
  zmq_msg_close(frame);
  cli_error(c, cli_store_place(c),
            "unexpected answer; are the store and this program the same version?");
  return CLI_FAILED;
}

/* *next: see cli_query_next(). */
static int query_rows(struct cli *c, struct ck_query query, char **next, json_t **rows) {
  struct ck_message request = {.kind = CK_MSG_QUERY}, answer;
  zmq_msg_t frame;
  request.as.query = query;
  if (next) request.as.query.cursor = ck_str_of(*next);
  int rc = cli_ask(c, &request, &answer, &frame);
  if (rc != CLI_GO_ON) return rc;
  *rows = answer.kind == CK_MSG_ROWS ? ck_json_of(answer.as.rows.rows) : NULL;
  if (!json_is_array(*rows)) {
    json_decref(*rows);
    *rows = NULL;
    return strange(c, &frame);
  }
  if (next) {
    free(*next);
    *next = answer.as.rows.cursor.n ? ck_str_dup(answer.as.rows.cursor) : NULL;
  }
  zmq_msg_close(&frame);
  return CLI_GO_ON;
}

int cli_query_packed(struct cli *c, const char *table, struct ck_str filters, unsigned limit,
                     json_t **rows) {
  return cli_query_packed_next(c, table, filters, limit, NULL, rows);
}

int cli_query_packed_next(struct cli *c, const char *table, struct ck_str filters, unsigned limit,
                          char **next, json_t **rows) {
  struct ck_query query = {.table = ck_str_of(table), .filters = filters, .limit = limit};
  return query_rows(c, query, next, rows);
}

int cli_query_packed_all(struct cli *c, const char *table, struct ck_str filters, json_t **rows) {
  char *next = NULL;
  int rc;
  *rows = json_array();
  do {
    json_t *page;
    rc = cli_query_packed_next(c, table, filters, PAGE, &next, &page);
    if (rc != CLI_GO_ON) break;
    json_array_extend(*rows, page);
    json_decref(page);
  } while (next);
  free(next);
  if (rc == CLI_GO_ON) return rc;
  json_decref(*rows);
  *rows = NULL;
  return rc;
}

static void pack(struct ck_buf *map, const struct cli_filter *filters, size_t count) {
  struct ck_map m = ck_map_open(map);
  for (size_t i = 0; i < count; ++i) {
    if (filters[i].text)
      ck_pair_text(&m, filters[i].name, filters[i].text);
    else
      ck_pair_int(&m, filters[i].name, filters[i].number);
  }
  ck_map_close(&m);
}

int cli_query_next(struct cli *c, const struct cli_query *query, char **next, json_t **rows) {
  struct ck_buf map = {0};
  pack(&map, query->filters, query->count);
  int rc = query_rows(c,
                      (struct ck_query){.table = ck_str_of(query->table),
                                        .filters = ck_buf_view(&map),
                                        .limit = query->limit,
                                        .offset = query->offset},
                      next, rows);
  ck_buf_free(&map);
  return rc;
}

int cli_query(struct cli *c, const struct cli_query *query, json_t **rows) {
  return cli_query_next(c, query, NULL, rows);
}

int cli_query_all(struct cli *c, const char *table, const struct cli_filter *filters, size_t count,
                  json_t **rows) {
  struct ck_buf map = {0};
  pack(&map, filters, count);
  int rc = cli_query_packed_all(c, table, ck_buf_view(&map), rows);
  ck_buf_free(&map);
  return rc;
}

int cli_query_one(struct cli *c, const char *table, const char *column, const char *text,
                  json_t **row) {
  json_t *rows;
  struct cli_filter filter = {column, text, 0};
  *row = NULL;
  int rc = cli_query(c, &(struct cli_query){table, &filter, 1, 1, 0}, &rows);
  if (rc != CLI_GO_ON) return rc;
  *row = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  return CLI_GO_ON;
}

json_t *cli_info_of(const struct cli *c, enum ck_door door, int ms, struct ck_err *err) {
  void *dealer = ck_door_connect(c->settings, door, err);
  if (!dealer) return NULL;
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer = {0};
  zmq_msg_t frame;
  json_t *info = NULL;
  if (ck_ask(dealer, &request, &answer, &frame, ms, err) == 0) {
    info = answer.kind == CK_MSG_INFO ? ck_json_of(answer.as.info.info) : NULL;
    zmq_msg_close(&frame);
    if (!info) ck_fail(err, "unexpected answer");
  }
  ck_door_close(&dealer, 0);
  return info;
}

int cli_status_of(struct cli *c, json_t **info) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer;
  zmq_msg_t frame;
  int rc = cli_ask(c, &request, &answer, &frame);
  if (rc != CLI_GO_ON) return rc;
  *info = answer.kind == CK_MSG_INFO ? ck_json_of(answer.as.info.info) : NULL;
  if (!json_is_object(*info)) {
    json_decref(*info);
    *info = NULL;
    return strange(c, &frame);
  }
  zmq_msg_close(&frame);
  return CLI_GO_ON;
}
