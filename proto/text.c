/* Memory, views, Unicode, buffers and ids. */
#include "proto/text.h"

#include <czmq.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- memory ---- */

/* Says why and exits, without allocating: there may be no memory. */
static _Noreturn void die(const char *why) {
  ssize_t said = write(STDERR_FILENO, why, strlen(why));
  (void)said;
  _exit(1);
}

void ck_no_memory(void) { die("convkeep: out of memory\n"); }

void *ck_alloc(size_t n) {
  void *p = malloc(n ? n : 1);
  if (!p) ck_no_memory();
  return p;
}

void *ck_zalloc(size_t n) {
  void *p = calloc(1, n ? n : 1);
  if (!p) ck_no_memory();
  return p;
}

void *ck_realloc(void *p, size_t n) {
  void *q = realloc(p, n ? n : 1);
  if (!q) ck_no_memory();
  return q;
}

char *ck_strdup(const char *s) { return ck_str_dup(ck_str_of(s)); }

char *ck_sprintf(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *s = NULL;
  int n = vasprintf(&s, fmt, ap);
  va_end(ap);
  if (n < 0) ck_no_memory();
  return s;
}

struct ck_arena_block {
  struct ck_arena_block *next;
  size_t cap, used;
  max_align_t data[];
};

#define ARENA_FIRST 4096

void *ck_arena_get(struct ck_arena *a, size_t n) {
  const size_t unit = sizeof(max_align_t);
  if (n > SIZE_MAX / 4) ck_no_memory();
  size_t need = n ? (n + unit - 1) / unit * unit : unit;
  struct ck_arena_block *b = a->head;
  if (!b || b->cap - b->used < need) {
    size_t cap = b ? b->cap * 2 : ARENA_FIRST;
    if (cap < need) cap = need;
    struct ck_arena_block *fresh = ck_alloc(sizeof *fresh + cap);
    fresh->next = b;
    fresh->cap = cap;
    fresh->used = 0;
    a->head = b = fresh;
  }
  void *p = (char *)b->data + b->used;
  b->used += need;
  return p;
}

struct ck_str ck_arena_copy(struct ck_arena *a, struct ck_str s) {
  char *p = ck_arena_get(a, s.n + 1);
  if (s.n) memcpy(p, s.s, s.n);
  p[s.n] = '\0';
  return (struct ck_str){p, s.n};
}

struct ck_str ck_arena_keep(struct ck_arena *a, struct ck_buf *b) {
  struct ck_str kept = ck_arena_copy(a, ck_buf_view(b));
  ck_buf_free(b);
  return kept;
}

static void blocks_free(struct ck_arena_block *b) {
  while (b) {
    struct ck_arena_block *next = b->next;
    free(b);
    b = next;
  }
}

size_t ck_arena_bytes(const struct ck_arena *a) {
  size_t n = 0;
  for (const struct ck_arena_block *b = a->head; b; b = b->next) n += sizeof *b + b->cap;
  return n;
}

void ck_arena_reset(struct ck_arena *a) {
  if (!a->head) return;
  /* The head is the newest block, and therefore the largest. */
  blocks_free(a->head->next);
  a->head->next = NULL;
  a->head->used = 0;
}

void ck_arena_free(struct ck_arena *a) {
  blocks_free(a->head);
  a->head = NULL;
}

/* ---- views ---- */

struct ck_str ck_str_of(const char *terminated) {
  return terminated ? (struct ck_str){terminated, strlen(terminated)} : (struct ck_str){"", 0};
}

bool ck_str_eq(struct ck_str a, struct ck_str b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

bool ck_str_is(struct ck_str a, const char *terminated) {
  return ck_str_eq(a, ck_str_of(terminated));
}

bool ck_str_starts(struct ck_str a, const char *prefix) {
  size_t n = strlen(prefix);
  return a.n >= n && (n == 0 || memcmp(a.s, prefix, n) == 0);
}

bool ck_str_ends(struct ck_str a, const char *suffix) {
  size_t n = strlen(suffix);
  return a.n >= n && memcmp(a.s + a.n - n, suffix, n) == 0;
}

int ck_str_order(struct ck_str a, struct ck_str b) {
  size_t n = a.n < b.n ? a.n : b.n;
  int order = n ? memcmp(a.s, b.s, n) : 0;
  return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool ck_str_is_hex(struct ck_str s) {
  for (size_t i = 0; i < s.n; ++i)
    if (!(s.s[i] >= '0' && s.s[i] <= '9') && !(s.s[i] >= 'a' && s.s[i] <= 'f')) return false;
  return true;
}

char *ck_str_dup(struct ck_str s) {
  char *p = ck_alloc(s.n + 1);
  if (s.n) memcpy(p, s.s, s.n);
  p[s.n] = '\0';
  return p;
}

/* ---- Unicode ---- */

/* The length of the white space character that begins at p; 0 when there is none. */
static size_t space_at(const unsigned char *p, size_t n) {
  if (n == 0) return 0;
  if (p[0] < 0x80) return p[0] == ' ' || (p[0] >= 9 && p[0] <= 13);
  if (n >= 2 && p[0] == 0xC2) return p[1] == 0x85 || p[1] == 0xA0 ? 2 : 0; /* NEL, NBSP */
  if (n < 3) return 0;
  switch (p[0]) {
  case 0xE1:
    return p[1] == 0x9A && p[2] == 0x80 ? 3 : 0; /* U+1680 */
  case 0xE2:
    if (p[1] == 0x80)
      return (p[2] >= 0x80 && p[2] <= 0x8A) || p[2] == 0xA8 || p[2] == 0xA9 || p[2] == 0xAF ? 3 : 0;
    return p[1] == 0x81 && p[2] == 0x9F ? 3 : 0; /* U+205F */
  case 0xE3:
    return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0; /* U+3000 */
  case 0xEF:
    return p[1] == 0xBB && p[2] == 0xBF ? 3 : 0; /* U+FEFF */
  default:
    return 0;
  }
}

size_t ck_space_at(struct ck_str s) { return space_at((const unsigned char *)s.s, s.n); }

struct ck_str ck_trim(struct ck_str s) {
  const unsigned char *p = (const unsigned char *)s.s;
  size_t n = s.n;
  for (size_t k; (k = space_at(p, n)) > 0;) {
    p += k;
    n -= k;
  }
  /* No white space character is the tail of another character, so looking at the last bytes is
   * enough. */
  for (bool more = true; more && n;) {
    more = false;
    for (size_t k = 1; k <= 3 && k <= n; k++)
      if (space_at(p + n - k, k) == k) {
        n -= k;
        more = true;
        break;
      }
  }
  return (struct ck_str){(const char *)p, n};
}

/* The length of the well-formed character at p; 0 when there is none. */
static size_t utf8_at(const unsigned char *p, size_t n) {
  static const struct {
    unsigned char first, last, least, most; /* range of the lead byte, and of the byte after it */
    size_t bytes;
  } forms[] = {
      {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
      {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
      {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
  for (size_t i = 0; n && i < sizeof forms / sizeof *forms; i++) {
    if (p[0] < forms[i].first || p[0] > forms[i].last) continue;
    if (forms[i].bytes > n) return 0;
    if (forms[i].bytes > 1 && (p[1] < forms[i].least || p[1] > forms[i].most)) return 0;
    for (size_t k = 2; k < forms[i].bytes; k++)
      if ((p[k] & 0xC0) != 0x80) return 0;
    return forms[i].bytes;
  }
  return 0;
}

size_t ck_character(const char *p, size_t n) {
  return n && (unsigned char)*p < 0x80 ? 1 : utf8_at((const unsigned char *)p, n);
}

unsigned ck_character_code(const char *p, size_t n) {
  const unsigned char *u = (const unsigned char *)p;
  unsigned code = n == 1 ? u[0] : u[0] & (0x7Fu >> n);
  for (size_t i = 1; i < n; ++i) code = code << 6 | (u[i] & 0x3Fu);
  return code;
}

size_t ck_utf8_write(char out[4], unsigned code) {
  static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(leads[n] | code);
  return n;
}

bool ck_utf8_ok(struct ck_str s) {
  const unsigned char *p = (const unsigned char *)s.s;
  size_t n = s.n;
  while (n) {
    uint64_t eight, four[4];
    while (n >= sizeof four) {
      memcpy(four, p, sizeof four);
      if ((four[0] | four[1] | four[2] | four[3]) & 0x8080808080808080u) break;
      p += sizeof four;
      n -= sizeof four;
    }
    while (n >= sizeof eight) {
      memcpy(&eight, p, sizeof eight);
      if (eight & 0x8080808080808080u) break;
      p += sizeof eight;
      n -= sizeof eight;
    }
    if (n == 0) break;
    size_t k = p[0] < 0x80 ? 1 : utf8_at(p, n);
    if (k == 0) return false;
    p += k;
    n -= k;
  }
  return true;
}

struct ck_str ck_utf8_cut(struct ck_str s, size_t bytes) {
  if (s.n <= bytes) return s;
  size_t n = bytes;
  while (n && ((unsigned char)s.s[n] & 0xC0) == 0x80) n--;
  return (struct ck_str){s.s, n};
}

struct ck_str ck_utf8_end(struct ck_str s, size_t bytes) {
  size_t from = s.n > bytes ? s.n - bytes : 0;
  while (from < s.n && ((unsigned char)s.s[from] & 0xC0) == 0x80) from++;
  return (struct ck_str){s.s + from, s.n - from};
}

/* ---- buffers ---- */

void ck_buf_free(struct ck_buf *b) {
  free(b->data);
  *b = (struct ck_buf){0};
}

void ck_buf_clear(struct ck_buf *b) { b->len = 0; }

char *ck_buf_room(struct ck_buf *b, size_t n) {
  if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) ck_no_memory();
  if (!b->data || b->cap - b->len < n) {
    size_t cap = b->cap ? b->cap * 2 : 256;
    if (cap < b->len + n) cap = b->len + n;
    b->data = ck_realloc(b->data, cap);
    b->cap = cap;
  }
  return b->data + b->len;
}

void ck_buf_str(struct ck_buf *b, struct ck_str s) { ck_buf_add(b, s.s, s.n); }

void ck_buf_text(struct ck_buf *b, const char *terminated) { ck_buf_str(b, ck_str_of(terminated)); }

void ck_buf_utf8(struct ck_buf *b, unsigned code) {
  char bytes[4];
  ck_buf_add(b, bytes, ck_utf8_write(bytes, code));
}

void ck_buf_count(struct ck_buf *b, uint64_t n) {
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
  for (int i = 0; i < len; ++i) {
    if (i > 0 && (len - i) % 3 == 0) ck_buf_text(b, ",");
    ck_buf_add(b, digits + i, 1);
  }
}

unsigned ck_buf_without_nul(struct ck_buf *b, struct ck_str s) {
  unsigned count = 0;
  const char *nul;
  for (; s.n && (nul = memchr(s.s, '\0', s.n)); ++count) {
    size_t n = (size_t)(nul - s.s);
    ck_buf_add(b, s.s, n);
    ck_buf_utf8(b, 0xfffd);
    s = (struct ck_str){nul + 1, s.n - n - 1};
  }
  ck_buf_str(b, s);
  return count;
}

void ck_buf_printf(struct ck_buf *b, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  char *to = ck_buf_room(b, 64);
  size_t room = b->cap - b->len;
  int n = vsnprintf(to, room, fmt, ap);
  if (n >= 0 && (size_t)n >= room)
    vsnprintf(ck_buf_room(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
  if (n > 0) b->len += (size_t)n;
  va_end(again);
  va_end(ap);
}

const char *ck_buf_cstr(struct ck_buf *b) {
  *ck_buf_room(b, 1) = '\0';
  return b->data;
}

struct ck_str ck_buf_view(const struct ck_buf *b) {
  return (struct ck_str){b->data, b->len};
}

void ck_hex(char *digits, const void *bytes, size_t n) {
  static const char hex[] = "0123456789abcdef";
  const unsigned char *from = bytes;
  for (size_t i = 0; i < n; ++i) {
    digits[2 * i] = hex[from[i] >> 4];
    digits[2 * i + 1] = hex[from[i] & 15];
  }
}

void ck_buf_hex(struct ck_buf *b, const void *bytes, size_t n) {
  ck_hex(ck_buf_room(b, 2 * n), bytes, n);
  b->len += 2 * n;
}

/* The letter after the backslash in JSON's short escapes; 0 for characters without one. */
static char json_letter(unsigned char c) {
  switch (c) {
  case '"':
    return '"';
  case '\\':
    return '\\';
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return 0;
  }
}

void ck_buf_json_str(struct ck_buf *b, struct ck_str s) {
  ck_buf_add(b, "\"", 1);
  size_t plain = 0;
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.s[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    ck_buf_add(b, s.s + plain, i - plain);
    plain = i + 1;
    char letter = json_letter(c);
    if (letter) {
      ck_buf_add(b, (char[]){'\\', letter}, 2);
    } else {
      ck_buf_text(b, "\\u00");
      ck_buf_hex(b, &c, 1);
    }
  }
  if (s.n) ck_buf_add(b, s.s + plain, s.n - plain);
  ck_buf_add(b, "\"", 1);
}

void ck_buf_json_member(struct ck_buf *b, const char *name, struct ck_str s) {
  bool first = !b->len || b->data[b->len - 1] == '{';
  ck_buf_printf(b, "%s\"%s\":", first ? "" : ",", name);
  ck_buf_json_str(b, s);
}

/* How many of the n bytes at p, from the first on, are ASCII and not white space. */
static size_t plain_at(const unsigned char *p, size_t n) {
  size_t k = 0;
  while (k < n && (p[k] > ' ' ? p[k] < 0x80 : p[k] < ' ' && (p[k] < 9 || p[k] > 13))) k++;
  return k;
}

size_t ck_summary(char *out, struct ck_str text, size_t bytes) {
  static const char dots[] = "…";
  const size_t mark = sizeof dots - 1;
  _Static_assert(sizeof dots - 1 == CK_SUMMARY_MARK, "text.h says how long it is");
  struct ck_str t = ck_trim(text);
  const unsigned char *p = (const unsigned char *)t.s;
  /* len: written so far. fits: how much of that can stay if the "…" has to follow it. */
  size_t n = t.n, len = 0, fits = 0;
  while (n) {
    size_t room = bytes - len, space = 0, k;
    if ((k = plain_at(p, n < room ? n : room)) > 0) {
      memcpy(out + len, p, k);
      if (bytes < mark)
        fits = len + k;
      else if (len <= bytes - mark)
        fits = len + k < bytes - mark ? len + k : bytes - mark;
      len += k;
      p += k;
      n -= k;
      continue;
    }
    while ((k = space_at(p + space, n - space)) > 0) space += k;
    k = space ? 1 : utf8_at(p, n);
    if (k == 0) k = 1; /* not UTF-8: byte by byte */
    if (k > room) {
      len = fits;
      if (len && out[len - 1] == ' ') len--;
      if (bytes >= mark) memcpy(out + len, dots, mark);
      return len + (bytes >= mark ? mark : 0);
    }
    memcpy(out + len, space ? (const void *)" " : (const void *)p, k);
    len += k;
    if (bytes < mark || len <= bytes - mark) fits = len;
    p += space ? space : k;
    n -= space ? space : k;
  }
  return len;
}

void ck_buf_summary(struct ck_buf *b, struct ck_str text, size_t bytes) {
  b->len += ck_summary(ck_buf_room(b, bytes + CK_SUMMARY_MARK), text, bytes);
}

/* ---- identifiers ---- */

static void hex32(char out[33], const unsigned char bytes[16]) {
  ck_hex(out, bytes, 16);
  out[32] = '\0';
}

void ck_hash(unsigned char out[16], const struct ck_str *parts, size_t n) {
  zdigest_t *digest = zdigest_new();
  if (!digest) ck_no_memory();
  for (size_t i = 0; i < n; i++) {
    /* The length keeps ("ab","c") and ("a","bc") apart. */
    unsigned char length[8];
    for (size_t k = 0; k < 8; k++)
      length[k] = (unsigned char)((uint64_t)parts[i].n >> (56 - 8 * k));
    zdigest_update(digest, length, sizeof length);
    if (parts[i].n) zdigest_update(digest, (const unsigned char *)parts[i].s, parts[i].n);
  }
  const unsigned char *data = zdigest_data(digest);
  if (!data || zdigest_size(digest) < 16) die("convkeep: czmq was built without SHA-1\n");
  memcpy(out, data, 16);
  zdigest_destroy(&digest);
}

void ck_hash_id(char out[33], const struct ck_str *parts, size_t n) {
  unsigned char bytes[16];
  ck_hash(bytes, parts, n);
  hex32(out, bytes);
}

uint64_t ck_hash_64(const struct ck_str *parts, size_t n) {
  unsigned char bytes[16];
  uint64_t number = 0;
  ck_hash(bytes, parts, n);
  for (size_t i = 0; i < 8; i++) number = number << 8 | bytes[i];
  return number;
}

void ck_random_id(char out[33]) {
  unsigned char bytes[16];
  size_t have = 0;
  while (have < sizeof bytes) {
    ssize_t n = getrandom(bytes + have, sizeof bytes - have, 0);
    if (n < 0 && errno != EINTR) die("convkeep: the kernel gives no random numbers\n");
    if (n > 0) have += (size_t)n;
  }
  hex32(out, bytes);
}
