/* Mutations of the six tables: finding records, checking references and unique keys, PUT. */
#include "store/write/apply_internal.h"

#include <stdio.h>

#include "proto/reading.h"
#include "store/files/static_path.h"

/* The most text that a record may have. The rest of a frame is for column names and the frame's own
 * fields. */
#define RECORD_BYTES (CK_FRAME_MAX - (64u << 10))

/* ---- finding ---- */

int apply_failed(struct apply *a) {
  a->failed = true;
  return -1;
}

static struct entry *remember_absent(struct apply *a, enum ck_table t, struct ck_str key,
                                     bool was_there) {
  struct ck_row row = {.table = t};
  row.v[ck_tables[t].key] = ck_text(key);
  struct entry *e = cache_remember(a->cache, &row, 0);
  e->back = was_there;
  return e;
}

struct entry *apply_find(struct apply *a, enum ck_table t, struct ck_str key, struct ck_err *err) {
  struct entry *e = cache_find(a->cache, t, key);
  if (e) return e;
  struct ck_row row;
  uint64_t version;
  int rc = tables_get(a->tables, t, key, &version, &row, err);
  if (rc < 0) {
    apply_failed(a);
    return NULL;
  }
  e = rc ? cache_remember(a->cache, &row, version) : remember_absent(a, t, key, version > 0);
  tables_reset(a->tables, t);
  return e;
}

/* The cache is newer than the database: if
 * the database finds a record that is in the cache under another key, it no longer has this one. */
int apply_find_unique(struct apply *a, const struct ck_row *like, struct entry **found,
                      struct ck_err *err) {
  *found = cache_find_unique(a->cache, like);
  if (*found) return 0;
  struct ck_row row;
  uint64_t version;
  int rc = tables_get_unique(a->tables, like, &version, &row, err);
  if (rc < 0) return apply_failed(a);
  if (rc && !cache_find(a->cache, like->table, ck_row_key(&row)))
    *found = cache_remember(a->cache, &row, version);
  tables_reset(a->tables, like->table);
  return 0;
}

static int must_exist(struct apply *a, const struct ck_row *row, int column, enum ck_table parent,
                      struct ck_err *err) {
  struct ck_str key = ck_row_text(row, column);
  const struct entry *e = apply_find(a, parent, key, err);
  if (!e) return -1;
  int goes = e->exists ? apply_row_goes(a, &e->row, err) : 0;
  if (goes < 0 || (e->exists && !goes)) return goes;
  struct ck_str shown = ck_utf8_cut(key, 100);
  return ck_fail(err, "%s.%s: '%.*s' is not in %s", ck_tables[row->table].name,
                 ck_tables[row->table].fields[column].name, (int)shown.n, shown.s,
                 ck_tables[parent].name);
}

static int check_parents(struct apply *a, const struct ck_row *row, struct ck_err *err) {
  for (int i = 0; i < CK_REFERENCES; ++i) {
    const struct ck_reference *r = &ck_references[i];
    bool points = r->table == row->table && row->v[r->column].state != CK_NULL;
    if (points && must_exist(a, row, r->column, r->parent, err)) return -1;
  }
  return 0;
}

static int check_unique(struct apply *a, const struct entry *e, const struct ck_row *row,
                        struct ck_err *err) {
  static const char *const words[CK_TABLES] = {[CK_LINKS] =
                                                   "belongs to another link of this platform",
                                               [CK_JOBS] = "the message already has a job"};
  const struct ck_unique *u = &ck_uniques[row->table];
  struct entry *other;
  if (!ck_row_has_unique(row) || (e->exists && ck_row_same_unique(&e->row, row))) return 0;
  if (apply_find_unique(a, row, &other, err)) return -1;
  if (!other) return 0;
  struct ck_str id = ck_utf8_cut(ck_row_key(&other->row), 100);
  return ck_fail(err, "%s.%s: %s (%.*s)", ck_tables[row->table].name,
                 ck_tables[row->table].fields[u->column[u->columns - 1]].name,
                 words[row->table] ? words[row->table] : "belongs to another record", (int)id.n,
                 id.s);
}

/* Every record must fit into one frame, or followers could never get past it. */
static int check_size(const struct ck_row *row, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[row->table];
  size_t bytes = 0;
  for (int c = 0; c < t->columns; ++c)
    if (row->v[c].state == CK_TEXT) bytes += row->v[c].as.s.n;
  if (bytes <= RECORD_BYTES) return 0;
  struct ck_str key = ck_utf8_cut(ck_row_key(row), 100);
  return ck_fail(err, "%s: the record has %zu bytes of text, the limit is %u (%s %.*s)", t->name,
                 bytes, RECORD_BYTES, t->fields[t->key].name, (int)key.n, key.s);
}

/* ---- the store's own tables ---- */

int apply_savepoint(struct apply *a, struct ck_err *err) {
  if (a->savepoint) return 0;
  if (system_run(a->system, SYSTEM_SAVEPOINT, err, "")) return apply_failed(a);
  a->savepoint = true;
  return 0;
}

bool apply_is_running(const struct ck_row *row) {
  return ck_str_is(ck_row_text(row, CK_JOBS_STATUS), "running");
}

bool apply_is_over(const struct ck_row *job) {
  struct ck_str status = ck_row_text(job, CK_JOBS_STATUS);
  return ck_str_is(status, "done") || ck_str_is(status, "failed");
}

/* Once a job has stopped running, for whatever reason, its attempt can no longer be ended. Once it
 * is over, a person's `anyway` is used up, its row of unreached attempts ends, and its pause. */
static int drop_job_notes(struct apply *a, const struct entry *e, const struct ck_row *after,
                          struct ck_err *err) {
  bool stops = e->exists && apply_is_running(&e->row) && !apply_is_running(after),
       ends = e->exists && !apply_is_over(&e->row) && apply_is_over(after);
  if (!stops && !ends) return 0;
  if (apply_savepoint(a, err)) return -1;
  struct ck_str id = ck_row_key(after);
  if ((stops && attempt_taken(a, id, err)) || (ends && pause_ends(a, id, err))) return -1;
  if ((stops && system_run(a->system, SYSTEM_LEASE_END, err, "s", id)) ||
      (ends && (system_run(a->system, SYSTEM_ANYWAY_OFF, err, "s", id) ||
                system_run(a->system, SYSTEM_UNREACHED_END, err, "s", id))))
    return apply_failed(a);
  return 0;
}

/* ---- writing a record ---- */

/* Was the new record there before, until somebody deleted it? Of a message the index of ids tells.
 * Other tables miss a row, and what it is about was there before: its messages, or none is said. */
static bool is_back(struct apply *a, const struct entry *e) {
  enum ck_table t = e->row.table;
  bool new_messages = a->fresh[CK_MESSAGES] > a->back[CK_MESSAGES];
  if (t == CK_MESSAGES) return e->back;
  if (a->missing[t] <= a->returned[t] + a->back[t]) return false;
  if (t == CK_EXECUTIONS || t == CK_SESSIONS) return sessions_knew(a, e);
  return a->knows || !new_messages;
}

int apply_change(struct apply *a, struct entry *e, const struct ck_row *after, struct ck_err *err) {
  if (check_size(after, err) || check_parents(a, after, err) || check_unique(a, e, after, err))
    return -1;
  if (automation_changes(a, e, after, err) || source_changes(a, after, err)) return -1;
  if (wait_changes(a, e, after, err)) return -1;
  if (after->table == CK_JOBS &&
      (drop_job_notes(a, e, after, err) || offer_withdraw(a, ck_row_key(after), err)))
    return -1;
  bool inserts = !e->exists;
  if (after->table == CK_MESSAGES) identity_changed(a, after);
  cache_change(a->cache, e, after, ++a->head, inserts ? a->serial : e->born);
  if (inserts) {
    a->inserted = true;
    a->back[after->table] += is_back(a, e);
    ++a->fresh[after->table];
    a->knows |= after->table == CK_MESSAGES && e->back;
    sessions_inserted(a, e);
  } else {
    a->updated = true;
  }
  return 0;
}

void apply_note(struct apply *a, struct entry *e, const struct ck_row *after) {
  cache_change(a->cache, e, after, e->version, e->born);
}

int apply_insert(struct apply *a, struct entry *e, const struct ck_row *write,
                 struct rules_write *how, struct ck_err *err) {
  struct ck_row row;
  if (rules_insert(&row, write, how, err)) return -1;
  int c = ck_tables[row.table].path;
  if (c >= 0 && row.v[c].state == CK_LEFT_OUT) {
    ck_buf_clear(&a->path);
    static_path_make(&a->path, row.table, &row);
    row.v[c] = ck_text(ck_buf_view(&a->path));
  }
  return apply_change(a, e, &row, err);
}

static bool last_message_is_fresh(struct apply *a, const struct ck_row *write) {
  if (write->table != CK_CONVERSATIONS) return false;
  const struct entry *m =
      cache_find(a->cache, CK_MESSAGES, ck_row_text(write, CK_CONVERSATIONS_LAST_MESSAGE_ID));
  return m && m->born == a->serial;
}

int apply_merge(struct apply *a, struct entry *e, const struct ck_row *write,
                struct rules_write *how, struct ck_err *err) {
  struct ck_row row;
  enum rules_result is = rules_merge(&row, &e->row, write, how, err);
  if (is == RULES_QUIET) apply_note(a, e, &row);
  return is == RULES_CHANGED ? apply_change(a, e, &row, err) : is == RULES_REFUSED ? -1 : 0;
}

int64_t apply_sum(int64_t count, int64_t more) {
  int64_t total;
  return __builtin_add_overflow(count, more, &total) ? INT64_MAX : total;
}

/* A job is the same one if it says the same in the same place; the message must be given. 0 or
 * -1. */
static int is_same_job(const struct ck_row *job, const struct ck_row *write, struct ck_err *err) {
  static const int same[] = {CK_JOBS_MESSAGE_ID, CK_JOBS_LOCAL_CONVERSATION_ID, CK_JOBS_PAYLOAD,
                             CK_JOBS_PAYLOAD_KIND};
  struct ck_str id = ck_utf8_cut(ck_row_key(job), 100);
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i) {
    const char *name = ck_tables[CK_JOBS].fields[same[i]].name;
    bool given = write->v[same[i]].state != CK_LEFT_OUT || same[i] == CK_JOBS_MESSAGE_ID;
    if (given && !ck_value_eq(write->v[same[i]], job->v[same[i]]))
      return ck_fail(err, "renewal_jobs.%s: this id belongs to a job with another %s (job_id %.*s)",
                     name, name, (int)id.n, id.s);
  }
  return 0;
}

static int put_job(struct apply *a, struct entry *e, const struct ck_row *write,
                   struct ck_err *err) {
  if (e->exists) return is_same_job(&e->row, write, err);
  struct rules_write how = {.now = a->now};
  return apply_insert(a, e, write, &how, err);
}

/* Looks a link up by its unique key first. If found, it keeps its id, whatever id the write has. */
static struct entry *find_link(struct apply *a, struct ck_row *write, struct ck_err *err) {
  struct entry *e = NULL;
  if (ck_row_has_unique(write) && apply_find_unique(a, write, &e, err)) return NULL;
  if (!e) return apply_find(a, CK_LINKS, ck_row_key(write), err);
  write->v[CK_LINKS_LINK_ID] = e->row.v[CK_LINKS_LINK_ID];
  return e;
}

/* Did this changeset insert what the write is about? */
static bool is_news(struct apply *a, const struct ck_row *write) {
  if (write->table == CK_CONVERSATIONS) return last_message_is_fresh(a, write);
  if (write->table == CK_SESSIONS) return sessions_run_inserts(&a->run);
  return a->fresh[CK_MESSAGES] + a->fresh[CK_EXECUTIONS] > 0;
}

/* The turn of a message that the conversation names as its last one; -1: the message is not there.
 * False: the database failed. */
static bool turn_of(struct apply *a, const struct ck_row *conversation, int *turn,
                    struct ck_err *err) {
  const struct entry *e =
      apply_find(a, CK_MESSAGES, ck_row_text(conversation, CK_CONVERSATIONS_LAST_MESSAGE_ID), err);
  *turn = e && e->exists ? ck_turn_of(ck_row_text(&e->row, CK_MESSAGES_ROLE)) : -1;
  return e != NULL;
}

static int put_other(struct apply *a, struct entry *e, struct ck_row *write,
                     struct rules_write *how, struct ck_err *err) {
  int given, old;
  if (e->exists && sessions_repeats(a, e, err)) return -1;
  a->knows |= e->exists && e->row.table == CK_MESSAGES;
  rules_time(write, e->exists ? &e->row : NULL, how);
  if (!e->exists) return apply_insert(a, e, write, how, err);
  if (rules_last_ties(&e->row, write, how)) {
    if (!turn_of(a, write, &given, err) || !turn_of(a, &e->row, &old, err)) return -1;
    if (given >= 0 && old >= 0) how->turn = given - old;
  }
  return apply_merge(a, e, write, how, err);
}

/* 1: it was forgotten, and stays away. */
static int put_record(struct apply *a, struct ck_row *write, int64_t age, struct ck_err *err) {
  if (rules_clean(write, err)) return -1;
  struct ck_str given = ck_row_key(write);
  if (given.n == 0)
    return ck_fail(err, "%s.%s: is required", ck_tables[write->table].name,
                   ck_tables[write->table].fields[ck_tables[write->table].key].name);
  if (identity_find(a, write, err)) return -1;
  int path = ck_tables[write->table].path;
  if (path >= 0 && !ck_str_eq(ck_row_key(write), given))
    write->v[path] = (struct ck_value){0}; /* that of another record's id */
  if ((write->table == CK_CONVERSATIONS || write->table == CK_LINKS) &&
      apply_find_home(a, write, err))
    return -1;
  int over = write->table == CK_JOBS ? 0 : apply_leaves_out(a, write, err);
  if (over) return over;
  struct entry *e = write->table == CK_LINKS ? find_link(a, write, err)
                                             : apply_find(a, write->table, ck_row_key(write), err);
  if (!e || apply_drop_forgotten(a, e, write, err)) return -1;
  int joins = apply_joins_forgotten(a, e, write, err);
  if (joins > 0 && write->table == CK_JOBS)
    return ck_fail(err, "renewal_jobs.job_id: a job of this id is being forgotten");
  if (joins) return joins;
  if (write->table == CK_JOBS) return put_job(a, e, write, err);
  struct rules_write how = {.now = a->now, .age = age, .news = is_news(a, write)};
  if (write->table == CK_SESSIONS) return sessions_put(a, e, write, &how, err);
  how.details = identity_details(a, write, given);
  bool inserts = !e->exists;
  if (put_other(a, e, write, &how, err)) return -1;
  bool message = write->table == CK_MESSAGES && inserts;
  return message ? identity_inserted(a, given, ck_row_key(write), err) : 0;
}

/* Counts a message by what its PUT did; a change of its executions changes it. */
static void count_message(struct apply *a, enum ck_table t, bool added, bool changed) {
  struct ck_counts *c = &a->counts;
  uint64_t *as = added ? &c->added : changed ? &c->updated : &c->unchanged;
  if (t == CK_EXECUTIONS && changed && a->counted == &c->unchanged) {
    --c->unchanged;
    as = &c->updated;
  } else if (t != CK_MESSAGES) {
    return;
  }
  a->counted = as;
  ++*as;
}

int apply_put(struct apply *a, struct ck_row *write, int64_t age, struct ck_err *err) {
  uint64_t head = a->head;
  int64_t fresh = a->fresh[write->table];
  int rc = put_record(a, write, age, err);
  if (write->table == CK_SESSIONS)
    a->run = (struct session_run){0}; /* the next one begins where this one ends */
  if (rc) return rc < 0 ? -1 : 0;
  count_message(a, write->table, a->fresh[write->table] > fresh, a->head > head);
  return 0;
}

int apply_decode_row(struct apply *a, struct ck_row *row, struct ck_str table, struct ck_str map,
                     struct ck_err *err) {
  enum ck_table t = ck_table_named(table);
  if (t == CK_TABLES || !ck_str_is(table, ck_tables[t].name)) {
    struct ck_str shown = ck_utf8_cut(table, 60);
    return ck_fail(err, "'%.*s' is not a table", (int)shown.n, shown.s);
  }
  if (t == CK_FORGOTTEN) return ck_fail(err, "forgotten: only FORGET and REMEMBER write it");
  if (ck_row_decode(row, t, map, &a->frame, err) == 0) return 0;
  struct ck_str key = ck_utf8_cut(ck_row_key_in(t, map), 100);
  return key.n ? ck_fail_in(err, "%.*s", (int)key.n, key.s) : -1;
}

int mutate_put(struct apply *a, const struct ck_put *m, struct ck_err *err) {
  struct ck_row row;
  return apply_decode_row(a, &row, m->table, m->row, err) ? -1 : apply_put(a, &row, m->age, err);
}
