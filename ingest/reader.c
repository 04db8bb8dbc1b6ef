/* Drives the splitter, parses each element and hands it to the source of the file's format. */
#include "ingest/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/json.h"
#include "ingest/source.h"
#include "ingest/split.h"
#include "ingest/utf16.h"

#define HEAD INGEST_UTF16_HEAD /* as many as ingest_sniff_bytes needs, too */
/* Limits of the failures that are held back until the format is known. */
#define HELD_MAX 1000         /* failures; at so many the format counts as unknown */
#define HELD_BYTES (4u << 20) /* raw bytes of all of them */
#define HELD_RAW (64u << 10)  /* raw bytes of one */

struct held {
  char place[INGEST_PLACE_TEXT];
  struct ck_err reason;
  struct ck_str raw; /* in the arena */
};

struct ingest_reader {
  struct ingest_visitor visitor;
  struct ingest_split *split;
  const struct ingest_source *source;
  const struct ingest_source *named; /* what the file's name says, where no element says more */
  char head[HEAD]; /* the first bytes, until there are enough to recognise what is not JSON */
  size_t head_n;
  bool begun;   /* the head was checked */
  bool over;    /* nothing more is read */
  bool is_json; /* as far as its first bytes tell */
  bool is_utf16;
  struct ingest_utf16 utf16;
  struct ck_buf utf8; /* what has come of a UTF-16 file, as UTF-8 */
  uint64_t elements;
  unsigned replaced;
  struct ck_err error;
  struct held *held;
  size_t held_count, held_room, held_bytes;
  struct ck_arena held_raw;
};

static void stop(struct ingest_reader *r, const char *why) {
  ck_fail(&r->error, "%s", why);
  r->over = true;
}

/* ---- failures before the format is known ----
 * If an element is recognised later, they are bad lines of a good file, and each is reported. If
 * none is, the file as a whole is wrong, and one error says so. */

static void stop_unknown(struct ingest_reader *r) {
  const struct held *first = &r->held[0];
  if (r->named) {
    r->source = r->named;
    stop(r, r->source->refusal);
    return;
  }
  ck_fail(&r->error,
          "unknown format: expected conversations.json of ChatGPT or Claude.ai, or observations as "
          "JSON lines (%s: %s)",
          first->place, first->reason.text);
  r->over = true;
}

static void hold(struct ingest_reader *r, const char *place, const char *reason,
                 struct ck_str raw) {
  if (r->held_count == r->held_room)
    r->held =
        ck_realloc(r->held, (r->held_room = r->held_room ? r->held_room * 2 : 8) * sizeof *r->held);
  struct held *h = &r->held[r->held_count++];
  snprintf(h->place, sizeof h->place, "%s", place);
  ck_fail(&h->reason, "%s", reason);
  raw = ck_utf8_ok(raw) ? ck_utf8_cut(raw, HELD_RAW) : (struct ck_str){0};
  h->raw = raw.n && r->held_bytes + raw.n <= HELD_BYTES ? ck_arena_copy(&r->held_raw, raw)
                                                        : (struct ck_str){0};
  r->held_bytes += h->raw.n;
  if (r->held_count == HELD_MAX) stop_unknown(r);
}

static void forget_held(struct ingest_reader *r) {
  free(r->held);
  r->held = NULL;
  r->held_count = r->held_room = 0;
  ck_arena_free(&r->held_raw);
}

static void tell_held(struct ingest_reader *r) {
  for (size_t i = 0; i < r->held_count; ++i)
    r->visitor.failure(r->visitor.self, r->held[i].place, r->held[i].reason.text, r->held[i].raw);
  forget_held(r);
}

static void fail_at(struct ingest_reader *r, const struct ingest_place *place, const char *reason,
                    struct ck_str raw) {
  char where[INGEST_PLACE_TEXT];
  ingest_place_text(where, place, r->source ? r->source->element : NULL, (struct ck_str){0});
  if (r->source)
    r->visitor.failure(r->visitor.self, where, reason, raw);
  else
    hold(r, where, reason, raw);
}

/* ---- elements ---- */

static void recognise(struct ingest_reader *r, const json_t *element,
                      const struct ingest_place *place, struct ck_str raw) {
  const struct ingest_source *source = ingest_sniff(element);
  if (!source) {
    fail_at(r, place, "neither an observation nor a conversation of a known format", raw);
    return;
  }
  r->source = source;
  if (source->read)
    tell_held(r);
  else
    stop(r, source->refusal);
}

static void take_element(void *self, char *bytes, size_t n, const struct ingest_place *place) {
  struct ingest_reader *r = self;
  struct ck_err err;
  struct ck_str raw = place->lines ? (struct ck_str){bytes, n} : (struct ck_str){0};
  if (r->over) return;
  ++r->elements;
  json_t *element = ingest_json_parse(bytes, n, place->offset, &r->replaced, &err);
  if (!element) {
    fail_at(r, place, err.text, raw);
  } else if (!json_is_object(element)) {
    ck_fail(&err, "expected an object, got %s", ingest_json_type(element));
    fail_at(r, place, err.text, raw);
  } else {
    if (!r->source) recognise(r, element, place, raw);
    if (r->source && r->source->read) r->source->read(&r->visitor, element, raw, place);
  }
  json_decref(element);
}

static void take_fault(void *self, const char *reason, const struct ingest_place *place) {
  struct ingest_reader *r = self;
  struct ck_err err;
  if (r->over) return;
  ++r->elements;
  ck_fail(&err, "byte %llu of the file: %s", (unsigned long long)place->offset, reason);
  fail_at(r, place, err.text, (struct ck_str){0});
}

static bool ends_in(const char *name, const char *end) {
  size_t n = strlen(name), e = strlen(end);
  return n >= e && strcmp(name + n - e, end) == 0;
}

struct ingest_reader *ingest_reader_new(const char *name, const struct ingest_visitor *visitor) {
  struct ingest_reader *r = ck_zalloc(sizeof *r);
  struct ingest_split_ops ops = {r, take_element, take_fault};
  r->visitor = *visitor;
  r->named = ingest_sniff_name(name);
  r->is_json = true;
  r->split = ingest_split_new(&ops, ends_in(name, ".jsonl") || ends_in(name, ".ndjson"));
  return r;
}

void ingest_reader_free(struct ingest_reader **reader) {
  if (!*reader) return;
  ingest_split_free(&(*reader)->split);
  forget_held(*reader);
  ck_buf_free(&(*reader)->utf8);
  free(*reader);
  *reader = NULL;
}

#define MARK "\xef\xbb\xbf" /* the byte order mark */

/* Feeds the splitter, but not with a byte order mark at the beginning of the file. */
static void split(struct ingest_reader *r, struct ck_str bytes, bool first) {
  size_t mark = first && ck_str_starts(bytes, MARK) ? 3 : 0;
  if (mark) ingest_split_skip(r->split, mark);
  if (bytes.n > mark) ingest_split_feed(r->split, bytes.s + mark, bytes.n - mark);
}

static void take_bytes(struct ingest_reader *r, struct ck_str bytes, bool first) {
  if (!r->is_utf16) {
    split(r, bytes, first);
    return;
  }
  ck_buf_clear(&r->utf8);
  ingest_utf16_feed(&r->utf16, bytes, &r->utf8, &r->replaced);
  split(r, ck_buf_view(&r->utf8), first);
}

/* The head is complete: stops if the file is not JSON; else feeds it. */
static void begin(struct ingest_reader *r) {
  struct ck_str head = {r->head, r->head_n};
  const char *refusal = ingest_sniff_bytes(head);
  r->begun = true;
  if (refusal) {
    stop(r, refusal);
    r->is_json = false;
    return;
  }
  r->is_utf16 = ingest_utf16_is(&r->utf16, head);
  take_bytes(r, head, true);
}

bool ingest_reader_feed(struct ingest_reader *r, const char *bytes, size_t n) {
  while (!r->begun && n) {
    r->head[r->head_n++] = *bytes++;
    --n;
    if (r->head_n == HEAD) begin(r);
  }
  if (r->begun && !r->over && n) take_bytes(r, (struct ck_str){bytes, n}, false);
  return !r->over;
}

/* A character that a UTF-16 file has only begun. */
static void end_text(struct ingest_reader *r) {
  ck_buf_clear(&r->utf8);
  if (r->is_utf16) ingest_utf16_end(&r->utf16, &r->utf8, &r->replaced);
  split(r, ck_buf_view(&r->utf8), false);
}

void ingest_reader_end(struct ingest_reader *r) {
  uint64_t offset, index;
  if (!r->begun) begin(r);
  if (!r->over) end_text(r);
  if (r->over) return;
  bool whole = ingest_split_end(r->split, &offset, &index);
  if (r->over) return;
  r->over = true;
  if (!whole && index)
    ck_fail(&r->error, "cut off at byte %llu, in %s %llu", (unsigned long long)offset,
            r->source && r->source->element ? r->source->element : "element",
            (unsigned long long)index);
  else if (!whole)
    ck_fail(&r->error, "cut off at byte %llu", (unsigned long long)offset);
  else if (!r->source && r->elements)
    stop_unknown(r);
}

const char *ingest_reader_format(const struct ingest_reader *r) {
  if (r->source) return r->source->name;
  if (!r->is_json) return "not json";
  return r->elements || r->error.text[0] ? "unknown" : "empty";
}

bool ingest_reader_without_messages(const struct ingest_reader *r) {
  return r->source && r->source->without_messages;
}

const char *ingest_reader_error(const struct ingest_reader *r) { return r->error.text; }

unsigned ingest_reader_replaced(const struct ingest_reader *r) { return r->replaced; }
