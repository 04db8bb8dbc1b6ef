/* The tables of hosts and patterns, and how an address is matched against them. */
#include "ingest/route.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* A pattern's segments are words or {name:class}. The class limits what an id may look like, so
 * that a static page is not taken for a conversation. The first pattern that matches wins: put an
 * exception above its rule. Gemini's optional /u/N in front (the account) is removed first.
 */
struct pattern {
  const char *platform;
  const char *text;
  enum ingest_route_kind kind;
};

/* clang-format off */
static const struct pattern patterns[] = {
  {"chatgpt",    "/c/{id:token}",                INGEST_ROUTE_CONVERSATION},
  {"chatgpt",    "/c/{web:provisional}",         INGEST_ROUTE_NOWHERE},
  {"chatgpt",    "/g/{gpt:token}/c/{id:token}",  INGEST_ROUTE_CONVERSATION},
  {"chatgpt",    "/g/{gpt:token}/c/{web:provisional}", INGEST_ROUTE_NOWHERE},
  {"chatgpt",    "/g/{gpt:token}",               INGEST_ROUTE_NOWHERE},
  {"chatgpt",    "/g/{gpt:token}/project",       INGEST_ROUTE_PAGE},
  {"chatgpt",    "/share/{share:token}",         INGEST_ROUTE_PAGE},
  {"chatgpt",    "/codex/tasks/{task:token}",    INGEST_ROUTE_PAGE},
  {"chatgpt",    "/",                            INGEST_ROUTE_NOWHERE},
  {"claude",     "/chat/{id:token}",             INGEST_ROUTE_CONVERSATION},
  {"claude",     "/project/{project:token}",     INGEST_ROUTE_PAGE},
  {"claude",     "/share/{share:token}",         INGEST_ROUTE_PAGE},
  {"claude",     "/public/artifacts/{artifact:token}", INGEST_ROUTE_PAGE},
  {"claude",     "/code/{session:token}",        INGEST_ROUTE_PAGE},
  {"claude",     "/new",                         INGEST_ROUTE_NOWHERE},
  {"claude",     "/",                            INGEST_ROUTE_NOWHERE},
  {"gemini",     "/app/{id:hex16}",              INGEST_ROUTE_CONVERSATION},
  {"gemini",     "/gem/{gem:token}/{id:hex16}",  INGEST_ROUTE_CONVERSATION},
  {"gemini",     "/gem/{gem:token}",             INGEST_ROUTE_NOWHERE},
  {"gemini",     "/app",                         INGEST_ROUTE_NOWHERE},
  {"gemini",     "/share/{share:token}",         INGEST_ROUTE_PAGE},
  {"gemini",     "/",                            INGEST_ROUTE_NOWHERE},
  {"deepseek",   "/a/chat/s/{id:token}",         INGEST_ROUTE_CONVERSATION},
  {"deepseek",   "/share/{share:token}",         INGEST_ROUTE_PAGE},
  {"deepseek",   "/",                            INGEST_ROUTE_NOWHERE},
  {"grok",       "/c/{id:token}",                INGEST_ROUTE_CONVERSATION},
  {"grok",       "/chat/{id:token}",             INGEST_ROUTE_CONVERSATION},
  {"grok",       "/i/grok?conversation={id:digits}", INGEST_ROUTE_CONVERSATION},
  {"grok",       "/i/grok",                      INGEST_ROUTE_NOWHERE},
  {"grok",       "/share/{share:token}",         INGEST_ROUTE_PAGE},
  {"grok",       "/",                            INGEST_ROUTE_NOWHERE},
  {"perplexity", "/search/new",                  INGEST_ROUTE_NOWHERE},
  {"perplexity", "/search/{id:slug}",            INGEST_ROUTE_CONVERSATION},
  {"perplexity", "/thread/{id:slug}",            INGEST_ROUTE_CONVERSATION},
  {"perplexity", "/",                            INGEST_ROUTE_NOWHERE},
  {"copilot",    "/chats/{id:alnum}",            INGEST_ROUTE_CONVERSATION},
  {"copilot",    "/shares/{share:token}",        INGEST_ROUTE_PAGE},
  {"copilot",    "/",                            INGEST_ROUTE_NOWHERE},
  {"poe",        "/chat/{id:alnum}",             INGEST_ROUTE_CONVERSATION},
  {"poe",        "/s/{share:token}",             INGEST_ROUTE_PAGE},
  {"poe",        "/{bot:token}",                 INGEST_ROUTE_NOWHERE},
  {"poe",        "/",                            INGEST_ROUTE_NOWHERE},
  {"kimi",       "/chat/{id:token}",             INGEST_ROUTE_CONVERSATION},
  {"kimi",       "/share/{share:token}",         INGEST_ROUTE_PAGE},
  {"kimi",       "/",                            INGEST_ROUTE_NOWHERE},
  {"doubao",     "/chat/{id:digits}",            INGEST_ROUTE_CONVERSATION},
  {"doubao",     "/chat/{local:token}",          INGEST_ROUTE_NOWHERE},
  {"doubao",     "/chat",                        INGEST_ROUTE_NOWHERE},
  {"doubao",     "/",                            INGEST_ROUTE_NOWHERE},
  {"qwen",       "/c/guest",                     INGEST_ROUTE_NOWHERE},
  {"qwen",       "/c/{id:token}",                INGEST_ROUTE_CONVERSATION},
  {"qwen",       "/s/{share:token}",             INGEST_ROUTE_PAGE},
  {"qwen",       "/",                            INGEST_ROUTE_NOWHERE},
  {"qianwen",    "/chat/{id:token}",             INGEST_ROUTE_CONVERSATION},
  {"qianwen",    "/share?shareId={share:token}", INGEST_ROUTE_PAGE},
  {"qianwen",    "/",                            INGEST_ROUTE_NOWHERE},
  {"yuanbao",    "/chat/{agent:token}/{id:token}", INGEST_ROUTE_CONVERSATION},
  {"yuanbao",    "/chat/{agent:token}",          INGEST_ROUTE_NOWHERE},
  {"yuanbao",    "/",                            INGEST_ROUTE_NOWHERE},
  {"yiyan",      "/chat/{id:base64}",            INGEST_ROUTE_CONVERSATION},
  {"yiyan",      "/",                            INGEST_ROUTE_NOWHERE},
  {"mistral",    "/chat/{id:token}",             INGEST_ROUTE_CONVERSATION},
  {"mistral",    "/work/{id:token}",             INGEST_ROUTE_CONVERSATION},
  {"mistral",    "/chat",                        INGEST_ROUTE_NOWHERE},
  {"mistral",    "/",                            INGEST_ROUTE_NOWHERE},
  {"manus",      "/app/{id:token}",              INGEST_ROUTE_CONVERSATION},
  {"manus",      "/app",                         INGEST_ROUTE_NOWHERE},
  {"genspark",   "/agents?id={id:token}",        INGEST_ROUTE_CONVERSATION},
  {"genspark",   "/agents",                      INGEST_ROUTE_NOWHERE},
  {"aistudio",   "/prompts/new_chat",            INGEST_ROUTE_NOWHERE},
  {"aistudio",   "/prompts/{id:token}",          INGEST_ROUTE_CONVERSATION},
};

/* A host matches itself and its subdomains. */
static const struct { const char *host, *platform; } hosts[] = {
  {"chatgpt.com", "chatgpt"},            {"chat.openai.com", "chatgpt"},
  {"claude.ai", "claude"},               {"claude.com", "claude"},
  {"gemini.google.com", "gemini"},       {"chat.deepseek.com", "deepseek"},
  {"grok.com", "grok"},                  {"x.com", "grok"},
  {"perplexity.ai", "perplexity"},       {"copilot.microsoft.com", "copilot"},
  {"poe.com", "poe"},                    {"kimi.com", "kimi"},
  {"kimi.moonshot.cn", "kimi"},          {"doubao.com", "doubao"},
  {"chat.qwen.ai", "qwen"},              {"qianwen.com", "qianwen"},
  {"yuanbao.tencent.com", "yuanbao"},    {"yiyan.baidu.com", "yiyan"},
  {"chat.mistral.ai", "mistral"},        {"manus.im", "manus"},
  {"genspark.ai", "genspark"},           {"aistudio.google.com", "aistudio"},
};
/* clang-format on */

/* ---- classes of ids ---- */

#define ID_MAX 200

static bool is_one_of(char c, const char *some) {
  while (*some && *some != c) ++some;
  return *some;
}

static bool all(struct ck_str s, const char *more) {
  for (size_t i = 0; i < s.n; ++i)
    if (!isalnum((unsigned char)s.s[i]) && !is_one_of(s.s[i], more)) return false;
  return s.n > 0 && s.n <= ID_MAX;
}

static bool is_token(struct ck_str s) { return all(s, "_-"); }
static bool is_alnum(struct ck_str s) { return all(s, ""); }
static bool is_slug(struct ck_str s) { return all(s, "_-.~"); }

static bool is_digits(struct ck_str s) {
  for (size_t i = 0; i < s.n; ++i)
    if (!isdigit((unsigned char)s.s[i])) return false;
  return s.n > 0 && s.n <= ID_MAX;
}

static bool is_hex16(struct ck_str s) {
  for (size_t i = 0; i < s.n; ++i)
    if (!isxdigit((unsigned char)s.s[i])) return false;
  return s.n == 16;
}

/* The padding may be percent-encoded. */
static bool is_base64(struct ck_str s) { return all(s, "_-+/=%"); }

bool ingest_provisional(struct ck_str id) {
  return (id.n >= 4 && strncasecmp(id.s, "WEB:", 4) == 0) ||
         (id.n >= 6 && strncasecmp(id.s, "WEB%3A", 6) == 0);
}

static const struct {
  const char *name;
  bool (*fits)(struct ck_str s);
} classes[] = {{"token", is_token},
               {"alnum", is_alnum},
               {"slug", is_slug},
               {"digits", is_digits},
               {"hex16", is_hex16},
               {"base64", is_base64},
               {"provisional", ingest_provisional}};

static bool fits(struct ck_str class, struct ck_str value) {
  for (size_t i = 0; i < sizeof classes / sizeof *classes; ++i)
    if (ck_str_is(class, classes[i].name)) return classes[i].fits(value);
  return false;
}

/* ---- the address ---- */

static struct ck_str until(struct ck_str s, const char *stops) {
  size_t i = 0;
  while (i < s.n && !is_one_of(s.s[i], stops)) ++i;
  return (struct ck_str){s.s, i};
}

static struct ck_str after(struct ck_str s, size_t n) { return (struct ck_str){s.s + n, s.n - n}; }

static bool host_is(struct ck_str host, const char *known) {
  size_t n = strlen(known);
  if (host.n < n || strncasecmp(host.s + host.n - n, known, n) != 0) return false;
  return host.n == n || host.s[host.n - n - 1] == '.';
}

static const char *platform_of(struct ck_str host) {
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i)
    if (host_is(host, hosts[i].host)) return hosts[i].platform;
  return NULL;
}

/* The host of an https address; empty if it is not one, or has a user or a port other than 443.
 * *rest: what follows the host and port. */
static struct ck_str host_of(struct ck_str url, struct ck_str *rest) {
  struct ck_str none = {0};
  if (url.n < 8 || strncasecmp(url.s, "https://", 8) != 0) return none;
  url = after(url, 8);
  struct ck_str authority = until(url, "/?#");
  *rest = after(url, authority.n);
  struct ck_str host = until(authority, ":");
  struct ck_str port = after(authority, host.n);
  if (port.n && !ck_str_is(port, ":443")) return none;
  for (size_t i = 0; i < host.n; ++i)
    if (!isalnum((unsigned char)host.s[i]) && host.s[i] != '.' && host.s[i] != '-') return none;
  return host;
}

/* The value of name in a query, empty if it is missing. */
static struct ck_str query_value(struct ck_str query, struct ck_str name) {
  while (query.n) {
    struct ck_str pair = until(query, "&");
    struct ck_str key = until(pair, "=");
    if (ck_str_eq(key, name) && key.n < pair.n) return after(pair, key.n + 1);
    query = after(query, pair.n < query.n ? pair.n + 1 : pair.n);
  }
  return (struct ck_str){0};
}

/* ---- matching ---- */

static bool take_param(struct ingest_route *r, struct ck_str spec, struct ck_str value) {
  struct ck_str name = until(spec, ":");
  if (!fits(after(spec, name.n + 1), value) || r->param_count == INGEST_ROUTE_PARAMS) return false;
  r->params[r->param_count].name = name;
  r->params[r->param_count++].value = value;
  if (ck_str_is(name, "id")) r->id = value;
  return true;
}

/* Matches one segment of a pattern, a word or {name:class}. */
static bool take_piece(struct ingest_route *r, struct ck_str piece, struct ck_str value) {
  if (piece.n && piece.s[0] == '{')
    return take_param(r, (struct ck_str){piece.s + 1, piece.n - 2}, value);
  return ck_str_eq(piece, value);
}

static struct ck_str next_segment(struct ck_str *path) {
  struct ck_str at = after(*path, path->n ? 1 : 0);
  struct ck_str segment = until(at, "/");
  *path = after(at, segment.n);
  return segment;
}

static bool matches(struct ingest_route *r, const struct pattern *p, struct ck_str path,
                    struct ck_str query) {
  struct ck_str text = ck_str_of(p->text);
  struct ck_str wanted = until(text, "?");
  struct ck_str asked = after(text, wanted.n);
  r->id = (struct ck_str){0};
  while (wanted.n && path.n) {
    struct ck_str piece = next_segment(&wanted);
    if (!take_piece(r, piece, next_segment(&path))) return false;
  }
  if (wanted.n || path.n) return false;
  if (!asked.n) return true;
  struct ck_str name = until(after(asked, 1), "=");
  return take_piece(r, after(asked, name.n + 2), query_value(query, name));
}

/* Removes /u/N, which of the accounts signed in to the browser: it is not part of the id. */
static void take_account(struct ingest_route *r, struct ck_str *path) {
  if (strcmp(r->platform, "gemini") != 0 || !ck_str_starts(*path, "/u/")) return;
  struct ck_str account = until(after(*path, 3), "/");
  if (!is_digits(account)) return;
  r->params[0].name = CK_LIT("account");
  r->params[0].value = account;
  r->param_count = 1;
  *path = after(*path, 3 + account.n);
}

static bool is_uuid(struct ck_str s) {
  for (size_t i = 0; i < s.n; ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s.s[i] != '-' : !isxdigit((unsigned char)s.s[i])) return false;
  }
  return s.n == 36;
}

/* A Perplexity address is a slug of the question, a dash and the id of 22 characters. */
static void shorten_slug(struct ingest_route *r) {
  if (strcmp(r->platform, "perplexity") != 0 || r->id.n < 24 || is_uuid(r->id) ||
      r->id.s[r->id.n - 23] != '-')
    return;
  r->id = after(r->id, r->id.n - 22);
}

static struct ck_str without_slash(struct ck_str path) {
  while (path.n > 1 && path.s[path.n - 1] == '/') --path.n;
  return path;
}

/* Only Grok's own pages on x.com are known; the rest is another site. */
static bool on_x(struct ck_str url) {
  struct ck_str rest;
  return host_is(host_of(ck_trim(url), &rest), "x.com");
}

bool ingest_route(struct ck_str url, struct ingest_route *r) {
  struct ck_str rest = {0};
  memset(r, 0, sizeof *r);
  r->platform = platform_of(host_of(ck_trim(url), &rest));
  if (!r->platform) return false;
  r->kind = INGEST_ROUTE_PAGE;
  r->path = rest.n && rest.s[0] == '/' ? until(rest, "?#") : CK_LIT("/");
  struct ck_str query = until(after(rest, until(rest, "?#").n), "#");
  if (query.n) query = after(query, 1);
  struct ck_str path = without_slash(r->path);
  take_account(r, &path);
  if (!path.n) path = CK_LIT("/");
  int first = r->param_count;
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; ++i) {
    if (strcmp(patterns[i].platform, r->platform) != 0) continue;
    r->param_count = first;
    if (!matches(r, &patterns[i], path, query)) continue;
    r->kind = patterns[i].kind;
    r->pattern = patterns[i].text;
    shorten_slug(r);
    return true;
  }
  r->param_count = first;
  r->id = (struct ck_str){0};
  return strcmp(r->platform, "grok") != 0 || !on_x(url);
}

void ingest_route_pattern(struct ck_buf *out, const struct ingest_route *r) {
  if (r->param_count && ck_str_is(r->params[0].name, "account")) ck_buf_text(out, "/u/{account}");
  for (const char *p = r->pattern; p && *p; ++p) {
    if (*p == ':') p += strcspn(p, "}");
    ck_buf_add(out, p, 1);
  }
}

void ingest_route_params(struct ck_buf *json, const struct ingest_route *r) {
  ck_buf_text(json, "{");
  for (int i = 0; i < r->param_count; ++i) {
    if (i) ck_buf_text(json, ",");
    ck_buf_json_str(json, r->params[i].name);
    ck_buf_text(json, ":");
    ck_buf_json_str(json, r->params[i].value);
  }
  ck_buf_text(json, "}");
}

bool ingest_route_fits(struct ck_str id) {
  bool only_dots = true;
  for (size_t i = 0; i < id.n; ++i) {
    unsigned char c = (unsigned char)id.s[i];
    if (c >= 0x80 || (!isalnum(c) && !strchr("-._~:", c)) || !c) return false;
    only_dots = only_dots && c == '.';
  }
  return !only_dots;
}
