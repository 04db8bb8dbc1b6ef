/* See pause_change.h. */
#include "proto/pause_change.h"

#include <string.h>

#include "proto/wire.h"

bool ck_pause_holds(struct ck_str kind, struct ck_str name, const struct ck_pausable *what) {
  const struct {
    const char *kind;
    struct ck_str name;
  } all[] = {{"platform", what->platform},
             {"account", what->account},
             {"conversation", what->conversation},
             {"job", what->job}};
  if (ck_str_is(kind, "everything")) return true;
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
    if (ck_str_is(kind, all[i].kind)) return all[i].name.n && ck_str_eq(name, all[i].name);
  return false;
}

bool ck_pause_outlasts(int64_t until, int64_t other) { return other && (!until || until > other); }

void ck_pause_put(struct ck_buf *mutations, const char *kind, const char *name, int64_t until) {
  struct ck_mutation m = {.kind = CK_OP_PAUSE};
  m.as.pause = (struct ck_pause){ck_str_of(kind), ck_str_of(name), until};
  ck_mutation_encode(mutations, &m);
}

void ck_pause_put_end(struct ck_buf *mutations, const char *kind, const char *name) {
  struct ck_mutation m = {.kind = CK_OP_UNPAUSE};
  m.as.unpause = (struct ck_unpause){ck_str_of(kind), ck_str_of(name)};
  ck_mutation_encode(mutations, &m);
}

void ck_pause_put_limit_end(struct ck_buf *mutations, const char *account) {
  struct ck_mutation m = {.kind = CK_OP_UNLIMIT};
  m.as.unlimit.account = ck_str_of(account);
  ck_mutation_encode(mutations, &m);
}

void ck_pause_put_status(struct ck_buf *mutations, const char *conversation, const char *status,
                         int64_t now) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(status);
  row.v[CK_CONVERSATIONS_PAUSED_AT] = strcmp(status, "paused") == 0 ? ck_int(now) : ck_null();
  ck_mutation_row(mutations, CK_OP_UPDATE, &row);
}

void ck_pause_put_going_on(struct ck_buf *mutations, const char *conversation) {
  struct ck_mutation m = {.kind = CK_OP_RESUME};
  m.as.resume = (struct ck_resume){ck_str_of(conversation)};
  ck_mutation_encode(mutations, &m);
}
