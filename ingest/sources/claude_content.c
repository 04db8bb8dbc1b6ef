/* What a message of Claude.ai says, and the details beside it. */
#include <stdlib.h>
#include <string.h>

#include "ingest/sources/details.h"
#include "ingest/sources/claude.h"

/* Bytes of attachments and cited passages that the details of a message repeat, so that each can be
 * shown alone. The message's text has all of them. */
#define COPIED_MAX (1u << 20)

/* A message that is being read. */
struct content {
  struct claude_chat *c;
  const json_t *message, *blocks;
  struct ck_buf text, details;
  size_t lines;          /* of the text */
  size_t copied;         /* bytes that count for COPIED_MAX */
  bool said;             /* there was a block of text, though it may be empty */
  struct ck_str unknown; /* the type of a block of an unknown type */
};

struct ck_str claude_numbered(struct ck_arena *arena, struct ck_str of, const char *what,
                              size_t n) {
  struct ck_buf b = {0};
  ck_buf_str(&b, of);
  ck_buf_printf(&b, "-%s-%zu", what, n);
  return ck_arena_keep(arena, &b);
}

bool claude_is_type(const json_t *block, const char *type) {
  return ck_str_is(ingest_json_text(block, "type"), type);
}

bool claude_is_call(const json_t *block) {
  struct ck_str type = ingest_json_text(block, "type");
  return ck_str_is(type, "tool_use") || ck_str_ends(type, "_tool_use");
}

bool claude_is_result(const json_t *block) {
  struct ck_str type = ingest_json_text(block, "type");
  return ck_str_is(type, "tool_result") || ck_str_ends(type, "_tool_result");
}

void claude_share(json_t *to, const char *name, const json_t *from, const char *other) {
  json_t *value = json_object_get(from, other);
  if (value && !json_is_null(value)) json_object_set_nocheck(to, name, value);
}

/* ---- the text ---- */

static void add_line(struct content *to, struct ck_str line) {
  if (to->lines++) ck_buf_text(&to->text, "\n");
  ck_buf_str(&to->text, line);
}

static void say(struct content *to, struct ck_str text) {
  add_line(to, text);
  to->said = true;
}

/* Its JSON is a line of the text, and the report counts it. */
static void take_unknown(struct content *to, const json_t *block) {
  struct ck_str type = ingest_json_text(block, "type");
  struct ck_buf note = {0};
  if (!type.n) type = ck_str_of(ingest_json_type(block));
  ck_buf_text(&note, "content of unknown type '");
  ck_buf_str(&note, ck_utf8_cut(type, 100));
  ck_buf_text(&note, "', kept as JSON");
  to->c->visitor->note(to->c->visitor->self, ck_buf_cstr(&note), 1);
  ck_buf_free(&note);
  if (!to->unknown.n) to->unknown = type;
  add_line(to, ingest_json_any(block, &to->c->one));
}

/* What is no part of the text where it stands. */
static bool is_beside_text(const json_t *block) {
  static const char *const types[] = {
      "thinking",  "redacted_thinking", "image", "document",
      "summaries", "token_budget",      "flag",  "injected_prompt_block"};
  struct ck_str type = ingest_json_text(block, "type");
  for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
    if (ck_str_is(type, types[i])) return true;
  return claude_is_call(block) || claude_is_result(block);
}

static void take_block(struct content *to, const json_t *block) {
  struct ck_str type = ingest_json_text(block, "type"), title = ingest_json_text(block, "title");
  if (ck_str_is(type, "text")) {
    say(to, ingest_json_text(block, "text"));
  } else if (json_is_null(block) || is_beside_text(block)) {
    return;
  } else if (json_is_string(block)) {
    say(to, ingest_json_str(block));
  } else if (ck_str_is(type, "voice_note")) {
    if (title.n) say(to, title);
    say(to, ingest_json_text(block, "text"));
  } else {
    take_unknown(to, block);
  }
}

/* In the field `text`, exports have a sentence in place of each call. */
static bool is_placeholder(struct ck_str text) {
  static const char *const sentences[] = {
      "```\nThis block is not supported on your current device yet.\n```",
      "```\nViewing artifacts created via the Analysis Tool web feature preview isn\xe2\x80\x99t "
      "yet supported on mobile.\n```"};
  size_t n = sizeof sentences / sizeof *sentences, i = 0;
  text = ck_trim(text);
  while (text.n && i < n) {
    for (i = 0; i < n && !ck_str_starts(text, sentences[i]); ++i) {
    }
    if (i == n) break;
    size_t length = strlen(sentences[i]);
    text = ck_trim((struct ck_str){text.s + length, text.n - length});
  }
  return !text.n;
}

/* What older exports have instead of blocks, and newer ones beside them: before what is unknown. */
static void take_plain(struct content *to) {
  struct ck_str text = json_is_string(to->blocks) ? ingest_json_str(to->blocks)
                                                  : ingest_json_text(to->message, "text");
  struct ck_buf unknown = to->text;
  if ((to->said && to->text.len) || is_placeholder(text)) return;
  to->text = (struct ck_buf){0};
  to->lines = 0;
  say(to, text);
  if (unknown.len) add_line(to, ck_buf_view(&unknown));
  ck_buf_free(&unknown);
}

/* The first of the names under which `object` has a text. */
static struct ck_str either(const json_t *object, const char *name, const char *other) {
  struct ck_str text = ingest_json_text(object, name);
  return text.n ? text : ingest_json_text(object, other);
}

/* The words of a file: what was extracted from it, or those that a block of a document has. */
static struct ck_str words_of(struct content *to, const json_t *file) {
  const json_t *source = json_object_get(file, "source"),
               *blocks = json_object_get(source, "content");
  struct ck_str text = ingest_json_text(file, "extracted_content");
  struct ck_buf b = {0};
  if (!text.n && claude_is_type(source, "text")) text = ingest_json_text(source, "data");
  if (!text.n) text = ingest_json_str(blocks);
  if (text.n || !json_array_size(blocks)) return text;
  for (size_t i = 0; i < json_array_size(blocks); ++i) {
    struct ck_str line = ingest_json_text(json_array_get(blocks, i), "text");
    if (b.len && line.n) ck_buf_text(&b, "\n");
    ck_buf_str(&b, line);
  }
  return ck_arena_keep(&to->c->one, &b);
}

static void take_attachment(struct content *to, const json_t *attachment, struct ck_str text) {
  if (!json_is_object(attachment)) return;
  if (to->text.len) ck_buf_text(&to->text, "\n");
  ck_buf_text(&to->text, "[attachment: ");
  ck_buf_str(&to->text, either(attachment, "file_name", "title"));
  ck_buf_text(&to->text, "]");
  if (text.n) ck_buf_text(&to->text, "\n");
  ck_buf_str(&to->text, text);
}

static void take_text(struct content *to) {
  const json_t *attachments = json_object_get(to->message, "attachments"), *file;
  size_t i;
  for (i = 0; i < json_array_size(to->blocks); ++i) take_block(to, json_array_get(to->blocks, i));
  take_plain(to);
  json_array_foreach(attachments, i, file) take_attachment(to, file, words_of(to, file));
  json_array_foreach(to->blocks, i, file) {
    struct ck_str text = {0};
    if (claude_is_type(file, "document")) text = words_of(to, file);
    if (text.n) take_attachment(to, file, text);
  }
}

/* ---- lists of details ---- */

static void open_list(struct content *to, const char *name, bool *open) {
  if (!*open) ingest_details_list(&to->details, name);
  *open = true;
}

static void close_list(struct content *to, bool open) {
  if (open) ingest_details_list_end(&to->details);
}

/* The text, if the details may still repeat so much, else none. cost: the bytes that were looked at
 * to find it. */
static struct ck_str repeat(struct content *to, struct ck_str text, size_t cost) {
  if (cost > COPIED_MAX - to->copied) return (struct ck_str){0};
  to->copied += cost;
  return text;
}

/* All of the thinking; where the export has none of it, the summaries. */
static struct ck_str thinking_of(struct content *to, const json_t *block) {
  const json_t *summaries = json_object_get(block, "summaries");
  struct ck_str text = ingest_json_text(block, "thinking");
  struct ck_buf b = {0};
  if (text.n) return text;
  for (size_t i = 0; i < json_array_size(summaries); ++i) {
    struct ck_str summary = ingest_json_text(json_array_get(summaries, i), "summary");
    if (b.len && summary.n) ck_buf_text(&b, "\n");
    ck_buf_str(&b, summary);
  }
  return ck_arena_keep(&to->c->one, &b);
}

static void list_thinking(struct content *to) {
  bool open = false;
  for (size_t i = 0; i < json_array_size(to->blocks); ++i) {
    const json_t *block = json_array_get(to->blocks, i);
    struct ck_str text = {0};
    if (claude_is_type(block, "thinking")) text = thinking_of(to, block);
    if (!text.n) continue;
    open_list(to, "thinking", &open);
    ingest_details_line(&to->details, text);
  }
  close_list(to, open);
}

/* A file of the fields attachments and files, or of a block. */
static void list_file(struct content *to, const json_t *file, bool *open) {
  struct ck_str name = either(file, "file_name", "title"), text = words_of(to, file),
                type = either(file, "file_type", "file_kind"), id = either(file, "file_uuid", "id");
  const json_t *size = json_object_get(file, "file_size");
  if (!type.n) type = ingest_json_text(json_object_get(file, "source"), "media_type");
  if (!type.n) type = ingest_json_text(file, "type");
  if (!id.n) id = ingest_json_text(file, "uuid");
  if (!name.n && !type.n && !id.n && !text.n) return;
  open_list(to, "attachments", open);
  ingest_details_item(&to->details);
  ingest_details_text(&to->details, "name", name);
  ingest_details_text(&to->details, "type", type);
  ingest_details_json(&to->details, "size", json_is_number(size) ? size : NULL);
  ingest_details_text(&to->details, "file", id);
  ingest_details_text(&to->details, "text", repeat(to, text, text.n));
  ingest_details_item_end(&to->details);
}

/* files_v2 repeats files, as a rule. */
static bool is_repeated(const json_t *files, const json_t *file) {
  const char *name = ingest_json_text(file, "file_uuid").n ? "file_uuid" : "file_name";
  size_t n = json_array_size(files);
  for (size_t i = 0; i < n && i < 64; ++i)
    if (ck_str_eq(ingest_json_text(json_array_get(files, i), name), ingest_json_text(file, name)))
      return true;
  return false;
}

static void list_files(struct content *to) {
  const json_t *attachments = json_object_get(to->message, "attachments"),
               *files = json_object_get(to->message, "files"),
               *again = json_object_get(to->message, "files_v2");
  bool open = false;
  for (size_t i = 0; i < json_array_size(attachments); ++i)
    list_file(to, json_array_get(attachments, i), &open);
  for (size_t i = 0; i < json_array_size(files); ++i)
    list_file(to, json_array_get(files, i), &open);
  for (size_t i = 0; i < json_array_size(again); ++i)
    if (!is_repeated(files, json_array_get(again, i)))
      list_file(to, json_array_get(again, i), &open);
  for (size_t i = 0; i < json_array_size(to->blocks); ++i) {
    const json_t *block = json_array_get(to->blocks, i);
    if (claude_is_type(block, "image") || claude_is_type(block, "document"))
      list_file(to, block, &open);
  }
  close_list(to, open);
}

/* ---- citations ---- */

/* The text from one character to another; empty if it has no such. */
static struct ck_str characters(struct content *to, struct ck_str text, const json_t *from,
                                const json_t *end) {
  json_int_t first = json_integer_value(from), last = json_integer_value(end), n = 0;
  size_t begin = text.n, i = 0, most = COPIED_MAX - to->copied;
  if (!json_is_integer(from) || !json_is_integer(end)) return (struct ck_str){0};
  for (; i < text.n && i < most; ++i) {
    if (((unsigned char)text.s[i] & 0xc0) == 0x80) continue;
    if (n == first) begin = i;
    if (n++ == last) break;
  }
  if (i == most || begin >= i) return (struct ck_str){0};
  return repeat(to, (struct ck_str){text.s + begin, i - begin}, i);
}

static void cite(struct content *to, struct ck_str text, const json_t *source, bool *open) {
  const json_t *details = json_object_get(source, "details");
  struct ck_str title = ingest_json_text(source, "title"), url = ingest_json_text(source, "url");
  if (!title.n) title = ingest_json_text(details, "title");
  if (!url.n) url = ingest_json_text(details, "url");
  if (!title.n && !url.n && !text.n) return;
  open_list(to, "citations", open);
  ingest_details_item(&to->details);
  ingest_details_text(&to->details, "text", text);
  ingest_details_text(&to->details, "title", title);
  ingest_details_text(&to->details, "url", url);
  ingest_details_item_end(&to->details);
}

/* A citation names its source, or several. */
static void list_citation(struct content *to, const json_t *block, const json_t *citation,
                          bool *open) {
  const json_t *sources = json_object_get(citation, "sources");
  if (!json_is_object(citation)) return;
  struct ck_str part =
      characters(to, ingest_json_text(block, "text"), json_object_get(citation, "start_index"),
                 json_object_get(citation, "end_index"));
  if (!json_array_size(sources)) cite(to, part, citation, open);
  for (size_t i = 0; i < json_array_size(sources); ++i)
    cite(to, part, json_array_get(sources, i), open);
}

static void list_citations(struct content *to) {
  bool open = false;
  for (size_t i = 0; i < json_array_size(to->blocks); ++i) {
    const json_t *block = json_array_get(to->blocks, i),
                 *citations = json_object_get(block, "citations");
    for (size_t k = 0; k < json_array_size(citations); ++k)
      list_citation(to, block, json_array_get(citations, k), &open);
  }
  close_list(to, open);
}

/* ---- other details ---- */

/* Blocks about the message that are no part of what it says: as they are, by their type. */
static void list_beside(struct content *to, const char *type) {
  json_t *list = NULL;
  for (size_t i = 0; i < json_array_size(to->blocks); ++i) {
    json_t *block = json_array_get(to->blocks, i);
    if (!claude_is_type(block, type) || json_object_size(block) < 2) continue;
    if (!list) list = json_array();
    json_array_append(list, block);
  }
  ingest_details_json(&to->details, type, list);
  json_decref(list);
}

static bool is_injected(const json_t *block) {
  return claude_is_type(block, "injected_prompt_block");
}

static bool has_block(const struct content *to, bool (*is)(const json_t *block)) {
  for (size_t i = 0; i < json_array_size(to->blocks); ++i)
    if (is(json_array_get(to->blocks, i))) return true;
  return false;
}

/* The kind of a message that has no words itself. */
static void tell_kind(struct content *to) {
  static const struct {
    bool (*is)(const json_t *block);
    const char *kind;
  } kinds[] = {{claude_is_call, "call"}, {claude_is_result, "result"}, {is_injected, "context"}};
  if (to->unknown.n && !to->said) {
    ingest_details_text(&to->details, "kind", CK_LIT("other"));
    ingest_details_text(&to->details, "type", to->unknown);
  } else if (!to->text.len && !json_array_size(json_object_get(to->message, "files"))) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
      if (!has_block(to, kinds[i].is)) continue;
      ingest_details_text(&to->details, "kind", ck_str_of(kinds[i].kind));
      return;
    }
  }
}

static void tell_fields(struct content *to) {
  for (const char *const *name = to->c->fields; *name; ++name)
    ingest_details_json(&to->details, *name, json_object_get(to->message, *name));
}

void claude_content(struct claude_chat *c, const struct claude_message *m,
                    struct ingest_observation *o) {
  static const char *const beside[] = {"injected_prompt_block", "redacted_thinking", "summaries",
                                       "flag", "token_budget"};
  struct content to = {.c = c, .message = m->json, .blocks = json_object_get(m->json, "content")};
  take_text(&to);
  tell_kind(&to);
  tell_fields(&to);
  list_thinking(&to);
  list_files(&to);
  list_citations(&to);
  for (size_t i = 0; i < sizeof beside / sizeof *beside; ++i) list_beside(&to, beside[i]);
  if (!m->timed) ingest_details_false(&to.details, "time_known");
  if (!ck_str_eq(m->id, m->source_id)) ingest_details_text(&to.details, "source_id", m->source_id);
  o->has_text = true;
  o->text = ck_arena_keep(&c->one, &to.text);
  o->details = ingest_details_end(&to.details, &c->one);
}
