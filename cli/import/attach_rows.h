/* The attachments that a foreign database lists: what each is called there, and where its file has
 * to be. Pure. */
#ifndef CLI_IMPORT_ATTACH_ROWS_H
#define CLI_IMPORT_ATTACH_ROWS_H

#include <stdbool.h>

#include "proto/sha256.h"
#include "proto/text.h"

/* One name of one attachment. The texts belong to the rows. */
struct attach_row {
  const char *path;      /* of its file, as the report shows files */
  const char *container; /* the same on the disk; NULL: it is in an archive */
  const char *hash, *name, *file, *type;
  uint64_t bytes;
  bool met; /* a file of that path was found */
};

/* Zero-initialise; free with attach_rows_free. */
struct attach_rows {
  struct attach_row *list;
  size_t count, room;
  size_t bytes; /* of texts */
  struct ck_arena texts;
};

/* Memory for them is bounded: some 100,000 names of usual length. */
#define ATTACH_ROWS_BYTES (64u << 20)

/* Adds a copy of the row. path and container are made: of the database's own name, as the report
 * shows it, and of its path on the disk, or NULL if it is in an archive. False: there is no room.
 */
bool attach_rows_add(struct attach_rows *rows, const struct attach_row *row, const char *database,
                     const char *container);
/* Call once, when all are there: puts them in the order of their paths, each once. */
void attach_rows_sort(struct attach_rows *rows);
/* The rows of a path: the first one, and in *n how many. */
struct attach_row *attach_rows_find(const struct attach_rows *rows, const char *path, size_t *n);
void attach_rows_free(struct attach_rows *rows);

/* Has a file of this path the place that a data folder gives to an attachment? */
bool attach_is_place(const char *path);

#endif
