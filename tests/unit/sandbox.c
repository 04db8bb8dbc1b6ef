/* Lets ThreadSanitizer and Criterion's sandbox, BoxFort, share the address space. BoxFort maps what
 * the runner and its tests share at 2^45 + 2^24 * rand_r(), the same address in each. Of this range
 * ThreadSanitizer leaves a program only 0x550000000000 to 0x568000000000, at whose beginning
 * setarch -R has the program itself. */
#ifdef __SANITIZE_THREAD__

#include <stdlib.h>

#define FIRST 0x360000 /* 0x560000000000 */

int rand_r(unsigned *seed) { return FIRST + (int)((*seed)++ % 256); }

#endif
