/* Messages, mutations and changes as frames, and the errors that name what is wrong. */
#include "proto/wire.h"

#include <criterion/criterion.h>
#include <string.h>

/* Encodes, with `extra` more fields after the known ones. */
static void hello(struct ck_buf *b, int fields) {
  ck_put_array(b, (uint32_t)(2 + fields));
  ck_put_uint(b, CK_WIRE);
  ck_put_uint(b, CK_MSG_HELLO);
  if (fields > 0) ck_put_uint(b, 7);
  if (fields > 1) ck_put_text(b, "p");
  if (fields > 2) ck_put_uint(b, 9);
  for (int i = 3; i < fields; i++) ck_put_map(b, 0);
}

Test(wire, further_fields_are_skipped_and_fewer_refused) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  for (int fields = 0; fields < 6; fields++) {
    ck_buf_clear(&b);
    hello(&b, fields);
    cr_assert_eq(ck_message_decode(&m, b.data, b.len, &err), fields < 3 ? -1 : 0);
    cr_assert_eq(m.kind, CK_MSG_HELLO);
    if (fields == 2) cr_assert_str_eq(err.text, "hello: field next is missing");
  }
  cr_assert(m.as.hello.request == 7 && m.as.hello.next == 9 && ck_str_is(m.as.hello.producer, "p"));
  ck_buf_free(&b);
}

Test(wire, empty_views_are_written) {
  struct ck_buf b = {0};
  struct ck_message out = {.kind = CK_MSG_CHANGESET}, m;
  struct ck_err err;
  ck_message_encode(&b, &out);
  cr_assert_eq(ck_message_decode(&m, b.data, b.len, &err), 0, "%s", err.text);
  cr_assert_eq(m.as.changeset.producer.n, 0);
  cr_assert(m.as.changeset.mutations.n == 1 &&
            (unsigned char)m.as.changeset.mutations.s[0] == 0xc0);
  ck_buf_free(&b);
}

Test(wire, mutations_follow_each_other) {
  struct ck_buf b = {0};
  struct ck_mutation m = {.kind = CK_OP_CURSOR, .as.cursor = {CK_LIT("renewd"), CK_LIT("s"), 12}};
  struct ck_err err;
  ck_put_array(&b, 5); /* a PUT as a newer writer might send it: one field more */
  ck_put_uint(&b, CK_OP_PUT);
  ck_put_text(&b, "messages");
  ck_put_map(&b, 0);
  ck_put_int(&b, 7);
  ck_put_array(&b, 1);
  ck_put_int(&b, 1);
  ck_mutation_encode(&b, &m);
  struct ck_reader r = ck_reader_of(ck_buf_view(&b));
  cr_assert_eq(ck_mutation_decode(&m, &r, &err), 0, "%s", err.text);
  cr_assert(m.kind == CK_OP_PUT && ck_str_is(m.as.put.table, "messages") && m.as.put.row.n == 1 &&
            m.as.put.age == 7);
  cr_assert_eq(ck_mutation_decode(&m, &r, &err), 0, "%s", err.text);
  cr_assert(m.kind == CK_OP_CURSOR && m.as.cursor.version == 12);
  cr_assert_eq(ck_mutation_decode(&m, &r, &err), -1);
  ck_buf_free(&b);
}

static void mutation_refused(struct ck_str bytes, const char *reason) {
  struct ck_mutation m;
  struct ck_err err = {{0}};
  struct ck_reader r = ck_reader_of(bytes);
  cr_expect_eq(ck_mutation_decode(&m, &r, &err), -1);
  cr_expect_str_eq(err.text, reason, "%s", err.text);
}

Test(wire, bad_mutations_are_named) {
  mutation_refused(CK_LIT("\x01"), "mutation: must be an array of kind and fields");
  mutation_refused(CK_LIT("\x90"), "mutation: must be an array of kind and fields");
  mutation_refused(CK_LIT("\x91\xc0"), "mutation: the kind must be an integer");
  mutation_refused(CK_LIT("\x91\x63"), "mutation: unknown mutation kind 99");
  mutation_refused(CK_LIT("\x91\x01"), "put: field table is missing");
  mutation_refused(CK_LIT("\x93\x01\x05\x80"), "put: field table must be text");
  mutation_refused(CK_LIT("\x94\x03\xa1j\xa1t\xa1x"), "claim: field at must be an integer");
}

Test(wire, rows_as_mutations_and_changes) {
  struct ck_row row = {.table = CK_MESSAGES}, back;
  row.v[CK_MESSAGES_ID] = ck_textz("m1");
  row.v[CK_MESSAGES_SUMMARY] = ck_null();
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  struct ck_err err;
  struct ck_mutation m;
  uint64_t version;
  ck_mutation_row(&b, CK_OP_UPDATE, &row);
  ck_change_encode(&b, 77, &row);
  struct ck_reader r = ck_reader_of(ck_buf_view(&b));
  cr_assert_eq(ck_mutation_decode(&m, &r, &err), 0);
  cr_assert(m.kind == CK_OP_UPDATE && ck_str_is(m.as.update.table, "messages"));
  cr_assert_eq(ck_row_decode(&back, CK_MESSAGES, m.as.update.row, &arena, &err), 0);
  cr_assert_eq(ck_change_decode(&r, &version, &back, &arena, &err), 0, "%s", err.text);
  cr_assert(version == 77 && ck_str_is(ck_row_key(&back), "m1") &&
            back.v[CK_MESSAGES_SUMMARY].state == CK_NULL);
  cr_assert_eq(ck_change_decode(&r, &version, &back, &arena, &err), -1);
  ck_buf_free(&b);
}

Test(wire, a_change_names_what_is_wrong) {
  struct ck_arena arena = {0};
  struct ck_row row;
  struct ck_err err;
  uint64_t version;
  struct ck_reader r = ck_reader_of(CK_LIT("\x93\x01\xa6outbox\x80"));
  cr_assert_eq(ck_change_decode(&r, &version, &row, &arena, &err), -1);
  cr_assert_str_eq(err.text, "change: unknown table");
  r = ck_reader_of(CK_LIT("\x93\x01\xa8messages\x81\xa1x\x01"));
  cr_assert_eq(ck_change_decode(&r, &version, &row, &arena, &err), -1);
  cr_assert_str_eq(err.text, "change: messages has no column \"x\"");
}

Test(wire, names) {
  cr_assert_str_eq(ck_message_name(CK_MSG_IMPORTED), "imported");
  cr_assert_str_eq(ck_mutation_name(CK_OP_WITHDRAW), "withdraw");
  cr_assert_str_eq(ck_message_name((enum ck_message_kind)999), "unknown");
}

Test(wire, larger_frames_than_allowed_are_refused) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  ck_put_array(&b, 3);
  ck_put_uint(&b, CK_WIRE);
  ck_put_uint(&b, CK_MSG_STATUS);
  ck_put_uint(&b, 1);
  cr_assert_eq(ck_message_decode(&m, b.data, b.len, &err), 0);
  ck_buf_room(&b, CK_FRAME_MAX);
  cr_assert_eq(ck_message_decode(&m, b.data, CK_FRAME_MAX + 1, &err), -1);
  ck_buf_free(&b);
}

Test(wire, errors_can_be_built_up_and_are_cut) {
  struct ck_err err;
  cr_assert_eq(ck_fail(&err, "%s", "inner"), -1);
  cr_assert_eq(ck_fail_in(&err, "outer %d", 1), -1);
  cr_assert_str_eq(err.text, "outer 1: inner");
  for (int i = 0; i < 100; i++) ck_fail_in(&err, "layer");
  cr_assert_eq(strlen(err.text), sizeof err.text - 1);
  cr_assert_eq(ck_fail(NULL, "nobody listens"), -1);
  cr_assert_eq(ck_fail_in(NULL, "nobody listens"), -1);
  ck_fail(&err, "x");
  ck_fail(&err, "again: %s", err.text);
  cr_assert_str_eq(err.text, "again: x");
}

/* The number is found by its place: a list with `request` further back would lose its answers. */
Test(wire, a_request_number_comes_first) {
  static const struct {
    enum ck_message_kind kind;
    const char *fields;
  } all[] = {
#define FIELD(kind, name) " " #kind " " #name
#define ROW(NAME, name, number) {CK_MSG_##NAME, CK_##NAME##_FIELDS(FIELD)},
      CK_MESSAGE_LIST(ROW)
#undef ROW
#undef FIELD
  };
  size_t with = 0, n = sizeof all / sizeof *all;
  for (size_t i = 0; i < n; i++) {
    struct ck_message m = {.kind = all[i].kind};
    uint64_t *request = ck_message_request(&m);
    const char *at = strstr(all[i].fields, " request");
    cr_expect_eq(request != NULL, at != NULL, "%s", ck_message_name(m.kind));
    cr_expect(!at || strncmp(all[i].fields, " UINT request", 13) == 0, "%s",
              ck_message_name(m.kind));
    with += at != NULL;
  }
  cr_assert(with > 15 && with < n, "%zu of %zu", with, n);
  struct ck_message m = {.kind = CK_MSG_HELLO};
  cr_assert_eq(ck_message_request(&m), &m.as.hello.request);
  m.kind = CK_MSG_BEAT;
  cr_assert_null(ck_message_request(&m));
}

static struct ck_reader packed(struct ck_buf *b, uint32_t fields, const char *const texts[]) {
  ck_buf_clear(b);
  ck_put_array(b, fields);
  for (uint32_t i = 0; i < fields; i++)
    if (texts[i])
      ck_put_text(b, texts[i]);
    else
      ck_put_uint(b, 7);
  return ck_reader_of(ck_buf_view(b));
}

/* NULL is the number 7. */
Test(wire, refusals_failures_and_dead_letters_are_read_whole_or_refused) {
  struct ck_buf b = {0};
  struct ck_err err;
  struct ck_refusal refusal;
  struct ck_dead_letter letter;
  struct ck_reader r = packed(&b, 2, (const char *const[]){NULL, "why"});
  cr_assert_eq(ck_refusal_decode(&r, &refusal, &err), 0);
  cr_expect(refusal.number == 7 && ck_str_is(refusal.reason, "why"));
  r = packed(&b, 3, (const char *const[]){NULL, "why", "more"});
  cr_expect_eq(ck_refusal_decode(&r, &refusal, &err), -1);
  r = packed(&b, 2, (const char *const[]){"7", "why"});
  cr_expect_eq(ck_refusal_decode(&r, &refusal, &err), -1);
  struct ck_counts counts;
  r = packed(&b, 5, (const char *const[]){NULL, NULL, NULL, NULL, NULL});
  cr_assert_eq(ck_counts_decode(&r, &counts, &err), 0);
  cr_expect(counts.number == 7 && counts.added == 7 && counts.updated == 7 &&
            counts.unchanged == 7 && counts.forgotten == 7);
  r = packed(&b, 4, (const char *const[]){NULL, NULL, NULL, NULL});
  cr_expect_eq(ck_counts_decode(&r, &counts, &err), -1);
  r = packed(&b, 5, (const char *const[]){NULL, NULL, "7", NULL, NULL});
  cr_expect_eq(ck_counts_decode(&r, &counts, &err), -1);
  const struct ck_claimed claim = {.number = 7,
                                   .job_id = CK_LIT("j"),
                                   .token = CK_LIT("t"),
                                   .attempt = 1,
                                   .max_attempts = 2,
                                   .unreached = 3,
                                   .unreached_age = 4,
                                   .message_id = CK_LIT("m"),
                                   .payload = CK_LIT("p"),
                                   .payload_kind = CK_LIT("k"),
                                   .target_snapshot = CK_LIT("s"),
                                   .automation_status = CK_LIT("a"),
                                   .last_message_id = CK_LIT("l")};
  struct ck_claimed back;
  ck_buf_clear(&b);
  ck_claimed_encode(&b, &claim);
  r = ck_reader_of(ck_buf_view(&b));
  cr_assert_eq(ck_claimed_decode(&r, &back, &err), 0);
  cr_expect(back.number == 7 && back.attempt == 1 && back.max_attempts == 2 &&
            back.unreached == 3 && back.unreached_age == 4);
  cr_expect(ck_str_is(back.job_id, "j") && ck_str_is(back.token, "t") &&
            ck_str_is(back.message_id, "m") && ck_str_is(back.payload, "p") &&
            ck_str_is(back.payload_kind, "k") && ck_str_is(back.target_snapshot, "s") &&
            ck_str_is(back.automation_status, "a") && ck_str_is(back.last_message_id, "l"));
  r = packed(&b, 2, (const char *const[]){NULL, "j"});
  cr_expect_eq(ck_claimed_decode(&r, &back, &err), -1);
  struct ck_failure failure;
  r = packed(&b, 2, (const char *const[]){"line 7", "why"});
  cr_assert_eq(ck_failure_decode(&r, &failure, &err), 0);
  cr_expect(ck_str_is(failure.place, "line 7") && ck_str_is(failure.reason, "why"));
  r = packed(&b, 1, (const char *const[]){"line 7"});
  cr_expect_eq(ck_failure_decode(&r, &failure, &err), -1);
  r = packed(&b, 2, (const char *const[]){"line 7", NULL});
  cr_expect_eq(ck_failure_decode(&r, &failure, &err), -1);
  r = packed(&b, 4, (const char *const[]){"renewal_jobs", "j", NULL, "why"});
  cr_assert_eq(ck_dead_letter_decode(&r, &letter, &err), 0);
  cr_expect(letter.table == CK_JOBS && ck_str_is(letter.key, "j") && letter.version == 7 &&
            ck_str_is(letter.reason, "why"));
  r = packed(&b, 4, (const char *const[]){"leases", "j", NULL, "why"});
  cr_expect_eq(ck_dead_letter_decode(&r, &letter, &err), -1);
  r = packed(&b, 4, (const char *const[]){"renewal_jobs", NULL, NULL, "why"});
  cr_expect_eq(ck_dead_letter_decode(&r, &letter, &err), -1);
  ck_buf_free(&b);
}
