/* Files that another form has made: deleted as the records are read in the present one. Only what a
 * record of this store, or a conversation, has as its file is deleted. */
#include "store/files/artifact_form.h"
#include "store/files/names.h"
#include "store/files/static_path.h"

#define RECORDS (1u << CK_MESSAGES | 1u << CK_EXECUTIONS | 1u << CK_SESSIONS)

static int remove_file(struct artifacts *a, const char *path) {
  struct ck_err err;
  return artifact_folder_remove(&a->folder, path, &err)
             ? artifacts_put_failed(a, ck_str_of(path), &err)
             : 0;
}

/* ---- of conversations ---- */

int artifact_remove_conversation(struct artifacts *a, struct ck_str name) {
  for (int i = 0; i < 2; ++i) {
    artifact_conversation_path(&a->path, name, artifact_conversation_endings[i]);
    if (remove_file(a, ck_buf_cstr(&a->path))) return -1;
  }
  return 0;
}

/* 1: the store ends, and there are more. */
static int remove_named(struct artifacts *a, struct names *n) {
  struct ck_err err;
  struct ck_buf name = {0};
  int rc = 0, more = 1;
  while (rc == 0 && !artifacts_out_of_time(a)) {
    more = names_take_any(n, &name, &err);
    if (more < 0) rc = artifacts_trouble(a, SQL_TROUBLE, CK_LIT(NAMES_FILE), &err);
    if (more <= 0) break;
    rc = artifact_remove_conversation(a, ck_buf_view(&name));
  }
  /* What was not committed is named again the next time, and is gone by then. */
  if (rc == 0 && names_commit(n, &err))
    rc = artifacts_trouble(a, SQL_TROUBLE, CK_LIT(NAMES_FILE), &err);
  ck_buf_free(&name);
  return rc ? rc : more;
}

static int remove_conversations(struct artifacts *a) {
  struct ck_err err;
  bool fresh;
  if (!artifact_folder_has(&a->folder, ".names")) return 0;
  struct names *n = names_open(&fresh, &err);
  if (!n) return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(NAMES_FILE), &err);
  int rc = remove_named(a, n);
  names_close(&n);
  if (rc == 0 && names_drop(&err)) rc = artifacts_trouble(a, SQL_TROUBLE, CK_LIT(NAMES_FILE), &err);
  return rc < 0 ? -1 : 0;
}

/* ---- of records ---- */

int artifact_others_begin(struct artifacts *a) {
  a->others = a->form != &artifact_records &&
              (artifact_folder_has(&a->folder, "msg") || artifact_folder_has(&a->folder, "exec") ||
               artifact_folder_has(&a->folder, "session"));
  return a->form == &artifact_conversations ? 0 : remove_conversations(a);
}

int artifact_remove_forgotten(struct artifacts *a, const struct ck_row *row) {
  struct ck_str path = ck_row_text(row, CK_FORGOTTEN_STATIC_PATH);
  static const char *const endings[] = {".txt", ".json"};
  if (!path.n) return 0;
  for (size_t i = 0; i < 2; ++i) {
    ck_buf_clear(&a->path);
    static_path_file(&a->path, path, endings[i]);
    if (remove_file(a, ck_buf_cstr(&a->path))) return -1;
  }
  return 0;
}

int artifact_others_take(struct artifacts *a, const struct ck_row *row) {
  if (a->others && row->table == CK_FORGOTTEN) return artifact_remove_forgotten(a, row);
  if (!a->others || !(RECORDS & 1u << row->table)) return 0;
  artifact_record_path(&a->path, row, ".txt");
  if (remove_file(a, ck_buf_cstr(&a->path))) return -1;
  artifact_record_path(&a->path, row, ".json");
  return remove_file(a, ck_buf_cstr(&a->path));
}

int artifact_others_end(struct artifacts *a) {
  if (!a->others) return 0;
  if (remove_file(a, ARTIFACT_INDEX_TEXT) || remove_file(a, ARTIFACT_INDEX_JSON)) return -1;
  a->others = false;
  return 0;
}

/* ---- the form `none` ---- */

const struct artifact_form artifact_none = {
    .name = "none", .tables = RECORDS | 1u << CK_FORGOTTEN, .a_second = 50000};
