/* See watch.h. */
#include "cli/watch.h"

#include "cli/time.h"

void cli_size_text(struct ck_buf *b, uint64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double n = (double)bytes;
  int unit = 0;
  for (; n >= 1024 && unit < 4; ++unit) n /= 1024;
  ck_buf_printf(b, unit && n < 10 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

void cli_watch_text(struct ck_buf *text, const json_t *s, int64_t now) {
  int64_t files = cli_member_int(s, "files", 0), behind = cli_member_int(s, "behind", 0),
          at = cli_member_int(s, "taken_at", 0);
  if (!json_is_true(json_object_get(s, "there"))) {
    ck_buf_text(text, "the folder is not there");
    return;
  }
  ck_buf_count(text, (uint64_t)files);
  ck_buf_text(text, ck_noun((uint64_t)files, " file", " files"));
  if (at) {
    ck_buf_text(text, ", the last capture ");
    cli_relative_text(text, at, now);
  }
  if (behind) {
    ck_buf_text(text, ", ");
    cli_size_text(text, (uint64_t)behind);
    ck_buf_text(text, " behind");
  }
  if (json_is_true(json_object_get(s, "scanning"))) ck_buf_text(text, ", scanning");
}

void cli_watch_lines(struct cli_table *t, const json_t *watch, int64_t now) {
  struct ck_buf text = {0};
  const char *title = "watching";
  size_t i;
  const json_t *s;
  json_array_foreach(watch, i, s) {
    const char *error = cli_member(s, "error"), *slow = cli_member(s, "slow");
    bool there = json_is_true(json_object_get(s, "there"));
    if (!there && !*error) continue; /* a program that is not used here */
    ck_buf_printf(&text, "%s: ", cli_member(s, "name"));
    cli_watch_text(&text, s, now);
    cli_line(t, title, CLI_PLAIN, &text);
    title = "";
    if (*slow) {
      ck_buf_printf(&text, "%s, so it is looked at every 10 s or less often", slow);
      cli_line(t, "", CLI_YELLOW, &text);
    }
    if (*error) {
      int64_t bad = cli_member_int(s, "unreadable", 0);
      if (bad > 1) ck_buf_printf(&text, "%lld files cannot be read, as ", (long long)bad);
      ck_buf_text(&text, error);
      cli_line(t, "", CLI_RED, &text);
    }
  }
  ck_buf_free(&text);
}
