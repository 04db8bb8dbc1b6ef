/* The model's mutations in their form on the wire. */
#include "test_store_help.h"
#include "test_store_model.h"

static void put_value(struct ck_buf *b, const struct m_value *v) {
  switch (v->is) {
  case M_NULL:
    ck_put_nil(b);
    break;
  case M_INT:
    ck_put_int(b, v->i);
    break;
  case M_BOOL:
    ck_put_bool(b, v->i != 0);
    break;
  case M_FLOAT:
    ck_put_float(b, 1.5);
    break;
  case M_BIG:
    ck_put_uint(b, UINT64_MAX);
    break;
  case M_LIST:
    sh_pack(b, "[1,{'a':'b'}]");
    break;
  default:
    ck_put_str(b, v->s);
  }
}

struct ck_mutation m_wire(const struct m_mutation *m, struct ck_buf *row) {
  struct ck_mutation w = {.kind = m->kind};
  if (m->kind == CK_OP_CLAIM) w.as.claim = m->claim;
  if (m->kind == CK_OP_END) w.as.end = m->end;
  if (m->kind == CK_OP_CURSOR) w.as.cursor = m->cursor;
  if (m->kind == CK_OP_FORGET) w.as.forget = m->forget;
  if (m->kind == CK_OP_REMEMBER) w.as.remember = m->remember;
  if (m->kind == CK_OP_WITHDRAW) w.as.withdraw.job_id = CK_LIT("j");
  if (m->kind == CK_OP_SYNCED)
    w.as.synced = (struct ck_synced){CK_LIT("null"), 7, 0, 1, CK_LIT("\x90"), 0};
  if (m->kind != CK_OP_PUT && m->kind != CK_OP_COPY && m->kind != CK_OP_UPDATE) return w;
  ck_buf_clear(row);
  ck_put_map(row, (uint32_t)m->fields);
  for (int f = 0; f < m->fields; ++f) {
    ck_put_text(row, m->field[f].column);
    put_value(row, &m->field[f].v);
  }
  struct ck_str table = ck_str_of(m->table == TABLES ? "producers" : m_tables[m->table].name);
  if (m->kind == CK_OP_PUT)
    w.as.put = (struct ck_put){table, ck_buf_view(row), m->age};
  else if (m->kind == CK_OP_COPY)
    w.as.copy = (struct ck_copy){ck_buf_view(row), m->age, m->timed};
  else
    w.as.update = (struct ck_update){table, ck_buf_view(row)};
  return w;
}
