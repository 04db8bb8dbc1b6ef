/* See change.h. */
#include "webd/ask/change.h"

#include <stdlib.h>

void web_change_finish(struct web_change *c, enum web_end end, const char *reason) {
  c->done(c->self, &(struct web_changed){end, reason, end == WEB_DONE ? c->row : NULL});
  json_decref(c->row);
  free(c->id);
  if (c->free) c->free(c);
  free(c);
}

void web_change_begin(struct web_change *c, void (*got)(void *self, bool there, json_t *row)) {
  web_row(c->store.ask, c->list, c->column, ck_str_of(c->id), c->ms, got, c);
}

bool web_change_got(struct web_change *c, bool there, json_t *row, const char *none) {
  json_decref(c->row);
  c->row = json_incref(row);
  if (there && row) return true;
  web_change_finish(c, there ? WEB_NONE : WEB_SILENCE, there ? none : "");
  return false;
}

static void got_again(void *self, bool there, json_t *row) {
  if (web_change_got(self, there, row, "")) web_change_finish(self, WEB_DONE, "");
}

static void receipted(void *self, const struct web_receipt *r) {
  struct web_change *c = self;
  if (r->result == '?') {
    web_change_finish(c, WEB_SILENCE, "");
  } else if (r->result == 'r') {
    char *reason = ck_str_dup(r->reason);
    web_change_finish(c, WEB_DENIED, reason);
    free(reason);
  } else if (c->list) {
    web_change_begin(c, got_again);
  } else {
    web_change_finish(c, WEB_DONE, "");
  }
}

void web_change_write(struct web_change *c, struct ck_str mutations) {
  if (web_write(c->store.write, mutations, c->ms, receipted, c))
    web_change_finish(c, WEB_DENIED, "it is larger than a changeset can be");
}
