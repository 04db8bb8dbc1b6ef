/* Pauses, as the store has them: states of everything, an account, a platform, a conversation or a
 * job, in which no attempt begins. A conversation may besides be on `paused` by its row. Pure. */
#ifndef RENEWD_CORE_PAUSE_H
#define RENEWD_CORE_PAUSE_H

#include <stdint.h>

#include "renewd/core/index.h"

/* One of the store's table. Texts are borrowed. */
struct renew_pause_row {
  struct ck_str kind, name; /* CK_PAUSES */
  int64_t until;            /* wall; RENEW_NEVER: until somebody ends it */
};

struct renew_pause {
  struct renew_node node; /* its id is kind and name, with a line break between; first */
  int64_t until;
  char *why; /* for people */
};

/* Those that are known. Zero-initialise. */
struct renew_pauses {
  struct renew_index all;
};

void renew_pauses_set(struct renew_pauses *p, const struct renew_pause_row *rows, size_t n);
/* NULL: there is none. It may be over. */
const struct renew_pause *renew_pauses_find(const struct renew_pauses *p, const char *kind,
                                            const char *name);
void renew_pauses_free(struct renew_pauses *p);

#endif
