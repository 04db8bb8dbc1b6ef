/* A small disk that can be filled. */
#ifndef CK_TESTS_HARNESS_SMALL_DISK_H
#define CK_TESTS_HARNESS_SMALL_DISK_H

#include <stddef.h>

/* Mounts a file system of this size ("24m") at the path, visible only to this test and its
 * children. Skips the test, with the reason, if that is not allowed. */
void small_disk_mount(const char *path, const char *size);
/* Fills the disk with one file of this name, but for so many bytes. */
void small_disk_fill(const char *path, size_t leave);

#endif
