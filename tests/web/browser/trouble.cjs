// What the page says when something is wrong: rows that a mirror refuses, a store that does not
// answer, a search that gets no answer. Comes last: it changes the mirror and stops the store.
// usage: node trouble.cjs LINK SHOTS MIRROR COMMAND…; MIRROR is mirror.db; COMMAND is convkeep with
// its flags
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { check, session, program, chromium, open, accessible, isWide, LIMIT } = require("./checks.cjs");

const [, , link, shots, mirror, ...command] = process.argv;
const base = new URL(link).origin;
const convkeep = (words, input) => execFileSync(command[0], [...command.slice(1), ...words], { encoding: "utf8", input });
const sql = (text) => execFileSync("sqlite3", ["-cmd", ".timeout 60000", mirror, text]);

// The page as it is, in both themes at two widths.
async function looked(page, name) {
  for (const theme of ["light", "dark"])
    for (const width of [1280, 390]) {
      const where = `${name} ${theme} ${width}`;
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      await page.screenshot({ path: path.join(shots, `${name}-${theme}-${width}.png`) });
      check(!(await isWide(page)), `${where}: it is wider than the window`);
      await accessible(page, where);
    }
}

const says = (page, words) => page.waitForFunction(
  (what) => document.body.innerText.includes(what), { timeout: LIMIT, polling: 50 }, words);

async function refusedRows(browser) {
  sql("CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.id LIKE 'refused%' BEGIN " +
    "SELECT RAISE(ABORT, 'CHECK constraint failed: no more than 100 bytes in the column raw_text'); END");
  const lines = [1, 2].map((i) => JSON.stringify({ platform: "chatgpt", conversation_id: "refused", role: "user",
    text: `refused ${i}`, message_id: `refused-${i}-${process.pid}-of-a-conversation-with-a-long-name` }));
  convkeep(["import", "-"], lines.join("\n"));
  const page = await open(browser);
  await page.goto(`${base}/m`);
  await says(page, "2 rows that the mirror refuses");
  await looked(page, "letters");
  sql("DROP TRIGGER refuse");
  await page.focus(".list td button");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await says(page, "1 row is sent again.");
  await page.close();
}

async function lookedAt(browser, view) {
  const page = await open(browser, "window");
  if (view) await page.goto(base + view);
  return page;
}

// All of them wait at once for the answers that do not come.
async function withoutStore(jobs, search, mirrors, health) {
  await Promise.all([
    says(jobs, "Not renewed: "),
    search.focus("#q").then(() => search.keyboard.press("End")).then(() => search.keyboard.type(" word"))
      .then(() => says(search, "Not searched: ")),
    mirrors.goto(`${base}/m`).then((reply) => check(reply.status() === 503, `/m without a store: ${reply.status()}`)),
    health.goto(`${base}/h`).then(() => says(health, "still")),
  ]);
  check(await search.$(".found mark"), "what was found before is gone");
}

async function awayStore(browser) {
  const [jobs, search] = [await lookedAt(browser, "/j"), await lookedAt(browser, "/s?q=plants")];
  const [mirrors, health] = [await lookedAt(browser), await lookedAt(browser)];
  const { store } = JSON.parse(convkeep(["--json", "status"])).ring;
  process.kill(store.pid, "SIGSTOP");
  try {
    await withoutStore(jobs, search, mirrors, health);
    for (const [name, page] of Object.entries({ jobs, search, mirrors, health })) await looked(page, `away-${name}`);
  } finally {
    process.kill(store.pid, "SIGCONT");
  }
  await jobs.waitForFunction(() => !document.body.innerText.includes("Not renewed"), { timeout: LIMIT });
  check(!(await jobs.$(".stale")), "a list that was renewed looks as if it was not");
  await search.keyboard.type("s");
  await search.waitForFunction(() => !document.body.innerText.includes("Not searched"), { timeout: LIMIT });
  check(search.url().endsWith("/s?q=plants+words"), `after that the search is at ${search.url()}`);
  for (const page of [jobs, search, mirrors, health]) await page.close();
}

program(() => session(chromium(), link, (browser) => [[refusedRows, browser], [awayStore, browser]]));
