/* See payload.h. */
#include "proto/payload.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

static const char *const kinds[] = {"text", "json", "template"};

int ck_payload_kind(struct ck_str name) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if (ck_str_is(name, kinds[i])) return (int)i;
  return -1;
}

const char *ck_payload_kind_name(enum ck_payload_kind kind) { return kinds[kind]; }

/* ---- placeholders ---- */

static void add_title(struct ck_buf *b, const struct ck_payload_facts *f) {
  struct ck_str title = ck_trim(f->title);
  ck_buf_str(b, title.n ? title : CK_LIT("untitled"));
}

static void add_last(struct ck_buf *b, const struct ck_payload_facts *f) {
  struct ck_str last = ck_trim(f->last), end = ck_utf8_end(last, CK_PAYLOAD_LAST);
  if (end.n < last.n) ck_buf_text(b, "…");
  ck_buf_str(b, end);
}

static void add_count(struct ck_buf *b, const struct ck_payload_facts *f) {
  ck_buf_printf(b, "%lld", (long long)f->count);
}

static struct tm shown(const struct ck_payload_facts *f) {
  time_t at = (time_t)f->shown;
  struct tm tm = {0};
  gmtime_r(&at, &tm);
  return tm;
}

static void add_date(struct ck_buf *b, const struct ck_payload_facts *f) {
  struct tm tm = shown(f);
  ck_buf_printf(b, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static void add_time(struct ck_buf *b, const struct ck_payload_facts *f) {
  struct tm tm = shown(f);
  ck_buf_printf(b, "%02d:%02d", tm.tm_hour, tm.tm_min);
}

static void add_brace(struct ck_buf *b, const struct ck_payload_facts *f) {
  (void)f;
  ck_buf_text(b, "{");
}

static const struct placeholder {
  const char *text;
  void (*add)(struct ck_buf *b, const struct ck_payload_facts *f);
} placeholders[] = {{"{title}", add_title}, {"{last}", add_last}, {"{count}", add_count},
                    {"{date}", add_date},   {"{time}", add_time}, {"{{", add_brace}};

/* The placeholder that the text begins with, or NULL. */
static const struct placeholder *placeholder_of(struct ck_str text) {
  for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; ++i) {
    size_t n = strlen(placeholders[i].text);
    if (text.n >= n && memcmp(text.s, placeholders[i].text, n) == 0) return &placeholders[i];
  }
  return NULL;
}

/* Takes the first placeholder, and what is before it, from the beginning of *text; NULL: there is
 * none, and *text is empty then. b: what is before it is appended; may be NULL. *unknown: the text
 * from a brace on that begins no placeholder, if one was passed. */
static const struct placeholder *next_placeholder(struct ck_str *text, struct ck_buf *b,
                                                  struct ck_str *unknown) {
  const struct placeholder *p = NULL;
  size_t n = 0;
  while (n < text->n && !p) {
    struct ck_str rest = {text->s + n, text->n - n};
    p = *rest.s == '{' ? placeholder_of(rest) : NULL;
    if (*rest.s == '{' && !p && !unknown->n) *unknown = rest;
    n += !p;
  }
  if (b) ck_buf_str(b, (struct ck_str){text->s, n});
  size_t taken = n + (p ? strlen(p->text) : 0);
  *text = (struct ck_str){text->s + taken, text->n - taken};
  return p;
}

static int check_template(struct ck_str text, struct ck_err *err) {
  struct ck_str unknown = {0};
  while (next_placeholder(&text, NULL, &unknown) && !unknown.n) continue;
  if (!unknown.n) return 0;
  const char *end = memchr(unknown.s, '}', unknown.n < 20 ? unknown.n : 20);
  size_t n = end ? (size_t)(end - unknown.s) + 1 : 1;
  return ck_fail(err,
                 "%.*s is not known in a template, which may have {title}, {last}, {count}, {date}"
                 " and {time}; {{ is a brace",
                 (int)n, unknown.s);
}

void ck_payload_fill(struct ck_buf *b, struct ck_str template,
                     const struct ck_payload_facts *facts) {
  struct ck_str unknown = {0};
  for (const struct placeholder *p; (p = next_placeholder(&template, b, &unknown));)
    p->add(b, facts);
}

int ck_payload_check(struct ck_str payload, enum ck_payload_kind kind, struct ck_err *err) {
  if (!ck_trim(payload).n) return ck_fail(err, "must not be blank");
  if (kind == CK_PAYLOAD_TEMPLATE) return check_template(payload, err);
  if (kind == CK_PAYLOAD_TEXT) return 0;
  json_error_t wrong;
  json_t *v = json_loadb(payload.s, payload.n, JSON_DECODE_ANY, &wrong);
  int rc = v ? 0 : ck_fail(err, "is not JSON: %s", wrong.text);
  json_decref(v);
  return rc;
}
