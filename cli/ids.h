/* Ids as people write and read them: their beginnings.
 *
 * Functions returning an int return CLI_GO_ON, or the exit code after reporting the error. */
#ifndef CLI_IDS_H
#define CLI_IDS_H

#include "cli/client.h"
#include "proto/records.h"

/* The shortest beginning of an id that is taken for it. */
#define CLI_ID_BEGINNING 8

/* Appends the keys of a table that begin so, at most `most` of them, to an array. */
int cli_ids_that_begin(struct cli *c, enum ck_table t, const char *text, unsigned most,
                       json_t *keys);

/* An error if there are several keys, all of which begin as the text does. */
int cli_ids_alone(const struct cli *c, const char *text, const json_t *keys);

/* *id: the key of the record of the table that has it or, alone, begins so; the text itself if none
 * does. The caller frees it. Several are an error. */
int cli_id_of(struct cli *c, enum ck_table t, const char *text, char **id);

/* Gives each row the member `short`, as much of its member `id` as it takes to be the only such id
 * of the rows; if `t` is no CK_TABLES, of all records of that table. */
int cli_ids_shorten(struct cli *c, json_t *rows, const char *id, const char *short_id,
                    enum ck_table t);

/* ---- pure ---- */

/* How many bytes of the id of a row tell it from those of the other rows: 8 after what says of what
 * kind it is ("chatgpt:", "job_"), or more. */
size_t cli_id_length(const json_t *rows, size_t which, const char *member);

#endif
