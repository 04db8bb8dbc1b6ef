/* Chained buckets by number. */
#include "renewd/core/ticket.h"

#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

static struct renew_ticket **bucket(const struct renew_tickets *all, uint64_t number) {
  return &all->slots[number & (all->size - 1)];
}

static void put(struct renew_tickets *all, struct renew_ticket *t) {
  struct renew_ticket **at = bucket(all, t->number);
  t->next = *at;
  *at = t;
}

static void grow(struct renew_tickets *all) {
  struct renew_tickets old = *all;
  all->size = old.size ? old.size * 2 : 64;
  all->slots = ck_zalloc(all->size * sizeof *all->slots);
  for (size_t i = 0; i < old.size; i++)
    for (struct renew_ticket *t = old.slots[i], *next; t; t = next) {
      next = t->next;
      put(all, t);
    }
  free(old.slots);
}

uint64_t renew_ticket_take(struct renew_tickets *all, struct renew_ticket *t,
                           enum renew_owner owner) {
  renew_ticket_drop(all, t);
  if (all->count == all->size) grow(all);
  t->number = ++all->given;
  t->owner = owner;
  put(all, t);
  all->count++;
  return t->number;
}

void renew_ticket_drop(struct renew_tickets *all, struct renew_ticket *t) {
  if (!t->number) return;
  struct renew_ticket **at = bucket(all, t->number);
  while (*at != t) at = &(*at)->next;
  *at = t->next;
  t->number = 0;
  all->count--;
}

struct renew_ticket *renew_ticket_find(const struct renew_tickets *all, uint64_t number) {
  struct renew_ticket *t = all->size ? *bucket(all, number) : NULL;
  while (t && t->number != number) t = t->next;
  return t;
}

void renew_tickets_free(struct renew_tickets *all) {
  free(all->slots);
  memset(all, 0, sizeof *all);
}
