/* Which attachments have their files here. */
#ifndef CLI_READING_KEPT_H
#define CLI_READING_KEPT_H

#include "cli/cli.h"
#include "proto/render/render.h"

/* Asks for those of a message; attachments: an array, NULL for none. *kept: an object with the ids
 * of the files that are here, which the caller json_decrefs; NULL unless it returns CLI_GO_ON. */
int cli_kept_of(struct cli *c, const json_t *attachments, json_t **kept);
/* For struct render_style; self: a pointer to that object. */
bool cli_is_kept(void *self, const json_t *attachment, struct render_attached *a);

#endif
