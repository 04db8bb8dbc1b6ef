/* convkeep sync …: dispatches to the sub-commands (sync.h) and prints `sync status`. */
#include "cli/sync/sync.h"

#include <string.h>
#include "cli/mirror_lines.h"
#include "cli/rows.h"
#include "cli/status.h"
#include "cli/time.h"
#include "proto/clock.h"

static void rate_line(struct cli_table *t, const json_t *rate) {
  struct ck_buf text = {0};
  int64_t held = cli_member_int(rate, "held_ms", 0),
          sink_left = cli_member_int(rate, "sink_left", -1);
  ck_buf_printf(&text, "%lld of %lld requests in the last 5 minutes, %lld possible now",
                (long long)cli_member_int(rate, "used", 0),
                (long long)cli_member_int(rate, "limit", 0),
                (long long)cli_member_int(rate, "left", 0));
  if (sink_left >= 0) ck_buf_printf(&text, "; the mirror accepts %lld more", (long long)sink_left);
  if (held) {
    ck_buf_text(&text, "; none for the next ");
    cli_seconds_text(&text, held);
  }
  cli_line(t, "rate", held ? CLI_YELLOW : CLI_PLAIN, &text);
  ck_buf_free(&text);
}

/* Why nothing is sent for a while, and when that ends. */
static void hold_line(struct cli_table *t, const json_t *hold, int64_t now) {
  struct ck_buf text = {0};
  int64_t until = cli_member_int(hold, "until", 0);
  if (!until) return;
  ck_buf_printf(&text, "%s, until ", cli_member(hold, "class"));
  cli_time_text(&text, until);
  ck_buf_text(&text, " (");
  cli_relative_text(&text, until, now);
  ck_buf_text(&text, "): ");
  cli_safe_text(&text,
                ck_str_of(*cli_member(hold, "reason") ? cli_member(hold, "reason")
                                                      : "the mirror told a task to wait"),
                false);
  cli_line(t, "held", CLI_YELLOW, &text);
  ck_buf_free(&text);
}

/* How the last comparison ended, and how long ago. */
static void check_line(struct cli_table *t, const json_t *check, int64_t now) {
  struct ck_buf text = {0};
  int64_t wrong = cli_member_int(check, "wrong", 0), skipped = cli_member_int(check, "skipped", 0);
  if (!*cli_member(check, "task")) return;
  ck_buf_printf(&text, "%lld records, ", (long long)cli_member_int(check, "records", 0));
  if (wrong)
    ck_buf_printf(&text, "%lld wrong", (long long)wrong);
  else
    ck_buf_text(&text, "right");
  if (skipped) ck_buf_printf(&text, ", %lld not compared", (long long)skipped);
  ck_buf_printf(&text, " (%s, ", cli_member(check, "task"));
  cli_seconds_text(&text, now - cli_member_int(check, "at", now));
  ck_buf_text(&text, " ago)");
  cli_line(t, "compared", wrong ? CLI_RED : CLI_PLAIN, &text);
  ck_buf_free(&text);
}

/* The request rate, what was written today, and paused tables. */
static void cost_lines(struct cli_table *t, const json_t *sync) {
  const json_t *today = json_object_get(sync, "today"), *paused = json_object_get(sync, "paused"),
               *table;
  struct ck_buf text = {0};
  size_t i;
  if (cli_member_int(json_object_get(sync, "rate"), "limit", 0))
    rate_line(t, json_object_get(sync, "rate"));
  int64_t written = cli_member_int(today, "written", 0),
          requests = cli_member_int(today, "requests", 0);
  ck_buf_printf(&text, "%lld %s written in %lld %s (UTC)", (long long)written,
                ck_noun((uint64_t)written, "row", "rows"), (long long)requests,
                ck_noun((uint64_t)requests, "request", "requests"));
  cli_line(t, "today", CLI_PLAIN, &text);
  json_array_foreach(paused, i, table) ck_buf_printf(
      &text, "%s%s", i ? ", " : "", json_string_value(table) ? json_string_value(table) : "?");
  if (text.len) cli_line(t, "paused", CLI_RED, &text);
  ck_buf_free(&text);
}

/* own: what the worker reports of itself. */
static void work_text(struct ck_buf *b, const json_t *own) {
  size_t held = json_array_size(json_object_get(own, "held"));
  int64_t requests = cli_member_int(own, "requests", 0), rows = cli_member_int(own, "rows", 0);
  ck_buf_printf(b, ", %zu %s in hand, %lld of them waiting", held,
                ck_noun(held, "batch", "batches"), (long long)cli_member_int(own, "parked", 0));
  ck_buf_printf(b, ", %lld %s, %lld %s, up ", (long long)requests,
                ck_noun((uint64_t)requests, "request", "requests"), (long long)rows,
                ck_noun((uint64_t)rows, "row", "rows"));
}

/* sink, mirror: whose workers. NULL: those of sinks that the store does not have. */
static int worker_lines(struct cli_table *t, const json_t *info, const char *sink,
                        const json_t *mirror) {
  const json_t *daemon, *all = json_object_get(info, "sync");
  int64_t now = cli_member_int(info, "at", ck_now_ms());
  struct ck_buf text = {0};
  int workers = 0;
  size_t i;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    const json_t *own = json_object_get(daemon, "info");
    const char *its = cli_member(own, "sink");
    bool shown = sink ? strcmp(its, sink) == 0 : !json_object_get(all, its);
    if (strcmp(cli_member(daemon, "name"), "syncd") != 0 || !shown) continue;
    ++workers;
    ck_buf_printf(&text, "%s, %s", cli_member(daemon, "id"),
                  *cli_member(own, "state") ? cli_member(own, "state") : "?");
    work_text(&text, own);
    cli_seconds_text(&text, now - cli_member_int(daemon, "up_since", now));
    cli_line(t, "worker", CLI_PLAIN, &text);
    bool said = strcmp(cli_member(own, "last_error"), cli_member(mirror, "last_error")) == 0;
    if (!said) cli_error_line(t, "worker error", own);
  }
  ck_buf_free(&text);
  return workers;
}

/* What `sync status` says of a mirror besides what `status` does. */
static void more_lines(struct cli_table *t, const json_t *info, const char *sink,
                       const json_t *mirror) {
  struct ck_buf text = {0};
  int64_t now = cli_member_int(info, "at", ck_now_ms());
  hold_line(t, json_object_get(mirror, "hold"), now);
  cost_lines(t, mirror);
  check_line(t, json_object_get(mirror, "check"), now);
  if (!worker_lines(t, info, sink, mirror)) {
    ck_buf_printf(&text, "none running for %s; convkeep up starts one", sink);
    cli_line(t, "worker", CLI_YELLOW, &text);
  }
  ck_buf_free(&text);
}

/* One line for each mirror, or for the only one. */
static void print_json(const json_t *info, const char *only) {
  json_t *all = json_object_get(info, "sync"), *mirror;
  const char *sink;
  json_object_foreach(all, sink, mirror) {
    if (only && strcmp(sink, only) != 0) continue;
    json_t *line =
        json_pack("{s:s, s:O}", "sink", sink, "version", json_object_get(info, "version"));
    json_object_update(line, mirror);
    cli_json_line(line);
    json_decref(line);
  }
}

static int find_mirror(struct cli *c, const json_t *info, const char *sink) {
  if (json_object_get(json_object_get(info, "sync"), sink)) return CLI_GO_ON;
  cli_error(c, "--sink", "the store has no mirror in %s", sink);
  return CLI_FAILED;
}

static int sync_status(struct cli *c, const char *sink) {
  json_t *info;
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE));
  if (rc == CLI_GO_ON) rc = cli_status_of(c, &info);
  if (rc != CLI_GO_ON) return rc;
  cli_hide_private(c, info);
  if (sink) rc = find_mirror(c, info, sink);
  if (rc == CLI_GO_ON && c->json) {
    print_json(info, sink);
  } else if (rc == CLI_GO_ON) {
    struct cli_table *t = cli_table_new(2, NULL);
    cli_mirror_lines(t, info, sink, more_lines);
    if (!sink) worker_lines(t, info, NULL, NULL);
    cli_table_print(&t);
  }
  json_decref(info);
  return rc == CLI_GO_ON ? CLI_DONE : rc;
}

int cli_sinks(struct cli *c, const char *named, bool one, struct cli_sinks *sinks) {
  int rc = cli_load(c);
  if (rc != CLI_GO_ON) return rc;
  const char *all = ck_set_text(c->settings, CK_SET_SYNC_SINKS), *sink;
  *sinks = (struct cli_sinks){0};
  for (int i = 0; (sink = ck_set_word(c->settings, CK_SET_SYNC_SINKS, i)); ++i)
    if (!named || strcmp(named, sink) == 0) sinks->at[sinks->n++] = sink;
  if (!sinks->n) return cli_usage_error(c, "--sink", "%s: sync.sinks has %s", named, all);
  if (one && sinks->n > 1)
    return cli_usage_error(c, NULL, "say in which sink, with --sink: sync.sinks has %s", all);
  return CLI_GO_ON;
}

struct wish {
  bool old, apply, indexes, deep;
  const char *sink;
};

/* Which sub-commands are for one sink. */
static bool is_for_one(const char *word, const struct wish *w) {
  return strcmp(word, "backfill") == 0 || strcmp(word, "adopt") == 0 ||
         (strcmp(word, "schema") == 0 && !w->apply);
}

static int run_named(struct cli *c, const struct wish *w, const char *word, const char *key) {
  struct cli_sinks sinks;
  int rc = cli_sinks(c, w->sink, is_for_one(word, w), &sinks);
  if (rc != CLI_GO_ON) return rc;
  if (strcmp(word, "retry") == 0) return cli_sync_retry(c, &sinks, key);
  if (strcmp(word, "backfill") == 0) return cli_sync_backfill(c, sinks.at[0], false);
  if (strcmp(word, "adopt") == 0) return cli_sync_backfill(c, sinks.at[0], true);
  if (strcmp(word, "schema") == 0)
    return w->apply ? cli_sync_apply(c, &sinks, w->indexes)
           : w->old ? cli_sync_show(c, sinks.at[0], w->indexes)
                    : cli_sync_print(c, sinks.at[0], w->indexes);
  return cli_sync_check(c, &sinks, strcmp(word, "repair") == 0, w->deep);
}

static int run(struct cli *c, int argc, char **argv) {
  struct wish w = {0};
  int rc = cli_options(c, &argc, argv, &w);
  if (rc != CLI_GO_ON) return rc;
  bool schema = strcmp(argv[1], "schema") == 0, mend = strcmp(argv[1], "repair") == 0,
       check = mend || strcmp(argv[1], "verify") == 0;
  if ((w.old || w.apply || w.indexes) && !schema)
    return cli_usage_error(c,
                           w.old     ? "--old"
                           : w.apply ? "--apply"
                                     : "--indexes",
                           "only for sync schema");
  if (w.old && w.apply)
    return cli_usage_error(c, "--old", "not with --apply, which runs what it prints");
  if (w.deep && !check) return cli_usage_error(c, "--deep", "only for sync verify and sync repair");
  bool retry = strcmp(argv[1], "retry") == 0;
  if (argc > 2 && !retry) return cli_usage_error(c, argv[2], "unexpected argument");
  if (strcmp(argv[1], "status") == 0) return sync_status(c, w.sink);
  return run_named(c, &w, argv[1], argc > 2 ? argv[2] : NULL);
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("status|verify|repair|retry|backfill|schema|adopt", CLI_CHOICE, 0),
    CLI_ARGUMENT("KEY", CLI_ID, CLI_OPTIONAL),
    {0}};
static const struct cli_option options[] = {
    CLI_VALUE("sink", CLI_CHOICE, "sqlite|d1|postgres|null", struct wish, sink,
              "only that mirror; without it, all that sync.sinks names, one after the other; "
              "backfill, adopt and schema without --apply are for one"),
    CLI_FLAG("deep", struct wish, deep,
             "verify, repair: also compares every column of every row; continues an interrupted "
             "one"),
    CLI_FLAG("apply", struct wish, apply,
             "schema: prepares the mirror's database, whichever it is, and reports what it did"),
    CLI_FLAG("old", struct wish, old,
             "schema: looks at the mirror's database, the predecessor's perhaps, and prints what "
             "--apply would run"),
    CLI_FLAG("indexes", struct wish, indexes,
             "schema: also the predecessor's other indexes, with what each costs"),
    {0}};

const struct cli_command cli_sync = {
    "sync",
    CLI_TO_RUN,
    "show, check, repair or fill the mirrors",
    arguments,
    options,
    "  status    how far each mirror is, who writes it, what went wrong\n"
    "  verify    compares database and mirror while both are in use: rows that are missing, of\n"
    "            another version, or extra; exit 1 if there are any\n"
    "  repair    the same, then writes only what differs; exit 1 if something remains\n"
    "  retry     sends what the mirror refused again: all dead letters, or those of the record\n"
    "            with that KEY\n"
    "  backfill  fills an empty or old mirror: sends every record once more, alongside new\n"
    "            changes; if the command is interrupted, the ring continues; running it again\n"
    "            waits for the end\n"
    "  schema    prints the SQL that prepares an empty database as the mirror\n"
    "  adopt     takes over a mirror that does not fit this store (`status` says so): sends\n"
    "            everything, then `repair --deep`, which also deletes rows of another store",
    run,
    NULL};
