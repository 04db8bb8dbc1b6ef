/* The readable files on a disk that takes long to make them durable. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

static int64_t newest_ms;
static int later;

static void look(const char *path, void *self) {
  struct stat st;
  if (stat(path, &st)) return;
  int64_t ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
  if (self && ms > newest_ms) later++;
  if (!self && ms > newest_ms) newest_ms = ms;
}

static void slow_disk(void) {
  char shim[512];
  snprintf(shim, sizeof shim, "%s/tests/slow_sync.so", t_build());
  setenv("LD_PRELOAD", shim, 1);
  if (T_SLOWER > 1) /* AddressSanitizer insists on being the first library */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:abort_on_error=0:exitcode=99", 1);
}

/* The next run goes on where the last one ended, also if that did not live to make its files
 * durable: an import without a ring is such a run. */
T_STORY(slow_sync, what_is_there_is_not_written_again, 90) {
  slow_disk();
  t_set("artifacts.form", "records");
  struct ck_buf b = {0};
  for (int i = 0; i < 1500; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"t\",\"message_id\":\"m%d\",\"role\":\"user\","
                  "\"conversation_id\":\"c%d\",\"observed_at\":%d}\n",
                  i, i % 9, 1700000000 + i);
  t_write_file("../out/many", b.data, b.len);
  ck_buf_free(&b);
  t_do_in(0, "../out/many", "import", "-");
  int before = t_walk("artifacts/msg", look, NULL);
  T_CHECK(before > 0, "the import's store has made no file");
  t_pause(20); /* so that a file that is written again has another time */
  t_up();
  t_settle(20000);
  t_whole(20000);
  int all = t_walk("artifacts/msg", look, &later);
  T_CHECK(all == 3000, "%d files", all);
  T_CHECK(later == all - before, "%d files were written, and %d were missing", later, all - before);
}
