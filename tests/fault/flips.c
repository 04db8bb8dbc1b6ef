/* One bit of one file is turned at random: `doctor` names the file, or it has no effect on anything
 * that can be read back, of records, originals, search and spool. And while the database itself is
 * damaged, doctor does not advise to make anything again from it.
 *
 * Two folders with everything in them are made first, one of a ring that was ended, one of a ring
 * that was killed, with what that leaves in each WAL; observations wait in the spool of both. Each
 * flip is made in a fresh copy of one. CONVKEEP_TEST_FLIPS: how many, in all files together. */
#include <archive.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/sha256.h"
#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define FLIPS 120   /* unless CONVKEEP_TEST_FLIPS says how many */
#define NONZERO 6   /* most pages and the WAL's end are zeroes: a place is drawn so often */
#define WORDS_MAX 3 /* questions to the search */

/* What is flipped, what doctor calls it, and the share of the flips. */
static const struct victim {
  const char *files[4]; /* names of files, or a folder and a slash: any file in it */
  const char *check, *named;
  unsigned share; /* of 20 */
} victims[] = {{{"artifact.db", "artifact.db-wal"}, "database", "artifact.db", 9},
               {{"mirror.db", "mirror.db-wal"}, "mirror", "mirror.db", 4},
               {{"search.db", "search.db-wal"}, "search", "search.db", 3},
               {{"spool/"}, "spool", "spool/", 2},
               {{"attachments/"}, "attachments", "attachments/", 2}};
#define VICTIMS (sizeof victims / sizeof *victims)

enum { CLEAN, KILLED, FOLDERS };
static const char *const folders[FOLDERS] = {"../clean", "../killed"};

struct campaign {
  unsigned found, harmless, missed;
  struct ck_buf said;             /* about the first that was missed */
  char picture[FOLDERS][80];      /* of what an unharmed folder reads back */
  struct ck_buf answers[FOLDERS]; /* and what its search finds */
  int64_t replayed[FOLDERS];      /* and how many messages there are after its spool */
};

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...) {
  char command[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(command, sizeof command, fmt, ap);
  va_end(ap);
  T_CHECK(system(command) == 0, "%s", command);
}

/* ---- the folders ---- */

static void observe(int from, int to) {
  struct ck_err err = {""};
  for (int i = from; i < to; i++) {
    char one[1800];
    snprintf(one, sizeof one,
             "{'platform': 'x', 'text': 'observation number %d %0*d', 'role': '%s',"
             " 'message_id': 's%04d', 'conversation_id': 'c%d', 'observed_at': %d}",
             i, (i * 37) % 1200, i, i % 2 ? "assistant" : "user", i, i % 9, i + 1);
    T_UNTIL(20000, t_observe(one, &err) > 0, "observation %d is not taken: %s", i, err.text);
  }
}

static void import_files(void) {
  char samples[4096];
  snprintf(samples, sizeof samples, "%s/samples", t_root());
  t_do(0, "import", samples);
  const char chat[] =
      "[{\"uuid\":\"c1\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":\"m1\","
      "\"text\":\"t\",\"sender\":\"human\",\"created_at\":\"2026-01-01T00:00:00Z\"}]}]";
  char picture[9000];
  for (size_t i = 0; i < sizeof picture; i++) picture[i] = (char)t_random();
  struct t_member files[] = {{"conversations.json", ck_str_of(chat)},
                             {"picture.png", {picture, sizeof picture}}};
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 2);
  t_write_file("../out/export.zip", b.data, b.len);
  ck_buf_free(&b);
  t_do(0, "import", "../out/export.zip");
}

/* A job that was sent, and one that waits for its client. */
static void renew(void) {
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'r', 'message_id': 'r1', 'text': 'a',"
                    " 'role': 'assistant', 'observed_at': 5, 'target': {'kind': 'null'}}\n"
                    "{'platform': 'x', 'conversation_id': 'q', 'message_id': 'q1', 'text': 'a',"
                    " 'role': 'assistant', 'observed_at': 5, 'target': {'kind': 'feed',"
                    " 'id': 'f'}}\n");
  t_settle(20000);
  t_do(0, "renew", "r", "--payload", "go on");
  t_do(0, "renew", "q", "--payload", "go on");
  T_UNTIL(20000, t_sql_int("artifact.db", "SELECT count(*) FROM attempts WHERE ended NOTNULL") > 0,
          "nothing was sent");
}

static void keep_as(const char *folder) { shell("rm -rf run/* && cp -a . %s", folder); }

static void in_spool(int from, int to, int sig) {
  struct t_process *ingest = t_daemon("ingest", NULL);
  observe(from, to);
  t_talk_forget();
  t_signal(ingest, sig);
  t_wait_end(ingest, 10000);
}

static void make_folders(void) {
  static const char *const all[] = {"ingest", "syncd", "renewd", "store"};
  t_up();
  import_files();
  observe(0, 500);
  renew();
  t_do(0, "forget", "s0011", "--yes");
  t_down_marked();
  in_spool(500, 540, SIGTERM);
  keep_as(folders[CLEAN]);
  struct t_process *started[4];
  for (int i = 3; i >= 0; i--) started[i] = t_daemon(all[i], NULL);
  observe(540, 700);
  t_settle(20000);
  t_talk_forget();
  for (int i = 0; i < 4; i++) t_signal(started[i], SIGKILL);
  for (int i = 0; i < 4; i++) t_wait_end(started[i], 10000);
  in_spool(700, 740, SIGKILL);
  keep_as(folders[KILLED]);
}

static void begin_with(int folder) {
  shell("find . -mindepth 1 -delete && cp -a %s/. .", folders[folder]);
}

/* ---- what a folder reads back ---- */

/* The number of the store's starts is not what anybody wrote. */
static void add_row(struct ck_sha256 *sum, sqlite3_stmt *s) {
  for (int c = 0; c < sqlite3_column_count(s); c++) {
    if (strcmp(sqlite3_column_name(s, c), "runs") == 0) continue;
    const char *bytes = sqlite3_column_blob(s, c);
    size_t n = (size_t)sqlite3_column_bytes(s, c);
    char head[40];
    int k = snprintf(head, sizeof head, "%d %zu:", sqlite3_column_type(s, c), n);
    ck_sha256_add(sum, (struct ck_str){head, (size_t)k});
    if (n) ck_sha256_add(sum, (struct ck_str){bytes, n});
  }
}

/* All rows of all tables, in the order of their keys; "" if they cannot be read. */
static void picture_of(const char *file, char hex[CK_SHA256_HEX + 1]) {
  struct ck_sha256 sum;
  sqlite3 *db = NULL;
  sqlite3_stmt *list = NULL, *s = NULL;
  int rc = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL);
  ck_sha256_begin(&sum);
  if (rc == SQLITE_OK)
    rc = sqlite3_prepare_v2(db,
                            "SELECT 'SELECT * FROM \"' || name || '\" ORDER BY 1, 2, 3' FROM"
                            " (SELECT name, (SELECT count(*) FROM pragma_table_info(name)) AS n"
                            " FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*')"
                            " WHERE n > 2 UNION ALL SELECT 'SELECT * FROM message_keys_filter'"
                            " WHERE EXISTS (SELECT 1 FROM sqlite_schema"
                            " WHERE name = 'message_keys_filter') ORDER BY 1",
                            -1, &list, NULL);
  while (rc == SQLITE_OK && (rc = sqlite3_step(list)) == SQLITE_ROW) {
    rc = sqlite3_prepare_v2(db, (const char *)sqlite3_column_text(list, 0), -1, &s, NULL);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) add_row(&sum, s);
    if (rc == SQLITE_OK) rc = sqlite3_finalize(s);
  }
  sqlite3_finalize(list);
  sqlite3_close(db);
  hex[0] = '\0';
  if (rc == SQLITE_DONE) ck_sha256_end_hex(&sum, hex);
}

static void picture(char out[80]) {
  char database[CK_SHA256_HEX + 1], mirror[CK_SHA256_HEX + 1];
  picture_of("artifact.db", database);
  picture_of("mirror.db", mirror);
  snprintf(out, 80, "%.32s %.32s", database, mirror);
}

static void ask(struct ck_buf *answers) {
  static const char *const words[WORDS_MAX] = {"observation", "number", "disk"};
  t_daemon("store", NULL);
  ck_buf_clear(answers);
  T_UNTIL(20000, t_status_int("search.behind", -1) == 0, "the index is not made");
  for (int i = 0; i < WORDS_MAX; i++) {
    struct t_result r =
        t_convkeep_words(NULL, (const char *const[]){"search", words[i], "--limit", "50", NULL});
    ck_buf_text(answers, r.out);
    t_result_free(&r);
  }
  t_down();
}

static int64_t replay(void) {
  t_up();
  t_settle(20000);
  t_down();
  return t_count("messages");
}

/* ---- doctor ---- */

struct heard {
  int code;
  bool names, advises_wrongly;
  char *all;
};

/* From a damaged database nothing is to be made again. */
static bool would_spread(const char *advice) {
  static const char *const words[] = {"sync repair", "sync backfill", "sync adopt",
                                      "rebuild artifacts", "rebuild search"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strstr(advice, words[i])) return true;
  return false;
}

static void hear_line(struct heard *h, const struct victim *v, json_t *line) {
  const char *check = t_text_at(line, "check"), *advice = t_text_at(line, "advice");
  bool wrong = strcmp(t_text_at(line, "result"), "wrong") == 0;
  h->names |= wrong && (strcmp(check, v->check) == 0 || strcmp(check, "store") == 0 ||
                        strcmp(check, "history") == 0);
  h->advises_wrongly |= wrong && v == victims && would_spread(advice);
}

static void hear(struct heard *h, const struct victim *v) {
  struct t_result r = t_convkeep("doctor", "--json");
  *h = (struct heard){.code = r.code};
  h->all = ck_sprintf("%s%s", r.out, r.err);
  char *rest = NULL;
  for (char *one = strtok_r(r.out, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest)) {
    json_t *line = json_loads(one, 0, NULL);
    if (line && t_text_at(line, "check")) hear_line(h, v, line);
    json_decref(line);
  }
  h->names &= strstr(h->all, v->named) != NULL;
  t_result_free(&r);
}

/* ---- a flip ---- */

static void add_path(const char *path, void *list) {
  /* What is refused or unknown is for people; where a file was read to is found again. */
  if (strstr(path, ".jsonl") || strstr(path, "watch.files")) return;
  ck_buf_printf(list, "%s\n", path);
}

static char *any_file(const char *folder) {
  struct ck_buf list = {0};
  int n = 0, skip;
  t_walk(folder, add_path, &list);
  for (size_t i = 0; i < list.len; i++) n += list.data[i] == '\n';
  T_CHECK(n, "%s is empty", folder);
  skip = (int)t_random_below((uint64_t)n);
  char *at = list.data;
  for (; skip; skip--) at = strchr(at, '\n') + 1;
  char *path = ck_str_dup((struct ck_str){at, strcspn(at, "\n")});
  ck_buf_free(&list);
  return path;
}

static char *choose_file(const struct victim *v) {
  int n = 0;
  while (n < 4 && v->files[n]) n++;
  const char *name = v->files[t_random_below((uint64_t)n)];
  if (name[strlen(name) - 1] == '/') return any_file(name);
  return ck_strdup(t_exists(name) ? name : v->files[0]);
}

/* Returns what was done, for people. */
static char *flip(const char *path) {
  size_t n = 0;
  char *bytes = t_read_file(path, &n);
  T_CHECK(bytes && n, "%s is empty", path);
  uint64_t at = t_random_below(n);
  for (int i = 0; i < NONZERO && !bytes[at]; i++) at = t_random_below(n);
  unsigned bit = (unsigned)t_random_below(8);
  FILE *f = fopen(path, "r+");
  T_CHECK(f && fseek(f, (long)at, SEEK_SET) == 0 &&
              fputc((unsigned char)bytes[at] ^ (1 << bit), f) != EOF && fclose(f) == 0,
          "%s cannot be written", path);
  free(bytes);
  return ck_sprintf("%s byte %llu bit %u", path, (unsigned long long)at, bit);
}

/* Everything reads back as it would without the flip. */
static bool harmless(struct campaign *c, const struct victim *v, int folder) {
  char now[80];
  struct ck_buf answers = {0};
  picture(now);
  if (strcmp(now, c->picture[folder]) != 0) return false;
  if (strcmp(v->check, "spool") == 0) return replay() == c->replayed[folder];
  ask(&answers);
  bool same = ck_str_eq(ck_buf_view(&answers), ck_buf_view(&c->answers[folder]));
  ck_buf_free(&answers);
  return same;
}

static void one_flip(struct campaign *c, const struct victim *v) {
  int folder = (int)t_random_below(FOLDERS);
  begin_with(folder);
  char *path = choose_file(v), *what = flip(path);
  struct heard h;
  hear(&h, v);
  const char *fault = NULL;
  if (h.advises_wrongly)
    fault = "doctor advises to make something again from the damaged database";
  else if (h.code && h.names)
    c->found++;
  else if (h.code)
    fault = "doctor does not name it";
  else if (harmless(c, v, folder))
    c->harmless++;
  else
    fault = "doctor does not find it, and it has an effect";
  if (fault) {
    c->missed++;
    t_note("%s: %s: %s\n%s", folders[folder], what, fault, h.all);
    if (c->missed == 1) ck_buf_printf(&c->said, "%s: %s: %s", folders[folder], what, fault);
  }
  free(h.all);
  free(path);
  free(what);
}

static void look_first(struct campaign *c) {
  for (int f = 0; f < FOLDERS; f++) {
    begin_with(f);
    json_decref(t_lines(0, "doctor"));
    picture(c->picture[f]);
    ask(&c->answers[f]);
    T_CHECK(c->answers[f].len > 1000, "the search finds too little");
    begin_with(f);
    c->replayed[f] = replay();
  }
}

static unsigned flips(void) { return t_flips() ? t_flips() : FLIPS; }

T_STORY(flips, each_is_found_or_without_effect, 3600) {
  struct campaign c = {0};
  make_folders();
  look_first(&c);
  int64_t began = ck_boot_ms();
  for (size_t v = 0; v < VICTIMS; v++) {
    unsigned n = (flips() * victims[v].share + 19) / 20, found = c.found, harmless = c.harmless;
    for (unsigned i = 0; i < n; i++) one_flip(&c, &victims[v]);
    t_note("%s: %u flips, %u found, %u without effect", victims[v].named, n, c.found - found,
           c.harmless - harmless);
  }
  t_note("%u found, %u without effect, %u missed in %lld s", c.found, c.harmless, c.missed,
         (long long)(ck_boot_ms() - began) / 1000);
  T_CHECK(c.missed == 0, "%u missed, the first: %s", c.missed, ck_buf_cstr(&c.said));
  for (int f = 0; f < FOLDERS; f++) ck_buf_free(&c.answers[f]);
  ck_buf_free(&c.said);
  shell("rm -rf ../clean ../killed");
}
