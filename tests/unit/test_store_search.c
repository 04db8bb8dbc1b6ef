/* The index of the search, made by its thread from a database in a folder of its own, and asked. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "store/database/db.h"
#include "store/search/ask.h"
#include "store/search/check.h"
#include "store/search/index.h"
#include "store/search/indexer.h"
#include "tests/unit/test_store_help.h"

static struct context context;
static sqlite3 *db, *reader;
static sqlite3_stmt *insert, *insert_key;
static struct indexer *thread;
static struct search_asker *asker;
static uint64_t version;
static char folder[64];

static void sql(const char *text) {
  struct ck_err err;
  cr_assert_eq(db_exec(db, text, &err), 0, "%s: %s", text, err.text);
}

static void enter(void) {
  struct ck_err err = {{0}};
  sh_thread_open(folder, &db, &context);
  cr_assert_eq(db_open_reader(&reader, &err), 0, "%s", err.text);
  asker = search_asker_new(reader, &context.stop);
  insert = db_prepare(db,
                      "INSERT INTO messages (version, id, platform, conversation_id, role,"
                      " raw_text, observed_at, static_path, created_at, live)"
                      " VALUES (?1, ?2, 'chatgpt', ?3, ?4, ?5, ?6, 'msg/' || ?2, 0, 1)",
                      &err);
  insert_key =
      db_prepare(db, "INSERT INTO message_keys_new (version, id, layer) VALUES (?1, ?2, 0)", &err);
}

static void start(void) {
  struct ck_err err;
  atomic_store(&context.stop, false);
  atomic_store(&context.search_cursor, 0);
  thread = indexer_start(&context, &err);
  cr_assert_not_null(thread, "%s", err.text);
}

static void stop(void) {
  atomic_store(&context.stop, true);
  context_wake(&context);
  indexer_stop(&thread);
  atomic_store(&context.stop, false);
}

static void leave(void) {
  if (thread) stop();
  search_asker_free(&asker);
  sqlite3_finalize(insert);
  sqlite3_finalize(insert_key);
  db_close(&reader);
  sh_thread_close(folder, &db, &context);
}

static void step(sqlite3_stmt *s) {
  cr_assert_eq(sqlite3_step(s), SQLITE_DONE, "%s", sqlite3_errmsg(db));
  sqlite3_reset(s);
}

/* Replaces the message of this id, if there is one. */
static void put(const char *id, const char *conversation, const char *role, int64_t at,
                const char *text) {
  char *delete = ck_sprintf("DELETE FROM messages WHERE id = '%s';"
                            " DELETE FROM message_keys_new WHERE id = '%s'",
                            id, id);
  sql(delete);
  free(delete);
  sqlite3_bind_int64(insert, 1, (int64_t)++version);
  db_bind_str(insert, 2, ck_str_of(id));
  if (conversation)
    db_bind_str(insert, 3, ck_str_of(conversation));
  else
    sqlite3_bind_null(insert, 3);
  db_bind_str(insert, 4, ck_str_of(role));
  db_bind_str(insert, 5, ck_str_of(text));
  sqlite3_bind_int64(insert, 6, at);
  step(insert);
  sqlite3_bind_int64(insert_key, 1, (int64_t)version);
  db_bind_str(insert_key, 2, ck_str_of(id));
  step(insert_key);
}

static void put_tool(const char *id, const char *message, const char *params, const char *result) {
  char *text = ck_sprintf(
      "INSERT OR REPLACE INTO executions (version, instruction_id, message_id, target, tool,"
      " params, params_kind, result_ok, result_data, executed_at, static_path, created_at)"
      " VALUES (%llu, '%s', '%s', 'here', 'bash', '%s', 'body', 1, '%s', 1, 'exec/x', 0)",
      (unsigned long long)++version, id, message, params, result);
  sql(text);
  free(text);
}

static void put_conversation(const char *id, const char *remote, const char *title, int64_t at) {
  char *text = ck_sprintf(
      "DELETE FROM conversation_links WHERE local_conversation_id = '%s';"
      "DELETE FROM local_conversations WHERE local_conversation_id = '%s';"
      "INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, title, last_message_at, created_at, updated_at)"
      " VALUES (%llu, '%s', 'chatgpt', 'manual', '%s', %lld, 0, 0);"
      "INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, created_at, updated_at)"
      " VALUES (%llu, 'l%s', '%s', 'chatgpt', '%s', 1, 0, 0, 0)",
      id, id, (unsigned long long)version + 1, id, title, (long long)at,
      (unsigned long long)version + 2, id, id, remote);
  sql(text);
  version += 2;
  free(text);
}

static void reached(void) {
  atomic_store(&context.head, version);
  context_wake(&context);
  for (int64_t began = ck_boot_ms(); atomic_load(&context.search_cursor) != version; usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "the cursor is %llu, not %llu",
                 (unsigned long long)atomic_load(&context.search_cursor),
                 (unsigned long long)version);
}

static struct search_query query;
static struct search_answer answer;

static int try_ask(const char *text, size_t limit, const char *cursor, bool rank) {
  struct ck_err err = {{0}};
  search_query_parse(ck_str_of(text), 0, &query);
  const struct search_question q = {
      .query = &query, .limit = limit, .cursor = ck_str_of(cursor), .rank = rank};
  return search_ask(asker, &q, &answer, &err);
}

static char found[1000];
/* The ids of the hits; of a title "title:" and the conversation's. */
static const char *ask(const char *text) {
  struct ck_buf b = {0};
  cr_assert_eq(try_ask(text, 20, "", false), 0, "%s", text);
  for (size_t i = 0; i < answer.hit_count; ++i) {
    const struct search_hit *h = &answer.hits[i];
    if (i) ck_buf_text(&b, " ");
    if (h->is_title) ck_buf_text(&b, "title:");
    ck_buf_str(&b, h->is_title ? h->local_conversation_id : h->message_id);
  }
  snprintf(found, sizeof found, "%s", ck_buf_cstr(&b));
  ck_buf_free(&b);
  cr_expect_eq(answer.count, answer.hit_count, "%s: %llu", text, (unsigned long long)answer.count);
  cr_expect_not(answer.more);
  return found;
}

#define FINDS(query, ids) \
  do { \
    const char *got_ = ask(query); \
    cr_expect_str_eq(got_, ids, "%s finds %s", query, got_); \
  } while (0)

TestSuite(store_search, .init = enter, .fini = leave, .timeout = 60);

Test(store_search, newest_first_by_time_not_by_arrival) {
  start();
  put("a", "c1", "user", 300, "the disk is full");
  put("b", "c1", "assistant", 100, "a full Disk, again");
  put("c", "c2", "user", 200, "diskette");
  reached();
  FINDS("disk", "a b");
  FINDS("disk*", "a c b");
  FINDS("full disk", "a b");
  FINDS("\"full disk\"", "b");
  FINDS("disk -again", "a");
  FINDS("role:assistant", "b");
  FINDS("", "a c b");
  FINDS("-disk", "c");
  FINDS("nothing", "");
  FINDS("&", "");
}

Test(store_search, an_edit_is_found_by_its_new_words_only) {
  start();
  put("a", "c1", "user", 1, "before");
  reached();
  put("a", "c1", "user", 1, "after that");
  reached();
  FINDS("before", "");
  FINDS("after that", "a");
  put("a", "c2", "assistant", 5, "after that"); /* the same words */
  reached();
  FINDS("after role:assistant", "a");
  cr_expect_eq(answer.hits[0].at, 5);
}

Test(store_search, tools_are_asked_by_name_and_with_words_of_the_message) {
  start();
  put("a", "c1", "assistant", 1, "let me look");
  put_tool("x", "a", "grep -r needle", "haystack");
  reached();
  FINDS("needle", "");
  FINDS("tool:needle", "a");
  FINDS("look tool:needle", "a");
  FINDS("is:tool haystack", "a");
  FINDS("is:tool", "a");
  cr_expect(ck_str_is(answer.hits[0].tool, "bash\ngrep -r needle\nhaystack\n"));
  put_tool("x", "a", "grep -r needle", "found it");
  reached();
  FINDS("tool:haystack", "");
  FINDS("look tool:found", "a");
  put("b", "c1", "user", 9, "no tools");
  reached();
  FINDS("is:tool", "a");
}

Test(store_search, titles_are_hits_and_choose_conversations) {
  start();
  put_conversation("loc1", "c1", "About disks", 7);
  put_conversation("loc2", "c2", "About cats", 8);
  put("a", "c1", "user", 1, "hello there");
  put("b", "c2", "user", 2, "hello you");
  reached();
  FINDS("about", "title:loc2 title:loc1");
  FINDS("title:disks hello", "a");
  FINDS("-title:disks hello", "b");
  FINDS("in:c2 hello", "b");
  FINDS("in:loc1 hello", "a");
  FINDS("in:cats hello", "b");
  FINDS("-in:loc1 hello", "b");
  FINDS("platform:chatgpt hello", "b a");
  FINDS("platform:claude hello", "");
  FINDS("-platform:chatgpt", "");
  put_conversation("loc1", "c1", "Of dogs", 9);
  reached();
  FINDS("title:disks", "");
  FINDS("title:dogs", "title:loc1");
  FINDS("hello title:dogs", "a");
  cr_expect(ck_str_is(answer.hits[0].local_conversation_id, "loc1"));
  cr_expect(ck_str_is(answer.hits[0].title, "Of dogs"));
}

/* Entries of a conversation lie anywhere, and those of a message that has moved before the others.
 * Whole blocks of others lie between, since a question without words looks at blocks. */
Test(store_search, of_a_conversation_all_entries_are_found) {
  start();
  put("moved", "c2", "user", 1, "hello");
  put("a", "c1", "user", 2, "hello");
  sql("BEGIN");
  for (int i = 0; i < 2 * SEARCH_BLOCK; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    put(id, "c2", "user", 3, "others");
  }
  sql("COMMIT");
  put("b", "c1", "user", 4, "hello");
  reached();
  FINDS("in:c1 hello", "b a");
  FINDS("in:c1", "b a");
  put("c", "c3", "user", 6, "hello");
  put("moved", "c3", "user", 5, "hello");
  reached();
  FINDS("in:c3 hello", "c moved");
  put("a", "c3", "user", 2, "hello");
  reached();
  FINDS("in:c3", "c moved a");
  FINDS("in:c1 hello", "b");
}

/* What comes in between changes nothing in what follows. */
Test(store_search, pages_follow_each_other) {
  start();
  for (int i = 0; i < 50; ++i) {
    char id[16], text[32];
    snprintf(id, sizeof id, "m%02d", i);
    snprintf(text, sizeof text, "word number %d", i);
    put(id, "c", "user", 1000 + i / 3, text);
  }
  reached();
  char cursor[64] = "";
  int64_t before = INT64_MAX;
  int seen[50] = {0}, pages = 0;
  do {
    cr_assert_eq(try_ask("word", 7, cursor, false), 0);
    for (size_t i = 0; i < answer.hit_count; ++i) {
      cr_expect_leq(answer.hits[i].at, before);
      before = answer.hits[i].at;
      ++seen[atoi(answer.hits[i].message_id.s + 1)];
    }
    snprintf(cursor, sizeof cursor, "%s", answer.cursor);
    cr_expect_eq(answer.count, 50 + (unsigned)pages);
    char id[16];
    snprintf(id, sizeof id, "new%d", pages);
    put(id, "c", "user", 5000, "a later word");
    reached();
  } while (++pages < 20 && *cursor);
  cr_expect_eq(pages, 8);
  for (int i = 0; i < 50; ++i) cr_expect_eq(seen[i], 1, "m%02d was seen %d times", i, seen[i]);
}

Test(store_search, the_best_first) {
  start();
  put("long", "c", "user", 9, "a long text in which the word disk is only one of very many words");
  put("short", "c", "user", 1, "disk disk");
  put("other", "c", "user", 5, "nothing of the kind");
  reached();
  cr_assert_eq(try_ask("disk", 1, "", true), 0);
  cr_expect(ck_str_is(answer.hits[0].message_id, "short"));
  char cursor[64];
  snprintf(cursor, sizeof cursor, "%s", answer.cursor);
  cr_assert_eq(try_ask("disk", 1, cursor, true), 0);
  cr_expect(ck_str_is(answer.hits[0].message_id, "long"));
  cr_expect_str_eq(answer.cursor, "");
}

Test(store_search, what_is_no_cursor_is_seen) {
  static const char *const bad[] = {"x",      "n",      "n 1",      "n 1 ",
                                    "n 1 2 ", "n 1 2x", "r 1 2",    " n 1 2",
                                    "n  1 2", "n +1 2", "9205a16d", "n 99999999999999999999 1"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_expect_not(search_cursor_ok(ck_str_of(bad[i]), false), "%s", bad[i]);
  cr_expect(search_cursor_ok(CK_LIT("n 1 2"), false));
  cr_expect(search_cursor_ok(CK_LIT("n -1 2"), false));
  cr_expect(search_cursor_ok(CK_LIT("r 1 2"), true));
  cr_expect_not(search_cursor_ok(CK_LIT("n 1 2"), true));
  cr_expect(search_cursor_ok(CK_LIT(""), true));
}

/* ---- the file ---- */

static bool goes_on(void *self) {
  (void)self;
  return true;
}

static void wait_for(const char *text, const char *ids) {
  for (int64_t began = ck_boot_ms();; usleep(5000)) {
    if (try_ask(text, 20, "", false) == 0 && strcmp(ask(text), ids) == 0) return;
    cr_assert_lt(ck_boot_ms() - began, 20000, "%s does not find %s", text, ids);
  }
}

Test(store_search, goes_on_where_it_was) {
  start();
  put("a", "c", "user", 1, "first");
  reached();
  stop();
  cr_expect_eq(try_ask("first", 20, "", false), 0);
  put("b", "c", "user", 2, "second");
  put("a", "c", "user", 1, "changed");
  start();
  reached();
  FINDS("first", "");
  FINDS("second", "b");
  FINDS("changed", "a");
}

/* The lists of words of a transaction are written once, not for each message. */
Test(store_search, a_transaction_writes_its_words_once) {
  struct ck_err err;
  sqlite3 *index = NULL;
  int64_t lists = 0;
  char id[16];
  for (int i = 0; i < 90; ++i) {
    snprintf(id, sizeof id, "m%02d", i);
    put(id, i % 3 ? "c" : "d", i % 2 ? "user" : "assistant", i, "some words");
  }
  start();
  reached();
  stop();
  cr_assert_eq(search_index_reader(&index, &err), 0, "%s", err.text);
  cr_assert_eq(db_int(index, "SELECT count(DISTINCT id >> 37) FROM words0_data WHERE id >> 37 > 0",
                      0, &lists, &err),
               0, "%s", err.text);
  cr_expect_eq(lists, 1);
  db_close(&index);
}

/* As if as many entries were there already as fit into the first part, but for two. */
static void fill_part(void) {
  sqlite3 *index = NULL;
  struct ck_err err;
  char *text = ck_sprintf("UPDATE search_state SET next = %d", SEARCH_PART - 1);
  cr_assert_eq(sqlite3_open(SEARCH_FILE, &index), SQLITE_OK);
  cr_assert_eq(db_exec(index, text, &err), 0, "%s", err.text);
  sqlite3_close(index);
  free(text);
}

Test(store_search, words_are_found_in_all_parts) {
  struct search_checked c;
  struct ck_err err = {{0}};
  put("a", "c", "user", 1, "a disk is full");
  start();
  reached();
  stop();
  fill_part();
  put("b", "c", "user", 2, "the disk");
  put("c", "d", "user", 4, "disk disk");
  put("d", "d", "user", 3, "disks or a disk");
  put_conversation("own", "d", "Trouble", 5);
  start();
  reached();
  FINDS("disk", "c d b a");
  FINDS("dis*", "c d b a");
  FINDS("full", "a");
  FINDS("disk -disks", "c b a");
  FINDS("disk -ful*", "c d b");
  FINDS("-dis*", "title:own");
  FINDS("title:trouble disk", "c d");
  FINDS("title:trou* dis*", "c d");
  cr_assert_eq(try_ask("disk", 20, "", true), 0);
  cr_expect_eq(answer.hit_count, 4);
  cr_expect_eq(answer.count, 4);
  cr_assert_eq(search_check(reader, goes_on, NULL, &c, &err), 0, "%s", err.text);
  cr_expect_eq(c.messages, 4);
  stop();
  put("e", "c", "user", 9, "one more disk");
  start();
  reached();
  FINDS("disk", "e c d b a");
}

Test(store_search, a_deleted_file_is_made_again) {
  start();
  put("a", "c", "user", 1, "word");
  reached();
  FINDS("word", "a");
  cr_assert_eq(unlink(SEARCH_FILE), 0);
  cr_expect_eq(try_ask("word", 20, "", false), -1);
  wait_for("word", "a");
  put("b", "c", "user", 2, "word");
  reached();
  wait_for("word", "b a");
}

static void fill(const char *with, int times) {
  int fd = open(SEARCH_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert_geq(fd, 0);
  while (times--) cr_assert_gt(write(fd, with, strlen(with)), 0);
  close(fd);
}

/* At a start doctor may come before the thread that makes the index. */
Test(store_search, one_that_is_not_made_yet_is_sound_and_has_nothing) {
  struct search_checked c;
  struct ck_err err = {{0}};
  put("m1", "c", "user", 1, "one");
  for (int empty = 0; empty < 2; ++empty) {
    if (empty) close(open(SEARCH_FILE, O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(search_check(reader, goes_on, NULL, &c, &err), 0, "%s", err.text);
    cr_expect_eq(c.cursor + c.messages + c.titles + c.missing, 0);
  }
  start();
  reached();
  cr_assert_eq(search_check(reader, goes_on, NULL, &c, &err), 0, "%s", err.text);
  cr_expect_eq(c.cursor, 1);
  cr_expect_eq(c.messages, 1);
}

Test(store_search, what_is_no_index_is_replaced) {
  put("a", "c", "user", 1, "word");
  for (int times = 1000; times >= 0; times -= 1000) {
    fill("this is not a database. ", times);
    start();
    reached();
    FINDS("word", "a");
    stop();
  }
  cr_assert_eq(unlink(SEARCH_FILE), 0);
  sqlite3 *other;
  cr_assert_eq(sqlite3_open(SEARCH_FILE, &other), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(other, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  start();
  reached();
  FINDS("word", "a");
}

Test(store_search, another_stores_index_is_replaced) {
  put("a", "c", "user", 1, "word");
  start();
  reached();
  stop();
  memset(context.store_id, 'b', 32);
  sql("DELETE FROM messages");
  sql("DELETE FROM message_keys_new");
  put("b", "c", "user", 2, "word");
  start();
  reached();
  FINDS("word", "b");
}

/* Bytes in the middle of the file: what is read of them is an error, and the index is made again.
 */
Test(store_search, a_damaged_index_is_made_again) {
  sql("BEGIN");
  for (int i = 0; i < 2000; ++i) {
    char id[16], text[64];
    snprintf(id, sizeof id, "m%d", i);
    snprintf(text, sizeof text, "word w%d of many", i);
    put(id, "c", "user", i, text);
  }
  sql("COMMIT");
  start();
  reached();
  stop();
  struct stat st;
  cr_assert_eq(stat(SEARCH_FILE, &st), 0);
  int fd = open(SEARCH_FILE, O_WRONLY);
  char junk[4096];
  memset(junk, 0xa5, sizeof junk);
  for (off_t at = 4096; at < st.st_size; at += 4096)
    cr_assert_eq(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
  close(fd);
  start();
  put("new", "c", "user", 5000, "fresh");
  reached();
  wait_for("fresh", "new");
  wait_for("w1234", "m1234");
}

Test(store_search, it_is_made_again_when_asked) {
  start();
  put("a", "c", "user", 1, "word");
  reached();
  struct stat before, after;
  cr_assert_eq(stat(SEARCH_FILE, &before), 0);
  int fd = open(SEARCH_FILE, O_RDONLY); /* so that the inode is not used again */
  atomic_store(&context.search_again, true);
  context_wake(&context);
  for (int64_t began = ck_boot_ms(); atomic_load(&context.search_again); usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000);
  reached();
  FINDS("word", "a");
  cr_assert_eq(stat(SEARCH_FILE, &after), 0);
  cr_expect_neq(before.st_ino, after.st_ino);
  close(fd);
}
