/* The mirrors that this store fills: one for each word of sync.sinks. Each has a cursor, leases, a
 * witness, a rate and a lag of its own, so that one that is slow or held up holds up no other. */
#ifndef CK_STORE_MIRRORS_H
#define CK_STORE_MIRRORS_H

#include "proto/settings.h"
#include "store/database/db.h"
#include "store/mirror/fit.h"
#include "store/mirror/lag.h"
#include "store/mirror/leases.h"
#include "store/mirror/meter.h"

struct mirror {
  char sink[16]; /* as in sync.sinks, and in the frames */
  char *name;    /* in the store's own tables: the sink and its database (ck_settings_mirror) */
  struct leases *leases;
  struct meter *meter;
  struct fit *fit;
  struct lag *lag;
};

/* Does not change while the store runs; what the members point to locks inside. */
struct mirrors {
  char store_id[33];
  struct mirror at[CK_SINKS_MAX]; /* in the order of sync.sinks */
  size_t n;
};

/* Reads how far each mirror is, and begins a run. head: the database's newest version. NULL with
 * the reason. */
struct mirrors *mirrors_open(sqlite3 *db, const struct ck_settings *s, uint64_t head,
                             struct ck_err *err);
/* Sets *m to NULL; *m may be NULL. */
void mirrors_free(struct mirrors **m);

/* The mirror in that sink; NULL: this store has none there. */
struct mirror *mirrors_in(struct mirrors *m, struct ck_str sink);
/* "sqlite, d1". On the heap; the caller frees. */
char *mirrors_names(const struct mirrors *m);

/* The mirror by whose witness the database was set back: what came later is missing from it. That
 * is about the database, so nothing is handed out for any mirror. NULL: none says so. */
const struct mirror *mirrors_set_back(const struct mirrors *m);

#endif
