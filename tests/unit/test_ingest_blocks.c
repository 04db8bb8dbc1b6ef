/* Originals on their way: which pieces of a file they are, what is asked about them, and that their
 * bytes are in the blocks, unchanged. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "ingest/files/blocks.h"
#include "ingest/files/reader.h"
#include "ingest/files/units.h"
#include "proto/random.h"
#include "proto/sha256.h"
#include "proto/wire.h"

/* ---- the reader ---- */

struct told {
  struct ck_buf text; /* originals, observations and failures, in their order */
  struct ck_buf bytes;
  uint64_t first;  /* of the last original */
  uint64_t number; /* of the last observation */
  unsigned note_calls;
  uint64_t noted;
};

static void on_begin_original(void *self, const char *id, struct ck_str bytes, bool kept,
                              const char *reader, const struct ck_original *run) {
  struct told *t = self;
  char hex[CK_SHA256_HEX + 1];
  struct ck_sha256 hash;
  ck_sha256_begin(&hash);
  ck_sha256_add(&hash, bytes);
  ck_sha256_end_hex(&hash, hex);
  cr_assert(strncmp(id, hex, CK_ORIGINAL_ID) == 0 && strlen(id) == CK_ORIGINAL_ID);
  ck_buf_printf(&t->text, "(%s%s%s ", reader, kept ? " kept" : "", run->log ? " of a log" : "");
  t->first = (uint64_t)run->age;
  ck_buf_str(&t->bytes, bytes);
  ck_buf_text(&t->bytes, "|");
}

static void on_end_original(void *self) { ck_buf_text(&((struct told *)self)->text, ") "); }

static void on_whole(void *self, uint64_t messages) {
  ck_buf_printf(&((struct told *)self)->text, "whole %llu ", (unsigned long long)messages);
}

static void on_begin(void *self, const struct ingest_conversation *c, const char *place) {
  (void)self;
  (void)c;
  (void)place;
}

static void on_end(void *self) { (void)self; }

static void on_observation(void *self, const struct ingest_observation *o, const char *place) {
  struct told *t = self;
  (void)place;
  t->number = o->number;
  ck_buf_printf(&t->text, "%.*s ", (int)o->message_id.n, o->message_id.s);
}

static void on_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  (void)reason;
  (void)raw;
  ck_buf_printf(&((struct told *)self)->text, "!%s ", place);
}

static void on_note(void *self, const char *kind, uint64_t n) {
  struct told *t = self;
  (void)kind;
  ++t->note_calls;
  t->noted += n;
}

static struct ingest_reader *reader(struct told *t, const char *name, bool again) {
  const struct ingest_visitor visitor = {t,          on_begin, on_end, on_observation,
                                         on_failure, on_note,  NULL};
  const struct ingest_originals_ops ops = {t, on_begin_original, on_end_original, on_whole};
  struct ingest_reader *r = ingest_reader_new(name, &visitor);
  ingest_reader_originals(r, &ops, again, again ? 1 : 0);
  return r;
}

static void feed(struct ingest_reader *r, struct ck_str file) {
  for (size_t at = 0; at < file.n; at += 4096)
    ingest_reader_feed(r, file.s + at, file.n - at < 4096 ? file.n - at : 4096);
}

/* Answers every question: all that is asked about is there, and whole for that reader. */
static unsigned answer(struct ingest_reader *r, const char *whole_for) {
  struct ck_buf ids = {0}, had = {0};
  char name[INGEST_READER_NAME];
  unsigned questions = 0;
  for (ingest_reader_go(r, true); ingest_reader_ask(r, &ids, name); ingest_reader_go(r, true)) {
    struct ck_reader list = ck_reader_of(ck_buf_view(&ids));
    uint32_t n;
    cr_assert_eq(ck_read_array(&list, &n), 0);
    ck_put_array(&had, n);
    bool whole = whole_for && strcmp(name, whole_for) == 0;
    const struct ck_kept kept = {whole ? CK_KEPT_WHOLE : CK_KEPT_NOTHING, whole ? 2 : 0, 0, 1};
    while (n--) ck_kept_encode(&had, &kept);
    ingest_reader_told(r, ck_buf_view(&had));
    ck_buf_clear(&ids);
    ck_buf_clear(&had);
    ++questions;
  }
  ck_buf_free(&ids);
  ck_buf_free(&had);
  return questions;
}

static void told_free(struct told *t) {
  ck_buf_free(&t->text);
  ck_buf_free(&t->bytes);
}

static void gives(const char *name, struct ck_str file, const char *whole_for,
                  const char *expected) {
  struct told t = {0};
  struct ingest_reader *r = reader(&t, name, false);
  feed(r, file);
  ingest_reader_end(r);
  answer(r, whole_for);
  cr_assert(ingest_reader_done(r));
  cr_assert_str_eq(ck_buf_cstr(&t.text), expected, "%s", ck_buf_cstr(&t.text));
  ingest_reader_free(&r);
  told_free(&t);
}

#define CONVERSATION(id, message) \
  "{\"uuid\":\"" id "\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":\"" message \
  "\",\"sender\":\"human\",\"text\":\"\\ud83d\"}]}"
#define LINE(id) "{\"platform\":\"x\",\"message_id\":\"" id "\",\"text\":\"t\"}"

/* Each element of an export is an original; those that the store has whole are not parsed. */
Test(ingest_originals, elements_of_an_export) {
  static const char file[] = "[" CONVERSATION("a", "1") ",\n" CONVERSATION("b", "2") ",7]";
  gives("x.json", ck_str_of(file), NULL, "(claude 1 1 ) (claude 1 2 ) !conversation 3 ");
  gives("x.json", ck_str_of(file), "claude 1", "whole 2 whole 2 whole 2 ");
  gives("x.json", ck_str_of(file), "chatgpt 1", "(claude 1 1 ) (claude 1 2 ) !conversation 3 ");
}

/* Half a surrogate pair is read as U+FFFD; the original has it as it came. */
Test(ingest_originals, bytes_as_they_came) {
  static const char first[] = CONVERSATION("a", "1");
  struct told t = {0};
  struct ingest_reader *r = reader(&t, "x.json", false);
  feed(r, CK_LIT("[ " CONVERSATION("a", "1") " ]"));
  ingest_reader_end(r);
  answer(r, NULL);
  cr_assert(ck_str_starts(ck_buf_view(&t.bytes), first) && t.bytes.len == sizeof first);
  cr_assert_eq(ingest_reader_replaced(r), 1, "though it is parsed twice, to know the source first");
  ingest_reader_free(&r);
  told_free(&t);
}

/* A large first element is asked about for each source, so that it need not be parsed. */
Test(ingest_originals, a_large_element) {
  struct ck_buf file = {0};
  ck_buf_text(&file, "[{\"uuid\":\"a\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":"
                     "\"1\",\"sender\":\"human\",\"text\":\"");
  for (int i = 0; i < 20000; ++i) ck_buf_text(&file, "words ");
  ck_buf_text(&file, "\"}]}]");
  gives("x.json", ck_buf_view(&file), NULL, "(claude 1 1 ) ");
  gives("x.json", ck_buf_view(&file), "claude 1", "whole 2 ");
  ck_buf_free(&file);
}

/* However many they are, halves are one note; and a large first line is parsed once to know that
 * this is a log, and once more to be read. */
Test(ingest_originals, a_large_line_of_a_log) {
  struct told t = {0};
  struct ck_buf file = {0};
  struct ingest_reader *r = reader(&t, "x.jsonl", false);
  ck_buf_text(&file, "{\"platform\":\"x\",\"message_id\":\"1\",\"text\":\"");
  for (int i = 0; i < 20000; ++i) ck_buf_text(&file, "\\ud83d");
  ck_buf_text(&file, "\"}\n" LINE("2") "\n");
  feed(r, ck_buf_view(&file));
  ingest_reader_end(r);
  answer(r, NULL);
  cr_assert_str_eq(ck_buf_cstr(&t.text), "(observations 1 1 2 ) ");
  cr_assert_eq(ingest_reader_replaced(r), 20000, "%u", ingest_reader_replaced(r));
  cr_assert(t.note_calls == 1 && t.noted == 20000);
  ingest_reader_free(&r);
  ck_buf_free(&file);
  told_free(&t);
}

/* Without a store that answers all is read at once. */
Test(ingest_originals, nobody_answers) {
  struct told t = {0};
  struct ingest_reader *r = reader(&t, "x.json", false);
  struct ck_buf ids = {0};
  char name[INGEST_READER_NAME];
  feed(r, CK_LIT("[" CONVERSATION("a", "1") "," CONVERSATION("b", "2") "]"));
  ingest_reader_go(r, true);
  cr_assert(ingest_reader_ask(r, &ids, name) && !ingest_reader_ask(r, &ids, name));
  cr_assert_str_eq(name, "claude 1");
  cr_assert(ingest_reader_waiting(r) > 0 && !t.text.len);
  ingest_reader_told(r, (struct ck_str){0});
  ingest_reader_go(r, false);
  ingest_reader_end(r);
  ingest_reader_go(r, false);
  cr_assert(ingest_reader_done(r) && ingest_reader_waiting(r) == 0);
  cr_assert_str_eq(ck_buf_cstr(&t.text), "(claude 1 1 ) (claude 1 2 ) ");
  ingest_reader_free(&r);
  ck_buf_free(&ids);
  told_free(&t);
}

/* The lines of a log are one original; a bad one is told, and the others are read. */
Test(ingest_originals, lines_of_a_log) {
  gives("x.jsonl", CK_LIT(LINE("1") "\n\nbad\n" LINE("2") "\n"), NULL,
        "(observations 1 1 !line 3 2 ) ");
  gives("x.jsonl", CK_LIT("bad\n" LINE("1") "\n"), NULL, "!line 1 (observations 1 1 ) ");
  gives("x.jsonl", CK_LIT(LINE("1") "\n" LINE("2")), "observations 1", "whole 2 ");
  gives("x.json", CK_LIT("[" LINE("1") ",\n " LINE("2") "]"), NULL, "(observations 1 1 2 ) ");
  gives("x.jsonl", CK_LIT(CONVERSATION("a", "1") "\n" CONVERSATION("b", "2")), NULL,
        "(claude 1 1 ) (claude 1 2 ) ");
}

static void lines(struct ck_buf *file, unsigned from, unsigned to) {
  for (unsigned i = from; i < to; ++i)
    ck_buf_printf(file, "{\"platform\":\"x\",\"message_id\":\"%u\",\"text\":\"%0*u\"}\n", i,
                  100 + (int)(i * 37 % 900), i);
}

static struct ck_buf runs_of(struct ck_str file, bool again, unsigned *count) {
  struct told t = {0};
  struct ingest_reader *r = reader(&t, "x.jsonl", again);
  feed(r, file);
  ingest_reader_end(r);
  answer(r, NULL);
  *count = 0;
  for (const char *at = ck_buf_cstr(&t.bytes); (at = strchr(at, '|')); ++at) ++*count;
  ingest_reader_free(&r);
  ck_buf_free(&t.text);
  return t.bytes;
}

/* Each line has a line feed, and empty ones are left out. */
Test(ingest_originals, the_bytes_of_a_run) {
  unsigned count;
  struct ck_buf got =
      runs_of(CK_LIT("\n" LINE("1") "\n\n\n" LINE("2") "\r\nbad\n" LINE("3")), true, &count);
  cr_expect_eq(count, 1);
  cr_expect_str_eq(ck_buf_cstr(&got), LINE("1") "\n" LINE("2") "\r\nbad\n" LINE("3") "\n|");
  ck_buf_free(&got);
}

/* A log that has grown shares all runs with what it was, but the last; a run that is read again is
 * one original, whatever its place was. */
Test(ingest_originals, a_log_that_grows) {
  struct ck_buf file = {0};
  unsigned before, after, once;
  lines(&file, 0, 900);
  struct ck_buf some = runs_of(ck_buf_view(&file), false, &before);
  lines(&file, 900, 1100);
  struct ck_buf more = runs_of(ck_buf_view(&file), false, &after);
  size_t last = some.len - 1;
  while (some.data[last - 1] != '|') --last;
  cr_assert(before > 5 && after > before);
  cr_assert(more.len > last && memcmp(some.data, more.data, last) == 0);
  struct ck_buf again = runs_of(ck_buf_view(&file), true, &once);
  cr_assert(once == 1 && again.len == file.len + 1);
  cr_assert(memcmp(again.data, file.data, file.len) == 0);
  ck_buf_free(&some);
  ck_buf_free(&more);
  ck_buf_free(&again);
  ck_buf_free(&file);
}

static uint64_t numbered(const char *file, bool again, uint64_t first, int64_t kept_age) {
  struct told t = {0};
  const struct ingest_visitor visitor = {&t,         on_begin, on_end, on_observation,
                                         on_failure, on_note,  NULL};
  const struct ingest_originals_ops ops = {&t, on_begin_original, on_end_original, on_whole};
  struct ingest_reader *r = ingest_reader_new(*file == '[' ? "x.json" : "x.jsonl", &visitor);
  struct ck_buf ids = {0}, had = {0};
  char name[INGEST_READER_NAME];
  ingest_reader_originals(r, &ops, again, first);
  feed(r, ck_str_of(file));
  ingest_reader_end(r);
  ingest_reader_go(r, true);
  if (ingest_reader_ask(r, &ids, name)) {
    const struct ck_kept kept = {CK_KEPT_WHOLE, 2, 0, kept_age};
    ck_put_array(&had, 1);
    ck_kept_encode(&had, &kept);
    ingest_reader_told(r, ck_buf_view(&had));
  }
  ingest_reader_go(r, true);
  cr_assert(ingest_reader_done(r));
  uint64_t number = t.number;
  cr_assert(number == 0 || t.first == (first ? first : 1));
  ingest_reader_free(&r);
  ck_buf_free(&ids);
  ck_buf_free(&had);
  told_free(&t);
  return number;
}

/* An original that was read at an earlier place than this is read again, because of the ages. */
Test(ingest_originals, each_line_has_its_number) {
  static const char lines[] = LINE("1") "\n\n" LINE("2") "\nbad\n" LINE("3");
  cr_expect_eq(numbered(lines, true, 1, 0), 4, "the blank line does not count");
  cr_expect_eq(numbered(lines, true, 1000, 0), 1003);
  cr_expect_eq(numbered(lines, false, 1000, 0), 1003, "of another store");
  cr_expect_eq(numbered(lines, false, 0, 0), 4, "read before originals had numbers");
  cr_expect_eq(numbered(lines, false, 0, 1), 0, "all is there");
  cr_expect_eq(numbered(lines, false, 1000, 999), 1003, "the last place was earlier");
  cr_expect_eq(numbered(lines, false, 1000, 1000), 0);
  cr_expect_eq(numbered("[" LINE("1") "," LINE("2") "]", true, 8, 0), 9);
}

/* A pipe that stays open: what has come goes in, though its run may get more. */
Test(ingest_originals, a_log_that_pauses) {
  struct told t = {0};
  struct ingest_reader *r = reader(&t, "x.jsonl", false);
  feed(r, CK_LIT(LINE("1") "\n"));
  answer(r, NULL);
  feed(r, CK_LIT(LINE("2") "\n"));
  cr_assert(ingest_reader_gathers(r));
  ingest_reader_pause(r);
  answer(r, NULL);
  cr_assert(!ingest_reader_gathers(r));
  cr_assert(strstr(ck_buf_cstr(&t.text), "2 ) "), "%s", ck_buf_cstr(&t.text));
  ingest_reader_free(&r);
  told_free(&t);
}

/* An original that is read again: nothing is asked, and its bytes are there. */
Test(ingest_originals, read_again) {
  struct told t = {0};
  struct ingest_reader *r = reader(&t, "x", true);
  feed(r, CK_LIT(CONVERSATION("a", "1")));
  ingest_reader_end(r);
  cr_assert_eq(answer(r, NULL), 0);
  cr_assert_str_eq(ck_buf_cstr(&t.text), "(claude 1 kept 1 ) ");
  ingest_reader_free(&r);
  told_free(&t);
}

/* What waits for answers is bounded, in bytes and in elements. */
Test(ingest_originals, elements_of_a_byte) {
  struct told t = {0};
  struct ck_buf file = {0};
  struct ingest_reader *r = reader(&t, "x.json", false);
  ck_buf_text(&file, "[" CONVERSATION("a", "1"));
  for (int i = 0; i < 200000; ++i) ck_buf_text(&file, ",7");
  ck_buf_text(&file, "," CONVERSATION("b", "2") "]");
  feed(r, ck_buf_view(&file));
  cr_expect_lt(ingest_reader_waiting(r), 1u << 20);
  ingest_reader_end(r);
  answer(r, NULL);
  cr_expect(ck_str_starts(ck_buf_view(&t.text), "(claude 1 1 ) !conversation 2 !"));
  cr_expect(strstr(ck_buf_cstr(&t.text), "!conversation 200001 (claude 1 2 ) "));
  ingest_reader_free(&r);
  told_free(&t);
  ck_buf_free(&file);
}

/* A conversation is read before the faults after it are told, however many they are. */
Test(ingest_originals, faults_after_a_conversation) {
  struct told t = {0};
  struct ck_buf file = {0};
  struct ingest_reader *r = reader(&t, "x.json", false);
  ck_buf_text(&file, "[" CONVERSATION("a", "1"));
  for (int i = 0; i < 3000; ++i) ck_buf_text(&file, "}");
  ck_buf_text(&file, "," CONVERSATION("b", "2") "]");
  feed(r, ck_buf_view(&file));
  ingest_reader_end(r);
  answer(r, NULL);
  cr_expect(ck_str_starts(ck_buf_view(&t.text), "(claude 1 1 ) !conversation 1 !"), "%.80s",
            ck_buf_cstr(&t.text));
  cr_expect(strstr(ck_buf_cstr(&t.text), "!conversation 1 (claude 1 2 ) "));
  ingest_reader_free(&r);
  told_free(&t);
  ck_buf_free(&file);
}

/* ---- blocks ---- */

struct sent {
  bool only; /* the list is looked at later */
  unsigned changesets, originals, noted;
  uint64_t parts, bytes; /* of the block that is coming */
  struct ck_buf data, raw, list;
};

static void take_list(struct sent *s, struct ck_str list, struct ck_str raw) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_original o;
  struct ck_err err;
  char hex[CK_SHA256_HEX + 1];
  uint32_t n;
  cr_assert_eq(ck_read_array(&r, &n), 0);
  for (; n; --n, ++s->originals) {
    cr_assert_eq(ck_original_decode(&r, &o, &err), 0, "%s", err.text);
    struct ck_sha256 hash;
    ck_sha256_begin(&hash);
    ck_sha256_add(&hash, (struct ck_str){raw.s + o.at, o.bytes});
    ck_sha256_end_hex(&hash, hex);
    cr_assert(memcmp(o.id.s, hex, CK_ORIGINAL_ID) == 0, "original %u has other bytes",
              s->originals);
    cr_assert(o.messages == 3 && o.executions == 1 && ck_str_is(o.reader, "x 1"));
    cr_assert(ck_str_is(o.platform, "p") && ck_str_is(o.conversation, "c") && o.age == 9);
  }
}

static void on_block(void *self, struct ck_str mutations) {
  struct sent *s = self;
  struct ck_reader r = ck_reader_of(mutations);
  struct ck_mutation m;
  struct ck_err err;
  struct ck_str data;
  uint32_t n;
  ++s->changesets;
  cr_assert(ck_read_array(&r, &n) == 0 && n == 1 && ck_mutation_decode(&m, &r, &err) == 0);
  cr_assert_eq(m.kind, CK_OP_BLOCK);
  const struct ck_block *b = &m.as.block;
  if (!b->parts) {
    ++s->noted;
    return;
  }
  struct ck_reader bytes = ck_reader_of(b->data);
  cr_assert(ck_read_bin(&bytes, &data) == 0 && data.n > 0 && data.n <= CK_BLOCK_PART);
  if (!b->part) {
    ck_buf_clear(&s->data);
    ck_buf_clear(&s->list);
    ck_buf_str(&s->list, b->originals);
  }
  ck_buf_str(&s->data, data);
  if (b->part + 1 < b->parts) return;
  ck_buf_clear(&s->raw);
  size_t got = ZSTD_decompress(ck_buf_room(&s->raw, b->bytes), b->bytes, s->data.data, s->data.len);
  cr_assert_eq(got, b->bytes);
  s->raw.len = got;
  if (!s->only) take_list(s, ck_buf_view(&s->list), ck_buf_view(&s->raw));
}

static void sent_free(struct sent *s) {
  ck_buf_free(&s->data);
  ck_buf_free(&s->raw);
  ck_buf_free(&s->list);
}

static void keep(struct ingest_blocks *b, struct ck_str bytes, bool kept) {
  struct ck_buf own = {0};
  struct ingest_units u = {0};
  const struct ingest_place place = {0};
  ck_buf_str(&own, bytes);
  ingest_units_add(&u, &own, &place);
  ingest_blocks_begin(b, u.head->id, bytes, kept, "x 1", 0);
  cr_assert(ck_str_is(ingest_blocks_id(b), u.head->id));
  ingest_blocks_conversation(b, CK_LIT("p"), CK_LIT("c"), 9);
  ingest_blocks_count(b, 2, 1, 0);
  ingest_blocks_count(b, 0, 0, 1);
  ingest_blocks_end(b);
  cr_assert_eq(ingest_blocks_id(b).n, 0);
  ingest_units_free(&u);
}

/* Small originals share blocks, a large one is one in parts, and each has its own bytes. */
Test(ingest_originals, blocks, .timeout = 60) {
  struct sent s = {0};
  struct ingest_blocks b = {.send = on_block, .self = &s};
  struct ck_random random = {.state = 7};
  struct ck_buf large = {0};
  char *to = ck_buf_room(&large, 5u << 20);
  for (size_t i = 0; i < 5u << 20; ++i) to[i] = (char)('a' + ck_random_next(&random) % 64);
  for (int i = 0; i < 50; ++i)
    keep(&b, (struct ck_str){to + i * 1000, 20000 + (size_t)i}, i % 10 == 9);
  keep(&b, (struct ck_str){to, 5u << 20}, false);
  ingest_blocks_begin(&b, "0123456789abcdef0123456789abcdef", CK_LIT("nothing"), false, "x 1", 0);
  ingest_blocks_end(&b);
  ingest_blocks_flush(&b);
  cr_assert(s.originals == 46 && s.noted == 1, "%u originals, %u noted", s.originals, s.noted);
  cr_assert(s.changesets > 8 && s.changesets < 16, "%u changesets", s.changesets);
  ingest_blocks_free(&b);
  ck_buf_free(&large);
  sent_free(&s);
}

/* A conversation without messages has its original, which is never whole. */
Test(ingest_originals, an_empty_conversation) {
  struct sent s = {0};
  struct ingest_blocks b = {.send = on_block, .self = &s};
  struct ck_reader list;
  struct ck_original o;
  struct ck_err err;
  uint32_t n;
  s.only = true;
  ingest_blocks_begin(&b, "0123456789abcdef0123456789abcdef", CK_LIT("empty"), false, "x 1", 0);
  ingest_blocks_conversation(&b, CK_LIT("p"), CK_LIT("c"), 9);
  ingest_blocks_end(&b);
  ingest_blocks_flush(&b);
  cr_assert(s.changesets == 1 && ck_str_is(ck_buf_view(&s.raw), "empty"));
  list = ck_reader_of(ck_buf_view(&s.list));
  cr_assert(ck_read_array(&list, &n) == 0 && n == 1);
  cr_assert_eq(ck_original_decode(&list, &o, &err), 0);
  cr_assert(ck_str_is(o.conversation, "c") && o.messages == 1 && o.executions == 0);
  ingest_blocks_free(&b);
  sent_free(&s);
}

static void on_nameless(void *self, struct ck_str mutations) {
  struct ck_reader r = ck_reader_of(mutations);
  struct ck_mutation m;
  struct ck_original o;
  uint32_t n;
  cr_assert_lt(mutations.n, 3u << 20);
  cr_assert(ck_read_array(&r, &n) == 0 && ck_mutation_decode(&m, &r, NULL) == 0);
  struct ck_reader list = ck_reader_of(m.as.block.originals);
  cr_assert(ck_read_array(&list, &n) == 0 && n == 1 && ck_original_decode(&list, &o, NULL) == 0);
  cr_assert(o.platform.n == 0 && o.conversation.n == 0 && o.messages == 3);
  ++*(unsigned *)self;
}

/* However long a conversation's id is, the list of its block fits into a changeset. */
Test(ingest_originals, a_conversation_with_a_long_id) {
  unsigned sent = 0;
  struct ingest_blocks b = {.send = on_nameless, .self = &sent};
  char *id = ck_alloc((9u << 20) + 1);
  memset(id, 'x', 9u << 20);
  id[9u << 20] = '\0';
  for (int kept = 0; kept < 2; ++kept) {
    ingest_blocks_begin(&b, "0123456789abcdef0123456789abcdef", CK_LIT("bytes"), kept, "x 1", 0);
    ingest_blocks_conversation(&b, CK_LIT("p"), ck_str_of(id), 9);
    ingest_blocks_count(&b, 3, 0, 0);
    ingest_blocks_end(&b);
  }
  ingest_blocks_flush(&b);
  cr_expect_eq(sent, 2);
  ingest_blocks_free(&b);
  free(id);
}
