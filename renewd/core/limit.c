/* See limit.h.
 *
 * A limit's text is its beginning ("You've hit your session limit"), then clauses: when it ends,
 * and what else could be done ("upgrade to Pro", "/upgrade"). */
#include "renewd/core/limit_time.h"

/* The longest text that is looked at; Codex's, with its two addresses, has 250 bytes. */
#define TEXT_MAX 600

/* "3pm" has a unit right behind a number, so a bare number is a word of its own here. */
static bool take_number_word(struct ck_str *s) {
  size_t n = 0;
  while (n < s->n && s->s[n] >= '0' && s->s[n] <= '9') n++;
  *s = (struct ck_str){s->s + n, s->n - n};
  return n > 0;
}

static bool take_any(struct ck_str *s, const char *const *words) {
  for (; *words; words++)
    if (renew_take_words(s, *words)) return true;
  return false;
}

/* ---- the beginning ---- */

/* Which limit: "session", "weekly Opus", "5-hour"; nothing else can be before "limit reached". */
static void take_which(struct ck_str *s) {
  static const char *const words[] = {
      "claude ",  "code ",           "codex ",       "ai ",         "usage ",
      "session ", "daily ",          "weekly ",      "monthly ",    "hourly ",
      "hour ",    "-hour ",          "day ",         "-day ",       "opus ",
      "sonnet ",  "haiku ",          "fable ",       "gpt ",        "rate ",
      "message ", "messages ",       "plan ",        "plan's ",     "pro ",
      "max ",     "free ",           "team ",        "account ",    "account's ",
      "org's ",   "organization's ", "workspace's ", "all-models ", NULL};
  while (take_any(s, words) || take_number_word(s)) {
  }
}

static bool take_reached(struct ck_str *s) {
  struct ck_str rest = *s;
  take_which(&rest);
  if (!renew_take_words(&rest, "limit reached")) return false;
  *s = rest;
  return true;
}

/* "You've hit your weekly limit for Opus 4.5." */
static bool take_hit(struct ck_str *s, bool *spend) {
  static const char *const heads[] = {
      "you've hit your ", "you have hit your ", "you've reached your ",  "you have reached your ",
      "you hit your ",    "you've hit the ",    "you've exceeded your ", NULL};
  static const char *const money[] = {"spend cap", "spending cap", "spend limit", "spending limit",
                                      NULL};
  struct ck_str rest = *s;
  if (!take_any(&rest, heads)) return false;
  take_which(&rest);
  *spend = take_any(&rest, money);
  if (!*spend && !renew_take_words(&rest, "limit")) return false;
  *s = rest;
  return true;
}

static const char *const without_money[] = {"you're out of extra usage",
                                            "you are out of extra usage",
                                            "out of extra usage",
                                            "you're out of usage credits",
                                            "you're out of credits",
                                            "your workspace is out of credits",
                                            "workspace is out of credits",
                                            "quota exceeded",
                                            "you exceeded your current quota",
                                            "credit balance is too low",
                                            "your credit balance is too low",
                                            "to use codex with your chatgpt plan",
                                            NULL};

static enum renew_limit_kind take_head(struct ck_str *s) {
  bool spend;
  if (take_any(s, without_money)) return RENEW_LIMIT_LASTS;
  if (take_hit(s, &spend)) return spend ? RENEW_LIMIT_LASTS : RENEW_LIMIT_PASSES;
  return take_reached(s) ? RENEW_LIMIT_PASSES : RENEW_NO_LIMIT;
}

/* ---- the clauses ---- */

static bool take_mark(struct ck_str *s) {
  static const char *const marks[] = {"\xc2\xb7",
                                      "\xe2\x88\x99",
                                      "\xe2\x80\xa2",
                                      "\xe2\x80\x94",
                                      "\xe2\x80\x93",
                                      ".",
                                      ",",
                                      ";",
                                      ":",
                                      "|",
                                      "-",
                                      "!",
                                      NULL};
  for (const char *const *m = marks; *m; m++)
    if (ck_str_starts(*s, *m)) {
      *s = (struct ck_str){s->s + strlen(*m), s->n - strlen(*m)};
      return true;
    }
  return false;
}

static void take_marks(struct ck_str *s) {
  do {
    renew_take_space(s);
  } while (take_mark(s) || renew_take_words(s, "or ") || renew_take_words(s, "and "));
}

static bool take_when(struct ck_str *s, int64_t said_at, const struct renew_clocks *clocks,
                      int64_t *until) {
  static const char *const before[] = {"your limit will reset ",
                                       "your limit resets ",
                                       "limit will reset ",
                                       "limit resets ",
                                       "it will reset ",
                                       "it resets ",
                                       "will reset ",
                                       "resets ",
                                       "please try again ",
                                       "try again ",
                                       "available again ",
                                       "until ",
                                       NULL};
  struct ck_str rest = *s;
  int64_t at;
  if (!take_any(&rest, before)) return false;
  if (renew_take_words(&rest, "later") || renew_take_words(&rest, "soon")) {
    *s = rest;
    return true;
  }
  if (!renew_take_time(&rest, said_at, clocks, &at)) return false;
  *s = rest;
  *until = at;
  return true;
}

/* What else could be done. *money: that costs something, and time is not what it is about. */
static bool take_advice(struct ck_str *s, bool *money) {
  static const char *const costs[] = {
      "/usage-credits",   "/extra-usage",        "purchase more",    "buy more", "add credits",
      "add more credits", "increase your spend", "raise your spend", NULL};
  static const char *const others[] = {"upgrade",
                                       "visit https:",
                                       "to get more access",
                                       "to continue",
                                       "to keep",
                                       "to increase",
                                       "to request",
                                       "to purchase",
                                       "switch to another model",
                                       "send a request",
                                       "contact your",
                                       "ask your admin",
                                       "check your plan",
                                       "please check your plan",
                                       "learn more",
                                       "see https:",
                                       "view your usage",
                                       "manage your",
                                       "your admin",
                                       "for more on",
                                       NULL};
  struct ck_str rest = *s;
  if (take_any(&rest, costs)) {
    *money = true;
    return true;
  }
  return take_any(&rest, others) || ck_str_starts(*s, "/") || ck_str_starts(*s, "http");
}

/* To the end of the clause; a full stop within an address is no end. */
static void skip_clause(struct ck_str *s) {
  while (s->n) {
    struct ck_str probe = *s;
    if (s->s[0] == '\n' || renew_take_words(&probe, " or ")) return;
    bool mark = take_mark(&probe), space = !probe.n || ck_space_at(probe) > 0;
    if (mark && space) return;
    *s = (struct ck_str){s->s + 1, s->n - 1};
  }
}

/* "|1760000000" */
static bool take_epoch(struct ck_str *s, int64_t *until) {
  size_t n = 0;
  while (n < s->n && s->s[n] >= '0' && s->s[n] <= '9') n++;
  return n >= 10 && renew_take_time(s, 0, NULL, until);
}

static bool take_clauses(struct renew_limit *l, struct ck_str s, bool rejected, int64_t said_at,
                         const struct renew_clocks *clocks) {
  bool money = false;
  renew_take_space(&s);
  if (renew_take_words(&s, "for ")) skip_clause(&s); /* a model's name */
  for (take_marks(&s); s.n; take_marks(&s)) {
    if (take_epoch(&s, &l->until) || take_when(&s, said_at, clocks, &l->until)) continue;
    if (!take_advice(&s, &money) && !rejected) return false;
    skip_clause(&s);
  }
  if (money) l->kind = RENEW_LIMIT_LASTS;
  if (l->until) l->kind = RENEW_LIMIT_PASSES;
  return true;
}

struct renew_limit renew_limit_read(struct ck_str text, bool rejected, int64_t said_at,
                                    const struct renew_clocks *clocks) {
  struct renew_limit l = {RENEW_NO_LIMIT, 0};
  struct ck_str s = ck_trim(text);
  if (s.n > TEXT_MAX) return l;
  if (rejected && renew_take_words(&s, "error:")) renew_take_space(&s);
  l.kind = take_head(&s);
  if (l.kind && !take_clauses(&l, s, rejected, said_at, clocks))
    l = (struct renew_limit){RENEW_NO_LIMIT, 0};
  return l;
}

struct renew_limit renew_limit_of(struct ck_str text, const struct renew_refusal *refusal,
                                  bool rejected, int64_t said_at,
                                  const struct renew_clocks *clocks) {
  struct renew_limit l = renew_limit_read(text, rejected || refusal->refused, said_at, clocks);
  if (!refusal->refused) return l;
  if (refusal->lasts) return (struct renew_limit){RENEW_LIMIT_LASTS, 0};
  if (refusal->until) return (struct renew_limit){RENEW_LIMIT_PASSES, refusal->until};
  if (l.kind == RENEW_NO_LIMIT) l.kind = RENEW_LIMIT_PASSES;
  return l;
}
