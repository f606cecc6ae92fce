/* lib/list.h: rings, and what a loop over one may do to it. */
#include "lib/list.h"

#include "check.h"

struct item {
    char name;
    struct list link;
};

static struct item items[4] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};

static struct item *
item_of(struct list *link)
{
    return container_of(link, struct item, link);
}

/* A list of all items. */
static void
fill(struct list *list)
{
    list_init(list);
    for (size_t i = 0; i < 4; i++)
        list_append(list, &items[i].link);
}

/* Compares the names in both directions. */
static void
check_list(struct list *list, const char *wanted, int line)
{
    char names[8] = "", reverse[8] = "";
    size_t count = 0, back = strlen(wanted);

    for (struct list *link = list->next; link != list && count < 7; link = link->next)
        names[count++] = item_of(link)->name;
    check_bytes(names, count, wanted, __FILE__, line);
    for (struct list *link = list->prev; link != list && back > 0; link = link->prev)
        reverse[--back] = item_of(link)->name;
    check_bytes(reverse, strlen(wanted), wanted, __FILE__, line);
    check_true(list_empty(list) == (*wanted == '\0'), "list_empty()", __FILE__, line);
}

static void
test_order(void)
{
    struct list list;

    fill(&list);
    check_list(&list, "abcd", __LINE__);
    list_remove(&items[0].link);
    check_list(&list, "bcd", __LINE__);
    list_remove(&items[3].link);
    check_list(&list, "bc", __LINE__);
    list_append(&list, &items[0].link);
    check_list(&list, "bca", __LINE__);
    list_remove(&items[2].link);
    list_remove(&items[1].link);
    list_remove(&items[0].link);
    check_list(&list, "", __LINE__);
}

static void
test_no_list(void)
{
    struct list list;

    fill(&list);
    list_remove(&items[1].link);
    CHECK(list_empty(&items[1].link));
    list_remove(&items[1].link); /* again does nothing, to it or to the list */
    list_unlink(&items[1].link);
    CHECK(list_empty(&items[1].link));
    check_list(&list, "acd", __LINE__);
}

static void
test_other_list(void)
{
    struct list list, other;

    fill(&list);
    list_init(&other);
    list_unlink(&items[1].link);
    list_append(&other, &items[1].link);
    check_list(&list, "acd", __LINE__);
    check_list(&other, "b", __LINE__);
    list_unlink(&items[0].link); /* to the end of the same */
    list_append(&list, &items[0].link);
    check_list(&list, "cda", __LINE__);
}

/* A loop that has noted the next link may remove the one that it is at. */
static void
test_removal_inside(void)
{
    struct list list, *next;
    char seen[8] = "";
    size_t count = 0;

    fill(&list);
    for (struct list *link = list.next; link != &list; link = next) {
        next = link->next;
        seen[count++] = item_of(link)->name;
        if (item_of(link)->name != 'c')
            list_remove(link);
    }
    CHECK_STRING(seen, "abcd");
    check_list(&list, "c", __LINE__);
}

/* A loop that takes the first until the list is empty may append to the list. */
static void
test_first_until_empty(void)
{
    struct list list;
    char seen[8] = "";
    size_t count = 0;

    fill(&list);
    while (!list_empty(&list)) {
        struct item *item = item_of(list.next);
        seen[count++] = item->name;
        list_remove(&item->link);
        if (item->name == 'b' && count == 2)
            list_append(&list, &items[0].link);
    }
    CHECK_STRING(seen, "abcda");
}

int
main(void)
{
    test_order();
    test_no_list();
    test_other_list();
    test_removal_inside();
    test_first_until_empty();
    return checks_failed();
}
