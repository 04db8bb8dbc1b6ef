/* See attach_name.h. */
#include "cli/import/attach_name.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "cli/import/name.h"

static const struct {
  const char *ending, *type;
} endings[] = {
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"bmp", "image/bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"avif", "image/avif"},
    {"svg", "image/svg+xml"},
    {"wav", "audio/wav"},
    {"mp3", "audio/mpeg"},
    {"m4a", "audio/mp4"},
    {"aac", "audio/aac"},
    {"ogg", "audio/ogg"},
    {"opus", "audio/opus"},
    {"flac", "audio/flac"},
    {"weba", "audio/webm"},
    {"mp4", "video/mp4"},
    {"m4v", "video/mp4"},
    {"mov", "video/quicktime"},
    {"webm", "video/webm"},
    {"pdf", "application/pdf"},
    {"rtf", "application/rtf"},
    {"txt", "text/plain"},
    {"md", "text/markdown"},
    {"csv", "text/csv"},
    {"tsv", "text/tab-separated-values"},
    {"doc", "application/msword"},
    {"xls", "application/vnd.ms-excel"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"epub", "application/epub+zip"},
    {"dat", ""}, /* ChatGPT's name for any */
};

static const struct {
  size_t at;
  const char *bytes, *type;
} heads[] = {
    {0, "\x89PNG", "image/png"}, {0, "\xff\xd8\xff", "image/jpeg"}, {0, "GIF8", "image/gif"},
    {8, "WEBP", "image/webp"},   {8, "WAVE", "audio/wav"},          {0, "%PDF", "application/pdf"},
    {0, "ID3", "audio/mpeg"},    {0, "OggS", "audio/ogg"},          {0, "fLaC", "audio/flac"},
    {4, "ftypM4A", "audio/mp4"}, {4, "ftypheic", "image/heic"},     {4, "ftypavif", "image/avif"},
    {4, "ftyp", "video/mp4"},
};

static const char *type_by_ending(const char *name) {
  const char *dot = strrchr(cli_name_own(name), '.');
  for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; ++i)
    if (strcasecmp(dot + 1, endings[i].ending) == 0) return endings[i].type;
  return NULL;
}

/* ChatGPT's ids: file-ABC… (16 letters and digits or more), file_00… (the same). */
static size_t file_id(const char *s) {
  if (strncmp(s, "file-", 5) != 0 && strncmp(s, "file_", 5) != 0) return 0;
  size_t n = 5;
  while (isalnum((unsigned char)s[n])) ++n;
  return n >= 5 + 16 ? n : 0;
}

static size_t uuid(const char *s) {
  for (size_t i = 0; i < 36; ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i])) return 0;
  }
  return isalnum((unsigned char)s[36]) ? 0 : 36;
}

struct ck_str cli_attach_id(const char *name) {
  const char *s = cli_name_own(name);
  size_t n = file_id(s);
  return (struct ck_str){s, n ? n : uuid(s)};
}

/* What a system leaves beside other files. */
static bool is_litter(const char *name) {
  return cli_name_own(name)[0] == '.' || strstr(name, "__MACOSX/") != NULL;
}

enum cli_attach_kind cli_attach_kind(const char *name) {
  if (is_litter(name)) return CLI_ATTACH_NEVER;
  if (file_id(cli_name_own(name))) return CLI_ATTACH_SURE;
  return type_by_ending(name) ? CLI_ATTACH_BESIDE : CLI_ATTACH_NEVER;
}

bool cli_attach_opens(const char *name) { return cli_attach_kind(name) == CLI_ATTACH_NEVER; }

const char *cli_attach_type(const char *name, struct ck_str head) {
  for (size_t i = 0; i < sizeof heads / sizeof *heads; ++i) {
    size_t at = heads[i].at, n = strlen(heads[i].bytes);
    if (head.n >= at + n && memcmp(head.s + at, heads[i].bytes, n) == 0) return heads[i].type;
  }
  const char *type = type_by_ending(name);
  return type ? type : "";
}
