/* verify --deep: compares every column of every record. The records are sent to the mirror, which
 * does the comparing, so that little comes back. Goes by table and key; a file in the data folder
 * notes the place, so that an interrupted run continues there. */
#include "syncd/tasks/verify.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"

struct place {
  enum ck_table table;
  struct ck_buf after;
  uint64_t done;
};

/* ---- the place of an interrupted run ---- */

/* What a note is about: a place in another mirror or database is not used. */
static char *subject_of(const struct verify *v) {
  char *mirror = ck_settings_mirror(v->t->settings, v->t->sink->name),
       *subject = ck_sprintf("%s %s %s", v->t->store_id, mirror, v->repair ? "repair" : "verify");
  free(mirror);
  return subject;
}

/* The file of the note; `after` it: ".new" while it is written. */
static char *note_path(const struct verify *v, const char *after) {
  return ck_sprintf("run/sync-deep-%s.json%s", v->t->sink->name, after);
}

static void read_place(struct verify *v, struct place *p) {
  char *path = note_path(v, "");
  json_t *note = json_load_file(path, JSON_ALLOW_NUL, NULL);
  free(path);
  char *subject = subject_of(v);
  const char *of = json_string_value(json_object_get(note, "of")),
             *table = json_string_value(json_object_get(note, "table"));
  const json_t *after = json_object_get(note, "after");
  enum ck_table t = table ? ck_table_named(ck_str_of(table)) : CK_TABLES;
  if (of && strcmp(of, subject) == 0 && t < CK_TABLES && json_is_string(after)) {
    p->table = t;
    ck_buf_str(&p->after, (struct ck_str){json_string_value(after), json_string_length(after)});
    p->done = (uint64_t)json_integer_value(json_object_get(note, "done"));
    v->found[VERIFY_DIFFERENT] = (uint64_t)json_integer_value(json_object_get(note, "different"));
  }
  free(subject);
  json_decref(note);
}

/* If it cannot be written, an interrupted run starts over. */
static void write_place(const struct verify *v, const struct place *p) {
  char *subject = subject_of(v);
  json_t *note =
      json_pack("{s:s, s:s, s:s%, s:I, s:I}", "of", subject, "table", ck_tables[p->table].name,
                "after", p->after.data ? p->after.data : "", p->after.len, "done",
                (json_int_t)p->done, "different", (json_int_t)v->found[VERIFY_DIFFERENT]);
  char *path = note_path(v, ""), *fresh = note_path(v, ".new");
  int fd = ck_open_file(AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_TRUNC, NULL);
  if (fd >= 0 && note && json_dumpfd(note, fd, JSON_COMPACT) == 0) rename(fresh, path);
  free(path);
  free(fresh);
  if (fd >= 0) close(fd);
  json_decref(note);
  free(subject);
}

/* ---- one page ---- */

static int compare_slice(struct verify *v, struct sync_slice *s, struct ck_err *err) {
  struct sync_query query = {.kind = SYNC_QUERY_COMPARE, .table = v->table, .slice = s};
  struct sync_answer a;
  if (sync_task_query(v->t, &query, &a, err)) return -1;
  if (a.class == SYNC_DONE) return 0;
  if (a.class != SYNC_SPLIT || s->n == 1) return sync_task_refused(&a, err);
  struct sync_slice rest = sync_slice_halve(s, s->n / 2);
  int rc = compare_slice(v, s, err) || compare_slice(v, &rest, err) ? -1 : 0;
  sync_slice_free(&rest);
  return rc;
}

/* The record's current version; 0 if it is not there. */
static int version_now(struct verify *v, const struct verify_range *s, struct ck_str key,
                       uint64_t *version, struct ck_err *err) {
  struct ck_range q = {.table = ck_str_of(ck_tables[v->table].name),
                       .after = s->after,
                       .upto = s->upto,
                       .rows = 1,
                       .limit = 1000};
  struct ck_ranges a;
  zmq_msg_t frame;
  uint32_t n, four;
  *version = 0;
  if (sync_task_range(v->t, &q, &a, &frame, err)) return -1;
  struct ck_reader r = ck_reader_of(a.ranges);
  if (ck_read_array(&r, &n) == 0)
    for (; n; --n) {
      struct ck_str it;
      uint64_t count;
      int64_t sum, mix;
      if (ck_read_array(&r, &four) || ck_read_str(&r, &it) || ck_read_uint(&r, &count) ||
          ck_read_int(&r, &sum) || ck_read_int(&r, &mix))
        break;
      if (ck_str_eq(it, key)) *version = (uint64_t)sum;
    }
  zmq_msg_close(&frame);
  return 0;
}

/* A record that does not match is different only if the mirror has its version, and the record has
 * not changed since. If the mirror has another version, or none, the earlier passes found it, or it
 * is under way. */
static int decide(struct verify *v, const struct verify_range *s, const struct sync_row *r,
                  int64_t mirror_version, uint64_t cursor, bool *different, struct ck_err *err) {
  uint64_t now;
  *different = false;
  if (mirror_version < 0 || (uint64_t)mirror_version != r->version || r->version > cursor) return 0;
  if (version_now(v, s, ck_row_key(&r->row), &now, err)) return -1;
  *different = now == r->version;
  return 0;
}

struct suspects {
  struct verify_ranges ranges; /* for each record that does not match, from the key before it */
  size_t *which;               /* its place in the batch */
  struct verify_finding *found;
  size_t n;
};

static int decide_all(struct verify *v, const struct sync_batch *b, struct suspects *s,
                      uint64_t cursor, struct ck_err *err) {
  struct verify_rows rows = {.n = 0};
  size_t *place = NULL;
  int rc = verify_read_mirror(v, &s->ranges, &rows, &place, err);
  for (size_t i = 0; i < rows.n && rc == 0; ++i) {
    const struct sync_row *r = &b->rows[s->which[place[i]]];
    bool different;
    if (!ck_str_eq(rows.at[i].key, ck_row_key(&r->row))) continue;
    rc = decide(v, &s->ranges.at[place[i]], r, rows.at[i].version, cursor, &different, err);
    if (rc == 0 && different)
      s->found[s->n++] = (struct verify_finding){VERIFY_DIFFERENT, ck_row_key(&r->row), r->version,
                                                 rows.at[i].version};
  }
  for (size_t i = 0; i < s->n; ++i) verify_say(v, &s->found[i]);
  verify_rows_free(&rows);
  free(place);
  return rc;
}

static int look_closer(struct verify *v, struct sync_batch *b, struct ck_str after, uint64_t cursor,
                       struct ck_err *err) {
  struct suspects s = {.which = ck_alloc((b->n + 1) * sizeof *s.which),
                       .found = ck_alloc((b->n + 1) * sizeof *s.found)};
  int rc = 0;
  for (size_t i = 0; i < b->n; ++i) {
    if (b->rows[i].state != SYNC_ROW_DIFFERENT) continue;
    s.which[s.ranges.n] = i;
    verify_range_add(&s.ranges, i ? ck_row_key(&b->rows[i - 1].row) : after,
                     ck_row_key(&b->rows[i].row), 1, 0);
  }
  if (s.ranges.n) rc = decide_all(v, b, &s, cursor, err);
  if (rc == 0 && v->repair && !v->last && s.n) {
    struct verify_range all = {after, ck_row_key(&b->rows[b->n - 1].row), b->n};
    rc = verify_repair(v, &all, s.found, s.n, err);
  }
  verify_ranges_free(&s.ranges);
  free(s.which);
  free(s.found);
  return rc;
}

/* Compares the records after p->after up to upto (empty: to the end), as many as the store gives at
 * once. */
static int compare_page(struct verify *v, struct place *p, struct ck_str upto, bool *more,
                        struct ck_err *err) {
  struct ck_range q = {.table = ck_str_of(ck_tables[v->table].name),
                       .after = ck_buf_view(&p->after),
                       .upto = upto,
                       .limit = 65536};
  struct ck_ranges a;
  struct sync_batch b;
  struct ck_buf frame = {0};
  zmq_msg_t answer;
  if (sync_task_range(v->t, &q, &a, &answer, err)) return -1;
  uint64_t cursor = a.cursor;
  int rc = verify_batch(&b, &frame, &a, err);
  if (rc == 0 && b.n) rc = verify_slices(v, &b, compare_slice, err);
  if (rc == 0) rc = look_closer(v, &b, ck_buf_view(&p->after), cursor, err);
  *more = a.more && b.n;
  if (rc == 0 && b.n) {
    ck_buf_clear(&p->after);
    ck_buf_str(&p->after, ck_row_key(&b.rows[b.n - 1].row));
    p->done += b.n;
  }
  sync_batch_free(&b);
  ck_buf_free(&frame);
  zmq_msg_close(&answer);
  return rc;
}

int verify_deep(struct verify *v, struct ck_err *err) {
  struct place p = {.table = 0};
  int rc = 0;
  read_place(v, &p);
  for (; p.table < CK_TABLES && rc == 0; ++p.table) {
    v->table = p.table;
    for (bool more = true; more && rc == 0;) {
      rc = compare_page(v, &p, CK_LIT(""), &more, err);
      if (rc == 0) write_place(v, &p);
      if (rc == 0) sync_task_progress(v->t, p.done, v->total);
    }
    ck_buf_clear(&p.after);
  }
  char *path = note_path(v, "");
  if (rc == 0) unlink(path);
  free(path);
  ck_buf_free(&p.after);
  return rc;
}

int verify_deep_again(struct verify *v, const struct verify_ranges *ranges, struct ck_err *err) {
  struct place p = {.table = v->table};
  int rc = 0;
  for (size_t i = 0; i < ranges->n && rc == 0; ++i) {
    ck_buf_clear(&p.after);
    ck_buf_str(&p.after, ranges->at[i].after);
    for (bool more = true; more && rc == 0;)
      rc = compare_page(v, &p, ranges->at[i].upto, &more, err);
  }
  ck_buf_free(&p.after);
  return rc;
}
