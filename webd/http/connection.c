/* The connections, and how long each may take for what it is at. */
#include "webd/http/internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "proto/clock.h"

/* tcpi_state; <netinet/tcp.h> has it, which does not go with the kernel's. */
#define TIME_WAIT 6
#define CLOSE_WAIT 8

/* For each phase; 0: no limit. */
static const int limits_ms[] = {[WEB_HEAD] = 15000, [WEB_BODY] = 60000, [WEB_SENDING] = 120000};

void web_connection_phase(struct web_connection *c, enum web_phase phase) {
  int ms = phase < sizeof limits_ms / sizeof *limits_ms ? limits_ms[phase] : 0;
  c->phase = phase;
  c->until = ms ? ck_boot_ms() + ms : 0;
}

static void begin(struct web_http *h, struct MHD_Connection *mhd, void **context) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct web_connection *c = ck_zalloc(sizeof *c);
  *c = (struct web_connection){
      .next = h->connections, .http = h, .mhd = mhd, .fd = info ? info->connect_fd : -1};
  if (c->next) c->next->prev = c;
  h->connections = c;
  ++h->counts.open;
  web_connection_phase(c, WEB_HEAD);
  *context = c;
}

static bool read_info(const struct web_connection *c, struct tcp_info *info) {
  socklen_t n = sizeof *info;
  *info = (struct tcp_info){0};
  return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, info, &n) == 0 &&
         n >= offsetof(struct tcp_info, tcpi_segs_out);
}

/* Browsers open connections that they may want later, and say nothing on them. The kernel counts
 * the end of what the other side says as a byte. */
static bool has_said_anything(const struct web_connection *c) {
  struct tcp_info info;
  return read_info(c, &info) && info.tcpi_bytes_received > (info.tcpi_state >= TIME_WAIT);
}

/* There is a part of a head that has not come whole. A connection that rests between requests is
 * refused nothing; that a further one has begun is known from its first line on. */
static bool has_begun(const struct web_connection *c) {
  return c->begun || (!c->asked && has_said_anything(c));
}

/* The other side will say no more, and all that it said was read: libmicrohttpd does not see that
 * in each case. */
static bool has_ended(const struct web_connection *c) {
  struct tcp_info info;
  int unread = 0;
  return read_info(c, &info) && info.tcpi_state == CLOSE_WAIT &&
         ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0;
}

static void end(struct web_http *h, struct web_connection *c) {
  if (!c->cut && !h->adding && has_begun(c)) web_count_refusal(h, WEB_REFUSED_UNFINISHED);
  if (c->prev)
    c->prev->next = c->next;
  else
    h->connections = c->next;
  if (c->next) c->next->prev = c->prev;
  --h->counts.open;
  free(c->path);
  free(c);
}

void web_connection_notify(void *cls, struct MHD_Connection *mhd, void **context,
                           enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED)
    begin(cls, mhd, context);
  else if (*context)
    end(cls, *context);
}

struct web_connection *web_connection_of(struct MHD_Connection *c) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info->socket_context;
}

/* libmicrohttpd decodes the path as a whole, so that a slash in a part of it is one between two. */
void *web_connection_path(void *cls, const char *uri, struct MHD_Connection *mhd) {
  struct web_connection *c = web_connection_of(mhd);
  (void)cls;
  c->begun = true;
  free(c->path);
  c->path = ck_str_dup((struct ck_str){uri, strcspn(uri, "?")});
  return NULL;
}

/* libmicrohttpd finds its end, and closes it. */
void web_connection_cut(struct web_connection *c) {
  if (c->cut) return;
  c->cut = true;
  shutdown(c->fd, SHUT_RDWR);
  c->http->again = true;
}

/* What was refused before is counted already, whatever becomes of the rest of it. */
static bool is_refused(const struct web_connection *c) {
  return c->phase == WEB_HEAD ? has_begun(c) : !c->request || !c->request->refused;
}

void web_connections_sweep(struct web_http *h) {
  int64_t now = ck_boot_ms();
  for (struct web_connection *c = h->connections; c; c = c->next) {
    if (c->cut) continue;
    if (c->phase == WEB_BODY && has_ended(c)) {
      if (is_refused(c)) web_count_refusal(h, WEB_REFUSED_UNFINISHED);
      web_connection_cut(c);
      continue;
    }
    if (!c->until || now < c->until) continue;
    if (is_refused(c)) web_count_refusal(h, WEB_REFUSED_SLOW);
    web_connection_cut(c);
  }
}
