/* Recognises the format of a file: by an element, or by the first bytes if it is not JSON. */
#include <string.h>

#include "ingest/json.h"
#include "ingest/source.h"

static bool has(const json_t *o, const char *name) { return json_object_get(o, name) != NULL; }
static bool first_has(const json_t *list, const char *name) {
  return has(json_array_get(list, 0), name);
}

/* ---- formats that are recognised, and refused ---- */

static bool is_deepseek(const json_t *o) {
  return (has(o, "mapping") && has(o, "inserted_at")) ||
         has(json_object_get(json_object_get(o, "data"), "biz_data"), "chat_messages");
}
static bool is_chatgpt_user(const json_t *o) { return has(o, "chatgpt_plus_user"); }
static bool is_chatgpt_shared(const json_t *o) {
  return has(o, "conversation_id") && has(o, "is_anonymous") && !has(o, "mapping");
}
static bool is_claude_projects(const json_t *o) {
  return has(o, "uuid") && has(o, "docs") && has(o, "prompt_template");
}
static bool is_claude_users(const json_t *o) {
  return has(o, "uuid") && has(o, "full_name") && has(o, "email_address");
}
static bool is_sharegpt(const json_t *o) {
  return first_has(json_object_get(o, "conversations"), "from") ||
         (has(o, "from") && has(o, "value"));
}
static bool is_gemini(const json_t *o) { return has(o, "header") && has(o, "products"); }
static bool is_openwebui(const json_t *o) { return has(json_object_get(o, "chat"), "history"); }
static bool is_grok(const json_t *o) { return has(o, "conversation") && has(o, "responses"); }
static bool is_loglines(const json_t *o) { return has(o, "loglines"); }
static bool is_codex(const json_t *o) { return has(o, "payload") && has(o, "type"); }
static bool is_claude_code(const json_t *o) { return has(o, "sessionId") && has(o, "type"); }
static bool is_openai(const json_t *o) { return first_has(json_object_get(o, "messages"), "role"); }
static bool is_oasst(const json_t *o) { return has(o, "message_tree_id"); }

#define REFUSED(name, knows, what) \
  { name, NULL, knows, NULL, "this is " what "; " IMPORTS }
#define IMPORTS \
  "convkeep imports conversations.json of ChatGPT or Claude.ai, and observations as JSON lines"

/* clang-format off */
static const struct ingest_source refused[] = {
  REFUSED("chatgpt user",    is_chatgpt_user,    "ChatGPT's user.json, which has no conversations"),
  REFUSED("chatgpt shared",  is_chatgpt_shared,  "ChatGPT's list of shared conversations, "
                                                 "which has no messages"),
  REFUSED("claude projects", is_claude_projects, "Claude.ai's projects.json, "
                                                 "which has no conversations"),
  REFUSED("claude users",    is_claude_users,    "Claude.ai's users.json, "
                                                 "which has no conversations"),
  REFUSED("deepseek",        is_deepseek,        "a DeepSeek export"),
  REFUSED("sharegpt",        is_sharegpt,        "a ShareGPT data set"),
  REFUSED("gemini",          is_gemini,          "Gemini activity from Takeout"),
  REFUSED("openwebui",       is_openwebui,       "an Open WebUI export"),
  REFUSED("grok",            is_grok,            "a Grok export"),
  REFUSED("claude code web", is_loglines,        "a Claude Code web log"),
  REFUSED("codex",           is_codex,           "a Codex CLI rollout"),
  REFUSED("claude code",     is_claude_code,     "a Claude Code session"),
  REFUSED("openai",          is_openai,          "an OpenAI messages file"),
  REFUSED("oasst",           is_oasst,           "an OpenAssistant tree"),
};
/* clang-format on */

const struct ingest_source *ingest_sniff(const json_t *element) {
  static const struct ingest_source *const sources[] = {
      &ingest_source_jsonl, &ingest_source_chatgpt, &ingest_source_claude};
  /* First, because an observation may have extra names that look like another format. */
  if (has(element, "platform") && (has(element, "text") || has(element, "execution")))
    return &ingest_source_jsonl;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i)
    if (refused[i].knows(element)) return &refused[i];
  for (size_t i = 0; i < sizeof sources / sizeof *sources; ++i)
    if (sources[i]->knows(element)) return sources[i];
  return NULL;
}

/* ---- files that are not JSON ---- */

static const struct {
  const char *bytes;
  size_t n;
  const char *refusal;
} heads[] = {
    {"PK\3\4", 4, "this is a zip archive: unpack it and import the conversations.json in it"},
    {"PK\5\6", 4, "this is an empty zip archive"},
    {"\x1f\x8b", 2, "this is compressed with gzip: unpack it first"},
    {"(\xb5/\xfd", 4, "this is compressed with zstd: unpack it first"},
    {"\xff\xfe", 2, "this is UTF-16: convert it to UTF-8 first"},
    {"\xfe\xff", 2, "this is UTF-16: convert it to UTF-8 first"},
    {"<!", 2, "this is HTML: import the JSON file of the export"},
    {"<h", 2, "this is HTML: import the JSON file of the export"},
    {"<?", 2, "this is XML: import the JSON file of the export"},
    {"%PDF", 4, "this is a PDF: import the JSON file of the export"},
    {"SQLi", 4, "this is an SQLite database: import the JSON file of the export"},
};

const char *ingest_sniff_bytes(struct ck_str head) {
  for (size_t i = 0; i < sizeof heads / sizeof *heads; ++i)
    if (head.n >= heads[i].n && memcmp(head.s, heads[i].bytes, heads[i].n) == 0)
      return heads[i].refusal;
  return NULL;
}
