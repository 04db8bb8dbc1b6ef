/* convkeep watch [on|off|status]: has ingest follow the folders of logs, and shows how that goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/import/walk.h"
#include "cli/out.h"
#include "cli/presence.h"
#include "cli/rows.h"
#include "cli/time.h"
#include "cli/watch.h"
#include "proto/clock.h"
#include "proto/watched.h"

#define HEARD_MS 5000 /* ingest follows within this time */
#define LOOK_MS 20
#define ANSWER_MS 1000

/* ---- what is followed ---- */

/* What ingest says of it; NULL: no ingest runs here, or it does not answer. */
static json_t *ask_ingest(const struct cli *c) {
  struct cli_presence p;
  struct ck_err err;
  cli_presence_look(c, &p);
  if (p.parts[CLI_INGEST].life != CLI_RUNNING) return NULL;
  json_t *info = cli_info_of(c, CK_DOOR_OBSERVE, ANSWER_MS, &err);
  json_t *watch = json_incref(json_object_get(info, "watch"));
  json_decref(info);
  return watch;
}

static bool is_on(const struct cli *c) {
  return strcmp(ck_set_text(c->settings, CK_SET_INGEST_WATCH), "on") == 0;
}

/* An ingest that runs may have been started with other settings than these. */
static int show(struct cli *c) {
  json_t *watch = ask_ingest(c);
  bool follows = json_array_size(watch) > 0;
  if (c->json) {
    json_t *all = json_pack("{s:b, s:b, s:o}", "on", watch ? follows : is_on(c), "running",
                            watch != NULL, "sources", watch ? watch : json_array());
    cli_json_line(all);
    json_decref(all);
    return CLI_DONE;
  }
  if (!follows && !is_on(c)) {
    puts("watch is off; convkeep watch on names what it would follow");
  } else if (!follows && watch) {
    puts("watch is on in the settings, but ingest follows nothing; convkeep watch on has it begin");
  } else if (!watch) {
    puts("watch is on, but no ingest runs here; convkeep up starts it");
  } else {
    static const char *const titles[] = {"name", "folder", "~state"};
    struct cli_table *t = cli_table_new(3, titles);
    struct ck_buf text = {0};
    size_t i;
    const json_t *s;
    json_array_foreach(watch, i, s) {
      const char *error = cli_member(s, "error");
      cli_table_cell(t, CLI_BOLD, ck_str_of(cli_member(s, "name")));
      cli_table_cell(t, CLI_PLAIN, ck_str_of(cli_member(s, "folder")));
      ck_buf_clear(&text);
      cli_watch_text(&text, s, ck_now_ms());
      if (*error) ck_buf_printf(&text, "; %s", error);
      cli_table_cell(t, *error ? CLI_RED : CLI_PLAIN, ck_buf_view(&text));
    }
    ck_buf_free(&text);
    cli_table_print(&t);
  }
  json_decref(watch);
  return CLI_DONE;
}

/* ---- what there is ---- */

struct found {
  const struct cli *c;
  bool there;
  uint64_t files, bytes;
  int64_t oldest; /* ms; 0: no file */
};

static int count_file(void *self, const char *path) {
  struct found *f = self;
  struct stat st;
  const char *name = strrchr(path, '/');
  if (!ck_watched_is_log(name ? name + 1 : path) || lstat(path, &st)) return 0;
  int64_t at = (int64_t)st.st_mtim.tv_sec * 1000;
  ++f->files;
  f->bytes += (uint64_t)st.st_size;
  if (!f->oldest || at < f->oldest) f->oldest = at;
  return 0;
}

static void count_other(void *self, const char *path, const char *what) {
  (void)self, (void)path, (void)what;
}

static void count_fault(void *self, const char *path, const char *reason) {
  cli_warn(((struct found *)self)->c, path, "%s", reason);
}

static struct found find(const struct cli *c, const struct ck_watched *w) {
  struct found f = {.c = c};
  const struct cli_walk_ops ops = {&f, count_file, count_other, count_fault};
  f.there = access(w->folder, F_OK) == 0;
  if (f.there) cli_walk(AT_FDCWD, w->folder, &ops);
  return f;
}

static void found_text(struct ck_buf *b, const struct found *f) {
  if (!f->there) {
    ck_buf_text(b, "not there; followed once it is");
    return;
  }
  ck_buf_count(b, f->files);
  ck_buf_text(b, ck_noun(f->files, " file", " files"));
  if (!f->files) return;
  ck_buf_text(b, ", ");
  cli_size_text(b, f->bytes);
  ck_buf_text(b, ", the oldest of ");
  cli_day_text(b, f->oldest);
}

static void name_found(const struct ck_watched *w, const struct found *f) {
  struct ck_buf line = {0};
  ck_buf_printf(&line, "  %s: ", w->name);
  cli_safe_text(&line, ck_str_of(w->folder), false);
  ck_buf_text(&line, " (");
  found_text(&line, f);
  ck_buf_text(&line, ")\n");
  cli_print(&line);
  ck_buf_free(&line);
}

static json_t *json_found(const struct ck_watched *w, const struct found *f) {
  return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I}", "name", w->name, "folder", w->folder, "there",
                   f->there, "files", (json_int_t)f->files, "bytes", (json_int_t)f->bytes, "oldest",
                   (json_int_t)f->oldest);
}

/* ---- on and off ---- */

/* Where CLAUDE_CONFIG_DIR and CODEX_HOME lead is written down, because ingest may be started
 * without them. */
static int write_folders(struct cli *c, const struct ck_watched *list, size_t n,
                         struct ck_err *err) {
  static const char *const by_env[][2] = {{CK_WATCHED_CLAUDE, "CLAUDE_CONFIG_DIR"},
                                          {CK_WATCHED_CODEX, "CODEX_HOME"},
                                          {CK_WATCHED_ARCHIVED, "CODEX_HOME"}};
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k < sizeof by_env / sizeof *by_env; ++k) {
      if (list[i].given || strcmp(list[i].name, by_env[k][0]) != 0 || !getenv(by_env[k][1]))
        continue;
      char *name = ck_sprintf(CK_WATCH "%s", list[i].name);
      int rc = ck_settings_write(c->config, name, list[i].folder, err);
      free(name);
      if (rc) return rc;
    }
  return 0;
}

/* The file says so now; does something else say otherwise? */
static int overridden(struct cli *c, const char *to) {
  struct ck_setting_view v;
  struct ck_err err;
  struct ck_settings *s = ck_settings_load(c->config, &err);
  int rc = CLI_GO_ON;
  if (s && ck_settings_view(s, CK_SET_INGEST_WATCH, &v) && strcmp(v.value, to) != 0)
    rc = cli_fail(c, CLI_FAILED, v.from, "it says %s, and goes before %s; change it there", v.value,
                  c->config);
  ck_settings_free(&s);
  return rc;
}

static bool does_as(const json_t *watch, bool on) { return (json_array_size(watch) > 0) == on; }

/* ingest reads its settings again. *told: one runs here, and does as they say. */
static int tell_ingest(struct cli *c, bool on, bool *told) {
  struct cli_presence p;
  int64_t by = ck_boot_ms() + HEARD_MS;
  cli_presence_look(c, &p);
  *told = false;
  if (p.parts[CLI_INGEST].life != CLI_RUNNING) return CLI_GO_ON;
  pid_t pid = cli_presence_pid(&p, CLI_INGEST);
  if (!pid)
    return cli_fail(c, CLI_FAILED, "ingest",
                    "it runs, and not here, so it cannot be told; restart it where it runs");
  if (kill(pid, SIGHUP))
    return cli_fail(c, CLI_FAILED, "ingest", "cannot be told: %s; restart the ring",
                    strerror(errno));
  while (!*told && ck_boot_ms() < by) {
    json_t *watch = ask_ingest(c);
    *told = watch && does_as(watch, on);
    json_decref(watch);
    if (!*told) poll(NULL, 0, LOOK_MS);
  }
  if (*told) return CLI_GO_ON;
  return cli_fail(c, CLI_FAILED, "ingest", "does not do so yet; logs/ingest.log may say why");
}

static int turn(struct cli *c, bool on, const struct ck_watched *list, size_t n, json_t *found) {
  const char *to = on ? "on" : "off";
  struct ck_err err;
  bool told;
  if ((on && write_folders(c, list, n, &err)) ||
      ck_settings_write(c->config, "ingest.watch", to, &err))
    return cli_fail(c, CLI_FAILED, NULL, "%s", err.text);
  int rc = overridden(c, to);
  if (rc == CLI_GO_ON) rc = tell_ingest(c, on, &told);
  if (rc != CLI_GO_ON) return rc;
  if (c->json) {
    json_t *line = json_pack("{s:b, s:b, s:O}", "on", on, "running", told, "sources", found);
    cli_json_line(line);
    json_decref(line);
  } else if (on) {
    puts(told ? "watch is on" : "watch is on; convkeep up begins to follow");
  } else {
    puts("watch is off; what was taken stays");
  }
  return CLI_DONE;
}

static int nothing_to_follow(const struct cli *c) {
  return cli_fail(c, CLI_FAILED, NULL,
                  "there is no folder to follow, because watch." CK_WATCHED_CLAUDE
                  ", watch." CK_WATCHED_CODEX " and watch." CK_WATCHED_ARCHIVED
                  " are empty; set one of them, or watch.NAME, to a folder");
}

static int turn_on(struct cli *c, bool yes) {
  struct ck_watched *list;
  size_t n = ck_watched_list(c->settings, &list);
  if (!n) {
    ck_watched_free(list, n);
    return nothing_to_follow(c);
  }
  json_t *found = json_array();
  int rc = CLI_GO_ON;
  if (!c->json) puts("ingest will follow these folders, with all below them:");
  for (size_t i = 0; i < n; ++i) {
    struct found f = find(c, &list[i]);
    json_array_append_new(found, json_found(&list[i], &f));
    if (!c->json) name_found(&list[i], &f);
  }
  if (!yes) rc = cli_agreed(c, "Follow them from now on?");
  if (rc == CLI_GO_ON) rc = turn(c, true, list, n, found);
  json_decref(found);
  ck_watched_free(list, n);
  return rc;
}

static int turn_off(struct cli *c) {
  json_t *none = json_array();
  int rc = turn(c, false, NULL, 0, none);
  json_decref(none);
  return rc;
}

/* ---- the command ---- */

struct wish {
  bool yes;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  int rc = cli_options(c, &argc, argv, &wish);
  const char *word = argc > 1 ? argv[1] : "status";
  if (rc == CLI_GO_ON) rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, strcmp(word, "on") == 0);
  if (rc != CLI_GO_ON) return rc;
  if (strcmp(word, "on") == 0) return turn_on(c, wish.yes);
  if (strcmp(word, "off") == 0) return turn_off(c);
  if (strcmp(word, "status") == 0) return show(c);
  return cli_usage_error(c, word, "expected on, off or status");
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("on|off|status", CLI_CHOICE, CLI_OPTIONAL), {0}};
static const struct cli_option options[] = {CLI_FLAG("yes", struct wish, yes, "does not ask"), {0}};

const struct cli_command cli_watch = {
    "watch",
    CLI_TO_RUN,
    "follow the logs of Claude Code and Codex as they are written",
    arguments,
    options,
    "on: names the folders that ingest will follow, with what there is in them, asks once, and\n"
    "sets ingest.watch in the settings file. An ingest that runs begins at once. off ends it;\n"
    "what was taken stays. status, or nothing, shows what is followed, when something of it came\n"
    "last, and what cannot be read.\n\n"
    "Followed are the sessions of Claude Code ($CLAUDE_CONFIG_DIR, else ~/.claude, in projects)\n"
    "and of Codex ($CODEX_HOME, else ~/.codex, in sessions and archived_sessions), and the "
    "folders\n"
    "of the settings watch.NAME: files .jsonl and .ndjson, those with .zst after that, and\n"
    "agent-ID.meta.json.",
    run,
    NULL};
