/* What the names of files in exports say. The names are of the forms that exports have. */
#include "cli/import/attach_name.h"

#include <criterion/criterion.h>

static void is(const char *name, enum cli_attach_kind kind, const char *id, const char *type) {
  cr_expect_eq(cli_attach_kind(name), kind, "%s", name);
  cr_expect(ck_str_is(cli_attach_id(name), id), "%s: %.*s", name, (int)cli_attach_id(name).n,
            cli_attach_id(name).s);
  cr_expect_str_eq(cli_attach_type(name, CK_LIT("")), type, "%s", name);
}

Test(cli_attach_name, files_of_chatgpt) {
  is("file-Lp8qkpA7PBzrPMkzs8qDsJ-photo one.png", CLI_ATTACH_SURE, "file-Lp8qkpA7PBzrPMkzs8qDsJ",
     "image/png");
  is("dalle-generations/file-AbCdEfGhIjKlMnOpQrStUvWx-0b5c9a3e-0000-4000-8000-000000000001.webp",
     CLI_ATTACH_SURE, "file-AbCdEfGhIjKlMnOpQrStUvWx", "image/webp");
  is("user-x/file_00000000a1b261f5bb1234567890abcd-sanitized.jpeg", CLI_ATTACH_SURE,
     "file_00000000a1b261f5bb1234567890abcd", "image/jpeg");
  is("file_00000000a1b261f5bb1234567890abcd.dat", CLI_ATTACH_SURE,
     "file_00000000a1b261f5bb1234567890abcd", "");
  is("6650c2d0-0000-8000-8000-000000000001/audio/file_00000000a1b261f5bb1234567890abcd-x.wav",
     CLI_ATTACH_SURE, "file_00000000a1b261f5bb1234567890abcd", "audio/wav");
  /* What somebody has uploaded may be of any kind. */
  is("file-Lp8qkpA7PBzrPMkzs8qDsJ-conversations.json", CLI_ATTACH_SURE,
     "file-Lp8qkpA7PBzrPMkzs8qDsJ", "");
  is("file-Lp8qkpA7PBzrPMkzs8qDsJ-all.zip", CLI_ATTACH_SURE, "file-Lp8qkpA7PBzrPMkzs8qDsJ", "");
}

Test(cli_attach_name, other_files) {
  is("0b5c9a3e-0000-4000-8000-00000000000a.png", CLI_ATTACH_BESIDE,
     "0b5c9a3e-0000-4000-8000-00000000000a", "image/png");
  is("a/B.PDF", CLI_ATTACH_BESIDE, "", "application/pdf");
  is("inner.zip: a/notes.docx", CLI_ATTACH_BESIDE, "",
     "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
  is("file-short.png", CLI_ATTACH_BESIDE, "", "image/png");
  is("0b5c9a3e-0000-4000-8000-00000000000abc.png", CLI_ATTACH_BESIDE, "", "image/png");
}

Test(cli_attach_name, what_is_none) {
  static const char *const none[] = {"chat.html",
                                     "conversations.json",
                                     "a.zip",
                                     ".DS_Store",
                                     "a/.hidden.png",
                                     "__MACOSX/._a.png",
                                     "style.css",
                                     "png",
                                     "movie.iso",
                                     "",
                                     "x/__MACOSX/a.png",
                                     "Thumbs.db",
                                     "folder.png/file"};
  for (size_t i = 0; i < sizeof none / sizeof *none; ++i)
    cr_expect_eq(cli_attach_kind(none[i]), CLI_ATTACH_NEVER, "%s", none[i]);
}

Test(cli_attach_name, first_bytes_go_before_the_ending) {
  cr_expect_str_eq(cli_attach_type("a.dat", CK_LIT("\x89PNG\r\n\x1a\n....")), "image/png");
  cr_expect_str_eq(cli_attach_type("a.webp", CK_LIT("RIFF\1\2\3\4WAVEfmt ")), "audio/wav");
  cr_expect_str_eq(cli_attach_type("a", CK_LIT("RIFF\1\2\3\4WEBPVP8 ")), "image/webp");
  cr_expect_str_eq(cli_attach_type("a.png", CK_LIT("\xff\xd8\xff\xe0")), "image/jpeg");
  cr_expect_str_eq(cli_attach_type("a.mov", CK_LIT("\0\0\0\x18"
                                                   "ftypM4A ")),
                   "audio/mp4");
  cr_expect_str_eq(cli_attach_type("a", CK_LIT("text")), "");
}

Test(cli_attach_name, archives_are_opened_unless_they_are_attachments) {
  cr_expect(cli_attach_opens("conversations-000.zip"));
  cr_expect(cli_attach_opens("conversations.json.gz"));
  cr_expect(cli_attach_opens(""));
  cr_expect_not(cli_attach_opens("report.docx"));
  cr_expect_not(cli_attach_opens("file-Lp8qkpA7PBzrPMkzs8qDsJ-all.zip"));
}
