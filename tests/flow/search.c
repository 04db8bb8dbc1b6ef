/* Messages and conversations are found by their words: at the door, and by `convkeep search`. What
 * exactly each word finds is in search_recall.c. */
#include "tests/flow/search_help.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/terminal.h"

static struct t_producer *writer(void) {
  t_daemon("store", NULL);
  return t_producer("test");
}

/* ---- what is found ---- */

T_STORY(search, finds_what_is_imported_without_a_ring_and_with_one, 60) {
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'a', 'role': 'user',"
                    " 'text': 'The disk is full', 'observed_at': 1767348000000,"
                    " 'page_title': 'Trouble'}\n");
  json_t *lines = t_lines(0, "search", "disk"),
         *want = t_json("[{'message_id': 'a', 'title': 'Trouble', 'platform': 'x', 'role': 'user',"
                        " 'observed_at': 1767348000000, 'snippet': 'The disk is full',"
                        " 'ranges': [[4, 8]]}]");
  json_t *first = json_array_get(lines, 0);
  T_CHECK(first != NULL, "nothing is found");
  T_CHECK(t_text_at(first, "conversation_id") != NULL, "no conversation_id");
  json_object_del(first, "conversation_id");
  char *got = json_dumps(lines, 0);
  T_CHECK(json_equal(lines, want), "search --json says %s", got);
  free(got);
  json_decref(want);
  json_decref(lines);
  t_up();
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'b', 'role': 'user',"
                    " 'text': 'Another disk', 'observed_at': 1767348001000}\n");
  finds("disk", "b a");
  t_do(0, "search", "nothing-like-it");
}

T_STORY(search, follows_what_changes, 60) {
  struct t_producer *p = writer();
  say(p, 'n', "c", "m", "user", "The disk is full", 1, "");
  finds("disk", "m");
  say(p, 'u', "c", "m", "user", "The tape is full", 2, "");
  finds("disk", "");
  finds("tape", "m");
  finds("full", "m");
  converse(p, 'n', "c", "Backup trouble", 2);
  finds("title:backup", "-");
  finds("title:backup tape", "m");
  t_updated(p, 'u', "", "local_conversations",
            "{'local_conversation_id': 'x:c', 'title': 'Fish tank'}");
  finds("title:backup", "");
  finds("title:fish", "-");
  finds("title:fish tape", "m");
}

T_STORY(search, titles_are_hits_of_their_own, 60) {
  struct t_producer *p = writer();
  converse(p, 'n', "c", "The disk", 5);
  converse(p, 'n', "d", "A tank", 6);
  say(p, 'n', "c", "m", "user", "a tank of fish", 1, "");
  say(p, 'n', "d", "n", "user", "the disk again", 2, "");
  finds("disk", "- n");
  finds("title:disk", "-");
  finds("title:disk fish", "m");
  finds("-title:disk tank", "-");
  finds("-title:disk -tank", "n");
  finds("is:title tank", "-");
  finds("-is:title tank", "m");
  json_t *answer = t_search(.query = CK_LIT("title:DISK"));
  json_t *hit = t_at(answer, "hits.0"),
         *want = t_json("{'message_id': null, 'local_conversation_id': 'x:c', 'platform': 'x',"
                        " 'title': 'The disk', 'role': null, 'observed_at': %lld,"
                        " 'snippet': 'The disk', 'ranges': [[4, 8]]}",
                        AT(5));
  char *got = json_dumps(hit, 0);
  T_CHECK(json_equal(hit, want), "the title's hit is %s", got);
  free(got);
  json_decref(want);
  json_decref(answer);
}

T_STORY(search, tools_are_left_out_unless_they_are_asked_for, 60) {
  struct t_producer *p = writer();
  say(p, 'n', "c", "m", "assistant", "Let me look", 1, "");
  t_taken(p, 'n', "executions",
          "{'instruction_id': 'e', 'message_id': 'm', 'target': 'shell', 'tool': 'bash',"
          " 'params': 'df -h', 'params_kind': 'inline_string', 'result_ok': 1,"
          " 'result_data': 'Filesystem size', 'executed_at': %lld}",
          AT(2));
  say(p, 'n', "c", "r", "tool", "Filesystem size", 2, ", 'details': {'kind': 'result'}");
  finds("filesystem", "");
  finds("bash", "");
  finds("look", "m");
  finds("tool:filesystem", "r m");
  finds("tool:bash", "m");
  finds("tool:df look", "m");
  finds("is:tool df filesystem", "m");
  finds("is:tool", "r m");
  json_t *answer = t_search(.query = CK_LIT("tool:size is:tool -role:tool"));
  const char *snippet = t_text_at(answer, "hits.0.snippet");
  T_CHECK(snippet && strstr(snippet, "Filesystem size"), "the snippet is %s", snippet);
  T_CHECK(t_int_at(answer, "hits.0.ranges.0.1", 0) > t_int_at(answer, "hits.0.ranges.0.0", 0),
          "nothing is marked in %s", snippet);
  json_decref(answer);
}

/* ---- filters ---- */

static void say_some(struct t_producer *p) {
  converse(p, 'n', "alpha-1111", "First talk", 1);
  converse(p, 'n', "beta-22222", "Second talk", 2);
  say(p, 'n', "alpha-1111", "a1", "user", "fish one", 1, "");
  say(p, 'n', "alpha-1111", "a2", "assistant", "fish two", 2, "");
  say(p, 'n', "beta-22222", "b1", "user", "fish three", 3, "");
  t_taken(p, 'n', "messages",
          "{'id': 'y1', 'platform': 'y', 'role': 'user', 'raw_text': 'fish four',"
          " 'observed_at': %lld}",
          AT(4));
}

T_STORY(search, filters, 60) {
  struct t_producer *p = writer();
  say_some(p);
  finds("fish", "y1 b1 a2 a1");
  finds("fish role:user", "y1 b1 a1");
  finds("fish -role:user", "a2");
  finds("fish platform:X", "b1 a2 a1");
  finds("fish platform:x platform:y", "y1 b1 a2 a1");
  finds("fish -platform:x", "y1");
  finds("fish in:x:alpha-11", "a2 a1");
  finds("fish in:alpha-11", "a2 a1");
  finds("fish in:\"second talk\"", "b1");
  finds("fish -in:beta-222", "y1 a2 a1");
  finds("fish after:2026-01-02T10:00:02Z before:2026-01-02T10:00:04Z", "b1 a2");
  finds("fish after:2026 before:2027-01", "y1 b1 a2 a1");
  finds("role:assistant", "a2");
  finds("-fish", "- -");
  finds("-one role:user", "y1 b1");
  finds("fish two -three", "a2");
  finds("& !", "");
  char *got = ids_of(t_search(.query = CK_LIT("fish"), .conversation = CK_LIT("x:alpha-1111"),
                              .role = CK_LIT("user")),
                     false);
  T_CHECK(strcmp(got, "a1") == 0, "the request's own filters find %s", got);
  free(got);
  got = ids_of(
      t_search(.query = CK_LIT("fish"), .platform = CK_LIT("x"), .since = AT(2), .until = AT(3)),
      false);
  T_CHECK(strcmp(got, "a2") == 0, "the request's own times find %s", got);
  free(got);
}

static void lines_are(const char *want, const char *const words[]) {
  json_t *lines = t_lines_words(0, NULL, words), *line;
  char got[1024] = "";
  size_t i;
  json_array_foreach(lines, i, line) {
    const char *id = t_text_at(line, "message_id");
    snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", id ? id : "-");
  }
  T_CHECK(strcmp(got, want) == 0, "search %s … gives %s, not %s", words[1], got, want);
  json_decref(lines);
}
#define t_hits(want, ...) \
  lines_are(want, (const char *const[]){"search", "--json", __VA_ARGS__, NULL})

/* Also what is no failure is an object on standard error. */
static void warns_of_what_is_cut(void) {
  struct ck_buf query = {0};
  while (query.len < 70000) ck_buf_text(&query, "fish ");
  struct t_result r = t_convkeep("search", "--json", ck_buf_cstr(&query));
  json_t *o = json_loads(r.err, 0, NULL);
  T_CHECK(r.code == 0 && t_int_at(o, "code", -1) == 0 && t_text_at(o, "error"), "search says %s",
          r.err);
  json_decref(o);
  t_result_free(&r);
  ck_buf_free(&query);
}

T_STORY(search, options, 60) {
  struct t_producer *p = writer();
  say_some(p);
  finds("fish", "y1 b1 a2 a1");
  t_hits("a2 a1", "fish", "--in", "First talk");
  t_hits("y1", "fish", "--platform", "y");
  t_hits("a2", "fish", "--role", "assistant");
  t_hits("b1 a2", "fish", "--since", "2026-01-02T10:00:02Z", "--until", "2026-01-02T10:00:04Z");
  t_hits("y1 b1", "fish", "--limit", "2");
  t_hits("a2", "fish", "two");
  t_hits("y1 b1 a1", "fish", "-two");
  t_hits("y1 b1 a1", "--", "fish", "-two");
  t_hits("a1", "\"fish one\"", "--rank");
  t_hits("a2", "--role", "assistant");
  t_do(2, "search");
  t_do(2, "search", "", " ");
  t_do(2, "search", "fish", "--limit", "0");
  t_do(2, "search", "fish", "--since", "soon");
  t_do(1, "search", "fish", "--in", "no such conversation");
  warns_of_what_is_cut();
}

/* ---- page after page ---- */

#define MANY 250

/* Several of one time; some that come between two pages. */
T_STORY(search, pages_lose_and_repeat_nothing, 120) {
  struct t_producer *p = writer();
  char row[200];
  for (int i = 0; i < MANY; i++) {
    snprintf(row, sizeof row,
             "{'id': 'm%03d', 'platform': 'x', 'role': 'user', 'raw_text': 'fish %d',"
             " 'observed_at': %lld}",
             i, i, AT(i / 7));
    t_put(p, "messages", row);
  }
  T_CHECK(t_commit(p) == 'n', "%s", t_refusal(p));
  bool seen[MANY] = {false};
  int count = 0, pages = 0, last = MANY;
  char cursor[100] = "";
  do {
    json_t *answer = t_search(.query = CK_LIT("fish"), .limit = 20, .cursor = ck_str_of(cursor)),
           *hit;
    size_t i;
    T_CHECK(t_int_at(answer, "count", 0) >= MANY, "page %d: %lld in all", pages,
            (long long)t_int_at(answer, "count", 0));
    json_array_foreach(t_at(answer, "hits"), i, hit) {
      int number = atoi(t_text_at(hit, "message_id") + 1);
      T_CHECK(number < MANY && !seen[number], "m%03d comes twice", number);
      T_CHECK(number / 7 <= last / 7, "m%03d comes after m%03d", number, last);
      seen[number] = true;
      last = number;
      count++;
    }
    snprintf(cursor, sizeof cursor, "%s", t_text_at(answer, "cursor"));
    json_decref(answer);
    snprintf(row, sizeof row, "n%d", pages++);
    say(p, 'n', "c", row, "user", "fish that came later", MANY + pages, "");
  } while (*cursor);
  T_CHECK(count == MANY, "%d of %d", count, MANY);
}

T_STORY(search, goes_on_where_it_ended, 60) {
  struct t_producer *p = writer();
  say_some(p);
  finds("fish", "y1 b1 a2 a1");
  json_t *lines = t_lines(0, "search", "fish", "--limit", "3");
  T_CHECK(json_array_size(lines) == 3, "%zu hits", json_array_size(lines));
  T_CHECK(!t_text_at(lines, "0.next") && t_text_at(lines, "2.next"), "no cursor where it belongs");
  t_hits("a1", "fish", "--next", t_text_at(lines, "2.next"));
  json_decref(lines);
}

/* ---- no query is an error ---- */

T_STORY(search, no_query_is_an_error, 60) {
  static const char *const queries[] = {"\"",
                                        "\"\"",
                                        "*",
                                        "-",
                                        "--",
                                        "---x",
                                        "-\"",
                                        "(",
                                        ")",
                                        "a AND",
                                        "AND OR NOT",
                                        "NEAR(a b)",
                                        "text:a",
                                        "{text}:a",
                                        "^a",
                                        "a + b",
                                        "'; DROP TABLE words; --",
                                        "title:",
                                        "title:\"",
                                        "in:\"",
                                        "after:x",
                                        "before:",
                                        "is:",
                                        "is:x",
                                        "role:\"\"",
                                        "-role:",
                                        "\\",
                                        "%",
                                        "_",
                                        "\x01\x02",
                                        "\xEF\xBF\xBE",
                                        "\xE2\x80\xAE",
                                        "a\xCC\x81",
                                        "🎉",
                                        "-🎉",
                                        "中*",
                                        "-中",
                                        "\"中 国\"*"};
  struct t_producer *p = writer();
  say(p, 'n', "c", "m", "user", "a text", 1, "");
  finds("text", "m");
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    json_decref(ask_door((struct ck_search){.query = ck_str_of(queries[i])}));
    t_do(0, "search", "--", queries[i]);
  }
  json_decref(ask_door((struct ck_search){.query = {"a\0b", 3}}));
  t_do(2, "search", "text", "--next", "no cursor");
  json_decref(ask_door((struct ck_search){.query = CK_LIT("a"), .limit = UINT64_MAX}));
  json_decref(ask_door((struct ck_search){.query = CK_LIT("a"), .since = INT64_MIN}));
}

/* The best of some, so that other programs do not count. */
T_STORY(search, hostile_queries_of_64_kb_are_answered_in_50_ms, 60) {
  static const char *const pieces[] = {"a ",      "a",      "\"a b\" ", "-a ",
                                       "a* ",     "中国",   "title:a ", "\"a b c d e f g h ",
                                       "in:abc ", "aB1cD2", "-\"",      "é"};
  struct t_producer *p = writer();
  for (int i = 0; i < 200; i++) {
    char id[20];
    snprintf(id, sizeof id, "m%d", i);
    say(p, 'n', "c", id, "user", "a b c d e f g h 中国人 aB1cD2 é a b c d e f g h", i, "");
  }
  finds("nothing", "");
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    struct ck_buf query = {0};
    int64_t best = INT64_MAX;
    while (query.len + strlen(pieces[i]) <= 65536) ck_buf_text(&query, pieces[i]);
    for (int round = 0; round < 5 && best > 50000; round++) {
      int64_t begun = ck_mono_us();
      json_decref(ask_door((struct ck_search){.query = ck_buf_view(&query), .limit = 20}));
      int64_t took = ck_mono_us() - begun;
      best = took < best ? took : best;
    }
    T_CHECK(best <= 50000 * T_SLOWER, "%s…: %lld µs", pieces[i], (long long)best);
    ck_buf_free(&query);
  }
}

/* ---- for people ---- */

/* The widest line of what a terminal was told, in bytes without its codes: the texts are ASCII. */
static size_t widest(const char *out) {
  size_t most = 0, n = 0;
  for (const char *p = out; *p; p++) {
    if (*p == '\033') {
      p += strcspn(p, "m");
      continue;
    }
    n = *p == '\n' || *p == '\r' ? 0 : n + ((*p & 0xC0) != 0x80);
    most = n > most ? n : most;
  }
  return most;
}

static void says(const char *query, const char *want) {
  struct t_result r = t_convkeep("search", query);
  T_CHECK(r.code == 0 && strcmp(r.out, want) == 0, "search %s ended with %d and says\n%s\nnot\n%s",
          query, r.code, r.out, want);
  t_result_free(&r);
}

T_STORY(search, shows_hits_by_conversation, 60) {
  struct t_producer *p = writer();
  converse(p, 'n', "c1", "Disk trouble", 1);
  converse(p, 'n', "c2", "Fish", 1);
  say(p, 'n', "c1", "a", "user", "The disk is full.\nWhat now?", 60, "");
  say(p, 'n', "c2", "b", "user", "no disk", 120, "");
  say(p, 'n', "c1", "c", "assistant", "Empty the disk.", 180, "");
  finds("disk", "c b a -");
  says("disk", "Disk trouble\n"
               "x · 2026-01-02 · x:c1\n"
               "  2026-01-02 10:03  assistant  Empty the disk.\n"
               "  2026-01-02 10:01  user  The disk is full. What now?\n"
               "  2026-01-02 10:00  title  Disk trouble\n"
               "\n"
               "Fish\n"
               "x · 2026-01-02 · x:c2\n"
               "  2026-01-02 10:02  user  no disk\n"
               "\n"
               "4 found\n");
  says("disk is:title", "Disk trouble\n"
                        "x · 2026-01-02 · x:c1\n"
                        "  2026-01-02 10:00  title  Disk trouble\n"
                        "\n"
                        "1 found\n");
  says("whale", "nothing found\n");
}

T_STORY(search, fits_the_terminal, 60) {
  struct t_producer *p = writer();
  char text[2000] = "";
  for (int i = 0; i < 100; i++) strcat(text, i == 60 ? "disk " : "some words ");
  converse(p, 'n', "c",
           "A title that is so long that it does not fit on a line of any terminal "
           "with eighty columns",
           1);
  say(p, 'n', "c", "a", "user", text, 2, "");
  say(p, 'n', "c", "b", "user", "a disk \x1b[31m \xE2\x80\xAE red", 3, "");
  finds("disk", "b a");
  unsetenv("NO_COLOR");
  setenv("TERM", "xterm", 1);
  struct t_result r = t_terminal(80, "search", "disk", "--no-pager");
  T_CHECK(r.code == 0 && widest(r.out) <= 80, "%zu columns: %s", widest(r.out), r.out);
  T_CHECK(strstr(r.out, "\033[1mdisk\033[0m"), "the word is not marked: %s", r.out);
  T_CHECK(!strstr(r.out, "\033[31m") && !strstr(r.out, "\xE2\x80\xAE"), "it is obeyed: %s", r.out);
  t_result_free(&r);
  r = t_terminal(80, "search", "disk", "--no-pager", "--limit", "1");
  T_CHECK(strstr(r.out, "2 found, 1 shown") && strstr(r.out, "--next '"), "%s", r.out);
  t_result_free(&r);
}
