/* Logs whose lines depend on those before them: wherever such a file is cut, however often and in
 * whatever pieces it is read, the store has the same rows as if it was read at once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/changeset.h"
#include "ingest/files/reader.h"
#include "test_ingest_collect.h"
#include "test_store_help.h"

#define NOW 1793000000000 /* 2026-10-26: after the lines of the samples */

static struct sh_store s;

static const char *const samples[] = {
    "/tests/golden/sources/claude-code-session.jsonl",
    "/tests/golden/sources/claude-code-agent.jsonl",
    "/tests/golden/sources/claude-code-fork.jsonl",
    "/tests/golden/sources/codex-session.jsonl",
    "/tests/golden/sources/codex-thread-fork.jsonl",
    "/tests/golden/sources/codex-paginated.jsonl",
    "/tests/golden/sources/codex-events.jsonl",
    "/tests/golden/sources/codex-agents.jsonl",
    "/tests/golden/sources/claude-code-turns.jsonl",
    "/tests/golden/sources/codex-ends.jsonl",
    "/tests/golden/sources/codex-bare.jsonl",
};
#define SAMPLES (sizeof samples / sizeof *samples)
static struct ck_buf sample[SAMPLES];

/* The store has a working directory of its own, in which no sample is. */
static void setup(void) {
  for (size_t i = 0; i < SAMPLES && !sample[i].len; ++i)
    cr_assert(load_own(&sample[i], samples[i]), "%s", samples[i]);
  sh_open(&s);
  s.now = NOW;
}
static void teardown(void) { sh_close(&s); }

TestSuite(sessions, .init = setup, .fini = teardown);

/* ---- a file into the store, without daemons ---- */

static struct ingest_changeset many;
static unsigned failures;

static void add_all(struct ck_str changeset) {
  struct ck_reader r = ck_reader_of(changeset);
  struct ck_mutation m;
  uint32_t n;
  cr_assert_eq(ck_read_array(&r, &n), 0);
  for (; n; --n) {
    cr_assert_eq(ck_mutation_decode(&m, &r, NULL), 0);
    sh_mutate(&s, &m);
  }
  char letter = sh_apply(&s);
  cr_assert_neq(letter, 'r', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
}

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  (void)self, (void)place;
  ingest_changeset_begin(&many, c, (struct ck_str){0}, NOW);
}

static void keep(void) {
  if (ingest_changeset_is_full(&many)) {
    if (ingest_changeset_close(&many, false)) add_all(ck_buf_view(&many.out));
    ingest_changeset_next(&many);
  }
  ingest_changeset_keep(&many);
}

static void on_end(void *self) {
  (void)self;
  if (ingest_changeset_close(&many, true)) add_all(ck_buf_view(&many.out));
}

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct ck_err err;
  (void)self, (void)place;
  if (o->has_text) {
    cr_assert_eq(ingest_changeset_message(&many, o, &err), 0, "%s", err.text);
    keep();
  } else {
    ingest_changeset_known(&many, o);
  }
  for (size_t i = 0; i < o->execution_count; ++i) {
    cr_assert_eq(ingest_changeset_execution(&many, &o->executions[i], &err), 0, "%s", err.text);
    keep();
  }
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  (void)self, (void)place, (void)reason, (void)raw;
  ++failures;
}
static void on_note(void *self, const char *kind, uint64_t n) { (void)self, (void)kind, (void)n; }

static void begin_original(void *self, const char *id, struct ck_str bytes, bool kept,
                           const char *reader, const struct ck_original *run) {
  (void)self, (void)id, (void)bytes, (void)kept, (void)reader;
  bool alone = ck_str_starts(ck_str_of(reader), "claude code agent") ||
               ck_str_starts(ck_str_of(reader), "codex names");
  cr_expect_eq(run->log == 0, alone);
  cr_expect_eq(run->window == 0, alone);
  cr_expect_eq(run->lines == 0, alone);
}
static void end_original(void *self) { (void)self; }
static void whole_original(void *self, uint64_t messages) { (void)self, (void)messages; }

/* pause: bytes after which what has come goes in; 0: never. */
static void import_as(const char *name, struct ck_str bytes, size_t pause) {
  const struct ingest_visitor visitor = {NULL,       on_begin, on_end, on_observation,
                                         on_failure, on_note,  NULL};
  const struct ingest_originals_ops ops = {NULL, begin_original, end_original, whole_original};
  struct ingest_reader *r = ingest_reader_new(name, &visitor);
  failures = 0;
  ingest_reader_originals(r, &ops, false, 0);
  if (!pause) pause = bytes.n + 1;
  for (size_t at = 0; at < bytes.n; at += pause) {
    ingest_reader_feed(r, bytes.s + at, bytes.n - at < pause ? bytes.n - at : pause);
    if (bytes.n < at + pause) continue;
    ingest_reader_pause(r);
    ingest_reader_go(r, false);
  }
  ingest_reader_end(r);
  ingest_reader_go(r, false);
  cr_expect(ingest_reader_done(r) || bytes.n == 0);
  ingest_reader_free(&r);
}

static void import(struct ck_str bytes, size_t pause) {
  import_as("/home/ada/.claude/projects/x/s.jsonl", bytes, pause);
}

/* ---- what the store has ---- */

static struct ck_buf file, expected, got;

static void again(void) {
  sh_close(&s);
  setup();
}

static void load(size_t i) {
  ck_buf_clear(&file);
  ck_buf_str(&file, ck_buf_view(&sample[i]));
  import(ck_buf_view(&file), 0);
  sh_dump(&s, &expected);
  again();
}

/* Fails unless the store has what the whole file gives. */
static void same(const char *how, size_t at) {
  sh_dump(&s, &got);
  if (ck_str_eq(ck_buf_view(&got), ck_buf_view(&expected))) return;
  size_t i = 0;
  while (i < got.len && i < expected.len && got.data[i] == expected.data[i]) ++i;
  size_t from = i > 200 ? i - 200 : 0;
  cr_expect(false, "%s at %zu:\n%.*s\ninstead of:\n%.*s", how, at, 500, got.data + from, 500,
            expected.data + from);
}

/* After the next line feed, or 0. */
static size_t next_line(size_t at) {
  const char *end = at < file.len ? memchr(file.data + at, '\n', file.len - at) : NULL;
  return end ? (size_t)(end + 1 - file.data) : 0;
}

/* The beginning, up to each line and into the middle of each; then the whole. */
Test(sessions, a_beginning_and_then_the_whole, .timeout = 120) {
  for (size_t i = 0; i < SAMPLES; ++i) {
    load(i);
    for (size_t at = 0, end; (end = next_line(at)); at = end) {
      const size_t cuts[] = {end, at + (end - at) / 2};
      for (int k = 0; k < 2; ++k) {
        import((struct ck_str){file.data, cuts[k]}, 0);
        import(ck_buf_view(&file), 0);
        same(samples[i], cuts[k]);
        again();
      }
    }
  }
}

/* The file as it grows, read from its beginning after each line. */
Test(sessions, growing_by_a_line_at_a_time, .timeout = 120) {
  for (size_t i = 0; i < SAMPLES; ++i) {
    load(i);
    for (size_t end = 0; (end = next_line(end));) import((struct ck_str){file.data, end}, 0);
    same(samples[i], file.len);
    again();
  }
}

/* One reading, in pieces; and after it another. */
Test(sessions, in_pieces, .timeout = 120) {
  static const size_t pieces[] = {1, 333, 1000, 4096};
  for (size_t i = 0; i < SAMPLES; ++i) {
    load(i);
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; ++k) {
      import(ck_buf_view(&file), pieces[k]);
      same("in pieces", pieces[k]);
      import(ck_buf_view(&file), pieces[k] + 1);
      same("in pieces, again", pieces[k]);
      again();
    }
  }
}

/* All lines twice in one file. Those of the last sample have no time, so they may be said twice. */
Test(sessions, lines_that_come_twice) {
  for (size_t i = 0; i + 1 < SAMPLES; ++i) {
    struct ck_buf twice = {0};
    load(i);
    ck_buf_str(&twice, ck_buf_view(&file));
    ck_buf_str(&twice, ck_buf_view(&file));
    import(ck_buf_view(&twice), 0);
    same(samples[i], 0);
    again();
    ck_buf_free(&twice);
  }
}

/* A fork, before and after the session that it is of. */
Test(sessions, a_fork_in_either_order) {
  import(ck_buf_view(&sample[0]), 0);
  import(ck_buf_view(&sample[2]), 0);
  sh_dump(&s, &expected);
  again();
  import(ck_buf_view(&sample[2]), 0);
  import(ck_buf_view(&sample[0]), 0);
  same("the fork first", 0);
}

/* ---- what the rows are ---- */

static int64_t count_of(const char *conversation) {
  char *sql =
      ck_sprintf("SELECT count(*) FROM messages WHERE conversation_id = '%s'", conversation);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n;
}

static void line(const char *json) {
  for (; *json; ++json) ck_buf_add(&file, *json == '\'' ? "\"" : json, 1);
  ck_buf_text(&file, "\n");
}

#define USER(id, parent, at, content) \
  line("{'type':'user','uuid':'" id "','parentUuid':" parent ",'sessionId':'S','timestamp':'" at \
       "','cwd':'/w','message':{'role':'user','content':" content "}}")
#define ASSISTANT(id, parent, at, api, content) \
  line("{'type':'assistant','uuid':'" id "','parentUuid':" parent \
       ",'sessionId':'S','timestamp':'" at "','message':{'role':'assistant','id':'" api \
       "','content':" content "}}")
#define AT(second) "2026-10-01T10:00:" second "Z"

static const char *details(const char *id) { return sh_field(&s, CK_MESSAGES, id, "details"); }

/* What the owner is asked is known until he has answered. */
Test(sessions, a_question_that_waits) {
  USER("u", "null", AT("01"), "'Go'");
  ASSISTANT("a", "'u'", AT("02"), "m",
            "[{'type':'tool_use','id':'t','name':'AskUserQuestion','input':{'q':1}}]");
  import(ck_buf_view(&file), 0);
  cr_expect(strstr(details("a"), "\"waits\":\"question\""), "%s", details("a"));
  USER("r", "'a'", AT("02"), "[{'type':'tool_result','tool_use_id':'t','content':'yes'}]");
  import(ck_buf_view(&file), 0);
  cr_expect_null(strstr(details("a"), "waits"), "%s", details("a"));
  sh_is(&s, CK_EXECUTIONS, "t", "result_data", "yes");
  sh_is(&s, CK_EXECUTIONS, "t", "params", "{\"q\":1}");
  sh_is(&s, CK_EXECUTIONS, "t", "params_kind", "inline_json");
}

#define HOOK(at, decision) \
  line("{'type':'attachment','uuid':'h" at "','parentUuid':'a','sessionId':'S','timestamp':'" AT( \
      at) "','attachment':{'type':'hook_permission_decision','hookEvent':'PermissionRequest'," \
          "'toolUseID':'t','decision':'" decision "'}}")

/* So is what he is to allow, until he has allowed it. */
Test(sessions, a_permission_that_waits) {
  USER("u", "null", AT("01"), "'Go'");
  ASSISTANT("a", "'u'", AT("02"), "m", "[{'type':'tool_use','id':'t','name':'Bash','input':{}}]");
  import(ck_buf_view(&file), 0);
  cr_expect_null(strstr(details("a"), "waits"), "%s", details("a"));
  HOOK("03", "later");
  import(ck_buf_view(&file), 0);
  cr_expect(strstr(details("a"), "\"waits\":\"permission\""), "%s", details("a"));
  HOOK("04", "allow");
  import(ck_buf_view(&file), 0);
  cr_expect_null(strstr(details("a"), "waits"), "%s", details("a"));
}

/* ---- subagents ---- */

#define SIDE(id, parent, second, text) \
  line("{'type':'user','uuid':'" id "','parentUuid':" parent \
       ",'sessionId':'S','isSidechain':true," \
       "'agentId':'7','timestamp':'" AT(second) "','message':{'role':'user','content':'" text \
                                                "'}}")
#define BESIDE "/home/ada/.claude/projects/x/S/subagents/"

static const char *about(const char *conversation, const char *column) {
  return sh_field(&s, CK_CONVERSATIONS, conversation, column);
}

/* In either order, the conversation has its messages and what the file beside it says. */
Test(sessions, a_subagent_and_the_file_beside_it) {
  static const char meta[] =
      "{\"agentType\":\"Explore\",\"description\":\"Keys\",\"toolUseId\":\"t\"}";
  for (int meta_first = 0; meta_first < 2; ++meta_first) {
    ck_buf_clear(&file);
    SIDE("g", "null", "03", "Look for keys");
    if (meta_first) import_as(BESIDE "agent-7.meta.json", CK_LIT(meta), 0);
    import_as(BESIDE "agent-7.jsonl", ck_buf_view(&file), 0);
    if (!meta_first) import_as(BESIDE "agent-7.meta.json", CK_LIT(meta), 0);
    cr_expect_str_eq(about("claude-code:S/agent-7", "title"), "Keys");
    cr_expect_eq(count_of("S/agent-7"), 1);
    const char *says = about("claude-code:S/agent-7", "details");
    cr_expect(strstr(says, "\"parent\":{\"conversation\":\"S\""), "%s", says);
    sh_is(&s, CK_LINKS, "link:claude-code:S/agent-7", "target_kind", "NULL");
    again();
  }
}

Test(sessions, a_workflows_agent_has_its_id) {
  SIDE("g", "null", "03", "Step one");
  import_as(BESIDE "workflows/wf_1/agent-7.jsonl", ck_buf_view(&file), 0);
  import_as(BESIDE "workflows/wf_1/agent-7.meta.json", CK_LIT("{\"agentType\":\"general\"}"), 0);
  cr_expect_str_eq(about("claude-code:S/workflow-wf_1/agent-7", "title"), "general");
  cr_expect_eq(count_of("S/workflow-wf_1/agent-7"), 1);
}

/* Without its folders, the file beside a log tells nothing. */
Test(sessions, a_file_beside_no_log) {
  import_as("agent-7.meta.json", CK_LIT("{\"agentType\":\"general\"}"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM local_conversations"), 0);
  cr_expect_eq(failures, 0);
}

/* A line of an answer has one time with the line before it: what comes later counts. */
Test(sessions, an_answer_within_one_millisecond) {
  USER("u", "null", AT("01"), "'Go'");
  ASSISTANT("a", "'u'", AT("02"), "m", "[{'type':'text','text':'z'}],'usage':{'output_tokens':9}");
  import(ck_buf_view(&file), 0);
  ASSISTANT("b", "'a'", AT("02"), "m", "[{'type':'text','text':'a'}],'usage':{'output_tokens':10}");
  import(ck_buf_view(&file), 0);
  cr_expect(strstr(details("a"), "\"output_tokens\":10"), "%s", details("a"));
  sh_is(&s, CK_MESSAGES, "a", "raw_text", "z\n\na");
  sh_is(&s, CK_MESSAGES, "b", "raw_text", "none");
  sh_is(&s, CK_CONVERSATIONS, "claude-code:S", "last_message_id", "a");
}

/* The same lines in another session. */
static void become_copy(void) {
  static const char from[] = "\"sessionId\":\"S\"";
  for (char *at = file.data, *end = at + file.len;
       (at = memmem(at, (size_t)(end - at), from, sizeof from - 1));)
    at[sizeof from - 3] = 'C';
}

/* A session that goes on in the background says nothing of the one that it is a copy of. */
Test(sessions, a_copy_begins_with_its_first_own_message) {
  USER("u", "null", AT("01"), "'Go'");
  ASSISTANT("a", "'u'", AT("02"), "m", "[{'type':'tool_use','id':'t','name':'Bash','input':{}}]");
  USER("r", "'a'", AT("03"), "[{'type':'tool_result','tool_use_id':'t','content':'yes'}]");
  ASSISTANT("b", "'r'", AT("04"), "n", "[{'type':'text','text':'It'}]");
  size_t half = file.len;
  ASSISTANT("c", "'b'", AT("05"), "n", "[{'type':'text','text':'works'}]");
  import(ck_buf_view(&file), 0);
  file.len = half;
  become_copy();
  import(ck_buf_view(&file), 0);
  cr_expect_eq(count_of("S"), 3);
  cr_expect_eq(count_of("C"), 0);
  sh_is(&s, CK_MESSAGES, "b", "raw_text", "It\n\nworks");
  USER("own", "'b'", AT("09"), "'Go on'");
  become_copy();
  import(ck_buf_view(&file), 0);
  cr_expect_eq(count_of("S"), 3);
  cr_expect_eq(count_of("C"), 1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM executions"), 1);
  sh_is(&s, CK_MESSAGES, "own", "parent_id", "b");
  sh_is(&s, CK_MESSAGES, "own", "position", "3");
  sh_is(&s, CK_CONVERSATIONS, "claude-code:C", "last_message_id", "own");
}

#define ROLLOUT "/home/ada/.codex/sessions/2026/10/07/rollout-2026-10-07T09-00-00-x.jsonl"
#define THREAD "01a0c2de-0000-7000-8000-00000000000a"
#define FORK "01a0c2de-0000-7000-8000-00000000000b"

/* A fork of Codex has the turns of its thread with other times, and without what events say. */
Test(sessions, a_fork_of_codex_changes_nothing_of_its_thread) {
  import_as(ROLLOUT, ck_buf_view(&sample[3]), 0);
  int64_t messages = count_of(THREAD);
  import_as(ROLLOUT, ck_buf_view(&sample[4]), 0);
  cr_expect_eq(count_of(THREAD), messages);
  cr_expect_eq(count_of(FORK), 2);
  sh_is(&s, CK_MESSAGES, "msg_1", "position", "2");
  sh_is(&s, CK_MESSAGES, "fc_1", "raw_text", "There are 42 teeth.");
  cr_expect(strstr(details("fc_1"), "usage"), "%s", details("fc_1"));
  import_as(ROLLOUT, ck_buf_view(&sample[3]), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), messages + 2);
}

Test(sessions, the_link_of_a_thread) {
  import_as(ROLLOUT, ck_buf_view(&sample[3]), 0);
  sh_is(&s, CK_LINKS, "link:codex:" THREAD, "target_kind", "exec");
  sh_is(&s, CK_LINKS, "link:codex:" THREAD, "target_id", "codex");
  sh_is(&s, CK_LINKS, "link:codex:" THREAD, "target_payload",
        "{\"session_id\":\"" THREAD "\",\"cwd\":\"/home/ada/engine\","
        "\"home\":\"/home/ada/.codex\"}");
  import_as(ROLLOUT, ck_buf_view(&sample[5]), 0);
  sh_is(&s, CK_LINKS, "link:codex:01a0c2de-0000-7000-8000-00000000000c", "target_kind", "NULL");
}

/* The user's name for a thread stands in an index, too. */
Test(sessions, names_of_threads) {
  static const char index[] = "{\"id\":\"" THREAD "\",\"thread_name\":\"Gears\","
                              "\"updated_at\":\"2026-10-08T00:00:00Z\"}\n";
  import_as("session_index.jsonl", CK_LIT(index), 0);
  import_as(ROLLOUT, ck_buf_view(&sample[3]), 0);
  cr_expect_str_eq(about("codex:" THREAD, "title"), "Gears");
}

/* A title that has no time: the last one counts. */
Test(sessions, titles) {
  USER("u", "null", AT("01"), "'Go'");
  line("{'type':'custom-title','sessionId':'S','customTitle':'Z'}");
  import(ck_buf_view(&file), 0);
  sh_is(&s, CK_CONVERSATIONS, "claude-code:S", "title", "Z");
  line("{'type':'custom-title','sessionId':'S','customTitle':'A'}");
  line("{'type':'ai-title','sessionId':'S','aiTitle':'By the machine'}");
  import(ck_buf_view(&file), 0);
  sh_is(&s, CK_CONVERSATIONS, "claude-code:S", "title", "A");
}

/* How the session can be gone on with. */
Test(sessions, the_link_says_where_it_is) {
  USER("u", "null", AT("01"), "'Go'");
  import(ck_buf_view(&file), 0);
  sh_is(&s, CK_LINKS, "link:claude-code:S", "target_kind", "exec");
  sh_is(&s, CK_LINKS, "link:claude-code:S", "target_id", "claude");
  sh_is(&s, CK_LINKS, "link:claude-code:S", "target_payload",
        "{\"session_id\":\"S\",\"cwd\":\"/w\",\"home\":\"/home/ada/.claude\"}");
}

/* What a tool has begun is not gone on with. */
Test(sessions, a_subagent_has_no_target) {
  line("{'type':'user','uuid':'a','parentUuid':null,'sessionId':'S','isSidechain':true,"
       "'agentId':'1','timestamp':'" AT("01") "','message':{'role':'user','content':'Look'}}");
  line("{'type':'user','uuid':'b','parentUuid':null,'sessionId':'agent-2','isSidechain':true,"
       "'agentId':'2','timestamp':'" AT("02") "','message':{'role':'user','content':'Look'}}");
  import(ck_buf_view(&file), 0);
  sh_is(&s, CK_LINKS, "link:claude-code:S/agent-1", "target_kind", "NULL");
  sh_is(&s, CK_LINKS, "link:claude-code:agent-2", "target_kind", "NULL");
}

/* A line that is still being written is no failure. */
Test(sessions, half_a_line_at_the_end) {
  USER("u", "null", AT("01"), "'Go'");
  ck_buf_text(&file, "{\"type\":\"assistant\",\"uu");
  import(ck_buf_view(&file), 0);
  cr_expect_eq(failures, 0);
  ck_buf_text(&file, "\n");
  import(ck_buf_view(&file), 0);
  cr_expect_eq(failures, 1);
}
