/* The text of a message: what its content says, line after line. Nothing is left out for its type:
 * what is of no known one is its JSON. */
#include "ingest/sources/chatgpt.h"

#include <stdio.h>
#include <string.h>

#include "ingest/parse/json.h"

struct lines {
  struct chatgpt *c;
  struct ck_buf b;
  bool any;  /* tells no line from an empty one */
  bool note; /* the report counts what is unknown */
};

static void add_line(struct lines *l, struct ck_str text) {
  if (l->any) ck_buf_text(&l->b, "\n");
  ck_buf_str(&l->b, text);
  l->any = true;
}

/* ---- parts ---- */

/* How parts that are not text are shown, as in "[image: POINTER]". */
static const struct {
  const char *type, *word;
} assets[] = {{"image_asset_pointer", "image"},
              {"audio_asset_pointer", "audio"},
              {"real_time_user_audio_video_asset_pointer", "audio"},
              {"video_container_asset_pointer", "video"}};

const char *chatgpt_asset_word(const json_t *part) {
  struct ck_str type = ingest_json_text(part, "content_type");
  for (size_t i = 0; i < sizeof assets / sizeof *assets; ++i)
    if (ck_str_is(type, assets[i].type)) return assets[i].word;
  return "asset";
}

/* A part that is made of sound and pictures points at each. */
static struct ck_str pointer_of(const json_t *part) {
  static const char *const inner[] = {"audio_asset_pointer", "video_container_asset_pointer"};
  struct ck_str pointer = ingest_json_text(part, "asset_pointer");
  for (size_t i = 0; !pointer.n && i < sizeof inner / sizeof *inner; ++i)
    pointer = ingest_json_text(json_object_get(part, inner[i]), "asset_pointer");
  return pointer;
}

struct ck_str chatgpt_pointer(const json_t *part) {
  struct ck_str pointer = pointer_of(part);
  for (size_t i = 0; i + 3 <= pointer.n; ++i)
    if (pointer.s[i] == ':' && pointer.s[i + 1] == '/' && pointer.s[i + 2] == '/')
      return (struct ck_str){pointer.s + i + 3, pointer.n - i - 3};
  return pointer;
}

static void add_asset(struct lines *l, const json_t *part, struct ck_str pointer) {
  add_line(l, CK_LIT("["));
  ck_buf_text(&l->b, chatgpt_asset_word(part));
  ck_buf_text(&l->b, ": ");
  ck_buf_str(&l->b, pointer);
  ck_buf_text(&l->b, "]");
}

/* ---- what is unknown ---- */

static void note_type(struct lines *l, struct ck_str type) {
  char kind[160], shown[80];
  struct ck_str clean = ingest_clean(shown, sizeof shown, type);
  if (!l->note) return;
  if (!type.n)
    snprintf(kind, sizeof kind, "content without a type, kept as JSON");
  else
    snprintf(kind, sizeof kind, "content of %s '%.*s', kept as JSON",
             chatgpt_knows_type(type) ? "strange form, of type" : "unknown type", (int)clean.n,
             clean.s);
  l->c->visitor->note(l->c->visitor->self, kind, 1);
}

static void add_json(struct lines *l, const json_t *value) {
  add_line(l, (struct ck_str){0});
  ingest_json_add(&l->b, value);
  note_type(l, ingest_json_text(value, "content_type"));
}

/* ---- values ---- */

static void add_value(struct lines *l, const json_t *value);

/* True if the object has one of the fields. */
static bool add_fields(struct lines *l, const json_t *object, const char *const *names) {
  bool has = false;
  for (; *names; ++names) {
    const json_t *value = json_object_get(object, *names);
    has = has || (value && !json_is_null(value));
    add_value(l, value);
  }
  return has;
}

static void add_object(struct lines *l, const json_t *object) {
  static const char *const names[] = {"title", "url", "summary", "content", "text", NULL};
  struct ck_str pointer = pointer_of(object);
  if (pointer.n)
    add_asset(l, object, pointer);
  else if (!add_fields(l, object, names) && json_object_size(object))
    add_json(l, object);
}

static void add_value(struct lines *l, const json_t *value) {
  if (!value || json_is_null(value)) return;
  if (json_is_string(value))
    add_line(l, ingest_json_str(value));
  else if (json_is_array(value))
    for (size_t i = 0; i < json_array_size(value); ++i) add_value(l, json_array_get(value, i));
  else if (json_is_object(value))
    add_object(l, value);
  else
    add_json(l, value);
}

/* ---- contents ---- */

/* Which fields of a message's content are its text, by content_type. */
static const struct {
  const char *type;
  const char *fields[6];
} contents[] = {
    {"text", {"parts"}},
    {"multimodal_text", {"parts"}},
    {"code", {"text"}},
    {"execution_output", {"text"}},
    {"thoughts", {"thoughts", "parts"}},
    {"reasoning_recap", {"content", "parts"}},
    {"user_editable_context", {"user_profile", "user_instructions"}},
    {"tether_quote", {"title", "url", "text"}},
    {"tether_browsing_display", {"summary", "result"}},
    {"system_error", {"name", "text"}},
    {"computer_output", {"screenshot", "state"}},
    {"citable_code_output", {"output_str"}},
    {"model_editable_context", {"model_set_context", "repo_summary"}},
    {"sonic_webpage", {"title", "url", "text"}},
};

/* Of a content without a type, and of one that has none of its type's fields. */
static const char *const any_fields[] = {"parts", "text", "content", "result", "summary", NULL};

static const char *const *fields_of(struct ck_str type) {
  for (size_t i = 0; i < sizeof contents / sizeof *contents; ++i)
    if (ck_str_is(type, contents[i].type)) return contents[i].fields;
  return type.n ? NULL : any_fields;
}

bool chatgpt_knows_type(struct ck_str type) { return fields_of(type) != NULL; }

/* Is there anything but the type? */
static bool says_something(const json_t *content) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)content, name, value) {
    if (json_is_string(value) && strcmp(name, "content_type") != 0 && json_string_length(value))
      return true;
    if (json_array_size(value) || json_object_size(value)) return true;
  }
  return false;
}

static void add_content(struct lines *l, const json_t *content) {
  const char *const *fields = fields_of(ingest_json_text(content, "content_type"));
  if (!json_is_object(content))
    add_value(l, content);
  else if (!fields)
    add_json(l, content);
  else if (!add_fields(l, content, fields) && !add_fields(l, content, any_fields) &&
           says_something(content))
    add_json(l, content);
}

struct ck_str chatgpt_text(struct chatgpt *c, const json_t *message, bool note) {
  struct lines l = {.c = c, .note = note};
  add_content(&l, json_object_get(message, "content"));
  return ck_arena_keep(&c->one, &l.b);
}
