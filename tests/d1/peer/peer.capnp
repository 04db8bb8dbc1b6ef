# What workerd runs. `d1-peer run` sets the socket's address and the disk's path on the command
# line, so nothing has to be filled in here. Names that begin with '/' are looked up in the folder
# of the installed packages (-I).

using Workerd = import "/workerd/workerd.capnp";

const peer :Workerd.Config = (
  services = [
    (name = "front", worker = .front),
    (name = "d1", worker = .d1),
    (name = "disk", disk = (path = "/nonexistent", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "front")],
  extensions = [(modules = [
    (name = "miniflare:shared",
     esModule = embed "/miniflare/dist/src/workers/shared/index.worker.js"),
    (name = "miniflare:zod", esModule = embed "/miniflare/dist/src/workers/shared/zod.worker.js"),
  ])],
);

const front :Workerd.Worker = (
  modules = [
    (name = "front.js", esModule = embed "front.js"),
    (name = "control.js", esModule = embed "control.js"),
    (name = "statements.js", esModule = embed "statements.js"),
  ],
  compatibilityDate = "2026-07-01",
  bindings = [
    (name = "D1", durableObjectNamespace = (className = "D1DatabaseObject", serviceName = "d1")),
    (name = "TOKEN", fromEnvironment = "D1_PEER_TOKEN"),
    (name = "DATABASES", fromEnvironment = "D1_PEER_DATABASES"),
  ],
);

# The class and the unique key determine the names of folder and files on disk: if they change, old
# databases are not found again.
const d1 :Workerd.Worker = (
  modules = [(name = "database.worker.js",
              esModule = embed "/miniflare/dist/src/workers/d1/database.worker.js")],
  compatibilityDate = "2026-07-01",
  compatibilityFlags = ["nodejs_compat", "experimental"],
  durableObjectNamespaces = [(className = "D1DatabaseObject", uniqueKey = "d1", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
);
