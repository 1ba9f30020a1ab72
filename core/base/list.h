/* Intrusive doubly linked lists with a head node. A node that is in no list points to itself. */
#ifndef SQUALL_BASE_LIST_H
#define SQUALL_BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *previous, *next;
};

#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct link *link)
{
    link->previous = link->next = link;
}
static inline bool list_empty(const struct link *list)
{
    return list->next == list;
}
static inline void list_remove(struct link *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}
static inline void list_append(struct link *list, struct link *node)
{
    node->previous = list->previous;
    node->next = list;
    list->previous->next = node;
    list->previous = node;
}

#endif
