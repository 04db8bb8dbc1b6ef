/* Output for people; see out.h. */
#include "cli/out.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/visible.h"

/* ---- text ---- */

static void fold(struct ck_buf *b, bool *gap) {
  if (*gap) ck_buf_text(b, " ");
  *gap = false;
}

static void add_folded(struct ck_buf *b, struct ck_str s) {
  size_t start = b->len;
  bool gap = false;
  for (size_t i = 0; i < s.n;) {
    size_t k = ck_character(s.s + i, s.n - i);
    if (k == 1 && memchr(" \n\t\r", s.s[i], 4)) {
      gap = b->len > start;
    } else {
      fold(b, &gap);
      ck_visible_text(b, (struct ck_str){s.s + i, k ? k : 1}, true);
    }
    i += k ? k : 1;
  }
}

void cli_safe_text(struct ck_buf *b, struct ck_str s, bool lines) {
  if (lines)
    ck_visible_text(b, s, true);
  else
    add_folded(b, s);
}

void cli_shell_quoted(struct ck_buf *b, const char *text) {
  ck_buf_text(b, "'");
  for (const char *p = text; *p; ++p) ck_buf_text(b, *p == '\'' ? "'\\''" : (char[]){*p, 0});
  ck_buf_text(b, "'");
}

void cli_shell_word(struct ck_buf *b, const char *text) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-";
  if (*text && *text != '-' && text[strspn(text, plain)] == '\0')
    ck_buf_text(b, text);
  else
    cli_shell_quoted(b, text);
}

void cli_paint(struct ck_buf *b, bool colour, enum cli_style style, struct ck_str text) {
  static const char *const codes[] = {"", "\033[2m", "\033[1m", "\033[32m", "\033[33m", "\033[31m"};
  bool painted = colour && style != CLI_PLAIN && text.n;
  if (painted) ck_buf_text(b, codes[style]);
  ck_buf_str(b, text);
  if (painted) ck_buf_text(b, "\033[0m");
}

/* ---- tables ---- */

#define LEAST 8 /* columns that are left of a cell that is cut */

struct cell {
  char *text;
  size_t n, width;
  enum cli_style style;
};

struct cli_table {
  int columns;
  int yields; /* the column that is cut when a line is too long; -1: none */
  bool titled;
  bool *right, *fixed;
  struct cell *cells; /* the titles, if any, are the first row */
  size_t count, room;
};

struct cli_table *cli_table_new(int columns, const char *const *titles) {
  struct cli_table *t = ck_zalloc(sizeof *t);
  t->columns = columns;
  t->titled = titles != NULL;
  t->right = ck_zalloc((size_t)columns * sizeof *t->right);
  t->fixed = ck_zalloc((size_t)columns * sizeof *t->fixed);
  t->yields = columns - 1;
  for (int i = 0; titles && i < columns; ++i) {
    bool yields = titles[i][0] == '~';
    t->right[i] = titles[i][0] == '>';
    t->fixed[i] = titles[i][0] == '=';
    if (yields) t->yields = i;
    cli_table_cell(t, CLI_DIM, ck_str_of(titles[i] + (t->right[i] || t->fixed[i] || yields)));
  }
  if (t->right[t->yields] || t->fixed[t->yields]) t->yields = -1;
  return t;
}

void cli_table_cell(struct cli_table *t, enum cli_style style, struct ck_str text) {
  if (t->count == t->room) {
    t->room = t->room ? t->room * 2 : 64;
    t->cells = ck_realloc(t->cells, t->room * sizeof *t->cells);
  }
  struct ck_buf safe = {0};
  cli_safe_text(&safe, text, false);
  ck_buf_cstr(&safe);
  t->cells[t->count++] =
      (struct cell){safe.data, safe.len, ck_text_width(ck_buf_view(&safe)), style};
}

void cli_line(struct cli_table *t, const char *what, enum cli_style style, struct ck_buf *text) {
  cli_table_cell(t, CLI_DIM, ck_str_of(what));
  cli_table_cell(t, style, ck_buf_view(text));
  ck_buf_clear(text);
}

void cli_table_whole(struct cli_table *t) { t->yields = -1; }

void cli_table_free(struct cli_table **table) {
  struct cli_table *t = *table;
  if (!t) return;
  for (size_t i = 0; i < t->count; ++i) free(t->cells[i].text);
  free(t->cells);
  free(t->right);
  free(t->fixed);
  free(t);
  *table = NULL;
}

static void pad(struct ck_buf *out, size_t n) {
  while (n--) ck_buf_add(out, " ", 1);
}

static size_t column_width(const struct cli_table *t, int column) {
  size_t most = 0;
  for (size_t i = (size_t)column; i < t->count; i += (size_t)t->columns)
    if (t->cells[i].width > most) most = t->cells[i].width;
  return most;
}

static void render_row(const struct cli_table *t, const struct cell *row, const size_t *widths,
                       struct ck_buf *out, bool colour) {
  struct ck_buf text = {0};
  for (int i = 0; i < t->columns; ++i) {
    const struct cell *cell = &row[i];
    ck_buf_clear(&text);
    ck_cut_text(&text, (struct ck_str){cell->text, cell->n}, widths[i]);
    size_t width = ck_text_width(ck_buf_view(&text));
    size_t fill = widths[i] > width ? widths[i] - width : 0;
    if (t->right[i]) pad(out, fill);
    cli_paint(out, colour, cell->style, ck_buf_view(&text));
    if (i == t->columns - 1) break;
    if (!t->right[i]) pad(out, fill);
    pad(out, 2);
  }
  ck_buf_free(&text);
  while (out->len && out->data[out->len - 1] == ' ') --out->len;
  ck_buf_text(out, "\n");
}

/* The widest column that may be cut; -1: none. */
static int widest(const struct cli_table *t, const size_t *widths) {
  int found = -1;
  for (int i = 0; i < t->columns; ++i)
    if (!t->right[i] && !t->fixed[i] && widths[i] > LEAST &&
        (found < 0 || widths[i] > widths[found]))
      found = i;
  return found;
}

/* Cuts the column that yields, and if that is not enough the others, the widest first, so that
 * lines are not longer than `width`. */
static void fit(const struct cli_table *t, size_t *widths, size_t width) {
  size_t total = 2 * (size_t)(t->columns - 1);
  for (int i = 0; i < t->columns; ++i) total += widths[i];
  if (width == 0 || t->yields < 0) return;
  for (int one = t->yields; total > width && one >= 0; one = widest(t, widths)) {
    size_t over = total - width, before = widths[one];
    if (before > LEAST) widths[one] = before > over + LEAST ? before - over : LEAST;
    total -= before - widths[one];
  }
}

void cli_table_render(const struct cli_table *t, struct ck_buf *out, size_t width, bool colour) {
  size_t *widths = ck_alloc((size_t)t->columns * sizeof *widths);
  for (int i = 0; i < t->columns; ++i) widths[i] = column_width(t, i);
  fit(t, widths, width);
  for (size_t i = 0; i + (size_t)t->columns <= t->count; i += (size_t)t->columns)
    render_row(t, &t->cells[i], widths, out, colour);
  free(widths);
}

/* ---- standard output ---- */

/* Asked once: a pager may stand between the terminal and us later. */
static const struct winsize *terminal(void) {
  static struct winsize size;
  static bool asked, is;
  if (!asked) {
    asked = true;
    is = isatty(STDOUT_FILENO);
    if (is && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) size = (struct winsize){0};
    if (size.ws_col < 20) size.ws_col = 80;
    if (size.ws_row < 2) size.ws_row = 24;
  }
  return is ? &size : NULL;
}

bool cli_on_terminal(void) { return terminal() != NULL; }

size_t cli_terminal_width(void) { return terminal() ? terminal()->ws_col : 0; }

size_t cli_terminal_height(void) { return terminal() ? terminal()->ws_row : 0; }

bool cli_colour(void) {
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  return cli_on_terminal() && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

void cli_print(struct ck_buf *b) {
  if (b->len) fwrite(b->data, 1, b->len, stdout);
  ck_buf_clear(b);
}

void cli_table_print(struct cli_table **t) {
  struct ck_buf out = {0};
  cli_table_render(*t, &out, cli_terminal_width(), cli_colour());
  if (out.len) cli_print(&out);
  ck_buf_free(&out);
  cli_table_free(t);
}

/* ---- JSON values ---- */

void cli_json_text(struct ck_buf *b, const json_t *value) {
  if (json_is_string(value)) {
    ck_buf_add(b, json_string_value(value), json_string_length(value));
  } else if (json_is_integer(value)) {
    ck_buf_printf(b, "%lld", (long long)json_integer_value(value));
  } else if (value && !json_is_null(value)) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    ck_buf_text(b, text ? text : "");
    free(text);
  }
}

const char *cli_member(const json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

int64_t cli_member_int(const json_t *object, const char *name, int64_t otherwise) {
  const json_t *value = json_object_get(object, name);
  return json_is_integer(value) ? json_integer_value(value) : otherwise;
}
