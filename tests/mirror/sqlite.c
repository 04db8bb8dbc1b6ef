/* mirror.db as a `struct mirror`: read and written with SQLite, beside a running ring. */
#include "tests/mirror/mirror.h"

static void sql(const char *text) { t_sql_run("mirror.db", text); }
static int64_t number(const char *text) { return t_sql_int("mirror.db", text); }
static void compare(void) { t_check_mirror("artifact.db", "mirror.db"); }
static const char *place(void) { return "sqlite"; }

const struct mirror mirror_sqlite = {.name = "sqlite",
                                     .nul = true,
                                     .indexed = true,
                                     .sql = sql,
                                     .number = number,
                                     .compare = compare,
                                     .place = place};
