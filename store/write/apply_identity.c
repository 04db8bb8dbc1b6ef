/* Ids that two conversations use. The message of the second conversation gets an id of its own,
 * made of the id that is given and of its conversation; for that conversation the given id means
 * this one. Likewise an execution of a second message (docs/records.md, "Identity"). */
#include "store/write/apply_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/crc32c.h"

void identity_begin(struct apply *a) {
  a->identity.home = a->identity.session = (struct home){{0}, {0}};
  a->identity.searched = a->identity.knows_parents = false;
}

/* ---- whose messages ---- */

static void set_home(struct apply *a, struct ck_str platform, struct ck_str conversation) {
  struct home *h = &a->identity.home;
  if (ck_str_eq(h->platform, platform) && ck_str_eq(h->conversation, conversation)) return;
  *h = (struct home){platform, conversation};
  a->identity.knows_parents = false;
}

/* The first session of the changeset says whose it is. */
static void search_session(struct apply *a) {
  struct ck_reader r = ck_reader_of(a->mutations);
  struct ck_mutation m;
  struct ck_row row;
  uint32_t n;
  if (a->identity.searched || ck_read_array(&r, &n)) return;
  a->identity.searched = true;
  for (; n && ck_mutation_decode(&m, &r, NULL) == 0; --n) {
    bool session = m.kind == CK_OP_PUT && ck_str_is(m.as.put.table, ck_tables[CK_SESSIONS].name);
    if (!session || apply_decode_row(a, &row, m.as.put.table, m.as.put.row, NULL)) continue;
    a->identity.session = (struct home){ck_trim(ck_row_text(&row, CK_SESSIONS_PLATFORM)),
                                        ck_trim(ck_row_text(&row, CK_SESSIONS_CONVERSATION_ID))};
    return;
  }
}

/* An execution may come without its message, or after one that does not say whose it is, but never
 * without a session. */
static void search_home(struct apply *a) {
  if (a->identity.home.platform.n) return;
  search_session(a);
  set_home(a, a->identity.session.platform, a->identity.session.conversation);
}

/* Of a conversation that comes without messages, its id says which it is. */
static struct home home_of(const struct apply *a, const struct ck_row *conversation) {
  struct ck_str platform = ck_row_text(conversation, CK_CONVERSATIONS_PLATFORM),
                id = ck_row_key(conversation);
  bool says = platform.n && id.n > platform.n && id.s[platform.n] == ':' &&
              memcmp(id.s, platform.s, platform.n) == 0;
  if (a->identity.home.platform.n || !says) return a->identity.home;
  return (struct home){platform, {id.s + platform.n + 1, id.n - platform.n - 1}};
}

static bool differ(struct ck_str a, struct ck_str b) { return a.n && b.n && !ck_str_eq(a, b); }

static bool is_at_home(const struct ck_row *message, const struct home *h) {
  return !differ(ck_row_text(message, CK_MESSAGES_PLATFORM), h->platform) &&
         !differ(ck_row_text(message, CK_MESSAGES_CONVERSATION_ID), h->conversation);
}

bool identity_is_home(const struct apply *a, const struct ck_row *message) {
  return is_at_home(message, &a->identity.home);
}

/* ---- copies ---- */

#define OLDEST 1 /* an age with which nothing is said that is not known already */

static bool begins_with(struct ck_str s, struct ck_str with) {
  return s.n >= with.n && (!with.n || memcmp(s.s, with.s, with.n) == 0);
}

/* An answer may have been copied before all of it had come, so one of the texts may be longer. */
static bool is_same(const struct ck_row *message, const struct ck_row *copy, bool timed) {
  struct ck_str a = ck_row_text(message, CK_MESSAGES_RAW_TEXT),
                b = ck_row_text(copy, CK_MESSAGES_RAW_TEXT);
  const struct ck_value *time = &message->v[CK_MESSAGES_OBSERVED_AT],
                        *given = &copy->v[CK_MESSAGES_OBSERVED_AT];
  bool same_time = given->state == CK_INT && time->as.i == given->as.i;
  return (begins_with(a, b) || begins_with(b, a)) && (same_time || !timed) &&
         ck_str_eq(ck_row_text(message, CK_MESSAGES_ROLE), ck_row_text(copy, CK_MESSAGES_ROLE));
}

/* 1: the message that it may be a copy of was forgotten, so it is left out; 0; -1. */
static int copies_forgotten(struct apply *a, const struct ck_row *copy, const struct home *given,
                            struct ck_err *err) {
  const struct ck_row *gone;
  int rc = apply_find_forgotten(a, CK_MESSAGES, ck_row_key(copy), &gone, err);
  if (rc > 0 && differ(ck_row_text(gone, CK_FORGOTTEN_PLATFORM), given->platform)) rc = 0;
  if (rc > 0) rc = apply_leaves_out(a, copy, err);
  if (rc > 0) set_home(a, given->platform, given->conversation);
  return rc;
}

int mutate_copy(struct apply *a, const struct ck_copy *m, struct ck_err *err) {
  struct ck_row row;
  if (apply_decode_row(a, &row, CK_LIT("messages"), m->row, err) || rules_clean(&row, err))
    return -1;
  const struct home given = {ck_row_text(&row, CK_MESSAGES_PLATFORM),
                             ck_row_text(&row, CK_MESSAGES_CONVERSATION_ID)};
  const struct entry *e = apply_find(a, CK_MESSAGES, ck_row_key(&row), err);
  if (!e) return -1;
  bool elsewhere = e->exists &&
                   ck_str_eq(ck_row_text(&e->row, CK_MESSAGES_PLATFORM), given.platform) &&
                   differ(ck_row_text(&e->row, CK_MESSAGES_CONVERSATION_ID), given.conversation);
  int over = copies_forgotten(a, &row, &given, err);
  if (over) return over > 0 ? 0 : -1;
  int64_t age = m->age;
  a->run.copies = elsewhere && is_same(&e->row, &row, m->timed);
  if (a->run.copies) {
    if (!m->timed) age = OLDEST;
    row.v[CK_MESSAGES_CONVERSATION_ID] = e->row.v[CK_MESSAGES_CONVERSATION_ID];
    row.v[CK_MESSAGES_OBSERVED_AT] = e->row.v[CK_MESSAGES_OBSERVED_AT];
  }
  if (apply_put(a, &row, age, err)) return -1;
  a->run.copies = false;
  set_home(a, given.platform, given.conversation);
  return 0;
}

/* ---- derived ids ---- */

/* 1: the id is that of a message which was forgotten, of another conversation; 0; -1. */
static int was_elsewhere(struct apply *a, const struct home *h, struct ck_str id,
                         struct ck_err *err) {
  const struct ck_row *gone;
  int rc = apply_find_forgotten(a, CK_MESSAGES, id, &gone, err);
  if (rc <= 0) return rc;
  return differ(ck_row_text(gone, CK_FORGOTTEN_PLATFORM), h->platform) ||
         differ(ck_row_text(gone, CK_FORGOTTEN_CONVERSATION_ID), h->conversation);
}

/* What a message's id means in this conversation. makes: the message is put, so an id that belongs
 * to another conversation is derived; else only if the derived one exists. 0 or -1. */
static int mean(struct apply *a, const struct home *h, bool makes, struct ck_value *id,
                struct ck_err *err) {
  if (id->state != CK_TEXT || h->platform.n == 0) return 0;
  const struct entry *e = apply_find(a, CK_MESSAGES, id->as.s, err);
  if (!e) return -1;
  int elsewhere = e->exists ? !is_at_home(&e->row, h) : was_elsewhere(a, h, id->as.s, err);
  if (elsewhere <= 0) return elsewhere;
  struct ck_str parts[] = {h->platform, h->conversation, id->as.s};
  struct ck_str derived = ck_derived_id(&a->frame, id->as.s, parts, 3);
  e = makes ? NULL : apply_find(a, CK_MESSAGES, derived, err);
  if (!makes && !e) return -1;
  if (makes || e->exists) *id = ck_text(derived);
  return 0;
}

void identity_of(struct apply *a, struct ck_str platform, struct ck_str conversation) {
  set_home(a, platform, conversation);
}

int identity_means(struct apply *a, struct ck_value *message_id, struct ck_err *err) {
  return mean(a, &a->identity.home, false, message_id, err);
}

/* Cuts off what ck_derived_id() has appended: the last of the n parts is then the id itself. */
static void cut_derived(struct ck_value *id, struct ck_str *parts, size_t n) {
  struct ck_str whole = ck_trim(id->state == CK_TEXT ? id->as.s : (struct ck_str){0});
  char hash[33];
  if (whole.n <= CK_DERIVED_DIGITS + 1 || whole.s[whole.n - CK_DERIVED_DIGITS - 1] != '@') return;
  parts[n - 1] = (struct ck_str){whole.s, whole.n - CK_DERIVED_DIGITS - 1};
  ck_hash_id(hash, parts, n);
  if (memcmp(hash, whole.s + whole.n - CK_DERIVED_DIGITS, CK_DERIVED_DIGITS) == 0)
    *id = ck_text(parts[n - 1]);
}

void identity_of_source(const struct apply *a, struct ck_row *row) {
  static const int columns[CK_TABLES][2] = {
      [CK_MESSAGES] = {CK_MESSAGES_ID, CK_MESSAGES_PARENT_ID},
      [CK_EXECUTIONS] = {CK_EXECUTIONS_MESSAGE_ID, CK_EXECUTIONS_MESSAGE_ID},
      [CK_CONVERSATIONS] = {CK_CONVERSATIONS_LAST_MESSAGE_ID, CK_CONVERSATIONS_LAST_MESSAGE_ID},
      [CK_JOBS] = {CK_JOBS_MESSAGE_ID, CK_JOBS_MESSAGE_ID}};
  struct ck_str parts[] = {a->identity.home.platform, a->identity.home.conversation, {0}},
                of_execution[] = {ck_trim(ck_row_text(row, CK_EXECUTIONS_MESSAGE_ID)), {0}};
  const int *c = columns[row->table];
  if (row->table == CK_EXECUTIONS)
    cut_derived(&row->v[CK_EXECUTIONS_INSTRUCTION_ID], of_execution, 2);
  if (row->table == CK_SESSIONS || row->table == CK_LINKS || !parts[0].n) return;
  for (int i = 0; i < 2; ++i) cut_derived(&row->v[c[i]], parts, 3);
}

/* The members of a message's details, with the id as its source has it. */
static struct ck_value with_source_id(struct apply *a, struct ck_value details, struct ck_str id) {
  static const char name[] = "\"source_id\":";
  struct ck_str rest = details.state == CK_TEXT ? details.as.s : CK_LIT("{}");
  if (rest.n < 2 || rest.s[0] != '{' || memmem(rest.s, rest.n, name, sizeof name - 1))
    return details;
  bool more = rest.s[1] != '}';
  struct ck_buf b = {0};
  ck_buf_printf(&b, "{%s", name);
  ck_buf_json_str(&b, id);
  ck_buf_text(&b, more ? "," : "");
  ck_buf_add(&b, rest.s + 1, rest.n - 1);
  return ck_text(ck_arena_keep(&a->frame, &b));
}

struct ck_value identity_details(struct apply *a, const struct ck_row *write, struct ck_str given) {
  if (write->table != CK_MESSAGES || ck_str_eq(ck_row_key(write), given)) return ck_null();
  return with_source_id(a, ck_null(), given);
}

static int find_message(struct apply *a, struct ck_row *w, struct ck_err *err) {
  struct ck_str given = ck_row_key(w);
  struct ck_value *details = &w->v[CK_MESSAGES_DETAILS];
  set_home(a, ck_row_text(w, CK_MESSAGES_PLATFORM), ck_row_text(w, CK_MESSAGES_CONVERSATION_ID));
  const struct home *h = &a->identity.home;
  if (mean(a, h, true, &w->v[CK_MESSAGES_ID], err) ||
      mean(a, h, false, &w->v[CK_MESSAGES_PARENT_ID], err))
    return -1;
  bool derived = !ck_str_eq(ck_row_key(w), given);
  if (derived && details->state == CK_TEXT) *details = with_source_id(a, *details, given);
  return 0;
}

static int find_execution(struct apply *a, struct ck_row *w, struct ck_err *err) {
  search_home(a);
  if (mean(a, &a->identity.home, false, &w->v[CK_EXECUTIONS_MESSAGE_ID], err)) return -1;
  struct ck_str message = ck_row_text(w, CK_EXECUTIONS_MESSAGE_ID), id = ck_row_key(w);
  const struct entry *e = apply_find(a, CK_EXECUTIONS, id, err);
  if (!e) return -1;
  struct ck_str parts[] = {message, id};
  if (e->exists && differ(ck_row_text(&e->row, CK_EXECUTIONS_MESSAGE_ID), message))
    w->v[CK_EXECUTIONS_INSTRUCTION_ID] = ck_text(ck_derived_id(&a->frame, id, parts, 2));
  return 0;
}

int identity_find(struct apply *a, struct ck_row *write, struct ck_err *err) {
  struct home h;
  switch (write->table) {
  case CK_MESSAGES:
    return find_message(a, write, err);
  case CK_EXECUTIONS:
    return find_execution(a, write, err);
  case CK_SESSIONS:
    set_home(a, ck_row_text(write, CK_SESSIONS_PLATFORM),
             ck_row_text(write, CK_SESSIONS_CONVERSATION_ID));
    return 0;
  case CK_CONVERSATIONS:
    h = a->identity.of_conversation = home_of(a, write);
    return mean(a, &h, false, &write->v[CK_CONVERSATIONS_LAST_MESSAGE_ID], err);
  default:
    return 0;
  }
}

/* ---- children of a message whose id is derived ---- */

static uint32_t parent_hash(struct ck_str id) { return ck_crc32c(0, id.s, id.n); }

static void add_parent(struct apply *a, struct ck_str id) {
  uint32_t hash = parent_hash(id);
  ck_buf_add(&a->identity.parents, (const char *)&hash, sizeof hash);
}

static bool has_parent(const struct apply *a, struct ck_str id) {
  uint32_t hash = parent_hash(id), one;
  const struct ck_buf *b = &a->identity.parents;
  for (size_t i = 0; i < b->len; i += sizeof one) {
    memcpy(&one, b->data + i, sizeof one);
    if (one == hash) return true;
  }
  return false;
}

/* Is it a message of just this conversation, with a parent? */
static bool is_child(const struct apply *a, const struct entry *e) {
  const struct home *h = &a->identity.home;
  return e->exists && e->row.table == CK_MESSAGES &&
         e->row.v[CK_MESSAGES_PARENT_ID].state == CK_TEXT &&
         ck_str_eq(ck_row_text(&e->row, CK_MESSAGES_PLATFORM), h->platform) &&
         ck_str_eq(ck_row_text(&e->row, CK_MESSAGES_CONVERSATION_ID), h->conversation);
}

/* Notes all ids that messages of this conversation have as parents, once for each changeset: a
 * changeset that copies a long conversation derives many ids, and few of them have children yet. */
static int know_parents(struct apply *a, struct ck_err *err) {
  if (a->identity.knows_parents) return 0;
  const struct home *h = &a->identity.home;
  ck_buf_clear(&a->identity.parents);
  sqlite3_stmt *s = system_query(a->system, SYSTEM_PARENTS_IN, "ss", h->platform, h->conversation);
  int rc;
  while ((rc = system_step(a->system, s, err)) > 0) add_parent(a, db_str(s, 0));
  system_done(s);
  if (rc < 0) return apply_failed(a);
  size_t n;
  struct entry **dirty = cache_dirty(a->cache, &n); /* not in the database yet */
  for (size_t i = 0; i < n; ++i)
    if (is_child(a, dirty[i])) add_parent(a, ck_row_text(&dirty[i]->row, CK_MESSAGES_PARENT_ID));
  a->identity.knows_parents = true;
  return 0;
}

/* The children of a message, wherever they are. */
struct children {
  struct entry **list;
  size_t n, cap;
};

static void add_child(struct apply *a, struct children *c, struct entry *e, struct ck_str parent) {
  if (!is_child(a, e) || !ck_str_eq(ck_row_text(&e->row, CK_MESSAGES_PARENT_ID), parent)) return;
  if (c->n == c->cap) {
    c->cap = c->cap ? c->cap * 2 : 16;
    c->list = ck_realloc(c->list, c->cap * sizeof *c->list);
  }
  c->list[c->n++] = e;
}

static int find_children(struct apply *a, struct children *c, struct ck_str parent,
                         struct ck_err *err) {
  const struct home *h = &a->identity.home;
  sqlite3_stmt *s =
      system_query(a->system, SYSTEM_CHILDREN_IN, "sss", h->platform, h->conversation, parent);
  int rc;
  while ((rc = system_step(a->system, s, err)) > 0) {
    struct entry *e = apply_find(a, CK_MESSAGES, db_str(s, 0), err);
    if (!e) break;
    if (!e->dirty) add_child(a, c, e, parent);
  }
  system_done(s);
  if (rc) return apply_failed(a);
  size_t n;
  struct entry **dirty = cache_dirty(a->cache, &n);
  for (size_t i = 0; i < n; ++i) add_child(a, c, dirty[i], parent);
  return 0;
}

static int by_version(const void *a, const void *b) {
  const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
  return x->version < y->version ? -1 : x->version > y->version;
}

static int turn_children(struct apply *a, struct ck_str from, struct ck_str to,
                         struct ck_err *err) {
  struct children c = {NULL, 0, 0};
  int rc = find_children(a, &c, from, err);
  if (c.n) qsort(c.list, c.n, sizeof *c.list, by_version);
  for (size_t i = 0; i < c.n && rc == 0; ++i) {
    struct ck_row row = c.list[i]->row;
    row.v[CK_MESSAGES_PARENT_ID] = ck_text(to);
    rc = apply_change(a, c.list[i], &row, err);
  }
  free(c.list);
  return rc;
}

void identity_changed(struct apply *a, const struct ck_row *message) {
  struct ck_str parent = ck_row_text(message, CK_MESSAGES_PARENT_ID);
  if (a->identity.knows_parents && parent.n) add_parent(a, parent);
}

int identity_inserted(struct apply *a, struct ck_str given, struct ck_str id, struct ck_err *err) {
  if (ck_str_eq(id, given)) return 0;
  if (know_parents(a, err)) return -1;
  return has_parent(a, given) ? turn_children(a, given, id, err) : 0;
}
