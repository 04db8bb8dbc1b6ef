/* Broken files: the import names the place of the error, everything good before it is stored, and
 * no daemon dies. */
#include <limits.h>
#include <stdlib.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

/* Imports a file that must fail with a reason. Returns its line of the import's output. */
static json_t *import_bad(const char *what, const char *file) {
  struct t_result r = t_convkeep("import", file, "--json");
  T_CHECK(r.code == 1, "%s: import ended with %d: %s%s", what, r.code, r.out, r.err);
  t_write_text("../out/bad.jsonl", r.out);
  t_result_free(&r);
  json_t *lines = t_read_lines("../out/bad.jsonl"), *line = json_incref(json_array_get(lines, 0));
  T_CHECK(json_array_size(lines) == 1, "%s: %zu lines", what, json_array_size(lines));
  json_decref(lines);
  const char *error = t_text_at(line, "error");
  T_CHECK((error && *error) ||
              (t_int_at(line, "failed", 0) > 0 && t_text_at(line, "failures.0.place") &&
               t_text_at(line, "failures.0.reason")),
          "%s: no error that names the place: %s", what, json_dumps(line, 0));
  return line;
}

static void bad(const char *what, const void *bytes, size_t n) {
  t_write_file("../out/bad", bytes, n);
  json_t *line = import_bad(what, "../out/bad");
  json_decref(line);
}

static void bad_text(const char *what, const char *text) { bad(what, text, strlen(text)); }

static void check_alive(pid_t store, pid_t ingest) {
  T_CHECK(t_pid("store") == store && t_pid("ingest") == ingest, "a daemon died of it");
  t_import_lines(0, "{'platform': 'x', 'text': 'good', 'role': 'user', 'message_id': 'good', "
                    "'observed_at': 1}\n");
  t_whole(20000);
}

#define CONVERSATION_BEGIN \
  "[{\"id\":\"c1\",\"title\":\"T\",\"create_time\":1700000000.5,\"mapping\":{"
#define NODE(id, parent, role, text) \
  "\"" id "\":{\"id\":\"" id "\",\"parent\":" parent ",\"children\":[],\"message\":{\"id\":\"" id \
  "\",\"author\":{\"role\":\"" role \
  "\"},\"create_time\":1700000001,\"content\":{\"content_type\":\"text\",\"parts\":[\"" text \
  "\"]},\"metadata\":{}}}"

T_STORY(badinput, broken_json, 120) {
  t_up();
  pid_t store = t_pid("store"), ingest = t_pid("ingest");
  /* An empty file is not an error. */
  t_write_text("../out/empty", "  \n\t\n");
  t_import_counts("../out/empty", 0, 0, 0, 0);
  t_write_text("../out/empty", "");
  t_import_counts("../out/empty", 0, 0, 0, 0);
  bad_text("one bracket", "[");
  bad_text("one brace", "{");
  bad_text("a number", "42");
  bad_text("a word", "hello");
  bad_text("an object of another kind", "{\"what\":\"is this\"}");
  bad_text("an array of numbers", "[1,2,3]");
  bad_text("a string that never ends", "[{\"mapping\":\"");
  bad_text("a bad escape", "[{\"mapping\":{\"a\":\"\\q\"}}]");
  /* Half a surrogate pair, as browsers leave it: stored as U+FFFD. */
  t_write_text(
      "../out/half",
      "{\"platform\":\"x\",\"text\":\"a\\ud800b\",\"message_id\":\"half\",\"role\":\"user\"}\n");
  t_import_counts("../out/half", 1, 0, 0, 0);
  T_CHECK(t_sql_int(
              "artifact.db",
              "SELECT raw_text = 'a' || char(0xfffd) || 'b' FROM messages WHERE id = 'half'") == 1,
          "half a character became something else");
  bad_text("a comma too many", "[{\"id\":\"c\",\"mapping\":{},},]");
  bad_text("a number that is none", "[{\"id\":\"c\",\"mapping\":{},\"create_time\":1e}]");
  bad_text("mapping of another type", "[{\"id\":\"c\",\"mapping\":[1,2]}]");
  bad_text("no mapping", "[{\"id\":\"c\",\"title\":\"gone\"},{\"id\":\"d\",\"mapping\":null}]");
  bad_text(
      "text after the end",
      CONVERSATION_BEGIN NODE("n1", "null", "user", "hi") "},\"current_node\":\"n1\"}] and more");
  bad("a zip", "PK\3\4\24\0\0\0\10\0", 10);
  bad("zeros", "\0\0\0\0\0\0\0\0", 8);
  bad("not UTF-8", "[{\"id\":\"c\",\"title\":\"\xc3\x28\",\"mapping\":{}}]",
      strlen("[{\"id\":\"c\",\"title\":\"..\",\"mapping\":{}}]"));
  bad("UTF-16", "\xff\xfe[\0{\0", 6);
  check_alive(store, ingest);
}

T_STORY(badinput, deep_and_huge, 180) {
  t_up();
  pid_t store = t_pid("store"), ingest = t_pid("ingest");
  struct ck_buf b = {0};
  for (int i = 0; i < 1000000; i++) ck_buf_add(&b, "[", 1);
  bad("a million brackets", b.data, b.len);
  ck_buf_clear(&b);
  ck_buf_text(&b, "[{\"id\":\"c\",\"mapping\":");
  for (int i = 0; i < 100000; i++) ck_buf_text(&b, "{\"a\":");
  bad("deep inside a conversation", b.data, b.len);
  ck_buf_clear(&b);
  ck_buf_text(
      &b,
      "{\"platform\":\"x\",\"message_id\":\"m\",\"role\":\"user\",\"observed_at\":1,\"text\":\"");
  for (int i = 0; i < 20 << 20; i++) ck_buf_add(&b, "z", 1);
  ck_buf_text(&b,
              "\"}\n"
              "{\"platform\":\"x\",\"message_id\":\"after\",\"role\":\"user\",\"observed_at\":1,"
              "\"text\":\"a good one after it\"}\n");
  bad("a text of 20 MiB", b.data, b.len);
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 'after'") == 1,
          "the good line after the huge one is lost");
  ck_buf_clear(&b);
  for (int i = 0; i < 20 << 20; i++) ck_buf_add(&b, " ", 1);
  ck_buf_text(&b, "x");
  bad("20 MiB of nothing", b.data, b.len);
  ck_buf_clear(&b);
  ck_buf_text(&b, "[{\"id\":\"c\",\"mapping\":{},\"n\":1");
  for (int i = 0; i < 5 << 20; i++) ck_buf_add(&b, "0", 1);
  bad("a number of 5 MiB", b.data, b.len);
  ck_buf_free(&b);
  check_alive(store, ingest);
}

static char *own_sample(size_t *n) {
  char path[PATH_MAX];
  const char *names[] = {"chatgpt/realazthat-conversations.json", NULL};
  if (t_inputs()) {
    snprintf(path, sizeof path, "%s/%s", t_inputs(), names[0]);
    char *bytes = t_read_file(path, n);
    if (bytes) return bytes;
  }
  struct ck_buf b = {0};
  ck_buf_text(&b, CONVERSATION_BEGIN);
  for (int i = 0; i < 200; i++)
    ck_buf_printf(
        &b,
        "%s\"n%d\":{\"id\":\"n%d\",\"parent\":%s%.0d%s,\"children\":[],"
        "\"message\":{\"id\":\"n%d\",\"author\":{\"role\":\"user\"},\"create_time\":%d,"
        "\"content\":{\"content_type\":\"text\",\"parts\":[\"text %d\"]},\"metadata\":{}}}",
        i ? "," : "", i, i, "null", 0, "", i, 1700000000 + i, i);
  ck_buf_text(&b, "},\"current_node\":\"n199\"}]");
  *n = b.len;
  ck_buf_cstr(&b);
  return b.data;
}

/* A file cut anywhere fails and says where; importing the whole file afterwards completes it. */
T_STORY(badinput, cut_exports, 180) {
  size_t n;
  char *whole = own_sample(&n);
  t_up();
  pid_t store = t_pid("store"), ingest = t_pid("ingest");
  while (n > 0 && (whole[n - 1] == '\n' || whole[n - 1] == ' ')) n--;
  for (int i = 0; i < 15; i++) {
    size_t cut = i == 0 ? n / 2 : i == 1 ? n - 1 : 1 + t_random_below(n - 1);
    t_write_file("../out/cut.json", whole, cut);
    json_t *line = import_bad("a cut export", "../out/cut.json");
    const char *error = t_text_at(line, "error");
    T_CHECK(error && strpbrk(error, "0123456789"),
            "the error of a file cut at %zu does not name the place: %s", cut, json_dumps(line, 0));
    json_decref(line);
  }
  t_write_file("../out/whole.json", whole, n);
  t_do(0, "import", "../out/whole.json");
  int64_t messages = t_count("messages");
  t_import_counts("../out/whole.json", 0, 0, (int)messages, 0);
  free(whole);
  check_alive(store, ingest);
}

/* Well-formed, and not what an export should say: loops, lost parents, wrong types. Each costs
 * itself at most. */
T_STORY(badinput, strange_exports, 120) {
  t_up();
  pid_t store = t_pid("store"), ingest = t_pid("ingest");
  static const char *const strange[] = {
      CONVERSATION_BEGIN NODE("n1", "\"n2\"", "user", "a") "," NODE(
          "n2", "\"n1\"", "assistant", "b") "},\"current_node\":\"n1\"}]",
      CONVERSATION_BEGIN NODE("n3", "\"n3\"", "user",
                              "its own parent") "},\"current_node\":\"n3\"}]",
      CONVERSATION_BEGIN NODE("n4", "\"gone\"", "user",
                              "a lost parent") "},\"current_node\":\"nowhere\"}]",
      "[{\"id\":7,\"title\":[],\"create_time\":\"soon\",\"mapping\":{\"n\":7,\"m\":null,"
      "\"o\":{\"message\":5},\"p\":{\"message\":{\"id\":3,\"author\":null,\"content\":[]}}}}]",
      "[{\"id\":\"c9\",\"create_time\":1e400,\"mapping\":{" NODE("n5", "null", "user",
                                                                 "a time beyond all") "}}]",
      "[null,true,\"x\",{\"id\":\"c8\",\"mapping\":{" NODE(
          "n6", "null", "user", "among strangers") "},\"current_node\":\"n6\"}]",
      CONVERSATION_BEGIN
      "\"n7\":{\"id\":\"n7\",\"parent\":null,\"children\":[\"n7\",\"n7\"],"
      "\"message\":{\"id\":\"n7\",\"author\":{\"role\":\"wizard\"},\"create_time\":null,"
      "\"content\":{\"content_type\":\"hologram\",\"parts\":[{\"deep\":[1,2]},null,5]},"
      "\"metadata\":null}}},\"current_node\":\"n7\"}]",
      "[{\"uuid\":\"u\",\"name\":\"\",\"chat_messages\":[{\"uuid\":\"a\","
      "\"sender\":\"human\",\"text\":null,\"content\":\"x\"},5,{\"text\":\"no uuid\","
      "\"sender\":\"assistant\"}]}]",
      "[{\"uuid\":\"u2\",\"name\":\"n\",\"created_at\":\"never\","
      "\"chat_messages\":[{\"uuid\":\"b\",\"sender\":\"human\",\"text\":\"t\","
      "\"created_at\":\"31 February\"}]}]",
      "[{\"uuid\":\"u3\",\"chat_messages\":{}}]",
  };
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    t_write_text("../out/strange.json", strange[i]);
    struct t_result r = t_convkeep("import", "../out/strange.json", "--json");
    T_CHECK(r.code == 0 || r.code == 1, "strange export %zu: %d %s", i, r.code, r.err);
    T_CHECK(r.code == 0 || strstr(r.out, "reason") || strstr(r.out, "error"),
            "strange export %zu failed without a reason: %s", i, r.out);
    t_result_free(&r);
  }
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 'n6'") == 1,
          "a good conversation among strangers is lost");
  check_alive(store, ingest);
}

/* At ingest's door, each bad observation is answered with the field that is wrong. */
T_STORY(badinput, observations_at_the_door, 60) {
  t_up();
  pid_t store = t_pid("store"), ingest = t_pid("ingest");
  static const struct {
    const char *observation, *names;
  } wrong[] = {
      {"{}", "platform"},
      {"{'platform': '  ', 'text': 'x'}", "platform"},
      {"{'platform': 5, 'text': 'x'}", "platform"},
      {"{'platform': 'x', 'text': 5}", "text"},
      {"{'platform': 'x', 'text': null}", "text"},
      {"{'platform': 'x', 'text': 'x', 'observed_at': 'soon'}", "observed_at"},
      {"{'platform': 'x', 'text': 'x', 'observed_at': 1.5}", "observed_at"},
      {"{'platform': 'x', 'text': 'x', 'message_id': {'a': 1}}", "message_id"},
      {"{'platform': 'x', 'text': 'x', 'target': 'webhook'}", "target"},
      {"{'platform': 'x', 'text': 'x', 'execution': {}}", "execution"},
      {"{'platform': 'x', 'text': 'x', 'execution': {'instruction_id': 'e', 'target': 't', "
       "'tool': 'u', 'result_ok': 'maybe'}}",
       "result_ok"},
      {"'x'", ""},
      {"null", ""}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct ck_err err = {""};
    uint64_t number = t_observe(wrong[i].observation, &err);
    T_CHECK(number == 0, "%s was accepted", wrong[i].observation);
    T_CHECK(err.text[0] && strstr(err.text, wrong[i].names),
            "%s: the error does not name \"%s\": %s", wrong[i].observation, wrong[i].names,
            err.text);
  }
  check_alive(store, ingest);
}
