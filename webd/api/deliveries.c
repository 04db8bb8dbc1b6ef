/* GET /v1/deliveries: what waits for a client, at once or as soon as something does (`wait`).
 *
 *   request ─► offers ─┬─► some ───────────────────────────────► answer
 *                      └─► none ─► DELIVERY, or a while ─► offers, until the time is over
 *
 * The feed may lose a DELIVERY, so the offers are looked at every few seconds besides. */
#include "webd/api/api.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/map.h"

#define WAIT_MAX_S 60
#define LOOK_MS 2000
#define OFFERS_MAX 20

/* A request that waits for offers to its client. */
struct poll {
  struct poll *next;
  struct web_deliveries *all;
  struct web_request *r; /* NULL: it was answered, and a question of it is still open */
  char *client;
  int64_t until, look_at; /* boot */
  bool asking, last;      /* last: no time is left after this question */
};

struct web_deliveries {
  struct webd *webd;
  struct poll *polls;
  void *feed; /* while anybody waits */
};

/* ---- answers ---- */

/* The delivery is JSON text; what is no JSON was made by no renewd of ours. */
static json_t *offer_json(const json_t *row) {
  json_t *body = json_object_get(row, "body");
  json_t *delivery = json_loadb(json_string_value(body) ? json_string_value(body) : "",
                                json_string_length(body), 0, NULL);
  return json_pack("{s:O, s:O, s:O, s:o}", "job_id", json_object_get(row, "job_id"), "offer",
                   json_object_get(row, "offer"), "at", json_object_get(row, "at"), "delivery",
                   delivery ? delivery : json_null());
}

static json_t *offers_json(struct ck_str rows) {
  json_t *all = ck_json_of(rows), *list = json_array(), *row;
  size_t i;
  json_array_foreach(all, i, row) {
    json_t *offer = offer_json(row);
    if (offer) json_array_append_new(list, offer);
  }
  json_decref(all);
  return list;
}

static void answer(struct poll *p, json_t *offers) {
  struct web_request *r = p->r;
  p->r = NULL;
  if (web_access_still(p->all->webd->access, web_whose(r), ck_now_ms())) {
    web_answer_json(r, 200, json_pack("{s:o}", "deliveries", offers));
    return;
  }
  json_decref(offers);
  web_refuse(r, WEB_REFUSED_TOKEN, "the token was revoked");
}

static void heard(void *self, const struct web_said *said) {
  struct poll *p = self;
  p->asking = false;
  if (!p->r) return;
  if (!said->answer || said->answer->kind != CK_MSG_ROWS) {
    struct web_request *r = p->r;
    p->r = NULL;
    if (said->answer)
      web_refuse_strange(r, "the store");
    else
      web_refuse_said(r, "the store", said);
    return;
  }
  json_t *offers = offers_json(said->answer->as.rows.rows);
  if (json_array_size(offers) || p->last)
    answer(p, offers);
  else
    json_decref(offers);
}

static void ask(struct poll *p) {
  struct ck_buf filters = {0};
  struct ck_map map = ck_map_open(&filters);
  struct ck_message m = {.kind = CK_MSG_QUERY};
  int64_t now = ck_boot_ms();
  ck_pair_text(&map, "client", p->client);
  ck_map_close(&map);
  m.as.query = (struct ck_query){
      .table = CK_LIT("offers"), .filters = ck_buf_view(&filters), .limit = OFFERS_MAX};
  p->last = now >= p->until;
  p->look_at = now + LOOK_MS < p->until ? now + LOOK_MS : p->until;
  p->asking = web_ask(p->all->webd->store, &m, WEB_ANSWER_MS, heard, p) == 0;
  ck_buf_free(&filters);
}

/* ---- those that wait ---- */

static void drop_answered(struct web_deliveries *d) {
  for (struct poll **at = &d->polls; *at;) {
    struct poll *p = *at;
    if (p->r || p->asking) {
      at = &p->next;
      continue;
    }
    *at = p->next;
    free(p->client);
    free(p);
  }
}

static void wake(struct web_deliveries *d, struct ck_str client) {
  for (struct poll *p = d->polls; p; p = p->next)
    if (ck_str_is(client, p->client)) p->look_at = 0;
}

static void read_feed(struct web_deliveries *d) {
  zmq_msg_t topic, frame;
  while (d->feed && ck_recv2(d->feed, &topic, &frame) == 0) {
    struct ck_message m;
    struct ck_err err;
    struct ck_str bytes = ck_frame(&frame);
    if (ck_message_decode(&m, bytes.s, bytes.n, &err))
      ck_log(CK_WARN, "-", "feed_refused", "reason=%s", ck_quotedz(err.text));
    else if (m.kind == CK_MSG_DELIVERY)
      wake(d, m.as.delivery.client);
    zmq_msg_close(&topic);
    zmq_msg_close(&frame);
  }
}

static void listen_while_needed(struct web_deliveries *d) {
  struct ck_err err;
  if (!d->polls) ck_door_close(&d->feed, 0);
  if (!d->polls || d->feed) return;
  d->feed = ck_door_connect(d->webd->settings, CK_DOOR_FEED, &err);
  if (d->feed) ck_subscribe(d->feed, CK_TOPIC_DELIVERY);
}

void web_deliveries_step(struct web_deliveries *d) {
  if (!d->polls && !d->feed) return;
  read_feed(d);
  int64_t now = ck_boot_ms();
  for (struct poll *p = d->polls; p; p = p->next)
    if (p->r && !p->asking && now >= p->look_at) ask(p);
  drop_answered(d);
  listen_while_needed(d);
}

void web_deliveries_wait(struct web_deliveries *d, struct ck_wait *w) {
  if (d->feed) ck_wait_for(w, d->feed, 0, ZMQ_POLLIN);
  for (const struct poll *p = d->polls; p; p = p->next)
    if (p->r && !p->asking) ck_wait_until(w, p->look_at);
}

void web_deliveries_stop(struct web_deliveries *d) {
  for (struct poll *p = d->polls; p; p = p->next)
    if (p->r) answer(p, json_array());
}

struct web_deliveries *web_deliveries_new(struct webd *w) {
  struct web_deliveries *d = ck_zalloc(sizeof *d);
  d->webd = w;
  return d;
}

void web_deliveries_free(struct web_deliveries **deliveries) {
  struct web_deliveries *d = *deliveries;
  if (!d) return;
  for (struct poll *p = d->polls; p; p = p->next) p->r = NULL, p->asking = false;
  drop_answered(d);
  ck_door_close(&d->feed, 0);
  free(d);
  *deliveries = NULL;
}

/* ---- the request ---- */

void web_api_deliveries(void *self, struct web_request *r) {
  struct webd *w = self;
  struct web_deliveries *d = w->deliveries;
  int64_t wait = 0;
  const char *client = web_arg(r, "client");
  if (!web_arg_number(r, "wait", 0, WAIT_MAX_S, &wait)) return;
  if (!client || !*client) {
    web_refuse(r, WEB_REFUSED_ARGUMENT, "client: the name of the client is wanted");
    return;
  }
  struct poll *p = ck_zalloc(sizeof *p);
  *p = (struct poll){.next = d->polls,
                     .all = d,
                     .r = r,
                     .client = ck_strdup(client),
                     .until = ck_boot_after((int)wait * 1000)};
  d->polls = p;
  ask(p);
}
