/* See await.h. */
#include "cli/import/await.h"

#include <poll.h>
#include "cli/import/send.h"
#include "cli/out.h"
#include "cli/task.h"
#include "proto/clock.h"

#define LOOK_MS 20
#define PACKING_MS 5000 /* without any progress */

/* Packing only saves room: it is not waited for if it does not get on. */
static bool packs(const json_t *info, int64_t *waiting, int64_t *moved_at) {
  int64_t now = ck_boot_ms(),
          left = cli_member_int(json_object_get(info, "originals"), "waiting", 0);
  if (left != *waiting) *moved_at = now;
  *waiting = left;
  return left > 0 && now - *moved_at < PACKING_MS;
}

int cli_await_files(struct cli *c) {
  int64_t waiting = -1, moved_at = 0;
  while (c->client->ring && !cli_interrupted()) {
    json_t *info;
    int rc = cli_status_of(c, &info);
    if (rc != CLI_GO_ON) return rc;
    int64_t version = cli_member_int(info, "version", 0),
            files = cli_member_int(json_object_get(info, "artifacts"), "cursor", 0);
    bool packing = packs(info, &waiting, &moved_at);
    json_decref(info);
    if (files >= version && !packing) break;
    if (files < version)
      cli_progress("readable files", (uint64_t)files, (uint64_t)version);
    else
      cli_progress("packing originals", 0, 0);
    cli_ring_step(c->client->ring);
    poll(NULL, 0, LOOK_MS);
  }
  cli_progress_clear();
  return CLI_DONE;
}
