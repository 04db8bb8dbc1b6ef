/* The routes of /v1. docs/openapi.yaml describes each of them, and a test compares the two. */
#include "webd/api/api.h"

#define NONE ""
#define FILTERS NULL /* the list's own (lists.c) */

const struct web_route web_api_routes[] = {
    {WEB_GET, "/v1/status", CK_SCOPE_READ, 0, 0, web_api_status, NONE},
    {WEB_POST, "/v1/observations", CK_SCOPE_CAPTURE, 0, WEB_OBSERVATIONS_BYTES,
     web_api_observations, "name"},
    {WEB_GET, "/v1/conversations", CK_SCOPE_READ, 0, 0, web_api_conversations, FILTERS},
    {WEB_GET, "/v1/conversations/{id}", CK_SCOPE_READ, 0, 0, web_api_conversation, NONE},
    {WEB_GET, "/v1/messages", CK_SCOPE_READ, 0, 0, web_api_messages, FILTERS},
    {WEB_GET, "/v1/jobs", CK_SCOPE_READ, 0, 0, web_api_jobs, FILTERS},
    {WEB_GET, "/v1/search", CK_SCOPE_READ, 0, 0, web_api_search,
     "q limit cursor rank conversation platform role since until"},
    {WEB_GET, "/v1/events", CK_SCOPE_READ, 0, 0, web_api_events, "after tables"},
    {WEB_GET, "/v1/deliveries", CK_SCOPE_DELIVER, 0, 0, web_api_deliveries, "client wait"},
    {WEB_POST, "/v1/deliveries/{job}/claim", CK_SCOPE_DELIVER, 0, 4096, web_api_claim, NONE},
    {WEB_POST, "/v1/deliveries/{job}/extend", CK_SCOPE_DELIVER, 0, 4096, web_api_extend, NONE},
    {WEB_POST, "/v1/deliveries/{job}/end", CK_SCOPE_DELIVER, 0, 65536, web_api_end, NONE},
    {WEB_POST, "/v1/conversations/{id}", CK_SCOPE_ADMIN, 0, 65536, web_api_set, NONE},
    {WEB_POST, "/v1/jobs/{job}/retry", CK_SCOPE_ADMIN, 0, 4096, web_api_retry, NONE},
    {WEB_POST, "/v1/jobs/{job}/cancel", CK_SCOPE_ADMIN, 0, 4096, web_api_cancel, NONE},
    {WEB_POST, "/v1/jobs/{job}/snooze", CK_SCOPE_ADMIN, 0, 4096, web_api_snooze, NONE},
    {WEB_POST, "/v1/jobs/{job}/resolve", CK_SCOPE_ADMIN, 0, 4096, web_api_resolve, NONE},
    {WEB_POST, "/v1/pause", CK_SCOPE_ADMIN, 0, 4096, web_api_pause, NONE},
    {WEB_POST, "/v1/resume", CK_SCOPE_ADMIN, 0, 4096, web_api_resume, NONE},
    {WEB_GET, "/metrics", CK_SCOPE_READ, 0, 0, web_api_metrics, NONE},
    {WEB_POST, "/v1/pair", 0, WEB_OPEN | WEB_NO_FORM, 4096, web_api_pair, NONE},
    {0}};
