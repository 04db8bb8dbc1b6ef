/* convkeep keys init: makes the CURVE keys that tcp doors need (proto/doors.h). */
#include "cli/cli.h"
#include "cli/key_sum.h"

#include <czmq.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_PUBLIC "keys/clients/client.key"

/* Makes FILE and FILE_secret. */
static int make_pair(struct cli *c, const char *name, const char *file, zcert_t **made) {
  char *secret = ck_sprintf("%s_secret", file);
  zcert_t *cert = zcert_new();
  int rc = CLI_GO_ON;
  char sum[CLI_KEY_SUM];
  if (cert) {
    cli_key_sum(sum, zcert_public_txt(cert));
    zcert_set_meta(cert, "name", "%s", name);
    zcert_set_meta(cert, CLI_KEY_SUM_NAME, "%s", sum);
  }
  if (!cert || zcert_save(cert, file) || chmod(secret, 0600) || chmod(file, 0644)) {
    cli_error(c, file,
              "cannot make or write the keys; is the disk full, or was libzmq built without "
              "CURVE?");
    rc = CLI_FAILED;
  }
  free(secret);
  *made = cert;
  return rc;
}

static int make_all(struct cli *c) {
  zcert_t *store = NULL, *client = NULL;
  int rc = make_pair(c, "store", "keys/store.key", &store);
  if (rc == CLI_GO_ON) rc = make_pair(c, "client", "keys/client.key", &client);
  if (rc == CLI_GO_ON && (zcert_save_public(client, CLIENT_PUBLIC) || chmod(CLIENT_PUBLIC, 0644))) {
    cli_error(c, CLIENT_PUBLIC, "cannot write it");
    rc = CLI_FAILED;
  }
  if (rc == CLI_GO_ON && c->json)
    printf("{\"store\":\"%s\",\"client\":\"%s\"}\n", zcert_public_txt(store),
           zcert_public_txt(client));
  if (rc == CLI_GO_ON && !c->json)
    printf("store   %s  keys/store.key, keys/store.key_secret\nclient  %s  keys/client.key, "
           "keys/client.key_secret; may connect (keys/clients/)\n",
           zcert_public_txt(store), zcert_public_txt(client));
  zcert_destroy(&store);
  zcert_destroy(&client);
  return rc;
}

/* Existing keys may be in use, so they are never overwritten. */
static int refuse_second(struct cli *c) {
  static const char *const files[] = {"keys/store.key", "keys/store.key_secret", "keys/client.key",
                                      "keys/client.key_secret", CLIENT_PUBLIC};
  struct stat st;
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    if (lstat(files[i], &st) == 0) {
      cli_error(c, files[i], "keys already exist in %s/keys; move them away first to make new ones",
                c->dir);
      return CLI_FAILED;
    }
  return CLI_GO_ON;
}

static int run(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL);
  if (rc != CLI_GO_ON) return rc;
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, true);
  if (rc == CLI_GO_ON) rc = refuse_second(c);
  if (rc != CLI_GO_ON) return rc;
  zsys_handler_set(NULL); /* keep czmq from handling signals */
  return make_all(c) == CLI_GO_ON ? CLI_DONE : CLI_FAILED;
}

static const struct cli_argument arguments[] = {CLI_ARGUMENT("init", CLI_CHOICE, 0), {0}};

const struct cli_command cli_keys = {
    "keys",
    CLI_TO_KEEP,
    "make the keys for doors between machines",
    arguments,
    NULL,
    "Makes keys/store.key and keys/client.key, each with its _secret half, and copies the\n"
    "client's public half to keys/clients/, where the store looks up who may connect. Doors on\n"
    "one machine (ipc) need no keys.\n\n"
    "For a daemon on another machine: run `convkeep keys init` there, copy its keys/client.key to\n"
    "a file of its own in keys/clients/ here, and copy this machine's keys/store.key to\n"
    "keys/store.pub there.",
    run,
    NULL};
