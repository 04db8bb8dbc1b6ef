// Observations that a conversation of each kind is made of, as JSON lines.
const said = [];
let at = Date.UTC(2026, 0, 2, 10);
function say(conversation, role, text, more = {}) {
  at += 60000;
  const id = `${conversation}-${said.length}`;
  said.push({
    platform: "chatgpt", conversation_id: conversation, message_id: id, role, text,
    observed_at: at, ...more,
  });
  return id;
}
const evil = `<script>document.title = "taken"</script>"'><img src=x onerror="document.title='taken'">`;

for (let i = 0; i < 60; ++i) say(`short-${i}`, "user", `What is short number ${i}?`);
say("tank", "user", "How many fish fit into 60 litres?", { page_title: "Fish tank" });
const first = said.at(-1).message_id;
say("tank", "assistant", "About ten.", { parent_id: first });
const answer = say("tank", "assistant",
  "**Six to eight.** It depends on:\n\n- their size\n- the filter\n\n| fish | litres |\n|---|---|\n" +
  "| tetra | 8 |\n\n```python\ndef fish(litres):\n    return litres // 8\n```\n\n> and on you.\n",
  { parent_id: first });
const second = say("tank", "user", "And the plants?", { parent_id: answer });
say("tank", "tool", "", {
  parent_id: second,
  execution: { target: "shell", tool: "run", params: "ls plants", result_ok: true, result: "fern" },
});
say("evil", "user", `word ${evil}`, { page_title: evil });
say("evil", "assistant", `word ${evil}\n\n[a](javascript:document.title='taken') ![b](http://evil.example/b.png)`);
for (let i = 0; i < 2000; ++i)
  say("long", i % 2 ? "assistant" : "user", `number ${i}: ` + "some words about something ".repeat(12));
// Conversations with follow-ups (follow_ups.cjs).
for (let i = 0; i < 12; ++i)
  say(`work-${i}`, "user", `What comes after step ${i}?`, { client_id: "ff1", page_title: `Work, part ${i}` });
said.at(-1).page_title = `Work ${evil}`;
for (const one of said) console.log(JSON.stringify(one));
