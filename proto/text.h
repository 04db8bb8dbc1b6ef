/* Text: borrowed views, a growable buffer, and the few Unicode questions that the rules ask. */
#ifndef CK_PROTO_TEXT_H
#define CK_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef NDEBUG
#error "assert() is part of every build: take NDEBUG out of CPPFLAGS and CFLAGS"
#endif

/* A view of bytes that somebody else owns. `s` is not terminated and may be NULL when n is 0. */
struct ck_str {
  const char *s;
  size_t n;
};

#define CK_LIT(literal) ((struct ck_str){(literal), sizeof(literal) - 1})

struct ck_str ck_str_of(const char *terminated); /* NULL gives the empty view */
bool ck_str_eq(struct ck_str a, struct ck_str b);
bool ck_str_is(struct ck_str a, const char *terminated);
bool ck_str_starts(struct ck_str a, const char *prefix);

/* Copies to the heap, terminated; the caller frees. Out of memory ends the process, as everywhere
 * here. */
char *ck_str_dup(struct ck_str s);

/* Without Unicode White_Space (and U+FEFF, as JavaScript's trim has it) at both ends. */
struct ck_str ck_trim(struct ck_str s);

/* True for well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF). */
bool ck_utf8_ok(struct ck_str s);

/* The longest prefix of s that has at most `bytes` bytes and ends between characters. */
struct ck_str ck_utf8_cut(struct ck_str s, size_t bytes);

/* A growable byte buffer. Zero-initialise; ck_buf_free() when done. `data` is NOT terminated unless
 * ck_buf_cstr was called. */
struct ck_buf {
  char *data;
  size_t len, cap;
};

void ck_buf_free(struct ck_buf *b);
void ck_buf_clear(struct ck_buf *b); /* len = 0, memory kept */
char *ck_buf_room(struct ck_buf *b,
                  size_t n); /* at least n writable bytes behind len; does not change len */
static inline void ck_buf_add(struct ck_buf *b, const void *data, size_t n) {
  if (n == 0) return;
  memcpy(b->cap - b->len < n ? ck_buf_room(b, n) : b->data + b->len, data, n);
  b->len += n;
}
void ck_buf_str(struct ck_buf *b, struct ck_str s);
void ck_buf_text(struct ck_buf *b, const char *terminated);
void ck_buf_printf(struct ck_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *ck_buf_cstr(struct ck_buf *b); /* terminated; valid until the next change */
struct ck_str ck_buf_view(const struct ck_buf *b);

/* Appends s as a JSON string with its quotes. s must be UTF-8. */
void ck_buf_json_str(struct ck_buf *b, struct ck_str s);

/* Appends the text's beginning with white space folded to single blanks, at most `bytes` bytes, "…"
 * where it was cut. */
void ck_buf_summary(struct ck_buf *b, struct ck_str text, size_t bytes);

/* Identifier of what several parts say together: 32 hex digits (128 bits of SHA-1 over
 * length-prefixed parts), terminated. */
void ck_hash_id(char out[33], const struct ck_str *parts, size_t n);

/* A random identifier of 32 hex digits from the kernel, terminated. */
void ck_random_id(char out[33]);

/* malloc family that cannot fail: out of memory is said and ends the process (exit 1). */
void *ck_alloc(size_t n);
void *ck_zalloc(size_t n);
void *ck_realloc(void *p, size_t n);
char *ck_strdup(const char *s);
char *ck_sprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A bump allocator for what lives as long as one frame or one changeset. Zero-initialise. */
struct ck_arena {
  struct ck_arena_block *head;
};
void *ck_arena_get(struct ck_arena *a, size_t n); /* aligned for any type, not zeroed */
struct ck_str ck_arena_copy(struct ck_arena *a, struct ck_str s);
void ck_arena_reset(struct ck_arena *a); /* forgets everything, keeps one block */
void ck_arena_free(struct ck_arena *a);

#endif
