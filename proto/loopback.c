/* Addresses as inet_pton reads them, and one name. */
#include "proto/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

static bool is_ipv4(const char *host) {
  struct in_addr a;
  return inet_pton(AF_INET, host, &a) == 1 && ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* IPv4 mapped to IPv6 is refused: it is not needed here. */
static bool is_ipv6(const char *host) {
  struct in6_addr a;
  return inet_pton(AF_INET6, host, &a) == 1 && IN6_IS_ADDR_LOOPBACK(&a);
}

/* Copies host, terminated. False: it is empty, longer than any address, or has a zero byte. */
static bool copy_of(struct ck_str host, char out[INET6_ADDRSTRLEN]) {
  if (host.n == 0 || host.n >= INET6_ADDRSTRLEN || memchr(host.s, '\0', host.n)) return false;
  memcpy(out, host.s, host.n);
  out[host.n] = '\0';
  return true;
}

bool ck_is_loopback(struct ck_str host) {
  char text[INET6_ADDRSTRLEN];
  if (!copy_of(host, text)) return false;
  return strcasecmp(text, "localhost") == 0 || is_ipv4(text) || is_ipv6(text);
}

bool ck_is_loopback_in_url(struct ck_str host) {
  char text[INET6_ADDRSTRLEN];
  bool bracketed = host.n > 2 && host.s[0] == '[' && host.s[host.n - 1] == ']';
  if (!bracketed) return ck_is_loopback(host);
  return copy_of((struct ck_str){host.s + 1, host.n - 2}, text) && is_ipv6(text);
}
