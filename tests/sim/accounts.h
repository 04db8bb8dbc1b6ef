/* Accounts, to which the deliveries of several conversations are charged: what their services
 * allow, the limits that the store keeps, and what renewd may do under one. */
#ifndef CK_SIM_ACCOUNTS_H
#define CK_SIM_ACCOUNTS_H

#include "tests/sim/sim.h"

#define ACCOUNT_SLOTS 3
#define ACCOUNT_SPACING 1200

struct account {
  /* Its service: what it has is used up. */
  int64_t used_up_until; /* boot */
  bool lasts;            /* until a person has paid */
  /* The store. */
  bool there;
  struct renew_limited row;
  int64_t ends;       /* boot: what the store keeps of its end */
  int64_t length;     /* of the whole, as the store knows it */
  int64_t written;    /* wall: when it wrote that down */
  int64_t row_at;     /* boot: when renewd learned of it */
  int64_t resumed_at; /* boot: when its owner has ended that row's limit; 0: he has not */
  /* The running renewd: as it has told or was told. */
  unsigned run;
  struct renew_limited known;   /* times 0: nothing */
  int64_t known_at;             /* boot: when a renewd learned of it */
  unsigned steps;               /* of the wall clock before that */
  int64_t soonest, latest;      /* boot: its end */
  int asked, before, sending;   /* jobs that may be its own, and have a slot; its deliveries */
  int64_t begun_at, calm_since; /* boot */
  struct leased leased, former; /* as of a target */
};

void sim_accounts_begin(void);
void sim_accounts_free(void);
void sim_account_name(char out[24], int account);
/* -1: none. */
int sim_account_named(struct ck_str name);
/* What the job is charged to, now. */
int sim_account_of(const struct job *j);
/* The account, as the running renewd uses it. */
struct account *sim_account(int id);

/* ---- the service ---- */

/* A delivery uses it up. */
void sim_account_used(int account);
bool sim_is_used_up(int account);

/* ---- the store ---- */

/* at: boot, when renewd learned of it. */
void sim_limit_told(int account, const struct renew_limited *limit, int64_t at);
/* A page of them. */
void sim_limits_page(struct question *q);
/* The owner resumes an account. */
void sim_owner_resumes_account(int account);

/* ---- renewd ---- */

/* It is about to get that page. */
void sim_limits_known(const struct question *q);
/* It tells a limit; with: in a changeset of that kind. */
void sim_tells_limit(struct telling *t, const struct ck_limit *m, enum tell with);
/* One job more or less that is at this stage with a slot. */
void sim_account_count(const struct job *j, int one);

/* ---- the referee ---- */

/* It may be claimed, or offered. */
void sim_check_account(const struct job *j, bool offer);
/* It is offered still, after a while. */
void sim_check_account_offer(const struct job *j);
void sim_check_account_send(const struct job *j);
void sim_check_account_slots(const struct job *j);
/* A claim was granted. */
void sim_account_leased(const struct job *j, struct leased leased);
/* What follows from a result; limit: what is told with it, NULL: nothing. */
void sim_check_limit(const struct job *j, const struct ck_limit *limit);
/* Boot: since when nothing of the accounts that it may have holds it; RENEW_NEVER: it does. */
int64_t sim_account_open_since(const struct job *j);

#endif
