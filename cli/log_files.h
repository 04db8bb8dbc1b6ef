/* Of which files the runs of logs are, that the list of originals names. */
#ifndef CLI_LOG_FILES_H
#define CLI_LOG_FILES_H

#include <jansson.h>

/* The list, in which the runs of a log stand side by side in the order of their first lines
 * (`age`), with each log in files: the runs of a file side by side, from its beginning, with the
 * same `file`, from 1. A run follows the one at whose end the chain is that at its beginning
 * (proto/originals.h); if there is none, because some are missing or overlap, the last one before
 * it. What several files have in common stands in each, with `again` but in the first. What is of
 * no log is as it was. A new reference, also of its members. */
json_t *cli_log_files(const json_t *originals);

#endif
