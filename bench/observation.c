#include "bench/observation.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/common.h"
#include "ingest/shape.h"
#include "proto/pack.h"
#include "proto/wire.h"
#include "store/rules.h"
#include "store/static_path.h"

/* 2026-01-01T06:00Z: far from midnight, so that a conversation's messages are one session. */
#define FIRST_AT 1767247200000

static uint64_t next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

struct words {
  char id[40], conversation[40], url[80], title[24], text[BENCH_TEXT_MAX + 1];
  int64_t at;
};

static void make_words(struct words *w, int64_t at, size_t text, uint64_t *state) {
  uint64_t conversation = next(state) % BENCH_CONVERSATIONS;
  snprintf(w->id, sizeof w->id, "%016llx%016llx", (unsigned long long)next(state), (unsigned long long)next(state));
  snprintf(w->conversation, sizeof w->conversation, "6f9619ff-8b86-4d01-b42d-%012llx", (unsigned long long)conversation);
  snprintf(w->url, sizeof w->url, "https://chatgpt.com/c/%s", w->conversation);
  snprintf(w->title, sizeof w->title, "Conversation %llu", (unsigned long long)conversation);
  for (size_t k = 0; k < text; ++k) w->text[k] = k % 7 == 6 ? ' ' : (char)('a' + next(state) % 26);
  w->text[text] = '\0';
  w->at = at;
}

static struct ck_str as_changeset(const struct words *w, struct ck_arena *arena) {
  struct ingest_observation o = {.platform = CK_LIT("chatgpt"), .role = CK_LIT("assistant"), .has_text = true, .observed_at = w->at};
  o.message_id = ck_str_of(w->id);
  o.text = ck_str_of(w->text);
  o.conversation_id = ck_textz(w->conversation);
  o.page_url = ck_textz(w->url);
  o.page_title = ck_textz(w->title);
  struct ingest_shaped shaped;
  struct ck_arena passing = {0};
  struct ck_buf out = {0};
  struct ck_err err;
  if (ingest_shape(&out, &o, w->at, &passing, &shaped, &err)) bench_fail("shape: %s", err.text);
  struct ck_str changeset = ck_arena_copy(arena, ck_buf_view(&out));
  ck_arena_free(&passing);
  ck_buf_free(&out);
  return changeset;
}

static struct ck_str as_observation(const struct words *w, struct ck_arena *arena) {
  const struct {
    const char *name, *value;
  } pairs[] = {{"platform", "chatgpt"}, {"role", "assistant"},    {"message_id", w->id}, {"conversation_id", w->conversation},
               {"page_url", w->url},    {"page_title", w->title}, {"text", w->text}};
  struct ck_buf out = {0};
  ck_put_map(&out, sizeof pairs / sizeof *pairs + 1);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
    ck_put_text(&out, pairs[i].name);
    ck_put_text(&out, pairs[i].value);
  }
  ck_put_text(&out, "observed_at");
  ck_put_int(&out, w->at);
  struct ck_str observation = ck_arena_copy(arena, ck_buf_view(&out));
  ck_buf_free(&out);
  return observation;
}

struct bench_load bench_load_make(size_t n, uint64_t seed) {
  return bench_load_sized(n, BENCH_TEXT, seed);
}

struct bench_load bench_load_sized(size_t n, size_t text, uint64_t seed) {
  return bench_load_from(n, text, seed, FIRST_AT);
}

struct bench_load bench_load_from(size_t n, size_t text, uint64_t seed, int64_t at) {
  struct bench_load load = {.n = n};
  uint64_t state = 0x9e3779b97f4a7c15u * (seed + 1);
  load.changesets = ck_alloc(n * sizeof *load.changesets);
  load.observations = ck_alloc(n * sizeof *load.observations);
  for (size_t i = 0; i < n; ++i) {
    struct words w;
    make_words(&w, at + (int64_t)i, text, &state);
    load.changesets[i] = as_changeset(&w, &load.arena);
    load.observations[i] = as_observation(&w, &load.arena);
  }
  return load;
}

void bench_load_free(struct bench_load *load) {
  free(load->changesets);
  free(load->observations);
  ck_arena_free(&load->arena);
  *load = (struct bench_load){0};
}

static void complete(struct ck_row *row, const struct ck_row *write, int column, struct ck_arena *arena) {
  struct ck_err err;
  if (rules_insert(row, write, FIRST_AT, &err)) bench_fail("%s", err.text);
  if (column < 0) return;
  struct ck_buf path = {0};
  static_path_make(&path, row->table, row);
  row->v[column] = ck_text(ck_arena_copy(arena, ck_buf_view(&path)));
  ck_buf_free(&path);
}

void bench_load_rows(struct ck_row rows[BENCH_ROWS], struct ck_str changeset, struct ck_arena *arena) {
  static const enum ck_table tables[BENCH_ROWS] = {CK_MESSAGES, CK_SESSIONS, CK_CONVERSATIONS, CK_LINKS};
  static const int paths[BENCH_ROWS] = {CK_MESSAGES_STATIC_PATH, CK_SESSIONS_STATIC_PATH, -1, -1};
  struct ck_reader r = ck_reader_of(changeset);
  struct ck_err err;
  uint32_t n;
  if (ck_read_array(&r, &n) || n != BENCH_ROWS) bench_fail("an observation does not bring %d rows", BENCH_ROWS);
  for (int i = 0; i < BENCH_ROWS; ++i) {
    struct ck_mutation m;
    struct ck_row write;
    if (ck_mutation_decode(&m, &r, &err) || ck_row_decode(&write, ck_table_named(m.as.put.table), m.as.put.row, arena, &err)) bench_fail("%s", err.text);
    if (write.table != tables[i]) bench_fail("an observation brings its rows in another order");
    complete(&rows[i], &write, paths[i], arena);
  }
  rows[1].v[CK_SESSIONS_MESSAGE_COUNT] = ck_int(1);
}
