/* The page at /c/ID: a conversation on its way from the store to its reader.
 *
 *   conversation ─► links ─► places ─► order ─┬─► forks ─► places ─► order …
 *                                             └─► question ─► jobs ─► head ─► batches ─► end
 *
 * The order is made from the messages' places alone; then the messages are fetched a batch at a
 * time, no faster than the page is read, so memory does not grow with what was said. */
#ifndef WEBD_PAGE_CONVERSATION_H
#define WEBD_PAGE_CONVERSATION_H

#include "proto/reading.h"
#include "proto/render/render.h"
#include "webd/page/page.h"

/* A conversation as its platform knows it. Text is in the arena. */
struct page_source {
  struct ck_str platform, remote;
  struct ck_str id, title, question; /* what it is called here; empty: it is not known here */
};

struct page_job {
  struct ck_str id, message, status, error;
  int64_t attempts, max_attempts, next_at, finished_at;
};

/* An attachment of the batch that is kept, by the id that messages have for it. */
struct page_kept {
  struct ck_str file, hash, type;
};

struct page_reading {
  struct webd *w;
  struct web_request *request; /* NULL once the answer has begun */
  struct ck_arena arena;
  struct ck_str id;
  struct ck_str alone;     /* the message that is read without a conversation; id is empty then */
  struct ck_row row, link; /* text is in the arena; the link may be empty */
  struct ck_str question;
  bool has_original; /* what it was read from is kept */

  struct page_source *sources; /* the first `own` are those that are read; then forks' */
  size_t source_count, source_room, own, loading;
  struct ck_reading *order;
  int64_t *versions; /* of the rows that were added to the order */
  size_t rows, room;
  struct ck_str cursor; /* of the list that is being fetched */
  struct page_job *jobs;
  size_t job_count;

  const struct ck_step *steps;
  const struct ck_branch *branches;
  size_t step_count, branch_count, branch; /* the branch from 1 */
  bool lost;                               /* the message that was asked for is not here */
  size_t *way, way_count, at;              /* at: how many of the way have been written */
  struct ck_leaving leaving;

  struct web_stream *stream;
  bool asking, gone, ended;
  struct ck_str *bodies; /* of the batch, in the order of the way; maps in `batch` */
  size_t batch_size, batch_count;
  struct ck_row *executions; /* of the batch */
  size_t execution_count, execution_room;
  struct page_kept *kept; /* of the batch, in its arena */
  size_t kept_count;
  struct ck_arena batch;
  struct render *render;
  struct ck_buf out;      /* what is written and not put yet */
  struct ck_buf contents; /* the list of questions, which follows the messages */
  struct ck_buf tail;     /* the end of the page */
  size_t sent;            /* of out */
};

void page_reading_free(void *reading);

/* Before the answer begins: asks the store for rows, from p->cursor on; p is freed if the question
 * is too long. And for those with one value of a column, from the first on. The filters are freed.
 */
void page_reading_ask(struct page_reading *p, const char *table, struct ck_buf *filters,
                      unsigned limit, web_heard *heard);
void page_reading_ask_one(struct page_reading *p, const char *table, const char *column,
                          struct ck_str value, unsigned limit, web_heard *heard);
/* A copy that lasts as long as p. */
struct ck_str page_reading_keep(struct page_reading *p, struct ck_str text);

/* Asks for the follow-ups, and begins the answer then. (conversation_jobs.c) */
void page_reading_jobs(struct page_reading *p);
/* All is known but what was said: begins the answer. */
void page_reading_begin(struct page_reading *p);

/* Appends the ids of the files that the batch's messages name, each to an encoded array. Returns
 * how many. (conversation_attached.c) */
uint32_t page_attached_ids(const struct page_reading *p, struct ck_buf *ids);
/* Keeps what is kept of them. */
void page_attached_take(struct page_reading *p, struct page_rows *rows);
/* Of struct render_style; self: the struct page_reading. */
bool page_attached(void *self, const json_t *attachment, struct render_attached *a);

/* ---- HTML: these append to p->out ---- */

/* The page's beginning; and its tail, since the request is gone by its end. */
void page_reading_head(struct page_reading *p);
/* What can be done about its follow-ups (controls.c). */
void page_reading_controls(struct page_reading *p);
/* The message of the way's step `at`. executions: its rows, in order. */
void page_reading_message(struct page_reading *p, size_t at, const struct ck_row *message,
                          const struct ck_row *executions, size_t count);
/* why: the page ends too early; NULL: it does not. */
void page_reading_end(struct page_reading *p, const char *why);
#endif
