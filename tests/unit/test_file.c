/* Whole files, absolute paths, and the locks that keep a second instance out. */
#include "proto/file.h"
#include "proto/finding.h"
#include "proto/lock.h"
#include "proto/places.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[32];
static struct ck_err err;
static struct ck_buf b;

static void begin(void) {
  strcpy(folder, "/tmp/ck-file-XXXXXX");
  cr_assert(mkdtemp(folder) && chdir(folder) == 0);
  err.text[0] = '\0';
}

static void end(void) {
  static const char *const names[] = {"a", "link", "fifo", "l", "inside"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(names[i]);
  rmdir("d");
  rmdir(folder);
  ck_buf_free(&b);
}

TestSuite(file, .init = begin, .fini = end);

static void write_file(const char *name, const void *bytes, size_t n) {
  FILE *f = fopen(name, "w");
  cr_assert(f && fwrite(bytes, 1, n, f) == n);
  fclose(f);
}

static int read_file(const char *name, size_t most) {
  return ck_read_file(AT_FDCWD, name, 0, most, &b, &err);
}

Test(file, a_whole_file_of_any_size) {
  static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 300000};
  char *bytes = ck_zalloc(300000);
  for (size_t i = 0; i < 300000; i++) bytes[i] = (char)(i * 31 >> 3);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    write_file("a", bytes, sizes[i]);
    cr_assert_eq(read_file("a", SIZE_MAX), 0, "%s", err.text);
    cr_assert(b.len == sizes[i] && memcmp(b.data, bytes, b.len) == 0, "%zu", sizes[i]);
    cr_assert_eq(read_file("a", sizes[i]), 0, "just as large as it may be");
  }
  free(bytes);
}

Test(file, no_more_than_was_asked_for) {
  write_file("a", "0123456789", 10);
  cr_assert_eq(read_file("a", 4), -1);
  cr_assert_eq(errno, EFBIG);
  cr_assert_str_eq(err.text, "larger than 4 bytes");
  cr_assert(b.len == 4 && memcmp(b.data, "0123", 4) == 0, "its beginning is there");
  cr_assert_eq(read_file("/proc/self/maps", 16), -1, "a file that does not tell its size, too");
  cr_assert_eq(errno, EFBIG);
  cr_assert_eq(read_file("/proc/self/comm", 64), 0, "%s", err.text);
  cr_assert_gt(b.len, 0);
}

Test(file, what_cannot_be_read_is_named) {
  cr_assert_eq(read_file("a", 9), -1);
  cr_assert_eq(errno, ENOENT);
  cr_assert_str_eq(err.text, "No such file or directory");
  cr_assert_eq(mkfifo("fifo", 0600), 0);
  cr_assert_eq(read_file("fifo", 9), -1, "and nobody waits for its other end");
  cr_assert_eq(errno, EINVAL);
  cr_assert_str_eq(err.text, "it is a FIFO, not a file");
  cr_assert_eq(mkdir("d", 0700), 0);
  cr_assert_eq(read_file("d", 9), -1);
  cr_assert_str_eq(err.text, "it is a folder, not a file");
  write_file("a", "x", 1);
  cr_assert_eq(symlink("a", "link"), 0);
  cr_assert_eq(read_file("link", 9), 0);
  cr_assert_eq(ck_read_file(AT_FDCWD, "link", O_NOFOLLOW, 9, &b, NULL), -1);
  cr_assert_eq(b.len, 0, "what was read before is gone");
}

/* A secret is wiped where it is; a copy that realloc left would not be. */
Test(file, the_buffer_grows_once) {
  char secret[3000];
  memset(secret, 's', sizeof secret);
  write_file("a", secret, sizeof secret);
  cr_assert_eq(read_file("a", 65536), 0);
  cr_assert_eq(b.cap, sizeof secret + 1);
  ck_buf_cstr(&b);
  cr_assert_eq(b.cap, sizeof secret + 1, "there is room for the zero byte");
}

Test(file, absolute_paths) {
  char *path = ck_absolute("/x/../y"), expected[64];
  cr_assert_str_eq(path, "/x/../y");
  free(path);
  snprintf(expected, sizeof expected, "%s/a/b", folder);
  path = ck_absolute("a/b");
  cr_assert_str_eq(path, expected);
  free(path);
}

Test(file, a_name_that_is_taken_away_is_noticed) {
  write_file("a", "x", 1);
  write_file("b", "y", 1);
  int fd = ck_open_file(AT_FDCWD, "a", O_RDONLY, &err), here = open(".", O_RDONLY | O_DIRECTORY);
  cr_assert(ck_has_name(fd, "a") && ck_has_name(here, "."));
  cr_assert_eq(rename("b", "a"), 0);
  cr_expect_not(ck_has_name(fd, "a"), "another file has the name");
  unlink("a");
  cr_expect(!ck_has_name(fd, "a") && errno == ENOENT, "no file has the name");
  cr_assert_eq(mkdir("d", 0700), 0);
  cr_assert_eq(symlink(folder, "link"), 0);
  cr_expect_not(ck_has_name(here, "link"), "a link is followed");
  close(fd);
  close(here);
}

/* ---- locks ---- */

static pid_t child;

/* Another process that holds the lock until it is killed; returns once it does. */
static void other_holds(void) {
  int said[2];
  char byte;
  cr_assert_eq(pipe(said), 0);
  child = fork();
  if (child == 0) {
    int fd;
    if (ck_lock_file("l", &fd, NULL) == 0 && write(said[1], "x", 1) == 1)
      for (;;) pause();
    _exit(1);
  }
  close(said[1]);
  cr_assert_eq(read(said[0], &byte, 1), 1, "the other process got no lock");
  close(said[0]);
}

static void other_dies(void) {
  kill(child, SIGKILL);
  cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(file, a_lock_belongs_to_one_process_until_it_ends) {
  int fd = 7;
  cr_assert(ck_lock_is_free("l"), "nobody holds what is not there");
  other_holds();
  cr_assert_not(ck_lock_is_free("l"));
  cr_assert_eq(ck_lock_file("l", &fd, &err), 1);
  cr_assert_eq(fd, -1);
  cr_assert_eq(read_file("l", 64), 0);
  cr_assert_eq(atoi(ck_buf_cstr(&b)), child, "the file names its holder");
  other_dies();
  cr_assert(ck_lock_is_free("l"));
  cr_assert_eq(ck_lock_file("l", &fd, &err), 0, "%s", err.text);
  cr_assert_eq(read_file("l", 64), 0);
  cr_assert_eq(atoi(ck_buf_cstr(&b)), getpid());
  ck_unlock_file("l", fd);
  cr_assert_neq(access("l", F_OK), 0);
}

/* Takes the lock again and again, and counts how often another process had it, too. */
static int alone_in_turns(int turns) {
  int together = 0, fd;
  while (turns) {
    if (ck_lock_file("l", &fd, NULL)) continue;
    int inside = open("inside", O_CREAT | O_EXCL, 0600);
    together += inside < 0;
    if (inside >= 0) close(inside), unlink("inside");
    ck_unlock_file("l", fd);
    turns--;
  }
  return together;
}

/* A process may open the file just before its holder unlinks it: such a lock excludes no other
 * process. */
Test(file, a_lock_on_an_unlinked_file_is_none) {
  enum { PROCESSES = 3, TURNS = 400 };
  int status, together = 0;
  for (int i = 0; i < PROCESSES; i++)
    if (fork() == 0) _exit(alone_in_turns(TURNS) ? 1 : 0);
  while (wait(&status) > 0) together += !WIFEXITED(status) || WEXITSTATUS(status);
  cr_assert_eq(together, 0, "two had the lock at once");
}

Test(file, what_cannot_be_locked_is_named) {
  int fd;
  cr_assert_eq(ck_lock_file("nowhere/l", &fd, &err), -1);
  cr_assert_str_eq(err.text, "nowhere/l: No such file or directory");
  cr_assert_eq(fd, -1);
  cr_assert_eq(mkdir("d", 0700), 0);
  cr_assert_eq(ck_lock_file("d", &fd, &err), -1);
  cr_assert_str_eq(err.text, "d: it is a folder, not a file");
  cr_assert(ck_lock_is_free("d"), "whatever is no file is nobody's lock");
}

/* Two open descriptors are like two processes to flock. */
Test(file, a_lock_in_turn) {
  cr_assert_eq(ck_turn_open("turn", false, &err), -1, "it is not made unless asked");
  cr_expect(strstr(err.text, "turn"), "no path in: %s", err.text);
  int one = ck_turn_open("turn", true, &err), two = ck_turn_open("turn", false, &err);
  cr_assert(one >= 0 && two >= 0, "%s", err.text);
  cr_assert(ck_turn_try(one));
  cr_assert_not(ck_turn_try(two), "both have it");
  ck_turn_end(one);
  cr_assert(ck_turn_try(two));
  close(two);
  ck_turn_wait(one);
  close(one);
  cr_assert_eq(access("turn", F_OK), 0, "its file is gone");
}

Test(file, places_made_at_run_time) {
  char path[CK_PLACE_MAX];
  ck_place_pid(path, "store", -1);
  cr_expect_str_eq(path, CK_PLACE_PID("store"));
  ck_place_pid(path, "syncd", CK_INSTANCES_MAX - 1);
  cr_expect_str_eq(path, "run/syncd-999.pid");
  char *lock = ck_place_mirror_lock("/m/mirror.db");
  cr_expect_str_eq(lock, "/m/mirror.db-lock");
  free(lock);
}

Test(file, words_of_findings) {
  for (enum ck_finding f = CK_FOUND_OK; f <= CK_FOUND_WRONG; ++f)
    cr_expect_eq(ck_finding_named(ck_finding_word(f)), f);
  cr_expect_str_eq(ck_finding_word(CK_FOUND_NOTE), "note");
  cr_expect_eq(ck_finding_named("?"), CK_FOUND_WRONG);
}
