/* See sentence.h. From the end of the text backwards. */
#include "renewd/core/sentence.h"

#include "proto/words.h"

/* The bytes of the character that s ends with; 0: s is empty. */
static size_t last_character(struct ck_str s) {
  size_t n = s.n ? 1 : 0;
  while (n && n < 4 && n < s.n && ((unsigned char)s.s[s.n - n] & 0xc0) == 0x80) n++;
  return n;
}

static unsigned last_code(struct ck_str s, size_t *n) {
  *n = last_character(s);
  return *n && ck_character(s.s + s.n - *n, *n) == *n ? ck_character_code(s.s + s.n - *n, *n) : 0;
}

static bool is_one_of(unsigned code, const char *characters) {
  struct ck_str all = ck_str_of(characters);
  for (size_t i = 0, n; i < all.n; i += n) {
    n = ck_character(all.s + i, all.n - i);
    if (ck_character_code(all.s + i, n) == code) return true;
  }
  return false;
}

static bool is_question_mark(unsigned code) { return is_one_of(code, "?？؟⁇⁈⁉"); }

/* Emoji, their joiners and their forms. */
static bool is_emoji(unsigned code) {
  return (code >= 0x1f000 && code < 0x20000) || (code >= 0x2600 && code < 0x27c0) ||
         code == 0xfe0f || code == 0x200d;
}

static bool says_nothing(unsigned code) {
  return code <= ' ' || code == 0xa0 || code == 0x3000 || is_emoji(code) ||
         is_one_of(code, "*_~`\"')]}>”’»」』）】");
}

static struct ck_str without_end(struct ck_str s) {
  for (size_t n; s.n && says_nothing(last_code(s, &n)); s.n -= n) {
  }
  return s;
}

static struct ck_str last_line(struct ck_str s) {
  size_t from = s.n;
  while (from && s.s[from - 1] != '\n') from--;
  return (struct ck_str){s.s + from, s.n - from};
}

/* "- this", "* this", "3. this", "b) this". */
static bool is_list_line(struct ck_str line) {
  line = ck_trim(line);
  if (line.n > 2 && strchr("-*+", line.s[0]) && line.s[1] == ' ') return true;
  size_t n = 0;
  while (n < line.n && n < 3 && line.s[n] >= '0' && line.s[n] <= '9') n++;
  if (!n && line.n && ((line.s[0] | 0x20) >= 'a' && (line.s[0] | 0x20) <= 'z')) n = 1;
  return n && n + 1 < line.n && strchr(".)", line.s[n]) && line.s[n + 1] == ' ';
}

/* The lines of a list at the end are what a question before it is about. */
static struct ck_str without_list(struct ck_str s) {
  for (struct ck_str all = ck_trim(s), line = last_line(all); all.n && is_list_line(line);
       line = last_line(all)) {
    all = ck_trim((struct ck_str){all.s, all.n - line.n});
    if (!is_list_line(last_line(all))) return all;
  }
  return s;
}

/* The sentence at the end, whose last character is its mark. */
static struct ck_str last_sentence(struct ck_str s) {
  struct ck_str before = s;
  size_t n;
  unsigned code = last_code(before, &n);
  while (is_question_mark(code) || is_one_of(code, "!！")) {
    before.n -= n;
    code = last_code(before, &n);
  }
  while (before.n && code != '\n' && !is_question_mark(code) && !is_one_of(code, ".!。！…")) {
    before.n -= n;
    code = last_code(before, &n);
  }
  return (struct ck_str){s.s + before.n, s.n - before.n};
}

static bool ends_in_question(struct ck_str s, struct ck_str *sentence) {
  size_t n;
  if (ck_str_ends(ck_trim(s), "```")) return false; /* what is in there is not said */
  s = without_end(s);
  if (!is_question_mark(last_code(s, &n))) return false;
  *sentence = last_sentence(s);
  return true;
}

static bool has_phrase(struct ck_str sentence, struct ck_str phrases) {
  struct ck_buf said = {0}, all = {0};
  bool has = false;
  ck_buf_lower(&said, sentence);
  ck_buf_lower(&all, phrases);
  for (struct ck_str rest = ck_buf_view(&all); rest.n && !has;) {
    const char *comma = memchr(rest.s, ',', rest.n);
    size_t n = comma ? (size_t)(comma - rest.s) : rest.n;
    struct ck_str phrase = ck_trim((struct ck_str){rest.s, n});
    has = phrase.n && memmem(said.data, said.len, phrase.s, phrase.n);
    rest.s += comma ? n + 1 : n;
    rest.n -= comma ? n + 1 : n;
  }
  ck_buf_free(&said);
  ck_buf_free(&all);
  return has;
}

bool renew_is_question(struct ck_str text, struct ck_str ok) {
  struct ck_str sentence;
  if (!ends_in_question(text, &sentence) && !ends_in_question(without_list(text), &sentence))
    return false;
  return !has_phrase(sentence, ok);
}
