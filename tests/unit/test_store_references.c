/* The store enforces every line of the lists of references and of unique keys. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sh_store s;

static bool is_unique_column(enum ck_table t, int column) {
  for (int i = 0; i < ck_uniques[t].columns; ++i)
    if (ck_uniques[t].column[i] == column) return true;
  return false;
}

/* A record's required columns and those of its unique key, with `text` in `column` (-1: in none).
 * Its references point to the key "p". */
static char *record(enum ck_table t, const char *key, int column, const char *text) {
  struct ck_buf json = {0};
  ck_buf_printf(&json, "{'%s':'%s'", ck_tables[t].fields[ck_tables[t].key].name, key);
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    const struct ck_field *f = &ck_tables[t].fields[c];
    if ((f->flags & CK_KEY) || !((f->flags & CK_REQUIRED) || is_unique_column(t, c))) continue;
    if (ck_kind_is_int(f->kind))
      ck_buf_printf(&json, ",'%s':1", f->name);
    else
      ck_buf_printf(&json, ",'%s':'%s'", f->name, c == column ? text : "p");
  }
  ck_buf_text(&json, "}");
  char *made = ck_strdup(ck_buf_cstr(&json));
  ck_buf_free(&json);
  return made;
}

static char write_record(enum ck_table t, const char *key, int column, const char *text) {
  char *json = record(t, key, column, text);
  char letter = sh_write(&s, t, json);
  free(json);
  return letter;
}

/* One record in each table that changesets put into, with the key "p". */
static void open_it(void) {
  sh_open(&s);
  for (enum ck_table t = 0; t < CK_FORGOTTEN; ++t)
    cr_assert_eq(write_record(t, "p", -1, ""), 'n', "%s: %s", ck_tables[t].name, s.reason.text);
}

static void close_it(void) { sh_close(&s); }

TestSuite(references, .init = open_it, .fini = close_it);

Test(references, a_missing_parent_is_refused) {
  for (int i = 0; i < CK_REFERENCES; ++i) {
    const struct ck_reference *r = &ck_references[i];
    const struct ck_field *f = &ck_tables[r->table].fields[r->column];
    char *words = ck_sprintf("%s.%s: 'stranger' is not in %s", ck_tables[r->table].name, f->name,
                             ck_tables[r->parent].name);
    char *json = record(r->table, "q", r->column, "stranger");
    sh_refused(&s, words, r->table, json);
    free(json);
    if (!(f->flags & CK_FIXED)) {
      json = record(r->table, "p", r->column, "stranger");
      sh_update(&s, r->table, json);
      cr_expect_eq(sh_apply(&s), 'r', "%s was moved to a parent that is not there", f->name);
      cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
      free(json);
    }
    free(words);
  }
  for (int t = 0; t < CK_FORGOTTEN; ++t) {
    char *sql = ck_sprintf("SELECT count(*) FROM %s", ck_tables[t].name);
    cr_expect_eq(sh_int(&s, sql), 1, "%s", sql);
    free(sql);
  }
}

Test(references, every_parent_of_a_row_is_named) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    struct ck_parent parents[CK_REFERENCES];
    char *json = record(t, "q", -1, "");
    struct ck_row row = sh_row(t, json);
    size_t n = ck_row_parents(&row, parents), of_list = 0;
    for (int i = 0; i < CK_REFERENCES; ++i) of_list += ck_references[i].table == t;
    cr_expect_eq(n, of_list, "%s", ck_tables[t].name);
    cr_expect_eq(ck_has_parents(t), of_list > 0);
    for (size_t i = 0; i < n; ++i)
      cr_expect(ck_str_is(parents[i].key, "p") && ck_is_parent(parents[i].table));
    free(json);
  }
}

/* Two records of the table with the same unique key. */
static int64_t doubles(enum ck_table t) {
  struct ck_buf names = {0};
  ck_unique_names(&names, t);
  char *sql = ck_sprintf("SELECT count(*) FROM (SELECT 1 FROM %s GROUP BY %s HAVING count(*) > 1)",
                         ck_tables[t].name, ck_buf_cstr(&names));
  int64_t n = sh_int(&s, sql);
  free(sql);
  ck_buf_free(&names);
  return n;
}

/* The database itself would refuse them. */
static void expect_constraint(enum ck_table t) {
  struct ck_buf sql = {0};
  struct ck_err err = {{0}};
  ck_buf_printf(&sql, "INSERT INTO %s SELECT version + 1000", ck_tables[t].name);
  for (int c = 0; c < ck_tables[t].columns; ++c)
    ck_buf_printf(&sql, ", %s%s", ck_tables[t].fields[c].name,
                  c == ck_tables[t].key ? " || '2'" : "");
  ck_buf_printf(&sql, " FROM %s WHERE %s = 'p'", ck_tables[t].name,
                ck_tables[t].fields[ck_tables[t].key].name);
  cr_expect_eq(db_exec(s.db, ck_buf_cstr(&sql), &err), -1);
  cr_expect(strstr(err.text, "UNIQUE"), "%s: %s", ck_tables[t].name, err.text);
  ck_buf_free(&sql);
}

/* The same record under another key, while the first one is in the cache and when it is not. */
Test(references, a_unique_key_is_of_one_record) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    if (!ck_uniques[t].columns) continue;
    for (int i = 0; i < 2; ++i) {
      cr_expect_neq(write_record(t, "q", -1, ""), 'n', "%s took a second one", ck_tables[t].name);
      cr_expect_eq(doubles(t), 0);
      sh_reopen(&s);
    }
    expect_constraint(t);
  }
}

/* A releasable unique key cannot be taken while it is held, but can be once the owner, who gave it,
 * has cleared it. */
Test(references, a_unique_key_is_released_and_taken) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    int c = ck_release_column(t);
    if (c < 0) continue;
    const char *key = ck_tables[t].fields[ck_tables[t].key].name,
               *name = ck_tables[t].fields[c].name;
    char *take = ck_sprintf("{'%s':'q','%s':'p'}", key, name),
         *own = ck_sprintf("{'%s':'p','%s':'p'}", key, name),
         *release = ck_sprintf("{'%s':'p','%s':null}", key, name);
    cr_assert_eq(write_record(t, "q", c, "other"), 'n', "%s", s.reason.text);
    sh_update(&s, t, take);
    cr_expect_eq(sh_apply(&s), 'r');
    cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
    sh_update(&s, t, own);
    sh_update(&s, t, release);
    sh_update(&s, t, take);
    cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
    cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
    sh_is(&s, t, "q", name, "p");
    sh_is(&s, t, "p", name, "NULL");
    free(take);
    free(own);
    free(release);
  }
}
