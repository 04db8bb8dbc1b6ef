/* convkeep sync verify, repair and schema: runs syncd once as a child process (spawn.h) and prints
 * the JSON lines that it writes. */
#include "cli/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/rows.h"
#include "cli/spawn.h"
#include "cli/task.h"
#include "cli/time.h"

#define READ_BYTES 65536
#define LOOK_MS 1000
/* At most this many rows are printed, except with --json. */
#define SHOWN 20

struct task {
  struct cli *c;
  const char *label;
  bool (*line)(struct task *t, const char *name,
               const json_t *value); /* false: not a name it handles */
  json_t *result;
  bool failed, folderless; /* folderless: it reads and writes nothing in the data folder */
  uint64_t shown, more;
};

/* ---- syncd's output ---- */

static void take_line(struct task *t, struct ck_str text) {
  json_t *line = json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL), *value;
  const char *name;
  json_object_foreach(line, name, value) {
    if (strcmp(name, "done") == 0) {
      cli_progress(t->label, (uint64_t)json_integer_value(value),
                   (uint64_t)cli_member_int(line, "total", 0));
      break;
    }
    cli_progress_clear();
    if (strcmp(name, "error") == 0) {
      cli_error(t->c, NULL, "%s", json_string_value(value));
      t->failed = true;
    } else if (strcmp(name, "waiting") == 0) {
      cli_error(t->c, NULL, "waiting for the mirror: %s", json_string_value(value));
    } else if (strcmp(name, "result") == 0) {
      t->result = json_incref(value);
    } else {
      t->line(t, name, value);
    }
  }
  json_decref(line);
}

static void take_lines(struct task *t, struct ck_buf *b) {
  size_t at = 0;
  for (char *end; at < b->len && (end = memchr(b->data + at, '\n', b->len - at));
       at = (size_t)(end - b->data) + 1)
    take_line(t, (struct ck_str){b->data + at, (size_t)(end - (b->data + at))});
  memmove(b->data, b->data + at, b->len - at);
  b->len -= at;
}

/* Reads until syncd ends, supervising the private ring meanwhile. */
static void read_all(struct task *t, int lines) {
  struct ck_buf b = {0};
  for (;;) {
    struct pollfd fds[1 + CLI_RING_FDS] = {{lines, POLLIN, 0}};
    struct cli_ring *ring = t->c->client ? t->c->client->ring : NULL;
    int wait = ring ? cli_ring_step(ring) : LOOK_MS;
    nfds_t n = 1 + (ring ? (nfds_t)cli_ring_fds(ring, fds + 1) : 0);
    if (poll(fds, n, wait < 0 || wait > LOOK_MS ? LOOK_MS : wait) <= 0 || !fds[0].revents) continue;
    ssize_t got = read(lines, ck_buf_room(&b, READ_BYTES), READ_BYTES);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    b.len += (size_t)got;
    take_lines(t, &b);
  }
  ck_buf_free(&b);
}

/* Runs syncd with these arguments. CLI_GO_ON with t->result, which the caller json_decrefs, or the
 * exit code after reporting the error. */
static int run_task(struct task *t, const char *const *words) {
  struct ck_err err = {{0}};
  int lines, status = 0;
  pid_t pid = cli_spawn_task(t->c, "syncd", words, !t->folderless, &lines, &err);
  if (pid < 0) {
    cli_error(t->c, NULL, "%s", err.text);
    return CLI_FAILED;
  }
  read_all(t, lines);
  close(lines);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  cli_progress_clear();
  bool badly = !WIFEXITED(status) || WEXITSTATUS(status) > 1;
  if (!t->failed && (!t->result || badly))
    cli_error(t->c, "syncd", "it ended before it was done%s",
              t->folderless ? "" : ": see logs/syncd.log");
  return t->failed || !t->result || badly ? CLI_FAILED : CLI_GO_ON;
}

/* ---- verify, repair ---- */

static void people_row(const char *name, const json_t *row) {
  bool colour = cli_colour();
  struct ck_buf line = {0}, word = {0};
  ck_buf_printf(&word, "%-10s", strcmp(name, "left") == 0 ? "left" : cli_member(row, "how"));
  cli_paint(&line, colour, CLI_RED, ck_buf_view(&word));
  ck_buf_printf(&line, "%-20s ", cli_member(row, "table"));
  cli_safe_text(&line, ck_str_of(cli_member(row, "key")), false);
  ck_buf_text(&line, "\n");
  cli_print(&line);
  ck_buf_free(&line);
  ck_buf_free(&word);
}

static bool check_line(struct task *t, const char *name, const json_t *row) {
  if (strcmp(name, "found") != 0 && strcmp(name, "left") != 0) return false;
  if (t->c->json) {
    json_t *line = json_copy((json_t *)(uintptr_t)row);
    json_object_set_new(line, "left", json_boolean(strcmp(name, "left") == 0));
    cli_json_line(line);
    json_decref(line);
  } else if (t->shown < SHOWN) {
    ++t->shown;
    people_row(name, row);
  } else {
    ++t->more;
  }
  fflush(stdout);
  return true;
}

static void count_words(struct ck_buf *b, const json_t *result, const char *name,
                        const char *words) {
  uint64_t n = (uint64_t)cli_member_int(result, name, 0);
  if (!n) return;
  ck_buf_text(b, b->len ? ", " : "");
  cli_count_text(b, n);
  ck_buf_printf(b, " %s", words);
}

static void people_result(const struct task *t, bool mend) {
  static const char *const wrong[][2] = {{"missing", "missing"},
                                         {"other", "of another version"},
                                         {"extra", "extra"},
                                         {"different", "different in a column"}};
  static const char *const notes[][2] = {
      {"under_way", "not mirrored yet"},
      {"dead_letters", "dead letters (convkeep list dead-letters)"},
      {"kept", "of the predecessor's own, left alone"}};
  struct ck_buf found = {0}, text = {0};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
    count_words(&found, t->result, wrong[i][0], wrong[i][1]);
  if (t->more) {
    ck_buf_text(&text, "… and ");
    cli_count_text(&text, t->more);
    ck_buf_text(&text, " more; --json prints all\n");
  }
  uint64_t records = (uint64_t)cli_member_int(t->result, "records", 0);
  cli_count_text(&text, records);
  ck_buf_printf(&text, " %s compared with %s: ", ck_noun(records, "record", "records"),
                cli_member(t->result, "sink"));
  if (found.len)
    ck_buf_str(&text, ck_buf_view(&found));
  else
    ck_buf_text(&text, "the mirror is right");
  for (size_t i = 0; i < sizeof notes / sizeof *notes; ++i)
    count_words(&text, t->result, notes[i][0], notes[i][1]);
  ck_buf_text(&text, "\n");
  if (mend && found.len) {
    int64_t left = cli_member_int(t->result, "left", 0);
    uint64_t written = (uint64_t)cli_member_int(t->result, "written", 0);
    cli_count_text(&text, written);
    ck_buf_printf(&text, " %s written", ck_noun(written, "row", "rows"));
    if (left)
      ck_buf_printf(&text, ", %lld could not be repaired: see logs/syncd.log", (long long)left);
    ck_buf_text(&text, "\n");
  } else if (found.len) {
    /* Only --deep looks at the columns. */
    bool deep = cli_member_int(t->result, "different", 0) > 0;
    ck_buf_printf(&text, "convkeep sync repair%s writes what differs\n", deep ? " --deep" : "");
  }
  cli_print(&text);
  ck_buf_free(&found);
  ck_buf_free(&text);
}

int cli_sync_check(struct cli *c, bool mend, bool deep) {
  struct task t = {.c = c, .label = mend ? "repairing" : "comparing", .line = check_line};
  const char *words[] = {mend ? "repair" : "verify", deep ? "deep" : NULL, NULL};
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = run_task(&t, words);
  if (rc == CLI_GO_ON) {
    int64_t wrong = cli_member_int(t.result, "missing", 0) + cli_member_int(t.result, "other", 0) +
                    cli_member_int(t.result, "extra", 0) + cli_member_int(t.result, "different", 0);
    if (c->json)
      cli_json_line(t.result);
    else
      people_result(&t, mend);
    rc = (mend ? cli_member_int(t.result, "left", 0) : wrong) ? CLI_FAILED : CLI_DONE;
  }
  json_decref(t.result);
  return rc;
}

/* ---- schema ---- */

static bool no_line(struct task *t, const char *name, const json_t *value) {
  (void)t, (void)name, (void)value;
  return false;
}

int cli_sync_print(struct cli *c, bool old) {
  struct task t = {.c = c, .label = "schema", .line = no_line, .folderless = true};
  const char *const words[] = {"print", old ? "old" : NULL, NULL};
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = run_task(&t, words);
  if (rc == CLI_GO_ON) {
    if (c->json)
      cli_json_line(t.result);
    else
      fputs(cli_member(t.result, "sql"), stdout);
    rc = CLI_DONE;
  }
  json_decref(t.result);
  return rc;
}

static bool apply_line(struct task *t, const char *name, const json_t *did) {
  if (strcmp(name, "did") != 0) return false;
  if (t->c->json)
    cli_json_line(did);
  else
    printf("%s: %s\n", cli_member(did, "table"), cli_member(did, "what"));
  return true;
}

int cli_sync_apply(struct cli *c) {
  struct task t = {.c = c, .label = "schema", .line = apply_line};
  const char *const words[] = {"schema", NULL};
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, true);
  if (rc == CLI_GO_ON) rc = run_task(&t, words);
  if (rc == CLI_GO_ON) {
    if (c->json)
      cli_json_line(t.result);
    else if (!cli_member_int(t.result, "statements", 0))
      printf("%s is ready: nothing to do\n", cli_member(t.result, "sink"));
    rc = CLI_DONE;
  }
  json_decref(t.result);
  return rc;
}
