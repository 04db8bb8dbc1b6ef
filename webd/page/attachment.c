/* /a/HASH: the bytes of an attachment. What is somebody else's file is never a page here: an image
 * of a kind that can do nothing, and plain text, is shown; everything else is saved. */
#include "webd/page/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/attachment.h"
#include "proto/map.h"
#include "proto/sha256.h"

static const char *const pictures[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
#define PICTURES (sizeof pictures / sizeof *pictures)

bool page_is_picture(struct ck_str type) {
  size_t i = 0;
  while (i < PICTURES && !ck_str_is(type, pictures[i])) ++i;
  return i < PICTURES;
}

/* NULL: it is saved. */
static const char *shown_as(struct ck_str type) {
  for (size_t i = 0; i < PICTURES; ++i)
    if (ck_str_is(type, pictures[i])) return pictures[i];
  return ck_str_is(type, "text/plain") ? "text/plain; charset=utf-8" : NULL;
}

static int open_attachment(struct ck_str hash, uint64_t *bytes) {
  char path[CK_ATTACHMENT_PATH];
  struct stat st;
  int folder = ck_attachments_open(AT_FDCWD, false);
  if (folder < 0) return -1;
  ck_attachment_path(path, hash, true);
  int fd = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  close(folder);
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
    *bytes = (uint64_t)st.st_size;
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

static void serve(struct web_request *r, struct ck_str map) {
  struct ck_str name = ck_map_str(map, "name"), type = ck_map_str(map, "type");
  const char *slash = name.n ? memrchr(name.s, '/', name.n) : NULL, *shown = shown_as(type);
  uint64_t bytes = 0;
  int fd = open_attachment(web_part(r, 0), &bytes);
  if (fd < 0) {
    web_refuse(r, WEB_REFUSED_MISSING,
               "the file of this attachment is not there; convkeep doctor says what is missing");
    return;
  }
  if (slash) name = (struct ck_str){slash + 1, (size_t)(name.s + name.n - slash - 1)};
  web_answer_foreign(r, shown != NULL, name);
  web_answer_file(r, shown ? shown : "application/octet-stream", fd, bytes);
}

static void heard(void *self, const struct web_said *said) {
  struct web_request *r = self;
  struct page_rows rows;
  struct ck_str map;
  if (!page_heard_rows(r, said, &rows, NULL, NULL)) return;
  if (page_next_row(&rows, &map))
    serve(r, map);
  else
    web_refuse(r, WEB_REFUSED_MISSING, "there is no attachment of that hash");
}

void page_attachment(void *self, struct web_request *r) {
  struct ck_buf filters = {0};
  struct ck_str hash = web_part(r, 0);
  if (!web_args_known(r, "")) return;
  struct ck_map m = ck_map_open(&filters);
  ck_pair_str(&m, "hash", hash);
  ck_map_close(&m);
  const struct ck_query query = {
      .table = CK_LIT("attachments"), .filters = ck_buf_view(&filters), .limit = 1};
  if (ck_sha256_is_hex(hash))
    page_ask(self, r, &query, heard, r);
  else
    web_refuse(r, WEB_REFUSED_MISSING, "there is no attachment of that hash");
  ck_buf_free(&filters);
}
