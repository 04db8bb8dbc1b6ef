/* Repairing what was found wrong: writing records, and deleting rows that have none (verify.h). */
#include "syncd/tasks/verify.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/sql/mirror.h"

#define KNOWN_A_QUESTION 2000

/* ---- records, as a batch ---- */

int verify_batch(struct sync_batch *b, struct ck_buf *frame, const struct ck_ranges *a,
                 struct ck_err *err) {
  struct ck_message m = {.kind = CK_MSG_BATCH};
  m.as.batch = (struct ck_batch){.store_id = a->store_id, .upto = INT64_MAX, .changes = a->ranges};
  ck_buf_clear(frame);
  ck_message_encode(frame, &m);
  return sync_batch_decode(b, ck_buf_view(frame), err);
}

int verify_slices(struct verify *v, struct sync_batch *b, verify_slice *each, struct ck_err *err) {
  struct sync_slices slices;
  int rc = 0;
  sync_plan(b, &v->t->sink->limits, &slices);
  for (size_t i = 0; i < slices.n && rc == 0; ++i) rc = each(v, &slices.at[i], err);
  sync_slices_free(&slices);
  return rc;
}

/* Keeps only the records that were found wrong; both lists are ascending by key. */
static void keep_found(struct sync_batch *b, const struct verify_finding *found, size_t n) {
  size_t kept = 0, at = 0;
  for (size_t i = 0; i < b->n; ++i) {
    struct ck_str key = ck_row_key(&b->rows[i].row);
    for (; at < n && ck_str_order(found[at].key, key) < 0; ++at) {
    }
    if (at < n && ck_str_eq(found[at].key, key) && found[at].how != VERIFY_EXTRA)
      b->rows[kept++] = b->rows[i];
  }
  b->n = kept;
}

/* ---- writing ---- */

static int write_slice(struct verify *v, struct sync_slice *s, struct ck_err *err);

static int write_halves(struct verify *v, struct sync_slice *s, struct ck_err *err) {
  struct sync_slice rest = sync_slice_halve(s, s->n / 2);
  int rc = write_slice(v, s, err);
  if (rc == 0) rc = write_slice(v, &rest, err);
  sync_slice_free(&rest);
  return rc;
}

/* A row that cannot be written stays as it is: the final pass reports it. */
static int write_slice(struct verify *v, struct sync_slice *s, struct ck_err *err) {
  struct sync_answer a;
  s->witness = &v->t->witness;
  if (sync_task_write(v->t, s, &a, err)) return -1;
  if (a.class == SYNC_DONE) {
    for (size_t i = 0; i < s->n; ++i) v->written += s->rows[i]->state == SYNC_ROW_OPEN;
    return 0;
  }
  if (a.class == SYNC_TABLE || a.class == SYNC_WITNESS) return sync_task_refused(&a, err);
  if (a.class == SYNC_EARLY && s->caution != CK_CAUTION_PARENTS &&
      ck_has_parents(s->rows[0]->row.table)) {
    ++s->caution;
    return write_slice(v, s, err);
  }
  return s->n > 1 ? write_halves(v, s, err) : 0;
}

static int write_found(struct verify *v, const struct verify_range *range,
                       const struct verify_finding *found, size_t n, struct ck_err *err) {
  struct ck_buf after = {0}, frame = {0};
  bool more = true;
  int rc = 0;
  ck_buf_str(&after, range->after);
  while (more && rc == 0) {
    struct ck_range q = {.table = ck_str_of(ck_tables[v->table].name),
                         .after = ck_buf_view(&after),
                         .upto = range->upto,
                         .limit = 65536};
    struct ck_ranges a;
    struct sync_batch b;
    zmq_msg_t answer;
    if ((rc = sync_task_range(v->t, &q, &a, &answer, err))) break;
    rc = verify_batch(&b, &frame, &a, err);
    more = a.more && b.n;
    if (rc == 0 && b.n) {
      ck_buf_clear(&after);
      ck_buf_str(&after, ck_row_key(&b.rows[b.n - 1].row));
      keep_found(&b, found, n);
      rc = verify_slices(v, &b, write_slice, err);
    }
    sync_batch_free(&b);
    zmq_msg_close(&answer);
  }
  ck_buf_free(&after);
  ck_buf_free(&frame);
  return rc;
}

/* ---- versions that block a write ---- */

static int query_known(struct verify *v, enum sync_query_kind kind, const struct sync_known *known,
                       size_t n, struct ck_err *err) {
  struct sync_query query = {
      .kind = kind, .table = v->table, .known = known, .known_count = n, .witness = &v->t->witness};
  struct sync_answer a;
  if (n == 0) return 0;
  if (sync_task_query(v->t, &query, &a, err)) return -1;
  if (a.class == SYNC_DONE) {
    if (kind == SYNC_QUERY_DELETE) v->written += n;
    return 0;
  }
  if (a.class == SYNC_TABLE || a.class == SYNC_WITNESS) return sync_task_refused(&a, err);
  size_t half = n / 2;
  if (n == 1) return 0; /* another row points to it: the final pass reports it */
  return query_known(v, kind, known, half, err) || query_known(v, kind, known + half, n - half, err)
             ? -1
             : 0;
}

/* The mirror accepts no version at or below the one it has. */
static bool in_the_way(const struct verify_finding *f) {
  return f->how == VERIFY_DIFFERENT ||
         (f->how == VERIFY_OTHER &&
          (f->mirror_version < 0 || (uint64_t)f->mirror_version >= f->version));
}

static int reset_versions(struct verify *v, const struct verify_finding *found, size_t n,
                          struct ck_err *err) {
  struct sync_known known[KNOWN_A_QUESTION];
  size_t count = 0;
  int rc = 0;
  for (size_t i = 0; i < n && rc == 0; ++i) {
    if (!in_the_way(&found[i])) continue;
    known[count++] = (struct sync_known){found[i].key, found[i].mirror_version};
    if (count < KNOWN_A_QUESTION) continue;
    rc = query_known(v, SYNC_QUERY_RESET, known, count, err);
    count = 0;
  }
  return rc ? rc : query_known(v, SYNC_QUERY_RESET, known, count, err);
}

int verify_repair(struct verify *v, const struct verify_range *range,
                  const struct verify_finding *found, size_t n, struct ck_err *err) {
  size_t here = 0;
  for (size_t i = 0; i < n; ++i) {
    if (found[i].how == VERIFY_EXTRA)
      verify_row_add(&v->extra, v->table, found[i].key, found[i].mirror_version);
    else
      ++here;
  }
  verify_range_add(&v->repaired[v->table], range->after, range->upto, range->rows, 0);
  if (!here) return 0;
  return reset_versions(v, found, n, err) || write_found(v, range, found, n, err) ? -1 : 0;
}

/* ---- rows without a record ---- */

/* Children first, because the predecessor's databases have foreign keys. */
int verify_delete(struct verify *v, struct ck_err *err) {
  struct sync_known known[KNOWN_A_QUESTION];
  int rc = 0;
  for (int t = CK_TABLES - 1; t >= 0 && rc == 0; --t) {
    size_t count = 0;
    v->table = (enum ck_table)t;
    for (size_t i = 0; i < v->extra.n && rc == 0; ++i) {
      if (v->extra.at[i].table != v->table) continue;
      known[count++] = (struct sync_known){v->extra.at[i].key, v->extra.at[i].version};
      if (count < KNOWN_A_QUESTION) continue;
      rc = query_known(v, SYNC_QUERY_DELETE, known, count, err);
      count = 0;
    }
    if (rc == 0) rc = query_known(v, SYNC_QUERY_DELETE, known, count, err);
  }
  verify_rows_free(&v->extra);
  return rc;
}
