/* Originals: blocks that come in parts, what is refused, and which originals are whole. */
#include "test_store_apply.h"

#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "proto/sha256.h"
#include "store/originals/originals.h"

#define ID_A "00112233445566778899aabbccddeeff"
#define ID_B "ffeeddccbbaa99887766554433221100"
#define BLOCK_1 "11111111111111111111111111111111"
#define BLOCK_2 "22222222222222222222222222222222"
#define READER "chatgpt 1"

static struct ck_buf lists[8], data[8];
static int next;

/* An original of 10 bytes of the conversation r1. */
static struct ck_original original(const char *id, uint64_t at, uint64_t messages) {
  return (struct ck_original){ck_str_of(id),
                              at,
                              10,
                              CK_LIT("p"),
                              CK_LIT("r1"),
                              100,
                              ck_str_of(READER),
                              messages,
                              0,
                              0,
                              0,
                              0,
                              {0},
                              {0}};
}

static struct ck_mutation block(const char *id, uint64_t part, uint64_t parts,
                                const struct ck_original *originals, uint32_t n) {
  struct ck_mutation m = {.kind = CK_OP_BLOCK};
  struct ck_buf *list = &lists[next % 8], *bytes = &data[next++ % 8];
  ck_buf_clear(list);
  ck_buf_clear(bytes);
  ck_put_array(list, n);
  for (uint32_t i = 0; i < n; ++i) ck_original_encode(list, &originals[i]);
  ck_put_bin(bytes, CK_LIT("data"));
  m.as.block = (struct ck_block){ck_str_of(id),
                                 part,
                                 parts,
                                 20,
                                 ck_buf_view(bytes),
                                 part ? CK_LIT("\xc0") : ck_buf_view(list)};
  return m;
}

static int64_t there(const char *id) {
  char sql[200];
  snprintf(sql, sizeof sql,
           "SELECT count(*) FROM originals o JOIN blocks USING (block)"
           " WHERE state = 'whole' AND lower(hex(o.id)) = '%s'",
           id);
  return sh_int(&s, sql);
}

/* "state:messages" of each, as HAVE answers. */
static const char *have(const char *reader, const char *const *ids, uint32_t n) {
  static char said[200];
  struct ck_buf asked = {0}, had = {0};
  struct ck_err err = {{0}};
  const char *code;
  struct originals_reader *r = originals_reader_new(s.db, &err);
  cr_assert_not_null(r, "%s", err.text);
  ck_put_array(&asked, n);
  for (uint32_t i = 0; i < n; ++i) ck_put_text(&asked, ids[i]);
  struct ck_have q = {1, ck_str_of(reader), ck_buf_view(&asked)};
  cr_assert_eq(originals_have(r, &q, &had, &code, &err), 0, "%s", err.text);
  struct ck_reader list = ck_reader_of(ck_buf_view(&had));
  cr_assert(ck_read_array(&list, &n) == 0);
  said[0] = '\0';
  for (; n; --n) {
    struct ck_kept one;
    cr_assert_eq(ck_kept_decode(&list, &one, &err), 0);
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s%d:%d", *said ? " " : "",
             (int)one.state, (int)one.messages);
  }
  originals_reader_free(&r);
  ck_buf_free(&asked);
  ck_buf_free(&had);
  return said;
}

#define HAVE(reader, expected, ...) \
  do { \
    const char *const ids[] = {__VA_ARGS__}; \
    const char *said = have(reader, ids, sizeof ids / sizeof *ids); \
    cr_expect_str_eq(said, expected, "%s, not %s", said, expected); \
  } while (0)

Test(apply, a_block_is_there_with_its_last_part) {
  struct ck_original both[] = {original(ID_A, 0, 2), original(ID_B, 10, 1)};
  cr_expect_eq(ap_mutate(block(BLOCK_1, 0, 2, both, 2)), '=', "%s", s.reason.text);
  cr_expect_eq(there(ID_A), 0);
  HAVE(READER, "0:0 0:0", ID_A, ID_B);
  cr_expect_eq(ap_mutate(block(BLOCK_1, 1, 2, NULL, 0)), '=', "%s", s.reason.text);
  cr_expect_eq(there(ID_A), 1);
  cr_expect_eq(there(ID_B), 1);
  cr_expect_eq(sh_int(&s, "SELECT sum(length(data)) FROM block_parts"), 8);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals_grown"), 1, "r1 came twice");
  ap_check_versions(0);
}

/* A run of a log may stand in several files, in each at another place. */
Test(apply, the_last_place_of_a_run_counts) {
  struct ck_original a = original(ID_A, 0, 2);
  a.conversation = a.platform = (struct ck_str){0};
  static const int64_t ages[] = {40, 900, 7}, then[] = {40, 900, 900};
  for (size_t i = 0; i < 3; ++i) {
    a.age = ages[i];
    ap_mutate(block(i ? BLOCK_2 : BLOCK_1, 0, 1, &a, 1));
    cr_expect_eq(sh_int(&s, "SELECT age FROM originals"), then[i]);
  }
  struct ck_original b = original(ID_B, 0, 2);
  ap_mutate(block(BLOCK_2, 0, 1, &b, 1));
  b.age = 7;
  ap_mutate(block(BLOCK_2, 0, 1, &b, 1));
  cr_expect_eq(sh_int(&s, "SELECT min(age) FROM originals"), 7, "of a conversation what was read");
}

Test(apply, a_block_that_is_there_changes_nothing) {
  struct ck_original a = original(ID_A, 0, 2), both[] = {a, original(ID_B, 10, 1)};
  ap_mutate(block(BLOCK_1, 0, 1, &a, 1));
  cr_expect_eq(ap_mutate(block(BLOCK_1, 0, 1, &a, 1)), '=');
  cr_expect_eq(ap_mutate(block(BLOCK_2, 0, 1, &a, 1)), '=', "in another block");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM block_parts"), 1);
  ap_mutate(block(BLOCK_2, 0, 1, both, 2));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks"), 2, "one of it is new");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE block = 1"), 1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE block = 2"), 1);
}

Test(apply, a_part_of_a_block_nobody_needs_is_left_out) {
  struct ck_original a = original(ID_A, 0, 2);
  ap_mutate(block(BLOCK_1, 0, 1, &a, 1));
  cr_expect_eq(ap_mutate(block(BLOCK_2, 0, 2, &a, 1)), '=');
  cr_expect_eq(ap_mutate(block(BLOCK_2, 1, 2, NULL, 0)), '=', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM block_parts"), 1);
}

Test(apply, another_reader_is_noted_without_data) {
  struct ck_original a = original(ID_A, 0, 0), b = original(ID_B, 0, 9);
  ap_mutate(block(BLOCK_1, 0, 1, &a, 1));
  HAVE(READER, "2:0", ID_A);
  HAVE("chatgpt 2", "1:0", ID_A);
  a.reader = CK_LIT("chatgpt 2");
  cr_expect_eq(ap_mutate(block("", 0, 0, &a, 1)), '=', "%s", s.reason.text);
  HAVE("chatgpt 2", "2:0", ID_A);
  cr_expect_eq(ap_mutate(block("", 0, 0, &b, 1)), '=');
  HAVE(READER, "0:0", ID_B);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 1);
}

Test(apply, a_block_is_undone_with_its_changeset) {
  struct ck_original a = original(ID_A, 0, 2);
  struct ck_mutation m = block(BLOCK_1, 0, 1, &a, 1);
  sh_mutate(&s, &m);
  sh_put(&s, CK_MESSAGES, "{}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM block_parts"), 0);
}

Test(apply, a_malformed_block_is_refused) {
  struct ck_original a = original(ID_A, 0, 2), out = original(ID_A, 11, 2),
                     wide = original(ID_A, UINT64_MAX, 2), none = original("x", 0, 2);
  struct ck_mutation m = block(BLOCK_1, 0, 1, &a, 1);
  ap_refused(block("block", 0, 1, &a, 1), "block.block: must be 32 hexadecimal digits");
  ap_refused(block(BLOCK_1, 1, 1, &a, 1), "block.part");
  ap_refused(block(BLOCK_1, 0, UINT64_MAX, &a, 1), "block.part");
  ap_refused(block(BLOCK_1, 0, 1, &a, 0), "block.originals: must be an array that is not empty");
  ap_refused(block(BLOCK_1, 0, 1, &out, 1), "within the block");
  ap_refused(block(BLOCK_1, 0, 1, &wide, 1), "within the block");
  ap_refused(block(BLOCK_1, 0, 1, &none, 1), "block.originals: id");
  m.as.block.data = CK_LIT("\xa1x");
  ap_refused(m, "block.data");
  m.as.block.data = CK_LIT("\xc4\x00");
  ap_refused(m, "block.data");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks"), 0);
}

/* ---- whole ---- */

static void put_message(const char *id, const char *original) {
  char json[300];
  snprintf(json, sizeof json,
           "{'id':'%s','platform':'p','conversation_id':'r1','role':'user','raw_text':'x',"
           "'observed_at':10,'original':'%s'}",
           id, original);
  sh_put(&s, CK_MESSAGES, json);
}

/* Two messages and an execution of ID_A, with all that belongs to them. */
static void conversation_read(void) {
  struct ck_original a = original(ID_A, 0, 2);
  put_message("m1", ID_A);
  put_message("m2", ID_A);
  sh_put(&s, CK_EXECUTIONS,
         "{'instruction_id':'i1','message_id':'m1','target':'t','tool':'l','result_ok':1,"
         "'executed_at':10,'original':'" ID_A "'}");
  sh_put(&s, CK_SESSIONS,
         "{'id':'p-r1-1970-01-01','platform':'p','conversation_id':'r1','started_at':10,"
         "'last_activity_at':10}");
  sh_put(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','platform':'p'}");
  sh_put(&s, CK_LINKS,
         "{'link_id':'l1','local_conversation_id':'c1','platform':'p',"
         "'remote_conversation_id':'r1','observed_at':10}");
  a.executions = 1;
  struct ck_mutation m = block(BLOCK_1, 0, 1, &a, 1);
  sh_mutate(&s, &m);
  cr_assert_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  cr_assert_eq(sh_commit(&s), 0);
}

Test(apply, an_original_is_whole_while_all_it_gave_is_there) {
  static const char *const deleted[] = {"messages WHERE id = 'm2'", "executions",
                                        "conversation_links", "sessions"};
  conversation_read();
  HAVE(READER, "2:2 0:0", ID_A, ID_B);
  for (size_t i = 0; i < sizeof deleted / sizeof *deleted; ++i) {
    char sql[200];
    struct ck_err err;
    snprintf(sql, sizeof sql, "SAVEPOINT x; DELETE FROM %s", deleted[i]);
    cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
    cr_assert_eq(db_exec(s.db, "RELEASE x", &err), 0);
    HAVE(READER, "1:2", ID_A);
    sh_close(&s);
    sh_open(&s);
    conversation_read();
  }
}

Test(apply, an_original_whose_messages_came_again_is_not_whole) {
  struct ck_original b = original(ID_B, 0, 3);
  conversation_read();
  put_message("m1", ID_B);
  put_message("m2", ID_B);
  put_message("m3", ID_B);
  sh_put(&s, CK_SESSIONS,
         "{'id':'p-r1-1970-01-01','platform':'p','conversation_id':'r1','started_at':10,"
         "'last_activity_at':10}");
  struct ck_mutation m = block(BLOCK_2, 0, 1, &b, 1);
  sh_mutate(&s, &m);
  cr_assert_eq(sh_apply(&s), 'n', "%s", s.reason.text);
  sh_commit(&s);
  HAVE(READER, "1:2 2:3", ID_A, ID_B);
}

Test(apply, of_a_run_of_lines_every_conversation_must_be_there) {
  struct ck_original a = original(ID_A, 0, 2);
  struct ck_err err;
  a.platform = a.conversation = (struct ck_str){0};
  conversation_read();
  struct ck_mutation m = block("", 0, 0, &a, 1);
  a.executions = 1;
  m = block("", 0, 0, &a, 1);
  cr_expect_eq(ap_mutate(m), '=');
  HAVE(READER, "2:2", ID_A);
  cr_assert_eq(db_exec(s.db, "UPDATE messages SET conversation_id = 'r2' WHERE id = 'm2'", &err),
               0);
  HAVE(READER, "1:2", ID_A);
}

Test(apply, a_malformed_question_is_answered_so) {
  struct ck_err err = {{0}};
  struct ck_buf had = {0}, ids = {0};
  const char *code = "";
  struct originals_reader *r = originals_reader_new(s.db, &err);
  struct ck_have q = {1, CK_LIT(READER), CK_LIT("\xa1x")};
  cr_expect_eq(originals_have(r, &q, &had, &code, &err), -1);
  cr_expect_str_eq(code, "bad_request");
  ck_put_array(&ids, 1);
  ck_put_text(&ids, "00112233");
  q.originals = ck_buf_view(&ids);
  cr_expect_eq(originals_have(r, &q, &had, &code, &err), -1);
  cr_expect_str_eq(code, "bad_request");
  cr_expect(strstr(err.text, "32 hexadecimal digits"), "%s", err.text);
  ck_buf_free(&had);
  ck_buf_free(&ids);
  originals_reader_free(&r);
}

/* ---- the bytes ---- */

static struct ck_arena noises; /* lives as long as the test */

/* n bytes that compress badly, but not at all alike. */
static char *noise(size_t n) {
  char *bytes = ck_arena_get(&noises, n);
  for (size_t i = 0; i < n; ++i) bytes[i] = (char)('a' + sh_below(16));
  return bytes;
}

static void id_of(struct ck_str bytes, char id[CK_SHA256_HEX + 1]) {
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, bytes);
  ck_sha256_end_hex(&h, id);
  id[CK_ORIGINAL_ID] = '\0';
}

/* Puts them in one block, in parts of this size. ids: filled in. */
static void put_block(const struct ck_str *originals, uint32_t n, size_t part_bytes,
                      char ids[][CK_SHA256_HEX + 1]) {
  struct ck_buf all = {0}, list = {0}, packed = {0};
  char block_id[CK_SHA256_HEX + 1];
  ck_put_array(&list, n);
  for (uint32_t i = 0; i < n; ++i) {
    id_of(originals[i], ids[i]);
    struct ck_original o = original(ids[i], all.len, 0);
    o.bytes = originals[i].n;
    o.age = 100 + i;
    ck_original_encode(&list, &o);
    ck_buf_str(&all, originals[i]);
  }
  ZSTD_CCtx *z = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
  size_t room = ZSTD_compressBound(all.len);
  packed.len = ZSTD_compress2(z, ck_buf_room(&packed, room), room, all.data, all.len);
  ZSTD_freeCCtx(z);
  cr_assert(!ZSTD_isError(packed.len));
  id_of(ck_buf_view(&packed), block_id);
  uint64_t parts = (packed.len + part_bytes - 1) / part_bytes;
  for (uint64_t i = 0; i < parts; ++i) {
    struct ck_buf bin = {0};
    size_t from = i * part_bytes,
           bytes = packed.len - from < part_bytes ? packed.len - from : part_bytes;
    ck_put_bin(&bin, (struct ck_str){packed.data + from, bytes});
    struct ck_mutation m = {.kind = CK_OP_BLOCK};
    m.as.block = (struct ck_block){ck_str_of(block_id),
                                   i,
                                   parts,
                                   all.len,
                                   ck_buf_view(&bin),
                                   i ? CK_LIT("\xc0") : ck_buf_view(&list)};
    cr_assert_eq(ap_mutate(m), '=', "%s", s.reason.text);
    ck_buf_free(&bin);
  }
  ck_buf_free(&all);
  ck_buf_free(&list);
  ck_buf_free(&packed);
}

struct fetched {
  struct ck_buf body;
  struct ck_fetched answer;
  struct ck_str data;
  const char *code;
  struct ck_err err;
  int rc;
};

static struct fetched *fetch(struct originals_reader *r, const char *id, const char *conversation,
                             uint64_t at, uint64_t most) {
  static struct fetched f;
  ck_buf_clear(&f.body);
  f.data = (struct ck_str){0};
  struct ck_fetch q = {7, ck_str_of(id), CK_LIT("p"), ck_str_of(conversation), at, most};
  f.rc = originals_fetch(r, &q, &f.body, &f.answer, &f.code, &f.err);
  if (f.rc == 0) {
    struct ck_reader bin = ck_reader_of(f.answer.data);
    cr_assert_eq(ck_read_bin(&bin, &f.data), 0);
  }
  return &f;
}

static void fetch_all(struct originals_reader *r, const char *id, struct ck_str expected,
                      size_t piece) {
  struct ck_buf got = {0};
  while (got.len < expected.n) {
    const struct fetched *f = fetch(r, id, "", got.len, piece);
    cr_assert_eq(f->rc, 0, "%s", f->err.text);
    cr_assert_eq(f->answer.bytes, expected.n);
    cr_assert(f->data.n > 0 && f->data.n <= piece);
    ck_buf_str(&got, f->data);
  }
  cr_expect(ck_str_eq(ck_buf_view(&got), expected));
  cr_expect_eq(fetch(r, id, "", got.len, piece)->data.n, 0, "after the end");
  ck_buf_free(&got);
}

Test(apply, originals_come_back_byte_for_byte) {
  const size_t n = 3000000;
  struct ck_str all[] = {CK_LIT("{\"a\":1}"), {noise(n), n}, CK_LIT("x"), CK_LIT("\0\xff\r\n")};
  char ids[4][CK_SHA256_HEX + 1];
  struct ck_err err;
  struct originals_reader *r = originals_reader_new(s.db, &err);
  put_block(all, 4, 100000, ids);
  for (int i = 0; i < 4; ++i) fetch_all(r, ids[i], all[i], i == 1 ? 123456 : 2);
  const struct fetched *f = fetch(r, ids[1], "", n - 5, 100);
  cr_expect(ck_str_eq(f->data, (struct ck_str){all[1].s + n - 5, 5}), "from the middle");
  cr_expect(originals_reader_continues(r));
  originals_reader_rest(r);
  cr_expect(!originals_reader_continues(r));
  fetch_all(r, ids[0], all[0], 100);
  originals_reader_free(&r);
}

Test(apply, an_original_is_found_by_its_beginning_or_its_conversation) {
  struct ck_str all[] = {CK_LIT("older"), CK_LIT("newer")};
  char ids[2][CK_SHA256_HEX + 1], beginning[9];
  struct ck_err err;
  struct originals_reader *r = originals_reader_new(s.db, &err);
  put_block(all, 2, 100000, ids);
  snprintf(beginning, sizeof beginning, "%.8s", ids[0]);
  const struct fetched *f = fetch(r, beginning, "", 0, 100);
  cr_expect(f->rc == 0 && ck_str_is(f->answer.original, ids[0]) && ck_str_is(f->data, "older"));
  f = fetch(r, "", "r1", 0, 100);
  cr_expect(f->rc == 0 && ck_str_is(f->answer.original, ids[1]) && ck_str_is(f->data, "newer"));
  f = fetch(r, "", "r2", 0, 100);
  cr_expect(f->rc == 0 && f->answer.original.n == 0 && f->data.n == 0, "no such conversation");
  f = fetch(r, "", "", 0, 100);
  cr_expect(f->rc == 0 && f->answer.original.n == 0, "none at all");
  f = fetch(r, "00000000000000000000000000000000", "", 0, 100);
  cr_expect(f->rc == 0 && f->answer.original.n == 0, "no such original");
  f = fetch(r, "0000000", "", 0, 100);
  cr_expect(f->rc == -1 && strcmp(f->code, "bad_request") == 0, "too short");
  f = fetch(r, ids[0], "", 0, CK_FETCH_MAX + 1);
  cr_expect(f->rc == -1 && strcmp(f->code, "bad_request") == 0, "too much");
  /* Two that begin alike. */
  char sql[300];
  snprintf(sql, sizeof sql,
           "UPDATE originals SET id = x'%.8s000000000000000000000000' WHERE at > 0", ids[0]);
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
  f = fetch(r, beginning, "", 0, 100);
  cr_expect(f->rc == -1 && strcmp(f->code, "ambiguous") == 0, "%s", f->err.text);
  originals_reader_free(&r);
}

static void put_row(const char *id, const char *of) {
  char more[120];
  snprintf(more, sizeof more, ",'conversation_id':'%s','original':'%s'", id, of);
  cr_assert_eq(sh_message(&s, id, 500, more), 'n', "%s", s.reason.text);
}

static bool names(const char *id, const char *of) {
  char sql[160];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM messages WHERE id = '%s' AND original = '%s'", id,
           of);
  return sh_int(&s, sql) == 1;
}

/* One of three in a block is forgotten, and the disk has damaged another: the third stays, byte for
 * byte, and nothing names what cannot be read any more. The damage is so far behind the third that
 * no piece of the compressed data has some of both. */
Test(apply, of_a_damaged_block_what_can_be_read_stays) {
  const size_t n = 200000;
  struct ck_str all[] = {{noise(n), n}, {noise(n), n}, {noise(2 * n), 2 * n}};
  char ids[3][CK_SHA256_HEX + 1];
  struct ck_err err;
  put_block(all, 3, 100000, ids);
  put_row("a", ids[0]);
  put_row("b", ids[1]);
  put_row("c", ids[2]);
  cr_assert_eq(db_exec(s.db,
                       "UPDATE block_parts SET data = CAST(substr(data, 1, 50000) ||"
                       " zeroblob(5000) || substr(data, 55001) AS BLOB) WHERE part = 3",
                       &err),
               0, "%s", err.text);
  struct ck_mutation m = {.kind = CK_OP_FORGET};
  m.as.forget = (struct ck_forget){CK_LIT("message"), CK_LIT("a"), false};
  cr_assert_eq(ap_mutate(m), 'n', "%s", s.reason.text);
  struct originals_reader *r = originals_reader_new(s.db, &err);
  cr_expect_eq(fetch(r, ids[0], "", 0, 100)->answer.original.n, 0, "it was forgotten");
  fetch_all(r, ids[1], all[1], 50000);
  cr_expect_eq(fetch(r, ids[2], "", 0, 100)->answer.original.n, 0, "it cannot be read");
  cr_expect(names("b", ids[1]));
  cr_expect(!names("c", ids[2]));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks"), 1);
  originals_reader_free(&r);
}

/* What is wrong is said with the block; what comes before can be read. */
Test(apply, damage_of_a_block_is_said) {
  static const char *const damage[] = {
      "DELETE FROM block_parts WHERE part = 2",
      "UPDATE block_parts SET data = CAST(substr(data, 1, 5000) || zeroblob(5000) ||"
      " substr(data, 10001) AS BLOB) WHERE part = 2",
      "UPDATE block_parts SET data = substr(data, 1, 500) WHERE part = 2",
      "UPDATE block_parts SET data = x'00010203' WHERE part = 0",
      "UPDATE originals SET bytes = bytes + 1000000"};
  const size_t n = 800000;
  struct ck_str all = {noise(n), n};
  for (size_t i = 0; i < sizeof damage / sizeof *damage; ++i) {
    char id[1][CK_SHA256_HEX + 1];
    struct ck_err err = {{0}};
    put_block(&all, 1, 100000, id);
    cr_assert_eq(db_exec(s.db, damage[i], &err), 0, "%s", err.text);
    struct originals_reader *r = originals_reader_new(s.db, &err);
    uint64_t at = 0;
    const struct fetched *f;
    while ((f = fetch(r, id[0], "", at, 50000))->rc == 0 && f->data.n) at += f->data.n;
    cr_expect(f->rc == -1 && strcmp(f->code, "damaged") == 0, "%s: %s", damage[i], f->err.text);
    cr_expect(strstr(f->err.text, "block "), "%s", f->err.text);
    originals_reader_free(&r);
    sh_close(&s);
    sh_open(&s);
  }
}
