/* What ingest reads in files of each format. Every FILE in tests/golden/sources has a FILE.txt with
 * its reading; sources.h says how that is written. For a new file the failing test prints it; look
 * at it before it goes in. */
#include "tests/golden/sources.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static bool is_txt(const char *name) {
  size_t n = strlen(name);
  return n > 4 && strcmp(name + n - 4, ".txt") == 0;
}

static void same_as_file(const char *name) {
  struct ck_buf bytes = {0}, reading = {0}, expected = {0};
  char *txt = ck_sprintf("%s.txt", name);
  cr_assert(sources_load(&bytes, name));
  sources_read(&reading, name, ck_buf_view(&bytes));
  bool there = sources_load(&expected, txt);
  cr_expect(there && ck_str_eq(ck_buf_view(&reading), ck_buf_view(&expected)), "%s %s:\n%s", txt,
            there ? "says something else than" : "is not there; it should say",
            ck_buf_cstr(&reading));
  free(txt);
  ck_buf_free(&bytes);
  ck_buf_free(&reading);
  ck_buf_free(&expected);
}

Test(golden_sources, readings) {
  const char *src = getenv("CONVKEEP_SRC");
  char *folder = ck_sprintf("%s/tests/golden/sources", src ? src : ".");
  DIR *d = opendir(folder);
  int n = 0;
  cr_assert(d != NULL, "%s is not there", folder);
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.' || is_txt(e->d_name)) continue;
    same_as_file(e->d_name);
    ++n;
  }
  closedir(d);
  free(folder);
  cr_assert_gt(n, 0);
}
