/* The connection to the store, and asking it (client.h). The queries: query.c. Writes: writer.c. */
#include "cli/client.h"

#include "cli/presence.h"

#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/doors.h"
#include "proto/file.h"
#include "proto/lock.h"

#define ANSWER_MS 1000   /* one try */
#define PATIENCE_MS 6000 /* all tries; long enough for a restart of the store */
#define START_MS 30000   /* the store may have to recover a long WAL first */

/* A `convkeep up` runs on this folder, so it restarts a store that died. */
static bool up_runs(void) { return !ck_lock_is_free(CLI_UP_LOCK); }

bool cli_store_is_here(const struct cli *c) {
  return strncmp(cli_store_place(c), "ipc://", 6) == 0;
}

int cli_nobody(const struct cli *c) {
  struct cli_presence p;
  struct ck_buf what = {0};
  cli_presence_look(c, &p);
  if (cli_store_is_here(c) && cli_presence_any(&p)) {
    cli_presence_still(&p, CLI_STORE);
    cli_presence_text(&what, &p, CLI_STORE, ck_now_ms());
    cli_fail(c, CLI_NOBODY, cli_store_place(c), "the store of %s does not answer: %s", c->dir,
             ck_buf_cstr(&what));
  } else {
    cli_fail(c, CLI_NOBODY, cli_store_place(c),
             "no store answers; start the ring on %s with convkeep up; if it is up, see "
             "logs/store.log",
             c->dir);
  }
  ck_buf_free(&what);
  return CLI_NOBODY;
}

/* No store runs on this folder, nor will `up` start one in a moment. Lock files tell only about
 * this machine, so a store behind a tcp door is never missing. */
static bool store_missing(const struct cli *c) {
  return cli_store_is_here(c) && ck_lock_is_free(CK_PLACE_DATABASE) && !up_runs();
}

/* An ingest that runs takes an import into its spool, also while its store is away. */
static bool ring_missing(const struct cli *c, unsigned parts) {
  bool taken = (parts & CLI_PART(CLI_INGEST)) && !ck_lock_is_free(CK_PLACE_SPOOL);
  return !taken && store_missing(c);
}

/* 1: ready. 0: another store or ingest runs on this folder. -1: the reason is in err. */
static int start_parts(struct cli *c, unsigned parts, struct ck_err *err) {
  struct cli_client *k = c->client;
  k->ring = cli_ring_new(c, parts, SIGTERM, false, err);
  if (!k->ring) return -1;
  for (int64_t until = ck_boot_ms() + START_MS; !cli_ring_ready(k->ring);) {
    struct pollfd fds[CLI_RING_FDS];
    int wait = cli_ring_step(k->ring);
    if (cli_ring_ready(k->ring)) break;
    if (cli_ring_failed(k->ring, err)) return -1;
    if (cli_ring_elsewhere(k->ring)) {
      cli_ring_end(&k->ring);
      return 0;
    }
    if (ck_boot_ms() > until)
      return ck_fail(err, "the store was not ready within %d s; see logs/store.log",
                     START_MS / 1000);
    poll(fds, (nfds_t)cli_ring_fds(k->ring, fds), wait < 0 ? ANSWER_MS : wait);
  }
  return 1;
}

/* Starts a private ring, since none is running on this folder. */
static int start_private(struct cli *c, unsigned parts) {
  struct ck_err err;
  cli_add_set(c, "ingest.watch=off"); /* it lasts no longer than the command */
  if (start_parts(c, parts, &err) >= 0) return CLI_GO_ON;
  cli_error(c, c->dir, "%s", err.text);
  return CLI_FAILED;
}

/* Something that a store makes is there: a store that is started without a database says which. */
static bool store_was_here(const struct cli *c) {
  const char *const left[] = {CK_PLACE_WITNESS, CK_PLACE_DATABASE "?*", "artifacts/*",
                              "spool/released", ck_set_text(c->settings, CK_SET_SYNC_SQLITE_FILE)};
  bool found = false;
  for (size_t i = 0; i < sizeof left / sizeof *left && !found; ++i) {
    glob_t paths;
    found = glob(left[i], GLOB_NOSORT, NULL, &paths) == 0;
    if (found) globfree(&paths);
  }
  return found;
}

bool cli_up_ended(const struct cli *c) { return c->client->up_ran && !up_runs(); }

int cli_connect(struct cli *c, bool create, unsigned parts) {
  int rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, create);
  if (rc != CLI_GO_ON) return rc;
  c->client = ck_zalloc(sizeof *c->client);
  c->client->starts_beside = parts != 0;
  c->client->up_ran = up_runs();
  if (parts && cli_store_is_here(c) && !create && access(CK_PLACE_DATABASE, F_OK) &&
      !store_was_here(c))
    return cli_fail(c, CLI_NOBODY, c->dir,
                    "no database there yet; start with convkeep up or convkeep import FILE");
  if (parts && ring_missing(c, parts)) rc = start_private(c, parts);
  if (rc != CLI_GO_ON) return rc;
  struct ck_err err;
  c->client->snapshot = ck_door_connect(c->settings, CK_DOOR_SNAPSHOT, &err);
  if (c->client->snapshot) return CLI_GO_ON;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

void cli_disconnect(struct cli *c) {
  struct cli_client *k = c->client;
  if (!k) return;
  cli_writer_free(&k->writer);
  ck_door_close(&k->snapshot, 0);
  ck_context_end();
  cli_ring_end(&k->ring);
  free(k);
  c->client = NULL;
}

/* ---- asking it ---- */

static int reconnect(struct cli *c) {
  struct ck_err err;
  ck_door_close(&c->client->snapshot, 0);
  c->client->snapshot = ck_door_connect(c->settings, CK_DOOR_SNAPSHOT, &err);
  if (c->client->snapshot) return CLI_GO_ON;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

static int step_private(struct cli *c) {
  struct ck_err err;
  cli_ring_step(c->client->ring);
  if (!cli_ring_failed(c->client->ring, &err)) return CLI_GO_ON;
  cli_error(c, c->dir, "%s", err.text);
  return CLI_FAILED;
}

static bool may_start(const struct cli *c) {
  struct cli_presence p;
  if (!store_missing(c)) return false;
  cli_presence_look(c, &p);
  return c->client->starts_beside || !cli_presence_any(&p);
}

/* After an unanswered request: restarts a private store that died, or starts one if the ring has
 * ended since. Then reconnects. */
static int look_around(struct cli *c) {
  struct cli_client *k = c->client;
  int rc = CLI_GO_ON;
  if (k->ring)
    rc = step_private(c);
  else if (may_start(c))
    rc = start_private(c, CLI_PART(CLI_STORE));
  return rc == CLI_GO_ON ? reconnect(c) : rc;
}

int cli_ask_about(struct cli *c, const char *where, struct ck_message *request,
                  struct ck_message *answer, zmq_msg_t *frame) {
  struct ck_err err;
  int64_t until = ck_boot_ms() + PATIENCE_MS;
  for (;;) {
    int64_t asked = ck_boot_ms();
    *answer = (struct ck_message){0};
    if (ck_ask(c->client->snapshot, request, answer, frame, ANSWER_MS, &err) == 0) return CLI_GO_ON;
    if (answer->kind == CK_MSG_PROBLEM && ck_boot_ms() - asked < ANSWER_MS)
      return ck_str_is(answer->as.problem.code, CK_BAD_CURSOR)
                 ? cli_usage_error(c, "--next", "%s", err.text)
                 : cli_fail(c, CLI_FAILED, where, "%s", err.text);
    if (ck_boot_ms() >= until) return cli_nobody(c);
    int rc = look_around(c);
    if (rc != CLI_GO_ON) return rc;
  }
}

int cli_ask(struct cli *c, struct ck_message *request, struct ck_message *answer,
            zmq_msg_t *frame) {
  return cli_ask_about(c, NULL, request, answer, frame);
}

void cli_close(struct cli *c) {
  cli_disconnect(c);
  ck_settings_free(&c->settings);
  free(c->dir);
  free(c->config);
  free((void *)(uintptr_t)c->set_flags);
  c->dir = c->config = NULL;
  c->set_flags = NULL;
}
