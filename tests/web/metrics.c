/* GET /metrics: each line as the format has it, and values that are those of the ring. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/process.h"
#include "tests/harness/ring.h"
#include "tests/web/client.h"

static const char *token;

static char *metrics(void) {
  struct t_reply r = t_ask_web("GET", "/metrics", token, "", NULL);
  T_CHECK(r.status == 200 && strncmp(t_reply_header(&r, "Content-Type"), "text/plain", 10) == 0,
          "%d %s", r.status, r.head);
  char *text = ck_strdup(r.body);
  t_reply_free(&r);
  return text;
}

/* The value of the sample that begins like this; -1: there is none. */
static double value_of(const char *text, const char *sample) {
  size_t n = strlen(sample);
  for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (strncmp(line, sample, n) == 0 && line[n] == ' ') return strtod(line + n, NULL);
  return -1;
}

static bool ends(const char *s, const char *with) {
  size_t n = strlen(s), m = strlen(with);
  return n >= m && strcmp(s + n - m, with) == 0;
}

/* The sum of all samples of a metric that have both among their labels. */
static double sum_of(const char *text, const char *metric, const char *one, const char *two) {
  size_t n = strlen(metric);
  double sum = 0;
  for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
    if (strncmp(line, metric, n) != 0 || line[n] != '{') continue;
    const char *end = strchr(line, '}'), *first = strstr(line, one), *second = strstr(line, two);
    if (first && second && first < end && second < end) sum += strtod(end + 1, NULL);
  }
  return sum;
}

/* What a histogram counts: its samples are there, and the last range has all of them. */
static double times_of(const char *text, const char *name, const char *label) {
  char *count = ck_sprintf("convkeep_%s_count", name),
       *bucket = ck_sprintf("convkeep_%s_bucket", name);
  double n = sum_of(text, count, label, "");
  T_CHECK(sum_of(text, bucket, label, "le=\"+Inf\"") == n, "%s{%s}: the ranges do not have %g",
          name, label, n);
  free(count), free(bucket);
  return n;
}

/* HELP, then TYPE, then samples of that name; a counter, and nothing else, ends in _total. */
static void check_format(const char *text) {
  char *copy = ck_strdup(text), *rest = copy, name[100] = "", type[20] = "", is[200];
  int n = 0;
  T_CHECK(ends(text, "\n"), "the last line has no end");
  for (char *line; (line = strsep(&rest, "\n")) && *line;) {
    if (sscanf(line, "# HELP convkeep_%99[a-z_] %1s", name, is) == 2) {
      type[0] = '\0';
    } else if (strncmp(line, "# TYPE ", 7) == 0) {
      T_CHECK(sscanf(line, "# TYPE convkeep_%199[a-z_] %19[a-z]", is, type) == 2 &&
                  strcmp(is, name) == 0,
              "after the help of %s: %s", name, line);
      T_CHECK((strcmp(type, "counter") == 0) == ends(name, "_total"), "%s is a %s", name, type);
    } else {
      T_CHECK(sscanf(line, "convkeep_%199[a-z_]", is) == 1 && *type, "no sample: %s", line);
      bool part = strcmp(type, "histogram") == 0 &&
                  (ends(is, "_bucket") || ends(is, "_sum") || ends(is, "_count")) &&
                  strncmp(is, name, strlen(name)) == 0;
      char *end, *value = strrchr(line, ' ');
      T_CHECK(part || strcmp(is, name) == 0, "after the type of %s: %s", name, line);
      T_CHECK(value && (strtod(value + 1, &end), end > value + 1 && !*end), "no value: %s", line);
      ++n;
    }
  }
  T_CHECK(n > 25, "there are %d samples", n);
  free(copy);
}

T_STORY(web_metrics, are_those_of_the_ring, 60) {
  t_up();
  token = t_token("reader", "read");
  t_import_lines(0, "{'platform': 'x', 'text': 'said', 'role': 'user', 'observed_at': 1}\n");
  t_settle(10000);
  t_web_says(401, "token", "GET", "/metrics", NULL, "", NULL);
  t_web_says(403, "scope", "GET", "/metrics", t_token("other", "admin,deliver,capture"), "", NULL);
  t_web_says(200, NULL, "GET", "/v1/status", token, "", NULL);
  char *text = metrics();
  check_format(text);
  T_CHECK(value_of(text, "convkeep_store_up") == 1 &&
              value_of(text, "convkeep_records{table=\"messages\"}") == 1 &&
              value_of(text, "convkeep_jobs{state=\"unknown\"}") == 0 &&
              value_of(text, "convkeep_mirror_pending_records{sink=\"sqlite\"}") == 0 &&
              value_of(text, "convkeep_wal_limit_bytes") > 0 &&
              value_of(text, "convkeep_web_refused_total{word=\"scope\"}") == 1,
          "a value is another: %s", text);
  T_CHECK(value_of(text, "convkeep_web_request_duration_seconds_count{method=\"GET\","
                         "route=\"/v1/status\"}") == 1 &&
              value_of(text, "convkeep_web_request_duration_seconds_bucket{method=\"GET\","
                             "route=\"/v1/status\",le=\"+Inf\"}") == 1,
          "the request is not counted: %s", text);
  free(text);
}

/* Each daemon's own times come with its next report, a second after the last one at most. */
T_STORY(web_metrics, have_how_long_things_take, 60) {
  static const char *const times[][2] = {{"fsync_duration_seconds", "of=\"spool\""},
                                         {"fsync_duration_seconds", "of=\"wal\""},
                                         {"commit_duration_seconds", "id=\"store\""},
                                         {"mirror_request_duration_seconds", "sink=\"sqlite\""},
                                         {"delivery_lateness_seconds", "id="},
                                         {"delivery_duration_seconds", "id="}};
  t_up();
  token = t_token("reader", "read");
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c', 'text': 'said', 'role': 'user', "
                    "'observed_at': 1, 'client_id': 'ff1', 'target': {'kind': 'null'}}\n");
  t_do(0, "renew", "x:c", "--payload", "go on");
  t_settle(10000);
  for (size_t i = 0; i < sizeof times / sizeof *times; ++i) {
    double n = 0;
    for (int64_t end = ck_boot_ms() + 20000; n < 1 && ck_boot_ms() < end; usleep(50000)) {
      char *text = metrics();
      check_format(text);
      n = times_of(text, times[i][0], times[i][1]);
      free(text);
    }
    T_CHECK(n >= 1, "nothing is said of %s{%s}", times[i][0], times[i][1]);
  }
}

/* Without a store there is what webd knows itself. */
T_STORY(web_metrics, without_a_store, 60) {
  t_up();
  token = t_token("reader", "read");
  pid_t store = t_kill("store", SIGSTOP);
  char *text = metrics();
  check_format(text);
  T_CHECK(value_of(text, "convkeep_store_up") == 0 &&
              value_of(text, "convkeep_web_connections") >= 1,
          "a value is another: %s", text);
  kill(store, SIGCONT);
  free(text);
}

/* Prometheus' own tool finds nothing. */
T_STORY(web_metrics, for_promtool, 60) {
  char *promtool = ck_sprintf("%s/build/promtool", t_root());
  T_CHECK(access(promtool, X_OK) == 0, "promtool is missing: make build/promtool");
  t_up();
  token = t_token("reader", "read");
  t_import_lines(0, "{'platform': 'x', 'text': 'said', 'role': 'user', 'observed_at': 1}\n");
  t_settle(10000);
  t_web_says(200, NULL, "GET", "/v1/status", token, "", NULL);
  char *text = metrics();
  t_write_text("../out/metrics", text);
  char *command = ck_sprintf("'%s' check metrics <../out/metrics >../out/promtool 2>&1", promtool);
  int code = system(command);
  char *said = t_read_file("../out/promtool", NULL);
  T_CHECK(code == 0 && said && !*said, "promtool says %s", said);
  free(said), free(text), free(command), free(promtool);
}
