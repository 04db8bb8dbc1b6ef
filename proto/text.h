/* Text and memory: borrowed views, a growable buffer, an arena, allocation that cannot fail, and
 * the little Unicode that the rules need.
 *
 * Out of memory ends the process (exit 1, with a line on standard error), in everything here. */
#ifndef CK_PROTO_TEXT_H
#define CK_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef NDEBUG
#error "assert() is part of every build: take NDEBUG out of CPPFLAGS and CFLAGS"
#endif

/* A view of n bytes that somebody else owns. Not terminated; s may be NULL when n is 0. */
struct ck_str {
  const char *s;
  size_t n;
};

#define CK_LIT(literal) ((struct ck_str){(literal), sizeof(literal) - 1})

/* A view of terminated text; of NULL, the empty view. */
struct ck_str ck_str_of(const char *terminated);
bool ck_str_eq(struct ck_str a, struct ck_str b);
bool ck_str_is(struct ck_str a, const char *terminated);
bool ck_str_starts(struct ck_str a, const char *prefix);
bool ck_str_ends(struct ck_str a, const char *suffix);
/* Less than, equal to or greater than 0, as a stands before, with or after b in the order of their
 * bytes; the beginning of a text stands before it. */
int ck_str_order(struct ck_str a, struct ck_str b);

/* True if all of it is hexadecimal digits in lower case. */
bool ck_str_is_hex(struct ck_str s);

/* A terminated copy on the heap; the caller frees. */
char *ck_str_dup(struct ck_str s);

/* The bytes of the Unicode white space character that s begins with; 0: it begins with none. */
size_t ck_space_at(struct ck_str s);

/* The view without Unicode white space at both ends; like JavaScript's trim it counts U+FEFF as
 * white space. */
struct ck_str ck_trim(struct ck_str s);

/* True for well-formed UTF-8: no surrogates, no overlong forms, nothing above U+10FFFF. */
bool ck_utf8_ok(struct ck_str s);
/* The length in bytes of the well-formed character at p, 0 if there is none. n: bytes left. */
size_t ck_character(const char *p, size_t n);
/* The code of the well-formed character of n bytes at p. */
unsigned ck_character_code(const char *p, size_t n);
/* Writes the character as UTF-8, and returns its length in bytes. code: at most U+10FFFF. */
size_t ck_utf8_write(char out[4], unsigned code);

/* The longest prefix that has at most `bytes` bytes and does not cut a character. s must be
 * UTF-8. */
struct ck_str ck_utf8_cut(struct ck_str s, size_t bytes);
/* The longest end of it, likewise. */
struct ck_str ck_utf8_end(struct ck_str s, size_t bytes);

/* A growable byte buffer. Zero-initialise; free with ck_buf_free. Not terminated, see
 * ck_buf_cstr. */
struct ck_buf {
  char *data;
  size_t len, cap;
};

/* Frees the memory; the buffer is empty and can be used again. */
void ck_buf_free(struct ck_buf *b);
/* Empties the buffer and keeps its memory. */
void ck_buf_clear(struct ck_buf *b);
/* Makes room for n more bytes and returns where they go; the caller writes them and adds to len. */
char *ck_buf_room(struct ck_buf *b, size_t n);
/* These append. */
static inline void ck_buf_add(struct ck_buf *b, const void *data, size_t n) {
  if (n == 0) return;
  memcpy(b->cap - b->len < n ? ck_buf_room(b, n) : b->data + b->len, data, n);
  b->len += n;
}
void ck_buf_str(struct ck_buf *b, struct ck_str s);
void ck_buf_text(struct ck_buf *b, const char *terminated);
/* The character as UTF-8; code: at most U+10FFFF. */
void ck_buf_utf8(struct ck_buf *b, unsigned code);
/* The text with U+FFFD for each NUL. Returns how many those are. */
unsigned ck_buf_without_nul(struct ck_buf *b, struct ck_str s);
/* The word for n things: `one` if n is 1, else `many`. */
static inline const char *ck_noun(uint64_t n, const char *one, const char *many) {
  return n == 1 ? one : many;
}
/* "12,345" */
void ck_buf_count(struct ck_buf *b, uint64_t n);
void ck_buf_printf(struct ck_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The content, terminated; valid until the next change. The terminator is not part of len. */
const char *ck_buf_cstr(struct ck_buf *b);
/* The content; valid until the next change. */
struct ck_str ck_buf_view(const struct ck_buf *b);

/* Writes the bytes as hexadecimal digits in lower case, two for each, without an end. */
void ck_hex(char *digits, const void *bytes, size_t n);
/* Appends them. */
void ck_buf_hex(struct ck_buf *b, const void *bytes, size_t n);

/* Appends s as a JSON string in quotes. s must be UTF-8. */
void ck_buf_json_str(struct ck_buf *b, struct ck_str s);
/* Appends "name":"s", a member of a JSON object; with a comma before it, unless it is the first. */
void ck_buf_json_member(struct ck_buf *b, const char *name, struct ck_str s);

/* Appends the beginning of text in at most `bytes` bytes: trimmed, white space folded to single
 * blanks, "…" at the end if it was cut. */
void ck_buf_summary(struct ck_buf *b, struct ck_str text, size_t bytes);
/* Writes the same into `out`, which has room for `bytes` and for CK_SUMMARY_MARK more, without an
 * end. Returns how many bytes it is. */
size_t ck_summary(char *out, struct ck_str text, size_t bytes);
#define CK_SUMMARY_MARK 3 /* the bytes of "…" */

/* The id that n parts make together: 128 bits of SHA-1 over the parts, each preceded by its length.
 * 32 hex digits, terminated. */
void ck_hash_id(char out[33], const struct ck_str *parts, size_t n);
/* The same as bytes, and the first 64 of its bits as a number. */
void ck_hash(unsigned char out[16], const struct ck_str *parts, size_t n);
uint64_t ck_hash_64(const struct ck_str *parts, size_t n);

/* 128 random bits from the kernel: 32 hex digits, terminated. */
void ck_random_id(char out[33]);

/* Says so and ends the process, without allocating: for libraries that answer with NULL or an
 * error. */
_Noreturn void ck_no_memory(void);
/* malloc and its family. Never NULL, also for n = 0. The caller frees. */
void *ck_alloc(size_t n);
void *ck_zalloc(size_t n);
void *ck_realloc(void *p, size_t n);
char *ck_strdup(const char *s);
char *ck_sprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Memory that is freed all at once, for what lives as long as one frame or one changeset.
 * Zero-initialise. */
struct ck_arena {
  struct ck_arena_block *head;
};
/* n bytes, aligned for any type, not zeroed; valid until the arena is reset or freed. */
void *ck_arena_get(struct ck_arena *a, size_t n);
/* A copy of s there, with a terminator after it. */
struct ck_str ck_arena_copy(struct ck_arena *a, struct ck_str s);
/* The same of the buffer's content; frees the buffer. */
struct ck_str ck_arena_keep(struct ck_arena *a, struct ck_buf *b);
/* How much memory it has. */
size_t ck_arena_bytes(const struct ck_arena *a);
/* Forgets everything and keeps one block, the largest, for what comes next. */
void ck_arena_reset(struct ck_arena *a);
/* Frees everything; the arena can be used again. */
void ck_arena_free(struct ck_arena *a);

#endif
