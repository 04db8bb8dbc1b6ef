/* What the files of the page share. */
#ifndef WEBD_PAGE_H
#define WEBD_PAGE_H

#include "proto/records.h"
#include "webd/webd.h"

/* ---- HTML ---- */

/* Appends text with what HTML would take for its own escaped; also right within an attribute in
 * double quotes. Control characters are shown by their codes. */
void page_text(struct ck_buf *b, struct ck_str text);
/* Appends a template: HTML with placeholders as of printf, of which there are %s, %.*s, %lld, %zu
 * and %%. Each text that takes the place of one is escaped. */
void page_put(struct ck_buf *b, const char *template, ...) __attribute__((format(printf, 2, 3)));
/* A view, for %.*s. */
#define PAGE_STR(str) (int)(str).n, (str).n ? (str).s : ""
/* Appends text as a part of a path or a query: percent-encoded. */
void page_encode(struct ck_buf *b, struct ck_str text);
/* The same for an id that is a whole part of a path: "." and ".." as web_part takes them. */
void page_part(struct ck_buf *b, struct ck_str part);
/* Append addresses, ready for an attribute in double quotes: of a conversation, and of a message in
 * it (empty: none). Without a conversation: of the message alone. */
void page_conversation_path(struct ck_buf *b, struct ck_str id);
void page_message_path(struct ck_buf *b, struct ck_str conversation, struct ck_str message);

/* An argument of a query; value NULL or "": it has none. */
struct page_arg {
  const char *name, *value;
};
/* Appends the address of a view with these arguments, which end with one without a name; `name` has
 * this value instead of its own (NULL: none). */
void page_query(struct ck_buf *b, const char *path, const struct page_arg *args, const char *name,
                const char *value);

/* ---- the frame of every page ---- */

enum page_here {
  PAGE_NOWHERE,
  PAGE_TIMELINE,
  PAGE_SEARCH,
  PAGE_JOBS,
  PAGE_IMPORT,
  PAGE_MIRRORS,
  PAGE_HEALTH
};

struct page_frame {
  const char *title;                 /* escaped here */
  const struct web_request *request; /* NULL: for somebody who is not signed in, or a refusal */
  bool links;                        /* navigation without request: only links and the search */
  enum page_here here;               /* which view it is */
  const char *query;                 /* what is searched; may be NULL */
  const struct page_arg *kept; /* further arguments of the next search, as page_query takes them;
                                * may be NULL */
};

/* Append the beginning and the end of a page. What the frame says of follow-ups is what was asked
 * for the request (state.h). */
void page_begin(struct ck_buf *b, const struct page_frame *f);
void page_end(struct ck_buf *b, const struct page_frame *f);
/* Appends the field that each form must have that changes something. */
void page_form_field(struct ck_buf *b, const struct web_request *r);

/* ---- rows ---- */

/* Asks the store's lists, as web_ask. False: the question is too long, `heard` is not called, and r
 * is refused unless it is NULL. */
bool page_ask(struct webd *w, struct web_request *r, const struct ck_query *query, web_heard *heard,
              void *self);

/* The rows of an answer, as long as that is valid. */
struct page_rows {
  struct ck_reader reader;
  uint32_t left;
  struct ck_str cursor;
};
/* False: it is no such answer. */
bool page_rows_of(const struct web_said *said, struct page_rows *rows);
/* The same; the request is refused then, and gone called, which may be NULL. */
bool page_heard_rows(struct web_request *r, const struct web_said *said, struct page_rows *rows,
                     void (*gone)(void *self), void *self);
/* The next row, an encoded map. False: there is none. */
bool page_next_row(struct page_rows *rows, struct ck_str *map);
/* A row of the six tables; text is borrowed from the map. What is no column is left out. */
void page_row_of(struct ck_row *row, enum ck_table table, struct ck_str map);

/* ---- times, in the local zone ---- */

/* "2026-11-22" of a time. */
#define PAGE_DAY 11
void page_day(char day[PAGE_DAY], int64_t ms);
/* Appends "20:02", "Sunday, 22 November 2026", "November 2026", "22 Nov", "2026" of a time; and
 * <time datetime="…">, which the caller closes. */
void page_minute(struct ck_buf *b, int64_t ms);
void page_day_words(struct ck_buf *b, int64_t ms);
void page_month_words(struct ck_buf *b, int64_t ms);
void page_short_day(struct ck_buf *b, int64_t ms);
void page_year(struct ck_buf *b, int64_t ms);
void page_time_begin(struct ck_buf *b, int64_t ms);
/* "Sunday, 22 November 2026, 20:02", "22 Nov 20:02" as <time>; the latter without today's day. */
void page_moment_words(struct ck_buf *b, int64_t ms);
void page_moment(struct ck_buf *b, int64_t ms, int64_t now);
/* "in 4 min 10 s", "2 h 5 min ago", "now", as <time> that page.js counts on. */
void page_countdown(struct ck_buf *b, int64_t ms, int64_t now);

/* ---- facts ---- */

/* A member of an object: text, "" if it is none; a number, 0 if it is none. */
const char *page_member(const json_t *object, const char *name);
int64_t page_number(const json_t *object, const char *name);
/* Append "1,234 rows"; "3.4 MiB"; "5 minutes"; "5 minutes ago" within a <time>, or
 * when it will be. */
void page_count(struct ck_buf *b, int64_t n, const char *one, const char *several);
void page_size(struct ck_buf *b, uint64_t bytes);
void page_duration(struct ck_buf *b, int64_t ms);
void page_ago(struct ck_buf *b, int64_t ms, int64_t now);
/* Append a name and its value, HTML that the caller appends in between, within <dl class="facts">.
 * kind: "", "good", "warn" or "bad". And with a text for the value; nothing if that is "". */
void page_fact_begin(struct ck_buf *b, const char *name, const char *kind);
void page_fact_end(struct ck_buf *b);
void page_fact_text(struct ck_buf *b, const char *name, const char *kind, const char *text);
/* The same of last_error and last_error_at of what a daemon says of itself. */
void page_error_fact(struct ck_buf *b, const char *name, const json_t *holder, int64_t now);
/* A button that holds what page.js counts on or fetches; without scripts it is not seen. */
void page_hold(struct ck_buf *b);
/* The part of a page that page.js fetches every so many seconds; without scripts a link loads the
 * page. seconds, now: 0: it stays as it is. */
void page_live_begin(struct ck_buf *b, unsigned seconds);
void page_live_end(struct ck_buf *b, int64_t now);

/* True for a type of image that can do nothing but be seen. */
bool page_is_picture(struct ck_str type);

/* ---- embedded files: webd/page/static/, made into an object by make ---- */

struct page_file {
  const char *name; /* "style.css" */
  const char *type;
  const char *version; /* of its bytes: another one has others */
  const unsigned char *bytes;
  unsigned n;
};
extern const struct page_file page_files[]; /* ends with one without a name */

/* ---- handlers ---- */

/* The most bytes of one upload: of an export with its images. */
#define PAGE_UPLOAD_BYTES ((size_t)4 << 30)

void page_timeline(void *self, struct web_request *r);
void page_conversation(void *self, struct web_request *r);
void page_message(void *self, struct web_request *r);
void page_search(void *self, struct web_request *r);
void page_jobs(void *self, struct web_request *r);
void page_jobs_many(void *self, struct web_request *r);
void page_jobs_plan(void *self, struct web_request *r);
void page_change_job(void *self, struct web_request *r);
void page_change_jobs(void *self, struct web_request *r);
void page_change_conversation(void *self, struct web_request *r);
void page_renew(void *self, struct web_request *r);
void page_pause(void *self, struct web_request *r);
void page_resume(void *self, struct web_request *r);
void page_mirrors(void *self, struct web_request *r);
void page_retry(void *self, struct web_request *r);
void page_health(void *self, struct web_request *r);
void page_examine(void *self, struct web_request *r);
void page_import(void *self, struct web_request *r);
void page_imported(void *self, struct web_request *r);
void page_upload(void *self, struct web_request *r);
void page_attachment(void *self, struct web_request *r);
void page_original(void *self, struct web_request *r);
void page_open(void *self, struct web_request *r);
void page_leave(void *self, struct web_request *r);
void page_static(void *self, struct web_request *r);

#endif
