/* What was forgotten stays away: rows that a source brings again are left out and counted, until
 * a person takes it back (REMEMBER). */
#include "store/write/apply_internal.h"

#include <string.h>

void apply_home_key(struct ck_buf *key, struct ck_str platform, struct ck_str conversation) {
  ck_buf_str(key, platform);
  ck_buf_add(key, ":", 1);
  ck_buf_str(key, conversation);
}

int apply_is_forgetting(struct apply *a, struct ck_str with, struct ck_err *err) {
  if (!a->forgetting) return 0;
  sqlite3_stmt *s = system_query(a->system, SYSTEM_FORGETTING_IS, "s", with);
  int rc = system_step(a->system, s, err);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

static int is_going(struct apply *a, struct ck_str conversation, struct ck_err *err) {
  struct ck_buf id = {0};
  ck_forgotten_id(&id, CK_CONVERSATIONS, conversation);
  int rc = apply_is_forgetting(a, ck_buf_view(&id), err);
  ck_buf_free(&id);
  return rc;
}

static int home_goes(struct apply *a, struct ck_str platform, struct ck_str conversation,
                     struct ck_err *err) {
  if (!platform.n || !conversation.n) return 0;
  sqlite3_stmt *s = system_query(a->system, SYSTEM_FORGETTING_HOME, "ss", platform, conversation);
  int rc = system_step(a->system, s, err);
  system_done(s);
  return rc < 0 ? apply_failed(a) : rc;
}

static int message_goes(struct apply *a, struct ck_str id, struct ck_err *err) {
  if (!a->forgetting || !id.n) return 0;
  const struct entry *e = apply_find(a, CK_MESSAGES, id, err);
  if (!e) return -1;
  return e->exists ? home_goes(a, ck_row_text(&e->row, CK_MESSAGES_PLATFORM),
                               ck_row_text(&e->row, CK_MESSAGES_CONVERSATION_ID), err)
                   : 0;
}

int apply_row_goes(struct apply *a, const struct ck_row *row, struct ck_err *err) {
  int rc;
  if (!a->forgetting) return 0;
  switch (row->table) {
  case CK_MESSAGES:
    return home_goes(a, ck_row_text(row, CK_MESSAGES_PLATFORM),
                     ck_row_text(row, CK_MESSAGES_CONVERSATION_ID), err);
  case CK_EXECUTIONS:
    return message_goes(a, ck_row_text(row, CK_EXECUTIONS_MESSAGE_ID), err);
  case CK_SESSIONS:
    return home_goes(a, ck_row_text(row, CK_SESSIONS_PLATFORM),
                     ck_row_text(row, CK_SESSIONS_CONVERSATION_ID), err);
  case CK_CONVERSATIONS:
    return is_going(a, ck_row_key(row), err);
  case CK_LINKS:
    return is_going(a, ck_row_text(row, CK_LINKS_LOCAL_CONVERSATION_ID), err);
  case CK_JOBS:
    rc = is_going(a, ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID), err);
    return rc ? rc : message_goes(a, ck_row_text(row, CK_JOBS_MESSAGE_ID), err);
  default:
    return 0;
  }
}

static int find_id(struct apply *a, struct ck_str id, const struct ck_row **row,
                   struct ck_err *err) {
  const struct entry *e = apply_find(a, CK_FORGOTTEN, id, err);
  if (!e) return -1;
  bool away = e->exists && !ck_row_int(&e->row, CK_FORGOTTEN_TAKEN_BACK, 0);
  *row = away ? &e->row : NULL;
  return away;
}

int apply_find_forgotten(struct apply *a, enum ck_table t, struct ck_str key,
                         const struct ck_row **row, struct ck_err *err) {
  struct ck_buf id = {0};
  *row = NULL;
  if (!a->any_forgotten || !key.n) return 0;
  ck_forgotten_id(&id, t, key);
  int rc = t == CK_CONVERSATIONS ? apply_is_forgetting(a, ck_buf_view(&id), err) : 0;
  if (rc == 0) rc = find_id(a, ck_buf_view(&id), row, err);
  ck_buf_free(&id);
  return rc;
}

/* A whole conversation of the platform's. */
static int find_home(struct apply *a, struct ck_str platform, struct ck_str conversation,
                     const struct ck_row **row, struct ck_err *err) {
  struct ck_buf key = {0}, id = {0};
  *row = NULL;
  if (!a->any_forgotten || !platform.n || !conversation.n) return 0;
  apply_home_key(&key, platform, conversation);
  ck_forgotten_home_id(&id, ck_buf_view(&key));
  int rc = find_id(a, ck_buf_view(&id), row, err);
  ck_buf_free(&key);
  ck_buf_free(&id);
  return rc;
}

/* The records with which a row goes, besides the one of its own key. */
static int find_owner(struct apply *a, const struct ck_row *w, const struct ck_row **row,
                      struct ck_err *err) {
  int rc;
  switch (w->table) {
  case CK_MESSAGES:
    return find_home(a, ck_row_text(w, CK_MESSAGES_PLATFORM),
                     ck_row_text(w, CK_MESSAGES_CONVERSATION_ID), row, err);
  case CK_EXECUTIONS:
    rc = apply_find_forgotten(a, CK_MESSAGES, ck_row_text(w, CK_EXECUTIONS_MESSAGE_ID), row, err);
    if (rc == 0) rc = apply_row_goes(a, w, err);
    return rc ? rc
              : find_home(a, a->identity.home.platform, a->identity.home.conversation, row, err);
  case CK_SESSIONS:
    return find_home(a, ck_row_text(w, CK_SESSIONS_PLATFORM),
                     ck_row_text(w, CK_SESSIONS_CONVERSATION_ID), row, err);
  case CK_CONVERSATIONS:
    return find_home(a, a->identity.of_conversation.platform,
                     a->identity.of_conversation.conversation, row, err);
  case CK_LINKS:
    rc = find_home(a, ck_row_text(w, CK_LINKS_PLATFORM),
                   ck_row_text(w, CK_LINKS_REMOTE_CONVERSATION_ID), row, err);
    return rc ? rc
              : apply_find_forgotten(a, CK_CONVERSATIONS,
                                     ck_row_text(w, CK_LINKS_LOCAL_CONVERSATION_ID), row, err);
  case CK_JOBS:
    rc = apply_find_forgotten(a, CK_MESSAGES, ck_row_text(w, CK_JOBS_MESSAGE_ID), row, err);
    if (rc == 0)
      rc = apply_find_forgotten(a, CK_CONVERSATIONS, ck_row_text(w, CK_JOBS_LOCAL_CONVERSATION_ID),
                                row, err);
    return rc ? rc
              : find_home(a, a->identity.home.platform, a->identity.home.conversation, row, err);
  default:
    return 0;
  }
}

static int original_column(enum ck_table t) {
  return t == CK_MESSAGES ? CK_MESSAGES_ORIGINAL : t == CK_EXECUTIONS ? CK_EXECUTIONS_ORIGINAL : -1;
}

/* What it came in has it, too, so that is kept out. */
static int keep_original_out(struct apply *a, const struct ck_row *w, const struct ck_row *why,
                             struct ck_err *err) {
  int c = original_column(w->table);
  if (c < 0 || !why || w->v[c].state != CK_TEXT) return 0;
  if (apply_savepoint(a, err)) return -1;
  return originals_keep_out(a->originals, w->v[c].as.s,
                            ck_row_text(why, CK_FORGOTTEN_FORGOTTEN_WITH), err)
             ? apply_failed(a)
             : 0;
}

/* A link is looked up by the platform's conversation first, so the record that it is merged into
 * need not be the one under its own id. That one may be going, too. */
static int own_link_goes(struct apply *a, const struct ck_row *w, struct ck_err *err) {
  if (!a->forgetting || w->table != CK_LINKS) return 0;
  const struct entry *e = apply_find(a, CK_LINKS, ck_row_key(w), err);
  if (!e) return -1;
  return e->exists ? apply_row_goes(a, &e->row, err) : 0;
}

int apply_leaves_out(struct apply *a, const struct ck_row *w, struct ck_err *err) {
  const struct ck_row *why;
  if (!a->any_forgotten) return 0;
  int rc = apply_find_forgotten(a, w->table, ck_row_key(w), &why, err);
  if (rc == 0) rc = own_link_goes(a, w, err);
  if (rc == 0) rc = find_owner(a, w, &why, err);
  if (rc > 0 && keep_original_out(a, w, why, err)) return -1;
  if (rc > 0 && w->table == CK_MESSAGES) ++a->counts.forgotten;
  return rc;
}

/* A row need not say all of whose it is, and what of it is taken depends on ages: no part of it may
 * lead into a home that was forgotten. */
int apply_joins_forgotten(struct apply *a, const struct entry *e, const struct ck_row *w,
                          struct ck_err *err) {
  const struct ck_row *why;
  if (!a->any_forgotten || !e->exists) return 0;
  int rc = apply_row_goes(a, &e->row, err);
  if (w->table != CK_MESSAGES && w->table != CK_SESSIONS && w->table != CK_LINKS) return rc;
  for (unsigned mask = 1; rc == 0 && mask < 4; ++mask) {
    struct ck_row mixed = e->row;
    for (int c = 0; c < ck_tables[w->table].columns; ++c) {
      bool platform = strcmp(ck_tables[w->table].fields[c].name, "platform") == 0;
      if (w->v[c].state == CK_TEXT && mask & (platform ? 1u : 2u)) mixed.v[c] = w->v[c];
    }
    rc = find_owner(a, &mixed, &why, err);
  }
  return rc;
}

/* 1: a message of the platform's conversation was forgotten, of an empty one: one without; 0; -1.
 */
static int misses_message(struct apply *a, struct ck_str platform, struct ck_str conversation,
                          struct ck_err *err) {
  sqlite3_stmt *s =
      system_query(a->system, SYSTEM_MESSAGES_FORGOTTEN, "ss", platform, conversation);
  int some = system_step(a->system, s, err);
  system_done(s);
  return some < 0 ? apply_failed(a) : some;
}

/* Its source has made the summary of all messages, also of one that was forgotten. */
static int drop_summary(struct apply *a, struct ck_row *conversation, struct ck_err *err) {
  const struct home *h = &a->identity.of_conversation;
  struct ck_value *summary = &conversation->v[CK_CONVERSATIONS_SUMMARY];
  if (summary->state != CK_TEXT || !h->platform.n || !h->conversation.n) return 0;
  int some = misses_message(a, h->platform, h->conversation, err);
  if (some > 0) *summary = (struct ck_value){0};
  return some < 0 ? -1 : 0;
}

/* So it is with a session's, whose platform and conversation may be those of the row, or of the
 * record that it is merged into. */
static int drop_session_summary(struct apply *a, const struct entry *e, struct ck_row *w,
                                struct ck_err *err) {
  struct ck_value *summary = &w->v[CK_SESSIONS_SUMMARY];
  if (summary->state != CK_TEXT) return 0;
  int some = 0;
  for (unsigned mask = e->exists ? 0 : 3; some == 0 && mask < 4; ++mask) {
    const int columns[] = {CK_SESSIONS_PLATFORM, CK_SESSIONS_CONVERSATION_ID};
    struct ck_str home[2];
    for (int i = 0; i < 2; ++i) {
      bool given = !e->exists || (mask & 1u << i && w->v[columns[i]].state == CK_TEXT);
      home[i] = ck_row_text(given ? w : &e->row, columns[i]);
    }
    some = misses_message(a, home[0], home[1], err);
  }
  if (some > 0) *summary = (struct ck_value){0};
  return some < 0 ? -1 : 0;
}

int apply_drop_forgotten(struct apply *a, const struct entry *e, struct ck_row *w,
                         struct ck_err *err) {
  const struct ck_row *why;
  int c = original_column(w->table);
  if (!a->any_forgotten) return 0;
  if (c >= 0 && w->v[c].state == CK_TEXT) {
    int out = originals_keeps_out(a->originals, w->v[c].as.s, err);
    if (out < 0) return apply_failed(a);
    if (out) w->v[c] = (struct ck_value){0};
  }
  if (w->table == CK_SESSIONS) return drop_session_summary(a, e, w, err);
  if (w->table != CK_CONVERSATIONS) return 0;
  if (drop_summary(a, w, err)) return -1;
  struct ck_str last = ck_row_text(w, CK_CONVERSATIONS_LAST_MESSAGE_ID);
  int rc = apply_find_forgotten(a, CK_MESSAGES, last, &why, err);
  if (rc == 0) rc = message_goes(a, last, err);
  if (rc > 0)
    w->v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = w->v[CK_CONVERSATIONS_LAST_MESSAGE_AT] =
        (struct ck_value){0};
  return rc < 0 ? -1 : 0;
}
