/* See test_ingest_collect.h. */
#include "tests/unit/test_ingest_collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/files/reader.h"
#include "ingest/changeset.h"

/* What is said of an outline that is not valid; of the whole, jansson says more. */
#define NOT_VALID "not valid JSON"

static void add_changeset(struct collected *c, const struct ingest_observation *o) {
  struct ingest_changeset s = {0};
  struct ingest_changeset_facts facts;
  struct ck_err err;
  char hash[33];
  if (ingest_changeset_alone(&s, o, (struct ck_str){0}, 1000, 0, &facts, &err)) {
    ck_buf_printf(&c->text, " refused: %s", err.text);
  } else {
    struct ck_str all = ck_buf_view(&s.out);
    ck_hash_id(hash, &all, 1);
    ck_buf_printf(&c->text, " %s", hash);
  }
  ingest_changeset_free(&s);
}

static void add_execution(struct collected *c, const struct ingest_execution *e) {
  ck_buf_text(&c->text, " call=");
  ck_buf_str(&c->text, e->instruction_id);
  ck_buf_text(&c->text, " tool=");
  ck_buf_str(&c->text, e->tool);
  ck_buf_printf(&c->text, " ok=%d result=", e->ok);
  ck_buf_str(&c->text, e->result);
  ck_buf_printf(&c->text, " executed=%lld", (long long)e->executed_at);
}

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct collected *c = self;
  ++c->observations;
  c->executions += (unsigned)o->execution_count;
  c->hidden += o->has_text && !o->text.n;
  c->unknown += o->unknown;
  ck_buf_printf(&c->text, "+ %s at=%lld role=%.*s", place, (long long)o->observed_at,
                (int)o->role.n, o->role.n ? o->role.s : "");
  for (size_t i = 0; i < o->execution_count; ++i) add_execution(c, &o->executions[i]);
  add_changeset(c, o);
  ck_buf_text(&c->text, "\n");
}

static void on_begin(void *self, const struct ingest_conversation *k, const char *place) {
  struct collected *c = self;
  ck_buf_printf(&c->text, "( %s created=%lld age=%lld id=", place, (long long)k->created_at,
                (long long)k->age);
  const struct ck_str all[] = {k->platform, k->id,      k->title,  k->summary,
                               k->url,      k->current, k->details};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    ck_buf_str(&c->text, all[i]);
    ck_buf_text(&c->text, "|");
  }
  ck_buf_text(&c->text, "\n");
}

static void on_end(void *self) {
  struct collected *c = self;
  ck_buf_text(&c->text, ")\n");
}

static void on_note(void *self, const char *kind, uint64_t n) {
  struct collected *c = self;
  for (; n; --n) ck_buf_printf(&c->text, "* %s\n", kind);
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  struct collected *c = self;
  if (!c->failures++) snprintf(c->first_failure, sizeof c->first_failure, "%s: %s", place, reason);
  ck_buf_printf(&c->text, "- %s: %s (%zu bytes)\n", place, reason, raw.n);
}

static void on_rows(void *self, const struct ingest_rows *rows, const char *place) {
  struct collected *c = self;
  ck_buf_printf(&c->text, "# %s", place);
  for (size_t i = 0; i < rows->count; ++i) {
    ck_buf_printf(&c->text, " %s ", ck_tables[rows->rows[i].table].name);
    ck_row_json(&c->text, &rows->rows[i]);
  }
  ck_buf_text(&c->text, "\n");
}

static void collect_from(struct collected *c, const char *name, struct ck_str bytes, size_t piece,
                         size_t outline_from) {
  struct ingest_visitor visitor = {c,          on_begin, on_end, on_observation,
                                   on_failure, on_note,  on_rows};
  memset(c, 0, sizeof *c);
  struct ingest_reader *r = ingest_reader_new(name, &visitor);
  ingest_reader_outline_from(r, outline_from);
  if (!piece) piece = bytes.n ? bytes.n : 1;
  for (size_t at = 0; at < bytes.n; at += piece) {
    /* An exact copy on the heap, so that the sanitizer catches a read past its end. */
    size_t n = bytes.n - at < piece ? bytes.n - at : piece;
    char *copy = ck_alloc(n);
    memcpy(copy, bytes.s + at, n);
    bool more = ingest_reader_feed(r, copy, n);
    free(copy);
    if (!more) break;
  }
  ingest_reader_end(r);
  snprintf(c->format, sizeof c->format, "%s", ingest_reader_format(r));
  snprintf(c->error, sizeof c->error, "%s", ingest_reader_error(r));
  ck_buf_printf(&c->text, "= %s %s replaced=%u\n", c->format, c->error, ingest_reader_replaced(r));
  ingest_reader_free(&r);
}

void collect(struct collected *c, const char *name, struct ck_str bytes, size_t piece) {
  collect_from(c, name, bytes, piece, SIZE_MAX);
}

void collect_text(struct collected *c, const char *name, const char *text) {
  collect(c, name, ck_str_of(text), 0);
}

void collected_free(struct collected *c) { ck_buf_free(&c->text); }

static bool is_same(const char *name, const char *how, const struct collected *some,
                    const struct collected *whole) {
  if (ck_str_eq(ck_buf_view(&whole->text), ck_buf_view(&some->text))) return true;
  fprintf(stderr, "%s %s:\n%.*s\nwhole:\n%.*s\n", name, how,
          (int)(some->text.len < 2000 ? some->text.len : 2000), some->text.data,
          (int)(whole->text.len < 2000 ? whole->text.len : 2000), whole->text.data);
  return false;
}

bool collect_same(const char *name, struct ck_str bytes) {
  static const size_t pieces[] = {1, 7, 4096};
  struct collected whole, some;
  bool same = true;
  collect(&whole, name, bytes, 0);
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; ++i) {
    collect(&some, name, bytes, pieces[i]);
    same = is_same(name, "in pieces", &some, &whole) && same;
    collected_free(&some);
  }
  collect_from(&some, name, bytes, 0, 0);
  if (!memmem(some.text.data, some.text.len, NOT_VALID, strlen(NOT_VALID)))
    same = is_same(name, "by outlines", &some, &whole) && same;
  collected_free(&some);
  collected_free(&whole);
  return same;
}

static bool load(struct ck_buf *b, const char *path) {
  FILE *f = fopen(path, "rb");
  size_t n;
  ck_buf_clear(b);
  if (!f) return false;
  while ((n = fread(ck_buf_room(b, 65536), 1, 65536, f)) > 0) b->len += n;
  fclose(f);
  return true;
}

static bool load_from(struct ck_buf *b, const char *below, const char *path) {
  const char *src = getenv("CONVKEEP_SRC");
  char *full = ck_sprintf("%s%s/%s", src ? src : ".", below, path);
  bool there = load(b, full);
  free(full);
  return there;
}

bool load_own(struct ck_buf *b, const char *path) { return load_from(b, "", path); }
bool load_input(struct ck_buf *b, const char *path) {
  return load_from(b, "/../shared/inputs", path);
}
