/* The limits of Codex's account. Each answer of its service says how far they are used, which is no
 * refusal; but when the service refuses, it says last which of them is reached, and until when. The
 * words of the error have that only as a time of the day without a zone. */
#include <string.h>

#include "ingest/sources/codex.h"

#define SECOND_MS INT64_C(1000)
#define SECONDS_MAX INT64_C(9999999999) /* the year 2286 */

/* When the window ends, if it is used up; else 0. */
static int64_t end_of(const struct codex_line *l, const json_t *window) {
  const json_t *at = json_object_get(window, "resets_at"),
               *in = json_object_get(window, "resets_in_seconds");
  json_int_t epoch = json_integer_value(at), left = json_integer_value(in);
  if (json_number_value(json_object_get(window, "used_percent")) < 100) return 0;
  if (json_is_integer(at)) return epoch > 0 && epoch <= SECONDS_MAX ? epoch * SECOND_MS : 0;
  return left > 0 && left <= SECONDS_MAX && !l->code.time_assumed ? l->code.at + left * SECOND_MS
                                                                  : 0;
}

void codex_limits_told(struct codex_line *l, const json_t *rate_limits) {
  struct codex_limits *limits = &l->f->limits;
  struct ck_str type = ingest_json_text(rate_limits, "rate_limit_reached_type");
  if (!json_is_object(rate_limits)) return;
  int64_t first = end_of(l, json_object_get(rate_limits, "primary")),
          second = end_of(l, json_object_get(rate_limits, "secondary"));
  limits->until = first > second ? first : second;
  limits->lasts = ck_str_starts(type, "workspace_");
  ck_buf_clear(&limits->type);
  ck_buf_str(&limits->type, type);
}

/* Older versions give their errors no names. */
static bool speaks_of_limit(struct ck_str text) {
  static const char words[] = "hit your usage limit";
  return text.n && memmem(text.s, text.n, words, sizeof words - 1);
}

struct code_limit codex_limit_of(struct codex_line *l, const json_t *error, struct ck_str text) {
  const struct codex_limits *known = &l->f->limits;
  const json_t *info = json_object_get(error, "codex_error_info"),
               *inner = json_object_get(error, "error");
  struct ck_str name = ingest_json_str(info), kind = ingest_json_text(inner, "kind");
  int64_t until = 0;
  if (ck_str_is(kind, "rate_limit")) {
    ingest_json_time(json_object_get(inner, "resetAt"), &until);
    return (struct code_limit){.type = kind, .until = until};
  }
  bool named = info && !json_is_null(info);
  if (named ? !ck_str_is(name, "usage_limit_exceeded") : !speaks_of_limit(text))
    return (struct code_limit){0};
  if (known->lasts || known->until > l->code.at) until = known->lasts ? 0 : known->until;
  return (struct code_limit){
      .type = known->type.len ? ck_arena_copy(&l->f->code.passing, ck_buf_view(&known->type))
                              : CK_LIT("usage_limit_exceeded"),
      .until = until,
      .lasts = known->lasts};
}
