/* GET /metrics: the state of the ring, and what webd has served, in Prometheus' text format
 * (version 0.0.4). Everything is as STATUS has it, in base units; a member that is not there has no
 * sample. */
#include "webd/api/api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

/* ---- lines ---- */

static void head(struct ck_buf *b, const char *name, const char *type, const char *help) {
  ck_buf_printf(b, "# HELP convkeep_%s %s\n# TYPE convkeep_%s %s\n", name, help, name, type);
}

static void put_escaped(struct ck_buf *b, const char *text) {
  for (; *text; ++text) {
    if (*text == '\n')
      ck_buf_text(b, "\\n");
    else if (*text == '"' || *text == '\\')
      ck_buf_printf(b, "\\%c", *text);
    else
      ck_buf_add(b, text, 1);
  }
}

static void label(struct ck_buf *b, const char *between, const char *name, const char *value) {
  ck_buf_printf(b, "%s%s=\"", between, name);
  put_escaped(b, value);
  ck_buf_text(b, "\"");
}

static void put_number(struct ck_buf *b, double value) {
  if (value == floor(value) && fabs(value) < 1e15)
    ck_buf_printf(b, " %.0f\n", value);
  else
    ck_buf_printf(b, " %.6g\n", value);
}

/* name: of the label; NULL: none. */
static void sample(struct ck_buf *b, const char *metric, const char *name, const char *of,
                   double value) {
  ck_buf_printf(b, "convkeep_%s", metric);
  if (name) {
    label(b, "{", name, of);
    ck_buf_text(b, "}");
  }
  put_number(b, value);
}

/* ---- members of the status ---- */

static const json_t *at(const json_t *from, const char *name) {
  return json_object_get(from, name);
}

static const char *text_at(const json_t *from, const char *name) {
  const char *text = json_string_value(at(from, name));
  return text ? text : "";
}

/* What most metrics are: a number of the status, or one in each member of one of its objects. */
struct metric {
  const char *name, *type, *help;
  const char *object; /* of the status; NULL: itself */
  const char *label;  /* each member of the object is a sample, or has one, with this label */
  const char *member; /* NULL: the members themselves are numbers */
  double unit;        /* what one is in base units; 0: 1 */
};

static const struct metric metrics[] = {
    {"changes_total", "counter", "The newest version: changes of records.", NULL, NULL, "version",
     0},
    {"rejected_total", "counter", "Frames that the store could not read.", NULL, NULL, "rejected",
     0},
    {"records", "gauge", "Records of a table.", "records", "table", NULL, 0},
    {"spool_changesets", "gauge", "Changesets in the spool of ingest without a receipt.", "spool",
     NULL, "pending", 0},
    {"wal_bytes", "gauge", "Size of the WAL.", "wal", NULL, "bytes", 0},
    {"wal_limit_bytes", "gauge", "The size at which the store holds up its writers.", "wal", NULL,
     "limit", 0},
    {"search_behind_versions", "gauge", "Versions that the index of the search does not have.",
     "search", NULL, "behind", 0},
    {"originals", "gauge", "Originals that are kept.", "originals", NULL, "count", 0},
    {"originals_bytes", "gauge", "Their size, uncompressed.", "originals", NULL, "bytes", 0},
    {"originals_waiting", "gauge", "Conversations and blocks that are to be packed.", "originals",
     NULL, "waiting", 0},
    {"damaged_pages", "gauge", "Pages of artifact.db that were read and are not as written.", NULL,
     NULL, "damaged", 0},
    {"jobs_due", "gauge", "Pending jobs whose time has come.", "jobs", NULL, "due", 0},
    {"job_lateness_seconds", "gauge", "How long the first of the pending jobs has been overdue.",
     "jobs", NULL, "lateness", 1e-3},
    {"mirror_behind_seconds", "gauge", "Age of the oldest change that is not mirrored.", "sync",
     "sink", "behind_ms", 1e-3},
    {"mirror_pending_records", "gauge", "Records that are still to be mirrored.", "sync", "sink",
     "pending", 0},
    {"mirror_cursor_versions", "gauge", "The version up to which a mirror has everything.", "sync",
     "sink", "cursor", 0},
    {"mirror_backlog_versions", "gauge", "Versions of a backfill that no worker has taken.", "sync",
     "sink", "backlog", 0},
    {"mirror_batches_in_flight", "gauge", "Batches that workers hold.", "sync", "sink", "in_flight",
     0},
    {"mirror_workers", "gauge", "Workers of a mirror.", "sync", "sink", "workers", 0},
    {"mirror_dead_letters", "gauge", "Rows that a mirror refuses.", "sync", "sink", "dead_letters",
     0},
};

static void put_member(struct ck_buf *b, const struct metric *m, const json_t *from,
                       const char *name, const char *of) {
  const json_t *value = m->member ? at(from, m->member) : from;
  if (json_is_number(value))
    sample(b, m->name, name, of, json_number_value(value) * (m->unit > 0 ? m->unit : 1));
}

static void put_metric(struct ck_buf *b, const struct metric *m, json_t *status) {
  const char *name;
  json_t *value, *from = m->object ? json_object_get(status, m->object) : status;
  head(b, m->name, m->type, m->help);
  if (!m->label) put_member(b, m, from, NULL, NULL);
  if (m->label) json_object_foreach(from, name, value) put_member(b, m, value, m->label, name);
}

/* ---- the others ---- */

static void put_jobs(struct ck_buf *b, const json_t *status) {
  static const char *const states[] = {"pending", "running", "done",
                                       "failed",  "unknown", "superseded"};
  head(b, "jobs", "gauge", "Follow-up jobs in a state; each is in one.");
  for (size_t i = 0; i < sizeof states / sizeof *states; ++i)
    sample(b, "jobs", "state", states[i], json_number_value(at(at(status, "jobs"), states[i])));
}

static void put_artifacts(struct ck_buf *b, const json_t *status) {
  double version = json_number_value(at(status, "version")),
         cursor = json_number_value(at(at(status, "artifacts"), "cursor"));
  head(b, "artifacts_behind_versions", "gauge", "Versions that the readable files do not have.");
  sample(b, "artifacts_behind_versions", NULL, NULL, version > cursor ? version - cursor : 0);
}

static void put_alarms(struct ck_buf *b, json_t *status) {
  const char *sink;
  json_t *mirror;
  head(b, "alarm", "gauge", "1: status shows an alarm there.");
  sample(b, "alarm", "of", "store", *text_at(status, "alarm") != '\0');
  sample(b, "alarm", "of", "wal", *text_at(at(status, "wal"), "alarm") != '\0');
  json_object_foreach(json_object_get(status, "sync"), sink, mirror) {
    char *of = ck_sprintf("mirror %s", sink);
    sample(b, "alarm", "of", of, *text_at(mirror, "alarm") != '\0');
    free(of);
  }
}

static void put_producers(struct ck_buf *b, const json_t *status) {
  static const struct {
    const char *metric, *help, *member;
  } all[] = {{"producer_changesets_total", "Changesets of a producer with a receipt.", "applied"},
             {"producer_refused_total", "Those of them that were refused.", "refused"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    size_t k;
    const json_t *producer;
    head(b, all[i].metric, "counter", all[i].help);
    json_array_foreach(at(status, "producers"), k, producer) {
      sample(b, all[i].metric, "producer", text_at(producer, "id"),
             json_number_value(at(producer, all[i].member)));
    }
  }
}

/* ---- what the daemons report; of one name there may be several, so each has its id ---- */

static void put_daemons(struct ck_buf *b, const json_t *status) {
  static const struct {
    const char *metric, *help, *member;
  } all[] = {{"daemon_start_time_seconds", "When a daemon was started.", "up_since"},
             {"daemon_report_time_seconds", "When it last reported to the store.", "seen_at"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    size_t k;
    const json_t *daemon;
    head(b, all[i].metric, "gauge", all[i].help);
    json_array_foreach(at(status, "daemons"), k, daemon) {
      ck_buf_printf(b, "convkeep_%s", all[i].metric);
      label(b, "{", "daemon", text_at(daemon, "name"));
      label(b, ",", "id", text_at(daemon, "id"));
      ck_buf_printf(b, "} %.3f\n", json_number_value(at(daemon, all[i].member)) / 1000);
    }
  }
}

static void put_counters(struct ck_buf *b, const json_t *status) {
  static const struct {
    const char *metric, *help, *daemon, *member;
  } all[] = {
      {"ingest_refused_total", "Changesets of ingest that the store has refused.", "ingest",
       "refused"},
      {"ingest_rejected_total", "Inputs that ingest could not accept.", "ingest", "rejected"},
      {"ingest_unknown_names_total", "Names in observations that ingest does not know.", "ingest",
       "unknown_names"},
      {"syncd_requests_total", "Requests to the sink.", "syncd", "requests"},
      {"syncd_rows_total", "Rows that were mirrored.", "syncd", "rows"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
    size_t k;
    const json_t *daemon;
    head(b, all[i].metric, "counter", all[i].help);
    json_array_foreach(at(status, "daemons"), k, daemon) {
      const json_t *value = at(at(daemon, "info"), all[i].member);
      if (strcmp(text_at(daemon, "name"), all[i].daemon) == 0 && json_is_number(value))
        sample(b, all[i].metric, "id", text_at(daemon, "id"), json_number_value(value));
    }
  }
}

/* h: as ck_pair_histogram writes it; labels: at least one. */
static void put_histogram(struct ck_buf *b, const char *metric, const char *labels,
                          const json_t *h) {
  size_t i;
  const json_t *within;
  double count = json_number_value(at(h, "count"));
  json_array_foreach(at(h, "within"), i, within) {
    ck_buf_printf(b, "convkeep_%s_bucket{%s,le=\"%g\"}", metric, labels,
                  json_number_value(json_array_get(within, 0)) / 1e6);
    put_number(b, json_number_value(json_array_get(within, 1)));
  }
  ck_buf_printf(b, "convkeep_%s_bucket{%s,le=\"+Inf\"}", metric, labels);
  put_number(b, count);
  ck_buf_printf(b, "convkeep_%s_sum{%s} %.6f\nconvkeep_%s_count{%s}", metric, labels,
                json_number_value(at(h, "us")) / 1e6, metric, labels);
  put_number(b, count);
}

/* A member of `times` of a daemon's report; of: the label that tells it from others of its
 * metric. */
static const struct timed {
  const char *metric, *help, *daemon, *member, *of;
} timed[] = {
    {"fsync_duration_seconds", "How long an fsync took: of the spool, of artifact.db or its WAL.",
     "ingest", "fsync", "spool"},
    {"fsync_duration_seconds", NULL, "store", "fsync_wal", "wal"},
    {"fsync_duration_seconds", NULL, "store", "fsync_database", "database"},
    {"commit_duration_seconds", "How long the store took for a transaction, fsync included.",
     "store", "commit", NULL},
    {"mirror_request_duration_seconds", "How long a sink took for a request.", "syncd", "request",
     NULL},
    {"delivery_lateness_seconds", "How long after it was due a job was claimed.", "renewd", "late",
     NULL},
    {"delivery_duration_seconds", "How long a follow-up took, from sending to its result.",
     "renewd", "delivery", NULL},
};

static void put_timed(struct ck_buf *b, const struct timed *t, const json_t *daemon) {
  const json_t *h = at(at(at(daemon, "info"), "times"), t->member);
  struct ck_buf labels = {0};
  if (!h || strcmp(text_at(daemon, "name"), t->daemon) != 0) return;
  label(&labels, "", "id", text_at(daemon, "id"));
  if (t->of) label(&labels, ",", "of", t->of);
  if (strcmp(t->daemon, "syncd") == 0)
    label(&labels, ",", "sink", text_at(at(daemon, "info"), "sink"));
  put_histogram(b, t->metric, ck_buf_cstr(&labels), h);
  ck_buf_free(&labels);
}

static void put_all_timed(struct ck_buf *b, const json_t *status) {
  for (size_t i = 0; i < sizeof timed / sizeof *timed; ++i) {
    size_t k;
    const json_t *daemon;
    if (timed[i].help) head(b, timed[i].metric, "histogram", timed[i].help);
    json_array_foreach(at(status, "daemons"), k, daemon) put_timed(b, &timed[i], daemon);
  }
}

/* ---- webd itself ---- */

static void put_served(struct ck_buf *b, const struct webd *w) {
  static const char *const classes[] = {NULL, NULL, "2xx", "3xx", "4xx", "5xx"};
  const struct web_counts *n = web_http_counts(w->http);
  head(b, "web_connections", "gauge", "Open HTTP connections.");
  sample(b, "web_connections", NULL, NULL, n->open);
  head(b, "web_streams", "gauge", "Answers without an end that are open.");
  sample(b, "web_streams", NULL, NULL, n->streams);
  head(b, "web_body_bytes", "gauge", "Bodies of requests in memory.");
  sample(b, "web_body_bytes", NULL, NULL, (double)n->bodies);
  head(b, "web_answers_total", "counter", "Answers by the class of their status.");
  for (size_t i = 2; i < sizeof classes / sizeof *classes; ++i)
    sample(b, "web_answers_total", "class", classes[i], (double)n->answers[i]);
  head(b, "web_refused_total", "counter", "Refusals by their word.");
  for (int i = 0; i < WEB_REFUSALS; ++i)
    sample(b, "web_refused_total", "word", web_refusal_words[i], (double)n->refused[i]);
}

static void put_times(struct ck_buf *b, const struct webd *w) {
  static const char name[] = "web_request_duration_seconds";
  size_t n;
  const struct web_time *times = web_http_times(w->http, &n);
  head(b, name, "histogram", "From the head of a request to the head of its answer, by route.");
  for (size_t i = 0; i < n; ++i) {
    struct ck_buf labels = {0}, packed = {0};
    label(&labels, "", "method", web_method_names[times[i].route->method]);
    label(&labels, ",", "route", times[i].route->path);
    struct ck_map m = ck_map_open(&packed);
    ck_pair_histogram(&m, "took", &times[i].took);
    ck_map_close(&m);
    json_t *took = ck_json_of(ck_buf_view(&packed));
    put_histogram(b, name, ck_buf_cstr(&labels), at(took, "took"));
    json_decref(took);
    ck_buf_free(&packed);
    ck_buf_free(&labels);
  }
}

/* ---- the answer ---- */

struct asked {
  struct webd *webd;
  struct web_request *r;
};

static void heard(void *self, const struct web_said *said) {
  struct asked a = *(struct asked *)self;
  struct ck_buf b = {0};
  bool there = said->answer && said->answer->kind == CK_MSG_INFO;
  json_t *status = there ? ck_json_of(said->answer->as.info.info) : NULL;
  free(self);
  head(&b, "store_up", "gauge", "1: the store has answered.");
  sample(&b, "store_up", NULL, NULL, status != NULL);
  for (size_t i = 0; status && i < sizeof metrics / sizeof *metrics; ++i)
    put_metric(&b, &metrics[i], status);
  if (status) {
    put_jobs(&b, status);
    put_artifacts(&b, status);
    put_alarms(&b, status);
    put_producers(&b, status);
    put_daemons(&b, status);
    put_counters(&b, status);
    put_all_timed(&b, status);
  }
  put_served(&b, a.webd);
  put_times(&b, a.webd);
  json_decref(status);
  web_answer(a.r, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

void web_api_metrics(void *self, struct web_request *r) {
  struct ck_message request = {.kind = CK_MSG_STATUS};
  struct asked *a = ck_zalloc(sizeof *a);
  *a = (struct asked){self, r};
  web_ask(a->webd->store, &request, WEB_ANSWER_MS, heard, a);
}
