/* Who is let in: by what name webd was called, from what page, with what secret, how often.
 *
 * Every request must name this server in Host as the settings have it: another name is one that a
 * page elsewhere made up for this address (DNS rebinding). A page's Origin must be this server's,
 * or that of an extension that was paired; only that one gets CORS. An Origin lets nobody in by
 * itself: a token does, or a session's cookie. */
#ifndef WEBD_GUARD_H
#define WEBD_GUARD_H

#include <stdbool.h>

#include "proto/access.h"
#include "proto/web.h"

/* ---- names (pure) ---- */

struct web_names;

/* port: the one that is listened on. at: as the settings have it. */
struct web_names *web_names_new(const struct ck_web *at, unsigned port);
void web_names_free(struct web_names **n);
/* Is this what Host must be? */
bool web_names_host(const struct web_names *n, struct ck_str host);
/* Is this the origin of a page of this server's? */
bool web_names_origin(const struct web_names *n, struct ck_str origin);
/* Where a browser on this machine, or behind the proxy, finds it: "http://127.0.0.1:7411".
 * Belongs to n. */
const char *web_names_address(const struct web_names *n);

/* ---- who may what ---- */

struct web_access;

/* Whoever a request is from. */
struct web_who {
  enum ck_access_kind kind; /* a token's or a session's */
  char name[CK_ACCESS_NAME + 1];
  unsigned scopes; /* 0: nobody; then the rest means nothing */
  char hash[CK_SHA256_HEX + 1];
};

struct web_access *web_access_new(void);
void web_access_free(struct web_access **a);
/* Reads the file if it was changed, or another one has its name; true if so. */
bool web_access_look(struct web_access *a);
/* The same before each request, so that what is revoked counts no more from that moment, and
 * cheaper: it does not see that the whole folder was replaced. */
void web_access_glance(struct web_access *a);
/* Why nobody is let in: the file cannot be read. NULL: it can. */
const char *web_access_trouble(const struct web_access *a);
/* Tokens there are. */
size_t web_access_tokens(const struct web_access *a);

/* False: no token or session has that secret at `now` (wall clock). */
bool web_access_token(const struct web_access *a, struct ck_str secret, int64_t now,
                      struct web_who *who);
bool web_access_session(const struct web_access *a, struct ck_str secret, int64_t now,
                        struct web_who *who);
/* Whoever it is still holds. */
bool web_access_still(const struct web_access *a, const struct web_who *who, int64_t now);
/* Is this the origin of an extension that was paired? */
bool web_access_paired(const struct web_access *a, struct ck_str origin);
/* Is a code open with which one could be paired? */
bool web_access_pairing(const struct web_access *a, int64_t now);

/* Uses up a link and begins a session: its secret. *fits: the link holds. -1 with the reason:
 * the file cannot be changed. */
int web_access_sign_in(struct web_access *a, struct ck_str link, int64_t now, bool *fits,
                       char secret[CK_SECRET_TEXT], struct ck_err *err);
/* Ends the session. 0, or -1 with the reason. */
int web_access_sign_out(struct web_access *a, const struct web_who *who, int64_t now,
                        struct ck_err *err);
/* Uses up a code and makes the token `name` of an extension of that origin: its secret. *fits: it
 * is the code; every other one counts as a try. -1 with the reason. */
int web_access_pair(struct web_access *a, struct ck_str code, struct ck_str name,
                    struct ck_str origin, int64_t now, bool *fits, char secret[CK_SECRET_TEXT],
                    struct ck_err *err);

/* What a form of this session's page has in its field WEB_FORM_FIELD, made from the cookie: a page
 * elsewhere does not know it. */
#define WEB_FORM_FIELD "form"
#define WEB_FORM_HEADER "X-Convkeep-Form"
void web_form_secret(char out[CK_SHA256_HEX + 1], struct ck_str session);
/* Takes the same time for any text. */
bool web_same_secret(struct ck_str a, struct ck_str b);

/* ---- how often (pure) ---- */

struct web_rate;

/* most: requests in a second by one name, and as many at once; 0: any number. */
struct web_rate *web_rate_new(unsigned most);
void web_rate_free(struct web_rate **r);
/* True: it may. boot_ms: now. name: of a token, or a session's hash. */
bool web_rate_take(struct web_rate *r, struct ck_str name, int64_t boot_ms);

#endif
