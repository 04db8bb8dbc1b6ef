/* Finds the conversation that CONVERSATION on the command line means: a local_conversation_id, a
 * remote conversation id, the beginning of one of these, a title, or a page's URL. */
#ifndef CLI_RESOLVE_H
#define CLI_RESOLVE_H

#include "cli/client.h"

/* what: the word for it in errors ("conversation"). Returns CLI_GO_ON, and the caller json_decrefs
 * *row; else the exit code after reporting the error, which names candidates. */
int cli_resolve(struct cli *c, const char *text, const char *what, json_t **row);

/* The same, but it is no error if the text means none, or may mean several: *row is NULL then. */
int cli_find(struct cli *c, const char *text, json_t **row);
/* The same, but several are an error; only conversations of the platform count, unless it is NULL.
 */
int cli_find_one(struct cli *c, const char *text, const char *platform, json_t **row);
/* Reports that the text means nothing, and what it is like. Returns an exit code. */
int cli_not_found(struct cli *c, const char *text, const char *what);

/* ---- pure ---- */

bool cli_is_url(const char *text);
/* Appends what all URLs of one page have in common: the URL without scheme, www., query, fragment
 * and trailing slashes, the host in lower case. */
void cli_url_page(struct ck_buf *b, struct ck_str url);
/* The i-th part of path, query and fragment that could be an id (6 or more letters, digits, '-' or
 * '_'), counted from the end of the URL. A view into url; empty after the last one. */
struct ck_str cli_url_piece(struct ck_str url, int i);

#endif
