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
// No title, and what is said first is long.
const long = say("untitled", "user", "I have a question about the pond behind the house, which was dug in 1974 and " +
  "has never been cleaned: does one let it be, or take the mud out, and if so, in which month?");
say("untitled", "assistant", "Let it be until autumn; take out a third.", { parent_id: long });
say("evil", "user", `word ${evil}`, { page_title: evil });
say("evil", "assistant", `word ${evil}\n\n[a](javascript:document.title='taken') ![b](http://evil.example/b.png)`);
for (let i = 0; i < 2000; ++i)
  say("long", i % 2 ? "assistant" : "user", `number ${i}: ` + "some words about something ".repeat(12));
// What has no place to break: words, paths, ids, a wide table, code.
const word = "unbroken".repeat(40), file = `/home/${"a_folder_of_some_name/".repeat(10)}file.ts`;
const asked = say("x".repeat(150), "user", `${word}\n${file}`, { client_id: "ff1", page_title: word });
const cells = (text) => `|${` ${text} |`.repeat(8)}\n`;
const told = say("x".repeat(150), "assistant", `See \`${file}\` and https://example.com/${word}\n\n# ${word}\n\n` +
  `- ${word}\n\n> ${word}\n\n${cells("head")}${cells("---")}${cells(word)}\n\`\`\`\n${word}\n\`\`\`\n`,
  { parent_id: asked });
say("x".repeat(150), "tool", "", {
  parent_id: told,
  execution: { target: word, tool: file, params: `cat ${file}`, result_ok: false, result: word },
});
// Conversations with follow-ups (follow_ups.cjs).
for (let i = 0; i < 12; ++i)
  say(`work-${i}`, "user", `What comes after step ${i}?`, { client_id: "ff1", page_title: `Work, part ${i}` });
said.at(-1).page_title = `Work ${evil}`;
for (const one of said) console.log(JSON.stringify(one));
