/* See within.h. */
#include "store/originals/within.h"

#include <stdlib.h>
#include <string.h>

#include "store/originals/joined.h"

#define AROUND \
  "SELECT o.block, o.at, o.bytes, o.age, o.lines, o.chain, o.chain_end" ORIGINALS_THERE \
  " WHERE o.log = ?1 AND o.log <> 0 AND o.window = ?2 AND o.age <= ?3" \
  " AND o.age + o.lines >= ?3 + ?4 AND o.bytes BETWEEN ?5 AND ?6"

struct within {
  sqlite3_stmt *around;
  struct unpack *unpack;
  sqlite3 *db;
};

struct within *within_new(sqlite3 *db, struct ck_err *err) {
  struct within *w = ck_zalloc(sizeof *w);
  w->db = db;
  w->around = db_prepare(db, AROUND, err);
  if (!w->around || !(w->unpack = unpack_new(db, err))) within_free(&w);
  return w;
}

void within_free(struct within **within) {
  struct within *w = *within;
  if (!w) return;
  sqlite3_finalize(w->around);
  unpack_free(&w->unpack);
  free(w);
  *within = NULL;
}

static void copy_chain(unsigned char *to, sqlite3_stmt *s, int column) {
  if (sqlite3_column_bytes(s, column) == CK_ORIGINAL_CHAIN)
    memcpy(to, sqlite3_column_blob(s, column), CK_ORIGINAL_CHAIN);
}

static struct joined_run as_run(const struct ck_original *o) {
  struct joined_run r = {.first = (uint64_t)o->age, .lines = o->lines, .bytes = o->bytes};
  original_key(o->id, r.key);
  memcpy(r.chain, o->chain.s, sizeof r.chain);
  memcpy(r.chain_end, o->chain_end.s, sizeof r.chain_end);
  return r;
}

/* Is it in the original that the statement is at? One that cannot be read is none. 1, 0, -1. */
static int is_in(struct within *w, const struct joined_run *run, uint64_t *at, struct ck_err *err) {
  sqlite3_stmt *s = w->around;
  struct joined_run all = {.first = (uint64_t)sqlite3_column_int64(s, 3),
                           .lines = (uint64_t)sqlite3_column_int64(s, 4)};
  uint64_t from = (uint64_t)sqlite3_column_int64(s, 1);
  struct ck_buf bytes = {0};
  struct joined text = {.count = 0};
  bool damaged = false;
  size_t offset = 0;
  copy_chain(all.chain, s, 5);
  copy_chain(all.chain_end, s, 6);
  int rc = unpack_read(w->unpack, sqlite3_column_int64(s, 0), from,
                       (size_t)sqlite3_column_int64(s, 2), &bytes, &damaged, err);
  bool found = rc == 0 && joined_begin(&text, &all, ck_buf_view(&bytes)) &&
               joined_holds(&text, run, &offset);
  *at = from + offset;
  ck_buf_free(&bytes);
  joined_free(&text);
  return rc && !damaged ? -1 : found;
}

int within_find(struct within *w, const struct ck_original *run, int64_t *block, uint64_t *at,
                struct ck_err *err) {
  sqlite3_stmt *s = w->around;
  const struct joined_run r = as_run(run);
  int found = 0, rc = SQLITE_DONE;
  sqlite3_bind_int64(s, 1, (int64_t)run->log);
  sqlite3_bind_int64(s, 2, (int64_t)run->window);
  sqlite3_bind_int64(s, 3, run->age);
  sqlite3_bind_int64(s, 4, (int64_t)run->lines);
  sqlite3_bind_int64(s, 5, (int64_t)run->bytes);
  sqlite3_bind_int64(s, 6, JOINED_MAX);
  while (!found && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    *block = sqlite3_column_int64(s, 0);
    found = is_in(w, &r, at, err);
  }
  if (!found && rc != SQLITE_DONE) found = db_fail(w->db, "originals", err);
  sqlite3_reset(s);
  unpack_rest(w->unpack);
  return found;
}
