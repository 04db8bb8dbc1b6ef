/* renewd: gives each new assistant message in a conversation on auto one follow-up.
 *
 * Settings: renew.* and door.* (proto/settings.h). Sockets: a follower (feed, snapshot), a producer
 * (intake, feed, snapshot), questions (snapshot), and those that its channels open. */
#include "renewd/renewd.h"

int main(int argc, char **argv) { return ck_daemon_main(argc, argv, &renewd_daemon); }
