/* Comparing keys and versions row by row, and deciding which rows are wrong (verify.h). */
#include "syncd/tasks/verify.h"

#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/map.h"

#define ROWS_A_QUESTION 20000
#define ANSWER_BYTES (4u << 20) /* roughly; a sink accepts 16 MiB */
#define ROW_BYTES 64            /* without the key */
#define LETTERS_A_PAGE 1000

/* ---- dead letters ---- */

static int compare_rows(const void *a, const void *b) {
  const struct verify_row *x = a, *y = b;
  return x->table != y->table ? (x->table < y->table ? -1 : 1) : ck_str_order(x->key, y->key);
}

static bool is_dead_letter(const struct verify *v, struct ck_str key, uint64_t version) {
  struct verify_row wanted = {v->table, key, 0};
  const struct verify_row *dead =
      v->dead.n ? bsearch(&wanted, v->dead.at, v->dead.n, sizeof *v->dead.at, compare_rows) : NULL;
  return dead && (uint64_t)dead->version == version;
}

static int take_dead_letters(struct verify *v, struct ck_str rows, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(rows);
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "the store's dead letters are no array");
  for (uint32_t i = 0; i < n; ++i) {
    struct ck_str letter;
    struct ck_reader map = r;
    uint32_t pairs;
    if (ck_read_map(&map, &pairs) || ck_read_raw(&r, &letter))
      return ck_fail(err, "a dead letter is no map");
    enum ck_table table = ck_table_named(ck_map_str(letter, "table_name"));
    if (table < CK_TABLES)
      verify_row_add(&v->dead, table, ck_map_str(letter, "key"), ck_map_int(letter, "version", 0));
  }
  return 0;
}

int verify_read_dead_letters(struct verify *v, struct ck_err *err) {
  struct ck_buf filters = {0};
  struct ck_buf cursor = {0};
  char *mirror = ck_settings_mirror(v->t->settings, v->t->sink->name);
  int rc;
  struct ck_map m = ck_map_open(&filters);
  ck_pair_text(&m, "mirror", mirror);
  ck_map_close(&m);
  do {
    struct ck_message request = {.kind = CK_MSG_QUERY}, answer;
    zmq_msg_t frame;
    request.as.query = (struct ck_query){.table = CK_LIT("dead_letters"),
                                         .filters = ck_buf_view(&filters),
                                         .limit = LETTERS_A_PAGE,
                                         .cursor = ck_buf_view(&cursor)};
    rc = sync_task_store(v->t, &request, &answer, &frame, err);
    if (rc) break;
    rc = take_dead_letters(v, answer.as.rows.rows, err);
    ck_buf_clear(&cursor);
    ck_buf_str(&cursor, answer.as.rows.cursor);
    zmq_msg_close(&frame);
  } while (rc == 0 && cursor.len);
  free(mirror);
  ck_buf_free(&filters);
  ck_buf_free(&cursor);
  if (v->dead.n) qsort(v->dead.at, v->dead.n, sizeof *v->dead.at, compare_rows);
  return rc;
}

/* ---- the mirror's side ---- */

struct collect {
  struct verify_rows *rows; /* their `table` is not set */
  size_t *place;            /* the range that each belongs to */
  size_t cap, base, before;
};

static void restart(void *self) {
  struct collect *c = self;
  c->rows->n = c->before;
}

static void found_row(void *self, size_t range, struct ck_str key, int64_t version) {
  struct collect *c = self;
  if (c->rows->n == c->cap) {
    c->cap = c->cap ? c->cap * 2 : 256;
    c->place = ck_realloc(c->place, c->cap * sizeof *c->place);
  }
  c->place[c->rows->n] = c->base + range;
  verify_row_add(c->rows, 0, key, version);
}

static size_t rows_a_question(size_t longest) {
  size_t fit = ANSWER_BYTES / (longest + ROW_BYTES);
  return fit < ROWS_A_QUESTION ? fit + 1 : ROWS_A_QUESTION;
}

int verify_read_mirror(struct verify *v, const struct verify_ranges *ranges,
                       struct verify_rows *rows, size_t **place, struct ck_err *err) {
  struct sync_range *asked = ck_zalloc(ranges->n * sizeof *asked);
  struct collect c = {.rows = rows};
  struct sync_query query = {.kind = SYNC_QUERY_VERSIONS,
                             .table = v->table,
                             .longest = ranges->longest,
                             .limit = rows_a_question(ranges->longest),
                             .found = found_row,
                             .restart = restart,
                             .self = &c};
  int rc = 0;
  for (size_t i = 0; i < ranges->n; ++i)
    asked[i] = (struct sync_range){.after = ranges->at[i].after, .upto = ranges->at[i].upto};
  for (bool more = true; more && rc == 0;) {
    struct sync_answer a;
    query.ranges = asked + c.base;
    query.range_count = ranges->n - c.base;
    c.before = rows->n;
    if ((rc = sync_task_query(v->t, &query, &a, err))) break;
    if (a.class == SYNC_SPLIT && query.limit > 1) {
      query.limit /= 2;
      rows->n = c.before;
      continue;
    }
    if (a.class != SYNC_DONE) rc = sync_task_refused(&a, err);
    more = rows->n - c.before >= query.limit;
    if (!more) break;
    c.base = c.place[rows->n - 1];
    asked[c.base].after = rows->at[rows->n - 1].key;
  }
  free(asked);
  *place = c.place;
  return rc;
}

/* ---- deciding ---- */

#define LEFT_LOGGED 20

static void log_left(struct verify *v, const struct verify_finding *f, const char *how) {
  if (v->left++ >= LEFT_LOGGED) return;
  ck_log(CK_ERROR, "mirror", "left", "table=%s key=%s how=%s", ck_tables[v->table].name,
         ck_quoted(f->key), how);
}

void verify_say(struct verify *v, const struct verify_finding *f) {
  static const char *const words[VERIFY_HOWS] = {"missing", "other", "extra", "different"};
  if (v->last)
    log_left(v, f, words[f->how]);
  else
    ++v->found[f->how];
  struct ck_buf *line = sync_task_line(v->t);
  ck_buf_printf(line, "{\"%s\":{\"table\":\"%s\",\"key\":", v->last ? "left" : "found",
                ck_tables[v->table].name);
  sync_task_text(line, f->key);
  ck_buf_printf(line, ",\"how\":\"%s\",\"version\":", words[f->how]);
  if (f->how == VERIFY_EXTRA)
    ck_buf_text(line, "null");
  else
    ck_buf_printf(line, "%llu", (unsigned long long)f->version);
  ck_buf_text(line, ",\"mirror_version\":");
  if (f->how == VERIFY_MISSING)
    ck_buf_text(line, "null");
  else
    ck_buf_printf(line, "%lld", (long long)f->mirror_version);
  ck_buf_text(line, "}}");
  sync_task_say(v->t);
}

/* One range: the database's records in order, and the mirror's rows beside them. */
struct merge {
  struct verify *v;
  const struct verify_row *mirror;
  size_t mirror_left;
  uint64_t cursor;
  struct verify_finding *found;
  size_t n, cap;
  struct ck_arena arena; /* of the findings' keys */
  bool under_way;
};

static void note(struct merge *m, enum verify_how how, struct ck_str key, uint64_t version,
                 int64_t mirror_version) {
  struct verify *v = m->v;
  if (how != VERIFY_EXTRA && is_dead_letter(v, key, version)) {
    if (!v->last) ++v->dead_letters;
    return;
  }
  if (how == VERIFY_EXTRA && mirror_version == 0 && v->old[v->table]) {
    if (!v->last) ++v->kept;
    return;
  }
  if (m->n == m->cap) {
    m->cap = m->cap ? m->cap * 2 : 64;
    m->found = ck_realloc(m->found, m->cap * sizeof *m->found);
  }
  m->found[m->n++] =
      (struct verify_finding){how, ck_arena_copy(&m->arena, key), version, mirror_version};
}

static void take_mirror(struct merge *m) {
  ++m->mirror;
  --m->mirror_left;
}

/* Rows of the mirror before this key have no record. */
static void pass_extra(struct merge *m, const struct ck_str *upto) {
  for (; m->mirror_left && (!upto || ck_str_order(m->mirror->key, *upto) < 0); take_mirror(m))
    note(m, VERIFY_EXTRA, m->mirror->key, 0, m->mirror->version);
}

static void decide(struct merge *m, struct ck_str key, uint64_t version) {
  pass_extra(m, &key);
  bool there = m->mirror_left && ck_str_order(m->mirror->key, key) == 0;
  int64_t its = there ? m->mirror->version : 0;
  if (there) take_mirror(m);
  if (there && its >= 0 && (uint64_t)its == version) return;
  if (version <= m->cursor) {
    note(m, there ? VERIFY_OTHER : VERIFY_MISSING, key, version, its);
    return;
  }
  m->under_way = true;
  ++m->v->under_way;
  if (version > m->v->needed) m->v->needed = version;
}

static int walk(struct merge *m, const struct verify_range *s, struct ck_err *err) {
  struct ck_buf after = {0};
  bool more = true;
  int rc = 0;
  ck_buf_str(&after, s->after);
  while (more && rc == 0) {
    struct ck_range q = {.table = ck_str_of(ck_tables[m->v->table].name),
                         .after = ck_buf_view(&after),
                         .upto = s->upto,
                         .rows = 1,
                         .limit = ROWS_A_QUESTION};
    struct ck_ranges a;
    struct ck_str key = {0};
    zmq_msg_t frame;
    uint32_t n, four;
    if ((rc = sync_task_range(m->v->t, &q, &a, &frame, err))) break;
    struct ck_reader r = ck_reader_of(a.ranges);
    if (ck_read_array(&r, &n)) rc = ck_fail(err, "the store's versions are no array");
    for (; rc == 0 && n; --n) {
      uint64_t count;
      int64_t version, mix;
      if (ck_read_array(&r, &four) || four != 4 || ck_read_str(&r, &key) ||
          ck_read_uint(&r, &count) || ck_read_int(&r, &version) || ck_read_int(&r, &mix))
        rc = ck_fail(err, "the store's versions are not understood");
      else
        decide(m, key, (uint64_t)version);
    }
    more = a.more;
    ck_buf_clear(&after);
    ck_buf_str(&after, key);
    zmq_msg_close(&frame);
  }
  ck_buf_free(&after);
  if (rc == 0) pass_extra(m, NULL);
  return rc;
}

/* *version: of what says that the record was forgotten; 0: nothing does. */
static int forgotten_at(struct verify *v, struct ck_str key, uint64_t *version,
                        struct ck_err *err) {
  struct ck_message request = {.kind = CK_MSG_QUERY}, answer;
  struct ck_buf filters = {0}, id = {0};
  struct ck_map m = ck_map_open(&filters);
  struct ck_str row;
  zmq_msg_t frame;
  uint32_t n;
  ck_forgotten_id(&id, v->table, key);
  ck_pair_str(&m, "forgotten_id", ck_buf_view(&id));
  ck_map_close(&m);
  request.as.query =
      (struct ck_query){.table = CK_LIT("forgotten"), .filters = ck_buf_view(&filters), .limit = 1};
  *version = 0;
  int rc = sync_task_store(v->t, &request, &answer, &frame, err);
  if (rc == 0) {
    struct ck_reader r = ck_reader_of(answer.as.rows.rows);
    if (ck_read_array(&r, &n) == 0 && n && ck_read_raw(&r, &row) == 0)
      *version = ck_map_uint(row, "version", 0);
    zmq_msg_close(&frame);
  }
  ck_buf_free(&filters);
  ck_buf_free(&id);
  return rc;
}

/* A row that has no record may be one whose record has been forgotten since the mirror was read:
 * that is under way. */
static int set_forgotten_apart(struct merge *m, struct ck_err *err) {
  size_t kept = 0;
  int rc = 0;
  for (size_t i = 0; i < m->n && rc == 0; ++i) {
    struct verify_finding *f = &m->found[i];
    uint64_t version = 0;
    if (f->how == VERIFY_EXTRA) rc = forgotten_at(m->v, f->key, &version, err);
    if (version <= m->cursor) {
      m->found[kept++] = *f;
      continue;
    }
    m->under_way = true;
    ++m->v->under_way;
    if (version > m->v->needed) m->v->needed = version;
  }
  if (rc == 0) m->n = kept;
  return rc;
}

static int look_at_range(struct merge *m, const struct verify_range *s, size_t longest,
                         struct ck_err *err) {
  struct verify *v = m->v;
  m->n = 0;
  m->under_way = false;
  if (walk(m, s, err) || set_forgotten_apart(m, err)) return -1;
  if (m->under_way) verify_range_add(&v->again[v->table], s->after, s->upto, s->rows, longest);
  for (size_t i = 0; i < m->n; ++i) verify_say(v, &m->found[i]);
  int rc = v->repair && !v->last && m->n ? verify_repair(v, s, m->found, m->n, err) : 0;
  ck_arena_reset(&m->arena);
  return rc;
}

int verify_compare_rows(struct verify *v, const struct verify_ranges *ranges, struct ck_err *err) {
  struct verify_rows rows = {.n = 0};
  struct merge m = {.v = v, .cursor = v->t->cursor};
  size_t *place = NULL;
  int rc = verify_read_mirror(v, ranges, &rows, &place, err);
  m.mirror = rows.at;
  for (size_t i = 0, from = 0, to; i < ranges->n && rc == 0; ++i, from = to) {
    for (to = from; to < rows.n && place[to] == i; ++to) {
    }
    m.mirror = rows.at + from;
    m.mirror_left = to - from;
    rc = look_at_range(&m, &ranges->at[i], ranges->longest, err);
  }
  free(place);
  free(m.found);
  ck_arena_free(&m.arena);
  verify_rows_free(&rows);
  return rc;
}
