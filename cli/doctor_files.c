/* Doctor's checks of small files: the keys, what was forgotten, the quarantine. */
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include <czmq.h>

#include "cli/doctor.h"
#include "cli/forgotten_file.h"
#include "cli/out.h"
#include "cli/key_sum.h"
#include "proto/file.h"
#include "proto/key_file.h"
#include "proto/quarantine.h"
#include "proto/sealed_line.h"

/* ---- keys ---- */

#define KEYS_ADVICE \
  "check the disk; put back the file from a copy, or move keys/ away and make new ones with " \
  "convkeep keys init, which the other machines need then (docs/operations.md)"
#define KEY_BYTES 41 /* in Z85, terminated */

struct keys_seen {
  int files;
  struct ck_buf wrong;
};

static void is_wrong(struct keys_seen *k, const char *file, const char *why) {
  ck_buf_printf(&k->wrong, "%s%s: %s", k->wrong.len ? "; " : "", file, why);
}

static const char *key_in(zconfig_t *file, const char *path) {
  const char *key = file ? zconfig_get(file, path, "") : "";
  return strlen(key) == KEY_BYTES - 1 ? key : "";
}

/* zconfig_load leaks what it has opened if it is no key file. The caller destroys it; NULL. */
static zconfig_t *load(const char *path) {
  struct ck_buf bytes = {0};
  zconfig_t *file = NULL;
  if (ck_read_file(AT_FDCWD, path, 0, CK_KEY_FILE_BYTES, &bytes, NULL) == 0 &&
      ck_key_text_check(ck_buf_view(&bytes), NULL) == 0) {
    zchunk_t *chunk = zchunk_new(bytes.data, bytes.len);
    file = zconfig_chunk_load(chunk);
    zchunk_destroy(&chunk);
  }
  ck_buf_free(&bytes);
  return file;
}

/* Its public key is the one that it was made with. Others' keys may be without a sum. */
static zconfig_t *look_at_public(struct keys_seen *k, const char *path) {
  char sum[CLI_KEY_SUM];
  zconfig_t *file = load(path);
  const char *key = key_in(file, "curve/public-key"),
             *noted = file ? zconfig_get(file, "metadata/" CLI_KEY_SUM_NAME, "") : "";
  ++k->files;
  cli_key_sum(sum, key);
  if (!*key)
    is_wrong(k, path, "it has no key");
  else if (*noted && strcmp(noted, sum) != 0)
    is_wrong(k, path, "it is not as it was written");
  return file;
}

/* The two halves belong together. */
static void look_at_pair(struct keys_seen *k, const char *path) {
  char made[KEY_BYTES] = "";
  char *secret_path = ck_sprintf("%s_secret", path);
  if (access(path, F_OK) == 0 || access(secret_path, F_OK) == 0) {
    zconfig_t *file = look_at_public(k, path), *secret = look_at_public(k, secret_path);
    const char *key = key_in(file, "curve/public-key"), *again = key_in(secret, "curve/public-key"),
               *half = key_in(secret, "curve/secret-key");
    if (!*half || zmq_curve_public(made, half))
      is_wrong(k, secret_path, "it has no secret key");
    else if (strcmp(made, key) != 0 || strcmp(made, again) != 0)
      is_wrong(k, secret_path, "it is not the half of the public key beside it");
    zconfig_destroy(&file);
    zconfig_destroy(&secret);
  }
  free(secret_path);
}

static void look_at_all(struct keys_seen *k, const char *pattern) {
  glob_t files = {0};
  if (glob(pattern, 0, NULL, &files) == 0)
    for (size_t i = 0; i < files.gl_pathc; ++i) {
      zconfig_t *file = look_at_public(k, files.gl_pathv[i]);
      zconfig_destroy(&file);
    }
  globfree(&files);
}

static void check_keys(struct cli_doctor *d) {
  struct keys_seen k = {0};
  look_at_pair(&k, "keys/store.key");
  look_at_pair(&k, "keys/client.key");
  look_at_all(&k, "keys/store.pub");
  look_at_all(&k, "keys/clients/*");
  if (k.wrong.len)
    cli_doctor_found(d, "curve", CK_FOUND_WRONG, KEYS_ADVICE, "%s", ck_buf_cstr(&k.wrong));
  else if (k.files)
    cli_doctor_found(d, "curve", CK_FOUND_OK, "", "the keys are as they were made");
  ck_buf_free(&k.wrong);
}

/* ---- lines ---- */

static void check_forgotten(struct cli_doctor *d) {
  struct ck_buf damaged = {0};
  if (cli_forgotten_damaged(&damaged))
    cli_doctor_found(d, "forgotten", CK_FOUND_WRONG, CLI_FORGOTTEN_ADVICE, "%s",
                     ck_buf_cstr(&damaged));
  else if (access(CK_PLACE_FORGOTTEN, F_OK) == 0)
    cli_doctor_found(d, "forgotten", CK_FOUND_OK, "", "each line is as it was written");
  ck_buf_free(&damaged);
}

int cli_doctor_unnoted(struct cli_doctor *d) {
  json_t *list;
  int rc = cli_forgotten_unnoted(d->c, &list);
  if (rc != CLI_GO_ON) return rc;
  size_t n = json_array_size(list);
  if (n)
    cli_doctor_found(d, "forgotten", CK_FOUND_WRONG,
                     "somebody, or a disk, has cut the file short: a backup from before would "
                     "bring it again without a word; convkeep forget --again notes it",
                     CK_PLACE_FORGOTTEN ": it lacks %zu %s, the first: %s", n,
                     ck_noun(n, "id that was forgotten", "ids that were forgotten"),
                     cli_member(json_array_get(list, 0), "id"));
  json_decref(list);
  return rc;
}

static void check_quarantine(struct cli_doctor *d) {
  static const char *const files[] = {CK_PLACE_REFUSED, CK_PLACE_REFUSED ".old", CK_PLACE_UNKNOWN,
                                      CK_PLACE_UNKNOWN ".old"};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    struct ck_err err;
    uint64_t bad, first;
    if (ck_lines_check(files[i], &bad, &first, &err))
      cli_doctor_found(d, "spool", CK_FOUND_WRONG, "", "%s", err.text);
    else if (bad)
      cli_doctor_found(d, "spool", CK_FOUND_WRONG,
                       "check the disk, unless somebody wrote there. It is kept for you to look "
                       "at; delete such lines when you have",
                       "%s: line %llu is not as written (%llu of its lines)", files[i],
                       (unsigned long long)first, (unsigned long long)bad);
  }
}

void cli_doctor_files(struct cli_doctor *d) {
  zsys_handler_set(NULL); /* keep czmq from handling signals */
  check_keys(d);
  check_forgotten(d);
  check_quarantine(d);
}
