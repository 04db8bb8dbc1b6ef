/* Lays out hits; see found.h. */
#include "cli/reading/found.h"

#include <stdlib.h>
#include <string.h>
#include "cli/ids.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/time.h"
#include "proto/visible.h"
#include "proto/render/render.h"

#define INDENT 4
#define TITLE_MAX (64u << 10)

/* ---- a snippet ---- */

/* What is seen as one character, as it is printed. */
struct glyph {
  struct ck_str text; /* in glyphs.safe */
  size_t width;
  bool marked, blank;
};

struct glyphs {
  struct glyph *all;
  size_t count;
  struct ck_buf safe;
};

static bool in_ranges(const json_t *ranges, size_t *range, size_t character) {
  const json_t *r;
  for (; (r = json_array_get(ranges, *range)); ++*range) {
    size_t from = (size_t)json_integer_value(json_array_get(r, 0)),
           to = (size_t)json_integer_value(json_array_get(r, 1));
    if (character < to) return character >= from;
  }
  return false;
}

/* True if one of its characters (code points) is marked. *character: the number of the first of
 * them, then of the next one. */
static bool is_marked(struct ck_str s, const json_t *ranges, size_t *range, size_t *character) {
  bool marked = false;
  for (size_t i = 0; i < s.n; i += ck_character(s.s + i, s.n - i))
    marked |= in_ranges(ranges, range, (*character)++);
  return marked;
}

/* Each by itself, so that marks stay where they are whatever is replaced. */
static void read_glyphs(struct glyphs *g, const json_t *hit) {
  const json_t *snippet = json_object_get(hit, "snippet"), *ranges = json_object_get(hit, "ranges");
  const char *text = json_string_value(snippet);
  size_t n = json_string_length(snippet), range = 0, character = 0;
  g->all = ck_alloc((n + 1) * sizeof *g->all);
  ck_buf_room(&g->safe, 8 * n + 1); /* for "<U+001B>", so that it never moves */
  for (size_t i = 0, k; i < n; i += k) {
    struct glyph *glyph = &g->all[g->count];
    size_t at = g->safe.len;
    k = ck_visible_character(text + i, n - i); /* text of JSON is UTF-8 */
    const struct ck_str seen = {text + i, k};
    *glyph = (struct glyph){.marked = is_marked(seen, ranges, &range, &character),
                            .blank = text[i] == ' '};
    if (glyph->blank)
      ck_buf_text(&g->safe, " ");
    else
      cli_safe_text(&g->safe, seen, false);
    glyph->text = (struct ck_str){g->safe.data + at, g->safe.len - at};
    glyph->width = ck_text_width(glyph->text);
    g->count++;
  }
}

/* How many glyphs from `from` on make a line: up to a blank, or between wide characters, which need
 * none. At least one. */
static size_t line_length(const struct glyphs *g, size_t from, size_t width) {
  size_t used = 0, end = from, good = 0;
  for (; end < g->count; ++end) {
    const struct glyph *x = &g->all[end];
    if (used + x->width > width && !x->blank) break;
    used += x->width;
    if (x->blank)
      good = end - from;
    else if (x->width > 1)
      good = end + 1 - from;
  }
  if (end == g->count) return end - from;
  if (g->all[end].blank || g->all[end].width > 1) good = end - from;
  if (good == 0) good = end - from;
  return good ? good : 1;
}

static void put_line(struct ck_buf *b, const struct glyphs *g, size_t from, size_t to,
                     bool colour) {
  while (to > from && g->all[to - 1].blank) --to;
  for (size_t i = from, next; i < to; i = next) {
    next = i + 1;
    while (next < to && g->all[next].marked == g->all[i].marked) ++next;
    const char *end = g->all[next - 1].text.s + g->all[next - 1].text.n;
    struct ck_str text = {g->all[i].text.s, (size_t)(end - g->all[i].text.s)};
    cli_paint(b, colour, g->all[i].marked ? CLI_BOLD : CLI_PLAIN, text);
  }
}

static void put_blanks(struct ck_buf *b, size_t n) {
  while (n--) ck_buf_text(b, " ");
}

void cli_found_snippet(struct ck_buf *b, const json_t *hit, size_t indent, size_t used,
                       const struct cli_found_style *style) {
  struct glyphs g = {0};
  read_glyphs(&g, hit);
  size_t width = style->width > used ? style->width - used : 1;
  for (size_t at = 0; at < g.count;) {
    size_t n = line_length(&g, at, width);
    put_line(b, &g, at, at + n, style->colour);
    for (at += n; at < g.count && g.all[at].blank;) ++at;
    if (at < g.count) {
      ck_buf_text(b, "\n");
      put_blanks(b, indent);
    }
    width = style->width > indent ? style->width - indent : 1;
  }
  ck_buf_text(b, "\n");
  free(g.all);
  ck_buf_free(&g.safe);
}

/* ---- a conversation's hits ---- */

/* "  2026-11-22 20:02  user  The disk is full" */
static void put_hit(struct ck_buf *b, const json_t *hit, const struct cli_found_style *style) {
  struct ck_buf head = {0};
  const char *role = cli_member(hit, "role");
  const json_t *at = json_object_get(hit, "observed_at");
  bool title = !*cli_member(hit, "message_id");
  ck_buf_text(&head, "  ");
  if (json_is_integer(at)) {
    cli_minute_text(&head, json_integer_value(at));
    ck_buf_text(&head, "  ");
  }
  if (title)
    ck_buf_text(&head, "title");
  else
    cli_safe_text(&head, ck_str_of(role), false);
  if (title || *role) ck_buf_text(&head, "  ");
  size_t used = ck_text_width(ck_buf_view(&head));
  cli_paint(b, style->colour, CLI_DIM, ck_buf_view(&head));
  cli_found_snippet(b, hit, INDENT, used, style);
  ck_buf_free(&head);
}

static void put_title(struct ck_buf *b, const json_t *hit, const struct cli_found_style *style) {
  struct ck_buf title = {0}, line = {0}, safe = {0}, cut = {0};
  render_title(&title, ck_str_of(cli_member(hit, "title")),
               ck_str_of(cli_member(hit, "first_question")));
  ck_buf_summary(&line, ck_buf_view(&title), TITLE_MAX);
  cli_safe_text(&safe, ck_buf_view(&line), false);
  ck_cut_text(&cut, ck_buf_view(&safe), style->width);
  cli_paint(b, style->colour, CLI_BOLD, ck_buf_view(&cut));
  ck_buf_text(b, "\n");
  ck_buf_free(&cut);
  ck_buf_free(&safe);
  ck_buf_free(&line);
  ck_buf_free(&title);
}

/* "claude · 2026-11-22 · claude:3f2a81c0" */
static void put_facts(struct ck_buf *b, const json_t *hits, size_t which,
                      const struct cli_found_style *style) {
  struct ck_buf facts = {0}, safe = {0};
  const json_t *hit = json_array_get(hits, which), *at = json_object_get(hit, "observed_at");
  struct ck_str id = ck_str_of(cli_member(hit, "local_conversation_id"));
  ck_buf_text(&facts, cli_member(hit, "platform"));
  if (json_is_integer(at)) {
    ck_buf_text(&facts, " · ");
    cli_day_text(&facts, json_integer_value(at));
  }
  if (id.n) ck_buf_text(&facts, " · ");
  ck_buf_str(&facts,
             style->whole_ids
                 ? id
                 : (struct ck_str){id.s, cli_id_length(hits, which, "local_conversation_id")});
  cli_safe_text(&safe, ck_buf_view(&facts), false);
  cli_paint(b, style->colour, CLI_DIM, ck_buf_view(&safe));
  ck_buf_text(b, "\n");
  ck_buf_free(&safe);
  ck_buf_free(&facts);
}

static void put_conversation(struct ck_buf *b, const json_t *hits, size_t first,
                             const struct cli_found_style *style) {
  const json_t *of = json_array_get(hits, first), *hit;
  const char *id = cli_member(of, "local_conversation_id");
  if (first) ck_buf_text(b, "\n");
  put_title(b, of, style);
  put_facts(b, hits, first, style);
  for (size_t i = first; (hit = json_array_get(hits, i)); ++i)
    if (strcmp(cli_member(hit, "local_conversation_id"), id) == 0) put_hit(b, hit, style);
}

static bool came_before(const json_t *hits, size_t which) {
  const char *id = cli_member(json_array_get(hits, which), "local_conversation_id");
  for (size_t i = 0; i < which; ++i)
    if (strcmp(cli_member(json_array_get(hits, i), "local_conversation_id"), id) == 0) return true;
  return false;
}

void cli_found_text(struct ck_buf *b, const json_t *hits, const struct cli_found_style *style) {
  for (size_t i = 0; i < json_array_size(hits); ++i)
    if (!came_before(hits, i)) put_conversation(b, hits, i, style);
}
