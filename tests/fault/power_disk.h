/* A folder on a disk that loses its power or fails. The linker redirects the file system calls of
 * the program to the functions of power_disk.c (--wrap, see Makefile), which pass them on to the
 * real ones. For each file, and for the folder, they remember the state of the last sync and the
 * changes since. After a cut, files have what was synced, and a random part of the rest. One
 * thread, one folder; outside it these calls behave as always. */
#ifndef CK_FAULT_POWER_DISK_H
#define CK_FAULT_POWER_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* The operations of which one can fail. */
enum what { ANY_CHANGE, A_WRITE, A_SYNC };

struct disk {
  char dir[64]; /* the folder; set before disk_arm() */
  bool armed;   /* operations are recorded, and may fail; cleared to let them pass */
  bool off;     /* the power is cut: every operation fails with EIO */
  uint64_t syncs;
  struct {
    enum what what;
    unsigned left; /* operations until the fault; 0: none is planned */
    int error;     /* 0: a power cut */
    bool stays, came;
  } fault;
};
extern struct disk disk;

/* From now on operations may fail; everything there now counts as synced. */
void disk_arm(void);
/* The nth operation of this kind from now on fails: with this errno, or with a power cut if error
 * is 0. stays: so do those after it. */
void disk_fail_at(enum what what, unsigned nth, int error, bool stays);

enum survives { SYNCED_ONLY, ALL, SOME };
/* The power is back: the folder gets what survived, of changes since their sync nothing, all or
 * some. Operations no longer fail. */
void disk_power_on(enum survives what);

#endif
