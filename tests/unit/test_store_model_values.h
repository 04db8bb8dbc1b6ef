/* Values of the model, made and compared. */
#ifndef CK_TEST_STORE_MODEL_VALUES_H
#define CK_TEST_STORE_MODEL_VALUES_H

#include "test_store_model.h"

#include <string.h>

static inline bool same_text(struct ck_str a, struct ck_str b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}
static inline bool is_text(struct ck_str a, const char *b) {
  return a.n == strlen(b) && memcmp(a.s, b, a.n) == 0;
}
static inline struct m_value null(void) { return (struct m_value){.is = M_NULL}; }
static inline struct m_value number(int64_t i) { return (struct m_value){.is = M_INT, .i = i}; }
static inline struct m_value plus(int64_t i, int64_t more) {
  return number(i > INT64_MAX - more ? INT64_MAX : i + more);
}
static inline struct m_value words(const char *s) {
  return (struct m_value){.is = M_STR, .s = {s, strlen(s)}};
}
static inline struct m_value text_of(struct ck_str s) {
  return (struct m_value){.is = M_STR, .s = s};
}

static inline struct ck_str text_or_none(struct m_value v) {
  return v.is == M_STR ? v.s : (struct ck_str){0};
}

static inline bool same(struct m_value a, struct m_value b) {
  if (a.is != b.is) return false;
  return a.is == M_INT ? a.i == b.i : a.is != M_STR || same_text(a.s, b.s);
}

/* Without White_Space of Unicode and U+FEFF at either end. */
struct ck_str m_trimmed(struct ck_str s);
/* Appends the id as the name of a file: other bytes than letters, digits, '-', '_' and '.' as %XX.
 */
void m_escaped(struct ck_buf *out, struct ck_str id);
/* choices: divided by "|". */
bool m_is_choice(const char *choices, struct ck_str s);
/* Is this column of the record the beginning of a text that it has? */
bool m_is_made(int table, const struct m_record *r, int column);
/* Makes the summary of a changed record. old: NULL if there was none. */
void m_make_summary(struct ck_arena *arena, int table, const struct m_record *old,
                    struct m_record *r);
/* Reads a put or an update into one cleaned value for each column, M_OUT for those that are not
 * given. False: the store refuses it. */
bool m_read_write(const struct m_mutation *w, struct m_value given[M_COLUMNS]);

#endif
