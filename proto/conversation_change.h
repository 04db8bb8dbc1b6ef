/* What a person changes of a conversation: its columns, and what is said of its follow-ups
 * (renewal.h). For the command line and for webd. */
#ifndef CK_PROTO_CONVERSATION_CHANGE_H
#define CK_PROTO_CONVERSATION_CHANGE_H

#include "proto/records.h"

/* Values as a person writes them; NULL: it stays as it is.
 *
 * F(name, the option of `set`, the member in JSON) */
#define CK_CONVERSATION_CHANGES(F) \
  F(automation, "automation", "automation") \
  F(title, "title", "title") /* empty: none, as of summary */ \
  F(summary, "summary", "summary") \
  F(cooldown, "cooldown-until", "cooldown_until") /* TIME or none, as of until */ \
  F(until, "until", "until")                      /* this and what follows, of the follow-ups */ \
  F(after, "stop-after", "stop_after")            /* a number, or default, as all but until */ \
  F(alike, "stop-alike", "stop_alike") \
  F(per_day, "per-day", "per_day") \
  F(cost_per_day, "cost-per-day", "cost_per_day") /* as proto/cost.h has it */ \
  F(tokens_per_day, "tokens-per-day", "tokens_per_day") \
  F(text, "stop-text", "stop_text") \
  F(question, "stop-question", "stop_question") /* yes, no */ \
  F(quiet, "quiet", "quiet") \
  F(payload, "payload", "payload") \
  F(payload_kind, "payload-kind", "payload_kind") \
  F(account, "account", "account")

struct ck_conversation_change {
#define CK_F(name, option, member) const char *name;
  CK_CONVERSATION_CHANGES(CK_F)
#undef CK_F
};

/* Any of it is given; anything of the follow-ups is. */
bool ck_changes_anything(const struct ck_conversation_change *c);
bool ck_changes_follow_ups(const struct ck_conversation_change *c);

/* Those that go together, do; 0, or -1 with the reason, and *option names what is wrong. */
int ck_change_check(const struct ck_conversation_change *c, const char **option,
                    struct ck_err *err);
/* Fills row with the columns to change, but for `renewal`; texts are borrowed. now: wall time in
 * ms. 0; or -1 with the reason, and *option names what is wrong. */
int ck_change_columns(const struct ck_conversation_change *c, int64_t now, struct ck_row *row,
                      const char **option, struct ck_err *err);
/* Sets the column `renewal` in row, from what it was (empty: nothing was said). *json is what it
 * borrows. *bad: why what was there cannot be read whole; empty: it can. As above. */
int ck_change_follow_ups(const struct ck_conversation_change *c, struct ck_str before, int64_t now,
                         struct ck_row *row, struct ck_buf *json, struct ck_err *bad,
                         const char **option, struct ck_err *err);

/* One that was paused already keeps when. was: its automation_status before. True: it was on auto
 * and is put on auto, so it goes on if it was stopped: a RESUME belongs to the change. */
bool ck_change_was(struct ck_row *row, const char *was);

#endif
