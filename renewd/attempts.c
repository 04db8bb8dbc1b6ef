/* Pages of rows, each written with one call a day and synced. */
#include "renewd/attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/calendar.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/places.h"

#define PAGE 200
#define AGAIN_MS 1000
/* Rows that come meanwhile are written together, with one sync. */
#define GATHER_MS 100
/* The end of a file that is looked through for its last line; a line is shorter: the store cuts its
 * texts. */
#define TAIL (64u << 10)

struct renew_log {
  struct renew_queries *queries;
  int64_t cursor;                    /* the version of the last row that is dealt with */
  struct renew_forgotten *forgotten; /* whose lines are to go; NULL: nobody's */
  bool look, asking, failing;
  char problem[320]; /* why lines cannot be written; they are tried again */
  int64_t at;        /* boot: not before */
};

void renew_log_path(char path[RENEW_LOG_PATH], int64_t at) {
  char time[CK_TIME_TEXT];
  ck_time_text(time, at);
  snprintf(path, RENEW_LOG_PATH, CK_PLACE_ATTEMPTS "/%.10s.jsonl", time);
}

/* ---- where it ends ---- */

static int64_t version_of(struct ck_str line) {
  json_t *o = json_loadb(line.s, line.n, JSON_ALLOW_NUL, NULL);
  int64_t version = json_integer_value(json_object_get(o, "version"));
  json_decref(o);
  return version;
}

/* The version of the last line that has one; 0: none has. */
static int64_t last_version(struct ck_str text) {
  int64_t version = 0;
  while (text.n && !version) {
    size_t end = text.n - 1; /* its line break */
    const char *before = end ? memrchr(text.s, '\n', end) : NULL;
    size_t begin = before ? (size_t)(before - text.s) + 1 : 0;
    version = version_of((struct ck_str){text.s + begin, end - begin});
    text.n = begin;
  }
  return version;
}

/* Where a file ends: takes away a line that was cut off. 0: it says nothing. */
static int64_t end_of_file(int fd) {
  struct stat st;
  if (fstat(fd, &st)) return 0;
  size_t n = st.st_size > (off_t)TAIL ? TAIL : (size_t)st.st_size;
  char *tail = ck_zalloc(n + 1);
  ssize_t got = ck_pread_all(fd, tail, n, st.st_size - (off_t)n);
  const char *last = got > 0 ? memrchr(tail, '\n', (size_t)got) : NULL;
  size_t whole = last ? (size_t)(last - tail) + 1 : 0;
  int64_t version = 0;
  if (got == (ssize_t)n && whole < n && ftruncate(fd, st.st_size - (off_t)(n - whole)))
    ck_log(CK_WARN, CK_PLACE_ATTEMPTS, "not_cut", "reason=%s", ck_quotedz(strerror(errno)));
  if (got > 0) version = last_version((struct ck_str){tail, whole});
  free(tail);
  return version;
}

static bool is_day(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && strcmp(dot, ".jsonl") == 0;
}

/* The greatest version that is at most `most`. */
static int64_t end_of_log(int64_t most) {
  int64_t end = 0;
  DIR *folder = opendir(CK_PLACE_ATTEMPTS);
  for (const struct dirent *e; folder && (e = readdir(folder));) {
    int fd = is_day(e->d_name) ? ck_open_file(dirfd(folder), e->d_name, O_RDWR, NULL) : -1;
    if (fd < 0) continue;
    int64_t version = end_of_file(fd);
    if (version > end && version <= most) end = version;
    close(fd);
  }
  if (folder) closedir(folder);
  return end;
}

struct renew_log *renew_log_new(struct renew_queries *queries) {
  struct renew_log *l = ck_zalloc(sizeof *l);
  l->queries = queries;
  l->cursor = end_of_log(INT64_MAX);
  l->look = true; /* what has changed while no renewd ran */
  return l;
}

void renew_log_free(struct renew_log **l) {
  if (*l) renew_forgotten_free(&(*l)->forgotten);
  free(*l);
  *l = NULL;
}

/* ---- writing ---- */

int renew_log_line(struct ck_buf *json, struct ck_str row) {
  struct ck_reader r = ck_reader_of(row);
  uint32_t n;
  size_t begin = json->len;
  if (!ck_map_str(row, "outcome").n || ck_read_map(&r, &n)) return -1;
  for (; n; n--) {
    struct ck_str name, value;
    if (ck_read_str(&r, &name) || ck_read_raw(&r, &value)) break;
    struct ck_reader v = ck_reader_of(value), type = v;
    struct ck_item item;
    if (ck_read(&type, &item) || item.type == CK_T_NIL) continue;
    ck_buf_text(json, json->len > begin ? "," : "{");
    ck_buf_json_str(json, name);
    ck_buf_text(json, ":");
    if (ck_read_json(&v, json)) ck_buf_text(json, "null");
  }
  ck_buf_text(json, "}");
  return 0;
}

/* Locked, and of that name: whoever takes lines out puts another file in its place. */
static int open_day(const char *path, struct ck_err *err) {
  for (;;) {
    int fd = ck_open_file(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, err);
    if (fd < 0) return -1;
    ck_turn_wait(fd);
    if (ck_has_name(fd, path)) return fd;
    close(fd);
  }
}

/* All of it, or nothing: what cannot be written whole is taken away again. */
static int append(int64_t at, struct ck_str lines, struct ck_err *err) {
  char path[RENEW_LOG_PATH];
  struct stat st;
  renew_log_path(path, at);
  int fd = open_day(path, err);
  if (fd < 0) return ck_fail_in(err, "%s", path);
  int rc = fstat(fd, &st) ? -1 : 0;
  if (rc == 0 && (ck_write_all(fd, lines) || fdatasync(fd))) {
    rc = -1;
    int why = errno;
    if (ftruncate(fd, st.st_size)) rc = -1;
    errno = why;
  }
  if (rc) ck_fail(err, "%s: %s", path, strerror(errno));
  close(fd);
  return rc;
}

/* What its client says is known here first. */
static void say(struct ck_str row) {
  struct ck_str job = ck_map_str(row, "job_id"), outcome = ck_map_str(row, "outcome"),
                channel = ck_map_str(row, "channel");
  if (!ck_map_str(row, "client").n) return;
  char *subject = ck_str_dup(job);
  ck_log(ck_str_is(outcome, "done") ? CK_INFO : CK_WARN, subject, "attempted",
         "attempt=%lld channel=%.*s outcome=%.*s", (long long)ck_map_int(row, "attempt", 0),
         (int)channel.n, channel.n ? channel.s : "", (int)outcome.n, outcome.s);
  free(subject);
}

/* Lines of one day that are still to be written. */
struct batch {
  struct ck_buf lines;
  int64_t at, cursor;
};

static int write_batch(struct renew_log *l, struct batch *b) {
  struct ck_err err = {{0}};
  int rc = b->lines.len ? append(b->at, ck_buf_view(&b->lines), &err) : 0;
  if (rc && !l->failing) ck_log(CK_WARN, "-", "not_logged", "reason=%s", ck_quotedz(err.text));
  l->failing = rc != 0;
  snprintf(l->problem, sizeof l->problem, "%s", err.text);
  if (rc == 0) l->cursor = b->cursor;
  ck_buf_clear(&b->lines);
  return rc;
}

/* True: their lines are in one file. */
static bool are_of_a_day(int64_t a, int64_t b) {
  return ck_floor_div(a, CK_DAY_MS) == ck_floor_div(b, CK_DAY_MS);
}

static void later(struct renew_log *l) {
  l->look = true;
  l->at = ck_boot_ms() + AGAIN_MS;
}

static int take_row(struct renew_log *l, struct batch *b, struct ck_str row) {
  int64_t at = ck_map_int(row, "at", 0);
  if (b->lines.len && !are_of_a_day(at, b->at) && write_batch(l, b)) return -1;
  b->at = at;
  b->cursor = ck_map_int(row, "version", b->cursor);
  if (renew_log_line(&b->lines, row)) return 0;
  ck_buf_text(&b->lines, "\n");
  say(row);
  return 0;
}

static void rows_came(void *self, const struct renew_reply *reply) {
  struct renew_log *l = self;
  struct ck_reader rows = ck_reader_of(reply->all);
  struct batch b = {.cursor = l->cursor};
  struct ck_str row;
  uint32_t n = 0;
  if (reply->problem) return;
  if (reply->head < (uint64_t)l->cursor) { /* the log is of another history, too */
    l->cursor = end_of_log((int64_t)reply->head);
    later(l);
    return;
  }
  int rc = ck_read_array(&rows, &n);
  while (rc == 0 && n-- && ck_read_raw(&rows, &row) == 0) rc = take_row(l, &b, row);
  if (rc || write_batch(l, &b))
    later(l);
  else if (reply->rows == PAGE)
    l->look = true;
  ck_buf_free(&b.lines);
}

static void asked(void *self, const char *problem) {
  struct renew_log *l = self;
  l->asking = false;
  if (problem) later(l);
}

void renew_log_look(struct renew_log *l) {
  int64_t at = ck_boot_ms() + GATHER_MS;
  if (!l->look && l->at < at) l->at = at;
  l->look = true;
}

void renew_log_forget(struct renew_log *l, struct ck_str job_id) {
  renew_forgotten_add(&l->forgotten, job_id);
}

/* Not while an answer is under way, which may have it. */
void renew_log_step(struct renew_log *l) {
  bool due = !l->asking && ck_boot_ms() >= l->at;
  if (due && renew_forgotten_clean(&l->forgotten)) l->at = ck_boot_ms() + AGAIN_MS;
  if (!l->look || l->asking || ck_boot_ms() < l->at) return;
  l->look = false;
  l->asking = true;
  renew_query_all(l->queries,
                  &(struct renew_query){.table = "attempts",
                                        .filters = {{"version_min", ck_int(l->cursor + 1)}},
                                        .limit = PAGE,
                                        .take = rows_came},
                  1, asked, NULL, l);
}

int64_t renew_log_until(const struct renew_log *l) {
  return (l->look || l->forgotten) && !l->asking ? l->at : INT64_MAX;
}

const char *renew_log_problem(const struct renew_log *l) { return l ? l->problem : ""; }

bool renew_log_is_whole(const struct renew_log *l) { return !l->look && !l->asking; }
