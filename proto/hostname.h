/* The name of this machine, for reports and producer ids. */
#ifndef CK_PROTO_HOSTNAME_H
#define CK_PROTO_HOSTNAME_H

/* The kernel's host name, read once; "localhost" if there is none. Static. */
const char *ck_hostname(void);

#endif
