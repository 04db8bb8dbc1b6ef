/* The form `records`: a .txt and a .json for each message, execution and session, and the index of
 * the sessions last active. */
#include "proto/clock.h"
#include "store/files/artifact_form.h"
#include "store/files/static_path.h"

#define INDEX_MS 200
#define TRIM_BYTES (1u << 20)

/* ---- one record's files ---- */

void artifact_record_path(struct ck_buf *path, const struct ck_row *row, const char *ending) {
  struct ck_str given = ck_row_text(row, ck_tables[row->table].path);
  struct ck_buf own = {0};
  if (!static_path_ok(row->table, given,
                      ck_row_key(row))) { /* this program did not write that row */
    static_path_make(&own, row->table, row);
    given = ck_buf_view(&own);
  }
  ck_buf_clear(path);
  static_path_file(path, given, ending);
  ck_buf_free(&own);
}

static int put_file(struct artifacts *a, const struct ck_row *row, const char *ending) {
  struct ck_err err;
  artifact_record_path(&a->path, row, ending);
  return artifact_folder_put(&a->folder, ck_buf_cstr(&a->path), ck_buf_view(&a->text), &err)
             ? artifacts_put_failed(a, ck_row_key(row), &err)
             : 0;
}

/* A buffer grows with the largest record; frees what only a rare large one needed. */
static void trim(struct ck_buf *b) {
  if (b->cap > TRIM_BYTES) ck_buf_free(b);
  ck_buf_clear(b);
}

static int take(struct artifacts *a, const struct ck_row *row) {
  struct ck_err err;
  int count = 0;
  if (row->table == CK_FORGOTTEN) {
    a->index_due = true;
    return artifact_remove_forgotten(a, row);
  }
  ck_arena_reset(&a->arena);
  if (row->table == CK_SESSIONS)
    count = artifact_index_messages(a->index, row, a->messages, SESSION_MESSAGES, &a->arena, &err);
  if (count < 0) return artifacts_trouble(a, SQL_TROUBLE, ck_row_key(row), &err);
  ck_buf_clear(&a->text);
  artifact_text(&a->text, row, a->messages, count, SESSION_MESSAGES);
  if (put_file(a, row, ".txt")) return -1;
  ck_buf_clear(&a->text);
  artifact_json(&a->text, row);
  if (put_file(a, row, ".json")) return -1;
  trim(&a->text);
  a->index_due |= row->table != CK_EXECUTIONS;
  return 0;
}

/* ---- the session index ---- */

static int put_index_file(struct artifacts *a, const char *path) {
  struct ck_err err;
  return artifact_folder_put(&a->folder, path, ck_buf_view(&a->text), &err)
             ? artifacts_put_failed(a, ck_str_of(path), &err)
             : 0;
}

static int put_index(struct artifacts *a) {
  struct ck_err err;
  struct artifact_session sessions[LATEST_SESSIONS];
  ck_arena_reset(&a->arena);
  int count = artifact_index_latest(a->index, sessions, &a->arena, &err);
  if (count < 0) return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(ARTIFACT_INDEX_TEXT), &err);
  ck_buf_clear(&a->text);
  artifact_latest_json(&a->text, sessions, count);
  if (put_index_file(a, ARTIFACT_INDEX_JSON)) return -1;
  ck_buf_clear(&a->text);
  artifact_latest_text(&a->text, sessions, count);
  if (put_index_file(a, ARTIFACT_INDEX_TEXT)) return -1;
  a->indexed_at = ck_boot_ms(); /* only now, so that a retry after a failure is due at once */
  a->folder.marked = true;
  a->index_due = false;
  return 0;
}

static int64_t next_at(const struct artifacts *a) {
  return a->index_due ? a->indexed_at + INDEX_MS : INT64_MAX;
}

/* ---- the form ---- */

static int open_form(struct artifacts *a) {
  struct ck_err err;
  if (!a->index) a->index = artifact_index_new(a->db, &err);
  if (!a->index) return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
  a->index_due = true; /* the last run may have ended while it wrote the index */
  return 0;
}

static void close_form(struct artifacts *a) { artifact_index_free(&a->index); }

static int restart(struct artifacts *a) {
  a->index_due = true;
  return 0;
}

const struct artifact_form artifact_records = {
    .name = "records",
    .mark = ARTIFACT_INDEX_TEXT,
    .tables = 1u << CK_MESSAGES | 1u << CK_EXECUTIONS | 1u << CK_SESSIONS | 1u << CK_FORGOTTEN,
    .a_second = 2400,
    .open = open_form,
    .close = close_form,
    .take = take,
    .restart = restart,
    .next_at = next_at,
    .act = put_index,
};
