/* One bit of one file is turned at random: `doctor` names the file, or it has no effect on anything
 * that can be read back, of records, originals, readable files, search and spool. And while the
 * database itself is damaged, doctor does not advise to make anything again from it. Of a backup,
 * `backup --check` names the file. A flip in the settings file that stays a valid setting is an
 * owner's edit to any program; those are counted.
 *
 * Each flip is made in a fresh copy of one of two folders (flips_folders.h). CONVKEEP_TEST_FLIPS:
 * how many, in all files together. */
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fault/flips_folders.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"

#define FLIPS 120 /* unless CONVKEEP_TEST_FLIPS says how many */
#define NONZERO 6 /* most pages and the WAL's end are zeroes: a place is drawn so often */

/* What is flipped, what doctor calls it, and the share of the flips. */
struct campaign;
struct victim {
  const char *files[4]; /* names of files, or a folder and a slash: any file in it */
  const char *check, *named;
  unsigned share; /* of 100 */
  /* Whether everything reads back as it would without the flip; NULL: as records, search and
   * readable files. */
  bool (*harmless)(struct campaign *c, int folder);
};

struct campaign {
  unsigned found, harmless, edits, missed;
  struct ck_buf said;                         /* about the first that was missed */
  char picture[FLIPS_FOLDERS][FLIPS_PICTURE]; /* of what an unharmed folder reads back */
  struct ck_buf answers[FLIPS_FOLDERS];       /* and what its search finds, and its files */
  int64_t replayed[FLIPS_FOLDERS];            /* and how many messages there are after its spool */
  char backup[CK_SHA256_HEX + 1];             /* of the backup */
  struct ck_buf settings, keys;               /* what they say */
};

/* ---- without effect ---- */

static bool rows_are_same(const struct campaign *c, int folder) {
  char now[FLIPS_PICTURE];
  flips_picture(now);
  return strcmp(now, c->picture[folder]) == 0;
}

static bool reads_back(struct campaign *c, int folder) {
  struct ck_buf answers = {0};
  if (!rows_are_same(c, folder)) return false;
  flips_ask(&answers);
  bool same = ck_str_eq(ck_buf_view(&answers), ck_buf_view(&c->answers[folder]));
  ck_buf_free(&answers);
  return same;
}

static bool spool_is_same(struct campaign *c, int folder) {
  return rows_are_same(c, folder) && flips_replay() == c->replayed[folder];
}

static bool never(struct campaign *c, int folder) {
  (void)c;
  (void)folder;
  return false;
}

static bool backup_is_same(struct campaign *c, int folder) {
  char now[CK_SHA256_HEX + 1];
  (void)folder;
  flips_picture_of(FLIPS_BACKUPS "/" FLIPS_BACKUP, now);
  return strcmp(now, c->backup) == 0;
}

/* As whoever uses them reads them. */
static void add_keys_of(const char *path, void *keys) {
  size_t n = 0;
  char *bytes = t_read_file(path, &n);
  zchunk_t *chunk = zchunk_new(bytes, n);
  zconfig_t *file = zconfig_chunk_load(chunk);
  zchunk_destroy(&chunk);
  free(bytes);
  ck_buf_printf(keys, "%s %s %s\n", path, file ? zconfig_get(file, "curve/public-key", "") : "",
                file ? zconfig_get(file, "curve/secret-key", "") : "");
  zconfig_destroy(&file);
}

static void read_keys(struct ck_buf *keys) {
  ck_buf_clear(keys);
  t_walk("keys", add_keys_of, keys);
}

static bool keys_are_same(struct campaign *c, int folder) {
  struct ck_buf now = {0};
  (void)folder;
  read_keys(&now);
  bool same = ck_str_eq(ck_buf_view(&now), ck_buf_view(&c->keys));
  ck_buf_free(&now);
  return same;
}

static void read_settings(struct ck_buf *settings) {
  struct t_result r = t_convkeep("config", "--json");
  ck_buf_clear(settings);
  ck_buf_text(settings, r.out);
  if (r.code) ck_buf_text(settings, "invalid");
  t_result_free(&r);
}

/* ---- the files ---- */

static const struct victim victims[] = {
    {{"artifact.db", "artifact.db-wal", "artifact.db-shm"}, "database", "artifact.db", 30, NULL},
    {{"mirror.db", "mirror.db-wal"}, "mirror", "mirror.db", 13, NULL},
    {{"search.db", "search.db-wal"}, "search", "search.db", 10, NULL},
    {{"spool/"}, "spool", "spool/", 10, spool_is_same},
    {{"spool/refused.jsonl", "spool/unknown.jsonl"}, "spool", ".jsonl", 3, never},
    {{"attachments/"}, "attachments", "attachments/", 5, NULL},
    {{"artifacts/", "artifacts/.names", "artifacts/.cursor"}, "artifacts", "artifacts/", 10, NULL},
    {{"witness"}, "witness", "witness", 2, never},
    {{"forgotten"}, "forgotten", "forgotten", 3, never},
    {{"keys/"}, "curve", "keys/", 3, keys_are_same},
    {{FLIPS_BACKUPS "/" FLIPS_BACKUP, FLIPS_BACKUPS "/"},
     "backup",
     FLIPS_BACKUP,
     9,
     backup_is_same},
    {{"convkeep.conf"}, "settings", "convkeep.conf", 2, never},
};
#define VICTIMS (sizeof victims / sizeof *victims)

static bool is(const struct victim *v, const char *check) { return strcmp(v->check, check) == 0; }

/* ---- doctor ---- */

struct heard {
  int code;
  bool names, advises_wrongly;
  char *all;
};

/* From a damaged database nothing is to be made again. */
static bool would_spread(const char *advice) {
  static const char *const words[] = {"sync repair", "sync backfill", "sync adopt",
                                      "rebuild artifacts", "rebuild search"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strstr(advice, words[i])) return true;
  return false;
}

static void hear_line(struct heard *h, const struct victim *v, json_t *line) {
  const char *check = t_text_at(line, "check"), *advice = t_text_at(line, "advice");
  bool wrong = strcmp(t_text_at(line, "result"), "wrong") == 0;
  h->names |= wrong && (strcmp(check, v->check) == 0 || strcmp(check, "store") == 0 ||
                        strcmp(check, "history") == 0);
  h->advises_wrongly |= wrong && is(v, "database") && would_spread(advice);
}

/* A backup, and settings that no program takes, have no line of doctor's. */
static struct t_result examine(const struct victim *v) {
  if (is(v, "backup")) return t_convkeep("backup", "--check", FLIPS_BACKUPS "/" FLIPS_BACKUP);
  return t_convkeep("doctor", "--json");
}

static void hear(struct heard *h, const struct victim *v) {
  struct t_result r = examine(v);
  *h = (struct heard){.code = r.code, .names = is(v, "backup") || is(v, "settings")};
  h->all = ck_sprintf("%s%s", r.out, r.err);
  char *rest = NULL;
  for (char *one = strtok_r(r.out, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest)) {
    json_t *line = json_loads(one, 0, NULL);
    if (line && t_text_at(line, "check")) hear_line(h, v, line);
    json_decref(line);
  }
  h->names &= strstr(h->all, v->named) != NULL;
  t_result_free(&r);
}

/* ---- a flip ---- */

static void add_path(const char *path, void *list) {
  if (strstr(path, ".jsonl")) return; /* they have a turn of their own */
  ck_buf_printf(list, "%s\n", path);
}

static char *any_file(const char *folder) {
  struct ck_buf list = {0};
  int n = 0, skip;
  t_walk(folder, add_path, &list);
  for (size_t i = 0; i < list.len; i++) n += list.data[i] == '\n';
  T_CHECK(n, "%s is empty", folder);
  skip = (int)t_random_below((uint64_t)n);
  char *at = list.data;
  for (; skip; skip--) at = strchr(at, '\n') + 1;
  char *path = ck_str_dup((struct ck_str){at, strcspn(at, "\n")});
  ck_buf_free(&list);
  return path;
}

static char *choose_file(const struct victim *v) {
  int n = 0;
  while (n < 4 && v->files[n]) n++;
  const char *name = v->files[t_random_below((uint64_t)n)];
  if (name[strlen(name) - 1] == '/') return any_file(name);
  return ck_strdup(t_exists(name) ? name : v->files[0]);
}

/* Returns what was done, for people. */
static char *flip(const char *path) {
  size_t n = 0;
  char *bytes = t_read_file(path, &n);
  T_CHECK(bytes && n, "%s is empty", path);
  uint64_t at = t_random_below(n);
  for (int i = 0; i < NONZERO && !bytes[at]; i++) at = t_random_below(n);
  unsigned bit = (unsigned)t_random_below(8);
  FILE *f = fopen(path, "r+");
  T_CHECK(f && fseek(f, (long)at, SEEK_SET) == 0 &&
              fputc((unsigned char)bytes[at] ^ (1 << bit), f) != EOF && fclose(f) == 0,
          "%s cannot be written", path);
  free(bytes);
  return ck_sprintf("%s byte %llu bit %u", path, (unsigned long long)at, bit);
}

/* An owner's edit is a setting that has another value, and is one. */
static bool is_edit(const struct campaign *c, bool *same) {
  struct ck_buf now = {0};
  read_settings(&now);
  *same = ck_str_eq(ck_buf_view(&now), ck_buf_view(&c->settings));
  bool valid = !memmem(now.data, now.len, "invalid", 7);
  ck_buf_free(&now);
  return valid && !*same;
}

static void one_flip(struct campaign *c, const struct victim *v) {
  int folder = (int)t_random_below(FLIPS_FOLDERS);
  bool same = false;
  flips_begin_with(folder);
  char *path = choose_file(v), *what = flip(path);
  if (is(v, "settings") && (is_edit(c, &same) || same)) {
    ++*(same ? &c->harmless : &c->edits);
    free(path);
    free(what);
    return;
  }
  struct heard h;
  hear(&h, v);
  const char *fault = NULL;
  if (h.advises_wrongly)
    fault = "doctor advises to make something again from the damaged database";
  else if (h.code && h.names)
    c->found++;
  else if (h.code)
    fault = "doctor does not name it";
  else if ((v->harmless ? v->harmless : reads_back)(c, folder))
    c->harmless++;
  else
    fault = "doctor does not find it, and it has an effect";
  if (fault) {
    c->missed++;
    t_note("%s: %s: %s\n%s", flips_folders[folder], what, fault, h.all);
    if (c->missed == 1) ck_buf_printf(&c->said, "%s: %s: %s", flips_folders[folder], what, fault);
  }
  free(h.all);
  free(path);
  free(what);
}

static void look_first(struct campaign *c) {
  for (int f = 0; f < FLIPS_FOLDERS; f++) {
    flips_begin_with(f);
    json_decref(t_lines(0, "doctor"));
    t_do(0, "backup", "--check", FLIPS_BACKUPS "/" FLIPS_BACKUP);
    flips_picture(c->picture[f]);
    flips_ask(&c->answers[f]);
    T_CHECK(c->answers[f].len > 1000, "the search finds too little");
    flips_begin_with(f);
    c->replayed[f] = flips_replay();
  }
  flips_begin_with(FLIPS_CLEAN);
  flips_picture_of(FLIPS_BACKUPS "/" FLIPS_BACKUP, c->backup);
  read_settings(&c->settings);
  read_keys(&c->keys);
}

static unsigned flips(void) { return t_flips() ? t_flips() : FLIPS; }

T_STORY(flips, each_is_found_or_without_effect, 3600) {
  struct campaign c = {0};
  flips_make_folders();
  look_first(&c);
  int64_t began = ck_boot_ms();
  for (size_t v = 0; v < VICTIMS; v++) {
    unsigned n = (flips() * victims[v].share + 99) / 100, found = c.found, harmless = c.harmless;
    for (unsigned i = 0; i < n; i++) one_flip(&c, &victims[v]);
    t_note("%s: %u flips, %u found, %u without effect", victims[v].named, n, c.found - found,
           c.harmless - harmless);
  }
  t_note("settings: %u were an owner's edit", c.edits);
  t_note("%u found, %u without effect, %u missed in %lld s", c.found, c.harmless + c.edits,
         c.missed, (long long)(ck_boot_ms() - began) / 1000);
  T_CHECK(c.missed == 0, "%u missed, the first: %s", c.missed, ck_buf_cstr(&c.said));
  for (int f = 0; f < FLIPS_FOLDERS; f++) ck_buf_free(&c.answers[f]);
  ck_buf_free(&c.said);
  ck_buf_free(&c.settings);
  ck_buf_free(&c.keys);
  flips_shell("rm -rf ../clean ../killed ../kept " FLIPS_BACKUPS);
}
