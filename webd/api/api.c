/* The routes of /v1. docs/openapi.yaml describes each of them, and a test compares the two. */
#include "webd/api/api.h"

const struct web_route web_api_routes[] = {
    {WEB_GET, "/v1/status", CK_SCOPE_READ, 0, 0, web_api_status},
    {WEB_POST, "/v1/pair", 0, WEB_OPEN | WEB_NO_FORM, 4096, web_api_pair},
    {0}};
