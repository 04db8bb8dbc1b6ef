/* `config --check` refuses what a start refuses, and nothing else. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/process.h"
#include "tests/harness/ring.h"

static int free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(bind(fd, (struct sockaddr *)&a, n) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &n) == 0,
          "no port");
  close(fd);
  return ntohs(a.sin_port);
}

#define LONG_NAME \
  "run/" \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaa"

/* %d: a free port. Every line but the first comes with others that it needs; the setting that is
 * wrong is the first line's. */
static const struct {
  const char *lines;
  bool good;
} cases[] = {
    {"door.intake = \"tcp://127.0.0.1:%d\"", true},
    {"door.intake = \"ipc://run/other\"", true},
    {"door.observe = \"ipc://observe\"", true},
    {"sync.sqlite.file = \"run/mirror.db\"", true},
    {"renew.webhook.allow = \"https://a.example/hook http://[::1]:8080\"", true},
    {"renew.payload = \"go on\"", true},
    {"door.intake = \"tcp://*:%d\"\ndoor.curve = off", false},
    {"door.intake = \"tcp://*:%d\"", false},
    {"door.intake = \"tcp://0.0.0.0:%d\"", false},
    {"door.intake = \"tcp://127.0.0.1:%d\"\ndoor.curve = on", false},
    {"door.intake = \"tcp://127.0.0.1:*\"", false},
    {"door.intake = \"tcp://127.0.0.1:0\"", false},
    {"door.intake = \"tcp://127.0.0.1:99999\"", false},
    {"door.intake = \"tcp://127.0.0.1:65536\"", false},
    {"door.intake = \"tcp://127.0.0.1:4294967297\"", false},
    {"door.intake = \"tcp://127.0.0.1:-1\"", false},
    {"door.intake = \"tcp://127.0.0.1:%dx\"", false},
    {"door.intake = \"tcp://127.0.0.1\"", false},
    {"door.intake = \"tcp://127.0.0.1:\"", false},
    {"door.feed = \"tcp://localhost:%d\"", false},
    {"door.feed = \"tcp://store.example:%d\"\ndoor.curve = on", false},
    {"door.feed = \"tcp://[::1]:%d\"", false},
    {"door.feed = \"tcp://:%d\"", false},
    {"door.feed = \"tcp://127.0.0.1;127.0.0.1:%d\"", false},
    {"door.work = \"tcp://192.0.2.1:%d\"\ndoor.curve = on", false},
    {"door.work = \"ipc://*\"", false},
    {"door.work = \"ipc://\"", false},
    {"door.work = \"ipc://@abstract\"", false},
    {"door.work = \"ipc://artifact.db\"", false},
    {"door.work = \"ipc://run\"", false},
    {"door.work = \"ipc://run/\"", false},
    {"door.snapshot = \"ipc://nowhere/x\"", false},
    {"door.snapshot = \"ipc://" LONG_NAME "\"", false},
    {"door.snapshot = \"ipc://run/intake\"", false},
    {"door.snapshot = \"ipc://./run//observe\"", false},
    {"door.observe = \"inproc://x\"", false},
    {"door.observe = \"tcp://127.0.0.1:7\"\ndoor.feed = \"tcp://127.0.0.1:7\"", false},
    {"door.observe = \"run/observe\"", false},
    {"sync.sqlite.file = \"artifact.db\"", false},
    {"sync.sqlite.file = \"run\"", false},
    {"sync.sqlite.file = \"nowhere/mirror.db\"", false},
    {"sync.sqlite.file = \"\"", false},
    {"d1.endpoint = \"http://example.com/\"\nsync.sinks = d1\nd1.account = a\nd1.database = d\n"
     "d1.token_file = token",
     false},
    {"d1.endpoint = \"https://user@example.com/\"\nsync.sinks = d1\nd1.account = a\n"
     "d1.database = d\nd1.token_file = token",
     false},
    {"d1.endpoint = \"ftp://example.com/\"\nsync.sinks = d1\nd1.account = a\nd1.database = d\n"
     "d1.token_file = token",
     false},
    {"renew.webhook.allow = \"ftp://a.example/\"", false},
    {"renew.webhook.allow = \"https://a.example/ https://user@b.example/\"", false},
    {"renew.webhook.allow = \"https://a.example/?q=1\"", false},
    {"renew.webhook.allow = \"hook.example/x\"", false},
    {"renew.webhook.idempotent = \"http:\\\\a.example\"", false},
    {"renew.payload = \" \"", false},
    {"store.batch = 0", false},
    {"log.level = loud", false},
    {"nonsense = 1", false},
};

/* Writes the settings, with a first line that is a comment; returns the name of the setting. */
static const char *write_settings(const char *lines) {
  static char name[64];
  struct ck_buf b = {0};
  ck_buf_text(&b, "# the second line is what is tried\n");
  const char *port = strstr(lines, "%d");
  if (port)
    ck_buf_printf(&b, "%.*s%d%s\n", (int)(port - lines), lines, free_port(), port + 2);
  else
    ck_buf_printf(&b, "%s\n", lines);
  t_write_text("convkeep.conf", ck_buf_cstr(&b));
  ck_buf_free(&b);
  snprintf(name, sizeof name, "%.*s", (int)strcspn(lines, " "), lines);
  return name;
}

T_STORY(settings, what_is_refused_at_a_start_is_refused_by_the_check, 240) {
  t_up(); /* makes the folder */
  t_down();
  t_write_text("token", "secret\n");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *name = write_settings(cases[i].lines);
    struct t_result check = t_convkeep("config", "--check");
    T_CHECK(check.code == (cases[i].good ? 0 : 1), "config --check ends with %d for %s: %s",
            check.code, cases[i].lines, check.err);
    if (cases[i].good) {
      t_settings_changed();
      t_up();
      t_down();
    } else {
      T_CHECK(strstr(check.err, "convkeep.conf:2") && strstr(check.err, name),
              "the check of %s does not say where: %s", cases[i].lines, check.err);
      struct t_result up = t_convkeep("up");
      T_CHECK(up.code == 1, "up ends with %d for %s: %s", up.code, cases[i].lines, up.err);
      T_CHECK(strstr(up.err, name), "up does not name %s: %s", name, up.err);
      t_result_free(&up);
    }
    t_result_free(&check);
  }
}

/* With these all programs start, and the mirror waits until it is set. */
T_STORY(settings, what_the_mirror_needs, 60) {
  static const char *const lines[] = {
      "d1.database = d\nsync.sinks = d1\nd1.token_file = token",
      "d1.account = a\nsync.sinks = d1\nd1.token_file = token",
      "d1.account = a\nsync.sinks = d1\nd1.database = d",
      "d1.token_file = nowhere\nsync.sinks = d1\nd1.account = a\nd1.database = d",
      "d1.token_file = run\nsync.sinks = d1\nd1.account = a\nd1.database = d",
      "postgres.host = h\nsync.sinks = postgres\npostgres.user = u",
      "postgres.password_file = empty\nsync.sinks = postgres\npostgres.user = u\n"
      "postgres.database = d\npostgres.host = h",
  };
  t_up();
  t_down();
  t_write_text("token", "secret\n");
  t_write_text("empty", "");
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    write_settings(lines[i]);
    struct t_result check = t_convkeep("config", "--check");
    T_CHECK(check.code == 1, "config --check ends with %d for %s: %s", check.code, lines[i],
            check.err);
    t_result_free(&check);
    t_do(0, "config", "--check", "store", "ingest", "renewd");
  }
}

/* A machine that runs only some of the programs. */
T_STORY(settings, of_one_machine_among_several, 30) {
  t_do(0, "keys", "init");
  write_settings("door.intake = \"tcp://*:%d\"");
  t_do(1, "config", "--check");
  t_do(0, "config", "--check", "store");
  write_settings("door.intake = \"tcp://store.example:%d\"");
  t_do(0, "config", "--check", "renewd", "syncd");
  t_do(1, "config", "--check", "store");
  write_settings("door.intake = \"tcp://192.0.2.1:%d\"");
  t_do(0, "config", "--check", "renewd");
  t_do(1, "config", "--check", "store");
  write_settings("door.intake = \"tcp://0.0.0.0:%d\"");
  t_do(0, "config", "--check");
  t_do(2, "config", "--check", "nobody");
  t_do(2, "config", "store");
}
