/* See pause.h; and which of them holds for a job. */
#include "renewd/core/pause.h"

#include <stdlib.h>

#include "renewd/core/inner.h"

static void add_key(struct ck_buf *b, struct ck_str kind, struct ck_str name) {
  ck_buf_str(b, kind);
  ck_buf_text(b, "\n");
  ck_buf_str(b, name);
}

static void pause_free(struct renew_index *all, struct renew_pause *p) {
  renew_index_remove(all, &p->node);
  free(p->node.id);
  free(p->why);
  free(p);
}

static void free_one(void *self, struct renew_node *n) {
  pause_free(self, (struct renew_pause *)n);
}

void renew_pauses_free(struct renew_pauses *p) {
  renew_index_each(&p->all, free_one, &p->all);
  renew_index_free(&p->all);
}

static char *why(const struct renew_pause_row *row) {
  struct ck_str name = ck_utf8_cut(row->name, 200);
  if (name.n == 0) return ck_sprintf("%.*s is paused", (int)row->kind.n, row->kind.s);
  return ck_sprintf("the %.*s %.*s is paused", (int)row->kind.n, row->kind.s, (int)name.n, name.s);
}

void renew_pauses_set(struct renew_pauses *p, const struct renew_pause_row *rows, size_t n) {
  renew_pauses_free(p);
  for (size_t i = 0; i < n; i++) {
    struct ck_buf key = {0};
    add_key(&key, rows[i].kind, rows[i].name);
    struct renew_pause *one = (struct renew_pause *)renew_index_find(&p->all, ck_buf_view(&key));
    if (!one) {
      one = ck_zalloc(sizeof *one);
      one->node.id = ck_str_dup(ck_buf_view(&key));
      one->why = why(&rows[i]);
      renew_index_add(&p->all, &one->node);
    }
    one->until = rows[i].until;
    ck_buf_free(&key);
  }
}

const struct renew_pause *renew_pauses_find(const struct renew_pauses *p, const char *kind,
                                            const char *name) {
  struct ck_buf key = {0};
  if (!p->all.count || !name) return NULL;
  add_key(&key, ck_str_of(kind), ck_str_of(name));
  const struct renew_pause *one =
      (const struct renew_pause *)renew_index_find(&p->all, ck_buf_view(&key));
  ck_buf_free(&key);
  return one;
}

/* ---- of a job ---- */

const struct renew_pause *renew_job_pause(const struct renew_core *core,
                                          const struct renew_job *j) {
  const struct {
    const char *kind, *name;
  } all[] = {{"everything", ""},
             {"account", renew_lane_account(j->lane).s},
             {"platform", j->of->platform},
             {"conversation", j->of->node.id},
             {"job", j->node.id}};
  const struct renew_pause *longest = NULL;
  for (size_t i = 0; core->pauses.all.count && i < sizeof all / sizeof *all; i++) {
    const struct renew_pause *p = renew_pauses_find(&core->pauses, all[i].kind, all[i].name);
    if (p && p->until > core->now.wall && (!longest || p->until > longest->until)) longest = p;
  }
  return longest;
}

static void touch(void *self, struct renew_node *n) {
  renew_conversation_touch(self, (struct renew_conversation *)n);
}

void renew_pauses_changed(struct renew_core *core, const struct renew_pause_row *rows, size_t n) {
  renew_pauses_set(&core->pauses, rows, n);
  core->limits.look = true;
  renew_index_each(&core->conversations, touch, core);
}
