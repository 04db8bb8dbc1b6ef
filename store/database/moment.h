/* When something was, on both clocks, so that its age is known whatever became of the wall clock.
 *
 * A row has the wall time, the number of the machine's start, and ck_boot_ms() then. As long as the
 * machine has not been started again, the age is that of CLOCK_BOOTTIME. What it was when the
 * database was first opened after another start only the wall clock could tell, and one that has
 * gone back makes nothing younger than new; from then on CLOCK_BOOTTIME counts again. */
#ifndef CK_STORE_MOMENT_H
#define CK_STORE_MOMENT_H

#include "store/database/db.h"

/* The number of the machine's start, as the database counts them; and the clock. */
#define MOMENT_STARTS "(SELECT starts FROM store)"
#define MOMENT_BOOT "boot_ms()"
/* The age in milliseconds, never less than 0, of what was at this wall time, in this start, by that
 * clock. */
#define MOMENT_AGE(wall, start, boot) \
  "(CASE WHEN " start " = " MOMENT_STARTS " THEN max(" MOMENT_BOOT " - " boot ", 0) ELSE" \
  " max((SELECT start_wall FROM store) - " wall ", 0)" \
  " + max(" MOMENT_BOOT " - (SELECT start_boot FROM store), 0) END)"

/* What is left of what was to last from then until that wall time; of a row with these columns. */
#define MOMENT_LEFT "until - written - " MOMENT_AGE("written", "start", "boot")

/* Makes the SQL functions boot_ms and now_ms of this connection. 0 or -1. */
int moment_sql(sqlite3 *db, struct ck_err *err);
/* The writer opens the database: counts the machine's starts, and notes both clocks at the first
 * time in each. start: what names the present one (ck_boot_id). 0 or -1. */
int moment_begin(sqlite3 *db, const char *start, struct ck_err *err);

#endif
