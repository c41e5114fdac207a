// SPDX-License-Identifier: MIT
// Memory policies on a machine of one node: set_mempolicy(2), get_mempolicy(2), mbind(2),
// migrate_pages(2), move_pages(2), and getcpu(2)'s node.
#include "check.h"

#include <linux/mempolicy.h>
#include <sched.h>

#define MASK_BITS 65 // one more than those looked at: the kernel takes one less than it is told

static long set_policy(int mode, unsigned long nodes)
{
    return syscall(SYS_set_mempolicy, mode, &nodes, MASK_BITS);
}

// The mode, and the nodes where the call writes them; -1: an error.
static int get_policy(unsigned long *nodes, void *address, unsigned flags)
{
    int mode = -77;

    *nodes = 0x77;
    return syscall(SYS_get_mempolicy, &mode, nodes, MASK_BITS, address, flags) ? -1 : mode;
}

static char *map(size_t pages)
{
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

CHECK(default_policy)
{
    unsigned long nodes[4] = {~0ul, ~0ul, ~0ul, ~0ul};

    EXPECT_OK(syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0)); // libnuma: is it there at all?
    EXPECT_EQ(get_policy(nodes, NULL, 0), MPOL_DEFAULT);
    EXPECT_EQ(nodes[0], 0);
    EXPECT_EQ(get_policy(nodes, NULL, MPOL_F_MEMS_ALLOWED), 0);
    EXPECT_EQ(nodes[0], 1);
    EXPECT_OK(syscall(SYS_get_mempolicy, NULL, nodes, 193, NULL, MPOL_F_MEMS_ALLOWED));
    EXPECT_EQ(nodes[0], 1);
    EXPECT_EQ(nodes[1], 0);
    EXPECT_EQ(nodes[2], 0);
    EXPECT_EQ(nodes[3], ~0ul);
    EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, nodes, 0, NULL, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, nodes, 8 * PAGE + 66, NULL, 0), EINVAL);
    EXPECT_ERR(get_policy(nodes, NULL, 8), EINVAL);
    EXPECT_ERR(get_policy(nodes, nodes, 0), EINVAL);
    EXPECT_ERR(get_policy(nodes, NULL, MPOL_F_NODE), EINVAL);
    EXPECT_ERR(get_policy(nodes, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE), EINVAL);
    EXPECT_ERR(syscall(SYS_get_mempolicy, BAD_POINTER, NULL, 0, NULL, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, BAD_POINTER, MASK_BITS, NULL, 0), EFAULT);
}

CHECK(set_and_get)
{
    static const struct {
        int mode;
        unsigned long nodes;
        int found;
        unsigned long found_nodes;
    } good[] = {
        {MPOL_BIND, 1, MPOL_BIND, 1},
        {MPOL_BIND, 5, MPOL_BIND, 1}, // nodes that are not there are left out
        {MPOL_INTERLEAVE, 1, MPOL_INTERLEAVE, 1},
        {MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 5, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, 5},
        {MPOL_BIND | MPOL_F_RELATIVE_NODES, 4, MPOL_BIND | MPOL_F_RELATIVE_NODES, 4},
        {MPOL_PREFERRED, 1, MPOL_PREFERRED, 1},
        {MPOL_PREFERRED, 0, MPOL_LOCAL, 0},
        {MPOL_LOCAL, 0, MPOL_LOCAL, 0},
        {5 /* MPOL_PREFERRED_MANY */, 3, 5, 1},
        {MPOL_DEFAULT, 0, MPOL_DEFAULT, 0},
    };
    unsigned long nodes;

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        EXPECT_OK(set_policy(good[i].mode, good[i].nodes));
        EXPECT_EQ(get_policy(&nodes, NULL, 0), good[i].found);
        EXPECT_EQ(nodes, good[i].found_nodes);
    }
    EXPECT_OK(set_policy(MPOL_INTERLEAVE, 1));
    EXPECT_EQ(get_policy(&nodes, NULL, MPOL_F_NODE), 0);
    EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
}

CHECK(set_wrong)
{
    unsigned long high[2] = {1, 1}, zeroes[2] = {1, 0};

    EXPECT_ERR(set_policy(MPOL_BIND, 0), EINVAL);
    EXPECT_ERR(set_policy(MPOL_INTERLEAVE, 0), EINVAL);
    EXPECT_ERR(set_policy(MPOL_BIND, 2), EINVAL);
    EXPECT_ERR(set_policy(MPOL_PREFERRED, 2), EINVAL);
    EXPECT_ERR(set_policy(MPOL_PREFERRED | MPOL_F_STATIC_NODES, 0), EINVAL);
    EXPECT_ERR(set_policy(MPOL_LOCAL, 1), EINVAL);
    EXPECT_ERR(set_policy(MPOL_LOCAL | MPOL_F_STATIC_NODES, 0), EINVAL);
    EXPECT_ERR(set_policy(MPOL_DEFAULT, 1), EINVAL);
    EXPECT_ERR(set_policy(6, 1), EINVAL);
    EXPECT_ERR(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1), EINVAL);
    EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, high, 129), EINVAL);
    EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, zeroes, 8 * PAGE + 2), EINVAL);
    EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, zeroes, 1), EINVAL); // no bits at all
    EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, BAD_POINTER, 65), EFAULT);
    EXPECT_ERR(syscall(SYS_set_mempolicy, 6, BAD_POINTER, 65), EINVAL);
    EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_BIND, zeroes, 129));
    EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_BIND, zeroes, 2));
    EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
}

static void *look(void *argument)
{
    unsigned long nodes;

    (void)argument;
    return (void *)(long)get_policy(&nodes, NULL, 0);
}

CHECK(threads_inherit_the_policy)
{
    pthread_t thread;
    void *mode;

    EXPECT_OK(set_policy(MPOL_INTERLEAVE, 1));
    EXPECT_EQ(pthread_create(&thread, NULL, look, NULL), 0);
    EXPECT_EQ(pthread_join(thread, &mode), 0);
    EXPECT_EQ((long)mode, MPOL_INTERLEAVE);
    EXPECT_OK(set_policy(MPOL_DEFAULT, 0));
}

CHECK(node_of_an_address)
{
    unsigned long nodes;
    char *page = map(2);

    EXPECT(page != MAP_FAILED);
    *page = 1;
    EXPECT_EQ(get_policy(&nodes, page, MPOL_F_ADDR), MPOL_DEFAULT);
    EXPECT_EQ(nodes, 0);
    EXPECT_EQ(get_policy(&nodes, page, MPOL_F_ADDR | MPOL_F_NODE), 0);
    EXPECT_EQ(get_policy(&nodes, page + PAGE, MPOL_F_ADDR | MPOL_F_NODE), 0); // not there before
    EXPECT_OK(munmap(page, 2 * PAGE));
    EXPECT_ERR(get_policy(&nodes, page, MPOL_F_ADDR), EFAULT);
    EXPECT_ERR(get_policy(&nodes, page, MPOL_F_ADDR | MPOL_F_NODE), EFAULT);
}

static long bind_area(void *address, size_t length, int mode, unsigned long nodes, unsigned flags)
{
    return syscall(SYS_mbind, address, length, mode, &nodes, MASK_BITS, flags);
}

CHECK(mbind)
{
    char *pages = map(3);

    EXPECT(pages != MAP_FAILED);
    *pages = 1;
    EXPECT_OK(bind_area(pages, 3 * PAGE, MPOL_BIND, 1, 0));
    EXPECT_OK(bind_area(pages, 3 * PAGE, MPOL_PREFERRED, 1, MPOL_MF_STRICT | MPOL_MF_MOVE));
    EXPECT_OK(bind_area(pages, 10, MPOL_INTERLEAVE, 1, MPOL_MF_MOVE_ALL));
    EXPECT_OK(bind_area(pages, 3 * PAGE, MPOL_DEFAULT, 0, MPOL_MF_STRICT));
    EXPECT_OK(bind_area(pages, 0, MPOL_BIND, 1, 0));
    EXPECT_ERR(bind_area(pages + 1, PAGE, MPOL_BIND, 1, 0), EINVAL);
    EXPECT_ERR(bind_area(pages, PAGE, MPOL_BIND, 1, 8), EINVAL);
    EXPECT_ERR(bind_area(pages, PAGE, MPOL_BIND, 0, 0), EINVAL);
    EXPECT_ERR(bind_area(pages, PAGE, MPOL_BIND, 2, 0), EINVAL);
    EXPECT_ERR(bind_area(pages, PAGE, 6, 1, 0), EINVAL);
    EXPECT_ERR(bind_area(pages, -PAGE, MPOL_BIND, 1, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_mbind, pages, PAGE, MPOL_BIND, BAD_POINTER, 65, 0), EFAULT);
    EXPECT_OK(munmap(pages + PAGE, PAGE));
    EXPECT_ERR(bind_area(pages, 3 * PAGE, MPOL_BIND, 1, 0), EFAULT);
    EXPECT_ERR(bind_area(pages + PAGE, PAGE, MPOL_BIND, 1, 0), EFAULT);
    EXPECT_OK(munmap(pages, 3 * PAGE));
}

CHECK(migrate_pages)
{
    unsigned long first = 1, second = 2;

    EXPECT_EQ(syscall(SYS_migrate_pages, 0, 65, &first, &first), 0);
    EXPECT_EQ(syscall(SYS_migrate_pages, getpid(), 65, &second, &first), 0);
    EXPECT_ERR(syscall(SYS_migrate_pages, 0, 65, &first, &second), EINVAL);
    EXPECT_ERR(syscall(SYS_migrate_pages, 0, 65, &first, NULL), EINVAL);
    EXPECT_ERR(syscall(SYS_migrate_pages, 0, 65, BAD_POINTER, &first), EFAULT);
    EXPECT_ERR(syscall(SYS_migrate_pages, 0, 8 * PAGE + 2, &first, &first), EINVAL);
    EXPECT_ERR(syscall(SYS_migrate_pages, 0x3fffff, 65, &first, &first), ESRCH);
}

CHECK(move_pages)
{
    char *area = map(3);
    void *pages[3] = {area, area + PAGE, area + 2 * PAGE};
    int nodes[3] = {0, 0, 0}, status[3] = {77, 77, 77};

    EXPECT(area != MAP_FAILED);
    *area = 1;
    EXPECT_OK(munmap(area + 2 * PAGE, PAGE));
    EXPECT_EQ(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0), 0);
    EXPECT_EQ(status[0], 0);
    EXPECT(status[1] == -ENOENT || status[1] == -EFAULT); // never touched: it changed with versions
    EXPECT_EQ(status[2], -EFAULT);
    EXPECT_EQ(syscall(SYS_move_pages, getpid(), 3, pages, nodes, status, MPOL_MF_MOVE), 0);
    EXPECT_EQ(status[0], 0);
    EXPECT(status[1] == -ENOENT || status[1] == -EFAULT);
    EXPECT_EQ(status[2], -EFAULT);
    pages[1] = (void *)-1L;
    EXPECT_EQ(syscall(SYS_move_pages, 0, 2, pages, NULL, status, 0), 0);
    EXPECT_EQ(status[1], -EFAULT);
    EXPECT_EQ(syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0), 0);
    pages[0] = look; // this program's own code
    EXPECT_EQ(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0), 0);
    EXPECT_EQ(status[0], 0);
    nodes[0] = 1;
    EXPECT_ERR(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
    nodes[0] = -1;
    EXPECT_ERR(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE), ENODEV);
    EXPECT_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 1), EINVAL);
    EXPECT_ERR(syscall(SYS_move_pages, 0, 1, BAD_POINTER, NULL, status, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, BAD_POINTER, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_move_pages, 0x3fffff, 1, pages, NULL, status, 0), ESRCH);
    EXPECT_OK(munmap(area, 2 * PAGE));
}

CHECK(cpu_and_node)
{
    unsigned cpu = 77, node = 77;

    EXPECT_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
    EXPECT(cpu < 64);
    EXPECT_EQ(node, 0);
    EXPECT_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
    EXPECT_ERR(syscall(SYS_getcpu, NULL, BAD_POINTER, NULL), EFAULT);
}
