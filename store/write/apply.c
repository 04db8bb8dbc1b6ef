/* See apply.h: one changeset, then the batch. The mutations are in apply_record.c,
 * apply_jobs.c, apply_offers.c and apply_system.c. */
#include "store/write/apply.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "store/database/schema.h"
#include "store/write/apply_internal.h"

/* It is about 70 ms of work. */
#define FORGET_ROWS 400

static int look_for_forgotten(struct apply *a, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_FORGETTING, "");
  int rc = system_step(a->system, s, err);
  system_done(s);
  a->forgetting = rc > 0;
  return rc < 0 ? -1 : 0;
}

struct apply *apply_new(sqlite3 *db, struct system_tables *system, struct mirrors *mirrors,
                        uint64_t head, struct ck_err *err) {
  struct apply *a = ck_zalloc(sizeof *a);
  a->db = db;
  a->system = system;
  a->mirrors = mirrors;
  a->head = a->committed = head;
  a->pauses = (uint64_t)ck_now_ms(); /* none that a former run has said */
  a->cache = cache_new();
  a->attachments = attachments_new();
  a->tables = tables_new(db, err);
  a->forget_rows = FORGET_ROWS;
  int64_t any = 0;
  if (!a->tables || !(a->originals = originals_new(db, err)) || look_for_forgotten(a, err) ||
      db_int(db, "SELECT EXISTS (SELECT 1 FROM forgotten)", 0, &any, err))
    apply_free(&a);
  else
    a->any_forgotten = any != 0;
  return a;
}

void apply_free(struct apply **a) {
  if (!*a) return;
  tables_free(&(*a)->tables);
  originals_free(&(*a)->originals);
  cache_free(&(*a)->cache);
  attachments_free(&(*a)->attachments);
  ck_arena_free(&(*a)->frame);
  ck_arena_free(&(*a)->batch);
  ck_buf_free(&(*a)->path);
  ck_buf_free(&(*a)->last_inserted);
  ck_buf_free(&(*a)->source);
  ck_buf_free(&(*a)->identity.parents);
  free((*a)->recounts);
  free((*a)->published);
  free((*a)->ended);
  free(*a);
  *a = NULL;
}

void apply_resize_keys(struct apply *a, int64_t memory, int64_t merge, int64_t first_layer) {
  keys_resize(tables_keys(a->tables), memory, merge, first_layer);
}

void apply_watch_schema(struct apply *a, migration *const *steps) { a->steps = steps; }

/* A table whose rows somebody deleted has fewer than were counted. Of messages the index of ids
 * tells, which ones too. */
static int find_missing(struct apply *a, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_MISSING, "");
  int rc = system_step(a->system, s, err);
  for (int t = CK_MESSAGES + 1; rc > 0 && t < CK_TABLES; ++t)
    a->missing[t] = sqlite3_column_int64(s, t);
  system_done(s);
  return rc < 0 ? -1 : 0;
}

/* The pragma's number changes when another connection has written, be it a person's sqlite3. */
static int check_writers(struct apply *a, struct ck_err *err) {
  sqlite3_stmt *s = system_query(a->system, SYSTEM_DATA_VERSION, "");
  int rc = system_step(a->system, s, err);
  int64_t seen = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  system_done(s);
  if (rc < 0) return -1;
  if (seen == a->data_version) return 0;
  cache_clear(a->cache); /* rows may be gone */
  if (a->steps && schema_check(a->db, a->steps, db_newest_format(a->steps), err)) return -1;
  if (find_missing(a, err)) return -1;
  a->data_version = seen;
  return 0;
}

uint64_t apply_head(const struct apply *a) { return a->head; }

static void take_back_ended(struct apply *a, size_t down_to) {
  while (a->ended_count > down_to) {
    const struct ended *e = &a->ended[--a->ended_count];
    leases_rolled_back(e->leases, e->generation);
  }
}

static int apply_mutation(struct apply *a, const struct ck_mutation *m, struct ck_err *err) {
  switch (m->kind) {
#define DISPATCH(NAME, name, number) \
  case CK_OP_##NAME: \
    return mutate_##name(a, &m->as.name, err);
    CK_MUTATION_LIST(DISPATCH)
#undef DISPATCH
  }
  return ck_fail(err, "unknown mutation %d", (int)m->kind);
}

/* ---- one changeset ---- */

static int apply_all(struct apply *a, struct ck_str mutations, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(mutations);
  a->mutations = mutations;
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "changeset.mutations: must be an array");
  for (uint32_t i = 0; i < n; ++i) {
    struct ck_mutation m;
    if (ck_mutation_decode(&m, &r, err)) return ck_fail_in(err, "mutation %u", i);
    if (apply_mutation(a, &m, err)) return -1;
  }
  return 0;
}

void apply_start(struct apply *a, int64_t now) {
  ++a->serial;
  a->now = now;
  a->said_at = 0;
  a->savepoint = a->inserted = a->updated = false;
  a->run = (struct session_run){0};
  identity_begin(a);
  memset(a->fresh, 0, sizeof a->fresh);
  memset(a->back, 0, sizeof a->back);
  a->knows = false;
  a->counts = (struct ck_counts){0};
  a->counted = NULL;
  a->claimed = (struct ck_claimed){0};
  a->recounts_before = a->recount_count;
  a->published_before = a->published_count;
  a->ended_before = a->ended_count;
  for (size_t i = 0; i < a->mirrors->n; ++i) a->news_before[i] = a->news[i];
  ck_arena_reset(&a->frame);
}

static int undo_changeset(struct apply *a, uint64_t head, struct ck_err *err) {
  cache_rollback(a->cache);
  a->head = head;
  a->recount_count = a->recounts_before;
  a->published_count = a->published_before;
  take_back_ended(a, a->ended_before);
  for (size_t i = 0; i < a->mirrors->n; ++i) a->news[i] = a->news_before[i];
  if (!a->savepoint) return 0;
  return system_run(a->system, SYSTEM_UNDO, err, "") ||
                 system_run(a->system, SYSTEM_RELEASE, err, "")
             ? apply_failed(a)
             : 0;
}

int apply_accept(struct apply *a, struct ck_err *err) {
  cache_mark(a->cache);
  for (int t = 0; t < CK_TABLES; ++t) {
    a->added[t] += a->fresh[t] - a->back[t];
    a->returned[t] += a->back[t];
  }
  if (a->savepoint && system_run(a->system, SYSTEM_RELEASE, err, "")) return apply_failed(a);
  return 0;
}

static uint64_t messages_of(const struct ck_counts *c) {
  return c->added + c->updated + c->unchanged;
}

/* Did something new come with one message that was there? The letter, n, does not tell that. */
static bool is_known_with_news(const struct apply *a) {
  return a->inserted && messages_of(&a->counts) == 1 && !a->counts.added;
}

/* A lone message is updated by whatever came with it. */
static void count_lone(struct apply *a) {
  if (is_known_with_news(a)) a->counts = (struct ck_counts){.updated = 1};
}

char apply_changeset(struct apply *a, const struct ck_changeset *c, int64_t now,
                     struct ck_err *reason) {
  uint64_t head = a->head;
  apply_start(a, now);
  if (apply_all(a, c->mutations, reason)) {
    struct ck_err err;
    if (a->failed || undo_changeset(a, head, &err)) return 0;
    int64_t prune = (int64_t)c->number - PRODUCER_TAIL;
    if (system_run(a->system, SYSTEM_REFUSAL_SAVE, reason, "sisi", c->producer, (int64_t)c->number,
                   ck_str_of(reason->text), now) ||
        system_run(a->system, SYSTEM_REFUSALS_PRUNE, reason, "si", c->producer, prune)) {
      apply_failed(a);
      return 0;
    }
    a->counts = (struct ck_counts){0};
    a->claimed = (struct ck_claimed){0};
    return 'r';
  }
  if (apply_accept(a, reason)) return 0;
  count_lone(a);
  a->counts.number = c->number;
  return a->inserted ? 'n' : a->updated ? 'u' : '=';
}

const struct ck_counts *apply_counts(const struct apply *a) {
  bool tells = messages_of(&a->counts) > 1 || a->counts.forgotten || is_known_with_news(a);
  return tells ? &a->counts : NULL;
}

const struct ck_claimed *apply_claimed(const struct apply *a) {
  return a->claimed.job_id.n ? &a->claimed : NULL;
}

/* ---- the batch ---- */

int apply_begin(struct apply *a, struct ck_err *err) {
  memset(a->added, 0, sizeof a->added);
  memset(a->returned, 0, sizeof a->returned);
  a->failed = a->forgot = false;
  a->recount_count = a->published_count = a->ended_count = 0;
  a->pauses_changed = a->pruned = a->waits_pruned = false;
  memset(a->news, 0, sizeof a->news);
  ck_arena_reset(&a->batch);
  a->unnamed = false;
  return system_run(a->system, SYSTEM_BEGIN, err, "") || check_writers(a, err) ||
                 look_for_forgotten(a, err)
             ? -1
             : 0;
}

void apply_abandon(struct apply *a) {
  a->met_damage |= (sqlite3_errcode(a->db) & 0xff) == SQLITE_CORRUPT;
  if (!sqlite3_get_autocommit(a->db)) system_run(a->system, SYSTEM_ROLLBACK, NULL, "");
  cache_clear(a->cache);
  attachments_abandon(a->attachments);
  originals_abandon(a->originals);
  keys_rolled_back(tables_keys(a->tables));
  a->head = a->committed;
  a->published_count = 0;
  memset(a->news, 0, sizeof a->news);
  take_back_ended(a, 0);
}

bool apply_forgot(const struct apply *a) { return a->forgot; }

bool apply_met_damage(const struct apply *a) { return a->met_damage; }

void apply_idle(struct apply *a) {
  cache_clear(a->cache);
  ck_arena_free(&a->frame);
  ck_arena_free(&a->batch);
  sqlite3_db_release_memory(a->db);
}

/* Within a batch, records may pass unique keys to each other, even in a ring. So all are released
 * before any record takes its new one. */
static int release_unique_keys(struct apply *a, struct entry **dirty, size_t n,
                               struct ck_err *err) {
  for (size_t i = 0; i < n; ++i) {
    const struct entry *e = dirty[i];
    bool releases = e->stored && e->stored_unique && e->stored_unique != e->unique_hash;
    if (releases && ck_release_column(e->row.table) >= 0 &&
        tables_release(a->tables, e->row.table, e->stored, err))
      return -1;
  }
  return 0;
}

static int write_entry(struct tables *t, const struct entry *e, struct ck_err *err) {
  return e->version == e->stored ? tables_write_quiet(t, &e->row, e->version, err)
                                 : tables_write(t, &e->row, e->stored, !e->moved, e->version, err);
}

/* Parents before children, so that the foreign keys hold after every statement (the enum's order);
 * within a table by version. */
static int flush_tables(struct apply *a, int from, int upto, struct ck_err *err) {
  size_t n;
  struct entry **dirty = cache_dirty(a->cache, &n);
  if (from == 0 && release_unique_keys(a, dirty, n, err)) return -1;
  for (int t = from; t < upto; ++t)
    for (size_t i = 0; i < n; ++i)
      if ((int)dirty[i]->row.table == t && write_entry(a->tables, dirty[i], err)) return -1;
  return 0;
}

static int flush(struct apply *a, struct ck_err *err) {
  if (a->recount_count == 0) return flush_tables(a, 0, CK_TABLES, err);
  return flush_tables(a, 0, CK_SESSIONS, err) || sessions_recount(a, err)
             ? -1
             : flush_tables(a, CK_SESSIONS, CK_TABLES, err);
}

/* The types and the arguments of SYSTEM_COUNTS_ADD. */
#define COUNT_TYPE(TABLE, table, word) "i"
#define COUNT_ARGUMENT(TABLE, table, word) , n[CK_##TABLE]

static int save_counts(struct apply *a, struct ck_err *err) {
  bool any = false;
  for (int t = 0; t < CK_TABLES; ++t) any |= a->added[t] != 0;
  if (!any) return 0;
  const int64_t *n = a->added;
  return system_run(a->system, SYSTEM_COUNTS_ADD, err,
                    CK_TABLE_LIST(COUNT_TYPE) CK_TABLE_LIST(COUNT_ARGUMENT));
}

static void mirror_committed(const struct mirror *mirror, const struct mirror_news *n) {
  if (n->ended) leases_committed(mirror->leases);
  if (n->backfill) leases_restart(mirror->leases, n->backfill);
  witness_committed(mirror, n);
}

int apply_commit(struct apply *a, struct producers *p, bool *constraint, struct ck_err *err) {
  *constraint = false;
  bool settled = false;
  bool flushed = flush(a, err) == 0 && originals_settle(a->originals, &settled, err) == 0 &&
                 keys_merge(tables_keys(a->tables), a->head, err) == 0;
  if (!flushed) *constraint = (sqlite3_errcode(a->db) & 0xff) == SQLITE_CONSTRAINT;
  if (flushed && attachments_sync(a->attachments, err) == 0 && save_counts(a, err) == 0 &&
      producers_save(p, a->system, err) == 0 &&
      system_run(a->system, SYSTEM_COMMIT, err, "") == 0) {
    a->committed = a->head;
    a->unnamed |= settled;
    a->pauses += a->pauses_changed;
    for (int t = 0; t < CK_TABLES; ++t) a->missing[t] -= a->returned[t];
    keys_committed(tables_keys(a->tables));
    for (size_t i = 0; i < a->mirrors->n; ++i) mirror_committed(&a->mirrors->at[i], &a->news[i]);
    return 0;
  }
  apply_abandon(a);
  return -1;
}

struct entry **apply_changes(struct apply *a, size_t *n) {
  struct entry **dirty = cache_dirty(a->cache, n);
  for (; *n && (*dirty)->version == (*dirty)->stored; ++dirty) --*n;
  return dirty;
}

const struct ck_delivery *apply_published(const struct apply *a, size_t *n) {
  *n = a->published_count;
  return a->published;
}

uint64_t apply_pauses(const struct apply *a) { return a->pauses; }

bool apply_ended_leases(const struct apply *a, size_t i) {
  const struct mirror_news *n = &a->news[i];
  return n->ended || n->backfill > 0 || n->what != FIT_NEWS_NONE;
}

void apply_release_changes(struct apply *a) {
  cache_committed(a->cache);
  if (a->unnamed) cache_clear(a->cache);
}
