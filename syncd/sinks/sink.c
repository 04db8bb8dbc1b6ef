/* The table of sinks (sink.h). */
#include "syncd/sinks/sink.h"

#include <string.h>

static const struct sync_sink *const sinks[] = {&sync_sink_sqlite, &sync_sink_d1,
                                                &sync_sink_postgres, &sync_sink_null};

const struct sync_sink *sync_sink_named(const char *name) {
  for (size_t i = 0; i < sizeof sinks / sizeof *sinks; ++i)
    if (strcmp(sinks[i]->name, name) == 0) return sinks[i];
  return NULL;
}
