/* doctor's check `attachments`: has every attachment its file, and has that the bytes of its hash?
 * It reads them all. The list is read first, in one go, so that no transaction is open meanwhile.
 */
#include "store/tasks/doctor_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/attachment.h"
#include "proto/sha256.h"

#define ADVICE \
  "delete the file if it is there, then import the export again that it came from, or " \
  "copy " CK_PLACE_ATTACHMENTS \
  "/ from beside a backup; convkeep list attachments --hash HASH has its name"

struct listed {
  char hash[CK_SHA256_HEX + 1];
  uint64_t bytes;
};

struct attachments_check {
  struct doctor *d;
  int folder;
  struct listed *listed; /* in the order of the hashes */
  size_t count, room;
  uint64_t bytes;
  unsigned missing, damaged, stray, unfinished;
  char first[CK_SHA256_HEX + 1]; /* of the missing and damaged ones */
};

static int read_list(struct attachments_check *a, struct ck_err *err) {
  sqlite3_stmt *s =
      db_prepare(a->d->live, "SELECT hash, bytes FROM attachments ORDER BY hash", err);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    if (a->count == a->room)
      a->listed =
          ck_realloc(a->listed, (a->room = a->room ? a->room * 2 : 256) * sizeof *a->listed);
    struct listed *one = &a->listed[a->count++];
    struct ck_str hash = db_str(s, 0);
    snprintf(one->hash, sizeof one->hash, "%.*s", (int)hash.n, hash.n ? hash.s : "");
    one->bytes = (uint64_t)sqlite3_column_int64(s, 1);
  }
  int bad = rc == SQLITE_DONE ? 0 : db_fail(a->d->live, "attachments", err);
  sqlite3_finalize(s);
  return bad;
}

static bool ends(void *task) { return task_cancelled(task); }

static int check_one(struct attachments_check *a, const struct listed *one, struct ck_err *err) {
  enum ck_attachment_state state = a->folder < 0
                                       ? CK_ATTACHMENT_MISSING
                                       : ck_attachment_verify(a->folder, ck_str_of(one->hash),
                                                              one->bytes, ends, a->d->task, err);
  if (state == CK_ATTACHMENT_UNREAD) return ck_fail_in(err, "%s", one->hash);
  a->bytes += one->bytes;
  if (state == CK_ATTACHMENT_SOUND) return 0;
  if (a->missing + a->damaged == 0) memcpy(a->first, one->hash, sizeof a->first);
  a->missing += state == CK_ATTACHMENT_MISSING;
  a->damaged += state == CK_ATTACHMENT_DAMAGED;
  return 0;
}

static int by_hash(const void *key, const void *one) {
  return strcmp(key, ((const struct listed *)one)->hash);
}

/* Files of a sub-folder that no attachment has. */
static void count_strays(struct attachments_check *a, const char *sub) {
  int fd = openat(a->folder, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (!folder && fd >= 0) close(fd);
  for (struct dirent *e; folder && (e = readdir(folder));)
    if (e->d_name[0] != '.' &&
        !(a->count && bsearch(e->d_name, a->listed, a->count, sizeof *a->listed, by_hash)))
      ++a->stray;
  if (folder) closedir(folder);
}

static bool is_part(const char *name) {
  size_t n = strlen(name), end = strlen(CK_ATTACHMENT_PART_END);
  return n > end && strcmp(name + n - end, CK_ATTACHMENT_PART_END) == 0;
}

static void look_around(struct attachments_check *a) {
  int fd = a->folder < 0 ? -1 : openat(a->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (!folder && fd >= 0) close(fd);
  for (struct dirent *e; folder && (e = readdir(folder));) {
    if (e->d_name[0] == '.') continue;
    if (is_part(e->d_name))
      ++a->unfinished;
    else if (strlen(e->d_name) == 2)
      count_strays(a, e->d_name);
    else
      ++a->stray;
  }
  if (folder) closedir(folder);
}

static void say(const struct attachments_check *a) {
  if (a->missing + a->damaged)
    doctor_say(a->d, "attachments", CK_FOUND_WRONG, ADVICE,
               "%u missing, %u damaged, of %zu; the first: " CK_PLACE_ATTACHMENTS "/%.2s/%s",
               a->missing, a->damaged, a->count, a->first, a->first);
  else
    doctor_say(a->d, "attachments", CK_FOUND_OK, "", "%zu %s whole, %llu %s", a->count,
               ck_noun(a->count, "is", "are"), (unsigned long long)a->bytes,
               ck_noun(a->bytes, "byte", "bytes"));
  if (a->unfinished)
    doctor_say(a->d, "attachments", CK_FOUND_NOTE,
               "an import that was interrupted has left it; the same import goes on with it, or "
               "delete it if no import runs",
               "%u %s whole yet", a->unfinished, ck_noun(a->unfinished, "is not", "are not"));
  if (a->stray)
    doctor_say(
        a->d, "attachments", CK_FOUND_NOTE,
        "of another database, or from before a restore; they can be deleted if no import runs",
        "%u %s to no attachment", a->stray, ck_noun(a->stray, "file belongs", "files belong"));
}

int doctor_attachments(struct doctor *d, struct ck_err *err) {
  struct attachments_check a = {.d = d, .folder = ck_attachments_open(AT_FDCWD, false)};
  int rc = a.folder < 0 && errno != ENOENT
               ? ck_fail(err, CK_PLACE_ATTACHMENTS ": %s", strerror(errno))
               : 0;
  if (rc == 0) rc = read_list(&a, err);
  for (size_t i = 0; i < a.count && rc == 0; ++i) rc = check_one(&a, &a.listed[i], err);
  if (rc == 0) {
    look_around(&a);
    say(&a);
  }
  if (a.folder >= 0) close(a.folder);
  free(a.listed);
  return rc;
}
