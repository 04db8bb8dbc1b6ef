/* The daemon of libmicrohttpd, and what it calls. */
#include "webd/http/internal.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"

/* What one connection may have of head and buffers, in bytes; a larger head is refused. */
#define CONNECTION_BYTES (16 << 10)
#define CONNECTION_STEP 1024
/* Descriptors that are not connections. */
#define OTHER_DESCRIPTORS 64
/* The bodies of all requests together. */
#define BODIES_MAX ((size_t)128 << 20)
/* So much of the body of a refused request is read, so that its sender gets to read why. */
#define SKIPPED_MAX ((size_t)256 << 10)
#define SWEEP_MS 250
#define LISTEN_MS 1000

/* ---- one request ---- */

static bool has_room(struct web_request *r, size_t n) {
  if (r->body.len + n > r->route->body) {
    web_refuse(r, WEB_REFUSED_BODY, "the body has more than %zu bytes", r->route->body);
    return false;
  }
  if (r->http->counts.bodies + n > BODIES_MAX) {
    web_refuse_for(r, WEB_REFUSED_MEMORY, 1, "the requests at present have %zu MiB together",
                   BODIES_MAX >> 20);
    return false;
  }
  return true;
}

static bool is_upload(const struct web_request *r) {
  return r->route && r->route->flags & WEB_UPLOAD;
}

static void take_upload(struct web_request *r, const char *data, size_t n) {
  web_connection_phase(r->on, WEB_BODY);
  web_upload_take(r, data, n);
  r->handled = r->reply.response != NULL;
}

/* false: there is more to come of it than is worth reading. A browser that uploads does not read
 * before all is sent, so the rest of an upload is read whatever its size. */
static bool take_body(struct web_request *r, const char *data, size_t n) {
  if (is_upload(r) && !r->handled) {
    take_upload(r, data, n);
    return true;
  }
  if (!r->handled && has_room(r, n)) {
    ck_buf_add(&r->body, data, n);
    r->counted += n;
    r->http->counts.bodies += n;
    return true;
  }
  r->handled = true;
  r->skipped += n;
  if (is_upload(r)) web_connection_phase(r->on, WEB_BODY);
  return r->skipped <= (is_upload(r) ? r->route->body : SKIPPED_MAX);
}

void web_keep(struct web_request *r, void *thing, void (*free_it)(void *thing)) {
  r->kept = thing;
  r->free_kept = free_it;
}

void *web_kept(const struct web_request *r) { return r->kept; }

void web_handle(struct web_request *r) { r->route->handle(r->http->ops.self, r); }

static bool is_view(const struct web_request *r) {
  return r->method == WEB_GET && (r->route->flags & (WEB_PAGE | WEB_OPEN | WEB_BYTES)) == WEB_PAGE;
}

static enum MHD_Result handle(struct web_request *r) {
  struct web_http *h = r->http;
  web_connection_phase(r->on, WEB_HANDLER);
  if (!r->handled) {
    r->handled = true;
    if (is_upload(r)) web_upload_end(r);
    if (r->reply.response) return web_queue(r);
    if (h->stopping)
      web_refuse_for(r, WEB_REFUSED_AWAY, 1, "webd is being stopped");
    else if (!web_form_fits(r))
      web_refuse(r, WEB_REFUSED_FORM, "the form is of another session; load its page again");
    else if (r->route->args && !web_args_known(r, r->route->args))
      return web_queue(r);
    else if (h->ops.first && is_view(r))
      h->ops.first(h->ops.self, r);
    else
      web_handle(r);
  }
  if (r->reply.response) return web_queue(r);
  r->suspended = true;
  MHD_suspend_connection(r->mhd);
  return MHD_YES;
}

/* Called for the head, for each piece of the body, at its end, and after each resumption. */
static enum MHD_Result take(void *cls, struct MHD_Connection *c, const char *path,
                            const char *method, const char *version, const char *data, size_t *n,
                            void **context) {
  struct web_http *h = cls;
  struct web_request *r = *context;
  (void)version;
  (void)path; /* decoded as a whole; head.c decodes its parts */
  if (!r) {
    r = *context = web_request_new(h, c, method);
    r->on->asked = true;
    r->on->begun = false;
    ++h->counts.requests;
    web_connection_phase(r->on, WEB_BODY);
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    bool large = length && strtoull(length, NULL, 10) > SKIPPED_MAX;
    return r->reply.response && large ? web_queue(r) : MHD_YES;
  }
  if (*n) {
    bool goes_on = take_body(r, data, *n);
    *n = 0;
    return goes_on ? MHD_YES : MHD_NO; /* no answer can be given within a body */
  }
  r->whole = true;
  return r->reply.response ? web_queue(r) : handle(r);
}

static void completed(void *cls, struct MHD_Connection *c, void **context,
                      enum MHD_RequestTerminationCode code) {
  struct web_request *r = *context;
  (void)cls;
  (void)c;
  (void)code;
  *context = NULL;
  if (!r) return;
  if (!r->whole && !r->refused && !r->on->cut) web_count_refusal(r->http, WEB_REFUSED_UNFINISHED);
  web_connection_phase(r->on, WEB_HEAD);
  if (r->stream) web_stream_closed(r->stream);
  web_request_free(r);
}

/* Its own complaints are about single connections, and of no use in the log. */
static void complain(void *cls, const char *fmt, va_list ap) {
  (void)cls;
  (void)fmt;
  (void)ap;
}

/* ---- the server ---- */

/* Each connection needs a descriptor. */
static unsigned most_connections(const struct ck_settings *s) {
  unsigned most = (unsigned)ck_set_int(s, CK_SET_WEB_CONNECTIONS);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return most;
  rlim_t wanted = most + OTHER_DESCRIPTORS;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= wanted) return most;
  unsigned less = limit.rlim_cur > 2 * OTHER_DESCRIPTORS
                      ? (unsigned)limit.rlim_cur - OTHER_DESCRIPTORS
                      : OTHER_DESCRIPTORS;
  ck_log(CK_WARN, "-", "few_descriptors", "connections=%u wanted=%u", less, most);
  return less;
}

struct web_http *web_http_new(const struct ck_settings *s, const struct web_http_ops *ops,
                              struct web_access *access, struct ck_err *err) {
  struct web_http *h = ck_zalloc(sizeof *h);
  enum ck_setting which;
  h->settings = s;
  h->ops = *ops;
  h->access = access;
  h->listener = -1;
  h->most = most_connections(s);
  h->rate = web_rate_new((unsigned)ck_set_int(s, CK_SET_WEB_RATE));
  if (ck_web_read(&h->at, s, &which, err)) goto fail;
  h->daemon = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
      NULL, NULL, take, h, MHD_OPTION_EXTERNAL_LOGGER, complain, NULL, MHD_OPTION_CONNECTION_LIMIT,
      h->most + 1, MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)CONNECTION_STEP,
      MHD_OPTION_NOTIFY_COMPLETED, completed, h, MHD_OPTION_NOTIFY_CONNECTION,
      web_connection_notify, h, MHD_OPTION_URI_LOG_CALLBACK, web_connection_path, h,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  const union MHD_DaemonInfo *info =
      h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
  if (info) {
    h->epoll = info->epoll_fd;
    web_listen(h);
    return h;
  }
  ck_fail(err, "libmicrohttpd cannot be started");
fail:
  web_http_free(&h);
  return NULL;
}

void web_http_stop(struct web_http *h) {
  if (h->listener >= 0) close(h->listener);
  h->listener = -1;
  h->stopping = true;
}

static bool is_answering(const struct web_connection *c) {
  return c->phase == WEB_BODY || c->phase == WEB_HANDLER || c->phase == WEB_SENDING;
}

bool web_http_busy(const struct web_http *h) {
  for (const struct web_connection *c = h->connections; c; c = c->next)
    if (is_answering(c)) return true;
  return false;
}

/* libmicrohttpd does not end while a connection waits. */
static void refuse_waiting(struct web_http *h) {
  for (struct web_connection *c = h->connections; c; c = c->next)
    if (c->request && c->request->suspended)
      web_refuse_for(c->request, WEB_REFUSED_AWAY, 1, "webd has ended");
}

void web_http_free(struct web_http **http) {
  struct web_http *h = *http;
  if (!h) return;
  web_http_stop(h);
  refuse_waiting(h);
  web_streams_end(h);
  if (h->daemon) MHD_run(h->daemon);
  if (h->daemon) MHD_stop_daemon(h->daemon);
  web_rate_free(&h->rate);
  if (h->names) unlink(CK_PLACE_WEB_ADDRESS);
  web_names_free(&h->names);
  free(h->times);
  free(h);
  *http = NULL;
}

/* ---- the loop ---- */

void web_http_wait(struct web_http *h, struct ck_wait *w) {
  MHD_UNSIGNED_LONG_LONG ms;
  ck_wait_for(w, NULL, h->epoll, ZMQ_POLLIN);
  if (h->listener >= 0) ck_wait_for(w, NULL, h->listener, ZMQ_POLLIN);
  if (h->connections) ck_wait_lazily(w, h->sweep_at);
  if (h->listener < 0 && !h->stopping) ck_wait_lazily(w, h->listen_at);
  if (MHD_get_timeout(h->daemon, &ms) == MHD_YES) ck_wait_within(w, ms > 60000 ? 60000 : (int)ms);
  if (h->again) ck_wait_within(w, 0);
  web_streams_wait(h, w);
}

void web_http_step(struct web_http *h) {
  int64_t now = ck_boot_ms();
  h->again = false;
  if (h->listener < 0 && !h->stopping && now >= h->listen_at) {
    h->listen_at = now + LISTEN_MS;
    web_listen(h);
  }
  if (h->listener >= 0) web_accept(h);
  MHD_run(h->daemon);
  web_streams_feed(h);
  if (now < h->sweep_at) return;
  h->sweep_at = now + SWEEP_MS;
  web_connections_sweep(h);
  web_access_look(h->access);
  web_streams_look(h);
}

bool web_http_again(const struct web_http *h) { return h->again; }

const char *web_http_trouble(const struct web_http *h) { return h->trouble[0] ? h->trouble : NULL; }

const struct web_names *web_http_names(const struct web_http *h) { return h->names; }

const struct web_counts *web_http_counts(const struct web_http *h) { return &h->counts; }
