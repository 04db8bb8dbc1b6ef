/* What the files of the Codex source share. A rollout is a log of one thread; its items are put in
 * the form that code.h reads: codex.c tells what a line is, _items.c what an item says, _events.c
 * what happened. */
#ifndef INGEST_SOURCES_CODEX_H
#define INGEST_SOURCES_CODEX_H

#include "ingest/sources/code.h"
#include "ingest/sources/source.h"

/* How many items and events of a turn had no ids of their own. */
struct codex_count {
  unsigned items, events;
};

/* What Codex said last of its account's limits. */
struct codex_limits {
  int64_t until; /* when those end that are reached, in milliseconds; 0: not said, or none is */
  bool lasts;    /* credits or a spend cap are used up */
  struct ck_buf type; /* which of them the service says is reached; empty: it does not */
};

struct codex {
  struct code_file code;
  struct code_chat *chat;          /* of the thread; NULL until its id is known */
  bool meta;                       /* the thread's own meta data have come; later ones are copies */
  struct ck_buf turn;              /* its id; empty: none has begun */
  struct codex_count none, *count; /* count: of the turn; of lines before any turn: none */
  struct ck_buf answer;            /* the id of the answer that is open; empty: none */
  bool spoken;                     /* it has words */
  struct ck_buf thought;           /* what was thought since, for what comes next */
  struct ck_buf turns;             /* of struct code_place *: above each of the user's words */
  bool user_items, assistant_items; /* messages have come as items: events repeat them */
  bool paginated;                   /* but not in such a history */
  bool thoughts;                    /* likewise */
  struct codex_limits limits;
  struct ck_buf failure; /* what an event said last of why the turn has failed; empty: nothing */
};

/* An item or event. */
struct codex_line {
  struct codex *f;
  const struct ingest_visitor *visitor;
  const json_t *json, *payload;
  struct code_line code;
};

/* How what has this name is read. Lists end with one without a name. */
struct codex_entry {
  const char *name;
  void (*read)(struct codex_line *l);
};
/* The entry of that name; NULL: there is none. */
const struct codex_entry *codex_entry_of(const struct codex_entry *list, struct ck_str name);
/* That of what is known and says nothing. */
void codex_read_nothing(struct codex_line *l);

/* What follows is of this turn, which may have come before. */
void codex_turn(struct codex *f, struct ck_str id);
/* What follows is of another answer. */
void codex_end_answer(struct codex_line *l);
/* Reads message as a part of the answer that is open, or of a new one whose id is the line's. The
 * message is borrowed. */
void codex_answer(struct codex_line *l, json_t *message);

/* ---- codex_items.c ---- */

void codex_read_item(struct codex_line *l);
/* What somebody has said, in a list of parts. event: an item may say the same. */
void codex_said(struct codex_line *l, struct ck_str role, const json_t *parts, bool event);
/* What an agent has told another one, as an item or, in envelope, as a line of its own. */
void codex_told(struct codex_line *l, bool envelope);
/* What went wrong with the turn. */
void codex_failed(struct codex_line *l, struct ck_str text, const struct code_limit *limit);
/* What was thought; it goes to what comes next. */
void codex_thought(struct codex_line *l, const json_t *parts);
/* Nothing comes next: the thought is a part of the answer that is open, or an answer. */
void codex_settle(struct codex_line *l);

/* ---- codex_limits.c ---- */

/* Keeps what the member `rate_limits` of an event says; NULL: nothing. */
void codex_limits_told(struct codex_line *l, const json_t *rate_limits);
/* The limit with which an error has refused the turn; its type is empty if it is another error. All
 * text of it is in f->code.passing. */
struct code_limit codex_limit_of(struct codex_line *l, const json_t *error, struct ck_str text);

/* ---- codex_events.c ---- */

void codex_read_event(struct codex_line *l);

#endif
