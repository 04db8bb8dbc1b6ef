/* See joined.h. */
#include "store/originals/joined.h"

#include <stdlib.h>
#include <string.h>

#include "proto/sha256.h"

void joined_free(struct joined *j) {
  ck_buf_free(&j->bytes);
  free(j->lines);
  *j = (struct joined){.count = 0};
}

/* Where its line of that number begins, from 0, and the chain there. */
static size_t start_of(const struct joined *j, uint64_t line) {
  return line ? j->lines[line - 1].end : 0;
}

static const unsigned char *chain_at(const struct joined *j, uint64_t line) {
  return line ? j->lines[line - 1].chain : j->chain;
}

const unsigned char *joined_chain_end(const struct joined *j) { return chain_at(j, j->count); }

static bool same_chain(const unsigned char *a, const unsigned char *b) {
  return memcmp(a, b, CK_ORIGINAL_CHAIN) == 0;
}

/* Takes back what is after so many lines. */
static void cut(struct joined *j, size_t lines) {
  j->bytes.len = start_of(j, lines);
  j->count = lines;
}

static void add_line(struct joined *j, struct ck_str line) {
  if (j->count == j->room)
    j->lines = ck_realloc(j->lines, (j->room = j->room * 2 + 64) * sizeof *j->lines);
  struct joined_line *to = &j->lines[j->count];
  memcpy(to->chain, joined_chain_end(j), sizeof to->chain);
  ck_original_chain(to->chain, line);
  ck_buf_str(&j->bytes, line);
  ck_buf_text(&j->bytes, "\n");
  to->end = j->bytes.len;
  ++j->count;
}

/* False: they do not end with a line, or are too many. */
static bool add_lines(struct joined *j, struct ck_str text) {
  if (j->bytes.len + text.n > JOINED_MAX) return false;
  while (text.n) {
    const char *end = memchr(text.s, '\n', text.n);
    if (!end || j->count == JOINED_LINES) return false;
    size_t n = (size_t)(end - text.s);
    add_line(j, (struct ck_str){text.s, n});
    text = (struct ck_str){end + 1, text.n - n - 1};
  }
  return true;
}

bool joined_begin(struct joined *j, const struct joined_run *r, struct ck_str text) {
  ck_buf_clear(&j->bytes);
  j->count = 0;
  j->first = r->first;
  memcpy(j->chain, r->chain, sizeof j->chain);
  return add_lines(j, text) && j->count == r->lines && j->count &&
         same_chain(joined_chain_end(j), r->chain_end);
}

/* Its lines are those of the run, up to where the run begins. *line: where, from 0. */
static bool begins_in(const struct joined *j, const struct joined_run *r, uint64_t *line) {
  *line = r->first - j->first;
  return r->first >= j->first && *line <= j->count && same_chain(chain_at(j, *line), r->chain);
}

bool joined_holds(const struct joined *j, const struct joined_run *r, size_t *at) {
  unsigned char hash[CK_SHA256_BYTES];
  struct ck_sha256 h;
  uint64_t line;
  if (!begins_in(j, r, &line) || r->lines > j->count - line ||
      !same_chain(chain_at(j, line + r->lines), r->chain_end))
    return false;
  *at = start_of(j, line);
  if (start_of(j, line + r->lines) - *at != r->bytes) return false;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, (struct ck_str){j->bytes.data + *at, (size_t)r->bytes});
  ck_sha256_end(&h, hash);
  return memcmp(hash, r->key, ORIGINAL_KEY) == 0;
}

bool joined_reaches(const struct joined *j, const struct joined_run *r) {
  uint64_t line;
  return begins_in(j, r, &line) && r->lines > j->count - line &&
         start_of(j, line) + r->bytes <= JOINED_MAX;
}

bool joined_forks(const struct joined *j, const struct joined_run *r) {
  uint64_t line;
  return begins_in(j, r, &line) && line > 0 && line < j->count &&
         start_of(j, line) + r->bytes <= JOINED_MAX;
}

bool joined_fork(struct joined *j, const struct joined_run *r, struct ck_str text) {
  cut(j, (size_t)(r->first - j->first));
  return joined_extend(j, r, text);
}

bool joined_extend(struct joined *j, const struct joined_run *r, struct ck_str text) {
  uint64_t line;
  size_t before = j->count;
  if (!begins_in(j, r, &line)) return false;
  size_t at = start_of(j, line), both = j->bytes.len - at;
  if (both > text.n || (both && memcmp(j->bytes.data + at, text.s, both) != 0)) return false;
  if (add_lines(j, (struct ck_str){text.s + both, text.n - both}) && j->count - line == r->lines &&
      same_chain(joined_chain_end(j), r->chain_end))
    return true;
  cut(j, before);
  return false;
}
