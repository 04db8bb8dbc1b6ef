/* Files that were cut off, or in which bytes have changed: what stands before the damage goes in,
 * and something says where reading ended. CONVKEEP_TEST_ROUNDS: so many cuts and changes of each
 * file, 100 if not set. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/clock.h"
#include "proto/random.h"
#include "test_ingest_collect.h"

#define ROUNDS 100
#define FILE_MAX (700u << 10)

static unsigned rounds(void) {
  const char *text = getenv("CONVKEEP_TEST_ROUNDS");
  return text && atoi(text) > 0 ? (unsigned)atoi(text) : ROUNDS;
}

static struct ck_random chance;

static void seed(void) {
  const char *text = getenv("CONVKEEP_TEST_SEED");
  chance.state = text ? strtoull(text, NULL, 10) : (uint64_t)ck_now_ms();
  fprintf(stderr, "CONVKEEP_TEST_SEED=%llu\n", (unsigned long long)chance.state);
}

static size_t below(size_t n) { return n ? (size_t)(ck_random_next(&chance) % n) : 0; }

/* The lines that tell observations, which a source gives in the order of the file. */
static struct ck_buf observations_of(const struct collected *c) {
  struct ck_buf b = {0};
  const char *at = ck_buf_cstr((struct ck_buf *)(uintptr_t)&c->text);
  while (*at) {
    size_t n = strcspn(at, "\n") + 1;
    if (*at == '+') ck_buf_str(&b, (struct ck_str){at, n});
    at += at[n - 1] ? n : n - 1;
  }
  return b;
}

/* Of a session's log the last answer may be given as far as it has come (test_ingest_sessions.c has
 * what the store makes of that), and half a line is a note. */
static bool is_session(const struct collected *c) {
  return strcmp(c->format, "claude code") == 0 || strcmp(c->format, "codex") == 0;
}

static bool notes_half(struct collected *c) {
  return strstr(ck_buf_cstr(&c->text), "* last line not complete\n") != NULL;
}

/* Each whole element before the cut gives what it gave; the rest is said to be cut off. */
static void cut(const char *path, struct ck_str bytes, size_t at) {
  struct collected whole, part;
  collect(&whole, path, bytes, 0);
  collect(&part, path, (struct ck_str){bytes.s, at}, 1 + below(4096));
  struct ck_buf all = observations_of(&whole), some = observations_of(&part);
  bool session = is_session(&whole);
  cr_expect(session || part.observations <= whole.observations,
            "%s cut at %zu: more than the whole", path, at);
  cr_expect(session || ck_str_starts(ck_buf_view(&all), ck_buf_cstr(&some)),
            "%s cut at %zu: not what the whole file begins with", path, at);
  /* Of lines, and of arrays one after another, nobody can know that more were to come. */
  size_t said = at;
  while (said && strchr(" \t\r", bytes.s[said - 1])) --said;
  bool between = strcmp(part.format, "empty") == 0 || !said || bytes.s[said - 1] == '\n' ||
                 bytes.s[at] == '\n' || (bytes.s[said - 1] == ']' && bytes.s[at] == '[') ||
                 notes_half(&part);
  cr_expect(part.error[0] || part.failures || part.observations == whole.observations || between,
            "%s cut at %zu: %u observations of %u, and nothing is said", path, at,
            part.observations, whole.observations);
  cr_expect(!part.error[0] || strchr(part.error, ' '), "%s cut at %zu: %s", path, at, part.error);
  ck_buf_free(&all);
  ck_buf_free(&some);
  collected_free(&whole);
  collected_free(&part);
}

static void change(const char *path, struct ck_str bytes) {
  struct collected c;
  char *copy = ck_alloc(bytes.n);
  memcpy(copy, bytes.s, bytes.n);
  for (size_t n = 1 + below(8); n--;) copy[below(bytes.n)] = (char)below(256);
  collect(&c, path, (struct ck_str){copy, bytes.n}, 0);
  collected_free(&c);
  free(copy);
}

static unsigned damage(const char *path, struct ck_str bytes) {
  unsigned n = rounds();
  if (bytes.n > 100u << 10) n = n / 10 + 1;
  if (!bytes.n || bytes.n > FILE_MAX) return 0;
  for (unsigned i = 0; i < n; ++i) {
    cut(path, bytes, n > bytes.n ? i % bytes.n : below(bytes.n));
    change(path, bytes);
  }
  return 1;
}

static bool is_json(const char *name) {
  size_t n = strlen(name);
  return (n > 5 && strcmp(name + n - 5, ".json") == 0) ||
         (n > 6 && strcmp(name + n - 6, ".jsonl") == 0);
}

static unsigned damage_folder(const char *folder, bool (*load)(struct ck_buf *b, const char *path),
                              const char *below_load) {
  DIR *dir = opendir(folder);
  unsigned files = 0;
  struct ck_buf bytes = {0};
  for (struct dirent *e; dir && (e = readdir(dir));) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", below_load, e->d_name);
    if (is_json(e->d_name) && load(&bytes, path)) files += damage(path, ck_buf_view(&bytes));
  }
  if (dir) closedir(dir);
  ck_buf_free(&bytes);
  return files;
}

static const char *source_folder(const char *below_it) {
  static char path[600];
  const char *src = getenv("CONVKEEP_SRC");
  snprintf(path, sizeof path, "%s%s", src ? src : ".", below_it);
  return path;
}

Test(ingest_damage, own_samples) {
  seed();
  unsigned files =
      damage_folder(source_folder("/tests/golden/sources"), load_own, "tests/golden/sources");
  cr_assert_gt(files, 10);
}

Test(ingest_damage, files_of_others) {
  static const char *const folders[] = {"chatgpt", "claude-ai", "cases"};
  seed();
  unsigned files = 0;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i) {
    char path[100];
    snprintf(path, sizeof path, "/../shared/inputs/%s", folders[i]);
    files += damage_folder(source_folder(path), load_input, folders[i]);
  }
  if (!files) cr_skip_test("../shared/inputs is not there");
}

/* ---- what nobody writes by accident ---- */

static void ends_with_error(const char *what, const char *name, struct ck_str bytes) {
  struct collected c;
  collect(&c, name, bytes, 65536);
  cr_expect(c.error[0] || c.failures, "%s: nothing is said: %.300s", what, ck_buf_cstr(&c.text));
  collected_free(&c);
}

Test(ingest_damage, nested_100000_deep) {
  static const char *const opens[] = {"[", "{\"a\":", "[{\"mapping\":{\"a\":"};
  for (size_t o = 0; o < sizeof opens / sizeof *opens; ++o) {
    struct ck_buf b = {0};
    for (int i = 0; i < 100000; ++i) ck_buf_text(&b, opens[o]);
    ends_with_error(opens[o], "x.json", ck_buf_view(&b));
    ck_buf_free(&b);
  }
}

Test(ingest_damage, numbers_of_400_digits) {
  static const char *const files[] = {
      "[{\"mapping\":{\"n\":{\"message\":{\"id\":\"m\",\"author\":{\"role\":\"user\"},"
      "\"create_time\":%s,\"content\":{\"parts\":[\"t\"]}}}},\"id\":\"c\"}]",
      "[{\"uuid\":\"c\",\"name\":\"n\",\"account\":{},\"updated_at\":%s,\"chat_messages\":"
      "[{\"uuid\":\"m\",\"text\":\"t\",\"sender\":\"human\",\"created_at\":%s}]}]"};
  char digits[410] = {0};
  for (size_t f = 0; f < sizeof files / sizeof *files; ++f)
    for (int sign = 0; sign < 2; ++sign) {
      struct collected c;
      struct ck_buf b = {0};
      memset(digits, '7', 400);
      if (sign) digits[0] = '-';
      const char *at = files[f];
      for (const char *hole; (hole = strstr(at, "%s")); at = hole + 2) {
        ck_buf_str(&b, (struct ck_str){at, (size_t)(hole - at)});
        ck_buf_text(&b, digits);
      }
      ck_buf_text(&b, at);
      collect(&c, "x.json", ck_buf_view(&b), 0);
      cr_expect(c.observations || c.failures || c.error[0], "%s: nothing is said", ck_buf_cstr(&b));
      collected_free(&c);
      ck_buf_free(&b);
    }
}
