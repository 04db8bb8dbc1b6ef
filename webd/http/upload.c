/* Forms with files, as they come: nothing of a file is kept here. */
#include "webd/http/internal.h"

#include <stdlib.h>

/* What libmicrohttpd keeps of a form: heads of parts, and what may be a boundary. */
#define FORM_BYTES (16u << 10)
#define NAME_BYTES 4096

struct web_upload_form {
  struct MHD_PostProcessor *parts;
  uint64_t bytes;
  char secret[CK_SHA256_HEX + 1];
  size_t secret_n;
};

struct ck_str web_upload_secret(const struct web_request *r) {
  return r->form ? (struct ck_str){r->form->secret, r->form->secret_n} : (struct ck_str){0};
}

static void take_secret(struct web_upload_form *f, const char *data, uint64_t at, size_t n) {
  if (at + n > sizeof f->secret) return;
  memcpy(f->secret + at, data, n);
  f->secret_n = (size_t)at + n;
}

static bool name_ok(const char *name) {
  return strlen(name) <= NAME_BYTES && ck_utf8_ok(ck_str_of(name));
}

static void take_file(struct web_request *r, const char *name, const char *data, uint64_t at,
                      size_t n) {
  const struct web_piece piece = {name, at, {data, n}};
  if (at == 0 && !web_form_fits(r))
    web_refuse(r, WEB_REFUSED_FORM, "the form is of another session; load its page again");
  else if (at == 0 && !name_ok(name))
    web_refuse(r, WEB_REFUSED_SYNTAX, "the name of a file must be UTF-8, of at most %d bytes",
               NAME_BYTES);
  else
    r->http->ops.piece(r->http->ops.self, r, &piece);
}

/* A form in which no file was chosen has one without a name. */
static enum MHD_Result take_part(void *cls, enum MHD_ValueKind kind, const char *key,
                                 const char *file, const char *type, const char *encoding,
                                 const char *data, uint64_t at, size_t n) {
  struct web_request *r = cls;
  (void)kind;
  (void)type;
  (void)encoding;
  if (file && *file)
    take_file(r, file, data, at, n);
  else if (!file && key && strcmp(key, WEB_FORM_FIELD) == 0)
    take_secret(r->form, data, at, n);
  return r->reply.response ? MHD_NO : MHD_YES;
}

static bool begin(struct web_request *r) {
  r->form = ck_zalloc(sizeof *r->form);
  r->form->parts = MHD_create_post_processor(r->mhd, FORM_BYTES, take_part, r);
  if (r->form->parts) return true;
  web_refuse(r, WEB_REFUSED_TYPE, "files come as a form, of the type multipart/form-data");
  return false;
}

void web_upload_take(struct web_request *r, const char *data, size_t n) {
  if (!r->form && !begin(r)) return;
  r->form->bytes += n;
  if (r->form->bytes > r->route->body)
    web_refuse(r, WEB_REFUSED_BODY, "the files have more than %zu MiB together",
               r->route->body >> 20);
  else if (MHD_post_process(r->form->parts, data, n) != MHD_YES && !r->reply.response)
    web_refuse(r, WEB_REFUSED_SYNTAX, "the form with the files cannot be read");
}

void web_upload_end(struct web_request *r) {
  if (!r->form && !begin(r)) return;
  enum MHD_Result whole = MHD_destroy_post_processor(r->form->parts);
  r->form->parts = NULL;
  if (whole != MHD_YES && !r->reply.response)
    web_refuse(r, WEB_REFUSED_SYNTAX, "the form with the files ends too early");
}

void web_upload_free(struct web_request *r) {
  if (r->form && r->form->parts) MHD_destroy_post_processor(r->form->parts);
  free(r->form);
}
