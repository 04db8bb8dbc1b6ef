/* See rules.h; what each flag of a field means is in proto/records.h. */
#include "store/write/rules_internal.h"

#include <string.h>

#include "proto/calendar.h"

/* ---- times and age of a PUT ---- */

static const struct {
  int own, also, created; /* also: a second own time, or the same one again */
  bool follows;           /* the time of what it is about, not its own */
  bool decides;           /* by which follow-ups are decided: it must not be ahead of the clock */
} times[CK_TABLES] = {
    [CK_MESSAGES] = {CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_CREATED_AT,
                     false, false},
    [CK_EXECUTIONS] = {CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_EXECUTED_AT,
                       CK_EXECUTIONS_CREATED_AT, false, false},
    [CK_SESSIONS] = {CK_SESSIONS_LAST_ACTIVITY_AT, CK_SESSIONS_STARTED_AT, CK_SESSIONS_CREATED_AT,
                     true, false},
    [CK_CONVERSATIONS] = {CK_CONVERSATIONS_LAST_MESSAGE_AT, CK_CONVERSATIONS_LAST_MESSAGE_AT,
                          CK_CONVERSATIONS_CREATED_AT, true, true},
    [CK_LINKS] = {CK_LINKS_OBSERVED_AT, CK_LINKS_OBSERVED_AT, CK_LINKS_CREATED_AT, true, true},
};

/* A write of this age at most is of about now. */
#define RECENT_MS 3600000

static bool is_beyond(int64_t time, int64_t now, int64_t most) {
  return time > now && time - most > now;
}

static bool is_ahead(struct ck_value time, int64_t now) {
  return time.state == CK_INT && is_beyond(time.as.i, now, CK_AHEAD_MS);
}

static void leave_out(struct ck_value *v) { *v = (struct ck_value){0}; }

/* A time that no clock can have told. */
static bool is_no_time(struct ck_value time, int64_t now) {
  return time.state == CK_INT && is_beyond(time.as.i, now, CK_DAY_MS);
}

/* A time that is ahead by more than a day says nothing of its conversation; a session and a link
 * must have one. */
static void drop_no_times(struct ck_row *w, int64_t now) {
  struct ck_value *last_at = &w->v[CK_CONVERSATIONS_LAST_MESSAGE_AT],
                  *newest = &w->v[CK_CONVERSATIONS_NEWEST_AT];
  if (w->table != CK_CONVERSATIONS) return;
  if (is_no_time(*last_at, now)) *last_at = ck_null();
  if (is_no_time(*newest, now)) leave_out(newest);
}

/* Takes the time of a clock that is ahead out of the write, if follow-ups are decided by it. */
static bool take_ahead(struct ck_row *w, int64_t now) {
  struct ck_value *own = &w->v[times[w->table].own];
  bool ahead = times[w->table].decides && is_ahead(*own, now) && !is_no_time(*own, now);
  if (ahead) leave_out(own);
  return ahead;
}

/* The newest message's time is its own, which may be ahead of the clock. */
static void fill_newest(struct ck_row *w) {
  struct ck_value *newest = &w->v[CK_CONVERSATIONS_NEWEST_AT],
                  last_at = w->v[CK_CONVERSATIONS_LAST_MESSAGE_AT];
  if (w->table == CK_CONVERSATIONS && newest->state == CK_LEFT_OUT && last_at.state == CK_INT)
    *newest = last_at;
}

/* Keeps a new message whose time is known apart from one whose time is not. */
static void tell_apart(struct ck_row *w, int64_t now) {
  struct ck_value *created = &w->v[CK_MESSAGES_CREATED_AT], own = w->v[CK_MESSAGES_OBSERVED_AT];
  if (own.state != CK_INT || own.as.i == INT64_MAX) return;
  if (own.as.i == (created->state == CK_INT ? created->as.i : now)) *created = ck_int(own.as.i + 1);
}

/* The write has no time of its own. created: when it was made. */
static void fill_time(struct ck_row *w, const struct ck_row *old, struct ck_value created,
                      struct rules_write *how) {
  int own = times[w->table].own, also = times[w->table].also;
  bool conversation = w->table == CK_CONVERSATIONS, knows = created.state == CK_INT;
  if (conversation && w->v[CK_CONVERSATIONS_LAST_MESSAGE_ID].state != CK_TEXT) return;
  if (!times[w->table].follows && knows) {
    how->made_up = true;
    w->v[own] = created;
  } else if (old && !how->news) {
    if (conversation) leave_out(&w->v[CK_CONVERSATIONS_LAST_MESSAGE_ID]);
  } else if (knows || (conversation && how->news)) {
    w->v[own] = !knows                                          ? ck_int(how->now)
                : conversation && is_no_time(created, how->now) ? ck_null()
                                                                : created;
    if (w->v[also].state == CK_LEFT_OUT) w->v[also] = w->v[own];
  }
}

static int64_t age_or_0(int64_t age, int64_t now) {
  return age < 0 || is_beyond(age, now, CK_DAY_MS) ? 0 : age;
}

static void fill_age(const struct ck_row *w, struct rules_write *how) {
  how->age = age_or_0(how->age, how->now);
  if (how->age == 0 && !how->made_up)
    how->age = age_or_0(ck_row_int(w, times[w->table].own, 0), how->now);
}

/* Of another store's row, which knows the age of each value. */
static bool is_made_up(const struct ck_row *w) {
  int64_t ages[CK_COLUMNS_MAX];
  int own = times[w->table].own;
  if (times[w->table].follows || ck_row_text(w, ck_tables[w->table].ages).n == 0) return false;
  ck_ages_read(ages, w);
  return ages[own] == CK_AGE_NONE;
}

void rules_time(struct ck_row *w, const struct ck_row *old, struct rules_write *how) {
  if (w->table == CK_JOBS) return;
  struct ck_value *own = &w->v[times[w->table].own];
  how->made_up = own->state == CK_INT && is_made_up(w);
  if (w->table == CK_MESSAGES && !old && !how->made_up) tell_apart(w, how->now);
  drop_no_times(w, how->now);
  fill_newest(w);
  struct ck_value created = w->v[times[w->table].created];
  if (take_ahead(w, how->now)) created = ck_int(how->now);
  if (own->state == CK_LEFT_OUT) fill_time(w, old, created, how);
  fill_newest(w);
  fill_age(w, how);
}

/* ---- inserting ---- */

static struct ck_value default_of(const struct ck_field *f, int64_t now) {
  if (f->flags & (CK_DEFAULT_NOW)) return ck_int(now);
  if (f->flags & CK_OPTIONAL) return ck_null();
  if (f->kind == CK_K_PATH) return (struct ck_value){0};
  if (f->kind == CK_K_CHOICE) return ck_text((struct ck_str){f->choices, strcspn(f->choices, "|")});
  return ck_int(f->dflt);
}

/* updated_at: as written, unless that is ahead of the clock, or now. */
static void touch(struct ck_row *out, const struct ck_row *w, int64_t now) {
  const struct ck_table_info *t = &ck_tables[w->table];
  for (int c = 0; c < t->columns; ++c)
    if (t->fields[c].flags & CK_TOUCHED)
      out->v[c] = w->v[c].state == CK_INT && w->v[c].as.i <= now ? w->v[c] : ck_int(now);
}

/* The ages of what the write gives. A row that comes from another store has its own. */
static void said_ages(int64_t ages[CK_COLUMNS_MAX], const struct ck_row *w,
                      const struct rules_write *how) {
  const struct ck_table_info *t = &ck_tables[w->table];
  bool own = t->ages >= 0 && w->v[t->ages].state == CK_TEXT;
  if (own) ck_ages_read(ages, w);
  for (int c = 0; c < t->columns; ++c) {
    bool source = own && ages[c] != CK_AGE_NONE && ages[c] != CK_AGE_OWNER;
    if (!own)
      ages[c] = how->owner ? CK_AGE_OWNER : t->ages < 0 ? 0 : how->age;
    else if (source)
      ages[c] = age_or_0(ages[c], how->now);
  }
  if (how->made_up) ages[times[w->table].own] = CK_AGE_NONE;
}

static void set_ages(struct ck_row *out, const int64_t ages[CK_COLUMNS_MAX],
                     struct rules_write *how) {
  int c = ck_tables[out->table].ages;
  if (c >= 0) out->v[c] = ck_text(ck_ages_write(how->ages, out, ages));
}

/* The summary follows the text, whatever a source says of it. old: the record that is changed;
 * NULL: none. */
static void make_summary(struct ck_row *out, const struct ck_row *old, struct rules_write *how) {
  const struct ck_summary_of *s = &ck_summaries[out->table];
  if (ck_is_made_summary(out, s->column)) {
    struct ck_str made = ck_summary_make(how->summary, out->v[s->text].as.s);
    out->v[s->column] = made.n ? ck_text(made) : ck_null();
  } else if (old && ck_is_made_summary(old, s->column)) {
    out->v[s->column] = ck_null();
  }
}

int rules_insert(struct ck_row *out, const struct ck_row *write, struct rules_write *how,
                 struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[write->table];
  int64_t ages[CK_COLUMNS_MAX];
  *out = *write;
  said_ages(ages, write, how);
  for (int c = 0; c < t->columns; ++c) {
    if (out->v[c].state != CK_LEFT_OUT) continue;
    if (t->fields[c].flags & CK_REQUIRED) return rules_refuse(err, write, c, "is required");
    out->v[c] = default_of(&t->fields[c], how->now);
    ages[c] = CK_AGE_NONE;
  }
  touch(out, write, how->now);
  make_summary(out, NULL, how);
  if (write->table == CK_MESSAGES && out->v[CK_MESSAGES_DETAILS].state == CK_NULL &&
      how->details.state == CK_TEXT) {
    out->v[CK_MESSAGES_DETAILS] = how->details;
    ages[CK_MESSAGES_DETAILS] = CK_AGE_NONE;
  }
  /* Left out: due at once. NULL: not due. */
  if (write->table == CK_JOBS && write->v[CK_JOBS_NEXT_ATTEMPT_AT].state == CK_LEFT_OUT)
    out->v[CK_JOBS_NEXT_ATTEMPT_AT] = out->v[CK_JOBS_CREATED_AT];
  set_ages(out, ages, how);
  return 0;
}

/* ---- merging ---- */

/* Both are of one kind. */
static int compare(struct ck_value a, struct ck_value b) {
  if (a.state == CK_INT) return a.as.i < b.as.i ? -1 : a.as.i > b.as.i;
  size_t n = a.as.s.n < b.as.s.n ? a.as.s.n : b.as.s.n;
  int order = n ? memcmp(a.as.s.s, b.as.s.s, n) : 0;
  if (order == 0) order = a.as.s.n < b.as.s.n ? -1 : a.as.s.n > b.as.s.n;
  return order;
}

/* The clock was ahead once: what it left gives way to what is of about now. */
static bool gives_way(int64_t old, int64_t given, int64_t now) {
  return is_beyond(old, now, CK_AHEAD_MS) && !is_beyond(given, now, CK_AHEAD_MS) &&
         given >= now - RECENT_MS;
}

/* Is the time later? What is ahead by more than a day is below all that is not. */
static bool is_later(struct ck_value given, struct ck_value old, int64_t now) {
  if (old.state != CK_INT) return true;
  bool x = is_beyond(given.as.i, now, CK_DAY_MS), y = is_beyond(old.as.i, now, CK_DAY_MS);
  return x != y ? y : given.as.i > old.as.i;
}

/* Is age a above b? */
static bool is_above(int64_t a, int64_t b, int64_t now) {
  if (a == CK_AGE_NONE || a == CK_AGE_OWNER || b == CK_AGE_OWNER) return a > b;
  return a > b || gives_way(b, a, now);
}

static int64_t known(int64_t age, int64_t now) {
  return age != CK_AGE_OWNER && is_beyond(age, now, CK_AHEAD_MS) ? 0 : age;
}

bool rules_is_newer(struct ck_value a, int64_t age_of_a, struct ck_value b, int64_t age_of_b,
                    int64_t now) {
  int64_t x = known(age_of_a, now), y = known(age_of_b, now);
  int order = compare(a, b);
  if (x != y) return x > y;
  return order ? order > 0 : age_of_a < age_of_b;
}

/* Are both ages the same, or unknown? The old one also if the clock was ahead once. */
static bool is_tie(int64_t age, int64_t old_age, int64_t now) {
  return age == old_age ||
         (age == 0 && old_age != CK_AGE_OWNER && is_beyond(old_age, now, CK_DAY_MS));
}

/* One merge. */
struct merge {
  const struct ck_row *old, *w;
  struct ck_row *out;
  struct rules_write *how;
  int64_t ages[CK_COLUMNS_MAX], said[CK_COLUMNS_MAX];
  bool aged; /* a value or an age has changed */
};

static void take(struct merge *m, int c, struct ck_value v, int64_t age) {
  m->out->v[c] = v;
  m->ages[c] = age;
  m->aged = true;
}

/* The owner's value stands above all; if he clears it, what the sources say comes back. */
static void merge_owners(struct merge *m, int c) {
  struct ck_value given = m->w->v[c];
  bool title = m->w->table == CK_CONVERSATIONS && c == CK_CONVERSATIONS_TITLE &&
               m->how->title.state == CK_TEXT;
  if (given.state != CK_NULL)
    take(m, c, given, CK_AGE_OWNER);
  else if (m->ages[c] == CK_AGE_OWNER && title)
    take(m, c, m->how->title, m->how->title_age);
  else if (m->ages[c] == CK_AGE_OWNER)
    take(m, c, ck_null(), CK_AGE_NONE);
}

/* Of two times that nobody said the earlier is kept. */
static void merge_made_up(struct merge *m, int c) {
  if (m->ages[c] == CK_AGE_NONE && m->w->v[c].as.i < m->old->v[c].as.i) m->out->v[c] = m->w->v[c];
}

/* The time of the conversation's last message, which is given with it. */
static void merge_follower(struct merge *m, int c, bool same) {
  struct ck_value given = m->w->v[c], old = m->old->v[c];
  if (given.state == CK_LEFT_OUT) return;
  if (!same || (given.state == CK_INT && is_later(given, old, m->how->now))) m->out->v[c] = given;
}

/* Does what is given take the place of the old value? Both are of one kind, or NULL. */
static bool beats(const struct merge *m, int c) {
  struct ck_value given = m->w->v[c], old = m->old->v[c];
  int64_t age = m->said[c], old_age = m->ages[c];
  bool last = m->w->table == CK_CONVERSATIONS && c == CK_CONVERSATIONS_LAST_MESSAGE_ID;
  if (given.state == CK_NULL || old.state == CK_NULL) return given.state != CK_NULL;
  if (!is_tie(age, old_age, m->how->now)) return is_above(age, old_age, m->how->now);
  return (last && m->how->turn ? m->how->turn : compare(given, old)) > 0;
}

static void merge_aged(struct merge *m, int c) {
  struct ck_value given = m->w->v[c], old = m->old->v[c];
  bool pair = ck_tables[m->w->table].fields[c + 1].flags & CK_FOLLOWS,
       same = given.state == CK_TEXT && m->said[c] == m->ages[c] && ck_value_eq(given, old);
  if (beats(m, c)) {
    take(m, c, given, m->said[c]);
  } else if (!same) {
    return;
  }
  if (pair) merge_follower(m, c + 1, same);
}

static void merge_extreme(struct merge *m, int c, bool greatest) {
  struct ck_value given = m->w->v[c], old = m->old->v[c];
  if (given.state != CK_INT) return;
  bool takes = greatest ? is_later(given, old, m->how->now)
                        : old.state != CK_INT || compare(given, old) < 0,
       decides = times[m->w->table].decides && c == times[m->w->table].own;
  if (decides && old.state == CK_INT && gives_way(old.as.i, given.as.i, m->how->now)) takes = true;
  if (takes) m->out->v[c] = given;
}

static void merge_column(struct merge *m, int c, const struct ck_field *f) {
  if (m->how->owner && (f->flags & CK_AGED))
    merge_owners(m, c);
  else if (m->how->owner)
    m->out->v[c] = m->w->v[c];
  else if (m->how->made_up && c == times[m->w->table].own)
    merge_made_up(m, c);
  else if (f->flags & CK_AGED)
    merge_aged(m, c);
  else if (f->flags & (CK_EARLIEST | CK_GREATEST))
    merge_extreme(m, c, f->flags & CK_GREATEST);
  else if (!(f->flags & CK_FOLLOWS))
    m->out->v[c] = m->w->v[c];
}

/* A message that came without a time stays one, whatever is said of its time later: it was not new
 * then. One that came with its time stays apart from them. */
static void keep_apart(struct ck_row *out, const struct ck_row *old) {
  struct ck_value *created = &out->v[CK_MESSAGES_CREATED_AT], own = out->v[CK_MESSAGES_OBSERVED_AT];
  if (ck_value_eq(old->v[CK_MESSAGES_CREATED_AT], old->v[CK_MESSAGES_OBSERVED_AT]))
    *created = own;
  else if (ck_value_eq(*created, own) && own.as.i < INT64_MAX)
    *created = ck_int(own.as.i + 1);
}

static enum rules_result changed(const struct ck_row *out, const struct ck_row *old) {
  const struct ck_table_info *t = &ck_tables[out->table];
  enum rules_result is = RULES_SAME;
  for (int c = 0; c < t->columns; ++c)
    if (!ck_value_eq(out->v[c], old->v[c])) {
      if (!(t->fields[c].flags & CK_QUIET)) return RULES_CHANGED;
      is = RULES_QUIET;
    }
  return is;
}

static bool may_not_change(enum ck_table t, const struct ck_field *f) {
  return t == CK_JOBS && (f->flags & CK_FIXED) && f->kind == CK_K_TEXT;
}

bool rules_last_ties(const struct ck_row *old, const struct ck_row *w,
                     const struct rules_write *how) {
  const int c = CK_CONVERSATIONS_LAST_MESSAGE_ID;
  int64_t ages[CK_COLUMNS_MAX], said[CK_COLUMNS_MAX];
  if (w->table != CK_CONVERSATIONS || w->v[c].state != CK_TEXT || old->v[c].state != CK_TEXT ||
      ck_value_eq(w->v[c], old->v[c]))
    return false;
  ck_ages_read(ages, old);
  said_ages(said, w, how);
  return is_tie(said[c], ages[c], how->now);
}

enum rules_result rules_merge(struct ck_row *out, const struct ck_row *old, const struct ck_row *w,
                              struct rules_write *how, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[w->table];
  struct merge m = {.old = old, .w = w, .out = out, .how = how};
  ck_ages_read(m.ages, old);
  said_ages(m.said, w, how);
  *out = *old;
  for (int c = 0; c < t->columns; ++c) {
    const struct ck_field *f = &t->fields[c];
    if (w->v[c].state == CK_LEFT_OUT || (f->flags & (CK_KEY | CK_TOUCHED))) continue;
    if (may_not_change(w->table, f) && !ck_value_eq(old->v[c], w->v[c]))
      return rules_refuse(err, old, c, "cannot be changed");
    if ((c == t->ages || ck_is_summary(w->table, c)) && how->owner)
      return rules_refuse(err, old, c, "cannot be changed");
    if (c != t->ages && !(f->flags & CK_FIXED) && !ck_is_made_summary(out, c))
      merge_column(&m, c, f);
  }
  make_summary(out, old, how);
  if (w->table == CK_MESSAGES) keep_apart(out, old);
  if (m.aged) set_ages(out, m.ages, how);
  enum rules_result is = changed(out, old);
  if (is == RULES_CHANGED) touch(out, w, how->now);
  return is;
}
