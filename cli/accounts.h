/* Accounts: which there are, and what of their limits a person can change. */
#ifndef CLI_ACCOUNTS_H
#define CLI_ACCOUNTS_H

#include "cli/client.h"

/* Adds a row for each account to *rows, by name: those of conversations on auto, of deliveries
 * under way, and of limits. name: that one only; NULL: all. Returns CLI_GO_ON, or the exit code
 * after reporting the error; then *rows is NULL. */
int cli_accounts(struct cli *c, const char *name, json_t **rows);

/* The name of the account that a follow-up of the conversation to that target_snapshot is charged
 * to; empty if it has none. The caller frees it. */
char *cli_account_of(const json_t *conversation, const char *snapshot);

/* A usage error unless the option's value can be an account's name. Returns as above. */
int cli_account_check(const struct cli *c, const char *option, const char *name);

/* Ends the account's limit, and says so. *known: there is an account of that name that has had one;
 * else nothing happens. Returns as above. */
int cli_end_limit(struct cli *c, const char *name, bool *known);

#endif
