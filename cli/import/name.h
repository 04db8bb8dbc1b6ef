/* Names of files as text: on the disk and in archives they are bytes. Pure. */
#ifndef CLI_IMPORT_NAME_H
#define CLI_IMPORT_NAME_H

#include <stdbool.h>

/* The name as UTF-8, on the heap. One that is not UTF-8 is read as code page 437, which is what a
 * zip file says of such a name; so every name has a text, and another name another one. */
char *cli_name_text(const char *name);

/* The file's own name: what follows the last folder, or the last archive ("inner.zip: a/b.png"). */
const char *cli_name_own(const char *name);

/* Is it a file that convkeep writes beside its database, whose records have all of it: a readable
 * file, a log, what was refused? */
bool cli_name_is_ours(const char *name);

#endif
