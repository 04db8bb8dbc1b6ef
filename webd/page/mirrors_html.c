/* The page at /m, as HTML; see mirrors.h. */
#include "webd/page/mirrors.h"

#include <stdlib.h>

/* Why nothing gets into the mirror, as `convkeep status` says it. */
static const char *alarm_words(const char *alarm) {
  static const char *const words[][2] = {
      {"no_worker", "no syncd is running"},
      {"stopped", "the mirror refuses everything until somebody repairs that"},
      {"table", "a table of the mirror is paused until somebody repairs it"},
      {"stalled", "nothing gets into the mirror"},
      {"stuck", "some changes do not get into the mirror, while others do"},
      {"held", "nothing is written to it until the other mirror is settled"}};
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    if (strcmp(words[i][0], alarm) == 0) return words[i][1];
  return "it does not fit this store: nothing is written to it";
}

static void put_behind(struct ck_buf *b, const json_t *sync) {
  int64_t pending = page_number(sync, "pending"), behind = page_number(sync, "behind_ms"),
          backlog = page_number(sync, "backlog");
  bool alarm = *page_member(sync, "alarm") != '\0';
  page_fact_begin(b, "Behind", alarm ? "bad" : pending ? "warn" : "good");
  if (!pending) ck_buf_text(b, alarm ? "nothing that could be sent" : "nothing: up to date");
  if (pending) page_count(b, pending, "record", "records");
  if (pending && behind > 0) {
    ck_buf_text(b, ", the oldest for ");
    page_duration(b, behind);
  }
  if (backlog) {
    ck_buf_text(b, ", a backlog of ");
    page_count(b, backlog, "version", "versions");
  }
  page_fact_end(b);
}

static void put_alarm(struct ck_buf *b, const json_t *sync) {
  const char *alarm = page_member(sync, "alarm");
  const json_t *witness = json_object_get(sync, "witness");
  if (!*alarm) return;
  page_fact_begin(b, "Alarm", "bad");
  page_put(b, "%s", alarm_words(alarm));
  if (*page_member(witness, "reason")) page_put(b, " (%s)", page_member(witness, "reason"));
  page_fact_end(b);
}

static void put_hold(struct ck_buf *b, const json_t *sync, int64_t now) {
  const json_t *hold = json_object_get(sync, "hold");
  int64_t until = page_number(hold, "until");
  if (!json_is_object(hold)) return;
  page_fact_begin(b, "Waits", "warn");
  page_put(b, "%s", *page_member(hold, "reason") ? page_member(hold, "reason") : "as it was told");
  if (until > now) {
    ck_buf_text(b, ", for ");
    page_duration(b, until - now);
  }
  page_fact_end(b);
}

static void put_cost(struct ck_buf *b, const json_t *sync) {
  const json_t *today = json_object_get(sync, "today");
  page_fact_begin(b, "Cost today (UTC)", "");
  page_count(b, page_number(today, "requests"), "request", "requests");
  ck_buf_text(b, ", ");
  page_count(b, page_number(today, "rows"), "row sent", "rows sent");
  ck_buf_text(b, ", ");
  page_count(b, page_number(today, "written"), "row written, indexes included",
             "rows written, indexes included");
  page_fact_end(b);
}

static void put_rate(struct ck_buf *b, const json_t *sync) {
  const json_t *rate = json_object_get(sync, "rate");
  int64_t limit = page_number(rate, "limit"), held = page_number(rate, "held_ms");
  const json_t *left = json_object_get(rate, "sink_left");
  page_fact_begin(b, "Rate left", held ? "warn" : "");
  if (limit) {
    page_count(b, page_number(rate, "left"), "request now", "requests now");
    ck_buf_text(b, "; ");
    ck_buf_count(b, (uint64_t)page_number(rate, "used"));
    ck_buf_text(b, " of ");
    ck_buf_count(b, (uint64_t)limit);
    ck_buf_text(b, " used in 5 minutes");
  } else {
    ck_buf_text(b, "requests are not counted");
  }
  if (json_is_integer(left)) {
    ck_buf_text(b, "; the sink takes ");
    ck_buf_count(b, (uint64_t)json_integer_value(left));
    ck_buf_text(b, " more");
  }
  if (held) {
    ck_buf_text(b, "; none may be sent for ");
    page_duration(b, held);
  }
  page_fact_end(b);
}

static void put_check(struct ck_buf *b, const json_t *sync, int64_t now) {
  const json_t *check = json_object_get(sync, "check");
  int64_t wrong = page_number(check, "wrong"), skipped = page_number(check, "skipped");
  page_fact_begin(b, "Last comparison", wrong ? "bad" : json_is_object(check) ? "good" : "");
  if (!json_is_object(check)) {
    ck_buf_text(b, "none yet: <code>convkeep sync verify</code>");
  } else {
    page_put(b, "%s, ", page_member(check, "task"));
    page_ago(b, page_number(check, "at"), now);
    ck_buf_text(b, ": ");
    page_count(b, page_number(check, "records"), "row compared", "rows compared");
    ck_buf_text(b, wrong ? ", of which " : ", all right");
    if (wrong) page_count(b, wrong, "is wrong", "are wrong");
    if (skipped) {
      ck_buf_text(b, "; ");
      page_count(b, skipped, "row was not compared", "rows were not compared");
    }
  }
  page_fact_end(b);
}

static void put_tables(struct ck_buf *b, const json_t *sync) {
  const json_t *name, *paused = json_object_get(sync, "paused");
  size_t i;
  if (json_array_size(paused) == 0) return;
  page_fact_begin(b, "Paused tables", "bad");
  json_array_foreach(paused, i, name) page_put(b, "%s%s", i ? ", " : "", json_string_value(name));
  page_fact_end(b);
}

/* ---- dead letters ---- */

/* A button that sends them again: all of the sink, or those of one key. */
static void put_again(struct ck_buf *b, const struct web_request *r, const char *sink,
                      const json_t *key) {
  ck_buf_text(b, "<form method=\"post\" action=\"/m/retry\">");
  page_form_field(b, r);
  page_put(b, "<input type=\"hidden\" name=\"sink\" value=\"%s\">", sink);
  if (key)
    page_put(b, "<input type=\"hidden\" name=\"key\" value=\"%.*s\">", (int)json_string_length(key),
             json_string_value(key));
  if (key)
    page_put(b, "<button aria-label=\"Send again: %.*s\">Send again</button></form>",
             (int)json_string_length(key), json_string_value(key));
  else
    ck_buf_text(b, "<button>Send all of them again</button></form>");
}

static void put_letter(struct ck_buf *b, const struct web_request *r, const json_t *letter,
                       int64_t now) {
  page_put(b,
           "<tr><td>%s</td><td class=\"key\" dir=\"auto\">%s</td><td dir=\"auto\">%s</td>"
           "<td data-name=\"Since\">",
           page_member(letter, "table_name"), page_member(letter, "key"),
           page_member(letter, "reason"));
  page_ago(b, page_number(letter, "at"), now);
  ck_buf_text(b, "</td><td>");
  put_again(b, r, page_member(letter, "sink"), json_object_get(letter, "key"));
  ck_buf_text(b, "</td></tr>\n");
}

static void put_letters(struct ck_buf *b, const struct web_request *r, const char *sink,
                        const json_t *sync, const json_t *letters, int64_t now) {
  int64_t all = page_number(sync, "dead_letters");
  size_t i, shown = 0;
  const json_t *letter;
  if (!all) {
    page_fact_text(b, "Dead letters", "good", "none");
    ck_buf_text(b, "</dl>\n");
    return;
  }
  page_fact_begin(b, "Dead letters", "bad");
  page_count(b, all, "row that the mirror refuses", "rows that the mirror refuses");
  page_fact_end(b);
  ck_buf_text(b, "</dl>\n");
  put_again(b, r, sink, NULL);
  page_put(b,
           "<div class=\"wide\" role=\"region\" aria-label=\"Dead letters of %s\" tabindex=\"0\">"
           "<table class=\"list\"><thead><tr><th>Table</th><th>Record</th><th>Why</th>"
           "<th>Since</th><th>Retry</th></tr></thead><tbody>\n",
           sink);
  json_array_foreach(letters, i, letter) {
    if (strcmp(page_member(letter, "sink"), sink) != 0) continue;
    put_letter(b, r, letter, now);
    ++shown;
  }
  ck_buf_text(b, "</tbody></table></div>\n");
  if ((int64_t)shown < all)
    page_put(b, "<p class=\"note\">The newest are shown; <code>convkeep list dead-letters</code> "
                "has all of them.</p>\n");
}

/* ---- the page ---- */

static void put_mirror(struct ck_buf *b, const struct web_request *r, const json_t *info,
                       const char *sink, const json_t *sync, const json_t *letters, int64_t now) {
  page_put(b,
           "<section class=\"panel\" aria-labelledby=\"sink-%s\">\n<h2 id=\"sink-%s\">%s</h2>\n"
           "<dl class=\"facts-of\">\n",
           sink, sink, sink);
  put_behind(b, sync);
  put_alarm(b, sync);
  put_hold(b, sync, now);
  page_error_fact(b, "Last error", sync, now);
  put_tables(b, sync);
  page_fact_begin(b, "Version", "");
  ck_buf_count(b, (uint64_t)page_number(sync, "cursor"));
  ck_buf_text(b, " of ");
  ck_buf_count(b, (uint64_t)page_number(info, "version"));
  page_fact_end(b);
  put_cost(b, sync);
  put_rate(b, sync);
  put_check(b, sync, now);
  if (json_is_true(json_object_get(sync, "unproven")))
    page_fact_text(b, "Repair", "warn",
                   "it may have rows of another time, and is repaired by itself");
  put_letters(b, r, sink, sync, letters, now);
  ck_buf_text(b, "</section>\n");
}

static void put_unused(struct ck_buf *b, const json_t *info) {
  const json_t *one, *unused = json_object_get(info, "sync_unused");
  size_t i;
  json_array_foreach(unused, i, one) page_put(
      b, "<p class=\"note\" dir=\"auto\">%s is not used: sync.sinks does not name it.</p>\n",
      page_member(one, "mirror"));
}

static void put_done(struct ck_buf *b, const struct web_request *r) {
  const char *again = web_arg(r, "again");
  long long n = again ? strtoll(again, NULL, 10) : 0;
  if (!again) return;
  ck_buf_text(b, "<p class=\"done\" role=\"status\">");
  page_count(b, n, "row is sent again.", "rows are sent again.");
  ck_buf_text(b, "</p>\n");
}

void page_mirrors_html(struct ck_buf *b, const struct web_request *r, const json_t *info,
                       const json_t *letters, int64_t now) {
  const struct page_frame frame = {
      .title = "Mirrors · convkeep", .request = r, .here = PAGE_MIRRORS};
  json_t *all = json_object_get(info, "sync"), *sync;
  const char *sink;
  page_begin(b, &frame);
  ck_buf_text(b, "<div class=\"headed\">\n<h1>Mirrors</h1>\n");
  page_hold(b);
  ck_buf_text(b, "</div>\n");
  put_done(b, r);
  page_live_begin(b, 5);
  json_object_foreach(all, sink, sync) put_mirror(b, r, info, sink, sync, letters, now);
  if (json_object_size(all) == 0)
    ck_buf_text(
        b, "<p class=\"nothing\">No mirror is set up: <code>sync.sinks</code> is empty.</p>\n");
  put_unused(b, info);
  page_live_end(b, now);
  page_end(b, &frame);
}
