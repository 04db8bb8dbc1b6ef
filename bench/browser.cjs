// Loads views of the page in Chromium again and again, and says in JSON how soon each is seen.
// usage: node browser.cjs SERVER COOKIE TOKEN ROUNDS VIEW…; VIEW is a path, TOKEN one with `admin`
//
// Each view is loaded with nothing in the browser's cache; the same bytes from a server that has
// them in memory, with the style and the script: the least that any server could take; and the view
// again with the style and the script in the browser's cache, as somebody has them who comes again.
// Before each an empty page, which shows what the browser itself takes, and leaves nothing to be
// taken down.
const http = require("node:http");
const puppeteer = require("puppeteer-core");

const [, , server, cookie, token, rounds, ...views] = process.argv;
const PATIENCE = 120000;
const CHANGES = 10;

// ---- the leanest server ----

async function fetched(path) {
  const reply = await fetch(server + path, { headers: { Cookie: cookie, Accept: "text/html" } });
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return { type: reply.headers.get("Content-Type"), body: Buffer.from(await reply.arrayBuffer()) };
}

async function lean(paths) {
  const files = new Map([["/empty", { type: "text/html", body: Buffer.from("<!doctype html><p>.") }]]);
  for (const path of [...paths, "/static/style.css", "/static/page.js", "/static/icon.svg"])
    files.set(path, await fetched(path));
  // Nothing follows a change there.
  const serve = http.createServer((request, reply) => {
    const file = files.get(request.url.replace(/[?]v=.*/, ""));
    reply.writeHead(file ? 200 : 404, { "Content-Type": file?.type ?? "text/plain" });
    reply.end(file?.body);
  });
  await new Promise((ready) => serve.listen(0, "127.0.0.1", ready));
  return { serve, files, base: `http://127.0.0.1:${serve.address().port}` };
}

// ---- one load ----

// Runs in the page before anything of it: `whole` is when it has loaded, and all of it is laid out
// as far as it is for somebody who has gone to its end.
function observe() {
  window.seen = { screen: 0, whole: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.seen.screen = entry.startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
  addEventListener("load", () => {
    document.body.lastElementChild.getBoundingClientRect();
    document.documentElement.scrollHeight;
    window.seen.whole = performance.now();
  });
}

// The newest of what is painted is known when a frame more has been made.
async function load(page, url) {
  const reply = await page.goto(url, { waitUntil: "load" });
  if (!reply.ok()) throw new Error(`${url}: ${reply.status()}`);
  await page.waitForFunction(() => window.seen.whole && window.seen.screen, { polling: 20 });
  return page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const paint = performance.getEntriesByType("paint").find((one) => one.name === "first-paint");
      const answered = performance.getEntriesByType("navigation")[0].responseEnd;
      done({ answered, paint: paint.startTime, screen: window.seen.screen, whole: window.seen.whole });
    }));
  }));
}

async function measure(page, files) {
  const said = views.map((path) => ({
    path, bytes: files.files.get(path).body.length, ours: [], files: [], again: [] }));
  const empty = [];
  const ways = [["ours", server, false], ["files", files.base, false], ["again", server, true]];
  for (let round = -1; round < Number(rounds); ++round) // the first warms up, and does not count
    for (const view of said) {
      for (const [name, base, cached] of ways) {
        const blank = await load(page, `${files.base}/empty`);
        await page.setCacheEnabled(cached);
        const one = await load(page, base + view.path);
        await page.setCacheEnabled(false);
        if (round < 0) continue;
        empty.push(blank);
        view[name].push(one);
      }
      ways.push(ways.shift());
    }
  return { views: said, empty };
}

// ---- what changes while it is looked at ----

async function change(job) {
  const reply = await fetch(`${server}/v1/jobs/${encodeURIComponent(job)}/snooze`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ until: "+2h" }), // after those that are due already
  });
  if (!reply.ok) throw new Error(`snooze: ${reply.status} ${await reply.text()}`);
}

// From before the change is asked for until the list shows it.
async function live(page) {
  const ms = [];
  await page.goto(`${server}/j?status=waiting`);
  for (let i = 0; i < CHANGES; ++i) {
    const job = await page.$eval(".job-entry:last-of-type", (entry) => entry.id);
    const gone = page.waitForFunction((id) => !document.getElementById(id), { polling: "mutation" }, job);
    const began = performance.now();
    await Promise.all([gone, change(job.replace(/^j-/, ""))]);
    ms.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 700)); // as changes come that a person notices
  }
  return ms;
}

async function main() {
  const files = await lean(views);
  const browser = await puppeteer.launch({
    executablePath: "/usr/bin/chromium",
    protocolTimeout: PATIENCE,
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  try {
    const page = await browser.newPage();
    const [name, ...value] = cookie.split("=");
    page.setDefaultTimeout(PATIENCE);
    await browser.setCookie({ name, value: value.join("="), domain: "127.0.0.1" });
    await page.setViewport({ width: 1280, height: 900 });
    await page.setCacheEnabled(false);
    const { identifier } = await page.evaluateOnNewDocument(observe);
    const figures = await measure(page, files);
    await page.removeScriptToEvaluateOnNewDocument(identifier);
    figures.live = await live(page);
    figures.browser = await browser.version();
    console.log(JSON.stringify(figures));
  } finally {
    await browser.close();
    files.serve.close();
    files.serve.closeAllConnections();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
