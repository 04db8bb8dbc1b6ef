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
    cli_error(c, name, "%s: is it up? see logs/%s.log", err.text, own_door ? name : "store");
    return CLI_NOBODY;
  }
  bool there = own_door || strcmp(name, "store") == 0 || seen(info, name, here);
  json_decref(info);
  if (!there)
    cli_error(c, name, "the store has not heard from it for %d s: see logs/%s.log", FRESH_MS / 1000,
              name);
  return there ? CLI_DONE : CLI_NOBODY;
}

static int run(struct cli *c, int argc, char **argv) {
  bool here = false;
  const struct cli_option options[] = {{"here", NULL, &here}, {NULL, NULL, NULL}};
  int rc =
      cli_options(c, &argc, argv, (struct cli_syntax){.options = options, .least = 1, .most = 1});
  if (rc != CLI_GO_ON) return rc;
  bool known = false;
  for (int i = 0; i < CLI_PARTS; ++i) known = known || strcmp(cli_part_names[i], argv[1]) == 0;
  if (!known) return cli_usage_error(c, argv[1], "must be store, ingest, renewd or syncd");
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, false);
  if (rc == CLI_GO_ON) rc = ping(c, argv[1], here);
  ck_context_end();
  return rc;
}

const struct cli_command cli_ping = {
    "ping", "store|ingest|renewd|syncd [--here]", "does a daemon answer? (for health checks)",
    "Exit 0 if it does, 3 if not; prints nothing to standard output and starts nothing. store and\n"
    "ingest are asked directly; for renewd and syncd the store is asked whether they reported in\n"
    "the last 5 s. If several of that name run, it must be one on this host; with --here, always.",
    run};
