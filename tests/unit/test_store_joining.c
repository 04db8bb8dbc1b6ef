/* Runs of a log that were captured one by one are joined: in the end there is what a reading at
 * once gives, whatever came in which order, and whatever interrupts it. */
#include "test_store_apply.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "store/originals/originals.h"
#include "tests/unit/test_sanitized.h"

#define LOG 77
#define LINES 400
#define A_WINDOW 100 /* lines */

static _Atomic bool stops;
static struct ck_buf lines[LINES + 1]; /* from 1 */
static int a_window = A_WINDOW;

static void make_lines(void) {
  for (int i = 1; i <= LINES; ++i) {
    ck_buf_clear(&lines[i]);
    ck_buf_printf(&lines[i],
                  "{\"sessionId\":\"one\",\"cwd\":\"/home/me/work\",\"line\":%d,\"said\":\"", i);
    for (int k = 0; k < 30; ++k)
      ck_buf_printf(&lines[i], "%llx the same words ", (unsigned long long)sh_random() % 4096);
    ck_buf_text(&lines[i], "\"}\n");
  }
}

struct run {
  char id[CK_ORIGINAL_ID + 1];
  unsigned char chain[2][CK_ORIGINAL_CHAIN];
  struct ck_buf bytes;
  struct ck_original original;
};

/* The chain after so many lines. */
static struct ck_str chain_after(unsigned char *chain, int upto) {
  memset(chain, 0, CK_ORIGINAL_CHAIN);
  for (int i = 1; i <= upto; ++i)
    ck_original_chain(chain, (struct ck_str){lines[i].data, lines[i].len - 1});
  return (struct ck_str){(const char *)chain, CK_ORIGINAL_CHAIN};
}

static void make_run(struct run *r, int first, int n) {
  *r = (struct run){.id = ""};
  for (int i = first; i < first + n; ++i) ck_buf_str(&r->bytes, ck_buf_view(&lines[i]));
  ck_original_id(r->id, ck_buf_view(&r->bytes));
  r->original = (struct ck_original){.id = ck_str_of(r->id),
                                     .bytes = r->bytes.len,
                                     .age = first,
                                     .reader = CK_LIT("claude code 1"),
                                     .log = LOG,
                                     .lines = (uint64_t)n,
                                     .window = (uint64_t)(first - 1) / (uint64_t)a_window + 1,
                                     .chain = chain_after(r->chain[0], first - 1),
                                     .chain_end = chain_after(r->chain[1], first + n - 1)};
}

static void send_part(struct ck_block part) {
  struct ck_mutation m = {.kind = CK_OP_BLOCK};
  m.as.block = part;
  cr_assert_eq(ap_mutate(m), '=', "%s", s.reason.text);
}

/* n runs as one block; noted: without their bytes. */
static void send(struct run *runs, uint32_t n, bool noted) {
  struct ck_buf all = {0}, list = {0}, packed = {0}, bin = {0};
  char block[CK_ORIGINAL_ID + 1];
  ck_put_array(&list, n);
  for (uint32_t i = 0; i < n; ++i) {
    runs[i].original.at = noted ? 0 : all.len;
    ck_original_encode(&list, &runs[i].original);
    ck_buf_str(&all, ck_buf_view(&runs[i].bytes));
  }
  size_t room = ZSTD_compressBound(all.len);
  packed.len = ZSTD_compress(ck_buf_room(&packed, room), room, all.data, all.len, 3);
  ck_original_id(block, ck_buf_view(&packed));
  struct ck_block b = {.originals = ck_buf_view(&list)};
  if (noted) send_part(b);
  for (size_t at = 0; at < packed.len && !noted; at += CK_BLOCK_PART, ++b.part) {
    size_t left = packed.len - at;
    ck_buf_clear(&bin);
    ck_put_bin(&bin,
               (struct ck_str){packed.data + at, left < CK_BLOCK_PART ? left : CK_BLOCK_PART});
    b.block = ck_str_of(block);
    b.parts = (packed.len + CK_BLOCK_PART - 1) / CK_BLOCK_PART;
    b.bytes = all.len;
    b.data = ck_buf_view(&bin);
    send_part(b);
    b.originals = CK_LIT("\xc0");
  }
  ck_buf_free(&all), ck_buf_free(&list), ck_buf_free(&packed), ck_buf_free(&bin);
  for (uint32_t i = 0; i < n; ++i) ck_buf_free(&runs[i].bytes);
}

static void send_run(int first, int n) {
  struct run r;
  make_run(&r, first, n);
  send(&r, 1, false);
}

/* A message of each line, which names its run. */
static void say(int first, int n) {
  struct run r;
  make_run(&r, first, n);
  for (int i = first; i < first + n; ++i) {
    char id[20], more[60];
    snprintf(id, sizeof id, "m%d", i);
    snprintf(more, sizeof more, ", 'original':'%s'", r.id);
    cr_assert_neq(sh_message(&s, id, 10, more), 'r', "%s", s.reason.text);
  }
  ck_buf_free(&r.bytes);
}

static void capture(int first, int upto, int at_a_time) {
  for (int i = first; i <= upto; i += at_a_time) {
    int n = i + at_a_time <= upto + 1 ? at_a_time : upto + 1 - i;
    say(i, n);
    send_run(i, n);
  }
}

static void read_at_once(int upto, bool noted) {
  struct run runs[LINES / A_WINDOW];
  uint32_t n = 0;
  for (int first = 1; first <= upto; first += A_WINDOW)
    make_run(&runs[n++], first, first + A_WINDOW <= upto + 1 ? A_WINDOW : upto + 1 - first);
  send(runs, n, noted);
}

/* The most that the process held at any turn, if that is looked at. */
static bool watch_memory;
static int64_t most_held;

static void look_at_memory(void) {
  struct mallinfo2 m = mallinfo2();
  int64_t held = (int64_t)(m.uordblks + m.hblkhd);
  if (held > most_held) most_held = held;
}

static int turns(struct packing *p, int most) {
  static int64_t now = 1000000;
  int n = 0;
  for (int still = 0; n < most && still < 12; ++n) { /* a minute after the last */
    const struct timespec moment = {0, 1000000};
    still = packing_turn(p, now += 10000) ? 0 : still + 1;
    if (watch_memory) look_at_memory();
    nanosleep(&moment, NULL); /* the thread works */
  }
  return n;
}

static void pack(void) {
  struct ck_err err;
  struct packing *p = packing_start(s.db, &stops, &err);
  cr_assert_not_null(p, "%s", err.text);
  cr_assert_lt(turns(p, 20000), 20000, "it does not end");
  packing_stop(&p);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM logs_grown"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks WHERE state <> 'whole'"), 0);
}

/* What the tables of the originals take. */
static int64_t taken(void) {
  return sh_int(&s, "SELECT sum(payload) FROM dbstat WHERE name IN ('originals', 'originals_id',"
                    " 'originals_block', 'originals_log', 'blocks', 'block_parts', 'logs_grown')");
}

static void on_damaged(void *self, const char *what) {
  (void)self;
  cr_expect_fail("%s", what);
}
static void on_missing(void *self, const char *id) {
  (void)self;
  cr_expect_fail("%s is missing", id);
}
static bool goes_on(void *self) { return self == NULL; }

static void check(void) {
  const struct originals_check ops = {NULL, on_damaged, on_missing, goes_on};
  struct ck_err err;
  uint64_t count = 0;
  cr_assert_eq(originals_check(s.db, &ops, &count, &err), 0, "%s", err.text);
}

/* One original a window, which its messages name; the last one ends at this line. */
static void check_joined(int upto) {
  char sql[300];
  check();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), (upto + A_WINDOW - 1) / A_WINDOW);
  for (int first = 1; first <= upto; first += A_WINDOW) {
    struct run r;
    int n = first + A_WINDOW <= upto + 1 ? A_WINDOW : upto + 1 - first;
    make_run(&r, first, n);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM originals o JOIN messages m ON m.original = lower(hex(o.id))"
             " WHERE m.original = '%s' AND o.age = %d AND o.lines = %d",
             r.id, first, n);
    cr_expect_eq(sh_int(&s, sql), n, "window from %d: %lld messages", first,
                 (long long)sh_int(&s, sql));
    ck_buf_free(&r.bytes);
  }
}

static int64_t size_at_once(int upto) {
  sh_close(&s);
  sh_open(&s);
  for (int i = 1; i <= upto; i += A_WINDOW)
    say(i, i + A_WINDOW <= upto + 1 ? A_WINDOW : upto + 1 - i);
  read_at_once(upto, false);
  pack();
  check_joined(upto);
  int64_t size = taken();
  sh_close(&s);
  sh_open(&s);
  return size;
}

Test(apply, runs_of_one_line_take_what_a_reading_at_once_takes, .timeout = 60 * SLOWER) {
  make_lines();
  int64_t once = size_at_once(LINES);
  capture(1, LINES, 1);
  cr_expect_gt((double)taken(), 2.0 * (double)once); /* there is something to gain */
  int64_t head = sh_int(&s, "SELECT max(version) FROM messages");
  pack();
  check_joined(LINES);
  cr_expect_eq(sh_int(&s, "SELECT max(version) FROM messages"), head, "a version was given");
  int64_t live = taken();
  cr_expect_lt((double)live, 1.1 * (double)once, "%lld, %lld at once", (long long)live,
               (long long)once);
  read_at_once(LINES, true);
  read_at_once(LINES, false);
  pack();
  check_joined(LINES);
  cr_expect_eq(taken(), live);
}

/* While it grows: joined now and then, read again from its beginning, and growing on. */
Test(apply, what_grows_is_joined_again, .timeout = 60 * SLOWER) {
  make_lines();
  int64_t once = size_at_once(350);
  for (int from = 1; from <= 301; from += 50) {
    capture(from, from + 49, 3);
    pack();
    check_joined(from + 49);
    read_at_once(from + 49, false);
    if (from % 3) pack();
  }
  read_at_once(260, false);
  pack();
  check_joined(350);
  cr_expect_lt((double)taken(), 1.1 * (double)once, "%lld, %lld at once", (long long)taken(),
               (long long)once);
}

static void has_it(const struct run *r, int messages) {
  char sql[300];
  int first = (int)r->original.age, n = (int)r->original.lines;
  snprintf(sql, sizeof sql,
           "SELECT count(*) FROM originals WHERE lower(hex(id)) = '%s' AND age = %d AND lines = %d",
           r->id, first, n);
  cr_expect_eq(sh_int(&s, sql), 1, "%d lines from %d", n, first);
  snprintf(sql, sizeof sql, "SELECT count(*) FROM messages WHERE original = '%s'", r->id);
  cr_expect_eq(sh_int(&s, sql), messages, "%lld messages of %d lines from %d",
               (long long)sh_int(&s, sql), n, first);
}

/* One original is what these lines are at this moment, and so many messages name it. */
static void has_original(int first, int n, int messages) {
  struct run r;
  make_run(&r, first, n);
  has_it(&r, messages);
  ck_buf_free(&r.bytes);
}

/* The lines say something else from here on: those of another file that begins alike, or of this
 * one when it was written again. */
static void say_else(int from) {
  for (int i = from; i <= LINES; ++i) {
    lines[i].len -= 3;
    ck_buf_printf(&lines[i], "%llx\"}\n", (unsigned long long)sh_random());
  }
}

/* Two files of one first line that grow side by side, with lines of the same numbers. */
Test(apply, files_that_begin_alike_stay_apart, .timeout = 60 * SLOWER) {
  make_lines();
  capture(1, 11, 1);
  struct run first;
  make_run(&first, 1, 11);
  say_else(2);
  send_run(2, 6);
  send_run(8, 4);
  say(12, 3); /* of the second one: they adjoin line 11 of the first one */
  send_run(12, 3);
  for (int i = 0; i < 2; ++i) {
    pack();
    check();
    has_original(1, 14, 4);
    has_it(&first, 10); /* line 1 is in both */
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 2);
    send_run(1, 14); /* the second one is read again */
  }
  ck_buf_free(&first.bytes);
}

/* Of each there is only a part, and by their numbers the one follows the other. */
Test(apply, lines_that_adjoin_by_their_numbers_alone, .timeout = 60 * SLOWER) {
  struct run first;
  make_lines();
  make_run(&first, 8, 4);
  send_run(8, 2);
  send_run(10, 2);
  say_else(2);
  send_run(12, 3);
  pack();
  check();
  has_it(&first, 0);
  has_original(12, 3, 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 2);
  ck_buf_free(&first.bytes);
}

/* What is large and has its place stays there while a file that begins alike grows. */
Test(apply, a_file_rests_while_one_that_begins_alike_grows, .timeout = 60 * SLOWER) {
  static const char of_first[] = "SELECT sum(block) FROM originals WHERE original <= 2";
  make_lines();
  for (int i = 1; i <= LINES; ++i) {
    lines[i].len -= 3;
    while (lines[i].len < 4000) ck_buf_printf(&lines[i], "%llx ", (unsigned long long)sh_random());
    ck_buf_text(&lines[i], "\"}\n");
  }
  read_at_once(200, false);
  say_else(2);
  read_at_once(200, false);
  pack();
  int64_t before = sh_int(&s, of_first);
  cr_assert_eq(sh_int(&s, "SELECT count(*) FROM originals"), 4);
  send_run(150, 1);
  send_run(201, 1);
  pack();
  check();
  has_original(101, 100, 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 5);
  cr_expect_eq(sh_int(&s, of_first), before, "it was compressed again");
}

/* Each version of a log that is written again and again has its lines, in every window. */
Test(apply, a_log_that_is_written_again, .timeout = 60 * SLOWER) {
  make_lines();
  capture(1, 150, 10);
  pack();
  has_original(1, 100, 100);
  has_original(101, 50, 50);
  for (int from = 120; from > 60; from -= 50) {
    say_else(from);
    send_run(from - 9, 10);
    pack();
    check();
    has_original(from > 100 ? 101 : 1, from > 100 ? 20 : 70, 0);
    read_at_once(160, false);
    pack();
    check();
    has_original(1, 100, from > 100 ? 100 : 0);
    has_original(101, 60, 0);
  }
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE window = 1"), 2);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE window = 2"), 3);
}

/* One line says something else than it said before: both stay. So does what is not of lines. */
Test(apply, runs_that_differ_stay, .timeout = 60 * SLOWER) {
  make_lines();
  capture(1, 150, 10);
  ck_buf_clear(&lines[20]);
  ck_buf_text(&lines[20], "{\"another\":true}\n");
  send_run(11, 20);
  pack();
  check();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE window = 1"), 2);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE window = 2"), 1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM blocks"), 1);
  struct run r;
  make_run(&r, 201, 10);
  r.original.lines = 9; /* which is not so */
  send(&r, 1, false);
  send_run(211, 10);
  pack();
  check();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals WHERE window = 3"), 2);
}

/* Between two runs lines are missing: what is before them and after them is joined. */
Test(apply, a_gap_stays, .timeout = 60 * SLOWER) {
  make_lines();
  capture(1, 30, 1);
  capture(41, 60, 1);
  pack();
  check();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 2);
  cr_expect_eq(sh_int(&s, "SELECT sum(lines) FROM originals"), 50);
  capture(31, 40, 2);
  pack();
  check_joined(60);
}

/* The same line at several places of a log, one that is alone in its run. */
Test(apply, a_line_that_comes_again_has_its_place, .timeout = 60 * SLOWER) {
  make_lines();
  for (int i = 7; i <= 120; i += 6) {
    ck_buf_clear(&lines[i]);
    ck_buf_text(&lines[i], "{\"type\":\"mode\",\"mode\":\"default\"}\n");
  }
  capture(1, 150, 1);
  struct run again[2];
  ck_buf_clear(&lines[151]); /* as in line 7, and its bytes are not sent */
  ck_buf_str(&lines[151], ck_buf_view(&lines[7]));
  make_run(&again[0], 151, 1);
  make_run(&again[1], 7, 1);
  cr_assert_str_eq(again[0].id, again[1].id);
  ck_buf_free(&again[1].bytes);
  send(again, 1, true);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 151);
  say(151, 1);
  pack();
  check();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 2);
  struct run r;
  make_run(&r, 101, 51);
  char sql[200];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM originals WHERE lower(hex(id)) = '%s'", r.id);
  ck_buf_free(&r.bytes);
  cr_expect_eq(sh_int(&s, sql), 1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages m JOIN originals o"
                          " ON m.original = lower(hex(o.id))"),
               151); /* those of such a line name one of its places */
}

/* Ingest was told that a run is there, and then it was joined with those after it. */
Test(apply, a_run_that_was_joined_meanwhile, .timeout = 60 * SLOWER) {
  struct run r;
  make_lines();
  capture(1, 50, 10);
  pack();
  for (int first = 1; first <= 41; first += 20) { /* it began it, was within it, or ended it */
    say(first, 10);                               /* they may name it again, */
    make_run(&r, first, 10);
    send(&r, 1, true); /* without its bytes */
    check();
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 2);
    pack();
    check_joined(50);
  }
}

/* What is there under the same numbers is not taken for it. */
Test(apply, a_run_that_is_nowhere, .timeout = 60 * SLOWER) {
  struct run r;
  make_lines();
  capture(1, 50, 10);
  pack();
  ck_buf_clear(&lines[15]);
  ck_buf_text(&lines[15], "{\"another\":true}\n");
  for (int first = 11; first <= 21; first += 10) { /* another line in it, and before it */
    make_run(&r, first, 10);
    send(&r, 1, true);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 1);
  }
}

/* The store may end after any step. */
Test(apply, joining_may_be_interrupted, .timeout = 120 * SLOWER) {
  make_lines();
  for (int most = 1, from = 1; most < 40; most += 1 + most / 8, from += 10) {
    struct ck_err err;
    capture(from, from + 9, 1);
    struct packing *p = packing_start(s.db, &stops, &err);
    turns(p, most);
    packing_stop(&p);
    check();
  }
  capture(LINES - 99, LINES, 1);
  pack();
  check();
}

/* A log of many windows is joined a few at a time, also if it is all read again before that. */
Test(apply, a_long_log_is_joined_piece_by_piece, .timeout = 120 * SLOWER) {
  make_lines();
  for (int i = 1; i <= LINES; ++i) {
    lines[i].len -= 3;
    while (lines[i].len < 4000) ck_buf_printf(&lines[i], "%llx ", (unsigned long long)sh_random());
    ck_buf_text(&lines[i], "\"}\n");
  }
  capture(1, LINES, 10);
  read_at_once(LINES, false);
  pack();
  check_joined(LINES);
}

/* A line of megabytes that grows, and is read again each time: no more is held than one text and
 * one run, and no more is kept than the longest one. */
Test(apply, a_large_line_that_grows, .timeout = 120 * SLOWER) {
  enum { LARGE = 2 << 20, TIMES = 44 };
  make_lines();
  lines[1].len -= 3;
  while (lines[1].len < LARGE) ck_buf_printf(&lines[1], "%llx", (unsigned long long)sh_random());
  ck_buf_text(&lines[1], "\"}\n");
  for (int n = 1; n <= TIMES; ++n) send_run(1, n);
  cr_expect_gt(taken(), INT64_C(40) << 20);
  struct mallinfo2 before = mallinfo2();
  most_held = 0;
  watch_memory = true;
  pack();
  watch_memory = false;
  cr_expect_lt(most_held - (int64_t)(before.uordblks + before.hblkhd), INT64_C(16) << 20);
  check();
  has_original(1, TIMES, 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 1);
  cr_expect_lt(taken(), INT64_C(2) << 20);
}

Test(apply, damaged_runs_stay, .timeout = 60 * SLOWER) {
  struct ck_err err;
  make_lines();
  capture(1, 40, 10);
  cr_assert_eq(db_exec(s.db, "UPDATE block_parts SET data = x'00' WHERE block = 2", &err), 0);
  pack();
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM originals"), 4);
}

static void is_refused(struct ck_original o, const char *part) {
  struct ck_buf list = {0};
  struct ck_mutation m = {.kind = CK_OP_BLOCK};
  ck_put_array(&list, 1);
  ck_original_encode(&list, &o);
  m.as.block.originals = ck_buf_view(&list);
  ap_refused(m, part);
  ck_buf_free(&list);
}

Test(apply, a_place_that_cannot_be_is_refused) {
  const struct ck_original good = {.id = CK_LIT("00112233445566778899aabbccddeeff"),
                                   .bytes = 9,
                                   .age = 1,
                                   .reader = CK_LIT("x 1"),
                                   .log = 1,
                                   .lines = 1,
                                   .window = 1,
                                   .chain = CK_LIT("before the lines"),
                                   .chain_end = CK_LIT("after these ones")};
  struct ck_original o = good;
  o.log = 0;
  is_refused(o, "window: only of lines of a log");
  o = good, o.lines = 0;
  is_refused(o, "window: only of lines of a log");
  o = good, o.age = 0;
  is_refused(o, "window: only of lines of a log");
  o = good, o.chain.n = 15;
  is_refused(o, "chain, chain_end: must be of 16 bytes");
  o = good, o.chain_end.n = 0;
  is_refused(o, "chain, chain_end: must be of 16 bytes");
  o = good, o.window = 0;
  is_refused(o, "chain, chain_end: must be of 0 bytes");
  o = good, o.bytes = UINT64_MAX;
  is_refused(o, "bytes, lines, window: too large");
  o = good, o.window = UINT64_MAX;
  is_refused(o, "bytes, lines, window: too large");
}
