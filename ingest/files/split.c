/* A state machine that takes one byte at a time; `form` is its state. Runs of bytes that cannot
 * change the state are skipped at once (dull). */
#include "ingest/files/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_build.h"

/*        ┌─ '[' ───────────────────────────────────► ARRAY ── ']' ──► AFTER
 * START ─┼─ '{' ─► FIRST ─┬─ "conversations": [ ───► ARRAY ── ']' ──► TAIL ── '}' ──► AFTER
 *   ▲    │                ├─ object ends on its line, or must be lines ─► LINES
 *   └────┼────────────────┘  object ends on a later line
 *        └─ anything else ───────────────────────────► LINES
 *
 * AFTER ── another file of the same form ─► ARRAY, FIRST; anything else ─► END
 */
enum form { START, FIRST, ARRAY, TAIL, AFTER, LINES, END };

/* A larger buffer is freed after its element. */
#define KEEP_BUFFER (1u << 20)

struct ingest_split {
  struct ingest_split_ops ops;
  enum form form;
  const char *at;            /* the current byte */
  const char *from;          /* the first byte of this piece that is not in `element` yet */
  struct ck_buf element;     /* the bytes of the current element; the first, if it is too large */
  size_t most;               /* bytes of an element */
  struct ingest_place place; /* of the current element, or the last one */
  uint64_t offset, line;     /* of the current byte */
  uint64_t depth;            /* open brackets in the element */
  bool started;              /* inside an element */
  bool too_large;
  bool in_string, escape;
  bool wrapped;      /* the array is inside an object */
  bool comma_needed; /* ARRAY: an element has ended, and no comma has followed */
  bool faulted;      /* END: trailing bytes have been reported */
  /* FIRST only, to tell one object from lines of objects: */
  bool newline_inside; /* the object has a line feed outside strings */
  bool line_begins;    /* only white space since the last line feed */
  uint64_t kinds;      /* the open brackets: 1 array, 0 object; the lowest bit is the innermost */
  char before;         /* the last byte outside strings that is not white space */
  char key[16];        /* the last string at depth 1, as far as it fits */
  unsigned key_n;
  bool key_is_it; /* the last thing at depth 1 was "conversations" and a colon */
};

struct ingest_split *ingest_split_new(const struct ingest_split_ops *ops, bool lines) {
  struct ingest_split *s = ck_zalloc(sizeof *s);
  s->ops = *ops;
  s->form = lines ? LINES : START;
  s->line = 1;
  s->most = INGEST_ELEMENT_MAX;
  return s;
}

void ingest_split_most(struct ingest_split *s, size_t bytes) { s->most = bytes; }

void ingest_split_free(struct ingest_split **split) {
  if (!*split) return;
  ck_buf_free(&(*split)->element);
  free(*split);
  *split = NULL;
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* A byte of the byte order mark, which may stand before each of several files in one. */
static bool is_mark(char c) { return c == '\xef' || c == '\xbb' || c == '\xbf'; }

/* ---- the element ---- */

/* An element begins with the current byte. */
static void begin(struct ingest_split *s) {
  s->started = true;
  s->too_large = s->in_string = s->escape = s->newline_inside = s->line_begins = s->key_is_it =
      false;
  s->depth = s->kinds = 0;
  s->before = 0;
  s->key_n = 0;
  s->from = s->at;
  s->place = (struct ingest_place){s->place.index + 1, s->line, s->offset, s->form == LINES};
  ck_buf_clear(&s->element);
}

/* With n bytes more the element is too large: keeps the first bytes only. */
static void keep_head(struct ingest_split *s, size_t n) {
  struct ck_buf head = {0};
  ck_buf_add(&s->element, s->from, n < INGEST_SPLIT_HEAD ? n : INGEST_SPLIT_HEAD);
  ck_buf_add(&head, s->element.data,
             s->element.len < INGEST_SPLIT_HEAD ? s->element.len : INGEST_SPLIT_HEAD);
  ck_buf_free(&s->element);
  s->element = head;
  s->too_large = true;
}

size_t ingest_split_memory(const struct ingest_split *s) { return s->element.cap; }

/* Makes room for n bytes more: for a large element not much more than it needs. */
static void make_room(struct ingest_split *s, size_t n) {
  struct ck_buf *b = &s->element;
  size_t need = b->len + n, cap = need + need / 4;
  if (need <= b->cap || need <= KEEP_BUFFER) return;
  if (cap > s->most) cap = need > s->most ? need : s->most;
  b->data = ck_realloc(b->data, cap);
  b->cap = cap;
}

/* Copies the bytes up to `end` to the element's buffer. */
static void keep_to(struct ingest_split *s, const char *end) {
  size_t n = (size_t)(end - s->from);
  if (!s->too_large && s->element.len + n > s->most) keep_head(s, n);
  if (!s->too_large) {
    make_room(s, n);
    ck_buf_add(&s->element, s->from, n);
  }
  s->from = end;
}

/* The element ends before `end`. */
static void finish(struct ingest_split *s, const char *end) {
  char reason[80];
  keep_to(s, end);
  s->started = false;
  snprintf(reason, sizeof reason, "larger than %zu MiB: skipped", s->most >> 20);
  if (s->too_large)
    s->ops.fault(s->ops.self, reason, ck_buf_view(&s->element), &s->place);
  else
    s->ops.element(s->ops.self, s->element.data, s->element.len, &s->place);
  ck_buf_clear(&s->element);
  if (s->element.cap > KEEP_BUFFER) ck_buf_free(&s->element);
}

struct ck_buf ingest_split_take(struct ingest_split *s) {
  struct ck_buf taken = s->element;
  s->element = (struct ck_buf){0};
  return taken;
}

static void fault(struct ingest_split *s, const char *reason) {
  struct ingest_place here = {s->place.index, s->line, s->offset, s->form == LINES};
  s->ops.fault(s->ops.self, reason, (struct ck_str){0}, &here);
}

/* Follows strings and opening brackets. True: c is outside strings and does not begin one. */
static bool structural(struct ingest_split *s, char c) {
  if (s->in_string) {
    if (!s->escape && c == '"') s->in_string = false;
    s->escape = !s->escape && c == '\\';
    return false;
  }
  if (c == '"') s->in_string = true;
  if (c == '{' || c == '[') {
    ++s->depth;
    s->kinds = s->kinds << 1 | (c == '[');
  }
  return c != '"';
}

static bool closes(char c) { return c == '}' || c == ']'; }

static void close_bracket(struct ingest_split *s) {
  if (s->depth) --s->depth;
  s->kinds >>= 1;
}

/* ---- one byte, in each form ---- */

static void array_ends(struct ingest_split *s) {
  s->form = s->wrapped ? TAIL : AFTER;
  s->depth = 1;
  s->in_string = s->escape = false;
}

static void between_elements(struct ingest_split *s, char c) {
  if (is_space(c)) return;
  if (c == ']') {
    array_ends(s);
  } else if (c == ',') {
    s->comma_needed = false;
  } else if (c == '}') {
    fault(s, "a bracket that nothing opened");
  } else {
    if (s->comma_needed) fault(s, "a comma is missing");
    begin(s);
    structural(s, c);
  }
}

static void in_array(struct ingest_split *s, char c) {
  if (!s->started) {
    between_elements(s, c);
    return;
  }
  if (!structural(s, c)) return;
  if (s->depth == 0 && (c == ',' || closes(c))) { /* the end of an element without brackets */
    finish(s, s->at);
    s->comma_needed = true;
    between_elements(s, c);
  } else if (closes(c)) {
    close_bracket(s);
    if (s->depth) return;
    finish(s, s->at + 1);
    s->comma_needed = true;
  }
}

static void in_tail(struct ingest_split *s, char c) {
  if (!structural(s, c)) return;
  if (closes(c)) close_bracket(s);
  if (s->depth == 0) s->form = AFTER;
}

static void in_lines(struct ingest_split *s, char c) {
  if (c == '\n') {
    if (s->started) finish(s, s->at);
  } else if (!s->started && !is_space(c)) {
    begin(s);
  }
}

static void at_end(struct ingest_split *s, char c) {
  if (is_space(c) || s->faulted) return;
  s->faulted = true;
  fault(s, "something follows the end of the JSON");
}

/* ---- FIRST: one object, or the first of many lines? ---- */

/* The file is JSON lines after all: feeds the bytes taken for one object again, as lines. */
static void become_lines(struct ingest_split *s) {
  s->form = LINES;
  s->place.lines = true;
  keep_to(s, s->at);
  if (s->too_large) {
    finish(s, s->at);
    return;
  }
  struct ck_buf taken = s->element;
  const char *at = s->at;
  uint64_t offset = s->offset, line = s->line;
  s->element = (struct ck_buf){0};
  s->started = false;
  --s->place.index;
  s->line = s->place.line;
  s->offset = s->place.offset;
  ingest_split_feed(s, taken.data, taken.len);
  s->at = s->from = at;
  s->offset = offset;
  s->line = line;
  ck_buf_free(&taken);
}

/* Whether the byte proves that the file is JSON lines: the first line ends inside a string, or an
 * object begins a line where JSON does not allow one. */
static bool must_be_lines(const struct ingest_split *s, char c) {
  if (s->in_string) return c == '\n' && !s->newline_inside;
  if (c != '{' || !s->line_begins) return false;
  return s->before != ':' && s->before != '[' && !(s->before == ',' && (s->kinds & 1));
}

static void follow_key(struct ingest_split *s, char c, bool was_string) {
  if (s->depth != 1) return;
  if (was_string && s->in_string) {
    if (s->key_n < sizeof s->key) s->key[s->key_n++] = c;
  } else if (s->in_string) {
    s->key_n = 0;
  } else if (c == ':') {
    s->key_is_it = s->key_n == 13 && memcmp(s->key, "conversations", 13) == 0;
  } else if (!is_space(c) && c != '"') {
    s->key_is_it = false;
  }
}

static void become_wrapped(struct ingest_split *s) {
  s->started = false;
  --s->place.index;
  s->form = ARRAY;
  s->wrapped = true;
  ck_buf_free(&s->element);
}

/* The object is complete. If it ends on the line it began on, it is the first of JSON lines, and
 * the rest of the line belongs to it. */
static void first_ends(struct ingest_split *s) {
  if (s->newline_inside) {
    finish(s, s->at + 1);
    s->form = START;
  } else {
    s->form = LINES;
    s->place.lines = true;
  }
}

static void in_first(struct ingest_split *s, char c) {
  if (must_be_lines(s, c)) {
    become_lines(s);
    in_lines(s, c);
    return;
  }
  bool was_string = s->in_string;
  bool opens_list = !was_string && c == '[' && s->depth == 1 && s->key_is_it;
  bool is_structure = structural(s, c);
  follow_key(s, c, was_string);
  if (opens_list) {
    become_wrapped(s);
    return;
  }
  if (c == '\n')
    s->newline_inside = s->line_begins = true;
  else if (!is_space(c))
    s->line_begins = false;
  if (!was_string && !is_space(c)) s->before = c;
  if (!is_structure || !closes(c)) return;
  close_bracket(s);
  if (!s->depth) first_ends(s);
}

/* Files that were put one after another: an array may follow an array, and an object with an array
 * in it another such object. */
static void after_array(struct ingest_split *s, char c) {
  if (c == '[' && !s->wrapped) {
    s->form = ARRAY;
    s->comma_needed = false;
  } else if (c == '{' && s->wrapped) {
    s->form = FIRST;
    s->wrapped = s->comma_needed = false;
    begin(s);
    in_first(s, c);
  } else if (!is_space(c) && !is_mark(c)) {
    s->form = END;
    at_end(s, c);
  }
}

static void at_start(struct ingest_split *s, char c) {
  if (is_space(c) || (s->place.index && is_mark(c))) return;
  if (c == '{') {
    s->form = FIRST;
    begin(s);
    in_first(s, c);
  } else if (s->place.index) {
    s->form = END;
    at_end(s, c);
  } else if (c == '[') {
    s->form = ARRAY;
  } else {
    s->form = LINES;
    in_lines(s, c);
  }
}

static void step(struct ingest_split *s, char c) {
  static void (*const forms[])(struct ingest_split * s, char c) = {
      [START] = at_start,    [FIRST] = in_first, [ARRAY] = in_array, [TAIL] = in_tail,
      [AFTER] = after_array, [LINES] = in_lines, [END] = at_end};
  forms[s->form](s, c);
}

/* How many of the next bytes cannot change the state: they are skipped at once. */
static size_t dull(struct ingest_split *s, const char *p, size_t n) {
  if (!s->started) return 0;
  if (s->form == LINES) {
    const char *newline = memchr(p, '\n', n);
    return newline ? (size_t)(newline - p) : n;
  }
  bool follows = s->form == ARRAY || (s->form == FIRST && s->depth > 1);
  if (!follows || !s->in_string || s->escape) return 0;
  size_t plain = (size_t)(ck_json_plain(p, p + n) - p);
  if (plain) s->line_begins = false;
  return plain;
}

void ingest_split_feed(struct ingest_split *s, const char *bytes, size_t n) {
  s->from = bytes;
  for (size_t i = 0; i < n; ++i) {
    size_t skip = dull(s, bytes + i, n - i);
    i += skip;
    s->offset += skip;
    if (i == n) break;
    s->at = bytes + i;
    step(s, bytes[i]);
    ++s->offset;
    if (bytes[i] == '\n') ++s->line;
  }
  if (s->started) keep_to(s, bytes + n);
}

void ingest_split_skip(struct ingest_split *s, size_t n) { s->offset += n; }

bool ingest_split_end(struct ingest_split *s, uint64_t *offset, uint64_t *index) {
  *offset = s->offset;
  *index = s->started ? s->place.index : 0;
  if (s->form == LINES) {
    if (s->started) finish(s, s->from);
    return true;
  }
  return s->form == END || s->form == AFTER || s->form == START;
}
