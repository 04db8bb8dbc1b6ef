/* Where a follow-up goes when its job does not say: to the conversation's active link that was
 * observed last, if a channel serves it. A job that has nowhere to go waits until a link comes. */
#ifndef RENEWD_RESOLVE_H
#define RENEWD_RESOLVE_H

#include "proto/records.h"
#include "proto/settings.h"
#include "renewd/index.h"
#include "renewd/query.h"

/* 0 when a channel serves this snapshot (target.h) with these settings; -1 with what is missing.
 * Pure, as is the next one. */
int renew_resolve_snapshot(const struct ck_settings *s, struct ck_str snapshot, struct ck_err *err);
/* The same for a row of conversation_links as a map (query.h), empty if there is no active link. It
 * appends the row's snapshot if that names a target, served or not. */
int renew_resolve_link(const struct ck_settings *s, struct ck_str row, struct ck_buf *snapshot,
                       struct ck_err *err);

/* The query for that row. */
struct renew_query renew_link_query(const char *conversation_id,
                                    void (*take)(void *self, const struct renew_reply *reply));

/* ---- the daemon's part ---- */

struct renewd;
struct renew_resolution;

/* The conversations whose links are to be queried. Zero-initialise. */
struct renew_resolving {
  struct renew_index all;
  struct renew_resolution *queue, **queue_end;
  unsigned out; /* queries without an answer */
};

/* A row of a job or a link came: the job may have nowhere to go, the link may say where to. After
 * renew_state_row. */
void renew_resolve_row(struct renewd *r, const struct ck_row *row);
/* Sends the queries whose turn it is. */
void renew_resolve(struct renewd *r);
/* Another history begins: answers about the old one do not count. */
void renew_resolve_reset(struct renewd *r);
/* Frees everything. After renew_queries_free. */
void renew_resolve_free(struct renewd *r);

/* The task `target CONVERSATION`: says, as one line of JSON, where a follow-up of that local
 * conversation would go now, or what is missing (task.c):
 *
 *   {"result": {"snapshot": "…", "missing": "…"}}
 *                    the target, left out if there is none; why nothing can be sent there, left out
 *                    if something can
 *   {"error": "…"}   the store did not answer
 *
 * Returns the exit code: 0, or 1 after an error. */
int renew_task_main(const struct ck_settings *s, int argc, char **argv);

#endif
