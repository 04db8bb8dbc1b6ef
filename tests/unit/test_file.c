/* Whole files, absolute paths, and the locks that keep a second instance out. */
#include "proto/file.h"
#include "proto/finding.h"
#include "proto/lock.h"
#include "proto/places.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
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
  static const char *const names[] = {"a", "b", "link", "fifo", "l", "inside", "turn"};
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

/* What has a second name is read, and neither written, nor emptied, nor left to a library. */
Test(file, a_hard_link) {
  write_file("a", "0123456789", 10);
  cr_assert_eq(link("a", "link"), 0);
  cr_assert_eq(read_file("link", 10), 0, "%s", err.text);
  cr_assert_eq(ck_open_file(AT_FDCWD, "link", O_WRONLY | O_CREAT | O_TRUNC, &err), -1);
  cr_assert_eq(errno, EMLINK);
  cr_assert(strstr(err.text, "hard link"), "%s", err.text);
  cr_assert_eq(ck_no_other_kind(AT_FDCWD, "link", &err), -1);
  cr_assert_eq(read_file("a", 10), 0, "%s", err.text);
  cr_assert_eq(b.len, 10, "it was emptied");
  unlink("a");
  int fd = ck_open_file(AT_FDCWD, "link", O_WRONLY | O_CREAT | O_TRUNC, &err);
  cr_assert_geq(fd, 0, "%s", err.text);
  close(fd);
  cr_assert(read_file("link", 10) == 0 && b.len == 0, "it was not emptied");
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

/* A call may take a part; the file is too large after that. */
Test(file, all_bytes_or_an_error) {
  char bytes[100], back[200] = {0};
  struct rlimit least = {150, 150};
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)i;
  struct ck_str all = {bytes, sizeof bytes};
  int fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &least), 0);
  cr_expect_eq(ck_write_all(fd, all), 0);
  cr_expect(ck_write_all(fd, all) == -1 && errno == EFBIG);
  cr_expect_eq(ck_pwrite_all(fd, (struct ck_str){"xyz", 3}, 10), 0);
  cr_expect(ck_pwrite_all(fd, all, 60) == -1 && errno == EFBIG);
  cr_expect_eq(ck_pread_all(fd, back, sizeof back, 0), 150);
  cr_expect(back[9] == 9 && memcmp(back + 10, "xyz", 3) == 0 && back[59] == 59 && back[60] == 0 &&
            back[149] == 89);
  cr_expect_eq(ck_pread_all(fd, back, 20, 140), 10);
  cr_expect_eq(ck_pread_all(fd, back, 20, 150), 0);
  close(fd);
  cr_expect_eq(ck_pread_all(fd, back, 20, 0), -1);
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
static struct ck_lock lock;

/* Another process that holds the lock until it is killed; returns once it does. */
static void other_holds(int (*take)(struct ck_lock *, const char *, struct ck_err *),
                        const char *what) {
  int said[2];
  char byte;
  cr_assert_eq(pipe(said), 0);
  child = fork();
  if (child == 0) {
    if (take(&lock, what, NULL) == 0 && write(said[1], "x", 1) == 1)
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

static mode_t mode_of(int fd, uid_t *owner, gid_t *group) {
  struct stat st;
  cr_assert_eq(fstat(fd, &st), 0);
  *owner = st.st_uid;
  *group = st.st_gid;
  return st.st_mode & 07777;
}

/* What takes the place of a person's file is whose that was. The parts with another user need root;
 * without it the rest is tested. */
Test(file, what_replaces_a_file_is_whose_that_was) {
  uid_t owner;
  gid_t group;
  int fd = open("b", O_RDWR | O_CREAT | O_EXCL, 0600);
  cr_assert_geq(fd, 0);
  cr_expect_eq(ck_take_place(fd, AT_FDCWD, "a", &err), 0, "%s", err.text);
  cr_expect_eq(mode_of(fd, &owner, &group), 0600);
  write_file("a", "x", 1);
  cr_assert_eq(chmod("a", 0664), 0);
  cr_expect_eq(ck_take_place(fd, AT_FDCWD, "a", &err), 0, "%s", err.text);
  cr_expect_eq(mode_of(fd, &owner, &group), 0664);
  if (geteuid() == 0) {
    cr_assert(chmod(".", 0711) == 0 && chown("a", 54321, 54322) == 0);
    cr_expect_eq(ck_take_place(fd, AT_FDCWD, "a", &err), 0, "%s", err.text);
    cr_expect_eq(mode_of(fd, &owner, &group), 0664);
    cr_expect(owner == 54321 && group == 54322);
    cr_assert_eq(fchown(fd, 54400, 54400), 0); /* somebody else's file takes the place */
    cr_assert_eq(seteuid(54400), 0);
    cr_expect_eq(ck_take_place(fd, AT_FDCWD, "a", &err), -1);
    cr_expect(strstr(err.text, "it belongs to user 54321"), "%s", err.text);
    cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(chown("a", 54400, 54322), 0); /* its own, but of a group that it is not in */
    cr_assert_eq(setgroups(0, NULL) || setegid(54400) || seteuid(54400), 0);
    cr_expect_eq(ck_take_place(fd, AT_FDCWD, "a", &err), 0, "%s", err.text);
    cr_expect_eq(mode_of(fd, &owner, &group), 0604);
    cr_assert_eq(seteuid(0) || setegid(0), 0);
  }
  close(fd);
}

Test(file, a_lock_belongs_to_one_process_until_it_ends) {
  cr_assert(ck_lock_is_free("l"), "nobody holds what is not there");
  other_holds(ck_lock_file, "l");
  cr_assert_not(ck_lock_is_free("l"));
  cr_assert_eq(ck_lock_file(&lock, "l", &err), 1);
  cr_assert_eq(lock.fd, -1);
  other_dies();
  cr_assert(ck_lock_is_free("l"));
  cr_assert_eq(ck_lock_file(&lock, "l", &err), 0, "%s", err.text);
  cr_assert(ck_lock_has_name(&lock));
  ck_lock_end(&lock);
  cr_assert_eq(access("l", F_OK), 0, "it was there before");
}

Test(file, a_folder_is_locked_whatever_becomes_of_what_is_in_it) {
  cr_assert_eq(mkdir("d", 0700), 0);
  other_holds(ck_lock_folder, "d");
  cr_expect_not(ck_lock_is_free("d"));
  cr_expect_eq(ck_lock_folder(&lock, "d", &err), 1);
  cr_assert_eq(rename("d", "l"), 0);
  cr_expect_eq(ck_lock_folder(&lock, "l", &err), 1, "another name is the same folder");
  cr_assert_eq(mkdir("d", 0700), 0);
  cr_assert_eq(ck_lock_folder(&lock, "d", &err), 0, "%s", err.text);
  rmdir("d");
  cr_expect_not(ck_lock_has_name(&lock));
  ck_lock_end(&lock);
  other_dies();
  rmdir("l");
}

Test(file, what_was_made_for_the_lock_and_not_used_goes_with_it) {
  cr_assert_eq(ck_lock_file(&lock, "l", &err), 0, "%s", err.text);
  cr_expect_str_eq(err.text, "", "that the file was missing is no error");
  ck_lock_end(&lock);
  cr_expect_neq(access("l", F_OK), 0, "an empty file is left");
  cr_assert_eq(ck_lock_file(&lock, "l", &err), 0, "%s", err.text);
  cr_assert_eq(write(lock.fd, "x", 1), 1);
  ck_lock_end(&lock);
  cr_expect_eq(access("l", F_OK), 0, "what was written is gone");
}

/* As restore does: at each moment the name is that of something locked. */
Test(file, a_lock_passes_to_what_takes_the_name_over) {
  struct ck_lock next;
  write_file("l", "old", 3);
  write_file("a", "new", 3);
  cr_assert_eq(ck_lock_file(&lock, "l", &err), 0, "%s", err.text);
  cr_assert_eq(ck_lock_file(&next, "a", &err), 0, "%s", err.text);
  cr_assert_eq(rename("a", "l"), 0);
  cr_expect_not(ck_lock_has_name(&lock));
  ck_lock_replace(&lock, &next);
  cr_expect(ck_lock_has_name(&lock) && next.fd == -1);
  cr_expect_not(ck_lock_is_free("l"));
  ck_lock_end(&lock);
  cr_expect(ck_lock_is_free("l"));
}

/* Takes the lock again and again, and counts how often another process had it, too. */
static int alone_in_turns(int turns) {
  int together = 0;
  while (turns) {
    if (ck_lock_file(&lock, "l", NULL)) continue;
    int inside = open("inside", O_CREAT | O_EXCL, 0600);
    together += inside < 0;
    if (inside >= 0) close(inside), unlink("inside");
    if (turns % 2) unlink("l");
    ck_lock_end(&lock);
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
  cr_assert_eq(ck_lock_file(&lock, "nowhere/l", &err), -1);
  cr_assert_str_eq(err.text, "nowhere/l: No such file or directory");
  cr_assert_eq(lock.fd, -1);
  cr_assert_eq(mkdir("d", 0700), 0);
  cr_assert_eq(ck_lock_file(&lock, "d", &err), -1);
  cr_assert_str_eq(err.text, "d: it is a folder, not a file");
  cr_assert_eq(symlink("a", "link"), 0);
  cr_assert_eq(ck_lock_file(&lock, "link", &err), -1);
  cr_assert_str_eq(err.text, "link: it is a symbolic link, not a file");
  cr_assert_neq(access("a", F_OK), 0, "the link was followed");
  cr_assert(ck_lock_is_free("link"));
}

Test(file, numbers_for_many) {
  struct ck_lock first, second;
  int k;
  cr_assert_eq(ck_number_take(&first, "n-", ".pid", &k, &err), 0, "%s", err.text);
  cr_expect_eq(k, 0);
  cr_assert_eq(ck_number_take(&second, "n-", ".pid", &k, &err), 0, "%s", err.text);
  cr_expect_eq(k, 1);
  ck_lock_end(&first);
  cr_assert_eq(ck_number_take(&first, "n-", ".pid", &k, &err), 0, "%s", err.text);
  cr_expect_eq(k, 0, "a number that is free again is not taken");
  cr_assert_eq(read_file("n-0.pid", 64), 0);
  cr_expect_eq(atoi(ck_buf_cstr(&b)), getpid(), "the file names its holder");
  ck_lock_end(&first);
  ck_lock_end(&second);
  unlink("n-0.pid");
  unlink("n-1.pid");
}

Test(file, a_pid_file) {
  write_file("a", "123456789\n", 10);
  cr_assert_eq(ck_pid_write("a", &err), 0, "%s", err.text);
  cr_assert_eq(read_file("a", 64), 0);
  cr_expect_eq(atoi(ck_buf_cstr(&b)), getpid());
  cr_assert_eq(symlink("b", "link"), 0);
  cr_assert_eq(ck_pid_write("link", &err), -1);
  cr_expect_neq(access("b", F_OK), 0, "the link was followed");
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
  char *mirror = ck_place_mirror_lock("/m/mirror.db");
  cr_expect_str_eq(mirror, "/m/mirror.db-lock");
  free(mirror);
}

Test(file, words_of_findings) {
  for (enum ck_finding f = CK_FOUND_OK; f <= CK_FOUND_WRONG; ++f)
    cr_expect_eq(ck_finding_named(ck_finding_word(f)), f);
  cr_expect_str_eq(ck_finding_word(CK_FOUND_NOTE), "note");
  cr_expect_eq(ck_finding_named("?"), CK_FOUND_WRONG);
}
