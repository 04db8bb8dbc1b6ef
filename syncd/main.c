/* syncd: brings what changes in the store's database to a sink: mirror.db, D1 or PostgreSQL. As
 * many may run as are wanted, on one machine or on several; none keeps anything that it cannot get
 * again.
 *
 *   syncd                                 a worker, until it is asked to end (worker.c)
 *   syncd verify | repair [deep], schema  one task beside the workers, then the end (task_run.c)
 *
 * Settings: the sync.*, d1.*, postgres.* and door.* ones of proto/settings.h. Sockets: work
 * (batches from the store, leases to it), intake, feed and snapshot (outcomes to it, their
 * receipts, what tasks ask), and what the sink opens. */
#include "syncd/tasks/task.h"
#include "syncd/worker.h"

/* As soon as it has started: what it waits for is told by its reports. */
static bool is_ready(void *self) {
  (void)self;
  return true;
}

static const struct ck_daemon syncd = {
    .name = "syncd",
    .many = true,
    .start = sync_worker_start,
    .wait = sync_worker_wait,
    .turn = sync_worker_turn,
    .ready = is_ready,
    .stop = sync_worker_stop,
    .end = sync_worker_end,
    .task = sync_task_main,
};

int main(int argc, char **argv) { return ck_daemon_main(argc, argv, &syncd); }
