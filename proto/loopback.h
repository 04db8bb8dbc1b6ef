/* The one gate that answers whether a host is this machine, before anything is sent in clear
 * text or without a certificate: tcp doors without CURVE, http to D1, PostgreSQL without TLS.
 *
 * It never resolves a name and refuses whatever it does not know for certain: a host that is
 * wrongly refused costs a setting, one that is wrongly let through costs a secret.
 */
#ifndef CK_PROTO_LOOPBACK_H
#define CK_PROTO_LOOPBACK_H

#include "proto/text.h"

/* True for `localhost` in any case, 127.x.y.z in four decimal parts, and ::1 in any spelling of
 * IPv6. False for all else, so for IPv4 mapped to IPv6 (::ffff:127.0.0.1). No port, no brackets. */
bool ck_is_loopback(struct ck_str host);

/* The same for a host as an address with a port or a path has it: IPv6 may be in brackets, and
 * nothing else may. */
bool ck_is_loopback_in_url(struct ck_str host);

#endif
