/* Names of segments, and reading notes; ingest/spool/spool_note.c writes them. */
#include "proto/spool_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/crc32c.h"
#include "proto/file.h"

#define NOTE_MAX 4096 /* bytes */
#define DIGITS 20
#define SUFFIX ".seg"

/* ---- segments ---- */

void ck_spool_segment_name(char out[CK_SPOOL_NAME_MAX], const char *producer, uint64_t first) {
  const char *dash = strchr(producer, '-');
  snprintf(out, CK_SPOOL_NAME_MAX, "%.8s-%0*llu" SUFFIX, dash ? dash + 1 : producer, DIGITS,
           (unsigned long long)first);
}

bool ck_spool_is_segment(const char *name, uint64_t *first) {
  size_t n = strlen(name), suffix = sizeof SUFFIX - 1;
  const char *dash = strchr(name, '-');
  if (n < 26 || n >= CK_SPOOL_NAME_MAX || !dash || strcmp(name + n - suffix, SUFFIX) != 0 ||
      strspn(dash + 1, "0123456789") != DIGITS)
    return false;
  *first = strtoull(dash + 1, NULL, 10);
  return true;
}

static uint64_t get_le(const char *in, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; ++i) v |= (uint64_t)(unsigned char)in[i] << 8 * i;
  return v;
}

enum { AT_LENGTH = 4, AT_NUMBER = 8, AT_CRC = 16 };

bool ck_spool_record_head(const char head[CK_SPOOL_RECORD_HEAD], struct ck_spool_record *record) {
  *record = (struct ck_spool_record){.length = (uint32_t)get_le(head + AT_LENGTH, 4),
                                     .number = get_le(head + AT_NUMBER, 8),
                                     .crc = (uint32_t)get_le(head + AT_CRC, 4)};
  return memcmp(head, CK_SPOOL_MAGIC, 4) == 0;
}

uint32_t ck_spool_record_crc(const char *record, size_t payload) {
  uint32_t crc = ck_crc32c(0, record + AT_LENGTH, AT_CRC - AT_LENGTH);
  return ck_crc32c(crc, record + CK_SPOOL_RECORD_HEAD, payload);
}

static bool head_sound(struct ck_str file, const char *producer) {
  char head[CK_SPOOL_SEGMENT_HEAD] = {0};
  snprintf(head, sizeof head, CK_SPOOL_TITLE "%s", producer);
  return file.n >= sizeof head && memcmp(file.s, head, sizeof head) == 0;
}

static bool records_sound(struct ck_str file, uint64_t number, struct ck_err *why) {
  struct ck_spool_record r;
  size_t at = CK_SPOOL_SEGMENT_HEAD;
  for (; file.n - at >= CK_SPOOL_RECORD_HEAD && ck_spool_record_head(file.s + at, &r); ++number) {
    const char *record = file.s + at;
    at += CK_SPOOL_RECORD_HEAD;
    if (r.length > file.n - at || r.number != number ||
        r.crc != ck_spool_record_crc(record, r.length))
      return ck_fail(why, "its record %llu is damaged", (unsigned long long)number), false;
    at += r.length;
  }
  while (at < file.n && !file.s[at]) ++at;
  if (at < file.n)
    ck_fail(why, "what follows its record %llu is damaged", (unsigned long long)(number - 1));
  return at == file.n;
}

bool ck_spool_segment_sound(int dir, const char *name, const char *producer, struct ck_err *why) {
  struct ck_buf file = {0};
  uint64_t first = 0;
  bool sound = false;
  if (!ck_spool_is_segment(name, &first))
    ck_fail(why, "its name is none of a segment");
  else if (ck_read_file(dir, name, 0, SIZE_MAX, &file, why) == 0) {
    sound = head_sound(ck_buf_view(&file), producer);
    if (sound)
      sound = records_sound(ck_buf_view(&file), first, why);
    else
      ck_fail(why, "its first line is damaged, or another producer's");
  }
  ck_buf_free(&file);
  return sound;
}

uint64_t ck_spool_count_above(int dir, const char *name, uint64_t released) {
  char head[CK_SPOOL_RECORD_HEAD];
  struct ck_spool_record record;
  uint64_t n = 0;
  int fd = ck_open_file(dir, name, O_RDONLY | O_NOFOLLOW, NULL);
  if (fd < 0) return 0;
  for (off_t at = CK_SPOOL_SEGMENT_HEAD;
       pread(fd, head, sizeof head, at) == sizeof head && ck_spool_record_head(head, &record);
       at += (off_t)(sizeof head + record.length))
    n += record.number > released;
  close(fd);
  return n;
}

/* ---- notes ---- */

bool ck_spool_producer_ok(struct ck_str id) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  char text[CK_SPOOL_ID_MAX];
  if (id.n < 8 || id.n >= sizeof text || !ck_str_starts(id, "ingest-")) return false;
  memcpy(text, id.s, id.n);
  text[id.n] = '\0';
  return strspn(text, allowed) == id.n;
}

int ck_spool_check_notes(int dir, struct ck_err *err) {
  static const char *const notes[] = {CK_SPOOL_PRODUCER, CK_SPOOL_RELEASED, CK_SPOOL_UNSENT,
                                      CK_SPOOL_RENOUNCED};
  for (size_t i = 0; i < sizeof notes / sizeof *notes; ++i)
    if (ck_no_other_kind(dir, notes[i], err)) return ck_fail_in(err, "spool/%s", notes[i]);
  return 0;
}

void ck_spool_read_note(int dir, const char *name, struct ck_buf *line) {
  if (ck_read_file(dir, name, 0, NOTE_MAX, line, NULL)) ck_buf_clear(line);
  struct ck_str trimmed = ck_trim(ck_buf_view(line));
  if (trimmed.n) memmove(line->data, trimmed.s, trimmed.n);
  line->len = trimmed.n;
}

void ck_spool_read_producer(int dir, char out[CK_SPOOL_ID_MAX]) {
  struct ck_buf b = {0};
  out[0] = '\0';
  ck_spool_read_note(dir, CK_SPOOL_PRODUCER, &b);
  if (ck_spool_producer_ok(ck_buf_view(&b)))
    snprintf(out, CK_SPOOL_ID_MAX, "%.*s", (int)b.len, b.data);
  ck_buf_free(&b);
}

int ck_spool_number_line(char out[CK_SPOOL_LINE_MAX], const char *producer, uint64_t number) {
  int n =
      snprintf(out, CK_SPOOL_LINE_MAX, "%s %0*llu", producer, DIGITS, (unsigned long long)number);
  unsigned check = (unsigned)ck_crc32c(0, out, (size_t)n);
  return n + snprintf(out + n, CK_SPOOL_LINE_MAX - (size_t)n, " %08x", check);
}

uint64_t ck_spool_read_number(int dir, const char *name, const char *producer) {
  struct ck_buf b = {0};
  char line[CK_SPOOL_LINE_MAX];
  size_t id = strlen(producer);
  uint64_t number = 0;
  ck_spool_read_note(dir, name, &b);
  if (id && b.len > id) number = strtoull(ck_buf_cstr(&b) + id, NULL, 10);
  ck_spool_number_line(line, producer, number);
  if (!ck_str_is(ck_buf_view(&b), line)) number = 0;
  ck_buf_free(&b);
  return number;
}
