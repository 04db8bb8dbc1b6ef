/* What sessions count: the messages and executions that came since the changeset's last session.
 * Rows that somebody deleted by hand and that come back were counted before. Of a message the index
 * of ids knows that it was there. Of a single execution nothing does; so if its message was there
 * before, the session's counts are compared with the database before the commit. That is rare: as a
 * rule an execution comes with its message. */
#include <stdio.h>

#include "store/write/apply_internal.h"

/* ---- what came ---- */

/* Was the message there before this transaction? False, too, for the message that was inserted
 * last, also by an earlier transaction: its executions may come with the next changeset. */
static bool was_there(struct apply *a, struct ck_str message) {
  if (ck_str_eq(ck_buf_view(&a->last_inserted), message)) return false;
  const struct entry *m = cache_find(a->cache, CK_MESSAGES, message);
  return !m || m->born == 0 || m->back;
}

/* ---- the session's day ---- */

#define DAY_BYTES (sizeof "YYYY-MM-DD" - 1)
#define FOLDER_BYTES 20 /* msg/YYYY/MM/DD/ */

/* The folder of the messages that a session counts, whose id ends with their day. */
static void day_folder(char folder[FOLDER_BYTES], struct ck_str session) {
  const char *day = session.n < DAY_BYTES ? NULL : session.s + session.n - DAY_BYTES;
  folder[0] = '\0';
  if (day)
    snprintf(folder, FOLDER_BYTES, CK_MESSAGES_FOLDER "%.4s/%.2s/%.2s/", day, day + 5, day + 8);
}

/* False: it does not count the known message, which was first observed on another day. */
static bool is_day_of_message(const struct apply *a, struct ck_str session) {
  char folder[FOLDER_BYTES];
  day_folder(folder, session);
  return folder[0] && a->run.known_message &&
         ck_str_starts(ck_row_text(&a->run.known_message->row, CK_MESSAGES_STATIC_PATH), folder);
}

/* ---- what the run has ---- */

bool sessions_knew(struct apply *a, const struct entry *e) {
  if (e->row.table == CK_EXECUTIONS)
    return was_there(a, ck_row_text(&e->row, CK_EXECUTIONS_MESSAGE_ID));
  return a->run.messages == 0 || is_day_of_message(a, ck_row_key(&e->row));
}

static void note_own(struct session_run *run, const struct ck_row *message) {
  int64_t at = ck_row_int(message, CK_MESSAGES_OBSERVED_AT, INT64_MAX);
  if (!run->own || at < run->own_from) run->own_from = at;
  run->own = true;
}

void sessions_inserted(struct apply *a, const struct entry *e) {
  if (e->row.table == CK_MESSAGES) {
    note_own(&a->run, &e->row);
    a->run.messages += !e->back;
    a->run.back += e->back;
    if (e->back) a->run.known_message = e;
    ck_buf_clear(&a->last_inserted);
    if (!e->back) ck_buf_str(&a->last_inserted, ck_row_key(&e->row));
  } else if (e->row.table == CK_EXECUTIONS) {
    bool doubt = was_there(a, ck_row_text(&e->row, CK_EXECUTIONS_MESSAGE_ID));
    a->run.doubtful += doubt;
    a->run.executions += !doubt;
  }
}

static void repeats_message(struct apply *a, const struct entry *e) {
  a->run.known = true;
  a->run.known_message = e;
  if (a->run.copies)
    a->run.copied = true;
  else
    note_own(&a->run, &e->row);
}

/* An execution is copied with its message. */
static int repeats_execution(struct apply *a, const struct entry *e, struct ck_err *err) {
  const struct entry *m =
      apply_find(a, CK_MESSAGES, ck_row_text(&e->row, CK_EXECUTIONS_MESSAGE_ID), err);
  a->run.known = true;
  if (!m) return -1;
  if (m->exists && identity_is_home(a, &m->row))
    note_own(&a->run, &m->row);
  else if (m->exists)
    a->run.copied = true;
  return 0;
}

int sessions_repeats(struct apply *a, const struct entry *e, struct ck_err *err) {
  if (e->row.table == CK_MESSAGES) repeats_message(a, e);
  return e->row.table == CK_EXECUTIONS ? repeats_execution(a, e, err) : 0;
}

bool sessions_run_inserts(const struct session_run *run) {
  return run->messages + run->executions + run->back + run->doubtful > 0;
}

/* ---- PUT ---- */

static bool leaves_counts_out(const struct ck_row *w) {
  return w->v[CK_SESSIONS_MESSAGE_COUNT].state == CK_LEFT_OUT &&
         w->v[CK_SESSIONS_EXECUTION_COUNT].state == CK_LEFT_OUT;
}

static void set_counts(struct ck_row *w, int64_t messages, int64_t executions) {
  w->v[CK_SESSIONS_MESSAGE_COUNT] = ck_int(messages);
  w->v[CK_SESSIONS_EXECUTION_COUNT] = ck_int(executions);
}

/* The write leaves its counts out: they grow by what this changeset has inserted. */
static void count_activity(const struct apply *a, const struct entry *e, struct ck_row *write,
                           bool doubt) {
  const struct session_run *run = &a->run;
  int64_t messages = e->exists ? ck_row_int(&e->row, CK_SESSIONS_MESSAGE_COUNT, 0) : 0,
          executions = e->exists ? ck_row_int(&e->row, CK_SESSIONS_EXECUTION_COUNT, 0) : 0,
          back = e->exists ? 0 : run->back;
  set_counts(write, apply_sum(messages, run->messages + back),
             apply_sum(executions, run->executions + (doubt ? 0 : run->doubtful)));
}

static void recount_later(struct apply *a, struct entry *e, bool all) {
  if (a->recount_count == a->recount_cap) {
    a->recount_cap = a->recount_cap ? a->recount_cap * 2 : 16;
    a->recounts = ck_realloc(a->recounts, a->recount_cap * sizeof *a->recounts);
  }
  a->recounts[a->recount_count++] = (struct recount){e, all};
}

/* A fork's session begins with its own first message, not with those that it has copied. False: it
 * has none of its own here. */
static bool begin_with_own(const struct session_run *run, struct ck_row *write) {
  struct ck_value *started = &write->v[CK_SESSIONS_STARTED_AT];
  if (!run->copied) return true;
  if (run->own && started->state == CK_INT && started->as.i < run->own_from)
    started->as.i = run->own_from;
  return run->own || sessions_run_inserts(run);
}

/* A known message stays in its session: observing it again on another day must not begin a new one.
 * A session without a record although its messages have theirs was deleted by hand. */
int sessions_put(struct apply *a, struct entry *e, struct ck_row *write, struct rules_write *how,
                 struct ck_err *err) {
  bool counted = leaves_counts_out(write), is_new = !e->exists,
       repeats = a->run.known && !sessions_run_inserts(&a->run),
       doubt = counted && (a->run.back || a->run.doubtful || (is_new && a->run.known)) &&
               is_day_of_message(a, ck_row_key(write));
  if (counted && is_new && repeats && !doubt) return 0;
  if (counted && !begin_with_own(&a->run, write)) return 0;
  rules_time(write, is_new ? NULL : &e->row, how);
  if (counted) count_activity(a, e, write, doubt);
  if (doubt) recount_later(a, e, is_new);
  return is_new ? apply_insert(a, e, write, how, err) : apply_merge(a, e, write, how, err);
}

/* ---- before the commit ---- */

static int counts_there(struct apply *a, const struct recount *r, int64_t *messages,
                        int64_t *executions, struct ck_err *err) {
  const struct ck_row *row = &r->session->row;
  char folder[FOLDER_BYTES];
  day_folder(folder, ck_row_key(row));
  sqlite3_stmt *s = system_query(
      a->system, SYSTEM_SESSION_COUNTS, "sssii", ck_row_text(row, CK_SESSIONS_CONVERSATION_ID),
      ck_row_text(row, CK_SESSIONS_PLATFORM), ck_str_of(folder),
      r->all ? INT64_MIN : ck_row_int(row, CK_SESSIONS_STARTED_AT, 0),
      r->all ? INT64_MAX : ck_row_int(row, CK_SESSIONS_LAST_ACTIVITY_AT, 0));
  int rc = system_step(a->system, s, err);
  *messages = rc > 0 ? sqlite3_column_int64(s, 0) : 0;
  *executions = rc > 0 ? sqlite3_column_int64(s, 1) : 0;
  system_done(s);
  return rc < 0 ? apply_failed(a) : 0;
}

static int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

static int recount(struct apply *a, const struct recount *r, struct ck_err *err) {
  struct ck_row row = r->session->row;
  int64_t had_messages = ck_row_int(&row, CK_SESSIONS_MESSAGE_COUNT, 0),
          had_executions = ck_row_int(&row, CK_SESSIONS_EXECUTION_COUNT, 0), messages, executions;
  if (counts_there(a, r, &messages, &executions, err)) return -1;
  messages = greater(messages, had_messages);
  executions = greater(executions, had_executions);
  if (messages == had_messages && executions == had_executions) return 0;
  set_counts(&row, messages, executions);
  return apply_change(a, r->session, &row, err);
}

int sessions_recount(struct apply *a, struct ck_err *err) {
  for (size_t i = 0; i < a->recount_count; ++i)
    if (recount(a, &a->recounts[i], err)) return -1;
  return 0;
}
