/* Makes the load as observations, changesets and rows; see observation.h. */
#include "bench/observation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/common.h"
#include "ingest/changeset.h"
#include "proto/clock.h"
#include "proto/pack.h"
#include "proto/random.h"
#include "proto/wire.h"
#include "store/write/rules.h"
#include "store/files/static_path.h"

/* 2026-01-01T06:00Z: far from midnight, so that a conversation's messages are one session. */
#define FIRST_AT 1767247200000

struct words {
  char id[40], conversation[48], url[80], title[40], text[BENCH_TEXT_MAX + 1];
  int64_t at;
};

static void make_words(struct words *w, const struct bench_kind *kind, size_t i,
                       struct ck_random *random) {
  uint64_t conversation = ck_random_next(random) % kind->conversations;
  snprintf(w->id, sizeof w->id, "%016llx%016llx", (unsigned long long)ck_random_next(random),
           (unsigned long long)ck_random_next(random));
  snprintf(w->conversation, sizeof w->conversation, "6f9619ff-8b86-4d01-b42d-%012llx",
           (unsigned long long)conversation);
  snprintf(w->url, sizeof w->url, "https://chatgpt.com/c/%s", w->conversation);
  snprintf(w->title, sizeof w->title, "Conversation %llu", (unsigned long long)conversation);
  for (size_t k = 0; k < kind->text; ++k)
    w->text[k] = k % 7 == 6 ? ' ' : (char)('a' + ck_random_next(random) % 26);
  w->text[kind->text] = '\0';
  w->at = kind->at + (int64_t)i;
}

static struct ck_str as_changeset(const struct words *w, struct ck_arena *arena) {
  struct ingest_observation o = {.platform = CK_LIT("chatgpt"),
                                 .role = CK_LIT("assistant"),
                                 .has_text = true,
                                 .observed_at = w->at};
  o.message_id = ck_str_of(w->id);
  o.text = ck_str_of(w->text);
  o.conversation_id = ck_textz(w->conversation);
  o.page_url = ck_textz(w->url);
  o.page_title = ck_textz(w->title);
  struct ingest_changeset_facts shaped;
  struct ingest_changeset s = {0};
  struct ck_err err;
  if (ingest_changeset_alone(&s, &o, (struct ck_str){0}, w->at, 0, &shaped, &err))
    bench_fail("shape: %s", err.text);
  struct ck_str changeset = ck_arena_copy(arena, ck_buf_view(&s.out));
  ingest_changeset_free(&s);
  return changeset;
}

static struct ck_str as_observation(const struct words *w, struct ck_arena *arena) {
  const struct {
    const char *name, *value;
  } pairs[] = {{"platform", "chatgpt"}, {"role", "assistant"},
               {"message_id", w->id},   {"conversation_id", w->conversation},
               {"page_url", w->url},    {"page_title", w->title},
               {"text", w->text}};
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
  return bench_load_of((struct bench_kind){.n = n, .seed = seed});
}

struct bench_load bench_load_of(struct bench_kind kind) {
  if (!kind.text) kind.text = BENCH_TEXT;
  if (!kind.conversations) kind.conversations = BENCH_CONVERSATIONS;
  if (!kind.at) kind.at = FIRST_AT;
  struct bench_load load = {.n = kind.n, .conversations = kind.conversations};
  struct ck_random random = {kind.seed};
  load.changesets = ck_alloc(load.n * sizeof *load.changesets);
  load.observations = ck_alloc(load.n * sizeof *load.observations);
  for (size_t i = 0; i < load.n; ++i) {
    struct words w;
    make_words(&w, &kind, i, &random);
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

static void complete(struct ck_row *row, struct ck_row *write, int64_t age, int column,
                     struct ck_arena *arena) {
  struct ck_err err;
  struct rules_write *how = ck_arena_get(arena, sizeof *how);
  *how = (struct rules_write){.now = ck_now_ms(), .age = age, .news = true};
  rules_time(write, NULL, how);
  if (rules_insert(row, write, how, &err)) bench_fail("%s", err.text);
  if (column < 0) return;
  struct ck_buf path = {0};
  static_path_make(&path, row->table, row);
  row->v[column] = ck_text(ck_arena_copy(arena, ck_buf_view(&path)));
  ck_buf_free(&path);
}

void bench_load_rows(struct ck_row rows[BENCH_ROWS], struct ck_str changeset,
                     struct ck_arena *arena) {
  static const enum ck_table tables[BENCH_ROWS] = {CK_MESSAGES, CK_SESSIONS, CK_CONVERSATIONS,
                                                   CK_LINKS};
  static const int paths[BENCH_ROWS] = {CK_MESSAGES_STATIC_PATH, CK_SESSIONS_STATIC_PATH, -1, -1};
  struct ck_reader r = ck_reader_of(changeset);
  struct ck_err err;
  uint32_t n;
  if (ck_read_array(&r, &n) || n != BENCH_ROWS)
    bench_fail("an observation does not bring %d rows", BENCH_ROWS);
  for (int i = 0; i < BENCH_ROWS; ++i) {
    struct ck_mutation m;
    struct ck_row write;
    if (ck_mutation_decode(&m, &r, &err) ||
        ck_row_decode(&write, ck_table_named(m.as.put.table), m.as.put.row, arena, &err))
      bench_fail("%s", err.text);
    if (write.table != tables[i]) bench_fail("an observation brings its rows in another order");
    complete(&rows[i], &write, m.as.put.age, paths[i], arena);
  }
  rows[1].v[CK_SESSIONS_MESSAGE_COUNT] = ck_int(1);
}

/* The conversation's number, which its id ends with. */
static size_t conversation_of(const struct ck_row *message) {
  struct ck_str id = ck_row_text(message, CK_MESSAGES_CONVERSATION_ID);
  char digits[13] = "";
  memcpy(digits, id.s + id.n - 12, 12);
  return strtoul(digits, NULL, 16);
}

struct bench_rows bench_rows_of(const struct bench_load *load) {
  struct bench_rows rows = {.n = load->n, .conversations = load->conversations};
  rows.at = ck_alloc(load->n * sizeof *rows.at);
  rows.conversation = ck_alloc(load->n * sizeof *rows.conversation);
  for (size_t i = 0; i < load->n; ++i) {
    bench_load_rows(rows.at[i], load->changesets[i], &rows.arena);
    rows.conversation[i] = conversation_of(&rows.at[i][0]);
  }
  return rows;
}

void bench_rows_free(struct bench_rows *rows) {
  free(rows->at);
  free(rows->conversation);
  ck_arena_free(&rows->arena);
  *rows = (struct bench_rows){0};
}

/* ---- each record once ---- */

const char *const bench_merges[BENCH_ROWS] = {
    NULL,
    "ON CONFLICT (id) DO UPDATE SET version = excluded.version, last_activity_at = "
    "excluded.last_activity_at,"
    " message_count = sessions.message_count + excluded.message_count",
    "ON CONFLICT (local_conversation_id) DO UPDATE SET version = excluded.version,"
    " last_message_id = excluded.last_message_id, last_message_at = excluded.last_message_at,"
    " updated_at = excluded.updated_at",
    "ON CONFLICT (platform, remote_conversation_id) DO UPDATE SET version = excluded.version,"
    " observed_at = excluded.observed_at, updated_at = excluded.updated_at",
};

struct bench_group bench_group_new(const struct bench_rows *rows) {
  return (struct bench_group){.at = ck_alloc(rows->conversations * sizeof(struct bench_touched)),
                              .place = ck_alloc(rows->conversations * sizeof(size_t))};
}

void bench_group_free(struct bench_group *g) {
  free(g->at);
  free(g->place);
  *g = (struct bench_group){0};
}

void bench_group_make(struct bench_group *g, const struct bench_rows *rows, size_t from,
                      size_t to) {
  memset(g->place, 0, rows->conversations * sizeof *g->place);
  g->n = 0;
  for (size_t i = from; i < to; ++i) {
    size_t *place = &g->place[rows->conversation[i]];
    if (!*place) {
      *place = ++g->n;
      g->at[g->n - 1].messages = 0;
    }
    g->at[*place - 1].newest = rows->at[i];
    ++g->at[*place - 1].messages;
  }
}

struct ck_row bench_group_row(const struct bench_group *g, size_t i, int k) {
  struct ck_row row = g->at[i].newest[k];
  if (row.table == CK_SESSIONS)
    row.v[CK_SESSIONS_MESSAGE_COUNT] = ck_int((int64_t)g->at[i].messages);
  return row;
}
