/* The codec. From each list of fields come two functions, one that writes the fields and one that
 * reads them; from the list of kinds come the switches that choose between those. */
#include "proto/wire.h"

#include "proto/sha256.h"

/* ---- one field ---- */

static void put_TEXT(struct ck_buf *b, struct ck_str v) { ck_put_str(b, v); }
static void put_INT(struct ck_buf *b, int64_t v) { ck_put_int(b, v); }
static void put_UINT(struct ck_buf *b, uint64_t v) { ck_put_uint(b, v); }
static void put_BOOL(struct ck_buf *b, bool v) { ck_put_bool(b, v); }

static void put_RAW(struct ck_buf *b, struct ck_str v) {
  if (v.n)
    ck_put_raw(b, v);
  else
    ck_put_nil(b);
}

/* An array that is being read: `left` elements of it are still to come. whole: nothing follows
 * it. */
struct fields {
  struct ck_reader *r;
  uint32_t left;
  struct ck_err *err;
  bool whole;
};

static bool bad(struct fields *f, const char *name, const char *why) {
  return ck_fail(f->err, "field %s %s", name, why) == 0;
}

static bool there(struct fields *f, const char *name) {
  if (f->left == 0) return bad(f, name, "is missing");
  f->left--;
  return true;
}

static bool get_TEXT(struct fields *f, const char *name, struct ck_str *v) {
  if (!there(f, name)) return false;
  if (ck_read_str(f->r, v)) return bad(f, name, "must be text");
  return ck_utf8_ok(*v) || bad(f, name, "is not UTF-8");
}

static bool get_INT(struct fields *f, const char *name, int64_t *v) {
  return there(f, name) && (ck_read_int(f->r, v) == 0 || bad(f, name, "must be an integer"));
}

static bool get_UINT(struct fields *f, const char *name, uint64_t *v) {
  return there(f, name) &&
         (ck_read_uint(f->r, v) == 0 || bad(f, name, "must be an integer that is not negative"));
}

static bool get_BOOL(struct fields *f, const char *name, bool *v) {
  struct ck_item item;
  if (!there(f, name)) return false;
  if (ck_read(f->r, &item) || item.type != CK_T_BOOL) return bad(f, name, "must be true or false");
  *v = item.as.b;
  return true;
}

static bool get_RAW(struct fields *f, const char *name, struct ck_str *v) {
  if (!there(f, name)) return false;
  /* The frame's last field, often most of its bytes: it ends where the frame does, and need not be
   * walked through to find that out. */
  if (f->whole && f->left == 0) {
    *v = (struct ck_str){(const char *)f->r->p, (size_t)(f->r->end - f->r->p)};
    f->r->p = f->r->end;
    return true;
  }
  return ck_read_raw(f->r, v) == 0 || bad(f, name, "ends too soon");
}

/* ---- all fields of a kind ---- */

#define CK_PUT(kind, name) put_##kind(b, v->name);
#define CK_GET(kind, name) &&get_##kind(f, #name, &v->name)
#define CK_ONE(kind, name) +1u

/* ahead: 1 when CK_WIRE goes before the kind, for messages; else 0. */
#define CK_M(NAME, name, number) \
  static void put_##name(struct ck_buf *b, uint32_t ahead, const struct ck_##name *v) { \
    ck_put_array(b, ahead + 1u CK_##NAME##_FIELDS(CK_ONE)); \
    if (ahead) ck_put_uint(b, CK_WIRE); \
    ck_put_uint(b, number); \
    CK_##NAME##_FIELDS(CK_PUT) \
  } \
  static bool get_##name(struct fields *f, struct ck_##name *v) { \
    return true CK_##NAME##_FIELDS(CK_GET); \
  }
CK_MESSAGE_LIST(CK_M)
CK_MUTATION_LIST(CK_M)
#undef CK_M

/* ---- topics ---- */

char *ck_topic(const char *prefix, struct ck_str id) {
  struct ck_buf b = {0};
  ck_buf_text(&b, prefix);
  for (size_t i = 0; i < id.n; i++) {
    unsigned char c = (unsigned char)id.s[i];
    if (c < 32 || c == '/' || c == '%')
      ck_buf_printf(&b, "%%%02X", c);
    else
      ck_buf_add(&b, &id.s[i], 1);
  }
  ck_buf_text(&b, "/");
  char *topic = ck_strdup(ck_buf_cstr(&b));
  ck_buf_free(&b);
  return topic;
}

/* ---- messages ---- */

const char *ck_message_name(enum ck_message_kind kind) {
  switch (kind) {
#define CK_M(NAME, name, number) \
  case CK_MSG_##NAME: \
    return #name;
    CK_MESSAGE_LIST(CK_M)
#undef CK_M
  }
  return "unknown";
}

/* Whether a kind's first field is `UINT request`; that field is where its struct begins. */
#define CK_NAMED(kind, name) #kind " " #name,
#define CK_M(NAME, name, number) \
  static uint64_t *request_of_##name(struct ck_##name *v) { \
    static const char *const fields[] = {CK_##NAME##_FIELDS(CK_NAMED)}; \
    return strcmp(fields[0], "UINT request") == 0 ? (uint64_t *)(void *)v : NULL; \
  }
CK_MESSAGE_LIST(CK_M)
#undef CK_M

uint64_t *ck_message_request(struct ck_message *m) {
  switch (m->kind) {
#define CK_M(NAME, name, number) \
  case CK_MSG_##NAME: \
    return request_of_##name(&m->as.name);
    CK_MESSAGE_LIST(CK_M)
#undef CK_M
  }
  return NULL;
}

void ck_message_encode(struct ck_buf *b, const struct ck_message *m) {
  switch (m->kind) {
#define CK_M(NAME, name, number) \
  case CK_MSG_##NAME: \
    put_##name(b, 1, &m->as.name); \
    break;
    CK_MESSAGE_LIST(CK_M)
#undef CK_M
  }
}

static bool message_fields(struct ck_message *m, uint64_t kind, struct fields *f) {
  switch (kind) {
#define CK_M(NAME, name, number) \
  case number: \
    m->kind = CK_MSG_##NAME; \
    return get_##name(f, &m->as.name);
    CK_MESSAGE_LIST(CK_M)
#undef CK_M
  default:
    return ck_fail(f->err, "unknown message kind %llu", (unsigned long long)kind) == 0;
  }
}

/* Skips n fields, which a newer writer has appended. */
static int skip(struct ck_reader *r, uint32_t n) {
  for (struct ck_str value; n; n--)
    if (ck_read_raw(r, &value)) return -1;
  return 0;
}

/* True for a frame of CHANGES, which is not scanned. Its rows are nearly all of it, and its reader
 * decodes each to its end; scanning them first costs a follower a sixth more time. */
static bool holds_changes(struct ck_reader r) {
  uint32_t fields;
  uint64_t version, kind;
  return ck_read_array(&r, &fields) == 0 && ck_read_uint(&r, &version) == 0 &&
         ck_read_uint(&r, &kind) == 0 && kind == CK_MSG_CHANGES;
}

int ck_message_decode(struct ck_message *m, const void *frame, size_t n, struct ck_err *err) {
  *m = (struct ck_message){0};
  struct ck_reader r = ck_reader_of((struct ck_str){frame, n});
  struct fields f = {&r, 0, err, true};
  uint64_t version, kind;
  if (n > CK_FRAME_MAX) return ck_fail(err, "frame of %zu bytes; %u is the most", n, CK_FRAME_MAX);
  if (!holds_changes(r) && ck_scan(frame, n, err)) return ck_fail_in(err, "frame");
  if (ck_read_array(&r, &f.left) || f.left < 2)
    return ck_fail(err, "frame: must be an array of version, kind and fields");
  if (ck_read_uint(&r, &version)) return ck_fail(err, "frame: the version must be an integer");
  if (version != CK_WIRE)
    return ck_fail(err, "frame: version %llu; this is %d", (unsigned long long)version, CK_WIRE);
  if (ck_read_uint(&r, &kind)) return ck_fail(err, "frame: the kind must be an integer");
  f.left -= 2;
  if (!message_fields(m, kind, &f))
    return ck_fail_in(err, "%s", m->kind ? ck_message_name(m->kind) : "frame");
  return skip(&r, f.left) || r.p != r.end
             ? ck_fail(err, "%s: bytes after its fields are not whole values",
                       ck_message_name(m->kind))
             : 0;
}

/* ---- mutations ---- */

const char *ck_mutation_name(enum ck_mutation_kind kind) {
  switch (kind) {
#define CK_M(NAME, name, number) \
  case CK_OP_##NAME: \
    return #name;
    CK_MUTATION_LIST(CK_M)
#undef CK_M
  }
  return "unknown";
}

void ck_mutation_encode(struct ck_buf *b, const struct ck_mutation *m) {
  switch (m->kind) {
#define CK_M(NAME, name, number) \
  case CK_OP_##NAME: \
    put_##name(b, 0, &m->as.name); \
    break;
    CK_MUTATION_LIST(CK_M)
#undef CK_M
  }
}

static bool mutation_fields(struct ck_mutation *m, uint64_t kind, struct fields *f) {
  switch (kind) {
#define CK_M(NAME, name, number) \
  case number: \
    m->kind = CK_OP_##NAME; \
    return get_##name(f, &m->as.name);
    CK_MUTATION_LIST(CK_M)
#undef CK_M
  default:
    return ck_fail(f->err, "unknown mutation kind %llu", (unsigned long long)kind) == 0;
  }
}

int ck_mutation_decode(struct ck_mutation *m, struct ck_reader *r, struct ck_err *err) {
  *m = (struct ck_mutation){0};
  struct fields f = {r, 0, err, false};
  uint64_t kind;
  if (ck_read_array(r, &f.left) || f.left < 1)
    return ck_fail(err, "mutation: must be an array of kind and fields");
  if (ck_read_uint(r, &kind)) return ck_fail(err, "mutation: the kind must be an integer");
  f.left--;
  if (!mutation_fields(m, kind, &f))
    return ck_fail_in(err, "%s", m->kind ? ck_mutation_name(m->kind) : "mutation");
  return skip(r, f.left) ? ck_fail(err, "%s: ends too soon", ck_mutation_name(m->kind)) : 0;
}

/* ---- rows and leases ---- */

static void open_row(struct ck_buf *b, enum ck_mutation_kind kind, const struct ck_row *row) {
  ck_put_uint(b, (uint64_t)kind);
  ck_put_text(b, ck_tables[row->table].name);
  ck_row_encode(b, row);
}

void ck_mutation_put(struct ck_buf *b, const struct ck_row *row, int64_t age) {
  ck_put_array(b, 4);
  open_row(b, CK_OP_PUT, row);
  ck_put_int(b, age);
}

void ck_mutation_copy(struct ck_buf *b, const struct ck_row *row, int64_t age, bool timed) {
  ck_put_array(b, 4);
  ck_put_uint(b, CK_OP_COPY);
  ck_row_encode(b, row);
  ck_put_int(b, age);
  ck_put_bool(b, timed);
}

void ck_mutation_row(struct ck_buf *b, enum ck_mutation_kind kind, const struct ck_row *row) {
  if (kind == CK_OP_PUT) {
    ck_mutation_put(b, row, 0);
    return;
  }
  ck_put_array(b, 3);
  open_row(b, kind, row);
}

void ck_lease_encode(struct ck_buf *b, const struct ck_lease *lease) {
  ck_put_array(b, 3);
  ck_put_uint(b, lease->generation);
  ck_put_uint(b, lease->after);
  ck_put_uint(b, lease->upto);
}

int ck_lease_decode(struct ck_reader *r, struct ck_lease *lease, struct ck_err *err) {
  uint32_t n;
  bool whole = ck_read_array(r, &n) == 0 && n == 3 && ck_read_uint(r, &lease->generation) == 0 &&
               ck_read_uint(r, &lease->after) == 0 && ck_read_uint(r, &lease->upto) == 0;
  return whole ? 0 : ck_fail(err, "a lease must be an array of generation, after and upto");
}

void ck_refusal_encode(struct ck_buf *b, const struct ck_refusal *refusal) {
  ck_put_array(b, 2);
  ck_put_uint(b, refusal->number);
  ck_put_str(b, refusal->reason);
}

int ck_refusal_decode(struct ck_reader *r, struct ck_refusal *refusal, struct ck_err *err) {
  uint32_t n;
  bool whole = ck_read_array(r, &n) == 0 && n == 2 && ck_read_uint(r, &refusal->number) == 0 &&
               ck_read_str(r, &refusal->reason) == 0;
  return whole ? 0 : ck_fail(err, "a refusal must be an array of number and reason");
}

void ck_counts_encode(struct ck_buf *b, const struct ck_counts *counts) {
  ck_put_array(b, 5);
  ck_put_uint(b, counts->number);
  ck_put_uint(b, counts->added);
  ck_put_uint(b, counts->updated);
  ck_put_uint(b, counts->unchanged);
  ck_put_uint(b, counts->forgotten);
}

int ck_counts_decode(struct ck_reader *r, struct ck_counts *counts, struct ck_err *err) {
  uint32_t n;
  bool whole = ck_read_array(r, &n) == 0 && n == 5 && ck_read_uint(r, &counts->number) == 0 &&
               ck_read_uint(r, &counts->added) == 0 && ck_read_uint(r, &counts->updated) == 0 &&
               ck_read_uint(r, &counts->unchanged) == 0 && ck_read_uint(r, &counts->forgotten) == 0;
  return whole ? 0 : ck_fail(err, "counts must be an array of a number and four counts");
}

#define CLAIMED_FIELDS 13

void ck_claimed_encode(struct ck_buf *b, const struct ck_claimed *c) {
  ck_put_array(b, CLAIMED_FIELDS);
  ck_put_uint(b, c->number);
  ck_put_str(b, c->job_id);
  ck_put_str(b, c->token);
  ck_put_int(b, c->attempt);
  ck_put_int(b, c->max_attempts);
  ck_put_int(b, c->unreached);
  ck_put_int(b, c->unreached_age);
  ck_put_str(b, c->message_id);
  ck_put_str(b, c->payload);
  ck_put_str(b, c->payload_kind);
  ck_put_str(b, c->target_snapshot);
  ck_put_str(b, c->automation_status);
  ck_put_str(b, c->last_message_id);
}

int ck_claimed_decode(struct ck_reader *r, struct ck_claimed *c, struct ck_err *err) {
  uint32_t n;
  bool whole =
      ck_read_array(r, &n) == 0 && n == CLAIMED_FIELDS && ck_read_uint(r, &c->number) == 0 &&
      ck_read_str(r, &c->job_id) == 0 && ck_read_str(r, &c->token) == 0 &&
      ck_read_int(r, &c->attempt) == 0 && ck_read_int(r, &c->max_attempts) == 0 &&
      ck_read_int(r, &c->unreached) == 0 && ck_read_int(r, &c->unreached_age) == 0 &&
      ck_read_str(r, &c->message_id) == 0 && ck_read_str(r, &c->payload) == 0 &&
      ck_read_str(r, &c->payload_kind) == 0 && ck_read_str(r, &c->target_snapshot) == 0 &&
      ck_read_str(r, &c->automation_status) == 0 && ck_read_str(r, &c->last_message_id) == 0;
  return whole ? 0 : ck_fail(err, "a claim must be an array of %d fields", CLAIMED_FIELDS);
}

void ck_failure_encode(struct ck_buf *b, const struct ck_failure *failure) {
  ck_put_array(b, 2);
  ck_put_str(b, failure->place);
  ck_put_str(b, failure->reason);
}

int ck_failure_decode(struct ck_reader *r, struct ck_failure *failure, struct ck_err *err) {
  uint32_t n;
  bool whole = ck_read_array(r, &n) == 0 && n == 2 && ck_read_str(r, &failure->place) == 0 &&
               ck_read_str(r, &failure->reason) == 0;
  return whole ? 0 : ck_fail(err, "a failure must be an array of place and reason");
}

void ck_dead_letter_encode(struct ck_buf *b, const struct ck_dead_letter *letter) {
  ck_put_array(b, 4);
  ck_put_text(b, ck_tables[letter->table].name);
  ck_put_str(b, letter->key);
  ck_put_uint(b, letter->version);
  ck_put_str(b, letter->reason);
}

int ck_dead_letter_decode(struct ck_reader *r, struct ck_dead_letter *letter, struct ck_err *err) {
  uint32_t n;
  struct ck_str table;
  bool whole = ck_read_array(r, &n) == 0 && n == 4 && ck_read_str(r, &table) == 0 &&
               ck_read_str(r, &letter->key) == 0 && ck_read_uint(r, &letter->version) == 0 &&
               ck_read_str(r, &letter->reason) == 0;
  letter->table = whole ? ck_table_named(table) : CK_TABLES;
  return letter->table < CK_TABLES ? 0 : ck_fail(err, "must be [table, key, version, reason]");
}

uint64_t ck_attachment_parts(uint64_t bytes) {
  return bytes ? (bytes + CK_ATTACHMENT_PART - 1) / CK_ATTACHMENT_PART : 1;
}

int ck_attachment_check(const struct ck_attachment *m, struct ck_str *data, bool *here,
                        struct ck_err *err) {
  struct ck_reader r = ck_reader_of(m->data);
  struct ck_item item;
  if (!ck_sha256_is_hex(m->hash)) return ck_fail(err, "attachment.hash: is no SHA-256");
  if (m->bytes > CK_ATTACHMENT_MAX || m->name.n == 0 || m->name.n > CK_ATTACHMENT_NAME ||
      m->file.n > CK_ATTACHMENT_NAME || m->type.n > CK_ATTACHMENT_NAME)
    return ck_fail(err, "attachment: bytes, name, file or type is too large, or blank");
  if (ck_read(&r, &item) || r.p != r.end) return ck_fail(err, "attachment.data: must be one value");
  *here = item.type == CK_T_NIL;
  if (*here) return 0;
  uint64_t parts = ck_attachment_parts(m->bytes), before = m->part * CK_ATTACHMENT_PART;
  if (m->part >= parts) return ck_fail(err, "attachment.part: there are fewer parts");
  if ((item.type != CK_T_STR && item.type != CK_T_BIN) ||
      item.as.str.n != (m->part + 1 < parts ? CK_ATTACHMENT_PART : m->bytes - before))
    return ck_fail(err, "attachment.data: does not have the size of this part");
  *data = item.as.str;
  return 0;
}

#define CHANGE_BYTES 32 /* array, version and table */

size_t ck_change_room(const struct ck_row *row) { return CHANGE_BYTES + ck_row_room(row); }

void ck_change_encode(struct ck_buf *b, uint64_t version, const struct ck_row *row) {
  ck_put_array(b, 3);
  ck_put_uint(b, version);
  ck_put_text(b, ck_tables[row->table].name);
  ck_row_encode_mirrored(b, row);
}

void ck_changes_open(struct ck_buf *b, const struct ck_changes *c, uint32_t n) {
  struct ck_message m = {.kind = CK_MSG_CHANGES};
  m.as.changes = *c;
  m.as.changes.changes = (struct ck_str){0};
  ck_message_encode(b, &m);
  --b->len; /* drops the nil, the one byte of an empty RAW field */
  ck_put_array(b, n);
}

static int change_decode(struct ck_reader *r, uint64_t *version, struct ck_row *row, bool bytes,
                         struct ck_arena *arena, struct ck_err *err) {
  uint32_t n;
  struct ck_str name;
  if (ck_read_array(r, &n) || n < 3)
    return ck_fail(err, "change: must be an array of version, table and row");
  if (ck_read_uint(r, version))
    return ck_fail(err, "change: the version must be an integer that is not negative");
  if (ck_read_str(r, &name)) return ck_fail(err, "change: the table must be text");
  enum ck_table table = ck_table_named(name);
  if (table == CK_TABLES || !ck_str_is(name, ck_tables[table].name))
    return ck_fail(err, "change: unknown table");
  if (ck_row_read(row, table, r, bytes, arena, err)) return ck_fail_in(err, "change");
  return skip(r, n - 3) ? ck_fail(err, "change: ends too soon") : 0;
}

int ck_change_decode(struct ck_reader *r, uint64_t *version, struct ck_row *row,
                     struct ck_arena *arena, struct ck_err *err) {
  return change_decode(r, version, row, false, arena, err);
}

int ck_change_decode_bytes(struct ck_reader *r, uint64_t *version, struct ck_row *row,
                           struct ck_arena *arena, struct ck_err *err) {
  return change_decode(r, version, row, true, arena, err);
}
