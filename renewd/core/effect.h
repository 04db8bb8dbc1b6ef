/* What follows from an event, for the daemon to do: in this order, after the step. The list has an
 * arena with all its texts; the core adds to it, the daemon empties it. Pure. */
#ifndef RENEWD_CORE_EFFECT_H
#define RENEWD_CORE_EFFECT_H

#include "proto/wire.h"
#include "renewd/core/event.h"

enum renew_effect_kind {
  RENEW_QUERY,   /* ask the store; ANSWER comes */
  RENEW_TELL,    /* tell the store, until it has given a receipt; RECEIPT comes */
  RENEW_SEND,    /* deliver through the target's channel; RESULT comes */
  RENEW_CANCEL,  /* make that delivery end soon; its RESULT comes */
  RENEW_ABANDON, /* give that delivery up; nothing comes */
  RENEW_SAY      /* write a line into renewd's log */
};

/* One pair of a line in the log. */
struct renew_pair {
  const char *name;
  struct ck_str text; /* empty: the number */
  int64_t number;
  bool quoted;
};
#define RENEW_PAIRS 5

enum renew_level { RENEW_SAY_DEBUG, RENEW_SAY_INFO, RENEW_SAY_WARN };

struct renew_line {
  enum renew_level level;
  struct ck_str subject; /* the job or conversation */
  const char *event;
  struct renew_pair pairs[RENEW_PAIRS];
  unsigned n;
};

struct renew_effect {
  enum renew_effect_kind kind;
  uint64_t ticket; /* 0: nothing is to come */
  union {
    struct renew_question query;
    struct {
      struct ck_mutation mutation; /* PUT and UPDATE have only their kind, and the row */
      const struct ck_row *row;
      const struct ck_mutation *limit; /* in the same changeset; NULL: nothing */
    } tell;
    struct {
      struct ck_str job_id, snapshot; /* the target */
      struct ck_str letter;           /* one JSON object without line breaks */
      struct ck_str payload;          /* what it says: the payload of the job */
    } send;
    struct renew_line say;
  } as;
};

/* Zero-initialise. */
struct renew_effects {
  struct renew_effect *v;
  size_t n, room;
  struct ck_arena arena;
};

/* ---- adding; the texts are copied ---- */

void renew_query(struct renew_effects *out, uint64_t ticket, const struct renew_question *q);
/* Not PUT or UPDATE. */
void renew_tell(struct renew_effects *out, uint64_t ticket, const struct ck_mutation *m);
/* LIMIT goes along with the TELL that was added last. */
void renew_tell_limit(struct renew_effects *out, const struct ck_mutation *limit);
/* PUT or UPDATE. */
void renew_tell_row(struct renew_effects *out, uint64_t ticket, enum ck_mutation_kind kind,
                    const struct ck_row *row);
void renew_send(struct renew_effects *out, uint64_t ticket, struct ck_str job_id,
                struct ck_str snapshot, struct ck_str letter, struct ck_str payload);
/* ticket: that of the SEND, also of renew_abandon. */
void renew_cancel(struct renew_effects *out, uint64_t ticket);
void renew_abandon(struct renew_effects *out, uint64_t ticket);

/* A line, and pairs for it; the line is valid until the next effect is added. */
struct renew_line *renew_say(struct renew_effects *out, enum renew_level level, const char *subject,
                             const char *event);
void renew_say_number(struct renew_line *l, const char *name, int64_t number);
void renew_say_word(struct renew_effects *out, struct renew_line *l, const char *name,
                    const char *word);
void renew_say_text(struct renew_effects *out, struct renew_line *l, const char *name,
                    struct ck_str text);

/* ---- for the daemon ---- */

/* Empties the list, and keeps its memory. */
void renew_effects_clear(struct renew_effects *out);
void renew_effects_free(struct renew_effects *out);

#endif
