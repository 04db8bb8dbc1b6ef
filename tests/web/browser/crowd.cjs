// Opens each view in Chromium, of a ring with many conversations or few, and goes on in it as a
// person does: further pages, filters.
// usage: node crowd.cjs LINK COUNT; what is in the ring: crowd.sh
const { check, session, program, chromium, watch, accessible, isWide, LIMIT } = require("./checks.cjs");

const [, , link, said] = process.argv;
const base = new URL(link).origin;
const count = Number(said);
const PAGE = 50; // entries of a list
const few = count <= PAGE;
const following = Math.floor(count / 10);
const jobs = (rest) => [...Array(following).keys()].filter((i) => (i + 1) % 3 === rest).length;

const VIEWS = {
  timeline: "/",
  conversation: "/c/x%3Ac7",
  search: "/s?q=number",
  "a word that one has": `/s?q=${count}`,
  "follow-ups": "/j",
  waiting: "/j?status=waiting",
  failed: "/j?status=failed",
  delivered: "/j?status=done",
  "all that wait": "/j/all?do=cancel&status=waiting",
  plan: "/j/plan",
  import: "/i",
  mirrors: "/m",
  health: "/h",
};

async function look(page, wrongs) {
  for (const [width, theme] of [[1280, "light"], [390, "dark"]]) {
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    for (const [name, view] of Object.entries(VIEWS)) {
      const where = `${count}: ${name} ${theme} ${width}`;
      const reply = await page.goto(base + view);
      check(reply.status() === 200, `${where}: ${reply.status()}`);
      check(!(await isWide(page)), `${where}: it is wider than the window`);
      if (width === 1280 || few) await accessible(page, where);
      wrongs(where);
    }
  }
}

const entries = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent.trim()));

// The pages of a list, up to `most`: each has what the ones before it have not.
async function pages(page, view, selector, most) {
  const seen = [];
  await page.goto(base + view);
  for (let i = 1; ; ++i) {
    seen.push(...(await entries(page, selector)));
    if (i === most || !(await page.$("a[rel=next]"))) break;
    // A newer list may take the place of this one at any moment: found and clicked in one step.
    await Promise.all([page.waitForNavigation(),
      page.evaluate(() => document.querySelector("a[rel=next]").click())]);
  }
  check(new Set(seen).size === seen.length, `${count}: ${view}: something comes twice`);
  return seen;
}

async function scrolls(page, wrongs) {
  const titles = await pages(page, "/", ".entry .what > a", 4);
  const wanted = [...Array(Math.min(count, 4 * PAGE)).keys()].map((i) => count - i)
    .map((i) => (i % 2 ? `Talk number ${i}` : `“What is number ${i}?”`));
  check(titles.join() === wanted.join(), `${count}: the timeline has ${titles.slice(0, 3)}, …`);
  const waiting = await pages(page, "/j?status=waiting", ".job-entry .what > a", 3);
  check(waiting.length === Math.min(jobs(0), 3 * PAGE), `${count}: ${waiting.length} wait`);
  const failed = await pages(page, "/j?status=failed", ".job-entry .what > a", 3);
  check(failed.length === Math.min(jobs(1), 3 * PAGE), `${count}: ${failed.length} have failed`);
  const hits = await pages(page, "/s?q=number", ".found h2 a", 3);
  check(few ? hits.length === count : hits.length >= PAGE, `${count}: ${hits.length} were found`);
  wrongs(`${count}: further pages`);
}

// As a person fills in the form of the timeline.
async function filtered(page, fields) {
  await page.goto(`${base}/`);
  for (const [name, value] of Object.entries(fields))
    await page.$eval(`.filters [name=${name}]`, (field, text) => (field.value = text), value);
  await Promise.all([page.waitForNavigation(), page.click(".filters button")]);
  return entries(page, ".entry .what > a");
}

async function filters(page, wrongs) {
  const most = (n) => Math.min(n, PAGE);
  const is = (found, wanted, what) => check(found.length === wanted,
    `${count}: ${what}: ${found.length} of ${wanted}: ${found.slice(0, 3)}`);
  is(await filtered(page, { title: `talk ${count - 1}` }), 1, "words of a title");
  is(await filtered(page, { title: "nothing of that" }), 0, "words of no title");
  is(await filtered(page, { platform: "rare" }), most(Math.floor(count / 100)), "a platform");
  is(await filtered(page, { status: "auto" }), most(Math.floor(count / 50)), "those on auto");
  is(await filtered(page, { since: "2023-11-14", until: "2023-11-14" }),
    most(Math.min(count, 21)), "one day"); // from 22:13 on, 12 an hour
  is(await filtered(page, { since: "2030-01-01" }), 0, "a time with nothing");
  await page.goto(`${base}/j?status=failed&platform=rare`);
  is(await entries(page, ".job-entry"), most(Math.floor((Math.floor(count / 100) + 2) / 3)), "failed ones of a platform");
  await page.goto(`${base}/j/all?do=cancel&status=waiting`);
  const said = await page.$eval(".sure strong", (part) => part.textContent);
  check(said.replace(",", "").startsWith(`${jobs(0)} follow-up`), `${count}: /j/all says ${said}`);
  await page.goto(`${base}/s`);
  await page.type("#q", `${count}`);
  await page.waitForSelector(".found mark");
  is(await entries(page, ".found"), 1, "what is typed");
  wrongs(`${count}: filters`);
}

// The index of the search is made after the start.
async function indexed(page) {
  await page.goto(`${base}/s?q=number`);
  for (const until = Date.now() + LIMIT; Date.now() < until; await page.reload())
    if (await page.$eval("body", (body) => /found/.test(body.innerText) && !/not searched yet/.test(body.innerText)))
      return;
  check(false, `${count}: the index of the search is not made`);
}

program(() => session(chromium(), link, (browser, page) => {
  const wrongs = watch(page, base);
  return [[indexed, page], ...[look, scrolls, filters].map((one) => [one, page, wrongs])];
}));
