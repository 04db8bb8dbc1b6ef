/* The owner's writes: UPDATE, and what clearing a title brings back. */
#include "store/write/apply_internal.h"

/* Offers the link's page_title as the title of its conversation, with its age. */
static void offer_title(struct apply *a, struct ck_str conversation, const struct entry *link,
                        struct rules_write *how) {
  int64_t ages[CK_COLUMNS_MAX];
  struct ck_value title = link->row.v[CK_LINKS_PAGE_TITLE];
  if (!link->exists || link->row.table != CK_LINKS || title.state != CK_TEXT ||
      !ck_str_eq(ck_row_text(&link->row, CK_LINKS_LOCAL_CONVERSATION_ID), conversation))
    return;
  ck_ages_read(ages, &link->row);
  int64_t age = ages[CK_LINKS_PAGE_TITLE];
  if (how->title.state != CK_TEXT ||
      rules_is_newer(title, age, how->title, how->title_age, how->now)) {
    how->title_age = age;
    how->title = ck_text(ck_arena_copy(&a->frame, title.as.s));
  }
}

/* What the sources say of a conversation's title: the owner's is about to be cleared. */
static int find_title(struct apply *a, const struct ck_row *write, struct rules_write *how,
                      struct ck_err *err) {
  struct ck_str conversation = ck_row_key(write);
  if (write->table != CK_CONVERSATIONS || write->v[CK_CONVERSATIONS_TITLE].state != CK_NULL)
    return 0;
  sqlite3_stmt *s = system_query(a->system, SYSTEM_LINKS_OF, "s", conversation);
  int rc;
  while ((rc = system_step(a->system, s, err)) > 0) {
    const struct entry *e = apply_find(a, CK_LINKS, db_str(s, 0), err);
    if (!e) break;
    offer_title(a, conversation, e, how);
  }
  system_done(s);
  if (rc) return apply_failed(a);
  size_t n;
  struct entry **dirty = cache_dirty(a->cache, &n); /* not in the database yet */
  for (size_t i = 0; i < n; ++i) offer_title(a, conversation, dirty[i], how);
  return 0;
}

int apply_update(struct apply *a, struct ck_row *write, struct ck_err *err) {
  const struct ck_table_info *t = &ck_tables[write->table];
  struct rules_write how = {.now = a->now, .owner = true};
  if (rules_clean(write, err)) return -1;
  struct entry *e = apply_find(a, write->table, ck_row_key(write), err);
  if (!e || find_title(a, write, &how, err)) return -1;
  int goes = apply_joins_forgotten(a, e, write, err);
  if (goes < 0) return -1;
  if (e->exists && !goes) return apply_merge(a, e, write, &how, err);
  struct ck_str key = ck_utf8_cut(ck_row_key(write), 100);
  return ck_fail(err, "%s.%s: there is no '%.*s' to update", t->name, t->fields[t->key].name,
                 (int)key.n, key.s);
}

int mutate_update(struct apply *a, const struct ck_update *m, struct ck_err *err) {
  struct ck_row row;
  return apply_decode_row(a, &row, m->table, m->row, err) ? -1 : apply_update(a, &row, err);
}
