// What the page does beyond links and forms: keys, copies of code, search as you type, what is
// live, and how far an upload is.
// Every view works without it.

const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function make(tag, has, ...within) {
  const made = Object.assign(document.createElement(tag), has);
  made.append(...within);
  return made;
}

// What somebody has chosen, or chooses with a value; a browser may refuse to keep it.
function choice(storage, name, value) {
  try {
    if (value !== undefined) window[storage].setItem(name, value);
    return window[storage].getItem(name);
  } catch {
    return value;
  }
}

// The page of that address; an error that says why there is none.
async function pageOf(address, signal) {
  const reply = await fetch(address, { signal, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  if (!reply.ok) throw new Error(page.querySelector(".refusal p")?.textContent ?? reply.status);
  return page;
}
const reasonOf = (error) => (error instanceof TypeError ? "the server does not answer" : error.message);

// ---- where the keys are ----

const STOPS = ".entry, .m, .found, .list tbody tr";
let here = null;

function stand(on) {
  if (!on) return;
  here?.classList.remove("here");
  here = on;
  here.classList.add("here");
  const link = here.querySelector("a[href]") ?? here.querySelector("td button");
  if (!link) here.tabIndex = -1;
  (link ?? here).focus({ preventScroll: true });
  here.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
}

// The first stop after (1) or before (-1) where one is; `which` may leave some out.
function move(by, which = () => true) {
  const stops = all(STOPS).filter(which);
  if (!stops.length) return;
  const at = here ?? one(".m:target");
  if (!at) {
    stand(by > 0 ? stops[0] : stops[stops.length - 1]);
    return;
  }
  const after = (stop) => at.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING;
  const rest = stops.filter((stop) => stop !== at && Boolean(after(stop)) === by > 0);
  stand(by > 0 ? rest[0] : rest[rest.length - 1]);
}

const isQuestion = (stop) => stop.querySelector("article.user") !== null;

function open() {
  const details = here && all("details", here);
  if (here?.matches(".m") && details.length) {
    const shut = !details[0].open;
    for (const one of details) one.open = shut;
  } else {
    here?.querySelector("a[href]")?.click();
  }
}

// ---- the list of keys ----

const KEYS = [
  ["j k", "next, previous"],
  ["o", "open it; unfold what a message has folded"],
  ["/", "search"],
  ["n N", "next, previous question"],
  ["t", "questions of the conversation"],
  ["g", "to the top"],
  ["?", "these keys"],
  ["Esc", "out of a field, or away from here"],
];

// Somebody who speaks to the computer, or hits keys by chance, turns the keys of one letter off.
const footer = one(".letters");
let letters = choice("localStorage", "letters") !== "off";

function useLetters(on) {
  letters = on;
  if (footer) footer.firstElementChild.hidden = !on;
}

function help() {
  let dialog = one("dialog.keys");
  if (!dialog) {
    const list = make("dl");
    for (const [keys, what] of KEYS) {
      const term = make("dt");
      for (const key of keys.split(" ")) term.append(make("kbd", { textContent: key }), " ");
      list.append(term, make("dd", { textContent: what }));
    }
    const box = make("input", { type: "checkbox", checked: letters });
    box.addEventListener("change", () => {
      useLetters(box.checked);
      choice("localStorage", "letters", letters ? "on" : "off");
    });
    dialog = make("dialog", { className: "keys", ariaLabel: "Keys" },
      make("h2", { textContent: "Keys" }), list, make("label", {}, box, " Keys of one letter or sign"),
      make("form", { method: "dialog" }, make("button", { textContent: "Close" })));
    document.body.append(dialog);
  }
  dialog.showModal();
}

useLetters(letters);
if (footer) {
  footer.lastElementChild.addEventListener("click", help);
  footer.hidden = false;
}

// What unfolds over the page is folded by Esc, and by what is done elsewhere.
const fold = () => one(".switch details[open]")?.removeAttribute("open");
document.addEventListener("click", (event) => event.target.closest(".switch details") ?? fold());

function leave() {
  fold();
  here?.classList.remove("here");
  here = null;
  document.activeElement?.blur();
}

const actions = {
  j: () => move(1),
  k: () => move(-1),
  o: open,
  "/": () => one("#q")?.select(),
  n: () => move(1, isQuestion),
  N: () => move(-1, isQuestion),
  t: () => one(".contents a")?.focus(),
  g: () => {
    leave();
    scrollTo({ top: 0 });
  },
  "?": help,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  if (event.key === "Escape") {
    leave();
    return;
  }
  if (!letters || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

// ---- copies of code ----

function copier(pre) {
  const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    const text = (pre.querySelector("code") ?? pre).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  const box = make("div", { className: "code" });
  pre.replaceWith(box);
  box.append(pre, button);
}

for (const pre of all(".m pre, .nothing pre")) copier(pre);

// ---- search as you type ----

function typing(input) {
  let timer = 0;
  let asked = null;
  const says = make("p", { className: "bad says", role: "status" });
  one("#results").before(says);
  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const address = new URL("/s", location);
    for (const [name, value] of new URLSearchParams(location.search))
      if (name !== "q" && name !== "next") address.searchParams.set(name, value);
    if (input.value.trim()) address.searchParams.set("q", input.value);
    try {
      const page = await pageOf(address, asked.signal);
      one("#results").replaceWith(page.querySelector("#results"));
      says.textContent = "";
      history.replaceState(null, "", address);
      document.title = page.title;
      here = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      says.textContent = `Not searched: ${reasonOf(error)}. Below is what was found before.`;
      one("#results").classList.add("stale");
    }
  }
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
}

if (one("#results")) typing(one("#q"));

// ---- what is live: times count on, and a list is fetched again when its records change ----

const lengthOf = (s) =>
  s < 60 ? `${s} s`
  : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s`
  : s < 86400 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
  : `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;

// All of it stands still while it is held, also on the pages that this one leads to.
const hold = one(".hold");
const [holder, holdSays] = hold?.children ?? [];
let held = false;
let goOn = () => {};

function setHeld(on) {
  held = on;
  holder.ariaPressed = on;
  holdSays.textContent = on ? "Nothing here moves until this is pressed again." : "";
  choice("sessionStorage", "held", on);
  goOn();
}

function count() {
  if (held) return;
  for (const time of all("time[data-at]")) {
    const away = Math.trunc((time.dataset.at - Date.now()) / 1000);
    const text = away === 0 ? "now" : away > 0 ? `in ${lengthOf(away)}` : `${lengthOf(-away)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

const APART = 500; // ms between two fetches at least

// A field that is being used, what is unfolded, and what is being selected, stay as they are.
const isUsed = (part) =>
  part.contains(document.activeElement?.closest("input, select, textarea")) ||
  part.querySelector("details[open]") !== null ||
  !getSelection().isCollapsed;

// #live, which says how things stand, is fetched again every data-every seconds, 0: never; and when
// a record of data-tables changes.
function live(tables) {
  let asked = 0;
  let waiting = 0;
  let next = 0;
  const look = () => {
    const every = Number(one("#live").dataset.every);
    clearTimeout(next);
    if (every) next = setTimeout(ask, every * 1000);
  };
  function show(page) {
    const part = one("#live");
    const focus = document.activeElement;
    const held = focus?.closest("[id]");
    const inside = part.contains(focus) && held ? all("a, button", held).indexOf(focus) : -1;
    const stop = here?.id;
    for (const selector of ["#live", "#states", "#pauses", ".switch"]) {
      const [old, fresh] = [one(selector), page.querySelector(selector)];
      const used = old?.contains(focus) || old?.querySelector("details[open]");
      if (old && fresh && (old === part || !used)) old.replaceWith(fresh);
    }
    here = stop ? document.getElementById(stop) : null;
    here?.classList.add("here");
    const again = inside >= 0 ? document.getElementById(held.id) : null;
    if (again) all("a, button", again)[inside]?.focus({ preventScroll: true });
    if (hold) hold.inert = !(one("#live").dataset.every || tables);
    tell("");
    count();
  }
  // why: it is not renewed; then a link loads it.
  function tell(why) {
    const link = one("#live .unlive");
    if (link) link.hidden = !why;
    if (holdSays) holdSays.textContent = why;
  }
  async function ask() {
    const part = one("#live");
    waiting = 0;
    asked = Date.now();
    try {
      if (held || document.hidden || isUsed(part)) return;
      const page = await pageOf(location.href);
      if (!held && !isUsed(part)) show(page);
    } catch (error) {
      // the next event, or the next look, asks again
      if (!held) tell(`Not renewed: ${reasonOf(error)}.`);
      part.classList.add("stale");
    } finally {
      look();
    }
  }
  const soon = () => {
    waiting ||= setTimeout(ask, Math.max(50, APART - (Date.now() - asked)));
  };
  // A browser has few connections to one server: a page that nobody sees gives its own back.
  let events = null;
  function listen() {
    events?.close();
    events = null;
    if (held || document.hidden || !tables) return;
    // What has changed since the part was made. Without the store's word of that it may be anything.
    const after = one("#live").dataset.after;
    const names = after ? ["change", "reset"] : ["store", "change", "reset"];
    const place = after ? `&after=${encodeURIComponent(after)}` : "";
    events = new EventSource(`/v1/events?tables=${tables}${place}`);
    for (const name of names) events.addEventListener(name, soon);
  }
  document.addEventListener("visibilitychange", listen);
  goOn = () => {
    listen();
    if (!held) soon();
  };
  tell("");
  look();
  listen();
}

if (one("#live, time[data-at]")) setInterval(count, 1000);
if (one("#live")) live(one("#live").dataset.tables);
if (hold) {
  holder.addEventListener("click", () => setHeld(!held));
  if (choice("sessionStorage", "held") === "true") setHeld(true);
  hold.inert = false;
}

// ---- uploads ----

// The files in what was dropped, with their paths.
async function filesIn(entry, into) {
  if (entry.isFile) {
    const file = await new Promise((good, bad) => entry.file(good, bad));
    into.push([file, entry.fullPath.replace(/^\//, "")]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!some.length) return;
    for (const one of some) await filesIn(one, into);
  }
}

function uploads(form) {
  const button = form.querySelector("button");
  const bar = make("progress", { max: 1, hidden: true, ariaLabel: "Sent" });
  const says = make("p", { role: "status" });
  const hint = make("p", { className: "drop-hint", textContent: "Or drop files or a folder here." });
  button.after(hint, bar, says);

  function send(files) {
    const bytes = files.reduce((sum, [file]) => sum + file.size, 0);
    const data = new FormData();
    if (!files.length) {
      says.textContent = "No file was chosen.";
      return;
    }
    if (bytes > Number(form.dataset.most)) {
      says.textContent = "That is more than is taken at once; convkeep import has no limit.";
      return;
    }
    data.append("form", form.elements.form.value);
    for (const [file, path] of files) data.append("file", file, path);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.upload.onprogress = (event) => {
      bar.value = event.loaded / event.total;
      says.textContent = `${Math.round(bar.value * 100)} % sent`;
    };
    request.onerror = () => end("The connection was lost. Nothing was imported; try it again.");
    request.onload = () => {
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      if (request.status === 200) location.assign(request.responseURL);
      else end(page.querySelector(".refusal p")?.textContent ?? `it was refused: ${request.status}`);
    };
    function end(why) {
      bar.hidden = true;
      button.disabled = false;
      says.textContent = why;
    }
    button.disabled = true;
    bar.hidden = false;
    bar.value = 0;
    request.send(data);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...form.elements.file.files, ...form.elements.folder.files];
    send(chosen.map((file) => [file, file.webkitRelativePath || file.name]));
  });
  for (const kind of ["dragover", "dragleave", "drop"])
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
    });
  form.addEventListener("drop", async (event) => {
    const dropped = [...event.dataTransfer.items]
      .filter((item) => item.kind === "file")
      .map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
    const files = [];
    try {
      for (const [entry, file] of dropped)
        if (entry) await filesIn(entry, files);
        else if (file) files.push([file, file.name]);
      send(files);
    } catch (error) {
      says.textContent = `It cannot be read: ${error.message}`;
    }
  });
}

if (one("form.upload")) uploads(one("form.upload"));
