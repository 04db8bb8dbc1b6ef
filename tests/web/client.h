/* A client of webd's, over plain sockets, so that it can also say what no client should. */
#ifndef CK_TESTS_WEB_CLIENT_H
#define CK_TESTS_WEB_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The port at which webd listens, from run/web; waits for it. And "127.0.0.1:PORT". */
int t_web_port(void);
const char *t_web_host(void);

/* Makes a token with these scopes. Valid until the test ends. */
const char *t_token(const char *name, const char *scopes);

/* What came back. */
struct t_reply {
  int status; /* 0: the connection was closed without an answer */
  char *head; /* lines, each ended by \r\n */
  char *body; /* terminated */
  size_t n;   /* of it */
};
void t_reply_free(struct t_reply *r);
/* The value of a header in the reply; NULL: none. Valid for seven more calls. */
const char *t_reply_header(const struct t_reply *r, const char *name);
/* The body as JSON, borrowed from a list that is freed at the end of the test; fails if it is none.
 */
json_t *t_reply_json(const struct t_reply *r);

/* One request on a connection of its own. headers: lines ended by \r\n, "" for none; Host and
 * Content-Length are added unless they are there. token: NULL for none. body: NULL for none. */
struct t_reply t_ask_web(const char *method, const char *path, const char *token,
                         const char *headers, const char *body);
/* The same; fails unless the status is this, and, if word is not NULL, the refusal's word that. */
void t_web_says(int status, const char *word, const char *method, const char *path,
                const char *token, const char *headers, const char *body);

/* The same on a connection that is there; it is closed. And one: -1: webd does not listen. */
struct t_reply t_ask_web_on(int fd, const char *method, const char *path, const char *token,
                            const char *headers, const char *body);
int t_web_try(void);

/* The text as it stands in a query, on the heap; the caller frees. */
char *t_in_query(const char *text);

/* A connection; bytes on it; its end. Reading waits for ms at most: a whole reply, or what there is
 * when the other side closes. */
int t_web_connect(void);
/* False: the other side has closed. */
bool t_web_send(int fd, const void *bytes, size_t n);
struct t_reply t_web_read(int fd, int ms);
/* The other side closes within ms; what it sends meanwhile is thrown away. */
bool t_web_closes(int fd, int ms);

/* A client, ff1, claims the job and says nothing more, so that its outcome becomes unknown. */
void t_web_unknown(const char *id);
/* Signs a browser in: the headers of its requests, and the secret of its forms. Both last until the
 * next call. */
const char *t_browser(const char **form);

/* The page at that path, with that status; the caller frees. token NULL: whose it is the headers
 * say. */
char *t_page(int status, const char *path, const char *token, const char *headers);
void t_page_has(const char *body, const char *part);
void t_page_has_not(const char *body, const char *part);
size_t t_page_times(const char *body, const char *part); /* how often it has it */

/* Waits until every connection has ended; then webd has refused exactly this since its start, as
 * status says, and nothing else: JSON written with ' ("{'token': 2}"), as t_json. */
void t_web_refused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
