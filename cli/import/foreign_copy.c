/* See foreign_copy.h. */
#include "cli/import/foreign_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/client.h"
#include "cli/import/send.h"
#include "proto/file.h"

#define FOLDER "run/foreign-"
#define NAME "database"
#define TRIES 3         /* of a file that changes while it is copied */
#define HEADER 100      /* bytes of the header of a database */
#define JOURNAL_MAGIC 8 /* bytes at the beginning of a rollback journal */

/* ---- the folder ---- */

static void remove_folder(const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (const struct dirent *e; (e = readdir(dir));)
    if (e->d_name[0] != '.') unlinkat(dirfd(dir), e->d_name, 0);
  closedir(dir);
  rmdir(folder);
}

/* A folder that nobody has locked was left by a command that was killed. */
static void remove_left(void) {
  glob_t paths;
  if (glob(FOLDER "*", GLOB_NOSORT, NULL, &paths)) return;
  for (size_t i = 0; i < paths.gl_pathc; ++i) {
    struct ck_lock lock;
    if (!ck_lock_is_free(paths.gl_pathv[i])) continue; /* without waiting for its owner */
    if (ck_lock_folder(&lock, paths.gl_pathv[i], NULL)) continue;
    remove_folder(paths.gl_pathv[i]);
    ck_lock_end(&lock);
  }
  globfree(&paths);
}

static int make_folder(struct foreign_copy *copy, struct ck_err *err) {
  char folder[] = FOLDER "XXXXXX";
  if (!mkdtemp(folder)) return ck_fail(err, "run: %s", strerror(errno));
  memcpy(copy->folder, folder, sizeof folder);
  copy->database = ck_sprintf("%s/" NAME, folder);
  if (ck_lock_folder(&copy->lock, folder, err) < 0) return -1;
  return ck_lock_has_name(&copy->lock) ? 0 : ck_fail(err, "%s was removed", folder);
}

void foreign_copy_remove(struct foreign_copy *copy) {
  if (copy->folder[0]) remove_folder(copy->folder);
  ck_lock_end(&copy->lock);
  free(copy->database);
  *copy = (struct foreign_copy){.lock.fd = -1};
}

/* ---- bytes ---- */

static int write_all(int fd, const char *bytes, size_t n, struct ck_err *err) {
  if (ck_write_all(fd, (struct ck_str){bytes, n}) == 0) return 0;
  return ck_fail(err, "run: it cannot be copied: %s", strerror(errno));
}

/* The next bytes of the source; waits for those of a pipe. */
static ssize_t next_bytes(struct cli *c, struct cli_source *source, off_t at, char *bytes,
                          struct ck_err *err) {
  for (;;) {
    bool wait;
    if (cli_interrupted()) return ck_fail(err, "interrupted");
    if (c->client && c->client->ring) cli_ring_step(c->client->ring);
    ssize_t n = cli_source_read(source, at, bytes, CLI_PIECE, &wait, err);
    if (!wait) return n;
    poll(&(struct pollfd){source->fd, POLLIN, 0}, 1, 200);
  }
}

static int copy_source(struct cli *c, struct cli_source *source, const char *path, char *bytes,
                       struct ck_err *err) {
  ssize_t n = -1;
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ck_fail(err, "run: %s", strerror(errno));
  for (off_t at = 0; (n = next_bytes(c, source, at, bytes, err)) > 0; at += n)
    if (write_all(fd, bytes, (size_t)n, err)) {
      n = -1;
      break;
    }
  close(fd);
  return n < 0 ? -1 : 0;
}

/* ---- what is beside a file ---- */

/* The path of the file itself, where SQLite has put its WAL, with this ending. NULL: it has none.
 */
static char *path_beside(const struct cli_source *source, const char *ending) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", source->fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (source->archive || source->kept >= 0 || n <= 0) return NULL;
  return ck_sprintf("%.*s%s", (int)n, path, ending);
}

/* A rollback journal is hot while it begins as one: the last write was not finished. */
static int check_journal(struct ck_str head, struct ck_err *err) {
  static const char magic[JOURNAL_MAGIC] = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
  if (head.n < JOURNAL_MAGIC || memcmp(head.s, magic, JOURNAL_MAGIC) != 0) return 0;
  return ck_fail(err,
                 "its last write was not finished, as its -journal says: open it once with the "
                 "program that wrote it, or with sqlite3");
}

static int check_journal_of_file(const struct cli_source *source, struct ck_err *err) {
  char head[JOURNAL_MAGIC] = {0}, *path = path_beside(source, "-journal");
  int fd = path ? ck_open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, NULL) : -1;
  ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : 0;
  if (fd >= 0) close(fd);
  free(path);
  return check_journal((struct ck_str){head, n > 0 ? (size_t)n : 0}, err);
}

static int copy_wal_of_file(const struct cli_source *source, const char *to, char *bytes,
                            struct ck_err *err) {
  char *path = path_beside(source, "-wal");
  int rc = 0, from = path ? ck_open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, NULL) : -1;
  int fd = from >= 0 ? open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
  if (from >= 0 && fd < 0) rc = ck_fail(err, "run: %s", strerror(errno));
  while (rc == 0 && fd >= 0) {
    ssize_t n = read(from, bytes, CLI_PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) rc = ck_fail(err, "its -wal: %s", strerror(errno));
    if (n <= 0) break;
    rc = cli_interrupted() ? ck_fail(err, "interrupted") : write_all(fd, bytes, (size_t)n, err);
  }
  if (from >= 0) close(from);
  if (fd >= 0) close(fd);
  free(path);
  return rc;
}

/* What tells that a file was written to. */
struct moment {
  struct stat database, wal;
};

static struct moment moment_of(const struct cli_source *source) {
  struct moment m;
  memset(&m, 0, sizeof m);
  char *path = path_beside(source, "-wal");
  if (fstat(source->fd, &m.database)) m.database.st_size = -1;
  if (!path || stat(path, &m.wal)) m.wal.st_size = -1;
  free(path);
  return m;
}

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_size == b->st_size && a->st_ino == b->st_ino &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* ---- what is beside a member ---- */

/* The member's name within the archive: a name of `source` is "FILE: MEMBER". */
static const char *member_of(const struct cli_source *source) {
  size_t n = strlen(source->file);
  return strlen(source->name) > n + 2 ? source->name + n + 2 : "";
}

/* Is the name that of the database, with this ending? */
static bool is_beside(const struct cli_source *other, const char *database, const char *ending) {
  const char *name = member_of(other);
  size_t n = strlen(database);
  return strncmp(name, database, n) == 0 && strcmp(name + n, ending) == 0;
}

/* Reads the archive again, for what is beside the database there. wal: copies its WAL to this path;
 * NULL: it has none. */
static int look_beside_member(struct cli *c, const struct cli_source *source, const char *wal,
                              char *bytes, struct ck_err *err) {
  struct cli_source again;
  struct ck_err ignored;
  const char *database = member_of(source);
  char *file = ck_sprintf("/proc/self/fd/%d", source->kept >= 0 ? source->kept : source->fd);
  int rc = cli_source_open(c, &again, file, err), more = rc == 0 && again.archive;
  while (rc == 0 && more && (more = cli_source_next(&again, &ignored)) && !cli_interrupted()) {
    if (more > 0 && is_beside(&again, database, "-journal"))
      rc = check_journal(cli_source_head(&again), err);
    else if (more > 0 && wal && is_beside(&again, database, "-wal"))
      rc = copy_source(c, &again, wal, bytes, err);
  }
  cli_source_close(&again);
  free(file);
  return rc;
}

/* ---- the header ---- */

static uint32_t number_at(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* SQLite reads nothing of a file that is shorter than its header says. Without that number it goes
 * by the file's own size, and misses only the pages that are gone. */
static int mend_header(const char *path, bool *has_wal, struct ck_err *err) {
  unsigned char head[HEADER] = {0};
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) || pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head) {
    if (fd >= 0) close(fd);
    return ck_fail(err, "cut off within its header");
  }
  off_t page = head[16] << 8 | head[17];
  if (page == 1) page = 65536;
  int rc = 0;
  if ((off_t)number_at(head + 28) * page > st.st_size && pwrite(fd, "\0\0\0", 4, 28) != 4)
    rc = ck_fail(err, "run: %s", strerror(errno));
  *has_wal = head[18] == 2 && head[19] == 2;
  close(fd);
  return rc;
}

/* ---- all of it ---- */

/* The database of this data folder is in already, and its store is writing it. */
static int check_not_ours(const struct cli_source *source, struct ck_err *err) {
  struct stat theirs, ours;
  if (source->archive || fstat(source->fd, &theirs) || stat(CK_PLACE_DATABASE, &ours)) return 0;
  if (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino) return 0;
  return ck_fail(err, "this is the database of this data folder: all of it is here");
}

/* Of a source that breaks off, the beginning is read all the same. */
static int copy_database(struct cli *c, struct cli_source *source, char *bytes,
                         struct foreign_copy *copy, struct ck_err *err) {
  struct stat st;
  copy->fault.text[0] = '\0';
  if (copy_source(c, source, copy->database, bytes, err) == 0) return 0;
  if (cli_interrupted() || stat(copy->database, &st) || st.st_size < HEADER) return -1;
  copy->fault = *err;
  return 0;
}

static int copy_once(struct cli *c, struct cli_source *source, char *bytes,
                     struct foreign_copy *copy, struct ck_err *err) {
  bool has_wal = false;
  if (copy_database(c, source, bytes, copy, err) || mend_header(copy->database, &has_wal, err))
    return -1;
  char *wal = has_wal ? ck_sprintf("%s-wal", copy->database) : NULL;
  int rc = source->archive ? look_beside_member(c, source, wal, bytes, err)
           : wal           ? copy_wal_of_file(source, wal, bytes, err)
                           : 0;
  free(wal);
  return rc;
}

int foreign_copy_make(struct cli *c, struct cli_source *source, char *bytes,
                      struct foreign_copy *copy, struct ck_err *err) {
  *copy = (struct foreign_copy){.lock.fd = -1};
  remove_left();
  if (check_not_ours(source, err) || check_journal_of_file(source, err) || make_folder(copy, err))
    return -1;
  for (int i = 0; i < TRIES; ++i) {
    struct moment before = moment_of(source);
    if (copy_once(c, source, bytes, copy, err)) return -1;
    struct moment after = moment_of(source);
    if (source->archive || source->kept >= 0 ||
        (same_file(&before.database, &after.database) && same_file(&before.wal, &after.wal)))
      return 0;
  }
  return ck_fail(err, "it is being written to: end the program that uses it first");
}
