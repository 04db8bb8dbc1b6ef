/* doctor's check `artifacts` of the form `conversations`: does every conversation have its two
 * files, does the .json say what its records say, and is the .md as it was written? */
#include "store/tasks/doctor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/crc32c.h"
#include "proto/file.h"
#include "store/files/artifact_folder.h"
#include "store/files/conversation.h"
#include "store/files/names.h"

#define AGAIN_MS 300

enum { MD, JSON }; /* in artifact_conversation_endings */

struct check {
  struct doctor *d;
  int folder;
  struct names *names; /* NULL: there are none */
  struct conversation *c;
  uint64_t upto;                        /* all records up to this version are in the files */
  uint64_t conversations;               /* examined */
  uint64_t present;                     /* files of these */
  uint64_t all;                         /* files in the folder; 0: not counted */
  uint64_t later;                       /* conversations that have changed since */
  unsigned missing, different, changed; /* changed: .md */
  char *first_missing, *first_different, *first_changed;
  struct ck_buf name, path;
};

static void count_one(struct check *k, unsigned *count, char **first) {
  if ((*count)++ == 0) *first = ck_str_dup(ck_buf_view(&k->path));
}

static void path_of(struct check *k, int ending) {
  artifact_conversation_path(&k->path, ck_buf_view(&k->name),
                             artifact_conversation_endings[ending]);
}

/* ---- what a file says ---- */

struct comparison {
  int fd;
  off_t at;
  bool differs;
  char found[64 << 10];
};

static int compare(void *self, struct ck_str bytes, struct ck_err *err) {
  struct comparison *x = self;
  (void)err;
  while (bytes.n && !x->differs) {
    size_t most = bytes.n < sizeof x->found ? bytes.n : sizeof x->found;
    ssize_t n = ck_pread_all(x->fd, x->found, most, x->at);
    x->differs = n != (ssize_t)most || memcmp(x->found, bytes.s, most) != 0;
    x->at += (off_t)most;
    bytes.s += most;
    bytes.n -= most;
  }
  return 0;
}

/* An empty file counts as missing: a disk that lost the contents leaves one. -1: missing. */
static int open_one(struct check *k, int ending) {
  struct stat st;
  path_of(k, ending);
  int fd = ck_open_file(k->folder, ck_buf_cstr(&k->path), O_RDONLY | O_NOFOLLOW, NULL);
  if (fd < 0 || (fstat(fd, &st) == 0 && st.st_size > 0)) return fd;
  close(fd);
  return -1;
}

/* fd -1: only reads the records. *differs: the file is not what they give. */
static int compare_json(struct check *k, int fd, bool *differs, struct ck_err *err) {
  struct comparison *x = ck_zalloc(sizeof *x);
  struct stat st;
  *x = (struct comparison){.fd = fd, .differs = fd < 0};
  int rc = conversation_json(k->c, compare, x, err);
  *differs = x->differs || fstat(fd, &st) || st.st_size != x->at;
  free(x);
  return rc;
}

/* False: it cannot be read. */
static bool sum_of(int fd, uint32_t *sum) {
  char piece[16 << 10];
  ssize_t n;
  for (*sum = 0; (n = read(fd, piece, sizeof piece)) > 0;) *sum = ck_crc32c(*sum, piece, (size_t)n);
  return n == 0;
}

/* The .md is not as it was written, by its sum in the names. *noted: that sum. */
static int compare_md(struct check *k, int fd, struct ck_str id, bool *changed, uint32_t *noted,
                      struct ck_err *err) {
  uint32_t sum;
  int rc = k->names ? names_md(k->names, id, noted, err) : 0;
  *changed = rc > 0 && fd >= 0 && (!sum_of(fd, &sum) || sum != *noted);
  return rc < 0 ? -1 : 0;
}

/* ---- one conversation ---- */

struct files {
  bool md, json, differs, changed;
  uint32_t noted;
};

/* Looks at the files of the conversation that is loaded. */
static int look(struct check *k, struct ck_str id, struct files *f, struct ck_err *err) {
  ck_buf_clear(&k->name);
  int rc = k->names ? names_find(k->names, id, &k->name, err) : 0;
  if (rc < 0) return -1;
  if (rc == 0) conversation_name(k->c, &k->name); /* the first that it would get */
  int md = open_one(k, MD), json = open_one(k, JSON);
  rc = compare_json(k, json, &f->differs, err) || compare_md(k, md, id, &f->changed, &f->noted, err)
           ? -1
           : 0;
  f->md = md >= 0;
  f->json = json >= 0;
  if (md >= 0) close(md);
  if (json >= 0) close(json);
  return rc;
}

/* True if its records have changed since the files were made: then these may be older, or newer
 * than what was read. */
static bool is_newer(const struct check *k) { return conversation_newest(k->c) > k->upto; }

static int read_again(struct check *k, struct ck_str id, struct ck_err *err) {
  bool differs;
  int rc = conversation_load(k->c, id, err);
  return rc <= 0 ? rc : compare_json(k, -1, &differs, err);
}

/* It may have been written again between its .md and the sum. */
static int look_again(struct check *k, struct ck_str id, struct files *f, struct ck_err *err) {
  uint32_t before = f->noted;
  task_pause(AGAIN_MS);
  int rc = look(k, id, f, err);
  f->changed &= f->noted == before;
  return rc;
}

static void count_files(struct check *k, const struct files *f) {
  path_of(k, MD);
  if (!f->md) count_one(k, &k->missing, &k->first_missing);
  if (f->changed) count_one(k, &k->changed, &k->first_changed);
  path_of(k, JSON);
  if (!f->json)
    count_one(k, &k->missing, &k->first_missing);
  else if (f->differs)
    count_one(k, &k->different, &k->first_different);
  k->present += f->md + f->json;
  ++k->conversations;
}

/* Something that was found counts only if the conversation has not changed meanwhile, either. */
static int check_one(struct check *k, struct ck_str id, struct ck_err *err) {
  struct files f = {0};
  int rc = conversation_load(k->c, id, err);
  if (rc <= 0) return rc;
  rc = look(k, id, &f, err);
  if (rc == 0 && f.changed && k->changed == 0) rc = look_again(k, id, &f, err);
  bool bad = !f.md || !f.json || f.differs || f.changed;
  if (rc == 0 && bad && !is_newer(k)) rc = read_again(k, id, err);
  if (rc) return rc;
  if (is_newer(k))
    ++k->later;
  else
    count_files(k, &f);
  return 0;
}

/* ---- all of them ---- */

static int check_all(struct check *k, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(k->d->db,
                               "SELECT version, local_conversation_id FROM local_conversations"
                               " WHERE version > ?1 AND +version > ?1 AND version <= ?2"
                               " ORDER BY version LIMIT 1",
                               err);
  int rc = s ? SQLITE_ROW : SQLITE_ERROR, bad = s ? 0 : -1;
  for (int64_t after = 0, began = ck_mono_us(); rc == SQLITE_ROW && !bad;) {
    sqlite3_bind_int64(s, 1, after);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)k->upto);
    rc = sqlite3_step(s);
    if (rc != SQLITE_ROW) break;
    after = sqlite3_column_int64(s, 0);
    char *id = ck_str_dup(db_str(s, 1));
    struct ck_str own = {id, db_str(s, 1).n};
    sqlite3_reset(s);
    bad = check_one(k, own, err);
    free(id);
    if (task_cancelled(k->d->task)) break;
    if (doctor_piece_over(began)) doctor_piece_rest(began), began = ck_mono_us();
  }
  if (!bad && rc != SQLITE_ROW && rc != SQLITE_DONE) bad = db_fail(k->d->db, "conversations", err);
  sqlite3_finalize(s);
  return bad;
}

static void say_whole(struct check *k) {
  uint64_t head = atomic_load(&k->d->task->context->head);
  bool making = k->upto < head || k->later;
  struct ck_buf text = {0};
  ck_buf_count(&text, k->conversations);
  ck_buf_printf(&text, " %s files",
                ck_noun(k->conversations, "conversation has its", "conversations have their"));
  if (making)
    ck_buf_printf(&text, ", up to version %llu of %llu", (unsigned long long)k->upto,
                  (unsigned long long)head);
  doctor_say(k->d, "artifacts", making ? CK_FOUND_NOTE : CK_FOUND_OK,
             making ? "they are being made; convkeep status shows their progress" : "", "%s",
             ck_buf_cstr(&text));
  ck_buf_free(&text);
}

static void say(struct check *k) {
  if (k->missing)
    doctor_say(k->d, "artifacts", CK_FOUND_WRONG, "convkeep rebuild artifacts",
               "%u %s missing or empty (of %llu %s), the first: artifacts/%s", k->missing,
               ck_noun(k->missing, "file is", "files are"), (unsigned long long)k->conversations,
               ck_noun(k->conversations, "conversation", "conversations"), k->first_missing);
  if (k->different) {
    k->d->differs = true;
    doctor_say(
        k->d, "artifacts", CK_FOUND_WRONG, DOCTOR_DIFFERENT_ADVICE,
        "%u %s .json says, the first: artifacts/%s", k->different,
        ck_noun(k->different, "conversation is not what its", "conversations are not what their"),
        k->first_different);
  }
  if (k->changed)
    doctor_say(k->d, "artifacts", CK_FOUND_WRONG, DOCTOR_CHANGED_ADVICE,
               "%u .md %s not as written, the first: artifacts/%s", k->changed,
               ck_noun(k->changed, "file is", "files are"), k->first_changed);
  if (!k->missing && !k->different && !k->changed) say_whole(k);
  if (k->all > k->present && !k->missing && !k->later)
    doctor_say(k->d, "artifacts", CK_FOUND_NOTE, DOCTOR_FOREIGN_ADVICE,
               "%llu %s to no conversation", (unsigned long long)(k->all - k->present),
               ck_noun(k->all - k->present, "file belongs", "files belong"));
}

/* Which file each conversation has. Without that, those that they would get first are looked for.
 */
static void check_names(struct check *k) {
  struct ck_err why = {{0}};
  k->names = names_reader(&why);
  if (k->names ? names_check(k->names, &why) == 0 : access(NAMES_FILE, F_OK) != 0) return;
  names_close(&k->names);
  doctor_say(k->d, "artifacts", CK_FOUND_WRONG,
             "check the disk; convkeep rebuild artifacts makes it and the files again", "%s",
             why.text);
}

/* Files are counted first, so that none is counted that was made meanwhile. */
int doctor_conversations(struct doctor *d, struct ck_err *err) {
  struct check k = {.d = d, .upto = atomic_load(&d->task->context->artifacts_cursor)};
  k.folder = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (k.folder < 0) return ck_fail(err, ARTIFACT_FOLDER ": %s", strerror(errno));
  if (k.upto >= atomic_load(&d->task->context->head))
    k.all = doctor_count_files(d, k.folder, ARTIFACT_CONVERSATIONS, artifact_conversation_endings);
  check_names(&k);
  k.c = conversation_new(d->db, err);
  int rc = k.c ? check_all(&k, err) : -1;
  if (rc == 0) say(&k);
  conversation_free(&k.c);
  names_close(&k.names);
  close(k.folder);
  ck_buf_free(&k.name);
  ck_buf_free(&k.path);
  free(k.first_missing);
  free(k.first_different);
  free(k.first_changed);
  return rc;
}
