/* Reads MessagePack: a table of its type bytes, the bounded reader, and values as JSON. */
#include "proto/pack.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the type bytes 0xc0 to 0xdf announce. number: how many bytes of value, length or count
 * follow the type byte. payload: how many bytes follow those, for types without a length. extra: 1
 * for the type byte within an EXT. */
struct form {
  bool known;
  enum ck_type type;
  unsigned char number, payload, extra;
};

static const struct form forms[32] = {
    [0x00] = {true, CK_T_NIL, 0, 0, 0},   [0x02] = {true, CK_T_BOOL, 0, 0, 0},
    [0x03] = {true, CK_T_BOOL, 0, 0, 0},  [0x04] = {true, CK_T_BIN, 1, 0, 0},
    [0x05] = {true, CK_T_BIN, 2, 0, 0},   [0x06] = {true, CK_T_BIN, 4, 0, 0},
    [0x07] = {true, CK_T_EXT, 1, 0, 1},   [0x08] = {true, CK_T_EXT, 2, 0, 1},
    [0x09] = {true, CK_T_EXT, 4, 0, 1},   [0x0a] = {true, CK_T_FLOAT, 4, 0, 0},
    [0x0b] = {true, CK_T_FLOAT, 8, 0, 0}, [0x0c] = {true, CK_T_UINT, 1, 0, 0},
    [0x0d] = {true, CK_T_UINT, 2, 0, 0},  [0x0e] = {true, CK_T_UINT, 4, 0, 0},
    [0x0f] = {true, CK_T_UINT, 8, 0, 0},  [0x10] = {true, CK_T_INT, 1, 0, 0},
    [0x11] = {true, CK_T_INT, 2, 0, 0},   [0x12] = {true, CK_T_INT, 4, 0, 0},
    [0x13] = {true, CK_T_INT, 8, 0, 0},   [0x14] = {true, CK_T_EXT, 0, 1, 1},
    [0x15] = {true, CK_T_EXT, 0, 2, 1},   [0x16] = {true, CK_T_EXT, 0, 4, 1},
    [0x17] = {true, CK_T_EXT, 0, 8, 1},   [0x18] = {true, CK_T_EXT, 0, 16, 1},
    [0x19] = {true, CK_T_STR, 1, 0, 0},   [0x1a] = {true, CK_T_STR, 2, 0, 0},
    [0x1b] = {true, CK_T_STR, 4, 0, 0},   [0x1c] = {true, CK_T_ARRAY, 2, 0, 0},
    [0x1d] = {true, CK_T_ARRAY, 4, 0, 0}, [0x1e] = {true, CK_T_MAP, 2, 0, 0},
    [0x1f] = {true, CK_T_MAP, 4, 0, 0},
};

static void set_float(struct ck_item *item, uint64_t bits, unsigned width) {
  if (width == 4) {
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    item->as.f = (double)f;
  } else {
    memcpy(&item->as.f, &bits, sizeof item->as.f);
  }
}

static void set_number(struct ck_item *item, uint64_t bits, unsigned width) {
  if (item->type == CK_T_UINT) {
    item->type = bits <= INT64_MAX ? CK_T_INT : CK_T_UINT;
    item->as.u = bits;
    return;
  }
  switch (width) {
  case 1:
    item->as.i = (int8_t)bits;
    break;
  case 2:
    item->as.i = (int16_t)bits;
    break;
  case 4:
    item->as.i = (int32_t)bits;
    break;
  default:
    item->as.i = (int64_t)bits;
    break;
  }
}

/* Both return the end of the item's own bytes; NULL if some are missing, or if the count cannot be
 * right, since each element has at least one byte. */
static const unsigned char *bytes_of(struct ck_item *item, const unsigned char *p,
                                     const unsigned char *end, size_t n) {
  if ((size_t)(end - p) < n) return NULL;
  item->as.str = (struct ck_str){(const char *)p, n};
  return p + n;
}

static const unsigned char *count_of(struct ck_item *item, const unsigned char *p,
                                     const unsigned char *end, uint64_t n) {
  if ((uint64_t)(end - p) < (item->type == CK_T_MAP ? 2 * n : n)) return NULL;
  item->as.n = (uint32_t)n;
  return p;
}

/* A big-endian number of `width` bytes. */
static inline uint64_t number_at(const unsigned char *p, unsigned width) {
  uint16_t two;
  uint32_t four;
  uint64_t eight;
  switch (width) {
  case 1:
    return *p;
  case 2:
    memcpy(&two, p, sizeof two);
    return be16toh(two);
  case 4:
    memcpy(&four, p, sizeof four);
    return be32toh(four);
  case 8:
    memcpy(&eight, p, sizeof eight);
    return be64toh(eight);
  default:
    return 0;
  }
}

static const unsigned char *item_at_form(struct ck_item *item, const unsigned char *p,
                                         const unsigned char *end, unsigned char lead) {
  const struct form *form = &forms[lead - 0xc0];
  if (!form->known || (size_t)(end - p) < form->number) return NULL;
  uint64_t bits = number_at(p, form->number);
  p += form->number;
  item->type = form->type;
  switch (form->type) {
  case CK_T_NIL:
    return p;
  case CK_T_BOOL:
    item->as.b = lead == 0xc3;
    return p;
  case CK_T_FLOAT:
    set_float(item, bits, form->number);
    return p;
  case CK_T_INT:
  case CK_T_UINT:
    set_number(item, bits, form->number);
    return p;
  case CK_T_ARRAY:
  case CK_T_MAP:
    return count_of(item, p, end, bits);
  case CK_T_EXT:
    if (p == end) return NULL;
    p += form->extra;
    return bytes_of(item, p, end, form->number ? (size_t)bits : form->payload);
  case CK_T_STR:
  case CK_T_BIN:
    return bytes_of(item, p, end, (size_t)bits);
  default:
    return NULL;
  }
}

/* Reads the item at p, of an ARRAY or MAP only the head. Returns its end; NULL if bytes are
 * missing. */
static inline const unsigned char *item_at(struct ck_item *item, const unsigned char *p,
                                           const unsigned char *end) {
  if (p == end) return NULL;
  unsigned char lead = *p++;
  if (lead < 0x80 || lead >= 0xe0) {
    item->type = CK_T_INT;
    item->as.i = (int8_t)lead;
    return p;
  }
  if (lead >= 0xc0) return item_at_form(item, p, end, lead);
  if (lead >= 0xa0) {
    item->type = CK_T_STR;
    return bytes_of(item, p, end, lead & 0x1f);
  }
  item->type = lead >= 0x90 ? CK_T_ARRAY : CK_T_MAP;
  return count_of(item, p, end, lead & 0x0f);
}

static inline bool holds_values(unsigned char lead) {
  return (lead >= 0x80 && lead < 0xa0) || (lead >= 0xdc && lead < 0xe0);
}

static const unsigned char *end_of_form(const unsigned char *p, const unsigned char *end,
                                        unsigned char lead, uint64_t *below) {
  const struct form *form = &forms[lead - 0xc0];
  if (!form->known || (size_t)(end - p) < form->number) return NULL;
  uint64_t n = number_at(p, form->number);
  p += form->number;
  switch (form->type) {
  case CK_T_ARRAY:
  case CK_T_MAP:
    *below = form->type == CK_T_MAP ? 2 * n : n;
    return (uint64_t)(end - p) < *below ? NULL : p;
  case CK_T_STR:
  case CK_T_BIN:
    return (uint64_t)(end - p) < n ? NULL : p + n;
  case CK_T_EXT:
    n = (form->number ? n : form->payload) + form->extra;
    return (uint64_t)(end - p) < n ? NULL : p + n;
  default:
    return p;
  }
}

/* As item_at, without reading the item: most are only skipped. *below: how many values follow that
 * belong to it. */
static inline const unsigned char *end_of(const unsigned char *p, const unsigned char *end,
                                          uint64_t *below) {
  *below = 0;
  if (p == end) return NULL;
  unsigned char lead = *p++;
  if (lead < 0x80 || lead >= 0xe0) return p;
  if (lead >= 0xc0) return end_of_form(p, end, lead, below);
  if (lead >= 0xa0) return (size_t)(end - p) < (lead & 0x1fu) ? NULL : p + (lead & 0x1f);
  *below = lead >= 0x90 ? lead & 0x0fu : 2 * (lead & 0x0fu);
  return (uint64_t)(end - p) < *below ? NULL : p;
}

/* How many values follow that belong to it. */
static uint64_t children(const struct ck_item *item) {
  return item->type == CK_T_ARRAY ? item->as.n
         : item->type == CK_T_MAP ? 2 * (uint64_t)item->as.n
                                  : 0;
}

static bool is_container(const struct ck_item *item) {
  return item->type == CK_T_ARRAY || item->type == CK_T_MAP;
}

int ck_scan(const void *data, size_t n, struct ck_err *err) {
  if (n == 0) return ck_fail(err, "empty where a value should be");
  const unsigned char *start = data, *end = start + n, *p = start;
  uint64_t left[CK_DEPTH_MAX];
  int depth = 0;
  do {
    uint64_t below;
    const unsigned char *next = end_of(p, end, &below);
    if (!next && p < end && *p == 0xc1)
      return ck_fail(err, "byte %zu: 0xc1 begins no value", (size_t)(p - start));
    if (!next)
      return ck_fail(err, "byte %zu: %s", (size_t)(p - start),
                     p == end ? "the value ends too soon" : "longer than the bytes that are there");
    if (holds_values(*p)) {
      if (depth == CK_DEPTH_MAX)
        return ck_fail(err, "byte %zu: deeper than %d", (size_t)(p - start), CK_DEPTH_MAX);
      left[depth++] = below;
    } else if (depth) {
      left[depth - 1]--;
    }
    p = next;
    /* A container that is complete is an element of the one around it. */
    while (depth && left[depth - 1] == 0) {
      depth--;
      if (depth) left[depth - 1]--;
    }
  } while (depth);
  if (p != end)
    return ck_fail(err, "byte %zu: %zu bytes after the value", (size_t)(p - start),
                   (size_t)(end - p));
  return 0;
}

struct ck_reader ck_reader_of(struct ck_str bytes) {
  const unsigned char *p = (const unsigned char *)(bytes.n ? bytes.s : "");
  return (struct ck_reader){p, p + bytes.n};
}

struct ck_str ck_reader_rest(struct ck_reader r) {
  return (struct ck_str){(const char *)r.p, (size_t)(r.end - r.p)};
}

int ck_read(struct ck_reader *r, struct ck_item *item) {
  const unsigned char *next = item_at(item, r->p, r->end);
  if (!next) return -1;
  r->p = next;
  return 0;
}

int ck_read_raw(struct ck_reader *r, struct ck_str *value) {
  const unsigned char *p = r->p;
  /* Each turn takes at least one byte, so no count can make this longer than the frame. */
  for (uint64_t left = 1; left; left--) {
    uint64_t below;
    p = end_of(p, r->end, &below);
    if (!p) return -1;
    left += below;
  }
  *value = (struct ck_str){(const char *)r->p, (size_t)(p - r->p)};
  r->p = p;
  return 0;
}

/* Reads an item of that type or leaves the reader where it is. */
static inline int read_type(struct ck_reader *r, enum ck_type type, struct ck_item *item) {
  const unsigned char *next = item_at(item, r->p, r->end);
  if (!next || item->type != type) return -1;
  r->p = next;
  return 0;
}

int ck_read_array(struct ck_reader *r, uint32_t *n) {
  struct ck_item item;
  if (read_type(r, CK_T_ARRAY, &item)) return -1;
  *n = item.as.n;
  return 0;
}

int ck_read_map(struct ck_reader *r, uint32_t *n) {
  struct ck_item item;
  if (read_type(r, CK_T_MAP, &item)) return -1;
  *n = item.as.n;
  return 0;
}

int ck_read_str(struct ck_reader *r, struct ck_str *s) {
  struct ck_item item;
  if (read_type(r, CK_T_STR, &item)) return -1;
  *s = item.as.str;
  return 0;
}

int ck_read_bin(struct ck_reader *r, struct ck_str *bytes) {
  struct ck_item item;
  if (read_type(r, CK_T_BIN, &item)) return -1;
  *bytes = item.as.str;
  return 0;
}

bool ck_read_this(struct ck_reader *r, struct ck_str text) {
  if (text.n > 31 || (size_t)(r->end - r->p) <= text.n || *r->p != (0xa0 | text.n) ||
      memcmp(r->p + 1, text.s, text.n) != 0)
    return false;
  r->p += 1 + text.n;
  return true;
}

int ck_read_int(struct ck_reader *r, int64_t *i) {
  struct ck_item item;
  if (read_type(r, CK_T_INT, &item)) return -1;
  *i = item.as.i;
  return 0;
}

int ck_read_uint(struct ck_reader *r, uint64_t *u) {
  struct ck_item item;
  if (read_type(r, CK_T_UINT, &item) == 0) {
    *u = item.as.u;
    return 0;
  }
  struct ck_reader at = *r;
  int64_t i;
  if (ck_read_int(&at, &i) || i < 0) return -1;
  *r = at;
  *u = (uint64_t)i;
  return 0;
}

/* ---- JSON ---- */

static void json_hex(struct ck_buf *b, struct ck_str s) {
  ck_buf_text(b, "\"");
  ck_buf_hex(b, s.s, s.n);
  ck_buf_text(b, "\"");
}

/* JSON has no NaN and no infinity. */
static void json_float(struct ck_buf *b, double f) {
  if (!isfinite(f)) {
    ck_buf_text(b, "null");
    return;
  }
  char text[40];
  /* The fewest digits that read back as the same number. */
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, f);
    double back = strtod(text, NULL);
    if (memcmp(&back, &f, sizeof f) == 0) break;
  }
  ck_buf_text(b, text);
}

/* Any value except an array or map. -1: text that is not UTF-8. */
static int json_scalar(struct ck_buf *b, const struct ck_item *item, bool key) {
  bool quote = key && item->type != CK_T_STR && item->type != CK_T_BIN && item->type != CK_T_EXT;
  if (quote) ck_buf_add(b, "\"", 1);
  switch (item->type) {
  case CK_T_NIL:
    ck_buf_text(b, "null");
    break;
  case CK_T_BOOL:
    ck_buf_text(b, item->as.b ? "true" : "false");
    break;
  case CK_T_INT:
    ck_buf_printf(b, "%lld", (long long)item->as.i);
    break;
  case CK_T_UINT:
    ck_buf_printf(b, "%llu", (unsigned long long)item->as.u);
    break;
  case CK_T_FLOAT:
    json_float(b, item->as.f);
    break;
  case CK_T_STR:
    if (!ck_utf8_ok(item->as.str)) return -1;
    ck_buf_json_str(b, item->as.str);
    break;
  case CK_T_BIN:
  case CK_T_EXT:
    json_hex(b, item->as.str);
    break;
  default:
    return -1;
  }
  if (quote) ck_buf_add(b, "\"", 1);
  return 0;
}

struct json_level {
  uint64_t left; /* values still to come */
  bool map, first;
};

/* Writes what goes before the next value of a container. *key: that value is a map's key. */
static void json_between(struct ck_buf *b, struct json_level *l, bool *key) {
  *key = l->map && l->left % 2 == 0;
  if (l->map && !*key)
    ck_buf_add(b, ":", 1);
  else if (!l->first)
    ck_buf_add(b, ",", 1);
  l->first = false;
  l->left--;
}

static int json_value(struct ck_reader *r, struct ck_buf *b) {
  struct json_level levels[CK_DEPTH_MAX];
  int depth = 0;
  do {
    struct ck_item item;
    bool key = false;
    if (depth) json_between(b, &levels[depth - 1], &key);
    if (ck_read(r, &item)) return -1;
    if (is_container(&item)) {
      /* A container as a key is refused: its quotes would be escaped again at each level, and some
       * fifty bytes could make 2^48 backslashes. */
      if (key || depth == CK_DEPTH_MAX) return -1;
      levels[depth++] = (struct json_level){children(&item), item.type == CK_T_MAP, true};
      ck_buf_add(b, item.type == CK_T_MAP ? "{" : "[", 1);
    } else if (json_scalar(b, &item, key)) {
      return -1;
    }
    while (depth && levels[depth - 1].left == 0) {
      depth--;
      ck_buf_add(b, levels[depth].map ? "}" : "]", 1);
    }
  } while (depth);
  return 0;
}

int ck_read_json(struct ck_reader *r, struct ck_buf *json) {
  struct ck_reader at = *r;
  size_t len = json->len;
  if (json_value(&at, json)) {
    json->len = len;
    return -1;
  }
  *r = at;
  return 0;
}
