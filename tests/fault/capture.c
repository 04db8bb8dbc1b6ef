/* Sessions of Claude Code and Codex are written, renamed, compressed and removed, while ingest and
 * the store are killed and the disk is full: each message is there once, in its order, is found by
 * `search` 2 s after it was written, and in the end the rows are those of an import of the finished
 * files.
 *
 *   CONVKEEP_TEST_MINUTES   how long (some 20 s)
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/small_disk.h"
#include "tests/fault/writer.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/rows.h"

#define PLAY_MS 20000
#define SCRIPTS_A_MINUTE 45
#define FOUND_MS 2000 /* after which a message is found */
#define LATE_MS 10000 /* later is a failure; one of LATE_OF may be late if the machine is busy */
#define LATE_OF 20
#define AFTER_MS 5000    /* likewise, if a daemon was killed or the disk was full meanwhile */
#define APART_MS 1500    /* between two kills of some, at most; on average half of that */
#define FULL_MS 3000     /* how long the disk is full */
#define CALM_MS 12000    /* between two full disks, at least */
#define HELD_ELSEWHERE 4 /* the exit code of a daemon whose lock another process holds */
#define AGAIN_MS 300     /* before a daemon that a full disk has ended is started again */
#define ROOM_LEFT 8192   /* on a disk that is full */

enum { STORE, INGEST, RENEWD, SYNCD, MEMBERS };
static const char *const names[MEMBERS] = {"store", "ingest", "renewd", "syncd"};

static struct {
  struct writer writer;
  struct t_process *member[MEMBERS];
  bool ready[MEMBERS];
  int64_t start_at[MEMBERS]; /* ck_boot_ms(), of one that has ended */
  int64_t kill_at, full_at, room_at;
  bool full;
  int64_t calm_since; /* ck_boot_ms() since when all run and there is room */
  unsigned kills[MEMBERS], fulls, felt, ended, asked, late, disturbed;
  /* the question that is out */
  struct t_process *question;
  const struct written *about;
  size_t next; /* message that may be asked for */
} game;

/* ---- the daemons ---- */

static void start_member(int i) {
  game.member[i] = t_daemon_try(names[i], NULL);
  game.ready[i] = false;
}

static void look_ready(int i) {
  struct t_process *p = game.member[i];
  struct pollfd line = {p->ready, POLLIN, 0};
  char word[8] = "";
  if (game.ready[i] || p->ready < 0 || poll(&line, 1, 0) <= 0) return;
  game.ready[i] = read(p->ready, word, 6) == 6 && strcmp(word, "ready\n") == 0;
  close(p->ready);
  p->ready = -1;
}

/* Without a ring a command has a store of its own for a moment, which holds the lock. */
static bool is_held_elsewhere(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) == HELD_ELSEWHERE;
}

/* A daemon may end by itself while the disk is full, and is started again, as `up` does. */
static void revive(int i) {
  int64_t now = ck_boot_ms();
  look_ready(i);
  if (!t_ended(game.member[i])) return;
  if (!game.start_at[i]) {
    int status = game.member[i]->status;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    T_CHECK(killed || is_held_elsewhere(status) ||
                (WIFEXITED(status) && (game.full || now < game.room_at + AFTER_MS)),
            "%s ended by itself with status %#x", names[i], (unsigned)status);
    game.ended += !killed && !is_held_elsewhere(status);
    game.start_at[i] = killed ? now : now + AGAIN_MS;
  }
  if (game.start_at[i] > now) return;
  if (game.member[i]->ready >= 0) close(game.member[i]->ready);
  game.start_at[i] = 0;
  start_member(i);
}

static bool all_run(void) {
  for (int i = 0; i < MEMBERS; ++i)
    if (!game.ready[i] || t_ended(game.member[i])) return false;
  return true;
}

static void kill_one(int i) {
  if (t_ended(game.member[i])) return;
  kill(game.member[i]->pid, SIGKILL);
  t_wait_end(game.member[i], 10000);
  ++game.kills[i];
}

/* Ingest, the store, or both: some times, and then not until messages were asked for. */
static void kill_in_turn(void) {
  if (ck_boot_ms() < game.kill_at) return;
  uint64_t who = t_random_below(5);
  if (who < 3) kill_one(INGEST);
  if (who > 1) kill_one(STORE);
  int64_t apart = (int64_t)t_random_below(APART_MS);
  game.kill_at = ck_boot_ms() + apart + (t_random_below(6) ? 0 : AFTER_MS + FOUND_MS);
}

static void fill_in_turn(void) {
  int64_t now = ck_boot_ms();
  if (!game.full && now >= game.full_at) {
    small_disk_fill("ballast", ROOM_LEFT);
    game.full = true;
    game.room_at = now + FULL_MS;
    ++game.fulls;
  } else if (game.full && now >= game.room_at) {
    game.felt += t_complained(game.member[STORE], "disk is full") ||
                 t_complained(game.member[INGEST], "disk_full");
    T_CHECK(unlink("ballast") == 0, "cannot make room");
    game.full = false;
    game.full_at = now + CALM_MS + (int64_t)t_random_below(CALM_MS);
  }
}

static void disturb(void) {
  kill_in_turn();
  fill_in_turn();
  for (int i = 0; i < MEMBERS; ++i) revive(i);
  if (game.full || !all_run()) game.calm_since = ck_boot_ms();
}

/* ---- questions ---- */

static bool is_stored(const char *word) {
  char sql[160];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM messages WHERE instr(raw_text, '%s')", word);
  return game.ready[STORE] && t_sql_int("artifact.db", sql) == 1;
}

static void ask(const struct written *about) {
  char program[600];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *argv[] = {program, "search", about->word, "--json", NULL};
  game.about = about;
  game.question = t_start("search", NULL, false, argv);
}

/* How often the answer has the word in a message's id line. */
static unsigned hits(void) {
  json_t *lines = t_read_lines(game.question->out), *line;
  unsigned n = 0;
  size_t i;
  json_array_foreach(lines, i, line) n += json_is_string(json_object_get(line, "message_id"));
  json_decref(lines);
  return n;
}

/* When it must be found, given what has happened since it was written. */
static int64_t due(const struct written *about) {
  int64_t since = about->at > game.calm_since ? about->at : game.calm_since;
  return about->at >= game.calm_since ? since + FOUND_MS : since + AFTER_MS;
}

/* Asks again until it is found. */
static void hear(int64_t asked_at) {
  static const struct written *late;
  const struct written *about = game.about;
  int code = WIFEXITED(game.question->status) ? WEXITSTATUS(game.question->status) : -1;
  unsigned n = code == 0 ? hits() : 0;
  game.question = NULL;
  T_CHECK(n <= 1, "%s was found %u times", about->word, n);
  T_CHECK(n == 1 || asked_at < due(about) + LATE_MS - FOUND_MS,
          "%s of %s was not found %lld ms after it was written, and %lld ms after the last "
          "disturbance: exit %d",
          about->word, about->script->name, (long long)(asked_at - about->at),
          (long long)(asked_at - game.calm_since), code);
  if (!n && asked_at >= due(about) && late != about) {
    late = about;
    ++game.late;
  }
  game.asked += n;
  game.disturbed += n && game.calm_since > about->at;
  if (!n) ask(about);
}

/* The newest message that is due is asked for, one at a time. */
static void look(void) {
  static int64_t asked_at;
  const struct writer *w = &game.writer;
  if (game.question) {
    if (!t_ended(game.question)) return;
    int64_t at = asked_at;
    asked_at = ck_boot_ms();
    hear(at);
    if (game.question) return;
  }
  while (game.next + 1 < w->said_count && due(&w->said[game.next + 1]) <= ck_boot_ms()) ++game.next;
  if (game.next >= w->said_count || due(&w->said[game.next]) > ck_boot_ms()) return;
  asked_at = ck_boot_ms();
  ask(&w->said[game.next++]);
}

/* ---- the game ---- */

static int64_t play_ms(void) { return t_minutes() ? t_minutes() * (int64_t)60000 : PLAY_MS; }

static void play(void) {
  struct writer *w = &game.writer;
  int64_t begin = ck_boot_ms(), ms = play_ms(), until = begin + (ms + 30000) * T_SLOWER;
  game.kill_at = begin + 3000;
  game.full_at = begin + CALM_MS / 2;
  game.calm_since = begin;
  while (!writer_done(w)) {
    int64_t now = ck_boot_ms();
    T_CHECK(now < until, "%zu of %zu lines were written, %zu of %zu files are finished", w->lines,
            w->total, w->finished, w->count);
    if ((int64_t)w->lines * ms <= (now - begin) * (int64_t)w->total) writer_step(w, is_stored);
    disturb();
    look();
    t_pause(1);
  }
}

static void wait_calm(void) {
  if (game.full) T_CHECK(unlink("ballast") == 0, "cannot make room");
  game.room_at = ck_boot_ms();
  game.full = false;
  for (int64_t until = ck_boot_ms() + 20000 * T_SLOWER; !all_run(); t_pause(5)) {
    T_CHECK(ck_boot_ms() < until, "not all daemons came back");
    for (int i = 0; i < MEMBERS; ++i) revive(i);
  }
  if (game.question) t_wait_end(game.question, 10000);
}

static json_t *import_finished(void) {
  char *data = ck_strdup(getenv("CONVKEEP_DATA"));
  char claude[300], codex[300];
  snprintf(claude, sizeof claude, "%s/.claude", getenv("HOME"));
  snprintf(codex, sizeof codex, "%s/.codex", getenv("HOME"));
  writer_write_finished(&game.writer);
  setenv("CONVKEEP_DATA", "../imported", 1);
  t_do(0, "import", claude, codex);
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
  writer_remove_finished(&game.writer);
  return t_rows("../imported/artifact.db");
}

/* Its words come one after another when it is read. */
static void check_order(const struct script *s) {
  json_t *lines = t_lines(0, "read", s->conversation), *line;
  size_t i, at = 0;
  json_array_foreach(lines, i, line) {
    const char *text = json_string_value(json_object_get(line, "raw_text"));
    while (at < s->count && !*s->lines[at].word) ++at;
    if (text && at < s->count && strstr(text, s->lines[at].word)) ++at;
  }
  while (at < s->count && !*s->lines[at].word) ++at;
  T_CHECK(at == s->count, "%s is not read in its order: %s is missing", s->conversation,
          s->lines[at].word);
  json_decref(lines);
}

static void end_members(void) {
  for (int i = MEMBERS; i-- > 0;) t_signal(game.member[i], SIGTERM);
  for (int i = 0; i < MEMBERS; ++i)
    T_CHECK(t_wait_end(game.member[i], 10000) == 0, "%s did not end well", names[i]);
}

static void say(void) {
  const struct writer *w = &game.writer;
  t_note("%zu lines in %zu files, %zu messages; %u half lines, %u renamed, %u replaced, %u "
         "archived, %u compressed, %u removed",
         w->total, w->count, w->said_count, w->half_lines, w->moved, w->replaced, w->archived,
         w->compressed, w->removed);
  t_note("%u kills of ingest, %u of the store; %u full disks, said %u times, %u daemons ended; %u "
         "messages asked for, %u of them after a disturbance, %u found late",
         game.kills[INGEST], game.kills[STORE], game.fulls, game.felt, game.ended, game.asked,
         game.disturbed, game.late);
  T_CHECK(game.felt + game.ended && game.asked && game.kills[STORE] && game.kills[INGEST],
          "nothing happened");
  T_CHECK(game.late <= 1 + game.asked / LATE_OF, "too many were found late");
}

T_STORY(capture, sessions_under_kills_and_a_full_disk, 900) {
  char home[300];
  small_disk_mount(".", t_minutes() ? "1500m" : "250m");
  T_CHECK(chdir(getenv("CONVKEEP_DATA")) == 0, "no data folder");
  snprintf(home, sizeof home, "%s/home", t_folder());
  T_CHECK(mkdir(home, 0700) == 0, "%s", home);
  setenv("HOME", home, 1);
  unsetenv("CLAUDE_CONFIG_DIR");
  unsetenv("CODEX_HOME");
  writer_new(&game.writer, (size_t)(play_ms() * SCRIPTS_A_MINUTE / 60000));
  json_t *expected = import_finished();
  t_set("ingest.watch", "on");
  for (int i = 0; i < MEMBERS; ++i) start_member(i);
  wait_calm();
  play();
  wait_calm();
  t_wait_rows(expected, 60000);
  json_decref(expected);
  for (size_t i = 0; i < game.writer.count; ++i) check_order(&game.writer.scripts[i]);
  say();
  t_whole(60000);
  t_doctor_finds(0, "originals", "ok", "");
  end_members();
  writer_free(&game.writer);
}
