/* What the store and syncd both know of the mirror's witness beside its frames (wire.h). */
#ifndef CK_WITNESS_H
#define CK_WITNESS_H

#include <stdint.h>

/* No store comes so far: a version from here on was damaged, or written by hand. */
#define CK_WITNESS_VERSION_END (UINT64_C(1) << 60)

#endif
