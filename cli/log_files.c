/* See log_files.h. */
#include "cli/log_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "proto/text.h"

#define NONE SIZE_MAX
#define KEY 80

/* The runs of a log, n from `from` on; of each the one before it in its file, or NONE. */
struct log {
  const json_t *list;
  size_t from, n, *before;
  bool *followed;
};

static const json_t *run_of(const struct log *l, size_t i) {
  return json_array_get(l->list, l->from + i);
}

static int64_t age_of(const json_t *run) { return cli_member_int(run, "age", 0); }

static int64_t end_of(const json_t *run) {
  int64_t lines = cli_member_int(run, "lines", 0);
  return age_of(run) + (lines > 0 ? lines : 1);
}

/* A place in the log, and what is before it. False: that is not known. */
static bool key_of(char key[KEY], int64_t line, const char *chain) {
  return *chain && snprintf(key, KEY, "%lld %s", (long long)line, chain) < KEY;
}

/* Where runs end. */
static json_t *ends_of(const struct log *l) {
  json_t *ends = json_object();
  char key[KEY];
  for (size_t i = 0; i < l->n; ++i)
    if (key_of(key, end_of(run_of(l, i)), cli_member(run_of(l, i), "chain_end")))
      json_object_set_new(ends, key, json_integer((json_int_t)i));
  return ends;
}

/* The last run before this one; rather one that ends there. */
static size_t nearest(const struct log *l, size_t i) {
  int64_t age = age_of(run_of(l, i));
  size_t last = NONE;
  for (size_t k = i; k-- > 0;) {
    if (end_of(run_of(l, k)) <= age) return k;
    if (last == NONE && age_of(run_of(l, k)) < age) last = k;
  }
  return last;
}

static void find_before(struct log *l) {
  json_t *ends = ends_of(l);
  char key[KEY];
  for (size_t i = 0; i < l->n; ++i) {
    const json_t *run = run_of(l, i);
    bool known = key_of(key, age_of(run), cli_member(run, "chain"));
    const json_t *at = known ? json_object_get(ends, key) : NULL;
    size_t before = at ? (size_t)json_integer_value(at) : NONE;
    l->before[i] = before < i ? before : nearest(l, i);
    if (l->before[i] != NONE) l->followed[l->before[i]] = true;
  }
  json_decref(ends);
}

/* Appends the file that ends with this run. given: the runs that are in a file already. */
static void add_file(const struct log *l, size_t last, bool *given, json_t *out, json_int_t file) {
  size_t n = 0;
  for (size_t i = last; i != NONE; i = l->before[i]) ++n;
  size_t *runs = ck_alloc(n * sizeof *runs);
  for (size_t i = last, k = n; i != NONE; i = l->before[i]) runs[--k] = i;
  for (size_t k = 0; k < n; ++k) {
    json_t *run = json_copy((json_t *)(uintptr_t)run_of(l, runs[k]));
    json_object_set_new(run, "file", json_integer(file));
    if (given[runs[k]]) json_object_set_new(run, "again", json_true());
    given[runs[k]] = true;
    json_array_append_new(out, run);
  }
  free(runs);
}

static void add_log(const json_t *list, size_t from, size_t upto, json_t *out, json_int_t *file) {
  struct log l = {.list = list, .from = from, .n = upto - from};
  l.before = ck_alloc(l.n * sizeof *l.before);
  l.followed = ck_zalloc(l.n * sizeof *l.followed);
  bool *given = ck_zalloc(l.n * sizeof *given);
  find_before(&l);
  for (size_t i = 0; i < l.n; ++i)
    if (!l.followed[i]) add_file(&l, i, given, out, ++*file);
  free(given);
  free(l.before);
  free(l.followed);
}

static int64_t log_at(const json_t *list, size_t i) {
  return cli_member_int(json_array_get(list, i), "log", 0);
}

json_t *cli_log_files(const json_t *list) {
  json_t *out = json_array();
  json_int_t file = 0;
  size_t n = json_array_size(list);
  for (size_t i = 0, upto; i < n; i = upto) {
    upto = i + 1;
    if (!log_at(list, i)) {
      json_array_append(out, json_array_get(list, i));
      continue;
    }
    while (upto < n && log_at(list, upto) == log_at(list, i)) ++upto;
    add_log(list, i, upto, out, &file);
  }
  return out;
}
