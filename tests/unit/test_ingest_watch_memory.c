/* What ingest keeps of the files that it follows has one bound in bytes, however many there are and
 * however long their lines: they wait for each other, and all are read. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "test_ingest_watch.h"
#include "tests/unit/test_sanitized.h"

#define MEMORY (6u << 20)
#define LINE (1u << 20) /* bytes */
#define FILES 40
#define PARSED (10 * LINE) /* what one line takes while it is parsed and given to the store */

static struct wr_rig r;

static void setup(void) { wr_open(&r); }
static void teardown(void) { wr_close(&r); }

TestSuite(watch_memory, .init = setup, .fini = teardown, .timeout = 120 * SLOWER);

static void name_of(char name[40], int i, const char *ending) {
  snprintf(name, 40, "%d.jsonl%s", i, ending);
}

/* The user's question, which is so long, in a session of its own. */
static struct ck_buf session(int i, size_t n, bool end) {
  struct ck_buf b = {0};
  ck_buf_printf(&b,
                "{\"type\":\"user\",\"uuid\":\"u%d\",\"parentUuid\":null,\"sessionId\":\"s%d\","
                "\"timestamp\":\"2026-10-01T10:00:00.000Z\",\"message\":{\"role\":\"user\","
                "\"content\":\"",
                i, i);
  while (b.len < n) ck_buf_printf(&b, "%llx ", (unsigned long long)sh_random());
  if (end) ck_buf_text(&b, "\"}}\n");
  return b;
}

static size_t in_use(void) {
  struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

static size_t before;

/* What the store and the spool keep of the longest line is there before. */
static void begin(void) {
  struct ck_buf b = session(FILES, LINE, true);
  wr_start(&r);
  ingest_watch_memory(r.watch, MEMORY);
  wr_settle(&r);
  wr_write(&r, "first.jsonl", ck_buf_view(&b));
  ck_buf_free(&b);
  wr_settle(&r);
  before = in_use();
}

static int64_t messages(void) { return sh_int(&r.store, "SELECT count(*) FROM messages") - 1; }

/* Turns until so many messages are there. Never is there more in use. */
static void is_bounded(int expected, size_t most) {
  size_t greatest = 0;
  for (int turn = 0; turn < 100000; ++turn) {
    wr_step(&r);
    size_t now = in_use() - before;
    if (now > greatest) greatest = now;
    if (turn % 16 == 0 && messages() == expected) break;
  }
  cr_expect_eq(messages(), expected);
  cr_expect(SLOWER > 1 || greatest < most, "%zu bytes", greatest); /* a sanitizer keeps more */
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "behind"), 0);
}

/* Half a line of each comes first, so that all of them are begun. */
Test(watch_memory, many_long_lines) {
  char name[40];
  begin();
  for (int i = 0; i < FILES; ++i) {
    struct ck_buf b = session(i, LINE, true);
    name_of(name, i, "");
    wr_write(&r, name, (struct ck_str){b.data, b.len / 2});
    ck_buf_free(&b);
  }
  for (int i = 0; i < 20; ++i) wr_step(&r);
  cr_expect_lt(in_use() - before, MEMORY);
  for (int i = 0; i < FILES; ++i) {
    struct ck_buf b = session(i, LINE, true);
    name_of(name, i, "");
    wr_write(&r, name, ck_buf_view(&b));
    ck_buf_free(&b);
  }
  is_bounded(FILES, MEMORY + PARSED);
}

/* Lines that have no end wait, and hold nobody up. */
Test(watch_memory, lines_without_an_end) {
  char name[40];
  begin();
  for (int i = 0; i < FILES; ++i) {
    struct ck_buf b = session(i, LINE, i % 2);
    name_of(name, i, "");
    wr_write(&r, name, ck_buf_view(&b));
    ck_buf_free(&b);
  }
  for (int i = 0; i < 3000 && messages() < FILES / 2; ++i) wr_step(&r);
  cr_expect_eq(messages(), FILES / 2);
  cr_expect(SLOWER > 1 || in_use() - before < MEMORY, "%zu bytes", in_use() - before);
}

Test(watch_memory, many_windows_of_compressed_files) {
  char name[40];
  begin();
  for (int i = 0; i < FILES; ++i) {
    struct ck_buf b = session(i, LINE, true);
    ck_buf_text(&b, "{\"type\":\"mode\",\"sessionId\":\"s\"}\n");
    size_t room = ZSTD_compressBound(b.len);
    struct ck_buf packed = {0};
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 20);
    packed.len = ZSTD_compress2(z, ck_buf_room(&packed, room), room, b.data, b.len);
    ZSTD_freeCCtx(z);
    name_of(name, i, ".zst");
    wr_write(&r, name, ck_buf_view(&packed));
    ck_buf_free(&packed);
    ck_buf_free(&b);
  }
  is_bounded(FILES, MEMORY + PARSED);
}

/* A window for which a machine may not have the memory is refused, and named. */
Test(watch_memory, a_window_that_is_too_large) {
  struct ck_buf b = {0}, packed = {0};
  memset(ck_buf_room(&b, 140u << 20), ' ', 140u << 20);
  b.len = 140u << 20;
  ZSTD_CCtx *z = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 27);
  size_t room = ZSTD_compressBound(b.len);
  packed.len = ZSTD_compress2(z, ck_buf_room(&packed, room), room, b.data, b.len);
  ZSTD_freeCCtx(z);
  begin();
  wr_write(&r, "a.jsonl.zst", ck_buf_view(&packed));
  wr_settle(&r);
  cr_expect(strstr(wr_error(&r), "requires too much memory"), "%s", wr_error(&r));
  ck_buf_free(&packed);
  ck_buf_free(&b);
}

/* Files that are only kept open in case they grow give their memory up. */
Test(watch_memory, many_files_that_rest) {
  char name[40];
  begin();
  for (int i = 0; i < 150; ++i) {
    struct ck_buf b = {0};
    for (int line = 0; line < 2000; ++line)
      ck_buf_printf(&b,
                    "{\"type\":\"user\",\"uuid\":\"u%d-%d\",\"sessionId\":\"s%d\",\"timestamp\":"
                    "\"2026-10-01T10:00:00.000Z\",\"isMeta\":true,\"message\":{\"role\":\"user\","
                    "\"content\":\"\"}}\n",
                    i, line, i);
    name_of(name, i, "");
    wr_write(&r, name, ck_buf_view(&b));
    ck_buf_free(&b);
  }
  wr_settle(&r);
  cr_expect(SLOWER > 1 || in_use() - before < MEMORY, "%zu bytes", in_use() - before);
}
