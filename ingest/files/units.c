/* See units.h. */
#include "ingest/files/units.h"

#include <stdlib.h>
#include <string.h>

static void unit_free(struct ingest_unit *unit) {
  if (!unit) return;
  ck_buf_free(&unit->bytes);
  ck_buf_free(&unit->parts);
  free(unit);
}

static void append(struct ingest_units *u, struct ingest_unit *unit) {
  ck_original_id(unit->id, ck_buf_view(&unit->bytes));
  if (!u->head) u->tail = &u->head;
  *u->tail = unit;
  u->tail = &unit->next;
  u->bytes += unit->size = unit->bytes.len + unit->parts.len;
  ++u->count;
}

static void add_part(struct ingest_unit *unit, size_t at, size_t n,
                     const struct ingest_place *place) {
  const struct ingest_part part = {at, n, *place};
  ck_buf_add(&unit->parts, &part, sizeof part);
}

const struct ingest_part *ingest_unit_parts(const struct ingest_unit *unit, size_t *n) {
  *n = unit->parts.len / sizeof(struct ingest_part);
  return (const struct ingest_part *)(const void *)unit->parts.data;
}

void ingest_unit_lines(const struct ingest_unit *unit, struct ck_original *run) {
  size_t n;
  bool known = ingest_unit_parts(unit, &n)->place.lines && unit->window && unit->chained;
  if (!known) return;
  run->lines = n;
  run->window = unit->window;
  run->chain = (struct ck_str){(const char *)unit->chain, sizeof unit->chain};
  run->chain_end = (struct ck_str){(const char *)unit->chain_end, sizeof unit->chain_end};
}

static bool is_live(const struct ingest_units *u, size_t n, const struct ingest_place *place) {
  return u->follows && place->offset + n > u->history;
}

void ingest_units_add(struct ingest_units *u, struct ck_buf *bytes,
                      const struct ingest_place *place) {
  struct ingest_unit *unit = ck_zalloc(sizeof *unit);
  unit->live = is_live(u, bytes->len, place);
  unit->bytes = *bytes;
  *bytes = (struct ck_buf){0};
  add_part(unit, 0, unit->bytes.len, place);
  append(u, unit);
}

/* ---- runs ---- */

void ingest_units_end_run(struct ingest_units *u) {
  struct ingest_unit *run = u->run;
  size_t n;
  if (!run) return;
  if (!ingest_unit_parts(run, &n)->place.lines) ck_buf_text(&run->bytes, "]\n");
  u->run = NULL;
  append(u, run);
}

/* Is there an empty line between the run's last line and this one? */
static bool after_gap(const struct ingest_unit *run, const struct ingest_place *place) {
  size_t n;
  const struct ingest_part *parts = ingest_unit_parts(run, &n);
  return place->lines && place->line > parts[n - 1].place.line + 1;
}

/* The chain goes on with a line of the run. */
static void chain_line(struct ingest_units *u, struct ck_str line, bool begins) {
  struct ingest_unit *run = u->run;
  if (u->is_run || !u->depends) u->unchained = true;
  if (u->unchained) return;
  run->chained = true;
  if (begins) memcpy(run->chain, u->chain, sizeof run->chain);
  ck_original_chain(u->chain, line);
  memcpy(run->chain_end, u->chain, sizeof run->chain_end);
}

void ingest_units_gather(struct ingest_units *u, struct ck_str bytes,
                         const struct ingest_place *place) {
  uint64_t window = (place->offset + bytes.n) / INGEST_RUN_BYTES;
  bool ends =
      u->is_run ? u->depends && u->run && after_gap(u->run, place) : window != u->run_window;
  bool live = is_live(u, bytes.n, place);
  if (u->run && (ends || u->run->live != live)) ingest_units_end_run(u);
  bool begins = !u->run;
  if (begins) u->run = ck_zalloc(sizeof *u->run);
  u->run_window = window;
  struct ingest_unit *run = u->run;
  if (begins) run->live = live;
  if (begins) run->first = place->index + (u->is_run ? u->first - 1 : 0);
  if (!u->is_run) run->window = window + 1;
  if (!place->lines) ck_buf_text(&run->bytes, begins ? "[" : ",\n");
  add_part(run, run->bytes.len, bytes.n, place);
  ck_buf_str(&run->bytes, bytes);
  chain_line(u, bytes, begins);
  if (place->lines) ck_buf_text(&run->bytes, "\n");
}

void ingest_units_regroup(struct ingest_units *u) {
  struct ingest_unit *next = u->head;
  u->head = NULL;
  u->bytes = u->count = 0;
  while (next) {
    struct ingest_unit *unit = next;
    size_t n;
    next = unit->next;
    ingest_units_gather(u, ck_buf_view(&unit->bytes), &ingest_unit_parts(unit, &n)->place);
    unit_free(unit);
  }
}

size_t ingest_units_memory(const struct ingest_units *u) {
  size_t run = u->run ? u->run->bytes.cap + u->run->parts.cap : 0;
  return u->bytes + u->count * sizeof(struct ingest_unit) + run;
}

/* ---- the list ---- */

void ingest_units_drop(struct ingest_units *u) {
  struct ingest_unit *gone = u->head;
  u->head = gone->next;
  u->bytes -= gone->size;
  --u->count;
  unit_free(gone);
}

void ingest_units_free(struct ingest_units *u) {
  while (u->head) ingest_units_drop(u);
  unit_free(u->run);
  u->run = NULL;
}

bool ingest_units_ask(struct ingest_units *u, uint32_t most, struct ck_buf *ids) {
  uint32_t n = 0;
  for (struct ingest_unit *unit = u->head; unit; unit = unit->next)
    if (unit->state == INGEST_UNIT_ASKED) return false;
  size_t opened = ck_open_array(ids);
  for (struct ingest_unit *unit = u->head; unit && n < most; unit = unit->next) {
    if (unit->state != INGEST_UNIT_NEW) continue;
    unit->state = INGEST_UNIT_ASKED;
    ck_put_text(ids, unit->id);
    ++n;
  }
  ck_close_array(ids, opened, n);
  return n > 0;
}

void ingest_units_told(struct ingest_units *u, struct ck_str had) {
  struct ck_reader r = ck_reader_of(had);
  uint32_t n;
  if (ck_read_array(&r, &n)) n = 0;
  for (struct ingest_unit *unit = u->head; unit; unit = unit->next) {
    if (unit->state != INGEST_UNIT_ASKED) continue;
    if (n && ck_kept_decode(&r, &unit->kept, NULL)) n = 0;
    if (!n) unit->kept = (struct ck_kept){0};
    if (n) --n;
    unit->state = INGEST_UNIT_KNOWN;
  }
}
