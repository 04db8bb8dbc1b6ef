/* The texts of entries, and whether they have what is asked for. */
#include "store/search/ask_internal.h"
#include "store/search/marks.h"
#include "store/search/source.h"

/* ---- reading them ---- */

int ask_texts_open(struct ask_texts *t, sqlite3 *database, sqlite3 *index,
                   struct search_source *source, struct ck_err *err) {
  *t = (struct ask_texts){.database = database, .index = index, .source = source};
  t->message = db_prepare(
      database, "SELECT raw_text, id, role, details FROM messages WHERE version = ?1" ASK_STAYS,
      err);
  if (t->message)
    t->title = db_prepare(
        database, "SELECT title FROM local_conversations WHERE local_conversation_id = ?1", err);
  if (t->title)
    t->place = db_prepare(index, "SELECT conversation FROM places WHERE place = ?1", err);
  return t->place ? 0 : -1;
}

void ask_texts_close(struct ask_texts *t) {
  sqlite3_finalize(t->message);
  sqlite3_finalize(t->title);
  sqlite3_finalize(t->place);
  ck_buf_free(&t->tool);
  *t = (struct ask_texts){0};
}

/* 1: a row; 0: none; -1. */
static int step(sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  return rc == SQLITE_ROW    ? 1
         : rc == SQLITE_DONE ? 0
                             : db_fail(sqlite3_db_handle(s), "reading what was found", err);
}

static int read_title(struct ask_texts *t, int64_t place, struct ck_str *title,
                      struct ck_err *err) {
  sqlite3_bind_int64(t->place, 1, place);
  int rc = step(t->place, err);
  if (rc <= 0) return rc;
  db_bind_str(t->title, 1, db_str(t->place, 0));
  rc = step(t->title, err);
  if (rc > 0) *title = db_str(t->title, 0);
  return rc;
}

static int read_message(struct ask_texts *t, const struct ask_entry *e, bool tool,
                        struct ck_str out[SEARCH_COLUMNS], struct ck_err *err) {
  sqlite3_stmt *m = t->message;
  sqlite3_bind_int64(m, 1, e->version);
  int rc = step(m, err);
  if (rc <= 0) return rc;
  bool is_tools = e->has_tool && search_source_is_tools(t->source, db_str(m, 2), db_str(m, 3));
  out[is_tools ? SEARCH_TOOL : SEARCH_TEXT] = db_str(m, 0);
  if (!tool || !e->has_tool) return 1;
  if (search_source_tools(t->source, db_str(m, 1), out[SEARCH_TOOL], &t->tool, err)) return -1;
  out[SEARCH_TOOL] = ck_buf_view(&t->tool);
  return 1;
}

void ask_texts_end(struct ask_texts *t) {
  sqlite3_reset(t->message);
  sqlite3_reset(t->place);
  sqlite3_reset(t->title);
}

int ask_texts_read(struct ask_texts *t, const struct ask_entry *e, bool tool,
                   struct ck_str out[SEARCH_COLUMNS], struct ck_err *err) {
  ask_texts_end(t);
  for (int c = 0; c < SEARCH_COLUMNS; ++c) out[c] = (struct ck_str){0};
  return e->is_title ? read_title(t, e->place, &out[SEARCH_TITLE], err)
                     : read_message(t, e, tool, out, err);
}

/* ---- what they have ---- */

void ask_check_make(struct ask_check *c, const struct search_query *q, uint64_t terms) {
  *c = (struct ask_check){.marks = search_marks_of(q, terms)};
  for (size_t i = 0; i < q->term_count; ++i) {
    uint64_t bit = terms & UINT64_C(1) << i;
    *(q->terms[i].negated ? &c->must_not : &c->must) |= bit;
    c->tool |= bit && q->terms[i].columns & SEARCH_IN(SEARCH_TOOL);
  }
}

void ask_check_free(struct ask_check *c) { search_marks_free(&c->marks); }

struct looking {
  const struct ask_check *check;
  uint64_t found;
};

static bool note(void *self, const struct search_mark *mark) {
  struct looking *l = self;
  l->found |= UINT64_C(1) << mark->term;
  return (l->found & (l->check->must | l->check->must_not)) !=
         (l->check->must | l->check->must_not);
}

bool ask_check_ok(const struct ask_check *c, const struct ck_str texts[SEARCH_COLUMNS]) {
  struct looking l = {.check = c};
  for (int column = 0; column < SEARCH_COLUMNS; ++column)
    search_marks_find(c->marks, texts[column], (enum search_column)column, note, &l);
  return (l.found & c->must) == c->must && !(l.found & c->must_not);
}
