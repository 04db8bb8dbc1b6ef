/* What a sanitizer changes for a test that measures. */
#ifndef CK_TESTS_UNIT_TEST_SANITIZED_H
#define CK_TESTS_UNIT_TEST_SANITIZED_H

#include <malloc.h>
#include <stddef.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
/* The factor by which bounds on time are larger: ThreadSanitizer looks at each access to memory. */
#ifdef __SANITIZE_THREAD__
#define SLOWER 10
#else
#define SLOWER 4
#endif
/* The sanitizers' own malloc, of which mallinfo2 knows nothing. gcc has no header for this. */
size_t __sanitizer_get_current_allocated_bytes(void);
#else
#define SLOWER 1
#endif

/* What the process has allocated, in bytes. */
static inline size_t allocated(void) {
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  return __sanitizer_get_current_allocated_bytes();
#else
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

#endif
