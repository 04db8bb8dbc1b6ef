/* Since when each conversation is on auto, and which of its messages came before: only those that
 * came later are followed up. */
#include "store/write/apply_internal.h"

static bool is_auto(const struct ck_row *conversation) {
  return ck_str_is(ck_row_text(conversation, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto");
}

/* The last message is noted at once: its conversation may have no link yet. */
static int put_on(struct apply *a, const struct ck_row *conversation, struct ck_err *err) {
  struct ck_str id = ck_row_key(conversation),
                last = ck_row_text(conversation, CK_CONVERSATIONS_LAST_MESSAGE_ID);
  if (system_run(a->system, SYSTEM_AUTO_ON, err, "si", id, (int64_t)(a->head + 1))) return -1;
  return last.n ? system_run(a->system, SYSTEM_OLDER_NOTE, err, "ssi", id, last, INT64_C(0)) : 0;
}

static int take_off(struct apply *a, struct ck_str id, struct ck_err *err) {
  return system_run(a->system, SYSTEM_AUTO_OFF, err, "s", id) ||
                 system_run(a->system, SYSTEM_OLDER_END, err, "s", id)
             ? -1
             : 0;
}

static int conversation_changes(struct apply *a, const struct entry *e, const struct ck_row *after,
                                struct ck_err *err) {
  bool was = e->exists && is_auto(&e->row), is = is_auto(after);
  if (was == is) return 0;
  if (apply_savepoint(a, err)) return -1;
  return (is ? put_on(a, after, err) : take_off(a, ck_row_key(after), err)) ? apply_failed(a) : 0;
}

/* A message's version tells that it came before, until it changes. */
static int message_changes(struct apply *a, const struct entry *e, const struct ck_row *after,
                           struct ck_err *err) {
  struct ck_str id;
  if (!e->exists) return 0;
  if (apply_linked(a, ck_row_text(after, CK_MESSAGES_PLATFORM),
                   ck_row_text(after, CK_MESSAGES_CONVERSATION_ID), &id, err))
    return -1;
  if (!id.n) return 0;
  const struct entry *c = apply_find(a, CK_CONVERSATIONS, id, err);
  if (!c) return -1;
  if (!c->exists || !is_auto(&c->row)) return 0;
  if (apply_savepoint(a, err)) return -1;
  int rc = system_run(a->system, SYSTEM_OLDER_NOTE, err, "ssi", id, ck_row_key(after),
                      (int64_t)e->version);
  return rc ? apply_failed(a) : 0;
}

int automation_changes(struct apply *a, const struct entry *e, const struct ck_row *after,
                       struct ck_err *err) {
  if (after->table == CK_CONVERSATIONS) return conversation_changes(a, e, after, err);
  return after->table == CK_MESSAGES ? message_changes(a, e, after, err) : 0;
}
