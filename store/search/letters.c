/* The table of the first two planes, read once from SQLite's unicode61; scripts without blanks are
 * listed here, since unicode61 makes one word of a whole run of them. */
#include "store/search/letters.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/search/fts.h"

#define PLANES 0x20000u
#define PROBED_AT_ONCE 4096u
#define REPLACEMENT 0xfffdu

struct range {
  unsigned from, to;
};

/* Runs: Han, Kana, Hangul, scripts of South East Asia, emoji and other pictures. In order. */
static const struct range runs[] = {
    {0x0e00, 0x0eff},   {0x1000, 0x109f},   {0x1100, 0x11ff},   {0x1780, 0x17ff},
    {0x1980, 0x19df},   {0x1a20, 0x1aad},   {0x2190, 0x21ff},   {0x2300, 0x23ff},
    {0x2600, 0x27bf},   {0x2b00, 0x2bff},   {0x2e80, 0x2fdf},   {0x3005, 0x3007},
    {0x3021, 0x3029},   {0x3031, 0x3035},   {0x3038, 0x303c},   {0x3041, 0x309f},
    {0x30a1, 0x30fa},   {0x30fc, 0x318f},   {0x31a0, 0x33ff},   {0x3400, 0x9fff},
    {0xa960, 0xa97f},   {0xa9e0, 0xa9ff},   {0xaa60, 0xaa7f},   {0xac00, 0xd7ff},
    {0xf900, 0xfaff},   {0xff66, 0xffdc},   {0x16fe0, 0x18d8f}, {0x1aff0, 0x1b2ff},
    {0x1f000, 0x1f3fa}, {0x1f400, 0x1faff}, {0x20000, 0x3ffff}};

/* As if they were not there: accents that combine, soft hyphen, zero width, directions, variation
 * selectors, skin tones. In order. */
static const struct range skipped[] = {
    {0x00ad, 0x00ad}, {0x0300, 0x036f}, {0x034f, 0x034f},   {0x061c, 0x061c},
    {0x180b, 0x180e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},   {0x200b, 0x200f},
    {0x202a, 0x202e}, {0x2060, 0x206f}, {0x20d0, 0x20ff},   {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0000, 0xe0fff}};

/* Letters that are written as several, or whose stroke or accent unicode61 keeps: it folds accents
 * of Latin letters only, and a combining accent is skipped with every letter. */
static const struct {
  unsigned code;
  const char *folded;
} spelled[] = {{0x00df, "ss"}, {0x00e6, "ae"}, {0x00f8, "o"},   {0x0111, "d"},   {0x0131, "i"},
               {0x0133, "ij"}, {0x0142, "l"},  {0x0153, "oe"},  {0x017f, "s"},   {0x0390, "ι"},
               {0x03ac, "α"},  {0x03ad, "ε"},  {0x03ae, "η"},   {0x03af, "ι"},   {0x03b0, "υ"},
               {0x03c2, "σ"},  {0x03ca, "ι"},  {0x03cb, "υ"},   {0x03cc, "ο"},   {0x03cd, "υ"},
               {0x03ce, "ω"},  {0x0439, "и"},  {0x0450, "е"},   {0x0451, "е"},   {0x0453, "г"},
               {0x0457, "і"},  {0x045c, "к"},  {0x045d, "и"},   {0x045e, "у"},   {0x0477, "ѵ"},
               {0x04c2, "ж"},  {0x04d1, "а"},  {0x04d3, "а"},   {0x04d7, "е"},   {0x04db, "ә"},
               {0x04dd, "ж"},  {0x04df, "з"},  {0x04e3, "и"},   {0x04e5, "и"},   {0x04e7, "о"},
               {0x04eb, "ө"},  {0x04ed, "э"},  {0x04ef, "у"},   {0x04f1, "у"},   {0x04f3, "у"},
               {0x04f5, "ч"},  {0x04f9, "ы"},  {0x1e9e, "ss"},  {0x1e9f, "d"},   {0xfb00, "ff"},
               {0xfb01, "fi"}, {0xfb02, "fl"}, {0xfb03, "ffi"}, {0xfb04, "ffl"}, {0xfb05, "st"},
               {0xfb06, "st"}};

#define SPELLED 0x200000u /* + an index of `spelled`, in place of a folded character */

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What a letter is folded to, or how it is spelled; 0: it is none. */
static unsigned folds[PLANES];
static unsigned char kinds[PLANES]; /* enum letter_kind */
static struct letter ascii[0x80];
static struct ck_err failure;

static bool in(const struct range *list, size_t n, unsigned code) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (code > list[middle].to)
      low = middle + 1;
    else
      high = middle;
  }
  return low < n && code >= list[low].from;
}

/* ---- reading the letters from unicode61 ---- */

struct probe {
  struct ck_buf text;
  unsigned code_at[PROBED_AT_ONCE * 5]; /* by the byte at which it begins */
};

static int note(void *self, int flags, const char *token, int n, int from, int to) {
  struct probe *p = self;
  struct ck_str folded = {token, (size_t)n};
  size_t at = 0;
  (void)flags;
  (void)to;
  folds[p->code_at[from]] = letters_next(folded, &at);
  return SQLITE_OK;
}

static bool is_surrogate(unsigned code) { return code >= 0xd800 && code < 0xe000; }

static void write_probe(struct probe *p, unsigned from) {
  ck_buf_clear(&p->text);
  for (unsigned code = from; code < from + PROBED_AT_ONCE; ++code) {
    if (code == 0 || is_surrogate(code)) continue;
    p->code_at[p->text.len] = code;
    ck_buf_utf8(&p->text, code);
    ck_buf_text(&p->text, " ");
  }
}

static int probe_all(const fts5_tokenizer *unicode, Fts5Tokenizer *tokenizer) {
  struct probe *p = ck_zalloc(sizeof *p);
  int rc = SQLITE_OK;
  for (unsigned from = 0; from < PLANES && rc == SQLITE_OK; from += PROBED_AT_ONCE) {
    write_probe(p, from);
    if (p->text.len)
      rc = unicode->xTokenize(tokenizer, p, FTS5_TOKENIZE_DOCUMENT, p->text.data, (int)p->text.len,
                              note);
  }
  ck_buf_free(&p->text);
  free(p);
  return rc;
}

static int read_letters(sqlite3 *db) {
  const char *options[] = {"remove_diacritics", "2", "categories", "L* N* M* Co"};
  void *context = NULL;
  fts5_tokenizer unicode;
  Fts5Tokenizer *tokenizer = NULL;
  fts5_api *api = search_fts_api(db);
  if (!api || api->xFindTokenizer(api, "unicode61", &context, &unicode) != SQLITE_OK) return -1;
  int rc = unicode.xCreate(context, options, (int)COUNT(options), &tokenizer);
  if (rc == SQLITE_OK) rc = probe_all(&unicode, tokenizer);
  if (tokenizer) unicode.xDelete(tokenizer);
  return rc == SQLITE_OK ? 0 : -1;
}

/* Whatever is folded to a letter that is spelled is spelled the same. */
static void spell(void) {
  for (unsigned code = 0x80; code < PLANES; ++code)
    for (unsigned i = 0; folds[code] >= 0x80 && i < COUNT(spelled); ++i)
      if (folds[code] == spelled[i].code) folds[code] = SPELLED + i;
}

static enum letter_kind kind_of(unsigned code) {
  if (code >= 0x80 && in(skipped, COUNT(skipped), code)) return LETTER_SKIPPED;
  if (code >= runs[0].from && in(runs, COUNT(runs), code)) return LETTER_RUN;
  return code < PLANES && folds[code] ? LETTER_WORD : LETTER_NONE;
}

/* ---- one character ---- */

static void put(struct letter *l, unsigned code) {
  l->n = (unsigned char)ck_utf8_write(l->folded, code);
}

/* A form of full width is the letter of ASCII. */
static unsigned narrow(unsigned code) {
  return code >= 0xff01 && code <= 0xff5e ? code - 0xfee0 : code;
}

static void fold(struct letter *l, unsigned code) {
  unsigned folded = narrow(folds[code]);
  l->kind = LETTER_WORD;
  l->upper = narrow(code) >= 'A' && narrow(code) <= 'Z';
  l->digit = folded >= '0' && folded <= '9';
  if (folded < SPELLED) {
    put(l, folded);
    return;
  }
  const char *letters = spelled[folded - SPELLED].folded;
  l->n = (unsigned char)strlen(letters);
  memcpy(l->folded, letters, l->n);
}

enum letter_kind letter_kind_of(unsigned code) {
  return code < PLANES ? (enum letter_kind)kinds[code] : kind_of(code);
}

static struct letter make_letter(unsigned code) {
  struct letter l = {.kind = letter_kind_of(code)};
  if (l.kind == LETTER_RUN) put(&l, code);
  if (l.kind == LETTER_WORD) fold(&l, code);
  return l;
}

struct letter letter_of(unsigned code) {
  return code < COUNT(ascii) ? ascii[code] : make_letter(code);
}

unsigned letters_next(struct ck_str text, size_t *at) {
  const char *s = text.s + *at;
  if ((unsigned char)*s < 0x80) return ++*at, (unsigned char)*s; /* most are */
  size_t n = ck_character(s, text.n - *at);
  *at += n ? n : 1;
  return n ? ck_character_code(s, n) : REPLACEMENT;
}

/* ---- all of them, once ---- */

static void read_once(void) {
  sqlite3 *db = NULL;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK || read_letters(db))
    ck_fail(&failure, "search: this SQLite (%s) has no FTS5 with unicode61", sqlite3_libversion());
  sqlite3_close(db);
  spell();
  for (unsigned code = 0; code < PLANES; ++code) kinds[code] = (unsigned char)kind_of(code);
  for (unsigned code = 0; code < COUNT(ascii); ++code) ascii[code] = make_letter(code);
}

int letters_ready(struct ck_err *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_once);
  return failure.text[0] ? ck_fail(err, "%s", failure.text) : 0;
}

/* ---- runs ---- */

unsigned letter_wide(unsigned code) {
  static const unsigned short kana[] = {
      0x30f2, 0x30a1, 0x30a3, 0x30a5, 0x30a7, 0x30a9, 0x30e3, 0x30e5, 0x30e7, 0x30c3,
      0x30fc, 0x30a2, 0x30a4, 0x30a6, 0x30a8, 0x30aa, 0x30ab, 0x30ad, 0x30af, 0x30b1,
      0x30b3, 0x30b5, 0x30b7, 0x30b9, 0x30bb, 0x30bd, 0x30bf, 0x30c1, 0x30c4, 0x30c6,
      0x30c8, 0x30ca, 0x30cb, 0x30cc, 0x30cd, 0x30ce, 0x30cf, 0x30d2, 0x30d5, 0x30d8,
      0x30db, 0x30de, 0x30df, 0x30e0, 0x30e1, 0x30e2, 0x30e4, 0x30e6, 0x30e8, 0x30e9,
      0x30ea, 0x30eb, 0x30ec, 0x30ed, 0x30ef, 0x30f3, 0x3099, 0x309a};
  return code >= 0xff66 && code < 0xff66 + COUNT(kana) ? kana[code - 0xff66] : code;
}

static unsigned hiragana_of(unsigned code) {
  return code >= 0x30a1 && code <= 0x30f6 ? code - 0x60 : code;
}

/* は ひ ふ へ ほ: they take both voice marks. */
static bool is_ha(unsigned hiragana) {
  return hiragana >= 0x306f && hiragana <= 0x307d && hiragana % 3 == 0;
}

/* か to と, with っ between them; は to ほ. */
static bool takes_voice(unsigned hiragana) {
  if (hiragana >= 0x304b && hiragana <= 0x3062) return hiragana % 2 == 1;
  if (hiragana >= 0x3064 && hiragana <= 0x3069) return hiragana % 2 == 0;
  return is_ha(hiragana);
}

unsigned letter_joined(unsigned first, unsigned second) {
  if (second == 0x3099 && (first == 0x3046 || first == 0x30a6)) return first + 0x4e; /* う */
  if (second == 0x3099 && takes_voice(hiragana_of(first))) return first + 1;
  if (second == 0x309a && is_ha(hiragana_of(first))) return first + 2;
  if (first >= 0x1100 && first <= 0x1112 && second >= 0x1161 && second <= 0x1175)
    return 0xac00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28;
  if (first >= 0xac00 && first <= 0xd7a3 && (first - 0xac00) % 28 == 0 && second >= 0x11a8 &&
      second <= 0x11c2)
    return first + (second - 0x11a7);
  return 0;
}
