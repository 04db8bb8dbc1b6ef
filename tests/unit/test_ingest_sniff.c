/* What a file is said to be, by its elements and by its name. */
#include <criterion/criterion.h>
#include <string.h>

#include "ingest/files/reader.h"
#include "tests/unit/test_ingest_collect.h"

static void gives(const char *name, const char *bytes, const char *format, unsigned observations,
                  const char *error) {
  struct collected c;
  collect_text(&c, name, bytes);
  cr_expect_str_eq(c.format, format, "%s: %s", bytes, c.format);
  cr_expect_eq(c.observations, observations, "%s: %u observations", bytes, c.observations);
  cr_expect_eq(c.failures, 0, "%s: %s", bytes, c.first_failure);
  cr_expect(*error ? strstr(c.error, error) != NULL : !*c.error, "%s: %s", bytes, c.error);
  cr_expect(collect_same(name, ck_str_of(bytes)));
  collected_free(&c);
}

/* A file of an export that holds no messages is skipped by its right name. */
static void skipped(const char *name, const char *bytes, const char *format) {
  static const struct ingest_visitor nobody = {0};
  struct ingest_reader *r = ingest_reader_new(name, &nobody);
  ingest_reader_feed(r, bytes, strlen(bytes));
  ingest_reader_end(r);
  cr_expect_str_eq(ingest_reader_format(r), format, "%s: %s", bytes, ingest_reader_format(r));
  cr_expect(ingest_reader_without_messages(r), "%s: %s", bytes, ingest_reader_error(r));
  ingest_reader_free(&r);
}

Test(ingest_sniff, side_files) {
  skipped("user.json", "{\"id\":\"user-1\",\"email\":\"e\",\"chatgpt_plus_user\":false}",
          "chatgpt user");
  skipped("x.json", "{\"id\":\"user-1\",\"email\":\"e\",\"birth_year\":1970}", "chatgpt user");
  skipped("x.json", "{\"user_id\":\"user-1\",\"settings\":{}}", "chatgpt settings");
  skipped("x.json", "[{\"id\":\"1\",\"conversation_id\":\"2\",\"rating\":\"thumbsUp\"}]",
          "chatgpt feedback");
  skipped("x.json", "[{\"conversation_id\":\"2\",\"is_anonymous\":true}]", "chatgpt shared");
  skipped("x.json", "{\"export_files\":[],\"logical_files\":{}}", "chatgpt manifest");
  skipped("x.json", "{\"chats\":[]}", "chatgpt groups");
  skipped("x.json", "[{\"uuid\":\"p\",\"full_name\":\"n\",\"email_address\":\"e\"}]",
          "claude users");
  skipped("x.json", "{\"export_id\":\"1\",\"files\":[]}", "claude manifest");
  skipped("x.json",
          "{\"version\":1,\"data_files\":[{\"category\":\"memories\",\"filename\":\"m.zip\"}]}",
          "claude manifest");
  skipped("artifact.json", "{\"id\":\"a\",\"versions\":[],\"owner_account\":\"p\"}",
          "claude artifact");
  skipped("artifact_comments.json", "{\"threads\":[{\"comments\":[]}]}", "claude comments");
  skipped("a/comments.json", "[{\"comments\":[{\"body\":\"b\"}]}]", "claude comments");
  skipped("x.zip:light/login_history.json", "[{\"at\":\"2026-01-01T00:00:00Z\"}]", "claude logins");
}

Test(ingest_sniff, an_export_of_its_own) {
  static const struct ingest_visitor nobody = {0};
  struct ingest_reader *r = ingest_reader_new("x.json", &nobody);
  static const char bytes[] =
      "{\"convkeep\":1,\"conversations\":[{\"convkeep\":1,\"messages\":[]}]}";
  ingest_reader_feed(r, bytes, sizeof bytes - 1);
  ingest_reader_end(r);
  cr_expect_str_eq(ingest_reader_format(r), "convkeep");
  cr_expect_str_eq(ingest_reader_error(r), "");
  ingest_reader_free(&r);
}

/* Where an element says too little, the name tells the file. */
Test(ingest_sniff, side_files_by_name) {
  skipped("export/user.json", "{\"nickname\":\"n\"}", "chatgpt user");
  skipped("shared_conversations.json", "[{\"id\":\"1\",\"title\":\"t\"}]", "chatgpt shared");
  skipped("export.zip: user.json", "{}", "chatgpt user");
  skipped("export.zip: a/conversation_asset_file_names.json", "{\"file-1.dat\":\"a.png\"}",
          "chatgpt assets");
  skipped("library_files.json", "[{\"id\":\"file-1\"}]", "chatgpt library");
  skipped("conversations.json.index", "1 2 3\n", "chatgpt index");
  skipped("users.json", "[{\"uuid\":\"p\"}]", "claude users");
  skipped("shopping.json", "[{\"id\":\"1\",\"product\":\"tea\"}]", "chatgpt shopping");
  skipped("export/sora.json", "{\"generations\":[{\"id\":\"gen_1\"}]}", "chatgpt sora");
  skipped("tasks.json", "[{\"id\":\"1\",\"schedule\":\"BEGIN:VEVENT\"}]", "chatgpt tasks");
  skipped("chat.html", "<html><body>", "chatgpt page");
  gives("group_chats.json", "{\"rooms\":[1]}", "unknown", 0, "unknown format");
  gives("my-users.json", "[{\"uuid\":\"p\"}]", "unknown", 0, "unknown format");
}

/* The name counts only where no element says more. */
Test(ingest_sniff, a_name_that_says_the_wrong_thing) {
  gives("login_history.json", "[{\"uuid\":\"c\",\"chat_messages\":[{\"text\":\"t\"}]}]", "claude",
        1, "");
  gives("comments.json", "{\"platform\":\"x\",\"text\":\"t\"}", "observations", 1, "");
}

/* What one format has in common with another does not decide. */
Test(ingest_sniff, what_looks_like_another) {
  gives("x.json", "{\"chats\":[{\"id\":1}]}", "chatgpt groups", 0, "group_chats.json");
  gives("x.json", "[{\"chat_session\":{},\"chat_messages\":[]}]", "deepseek", 0, "DeepSeek");
  gives("x.json", "{\"uuid\":\"c\",\"platform\":\"CLAUDE_AI\",\"chat_messages\":[]}", "claude", 0,
        "");
  gives("x.json", "{\"id\":\"1\",\"type\":\"text\",\"text\":\"t\",\"time\":{}}", "opencode", 0,
        "opencode");
  gives("x.json",
        "{\"id\":\"1\",\"history\":{\"currentId\":\"2\"},\"messages\":[{\"role\":\"user\"}]}",
        "openwebui", 0, "Open WebUI");
  gives("x.json",
        "{\"uuid\":\"d\",\"title\":\"t\",\"created_at\":\"2026-01-01T00:00:00Z\",\"messages\":"
        "[{\"uuid\":\"m\",\"role\":\"user\",\"content\":{\"content\":\"words\"}}]}",
        "claude design chat", 1, "");
  gives("x.json", "{\"messages\":[{\"role\":\"user\",\"content\":\"c\"}]}", "openai", 0, "OpenAI");
}
