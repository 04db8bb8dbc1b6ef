/* See details.h. */
#include "ingest/sources/details.h"

#include "ingest/parse/json.h"

static void name_member(struct ck_buf *b, const char *name) {
  if (!b->len)
    ck_buf_text(b, "{");
  else if (b->data[b->len - 1] != '{')
    ck_buf_text(b, ",");
  ck_buf_text(b, "\"");
  ck_buf_text(b, name);
  ck_buf_text(b, "\":");
}

void ingest_details_text(struct ck_buf *b, const char *name, struct ck_str text) {
  if (!text.n) return;
  name_member(b, name);
  ck_buf_json_str(b, text);
}

void ingest_details_true(struct ck_buf *b, const char *name, bool value) {
  if (!value) return;
  name_member(b, name);
  ck_buf_text(b, "true");
}

void ingest_details_false(struct ck_buf *b, const char *name) {
  name_member(b, name);
  ck_buf_text(b, "false");
}

void ingest_details_int(struct ck_buf *b, const char *name, int64_t value) {
  name_member(b, name);
  ck_buf_printf(b, "%lld", (long long)value);
}

static bool says_nothing(const json_t *value) {
  if (json_is_array(value)) return !json_array_size(value);
  if (json_is_object(value)) return !json_object_size(value);
  return !value || json_is_null(value) || json_is_false(value) ||
         (json_is_string(value) && !json_string_length(value));
}

void ingest_details_json(struct ck_buf *b, const char *name, const json_t *value) {
  if (says_nothing(value)) return;
  name_member(b, name);
  ingest_json_add(b, value);
}

void ingest_details_time(struct ck_buf *b, const char *name, const json_t *value) {
  int64_t at;
  if (ingest_json_time(value, &at)) ingest_details_int(b, name, at);
}

void ingest_details_list(struct ck_buf *b, const char *name) {
  name_member(b, name);
  ck_buf_text(b, "[");
}

static void next_element(struct ck_buf *b) {
  if (b->data[b->len - 1] != '[') ck_buf_text(b, ",");
}

void ingest_details_item(struct ck_buf *b) {
  next_element(b);
  ck_buf_text(b, "{");
}

void ingest_details_item_end(struct ck_buf *b) { ck_buf_text(b, "}"); }

void ingest_details_line(struct ck_buf *b, struct ck_str text) {
  next_element(b);
  ck_buf_json_str(b, text);
}

void ingest_details_list_end(struct ck_buf *b) { ck_buf_text(b, "]"); }

struct ck_str ingest_details_end(struct ck_buf *b, struct ck_arena *arena) {
  if (!b->len) return (struct ck_str){0};
  ck_buf_text(b, "}");
  return ck_arena_keep(arena, b);
}
