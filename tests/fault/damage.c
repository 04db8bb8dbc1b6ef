/* Damaged bytes in the data folder: pages of the database, the WAL under a running store, segments
 * and notes of the spool. A clear error says so, what is intact can be read, and everything
 * acknowledged that still exists somewhere reaches the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define PAGE 4096
#define WAL_HEAD 32
#define FRAME_HEAD 24

/* Sends observations, each until it is acknowledged. */
static void observe(int from, int to) {
  struct ck_err err = {""};
  for (int i = from; i < to; i++) {
    char one[1400];
    snprintf(one, sizeof one,
             "{'platform': 'x', 'text': 'number %d %01000d', 'role': 'user', 'message_id': "
             "'s%04d', 'conversation_id': 'c%d', 'observed_at': %d}",
             i, i, i, i % 9, i + 1);
    T_UNTIL(20000, t_observe(one, &err) > 0, "observation %d is not taken: %s", i, err.text);
  }
}

static void check_all_there(int n) {
  T_CHECK(t_count("messages") == n, "%lld messages, not %d", (long long)t_count("messages"), n);
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE CAST(substr(raw_text, 8) "
                                   "AS INTEGER) = CAST(substr(id, 2) AS INTEGER)") == n,
          "a message does not say what was said");
}

/* Overwrites n bytes of a file; `kept` gets the former ones. */
static void damage(const char *file, long at, size_t n, char *kept) {
  FILE *f = fopen(file, "r+");
  T_CHECK(f && fseek(f, at, SEEK_SET) == 0 && fread(kept, 1, n, f) == n &&
              fseek(f, at, SEEK_SET) == 0,
          "%s has no %zu bytes at %ld", file, n, at);
  for (size_t i = 0; i < n; i++) fputc((unsigned char)kept[i] ^ 0xa5, f);
  T_CHECK(fclose(f) == 0, "%s cannot be written", file);
}

static void mend(const char *file, long at, size_t n, const char *kept) {
  FILE *f = fopen(file, "r+");
  T_CHECK(f && fseek(f, at, SEEK_SET) == 0 && fwrite(kept, 1, n, f) == n && fclose(f) == 0,
          "%s cannot be mended", file);
}

/* The store's own error in `status`, "" for none. Valid until the next call. */
static const char *store_error(void) {
  static char text[400];
  json_t *status = t_status(5000);
  const char *said =
      status ? t_text_at(t_daemon_entry(status, "store", 0), "info.last_error") : NULL;
  snprintf(text, sizeof text, "%s", said ? said : "");
  json_decref(status);
  return text;
}

static void says_malformed(int code, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == code && strstr(code ? r.err : r.out, "malformed"), "`%s` ended with %d: %s%s",
          words[0], r.code, r.out, r.err);
  t_result_free(&r);
}

static void add_name(const char *path, void *names) {
  json_array_append_new(names, json_string(path));
}

/* ---- one bit ---- */

/* Flips a bit in the first byte of the text `found`, or in the byte at `at`. Returns its place. */
static long turn_bit(const char *file, const char *found, long at) {
  size_t n = 0;
  char *bytes = t_read_file(file, &n);
  const char *here = !bytes ? NULL : found ? memmem(bytes, n, found, strlen(found)) : bytes + at;
  T_CHECK(here &&
              (!found || !memmem(here + 1, n - (size_t)(here + 1 - bytes), found, strlen(found))),
          "%s has it not once", file);
  at = here - bytes;
  bytes[at] ^= 1;
  t_write_file(file, bytes, n);
  free(bytes);
  return at;
}

/* SQLite does not notice it. The page's seal does, and the readable file and the mirror, made when
 * the row was written, say something else. */
T_STORY(damage, a_bit_in_a_text, 90) {
  static const char path[] = "artifacts/msg/1970/01/01/s0150.json";
  t_set("artifacts.form", "records");
  t_up();
  observe(0, 300);
  t_down_marked();
  /* The end of the text of s0150, which is in no summary. */
  long at = turn_bit("artifact.db", "00000000000000000150", 0);
  t_doctor_finds(1, "database", "wrong", "artifact.db: a page is not as written: ");
  t_doctor_finds(
      1, "artifacts", "wrong",
      "1 record is not what its .json says, the first: artifacts/msg/1970/01/01/s0150.json");
  t_doctor_finds(1, "mirror", "wrong", "1 different, the first: messages s0150");
  turn_bit("artifact.db", NULL, at);
  t_doctor_finds(0, "artifacts", "ok", "records have their files");
  t_doctor_finds(0, "mirror", "ok", "rows are the same");
  turn_bit(path, "00000000000000000150", 0);
  t_doctor_finds(1, "artifacts", "wrong", "1 record is not what its .json says");
  t_doctor_finds(1, "mirror", "ok", "rows are the same");
  t_do(0, "rebuild", "artifacts");
  t_doctor_finds(0, "artifacts", "ok", "records have their files");
  t_up();
  check_all_there(300);
  t_whole(20000);
}

/* Every line of doctor about what is made from the database; none may say to make it again. */
static void advises_no_spreading(void) {
  json_t *lines = t_lines(1, "doctor"), *line;
  size_t i;
  json_array_foreach(lines, i, line) {
    const char *advice = t_text_at(line, "advice");
    if (strcmp(t_text_at(line, "result"), "wrong") != 0) continue;
    T_CHECK(!strstr(advice, "sync repair") && !strstr(advice, "sync backfill") &&
                !strstr(advice, "rebuild artifacts"),
            "%s: %s", t_text_at(line, "check"), advice);
    if (strcmp(t_text_at(line, "check"), "database") == 0)
      T_CHECK(strstr(advice, "convkeep restore BACKUP") && strstr(advice, "rebuild messages") &&
                  strstr(advice, "mirror.db"),
              "%s", advice);
  }
  json_decref(lines);
}

/* The text is right in the files, the mirror and the originals, and none of them is made from the
 * database then. What is written to the page later does not hide it, and neither does a backup. */
T_STORY(damage, a_bit_stays_found, 120) {
  t_up();
  observe(0, 300);
  t_down_marked();
  turn_bit("artifact.db", "00000000000000000150", 0);
  advises_no_spreading();
  t_up();
  observe(300, 320);
  /* It moves: its page is written. */
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE raw_text GLOB"
                                   " 'number 150 *0000000000000000015*'") <= 1,
          "it is there twice");
  T_UNTIL(20000, t_sql_int("artifact.db", "SELECT messages FROM store") == 320,
          "what is new is not committed");
  T_UNTIL(20000, strstr(store_error(), "is not as written, convkeep doctor says what to do"),
          "status does not say why files are not made: %s", store_error());
  t_says(1, "not as written, as the database has", "backup", "../out/damaged.db");
  t_down();
  t_doctor_finds(1, "database", "wrong", "artifact.db: a page is not as written: ");
  t_says(1, "1 page is not as convkeep wrote it", "restore", "../out/damaged.db");
  t_doctor_finds(1, "database", "wrong", "artifact.db: a page is not as written: ");
  t_says(0, "artifact.db: 1 page is taken as it is now", "rebuild", "seals");
  t_doctor_finds(0, "database", "ok", "every page and index is sound");
}

/* sqlite3 writes while the ring is down: rows and files are as it left them, and doctor says that
 * pages differ until somebody takes them as they are. The mirror's row is repaired before. */
T_STORY(damage, another_program_writes, 120) {
  t_up();
  observe(0, 300);
  t_down_marked();
  t_sql_run("mirror.db", "UPDATE messages SET raw_text = 'by hand' WHERE id = 's0033'");
  t_doctor_finds(1, "mirror", "wrong", "mirror.db: a page is not as written: ");
  t_doctor_finds(1, "mirror", "wrong", "1 different, the first: messages s0033");
  t_doctor_finds(1, "database", "ok", "");
  t_up();
  t_do(0, "sync", "repair", "--deep");
  t_do(0, "rebuild", "seals");
  t_doctor_finds(0, "mirror", "ok", "rows are the same");
  t_down();
  t_sql_run("artifact.db", "UPDATE store SET alarm_at = alarm_at + 1");
  t_doctor_finds(1, "database", "wrong", "artifact.db: ");
  t_do(0, "rebuild", "seals");
  t_doctor_finds(0, "database", "ok", "");
  t_up();
  t_whole(20000);
  check_all_there(300);
}

/* ---- pages ---- */

/* Nothing can be committed. ingest goes on accepting, what is stored can be read, and the status
 * says why. */
T_STORY(damage, an_index_that_every_write_needs, 90) {
  char kept[PAGE];
  t_up();
  observe(0, 300);
  t_settle(20000);
  t_down();
  long at =
      PAGE *
      (t_sql_int("artifact.db",
                 "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_sessions_1'") -
       1);
  damage("artifact.db", at, PAGE, kept);
  t_up();
  T_CHECK(store_error()[0] == 0, "there is an error before anything is written: %s", store_error());
  observe(300, 340);
  T_UNTIL(10000, strstr(store_error(), "malformed"),
          "the status does not say that nothing can be written: %s", store_error());
  says_malformed(0, (const char *const[]){"status", NULL});
  t_do(0, "list", "messages");
  T_CHECK(t_status_int("version", 0) > 0 && t_count("messages") == 300, "something was committed");
  t_down();
  mend("artifact.db", at, PAGE, kept);
  t_up();
  t_whole(20000);
  check_all_there(340);
  T_CHECK(store_error()[0] == 0, "all is well, and the status says %s", store_error());
}

/* The messages of a damaged page can neither be listed nor made into files. All others can, and new
 * ones are committed. */
T_STORY(damage, a_page_of_messages, 90) {
  char kept[PAGE];
  t_up();
  observe(0, 300);
  t_settle(20000);
  t_down();
  T_CHECK(system("rm -r artifacts") == 0, "no shell");
  long at =
      PAGE * (t_sql_int("artifact.db",
                        "SELECT pageno FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf'"
                        " ORDER BY pageno LIMIT 1 OFFSET 30") -
              1);
  damage("artifact.db", at, PAGE, kept);
  t_up();
  T_UNTIL(10000, strstr(store_error(), "malformed"),
          "the status does not say that files cannot be made: %s", store_error());
  says_malformed(1, (const char *const[]){"list", "messages", "--limit", "1000", NULL});
  t_do(0, "list", "conversations");
  observe(300, 340);
  T_UNTIL(10000, t_sql_int("artifact.db", "SELECT messages FROM store") == 340,
          "what is new is not committed");
  t_doctor_finds(1, "database", "wrong", "malformed");
  t_doctor_finds(1, "mirror", "wrong", "malformed");
  t_down();
  mend("artifact.db", at, PAGE, kept);
  t_up();
  t_whole(20000);
  check_all_there(340);
}

/* The last key of an index is turned into one before all others: whoever asks for the keys after it
 * gets all of them, again and again. */
T_STORY(damage, the_order_of_the_mirror, 90) {
  size_t n = 0, i;
  t_up();
  observe(0, 300);
  t_down_marked();
  json_t *pages = t_sql("mirror.db", "SELECT pageno AS p FROM dbstat WHERE pagetype = 'leaf' AND"
                                     " name = 'sqlite_autoindex_messages_1'"),
         *page;
  char *bytes = t_read_file("mirror.db", &n);
  int turned = 0;
  json_array_foreach(pages, i, page) {
    char *at = bytes + PAGE * (t_int_at(page, "p", 1) - 1), *key = memmem(at, PAGE, "s0299", 5);
    if (!key) continue;
    *key ^= 16;
    ++turned;
  }
  T_CHECK(turned == 1, "the key is there %d times", turned);
  t_write_file("mirror.db", bytes, n);
  t_doctor_finds(1, "mirror", "wrong", "mirror.db");
  free(bytes);
  json_decref(pages);
}

/* ---- the WAL ---- */

static bool repairs(void) {
  struct t_result r = t_convkeep("sync", "repair", "--deep");
  t_result_free(&r);
  return r.code == 0;
}

/* Damages its first frame: a store that starts loses all commits since the last checkpoint. The
 * readable files show that there was more, so no version is given twice. The lost observations can
 * be imported again, and mirror and follower become equal to the database. */
T_STORY(damage, the_wal_under_a_running_store, 120) {
  char kept[64], line[100];
  t_up();
  observe(0, 100);
  t_settle(20000);
  t_down();
  t_up();
  observe(100, 200);
  t_settle(20000);
  int64_t head = t_status_int("version", -1);
  snprintf(line, sizeof line, " %lld conversations ", (long long)head);
  for (int64_t until = ck_boot_ms() + 30000 * T_SLOWER;; t_pause(50)) {
    char *cursor = t_read_file("artifacts/.cursor", NULL);
    bool there = cursor && strstr(cursor, line);
    T_CHECK(there || ck_boot_ms() < until, "the files' cursor is not at %lld: %s", (long long)head,
            cursor ? cursor : "none");
    free(cursor);
    if (there) break;
  }
  damage("artifact.db-wal", WAL_HEAD + FRAME_HEAD + 1000, sizeof kept, kept);
  pid_t old = t_kill("store", SIGKILL);
  t_wait_other("store", old, 20000);
  T_CHECK(t_status_int("version", -1) > head, "the head is %lld, and was %lld",
          (long long)t_status_int("version", -1), (long long)head);
  T_CHECK(t_count("messages") == 100, "%lld messages outlived the WAL",
          (long long)t_count("messages"));
  t_talk_forget();
  observe(100, 220);
  t_settle(20000);
  T_UNTIL(20000, repairs(), "the mirror is not repaired"); /* it may be at it by itself */
  t_whole(20000);
  check_all_there(220);
}

/* One bit of a frame, of a WAL that was left by a kill: it is turned back, or, if its place is not
 * certain, what is lost with it is said. Here the bits of a byte of a text are tried in turn. */
T_STORY(damage, a_bit_in_the_wal, 240) {
  int mended = 0;
  t_up();
  observe(0, 50);
  t_settle(20000);
  t_down();
  struct t_process *all[] = {t_daemon("store", NULL), t_daemon("ingest", NULL)};
  observe(50, 100);
  T_UNTIL(20000, t_count("messages") == 100, "they do not come");
  t_talk_forget();
  for (int i = 0; i < 2; i++) t_signal(all[i], SIGKILL);
  for (int i = 0; i < 2; i++) t_wait_end(all[i], 10000);
  T_CHECK(system("rm -r run && cp -a . ../killed") == 0, "no shell");
  for (int bit = 0; bit < 8; bit++) {
    size_t n = 0;
    T_CHECK(system("find . -mindepth 1 -delete && cp -a ../killed/. .") == 0, "no shell");
    char *bytes = t_read_file("artifact.db-wal", &n), *at = memmem(bytes, n, "number 60 ", 10);
    T_CHECK(at, "it is not in the WAL");
    *at ^= (char)(1 << bit);
    t_write_file("artifact.db-wal", bytes, n);
    free(bytes);
    struct t_result r = t_convkeep("doctor");
    if (r.code == 0) {
      check_all_there(100);
      mended++;
    } else {
      T_CHECK(strstr(r.out, "artifact.db-wal was damaged at byte "), "%s%s", r.out, r.err);
    }
    t_result_free(&r);
  }
  T_CHECK(mended > 2, "%d bits of 8 were turned back", mended);
  T_CHECK(system("rm -r ../killed") == 0, "no shell");
}

/* ---- the spool ---- */

/* The one damaged byte of the spool is named, as long as ingest does not run. */
T_STORY(damage, doctor_reads_the_spool, 90) {
  char kept[1];
  const char *path = NULL;
  t_up();
  observe(0, 20);
  t_settle(20000);
  t_down();
  struct t_process *ingest = t_daemon("ingest", NULL);
  observe(20, 40);
  t_signal(ingest, SIGTERM);
  t_wait_end(ingest, 10000);
  json_t *names = json_array();
  t_walk("spool", add_name, names);
  size_t i;
  json_t *name;
  json_array_foreach(names, i, name) if (strstr(json_string_value(name), ".seg")) path =
      json_string_value(name);
  T_CHECK(path, "there is no segment");
  t_doctor_finds(0, "spool", "ok", "");
  damage(path, 300, 1, kept);
  t_doctor_finds(1, "spool", "wrong", "its record 21 is damaged");
  mend(path, 300, 1, kept);
  damage(path, 20, 1, kept);
  t_doctor_finds(1, "spool", "wrong", "its first line is damaged, or another producer's");
  mend(path, 20, 1, kept);
  t_doctor_finds(0, "spool", "ok", "");
  json_decref(names);
}

static void flip_where(const char *path, void *what) {
  size_t n;
  char kept[8], *bytes = t_read_file(path, &n),
                *at = bytes ? memmem(bytes, n, what, strlen(what)) : NULL;
  if (at) damage(path, at - bytes, sizeof kept, kept);
  free(bytes);
}

/* Damages one of fifty observations that the store does not have yet, and the note of those that it
 * has. That one is reported missing; all others arrive. */
T_STORY(damage, a_segment_of_the_spool, 90) {
  char kept[4], what[] = "number 75 ";
  t_up();
  observe(0, 50);
  t_settle(20000);
  t_down();
  struct t_process *ingest = t_daemon("ingest", NULL);
  observe(50, 100);
  t_signal(ingest, SIGTERM);
  T_CHECK(t_wait_end(ingest, 10000) == 0, "ingest did not end well");
  t_walk("spool", flip_where, what);
  damage("spool/released", 40, sizeof kept, kept);
  t_up();
  t_whole(20000);
  T_CHECK(t_count("messages") == 99, "%lld messages of the 99 that can be read",
          (long long)t_count("messages"));
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 's0075'") == 0,
          "the damaged one is there anyway");
  char *log = t_read_file("logs/ingest.log", NULL);
  T_CHECK(log && strstr(log, "missing=1"), "the log does not say that one is missing");
  free(log);
  observe(75, 76);
  t_whole(20000);
  check_all_there(100);
}
