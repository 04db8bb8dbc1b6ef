/* What the files of this folder share. */
#ifndef WEBD_HTTP_INTERNAL_H
#define WEBD_HTTP_INTERNAL_H

#include <microhttpd.h>

#include "webd/http/http.h"

#define WEB_PARTS 8 /* of a path, at most */

/* What a connection is at; each has a time of its own. */
enum web_phase {
  WEB_HEAD,    /* until a whole head has come: since the connection, or the last answer */
  WEB_BODY,    /* until the body has come */
  WEB_HANDLER, /* no limit: who answers has one */
  WEB_SENDING, /* until the answer is taken */
  WEB_STREAM   /* no limit: who falls behind is cut off */
};

struct web_connection {
  struct web_connection *prev, *next;
  struct web_http *http;
  struct MHD_Connection *mhd;
  int fd;
  enum web_phase phase;
  int64_t until;               /* boot: of the phase; 0: no limit */
  char *path;                  /* of the last request, as it came */
  struct web_request *request; /* the one at present; NULL: none */
  bool cut;                    /* shut down by this side */
  bool asked;                  /* the head of a request has come whole on it */
  bool begun;                  /* the first line of the next head has come, and not all of it */
};

struct web_reply {
  struct MHD_Response *response; /* NULL: none yet */
  unsigned status;
};

struct web_request {
  struct web_http *http;
  struct web_connection *on;
  struct MHD_Connection *mhd;
  const struct web_route *route; /* NULL: it was refused before there was one */
  enum web_method method;
  int64_t begun;                 /* ck_mono_us */
  struct ck_str path[WEB_PARTS]; /* its parts, decoded */
  int path_n;
  struct ck_str parts[WEB_PARTS]; /* those in braces */
  struct ck_arena texts;
  bool head_only; /* HEAD */
  bool for_page;  /* refusals are pages */
  bool extension; /* Origin is a paired extension's: it gets CORS */
  bool pairing;   /* or one that may be paired now */
  struct web_who who;
  char cookie[CK_SECRET_TEXT];
  struct ck_buf body;
  struct web_upload_form *form; /* of a route with WEB_UPLOAD, once something of it has come */
  size_t counted;               /* bytes of the body in http->counts.bodies */
  size_t skipped; /* bytes of a body that is thrown away, of a request that was refused */
  bool handled;   /* the handler was called, or never will be */
  bool refused;   /* that is counted */
  bool whole;     /* all of its body has come */
  bool suspended;
  struct web_reply reply;
  struct header {
    struct header *next;
    char *name, *value;
  } * headers;
  struct web_stream *stream; /* the reply is a stream's, which owns itself */
  void *kept;
  void (*free_kept)(void *kept);
};

struct web_http {
  const struct ck_settings *settings;
  struct web_http_ops ops;
  struct web_access *access;
  struct ck_web at;
  struct web_names *names;
  struct web_rate *rate;
  struct MHD_Daemon *daemon;
  int epoll, listener;
  unsigned most;                        /* connections */
  int64_t listen_at, look_at, sweep_at; /* boot */
  char trouble[400];
  bool again, stopping;
  bool adding; /* a connection; if that fails, it is counted there */
  struct web_connection *connections;
  struct web_stream *streams;
  struct web_counts counts;
  struct web_time *times;
  size_t times_n;
};

/* listen.c */
int web_listen(struct web_http *h);
void web_accept(struct web_http *h);

/* connection.c: the connections, and how long each may take. */
void web_connection_notify(void *cls, struct MHD_Connection *c, void **context,
                           enum MHD_ConnectionNotificationCode code);
void *web_connection_path(void *cls, const char *uri, struct MHD_Connection *c);
struct web_connection *web_connection_of(struct MHD_Connection *c);
void web_connection_phase(struct web_connection *c, enum web_phase phase);
void web_connection_cut(struct web_connection *c);
/* Cuts off what is late. */
void web_connections_sweep(struct web_http *h);

/* head.c: what is known of a request when its head has come. It may be refused: web_refuse was
 * called. */
struct web_request *web_request_new(struct web_http *h, struct MHD_Connection *c,
                                    const char *method);
/* A change that a page asks for has the secret of the page's form. When the body has come. */
bool web_form_fits(const struct web_request *r);
void web_request_free(struct web_request *r);
/* Frees what its path takes; no part is left. */
void web_request_forget_path(struct web_request *r);

/* upload.c: the next bytes of the body, and its end, of a route with WEB_UPLOAD. The request may be
 * refused. The secret that came in it; empty:
 * none. */
void web_upload_take(struct web_request *r, const char *data, size_t n);
void web_upload_end(struct web_request *r);
struct ck_str web_upload_secret(const struct web_request *r);
void web_upload_free(struct web_request *r);

/* answer.c. It takes the response. */
void web_reply(struct web_request *r, unsigned status, const char *type,
               struct MHD_Response *response);
enum MHD_Result web_queue(struct web_request *r);
void web_count_refusal(struct web_http *h, enum web_refusal why);

/* times.c: notes how long an answered request took. */
void web_time_note(struct web_http *h, const struct web_request *r);

/* route.c */
const struct web_route *web_route_find(const struct web_http *h, struct web_request *r,
                                       unsigned *methods);

/* stream.c */
void web_streams_look(struct web_http *h);
/* Lets those that are made as they are read go on. */
void web_streams_feed(struct web_http *h);
void web_streams_wait(const struct web_http *h, struct ck_wait *w);
void web_streams_end(struct web_http *h);
void web_stream_closed(struct web_stream *s);

#endif
