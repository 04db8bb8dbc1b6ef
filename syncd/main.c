/* syncd: mirrors every change of the store's database in a sink: mirror.db, D1 or PostgreSQL. Any
 * number of them may run, on one machine or on several; none holds anything that it cannot get from
 * the store again.
 *
 *   syncd                                 a worker, which runs until it is told to end (worker.c)
 *   syncd verify | repair [deep], schema  one task beside the workers, then exits (task_run.c)
 *
 * It serves one sink, the only one in its sync.sinks: `convkeep up` starts one for each.
 *
 * Settings: sync.*, d1.*, postgres.* and door.* of proto/settings.h. Sockets: work (batches from
 * the store, leases back to it), intake, feed and snapshot (outcomes to the store, their receipts,
 * what tasks ask), and those that the sink opens. */
#include "syncd/tasks/task.h"
#include "syncd/worker.h"

/* Ready as soon as it has started: its reports say what it waits for. */
static bool is_ready(void *self) {
  (void)self;
  return true;
}

/* Of several sinks it is none: then the start fails, with the reason. */
static const char *serves(const struct ck_settings *s) {
  struct ck_err ignored;
  return ck_settings_sink(s, &ignored);
}

static const struct ck_daemon syncd = {
    .name = "syncd",
    .serves = serves,
    .keeps_secrets = true,
    .check = ck_check_mirror,
    .start = sync_worker_start,
    .wait = sync_worker_wait,
    .turn = sync_worker_turn,
    .ready = is_ready,
    .stop = sync_worker_stop,
    .end = sync_worker_end,
    .task = sync_task_main,
};

int main(int argc, char **argv) { return ck_daemon_main(argc, argv, &syncd); }
