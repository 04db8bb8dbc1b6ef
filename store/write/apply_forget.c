/* FORGET and REMEMBER: a conversation or a message goes, with all that belongs to it, and a record
 * in `forgotten` for each that goes keeps it away.
 *
 * A FORGET is alone in its transaction (intake.c), so all that it is about is in the database, and
 * nothing of it is in the cache. From then on all of it stays away; of a large conversation only
 * some is deleted at once, the rest in pieces (forget_pieces.c). */
#include "store/write/forget.h"

/* ---- what stays ---- */

/* What is kept of a record besides its key: whose it was, and where its files are. */
struct gone {
  struct ck_value platform, conversation, path;
};

static int keep_id_away(struct apply *a, const struct forget *f, struct ck_str id,
                        const char *table, struct ck_str key, const struct gone *g,
                        struct ck_err *err) {
  struct ck_row row = {.table = CK_FORGOTTEN};
  struct entry *e = apply_find(a, CK_FORGOTTEN, id, err);
  row.v[CK_FORGOTTEN_FORGOTTEN_ID] = ck_text(id);
  row.v[CK_FORGOTTEN_TABLE_NAME] = ck_textz(table);
  row.v[CK_FORGOTTEN_RECORD_KEY] = ck_text(key);
  row.v[CK_FORGOTTEN_FORGOTTEN_WITH] = ck_text(f->with);
  row.v[CK_FORGOTTEN_PLATFORM] = g->platform;
  row.v[CK_FORGOTTEN_CONVERSATION_ID] = g->conversation;
  row.v[CK_FORGOTTEN_STATIC_PATH] = g->path;
  row.v[CK_FORGOTTEN_FORGOTTEN_AT] = ck_int(a->now);
  row.v[CK_FORGOTTEN_TAKEN_BACK] = ck_int(0);
  return e ? apply_change(a, e, &row, err) : -1;
}

/* Puts the record that keeps another one away. */
static int keep_away(struct apply *a, const struct forget *f, enum ck_table t, struct ck_str key,
                     const struct gone *g, struct ck_err *err) {
  struct ck_buf id = {0};
  ck_forgotten_id(&id, t, key);
  int rc = keep_id_away(a, f, ck_buf_view(&id), ck_tables[t].name, key, g, err);
  ck_buf_free(&id);
  return rc;
}

/* The same of a platform's conversation. */
static int keep_home_away(struct apply *a, const struct forget *f, struct ck_str key,
                          const struct gone *g, struct ck_err *err) {
  struct ck_buf id = {0};
  ck_forgotten_home_id(&id, key);
  int rc = keep_id_away(a, f, ck_buf_view(&id), CK_FORGOTTEN_HOME, key, g, err);
  ck_buf_free(&id);
  return rc;
}

static struct ck_value text_or_null(sqlite3_stmt *s, int column) {
  return sqlite3_column_type(s, column) == SQLITE_NULL ? ck_null() : ck_text(db_str(s, column));
}

/* In the order of the tables, the last one first: children before their parents. */
static int keep_all_away(struct apply *a, struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a, forget_rows_sql, f, err);
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0) {
    enum ck_table t = (enum ck_table)sqlite3_column_int(s, 0);
    a->fresh[t] -= 1;
    ++f->records;
    const struct gone g = {text_or_null(s, 2), text_or_null(s, 3), text_or_null(s, 4)};
    if (keep_away(a, f, t, db_str(s, 1), &g, err)) {
      rc = -1;
      break;
    }
  }
  sqlite3_finalize(s);
  return rc;
}

/* What an export calls the conversation, whatever its id is here. */
static int keep_homes_away(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a, forget_homes_sql, f, err);
  struct ck_buf key = {0};
  int rc;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0) {
    ck_buf_clear(&key);
    apply_home_key(&key, db_str(s, 0), db_str(s, 1));
    const struct gone g = {text_or_null(s, 0), text_or_null(s, 1), ck_null()};
    if (keep_home_away(a, f, ck_buf_view(&key), &g, err)) {
      rc = -1;
      break;
    }
  }
  sqlite3_finalize(s);
  ck_buf_free(&key);
  return rc;
}

/* ---- what goes ---- */

/* 1; 0: there is none; -1. *goes: it is being forgotten already. */
static int find(struct apply *a, struct forget *f, bool *goes, struct ck_err *err) {
  const struct entry *e =
      apply_find(a, f->conversation ? CK_CONVERSATIONS : CK_MESSAGES, f->id, err);
  if (!e) return -1;
  f->version = e->exists ? e->stored : 0;
  int rc = e->exists ? apply_row_goes(a, &e->row, err) : 0;
  *goes = rc > 0;
  return rc < 0 ? -1 : e->exists;
}

/* The job's attempt is under way, or its end is unknown. Is it one that would go? 1; 0; -1. */
static int goes(struct apply *a, const struct forget *f, struct ck_str conversation,
                struct ck_str message, struct ck_err *err) {
  if (!f->conversation || ck_str_eq(conversation, f->id))
    return ck_str_eq(f->conversation ? conversation : message, f->id);
  const struct entry *e = apply_find(a, CK_MESSAGES, message, err);
  if (!e || !e->exists) return e ? 0 : -1;
  sqlite3_stmt *s = forget_begin(a, forget_homes_sql, f, err);
  int rc, found = 0;
  while ((rc = s ? forget_next(a, s, err) : -1) > 0)
    found |= ck_str_eq(ck_row_text(&e->row, CK_MESSAGES_PLATFORM), db_str(s, 0)) &&
             ck_str_eq(ck_row_text(&e->row, CK_MESSAGES_CONVERSATION_ID), db_str(s, 1));
  sqlite3_finalize(s);
  return rc < 0 ? -1 : found;
}

/* An attempt under way would end in nothing, and its message would come back as a new one. */
static int check_jobs(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a, forget_running_sql, f, err);
  int rc, found = 0;
  while (found == 0 && (rc = s ? forget_next(a, s, err) : -1) > 0)
    found = goes(a, f, db_str(s, 1), db_str(s, 2), err);
  if (found > 0) {
    struct ck_str id = ck_utf8_cut(db_str(s, 0), 100);
    ck_fail(err,
            "forget: an attempt of the follow-up %.*s is under way, or its end is unknown: end it"
            " with `convkeep jobs cancel %.*s`, and forget then",
            (int)id.n, id.s, (int)id.n, id.s);
  }
  sqlite3_finalize(s);
  return found || rc < 0 ? -1 : 0;
}

/* ---- both kinds ---- */

int forget_remove(struct apply *a, struct forget *f, struct ck_err *err) {
  if (forget_collect(a, f, err) || forget_delete(a, f, err)) return -1;
  cache_clear(a->cache); /* it has some of what is gone */
  a->pauses_changed = true;
  return keep_all_away(a, f, err) ? -1 : f->limit > 0;
}

/* Its originals, and with it some of what else there is, go at once. */
static int forget_conversation(struct apply *a, struct forget *f, struct ck_err *err) {
  if (forget_enter(a, f, err) || forget_find_homes(a, f, err) || check_jobs(a, f, err) ||
      forget_count_messages(a, f, err))
    return -1;
  int all = forget_remove(a, f, err);
  if (all < 0 || keep_homes_away(a, f, err) || forget_originals_of(a, f, err)) return -1;
  return forget_go_on(a, f, !all, err);
}

static int forget_message(struct apply *a, struct forget *f, struct ck_err *err) {
  struct ck_arena arena = {0};
  struct ck_row gone;
  int64_t executions;
  const struct entry *e = apply_find(a, CK_MESSAGES, f->id, err);
  if (!e || check_jobs(a, f, err) || forget_enter(a, f, err)) return -1;
  gone = e->row;
  for (int c = 0; c < CK_MESSAGES_COLUMNS; ++c)
    if (gone.v[c].state == CK_TEXT) gone.v[c].as.s = ck_arena_copy(&arena, gone.v[c].as.s);
  int rc = forget_remove(a, f, err) < 0 || forget_count_executions(a, f, &executions, err) ||
                   forget_mend(a, &gone, executions, err) || forget_originals_of(a, f, err) ||
                   forget_go_on(a, f, false, err)
               ? -1
               : 0;
  ck_arena_free(&arena);
  return rc;
}

void forget_named(struct forget *f, struct ck_str with) {
  size_t table = 0;
  while (table < with.n && with.s[table] != '/') ++table;
  const struct ck_str name = {with.s, table};
  f->with = with;
  f->conversation = ck_table_named(name) == CK_CONVERSATIONS;
  f->id = (struct ck_str){with.s + table + 1, with.n - table - 1};
}

static int read_kind(struct forget *f, struct ck_str kind, struct ck_str id, struct ck_buf *with,
                     struct ck_err *err) {
  if (!ck_choice_ok(CK_FORGET_KINDS, kind))
    return ck_fail(err, "forget.kind: must be conversation or message");
  *f = (struct forget){0};
  if (!ck_trim(id).n) return ck_fail(err, "forget.id: is required");
  ck_forgotten_id(with, ck_str_is(kind, "conversation") ? CK_CONVERSATIONS : CK_MESSAGES,
                  ck_trim(id));
  forget_named(f, ck_buf_view(with));
  return 0;
}

/* 1: the platform's conversation of that id is another one's here; 0; -1. */
static int is_linked(struct apply *a, const struct forget *f, struct ck_err *err) {
  sqlite3_stmt *s = forget_begin(a,
                                 "SELECT 1 FROM conversation_links"
                                 " WHERE platform || ':' || remote_conversation_id = ?1",
                                 f, err);
  int rc = s ? forget_next(a, s, err) : -1;
  sqlite3_finalize(s);
  return rc;
}

/* It is not here, and is not to come. An id that says whose conversation it is keeps that away. */
static int keep_absent_away(struct apply *a, const struct forget *f, struct ck_err *err) {
  const struct gone g = {ck_null(), ck_null(), ck_null()};
  int elsewhere = f->conversation ? is_linked(a, f, err) : 1;
  a->any_forgotten = true;
  if (elsewhere < 0 || (!elsewhere && keep_home_away(a, f, f->id, &g, err))) return -1;
  return keep_away(a, f, f->conversation ? CK_CONVERSATIONS : CK_MESSAGES, f->id, &g, err);
}

static int forget(struct apply *a, struct forget *f, struct ck_err *err) {
  const struct ck_row *gone;
  size_t dirty;
  cache_dirty(a->cache, &dirty);
  if (dirty) return ck_fail(err, "forget: must be alone in its changeset");
  bool goes;
  int there = find(a, f, &goes, err);
  if (there < 0 || goes) return there < 0 ? -1 : 0;
  enum ck_table t = f->conversation ? CK_CONVERSATIONS : CK_MESSAGES;
  int away = there ? 0 : apply_find_forgotten(a, t, f->id, &gone, err);
  if (away) return away < 0 ? -1 : 0;
  if (!there && f->absent) return keep_absent_away(a, f, err);
  if (!there) {
    struct ck_str id = ck_utf8_cut(f->id, 100);
    return ck_fail(err, "forget.id: there is no %s '%.*s'",
                   f->conversation ? "conversation" : "message", (int)id.n, id.s);
  }
  if (apply_savepoint(a, err)) return -1;
  a->any_forgotten = true;
  f->limit = a->forget_rows;
  return f->conversation ? forget_conversation(a, f, err) : forget_message(a, f, err);
}

int mutate_forget(struct apply *a, const struct ck_forget *m, struct ck_err *err) {
  struct forget f;
  struct ck_buf with = {0};
  int rc = read_kind(&f, m->kind, m->id, &with, err);
  if (rc == 0) f.absent = m->absent;
  if (rc == 0) rc = forget(a, &f, err);
  ck_buf_free(&with);
  return rc;
}

/* ---- taking it back ---- */

static int allow(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct entry *e = apply_find(a, CK_FORGOTTEN, id, err);
  if (!e) return -1;
  struct ck_row row = e->row;
  if (!e->exists || ck_row_int(&row, CK_FORGOTTEN_TAKEN_BACK, 0)) return 0;
  row.v[CK_FORGOTTEN_TAKEN_BACK] = ck_int(1);
  return apply_change(a, e, &row, err);
}

static int remember(struct apply *a, const struct forget *f, struct ck_err *err) {
  struct ck_str id = ck_utf8_cut(f->id, 100);
  int busy = apply_is_forgetting(a, f->with, err);
  if (busy < 0) return -1;
  if (busy)
    return ck_fail(err, "remember.id: '%.*s' is still being forgotten; take it back after that",
                   (int)id.n, id.s);
  struct forget_keys keys = {0};
  sqlite3_stmt *s = db_prepare(a->db,
                               "SELECT forgotten_id FROM forgotten WHERE forgotten_with = ?1"
                               " ORDER BY version",
                               err);
  if (!s) return apply_failed(a);
  db_bind_str(s, 1, f->with);
  int rc = forget_keys(a, s, &keys, err);
  if (rc == 0 && keys.n == 0)
    rc = ck_fail(err, "remember.id: nothing was forgotten with '%.*s'", (int)id.n, id.s);
  for (size_t i = 0; i < keys.n && rc == 0; ++i) rc = allow(a, keys.at[i], err);
  forget_keys_free(&keys);
  if (rc || apply_savepoint(a, err)) return -1;
  static const char *const allow_files[] = {
      "DELETE FROM forgotten_files WHERE forgotten_with = ?5"};
  if (forget_run(a, allow_files, 1, f, err)) return -1;
  return originals_allow(a->originals, f->with, err) ? apply_failed(a) : 0;
}

int mutate_remember(struct apply *a, const struct ck_remember *m, struct ck_err *err) {
  struct forget f;
  struct ck_buf with = {0};
  int rc = read_kind(&f, m->kind, m->id, &with, err) || remember(a, &f, err) ? -1 : 0;
  ck_buf_free(&with);
  return rc;
}
