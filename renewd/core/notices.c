/* See notices.h. */
#include "renewd/core/notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void notice_free(struct renew_notices *n, struct renew_notice *one) {
  renew_index_remove(&n->all, &one->node);
  free(one->node.id);
  free(one->kind);
  free(one->subject);
  free(one->job_id);
  free(one->reason);
  free(one);
}

static void digest_of(char digest[33], struct ck_str reason) { ck_hash_id(digest, &reason, 1); }

/* A state is the job's, and that of the next one is news; attempts are told by conversation. What
 * an account waits for is one thing, in whatever words. */
static struct renew_notice *get(struct renew_notices *n, const char *kind, struct ck_str subject,
                                struct ck_str job, const char *digest, bool stands) {
  struct ck_buf key = {0};
  ck_buf_printf(&key, "%s\n", kind);
  ck_buf_str(&key, subject);
  ck_buf_text(&key, "\n");
  if (stands) ck_buf_str(&key, job);
  ck_buf_text(&key, "\n");
  if (job.n || !stands) ck_buf_text(&key, digest);
  struct renew_notice *one = (struct renew_notice *)renew_index_find(&n->all, ck_buf_view(&key));
  if (!one) {
    one = ck_zalloc(sizeof *one);
    one->node.id = ck_str_dup(ck_buf_view(&key));
    one->kind = ck_strdup(kind);
    one->subject = ck_str_dup(subject);
    one->job_id = ck_str_dup(job);
    snprintf(one->digest, sizeof one->digest, "%s", digest);
    renew_index_add(&n->all, &one->node);
  }
  ck_buf_free(&key);
  return one;
}

/* The same with the reason's words. */
static struct renew_notice *get_said(struct renew_notices *n, const char *kind,
                                     struct ck_str subject, struct ck_str job, struct ck_str reason,
                                     bool stands) {
  char digest[33];
  digest_of(digest, reason);
  struct renew_notice *one = get(n, kind, subject, job, digest, stands);
  if (!one->told && !one->reason) one->reason = ck_str_dup(reason);
  return one;
}

/* Nobody reads the words again. */
static void has_told(struct renew_notice *one) {
  one->told = true;
  free(one->reason);
  one->reason = NULL;
}

void renew_notices_happened(struct renew_notices *n, const char *kind, struct ck_str conversation,
                            struct ck_str job, struct ck_str reason, int64_t at) {
  struct renew_notice *one = get_said(n, kind, conversation, job, reason, false);
  if (!one->at) one->at = at;
}

void renew_notices_stands(struct renew_notices *n, const char *kind, struct ck_str subject,
                          struct ck_str job, struct ck_str reason, int64_t wall, int64_t tell_at) {
  struct renew_notice *one = get_said(n, kind, subject, job, reason, true);
  one->stands = true;
  one->missed = 0;
  if (one->at) return;
  one->at = wall;
  one->tell_at = tell_at;
}

void renew_notices_told(struct renew_notices *n, const char *kind, struct ck_str subject,
                        struct ck_str job, struct ck_str digest, bool stands) {
  char text[33];
  snprintf(text, sizeof text, "%.*s", (int)digest.n, digest.n ? digest.s : "");
  struct renew_notice *one = get(n, kind, subject, job, text, stands);
  has_told(one);
  one->stands = stands;
}

struct visit {
  struct renew_notices *n;
  struct ck_str subject;
  int64_t boot;
  size_t count;
  bool arrived;
};

static void forget(void *self, struct renew_node *node) {
  struct visit *v = self;
  struct renew_notice *one = (struct renew_notice *)node;
  if (!one->stands && one->told && ck_str_is(v->subject, one->subject)) notice_free(v->n, one);
}

void renew_notices_arrived(struct renew_notices *n, struct ck_str conversation) {
  struct visit v = {.n = n, .subject = conversation};
  if (n->all.count) renew_index_each(&n->all, forget, &v);
}

struct forgetting {
  struct renew_notices *n;
  struct ck_str job;
  int64_t at;
  bool changed;
};

static void forget_one(void *self, struct renew_node *node) {
  struct forgetting *f = self;
  struct renew_notice *one = (struct renew_notice *)node;
  bool gone = f->job.n && ck_str_is(f->job, one->job_id);
  if (!gone && (f->job.n || one->at > f->at)) return;
  f->changed |= gone || (one->reason && *one->reason);
  if (one->reason) one->reason[0] = '\0';
  if (gone && !one->sending) notice_free(f->n, one);
}

bool renew_notices_forget(struct renew_notices *n, struct ck_str job, int64_t at) {
  struct forgetting f = {n, job, at, false};
  if (n->all.count) renew_index_each(&n->all, forget_one, &f);
  return f.changed;
}

struct sweeping {
  struct renew_notices *n;
  renew_notices_hidden *hidden;
  const void *self;
  bool over; /* one that was told */
};

static void sweep(void *self, struct renew_node *node) {
  struct sweeping *s = self;
  struct renew_notice *one = (struct renew_notice *)node;
  if (!one->stands || one->sending) return;
  if (one->told && one->missed > 0 && s->hidden(s->self, one)) return;
  if (++one->missed <= RENEW_NOTICES_MISSED) return;
  s->over |= one->told;
  notice_free(s->n, one);
}

bool renew_notices_sweep(struct renew_notices *n, renew_notices_hidden *hidden, const void *self) {
  struct sweeping s = {n, hidden, self, false};
  renew_index_each(&n->all, sweep, &s);
  return s.over;
}

static void take(void *self, struct renew_node *node) {
  struct visit *v = self;
  struct renew_notice *one = (struct renew_notice *)node;
  if (one->told || one->tell_at > v->boot) return;
  one->sending = true;
  v->count++;
}

size_t renew_notices_due(struct renew_notices *n, int64_t boot) {
  struct visit v = {.n = n, .boot = boot};
  if (n->sending || boot < n->next_at || !n->all.count) return 0;
  renew_index_each(&n->all, take, &v);
  n->sending = v.count > 0;
  return v.count;
}

static void note_sent(void *self, struct renew_node *node) {
  struct visit *v = self;
  struct renew_notice *one = (struct renew_notice *)node;
  if (one->sending && v->arrived) has_told(one);
  one->sending = false;
}

void renew_notices_said_at(struct renew_notices *n, int64_t at, int64_t wall, int64_t boot) {
  int64_t left = at > wall ? RENEW_NOTICES_APART_MS : at + RENEW_NOTICES_APART_MS - wall;
  if (left > 0) n->next_at = boot + left;
}

void renew_notices_sent(struct renew_notices *n, bool arrived, int64_t boot) {
  struct visit v = {.n = n, .arrived = arrived};
  renew_index_each(&n->all, note_sent, &v);
  n->sending = false;
  n->next_at = boot + RENEW_NOTICES_APART_MS;
}

static void free_one(void *self, struct renew_node *node) {
  notice_free(self, (struct renew_notice *)node);
}

void renew_notices_free(struct renew_notices *n) {
  renew_index_each(&n->all, free_one, n);
  renew_index_free(&n->all);
}
