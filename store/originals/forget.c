/* Originals that must not stay, because something in them was forgotten. An original goes as a
 * whole; a block that had others too is compressed again without it. Whatever brings such an
 * original once more is kept out by its id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "proto/log.h"
#include "store/database/statements.h"
#include "store/originals/forgotten.h"

#define PIECE (256u << 10)
#define LEVEL 3

/* forgotten_with: the id of what was forgotten, as in the table `forgotten`. */
#define STATEMENTS(S) \
  S(BAN, "INSERT OR IGNORE INTO forgotten_originals VALUES (?1, ?2)") \
  S(BANNED, "SELECT 1 FROM forgotten_originals WHERE id = ?1") \
  S(BANNED_LOG, "SELECT 1 FROM forgotten_logs WHERE log = ?1") \
  S(ANY, "SELECT EXISTS (SELECT 1 FROM forgotten_originals)" \
         " OR EXISTS (SELECT 1 FROM forgotten_logs)") \
  S(ALLOW, "DELETE FROM forgotten_originals WHERE forgotten_with = ?1") \
  S(ALLOW_LOGS, "DELETE FROM forgotten_logs WHERE forgotten_with = ?1") \
  S(OF_CONVERSATION, "INSERT OR IGNORE INTO forgotten_originals SELECT id, ?2 FROM originals" \
                     " WHERE conversation = ?1 AND conversation <> 0") \
  S(MESSAGES, "UPDATE messages SET original = NULL WHERE original = ?1") \
  S(EXECUTIONS, "UPDATE executions SET original = NULL WHERE original = ?1") \
  S(DROP, "DELETE FROM originals WHERE block = ?1 AND id IN (SELECT id FROM forgotten_originals)") \
  S(GROWN, "DELETE FROM originals_grown WHERE NOT EXISTS" \
           " (SELECT 1 FROM originals o WHERE o.conversation = originals_grown.conversation" \
           "  AND o.conversation <> 0)") \
  S(LOGS_GROWN, "DELETE FROM logs_grown WHERE NOT EXISTS" \
                " (SELECT 1 FROM originals o WHERE o.log = logs_grown.log AND o.log <> 0)") \
  S(BLOCK, "SELECT bytes, state FROM blocks WHERE block = ?1") \
  S(PLACES, "SELECT original, at, bytes FROM originals WHERE block = ?1 ORDER BY at, bytes DESC") \
  S(ADD_BLOCK, "INSERT INTO blocks (id, bytes, parts, state) VALUES (?1, ?2, ?3, 'whole')" \
               " ON CONFLICT (id) DO NOTHING") \
  S(FIND_BLOCK, "SELECT block FROM blocks WHERE id = ?1") \
  S(BLOCK_WHOLE, "UPDATE blocks SET state = 'whole', bytes = ?2, parts = ?3 WHERE block = ?1") \
  S(ADD_PART, "INSERT OR REPLACE INTO block_parts VALUES (?1, ?2, ?3)") \
  S(MOVE, "UPDATE originals SET block = ?2, at = ?3 WHERE original = ?1") \
  S(ID_OF, "SELECT lower(hex(id)) FROM originals WHERE original = ?1") \
  S(DROP_ORIGINAL, "DELETE FROM originals WHERE original = ?1") \
  S(DROP_PARTS, "DELETE FROM block_parts WHERE block = ?1") \
  S(DROP_BLOCK, "DELETE FROM blocks WHERE block = ?1") \
  S(GONE, "UPDATE blocks SET state = 'gone' WHERE block = ?1")

DB_STATEMENTS(STATEMENTS)

_Atomic uint64_t originals_forgotten;

struct forgotten {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
};

struct forgotten *forgotten_new(sqlite3 *db, struct ck_err *err) {
  struct forgotten *f = ck_zalloc(sizeof *f);
  f->db = db;
  if (db_prepare_all(db, texts, STATEMENT_COUNT, f->s, err)) forgotten_free(&f);
  return f;
}

void forgotten_free(struct forgotten **f) {
  if (!*f) return;
  db_finalize_all((*f)->s, STATEMENT_COUNT);
  free(*f);
  *f = NULL;
}

/* ---- statements ---- */

/* 1: there is a row, *value is its first column; 0; -1. */
static int step(struct forgotten *f, enum statement name, int64_t *value, struct ck_err *err) {
  int rc = sqlite3_step(f->s[name]);
  if (rc == SQLITE_ROW && value) *value = sqlite3_column_int64(f->s[name], 0);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) db_fail(f->db, texts[name], err);
  sqlite3_reset(f->s[name]);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static int run(struct forgotten *f, enum statement name, struct ck_err *err) {
  return step(f, name, NULL, err) < 0 ? -1 : 0;
}

static int run_int(struct forgotten *f, enum statement name, int64_t value, struct ck_err *err) {
  sqlite3_bind_int64(f->s[name], 1, value);
  return run(f, name, err);
}

/* ---- which are kept out ---- */

int forgotten_has(struct forgotten *f, struct ck_str id, struct ck_err *err) {
  unsigned char key[ORIGINAL_KEY];
  if (!ck_original_is_id(id)) return 0;
  original_key(id, key);
  original_bind(f->s[BANNED], key);
  return step(f, BANNED, NULL, err);
}

int forgotten_has_log(struct forgotten *f, uint64_t log, struct ck_err *err) {
  sqlite3_bind_int64(f->s[BANNED_LOG], 1, (int64_t)log);
  return log ? step(f, BANNED_LOG, NULL, err) : 0;
}

int forgotten_any(struct forgotten *f, struct ck_err *err) {
  int64_t any = 0;
  return step(f, ANY, &any, err) < 0 ? -1 : any != 0;
}

int forgotten_add(struct forgotten *f, struct ck_str id, struct ck_str with, struct ck_err *err) {
  unsigned char key[ORIGINAL_KEY];
  if (!ck_original_is_id(id)) return 0;
  original_key(id, key);
  original_bind(f->s[BAN], key);
  db_bind_str(f->s[BAN], 2, with);
  return run(f, BAN, err);
}

int forgotten_add_conversation(struct forgotten *f, struct ck_str platform,
                               struct ck_str conversation, struct ck_str with, struct ck_err *err) {
  db_bind_str(f->s[OF_CONVERSATION], 2, with);
  return run_int(f, OF_CONVERSATION, original_conversation(platform, conversation), err);
}

int forgotten_allow(struct forgotten *f, struct ck_str with, struct ck_err *err) {
  db_bind_str(f->s[ALLOW], 1, with);
  db_bind_str(f->s[ALLOW_LOGS], 1, with);
  return run(f, ALLOW, err) || run(f, ALLOW_LOGS, err) ? -1 : 0;
}

/* ---- a block without them ---- */

/* A piece of a block that stays: the ranges of its originals, which may overlap. */
struct span {
  uint64_t at, bytes, to;
};

struct stays {
  struct {
    int64_t original;
    uint64_t at, bytes;
  } * list;
  struct span *spans;
  size_t count, span_count;
  uint64_t bytes; /* of the spans */
};

static void stays_free(struct stays *s) {
  free(s->list);
  free(s->spans);
  *s = (struct stays){0};
}

static void add_span(struct stays *s, uint64_t at, uint64_t bytes) {
  struct span *last = s->span_count ? &s->spans[s->span_count - 1] : NULL;
  if (last && at <= last->at + last->bytes) {
    uint64_t end = at + bytes;
    if (end <= last->at + last->bytes) return;
    s->bytes += end - (last->at + last->bytes);
    last->bytes = end - last->at;
    return;
  }
  s->spans = ck_realloc(s->spans, (s->span_count + 1) * sizeof *s->spans);
  s->spans[s->span_count++] = (struct span){at, bytes, s->bytes};
  s->bytes += bytes;
}

static int read_stays(struct forgotten *f, int64_t block, struct stays *s, struct ck_err *err) {
  sqlite3_stmt *q = f->s[PLACES];
  int rc;
  sqlite3_bind_int64(q, 1, block);
  while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
    uint64_t at = (uint64_t)sqlite3_column_int64(q, 1),
             bytes = (uint64_t)sqlite3_column_int64(q, 2);
    s->list = ck_realloc(s->list, (s->count + 1) * sizeof *s->list);
    s->list[s->count].original = sqlite3_column_int64(q, 0);
    s->list[s->count].at = at;
    s->list[s->count++].bytes = bytes;
    add_span(s, at, bytes);
  }
  int bad = rc == SQLITE_DONE ? 0 : db_fail(f->db, texts[PLACES], err);
  sqlite3_reset(q);
  return bad;
}

static int compress_some(ZSTD_CCtx *z, struct ck_buf *out, struct ck_str bytes, bool end,
                         struct ck_err *err) {
  ZSTD_inBuffer in = {bytes.s, bytes.n, 0};
  size_t left;
  do {
    size_t room = ZSTD_CStreamOutSize();
    ZSTD_outBuffer to = {ck_buf_room(out, room), room, 0};
    left = ZSTD_compressStream2(z, &to, &in, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) return ck_fail(err, "packing: %s", ZSTD_getErrorName(left));
    out->len += to.pos;
  } while (end ? left > 0 : in.pos < in.size);
  return 0;
}

static int compress_spans(struct unpack *u, ZSTD_CCtx *z, int64_t block, const struct stays *s,
                          struct ck_buf *out, bool *damaged, struct ck_err *err) {
  struct ck_buf piece = {0};
  int rc = 0;
  for (size_t i = 0; i < s->span_count && rc == 0; ++i)
    for (uint64_t done = 0; rc == 0 && done < s->spans[i].bytes; done += piece.len) {
      uint64_t left = s->spans[i].bytes - done;
      size_t n = (size_t)(left < PIECE ? left : PIECE);
      ck_buf_clear(&piece);
      rc = unpack_read(u, block, s->spans[i].at + done, n, &piece, damaged, err);
      if (rc == 0) rc = compress_some(z, out, ck_buf_view(&piece), false, err);
    }
  ck_buf_free(&piece);
  return rc == 0 ? compress_some(z, out, (struct ck_str){0}, true, err) : -1;
}

static int compress(struct forgotten *f, int64_t block, const struct stays *s, struct ck_buf *out,
                    bool *damaged, struct ck_err *err) {
  struct unpack *u = unpack_new(f->db, err);
  ZSTD_CCtx *z = ZSTD_createCCtx();
  int rc = u && z ? 0 : -1;
  if (u && !z) ck_fail(err, "packing: no memory");
  if (z) {
    ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(z, ZSTD_c_enableLongDistanceMatching, 1);
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setPledgedSrcSize(z, s->bytes);
  }
  if (rc == 0) rc = compress_spans(u, z, block, s, out, damaged, err);
  ZSTD_freeCCtx(z);
  unpack_free(&u);
  return rc;
}

/* A block of the same data may be there, in whatever state: then it is whole now. */
static int add_block(struct forgotten *f, const struct ck_buf *data, uint64_t bytes, int64_t *block,
                     struct ck_err *err) {
  char id[CK_ORIGINAL_ID + 1];
  int64_t parts = (int64_t)((data->len + CK_BLOCK_PART - 1) / CK_BLOCK_PART);
  ck_original_id(id, ck_buf_view(data));
  db_bind_str(f->s[ADD_BLOCK], 1, ck_str_of(id));
  sqlite3_bind_int64(f->s[ADD_BLOCK], 2, (int64_t)bytes);
  sqlite3_bind_int64(f->s[ADD_BLOCK], 3, parts);
  db_bind_str(f->s[FIND_BLOCK], 1, ck_str_of(id));
  if (run(f, ADD_BLOCK, err) || step(f, FIND_BLOCK, block, err) < 0) return -1;
  sqlite3_bind_int64(f->s[BLOCK_WHOLE], 2, (int64_t)bytes);
  sqlite3_bind_int64(f->s[BLOCK_WHOLE], 3, parts);
  if (run_int(f, BLOCK_WHOLE, *block, err)) return -1;
  for (int64_t i = 0; i < parts; ++i) {
    size_t from = (size_t)i * CK_BLOCK_PART, left = data->len - from;
    sqlite3_bind_int64(f->s[ADD_PART], 2, i);
    sqlite3_bind_blob64(f->s[ADD_PART], 3, data->data + from,
                        left < CK_BLOCK_PART ? left : CK_BLOCK_PART, SQLITE_STATIC);
    if (run_int(f, ADD_PART, *block, err)) return -1;
  }
  return 0;
}

static uint64_t place_in(const struct stays *s, uint64_t at) {
  size_t i = 0;
  while (i + 1 < s->span_count && s->spans[i + 1].at <= at) ++i;
  return s->spans[i].to + (at - s->spans[i].at);
}

static int move_all(struct forgotten *f, const struct stays *s, int64_t block, struct ck_err *err) {
  for (size_t i = 0; i < s->count; ++i) {
    sqlite3_bind_int64(f->s[MOVE], 2, block);
    sqlite3_bind_int64(f->s[MOVE], 3, (int64_t)place_in(s, s->list[i].at));
    if (run_int(f, MOVE, s->list[i].original, err)) return -1;
  }
  return 0;
}

static int drop_block(struct forgotten *f, int64_t block, struct ck_err *err) {
  return run_int(f, DROP_PARTS, block, err) || run_int(f, DROP_BLOCK, block, err) ? -1 : 0;
}

int forgotten_unname(struct forgotten *f, struct ck_str id, struct ck_err *err) {
  db_bind_str(f->s[MESSAGES], 1, id);
  db_bind_str(f->s[EXECUTIONS], 1, id);
  return run(f, MESSAGES, err) || run(f, EXECUTIONS, err) ? -1 : 0;
}

/* Are the bytes of this original there, and its own? 1; 0; -1. */
static int is_readable(struct forgotten *f, int64_t block, const struct stays *s, size_t i,
                       struct ck_str id, struct ck_err *err) {
  struct ck_buf bytes = {0};
  char found[CK_ORIGINAL_ID + 1];
  bool damaged = false;
  struct unpack *u = unpack_new(f->db, err);
  int rc = u ? unpack_read(u, block, s->list[i].at, s->list[i].bytes, &bytes, &damaged, err) : -1;
  unpack_free(&u);
  if (rc == 0) ck_original_id(found, ck_buf_view(&bytes));
  ck_buf_free(&bytes);
  return rc == 0 ? ck_str_is(id, found) : damaged ? 0 : -1;
}

static int drop_if_unreadable(struct forgotten *f, int64_t block, const struct stays *s, size_t i,
                              size_t *dropped, struct ck_err *err) {
  char text[CK_ORIGINAL_ID + 1] = "";
  sqlite3_bind_int64(f->s[ID_OF], 1, s->list[i].original);
  if (sqlite3_step(f->s[ID_OF]) == SQLITE_ROW)
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(f->s[ID_OF], 0));
  sqlite3_reset(f->s[ID_OF]);
  int there = is_readable(f, block, s, i, ck_str_of(text), err);
  if (there) return there < 0 ? -1 : 0;
  ++*dropped;
  return forgotten_unname(f, ck_str_of(text), err) ||
                 run_int(f, DROP_ORIGINAL, s->list[i].original, err)
             ? -1
             : 0;
}

/* Of a damaged block what can be read stays; no record names the rest any more. */
static int drop_unreadable(struct forgotten *f, int64_t block, struct stays *s, const char *why,
                           struct ck_err *err) {
  size_t dropped = 0;
  for (size_t i = 0; i < s->count; ++i)
    if (drop_if_unreadable(f, block, s, i, &dropped, err)) return -1;
  ck_log(CK_WARN, "originals", "damaged_block", "kept=%zu dropped=%zu reason=%s",
         s->count - dropped, dropped, ck_quotedz(why));
  stays_free(s);
  return read_stays(f, block, s, err);
}

static int compress_readable(struct forgotten *f, int64_t block, struct stays *s,
                             struct ck_buf *data, struct ck_err *err) {
  struct ck_err why = {{0}};
  bool damaged = false;
  int rc = compress(f, block, s, data, &damaged, &why);
  if (rc && !damaged) return ck_fail(err, "%s", why.text);
  if (rc == 0) return 0;
  ck_buf_clear(data);
  if (drop_unreadable(f, block, s, why.text, err)) return -1;
  return s->count ? compress(f, block, s, data, &damaged, err) : 0;
}

static int replace(struct forgotten *f, int64_t block, struct stays *s, struct ck_err *err) {
  struct ck_buf data = {0};
  int64_t next = 0;
  int rc = compress_readable(f, block, s, &data, err);
  if (rc == 0 && s->count)
    rc = add_block(f, &data, s->bytes, &next, err) || move_all(f, s, next, err) ? -1 : 0;
  ck_buf_free(&data);
  return rc || next == block ? rc : drop_block(f, block, err);
}

/* Of a block that is still coming nothing can be read: it is looked at again when it is whole. One
 * of which nothing stays is marked as gone, or deleted at once. */
static int clean_block(struct forgotten *f, int64_t block, bool at_once, struct ck_err *err) {
  struct stays s = {0};
  int64_t bytes = 0;
  sqlite3_bind_int64(f->s[BLOCK], 1, block);
  int rc = sqlite3_step(f->s[BLOCK]);
  bool there = rc == SQLITE_ROW, whole = there && ck_str_is(db_str(f->s[BLOCK], 1), "whole");
  if (there) bytes = sqlite3_column_int64(f->s[BLOCK], 0);
  if (!there && rc != SQLITE_DONE) db_fail(f->db, texts[BLOCK], err);
  sqlite3_reset(f->s[BLOCK]);
  if (!there) return rc == SQLITE_DONE ? 0 : -1;
  if (read_stays(f, block, &s, err))
    rc = -1;
  else if (s.count == 0)
    rc = at_once ? drop_block(f, block, err) : run_int(f, GONE, block, err);
  else
    rc = whole && s.bytes < (uint64_t)bytes ? replace(f, block, &s, err) : 0;
  stays_free(&s);
  return rc;
}

static int drop(struct forgotten *f, int64_t block, bool at_once, struct ck_err *err) {
  if (run_int(f, DROP, block, err)) return -1;
  if (sqlite3_changes(f->db)) atomic_fetch_add(&originals_forgotten, 1);
  return clean_block(f, block, at_once, err);
}

int forgotten_clean(struct forgotten *f, int64_t block, struct ck_err *err) {
  return drop(f, block, false, err);
}

int forgotten_settle(struct forgotten *f, struct ck_err *err) {
  return run(f, GROWN, err) || run(f, LOGS_GROWN, err) ? -1 : 0;
}

int forgotten_look(struct forgotten *f, int64_t block, struct ck_err *err) {
  int any = forgotten_any(f, err);
  if (any <= 0) return any;
  return drop(f, block, true, err) || forgotten_settle(f, err) ? -1 : 0;
}
