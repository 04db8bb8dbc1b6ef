/* A chunk of records in version order. A message is read whole whenever it or one of its executions
 * has changed. */
#include "store/search/source.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "store/database/scan.h"
#include "store/keys/keys.h"
#include "store/search/decode.h"

#define TABLES (1u << CK_MESSAGES | 1u << CK_EXECUTIONS | 1u << CK_CONVERSATIONS)

/* The bounds of one read transaction: no checkpoint gets past it, and its text is copied. */
#define CHUNK_RECORDS 512
#define CHUNK_BYTES (1u << 20)
#define CHUNK_US 20000

struct search_source {
  sqlite3 *db;
  struct scan *scan;
  sqlite3_stmt *message, *tools, *kind;
  struct search_item items[CHUNK_RECORDS];
  int count;
  size_t bytes;
  struct ck_arena arena;
  struct ck_buf text;
};

struct search_source *search_source_new(sqlite3 *db, struct ck_err *err) {
  struct search_source *s = ck_zalloc(sizeof *s);
  s->db = db;
  s->scan = scan_new(db, err);
  if (s->scan)
    s->message =
        db_prepare(db,
                   "SELECT version, platform, conversation_id, role, observed_at, raw_text,"
                   " details"
                   " FROM messages WHERE version = " KEYS_VERSION_OF("?1"),
                   err);
  if (s->message)
    s->tools = db_prepare(db,
                          "SELECT tool, params, coalesce(result_data, result_summary), result_error"
                          " FROM executions WHERE message_id = ?1 ORDER BY executed_at, version",
                          err);
  if (s->tools) s->kind = db_prepare(db, "SELECT json_extract(?1, '$.kind')", err);
  if (!s->kind) search_source_free(&s);
  return s;
}

void search_source_free(struct search_source **source) {
  struct search_source *s = *source;
  if (!s) return;
  scan_free(&s->scan);
  sqlite3_finalize(s->message);
  sqlite3_finalize(s->tools);
  sqlite3_finalize(s->kind);
  ck_arena_free(&s->arena);
  ck_buf_free(&s->text);
  free(s);
  *source = NULL;
}

/* ---- the records that have changed ---- */

static struct ck_str keep(struct search_source *s, struct ck_str text) {
  s->bytes += text.n;
  return ck_arena_copy(&s->arena, text);
}

/* Most details have no kind, so they need not be read. */
bool search_source_is_tools(struct search_source *s, struct ck_str role, struct ck_str details) {
  if (ck_str_is(role, "tool")) return true;
  if (details.n == 0 || !memmem(details.s, details.n, "\"kind\"", 6)) return false;
  db_bind_str(s->kind, 1, details);
  bool is = sqlite3_step(s->kind) == SQLITE_ROW &&
            (ck_str_is(db_str(s->kind, 0), "call") || ck_str_is(db_str(s->kind, 0), "result"));
  sqlite3_reset(s->kind);
  return is;
}

/* Its words are in the one column or in the other. */
static void put_text(struct search_source *s, struct search_item *item, struct ck_str text,
                     struct ck_str details) {
  if (search_source_is_tools(s, item->role, details))
    item->tool = keep(s, text);
  else
    item->text = keep(s, text);
}

static void add_message(struct search_source *s, uint64_t version, const struct ck_row *row) {
  s->items[s->count++] = (struct search_item){
      .id = keep(s, ck_row_key(row)),
      .version = version,
      .is_dated = true,
      .at = ck_row_int(row, CK_MESSAGES_OBSERVED_AT, 0),
      .platform = keep(s, ck_row_text(row, CK_MESSAGES_PLATFORM)),
      .conversation = keep(s, ck_row_text(row, CK_MESSAGES_CONVERSATION_ID)),
      .role = keep(s, ck_row_text(row, CK_MESSAGES_ROLE)),
  };
  put_text(s, &s->items[s->count - 1], ck_row_text(row, CK_MESSAGES_RAW_TEXT),
           ck_row_text(row, CK_MESSAGES_DETAILS));
}

static void add_title(struct search_source *s, uint64_t version, const struct ck_row *row) {
  struct ck_str id = keep(s, ck_row_key(row));
  s->items[s->count++] = (struct search_item){
      .is_title = true,
      .id = id,
      .version = version,
      .is_dated = row->v[CK_CONVERSATIONS_LAST_MESSAGE_AT].state == CK_INT,
      .at = ck_row_int(row, CK_CONVERSATIONS_LAST_MESSAGE_AT, 0),
      .platform = keep(s, ck_row_text(row, CK_CONVERSATIONS_PLATFORM)),
      .conversation = id,
      .text = keep(s, ck_row_text(row, CK_CONVERSATIONS_TITLE)),
  };
}

/* An execution stands for its message, of which only the id is known: version 0. */
static void add_execution(struct search_source *s, const struct ck_row *row) {
  struct ck_str id = ck_row_text(row, CK_EXECUTIONS_MESSAGE_ID);
  for (int i = s->count; i-- > 0;)
    if (!s->items[i].is_title && ck_str_eq(s->items[i].id, id)) return;
  s->items[s->count++] = (struct search_item){.id = keep(s, id)};
}

static void add(struct search_source *s, uint64_t version, const struct ck_row *row) {
  if (row->table == CK_MESSAGES)
    add_message(s, version, row);
  else if (row->table == CK_EXECUTIONS)
    add_execution(s, row);
  else
    add_title(s, version, row);
}

/* ---- what belongs to a message ---- */

static int add_texts(struct search_source *s, struct ck_buf *out, struct ck_err *err) {
  size_t end = out->len + SEARCH_TOOL_MAX;
  int rc;
  while ((rc = sqlite3_step(s->tools)) == SQLITE_ROW && out->len < end)
    for (int c = 0; c < 4; ++c) {
      struct ck_str text = ck_utf8_cut(db_str(s->tools, c), end - out->len);
      search_decode(out, text);
      if (text.n && out->len < end) ck_buf_text(out, "\n");
    }
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(s->db, "executions", err);
}

int search_source_tools(struct search_source *s, struct ck_str message_id, struct ck_str own,
                        struct ck_buf *out, struct ck_err *err) {
  ck_buf_clear(out);
  search_decode(out, own);
  if (own.n) ck_buf_text(out, "\n");
  db_bind_str(s->tools, 1, message_id);
  int rc = add_texts(s, out, err);
  sqlite3_reset(s->tools);
  return rc;
}

/* The message of an execution. Without one, the version stays 0. */
static int read_message(struct search_source *s, struct search_item *item, struct ck_err *err) {
  sqlite3_stmt *m = s->message;
  db_bind_str(m, 1, item->id);
  int rc = sqlite3_step(m);
  if (rc == SQLITE_ROW) {
    item->version = (uint64_t)sqlite3_column_int64(m, 0);
    item->platform = keep(s, db_str(m, 1));
    item->conversation = keep(s, db_str(m, 2));
    item->role = keep(s, db_str(m, 3));
    item->is_dated = true;
    item->at = sqlite3_column_int64(m, 4);
    put_text(s, item, db_str(m, 5), db_str(m, 6));
  }
  int bad = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(s->db, "messages", err);
  sqlite3_reset(m);
  return bad;
}

static int complete(struct search_source *s, struct search_item *item, struct ck_err *err) {
  if (item->is_title) return 0;
  if (item->version == 0 && read_message(s, item, err)) return -1;
  if (search_source_tools(s, item->id, item->tool, &s->text, err)) return -1;
  item->tool = keep(s, ck_buf_view(&s->text));
  return 0;
}

/* ---- a chunk ---- */

static void begin_chunk(struct search_source *s) {
  s->count = 0;
  s->bytes = 0;
  ck_arena_reset(&s->arena);
  if (s->text.cap > CHUNK_BYTES) ck_buf_free(&s->text);
}

/* *version: of the last record that was read. 1: there are more; 0: there are none; -1. */
static int read_records(struct search_source *s, uint64_t *version, struct ck_err *err) {
  int64_t began = ck_mono_us();
  int rc = 1;
  while (s->count < CHUNK_RECORDS && s->bytes < CHUNK_BYTES &&
         (s->count == 0 || ck_mono_us() - began < CHUNK_US)) {
    struct ck_row row = {0};
    int before = s->count;
    rc = scan_next(s->scan, version, &row, err);
    if (rc <= 0) return rc;
    add(s, *version, &row);
    for (int i = before; i < s->count; ++i)
      if (complete(s, &s->items[i], err)) return -1;
  }
  return rc;
}

/* Items of executions whose message is not there. If it comes later, it is read with them. */
static void leave_out_gone(struct search_source *s) {
  int kept = 0;
  for (int i = 0; i < s->count; ++i)
    if (s->items[i].version) s->items[kept++] = s->items[i];
  s->count = kept;
}

int search_source_chunk(struct search_source *s, uint64_t after, const struct search_item **items,
                        uint64_t *upto, bool *more, struct ck_err *err) {
  uint64_t head, version = after;
  begin_chunk(s);
  if (scan_begin(s->scan, after, TABLES, &head, err)) return -1;
  int rc = read_records(s, &version, err);
  scan_end(s->scan);
  if (rc < 0) return -1;
  leave_out_gone(s);
  *items = s->items;
  *more = rc > 0;
  *upto = rc > 0 ? version : head;
  return s->count;
}
