#include "store/apply.h"

#include <stdlib.h>
#include <string.h>

#include "store/rules.h"
#include "store/static_path.h"
#include "store/tables.h"

/* The text of one record. What is left of a frame is for its columns' names and the frame's own fields. */
#define RECORD_BYTES (CK_FRAME_MAX - (64u << 10))

struct apply {
  sqlite3 *db;
  struct local *local;
  struct leases *leases;
  const char *mirror;
  struct tables *tables;
  struct cache *cache;
  uint64_t head;      /* with what is not committed yet */
  uint64_t committed; /* durable */
  uint64_t serial;    /* of the changeset at hand */
  int64_t now;
  int64_t added[CK_TABLES]; /* inserted in this transaction */
  bool savepoint;           /* the changeset at hand has touched the store's own tables */
  bool failed;              /* the database failed, not a rule */
  /* the changeset at hand */
  int64_t new_messages, new_executions;
  int64_t fresh[CK_TABLES];
  bool inserted, updated;
  size_t published_before, ended_before;
  struct published *published;
  size_t published_count, published_cap;
  uint64_t *ended; /* generations of the sync leases that this batch ends */
  size_t ended_count, ended_cap;
  struct ck_arena frame, batch; /* text of one changeset; text that lives until the batch is told */
  struct ck_buf path;
};

struct apply *apply_new(sqlite3 *db, struct local *local, struct leases *leases, uint64_t head, struct ck_err *err) {
  struct apply *a = ck_zalloc(sizeof *a);
  a->db = db;
  a->local = local;
  a->leases = leases;
  a->head = a->committed = head;
  a->cache = cache_new();
  a->tables = tables_new(db, err);
  if (!a->tables) apply_free(&a);
  return a;
}

void apply_free(struct apply **a) {
  if (!*a) return;
  tables_free(&(*a)->tables);
  cache_free(&(*a)->cache);
  ck_arena_free(&(*a)->frame);
  ck_arena_free(&(*a)->batch);
  ck_buf_free(&(*a)->path);
  free((*a)->published);
  free((*a)->ended);
  free(*a);
  *a = NULL;
}

void apply_mirror(struct apply *a, const char *mirror) { a->mirror = mirror; }

uint64_t apply_head(const struct apply *a) { return a->head; }

/* ---- finding ---- */

static int failed(struct apply *a) {
  a->failed = true;
  return -1;
}

static struct entry *remember_absent(struct apply *a, enum ck_table t, struct ck_str key) {
  struct ck_row row = {.table = t};
  row.v[ck_tables[t].key] = ck_text(key);
  return cache_remember(a->cache, &row, 0);
}

/* The record's entry, whether it exists or not. NULL: the database failed. */
static struct entry *find(struct apply *a, enum ck_table t, struct ck_str key, struct ck_err *err) {
  struct entry *e = cache_find(a->cache, t, key);
  if (e) return e;
  struct ck_row row;
  uint64_t version;
  int rc = tables_get(a->tables, t, key, &version, &row, err);
  if (rc < 0) {
    failed(a);
    return NULL;
  }
  e = rc ? cache_remember(a->cache, &row, version) : remember_absent(a, t, key);
  tables_let_go(a->tables, t);
  return e;
}

/* By the second key; *found NULL when there is none. What the cache holds is newer than what the database says: a record that is cached and was not found under
 * this key no longer has it. */
static int find_other(struct apply *a, enum ck_table t, struct ck_str first, struct ck_str second, struct entry **found, struct ck_err *err) {
  *found = cache_find_other(a->cache, t, first, second);
  if (*found) return 0;
  struct ck_row row;
  uint64_t version;
  int rc = tables_get_other(a->tables, t, first, second, &version, &row, err);
  if (rc < 0) return failed(a);
  if (rc && !cache_find(a->cache, t, ck_row_key(&row))) *found = cache_remember(a->cache, &row, version);
  tables_let_go(a->tables, t);
  return 0;
}

static int must_exist(struct apply *a, const struct ck_row *row, int column, enum ck_table parent, struct ck_err *err) {
  struct ck_str key = ck_row_text(row, column);
  const struct entry *e = find(a, parent, key, err);
  if (!e) return -1;
  if (e->exists) return 0;
  struct ck_str shown = ck_utf8_cut(key, 100);
  return ck_fail(err, "%s.%s: '%.*s' is not in %s", ck_tables[row->table].name, ck_tables[row->table].fields[column].name, (int)shown.n, shown.s,
                 ck_tables[parent].name);
}

static int check_parents(struct apply *a, const struct ck_row *row, struct ck_err *err) {
  switch (row->table) {
  case CK_EXECUTIONS:
    return must_exist(a, row, CK_EXECUTIONS_MESSAGE_ID, CK_MESSAGES, err);
  case CK_LINKS:
    return must_exist(a, row, CK_LINKS_LOCAL_CONVERSATION_ID, CK_CONVERSATIONS, err);
  case CK_JOBS:
    return must_exist(a, row, CK_JOBS_LOCAL_CONVERSATION_ID, CK_CONVERSATIONS, err) || must_exist(a, row, CK_JOBS_MESSAGE_ID, CK_MESSAGES, err) ? -1 : 0;
  default:
    return 0;
  }
}

/* Only a link that exists can get in the way of another: a new one was looked for by its second key. */
static int check_unique(struct apply *a, const struct entry *e, const struct ck_row *row, struct ck_err *err) {
  if (row->table != CK_LINKS || !e->exists) return 0;
  bool same = ck_value_eq(e->row.v[CK_LINKS_REMOTE_CONVERSATION_ID], row->v[CK_LINKS_REMOTE_CONVERSATION_ID]) &&
              ck_value_eq(e->row.v[CK_LINKS_PLATFORM], row->v[CK_LINKS_PLATFORM]);
  struct ck_str remote = ck_row_text(row, CK_LINKS_REMOTE_CONVERSATION_ID);
  struct entry *other;
  if (same || remote.n == 0) return 0;
  if (find_other(a, CK_LINKS, ck_row_text(row, CK_LINKS_PLATFORM), remote, &other, err)) return -1;
  if (!other) return 0;
  struct ck_str id = ck_utf8_cut(ck_row_key(&other->row), 100);
  return ck_fail(err, "conversation_links.remote_conversation_id: belongs to another link of this platform (%.*s)", (int)id.n, id.s);
}

/* Every record must fit into one frame, or those who follow could never get past it. */
static int check_size(const struct ck_row *row, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[row->table];
  size_t bytes = 0;
  for (int c = 0; c < t->columns; ++c)
    if (row->v[c].state == CK_TEXT) bytes += row->v[c].as.s.n;
  if (bytes <= RECORD_BYTES) return 0;
  struct ck_str key = ck_utf8_cut(ck_row_key(row), 100);
  return ck_fail(err, "%s: the record has %zu bytes, %u is the most (%s %.*s)", t->name, bytes, RECORD_BYTES, t->fields[t->key].name, (int)key.n, key.s);
}

/* ---- the store's own tables ---- */

/* Their SQL runs at once; a savepoint makes it undoable with the changeset. */
static int open_savepoint(struct apply *a, struct ck_err *err) {
  if (a->savepoint) return 0;
  if (local_run(a->local, LOCAL_SAVEPOINT, err, "")) return failed(a);
  a->savepoint = true;
  return 0;
}

static bool is_auto(const struct ck_row *row) { return ck_str_is(ck_row_text(row, CK_CONVERSATIONS_AUTOMATION_STATUS), "auto"); }

/* Which message was the last when the conversation was put on auto: only what comes after it is followed up. */
static int note_automation(struct apply *a, const struct entry *e, const struct ck_row *after, struct ck_err *err) {
  bool was = e->exists && is_auto(&e->row), is = is_auto(after);
  if (was == is) return 0;
  if (open_savepoint(a, err)) return -1;
  struct ck_str id = ck_row_key(after);
  int rc = is ? local_run(a->local, LOCAL_AUTO_ON, err, "ssi", id, ck_row_text(after, CK_CONVERSATIONS_LAST_MESSAGE_ID), (int64_t)(a->head + 1))
              : local_run(a->local, LOCAL_AUTO_OFF, err, "s", id);
  return rc ? failed(a) : 0;
}

static bool is_running(const struct ck_row *row) { return ck_str_is(ck_row_text(row, CK_JOBS_STATUS), "running"); }

/* A job that does not run any more, however that came about, has no attempt that could still end. */
static int drop_lease(struct apply *a, const struct entry *e, const struct ck_row *after, struct ck_err *err) {
  if (!e->exists || !is_running(&e->row) || is_running(after)) return 0;
  if (open_savepoint(a, err)) return -1;
  return local_run(a->local, LOCAL_LEASE_END, err, "s", ck_row_key(after)) ? failed(a) : 0;
}

/* ---- writing a record ---- */

static int change(struct apply *a, struct entry *e, const struct ck_row *after, struct ck_err *err) {
  if (check_size(after, err) || check_parents(a, after, err) || check_unique(a, e, after, err)) return -1;
  if (after->table == CK_CONVERSATIONS && note_automation(a, e, after, err)) return -1;
  if (after->table == CK_JOBS && drop_lease(a, e, after, err)) return -1;
  bool inserts = !e->exists;
  cache_change(a->cache, e, after, ++a->head, inserts ? a->serial : e->born);
  if (inserts) {
    a->inserted = true;
    ++a->fresh[after->table];
    a->new_messages += after->table == CK_MESSAGES;
    a->new_executions += after->table == CK_EXECUTIONS;
  } else {
    a->updated = true;
  }
  return 0;
}

static int path_column(enum ck_table t) {
  static const int columns[CK_TABLES] = {CK_MESSAGES_STATIC_PATH, CK_EXECUTIONS_STATIC_PATH, CK_SESSIONS_STATIC_PATH, -1, -1, -1};
  return columns[t];
}

static int insert(struct apply *a, struct entry *e, const struct ck_row *write, struct ck_err *err) {
  struct ck_row row;
  if (rules_insert(&row, write, a->now, err)) return -1;
  int c = path_column(row.table);
  if (c >= 0 && row.v[c].state == CK_LEFT_OUT) {
    ck_buf_clear(&a->path);
    static_path_make(&a->path, row.table, &row);
    row.v[c] = ck_text(ck_buf_view(&a->path));
  }
  return change(a, e, &row, err);
}

static bool last_message_is_fresh(struct apply *a, const struct ck_row *write) {
  if (write->table != CK_CONVERSATIONS) return false;
  const struct entry *m = cache_find(a->cache, CK_MESSAGES, ck_row_text(write, CK_CONVERSATIONS_LAST_MESSAGE_ID));
  return m && m->born == a->serial;
}

static int merge(struct apply *a, struct entry *e, const struct ck_row *write, struct ck_err *err) {
  struct ck_row row;
  int rc = rules_merge(&row, &e->row, write, a->now, last_message_is_fresh(a, write), err);
  return rc > 0 ? change(a, e, &row, err) : rc;
}

/* A count may be given as any number; it stays at the greatest there is. */
static int64_t sum(int64_t count, int64_t more) {
  int64_t total;
  return __builtin_add_overflow(count, more, &total) ? INT64_MAX : total;
}

/* Counts that a session's write leaves out grow by what this changeset inserted, once, however often it names the session. */
static void count_activity(const struct apply *a, struct entry *e, struct ck_row *write) {
  if (write->table != CK_SESSIONS) return;
  struct ck_value *messages = &write->v[CK_SESSIONS_MESSAGE_COUNT], *executions = &write->v[CK_SESSIONS_EXECUTION_COUNT];
  if (messages->state != CK_LEFT_OUT || executions->state != CK_LEFT_OUT) return;
  if (e->counted != a->serial) e->counted_messages = e->counted_executions = 0;
  *messages = ck_int(sum(e->exists ? ck_row_int(&e->row, CK_SESSIONS_MESSAGE_COUNT, 0) : 0, a->new_messages - e->counted_messages));
  *executions = ck_int(sum(e->exists ? ck_row_int(&e->row, CK_SESSIONS_EXECUTION_COUNT, 0) : 0, a->new_executions - e->counted_executions));
  e->counted = a->serial;
  e->counted_messages = a->new_messages;
  e->counted_executions = a->new_executions;
}

/* A late write may not lower or skip the counts: they are the store's own, not the observation's. */
static int merge_session_counts(struct apply *a, struct entry *e, struct ck_row *write, struct ck_err *err) {
  struct ck_row counts = {.table = CK_SESSIONS};
  counts.v[CK_SESSIONS_ID] = write->v[CK_SESSIONS_ID];
  counts.v[CK_SESSIONS_MESSAGE_COUNT] = write->v[CK_SESSIONS_MESSAGE_COUNT];
  counts.v[CK_SESSIONS_EXECUTION_COUNT] = write->v[CK_SESSIONS_EXECUTION_COUNT];
  return merge(a, e, &counts, err);
}

static int put_job(struct apply *a, struct entry *e, const struct ck_row *write, struct ck_err *err) {
  struct ck_str message = ck_row_text(write, CK_JOBS_MESSAGE_ID);
  if (e->exists) {
    if (ck_str_eq(message, ck_row_text(&e->row, CK_JOBS_MESSAGE_ID))) return 0;
    return ck_fail(err, "renewal_jobs.job_id: this id belongs to a job for another message");
  }
  struct entry *other;
  if (find_other(a, CK_JOBS, message, (struct ck_str){0}, &other, err)) return -1;
  if (other) {
    struct ck_str id = ck_utf8_cut(ck_row_key(&other->row), 100);
    return ck_fail(err, "renewal_jobs.message_id: the message has a job already (%.*s)", (int)id.n, id.s);
  }
  return insert(a, e, write, err);
}

/* A link is found by platform and remote id first; then it keeps its own id, whatever id the write brought. */
static struct entry *find_link(struct apply *a, struct ck_row *write, struct ck_err *err) {
  struct ck_str remote = ck_row_text(write, CK_LINKS_REMOTE_CONVERSATION_ID);
  struct entry *e = NULL;
  if (remote.n && find_other(a, CK_LINKS, ck_row_text(write, CK_LINKS_PLATFORM), remote, &e, err)) return NULL;
  if (!e) return find(a, CK_LINKS, ck_row_key(write), err);
  write->v[CK_LINKS_LINK_ID] = e->row.v[CK_LINKS_LINK_ID];
  return e;
}

static int put(struct apply *a, struct ck_row *write, struct ck_err *err) {
  if (rules_clean(write, err)) return -1;
  if (ck_row_key(write).n == 0)
    return ck_fail(err, "%s.%s: is required", ck_tables[write->table].name, ck_tables[write->table].fields[ck_tables[write->table].key].name);
  struct entry *e = write->table == CK_LINKS ? find_link(a, write, err) : find(a, write->table, ck_row_key(write), err);
  if (!e) return -1;
  if (write->table == CK_JOBS) return put_job(a, e, write, err);
  bool counted =
      write->table == CK_SESSIONS && write->v[CK_SESSIONS_MESSAGE_COUNT].state == CK_LEFT_OUT && write->v[CK_SESSIONS_EXECUTION_COUNT].state == CK_LEFT_OUT;
  count_activity(a, e, write);
  if (!e->exists) return insert(a, e, write, err);
  if (merge(a, e, write, err)) return -1;
  return counted ? merge_session_counts(a, e, write, err) : 0;
}

static int update(struct apply *a, struct ck_row *write, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[write->table];
  if (rules_clean(write, err)) return -1;
  struct entry *e = find(a, write->table, ck_row_key(write), err);
  if (!e) return -1;
  if (e->exists) return merge(a, e, write, err);
  struct ck_str key = ck_utf8_cut(ck_row_key(write), 100);
  return ck_fail(err, "%s.%s: there is no '%.*s' to update", t->name, t->fields[t->key].name, (int)key.n, key.s);
}

/* ---- one function a mutation ---- */

static int decode_row(struct apply *a, struct ck_row *row, struct ck_str table, struct ck_str map, struct ck_err *err) {
  enum ck_table t = ck_table_named(table);
  if (t == CK_TABLES) {
    struct ck_str shown = ck_utf8_cut(table, 60);
    return ck_fail(err, "'%.*s' is not a table", (int)shown.n, shown.s);
  }
  return ck_row_decode(row, t, map, &a->frame, err);
}

static int do_put(struct apply *a, const struct ck_put *m, struct ck_err *err) {
  struct ck_row row;
  return decode_row(a, &row, m->table, m->row, err) ? -1 : put(a, &row, err);
}

static int do_update(struct apply *a, const struct ck_update *m, struct ck_err *err) {
  struct ck_row row;
  return decode_row(a, &row, m->table, m->row, err) ? -1 : update(a, &row, err);
}

static struct entry *find_job(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct entry *e = find(a, CK_JOBS, id, err);
  if (!e || e->exists) return e;
  struct ck_str shown = ck_utf8_cut(id, 100);
  ck_fail(err, "renewal_jobs.job_id: there is no '%.*s'", (int)shown.n, shown.s);
  return NULL;
}

static int do_claim(struct apply *a, const struct ck_claim *m, struct ck_err *err) {
  struct entry *e = find_job(a, m->job_id, err);
  if (!e) return -1;
  struct ck_str status = ck_row_text(&e->row, CK_JOBS_STATUS);
  if (!ck_str_is(status, "pending")) return ck_fail(err, "renewal_jobs.status: the job is %.*s, not pending", (int)status.n, status.s);
  if (m->token.n == 0) return ck_fail(err, "claim.token: must not be blank");
  int64_t attempt = sum(ck_row_int(&e->row, CK_JOBS_ATTEMPT_COUNT, 0), 1);
  struct ck_row row = e->row;
  row.v[CK_JOBS_STATUS] = ck_textz("running");
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempt);
  row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(m->at);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
  if (row.v[CK_JOBS_STARTED_AT].state != CK_INT) row.v[CK_JOBS_STARTED_AT] = ck_int(m->at);
  if (open_savepoint(a, err)) return -1;
  if (local_run(a->local, LOCAL_LEASE_SAVE, err, "sissi", m->job_id, attempt, m->token, CK_LIT("running"), m->at)) return failed(a);
  return change(a, e, &row, err);
}

static int check_lease(struct apply *a, const struct entry *e, const struct ck_end *m, struct ck_err *err) {
  sqlite3_stmt *s = local_ask(a->local, LOCAL_LEASE_GET, "s", m->job_id);
  int rc = local_step(a->local, s, err);
  bool current = rc > 0 && (uint64_t)sqlite3_column_int64(s, 0) == m->attempt && ck_str_eq(db_str(s, 1), m->token);
  local_done(s);
  if (rc < 0) return failed(a);
  return current && is_running(&e->row) ? 0 : ck_fail(err, "end.token: the attempt is not the job's current one");
}

/* How each outcome changes the job. */
struct outcome {
  const char *word, *status;
  bool finished, charged;
};

static const struct outcome outcomes[] = {
    {"done", "done", true, true},        {"retry", "pending", false, true},     {"failed", "failed", true, true},
    {"unknown", "running", false, true}, {"released", "pending", false, false},
};

static const struct outcome *outcome_named(struct ck_str word) {
  for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; ++i)
    if (ck_str_is(word, outcomes[i].word)) return &outcomes[i];
  return NULL;
}

static struct ck_value text_or_null(struct ck_str s) { return s.n ? ck_text(s) : ck_null(); }

static void end_job(const struct apply *a, struct ck_row *row, const struct ck_end *m, const struct outcome *o) {
  row->v[CK_JOBS_STATUS] = ck_textz(o->status);
  row->v[CK_JOBS_LAST_ERROR] = text_or_null(ck_trim(m->error));
  if (m->log_path.n) row->v[CK_JOBS_LOG_PATH] = ck_text(m->log_path);
  if (o->finished) row->v[CK_JOBS_FINISHED_AT] = ck_int(m->at);
  if (strcmp(o->status, "pending") == 0) row->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(m->next_attempt_at);
  if (o->finished) row->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_null();
  int64_t attempts = ck_row_int(row, CK_JOBS_ATTEMPT_COUNT, 0);
  if (!o->charged && attempts > 0) row->v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempts - 1);
  row->v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
}

static int cool_down(struct apply *a, struct ck_str conversation, int64_t until, struct ck_err *err) {
  struct ck_row write = {.table = CK_CONVERSATIONS};
  write.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_text(conversation);
  write.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = ck_int(until);
  return update(a, &write, err);
}

static int do_end(struct apply *a, const struct ck_end *m, struct ck_err *err) {
  const struct outcome *o = outcome_named(m->outcome);
  if (!o) {
    struct ck_str shown = ck_utf8_cut(m->outcome, 40);
    return ck_fail(err, "end.outcome: '%.*s' is not one of done|retry|failed|unknown|released", (int)shown.n, shown.s);
  }
  struct entry *e = find_job(a, m->job_id, err);
  if (!e || check_lease(a, e, m, err)) return -1;
  struct ck_row row = e->row;
  end_job(a, &row, m, o);
  if (is_running(&row)) {
    if (open_savepoint(a, err)) return -1;
    if (local_run(a->local, LOCAL_LEASE_SAVE, err, "sissi", m->job_id, (int64_t)m->attempt, m->token, CK_LIT("unknown"), m->at)) return failed(a);
  }
  if (change(a, e, &row, err)) return -1;
  return m->cooldown_until ? cool_down(a, ck_row_text(&e->row, CK_JOBS_LOCAL_CONVERSATION_ID), m->cooldown_until, err) : 0;
}

static int save_dead(struct apply *a, const struct ck_synced *m, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(m->dead);
  uint32_t n, fields;
  if (ck_read_array(&r, &n)) return ck_fail(err, "synced.dead: must be an array");
  for (uint32_t i = 0; i < n; ++i) {
    struct ck_str table, key, reason;
    uint64_t version;
    if (ck_read_array(&r, &fields) || fields != 4 || ck_read_str(&r, &table) || ck_read_str(&r, &key) || ck_read_uint(&r, &version) ||
        ck_read_str(&r, &reason) || ck_table_named(table) == CK_TABLES)
      return ck_fail(err, "synced.dead[%u]: must be [table, key, version, reason]", i);
    if (local_run(a->local, LOCAL_DEAD_SAVE, err, "sssisi", m->sink, table, key, (int64_t)version, reason, a->now)) return failed(a);
  }
  return 0;
}

static void remember_ended(struct apply *a, uint64_t generation) {
  if (a->ended_count == a->ended_cap) {
    a->ended_cap = a->ended_cap ? a->ended_cap * 2 : 16;
    a->ended = ck_realloc(a->ended, a->ended_cap * sizeof *a->ended);
  }
  a->ended[a->ended_count++] = generation;
}

static void take_back_ended(struct apply *a, size_t down_to) {
  while (a->ended_count > down_to) leases_take_back(a->leases, a->ended[--a->ended_count]);
}

static int do_synced(struct apply *a, const struct ck_synced *m, struct ck_err *err) {
  if (open_savepoint(a, err) || save_dead(a, m, err)) return -1;
  struct lease done = {m->generation, m->after, m->upto};
  uint64_t cursor;
  if (!leases_end(a->leases, &done, &cursor))
    return ck_fail(err, "synced.generation: %llu is not the current lease of this range", (unsigned long long)m->generation);
  remember_ended(a, m->generation);
  struct ck_str mirror = a->mirror ? ck_str_of(a->mirror) : m->sink;
  if (local_run(a->local, LOCAL_SINK_SAVE, err, "si", mirror, (int64_t)cursor)) return failed(a);
  return 0;
}

static int do_cursor(struct apply *a, const struct ck_cursor *m, struct ck_err *err) {
  if (m->follower.n == 0) return ck_fail(err, "cursor.follower: must not be blank");
  if (open_savepoint(a, err)) return -1;
  if (local_run(a->local, LOCAL_CURSOR_SAVE, err, "ssi", m->follower, m->store_id, (int64_t)m->version)) return failed(a);
  return 0;
}

static int do_publish(struct apply *a, const struct ck_publish *m, struct ck_err *err) {
  (void)err;
  if (a->published_count == a->published_cap) {
    a->published_cap = a->published_cap ? a->published_cap * 2 : 16;
    a->published = ck_realloc(a->published, a->published_cap * sizeof *a->published);
  }
  a->published[a->published_count++] = (struct published){ck_arena_copy(&a->batch, m->client_id), ck_arena_copy(&a->batch, m->body)};
  return 0;
}

static int apply_mutation(struct apply *a, const struct ck_mutation *m, struct ck_err *err) {
  switch (m->kind) {
#define DISPATCH(NAME, name, number) \
  case CK_OP_##NAME: \
    return do_##name(a, &m->as.name, err);
    CK_MUTATION_LIST(DISPATCH)
#undef DISPATCH
  }
  return ck_fail(err, "unknown mutation %d", (int)m->kind);
}

/* ---- one changeset ---- */

static int apply_all(struct apply *a, struct ck_str mutations, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(mutations);
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "changeset.mutations: must be an array");
  for (uint32_t i = 0; i < n; ++i) {
    struct ck_mutation m;
    if (ck_mutation_decode(&m, &r, err)) return ck_fail_in(err, "mutation %u", i);
    if (apply_mutation(a, &m, err)) return -1;
  }
  return 0;
}

static void start_changeset(struct apply *a, int64_t now) {
  ++a->serial;
  a->now = now;
  a->savepoint = a->inserted = a->updated = false;
  a->new_messages = a->new_executions = 0;
  memset(a->fresh, 0, sizeof a->fresh);
  a->published_before = a->published_count;
  a->ended_before = a->ended_count;
  ck_arena_reset(&a->frame);
}

static int undo_changeset(struct apply *a, uint64_t head, struct ck_err *err) {
  cache_undo(a->cache);
  a->head = head;
  a->published_count = a->published_before;
  take_back_ended(a, a->ended_before);
  if (!a->savepoint) return 0;
  return local_run(a->local, LOCAL_UNDO, err, "") || local_run(a->local, LOCAL_RELEASE, err, "") ? failed(a) : 0;
}

static int keep_changeset(struct apply *a, struct ck_err *err) {
  cache_keep(a->cache);
  for (int t = 0; t < CK_TABLES; ++t) a->added[t] += a->fresh[t];
  if (a->savepoint && local_run(a->local, LOCAL_RELEASE, err, "")) return failed(a);
  return 0;
}

char apply_changeset(struct apply *a, const struct ck_changeset *c, int64_t now, struct ck_err *reason) {
  uint64_t head = a->head;
  start_changeset(a, now);
  if (apply_all(a, c->mutations, reason)) {
    struct ck_err err;
    if (a->failed || undo_changeset(a, head, &err)) return 0;
    int64_t prune = (int64_t)c->number - PRODUCER_TAIL;
    if (local_run(a->local, LOCAL_REFUSAL_SAVE, reason, "sisi", c->producer, (int64_t)c->number, ck_str_of(reason->text), now) ||
        local_run(a->local, LOCAL_REFUSALS_PRUNE, reason, "si", c->producer, prune)) {
      failed(a);
      return 0;
    }
    return 'r';
  }
  if (keep_changeset(a, reason)) return 0;
  return a->inserted ? 'n' : a->updated ? 'u' : '=';
}

/* ---- the batch ---- */

int apply_begin(struct apply *a, struct ck_err *err) {
  memset(a->added, 0, sizeof a->added);
  a->failed = false;
  a->published_count = a->ended_count = 0;
  ck_arena_reset(&a->batch);
  return local_run(a->local, LOCAL_BEGIN, err, "");
}

void apply_abandon(struct apply *a) {
  if (!sqlite3_get_autocommit(a->db)) local_run(a->local, LOCAL_ROLLBACK, NULL, "");
  cache_clear(a->cache);
  a->head = a->committed;
  a->published_count = 0;
  take_back_ended(a, 0);
}

void apply_rest(struct apply *a) {
  cache_clear(a->cache);
  ck_arena_free(&a->frame);
  ck_arena_free(&a->batch);
  sqlite3_db_release_memory(a->db);
}

/* Links may hand a second key on to each other within a batch, in a ring even: whoever gives one up does so first. */
static int vacate_second_keys(struct apply *a, struct entry **dirty, size_t n, struct ck_err *err) {
  for (size_t i = 0; i < n; ++i) {
    const struct entry *e = dirty[i];
    bool leaves = e->row.table == CK_LINKS && e->stored && e->stored_other && e->stored_other != e->other_hash;
    if (leaves && tables_vacate(a->tables, e->stored, err)) return -1;
  }
  return 0;
}

/* Parents before children, so that the foreign keys hold at every statement; within a table by version. */
static int flush(struct apply *a, struct ck_err *err) {
  size_t n;
  struct entry **dirty = cache_dirty(a->cache, &n);
  if (vacate_second_keys(a, dirty, n, err)) return -1;
  for (int t = 0; t < CK_TABLES; ++t)
    for (size_t i = 0; i < n; ++i)
      if ((int)dirty[i]->row.table == t && tables_write(a->tables, &dirty[i]->row, dirty[i]->stored, dirty[i]->version, err)) return -1;
  return 0;
}

static int save_counts(struct apply *a, struct ck_err *err) {
  bool any = false;
  for (int t = 0; t < CK_TABLES; ++t) any |= a->added[t] != 0;
  if (!any) return 0;
  const int64_t *n = a->added;
  return local_run(a->local, LOCAL_COUNTS_ADD, err, "iiiiii", n[CK_MESSAGES], n[CK_EXECUTIONS], n[CK_SESSIONS], n[CK_CONVERSATIONS], n[CK_LINKS], n[CK_JOBS]);
}

int apply_commit(struct apply *a, struct producers *p, bool *constraint, struct ck_err *err) {
  *constraint = false;
  bool flushed = flush(a, err) == 0;
  if (!flushed) *constraint = (sqlite3_errcode(a->db) & 0xff) == SQLITE_CONSTRAINT;
  if (flushed && save_counts(a, err) == 0 && producers_save(p, a->local, err) == 0 && local_run(a->local, LOCAL_COMMIT, err, "") == 0) {
    a->committed = a->head;
    if (a->ended_count) leases_settle(a->leases);
    return 0;
  }
  apply_abandon(a);
  return -1;
}

struct entry **apply_changes(struct apply *a, size_t *n) {
  return cache_dirty(a->cache, n);
}

const struct published *apply_published(const struct apply *a, size_t *n) {
  *n = a->published_count;
  return a->published;
}

bool apply_ended_leases(const struct apply *a) { return a->ended_count > 0; }

void apply_told(struct apply *a) { cache_committed(a->cache); }
