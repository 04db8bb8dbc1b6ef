/* The writer's part: BLOCK into the tables. */
#include <stdlib.h>

#include "store/originals/forgotten.h"
#include "store/originals/within.h"

#include "store/database/statements.h"

/* The same lines can stand in several files, or twice in one: the last place counts. In a log whose
 * lines depend on those before them they have their own times. */
#define AGE "CASE WHEN log <> 0 THEN age WHEN ?2 = 0 THEN max(age, ?3) ELSE ?3 END"

#define INSERT \
  "INSERT INTO originals (id, block, at, bytes, conversation, age, reader, messages, executions," \
  " log, lines, window, chain, chain_end)"
#define MORE \
  " ON CONFLICT (log) DO UPDATE SET runs = runs + excluded.runs, upto = min(upto, excluded.upto)"

/* S(NAME, sql). PLACE: of a run it was not known where it is. REPEAT: the same bytes at another
 * place of a log. */
#define STATEMENTS(S) \
  S(BLOCK_GET, "SELECT block, state FROM blocks WHERE id = ?1") \
  S(BLOCK_ADD, "INSERT INTO blocks (id, bytes, parts, state) VALUES (?1, ?2, ?3, 'coming')") \
  S(BLOCK_STATE, "UPDATE blocks SET state = ?2 WHERE block = ?1 AND state <> ?2") \
  S(PART_ADD, "INSERT OR IGNORE INTO block_parts VALUES (?1, ?2, ?3)") \
  S(PARTS, "SELECT count(*) FROM block_parts WHERE block = ?1") \
  S(THERE, \
    "SELECT 1 FROM originals o JOIN blocks b USING (block) WHERE o.id = ?1 AND b.state = 'whole'") \
  S(PUT, \
    INSERT " VALUES (?1, ?10, ?11, ?12, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?13, ?14)" \
           " ON CONFLICT (" ORIGINALS_UNIQUE ") DO UPDATE SET block = ?10, at = ?11, bytes = ?12," \
           " conversation = ?2, age = " AGE ", reader = ?4, messages = ?5, executions = ?6," \
           " lines = ?8, window = ?9, chain_end = ?14") \
  S(REPEAT, INSERT \
    " SELECT ?1, o.block, o.at, o.bytes, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?13, ?14" ORIGINALS_THERE \
    " WHERE o.id = ?1 LIMIT 1 ON CONFLICT DO NOTHING") \
  S(PLACE, "UPDATE OR IGNORE originals SET lines = ?8, window = ?9, chain = ?13, chain_end = ?14" \
           " WHERE id = ?1 AND log = ?7 AND log <> 0 AND age = ?3 AND window = 0") \
  S(NOTE, "UPDATE originals SET conversation = ?2, age = " AGE ", reader = ?4, messages = ?5," \
          " executions = ?6" \
          " WHERE id = ?1 AND log = ?7 AND (log = 0 OR ?9 = 0 OR (age = ?3 AND chain = ?13))" \
          " AND (conversation, age, reader, messages, executions)" \
          " IS NOT (?2, " AGE ", ?4, ?5, ?6)") \
  S(GROWN, "INSERT OR IGNORE INTO originals_grown SELECT o.conversation FROM originals o" \
           " WHERE o.block = ?1 AND o.conversation <> 0 AND EXISTS (SELECT 1 FROM originals p" \
           " WHERE p.conversation = o.conversation AND p.conversation <> 0" \
           " AND p.original <> o.original)") \
  S(LOG_GROWN, \
    "INSERT INTO logs_grown SELECT o.log, count(*), min(o.window) - 1 FROM originals o" \
    " WHERE o.block = ?1 AND o.log <> 0 AND o.window <> 0 AND EXISTS (SELECT 1 FROM originals p" \
    " WHERE p.log = o.log AND p.log <> 0 AND p.original <> o.original" \
    " AND (p.block <> o.block OR p.window = o.window)) GROUP BY o.log" MORE) \
  S(RUN_GROWN, "INSERT INTO logs_grown VALUES (?1, 1, ?2 - 1)" MORE)

DB_STATEMENTS(STATEMENTS)

struct originals {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
  struct within *within;
  struct forgotten *forgotten;
  struct ck_buf
      kept_out; /* ids that came in this transaction and are kept out, one after another */
  bool failed;  /* the database failed */
};

struct originals *originals_new(sqlite3 *db, struct ck_err *err) {
  struct originals *o = ck_zalloc(sizeof *o);
  o->db = db;
  if (db_prepare_all(db, texts, STATEMENT_COUNT, o->s, err) || !(o->within = within_new(db, err)) ||
      !(o->forgotten = forgotten_new(db, err)))
    originals_free(&o);
  return o;
}

void originals_free(struct originals **originals) {
  struct originals *o = *originals;
  if (!o) return;
  db_finalize_all(o->s, STATEMENT_COUNT);
  within_free(&o->within);
  forgotten_free(&o->forgotten);
  ck_buf_free(&o->kept_out);
  free(o);
  *originals = NULL;
}

/* ---- statements ---- */

/* *value: the first column of the first row, as it was if there is none. 1: there is a row; 0; -1.
 */
static int step(struct originals *o, enum statement name, int64_t *value, struct ck_err *err) {
  int rc = sqlite3_step(o->s[name]);
  if (rc == SQLITE_ROW && value) *value = sqlite3_column_int64(o->s[name], 0);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    o->failed = true;
    db_fail(o->db, texts[name], err);
  }
  sqlite3_reset(o->s[name]);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int run(struct originals *o, enum statement name, struct ck_err *err) {
  return step(o, name, NULL, err) < 0 ? -1 : 0;
}

/* ---- what is refused ---- */

static int check_fits(const struct ck_original *one, uint64_t bytes, struct ck_err *err) {
  if (one->bytes == 0 || one->at > bytes || one->bytes > bytes - one->at)
    return ck_fail(err, "at, bytes: they must lie within the block");
  return 0;
}

static int check_numbers(const struct ck_original *one, struct ck_err *err) {
  if (one->messages > INT64_MAX || one->executions > INT64_MAX)
    return ck_fail(err, "messages, executions: too large");
  if (one->bytes > INT64_MAX || one->lines > INT32_MAX || one->window > INT32_MAX)
    return ck_fail(err, "bytes, lines, window: too large");
  if (one->window && (!one->log || !one->lines || one->age < 1))
    return ck_fail(err, "window: only of lines of a log, the first of which is 1");
  return 0;
}

static int read_next(struct ck_reader *list, const struct ck_block *m, struct ck_original *one,
                     struct ck_err *err) {
  if (ck_original_decode(list, one, err) || check_numbers(one, err) ||
      (m->parts && check_fits(one, m->bytes, err)))
    return ck_fail_in(err, "block.originals");
  return 0;
}

/* The list, at its first element, with n of them. */
static int open_list(const struct ck_block *m, struct ck_reader *list, uint32_t *n,
                     struct ck_err *err) {
  *list = ck_reader_of(m->originals);
  return ck_read_array(list, n) || *n == 0
             ? ck_fail(err, "block.originals: must be an array that is not empty")
             : 0;
}

static int check(const struct ck_block *m, struct ck_str *data, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(m->data);
  if (m->parts == 0) return 0;
  if (!ck_original_is_id(m->block))
    return ck_fail(err, "block.block: must be %d hexadecimal digits", CK_ORIGINAL_ID);
  if (m->parts > CK_BLOCK_PARTS_MAX || m->part >= m->parts)
    return ck_fail(err, "block.part: must be below parts, and that at most %u", CK_BLOCK_PARTS_MAX);
  if (m->bytes > INT64_MAX) return ck_fail(err, "block.bytes: too large");
  if (ck_read_bin(&r, data) || data->n == 0 || data->n > CK_BLOCK_PART)
    return ck_fail(err, "block.data: must be 1 to %u bytes", CK_BLOCK_PART);
  return 0;
}

/* ---- originals ---- */

/* 1: its block is whole; 0; -1. */
static int is_there(struct originals *o, const struct ck_original *one, struct ck_err *err) {
  unsigned char key[ORIGINAL_KEY];
  original_key(one->id, key);
  original_bind(o->s[THERE], key);
  return step(o, THERE, NULL, err);
}

static void bind_chain(sqlite3_stmt *s, int n, struct ck_str chain) {
  sqlite3_bind_blob64(s, n, chain.n ? chain.s : "", chain.n, SQLITE_STATIC);
}

/* What was read from it, this time. block: of PUT. */
static int save(struct originals *o, enum statement name, const struct ck_original *one,
                int64_t block, struct ck_err *err) {
  unsigned char key[ORIGINAL_KEY];
  sqlite3_stmt *s = o->s[name];
  original_key(one->id, key);
  original_bind(s, key);
  sqlite3_bind_int64(s, 2, original_conversation(one->platform, one->conversation));
  sqlite3_bind_int64(s, 3, one->age);
  db_bind_str(s, 4, one->reader);
  sqlite3_bind_int64(s, 5, (int64_t)one->messages);
  sqlite3_bind_int64(s, 6, (int64_t)one->executions);
  sqlite3_bind_int64(s, 7, (int64_t)one->log);
  sqlite3_bind_int64(s, 8, (int64_t)one->lines);
  sqlite3_bind_int64(s, 9, (int64_t)one->window);
  if (name != NOTE) bind_chain(s, 14, one->chain_end);
  bind_chain(s, 13, one->chain);
  if (name == PUT) {
    sqlite3_bind_int64(s, 10, block);
    sqlite3_bind_int64(s, 11, (int64_t)one->at);
    sqlite3_bind_int64(s, 12, (int64_t)one->bytes);
  }
  return run(o, name, err);
}

/* A row for its bytes, which are there. block: of PUT. */
static int add_row(struct originals *o, enum statement name, const struct ck_original *one,
                   int64_t block, struct ck_err *err) {
  if (save(o, name, one, block, err)) return -1;
  if (!one->window || sqlite3_changes(o->db) == 0) return 0;
  sqlite3_bind_int64(o->s[RUN_GROWN], 1, (int64_t)one->log);
  sqlite3_bind_int64(o->s[RUN_GROWN], 2, (int64_t)one->window);
  return run(o, RUN_GROWN, err);
}

/* A row within the original that has its lines, until it is joined with that one, too. */
static int add_within(struct originals *o, const struct ck_original *one, struct ck_err *err) {
  struct ck_original there = *one;
  int64_t block;
  int found = within_find(o->within, one, &block, &there.at, err);
  if (found < 0) o->failed = true;
  return found > 0 ? add_row(o, PUT, &there, block, err) : found;
}

/* Its bytes are not sent. Of a run whose place is not known there is no new row. */
static int note(struct originals *o, const struct ck_original *one, bool there,
                struct ck_err *err) {
  if (there && one->window && add_row(o, PLACE, one, 0, err)) return -1;
  if (there && (!one->log || one->window) && add_row(o, REPEAT, one, 0, err)) return -1;
  if (!there && one->window && add_within(o, one, err)) return -1;
  return save(o, NOTE, one, 0, err);
}

/* 1: it is kept out, and those that name it will not; 0; -1. No row was written that names one
 * whose id is kept out, but a run of a log is known by its log only here. */
static int keeps_out(struct originals *o, const struct ck_original *one, struct ck_err *err) {
  int out = forgotten_has(o->forgotten, one->id, err);
  if (out == 0 && (out = forgotten_has_log(o->forgotten, one->log, err)) > 0)
    ck_buf_str(&o->kept_out, one->id);
  if (out < 0) o->failed = true;
  return out;
}

/* Saves all of the list: those that are there where they are, others in this block. */
static int save_all(struct originals *o, const struct ck_block *m, int64_t block,
                    struct ck_err *err) {
  struct ck_reader list;
  struct ck_original one;
  uint32_t n;
  if (open_list(m, &list, &n, err)) return -1;
  for (; n; --n) {
    if (read_next(&list, m, &one, err)) return -1;
    int out = keeps_out(o, &one, err);
    if (out < 0) return -1;
    if (out) continue;
    int there = is_there(o, &one, err);
    bool comes = block && there == 0;
    if (there < 0 || (comes ? save(o, PUT, &one, block, err) : note(o, &one, there, err)))
      return -1;
  }
  return 0;
}

/* 1: all of the list are there; 0; -1. */
static int are_there(struct originals *o, const struct ck_block *m, struct ck_err *err) {
  struct ck_reader list;
  struct ck_original one;
  uint32_t n;
  int there = 1;
  if (open_list(m, &list, &n, err)) return -1;
  for (; n; --n) {
    if (read_next(&list, m, &one, err)) return -1;
    if (there == 1 && (there = is_there(o, &one, err)) < 0) return -1;
  }
  return there;
}

/* ---- blocks ---- */

enum state { COMING, WHOLE, GONE };
static const char *const states[] = {"coming", "whole", "gone"};

static int set_state(struct originals *o, int64_t block, enum state state, struct ck_err *err) {
  sqlite3_bind_int64(o->s[BLOCK_STATE], 1, block);
  db_bind_str(o->s[BLOCK_STATE], 2, ck_str_of(states[state]));
  return run(o, BLOCK_STATE, err);
}

/* *block: 0 if there is none. */
static int find_block(struct originals *o, struct ck_str id, int64_t *block, enum state *state,
                      struct ck_err *err) {
  sqlite3_stmt *s = o->s[BLOCK_GET];
  db_bind_str(s, 1, id);
  int rc = sqlite3_step(s);
  *block = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
  *state = COMING;
  while (rc == SQLITE_ROW && *state < GONE && !ck_str_is(db_str(s, 1), states[*state])) ++*state;
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    o->failed = true;
    db_fail(o->db, texts[BLOCK_GET], err);
  }
  sqlite3_reset(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int add_block(struct originals *o, const struct ck_block *m, int64_t *block,
                     struct ck_err *err) {
  db_bind_str(o->s[BLOCK_ADD], 1, m->block);
  sqlite3_bind_int64(o->s[BLOCK_ADD], 2, (int64_t)m->bytes);
  sqlite3_bind_int64(o->s[BLOCK_ADD], 3, (int64_t)m->parts);
  int rc = run(o, BLOCK_ADD, err);
  *block = sqlite3_last_insert_rowid(o->db);
  return rc;
}

/* The block's first part. *block: 0 if nothing of it is needed. A block with the same id has the
 * same data. If it is whole, only originals were missing; if it is gone, it comes back. */
static int begin_block(struct originals *o, const struct ck_block *m, int64_t *block,
                       enum state *state, struct ck_err *err) {
  int there = are_there(o, m, err);
  *block = 0;
  if (there < 0) return -1;
  if (there) return save_all(o, m, 0, err);
  if (find_block(o, m->block, block, state, err)) return -1;
  if (*block == 0 && add_block(o, m, block, err)) return -1;
  if (*state == GONE && set_state(o, *block, *state = COMING, err)) return -1;
  return save_all(o, m, *block, err);
}

/* All parts are there. Notes the conversations that have other originals too. */
static int end_block(struct originals *o, int64_t block, struct ck_err *err) {
  sqlite3_bind_int64(o->s[GROWN], 1, block);
  sqlite3_bind_int64(o->s[LOG_GROWN], 1, block);
  if (set_state(o, block, WHOLE, err)) return -1;
  if (forgotten_look(o->forgotten, block, err)) {
    o->failed = true;
    return -1;
  }
  return run(o, GROWN, err) || run(o, LOG_GROWN, err) ? -1 : 0;
}

static int add_part(struct originals *o, const struct ck_block *m, int64_t block,
                    struct ck_str data, struct ck_err *err) {
  int64_t parts = 0;
  sqlite3_bind_int64(o->s[PART_ADD], 1, block);
  sqlite3_bind_int64(o->s[PART_ADD], 2, (int64_t)m->part);
  sqlite3_bind_blob64(o->s[PART_ADD], 3, data.s, data.n, SQLITE_STATIC);
  sqlite3_bind_int64(o->s[PARTS], 1, block);
  if (run(o, PART_ADD, err) || step(o, PARTS, &parts, err) < 0) return -1;
  return (uint64_t)parts < m->parts ? 0 : end_block(o, block, err);
}

static int put(struct originals *o, const struct ck_block *m, struct ck_err *err) {
  struct ck_str data = {0};
  int64_t block = 0;
  enum state state = COMING;
  if (check(m, &data, err)) return -1;
  if (m->parts == 0) return save_all(o, m, 0, err);
  int rc = m->part ? find_block(o, m->block, &block, &state, err)
                   : begin_block(o, m, &block, &state, err);
  if (rc || !block || state == GONE) return rc;
  if (state == WHOLE) return m->part ? 0 : end_block(o, block, err);
  return add_part(o, m, block, data, err);
}

int originals_put(struct originals *o, const struct ck_block *m, bool *failed, struct ck_err *err) {
  o->failed = false;
  int rc = put(o, m, err);
  *failed = o->failed;
  return rc;
}

/* ---- what is kept out ---- */

int originals_keep_out(struct originals *o, struct ck_str id, struct ck_str with,
                       struct ck_err *err) {
  if (!ck_original_is_id(id)) return 0;
  int before = forgotten_has(o->forgotten, id, err);
  if (before == 0) ck_buf_str(&o->kept_out, id);
  return before < 0 ? -1 : forgotten_add(o->forgotten, id, with, err);
}

int originals_keeps_out(struct originals *o, struct ck_str id, struct ck_err *err) {
  return forgotten_has(o->forgotten, id, err);
}

int originals_forget(struct originals *o, struct ck_str id, struct ck_str with,
                     struct ck_err *err) {
  return forgotten_add(o->forgotten, id, with, err);
}

int originals_forget_conversation(struct originals *o, struct ck_str platform,
                                  struct ck_str conversation, struct ck_str with,
                                  struct ck_err *err) {
  return forgotten_add_conversation(o->forgotten, platform, conversation, with, err);
}

int originals_forget_some(struct originals *o, struct ck_str with, int64_t *budget,
                          struct ck_err *err) {
  return forgotten_some(o->forgotten, o->db, with, budget, err);
}

int originals_allow(struct originals *o, struct ck_str with, struct ck_err *err) {
  return forgotten_allow(o->forgotten, with, err);
}

int originals_settle(struct originals *o, bool *unnamed, struct ck_err *err) {
  int rc = 0;
  *unnamed = o->kept_out.len > 0;
  for (size_t i = 0; i < o->kept_out.len && rc == 0; i += CK_ORIGINAL_ID)
    rc = forgotten_unname(o->forgotten, (struct ck_str){o->kept_out.data + i, CK_ORIGINAL_ID}, err);
  ck_buf_clear(&o->kept_out);
  return rc;
}

void originals_abandon(struct originals *o) { ck_buf_clear(&o->kept_out); }
