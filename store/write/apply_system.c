/* Mutations of the store's own tables: jobs' attempts, the mirror's progress, dead letters,
 * cursors, deliveries. */
#include "store/write/apply_internal.h"

#include <string.h>

#include "proto/log.h"

static struct entry *find_job(struct apply *a, struct ck_str id, struct ck_err *err) {
  struct entry *e = apply_find(a, CK_JOBS, id, err);
  if (!e || e->exists) return e;
  struct ck_str shown = ck_utf8_cut(id, 100);
  ck_fail(err, "renewal_jobs.job_id: there is no '%.*s'", (int)shown.n, shown.s);
  return NULL;
}

int mutate_claim(struct apply *a, const struct ck_claim *m, struct ck_err *err) {
  struct entry *e = find_job(a, m->job_id, err);
  if (!e) return -1;
  struct ck_str status = ck_row_text(&e->row, CK_JOBS_STATUS);
  if (!ck_str_is(status, "pending"))
    return ck_fail(err, "renewal_jobs.status: the job is %.*s, not pending", (int)status.n,
                   status.s);
  if (m->token.n == 0) return ck_fail(err, "claim.token: must not be blank");
  int64_t attempt = apply_sum(ck_row_int(&e->row, CK_JOBS_ATTEMPT_COUNT, 0), 1);
  struct ck_row row = e->row;
  row.v[CK_JOBS_STATUS] = ck_textz("running");
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempt);
  row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(m->at);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
  if (row.v[CK_JOBS_STARTED_AT].state != CK_INT) row.v[CK_JOBS_STARTED_AT] = ck_int(m->at);
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_LEASE_SAVE, err, "sissi", m->job_id, attempt, m->token,
                 CK_LIT("running"), m->at))
    return apply_failed(a);
  return apply_change(a, e, &row, err);
}

static int check_lease(struct apply *a, const struct entry *e, const struct ck_end *m,
                       struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_LEASE_GET, "s", m->job_id);
  int rc = system_step(a->system, s, err);
  bool current = rc > 0 && (uint64_t)sqlite3_column_int64(s, 0) == m->attempt &&
                 ck_str_eq(db_str(s, 1), m->token);
  system_done(s);
  if (rc < 0) return apply_failed(a);
  return current && apply_is_running(&e->row)
             ? 0
             : ck_fail(err, "end.token: the attempt is not the job's current one");
}

/* How each outcome changes the job. */
struct outcome {
  const char *word, *status;
  bool finished, charged;
};

static const struct outcome outcomes[] = {
    {"done", "done", true, true},          {"retry", "pending", false, true},
    {"failed", "failed", true, true},      {"unknown", "running", false, true},
    {"released", "pending", false, false},
};

static const struct outcome *outcome_named(struct ck_str word) {
  for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; ++i)
    if (ck_str_is(word, outcomes[i].word)) return &outcomes[i];
  return NULL;
}

static struct ck_value text_or_null(struct ck_str s) { return s.n ? ck_text(s) : ck_null(); }

static void end_job(const struct apply *a, struct ck_row *row, const struct ck_end *m,
                    const struct outcome *o) {
  row->v[CK_JOBS_STATUS] = ck_textz(o->status);
  row->v[CK_JOBS_LAST_ERROR] = text_or_null(ck_trim(m->error));
  if (m->log_path.n) row->v[CK_JOBS_LOG_PATH] = ck_text(m->log_path);
  if (o->finished) row->v[CK_JOBS_FINISHED_AT] = ck_int(m->at);
  if (strcmp(o->status, "pending") == 0)
    row->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(m->next_attempt_at);
  if (o->finished) row->v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_null();
  int64_t attempts = ck_row_int(row, CK_JOBS_ATTEMPT_COUNT, 0);
  if (!o->charged && attempts > 0) row->v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempts - 1);
  row->v[CK_JOBS_UPDATED_AT] = ck_int(a->now);
}

static int cool_down(struct apply *a, struct ck_str conversation, int64_t until,
                     struct ck_err *err) {
  struct ck_row write = {.table = CK_CONVERSATIONS};
  write.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_text(conversation);
  write.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = ck_int(until);
  return apply_update(a, &write, err);
}

int mutate_end(struct apply *a, const struct ck_end *m, struct ck_err *err) {
  const struct outcome *o = outcome_named(m->outcome);
  if (!o) {
    struct ck_str shown = ck_utf8_cut(m->outcome, 40);
    return ck_fail(err, "end.outcome: '%.*s' is not one of done|retry|failed|unknown|released",
                   (int)shown.n, shown.s);
  }
  struct entry *e = find_job(a, m->job_id, err);
  if (!e || check_lease(a, e, m, err)) return -1;
  struct ck_row row = e->row;
  end_job(a, &row, m, o);
  if (apply_is_running(&row)) {
    if (apply_savepoint(a, err)) return -1;
    if (system_run(a->system, SYSTEM_LEASE_SAVE, err, "sissi", m->job_id, (int64_t)m->attempt,
                   m->token, CK_LIT("unknown"), m->at))
      return apply_failed(a);
  }
  if (apply_change(a, e, &row, err)) return -1;
  return m->cooldown_until ? cool_down(a, ck_row_text(&e->row, CK_JOBS_LOCAL_CONVERSATION_ID),
                                       m->cooldown_until, err)
                           : 0;
}

static int save_dead_letters(struct apply *a, const struct ck_synced *m, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(m->dead);
  struct ck_dead_letter letter;
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "synced.dead: must be an array");
  for (uint32_t i = 0; i < n; ++i) {
    if (ck_dead_letter_decode(&r, &letter, err)) return ck_fail_in(err, "synced.dead[%u]", i);
    if (system_run(a->system, SYSTEM_DEAD_SAVE, err, "sssisi", m->sink,
                   ck_str_of(ck_tables[letter.table].name), letter.key, (int64_t)letter.version,
                   letter.reason, a->now))
      return apply_failed(a);
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

int mutate_synced(struct apply *a, const struct ck_synced *m, struct ck_err *err) {
  if (a->backfill) return ck_fail(err, "synced.generation: a backfill begins with this batch");
  if (apply_savepoint(a, err) || save_dead_letters(a, m, err)) return -1;
  struct lease done = {m->generation, m->after, m->upto};
  uint64_t cursor;
  if (!leases_end(a->leases, &done, &cursor))
    return ck_fail(err, "synced.generation: %llu is not the current lease of this range",
                   (unsigned long long)m->generation);
  remember_ended(a, m->generation);
  if (system_run(a->system, SYSTEM_DEAD_PASSED, err, "s", m->sink)) return apply_failed(a);
  struct ck_str mirror = a->mirror ? ck_str_of(a->mirror) : m->sink;
  if (system_run(a->system, SYSTEM_SINK_SAVE, err, "si", mirror, (int64_t)cursor))
    return apply_failed(a);
  return 0;
}

int mutate_retry(struct apply *a, const struct ck_retry *m, struct ck_err *err) {
  enum ck_table t = ck_table_named(m->table);
  if (t == CK_TABLES) return ck_fail(err, "retry.table: %s is not a table", ck_quoted(m->table));
  struct entry *e = apply_find(a, t, m->key, err);
  if (!e || apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_DEAD_DROP, err, "sss", m->sink, m->table, m->key))
    return apply_failed(a);
  if (sqlite3_changes(a->db) == 0 || !e->exists) return 0;
  struct ck_row row = e->row;
  return apply_change(a, e, &row, err);
}

/* Reads a version that is stored by name; 0 if there is none. -1: the database failed. */
static int stored_version(struct apply *a, enum system_statement name, struct ck_str of,
                          uint64_t *version, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, name, "s", of);
  int rc = system_step(a->system, s, err);
  *version = rc > 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

int mutate_backfill(struct apply *a, const struct ck_backfill *m, struct ck_err *err) {
  uint64_t goal, cursor;
  struct ck_str mirror = ck_str_of(a->mirror);
  if (m->sink.n == 0 || m->sink.n > mirror.n || memcmp(mirror.s, m->sink.s, m->sink.n) != 0)
    return ck_fail(err, "backfill.sink: the store's mirror is %s, not %s",
                   a->mirror ? a->mirror : "none", ck_quoted(m->sink));
  if (stored_version(a, SYSTEM_BACKFILL_GET, mirror, &goal, err) ||
      stored_version(a, SYSTEM_SINK_GET, mirror, &cursor, err))
    return -1;
  if (cursor < goal || a->head == 0 || a->backfill) return 0;
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_SINK_SAVE, err, "si", mirror, (int64_t)0) ||
      system_run(a->system, SYSTEM_BACKFILL_SAVE, err, "si", mirror, (int64_t)a->head))
    return apply_failed(a);
  a->backfill = a->head;
  return 0;
}

#define DAY_MS 86400000
#define SPENT_MAX \
  (UINT64_C(1) << 40) /* of one mutation: more is wrong, and the sums must not overflow */

int mutate_spent(struct apply *a, const struct ck_spent *m, struct ck_err *err) {
  if (m->requests > SPENT_MAX || m->rows > SPENT_MAX || m->written > SPENT_MAX)
    return ck_fail(err, "spent: a number is too large");
  if (apply_savepoint(a, err)) return -1;
  struct ck_str mirror = a->mirror ? ck_str_of(a->mirror) : m->sink;
  if (system_run(a->system, SYSTEM_SPENT_ADD, err, "siiii", mirror, a->now / DAY_MS,
                 (int64_t)m->requests, (int64_t)m->rows, (int64_t)m->written))
    return apply_failed(a);
  return 0;
}

int mutate_cursor(struct apply *a, const struct ck_cursor *m, struct ck_err *err) {
  if (m->follower.n == 0) return ck_fail(err, "cursor.follower: must not be blank");
  if (apply_savepoint(a, err)) return -1;
  if (system_run(a->system, SYSTEM_CURSOR_SAVE, err, "ssi", m->follower, m->store_id,
                 (int64_t)m->version))
    return apply_failed(a);
  return 0;
}

int mutate_publish(struct apply *a, const struct ck_publish *m, struct ck_err *err) {
  (void)err;
  if (a->published_count == a->published_cap) {
    a->published_cap = a->published_cap ? a->published_cap * 2 : 16;
    a->published = ck_realloc(a->published, a->published_cap * sizeof *a->published);
  }
  a->published[a->published_count++] =
      (struct published){ck_arena_copy(&a->batch, m->client_id), ck_arena_copy(&a->batch, m->body)};
  return 0;
}
