/* Doors over tcp. With CURVE, only clients with an admitted key get in; without CURVE, a door opens
 * only on loopback. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

static const char *const doors[] = {"door.intake", "door.feed", "door.work", "door.snapshot",
                                    "door.observe"};

static int free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  T_CHECK(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &n) == 0,
          "no free port");
  close(fd);
  return ntohs(a.sin_port);
}

static void all_on_tcp(const char *curve) {
  for (size_t i = 0; i < 5; i++) t_setf(doors[i], "tcp://127.0.0.1:%d", free_port());
  t_set("door.curve", curve);
}

static void import_two(void) {
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n"
                    "{'platform': 'x', 'text': 'b', 'message_id': 'm2', 'role': 'assistant', "
                    "'conversation_id': 'c', 'observed_at': 2}\n");
}

T_STORY(curve, the_ring_over_tcp, 60) {
  all_on_tcp("auto");
  t_up();
  import_two();
  t_whole(15000);
}

/* Asks STATUS on a socket with these keys; NULL: without CURVE. */
static bool is_answered(const char *server, const char *public_key, const char *secret_key) {
  void *socket = zmq_socket(ck_context(), ZMQ_DEALER);
  int linger = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  if (server) {
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, 40);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 40);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 40);
  }
  zmq_connect(socket, ck_set_text(t_settings(), CK_SET_DOOR_SNAPSHOT));
  struct ck_message m = {.kind = CK_MSG_STATUS};
  struct ck_buf b = {0};
  m.as.status.request = 5;
  ck_message_encode(&b, &m);
  zmq_send(socket, b.data, b.len, 0);
  zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
  bool yes = zmq_poll(&item, 1, 700 * T_SLOWER) > 0;
  zmq_close(socket);
  ck_buf_free(&b);
  return yes;
}

/* Reads a key from a certificate file (ZPL): name = "…". */
static void key_of(const char *file, const char *name, char out[41]) {
  char *text = t_read_file(file, NULL);
  T_CHECK(text != NULL, "%s is not there", file);
  char *at = strstr(text, name);
  at = at ? strchr(at, '"') : NULL;
  T_CHECK(at && strlen(at) > 41, "%s has no %s", file, name);
  memcpy(out, at + 1, 40);
  out[40] = 0;
  free(text);
}

T_STORY(curve, the_right_keys_and_no_others, 60) {
  all_on_tcp("on");
  t_do(0, "keys", "init");
  struct stat st;
  T_CHECK(stat("keys/store.key_secret", &st) == 0 && (st.st_mode & 077) == 0,
          "the store's secret key is missing, or others may read it");
  t_up();
  import_two();
  t_whole(15000);
  char server[41], mine[41], secret[41], other[41], other_secret[41];
  key_of("keys/store.key_secret", "public-key", server);
  key_of("keys/client.key_secret", "public-key", mine);
  key_of("keys/client.key_secret", "secret-key", secret);
  T_CHECK(is_answered(server, mine, secret), "the client's own key is not let in");
  T_CHECK(!is_answered(NULL, NULL, NULL), "a connection without CURVE was answered");
  zmq_curve_keypair(other, other_secret);
  T_CHECK(!is_answered(server, other, other_secret), "an unknown key was let in");
  T_CHECK(!is_answered(other, mine, secret), "a client that expects another server was answered");
  T_CHECK(t_status_int("records.messages", 0) == 2, "the store does not answer any more");
}

T_STORY(curve, no_open_door_to_the_world, 60) {
  t_setf("door.snapshot", "tcp://0.0.0.0:%d", free_port());
  t_set("door.curve", "off");
  struct t_process *store = t_daemon_try("store", NULL);
  T_CHECK(t_wait_end(store, 10000) != 0, "a store with an open tcp door started");
  T_CHECK(t_complained(store, "door.snapshot") && t_complained(store, "CURVE"),
          "the refusal does not name the door and CURVE");
  t_set("door.curve", "auto");
  store = t_daemon_try("store", NULL);
  T_CHECK(t_wait_end(store, 10000) != 0, "a store with a door to the world started without keys");
  T_CHECK(t_complained(store, "keys"), "the refusal does not name the keys");
  t_set("door.snapshot", "http://127.0.0.1:1");
  store = t_daemon_try("store", NULL);
  T_CHECK(t_wait_end(store, 10000) != 0 && t_complained(store, "http://127.0.0.1:1"),
          "a door that is none was not refused");
}

/* A host whose name merely begins like localhost is some other host. */
T_STORY(curve, names_that_begin_like_loopback, 60) {
  static const char *const hosts[] = {"localhost.evil.com", "localhost-2", "127.0.0.1.evil.com"};
  t_set("door.curve", "off");
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    t_setf("door.snapshot", "tcp://%s:%d", hosts[i], free_port());
    struct t_process *store = t_daemon_try("store", NULL);
    T_CHECK(t_wait_end(store, 10000) != 0, "a store with a door on %s started", hosts[i]);
    T_CHECK(t_complained(store, "door.snapshot") && t_complained(store, "CURVE"),
            "the store does not refuse %s for want of CURVE", hosts[i]);
  }
}

static void copy(const char *from, const char *to) {
  size_t n;
  char *bytes = t_read_file(from, &n);
  T_CHECK(bytes != NULL, "%s is not there", from);
  t_write_file(to, bytes, n);
  free(bytes);
}

/* Workers in a folder of their own, as on another machine: it has only its keys and the doors'
 * addresses. */
T_STORY(curve, workers_elsewhere, 90) {
  all_on_tcp("on");
  t_do(0, "keys", "init");
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  T_CHECK(mkdir("../elsewhere", 0700) == 0 && mkdir("../elsewhere/keys", 0700) == 0, "no folder");
  copy("keys/client.key", "../elsewhere/keys/client.key");
  copy("keys/client.key_secret", "../elsewhere/keys/client.key_secret");
  copy(t_exists("keys/store.pub") ? "keys/store.pub" : "keys/store.key",
       "../elsewhere/keys/store.pub");
  char *here = strdup(getenv("CONVKEEP_DATA")), elsewhere[600];
  snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", t_folder());
  setenv("CONVKEEP_DATA", elsewhere, 1);
  for (int i = 0; i < 3; i++) t_daemon("syncd", NULL);
  setenv("CONVKEEP_DATA", here, 1);
  free(here);
  import_two();
  t_settle(20000);
  t_check_mirror("artifact.db", "../elsewhere/mirror.db");
  T_CHECK(t_status_int(t_sync("workers"), 0) == 3, "%lld workers are shown",
          (long long)t_status_int(t_sync("workers"), 0));
}
