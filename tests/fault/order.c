/* The order of syncs and renames: a backup is on the disk before it gets its name; the readable
 * files before the cursor that vouches for them; a restored database before it replaces the former
 * one. preload/calls.c records the calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"

#define CALLS 100000

static char *calls[CALLS];
static int count;

static void watch(void) {
  char file[512], shim[512];
  snprintf(file, sizeof file, "%s/calls", t_folder());
  snprintf(shim, sizeof shim, "%s/tests/calls.so", t_build());
  setenv("CALLS_FILE", file, 1);
  setenv("LD_PRELOAD", shim, 1);
  if (T_SLOWER > 1) /* AddressSanitizer insists on being the first library */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:abort_on_error=0:exitcode=99", 1);
}

static void read_calls(void) {
  static char *text;
  free(text);
  text = t_read_file("../calls", NULL);
  T_CHECK(text != NULL, "no calls were seen");
  count = 0;
  for (char *line = strtok(text, "\n"); line && count < CALLS; line = strtok(NULL, "\n"))
    calls[count++] = line;
}

static bool ends(const char *text, const char *end) {
  return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* The next call of this kind, at or after `from`, whose path contains `part`; -1: none. */
static int next(int from, const char *kind, const char *part) {
  size_t n = strlen(kind);
  for (int i = from; i < count; i++)
    if (strncmp(calls[i], kind, n) == 0 && calls[i][n] == ' ' && strstr(calls[i] + n, part))
      return i;
  return -1;
}

/* The same, whose path ends with `end`. */
static int next_to(int from, const char *kind, const char *end) {
  int i = next(from, kind, end);
  while (i >= 0 && !ends(calls[i], end)) i = next(i + 1, kind, end);
  return i;
}

static void import_some(int from, int to) {
  for (int i = from; i < to; i++)
    t_import_lines(0,
                   "{'platform': 'x', 'text': 'number %d', 'role': 'user',"
                   " 'message_id': 'm%d', 'conversation_id': 'c', 'observed_at': %d}",
                   i, i, i + 1);
}

/* All files are made at once, so that their cursor is saved once. At its end a store that has files
 * to save, and a slow disk, only notes which files are written. */
T_STORY(order, files_before_their_cursor, 60) {
  import_some(0, 3);
  T_CHECK(system("rm -r artifacts") == 0, "there are no readable files");
  watch();
  t_up();
  t_settle(20000);
  T_UNTIL(20000, t_exists("artifacts/.cursor"), "there is no cursor");
  t_down();
  read_calls();
  int cursors = 0;
  for (int from = 0, at; (at = next_to(from, "name", " .cursor")) >= 0; from = at + 1, cursors++) {
    int files = next(from, "syncfs", "/artifacts");
    T_CHECK(files >= 0 && files < at, "the cursor is moved before the files are on the disk");
    int own = next(files, "sync", "/artifacts");
    T_CHECK(own >= 0 && own < at, "the cursor has its name before it is on the disk");
  }
  T_CHECK(cursors > 0, "the cursor was never written");
}

T_STORY(order, a_backup_before_its_name_and_a_restore_before_its_place, 90) {
  char copy[512];
  snprintf(copy, sizeof copy, "%s/out/copy.db", t_folder());
  watch();
  t_up();
  import_some(0, 3);
  t_settle(20000);
  t_do(0, "backup", copy);
  t_down();
  read_calls();
  int at = next_to(0, "name", "/out/copy.db"), whole = next(0, "sync", "/out/.copy.db");
  T_CHECK(at >= 0, "the backup never got its name");
  T_CHECK(whole >= 0 && whole < at, "the backup has its name before it is on the disk");
  T_CHECK(next_to(at, "sync", "/out") > at, "the backup's name is not on the disk");
  int before = count;
  t_do(0, "restore", copy);
  read_calls();
  int staged = next_to(before, "name", "artifact.db.restore"),
      decided = next(before, "name", "artifact.db.swap-"),
      placed = next_to(before, "name", " artifact.db");
  T_CHECK(staged >= 0 && decided > staged && placed > decided,
          "nothing was staged, decided or put in place");
  int whole_copy = next(before, "sync", "/data/artifact.db.restore"),
      note = next_to(decided, "sync", "/data");
  T_CHECK(whole_copy >= 0 && whole_copy < staged, "the staged copy is not on the disk");
  T_CHECK(note > decided && note < placed,
          "the decision is not on the disk before the database is in its place");
  T_CHECK(next_to(placed, "sync", "/data") > placed, "the database's new name is not on the disk");
}
