/* The SQL that makes and changes the stored format, in order; NULL-terminated. The recipe stands in migrations.c. */
#ifndef CK_STORE_MIGRATIONS_H
#define CK_STORE_MIGRATIONS_H

extern const char *const store_migrations[];

#endif
