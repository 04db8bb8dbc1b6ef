/* Mutations of the store's own tables: the mirror's progress, dead letters, cursors, originals,
 * attachments. */
#include "store/write/apply_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/calendar.h"
#include "proto/log.h"

static int save_dead_letters(struct apply *a, const struct mirror *mirror,
                             const struct ck_synced *m, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(m->dead);
  struct ck_dead_letter letter;
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "synced.dead: must be an array");
  for (uint32_t i = 0; i < n; ++i) {
    if (ck_dead_letter_decode(&r, &letter, err)) return ck_fail_in(err, "synced.dead[%u]", i);
    if (system_run(a->system, SYSTEM_DEAD_SAVE, err, "sssisi", ck_str_of(mirror->name),
                   ck_str_of(ck_tables[letter.table].name), letter.key, (int64_t)letter.version,
                   letter.reason, a->now))
      return apply_failed(a);
  }
  return 0;
}

struct mirror *apply_mirror(struct apply *a, struct ck_str sink, const char *what,
                            struct ck_err *err) {
  struct mirror *mirror = mirrors_in(a->mirrors, sink);
  if (mirror) return mirror;
  char *names = mirrors_names(a->mirrors);
  ck_fail(err, "%s.sink: this store's mirrors are in %s, not in %s", what, names, ck_quoted(sink));
  free(names);
  return NULL;
}

struct mirror_news *apply_news(struct apply *a, const struct mirror *mirror) {
  return &a->news[mirror - a->mirrors->at];
}

static void remember_ended(struct apply *a, const struct mirror *mirror, uint64_t generation) {
  if (a->ended_count == a->ended_cap) {
    a->ended_cap = a->ended_cap ? a->ended_cap * 2 : 16;
    a->ended = ck_realloc(a->ended, a->ended_cap * sizeof *a->ended);
  }
  a->ended[a->ended_count++] = (struct ended){mirror->leases, generation};
  apply_news(a, mirror)->ended = true;
}

int mutate_synced(struct apply *a, const struct ck_synced *m, struct ck_err *err) {
  struct mirror *mirror = apply_mirror(a, m->sink, "synced", err);
  if (!mirror) return -1;
  struct mirror_news *news = apply_news(a, mirror);
  if (news->backfill) return ck_fail(err, "synced.generation: a backfill begins with this batch");
  if (apply_savepoint(a, err) || save_dead_letters(a, mirror, m, err)) return -1;
  struct lease done = {m->generation, m->after, m->upto};
  uint64_t cursor;
  if (!leases_end(mirror->leases, &done, &cursor))
    return ck_fail(err, "synced.generation: %llu is not the current lease of this range",
                   (unsigned long long)m->generation);
  remember_ended(a, mirror, m->generation);
  if (system_run(a->system, SYSTEM_DEAD_PASSED, err, "s", ck_str_of(mirror->name)))
    return apply_failed(a);
  uint64_t witness = m->witness < m->upto ? m->witness : m->upto;
  if (system_run(a->system, SYSTEM_SINK_SAVE, err, "sii", ck_str_of(mirror->name), (int64_t)cursor,
                 (int64_t)witness))
    return apply_failed(a);
  if (witness > news->written) news->written = witness;
  return 0;
}

int mutate_retry(struct apply *a, const struct ck_retry *m, struct ck_err *err) {
  struct mirror *mirror = apply_mirror(a, m->sink, "retry", err);
  enum ck_table t = ck_table_named(m->table);
  if (!mirror) return -1;
  if (t == CK_TABLES) return ck_fail(err, "retry.table: %s is not a table", ck_quoted(m->table));
  struct entry *e = apply_find(a, t, m->key, err);
  if (!e || apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_DEAD_DROP, err, "sss", ck_str_of(mirror->name), m->table,
                 m->key))
    return apply_failed(a);
  if (sqlite3_changes(a->db) == 0 || !e->exists) return 0;
  struct ck_row row = e->row;
  return apply_change(a, e, &row, err);
}

/* Reads a version that is stored by name; 0 if there is none. -1: the database failed. */
static int stored_version(struct apply *a, enum system_statement name, struct ck_str of,
                          uint64_t *version, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, name, "s", of);
  int rc = system_step(a->system, s, err);
  *version = rc > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

int mutate_backfill(struct apply *a, const struct ck_backfill *m, struct ck_err *err) {
  uint64_t goal, cursor;
  struct mirror *mirror = apply_mirror(a, m->sink, "backfill", err);
  if (!mirror || witness_held(a, mirror, "backfill", err)) return -1;
  struct mirror_news *news = apply_news(a, mirror);
  struct ck_str name = ck_str_of(mirror->name);
  if (stored_version(a, SYSTEM_BACKFILL_GET, name, &goal, err) ||
      stored_version(a, SYSTEM_SINK_GET, name, &cursor, err))
    return -1;
  if ((cursor < goal && !witness_alarm(mirror)) || a->head == 0 || news->backfill) return 0;
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_SINK_RESTART, err, "s", name) ||
      system_run(a->system, SYSTEM_BACKFILL_SAVE, err, "si", name, (int64_t)a->head))
    return apply_failed(a);
  news->backfill = a->head;
  news->what = FIT_NEWS_FORGET; /* an emptied mirror fits from now on */
  return 0;
}

#define SPENT_MAX \
  (UINT64_C(1) << 40) /* of one mutation: more is wrong, and the sums must not overflow */

int mutate_spent(struct apply *a, const struct ck_spent *m, struct ck_err *err) {
  struct mirror *mirror = apply_mirror(a, m->sink, "spent", err);
  if (!mirror) return -1;
  if (m->requests > SPENT_MAX || m->rows > SPENT_MAX || m->written > SPENT_MAX)
    return ck_fail(err, "spent: a number is too large");
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_SPENT_ADD, err, "siiii", ck_str_of(mirror->name),
                 a->now / CK_DAY_MS, (int64_t)m->requests, (int64_t)m->rows, (int64_t)m->written))
    return apply_failed(a);
  return 0;
}

int mutate_cursor(struct apply *a, const struct ck_cursor *m, struct ck_err *err) {
  if (m->follower.n == 0) return ck_fail(err, "cursor.follower: must not be blank");
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_CURSOR_SAVE, err, "ssi", m->follower, m->store_id,
                 (int64_t)m->version))
    return apply_failed(a);
  return 0;
}

int mutate_block(struct apply *a, const struct ck_block *m, struct ck_err *err) {
  bool failed;
  if (apply_savepoint(a, err)) return -1;
  int rc = originals_put(a->originals, m, &failed, err);
  return rc && failed ? apply_failed(a) : rc;
}

/* ---- attachments ---- */

/* 1: the database knows it, and its file is there. -1: the database failed. */
static int has_attachment(struct apply *a, const struct ck_attachment *m, struct ck_err *err) {
  sqlite3_stmt *s =
      system_query(a->system, SYSTEM_ATTACHMENT_GET, "si", m->hash, (int64_t)m->bytes);
  int rc = system_step(a->system, s, err);
  int there = rc > 0 ? sqlite3_column_int(s, 0) : 0;
  system_done(s);
  return rc < 0 ? apply_failed(a) : there;
}

/* 1: it was forgotten with the messages that named it; 0; -1. */
static int is_forgotten(struct apply *a, struct ck_str hash, struct ck_err *err) {
  if (!a->any_forgotten) return 0;
  sqlite3_stmt *s = system_query(a->system, SYSTEM_FILE_FORGOTTEN, "s", hash);
  int rc = system_step(a->system, s, err);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

/* Takes the part. *whole: it was the last one. 0, or -1 with the reason. */
static int take_part(struct apply *a, const struct ck_attachment *m, struct ck_str data,
                     bool *whole, struct ck_err *err) {
  bool last = m->part + 1 == ck_attachment_parts(m->bytes);
  switch (attachments_put(a->attachments, m, data, err)) {
  case ATTACHMENT_TAKEN:
    return 0;
  case ATTACHMENT_WHOLE:
    *whole = true;
    return 0;
  case ATTACHMENT_MISSING: /* is said once, at the last one */
    return last ? ck_fail(err, "attachment.part: parts before it are missing; import it again") : 0;
  case ATTACHMENT_OTHER:
    return ck_fail(err, "attachment.hash: the bytes have another one; import it again");
  case ATTACHMENT_FAILED:
    break;
  }
  return apply_failed(a);
}

static int save_attachment(struct apply *a, const struct ck_attachment *m, struct ck_err *err) {
  if (system_run(a->system, SYSTEM_ATTACHMENT_SAVE, err, "sisi", m->hash, (int64_t)m->bytes,
                 m->type, a->now))
    return apply_failed(a);
  a->inserted |= sqlite3_changes(a->db) > 0;
  if (system_run(a->system, SYSTEM_ATTACHMENT_NAME, err, "sssi", m->name, m->hash, m->file, a->now))
    return apply_failed(a);
  a->updated |= sqlite3_changes(a->db) > 0;
  return 0;
}

int mutate_attachment(struct apply *a, const struct ck_attachment *m, struct ck_err *err) {
  struct ck_str data = {0};
  bool here, whole = false;
  if (ck_attachment_check(m, &data, &here, err)) return -1;
  int over = is_forgotten(a, m->hash, err);
  if (over) return over > 0 ? 0 : -1;
  int there = has_attachment(a, m, err);
  if (there < 0) return -1;
  if (here && !there)
    return ck_fail(err, "attachment.data: the store does not have it; import it again");
  if (there)
    whole = here || m->part + 1 == ck_attachment_parts(m->bytes);
  else if (take_part(a, m, data, &whole, err))
    return -1;
  if (!whole) return 0;
  return apply_savepoint(a, err) || save_attachment(a, m, err) ? -1 : 0;
}
