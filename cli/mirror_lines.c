/* See mirror_lines.h. */
#include "cli/mirror_lines.h"

#include <string.h>

#include "cli/damage_line.h"
#include "cli/rows.h"
#include "cli/status.h"
#include "cli/time.h"
#include "proto/clock.h"

/* In red and before the details, so that a stalled mirror is not overlooked. */
static void alarm_line(struct cli_table *t, const char *sink, const json_t *sync) {
  static const char *const alarms[][2] = {
      {"no_worker", "no syncd is running; convkeep up starts one"},
      {"stopped", "the mirror refuses everything until somebody repairs that"},
      {"table", "a table of the mirror is paused until somebody repairs it"},
      {"stalled", "nothing gets into the mirror"},
      {"stuck", "some changes do not get into the mirror, while others do"}};
  struct ck_buf text = {0};
  for (size_t i = 0; i < sizeof alarms / sizeof *alarms; ++i) {
    if (strcmp(cli_member(sync, "alarm"), alarms[i][0]) != 0) continue;
    ck_buf_printf(&text, "%s: %s", sink, alarms[i][1]);
    ck_buf_text(&text, ", for ");
    cli_seconds_text(&text, cli_member_int(sync, "behind_ms", 0));
    cli_line(t, "mirror alarm", CLI_RED, &text);
  }
  ck_buf_free(&text);
}

/* The mirror's witness does not fit this store: nothing is written until a person decides. */
static const char *witness_reason(const json_t *sync) {
  return *cli_member(sync, "alarm") ? cli_member(json_object_get(sync, "witness"), "reason") : "";
}

/* The witness of another mirror says that the database was set back; this one fits. */
static bool is_held(const json_t *sync) { return strcmp(cli_member(sync, "alarm"), "held") == 0; }

static void witness_lines(struct cli_table *t, const char *sink, const json_t *sync) {
  struct ck_buf text = {0};
  if (!*witness_reason(sync)) return;
  ck_buf_printf(&text, "%s: %s: ", sink, cli_member(sync, "alarm"));
  cli_safe_text(&text, ck_str_of(witness_reason(sync)), false);
  cli_line(t, "mirror alarm", CLI_RED, &text);
  if (is_held(sync))
    ck_buf_text(&text, "nothing is written to it until that mirror is settled");
  else
    ck_buf_text(&text, "nothing is written to it, and follow-ups were paused; what to do:"
                       " docs/operations.md, \"When the mirror does not fit\"");
  cli_line(t, "", CLI_RED, &text);
  ck_buf_free(&text);
}

static bool unproven(const json_t *sync) { return json_is_true(json_object_get(sync, "unproven")); }

/* … --sink NAME, unless there is no other mirror that the command would repair, too. */
static void repair_command(struct ck_buf *b, const json_t *info, const char *sink, bool deep) {
  bool several = json_object_size(json_object_get(info, "sync")) > 1;
  ck_buf_printf(b, "convkeep sync repair%s%s%s", deep ? " --deep" : "", several ? " --sink " : "",
                several ? sink : "");
}

/* After a restore, or when a mirror was taken over. */
static void unproven_line(struct cli_table *t, const json_t *info, const char *sink,
                          const json_t *sync) {
  struct ck_buf text = {0};
  if (!unproven(sync) || cli_is_damaged(info)) return;
  ck_buf_printf(&text,
                "%s: may have rows of another time: it is compared, column by column, and"
                " repaired by itself; ",
                sink);
  repair_command(&text, info, sink, true);
  ck_buf_text(&text, " does it now");
  cli_line(t, "", CLI_YELLOW, &text);
  ck_buf_free(&text);
}

/* What the last comparison found, or the last repair left; nothing repairs it by itself, because
 * somebody may have meant it. */
static int64_t wrong(const json_t *sync) {
  return cli_member_int(json_object_get(sync, "check"), "wrong", 0);
}

static void wrong_line(struct cli_table *t, const json_t *info, const char *sink,
                       const json_t *sync) {
  int64_t now = cli_member_int(info, "at", ck_now_ms());
  const json_t *check = json_object_get(sync, "check");
  const char *task = cli_member(check, "task");
  bool left = strncmp(task, "repair", 6) == 0;
  struct ck_buf text = {0};
  if (!wrong(sync)) return;
  ck_buf_printf(&text, "%s: ", sink);
  ck_buf_count(&text, (uint64_t)wrong(sync));
  ck_buf_printf(&text, " %s ", ck_noun((uint64_t)wrong(sync), "row", "rows"));
  ck_buf_text(&text, left               ? "could not be repaired ("
                     : wrong(sync) == 1 ? "differs from the database ("
                                        : "differ from the database (");
  ck_buf_printf(&text, "%s, ", task);
  cli_seconds_text(&text, now - cli_member_int(check, "at", now));
  ck_buf_text(&text, " ago); ");
  if (cli_is_damaged(info)) {
    ck_buf_text(&text, "do not repair it before the database is right: convkeep doctor");
  } else {
    ck_buf_text(&text, left ? "" : "if convkeep doctor finds the database sound, ");
    repair_command(&text, info, sink, strstr(task, "deep") != NULL);
    ck_buf_text(&text,
                left ? " tries it again; logs/syncd.log names them" : " writes what differs");
  }
  cli_line(t, "mirror wrong", CLI_RED, &text);
  ck_buf_free(&text);
}

static void mirror_line(struct cli_table *t, const json_t *info, const char *sink,
                        const json_t *sync) {
  struct ck_buf text = {0};
  int64_t pending = cli_member_int(sync, "pending", 0),
          behind = cli_member_int(sync, "behind_ms", 0);
  ck_buf_printf(&text, "%s, ", sink);
  if (pending) ck_buf_count(&text, (uint64_t)pending);
  ck_buf_text(&text, is_held(sync) && !pending           ? "held"
                     : *witness_reason(sync) && !pending ? "not this store's"
                     : pending == 0
                         ? wrong(sync) ? "has everything, but not right" : "up to date"
                         : ck_noun((uint64_t)pending, " record behind", " records behind"));
  if (pending && behind >= 1000) {
    ck_buf_text(&text, ", the oldest for ");
    cli_seconds_text(&text, behind);
  }
  int64_t batches = cli_member_int(sync, "in_flight", 0);
  if (batches)
    ck_buf_printf(&text, ", %lld %s under way", (long long)batches,
                  ck_noun((uint64_t)batches, "batch", "batches"));
  int64_t backlog = cli_member_int(sync, "backlog", 0);
  if (backlog)
    ck_buf_printf(&text, ", a backlog of %lld %s", (long long)backlog,
                  ck_noun((uint64_t)backlog, "version", "versions"));
  ck_buf_printf(&text, " (at version %lld of %lld)", (long long)cli_member_int(sync, "cursor", 0),
                (long long)cli_member_int(info, "version", 0));
  cli_line(t, "mirror",
           *cli_member(sync, "alarm") || wrong(sync) ? CLI_RED
           : pending || unproven(sync)               ? CLI_YELLOW
                                                     : CLI_GREEN,
           &text);
  ck_buf_free(&text);
}

static void dead_letter_line(struct cli_table *t, const char *sink, const json_t *sync) {
  int64_t dead = cli_member_int(sync, "dead_letters", 0);
  struct ck_buf text = {0};
  if (!dead) return;
  ck_buf_printf(&text, "%lld %s refused by the mirror in %s; convkeep list dead-letters",
                (long long)dead, ck_noun((uint64_t)dead, "row", "rows"), sink);
  cli_line(t, "dead letters", CLI_RED, &text);
  ck_buf_free(&text);
}

static void unused_lines(struct cli_table *t, const json_t *info) {
  struct ck_buf text = {0};
  const json_t *one;
  size_t i;
  json_array_foreach(json_object_get(info, "sync_unused"), i, one) {
    cli_safe_text(&text, ck_str_of(cli_member(one, "mirror")), false);
    ck_buf_printf(&text, ", not used: sync.sinks does not name it (at version %lld)",
                  (long long)cli_member_int(one, "cursor", 0));
    cli_line(t, "mirror", CLI_DIM, &text);
  }
  ck_buf_free(&text);
}

void cli_mirror_lines(struct cli_table *t, const json_t *info, const char *only,
                      void (*more)(struct cli_table *t, const json_t *info, const char *sink,
                                   const json_t *mirror)) {
  json_t *all = json_object_get(info, "sync"), *sync;
  const char *sink;
  json_object_foreach(all, sink, sync) {
    if (only && strcmp(sink, only) != 0) continue;
    mirror_line(t, info, sink, sync);
    alarm_line(t, sink, sync);
    witness_lines(t, sink, sync);
    wrong_line(t, info, sink, sync);
    unproven_line(t, info, sink, sync);
    dead_letter_line(t, sink, sync);
    cli_error_line(t, "mirror error", sync);
    if (more) more(t, info, sink, sync);
  }
  if (!only) unused_lines(t, info);
}
