#include "syncd/worker.h"

int main(int argc, char **argv) { return ck_daemon_main(argc, argv, &sync_daemon); }
