/* renewd: gives the conversations on auto their follow-ups, each once. Settings: the renew.* and
 * door.* ones of proto/settings.h. Sockets: a follower (feed, snapshot), a producer (intake, feed,
 * snapshot), questions (snapshot), and what its channels open. */
#include "renewd/renewd.h"

int main(int argc, char **argv) { return ck_daemon_main(argc, argv, &renewd_daemon); }
