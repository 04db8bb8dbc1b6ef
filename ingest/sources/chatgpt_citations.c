/* Citations. The text keeps its marks as they came, from U+E200 to U+E201 or "【6†source】"; each
 * entry says what a mark stands for, so that a reader can put title and address in its place. A
 * mark that stands for nothing has an entry of its text alone. */
#include "ingest/sources/chatgpt.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"

#define MARK_BEGIN "\xee\x88\x80" /* U+E200 */
#define MARK_END "\xee\x88\x81"   /* U+E201 */
#define MARK_PART "\xee\x88\x82"  /* U+E202, between its parts */
#define MARK_MAX 4096             /* bytes; what is longer is no mark */

struct citations {
  struct ck_buf *b;
  bool any;
  json_t *seen; /* a set of texts, addresses and entries */
};

/* ---- the list ---- */

static bool is_seen(const struct citations *c, struct ck_str what) {
  return json_object_getn(c->seen, what.s, what.n) != NULL;
}

static void see(struct citations *c, struct ck_str what) {
  if (!c->seen) c->seen = json_object();
  if (what.n) json_object_setn_new_nocheck(c->seen, what.s, what.n, json_true());
}

static void add(struct citations *c, struct ck_str text, struct ck_str title, struct ck_str url) {
  struct ck_str parts[] = {text, title, url};
  char hash[33];
  ck_hash_id(hash, parts, 3);
  if ((!text.n && !title.n && !url.n) || is_seen(c, ck_str_of(hash))) return;
  see(c, ck_str_of(hash));
  see(c, text);
  see(c, url);
  if (!c->any) ingest_details_list(c->b, "citations");
  c->any = true;
  ingest_details_item(c->b);
  ingest_details_text(c->b, "text", text);
  ingest_details_text(c->b, "title", title);
  ingest_details_text(c->b, "url", url);
  ingest_details_item_end(c->b);
}

/* ---- content_references ---- */

static struct ck_str first_text(const json_t *object, const char *const *names) {
  struct ck_str text = {0};
  for (; *names && !text.n; ++names) text = ck_trim(ingest_json_text(object, *names));
  return text;
}

static struct ck_str title_of(const json_t *source) {
  static const char *const names[] = {"title", "name", "attribution", NULL};
  return first_text(source, names);
}

static struct ck_str url_of(const json_t *source) {
  static const char *const names[] = {"url", "cloud_doc_url", NULL};
  struct ck_str url = first_text(source, names);
  return url.n ? url
               : ck_trim(ingest_json_str(json_array_get(json_object_get(source, "safe_urls"), 0)));
}

static void add_sources(struct citations *c, struct ck_str text, const json_t *sources) {
  for (size_t i = 0; i < json_array_size(sources); ++i) {
    const json_t *source = json_array_get(sources, i);
    add(c, text, title_of(source), url_of(source));
  }
}

/* The pages of an item, and those that say the same. */
static void add_items(struct citations *c, struct ck_str text, const json_t *items) {
  for (size_t i = 0; i < json_array_size(items); ++i) {
    const json_t *item = json_array_get(items, i);
    add(c, text, title_of(item), url_of(item));
    add_sources(c, text, json_object_get(item, "supporting_websites"));
  }
}

/* A reference to one thing says it itself. */
static void add_itself(struct citations *c, struct ck_str text, const json_t *reference) {
  static const char *const alt[] = {"alt", NULL};
  struct ck_str url = url_of(reference), title = title_of(reference);
  if (!url.n) url = url_of(json_object_get(reference, "item"));
  if (!title.n) title = title_of(json_object_get(reference, "item"));
  if (!title.n && !url.n) title = first_text(reference, alt);
  add(c, text, title, url);
}

static void add_reference(struct citations *c, const json_t *reference) {
  struct ck_str text = ingest_json_text(reference, "matched_text");
  const json_t *items = json_object_get(reference, "items");
  if (!ck_trim(text).n) text = (struct ck_str){0};
  if (!json_array_size(items)) items = json_object_get(reference, "fallback_items");
  if (json_array_size(items))
    add_items(c, text, items);
  else
    add_itself(c, text, reference);
}

/* The footnote lists what the marks stand for, and what no mark names. */
static void add_footnote(struct citations *c, const json_t *reference) {
  const json_t *sources = json_object_get(reference, "sources");
  for (size_t i = 0; i < json_array_size(sources); ++i) {
    const json_t *source = json_array_get(sources, i);
    struct ck_str url = url_of(source);
    if (url.n && !is_seen(c, url)) add(c, (struct ck_str){0}, title_of(source), url);
  }
}

static void add_references(struct citations *c, const json_t *references) {
  for (size_t i = 0; i < json_array_size(references); ++i)
    add_reference(c, json_array_get(references, i));
  for (size_t i = 0; i < json_array_size(references); ++i)
    add_footnote(c, json_array_get(references, i));
}

/* ---- citations, the older list ---- */

/* Where the characters of a text are: the byte of every EVERYth. */
#define EVERY 256
struct characters {
  struct ck_str text;
  size_t *bytes, count;
};

static bool begins(char byte) { return ((unsigned char)byte & 0xc0) != 0x80; }

static struct characters characters_of(struct ck_str text) {
  struct characters c = {.text = text};
  c.bytes = ck_alloc((text.n / EVERY + 1) * sizeof *c.bytes);
  for (size_t at = 0, n = 0; at < text.n; ++at)
    if (begins(text.s[at]) && n++ % EVERY == 0) c.bytes[c.count++] = at;
  return c;
}

/* The byte at which character number n begins; the end of the text if there is none. */
static size_t byte_of(const struct characters *c, int64_t n) {
  if (n < 0 || (uint64_t)n / EVERY >= c->count) return c->text.n;
  size_t at = c->bytes[n / EVERY];
  for (int64_t left = n % EVERY; left && at < c->text.n; --left) do
      ++at;
    while (at < c->text.n && !begins(c->text.s[at]));
  return at;
}

/* The mark that an entry points at; empty if its numbers point elsewhere. */
static struct ck_str mark_at(const struct characters *c, const json_t *citation) {
  const json_t *from = json_object_get(citation, "start_ix"),
               *to = json_object_get(citation, "end_ix");
  if (!json_is_integer(from) || !json_is_integer(to)) return (struct ck_str){0};
  size_t begin = byte_of(c, json_integer_value(from)), end = byte_of(c, json_integer_value(to));
  struct ck_str mark = {c->text.s + begin, end > begin ? end - begin : 0};
  bool is_mark = ck_str_starts(mark, MARK_BEGIN) || ck_str_starts(mark, "【");
  return is_mark && mark.n <= MARK_MAX ? mark : (struct ck_str){0};
}

static void add_older(struct citations *c, const json_t *citations, struct ck_str text) {
  if (!json_array_size(citations)) return;
  struct characters characters = characters_of(text);
  for (size_t i = 0; i < json_array_size(citations); ++i) {
    const json_t *citation = json_array_get(citations, i),
                 *source = json_object_get(citation, "metadata");
    struct ck_str mark = mark_at(&characters, citation), url = url_of(source);
    bool told = mark.n ? is_seen(c, mark) : url.n && is_seen(c, url);
    if (!told) add(c, mark, title_of(source), url);
  }
  free(characters.bytes);
}

/* ---- marks that nothing explains ---- */

/* An entity's mark holds its kind and its name, as a JSON array. */
static json_t *entity_of(struct ck_str mark) {
  static const char begin[] = MARK_BEGIN "entity" MARK_PART;
  size_t n = sizeof begin - 1, end = sizeof MARK_END - 1;
  if (!ck_str_starts(mark, begin)) return NULL;
  return json_loadb(mark.s + n, mark.n - n - end, 0, NULL);
}

static void add_mark(struct citations *c, struct ck_str mark) {
  if (is_seen(c, mark)) return;
  json_t *entity = entity_of(mark);
  add(c, mark, ck_trim(ingest_json_str(json_array_get(entity, 1))), (struct ck_str){0});
  json_decref(entity);
}

static const char *mark_in(const char *from, const char *end, const char *what) {
  return end > from ? memmem(from, (size_t)(end - from), what, 3) : NULL;
}

static void add_marks(struct citations *c, struct ck_str text) {
  const char *end = text.s + text.n, *at = mark_in(text.s, end, MARK_BEGIN);
  while (at) {
    const char *limit = end - at > MARK_MAX ? at + MARK_MAX : end;
    const char *last = mark_in(at, limit, MARK_END);
    if (last) add_mark(c, (struct ck_str){at, (size_t)(last + 3 - at)});
    at = mark_in(last ? last + 3 : at + 3, end, MARK_BEGIN);
  }
}

void chatgpt_add_citations(struct ck_buf *b, const struct chatgpt_node *node, struct ck_str text) {
  struct citations c = {.b = b};
  add_references(&c, chatgpt_metadata(node, "content_references"));
  add_older(&c, chatgpt_metadata(node, "citations"), text);
  if (text.n) add_marks(&c, text);
  if (c.any) ingest_details_list_end(b);
  json_decref(c.seen);
}
