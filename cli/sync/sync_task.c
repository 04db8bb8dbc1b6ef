/* convkeep sync verify, repair and schema: has syncd do it (daemon_task.h) and prints what it
 * finds. */
#include "cli/sync/sync.h"

#include <stdio.h>
#include <string.h>

#include "cli/daemon_task.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/time.h"

/* At most this many rows are printed, except with --json. */
#define SHOWN 20

struct task {
  struct cli *c;
  const char *sink;
  json_t *result;
  uint64_t shown, more;
};

/* CLI_GO_ON with t->result, which the caller json_decrefs, or the exit code after reporting the
 * error. line: as in cli_daemon_task; its self is t. */
static int run_task(struct task *t, const char *label, const char *const *words,
                    void (*line)(void *self, const char *name, const json_t *value)) {
  const struct cli_daemon_task task = {
      .daemon = "syncd", .sink = t->sink, .words = words, .label = label, .line = line, .self = t};
  return cli_daemon_task(t->c, &task, &t->result);
}

static bool tell_waiting(const struct task *t, const char *name, const json_t *value) {
  if (strcmp(name, "waiting") != 0) return false;
  cli_warn(t->c, NULL, "waiting for the mirror in %s: %s", t->sink, json_string_value(value));
  return true;
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

static void check_line(void *self, const char *name, const json_t *row) {
  struct task *t = self;
  if (tell_waiting(t, name, row)) return;
  if (strcmp(name, "found") != 0 && strcmp(name, "left") != 0) return;
  if (t->c->json) {
    json_t *line = json_copy((json_t *)(uintptr_t)row);
    json_object_set_new(line, "sink", json_string(t->sink));
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
}

static void count_words(struct ck_buf *b, const json_t *result, const char *name, const char *one,
                        const char *many) {
  uint64_t n = (uint64_t)cli_member_int(result, name, 0);
  if (!n) return;
  ck_buf_text(b, b->len ? ", " : "");
  ck_buf_count(b, n);
  ck_buf_printf(b, " %s", ck_noun(n, one, many));
}

static void people_result(const struct task *t, bool mend) {
  static const char *const wrong[][2] = {{"missing", "missing"},
                                         {"other", "of another version"},
                                         {"extra", "extra"},
                                         {"different", "different in a column"}};
  static const char *const notes[][3] = {
      {"under_way", "not mirrored yet", "not mirrored yet"},
      {"dead_letters", "dead letter (convkeep list dead-letters)",
       "dead letters (convkeep list dead-letters)"},
      {"kept", "of the predecessor's own, left alone", "of the predecessor's own, left alone"}};
  struct ck_buf found = {0}, text = {0};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
    count_words(&found, t->result, wrong[i][0], wrong[i][1], wrong[i][1]);
  if (t->more) {
    ck_buf_text(&text, "… and ");
    ck_buf_count(&text, t->more);
    ck_buf_text(&text, " more; --json prints all\n");
  }
  uint64_t records = (uint64_t)cli_member_int(t->result, "records", 0);
  ck_buf_count(&text, records);
  ck_buf_printf(&text, " %s compared with %s: ", ck_noun(records, "record", "records"),
                cli_member(t->result, "sink"));
  if (found.len)
    ck_buf_str(&text, ck_buf_view(&found));
  else
    ck_buf_text(&text, "the mirror is right");
  for (size_t i = 0; i < sizeof notes / sizeof *notes; ++i)
    count_words(&text, t->result, notes[i][0], notes[i][1], notes[i][2]);
  ck_buf_text(&text, "\n");
  if (mend && found.len) {
    int64_t left = cli_member_int(t->result, "left", 0);
    uint64_t written = (uint64_t)cli_member_int(t->result, "written", 0);
    ck_buf_count(&text, written);
    ck_buf_printf(&text, " %s written", ck_noun(written, "row", "rows"));
    if (left)
      ck_buf_printf(&text, ", %lld could not be repaired: see logs/syncd.log", (long long)left);
    ck_buf_text(&text, "\n");
  } else if (found.len) {
    /* Only --deep looks at the columns. */
    bool deep = cli_member_int(t->result, "different", 0) > 0;
    bool several = ck_set_word(t->c->settings, CK_SET_SYNC_SINKS, 1) != NULL;
    ck_buf_printf(&text,
                  "if convkeep doctor finds the database sound, "
                  "convkeep sync repair%s%s%s writes what differs\n",
                  deep ? " --deep" : "", several ? " --sink " : "", several ? t->sink : "");
  }
  cli_print(&text);
  ck_buf_free(&found);
  ck_buf_free(&text);
}

static int check(struct cli *c, const char *sink, bool mend, bool deep) {
  struct task t = {.c = c, .sink = sink};
  const char *words[] = {mend ? "repair" : "verify", deep ? "deep" : NULL, NULL};
  int rc = run_task(&t, mend ? "repairing" : "comparing", words, check_line);
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

/* The worst of them, once all are through. Of several, null keeps nothing to look at. */
static int each(struct cli *c, const struct cli_sinks *sinks,
                int (*one)(struct cli *c, const char *sink, bool a, bool b), bool a, bool b) {
  int worst = CLI_DONE;
  for (size_t i = 0; i < sinks->n; ++i) {
    if (sinks->n > 1 && strcmp(sinks->at[i], "null") == 0) continue;
    int rc = one(c, sinks->at[i], a, b);
    if (rc > worst) worst = rc;
  }
  return worst;
}

int cli_sync_check(struct cli *c, const struct cli_sinks *sinks, bool mend, bool deep) {
  int rc = c->client ? CLI_GO_ON : cli_connect(c, false, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? each(c, sinks, check, mend, deep) : rc;
}

/* ---- schema ---- */

/* Prints the statements that the task's result has. */
static int print_sql(struct cli *c, json_t *result) {
  if (c->json)
    cli_json_line(result);
  else
    fputs(cli_member(result, "sql"), stdout);
  return CLI_DONE;
}

int cli_sync_print(struct cli *c, const char *sink, bool indexes) {
  const char *const words[] = {"print", indexes ? "indexes" : NULL, NULL};
  const struct cli_daemon_task task = {
      .daemon = "syncd", .sink = sink, .words = words, .label = "schema", .folderless = true};
  json_t *result = NULL;
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_daemon_task(c, &task, &result);
  if (rc == CLI_GO_ON) rc = print_sql(c, result);
  json_decref(result);
  return rc;
}

static void schema_line(void *self, const char *name, const json_t *said) {
  const struct task *t = self;
  bool made = strcmp(name, "did") == 0, way = strcmp(name, "in_the_way") == 0;
  if (tell_waiting(t, name, said) || (!made && !way)) return;
  if (t->c->json) {
    json_t *line = json_copy((json_t *)(uintptr_t)said);
    json_object_set_new(line, "sink", json_string(t->sink));
    cli_json_line(line);
    json_decref(line);
  } else if (made) {
    printf("%s: %s: %s\n", t->sink, cli_member(said, "table"), cli_member(said, "what"));
  } else {
    struct ck_buf line = {0};
    ck_buf_printf(&line, "%s: %s: in the way: ", t->sink, cli_member(said, "table"));
    cli_safe_text(&line, ck_str_of(cli_member(said, "key")), false);
    ck_buf_text(&line, " (");
    cli_safe_text(&line, ck_str_of(cli_member(said, "shares")), false);
    ck_buf_text(&line, ")\n");
    cli_print(&line);
    ck_buf_free(&line);
  }
}

int cli_sync_show(struct cli *c, const char *sink, bool indexes) {
  struct task t = {.c = c, .sink = sink};
  const char *const words[] = {"show", indexes ? "indexes" : NULL, NULL};
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc == CLI_GO_ON) rc = run_task(&t, "schema", words, schema_line);
  if (rc == CLI_GO_ON) rc = print_sql(c, t.result);
  json_decref(t.result);
  return rc;
}

static int apply(struct cli *c, const char *sink, bool indexes, bool b) {
  (void)b;
  struct task t = {.c = c, .sink = sink};
  const char *const words[] = {"schema", indexes ? "indexes" : NULL, NULL};
  int rc = run_task(&t, "schema", words, schema_line);
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

int cli_sync_apply(struct cli *c, const struct cli_sinks *sinks, bool indexes) {
  int rc = cli_enter(c, true);
  return rc == CLI_GO_ON ? each(c, sinks, apply, indexes, false) : rc;
}
