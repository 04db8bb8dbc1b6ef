/* kill -9 of the store and of ingest while attachments go in: whatever the database lists is whole
 * at any moment, and in the end all are there, once. */
#include <archive.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/sha256.h"
#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define FILES 120
#define BYTES_MAX (3u << 20)
#define KILLS 12
#define CHAT \
  "[{\"uuid\":\"c1\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":\"m1\"," \
  "\"text\":\"t\",\"sender\":\"human\",\"created_at\":\"2026-01-01T00:00:00Z\"}]}]"

static void write_export(void) {
  static struct t_member files[FILES + 1];
  static char names[FILES][32];
  files[0] = (struct t_member){"conversations.json", CK_LIT(CHAT)};
  for (int i = 0; i < FILES; ++i) {
    size_t n = 1 + (size_t)t_random_below(i % 4 ? 100000 : BYTES_MAX);
    char *bytes = ck_alloc(n);
    for (size_t k = 0; k < n; ++k) bytes[k] = (char)t_random();
    snprintf(names[i], sizeof names[i], "picture-%d.png", i);
    files[i + 1] = (struct t_member){names[i], {bytes, n}};
  }
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, FILES + 1);
  t_write_file("export.zip", b.data, b.len);
  ck_buf_free(&b);
  for (int i = 0; i < FILES; ++i) free((void *)(uintptr_t)files[i + 1].bytes.s);
}

/* Every attachment that is listed has its file, with the bytes of its hash. Returns how many. */
static int64_t check_listed(void) {
  json_t *lines = t_lines(0, "list", "attachments", "--limit", "1000"), *line;
  size_t i, n;
  json_array_foreach(lines, i, line) {
    char hex[CK_SHA256_HEX + 1];
    struct ck_sha256 sum;
    char *bytes = t_read_file(t_text_at(line, "path"), &n);
    T_CHECK(bytes && n == (size_t)t_int_at(line, "bytes", -1), "%s: %zu bytes",
            t_text_at(line, "name"), n);
    ck_sha256_begin(&sum);
    ck_sha256_add(&sum, (struct ck_str){bytes, n});
    ck_sha256_end_hex(&sum, hex);
    T_CHECK(strcmp(hex, t_text_at(line, "hash")) == 0, "%s is not whole", t_text_at(line, "name"));
    free(bytes);
  }
  int64_t count = (int64_t)json_array_size(lines);
  json_decref(lines);
  return count;
}

static struct t_process *begin_import(void) {
  char program[4096];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *const argv[] = {program, "--data", ".", "import", "export.zip", NULL};
  return t_start("import", NULL, false, argv);
}

T_STORY(attachments, killed_while_they_come, 240) {
  t_up();
  write_export();
  struct t_process *import = begin_import();
  int kills = 0;
  while (!t_ended(import) && kills < KILLS) {
    t_pause((int)t_random_below(300));
    const char *who = t_random_below(2) ? "store" : "ingest";
    t_wait_other(who, t_kill(who, SIGKILL), 10000);
    ++kills;
    t_note("%lld are there after %d kills", (long long)check_listed(), kills);
  }
  T_CHECK(t_wait_end(import, 120000) == 0, "the import failed after %d kills", kills);
  T_CHECK(kills > 0, "nothing was killed");
  T_CHECK(check_listed() == FILES, "%lld of %d are there", (long long)check_listed(), FILES);
  json_t *lines = t_lines(0, "import", "export.zip"), *line;
  size_t i;
  json_array_foreach(lines, i, line)
      T_CHECK(t_int_at(line, "new", 0) == 0 && t_int_at(line, "failed", 0) == 0, "%s",
              json_dumps(lines, 0));
  json_decref(lines);
  t_whole(20000);
}
