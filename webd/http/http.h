/* The server: connections, requests, routes, answers. libmicrohttpd is in this folder only, and is
 * driven by the daemon's loop: no thread.
 *
 * A request goes to the first route that has its method and path, after its Host, its Origin, its
 * scope, its size and its rate were looked at. The route's handler gets it whole, body and all, and
 * answers with one call of web_answer, web_refuse or web_stream: at once, or later, after the
 * store's answer. Until then the connection waits, and the request is valid; it is not after the
 * answer.
 *
 *   connection ─► head ─► (refused) ─► body ─► handler ┬─► answer ─► next head
 *                                                      ├─► … later: answer
 *                                                      └─► stream: put, put, … end
 *
 * Every refusal has a word, is counted by it, and says why: as JSON {"error": word, "reason":
 * sentence}, or as a page for a browser that asked for a page. */
#ifndef WEBD_HTTP_H
#define WEBD_HTTP_H

#include <jansson.h>

#include "proto/daemon.h"
#include "proto/histogram.h"
#include "webd/guard/guard.h"

struct web_http;
struct web_request;

/* ---- routes ---- */

enum web_method { WEB_GET, WEB_POST, WEB_METHODS };
extern const char *const web_method_names[WEB_METHODS];

/* Who may use a route besides those who have one of its scopes. */
enum {
  WEB_OPEN = 1,    /* anybody whose Host and Origin are right */
  WEB_PAGE = 2,    /* for people: refusals are pages, and a session that is missing is told so */
  WEB_NO_FORM = 4, /* a POST of a page without the secret of its form; where it does no harm */
  /* The body is a form with files (multipart/form-data), which go to web_http_ops.piece as they
   * come; handle is called when all have. It may take as long as something of it comes every
   * minute. The field with the form's secret must come first. */
  WEB_UPLOAD = 8,
  WEB_BYTES = 16,  /* of a page, and no view: the handler is called without web_http_ops.first */
  WEB_NO_HEAD = 32 /* its GET changes something here, which HEAD must not */
};

struct web_route {
  enum web_method method;
  const char *path; /* "/v1/conversations/{id}": a part in braces is any text, web_part's */
  unsigned scopes;  /* any of these lets use it (proto/access.h) */
  unsigned flags;
  size_t body; /* the most bytes of a body; 0: none is taken */
  /* self: the server's; see web_http_new. */
  void (*handle)(void *self, struct web_request *r);
  const char *args; /* the names of the query's arguments, with blanks between them: others are
                     * refused. NULL: handle looks at them */
};

/* ---- refusals: R(NAME, word, status, what for the documentation) ---- */

#define WEB_REFUSAL_LIST(R) \
  R(HOST, "host", 421, "Host is none of this server's names") \
  R(ORIGIN, "origin", 403, "the page that asks is another server's") \
  R(TOKEN, "token", 401, "there is no token, or it is none that holds") \
  R(SCOPE, "scope", 403, "the token has not the scope that this needs") \
  R(FORM, "form", 403, "the form is not of a page of this session") \
  R(CODE, "code", 403, "the code or link is wrong, used up, or too old") \
  R(PATH, "path", 404, "there is nothing of that path") \
  R(METHOD, "method", 405, "the path has no such method") \
  R(MISSING, "missing", 404, "there is no record of that id") \
  R(ARGUMENT, "argument", 400, "an argument of the query is unknown, or has a bad value") \
  R(SYNTAX, "syntax", 400, "the request or its body cannot be read") \
  R(BODY, "body", 413, "the body is larger than what is taken") \
  R(TYPE, "type", 415, "the body is of another type than what is taken") \
  R(RATE, "rate", 429, "more requests in a second than web.rate") \
  R(SLOW, "slow", 408, "head or body took too long, or the answer was not taken") \
  R(UNFINISHED, "unfinished", 400, \
    "the connection ended, or was no HTTP, before a request was whole") \
  R(CONNECTIONS, "connections", 503, "there are web.connections already") \
  R(MEMORY, "memory", 503, "the bodies of all requests together are too large") \
  R(BUSY, "busy", 503, "the store or ingest cannot take more at present") \
  R(AWAY, "away", 503, "the store or ingest does not answer") \
  R(REFUSED, "refused", 409, "the store, or ingest, understood it and refuses it") \
  R(INVALID, "invalid", 422, "nothing of what was given can be taken; failures names each") \
  R(FAILED, "failed", 500, "something here does not work; the reason says what")

enum web_refusal {
#define WEB_R(NAME, word, status, what) WEB_REFUSED_##NAME,
  WEB_REFUSAL_LIST(WEB_R)
#undef WEB_R
      WEB_REFUSALS
};
extern const char *const web_refusal_words[WEB_REFUSALS];

/* ---- a request ---- */

enum web_method web_method(const struct web_request *r);
/* The part in braces of the path, the n-th from 0, decoded: UTF-8, not empty, without NUL. "." and
 * "..", which browsers resolve, come as "~." and "~..", and what is these after some "~" has one
 * more. */
struct ck_str web_part(const struct web_request *r, int n);
/* The value of an argument of the query, decoded and terminated; NULL: it has none. */
const char *web_arg(const struct web_request *r, const char *name);
/* True: each argument of the query is one of the names, which are separated by blanks. False: one
 * is not, and the request is refused. */
bool web_args_known(struct web_request *r, const char *names);
/* Calls each for all of them until it returns false; false: it did. A value that is missing is "".
 */
bool web_args(const struct web_request *r,
              bool (*each)(void *self, const char *name, const char *value), void *self);
/* NULL: there is none. */
const char *web_header(const struct web_request *r, const char *name);
/* Valid until the answer. */
struct ck_str web_body(const struct web_request *r);
/* The value of a field of a body that is a form (application/x-www-form-urlencoded), decoded, on
 * the heap; the caller frees. NULL: there is none. */
char *web_field(const struct web_request *r, const char *name);
/* Whose it is; scopes 0: nobody's, on a route that is open. */
const struct web_who *web_whose(const struct web_request *r);
/* The cookie of the session, for web_form_secret; empty: it has none. */
struct ck_str web_cookie(const struct web_request *r);
/* Its Origin; empty: it has none. */
struct ck_str web_origin(const struct web_request *r);
/* The name of the session's cookie; starts with __Host- where a browser comes by TLS. */
#define WEB_COOKIE_NAME 48
void web_session_cookie(const struct web_request *r, char name[WEB_COOKIE_NAME]);
/* Its path as it came, encoded, without the query. */
const char *web_path(const struct web_request *r);
/* Keeps one thing with the request, for `first`, `piece` and the handler; free_it is called when
 * the request ends. What was kept before is the caller's again. NULL: nothing is kept. */
void web_keep(struct web_request *r, void *thing, void (*free_it)(void *thing));
void *web_kept(const struct web_request *r);
/* It is from a browser that wants a page, on a route for people. */
bool web_wants_page(const struct web_request *r);

/* ---- answers; each of these ends the request ---- */

#define WEB_JSON "application/json"
#define WEB_HTML "text/html; charset=utf-8"

/* Before the answer: one header more. value is copied. */
void web_answer_header(struct web_request *r, const char *name, const char *value);
/* Takes the buffer's memory, and leaves it empty. */
void web_answer(struct web_request *r, unsigned status, const char *type, struct ck_buf *body);
/* bytes: for ever valid, as those of embedded files. */
void web_answer_static(struct web_request *r, const char *type, struct ck_str bytes);
/* The bytes of a file, whose descriptor it takes. */
void web_answer_file(struct web_request *r, const char *type, int fd, uint64_t bytes);
/* Before the answer: what it has is somebody else's, and may do nothing in a browser. shown: it is
 * shown there; else it is saved. name: of the file; "": none. */
void web_answer_foreign(struct web_request *r, bool shown, struct ck_str name);
/* 303 to a path of this server's. */
void web_redirect(struct web_request *r, const char *path);
void web_refuse(struct web_request *r, enum web_refusal why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with members of an object (or NULL) after the first two: more is given up. */
void web_refuse_json(struct web_request *r, enum web_refusal why, const char *reason, json_t *more);
/* The same with Retry-After. */
void web_refuse_for(struct web_request *r, enum web_refusal why, unsigned seconds, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

/* ---- streams ---- */

struct web_stream;

/* Answers with a body that has no end yet, 200. gone is called once when nobody reads it any more:
 * the client went, read too slowly, its token was revoked, or the server ends; not after
 * web_stream_end. It is not called from within web_stream_put. From here on the request has no
 * parts of its path. */
struct web_stream *web_stream(struct web_request *r, const char *type, void (*gone)(void *self),
                              void *self);
/* Appends. What a reader has not fetched is kept; one that has more than WEB_STREAM_BYTES to fetch
 * already is cut off, and gone is called soon. */
void web_stream_put(struct web_stream *s, struct ck_str bytes);
#define WEB_STREAM_BYTES (1u << 20)
/* How many bytes can be put before there is more to fetch than that. */
size_t web_stream_room(const struct web_stream *s);
/* For an answer with an end that is made no faster than it is read: more is called each time its
 * reader has fetched most of what was put, and puts what there is room for, at once or later. */
void web_stream_pull(struct web_stream *s, void (*more)(void *self));
/* more is not called for so long, unless the server is being stopped. */
void web_stream_rest(struct web_stream *s, int ms);
/* The bytes that its reader has not fetched, and those that it has, since the beginning. */
size_t web_stream_kept(const struct web_stream *s);
uint64_t web_stream_fetched(const struct web_stream *s);
void web_stream_end(struct web_stream *s);
/* Cuts the reader off; gone is called soon. */
void web_stream_cut(struct web_stream *s);

/* ---- the server ---- */

/* A piece of a file of a form. */
struct web_piece {
  const char *file; /* its name, as the browser gives it: UTF-8, of a folder with its path in it */
  uint64_t at;      /* 0: here begins a file */
  struct ck_str bytes;
};

struct web_http_ops {
  void *self;                            /* what handlers get */
  const struct web_route *const *routes; /* tables that end with a route without a path; NULL ends
                                          * the list */
  /* Appends the page for a refusal of r. */
  void (*page)(struct ck_buf *b, const struct web_request *r, unsigned status, const char *word,
               const char *reason);
  /* Called instead of the handler of a GET for people who are signed in; it calls web_handle, at
   * once or later, or answers. NULL: the handler is called. */
  void (*first)(void *self, struct web_request *r);
  /* Takes a piece, for routes with WEB_UPLOAD; it may refuse the request. NULL: there are none. */
  void (*piece)(void *self, struct web_request *r, const struct web_piece *piece);
};

/* Calls the handler of the request's route. */
void web_handle(struct web_request *r);

/* Listens as the settings say. An address that somebody else has is no error: it is tried again,
 * and web_http_trouble says so. NULL with the reason. s, *ops and access must last. */
struct web_http *web_http_new(const struct ck_settings *s, const struct web_http_ops *ops,
                              struct web_access *access, struct ck_err *err);
/* Takes no more requests; web_http_busy says whether some have no answer yet. */
void web_http_stop(struct web_http *h);
bool web_http_busy(const struct web_http *h);
/* Refuses those that are left. Sets *h to NULL; *h may be NULL. */
void web_http_free(struct web_http **h);

void web_http_wait(struct web_http *h, struct ck_wait *w);
/* Does what can be done without waiting; handlers are called from here. */
void web_http_step(struct web_http *h);
/* An answer was given since the last step. */
bool web_http_again(const struct web_http *h);

/* Why it does not listen; NULL: it does. */
const char *web_http_trouble(const struct web_http *h);
/* NULL: it has not listened yet. */
const struct web_names *web_http_names(const struct web_http *h);

/* Counts since the start, for status. */
struct web_counts {
  uint64_t connections, requests, answers[6]; /* by the first digit of their status */
  uint64_t refused[WEB_REFUSALS];
  unsigned open, streams; /* now */
  size_t bodies;          /* bytes of bodies, now */
};
const struct web_counts *web_http_counts(const struct web_http *h);

/* How long the requests of a route took, from their heads to their answers. */
struct web_time {
  const struct web_route *route;
  struct ck_histogram took;
};
/* Of those that have had a request; valid until the next step. */
const struct web_time *web_http_times(const struct web_http *h, size_t *n);

#endif
