/* What the handlers of webd share. A handler's `self` is a struct webd. */
#ifndef WEBD_WEBD_H
#define WEBD_WEBD_H

#include <jansson.h>

#include "proto/settings.h"
#include "webd/ask/ask.h"
#include "webd/http/http.h"

struct webd {
  const struct ck_settings *settings;
  struct web_access *access;
  struct web_http *http;
  struct web_ask *store, *ingest;    /* the doors `snapshot` and `observe` */
  struct web_imports *imports;       /* files, to `observe` */
  struct web_write *write;           /* changesets */
  struct web_renewd *renewd;         /* what its program says when it is run for a question */
  struct web_commands *commands;     /* programs, run beside webd */
  struct web_uploads *uploads;       /* files for `import` */
  struct web_doctor *doctor;         /* what it has found */
  struct web_events *events;         /* who reads what changes */
  struct web_deliveries *deliveries; /* who waits for follow-ups to deliver */
  int64_t report_at;                 /* boot */
  int waits[4];                      /* of the four above */
  int64_t trouble_at;                /* wall: since when it does not listen; 0: it does */
};

/* How long a handler waits for the store, or ingest, before it says that nobody answers. */
#define WEB_ANSWER_MS 6000

/* ---- answers that every handler needs ---- */

/* Refuses the request as PROBLEM says, or because nobody has answered. who: "the store". */
void web_refuse_said(struct web_request *r, const char *who, const struct web_said *said);
/* The answer is of another kind than what was asked for. */
void web_refuse_strange(struct web_request *r, const char *who);
/* A change that was not made, or of which nobody knows. where: what stands before a reason that
 * names a member of what was sent. */
void web_refuse_changed(struct web_request *r, const struct web_changed *how, const char *where);
/* Answers with the value, which is given up. */
void web_answer_json(struct web_request *r, unsigned status, json_t *value);
/* Answers with a MessagePack value as JSON. */
void web_answer_packed(struct web_request *r, struct ck_str value);

/* ---- routes ---- */

/* Of api/ and page/; each ends with a route without a path. */
extern const struct web_route web_api_routes[], web_page_routes[];

/* ---- what goes on by itself (api/) ---- */

/* Readers of changes (api/events.c). */
struct web_events *web_events_new(struct webd *w);
/* After the server, which calls for those that have gone. Sets *e to NULL; *e may be NULL. */
void web_events_free(struct web_events **e);
void web_events_wait(struct web_events *e, struct ck_wait *w);
void web_events_step(struct web_events *e);

/* Requests that wait for deliveries (api/deliveries.c). */
struct web_deliveries *web_deliveries_new(struct webd *w);
/* After the server. Sets *d to NULL; *d may be NULL. */
void web_deliveries_free(struct web_deliveries **d);
void web_deliveries_wait(struct web_deliveries *d, struct ck_wait *w);
void web_deliveries_step(struct web_deliveries *d);
/* Answers those that wait. */
void web_deliveries_stop(struct web_deliveries *d);

/* What webd reports for `status`: a map. */
void web_put_report(const struct webd *w, struct ck_buf *b);

/* Called before the handler of each view (page/): asks for what every page shows. */
void web_page_first(void *self, struct web_request *r);
/* A piece of a file that is uploaded (page/). */
void web_page_piece(void *self, struct web_request *r, const struct web_piece *piece);

/* The page for a refusal (page/). */
void web_page_refusal(struct ck_buf *b, const struct web_request *r, unsigned status,
                      const char *word, const char *reason);

#endif
