/* Recognises the format of a file: by an element, or by the first bytes if it is not JSON. */
#include <string.h>

#include "ingest/parse/json.h"
#include "ingest/sources/source.h"

static bool has(const json_t *o, const char *name) { return json_object_get(o, name) != NULL; }
static bool first_has(const json_t *list, const char *name) {
  return has(json_array_get(list, 0), name);
}

/* ---- files of an export that hold no messages ---- */

static bool is_chatgpt_user(const json_t *o) {
  return has(o, "chatgpt_plus_user") ||
         (has(o, "email") && ck_str_starts(ingest_json_text(o, "id"), "user-"));
}
static bool is_chatgpt_shared(const json_t *o) {
  return has(o, "conversation_id") && has(o, "is_anonymous") && !has(o, "mapping");
}
static bool is_chatgpt_feedback(const json_t *o) {
  return has(o, "rating") && has(o, "conversation_id") && !has(o, "mapping");
}
static bool is_chatgpt_manifest(const json_t *o) {
  return has(o, "export_files") && has(o, "logical_files");
}
static bool is_chatgpt_groups(const json_t *o) {
  return json_is_array(json_object_get(o, "chats")) && json_object_size(o) == 1;
}
static bool is_chatgpt_no_groups(const json_t *o) {
  return is_chatgpt_groups(o) && json_array_size(json_object_get(o, "chats")) == 0;
}
static bool is_chatgpt_settings(const json_t *o) {
  return has(o, "user_id") && has(o, "settings") && !has(o, "mapping");
}
static bool is_claude_users(const json_t *o) {
  return has(o, "uuid") && has(o, "full_name") && has(o, "email_address");
}
static bool is_claude_manifest(const json_t *o) {
  return (has(o, "export_id") && json_is_array(json_object_get(o, "files"))) ||
         first_has(json_object_get(o, "data_files"), "category");
}
static bool is_claude_artifact(const json_t *o) {
  return json_is_array(json_object_get(o, "versions")) &&
         (has(o, "owner_account") || has(o, "active_version"));
}
static bool is_claude_comments(const json_t *o) {
  return json_is_array(json_object_get(o, "threads")) && json_object_size(o) == 1;
}

static bool is_nothing(const json_t *o) {
  (void)o;
  return false;
}

#define WITHOUT(file_name, source_name, is, what) \
  { \
    file_name, { \
      .name = source_name, .knows = is, .refusal = "this is " what, .without_messages = true \
    } \
  }

/* clang-format off */
static const struct {
  const char *file; /* its name in an export, which decides if no element does; NULL: no such */
  struct ingest_source source;
} without_messages[] = {
  WITHOUT("user.json", "chatgpt user", is_chatgpt_user, "ChatGPT's user.json"),
  WITHOUT("user_settings.json", "chatgpt settings", is_chatgpt_settings,
          "ChatGPT's user_settings.json"),
  WITHOUT("shared_conversations.json", "chatgpt shared", is_chatgpt_shared,
          "ChatGPT's list of shared conversations"),
  WITHOUT("message_feedback.json", "chatgpt feedback", is_chatgpt_feedback,
          "ChatGPT's message_feedback.json"),
  WITHOUT("export_manifest.json", "chatgpt manifest", is_chatgpt_manifest,
          "ChatGPT's export_manifest.json"),
  WITHOUT("conversation_asset_file_names.json", "chatgpt assets", is_nothing,
          "ChatGPT's list of the names of attachments"),
  WITHOUT("library_files.json", "chatgpt library", is_nothing,
          "ChatGPT's list of the files in its library"),
  WITHOUT("conversations.json.index", "chatgpt index", is_nothing,
          "the index of ChatGPT's conversations.json"),
  WITHOUT("shopping.json", "chatgpt shopping", is_nothing, "ChatGPT's shopping.json"),
  WITHOUT("tasks.json", "chatgpt tasks", is_nothing,
          "ChatGPT's tasks.json, of its scheduled tasks"),
  WITHOUT("sora.json", "chatgpt sora", is_nothing, "ChatGPT's sora.json, of videos made with Sora"),
  WITHOUT("chat.html", "chatgpt page", is_nothing,
          "ChatGPT's chat.html, which shows what conversations.json has"),
  WITHOUT(NULL, "chatgpt groups", is_chatgpt_no_groups,
          "ChatGPT's group_chats.json, with no chat in it"),
  WITHOUT("users.json", "claude users", is_claude_users, "Claude.ai's users.json"),
  WITHOUT("login_history.json", "claude logins", is_nothing, "Claude.ai's login_history.json"),
  WITHOUT(NULL, "claude manifest", is_claude_manifest,
          "the manifest of a Claude.ai export; import the zip files that it names"),
  WITHOUT("artifact.json", "claude artifact", is_claude_artifact,
          "Claude.ai's artifact.json, the versions of a published artifact"),
  WITHOUT("artifact_comments.json", "claude comments", is_claude_comments,
          "Claude.ai's comments on an artifact"),
  WITHOUT("comments.json", "claude comments", is_nothing, "Claude.ai's comments on an artifact"),
};
/* clang-format on */

#define WITHOUT_COUNT (sizeof without_messages / sizeof *without_messages)

const struct ingest_source *ingest_sniff_name(const char *name) {
  for (const char *at = name; *at; ++at)
    if (*at == '/' || *at == ':') name = at + 1;
  name += strspn(name, " "); /* "export.zip: user.json" */
  for (size_t i = 0; i < WITHOUT_COUNT; ++i)
    if (without_messages[i].file && strcmp(name, without_messages[i].file) == 0)
      return &without_messages[i].source;
  return NULL;
}

/* ---- formats that are recognised, and refused ---- */

static bool is_deepseek(const json_t *o) {
  return ((has(o, "mapping") || has(o, "chat_messages")) && has(o, "inserted_at")) ||
         (has(o, "chat_messages") && has(o, "chat_session")) ||
         has(json_object_get(json_object_get(o, "data"), "biz_data"), "chat_messages");
}
static bool is_sharegpt(const json_t *o) {
  return first_has(json_object_get(o, "conversations"), "from") ||
         (has(o, "from") && has(o, "value"));
}
static bool is_gemini(const json_t *o) { return has(o, "header") && has(o, "products"); }
static bool is_gemini_cli(const json_t *o) { return has(o, "sessionId") && has(o, "projectHash"); }
static bool is_aistudio(const json_t *o) { return has(o, "chunkedPrompt"); }
static bool is_openwebui(const json_t *o) {
  return has(json_object_get(o, "chat"), "history") ||
         has(json_object_get(o, "history"), "currentId");
}
static bool is_grok(const json_t *o) { return has(o, "conversation") && has(o, "responses"); }
static bool is_loglines(const json_t *o) { return has(o, "loglines"); }
static bool is_copilot(const json_t *o) {
  return (has(o, "requests") && has(o, "responderUsername")) ||
         (has(o, "type") && json_is_object(json_object_get(o, "data")) && has(o, "parentId"));
}
static bool is_cursor(const json_t *o) {
  return has(o, "role") && has(json_object_get(o, "message"), "content");
}
static bool is_opencode(const json_t *o) {
  return has(o, "sessionID") ||
         (has(o, "directory") && (has(o, "projectID") || has(o, "messages"))) ||
         (has(o, "id") && has(o, "type") && has(o, "text") && has(o, "time"));
}
static bool is_tavern(const json_t *o) { return has(o, "user_name") && has(o, "character_name"); }
static bool is_openai(const json_t *o) { return first_has(json_object_get(o, "messages"), "role"); }
static bool is_oasst(const json_t *o) { return has(o, "message_tree_id"); }

#define REFUSED(source_name, is, what) \
  { .name = source_name, .knows = is, .refusal = "this is " what "; " IMPORTS }
#define IMPORTS \
  "convkeep imports conversations.json of ChatGPT or Claude.ai, sessions of Claude Code and " \
  "Codex, " \
  "and observations as JSON lines"

/* clang-format off */
static const struct ingest_source refused[] = {
  REFUSED("chatgpt groups",  is_chatgpt_groups,  "ChatGPT's group_chats.json"),
  REFUSED("deepseek",        is_deepseek,        "a DeepSeek export"),
  REFUSED("sharegpt",        is_sharegpt,        "a ShareGPT data set"),
  REFUSED("gemini",          is_gemini,          "Gemini activity from Takeout"),
  REFUSED("gemini cli",      is_gemini_cli,      "a Gemini CLI session"),
  REFUSED("aistudio",        is_aistudio,        "a prompt of Google AI Studio"),
  REFUSED("openwebui",       is_openwebui,       "an Open WebUI export"),
  REFUSED("grok",            is_grok,            "a Grok export"),
  REFUSED("claude code web", is_loglines,        "a Claude Code web log"),
  REFUSED("copilot",         is_copilot,         "a GitHub Copilot chat"),
  REFUSED("cursor",          is_cursor,          "a Cursor transcript"),
  REFUSED("opencode",        is_opencode,        "an opencode session"),
  REFUSED("sillytavern",     is_tavern,          "a SillyTavern chat"),
  REFUSED("openai",          is_openai,          "an OpenAI messages file"),
  REFUSED("oasst",           is_oasst,           "an OpenAssistant tree"),
};
/* clang-format on */

/* First those whose elements would otherwise be taken for another format; then, from here on, those
 * that know more than their own. */
#define WIDE 7
const struct ingest_source *const ingest_sources[] = {&ingest_source_convkeep,
                                                      &ingest_source_claude_memories,
                                                      &ingest_source_claude_project,
                                                      &ingest_source_claude_design,
                                                      &ingest_source_claude_code_agent,
                                                      &ingest_source_codex,
                                                      &ingest_source_codex_names,
                                                      &ingest_source_chatgpt,
                                                      &ingest_source_claude,
                                                      &ingest_source_claude_code,
                                                      &ingest_source_jsonl,
                                                      NULL};

/* The first source of those from `from` to `to` that knows the element. */
static const struct ingest_source *known(size_t from, size_t to, const json_t *element) {
  for (size_t i = from; i < to && ingest_sources[i]; ++i)
    if (ingest_sources[i]->knows(element)) return ingest_sources[i];
  return NULL;
}

const struct ingest_source *ingest_sniff(const json_t *element) {
  /* First, because an observation may have extra names that look like another format. */
  if (has(element, "platform") && (has(element, "text") || has(element, "execution")))
    return &ingest_source_jsonl;
  for (size_t i = 0; i < WITHOUT_COUNT; ++i)
    if (without_messages[i].source.knows(element)) return &without_messages[i].source;
  const struct ingest_source *source = known(0, WIDE, element);
  for (size_t i = 0; !source && i < sizeof refused / sizeof *refused; ++i)
    if (refused[i].knows(element)) source = &refused[i];
  return source ? source : known(WIDE, SIZE_MAX, element);
}

/* ---- files that are not JSON ---- */

static const struct {
  const char *bytes;
  size_t n;
  const char *refusal;
} heads[] = {
    {"PK\3\4", 4, "this is a zip archive, which convkeep import unpacks"},
    {"PK\5\6", 4, "this is an empty zip archive"},
    {"\x1f\x8b", 2, "this is compressed with gzip, which convkeep import unpacks"},
    {"(\xb5/\xfd", 4, "this is compressed with zstd, which convkeep import unpacks"},
    {"\xff\xfe\0\0", 4, "this is UTF-32: convert it to UTF-8 first"},
    {"\0\0\xfe\xff", 4, "this is UTF-32: convert it to UTF-8 first"},
    {"<!", 2, "this is HTML: import the JSON file of the export"},
    {"<h", 2, "this is HTML: import the JSON file of the export"},
    {"<?", 2, "this is XML: import the JSON file of the export"},
    {"7z\xbc\xaf", 4, "this is a 7z archive, which convkeep import unpacks"},
    {"Rar!", 4, "this is a RAR archive: unpack it, and import what comes out"},
    {"%PDF", 4, "this is a PDF: import the JSON file of the export"},
    {"SQLi", 4, "this is an SQLite database: import the JSON file of the export"},
};

const char *ingest_sniff_bytes(struct ck_str head) {
  for (size_t i = 0; i < sizeof heads / sizeof *heads; ++i)
    if (head.n >= heads[i].n && memcmp(head.s, heads[i].bytes, heads[i].n) == 0)
      return heads[i].refusal;
  return NULL;
}
