/* The steps that make the stored format, in order. db_migrate (db.h) runs them; migrations.c says
 * how to add one. */
#ifndef CK_STORE_MIGRATIONS_H
#define CK_STORE_MIGRATIONS_H

#include "store/database/db.h"

/* NULL-terminated. */
extern migration *const store_migrations[];

#endif
