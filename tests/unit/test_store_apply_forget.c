/* FORGET and REMEMBER: what goes, what is left, and what stays away. */
#include "test_store_apply.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/attachment.h"
#include "proto/file.h"

static struct ck_mutation forget_of(const char *kind, const char *id) {
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){ck_str_of(kind), ck_str_of(id), false};
  return m;
}

static struct ck_mutation remember_of(const char *kind, const char *id) {
  struct ck_mutation m = {.kind = CK_OP_REMEMBER};
  m.as.remember = (struct ck_remember){ck_str_of(kind), ck_str_of(id)};
  return m;
}

static int64_t count(const char *table) {
  char *sql = ck_sprintf("SELECT count(*) FROM %s", table);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n;
}

/* Puts what an export says of the conversation p:ID: two messages, the second below the first. */
static char put_conversation(const char *id) {
  char *json[] = {
      ck_sprintf("{'id':'%s1','platform':'p','conversation_id':'%s','role':'user',"
                 "'raw_text':'the secret','observed_at':500}",
                 id, id),
      ck_sprintf("{'id':'%s2','platform':'p','conversation_id':'%s','role':'assistant',"
                 "'raw_text':'answer','observed_at':600,'parent_id':'%s1'}",
                 id, id, id),
      ck_sprintf("{'instruction_id':'%se','message_id':'%s2','target':'t','tool':'x',"
                 "'params':'the secret','executed_at':600}",
                 id, id),
      ck_sprintf("{'id':'p:%s@1970-01-01','platform':'p','conversation_id':'%s','started_at':500,"
                 "'last_activity_at':600}",
                 id, id),
      ck_sprintf("{'local_conversation_id':'p:%s','platform':'p','title':'the secret',"
                 "'summary':'of the secret','last_message_id':'%s2','last_message_at':600}",
                 id, id),
      ck_sprintf("{'link_id':'%sl','local_conversation_id':'p:%s','platform':'p',"
                 "'remote_conversation_id':'%s','observed_at':600}",
                 id, id, id)};
  static const enum ck_table tables[] = {CK_MESSAGES, CK_MESSAGES,      CK_EXECUTIONS,
                                         CK_SESSIONS, CK_CONVERSATIONS, CK_LINKS};
  for (size_t i = 0; i < sizeof json / sizeof *json; ++i) {
    sh_put(&s, tables[i], json[i]);
    free(json[i]);
  }
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

/* The pages of the database, with those that are free, have no such text. */
static bool has_text(const char *text) {
  struct ck_err err;
  cr_assert_eq(db_exec(s.db, "PRAGMA wal_checkpoint(TRUNCATE)", &err), 0);
  struct ck_buf bytes = {0};
  cr_assert_eq(ck_read_file(AT_FDCWD, DB_FILE, 0, 16u << 20, &bytes, &err), 0, "%s", err.text);
  bool has = memmem(bytes.data, bytes.len, text, strlen(text));
  ck_buf_free(&bytes);
  return has;
}

Test(apply, a_conversation_is_forgotten) {
  cr_assert_eq(put_conversation("a"), 'n', "%s", s.reason.text);
  cr_assert_eq(put_conversation("b"), 'n', "%s", s.reason.text);
  sh_job(&s, "j", "p:a", "a2", "");
  uint64_t head = apply_head(s.apply);
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:a")), 'n', "%s", s.reason.text);
  cr_expect(apply_forgot(s.apply));
  cr_expect_eq(count("messages"), 2);
  cr_expect_eq(count("executions"), 1);
  cr_expect_eq(count("sessions"), 1);
  cr_expect_eq(count("local_conversations"), 1);
  cr_expect_eq(count("conversation_links"), 1);
  cr_expect_eq(count("renewal_jobs"), 0);
  cr_expect_eq(count("forgotten"), 8);
  ap_check_versions(head + 8);
  sh_check_keys(&s);
  cr_expect_eq(sh_int(&s, "SELECT messages = 2 AND executions = 1 AND renewal_jobs = 0 AND"
                          " forgotten = 8 FROM store"),
               1);
  cr_expect_eq(ap_mutate(forget_of("conversation", "p:a")), '=', "it is forgotten already");
  cr_expect(!apply_forgot(s.apply));
  ap_refused(forget_of("conversation", "p:c"), "there is no conversation 'p:c'");
  ap_refused(forget_of("thing", "p:a"), "forget.kind");
}

Test(apply, what_is_forgotten_stays_away_until_it_is_taken_back) {
  put_conversation("a");
  ap_mutate(forget_of("conversation", "p:a"));
  uint64_t head = apply_head(s.apply);
  cr_expect_eq(put_conversation("a"), '=', "%s", s.reason.text);
  const struct ck_counts *counts = apply_counts(s.apply);
  cr_assert(counts);
  cr_expect_eq(counts->forgotten, 2);
  cr_expect_eq(counts->added + counts->updated + counts->unchanged, 0);
  cr_expect_eq(sh_message(&s, "a3", 700, ",'conversation_id':'a'"), '=', "what came since, too");
  cr_expect_eq(apply_head(s.apply), head);
  cr_expect_eq(count("messages"), 0);
  sh_reopen(&s);
  cr_expect_eq(put_conversation("a"), '=', "also after a restart");
  ap_refused(remember_of("conversation", "p:b"), "nothing was forgotten");
  cr_expect_eq(ap_mutate(remember_of("conversation", "p:a")), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(remember_of("conversation", "p:a")), '=');
  cr_expect_eq(count("messages"), 0, "nothing comes back by that alone");
  cr_expect_eq(put_conversation("a"), 'n', "%s", s.reason.text);
  cr_expect_eq(count("messages"), 2);
  sh_check_keys(&s);
  cr_expect_eq(ap_mutate(forget_of("conversation", "p:a")), 'u', "and is forgotten again: %s",
               s.reason.text);
  cr_expect_eq(count("messages"), 0);
  cr_expect_eq(put_conversation("a"), '=');
}

Test(apply, a_message_is_forgotten) {
  put_conversation("a");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'p:a','automation_status':'auto'}");
  sh_apply(&s);
  sh_commit(&s);
  cr_assert_eq(ap_mutate(forget_of("message", "a2")), 'n', "%s", s.reason.text);
  sh_is(&s, CK_MESSAGES, "a2", "id", "none");
  sh_is(&s, CK_EXECUTIONS, "ae", "instruction_id", "none");
  sh_is(&s, CK_MESSAGES, "a1", "raw_text", "the secret");
  sh_is(&s, CK_CONVERSATIONS, "p:a", "last_message_id", "a1");
  sh_is(&s, CK_CONVERSATIONS, "p:a", "last_message_at", "500");
  sh_is(&s, CK_CONVERSATIONS, "p:a", "summary", "NULL");
  sh_is(&s, CK_CONVERSATIONS, "p:a", "automation_status", "paused");
  sh_is(&s, CK_SESSIONS, "p:a@1970-01-01", "message_count", "1");
  sh_is(&s, CK_SESSIONS, "p:a@1970-01-01", "execution_count", "0");
  cr_expect_eq(count("forgotten"), 2);
  cr_expect_eq(put_conversation("a"), '=', "%s", s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "p:a", "summary", "NULL");
  cr_expect_eq(apply_counts(s.apply)->forgotten, 1);
  sh_is(&s, CK_MESSAGES, "a2", "id", "none");
  sh_is(&s, CK_CONVERSATIONS, "p:a", "last_message_id", "a1");
  sh_is(&s, CK_SESSIONS, "p:a@1970-01-01", "message_count", "1");
  sh_check_keys(&s);
  ap_mutate(remember_of("message", "a2"));
  put_conversation("a");
  sh_is(&s, CK_CONVERSATIONS, "p:a", "summary", "of the secret");
}

Test(apply, the_id_of_a_forgotten_message_is_not_another_conversations) {
  put_conversation("a");
  ap_mutate(forget_of("message", "a1"));
  cr_expect_eq(sh_message(&s, "a1", 700, ",'conversation_id':'b'"), 'n', "%s", s.reason.text);
  cr_expect_eq(count("messages"), 2);
  sh_is(&s, CK_MESSAGES, "a1", "id", "none");
  cr_expect_eq(sh_message(&s, "a1", 700, ",'conversation_id':'a'"), '=');
}

Test(apply, what_was_forgotten_leaves_the_pages) {
  put_conversation("a");
  sh_put_aged(&s, CK_MESSAGES, 5000,
              "{'id':'a1','platform':'p','conversation_id':'a','role':'user',"
              "'raw_text':'another text in place of the first','observed_at':500}");
  sh_apply(&s);
  sh_commit(&s);
  cr_expect(has_text("the secret"));
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:a")), 'n', "%s", s.reason.text);
  cr_expect(!has_text("secret"));
  cr_expect(!has_text("another text"));
}

/* A text of message i in its edition e, 100 to 1100 bytes. */
static void edit(int i, int e) {
  char *words = ck_sprintf("[c%d-%d] ", i % 40, e);
  struct ck_buf text = {0};
  size_t most = 100 + (size_t)(i * 7919 + e * 104729) % 1000;
  while (text.len < most) ck_buf_text(&text, words);
  char *json = ck_sprintf("{'id':'m%d','platform':'p','conversation_id':'c%d','role':'user',"
                          "'raw_text':'%s','observed_at':500}",
                          i, i % 40, ck_buf_cstr(&text));
  sh_put_aged(&s, CK_MESSAGES, 1000 + e, json);
  free(json);
  free(words);
  ck_buf_free(&text);
}

/* The bytes between the list of a page's cells and the first of them are zeroes in every page of a
 * tree: where else could a row be that was moved away? */
static uint32_t page_with_more(void) {
  enum { PAGE = 4096, HEADER = 100 };
  struct ck_err err;
  struct ck_buf file = {0};
  uint32_t found = 0;
  cr_assert_eq(db_exec(s.db, "PRAGMA wal_checkpoint(TRUNCATE)", &err), 0);
  cr_assert_eq(ck_read_file(AT_FDCWD, DB_FILE, 0, 64u << 20, &file, &err), 0, "%s", err.text);
  for (size_t p = 0; p < file.len / PAGE && !found; ++p) {
    const unsigned char *page = (const unsigned char *)file.data + p * PAGE,
                        *head = page + (p ? 0 : HEADER);
    if (!memchr("\2\5\12\15", *head, 4)) continue;
    size_t from = (size_t)(head - page) + (*head < 8 ? 12 : 8) + 2u * (head[3] << 8 | head[4]),
           to = (size_t)(head[5] << 8 | head[6]);
    for (; from < to; ++from)
      if (page[from]) found = (uint32_t)p + 1;
  }
  ck_buf_free(&file);
  return found;
}

/* Edits move rows, and the pages of a tree are filled and emptied in no order. */
Test(apply, what_was_forgotten_leaves_pages_whose_cells_were_moved) {
  enum { MESSAGES = 1600, ROUNDS = 6, CONVERSATIONS = 40, FORGOTTEN = 15 };
  for (int c = 0; c < CONVERSATIONS; ++c) {
    char id[16];
    snprintf(id, sizeof id, "c%d", c);
    put_conversation(id);
  }
  for (int e = 0; e < ROUNDS; ++e)
    for (int k = 0; k < MESSAGES; ++k) {
      edit((k * 613 + e * 37) % MESSAGES, e);
      if (k % 40 < 39) continue;
      cr_assert(strchr("nu", sh_apply(&s)), "%s", s.reason.text);
      cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
    }
  cr_expect(has_text("[c3-"));
  for (int c = 0; c < FORGOTTEN; ++c) {
    char id[16];
    snprintf(id, sizeof id, "p:c%d", c);
    cr_assert_eq(ap_mutate(forget_of("conversation", id)), 'n', "%s", s.reason.text);
  }
  for (int c = 0; c < FORGOTTEN; ++c) {
    char text[16];
    snprintf(text, sizeof text, "[c%d-", c);
    cr_expect(!has_text(text), "%s is there", text);
  }
  cr_expect(has_text("[c20-"));
  cr_expect_eq(page_with_more(), 0, "page %u has what was moved away", page_with_more());
  sh_check_keys(&s);
  cr_expect_eq(
      sh_int(&s, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

#define ONLY_A "1111111111111111111111111111111111111111111111111111111111111111"
#define OF_BOTH "2222222222222222222222222222222222222222222222222222222222222222"

static bool has_file(const char *hash) {
  char path[CK_ATTACHMENT_PATH];
  int folder = ck_attachments_open(AT_FDCWD, true);
  ck_attachment_path(path, ck_str_of(hash), true);
  bool there = faccessat(folder, path, F_OK, 0) == 0;
  close(folder);
  return there;
}

static void make_file(const char *hash) {
  char path[CK_ATTACHMENT_PATH];
  int folder = ck_attachments_open(AT_FDCWD, true);
  ck_attachment_path(path, ck_str_of(hash), true);
  char *slash = strchr(path, '/');
  if (slash) {
    *slash = '\0';
    mkdirat(folder, path, 0700);
    *slash = '/';
  }
  int fd = openat(folder, path, O_CREAT | O_WRONLY, 0600);
  cr_assert_geq(fd, 0);
  close(fd);
  close(folder);
}

/* Ids are compared as what they are, not as they are written; and the files go after the commit. */
Test(apply, files_that_another_message_names_stay) {
  struct ck_err err;
  put_conversation("a");
  put_conversation("b");
  make_file(ONLY_A);
  make_file(OF_BOTH);
  cr_assert_eq(db_exec(s.db,
                       "INSERT INTO attachments VALUES ('" ONLY_A "', 1, 't', 1),"
                       " ('" OF_BOTH "', 1, 't', 1);"
                       "INSERT INTO attachment_names VALUES ('n', '" ONLY_A "', 'f1', 1),"
                       " ('n', '" OF_BOTH "', 'both1', 1);"
                       "UPDATE messages SET details ="
                       " '{\"attachments\":[7,{\"file\":\"f1\"},{\"file\":\"both1\"}]}'"
                       " WHERE id = 'a1';"
                       "UPDATE messages SET details ="
                       " '{\"attachments\":[{\"file\":\"bot\\u00681\",\"name\":\"f1\"}]}'"
                       " WHERE id = 'b1'",
                       &err),
               0, "%s", err.text);
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:a")), 'n', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attachments WHERE hash = '" OF_BOTH "'"), 1);
  cr_expect_eq(count("attachments"), 1);
  cr_expect_eq(count("forgotten_files"), 1);
  cr_expect(has_file(ONLY_A));
  sh_reopen(&s);
  cr_assert_eq(apply_delete_files(s.apply, &err), 0, "%s", err.text);
  cr_expect(!has_file(ONLY_A));
  cr_expect(has_file(OF_BOTH));
}

Test(apply, nothing_is_forgotten_while_an_attempt_is_under_way) {
  put_conversation("a");
  sh_job(&s, "j", "p:a", "a2", "");
  ap_mutate(ap_claim_of("j", "token", 1000));
  ap_refused(forget_of("conversation", "p:a"), "an attempt of the follow-up j is under way");
  ap_refused(forget_of("message", "a2"), "convkeep jobs cancel j");
  cr_expect_eq(count("messages"), 2);
  cr_expect_eq(count("forgotten"), 0);
  ap_mutate(ap_end_of("j", 1, "token", "done"));
  cr_expect_eq(ap_mutate(forget_of("message", "a2")), 'n', "%s", s.reason.text);
  cr_expect_eq(count("renewal_jobs"), 0);
  cr_expect_eq(count("attempts"), 0);
}

Test(apply, what_two_have_kept_out_stays_out_when_one_is_taken_back) {
  struct ck_err err;
  put_conversation("a");
  put_conversation("b");
  ap_mutate(forget_of("message", "a1"));
  cr_assert_eq(db_exec(s.db,
                       "INSERT INTO forgotten_originals VALUES (x'01', 'messages/a1');"
                       "INSERT INTO forgotten_logs VALUES (1, 'messages/a1')",
                       &err),
               0, "%s", err.text);
  ap_mutate(forget_of("message", "a2"));
  ap_mutate(forget_of("message", "b1"));
  ap_mutate(remember_of("message", "a1"));
  cr_expect_eq(count("forgotten_originals WHERE forgotten_with = 'messages/a2'"), 1);
  cr_expect_eq(count("forgotten_logs WHERE forgotten_with = 'messages/a2'"), 1);
  ap_mutate(remember_of("message", "a2"));
  cr_expect_eq(count("forgotten_originals"), 0);
  cr_expect_eq(count("forgotten_logs"), 0);
}

Test(apply, only_forget_writes_what_was_forgotten) {
  sh_refused(&s, "only FORGET", CK_FORGOTTEN,
             "{'forgotten_id':'messages/x','table_name':'messages','record_key':'x',"
             "'forgotten_with':'messages/x','forgotten_at':1}");
  sh_put(&s, CK_CONVERSATIONS, "{'local_conversation_id':'p:x','platform':'p'}");
  struct ck_mutation m = forget_of("conversation", "p:x");
  sh_mutate(&s, &m);
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "must be alone"), "%s", s.reason.text);
  sh_commit(&s);
}

/* ---- a conversation whose id says another one's home ---- */

static void put_linked(const char *id, const char *remote) {
  char *json[] = {
      ck_sprintf("{'local_conversation_id':'%s','platform':'p','title':'%s'}", id, remote),
      ck_sprintf("{'link_id':'l-%s','local_conversation_id':'%s','platform':'p',"
                 "'remote_conversation_id':'%s','observed_at':600}",
                 remote, id, remote)};
  sh_put(&s, CK_CONVERSATIONS, json[0]);
  sh_put(&s, CK_LINKS, json[1]);
  for (size_t i = 0; i < 2; ++i) free(json[i]);
  cr_assert_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  char *more = ck_sprintf(",'conversation_id':'%s'", remote), *key = ck_sprintf("m-%s", remote);
  cr_assert_eq(sh_message(&s, key, 600, more), 'n', "%s", s.reason.text);
  free(more);
  free(key);
}

/* What an export says of p:REMOTE. */
static char export_title(const char *remote, const char *message, const char *title) {
  char *json[] = {
      ck_sprintf("{'id':'%s','platform':'p','conversation_id':'%s','role':'user','raw_text':'t',"
                 "'observed_at':700}",
                 message, remote),
      ck_sprintf("{'local_conversation_id':'p:%s','platform':'p','title':'%s'}", remote, title)};
  sh_put_aged(&s, CK_MESSAGES, 5000, json[0]);
  sh_put_aged(&s, CK_CONVERSATIONS, 5000, json[1]);
  for (size_t i = 0; i < 2; ++i) free(json[i]);
  char letter = sh_apply(&s);
  cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  return letter;
}

Test(apply, a_forgotten_home_is_no_other_conversation_of_that_id) {
  put_linked("p:y", "z");
  put_linked("lc-a", "y");
  cr_assert_eq(ap_mutate(forget_of("conversation", "lc-a")), 'n', "%s", s.reason.text);
  sh_is(&s, CK_FORGOTTEN, "local_conversations/p:y", "record_key", "none");
  sh_is(&s, CK_FORGOTTEN, "remote_conversations/p:y", "conversation_id", "y");
  sh_is(&s, CK_CONVERSATIONS, "p:y", "title", "z");
  cr_expect_eq(export_title("z", "m-2", "another title"), 'n', "%s", s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "p:y", "title", "another title");
  cr_expect_eq(export_title("y", "m-3", "of the forgotten one"), '=', "%s", s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "p:y", "title", "another title");
  sh_is(&s, CK_MESSAGES, "m-3", "id", "none");
}

Test(apply, a_forgotten_conversation_is_no_other_ones_home) {
  put_linked("p:y", "z");
  put_linked("lc-a", "y");
  cr_assert_eq(ap_mutate(forget_of("conversation", "p:y")), 'n', "%s", s.reason.text);
  cr_expect_eq(export_title("y", "m-2", "another title"), 'n', "%s", s.reason.text);
  sh_is(&s, CK_CONVERSATIONS, "lc-a", "title", "another title");
  cr_expect_eq(export_title("z", "m-3", "of the forgotten one"), '=', "%s", s.reason.text);
  cr_expect_eq(count("local_conversations"), 1);
}

static char forget_absent(const char *id) {
  struct ck_mutation m = forget_of("conversation", id);
  m.as.forget.absent = true;
  return ap_mutate(m);
}

Test(apply, what_is_forgotten_and_absent_stays_away) {
  put_linked("lc-a", "y");
  cr_expect_eq(forget_absent("p:y"), 'n', "%s", s.reason.text);
  cr_expect_eq(export_title("y", "m-2", "t"), 'n', "it is another one's: %s", s.reason.text);
  cr_expect_eq(forget_absent("p:b"), 'n', "%s", s.reason.text);
  cr_expect_eq(put_conversation("b"), '=', "%s", s.reason.text);
}
