/* convkeep status: prints the store's STATUS answer. Those about the mirrors: mirror_lines.c. */
#include "cli/status.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include "cli/presence.h"
#include "cli/damage_line.h"
#include "cli/declined.h"
#include "cli/forget_after.h"
#include "cli/mirror_lines.h"
#include "cli/pauses.h"
#include "cli/rows.h"
#include "cli/states.h"
#include "cli/time.h"
#include "cli/watch.h"
#include "cli/web_lines.h"
#include "proto/clock.h"
#include "proto/moment.h"
#include "proto/hostname.h"
#include "proto/records.h"

/* A running daemon reports within this time; the store lists no older reports. */
#define HEARD_MS 5000
#define INGEST_MS 1000 /* how long to wait for ingest's own answer */

void cli_error_line(struct cli_table *t, const char *what, const json_t *holder) {
  struct ck_buf text = {0};
  int64_t at = cli_member_int(holder, "last_error_at", 0);
  ck_buf_text(&text, cli_member(holder, "last_error"));
  if (text.len && at) {
    ck_buf_text(&text, " (");
    cli_relative_text(&text, at, ck_now_ms());
    ck_buf_text(&text, ")");
  }
  if (text.len) cli_line(t, what, CLI_RED, &text);
  ck_buf_free(&text);
}

void cli_hide_private(const struct cli *c, json_t *info) {
  if (c->client->ring) json_object_set_new(info, "daemons", json_array());
}

static void add_count(struct ck_buf *b, int64_t n, const char *what) {
  if (b->len) ck_buf_text(b, " · ");
  ck_buf_count(b, n < 0 ? 0 : (uint64_t)n);
  ck_buf_printf(b, " %s", what);
}

/* ---- the lines ---- */

/* The store has just started, so running daemons may not have reported to it yet. */
static bool is_new(const json_t *info, int64_t now) {
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (strcmp(cli_member(daemon, "name"), "store") == 0)
      return now - cli_member_int(daemon, "up_since", 0) < HEARD_MS;
  }
  return false;
}

/* Is this what daemon number `which` reports? Of a syncd its sink tells. */
static bool is_its(const struct cli_presence *p, int which, const json_t *daemon) {
  const char *sink = cli_daemon_sink(p->settings, which);
  return strcmp(cli_member(daemon, "name"), cli_part_names[cli_daemon_part(which)]) == 0 &&
         (!sink || strcmp(cli_member(json_object_get(daemon, "info"), "sink"), sink) == 0);
}

static bool has_reported(const struct cli_presence *p, const json_t *info, int which) {
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (is_its(p, which, daemon)) return true;
  }
  return false;
}

/* "syncd d1" if there are several. */
static void part_word(struct ck_buf *b, const struct cli_presence *p, int which) {
  const char *sink = cli_daemon_sink(p->settings, which);
  ck_buf_text(b, cli_part_names[cli_daemon_part(which)]);
  if (sink && p->n > CLI_PARTS) ck_buf_printf(b, " %s", sink);
}

/* A process that does not report stands still, unless it or the store has just started. */
static void find_still(struct cli_presence *p, const json_t *info, int64_t now) {
  for (int i = 0; i < p->n; ++i)
    if (!is_new(info, now) && !has_reported(p, info, i)) cli_presence_still(p, i);
}

/* It reported a moment ago from this machine, and has ended since; at most `up` has not noticed. */
static bool has_ended(const json_t *daemon, const struct cli_process *part) {
  pid_t pid = (pid_t)cli_member_int(daemon, "pid", 0);
  if (pid <= 0 || strcmp(cli_member(daemon, "host"), ck_hostname()) != 0) return false;
  return (part->life == CLI_RESTARTING && part->pid == pid) || (kill(pid, 0) && errno == ESRCH);
}

/* What has reported. Returns how many lines that were. */
static int report_lines(struct cli_table *t, const struct cli_presence *p, const json_t *info,
                        int which, int64_t now) {
  size_t i;
  int found = 0;
  const json_t *daemon;
  struct ck_buf text = {0}, word = {0};
  part_word(&word, p, which);
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (!is_its(p, which, daemon) || has_ended(daemon, &p->parts[which])) continue;
    ++found;
    ck_buf_printf(&text, "pid %lld on %s, up ", (long long)cli_member_int(daemon, "pid", 0),
                  cli_member(daemon, "host"));
    cli_seconds_text(&text, now - cli_member_int(daemon, "up_since", now));
    cli_line(t, ck_buf_cstr(&word), CLI_GREEN, &text);
  }
  ck_buf_free(&text);
  ck_buf_free(&word);
  return found;
}

static void daemon_lines(struct cli_table *t, const struct cli_presence *p, const json_t *info,
                         int64_t now) {
  static const enum cli_style styles[] = {CLI_YELLOW, CLI_YELLOW, CLI_YELLOW, CLI_GREEN, CLI_RED};
  struct ck_buf text = {0}, word = {0};
  for (int i = 0; i < p->n; ++i) {
    enum cli_life life = p->parts[i].life;
    if (life != CLI_STILL && report_lines(t, p, info, i, now)) continue;
    cli_presence_text(&text, p, i, now);
    if (life == CLI_RUNNING && is_new(info, now)) ck_buf_text(&text, "; it has not reported yet");
    part_word(&word, p, i);
    cli_line(t, ck_buf_cstr(&word), styles[life], &text);
    ck_buf_clear(&word);
  }
  if (p->up.life == CLI_STILL) {
    ck_buf_printf(&text, "pid %d stands still and restarts nothing; kill -CONT %d lets it go on",
                  (int)p->up.pid, (int)p->up.pid);
    cli_line(t, "up", CLI_RED, &text);
  }
  ck_buf_free(&text);
  ck_buf_free(&word);
}

/* words: a plural in -s, as all tables' words are. */
static void add_records(struct ck_buf *b, int64_t n, const char *words) {
  char word[32];
  snprintf(word, sizeof word, "%s", words);
  if (n == 1) word[strlen(word) - 1] = '\0';
  add_count(b, n, word);
}

static void record_line(struct cli_table *t, const json_t *info) {
  const json_t *records = json_object_get(info, "records");
  struct ck_buf text = {0};
  for (int i = 0; i < CK_FORGOTTEN; ++i)
    add_records(&text, cli_member_int(records, ck_tables[i].name, 0), ck_tables[i].word);
  int64_t forgotten = cli_member_int(records, ck_tables[CK_FORGOTTEN].name, 0);
  if (forgotten) add_count(&text, forgotten, "forgotten");
  cli_line(t, "records", CLI_PLAIN, &text);
  ck_buf_count(&text, (uint64_t)cli_member_int(info, "version", 0));
  cli_line(t, "version", CLI_PLAIN, &text);
  ck_buf_free(&text);
}

static void spool_line(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  int64_t pending = cli_member_int(json_object_get(info, "spool"), "pending", 0);
  if (pending)
    add_count(&text, pending,
              ck_noun((uint64_t)pending, "changeset waits for the store",
                      "changesets wait for the store"));
  else
    ck_buf_text(&text, "empty");
  cli_line(t, "spool", pending ? CLI_YELLOW : CLI_PLAIN, &text);
  ck_buf_free(&text);
}

static void job_line(struct cli_table *t, const json_t *info, int64_t now) {
  const json_t *jobs = json_object_get(info, "jobs");
  static const char *const words[] = {"pending", "running",    "done",
                                      "failed",  "superseded", "unknown"};
  struct ck_buf text = {0};
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
    int64_t n = cli_member_int(jobs, words[i], 0);
    if (n) add_count(&text, n, words[i]);
  }
  if (text.len == 0) ck_buf_text(&text, "none");
  int64_t due = cli_member_int(jobs, "next_due_at", 0);
  if (due && due >= now) ck_buf_text(&text, ", next due ");
  if (due && due < now) ck_buf_text(&text, ", due since ");
  if (due && due >= now) cli_relative_text(&text, due, now);
  if (due && due < now) cli_seconds_text(&text, now - due);
  cli_line(t, "jobs", CLI_PLAIN, &text);
  if (cli_member_int(jobs, "unknown", 0)) {
    ck_buf_text(&text, "jobs of unknown outcome wait for you; convkeep list jobs --status unknown");
    cli_line(t, "", CLI_RED, &text);
  }
  int64_t stopped = cli_member_int(json_object_get(ck_renewd_info(info), "held"), "stopped", 0);
  if (stopped) {
    add_count(&text, stopped, "stopped; convkeep list jobs --status stopped");
    cli_line(t, "", CLI_YELLOW, &text);
  }
  ck_buf_free(&text);
}

/* Accounts whose limit is reached: their follow-ups wait. */
static void limit_lines(struct cli_table *t, const json_t *info, int64_t now) {
  const json_t *limit, *all = json_object_get(ck_renewd_info(info), "limits");
  struct ck_buf text = {0};
  const char *line = "limits";
  size_t i;
  json_array_foreach(all, i, limit) {
    int64_t until = cli_member_int(limit, "until", 0);
    cli_safe_text(&text, ck_str_of(cli_member(limit, "account")), false);
    ck_buf_text(&text, until > now ? ", until "
                       : until     ? ", until a delivery arrives: "
                                   : ", until a person ends it: ");
    if (until > now) ck_moment_text(&text, until);
    if (until > now) ck_buf_text(&text, ": ");
    cli_safe_text(&text, ck_str_of(cli_member(limit, "reason")), false);
    cli_line(t, line, CLI_YELLOW, &text);
    line = "";
  }
  ck_buf_free(&text);
}

/* Who is to be told of what needs a person, and was not. */
static void notify_line(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  const json_t *notify = json_object_get(ck_renewd_info(info), "notify");
  int64_t failed = cli_member_int(notify, "failed", 0);
  if (!*cli_member(notify, "last_error")) return;
  ck_buf_printf(&text, "%lld %s failed: ", (long long)failed,
                ck_noun((uint64_t)failed, "message", "messages"));
  cli_safe_text(&text, ck_str_of(cli_member(notify, "last_error")), false);
  cli_line(t, "notify", CLI_RED, &text);
  ck_buf_free(&text);
}

static void artifact_line(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  int64_t behind = cli_member_int(info, "version", 0) -
                   cli_member_int(json_object_get(info, "artifacts"), "cursor", 0);
  /* A restore raises the version, so limit the number to the records that exist. */
  const json_t *records = json_object_get(info, "records");
  int64_t most = cli_member_int(records, "messages", 0) + cli_member_int(records, "executions", 0) +
                 cli_member_int(records, "sessions", 0);
  if (behind > most) behind = most;
  const char *form = cli_member(json_object_get(info, "artifacts"), "form");
  if (behind > 0)
    add_count(&text, behind,
              ck_noun((uint64_t)behind, "record behind at most", "records behind at most"));
  else
    ck_buf_text(&text, strcmp(form, "none") == 0 ? "none (artifacts.form)" : "up to date");
  cli_line(t, "artifacts", behind > 0 ? CLI_YELLOW : CLI_PLAIN, &text);
  ck_buf_free(&text);
}

/* Red: a process with a long read transaction keeps the WAL growing; when the WAL is full, the
 * store accepts nothing until somebody ends that process. */
static void wal_line(struct cli_table *t, const json_t *info) {
  const json_t *wal = json_object_get(info, "wal");
  struct ck_buf text = {0};
  const char *alarm = cli_member(wal, "alarm");
  if (!*alarm) return;
  ck_buf_printf(&text, "%lld of %lld MiB", (long long)(cli_member_int(wal, "bytes", 0) >> 20),
                (long long)(cli_member_int(wal, "limit", 0) >> 20));
  ck_buf_text(&text, strcmp(alarm, "full") == 0 ? ", and nothing is accepted" : ", and growing");
  ck_buf_printf(&text, ", until process %lld (%s) ends its read transaction",
                (long long)cli_member_int(wal, "pid", 0), cli_member(wal, "program"));
  cli_line(t, "WAL alarm", CLI_RED, &text);
  ck_buf_free(&text);
}

/* What went in and should be known, by its kind. */
static void note_lines(struct cli_table *t, json_t *notes) {
  const char *kind, *line = "noted";
  json_t *count;
  struct ck_buf text = {0};
  json_object_foreach(notes, kind, count) {
    ck_buf_count(&text, (uint64_t)json_integer_value(count));
    ck_buf_printf(&text, " × %s since ingest started", kind);
    cli_line(t, line, CLI_PLAIN, &text);
    line = "";
  }
  ck_buf_free(&text);
}

/* Input that ingest could not make a changeset of. The counts start over with ingest; the files
 * remain. */
static void ingest_lines(struct cli_table *t, const json_t *own) {
  static const struct {
    const char *member, *line, *where;
  } counts[] = {{"rejected", "quarantined", "spool/refused.jsonl has each with its reason"},
                {"unknown_names", "unknown names", "spool/unknown.jsonl has them"}};
  struct ck_buf text = {0};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) {
    int64_t n = cli_member_int(own, counts[i].member, 0);
    if (n == 0) continue;
    ck_buf_count(&text, (uint64_t)n);
    ck_buf_printf(&text, " since ingest started; %s", counts[i].where);
    cli_line(t, counts[i].line, CLI_YELLOW, &text);
  }
  note_lines(t, json_object_get(own, "notes"));
  ck_buf_free(&text);
}

static void trouble_lines(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  int64_t refused = 0, rejected = cli_member_int(info, "rejected", 0);
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(info, "producers"), i, one) refused +=
      cli_member_int(one, "refused", 0);
  if (refused) {
    add_count(&text, refused,
              ck_noun((uint64_t)refused, "changeset by the store; convkeep list refusals",
                      "changesets by the store; convkeep list refusals"));
    cli_line(t, "refused", CLI_YELLOW, &text);
  }
  if (rejected) {
    add_count(&text, rejected,
              ck_noun((uint64_t)rejected, "unreadable frame; logs/rejected.jsonl",
                      "unreadable frames; logs/rejected.jsonl"));
    cli_line(t, "rejected", CLI_YELLOW, &text);
  }
  json_array_foreach(json_object_get(info, "daemons"), i, one) {
    if (strcmp(cli_member(one, "name"), "syncd") == 0) continue; /* shown with the mirror */
    if (strcmp(cli_member(one, "name"), "ingest") == 0) {
      cli_watch_lines(t, json_object_get(json_object_get(one, "info"), "watch"), ck_now_ms());
      ingest_lines(t, json_object_get(one, "info"));
    }
    ck_buf_printf(&text, "%s error", cli_member(one, "name"));
    cli_error_line(t, ck_buf_cstr(&text), json_object_get(one, "info"));
    ck_buf_clear(&text);
  }
  ck_buf_free(&text);
}

static void pause_line(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  const json_t *row;
  size_t i;
  json_array_foreach(json_object_get(info, "pauses"), i, row) {
    if (i == 10) {
      ck_buf_text(&text, ", …");
      break;
    }
    if (i) ck_buf_text(&text, ", ");
    cli_pause_text(&text, row);
  }
  if (text.len) cli_line(t, "paused", CLI_YELLOW, &text);
  ck_buf_free(&text);
}

static void folder_line(const struct cli *c, struct cli_table *t) {
  cli_table_cell(t, CLI_DIM, CK_LIT("data"));
  cli_table_cell(t, CLI_BOLD, ck_str_of(c->dir));
}

static void print_for_people(const struct cli *c, const struct cli_presence *p,
                             const json_t *info) {
  int64_t now = cli_member_int(info, "at", ck_now_ms());
  struct cli_table *t = cli_table_new(2, NULL);
  folder_line(c, t);
  if (c->client->ring) {
    cli_table_cell(t, CLI_DIM, CK_LIT("ring"));
    cli_table_cell(t, CLI_YELLOW, CK_LIT("not running here; convkeep up starts it"));
  } else {
    daemon_lines(t, p, info, now);
  }
  cli_damage_line(t, info);
  pause_line(t, info);
  record_line(t, info);
  spool_line(t, info);
  cli_mirror_lines(t, info, NULL, NULL);
  job_line(t, info, now);
  limit_lines(t, info, now);
  notify_line(t, info);
  cli_forgetting_line(t, info);
  cli_declined_lines(t, c, info);
  artifact_line(t, info);
  wal_line(t, info);
  cli_web_lines(t, info);
  trouble_lines(t, info);
  cli_table_print(&t);
}

/* ---- without the store ---- */

/* What ingest says of itself, in the form of the store's answer; or an object without daemons. */
static json_t *ask_ingest(const struct cli *c, struct cli_presence *p) {
  struct ck_err err;
  json_t *own = p->parts[CLI_INGEST].life == CLI_RUNNING
                    ? cli_info_of(c, CK_DOOR_OBSERVE, INGEST_MS, &err)
                    : NULL;
  if (!own) {
    cli_presence_still(p, CLI_INGEST);
    return json_pack("{s:[]}", "daemons");
  }
  return json_pack("{s:[{s:s, s:o}], s:{s:I}}", "daemons", "name", "ingest", "info", own, "spool",
                   "pending", (json_int_t)cli_member_int(own, "spool_pending", 0));
}

/* The store does not answer, and somebody has said why. */
static void print_the_rest(const struct cli *c, struct cli_presence *p) {
  int64_t now = ck_now_ms();
  if (!cli_presence_any(p)) return;
  cli_presence_still(p, CLI_STORE);
  json_t *info = ask_ingest(c, p);
  if (c->json) {
    json_object_set_new(info, "ring", cli_presence_json(p));
    cli_json_line(info);
  } else {
    struct cli_table *t = cli_table_new(2, NULL);
    folder_line(c, t);
    daemon_lines(t, p, NULL, now);
    if (json_object_get(info, "spool")) spool_line(t, info);
    trouble_lines(t, info);
    cli_table_print(&t);
  }
  json_decref(info);
}

/* ---- the command ---- */

static int add_pauses(struct cli *c, json_t *info) {
  json_t *rows;
  int rc = cli_pauses(c, &rows);
  if (rc == CLI_GO_ON) json_object_set_new(info, "pauses", rows);
  return rc;
}

/* With a ring that runs, no store is started beside it: then the store is missing, which is what
 * status has to say. */
static int ask_store(struct cli *c, json_t **info) {
  struct cli_presence p;
  cli_presence_look(c, &p);
  bool any = cli_presence_any(&p);
  if (any && cli_store_is_here(c) && p.parts[CLI_STORE].life == CLI_STOPPED) return cli_nobody(c);
  int rc = cli_connect(c, false, any ? 0 : CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_status_of(c, info);
  return rc == CLI_GO_ON ? add_pauses(c, *info) : rc;
}

static int run(struct cli *c, int argc, char **argv) {
  json_t *info = NULL;
  struct cli_presence p;
  int rc = cli_options(c, &argc, argv, NULL);
  if (rc == CLI_GO_ON) rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc != CLI_GO_ON) return rc;
  rc = ask_store(c, &info);
  cli_presence_look(c, &p);
  if (rc == CLI_NOBODY) print_the_rest(c, &p);
  if (rc != CLI_GO_ON) return rc;
  cli_hide_private(c, info);
  find_still(&p, info, cli_member_int(info, "at", ck_now_ms()));
  json_object_set_new(info, "ring", c->client->ring ? json_null() : cli_presence_json(&p));
  if (c->json)
    cli_json_line(info);
  else
    print_for_people(c, &p, info);
  json_decref(info);
  return CLI_DONE;
}

const struct cli_command cli_status = {
    "status",
    CLI_TO_RUN,
    "show what runs, what is stored, what is behind, what went wrong",
    NULL,
    NULL,
    "If no ring runs, the answer comes from the data folder, and no daemon is listed.\n"
    "If a ring runs whose store does not answer, prints what is known without it and exits 3.\n\n"
    "--json prints one object: version (the newest) · records {table: count} ·\n"
    "producers [{id, applied, refused}] · spool {pending} · sync {SINK: {cursor, pending,\n"
    "behind_ms, in_flight, backlog, workers, rate, today, paused, alarm, last_error,\n"
    "dead_letters}} · sync_unused [{mirror, cursor}] · jobs {pending, due, running, done, failed, "
    "superseded, unknown, next_due_at,\n"
    "lateness} · artifacts {cursor, form} · search {cursor, behind} ·\n"
    "wal {bytes, limit, alarm, pid, program} · rejected ·\n"
    "daemons [{name, id, host, pid, up_since, seen_at, info}] · store_id · floor · at ·\n"
    "alarm · ring {up, store, ingest, renewd, webd: {state, pid, since, stopped_by_signal,\n"
    "restart_at, failures, reason}, syncd: {SINK: the same}} · pauses [{kind, name, at, until}]; "
    "state is stopped, "
    "restarting, starting, running or still.",
    run,
    NULL};
