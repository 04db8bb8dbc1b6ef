/* A producer with a number in flight or a rate; see producer.h. */
#include "bench/producer.h"

#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/push.h"

#define STALL_MS 20000
#define FILES_MS 180000

struct producer {
  struct ck_memory_unacked *unacked;
  struct ck_push *push;
  const struct bench_load *load;
  const struct bench_pace *pace;
  size_t sent, done, receipts;
  int64_t began, *due_at;
  struct bench_pushed *out;
};

static void receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  struct producer *p = self;
  if (result != 'n' && result != '?')
    bench_fail("changeset %llu came to '%c': %.*s", (unsigned long long)number, result,
               (int)reason.n, reason.n ? reason.s : "");
  bench_add(&p->out->latency_ms, (double)(ck_mono_us() - p->due_at[p->done++]) / 1000);
}

static void rest(const struct bench_pace *pace) {
  poll(NULL, 0, pace->pause_ms);
  if (!pace->beside) return;
  bench_probe(pace->beside);
  poll(NULL, 0, pace->pause_ms);
}

static void fill(struct producer *p) {
  const struct bench_pace *pace = p->pace;
  if (pace->pause_ms && !ck_memory_unacked_pending(p->unacked)) rest(pace);
  int64_t now = ck_mono_us();
  while (p->sent < p->load->n && ck_memory_unacked_pending(p->unacked) < pace->in_flight) {
    int64_t due =
        pace->offered > 0 ? p->began + (int64_t)((double)p->sent * 1e6 / pace->offered) : now;
    if (due > now) return;
    ck_memory_unacked_add(p->unacked, p->load->changesets[p->sent]);
    p->due_at[p->sent++] = due;
  }
}

static void wait_for(struct producer *p, int ms) {
  zmq_pollitem_t items[2];
  zmq_poll(items, ck_push_items(p->push, items), ms);
}

static void greet(struct producer *p) {
  int64_t until = ck_boot_ms() + STALL_MS;
  while (!ck_push_streaming(p->push)) {
    int ms = ck_push_step(p->push);
    if (ck_boot_ms() > until) bench_fail("the store does not answer");
    wait_for(p, ms < 0 || ms > 50 ? 50 : ms);
  }
}

static void stream(struct producer *p) {
  int64_t progress_at = ck_boot_ms();
  while (p->done < p->load->n) {
    size_t before = p->done;
    fill(p);
    int ms = ck_push_step(p->push);
    if (p->done != before) {
      ++p->receipts;
      progress_at = ck_boot_ms();
      continue;
    }
    if (ck_boot_ms() > progress_at + STALL_MS)
      bench_fail("no receipt for %d s at %zu of %zu", STALL_MS / 1000, p->done, p->load->n);
    wait_for(p, p->pace->offered > 0 ? 1 : ms);
  }
}

int64_t *bench_push_due(const struct bench_load *load, const struct bench_pace *pace,
                        struct bench_pushed *out) {
  struct ck_err err;
  struct producer p = {
      .load = load, .pace = pace, .out = out, .due_at = ck_alloc(load->n * sizeof *p.due_at)};
  *out = (struct bench_pushed){0};
  p.unacked = ck_memory_unacked_new(receipted, &p);
  struct ck_unacked ops = ck_memory_unacked_ops(p.unacked);
  p.push = ck_push_new(bench_settings(), "bench", &ops, pace->in_flight, &err);
  if (!p.push) bench_fail("%s", err.text);
  greet(&p);
  bench_calm();
  p.began = ck_mono_us();
  stream(&p);
  out->rate = (double)load->n * 1e6 / (double)(ck_mono_us() - p.began);
  out->a_commit = (double)load->n / (double)p.receipts;
  ck_push_free(&p.push);
  ck_memory_unacked_free(&p.unacked);
  return p.due_at;
}

void bench_push(const struct bench_load *load, const struct bench_pace *pace,
                struct bench_pushed *out) {
  free(bench_push_due(load, pace, out));
}

/* ---- the readable files ---- */

static bool files_made(const char *program) {
  int code;
  pid_t pid = bench_spawn("status.json",
                          (const char *const[]){program, "--data", ".", "--json", "status", NULL});
  while (!bench_ended(pid, &code)) usleep(2000);
  json_t *status = json_load_file("status.json", 0, NULL);
  json_int_t cursor =
      json_integer_value(json_object_get(json_object_get(status, "artifacts"), "cursor"));
  bool made = status && cursor == json_integer_value(json_object_get(status, "version"));
  json_decref(status);
  return made;
}

void bench_wait_files(void) {
  char *program = bench_program("../bin/convkeep");
  int64_t until = ck_boot_ms() + FILES_MS;
  while (!files_made(program)) {
    if (ck_boot_ms() > until) bench_fail("the store does not get its files made");
    usleep(200000);
  }
  free(program);
}
