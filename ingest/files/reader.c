/* Drives the splitter, parses each element and hands it to the source of the file's format. */
#include "ingest/files/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "ingest/sources/source.h"
#include "ingest/files/decode.h"
#include "ingest/files/held.h"
#include "ingest/files/parsed.h"
#include "ingest/files/units.h"
#include "proto/wire.h"

#define TAKE_OVER (64u << 10) /* a larger element is not copied */
#define WAIT_MOST 4096        /* elements that wait for the store's answer */

struct ingest_reader {
  struct ingest_visitor visitor;
  struct ingest_split *split;
  char *name;
  const struct ingest_source *source;
  void *state;                       /* the source's, of this file */
  uint64_t log;                      /* of struct ck_original */
  const struct ingest_source *named; /* what the file's name says, where no element says more */
  struct ingest_decode decode;
  bool over;                      /* nothing more is read */
  bool ending;                    /* what is read now has no end but that of the file */
  bool ended;                     /* the file has ended: */
  bool whole;                     /* and was not cut off; else: */
  uint64_t end_offset, end_index; /* where */
  bool is_json;                   /* as far as its first bytes tell */
  uint64_t elements;
  unsigned replaced;   /* in what was parsed */
  size_t outline_from; /* an element with more bytes is read by its outline */
  struct ck_err error;
  struct ingest_held held; /* failures, until the format is known */
  /* Only if originals are told: */
  struct ingest_originals_ops originals;
  struct ingest_units units;
  bool again;
  bool tried_all; /* while the source is unknown: the first unit was asked about for each */
  unsigned tried; /* how many sources it was asked about for */
};

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

/* Do its elements depend on those before them? */
static bool depends(const struct ingest_source *source) {
  return source && source->log && source->open;
}

static void take_source(struct ingest_reader *r, const struct ingest_source *source) {
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
  take_source(r, source);
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

/* Parses an element. False: it is no object of a source that is read, and what is wrong is told.
 * The caller frees it in any case. */
static bool parse(struct ingest_reader *r, struct ingest_parsed *p, char *bytes, size_t n,
                  const struct ingest_place *place) {
  if (parse_once(r, p, bytes, n, place, &r->replaced)) return false;
  if (!r->source) recognise(r, p->element.json, place, p->element.raw);
  if (!r->source || !r->source->read) return false;
  if (!p->element.outline || read_by_outline(r)) return true;
  ingest_parsed_free(p);
  return parse_once(r, p, bytes, n, place, NULL) == 0;
}

static void read_parsed(struct ingest_reader *r, struct ingest_parsed *p) {
  if (r->source->open && !r->state) r->state = r->source->open(r->name);
  p->element.state = r->state;
  r->source->read(&r->visitor, &p->element);
}

/* The source hands out what it has held back. */
static void flush(struct ingest_reader *r) {
  if (r->state && depends(r->source)) r->source->flush(&r->visitor, r->state);
}

static void read_element(struct ingest_reader *r, char *bytes, size_t n,
                         const struct ingest_place *place) {
  struct ingest_parsed p;
  if (skips(r, (struct ck_str){bytes, n})) return;
  if (r->source && r->source->log &&
      n > INGEST_LOG_LINE_MAX) { /* the first one: the format was not known */
    fail_at(r, place, "too large for a line of a log: skipped", (struct ck_str){0});
    return;
  }
  if (parse(r, &p, bytes, n, place)) read_parsed(r, &p);
  ingest_parsed_free(&p);
}

/* Is it the last line of a log that is still being written? */
static bool is_half(const struct ingest_reader *r, const char *bytes, size_t n,
                    const struct ingest_place *place) {
  struct ck_err err;
  if (!r->ending || !depends(r->source) || !place->lines) return false;
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
    read_element(r, bytes, n, place);
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

/* ---- originals ---- */

static const char *reader_name(const struct ingest_source *source, char name[INGEST_READER_NAME]) {
  snprintf(name, INGEST_READER_NAME, "%s %u", source->name, source->version);
  return name;
}

/* A log is known by its first line, which stays when the log grows, moves or is compressed. */
static void name_log(struct ingest_reader *r, const struct ingest_unit *first) {
  size_t n;
  const struct ingest_part *part = ingest_unit_parts(first, &n);
  struct ck_str line = {first->bytes.data + part->at, part->n};
  if (!depends(r->source) || r->log) return;
  r->log = ck_hash_64(&line, 1) | 1; /* not 0 */
}

static void begin_original(struct ingest_reader *r, const struct ingest_unit *unit) {
  char name[INGEST_READER_NAME];
  name_log(r, unit);
  bool kept = r->again || unit->kept.state != CK_KEPT_NOTHING;
  struct ingest_run run = {.first = unit->first, .log = r->log};
  if (r->log) ingest_unit_lines(unit, &run.lines, &run.window);
  r->originals.begin(r->originals.self, unit->id, ck_buf_view(&unit->bytes), kept,
                     reader_name(r->source, name), &run);
}

/* One element by itself. The first one of a file may tell that this is a log: then it is not read
 * by itself. */
static void read_single(struct ingest_reader *r, struct ingest_unit *unit,
                        const struct ingest_part *part) {
  unsigned replaced = r->replaced;
  struct ingest_parsed p;
  bool known = parse(r, &p, unit->bytes.data, unit->bytes.len, &part->place);
  bool is_element = known && !r->source->log;
  if (known && !is_element) r->replaced = replaced; /* it is parsed once more, to be read */
  if (is_element) {
    begin_original(r, unit);
    read_parsed(r, &p);
  }
  ingest_parsed_free(&p); /* before the end, which may compress a large original */
  if (is_element) r->originals.end(r->originals.self);
}

static void read_run(struct ingest_reader *r, struct ingest_unit *unit) {
  size_t n;
  const struct ingest_part *parts = ingest_unit_parts(unit, &n);
  begin_original(r, unit);
  for (size_t i = 0; i < n && !r->over; ++i) {
    struct ingest_place place = parts[i].place;
    place.index = unit->first + i;
    read_element(r, unit->bytes.data + parts[i].at, parts[i].n, &place);
  }
  flush(r);
  r->originals.end(r->originals.self);
}

/* The file is a log after all. At its end, nothing more comes to its last run. */
static void regroup(struct ingest_reader *r) {
  r->units.gaps = depends(r->source);
  ingest_units_regroup(&r->units);
  if (r->ended) ingest_units_end_run(&r->units);
}

/* A run that was read only at an earlier place in a file is read again, for the ages. */
static bool is_whole(const struct ingest_unit *unit) {
  bool as_late = !unit->first || (unit->kept.age > 0 && (uint64_t)unit->kept.age >= unit->first);
  return unit->kept.state == CK_KEPT_WHOLE && as_late;
}

/* Reads the first unit, and removes it. */
static void read_first(struct ingest_reader *r) {
  struct ingest_unit *unit = r->units.head;
  size_t n;
  const struct ingest_part *parts = ingest_unit_parts(unit, &n);
  bool was_log = r->source && r->source->log;
  if (is_whole(unit) && !depends(r->source))
    r->originals.whole(r->originals.self, unit->kept.messages);
  else if (was_log)
    read_run(r, unit);
  else
    read_single(r, unit, parts);
  if (!was_log && r->source && r->source->log)
    regroup(r);
  else
    ingest_units_drop(&r->units);
}

void ingest_reader_outline_from(struct ingest_reader *r, size_t bytes) { r->outline_from = bytes; }

void ingest_reader_originals(struct ingest_reader *r, const struct ingest_originals_ops *ops,
                             bool again, uint64_t first) {
  r->originals = *ops;
  r->again = again;
  r->units.is_run = first > 0;
  r->units.first = first;
}

bool ingest_reader_ask(struct ingest_reader *r, struct ck_buf *ids, char name[INGEST_READER_NAME]) {
  if (r->over || r->again || (!r->source && r->tried_all)) return false;
  reader_name(r->source ? r->source : ingest_sources[r->tried], name);
  return ingest_units_ask(&r->units, r->source ? CK_HAVE_MAX : 1, ids);
}

/* Whose element the first one of the file is, nobody knows before it is parsed. So the store is
 * asked about it for each source: what it has whole need not be parsed to be known. */
static void told_first(struct ingest_reader *r, struct ck_str had) {
  struct ingest_unit *first = r->units.head;
  ingest_units_told(&r->units, had);
  if (first->kept.state == CK_KEPT_WHOLE) {
    take_source(r, ingest_sources[r->tried]);
    return;
  }
  r->tried_all = !ingest_sources[++r->tried];
  if (r->tried_all) return;
  first->state = INGEST_UNIT_NEW;
}

void ingest_reader_told(struct ingest_reader *r, struct ck_str had) {
  if (r->source || r->tried_all || !r->units.head)
    ingest_units_told(&r->units, had);
  else
    told_first(r, had);
}

static void note_replaced(const struct ingest_reader *r) {
  unsigned n = ingest_reader_replaced(r);
  if (!n) return;
  r->visitor.note(r->visitor.self, "half of a surrogate pair, or U+0000 in a name: read as U+FFFD",
                  n);
}

/* All is read: what went wrong with the file as a whole. */
static void settle(struct ingest_reader *r) {
  if (r->over) return;
  r->over = true;
  flush(r);
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

/* A small first element is parsed to know the source, and then waits for the answer like others. */
static void recognise_first(struct ingest_reader *r) {
  struct ingest_unit *unit = r->units.head;
  unsigned replaced = r->replaced; /* it is parsed once more to be read */
  size_t n;
  const struct ingest_part *part = ingest_unit_parts(unit, &n);
  struct ingest_parsed p;
  bool known = parse(r, &p, unit->bytes.data, unit->bytes.len, &part->place);
  ingest_parsed_free(&p);
  if (!known)
    ingest_units_drop(&r->units);
  else
    r->replaced = replaced;
  if (known && r->source->log) regroup(r);
}

/* Small elements at the beginning are parsed until one tells the source. */
static void recognise_small(struct ingest_reader *r) {
  const struct ingest_unit *first;
  while (!r->over && !r->source && (first = r->units.head) && first->state == INGEST_UNIT_NEW &&
         first->size <= TAKE_OVER)
    recognise_first(r);
}

void ingest_reader_go(struct ingest_reader *r, bool look_up) {
  recognise_small(r);
  while (!r->over && r->units.head) {
    const struct ingest_unit *first = r->units.head;
    bool blind = !look_up || r->again || (!r->source && r->tried_all);
    if (first->state == INGEST_UNIT_KNOWN || blind)
      read_first(r);
    else
      return;
    recognise_small(r);
  }
  if (r->over) ingest_units_free(&r->units);
  if (r->ended) settle(r);
}

size_t ingest_reader_waiting(const struct ingest_reader *r) { return r->units.bytes; }

bool ingest_reader_gathers(const struct ingest_reader *r) {
  return r->units.run && !r->units.is_run;
}

void ingest_reader_pause(struct ingest_reader *r) {
  if (!r->units.is_run) ingest_units_end_run(&r->units);
}

bool ingest_reader_done(const struct ingest_reader *r) { return r->over && !r->units.head; }

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
  recognise_small(r);
  if (r->over) return;
  r->ending = true;
  r->whole = ingest_split_end(r->split, &r->end_offset, &r->end_index);
  r->ended = true;
  ingest_units_end_run(&r->units);
  if (!r->originals.begin) settle(r);
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
