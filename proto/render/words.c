/* Words that several forms have; see inner.h. */
#include "proto/render/inner.h"

#include <ctype.h>
#include "proto/clock.h"
#include "proto/moment.h"

/* ---- times ---- */

void render_time(struct ck_buf *b, int64_t ms) { ck_moment_text(b, ms); }

void render_day(struct ck_buf *b, int64_t ms) {
  struct ck_buf time = {0};
  ck_moment_text(&time, ms);
  ck_buf_str(b, ck_utf8_cut(ck_buf_view(&time), sizeof "YYYY-MM-DD" - 1));
  ck_buf_free(&time);
}

void render_time_iso(struct ck_buf *b, int64_t ms) {
  char text[CK_TIME_TEXT];
  ck_time_text(text, ms);
  ck_buf_add(b, text, sizeof "YYYY-MM-DDThh:mm:ss" - 1);
  ck_buf_text(b, "Z");
}

/* ---- who ---- */

static const char *const assistants[][2] = {
    {"chatgpt", "ChatGPT"},   {"claude", "Claude"},
    {"gemini", "Gemini"},     {"deepseek", "DeepSeek"},
    {"grok", "Grok"},         {"perplexity", "Perplexity"},
    {"copilot", "Copilot"},   {"poe", "Poe"},
    {"kimi", "Kimi"},         {"doubao", "豆包"},
    {"qwen", "Qwen"},         {"qianwen", "通义千问"},
    {"yuanbao", "元宝"},      {"yiyan", "文心一言"},
    {"mistral", "Mistral"},   {"manus", "Manus"},
    {"genspark", "Genspark"}, {"aistudio", "AI Studio"},
    {"codex", "Codex"},       {"claude-code", "Claude Code"}};

static const char *assistant_of(struct ck_str platform) {
  for (size_t i = 0; i < sizeof assistants / sizeof *assistants; ++i)
    if (ck_str_is(platform, assistants[i][0])) return assistants[i][1];
  return "Assistant";
}

void render_speaker(struct ck_buf *b, struct ck_str platform, const struct render_message *m) {
  if (ck_str_is(m->role, "user")) {
    ck_buf_text(b, "You");
  } else if (ck_str_is(m->role, "assistant")) {
    ck_buf_text(b, assistant_of(platform));
  } else if (m->role.n) {
    char first = (char)toupper((unsigned char)m->role.s[0]);
    ck_buf_add(b, &first, 1);
    ck_buf_str(b, (struct ck_str){m->role.s + 1, m->role.n - 1});
    if (m->name.n) {
      ck_buf_text(b, " (");
      ck_buf_str(b, m->name);
      ck_buf_text(b, ")");
    }
  }
}

/* ---- what belongs to a message ---- */

void render_fact(struct ck_buf *b, struct ck_str fact) {
  if (!fact.n) return;
  if (b->len) ck_buf_text(b, " · ");
  ck_buf_str(b, fact);
}

void render_facts(struct ck_buf *b, const struct render *r, const struct render_message *m) {
  if (m->time_known) render_time(b, m->at);
  render_fact(b, m->model);
  if (m->kind != RENDER_SAID) render_fact(b, ck_str_of(render_kind_word(m->kind)));
  if (r->style.has_tree && !m->placed) render_fact(b, CK_LIT("place unknown"));
}

void render_called(struct ck_buf *b, const struct render_execution *e) {
  ck_buf_str(b, e->target);
  if (ck_str_eq(e->target, e->tool)) return;
  ck_buf_text(b, " ");
  ck_buf_str(b, e->tool);
}

const char *render_outcome_word(enum render_outcome outcome) {
  return outcome == RENDER_OK ? "ok" : outcome == RENDER_FAILED ? "failed" : "no result";
}

struct ck_str render_attachment_name(const json_t *attachment) {
  struct ck_str name = render_member(attachment, "name");
  if (!name.n) name = render_member(attachment, "file");
  return name.n ? name : CK_LIT("without a name");
}

bool render_is_kept(const struct render_style *style, const json_t *attachment,
                    struct render_attached *a) {
  *a = (struct render_attached){{0}, false};
  return style->attached && style->attached(style->attached_self, attachment, a);
}

/* A line that ingest has written for a part that is no text. */
static bool is_marker(struct ck_str line) {
  static const char *const begins[] = {"[image: ", "[audio: ", "[video: ", "[asset: "};
  for (size_t i = 0; i < sizeof begins / sizeof *begins; ++i)
    if (ck_str_starts(line, begins[i])) return line.s[line.n - 1] == ']';
  return false;
}

struct ck_str render_question(struct ck_str text) {
  struct ck_str rest = ck_trim(text);
  for (;;) {
    const char *end = rest.n ? memchr(rest.s, '\n', rest.n) : NULL;
    size_t n = end ? (size_t)(end - rest.s) : 0;
    if (!is_marker((struct ck_str){rest.s, n})) return rest;
    rest = ck_trim((struct ck_str){end, rest.n - n});
  }
}

static bool stands_for_attachment(const struct render_message *m, struct ck_str line) {
  size_t i;
  const json_t *file;
  if (!is_marker(line)) return false;
  json_array_foreach(m->attachments, i, file) {
    struct ck_str id = render_member(file, "file");
    const char *at = line.s + line.n - id.n - 1;
    if (id.n && line.n > id.n + 1 && at[-1] == '/' && memcmp(at, id.s, id.n) == 0) return true;
  }
  return false;
}

struct ck_str render_shown_text(struct ck_buf *b, const struct render_message *m) {
  if (json_array_size(m->attachments) == 0) return m->text;
  for (size_t from = 0, next; from < m->text.n; from = next) {
    const char *end = memchr(m->text.s + from, '\n', m->text.n - from);
    size_t n = end ? (size_t)(end - m->text.s) - from : m->text.n - from;
    next = from + n + (end ? 1 : 0);
    if (!stands_for_attachment(m, (struct ck_str){m->text.s + from, n}))
      ck_buf_add(b, m->text.s + from, next - from);
  }
  return ck_buf_view(b);
}

void render_kept_words(struct ck_buf *b, const struct render_style *style,
                       const json_t *attachment) {
  struct render_attached a;
  if (!style->attached || render_is_kept(style, attachment, &a)) return;
  ck_buf_text(b, render_member(attachment, "text").n ? ", only its text is kept here"
                                                     : ", not kept here");
}

void render_attachment(struct ck_buf *b, const json_t *attachment) {
  struct ck_str type = render_member(attachment, "type");
  int64_t size = render_number(attachment, "size");
  ck_buf_str(b, render_attachment_name(attachment));
  if (!type.n && size < 0) return;
  ck_buf_text(b, " (");
  ck_buf_str(b, type);
  if (type.n && size >= 0) ck_buf_text(b, ", ");
  if (size >= 0) ck_buf_count(b, (uint64_t)size);
  if (size >= 0) ck_buf_text(b, ck_noun((uint64_t)size, " byte", " bytes"));
  ck_buf_text(b, ")");
}

/* ---- Markdown ---- */

size_t render_longest_run(struct ck_str text, char of) {
  size_t longest = 0, run = 0;
  for (size_t i = 0; i < text.n; ++i) {
    run = text.s[i] == of ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  return longest;
}
