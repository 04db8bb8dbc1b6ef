/* A full disk: observations are refused with a reason, nothing acknowledged is lost, and everything
 * goes on when there is room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fault/load.h"
#include "tests/harness/small_disk.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

/* Without its ballast, this has room for all that a load of 2500 leads to: some 75 MB, as each
 * observation is of another conversation, and each record has two files of a page or more. */
#define ROOMY "128m"

/* Loads until ingest refuses or acknowledgements stop; then makes room and loads the rest. */
static void full_and_room_again(const char *ballast, unsigned observations) {
  struct load *l = load_new(observations, 1000);
  int64_t until = ck_boot_ms() + 60000 * T_SLOWER;
  while (load_problems(l) == 0) {
    T_CHECK(!load_done(l), "all %u were taken on a disk that cannot hold them", observations);
    T_CHECK(ck_boot_ms() < until, "a full disk is not refused: %u taken and then silence",
            load_taken(l));
    load_step(l);
  }
  t_note("full after %u observations: %s", load_taken(l), load_last_problem(l));
  T_CHECK(strlen(load_last_problem(l)) > 10, "the refusal does not say why");
  for (int64_t end = ck_boot_ms() + 1500; ck_boot_ms() < end;) load_step(l);
  T_CHECK(unlink(ballast) == 0, "cannot make room");
  until = ck_boot_ms() + 60000 * T_SLOWER;
  while (!load_done(l)) {
    T_CHECK(ck_boot_ms() < until, "it does not go on when there is room: %u of %u; %s",
            load_taken(l), observations, load_last_problem(l));
    load_step(l);
  }
  load_check(&l, 60000);
}

T_STORY(disk, all_of_it_full, 200) {
  small_disk_mount(".", ROOMY);
  T_CHECK(chdir(getenv("CONVKEEP_DATA")) == 0, "no data folder");
  t_up();
  small_disk_fill("ballast", 2 << 20); /* less than the spool needs, however slow the store is */
  full_and_room_again("ballast", 2500);
}

/* The first error that a daemon reports, with the daemon's name; "": none does. */
static const char *an_error(void) {
  static const char *const names[] = {"store", "ingest", "renewd", "syncd", "webd"};
  static char said[500];
  json_t *status = t_status(5000);
  said[0] = '\0';
  T_CHECK(status, "the store does not answer");
  for (size_t i = 0; i < sizeof names / sizeof *names && !said[0]; i++) {
    const char *e = t_text_at(t_daemon_entry(status, names[i], 0), "info.last_error");
    if (e && *e) snprintf(said, sizeof said, "%s: %s", names[i], e);
  }
  json_decref(status);
  return said;
}

/* An error names the full disk, and is gone once there is room, although nothing is sent meanwhile.
 */
T_STORY(disk, a_full_one_is_named_while_it_is_full, 200) {
  char says[600];
  small_disk_mount(".", ROOMY);
  T_CHECK(chdir(getenv("CONVKEEP_DATA")) == 0, "no data folder");
  snprintf(says, sizeof says, "the disk is full, the one of %s", getenv("CONVKEEP_DATA"));
  t_up();
  small_disk_fill("ballast", 4 << 20);
  struct load *l = load_new(2000, 1000);
  for (int64_t until = ck_boot_ms() + 60000 * T_SLOWER; !strstr(an_error(), says);)
    for (int64_t end = ck_boot_ms() + 50; ck_boot_ms() < end; load_step(l))
      T_CHECK(ck_boot_ms() < until, "the full disk is not named: %s", an_error());
  T_CHECK(unlink("ballast") == 0, "cannot make room");
  T_UNTIL(1500, !*an_error(), "all is well, and the status says: %s", an_error());
  for (int64_t until = ck_boot_ms() + 60000 * T_SLOWER; !load_done(l); load_step(l))
    T_CHECK(ck_boot_ms() < until, "it does not go on when there is room: %u taken; %s",
            load_taken(l), load_last_problem(l));
  load_check(&l, 60000);
}

T_STORY(disk, the_spool_full, 200) {
  T_CHECK(mkdir("spool", 0700) == 0, "no spool");
  small_disk_mount("spool", "24m");
  t_up();
  small_disk_fill("spool/ballast", 256 << 10);
  /* With the store stopped, the spool must hold everything. */
  pid_t store = t_kill("store", SIGSTOP);
  struct load *l = load_new(3000, 1000);
  int64_t until = ck_boot_ms() + 30000 * T_SLOWER;
  while (load_problems(l) == 0) {
    T_CHECK(ck_boot_ms() < until && !load_done(l), "a full spool is not refused: %u taken",
            load_taken(l));
    load_step(l);
  }
  t_note("full after %u observations: %s", load_taken(l), load_last_problem(l));
  T_CHECK(unlink("spool/ballast") == 0, "cannot make room");
  kill(store, SIGCONT);
  until = ck_boot_ms() + 60000 * T_SLOWER;
  while (!load_done(l)) {
    T_CHECK(ck_boot_ms() < until, "it does not go on when there is room: %u taken; %s",
            load_taken(l), load_last_problem(l));
    load_step(l);
  }
  load_check(&l, 60000);
}

/* ---- the files of conversations ---- */

/* So many conversations, with this in their titles and texts of some KB. */
static void converse(int conversations, const char *title) {
  struct ck_buf lines = {0};
  char text[6001];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  for (int i = 0; i < conversations; ++i)
    ck_buf_printf(&lines,
                  "{'platform': 'chatgpt', 'conversation_id': 'c%d', 'message_id': '%s%d',"
                  " 'role': 'user', 'page_title': '%s %d', 'observed_at': %d, 'text': '%s'}\n",
                  i, title, i, title, i, (*title == 'F' ? 1000 : 2000) + i, text);
  t_import_lines(0, "%s", ck_buf_cstr(&lines));
  ck_buf_free(&lines);
}

static bool all_written(void) {
  return t_status_int("artifacts.cursor", -1) == t_status_int("version", 0);
}

static void check_folder(const char *what, const char *command) {
  T_CHECK(system(command) == 0, "%s", what);
}

/* The store goes on without room for its readable files. They come when there is room, under the
 * titles of then, and nothing else is left, also if the store was killed meanwhile. */
T_STORY(disk, the_readable_files_full, 100) {
  T_CHECK(mkdir("artifacts", 0700) == 0, "no artifacts");
  small_disk_mount("artifacts", "16m");
  t_up();
  converse(20, "Fish");
  T_UNTIL(30000, all_written(), "the files are not written");
  small_disk_fill("artifacts/ballast", 48 << 10);
  converse(60, "Tank");
  T_UNTIL(30000, *an_error(), "a full disk is not said");
  t_note("%s", an_error());
  t_kill("store", SIGKILL);
  T_UNTIL(30000, t_status_int("version", -1) > 0, "the store does not come back");
  T_UNTIL(30000, *an_error(), "a full disk is not said again");
  T_CHECK(unlink("artifacts/ballast") == 0, "cannot make room");
  T_UNTIL(30000, all_written() && !*an_error(), "the files do not come: %s", an_error());
  check_folder("each has two files", "test $(ls artifacts/conversations | wc -l) = 120");
  check_folder("under their titles of now",
               "test $(ls artifacts/conversations | grep -c Tank) = 120");
  check_folder("of 60 conversations", "test $(cat artifacts/conversations/*.md | grep '^id: ' |"
                                      " sort -u | wc -l) = 60");
  check_folder("nothing is left", "test -z \"$(ls -A artifacts | grep -v '^\\.names' |"
                                  " grep -vx 'conversations\\|\\.cursor')\"");
  t_doctor_finds(0, "artifacts", "ok", "");
}
