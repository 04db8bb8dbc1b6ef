/* What the readable files of the form `records` beside the .json should say. The .txt of a session
 * lists messages, which may have changed since it was written; the index is written again after
 * each change. */
#include "store/tasks/doctor_texts.h"

#include <fcntl.h>
#include <stdlib.h>

#include "proto/file.h"
#include "store/files/artifact_folder.h"
#include "store/files/artifact_form.h"
#include "store/files/artifact_index.h"
#include "store/files/artifact_text.h"

#define LOOKS 10 /* until the index is written */
#define LOOK_MS 200

struct doctor_texts {
  struct artifact_index *index;
  struct ck_arena arena;
  struct artifact_message messages[SESSION_MESSAGES];
};

struct doctor_texts *doctor_texts_new(sqlite3 *db, struct ck_err *err) {
  struct doctor_texts *x = ck_zalloc(sizeof *x);
  if (!(x->index = artifact_index_new(db, err))) doctor_texts_free(&x);
  return x;
}

void doctor_texts_free(struct doctor_texts **x) {
  if (!*x) return;
  artifact_index_free(&(*x)->index);
  ck_arena_free(&(*x)->arena);
  free(*x);
  *x = NULL;
}

int doctor_texts_make(struct doctor_texts *x, const struct ck_row *row, struct ck_buf *text,
                      struct ck_err *err) {
  int count = 0;
  ck_arena_reset(&x->arena);
  if (row->table == CK_SESSIONS)
    count = artifact_index_messages(x->index, row, x->messages, SESSION_MESSAGES, &x->arena, err);
  if (count < 0) return -1;
  ck_buf_clear(text);
  artifact_text(text, row, x->messages, count, SESSION_MESSAGES);
  return 0;
}

/* ---- the index ---- */

static bool is_in(int folder, const char *path, const struct ck_buf *expected) {
  struct ck_buf found = {0};
  int rc = ck_read_file(folder, path, O_NOFOLLOW, expected->len + 1, &found, NULL);
  bool is = rc == 0 && ck_str_eq(ck_buf_view(&found), ck_buf_view(expected));
  ck_buf_free(&found);
  return is;
}

/* 1: both files say what the sessions say. */
static int compare(struct doctor_texts *x, int folder, const char **wrong, struct ck_err *err) {
  struct artifact_session sessions[LATEST_SESSIONS];
  struct ck_buf text = {0}, json = {0};
  ck_arena_reset(&x->arena);
  int count = artifact_index_latest(x->index, sessions, &x->arena, err);
  if (count < 0) return -1;
  artifact_latest_text(&text, sessions, count);
  artifact_latest_json(&json, sessions, count);
  *wrong = !is_in(folder, ARTIFACT_INDEX_TEXT, &text)   ? ARTIFACT_INDEX_TEXT
           : !is_in(folder, ARTIFACT_INDEX_JSON, &json) ? ARTIFACT_INDEX_JSON
                                                        : NULL;
  ck_buf_free(&text);
  ck_buf_free(&json);
  return *wrong == NULL;
}

int doctor_texts_index(struct doctor_texts *x, struct task *t, int folder, const char **wrong,
                       struct ck_err *err) {
  int rc = compare(x, folder, wrong, err);
  for (int i = 0; i < LOOKS && rc == 0 && !task_cancelled(t); ++i) {
    task_pause(LOOK_MS);
    rc = compare(x, folder, wrong, err);
  }
  return rc < 0 ? -1 : 0;
}
