/* The pages at /i and /i/ID, as HTML; see import.h. */
#include "webd/page/import.h"

#include <stdlib.h>

/* ---- what import has said ---- */

struct counts {
  int64_t added, updated, unchanged, waiting, failed;
};

static struct counts counts_of(const json_t *line) {
  return (struct counts){page_number(line, "new"), page_number(line, "updated"),
                         page_number(line, "unchanged"), page_number(line, "waiting"),
                         page_number(line, "failed")};
}

static struct counts total_of(const struct web_upload *u) {
  struct counts all = {0};
  const json_t *line;
  size_t i;
  json_array_foreach(u->lines, i, line) {
    struct counts one = counts_of(line);
    all.added += one.added;
    all.updated += one.updated;
    all.unchanged += one.unchanged;
    all.waiting += one.waiting;
    all.failed += one.failed;
  }
  return all;
}

/* Files that were given as a folder have "./" before their names; "." is what is said of it. */
static const char *name_of(const json_t *line) {
  const char *name = page_member(line, "file");
  if (strcmp(name, ".") == 0) return "the folder";
  return strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

static bool is_others(const json_t *line) { return json_object_get(line, "other_files") != NULL; }
static bool is_skipped(const json_t *line) {
  return json_is_true(json_object_get(line, "skipped"));
}

static const char *format_words(const char *format) {
  static const char *const words[][2] = {
      {"chatgpt", "ChatGPT export"}, {"claude", "Claude export"}, {"", "not recognised"}};
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    if (strcmp(words[i][0], format) == 0) return words[i][1];
  return format;
}

/* ---- how one stands ---- */

static const char *state_words(const struct web_upload *u) {
  if (u->state == WEB_UPLOAD_COMES) return "it is coming";
  if (u->state == WEB_UPLOAD_WAITS) return "it waits for the one before it";
  if (u->state == WEB_UPLOAD_IS_READ) return "it is being read";
  return u->code == 0 ? "done" : u->code == 1 ? "done, with failures" : "not finished";
}

static const char *state_kind(const struct web_upload *u) {
  if (u->state != WEB_UPLOAD_ENDED) return "new";
  return u->code == 0 ? "good" : u->code == 1 ? "paused" : "failed";
}

static void put_what(struct ck_buf *b, const struct web_upload *u) {
  page_put(b, "%s", u->what ? u->what : "…");
  if (u->tops > 1) page_put(b, " and %zu more", u->tops - 1);
}

/* ---- /i ---- */

static void put_form(struct ck_buf *b, const struct web_request *r) {
  page_put(b,
           "<form class=\"upload panel\" method=\"post\" action=\"/i\" "
           "enctype=\"multipart/form-data\" data-most=\"%zu\">\n",
           PAGE_UPLOAD_BYTES);
  page_form_field(b, r);
  ck_buf_text(b,
              "<label>Files <input type=\"file\" name=\"file\" multiple></label>\n"
              "<label>or a folder <input type=\"file\" name=\"folder\" webkitdirectory></label>\n"
              "<button>Import</button>\n"
              "<p class=\"note\">Exports of ChatGPT and Claude as they were downloaded (zip), "
              "sessions of Claude Code and Codex, what convkeep exported, observations: JSON, "
              "JSONL, NDJSON, databases, archives of these. With the folder or archive come the "
              "images and documents beside the conversations. ");
  page_put(b,
           "At most %zu GiB at once; <code>convkeep import</code> has no limit. Importing "
           "something again changes nothing.</p>\n</form>\n",
           PAGE_UPLOAD_BYTES >> 30);
}

static void put_upload(struct ck_buf *b, const struct web_upload *u, int64_t now) {
  struct counts n = total_of(u);
  page_put(b, "<tr><td class=\"key\"><a href=\"/i/%s\" dir=\"auto\">", u->id);
  put_what(b, u);
  ck_buf_text(b, "</a></td><td>");
  page_ago(b, u->began_at, now);
  page_put(b, "</td><td><span class=\"tag %s\">%s</span></td><td>", state_kind(u), state_words(u));
  ck_buf_count(b, (uint64_t)n.added);
  ck_buf_text(b, " new, ");
  ck_buf_count(b, (uint64_t)(n.updated + n.unchanged));
  ck_buf_text(b, " known, ");
  ck_buf_count(b, (uint64_t)n.failed);
  ck_buf_text(b, " failed</td></tr>\n");
}

void page_import_html(struct ck_buf *b, const struct web_request *r,
                      const struct web_uploads *uploads, int64_t now) {
  const struct page_frame frame = {.title = "Import · convkeep", .request = r, .here = PAGE_IMPORT};
  const struct web_upload *u = web_uploads_first(uploads);
  page_begin(b, &frame);
  ck_buf_text(b, "<h1>Import</h1>\n");
  put_form(b, r);
  if (u) {
    ck_buf_text(b,
                "<h2 id=\"lately\">Lately</h2>\n<div class=\"wide\" role=\"region\" "
                "aria-labelledby=\"lately\" tabindex=\"0\"><table class=\"list\"><thead><tr>"
                "<th>What</th><th>When</th><th>State</th><th>Messages</th></tr></thead><tbody>\n");
    for (; u; u = u->next) put_upload(b, u, now);
    ck_buf_text(b, "</tbody></table></div>\n");
  }
  page_end(b, &frame);
}

/* ---- /i/ID ---- */

static void put_number(struct ck_buf *b, const char *name, int64_t n) {
  page_put(b, "<td class=\"right\" data-name=\"%s\">", name);
  ck_buf_count(b, n < 0 ? 0 : (uint64_t)n);
  ck_buf_text(b, "</td>");
}

static void put_others(struct ck_buf *b, const json_t *line) {
  const char *ending, *between = ": ";
  json_t *n;
  page_put(b, "<tr><td class=\"key\" dir=\"auto\">%s</td><td colspan=\"5\">", name_of(line));
  page_count(b, page_number(line, "other_files"), "other file skipped", "other files skipped");
  json_object_foreach(json_object_get(line, "by_ending"), ending, n) {
    page_put(b, "%s%lld %s", between, (long long)json_integer_value(n), ending);
    between = ", ";
  }
  ck_buf_text(b, "</td></tr>\n");
}

static void put_line(struct ck_buf *b, const json_t *line) {
  struct counts n = counts_of(line);
  const char *error = page_member(line, "error");
  if (is_others(line)) {
    put_others(b, line);
    return;
  }
  page_put(b, "<tr><td class=\"key\" dir=\"auto\">%s</td>", name_of(line));
  if (is_skipped(line)) {
    page_put(b, "<td colspan=\"5\" dir=\"auto\">skipped: %s</td></tr>\n", error);
    return;
  }
  page_put(b, "<td>%s</td>", format_words(page_member(line, "format")));
  put_number(b, "New", n.added + n.waiting);
  put_number(b, "Updated", n.updated);
  put_number(b, "Known", n.unchanged);
  put_number(b, "Failed", n.failed);
  ck_buf_text(b, "</tr>\n");
}

static void put_table(struct ck_buf *b, const struct web_upload *u) {
  const json_t *line;
  size_t i;
  if (json_array_size(u->lines) == 0) return;
  ck_buf_text(b, "<div class=\"wide\" role=\"region\" aria-label=\"Files\" tabindex=\"0\">"
                 "<table class=\"list\"><thead><tr><th>File</th><th>What it is</th>"
                 "<th class=\"right\">New</th><th class=\"right\">Updated</th>"
                 "<th class=\"right\">Known</th><th class=\"right\">Failed</th></tr></thead>"
                 "<tbody>\n");
  json_array_foreach(u->lines, i, line) put_line(b, line);
  ck_buf_text(b, "</tbody></table></div>\n");
}

static void put_place(struct ck_buf *b, const json_t *place) {
  char *text = json_is_string(place) ? NULL : json_dumps(place, JSON_COMPACT | JSON_ENCODE_ANY);
  page_put(b, "%s", text ? text : json_is_string(place) ? json_string_value(place) : "");
  free(text);
}

static void put_failures_of(struct ck_buf *b, const json_t *line) {
  const json_t *failures = json_object_get(line, "failures"), *one;
  const char *error = page_member(line, "error");
  struct counts n = counts_of(line);
  int64_t places = n.failed - (*error ? 1 : 0);
  size_t i;
  json_array_foreach(failures, i, one) {
    page_put(b, "<li dir=\"auto\"><b>%s</b>: ", name_of(line));
    put_place(b, json_object_get(one, "place"));
    page_put(b, ": %s</li>\n", page_member(one, "reason"));
  }
  if (places > (int64_t)i) {
    page_put(b, "<li dir=\"auto\"><b>%s</b>: and ", name_of(line));
    page_count(b, places - (int64_t)i, "more", "more");
    ck_buf_text(b, "</li>\n");
  }
  if (*error)
    page_put(b, "<li dir=\"auto\"><b>%s</b>: %s%s</li>\n", name_of(line), error,
             n.added + n.updated + n.unchanged + n.waiting
                 ? "; everything before that place was imported"
                 : "");
}

static void put_failures(struct ck_buf *b, const struct web_upload *u) {
  const json_t *line;
  size_t i;
  if (total_of(u).failed == 0) return;
  ck_buf_text(b, "<section class=\"panel\" aria-labelledby=\"failures\">\n<h2 id=\"failures\">What "
                 "could not go in</h2>\n<p class=\"note\">What was refused of a file is kept, each "
                 "with its reason, in <code>spool/refused.jsonl</code> in the data folder. A file "
                 "that could not be read is not kept here: the one that you have is whole.</p>\n"
                 "<ul class=\"plain-list\">\n");
  json_array_foreach(u->lines, i, line) {
    if (!is_others(line) && !is_skipped(line)) put_failures_of(b, line);
  }
  ck_buf_text(b, "</ul>\n</section>\n");
}

static void put_notes(struct ck_buf *b, const struct web_upload *u) {
  const json_t *line;
  json_t *n;
  const char *kind;
  size_t i, any = 0;
  json_array_foreach(u->lines, i, line) {
    json_object_foreach(json_object_get(line, "notes"), kind, n) {
      if (any++ == 0)
        ck_buf_text(b,
                    "<section class=\"panel\" aria-labelledby=\"notes\">\n<h2 id=\"notes\">To be "
                    "known</h2>\n<ul class=\"plain-list\">\n");
      page_put(b, "<li dir=\"auto\"><b>%s</b>: %lld × %s</li>\n", name_of(line),
               (long long)json_integer_value(n), kind);
    }
  }
  if (any) ck_buf_text(b, "</ul>\n</section>\n");
}

/* What it has said besides of no file: why it did not come to its end. */
static void put_errors(struct ck_buf *b, const struct web_upload *u) {
  const json_t *one;
  size_t i;
  if (u->state != WEB_UPLOAD_ENDED || u->code == 0 || u->code == 1) return;
  ck_buf_text(b, "<p class=\"bad\" role=\"status\">It did not come to its end. Import it again: "
                 "what is there already stays as it is.</p>\n<ul class=\"plain-list\">\n");
  json_array_foreach(u->errors, i, one) {
    const char *hint = page_member(one, "hint");
    page_put(b, "<li dir=\"auto\">%s%s%s</li>\n", page_member(one, "error"), *hint ? "; " : "",
             hint);
  }
  ck_buf_text(b, "</ul>\n");
}

static void put_total(struct ck_buf *b, const struct web_upload *u) {
  struct counts n = total_of(u);
  ck_buf_text(b, "<dl class=\"facts-of\">\n");
  page_fact_begin(b, "New messages", n.added ? "good" : "");
  ck_buf_count(b, (uint64_t)n.added);
  page_fact_end(b);
  page_fact_begin(b, "Known already", "");
  ck_buf_count(b, (uint64_t)(n.updated + n.unchanged));
  if (n.updated) {
    ck_buf_text(b, ", of which ");
    ck_buf_count(b, (uint64_t)n.updated);
    ck_buf_text(b, " changed");
  }
  page_fact_end(b);
  if (n.waiting) {
    page_fact_begin(b, "Waiting for the store", "warn");
    ck_buf_count(b, (uint64_t)n.waiting);
    page_fact_end(b);
  }
  page_fact_begin(b, "Failed", n.failed ? "bad" : "");
  ck_buf_count(b, (uint64_t)n.failed);
  page_fact_end(b);
  ck_buf_text(b, "</dl>\n");
}

static void put_state(struct ck_buf *b, const struct web_upload *u, int64_t now) {
  page_put(b, "<p role=\"status\"><span class=\"tag %s\">%s</span> ", state_kind(u),
           state_words(u));
  page_count(b, (int64_t)u->files, "file", "files");
  ck_buf_text(b, ", ");
  page_size(b, u->bytes);
  if (u->state == WEB_UPLOAD_ENDED) {
    ck_buf_text(b, ", in ");
    page_duration(b, u->ended_at - u->began_at);
  } else {
    ck_buf_text(b, ", for ");
    page_duration(b, now - u->began_at);
  }
  ck_buf_text(b, "</p>\n");
}

static void put_report(struct ck_buf *b, const struct web_upload *u, int64_t now) {
  put_state(b, u, now);
  put_errors(b, u);
  put_total(b, u);
  put_failures(b, u);
  put_table(b, u);
  put_notes(b, u);
}

void page_imported_html(struct ck_buf *b, const struct web_request *r, const struct web_upload *u,
                        int64_t now) {
  const struct page_frame frame = {.title = "Import · convkeep", .request = r, .here = PAGE_IMPORT};
  page_begin(b, &frame);
  ck_buf_text(b, "<div class=\"headed\">\n<h1 dir=\"auto\">");
  put_what(b, u);
  ck_buf_text(b, "</h1>\n");
  if (u->state != WEB_UPLOAD_ENDED) page_hold(b);
  ck_buf_text(b, "</div>\n");
  page_live_begin(b, u->state == WEB_UPLOAD_ENDED ? 0 : 1);
  put_report(b, u, now);
  page_live_end(b, u->state == WEB_UPLOAD_ENDED ? 0 : now);
  ck_buf_text(b, "<p class=\"more\"><a href=\"/i\">Import more</a> <a href=\"/\">Conversations</a>"
                 "</p>\n");
  page_end(b, &frame);
}
