// What the page does beyond links and forms: keys, copies of code, search as you type.
// Every view works without it.

const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ---- where the keys are ----

const STOPS = ".entry, .m, .found";
let here = null;

function stand(on) {
  if (!on) return;
  here?.classList.remove("here");
  here = on;
  here.classList.add("here");
  const link = here.querySelector("a[href]");
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

function help() {
  let dialog = one("dialog.keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys");
    const head = document.createElement("h2");
    head.id = "keys";
    head.textContent = "Keys";
    const list = document.createElement("dl");
    for (const [keys, what] of KEYS) {
      const term = document.createElement("dt");
      for (const key of keys.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = key;
        term.append(cap, " ");
      }
      const says = document.createElement("dd");
      says.textContent = what;
      list.append(term, says);
    }
    const form = document.createElement("form");
    form.method = "dialog";
    const button = document.createElement("button");
    button.textContent = "Close";
    form.append(button);
    dialog.append(head, list, form);
    document.body.append(dialog);
  }
  dialog.showModal();
}

function leave() {
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
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

// ---- copies of code ----

function copier(pre) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
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
  const box = document.createElement("div");
  box.className = "code";
  pre.replaceWith(box);
  box.append(pre, button);
}

for (const pre of all(".m pre, .nothing pre")) copier(pre);

// ---- search as you type ----

function typing(input) {
  let timer = 0;
  let asked = null;
  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const address = new URL("/s", location);
    for (const [name, value] of new URLSearchParams(location.search))
      if (name !== "q" && name !== "next") address.searchParams.set(name, value);
    if (input.value.trim()) address.searchParams.set("q", input.value);
    try {
      const reply = await fetch(address, { signal: asked.signal, headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const results = page.querySelector("#results");
      if (!reply.ok || !results) return;
      one("#results").replaceWith(results);
      history.replaceState(null, "", address);
      document.title = page.title;
      here = null;
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
}

if (one("#results")) typing(one("#q"));
