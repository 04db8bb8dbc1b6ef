/* Facts as a list of names and values, and what they are made of; see page.h. */
#include "webd/page/page.h"

const char *page_member(const json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

int64_t page_number(const json_t *object, const char *name) {
  return json_integer_value(json_object_get(object, name));
}

void page_count(struct ck_buf *b, int64_t n, const char *one, const char *several) {
  ck_buf_count(b, n < 0 ? 0 : (uint64_t)n);
  ck_buf_text(b, " ");
  ck_buf_text(b, n == 1 ? one : several);
}

void page_size(struct ck_buf *b, uint64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double n = (double)bytes;
  int unit = 0;
  for (; n >= 1024 && unit < 4; ++unit) n /= 1024;
  ck_buf_printf(b, unit && n < 10 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

void page_duration(struct ck_buf *b, int64_t ms) {
  static const struct {
    int64_t s;
    const char *one, *several;
  } units[] = {{86400, "day", "days"}, {3600, "hour", "hours"}, {60, "minute", "minutes"}};
  int64_t s = ms > 0 ? ms / 1000 : 0;
  for (size_t i = 0; i < sizeof units / sizeof *units; ++i) {
    if (s < units[i].s) continue;
    page_count(b, s / units[i].s, units[i].one, units[i].several);
    return;
  }
  if (s)
    page_count(b, s, "second", "seconds");
  else
    ck_buf_text(b, "less than a second");
}

#define AHEAD_MS 60000 /* of clocks that differ a little */

void page_ago(struct ck_buf *b, int64_t ms, int64_t now) {
  if (ms > now + AHEAD_MS) {
    page_moment_words(b, ms);
    return;
  }
  page_time_begin(b, ms);
  if (now - ms < 1000) {
    ck_buf_text(b, "now");
  } else {
    page_duration(b, now - ms);
    ck_buf_text(b, " ago");
  }
  ck_buf_text(b, "</time>");
}

void page_fact_begin(struct ck_buf *b, const char *name, const char *kind) {
  page_put(b, "<div class=\"fact %s\"><dt>%s</dt><dd dir=\"auto\">", kind, name);
}

void page_fact_end(struct ck_buf *b) { ck_buf_text(b, "</dd></div>\n"); }

void page_fact_text(struct ck_buf *b, const char *name, const char *kind, const char *text) {
  if (!*text) return;
  page_fact_begin(b, name, kind);
  page_put(b, "%s", text);
  page_fact_end(b);
}

void page_error_fact(struct ck_buf *b, const char *name, const json_t *holder, int64_t now) {
  const char *text = page_member(holder, "last_error");
  int64_t at = page_number(holder, "last_error_at");
  if (!*text) return;
  page_fact_begin(b, name, "bad");
  page_put(b, "%s", text);
  if (at) ck_buf_text(b, " · ");
  if (at) page_ago(b, at, now);
  page_fact_end(b);
}

void page_hold(struct ck_buf *b) {
  ck_buf_text(b, "<p class=\"hold\" inert><button type=\"button\" aria-pressed=\"false\">Hold"
                 "</button> <span role=\"status\"></span></p>\n");
}

void page_live_begin(struct ck_buf *b, unsigned seconds) {
  ck_buf_text(b, "<div id=\"live\"");
  if (seconds) page_put(b, " data-every=\"%zu\"", (size_t)seconds);
  ck_buf_text(b, ">\n");
}

void page_live_end(struct ck_buf *b, int64_t now) {
  if (now) {
    ck_buf_text(b, "<p class=\"note\">As of ");
    page_time_begin(b, now);
    page_minute(b, now);
    ck_buf_printf(b, ":%02d</time>. <a class=\"unlive\" href=\"\">Load again</a></p>\n",
                  (int)(now / 1000 % 60));
  }
  ck_buf_text(b, "</div>\n");
}
