/* One row of a list. */
#include "webd/ask/ask.h"

#include <stdlib.h>

#include "proto/json.h"
#include "proto/map.h"

#define ROWS_MAX 1000

struct asked {
  void (*got)(void *self, bool there, json_t *row);
  void *self;
};

static void heard(void *self, const struct web_said *said) {
  struct asked *a = self;
  bool there = said->answer && said->answer->kind == CK_MSG_ROWS;
  json_t *rows = there ? ck_json_of(said->answer->as.rows.rows) : NULL;
  size_t n = json_array_size(rows);
  a->got(a->self, there, n ? json_array_get(rows, n - 1) : NULL);
  json_decref(rows);
  free(a);
}

void web_row(struct web_ask *ask, const char *list, const char *column, struct ck_str value, int ms,
             void (*got)(void *self, bool there, json_t *row), void *self) {
  struct asked *a = ck_zalloc(sizeof *a);
  struct ck_buf filters = {0};
  struct ck_map map = ck_map_open(&filters);
  struct ck_message m = {.kind = CK_MSG_QUERY};
  *a = (struct asked){got, self};
  ck_pair_str(&map, column, value);
  ck_map_close(&map);
  m.as.query = (struct ck_query){
      .table = ck_str_of(list), .filters = ck_buf_view(&filters), .limit = ROWS_MAX};
  int rc = web_ask(ask, &m, ms, heard, a);
  ck_buf_free(&filters);
  if (rc == 0) return;
  free(a);
  got(self, true, NULL); /* nothing has so long a name */
}
