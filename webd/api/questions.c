/* The first questions of conversations without a title, as the command line has them. */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/map.h"

#define ROWS_MOST 1000

struct asking {
  struct web_ask *store;
  json_t *records;
  void (*done)(void *self, const struct web_said *trouble);
  void *self;
};

static bool is_untitled(const json_t *record) {
  return json_string_length(json_object_get(record, "title")) == 0;
}

static void finish(struct asking *a, const struct web_said *trouble) {
  a->done(a->self, trouble);
  json_decref(a->records);
  free(a);
}

static void take_row(struct asking *a, struct ck_str map) {
  struct ck_str id = ck_map_str(map, "local_conversation_id"),
                question = ck_map_str(map, "first_question");
  json_t *record;
  size_t i;
  if (!question.n) return;
  json_array_foreach(a->records, i, record) {
    const json_t *own = json_object_get(record, "local_conversation_id");
    if (!is_untitled(record) || json_object_get(record, "first_question")) continue;
    if (ck_str_eq(id, (struct ck_str){json_string_value(own), json_string_length(own)}))
      json_object_set_new(record, "first_question", json_stringn(question.s, question.n));
  }
}

static void ask(struct asking *a, struct ck_str cursor);

static void heard(void *self, const struct web_said *said) {
  struct asking *a = self;
  struct ck_str map;
  uint32_t n;
  if (!said->answer || said->answer->kind != CK_MSG_ROWS) {
    finish(a, said);
    return;
  }
  const struct ck_rows *rows = &said->answer->as.rows;
  struct ck_reader reader = ck_reader_of(rows->rows);
  if (ck_read_array(&reader, &n)) n = 0;
  for (; n && ck_read_raw(&reader, &map) == 0; --n) take_row(a, map);
  if (rows->cursor.n)
    ask(a, rows->cursor);
  else
    finish(a, NULL);
}

static void ask(struct asking *a, struct ck_str cursor) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  struct ck_message request = {.kind = CK_MSG_QUERY};
  uint32_t n = 0;
  size_t i;
  const json_t *record;
  json_array_foreach(a->records, i, record) n += is_untitled(record);
  ck_pair_name(&m, "local_conversation_id");
  ck_put_array(&filters, n);
  json_array_foreach(a->records, i, record) {
    const json_t *id = json_object_get(record, "local_conversation_id");
    if (is_untitled(record))
      ck_put_str(&filters, (struct ck_str){json_string_value(id), json_string_length(id)});
  }
  ck_map_close(&m);
  request.as.query = (struct ck_query){.table = CK_LIT("questions"),
                                       .filters = ck_buf_view(&filters),
                                       .limit = ROWS_MOST,
                                       .cursor = cursor};
  if (n == 0 || web_ask(a->store, &request, WEB_ANSWER_MS, heard, a)) finish(a, NULL);
  ck_buf_free(&filters);
}

void web_first_questions(struct webd *w, json_t *records,
                         void (*done)(void *self, const struct web_said *trouble), void *self) {
  struct asking *a = ck_alloc(sizeof *a);
  *a = (struct asking){w->store, json_incref(records), done, self};
  ask(a, (struct ck_str){0});
}
