/* Paths that the store makes, and the check of paths that a write gives. */
#include "store/files/static_path.h"

#include <string.h>

#include "proto/clock.h"

#define NAME_MAX_BYTES 120 /* of an escaped id */
#define PREFIX_BYTES 80    /* of a longer one, before its hash */
#define COMPONENT_MAX 240  /* below a file system's 255, with room for .json */

#define YEAR_1 INT64_C(-62135596800000)
#define YEAR_10000 INT64_C(253402300800000)

/* The table's folder with its slash. NULL: the table has no files. */
static const char *folder_of(enum ck_table t) {
  int path = ck_tables[t].path;
  return path < 0 ? NULL : ck_tables[t].fields[path].choices;
}

static bool needs_no_escape(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/* Appends the id, with other bytes as %XX, up to `most` bytes. true: all of the id was appended. */
static bool escape(struct ck_buf *out, struct ck_str id, size_t most) {
  size_t start = out->len;
  for (size_t i = 0; i < id.n; i++) {
    unsigned char c = (unsigned char)id.s[i];
    bool plain = needs_no_escape(c) && (c != '.' || i > 0);
    if (out->len - start + (plain ? 1 : 3) > most) return false;
    if (plain)
      ck_buf_add(out, &c, 1);
    else
      ck_buf_printf(out, "%%%02X", c);
  }
  return true;
}

/* An id that is too long becomes its beginning, '~' and its hash. An escaped id has no '~', so the
 * two kinds never collide. */
static void safe_name(struct ck_buf *out, struct ck_str id) {
  size_t start = out->len;
  if (escape(out, id, NAME_MAX_BYTES)) return;
  out->len = start;
  escape(out, id, PREFIX_BYTES);
  char hash[33];
  ck_hash_id(hash, &id, 1);
  ck_buf_printf(out, "~%s", hash);
}

void static_path_make(struct ck_buf *out, enum ck_table t, const struct ck_row *row) {
  const char *folder = folder_of(t);
  if (!folder) return;
  ck_buf_text(out, folder);
  int64_t at = ck_row_int(row, ck_tables[t].path_time, INT64_MIN);
  if (at < YEAR_1 || at >= YEAR_10000) {
    ck_buf_text(out, "undated/");
  } else {
    char day[CK_TIME_TEXT];
    ck_time_text(day, at);
    ck_buf_printf(out, "%.4s/%.2s/%.2s/", day, day + 5, day + 8);
  }
  safe_name(out, ck_row_text(row, ck_tables[t].key));
  ck_buf_text(out, ".txt");
}

/* Control characters: C0, DEL, and C1 in UTF-8. */
static bool has_control(struct ck_str s) {
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.s[i], next = i + 1 < s.n ? (unsigned char)s.s[i + 1] : 0;
    if (c < 0x20 || c == 0x7F || (c == 0xC2 && next >= 0x80 && next <= 0x9F)) return true;
  }
  return false;
}

static bool component_ok(struct ck_str name, bool last) {
  if (name.n == 0 || name.n > COMPONENT_MAX || name.s[0] == '.') return false;
  return last || (!ck_str_ends(name, ".txt") && !ck_str_ends(name, ".json"));
}

/* The session index's own files. */
static bool is_index(struct ck_str path) {
  return ck_str_is(path, "session/latest.txt") || ck_str_is(path, "session/latest");
}

static struct ck_str without_txt(struct ck_str path) {
  if (ck_str_ends(path, ".txt")) path.n -= 4;
  return path;
}

/* The id as it is names a record too, unless it could be the escaped form of another. */
static bool is_name_of(struct ck_str id, struct ck_str name) {
  if (ck_str_eq(name, id)) return !memchr(name.s, '%', name.n) && !memchr(name.s, '~', name.n);
  struct ck_buf safe = {0};
  safe_name(&safe, id);
  bool same = ck_str_eq(name, ck_buf_view(&safe));
  ck_buf_free(&safe);
  return same;
}

bool static_path_ok(enum ck_table t, struct ck_str path, struct ck_str id) {
  const char *folder = folder_of(t);
  size_t last = 0;
  if (!folder || path.n > STATIC_PATH_MAX || !ck_str_starts(path, folder) || has_control(path) ||
      is_index(path))
    return false;
  for (size_t from = 0; from <= path.n;) {
    const char *slash = memchr(path.s + from, '/', path.n - from);
    size_t end = slash ? (size_t)(slash - path.s) : path.n;
    if (!component_ok((struct ck_str){path.s + from, end - from}, !slash)) return false;
    last = from;
    from = end + 1;
  }
  return is_name_of(id, without_txt((struct ck_str){path.s + last, path.n - last}));
}

void static_path_file(struct ck_buf *out, struct ck_str path, const char *ending) {
  ck_buf_str(out, without_txt(path));
  ck_buf_text(out, ending);
}
