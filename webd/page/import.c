/* /i: files to be imported. They come as a form, piece by piece, into a folder of their own, and
 * are read by `convkeep import`.
 *
 *   POST /i ─► piece, piece … ─► web/uploads/ID/ ─► convkeep import ─► /i/ID
 */
#include "webd/page/import.h"

#include <stdlib.h>

#include "proto/clock.h"

void page_import(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_buf b = {0};
  if (!web_args_known(r, "")) return;
  page_import_html(&b, r, w->uploads, ck_now_ms());
  web_answer(r, 200, WEB_HTML, &b);
}

void page_imported(void *self, struct web_request *r) {
  struct webd *w = self;
  struct ck_buf b = {0};
  const struct web_upload *u = web_upload_of(w->uploads, web_part(r, 0));
  if (!web_args_known(r, "")) return;
  if (!u) {
    web_refuse(r, WEB_REFUSED_MISSING,
               "there is no report of that import any more; what it brought is kept, and importing "
               "the files again changes nothing of it");
    return;
  }
  page_imported_html(&b, r, u, ck_now_ms());
  web_answer(r, 200, WEB_HTML, &b);
}

static void drop(void *kept) { web_upload_drop(kept); }

/* The upload of this request; begins it. NULL: the request was refused. */
static struct web_upload *upload_of(struct webd *w, struct web_request *r) {
  struct web_upload *u = web_kept(r);
  struct ck_err err;
  bool busy;
  if (u) return u;
  u = web_upload_begin(w->uploads, &busy, &err);
  if (u)
    web_keep(r, u, drop);
  else if (busy)
    web_refuse_for(r, WEB_REFUSED_BUSY, 5, "%s", err.text);
  else
    web_refuse(r, WEB_REFUSED_FAILED, "%s", err.text);
  return u;
}

void web_page_piece(void *self, struct web_request *r, const struct web_piece *piece) {
  struct web_upload *u = upload_of(self, r);
  struct ck_err err;
  if (!u) return;
  if (piece->at == 0 && web_upload_file(u, piece->file, &err))
    web_refuse(r, WEB_REFUSED_SYNTAX, "%s", err.text);
  else if (web_upload_bytes(u, piece->bytes, &err))
    web_refuse(r, WEB_REFUSED_FAILED, "%s", err.text);
}

void page_upload(void *self, struct web_request *r) {
  struct web_upload *u = web_kept(r);
  struct ck_err err;
  (void)self;
  if (!u) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "no file was chosen");
    return;
  }
  if (web_upload_whole(u, &err)) {
    web_refuse(r, WEB_REFUSED_SYNTAX, "%s", err.text);
    return;
  }
  web_keep(r, NULL, NULL);
  char *report = ck_sprintf("/i/%s", u->id);
  web_redirect(r, report);
  free(report);
}
