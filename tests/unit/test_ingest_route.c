/* Addresses of every platform, and addresses that only look like them. */
#include <criterion/criterion.h>
#include <string.h>

#include "ingest/route.h"

/* Compares platform, kind, id ("-": none) and pattern, as text. */
static void leads(const char *url, const char *expected) {
  struct ingest_route r;
  struct ck_buf b = {0};
  static const char *const kinds[] = {"conversation", "page", "nowhere"};
  if (ingest_route(ck_str_of(url), &r)) {
    ck_buf_printf(&b, "%s %s ", r.platform, kinds[r.kind]);
    ck_buf_str(&b, r.id.n ? r.id : CK_LIT("-"));
    ck_buf_text(&b, " ");
    ingest_route_pattern(&b, &r);
  } else {
    ck_buf_text(&b, "unknown");
  }
  cr_assert_str_eq(ck_buf_cstr(&b), expected, "%s gives %s, not %s", url, ck_buf_cstr(&b),
                   expected);
  ck_buf_free(&b);
}

#define UUID "6761a3f0-1111-8000-9c4e-aaaaaaaaaaaa"

Test(ingest_route, conversations) {
  leads("https://chatgpt.com/c/" UUID, "chatgpt conversation " UUID " /c/{id}");
  leads("https://chat.openai.com/c/" UUID "?model=x#y", "chatgpt conversation " UUID " /c/{id}");
  leads("https://chatgpt.com/g/g-abc/c/" UUID, "chatgpt conversation " UUID " /g/{gpt}/c/{id}");
  leads("https://chatgpt.com/g/g-p-0123/c/" UUID "/",
        "chatgpt conversation " UUID " /g/{gpt}/c/{id}");
  leads("HTTPS://ChatGPT.com:443/c/" UUID, "chatgpt conversation " UUID " /c/{id}");
  leads("https://claude.ai/chat/" UUID, "claude conversation " UUID " /chat/{id}");
  leads("https://gemini.google.com/app/0123456789abcdef",
        "gemini conversation 0123456789abcdef /app/{id}");
  leads("https://gemini.google.com/u/2/gem/coder/0123456789abcdef",
        "gemini conversation 0123456789abcdef /u/{account}/gem/{gem}/{id}");
  leads("https://chat.deepseek.com/a/chat/s/" UUID,
        "deepseek conversation " UUID " /a/chat/s/{id}");
  leads("https://grok.com/c/" UUID, "grok conversation " UUID " /c/{id}");
  leads("https://x.com/i/grok?lang=en&conversation=1234567890",
        "grok conversation 1234567890 /i/grok?conversation={id}");
  leads("https://www.perplexity.ai/search/how-high-is-k2-AbCdEfGhIjKlMnOpQrStUv",
        "perplexity conversation AbCdEfGhIjKlMnOpQrStUv /search/{id}");
  leads("https://www.perplexity.ai/search/" UUID, "perplexity conversation " UUID " /search/{id}");
  leads("https://copilot.microsoft.com/chats/AbCdEfGhIjKlMnOpQrStU",
        "copilot conversation AbCdEfGhIjKlMnOpQrStU /chats/{id}");
  leads("https://poe.com/chat/2a3b4c5d6e7f8g9h0", "poe conversation 2a3b4c5d6e7f8g9h0 /chat/{id}");
  leads("https://www.kimi.com/chat/d1abc", "kimi conversation d1abc /chat/{id}");
  leads("https://www.doubao.com/chat/123456", "doubao conversation 123456 /chat/{id}");
  leads("https://chat.qwen.ai/c/" UUID, "qwen conversation " UUID " /c/{id}");
  leads("https://www.qianwen.com/chat/abc", "qianwen conversation abc /chat/{id}");
  leads("https://yuanbao.tencent.com/chat/agent1/" UUID,
        "yuanbao conversation " UUID " /chat/{agent}/{id}");
  leads("https://yiyan.baidu.com/chat/MTIz%3D", "yiyan conversation MTIz%3D /chat/{id}");
  leads("https://chat.mistral.ai/chat/" UUID, "mistral conversation " UUID " /chat/{id}");
  leads("https://chat.mistral.ai/work/w1", "mistral conversation w1 /work/{id}");
  leads("https://manus.im/app/abc", "manus conversation abc /app/{id}");
  leads("https://www.genspark.ai/agents?id=abc-1", "genspark conversation abc-1 /agents?id={id}");
  leads("https://aistudio.google.com/prompts/1AbC_d", "aistudio conversation 1AbC_d /prompts/{id}");
}

Test(ingest_route, pages_without_a_conversation) {
  leads("https://chatgpt.com/", "chatgpt nowhere - /");
  leads("https://chatgpt.com", "chatgpt nowhere - /");
  leads("https://chatgpt.com/?temporary-chat=true", "chatgpt nowhere - /");
  leads("https://chatgpt.com/c/WEB:" UUID, "chatgpt nowhere - /c/{web}");
  leads("https://chatgpt.com/c/WEB%3A" UUID, "chatgpt nowhere - /c/{web}");
  leads("https://chatgpt.com/c/web%3a" UUID, "chatgpt nowhere - /c/{web}");
  leads("https://chatgpt.com/share/" UUID, "chatgpt page - /share/{share}");
  leads("https://chatgpt.com/codex/tasks/task_1", "chatgpt page - /codex/tasks/{task}");
  leads("https://chatgpt.com/library/images", "chatgpt page - ");
  leads("https://claude.ai/new", "claude nowhere - /new");
  leads("https://claude.ai/code/session_01", "claude page - /code/{session}");
  leads("https://gemini.google.com/app", "gemini nowhere - /app");
  leads("https://gemini.google.com/app/download", "gemini page - ");
  leads("https://gemini.google.com/gems/create", "gemini page - ");
  leads("https://chat.qwen.ai/c/guest", "qwen nowhere - /c/guest");
  leads("https://www.doubao.com/chat/local123", "doubao nowhere - /chat/{local}");
  leads("https://chat.mistral.ai/chat/?q=hello", "mistral nowhere - /chat");
}

Test(ingest_route, others) {
  leads("http://chatgpt.com/c/" UUID, "unknown");
  leads("https://chatgpt.com.evil.example/c/" UUID, "unknown");
  leads("https://notchatgpt.com/c/" UUID, "unknown");
  leads("https://chatgpt.com@evil.example/c/" UUID, "unknown");
  leads("https://evil.example/https://chatgpt.com/c/" UUID, "unknown");
  leads("https://chatgpt.com:8443/c/" UUID, "unknown");
  leads("https://chatgpt.com\\@evil.example/c/" UUID, "unknown");
  leads("https://x.com/somebody", "unknown");
  leads("https://", "unknown");
  leads("", "unknown");
  leads("chatgpt.com/c/" UUID, "unknown");
  leads("https://beta.chatgpt.com/c/" UUID, "chatgpt conversation " UUID " /c/{id}");
}

Test(ingest_route, params) {
  struct ingest_route r;
  struct ck_buf b = {0};
  cr_assert(ingest_route(CK_LIT("https://gemini.google.com/u/1/gem/g/0123456789abcdef"), &r));
  ingest_route_params(&b, &r);
  cr_assert_str_eq(ck_buf_cstr(&b),
                   "{\"account\":\"1\",\"gem\":\"g\",\"id\":\"0123456789abcdef\"}");
  cr_assert(ck_str_is(r.path, "/u/1/gem/g/0123456789abcdef"));
  ck_buf_free(&b);
  cr_assert(ingest_provisional(CK_LIT("WEB:1")) && ingest_provisional(CK_LIT("web%3A1")) &&
            !ingest_provisional(CK_LIT("WEBSITE")));
}
