/* What the files of the model's rules give each other. */
#ifndef CK_TEST_STORE_MODEL_RULES_H
#define CK_TEST_STORE_MODEL_RULES_H

#include "test_store_model_values.h"

#define A_DAY (24 * 3600 * 1000)

/* A write, as far as the rules look at it. */
struct writing {
  struct m_value given[M_COLUMNS];
  int64_t age[M_COLUMNS]; /* of each value that is given */
  bool owner, news, made_up;
  struct m_value details; /* of a message, if nobody gives some */
};

/* ---- test_store_model_state.c ---- */

struct m_value *m_at(struct m_record *r, int table, const char *column);
struct m_record *m_link_of(struct m_state *s, struct m_value platform, struct m_value remote);
struct m_lease *m_lease_of(struct m_state *s, struct ck_str job);
/* The message is one of the conversation's own since the changeset's last session. */
void m_note_own(struct model *m, struct m_record *message);
/* Gives what has changed the next version; `old` is NULL for a new record. False: refused. */
bool m_store(struct model *m, int table, struct m_record *old, struct m_record *changed);

/* ---- test_store_model_ages.c ---- */

/* More than so far ahead of the clock; by more than 2 s. */
bool m_is_beyond(const struct model *m, int64_t time, int64_t most);
bool m_is_ahead(const struct model *m, int64_t time);
/* The field by which a write is late, or NULL. */
const char *m_own_time(int table);
void m_read_ages(int table, struct ck_str text, int64_t age[M_COLUMNS]);
void m_write_ages(struct model *m, int table, struct m_record *r);
void m_set_ages(struct model *m, int table, struct writing *w, int64_t age);

/* ---- test_store_model_merge.c ---- */

bool m_insert(struct model *m, int table, const struct writing *w);
bool m_merge(struct model *m, int table, struct m_record *old, const struct writing *w);

/* ---- test_store_model_ids.c ---- */

/* Each id of the write becomes that by which its conversation has it. */
void m_find_ids(struct model *m, int table, struct writing *w);
/* Those that have the id as their parent have the derived one from here on, by version. */
bool m_turn_children(struct model *m, struct ck_str from, struct m_value to);
/* The changeset has put what was there. */
void m_note_known(struct model *m, int table, struct m_record *old);
/* Such a message in another conversation, or NULL. */
const struct m_record *m_copied(struct model *m, const struct m_mutation *w,
                                const struct m_value *given);

/* ---- test_store_model_away.c ---- */

/* The record says that this one was forgotten, and stays away; NULL: it does not. */
const struct m_gone *m_away(struct model *m, int table, struct ck_str key);
/* A source's row, by ids as its conversation has them, is left out. */
bool m_leaves_out(struct model *m, int table, const struct m_value v[]);
/* A part of the write would lead the record that is there, or NULL, to what is away. */
bool m_leads_away(struct model *m, const struct m_record *old, int table,
                  const struct m_value given[]);
/* Leaves out of a row what is about something that is away; old: what it is merged into, or NULL.
 */
void m_drop_away(struct model *m, const struct m_record *old, int table, struct m_value given[]);
/* False: refused. */
bool m_forget(struct model *m, const struct ck_forget *w);
bool m_remember(struct model *m, const struct ck_remember *w);

/* ---- test_store_model_mend.c ---- */

/* The order of two records by their keys. */
int m_by_key(const void *a, const void *b);
/* Conversations that had the message get another last one, in the order of their ids. */
void m_mend_conversations(struct model *m, const struct m_record *gone);
/* Sessions of the message's conversation lose their summaries, in the order of their ids. */
void m_mend_sessions(struct model *m, const struct m_record *gone);

/* ---- test_store_model_waits.c ---- */

/* A record changes (old NULL: it is new), and with it what it waits for. */
void m_follow_wait(struct model *m, int table, struct m_record *old, struct m_record *changed);
/* A delivery has ended, after which its conversation rests. False: refused. */
bool m_rest(struct model *m, struct m_record *conversation, int64_t until);

/* ---- test_store_model_jobs.c ---- */

bool m_put_job(struct model *m, const struct writing *w);
bool m_claim(struct model *m, const struct ck_claim *w);
bool m_end(struct model *m, const struct ck_end *w);
/* What FORGET takes out of the jobs of a conversation, one of whose messages goes. */
void m_forget_errors(struct model *m, struct ck_str conversation);

#endif
