/* See url.h. */
#include "proto/url.h"

#include <curl/curl.h>
#include <string.h>

static char *part(CURLU *u, CURLUPart which, unsigned flags) {
  char *text = NULL;
  curl_url_get(u, which, &text, flags);
  return text;
}

int ck_url_parse(struct ck_url *u, const char *text) {
  *u = (struct ck_url){.handle = curl_url()};
  if (!u->handle || strchr(text, '\\') ||
      curl_url_set(u->handle, CURLUPART_URL, text, 0) != CURLUE_OK)
    return -1;
  u->scheme = part(u->handle, CURLUPART_SCHEME, 0);
  u->host = part(u->handle, CURLUPART_HOST, 0);
  u->zone = part(u->handle, CURLUPART_ZONEID, 0);
  u->port = part(u->handle, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  u->path = part(u->handle, CURLUPART_PATH, 0);
  u->query = part(u->handle, CURLUPART_QUERY, 0);
  char *user = part(u->handle, CURLUPART_USER, 0),
       *password = part(u->handle, CURLUPART_PASSWORD, 0);
  u->user = user || password;
  curl_free(user);
  curl_free(password);
  if (!u->scheme || !u->host || !u->port || !u->path) return -1;
  return strcmp(u->scheme, "http") == 0 || strcmp(u->scheme, "https") == 0 ? 0 : -1;
}

void ck_url_free(struct ck_url *u) {
  curl_free(u->scheme);
  curl_free(u->host);
  curl_free(u->zone);
  curl_free(u->port);
  curl_free(u->path);
  curl_free(u->query);
  curl_url_cleanup(u->handle);
}
