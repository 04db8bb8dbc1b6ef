// Exports of ChatGPT and of Claude, in folders: what observations cannot say. Thinking, calls of tools
// that went well and that failed, pictures that are there, files that are not, the text of one,
// citations, a summary. usage: node exports.mjs FOLDER
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const [, , folder] = process.argv;

function crc(bytes) {
  let left = -1;
  for (const byte of bytes) {
    left ^= byte;
    for (let bit = 0; bit < 8; ++bit) left = (left >>> 1) ^ (left & 1 ? 0xedb88320 : 0);
  }
  return ~left >>> 0;
}

// A picture of two colours that flow into each other.
function png(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]), whole = Buffer.alloc(body.length + 8);
    whole.writeUInt32BE(data.length);
    body.copy(whole, 4);
    whole.writeUInt32BE(crc(body), body.length + 4);
    return whole;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8); // 8 bits of red, green, blue
  const rows = Buffer.alloc(height * (width * 3 + 1));
  for (let y = 0, at = 0; y < height; ++y, ++at)
    for (let x = 0; x < width; ++x, at += 3)
      rows.set([40 + (160 * x) / width, 90 + (120 * y) / height, 170 - (80 * x) / width], at + 1);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", zlib.deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0))]);
}

// ---- ChatGPT: messages one below the other ----

const mapping = {};
let above = null;
function node(role, content, more = {}) {
  const id = `pond-${Object.keys(mapping).length}`;
  const { name, metadata = {}, ...rest } = more;
  mapping[id] = {
    id, parent: above,
    message: {
      id, author: { role, name }, create_time: 1767870000 + 30 * Object.keys(mapping).length,
      content: typeof content === "string" ? { content_type: "text", parts: [content] } : content,
      recipient: "all", metadata: { model_slug: role === "user" ? undefined : "gpt-5-thinking", ...metadata }, ...rest,
    },
  };
  above = id;
}
const picture = (id, width, height) => ({
  content_type: "image_asset_pointer", asset_pointer: `file-service://${id}`, size_bytes: 4321, width, height,
});
const POND = "file-Pond8qkpA7PBzrPMkzs8", PLAN = "file-Plan8qkpA7PBzrPMkzs8";

node("user", { content_type: "multimodal_text",
  parts: [picture(POND, 640, 360), "What lives in this pond, and would it do in a tank of 60 litres?"] },
{ metadata: { attachments: [
  { id: POND, name: "the pond behind the house.png", mime_type: "image/png", size: 4321 },
  { id: "file-Gone8qkpA7PBzrPMkzs8", name: "measurements of the water, the whole of last year.xlsx",
    mime_type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", size: 182044 },
] } });
node("assistant", { content_type: "thoughts", thoughts: [
  { summary: "Looking at the picture", content: "There is **duckweed**, so it is rich in nutrients." },
  { summary: "Counting litres", content: "A newt wants 40 litres of its own:\n\n- it swims\n- it hunts" },
] });
node("assistant", { content_type: "code", language: "json", text: '{"search_query": [{"q": "smooth newt tank litres"}]}' },
  { recipient: "web.run" });
node("tool", "Smooth newts in captivity: 40 litres for a pair, cool, planted", { name: "web.run",
  metadata: { aggregate_result: { status: "success" } } });
node("assistant", { content_type: "code", language: "python", text: "litres = 60\nnewts = litres / 0\nprint(newts)" },
  { recipient: "python" });
node("tool", { content_type: "execution_output", text:
  'Traceback (most recent call last):\n  File "cell.py", line 2, in <module>\nZeroDivisionError: division by zero' },
{ name: "python", metadata: { aggregate_result: { status: "failed_with_in_kernel_exception" } } });
node("assistant", { content_type: "multimodal_text", parts: [picture(PLAN, 300, 420)] },
  { metadata: { attachments: [{ id: PLAN, name: "plan.png", mime_type: "image/png", size: 999 }] } });
const mark = "\ue200cite\ue202turn0search1\ue202turn0search2\ue201";
const advice = `A **smooth newt** and duckweed${mark}. In 60 litres you can keep a pair, if:\n\n` +
  "1. the water stays below 20 °C\n2. a third of it is planted\n\nAn older page says 30 litres 【6†source】.";
node("assistant", advice, { metadata: {
  content_references: [{ matched_text: mark, type: "grouped_webpages", items: [
    { title: "Smooth newts in captivity", url: "https://example.org/newts",
      supporting_websites: [{ title: "Duckweed, and what it tells", url: "https://example.org/duckweed" }] }] },
  { matched_text: " ", type: "sources_footnote", sources: [
    { title: "Ponds of the north: a survey over forty years", url: "https://example.org/ponds" }] }],
  citations: [{ start_ix: advice.indexOf("【"), end_ix: advice.indexOf("】") + 1, metadata: { type: "webpage", title: "Thirty litres", url: "https://example.org/30" } }],
} });
node("user", "And if I only look at them out there?");

const chatgpt = [{ id: "pond", title: "What lives in the pond", create_time: 1767870000, update_time: 1767870600,
  current_node: above, default_model_slug: "gpt-5-thinking", mapping }];
fs.mkdirSync(path.join(folder, "chatgpt"), { recursive: true });
fs.writeFileSync(path.join(folder, "chatgpt/conversations.json"), JSON.stringify(chatgpt));
fs.writeFileSync(path.join(folder, `chatgpt/${POND}-pond.png`), png(640, 360));
fs.writeFileSync(path.join(folder, `chatgpt/${PLAN}-plan.png`), png(300, 420));

// ---- Claude ----

const day = "2026-01-09T08:00:";
const said = (uuid, sender, at, content, more = {}) => ({
  uuid, sender, created_at: `${day}${at}Z`, text: "", content, attachments: [], files: [], ...more,
});
const claude = [{
  uuid: "locks", name: "Choosing a bicycle lock", created_at: `${day}00Z`, updated_at: `${day}50Z`,
  summary: "Chain, folding lock or **U-lock**: the U-lock was chosen for its weight.",
  account: { uuid: "somebody" }, chat_messages: [
    said("locks-1", "human", "01", [{ type: "text", text: "Which of these would you buy?" }], {
      attachments: [{ file_name: "locks.csv", file_size: 61, file_type: "text/csv",
        extracted_content: "name,price,weight\nChain,49,2.9\nFolding,79,1.2\nU-lock,59,1.6\n" }],
      files: [{ file_uuid: "b1a0de01-0000-4000-8000-0000000000aa", file_name: "bicycle.jpg", file_kind: "image" }],
    }),
    said("locks-2", "assistant", "20", [
      { type: "thinking", thinking: "Ratings would help.\n\n> 15 is the best" },
      { type: "tool_use", id: "t1", name: "web_search", input: { query: "lock security rating" },
        integration_name: "Web Search" },
      { type: "tool_result", tool_use_id: "t1", name: "web_search", is_error: false,
        content: [{ type: "text", text: "Folding: 10 of 15" }, { type: "text", text: "U-lock: 13 of 15" }] },
      { type: "tool_use", id: "t2", name: "fetch_page", input: { url: "https://example.org/locks?page=2" } },
      { type: "tool_result", tool_use_id: "t2", name: "fetch_page", is_error: true,
        content: [{ type: "text", text: "The server did not answer within 30 seconds" }] },
      { type: "text", text: "The U-lock: 13 of 15 in tests, and at 1.6 kg still carried along.",
        citations: [{ start_index: 4, end_index: 10, details: { type: "web_search_citation",
          url: "https://example.org/u-lock", title: "Thirty locks, and an angle grinder" } }] },
    ]),
  ],
}];
fs.mkdirSync(path.join(folder, "claude"));
fs.writeFileSync(path.join(folder, "claude/conversations.json"), JSON.stringify(claude));
