/*
 * list.h: doubly linked lists, whose links are embedded in the objects that they link.
 *
 * A list is a ring of links, and one of them is its head; a link that is in no list is a ring of
 * its own. Nothing is allocated here, and a list does not own the objects in it.
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The object of that type whose member the pointer points at. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct list {
    struct list *prev, *next;
};

static inline void
list_init(struct list *list)
{
    list->prev = list->next = list;
}

static inline bool
list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void
list_append(struct list *list, struct list *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* Takes a link out of its list, if it is in one, and leaves it dangling: the caller must free it or
 * append it to another list at once. */
static inline void
list_unlink(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
}

/* Takes a link out of its list, if it is in one. */
static inline void
list_remove(struct list *link)
{
    list_unlink(link);
    list_init(link);
}

#endif
