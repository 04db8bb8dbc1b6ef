/* See test_store_search_help.h. */
#include "tests/unit/test_store_search_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/clock.h"
#include "store/search/indexer.h"

struct context sx_context;
sqlite3 *sx_reader;
static sqlite3 *db;
static sqlite3_stmt *insert, *insert_key;
static struct indexer *thread;
static struct search_asker *asker;
static uint64_t version;
static char folder[64];

void sx_sql(const char *text) {
  struct ck_err err;
  cr_assert_eq(db_exec(db, text, &err), 0, "%s: %s", text, err.text);
}

void sx_enter(void) {
  struct ck_err err = {{0}};
  sh_thread_open(folder, &db, &sx_context);
  cr_assert_eq(db_open_reader(&sx_reader, &err), 0, "%s", err.text);
  asker = search_asker_new(sx_reader, &sx_context.stop);
  insert = db_prepare(db,
                      "INSERT INTO messages (version, id, platform, conversation_id, role,"
                      " raw_text, observed_at, static_path, created_at, live)"
                      " VALUES (?1, ?2, 'chatgpt', ?3, ?4, ?5, ?6, 'msg/' || ?2, 0, 1)",
                      &err);
  insert_key =
      db_prepare(db, "INSERT INTO message_keys_new (version, id, layer) VALUES (?1, ?2, 0)", &err);
}

void sx_start(void) {
  struct ck_err err;
  atomic_store(&sx_context.stop, false);
  atomic_store(&sx_context.search_cursor, 0);
  thread = indexer_start(&sx_context, &err);
  cr_assert_not_null(thread, "%s", err.text);
}

void sx_stop(void) {
  atomic_store(&sx_context.stop, true);
  context_wake(&sx_context);
  indexer_stop(&thread);
  atomic_store(&sx_context.stop, false);
}

void sx_leave(void) {
  if (thread) sx_stop();
  search_asker_free(&asker);
  sqlite3_finalize(insert);
  sqlite3_finalize(insert_key);
  db_close(&sx_reader);
  sh_thread_close(folder, &db, &sx_context);
}

static void step(sqlite3_stmt *s) {
  cr_assert_eq(sqlite3_step(s), SQLITE_DONE, "%s", sqlite3_errmsg(db));
  sqlite3_reset(s);
}

void sx_put(const char *id, const char *conversation, const char *role, int64_t at,
            const char *text) {
  char *delete = ck_sprintf("DELETE FROM messages WHERE id = '%s';"
                            " DELETE FROM message_keys_new WHERE id = '%s'",
                            id, id);
  sx_sql(delete);
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

void sx_put_tool(const char *id, const char *message, const char *params, const char *result) {
  char *text = ck_sprintf(
      "INSERT OR REPLACE INTO executions (version, instruction_id, message_id, target, tool,"
      " params, params_kind, result_ok, result_data, executed_at, static_path, created_at)"
      " VALUES (%llu, '%s', '%s', 'here', 'bash', '%s', 'body', 1, '%s', 1, 'exec/x', 0)",
      (unsigned long long)++version, id, message, params, result);
  sx_sql(text);
  free(text);
}

void sx_put_conversation(const char *id, const char *remote, const char *title, int64_t at) {
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
  sx_sql(text);
  version += 2;
  free(text);
}

void sx_reached(void) {
  atomic_store(&sx_context.head, version);
  context_wake(&sx_context);
  for (int64_t began = ck_boot_ms(); atomic_load(&sx_context.search_cursor) != version;
       usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "the cursor is %llu, not %llu",
                 (unsigned long long)atomic_load(&sx_context.search_cursor),
                 (unsigned long long)version);
}

static struct search_query query;
struct search_answer sx_answer;

int sx_try(const char *text, size_t limit, const char *cursor, bool rank) {
  struct ck_err err = {{0}};
  search_query_parse(ck_str_of(text), 0, &query);
  const struct search_question q = {
      .query = &query, .limit = limit, .cursor = ck_str_of(cursor), .rank = rank};
  return search_ask(asker, &q, &sx_answer, &err);
}

static char found[1000];
const char *sx_ask(const char *text) {
  struct ck_buf b = {0};
  cr_assert_eq(sx_try(text, 20, "", false), 0, "%s", text);
  for (size_t i = 0; i < sx_answer.hit_count; ++i) {
    const struct search_hit *h = &sx_answer.hits[i];
    if (i) ck_buf_text(&b, " ");
    if (h->is_title) ck_buf_text(&b, "title:");
    ck_buf_str(&b, h->is_title ? h->local_conversation_id : h->message_id);
  }
  snprintf(found, sizeof found, "%s", ck_buf_cstr(&b));
  ck_buf_free(&b);
  cr_expect_eq(sx_answer.count, sx_answer.hit_count, "%s: %llu", text,
               (unsigned long long)sx_answer.count);
  cr_expect_not(sx_answer.more);
  return found;
}
