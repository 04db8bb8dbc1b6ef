/* See rules.h; what each flag of a field means is in proto/records.h. */
#include "store/write/rules.h"

#include <string.h>

#include "store/files/static_path.h"

static int refuse(struct ck_err *err, const struct ck_row *row, int column, const char *what) {
  const struct ck_table_info *t = &ck_tables[row->table];
  struct ck_str key = ck_row_key(row);
  if (key.n == 0) return ck_fail(err, "%s.%s: %s", t->name, t->fields[column].name, what);
  struct ck_str shown = ck_utf8_cut(key, 100);
  return ck_fail(err, "%s.%s: %s (%s %.*s)", t->name, t->fields[column].name, what,
                 t->fields[t->key].name, (int)shown.n, shown.s);
}

/* ---- one field ---- */

static int clean_text(struct ck_row *w, int c, const struct ck_field *f, struct ck_err *err) {
  struct ck_value *v = &w->v[c];
  struct ck_str trimmed = ck_trim(v->as.s);
  switch (f->kind) {
  case CK_K_RAW:
    return 0;
  case CK_K_PAYLOAD:
    return trimmed.n ? 0 : refuse(err, w, c, "must not be blank");
  case CK_K_JSON:
    if (trimmed.n == 0) *v = ck_null();
    return 0;
  default:
    break;
  }
  if (trimmed.n == 0 && !(f->flags & CK_OPTIONAL)) return refuse(err, w, c, "must not be blank");
  *v = trimmed.n ? ck_text(trimmed) : ck_null();
  if (trimmed.n && f->kind == CK_K_CHOICE && !ck_choice_ok(f->choices, trimmed)) {
    struct ck_str shown = ck_utf8_cut(trimmed, 40);
    char what[160];
    struct ck_buf b = {0};
    ck_buf_printf(&b, "'%.*s' is not one of %s", (int)shown.n, shown.s, f->choices);
    strncpy(what, ck_buf_cstr(&b), sizeof what - 1);
    what[sizeof what - 1] = '\0';
    ck_buf_free(&b);
    return refuse(err, w, c, what);
  }
  if (trimmed.n && f->kind == CK_K_PATH && !static_path_ok(w->table, trimmed, ck_row_key(w)))
    return refuse(err, w, c,
                  "must be a relative path inside the table's artifact folder, named as the id");
  return 0;
}

static int check_int(const struct ck_row *w, int c, const struct ck_field *f, struct ck_err *err) {
  int64_t i = w->v[c].as.i;
  if (f->kind == CK_K_COUNT && i < 0) return refuse(err, w, c, "must not be negative");
  if (f->kind == CK_K_POSITIVE && i < 1) return refuse(err, w, c, "must be at least 1");
  if (f->kind == CK_K_BOOL && i != 0 && i != 1) return refuse(err, w, c, "must be 0 or 1");
  return 0;
}

int rules_clean(struct ck_row *w, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[w->table];
  for (int c = 0; c < t->columns; ++c) {
    const struct ck_field *f = &t->fields[c];
    struct ck_value *v = &w->v[c];
    if (v->state == CK_LEFT_OUT) continue;
    if (v->state == CK_NULL && !(f->flags & CK_OPTIONAL))
      return refuse(err, w, c, "must not be NULL");
    if (v->state == CK_TEXT && ck_kind_is_int(f->kind))
      return refuse(err, w, c, "must be an integer");
    if (v->state == CK_INT && !ck_kind_is_int(f->kind)) return refuse(err, w, c, "must be text");
    int rc = v->state == CK_TEXT  ? clean_text(w, c, f, err)
             : v->state == CK_INT ? check_int(w, c, f, err)
                                  : 0;
    if (rc) return -1;
  }
  return 0;
}

/* ---- an observation without a time ---- */

static const struct {
  int own, also, created; /* also: a second own time, or the same one again */
  bool follows;           /* the time of what it is about, not its own */
} times[CK_TABLES] = {
    [CK_MESSAGES] = {CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_OBSERVED_AT, CK_MESSAGES_CREATED_AT,
                     false},
    [CK_EXECUTIONS] = {CK_EXECUTIONS_EXECUTED_AT, CK_EXECUTIONS_EXECUTED_AT,
                       CK_EXECUTIONS_CREATED_AT, false},
    [CK_SESSIONS] = {CK_SESSIONS_LAST_ACTIVITY_AT, CK_SESSIONS_STARTED_AT, CK_SESSIONS_CREATED_AT,
                     true},
    [CK_CONVERSATIONS] = {CK_CONVERSATIONS_LAST_MESSAGE_AT, CK_CONVERSATIONS_LAST_MESSAGE_AT,
                          CK_CONVERSATIONS_CREATED_AT, true},
    [CK_LINKS] = {CK_LINKS_OBSERVED_AT, CK_LINKS_OBSERVED_AT, CK_LINKS_CREATED_AT, true},
};

static bool is_ahead(struct ck_value time, int64_t now) {
  return time.state == CK_INT && time.as.i > now && time.as.i - CK_AHEAD_MS > now;
}

/* Takes a time that is ahead of the clock out of the write. */
static void take_ahead(struct ck_row *w, int64_t now) {
  int own = times[w->table].own, created = times[w->table].created;
  if (!times[w->table].follows || !is_ahead(w->v[own], now)) return;
  w->v[own] = w->v[times[w->table].also] = (struct ck_value){0};
  if (w->v[created].state != CK_INT || is_ahead(w->v[created], now)) w->v[created] = ck_int(now);
}

/* Keeps a new message whose time is known apart from one whose time is not. */
static void tell_apart(struct ck_row *w, int64_t now) {
  struct ck_value *created = &w->v[CK_MESSAGES_CREATED_AT], own = w->v[CK_MESSAGES_OBSERVED_AT];
  if (own.state != CK_INT || own.as.i == INT64_MAX) return;
  if (own.as.i == (created->state == CK_INT ? created->as.i : now)) *created = ck_int(own.as.i + 1);
}

void rules_time(struct ck_row *w, const struct ck_row *old, bool news, int64_t now) {
  int own = times[w->table].own, also = times[w->table].also;
  if (w->table == CK_JOBS) return;
  if (w->table == CK_MESSAGES && !old) tell_apart(w, now);
  take_ahead(w, now);
  if (w->v[own].state != CK_LEFT_OUT || w->v[times[w->table].created].state != CK_INT) return;
  if (w->table == CK_CONVERSATIONS && w->v[CK_CONVERSATIONS_LAST_MESSAGE_ID].state != CK_TEXT)
    return;
  if (!old || (news && times[w->table].follows)) {
    w->v[own] = w->v[times[w->table].created];
    if (w->v[also].state == CK_LEFT_OUT) w->v[also] = w->v[own];
  } else if (w->table == CK_CONVERSATIONS) {
    w->v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = (struct ck_value){0};
    for (int c = 0; c < CK_CONVERSATIONS_COLUMNS; ++c)
      if ((ck_tables[w->table].fields[c].flags & CK_DESCRIBES) && old->v[c].state == CK_TEXT)
        w->v[c] = (struct ck_value){0};
  }
}

/* ---- inserting ---- */

static struct ck_value default_of(const struct ck_field *f, int64_t now) {
  if (f->flags & (CK_DEFAULT_NOW)) return ck_int(now);
  if (f->flags & CK_OPTIONAL) return ck_null();
  if (f->kind == CK_K_PATH) return (struct ck_value){0};
  if (f->kind == CK_K_CHOICE) return ck_text((struct ck_str){f->choices, strcspn(f->choices, "|")});
  return ck_int(f->dflt);
}

int rules_insert(struct ck_row *out, const struct ck_row *write, int64_t now, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[write->table];
  *out = *write;
  for (int c = 0; c < t->columns; ++c) {
    if (out->v[c].state != CK_LEFT_OUT) continue;
    if (t->fields[c].flags & CK_REQUIRED) return refuse(err, write, c, "is required");
    out->v[c] = default_of(&t->fields[c], now);
  }
  /* Left out: due at once. NULL: not due. */
  if (write->table == CK_JOBS && write->v[CK_JOBS_NEXT_ATTEMPT_AT].state == CK_LEFT_OUT)
    out->v[CK_JOBS_NEXT_ATTEMPT_AT] = out->v[CK_JOBS_CREATED_AT];
  return 0;
}

/* ---- merging ---- */

enum age { SAME_TIME, NEWER, LATE };

/* A write of this age at most is of about now. */
#define RECENT_MS 3600000

static enum age age_of(const struct ck_row *old, const struct ck_row *w, int64_t now) {
  int n = ck_tables[w->table].newest;
  if (n < 0 || w->v[n].state != CK_INT || old->v[n].state != CK_INT) return NEWER;
  if (is_ahead(old->v[n], now) && !is_ahead(w->v[n], now) && w->v[n].as.i >= now - RECENT_MS)
    return NEWER;
  if (w->v[n].as.i == old->v[n].as.i) return SAME_TIME;
  return w->v[n].as.i < old->v[n].as.i ? LATE : NEWER;
}

/* The field's value after the write. `given` is not CK_LEFT_OUT. */
static struct ck_value merged(const struct ck_field *f, enum age age, bool fresh,
                              struct ck_value old, struct ck_value given) {
  if (f->flags & CK_EARLIEST) return given.as.i < old.as.i ? given : old;
  if (age == LATE) {
    bool fills =
        (f->flags & CK_OPTIONAL) && !(f->flags & (CK_NEWEST | CK_FOLLOWS)) && old.state == CK_NULL;
    return fills ? given : old;
  }
  if ((f->flags & (CK_FOLLOWS | CK_DESCRIBES)) && age == SAME_TIME && !fresh &&
      old.state == CK_TEXT && given.state == CK_TEXT)
    return old;
  return given;
}

static bool may_not_change(enum ck_table t, const struct ck_field *f) {
  return t == CK_JOBS && (f->flags & CK_FIXED) && f->kind == CK_K_TEXT;
}

int rules_merge(struct ck_row *out, const struct ck_row *old, const struct ck_row *w, int64_t now,
                bool fresh, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[w->table];
  enum age age = age_of(old, w, now);
  bool changed = false;
  int touched = -1;
  *out = *old;
  for (int c = 0; c < t->columns; ++c) {
    const struct ck_field *f = &t->fields[c];
    if (f->flags & CK_TOUCHED) touched = c;
    if (w->v[c].state == CK_LEFT_OUT || (f->flags & (CK_KEY | CK_TOUCHED))) continue;
    if (may_not_change(w->table, f) && !ck_value_eq(old->v[c], w->v[c]))
      return refuse(err, old, c, "cannot be changed");
    if (f->flags & CK_FIXED) continue;
    struct ck_value v = merged(f, age, fresh, old->v[c], w->v[c]);
    if (ck_value_eq(v, old->v[c])) continue;
    out->v[c] = v;
    changed = true;
  }
  if (!changed) return 0;
  if (touched >= 0) out->v[touched] = w->v[touched].state == CK_INT ? w->v[touched] : ck_int(now);
  return 1;
}
