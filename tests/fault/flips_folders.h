/* The folders in which bits are turned (flips.c): with everything in them, made once, copied for
 * each flip; and what such a folder reads back. The working directory is the data folder. */
#ifndef TESTS_FAULT_FLIPS_FOLDERS_H
#define TESTS_FAULT_FLIPS_FOLDERS_H

#include <stdint.h>

#include "proto/sha256.h"
#include "proto/text.h"

/* One of a ring that was ended, one of a ring that was killed, with what that leaves in each WAL.
 * In both, observations wait in the spool. */
enum { FLIPS_CLEAN, FLIPS_KILLED, FLIPS_FOLDERS };
extern const char *const flips_folders[FLIPS_FOLDERS];

/* A backup with its attachments, beside the data folder. */
#define FLIPS_BACKUPS "../backup"
#define FLIPS_BACKUP "all.db"

#define FLIPS_PICTURE 80

void flips_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void flips_make_folders(void);
/* Fills the data folder and FLIPS_BACKUPS with what was made. */
void flips_begin_with(int folder);

/* A hash of all rows of all tables, in the order of their keys; "" if they cannot be read. */
void flips_picture_of(const char *file, char hex[CK_SHA256_HEX + 1]);
/* The same of the database and of the mirror. */
void flips_picture(char out[FLIPS_PICTURE]);
/* Starts the store, sets *answers to what a few searches find and what the readable files are, once
 * they are made, and ends it. */
void flips_ask(struct ck_buf *answers);
/* Runs the ring until all of the spool is stored. Returns how many messages there are. */
int64_t flips_replay(void);

#endif
