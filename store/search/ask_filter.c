/* Names become numbers before any entry is looked at: the conversations that are wanted become a
 * set of places. */
#include <stdlib.h>
#include <strings.h>

#include "proto/words.h"
#include "store/search/ask_internal.h"
#include "store/search/index.h"

/* ---- sets of numbers ---- */

void bits_free(struct bits *b) {
  free(b->at);
  *b = (struct bits){0};
}

bool bits_has(const struct bits *b, int64_t number) {
  return number >= 0 && (uint64_t)number < b->count && (b->at[number / 64] >> number % 64 & 1);
}

static void bits_add(struct bits *b, int64_t number) {
  if (number >= 0 && (uint64_t)number < b->count) b->at[number / 64] |= UINT64_C(1) << number % 64;
}

static struct bits bits_new(size_t count) {
  return (struct bits){ck_zalloc((count / 64 + 1) * sizeof(uint64_t)), count};
}

/* Leaves in `b` what is in `other`, or what is not. Frees `other`. */
static void bits_narrow(struct bits *b, struct bits *other, bool without) {
  for (size_t i = 0; i <= b->count / 64; ++i) b->at[i] &= without ? ~other->at[i] : other->at[i];
  bits_free(other);
}

/* ---- reading ---- */

struct making {
  struct ask_filter *f;
  sqlite3 *index, *database;
  const struct search_question *q;
  struct ask_texts *texts;
  struct search_chosen titles;
  struct ask_check check;
  int64_t count; /* of places, + 1 */
  sqlite3_stmt *place, *links;
};

typedef void row_fn(struct making *m, sqlite3_stmt *row, void *self);

/* Finalizes s. NULL: err has the reason. */
static int each_of(struct making *m, sqlite3_stmt *s, struct ck_str bound, row_fn *fn, void *self,
                   struct ck_err *err) {
  int rc;
  if (!s) return -1;
  if (sqlite3_bind_parameter_count(s)) db_bind_str(s, 1, bound);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) fn(m, s, self);
  int bad = rc == SQLITE_DONE ? 0 : db_fail(sqlite3_db_handle(s), "search", err);
  sqlite3_finalize(s);
  return bad;
}

static int each(struct making *m, sqlite3 *db, const char *sql, struct ck_str bound, row_fn *fn,
                void *self, struct ck_err *err) {
  return each_of(m, db_prepare(db, sql, err), bound, fn, self, err);
}

static bool same(struct ck_str a, struct ck_str b) {
  return a.n == b.n && strncasecmp(a.s, b.s, a.n) == 0;
}

static bool begins(struct ck_str a, struct ck_str prefix) {
  return a.n >= prefix.n && strncasecmp(a.s, prefix.s, prefix.n) == 0;
}

/* Whether the filters of this kind want a name: one of those that are not negated, if there are
 * any; and none of the others. */
static bool wanted(const struct making *m, enum search_by by, struct ck_str name) {
  bool any = false, found = false;
  for (size_t i = 0; i < m->q->query->filter_count; ++i) {
    const struct search_filter *f = &m->q->query->filters[i];
    if (f->by != by) continue;
    bool is = same(f->value, name);
    if (f->negated && is) return false;
    any |= !f->negated;
    found |= !f->negated && is;
  }
  return found || !any;
}

static bool asks_for(const struct making *m, enum search_by by) {
  for (size_t i = 0; i < m->q->query->filter_count; ++i)
    if (m->q->query->filters[i].by == by) return true;
  return false;
}

/* ---- roles and platforms ---- */

static void add_role(struct making *m, sqlite3_stmt *row, void *self) {
  if (wanted(m, SEARCH_BY_ROLE, db_str(row, 1))) bits_add(self, sqlite3_column_int64(row, 0));
}

static int make_roles(struct making *m, struct ck_err *err) {
  int64_t count;
  m->f->by_role = asks_for(m, SEARCH_BY_ROLE);
  if (!m->f->by_role) return 0;
  if (db_int(m->index, "SELECT max(role) + 1 FROM roles", 0, &count, err)) return -1;
  m->f->roles = bits_new((size_t)count);
  return each(m, m->index, "SELECT role, name FROM roles", (struct ck_str){0}, add_role,
              &m->f->roles, err);
}

static void add_if_platform(struct making *m, sqlite3_stmt *row, void *self) {
  if (wanted(m, SEARCH_BY_PLATFORM, db_str(row, 1))) bits_add(self, sqlite3_column_int64(row, 0));
}

/* ---- conversations ---- */

static void add_place(struct making *m, int kind, struct ck_str platform, struct ck_str id,
                      struct bits *b) {
  sqlite3_bind_int(m->place, 1, kind);
  db_bind_str(m->place, 2, platform);
  db_bind_str(m->place, 3, id);
  if (sqlite3_step(m->place) == SQLITE_ROW) bits_add(b, sqlite3_column_int64(m->place, 0));
  sqlite3_reset(m->place);
}

/* A row of a conversation: its own id and platform. Its places are its own and those of its links.
 */
static void add_conversation(struct making *m, sqlite3_stmt *row, void *self) {
  struct ck_str id = db_str(row, 0);
  add_place(m, SEARCH_PLACE_OWN, db_str(row, 1), id, self);
  db_bind_str(m->links, 1, id);
  while (sqlite3_step(m->links) == SQLITE_ROW)
    add_place(m, SEARCH_PLACE_REMOTE, db_str(m->links, 0), db_str(m->links, 1), self);
  sqlite3_reset(m->links);
}

struct naming {
  struct bits *b;
  struct ck_str value;
};

static void add_if_named(struct making *m, sqlite3_stmt *row, void *self) {
  const struct naming *n = self;
  if (begins(db_str(row, 0), n->value) || ck_has_words(db_str(row, 2), n->value))
    add_conversation(m, row, n->b);
}

static void add_if_remote(struct making *m, sqlite3_stmt *row, void *self) {
  const struct naming *n = self;
  if (begins(db_str(row, 2), n->value)) add_conversation(m, row, n->b);
}

static void add_if_place(struct making *m, sqlite3_stmt *row, void *self) {
  const struct naming *n = self;
  (void)m;
  if (begins(db_str(row, 1), n->value)) bits_add(n->b, sqlite3_column_int64(row, 0));
}

/* The conversations that a filter names: by their own id or title, or the platform's id. */
static int add_named(struct making *m, struct ck_str value, struct bits *b, struct ck_err *err) {
  struct naming n = {b, value};
  struct ck_str none = {0};
  return each(m, m->database,
              "SELECT local_conversation_id, platform, title FROM local_conversations", none,
              add_if_named, &n, err) ||
                 each(m, m->database,
                      "SELECT local_conversation_id, platform, remote_conversation_id"
                      " FROM conversation_links",
                      none, add_if_remote, &n, err) ||
                 each(m, m->index, "SELECT place, conversation FROM places WHERE kind = 0", none,
                      add_if_place, &n, err)
             ? -1
             : 0;
}

/* ---- places ---- */

static int narrow_by_filters(struct making *m, bool negated, struct ck_err *err) {
  struct bits b = bits_new((size_t)m->count);
  bool any = false;
  int rc = 0;
  for (size_t i = 0; i < m->q->query->filter_count && rc == 0; ++i) {
    const struct search_filter *f = &m->q->query->filters[i];
    if (f->by != SEARCH_BY_CONVERSATION || f->negated != negated) continue;
    any = true;
    rc = add_named(m, f->value, &b, err);
  }
  if (any && rc == 0)
    bits_narrow(&m->f->places, &b, negated);
  else
    bits_free(&b);
  return rc;
}

/* The conversation of a title that FTS5 has found; not if its title, when it is read, is another.
 */
static int add_titled(struct making *m, sqlite3_stmt *title, int64_t entry, struct bits *b,
                      struct ck_err *err) {
  struct ask_entry e = {.entry = entry, .is_title = true};
  sqlite3_bind_int64(title, 1, entry);
  struct ck_str texts[SEARCH_COLUMNS];
  int rc = sqlite3_step(title), wanted = 1;
  if (rc == SQLITE_ROW) e.place = sqlite3_column_int64(title, 2);
  if (rc == SQLITE_ROW && m->titles.loose) wanted = ask_texts_read(m->texts, &e, false, texts, err);
  if (wanted > 0 && m->titles.loose) wanted = ask_check_ok(&m->check, texts);
  if (rc == SQLITE_ROW && wanted > 0) add_conversation(m, title, b);
  sqlite3_reset(title);
  if (wanted < 0) return -1;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(m->index, "titles", err);
}

static int add_all_titled(struct making *m, struct ask_hits *h, struct bits *b,
                          struct ck_err *err) {
  int rc = 0;
  sqlite3_stmt *title =
      db_prepare(m->index,
                 "SELECT p.conversation, p.platform, e.place FROM entries e"
                 " JOIN places p ON p.place = e.place WHERE e.entry = ?1 AND e.role IS NULL",
                 err);
  if (!title) return -1;
  for (int64_t part = 0; part < ask_hits_parts(h) && rc == 0; ++part) {
    size_t n;
    if ((rc = ask_hits_gather(h, part, SEARCH_PART, err))) break;
    const int64_t *hits = ask_hits_gathered(h, part, &n);
    for (size_t i = 0; i < n && rc == 0; ++i) rc = add_titled(m, title, hits[i], b, err);
  }
  sqlite3_finalize(title);
  return rc ? -1 : 0;
}

static void add_if_unwanted(struct making *m, sqlite3_stmt *row, void *self) {
  const struct ck_str texts[SEARCH_COLUMNS] = {[SEARCH_TITLE] = db_str(row, 2)};
  if (!ask_check_ok(&m->check, texts)) add_conversation(m, row, self);
}

/* Only titles that are not wanted are named: a conversation may have none, so all are read. */
static int narrow_by_unwanted(struct making *m, struct bits *b, struct ck_err *err) {
  return each(m, m->database,
              "SELECT local_conversation_id, platform, title FROM local_conversations",
              (struct ck_str){0}, add_if_unwanted, b, err);
}

static int narrow_by_title(struct making *m, struct ck_err *err) {
  struct bits b = bits_new((size_t)m->count);
  struct ask_hits *h = NULL;
  bool wanted = m->titles.choice == SEARCH_CHOICE_THOSE;
  ask_check_make(&m->check, m->q->query, wanted ? m->titles.loose : m->titles.terms);
  int rc =
      !wanted ? narrow_by_unwanted(m, &b, err)
      : ask_hits_open(&h, m->index, &m->titles, 0, INT64_MAX, err) || add_all_titled(m, h, &b, err)
          ? -1
          : 0;
  ask_hits_close(&h);
  ask_check_free(&m->check);
  bits_narrow(&m->f->places, &b, !wanted);
  return rc;
}

static int narrow_by_question(struct making *m, struct ck_err *err) {
  struct bits b = bits_new((size_t)m->count);
  int rc = each(m, m->database,
                "SELECT local_conversation_id, platform FROM local_conversations"
                " WHERE local_conversation_id = ?1",
                m->q->conversation, add_conversation, &b, err);
  bits_narrow(&m->f->places, &b, false);
  return rc;
}

static void add_range(struct making *m, sqlite3_stmt *row, void *self) {
  (void)self;
  if (!bits_has(&m->f->places, sqlite3_column_int64(row, 0))) return;
  int64_t first = sqlite3_column_int64(row, 1), last = sqlite3_column_int64(row, 2);
  if (first < m->f->first) m->f->first = first;
  if (last > m->f->last) m->f->last = last;
}

/* Entries lie beside those of their conversation, mostly. */
static int find_range(struct making *m, struct ck_err *err) {
  m->f->first = INT64_MAX;
  m->f->last = 0;
  return each(m, m->index, "SELECT place, first, last FROM places", (struct ck_str){0}, add_range,
              NULL, err);
}

static int make_places(struct making *m, struct ck_err *err) {
  m->f->places = bits_new((size_t)m->count);
  if (each(m, m->index, "SELECT place, platform FROM places", (struct ck_str){0}, add_if_platform,
           &m->f->places, err) ||
      narrow_by_filters(m, false, err) || narrow_by_filters(m, true, err) ||
      (m->titles.terms && narrow_by_title(m, err)) ||
      (m->q->conversation.n && narrow_by_question(m, err)))
    return -1;
  return find_range(m, err);
}

static int prepare(struct making *m, struct ck_err *err) {
  m->place = db_prepare(m->index,
                        "SELECT place FROM places WHERE kind = ?1 AND platform = ?2"
                        " AND conversation = ?3",
                        err);
  if (m->place)
    m->links = db_prepare(m->database,
                          "SELECT platform, remote_conversation_id FROM conversation_links"
                          " WHERE local_conversation_id = ?1 AND remote_conversation_id NOTNULL",
                          err);
  return m->links
             ? db_int(m->index, "SELECT coalesce(max(place), 0) + 1 FROM places", 1, &m->count, err)
             : -1;
}

static int make_by_place(struct making *m, struct ck_err *err) {
  int rc = 0;
  search_query_titles(m->q->query, &m->titles);
  m->f->by_place = m->titles.terms || m->q->conversation.n || asks_for(m, SEARCH_BY_PLATFORM) ||
                   asks_for(m, SEARCH_BY_CONVERSATION);
  if (m->titles.choice == SEARCH_CHOICE_NONE)
    m->f->titles = m->f->messages = false;
  else if (m->f->by_place)
    rc = prepare(m, err) || make_places(m, err) ? -1 : 0;
  sqlite3_finalize(m->place);
  sqlite3_finalize(m->links);
  search_chosen_free(&m->titles);
  return rc;
}

int ask_filter_make(struct ask_filter *f, sqlite3 *index, sqlite3 *database,
                    const struct search_question *q, struct ask_texts *texts, struct ck_err *err) {
  struct making m = {.f = f, .index = index, .database = database, .q = q, .texts = texts};
  enum search_entries kinds = q->query->entries;
  *f = (struct ask_filter){
      .titles = kinds == SEARCH_ENTRIES_ALL || kinds == SEARCH_ENTRIES_TITLES,
      .messages = kinds != SEARCH_ENTRIES_TITLES,
      .tools = kinds == SEARCH_ENTRIES_TOOLS,
      .since = q->query->since,
      .until = q->query->until,
      .last = INT64_MAX,
  };
  if (make_roles(&m, err) || make_by_place(&m, err)) return -1;
  f->all = f->titles && f->messages && !f->by_place && !f->by_role && f->since == INT64_MIN &&
           f->until == INT64_MAX;
  return 0;
}

void ask_filter_free(struct ask_filter *f) {
  bits_free(&f->places);
  bits_free(&f->roles);
}
