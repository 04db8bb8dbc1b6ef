/* The acceptor: a conversation becomes few changesets in the spool, and what goes wrong with one of
 * its rows, or with one of the changesets, is told and kept. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/accept.h"
#include "proto/clock.h"

static char dir[64];
static struct ingest_spool *spool;
static struct ingest_acceptor acceptor;

struct told {
  unsigned changesets, messages, failures, notes;
  uint64_t last;
  char first_failure[200];
};

static void on_spooled(void *self, uint64_t number, unsigned messages, unsigned executions) {
  struct told *t = self;
  cr_assert_eq(executions, 0);
  ++t->changesets;
  t->messages += messages;
  t->last = number;
}

static void on_failed(void *self, const char *place, const char *reason) {
  struct told *t = self;
  if (!t->failures++)
    snprintf(t->first_failure, sizeof t->first_failure, "%s: %.80s", place, reason);
}

static void on_note(void *self, const char *kind, uint64_t n) {
  struct told *t = self;
  cr_assert(*kind);
  t->notes += n;
}

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason,
                       const struct ck_counts *counts) {
  (void)self;
  (void)number;
  (void)result;
  (void)reason;
  (void)counts;
}

static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  (void)self;
  (void)from;
  (void)by;
}

static void setup(void) {
  const struct ingest_spool_ops ops = {NULL, on_receipt, on_renumbered};
  struct ck_err err = {""};
  snprintf(dir, sizeof dir, "/tmp/ckaccept.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  spool = ingest_spool_open(dir, &ops, &err);
  cr_assert_not_null(spool, "%s", err.text);
  ingest_accept_init(&acceptor, spool, dir);
}

static void teardown(void) {
  ingest_accept_free(&acceptor);
  ingest_spool_close(&spool);
  DIR *d = opendir(dir);
  for (struct dirent *e; d && (e = readdir(d));) {
    char name[400];
    snprintf(name, sizeof name, "%s/%s", dir, e->d_name);
    if (e->d_name[0] != '.') unlink(name);
  }
  if (d) closedir(d);
  rmdir(dir);
}

TestSuite(ingest_accept, .init = setup, .fini = teardown);

static const struct ingest_conversation conversation = {
    .platform = CK_LIT("x"), .id = CK_LIT("c"), .created_at = INGEST_NO_TIME};

static void say(const char *id, struct ck_str text, struct ck_str details) {
  const struct ingest_observation o = {.platform = CK_LIT("x"),
                                       .message_id = ck_str_of(id),
                                       .has_text = true,
                                       .text = text,
                                       .details = details,
                                       .observed_at = 7};
  ingest_accept_message(&acceptor, &o, id);
}

Test(ingest_accept, a_row_that_cannot_go_in_stands_alone) {
  struct told told = {0};
  const struct ingest_giver giver = {&told, "f.json", on_spooled, on_failed, on_note};
  struct ck_buf large = {0};
  memset(ck_buf_room(&large, CK_FRAME_MAX), 'x', CK_FRAME_MAX);
  ingest_accept_begin(&acceptor, &conversation, (struct ck_str){0}, &giver);
  say("one", CK_LIT("1"), (struct ck_str){0});
  say("two", (struct ck_str){large.data, CK_FRAME_MAX}, (struct ck_str){0});
  say("three", CK_LIT("3"), (struct ck_str){large.data, CK_FRAME_MAX});
  ingest_accept_end(&acceptor);
  cr_assert(told.changesets == 1 && told.messages == 2);
  cr_assert(told.failures == 1 && told.notes == 1 && acceptor.rejected_count == 1);
  cr_assert(strstr(told.first_failure, "two: too large: "), "%s", told.first_failure);
  ck_buf_free(&large);
}

/* The time in the row of the message that was accepted last. */
static int64_t assumed(void) {
  struct ck_reader r = ck_reader_of(ck_buf_view(&acceptor.alone.out));
  struct ck_arena arena = {0};
  struct ck_mutation m;
  struct ck_row row;
  struct ck_err err;
  uint32_t n;
  cr_assert(ck_read_array(&r, &n) == 0 && ck_mutation_decode(&m, &r, &err) == 0);
  cr_assert_eq(ck_row_decode(&row, CK_MESSAGES, m.as.put.row, &arena, &err), 0, "%s", err.text);
  ck_arena_free(&arena);
  cr_assert_eq(row.v[CK_MESSAGES_OBSERVED_AT].state, CK_LEFT_OUT);
  return row.v[CK_MESSAGES_CREATED_AT].as.i;
}

static int64_t accept_untimed(void) {
  const struct ingest_observation o = {.platform = CK_LIT("x"),
                                       .has_text = true,
                                       .text = CK_LIT("t"),
                                       .observed_at = INGEST_NO_TIME};
  struct ck_err err;
  uint64_t number;
  cr_assert_eq(ingest_accept(&acceptor, &o, "f", "", (struct ck_str){0}, 0, &number, &err), 0, "%s",
               err.text);
  return assumed();
}

static int64_t wall;
static int64_t still(void) { return wall; }

Test(ingest_accept, times_that_are_assumed_keep_the_order) {
  wall = 1000000000000;
  ck_clock_replace(still, NULL);
  cr_expect_eq(accept_untimed(), wall);
  cr_expect_eq(accept_untimed(), wall + 1);
  wall -= 1000;
  cr_expect_eq(accept_untimed(), wall + 1002);
  wall -= 2 * 60 * 60 * 1000;
  cr_expect_eq(accept_untimed(), wall, "a clock that was set back by hours is believed");
  wall += 5;
  cr_expect_eq(accept_untimed(), wall);
  ck_clock_replace(NULL, NULL);
}

static void add_place(void *self, const char *place, struct ck_str reason) {
  ck_buf_printf(self, "%s (%.*s); ", place, (int)reason.n, reason.s);
}

/* Each message of a changeset that the store refused is told, and all of it is kept. */
Test(ingest_accept, many_that_the_store_refuses) {
  struct told told = {0};
  const struct ingest_giver giver = {&told, "f.json", on_spooled, on_failed, on_note};
  struct ck_buf places = {0};
  char path[100], line[4096] = "";
  ingest_accept_begin(&acceptor, &conversation, (struct ck_str){0}, &giver);
  say("one", CK_LIT("the first text"), (struct ck_str){0});
  say("two", CK_LIT("the second text"), (struct ck_str){0});
  ingest_accept_end(&acceptor);
  cr_assert(ingest_accept_sync(&acceptor));
  ingest_refused(&acceptor, told.last, CK_LIT("no"), add_place, &places);
  cr_assert_str_eq(ck_buf_cstr(&places), "message one (no); message two (no); ");
  cr_assert_eq(acceptor.refused_count, 1);
  snprintf(path, sizeof path, "%s/refused.jsonl", dir);
  FILE *f = fopen(path, "r");
  cr_assert(f && fgets(line, sizeof line, f));
  fclose(f);
  cr_assert(strstr(line, "the first text") && strstr(line, "the second text"), "%s", line);
  ck_buf_free(&places);
}

/* Notes are counted by their kind; what has no room is counted together. */
Test(ingest_accept, notes) {
  struct ingest_notes notes = {0};
  struct ck_buf b = {0};
  char kind[20];
  for (int i = 0; i < CK_NOTES_MAX + 6; ++i) {
    snprintf(kind, sizeof kind, "kind %d", i);
    ingest_notes_add(&notes, ck_str_of(kind), 2);
    ingest_notes_add(&notes, ck_str_of(kind), 1);
  }
  ingest_notes_encode(&b, &notes);
  struct ck_reader r = ck_reader_of(ck_buf_view(&b));
  struct ck_str name;
  uint64_t count;
  uint32_t n;
  cr_assert(ck_read_map(&r, &n) == 0 && n == CK_NOTES_MAX + 1);
  for (uint32_t i = 0; i < n; ++i) {
    cr_assert(ck_read_str(&r, &name) == 0 && ck_read_uint(&r, &count) == 0);
    cr_assert(count == (i < CK_NOTES_MAX ? 3 : 18), "%.*s: %llu", (int)name.n, name.s,
              (unsigned long long)count);
  }
  cr_assert(ck_str_is(name, CK_NOTES_OTHER));
  ingest_notes_free(&notes);
  ck_buf_free(&b);
}
