/* `export`: what is taken out is all that was said, comes in again as the same rows, and is there
 * whole or not at all. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/records.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define OUT "../out/"
#define OTHER "../out/other"

/* ---- the same rows ---- */

/* Every column that is not the store's own. */
static const char *const same[][2] = {
    {"messages",
     "SELECT id, platform, conversation_id, role, raw_text, summary, observed_at, static_path,"
     " page_url, page_title, organization_id, created_at, parent_id, position, details"
     " FROM messages ORDER BY id"},
    {"executions",
     "SELECT instruction_id, message_id, target, tool, params, params_kind, result_ok, result_data,"
     " result_summary, result_error, http_status, executed_at, static_path, created_at"
     " FROM executions ORDER BY instruction_id"},
    {"sessions", "SELECT id, platform, conversation_id, started_at, last_activity_at,"
                 " message_count, execution_count, summary, static_path, created_at"
                 " FROM sessions ORDER BY id"},
    {"conversations",
     "SELECT local_conversation_id, platform, automation_status, title, summary, last_message_id,"
     " last_message_at, cooldown_until, paused_at, created_at, updated_at, details, newest_at, "
     "ages,"
     " renewal"
     " FROM local_conversations ORDER BY local_conversation_id"},
    {"links",
     "SELECT link_id, local_conversation_id, platform, remote_conversation_id, client_id, page_url,"
     " page_title, route_path, route_pattern, route_params, target_kind, target_id, target_payload,"
     " is_active, observed_at, created_at, updated_at, ages FROM conversation_links"
     " ORDER BY link_id"},
    {"jobs", "SELECT * FROM renewal_jobs ORDER BY job_id"}};

static void cut(char *from, size_t n) { memmove(from, from + n, strlen(from + n) + 1); }

/* Of messages with one id in several conversations, which one has it depends on which came first:
 * they are the same by their source ids. In place. */
static void by_source_ids(char *text) {
  static const char *const marks[] = {"@", "%40"};
  for (size_t i = 0; i < 2; ++i)
    for (char *at = text; (at = strstr(at, marks[i])) != NULL;) {
      size_t n = strlen(marks[i]);
      if (strspn(at + n, "0123456789abcdef") == CK_DERIVED_DIGITS)
        cut(at, n + CK_DERIVED_DIGITS);
      else
        at += n;
    }
  static const char *const starts[] = {"\"source_id\":\"", "\\\"source_id\\\":\\\""};
  for (size_t i = 0; i < 2; ++i)
    for (char *at = text; (at = strstr(at, starts[i])) != NULL;) {
      char *end = strchr(at + strlen(starts[i]), '"') + 1;
      cut(at, (size_t)(end - at) + (*end == ','));
    }
  static const char *const without[] = {",\"details\":{}", " details=none"};
  for (size_t i = 0; i < 2; ++i)
    for (char *at = text; (at = strstr(at, without[i])) != NULL;) cut(at, strlen(without[i]));
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The rows as text, in the order of that. */
static char **rows_of(const char *file, const char *sql, size_t *count) {
  json_t *rows = t_sql(file, sql);
  *count = json_array_size(rows);
  char **texts = ck_alloc((*count + 1) * sizeof *texts);
  for (size_t i = 0; i < *count; ++i) {
    json_t *row = json_array_get(rows, i), *details = json_object_get(row, "details");
    json_t *parsed = json_is_string(details)
                         ? json_loads(json_string_value(details), JSON_ALLOW_NUL, NULL)
                         : json_object();
    json_object_set_new(row, "details", parsed);
    texts[i] = json_dumps(row, JSON_COMPACT);
    by_source_ids(texts[i]);
  }
  qsort(texts, *count, sizeof *texts, by_text);
  json_decref(rows);
  return texts;
}

static void check_same_rows(void) {
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i) {
    size_t n, m;
    char **here = rows_of("artifact.db", same[i][1], &n),
         **there = rows_of(OTHER "/artifact.db", same[i][1], &m);
    T_CHECK(n == m, "%s: %zu rows, and %zu after the import", same[i][0], n, m);
    for (size_t k = 0; k < n; ++k) {
      T_CHECK(strcmp(here[k], there[k]) == 0, "%s: %s became %s", same[i][0], here[k], there[k]);
      free(here[k]);
      free(there[k]);
    }
    free(here);
    free(there);
  }
}

static char *read_file(const char *path) {
  struct ck_buf b = {0};
  T_CHECK(ck_read_file(AT_FDCWD, path, 0, SIZE_MAX, &b, NULL) == 0 && b.len > 100, "%s", path);
  ck_buf_cstr(&b);
  return b.data;
}

static void check_same_file(const char *one, const char *other, bool ids) {
  char *a = read_file(one), *b = read_file(other);
  if (!ids) by_source_ids(a);
  if (!ids) by_source_ids(b);
  T_CHECK(strcmp(a, b) == 0, "%s is not %s", one, other);
  free(a);
  free(b);
}

/* Everything that the tests have: forks, copies, derived ids, tools, thoughts, attachments … */
static void import_sources(void) {
  char *own = ck_sprintf("%s/tests/golden/sources", t_root()),
       *samples = ck_sprintf("%s/samples", t_root()), *inputs[3];
  const char *const folders[] = {"cases", "chatgpt", "claude-ai"}, *there = t_inputs();
  for (int i = 0; i < 3; ++i) inputs[i] = ck_sprintf("%s/%s", there ? there : "", folders[i]);
  const char *const all[] = {"import",  own,       samples, there ? inputs[0] : NULL,
                             inputs[1], inputs[2], NULL};
  struct t_result r = t_convkeep_words(NULL, all);
  T_CHECK(r.code == 0 || r.code == 1, "%s", r.err); /* some of it is broken on purpose */
  T_CHECK(t_count("messages") > 100, "%lld messages", (long long)t_count("messages"));
  t_result_free(&r);
  for (int i = 0; i < 3; ++i) free(inputs[i]);
  free(own);
  free(samples);
}

T_STORY(export, json_imports_again_to_the_same_rows, 120) {
  import_sources();
  json_t *list = t_sql("artifact.db", "SELECT max(local_conversation_id) AS id"
                                      " FROM local_conversations");
  t_do(0, "set", t_text_at(json_array_get(list, 0), "id"), "--title", "The owner's title");
  json_decref(list);
  t_do(0, "export", "--all", "--json", "-o", OUT "one.json");
  t_do(0, "--data", OTHER, "import", OUT "one.json");
  t_do(0, "--data", OTHER, "export", "--all", "--json", "-o", OUT "two.json");
  check_same_file(OUT "one.json", OUT "two.json", false);
  check_same_rows();
  /* Here nothing is new, and there the second time. */
  json_t *line = t_import(0, OUT "one.json");
  T_CHECK(t_int_at(line, "new", -1) == 0 && t_int_at(line, "updated", -1) == 0 &&
              t_int_at(line, "failed", -1) == 0,
          "%s", json_dumps(line, 0));
  json_decref(line);
  t_do(0, "--data", OTHER, "import", OUT "one.json");
  t_do(0, "--data", OTHER, "export", "--all", "--json", "-o", OUT "three.json");
  check_same_file(OUT "two.json", OUT "three.json", true);
  t_do(0, "--data", OTHER, "doctor");
}

/* ---- folders and zips ---- */

static void say(const char *conversation, const char *title, const char *text) {
  t_import_lines(0,
                 "{'platform':'chatgpt','conversation_id':'%s','message_id':'m-%s','role':'user',"
                 "'text':'%s','page_title':'%s','observed_at':1767348000000}\n",
                 conversation, conversation, text, title);
}

static void unzip(const char *file, const char *folder) {
  struct archive *a = archive_read_new();
  struct archive_entry *entry;
  archive_read_support_format_zip(a);
  T_CHECK(archive_read_open_filename(a, file, 10240) == ARCHIVE_OK, "%s: %s", file,
          archive_error_string(a));
  while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
    struct ck_buf bytes = {0};
    la_ssize_t n;
    while ((n = archive_read_data(a, ck_buf_room(&bytes, 65536), 65536)) > 0)
      bytes.len += (size_t)n;
    char *path = ck_sprintf("%s/%s", folder, archive_entry_pathname_utf8(entry));
    T_CHECK(n == 0 && bytes.len > 1000, "%s: %zu bytes", path, bytes.len);
    t_write_file(path, bytes.data, bytes.len);
    free(path);
    ck_buf_free(&bytes);
  }
  archive_read_free(a);
}

/* So many files, whose names every system takes, and takes for different ones. */
static void check_names(const char *folder, const char *ending, size_t count) {
  char *pattern = ck_sprintf("%s/*", folder);
  glob_t files = {0};
  glob(pattern, 0, NULL, &files);
  T_CHECK(files.gl_pathc == count, "%s has %zu files, not %zu", folder, files.gl_pathc, count);
  for (size_t i = 0; i < files.gl_pathc; ++i) {
    const char *name = strrchr(files.gl_pathv[i], '/') + 1, *end = strrchr(name, '.');
    T_CHECK(strncmp(name, "2026-01-02", 10) == 0 && strcmp(end, ending) == 0 &&
                !strpbrk(name, "\\:*?\"<>|") && !strstr(name, "..") && end[-1] != ' ',
            "a file is called %s", name);
    for (size_t k = 0; k < i; ++k)
      T_CHECK(strcasecmp(name, strrchr(files.gl_pathv[k], '/') + 1) != 0, "%s is there twice",
              name);
  }
  globfree(&files);
  free(pattern);
}

T_STORY(export, names_are_safe_and_no_file_is_written_twice, 60) {
  say("a", "Plan: a/b \\\\ c? <d>", "one");
  say("b", "Plan a b c d", "two");
  say("c", "PLAN A B C D", "three");
  say("d", "..", "four");
  say("e", "../../etc/passwd", "five");
  say("f", "CON", "six");
  say("g", "con.", "seven");
  t_do(0, "export", "--all", "--md", "-o", OUT "md");
  check_names(OUT "md", ".md", 7);
  T_CHECK(t_exists(OUT "md/2026-01-02 etc passwd.md"), "a name is not what it was");
  t_do(0, "export", "--all", "--html", "-o", OUT "all.zip");
  t_do(1, "export", "--all", "--html", "-o", OUT "all.zip");
  t_do(0, "export", "--all", "--html", "-o", OUT "all.zip", "--force");
  T_CHECK(mkdir(OUT "zip", 0700) == 0, "mkdir");
  unzip(OUT "all.zip", OUT "zip");
  check_names(OUT "zip", ".html", 7);
  t_do(0, "export", "--until", "2026-01-03", "--txt", "-o", OUT "txt/");
  check_names(OUT "txt", ".txt", 7);
  t_do(0, "export", "--all", "--since", "2026-01-03", "--json", "-o", OUT "none/");
  check_names(OUT "none", ".json", 0);
}

/* ---- whole, or not there ---- */

static void refused(const char *part, const char *const words[]) {
  struct t_result r = t_convkeep_words(NULL, words);
  T_CHECK(r.code != 0 && strstr(r.err, part), "ended with %d: %s", r.code, r.err);
  t_result_free(&r);
  glob_t parts = {0};
  T_CHECK(glob(OUT "*.part*", 0, NULL, &parts) == GLOB_NOMATCH, "%s is left", parts.gl_pathv[0]);
  globfree(&parts);
}
#define t_refused(part, ...) refused(part, (const char *const[]){"export", __VA_ARGS__, NULL})

T_STORY(export, nothing_half_is_left, 60) {
  say("a", "A", "one");
  say("b", "B", "two");
  T_CHECK(mkdir(OUT "there", 0700) == 0, "mkdir");
  t_write_text(OUT "there/file", "x");
  t_write_text(OUT "file", "precious");
  t_refused("not empty", "--all", "--md", "-o", OUT "there");
  t_refused("is a file", "--all", "--md", "-o", OUT "file");
  t_refused("is a folder", "chatgpt:a", "--md", "-o", OUT "there");
  t_refused("--force", "chatgpt:a", "--md", "-o", OUT "file");
  t_refused("No such file", "chatgpt:a", "--md", "-o", OUT "nowhere/file");
  t_refused("name a FOLDER/", "--all", "--md", "-o", OUT "two.md");
  t_do(0, "export", "chatgpt:a", "--md", "-o", "-");
  T_CHECK(!t_exists("-") && !t_exists(OUT "two.md"), "a name is taken for another kind of thing");
  t_refused("no such conversation", "chatgpt:z", "--md", "-o", OUT "z.md");
  t_refused("--branch 2 is not", "chatgpt:a", "--md", "--branch", "2", "-o", OUT "z.md");
  T_CHECK(!t_exists(OUT "z.md"), "a file of nothing is there");
  t_refused("say --md", "chatgpt:a");
  t_refused("only one of", "chatgpt:a", "--md", "--html");
  t_refused("-o FOLDER", "--all", "--md");
  t_refused("or --all", "--md");
  t_refused("goes with --all", "chatgpt:a", "--since", "2026", "--md");
  struct ck_buf file = {0};
  ck_read_file(AT_FDCWD, OUT "file", 0, 100, &file, NULL);
  T_CHECK(file.len == 8, "a refused export has written");
  ck_buf_free(&file);
  struct stat st;
  T_CHECK(chmod(OUT "file", 0640) == 0, "chmod");
  t_do(0, "export", "chatgpt:a", "--md", "-o", OUT "file", "--force");
  T_CHECK(stat(OUT "file", &st) == 0 && st.st_size > 8 && (st.st_mode & 07777) == 0640,
          "replaced with the mode %o", (unsigned)st.st_mode);
}

/* Runs a line of a shell, in which $0 is convkeep: fails with this in what it says. */
static void fails(const char *line, const char *part) {
  char *program = ck_sprintf("%s/bin/convkeep", t_build());
  struct t_result r =
      t_run("sh", NULL, 60000, (const char *const[]){"/bin/sh", "-c", line, program, NULL});
  T_CHECK(strstr(r.err, part) && strstr(r.err, "code 1"), "%s says %s", line, r.err);
  t_result_free(&r);
  free(program);
}

T_STORY(export, what_cannot_be_written_is_said, 60) {
  char *text = ck_alloc(200001);
  uint32_t chance = 1; /* so that it does not become small in a zip */
  for (size_t i = 0; i < 200000; ++i) {
    chance = chance * 1103515245u + 12345u;
    text[i] = (char)('a' + (chance >> 16) % 26);
  }
  text[200000] = '\0';
  say("a", "A", text);
  say("b", "B", text);
  free(text);
  t_daemon("store", NULL);
  /* The first of the two is more than a pipe takes, so it is being written. */
  fails("mkfifo ../out/pipe; $0 export --all --json >../out/pipe & exec 3<../out/pipe;"
        " head -c 1 <&3 >../out/begun; kill -TERM $!; cat <&3 >../out/rest; wait $!;"
        " echo code $? >&2",
        "what was written is not all");
  fails("$0 export --all --json >/dev/full; echo code $? >&2", "No space left");
  fails("{ sleep 1; $0 export chatgpt:a --md; echo code $? >&2; } | true", "Broken pipe");
  static const char *const forms[] = {"-o ../out/a.md chatgpt:a", "-o ../out/a.zip --md --all",
                                      "-o ../out/a/ --html --all", "-o ../out/a.json --all"};
  for (size_t i = 0; i < 4; ++i) {
    char *line = ck_sprintf("trap '' XFSZ; ulimit -f 8; $0 export %s; echo code $? >&2", forms[i]);
    fails(line, "File too large");
    free(line);
    glob_t left = {0};
    T_CHECK(glob(OUT "a.*", 0, NULL, &left) == GLOB_NOMATCH && !t_exists(OUT "a"), "%s left %s",
            forms[i], left.gl_pathc ? left.gl_pathv[0] : "the folder");
    globfree(&left);
  }
}
