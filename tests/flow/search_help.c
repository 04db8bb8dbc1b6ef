/* See search_help.h. */
#include "tests/flow/search_help.h"

#include <stdlib.h>
#include <string.h>

void say(struct t_producer *p, char result, const char *conversation, const char *id,
         const char *role, const char *text, int second, const char *more) {
  json_t *row = t_json("{'id': '%s', 'platform': 'x', 'conversation_id': '%s', 'role': '%s',"
                       " 'observed_at': %lld, 'created_at': 1%s}",
                       id, conversation, role, AT(second), more);
  json_object_set_new(row, "raw_text", json_string(text));
  struct ck_buf packed = {0};
  t_pack(&packed, row);
  struct ck_mutation m = {.kind = CK_OP_PUT};
  m.as.put = (struct ck_put){CK_LIT("messages"), ck_buf_view(&packed), AT(second)};
  t_mutate(p, &m);
  char got = t_commit(p);
  T_CHECK(got == result, "message %s: '%c', not '%c' %s", id, got, result, t_refusal(p));
  ck_buf_free(&packed);
  json_decref(row);
}

void converse(struct t_producer *p, char result, const char *name, const char *title, int second) {
  t_taken(p, result, "local_conversations",
          "{'local_conversation_id': 'x:%s', 'platform': 'x', 'title': '%s',"
          " 'last_message_at': %lld, 'newest_at': %lld}",
          name, title, AT(second), AT(second));
  t_taken(p, result == 'n' ? 'n' : '=', "conversation_links",
          "{'link_id': 'link-%s', 'local_conversation_id': 'x:%s', 'platform': 'x',"
          " 'remote_conversation_id': '%s', 'observed_at': 1}",
          name, name, name);
}

json_t *ask_door(struct ck_search q) {
  struct ck_message request = {.kind = CK_MSG_SEARCH}, answer;
  zmq_msg_t frame;
  struct ck_err err = {{0}};
  if (!q.limit) q.limit = CK_SEARCH_MAX;
  request.as.search = q;
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &request, &answer, &frame, 10000 * T_SLOWER, &err) == 0,
          "%.*s: %s", (int)(q.query.n < 80 ? q.query.n : 80), q.query.s, err.text);
  T_CHECK(answer.kind == CK_MSG_FOUND, "answered with %s", ck_message_name(answer.kind));
  const struct ck_found *f = &answer.as.found;
  json_t *o = json_object();
  json_object_set_new(o, "hits", t_json_of(f->hits));
  json_object_set_new(o, "count", json_integer((json_int_t)f->count));
  json_object_set_new(o, "more", json_boolean(f->more));
  json_object_set_new(o, "cursor", json_stringn(f->cursor.s, f->cursor.n));
  json_object_set_new(o, "behind", json_integer((json_int_t)f->behind));
  json_object_set_new(o, "cut", json_boolean(f->cut));
  zmq_msg_close(&frame);
  return o;
}

json_t *ask_when_indexed(struct ck_search q) {
  int64_t until = ck_boot_ms() + 20000 * T_SLOWER;
  for (;;) {
    json_t *answer = ask_door(q);
    if (t_int_at(answer, "behind", -1) == 0) return answer;
    T_CHECK(ck_boot_ms() < until, "the index is still %lld versions behind",
            (long long)t_int_at(answer, "behind", -1));
    json_decref(answer);
    t_pause(5);
  }
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *ids_of(json_t *answer, bool sorted) {
  const char *ids[CK_SEARCH_MAX];
  size_t i, n = 0;
  json_t *hit;
  struct ck_buf b = {0};
  json_array_foreach(t_at(answer, "hits"), i, hit) {
    const char *id = t_text_at(hit, "message_id");
    ids[n++] = id ? id : "-";
  }
  if (sorted) qsort(ids, n, sizeof *ids, by_text);
  for (i = 0; i < n; i++) ck_buf_printf(&b, "%s%s", i ? " " : "", ids[i]);
  char *text = ck_str_dup(ck_buf_view(&b));
  ck_buf_free(&b);
  json_decref(answer);
  return text;
}

void finds(const char *query, const char *want) {
  char *got = ids_of(t_search(.query = ck_str_of(query)), false);
  T_CHECK(strcmp(got, want) == 0, "%s finds %s, not %s", query, got, want);
  free(got);
}
