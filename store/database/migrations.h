/* The steps that make the stored format, in order. db_migrate (db.h) runs them; migrations.c says
 * how to add one. */
#ifndef CK_STORE_MIGRATIONS_H
#define CK_STORE_MIGRATIONS_H

#include "proto/text.h"

/* Appends the SQL of one step, without BEGIN and COMMIT. */
typedef void migration(struct ck_buf *sql);

/* NULL-terminated. */
extern migration *const store_migrations[];

#endif
