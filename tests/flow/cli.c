/* The command line keeps docs/cli.md: exit codes, one line per error, one JSON object a line,
 * answers without a ring, and nothing that commands the terminal. */
#include <signal.h>

#include "proto/records.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/process.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

/* Runs a command that must end with this code. If the code is not 0, standard error must be one
 * line that contains part; if it is 0, standard error must be empty and the answer contain part
 * (NULL: anything). */
#define check_call(code, part, ...) \
  check_call_words(code, part, (const char *const[]){__VA_ARGS__, NULL})
static void check_call_words(int code, const char *part, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code == code, "%s %s … ended with %d, not %d: %s", words[0], words[1] ? words[1] : "",
          r.code, code, r.err);
  if (code != 0) {
    size_t n = strlen(r.err);
    T_CHECK(n > 0 && strchr(r.err, '\n') == r.err + n - 1, "%s: the error is not one line: \"%s\"",
            words[0], r.err);
    T_CHECK(strstr(r.err, part), "%s: the error does not name \"%s\": %s", words[0], part, r.err);
    T_CHECK(r.out_size == 0, "%s: an error came with an answer: %s", words[0], r.out);
  } else {
    T_CHECK(r.err_size == 0, "%s: it worked and complained: %s", words[0], r.err);
    T_CHECK(part == NULL || strstr(r.out, part), "%s: the answer does not have \"%s\": %s",
            words[0], part, r.out);
  }
  t_result_free(&r);
}

T_STORY(cli, wrong_usage, 60) {
  check_call(2, "wibble", "wibble");
  check_call(2, "--wibble", "--wibble", "status");
  check_call(2, "--wibble", "status", "--wibble");
  check_call(2, "", "import");
  check_call(2, "", "set", "x");
  check_call(2, "colours", "list", "colours");
  check_call(2, "colour", "list", "messages", "--colour", "red");
  check_call(2, "maybe", "set", "x", "--automation", "maybe");
  check_call(2, "", "renew", "x");
  check_call(2, "5000", "list", "messages", "--limit", "5000");
  check_call(2, "from 1 to 1000", "list", "messages", "--limit", "0");
  check_call(2, "nonsense", "--set", "nonsense", "status");
  check_call(2, "no-such-command", "--", "no-such-command");
  check_call(2, "colours", "--", "list", "colours");
  check_call(2, "unexpected argument", "--", "list", "messages", "--limit");
  check_call(2, "--next-attempt-at-max: tomorrow", "list", "jobs", "--next-attempt-at-max",
             "tomorrow");
  check_call(2, "config: flag: log.level", "--set", "log.level=foo", "config");
  check_call(1, "config: flag: log.level", "--set", "log.level=foo", "config", "--check");
  check_call(0, "convkeep 0", "--version");
  check_call(0, "import", "--help");
  check_call(0, "convkeep read", NULL);
  static const char *const commands[] = {"up",     "import", "status", "list", "read",
                                         "show",   "set",    "renew",  "jobs", "pause",
                                         "resume", "sync",   "config"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    check_call(0, commands[i], commands[i], "--help");
}

/* With --json each error is one object: what is wrong, where, what to do, the exit code. */
#define fails(code, where, hint, ...) \
  fails_words(code, where, hint, (const char *const[]){__VA_ARGS__, NULL})
static void fails_words(int code, const char *where, const char *hint, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  json_error_t wrong;
  json_t *o = json_loads(r.err, 0, &wrong);
  const char *end = strchr(r.err, '\n');
  T_CHECK(json_is_object(o) && end && !end[1], "%s: not one object: %s", words[0], r.err);
  T_CHECK(r.code == code && t_int_at(o, "code", -1) == code && json_object_size(o) == 4,
          "%s ended with %d: %s", words[0], r.code, r.err);
  T_CHECK(t_text_at(o, "error") && *t_text_at(o, "error"), "%s: no error: %s", words[0], r.err);
  const char *is = t_text_at(o, "where"), *tip = t_text_at(o, "hint");
  T_CHECK(where ? is && strstr(is, where) : json_is_null(t_at(o, "where")), "%s: where: %s",
          words[0], r.err);
  T_CHECK(hint ? tip && strstr(tip, hint) : json_is_null(t_at(o, "hint")), "%s: hint: %s", words[0],
          r.err);
  T_CHECK(r.out_size == 0, "%s: an error came with an answer: %s", words[0], r.out);
  json_decref(o);
  t_result_free(&r);
}

T_STORY(cli, errors_as_json, 60) {
  fails(2, "wibble", "see convkeep --help", "wibble", "--json");
  fails(2, "lsit", "did you mean list? see convkeep --help", "--json", "lsit");
  fails(2, "--wibble", "see convkeep status --help", "status", "--wibble", "--json");
  fails(2, "--jsno", "did you mean --json?", "status", "--jsno", "--json");
  fails(2, NULL, "see convkeep import", "import", "--json");
  fails(2, "--automation", "did you mean manual?", "set", "x", "--automation", "manuel", "--json");
  fails(2, NULL, "did you mean --platform?", "list", "messages", "--platfrom", "x", "--json");
  fails(2, NULL, "did you mean log.level?", "--set", "log.levle=info", "status", "--json");
  fails(3, "/nowhere", "name another with --data", "--json", "--data", "/nowhere/at/all", "status");
  fails(3, t_folder(), "convkeep import FILE", "list", "messages", "--json");
  t_write_text("convkeep.conf", "log.levle = info\n");
  fails(1, NULL, "did you mean log.level?", "--json", "config");
  t_write_text("convkeep.conf", "");
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'page_title': 'Fish tank', 'observed_at': 1}\n");
  fails(1, "Fish tnak", "did you mean x:c (Fish tank)?", "--json", "read", "Fish tnak");
  fails(1, "nothing", "convkeep list jobs", "jobs", "cancel", "nothing", "--json");
  fails(1, "nothing", "x:c (Fish tank)", "list", "messages", "--json", "--conversation-id",
        "nothing");
  fails(1, "m2", "convkeep list messages", "renew", "x:c", "--payload", "a", "--message", "m2",
        "--json");
  fails(1, "gone.db", NULL, "restore", "gone.db", "--json");
  fails(3, "ingest", "logs/ingest.log", "ping", "ingest", "--json");
}

T_STORY(cli, nobody_there, 60) {
  check_call(3, "", "status");
  check_call(3, "", "list", "messages");
  check_call(3, "/nowhere", "--data", "/nowhere/at/all", "status");
  T_CHECK(!t_exists("artifact.db"), "a query created a database");
  check_call(1, "gone.json", "import", "gone.json");
  t_set("door.snapshot", "tcp://127.0.0.1:9");
  check_call(3, "", "status");
}

static json_t *one_line(const char *const words[]) {
  json_t *lines = t_lines_words(0, NULL, words);
  T_CHECK(json_array_size(lines) == 1 && json_is_object(json_array_get(lines, 0)),
          "%s gave %zu lines", words[0], json_array_size(lines));
  json_t *line = json_incref(json_array_get(lines, 0));
  json_decref(lines);
  return line;
}
#define line_of(...) one_line((const char *const[]){__VA_ARGS__, "--json", NULL})

static void check_members(json_t *object, const char *what, const char *const members[]) {
  for (size_t i = 0; members[i]; i++)
    T_CHECK(t_at(object, members[i]) != NULL, "%s has no %s: %s", what, members[i],
            json_dumps(object, 0));
}

T_STORY(cli, status_as_json, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_settle(10000);
  json_t *s = line_of("status");
  check_members(s, "status",
                (const char *const[]){"version",
                                      "records.messages",
                                      "records.executions",
                                      "records.sessions",
                                      "records.local_conversations",
                                      "records.conversation_links",
                                      "records.renewal_jobs",
                                      "producers.0.id",
                                      "producers.0.applied",
                                      "producers.0.refused",
                                      "spool.pending",
                                      "sync.sqlite.cursor",
                                      "sync.sqlite.pending",
                                      "sync.sqlite.in_flight",
                                      "sync.sqlite.dead_letters",
                                      "sync.sqlite.last_error",
                                      "sync.sqlite.workers",
                                      "sync_unused",
                                      "jobs.pending",
                                      "jobs.running",
                                      "jobs.done",
                                      "jobs.failed",
                                      "jobs.unknown",
                                      "jobs.next_due_at",
                                      "daemons.3.name",
                                      "daemons.3.pid",
                                      "daemons.3.up_since",
                                      NULL});
  T_CHECK(t_int_at(s, "version", 0) == 4 && t_int_at(s, "records.messages", 0) == 1, "version %lld",
          (long long)t_int_at(s, "version", 0));
  T_CHECK(t_int_at(s, t_sync("cursor"), 0) == 4 && t_int_at(s, t_sync("pending"), -1) == 0 &&
              t_int_at(s, t_sync("workers"), 0) == 1,
          "sync: %s", json_dumps(t_at(s, "sync"), 0));
  json_decref(s);
  check_call(0, "1 message", "status");
  check_call(0, "sqlite", "sync", "status");
}

static bool status_says(const char *part) {
  struct t_result r = t_convkeep("status");
  bool says = r.code == 0 && strstr(r.out, part);
  t_result_free(&r);
  return says;
}

/* `status` also counts the quarantine and the names that ingest did not know. */
T_STORY(cli, status_names_the_quarantine, 60) {
  t_up();
  T_CHECK(!status_says("quarantined") && !status_says("unknown names"),
          "a new ring has something in quarantine");
  t_import_lines(1, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'new_name': 1}\n{'text': "
                    "'nobody said it'}\n");
  T_UNTIL(20000, status_says("1 since ingest started; spool/refused.jsonl"),
          "status is silent about a quarantined line");
  T_CHECK(!status_says("ingest error"), "a line that is refused is called an error of ingest");
  T_CHECK(status_says("1 since ingest started; spool/unknown.jsonl"),
          "status is silent about an unknown name");
  T_CHECK(t_exists("spool/refused.jsonl") && t_exists("spool/unknown.jsonl"),
          "the files that status names are not there");
}

/* Whatever refers to a record, and whatever it refers to, is shown with it; x:c1 has one job. */
static void check_related(void) {
  json_t *message = line_of("show", "m25"), *none = line_of("show", "m07");
  check_members(message, "show m25",
                (const char *const[]){"executions.0.message_id", "job.message_id", NULL});
  T_CHECK(json_is_null(json_object_get(none, "job")), "m07 has a job: %s", json_dumps(none, 0));
  json_t *job = line_of("show", t_text_at(message, "job.job_id"));
  check_members(job, "show JOB",
                (const char *const[]){"message.raw_text", "conversation.automation_status", NULL});
  T_CHECK(json_is_null(json_object_get(job, "lease")), "it is leased: %s", json_dumps(job, 0));
  json_t *conversation = line_of("show", "x:c1"), *execution = line_of("show", "e07");
  check_members(conversation, "show x:c1", (const char *const[]){"jobs.0.job_id", NULL});
  check_members(execution, "show e07", (const char *const[]){"message.raw_text", NULL});
  json_t *link = line_of("show", t_text_at(conversation, "links.0.link_id"));
  check_members(link, "show LINK", (const char *const[]){"conversation.automation_status", NULL});
  json_t *const shown[] = {message, none, job, conversation, execution, link};
  for (size_t i = 0; i < sizeof shown / sizeof *shown; ++i) json_decref(shown[i]);
}

/* Page after page is the whole list, each row once, also while more comes. */
static void check_pages(const char *kind, const char *filter, const char *value, const char *key,
                        size_t all) {
  const char *limit = all < 10 ? "2" : "7";
  json_t *seen = json_object(), *row;
  char *next = ck_strdup("");
  for (bool first = true; next; first = false) {
    size_t i;
    json_t *rows = first
                       ? t_lines(0, "list", kind, filter, value, "--limit", limit, "--offset", "0")
                       : t_lines(0, "list", kind, filter, value, "--limit", limit, "--next", next);
    free(next);
    json_array_foreach(rows, i, row) {
      const char *id = t_text_at(row, key);
      T_CHECK(!json_object_get(seen, id), "%s comes twice", id);
      json_object_set_new(seen, id, json_true());
      T_CHECK(!json_object_get(row, "next") || i + 1 == json_array_size(rows), "%zu goes on", i);
    }
    const char *on = t_text_at(json_array_get(rows, json_array_size(rows) - 1), "next");
    next = on ? ck_strdup(on) : NULL;
    json_decref(rows);
  }
  T_CHECK(json_object_size(seen) == all, "%zu %s, not %zu", json_object_size(seen), kind, all);
  json_decref(seen);
}

T_STORY(cli, lists_and_show, 60) {
  struct ck_buf b = {0};
  for (int i = 0; i < 30; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"%s\",\"text\":\"text "
                  "%d\",\"message_id\":\"m%02d\",\"role\":\"user\",\"conversation_id\":\"c%d\","
                  "\"observed_at\":%d,\"target\":{\"kind\":\"null\"},"
                  "\"execution\":{\"instruction_id\":\"e%02d\",\"target\":\"t\",\"tool\":\"u\","
                  "\"result_ok\":1,\"executed_at\":%d}}\n",
                  i % 2 ? "x" : "y", i, i, i % 3, i, i, i);
  t_write_file("../out/thirty", b.data, b.len);
  ck_buf_free(&b);
  t_up();
  t_do_in(0, "../out/thirty", "import", "-");
  t_do(0, "renew", "x:c0", "--payload", "later", "--at", "+1h");
  t_do(0, "renew", "x:c1", "--payload", "later", "--at", "+1h");
  t_do(0, "renew", "x:c2", "--payload", "later", "--at", "+1h");
  json_t *rows = t_lines(0, "list", "messages");
  T_CHECK(json_array_size(rows) == 20 && strcmp(t_text_at(rows, "0.id"), "m29") == 0,
          "%zu messages, the first %s", json_array_size(rows), t_text_at(rows, "0.id"));
  for (int i = 0; i < ck_tables[CK_MESSAGES].mirrored; i++)
    T_CHECK(json_object_get(json_array_get(rows, 0), ck_tables[CK_MESSAGES].fields[i].name),
            "a message of list --json has no %s", ck_tables[CK_MESSAGES].fields[i].name);
  json_decref(rows);
  rows = t_lines(0, "list", "messages", "--platform", "x", "--limit", "3", "--offset", "1");
  T_CHECK(json_array_size(rows) == 3 && strcmp(t_text_at(rows, "0.id"), "m27") == 0,
          "the page begins with %s", t_text_at(rows, "0.id"));
  json_decref(rows);
  check_pages("messages", "--since", "1970-01-01", "id", 30);
  check_pages("messages", "--conversation-id", "y:c2", "id", 5);
  check_pages("executions", "--target", "t", "instruction_id", 30);
  check_pages("conversations", "--sort", "created", "local_conversation_id", 6);
  check_pages("jobs", "--status", "waiting", "job_id", 3);
  json_t *first = t_lines(0, "list", "jobs", "--status", "waiting", "--limit", "1");
  t_do(0, "jobs", "cancel", t_text_at(first, "0.job_id"));
  rows = t_lines(0, "list", "jobs", "--status", "waiting", "--next", t_text_at(first, "0.next"));
  T_CHECK(json_array_size(rows) == 2, "%zu jobs after one that has ended", json_array_size(rows));
  json_decref(rows);
  check_call(2, "--next: this cursor is none", "list", "messages", "--next", "x");
  check_call(2, "not in this list", "list", "messages", "--conversation-id", "y:c2", "--next", "x");
  check_call(2, "--next: this cursor is none", "search", "text", "--next",
             t_text_at(first, "0.next"));
  json_decref(first);
  check_call(2, "without --offset", "list", "messages", "--next", "x", "--offset", "1");
  static const struct {
    const char *word;
    size_t rows;
  } kinds[] = {
      {"executions", 20}, {"sessions", 6}, {"conversations", 6}, {"links", 6}, {"jobs", 3}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    rows = t_lines(0, "list", kinds[i].word);
    T_CHECK(json_array_size(rows) == kinds[i].rows, "%zu %s, not %zu", json_array_size(rows),
            kinds[i].word, kinds[i].rows);
    json_decref(rows);
    check_call(0, NULL, "list", kinds[i].word);
  }
  json_t *message = line_of("show", "m07");
  T_CHECK(t_text_at(message, "raw_text") && strcmp(t_text_at(message, "raw_text"), "text 7") == 0,
          "show m07: %s", json_dumps(message, 0));
  T_CHECK(t_text_at(message, "executions.0.instruction_id") &&
              strcmp(t_text_at(message, "executions.0.instruction_id"), "e07") == 0,
          "its execution is not shown");
  json_decref(message);
  json_t *conversation = line_of("show", "x:c1");
  check_members(
      conversation, "show x:c1",
      (const char *const[]){"local_conversation_id", "automation_status", "links.0.link_id", NULL});
  json_decref(conversation);
  check_related();
  check_call(0, "text 7", "show", "m07");
  check_call(1, "no-such-id", "show", "no-such-id");
}

/* What is changed is told as `list` tells it: without the store's own columns, and without what
 * `list` adds of a job. */
static void check_told(json_t *told, const char *kind) {
  json_t *listed = t_lines(0, "list", kind), *one;
  size_t i;
  json_array_foreach(listed, i, one) {
    bool state = json_object_del(one, "state") == 0, reason = json_object_del(one, "reason") == 0;
    bool job = strcmp(kind, "jobs") == 0;
    T_CHECK(state == job && reason == job, "listed is %s", json_dumps(one, 0));
  }
  T_CHECK(json_equal(told, listed), "told is %s, listed %s", json_dumps(told, 0),
          json_dumps(listed, 0));
  json_decref(listed);
  json_decref(told);
}

T_STORY(cli, changes_as_json, 60) {
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1, 'target': {'kind': 'null'}}\n");
  check_told(t_lines(0, "set", "x:c", "--title", "A"), "conversations");
  check_told(t_lines(0, "pause", "x:c"), "conversations");
  check_told(t_lines(0, "resume", "x:c"), "conversations");
  check_told(t_lines(0, "renew", "x:c", "--payload", "later", "--at", "+1h"), "jobs");
}

T_STORY(cli, set_and_what_it_refuses, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_do(0, "set", "x:c", "--automation", "auto");
  json_t *row = t_record("local_conversations", "x:c");
  T_CHECK(strcmp(t_text_at(row, "automation_status"), "auto") == 0, "it is %s",
          t_text_at(row, "automation_status"));
  json_decref(row);
  t_do(0, "set", "c", "--automation", "paused");
  row = t_record("local_conversations", "x:c");
  T_CHECK(strcmp(t_text_at(row, "automation_status"), "paused") == 0 &&
              t_int_at(row, "paused_at", 0) > 0,
          "paused: %s", json_dumps(row, 0));
  json_decref(row);
  check_call(0, "x:c: set: automation manual, title A name, cooldown until 2030-01-01 00:00:00",
             "set", "c", "--automation", "manual", "--title", "A name", "--cooldown-until",
             "2030-01-01T00:00:00Z");
  check_call(0, "x:c: already set: title A name\n", "set", "x:c", "--title", "A name");
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1, 'page_title': 'The page'}\n");
  check_call(0, "x:c: already set: title A name\n", "set", "x:c", "--title", "A name");
  /* Without the owner's title it is the page's again. */
  check_call(0, "x:c: set: title The page, cooldown until none\n", "set", "x:c", "--title", "",
             "--cooldown-until", "none");
  check_call(1, "the newest: x:c", "set", "nobody:knows", "--automation", "auto");
  check_call(1, "nobody:knows", "set", "nobody:knows", "--automation", "auto");
  check_call(1, "x:c", "renew", "x:c", "--payload", "no target");
  check_call(1, "no-job", "jobs", "retry", "no-job");
  T_CHECK(t_count("renewal_jobs") == 0, "a job without a target was made");
}

/* The answers are the same without a ring: the command starts a private store. */
T_STORY(cli, without_a_ring, 60) {
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  json_t *s = line_of("status");
  T_CHECK(t_int_at(s, "records.messages", 0) == 1 && json_array_size(t_at(s, "daemons")) == 0,
          "status without a ring: %s", json_dumps(s, 0));
  json_decref(s);
  t_do(0, "set", "x:c", "--automation", "auto");
  json_t *rows = t_lines(0, "list", "conversations", "--automation-status", "auto");
  T_CHECK(json_array_size(rows) == 1, "%zu conversations on auto", json_array_size(rows));
  json_decref(rows);
  t_check_left();
}

/* The file itself is the one failure, and the one error names it. */
static void check_bad_file(const char *file, const char *why) {
  struct t_result r = t_convkeep("import", file);
  T_CHECK(r.code == 1 && strstr(r.out, ": 0 new, 0 updated, 0 unchanged, 1 failed\n"),
          "import of %s ended with %d: %s", file, r.code, r.out);
  const char *line = strchr(r.err, '\n');
  T_CHECK(line && !line[1] && strstr(r.err, file) && strstr(r.err, why), "the error of %s: %s",
          file, r.err);
  t_result_free(&r);
}

T_STORY(cli, several_files_and_one_bad, 60) {
  t_write_text("one.jsonl", "{\"platform\":\"x\",\"text\":\"a\",\"message_id\":\"m1\",\"role\":"
                            "\"user\",\"observed_at\":1}\n");
  t_write_text("two.jsonl", "{\"platform\":\"x\",\"text\":\"b\",\"message_id\":\"m2\",\"role\":"
                            "\"user\",\"observed_at\":1}\n");
  t_write_text("bad.json", "{\"what\": \"is this\"}");
  json_t *lines = t_lines(1, "import", "one.jsonl", "bad.json", "two.jsonl");
  T_CHECK(json_array_size(lines) == 3, "%zu lines for three files", json_array_size(lines));
  T_CHECK(t_int_at(lines, "0.new", -1) == 1 && t_int_at(lines, "2.new", -1) == 1,
          "the good files: %s", json_dumps(lines, 0));
  T_CHECK(t_int_at(lines, "1.failed", -1) == 1 && json_is_null(t_at(lines, "1.format")) &&
              json_array_size(t_at(lines, "1.failures")) == 0 &&
              strstr(t_text_at(lines, "1.error"), "unknown format"),
          "the bad file: %s", json_dumps(lines, 0));
  json_decref(lines);
  check_bad_file("bad.json", "unknown format");
  t_write_text("cut.json", "[{\"id\":\"c\",\"mapping\":{\"a\":");
  check_bad_file("cut.json", "cut off at byte 26");
  T_CHECK(t_count("messages") == 2, "%lld messages", (long long)t_count("messages"));
}

T_STORY(cli, config, 60) {
  t_write_text("convkeep.conf", "renew\n    backoff_max = \"3s\"\nrenew.cooldown = \"2min\"\n");
  t_set("renew.max_attempts", "5");
  json_t *lines = t_lines(0, "config", "--set", "renew.backoff=250ms"), *line;
  struct {
    const char *name, *value, *from;
    bool seen;
  } want[] = {{"renew.backoff_max", "3s", "convkeep.conf", false},
              {"renew.cooldown", "2min", "convkeep.conf", false},
              {"renew.max_attempts", "5", "CONVKEEP_RENEW_MAX_ATTEMPTS", false},
              {"renew.backoff", "250ms", "flag", false},
              {"sync.sinks", "sqlite", "default", false}};
  size_t i;
  json_array_foreach(lines, i, line) {
    for (size_t k = 0; k < 5; k++) {
      if (strcmp(t_text_at(line, "name"), want[k].name) != 0) continue;
      want[k].seen = true;
      T_CHECK(strcmp(t_text_at(line, "value"), want[k].value) == 0 &&
                  strstr(t_text_at(line, "from"), want[k].from),
              "%s is %s from %s", want[k].name, t_text_at(line, "value"), t_text_at(line, "from"));
    }
  }
  for (size_t k = 0; k < 5; k++) T_CHECK(want[k].seen, "config does not list %s", want[k].name);
  json_decref(lines);
  check_call(0, NULL, "config", "--check");
  t_set("sync.sinks", "d1");
  struct t_result r = t_convkeep("config", "--check");
  T_CHECK(r.code == 1 && strstr(r.err, "d1.account") && strstr(r.err, "d1.database"),
          "config --check ended with %d: %s", r.code, r.err);
  t_result_free(&r);
}

/* The printed SQL creates the six tables, with every column and the version. */
T_STORY(cli, sync_schema, 60) {
  struct t_result r = t_convkeep("sync", "schema");
  T_CHECK(r.code == 0, "sync schema ended with %d: %s", r.code, r.err);
  t_sql_run("made.db", r.out);
  t_result_free(&r);
  check_call(0, "CREATE TABLE", "--data", "../absent", "sync", "schema");
  T_CHECK(!t_exists("../absent"), "printing the schema made a data folder");
  check_call(2, "--old", "sync", "schema", "--apply", "--old");
  char sql[128];
  for (int t = 0; t < CK_TABLES; t++) {
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", ck_tables[t].name);
    T_CHECK(t_sql_int("made.db", sql) == ck_tables[t].mirrored + 1, "%s has %lld columns",
            ck_tables[t].name, (long long)t_sql_int("made.db", sql));
  }
}

/* Control characters in a message never reach the terminal. */
/* Nobody listens at port 9: long before it gives up, the command says what it waits for. */
T_STORY(cli, a_mirror_that_does_not_answer, 60) {
  char program[600];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  t_set("sync.sinks", "postgres");
  t_set("postgres.host", "127.0.0.1");
  t_set("postgres.port", "9");
  t_set("postgres.database", "x");
  t_set("postgres.user", "x");
  struct t_process *apply =
      t_start("apply", NULL, false, (const char *[]){program, "sync", "schema", "--apply", NULL});
  T_UNTIL(20000, t_complained(apply, "waiting for the mirror in postgres: "), "it says nothing");
  t_signal(apply, SIGTERM);
  t_wait_end(apply, 20000);
}

T_STORY(cli, hostile_text_is_harmless, 60) {
  t_write_text(
      "../out/hostile",
      "{\"platform\":\"x\",\"text\":\"a\\u001b[2Jb\\u009b31m\\u0007\",\"message_id\":\"m1\","
      "\"role\":\"user\",\"observed_at\":1,\"page_title\":\"\\u001b]0;t\\u0007\"}\n");
  t_do_in(0, "../out/hostile", "import", "-");
  static const char *const calls[][2] = {{"list", "messages"}, {"show", "m1"}};
  for (size_t i = 0; i < 2; i++) {
    struct t_result r = t_convkeep(calls[i][0], calls[i][1]);
    T_CHECK(r.code == 0 && memchr(r.out, 0x1b, r.out_size) == NULL &&
                memchr(r.out, 7, r.out_size) == NULL && strstr(r.out, "\xc2\x9b") == NULL,
            "%s %s lets control characters through", calls[i][0], calls[i][1]);
    t_result_free(&r);
  }
}
