// A client that takes two deliveries, and says nothing more: one whose outcome is unknown, and one
// that is under way. usage: node client.mjs SERVER TOKEN
const [, , server, token] = process.argv;

const until = Date.now() + 120000;

async function ask(path, body) {
  const reply = await fetch(server + path, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body),
  });
  const said = await reply.json();
  // A store that is slow to answer: 503 says that the same may be asked again.
  if (reply.status === 503 && Date.now() < until) {
    await new Promise((done) => setTimeout(done, 1000 * (reply.headers.get("Retry-After") ?? 1)));
    return ask(path, body);
  }
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${said.reason}`);
  return said;
}

const leases = [100, 3600000];
while (leases.length && Date.now() < until) {
  const { deliveries } = await ask("/v1/deliveries?client=ff1&wait=5");
  for (const { job_id, offer } of deliveries.slice(0, leases.length)) {
    const claim = { client: "ff1", offer, lease_ms: leases[0] };
    await ask(`/v1/deliveries/${job_id}/claim`, claim);
    leases.shift();
  }
}
if (leases.length) throw new Error("it was offered too few deliveries");
