/* Shared by apply.c (changesets and batches), apply_record.c (mutations of the six tables),
 * apply_sessions.c (what sessions count), apply_update.c (the owner's writes), apply_identity.c
 * (ids that two conversations use), apply_adopt.c (rows of another database), apply_jobs.c
 * (mutations of jobs), apply_pauses.c (pauses), apply_offers.c (jobs that clients deliver),
 * apply_attempts.c (the rows of attempts), apply_waits.c (what waits),
 * apply_resolve.c (unknown ends), apply_witness.c (the mirror's witness) and apply_system.c
 * (mutations of the store's own tables). For no other file. */
#ifndef CK_STORE_APPLY_INTERNAL_H
#define CK_STORE_APPLY_INTERNAL_H

#include "store/originals/originals.h"
#include "store/write/apply.h"
#include "store/write/rules.h"
#include "store/write/tables.h"
#include "store/files/attachments.h"

/* What a changeset put since its last session, which is what the next session counts. */
struct session_run {
  int64_t messages, executions; /* inserted, and never there before */
  int64_t back;                 /* messages that somebody had deleted: they were counted once */
  int64_t doubtful; /* inserted executions of messages that were there: new, or deleted before */
  bool known;       /* it put a message or an execution that existed */
  bool copies;      /* what it puts is a message of another conversation, which a fork has copied */
  bool copied;      /* it put such a one */
  bool own;         /* it put a message of the session's conversation; */
  int64_t own_from; /* the earliest time of those */
  const struct entry *known_message; /* the last such message, or one that is back; NULL: none */
};

/* A session whose counts are to be compared with the database before the commit. */
struct recount {
  struct entry *session;
  bool all; /* its record was deleted, so the whole conversation is searched */
};

/* Whose messages a changeset puts: the platform's conversation. Text is borrowed. */
struct home {
  struct ck_str platform, conversation;
};

struct identity {
  struct home home;    /* of the present changeset's last message or session */
  struct home session; /* of its first session */
  struct home
      of_conversation; /* of the last conversation that it put: whose that is at its source */
  bool searched;       /* the changeset was searched for that one */
  bool knows_parents;  /* `parents` has the hashes of what messages of this home have as parents */
  struct ck_buf parents; /* uint32_t each */
};

/* What this batch does to a mirror once it is durable, and what it finds about its witness. */
struct mirror_news {
  bool ended;        /* leases */
  uint64_t backfill; /* one begins, up to this version; 0: none */
  enum { FIT_NEWS_NONE, FIT_NEWS_FITS, FIT_NEWS_ALARM, FIT_NEWS_SET_BACK, FIT_NEWS_FORGET } what;
  char before[FIT_BEFORE];
  uint64_t least;
  uint64_t written; /* the witness has this version at least; 0: nothing new */
  bool checks;      /* check is new */
  struct fit_check check;
};

struct apply {
  sqlite3 *db;
  struct system_tables *system;
  struct mirrors *mirrors;
  struct tables *tables;
  struct originals *originals;
  struct attachments *attachments;
  struct cache *cache;
  migration *const *steps; /* the schema is to be what they make; NULL: not looked at */
  int64_t data_version;    /* SQLite's, when the schema was last looked at */
  uint64_t head;           /* newest version, also of what is not committed yet */
  uint64_t committed;      /* newest durable version */
  uint64_t serial;         /* counts the changesets: the present one's number */
  int64_t now;
  int64_t missing[CK_TABLES];  /* counted and not there; not known of messages */
  int64_t returned[CK_TABLES]; /* of those, in this transaction */
  int64_t added[CK_TABLES];    /* inserted in this transaction, without what came back */
  struct recount *recounts;    /* of this transaction */
  size_t recount_count, recount_cap;
  bool pruned;          /* in this batch old attempts were deleted */
  bool waits_pruned;    /* likewise waits that are over */
  struct ck_buf source; /* the platform that was noted last, and when; perhaps not committed */
  int64_t source_at;
  int64_t said_at; /* wall: when whoever ends an attempt decided on the waits; 0: no attempt ends */
  bool savepoint;  /* the present changeset has changed the store's own tables */
  bool failed;     /* the database failed; false if a rule was broken */
  bool met_damage; /* ever: it is damaged */
  bool forgot;     /* in this transaction something was forgotten */
  bool any_forgotten; /* ever */
  bool forgetting;    /* something is still to be deleted; may be wrong while it is true */
  bool unnamed; /* in this transaction records were changed that the cache may have otherwise */
  int64_t forget_rows; /* how much of that one transaction deletes */
  /* The present changeset. */
  struct ck_str mutations;
  struct session_run run;
  struct ck_buf last_inserted; /* the id of the message that was inserted last, also before */
  struct identity identity;
  int64_t fresh[CK_TABLES]; /* inserted */
  int64_t back[CK_TABLES];  /* among them: somebody had deleted them */
  bool knows; /* it has put a message that was there before, even if it was deleted since */
  bool inserted, updated;
  struct ck_counts counts;   /* of its messages */
  struct ck_claimed claimed; /* by renewd; without a job_id: nothing. Texts are in `frame` and of
                                the changeset */
  uint64_t *counted;         /* the one of them that has its last message; NULL: no message yet */
  size_t published_before, ended_before, recounts_before;
  struct mirror_news news[CK_SINKS_MAX], news_before[CK_SINKS_MAX]; /* as in mirrors->at */
  uint64_t pauses;     /* another number with each change of the table */
  bool pauses_changed; /* in this batch, or perhaps not: a changeset of it may have been undone */
  struct ck_delivery *published;
  size_t published_count, published_cap;
  struct ended {
    struct leases *leases;
    uint64_t generation;
  } * ended; /* the mirrors' leases that this batch ends */
  size_t ended_count, ended_cap;
  struct ck_arena frame, batch; /* text of the present changeset; of this batch's deliveries */
  struct ck_buf path;
};

/* Notes that the database failed (no rule was broken), so that the whole batch is abandoned.
 * Returns -1. */
int apply_failed(struct apply *a);

/* To be called before a changeset changes the store's own tables. Their SQL runs at once, unlike
 * that of the cached records; this makes it undone with the changeset. 0 or -1. */
int apply_savepoint(struct apply *a, struct ck_err *err);

/* A changeset begins; it was applied. 0 or -1. */
void apply_start(struct apply *a, int64_t now);
int apply_accept(struct apply *a, struct ck_err *err);

/* The record's entry; its `exists` says whether there is one. NULL: the database failed. */
struct entry *apply_find(struct apply *a, enum ck_table t, struct ck_str key, struct ck_err *err);

/* *found: the record with this row's unique key, or NULL. 0 or -1. */
int apply_find_unique(struct apply *a, const struct ck_row *like, struct entry **found,
                      struct ck_err *err);

/* *id: of the conversation whose link has this remote conversation, or empty. 0 or -1. */
int apply_linked(struct apply *a, struct ck_str platform, struct ck_str remote, struct ck_str *id,
                 struct ck_err *err);

/* Reads a mutation's row; text is borrowed. 0, or -1: what is wrong with it. */
int apply_decode_row(struct apply *a, struct ck_row *row, struct ck_str table, struct ck_str map,
                     struct ck_err *err);

/* Inserts the record, or merges the write into it (PUT); the write is cleaned in place, and gets
 * the key that the record has here. 0 or -1. */
int apply_put(struct apply *a, struct ck_row *write, int64_t age, struct ck_err *err);

/* Makes `after` the record's newest state, with the next version, after checking size, references
 * and unique key. 0 or -1. */
int apply_change(struct apply *a, struct entry *e, const struct ck_row *after, struct ck_err *err);

/* Makes a new record of the write. 0 or -1. */
int apply_insert(struct apply *a, struct entry *e, const struct ck_row *write,
                 struct rules_write *how, struct ck_err *err);
/* Merges a write into an existing record. 0 or -1. */
int apply_merge(struct apply *a, struct entry *e, const struct ck_row *write,
                struct rules_write *how, struct ck_err *err);
/* Merges the owner's write into a record that must exist. 0 or -1. */
int apply_update(struct apply *a, struct ck_row *write, struct ck_err *err);

/* Changes the record's CK_QUIET columns only: no new version. */
void apply_note(struct apply *a, struct entry *e, const struct ck_row *after);

/* Reads the row of a PUT or UPDATE; only a JSON column's value may be made in the frame's arena. 0
 * or -1. */
int apply_decode_row(struct apply *a, struct ck_row *row, struct ck_str table, struct ck_str map,
                     struct ck_err *err);

/* count + more, or INT64_MAX if that is less. */
int64_t apply_sum(int64_t count, int64_t more);

bool apply_is_running(const struct ck_row *job);
/* Is the job done or failed? */
bool apply_is_over(const struct ck_row *job);

/* The job's entry; NULL when there is none, with the reason, or the database failed. */
struct entry *apply_find_job(struct apply *a, struct ck_str id, struct ck_err *err);
/* The same; NULL also when the job is not pending. */
struct entry *apply_find_pending(struct apply *a, struct ck_str id, struct ck_err *err);

/* ---- apply_sessions.c ---- */

/* May this execution or session, which is inserted, have been there before? An execution if its
 * message was; a session if a message of its day was, or no new one comes with it. */
bool sessions_knew(struct apply *a, const struct entry *e);
/* The changeset has inserted this message or execution (or a record that no session counts). */
void sessions_inserted(struct apply *a, const struct entry *e);
/* The changeset has put this record, which was there. 0 or -1. */
int sessions_repeats(struct apply *a, const struct entry *e, struct ck_err *err);
/* Did it insert anything since its last session? */
bool sessions_run_inserts(const struct session_run *run);
/* PUTs a session. 0 or -1. */
int sessions_put(struct apply *a, struct entry *e, struct ck_row *write, struct rules_write *how,
                 struct ck_err *err);
/* To be called when the transaction's messages and executions are in the database, and before its
 * sessions: sets right the counts that are in doubt. 0 or -1. */
int sessions_recount(struct apply *a, struct ck_err *err);

/* ---- apply_adopt.c ---- */

/* Of a conversation or a link that is PUT: if no conversation has the id PLATFORM:REMOTE, and there
 * is a link of that remote conversation, its conversation is the one that is meant. 0 or -1. */
int apply_find_home(struct apply *a, struct ck_row *write, struct ck_err *err);

/* ---- apply_identity.c ---- */

/* The message is of the conversation whose messages the changeset puts. */
bool identity_is_home(const struct apply *a, const struct ck_row *message);

/* A changeset begins. */
void identity_begin(struct apply *a);
/* Puts the ids that a cleaned PUT means into its row: those of its conversation, where the id that
 * is given belongs to another. 0 or -1. */
int identity_find(struct apply *a, struct ck_row *write, struct ck_err *err);
/* What the details of a message whose id is not the given one say if its source gives none; else
 * NULL. */
struct ck_value identity_details(struct apply *a, const struct ck_row *write, struct ck_str given);
/* To be called when a message changes. */
void identity_changed(struct apply *a, const struct ck_row *message);
/* To be called when a message was inserted, with the id that was given and the one that was meant:
 * turns those to it that have it as their parent. 0 or -1. */
int identity_inserted(struct apply *a, struct ck_str given, struct ck_str id, struct ck_err *err);

/* Whose row the present mutation brings, where its source says so. Text is borrowed. */
void identity_of(struct apply *a, struct ck_str platform, struct ck_str conversation);
/* Turns a message's id to what it means in that conversation. 0 or -1. */
int identity_means(struct apply *a, struct ck_value *message_id, struct ck_err *err);
/* Of a row of another store, for that conversation: turns the ids that were derived there back to
 * those of the source. */
void identity_of_source(const struct apply *a, struct ck_row *row);

/* ---- apply_forgotten.c ---- */

/* Appends the id of a platform's conversation, as sources have it. */
void apply_home_key(struct ck_buf *key, struct ck_str platform, struct ck_str conversation);
/* 1: this is still being forgotten: "TABLE/KEY" of what was named; 0; -1. */
int apply_is_forgetting(struct apply *a, struct ck_str with, struct ck_err *err);
/* 1: this record, which is still there, belongs to a conversation that is being forgotten: it is as
 * if it were not there; 0; -1. */
int apply_row_goes(struct apply *a, const struct ck_row *row, struct ck_err *err);
/* 1: this record was forgotten and stays away, *row is what is kept of it, or NULL of a
 * conversation that is still being forgotten; 0; -1. */
int apply_find_forgotten(struct apply *a, enum ck_table t, struct ck_str key,
                         const struct ck_row **row, struct ck_err *err);
/* 1: the row that a source brings is of something that was forgotten: it is left out, and
 * counted; 0; -1. */
int apply_leaves_out(struct apply *a, const struct ck_row *w, struct ck_err *err);
/* 1: the record that the row would be merged into is being forgotten, or would belong to something
 * that was; 0; -1. */
int apply_joins_forgotten(struct apply *a, const struct entry *e, const struct ck_row *w,
                          struct ck_err *err);
/* Leaves out of a row, which is merged into e, what names or may tell something that was forgotten:
 * its original; a conversation's last message; the summary of a conversation or a session while one
 * of the conversation's messages is. 0 or -1. */
int apply_drop_forgotten(struct apply *a, const struct entry *e, struct ck_row *w,
                         struct ck_err *err);

/* ---- apply_offers.c ---- */

/* What a lease has besides, if it is a client's; all empty: renewd's. */
struct client_lease {
  struct ck_str client;
  int64_t until, left, rest; /* left: of the time to `until` */
};
/* May this CLAIM be made? A client's must name the job's offer, and gets a lease; renewd's is
 * refused while the job is offered. *account: what it is charged to. 0, or -1 with the reason. */
int offer_claimed(struct apply *a, const struct ck_claim *m, struct client_lease *lease,
                  struct ck_str *account, struct ck_err *err);
/* The job changes: withdraws its offer. 0 or -1. */
int offer_withdraw(struct apply *a, struct ck_str job_id, struct ck_err *err);
/* May this END be made? If a client makes it, changes it by what holds for clients, and sets
 * *by_client. 0, or -1 with the reason. */
int lease_ends(struct apply *a, const struct entry *job, struct ck_end *end, bool *by_client,
               struct ck_err *err);

/* ---- apply_jobs.c ---- */

/* As mutate_end. known: the end is what came of the attempt (attempt_ends). */
int end_attempt(struct apply *a, const struct ck_end *said, bool known, struct ck_err *err);

/* ---- apply_automation.c ---- */

/* A conversation changes: notes since when it is on auto. A message does: notes that it came before
 * its conversation was put on auto. To be called before the record changes. 0 or -1. */
int automation_changes(struct apply *a, const struct entry *e, const struct ck_row *after,
                       struct ck_err *err);

/* ---- apply_sources.c ---- */

/* A message is inserted or changes: notes that its platform has told something. 0 or -1. */
int source_changes(struct apply *a, const struct ck_row *after, struct ck_err *err);

/* ---- apply_waits.c ---- */

/* A job or a conversation changes: what it waits for is kept with its length. To be called before
 * the record changes. 0 or -1. */
int wait_changes(struct apply *a, const struct entry *e, const struct ck_row *after,
                 struct ck_err *err);
/* Does a rest of the conversation until that time, by the clock of whoever told it, end later than
 * what is left of the present one, whatever the wall clock showed when that began? 1, 0 or -1.
 * *until becomes 1 ms later if the clock, stepped back, names the end of the other one again: so
 * the row changes, and whoever follows it learns of the new rest. */
int rest_is_later(struct apply *a, const struct entry *e, int64_t *until, struct ck_err *err);

/* ---- apply_pauses.c ---- */

/* Pauses everything, until a person ends it. 0 or -1. */
int pause_everything(struct apply *a, struct ck_err *err);

/* The job is over: its pause, if it has one, is forgotten. 0 or -1. */
int pause_ends(struct apply *a, struct ck_str job_id, struct ck_err *err);

/* 0: no pause holds for the job, but for one of its account. -1 with the reason. */
int pauses_check(struct apply *a, const struct ck_row *job, const struct ck_row *conversation,
                 struct ck_err *err);
/* The same of the account, which whoever offers or claims the job knows. */
int pauses_check_account(struct apply *a, struct ck_str account, struct ck_err *err);

/* ---- apply_attempts.c ---- */

/* The claim of this job, whose row is the new one: its attempt is a row from now on. 0 or -1. */
int attempt_begins(struct apply *a, const struct ck_row *job, const struct ck_claim *m, int64_t at,
                   struct ck_err *err);
/* The job's newest attempt ends, or is found to have ended otherwise. outcome: in the words of who
 * ends it. charged: it counts as a delivery; an attempt of unknown end does so still, unless
 * `known` says that the end is what came of it, and not what a person wants. What the end does not
 * say stays as it was. To be called before the job's row changes. 0, or -1 with the reason. */
int attempt_ends(struct apply *a, const struct ck_end *end, struct ck_str outcome, bool charged,
                 bool known, struct ck_err *err);
/* The job stops running: its attempt ends as unknown if nobody has ended it. 0 or -1. */
int attempt_taken(struct apply *a, struct ck_str job_id, struct ck_err *err);

/* ---- apply_witness.c ---- */

/* The mirror in the sink that a mutation names. NULL: this store has none there; err says so. what:
 * the mutation. */
struct mirror *apply_mirror(struct apply *a, struct ck_str sink, const char *what,
                            struct ck_err *err);
/* What this batch does to it. */
struct mirror_news *apply_news(struct apply *a, const struct mirror *mirror);

/* Does the mirror's witness not fit, as far as is known? */
bool witness_alarm(const struct mirror *mirror);
/* -1: the mirror itself fits, and nothing is handed out for it only because another's witness says
 * that the database was set back; the reason, for `what`, names that one. 0: it is not held. */
int witness_held(struct apply *a, const struct mirror *mirror, const char *what,
                 struct ck_err *err);
/* The batch is durable: what it found about the mirror's witness holds. */
void witness_committed(const struct mirror *mirror, const struct mirror_news *n);

/* mutate_NAME: one function for each mutation. 0, or -1 with the reason. */
#define APPLY_MUTATE(NAME, name, number) \
  int mutate_##name(struct apply *a, const struct ck_##name *m, struct ck_err *err);
CK_MUTATION_LIST(APPLY_MUTATE)
#undef APPLY_MUTATE

#endif
