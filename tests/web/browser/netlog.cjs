// What a Chromium has asked of the network, from the log that it writes itself (--log-net-log): also
// what no page knows of, such as a name that is looked up because a link has it.
const fs = require("node:fs");

const HERE = new Set(["127.0.0.1", "localhost", "[::1]"]);

const hostOf = (url) => new URL(url).hostname;

// "127.0.0.1:80", "[::1]:80"
const isHere = (address) => /^(127\.0\.0\.1|\[::1\]):\d+$/.test(address);

// What one event asks for: a list of [what, to where, is it allowed].
function asked(name, params, hosts) {
  const known = (host) => HERE.has(host) || hosts.includes(host);
  if (name === "URL_REQUEST_START_JOB" && /^(https?|wss?|ftp):/.test(params.url))
    return ["a request to", params.url, known(hostOf(params.url))];
  // "http://name:80", or "name:80"
  if (name === "HOST_RESOLVER_MANAGER_REQUEST" && params.host) {
    const host = params.host.replace(/^\w+:\/\//, "").replace(/:\d+$/, "");
    return ["a look-up of", host, known(host)];
  }
  if (name === "TCP_CONNECT_ATTEMPT" && params.address)
    return ["a connection to", params.address, isHere(params.address)];
  return null;
}

// A UDP socket that sends nothing tells nobody anything: Chromium connects one to learn whether this
// machine has an address of IPv6.
function sentByUdp(events, names) {
  const to = new Map(), sent = new Set();
  for (const event of events) {
    const name = names.get(event.type);
    if (name === "UDP_CONNECT" && event.params?.address) to.set(event.source.id, event.params.address);
    if (name === "UDP_BYTES_SENT") sent.add(event.params?.address ?? event.source.id);
  }
  return [...sent].map((one) => (typeof one === "number" ? to.get(one) ?? "an unknown address" : one))
    .filter((address) => !isHere(address));
}

// file: the log of a browser that has been closed. hosts: names that a test goes to besides this
// machine's. requests: how many were allowed; outside: every other thing, in words.
function read(file, hosts = []) {
  const { constants, events } = JSON.parse(fs.readFileSync(file, "utf8"));
  const names = new Map(Object.entries(constants.logEventTypes).map(([name, type]) => [type, name]));
  const outside = new Set();
  let requests = 0;
  for (const type of ["URL_REQUEST_START_JOB", "HOST_RESOLVER_MANAGER_REQUEST", "TCP_CONNECT_ATTEMPT",
    "UDP_CONNECT", "UDP_BYTES_SENT"])
    if (!(type in constants.logEventTypes)) throw new Error(`this Chromium's log has no ${type}`);
  for (const event of events) {
    const one = asked(names.get(event.type), event.params ?? {}, hosts);
    if (!one) continue;
    if (!one[2]) outside.add(`${one[0]} ${one[1]}`);
    else if (one[0] === "a request to") ++requests;
  }
  for (const address of sentByUdp(events, names)) outside.add(`bytes by UDP to ${address}`);
  return { requests, outside: [...outside] };
}

module.exports = { read };
