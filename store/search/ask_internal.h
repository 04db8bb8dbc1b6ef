/* The parts of asking: which entries are wanted (ask_filter.c), which the words are in
 * (ask_hits.c), which come first (ask_pick.c), what has to be read to know it (ask_read.c,
 * ask_texts.c), and their records (ask.c). All on the index's connection, in one
 * read transaction. Functions that return int return 0, or -1 with the reason in err. */
#ifndef CK_STORE_SEARCH_ASK_INTERNAL_H
#define CK_STORE_SEARCH_ASK_INTERNAL_H

#include "store/search/ask.h"

/* Of messages: none that is being forgotten. */
#define ASK_STAYS \
  " AND NOT EXISTS (SELECT 1 FROM forgetting_homes h" \
  " WHERE h.conversation = conversation_id AND h.platform = messages.platform)"

/* ---- entries, and their texts ---- */

struct ask_entry {
  int64_t key; /* they come in descending order of key, then of entry */
  int64_t entry, version, place;
  bool is_title, has_tool;
};

/* Reads the texts of entries. */
struct ask_texts {
  sqlite3 *database, *index;
  struct search_source *source;
  sqlite3_stmt *message, *place, *title;
  struct ck_buf tool;
};

/* Zero-initialise. The source is borrowed. */
int ask_texts_open(struct ask_texts *t, sqlite3 *database, sqlite3 *index,
                   struct search_source *source, struct ck_err *err);
void ask_texts_close(struct ask_texts *t);
/* The text in each column, valid until the next call. tool: also what tools were told and said. 1;
 * 0: it is gone, or has changed and is not in the index yet; -1. */
int ask_texts_read(struct ask_texts *t, const struct ask_entry *e, bool tool,
                   struct ck_str out[SEARCH_COLUMNS], struct ck_err *err);
/* At the end of a question: the database's moment that is read ends. */
void ask_texts_end(struct ask_texts *t);

/* Whether texts have what a query asks for. */
struct ask_check {
  struct search_marks *marks;
  uint64_t must, must_not; /* have the terms of these numbers */
  bool tool;               /* some are looked for in what tools were told and said */
};

/* terms: those that count, a bit for each. Zero-initialise for ask_check_free. */
void ask_check_make(struct ask_check *c, const struct search_query *q, uint64_t terms);
void ask_check_free(struct ask_check *c);
bool ask_check_ok(const struct ask_check *c, const struct ck_str texts[SEARCH_COLUMNS]);

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
                    const struct search_question *q, struct ask_texts *texts, struct ck_err *err);
void ask_filter_free(struct ask_filter *f);

/* ---- which entries the words are in ---- */

struct ask_hits;

/* The hits from first to last, both entries. *out is to be closed in any case. */
int ask_hits_open(struct ask_hits **out, sqlite3 *index, const struct search_chosen *c,
                  int64_t first, int64_t last, struct ck_err *err);
void ask_hits_close(struct ask_hits **h);
int64_t ask_hits_parts(const struct ask_hits *h);
/* All hits of a part cost as much as the first. */
bool ask_hits_by_part(const struct ask_hits *h);
/* Gathers the hits of a part, unless they are more than `most`: those of `wanted` that are not
 * `unwanted`; if the choice is OTHERS, those of `unwanted`. 0; 1: the time is over, and those are
 * not all; -1. */
int ask_hits_gather(struct ask_hits *h, int64_t part, size_t most, struct ck_err *err);
/* The hits of a part, ascending; NULL: they are not gathered. */
const int64_t *ask_hits_gathered(const struct ask_hits *h, int64_t part, size_t *n);
/* How many of n hits are before this entry. */
size_t ask_hits_before(const int64_t *hits, size_t n, int64_t entry);
/* The hits of a block: those that were gathered, or in room, of SEARCH_BLOCK. 0; 1: the time is
 * over; -1. */
int ask_hits_of_block(struct ask_hits *h, int64_t first, int64_t last, int64_t *room,
                      const int64_t **hits, size_t *n, struct ck_err *err);
/* After a step that gave no row. 0: there are no more; 1: the time is over; -1. */
int ask_ended(sqlite3 *index, int rc, struct ck_err *err);

/* ---- which entries come first ---- */

/* The first `most` of those that come after `after`, in no order until ask_pick_sort. */
struct ask_pick {
  struct ask_entry *at; /* a heap: the last of them on top */
  size_t count, most;
  struct ask_entry after; /* by key and entry */
  uint64_t found;         /* all, also those before `after` */
  bool more;              /* there are more than `found` */
  bool left;              /* some that come after `after` are not among the first */
  bool cut;               /* the time was over: of those whose key is not greater than `known`, */
  int64_t known;          /* some that come first may be missing */
};

/* The time is over, and nothing is known to be complete yet. */
void ask_pick_cut(struct ask_pick *p);
/* Once they are in order, how many of the first are known to be the first. */
size_t ask_pick_known(const struct ask_pick *p);

void ask_pick_add(struct ask_pick *p, const struct ask_entry *e);
/* Puts them in order, the first one first. */
void ask_pick_sort(struct ask_pick *p);
/* The newest first of what the expressions choose. What has not been looked at when the time is
 * over counts as more; p->cut if it may come first. */
int ask_pick_newest(struct ask_pick *p, sqlite3 *index, const struct search_chosen *c,
                    const struct ask_filter *f, struct ck_err *err);

/* ---- what has to be read ---- */

/* How a question reads what it has found. */
struct ask_reading {
  const struct search_query *query;
  const struct search_chosen *chosen;
  const struct ask_filter *filter;
  sqlite3 *index;
  struct ask_texts *texts;
  bool (*is_over)(void *self);
  void *self;
};

/* The newest first of what is chosen by expressions that are loose. p->found: those that were found
 * up to now, with as many as were before p->after. *upto: as far as it was looked, if p->left and
 * not all of p->most were found; else, and if none was looked at, unchanged. p->cut: the time was
 * over before one was. */
int ask_read_newest(struct ask_pick *p, const struct ask_reading *r, struct ask_entry *upto,
                    struct ck_err *err);
/* The best first, among the newest that are chosen. The choice must be THOSE. p->cut: the time was
 * over before all of these were read, and nothing is known to be complete. */
int ask_read_best(struct ask_pick *p, const struct ask_reading *r, struct ck_err *err);
#endif
