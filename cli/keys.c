/* convkeep keys init: the CURVE keys that tcp doors want (proto/doors.h). */
#include "cli/cli.h"

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
  if (cert) zcert_set_meta(cert, "name", "%s", name);
  if (!cert || zcert_save(cert, file) || chmod(secret, 0600) || chmod(file, 0644)) {
    cli_error(c, file,
              "the keys could not be made or written: is the disk full, and was libzmq built with "
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
    cli_error(c, CLIENT_PUBLIC, "it could not be written");
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

/* Keys that are there are in use somewhere. */
static int refuse_second(struct cli *c) {
  static const char *const files[] = {"keys/store.key", "keys/store.key_secret", "keys/client.key",
                                      "keys/client.key_secret"};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    if (access(files[i], F_OK) == 0) {
      cli_error(c, files[i],
                "there are keys already, in %s/keys: move them away first if new ones are wanted",
                c->dir);
      return CLI_FAILED;
    }
  return CLI_GO_ON;
}

static int run(struct cli *c, int argc, char **argv) {
  int rc = cli_options(c, &argc, argv, NULL, NULL, 1, 1);
  if (rc != CLI_GO_ON) return rc;
  if (!streq(argv[1], "init")) return cli_usage_error(c, argv[1], "it can be init");
  rc = cli_load(c);
  if (rc == CLI_GO_ON) rc = cli_enter(c, true);
  if (rc == CLI_GO_ON) rc = refuse_second(c);
  if (rc != CLI_GO_ON) return rc;
  zsys_handler_set(NULL); /* czmq would take the signals */
  return make_all(c) == CLI_GO_ON ? CLI_DONE : CLI_FAILED;
}

const struct cli_command cli_keys = {
    "keys", "init", "make the keys that doors between machines need",
    "Makes keys/store.key and keys/client.key, each with its _secret, and puts the client's public "
    "half into keys/clients/, where\n"
    "the store looks up who may connect. Doors on one machine (ipc) need none.\n\n"
    "For a daemon on another machine: make keys there, copy its keys/client.key to a file of its "
    "own in keys/clients/ here, and this\n"
    "machine's keys/store.key to keys/store.pub there.",
    run};
