/* See conversation.h. Its rows and the places of its messages are read first; then each message by
 * its version. */
#include "store/files/conversation.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/reading.h"
#include "store/database/question.h"
#include "store/files/artifact_index.h"
#include "store/keys/keys.h"

#define PLACES 1000          /* read at once */
#define WRITE_AT (64u << 10) /* bytes that are gathered before they are written */
#define READ_US 20000        /* a read transaction at most */

/* Statements: of these tables, with all columns after the version. */
enum { HEAD, LINKS, SESSIONS, JOBS, BODY, MOVED, EXECUTIONS, PLACES_OF, QUESTION, STATEMENTS };

static const struct {
  enum ck_table table;
  const char *rest;
} texts[] = {
    [HEAD] = {CK_CONVERSATIONS, "WHERE local_conversation_id = ?1"},
    [LINKS] = {CK_LINKS,
               "WHERE local_conversation_id = ?1 ORDER BY observed_at DESC, updated_at DESC,"
               " link_id"},
    [SESSIONS] = {CK_SESSIONS, "WHERE conversation_id = ?1 AND +platform = ?2"},
    [JOBS] = {CK_JOBS, "WHERE local_conversation_id = ?1"},
    [BODY] = {CK_MESSAGES, "WHERE version = ?1"},
    [MOVED] = {CK_MESSAGES, "WHERE version = " KEYS_VERSION_OF("?1")},
    [EXECUTIONS] = {CK_EXECUTIONS, "WHERE message_id = ?1 ORDER BY executed_at, instruction_id"},
};

/* In the order of the index, so that each page costs the same. */
static const char places_sql[] =
    "SELECT version, id, parent_id, position, observed_at, role FROM messages"
    " WHERE conversation_id = ?1 AND +platform = ?2 AND (observed_at, version) > (?3, ?4)"
    " ORDER BY observed_at, version LIMIT ?5";

static const char question_sql[] = "SELECT " DB_FIRST_QUESTION " FROM conversation_links"
                                   " WHERE local_conversation_id = ?1 ORDER BY link_id";

/* Rows of one table, in the conversation's arena. */
struct rows {
  struct ck_row *row;
  size_t count, room;
};

struct conversation {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENTS];
  struct ck_row head;
  struct rows links, sessions, jobs, executions;
  struct ck_arena arena, one; /* of the conversation, of one message */
  struct ck_reading *order;
  uint64_t *versions; /* of the messages, in the order of adding */
  size_t count, room;
  uint64_t newest;
  struct ck_str url, question;
  int64_t began; /* the read transaction; 0: there is none */

  /* the file */
  struct ck_buf text;
  bool some; /* a message is in it */
  conversation_sink *sink;
  void *self;
};

struct conversation *conversation_new(sqlite3 *db, struct ck_err *err) {
  struct conversation *c = ck_zalloc(sizeof *c);
  bool bad = false;
  c->db = db;
  for (int i = 0; i < PLACES_OF && !bad; ++i) {
    struct ck_buf sql = {0};
    ck_buf_text(&sql, "SELECT version, ");
    db_columns(&sql, texts[i].table, "");
    ck_buf_printf(&sql, " FROM %s %s", ck_tables[texts[i].table].name, texts[i].rest);
    bad = !(c->s[i] = db_prepare(db, ck_buf_cstr(&sql), err));
    ck_buf_free(&sql);
  }
  if (!bad) bad = !(c->s[PLACES_OF] = db_prepare(db, places_sql, err));
  if (!bad) bad = !(c->s[QUESTION] = db_prepare(db, question_sql, err));
  if (bad) conversation_free(&c);
  return c;
}

static void clear_rows(struct rows *r) {
  free(r->row);
  *r = (struct rows){0};
}

static void unload(struct conversation *c) {
  clear_rows(&c->links);
  clear_rows(&c->sessions);
  clear_rows(&c->jobs);
  clear_rows(&c->executions);
  ck_reading_free(&c->order);
  ck_arena_free(&c->arena);
  ck_arena_free(&c->one);
  free(c->versions);
  c->versions = NULL;
  c->count = c->room = 0;
  c->newest = 0;
  c->url = c->question = (struct ck_str){0};
}

void conversation_free(struct conversation **c) {
  if (!*c) return;
  unload(*c);
  for (int i = 0; i < STATEMENTS; ++i) sqlite3_finalize((*c)->s[i]);
  ck_buf_free(&(*c)->text);
  free(*c);
  *c = NULL;
}

uint64_t conversation_newest(const struct conversation *c) { return c->newest; }

/* ---- reading ---- */

/* What is read together is read in one transaction, until it has lasted long enough. */
static int read_on(struct conversation *c, struct ck_err *err) {
  int64_t now = ck_mono_us();
  if (c->began && now - c->began < READ_US) return 0;
  if (c->began && db_exec(c->db, "COMMIT", err)) return -1;
  c->began = now;
  return db_exec(c->db, "BEGIN", err);
}

static void read_no_more(struct conversation *c) {
  if (c->began) sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
  c->began = 0;
}

static uint64_t version_of(struct conversation *c, sqlite3_stmt *s) {
  uint64_t version = (uint64_t)sqlite3_column_int64(s, 0);
  if (version > c->newest) c->newest = version;
  return version;
}

/* Without the columns that change without a new version: the file would not be written again. */
static void read_row(sqlite3_stmt *s, enum ck_table t, struct ck_row *row) {
  db_row(s, 1, t, row);
  for (int c = 0; c < ck_tables[t].columns; ++c)
    if (ck_tables[t].fields[c].flags & CK_QUIET) row->v[c] = ck_null();
}

static void add_row(struct rows *rows, const struct ck_row *row, struct ck_arena *arena) {
  if (rows->count == rows->room) {
    rows->room = rows->room ? rows->room * 2 : 4;
    rows->row = ck_realloc(rows->row, rows->room * sizeof *rows->row);
  }
  artifact_row_copy(&rows->row[rows->count++], row, arena);
}

/* Runs the statement, whose values are bound, and adds its rows. */
static int add_rows(struct conversation *c, int which, struct rows *rows, struct ck_arena *arena,
                    struct ck_err *err) {
  sqlite3_stmt *s = c->s[which];
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct ck_row row;
    version_of(c, s);
    read_row(s, texts[which].table, &row);
    add_row(rows, &row, arena);
  }
  sqlite3_reset(s);
  return rc == SQLITE_DONE ? 0 : db_fail(c->db, ck_tables[texts[which].table].name, err);
}

static void add_place(struct conversation *c, sqlite3_stmt *s) {
  if (c->count == c->room) {
    c->room = c->room ? c->room * 2 : 64;
    c->versions = ck_realloc(c->versions, c->room * sizeof *c->versions);
  }
  c->versions[c->count++] = version_of(c, s);
  bool placed = sqlite3_column_type(s, 3) != SQLITE_NULL;
  ck_reading_add(c->order,
                 &(struct ck_place){.id = ck_arena_copy(&c->arena, db_str(s, 1)),
                                    .parent_id = ck_arena_copy(&c->arena, db_str(s, 2)),
                                    .position = placed ? sqlite3_column_int64(s, 3) : -1,
                                    .at = sqlite3_column_int64(s, 4),
                                    .turn = ck_turn_of(db_str(s, 5))},
                 0);
}

/* Messages name the conversation by the platform's id. */
static int add_places(struct conversation *c, const struct ck_row *link, struct ck_err *err) {
  sqlite3_stmt *s = c->s[PLACES_OF];
  int64_t at = INT64_MIN, version = 0;
  for (int n = PLACES, rc; n == PLACES;) {
    if (read_on(c, err)) return -1;
    db_bind_value(s, 1, &link->v[CK_LINKS_REMOTE_CONVERSATION_ID]);
    db_bind_value(s, 2, &link->v[CK_LINKS_PLATFORM]);
    sqlite3_bind_int64(s, 3, at);
    sqlite3_bind_int64(s, 4, version);
    sqlite3_bind_int(s, 5, PLACES);
    for (n = 0; (rc = sqlite3_step(s)) == SQLITE_ROW; ++n) {
      add_place(c, s);
      at = sqlite3_column_int64(s, 4);
      version = sqlite3_column_int64(s, 0);
    }
    sqlite3_reset(s);
    if (rc != SQLITE_DONE) return db_fail(c->db, "places", err);
  }
  return 0;
}

static bool same_remote(const struct ck_row *a, const struct ck_row *b) {
  return ck_str_eq(ck_row_text(a, CK_LINKS_PLATFORM), ck_row_text(b, CK_LINKS_PLATFORM)) &&
         ck_str_eq(ck_row_text(a, CK_LINKS_REMOTE_CONVERSATION_ID),
                   ck_row_text(b, CK_LINKS_REMOTE_CONVERSATION_ID));
}

/* Several links may lead to the same conversation of a platform. */
static bool is_read(const struct conversation *c, size_t link) {
  for (size_t i = 0; i < link; ++i)
    if (same_remote(&c->links.row[i], &c->links.row[link])) return true;
  return false;
}

static int add_linked(struct conversation *c, struct ck_err *err) {
  for (size_t i = 0; i < c->links.count; ++i) {
    const struct ck_row *link = &c->links.row[i];
    if (!ck_row_text(link, CK_LINKS_REMOTE_CONVERSATION_ID).n || is_read(c, i)) continue;
    c->url = ck_row_text(link, CK_LINKS_PAGE_URL);
    db_bind_value(c->s[SESSIONS], 1, &link->v[CK_LINKS_REMOTE_CONVERSATION_ID]);
    db_bind_value(c->s[SESSIONS], 2, &link->v[CK_LINKS_PLATFORM]);
    if (add_rows(c, SESSIONS, &c->sessions, &c->arena, err) || add_places(c, link, err)) return -1;
  }
  return 0;
}

static int find_question(struct conversation *c, struct ck_str id, struct ck_err *err) {
  sqlite3_stmt *s = c->s[QUESTION];
  int rc;
  if (ck_row_text(&c->head, CK_CONVERSATIONS_TITLE).n) return 0;
  db_bind_str(s, 1, id);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW)
    if (db_str(s, 0).n) c->question = ck_arena_copy(&c->arena, db_str(s, 0));
  sqlite3_reset(s);
  return rc == SQLITE_DONE ? 0 : db_fail(c->db, "a first question", err);
}

static int load(struct conversation *c, struct ck_str id, struct ck_err *err) {
  struct rows head = {0};
  for (int i = HEAD; i <= JOBS; ++i)
    if (i != SESSIONS) db_bind_str(c->s[i], 1, id);
  if (read_on(c, err) || add_rows(c, HEAD, &head, &c->arena, err)) return -1;
  int found = head.count > 0;
  if (found) c->head = head.row[0];
  clear_rows(&head);
  if (!found) return 0;
  if (add_rows(c, LINKS, &c->links, &c->arena, err) ||
      add_rows(c, JOBS, &c->jobs, &c->arena, err) || find_question(c, id, err) ||
      add_linked(c, err))
    return -1;
  ck_reading_order(c->order, ck_row_text(&c->head, CK_CONVERSATIONS_LAST_MESSAGE_ID));
  return 1;
}

int conversation_load(struct conversation *c, struct ck_str id, struct ck_err *err) {
  unload(c);
  c->order = ck_reading_new();
  int rc = load(c, id, err);
  read_no_more(c);
  return rc;
}

void conversation_name(const struct conversation *c, struct ck_buf *name) {
  struct render_conversation of;
  render_conversation_of(&of, &c->head, NULL);
  of.question = c->question;
  render_file_name(name, &of);
  render_conversation_free(&of);
}

/* ---- messages ---- */

/* Finds the message by its version; if it has changed since, by its id. 1; 0: it is gone. */
static int find_message(struct conversation *c, const struct ck_step *step, sqlite3_stmt **found,
                        struct ck_err *err) {
  sqlite3_bind_int64(c->s[BODY], 1, (sqlite3_int64)c->versions[step->row]);
  db_bind_str(c->s[MOVED], 1, step->id);
  for (int i = BODY; i <= MOVED; ++i) {
    struct ck_row row;
    int rc = sqlite3_step(*found = c->s[i]);
    if (rc == SQLITE_ROW) db_row(*found, 1, CK_MESSAGES, &row);
    if (rc == SQLITE_ROW && ck_str_eq(ck_row_key(&row), step->id)) return 1;
    sqlite3_reset(*found);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return db_fail(c->db, "messages", err);
  }
  return 0;
}

/* Takes one message, whose text is valid until it returns. */
typedef void taker(struct conversation *c, struct render *r, const struct ck_step *step,
                   const struct ck_row *row);

static int take_message(struct conversation *c, struct render *r, const struct ck_step *step,
                        taker *take, struct ck_err *err) {
  sqlite3_stmt *s;
  struct ck_row row;
  if (read_on(c, err)) return -1;
  int rc = find_message(c, step, &s, err);
  if (rc <= 0) return rc;
  version_of(c, s);
  read_row(s, CK_MESSAGES, &row);
  ck_arena_reset(&c->one);
  c->executions.count = 0;
  db_bind_str(c->s[EXECUTIONS], 1, ck_row_key(&row));
  rc = add_rows(c, EXECUTIONS, &c->executions, &c->one, err);
  if (rc == 0) take(c, r, step, &row);
  sqlite3_reset(s);
  return rc;
}

static int flush(struct conversation *c, bool all, struct ck_err *err) {
  if (!all && c->text.len < WRITE_AT) return 0;
  read_no_more(c);
  int rc = c->sink(c->self, ck_buf_view(&c->text), err);
  if (c->text.cap > 16 * WRITE_AT) ck_buf_free(&c->text);
  ck_buf_clear(&c->text);
  return rc;
}

/* The first `count` steps. */
static int take_all(struct conversation *c, struct render *r, size_t count, taker *take,
                    struct ck_err *err) {
  size_t all;
  const struct ck_step *steps = ck_reading_steps(c->order, &all);
  int rc = 0;
  for (size_t i = 0; i < count && rc == 0; ++i) {
    rc = take_message(c, r, &steps[i], take, err);
    if (rc == 0) rc = flush(c, false, err);
  }
  read_no_more(c);
  return rc;
}

static void begin(struct conversation *c, conversation_sink *sink, void *self) {
  c->sink = sink;
  c->self = self;
  ck_buf_clear(&c->text);
}

/* ---- Markdown: the current branch ---- */

static void begin_document(struct conversation *c, struct render *r, size_t messages,
                           size_t branches) {
  struct render_conversation of;
  struct ck_row link = {.table = CK_LINKS};
  link.v[CK_LINKS_PAGE_URL] = c->url.n ? ck_text(c->url) : ck_null();
  render_conversation_of(&of, &c->head, &link);
  of.question = c->question;
  of.messages = messages;
  of.branches = branches;
  render_begin(r, &of);
  render_conversation_free(&of);
}

static void put_note(struct render *r, struct ck_buf *text) {
  if (text->len) render_note(r, ck_buf_view(text));
  ck_buf_free(text);
}

static void put_missing(struct render *r, const struct ck_branch *b) {
  struct ck_buf text = {0};
  render_say_missing(&text, b->missing_before);
  put_note(r, &text);
}

static void put_left_out(struct render *r, size_t branches) {
  struct ck_buf text = {0};
  if (branches > 1)
    ck_buf_printf(&text, "this is branch 1 of %zu; the JSON beside this has all of them", branches);
  put_note(r, &text);
}

static void take_rendered(struct conversation *c, struct render *r, const struct ck_step *step,
                          const struct ck_row *row) {
  struct render_message m;
  render_message_of(&m, row, c->executions.row, c->executions.count);
  m.placed = step->placed;
  render_message(r, &m);
  render_message_free(&m);
}

int conversation_markdown(struct conversation *c, conversation_sink *sink, void *self,
                          struct ck_err *err) {
  size_t branches;
  const struct ck_branch *b = ck_reading_branches(c->order, &branches);
  const struct render_style style = {.full = true, .has_tree = ck_reading_has_tree(c->order)};
  struct render *r = render_new(RENDER_MD, &c->text, &style);
  begin(c, sink, self);
  begin_document(c, r, branches ? b->count : 0, branches);
  if (branches) put_missing(r, b);
  int rc = branches ? take_all(c, r, b->count, take_rendered, err) : 0;
  put_left_out(r, branches);
  render_end(r);
  render_free(&r);
  return rc ? rc : flush(c, true, err);
}

/* ---- JSON: everything ---- */

static void take_json(struct conversation *c, struct render *r, const struct ck_step *step,
                      const struct ck_row *row) {
  (void)r;
  (void)step;
  ck_buf_text(&c->text, c->some ? RENDER_JSON_NEXT : RENDER_JSON_FIRST);
  c->some = true;
  render_json_message(&c->text, row, c->executions.row, c->executions.count);
}

int conversation_json(struct conversation *c, conversation_sink *sink, void *self,
                      struct ck_err *err) {
  size_t count;
  ck_reading_steps(c->order, &count);
  begin(c, sink, self);
  c->some = false;
  ck_buf_text(&c->text, RENDER_JSON_BEGIN RENDER_JSON_CONVERSATION);
  render_json_record(&c->text, &c->head);
  render_json_rows(&c->text, "links", c->links.row, c->links.count);
  render_json_rows(&c->text, "sessions", c->sessions.row, c->sessions.count);
  render_json_rows(&c->text, "jobs", c->jobs.row, c->jobs.count);
  ck_buf_text(&c->text, RENDER_JSON_MESSAGES);
  if (take_all(c, NULL, count, take_json, err)) return -1;
  ck_buf_text(&c->text,
              c->some ? "\n" RENDER_JSON_LAST RENDER_JSON_END : RENDER_JSON_LAST RENDER_JSON_END);
  return flush(c, true, err);
}
