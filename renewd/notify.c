/* See notify.h. */
#include "renewd/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/log.h"
#include "proto/map.h"
#include "proto/places.h"

#define STATE CK_PLACE_ATTEMPTS "/notified"
#define STATE_MAX (64u << 20)
#define PAGE 200
#define AGAIN_MS 1000
#define SWEEP_AFTER_MS 60000
#define LIMIT "limit" /* it is about an account, and no job */

struct renew_notify {
  struct renewd *r;
  struct renew_notices all;
  char *target;   /* as a job's snapshot */
  int64_t cursor; /* of attempts; negative: to begin with what comes */
  bool look, asking;
  bool read; /* all attempts up to the last start: what belongs together is told together */
  int64_t look_at, sweep_at; /* boot */
  int64_t said_at;           /* wall: the last message; 0: none */
  const struct renew_channel *channel;
  void *delivery; /* under way */
  uint64_t sent, failed, number;
  char last_error[400];
};

/* ---- the file ---- */

static json_t *text_of(const char *s) { return json_string_nocheck(s); }

/* What stands and is not told is found again. Of what is told no words are kept. */
static void add_known(void *self, struct renew_node *node) {
  const struct renew_notice *one = (const struct renew_notice *)node;
  if (!one->told && one->stands) return;
  const char *words = one->told ? one->digest : one->reason;
  json_array_append_new(self, json_pack("{s:o, s:o, s:o, s:o, s:I, s:b, s:b}", "kind",
                                        text_of(one->kind), "subject", text_of(one->subject), "job",
                                        text_of(one->job_id), one->told ? "digest" : "reason",
                                        text_of(words ? words : ""), "at", (json_int_t)one->at,
                                        "told", one->told, "stands", one->stands));
}

/* False, with errno. */
static bool write_state(const char *text) {
  int fd = ck_open_file(AT_FDCWD, STATE ".new", O_WRONLY | O_CREAT | O_TRUNC, NULL);
  bool done = fd >= 0 && ck_write_all(fd, ck_str_of(text)) == 0 && fdatasync(fd) == 0;
  if (fd >= 0) close(fd);
  return done && rename(STATE ".new", STATE) == 0;
}

/* Beside it, then in its place. */
static void save(struct renew_notify *n) {
  json_t *known = json_array();
  renew_index_each(&n->all.all, add_known, known);
  json_t *o = json_pack("{s:I, s:I, s:o}", "cursor", (json_int_t)n->cursor, "said_at",
                        (json_int_t)n->said_at, "known", known);
  char *text = json_dumps(o, JSON_COMPACT);
  if (!text || !write_state(text))
    ck_log(CK_WARN, STATE, "not_written", "reason=%s",
           ck_quotedz(text ? strerror(errno) : "it would be no JSON"));
  free(text);
  json_decref(o);
}

static struct ck_str member(const json_t *o, const char *name) {
  const char *s = json_string_value(json_object_get(o, name));
  return ck_str_of(s ? s : "");
}

static void load_one(struct renew_notify *n, const json_t *one) {
  struct ck_str subject = member(one, "subject"), job = member(one, "job");
  if (json_is_true(json_object_get(one, "told")))
    renew_notices_told(&n->all, member(one, "kind").s, subject, job, member(one, "digest"),
                       json_is_true(json_object_get(one, "stands")));
  else
    renew_notices_happened(&n->all, member(one, "kind").s, subject, job, member(one, "reason"),
                           json_integer_value(json_object_get(one, "at")));
}

static void load(struct renew_notify *n) {
  struct ck_buf text = {0};
  n->cursor = -1;
  if (ck_read_file(AT_FDCWD, STATE, O_NOFOLLOW, STATE_MAX, &text, NULL) == 0) {
    json_t *o = json_loadb(text.data, text.len, 0, NULL), *one;
    size_t i;
    json_array_foreach(json_object_get(o, "known"), i, one) load_one(n, one);
    if (o) n->cursor = json_integer_value(json_object_get(o, "cursor"));
    n->said_at = json_integer_value(json_object_get(o, "said_at"));
    if (n->said_at) renew_notices_said_at(&n->all, n->said_at, ck_now_ms(), ck_boot_ms());
    json_decref(o);
  }
  ck_buf_free(&text);
}

/* ---- attempts ---- */

/* True: something of it has to be kept. */
static bool take_row(struct renew_notify *n, struct ck_str row) {
  struct ck_str outcome = ck_map_str(row, "outcome"),
                conversation = ck_map_str(row, "local_conversation_id");
  n->cursor = ck_map_int(row, "version", n->cursor);
  bool failed = ck_str_is(outcome, "failed"), unknown = ck_str_is(outcome, "unknown"),
       cancelled = ck_str_is(ck_map_str(row, "why"), "its owner cancelled it");
  if (ck_str_is(outcome, "done")) renew_notices_arrived(&n->all, conversation);
  if (cancelled || (!failed && !unknown)) return ck_str_is(outcome, "done");
  renew_notices_happened(&n->all, failed ? "failed" : "unknown", conversation,
                         ck_map_str(row, "job_id"), ck_map_str(row, "error"),
                         ck_map_int(row, "at", 0));
  return true;
}

static void rows_came(void *self, const struct renew_reply *reply) {
  struct renew_notify *n = self;
  struct ck_reader rows = ck_reader_of(reply->all);
  struct ck_str row;
  uint32_t count = 0;
  bool keep = n->cursor < 0;
  if (reply->problem) return;
  if (n->cursor < 0 || reply->head < (uint64_t)n->cursor) { /* at first, and of another history */
    n->cursor = (int64_t)reply->head;
  } else if (ck_read_array(&rows, &count) == 0) {
    for (; count && ck_read_raw(&rows, &row) == 0; count--) keep |= take_row(n, row);
  }
  if (reply->rows == PAGE)
    n->look = true;
  else
    n->read = true;
  if (keep) save(n);
}

static void asked(void *self, const char *problem) {
  struct renew_notify *n = self;
  n->asking = false;
  if (!problem) return;
  n->look = true;
  n->look_at = ck_boot_ms() + AGAIN_MS;
}

void renew_notify_look(struct renew_notify *n) {
  if (n) n->look = true;
}

static void query_attempts(struct renew_notify *n) {
  if (!n->look || n->asking || ck_boot_ms() < n->look_at) return;
  n->look = false;
  n->asking = true;
  int64_t from = n->cursor < 0 ? INT64_MAX : n->cursor + 1;
  renew_query_all(n->r->queries,
                  &(struct renew_query){.table = "attempts",
                                        .filters = {{"version_min", ck_int(from)}},
                                        .limit = PAGE,
                                        .take = rows_came},
                  1, asked, NULL, n);
}

void renew_notify_forgotten(struct renew_notify *n, const struct ck_row *gone) {
  struct ck_str table = ck_row_text(gone, CK_FORGOTTEN_TABLE_NAME),
                key = ck_row_text(gone, CK_FORGOTTEN_RECORD_KEY);
  bool job = ck_str_is(table, ck_tables[CK_JOBS].name);
  if (!n || (!job && !ck_str_is(table, ck_tables[CK_MESSAGES].name))) return;
  if (renew_notices_forget(&n->all, job ? key : CK_LIT(""),
                           ck_row_int(gone, CK_FORGOTTEN_FORGOTTEN_AT, 0)))
    save(n);
}

/* ---- what stands ---- */

void renew_notify_held(struct renew_notify *n, const struct renew_job *j,
                       const struct renew_held *h) {
  if (!n) return;
  struct renew_now now = renew_now();
  struct ck_str conversation = ck_str_of(j->of->node.id), job = ck_str_of(j->node.id),
                reason = ck_str_of(h->reason ? h->reason : "");
  if (strcmp(h->state, "stopped") == 0 && h->until == RENEW_NEVER)
    renew_notices_stands(&n->all, "stopped", conversation, job, reason, now.wall, now.boot);
  if (strcmp(h->state, "offered") == 0)
    renew_notices_stands(&n->all, "client_away", conversation, job, reason, now.wall,
                         now.boot + RENEW_NOTICES_AWAY_MS);
}

/* One that time ends does not need a person. */
void renew_notify_limit(struct renew_notify *n, const struct renew_account *a) {
  if (!n || !renew_limit_lasts(&a->limit)) return;
  struct renew_now now = renew_now();
  renew_notices_stands(&n->all, LIMIT, ck_str_of(a->node.id), CK_LIT(""), ck_str_of(a->reason),
                       now.wall, now.boot);
}

/* A stopped job is paused, or has no target, first of all; an account's limit has an end meanwhile,
 * or a delivery tries whether it is over. */
static bool is_hidden(const void *self, const struct renew_notice *notice) {
  const struct renew_notify *n = self;
  struct renew_held h;
  if (strcmp(notice->kind, LIMIT) == 0)
    return renew_core_limited(&n->r->core, ck_str_of(notice->subject));
  const struct renew_job *j = renew_core_job(&n->r->core, ck_str_of(notice->job_id));
  return j && renew_is_held(&h, &n->r->core, j, renew_now()) &&
         (strcmp(h.state, "paused") == 0 || strcmp(h.state, "no_target") == 0);
}

/* After a start it takes a while until it is known again what stands. */
void renew_notify_looked(struct renew_notify *n) {
  if (n && ck_boot_ms() > n->sweep_at && renew_notices_sweep(&n->all, is_hidden, n)) save(n);
}

/* ---- sending ---- */

static void add_event(void *self, struct renew_node *node) {
  const struct renew_notice *one = (const struct renew_notice *)node;
  json_t *events = self;
  if (!one->sending || json_array_size(events) == RENEW_NOTICES_AT_ONCE) return;
  bool limit = strcmp(one->kind, LIMIT) == 0;
  json_t *event =
      json_pack("{s:o, s:I, s:o, s:o}", "kind", text_of(one->kind), "at", (json_int_t)one->at,
                limit ? "account" : "local_conversation_id", text_of(one->subject), "reason",
                text_of(one->reason ? one->reason : ""));
  if (!limit) json_object_set_new(event, "job_id", text_of(one->job_id));
  json_array_append_new(events, event);
}

static const char *subject_of(const json_t *event) {
  const json_t *account = json_object_get(event, "account");
  return account ? json_string_value(account) : member(event, "local_conversation_id").s;
}

static char *words_of(const json_t *events, size_t count) {
  struct ck_buf b = {0};
  const json_t *one;
  size_t i;
  ck_buf_printf(&b, "convkeep: %zu %s for you\n", count,
                ck_noun(count, "thing waits", "things wait"));
  json_array_foreach(events, i, one) ck_buf_printf(&b, "%s: %s: %s\n", subject_of(one),
                                                   member(one, "kind").s, member(one, "reason").s);
  ck_buf_cstr(&b);
  return b.data;
}

static void ended(struct renew_notify *n, const struct renew_result *result) {
  bool arrived = result->outcome == RENEW_DONE;
  n->said_at = ck_now_ms();
  renew_notices_sent(&n->all, arrived, ck_boot_ms());
  n->sent += arrived;
  n->failed += !arrived;
  snprintf(n->last_error, sizeof n->last_error, "%s", arrived ? "" : result->error);
  save(n);
  if (!arrived) ck_log(CK_WARN, "renew.notify", "not_told", "reason=%s", ck_quotedz(result->error));
}

/* body: NULL: it could not be made. */
static void deliver(struct renew_notify *n, const struct renew_target *target, const char *id,
                    const char *body, const char *words) {
  struct ck_err err;
  struct renew_result result;
  void *open = NULL;
  n->channel = renew_channel_of(target);
  if (!body)
    ck_fail(&err, "the message would be no JSON");
  else if (renew_channels_serve(n->r->settings, target, &err) == 0)
    open = renew_channel_open(&n->r->channels, n->channel, &err);
  if (open)
    n->delivery = n->channel->start(
        open, &(struct renew_parcel){id, target, ck_str_of(body), ck_str_of(words)}, &result);
  else
    renew_result_set(&result, RENEW_FAILED, "%s", err.text);
  if (!n->delivery) ended(n, &result);
}

static void send_all(struct renew_notify *n, size_t count) {
  struct renew_target target;
  char id[48];
  json_t *events = json_array();
  renew_index_each(&n->all.all, add_event, events);
  char *words = words_of(events, count);
  json_t *o = json_pack("{s:I, s:I, s:O, s:o}", "at", (json_int_t)ck_now_ms(), "count",
                        (json_int_t)count, "events", events, "text", text_of(words));
  char *body = json_dumps(o, JSON_COMPACT);
  snprintf(id, sizeof id, "notice-%lld-%llu", (long long)ck_now_ms(),
           (unsigned long long)++n->number);
  renew_target_parse(&target, ck_str_of(n->target), NULL);
  deliver(n, &target, id, body, words);
  renew_target_free(&target);
  free(words);
  free(body);
  json_decref(events);
  json_decref(o);
}

void renew_notify_step(struct renew_notify *n) {
  struct renew_result result;
  if (!n) return;
  query_attempts(n);
  if (n->delivery && n->channel->over(n->delivery, &result)) {
    n->delivery = NULL;
    ended(n, &result);
  }
  size_t count = n->read ? renew_notices_due(&n->all, ck_boot_ms()) : 0;
  if (count) send_all(n, count);
}

int64_t renew_notify_until(const struct renew_notify *n) {
  return n && n->look && !n->asking ? n->look_at : INT64_MAX;
}

/* ---- life ---- */

static char *target_of(const char *set) {
  static const char exec[] = "exec ";
  bool runs = strncmp(set, exec, sizeof exec - 1) == 0;
  json_t *o = runs ? json_pack("{s:s, s:s}", "kind", "exec", "id", set + sizeof exec - 1)
                   : json_pack("{s:s, s:{s:s}}", "kind", "webhook", "payload", "url", set);
  char *text = json_dumps(o, JSON_COMPACT);
  json_decref(o);
  return text;
}

struct renew_notify *renew_notify_new(struct renewd *r) {
  const char *set = ck_set_text(r->settings, CK_SET_RENEW_NOTIFY);
  if (!*set) return NULL;
  struct renew_notify *n = ck_zalloc(sizeof *n);
  n->r = r;
  n->target = target_of(set);
  n->look = true;
  n->sweep_at = ck_boot_after(SWEEP_AFTER_MS);
  load(n);
  return n;
}

void renew_notify_free(struct renew_notify **notify) {
  struct renew_notify *n = *notify;
  if (!n) return;
  if (n->delivery) n->channel->abandon(n->delivery);
  renew_notices_free(&n->all);
  free(n->target);
  free(n);
  *notify = NULL;
}

void renew_notify_report(const struct renew_notify *n, struct ck_map *m) {
  ck_pair_name(m, "notify");
  if (!n) {
    ck_put_nil(m->b);
    return;
  }
  struct ck_map one = ck_map_open(m->b);
  ck_pair_uint(&one, "sent", n->sent);
  ck_pair_uint(&one, "failed", n->failed);
  ck_pair_text_or_nil(&one, "last_error", n->last_error);
  ck_map_close(&one);
}
