/* The page at /h, as HTML; see health.h. */
#include "webd/page/health.h"

#include "proto/records.h"

/* ---- daemons ---- */

static void put_state(struct ck_buf *b, const char *name, const char *sink, const json_t *process,
                      int64_t now) {
  const char *state = page_member(process, "state"), *reason = page_member(process, "reason");
  int64_t since = page_number(process, "since"), pid = page_number(process, "pid"),
          failures = page_number(process, "failures");
  bool good = strcmp(state, "running") == 0, still = strcmp(state, "still") == 0;
  page_put(b,
           "<tr><th scope=\"row\">%s%s%s</th><td><span class=\"tag %s\">%s</span></td><td "
           "data-name=\"For\">",
           name, *sink ? " " : "", sink,
           good    ? "good"
           : still ? "failed"
                   : "paused",
           state);
  if (since && good) page_duration(b, now - since);
  ck_buf_text(b, "</td><td dir=\"auto\">");
  if (pid) page_put(b, "pid %lld", (long long)pid);
  if (failures) {
    ck_buf_text(b, pid ? ", after " : "after ");
    page_count(b, failures, "failure", "failures");
  }
  if (*reason) page_put(b, "%s%s", pid || failures ? ": " : "", reason);
  ck_buf_text(b, "</td></tr>\n");
}

static void put_daemons(struct ck_buf *b, const struct page_health *h) {
  static const char *const names[] = {"up", "store", "ingest", "renewd", "webd"};
  const json_t *ring = json_object_get(h->info, "ring");
  json_t *syncds = json_object_get(ring, "syncd"), *one;
  const char *sink;
  if (!json_is_object(ring)) return;
  ck_buf_text(b, "<section class=\"panel\" aria-labelledby=\"daemons\">\n<h2 id=\"daemons\">Daemons"
                 "</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Table of daemons\""
                 " tabindex=\"0\"><table class=\"list\"><thead><tr><th>Daemon</th><th>State</th>"
                 "<th>For</th><th>Process</th></tr></thead><tbody>\n");
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    put_state(b, names[i], "", json_object_get(ring, names[i]), h->now);
  json_object_foreach(syncds, sink, one) put_state(b, "syncd", sink, one, h->now);
  ck_buf_text(b, "</tbody></table></div>\n</section>\n");
}

/* ---- data ---- */

static void put_records(struct ck_buf *b, const json_t *info) {
  static const char *const words_of_one[CK_TABLES] = {
      [CK_MESSAGES] = "message",           [CK_EXECUTIONS] = "execution", [CK_SESSIONS] = "session",
      [CK_CONVERSATIONS] = "conversation", [CK_LINKS] = "link",           [CK_JOBS] = "job",
      [CK_FORGOTTEN] = "forgotten"};
  const json_t *records = json_object_get(info, "records");
  page_fact_begin(b, "Records", "");
  for (int t = 0; t < CK_TABLES; ++t) {
    int64_t n = page_number(records, ck_tables[t].name);
    if (t == CK_FORGOTTEN && !n) continue;
    if (t) ck_buf_text(b, ", ");
    page_count(b, n, words_of_one[t], ck_tables[t].word);
  }
  page_fact_end(b);
}

static void put_waiting(struct ck_buf *b, const char *name, int64_t n, const char *one,
                        const char *several, const char *none) {
  page_fact_begin(b, name, n > 0 ? "warn" : "good");
  if (n > 0)
    page_count(b, n, one, several);
  else
    ck_buf_text(b, none);
  page_fact_end(b);
}

static void put_disk(struct ck_buf *b, const struct page_health *h) {
  bool little = h->disk_all && h->disk_free < h->disk_all / 20;
  page_fact_begin(b, "Disk", little ? "warn" : "");
  page_size(b, h->disk_free);
  ck_buf_text(b, " free of ");
  page_size(b, h->disk_all);
  ck_buf_text(b, "; the database has ");
  page_size(b, h->database);
  page_fact_end(b);
}

static void put_wal(struct ck_buf *b, const json_t *info) {
  const json_t *wal = json_object_get(info, "wal");
  if (!*page_member(wal, "alarm")) return;
  page_fact_begin(b, "WAL", "bad");
  page_size(b, (uint64_t)page_number(wal, "bytes"));
  page_put(b, ", until process %lld (%s) ends its read transaction",
           (long long)page_number(wal, "pid"), page_member(wal, "program"));
  page_fact_end(b);
}

static int64_t artifacts_behind(const json_t *info) {
  const json_t *artifacts = json_object_get(info, "artifacts"),
               *records = json_object_get(info, "records");
  int64_t behind = page_number(info, "version") - page_number(artifacts, "cursor");
  int64_t most = page_number(records, "messages") + page_number(records, "executions") +
                 page_number(records, "sessions");
  return behind < most ? behind : most;
}

static void put_projections(struct ck_buf *b, const json_t *info) {
  const json_t *artifacts = json_object_get(info, "artifacts");
  if (strcmp(page_member(artifacts, "form"), "none") == 0)
    page_fact_text(b, "Readable files", "", "none (artifacts.form)");
  else
    put_waiting(b, "Readable files", artifacts_behind(info), "record behind at most",
                "records behind at most", "up to date");
  put_waiting(b, "Search", page_number(json_object_get(info, "search"), "behind"),
              "version is not in the index yet", "versions are not in the index yet", "up to date");
  put_waiting(b, "Originals", page_number(json_object_get(info, "originals"), "waiting"),
              "is still to be packed", "are still to be packed", "all packed");
}

static void put_data(struct ck_buf *b, const struct page_health *h) {
  const json_t *info = h->info;
  ck_buf_text(b, "<section class=\"panel\" aria-labelledby=\"data\">\n<h2 id=\"data\">Data</h2>\n"
                 "<dl class=\"facts-of\">\n");
  put_disk(b, h);
  page_fact_text(b, "Alarm", "bad", page_member(info, "alarm"));
  if (page_number(info, "damaged"))
    put_waiting(b, "Damaged", page_number(info, "damaged"),
                "page of the database is not as it was written: examine it",
                "pages of the database are not as they were written: examine it", "");
  if (json_object_get(info, "spool"))
    put_waiting(b, "Spool", page_number(json_object_get(info, "spool"), "pending"),
                "changeset waits for the store", "changesets wait for the store", "empty");
  if (json_object_get(info, "records")) {
    put_records(b, info);
    put_projections(b, info);
    put_wal(b, info);
  }
  ck_buf_text(b, "</dl>\n</section>\n");
}

/* ---- sources ---- */

static const json_t *info_of(const json_t *info, const char *daemon) {
  size_t i;
  const json_t *one;
  json_array_foreach(json_object_get(info, "daemons"), i, one) {
    if (strcmp(page_member(one, "name"), daemon) == 0) return json_object_get(one, "info");
  }
  return NULL;
}

/* A folder that is followed; one of a program that is not used here is left out. */
static void put_watched(struct ck_buf *b, const json_t *s, int64_t now) {
  const char *error = page_member(s, "error");
  bool there = json_is_true(json_object_get(s, "there"));
  int64_t at = page_number(s, "taken_at"), behind = page_number(s, "behind");
  if (!there && !*error) return;
  page_put(
      b,
      "<tr><th scope=\"row\" dir=\"auto\">%s</th><td>followed</td><td data-name=\"Last capture\">",
      page_member(s, "name"));
  if (at)
    page_ago(b, at, now);
  else
    ck_buf_text(b, "nothing yet");
  ck_buf_text(b, "</td><td dir=\"auto\">");
  if (there) page_count(b, page_number(s, "files"), "file", "files");
  if (there && behind) {
    ck_buf_text(b, ", ");
    page_size(b, (uint64_t)behind);
    ck_buf_text(b, " behind");
  }
  if (*error) page_put(b, "<span class=\"bad\">%s%s</span>", there ? ", " : "", error);
  ck_buf_text(b, "</td></tr>\n");
}

static void put_platform(struct ck_buf *b, const json_t *row, int64_t now) {
  int64_t at = page_number(row, "captured_at"), newest = page_number(row, "newest_at");
  page_put(
      b,
      "<tr><th scope=\"row\" dir=\"auto\">%s</th><td>platform</td><td data-name=\"Last capture\">",
      page_member(row, "platform"));
  if (at) page_ago(b, at, now);
  ck_buf_text(b, "</td><td>");
  if (newest) {
    ck_buf_text(b, "the newest was said ");
    page_ago(b, newest, now);
  }
  ck_buf_text(b, "</td></tr>\n");
}

static void put_sources(struct ck_buf *b, const struct page_health *h) {
  const json_t *one, *watch = json_object_get(info_of(h->info, "ingest"), "watch");
  size_t i;
  if (json_array_size(watch) + json_array_size(h->sources) == 0) return;
  ck_buf_text(b, "<section class=\"panel\" aria-labelledby=\"sources\">\n<h2 id=\"sources\">Sources"
                 "</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Table of sources\""
                 " tabindex=\"0\"><table class=\"list\"><thead><tr><th>Source</th><th>Kind</th>"
                 "<th>Last capture</th><th>What</th></tr></thead><tbody>\n");
  json_array_foreach(watch, i, one) put_watched(b, one, h->now);
  json_array_foreach(h->sources, i, one) put_platform(b, one, h->now);
  ck_buf_text(b, "</tbody></table></div>\n</section>\n");
}

/* ---- trouble ---- */

static void put_refused(struct ck_buf *b, const json_t *info) {
  int64_t refused = 0, rejected = page_number(info, "rejected");
  const json_t *one, *ingest = info_of(info, "ingest");
  size_t i;
  json_array_foreach(json_object_get(info, "producers"), i, one) refused +=
      page_number(one, "refused");
  put_waiting(b, "Refused by the store", refused, "changeset; convkeep list refusals",
              "changesets; convkeep list refusals", "none");
  put_waiting(b, "Quarantined by ingest", page_number(ingest, "rejected"),
              "since it started; spool/refused.jsonl has it with its reason",
              "since it started; spool/refused.jsonl has each with its reason",
              "none since it started");
  if (page_number(ingest, "unknown_names"))
    put_waiting(b, "Unknown names", page_number(ingest, "unknown_names"),
                "since ingest started; spool/unknown.jsonl has it",
                "since ingest started; spool/unknown.jsonl has them", "");
  if (rejected)
    put_waiting(b, "Unreadable frames", rejected, "; logs/rejected.jsonl", "; logs/rejected.jsonl",
                "");
}

static void put_web(struct ck_buf *b, const json_t *info) {
  json_t *refused = json_object_get(info_of(info, "webd"), "refused"), *n;
  const char *word, *between = "";
  if (json_object_size(refused) == 0) return;
  page_fact_begin(b, "Refused by webd", "");
  json_object_foreach(refused, word, n) {
    page_put(b, "%s%lld × %s", between, (long long)json_integer_value(n), word);
    between = ", ";
  }
  ck_buf_text(b, " since it started");
  page_fact_end(b);
}

static void put_trouble(struct ck_buf *b, const struct page_health *h) {
  const json_t *one;
  size_t i;
  ck_buf_text(b, "<section class=\"panel\" aria-labelledby=\"trouble\">\n<h2 id=\"trouble\">What "
                 "went wrong</h2>\n<dl class=\"facts-of\">\n");
  put_refused(b, h->info);
  json_array_foreach(json_object_get(h->info, "daemons"), i, one)
      page_error_fact(b, page_member(one, "name"), json_object_get(one, "info"), h->now);
  put_web(b, h->info);
  ck_buf_text(b, "</dl>\n</section>\n");
}

/* ---- doctor ---- */

static void put_finding(struct ck_buf *b, const json_t *line) {
  const char *result = page_member(line, "result"), *advice = page_member(line, "advice");
  const char *kind = strcmp(result, "ok") == 0     ? "good"
                     : strcmp(result, "note") == 0 ? "paused"
                                                   : "failed";
  page_put(b,
           "<tr><th scope=\"row\">%s</th><td><span class=\"tag %s\">%s</span></td>"
           "<td dir=\"auto\">%s",
           page_member(line, "check"), kind, result, page_member(line, "text"));
  if (*advice) page_put(b, "<br><span class=\"advice\">→ %s</span>", advice);
  ck_buf_text(b, "</td></tr>\n");
}

static void put_findings(struct ck_buf *b, const struct web_examination *d) {
  const json_t *line;
  size_t i;
  if (json_array_size(d->lines) == 0) return;
  ck_buf_text(b,
              "<div class=\"wide\" role=\"region\" aria-label=\"Table of doctor\" tabindex=\"0\">"
              "<table class=\"list\"><thead><tr><th>Check</th><th>Result</th><th>What</th></tr>"
              "</thead><tbody>\n");
  json_array_foreach(d->lines, i, line) put_finding(b, line);
  ck_buf_text(b, "</tbody></table></div>\n");
}

static void put_doctor(struct ck_buf *b, const struct page_health *h) {
  const struct web_examination *d = &h->doctor;
  ck_buf_text(b, "<section class=\"panel\" aria-labelledby=\"doctor\">\n<h2 id=\"doctor\">Doctor"
                 "</h2>\n<p class=\"note\">");
  if (d->runs) {
    ck_buf_text(b, "It examines everything, since ");
    page_duration(b, h->now - d->began_at);
    ck_buf_text(b, ".");
  } else if (d->ended_at) {
    ck_buf_text(b, "As of ");
    page_ago(b, d->ended_at, h->now);
    ck_buf_text(b, ".");
  } else {
    ck_buf_text(b,
                "It has not run here since webd started. It reads all that there is, and changes "
                "nothing; with much it takes minutes.");
  }
  ck_buf_text(b, "</p>\n");
  if (*d->error) page_put(b, "<p class=\"bad\" dir=\"auto\">%s</p>\n", d->error);
  put_findings(b, d);
  if (!d->runs) {
    ck_buf_text(b, "<form method=\"post\" action=\"/h/doctor\">");
    page_form_field(b, h->request);
    ck_buf_text(b, "<button>Examine everything</button></form>\n");
  }
  ck_buf_text(b, "</section>\n");
}

void page_health_html(struct ck_buf *b, const struct page_health *h) {
  const struct page_frame frame = {
      .title = "Health · convkeep", .request = h->request, .here = PAGE_HEALTH};
  page_begin(b, &frame);
  ck_buf_text(b, "<div class=\"headed\">\n<h1>Health</h1>\n");
  page_hold(b);
  ck_buf_text(b, "</div>\n");
  page_live_begin(b, 5);
  if (*h->error) page_put(b, "<p class=\"bad\" role=\"status\" dir=\"auto\">%s</p>\n", h->error);
  put_daemons(b, h);
  put_data(b, h);
  put_sources(b, h);
  if (json_object_get(h->info, "records")) put_trouble(b, h);
  put_doctor(b, h);
  page_live_end(b, h->now);
  page_end(b, &frame);
}
