/* The real exec and webhook channels, with real programs and a server that misbehaves on
 * request. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "renewd/channel.h"
#include "renewd/resolve.h"

static struct ck_settings *settings;

static void set(const char *name, const char *value) {
  struct ck_err err;
  cr_assert_eq(ck_settings_flag(settings, name, value, &err), 0, "%s", err.text);
}

static void begin(void) {
  struct ck_err err;
  setenv("CONVKEEP_D1_TOKEN", "secret", 1);
  setenv("CONVKEEP_POSTGRES_PASSWORD", "secret", 1);
  signal(SIGPIPE, SIG_IGN);
  ck_settings_free(&settings);
  settings = ck_settings_load("/nonexistent", &err);
  cr_assert_not_null(settings, "%s", err.text);
}

static void finish(void) { ck_settings_free(&settings); }

/* Delivers to the target and waits for the end as the daemon's loop does. */
static struct renew_result deliver(const struct renew_channel *c, const char *target,
                                   const char *body) {
  struct renew_channels all = {.env = {settings}};
  struct renew_target t;
  struct renew_result r = {.exit_code = -1};
  struct ck_err err;
  cr_assert_eq(renew_target_parse(&t, ck_str_of(target), &err), 0, "%s", err.text);
  void *open = renew_channel_open(&all, c, &err);
  cr_assert_not_null(open);
  void *d = c->start(open, &(struct renew_parcel){"job_1", &t, ck_str_of(body)}, &r);
  while (d && !c->over(d, &r)) {
    struct pollfd p = {c->fd(open), POLLIN, 0};
    int64_t left = c->until(open) - ck_boot_ms();
    poll(&p, 1, left < 0 ? 0 : left > 10000 ? 10000 : (int)left);
    c->pump(open);
  }
  renew_channels_close(&all);
  renew_target_free(&t);
  return r;
}

static void is(struct renew_result r, enum renew_outcome outcome, const char *part) {
  cr_assert_eq(r.outcome, outcome, "%s, not %s: %s", renew_outcome_name(r.outcome),
               renew_outcome_name(outcome), r.error);
  cr_assert(strstr(r.error, part), "'%s' is not in '%s'", part, r.error);
}

/* ---- exec ---- */

static char script[64];

/* Makes a shell script of these lines, and sets it as renew.exec.it. */
static void program(const char *lines) {
  strcpy(script, "/tmp/renewd-exec-XXXXXX");
  int fd = mkstemp(script);
  dprintf(fd, "#!/bin/bash\n%s\n", lines);
  fchmod(fd, 0700);
  close(fd);
  set("renew.exec.it", script);
}

static struct renew_result run(const char *lines, const char *body) {
  program(lines);
  struct renew_result r = deliver(&renew_channel_exec, "{\"kind\":\"exec\",\"id\":\"it\"}", body);
  unlink(script);
  return r;
}

Test(renewd_exec, exit_codes, .init = begin, .fini = finish) {
  is(run("cat >/dev/null; exit 0", "{}"), RENEW_DONE, "");
  is(run("exit 75", "{}"), RENEW_RETRY, "exit 75");
  struct renew_result r = run("echo first; echo; echo the reason >&2; exit 3", "{}");
  is(r, RENEW_FAILED, "exit 3: the reason");
  cr_assert_eq(r.exit_code, 3);
  is(run("kill -SEGV $$", "{}"), RENEW_UNKNOWN, "signal 11");
  set("renew.exec.it", "/nonexistent/program");
  is(deliver(&renew_channel_exec, "{\"kind\":\"exec\",\"id\":\"it\"}", "{}"), RENEW_UNREACHED,
     "cannot run /nonexistent/program: No such file");
  set("renew.exec.it", "/dev/null");
  is(deliver(&renew_channel_exec, "{\"kind\":\"exec\",\"id\":\"it\"}", "{}"), RENEW_UNREACHED,
     "cannot run /dev/null: Permission denied");
  is(run("exit 127", "{}"), RENEW_FAILED, "exit 127"); /* the program's own */
  set("renew.exec.it", "true");
  is(deliver(&renew_channel_exec, "{\"kind\":\"exec\",\"id\":\"it\"}", "{}"), RENEW_DONE, "");
}

Test(renewd_exec, one_line_on_standard_input, .init = begin, .fini = finish) {
  is(run("IFS= read -r line && [ \"$line\" = '{\"a\":1}' ] && ! read -r more", "{\"a\":1}"),
     RENEW_DONE, "");
  /* More than a pipe holds, to programs that read all, read nothing, or never close it. */
  char *large = malloc(1 << 20);
  memset(large, 'x', (1 << 20) - 1);
  large[(1 << 20) - 1] = '\0';
  is(run("[ $(wc -c) = 1048576 ]", large), RENEW_DONE, "");
  is(run("exit 0", large), RENEW_DONE, "");
  free(large);
}

/* renewd may die at any time after the start, here before it does anything more. */
Test(renewd_exec, its_input_is_whole_when_it_starts, .init = begin, .fini = finish) {
  struct renew_channels all = {.env = {settings}};
  struct renew_target t;
  struct renew_result r;
  struct ck_err err;
  char *large = malloc(1 << 20), got[80] = "", path[80];
  memset(large, 'x', (1 << 20) - 1);
  large[(1 << 20) - 1] = '\0';
  program("n=$(wc -c) && echo \"$n\" >\"$0.part\" && mv \"$0.part\" \"$0.got\"");
  renew_target_parse(&t, CK_LIT("{\"kind\":\"exec\",\"id\":\"it\"}"), &err);
  void *open = renew_channel_open(&all, &renew_channel_exec, &err);
  cr_assert_not_null(open);
  struct renew_parcel parcel = {"job_1", &t, ck_str_of(large)};
  cr_assert_not_null(renew_channel_exec.start(open, &parcel, &r));
  snprintf(path, sizeof path, "%s.got", script);
  for (int64_t until = ck_boot_after(20000); access(path, F_OK) != 0 && ck_boot_ms() < until;)
    poll(NULL, 0, 5);
  FILE *f = fopen(path, "r");
  cr_assert(f && fgets(got, sizeof got, f), "it had not read its line after 20 s");
  fclose(f);
  cr_assert_str_eq(got, "1048576\n");
  unlink(path);
  unlink(script);
  renew_channels_close(&all);
  renew_target_free(&t);
  free(large);
}

Test(renewd_exec, what_it_says_is_bounded, .init = begin, .fini = finish) {
  is(run("yes filler | head -c 2999997; echo 'last words'; exit 1", "{}"), RENEW_FAILED,
     "exit 1: last words");
  is(run("head -c 3000000 /dev/zero; exit 1", "{}"), RENEW_FAILED, "exit 1");
}

Test(renewd_exec, no_secrets_and_no_files_of_the_daemon, .init = begin, .fini = finish) {
  int fd = open("/dev/null", O_RDONLY); /* without close-on-exec */
  cr_assert_geq(fd, 3);
  is(run("[ -z \"$CONVKEEP_D1_TOKEN\" ] && [ -n \"$PATH\" ]", "{}"), RENEW_DONE, "");
  is(run("[ -z \"$CONVKEEP_POSTGRES_PASSWORD\" ]", "{}"), RENEW_DONE, "");
  is(run("n=$(ls /proc/self/fd | tr '\\n' ' '); echo \"$n\"; [ \"$n\" = '0 1 2 3 ' ] || exit 1",
         "{}"),
     RENEW_DONE, "");
  is(run("read -r _ _ _ _ group _ </proc/$$/stat; [ $group = $$ ]", "{}"), RENEW_DONE, "");
  close(fd);
}

Test(renewd_exec, its_time_is_over, .init = begin, .fini = finish) {
  set("renew.timeout", "200ms");
  int64_t from = ck_boot_ms();
  is(run("sleep 30", "{}"), RENEW_UNKNOWN, "200 ms");
  cr_assert_lt(ck_boot_ms() - from, 1500);
  from = ck_boot_ms();
  is(run("trap '' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done", "{}"), RENEW_UNKNOWN,
     "200 ms");
  int64_t took = ck_boot_ms() - from;
  cr_assert(took >= 2200 && took < 4500, "it was made to end after %lld ms", (long long)took);
  is(run("trap 'exit 0' TERM; sleep 30 & wait", "{}"), RENEW_UNKNOWN, "200 ms");
}

/* A process left in the background does not delay the end of the delivery. */
Test(renewd_exec, a_child_that_holds_the_pipe, .init = begin, .fini = finish) {
  int64_t from = ck_boot_ms();
  is(run("sleep 5 & exit 0", "{}"), RENEW_DONE, "");
  cr_assert_lt(ck_boot_ms() - from, 2000);
}

/* ---- webhook ---- */

static struct {
  int listener, port;
  _Atomic int requests;
  /* NULL: closes without one; "": none, and the connection stays open */
  const char *_Atomic answer;
  char request[8192];
  pthread_t thread;
} server;

static void read_request(int fd) {
  size_t n = 0;
  for (char *end = NULL; n < sizeof server.request - 1;) {
    ssize_t got = recv(fd, server.request + n, sizeof server.request - 1 - n, 0);
    if (got <= 0) return;
    n += (size_t)got;
    server.request[n] = '\0';
    char *length = strcasestr(server.request, "content-length: ");
    if ((end = strstr(server.request, "\r\n\r\n")) && length &&
        n >= (size_t)(end + 4 - server.request) + strtoul(length + 16, NULL, 10))
      return;
  }
}

static void *serve(void *unused) {
  (void)unused;
  int held[16], holds = 0;
  for (int fd; (fd = accept(server.listener, NULL, NULL)) >= 0;) {
    read_request(fd);
    server.requests++;
    const char *answer = server.answer;
    if (answer && !answer[0] && holds < 16) {
      held[holds++] = fd;
      continue;
    }
    if (answer) send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    char rest[256];
    while (recv(fd, rest, sizeof rest, 0) > 0) {
    }
    close(fd);
  }
  while (holds) close(held[--holds]);
  return NULL;
}

static void begin_serving(void) {
  begin();
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert(bind(server.listener, (struct sockaddr *)&a, n) == 0 &&
            listen(server.listener, 16) == 0);
  getsockname(server.listener, (struct sockaddr *)&a, &n);
  server.port = ntohs(a.sin_port);
  pthread_create(&server.thread, NULL, serve, NULL);
  char allow[64];
  snprintf(allow, sizeof allow, "http://127.0.0.1:%d/hook", server.port);
  set("renew.webhook.allow", allow);
}

static void stop_serving(void) {
  shutdown(server.listener, SHUT_RDWR);
  pthread_join(server.thread, NULL);
  close(server.listener);
}

static struct renew_result post(const char *answer, const char *path) {
  char target[200];
  server.answer = answer;
  server.requests = 0;
  snprintf(target, sizeof target,
           "{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:%d%s\"}}", server.port,
           path);
  return deliver(&renew_channel_webhook, target, "{\"a\":1}");
}

Test(renewd_webhook, what_is_sent, .init = begin_serving, .fini = finish) {
  struct renew_result r = post("HTTP/1.1 204 No Content\r\n\r\n", "/hook/x?q=1");
  is(r, RENEW_DONE, "");
  cr_assert_eq(r.http_status, 204);
  cr_assert(strncmp(server.request, "POST /hook/x?q=1 HTTP/1.1\r\n", 27) == 0, "%s",
            server.request);
  cr_assert(strcasestr(server.request, "\r\ncontent-type: application/json\r\n"), "%s",
            server.request);
  cr_assert(strcasestr(server.request, "\r\nidempotency-key: job_1\r\n"), "%s", server.request);
  cr_assert(!strcasestr(server.request, "\r\nexpect:"), "%s", server.request);
  cr_assert(strstr(server.request, "\r\n\r\n{\"a\":1}"), "%s", server.request);
  stop_serving();
}

Test(renewd_webhook, answers, .init = begin_serving, .fini = finish) {
  is(post("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nall\nwrong", "/hook"), RENEW_RETRY,
     "http 500: all wrong");
  is(post("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "/hook"), RENEW_FAILED, "http 404");
  char elsewhere[128];
  snprintf(
      elsewhere, sizeof elsewhere,
      "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:%d/hook/2\r\nContent-Length: 0\r\n\r\n",
      server.port);
  is(post(elsewhere, "/hook"), RENEW_FAILED, "http 307");
  cr_assert_eq(server.requests, 1, "a redirect was followed");
  /* The status counts, even if the rest never comes. */
  is(post("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut", "/hook"), RENEW_DONE, "");
  is(post("HTTP/1.1 100 Continue\r\n\r\n", "/hook"), RENEW_UNKNOWN, "no answer");
  is(post("nonsense\r\n\r\n", "/hook"), RENEW_UNKNOWN, "no answer");
  stop_serving();
}

Test(renewd_webhook, an_answer_without_end, .init = begin_serving, .fini = finish) {
  char *large = malloc(400000);
  strcpy(large, "HTTP/1.1 403 No\r\n\r\n");
  memset(large + 19, 'x', 399980);
  large[399999] = '\0';
  struct renew_result r = post(large, "/hook");
  is(r, RENEW_FAILED, "http 403: xxx");
  cr_assert_lt(strlen(r.error), 330);
  stop_serving();
  free(large);
}

Test(renewd_webhook, retry_after, .init = begin_serving, .fini = finish) {
  struct renew_result r =
      post("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "/hook");
  is(r, RENEW_RETRY, "http 429");
  cr_assert_eq(r.retry_after, 7000);
  char dated[200], date[64];
  time_t in = time(NULL) + 90;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&in));
  snprintf(dated, sizeof dated, "HTTP/1.1 503 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
           date);
  r = post(dated, "/hook");
  cr_assert(r.retry_after > 85000 && r.retry_after <= 91000, "%lld", (long long)r.retry_after);
  r = post("HTTP/1.1 503 Slow\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", "/hook");
  cr_assert_eq(r.retry_after, 0);
  stop_serving();
}

Test(renewd_webhook, no_answer, .init = begin_serving, .fini = finish) {
  is(post(NULL, "/hook"), RENEW_UNKNOWN, "sent, no answer");
  cr_assert_eq(server.requests, 1, "it was sent %d times", server.requests);
  set("renew.timeout", "300ms");
  is(post("", "/hook"), RENEW_UNKNOWN, "sent, no answer");
  char prefix[64];
  snprintf(prefix, sizeof prefix, "http://127.0.0.1:%d/hook/same", server.port);
  set("renew.webhook.idempotent", prefix);
  is(post(NULL, "/hook/same"), RENEW_RETRY, "sent, no answer");
  is(post("", "/hook/same"), RENEW_RETRY, "sent, no answer");
  is(post(NULL, "/hook/other"), RENEW_UNKNOWN, "sent, no answer");
  stop_serving();
}

Test(renewd_webhook, nothing_arrived, .init = begin_serving, .fini = finish) {
  stop_serving();
  is(post(NULL, "/hook"), RENEW_UNREACHED, "not sent");
  /* Cut off during the TLS handshake: no request was sent. */
  begin_serving();
  char https[64], target[96];
  snprintf(https, sizeof https, "https://127.0.0.1:%d/", server.port);
  snprintf(target, sizeof target, "{\"payload\":{\"url\":\"%s\"}}", https);
  set("renew.webhook.allow", https);
  set("renew.timeout", "500ms");
  server.answer = "no TLS here\r\n\r\n";
  is(deliver(&renew_channel_webhook, target, "{}"), RENEW_UNREACHED, "not sent");
  stop_serving();
  set("renew.webhook.allow", "http://nobody.invalid/");
  is(deliver(&renew_channel_webhook, "{\"payload\":{\"url\":\"http://nobody.invalid/\"}}", "{}"),
     RENEW_UNREACHED, "not sent");
}

/* ---- which targets they serve ---- */

/* missing: part of what is said; NULL: it is served. */
static void serves(const char *target, const char *missing) {
  struct ck_err err = {""};
  int rc = renew_resolve_snapshot(settings, ck_str_of(target), &err);
  cr_assert_eq(rc, missing ? -1 : 0, "%s: %s", target, err.text);
  cr_assert(!missing || strstr(err.text, missing), "%s: '%s' is not in '%s'", target, missing,
            err.text);
}

Test(renewd_resolve, which_targets_are_served, .init = begin, .fini = finish) {
  set("renew.exec.it", "/bin/true");
  set("renew.webhook.allow", "http://127.0.0.1:8080/hook");
  serves("{\"kind\":\"null\"}", NULL);
  serves("{\"kind\":\"exec\",\"id\":\"it\"}", NULL);
  serves("{\"kind\":\"exec\",\"id\":\"other\"}", "there is no setting renew.exec.other");
  serves("{\"kind\":\"exec\"}", "of kind exec, has no id");
  serves("{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:8080/hook/a\"}}", NULL);
  serves("{\"kind\":\"webhook\",\"payload\":{}}", "has no url");
  static const char *const others[] = {"http://127.0.0.1:8080/other", "ftp://127.0.0.1:8080/hook",
                                       "http://127.0.0.1:8080/hook/../other",
                                       "http://127.0.0.1:8080/hook\\r\\nX: y"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    char target[200];
    snprintf(target, sizeof target, "{\"kind\":\"webhook\",\"payload\":{\"url\":\"%s\"}}",
             others[i]);
    serves(target, "renew.webhook.allow");
  }
  serves("{\"kind\":\"feed\",\"client_id\":\"tab\"}", NULL);
  serves("{\"kind\":\"feed\",\"id\":\"tab\"}", NULL);
  serves("{\"kind\":\"feed\"}", "of kind feed, has neither client_id nor id");
  serves("{\"kind\":\"browser.proxy_delivery\",\"id\":\"firefox-claude\"}", NULL);
  serves("{\"kind\":\"browser.proxy_delivery\"}", "neither client_id nor id");
  serves("{\"kind\":\"browser\",\"id\":\"x\"}", "no channel serves a target of kind browser");
  serves("{\"kind\":\"smoke\"}", "no channel serves a target of kind smoke");
  serves("{\"platform\":\"x\"}", "names no target");
  serves("{}", "names no target");
  serves("not JSON", "target_snapshot");
  serves("", "target_snapshot");
}

/* A row as the store sends it: a map from column to value. */
static void link_row(struct ck_buf *b, const char *kind, const char *id) {
  struct ck_map m = ck_map_open(b);
  ck_pair_text_or_nil(&m, "target_kind", kind);
  ck_pair_text_or_nil(&m, "target_id", id);
  ck_pair_text_or_nil(&m, "client_id", NULL);
  ck_map_close(&m);
}

Test(renewd_resolve, from_a_link, .init = begin, .fini = finish) {
  struct ck_buf row = {0}, snapshot = {0};
  struct ck_err err;
  cr_assert_eq(renew_resolve_link(settings, (struct ck_str){0}, &snapshot, &err), -1);
  cr_assert(strstr(err.text, "no active link"), "%s", err.text);
  link_row(&row, "exec", "it");
  cr_assert_eq(renew_resolve_link(settings, ck_buf_view(&row), &snapshot, &err), -1);
  cr_assert(strstr(err.text, "renew.exec.it"), "%s", err.text);
  cr_assert_str_eq(ck_buf_cstr(&snapshot), "{\"kind\":\"exec\",\"id\":\"it\"}");
  ck_buf_clear(&snapshot);
  set("renew.exec.it", "/bin/true");
  cr_assert_eq(renew_resolve_link(settings, ck_buf_view(&row), &snapshot, &err), 0, "%s", err.text);
  cr_assert_str_eq(ck_buf_cstr(&snapshot), "{\"kind\":\"exec\",\"id\":\"it\"}");
  ck_buf_clear(&row);
  ck_buf_clear(&snapshot);
  link_row(&row, NULL, "it");
  cr_assert_eq(renew_resolve_link(settings, ck_buf_view(&row), &snapshot, &err), -1);
  cr_assert(strstr(err.text, "names no target"), "%s", err.text);
  cr_assert_eq(snapshot.len, 0);
  ck_buf_free(&row);
  ck_buf_free(&snapshot);
}

/* A proxy in the environment is not used: no setting names it. */
Test(renewd_webhook, no_proxy, .init = begin_serving, .fini = finish) {
  setenv("http_proxy", "http://127.0.0.1:1/", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
  is(post("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "/hook"), RENEW_DONE, "");
  stop_serving();
}
