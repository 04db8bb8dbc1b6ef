/* How a write changes a record (docs/records.md). Pure: takes the old record, the write and the
 * time, and makes the new record, without SQL, clock or I/O. */
#ifndef CK_STORE_RULES_H
#define CK_STORE_RULES_H

#include "proto/error.h"
#include "proto/ages.h"
#include "proto/summary.h"

/* What decides about a write besides its row. */
struct rules_write {
  int64_t now;  /* wall clock */
  int64_t age;  /* of a PUT: how new what it says is; 0: as new as the row's own time */
  bool owner;   /* an UPDATE: above all ages */
  bool news;    /* the changeset inserted what the write is about: for a conversation its last
                   message, for a session or link anything */
  bool made_up; /* set by rules_time: nobody said the row's own time */
  struct ck_value details; /* those of a message if nobody gives some; else CK_LEFT_OUT or NULL */
  /* For an owner's write that clears a title: what the sources say, and its age; NULL: nothing. */
  struct ck_value title;
  int64_t title_age;
  int turn; /* of two last messages of one age, which comes later in the reading order by its role:
               above 0 the one that is given; 0: their ids tell */
  char ages[CK_AGES_BYTES];      /* the new record's text */
  char summary[CK_SUMMARY_ROOM]; /* the new record's */
};

/* Trims and checks the write in place, and turns blank text into NULL. The trimmed text views the
 * same memory. Columns that are left out stay so. 0, or -1: err names table and column. */
int rules_clean(struct ck_row *write, struct ck_err *err);

/* Fills in the times and the age of a PUT that does not say them. Such a write leaves its own times
 * out (observed_at, executed_at, started_at, last_activity_at, last_message_at), and its created_at
 * says when ingest accepted it. A conversation or a link whose time is ahead of the clock by more
 * than CK_AHEAD_MS, but not by more than a day, is taken for one without a time, because follow-ups
 * are decided by it. A time that is ahead by more is none for its conversation, and below all
 * others in its session and link.
 *
 * - A message or execution gets created_at as a time that is made up (made_up).
 * - For a new session, conversation or link, and for any if `news`, created_at becomes its time.
 * - Else the write says nothing new: no time moves, and last_message_id is taken out.
 *
 * A message's created_at equals its observed_at only if the PUT that made it did not say when it
 * was made: a new message with that time gets a created_at that is one millisecond later. */
void rules_time(struct ck_row *write, const struct ck_row *old, struct rules_write *how);

/* Makes a new record of a cleaned write and the defaults. A path that is left out stays so; the
 * caller makes it. 0, or -1: a required field is missing. out borrows from write and how. */
int rules_insert(struct ck_row *out, const struct ck_row *write, struct rules_write *how,
                 struct ck_err *err);

/* Of two texts that sources give, is a the newer, or as new and greater? A total order, so that the
 * order in which several are compared does not matter: an age ahead of the clock is the lowest, and
 * of the same text the lesser age is. */
bool rules_is_newer(struct ck_value a, int64_t age_of_a, struct ck_value b, int64_t age_of_b,
                    int64_t now);

enum rules_result {
  RULES_REFUSED = -1,
  RULES_SAME,   /* at most updated_at would change: out equals old */
  RULES_QUIET,  /* only CK_QUIET columns change */
  RULES_CHANGED /* out is the changed record */
};

/* Does a PUT of a conversation name another last message, as new as the old one? */
bool rules_last_ties(const struct ck_row *old, const struct ck_row *write,
                     const struct rules_write *how);

/* Merges a cleaned write into an existing record. A write of about now beats a value whose age is
 * ahead of the clock. out borrows from old, write and how. */
enum rules_result rules_merge(struct ck_row *out, const struct ck_row *old,
                              const struct ck_row *write, struct rules_write *how,
                              struct ck_err *err);

#endif
