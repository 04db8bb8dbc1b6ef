/* A HELD frame's three lists of leases: each list is walked with the function that obeys it. */
#include "store/mirror/held.h"

static void extend(struct leases *leases, uint64_t generation, int64_t now) {
  leases_extend(leases, generation, now);
}

static void give_back(struct leases *leases, uint64_t generation, int64_t now) {
  (void)now;
  leases_return(leases, generation);
}

static void postpone(struct leases *leases, uint64_t generation, int64_t now) {
  (void)now;
  leases_postpone(leases, generation);
}

static void only_check(struct leases *leases, uint64_t generation, int64_t now) {
  (void)leases, (void)generation, (void)now;
}

typedef void each_lease(struct leases *leases, uint64_t generation, int64_t now);

static int walk(struct ck_str list, each_lease *each, struct leases *leases, int64_t now,
                struct ck_err *err) {
  struct ck_reader r = ck_reader_of(list);
  struct ck_lease one;
  uint32_t n;
  if (ck_read_array(&r, &n)) return ck_fail(err, "must be an array of leases");
  if (n > CK_HELD_MAX) return ck_fail(err, "more than %d leases", CK_HELD_MAX);
  for (uint32_t k = 0; k < n; ++k) {
    if (ck_lease_decode(&r, &one, err)) return -1;
    each(leases, one.generation, now);
  }
  return 0;
}

int held_take(struct held *h, const struct ck_held *said, struct leases *leases, int64_t now,
              struct ck_err *err) {
  const struct {
    const char *name;
    struct ck_str list;
    each_lease *each;
  } lists[] = {{"held", said->held, extend},
               {"returned", said->returned, give_back},
               {"postponed", said->postponed, postpone}};
  const size_t n = sizeof lists / sizeof *lists;
  for (size_t k = 0; k < n; ++k)
    if (walk(lists[k].list, only_check, leases, now, err))
      return ck_fail_in(err, "held: field %s", lists[k].name);
  for (size_t k = 0; k < n; ++k) walk(lists[k].list, lists[k].each, leases, now, err);
  if (said->postpones) h->postpones_at = now;
  if (said->foreign_keys) h->parents = true;
  return 0;
}

int64_t held_postpones_until(const struct held *h, int64_t now) {
  return h->postpones_at ? h->postpones_at + CK_POSTPONES_MS : now;
}
