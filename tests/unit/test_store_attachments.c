/* Attachments: parts become files that are whole, or nothing; whatever comes twice, is missing or
 * lies. */
#include "test_store_apply.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/sha256.h"
#include "store/files/attachments.h"

#define PART CK_ATTACHMENT_PART

/* A file of n bytes, and its hash. */
struct blob {
  char *bytes;
  size_t n;
  char hash[CK_SHA256_HEX + 1];
};

static struct ck_arena blobs; /* lives as long as the test */

static struct blob blob_of(size_t n, char first) {
  struct blob b = {ck_arena_get(&blobs, n + 1), n, ""};
  struct ck_sha256 sum;
  for (size_t i = 0; i < n; ++i) b.bytes[i] = (char)(first + (char)(i * 7 % 251));
  ck_sha256_begin(&sum);
  ck_sha256_add(&sum, (struct ck_str){b.bytes, n});
  ck_sha256_end_hex(&sum, b.hash);
  return b;
}

static char take_as(const struct blob *b, uint64_t part, const char *name, bool here) {
  struct ck_buf data = {0};
  size_t at = part * PART, n = b->n - at < PART ? b->n - at : PART;
  struct ck_mutation m = {.kind = CK_OP_ATTACHMENT};
  if (here)
    ck_put_nil(&data);
  else
    ck_put_str(&data, (struct ck_str){b->bytes + at, n});
  m.as.attachment = (struct ck_attachment){
      ck_str_of(b->hash), b->n, part, ck_str_of(name), CK_LIT("file-1"), CK_LIT("image/png"),
      ck_buf_view(&data)};
  sh_mutate(&s, &m);
  char result = sh_apply(&s);
  ck_buf_free(&data);
  return result;
}

static char take(const struct blob *b, uint64_t part) { return take_as(b, part, "a.png", false); }

static void commit(void) { cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text); }

static void is_there(const struct blob *b, bool there) {
  struct ck_err err;
  int folder = open("attachments", O_RDONLY | O_DIRECTORY);
  enum ck_attachment_state state =
      folder < 0 ? CK_ATTACHMENT_MISSING
                 : ck_attachment_verify(folder, ck_str_of(b->hash), b->n, NULL, NULL, &err);
  cr_expect_eq(state, there ? CK_ATTACHMENT_SOUND : CK_ATTACHMENT_MISSING);
  if (folder >= 0) close(folder);
}

static int64_t rows(void) { return sh_int(&s, "SELECT count(*) FROM attachments"); }

static void part_path(char path[128], const struct blob *b) {
  snprintf(path, 128, "attachments/%s" CK_ATTACHMENT_PART_END, b->hash);
}

Test(apply, an_attachment_of_one_part) {
  struct blob b = blob_of(1000, 'a'), empty = blob_of(0, 'a');
  cr_expect_eq(take(&b, 0), 'n', "%s", s.reason.text);
  cr_expect_eq(take(&empty, 0), 'n', "%s", s.reason.text);
  commit();
  is_there(&b, true);
  is_there(&empty, true);
  cr_expect_eq(take(&b, 0), '=');
  cr_expect_eq(take_as(&b, 0, "b.png", true), 'u', "%s", s.reason.text);
  cr_expect_eq(take_as(&b, 0, "b.png", true), '=');
  commit();
  cr_expect_eq(rows(), 2);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attachment_names WHERE file = 'file-1'"), 3);
}

Test(apply, an_attachment_in_parts_also_over_restarts) {
  struct blob b = blob_of(3 * PART + 5, 'b');
  for (uint64_t part = 0; part < 4; ++part) {
    is_there(&b, false);
    cr_expect_eq(rows(), 0);
    cr_expect_eq(take(&b, part), part == 3 ? 'n' : '=', "%s", s.reason.text);
    commit();
    if (part < 3) sh_reopen(&s);
  }
  is_there(&b, true);
  char path[128];
  part_path(path, &b);
  cr_expect_eq(access(path, F_OK), -1, "the parts are still there");
}

Test(apply, what_a_failed_commit_wrote_comes_again) {
  struct blob b = blob_of(2 * PART, 'c');
  for (int round = 0; round < 2; ++round) {
    cr_expect_eq(take(&b, 0), '=');
    if (round == 0) {
      apply_abandon(s.apply);
      s.begun = false;
    }
  }
  commit();
  cr_expect_eq(take(&b, 1), 'n', "%s", s.reason.text);
  apply_abandon(s.apply);
  s.begun = false;
  is_there(&b, false);
  cr_expect_eq(take(&b, 1), 'n', "%s", s.reason.text);
  commit();
  is_there(&b, true);
}

/* The file had its name already when the commit failed: the last part comes again alone. */
Test(apply, a_file_without_its_row_is_taken_when_its_last_part_comes) {
  struct blob b = blob_of(2 * PART, 'd');
  take(&b, 0);
  take(&b, 1);
  commit();
  cr_assert_eq(
      sqlite3_exec(s.db, "DELETE FROM attachments; DELETE FROM attachment_names", NULL, NULL, NULL),
      SQLITE_OK);
  sh_reopen(&s);
  cr_expect_eq(take(&b, 1), 'n', "%s", s.reason.text);
  commit();
  is_there(&b, true);
}

Test(apply, missing_parts_are_said_once) {
  struct blob b = blob_of(3 * PART, 'e');
  cr_expect_eq(take(&b, 1), '=');
  cr_expect_eq(take(&b, 2), 'r');
  cr_expect(strstr(s.reason.text, "missing"), "%s", s.reason.text);
  commit();
  is_there(&b, false);
  cr_expect_eq(take_as(&b, 0, "x", true), 'r', "it is not here");
  for (uint64_t part = 0; part < 3; ++part) take(&b, part);
  commit();
  is_there(&b, true);
}

Test(apply, bytes_with_another_hash_are_refused_and_deleted) {
  struct blob b = blob_of(PART + 1, 'f'), other = blob_of(PART + 1, 'g');
  char path[128];
  memcpy(other.hash, b.hash, sizeof b.hash);
  take(&other, 0);
  cr_expect_eq(take(&other, 1), 'r');
  commit();
  part_path(path, &b);
  cr_expect_eq(access(path, F_OK), -1);
  cr_expect_eq(rows(), 0);
  for (uint64_t part = 0; part < 2; ++part) take(&b, part);
  commit();
  is_there(&b, true);
}

/* A longer file of parts, of somebody who lied and never came to an end. */
Test(apply, what_is_behind_the_last_byte_is_cut_off) {
  struct blob b = blob_of(PART + 1, 'h');
  char path[128];
  cr_assert_eq(take(&b, 0), '=');
  commit();
  part_path(path, &b);
  cr_assert_eq(truncate(path, 5 * (off_t)PART), 0);
  sh_reopen(&s);
  cr_expect_eq(take(&b, 1), 'n', "%s", s.reason.text);
  commit();
  is_there(&b, true);
}

Test(apply, a_file_that_somebody_deleted_is_made_again) {
  struct blob b = blob_of(10, 'i');
  char path[CK_ATTACHMENT_PATH], whole[128];
  take(&b, 0);
  commit();
  ck_attachment_path(path, ck_str_of(b.hash), true);
  snprintf(whole, sizeof whole, "attachments/%s", path);
  cr_assert_eq(unlink(whole), 0);
  cr_expect_eq(take_as(&b, 0, "x", true), 'r');
  cr_expect_eq(take(&b, 0), '=', "%s", s.reason.text);
  commit();
  is_there(&b, true);
}

/* More than have a descriptor each, in one commit; and the same one twice. */
Test(apply, many_attachments_in_one_commit) {
  for (int round = 0; round < 2; ++round)
    for (size_t n = 1; n <= 300; ++n) {
      struct blob b = blob_of(n, 'j');
      cr_expect_eq(take(&b, 0), round ? '=' : 'n', "%s", s.reason.text);
    }
  commit();
  cr_expect_eq(rows(), 300);
  for (size_t n = 1; n <= 300; n += 23) {
    struct blob b = blob_of(n, 'j');
    is_there(&b, true);
  }
}

Test(apply, no_link_and_no_folder_takes_the_place_of_an_attachment) {
  struct blob b = blob_of(10, 'k');
  char path[128];
  part_path(path, &b);
  cr_assert_eq(mkdir("attachments", 0700), 0);
  cr_assert_eq(symlink("../stolen", path), 0);
  cr_expect_eq(take(&b, 0), 0, "a link was followed");
  apply_abandon(s.apply);
  s.begun = false;
  cr_expect_eq(access("stolen", F_OK), -1);
  cr_assert_eq(unlink(path), 0);
  cr_expect_eq(take(&b, 0), 'n', "%s", s.reason.text);
  commit();
  is_there(&b, true);
}

static void is_bad(struct ck_attachment m, const char *reason) {
  struct ck_err err;
  struct ck_str data;
  bool here;
  cr_assert_eq(ck_attachment_check(&m, &data, &here, &err), -1, "%s", reason);
  cr_expect(strstr(err.text, reason), "%s", err.text);
}

Test(apply, an_attachment_that_cannot_be) {
  struct blob b = blob_of(3, 'l');
  const struct ck_attachment good = {ck_str_of(b.hash),
                                     3,
                                     0,
                                     CK_LIT("n"),
                                     CK_LIT(""),
                                     CK_LIT(""),
                                     CK_LIT("\xa3"
                                            "abc")};
  struct ck_attachment m = good;
  m.hash = CK_LIT("../../etc/passwd");
  is_bad(m, "hash");
  m = good;
  m.bytes = CK_ATTACHMENT_MAX + 1;
  is_bad(m, "too large");
  m = good;
  m.name = CK_LIT("");
  is_bad(m, "blank");
  m = good;
  m.part = 1;
  is_bad(m, "part");
  m.part = UINT64_MAX;
  is_bad(m, "part");
  m = good;
  m.bytes = 4;
  is_bad(m, "size");
  m = good;
  m.data = CK_LIT("\x03");
  is_bad(m, "size");
}
