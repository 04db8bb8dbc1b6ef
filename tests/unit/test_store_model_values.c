/* The model's tables, and what of a given value is accepted: docs/records.md, written a second
 * time. */
#include "test_store_model_values.h"

const struct m_table m_tables[TABLES] = {
    {"messages",
     "observed_at",
     "msg",
     {{"id", 'K', 0, ""},
      {"platform", 't', 0, "a"},
      {"conversation_id", 'o', 0, "a"},
      {"role", 't', 0, "a"},
      {"raw_text", 'r', 0, "a"},
      {"summary", 'o', 0, "s"},
      {"observed_at", 'i', 0, "a"},
      {"static_path", '/', 0, "x"},
      {"page_url", 'o', 0, "a"},
      {"page_title", 'o', 0, "a"},
      {"organization_id", 'o', 0, "a"},
      {"created_at", 'n', 0, "x"},
      {"parent_id", 'o', 0, "a"},
      {"position", 'N', 0, "a"},
      {"details", 'j', 0, "a"},
      {"original", 'o', 0, "aq"},
      {"ages", 'A', 0, "q"},
      {"live", 'B', 0, "x"}}},
    {"executions",
     "executed_at",
     "exec",
     {{"instruction_id", 'K', 0, ""},
      {"message_id", 't', 0, "a"},
      {"target", 't', 0, "a"},
      {"tool", 't', 0, "a"},
      {"params", 'o', 0, "a"},
      {"params_kind", 'c', "none|body|inline_json|inline_string", "a"},
      {"result_ok", 'B', 0, "a"},
      {"result_data", 'o', 0, "a"},
      {"result_summary", 'o', 0, "as"},
      {"result_error", 'o', 0, "a"},
      {"http_status", 'y', 0, "a"},
      {"executed_at", 'i', 0, "a"},
      {"static_path", '/', 0, "x"},
      {"created_at", 'n', 0, "x"},
      {"original", 'o', 0, "aq"},
      {"ages", 'A', 0, "q"}}},
    {"sessions",
     "last_activity_at",
     "session",
     {{"id", 'K', 0, ""},
      {"platform", 't', 0, "a"},
      {"conversation_id", 'o', 0, "a"},
      {"started_at", 'i', 0, "e"},
      {"last_activity_at", 'i', 0, "g"},
      {"message_count", '#', 0, "g"},
      {"execution_count", '#', 0, "g"},
      {"summary", 'o', 0, "a"},
      {"static_path", '/', 0, "x"},
      {"created_at", 'n', 0, "x"}}},
    {"local_conversations",
     "last_message_at",
     NULL,
     {{"local_conversation_id", 'K', 0, ""},
      {"platform", 't', 0, "a"},
      {"automation_status", 'c', "manual|auto|paused", ""},
      {"title", 'o', 0, "a"},
      {"summary", 'o', 0, "a"},
      {"last_message_id", 'o', 0, "a"},
      {"last_message_at", 'y', 0, "f"},
      {"cooldown_until", 'y', 0, ""},
      {"paused_at", 'y', 0, ""},
      {"created_at", 'n', 0, "e"},
      {"updated_at", 'u', 0, "u"},
      {"details", 'j', 0, "a"},
      {"newest_at", 'y', 0, "g"},
      {"ages", 'A', 0, "q"}}},
    {"conversation_links",
     "observed_at",
     NULL,
     {{"link_id", 'K', 0, ""},
      {"local_conversation_id", 't', 0, "a"},
      {"platform", 't', 0, "a"},
      {"remote_conversation_id", 'o', 0, "a"},
      {"client_id", 'o', 0, "a"},
      {"page_url", 'o', 0, "a"},
      {"page_title", 'o', 0, "a"},
      {"route_path", 'o', 0, "a"},
      {"route_pattern", 'o', 0, "a"},
      {"route_params", 'j', 0, "a"},
      {"target_kind", 'o', 0, "a"},
      {"target_id", 'o', 0, "a"},
      {"target_payload", 'j', 0, "a"},
      {"is_active", 'B', 0, "a"},
      {"observed_at", 'i', 0, "g"},
      {"created_at", 'n', 0, "x"},
      {"updated_at", 'u', 0, "u"},
      {"ages", 'A', 0, "q"}}},
    {"renewal_jobs",
     NULL,
     NULL,
     {{"job_id", 'K', 0, ""},
      {"local_conversation_id", 't', 0, "j"},
      {"message_id", 't', 0, "j"},
      {"status", 'c', "pending|running|done|failed", ""},
      {"payload", 'p', 0, ""},
      {"payload_kind", 'c', "text|json", ""},
      {"target_snapshot", 'j', 0, ""},
      {"attempt_count", '#', 0, ""},
      {"max_attempts", '+', 0, ""},
      {"next_attempt_at", 'y', 0, ""},
      {"last_attempt_at", 'y', 0, ""},
      {"last_error", 'o', 0, ""},
      {"log_path", 'o', 0, ""},
      {"started_at", 'y', 0, ""},
      {"finished_at", 'y', 0, ""},
      {"created_at", 'n', 0, "x"},
      {"updated_at", 'u', 0, "u"}}},
};

int m_column(int table, const char *name) {
  for (int c = 0; m_tables[table].column[c].name; ++c)
    if (strcmp(m_tables[table].column[c].name, name) == 0) return c;
  return -1;
}

/* ---- a given value ---- */

/* White_Space of Unicode and U+FEFF, spelt out as UTF-8. */
static const char *const blanks[] = {
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
    "\xe3\x80\x80", "\xef\xbb\xbf"};

struct ck_str m_trimmed(struct ck_str s) {
  for (bool again = true; again;) {
    again = false;
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; ++i) {
      size_t n = strlen(blanks[i]);
      if (s.n >= n && memcmp(s.s, blanks[i], n) == 0) {
        s.s += n;
        s.n -= n;
        again = true;
      }
      if (s.n >= n && memcmp(s.s + s.n - n, blanks[i], n) == 0) {
        s.n -= n;
        again = true;
      }
    }
  }
  return s;
}

bool m_is_choice(const char *choices, struct ck_str s) {
  for (const char *p = choices; *p;) {
    size_t n = strcspn(p, "|");
    if (s.n == n && memcmp(p, s.s, n) == 0) return true;
    p += n + (p[n] == '|');
  }
  return false;
}

void m_escaped(struct ck_buf *out, struct ck_str id) {
  for (size_t i = 0; i < id.n; ++i) {
    unsigned char c = (unsigned char)id.s[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 c == '_' || c == '-' || (c == '.' && i);
    ck_buf_printf(out, plain ? "%c" : "%%%02X", c);
  }
}

/* The last part, without .txt, is the id: as it is, or escaped. */
static bool is_named_as(struct ck_str path, struct ck_str id) {
  struct ck_buf plain = {0}, safe = {0};
  ck_buf_text(&safe, "/");
  m_escaped(&safe, id);
  ck_buf_text(&plain, "/");
  ck_buf_str(&plain, id);
  if (path.n >= 4 && memcmp(path.s + path.n - 4, ".txt", 4) == 0) path.n -= 4;
  bool is = path.n > safe.len && memcmp(path.s + path.n - safe.len, safe.data, safe.len) == 0;
  if (!memchr(id.s, '/', id.n) && !memchr(id.s, '%', id.n) && !memchr(id.s, '~', id.n))
    is |= path.n > plain.len && memcmp(path.s + path.n - plain.len, plain.data, plain.len) == 0;
  ck_buf_free(&plain);
  ck_buf_free(&safe);
  return is;
}

/* Of the random paths, those inside the folder. */
static bool is_inside(const char *folder, struct ck_str s) {
  size_t n = strlen(folder);
  if (s.n < n + 2 || memcmp(s.s, folder, n) != 0 || s.s[n] != '/') return false;
  for (size_t i = 0; i + 1 < s.n; ++i)
    if ((unsigned char)s.s[i] < 0x20 || (s.s[i] == '/' && (s.s[i + 1] == '/' || s.s[i + 1] == '.')))
      return false;
  return s.s[s.n - 1] != '/';
}

static bool clean_text(const struct m_table *t, const struct m_column *c, struct m_value *v) {
  struct ck_str inside = m_trimmed(v->s);
  switch (c->kind) {
  case 'r':
    return true;
  case 'p':
    return inside.n > 0;
  case 'j':
    if (inside.n == 0) *v = null();
    return true;
  case 'A':
  case 'o':
    *v = inside.n ? text_of(inside) : null();
    return true;
  case 'K':
  case 't':
    v->s = inside;
    return inside.n > 0;
  case 'c':
    v->s = inside;
    return m_is_choice(c->choices, inside);
  case '/':
    v->s = inside;
    return is_inside(t->folder, inside);
  default:
    return false; /* text instead of an integer */
  }
}

static bool clean_int(const struct m_column *c, struct m_value *v) {
  switch (c->kind) {
  case 'b':
  case 'B':
    return v->i == 0 || v->i == 1;
  case '#':
  case 'N':
    return v->i >= 0;
  case '+':
    return v->i >= 1;
  default:
    return strchr("iynu", c->kind) != NULL;
  }
}

static bool clean(const struct m_table *t, const struct m_column *c, struct m_value *v) {
  switch (v->is) {
  case M_NULL:
    return strchr("oyjNA", c->kind) != NULL;
  case M_STR:
    return clean_text(t, c, v);
  case M_INT:
    if (c->kind != 'j') return clean_int(c, v);
    v->is = M_STR;
    return true;
  case M_BOOL:
    if (c->kind == 'b' || c->kind == 'B') {
      v->is = M_INT;
      return true;
    }
    break;
  case M_BAD_UTF8:
    return false;
  default:
    break;
  }
  /* Anything as a JSON field's value: v->s has its JSON text. */
  if (c->kind != 'j') return false;
  v->is = M_STR;
  return true;
}

bool m_read_write(const struct m_mutation *w, struct m_value given[M_COLUMNS]) {
  if (w->table == TABLES) return false;
  for (int c = 0; c < M_COLUMNS; ++c) given[c] = (struct m_value){.is = M_OUT};
  for (int f = 0; f < w->fields; ++f) {
    int c = m_column(w->table, w->field[f].column);
    if (c < 0 || given[c].is != M_OUT) return false;
    given[c] = w->field[f].v;
    if (!clean(&m_tables[w->table], &m_tables[w->table].column[c], &given[c])) return false;
  }
  if (given[0].is != M_STR) return false;
  for (int c = 0; m_tables[w->table].column[c].name; ++c)
    if (m_tables[w->table].column[c].kind == '/' && given[c].is == M_STR &&
        !is_named_as(given[c].s, given[0].s))
      return false;
  return true;
}
