/* One observation, and exactly the mutations that it becomes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "ingest/changeset.h"
#include "proto/wire.h"

#define NOW INT64_C(1772362800500) /* 2026-03-01T11:00:00.500Z */

/* Prints the mutations, one a line: table and row. */
static void dump(struct ck_buf *out, struct ck_str packed) {
  struct ck_reader r = ck_reader_of(packed);
  struct ck_arena arena = {0};
  struct ck_mutation m;
  struct ck_row row;
  struct ck_err err = {""};
  uint32_t n;
  cr_assert_eq(ck_scan(packed.s, packed.n, &err), 0, "%s", err.text);
  cr_assert_eq(ck_read_array(&r, &n), 0);
  for (uint32_t i = 0; i < n; ++i) {
    cr_assert_eq(ck_mutation_decode(&m, &r, &err), 0, "%s", err.text);
    cr_assert_eq(m.kind, CK_OP_PUT);
    enum ck_table t = ck_table_named(m.as.put.table);
    cr_assert_eq(ck_row_decode(&row, t, m.as.put.row, &arena, &err), 0, "%s", err.text);
    ck_buf_printf(out, "%s ", ck_tables[t].name);
    ck_row_json(out, &row);
    ck_buf_text(out, "\n");
  }
  ck_arena_free(&arena);
}

static void pack(struct ck_buf *b, json_t *v) {
  const char *name;
  json_t *member;
  size_t i;
  switch (json_typeof(v)) {
  case JSON_OBJECT:
    ck_put_map(b, (uint32_t)json_object_size(v));
    json_object_foreach(v, name, member) {
      ck_put_text(b, name);
      pack(b, member);
    }
    break;
  case JSON_ARRAY:
    ck_put_array(b, (uint32_t)json_array_size(v));
    json_array_foreach(v, i, member) pack(b, member);
    break;
  case JSON_STRING:
    ck_put_str(b, ingest_json_str(v));
    break;
  case JSON_INTEGER:
    ck_put_int(b, json_integer_value(v));
    break;
  case JSON_REAL:
    ck_put_float(b, json_real_value(v));
    break;
  case JSON_NULL:
    ck_put_nil(b);
    break;
  default:
    ck_put_bool(b, json_is_true(v));
    break;
  }
}

/* What the observation becomes, or its error. It is read from packed, or if that is empty, from
 * JSON. */
static char *changeset_as(json_t *object, struct ck_str packed, struct ingest_observation *o,
                          bool *homeless) {
  struct ingest_changeset s = {0};
  struct ck_buf out = {0};
  struct ck_arena arena = {0};
  struct ck_err err = {""};
  struct ingest_changeset_facts facts = {0};
  int rc = packed.n ? ingest_observation_unpack(o, packed, &arena, &err)
                    : ingest_observation_read(o, object, &arena, &err);
  if (rc || ingest_changeset_alone(&s, o, (struct ck_str){0}, NOW, 0, &facts, &err))
    ck_buf_text(&out, err.text);
  else
    dump(&out, ck_buf_view(&s.out));
  if (homeless) *homeless = facts.homeless;
  char *result = ck_str_dup(ck_buf_view(&out));
  ck_arena_free(&arena);
  ingest_changeset_free(&s);
  ck_buf_free(&out);
  return result;
}

/* What an observation in JSON (with ' for ") becomes, or its error. Checks that it is the same for
 * JSON and for MessagePack. */
static char *changeset(const char *text, bool *homeless) {
  struct ck_buf json = {0}, packed = {0};
  struct ck_err err = {""};
  struct ingest_observation read, unpacked;
  ck_buf_text(&json, text);
  for (size_t i = 0; i < json.len; ++i)
    if (json.data[i] == '\'') json.data[i] = '"';
  json_t *object = ingest_json_parse(json.data, json.len, 0, NULL, NULL, &err);
  cr_assert_not_null(object, "%s: %s", text, err.text);
  pack(&packed, object);
  char *result = changeset_as(object, (struct ck_str){0}, &read, homeless),
       *same = changeset_as(NULL, ck_buf_view(&packed), &unpacked, NULL);
  cr_assert_str_eq(result, same, "%s\nas JSON\n%s\nas MessagePack\n%s", text, result, same);
  cr_assert_eq(read.unknown, unpacked.unknown);
  json_decref(object);
  free(same);
  ck_buf_free(&json);
  ck_buf_free(&packed);
  return result;
}

static void becomes(const char *text, const char *expected) {
  char *got = changeset(text, NULL);
  cr_assert_str_eq(got, expected, "%s\nbecomes\n%s\nnot\n%s", text, got, expected);
  free(got);
}

static void holds(const char *text, const char *part, bool wanted) {
  char *got = changeset(text, NULL);
  cr_assert_eq(strstr(got, part) != NULL, wanted, "%s\nbecomes\n%s\n%s %s", text, got,
               wanted ? "without" : "with", part);
  free(got);
}

Test(ingest_changeset, all_of_it) {
  becomes("{'platform':' chatgpt ','text':'Hello\\nyou','role':'assistant','message_id':'m1',"
          "'observed_at':'2026-03-01T12:00:00.5+01:00',"
          "'page_url':'https://chatgpt.com/c/abc?x=1#y','page_title':'T','client_id':'b1',"
          "'organization_id':'o1','target':{'kind':'webhook','id':'t1',"
          "'payload':{'url':'http://h'}},'execution':{'instruction_id':'e1','target':'ci',"
          "'tool':'make','params':{'a':[1,2.5]},'result_ok':true,'result':'done  well',"
          "'error':null,'http_status':200,'executed_at':5}}",
          "messages {\"id\":\"m1\",\"platform\":\"chatgpt\",\"conversation_id\":\"abc\","
          "\"role\":\"assistant\",\"raw_text\":\"Hello\\nyou\","
          "\"observed_at\":1772362800500,\"page_url\":\"https://chatgpt.com/c/abc?x=1#y\","
          "\"page_title\":\"T\",\"organization_id\":\"o1\"}\n"
          "executions {\"instruction_id\":\"e1\",\"message_id\":\"m1\",\"target\":\"ci\","
          "\"tool\":\"make\",\"params\":\"{\\\"a\\\":[1,2.5]}\",\"params_kind\":\"inline_json\","
          "\"result_ok\":1,\"result_data\":\"done  well\","
          "\"http_status\":200,\"executed_at\":5}\n"
          "sessions {\"id\":\"chatgpt:abc@2026-03-01\",\"platform\":\"chatgpt\","
          "\"conversation_id\":\"abc\",\"started_at\":1772362800500,"
          "\"last_activity_at\":1772362800500}\n"
          "local_conversations {\"local_conversation_id\":\"chatgpt:abc\","
          "\"platform\":\"chatgpt\",\"title\":\"T\",\"last_message_id\":\"m1\","
          "\"last_message_at\":1772362800500,\"created_at\":1772362800500}\n"
          "conversation_links {\"link_id\":\"link:chatgpt:abc\","
          "\"local_conversation_id\":\"chatgpt:abc\",\"platform\":\"chatgpt\","
          "\"remote_conversation_id\":\"abc\",\"client_id\":\"b1\","
          "\"page_url\":\"https://chatgpt.com/c/abc?x=1#y\",\"page_title\":\"T\","
          "\"route_path\":\"/c/abc\",\"route_pattern\":\"/c/{id}\","
          "\"route_params\":\"{\\\"id\\\":\\\"abc\\\"}\",\"target_kind\":\"webhook\","
          "\"target_id\":\"t1\",\"target_payload\":\"{\\\"url\\\":\\\"http://h\\\"}\","
          "\"observed_at\":1772362800500}\n");
}

Test(ingest_changeset, the_least) {
  becomes("{'platform':'own','text':'','message_id':'m'}",
          "messages {\"id\":\"m\",\"platform\":\"own\",\"role\":\"unknown\",\"raw_text\":\"\","
          "\"created_at\":1772362800500}\n"
          "sessions {\"id\":\"own@2026-03-01\",\"platform\":\"own\","
          "\"created_at\":1772362800500}\n");
}

/* An observation without a time gives rows without times; only created_at is set. */
Test(ingest_changeset, without_a_time) {
  static const char *const times[] = {"observed_at", "executed_at", "started_at",
                                      "last_activity_at", "last_message_at"};
  const char *text = "{'platform':'own','conversation_id':'c','text':'t','message_id':'m',"
                     "'execution':{'target':'a','tool':'b','result_ok':1}}";
  for (size_t i = 0; i < sizeof times / sizeof *times; ++i) holds(text, times[i], false);
  holds("{'platform':'own','text':'t','message_id':'m','observed_at':7,"
        "'execution':{'target':'a','tool':'b','result_ok':1}}",
        "\"executed_at\":7", true);
  holds("{'platform':'own','text':'t','message_id':'m','observed_at':7,"
        "'execution':{'target':'a','tool':'b','result_ok':1}}",
        "created_at", false);
  holds("{'platform':'own','text':'t','message_id':'m','execution':{'target':'a','tool':'b',"
        "'result_ok':1,'executed_at':8}}",
        "\"executed_at\":8", true);
}

/* A call that nobody has answered yet is no failure, and a failure always has an error. */
Test(ingest_changeset, an_execution_and_its_result) {
#define CALL(more) \
  "{'platform':'own','text':'','message_id':'m','execution':{'target':'a','tool':'b'" more "}}"
  holds(CALL(""), "result_ok", false);
  holds(CALL(",'result_ok':null,'result':null"), "result_ok", false);
  holds(CALL(""), "\"tool\":\"b\"", true);
  holds(CALL(",'result_ok':false"), "\"result_ok\":0,\"result_error\":\"failed\"", true);
  holds(CALL(",'result_ok':0,'result':'no room'"), "\"result_error\":\"no room\"", true);
  holds(CALL(",'result_ok':0,'result':'x','error':'y'"), "\"result_error\":\"y\"", true);
}

static void check_ages(int64_t observed_at, int64_t age, int64_t of_message, int64_t of_others) {
  const struct ingest_execution e = {
      .target = CK_LIT("t"), .tool = CK_LIT("u"), .executed_at = INGEST_NO_TIME};
  const struct ingest_observation o = {.platform = CK_LIT("x"),
                                       .message_id = CK_LIT("m"),
                                       .has_text = true,
                                       .observed_at = observed_at,
                                       .number = 12,
                                       .conversation_id = ck_textz("c"),
                                       .executions = &e,
                                       .execution_count = 1};
  struct ingest_changeset s = {0};
  struct ingest_changeset_facts facts;
  struct ck_mutation m;
  struct ck_err err;
  uint32_t n;
  cr_assert_eq(ingest_changeset_alone(&s, &o, (struct ck_str){0}, NOW, age, &facts, &err), 0);
  struct ck_reader r = ck_reader_of(ck_buf_view(&s.out));
  cr_assert(ck_read_array(&r, &n) == 0 && n == 5);
  for (uint32_t i = 0; i < n; ++i) {
    cr_assert_eq(ck_mutation_decode(&m, &r, &err), 0);
    cr_expect_eq(m.as.put.age, i < 2 ? of_message : of_others, "mutation %u", i);
  }
  ingest_changeset_free(&s);
}

/* Of two versions without a time in a file, the one that stands later is newer. */
Test(ingest_changeset, the_age_of_what_has_no_time) {
  check_ages(1700000000000, 0, 1700000000000, 1700000000000);
  check_ages(INGEST_NO_TIME, 0, 12, 0);
  check_ages(INGEST_NO_TIME, 1700000000000, 1700000000000, 1700000000000);
}

/* The executions of a message that is observed at `at`: their times and when they were created. */
static void stand_at(int64_t at, bool assumed, const int64_t *told, size_t n,
                     const char *expected) {
  struct ingest_execution list[8];
  struct ingest_changeset s = {0};
  struct ingest_changeset_facts facts = {0};
  struct ck_buf rows = {0}, got = {0};
  struct ck_err err;
  for (size_t i = 0; i < n; ++i)
    list[i] = (struct ingest_execution){
        .target = CK_LIT("a"), .tool = CK_LIT("b"), .executed_at = told[i], .no_result = true};
  struct ingest_observation o = {.platform = CK_LIT("own"),
                                 .message_id = CK_LIT("m"),
                                 .has_text = true,
                                 .observed_at = at,
                                 .time_assumed = assumed,
                                 .executions = list,
                                 .execution_count = n};
  int rc = ingest_changeset_alone(&s, &o, (struct ck_str){0}, NOW, 0, &facts, &err);
  cr_assert_eq(rc, 0, "%s", err.text);
  dump(&rows, ck_buf_view(&s.out));
  ck_buf_cstr(&rows);
  for (char *line = strtok(rows.data, "\n"); line; line = strtok(NULL, "\n")) {
    const char *time = strstr(line, "\"executed_at\":");
    if (!time) time = strstr(line, "\"created_at\":");
    if (strncmp(line, "executions", 10) == 0) ck_buf_printf(&got, "%s", time);
  }
  cr_expect_str_eq(ck_buf_cstr(&got), expected);
  ck_buf_free(&rows);
  ck_buf_free(&got);
  ingest_changeset_free(&s);
}

/* Those of one message and one time stay in their order: they are a millisecond apart. */
Test(ingest_changeset, executions_stay_in_their_order) {
#define AT(time) "\"executed_at\":" time "}"
#define MADE(time) "\"created_at\":" time "}"
  static const int64_t none[] = {INGEST_NO_TIME, INGEST_NO_TIME, INGEST_NO_TIME},
                       same[] = {9, 9, 9, 5}, mixed[] = {INGEST_NO_TIME, 9, INGEST_NO_TIME, 9, 9};
  stand_at(7, false, none, 1, AT("7"));
  stand_at(7, false, none, 3, AT("7") AT("8") AT("9"));
  stand_at(7, true, none, 3, MADE("7") MADE("8") MADE("9"));
  stand_at(7, false, same, 4, AT("9") AT("10") AT("11") AT("5"));
  stand_at(7, true, mixed, 5, MADE("7") AT("9") MADE("9") AT("10") AT("11"));
}

/* Its id is a hash of what identifies it; everything else is as given. */
Test(ingest_changeset, an_execution_of_a_message_that_is_there) {
  const char *text =
      "{'platform':'own','conversation_id':'c','message_id':'m','observed_at':7,"
      "'execution':{'target':'a','tool':'b','params':'x','result_ok':0,'error':'no'}}";
  char *got = changeset(text, NULL);
  const char *after =
      "\",\"message_id\":\"m\",\"target\":\"a\",\"tool\":\"b\",\"params\":\"x\","
      "\"params_kind\":\"inline_string\",\"result_ok\":0,\"result_error\":\"no\","
      "\"executed_at\":7}\n"
      "sessions {\"id\":\"own:c@1970-01-01\",\"platform\":\"own\",\"conversation_id\":\"c\","
      "\"started_at\":7,\"last_activity_at\":7}\n"
      "local_conversations {\"local_conversation_id\":\"own:c\",\"platform\":\"own\"}\n"
      "conversation_links {\"link_id\":\"link:own:c\",\"local_conversation_id\":\"own:c\","
      "\"platform\":\"own\",\"remote_conversation_id\":\"c\",\"observed_at\":7}\n";
  const char *before = "executions {\"instruction_id\":\"exec_";
  cr_assert(strncmp(got, before, strlen(before)) == 0, "%s", got);
  cr_assert_str_eq(got + strlen(before) + 32, after);
  holds(text, got, true);
  free(got);
}

/* Without an id, equal observations are one message, and any difference that matters makes two. */
Test(ingest_changeset, ids_that_are_made) {
  char *one = changeset(
      "{'platform':'p','text':'x','role':'user','conversation_id':'c','observed_at':1}", NULL);
  char *two = changeset(
      "{'platform':'p','text':'x','role':'user','conversation_id':'c','observed_at':1}", NULL);
  cr_assert_str_eq(one, two);
  char id[37];
  memcpy(id, strstr(one, "msg_"), 36);
  id[36] = '\0';
  static const char *const others[] = {
      "{'platform':'q','text':'x','role':'user','conversation_id':'c','observed_at':1}",
      "{'platform':'p','text':'y','role':'user','conversation_id':'c','observed_at':1}",
      "{'platform':'p','text':'x','role':'tool','conversation_id':'c','observed_at':1}",
      "{'platform':'p','text':'x','role':'user','conversation_id':'d','observed_at':1}",
      "{'platform':'p','text':'x','role':'user','conversation_id':'c','observed_at':2}",
      "{'platform':'p','text':'x','role':'user','conversation_id':'c'}",
      "{'platform':'p','text':'x','role':'user','conversation_id':'c','observed_at':1,"
      "'page_url':'https://e.example'}"};
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i) holds(others[i], id, false);
  free(one);
  free(two);
}

/* No command line and no PostgreSQL could name a record by an id with NUL; what was said keeps it.
 */
Test(ingest_changeset, ids_and_names_have_no_nul) {
  char *got = changeset("{'platform':'p\\u0000','text':'a\\u0000b','message_id':'m\\u0000',"
                        "'parent_id':'\\u0000p','conversation_id':'c\\u0000d',"
                        "'page_title':'t\\u0000','execution':{'target':'t','tool':'w\\u0000',"
                        "'params':'p\\u0000','instruction_id':'i\\u0000','result_ok':true,"
                        "'result':'r\\u0000'}}",
                        NULL);
  static const char *const there[] = {"\"id\":\"m\xef\xbf\xbd\"",
                                      "\"parent_id\":\"\xef\xbf\xbdp\"",
                                      "\"conversation_id\":\"c\xef\xbf\xbd"
                                      "d\"",
                                      "\"instruction_id\":\"i\xef\xbf\xbd\"",
                                      "\"platform\":\"p\xef\xbf\xbd\"",
                                      "\"page_title\":\"t\xef\xbf\xbd\"",
                                      "\"title\":\"t\xef\xbf\xbd\"",
                                      "\"tool\":\"w\xef\xbf\xbd\"",
                                      "\"raw_text\":\"a\\u0000b\"",
                                      "\"params\":\"p\\u0000\"",
                                      "\"result_data\":\"r\\u0000\""};
  for (size_t i = 0; i < sizeof there / sizeof *there; ++i)
    cr_expect(strstr(got, there[i]), "%s is not in %s", there[i], got);
  free(got);
}

Test(ingest_changeset, ids_that_are_long) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "{'platform':'p','text':'x','message_id':'");
  for (int i = 0; i < 300; ++i) ck_buf_text(&b, "m");
  ck_buf_text(&b, "','conversation_id':'");
  for (int i = 0; i < 150; ++i) ck_buf_text(&b, "é");
  ck_buf_text(&b, "'}");
  char *got = changeset(ck_buf_cstr(&b), NULL);
  const char *id = strstr(got, "\"id\":\"") + 6;
  cr_assert_eq(strcspn(id, "\""), 193, "%zu", strcspn(id, "\""));
  cr_assert_eq(id[160], '~');
  const char *local = strstr(got, "\"local_conversation_id\":\"p:") + 25;
  cr_assert_leq(strcspn(local, "\""), 200);
  free(got);
  ck_buf_free(&b);
}

Test(ingest_changeset, which_conversation) {
  holds(
      "{'platform':'x','text':'t','conversation_id':'mine','page_url':'https://chatgpt.com/c/abc'}",
      "\"conversation_id\":\"mine\"", true);
  holds("{'platform':'chatgpt','text':'t','conversation_id':'WEB:1',"
        "'page_url':'https://chatgpt.com/c/abc'}",
        "\"conversation_id\":\"abc\"", true);
  holds("{'platform':'chatgpt','text':'t','conversation_id':'WEB:1'}", "local_conversations",
        false);
  holds("{'platform':'chatgpt','text':'t','page_url':'https://chatgpt.com/c/WEB:1'}",
        "conversation_id", false);
  holds("{'platform':'chatgpt','text':'t','page_url':'https://chatgpt.com/share/1'}",
        "chatgpt:page-", true);
  holds("{'platform':'chatgpt','text':'t','page_url':'https://chatgpt.com/share/1'}",
        "\"conversation_id\":\"page-", true);
  holds("{'platform':'chatgpt','text':'t','page_url':'https://chatgpt.com/share/1'}",
        "\"remote_conversation_id\":\"page-", true);
  holds("{'platform':'chatgpt','text':'t','conversation_id':null,"
        "'page_url':'https://chatgpt.com/share/1'}",
        "\"conversation_id\":\"page-", true);
  holds("{'platform':'chatgpt','text':'t','page_url':'https://chatgpt.com/'}",
        "local_conversations", false);
  holds("{'platform':'own','text':'t','page_url':'https://wiki.example/page#top'}",
        "\"local_conversation_id\":\"own:page-", true);
  holds("{'platform':'own','text':'t','page_url':'about:blank'}", "local_conversations", false);
  char *top = changeset(
      "{'platform':'own','text':'t','message_id':'m','page_url':'https://wiki.example/page#top'}",
      NULL);
  char *end = changeset(
      "{'platform':'own','text':'t','message_id':'m','page_url':'https://wiki.example/page#end'}",
      NULL);
  const char *key = "\"local_conversation_id\":\"own:page-";
  cr_assert(strncmp(strstr(top, key), strstr(end, key), strlen(key) + 32) == 0);
  free(top);
  free(end);
}

Test(ingest_changeset, null_clears_and_left_out_keeps) {
  holds("{'platform':'p','text':'t','conversation_id':'c','page_title':null}", "\"title\":null",
        true);
  holds("{'platform':'p','text':'t','conversation_id':'c'}", "title", false);
  holds("{'platform':'p','text':'t','conversation_id':'c','target':null}",
        "\"target_kind\":null,\"target_id\":null,\"target_payload\":null", true);
  holds("{'platform':'p','text':'t','conversation_id':'c','target':{'kind':'feed'}}", "target_id",
        false);
}

Test(ingest_changeset, a_target_without_a_conversation) {
  bool homeless;
  free(changeset("{'platform':'p','text':'t','target':{'kind':'feed'}}", &homeless));
  cr_assert(homeless);
  free(changeset("{'platform':'p','text':'t','conversation_id':'c','target':{'kind':'feed'}}",
                 &homeless));
  cr_assert(!homeless);
}

Test(ingest_changeset, what_is_refused) {
  becomes("{'text':'t'}", "platform: missing");
  becomes("{'platform':' ','text':'t'}", "platform: missing");
  becomes("{'platform':null,'text':'t'}", "platform: missing");
  becomes("{'platform':'p'}", "text: missing");
  becomes("{'platform':'p','text':null}", "text: missing");
  becomes("{'platform':'p','text':7}", "text: expected text, got an integer");
  becomes("{'platform':['p'],'text':'t'}", "platform: expected text, got an array");
  becomes("{'platform':'p','text':'t','conversation_id':1}",
          "conversation_id: expected text, got an integer");
  becomes("{'platform':'p','text':'t','observed_at':1.5}",
          "observed_at: expected milliseconds or an ISO 8601 time, got a fraction");
  becomes("{'platform':'p','text':'t','observed_at':true}",
          "observed_at: expected milliseconds or an ISO 8601 time, got true");
  becomes("{'platform':'p','text':'t','observed_at':'soon'}",
          "observed_at: \"soon\" is not an ISO 8601 time");
  becomes("{'platform':'p','text':'t','observed_at':-1}",
          "observed_at: -1 is not a time between 1970 and 9999 in milliseconds");
  becomes("{'platform':'p','text':'t','target':'x'}", "target: expected an object, got text");
  becomes("{'platform':'p','text':'t','target':{'kind':1}}",
          "target: kind: expected text, got an integer");
  becomes("{'platform':'p','text':'t','execution':[]}",
          "execution: expected an object, got an array");
  becomes("{'platform':'p','text':'t','execution':{'tool':'b','result_ok':1}}",
          "execution: target: missing");
  becomes("{'platform':'p','text':'t','execution':{'target':'b','result_ok':1}}",
          "execution: tool: missing");
  becomes("{'platform':'p','text':'t','execution':{'target':'a','tool':'b','result':1}}",
          "execution: result_ok: missing beside result or error");
  becomes("{'platform':'p','text':'t','execution':{'target':'a','tool':'b','error':'e'}}",
          "execution: result_ok: missing beside result or error");
  becomes("{'platform':'p','text':'t','execution':{'target':'a','tool':'b','result_ok':'yes'}}",
          "execution: result_ok: expected true or false, got text");
  becomes("{'platform':'p','text':'t','execution':{'target':'a','tool':'b','result_ok':2}}",
          "execution: result_ok: expected true or false, got an integer");
  becomes("{'platform':'p','text':'t','execution':{'target':'a','tool':'b','result_ok':1,"
          "'http_status':'200'}}",
          "execution: http_status: expected an integer, got text");
  becomes("{'platform':'p','execution':{'target':'a','tool':'b','result_ok':1}}",
          "message_id: missing; an execution without text must name its message");
}

/* The unit of a time is told by its size. */
Test(ingest_changeset, times_in_any_unit) {
  static const char *const times[] = {"1767225600",       "1767225600.0",          "1767225600000",
                                      "1767225600000000", "1767225600000000000",   "'1767225600'",
                                      "'1767225600000'",  "'2026-01-01T00:00:00Z'"};
  for (size_t i = 0; i < sizeof times / sizeof *times; ++i) {
    char text[200];
    snprintf(text, sizeof text, "{'platform':'p','message_id':'m','text':'t','observed_at':%s}",
             times[i]);
    char *got = changeset(text, NULL);
    cr_expect(strstr(got, "\"observed_at\":1767225600000}"), "%s gives %s", times[i], got);
    free(got);
  }
}

Test(ingest_changeset, unknown_names_are_counted) {
  struct ck_err err;
  struct ck_arena arena = {0};
  struct ingest_observation o;
  char text[] = "{\"platform\":\"p\",\"text\":\"t\",\"colour\":1,\"target\":{\"kind\":\"x\","
                "\"speed\":2},\"mood\":null}";
  json_t *object = ingest_json_parse(text, sizeof text - 1, 0, NULL, NULL, &err);
  cr_assert_eq(ingest_observation_read(&o, object, &arena, &err), 0);
  cr_assert_eq(o.unknown, 3);
  json_decref(object);
  ck_arena_free(&arena);
}

/* ---- what only MessagePack can say ---- */

static void packed_becomes(struct ck_buf *packed, const char *part) {
  struct ingest_observation o;
  struct ck_err err;
  cr_assert_eq(ck_scan(packed->data, packed->len, &err), 0);
  char *got = changeset_as(NULL, ck_buf_view(packed), &o, NULL);
  cr_assert(strstr(got, part), "%s\nwithout\n%s", got, part);
  free(got);
  ck_buf_free(packed);
}

/* Begins a map of so many pairs; the first two, already there, make it an observation. */
static struct ck_buf observation_of(uint32_t pairs) {
  struct ck_buf b = {0};
  ck_put_map(&b, pairs);
  ck_put_text(&b, "platform");
  ck_put_text(&b, "p");
  ck_put_text(&b, "text");
  ck_put_text(&b, "t");
  return b;
}

Test(ingest_changeset, a_whole_float_is_an_integer) {
  struct ck_buf b = observation_of(3);
  ck_put_text(&b, "observed_at");
  ck_put_float(&b, 1772362800500.0);
  packed_becomes(&b, "\"observed_at\":1772362800500");
  b = observation_of(3);
  ck_put_text(&b, "observed_at");
  ck_put_float(&b, 0.5);
  packed_becomes(&b, "got a fraction");
  b = observation_of(3);
  ck_put_text(&b, "observed_at");
  ck_put_uint(&b, UINT64_MAX);
  packed_becomes(&b, "got a fraction");
}

Test(ingest_changeset, bytes_are_hex) {
  struct ck_buf b = observation_of(3);
  ck_put_text(&b, "page_title");
  ck_buf_add(&b, "\xc4\x02\x01\xff", 4);
  packed_becomes(&b, "\"page_title\":\"01ff\"");
}

Test(ingest_changeset, a_name_twice_is_its_last_value) {
  struct ck_buf b = observation_of(4);
  ck_put_text(&b, "role");
  ck_put_text(&b, "user");
  ck_put_text(&b, "text");
  ck_put_text(&b, "last");
  packed_becomes(&b, "\"raw_text\":\"last\"");
}

Test(ingest_changeset, text_that_is_none) {
  struct ck_buf b = observation_of(3);
  ck_put_text(&b, "role");
  ck_put_str(&b, CK_LIT("\xff"));
  packed_becomes(&b, "role: expected text, got text that is not UTF-8");
  b = observation_of(3);
  ck_put_text(&b, "colour");
  ck_put_str(&b, CK_LIT("\xff"));
  packed_becomes(&b, "cannot be written as JSON");
  b = observation_of(3);
  ck_put_array(&b, 0);
  ck_put_nil(&b);
  packed_becomes(&b, "cannot be written as JSON");
  ck_put_array(&b, 0);
  packed_becomes(&b, "expected an object, got an array");
}

/* ---- the messages of a conversation ---- */

struct giving {
  struct ingest_changeset s;
  struct ck_buf out;
  unsigned changesets, messages;
};

static void close_one(struct giving *g, bool last) {
  if (!ingest_changeset_close(&g->s, last)) return;
  ++g->changesets;
  g->messages += g->s.messages;
  ck_buf_text(&g->out, "--\n");
  dump(&g->out, ck_buf_view(&g->s.out));
}

static void give(struct giving *g, const struct ingest_observation *o) {
  struct ck_err err = {""};
  cr_assert_eq(ingest_changeset_message(&g->s, o, &err), 0, "%s", err.text);
  for (size_t i = 0;; ++i) {
    if (ingest_changeset_is_full(&g->s)) {
      close_one(g, false);
      ingest_changeset_next(&g->s);
    }
    ingest_changeset_keep(&g->s);
    if (i == o->execution_count) return;
    cr_assert_eq(ingest_changeset_execution(&g->s, &o->executions[i], &err), 0, "%s", err.text);
  }
}

static void given_all(struct giving *g) {
  close_one(g, true);
  ingest_changeset_free(&g->s);
}

static struct ingest_observation spoken(const char *id, int64_t at) {
  return (struct ingest_observation){.platform = CK_LIT("chatgpt"),
                                     .role = CK_LIT("user"),
                                     .message_id = ck_str_of(id),
                                     .has_text = true,
                                     .text = CK_LIT("t"),
                                     .observed_at = at};
}

#define DAY INT64_C(86400000)

static const struct ingest_conversation conversation = {.platform = CK_LIT("chatgpt"),
                                                        .id = CK_LIT("abc"),
                                                        .title = CK_LIT("T"),
                                                        .url = CK_LIT("https://chatgpt.com/c/abc"),
                                                        .current = CK_LIT("m2"),
                                                        .details = CK_LIT("{\"model\":\"x\"}"),
                                                        .created_at = 5,
                                                        .age = 9 * DAY};

/* The conversation and its link come once, with the end of the current branch; a session comes
 * after each run of messages of its day. */
Test(ingest_changeset, messages_of_a_conversation) {
  struct giving g = {0};
  const struct ingest_execution call = {.instruction_id = CK_LIT("e"),
                                        .target = CK_LIT("a"),
                                        .tool = CK_LIT("b"),
                                        .no_result = true,
                                        .executed_at = INGEST_NO_TIME};
  struct ingest_observation one = spoken("m1", 10), two = spoken("m2", 3),
                            three = spoken("m3", DAY + 7);
  two.parent_id = CK_LIT("m1");
  two.placed = true;
  two.position = 1;
  two.executions = &call;
  two.execution_count = 1;
  ingest_changeset_begin(&g.s, &conversation, CK_LIT("0f"), NOW);
  give(&g, &one);
  give(&g, &two);
  give(&g, &three);
  given_all(&g);
  cr_assert(g.changesets == 1 && g.messages == 3);
  const char *text = ck_buf_cstr(&g.out);
  const char *expected =
      "executions {\"instruction_id\":\"e\",\"message_id\":\"m2\",\"target\":\"a\","
      "\"tool\":\"b\",\"params_kind\":\"none\",\"executed_at\":3}\n"
      "sessions {\"id\":\"chatgpt:abc@1970-01-01\",\"platform\":\"chatgpt\","
      "\"conversation_id\":\"abc\",\"started_at\":3,\"last_activity_at\":10}\n"
      "messages {\"id\":\"m3\",";
  cr_assert(strstr(text, expected), "%s", text);
  expected = "sessions {\"id\":\"chatgpt:abc@1970-01-02\",\"platform\":\"chatgpt\","
             "\"conversation_id\":\"abc\",\"started_at\":86400007,"
             "\"last_activity_at\":86400007}\n"
             "local_conversations {\"local_conversation_id\":\"chatgpt:abc\","
             "\"platform\":\"chatgpt\",\"title\":\"T\",\"last_message_id\":\"m2\","
             "\"last_message_at\":3,\"created_at\":3}\n"
             "conversation_links {";
  cr_assert(strstr(text, expected), "%s", text);
  cr_assert(strstr(text, "\"parent_id\":\"m1\",\"position\":1"), "%s", text);
  cr_assert(strstr(text, "\"observed_at\":86400007}\n"), "%s", text);
  ck_buf_free(&g.out);
}

/* A conversation that nobody wrote in has a title all the same. */
Test(ingest_changeset, a_conversation_without_messages) {
  struct giving g = {0};
  ingest_changeset_begin(&g.s, &conversation, CK_LIT("0f"), NOW);
  given_all(&g);
  cr_assert(g.changesets == 1 && g.messages == 0);
  cr_assert(strstr(ck_buf_cstr(&g.out), "\"title\":\"T\",\"created_at\":5}\nconversation_links"),
            "%s", ck_buf_cstr(&g.out));
  cr_assert(strstr(ck_buf_cstr(&g.out), "\"observed_at\":5"), "%s", ck_buf_cstr(&g.out));
  ck_buf_free(&g.out);
}

/* The store's own columns, and the age, go to the store. */
Test(ingest_changeset, what_only_the_store_gets) {
  struct giving g = {0};
  struct ingest_observation one = spoken("m2", 10);
  struct ck_arena arena = {0};
  struct ck_mutation m;
  struct ck_row row;
  struct ck_err err;
  uint32_t n;
  one.details = CK_LIT("{\"kind\":\"error\"}");
  ingest_changeset_begin(&g.s, &conversation, CK_LIT("0f"), NOW);
  give(&g, &one);
  ingest_changeset_close(&g.s, true);
  struct ck_reader r = ck_reader_of(ck_buf_view(&g.s.out));
  cr_assert(ck_read_array(&r, &n) == 0 && n == 4);
  cr_assert_eq(ck_mutation_decode(&m, &r, &err), 0);
  cr_assert_eq(m.as.put.age, 9 * DAY);
  cr_assert_eq(ck_row_decode(&row, CK_MESSAGES, m.as.put.row, &arena, &err), 0);
  cr_assert(ck_str_is(ck_row_text(&row, CK_MESSAGES_ORIGINAL), "0f"));
  cr_assert(ck_str_is(ck_row_text(&row, CK_MESSAGES_DETAILS), "{\"kind\":\"error\"}"));
  cr_assert(ck_mutation_decode(&m, &r, &err) == 0 && ck_mutation_decode(&m, &r, &err) == 0);
  cr_assert_eq(ck_row_decode(&row, CK_CONVERSATIONS, m.as.put.row, &arena, &err), 0);
  cr_assert(ck_str_is(ck_row_text(&row, CK_CONVERSATIONS_DETAILS), "{\"model\":\"x\"}"));
  cr_assert_eq(ck_row_int(&row, CK_CONVERSATIONS_NEWEST_AT, 0), 10);
  ck_arena_free(&arena);
  ingest_changeset_free(&g.s);
}

/* A time that an export does not tell is assumed, the same each time: what the other rows say does
 * not depend on what is there already. */
Test(ingest_changeset, an_assumed_time) {
  struct giving g = {0};
  struct ingest_observation one = spoken("m1", 10), two = spoken("m2", 10);
  two.time_assumed = true;
  ingest_changeset_begin(&g.s, &conversation, (struct ck_str){0}, NOW);
  give(&g, &one);
  given_all(&g);
  ingest_changeset_begin(&g.s, &conversation, (struct ck_str){0}, NOW);
  give(&g, &two);
  given_all(&g);
  const char *first = ck_buf_cstr(&g.out), *second = strstr(first + 3, "--\n");
  cr_assert(second && strstr(second, "\"started_at\":10,\"last_activity_at\":10"), "%s", second);
  cr_assert(strstr(second, "\"last_message_id\":\"m2\",\"last_message_at\":10"), "%s", second);
  ck_buf_free(&g.out);
}

/* Many messages are several changesets; only the last one says which message is the last. */
Test(ingest_changeset, many_messages) {
  struct giving g = {0};
  char id[16];
  ingest_changeset_begin(&g.s, &conversation, (struct ck_str){0}, NOW);
  for (int i = 0; i < 600; ++i) {
    snprintf(id, sizeof id, "m%d", i);
    struct ingest_observation o = spoken(id, 1000 + i);
    give(&g, &o);
  }
  given_all(&g);
  cr_assert(g.changesets == 3 && g.messages == 600, "%u changesets, %u messages", g.changesets,
            g.messages);
  const char *last = strstr(ck_buf_cstr(&g.out), "last_message_id\":\"m2\"");
  cr_assert(last && !strstr(last + 1, "last_message_id") && !strstr(last, "\n--\n"));
  ck_buf_free(&g.out);
}

/* A large one is a changeset of its own, and one that is no record is refused alone. */
Test(ingest_changeset, large_messages) {
  struct giving g = {0};
  struct ck_err err = {""};
  struct ck_buf large = {0};
  memset(ck_buf_room(&large, CK_FRAME_MAX), 'x', CK_FRAME_MAX);
  struct ingest_observation one = spoken("m1", 1), two = spoken("m2", 2), three = spoken("m3", 3);
  two.text = (struct ck_str){large.data, CK_FRAME_MAX - (256u << 10)};
  two.details = (struct ck_str){large.data, 300u << 10};
  three.text = (struct ck_str){large.data, CK_FRAME_MAX};
  ingest_changeset_begin(&g.s, &conversation, (struct ck_str){0}, NOW);
  give(&g, &one);
  cr_assert(!g.s.cut);
  give(&g, &two);
  cr_assert(g.s.cut, "details beside which the text has no room are left out");
  cr_assert_eq(ingest_changeset_message(&g.s, &three, &err), -1);
  cr_assert(strstr(err.text, "too large: "), "%s", err.text);
  given_all(&g);
  cr_assert(g.changesets == 2 && g.messages == 2);
  ck_buf_free(&large);
  ck_buf_free(&g.out);
}
