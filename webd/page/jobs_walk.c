/* Jobs of one state, batch by batch: where they are listed depends on the state; see jobs.h.
 *
 *   failed, superseded, done             renewal_jobs
 *   waiting                              renewal_jobs: those that are due at a time, the soonest
 *                                        first; then those that are not due
 *   unknown, running                     leases   ─► renewal_jobs by their ids
 *   stopped                              renewd's report ─► renewal_jobs by their ids */
#include "webd/page/jobs.h"

#include <stdlib.h>

#include "proto/account.h"
#include "proto/map.h"
#include "proto/renewal.h"

/* What walk->next begins with among those that are not due: no cursor begins so. */
#define NOT_DUE "-"

static void ask_batch(struct page_walk *walk);

void page_walk_free(struct page_walk *walk) {
  free(walk->jobs);
  free(walk->next);
  ck_arena_free(&walk->arena);
}

static struct ck_str keep(struct page_walk *walk, struct ck_str text) {
  return ck_arena_copy(&walk->arena, text);
}

/* ---- asking ---- */

static void end(struct page_walk *walk, bool failed) { walk->done(walk->self, failed); }

static bool is_not_due(const struct page_walk *walk) {
  return walk->next && *walk->next == *NOT_DUE;
}

static void ask(struct page_walk *walk, const char *table, struct ck_buf *filters, unsigned limit,
                bool goes_on, web_heard *heard) {
  const struct ck_query query = {.table = ck_str_of(table),
                                 .filters = ck_buf_view(filters),
                                 .limit = limit,
                                 .cursor =
                                     ck_str_of(goes_on ? walk->next + is_not_due(walk) : NULL)};
  bool asked = page_ask(walk->w, walk->r, &query, heard, walk);
  ck_buf_free(filters);
  if (!asked) end(walk, true);
}

static void fail(void *walk) { end(walk, true); }

static void set_next(struct page_walk *walk, struct ck_str next) {
  free(walk->next);
  walk->next = next.n ? ck_str_dup(next) : NULL;
  walk->more = next.n > 0;
}

/* ---- the end of a batch ---- */

/* It does not end before it is known whether there are any that are not due, so that what goes on
 * has something. */
static void batch_done(struct page_walk *walk) {
  ++walk->batches;
  bool wanted = walk->count < walk->want || (walk->more && strcmp(walk->next, NOT_DUE) == 0);
  if (walk->more && wanted && walk->batches < PAGE_WALK_BATCHES)
    ask_batch(walk);
  else
    end(walk, false);
}

/* An array of the batch's conversations as a filter. */
static void put_conversations(struct ck_buf *b, const struct page_walk *walk) {
  struct ck_map m = ck_map_open(b);
  ck_pair_name(&m, "local_conversation_id");
  ck_put_array(b, (uint32_t)(walk->count - walk->fresh));
  for (size_t i = walk->fresh; i < walk->count; ++i)
    ck_put_str(b, ck_row_text(&walk->jobs[i].row, CK_JOBS_LOCAL_CONVERSATION_ID));
  ck_map_close(&m);
}

static bool is_of(const struct page_job_entry *e, struct ck_str conversation) {
  return ck_str_eq(ck_row_text(&e->row, CK_JOBS_LOCAL_CONVERSATION_ID), conversation);
}

static void heard_questions(void *self, const struct web_said *said) {
  struct page_walk *walk = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(walk->r, said, &rows, fail, walk)) return;
  while (page_next_row(&rows, &map)) {
    struct ck_str question = keep(walk, ck_map_str(map, "first_question"));
    for (size_t i = walk->fresh; i < walk->count; ++i)
      if (is_of(&walk->jobs[i], ck_map_str(map, "local_conversation_id")))
        walk->jobs[i].question = question;
  }
  batch_done(walk);
}

/* ---- conversations, and the account that a job is charged to ---- */

static struct ck_str text_at(const json_t *o, const char *name) {
  const json_t *value = json_object_get(o, name);
  return (struct ck_str){json_string_value(value), json_string_length(value)};
}

static void name_account(struct page_walk *walk, struct page_job_entry *e) {
  struct ck_str snapshot = ck_row_text(&e->row, CK_JOBS_TARGET_SNAPSHOT);
  json_t *target = snapshot.n ? json_loadb(snapshot.s, snapshot.n, 0, NULL) : NULL;
  json_t *payload = json_object_get(target, "payload");
  char *json = payload && !json_is_null(payload)
                   ? json_dumps(payload, JSON_COMPACT | JSON_ENCODE_ANY)
                   : NULL;
  struct ck_renewal own;
  struct ck_err err;
  struct ck_buf name = {0};
  ck_renewal_read(&own, ck_row_text(&e->conversation, CK_CONVERSATIONS_RENEWAL), &err);
  ck_account_name(&name, &(struct ck_account_facts){.own = ck_str_of(own.account),
                                                    .platform = text_at(target, "platform"),
                                                    .kind = text_at(target, "kind"),
                                                    .id = text_at(target, "id"),
                                                    .client_id = text_at(target, "client_id"),
                                                    .payload = ck_str_of(json),
                                                    .known = text_at(target, "account")});
  e->account = keep(walk, ck_buf_view(&name));
  ck_buf_free(&name);
  ck_renewal_free(&own);
  free(json);
  json_decref(target);
}

static void keep_account(struct page_walk *walk) {
  size_t n = walk->fresh;
  for (size_t i = walk->fresh; i < walk->count; ++i)
    if (!*walk->filter.account || ck_str_is(walk->jobs[i].account, walk->filter.account))
      walk->jobs[n++] = walk->jobs[i];
  walk->count = n;
}

static void heard_conversations(void *self, const struct web_said *said) {
  struct page_walk *walk = self;
  struct ck_buf filters = {0};
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(walk->r, said, &rows, fail, walk)) return;
  while (page_next_row(&rows, &map)) {
    struct ck_row row;
    page_row_of(&row, CK_CONVERSATIONS, keep(walk, map));
    for (size_t i = walk->fresh; i < walk->count; ++i)
      if (is_of(&walk->jobs[i], ck_row_key(&row))) walk->jobs[i].conversation = row;
  }
  for (size_t i = walk->fresh; i < walk->count; ++i) name_account(walk, &walk->jobs[i]);
  keep_account(walk);
  if (!walk->titles || walk->count == walk->fresh) {
    batch_done(walk);
    return;
  }
  put_conversations(&filters, walk);
  ask(walk, "questions", &filters, 1000, false, heard_questions);
}

/* ---- the batch ---- */

static void add(struct page_walk *walk, struct page_job_entry e) {
  if (walk->count == walk->room) {
    walk->room = walk->room ? walk->room * 2 : 64;
    walk->jobs = ck_realloc(walk->jobs, walk->room * sizeof *walk->jobs);
  }
  walk->jobs[walk->count++] = e;
}

struct named {
  struct ck_str id;
  struct page_job_entry *entry;
};

/* A batch by its ids, in their order: many jobs may be held. */
struct batch {
  struct page_walk *walk;
  struct named *names;
  size_t count;
};

static int by_name(const void *x, const void *y) {
  return ck_str_order(((const struct named *)x)->id, ((const struct named *)y)->id);
}

static bool note_held(void *self, struct ck_str map) {
  const struct batch *b = self;
  const struct named wanted = {.id = ck_map_str(map, "job_id")};
  const struct named *found = bsearch(&wanted, b->names, b->count, sizeof *b->names, by_name);
  if (!found) return true;
  found->entry->held = keep(b->walk, ck_map_str(map, "state"));
  found->entry->reason = keep(b->walk, ck_map_str(map, "reason"));
  found->entry->until = ck_map_int(map, "until", 0);
  return true;
}

static void note_all_held(struct page_walk *walk) {
  struct batch b = {walk, NULL, walk->count - walk->fresh};
  if (!b.count) return;
  b.names = ck_zalloc(b.count * sizeof *b.names);
  for (size_t i = 0; i < b.count; ++i) {
    struct page_job_entry *e = &walk->jobs[walk->fresh + i];
    b.names[i] = (struct named){ck_row_key(&e->row), e};
  }
  qsort(b.names, b.count, sizeof *b.names, by_name);
  page_held_each(page_state(walk->r), note_held, &b);
  free(b.names);
}

/* Those that are of the walk's state; a job may have gone on since it was listed. */
static void keep_state(struct page_walk *walk) {
  size_t n = walk->fresh;
  for (size_t i = walk->fresh; i < walk->count; ++i) {
    bool stopped = ck_str_is(walk->jobs[i].held, "stopped");
    if (walk->state == PAGE_WAITING && stopped) continue;
    if (walk->state == PAGE_STOPPED && !stopped) continue;
    walk->jobs[n++] = walk->jobs[i];
  }
  walk->count = n;
}

static void batch_rows(struct page_walk *walk) {
  struct ck_buf filters = {0};
  if (walk->state == PAGE_WAITING || walk->state == PAGE_STOPPED) {
    note_all_held(walk);
    keep_state(walk);
  }
  if (walk->count == walk->fresh || (!walk->titles && !*walk->filter.account)) {
    batch_done(walk);
    return;
  }
  put_conversations(&filters, walk);
  ask(walk, "local_conversations", &filters, 1000, false, heard_conversations);
}

/* After the last that is due, those that are not. */
static void set_next_listed(struct page_walk *walk, struct ck_str cursor) {
  struct ck_buf next = {0};
  if (walk->state == PAGE_WAITING && is_not_due(walk) == (cursor.n > 0))
    ck_buf_text(&next, NOT_DUE);
  ck_buf_str(&next, cursor);
  set_next(walk, ck_buf_view(&next));
  ck_buf_free(&next);
}

static void heard_jobs(void *self, const struct web_said *said) {
  struct page_walk *walk = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(walk->r, said, &rows, fail, walk)) return;
  while (page_next_row(&rows, &map)) {
    struct page_job_entry e = {.state = walk->state};
    page_row_of(&e.row, CK_JOBS, keep(walk, map));
    add(walk, e);
  }
  set_next_listed(walk, rows.cursor);
  batch_rows(walk);
}

static void put_narrower(struct ck_map *m, const struct page_walk *walk) {
  if (*walk->filter.platform) ck_pair_text(m, "platform", walk->filter.platform);
  if (*walk->filter.conversation)
    ck_pair_text(m, "local_conversation_id", walk->filter.conversation);
}

bool page_walk_lists(enum page_jobs_of state) {
  return state == PAGE_WAITING || state == PAGE_FAILED || state == PAGE_SUPERSEDED ||
         state == PAGE_DONE;
}

static void put_state(struct ck_map *m, const struct page_walk *walk) {
  static const char *const statuses[] = {[PAGE_WAITING] = "pending",
                                         [PAGE_FAILED] = "failed",
                                         [PAGE_SUPERSEDED] = "failed",
                                         [PAGE_DONE] = "done"};
  ck_pair_text(m, "status", statuses[walk->state]);
  if (walk->state == PAGE_FAILED || walk->state == PAGE_SUPERSEDED)
    ck_pair_text(m, "superseded", walk->state == PAGE_SUPERSEDED ? "yes" : "no");
  put_narrower(m, walk);
}

void page_walk_filters(struct ck_buf *b, const struct page_walk *walk) {
  struct ck_map m = ck_map_open(b);
  put_state(&m, walk);
  ck_map_close(&m);
}

static void ask_listed(struct page_walk *walk) {
  struct ck_buf filters = {0};
  struct ck_map m = ck_map_open(&filters);
  bool not_due = walk->state == PAGE_WAITING && is_not_due(walk);
  put_state(&m, walk);
  if (not_due)
    ck_pair_nil(&m, "next_attempt_at_max");
  else if (walk->state == PAGE_WAITING)
    ck_pair_int(&m, "next_attempt_at_max", INT64_MAX);
  ck_map_close(&m);
  unsigned limit = not_due && walk->count >= walk->want ? 1 : walk->batch;
  ask(walk, "renewal_jobs", &filters, limit, true, heard_jobs);
}

/* ---- those that are found by their ids ---- */

static void heard_named(void *self, const struct web_said *said) {
  struct page_walk *walk = self;
  struct page_rows rows;
  struct ck_str map;
  size_t n = walk->fresh;
  if (!page_heard_rows(walk->r, said, &rows, fail, walk)) return;
  while (page_next_row(&rows, &map))
    for (size_t i = walk->fresh; i < walk->count; ++i)
      if (ck_str_eq(ck_row_key(&walk->jobs[i].row), ck_map_str(map, "job_id")))
        page_row_of(&walk->jobs[i].row, CK_JOBS, keep(walk, map));
  const char *status = walk->state == PAGE_STOPPED ? "pending" : "running";
  for (size_t i = walk->fresh; i < walk->count; ++i)
    if (ck_str_is(ck_row_text(&walk->jobs[i].row, CK_JOBS_STATUS), status))
      walk->jobs[n++] = walk->jobs[i];
  walk->count = n;
  batch_rows(walk);
}

/* The batch has entries with nothing but their ids. */
static void ask_named(struct page_walk *walk) {
  struct ck_buf filters = {0};
  if (walk->count == walk->fresh) {
    batch_done(walk);
    return;
  }
  struct ck_map m = ck_map_open(&filters);
  ck_pair_name(&m, "job_id");
  ck_put_array(&filters, (uint32_t)(walk->count - walk->fresh));
  for (size_t i = walk->fresh; i < walk->count; ++i)
    ck_put_str(&filters, ck_row_key(&walk->jobs[i].row));
  put_narrower(&m, walk);
  ck_map_close(&m);
  ask(walk, "renewal_jobs", &filters, 1000, false, heard_named);
}

static struct page_job_entry entry_named(struct page_walk *walk, struct ck_str id) {
  struct page_job_entry e = {.state = walk->state, .row = {.table = CK_JOBS}};
  e.row.v[CK_JOBS_JOB_ID] = ck_text(keep(walk, id));
  return e;
}

static void heard_leases(void *self, const struct web_said *said) {
  struct page_walk *walk = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(walk->r, said, &rows, fail, walk)) return;
  while (page_next_row(&rows, &map)) {
    bool unknown = ck_str_is(ck_map_str(map, "state"), "unknown");
    if (unknown != (walk->state == PAGE_UNKNOWN)) continue;
    struct page_job_entry e = entry_named(walk, ck_map_str(map, "job_id"));
    e.since = ck_map_int(map, "at", 0);
    e.client = keep(walk, ck_map_str(map, "client"));
    add(walk, e);
  }
  set_next(walk, rows.cursor);
  ask_named(walk);
}

/* ---- what renewd has stopped ---- */

struct stopped {
  struct page_walk *walk;
  struct ck_str *ids;
  size_t n, room;
};

static bool add_stopped(void *self, struct ck_str map) {
  struct stopped *s = self;
  struct ck_str id = ck_map_str(map, "job_id");
  if (!ck_str_is(ck_map_str(map, "state"), "stopped")) return true;
  if (s->walk->next && ck_str_order(id, ck_str_of(s->walk->next)) <= 0) return true;
  if (s->n == s->room) {
    s->room = s->room ? s->room * 2 : 64;
    s->ids = ck_realloc(s->ids, s->room * sizeof *s->ids);
  }
  s->ids[s->n++] = id;
  return true;
}

static int by_id(const void *x, const void *y) {
  return ck_str_order(*(const struct ck_str *)x, *(const struct ck_str *)y);
}

static void ask_stopped(struct page_walk *walk) {
  struct stopped s = {.walk = walk};
  page_held_each(page_state(walk->r), add_stopped, &s);
  if (s.n) qsort(s.ids, s.n, sizeof *s.ids, by_id);
  size_t n = s.n < walk->batch ? s.n : walk->batch;
  for (size_t i = 0; i < n; ++i) add(walk, entry_named(walk, s.ids[i]));
  set_next(walk, n < s.n ? s.ids[n - 1] : (struct ck_str){0});
  free(s.ids);
  ask_named(walk);
}

static void ask_batch(struct page_walk *walk) {
  struct ck_buf none = {0};
  walk->fresh = walk->count;
  if (walk->state == PAGE_STOPPED)
    ask_stopped(walk);
  else if (walk->state == PAGE_UNKNOWN || walk->state == PAGE_RUNNING)
    ask(walk, "leases", &none, walk->batch, true, heard_leases);
  else
    ask_listed(walk);
}

void page_walk(struct page_walk *walk) {
  walk->batches = 0;
  ask_batch(walk);
}

void page_walk_on(struct page_walk *walk) {
  ck_arena_reset(&walk->arena);
  walk->count = 0;
  page_walk(walk);
}
