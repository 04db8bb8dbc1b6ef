/* The bytes on the wire, as they were first released. frames/good has one frame for every kind of
 * message and mutation, and one row of every table: decoded and encoded again, each must give the
 * same bytes. frames/refused has frames that must be refused, and the reasons.
 *
 * A file consists of lines of hex digits; blanks do not count, nor does anything after #. In a
 * refused frame's file the line `reason: …` has the error. For a new kind, the failing test prints
 * which bytes belong into which file. The bytes of an existing file never change, because old and
 * new versions talk to each other.
 */
#include "proto/wire.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static const char *frames(const char *folder, const char *name) {
  static char path[1024];
  const char *src = getenv("CONVKEEP_SRC");
  snprintf(path, sizeof path, "%s/tests/golden/frames/%s%s%s", src ? src : ".", folder,
           name ? "/" : "", name ? name : "");
  return path;
}

/* Appends the bytes of one line's hex digits. */
static void hex_line(struct ck_buf *bytes, const char *line) {
  for (const char *p = line; *p && *p != '#'; p++) {
    unsigned byte;
    int used;
    if (strchr(" \t\r\n", *p)) continue;
    cr_assert(sscanf(p, "%2x%n", &byte, &used) == 1 && used == 2, "no hex digits: %s", line);
    ck_buf_add(bytes, (char[]){(char)byte}, 1);
    p++;
  }
}

/* false: there is no such file. */
static bool read_frame(const char *folder, const char *name, struct ck_buf *bytes,
                       char reason[400]) {
  FILE *f = fopen(frames(folder, name), "r");
  char line[8192];
  reason[0] = '\0';
  if (!f) return false;
  while (fgets(line, sizeof line, f)) {
    if (strncmp(line, "reason: ", 8) == 0)
      snprintf(reason, 400, "%.*s", (int)strcspn(line + 8, "\n"), line + 8);
    else
      hex_line(bytes, line);
  }
  fclose(f);
  return true;
}

static const char *hex(struct ck_str s) {
  static struct ck_buf b;
  ck_buf_clear(&b);
  for (size_t i = 0; i < s.n; i++)
    ck_buf_printf(&b, "%02x%s", (unsigned char)s.s[i], i % 32 == 31 ? "\n" : "");
  return ck_buf_cstr(&b);
}

/* Compares what this version writes with the released file. */
static void same_as_file(const char *name, struct ck_str encoded) {
  struct ck_buf bytes = {0};
  char reason[400];
  bool there = read_frame("good", name, &bytes, reason);
  cr_expect(there && ck_str_eq(ck_buf_view(&bytes), encoded), "%s: %s\n%s", frames("good", name),
            there ? "other bytes now" : "not there; it should say", hex(encoded));
  ck_buf_free(&bytes);
}

/* ---- samples: every field has a value that differs from its neighbours' ---- */

static struct ck_buf raw_sample;

static struct ck_str sample_TEXT(const char *name, int *n) {
  ++*n;
  return ck_str_of(name);
}
static int64_t sample_INT(const char *name, int *n) {
  (void)name;
  return *n % 2 ? -(int64_t)++ * n * 1000 : INT64_C(1795377720000) + ++*n;
}
static uint64_t sample_UINT(const char *name, int *n) {
  (void)name;
  return ++*n % 3 == 0 ? UINT64_MAX - (uint64_t)*n : (uint64_t)*n * 100;
}
static bool sample_BOOL(const char *name, int *n) {
  (void)name;
  ++*n;
  return true;
}
static struct ck_str sample_RAW(const char *name, int *n) {
  (void)name;
  ++*n;
  if (raw_sample.len == 0) {
    ck_put_array(&raw_sample, 4);
    ck_put_map(&raw_sample, 1);
    ck_put_text(&raw_sample, "é");
    ck_put_nil(&raw_sample);
    ck_put_float(&raw_sample, 0.5);
    ck_put_bool(&raw_sample, false);
    ck_put_int(&raw_sample, -129);
  }
  return ck_buf_view(&raw_sample);
}

#define SAMPLE(kind, name) v->name = sample_##kind(#name, &n);
#define CK_M(NAME, name, number) \
  static void fill_##name(struct ck_##name *v) { \
    int n = number; \
    CK_##NAME##_FIELDS(SAMPLE) \
  }
CK_MESSAGE_LIST(CK_M)
CK_MUTATION_LIST(CK_M)
#undef CK_M

#define FIELD_NAME(kind, name) #name,
#define FIELD_KIND(kind, name) #kind,
struct sample {
  const char *name, *file;
  unsigned number;
  const char *const *fields, *const *kinds;
};
#define CK_M(NAME, name, number) \
  {#name, #name ".hex", number, (const char *const[]){CK_##NAME##_FIELDS(FIELD_NAME) NULL}, \
   (const char *const[]){CK_##NAME##_FIELDS(FIELD_KIND) NULL}},
static const struct sample messages[] = {CK_MESSAGE_LIST(CK_M)};
#undef CK_M
#define CK_M(NAME, name, number) \
  {#name, "op-" #name ".hex", number, (const char *const[]){CK_##NAME##_FIELDS(FIELD_NAME) NULL}, \
   (const char *const[]){CK_##NAME##_FIELDS(FIELD_KIND) NULL}},
static const struct sample mutations[] = {CK_MUTATION_LIST(CK_M)};
#undef CK_M
#define COUNT(list) (sizeof(list) / sizeof *(list))

static void message_sample(struct ck_message *m, unsigned number) {
  *m = (struct ck_message){0};
  switch (number) {
#define CK_M(NAME, name, number) \
  case number: \
    m->kind = CK_MSG_##NAME; \
    fill_##name(&m->as.name); \
    break;
    CK_MESSAGE_LIST(CK_M)
#undef CK_M
  }
}

static void mutation_sample(struct ck_mutation *m, unsigned number) {
  *m = (struct ck_mutation){0};
  switch (number) {
#define CK_M(NAME, name, number) \
  case number: \
    m->kind = CK_OP_##NAME; \
    fill_##name(&m->as.name); \
    break;
    CK_MUTATION_LIST(CK_M)
#undef CK_M
  }
}

/* ---- good frames ---- */

Test(golden, every_message) {
  for (size_t i = 0; i < COUNT(messages); i++) {
    struct ck_message m, back;
    struct ck_buf b = {0}, again = {0};
    struct ck_err err = {{0}};
    message_sample(&m, messages[i].number);
    ck_message_encode(&b, &m);
    same_as_file(messages[i].file, ck_buf_view(&b));
    cr_assert_eq(ck_message_decode(&back, b.data, b.len, &err), 0, "%s", err.text);
    cr_assert_eq(back.kind, m.kind);
    cr_assert_str_eq(ck_message_name(back.kind), messages[i].name);
    ck_message_encode(&again, &back);
    cr_assert(ck_str_eq(ck_buf_view(&b), ck_buf_view(&again)), "%s changes on its way",
              messages[i].name);
    ck_buf_free(&b);
    ck_buf_free(&again);
  }
}

Test(golden, every_mutation) {
  for (size_t i = 0; i < COUNT(mutations); i++) {
    struct ck_mutation m, back;
    struct ck_buf b = {0}, again = {0};
    struct ck_err err = {{0}};
    mutation_sample(&m, mutations[i].number);
    ck_mutation_encode(&b, &m);
    same_as_file(mutations[i].file, ck_buf_view(&b));
    struct ck_reader r = ck_reader_of(ck_buf_view(&b));
    cr_assert_eq(ck_mutation_decode(&back, &r, &err), 0, "%s", err.text);
    cr_assert_eq(r.p, r.end);
    cr_assert_str_eq(ck_mutation_name(back.kind), mutations[i].name);
    ck_mutation_encode(&again, &back);
    cr_assert(ck_str_eq(ck_buf_view(&b), ck_buf_view(&again)), "%s changes on its way",
              mutations[i].name);
    ck_buf_free(&b);
    ck_buf_free(&again);
  }
}

Test(golden, a_row_of_every_table) {
  for (int t = 0; t < CK_TABLES; t++) {
    struct ck_row row = {.table = (enum ck_table)t}, back;
    struct ck_buf b = {0};
    struct ck_arena arena = {0};
    struct ck_err err = {{0}};
    uint64_t version;
    char file[64];
    for (int c = 0; c < ck_tables[t].mirrored; c++) {
      const struct ck_field *f = &ck_tables[t].fields[c];
      bool null = (f->flags & CK_OPTIONAL) && c % 3 == 0;
      row.v[c] = null                      ? ck_null()
                 : ck_kind_is_int(f->kind) ? ck_int(INT64_C(1795377720000) + c)
                                           : ck_textz(f->name);
    }
    ck_change_encode(&b, (uint64_t)t + 1, &row);
    snprintf(file, sizeof file, "row-%s.hex", ck_tables[t].name);
    same_as_file(file, ck_buf_view(&b));
    struct ck_reader r = ck_reader_of(ck_buf_view(&b));
    cr_assert_eq(ck_change_decode(&r, &version, &back, &arena, &err), 0, "%s", err.text);
    for (int c = 0; c < ck_tables[t].mirrored; c++) cr_assert(ck_value_eq(row.v[c], back.v[c]));
    ck_buf_free(&b);
  }
}

/* A file that no list names would be a message that was removed. */
Test(golden, no_frame_is_left_over) {
  DIR *dir = opendir(frames("good", NULL));
  cr_assert_not_null(dir, "%s", frames("good", NULL));
  size_t n = 0;
  for (struct dirent *e; (e = readdir(dir));) n += strstr(e->d_name, ".hex") != NULL;
  closedir(dir);
  cr_assert_eq(n, COUNT(messages) + COUNT(mutations) + CK_TABLES);
}

/* ---- the tables of docs/wire.md ---- */

static char *wire_page(void) {
  char path[1024];
  const char *src = getenv("CONVKEEP_SRC");
  snprintf(path, sizeof path, "%s/docs/wire.md", src ? src : ".");
  FILE *f = fopen(path, "r");
  cr_assert_not_null(f, "%s", path);
  char *page = ck_zalloc(1 << 18);
  page[fread(page, 1, (1 << 18) - 1, f)] = '\0';
  fclose(f);
  return page;
}

static void has_line(const char *page, const struct sample *s) {
  struct ck_buf line = {0};
  ck_buf_printf(&line, "| %u | ", s->number);
  for (const char *c = s->name; *c; c++) ck_buf_printf(&line, "%c", *c - 'a' + 'A');
  for (int i = 0; s->fields[i]; i++) {
    ck_buf_text(&line, i ? " · " : " | ");
    ck_buf_printf(&line, "%s ", s->fields[i]);
    for (const char *c = s->kinds[i]; *c; c++) ck_buf_printf(&line, "%c", *c - 'A' + 'a');
  }
  ck_buf_text(&line, " |\n");
  cr_expect(strstr(page, ck_buf_cstr(&line)), "docs/wire.md should have the line\n%s",
            ck_buf_cstr(&line));
  ck_buf_free(&line);
}

Test(golden, docs_name_every_field) {
  char *page = wire_page();
  for (size_t i = 0; i < COUNT(messages); i++) has_line(page, &messages[i]);
  for (size_t i = 0; i < COUNT(mutations); i++) has_line(page, &mutations[i]);
  free(page);
}

/* ---- frames that must be refused ---- */

Test(golden, refused_frames_say_why) {
  DIR *dir = opendir(frames("refused", NULL));
  cr_assert_not_null(dir, "%s", frames("refused", NULL));
  int n = 0;
  for (struct dirent *e; (e = readdir(dir));) {
    if (!strstr(e->d_name, ".hex")) continue;
    struct ck_buf bytes = {0};
    struct ck_message m;
    struct ck_err err = {{0}};
    char reason[400];
    cr_assert(read_frame("refused", e->d_name, &bytes, reason));
    cr_expect_eq(ck_message_decode(&m, bytes.data, bytes.len, &err), -1, "%s is taken", e->d_name);
    cr_expect_str_eq(err.text, reason, "%s: \"%s\", not \"%s\"", e->d_name, err.text, reason);
    ck_buf_free(&bytes);
    n++;
  }
  closedir(dir);
  cr_assert_gt(n, 20);
}

/* The rows of CHANGES are not scanned with the frame, so their reader has to see whether they end
 * where the frame does. */
static int rows_whole(struct ck_str rows) {
  struct ck_reader r = ck_reader_of(rows);
  struct ck_str list;
  return ck_read_raw(&r, &list) || r.p != r.end ? -1 : 0;
}

/* The frame is in memory of exactly its size, so that a sanitizer sees a read beyond it. */
static int decode_exactly(const char *data, size_t n, struct ck_err *err) {
  struct ck_message m;
  char *copy = malloc(n ? n : 1);
  if (n) memcpy(copy, data, n);
  int rc = ck_message_decode(&m, copy, n, err);
  if (rc == 0 && m.kind == CK_MSG_CHANGES) rc = rows_whole(m.as.changes.changes);
  free(copy);
  return rc;
}

Test(golden, cut_off_at_every_byte_and_one_too_many) {
  for (size_t i = 0; i < COUNT(messages); i++) {
    struct ck_message m;
    struct ck_buf b = {0};
    struct ck_err err;
    message_sample(&m, messages[i].number);
    ck_message_encode(&b, &m);
    for (size_t n = 0; n < b.len; n++) {
      err.text[0] = '\0';
      cr_assert_eq(decode_exactly(b.data, n, &err), -1, "%s, %zu of %zu bytes", messages[i].name, n,
                   b.len);
      cr_assert(m.kind == CK_MSG_CHANGES || strncmp(err.text, "frame: ", 7) == 0, "%s", err.text);
    }
    size_t whole = b.len;
    ck_put_nil(&b);
    cr_assert_eq(decode_exactly(b.data, b.len, &err), -1);
    char expected[100];
    snprintf(expected, sizeof expected, "frame: byte %zu: 1 bytes after the value", whole);
    cr_assert(m.kind == CK_MSG_CHANGES || strcmp(err.text, expected) == 0, "%s", err.text);
    ck_buf_free(&b);
  }
}

Test(golden, cut_off_mutations) {
  for (size_t i = 0; i < COUNT(mutations); i++) {
    struct ck_mutation m;
    struct ck_buf b = {0};
    mutation_sample(&m, mutations[i].number);
    ck_mutation_encode(&b, &m);
    for (size_t n = 0; n < b.len; n++) {
      char *copy = malloc(n ? n : 1);
      if (n) memcpy(copy, b.data, n);
      struct ck_reader r = ck_reader_of((struct ck_str){copy, n});
      cr_assert_eq(ck_mutation_decode(&m, &r, NULL), -1, "%s, %zu of %zu bytes", mutations[i].name,
                   n, b.len);
      free(copy);
    }
    ck_buf_free(&b);
  }
}

/* Replaces field number `at` of a frame with a value that is wrong for every kind of field but
 * RAW. */
static void replace(struct ck_buf *out, struct ck_str frame, uint32_t ahead, uint32_t at) {
  struct ck_reader r = ck_reader_of(frame);
  uint32_t n;
  struct ck_str value;
  cr_assert_eq(ck_read_array(&r, &n), 0);
  ck_put_array(out, n);
  for (uint32_t i = 0; i < n; i++) {
    cr_assert_eq(ck_read_raw(&r, &value), 0);
    if (i == ahead + at)
      ck_put_float(out, 1);
    else
      ck_put_raw(out, value);
  }
}

static const char *wrong_type(const char *kind) {
  return strcmp(kind, "TEXT") == 0   ? "must be text"
         : strcmp(kind, "INT") == 0  ? "must be an integer"
         : strcmp(kind, "UINT") == 0 ? "must be an integer that is not negative"
                                     : "must be true or false";
}

Test(golden, every_field_of_a_wrong_type_is_named) {
  for (size_t i = 0; i < COUNT(messages) + COUNT(mutations); i++) {
    bool is_message = i < COUNT(messages);
    const struct sample *s = is_message ? &messages[i] : &mutations[i - COUNT(messages)];
    struct ck_buf b = {0};
    struct ck_message m;
    struct ck_mutation op;
    if (is_message) {
      message_sample(&m, s->number);
      ck_message_encode(&b, &m);
    } else {
      mutation_sample(&op, s->number);
      ck_mutation_encode(&b, &op);
    }
    for (uint32_t f = 0; s->fields[f]; f++) {
      struct ck_buf bad = {0};
      struct ck_err err = {{0}};
      char expected[200] = "";
      replace(&bad, ck_buf_view(&b), is_message ? 2 : 1, f);
      struct ck_reader r = ck_reader_of(ck_buf_view(&bad));
      int rc = is_message ? ck_message_decode(&m, bad.data, bad.len, &err)
                          : ck_mutation_decode(&op, &r, &err);
      bool raw = strcmp(s->kinds[f], "RAW") == 0;
      if (!raw)
        snprintf(expected, sizeof expected, "%s: field %s %s", s->name, s->fields[f],
                 wrong_type(s->kinds[f]));
      cr_expect_eq(rc, raw ? 0 : -1);
      cr_expect_str_eq(err.text, expected, "\"%s\", not \"%s\"", err.text, expected);
      ck_buf_free(&bad);
    }
    ck_buf_free(&b);
  }
}
