/* The readable files of conversations: whole after kills, the same as an export, and not read again
 * by an import. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

static void put_some(struct t_producer *p, int from, int upto) {
  char row[512];
  for (int i = from; i < upto; i++) {
    snprintf(row, sizeof row,
             "{'id': 'm%d', 'platform': 'x', 'role': 'user', 'conversation_id': 'c%d',"
             " 'raw_text': 'text %d', 'observed_at': %d}",
             i, i % 40, i, i + 1);
    t_put(p, "messages", row);
    if (i % 100 == 99) T_CHECK(t_commit(p) == 'n', "messages are refused: %s", t_refusal(p));
  }
}

static void put_conversations(struct t_producer *p, const char *title) {
  char row[512];
  for (int i = 0; i < 40; i++) {
    snprintf(row, sizeof row,
             "{'local_conversation_id': 'x:c%d', 'platform': 'x', 'title': '%s %d',"
             " 'created_at': 1767348000000}",
             i, title, i / 4);
    t_put(p, "local_conversations", row);
    snprintf(row, sizeof row,
             "{'link_id': 'link:x:c%d', 'local_conversation_id': 'x:c%d', 'platform': 'x',"
             " 'remote_conversation_id': 'c%d', 'observed_at': 1}",
             i, i, i);
    t_put(p, "conversation_links", row);
  }
  T_CHECK(t_commit(p) == 'n', "the conversations are refused: %s", t_refusal(p));
}

static void put_titles(struct t_producer *p, int from, const char *title) {
  char row[256];
  for (int i = from; i < 40; i++) {
    snprintf(row, sizeof row, "{'local_conversation_id': 'x:c%d', 'title': '%s %d'}", i, title,
             i / 4);
    t_update(p, "local_conversations", row);
  }
  T_CHECK(t_commit(p) == 'u', "the titles are refused: %s", t_refusal(p));
}

/* Killed while it writes files, and while it renames them. */
T_STORY(conversations, resumed_after_a_kill, 90) {
  struct t_process *store = t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  put_conversations(p, "First");
  for (int round = 0; round < 3; round++) {
    put_some(p, round * 1000, round * 1000 + 1000);
    put_titles(p, 0, round == 1 ? "Second" : "Third");
    t_talk_forget();
    t_kill("store", SIGKILL);
    t_wait_end(store, 10000);
    store = t_daemon("store", NULL);
    p = t_producer("test");
  }
  T_UNTIL(30000, t_status_int("artifacts.cursor", -1) == t_status_int("version", -2),
          "the files are not done after 30 s");
  t_check_artifacts("artifact.db");
}

/* Of JSON without what a file does not have. */
static char *without_ages(char *text) {
  for (char *p = text; p && (p = strstr(p, ",\"ages\":\"")) != NULL;) {
    char *end = strchr(p + 9, '"') + 1;
    memmove(p, end, strlen(end) + 1);
  }
  return text;
}

static void no_difference(const char *conversation, const char *form, const char *path) {
  char *own = t_read_file(path, NULL);
  struct t_result r = t_convkeep("export", conversation, form);
  T_CHECK(own && r.code == 0 && strcmp(own, without_ages(r.out)) == 0,
          "%s: %s\nis not what export writes: %s", path, own, r.out);
  t_result_free(&r);
  free(own);
}

/* Called by its first question; its messages have one time, so they go by their roles. */
static void put_untitled(struct t_producer *p) {
  t_put(p, "messages",
        "{'id': 'a', 'platform': 'x', 'role': 'assistant', 'conversation_id': 'untitled',"
        " 'raw_text': 'Three', 'observed_at': 7}");
  t_put(p, "messages",
        "{'id': 'z', 'platform': 'x', 'role': 'user', 'conversation_id': 'untitled',"
        " 'raw_text': 'How many', 'observed_at': 7}");
  t_put(p, "local_conversations",
        "{'local_conversation_id': 'x:untitled', 'platform': 'x', 'created_at': 1767348000000}");
  t_put(p, "conversation_links",
        "{'link_id': 'link:x:untitled', 'local_conversation_id': 'x:untitled', 'platform': 'x',"
        " 'remote_conversation_id': 'untitled', 'observed_at': 1}");
  T_CHECK(t_commit(p) == 'n', "the conversation is refused: %s", t_refusal(p));
}

T_STORY(conversations, are_what_export_writes, 60) {
  t_up();
  struct t_producer *p = t_producer("test");
  put_conversations(p, "Tank");
  put_titles(p, 39, "Own");
  put_some(p, 0, 400);
  put_untitled(p);
  t_settle(20000);
  no_difference("x:c39", "--md", "artifacts/conversations/2026-01-02 Own 9.md");
  no_difference("x:c39", "--json", "artifacts/conversations/2026-01-02 Own 9.json");
  no_difference("x:untitled", "--md", "artifacts/conversations/2026-01-02 How many.md");
  no_difference("x:untitled", "--json", "artifacts/conversations/2026-01-02 How many.json");
  t_whole(20000);
}
