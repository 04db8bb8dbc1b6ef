/* The statements of the postgres sink and their results. Each column of a statement's rows is one
 * array parameter in PostgreSQL's binary form: no text needs quoting, and a statement has as many
 * parameters as its table has columns, however many rows it writes. */
#include "syncd/sinks/sink_postgres_internal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/sql/mirror_postgres.h"

#define OID_TEXT 25
#define OID_INT8 20
#define OID_TEXT_ARRAY 1009
#define OID_INT8_ARRAY 1016
#define PARAMS_MAX (CK_COLUMNS_MAX + 1)

struct params {
  struct ck_buf at[PARAMS_MAX];
  Oid types[PARAMS_MAX];
  int n;
};

/* ---- arrays ---- */

static void put_number(struct ck_buf *b, uint64_t value, int bytes) {
  uint64_t big = htobe64(value << (64 - 8 * bytes));
  ck_buf_add(b, &big, (size_t)bytes);
}

#define HEAD_BYTES 20

/* bytes: of all elements, so that memory is allocated once. */
static struct ck_buf *open_array(struct params *p, bool number, size_t n, size_t bytes) {
  struct ck_buf *b = &p->at[p->n];
  ck_buf_room(b, HEAD_BYTES + 4 * n + bytes);
  p->types[p->n++] = number ? OID_INT8_ARRAY : OID_TEXT_ARRAY;
  put_number(b, n ? 1 : 0, 4); /* dimensions */
  put_number(b, 1, 4);         /* there may be NULL */
  put_number(b, number ? OID_INT8 : OID_TEXT, 4);
  if (!n) return b;
  put_number(b, n, 4);
  put_number(b, 1, 4); /* index of the first element */
  return b;
}

static void put_int(struct ck_buf *b, int64_t value) {
  put_number(b, 8, 4);
  put_number(b, (uint64_t)value, 8);
}

static void put_text(struct ck_buf *b, struct ck_str text) {
  put_number(b, text.n, 4);
  ck_buf_str(b, text);
}

static void put_null(struct ck_buf *b) { put_number(b, UINT32_MAX, 4); }

static void put_value(struct ck_buf *b, const struct ck_value *v) {
  if (v->state == CK_TEXT)
    put_text(b, v->as.s);
  else if (v->state == CK_INT)
    put_int(b, v->as.i);
  else
    put_null(b);
}

static size_t bytes_of(struct sync_row *const *rows, size_t n, int column) {
  size_t bytes = 0;
  for (size_t i = 0; i < n; ++i)
    bytes += rows[i]->row.v[column].state == CK_TEXT ? rows[i]->row.v[column].as.s.n : 8;
  return bytes;
}

static void put_rows(struct params *p, struct sync_row *const *rows, size_t n) {
  const struct ck_table_info *info = &ck_tables[rows[0]->row.table];
  for (int c = 0; c < info->mirrored; ++c) {
    struct ck_buf *b = open_array(p, ck_kind_is_int(info->fields[c].kind), n, bytes_of(rows, n, c));
    for (size_t i = 0; i < n; ++i) put_value(b, &rows[i]->row.v[c]);
  }
  struct ck_buf *b = open_array(p, true, n, 8 * n);
  for (size_t i = 0; i < n; ++i) put_int(b, (int64_t)rows[i]->version);
}

static void put_ranges(struct params *p, const struct sync_query *query) {
  struct ck_buf *after = open_array(p, false, query->range_count, 0);
  for (size_t i = 0; i < query->range_count; ++i) put_text(after, query->ranges[i].after);
  struct ck_buf *upto = open_array(p, false, query->range_count, 0);
  for (size_t i = 0; i < query->range_count; ++i)
    if (query->ranges[i].upto.n)
      put_text(upto, query->ranges[i].upto);
    else
      put_null(upto);
}

static void put_known(struct params *p, const struct sync_query *query) {
  struct ck_buf *keys = open_array(p, false, query->known_count, 0);
  for (size_t i = 0; i < query->known_count; ++i) put_text(keys, query->known[i].key);
  struct ck_buf *versions = open_array(p, true, query->known_count, 8 * query->known_count);
  for (size_t i = 0; i < query->known_count; ++i) put_int(versions, query->known[i].version);
}

static void free_params(struct params *p) {
  for (int i = 0; i < p->n; ++i) ck_buf_free(&p->at[i]);
  p->n = 0;
}

/* ---- statements ---- */

static void expect(struct pg_request *r, enum pg_use use, size_t from, size_t n) {
  r->expected[r->count++] = (struct pg_expected){use, from, n};
}

/* Unnamed: a prepared statement would have to be planned again after a person changes the table. */
static bool send(PGconn *conn, struct ck_buf *sql, const struct params *p) {
  const char *values[PARAMS_MAX];
  int lengths[PARAMS_MAX], formats[PARAMS_MAX];
  int n = p ? p->n : 0;
  for (int i = 0; i < n; ++i) {
    values[i] = p->at[i].data;
    lengths[i] = (int)p->at[i].len;
    formats[i] = 1;
  }
  bool sent = PQsendQueryParams(conn, ck_buf_cstr(sql), n, p ? p->types : NULL, values, lengths,
                                formats, 0);
  ck_buf_clear(sql);
  return sent;
}

static bool send_plain(PGconn *conn, struct pg_request *r, const char *text) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, text);
  expect(r, PG_NOTHING, 0, 0);
  bool sent = send(conn, &sql, NULL);
  ck_buf_free(&sql);
  return sent;
}

/* Sends a statement that writes rows of one table. */
static bool send_write(PGconn *conn, struct pg_request *r, struct ck_buf *sql,
                       const struct params *p, size_t from, size_t n) {
  expect(r, PG_WRITTEN, from, n);
  return send(conn, sql, p);
}

/* The statements for rows of one table: the takeover; with caution, the release; the upsert; and
 * with CK_CAUTION_PARENTS, the query for skipped rows. */
static bool send_rows(PGconn *conn, struct pg_request *r, size_t from, size_t n) {
  enum ck_table t = r->slice->rows[from]->row.table;
  enum ck_mirror_caution caution = r->slice->caution;
  bool sent = true;
  struct params p = {0};
  struct ck_buf sql = {0};
  put_rows(&p, r->slice->rows + from, n);
  if (ck_uniques[t].columns) {
    ck_pg_takeover(&sql, t, caution);
    sent = send_write(conn, r, &sql, &p, from, n);
  }
  if (sent && caution && ck_release_column(t) >= 0) {
    ck_pg_release(&sql, t);
    sent = send_write(conn, r, &sql, &p, from, n);
  }
  ck_pg_upsert(&sql, t, caution);
  sent = sent && send_write(conn, r, &sql, &p, from, n);
  if (sent && caution == CK_CAUTION_PARENTS && ck_has_parents(t)) {
    ck_pg_orphans(&sql, t);
    expect(r, PG_ORPHANS, from, n);
    sent = send(conn, &sql, &p);
  }
  for (int gone = CK_FORGOTTEN - 1; sent && t == CK_FORGOTTEN && gone >= 0; --gone) {
    ck_pg_forget(&sql, (enum ck_table)gone);
    sent = send_write(conn, r, &sql, &p, from, n);
  }
  free_params(&p);
  ck_buf_free(&sql);
  return sent;
}

/* The last one before COMMIT: its row is locked for that long only, and other workers write it too.
 */
static bool send_witness(PGconn *conn, struct pg_request *r, const struct ck_mirror_witness *w) {
  struct ck_buf sql = {0};
  ck_mirror_witness_write(&sql, w);
  expect(r, PG_WRITTEN, 0, 0);
  bool sent = send(conn, &sql, NULL);
  ck_buf_free(&sql);
  return sent;
}

/* What was forgotten comes last in a slice. READ COMMITTED, because what waits for the lock must
 * see what was committed meanwhile. */
static bool send_begin(PGconn *conn, struct pg_request *r) {
  const struct sync_slice *s = r->slice;
  struct ck_buf lock = {0};
  ck_pg_writers_lock(&lock, s->rows[s->n - 1]->row.table == CK_FORGOTTEN);
  bool sent = send_plain(conn, r, "BEGIN ISOLATION LEVEL READ COMMITTED") &&
              send_plain(conn, r, ck_buf_cstr(&lock));
  ck_buf_free(&lock);
  return sent;
}

static bool send_slice(PGconn *conn, struct pg_request *r) {
  const struct sync_slice *s = r->slice;
  bool sent = send_begin(conn, r);
  for (size_t from = 0, to; sent && from < s->n; from = to) {
    for (to = from + 1; to < s->n && s->rows[to]->row.table == s->rows[from]->row.table; ++to) {
    }
    sent = send_rows(conn, r, from, to - from);
  }
  if (sent && ck_mirror_witness_kept(s->witness)) sent = send_witness(conn, r, s->witness);
  return sent && send_plain(conn, r, "COMMIT");
}

static void query_sql(struct ck_buf *sql, struct params *p, const struct sync_query *query) {
  switch (query->kind) {
  case SYNC_QUERY_DIGESTS:
    ck_pg_digests(sql, query->table, query->longest);
    put_ranges(p, query);
    break;
  case SYNC_QUERY_VERSIONS:
    ck_pg_versions(sql, query->table, query->limit);
    put_ranges(p, query);
    break;
  case SYNC_QUERY_COMPARE:
    ck_pg_compare(sql, query->slice->rows[0]->row.table);
    put_rows(p, query->slice->rows, query->slice->n);
    break;
  case SYNC_QUERY_RESET:
  case SYNC_QUERY_DELETE:
    ck_pg_reset(sql, query->table, query->kind == SYNC_QUERY_DELETE);
    if (ck_mirror_witness_kept(query->witness)) ck_mirror_witness_holds(sql, query->witness);
    put_known(p, query);
    break;
  case SYNC_QUERY_SQL:
    break;
  }
}

static bool send_query(PGconn *conn, struct pg_request *r) {
  static const enum pg_use uses[] = {
      [SYNC_QUERY_DIGESTS] = PG_DIGESTS, [SYNC_QUERY_VERSIONS] = PG_VERSIONS,
      [SYNC_QUERY_COMPARE] = PG_PLACES,  [SYNC_QUERY_RESET] = PG_WRITTEN,
      [SYNC_QUERY_DELETE] = PG_WRITTEN,  [SYNC_QUERY_SQL] = PG_CELLS};
  struct params p = {0};
  struct ck_buf sql = {0};
  query_sql(&sql, &p, r->query);
  expect(r, uses[r->query->kind], 0,
         r->query->kind == SYNC_QUERY_COMPARE ? r->query->slice->n : r->query->range_count);
  bool sent = send(conn, &sql, &p);
  free_params(&p);
  ck_buf_free(&sql);
  return sent;
}

bool pg_send(PGconn *conn, struct pg_request *r) {
  r->count = r->at = 0;
  /* Only the simple protocol allows several statements in one text; it makes them one
   * transaction. */
  if (r->query && r->query->kind == SYNC_QUERY_SQL) {
    expect(r, PG_CELLS, 0, 0);
    return PQsendQuery(conn, r->query->sql);
  }
  return PQenterPipelineMode(conn) && (r->query ? send_query(conn, r) : send_slice(conn, r)) &&
         PQpipelineSync(conn);
}

/* ---- answers ---- */

static bool number_at(const PGresult *result, int row, int column, int64_t *out) {
  char *end;
  const char *text = column < PQnfields(result) && !PQgetisnull(result, row, column)
                         ? PQgetvalue(result, row, column)
                         : "";
  *out = strtoll(text, &end, 10);
  return end != text && !*end;
}

static bool take_places(struct pg_request *r, const PGresult *result, const struct pg_expected *e,
                        enum sync_row_state state, const char *reason) {
  struct sync_slice *s = r->query ? r->query->slice : r->slice;
  int64_t place;
  for (int i = 0; i < PQntuples(result); ++i) {
    if (!number_at(result, i, 0, &place) || place < 0 || (uint64_t)place >= e->n) return false;
    sync_row_mark(s->rows[e->from + (size_t)place], state, reason);
  }
  return true;
}

static bool take_digests(struct pg_request *r, const PGresult *result) {
  if ((size_t)PQntuples(result) != r->query->range_count) return false;
  for (int i = 0; i < PQntuples(result); ++i) {
    struct ck_digest *d = &r->query->ranges[i].digest;
    int64_t count;
    if (!number_at(result, i, 0, &count) || count < 0 || !number_at(result, i, 1, &d->sum) ||
        !number_at(result, i, 2, &d->mix))
      return false;
    d->count = (uint64_t)count;
  }
  return true;
}

static struct ck_str text_at(const PGresult *result, int row, int column) {
  return (struct ck_str){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

static bool take_versions(struct pg_request *r, const PGresult *result) {
  int64_t place, version;
  for (int i = 0; i < PQntuples(result); ++i) {
    if (!number_at(result, i, 0, &place) || place < 0 || (uint64_t)place >= r->query->range_count ||
        !number_at(result, i, 2, &version))
      return false;
    r->query->found(r->query->self, (size_t)place, text_at(result, i, 1), version);
  }
  return true;
}

static bool take_cells(struct pg_request *r, const PGresult *result) {
  struct ck_str cells[CK_COLUMNS_MAX + 1];
  int columns = PQnfields(result) <= CK_COLUMNS_MAX ? PQnfields(result) : CK_COLUMNS_MAX;
  for (int i = 0; i < PQntuples(result) && r->query->row; ++i) {
    for (int c = 0; c < columns; ++c) cells[c] = text_at(result, i, c);
    r->query->row(r->query->self, cells, (size_t)columns);
  }
  return true;
}

bool pg_take(struct pg_request *r, PGresult *result, struct sync_answer *a) {
  const struct pg_expected *e = &r->expected[r->at];
  switch (e->use) {
  case PG_NOTHING:
    return true;
  case PG_WRITTEN:
    a->written += strtoull(PQcmdTuples(result), NULL, 10);
    return true;
  case PG_ORPHANS:
    return take_places(r, result, e, SYNC_ROW_EARLY,
                       "FOREIGN KEY: what this row points to is not in the mirror");
  case PG_PLACES:
    return take_places(r, result, e, SYNC_ROW_DIFFERENT, NULL);
  case PG_DIGESTS:
    return take_digests(r, result);
  case PG_VERSIONS:
    return take_versions(r, result);
  case PG_CELLS:
    return take_cells(r, result);
  }
  return false;
}
