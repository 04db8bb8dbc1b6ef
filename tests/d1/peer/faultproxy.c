/* faultproxy LISTEN_PORT TARGET_PORT: sits between a client and a server on this machine, and does
 * to their connections what cannot be said in HTTP. It prints "port N", then obeys commands on its
 * standard input, one a line, and prints a line for each. It exits at the end of the input, so it
 * never outlives the test that started it.
 *
 *   pass [N]          N requests go through; without N, all faults that wait are dropped
 *   reset-before N    the connection is reset, and the server never hears of the request
 *   reset-after N     the server answers, and the client's connection is reset instead
 *   eof-before N      the same with an orderly end of file
 *   eof-after N
 *   stall-before N    the same with silence, until the client gives up
 *   stall-after N
 *   refuse on|off     stops listening and resets what is connected; or listens again
 *   stats             requests seen, faults done, connections open
 *
 * Faults queue up: each takes the next N requests after those of the faults before it. A request
 * begins with the first bytes that a client sends after it was connected or answered. The proxy
 * understands nothing else of the protocol, so any protocol will do in which a client waits for the
 * answer before it sends the next request. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_LINKS = 256, MAX_ORDERS = 256, BUFFER = 65536, MAX_LINE = 256 };

enum fault {
  PASS,
  RESET_BEFORE,
  RESET_AFTER,
  EOF_BEFORE,
  EOF_AFTER,
  STALL_BEFORE,
  STALL_AFTER,
  FAULTS
};

static const char *const fault_names[FAULTS] = {
    [PASS] = "pass",
    [RESET_BEFORE] = "reset-before",
    [RESET_AFTER] = "reset-after",
    [EOF_BEFORE] = "eof-before",
    [EOF_AFTER] = "eof-after",
    [STALL_BEFORE] = "stall-before",
    [STALL_AFTER] = "stall-after",
};

/* Bytes under way in one direction. The buffer is only filled when it is empty, so a slow reader
 * slows down the writer. */
struct flow {
  size_t from, to;
  char bytes[BUFFER];
};

/* One client and its connection to the server. */
struct link {
  int client, server;
  enum fault fault;
  bool idle;  /* the client's next bytes begin a request */
  bool muted; /* reads and drops further bytes until the client leaves */
  struct flow up, down;
};

/* The next `count` requests get this fault. */
struct order {
  enum fault fault;
  long count;
};

static struct link *links[MAX_LINKS];
static size_t link_count;
static struct order orders[MAX_ORDERS];
static size_t order_count;
static unsigned long requests, faults;
static in_port_t listen_port, target_port;
static int listener = -1;

static void die(const char *what) {
  fprintf(stderr, "faultproxy: %s: %s\n", what, strerror(errno));
  exit(1);
}

static struct sockaddr_in loopback(in_port_t port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET,
      .sin_port = htons(port),
      .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
  };
}

static void start_listening(void) {
  struct sockaddr_in address = loopback(listen_port);
  socklen_t size = sizeof address;
  int on = 1;

  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(listener, MAX_LINKS) < 0)
    die("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) die("getsockname");
  listen_port =
      ntohs(address.sin_port); /* kept, so that it listens on the same port after `refuse` */
}

/* Closing with a linger time of 0 sends a reset instead of an end of file. */
static void reset(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};

  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

static void end_link(struct link *link, bool by_reset) {
  if (by_reset)
    reset(link->client);
  else
    close(link->client);
  if (link->server >= 0) close(link->server);
  link->client = -1;
}

static void forget_ended_links(void) {
  size_t kept = 0;

  for (size_t i = 0; i < link_count; i++) {
    if (links[i]->client >= 0)
      links[kept++] = links[i];
    else
      free(links[i]);
  }
  link_count = kept;
}

static void accept_link(void) {
  struct sockaddr_in target = loopback(target_port);
  int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

  if (client < 0) return;
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct link *link = calloc(1, sizeof *link);
  if (server < 0 || !link) die("accept");
  if (link_count == MAX_LINKS || connect(server, (struct sockaddr *)&target, sizeof target) < 0) {
    reset(client);
    close(server);
    free(link);
    return;
  }
  link->client = client;
  link->server = server;
  link->idle = true;
  links[link_count++] = link;
}

static enum fault next_fault(void) {
  if (order_count == 0) return PASS;
  enum fault fault = orders[0].fault;
  if (--orders[0].count == 0) memmove(&orders[0], &orders[1], --order_count * sizeof orders[0]);
  return fault;
}

/* Keeps the client's connection and closes the server's: what the client sends goes nowhere from
 * now on. */
static void mute(struct link *link) {
  link->muted = true;
  link->up.from = link->up.to = link->down.from = link->down.to = 0;
  close(link->server);
  link->server = -1;
}

static void inflict(struct link *link) {
  faults++;
  switch (link->fault) {
  case RESET_BEFORE:
  case RESET_AFTER:
    end_link(link, true);
    break;
  case EOF_BEFORE:
  case EOF_AFTER:
    /* Not close(): if bytes of the client are still unread, that would be a reset. */
    shutdown(link->client, SHUT_WR);
    mute(link);
    break;
  case STALL_BEFORE:
  case STALL_AFTER:
    mute(link);
    break;
  case PASS:
  case FAULTS:
    break;
  }
}

static ssize_t fill(int fd, struct flow *flow) {
  ssize_t got = recv(fd, flow->bytes, BUFFER, MSG_DONTWAIT);

  if (got > 0) {
    flow->from = 0;
    flow->to = (size_t)got;
  }
  return got;
}

static bool would_block(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EINTR);
}

static void pump(struct link *link, int fd, struct flow *flow) {
  ssize_t sent =
      send(fd, flow->bytes + flow->from, flow->to - flow->from, MSG_DONTWAIT | MSG_NOSIGNAL);

  if (sent >= 0)
    flow->from += (size_t)sent;
  else if (!would_block(sent))
    end_link(link, true);
}

static void hear_client(struct link *link) {
  ssize_t got = fill(link->client, &link->up);

  if (would_block(got)) return;
  if (got <= 0) {
    end_link(link, got < 0);
    return;
  }
  if (link->muted) {
    link->up.from = link->up.to;
    return;
  }
  if (link->idle) {
    link->idle = false;
    requests++;
    link->fault = next_fault();
    if (link->fault == RESET_BEFORE || link->fault == EOF_BEFORE || link->fault == STALL_BEFORE) {
      inflict(link);
      return;
    }
  }
  pump(link, link->server, &link->up);
}

static void hear_server(struct link *link) {
  ssize_t got = fill(link->server, &link->down);

  if (would_block(got)) return;
  if (got <= 0) {
    end_link(link, got < 0);
    return;
  }
  link->idle = true;
  if (link->fault != PASS)
    inflict(link);
  else
    pump(link, link->client, &link->down);
}

static bool full(const struct flow *flow) { return flow->from < flow->to; }

static void serve_link(struct link *link, short client_events, short server_events) {
  if (client_events & POLLOUT && full(&link->down))
    pump(link, link->client, &link->down);
  else if (client_events && !full(&link->up))
    hear_client(link);
  if (link->client < 0 || link->server < 0) return;
  if (server_events & POLLOUT && full(&link->up))
    pump(link, link->server, &link->up);
  else if (server_events && !full(&link->down))
    hear_server(link);
}

static void refuse(bool on) {
  if (on && listener >= 0) {
    close(listener);
    listener = -1;
    for (size_t i = 0; i < link_count; i++) end_link(links[i], true);
    forget_ended_links();
  } else if (!on && listener < 0) {
    start_listening();
  }
}

static bool add_order(const char *word, long count) {
  for (int fault = 0; fault < FAULTS; fault++) {
    if (strcmp(word, fault_names[fault]) == 0 && count > 0 && order_count < MAX_ORDERS) {
      orders[order_count++] = (struct order){.fault = (enum fault)fault, .count = count};
      return true;
    }
  }
  return false;
}

static void obey(const char *line) {
  char word[32] = "", argument[32] = "";
  bool known = true;

  sscanf(line, "%31s %31s", word, argument);
  if (strcmp(word, "stats") == 0) {
    printf("requests %lu faults %lu connections %zu\n", requests, faults, link_count);
    fflush(stdout);
    return;
  }
  if (strcmp(word, "pass") == 0 && argument[0] == '\0')
    order_count = 0;
  else if (strcmp(word, "refuse") == 0 && strcmp(argument, "on") == 0)
    refuse(true);
  else if (strcmp(word, "refuse") == 0 && strcmp(argument, "off") == 0)
    refuse(false);
  else
    known = add_order(word, strtol(argument, NULL, 10));
  printf("%s %s\n", known ? "ok" : "unknown", line);
  fflush(stdout);
}

/* Obeys the commands that have come; false at the end of the input. */
static bool read_commands(void) {
  static char line[MAX_LINE];
  static size_t length;
  ssize_t got = read(STDIN_FILENO, line + length, sizeof line - length - 1);

  if (got <= 0) return would_block(got);
  length += (size_t)got;
  line[length] = '\0';

  char *start = line;
  for (char *end; (end = strchr(start, '\n')); start = end + 1) {
    *end = '\0';
    obey(start);
  }
  length -= (size_t)(start - line);
  memmove(line, start, length);
  if (length == sizeof line - 1) length = 0; /* too long for any command */
  return true;
}

static struct pollfd watch(int fd, const struct flow *in, const struct flow *out) {
  int events = (full(in) ? 0 : POLLIN) | (full(out) ? POLLOUT : 0);

  /* With nothing to wait for, poll would still report a hang-up again and again; it ignores
   * negative descriptors. */
  return (struct pollfd){.fd = events ? fd : -1, .events = (short)events};
}

static void run(void) {
  static struct pollfd polled[2 + 2 * MAX_LINKS];

  for (;;) {
    size_t watched = link_count;

    polled[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (size_t i = 0; i < watched; i++) {
      polled[2 + 2 * i] = watch(links[i]->client, &links[i]->up, &links[i]->down);
      polled[3 + 2 * i] = watch(links[i]->server, &links[i]->down, &links[i]->up);
    }
    if (poll(polled, 2 + 2 * watched, -1) < 0 && errno != EINTR) die("poll");
    for (size_t i = 0; i < watched; i++)
      serve_link(links[i], polled[2 + 2 * i].revents, polled[3 + 2 * i].revents);
    forget_ended_links();
    if (polled[1].revents) accept_link();
    if (polled[0].revents && !read_commands()) return;
  }
}

static in_port_t parse_port(const char *text) {
  char *end;
  long port = strtol(text, &end, 10);

  if (*text == '\0' || *end != '\0' || port < 0 || port > 65535) {
    fprintf(stderr, "faultproxy: %s: not a port\n", text);
    exit(2);
  }
  return (in_port_t)port;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: faultproxy LISTEN_PORT TARGET_PORT\n");
    return 2;
  }
  listen_port = parse_port(argv[1]);
  target_port = parse_port(argv[2]);
  signal(SIGPIPE, SIG_IGN);
  start_listening();
  printf("port %d\n", listen_port);
  fflush(stdout);
  run();
  return 0;
}
