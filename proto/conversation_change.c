/* See conversation_change.h. */
#include "proto/conversation_change.h"

#include <stdlib.h>

#include "proto/wire.h"
#include "proto/check.h"
#include "proto/cost.h"
#include "proto/moment.h"
#include "proto/pattern.h"
#include "proto/renewal.h"

bool ck_changes_follow_ups(const struct ck_conversation_change *c) {
  return c->until || c->after || c->alike || c->per_day || c->cost_per_day || c->tokens_per_day ||
         c->text || c->question || c->quiet || c->payload || c->payload_kind || c->account;
}

bool ck_changes_anything(const struct ck_conversation_change *c) {
  return c->automation || c->title || c->summary || c->cooldown || ck_changes_follow_ups(c);
}

/* ---- columns ---- */

/* An empty text clears what the owner gave. */
static struct ck_value text_or_null(const char *text) { return *text ? ck_textz(text) : ck_null(); }

int ck_change_columns(const struct ck_conversation_change *c, int64_t now, struct ck_row *row,
                      const char **option, struct ck_err *err) {
  int64_t until = 0;
  if (c->automation) {
    row->v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(c->automation);
    row->v[CK_CONVERSATIONS_PAUSED_AT] =
        strcmp(c->automation, "paused") == 0 ? ck_int(now) : ck_null();
  }
  if (c->title) row->v[CK_CONVERSATIONS_TITLE] = text_or_null(c->title);
  if (c->summary) row->v[CK_CONVERSATIONS_SUMMARY] = text_or_null(c->summary);
  if (!c->cooldown) return 0;
  *option = "cooldown-until";
  bool none = strcmp(c->cooldown, "none") == 0;
  if (!none && ck_moment_parse(c->cooldown, now, &until, err)) return -1;
  row->v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = none ? ck_null() : ck_int(until);
  return 0;
}

/* ---- follow-ups ---- */

static bool is_default(const char *word) { return strcmp(word, "default") == 0; }

/* word: NULL changes nothing. least, most: of the number; `default` becomes `otherwise`. */
static int change_number(const char *word, int64_t least, int64_t most, int64_t otherwise,
                         int64_t *number, struct ck_err *err) {
  char *end;
  if (!word) return 0;
  *number = otherwise;
  if (is_default(word)) return 0;
  *number = strtol(word, &end, 10);
  if (*word && !*end && *number >= least && *number <= most) return 0;
  return ck_fail(err, "must be a number from %lld to %lld, or default, not %s", (long long)least,
                 (long long)most, word);
}

static int change_cost(const char *word, int64_t *cost, struct ck_err *err) {
  if (!word) return 0;
  *cost = -1;
  return is_default(word) ? 0 : ck_cost_parse(ck_str_of(word), cost, err);
}

static void change_text(const char *word, char **text) {
  if (!word) return;
  free(*text);
  *text = is_default(word) ? NULL : ck_strdup(word);
}

static int change_until(const char *word, int64_t now, int64_t *until, struct ck_err *err) {
  if (!word) return 0;
  *until = 0;
  if (strcmp(word, "none") == 0) return 0;
  if (ck_moment_parse(word, now, until, err)) return -1;
  if (*until > 0) return 0;
  return ck_fail(err, "must be after 1970-01-01, or none, not %s", word);
}

static int change_payload(const struct ck_conversation_change *c, struct ck_renewal *r,
                          struct ck_err *err) {
  if (!c->payload) return 0;
  change_text(c->payload, &r->payload);
  r->payload_kind = CK_PAYLOAD_TEXT;
  if (c->payload_kind)
    r->payload_kind = (enum ck_payload_kind)ck_payload_kind(ck_str_of(c->payload_kind));
  return r->payload ? ck_payload_check(ck_str_of(r->payload), r->payload_kind, err) : 0;
}

static int check_account(const char *name, struct ck_err *err) {
  if (!name || (ck_trim(ck_str_of(name)).n > 0 && strlen(name) <= CK_ACCOUNT_MAX)) return 0;
  return ck_fail(err, "must have 1 to %d bytes, and be no blanks", CK_ACCOUNT_MAX);
}

int ck_change_check(const struct ck_conversation_change *c, const char **option,
                    struct ck_err *err) {
  *option = "payload-kind";
  if (c->payload_kind && (!c->payload || is_default(c->payload)))
    return ck_fail(err, "goes with a payload");
  *option = "account";
  return check_account(c->account, err);
}

/* Texts that have a form of their own. *option: the one that has not. */
static int check_texts(const struct ck_conversation_change *c, const char **option,
                       struct ck_err *err) {
  *option = "stop-text";
  if (c->text && !is_default(c->text) && ck_pattern_check(ck_str_of(c->text), err)) return -1;
  *option = "quiet";
  return c->quiet && *c->quiet && !is_default(c->quiet) ? ck_check_quiet(ck_str_of(c->quiet), err)
                                                        : 0;
}

static int change_numbers(const struct ck_conversation_change *c, struct ck_renewal *r,
                          const char **option, struct ck_err *err) {
  const int64_t most = CK_RENEWAL_NUMBER_MAX;
  *option = "stop-after";
  if (change_number(c->after, 1, most, 0, &r->in_a_row, err)) return -1;
  *option = "stop-alike";
  if (change_number(c->alike, 0, most, -1, &r->alike, err)) return -1;
  *option = "per-day";
  if (change_number(c->per_day, 0, most, -1, &r->per_day, err)) return -1;
  *option = "cost-per-day";
  if (change_cost(c->cost_per_day, &r->cost_per_day, err)) return -1;
  *option = "tokens-per-day";
  return change_number(c->tokens_per_day, 0, CK_RENEWAL_TOKENS_MAX, -1, &r->tokens_per_day, err);
}

/* What is not given stays as it was. */
static int change_renewal(const struct ck_conversation_change *c, int64_t now, struct ck_renewal *r,
                          const char **option, struct ck_err *err) {
  if (check_texts(c, option, err)) return -1;
  *option = "until";
  if (change_until(c->until, now, &r->until, err)) return -1;
  if (change_numbers(c, r, option, err)) return -1;
  if (c->question)
    r->question = is_default(c->question)           ? CK_AS_SET
                  : strcmp(c->question, "yes") == 0 ? CK_WISHED
                                                    : CK_UNWISHED;
  change_text(c->text, &r->text);
  change_text(c->quiet, &r->quiet);
  change_text(c->account, &r->account);
  *option = "payload";
  return change_payload(c, r, err);
}

int ck_change_follow_ups(const struct ck_conversation_change *c, struct ck_str before, int64_t now,
                         struct ck_row *row, struct ck_buf *json, struct ck_err *bad,
                         const char **option, struct ck_err *err) {
  struct ck_renewal r;
  bad->text[0] = '\0';
  if (!ck_changes_follow_ups(c)) return 0;
  if (ck_renewal_read(&r, before, bad) == 0) bad->text[0] = '\0';
  int rc = change_renewal(c, now, &r, option, err);
  ck_renewal_json(json, &r);
  row->v[CK_CONVERSATIONS_RENEWAL] = json->len ? ck_text(ck_buf_view(json)) : ck_null();
  ck_renewal_free(&r);
  return rc;
}

/* ---- what it was ---- */

bool ck_change_was(struct ck_row *row, const char *was) {
  struct ck_str to = ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS);
  if (ck_str_is(to, "paused") && strcmp(was, "paused") == 0)
    row->v[CK_CONVERSATIONS_PAUSED_AT] = (struct ck_value){0};
  return ck_str_is(to, "auto") && strcmp(was, "auto") == 0;
}
