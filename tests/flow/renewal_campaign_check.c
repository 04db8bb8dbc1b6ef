/* Compares what the receivers got, what was said, and the store's rows. */
#include "tests/flow/renewal_campaign.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/database.h"
#include "tests/harness/ring.h"

/* The receivers' clocks are the test's, so this is the longest time between the last look at the
 * conversation and the arrival. */
#define ON_THE_WAY_MS (2000 * T_SLOWER)

bool campaign_place(const char *message_id, size_t *chat, size_t *number) {
  int end = 0;
  return sscanf(message_id, "c%zu-%zu%n", chat, number, &end) == 2 && message_id[end] == '\0';
}

/* ---- what was received ---- */

enum receiver { WEB, COMMAND, CLIENT, RECEIVERS };
static const char *const names[] = {"the web server", "the command", "the client"};

struct receipt {
  unsigned count;
  enum receiver by;
  int64_t at;
};

struct received {
  json_t *by_job; /* job id: index into all */
  struct receipt *all;
  size_t count;
  unsigned by[RECEIVERS];
};

static void receive(struct received *r, const char *job_id, enum receiver by, int64_t at) {
  json_t *index = json_object_get(r->by_job, job_id);
  r->by[by]++;
  if (!index) {
    r->all = ck_realloc(r->all, (r->count + 1) * sizeof *r->all);
    r->all[r->count] = (struct receipt){.by = by};
    index = json_integer((json_int_t)r->count++);
    json_object_set_new(r->by_job, job_id, index);
  }
  struct receipt *a = &r->all[json_integer_value(index)];
  a->count++;
  a->at = at;
}

/* An answer that the server did not give does not take back what it read. */
static void receive_web(struct received *r, struct t_http *web) {
  for (int i = 0; i < t_http_count(web); i++) {
    const struct t_request *q = t_http_request(web, i);
    if (strncmp(q->answer, "200", 3) != 0 && strcmp(q->answer, "close") != 0) continue;
    json_t *body = t_http_json(q);
    receive(r, t_text_at(body, "job_id"), WEB, q->at);
    json_decref(body);
  }
}

/* A command that is killed while it writes leaves a part, or nothing: it has not received. */
static void receive_one(const char *path, void *self) {
  struct received *r = self;
  char *text = t_read_file(path, NULL);
  json_t *body = json_loads(text ? text : "", 0, NULL);
  T_CHECK(body || !text || !*text || text[strlen(text) - 1] != '}',
          "the command was given what is not JSON: %s", text);
  if (body)
    receive(r, t_text_at(body, "job_id"), COMMAND,
            strtoll(strrchr(path, '/') + 1, NULL, 10) / 1000);
  json_decref(body);
  free(text);
}

static void receive_client(struct received *r, const struct t_client *client) {
  size_t n;
  const struct t_typed *typed = t_client_typed(client, &n);
  for (size_t i = 0; i < n; i++) receive(r, typed[i].job_id, CLIENT, typed[i].at);
}

/* What a client is given names the job, its message and the page's owner. */
static void check_body(const struct t_typed *typed, json_t *job) {
  json_t *body = json_loads(typed->body, 0, NULL);
  T_CHECK(strcmp(t_text_at(body, "job_id"), typed->job_id) == 0 &&
              strcmp(t_text_at(body, "message_id"), t_text_at(job, "message_id")) == 0 &&
              strcmp(t_text_at(body, "client_id"), "firefox") == 0,
          "job %s was offered with %s", typed->job_id, typed->body);
  json_decref(body);
}

static void check_bodies(const struct t_client *client, const json_t *jobs_by_id) {
  size_t n;
  const struct t_typed *typed = t_client_typed(client, &n);
  for (size_t i = 0; i < n; i++)
    check_body(&typed[i], json_object_get(jobs_by_id, typed[i].job_id));
}

/* ---- the jobs ---- */

struct tally {
  unsigned done, unknown, superseded, failed;
};

static void check_count(const char *id, const char *status, const char *error, unsigned received,
                        struct tally *t) {
  if (strcmp(status, "done") == 0) {
    t->done++;
    T_CHECK(received == 1, "job %s is done, and was received %u times", id, received);
  } else if (strcmp(status, "unknown") == 0) {
    t->unknown++;
    T_CHECK(received <= 1, "job %s has an unknown end, and was received %u times", id, received);
  } else if (strcmp(status, "failed") == 0) {
    T_CHECK(error && *error, "job %s failed and does not say why", id);
    if (strncmp(error, "superseded: ", 12) == 0)
      t->superseded++;
    else
      t->failed++;
    T_CHECK(received == 0, "job %s failed (%s), and was received %u times", id, error, received);
  } else {
    T_FAIL("job %s is still %s", id, status);
  }
}

/* The messages after this one in its conversation, which the store had before the attempt was
 * claimed, or long before it arrived. */
static void check_time(const struct ledger *l, const char *id, size_t chat, size_t number,
                       int64_t claimed, const struct receipt *r) {
  const struct chat *c = &l->chats[chat];
  for (size_t i = number + 1; i < c->count; i++) {
    int64_t seen = c->said[i].seen;
    if (!seen) continue;
    T_CHECK(seen >= claimed,
            "job %s follows c%zu-%zu up, and was claimed %lld ms after %s c%zu-%zu was stored", id,
            chat, number, (long long)(claimed - seen), c->said[i].human ? "the answer" : "message",
            chat, i);
    T_CHECK(r->by == CLIENT || r->at <= seen + ON_THE_WAY_MS,
            "job %s of c%zu-%zu reached %s %lld ms after c%zu-%zu was stored", id, chat, number,
            names[r->by], (long long)(r->at - seen), chat, i);
  }
}

static void check_job(const struct ledger *l, const struct received *r, json_t *job,
                      struct tally *t) {
  const char *id = t_text_at(job, "job_id"), *message = t_text_at(job, "message_id");
  size_t chat, number;
  T_CHECK(campaign_place(message, &chat, &number), "%s of the history has a job, %s", message, id);
  T_CHECK(chat < l->chat_count && number < l->chats[chat].count &&
              !l->chats[chat].said[number].human,
          "%s, which no assistant said, has a job", message);
  json_t *index = json_object_get(r->by_job, id);
  const struct receipt *receipt = index ? &r->all[json_integer_value(index)] : NULL;
  check_count(id, t_text_at(job, "state"), t_text_at(job, "last_error"),
              receipt ? receipt->count : 0, t);
  if (receipt) check_time(l, id, chat, number, t_int_at(job, "last_attempt_at", 0), receipt);
}

/* ---- the conversations ---- */

static void check_last(const struct ledger *l, json_t *with_job) {
  char id[48];
  for (size_t i = 0; i < l->chat_count; i++) {
    const struct chat *c = &l->chats[i];
    for (size_t k = 0; k < c->count; k++)
      T_CHECK(c->said[k].seen, "c%zu-%zu was taken, and never stored", i, k);
    if (!c->count || c->said[c->count - 1].human) continue;
    snprintf(id, sizeof id, "c%zu-%zu", i, c->count - 1);
    T_CHECK(json_object_get(with_job, id), "%s is the last message, and has no job", id);
  }
}

/* How many jobs `convkeep list jobs --status` names. */
static unsigned listed(const char *status) {
  unsigned n = 0;
  for (size_t more = 1; more > 0; n += (unsigned)more) {
    char offset[16];
    snprintf(offset, sizeof offset, "%u", n);
    json_t *lines =
        t_lines(0, "list", "jobs", "--status", status, "--limit", "1000", "--offset", offset);
    more = json_array_size(lines);
    json_decref(lines);
  }
  return n;
}

static void check_listed(const struct tally *t) {
  T_CHECK(listed("unknown") == t->unknown, "%u jobs are listed as unknown, not %u",
          listed("unknown"), t->unknown);
  T_CHECK(listed("superseded") == t->superseded, "%u jobs are listed as superseded, not %u",
          listed("superseded"), t->superseded);
  T_CHECK(t_status_int("jobs.unknown", -1) == t->unknown, "status says %lld unknown, not %u",
          (long long)t_status_int("jobs.unknown", -1), t->unknown);
}

/* ---- the log ---- */

static void take_lines(const char *path, void *self) {
  json_t *lines = t_read_lines(path);
  json_array_extend(self, lines);
  json_decref(lines);
}

/* Every line once, and for each attempt that has ended a line that says what its row says. */
static void check_log(void) {
  json_t *lines = json_array(), *by_version = json_object(), *line, *row;
  size_t i;
  char version[32];
  t_walk("logs/renewal", take_lines, lines);
  json_array_foreach(lines, i, line) {
    snprintf(version, sizeof version, "%lld", (long long)t_int_at(line, "version", 0));
    T_CHECK(!json_object_get(by_version, version), "there are two lines of version %s", version);
    json_object_set(by_version, version, line);
  }
  json_t *rows = t_sql("artifact.db", "SELECT version, job_id, begun, at, outcome FROM attempts"
                                      " WHERE ended IS NOT NULL");
  json_array_foreach(rows, i, row) {
    snprintf(version, sizeof version, "%lld", (long long)t_int_at(row, "version", 0));
    line = json_object_get(by_version, version);
    T_CHECK(line && strcmp(t_text_at(line, "job_id"), t_text_at(row, "job_id")) == 0 &&
                strcmp(t_text_at(line, "outcome"), t_text_at(row, "outcome")) == 0 &&
                t_int_at(line, "begun", 0) == t_int_at(row, "begun", 1) &&
                t_int_at(line, "at", 0) == t_int_at(row, "at", 1),
            "%s is in the log as %s", json_dumps(row, 0), json_dumps(line, JSON_ENCODE_ANY));
  }
  t_note("%zu lines of %zu attempts", json_array_size(lines), json_array_size(rows));
  T_CHECK(json_array_size(lines) >= json_array_size(rows), "lines are missing");
  json_decref(lines), json_decref(by_version), json_decref(rows);
}

void campaign_check(const struct ledger *l) {
  struct received r = {.by_job = json_object()};
  struct tally t = {0};
  json_t *with_job = json_object(), *ids = json_object(), *job, *index;
  size_t i;
  const char *id;
  receive_web(&r, l->web);
  t_walk(l->taken, receive_one, &r);
  receive_client(&r, l->client);
  json_t *jobs =
      t_sql("artifact.db", "SELECT j.job_id, j.message_id, j.last_error, j.last_attempt_at,"
                           " CASE l.state WHEN 'unknown' THEN 'unknown' ELSE j.status END AS state"
                           " FROM renewal_jobs j LEFT JOIN leases l"
                           " ON l.job_id = j.job_id AND j.status = 'running'");
  json_array_foreach(jobs, i, job) {
    check_job(l, &r, job, &t);
    json_object_set_new(with_job, t_text_at(job, "message_id"), json_true());
    json_object_set(ids, t_text_at(job, "job_id"), job);
  }
  json_object_foreach(r.by_job, id, index)
      T_CHECK(json_object_get(ids, id), "%s was received, and is no job", id);
  check_bodies(l->client, ids);
  check_last(l, with_job);
  check_listed(&t);
  check_log();
  t_note("%zu jobs: %u done, %u unknown, %u superseded, %u failed; received by the web server %u, "
         "the command %u, the client %u",
         json_array_size(jobs), t.done, t.unknown, t.superseded, t.failed, r.by[WEB], r.by[COMMAND],
         r.by[CLIENT]);
  T_CHECK(t.superseded > 0 && r.by[WEB] && r.by[COMMAND] && r.by[CLIENT],
          "the campaign missed what it is for");
  json_decref(ids), json_decref(jobs), json_decref(with_job), json_decref(r.by_job);
  free(r.all);
}
