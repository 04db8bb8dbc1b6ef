/* Reads a query; see query.h. What FTS5 is asked for is in choice.c. */
#include "store/search/query.h"

#include <string.h>
#include <strings.h>

#include "proto/moment.h"

#define TIME_MAX 64 /* bytes; no time is written longer */

/* What may stand before a colon. */
enum name { TITLE, TOOL, PLATFORM, ROLE, IN, IS, AFTER, BEFORE, NAMES };
static const char *const names[NAMES] = {"title", "tool", "platform", "role",
                                         "in",    "is",   "after",    "before"};

/* One piece of the text: [-][NAME:]value. */
struct item {
  struct ck_str all; /* as it stands there */
  bool negated;
  enum name name; /* NAMES: none */
  struct ck_str value;
  bool quoted, open; /* open: words that begin so */
};

static struct ck_str from(struct ck_str s, size_t at) {
  return (struct ck_str){s.s + at, s.n - at};
}

static struct ck_str upto(struct ck_str s, size_t end) { return (struct ck_str){s.s, end}; }

/* ---- cutting the text into items ---- */

/* The bytes of the quotation mark that s begins with: the plain one, or one that programs put in
 * its place. 0: it begins with none. */
static size_t quote_at(struct ck_str s) {
  static const char *const marks[] = {"\"", "“", "”", "„"};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; ++i)
    if (ck_str_starts(s, marks[i])) return strlen(marks[i]);
  return 0;
}

static size_t find_quote(struct ck_str s) {
  size_t i = 0;
  while (i < s.n && !quote_at(from(s, i))) ++i;
  return i;
}

static size_t find_space(struct ck_str s) {
  size_t i = 0;
  while (i < s.n && !ck_space_at(from(s, i))) ++i;
  return i;
}

/* The name that s begins with, if it is followed by a colon and a value. */
static enum name name_at(struct ck_str s) {
  for (int i = 0; i < NAMES; ++i) {
    size_t n = strlen(names[i]);
    if (s.n > n + 1 && s.s[n] == ':' && strncasecmp(s.s, names[i], n) == 0 &&
        !ck_space_at(from(s, n + 1)))
      return (enum name)i;
  }
  return NAMES;
}

/* Reads the value that s begins with. Returns how many bytes it takes. A quotation mark that is not
 * closed quotes the rest. */
static size_t take_value(struct ck_str s, struct item *item) {
  size_t mark = quote_at(s), end;
  item->quoted = mark > 0;
  if (mark) {
    size_t n = find_quote(from(s, mark));
    item->value = upto(from(s, mark), n);
    end = mark + n;
    if (end < s.n) end += quote_at(from(s, end));
    item->open = end < s.n && s.s[end] == '*';
    return end + item->open;
  }
  end = find_space(s);
  item->value = upto(s, end);
  while (item->value.n > 1 && s.s[item->value.n - 1] == '*') {
    item->open = true;
    --item->value.n;
  }
  return end;
}

/* Two dashes begin an option of a program, which is a word. */
static bool negates(struct ck_str s) {
  return s.n > 1 && s.s[0] == '-' && s.s[1] != '-' && !ck_space_at(from(s, 1));
}

/* Reads the item that s, which is not empty, begins with. Returns how many bytes it takes. */
static size_t take_item(struct ck_str s, struct item *item) {
  *item = (struct item){.negated = negates(s)};
  size_t at = item->negated;
  item->name = name_at(from(s, at));
  if (item->name < NAMES) at += strlen(names[item->name]) + 1;
  at += take_value(from(s, at), item);
  item->all = upto(s, at);
  return at;
}

/* ---- what an item means ---- */

/* The columns are decided when everything has been read: see finish. */
static void add_term(struct search_query *q, unsigned columns, const struct item *item) {
  enum search_kind kind = item->open ? SEARCH_PREFIX : item->quoted ? SEARCH_PHRASE : SEARCH_WORD;
  if (item->value.n == 0) return;
  if (q->term_count == SEARCH_TERMS_MAX)
    q->cut = true;
  else
    q->terms[q->term_count++] = (struct search_term){kind, columns, item->negated, item->value};
}

static void add_filter(struct search_query *q, enum search_by by, const struct item *item) {
  if (item->value.n == 0) return;
  if (q->filter_count == SEARCH_FILTERS_MAX)
    q->cut = true;
  else
    q->filters[q->filter_count++] = (struct search_filter){by, item->negated, item->value};
}

/* Several times narrow each other. False: it is no time. */
static bool add_time(struct search_query *q, int64_t now, const struct item *item) {
  char text[TIME_MAX] = "";
  int64_t at;
  if (item->value.n >= sizeof text || memchr(item->value.s, '\0', item->value.n)) return false;
  memcpy(text, item->value.s, item->value.n);
  if (ck_moment_parse(text, now, &at, NULL)) return false;
  if ((item->name == AFTER) != item->negated)
    q->since = at > q->since ? at : q->since;
  else
    q->until = at < q->until ? at : q->until;
  return true;
}

static bool says(struct ck_str value, const char *word) {
  return value.n == strlen(word) && strncasecmp(value.s, word, value.n) == 0;
}

/* False: it is nothing that an entry can be. Without is:tool tools are left out anyway. */
static bool add_is(struct search_query *q, const struct item *item) {
  if (says(item->value, "title"))
    q->entries = item->negated ? SEARCH_ENTRIES_MESSAGES : SEARCH_ENTRIES_TITLES;
  else if (!says(item->value, "tool"))
    return false;
  else if (!item->negated)
    q->entries = SEARCH_ENTRIES_TOOLS;
  return true;
}

/* False: the name is no name here, so all of the item is a word. */
static bool add_item(struct search_query *q, int64_t now, const struct item *item) {
  switch (item->name) {
  case TITLE:
    add_term(q, SEARCH_IN(SEARCH_TITLE), item);
    return true;
  case TOOL:
    add_term(q, SEARCH_IN(SEARCH_TOOL), item);
    return true;
  case PLATFORM:
    add_filter(q, SEARCH_BY_PLATFORM, item);
    return true;
  case ROLE:
    add_filter(q, SEARCH_BY_ROLE, item);
    return true;
  case IN:
    add_filter(q, SEARCH_BY_CONVERSATION, item);
    return true;
  case IS:
    return add_is(q, item);
  case AFTER:
  case BEFORE:
    return add_time(q, now, item);
  case NAMES:
    break;
  }
  add_term(q, 0, item);
  return true;
}

/* "after:lunch" as a word. */
static struct item as_word(const struct item *item) {
  size_t minus = item->negated;
  return (struct item){
      .all = item->all, .negated = item->negated, .name = NAMES, .value = from(item->all, minus)};
}

/* Where words are looked for that name no column; and where nothing but titles is asked for, what
 * is found is titles. */
static void finish(struct search_query *q) {
  unsigned columns = q->entries == SEARCH_ENTRIES_TOOLS
                         ? SEARCH_IN(SEARCH_TOOL)
                         : SEARCH_IN(SEARCH_TEXT) | SEARCH_IN(SEARCH_TITLE);
  bool titles = false, others = false;
  for (size_t i = 0; i < q->term_count; ++i) {
    if (q->terms[i].columns == 0) q->terms[i].columns = columns;
    bool title = q->terms[i].columns == SEARCH_IN(SEARCH_TITLE);
    titles = titles || (title && !q->terms[i].negated);
    others = others || !title;
  }
  if (titles && !others && q->entries == SEARCH_ENTRIES_ALL) q->entries = SEARCH_ENTRIES_TITLES;
}

void search_query_parse(struct ck_str text, int64_t now, struct search_query *q) {
  struct ck_str s = ck_utf8_cut(text, SEARCH_QUERY_MAX);
  struct item item;
  *q = (struct search_query){.since = INT64_MIN, .until = INT64_MAX, .cut = s.n < text.n};
  while (s.n && !(q->cut && q->term_count == SEARCH_TERMS_MAX)) {
    size_t space = ck_space_at(s);
    s = from(s, space ? space : take_item(s, &item));
    if (space || add_item(q, now, &item)) continue;
    item = as_word(&item);
    add_item(q, now, &item);
  }
  finish(q);
}

void search_query_also(struct search_query *q, enum search_by by, struct ck_str value) {
  bool room = q->filter_count < sizeof q->filters / sizeof *q->filters;
  if (value.n && room) q->filters[q->filter_count++] = (struct search_filter){by, false, value};
}
