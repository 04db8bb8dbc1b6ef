/* See test_store_help.h: rows, random numbers, a store, then the real daemon. */
#include "test_store_help.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/folder.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "store/database/moment.h"
#include "store/write/apply_internal.h"
#include "store/format/migrations.h"
#include "store/keys/keys.h"

/* ---- JSON, MessagePack, rows ---- */

static void pack(struct ck_buf *b, json_t *v) {
  const char *name;
  json_t *each;
  size_t i;
  switch (json_typeof(v)) {
  case JSON_OBJECT:
    ck_put_map(b, (uint32_t)json_object_size(v));
    json_object_foreach(v, name, each) {
      ck_put_text(b, name);
      pack(b, each);
    }
    break;
  case JSON_ARRAY:
    ck_put_array(b, (uint32_t)json_array_size(v));
    json_array_foreach(v, i, each) pack(b, each);
    break;
  case JSON_STRING:
    ck_put_str(b, (struct ck_str){json_string_value(v), json_string_length(v)});
    break;
  case JSON_INTEGER:
    ck_put_int(b, json_integer_value(v));
    break;
  case JSON_REAL:
    ck_put_float(b, json_real_value(v));
    break;
  case JSON_NULL:
    ck_put_nil(b);
    break;
  default:
    ck_put_bool(b, json_is_true(v));
  }
}

void sh_pack(struct ck_buf *b, const char *json) {
  char *text = ck_strdup(json);
  for (char *p = text; *p; ++p)
    if (*p == '\'') *p = '"';
  json_error_t error;
  json_t *v = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
  cr_assert(v, "the test's own JSON: %s in %s", error.text, text);
  pack(b, v);
  json_decref(v);
  free(text);
}

struct ck_row sh_row(enum ck_table t, const char *json) {
  static struct ck_arena arena;
  struct ck_buf b = {0};
  struct ck_row row;
  struct ck_err err = {{0}};
  sh_pack(&b, json);
  struct ck_str map = ck_arena_copy(&arena, ck_buf_view(&b));
  ck_buf_free(&b);
  cr_assert_eq(ck_row_decode(&row, t, map, &arena, &err), 0, "%s", err.text);
  return row;
}

const char *sh_value(const struct ck_row *row, const char *column) {
  static char words[8][512];
  static int turn;
  int c = ck_column_named(row->table, ck_str_of(column));
  cr_assert(c >= 0, "%s", column);
  char *out = words[turn++ % 8];
  const struct ck_value *v = &row->v[c];
  switch (v->state) {
  case CK_LEFT_OUT:
    return "left out";
  case CK_NULL:
    return "NULL";
  case CK_INT:
    snprintf(out, sizeof *words, "%" PRId64, v->as.i);
    return out;
  default:
    snprintf(out, sizeof *words, "%.*s", (int)v->as.s.n, v->as.s.n ? v->as.s.s : "");
    return out;
  }
}

/* ---- random numbers ---- */

static uint64_t state;

uint64_t sh_random(void) {
  if (!state) {
    const char *given = getenv("CONVKEEP_TEST_SEED");
    state = given ? strtoull(given, NULL, 10) : (uint64_t)ck_mono_us() | 1;
    fprintf(stderr, "CONVKEEP_TEST_SEED=%" PRIu64 "\n", state);
  }
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

uint64_t sh_below(uint64_t n) { return sh_random() % n; }

void sh_seed(uint64_t seed) { state = seed; }

/* ---- a store ---- */

static void open_all(struct sh_store *s) {
  struct ck_err err = {{0}};
  uint64_t head;
  cr_assert_eq(db_open_writer(&s->db, store_migrations, 4, &err), 0, "%s", err.text);
  cr_assert_eq(db_head(s->db, &head, &err), 0, "%s", err.text);
  cr_assert((s->system = system_new(s->db, &err)), "%s", err.text);
  cr_assert((s->settings = ck_settings_load(NULL, &err)), "%s", err.text);
  ck_settings_flag(s->settings, "sync.sinks", "sqlite d1", &err);
  ck_settings_flag(s->settings, "d1.database", "db", &err);
  cr_assert((s->mirrors = mirrors_open(s->db, s->settings, head, &err)), "%s", err.text);
  s->leases = s->mirrors->at[0].leases;
  cr_assert((s->apply = apply_new(s->db, s->system, s->mirrors, head, &err)), "%s", err.text);
  cr_assert((s->producers = producers_load(s->system, &err)), "%s", err.text);
  s->producer = producers_find(s->producers, CK_LIT("test"));
  if (!s->producer) s->producer = producers_add(s->producers, CK_LIT("test"));
  s->number = s->producer->applied;
  s->begun = false;
}

static void close_all(struct sh_store *s) {
  if (s->begun) apply_abandon(s->apply);
  producers_free(&s->producers);
  apply_free(&s->apply);
  mirrors_free(&s->mirrors);
  ck_settings_free(&s->settings);
  system_free(&s->system);
  db_close(&s->db);
}

static void enter(char folder[64]) {
  ck_log_setup("test", CK_ERROR);
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, 64, "%s/convkeep-store.XXXXXX", tmp ? tmp : "/tmp");
  cr_assert(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
}

void sh_open(struct sh_store *s) {
  *s = (struct sh_store){.now = 1000};
  enter(s->folder);
  open_all(s);
}

void sh_reopen(struct sh_store *s) {
  close_all(s);
  open_all(s);
}

void sh_swap(struct sh_store *s, const char *copy) {
  close_all(s);
  remove(DB_FILE "-wal");
  cr_assert_eq(rename(copy, DB_FILE), 0);
  open_all(s);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

static void leave(const char *folder) {
  cr_expect_eq(chdir("/"), 0);
  nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void sh_close(struct sh_store *s) {
  close_all(s);
  ck_buf_free(&s->mutations);
  leave(s->folder);
}

static void add(struct sh_store *s, enum ck_mutation_kind kind, enum ck_table t, int64_t age,
                const char *json) {
  struct ck_buf row = {0};
  struct ck_mutation m = {.kind = kind};
  sh_pack(&row, json);
  if (kind == CK_OP_PUT)
    m.as.put = (struct ck_put){ck_str_of(ck_tables[t].name), ck_buf_view(&row), age};
  else
    m.as.update = (struct ck_update){ck_str_of(ck_tables[t].name), ck_buf_view(&row)};
  sh_mutate(s, &m);
  ck_buf_free(&row);
}

void sh_put(struct sh_store *s, enum ck_table t, const char *json) {
  add(s, CK_OP_PUT, t, 0, json);
}
void sh_put_aged(struct sh_store *s, enum ck_table t, int64_t age, const char *json) {
  add(s, CK_OP_PUT, t, age, json);
}
void sh_update(struct sh_store *s, enum ck_table t, const char *json) {
  add(s, CK_OP_UPDATE, t, 0, json);
}

void sh_mutate(struct sh_store *s, const struct ck_mutation *m) {
  ck_mutation_encode(&s->mutations, m);
  ++s->count;
}

static const struct sh_store *clocked;
static int64_t wall(void) { return clocked->now; }
static int64_t boot(void) { return clocked->now + clocked->behind; }
static void set_clocks(const struct sh_store *s, bool on) {
  if (s->has_clocks) return;
  clocked = s;
  ck_clock_replace(on ? wall : NULL, on ? boot : NULL);
}

void sh_machine_starts(struct sh_store *s, const char *name, int64_t now) {
  struct ck_err err = {{0}};
  s->now = now;
  s->behind = -now;
  set_clocks(s, true);
  cr_assert_eq(moment_begin(s->db, name, &err), 0, "%s", err.text);
  set_clocks(s, false);
}

char sh_apply(struct sh_store *s) {
  struct ck_err err = {{0}};
  struct ck_buf all = {0};
  if (!s->begun) cr_assert_eq(apply_begin(s->apply, &err), 0, "%s", err.text);
  s->begun = true;
  ck_put_array(&all, s->count);
  ck_buf_str(&all, ck_buf_view(&s->mutations));
  s->reason = (struct ck_err){{0}};
  struct ck_changeset c = {ck_str_of("test"), 1, ++s->number, ck_buf_view(&all)};
  set_clocks(s, true);
  char letter = apply_changeset(s->apply, &c, s->now, &s->reason);
  set_clocks(s, false);
  if (letter)
    producer_result(s->producer, c.number, letter, ck_str_of(s->reason.text),
                    apply_counts(s->apply));
  const struct ck_claimed *claimed = apply_claimed(s->apply);
  if (claimed) producer_claimed(s->producer, c.number, claimed);
  /* Nothing may borrow from the frame after this. */
  if (all.len) memset(all.data, 0xee, all.len);
  ck_buf_free(&all);
  ck_buf_clear(&s->mutations);
  s->count = 0;
  return letter;
}

void sh_committed(struct sh_store *s) {
  s->begun = false;
  apply_release_changes(s->apply);
  producers_receipted(s->producers);
}

int sh_commit(struct sh_store *s) {
  bool constraint;
  int rc = apply_commit(s->apply, s->producers, &constraint, &s->reason);
  s->begun = false;
  if (rc) {
    struct ck_err err;
    producers_free(&s->producers);
    s->producers = producers_load(s->system, &err);
    s->producer = producers_find(s->producers, CK_LIT("test"));
    if (!s->producer) s->producer = producers_add(s->producers, CK_LIT("test"));
    s->number = s->producer->applied;
    return constraint ? 1 : -1;
  }
  sh_committed(s);
  return 0;
}

bool sh_forget_piece(struct sh_store *s) {
  struct ck_err err = {{0}};
  cr_assert(!s->begun);
  if (!apply_forgets(s->apply)) return false;
  cr_assert_eq(apply_begin(s->apply, &err), 0, "%s", err.text);
  cr_assert_eq(apply_forget_piece(s->apply, s->now, &err), 0, "%s", err.text);
  cr_assert_eq(sh_commit(s), 0, "%s", s->reason.text);
  return apply_forgets(s->apply);
}

char sh_write(struct sh_store *s, enum ck_table t, const char *json) {
  sh_put(s, t, json);
  char letter = sh_apply(s);
  cr_assert_eq(sh_commit(s), 0, "%s", s->reason.text);
  return letter;
}

void sh_refused(struct sh_store *s, const char *part, enum ck_table t, const char *json) {
  uint64_t head = apply_head(s->apply);
  char letter = sh_write(s, t, json);
  cr_expect_eq(letter, 'r', "%s: %c, not refused", json, letter);
  cr_expect(strstr(s->reason.text, part), "%s: the reason is '%s', without '%s'", json,
            s->reason.text, part);
  cr_expect_eq(apply_head(s->apply), head);
}

const char *sh_field(struct sh_store *s, enum ck_table t, const char *key, const char *column) {
  struct ck_buf sql = {0};
  struct ck_err err = {{0}};
  struct ck_row row;
  ck_buf_text(&sql, "SELECT ");
  db_columns(&sql, t, "");
  ck_buf_printf(&sql, " FROM %s WHERE %s = ?1", ck_tables[t].name,
                ck_tables[t].fields[ck_tables[t].key].name);
  sqlite3_stmt *q = db_prepare(s->db, ck_buf_cstr(&sql), &err);
  ck_buf_free(&sql);
  cr_assert(q, "%s", err.text);
  db_bind_str(q, 1, ck_str_of(key));
  const char *words = "none";
  if (sqlite3_step(q) == SQLITE_ROW) {
    db_row(q, 0, t, &row);
    words = sh_value(&row, column);
  }
  sqlite3_finalize(q);
  return words;
}

int64_t sh_int(struct sh_store *s, const char *sql) {
  struct ck_err err = {{0}};
  int64_t v;
  cr_assert_eq(db_int(s->db, sql, -1, &v, &err), 0, "%s", err.text);
  return v;
}

/* Neither the stored filter nor the one in memory denies a message. */
static void check_filter(struct sh_store *s) {
  struct ck_err err = {{0}};
  uint64_t count;
  char *missed;
  cr_assert_eq(keys_check_filter(s->db, &count, &missed, &err), 0, "%s", err.text);
  cr_assert_eq(count, 0, "the filter misses %s", missed);
  sqlite3_stmt *q = db_prepare(s->db, "SELECT id FROM messages", &err);
  cr_assert(q, "%s", err.text);
  while (sqlite3_step(q) == SQLITE_ROW)
    cr_assert(!keys_absent(tables_keys(s->apply->tables), db_str(q, 0)), "%s is missed",
              db_str(q, 0).s);
  sqlite3_finalize(q);
}

static bool keys_are_wrong(void *unused, const char *what) {
  (void)unused;
  cr_assert_fail("%s", what);
  return false;
}

static void dump_table(struct sh_store *s, struct ck_buf *text, enum ck_table t, bool live) {
  struct ck_buf sql = {0};
  struct ck_err err;
  struct ck_row row;
  ck_buf_text(&sql, "SELECT ");
  db_columns(&sql, t, "");
  ck_buf_printf(&sql, " FROM %s ORDER BY %s", ck_tables[t].name,
                ck_tables[t].fields[ck_tables[t].key].name);
  sqlite3_stmt *q = db_prepare(s->db, ck_buf_cstr(&sql), &err);
  cr_assert(q, "%s", err.text);
  while (sqlite3_step(q) == SQLITE_ROW) {
    db_row(q, 0, t, &row);
    if (ck_tables[t].ages >= 0) row.v[ck_tables[t].ages] = (struct ck_value){0};
    if (t == CK_MESSAGES) row.v[CK_MESSAGES_ORIGINAL] = (struct ck_value){0};
    if (t == CK_MESSAGES && !live) row.v[CK_MESSAGES_LIVE] = (struct ck_value){0};
    if (t == CK_EXECUTIONS) row.v[CK_EXECUTIONS_ORIGINAL] = (struct ck_value){0};
    ck_row_json(text, &row);
    ck_buf_text(text, "\n");
  }
  sqlite3_finalize(q);
  ck_buf_free(&sql);
}

void sh_dump(struct sh_store *s, struct ck_buf *text) {
  ck_buf_clear(text);
  for (int t = 0; t < CK_TABLES; ++t) dump_table(s, text, (enum ck_table)t, true);
}

void sh_dump_said(struct sh_store *s, struct ck_buf *text) {
  ck_buf_clear(text);
  for (int t = 0; t < CK_TABLES; ++t) dump_table(s, text, (enum ck_table)t, false);
}

void sh_check_keys(struct sh_store *s) {
  struct ck_err err = {{0}};
  cr_assert_eq(keys_check(s->db, keys_are_wrong, NULL, &err), 0, "%s", err.text);
  check_filter(s);
}

static char write_made(struct sh_store *s, enum ck_table t, char *json) {
  char letter = sh_write(s, t, json);
  free(json);
  return letter;
}

char sh_message(struct sh_store *s, const char *id, int64_t observed_at, const char *more) {
  return write_made(
      s, CK_MESSAGES,
      ck_sprintf(
          "{'id':'%s','platform':'p','role':'assistant','raw_text':'text','observed_at':%" PRId64
          "%s}",
          id, observed_at, more));
}

char sh_conversation(struct sh_store *s, const char *id, const char *more) {
  return write_made(s, CK_CONVERSATIONS,
                    ck_sprintf("{'local_conversation_id':'%s','platform':'p'%s}", id, more));
}

char sh_link(struct sh_store *s, const char *id, const char *conversation, const char *remote,
             const char *more) {
  return write_made(s, CK_LINKS,
                    ck_sprintf("{'link_id':'%s','local_conversation_id':'%s','platform':'p','"
                               "remote_conversation_id':'%s','observed_at':10%s}",
                               id, conversation, remote, more));
}

char sh_job(struct sh_store *s, const char *id, const char *conversation, const char *message,
            const char *more) {
  return write_made(
      s, CK_JOBS,
      ck_sprintf(
          "{'job_id':'%s','local_conversation_id':'%s','message_id':'%s','payload':'go on'%s}", id,
          conversation, message, more));
}

/* ---- a thread of the store, alone ---- */

void sh_thread_open(char folder[64], sqlite3 **db, struct context *context) {
  struct ck_err err = {{0}};
  enter(folder);
  cr_assert_eq(db_open_writer(db, store_migrations, 2, &err), 0, "%s", err.text);
  cr_assert_eq(context_open(context, &err), 0);
  memset(context->store_id, 'a', 32);
  sh_thread_set(context, "log.level", "info");
}

static struct ck_settings *thread_settings;

void sh_thread_set(struct context *context, const char *name, const char *value) {
  struct ck_err err;
  ck_settings_free(&thread_settings);
  thread_settings = ck_settings_load(NULL, &err);
  cr_assert(thread_settings && ck_settings_flag(thread_settings, name, value, &err) == 0, "%s",
            err.text);
  context->settings = thread_settings;
}

void sh_thread_close(const char *folder, sqlite3 **db, struct context *context) {
  context_close(context);
  ck_settings_free(&thread_settings);
  db_close(db);
  leave(folder);
}

int64_t sh_processor_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* ---- the real daemon ---- */

void sh_ring_open(struct sh_ring *r) {
  *r = (struct sh_ring){.pid = 0};
  struct ck_err err = {{0}};
  const char *build = getenv("CONVKEEP_BUILD");
  char relative[400];
  snprintf(relative, sizeof relative, "%s/libexec/convkeep/store", build ? build : "build");
  char *program = realpath(relative, NULL);
  if (!program) cr_skip_test("%s is not built", relative);
  snprintf(r->program, sizeof r->program, "%s", program);
  free(program);
  ck_log_setup("test", CK_ERROR);
  strcpy(r->folder, "/tmp/convkeep-unit.XXXXXX");
  cr_assert(mkdtemp(r->folder));
  cr_assert_eq(ck_data_enter(r->folder, &err), 0, "%s", err.text);
  r->settings = ck_settings_load("convkeep.conf", &err);
  cr_assert(r->settings, "%s", err.text);
}

static void child(struct sh_ring *r, int ready) {
  char fd[16];
  int log = open("store.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(log, STDERR_FILENO);
  snprintf(fd, sizeof fd, "%d", ready);
  setenv("CONVKEEP_READY_FD", fd, 1);
  execl(r->program, r->program, "--data", r->folder, (char *)NULL);
  _exit(127);
}

void sh_ring_start(struct sh_ring *r) {
  int fds[2];
  char line[8];
  cr_assert_eq(pipe(fds), 0);
  r->pid = fork();
  if (r->pid == 0) {
    close(fds[0]);
    child(r, fds[1]);
  }
  close(fds[1]);
  cr_assert(read(fds[0], line, 6) == 6 && memcmp(line, "ready\n", 6) == 0,
            "the store does not start; see %s/store.log", r->folder);
  close(fds[0]);
}

void sh_ring_stop(struct sh_ring *r, int sig) {
  if (!r->pid) return;
  kill(r->pid, sig);
  waitpid(r->pid, NULL, 0);
  r->pid = 0;
}

void sh_ring_close(struct sh_ring *r) {
  sh_ring_stop(r, SIGTERM);
  ck_settings_free(&r->settings);
  ck_context_end();
  leave(r->folder);
}

int64_t sh_ring_int(const char *sql) {
  sqlite3 *db = NULL;
  struct ck_err err = {{0}};
  int64_t v;
  cr_assert_eq(db_open_reader(&db, &err), 0, "%s", err.text);
  cr_assert_eq(db_int(db, sql, -1, &v, &err), 0, "%s", err.text);
  db_close(&db);
  return v;
}

int sh_query(struct sh_store *s, const struct ck_query *q, struct list_answer *answer,
             const char **code, struct ck_err *err) {
  struct db_cached *cached = db_cached_new(s->db);
  set_clocks(s, true);
  int rc = lists_query(cached, q, answer, code, err);
  set_clocks(s, false);
  db_cached_free(&cached);
  return rc;
}
