/* Secrets stay on this machine: no token and no password leaves it in clear text. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"

/* A name that begins like this machine's is another machine. */
T_STORY(gates, the_token_in_clear_text, 60) {
  static const char *const elsewhere[] = {"http://example.com/", "http://localhost.example.com/"};
  t_set("sync.sinks", "d1");
  t_set("d1.account", "a");
  t_set("d1.database", "d");
  t_set("d1.token", "secret");
  t_daemon("store", NULL);
  for (size_t i = 0; i < 2; i++) {
    t_set("d1.endpoint", elsewhere[i]);
    struct t_process *syncd = t_daemon_try("syncd", NULL);
    T_CHECK(t_wait_end(syncd, 10000) == 1, "syncd takes %s", elsewhere[i]);
    T_CHECK(t_complained(syncd, "must be https"), "the refusal of %s does not say why",
            elsewhere[i]);
  }
}

/* A server that speaks no TLS. The first bytes of a connection ask for it, or go without. */
struct server {
  pthread_t thread;
  int listening;
  _Atomic int asked, spoken; /* connections: asked for TLS, and said more after the No */
};

#define SSL_REQUEST 80877103u

static bool read_whole(int fd, void *into, size_t n) {
  return recv(fd, into, n, MSG_WAITALL) == (ssize_t)n;
}

static void *serve(void *self) {
  struct server *s = self;
  for (int fd; (fd = accept(s->listening, NULL, NULL)) >= 0; close(fd)) {
    uint32_t head[2];
    char more;
    if (!read_whole(fd, head, sizeof head) || ntohl(head[1]) != SSL_REQUEST) continue;
    ++s->asked;
    if (send(fd, "N", 1, MSG_NOSIGNAL) == 1 && read_whole(fd, &more, 1)) ++s->spoken;
  }
  return NULL;
}

/* Returns its port. */
static int start_server(struct server *s) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  s->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(bind(s->listening, (struct sockaddr *)&a, sizeof a) == 0 &&
              listen(s->listening, 8) == 0 &&
              getsockname(s->listening, (struct sockaddr *)&a, &n) == 0,
          "no server");
  T_CHECK(pthread_create(&s->thread, NULL, serve, s) == 0, "no thread");
  return ntohs(a.sin_port);
}

static void stop_server(struct server *s) {
  shutdown(s->listening, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  close(s->listening);
}

static bool sync_error_has(const char *part) {
  json_t *status = t_status(2000);
  const char *error = t_text_at(status, t_sync("last_error"));
  bool has = error && strstr(error, part);
  json_decref(status);
  return has;
}

/* 127.1 leads here, but is not written as an address of this machine: so it counts as elsewhere. */
T_STORY(gates, postgres_elsewhere_has_to_speak_tls, 60) {
  struct server server = {.listening = -1};
  t_set("sync.sinks", "postgres");
  t_set("sync.backoff_max", "200ms");
  t_setf("postgres.port", "%d", start_server(&server));
  t_set("postgres.host", "127.1");
  t_set("postgres.database", "d");
  t_set("postgres.user", "u");
  t_set("postgres.password", "secret");
  t_import_lines(
      0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', 'observed_at': 1}\n");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  T_UNTIL(10000, sync_error_has("does not support SSL"), "syncd does not say that there is no TLS");
  T_CHECK(server.asked > 0 && server.spoken == 0, "%d connections went on without TLS",
          server.spoken);
  t_down();
  stop_server(&server);
}
