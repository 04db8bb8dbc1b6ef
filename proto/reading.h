/* The order in which a conversation is read: the current branch from its beginning, then the other
 * branches. Pure; no recursion, and n log n time for any tree, however deep.
 *
 * The messages of a conversation are a forest: each names the message before it (parent_id), the
 * first of them none. Neither may be known: such a message's place is unknown. A parent may be
 * missing, and what came from outside may even have cycles; no message is lost for that.
 */
#ifndef CK_PROTO_READING_H
#define CK_PROTO_READING_H

#include "proto/text.h"

/* Which of several messages of one time comes first, by their roles: a system's, a user's, an
 * assistant's, a tool's, then any other. If these are equal too, the lesser id. */
int ck_turn_of(struct ck_str role);

/* What is known of a message's place. Text is borrowed. */
struct ck_place {
  struct ck_str id;
  struct ck_str parent_id; /* empty: none, or unknown */
  int64_t position;        /* how many messages stand before it; negative: unknown */
  int64_t at;              /* observed_at */
  int turn;                /* ck_turn_of() its role */
};

/* A message in its place. */
struct ck_step {
  struct ck_str id;
  size_t row;            /* its number in the order of adding, from 0 */
  unsigned conversation; /* as given to ck_reading_add() */
  unsigned branch;       /* from 1, the current one */
  bool placed;           /* false: its place is unknown, it stands where its time says */
};

#define CK_NO_STEP SIZE_MAX

/* A run of steps. Branches beside the current one begin where they leave another. */
struct ck_branch {
  size_t first, count;    /* of the steps */
  struct ck_str after;    /* the message that it follows; empty: it is a beginning of its own */
  size_t after_step;      /* which step that is; CK_NO_STEP: none */
  int64_t missing_before; /* how many messages stand before its first and are not here; 0: none, or
                             it is not known */
};

struct ck_reading;

struct ck_reading *ck_reading_new(void);
void ck_reading_free(struct ck_reading **r);

/* Adds a message. conversation: 0 is the one that is read; of others, from which it was forked,
 * only the messages that lead to it are shown. A message with an id that is there already is
 * ignored. */
void ck_reading_add(struct ck_reading *r, const struct ck_place *place, unsigned conversation);

/* Puts all that was added in order. last: the conversation's last_message_id, whose branch is the
 * current one. If it is empty, not there or of unknown place, the current branch is the one that
 * ends with the newest message. May be called again after more was added. */
void ck_reading_order(struct ck_reading *r, struct ck_str last);

/* ---- the result; valid until the next ck_reading_add() or ck_reading_order() ---- */

const struct ck_step *ck_reading_steps(const struct ck_reading *r, size_t *count);
/* The branches, in the order of their steps; none if there is no message. */
const struct ck_branch *ck_reading_branches(const struct ck_reading *r, size_t *count);
/* True if the place of any message of conversation 0 is known: one whose place is not is marked
 * then. Otherwise the messages are in the order of their times. */
bool ck_reading_has_tree(const struct ck_reading *r);
/* The message before the first of the current branch, which was not added; empty: none. It may be
 * one of another conversation, whose messages can be added. */
struct ck_str ck_reading_open_end(const struct ck_reading *r);

/* ---- ways ---- */

/* The steps that are read along a branch (from 1), from the beginning of the conversation: indices
 * into the steps. There must be one. The caller frees *chosen. Returns how many. */
size_t ck_reading_along(const struct ck_reading *r, size_t branch, size_t **chosen);

/* The branches that are not read on a way, by the step after which each leaves it: numbers from 1;
 * 0: none. */
struct ck_leaving {
  size_t *first; /* by step; after the last one, those that have another beginning than the way */
  size_t *next;  /* by branch, its number less 1: the next one of the same step */
};
/* Of a way that ck_reading_along() gave. Free with ck_leaving_free(). */
void ck_leaving_find(struct ck_leaving *l, const struct ck_reading *r, const size_t *way,
                     size_t count);
void ck_leaving_free(struct ck_leaving *l);

#endif
