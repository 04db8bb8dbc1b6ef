/* See pattern.h. */
#include "proto/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "proto/clock.h"

/* A search that needs more has run away. PCRE2's own limit of steps counts anew at each place where
 * a match may begin, so the time is looked at in callouts, which the pattern has before each of its
 * items. Between two of them no more is done than to read the text once. */
#define SEARCH_US 50000
#define CALLOUTS_A_LOOK 32
#define HEAP_KIB (256 * 1024)

/* ---- which pattern it is ---- */

struct wanted {
  bool is_pattern;
  struct ck_str pattern; /* between the slashes */
  uint32_t options;
};

static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

/* A slash at the beginning, and another one with nothing but letters behind it: a pattern. */
static bool between_slashes(struct ck_str text, struct ck_str *pattern, struct ck_str *letters) {
  size_t end = text.n;
  while (end && is_letter(text.s[end - 1])) end--;
  if (end < 2 || text.s[0] != '/' || text.s[end - 1] != '/') return false;
  *pattern = (struct ck_str){text.s + 1, end - 2};
  *letters = (struct ck_str){text.s + end, text.n - end};
  return true;
}

static int read_wanted(struct wanted *w, struct ck_str text, struct ck_err *err) {
  struct ck_str letters;
  *w = (struct wanted){.options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE |
                                  PCRE2_AUTO_CALLOUT};
  w->is_pattern = between_slashes(text, &w->pattern, &letters);
  if (!w->is_pattern) return 0;
  if (ck_str_is(letters, "i"))
    w->options |= PCRE2_CASELESS;
  else if (letters.n)
    return ck_fail(
        err,
        "is no pattern: behind its second / only i may stand, not \"%.*s\"; a text that is no "
        "pattern and has such slashes is written as one, as in /\\/usr\\/bin/",
        (int)ck_utf8_cut(letters, 20).n, letters.s);
  return w->pattern.n ? 0 : ck_fail(err, "is no pattern: nothing is between its slashes");
}

static pcre2_code *compiled(const struct wanted *w, struct ck_err *err) {
  int code;
  PCRE2_SIZE at;
  unsigned char why[120];
  pcre2_code *c =
      pcre2_compile((PCRE2_SPTR)w->pattern.s, w->pattern.n, w->options, &code, &at, NULL);
  if (c) return c;
  pcre2_get_error_message(code, why, sizeof why);
  ck_fail(err, "is no pattern: %s, at byte %zu", (const char *)why, (size_t)at + 1);
  return NULL;
}

int ck_pattern_check(struct ck_str wanted, struct ck_err *err) {
  struct wanted w;
  if (read_wanted(&w, wanted, err)) return -1;
  if (!w.is_pattern) return 0;
  pcre2_code *c = compiled(&w, err);
  pcre2_code_free(c);
  return c ? 0 : -1;
}

/* ---- the search ---- */

struct search {
  int64_t until; /* of the thread's processor time: a machine that is busy is no reason */
  unsigned callouts;
};

static int look_at_time(pcre2_callout_block *block, void *self) {
  struct search *s = self;
  (void)block;
  if (++s->callouts % CALLOUTS_A_LOOK) return 0;
  return ck_thread_us() < s->until ? 0 : PCRE2_ERROR_CALLOUT;
}

static int matches(const pcre2_code *c, struct ck_str text, struct ck_err *err) {
  struct search s = {.until = ck_thread_us() + SEARCH_US};
  pcre2_match_data *data = pcre2_match_data_create(1, NULL);
  pcre2_match_context *limits = pcre2_match_context_create(NULL);
  pcre2_set_callout(limits, look_at_time, &s);
  pcre2_set_heap_limit(limits, HEAP_KIB);
  int rc = pcre2_match(c, (PCRE2_SPTR)(text.s ? text.s : ""), text.n, 0, 0, data, limits);
  pcre2_match_context_free(limits);
  pcre2_match_data_free(data);
  if (rc == PCRE2_ERROR_NOMATCH) return 0;
  if (rc == PCRE2_ERROR_HEAPLIMIT) return ck_fail(err, "takes too much memory to be looked for");
  return rc >= 0 ? 1 : ck_fail(err, "takes too long to be looked for");
}

int ck_pattern_in(struct ck_str text, struct ck_str wanted, struct ck_err *err) {
  struct wanted w;
  if (read_wanted(&w, wanted, err)) return -1;
  if (!w.is_pattern)
    return wanted.n && text.n && memmem(text.s, text.n, wanted.s, wanted.n) ? 1 : 0;
  pcre2_code *c = compiled(&w, err);
  int rc = c ? matches(c, text, err) : -1;
  pcre2_code_free(c);
  return rc;
}
