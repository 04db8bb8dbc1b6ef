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

#include "proto/text.h"

#define SEARCH_QUERY_MAX (64u << 10) /* bytes that are looked at */
#define SEARCH_TERMS_MAX 64
#define SEARCH_FILTERS_MAX 32
#define SEARCH_FILTERS_ALSO 2 /* search_query_also can be called so often */

enum search_kind { SEARCH_WORD, SEARCH_PHRASE, SEARCH_PREFIX };

/* The columns of the index. A message's words are in `text`; or in `tool`, if a tool said them or
 * was told them. A conversation's title is an entry of its own. */
enum search_column { SEARCH_TEXT, SEARCH_TITLE, SEARCH_TOOL, SEARCH_COLUMNS };
#define SEARCH_IN(column) (1u << (column))

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

/* What an expression for MATCH chooses. */
enum search_choice {
  SEARCH_CHOICE_ALL,    /* everything: there is no expression */
  SEARCH_CHOICE_NONE,   /* nothing: there are terms, but none has a letter or a digit */
  SEARCH_CHOICE_THOSE,  /* what matches it */
  SEARCH_CHOICE_OTHERS, /* what does not */
};

/* Appends the expression (columns text, title, tool) that chooses the entries. */
enum search_choice search_query_entries(const struct search_query *q, struct ck_buf *match);
/* The same for titles: an entry counts if the title of its conversation is one of THOSE. OTHERS:
 * the expression is of titles that its conversation must not have; it may have none. */
enum search_choice search_query_titles(const struct search_query *q, struct ck_buf *match);

#endif
