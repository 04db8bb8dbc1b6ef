/* Which attachments a database lists, and where their files are. */
#include "cli/import/attach_rows.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void add_row(struct attach_rows *rows, const char *hash, const char *name) {
  const struct attach_row row = {
      .hash = hash, .name = name, .file = "f", .type = "image/png", .bytes = 5};
  cr_assert(attach_rows_add(rows, &row, "in.zip: old/artifact.db", NULL));
}

/* Each name of an attachment once, found by the path of its file. */
Test(cli_attach_rows, by_the_place_of_the_file) {
  static const char one[] = "1111111111111111111111111111111111111111111111111111111111111111",
                    two[] = "2222222222222222222222222222222222222222222222222222222222222222";
  struct attach_rows rows = {0};
  size_t n;
  add_row(&rows, two, "b");
  add_row(&rows, one, "c");
  add_row(&rows, one, "a");
  add_row(&rows, one, "c");
  attach_rows_sort(&rows);
  char *path = ck_sprintf("in.zip: old/attachments/11/%s", one);
  const struct attach_row *found = attach_rows_find(&rows, path, &n);
  cr_assert(n == 2 && strcmp(found[0].name, "a") == 0 && strcmp(found[1].name, "c") == 0);
  cr_assert(found->container == NULL && attach_is_place(path));
  cr_assert_null(attach_rows_find(&rows, "attachments/11", &n));
  cr_assert_eq(n, 0);
  attach_rows_free(&rows);
  free(path);
}

Test(cli_attach_rows, places_of_a_data_folder) {
#define HASH "abababababababababababababababababababababababababababababababab"
  static const char *const places[] = {"attachments/ab/" HASH, "x/attachments/ab/" HASH,
                                       "x.tgz: attachments/ab/" HASH};
  static const char *const others[] = {"attachments/cd/" HASH,
                                       "my-attachments/ab/" HASH,
                                       "attachments/" HASH,
                                       "attachments/ab/" HASH ".part",
                                       "ab/" HASH,
                                       HASH,
                                       "attachments/ab/short",
                                       ""};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i)
    cr_expect(attach_is_place(places[i]), "%s", places[i]);
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
    cr_expect(!attach_is_place(others[i]), "%s", others[i]);
}
