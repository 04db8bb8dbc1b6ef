/* See pattern.h. */
#include "proto/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A pattern that needs more has run away. */
#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 1000

/* The pattern between the slashes; no bytes: it is a plain text. */
static struct ck_str pattern_of(struct ck_str wanted, uint32_t *options) {
  *options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE;
  if (ck_str_ends(wanted, "/i")) {
    *options |= PCRE2_CASELESS;
    wanted.n--;
  }
  bool is_pattern = wanted.n > 2 && wanted.s[0] == '/' && wanted.s[wanted.n - 1] == '/';
  return is_pattern ? (struct ck_str){wanted.s + 1, wanted.n - 2} : (struct ck_str){0};
}

static pcre2_code *compiled(struct ck_str pattern, uint32_t options, struct ck_err *err) {
  int code;
  PCRE2_SIZE at;
  unsigned char why[120];
  pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern.s, pattern.n, options, &code, &at, NULL);
  if (c) return c;
  pcre2_get_error_message(code, why, sizeof why);
  ck_fail(err, "is no pattern: %s, at byte %zu", (const char *)why, (size_t)at + 1);
  return NULL;
}

int ck_pattern_check(struct ck_str wanted, struct ck_err *err) {
  uint32_t options;
  struct ck_str pattern = pattern_of(wanted, &options);
  if (!pattern.n) return 0;
  pcre2_code *c = compiled(pattern, options, err);
  pcre2_code_free(c);
  return c ? 0 : -1;
}

static int matches(const pcre2_code *c, struct ck_str text, struct ck_err *err) {
  pcre2_match_data *data = pcre2_match_data_create(1, NULL);
  pcre2_match_context *limits = pcre2_match_context_create(NULL);
  pcre2_set_match_limit(limits, MATCH_LIMIT);
  pcre2_set_depth_limit(limits, DEPTH_LIMIT);
  int rc = pcre2_match(c, (PCRE2_SPTR)(text.s ? text.s : ""), text.n, 0, 0, data, limits);
  pcre2_match_context_free(limits);
  pcre2_match_data_free(data);
  if (rc == PCRE2_ERROR_NOMATCH) return 0;
  return rc >= 0 ? 1 : ck_fail(err, "takes too long to be looked for");
}

int ck_pattern_in(struct ck_str text, struct ck_str wanted, struct ck_err *err) {
  uint32_t options;
  struct ck_str pattern = pattern_of(wanted, &options);
  if (!pattern.n) return wanted.n && text.n && memmem(text.s, text.n, wanted.s, wanted.n) ? 1 : 0;
  pcre2_code *c = compiled(pattern, options, err);
  int rc = c ? matches(c, text, err) : -1;
  pcre2_code_free(c);
  return rc;
}
