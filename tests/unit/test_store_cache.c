/* The writer's cache: a changeset is undone completely, unique keys too, and after a commit the
 * cache holds what the database has. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/write/cache.h"

static struct ck_row link_row(const char *id, const char *remote, int64_t at) {
  struct ck_row row = {.table = CK_LINKS};
  for (int c = 0; c < CK_LINKS_COLUMNS; ++c) row.v[c] = ck_null();
  row.v[CK_LINKS_LINK_ID] = ck_textz(id);
  row.v[CK_LINKS_PLATFORM] = ck_textz("p");
  row.v[CK_LINKS_REMOTE_CONVERSATION_ID] = ck_textz(remote);
  row.v[CK_LINKS_OBSERVED_AT] = ck_int(at);
  return row;
}

static struct entry *absent(struct cache *c, enum ck_table t, const char *id) {
  struct ck_row row = {.table = t};
  row.v[ck_tables[t].key] = ck_textz(id);
  return cache_remember(c, &row, 0);
}

static struct entry *by_remote(struct cache *c, const char *remote) {
  struct ck_row row = link_row("any", remote, 0);
  return cache_find_unique(c, &row);
}

Test(cache, remembers_what_is_and_what_is_not) {
  struct cache *c = cache_new();
  struct ck_row row = link_row("l1", "r1", 5);
  struct entry *e = cache_remember(c, &row, 7), *none = absent(c, CK_LINKS, "l2");
  cr_expect(e->exists && e->version == 7 && e->stored == 7 && !e->dirty);
  cr_expect(!none->exists && none->version == 0);
  cr_expect_eq(cache_find(c, CK_LINKS, CK_LIT("l1")), e);
  cr_expect_eq(cache_find(c, CK_LINKS, CK_LIT("l2")), none);
  cr_expect_null(cache_find(c, CK_LINKS, CK_LIT("l")));
  cr_expect_null(cache_find(c, CK_JOBS, CK_LIT("l1")));
  cr_expect_eq(by_remote(c, "r1"), e);
  cr_expect_null(by_remote(c, "r2"));
  cache_free(&c);
  cr_expect_null(c);
}

Test(cache, owns_its_text) {
  struct cache *c = cache_new();
  char id[] = "l1", remote[] = "r1";
  struct ck_row row = link_row(id, remote, 5);
  struct entry *e = cache_remember(c, &row, 7);
  memset(id, 'x', 2);
  memset(remote, 'x', 2);
  cr_expect(ck_str_is(ck_row_key(&e->row), "l1"));
  cr_expect_eq(by_remote(c, "r1"), e);
  /* A change may borrow from the row it replaces. */
  struct ck_row next = e->row;
  next.v[CK_LINKS_OBSERVED_AT] = ck_int(6);
  for (int i = 0; i < 10; ++i) cache_change(c, e, &next, 8 + (uint64_t)i, 0), next = e->row;
  cr_expect_eq(by_remote(c, "r1"), e);
  cache_mark(c);
  cr_expect(ck_str_is(ck_row_text(&e->row, CK_LINKS_REMOTE_CONVERSATION_ID), "r1"));
  cache_free(&c);
}

Test(cache, rollback_brings_back_unique_keys) {
  struct cache *c = cache_new();
  struct ck_row row = link_row("l1", "r1", 5);
  struct entry *e = cache_remember(c, &row, 7), *made = absent(c, CK_LINKS, "l2");
  struct ck_row moved = link_row("l1", "r2", 6), second = link_row("l2", "r1", 6),
                gone = link_row("l1", NULL, 6);
  cache_change(c, e, &moved, 8, 0);
  cache_change(c, made, &second, 9, 1);
  cr_expect_eq(by_remote(c, "r2"), e);
  cr_expect_eq(by_remote(c, "r1"), made);
  cache_change(c, e, &gone, 10, 0);
  cr_expect_null(by_remote(c, "r2"));
  cache_rollback(c);
  cr_expect_eq(by_remote(c, "r1"), e);
  cr_expect_null(by_remote(c, "r2"));
  cr_expect(!made->exists && made->version == 0 && made->born == 0 && !made->dirty);
  cr_expect(e->exists && e->version == 7 && !e->dirty &&
            ck_row_int(&e->row, CK_LINKS_OBSERVED_AT, 0) == 5);
  size_t n;
  cache_dirty(c, &n);
  cr_expect_eq(n, 0);
  cache_free(&c);
}

Test(cache, rollback_goes_back_to_the_last_mark_only) {
  struct cache *c = cache_new();
  struct entry *e = absent(c, CK_LINKS, "l1");
  struct ck_row one = link_row("l1", "r1", 1), two = link_row("l1", "r2", 2);
  cache_change(c, e, &one, 1, 1);
  cache_mark(c);
  cache_change(c, e, &two, 2, 1);
  cache_rollback(c);
  size_t n;
  struct entry **dirty = cache_dirty(c, &n);
  cr_assert_eq(n, 1);
  cr_expect(dirty[0] == e && e->exists && e->version == 1 && e->born == 1 && e->stored == 0);
  cr_expect_eq(by_remote(c, "r1"), e);
  cache_committed(c);
  cr_expect(e->stored == 1 && e->born == 0 && !e->dirty);
  cr_expect_eq(cache_find(c, CK_LINKS, CK_LIT("l1")), e, "a link is kept for the next commit");
  cache_free(&c);
}

Test(cache, a_commit_forgets_messages_and_absence) {
  struct cache *c = cache_new();
  struct ck_row message = {.table = CK_MESSAGES};
  message.v[CK_MESSAGES_ID] = ck_textz("m1");
  struct entry *m = absent(c, CK_MESSAGES, "m1");
  cache_change(c, m, &message, 1, 1);
  absent(c, CK_LINKS, "l9");
  cache_committed(c);
  cr_expect_null(cache_find(c, CK_MESSAGES, CK_LIT("m1")));
  cr_expect_null(cache_find(c, CK_LINKS, CK_LIT("l9")));
  cache_free(&c);
}

Test(cache, dirty_is_in_order_of_version) {
  struct cache *c = cache_new();
  char ids[50][16];
  for (int i = 0; i < 50; ++i) {
    snprintf(ids[i], sizeof *ids, "l%d", i);
    struct ck_row row = link_row(ids[i], ids[i], i);
    cache_change(c, absent(c, CK_LINKS, ids[i]), &row, (uint64_t)(i * 7 % 50 + 1), 1);
    if (i % 3) cache_mark(c);
    if (i % 3 == 0) cache_rollback(c);
  }
  size_t n;
  struct entry **dirty = cache_dirty(c, &n);
  cr_expect_eq(n, 33, "%zu", n);
  for (size_t i = 1; i < n; ++i) cr_expect_lt(dirty[i - 1]->version, dirty[i]->version);
  cache_free(&c);
}

/* ---- any history, against a model that is too simple to be wrong ---- */

#define KEYS 12
#define REMOTES 16

struct model {
  bool exists;
  int remote; /* -1: none */
  uint64_t version, stored;
};

static const char *name(char kind, int i) {
  static char names[8][16];
  static int turn;
  char *out = names[turn++ % 8];
  snprintf(out, sizeof *names, "%c%d", kind, i);
  return out;
}

static int holder(const struct model *m, int remote) {
  for (int i = 0; i < KEYS; ++i)
    if (m[i].exists && m[i].remote == remote) return i;
  return -1;
}

static void compare(struct cache *c, const struct model *now, const struct model *committed) {
  size_t n, expected = 0;
  for (int i = 0; i < KEYS; ++i) {
    struct entry *e = cache_find(c, CK_LINKS, ck_str_of(name('l', i)));
    if (!e) {
      cr_assert_eq(now[i].version, committed[i].version, "a change was forgotten");
      continue;
    }
    cr_assert_eq(e->exists, now[i].exists);
    cr_assert_eq(e->version, now[i].version);
    cr_assert_eq(e->stored, committed[i].version);
    if (!e->exists) continue;
    struct ck_str remote = ck_row_text(&e->row, CK_LINKS_REMOTE_CONVERSATION_ID);
    cr_assert(ck_str_is(remote, now[i].remote < 0 ? "" : name('r', now[i].remote)));
    if (now[i].remote >= 0) cr_assert_eq(by_remote(c, name('r', now[i].remote)), e);
  }
  for (int r = 0; r < REMOTES; ++r)
    if (holder(now, r) < 0) cr_assert_null(by_remote(c, name('r', r)), "nobody has r%d", r);
  struct entry **dirty = cache_dirty(c, &n);
  for (int i = 0; i < KEYS; ++i) expected += now[i].version != committed[i].version;
  cr_assert_eq(n, expected);
  for (size_t i = 1; i < n; ++i) cr_assert_lt(dirty[i - 1]->version, dirty[i]->version);
}

static struct entry *entry_of(struct cache *c, const struct model *committed, int i) {
  struct entry *e = cache_find(c, CK_LINKS, ck_str_of(name('l', i)));
  if (e) return e;
  if (!committed[i].exists) return absent(c, CK_LINKS, name('l', i));
  struct ck_row row =
      link_row(name('l', i), committed[i].remote < 0 ? NULL : name('r', committed[i].remote), 0);
  return cache_remember(c, &row, committed[i].version);
}

Test(cache, any_history) {
  struct cache *c = cache_new();
  struct model now[KEYS] = {{0}}, kept[KEYS] = {{0}}, committed[KEYS] = {{0}};
  uint64_t version = 0;
  for (int step = 0; step < 60000; ++step) {
    uint64_t which = sh_below(100);
    if (which < 70) {
      int i = (int)sh_below(KEYS), remote = (int)sh_below(REMOTES + 2) - 2;
      if (remote < 0) remote = -1;
      if (remote >= 0 && holder(now, remote) >= 0 && holder(now, remote) != i) continue;
      struct entry *e = entry_of(c, committed, i);
      struct ck_row row = link_row(name('l', i), remote < 0 ? NULL : name('r', remote), step);
      cache_change(c, e, &row, ++version, 1);
      now[i] = (struct model){true, remote, version, 0};
    } else if (which < 85) {
      cache_mark(c);
      memcpy(kept, now, sizeof now);
    } else if (which < 95) {
      cache_rollback(c);
      memcpy(now, kept, sizeof now);
    } else if (which < 99) {
      cache_mark(c);
      size_t n;
      cache_dirty(c, &n);
      cache_committed(c);
      memcpy(kept, now, sizeof now);
      memcpy(committed, now, sizeof now);
    } else {
      cache_clear(c);
      memcpy(now, committed, sizeof now);
      memcpy(kept, committed, sizeof now);
    }
    compare(c, now, committed);
  }
  cache_free(&c);
}
