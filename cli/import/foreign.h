/* Other databases with the six tables, as import takes them in: the predecessor's artifact.db, a
 * backup, another convkeep's database. A file is one if it begins as SQLite's do, whatever its name
 * is.
 *
 * It is read from a private copy (foreign_copy.h), row by row (foreign_rows.h), and each row goes
 * to the store as a changeset of its own (foreign_send.h): so a row that is refused costs no other,
 * and memory does not grow with the file. */
#ifndef CLI_IMPORT_FOREIGN_H
#define CLI_IMPORT_FOREIGN_H

#include "cli/client.h"
#include "cli/import/attach.h"
#include "cli/import/source.h"

/* True if a file with these first bytes is an SQLite database. */
bool cli_foreign_is(struct ck_str head);

struct cli_foreign_counts {
  uint64_t added, updated, unchanged, failed;
};

/* What came of a database; the texts belong to it. */
struct cli_foreign_result {
  struct cli_foreign_counts tables[CK_TABLES];
  uint64_t failed;    /* of all tables, and 1 if there is an error */
  char *error;        /* why nothing more was read, or nothing at all; NULL: read to its end */
  bool strange;       /* it has none of the tables; the error says so */
  uint64_t originals; /* that were read from it */
  uint64_t names; /* of threads of Codex, if it is its database: then it has none of the tables */
  bool codex;
  json_t *failures; /* the first of them, [{"place", "reason"}] */
  json_t *notes;    /* {what was met: how often} */
};

struct foreign_sender;

/* Imports the database that the source is at, whose head cli_foreign_is. wait: as in cli_send.
 * bytes: room for CLI_PIECE. attach: is told which attachments the database lists; NULL: they are
 * not kept.
 * *sender: NULL before the first database; kept for the next one, and freed by cli_foreign_end.
 * CLI_GO_ON with what came of it; or the exit code after reporting why it was not read or sent
 * completely. Free *result in either case. */
int cli_foreign_import(struct cli *c, struct cli_source *source, bool wait, char *bytes,
                       struct cli_attach *attach, struct foreign_sender **sender,
                       struct cli_foreign_result *result);
void cli_foreign_free(struct cli_foreign_result *result);
void cli_foreign_end(struct foreign_sender **sender);

/* Prints what came of the database `name`: with --json one line, else a line for each table. */
void cli_foreign_print(const struct cli *c, const char *name,
                       const struct cli_foreign_result *result);

#endif
