/* Drives the splitter, parses each element and hands it to the source of the file's format. */
#include <stdlib.h>
#include <string.h>

#include "ingest/files/reader_internal.h"
#include "ingest/parse/json.h"

#define WAIT_MOST 4096 /* elements that wait for the store's answer */

static void stop(struct ingest_reader *r, const char *why) {
  ck_fail(&r->error, "%s", why);
  r->over = true;
}

/* ---- failures ---- */

static void stop_unknown(struct ingest_reader *r) {
  const struct ingest_held_failure *first = &r->held.failures[0];
  if (r->named) {
    r->source = r->named;
    stop(r, r->source->refusal);
    return;
  }
  ck_fail(
      &r->error,
      "unknown format: expected conversations.json of ChatGPT or Claude.ai, a session of Claude "
      "Code or Codex, or observations as JSON lines (%s: %s)",
      first->place, first->reason.text);
  r->over = true;
}

static void fail_at(struct ingest_reader *r, const struct ingest_place *place, const char *reason,
                    struct ck_str raw) {
  char where[INGEST_PLACE_TEXT];
  ingest_place_text(where, place, r->source ? r->source->element : NULL, (struct ck_str){0});
  if (r->source)
    r->visitor.failure(r->visitor.self, where, reason, raw);
  else if (!ingest_held_add(&r->held, where, reason, raw))
    stop_unknown(r);
}

/* ---- elements ---- */

bool ingest_reader_depends(const struct ingest_source *source) {
  return source && source->log && source->open;
}

void ingest_reader_take_source(struct ingest_reader *r, const struct ingest_source *source) {
  r->source = source;
  if (source->log) ingest_split_most(r->split, INGEST_LOG_LINE_MAX);
}

static bool skips(const struct ingest_reader *r, struct ck_str element) {
  return r->source && r->source->skips && r->source->skips(element);
}

static void recognise(struct ingest_reader *r, const json_t *element,
                      const struct ingest_place *place, struct ck_str raw) {
  const struct ingest_source *source = ingest_sniff(element);
  if (!source) {
    fail_at(r, place, "neither an observation nor a conversation of a known format", raw);
    return;
  }
  ingest_reader_take_source(r, source);
  if (source->read)
    ingest_held_tell(&r->held, &r->visitor);
  else
    stop(r, source->refusal);
}

static bool read_by_outline(const struct ingest_reader *r) {
  return !r->source || r->source->outlines;
}

static int parse_once(struct ingest_reader *r, struct ingest_parsed *p, char *bytes, size_t n,
                      const struct ingest_place *place, unsigned *replaced) {
  struct ck_err err;
  size_t outline_from = read_by_outline(r) ? r->outline_from : SIZE_MAX;
  if (ingest_parsed_read(p, bytes, n, place, outline_from, replaced, &err) == 0) return 0;
  fail_at(r, place, err.text, place->lines ? (struct ck_str){bytes, n} : (struct ck_str){0});
  return -1;
}

bool ingest_reader_parse(struct ingest_reader *r, struct ingest_parsed *p, char *bytes, size_t n,
                         const struct ingest_place *place) {
  if (parse_once(r, p, bytes, n, place, &r->replaced)) return false;
  if (!r->source) recognise(r, p->element.json, place, p->element.raw);
  if (!r->source || !r->source->read) return false;
  if (!p->element.outline || read_by_outline(r)) return true;
  ingest_parsed_free(p);
  return parse_once(r, p, bytes, n, place, NULL) == 0;
}

void ingest_reader_read_parsed(struct ingest_reader *r, struct ingest_parsed *p) {
  if (r->source->open && !r->state) r->state = r->source->open(r->name);
  p->element.state = r->state;
  r->source->read(&r->visitor, &p->element);
}

void ingest_reader_flush(struct ingest_reader *r) {
  if (r->state && ingest_reader_depends(r->source)) r->source->flush(&r->visitor, r->state);
}

void ingest_reader_read_element(struct ingest_reader *r, char *bytes, size_t n,
                                const struct ingest_place *place) {
  struct ingest_parsed p;
  if (skips(r, (struct ck_str){bytes, n})) return;
  if (r->source && r->source->log &&
      n > INGEST_LOG_LINE_MAX) { /* the first one: the format was not known */
    fail_at(r, place, "too large for a line of a log: skipped", (struct ck_str){0});
    return;
  }
  if (ingest_reader_parse(r, &p, bytes, n, place)) ingest_reader_read_parsed(r, &p);
  ingest_parsed_free(&p);
}

/* Is it the last line of a log that is still being written? */
static bool is_half(const struct ingest_reader *r, const char *bytes, size_t n,
                    const struct ingest_place *place) {
  struct ck_err err;
  if (!r->ending || !ingest_reader_depends(r->source) || !place->lines) return false;
  char *copy = ck_alloc(n + 1); /* it may be changed by being parsed */
  memcpy(copy, bytes, n);
  json_t *json = ingest_json_parse(copy, n, 0, NULL, NULL, &err);
  json_decref(json);
  free(copy);
  return !json;
}

static void take_element(void *self, char *bytes, size_t n, const struct ingest_place *place) {
  struct ingest_reader *r = self;
  if (r->over) return;
  if (is_half(r, bytes, n, place)) {
    r->visitor.note(r->visitor.self, "last line not complete", 1);
    return;
  }
  ++r->elements;
  if (!r->originals.begin) {
    ingest_reader_read_element(r, bytes, n, place);
  } else if (r->source && r->source->log) {
    ingest_units_gather(&r->units, (struct ck_str){bytes, n}, place);
  } else {
    struct ck_buf own = {0};
    if (n > TAKE_OVER)
      own = ingest_split_take(r->split);
    else
      ck_buf_add(&own, bytes, n);
    ingest_units_add(&r->units, &own, place);
    if (r->units.count >= WAIT_MOST) ingest_reader_go(r, false);
  }
}

static void note_replaced(const struct ingest_reader *r) {
  unsigned n = ingest_reader_replaced(r);
  if (!n) return;
  r->visitor.note(r->visitor.self, "half of a surrogate pair, or U+0000 in a name: read as U+FFFD",
                  n);
}

void ingest_reader_settle(struct ingest_reader *r) {
  if (r->over) return;
  r->over = true;
  ingest_reader_flush(r);
  note_replaced(r);
  if (!r->whole && r->end_index)
    ck_fail(&r->error, "cut off at byte %llu, in %s %llu", (unsigned long long)r->end_offset,
            r->source && r->source->element ? r->source->element : "element",
            (unsigned long long)r->end_index);
  else if (!r->whole)
    ck_fail(&r->error, "cut off at byte %llu", (unsigned long long)r->end_offset);
  else if (!r->source && r->elements)
    stop_unknown(r);
}

static void take_fault(void *self, const char *reason, struct ck_str head,
                       const struct ingest_place *place) {
  struct ingest_reader *r = self;
  struct ck_err err;
  /* It may have a number, and is not in the run; what stands before it may tell the format. */
  ingest_reader_pause(r);
  ingest_reader_go(r, false);
  if (r->over) return;
  ++r->elements;
  if (skips(r, head)) return;
  ck_fail(&err, "byte %llu of the file: %s", (unsigned long long)place->offset, reason);
  fail_at(r, place, err.text, (struct ck_str){0});
}

struct ingest_reader *ingest_reader_new(const char *name, const struct ingest_visitor *visitor) {
  struct ingest_reader *r = ck_zalloc(sizeof *r);
  struct ingest_split_ops ops = {r, take_element, take_fault};
  r->visitor = *visitor;
  r->name = ck_strdup(name);
  r->outline_from = INGEST_OUTLINE_BYTES;
  r->named = ingest_sniff_name(name);
  r->is_json = true;
  r->split = ingest_split_new(&ops, ck_str_ends(ck_str_of(name), ".jsonl") ||
                                        ck_str_ends(ck_str_of(name), ".ndjson"));
  return r;
}

void ingest_reader_is_log(struct ingest_reader *r) {
  ingest_split_most(r->split, INGEST_LOG_LINE_MAX);
}

size_t ingest_reader_memory(const struct ingest_reader *r) {
  size_t state = r->state && r->source->memory ? r->source->memory(r->state) : 0;
  return sizeof *r + ingest_split_memory(r->split) + ingest_units_memory(&r->units) + state;
}

void ingest_reader_free(struct ingest_reader **reader) {
  if (!*reader) return;
  ingest_split_free(&(*reader)->split);
  ingest_units_free(&(*reader)->units);
  ingest_held_free(&(*reader)->held);
  if ((*reader)->state) (*reader)->source->close((*reader)->state);
  free((*reader)->name);
  ingest_decode_free(&(*reader)->decode);
  free(*reader);
  *reader = NULL;
}

/* The head is complete: stops if the file is not JSON; else feeds it. */
static void begin(struct ingest_reader *r) {
  struct ck_str head = {r->decode.head, r->decode.head_n};
  const char *refusal = ingest_sniff_bytes(head);
  if (refusal && r->named) {
    r->source = r->named;
    stop(r, r->source->refusal);
    return;
  }
  if (refusal) {
    stop(r, refusal);
    r->is_json = false;
    return;
  }
  ingest_decode_begin(&r->decode, r->split);
}

bool ingest_reader_feed(struct ingest_reader *r, const char *bytes, size_t n) {
  if (!r->over && ingest_decode_head(&r->decode, &bytes, &n)) begin(r);
  if (!r->over && n) ingest_decode_feed(&r->decode, r->split, (struct ck_str){bytes, n});
  return !r->over;
}

void ingest_reader_end(struct ingest_reader *r) {
  if (r->ended) return;
  if (!r->over && !r->decode.begun) begin(r);
  if (!r->over) ingest_decode_end(&r->decode, r->split);
  if (r->over) return;
  ingest_reader_recognise(r);
  if (r->over) return;
  r->ending = true;
  r->whole = ingest_split_end(r->split, &r->end_offset, &r->end_index);
  r->ended = true;
  ingest_units_end_run(&r->units);
  if (!r->originals.begin) ingest_reader_settle(r);
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

unsigned ingest_reader_replaced(const struct ingest_reader *r) {
  return r->replaced + r->decode.replaced;
}
