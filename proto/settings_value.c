/* See settings_value.h. */
#include "proto/settings_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/moment.h"
#include "proto/near.h"

static void words_free(char **words) {
  for (char **w = words; w && *w; w++) free(*w);
  free(words);
}

void ck_setting_value_free(struct ck_setting_value *v) {
  free(v->text);
  free(v->from);
  words_free(v->words);
  *v = (struct ck_setting_value){0};
}

/* Reads the number at the beginning of s. Returns what follows it; NULL if there is none, or it is
 * too large. */
static const char *digits(const char *s, int64_t *value) {
  char *end;
  const char *first = *s == '-' ? s + 1 : s;
  if (*first < '0' || *first > '9') return NULL;
  errno = 0;
  long long n = strtoll(s, &end, 10);
  *value = n;
  return errno ? NULL : end;
}

static bool parse_int(const char *s, int64_t *value) {
  const char *end = digits(s, value);
  return end && *end == '\0';
}

static bool parse_duration(const char *s, int64_t *ms) {
  int64_t n;
  const char *unit = digits(s, &n);
  for (size_t i = 0; unit && i < CK_UNITS; i++)
    if (strcmp(unit, ck_units[i].name) == 0) return !__builtin_mul_overflow(n, ck_units[i].ms, ms);
  return false;
}

static void show_duration(char out[32], int64_t ms) {
  size_t i = 0;
  while (i < CK_UNITS - 1 && (ms % ck_units[i].ms != 0 || ms == 0)) i++;
  snprintf(out, 32, "%lld%s", (long long)(ms / ck_units[i].ms), ck_units[i].name);
}

/* Splits text at blanks. With quotes, "…" keeps blanks together, also within a word. NULL: a quote
 * is not closed. */
static char **split(const char *text, bool quotes) {
  char **words = ck_zalloc(sizeof *words);
  size_t n = 0;
  struct ck_buf word = {0};
  bool open = false;
  for (const char *p = text + strspn(text, " \t\r\n"); *p; p += strspn(p, " \t\r\n")) {
    ck_buf_clear(&word);
    for (; *p && (open || !strchr(" \t\r\n", *p)); p++) {
      if (quotes && *p == '"')
        open = !open;
      else
        ck_buf_add(&word, p, 1);
    }
    words = ck_realloc(words, (n + 2) * sizeof *words);
    words[n++] = ck_str_dup(ck_buf_view(&word));
    words[n] = NULL;
  }
  ck_buf_free(&word);
  if (!open) return words;
  words_free(words);
  return NULL;
}

static int refuse_number(const struct ck_setting_rule *d, const char *text, struct ck_err *err) {
  char least[32], most[32];
  if (d->type == CK_TYPE_INT) {
    snprintf(least, sizeof least, "%lld", (long long)d->min);
    snprintf(most, sizeof most, "%lld", (long long)d->max);
    return ck_fail(err, "must be an integer from %s to %s, not \"%.60s\"", least, most, text);
  }
  show_duration(least, d->min);
  show_duration(most, d->max);
  return ck_fail(err,
                 "must be a duration (a number and ms, s, min, h or d, as in 15min)"
                 " from %s to %s, not \"%.60s\"",
                 least, most, text);
}

/* Which of "a|b|c" the text is, from 0; -1: none. */
static int choice_of(const char *choices, const char *text) {
  size_t n = strlen(text);
  int which = 0;
  for (const char *p = choices; p; p = strchr(p, '|'), which++) {
    p += *p == '|';
    if (strcspn(p, "|") == n && memcmp(p, text, n) == 0) return which;
  }
  return -1;
}

static int wrong_choice(const char *choices, const char *text, struct ck_err *err) {
  struct ck_near near = ck_near_to(ck_str_of(text));
  struct ck_buf meant = {0};
  ck_near_try_all(&near, choices);
  ck_near_text(&meant, &near, "");
  ck_fail(err, "must be one of %s, not \"%.60s\"%s", choices, text, ck_buf_cstr(&meant));
  ck_buf_free(&meant);
  return -1;
}

static int number_parse(int64_t *number, const struct ck_setting_rule *d, const char *text,
                        struct ck_err *err) {
  bool ok = d->type == CK_TYPE_INT ? parse_int(text, number) : parse_duration(text, number);
  return ok && *number >= d->min && *number <= d->max ? 0 : refuse_number(d, text, err);
}

static int choice_parse(int64_t *number, const struct ck_setting_rule *d, const char *text,
                        struct ck_err *err) {
  *number = choice_of(d->choices, text);
  return *number < 0 ? wrong_choice(d->choices, text, err) : 0;
}

/* A name of the environment, and = after it. */
static bool is_assignment(const char *word) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  size_t n = strspn(word, letters);
  n += n ? strspn(word + n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") : 0;
  return n && word[n] == '=';
}

static int wrong_words(char **words, enum ck_setting_type type, struct ck_err *err) {
  if (!words) return ck_fail(err, "a quote is not closed");
  if (type == CK_TYPE_PROGRAM && (!words[0] || !words[0][0]))
    return ck_fail(err, "must name a program");
  for (char **w = words; type == CK_TYPE_ENV && *w; w++)
    if (!is_assignment(*w)) return ck_fail(err, "must be words NAME=VALUE, not \"%.60s\"", *w);
  return 0;
}

/* Of a list with choices. */
static int wrong_choices(char **words, const char *choices, struct ck_err *err) {
  if (!words[0]) return ck_fail(err, "must name at least one of %s", choices);
  for (char **w = words; *w; w++) {
    if (choice_of(choices, *w) < 0) return wrong_choice(choices, *w, err);
    for (char **before = words; before < w; before++)
      if (strcmp(*before, *w) == 0) return ck_fail(err, "names %s twice", *w);
  }
  return 0;
}

static int words_parse(char ***words, const struct ck_setting_rule *rule, const char *text,
                       struct ck_err *err) {
  *words = split(text, rule->type != CK_TYPE_LIST);
  if (!wrong_words(*words, rule->type, err) &&
      !(rule->choices && wrong_choices(*words, rule->choices, err)))
    return 0;
  words_free(*words);
  *words = NULL;
  return -1;
}

static int folder_parse(const char *text, struct ck_err *err) {
  if (*text && *text != '/' && strcmp(text, "~") != 0 && strncmp(text, "~/", 2) != 0)
    return ck_fail(err, "must be an absolute path or begin with ~/, not \"%.60s\"", text);
  return 0;
}

static int parse(struct ck_setting_value *v, const struct ck_setting_rule *rule, const char *text,
                 struct ck_err *err) {
  switch (rule->type) {
  case CK_TYPE_TEXT:
    return 0;
  case CK_TYPE_INT:
  case CK_TYPE_DURATION:
    return number_parse(&v->number, rule, text, err);
  case CK_TYPE_CHOICE:
    return choice_parse(&v->number, rule, text, err);
  case CK_TYPE_LIST:
  case CK_TYPE_PROGRAM:
  case CK_TYPE_ENV:
    return words_parse(&v->words, rule, text, err);
  case CK_TYPE_FOLDER:
    return folder_parse(text, err);
  }
  return 0;
}

int ck_setting_value_parse(struct ck_setting_value *v, const struct ck_setting_rule *rule,
                           const char *text, struct ck_err *err) {
  if (!ck_utf8_ok(ck_str_of(text))) return ck_fail(err, "is not UTF-8");
  if (parse(v, rule, text, err)) return -1;
  v->text = ck_strdup(text);
  return 0;
}
