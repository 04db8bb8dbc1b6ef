/* The attachments of one PATH of import: files that lie beside conversations, and those that a
 * database lists, which are in the folder attachments/ beside it.
 *
 * import reads the conversations first, and notes here what else it finds, and where conversations
 * were. Only then is it known which files are attachments, and these are read and sent
 * (cli/import/send.h). Each is read once, into memory or an unnamed file in run/, so that its hash
 * is known before anything of it is sent: what the store has already is not sent again. */
#ifndef CLI_IMPORT_ATTACH_H
#define CLI_IMPORT_ATTACH_H

#include "cli/import/attach_rows.h"
#include "cli/import/send.h"

struct cli_attach;

/* path: the PATH, which the names of the attachments do not begin with. */
struct cli_attach *cli_attach_new(struct cli *c, const char *path);
void cli_attach_free(struct cli_attach **a);

/* A file that is no conversation by its name. container: the path of the file or archive on the
 * disk. member: the path to it through the archive; NULL: it is the container itself. False: it is
 * not of a kind that is kept. */
bool cli_attach_note(struct cli_attach *a, const char *container, const char *member);
/* An attachment that a database lists. database: the name of that. container: its path on the disk,
 * or NULL if it is in an archive. False: there is no room. */
bool cli_attach_listed(struct cli_attach *a, const struct attach_row *row, const char *database,
                       const char *container);
/* The file of that name holds conversations, or belongs to an export. */
void cli_attach_conversations(struct cli_attach *a, const char *name);

/* Calls other() with each name that was noted and is not kept after all. Returns the number of
 * attachments. */
uint64_t cli_attach_decide(struct cli_attach *a, void (*other)(void *self, const char *name),
                           void *self);

/* Sends them, as cli_send does. source: the archive, if PATH is one that is still open; else NULL.
 * *sent counts attachments: unchanged are those that were there already, by this name. */
int cli_attach_send(struct cli_attach *a, struct cli_source *source, bool wait,
                    struct cli_sent *sent);

#endif
