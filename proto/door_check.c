/* Whether an address can be a door. libzmq takes more than works: a port beyond 65535 becomes
 * another one, text after a port is dropped, and whatever lies at the path of an ipc door is
 * deleted. Declared in doors.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/doors.h"
#include "proto/file.h"
#include "proto/loopback.h"

#define IPC "ipc://"
#define TCP "tcp://"
#define SCHEME_BYTES 6
#define HOST_MAX 256

struct address {
  const char *path; /* of ipc; else NULL */
  char host[HOST_MAX];
  unsigned port;
};

static bool is(const char *endpoint, const char *scheme) {
  return strncmp(endpoint, scheme, SCHEME_BYTES) == 0;
}

/* ---- ipc ---- */

static int check_path(const char *path, struct ck_err *err) {
  struct sockaddr_un un;
  if (!*path || strcmp(path, "*") == 0) return ck_fail(err, "must name a file for the socket");
  if (*path == '@')
    return ck_fail(err, "an abstract socket is open to every user of this machine; name a file");
  if (strlen(path) >= sizeof un.sun_path)
    return ck_fail(err, "the path has %zu bytes, and a socket's at most %zu", strlen(path),
                   sizeof un.sun_path - 1);
  return 0;
}

/* Binding replaces whatever has that name. */
static int check_place(const char *path, struct ck_err *err) {
  char folder[sizeof((struct sockaddr_un){0}).sun_path + 1];
  const char *slash = strrchr(path, '/');
  struct stat st;
  size_t n = slash ? (size_t)(slash - path) + 1 : 0;
  memcpy(folder, path, n);
  folder[n] = '\0';
  if (n && !path[n]) return ck_fail(err, "must name a file for the socket");
  if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
    return ck_fail(err, "something else than a socket is there");
  if (access(n ? folder : ".", W_OK | X_OK) == 0) return 0;
  /* Every start makes run/. */
  if (errno == ENOENT && strcmp(folder, "run/") == 0) return 0;
  ck_fail_write(err, path, errno, strerror(errno));
  return ck_fail_in(err, "%s", n ? folder : "the data folder");
}

/* ---- tcp ---- */

static bool is_host(const char *host) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return *host && host[strspn(host, allowed)] == '\0';
}

static int parse_port(const char *text, unsigned *port, struct ck_err *err) {
  size_t n = strspn(text, "0123456789");
  *port = 0;
  for (size_t i = 0; i < n && *port < 100000; ++i) *port = *port * 10 + (unsigned)(text[i] - '0');
  if (n && !text[n] && *port >= 1 && *port <= 65535) return 0;
  return ck_fail(err,
                 "the port must be a number from 1 to 65535, which the others know, not"
                 " \"%.40s\"",
                 text);
}

static int parse(const char *endpoint, struct address *a, struct ck_err *err) {
  *a = (struct address){.path = is(endpoint, IPC) ? endpoint + SCHEME_BYTES : NULL};
  if (a->path) return check_path(a->path, err);
  if (!is(endpoint, TCP)) return ck_fail(err, "only ipc:// and tcp:// addresses can be doors");
  const char *host = endpoint + SCHEME_BYTES, *colon = strrchr(host, ':');
  if (!colon) return ck_fail(err, "must be tcp://HOST:PORT");
  size_t n = (size_t)(colon - host);
  if (n >= HOST_MAX) return ck_fail(err, "the host's name is too long");
  memcpy(a->host, host, n);
  return parse_port(colon + 1, &a->port, err);
}

/* Tries the address; one that is in use is one. */
static int check_local(const struct address *a, struct ck_err *err) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)a->port)};
  const int yes = 1;
  if (strcmp(a->host, "*") != 0 && inet_pton(AF_INET, a->host, &in.sin_addr) != 1)
    return ck_fail(err,
                   "the program that binds it needs an IPv4 address of this machine, or *,"
                   " not \"%.60s\"",
                   a->host);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;
  if (fd < 0) return ck_fail(err, "no socket: %s", strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&in, sizeof in) && errno != EADDRINUSE)
    rc = ck_fail(err, "%s", strerror(errno));
  close(fd);
  return rc;
}

static int check_remote(const struct address *a, struct ck_err *err) {
  if (strcmp(a->host, "*") == 0)
    return ck_fail(err, "* is for the program that binds it only; the others need the host");
  return is_host(a->host)
             ? 0
             : ck_fail(err, "\"%.60s\" is no name and no IPv4 address of a host", a->host);
}

/* ---- two doors in one place ---- */

static bool is_any(const char *host) {
  return strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0;
}

static bool same_path(const char *a, const char *b) {
  for (;; ++a, ++b) {
    while ((a[0] == '.' && a[1] == '/') || (a[0] == '/' && a[1] == '/')) a += a[0] == '.' ? 2 : 1;
    while ((b[0] == '.' && b[1] == '/') || (b[0] == '/' && b[1] == '/')) b += b[0] == '.' ? 2 : 1;
    if (*a != *b) return false;
    if (!*a) return true;
  }
}

static bool same_place(const struct address *a, const struct address *b) {
  if (a->path || b->path) return a->path && b->path && same_path(a->path, b->path);
  return a->port == b->port &&
         (strcmp(a->host, b->host) == 0 || is_any(a->host) || is_any(b->host));
}

static int check_others(const struct ck_settings *s, enum ck_door door, const struct address *a,
                        struct ck_err *err) {
  for (int d = CK_DOOR_INTAKE; d <= CK_DOOR_OBSERVE; ++d) {
    struct address other;
    struct ck_setting_view v;
    if (d == (int)door || parse(ck_set_text(s, ck_door_setting((enum ck_door)d)), &other, NULL))
      continue;
    if (!same_place(a, &other)) continue;
    ck_settings_view(s, (int)ck_door_setting((enum ck_door)d), &v);
    return ck_fail(err, "%s is there too; each door needs its own", v.name);
  }
  return 0;
}

/* ---- all of it ---- */

static int check(const struct ck_settings *s, enum ck_door door, bool binding, const char *endpoint,
                 struct ck_err *err) {
  struct address a;
  if (parse(endpoint, &a, err) || check_others(s, door, &a, err)) return -1;
  if (a.path) return binding ? check_place(a.path, err) : 0;
  bool curve = ck_door_wants_curve(s, door);
  if (!curve && !ck_is_loopback(ck_str_of(a.host)))
    return ck_fail(err, "a tcp door that is not on loopback needs CURVE; set door.curve to auto or"
                        " on");
  if (curve && ck_door_check_keys(binding, err)) return -1;
  return binding ? check_local(&a, err) : check_remote(&a, err);
}

int ck_door_check(const struct ck_settings *s, enum ck_door door, bool binding,
                  struct ck_err *err) {
  struct ck_setting_view v;
  const char *endpoint = ck_set_text(s, ck_door_setting(door));
  if (check(s, door, binding, endpoint, err) == 0) return 0;
  ck_settings_view(s, (int)ck_door_setting(door), &v);
  return ck_fail_in(err, "%s: %.120s", v.name, endpoint);
}
