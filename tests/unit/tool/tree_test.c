/* SPDX-License-Identifier: MIT
 *
 * The tree, tar into it, EROFS out of it and back; damaged images end in an error, never worse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tool/erofs.h>
#include <tool/tar.h>

static struct node *must_find(const struct tree *tree, const char *path)
{
    struct node *node = tree_find(tree, path, false);

    if (node == NULL)
        fail_msg("%s is missing", path);
    return node;
}

static void test_paths(void **state)
{
    struct tree tree;
    char *path;

    (void)state;
    tree_init(&tree);
    assert_int_equal(tree_add_directory(&tree, "/usr/bin", 0755), 0);
    assert_int_equal(tree_add_symlink(&tree, "/bin", "usr/bin"), 0);
    assert_int_equal(tree_add_text(&tree, "/bin/sh", 0755, "x"), 0);
    must_find(&tree, "/usr/bin/sh");
    assert_int_equal(tree_add_directory(&tree, "/bin", 0700), 0);
    assert_true(S_ISLNK(must_find(&tree, "/bin")->mode));
    assert_int_equal(tree_add_symlink(&tree, "/loop", "loop"), 0);
    assert_null(tree_find(&tree, "/loop", true));
    assert_int_equal(tree_add_text(&tree, "/loop/x", 0644, ""), -ELOOP);
    assert_int_equal(tree_add_text(&tree, "/bin/sh/x", 0644, ""), -ENOTDIR);
    assert_int_equal(tree_add_text(&tree, "/usr", 0644, ""), -EISDIR);
    assert_int_equal(tree_add_text(&tree, "/a/..", 0644, ""), -EINVAL);
    assert_int_equal(tree_put_link(&tree, "/usr/sh2", "/bin/sh"), 0);
    assert_int_equal(tree_put_link(&tree, "/x", "/nothing"), -ENOENT);
    assert_ptr_equal(must_find(&tree, "/usr/sh2"), must_find(&tree, "/usr/bin/sh"));
    path = tree_resolve(&tree, "/bin/../bin/./sh");
    assert_string_equal(path, "/usr/bin/sh");
    free(path);
    assert_int_equal(tree_remove(&tree, "/bin/sh"), 0);
    assert_int_equal(tree_remove(&tree, "/bin/sh"), -ENOENT);
    must_find(&tree, "/usr/sh2");
    tree_free(&tree);
}

/* Many names, so that directories take several blocks; files around a block's size; links, owners.
 */
static void fill(struct tree *tree)
{
    char *large = memory_alloc(10001);
    struct node *node;

    tree_init(tree);
    for (int i = 0; i < 700; i++) {
        char *path = text_format("/many/name-%d-%0*d", i, i % 200 + 1, i);
        char *text = text_format("%d", i);

        tree_add_text(tree, path, 0644, text);
        free(path);
        free(text);
    }
    memset(large, 'l', 10000);
    for (int size = 4095; size <= 4097; size++) {
        char *path = text_format("/size-%d", size);

        large[size] = '\0';
        tree_add_text(tree, path, 0600, large);
        tree_add_symlink(tree, size == 4095 ? "/long-link" : "/link",
                         size == 4095 ? large : "size-1");
        large[size] = 'l';
        free(path);
    }
    free(large);
    tree_add_text(tree, "/empty", 04755, "");
    tree_put_link(tree, "/hard", "/size-4096");
    node = node_create(S_IFREG | 0640, 100000, 70000, 12345);
    tree_put(tree, "/owned", node);
    node = node_create(S_IFCHR | 0666, 0, 0, TREE_EPOCH);
    node->rdev = 0x103;
    tree_put(tree, "/null", node);
    tree_add_directory(tree, "/+first", 0755);
}

static int compare_node(const char *path, struct node *node, void *context)
{
    struct node *other = must_find(context, path);
    char *a, *b;

    assert_int_equal(node->mode, other->mode);
    assert_int_equal(node->uid, other->uid);
    assert_int_equal(node->gid, other->gid);
    assert_int_equal(node->mtime, other->mtime);
    assert_int_equal(node->links, other->links);
    if (S_ISCHR(node->mode))
        assert_int_equal(node->rdev, other->rdev);
    if (!S_ISREG(node->mode) && !S_ISLNK(node->mode))
        return 0;
    assert_int_equal(node->size, other->size);
    a = node_read(node, NULL);
    b = node_read(other, NULL);
    assert_memory_equal(a, b, node->size);
    free(a);
    free(b);
    return 0;
}

static uint64_t write_image(struct tree *tree, int *fd)
{
    uint64_t size;

    *fd = memfd_create("image", 0);
    assert_int_equal(erofs_write(tree, *fd, 0, &size), 0);
    return size;
}

static void test_erofs_there_and_back(void **state)
{
    struct tree tree, back;
    const char *why;
    uint64_t size;
    int fd;

    (void)state;
    fill(&tree);
    size = write_image(&tree, &fd);
    assert_int_equal(erofs_read(&back, fd, 0, size, &why), 0);
    tree_walk(&tree, "/", compare_node, &back);
    tree_walk(&back, "/", compare_node, &tree);
    assert_ptr_equal(must_find(&back, "/hard"), must_find(&back, "/size-4096"));
    tree_free(&back);
    tree_free(&tree);
    close(fd);
}

static void test_erofs_same_bytes(void **state)
{
    struct tree first, second;
    uint64_t size;
    int fd[2];
    char *a, *b;

    (void)state;
    fill(&first);
    fill(&second);
    size = write_image(&first, &fd[0]);
    assert_int_equal(write_image(&second, &fd[1]), size);
    a = mmap(NULL, size, PROT_READ, MAP_SHARED, fd[0], 0);
    b = mmap(NULL, size, PROT_READ, MAP_SHARED, fd[1], 0);
    assert_memory_equal(a, b, size);
    munmap(a, size);
    munmap(b, size);
    close(fd[0]);
    close(fd[1]);
    tree_free(&first);
    tree_free(&second);
}

static void test_erofs_damaged(void **state)
{
    struct tree tree, back;
    uint64_t size;
    const char *why;
    char *image;
    int fd;

    (void)state;
    tree_init(&tree);
    for (int i = 0; i < 20; i++) {
        char *path = text_format("/a/b%d/c", i);

        tree_add_text(&tree, path, 0644, "text");
        free(path);
    }
    size = write_image(&tree, &fd);
    image = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    srand(2);
    for (int i = 0; i < 20000; i++) {
        size_t at = 1024 + (size_t)rand() % 3072;
        char old = image[at];

        image[at] = (char)(i % 2 ? rand() : old ^ 1 << rand() % 8);
        if (erofs_read(&back, fd, 0, size, &why) == 0)
            tree_free(&back);
        image[at] = old;
    }
    for (uint64_t cut = 0; cut < size; cut += 509)
        if (erofs_read(&back, fd, 0, cut, &why) == 0)
            tree_free(&back);
    munmap(image, size);
    close(fd);
    tree_free(&tree);
}

static int tar_to_file(const char *command)
{
    char path[] = "/tmp/remora-tar-XXXXXX";
    int fd = mkstemp(path);
    char *line = text_format("cd $(mktemp -d) && %s && tar %s -cf %s . && rm -r \"$PWD\"", command,
                             "--owner=7 --group=8 --mtime=@99 --sort=name", path);

    assert_int_equal(system(line), 0);
    unlink(path);
    free(line);
    return fd;
}

static void test_tar(void **state)
{
    int fd = tar_to_file("n=$(printf 'n%.0s' $(seq 120)) && mkdir -p d/$n && echo hi >d/$n/file && "
                         "ln d/$n/file hard && ln -s d/$n/file soft && chmod 4751 hard");
    struct tar_options options = {0};
    struct tree tree;
    struct node *node;
    const char *why;
    char *text;

    (void)state;
    tree_init(&tree);
    assert_int_equal(tar_read(&tree, fd, 0, &options, &why), 0);
    node = must_find(&tree, "/hard");
    assert_int_equal(node->mode, S_IFREG | 04751);
    assert_int_equal(node->uid, 7);
    assert_int_equal(node->gid, 8);
    assert_int_equal(node->mtime, 99);
    assert_ptr_equal(node, tree_find(&tree, "/soft", true));
    text = node_read(node, NULL);
    assert_string_equal(text, "hi\n");
    free(text);
    tree_free(&tree);
    close(fd);
}

static void test_tar_whiteouts(void **state)
{
    int fd = tar_to_file("mkdir d e && touch d/.wh.gone e/.wh..wh..opq e/new");
    struct tar_options options = {.whiteouts = true};
    struct tree tree;
    const char *why;

    (void)state;
    tree_init(&tree);
    tree_add_text(&tree, "/d/gone", 0644, "");
    tree_add_text(&tree, "/d/stays", 0644, "");
    tree_add_text(&tree, "/e/old", 0644, "");
    assert_int_equal(tar_read(&tree, fd, 0, &options, &why), 0);
    assert_null(tree_find(&tree, "/d/gone", false));
    assert_null(tree_find(&tree, "/d/.wh.gone", false));
    assert_null(tree_find(&tree, "/e/old", false));
    must_find(&tree, "/d/stays");
    must_find(&tree, "/e/new");
    assert_int_equal(tar_read(&tree, fd, 100, &options, &why), -EBADMSG);
    tree_free(&tree);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_erofs_there_and_back),
        cmocka_unit_test(test_erofs_same_bytes),
        cmocka_unit_test(test_erofs_damaged),
        cmocka_unit_test(test_tar),
        cmocka_unit_test(test_tar_whiteouts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
