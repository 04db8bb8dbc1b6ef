/* The parts of asking: which entries are wanted (ask_filter.c), which of those the words are in and
 * which come first (ask_pick.c), and their records (ask.c). All on the index's connection, in one
 * read transaction. Functions that return int return 0, or -1 with the reason in err. */
#ifndef CK_STORE_SEARCH_ASK_INTERNAL_H
#define CK_STORE_SEARCH_ASK_INTERNAL_H

#include "store/search/ask.h"

/* ---- which entries are wanted, but for their words ---- */

/* A set of small numbers. */
struct bits {
  uint64_t *at;
  size_t count; /* numbers from 0 to count - 1 may be in it */
};

void bits_free(struct bits *b);
bool bits_has(const struct bits *b, int64_t number);

struct ask_filter {
  bool titles, messages, tools; /* the kinds of entries; tools: only messages that have some */
  int64_t since, until;
  bool all; /* every entry is wanted */
  bool by_place, by_role;
  struct bits places, roles;
  int64_t first, last; /* entries that are in these places, and others, are from first to last */
};

int ask_filter_make(struct ask_filter *f, sqlite3 *index, sqlite3 *database,
                    const struct search_question *q, struct ck_err *err);
void ask_filter_free(struct ask_filter *f);

/* ---- which entries come first ---- */

struct ask_entry {
  int64_t key; /* they come in descending order of key, then of entry */
  int64_t entry, version, place;
  bool is_title;
};

/* The first `most` of those that come after `after`, in no order until ask_pick_sort. */
struct ask_pick {
  struct ask_entry *at; /* a heap: the last of them on top */
  size_t count, most;
  struct ask_entry after; /* by key and entry */
  uint64_t found;         /* all, also those before `after` */
  bool more;              /* there are more than `found` */
  bool left;              /* some that come after `after` are not among the first */
};

/* An expression, or what stands in its place. */
struct ask_words {
  enum search_choice choice;
  struct ck_str match;
};

/* The newest first. What has not been looked at when the time is over counts as more. */
int ask_pick_newest(struct ask_pick *p, sqlite3 *index, const struct ask_words *words,
                    const struct ask_filter *f, struct ck_err *err);
/* The best first, among the newest to arrive. choice must be THOSE. */
int ask_pick_best(struct ask_pick *p, sqlite3 *index, const struct ask_words *words,
                  const struct ask_filter *f, struct ck_err *err);
/* Puts them in order, the first one first. */
void ask_pick_sort(struct ask_pick *p);

#endif
