/* Is this host the machine itself? Asked before anything is sent in clear text or without a
 * certificate: tcp doors without CURVE, http to D1, PostgreSQL without TLS.
 *
 * No name is resolved, and a doubtful host is not loopback: wrongly refusing a host costs a
 * setting, wrongly accepting one costs a secret.
 */
#ifndef CK_PROTO_LOOPBACK_H
#define CK_PROTO_LOOPBACK_H

#include "proto/text.h"

/* True for `localhost` in upper or lower case, 127.x.y.z in four decimal parts, and ::1 in any IPv6
 * spelling. False for everything else, also for IPv4 mapped to IPv6 (::ffff:127.0.0.1), and with a
 * port or brackets. */
bool ck_is_loopback(struct ck_str host);

/* The same for the host within an address that has a port or a path: IPv6 may be in brackets, but
 * nothing else may. */
bool ck_is_loopback_in_url(struct ck_str host);

#endif
