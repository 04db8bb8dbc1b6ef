/* What a person sees at 80 and at 200 columns, compared with tests/flow/terminal/NAME-COLUMNS.txt.
 * Each line fits, and columns are aligned whatever the script.
 *
 * With GOLDEN=write the files are written instead; look at the difference. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/visible.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/harness/terminal.h"

#define DAY 1767348000000 /* 2026-01-02 10:00:00 UTC */

static void converse(struct t_producer *p, const char *id, const char *title, const char *last,
                     long long at) {
  t_taken(p, 'n', "local_conversations",
          "{'local_conversation_id': 'chatgpt:%s', 'platform': 'chatgpt', 'title': '%s',"
          " 'last_message_id': '%s', 'last_message_at': %lld, 'newest_at': %lld,"
          " 'created_at': %lld, 'updated_at': %lld}",
          id, title, last, at, at, (long long)DAY, at);
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'link:chatgpt:%s', 'local_conversation_id': 'chatgpt:%s',"
          " 'platform': 'chatgpt', 'remote_conversation_id': '%s',"
          " 'page_url': 'https://chatgpt.com/c/%s', 'target_kind': 'webhook', 'observed_at': %lld,"
          " 'created_at': %lld, 'updated_at': %lld}",
          id, id, id, id, at, at, at);
}

static void say(struct t_producer *p, const char *id, const char *conversation, const char *role,
                const char *text, long long at, const char *more) {
  t_taken(p, 'n', "messages",
          "{'id': '%s', 'platform': 'chatgpt', 'conversation_id': '%s', 'role': '%s',"
          " 'raw_text': '%s', 'summary': '%s', 'observed_at': %lld, 'created_at': %lld%s}",
          id, conversation, role, text, text, at, at, more);
}

#define FISH "6650c2d0-1111-8000-a000-000000000001"
#define TANK "6650c2d0-1122-8000-a000-000000000002"
#define EMOJI "6717aa31-2222-8000-a000-000000000003"
#define RIGHT "67aa0101-3333-8000-a000-000000000004"

static void say_all(struct t_producer *p) {
  say(p, "0a000000-aaaa-4000-8000-000000000001", FISH, "system", "", DAY,
      ", 'position': 0, 'details': {'hidden': true}");
  say(p, "0b000000-aaaa-4000-8000-000000000002", FISH, "user",
      "How many neon tetras fit into a tank of 60 litres, and what else may live with them?",
      DAY + 60000, ", 'position': 1, 'parent_id': '0a000000-aaaa-4000-8000-000000000001'");
  say(p, "0c000000-aaaa-4000-8000-000000000003", FISH, "assistant",
      "Ten to twelve.\\n\\n- corydoras\\n- shrimps", DAY + 120000,
      ", 'position': 2, 'parent_id': '0b000000-aaaa-4000-8000-000000000002',"
      " 'details': {'model': 'gpt-4o'}");
  say(p, "0d000000-aaaa-4000-8000-000000000004", TANK, "user",
      "水族館の水槽は何リットルですか。魚は何匹入りますか。もっと詳しく教えてください。",
      DAY + 180000, "");
  say(p, "0e000000-aaaa-4000-8000-000000000005", EMOJI, "user", "Which 🐠 goes with 🐟🐟🐟?",
      DAY + 240000, "");
  say(p, "0f000000-aaaa-4000-8000-000000000006", RIGHT, "user",
      "left \\u202eright\\u202c \\u200e\\u061c end \\u001b[31mred", DAY + 300000, "");
  converse(p, FISH, "Fish tank, and who may live in it together with whom for how long",
           "0c000000-aaaa-4000-8000-000000000003", DAY + 120000);
  converse(p, TANK,
           "水族館の水槽について、とても長い題名で、一行には決して収まらないもの、もっと長く",
           "0d000000-aaaa-4000-8000-000000000004", DAY + 180000);
  converse(p, EMOJI, "🐠 and 🐟", "0e000000-aaaa-4000-8000-000000000005", DAY + 240000);
  converse(p, RIGHT, "exe.\\u202egpj \\u200f", "0f000000-aaaa-4000-8000-000000000006",
           DAY + 300000);
  t_taken(p, 'n', "executions",
          "{'instruction_id': 'exec_0123456789abcdef', 'target': 'python', 'tool': 'run',"
          " 'message_id': '0c000000-aaaa-4000-8000-000000000003', 'params': 'print(12)',"
          " 'params_kind': 'body', 'result_ok': 1, 'result_data': '12', 'result_summary': '12',"
          " 'executed_at': %lld, 'created_at': %lld}",
          DAY + 120000ll, DAY + 120000ll);
  t_taken(p, 'n', "sessions",
          "{'id': 'chatgpt:" FISH "@2026-01-02', 'platform': 'chatgpt', 'conversation_id': '" FISH
          "', 'started_at': %lld, 'last_activity_at': %lld, 'message_count': 3,"
          " 'execution_count': 1, 'summary': 'Ten to twelve. - corydoras - shrimps'}",
          (long long)DAY, DAY + 120000ll);
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'job_0123456789abcdef0123456789abcdef', 'status': 'failed',"
          " 'local_conversation_id': 'chatgpt:" FISH "',"
          " 'message_id': '0c000000-aaaa-4000-8000-000000000003', 'payload': 'continue',"
          " 'attempt_count': 3, 'last_error': 'http 503: the server said that it is much too busy',"
          " 'created_at': %lld, 'updated_at': %lld, 'finished_at': %lld}",
          (long long)DAY, (long long)DAY, (long long)DAY);
}

/* No line is wider than the terminal, and nothing on it commands it. */
static void check_lines(const char *name, unsigned columns, const char *text) {
  for (const char *p = text; *p;) {
    size_t n = strcspn(p, "\n");
    struct ck_str line = {p, n};
    if (n && p[n - 1] == '\r') --line.n;
    T_CHECK(ck_text_width(line) <= columns, "%s at %u columns: %zu are taken by: %.*s", name,
            columns, ck_text_width(line), (int)n, p);
    T_CHECK(!memchr(p, '\033', n), "%s: an escape sequence: %.*s", name, (int)n, p);
    p += n + (p[n] == '\n');
  }
}

static void compare(const char *name, unsigned columns, const char *got) {
  char *path = ck_sprintf("%s/tests/flow/terminal/%s-%u.txt", t_root(), name, columns);
  const char *mode = getenv("GOLDEN");
  if (mode && strcmp(mode, "write") == 0) t_write_text(path, got);
  char *want = t_read_file(path, NULL);
  T_CHECK(want, "there is no %s; GOLDEN=write makes it", path);
  T_CHECK(strcmp(got, want) == 0, "%s at %u columns is\n%s\nnot\n%s", name, columns, got, want);
  free(want);
  free(path);
}

/* fits: there is no text in it that is shown whole. */
static void seen(const char *name, bool fits, const char *const words[]) {
  for (unsigned short columns = 80; columns <= 200; columns = (unsigned short)(columns + 120)) {
    struct t_result r = t_terminal_words(columns, words);
    T_CHECK(r.code == 0, "%s ended with %d: %s", name, r.code, r.out);
    compare(name, columns, r.out);
    if (fits) check_lines(name, columns, r.out);
    t_result_free(&r);
  }
}
#define t_seen(name, ...) seen(name, true, (const char *const[]){__VA_ARGS__, NULL})
#define t_seen_whole(name, ...) seen(name, false, (const char *const[]){__VA_ARGS__, NULL})

#define TWICE(text) text text
#define OFTEN(text) TWICE(TWICE(TWICE(TWICE(TWICE(text)))))

/* Titles of which each character takes two columns, or none, or has several parts. */
static void say_wide(struct t_producer *p) {
  static const char *const titles[] = {
      OFTEN("題"),
      "a" OFTEN("題"),
      OFTEN("ﾊﾝｶｸ"),
      OFTEN("e\u0301"),
      OFTEN("Z\u0338\u0321\u0334\u0337"),
      OFTEN("👨‍👩‍👧‍👦"),
      OFTEN("👩🏽‍🚀 "),
      OFTEN("🇯🇵"),
      OFTEN("❤️"),
      OFTEN("한글"),
      OFTEN("हिन्दी "),
      OFTEN("مرحبا "),
      OFTEN("\u200b"),
  };
  for (size_t i = 0; i < sizeof titles / sizeof *titles; ++i) {
    char id[40];
    snprintf(id, sizeof id, "77%06zu-1111-8000-a000-000000000001", i);
    converse(p, id, titles[i], id, DAY + 600000 + 60000 * (long long)i);
  }
}

/* The ids are below each other all the same. */
T_STORY(terminal, wide_titles, 60) {
  setlocale(LC_CTYPE, "C.UTF-8");
  t_daemon("store", NULL);
  say_wide(t_producer("test"));
  t_seen("conversations-wide", "list", "conversations");
}

T_STORY(terminal, as_a_person_sees_it, 120) {
  setlocale(LC_CTYPE, "C.UTF-8");
  t_daemon("store", NULL);
  say_all(t_producer("test"));
  t_seen("alone", NULL);
  t_seen("help-list", "list", "--help");
  t_seen("conversations", "list", "conversations");
  t_seen("conversations-created", "list", "conversations", "--sort", "created", "--limit", "2");
  t_seen("messages", "list", "messages");
  t_seen("messages-hidden", "list", "messages", "--hidden", "--conversation-id", FISH);
  t_seen("executions", "list", "executions");
  t_seen("sessions", "list", "sessions");
  t_seen("links", "list", "links");
  t_seen("jobs", "list", "jobs");
  t_seen_whole("show-conversation", "show", FISH);
  t_seen_whole("show-message", "show", "0c000000");
  t_seen_whole("show-order", "show", "0f000000");
  t_seen_whole("read", "read", FISH);
}

/* What does not fit beside its name stands below it, also where nothing fits. */
T_STORY(terminal, a_narrow_terminal_cuts_no_record, 60) {
  t_daemon("store", NULL);
  say_all(t_producer("test"));
  struct t_result r = t_terminal(20, "show", "0b000000");
  T_CHECK(r.code == 0 && strstr(r.out, "and what else may live with them?"), "%d: %s", r.code,
          r.out);
  t_result_free(&r);
}

/* Every id that a list shows, as short as it is, is taken where such a thing is meant. */
static void taken(const char *line, const char *const words[]) {
  const char *end = line + strcspn(line, "\r\n"), *id = end;
  while (id > line && id[-1] != ' ') --id;
  char *text = ck_str_dup((struct ck_str){id, (size_t)(end - id)});
  const char *all[8] = {NULL};
  for (int i = 0; words[i]; ++i) all[i] = strcmp(words[i], "ID") == 0 ? text : words[i];
  struct t_result r = t_convkeep_words(NULL, all);
  T_CHECK(r.code == 0 && *r.out, "%s %s %s ended with %d: %s", all[0], all[1], all[2] ? all[2] : "",
          r.code, r.err);
  t_result_free(&r);
  free(text);
}
#define t_takes(line, ...) taken(line, (const char *const[]){__VA_ARGS__, NULL})

static char *lines_of(const char *kind) {
  struct t_result r = t_terminal(80, "list", kind);
  char *text = ck_strdup(strchr(r.out, '\n') + 1);
  t_result_free(&r);
  return text;
}

T_STORY(terminal, a_short_id_is_an_id, 120) {
  t_daemon("store", NULL);
  say_all(t_producer("test"));
  char *lines = lines_of("conversations");
  for (const char *p = lines; *p; p = strchr(p, '\n') + 1) {
    t_takes(p, "show", "ID");
    t_takes(p, "read", "ID");
    t_takes(p, "list", "messages", "--hidden", "--conversation-id", "ID");
    t_takes(p, "list", "links", "--local-conversation-id", "ID");
    t_takes(p, "set", "ID", "--summary", "seen");
  }
  free(lines);
  lines = lines_of("messages");
  for (const char *p = lines; *p && *p != '1'; p = strchr(p, '\n') + 1) {
    t_takes(p, "show", "ID");
    t_takes(p, "list", "messages", "--id", "ID");
  }
  free(lines);
  lines = lines_of("jobs");
  t_takes(lines, "show", "ID");
  t_takes(lines, "jobs", "why", "ID");
  t_takes(lines, "list", "jobs", "--job-id", "ID");
  free(lines);
  lines = lines_of("executions");
  t_takes(lines, "show", "ID");
  free(lines);
}
