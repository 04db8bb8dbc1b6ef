/* Changesets → the database: rules, cache, one transaction for many changesets, versions.
 *
 * begin, any number of changesets, then commit; or abandon. One that is refused leaves nothing
 * behind and harms no other.
 */
#ifndef CK_STORE_APPLY_H
#define CK_STORE_APPLY_H

#include "proto/wire.h"
#include "store/write/cache.h"
#include "store/mirror/leases.h"
#include "store/write/system_tables.h"
#include "store/write/producers.h"

struct apply;

/* A delivery that goes out on the feed once the commit is durable. */
struct published {
  struct ck_str client_id, body; /* owned by the apply until the next begin */
};

struct apply *apply_new(sqlite3 *db, struct system_tables *system, struct leases *leases,
                        uint64_t head, struct ck_err *err);
void apply_free(struct apply **a);

/* The mirror whose cursor an outcome moves, where that is more than the sink's name (a certain
 * database). Borrowed. */
void apply_mirror(struct apply *a, const char *mirror);

/* As keys_resize. For tests. */
void apply_resize_keys(struct apply *a, int64_t memory, int64_t merge, int64_t first_layer);

int apply_begin(struct apply *a, struct ck_err *err);
/* n inserted something, u updated something, = changed nothing, r refused (reason says which field
 * and place), or 0: the database failed (err). */
char apply_changeset(struct apply *a, const struct ck_changeset *c, int64_t now,
                     struct ck_err *reason);
/* Writes the changed records, the producers and the counts, and commits, durable when it returns 0.
 * -1: everything since begin is undone, on disk and here; err says why. constraint: it was a rule
 * of the database's that something in the batch broke (apply them one by one then). */
int apply_commit(struct apply *a, struct producers *p, bool *constraint, struct ck_err *err);
void apply_abandon(struct apply *a);
/* Between batches, when nothing has come for a while: lets go of what only makes the next one
 * faster. */
void apply_rest(struct apply *a);

uint64_t apply_head(const struct apply *a);
/* What the last successful commit changed, in order of version; valid until the next begin. */
struct entry **apply_changes(struct apply *a, size_t *n);
const struct published *apply_published(const struct apply *a, size_t *n);
/* The last successful commit ended sync leases: there may be room for new ones. */
bool apply_ended_leases(const struct apply *a);
/* Lets go of what apply_changes gave. Call before the next begin. */
void apply_told(struct apply *a);

#endif
