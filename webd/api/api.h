/* The handlers of /v1, as the table of routes has them (api.c). */
#ifndef WEBD_API_H
#define WEBD_API_H

#include "webd/webd.h"

void web_api_status(void *self, struct web_request *r);
void web_api_pair(void *self, struct web_request *r);

#endif
