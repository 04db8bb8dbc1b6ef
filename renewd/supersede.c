/* Jobs that nobody wants any more: renewd proposes to the store that they end, and the store, which
 * knows everything at that moment, decides. */
#include "renewd/renewd.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"

struct proposal {
  struct renewd *r;
  char *job_id;
};

/* Unchanged: a person wants the job although it is superseded. Refused: the store knows better, and
 * the row that says so will come. */
static void receipted(void *self, char result, struct ck_str reason, uint64_t version) {
  (void)version;
  struct proposal *p = self;
  ck_log(result == 'r' ? CK_DEBUG : CK_INFO, p->job_id,
         result == '=' ? "superseded_but_wanted" : "superseded", "refused=%s", ck_quoted(reason));
  renew_state_superseded(&p->r->state, ck_str_of(p->job_id), result == '=', renew_now());
  free(p->job_id);
  free(p);
}

void renew_supersede(struct renewd *r) {
  for (struct renew_job *j; (j = renew_state_supersede(&r->state));) {
    struct proposal *p = ck_zalloc(sizeof *p);
    p->r = r;
    p->job_id = ck_strdup(j->node.id);
    struct ck_mutation m = {.kind = CK_OP_SUPERSEDE};
    m.as.supersede = (struct ck_supersede){ck_str_of(p->job_id), ck_now_ms()};
    renew_outcomes_add(r->outcomes, &m, receipted, p);
  }
}
