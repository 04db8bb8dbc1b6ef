/* convkeep rebuild messages: every original goes through ingest again, as if its file came for the
 * first time. Small ones of one reader go together, as the array that an export is; the runs of a
 * log whose lines depend on those before them go together in their order, with an empty line
 * between two; those of several files that begin alike, each with the runs of its file; another run
 * of lines or a large one is a file by itself. The store may join runs of a log meanwhile: then all
 * of it is read again. */
#include "cli/rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/fetch.h"
#include "cli/log_files.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/import/await.h"
#include "cli/import/send.h"
#include "cli/task.h"
#include "cli/time.h"
#include "proto/clock.h"

#define SMALL (200u << 10)   /* bytes of an original that goes with others: it fits into a piece */
#define PIECE_AT (48u << 10) /* bytes after which a piece is sent */
#define GROUP_MAX 1000
#define SHOWN_MAX 10

struct totals {
  uint64_t originals, added, updated, unchanged, failed;
};

/* What is sent as one file: originals first to upto-1 of the list. */
struct group {
  struct cli *c;
  const json_t *list;
  size_t first, upto, at;
  struct cli_fetched one; /* of a large one */
  struct ck_buf bytes;
  bool begun, ended;
  bool joined;      /* a run is not there any more */
  uint64_t damaged; /* left out */
};

static const char *id_of(const struct group *g, size_t i) {
  return cli_member(json_array_get(g->list, i), "id");
}

/* ---- many small ones, as an array ---- */

/* Appends one, after a comma. One that cannot be read, which was reported, is left out. */
static void add_small(struct group *g, size_t i) {
  struct cli_fetched o;
  int rc = cli_fetch_find(g->c, id_of(g, i), "", "", &o);
  if (rc == CLI_GO_ON && *o.id) rc = cli_fetch_next(g->c, &o, SMALL);
  if (rc == CLI_GO_ON && *o.id && o.at == o.bytes) {
    ck_buf_text(&g->bytes, g->begun ? "," : "[");
    ck_buf_str(&g->bytes, ck_buf_view(&o.piece));
    g->begun = true;
  } else {
    ++g->damaged;
  }
  cli_fetch_free(&o);
}

static ssize_t next_of_array(void *self, off_t at, struct ck_buf *raw, bool *wait,
                             struct ck_err *err) {
  struct group *g = self;
  (void)wait, (void)err;
  if (at == 0) {
    g->at = g->first;
    g->begun = g->ended = false;
    g->damaged = 0;
  }
  ck_buf_clear(&g->bytes);
  while (g->at < g->upto && g->bytes.len < PIECE_AT) add_small(g, g->at++);
  if (g->at == g->upto && !g->ended) {
    ck_buf_text(&g->bytes, g->begun ? "]" : "[]");
    g->ended = true;
  }
  ck_put_str(raw, ck_buf_view(&g->bytes));
  return (ssize_t)g->bytes.len;
}

/* ---- one by itself, or one after another ---- */

static void forget_one(struct group *g) {
  cli_fetch_free(&g->one);
  *g->one.id = '\0';
}

/* Goes on to the next original, after an empty line. True: that line is sent now. */
static bool next_run(struct group *g, struct ck_buf *raw) {
  if (!*g->one.id || g->one.at < g->one.bytes || g->at + 1 >= g->upto) return false;
  ++g->at;
  forget_one(g);
  ck_put_str(raw, CK_LIT("\n"));
  return true;
}

static int64_t log_of(const json_t *original) { return cli_member_int(original, "log", 0); }
static int64_t file_of(const json_t *original) { return cli_member_int(original, "file", 0); }

static ssize_t next_of_one(void *self, off_t at, struct ck_buf *raw, bool *wait,
                           struct ck_err *err) {
  struct group *g = self;
  (void)wait;
  int rc = CLI_GO_ON;
  if (at == 0) {
    forget_one(g);
    g->at = g->first;
    g->joined = false;
  }
  if (next_run(g, raw)) return 1;
  if (!*g->one.id) rc = cli_fetch_find(g->c, id_of(g, g->at), "", "", &g->one);
  g->joined = rc == CLI_GO_ON && !*g->one.id && log_of(json_array_get(g->list, g->at));
  if (g->joined) {
    ck_put_str(raw, (struct ck_str){0});
    return 0;
  }
  if (rc == CLI_GO_ON && *g->one.id) rc = cli_fetch_next(g->c, &g->one, SMALL);
  if (rc != CLI_GO_ON || !*g->one.id) {
    ck_fail(err, "the original cannot be read");
    return -1;
  }
  ck_put_str(raw, ck_buf_view(&g->one.piece));
  return (ssize_t)g->one.piece.len;
}

/* ---- sending ---- */

/* What is of no conversation may be of a log; of anything else ingest does not look at it. */
static uint64_t first_of(const json_t *original) {
  int64_t age = cli_member_int(original, "age", 0);
  return cli_member_int(original, "conversation", 0) != 0 ? 0 : age > 0 ? (uint64_t)age : 1;
}

static void say_failures(struct cli *c, const char *name, const struct cli_sent *sent) {
  size_t i;
  json_t *one;
  json_array_foreach(sent->failures, i, one) {
    if (i == SHOWN_MAX) break;
    cli_error(c, name, "%s: %s", cli_member(one, "place"), cli_member(one, "reason"));
  }
  if (sent->error) cli_error(c, name, "%s", sent->error);
}

/* Each original counts once, however many files have it. */
static uint64_t new_ones(const struct group *g) {
  uint64_t n = 0;
  for (size_t i = g->first; i < g->upto; ++i)
    n += !json_object_get(json_array_get(g->list, i), "again");
  return n;
}

static int send_group(struct group *g, bool array, struct totals *t) {
  struct cli_sent sent;
  char name[80];
  bool run = cli_member_int(json_array_get(g->list, g->first), "log", 0) != 0;
  snprintf(name, sizeof name,
           array ? "originals"
           : run ? "log %s.jsonl"
                 : "original %s",
           id_of(g, g->first));
  const struct cli_pieces pieces = {.name = name,
                                    .fd = -1,
                                    .again = true,
                                    .first =
                                        array ? 0 : first_of(json_array_get(g->list, g->first)),
                                    .self = g,
                                    .next = array ? next_of_array : next_of_one};
  int rc = cli_send_pieces(g->c, &pieces, true, &sent);
  if (rc == CLI_GO_ON) {
    t->added += sent.added;
    t->updated += sent.updated;
    t->unchanged += sent.unchanged;
    t->failed += sent.failed + g->damaged;
    t->originals += g->joined ? 0 : new_ones(g);
    say_failures(g->c, name, &sent);
  } else if (rc == CLI_FAILED && !cli_interrupted()) {
    ++t->failed; /* this one; others may do */
    t->originals += new_ones(g);
    rc = CLI_GO_ON;
  }
  cli_sent_free(&sent);
  cli_fetch_free(&g->one);
  ck_buf_free(&g->bytes);
  cli_progress("originals", g->upto, json_array_size(g->list));
  return cli_interrupted() ? CLI_FAILED : rc;
}

static bool is_small(const json_t *original) {
  return cli_member_int(original, "bytes", 0) <= SMALL &&
         cli_member_int(original, "conversation", 0) != 0;
}

/* Does it go with the first one, after so many? */
static bool together(const json_t *first, const json_t *next, size_t so_many) {
  if (log_of(first)) return file_of(next) == file_of(first);
  return is_small(first) && is_small(next) && so_many < GROUP_MAX &&
         strcmp(cli_member(next, "reader"), cli_member(first, "reader")) == 0;
}

/* The list has those that go together side by side. */
static int send_all(struct cli *c, const json_t *list, json_t *seen, struct totals *t) {
  int rc = CLI_GO_ON;
  size_t n = json_array_size(list);
  for (size_t i = 0, upto; i < n && rc == CLI_GO_ON; i = upto) {
    const json_t *first = json_array_get(list, i);
    bool array = is_small(first);
    for (upto = i + 1; upto < n && together(first, json_array_get(list, upto), upto - i); ++upto) {
    }
    struct group g = {.c = c, .list = list, .first = i, .upto = upto};
    rc = send_group(&g, array, t);
    for (size_t k = i; g.joined && k < upto; ++k) json_object_del(seen, id_of(&g, k));
  }
  return rc;
}

static int by_reader(const void *a, const void *b) {
  const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
  int by = is_small(x) - is_small(y);
  if (by == 0) by = (log_of(x) > log_of(y)) - (log_of(x) < log_of(y));
  if (by == 0 && !log_of(x)) by = strcmp(cli_member(x, "reader"), cli_member(y, "reader"));
  int64_t place = log_of(x) ? cli_member_int(x, "age", 0) - cli_member_int(y, "age", 0) : 0;
  if (place == 0) place = cli_member_int(x, "place", 0) - cli_member_int(y, "place", 0);
  return by ? by : place < 0 ? -1 : place > 0;
}

/* The logs of which a run is not in seen, as members. */
static json_t *new_logs(const json_t *rows, const json_t *seen) {
  json_t *logs = json_object(), *row;
  size_t i;
  char log[24];
  json_array_foreach(rows, i, row) {
    if (!log_of(row) || json_object_get(seen, cli_member(row, "id"))) continue;
    snprintf(log, sizeof log, "%lld", (long long)log_of(row));
    json_object_set_new(logs, log, json_true());
  }
  return logs;
}

static bool is_new(const json_t *row, const json_t *seen, const json_t *logs) {
  char log[24];
  snprintf(log, sizeof log, "%lld", (long long)log_of(row));
  return log_of(row) ? json_object_get(logs, log) != NULL
                     : !json_object_get(seen, cli_member(row, "id"));
}

/* Those that are not in seen, so that what moves to another block meanwhile, or comes, is read too;
 * and with a run of a log all of that log. */
static int list_new(struct cli *c, json_t *seen, json_t **list) {
  json_t *rows, *row;
  size_t i, n = 0;
  int rc = cli_query_all(c, "originals", NULL, 0, &rows);
  if (rc != CLI_GO_ON) return rc;
  json_t **some = ck_alloc((json_array_size(rows) + 1) * sizeof *some);
  json_t *logs = new_logs(rows, seen);
  json_array_foreach(rows, i, row) {
    if (!is_new(row, seen, logs)) continue;
    json_object_set_new(seen, cli_member(row, "id"), json_true());
    json_object_set_new(row, "place", json_integer((json_int_t)i));
    some[n++] = row;
  }
  qsort(some, n, sizeof *some, by_reader);
  json_t *sorted = json_array();
  for (i = 0; i < n; ++i) json_array_append(sorted, some[i]);
  *list = cli_log_files(sorted);
  json_decref(sorted);
  free(some);
  json_decref(logs);
  json_decref(rows);
  return rc;
}

static void print(struct cli *c, const struct totals *t, int64_t ms) {
  if (c->json) {
    json_t *line =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "originals", (json_int_t)t->originals, "new",
                  (json_int_t)t->added, "updated", (json_int_t)t->updated, "unchanged",
                  (json_int_t)t->unchanged, "failed", (json_int_t)t->failed, "ms", (json_int_t)ms);
    cli_json_line(line);
    json_decref(line);
    return;
  }
  struct ck_buf text = {0};
  ck_buf_count(&text, t->originals);
  ck_buf_printf(&text, " %s read again: %llu new, %llu updated, %llu unchanged, %llu failed, in ",
                ck_noun(t->originals, "original", "originals"), (unsigned long long)t->added,
                (unsigned long long)t->updated, (unsigned long long)t->unchanged,
                (unsigned long long)t->failed);
  cli_duration_text(&text, ms);
  ck_buf_text(&text, "\n");
  cli_print(&text);
  ck_buf_free(&text);
}

int cli_rebuild_messages(struct cli *c) {
  struct totals t = {0};
  int64_t began = ck_boot_ms();
  json_t *seen = json_object();
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE) | CLI_PART(CLI_INGEST));
  cli_catch_signals();
  for (size_t n = 1; rc == CLI_GO_ON && n;) {
    json_t *list = NULL;
    rc = list_new(c, seen, &list);
    n = json_array_size(list);
    if (rc == CLI_GO_ON) rc = send_all(c, list, seen, &t);
    json_decref(list);
  }
  json_decref(seen);
  cli_progress_clear();
  if (rc != CLI_GO_ON) return rc;
  print(c, &t, ck_boot_ms() - began);
  rc = cli_await_files(c);
  return t.failed ? CLI_FAILED : rc;
}
