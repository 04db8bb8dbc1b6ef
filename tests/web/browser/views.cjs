// Opens every view in Chromium, and says what is wrong.
// usage: node views.cjs LINK SHOTS FOLDER; FOLDER is for files that are uploaded
const fs = require("node:fs");
const path = require("node:path");
const {
  check, session, program, part, chromium, outsideIsNoticed, open, here, watch, accessible, isWide,
  LIMIT, VIEWS,
} = require("./checks.cjs");

const [, , link, shots, folder] = process.argv;
const base = new URL(link).origin;

// What is wider than the window, or than what it is in, unless that is made to be moved (code, the
// table of a message) or to be cut (a line that stands for more).
const cut = (page) => page.evaluate(() => {
  const moved = "pre, article table, .question, .said, article summary, .contents a, input, .unseen, .list thead";
  return [...document.querySelectorAll("body *")]
    .filter((one) => !one.closest(moved))
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 ||
      (getComputedStyle(one).overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1 && one.clientWidth))
    .map((one) => `${one.localName}.${one.className}`);
});

async function isWhole(page, where) {
  check(!(await isWide(page)), `${where}: it is wider than the window`);
  const found = await cut(page);
  check(!found.length, `${where}: ${found.slice(0, 5).join(", ")}: at the edge it is cut`);
}

// A page of 1280 px at 200 % and at 400 % (WCAG 1.4.10).
async function zoomed(browser, width) {
  const page = await open(browser);
  await page.setViewport({ width, height: 512 });
  for (const [name, view] of Object.entries(VIEWS)) {
    await page.goto(base + view);
    await page.screenshot({ path: path.join(shots, `${name}-${width}.png`) });
    await isWhole(page, `${name} ${width}`);
  }
  await page.close();
}

const rows = (page) => page.evaluate(() => {
  const parts = [...document.querySelectorAll(".bar > *")].map((part) => part.getBoundingClientRect());
  return parts.filter((part) => part.top >= Math.min(...parts.map((one) => one.bottom))).length + 1;
});

async function look(browser, theme, width) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  for (const [name, view] of Object.entries(VIEWS)) {
    const where = `${name} ${theme} ${width}`;
    await page.goto(base + view);
    await page.screenshot({ path: path.join(shots, `${name}-${theme}-${width}.png`) });
    check((await page.title()) !== "taken", `${where}: what was planted has run`);
    await isWhole(page, where);
    const most = width === 1280 ? 1 : 3;
    check((await rows(page)) <= most, `${where}: the head has ${await rows(page)} rows`);
    await accessible(page, where);
    wrongs(where);
  }
  await page.close();
}

// All that messages have folded, and their pictures.
async function unfolded(browser) {
  const page = await open(browser);
  for (const name of ["pond", "locks"])
    for (const theme of ["light", "dark"])
      for (const width of [1280, 390]) {
        const where = `${name} unfolded ${theme} ${width}`;
        await page.setViewport({ width, height: 2400 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
        await page.goto(base + VIEWS[name]);
        await page.$$eval(".summary, .m details", (all) => all.forEach((one) => (one.open = true)));
        await page.waitForFunction((count) => document.images.length === count &&
          [...document.images].every((image) => image.complete && image.naturalWidth), {},
        name === "pond" ? 2 : 0);
        await page.screenshot({ path: path.join(shots, `${name}-unfolded-${theme}-${width}.png`) });
        await isWhole(page, where);
        await accessible(page, where);
      }
  const text = await page.evaluate(() => document.body.innerText);
  for (const part of ["only its text is kept here", "not kept here: bicycle.jpg", "15 is the best", "fetch_page → failed",
    "The server did not answer within 30 seconds", "Thirty locks, and an angle grinder", "chosen for its weight"])
    check(text.includes(part), `locks: it has no ${part}`);
  const reply = await page.goto(`${base}/o/claude%3Alocks`);
  check((await reply.text()).includes('"uuid":"locks-2"'), "the original is another");
  await page.close();
}

// What is not there leads on to what is.
async function refusals(browser) {
  const page = await open(browser);
  for (const [name, address] of [["missing", "/c/none"], ["nowhere", "/nowhere"], ["argument", "/j?status=x"]]) {
    const reply = await page.goto(base + address);
    check(reply.status() >= 400, `${name}: it is answered with ${reply.status()}`);
    await page.screenshot({ path: path.join(shots, `refused-${name}.png`) });
    check(await page.$("nav a[href='/j']"), `${name}: there is no way on`);
    check(await page.$(".refusal h1"), `${name}: it does not say what it is`);
    await accessible(page, name);
  }
  await page.close();
}

async function keyboard(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  await page.goto(`${base}/?title=fish`);
  await page.keyboard.press("j");
  check((await here(page)).includes("Fish tank"), "j does not go to the first conversation");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("o")]);
  check(page.url() === `${base}/c/chatgpt%3Atank`, `o opens ${page.url()}`);
  await page.keyboard.press("n");
  check((await here(page)).includes("How many fish"), "n does not go to the first question");
  await page.keyboard.press("n");
  check((await here(page)).includes("And the plants"), "n does not go to the second question");
  await page.keyboard.press("N");
  check((await here(page)).includes("How many fish"), "N does not go back");
  await page.keyboard.press("?");
  check(await page.$("dialog[open]"), "? shows no keys");
  await page.keyboard.press("Escape");
  check(!(await page.$("dialog[open]")), "Escape does not close the keys");
  check(await page.$(".code .copy"), "code has no button to copy it");
  await page.keyboard.press("/");
  check(await page.evaluate(() => document.activeElement.id === "q"), "/ does not lead to search");
  await page.goto(`${base}/s`);
  await page.type("#q", "plants");
  await page.waitForSelector(".found mark");
  check(page.url().endsWith("/s?q=plants"), `as one types, the address is ${page.url()}`);
  wrongs("keyboard");
  await page.close();
}

async function long(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  const begin = Date.now();
  await page.goto(`${base}/c/chatgpt%3Along`);
  const count = await page.evaluate(() => document.querySelectorAll(".m").length);
  check(count === 2000, `${count} of 2,000 messages came`);
  console.log(`2,000 messages: loaded in ${Date.now() - begin} ms`);
  check(await page.evaluate(() => window.find("number 1999")), "the browser does not find the last");
  wrongs("long");
  await page.close();
}

// Files are sent, and the report comes by itself; by keyboard alone.
async function imports(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  await page.goto(`${base}/i`);
  check(await page.$(".drop-hint"), "nothing says that files can be dropped");
  const said = path.join(folder, "said.jsonl"), bad = path.join(folder, "bad.json");
  fs.writeFileSync(said, JSON.stringify({ platform: "x", role: "user", text: "Hi", message_id: "b1",
    conversation_id: "b", observed_at: 1700000000000 }) + "\nno JSON\n");
  fs.writeFileSync(bad, '{"broken": ');
  await (await page.$("input[name=file]")).uploadFile(said, bad);
  await page.focus("form.upload button");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check(/\/i\/[0-9a-f]+$/.test(page.url()), `after sending: ${page.url()}`);
  await page.waitForFunction(() => /done, with failures/.test(document.body.innerText));
  const text = await page.evaluate(() => document.body.innerText);
  for (const part of ["line 2", "bad.json", "cut off", "spool/refused.jsonl"])
    check(text.includes(part), `the report has no ${part}`);
  for (const theme of ["light", "dark"])
    for (const width of [1280, 390, 320]) {
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      await page.screenshot({ path: path.join(shots, `report-${theme}-${width}.png`) });
      await isWhole(page, `report ${theme} ${width}`);
      await accessible(page, `report ${theme} ${width}`);
    }
  wrongs("imports");
  await page.close();
}

// What is dropped comes with its folders.
async function drops(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  await page.goto(`${base}/i`);
  await Promise.all([page.waitForNavigation(), page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['{"platform":"x","role":"user","text":"dropped"}\n'], "drop.jsonl"));
    const form = document.querySelector("form.upload");
    form.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  })]);
  await page.waitForFunction(() => /done/.test(document.body.innerText));
  check((await page.evaluate(() => document.body.innerText)).includes("drop.jsonl"), "no drop");
  wrongs("drops");
  await page.close();
}

async function health(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  await page.goto(`${base}/h`);
  const first = await page.$eval("#live time:last-of-type", () => document.querySelector("#live").innerText);
  await page.waitForFunction((was) => document.querySelector("#live").innerText !== was, {}, first);
  await page.focus("#doctor ~ form button");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.waitForFunction(() => /every page and index is sound/.test(document.body.innerText));
  await page.screenshot({ path: path.join(shots, "doctor.png"), fullPage: true });
  await page.goto(`${base}/h`);
  await page.keyboard.press("j");
  check((await here(page)).includes("up"), "j does not go to the first row");
  wrongs("health");
  await page.close();
}

async function withoutScript(browser) {
  const page = await open(browser);
  await page.setJavaScriptEnabled(false);
  await page.goto(`${base}/`);
  await Promise.all([page.waitForNavigation(), page.click("a[rel=next]")]);
  check(page.url().includes("next="), "without JavaScript nothing is older");
  await page.type("#q", "plants");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check(page.url().includes("/s?q=plants"), "without JavaScript nothing is searched");
  await page.goto(`${base}/i`);
  await (await page.$("input[name=file]")).uploadFile(path.join(folder, "said.jsonl"));
  await Promise.all([page.waitForNavigation(), page.click("form.upload button")]);
  check(/\/i\/[0-9a-f]+$/.test(page.url()), `without JavaScript, after sending: ${page.url()}`);
  for (const until = Date.now() + LIMIT; Date.now() < until; await page.reload())
    if ((await page.content()).includes("done, with")) break;
  check((await page.content()).includes("line 2"), "without JavaScript there is no report");
  await page.goto(`${base}/h`);
  await Promise.all([page.waitForNavigation(), page.click("#doctor ~ form button")]);
  check(page.url().endsWith("/h#doctor"), `without JavaScript, doctor: ${page.url()}`);
  const left = await open(browser);
  await left.goto(`${base}/`);
  await Promise.all([left.waitForNavigation(), left.click("footer form button")]);
  check((await left.content()).includes("convkeep open"), "it is still signed in");
  await left.close();
  await page.close();
}

// The picture in README (docs/page.png).
async function picture(browser) {
  const page = await open(browser);
  await page.setViewport({ width: 1280, height: 1000 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.goto(`${base}/c/chatgpt%3Atank`);
  await page.screenshot({ path: path.join(shots, "page.png") });
  check(fs.statSync(path.join(shots, "page.png")).size < 200000, "page.png is larger than 200 KB");
  await page.close();
}

// What was imported is in the index of the search.
async function searchable(page) {
  await page.goto(`${base}/s?q=word`);
  for (const until = Date.now() + LIMIT; Date.now() < until; await page.reload())
    if (await page.$(".found")) return;
  check(false, "nothing is found");
}

program(async () => {
  await session(chromium(), link, (browser, page) => [
    [searchable, page],
    ...["light", "dark"].flatMap((theme) => [1280, 390].map((width) => [look, browser, theme, width])),
    ...[640, 320].map((width) => [zoomed, browser, width]),
    ...[unfolded, picture, refusals, keyboard, imports, drops, health, long, withoutScript].map((one) => [one, browser]),
  ]);
  await part(outsideIsNoticed);
});
