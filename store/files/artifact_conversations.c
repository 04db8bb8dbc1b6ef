/* The form `conversations`: a .md and a .json for each, named by its day and title. A record that
 * has changed makes its conversation dirty; it is written when nothing has changed for a moment, or
 * after some seconds (dirty.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/crc32c.h"
#include "store/files/artifact_form.h"
#include "store/files/artifact_naming.h"
#include "store/files/conversation.h"
#include "store/files/dirty.h"
#include "store/files/names.h"
#include "store/keys/keys.h"

#define REST 4 /* while more comes: a pause after writing, of so many times what it took */
#define PIECE_MS 20

static int sql_trouble(struct artifacts *a, struct ck_str id, const struct ck_err *err) {
  return artifacts_trouble(a, SQL_TROUBLE, id, err);
}

/* ---- which conversation a record is of ---- */

static int add(struct artifacts *a, struct ck_str conversation) {
  dirty_add(a->dirty, conversation, a->version, ck_boot_ms());
  return 0;
}

/* The record belongs to this conversation; one that it belonged to before is written, too. */
static int add_moved(struct artifacts *a, const struct ck_row *row, struct ck_str conversation) {
  struct ck_err err;
  struct ck_buf former = {0};
  if (conversation.n) add(a, conversation);
  int rc = names_move(a->names, row, conversation, &former, &err);
  if (rc > 0) add(a, ck_buf_view(&former));
  ck_buf_free(&former);
  return rc < 0 ? artifact_naming_trouble(a, &err) : 0;
}

/* Takes the conversation that the statement gives, if any. move: it is the record's own. */
static int add_found(struct artifacts *a, sqlite3_stmt *s, const struct ck_row *row, bool move) {
  struct ck_err err;
  int rc = sqlite3_step(s), failed = 0;
  struct ck_str id = rc == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){NULL, 0};
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    db_fail(a->db, "a conversation", &err);
    failed = sql_trouble(a, CK_LIT(DB_FILE), &err);
  } else if (move) {
    failed = add_moved(a, row, id);
  } else if (id.n) {
    add(a, id);
  }
  sqlite3_reset(s);
  return failed;
}

static int add_remote(struct artifacts *a, const struct ck_row *row, int platform, int remote) {
  db_bind_value(a->by_remote, 1, &row->v[platform]);
  db_bind_value(a->by_remote, 2, &row->v[remote]);
  return add_found(a, a->by_remote, row, true);
}

/* What it was in is written again without it; the files of a conversation go. */
static int take_forgotten(struct artifacts *a, const struct ck_row *gone) {
  struct ck_err err;
  struct ck_buf found = {0};
  enum ck_table t = ck_table_named(ck_row_text(gone, CK_FORGOTTEN_TABLE_NAME));
  if (t == CK_TABLES) return 0;
  struct ck_row was = {.table = t};
  was.v[ck_tables[t].key] = gone->v[CK_FORGOTTEN_RECORD_KEY];
  int rc = t == CK_CONVERSATIONS ? names_drop_conversation(a->names, ck_row_key(&was), &found, &err)
                                 : names_move(a->names, &was, (struct ck_str){0}, &found, &err);
  if (rc < 0) rc = artifact_naming_trouble(a, &err);
  if (rc > 0)
    rc = t == CK_CONVERSATIONS ? artifact_remove_conversation(a, ck_buf_view(&found))
                               : add(a, ck_buf_view(&found));
  ck_buf_free(&found);
  return rc;
}

static int take(struct artifacts *a, const struct ck_row *row) {
  switch (row->table) {
  case CK_MESSAGES:
    return add_remote(a, row, CK_MESSAGES_PLATFORM, CK_MESSAGES_CONVERSATION_ID);
  case CK_SESSIONS:
    return add_remote(a, row, CK_SESSIONS_PLATFORM, CK_SESSIONS_CONVERSATION_ID);
  case CK_EXECUTIONS:
    db_bind_value(a->by_message, 1, &row->v[CK_EXECUTIONS_MESSAGE_ID]);
    return add_found(a, a->by_message, row, false);
  case CK_LINKS:
    return add_moved(a, row, ck_row_text(row, CK_LINKS_LOCAL_CONVERSATION_ID));
  case CK_JOBS:
    return add(a, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  case CK_FORGOTTEN:
    return take_forgotten(a, row);
  default:
    return add(a, ck_row_key(row));
  }
}

/* ---- its files ---- */

struct writing {
  struct artifacts *a;
  struct artifact_draft draft;
  uint32_t sum; /* CRC-32C */
  bool failed;  /* it was the file that failed, or the store ends */
  int why;      /* errno; 0: the store ends */
};

static int sink(void *self, struct ck_str bytes, struct ck_err *err) {
  struct writing *w = self;
  bool ends = artifacts_out_of_time(w->a);
  w->sum = ck_crc32c(w->sum, bytes.s, bytes.n);
  if (!ends &&
      artifact_folder_write(&w->a->folder, &w->draft, bytes, ck_buf_cstr(&w->a->path), err) == 0)
    return 0;
  w->why = ends ? 0 : errno;
  w->failed = true;
  return -1;
}

static int write_file(struct artifacts *a, struct ck_str id, struct ck_str name, int ending,
                      uint32_t *sum) {
  struct ck_err err;
  struct writing w = {.a = a};
  artifact_conversation_path(&a->path, name, artifact_conversation_endings[ending]);
  if (artifact_folder_begin(&a->folder, &w.draft, &err)) return artifacts_put_failed(a, id, &err);
  int rc = ending ? conversation_json(a->conversation, sink, &w, &err)
                  : conversation_markdown(a->conversation, sink, &w, &err);
  *sum = w.sum;
  if (rc == 0)
    return artifact_folder_end(&a->folder, &w.draft, ck_buf_cstr(&a->path), &err)
               ? artifacts_put_failed(a, id, &err)
               : 0;
  if (!w.failed || w.why == 0) artifact_folder_abandon(&a->folder, &w.draft);
  if (!w.failed) return sql_trouble(a, id, &err);
  errno = w.why;
  return w.why ? artifacts_put_failed(a, id, &err) : -1;
}

/* *md: the sum of the .md, if there is such a conversation. */
static int write_files(struct artifacts *a, struct ck_str id, uint32_t *md) {
  struct ck_err err;
  struct ck_buf name = {0};
  int rc = conversation_load(a->conversation, id, &err);
  if (rc < 0) return sql_trouble(a, id, &err);
  if (rc == 0) return 0;
  rc = artifact_naming_find(a, id, &name);
  for (int i = 2; i-- > 0 && rc == 0;) rc = write_file(a, id, ck_buf_view(&name), i, md);
  ck_buf_free(&name);
  return rc;
}

static int write_one(struct artifacts *a, struct ck_str due) {
  uint64_t head = atomic_load(&a->context->head);
  int64_t began = ck_boot_ms();
  char *id = ck_str_dup(due); /* it is forgotten with what is written */
  struct ck_str own = {id, due.n};
  uint32_t md = 0;
  int rc = write_files(a, own, &md);
  struct ck_err err;
  if (rc == 0 && names_written(a->names, own, md, &err)) rc = artifact_naming_trouble(a, &err);
  if (rc == 0) dirty_written(a->dirty, own, head, ck_boot_ms() - began, ck_boot_ms());
  free(id);
  return rc;
}

static int64_t later(int64_t x, int64_t y) { return x > y ? x : y; }

static int64_t next_at(const struct artifacts *a) {
  struct ck_str id;
  int64_t quiet = dirty_next(a->dirty, true, &id), busy = dirty_next(a->dirty, false, &id);
  if (quiet == INT64_MAX) return quiet;
  quiet = later(quiet, a->quiet_at);
  busy = later(busy, a->write_from);
  return later(quiet < busy ? quiet : busy, pace_next(&a->context->pace, a->wrote_at));
}

/* Writes those that are due, for a moment. */
static int act(struct artifacts *a) {
  struct ck_err err;
  struct ck_str id;
  int64_t began = ck_boot_ms(), now = began;
  int rc = 0;
  while (rc == 0 && now - began < PIECE_MS && !artifacts_out_of_time(a)) {
    int64_t at = dirty_next(a->dirty, now >= a->quiet_at, &id);
    if (at == INT64_MAX || (at > now && !atomic_load(&a->context->stop))) break;
    rc = write_one(a, id);
    now = ck_boot_ms();
  }
  if (names_commit(a->names, &err)) rc = artifact_naming_trouble(a, &err);
  a->wrote_at = began;
  a->write_from = now + (now - began) * REST;
  return rc;
}

static uint64_t upto(const struct artifacts *a, uint64_t read) {
  uint64_t least = dirty_least(a->dirty);
  dirty_tidy(a->dirty, read, ck_boot_ms());
  return least ? least - 1 : read;
}

static bool has_room(const struct artifacts *a) { return !dirty_full(a->dirty); }

/* ---- the form ---- */

static void close_form(struct artifacts *a) {
  conversation_free(&a->conversation);
  names_close(&a->names);
  dirty_free(&a->dirty);
  sqlite3_finalize(a->by_remote);
  sqlite3_finalize(a->by_message);
  a->by_remote = a->by_message = NULL;
}

static const char by_remote_sql[] = "SELECT local_conversation_id FROM conversation_links"
                                    " WHERE platform = ?1 AND remote_conversation_id = ?2";
static const char by_message_sql[] =
    "SELECT l.local_conversation_id FROM messages m JOIN conversation_links l"
    " ON l.platform = m.platform AND l.remote_conversation_id = m.conversation_id"
    " WHERE m.version = " KEYS_VERSION_OF("?1");

/* Those that were to be written when an earlier run ended. */
static int add_stale(struct artifacts *a) {
  struct ck_err err;
  struct ck_buf id = {0};
  int64_t place = 0;
  int rc;
  while ((rc = names_stale(a->names, &place, &id, &err)) > 0) add(a, ck_buf_view(&id));
  ck_buf_free(&id);
  return rc < 0 ? artifact_naming_trouble(a, &err) : 0;
}

/* What is damaged is made again by the next try. */
static int drop_damaged(struct artifacts *a) {
  struct ck_err err;
  bool damaged = names_damaged(a->names);
  names_close(&a->names);
  if (damaged && names_drop(&err)) sql_trouble(a, CK_LIT(NAMES_FILE), &err);
  return -1;
}

/* 1: the names were lost. */
static int open_names(struct artifacts *a) {
  struct ck_err err;
  bool fresh;
  a->names = names_open(&fresh, &err);
  if (!a->names) return sql_trouble(a, CK_LIT(NAMES_FILE), &err);
  return artifact_naming_adopt(a) || add_stale(a) ? drop_damaged(a) : fresh;
}

static int open_form(struct artifacts *a) {
  struct ck_err err;
  a->dirty = dirty_new();
  if (!(a->by_remote = db_prepare(a->db, by_remote_sql, &err)) ||
      !(a->by_message = db_prepare(a->db, by_message_sql, &err)) ||
      !(a->conversation = conversation_new(a->db, &err)))
    return sql_trouble(a, CK_LIT(DB_FILE), &err);
  if (artifact_folder_make(&a->folder, ARTIFACT_CONVERSATIONS, &err))
    return artifacts_put_failed(a, CK_LIT(ARTIFACT_CONVERSATIONS), &err);
  a->folder.marked = true;
  return open_names(a);
}

/* Somebody may have deleted the names, or a disk has changed them. */
static int restart(struct artifacts *a) {
  struct ck_err err;
  bool damaged = a->names && (names_damaged(a->names) || names_check(a->names, &err));
  dirty_clear(a->dirty);
  names_close(&a->names);
  if (damaged && names_drop(&err)) return sql_trouble(a, CK_LIT(NAMES_FILE), &err);
  return open_names(a);
}

const struct artifact_form artifact_conversations = {
    .name = "conversations",
    .mark = ARTIFACT_CONVERSATIONS,
    .tables = (1u << CK_TABLES) - 1,
    .a_second = 50000,
    .open = open_form,
    .close = close_form,
    .take = take,
    .restart = restart,
    .next_at = next_at,
    .act = act,
    .upto = upto,
    .has_room = has_room,
};
