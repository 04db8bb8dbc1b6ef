/* See redis.h. */
#include "bench/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/observation.h"

/* In redis-tools; run under the name redis-server, it is the server. */
#define REDIS_PROGRAM "/usr/bin/redis-check-rdb"
#define REDIS_SOCKET "run/redis.sock"

bool bench_redis_there(void) { return access(REDIS_PROGRAM, X_OK) == 0; }

static pid_t start_redis(const char *port) {
  const char *argv[] = {"./redis-server",
                        "--bind",
                        "127.0.0.1",
                        "--port",
                        port,
                        "--unixsocket",
                        REDIS_SOCKET,
                        "--appendonly",
                        "yes",
                        "--appendfsync",
                        "always",
                        "--save",
                        "",
                        "--auto-aof-rewrite-percentage",
                        "0",
                        "--daemonize",
                        "no",
                        NULL};
  struct stat st;
  if (symlink(REDIS_PROGRAM, "redis-server")) bench_fail("redis-server: cannot be linked");
  pid_t pid = bench_spawn("logs/redis.log", argv);
  for (int i = 0; i < 500; ++i) {
    if (stat(REDIS_SOCKET, &st) == 0) return pid;
    usleep(10000);
  }
  bench_fail("Redis does not start");
}

/* Parses the last line of redis-benchmark --csv: the test's name, then its requests a second. */
static double csv_rate(const char *path) {
  char line[4096] = "", last[4096] = "";
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file)) memcpy(last, line, sizeof last);
  if (file) fclose(file);
  const char *at = strstr(last, "\",\"");
  if (!at) bench_fail("redis-benchmark: no figures");
  return strtod(at + 3, NULL);
}

double bench_redis(enum bench_redis_by by, size_t requests, unsigned clients, unsigned pipeline) {
  char payload[BENCH_TEXT + 1], port[24] = "0", count[24], c[24], depth[24];
  bool tcp = by == BENCH_REDIS_TCP;
  int code;
  memset(payload, 'x', BENCH_TEXT);
  payload[BENCH_TEXT] = '\0';
  snprintf(count, sizeof count, "%zu", requests);
  snprintf(c, sizeof c, "%u", clients);
  snprintf(depth, sizeof depth, "%u", pipeline);
  if (tcp) snprintf(port, sizeof port, "%u", bench_free_port());
  const char *argv[] = {"redis-benchmark",
                        tcp ? "-p" : "-s",
                        tcp ? port : REDIS_SOCKET,
                        "-n",
                        count,
                        "-c",
                        c,
                        "-P",
                        depth,
                        "--csv",
                        "XADD",
                        "spool",
                        "*",
                        "text",
                        payload,
                        NULL};
  bench_enter("redis");
  pid_t server = start_redis(port);
  bench_calm();
  pid_t client = bench_spawn("redis.csv", argv);
  while (!bench_ended(client, &code)) usleep(10000);
  if (code) bench_fail("redis-benchmark ends with %d", code);
  double rate = csv_rate("redis.csv");
  bench_stop(&server);
  bench_leave();
  return rate;
}
