/* Random values for random changesets. */
#ifndef CK_TEST_STORE_MODEL_CHANCE_H
#define CK_TEST_STORE_MODEL_CHANCE_H

#include "test_store_help.h"
#include "test_store_model.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }
#define ANY(list) ((list)[sh_below(COUNT(list))])

/* The earliest of most times; about now is 5 s later. */
extern int64_t m_base;

static inline bool one_in(unsigned n) { return sh_below(n) == 0; }
static inline struct m_value some(struct ck_str s) { return (struct m_value){.is = M_STR, .s = s}; }
static inline struct m_value some_int(int64_t i) { return (struct m_value){.is = M_INT, .i = i}; }

struct ck_str m_some_key(int table);
struct ck_str m_some_token(void);
/* Few texts, with blanks of all kinds. */
struct ck_str m_some_words(void);
int64_t m_some_time(void);
int64_t m_some_age(void);
/* A value of another kind than the column's, or out of range. If it is no text, s has its JSON
 * text. */
struct m_value m_some_nonsense(void);
struct m_value m_some_value(int table, const struct m_column *c, struct ck_arena *arena);
/* A path that names its record, or one that may not. */
struct m_value m_some_path(int table, struct ck_str key, struct ck_arena *arena);

#endif
