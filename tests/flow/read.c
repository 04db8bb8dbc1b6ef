/* `read` shows a conversation whole and in its order; lists and `show` keep to the same order. */
#include <stdlib.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/harness/terminal.h"

#define DAY "2026-01-02 10:00:"
#define AT(second) (1767348000000 + (second)*1000ll)

static struct t_producer *writer(void) {
  t_daemon("store", NULL);
  return t_producer("test");
}

/* A message of the conversation; more: further columns, each after a comma. */
static void say(struct t_producer *p, const char *conversation, const char *id, const char *role,
                const char *text, int second, const char *more) {
  t_taken(p, 'n', "messages",
          "{'id': '%s', 'platform': 'x', 'conversation_id': '%s', 'role': '%s', 'raw_text': '%s',"
          " 'observed_at': %lld, 'created_at': 1%s}",
          id, conversation, role, text, AT(second), more);
}

static void converse(struct t_producer *p, const char *conversation, const char *title,
                     const char *last, int second, const char *more) {
  t_taken(p, 'n', "local_conversations",
          "{'local_conversation_id': 'x:%s', 'platform': 'x', 'title': '%s',"
          " 'last_message_id': '%s', 'last_message_at': %lld%s}",
          conversation, title, last, AT(second), more);
  t_taken(p, 'n', "conversation_links",
          "{'link_id': 'link-%s', 'local_conversation_id': 'x:%s', 'platform': 'x',"
          " 'remote_conversation_id': '%s', 'page_url': 'https://x.example/c/%s',"
          " 'observed_at': 1}",
          conversation, conversation, conversation, conversation);
}

static void said(const char *want, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == 0 && strcmp(r.out, want) == 0, "%s %s ended with %d and says\n%s\nnot\n%s\n%s",
          words[0], words[1], r.code, r.out, want, r.err);
  t_result_free(&r);
}
#define t_reads(want, ...) said(want, (const char *const[]){"read", __VA_ARGS__, NULL})

/* The ids of what `read --json` or `list --json` gives. */
static void ids(const char *want, const char *const words[]) {
  json_t *lines = t_lines_words(0, NULL, words), *line;
  char got[1024] = "";
  size_t i;
  json_array_foreach(lines, i, line) snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s",
                                              i ? " " : "", t_text_at(line, "id"));
  T_CHECK(strcmp(got, want) == 0, "%s %s gives %s, not %s", words[0], words[1], got, want);
  json_decref(lines);
}
#define t_ids(want, ...) ids(want, (const char *const[]){__VA_ARGS__, "--json", NULL})

/* Question and answer with the answer's time before the question's, a second answer and what
 * followed the first, a message whose place nobody told. */
static void say_all(struct t_producer *p) {
  say(p, "fish", "s", "system", "", 0, ", 'position': 0, 'details': {'hidden': true}");
  say(p, "fish", "q", "user", "How many?", 10, ", 'parent_id': 's', 'position': 1");
  say(p, "fish", "a", "assistant", "Three.\\nOr four.", 9,
      ", 'parent_id': 'q', 'position': 2, 'details': {'model': 'm-1',"
      " 'thinking': ['Count them.\\nAgain.']}");
  say(p, "fish", "b", "assistant", "Five.", 20, ", 'parent_id': 'q', 'position': 2");
  say(p, "fish", "q2", "user", "Sure?", 30, ", 'parent_id': 'b', 'position': 3");
  say(p, "fish", "u", "user", "From elsewhere", 15, "");
  converse(p, "fish", "Fish tank", "a", 9, ", 'newest_at': 1767348030000");
}

/* Blocks with an empty line before each, but not between lines that something is folded to. */
#define HEAD "Fish tank\nx · 6 messages · 2 branches · x:fish\nhttps://x.example/c/fish\n"
#define HIDDEN "\n▸ 1 hidden message; --full shows it\n"
#define Q "\n── user · " DAY "10 ──\nHow many?\n"
#define A "\n── assistant · m-1 · " DAY "09 ──\n▸ thinking: Count them. Again.\nThree.\nOr four.\n"
#define B "\n── assistant · " DAY "20 ──\nFive.\n"
#define Q2 "\n── user · " DAY "30 ──\nSure?\n"
#define U "\n── user · " DAY "15 · place unknown ──\nFrom elsewhere\n"
#define LEAVES "\n▸ branch 2 of 2 goes on here: 2 messages; --branch 2\n"

T_STORY(read, a_conversation_in_its_order, 60) {
  say_all(writer());
  t_reads(HEAD HIDDEN Q LEAVES A U, "x:fish");
  t_reads(HEAD HIDDEN Q "\n▸ branch 1 of 2 goes on here: 2 messages; --branch 1\n" B Q2, "x:fish",
          "--branch", "2");
  t_reads(HEAD HIDDEN Q A U "\n══ branch 2 of 2, after q ══\n" B Q2, "x:fish", "--branch", "all");
  t_reads(HEAD A U, "x:fish", "--last", "2");
  t_reads(HEAD U A Q LEAVES HIDDEN, "x:fish", "--reverse");
  t_reads(HEAD U A, "x:fish", "--reverse", "--last", "2");
  t_reads(HEAD "\n── system · hidden · " DAY "00 ──\n▸ (no text)\n" Q LEAVES
               "\n── assistant · m-1 · " DAY "09 ──\n▾ thinking\nCount them.\nAgain.\n"
               "▾ text\nThree.\nOr four.\n" U,
          "x:fish", "--full");
  t_ids("s q a u b q2", "read", "x:fish");
  t_ids("s q b q2", "read", "x:fish", "--branch", "2");
  t_ids("u a", "read", "x:fish", "--last", "2", "--reverse");
  t_ids("u a q s q2 b", "read", "x:fish", "--reverse");
  struct t_result r = t_convkeep("read", "x:fish", "--branch", "3");
  T_CHECK(r.code == 1 && strstr(r.err, "2 branches"), "--branch 3 ended with %d: %s", r.code,
          r.err);
  t_result_free(&r);
  t_do(2, "read", "x:fish", "--branch", "0");
  t_do(2, "read", "x:fish", "--last", "many");
  t_do(2, "read", "x:fish", "--last", "2", "--branch", "all");
  t_do(2, "read");
}

T_STORY(read, json_is_complete, 60) {
  struct t_producer *p = writer();
  say_all(p);
  t_taken(p, 'n', "executions",
          "{'instruction_id': 'e2', 'message_id': 'a', 'target': 'python', 'tool': 'run',"
          " 'params': 'print(1)', 'params_kind': 'body', 'result_ok': 1, 'result_data': '1',"
          " 'executed_at': 2}");
  t_taken(p, 'n', "executions",
          "{'instruction_id': 'e1', 'message_id': 'a', 'target': 'web', 'tool': 'get',"
          " 'executed_at': 3}");
  json_t *lines = t_lines(0, "read", "x:fish");
  json_t *want = t_json(
      "{'id': 'a', 'platform': 'x', 'conversation_id': 'fish', 'role': 'assistant',"
      " 'raw_text': 'Three.\\nOr four.', 'branch': {'n': 1, 'of': 2}, 'placed': true,"
      " 'kind': 'text', 'model': 'm-1', 'thinking': ['Count them.\\nAgain.'], 'attachments': [],"
      " 'citations': [], 'details': {}, 'parent_id': 'q', 'position': 2}");
  json_t *a = json_array_get(lines, 2), *value;
  const char *name;
  json_object_foreach(want, name, value)
      T_CHECK(json_equal(value, t_at(a, name)), "%s: %s", name, json_dumps(a, 0));
  T_CHECK(strcmp(t_text_at(a, "executions.0.instruction_id"), "e2") == 0 &&
              strcmp(t_text_at(a, "executions.1.tool"), "get") == 0,
          "the executions are %s", json_dumps(t_at(a, "executions"), 0));
  T_CHECK(!t_at(a, "ages") && !t_at(a, "executions.0.ages") && t_at(a, "created_at"), "%s",
          json_dumps(a, 0));
  T_CHECK(json_is_false(t_at(lines, "3.placed")) && t_int_at(lines, "4.branch.n", 0) == 2 &&
              json_is_true(t_at(lines, "0.details.hidden")),
          "%s", json_dumps(lines, 0));
  json_decref(want);
  json_decref(lines);
  t_reads(HEAD HIDDEN Q LEAVES "\n── assistant · m-1 · " DAY
                               "09 ──\n▸ thinking: Count them. Again.\nThree.\nOr four.\n"
                               "▸ python run: print(1) → ok: 1\n▸ web get → no result\n" U,
          "x:fish");
}

/* A result is told by the line of what was executed: the message that brought it is not shown if it
 * says the same, or nothing. */
T_STORY(read, a_result_is_shown_once, 60) {
  struct t_producer *p = writer();
  say(p, "c", "m1", "assistant", "Look.", 1, ", 'position': 0");
  say(p, "c", "m2", "user", "", 2,
      ", 'parent_id': 'm1', 'position': 1, 'details': {'kind': 'result'}");
  say(p, "c", "m3", "tool", "7", 3,
      ", 'parent_id': 'm2', 'position': 2, 'details': {'kind': 'result'}");
  say(p, "c", "m4", "user", "", 4,
      ", 'parent_id': 'm3', 'position': 3, 'details': {'kind': 'result',"
      " 'attachments': [{'name': 'a.png'}]}");
  t_taken(p, 'n', "executions",
          "{'instruction_id': 'e1', 'message_id': 'm1', 'target': 'web', 'tool': 'get',"
          " 'result_ok': 1, 'result_data': '7', 'executed_at': 2}");
  converse(p, "c", "", "m4", 4, "");
  t_reads("(no title)\nx · 4 messages · x:c\nhttps://x.example/c/c\n\n"
          "── assistant · " DAY
          "01 ──\nLook.\n▸ web get → ok: 7\n\n▸ attachment, not kept here: a.png\n",
          "x:c");
}

/* What follows in the branch that is read does not look like a part of one that leaves it. */
T_STORY(read, a_branch_that_leaves_stands_alone, 60) {
  struct t_producer *p = writer();
  say(p, "c", "q", "user", "How many?", 1, ", 'position': 0");
  say(p, "c", "t", "assistant", "Count.", 2,
      ", 'parent_id': 'q', 'position': 1, 'details': {'kind': 'thinking'}");
  say(p, "c", "a", "assistant", "Three.", 3, ", 'parent_id': 't', 'position': 2");
  say(p, "c", "b", "assistant", "Four.", 4, ", 'parent_id': 'q', 'position': 1");
  say(p, "c", "d", "assistant", "Five.", 5, ", 'parent_id': 'q', 'position': 1");
  converse(p, "c", "", "a", 5, "");
  t_reads("“How many?”\nx · 5 messages · 3 branches · x:c\nhttps://x.example/c/c\n"
          "\n── user · " DAY "01 ──\nHow many?\n\n"
          "▸ branch 2 of 3 goes on here: 1 message; --branch 2\n"
          "▸ branch 3 of 3 goes on here: 1 message; --branch 3\n\n"
          "▸ thinking: Count.\n\n── assistant · " DAY "03 ──\nThree.\n",
          "x:c");
  json_t *lines = t_lines(0, "list", "conversations"), *line = json_array_get(lines, 0);
  T_CHECK(json_is_null(t_at(line, "title")) &&
              strcmp(t_text_at(line, "first_question"), "How many?") == 0,
          "the list says %s", json_dumps(line, 0));
  json_decref(lines);
}

/* A fork begins at its own first message; what came before is of another conversation. */
T_STORY(read, a_fork_walks_across, 60) {
  struct t_producer *p = writer();
  say_all(p);
  say(p, "tank", "f", "user", "Another tank", 40, ", 'parent_id': 'q2', 'position': 4");
  say(p, "tank", "g", "assistant", "Yes", 41, ", 'parent_id': 'f', 'position': 5");
  converse(p, "tank", "Second tank", "g", 41, "");
  t_ids("s q b q2 f g", "read", "x:tank");
  t_reads("Second tank\nx · 6 messages · x:tank\nhttps://x.example/c/tank\n\n"
          "▸ from here on: Fish tank (x:fish), from which this conversation was forked\n"
          "▸ 1 hidden message; --full shows it\n" Q B Q2 "\n▸ from here on: this conversation\n"
          "\n── user · " DAY "40 ──\nAnother tank\n\n── assistant · " DAY "41 ──\nYes\n",
          "x:tank");
  /* Until the other one is known, it says what is missing. */
  say(p, "half", "h", "user", "Half", 50, ", 'parent_id': 'nowhere', 'position': 3");
  converse(p, "half", "Half", "h", 50, "");
  t_reads("Half\nx · 1 message · x:half\nhttps://x.example/c/half\n\n"
          "▸ 3 messages before this are not here\n\n── user · " DAY "50 ──\nHalf\n",
          "x:half");
}

/* Nothing that a message says commands the terminal or changes the order of what is shown. */
T_STORY(read, what_was_said_is_only_text, 60) {
  struct t_producer *p = writer();
  say(p, "c", "m1", "user",
      "red \\u001b[31m, back \\u202Eabc\\u2069, bell\\u0007, \\u200Ftab\\there\\r\\nnext\\rline", 1,
      ", 'position': 0");
  say(p, "c", "m2", "assistant",
      "Water\\uE200cite\\uE202turn0search1\\uE201 and \\uE200cite\\uE202turn9\\uE201.", 2,
      ", 'parent_id': 'm1', 'position': 1, 'details': {'citations': ["
      "{'text': '\\uE200cite\\uE202turn0search1\\uE201', 'title': 'Tanks',"
      " 'url': 'https://t.example'}, {'title': 'Unmarked', 'url': 'https://u.example'}],"
      " 'attachments': [{'name': 'a\\u001b]0;x\\u0007.png', 'type': 'image/png', 'size': 12345}]}");
  say(p, "c", "m3", "tool", "out", 3,
      ", 'parent_id': 'm2', 'position': 2, 'details': {'kind': 'result'}");
  say(p, "c", "m4", "assistant", "{\\\"a\\\":1}", 4,
      ", 'parent_id': 'm3', 'position': 3, 'details': {'kind': 'other', 'type': 'new_thing',"
      " 'time_known': false}");
  converse(p, "c", "T\\u001b[2Jitle\\nof two lines", "m4", 4, "");
  t_reads("T<U+001B>[2Jitle of two lines\nx · 4 messages · x:c\nhttps://x.example/c/c\n\n"
          "── user · " DAY "01 ──\nred <U+001B>[31m, back <U+202E>abc<U+2069>, bell<U+0007>, "
          "<U+200F>tab\there\nnext<U+000D>line\n\n"
          "── assistant · " DAY "02 ──\nWater [Tanks](https://t.example) and [cite turn9].\n"
          "▸ source [Unmarked](https://u.example)\n"
          "▸ attachment, not kept here: a<U+001B>]0;x<U+0007>.png (image/png, 12,345 bytes)\n\n"
          "▸ result of tool: out\n\n"
          "── assistant · other · new_thing ──\n{\"a\":1}\n",
          "x:c");
}

static void on_terminal(const char *part, unsigned short columns, const char *const words[]) {
  struct t_result r = t_terminal_words(columns, words);
  T_CHECK(r.code == 0 && strstr(r.out, part), "%s %s ended with %d and shows\n%s\nwithout\n%s",
          words[0], words[1], r.code, r.out, part);
  t_result_free(&r);
}
#define t_shows(part, columns, ...) \
  on_terminal(part, columns, (const char *const[]){__VA_ARGS__, NULL})

T_STORY(read, on_a_terminal, 60) {
  say_all(writer());
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  setenv("PAGER", "sed 's/^/| /'", 1);
  t_shows("| \033[1mFish tank\033[0m\n", 80, "read", "x:fish");
  t_shows("\n| Or four.\n| \n", 80, "read", "x:fish");
  setenv("PAGER", "true", 1);
  t_shows("", 80, "read", "x:fish"); /* a reader who has had enough at once */
  t_shows("\033[1mFish tank\033[0m\n", 80, "read", "x:fish", "--no-pager");
  setenv("PAGER", "cat", 1);
  t_shows("\033[2m▸ thinking: Count the…\033[0m\n", 22, "read", "x:fish");
  setenv("NO_COLOR", "1", 1);
  t_shows("Fish tank\nx · 6", 80, "read", "x:fish");
  t_shows("\n▸ thinking: Count t…\n", 20, "read", "x:fish");
}

/* More than fits into one answer, in an order that is not that of the writes; and a long one. */
T_STORY(read, a_long_conversation, 120) {
  struct t_producer *p = writer();
  size_t n = 700000;
  char *text = ck_alloc(n + 1);
  memset(text, 'x', n);
  text[n] = '\0';
  for (int i = 0; i < 12; i++) {
    int k = i * 5 % 12;
    char parent[16] = "null";
    if (k) snprintf(parent, sizeof parent, "'m%d'", k - 1);
    char *row = ck_sprintf("{'id': 'm%d', 'platform': 'x', 'conversation_id': 'c', 'role': 'user',"
                           " 'raw_text': '%s', 'observed_at': %d, 'parent_id': %s, 'position': %d}",
                           k, text, i + 1, parent, k);
    t_put(p, "messages", row);
    T_CHECK(t_commit(p) == 'n', "m%d: %s", k, t_refusal(p));
    free(row);
  }
  converse(p, "c", "Long", "m11", 11, "");
  free(text);
  t_ids("m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 m11", "read", "x:c");
}

/* ---- lists ---- */

static void tanks(struct t_producer *p) {
  say_all(p);
  converse(p, "6650c2d0-1111", "水族館 und ein Titel, der länger ist als eine Zeile sein kann", "",
           5, ", 'newest_at': 1767348000000, 'created_at': 1, 'automation_status': 'auto'");
  converse(p, "6650c2d0-2222", "Old", "", -5, ", 'created_at': 2");
}

static void conversations(const char *want, const char *const words[]) {
  json_t *lines = t_lines_words(0, NULL, words), *line;
  char got[1024] = "";
  size_t i;
  json_array_foreach(lines, i, line) snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s",
                                              i ? " " : "", t_text_at(line, "title"));
  T_CHECK(strncmp(got, want, strlen(want)) == 0 && (*want || !*got), "%s %s gives %s, not %s",
          words[2], words[3], got, want);
  json_decref(lines);
}
#define t_titles(want, ...) \
  conversations(want, (const char *const[]){"list", "conversations", __VA_ARGS__, "--json", NULL})

T_STORY(read, conversations_are_listed_by_their_last_message, 60) {
  tanks(writer());
  t_titles("Fish tank 水族館", "--limit", "2");
  t_titles("水族館", "--since", "2026-01-02T10:00:00Z", "--until", "2026-01-02T10:00:30Z");
  t_titles("Fish tank", "--title", "TANK fish");
  t_titles("", "--title", "fish tanks");
  t_titles("Old", "--sort", "created", "--until", "3", "--limit", "1");
  t_titles("水族館", "--automation-status", "auto");
  struct t_result r = t_convkeep("list", "conversations");
  char want[512];
  snprintf(want, sizeof want, "%-16s  automation  %-61s  id\n%-28s  %-61s  x:fish\n",
           "last message", "title", "2026-01-02 10:00", "Fish tank");
  T_CHECK(strncmp(r.out, want, strlen(want)) == 0 && strstr(r.out, "  x:6650c2d0-1111\n"),
          "the list is\n%s", r.out);
  t_result_free(&r);
  t_shows("2026-01-02 10:00  auto        水族館 und ein Titel, der länger is…  x:6650c2d0-1\n", 80,
          "list", "conversations");
  t_shows("auto        水族館 und ein Titel, der länger is…  x:6650c2d0-1111\n", 83, "list",
          "conversations", "--ids");
  json_t *lines = t_lines(0, "list", "conversations", "--limit", "1");
  T_CHECK(!t_at(lines, "0.newest_at") && !t_at(lines, "0.shown_id") && t_at(lines, "0.updated_at"),
          "%s", json_dumps(lines, 0));
  json_decref(lines);
}

T_STORY(read, lists_say_what_came, 60) {
  struct t_producer *p = writer();
  say(p, "c", "m", "assistant", "x", 1, "");
  static const char *const came[] = {"'result_ok': 1, 'result_data': 'r'",
                                     "'result_ok': 0, 'result_error': 'r'", "'params': 'x'"};
  for (int i = 0; i < 3; i++)
    t_taken(p, 'n', "executions",
            "{'instruction_id': 'e%d', 'message_id': 'm', 'target': 'web', 'tool': 'get',"
            " 'executed_at': %lld, %s}",
            i, AT(i), came[i]);
  t_taken(p, 'n', "sessions",
          "{'id': 'x:a-conversation-with-a-long-id@1970-01-01', 'platform': 'x',"
          " 'conversation_id': 'c', 'started_at': 0, 'last_activity_at': 0}");
  struct t_result r = t_convkeep("list", "executions");
  T_CHECK(strcmp(r.out, "time              target  tool  result  summary  id\n"
                        "2026-01-02 10:00  web     get   none             e2\n"
                        "2026-01-02 10:00  web     get   failed           e1\n"
                        "2026-01-02 10:00  web     get   ok      r        e0\n") == 0,
          "the executions are\n%s", r.out);
  t_result_free(&r);
  /* The epoch is no time that somebody told. */
  t_shows("last activity  messages  executions  id\n                      0", 60, "list",
          "sessions", "--ids");
  t_shows("  x:a-conversation-with-a-long-id@1970-01-01\n", 60, "list", "sessions", "--ids");
  t_shows("  x:a-conver\n", 60, "list", "sessions");
}

static void finds(const char *id, const char *text) {
  json_t *lines = t_lines(0, "show", text);
  T_CHECK(strcmp(t_text_at(lines, "0.local_conversation_id"), id) == 0, "%s is %s", text,
          t_text_at(lines, "0.local_conversation_id"));
  json_decref(lines);
}

T_STORY(read, a_conversation_is_named_in_many_ways, 60) {
  tanks(writer());
  finds("x:fish", "x:fish");
  finds("x:fish", "fish");
  finds("x:fish", "FISH TANK");
  finds("x:fish", "https://x.example/c/fish?a=b");
  finds("x:6650c2d0-1111", "x:6650c2d0-1");
  finds("x:6650c2d0-1111", "6650c2d0-1");
  finds("x:6650c2d0-2222", "old");
  struct t_result r = t_convkeep("read", "6650c2d0");
  T_CHECK(r.code == 1 && strstr(r.err, "2 conversations match") &&
              strstr(r.err, "x:6650c2d0-2222 (Old)"),
          "an ambiguous beginning: %d %s", r.code, r.err);
  t_result_free(&r);
  r = t_convkeep("read", "Fish");
  T_CHECK(r.code == 1 && strstr(r.err, "similar: x:fish (Fish tank)\n"), "a part of a title: %d %s",
          r.code, r.err);
  t_result_free(&r);
  t_do(1, "read", "6650c2d");
  t_do(0, "set", "fish tank", "--summary", "x");
}

/* Lists of a conversation's messages, and `show`, keep to the reading order. */
T_STORY(read, messages_of_a_conversation_are_in_its_order, 60) {
  struct t_producer *p = writer();
  tanks(p);
  t_ids("u a q s q2 b", "list", "messages", "--conversation-id", "fish");
  t_ids("u a q s q2 b", "list", "messages", "--conversation-id", "x:fish", "--platform", "x");
  t_ids("q s q2", "list", "messages", "--conversation-id", "Fish tank", "--limit", "3", "--offset",
        "2");
  struct t_result r =
      t_convkeep("list", "messages", "--conversation-id", "fish", "--platform", "y");
  T_CHECK(r.code == 1 && strstr(r.err, "fish: no such conversation"), "%s", r.err);
  t_result_free(&r);
  r = t_convkeep("list", "messages", "--conversation-id", "nobody");
  T_CHECK(r.code == 1 && strstr(r.err, "x:fish (Fish tank)") && !*r.out, "%s%s", r.out, r.err);
  t_result_free(&r);
  t_taken(p, 'n', "sessions",
          "{'id': 'x:fish@2026-01-02', 'platform': 'x', 'conversation_id': 'fish',"
          " 'started_at': %lld, 'last_activity_at': %lld}",
          AT(0), AT(30));
  json_t *lines = t_lines(0, "list", "sessions", "--conversation-id", "x:fish");
  T_CHECK(json_array_size(lines) == 1, "%zu sessions", json_array_size(lines));
  json_decref(lines);
  lines = t_lines(0, "list", "links", "--local-conversation-id", "fish");
  T_CHECK(json_array_size(lines) == 1 && !t_at(lines, "0.ages"), "%s", json_dumps(lines, 0));
  json_decref(lines);
  json_t *session = t_lines(0, "show", "x:fish@2026-01-02"),
         *conversation = t_lines(0, "show", "x:fish");
  static const char *const in_session[] = {"s", "q", "a", "u", "b", "q2"};
  for (size_t i = 0; i < 6; i++) {
    char path[32];
    snprintf(path, sizeof path, "0.messages.%zu.id", i);
    const char *has = t_text_at(session, path), *shown = t_text_at(conversation, path);
    T_CHECK(has && strcmp(has, in_session[i]) == 0, "%s: %s", path, has);
    T_CHECK(i < 4 ? shown && strcmp(shown, in_session[i]) == 0 : !shown, "%s: %s", path, shown);
  }
  json_decref(session);
  json_decref(conversation);
  r = t_convkeep("show", "x:fish");
  T_CHECK(strstr(r.out, "all 6 messages: convkeep read x:fish"), "%s", r.out);
  t_result_free(&r);
}
