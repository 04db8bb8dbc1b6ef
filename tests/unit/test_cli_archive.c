/* Archives as import reads them: made here with libarchive's writer, read by cli/import/archive.c.
 */
#include <archive.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/import/archive.h"
#include "tests/harness/archive.h"

TestSuite(cli_archive);

#define TEXT(name, text) \
  { name, CK_LIT(text) }

static struct ck_buf zip(const struct t_member *files, size_t n) {
  return t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, n);
}

static int fd_of(struct ck_str bytes) {
  int fd = memfd_create("archive", MFD_CLOEXEC);
  cr_assert_eq(write(fd, bytes.s, bytes.n), (ssize_t)bytes.n);
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static void read_all(struct cli_archive *a, struct ck_buf *out) {
  char bytes[1000];
  struct ck_err err;
  ssize_t n;
  while ((n = cli_archive_read(a, bytes, sizeof bytes, &err)) > 0)
    ck_buf_add(out, bytes, (size_t)n);
  if (n < 0) ck_buf_printf(out, "<%s>", err.text);
}

/* "NAME=CONTENT;" of each file; "!NAME=REASON;" of what cannot be read. Each is read twice. */
static char *listed(struct ck_str bytes) {
  struct ck_buf all = {0}, once = {0}, again = {0};
  int fd = fd_of(bytes), rc;
  struct cli_archive *a = cli_archive_new(fd, NULL);
  const char *name;
  struct ck_err err;
  while ((rc = cli_archive_next(a, &name, &err))) {
    char *kept = ck_strdup(name);
    ck_buf_clear(&once);
    ck_buf_clear(&again);
    if (rc == 1) {
      read_all(a, &once);
      cr_assert_eq(cli_archive_rewind(a, &err), 0, "%s", err.text);
      read_all(a, &again);
      cr_assert_str_eq(ck_buf_cstr(&once), ck_buf_cstr(&again));
    }
    ck_buf_printf(&all, "%s%s=%s;", rc == 1 ? "" : "!", kept,
                  rc == 1 ? ck_buf_cstr(&once) : err.text);
    free(kept);
  }
  cli_archive_free(&a);
  close(fd);
  ck_buf_free(&once);
  ck_buf_free(&again);
  char *text = ck_strdup(ck_buf_cstr(&all));
  ck_buf_free(&all);
  return text;
}

static void expect(struct ck_buf *bytes, const char *listing) {
  char *got = listed(ck_buf_view(bytes));
  cr_expect_str_eq(got, listing);
  free(got);
  ck_buf_free(bytes);
}

Test(cli_archive, files_come_in_their_order_with_their_names) {
  const struct t_member files[] = {TEXT("b/conversations.json", "[1]"),
                                   TEXT("../../etc/passwd", "x"), TEXT("ä.json", "[2]"),
                                   TEXT("empty.json", "")};
  struct ck_buf b = zip(files, 4);
  expect(&b, "b/conversations.json=[1];../../etc/passwd=x;ä.json=[2];empty.json=;");
}

Test(cli_archive, one_compressed_file_has_no_name_of_its_own) {
  const struct t_member file = TEXT("any", "{\"a\":1}");
  const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ,
                         ARCHIVE_FILTER_BZIP2};
  for (size_t i = 0; i < 4; ++i) {
    struct ck_buf b = t_archive(0, filters[i], &file, 1);
    expect(&b, "={\"a\":1};");
  }
}

Test(cli_archive, archives_in_archives_are_opened) {
  const struct t_member files[] = {TEXT("one.json", "1"), TEXT("two.json", "2")};
  struct ck_buf inner = zip(files, 2), gz = t_archive(0, ARCHIVE_FILTER_GZIP, files, 1),
                tar = t_archive(ARCHIVE_FORMAT_TAR, ARCHIVE_FILTER_GZIP, files, 2);
  const struct t_member outer[] = {{"inner.zip", ck_buf_view(&inner)},
                                   {"three.json.gz", ck_buf_view(&gz)},
                                   {"four.tar.gz", ck_buf_view(&tar)},
                                   TEXT("five.json", "5")};
  struct ck_buf b = zip(outer, 4);
  expect(&b, "inner.zip: one.json=1;inner.zip: two.json=2;three.json.gz=1;"
             "four.tar.gz: one.json=1;four.tar.gz: two.json=2;five.json=5;");
  ck_buf_free(&inner);
  ck_buf_free(&gz);
  ck_buf_free(&tar);
}

Test(cli_archive, nesting_is_bounded_and_the_rest_is_read) {
  const struct t_member leaf = TEXT("leaf.json", "1");
  struct ck_buf b = zip(&leaf, 1);
  for (int i = 0; i < CLI_ARCHIVE_DEPTH; ++i) {
    const struct t_member files[] = {{"in.zip", ck_buf_view(&b)}, TEXT("beside.json", "2")};
    struct ck_buf next = zip(files, 2);
    ck_buf_free(&b);
    b = next;
  }
  char *got = listed(ck_buf_view(&b));
  cr_expect(strstr(got, "archives inside each other"), "%s", got);
  cr_expect(strstr(got, "in.zip: beside.json=2;"), "%s", got);
  cr_expect_null(strstr(got, "leaf.json"), "%s", got);
  free(got);
  ck_buf_free(&b);
}

Test(cli_archive, a_bomb_is_not_read_and_what_is_beside_it_is) {
  size_t n = (size_t)CLI_ARCHIVE_FREE + (64u << 20);
  char *blanks = ck_alloc(n);
  memset(blanks, ' ', n);
  const struct t_member bomb = {"any", {blanks, n}};
  struct ck_buf gz = t_archive(0, ARCHIVE_FILTER_GZIP, &bomb, 1);
  const struct t_member files[] = {{"bomb.json.gz", ck_buf_view(&gz)}, TEXT("good.json", "1")};
  struct ck_buf outer = zip(files, 2);
  int fd = fd_of(ck_buf_view(&outer));
  struct cli_archive *a = cli_archive_new(fd, NULL);
  const char *name;
  struct ck_err err = {0};
  int64_t got = 0;
  ssize_t k;
  cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%s", err.text);
  while ((k = cli_archive_read(a, blanks, 1 << 20, &err)) > 0) got += k;
  cr_expect_eq(k, -1, "%lld bytes", (long long)got);
  cr_expect(strstr(err.text, "unpacks to more than"), "%s", err.text);
  cr_expect_leq(got, CLI_ARCHIVE_FREE + (2 << 20));
  cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%s", err.text);
  cr_expect_str_eq(name, "good.json");
  cli_archive_free(&a);
  close(fd);
  ck_buf_free(&gz);
  ck_buf_free(&outer);
  free(blanks);
}

/* Members of which each alone is small enough. */
Test(cli_archive, many_bombs_are_one, .timeout = 60) {
  enum { EACH = 200 << 20, MOST = 8 };
  char *blanks = ck_alloc(EACH);
  memset(blanks, ' ', EACH);
  const struct t_member blank = {"any.json", {blanks, EACH}};
  struct ck_buf inner = zip(&blank, 1);
  struct t_member files[MOST];
  for (int i = 0; i < MOST; ++i) files[i] = (struct t_member){"in.zip", ck_buf_view(&inner)};
  struct ck_buf outer = zip(files, MOST);
  int fd = fd_of(ck_buf_view(&outer)), rc;
  struct cli_archive *a = cli_archive_new(fd, NULL);
  const char *name;
  struct ck_err err = {0};
  int64_t got = 0;
  ssize_t k = 0;
  unsigned refused = 0;
  while ((rc = cli_archive_next(a, &name, &err))) {
    while (rc == 1 && (k = cli_archive_read(a, blanks, 1 << 20, &err)) > 0) got += k;
    if (rc == 1 && k == 0) continue;
    cr_expect(strstr(err.text, "unpacks to more than"), "%s", err.text);
    ++refused;
  }
  cr_expect_eq(refused, 1);
  cr_expect(got > (INT64_C(512) << 20) && got <= CLI_ARCHIVE_FREE_ALL, "%lld bytes",
            (long long)got);
  cli_archive_free(&a);
  close(fd);
  ck_buf_free(&inner);
  ck_buf_free(&outer);
  free(blanks);
}

Test(cli_archive, cut_and_flipped_ones_end_with_a_reason) {
  const struct t_member files[] = {TEXT("one.json", "[\"some text that compresses\"]"),
                                   TEXT("two.json", "[2]")};
  struct ck_buf good = zip(files, 2);
  for (size_t cut = 1; cut < good.len; ++cut) {
    char *got = listed((struct ck_str){good.data, cut});
    free(got);
  }
  for (size_t at = 0; at < good.len; ++at) {
    good.data[at] ^= 0x55;
    char *got = listed(ck_buf_view(&good));
    free(got);
    good.data[at] ^= 0x55;
  }
  ck_buf_free(&good);
}

/* Text that hardly compresses; the caller frees it. */
static struct ck_buf noise(size_t n) {
  struct ck_buf b = {0};
  for (uint32_t x = 2463534242; b.len < n; x ^= x << 13, x ^= x >> 17, x ^= x << 5)
    ck_buf_printf(&b, "%08x", x);
  return b;
}

/* Of a member that is cut off, what comes before is had. */
Test(cli_archive, what_stands_before_a_damage_is_read) {
  static const int formats[][2] = {{0, ARCHIVE_FILTER_GZIP},
                                   {0, ARCHIVE_FILTER_ZSTD},
                                   {ARCHIVE_FORMAT_TAR, ARCHIVE_FILTER_NONE},
                                   {ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE}};
  struct ck_buf text = noise(1u << 20);
  const struct t_member file = {"one", ck_buf_view(&text)};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; ++i) {
    struct ck_buf whole = t_archive(formats[i][0], formats[i][1], &file, 1), got = {0};
    struct ck_err err;
    const char *name;
    int fd = fd_of((struct ck_str){whole.data, whole.len - whole.len / 3});
    struct cli_archive *a = cli_archive_new(fd, NULL);
    cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%zu: %s", i, err.text);
    read_all(a, &got);
    char *end = memchr(ck_buf_cstr(&got), '<', got.len + 1);
    size_t n = end ? (size_t)(end - got.data) : 0;
    cr_expect(n > text.len / 3 && memcmp(got.data, text.data, n) == 0, "%zu: %zu bytes", i, n);
    cli_archive_free(&a);
    close(fd);
    ck_buf_free(&whole);
    ck_buf_free(&got);
  }
  ck_buf_free(&text);
}

/* The bytes that are read of a compressed file that is cut off, which end where they must. */
static size_t read_of_cut(struct ck_str bytes, struct ck_str text) {
  char expected[80];
  struct ck_buf got = {0};
  struct ck_err err;
  const char *name;
  int fd = fd_of(bytes);
  struct cli_archive *a = cli_archive_new(fd, NULL);
  cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%s", err.text);
  read_all(a, &got);
  size_t n = strcspn(ck_buf_cstr(&got), "<");
  snprintf(expected, sizeof expected, "<the compressed data is cut off at byte %zu>", bytes.n);
  cr_expect_str_eq(got.data + n, expected);
  cr_assert(n <= text.n && memcmp(got.data, text.s, n) == 0);
  cli_archive_free(&a);
  close(fd);
  ck_buf_free(&got);
  return n;
}

/* gzip and xz: all that there is, up to the byte. zstd: all whole blocks. */
Test(cli_archive, all_before_the_cut_of_a_compressed_file_is_read) {
  static const struct {
    int filter;
    size_t lost;   /* at most */
    size_t little; /* lost of a small file that lacks its last byte */
  } filters[] = {{ARCHIVE_FILTER_GZIP, 2000, 0},
                 {ARCHIVE_FILTER_ZSTD, (128 << 10) + 2000, 1},
                 {ARCHIVE_FILTER_XZ, 2000, 0}};
  struct ck_buf text = noise(1u << 20);
  const struct t_member file = {"one", ck_buf_view(&text)}, little = TEXT("two", "[1, 2, 3]");
  for (size_t i = 0; i < 3; ++i) {
    struct ck_buf whole = t_archive(0, filters[i].filter, &file, 1),
                  few = t_archive(0, filters[i].filter, &little, 1);
    for (size_t part = 1; part < 8; ++part) {
      size_t cut = whole.len * part / 8, there = text.len / 8 * part,
             n = read_of_cut((struct ck_str){whole.data, cut}, ck_buf_view(&text));
      cr_expect(n + filters[i].lost > there, "%zu: %zu of %zu bytes", i, n, there);
    }
    /* gzip and xz end with a check; zstd here with these bytes themselves. */
    cr_expect_eq(read_of_cut((struct ck_str){few.data, few.len - 1}, little.bytes),
                 little.bytes.n - filters[i].little);
    ck_buf_free(&whole);
    ck_buf_free(&few);
  }
  ck_buf_free(&text);
}

/* Where the block after the one at `at` begins; the first one is after 6 bytes of the frame's head.
 */
static size_t next_zstd_block(const struct ck_buf *b, size_t at) {
  const unsigned char *h = (const unsigned char *)b->data + at;
  return at ? at + 3 + (h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16) / 8 : 6;
}

/* Of zstd all blocks before the one that is damaged, which is told by its place. */
Test(cli_archive, all_before_the_damage_of_a_compressed_file_is_read) {
  struct ck_buf text = noise(1u << 20);
  const struct t_member file = {"one", ck_buf_view(&text)};
  struct ck_buf bytes = t_archive(0, ARCHIVE_FILTER_ZSTD, &file, 1);
  size_t at = next_zstd_block(&bytes, 0);
  for (size_t block = 1; block < 8; ++block) {
    struct ck_buf got = {0};
    struct ck_err err;
    const char *name;
    long place = 0;
    at = next_zstd_block(&bytes, at);
    char kept = bytes.data[at];
    bytes.data[at] |= 6; /* a type of block that there is not */
    int fd = fd_of(ck_buf_view(&bytes));
    struct cli_archive *a = cli_archive_new(fd, NULL);
    cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%s", err.text);
    read_all(a, &got);
    size_t n = strcspn(ck_buf_cstr(&got), "<");
    cr_expect(n == block << 17 && memcmp(got.data, text.data, n) == 0, "%zu: %zu bytes", block, n);
    sscanf(got.data + n, "<the compressed data is damaged at byte %ld", &place);
    cr_expect(place > 0 && (size_t)place <= at && (size_t)place + (1u << 17) > at, "%ld for %zu",
              place, at);
    bytes.data[at] = kept;
    cli_archive_free(&a);
    close(fd);
    ck_buf_free(&got);
  }
  ck_buf_free(&bytes);
  ck_buf_free(&text);
}

/* gzip's members, zstd's frames and xz's streams, one after another; some of them are empty, or
 * hold no data. */
Test(cli_archive, compressed_files_that_were_put_one_after_another) {
  static const char zeroes[1024];
  const struct t_member files[] = {TEXT("", "one\n"), TEXT("", ""), TEXT("", "two\n")};
  const struct ck_str beside[] = {
      {zeroes, sizeof zeroes}, CK_LIT("\x50\x2a\x4d\x18\x03\0\0\0abc"), {zeroes, sizeof zeroes}};
  const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ};
  for (size_t i = 0; i < 3; ++i) {
    struct ck_buf all = {0};
    char expected[120];
    for (size_t f = 0; f < 3; ++f) {
      struct ck_buf one = t_archive(0, filters[i], &files[f], 1);
      ck_buf_str(&all, ck_buf_view(&one));
      ck_buf_free(&one);
    }
    ck_buf_str(&all, beside[i]);
    char *got = listed(ck_buf_view(&all));
    cr_expect_str_eq(got, "=one\ntwo\n;");
    free(got);
    snprintf(expected, sizeof expected, "=one\ntwo\n<the compressed data is damaged at byte ");
    ck_buf_text(&all, "\x1f but not a member");
    got = listed(ck_buf_view(&all));
    cr_expect(strncmp(got, expected, strlen(expected)) == 0, "%s", got);
    free(got);
    ck_buf_free(&all);
  }
}

/* A block that is full says nothing of whether there is more. */
Test(cli_archive, compressed_files_of_whole_blocks) {
  for (size_t blocks = 1; blocks < 4; ++blocks) {
    struct ck_buf text = noise(blocks << 17);
    const struct t_member file = {"", ck_buf_view(&text)};
    const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ};
    for (size_t i = 0; i < 3; ++i) {
      struct ck_buf all = t_archive(0, filters[i], &file, 1);
      char *got = listed(ck_buf_view(&all));
      cr_expect(strlen(got) == text.len + 2 && memcmp(got + 1, text.data, text.len) == 0);
      free(got);
      ck_buf_free(&all);
    }
    ck_buf_free(&text);
  }
}

/* Of a member that is packed in a zip, all that comes before the last 4 KiB before the cut or the
 * damage. */
Test(cli_archive, what_is_packed_in_a_zip_is_read_up_to_the_fault) {
  enum { LOST = 12 << 10 }; /* unpacked: the text shrinks to about half */
  struct ck_buf text = noise(1u << 20);
  const struct t_member file = {"one", ck_buf_view(&text)};
  struct ck_buf whole = zip(&file, 1);
  for (size_t part = 1; part < 16; ++part) {
    struct ck_buf got = {0};
    struct ck_err err;
    const char *name;
    size_t at = whole.len / 16 * part, there = text.len / 16 * part;
    char kept[64];
    bool cut = part % 2 == 0;
    memcpy(kept, whole.data + at, sizeof kept);
    memset(whole.data + at, 0xff, sizeof kept);
    int fd = fd_of((struct ck_str){whole.data, cut ? at : whole.len});
    struct cli_archive *a = cli_archive_new(fd, NULL);
    cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%zu: %s", part, err.text);
    read_all(a, &got);
    size_t n = strcspn(ck_buf_cstr(&got), "<");
    cr_expect(got.data[n] == '<', "no reason");
    size_t same = 0;
    while (same < n && same < text.len && got.data[same] == text.data[same]) ++same;
    cr_expect(same + LOST > there, "%zu: %zu of %zu bytes", part, same, there);
    memcpy(whole.data + at, kept, sizeof kept);
    cli_archive_free(&a);
    close(fd);
    ck_buf_free(&got);
  }
  ck_buf_free(&whole);
  ck_buf_free(&text);
}

/* Changes the CRC-32 of those bytes wherever it is in the zip file. */
static void spoil_checksum(struct ck_buf *zip, struct ck_str bytes) {
  uint32_t crc = ~UINT32_C(0);
  for (size_t i = 0; i < bytes.n; ++i) {
    crc ^= (unsigned char)bytes.s[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
  }
  crc = ~crc;
  size_t met = 0;
  for (size_t at = 0; at + sizeof crc <= zip->len; ++at)
    if (memcmp(zip->data + at, &crc, sizeof crc) == 0) {
      zip->data[at] ^= 0x55;
      ++met;
    }
  cr_assert_gt(met, 0u);
}

/* Whatever the size: what was unpacked is read, and then the reason is said. */
Test(cli_archive, a_wrong_checksum_is_a_damage) {
  static const size_t sizes[] = {8, 104, 1000, 1u << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    struct ck_buf text = noise(sizes[i]), got = {0};
    const struct t_member file = {"one", ck_buf_view(&text)};
    struct ck_buf whole = zip(&file, 1);
    struct ck_err err;
    const char *name;
    spoil_checksum(&whole, file.bytes);
    int fd = fd_of(ck_buf_view(&whole));
    struct cli_archive *a = cli_archive_new(fd, NULL);
    cr_assert_eq(cli_archive_next(a, &name, &err), 1, "%zu: %s", i, err.text);
    read_all(a, &got);
    cr_assert_gt(got.len, text.len, "%zu", i);
    cr_expect_eq(memcmp(got.data, text.data, text.len), 0, "%zu", i);
    cr_expect(strstr(ck_buf_cstr(&got) + text.len, "bad CRC"), "%zu: %s", i, got.data + text.len);
    cr_expect_eq(cli_archive_next(a, &name, &err), 0);
    cli_archive_free(&a);
    close(fd);
    ck_buf_free(&text);
    ck_buf_free(&got);
    ck_buf_free(&whole);
  }
}

Test(cli_archive, a_7z_file) {
  const struct t_member files[] = {TEXT("a/one.json", "1"), TEXT("two.json", "2")};
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_7ZIP, ARCHIVE_FILTER_NONE, files, 2);
  const struct t_member outer[] = {{"in.7z", ck_buf_view(&b)}, TEXT("three.json", "3")};
  struct ck_buf around = zip(outer, 2);
  expect(&around, "!in.7z=a 7z file inside an archive: unpack it, and import what comes out;"
                  "three.json=3;");
  expect(&b, "a/one.json=1;two.json=2;");
}

Test(cli_archive, what_only_begins_like_an_archive_is_none) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "PK\3\4 and so on, which is no zip file at all");
  char *got = listed(ck_buf_view(&b));
  cr_expect_eq(got[0], '!', "%s", got);
  free(got);
  ck_buf_free(&b);
}

/* Without a compression around it, too; and what only begins like a name is none. */
Test(cli_archive, a_tar_file) {
  const struct t_member files[] = {TEXT("a/one.json", "1"), TEXT("two.json", "2")};
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_TAR, ARCHIVE_FILTER_NONE, files, 2);
  cr_expect(cli_archive_is((struct ck_str){b.data, CLI_ARCHIVE_HEAD}));
  cr_expect_not(cli_archive_is((struct ck_str){b.data, CLI_ARCHIVE_HEAD - 1}));
  expect(&b, "a/one.json=1;two.json=2;");
}

/* Makes tar files of 1979 of newer ones: without the mark, and with another sum. */
static void make_old(struct ck_buf *tar, size_t members) {
  for (char *head = tar->data; members--; head += 1024) {
    unsigned sum = 0;
    memset(head + 257, 0, 255);
    memset(head + 148, ' ', 8);
    for (int i = 0; i < 512; ++i) sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
  }
}

Test(cli_archive, an_old_tar_file) {
  const struct t_member files[] = {TEXT("a/one.json", "1"), TEXT("two.json", "2")};
  const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ,
                         ARCHIVE_FILTER_BZIP2};
  struct ck_buf tar = t_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, files, 2);
  make_old(&tar, 2);
  const struct t_member packed = {"any", ck_buf_view(&tar)};
  for (size_t i = 0; i < sizeof filters / sizeof *filters; ++i) {
    struct ck_buf b = t_archive(0, filters[i], &packed, 1);
    expect(&b, "a/one.json=1;two.json=2;");
  }
  cr_expect(cli_archive_is(packed.bytes));
  tar.data[0] ^= 1;
  cr_expect_not(cli_archive_is(packed.bytes), "the sum is another");
  tar.data[0] ^= 1;
  expect(&tar, "a/one.json=1;two.json=2;");
}

Test(cli_archive, a_name_that_is_not_utf8_is_text_all_the_same) {
  const struct t_member file = TEXT("gespr\x84"
                                    "che.json",
                                    "1");
  struct ck_buf b = zip(&file, 1);
  expect(&b, "gespräche.json=1;");
}
