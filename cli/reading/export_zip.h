/* A zip that is written as it comes, into a file. Functions return 0, or -1 with the reason. */
#ifndef CLI_READING_EXPORT_ZIP_H
#define CLI_READING_EXPORT_ZIP_H

#include "proto/error.h"
#include "proto/text.h"

struct export_zip;

/* fd stays the caller's. NULL with the reason. */
struct export_zip *export_zip_new(int fd, struct ck_err *err);
/* What is not closed is no whole zip. */
void export_zip_free(struct export_zip **zip);

/* The next file. at: its time, in ms; 0: none. */
int export_zip_begin(struct export_zip *zip, const char *name, int64_t at, struct ck_err *err);
int export_zip_write(struct export_zip *zip, struct ck_str bytes, struct ck_err *err);
int export_zip_close(struct export_zip *zip, struct ck_err *err);

#endif
