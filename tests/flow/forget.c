/* A secret was pasted: it is forgotten, is in no file afterwards, and stays away. */
#include "tests/harness/base.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/database.h"
#include "tests/harness/originals.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define SECRET "xyzzy-0123456789"

struct search {
  const char *text;
  char found[400];
};

static void look(const char *path, void *self) {
  struct search *s = self;
  size_t n;
  char *bytes = t_read_file(path, &n);
  if (bytes && memmem(bytes, n, s->text, strlen(s->text)))
    snprintf(s->found, sizeof s->found, "%s", path);
  free(bytes);
}

/* A file of the data folder that has the text; "" if none has. */
static const char *file_with(const char *text) {
  static struct search s;
  s = (struct search){.text = text};
  t_walk(".", look, &s);
  return s.found;
}

static const char export_text[] =
    "{\"platform\":\"x\",\"text\":\"my key is " SECRET "\",\"message_id\":\"message-1\","
    "\"role\":\"user\",\"conversation_id\":\"c1\",\"page_title\":\"keys\",\"observed_at\":"
    "1700000000}\n"
    "{\"platform\":\"x\",\"text\":\"I shall not tell\",\"message_id\":\"message-2\","
    "\"parent_id\":\"message-1\",\"role\":\"assistant\",\"conversation_id\":\"c1\","
    "\"observed_at\":1700000001}\n"
    "{\"platform\":\"x\",\"text\":\"another conversation\",\"message_id\":\"message-3\","
    "\"role\":\"user\",\"conversation_id\":\"c2\",\"observed_at\":1700000002}\n";

static void import_export(void) {
  t_write_file("../out/export.jsonl", export_text, sizeof export_text - 1);
  t_do(0, "import", "../out/export.jsonl");
}

/* It was longer first. */
static void import_former(void) {
  t_import_lines(0, "{'platform':'x','text':'my key is " SECRET " or so, and more of it',"
                    "'message_id':'message-1','role':'user','conversation_id':'c1',"
                    "'observed_at':1600000000}\n");
}

static int64_t forgotten_in(json_t *line) {
  const char *kind;
  json_t *count;
  int64_t n = 0;
  json_object_foreach(json_object_get(line, "notes"), kind, count) {
    if (strstr(kind, "forgotten")) n += json_integer_value(count);
  }
  return n;
}

static int found(const char *text) {
  json_t *hits = t_lines(0, "search", text);
  int n = (int)json_array_size(hits);
  json_decref(hits);
  return n;
}

static void is_whole(void) {
  t_settle(20000);
  t_do(0, "forget", "--again"); /* notes what no command has told the store */
  t_do(0, "doctor");
  t_do(0, "sync", "verify", "--deep");
}

T_STORY(forget, a_conversation_is_nowhere_afterwards, 180) {
  t_up();
  import_former();
  import_export();
  t_settle(20000);
  T_CHECK(*file_with(SECRET), "no file has it, which is no test");
  T_UNTIL(10000, found("\"" SECRET "\"") == 1, "the search does not find it");
  t_says(2, "--yes", "forget", "x:c1");
  t_says(0, "forgotten: conversation x:c1", "forget", "x:c1", "--yes");
  T_CHECK(!*file_with(SECRET), "%s has it", file_with(SECRET));
  T_CHECK(!*file_with("my key is"), "%s has it", file_with("my key is"));
  T_CHECK(found("\"" SECRET "\"") == 0, "the search finds it");
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM messages") == 1, "the mirror has it");
  is_whole();
  t_says(0, "nothing to do", "forget", "x:c1", "--yes");

  json_t *line = t_import(0, "../out/export.jsonl");
  T_CHECK(t_int_at(line, "new", -1) == 0 && forgotten_in(line) == 2,
          "an import brings something of it: %s", json_dumps(line, 0));
  json_decref(line);
  import_former();
  is_whole();
  T_UNTIL(10000, !*file_with(SECRET), "%s has it again", file_with(SECRET));
  t_says(0, "stays away", "forget", "--list");

  t_says(1, "nothing was forgotten", "forget", "--undo", "x:c2");
  t_do(0, "forget", "--undo", "x:c1");
  t_says(0, "may come again", "forget", "--list");
  import_export();
  t_settle(20000);
  T_UNTIL(10000, found("\"" SECRET "\"") == 1, "it was not taken in again");
  is_whole();
}

T_STORY(forget, a_message_leaves_a_gap, 180) {
  t_up();
  import_export();
  t_settle(20000);
  t_do(0, "forget", "message-1", "--yes");
  T_CHECK(!*file_with(SECRET), "%s has it", file_with(SECRET));
  is_whole();
  t_says(0, "I shall not tell", "read", "x:c1");
  t_says(1, "", "original", "message-2");
  json_t *line = t_import(0, "../out/export.jsonl");
  T_CHECK(forgotten_in(line) == 1, "an import brings it: %s", json_dumps(line, 0));
  json_decref(line);
  is_whole();
  T_UNTIL(10000, !*file_with(SECRET), "%s has it again", file_with(SECRET));
}

/* A mirror that is not used any more keeps all: that is said, and it is deleted once it is used. */
T_STORY(forget, a_mirror_that_is_not_used, 180) {
  t_set("sync.sinks", "sqlite null");
  t_up();
  import_export();
  t_settle(20000);
  t_down();
  t_set("sync.sinks", "null");
  t_up();
  t_says(1, "the mirror sqlite may still have it", "forget", "x:c1", "--yes");
  T_CHECK(*file_with(SECRET), "mirror.db does not have it, which is no test");
  t_says(1, "unused_mirrors\":[\"sqlite\"]", "--json", "forget", "x:c1", "--yes");
  t_down();
  t_set("sync.sinks", "sqlite null");
  t_up();
  t_settle(20000);
  t_says(0, "nothing to do", "forget", "x:c1", "--yes");
  T_CHECK(!*file_with(SECRET), "%s has it", file_with(SECRET));
}

/* Names that nobody knows are kept with what they came with, and so is what cannot be read. */
T_STORY(forget, what_is_kept_as_it_came, 180) {
  static const char lines[] =
      "{'platform':'x','text':'" SECRET "','message_id':'message-1','role':'user',"
      "'conversation_id':'c1','observed_at':1700000000,'odd':'" SECRET "'}\n"
      "{'platform':'x','text':'fine','message_id':'message-2','role':'user',"
      "'conversation_id':'c2','observed_at':1700000000,'odd':'fine'}\n";
  t_up();
  t_import_lines(0, lines);
  t_import_lines(1, "{'platform':'x','text':'" SECRET "','message_id':'message-1',"
                    "'conversation_id':'c1','observed_at':'" SECRET "'}\n");
  T_CHECK(*file_with(SECRET), "no file has it, which is no test");
  t_do(0, "forget", "message-1", "--yes");
  T_CHECK(!*file_with(SECRET), "%s has it", file_with(SECRET));
  T_CHECK(*file_with("\"odd\""), "the other line is gone, too");
  t_import_lines(0, lines);
  T_UNTIL(10000, !*file_with(SECRET), "%s has it again", file_with(SECRET));
}

/* The store is killed at once: what it has not done is done by the next start. */
T_STORY(forget, also_if_the_store_is_killed, 180) {
  t_up();
  import_export();
  t_settle(20000);
  struct t_producer *p = t_producer("person");
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("conversation"), CK_LIT("x:c1"), false};
  t_mutate(p, &m);
  T_CHECK(t_commit(p) == 'n', "%s", t_refusal(p));
  t_wait_other("store", t_kill("store", SIGKILL), 10000);
  is_whole();
  T_UNTIL(10000, !*file_with(SECRET), "%s has it", file_with(SECRET));
}

/* 300 messages of 30 conversations x:k0, x:k1 …, of edition e: pages are filled, emptied, spread.
 */
static void put_edition(struct t_producer *p, int e) {
  char text[900], id[16];
  for (int n = 0; n < 300; ++n) {
    int m = (n * 613 + e * 37) % 300;
    size_t most = 60 + (size_t)(m * 7919 + e * 104729) % 800, at = 0;
    snprintf(id, sizeof id, "k%d", m % 30);
    while (at < most) at += (size_t)snprintf(text + at, sizeof text - at, "<%s-%d> ", id, e);
    t_taken(p, e ? 'u' : 'n', "messages",
            "{'id':'%s-message-%d','platform':'x','conversation_id':'%s','role':'user',"
            "'raw_text':'%s','observed_at':1000}",
            id, m, id, text);
  }
}

/* Nor in the room between the rows of a page. */
T_STORY(forget, what_was_edited_often_is_in_no_page, 240) {
  t_up();
  struct t_producer *p = t_producer("person");
  for (int k = 0; k < 30; ++k) {
    t_taken(p, 'n', "local_conversations", "{'local_conversation_id':'x:k%d','platform':'x'}", k);
    t_taken(p, 'n', "conversation_links",
            "{'link_id':'l%d','local_conversation_id':'x:k%d','platform':'x',"
            "'remote_conversation_id':'k%d','observed_at':1}",
            k, k, k);
  }
  for (int e = 0; e < 5; ++e) {
    put_edition(p, e);
    t_settle(20000);
  }
  for (int k = 0; k < 12; ++k) {
    char id[16];
    snprintf(id, sizeof id, "x:k%d", k);
    t_do(0, "forget", id, "--yes");
  }
  for (int k = 0; k < 12; ++k) {
    char text[16];
    snprintf(text, sizeof text, "<k%d-", k);
    T_CHECK(!*file_with(text), "%s has %s", file_with(text), text);
  }
  T_CHECK(*file_with("<k20-"), "no file has another one, which is no test");
  is_whole();
}

static bool sync_says(const char *text) {
  struct t_result r = t_convkeep("sync", "status");
  bool says = strstr(r.out, text);
  t_result_free(&r);
  return says;
}

/* It is in the mirror's WAL until that ends, and the mirror is behind as long. */
T_STORY(forget, while_somebody_reads_the_mirror, 180) {
  sqlite3 *reader;
  t_up();
  import_export();
  t_settle(20000);
  T_CHECK(sqlite3_open_v2("mirror.db", &reader, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
              sqlite3_exec(reader, "BEGIN; SELECT * FROM messages", NULL, NULL, NULL) == SQLITE_OK,
          "mirror.db: %s", sqlite3_errmsg(reader));
  struct t_producer *p = t_producer("person");
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("conversation"), CK_LIT("x:c1"), false};
  t_mutate(p, &m);
  T_CHECK(t_commit(p) == 'n', "%s", t_refusal(p));
  T_UNTIL(20000, sync_says("somebody reads the mirror"), "syncd does not say so");
  T_CHECK(*file_with(SECRET), "no file has it, which is no test");
  t_wait_other("syncd", t_kill("syncd", SIGKILL), 10000);
  sqlite3_exec(reader, "ROLLBACK", NULL, NULL, NULL);
  sqlite3_close(reader);
  t_settle(20000);
  T_UNTIL(10000, !*file_with(SECRET), "%s has it", file_with(SECRET));
  is_whole();
}

/* The folder of the readable files is empty then, and is still one. */
T_STORY(forget, the_last_conversation, 120) {
  t_up();
  import_export();
  t_settle(20000);
  t_do(0, "forget", "x:c1", "--yes");
  t_do(0, "forget", "x:c2", "--yes");
  T_CHECK(!*file_with("artifacts_gone"), "%s says that the folder is gone",
          file_with("artifacts_gone"));
  is_whole();
  t_says(0, "may come again", "forget", "--undo", "x:c2");
  import_export();
  is_whole();
  t_says(0, "another conversation", "read", "x:c2");
}

static bool has_file(const char *path, const char *text) {
  char *bytes = t_read_file(path, NULL);
  bool has = bytes && strstr(bytes, text);
  free(bytes);
  return has;
}

static void log_attempt(const char *conversation, const char *text) {
  char line[300];
  int n = snprintf(line, sizeof line,
                   "{\"job_id\":\"j-%s\",\"local_conversation_id\":\"%s\",\"text\":\"%s\"}\n",
                   conversation, conversation, text);
  char path[100];
  snprintf(path, sizeof path, "logs/renewal/2026-01-0%c.jsonl", conversation[3]);
  t_write_file(path, line, (size_t)n);
}

/* Without a ring: the command starts what it needs. */
T_STORY(forget, without_a_ring, 180) {
  import_export();
  log_attempt("x:c1", SECRET);
  log_attempt("x:c2", "of another conversation");
  t_do(0, "forget", "message-2", "--yes");
  T_CHECK(!has_file("logs/renewal/2026-01-01.jsonl", SECRET), "an attempt tells the answer");
  t_do(0, "forget", "x:c1", "--yes");
  T_CHECK(!*file_with(SECRET), "%s has it", file_with(SECRET));
  T_CHECK(*file_with("of another conversation"), "its line is gone, too");
}

/* What cannot be noted is not forgotten: a backup would bring it again, and nobody would know. */
T_STORY(forget, nothing_goes_before_it_is_noted, 180) {
  t_up();
  import_export();
  t_settle(20000);
  int64_t before = t_count("messages");
  T_CHECK(mkdir("forgotten", 0700) == 0, "mkdir");
  struct t_result r = t_convkeep("forget", "x:c1", "--yes");
  T_CHECK(r.code != 0 && strstr(r.err, "forgotten"), "exit %d: %s", r.code, r.err);
  t_result_free(&r);
  T_CHECK(t_count("messages") == before && t_count("forgotten") == 0, "rows went all the same");
  T_CHECK(rmdir("forgotten") == 0, "rmdir");
  t_do(0, "forget", "x:c1", "--yes");
  T_CHECK(t_count("messages") < before && t_exists("forgotten"), "it was not forgotten");
  is_whole();
}

/* It was forgotten, taken back, and is forgotten again: the backup is of the time between. */
T_STORY(forget, again_what_was_taken_back_once, 180) {
  char file[600];
  snprintf(file, sizeof file, "%s/out/copy.db", t_folder());
  import_export();
  t_do(0, "forget", "x:c1", "--yes");
  t_do(0, "forget", "--undo", "x:c1");
  import_export();
  t_do(0, "backup", file);
  t_do(0, "forget", "x:c1", "--yes");
  t_says(0, "forget --again", "restore", file);
  t_says(0, "forgotten: conversation x:c1", "forget", "--again");
  t_says(0, "nothing to do", "forget", "--again");
}

static void put_with_original(struct t_producer *p, const char *name, const char *original) {
  t_taken(p, 'n', "messages",
          "{'id':'m-%s','platform':'x','conversation_id':'%s','role':'user','raw_text':'t',"
          "'observed_at':1,'original':'%s'}",
          name, name, original);
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id':'x:%s','platform':'x'}", name);
  t_taken(p, 'n', "conversation_links",
          "{'link_id':'l-%s','local_conversation_id':'x:%s','platform':'x',"
          "'remote_conversation_id':'%s','observed_at':1}",
          name, name, name);
}

static void gives(const char *id, struct ck_str bytes) {
  struct t_result r = t_convkeep("original", id);
  T_CHECK(r.code == 0 && r.out_size == bytes.n && memcmp(r.out, bytes.s, bytes.n) == 0,
          "original %s: exit %d, %zu bytes, %s", id, r.code, r.out_size, r.err);
  t_result_free(&r);
}

/* Originals of three conversations share a block: two of them stay, whatever comes. */
T_STORY(forget, the_rest_of_a_block_stays, 120) {
  static const char *const names[] = {"one", "two", "three"};
  struct ck_str bytes[3];
  struct ck_original all[3];
  char *prose[3];
  size_t n = 0;
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  for (int i = 0; i < 3; ++i) {
    size_t most = (size_t)(i + 1) * 40000;
    prose[i] = t_prose(most);
    prose[i][0] = (char)('a' + i);
    bytes[i] = (struct ck_str){prose[i], most};
    n += i == 1 ? 0 : most;
    all[i] = (struct ck_original){.platform = CK_LIT("x"),
                                  .conversation = ck_str_of(names[i]),
                                  .age = 1,
                                  .reader = CK_LIT("test 1")};
  }
  for (int i = 0; i < 3; ++i) put_with_original(p, names[i], t_original_id(bytes[i]));
  t_block(p, all, bytes, 3, 20000);
  for (int i = 0; i < 3; ++i) gives(names[i], bytes[i]);
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("conversation"), CK_LIT("x:two"), false};
  t_mutate(p, &m);
  T_CHECK(t_commit(p) == 'n', "%s", t_refusal(p));
  t_do(0, "forget", "--again");
  for (int round = 0; round < 2; ++round) {
    gives("one", bytes[0]);
    gives("three", bytes[2]);
    t_says(1, "", "original", t_original_id(bytes[1]));
    T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM originals") == 2, "others are there");
    T_CHECK(t_sql_int("artifact.db", "SELECT sum(bytes) FROM blocks") == (int64_t)n,
            "the blocks have %lld bytes",
            (long long)t_sql_int("artifact.db", "SELECT sum(bytes) FROM blocks"));
    t_doctor_finds(0, "originals", "ok", "");
    t_block(p, all, bytes, 3, 20000); /* the same again, as an import sends it */
  }
  for (int i = 0; i < 3; ++i) free(prose[i]);
}

/* A backup from before it was forgotten brings it back; it is said, and forgotten again. */
T_STORY(forget, a_restored_backup_has_it, 180) {
  char file[600];
  snprintf(file, sizeof file, "%s/out/copy.db", t_folder());
  import_export();
  t_do(0, "backup", file);
  t_do(0, "forget", "x:c1", "--yes");
  t_says(0, "forget --again", "restore", file);
  T_CHECK(*file_with(SECRET), "the backup does not bring it back");
  t_says(0, "forgotten: conversation x:c1", "forget", "--again");
  t_says(0, "nothing to do", "forget", "--again");
  t_up();
  T_CHECK(found("\"" SECRET "\"") == 0, "the search finds it");
  is_whole();
  json_t *line = t_import(0, "../out/export.jsonl");
  T_CHECK(forgotten_in(line) == 2, "an import brings it: %s", json_dumps(line, 0));
  json_decref(line);
}
