/* convkeep ping NAME: does that daemon answer? For health checks, so it starts nothing and waits 2
 * s at most. */
#include "cli/client.h"

#include <stdio.h>
#include <string.h>
#include "cli/out.h"
#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/hostname.h"

#define ANSWER_MS 2000
#define FRESH_MS 5000

/* Whether a daemon without a door of its own has reported to the store within FRESH_MS. If several
 * of that name have, or with `here`, it must be one on this host. */
static bool seen(const json_t *info, const char *name, bool here) {
  int64_t now = cli_member_int(info, "at", ck_now_ms());
  int several = 0, ours = 0;
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (strcmp(cli_member(daemon, "name"), name) != 0 ||
        now - cli_member_int(daemon, "seen_at", 0) > FRESH_MS)
      continue;
    ++several;
    ours += strcmp(cli_member(daemon, "host"), ck_hostname()) == 0;
  }
  return ours > 0 || (several == 1 && !here);
}

static int ping(struct cli *c, const char *name, bool here) {
  struct ck_err err;
  bool own_door = strcmp(name, "ingest") == 0;
  json_t *info = cli_info_of(c, own_door ? CK_DOOR_OBSERVE : CK_DOOR_SNAPSHOT, ANSWER_MS, &err);
  if (!info) {
    return cli_fail(c, CLI_NOBODY, name, "%s; is it up? see logs/%s.log", err.text,
                    own_door ? name : "store");
  }
  bool there = own_door || strcmp(name, "store") == 0 || seen(info, name, here);
  json_decref(info);
  if (there) return CLI_DONE;
  return cli_fail(c, CLI_NOBODY, name, "the store has not heard from it for %d s; see logs/%s.log",
                  FRESH_MS / 1000, name);
}

struct wish {
  bool here;
};

static int run(struct cli *c, int argc, char **argv) {
  struct wish wish = {0};
  int rc = cli_options(c, &argc, argv, &wish);
  if (rc != CLI_GO_ON) return rc;
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc == CLI_GO_ON) rc = ping(c, argv[1], wish.here);
  ck_context_end();
  return rc;
}

static const struct cli_argument arguments[] = {
    CLI_ARGUMENT("store|ingest|renewd|webd|syncd", CLI_CHOICE, 0), {0}};
static const struct cli_option options[] = {
    CLI_FLAG("here", struct wish, here, "only one on this host will do"), {0}};

const struct cli_command cli_ping = {
    "ping",
    CLI_TO_RUN,
    "does a daemon answer? (for health checks)",
    arguments,
    options,
    "Exit 0 if it does, 3 if not; prints nothing to standard output and starts nothing. store and\n"
    "ingest are asked directly; for the others the store is asked whether they reported in the "
    "last 5 s.\n"
    " If several of that name run, it must be one on this host; with --here, always.",
    run,
    NULL};
