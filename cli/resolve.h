/* CONVERSATION on the command line: a local_conversation_id, a remote conversation id, or a page's
 * address. */
#ifndef CLI_RESOLVE_H
#define CLI_RESOLVE_H

#include "cli/client.h"

/* Finds the conversation's row. what: how the error calls it ("conversation"). CLI_GO_ON: *row is
 * the caller's. Else the exit code, after naming candidates. */
int cli_resolve(struct cli *c, const char *text, const char *what, json_t **row);

/* ---- pure ---- */

bool cli_is_url(const char *text);
/* The address without fragment, query and the slash at its end, the host in lower case, without
 * www.: what two addresses of one page have in common. Appends. */
void cli_url_page(struct ck_buf *b, struct ck_str url);
/* The i-th piece of path, query and fragment that could be an id (6 or more letters, digits, '-',
 * '_', the last pieces first); the empty view behind the last. Views into url. */
struct ck_str cli_url_piece(struct ck_str url, int i);

#endif
