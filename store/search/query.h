/* The language of search: what a person typed, as terms and filters, and the terms as FTS5 takes
 * them. Pure. No text is an error: what is no part of the language is a word.
 *
 *   word           messages that have it; several words: all of them
 *   "some words"   in this order, one after the other
 *   word*          words that begin so; also "some words"*
 *   title:word     in the conversation's title; beside other words, messages of such conversations
 *   tool:word      in what tools were told, or said
 *   platform:NAME  role:NAME  in:CONVERSATION
 *   is:title       titles of conversations
 *   is:tool        all words as with tool:
 *   after:TIME     at that time or later
 *   before:TIME    before it
 *   -…             not: before any of these
 *
 * Everything is compared without regard to upper and lower case. */
#ifndef CK_STORE_SEARCH_QUERY_H
#define CK_STORE_SEARCH_QUERY_H

#include <stdint.h>

#include "store/search/match.h"

#define SEARCH_QUERY_MAX (64u << 10) /* bytes that are looked at */
#define SEARCH_TERMS_MAX 64
#define SEARCH_FILTERS_MAX 32
#define SEARCH_FILTERS_ALSO 2 /* search_query_also can be called so often */

enum search_kind { SEARCH_WORD, SEARCH_PHRASE, SEARCH_PREFIX };

struct search_term {
  enum search_kind kind;
  unsigned columns; /* of SEARCH_IN: it is looked for in any of them */
  bool negated;
  struct ck_str text; /* not empty */
};

enum search_by { SEARCH_BY_PLATFORM, SEARCH_BY_ROLE, SEARCH_BY_CONVERSATION };

/* Entries whose value is one of those that the filters of its kind name; if any is not negated.
 * And none of those that the negated filters of its kind name. Without regard to case.
 *
 *   platform, role   the whole of it
 *   conversation     the conversation's local or remote id begins with it; or its title has all the
 *                    words of it (ck_has_words) */
struct search_filter {
  enum search_by by;
  bool negated;
  struct ck_str value; /* not empty */
};

/* Which entries: conversations' titles, messages, messages that have words in the column `tool`. */
enum search_entries {
  SEARCH_ENTRIES_ALL,
  SEARCH_ENTRIES_TITLES,
  SEARCH_ENTRIES_MESSAGES,
  SEARCH_ENTRIES_TOOLS
};

struct search_query {
  struct search_term terms[SEARCH_TERMS_MAX];
  size_t term_count;
  struct search_filter filters[SEARCH_FILTERS_MAX + SEARCH_FILTERS_ALSO];
  size_t filter_count;
  int64_t since, until; /* ms since the epoch: since <= time < until; INT64_MIN, INT64_MAX: any */
  enum search_entries entries;
  bool cut; /* the text has more than was taken: more bytes, terms or filters */
};

/* Reads text, which is UTF-8; *q borrows from it. now: what relative times start from. */
void search_query_parse(struct ck_str text, int64_t now, struct search_query *q);

/* Adds a filter as if it stood in the text; an empty value is none. *q borrows it. */
void search_query_also(struct search_query *q, enum search_by by, struct ck_str value);

/* Which entries the terms choose. */
enum search_choice {
  SEARCH_CHOICE_ALL,    /* everything: FTS5 is asked for nothing */
  SEARCH_CHOICE_NONE,   /* nothing: there are terms, but none has a letter or a digit */
  SEARCH_CHOICE_THOSE,  /* what matches `wanted`, and not `unwanted` */
  SEARCH_CHOICE_OTHERS, /* what does not match `unwanted` */
};

/* Expressions for MATCH; see match.h. Of wanted, what is asked of words and of runs must match; of
 * unwanted, neither may. Empty: nothing is asked.
 *
 * In `loose`, a bit for each term by its number: FTS5 does not know whether a text has it as it
 * stands there. So what the expressions choose is to be read, and is wanted if it has all of those
 * terms that are not negated, and none of the others. */
struct search_chosen {
  enum search_choice choice;
  struct search_match wanted, unwanted;
  uint64_t terms, loose; /* terms: all that count here */
};

/* Makes the expressions (columns text, title, tool of words) that choose the entries. The caller
 * frees them. */
void search_query_entries(const struct search_query *q, struct search_chosen *out);
/* The same for titles: an entry counts if the title of its conversation is one that is chosen. With
 * OTHERS, and with ALL if there are loose terms, so does one whose conversation has no title. */
void search_query_titles(const struct search_query *q, struct search_chosen *out);
void search_chosen_free(struct search_chosen *c);

#endif
