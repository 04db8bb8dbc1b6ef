/* See sources.h. */
#include "tests/golden/sources.h"

#include <stdio.h>
#include <stdlib.h>

#include "ingest/files/reader.h"

static void add_str(struct ck_buf *b, const char *before, struct ck_str s) {
  if (!s.n) return;
  ck_buf_printf(b, "%s", before);
  ck_buf_json_str(b, s);
}

static void add_value(struct ck_buf *b, const char *before, const struct ck_value *v) {
  if (v->state == CK_TEXT) add_str(b, before, v->as.s);
}

static void add_time(struct ck_buf *b, const char *before, int64_t at) {
  if (at != INGEST_NO_TIME) ck_buf_printf(b, "%s%lld", before, (long long)at);
}

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  struct ck_buf *b = self;
  (void)place;
  add_str(b, "conversation ", c->id);
  add_str(b, "\n  title ", c->title);
  add_str(b, "\n  summary ", c->summary);
  add_str(b, "\n  url ", c->url);
  add_str(b, "\n  current ", c->current);
  add_time(b, "\n  created ", c->created_at);
  ck_buf_printf(b, "\n  age %lld\n", (long long)c->age);
  if (c->details.n) ck_buf_printf(b, "  details %.*s\n", (int)c->details.n, c->details.s);
}

static void on_end(void *self) { ck_buf_text(self, "end\n"); }

static void add_execution(struct ck_buf *b, const struct ingest_execution *e) {
  add_str(b, "  execution ", e->instruction_id);
  add_str(b, " target ", e->target);
  add_str(b, " tool ", e->tool);
  add_time(b, " at ", e->executed_at);
  if (e->params_kind) ck_buf_printf(b, "\n    params %s ", e->params_kind);
  add_str(b, "", e->params);
  ck_buf_printf(b, "\n    %s", e->no_result ? "no result" : e->ok ? "ok" : "failed");
  add_str(b, " ", e->result);
  add_str(b, " error ", e->error);
  ck_buf_text(b, "\n");
}

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct ck_buf *b = self;
  (void)place;
  add_str(b, "message ", o->message_id);
  add_str(b, " after ", o->parent_id);
  if (o->placed) ck_buf_printf(b, " position %lld", (long long)o->position);
  add_time(b, o->time_assumed ? " assumed at " : " at ", o->observed_at);
  add_str(b, " ", o->role);
  add_value(b, " in ", &o->conversation_id);
  ck_buf_text(b, "\n  ");
  ck_buf_json_str(b, o->text);
  if (o->details.n) ck_buf_printf(b, "\n  details %.*s", (int)o->details.n, o->details.s);
  ck_buf_text(b, "\n");
  for (size_t i = 0; i < o->execution_count; ++i) add_execution(b, &o->executions[i]);
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  (void)raw;
  ck_buf_printf(self, "failure %s: %s\n", place, reason);
}

static void on_note(void *self, const char *kind, uint64_t n) {
  for (; n; --n) ck_buf_printf(self, "note %s\n", kind);
}

void sources_read(struct ck_buf *text, const char *name, struct ck_str bytes) {
  const struct ingest_visitor visitor = {text,       on_begin, on_end, on_observation,
                                         on_failure, on_note,  NULL};
  struct ingest_reader *r = ingest_reader_new(name, &visitor);
  ingest_reader_feed(r, bytes.s, bytes.n);
  ingest_reader_end(r);
  ck_buf_printf(text, "%s %s\n", ingest_reader_format(r), ingest_reader_error(r));
  ingest_reader_free(&r);
}

static bool load(struct ck_buf *bytes, const char *below, const char *path) {
  const char *src = getenv("CONVKEEP_SRC");
  char *full = ck_sprintf("%s/%s/%s", src ? src : ".", below, path);
  FILE *f = fopen(full, "rb");
  size_t n;
  free(full);
  if (!f) return false;
  while ((n = fread(ck_buf_room(bytes, 65536), 1, 65536, f)) > 0) bytes->len += n;
  fclose(f);
  return true;
}

bool sources_load(struct ck_buf *bytes, const char *path) {
  return load(bytes, "tests/golden/sources", path);
}

bool sources_load_input(struct ck_buf *bytes, const char *path) {
  return load(bytes, "../shared/inputs", path);
}
