/* The filter of ids: whatever happens, it never denies an id that exists; and it denies nearly all
 * that do not exist, or it would be of no use. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/write/apply_internal.h"
#include "store/keys/bloom.h"
#include "store/keys/filter.h"

static struct sh_store s;

static void keep_few(void) { apply_resize_keys(s.apply, 4, 2, 32); }
static void open_it(void) {
  sh_open(&s);
  keep_few();
}
static void close_it(void) { sh_close(&s); }

TestSuite(filter, .init = open_it, .fini = close_it);

static void reopen(void) {
  sh_reopen(&s);
  keep_few();
}

static struct ck_str name(unsigned i) {
  static char id[32];
  snprintf(id, sizeof id, "m%08x", i * 2654435761u);
  return ck_str_of(id);
}

static void put(unsigned i, const char *more) {
  char *json =
      ck_sprintf("{'id':'%s','platform':'p','role':'user','raw_text':'text','observed_at':10%s}",
                 name(i).s, more);
  sh_put(&s, CK_MESSAGES, json);
  free(json);
}

static void write(unsigned from, unsigned to) {
  for (unsigned i = from; i < to; ++i) {
    put(i, "");
    cr_assert_eq(sh_apply(&s), 'n');
    if (i % 16 == 0 || i + 1 == to) cr_assert_eq(sh_commit(&s), 0, "%s", s.reason.text);
  }
}

static bool misses(unsigned i) { return keys_absent(tables_keys(s.apply->tables), name(i)); }

/* How many of a thousand ids that were never written it denies. */
static unsigned denied_strangers(void) {
  unsigned n = 0;
  for (unsigned i = 1; i <= 1000; ++i) n += misses(0x40000000u + i);
  return n;
}

#define LAYERS "SELECT count(*) FROM message_keys_layers"

/* ---- the bits ---- */

Test(bloom, a_key_that_was_added_is_never_denied_and_one_of_hundreds_that_was_not_is_not) {
  enum { KEYS = 100000 };
  size_t bytes = KEYS * 2 / BLOOM_BLOCK * BLOOM_BLOCK;
  unsigned char *bits = ck_zalloc(bytes);
  unsigned wrong = 0;
  for (unsigned i = 0; i < KEYS; ++i) bloom_add(bits, bytes, bloom_hash(name(i)));
  for (unsigned i = 0; i < KEYS; ++i) cr_assert(bloom_perhaps(bits, bytes, bloom_hash(name(i))));
  for (unsigned i = KEYS; i < 2 * KEYS; ++i)
    wrong += bloom_perhaps(bits, bytes, bloom_hash(name(i)));
  cr_expect_lt(wrong, KEYS / 400, "%u of %d", wrong, KEYS);
  free(bits);
}

/* Stored databases have these bits. */
Test(bloom, the_places_of_the_bits_are_what_they_were) {
  static const size_t expected[] = {514, 517, 603, 700, 723, 726, 754,
                                    786, 838, 842, 844, 962, 963, 1006};
  unsigned char bits[2 * BLOOM_BLOCK] = {0};
  size_t n = 0;
  bloom_add(bits, sizeof bits, bloom_hash(CK_LIT("convkeep")));
  bloom_add(bits, sizeof bits, bloom_hash(CK_LIT("")));
  for (size_t i = 0; i < sizeof bits * 8; ++i) {
    if (!(bits[i / 8] & (1u << (i % 8)))) continue;
    cr_assert(n < sizeof expected / sizeof *expected && i == expected[n], "bit %zu", i);
    ++n;
  }
  cr_expect_eq(n, sizeof expected / sizeof *expected);
}

Test(bloom, ascending_hashes_select_ascending_blocks) {
  uint64_t hash = 0;
  size_t before = 0;
  for (int i = 0; i < 1000; ++i, hash += UINT64_MAX / 1000) {
    size_t block = bloom_block(7 * BLOOM_BLOCK, hash);
    cr_assert(block >= before && block < 7 * BLOOM_BLOCK);
    before = block;
  }
  cr_expect_eq(before, 6 * BLOOM_BLOCK);
}

/* ---- the store's ---- */

Test(filter, exists_once_the_first_id_leaves_the_memory_stage) {
  write(0, 4);
  cr_expect_eq(sh_int(&s, LAYERS), 0);
  cr_expect_eq(denied_strangers(), 0, "without a filter nothing is said");
  write(4, 8);
  cr_expect_eq(sh_int(&s, LAYERS), 1);
  cr_expect_geq(denied_strangers(), 980);
  sh_check_keys(&s);
}

Test(filter, grows_by_layers_and_stops_growing) {
  int64_t layers = 0;
  for (unsigned i = 0; i < 12000; i += 60) {
    write(i, i + 60);
    if (i % 1200 == 0) reopen();
    int64_t now = sh_int(&s, LAYERS);
    cr_expect(now == layers || now == layers + 1 || layers == 0);
    layers = now;
    if (i % 600 == 0) sh_check_keys(&s);
  }
  sh_check_keys(&s);
  cr_expect_eq(layers, 34);
  cr_expect_leq(sh_int(&s, "SELECT sum(length(bits)) FROM message_keys_filter"), 32 * 2 * 256);
  cr_expect_leq(sh_int(&s, "SELECT count(*) FROM message_keys_new"), 100,
                "what is stored in the filter is trimmed");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 12000);
}

Test(filter, says_nothing_after_a_restart_until_all_of_it_is_read) {
  write(0, 6000);
  cr_expect_geq(denied_strangers(), 950);
  reopen();
  cr_expect_eq(denied_strangers(), 0);
  for (unsigned i = 0; i < 6000; i += 7) cr_assert(!misses(i));
  unsigned commits = 0;
  for (; denied_strangers() == 0 && commits < 20; ++commits) write(6000 + commits, 6001 + commits);
  cr_expect(commits > 1 && commits < 20, "%u commits", commits);
  cr_expect_geq(denied_strangers(), 950);
  sh_check_keys(&s);
}

/* A change of a message takes no room, because there may be any number of changes. */
Test(filter, does_not_grow_by_changes) {
  write(0, 60);
  int64_t layers = sh_int(&s, LAYERS);
  for (unsigned turn = 0; turn < 20; ++turn)
    for (unsigned i = 0; i < 60; ++i) {
      char *more = ck_sprintf(",'page_title':'%02u'", turn);
      put(i, more);
      free(more);
      cr_assert_eq(sh_apply(&s), 'u');
      cr_assert_eq(sh_commit(&s), 0);
    }
  cr_expect_eq(sh_int(&s, LAYERS), layers);
  sh_check_keys(&s);
}

/* New ids, changed messages, batches undone after everything was written, and restarts, at any
 * moment of a sweep and of a change of layers. */
Test(filter, misses_none_whatever_happens, .timeout = 600) {
  enum { IDS = 4000 };
  static bool there[IDS];
  struct ck_err err;
  for (unsigned step = 0; step < 3000; ++step) {
    unsigned batch = 1 + (unsigned)sh_below(sh_below(8) ? 4 : 60),
             first = (unsigned)sh_below(IDS - batch);
    bool fails = sh_below(4) == 0;
    if (fails)
      cr_assert_eq(db_exec(s.db,
                           "CREATE TEMP TRIGGER no BEFORE INSERT ON producers"
                           " BEGIN SELECT RAISE(ABORT, 'no'); END",
                           &err),
                   0, "%s", err.text);
    for (unsigned i = first; i < first + batch; ++i) {
      char *more = ck_sprintf(",'page_title':'%u'", (unsigned)sh_below(3));
      put(i, more);
      free(more);
      char letter = sh_apply(&s);
      cr_assert(there[i] ? letter == 'u' || letter == '=' : letter == 'n', "%c of %u at step %u",
                letter, i, step);
    }
    cr_assert_eq(sh_commit(&s) != 0, fails);
    if (fails) cr_assert_eq(db_exec(s.db, "DROP TRIGGER temp.no", &err), 0, "%s", err.text);
    for (unsigned i = first; i < first + batch && !fails; ++i) there[i] = true;
    if (sh_below(50) == 0) reopen();
    if (step % 20 == 0) sh_check_keys(&s);
    for (unsigned i = 0; i < IDS; ++i) cr_assert(!there[i] || !misses(i), "%u at step %u", i, step);
  }
  int64_t n = 0;
  for (unsigned i = 0; i < IDS; ++i) n += there[i];
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), n);
  cr_expect_gt(sh_int(&s, LAYERS), 5);
}

Test(filter, is_built_from_the_tables_if_there_is_none) {
  struct ck_err err;
  write(0, 500);
  cr_assert_eq(
      db_exec(s.db, "DELETE FROM message_keys_layers; DELETE FROM message_keys_filter", &err), 0);
  reopen();
  sh_check_keys(&s);
  cr_expect_geq(denied_strangers(), 980, "and is there at once");
  write(500, 900);
  reopen();
  sh_check_keys(&s);
}

Test(filter, a_copy_of_the_database_has_the_filter_of_its_moment) {
  struct ck_err err;
  write(0, 500);
  cr_assert_eq(db_exec(s.db, "VACUUM INTO 'copy.db'", &err), 0, "%s", err.text);
  write(500, 2000);
  sh_swap(&s, "copy.db");
  keep_few();
  sh_check_keys(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 500);
  for (unsigned i = 700; i < 2400; ++i) {
    put(i, "");
    cr_assert_eq(sh_apply(&s), 'n');
    cr_assert_eq(sh_commit(&s), 0);
  }
  sh_check_keys(&s);
}

Test(filter, what_it_lacks_is_found) {
  static const char *const wrong[] = {
      "UPDATE message_keys_filter SET bits = zeroblob(length(bits))",
      "UPDATE message_keys_sweeps SET stored_version = (SELECT max(version) FROM messages)"
      " WHERE target = 'message_keys_filter';"
      "INSERT INTO message_keys_sorted VALUES (0, 'nobody', 1)",
  };
  write(0, 400);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    struct ck_err err = {{0}};
    uint64_t count = 0;
    char *missed = NULL;
    cr_assert_eq(db_exec(s.db, "SAVEPOINT test", &err), 0);
    cr_assert_eq(db_exec(s.db, wrong[i], &err), 0, "%s", err.text);
    cr_assert_eq(keys_check_filter(s.db, &count, &missed, &err), 0, "%s", err.text);
    cr_expect_gt(count, 0, "%s", wrong[i]);
    free(missed);
    cr_assert_eq(db_exec(s.db, "ROLLBACK TO test; RELEASE test", &err), 0);
  }
}

/* A missing part is an error, not a filter with a hole. */
Test(filter, a_missing_part_is_an_error) {
  struct ck_err err = {{0}};
  uint64_t count;
  char *missed;
  write(0, 400);
  cr_assert_eq(db_exec(s.db,
                       "DELETE FROM message_keys_filter"
                       " WHERE layer_part = (SELECT max(layer_part) FROM message_keys_filter)",
                       &err),
               0);
  cr_expect_eq(keys_check_filter(s.db, &count, &missed, &err), -1);
  struct filter *f = filter_new(s.db, &err);
  cr_expect_null(f);
  cr_expect(strstr(err.text, "is missing"), "%s", err.text);
}
