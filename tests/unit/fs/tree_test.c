/* SPDX-License-Identifier: MIT */
/*
 * tmpfs and overlay against Linux: the same random operations on a host directory and on ours must
 * give the same errors, and the trees must look the same afterwards. For the overlay both start
 * from a tree with contents, ours from an EROFS image of it. UNIT_SEED and UNIT_STEPS vary the run.
 */
#include "env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <file/file.h>

#include "tree_host.h"

static char host[64];
static uint64_t state = 88172645463325252ull;

static unsigned pick(unsigned bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % bound);
}

/* A path of one to three names, now and then with oddities. */
static void random_path(char *path)
{
    unsigned depth = 1 + pick(3);

    path[0] = '\0';
    for (unsigned i = 0; i < depth; i++) {
        unsigned odd = pick(60);
        if (i > 0)
            strcat(path, "/");
        strcat(path, odd == 0 ? "." : odd == 1 ? ".." : names[pick(6)]);
    }
    if (pick(25) == 0)
        strcat(path, "/");
}

static void ours_of(char *to, const char *path)
{
    snprintf(to, 4000, "/t/%s", path);
}

static void host_of(char *to, const char *path)
{
    snprintf(to, 4000, "%s/t/%s", host, path);
}

/* A path that walks out of the tree is of no use: both sides must stay inside. */
static bool stays_inside(const char *path)
{
    return strstr(path, "..") == NULL;
}

struct operation {
    const char *name;
    int (*ours)(const char *a, const char *b, unsigned n);
    int (*hosts)(const char *a, const char *b, unsigned n);
};

static int ours_mkdir(const char *a, const char *b, unsigned n)
{
    (void)b;
    return fs_mkdir(NULL, a, n & 1 ? 0755 : 01777);
}

static int ours_rmdir(const char *a, const char *b, unsigned n)
{
    (void)b;
    (void)n;
    return fs_rmdir(NULL, a);
}

static int ours_unlink(const char *a, const char *b, unsigned n)
{
    (void)b;
    (void)n;
    return fs_unlink(NULL, a);
}

static int ours_link(const char *a, const char *b, unsigned n)
{
    (void)n;
    return fs_link(NULL, a, NULL, b, 0);
}

static int ours_symlink(const char *a, const char *b, unsigned n)
{
    (void)b;
    return fs_symlink(names[n % 6], NULL, a);
}

static int ours_rename(const char *a, const char *b, unsigned n)
{
    return fs_rename(NULL, a, NULL, b, rename_flags[n % 7]);
}

static const unsigned open_flags[] = {O_WRONLY | O_CREAT, O_WRONLY | O_CREAT | O_EXCL, O_WRONLY,
                                      O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_APPEND};

static int ours_write(const char *a, const char *b, unsigned n)
{
    char data[9001];
    uint64_t position;
    size_t length = contents(n, data, &position);
    struct file *file;
    struct io io;
    ssize_t result = env_open(a, open_flags[n % 5], 0640, &file);

    (void)b;
    if (result != 0)
        return (int)result;
    io_init_kernel(&io, data, length, position, 0);
    result = file_write_at(file, &io);
    file_unref(file);
    return result < 0 ? (int)result : 0;
}

static int ours_truncate(const char *a, const char *b, unsigned n)
{
    (void)b;
    return env_truncate(a, n % 30000);
}

static int ours_fallocate(const char *a, const char *b, unsigned n)
{
    struct file *file;
    int result = env_open(a, O_RDWR, 0, &file);

    (void)b;
    if (result != 0)
        return result;
    result = file->ops->allocate == NULL
                 ? -EOPNOTSUPP
                 : file->ops->allocate(file, (int)falloc_modes[n % 3], n % 17000, 1 + n % 12345);
    file_unref(file);
    return result;
}

static int ours_chmod(const char *a, const char *b, unsigned n)
{
    struct attr_change change = {.set = ATTR_MODE, .mode = 0700 | (n & 0077)};
    struct path path;
    int result = path_lookup(NULL, a, LOOKUP_FOLLOW, &path);

    (void)b;
    if (result != 0)
        return result;
    result = fs_setattr(&path, &change);
    path_unref(&path);
    return result;
}

static int ours_list(const char *a, const char *b, unsigned n)
{
    char text[8192];

    (void)b;
    (void)n;
    return env_list(a, text, sizeof(text));
}

static const struct operation operations[] = {
    {"mkdir", ours_mkdir, host_mkdir},
    {"rmdir", ours_rmdir, host_rmdir},
    {"unlink", ours_unlink, host_unlink},
    {"link", ours_link, host_link},
    {"symlink", ours_symlink, host_symlink},
    {"rename", ours_rename, host_rename},
    {"rename", ours_rename, host_rename},
    {"write", ours_write, host_write},
    {"write", ours_write, host_write},
    {"truncate", ours_truncate, host_truncate},
    {"fallocate", ours_fallocate, host_fallocate},
    {"chmod", ours_chmod, host_chmod},
    {"mkdir", ours_mkdir, host_mkdir},
    {"list", ours_list, host_list},
};

/* Comparing. */

static void compare_file(const char *ours, const char *theirs, uint64_t size)
{
    char *a = malloc(size + 1), *b = malloc(size + 1);
    FILE *file = fopen(theirs, "rb");
    ssize_t length;

    assert_non_null(file);
    assert_int_equal(fread(a, 1, size, file), size);
    fclose(file);
    length = env_read(ours, 0, b, size);
    if (length != (ssize_t)size)
        fail_msg("%s: read gives %ld, not %lu", ours, (long)length, (unsigned long)size);
    if (memcmp(a, b, size) != 0)
        fail_msg("%s: contents differ", ours);
    free(a);
    free(b);
}

static void compare_tree(const char *path);

static void compare_entry(const char *path)
{
    char ours[4000], theirs[4000], a[300], b[300];
    struct inode_stat stat_ours;
    struct host_stat stat_host;
    int error;

    ours_of(ours, path);
    host_of(theirs, path);
    assert_int_equal(host_stat(theirs, &stat_host), 0);
    error = env_stat(ours, &stat_ours);
    if (error != 0)
        fail_msg("%s: stat gives %d", ours, error);
    if (stat_ours.mode != stat_host.mode)
        fail_msg("%s: mode %o, not %o", ours, stat_ours.mode, stat_host.mode);
    if (stat_ours.nlink != stat_host.nlink)
        fail_msg("%s: %u links, not %u", ours, stat_ours.nlink, (unsigned)stat_host.nlink);
    if (S_ISDIR(stat_ours.mode)) {
        compare_tree(path);
        return;
    }
    if (stat_ours.size != (uint64_t)stat_host.size)
        fail_msg("%s: size %lu, not %lu", ours, (unsigned long)stat_ours.size,
                 (unsigned long)stat_host.size);
    if (S_ISREG(stat_ours.mode)) {
        compare_file(ours, theirs, stat_ours.size);
    } else if (S_ISLNK(stat_ours.mode)) {
        ssize_t length = host_readlink(theirs, a, sizeof(a) - 1);
        assert_int_equal(env_readlink(ours, b, sizeof(b)), length);
        assert_memory_equal(a, b, (size_t)length);
    }
}

static void compare_tree(const char *path)
{
    char ours[4000], theirs[4000], a[20000], b[20000];

    ours_of(ours, path);
    host_of(theirs, path);
    assert_int_equal(env_list(ours, a, sizeof(a)), 0);
    host_list_names(theirs, b);
    if (strcmp(a, b) != 0)
        fail_msg("%s lists\n%snot\n%s", ours, a, b);
    for (char *name = strtok(b, "\n"); name != NULL;) {
        char below[3900], *next = strtok(NULL, "");
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            snprintf(below, sizeof(below), "%s%s%s", path, path[0] != '\0' ? "/" : "", name);
            compare_entry(below);
        }
        name = next != NULL ? strtok(next, "\n") : NULL;
    }
}

static void run(const char *command)
{
    char text[600];

    snprintf(text, sizeof(text), command, host, host, host, host, host, host, host, host);
    assert_int_equal(system(text), 0);
}

/* mkfs.erofs wants a tree with something in every shape. */
static void host_start(bool contents_first)
{
    snprintf(host, sizeof(host), "/dev/shm/unit-tree-XXXXXX");
    assert_non_null(host_mkdtemp(host));
    run("mkdir %s/t");
    if (!contents_first)
        return;
    run("cd %s/t && mkdir -p a/b/c b/d c && seq 1 4000 >a/a && seq 1 700 >b/b && : >a/c && "
        "ln a/a b/e && ln -s a d && ln -s ../a a/d && head -c 4096 /dev/zero >c/a && "
        "head -c 8192 /dev/urandom >c/b && head -c 12300 /dev/urandom >c/c && chmod 600 c/c && "
        "for i in a b d e; do echo $i >a/b/$i; done && seq 1 9 >e");
}

static void one_step(unsigned step)
{
    const struct operation *operation = &operations[pick(ARRAY_SIZE(operations))];
    char a[200], b[200], ours_a[4000], ours_b[4000], host_a[4000], host_b[4000];
    unsigned n = pick(1u << 20);
    int expected, found;

    do {
        random_path(a);
    } while (!stays_inside(a));
    do {
        random_path(b);
    } while (!stays_inside(b));
    ours_of(ours_a, a);
    ours_of(ours_b, b);
    host_of(host_a, a);
    host_of(host_b, b);
    expected = operation->hosts(host_a, host_b, n);
    found = operation->ours(ours_a, ours_b, n);
    if (expected != found)
        fail_msg("step %u: %s %s %s (%u): %d, on Linux %d", step, operation->name, a, b, n, found,
                 expected);
}

static void random_operations(void **unused)
{
    const char *steps = getenv("UNIT_STEPS");
    unsigned count = steps != NULL ? (unsigned)atoi(steps) : 20000;

    (void)unused;
    if (getenv("UNIT_SEED") != NULL)
        state = strtoull(getenv("UNIT_SEED"), NULL, 0);
    for (unsigned i = 0; i < count; i++) {
        one_step(i);
        if (i % 500 == 499)
            compare_tree("");
    }
    compare_tree("");
}

static void check_names_dropped(void **unused)
{
    (void)unused;
    dcache_prune(SIZE_MAX);
    compare_tree("");
}

static int start_plain(void **unused)
{
    (void)unused;
    host_umask(022);
    host_start(false);
    env_start(NULL, 0);
    return fs_mkdir(NULL, "/t", 0755);
}

static int start_overlay(void **unused)
{
    size_t size;
    void *image;

    (void)unused;
    host_umask(022);
    host_start(true);
    image = env_make_image(host, "", &size);
    env_start(image, size);
    compare_tree("");
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    run("rm -rf %s");
    return 0;
}

int tree_test(bool overlay)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(check_names_dropped),
    };

    return cmocka_run_group_tests(tests, overlay ? start_overlay : start_plain, end);
}
