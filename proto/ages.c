/* See ages.h. */
#include "proto/ages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/summary.h"

#define NONE "none"
#define OWNER "owner"

static int64_t read_age(struct ck_str word) {
  if (ck_str_is(word, NONE)) return CK_AGE_NONE;
  if (ck_str_is(word, OWNER)) return CK_AGE_OWNER;
  int64_t age = 0;
  for (size_t i = 0; i < word.n; ++i) {
    bool digit = word.s[i] >= '0' && word.s[i] <= '9';
    if (!digit || __builtin_mul_overflow(age, 10, &age) ||
        __builtin_add_overflow(age, word.s[i] - '0', &age) || age == CK_AGE_OWNER)
      return 0;
  }
  return age;
}

/* Takes the next word off the text; empty: there is none. */
static struct ck_str next_word(struct ck_str *text) {
  const char *blank = text->n ? memchr(text->s, ' ', text->n) : NULL;
  struct ck_str word = {text->s, blank ? (size_t)(blank - text->s) : text->n};
  size_t taken = blank ? word.n + 1 : word.n;
  *text = (struct ck_str){text->s + taken, text->n - taken};
  return word;
}

void ck_ages_read(int64_t ages[CK_COLUMNS_MAX], const struct ck_row *row) {
  const struct ck_table_info *t = &ck_tables[row->table];
  struct ck_str text = t->ages < 0 ? CK_LIT("0") : ck_row_text(row, t->ages);
  int64_t most = text.n ? read_age(next_word(&text)) : CK_AGE_NONE;
  for (int c = 0; c < CK_COLUMNS_MAX; ++c) ages[c] = most;
  while (text.n) {
    struct ck_str word = next_word(&text);
    const char *is = word.n ? memchr(word.s, '=', word.n) : NULL;
    size_t name = is ? (size_t)(is - word.s) : 0;
    int c = is ? ck_column_named(row->table, (struct ck_str){word.s, name}) : -1;
    if (c >= 0) ages[c] = read_age((struct ck_str){is + 1, word.n - name - 1});
  }
  for (int c = 0; c < t->columns; ++c)
    if (row->v[c].state == CK_NULL) ages[c] = CK_AGE_NONE;
}

static bool has_age(const struct ck_row *row, int c) {
  return (ck_tables[row->table].fields[c].flags & CK_AGED) && row->v[c].state != CK_NULL &&
         !ck_is_made_summary(row, c);
}

static int64_t most_common(const struct ck_row *row, const int64_t ages[CK_COLUMNS_MAX]) {
  int columns = ck_tables[row->table].columns, most = 0;
  int64_t common = CK_AGE_NONE;
  for (int c = 0; c < columns; ++c) {
    if (!has_age(row, c) || (most && ages[c] == common)) continue;
    int n = 0;
    for (int d = 0; d < columns; ++d) n += has_age(row, d) && ages[d] == ages[c];
    if (n < most || (n == most && ages[c] < common)) continue;
    most = n;
    common = ages[c];
  }
  return common;
}

static size_t write_age(char *to, int64_t age) {
  if (age == CK_AGE_NONE) return (size_t)sprintf(to, NONE);
  if (age == CK_AGE_OWNER) return (size_t)sprintf(to, OWNER);
  return (size_t)sprintf(to, "%" PRId64, age);
}

struct ck_str ck_ages_write(char out[CK_AGES_BYTES], const struct ck_row *row,
                            const int64_t ages[CK_COLUMNS_MAX]) {
  const struct ck_table_info *t = &ck_tables[row->table];
  int64_t common = most_common(row, ages);
  size_t n = write_age(out, common);
  for (int c = 0; c < t->columns; ++c) {
    if (!has_age(row, c) || ages[c] == common) continue;
    n += (size_t)sprintf(out + n, " %s=", t->fields[c].name);
    n += write_age(out + n, ages[c]);
  }
  return (struct ck_str){out, n};
}
