/* A conversation with many messages is forgotten in pieces: what kills the store between them, or
 * in one, leaves nothing of it in the end; and everybody else's changesets are taken between them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define SECRET "xyzzy-9876543210"
#define MESSAGES 12000 /* some thirty pieces */
#define MANY 100000    /* the long form */
#define KILLS 12
#define PIECES_LEAST 3

static int messages(void) { return t_long() ? MANY : MESSAGES; }

static void look(const char *path, void *self) {
  char *found = self;
  size_t n;
  char *bytes = t_read_file(path, &n);
  if (bytes && memmem(bytes, n, SECRET, strlen(SECRET))) snprintf(found, 400, "%s", path);
  free(bytes);
}

/* A file of the data folder that has the secret; "" if none has. */
static const char *file_with_secret(void) {
  static char found[400];
  *found = 0;
  t_walk(".", look, found);
  return found;
}

static void import_conversation(void) {
  struct ck_buf b = {0};
  for (int i = 0; i < messages(); ++i)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"" SECRET " is in number %d, with some words after"
                  " it\",\"message_id\":\"message-%d\",\"role\":\"%s\",\"conversation_id\":\"c1\","
                  "\"observed_at\":%d}\n",
                  i, i, i % 2 ? "assistant" : "user", 1700000000 + i);
  t_write_file("../out/export.jsonl", b.data, b.len);
  ck_buf_free(&b);
  t_do(0, "import", "../out/export.jsonl");
  t_import_lines(0, "{'platform':'x','text':'another','message_id':'other-0','role':'user',"
                    "'conversation_id':'c2','observed_at':1700000000}\n");
}

static struct t_process *begin_forget(void) {
  char program[4096];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *const argv[] = {program, "--data", ".", "forget", "x:c1", "--yes", NULL};
  return t_start("forget", NULL, false, argv);
}

static size_t under_way(void) {
  json_t *status = t_status(10000);
  size_t n = json_array_size(json_object_get(status, "forgetting"));
  json_decref(status);
  return n;
}

static bool has_begun(void) {
  return t_sql_int("artifact.db", "SELECT count(*) FROM forgetting") > 0;
}

/* Without a pause, and without the store, which would take longer to answer than the pieces do. */
static void await_begin(void) {
  for (int64_t until = ck_boot_ms() + 20000 * T_SLOWER; !has_begun();)
    T_CHECK(ck_boot_ms() < until, "it does not begin, or was done before it was seen");
}

static void is_gone(void) {
  t_says(0, "forgotten", "forget", "x:c1", "--yes");
  T_CHECK(!*file_with_secret(), "%s has it", file_with_secret());
  T_CHECK(t_count("messages") == 1, "%lld messages are left", (long long)t_count("messages"));
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM messages") == 1, "the mirror has it");
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT (SELECT count(*) FROM forgetting) + (SELECT count(*) FROM"
                    " forgetting_homes) + (SELECT count(*) FROM forgetting_files)") == 0,
          "something is still to be done");
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM forgotten WHERE table_name = 'messages'") == messages(),
          "not all of it is kept away");
  t_whole(60000);
  t_do(0, "doctor");
  t_do(0, "sync", "verify", "--deep");
}

/* kill -9 again and again until it is done; with an import of the same in between, which brings
 * nothing back. */
T_STORY(forget, killed_between_the_pieces, 300) {
  t_up();
  import_conversation();
  t_settle(60000);
  T_CHECK(*file_with_secret(), "no file has it, which is no test");
  struct t_process *forget = begin_forget();
  int kills = 0;
  await_begin();
  do {
    t_wait_other("store", t_kill("store", SIGKILL), 10000);
    t_pause((int)t_random_below(60));
  } while (++kills < KILLS && under_way());
  t_note("%d kills", kills);
  t_wait_end(forget, 60000);
  json_t *line = t_import(0, "../out/export.jsonl");
  T_CHECK(t_int_at(line, "new", -1) == 0, "an import brings something: %s", json_dumps(line, 0));
  json_decref(line);
  is_gone();
}

/* A copy from between the pieces goes on where it was, when it is put back. */
T_STORY(forget, a_copy_from_between_the_pieces_is_restored, 300) {
  t_up();
  import_conversation();
  t_settle(60000);
  struct t_process *forget = begin_forget();
  await_begin();
  t_do(0, "backup", "../out/copy.db");
  T_CHECK(t_sql_int("../out/copy.db", "SELECT count(*) FROM forgetting") > 0,
          "the copy is not from between the pieces");
  t_wait_end(forget, 60000);
  is_gone();
  t_down();
  t_do(0, "restore", "../out/copy.db");
  t_up();
  T_UNTIL(60000, !has_begun(), "it does not go on");
  is_gone();
}

/* How often something else was committed between two of its records. */
static int64_t pieces(void) {
  return t_sql_int("artifact.db",
                   "SELECT count(*) FROM (SELECT version - lag(version) OVER (ORDER BY version)"
                   " AS step FROM forgotten) WHERE step > 1");
}

T_STORY(forget, others_go_on_between_the_pieces, 300) {
  t_up();
  import_conversation();
  t_settle(120000);
  struct t_producer *p = t_producer("other");
  int64_t begun = ck_boot_ms(), longest = 0, deleted = 0;
  struct t_process *forget = begin_forget();
  int taken = 0;
  for (; !t_ended(forget); ++taken) {
    int64_t at = ck_boot_ms();
    t_taken(p, 'n', "messages",
            "{'id':'new-%d','platform':'x','role':'user','raw_text':'t','observed_at':%d}", taken,
            1700000000 + taken);
    int64_t took = ck_boot_ms() - at;
    if (took > longest) longest = took;
    if (!deleted && taken % 8 == 7 && !under_way()) deleted = ck_boot_ms();
    t_pause(5);
  }
  t_note("%d messages: %lld ms until the command ended; %d other changesets, the longest waited"
         " %lld ms; %lld pieces",
         messages(), (long long)(ck_boot_ms() - begun), taken, (long long)longest,
         (long long)pieces());
  T_CHECK(t_wait_end(forget, 1000) == 0, "it was not forgotten");
  T_CHECK(pieces() >= PIECES_LEAST, "the others waited for all of it: %lld pieces",
          (long long)pieces());
  T_CHECK(t_count("messages") == 1 + taken, "not everything is there");
}
