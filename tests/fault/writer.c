/* See writer.h. */
#include "tests/fault/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>

#include "tests/harness/archive.h"
#include "tests/harness/base.h"

#define AT_ONCE 8 /* sessions that grow */
#define HALF_LINE_MS 3000
#define DEPENDS_MS 500 /* between two looks whether a session may begin */

enum state { COMING, GROWING, WRITTEN, OVER };

struct play {
  enum state state;
  char path[400];
  size_t written, line; /* bytes; whole lines */
  int64_t rests_until;  /* ck_boot_ms(), before its next piece */
  unsigned moves;
};

/* ---- the scripts ---- */

/* In turn: a session with its subagent, a thread, a fork of the session, a fork or a subagent of
 * the thread. */
static void make(struct writer *w, size_t i) {
  struct script *s = &w->scripts[i];
  unsigned n = (unsigned)i, turns = 3 + (unsigned)t_random_below(8);
  switch (i % 5) {
  case 0:
    script_claude(s, n, turns, NULL);
    break;
  case 1:
    script_agent(s, n, turns, s - 1);
    break;
  case 2:
    script_codex(s, n, turns, NULL, false);
    break;
  case 3:
    script_claude(s, n, turns, s - 3);
    break;
  default:
    script_codex(s, n, turns, s - 2, t_random_below(2));
  }
  if (t_random_below(4) == 0) --s->text.len; /* without a line feed at its end */
}

void writer_new(struct writer *w, size_t scripts) {
  *w = (struct writer){.count = scripts};
  w->scripts = ck_zalloc(scripts * sizeof *w->scripts);
  w->plays = ck_zalloc(scripts * sizeof *w->plays);
  for (size_t i = 0; i < scripts; ++i) {
    make(w, i);
    w->total += w->scripts[i].count;
  }
  w->said = ck_zalloc(w->total * sizeof *w->said);
}

void writer_free(struct writer *w) {
  for (size_t i = 0; i < w->count; ++i) script_free(&w->scripts[i]);
  free(w->scripts);
  free(w->plays);
  free(w->said);
}

/* ---- folders ---- */

static void make_folders(char *path) {
  for (char *at = path + 1; (at = strchr(at, '/')); *at++ = '/') {
    *at = '\0';
    T_CHECK(mkdir(path, 0700) == 0 || errno == EEXIST, "%s", path);
  }
}

static void path_of(char path[400], const struct script *s) {
  snprintf(path, 400, "%s/%s/%s", getenv("HOME"), s->folder, s->name);
}

/* What Claude Code says of a subagent beside its log. */
static bool has_meta(const struct script *s) { return strstr(s->name, "agent-") != NULL; }

static void meta_of(char path[420], const struct script *s) {
  snprintf(path, 420, "%s/%s/%.*s.meta.json", getenv("HOME"), s->folder,
           (int)(strlen(s->name) - sizeof ".jsonl" + 1), s->name);
}

static void write_meta(const struct script *s) {
  char path[420];
  meta_of(path, s);
  if (has_meta(s))
    t_write_text(path, "{\"agentType\":\"Explore\",\"description\":\"Find an axle\"}");
}

static void write_all(const struct writer *w, size_t i) {
  char path[400];
  path_of(path, &w->scripts[i]);
  make_folders(path);
  t_write_file(path, w->scripts[i].text.data, w->scripts[i].text.len);
  write_meta(&w->scripts[i]);
}

void writer_write_finished(const struct writer *w) {
  for (size_t i = 0; i < w->count; ++i) write_all(w, i);
}

void writer_remove_finished(const struct writer *w) {
  char path[400], meta[420];
  for (size_t i = 0; i < w->count; ++i) {
    path_of(path, &w->scripts[i]);
    T_CHECK(unlink(path) == 0, "%s", path);
    meta_of(meta, &w->scripts[i]);
    if (has_meta(&w->scripts[i])) T_CHECK(unlink(meta) == 0, "%s", meta);
  }
}

/* ---- what happens to a file ---- */

static void note_lines(struct writer *w, struct play *p, const struct script *s) {
  bool ends = p->written == s->text.len;
  while (p->line < s->count && (s->lines[p->line].end <= p->written || ends)) {
    const struct script_line *line = &s->lines[p->line++];
    int64_t late = line->end > p->written ? HALF_LINE_MS : 0;
    if (*line->word)
      w->said[w->said_count++] = (struct written){s, line->word, ck_boot_ms() + late};
    ++w->lines;
  }
}

static void append(struct writer *w, struct play *p, const struct script *s, size_t n) {
  size_t left = s->text.len - p->written;
  FILE *f = fopen(p->path, "a");
  if (n > left) n = left;
  T_CHECK(f && fwrite(s->text.data + p->written, 1, n, f) == n && fclose(f) == 0, "%s", p->path);
  p->written += n;
  note_lines(w, p, s);
  if (p->written == s->text.len) p->state = WRITTEN;
}

/* To the end of the line that is being written, and so many more. */
static size_t to_line_end(const struct play *p, const struct script *s, size_t more) {
  size_t line = p->line + more < s->count ? p->line + more : s->count - 1;
  return s->lines[line].end - p->written;
}

static void half_line(struct writer *w, struct play *p, const struct script *s) {
  size_t n = to_line_end(p, s, 0);
  ++w->half_lines;
  append(w, p, s, 1 + t_random_below(n));
  /* At times longer than a half line is waited for. */
  p->rests_until = ck_boot_ms() + (int64_t)t_random_below(t_random_below(20) ? 300 : 4000);
}

/* The folder of a project of Claude Code gets another name; a thread of Codex is archived. */
static void move(struct writer *w, struct play *p, const struct script *s) {
  char to[400];
  if (s->codex) {
    snprintf(to, sizeof to, "%s/.codex/archived_sessions/%s", getenv("HOME"), s->name);
    ++w->archived;
  } else {
    snprintf(to, sizeof to, "%s/.claude/projects/-moved-%u-%u/%s", getenv("HOME"), s->number,
             ++p->moves, s->name);
    ++w->moved;
  }
  make_folders(to);
  if (p->written) T_CHECK(rename(p->path, to) == 0, "%s", p->path);
  memcpy(p->path, to, sizeof to);
}

/* Written again beside itself, and put in its place. */
static void replace(struct writer *w, struct play *p, const struct script *s) {
  char beside[410];
  snprintf(beside, sizeof beside, "%s.tmp", p->path);
  t_write_file(beside, s->text.data, p->written);
  T_CHECK(rename(beside, p->path) == 0, "%s", p->path);
  ++w->replaced;
}

static void compress(struct writer *w, struct play *p, const struct script *s) {
  char packed[410];
  const struct t_member whole = {"it", ck_buf_view(&s->text)};
  struct ck_buf bytes = t_archive(0, ARCHIVE_FILTER_ZSTD, &whole, 1);
  snprintf(packed, sizeof packed, "%s.zst", p->path);
  t_write_file(packed, bytes.data, bytes.len);
  T_CHECK(unlink(p->path) == 0, "%s", p->path);
  ck_buf_free(&bytes);
  ++w->compressed;
}

/* ---- one after another ---- */

static const char *last_word(const struct script *s, size_t lines) {
  while (lines && !*s->lines[lines - 1].word) --lines;
  return lines ? s->lines[lines - 1].word : NULL;
}

/* The next one begins, unless what it begins with is not stored yet. */
static void begin(struct writer *w, bool (*is_stored)(const char *word)) {
  static int64_t looked_at;
  struct script *s = &w->scripts[w->begun];
  const char *word = s->after ? last_word(s->after, s->after_line) : NULL;
  if (word && ck_boot_ms() < looked_at + DEPENDS_MS) return;
  if (word) looked_at = ck_boot_ms();
  if (word && !is_stored(word)) return;
  struct play *p = &w->plays[w->begun++];
  path_of(p->path, s);
  make_folders(p->path);
  write_meta(s);
  p->state = GROWING;
}

/* What becomes of a file to which nothing more comes. One is removed only when all of it was taken:
 * nobody can read what is gone. */
static void finish(struct writer *w, struct play *p, const struct script *s,
                   bool (*is_stored)(const char *word)) {
  unsigned how = s->number % 6;
  const char *last = s->lines[s->count - 1].word;
  if (how == 0 && !s->codex && *last) {
    if (!is_stored(last)) return;
    T_CHECK(unlink(p->path) == 0, "%s", p->path);
    ++w->removed;
  } else {
    if (how <= 2 && s->codex) move(w, p, s);
    if (how == 2 || how == 3) compress(w, p, s);
  }
  p->state = OVER;
  ++w->finished;
}

static void grow(struct writer *w, struct play *p, const struct script *s) {
  uint64_t how = t_random_below(40);
  if (how == 0 && p->written && !s->codex && !strstr(s->name, "agent-"))
    move(w, p, s);
  else if (how == 1 && p->written)
    replace(w, p, s);
  else if (how < 16)
    half_line(w, p, s);
  else
    append(w, p, s, to_line_end(p, s, how < 30 ? 0 : t_random_below(6)));
}

/* Of two that grow, the one with more lines to come: so the last ones end together. SIZE_MAX: none
 * grows. */
static size_t choose(const struct writer *w) {
  size_t most = SIZE_MAX, seen = 0, first = t_random_below(w->begun);
  for (size_t i = 0; i < w->begun && seen < 2; ++i) {
    size_t at = (first + i) % w->begun;
    const struct play *p = &w->plays[at];
    if (p->state != GROWING || p->rests_until > ck_boot_ms()) continue;
    ++seen;
    if (most == SIZE_MAX ||
        w->scripts[at].count - p->line > w->scripts[most].count - w->plays[most].line)
      most = at;
  }
  return most;
}

void writer_step(struct writer *w, bool (*is_stored)(const char *word)) {
  size_t growing = 0;
  for (size_t i = 0; i < w->begun; ++i) growing += w->plays[i].state == GROWING;
  if (growing < AT_ONCE && w->begun < w->count) begin(w, is_stored);
  if (!w->begun) return;
  size_t at = choose(w);
  if (at != SIZE_MAX) grow(w, &w->plays[at], &w->scripts[at]);
  at = t_random_below(w->begun);
  if (w->plays[at].state == WRITTEN) finish(w, &w->plays[at], &w->scripts[at], is_stored);
}

bool writer_done(const struct writer *w) { return w->finished == w->count; }
