/* import takes what people download: folders, archives, compressed files. */
#include <archive.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/archive.h"
#include "tests/harness/ring.h"

#define CHAT(id) \
  "[{\"uuid\":\"c" id "\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":\"m" id \
  "\",\"text\":\"t\",\"sender\":\"human\",\"created_at\":\"2026-01-01T00:00:00Z\"}]}]"
#define USERS "[{\"uuid\":\"u\",\"full_name\":\"n\",\"email_address\":\"e\"}]"

#define TEXT(name, text) \
  { name, CK_LIT(text) }

static void write_packed(const char *path, int format, int filter, const struct t_member *files,
                         size_t n) {
  struct ck_buf b = t_archive(format, filter, files, n);
  t_write_file(path, b.data, b.len);
  ck_buf_free(&b);
}

static int64_t sum(json_t *lines, const char *member) {
  size_t i;
  json_t *line;
  int64_t total = 0;
  json_array_foreach(lines, i, line) total += t_int_at(line, member, 0);
  return total;
}

static json_t *line_named(json_t *lines, const char *file) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) if (strcmp(t_text_at(line, "file"), file) == 0) return line;
  T_FAIL("no line for %s: %s", file, json_dumps(lines, 0));
  return NULL;
}

/* The export as it is downloaded: shards, files without messages, files of other kinds. */
T_STORY(import_paths, a_zip_as_it_was_downloaded, 60) {
  const struct t_member files[] = {TEXT("conversations-000.json", CHAT("1")),
                                   TEXT("conversations-001.json", CHAT("2")),
                                   TEXT("users.json", USERS),
                                   TEXT("chat.html", "<html>"),
                                   TEXT("pictures/a.png", "PNG a"),
                                   TEXT("pictures/b.png", "PNG b"),
                                   TEXT("../../climbs.json", CHAT("3")),
                                   TEXT("notes.json", "{\"a\":1}")};
  t_up();
  write_packed("export.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 8);
  json_t *lines = t_lines(0, "import", "export.zip");
  T_CHECK(sum(lines, "new") == 5 && sum(lines, "failed") == 0, "%s", json_dumps(lines, 0));
  T_CHECK(json_is_true(t_at(line_named(lines, "export.zip: users.json"), "skipped")),
          "users.json is not skipped");
  T_CHECK(json_is_true(t_at(line_named(lines, "export.zip: notes.json"), "skipped")),
          "notes.json is not skipped");
  T_CHECK(sum(lines, "other_files") == 1, "other files: %s", json_dumps(lines, 0));
  json_decref(lines);
  T_CHECK(!t_exists("../climbs.json") && !t_exists("../../climbs.json"), "a member was written");
  T_CHECK(t_count("messages") == 3, "%lld messages", (long long)t_count("messages"));
  lines = t_lines(0, "import", "export.zip");
  T_CHECK(sum(lines, "unchanged") == 5 && sum(lines, "new") == 0, "again: %s",
          json_dumps(lines, 0));
  json_decref(lines);
}

T_STORY(import_paths, compressed_files_and_archives_in_archives, 60) {
  const struct t_member one = TEXT("conversations.json", CHAT("1")),
                        two = TEXT("conversations.json", CHAT("2")), three = TEXT("any", CHAT("3"));
  struct ck_buf inner = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, &one, 1);
  const struct t_member outer[] = {{"batch-0000.zip", ck_buf_view(&inner)}};
  t_up();
  write_packed("outer.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, outer, 1);
  write_packed("two.tar.zst", ARCHIVE_FORMAT_TAR, ARCHIVE_FILTER_ZSTD, &two, 1);
  write_packed("three", 0, ARCHIVE_FILTER_GZIP, &three, 1);
  json_t *lines = t_lines(0, "import", "outer.zip", "two.tar.zst", "three");
  T_CHECK(t_int_at(line_named(lines, "outer.zip: batch-0000.zip: conversations.json"), "new", 0) ==
              1,
          "%s", json_dumps(lines, 0));
  T_CHECK(t_int_at(line_named(lines, "two.tar.zst: conversations.json"), "new", 0) == 1, "%s",
          json_dumps(lines, 0));
  T_CHECK(t_int_at(line_named(lines, "three"), "new", 0) == 1, "%s", json_dumps(lines, 0));
  json_decref(lines);
  ck_buf_free(&inner);
}

T_STORY(import_paths, an_archive_from_a_pipe, 60) {
  const struct t_member one = TEXT("conversations.json", CHAT("1"));
  write_packed("one.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, &one, 1);
  struct t_result r = t_import_pipe("one.zip");
  json_t *line = json_loads(r.out, JSON_DISABLE_EOF_CHECK, NULL);
  T_CHECK(r.code == 0 && t_int_at(line, "new", 0) == 1, "%s%s", r.out, r.err);
  t_result_free(&r);
  json_decref(line);
}

T_STORY(import_paths, a_folder_and_what_is_below_it, 60) {
  const struct t_member three = TEXT("any", CHAT("3"));
  mkdir("in", 0700);
  mkdir("in/deep", 0700);
  t_write_text("in/b.json", CHAT("1"));
  t_write_text("in/deep/a.json", CHAT("2"));
  t_write_text("in/picture.png", "PNG");
  t_write_text("outside.json", CHAT("4"));
  write_packed("in/c.json.gz", 0, ARCHIVE_FILTER_GZIP, &three, 1);
  T_CHECK(symlink("../outside.json", "in/link.json") == 0, "symlink");
  t_up();
  json_t *lines = t_lines(0, "import", "in");
  T_CHECK(sum(lines, "new") == 4 && sum(lines, "failed") == 0, "%s", json_dumps(lines, 0));
  T_CHECK(t_int_at(line_named(lines, "in"), "new", 0) == 1, "%s", json_dumps(lines, 0));
  json_t *others = json_array_get(lines, json_array_size(lines) - 1);
  T_CHECK(t_int_at(others, "other_files", 0) == 1 &&
              t_int_at(t_at(others, "by_ending"), "symbolic link", 0) == 1,
          "the link is not counted: %s", json_dumps(lines, 0));
  T_CHECK(strcmp(t_text_at(lines, "0.file"), "in/b.json") == 0, "not in the order of the names: %s",
          json_dumps(lines, 0));
  json_decref(lines);
  T_CHECK(symlink("../outside.json", "in/other_link.json") == 0, "symlink");
  struct t_result r = t_convkeep("import", "in");
  T_CHECK(r.code == 0 && strstr(r.out, ": 2 symbolic links\n"), "%d: %s", r.code, r.out);
  t_result_free(&r);
}

/* What should have gone in and did not is a failure, also in an archive; the rest goes in. */
T_STORY(import_paths, damage_is_a_failure_of_its_own, 60) {
  const struct t_member files[] = {TEXT("conversations.json", "[{\"what\":1}]"),
                                   TEXT("conversations (1).json", "[{\"what\":2}]"),
                                   TEXT("my conversations.json", "[{\"what\":3}]"),
                                   TEXT("more.json", CHAT("1"))};
  t_up();
  write_packed("some.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 4);
  json_t *lines = t_lines(1, "import", "some.zip");
  T_CHECK(sum(lines, "new") == 1 && sum(lines, "failed") == 2, "%s", json_dumps(lines, 0));
  json_decref(lines);
  t_write_text("broken.zip", "PK\3\4 this is none");
  lines = t_lines(1, "import", "broken.zip", "no-such-file.zip");
  T_CHECK(sum(lines, "failed") == 2, "%s", json_dumps(lines, 0));
  json_decref(lines);
}

/* The beginning of a file that breaks off goes in, and the file is a failure. */
T_STORY(import_paths, what_stands_before_a_damage_goes_in, 60) {
  struct ck_buf text = {0};
  uint32_t x = 1;
  for (int i = 0; i < 2000; ++i) {
    ck_buf_printf(
        &text, "{\"platform\":\"p\",\"conversation_id\":\"c\",\"message_id\":\"m%d\",\"text\":\"",
        i);
    for (int k = 0; k < 20; ++k) ck_buf_printf(&text, "%08x", x = x * 1664525 + 1013904223);
    ck_buf_text(&text, "\"}\n");
  }
  const struct t_member one = {"log.jsonl", ck_buf_view(&text)};
  struct ck_buf packed = t_archive(0, ARCHIVE_FILTER_GZIP, &one, 1);
  t_up();
  t_write_file("log.jsonl.gz", packed.data, packed.len / 2);
  json_t *lines = t_lines(1, "import", "log.jsonl.gz");
  T_CHECK(sum(lines, "new") > 990 && sum(lines, "new") < 1010 && sum(lines, "failed") >= 1, "%s",
          json_dumps(lines, 0));
  T_CHECK(strstr(t_text_at(lines, "0.error"), "cut off at byte"), "%s", json_dumps(lines, 0));
  json_decref(lines);
  t_write_file("log.jsonl.gz", packed.data, packed.len);
  lines = t_lines(0, "import", "log.jsonl.gz");
  T_CHECK(sum(lines, "new") + sum(lines, "unchanged") == 2000, "%s", json_dumps(lines, 0));
  json_decref(lines);
  ck_buf_free(&packed);
  ck_buf_free(&text);
}

/* `import export/` with a star after it names what holds no messages, too. */
T_STORY(import_paths, files_that_a_shell_names, 60) {
  t_write_text("chat.html", "<html>");
  t_write_text("sora.json", "{\"generations\":[{\"id\":\"gen_1\"}]}");
  t_write_text("a.png", "\x89PNG");
  t_write_text("b.pdf", "%PDF-1.4");
  t_write_text("file-Lp8qkpA7PBzrPMkzs8qDsJ.dat", "\1\2\3");
  t_write_text("conversations.json", CHAT("1"));
  t_up();
  json_t *lines = t_lines(0, "import", "chat.html", "sora.json", "a.png", "b.pdf",
                          "file-Lp8qkpA7PBzrPMkzs8qDsJ.dat", "conversations.json");
  T_CHECK(sum(lines, "new") == 1 && sum(lines, "failed") == 0, "%s", json_dumps(lines, 0));
  json_decref(lines);
  t_write_text("chat.txt", "somebody: hello\n");
  lines = t_lines(1, "import", "chat.txt");
  T_CHECK(sum(lines, "failed") == 1, "%s", json_dumps(lines, 0));
  json_decref(lines);
}

/* Names are bytes: of another encoding, on the disk and in archives; they are shown as text, and
 * the files go in. */
T_STORY(import_paths, names_that_are_not_utf8, 60) {
  const struct t_member files[] = {TEXT("gespr\xe4"
                                        "che/conversations.json",
                                        CHAT("1")),
                                   TEXT("gespr\xe4"
                                        "che/bild-\xff.png",
                                        "PNG")};
  t_up();
  mkdir("in-\xe9", 0700);
  write_packed("in-\xe9/t\xff.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 2);
  t_write_text("in-\xe9/file-Lp8qkpA7PBzrPMkzs8qDsJ-\xfe.png", "other PNG");
  json_t *lines = t_lines(0, "import", "in-\xe9");
  T_CHECK(sum(lines, "new") == 3 && sum(lines, "failed") == 0, "%s", json_dumps(lines, 0));
  json_decref(lines);
  lines = t_lines(0, "import", "in-\xe9");
  T_CHECK(sum(lines, "new") == 0 && sum(lines, "unchanged") == 3, "%s", json_dumps(lines, 0));
  json_decref(lines);
}

/* What cannot be read, or is nothing, is told by its right name. */
T_STORY(import_paths, encrypted_empty_and_plain_tar, 60) {
  const struct t_member one = TEXT("conversations.json", CHAT("1"));
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, &one, 1);
  t_up();
  char *entry = memmem(b.data, b.len, "PK\1\2", 4);
  b.data[6] |= 1; /* the flag that says so, at both places */
  entry[8] |= 1;
  t_write_file("secret.zip", b.data, b.len);
  ck_buf_free(&b);
  struct t_result r = t_convkeep("import", "secret.zip");
  T_CHECK(r.code == 1 && strstr(r.err, "it is encrypted"), "%d %s", r.code, r.err);
  t_result_free(&r);
  write_packed("nothing.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL, 0);
  mkdir("nothing", 0700);
  json_t *lines = t_lines(0, "import", "nothing.zip", "nothing");
  T_CHECK(json_array_size(lines) == 2 && json_is_true(t_at(lines, "0.skipped")) &&
              json_is_true(t_at(lines, "1.skipped")),
          "%s", json_dumps(lines, 0));
  json_decref(lines);
  write_packed("plain.tar", ARCHIVE_FORMAT_TAR, ARCHIVE_FILTER_NONE, &one, 1);
  lines = t_lines(0, "import", "plain.tar");
  T_CHECK(sum(lines, "new") == 1, "%s", json_dumps(lines, 0));
  json_decref(lines);
}
