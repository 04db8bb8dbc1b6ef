/* One owner of the folder: no second ring, store, ingest or renewd comes in, whatever is removed;
 * and a folder, file or link of somebody else's is refused. */
#include "tests/harness/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define OTHER 54321 /* a user who is neither root nor the caller */
#define HELD_ELSEWHERE 4

static void shell(const char *command) { T_CHECK(system(command) == 0, "failed: %s", command); }

static void import_one(const char *id) {
  t_import_lines(0,
                 "{'platform': 'x', 'text': 'text', 'role': 'user', 'message_id': '%s', "
                 "'observed_at': 1700000000}\n",
                 id);
}

/* `convkeep WORDS` fails and says this. */
static void complains(const char *part, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == 1 && strstr(r.err, part), "convkeep %s: \"%s\" was expected: exit %d, %s%s",
          words[0], part, r.code, r.err, r.out);
  t_result_free(&r);
}
#define t_complains(part, ...) complains(part, (const char *const[]){__VA_ARGS__, NULL})

/* ---- no second one ---- */

static void no_second_up(void) {
  t_complains("a convkeep up already runs on this folder", "up", "--once");
}

/* As a cleaner of temporary files does. */
T_STORY(owner, no_second_ring_when_run_is_swept, 120) {
  static const char *const sweeps[] = {"rm -f run/*.pid", "rm -f run/*",
                                       "mv run swept && rm -r swept"};
  t_up();
  for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
    char id[32];
    pid_t store = t_pid("store");
    T_CHECK(store != 0, "there is no store");
    shell(sweeps[i]);
    no_second_up();
    if (i == 0) T_UNTIL(20000, t_pid("store") == store, "the pid file does not come again");
    if (i > 0) t_wait_other("store", store, 10000);
    snprintf(id, sizeof id, "after %zu", i);
    import_one(id);
    no_second_up();
  }
  T_CHECK(t_complained(t_up_process(), "was removed or replaced, so nobody finds this door"),
          "nothing was said");
  t_whole(20000);
  T_CHECK(t_count("messages") == 3, "something is missing");
}

static void refused_beside(const char *name) {
  struct t_process *second = t_daemon_try(name, NULL);
  int code = t_wait_end(second, 10000);
  T_CHECK(code == HELD_ELSEWHERE && t_complained(second, "runs on this data folder"),
          "a second %s ended with %d", name, code);
}

T_STORY(owner, no_second_daemon, 120) {
  static const char *const names[] = {"store", "ingest", "renewd"};
  for (size_t i = 0; i < 3; i++) t_daemon(names[i], NULL);
  shell("rm -f run/*.pid run/*.lock");
  for (size_t i = 0; i < 3; i++) refused_beside(names[i]);
  import_one("m1");
}

/* What it uses has another name, and another ring could begin where it was. */
static void ends(const char *name, const char *what, const char *part) {
  struct t_process *p = t_daemon_try(name, NULL);
  t_wait_ready(p, 20000);
  shell(what);
  int64_t begin = ck_boot_ms();
  int code = t_wait_end(p, 20000);
  T_CHECK(code == 1 && t_complained(p, part), "%s ended with %d after `%s`, without \"%s\"", name,
          code, what, part);
  t_note("%s ended %d ms after `%s`", name, (int)(ck_boot_ms() - begin), what);
}

T_STORY(owner, who_has_lost_its_name_ends, 120) {
  ends("ingest", "mv spool aside", "spool was removed or replaced");
  ends("ingest", "mv run swept && rm -r swept", "door.observe: run/observe was removed");
  ends("ingest", "rm -f run/observe && touch run/observe", "door.observe: run/observe was removed");
  ends("store", "rm run/snapshot", "door.snapshot: run/snapshot was removed");
  ends("syncd", "mv run swept && rm -r swept", "run/syncd-sqlite-0.pid was removed");
  t_daemon("store", NULL);
  ends("renewd", "rm -rf logs", "logs/renewal was removed");
}

T_STORY(owner, a_ring_whose_folder_is_moved_ends, 60) {
  t_up();
  import_one("m1");
  t_settle(20000);
  t_talk_forget();
  shell("mv ../data ../moved");
  int code = t_wait_end(t_up_process(), 20000);
  T_CHECK(code == 1 && t_complained(t_up_process(), "was removed"), "`up` ended with %d", code);
  shell("mv ../moved ../data");
  t_up();
  t_whole(20000);
  T_CHECK(t_count("messages") == 1, "something is missing");
}

/* ---- whose it is ---- */

static void refused_everywhere(const char *part) {
  t_complains(part, "up", "--once");
  t_complains(part, "status");
  t_complains(part, "import", "../out/one");
  t_complains(part, "doctor");
  struct t_process *store = t_daemon_try("store", NULL);
  T_CHECK(t_wait_end(store, 10000) == 2 && t_complained(store, part), "the store started");
}

static void fill(void) {
  t_write_text("../out/one", "{\"platform\":\"x\",\"text\":\"t\",\"role\":\"user\","
                             "\"message_id\":\"m1\",\"observed_at\":1700000000}\n");
  t_up();
  t_do(0, "import", "../out/one");
  t_settle(20000);
  t_down();
}

T_STORY(owner, others_cannot_write_here, 120) {
  fill();
  static const char *const places[] = {".", "spool", "keys/clients", "run"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    T_CHECK(chmod(places[i], 0770) == 0, "chmod");
    refused_everywhere("others may write to it (mode 770); take that away (chmod go-w)");
    T_CHECK(chmod(places[i], 0700) == 0, "chmod");
  }
  T_CHECK(chmod("convkeep.conf", 0606) == 0, "chmod");
  refused_everywhere("convkeep.conf: others may write to it (mode 606)");
  T_CHECK(chmod("convkeep.conf", 0644) == 0, "chmod");
  t_do(0, "up", "--once");
  T_CHECK(t_count("messages") == 1, "something is missing");
}

/* Her renew.exec would run as the caller. */
T_STORY(owner, another_users_folder_is_not_mine, 120) {
  if (geteuid() != 0) t_skip("only root can give a folder to another user");
  fill();
  T_CHECK(chown(".", OTHER, OTHER) == 0, "chown");
  refused_everywhere("it belongs to user 54321, and this is user 0");
  T_CHECK(chown(".", 0, 0) == 0 && chown("convkeep.conf", OTHER, OTHER) == 0, "chown");
  refused_everywhere("convkeep.conf: it belongs to user 54321");
  t_complains("convkeep.conf: it belongs to user 54321", "--config", "convkeep.conf", "config");
  T_CHECK(chown("convkeep.conf", 0, 0) == 0, "chown");
  t_do(0, "up", "--once");
}

/* A folder that root made, for a ring that is not root: as a mount in a container. */
T_STORY(owner, who_may_not_write_is_told_who_may, 60) {
  if (geteuid() != 0) t_skip("only root can become another user");
  char command[900];
  snprintf(command, sizeof command,
           "mkdir -m 755 ../mount && chmod 755 .. && setpriv --reuid %d --regid %d --clear-groups "
           "env HOME=/ %s/bin/convkeep --data %s/mount up --once 2>../out/said; test $? = 1",
           OTHER, OTHER, t_build(), t_folder());
  shell(command);
  char *said = t_read_file("../out/said", NULL);
  T_CHECK(said && strstr(said, "the folder belongs to user 0, and this is user 54321"), "%s", said);
  free(said);
}

T_STORY(owner, no_home_is_no_folder_here, 60) {
  char *data = ck_strdup(getenv("CONVKEEP_DATA"));
  unsetenv("CONVKEEP_DATA");
  static const char *const homes[] = {NULL, "", "some/where"};
  for (size_t i = 0; i < 3; i++) {
    if (homes[i])
      setenv("HOME", homes[i], 1);
    else
      unsetenv("HOME");
    struct t_result r = t_convkeep("up", "--once");
    T_CHECK(r.code == 2 && strstr(r.err, "HOME is not") && strstr(r.err, "--data"), "%d: %s",
            r.code, r.err);
    t_result_free(&r);
    T_CHECK(!t_exists(".local") && !t_exists("some"), "a folder was made here");
  }
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
}

/* ---- links ---- */

#define VICTIM "../out/victim"

/* Plants a link in place of the file, runs the ring, and looks at what the link leads to. `there`:
 * the other end exists. refused: the ring does not start. */
static void plant(const char *path, bool there, bool refused) {
  char target[700], said[200];
  snprintf(target, sizeof target, "%s/out/victim", t_folder());
  unlink(VICTIM);
  if (there) t_write_text(VICTIM, "precious\n");
  bool was = rename(path, "../out/aside") == 0;
  T_CHECK(symlink(target, path) == 0, "cannot plant %s", path);
  struct t_result r = t_convkeep("up", "--once");
  snprintf(said, sizeof said, "%s: it is a symbolic link, not a file", path);
  if (refused)
    T_CHECK(r.code == 1 && strstr(r.err, said), "%s was not refused: %d, %s", path, r.code, r.err);
  t_result_free(&r);
  char *now = t_read_file(VICTIM, NULL);
  T_CHECK(there ? now && strcmp(now, "precious\n") == 0 : !now, "what %s leads to was written: %s",
          path, now);
  free(now);
  remove(path);
  if (was) T_CHECK(rename("../out/aside", path) == 0, "cannot put %s back", path);
}

T_STORY(owner, planted_links_are_not_followed, 300) {
  static const struct {
    const char *path;
    bool refused;
  } files[] = {{"artifact.db", true},
               {"artifact.db-wal", true},
               {"artifact.db-shm", true},
               {"artifact.db-journal", true},
               {"mirror.db", true},
               {"mirror.db-lock", true},
               {"convkeep.conf", true},
               {"logs/store.log", true},
               {"logs/syncd.log", true},
               {"run/store.pid", true},
               {"run/ingest.pid", true},
               {"run/renewd-0.lock", true},
               {"run/syncd-sqlite-0.pid", true},
               {"spool/producer", true},
               {"spool/released", true},
               {"mirror.db-wal", false},
               {"artifacts/.spare", false},
               {"artifacts/.cursor", false},
               {"run/intake", false},
               {"run/up.pid", true},
               {"run/up.json", false},
               {"run/up.json.new", false},
               {"run/observe", false},
               {"artifact.db.restore", false},
               {"artifact.db.swap-20261122T200200Z", true}};
  fill();
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    plant(files[i].path, true, files[i].refused);
    plant(files[i].path, false, files[i].refused);
  }
  import_one("m2");
  t_do(0, "up", "--once");
  T_CHECK(t_count("messages") == 2, "something is missing");
}

static bool files_are_in_trouble(void) {
  struct t_result r = t_convkeep("status");
  bool so = strstr(r.out, "artifacts/conversations") != NULL;
  t_result_free(&r);
  return so;
}

/* In place of a folder, they would lead all that is written there elsewhere. */
T_STORY(owner, planted_links_to_folders_are_not_followed, 120) {
  static const char *const inside[] = {"run",   "logs", "logs/renewal", "keys",
                                       "spool", "web",  "artifacts"};
  char target[700];
  snprintf(target, sizeof target, "%s/out/elsewhere", t_folder());
  fill();
  T_CHECK(mkdir(target, 0700) == 0, "cannot make a folder");
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
    T_CHECK(rename(inside[i], "../out/aside") == 0 && symlink(target, inside[i]) == 0, "no link");
    t_complains("it must be a folder, and no symbolic link to one", "up", "--once");
    T_CHECK(unlink(inside[i]) == 0 && rename("../out/aside", inside[i]) == 0, "cannot undo it");
  }
  T_CHECK(rename("artifacts/conversations", "../out/aside") == 0 &&
              symlink(target, "artifacts/conversations") == 0,
          "no link");
  t_up();
  import_one("m2");
  T_UNTIL(10000, files_are_in_trouble(), "the status does not name artifacts/conversations");
  t_down();
  T_CHECK(rmdir(target) == 0, "something was written at the other end");
}

T_STORY(owner, keys_are_not_made_through_links, 60) {
  t_do(0, "import", "/dev/null");
  T_CHECK(symlink(VICTIM, "keys/store.key_secret") == 0, "no link");
  t_complains("keys already exist", "keys", "init");
  T_CHECK(unlink("keys/store.key_secret") == 0 &&
              symlink("../" VICTIM, "keys/clients/client.key") == 0,
          "no link");
  t_complains("keys already exist", "keys", "init");
  T_CHECK(!t_exists(VICTIM) && !t_exists("keys/store.key"), "something was written");
}

/* People keep their data on another disk. */
T_STORY(owner, a_link_of_my_own_to_the_folder_is_followed, 60) {
  T_CHECK(symlink("data", "../link") == 0, "no link");
  t_do(0, "--data", "../link", "import", "/dev/null");
  T_CHECK(t_exists("artifact.db"), "this is another folder");
  if (geteuid() != 0) t_skip("only root can give a link to another user");
  T_CHECK(lchown("../link", OTHER, OTHER) == 0, "chown");
  t_complains("a symbolic link of another user's (54321) is on the way", "--data", "../link",
              "status");
}
