/* Memory for jansson: an element is parsed into very many small values, which all go before the
 * next element is parsed. For one thread. */
#ifndef INGEST_PARSE_JSON_POOL_H
#define INGEST_PARSE_JSON_POOL_H

#include <stddef.h>

/* As malloc, for any type; out of memory ends the process. */
void *ingest_json_pool_alloc(size_t n);
/* p: from ingest_json_pool_alloc, or NULL. Once all is freed, the pool's memory goes back to the
 * system, except 1 MiB at most. */
void ingest_json_pool_free(void *p);

#endif
