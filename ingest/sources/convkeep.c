/* What `convkeep export --json` writes (docs/reading.md): rows of the six tables, as they stand in
 * another store. They are not observed again but adopted, each with the ages of its values. */
#include "ingest/parse/json.h"
#include "ingest/sources/source.h"

#include <stdlib.h>

static bool knows(const json_t *element) {
  return json_is_integer(json_object_get(element, "convkeep")) &&
         json_is_array(json_object_get(element, "messages"));
}

struct reading {
  const struct ingest_visitor *visitor;
  const struct ingest_element *element;
  struct ck_str platform, conversation; /* the platform's id of it; empty: unknown */
  struct ck_arena arena;
  struct ck_row *rows; /* of a changeset */
  size_t count, room;
};

/* ---- rows ---- */

static int take_value(struct reading *r, struct ck_value *to, const struct ck_field *field,
                      const json_t *value, struct ck_err *err) {
  bool number = ck_kind_is_int(field->kind);
  if (json_is_string(value) && !number)
    *to = ck_text(ingest_json_str(value));
  else if (json_is_integer(value) && number)
    *to = ck_int(json_integer_value(value));
  else if (value && !json_is_null(value) && field->kind == CK_K_JSON)
    *to = ck_text(ingest_json_any(value, &r->arena));
  else if (value && !json_is_null(value))
    return ck_fail(err, "%s: is %s, must be %s", field->name, ingest_json_type(value),
                   number ? "an integer" : "text");
  bool blank = to->state == CK_TEXT && field->kind != CK_K_RAW && !ck_trim(to->as.s).n;
  if ((field->flags & CK_REQUIRED) && (to->state == CK_LEFT_OUT || blank))
    return ck_fail(err, "%s: missing", field->name);
  return 0;
}

static int take_columns(struct reading *r, struct ck_row *row, const json_t *object,
                        struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[row->table];
  if (!json_is_object(object))
    return ck_fail(err, "is %s, must be an object", ingest_json_type(object));
  for (int c = 0; c < info->columns; ++c)
    if (take_value(r, &row->v[c], &info->fields[c], json_object_get(object, info->fields[c].name),
                   err))
      return -1;
  return 0;
}

static void fail(struct reading *r, enum ck_table table, const json_t *object,
                 const struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[table];
  char where[INGEST_PLACE_TEXT];
  struct ck_buf reason = {0};
  ingest_place_text(where, r->element->place, "conversation",
                    ingest_json_text(object, info->fields[info->key].name));
  ck_buf_printf(&reason, "%s.%s", info->name, err->text);
  r->visitor->failure(r->visitor->self, where, ck_buf_cstr(&reason), (struct ck_str){0});
  ck_buf_free(&reason);
}

/* Adds the row to the changeset; false: it is none. */
static bool add(struct reading *r, enum ck_table table, const json_t *object) {
  struct ck_err err;
  struct ck_row row = {.table = table};
  if (take_columns(r, &row, object, &err)) {
    fail(r, table, object, &err);
    return false;
  }
  if (r->count == r->room) {
    r->room = r->room ? r->room * 2 : 16;
    r->rows = ck_realloc(r->rows, r->room * sizeof *r->rows);
  }
  r->rows[r->count++] = row;
  return true;
}

static void give(struct reading *r) {
  const struct ingest_rows rows = {r->rows, r->count, r->platform, r->conversation};
  char where[INGEST_PLACE_TEXT];
  ingest_place_text(where, r->element->place, "conversation", r->conversation);
  if (r->count) r->visitor->rows(r->visitor->self, &rows, where);
  r->count = 0;
  ck_arena_reset(&r->arena);
}

/* ---- the conversation ---- */

static void add_list(struct reading *r, enum ck_table table, const json_t *list) {
  size_t i;
  const json_t *object;
  json_array_foreach(list, i, object) add(r, table, object);
}

/* A message and what it executed go in together. */
static void take_message(struct reading *r, json_t *value) {
  json_t *message = ingest_outline_child(r->element->outline, value);
  if (add(r, CK_MESSAGES, message))
    add_list(r, CK_EXECUTIONS, json_object_get(message, "executions"));
  give(r);
  json_decref(message);
}

/* Which conversation it is: by the first link that says it. */
static void find_conversation(struct reading *r, const json_t *element) {
  size_t i;
  const json_t *link;
  r->platform = ingest_json_text(json_object_get(element, "conversation"), "platform");
  json_array_foreach(json_object_get(element, "links"), i, link) {
    if (!r->conversation.n) r->conversation = ingest_json_text(link, "remote_conversation_id");
  }
}

static void read_element(const struct ingest_visitor *visitor,
                         const struct ingest_element *element) {
  struct reading r = {.visitor = visitor, .element = element};
  size_t i;
  const json_t *json = element->json, *conversation = json_object_get(json, "conversation");
  json_t *message;
  find_conversation(&r, json);
  json_array_foreach(json_object_get(json, "messages"), i, message) take_message(&r, message);
  add_list(&r, CK_SESSIONS, json_object_get(json, "sessions"));
  if (conversation) add(&r, CK_CONVERSATIONS, conversation);
  add_list(&r, CK_LINKS, json_object_get(json, "links"));
  add_list(&r, CK_JOBS, json_object_get(json, "jobs"));
  give(&r);
  ck_arena_free(&r.arena);
  free(r.rows);
}

const struct ingest_source ingest_source_convkeep = {.name = "convkeep",
                                                     .element = "conversation",
                                                     .knows = knows,
                                                     .read = read_element,
                                                     .outlines = true,
                                                     .version = 1};
