/* Effects are copied whole into the list, their texts into its arena. */
#include "renewd/core/effect.h"

#include <assert.h>
#include <stdlib.h>

static struct renew_effect *add(struct renew_effects *out, enum renew_effect_kind kind,
                                uint64_t ticket) {
  if (out->n == out->room) {
    out->room = out->room ? out->room * 2 : 16;
    out->v = ck_realloc(out->v, out->room * sizeof *out->v);
  }
  struct renew_effect *e = &out->v[out->n++];
  memset(e, 0, sizeof *e);
  e->kind = kind;
  e->ticket = ticket;
  return e;
}

static void keep(struct renew_effects *out, struct ck_str *text) {
  *text = ck_arena_copy(&out->arena, *text);
}

void renew_query(struct renew_effects *out, uint64_t ticket, const struct renew_question *q) {
  struct renew_question *copy = &add(out, RENEW_QUERY, ticket)->as.query;
  *copy = *q;
  keep(out, &copy->job_id);
  keep(out, &copy->conversation_id);
  keep(out, &copy->message_id);
  keep(out, &copy->cursor);
}

/* Those that renewd sends. */
static void keep_texts(struct renew_effects *out, struct ck_mutation *m) {
  switch (m->kind) {
  case CK_OP_CLAIM:
    keep(out, &m->as.claim.job_id);
    keep(out, &m->as.claim.token);
    keep(out, &m->as.claim.account);
    break;
  case CK_OP_END:
    keep(out, &m->as.end.job_id);
    keep(out, &m->as.end.token);
    keep(out, &m->as.end.outcome);
    keep(out, &m->as.end.error);
    keep(out, &m->as.end.result);
    break;
  case CK_OP_SUPERSEDE:
    keep(out, &m->as.supersede.job_id);
    break;
  case CK_OP_RESOLVE:
    keep(out, &m->as.resolve.job_id);
    break;
  case CK_OP_CANCEL:
    keep(out, &m->as.cancel.job_id);
    keep(out, &m->as.cancel.reason);
    break;
  case CK_OP_OFFER:
    keep(out, &m->as.offer.job_id);
    keep(out, &m->as.offer.client);
    keep(out, &m->as.offer.offer);
    keep(out, &m->as.offer.body);
    keep(out, &m->as.offer.account);
    break;
  case CK_OP_WITHDRAW:
    keep(out, &m->as.withdraw.job_id);
    break;
  case CK_OP_LIMIT:
    keep(out, &m->as.limit.account);
    keep(out, &m->as.limit.reason);
    break;
  default:
    assert(!"a mutation of renewd's");
  }
}

void renew_tell(struct renew_effects *out, uint64_t ticket, const struct ck_mutation *m) {
  struct renew_effect *e = add(out, RENEW_TELL, ticket);
  e->as.tell.mutation = *m;
  keep_texts(out, &e->as.tell.mutation);
}

void renew_tell_limit(struct renew_effects *out, const struct ck_mutation *limit) {
  struct ck_mutation *copy = ck_arena_get(&out->arena, sizeof *copy);
  *copy = *limit;
  keep_texts(out, copy);
  assert(out->n && out->v[out->n - 1].kind == RENEW_TELL);
  out->v[out->n - 1].as.tell.limit = copy;
}

void renew_tell_row(struct renew_effects *out, uint64_t ticket, enum ck_mutation_kind kind,
                    const struct ck_row *row) {
  struct ck_row *copy = ck_arena_get(&out->arena, sizeof *copy);
  *copy = *row;
  for (int i = 0; i < CK_COLUMNS_MAX; i++)
    if (copy->v[i].state == CK_TEXT) keep(out, &copy->v[i].as.s);
  struct renew_effect *e = add(out, RENEW_TELL, ticket);
  e->as.tell.mutation.kind = kind;
  e->as.tell.row = copy;
}

void renew_send(struct renew_effects *out, uint64_t ticket, struct ck_str job_id,
                struct ck_str snapshot, struct ck_str letter, struct ck_str payload) {
  struct renew_effect *e = add(out, RENEW_SEND, ticket);
  e->as.send.job_id = ck_arena_copy(&out->arena, job_id);
  e->as.send.snapshot = ck_arena_copy(&out->arena, snapshot);
  e->as.send.letter = ck_arena_copy(&out->arena, letter);
  e->as.send.payload = ck_arena_copy(&out->arena, payload);
}

void renew_cancel(struct renew_effects *out, uint64_t ticket) { add(out, RENEW_CANCEL, ticket); }
void renew_abandon(struct renew_effects *out, uint64_t ticket) { add(out, RENEW_ABANDON, ticket); }

struct renew_line *renew_say(struct renew_effects *out, enum renew_level level, const char *subject,
                             const char *event) {
  struct renew_line *l = &add(out, RENEW_SAY, 0)->as.say;
  l->level = level;
  l->subject = ck_arena_copy(&out->arena, ck_str_of(subject));
  l->event = event;
  return l;
}

static struct renew_pair *pair(struct renew_line *l, const char *name) {
  assert(l->n < RENEW_PAIRS);
  struct renew_pair *p = &l->pairs[l->n++];
  p->name = name;
  return p;
}

void renew_say_number(struct renew_line *l, const char *name, int64_t number) {
  pair(l, name)->number = number;
}

void renew_say_word(struct renew_effects *out, struct renew_line *l, const char *name,
                    const char *word) {
  pair(l, name)->text = ck_arena_copy(&out->arena, ck_str_of(word));
}

void renew_say_text(struct renew_effects *out, struct renew_line *l, const char *name,
                    struct ck_str text) {
  struct renew_pair *p = pair(l, name);
  p->text = ck_arena_copy(&out->arena, text);
  p->quoted = true;
}

void renew_effects_clear(struct renew_effects *out) {
  out->n = 0;
  ck_arena_reset(&out->arena);
}

void renew_effects_free(struct renew_effects *out) {
  free(out->v);
  ck_arena_free(&out->arena);
  memset(out, 0, sizeof *out);
}
