/* See sentence.h. From the end of the text backwards. */
#include "renewd/core/sentence.h"

#include "proto/words.h"

/* ---- characters ---- */

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

static bool is_question_mark(unsigned code) { return is_one_of(code, "?？؟\u037e⁇⁈⁉⸮﹖፧"); }

static bool is_greek(unsigned code) {
  return (code >= 0x370 && code < 0x400) || (code >= 0x1f00 && code < 0x2000);
}

/* Emoji, their joiners and their forms. */
static bool is_emoji(unsigned code) {
  return (code >= 0x1f000 && code < 0x20000) || (code >= 0x2600 && code < 0x27c0) ||
         code == 0xfe0f || code == 0x200d;
}

static bool is_space(unsigned code) { return code <= ' ' || code == 0xa0 || code == 0x3000; }

static bool is_closing(unsigned code) { return is_one_of(code, "*_~`\"')]}>”’»」』）】"); }

static bool is_ascii_letter(unsigned code) { return (code | 0x20) >= 'a' && (code | 0x20) <= 'z'; }

/* A letter or digit of a script that has spaces between its words. */
static bool is_of_word(unsigned code) {
  return is_ascii_letter(code) || (code >= '0' && code <= '9') ||
         (code >= 0xc0 && code < 0x2000 && !is_one_of(code, "\u037e؟፧"));
}

static struct ck_str cut(struct ck_str s, size_t n) { return (struct ck_str){s.s, n}; }

/* ---- what follows the last sentence ---- */

/* <br>, </p>, <!-- so -->: at the end. */
static struct ck_str without_tag(struct ck_str s) {
  if (!ck_str_ends(s, ">")) return s;
  size_t from = s.n - 1;
  while (from && s.s[from] != '<' && s.s[from] != '\n') from--;
  char next = s.s[from + (s.s[from] == '<')];
  bool is_tag = s.s[from] == '<' && (next == '/' || next == '!' || is_ascii_letter((uint8_t)next));
  return is_tag ? cut(s, from) : s;
}

static struct ck_str without_end(struct ck_str s) {
  for (size_t n, before = s.n + 1; s.n && s.n < before;) {
    before = s.n;
    s = without_tag(s);
    unsigned code = last_code(s, &n);
    if (s.n == before && (is_space(code) || is_emoji(code) || is_closing(code))) s.n -= n;
  }
  return s;
}

static struct ck_str last_line(struct ck_str s) {
  size_t from = s.n;
  while (from && s.s[from - 1] != '\n') from--;
  return (struct ck_str){s.s + from, s.n - from};
}

/* The text before its last line, without the line feed. */
static struct ck_str without_line(struct ck_str s) {
  size_t n = s.n - last_line(s).n;
  return cut(s, n ? n - 1 : 0);
}

/* "- this", "* this", "• this", "3. this", "b) this". */
static bool is_list_line(struct ck_str line) {
  line = ck_trim(line);
  if (ck_str_starts(line, "• ")) return true;
  if (line.n > 2 && strchr("-*+", line.s[0]) && line.s[1] == ' ') return true;
  size_t n = 0;
  while (n < line.n && n < 3 && line.s[n] >= '0' && line.s[n] <= '9') n++;
  if (!n && line.n && is_ascii_letter((uint8_t)line.s[0])) n = 1;
  return n && n + 1 < line.n && strchr(".)", line.s[n]) && line.s[n + 1] == ' ';
}

/* The lines of a list at the end, with their further lines, which are indented. */
static struct ck_str without_list(struct ck_str s) {
  struct ck_str before = s;
  for (struct ck_str rest = ck_trim(s); rest.n; rest = without_line(rest)) {
    struct ck_str line = last_line(rest);
    if (is_list_line(line))
      before = cut(rest, rest.n - line.n);
    else if (ck_trim(line).n && line.s[0] != ' ' && line.s[0] != '\t')
      break;
  }
  return before;
}

/* The line below the head of a table: |---|:--:|. */
static bool is_table_rule(struct ck_str line) {
  bool has_dash = false;
  for (size_t i = 0; i < line.n; i++) {
    if (!strchr("|-: \t\r", line.s[i])) return false;
    has_dash |= line.s[i] == '-';
  }
  return has_dash && memchr(line.s, '|', line.n);
}

static struct ck_str without_table(struct ck_str s) {
  bool has_rule = false;
  struct ck_str rest = ck_trim(s);
  for (; rest.n && memchr(last_line(rest).s, '|', last_line(rest).n); rest = without_line(rest))
    has_rule |= is_table_rule(last_line(rest));
  return has_rule ? rest : s;
}

/* How many ` or ~ the line begins with, if they can begin or end a block of code. */
static size_t fence(struct ck_str line, char *mark) {
  line = ck_trim(line);
  size_t n = 0;
  *mark = line.n ? line.s[0] : ' ';
  if (*mark != '`' && *mark != '~') return 0;
  while (n < line.n && line.s[n] == *mark) n++;
  return n >= 3 ? n : 0;
}

static bool ends_in_fence(struct ck_str s) {
  s = ck_trim(s);
  return ck_str_ends(s, "```") || ck_str_ends(s, "~~~");
}

/* What is in a block of code is not said. */
static struct ck_str without_code(struct ck_str s) {
  char mark, other;
  struct ck_str rest = ck_trim(s), line = ck_trim(last_line(rest));
  size_t n = fence(line, &mark);
  if (!n || n != line.n) return s;
  for (rest = without_line(rest); rest.n; rest = without_line(rest))
    if (fence(last_line(rest), &other) == n && other == mark)
      return cut(rest, rest.n - last_line(rest).n);
  return s;
}

/* Without the list, table or block of code at the end, which a question before it is about. */
static struct ck_str without_block(struct ck_str s) {
  struct ck_str before = without_code(s);
  if (before.n == s.n) before = without_table(s);
  return before.n == s.n ? without_list(s) : before;
}

/* ---- the sentence ---- */

/* What asks for a yes or no, with or without a question mark before it. */
static const char *const choices[] = {
    "y/n", "yes/no",  "yes or no", "y or n", "j/n",     "ja/nein",    "ja oder nein",
    "o/n", "oui/non", "s/n",       "sí/no",  "sim/não", "д/н",        "да/нет",
    "ν/ο", "ναι/όχι", "是/否",     "y／n",   "是／否",  "はい/いいえ"};

/* The text before a choice at its end: "Delete all? [Y/n]"; all of it without one. */
static struct ck_str without_choice(struct ck_str s) {
  struct ck_buf lower = {0};
  struct ck_str said = without_end(s), before = s;
  size_t n;
  if (ck_str_ends(said, ":") || ck_str_ends(said, ".")) said = without_end(cut(said, said.n - 1));
  ck_buf_lower(&lower, last_line(said));
  for (size_t i = 0; i < sizeof choices / sizeof *choices && before.n == s.n; i++) {
    struct ck_str rest =
        cut(said, said.n - (ck_str_ends(ck_buf_view(&lower), choices[i]) ? strlen(choices[i]) : 0));
    if (rest.n < said.n && !is_of_word(last_code(rest, &n))) before = rest;
  }
  ck_buf_free(&lower);
  for (unsigned code = last_code(before, &n); before.n < s.n && code && is_one_of(code, "([（");
       code = last_code(before, &n))
    before.n -= n;
  return before;
}

/* Does a sentence end with this character, before `after`? A point does only before white space:
 * "main.c", "3.5". */
static bool ends_sentence(unsigned code, struct ck_str after) {
  size_t n;
  if (code == '\n' || is_one_of(code, "。！？…؟⁇⁈⁉⸮﹖፧")) return true;
  if (!is_one_of(code, ".!?\u037e")) return false;
  for (; after.n; after.s += n, after.n -= n) {
    n = ck_character(after.s, after.n);
    code = n ? ck_character_code(after.s, n) : 0;
    if (!n || !is_closing(code)) return n && is_space(code);
  }
  return true;
}

/* The sentence at the end, whose last characters are its marks. */
static struct ck_str last_sentence(struct ck_str s) {
  struct ck_str before = s;
  size_t n;
  unsigned code = last_code(before, &n);
  while (is_question_mark(code) || is_one_of(code, "!！。;")) {
    before.n -= n;
    code = last_code(before, &n);
  }
  while (before.n && !ends_sentence(code, (struct ck_str){s.s + before.n, s.n - before.n})) {
    before.n -= n;
    code = last_code(before, &n);
  }
  return (struct ck_str){s.s + before.n, s.n - before.n};
}

/* In Greek a semicolon asks; in Japanese and Chinese a particle, with or without a full stop. */
static bool ends_in_mark(struct ck_str s) {
  size_t n;
  unsigned code = last_code(s, &n);
  if (code == ';') return is_greek(last_code(cut(s, s.n - n), &n));
  if (code == 0x3002) s.n -= n;
  return is_question_mark(code) || ck_str_ends(s, "か") || ck_str_ends(s, "吗") ||
         ck_str_ends(s, "嗎");
}

static bool ends_in_question(struct ck_str s, struct ck_str *sentence) {
  if (ends_in_fence(s)) return false;
  struct ck_str asked = without_end(without_choice(s));
  bool has_choice = asked.n < without_end(s).n;
  *sentence = last_sentence(asked);
  return has_choice || ends_in_mark(asked);
}

/* ---- which questions a follow-up answers ---- */

/* In lower case. A question with one of these asks for more than yes or no. */
static const char *const open_words[] = {
    "how",   "which",    "what",   "where",   "when",    "who",     "whom",    "whose",  "why",
    "or",    "wie",      "welche", "welcher", "welches", "welchen", "welchem", "was",    "wo",
    "wohin", "wann",     "wer",    "wen",     "wem",     "wessen",  "warum",   "wieso",  "womit",
    "oder",  "quel",     "quelle", "quels",   "quelles", "lequel",  "où",      "quand",  "qui",
    "quoi",  "pourquoi", "ou",     "cómo",    "cuál",    "cuáles",  "dónde",   "cuándo", "quién",
    "qué",   "como",     "qual",   "quais",   "quando",  "onde",    "quem",    "dove",   "quale",
    "quali", "perché",   "как",    "какой",   "какая",   "какое",   "какие",   "какую",  "что",
    "где",   "когда",    "кто",    "почему",  "или"};
/* The same in scripts that have no spaces between words. */
static const char *const open_parts[] = {
    "如何", "怎么", "怎麼",     "怎样",   "怎樣", "哪",   "什么", "什麼",   "谁",   "誰",
    "还是", "還是", "或",       "何",     "どう", "どの", "どれ", "どちら", "どこ", "どっち",
    "いつ", "なぜ", "それとも", "어떻게", "어느", "어떤", "무엇", "어디",   "언제", "누구"};

static bool is_open_word(struct ck_str word) {
  for (size_t i = 0; i < sizeof open_words / sizeof *open_words; i++)
    if (ck_str_is(word, open_words[i])) return true;
  return false;
}

/* Appends nothing; s is in lower case. */
static bool has_open_word(struct ck_str s) {
  for (size_t i = 0; i < sizeof open_parts / sizeof *open_parts; i++)
    if (memmem(s.s, s.n, open_parts[i], strlen(open_parts[i]))) return true;
  for (size_t i = 0, from = 0, n; i <= s.n; i += n ? n : 1) {
    n = ck_character(s.s + i, s.n - i);
    if (n && is_of_word(ck_character_code(s.s + i, n))) continue;
    if (is_open_word((struct ck_str){s.s + from, i - from})) return true;
    from = i + (n ? n : 1);
  }
  return false;
}

/* The phrase, where a word begins: "discontinue" has no "continue". */
static bool has_one(struct ck_str s, struct ck_str phrase) {
  for (struct ck_str rest = s; phrase.n;) {
    const char *at = memmem(rest.s, rest.n, phrase.s, phrase.n);
    if (!at) return false;
    size_t n = ck_character(at, (size_t)(s.s + s.n - at)), before = (size_t)(at - s.s);
    bool in_word =
        n && is_of_word(ck_character_code(at, n)) && is_of_word(last_code(cut(s, before), &n));
    if (!in_word) return true;
    rest = (struct ck_str){at + 1, (size_t)(s.s + s.n - at) - 1};
  }
  return false;
}

static bool has_phrase(struct ck_str said, struct ck_str phrases) {
  bool has = false;
  for (struct ck_str rest = phrases; rest.n && !has;) {
    const char *comma = memchr(rest.s, ',', rest.n);
    size_t n = comma ? (size_t)(comma - rest.s) : rest.n;
    has = has_one(said, ck_trim(cut(rest, n)));
    rest.s += comma ? n + 1 : n;
    rest.n -= comma ? n + 1 : n;
  }
  return has;
}

static bool is_answered(struct ck_str sentence, struct ck_str ok) {
  struct ck_buf said = {0}, phrases = {0};
  ck_buf_lower(&said, sentence);
  ck_buf_lower(&phrases, ok);
  bool is =
      has_phrase(ck_buf_view(&said), ck_buf_view(&phrases)) && !has_open_word(ck_buf_view(&said));
  ck_buf_free(&said);
  ck_buf_free(&phrases);
  return is;
}

bool renew_is_question(struct ck_str text, struct ck_str ok) {
  struct ck_str sentence, before = text;
  do {
    text = before;
    if (ends_in_question(text, &sentence)) return !is_answered(sentence, ok);
    before = without_block(text);
  } while (before.n < text.n);
  return false;
}
