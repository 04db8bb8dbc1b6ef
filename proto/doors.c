/* Everything that is set on a socket, and the frames that go through it. */
#include "proto/doors.h"

#include <czmq.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/key_file.h"
#include "proto/log.h"
#include "proto/loopback.h"
#include "proto/wire.h"

/* ZMQ_ZAP_ENFORCE_DOMAIN: only libzmq's draft header names it, but every 4.3 build has it. Without
 * it a CURVE server whose authenticator is missing admits every key. */
#define OPTION_ZAP_ENFORCE_DOMAIN 93

struct door_info {
  enum ck_setting setting;
  int bind_type, connect_type;
  int bind_hwm, connect_hwm;
};

/* docs/wire.md says what each high-water mark (hwm, in messages) bounds. */
static const struct door_info doors[] = {
    [CK_DOOR_INTAKE] = {CK_SET_DOOR_INTAKE, ZMQ_PULL, ZMQ_PUSH, 256, 128},
    [CK_DOOR_FEED] = {CK_SET_DOOR_FEED, ZMQ_XPUB, ZMQ_SUB, 64, 1000},
    [CK_DOOR_WORK] = {CK_SET_DOOR_WORK, ZMQ_ROUTER, ZMQ_DEALER, 16, 16},
    [CK_DOOR_SNAPSHOT] = {CK_SET_DOOR_SNAPSHOT, ZMQ_ROUTER, ZMQ_DEALER, 256, 256},
    [CK_DOOR_OBSERVE] = {CK_SET_DOOR_OBSERVE, ZMQ_ROUTER, ZMQ_DEALER, 256, 256},
};

static zactor_t *authenticator;
static bool context_made;

void *ck_context(void) {
  if (!context_made) {
    zsys_handler_set(NULL);
    zsys_set_linger(0);
    context_made = true;
  }
  return zsys_init();
}

void ck_context_end(void) {
  if (!context_made) return;
  zactor_destroy(&authenticator);
  zsys_shutdown();
  context_made = false;
}

/* ---- tcp and CURVE ---- */

static bool is_tcp(const char *endpoint) { return strncmp(endpoint, "tcp://", 6) == 0; }

/* As for ZeroMQ, the port follows the last colon and everything before that is the host. */
static bool is_loopback(const char *endpoint) {
  const char *host = endpoint + 6, *colon = strrchr(host, ':');
  return colon && ck_is_loopback_in_url((struct ck_str){host, (size_t)(colon - host)});
}

enum ck_setting ck_door_setting(enum ck_door door) { return doors[door].setting; }

bool ck_door_wants_curve(const struct ck_settings *s, enum ck_door door) {
  const char *mode = ck_set_text(s, CK_SET_DOOR_CURVE),
             *endpoint = ck_set_text(s, doors[door].setting);
  if (!is_tcp(endpoint) || strcmp(mode, "off") == 0) return false;
  return strcmp(mode, "on") == 0 || !is_loopback(endpoint);
}

/* Whoever can change a certificate can choose who is let in. A missing one is right here. */
static int check_certificate(int dir, const char *name, struct ck_err *err) {
  int fd = ck_open_file(dir, name, O_RDONLY, err);
  if (fd < 0) return errno == ENOENT ? 0 : ck_fail_in(err, "%s", name);
  int rc = ck_check_owner(fd, err);
  close(fd);
  return rc ? ck_fail_in(err, "%s", name) : 0;
}

#define CLIENTS "keys/clients"

static int check_clients(struct ck_err *err) {
  DIR *dir = opendir(CLIENTS);
  int rc = dir || errno == ENOENT ? 0 : ck_fail(err, "%s", strerror(errno));
  for (struct dirent *e; dir && rc == 0 && (e = readdir(dir));)
    if (*e->d_name != '.') rc = check_certificate(dirfd(dir), e->d_name, err);
  if (dir) closedir(dir);
  return rc ? ck_fail_in(err, CLIENTS) : 0;
}

static int start_authenticator(struct ck_err *err) {
  if (authenticator) return 0;
  if (check_clients(err)) return -1;
  authenticator = zactor_new(zauth, NULL);
  if (!authenticator) return ck_fail(err, "cannot start the CURVE authenticator");
  zstr_sendx(authenticator, "CURVE", CLIENTS, NULL);
  zsock_wait(authenticator);
  return 0;
}

static int load_cert(const char *file, zcert_t **cert, struct ck_err *err) {
  /* zcert_load reads the secret half first, a file beside it. */
  char *secret = ck_sprintf("%s_secret", file);
  int rc = check_certificate(AT_FDCWD, file, err) || check_certificate(AT_FDCWD, secret, err) ||
           ck_key_file_check(file, err) || ck_key_file_check(secret, err);
  free(secret);
  if (rc) return -1;
  *cert = zcert_load(file);
  if (!*cert)
    return ck_fail(err, "%s: no CURVE certificate there; make one with `convkeep keys init`", file);
  return 0;
}

static int use_curve_server(void *socket, struct ck_err *err) {
  zcert_t *cert;
  if (start_authenticator(err) || load_cert("keys/store.key", &cert, err)) return -1;
  int yes = 1;
  int rc = zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
  if (rc == 0) rc = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, zcert_secret_key(cert), 32);
  if (rc == 0) rc = zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "convkeep", 8);
  if (rc == 0) rc = zmq_setsockopt(socket, OPTION_ZAP_ENFORCE_DOMAIN, &yes, sizeof yes);
  zcert_destroy(&cert);
  return rc == 0 ? 0 : ck_fail(err, "cannot set up CURVE: %s", zmq_strerror(errno));
}

static int load_client_certs(zcert_t **mine, zcert_t **server, struct ck_err *err) {
  if (load_cert("keys/client.key", mine, err)) return -1;
  if (load_cert("keys/store.pub", server, NULL) == 0 ||
      load_cert("keys/store.key", server, err) == 0)
    return 0;
  zcert_destroy(mine);
  return -1;
}

int ck_door_check_keys(bool binding, struct ck_err *err) {
  zcert_t *mine, *server = NULL;
  if (binding ? load_cert("keys/store.key", &mine, err) : load_client_certs(&mine, &server, err))
    return -1;
  zcert_destroy(&mine);
  zcert_destroy(&server);
  return 0;
}

static int use_curve_client(void *socket, struct ck_err *err) {
  zcert_t *mine, *server;
  if (load_client_certs(&mine, &server, err)) return -1;
  int rc = zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, zcert_public_key(server), 32);
  if (rc == 0) rc = zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, zcert_public_key(mine), 32);
  if (rc == 0) rc = zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, zcert_secret_key(mine), 32);
  zcert_destroy(&mine);
  zcert_destroy(&server);
  return rc == 0 ? 0 : ck_fail(err, "cannot set up CURVE: %s", zmq_strerror(errno));
}

/* ---- making sockets ---- */

static void set_int(void *socket, int option, int value) {
  zmq_setsockopt(socket, option, &value, sizeof value);
}

/* The feed's binding side receives only subscriptions: a topic, not a frame. */
#define TOPIC_BYTES 1024

static void set_common(void *socket, int type, int hwm) {
  int64_t largest = type == ZMQ_XPUB ? TOPIC_BYTES : CK_FRAME_MAX + 1024;
  zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
  set_int(socket, ZMQ_LINGER, 0);
  set_int(socket, ZMQ_SNDHWM, hwm);
  set_int(socket, ZMQ_RCVHWM, hwm);
  set_int(socket, ZMQ_RECONNECT_IVL, 50);
  set_int(socket, ZMQ_RECONNECT_IVL_MAX, 500);
  set_int(socket, ZMQ_CONNECT_TIMEOUT, 2000);
  set_int(socket, ZMQ_HANDSHAKE_IVL, 2000);
  set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
  set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 5);
  set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, 2);
  set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
}

static void set_for_type(void *socket, int type) {
  if (type == ZMQ_ROUTER) {
    set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
    set_int(socket, ZMQ_ROUTER_HANDOVER, 1);
  }
  if (type == ZMQ_XPUB) set_int(socket, ZMQ_XPUB_VERBOSER, 1);
}

/* Answers to observations are small, and come in bursts as large as what a peer has under way. If
 * one were dropped, the peer would send its observation again for nothing. */
#define ANSWERS_HWM 4096

/* Frames from a worker are small and must get through while the store stalls; batches to it are
 * large. */
#define FROM_WORKER_HWM 128

static void set_for_door(void *socket, enum ck_door door, bool binding) {
  if (door == CK_DOOR_WORK) set_int(socket, binding ? ZMQ_RCVHWM : ZMQ_SNDHWM, FROM_WORKER_HWM);
  if (door == CK_DOOR_OBSERVE && binding) set_int(socket, ZMQ_SNDHWM, ANSWERS_HWM);
}

static const char *const names[] = {"door.intake", "door.feed", "door.work", "door.snapshot",
                                    "door.observe"};

/* The inodes of the ipc doors that this process bound; 0: none. A socket keeps its inode from being
 * used again, so the number is enough. */
static ino_t bound[sizeof names / sizeof *names];

/* The file of an ipc door; NULL: it has none. */
static const char *file_of(const struct ck_settings *s, enum ck_door door) {
  const char *endpoint = ck_set_text(s, doors[door].setting);
  return strncmp(endpoint, "ipc://", 6) == 0 ? endpoint + 6 : NULL;
}

static ino_t inode_of(const char *file) {
  struct stat st;
  return file && lstat(file, &st) == 0 ? st.st_ino : 0;
}

/* 0: nobody listens on a socket of that name. EADDRINUSE: somebody does. Else the errno that hides
 * which it is. */
static int in_use(const char *file) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  size_t n = strlen(file);
  if (n >= sizeof to.sun_path) return ENAMETOOLONG;
  memcpy(to.sun_path, file, n);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int why = connect(fd, (struct sockaddr *)&to, sizeof to) ? errno : EADDRINUSE;
  close(fd);
  if (why == EAGAIN || why == EPROTOTYPE) return EADDRINUSE;
  return why == ECONNREFUSED || why == ENOENT ? 0 : why;
}

/* libzmq replaces whatever socket has the name, also one on which another process listens. */
static int check_unused(const struct ck_settings *s, enum ck_door door, struct ck_err *err) {
  const char *file = file_of(s, door);
  int why = file ? in_use(file) : 0;
  if (!why) return 0;
  return ck_fail(err, "%s: %s: %s", names[door], ck_set_text(s, doors[door].setting),
                 why == EADDRINUSE ? "another process listens there: give each folder its own"
                                   : strerror(why));
}

/* monitor: watches it; or NULL. */
static void *make(const struct ck_settings *s, enum ck_door door, bool binding,
                  struct ck_monitor *monitor, struct ck_err *err) {
  const struct door_info *info = &doors[door];
  const char *endpoint = ck_set_text(s, info->setting);
  if (ck_door_check(s, door, binding, err) || (binding && check_unused(s, door, err))) return NULL;
  int type = binding ? info->bind_type : info->connect_type;
  void *socket = zmq_socket(ck_context(), type);
  if (!socket) {
    ck_fail(err, "%s: %s", names[door], zmq_strerror(errno));
    return NULL;
  }
  set_common(socket, type, binding ? info->bind_hwm : info->connect_hwm);
  set_for_type(socket, type);
  set_for_door(socket, door, binding);
  bool curve = ck_door_wants_curve(s, door);
  bool ok =
      !curve || (binding ? use_curve_server(socket, err) : use_curve_client(socket, err)) == 0;
  if (ok && monitor) ok = ck_monitor_open(monitor, socket, err) == 0;
  if (ok && (binding ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) != 0) {
    ck_fail(err, "%s: %s: %s", names[door], endpoint, zmq_strerror(errno));
    ok = false;
  }
  if (!ok && monitor) ck_monitor_close(monitor, socket);
  if (!ok) ck_door_close(&socket, 0);
  if (ok && binding) bound[door] = inode_of(file_of(s, door));
  return socket;
}

void *ck_door_bind(const struct ck_settings *s, enum ck_door door, struct ck_err *err) {
  return make(s, door, true, NULL, err);
}

void *ck_door_connect(const struct ck_settings *s, enum ck_door door, struct ck_err *err) {
  return make(s, door, false, NULL, err);
}

void *ck_door_connect_watched(const struct ck_settings *s, enum ck_door door,
                              struct ck_monitor *monitor, struct ck_err *err) {
  *monitor = (struct ck_monitor){0};
  return make(s, door, false, monitor, err);
}

void ck_door_close(void **socket, int linger_ms) {
  if (!*socket) return;
  set_int(*socket, ZMQ_LINGER, linger_ms);
  zmq_close(*socket);
  *socket = NULL;
}

void ck_door_unlink(const struct ck_settings *s, enum ck_door door) {
  const char *file = file_of(s, door);
  bool free = file && (bound[door] ? inode_of(file) == bound[door] : in_use(file) == 0);
  if (free) unlink(file);
  bound[door] = 0;
}

int ck_doors_have_names(const struct ck_settings *s, struct ck_err *err) {
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    const char *file = bound[i] ? file_of(s, (enum ck_door)i) : NULL;
    if (file && inode_of(file) != bound[i])
      return ck_fail(err, "%s: %s was removed or replaced, so nobody finds this door", names[i],
                     file);
  }
  return 0;
}

void ck_subscribe(void *sub, const char *topic) {
  zmq_setsockopt(sub, ZMQ_SUBSCRIBE, topic, strlen(topic));
}

/* ---- frames ---- */

struct ck_str ck_frame(zmq_msg_t *frame) {
  return (struct ck_str){zmq_msg_data(frame), zmq_msg_size(frame)};
}

/* A signal may interrupt it, and a message of two parts must not stay without its second. */
static int send_part(void *socket, struct ck_str bytes, int flags) {
  int n;
  do n = zmq_send(socket, bytes.n ? bytes.s : "", bytes.n, flags | ZMQ_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -1 : 0;
}

/* The receiver would drop an oversized frame silently and cut the connection, at every try. */
static bool too_large(struct ck_str bytes) {
  if (bytes.n <= CK_FRAME_MAX) return false;
  errno = EMSGSIZE;
  return true;
}

int ck_send(void *socket, struct ck_str bytes) {
  return too_large(bytes) ? -1 : send_part(socket, bytes, 0);
}

static int send_two(void *socket, struct ck_str first, struct ck_str bytes) {
  if (too_large(bytes)) return -1;
  if (send_part(socket, first, ZMQ_SNDMORE)) return -1;
  return send_part(socket, bytes, 0);
}

int ck_send_topic(void *socket, const char *topic, struct ck_str bytes) {
  return send_two(socket, ck_str_of(topic), bytes);
}

static void free_bytes(void *data, void *hint) {
  (void)hint;
  free(data);
}

static int send_owned(void *socket, zmq_msg_t *frame) {
  int n, e;
  do n = zmq_msg_send(frame, socket, ZMQ_DONTWAIT);
  while (n < 0 && errno == EINTR);
  e = errno;
  if (n < 0) zmq_msg_close(frame);
  errno = e;
  return n < 0 ? -1 : 0;
}

static int send_two_owned(void *socket, struct ck_str first, struct ck_buf *bytes) {
  zmq_msg_t frame;
  int rc = -1;
  if (too_large(ck_buf_view(bytes)) || send_part(socket, first, ZMQ_SNDMORE) ||
      zmq_msg_init_data(&frame, bytes->data, bytes->len, free_bytes, NULL))
    ck_buf_free(bytes);
  else
    rc = send_owned(socket, &frame);
  *bytes = (struct ck_buf){0};
  return rc;
}

int ck_send_topic_owned(void *socket, const char *topic, struct ck_buf *bytes) {
  return send_two_owned(socket, ck_str_of(topic), bytes);
}

int ck_send_to(void *router, struct ck_str identity, struct ck_str bytes) {
  return send_two(router, identity, bytes);
}

int ck_send_to_owned(void *router, struct ck_str identity, struct ck_buf *bytes) {
  return send_two_owned(router, identity, bytes);
}

/* As with sending: between two parts, a signal must not lose what is still to come. */
static int recv_part(void *socket, zmq_msg_t *part) {
  int n;
  do n = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -1 : 0;
}

static bool more_follows(void *socket) {
  int more = 0;
  size_t n = sizeof more;
  zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &n);
  return more != 0;
}

static void drain_parts(void *socket) {
  while (more_follows(socket)) {
    zmq_msg_t rest;
    zmq_msg_init(&rest);
    if (recv_part(socket, &rest)) {
      zmq_msg_close(&rest);
      return;
    }
    zmq_msg_close(&rest);
  }
}

int ck_recv(void *socket, zmq_msg_t *frame) {
  zmq_msg_init(frame);
  if (recv_part(socket, frame)) {
    int e = errno;
    zmq_msg_close(frame);
    errno = e;
    return -1;
  }
  if (!more_follows(socket)) return 0;
  drain_parts(socket);
  zmq_msg_close(frame);
  errno = EPROTO;
  return -1;
}

int ck_recv2(void *socket, zmq_msg_t *first, zmq_msg_t *body) {
  zmq_msg_init(first);
  if (recv_part(socket, first)) {
    int e = errno;
    zmq_msg_close(first);
    errno = e;
    return -1;
  }
  if (more_follows(socket)) {
    if (ck_recv(socket, body) == 0) return 0;
  }
  zmq_msg_close(first);
  errno = EPROTO;
  return -1;
}

/* ---- asking ---- */

static int answer_from(zmq_msg_t *frame, uint64_t number, struct ck_message *answer) {
  struct ck_err ignored;
  struct ck_str bytes = ck_frame(frame);
  if (ck_message_decode(answer, bytes.s, bytes.n, &ignored)) return -1;
  const uint64_t *got = ck_message_request(answer);
  return got && *got == number ? 0 : -1;
}

int ck_ask(void *dealer, struct ck_message *request, struct ck_message *answer, zmq_msg_t *frame,
           int timeout_ms, struct ck_err *err) {
  static uint64_t numbers;
  static _Thread_local char code[40];
  uint64_t *number = ck_message_request(request);
  if (!number) return ck_fail(err, "%s is not a request", ck_message_name(request->kind));
  *number = ++numbers;
  struct ck_buf bytes = {0};
  ck_message_encode(&bytes, request);
  int rc = ck_send(dealer, ck_buf_view(&bytes));
  ck_buf_free(&bytes);
  if (rc) return ck_fail(err, "the question cannot be sent: %s", zmq_strerror(errno));
  int64_t until = ck_boot_ms() + timeout_ms;
  for (;;) {
    int64_t left = until - ck_boot_ms();
    if (left <= 0) return ck_fail(err, "nobody answered within %d ms", timeout_ms);
    zmq_pollitem_t item = {dealer, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, (long)left) <= 0) continue;
    if (ck_recv(dealer, frame)) continue;
    if (answer_from(frame, *number, answer) == 0) break;
    zmq_msg_close(frame);
  }
  if (answer->kind != CK_MSG_PROBLEM) return 0;
  ck_fail(err, "%.*s", (int)answer->as.problem.reason.n, answer->as.problem.reason.s);
  snprintf(code, sizeof code, "%.*s", (int)answer->as.problem.code.n, answer->as.problem.code.s);
  answer->as.problem = (struct ck_problem){.code = ck_str_of(code)};
  zmq_msg_close(frame);
  return -1;
}
