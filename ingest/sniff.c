#include <stdio.h>
#include <string.h>

#include "ingest/json.h"
#include "ingest/source.h"

static bool has(const json_t *o, const char *name) { return json_object_get(o, name) != NULL; }
static bool first_has(const json_t *list, const char *name) {
  return has(json_array_get(list, 0), name);
}

/* ---- what is known, and not taken ---- */

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

#define NOT_TAKEN \
  "what goes in is conversations.json of ChatGPT or Claude.ai, and observations as JSON lines"

/* clang-format off */
static const struct ingest_source refused[] = {
  {"chatgpt user",            NULL, is_chatgpt_user,    NULL, "this is ChatGPT's user.json, which has no conversations; " NOT_TAKEN},
  {"chatgpt shared",          NULL, is_chatgpt_shared,  NULL, "this is ChatGPT's list of shared conversations, which has no messages; " NOT_TAKEN},
  {"claude projects",         NULL, is_claude_projects, NULL, "this is Claude.ai's projects.json, which has no conversations; " NOT_TAKEN},
  {"claude users",            NULL, is_claude_users,    NULL, "this is Claude.ai's users.json, which has no conversations; " NOT_TAKEN},
  {"deepseek",                NULL, is_deepseek,        NULL, "this is a DeepSeek export; " NOT_TAKEN},
  {"sharegpt",                NULL, is_sharegpt,        NULL, "this is a ShareGPT data set; " NOT_TAKEN},
  {"gemini",                  NULL, is_gemini,          NULL, "this is Gemini activity from Takeout; " NOT_TAKEN},
  {"openwebui",               NULL, is_openwebui,       NULL, "this is an Open WebUI export; " NOT_TAKEN},
  {"grok",                    NULL, is_grok,            NULL, "this is a Grok export; " NOT_TAKEN},
  {"claude code web",         NULL, is_loglines,        NULL, "this is a Claude Code web log; " NOT_TAKEN},
  {"codex",                   NULL, is_codex,           NULL, "this is a Codex CLI rollout; " NOT_TAKEN},
  {"claude code",             NULL, is_claude_code,     NULL, "this is a Claude Code session; " NOT_TAKEN},
  {"openai",                  NULL, is_openai,          NULL, "this is an OpenAI messages file; " NOT_TAKEN},
  {"oasst",                   NULL, is_oasst,           NULL, "this is an OpenAssistant tree; " NOT_TAKEN},
};
/* clang-format on */

const struct ingest_source *ingest_sniff(const json_t *element) {
  static const struct ingest_source *const taken[] = {&ingest_source_jsonl, &ingest_source_chatgpt,
                                                      &ingest_source_claude};
  /* An observation may have names that are another format's: they are kept as unknown ones. */
  if (has(element, "platform") && (has(element, "text") || has(element, "execution")))
    return &ingest_source_jsonl;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i)
    if (refused[i].knows(element)) return &refused[i];
  for (size_t i = 0; i < sizeof taken / sizeof *taken; ++i)
    if (taken[i]->knows(element)) return taken[i];
  return NULL;
}

/* ---- what is no JSON ---- */

static const struct {
  const char *bytes;
  size_t n;
  const char *refusal;
} heads[] = {
    {"PK\3\4", 4, "this is a zip archive: unpack it, and import the conversations.json in it"},
    {"PK\5\6", 4, "this is an empty zip archive"},
    {"\x1f\x8b", 2, "this is compressed with gzip: unpack it first"},
    {"(\xb5/\xfd", 4, "this is compressed with zstd: unpack it first"},
    {"\xff\xfe", 2, "this is UTF-16: convert it to UTF-8 first"},
    {"\xfe\xff", 2, "this is UTF-16: convert it to UTF-8 first"},
    {"<!", 2, "this is HTML: the JSON file of the export is wanted"},
    {"<h", 2, "this is HTML: the JSON file of the export is wanted"},
    {"<?", 2, "this is XML: the JSON file of the export is wanted"},
    {"%PDF", 4, "this is a PDF: the JSON file of the export is wanted"},
    {"SQLi", 4, "this is an SQLite database: the JSON file of the export is wanted"},
};

const char *ingest_sniff_bytes(struct ck_str head) {
  for (size_t i = 0; i < sizeof heads / sizeof *heads; ++i)
    if (head.n >= heads[i].n && memcmp(head.s, heads[i].bytes, heads[i].n) == 0)
      return heads[i].refusal;
  return NULL;
}

/* ---- places ---- */

void ingest_place_text(char out[INGEST_PLACE_TEXT], const struct ingest_place *place,
                       const char *element, struct ck_str id) {
  const char *what = element ? element : place->lines ? "line" : "element";
  unsigned long long n = !element && place->lines ? place->line : place->index;
  struct ck_str shown = ck_utf8_cut(id, 200);
  if (shown.n)
    snprintf(out, INGEST_PLACE_TEXT, "%s %llu (id %.*s)", what, n, (int)shown.n, shown.s);
  else
    snprintf(out, INGEST_PLACE_TEXT, "%s %llu", what, n);
}
