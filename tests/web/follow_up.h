/* What the stories of follow-ups on the page share: pages, forms, conversations, jobs. */
#ifndef CK_TESTS_WEB_FOLLOW_UP_H
#define CK_TESTS_WEB_FOLLOW_UP_H

#include <stddef.h>

#define AS_BROWSER "Accept: text/html\r\n"
#define AS_FORM AS_BROWSER "Content-Type: application/x-www-form-urlencoded\r\n"

/* A token with the scopes read and admin. */
const char *t_person(void);

/* The person's page at that path; the caller frees. */
char *t_view(const char *path);
void t_view_has(const char *path, const char *part);
void t_view_has_not(const char *path, const char *part);

/* A form is sent; it leads there. */
void t_form_leads(const char *to, const char *path, const char *form);
/* It is refused with that status, and a reason that has this part. */
void t_form_refused(int status, const char *part, const char *path, const char *form);

/* Conversations PLATFORM:c0, PLATFORM:c1, … of which each has said one thing to the client ff1. */
void t_say(const char *platform, int n);
/* The id of the conversation's job; the caller frees. And of one that is made by hand. */
char *t_job_of(const char *conversation);
char *t_renew(const char *conversation, const char *at);

#endif
