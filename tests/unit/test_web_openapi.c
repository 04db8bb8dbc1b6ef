/* docs/openapi.yaml describes exactly the routes of /v1 that are served, with their scopes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/file.h"
#include "webd/webd.h"

#include <fcntl.h>

/* "GET /v1/status read", a line each, sorted. */
static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

struct list {
  char *lines[200];
  size_t n;
};

static char *joined(struct list *l) {
  struct ck_buf b = {0};
  qsort(l->lines, l->n, sizeof *l->lines, by_text);
  for (size_t i = 0; i < l->n; ++i) {
    ck_buf_printf(&b, "%s\n", l->lines[i]);
    free(l->lines[i]);
  }
  ck_buf_cstr(&b);
  return b.data;
}

static char *served(void) {
  struct list l = {{0}, 0};
  for (const struct web_route *r = web_api_routes; r->path; ++r) {
    struct ck_buf words = {0};
    ck_scopes_text(&words, r->scopes);
    l.lines[l.n++] =
        ck_sprintf("%s %s %s", web_method_names[r->method], r->path, ck_buf_cstr(&words));
    ck_buf_free(&words);
  }
  return joined(&l);
}

/* The page's own way of writing it: paths at two blanks, methods at four, what they have at six. */
static char *described(char *text) {
  struct list l = {{0}, 0};
  char path[200] = "", method[16] = "", scopes[100];
  for (char *line; (line = strsep(&text, "\n"));) {
    if (sscanf(line, "  /%190[^:]:", path + 1) == 1 && line[2] == '/') path[0] = '/';
    if (strncmp(line, "    ", 4) == 0 && line[4] != ' ' &&
        sscanf(line, "    %15[a-z]:", method) == 1)
      for (char *c = method; *c; ++c) *c = (char)(*c - 'a' + 'A');
    char *open = strstr(line, "      x-scopes: [");
    if (open != line) continue;
    size_t n = 0;
    for (char *c = strchr(line, '[') + 1; *c != ']'; ++c)
      if (*c != ' ') scopes[n++] = *c;
    scopes[n] = '\0';
    l.lines[l.n++] = ck_sprintf("%s %s %s", method, path, scopes);
  }
  return joined(&l);
}

Test(web_openapi, describes_what_is_served) {
  struct ck_buf text = {0};
  if (ck_read_file(AT_FDCWD, "docs/openapi.yaml", 0, 1u << 20, &text, NULL))
    cr_skip_test("docs/openapi.yaml is not below the working directory");
  ck_buf_cstr(&text);
  char *there = described(text.data), *here = served();
  cr_expect_str_eq(there, here);
  free(there);
  free(here);
  ck_buf_free(&text);
}

/* docs/web.md has each refusal with its status. */
Test(web_openapi, every_refusal) {
  static const char *const rows[] = {
#define WEB_R(NAME, word, status, what) "| `" word "` | " #status " | " what " |",
      WEB_REFUSAL_LIST(WEB_R)
#undef WEB_R
  };
  struct ck_buf text = {0};
  if (ck_read_file(AT_FDCWD, "docs/web.md", 0, 1u << 20, &text, NULL))
    cr_skip_test("docs/web.md is not below the working directory");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
    cr_expect(strstr(ck_buf_cstr(&text), rows[i]), "missing: %s", rows[i]);
  ck_buf_free(&text);
}
