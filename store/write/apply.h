/* Applies changesets to the database: many in one transaction, which is called a batch.
 *
 * Call apply_begin, apply_changeset any number of times, then apply_commit; or apply_abandon. Each
 * record that is changed gets the next version. A refused changeset leaves nothing behind and does
 * not affect the others. The writer's thread only.
 */
#ifndef CK_STORE_APPLY_H
#define CK_STORE_APPLY_H

#include "proto/wire.h"
#include "store/write/cache.h"
#include "store/mirror/mirrors.h"
#include "store/write/system_tables.h"
#include "store/write/producers.h"

struct apply;

/* head: the newest version in the database. Borrows system and mirrors. NULL with the reason. */
struct apply *apply_new(sqlite3 *db, struct system_tables *system, struct mirrors *mirrors,
                        uint64_t head, struct ck_err *err);
void apply_free(struct apply **a);

/* apply_begin fails while another process's work on the schema is not undone (schema_check against
 * these steps). Without it, the schema is not looked at. */
void apply_watch_schema(struct apply *a, migration *const *steps);

/* See keys_resize. For tests. */
void apply_resize_keys(struct apply *a, int64_t memory, int64_t merge, int64_t first_layer);

/* Begins the transaction, and forgets what is remembered of the records if another process has
 * written meanwhile. 0, or -1 with the reason. */
int apply_begin(struct apply *a, struct ck_err *err);
/* Applies one changeset; now: wall clock, milliseconds. Returns its result: n: inserted something;
 * u: updated something; =: changed nothing; r: refused, `reason` names the mutation and field.
 * 0: the database failed, as `reason` says; abandon the batch. */
char apply_changeset(struct apply *a, const struct ck_changeset *c, int64_t now,
                     struct ck_err *reason);
/* What became of the messages of the last changeset, if its result does not tell: it had more than
 * one, or one that was there and something new came with it, or one that was forgotten; else NULL.
 * Executions count with their message. Valid until the next changeset. */
const struct ck_counts *apply_counts(const struct apply *a);
/* What the last changeset's claim of renewd found, without its number; NULL: it has none. Valid
 * until the next changeset. */
const struct ck_claimed *apply_claimed(const struct apply *a);
/* Writes the changed records, the producers and the counts, and commits. 0: the batch is durable.
 * -1: everything since apply_begin is undone, on disk and in memory; err says why. *constraint: the
 * cause was a constraint of the database, so the changesets should be applied one by one. */
int apply_commit(struct apply *a, struct producers *p, bool *constraint, struct ck_err *err);
/* Undoes everything since apply_begin, on disk and in memory. */
void apply_abandon(struct apply *a);
/* True since a batch was undone because the database is damaged where it had to be read or written.
 * It stays damaged, though batches that do not come there are committed. */
bool apply_met_damage(const struct apply *a);
/* Has this transaction, or the last one that was committed, deleted the last of something that was
 * forgotten? Then the WAL still has it. */
bool apply_forgot(const struct apply *a);
/* Is something forgotten still there? Then its next piece is due. */
bool apply_forgets(const struct apply *a);
/* Deletes a piece of it, between apply_begin and apply_commit, with nothing else. 0; -1: the
 * database failed, abandon it. */
int apply_forget_piece(struct apply *a, int64_t now, struct ck_err *err);
/* How many rows are deleted in one transaction. For tests. */
void apply_resize_forget(struct apply *a, int64_t rows);
/* Deletes the files of attachments that were forgotten, as far as they are still there; outside a
 * transaction. To be called after a commit that has forgotten something, and at the start: the
 * store may have been killed in between. 0, or -1 with the reason: call it again. */
int apply_delete_files(struct apply *a, struct ck_err *err);
/* Frees the caches. Call it between batches, when nothing has come for a while. */
void apply_idle(struct apply *a);

/* The newest version, with those of a batch that is not committed yet. */
uint64_t apply_head(const struct apply *a);
/* What the last successful commit changed, in order of version, without what has no new version.
 * Valid until
 * apply_release_changes, which must come before the next apply_begin. */
struct entry **apply_changes(struct apply *a, size_t *n);
void apply_release_changes(struct apply *a);
/* What the last successful commit offered, to be sent on the feed. Valid until the next
 * apply_begin. */
const struct ck_delivery *apply_published(const struct apply *a, size_t *n);
/* Another number with each commit that changed the table `pauses`, also across restarts. */
uint64_t apply_pauses(const struct apply *a);
/* Did the last successful commit end leases of a mirror, or learn of its witness? Then there may be
 * new ones to be had, and its cursor is to be told to its lag. i: its place in mirrors->at. */
bool apply_ended_leases(const struct apply *a, size_t i);

#endif
