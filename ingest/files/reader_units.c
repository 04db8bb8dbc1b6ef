/* Pieces that wait until it is known what the store has of them: see reader.h. */
#include <stdio.h>
#include <string.h>

#include "ingest/files/reader_internal.h"
#include "proto/wire.h"

static const char *reader_name(const struct ingest_source *source, char name[INGEST_READER_NAME]) {
  snprintf(name, INGEST_READER_NAME, "%s %u", source->name, source->version);
  return name;
}

/* A log is known by its first line, which stays when the log grows, moves or is compressed. Others
 * may begin alike, or this one may be written again: the chains tell which lines follow. */
static void name_log(struct ingest_reader *r, const struct ingest_unit *first) {
  size_t n;
  const struct ingest_part *part = ingest_unit_parts(first, &n);
  struct ck_str line = {first->bytes.data + part->at, part->n};
  if (!ingest_reader_depends(r->source) || r->log) return;
  r->log = ck_hash_64(&line, 1) | 1; /* not 0 */
}

static void begin_original(struct ingest_reader *r, const struct ingest_unit *unit) {
  char name[INGEST_READER_NAME];
  r->live = unit->live;
  name_log(r, unit);
  bool kept = r->again || unit->kept.state != CK_KEPT_NOTHING;
  struct ck_original run = {.age = (int64_t)unit->first, .log = r->log};
  if (r->log) ingest_unit_lines(unit, &run);
  r->originals.begin(r->originals.self, unit->id, ck_buf_view(&unit->bytes), kept,
                     reader_name(r->source, name), &run);
}

/* One element by itself. The first one of a file may tell that this is a log: then it is not read
 * by itself. */
static void read_single(struct ingest_reader *r, struct ingest_unit *unit,
                        const struct ingest_part *part) {
  unsigned replaced = r->replaced;
  struct ingest_parsed p;
  bool known = ingest_reader_parse(r, &p, unit->bytes.data, unit->bytes.len, &part->place);
  bool is_element = known && !r->source->log;
  if (known && !is_element) r->replaced = replaced; /* it is parsed once more, to be read */
  if (is_element) {
    begin_original(r, unit);
    ingest_reader_read_parsed(r, &p);
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
    ingest_reader_read_element(r, unit->bytes.data + parts[i].at, parts[i].n, &place);
  }
  ingest_reader_flush(r);
  r->originals.end(r->originals.self);
}

/* The file is a log after all. At its end, nothing more comes to its last run. */
static void regroup(struct ingest_reader *r) {
  r->units.depends = ingest_reader_depends(r->source);
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
  if (is_whole(unit) && !ingest_reader_depends(r->source))
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

void ingest_reader_follow(struct ingest_reader *r, uint64_t history) {
  r->units.follows = true;
  r->units.history = history;
}

bool ingest_reader_is_live(const struct ingest_reader *r) { return r->live; }

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
    ingest_reader_take_source(r, ingest_sources[r->tried]);
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

/* A small first element is parsed to know the source, and then waits for the answer like others. */
static void recognise_first(struct ingest_reader *r) {
  struct ingest_unit *unit = r->units.head;
  unsigned replaced = r->replaced; /* it is parsed once more to be read */
  size_t n;
  const struct ingest_part *part = ingest_unit_parts(unit, &n);
  struct ingest_parsed p;
  bool known = ingest_reader_parse(r, &p, unit->bytes.data, unit->bytes.len, &part->place);
  ingest_parsed_free(&p);
  if (!known)
    ingest_units_drop(&r->units);
  else
    r->replaced = replaced;
  if (known && r->source->log) regroup(r);
}

void ingest_reader_recognise(struct ingest_reader *r) {
  const struct ingest_unit *first;
  while (!r->over && !r->source && (first = r->units.head) && first->state == INGEST_UNIT_NEW &&
         first->size <= TAKE_OVER)
    recognise_first(r);
}

void ingest_reader_go(struct ingest_reader *r, bool look_up) {
  ingest_reader_recognise(r);
  while (!r->over && r->units.head) {
    const struct ingest_unit *first = r->units.head;
    bool blind = !look_up || r->again || (!r->source && r->tried_all);
    if (first->state == INGEST_UNIT_KNOWN || blind)
      read_first(r);
    else
      return;
    ingest_reader_recognise(r);
  }
  if (r->over) ingest_units_free(&r->units);
  if (r->ended) ingest_reader_settle(r);
}

size_t ingest_reader_waiting(const struct ingest_reader *r) { return r->units.bytes; }

bool ingest_reader_gathers(const struct ingest_reader *r) {
  return r->units.run && !r->units.is_run;
}

void ingest_reader_pause(struct ingest_reader *r) {
  if (!r->units.is_run) ingest_units_end_run(&r->units);
}

bool ingest_reader_done(const struct ingest_reader *r) { return r->over && !r->units.head; }
