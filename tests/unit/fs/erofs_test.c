/* SPDX-License-Identifier: MIT */
/*
 * The EROFS reader: images that mkfs.erofs makes of a tree must show that tree, in every layout; an
 * image with a byte changed, or cut off, may fail but must not read outside of itself (ASan).
 */
#include "env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <file/file.h>
#include <lib/errno.h>
#include <mm/pagecache.h>

#include "../../../kernel/fs/erofs.h"
#include "disk.h"
#include "tree_host.h"

static char host[64];

static int make_tree(void **unused)
{
    char command[1000];

    (void)unused;
    host_umask(022);
    snprintf(host, sizeof(host), "/tmp/unit-erofs-XXXXXX");
    assert_non_null(host_mkdtemp(host));
    snprintf(command, sizeof(command),
             "cd %s && mkdir -p t/empty t/deep/er/est t/many && : >t/nothing && echo x >t/one && "
             "head -c 4096 /dev/urandom >t/page && head -c 4097 /dev/urandom >t/page1 && "
             "head -c 300000 /dev/urandom >t/large && seq 1 100000 >t/text && "
             "truncate -s 1000000 t/hole && echo end >>t/hole && ln t/one t/hard && "
             "ln -s ../one t/deep/link && ln -s $(printf 'x%%.0s' $(seq 1 4000)) t/long-link && "
             "chmod 4751 t/page && mkfifo t/fifo && mknod t/null c 1 3; mknod t/big b 259 70000; "
             "for i in $(seq 1 700); do echo $i >t/many/name-$i-of-many; done; "
             "for f in one page; do python3 -c \"import os; os.setxattr('t/$f', 'user.one', b'1');"
             " os.setxattr('t/$f', 'user.two', b'22')\" 2>/dev/null; done; "
             "touch t/$(printf 'n%%.0s' $(seq 1 250)); true",
             host);
    return system(command);
}

static int remove_tree(void **unused)
{
    char command[200];

    (void)unused;
    snprintf(command, sizeof(command), "rm -rf %s", host);
    return system(command);
}

static uint32_t disk_block; /* 0: images lie in RAM, else on a disk with such blocks */
static struct blkdev *disk;

static int mount(void *image, size_t size, struct superblock **sb)
{
    if (disk_block == 0)
        return erofs_mount_ram((paddr_t)(uintptr_t)image, size, sb);
    disk = disk_make(image, size, disk_block);
    return erofs_mount_disk(disk, sb);
}

static void free_image(void *image)
{
    if (disk != NULL)
        disk_free(disk);
    disk = NULL;
    free(image);
}

/* A second mount: /i shows the image alone, without an overlay. */
static void mount_image(void *image, size_t size)
{
    struct superblock *sb;
    struct path where;

    assert_int_equal(mount(image, size, &sb), 0);
    assert_int_equal(path_lookup(NULL, "/i", LOOKUP_FOLLOW, &where), 0);
    assert_int_equal(fs_mount_super(sb, "image", &where, MS_RDONLY), 0);
    superblock_unuse(sb);
    path_unref(&where);
}

static void compare_pages(const char *ours, const uint8_t *data, uint64_t size)
{
    struct vm_object *object;
    struct file *file;

    assert_int_equal(env_open(ours, O_RDONLY, 0, &file), 0);
    object = file->ops->object(file);
    for (uint64_t i = 0; i << PAGE_SHIFT < size;) {
        struct page *page;
        int count = object->ops->get(object, i, OBJECT_READ, 2, &page);

        assert_in_range(count, 1, 4);
        for (int k = 0; k < count && (i + (uint64_t)k) << PAGE_SHIFT < size; k++) {
            uint64_t start = (i + (uint64_t)k) << PAGE_SHIFT;
            uint64_t length = size - start < PAGE_SIZE ? size - start : PAGE_SIZE;
            const uint8_t *at = page_virt(page + k);

            assert_memory_equal(at, data + start, length);
            for (uint64_t rest = length; rest < PAGE_SIZE; rest++)
                assert_int_equal(at[rest], 0);
            page_unref(page + k);
        }
        i += (uint64_t)count;
    }
    object_unref(object);
    file_unref(file);
}

static void compare_contents(const char *ours, const char *theirs, uint64_t size)
{
    uint8_t *expected = malloc(size + 1), *found = malloc(size + 1);
    FILE *file = fopen(theirs, "rb");

    assert_non_null(file);
    assert_int_equal(fread(expected, 1, size + 1, file), size);
    fclose(file);
    assert_int_equal(env_read(ours, 0, found, size + 1), size);
    assert_memory_equal(found, expected, size);
    if (size > 10) {
        assert_int_equal(env_read(ours, size - 7, found, 100), 7);
        assert_memory_equal(found, expected + size - 7, 7);
    }
    compare_pages(ours, expected, size);
    free(expected);
    free(found);
}

static void compare_tree(const char *ours, const char *theirs);

static void compare_entry(const char *ours, const char *theirs)
{
    char a[5000], b[5000];
    struct inode_stat found;
    struct host_stat expected;

    assert_int_equal(host_stat(theirs, &expected), 0);
    assert_int_equal(env_stat(ours, &found), 0);
    assert_int_equal(found.mode, expected.mode);
    assert_int_equal(found.nlink, expected.nlink);
    if (S_ISDIR(found.mode)) {
        compare_tree(ours, theirs);
        return;
    }
    if (S_ISREG(found.mode) || S_ISLNK(found.mode))
        assert_int_equal(found.size, expected.size);
    if (S_ISREG(found.mode))
        compare_contents(ours, theirs, found.size);
    if (S_ISLNK(found.mode)) {
        assert_int_equal(env_readlink(ours, a, sizeof(a)), expected.size);
        host_readlink(theirs, b, sizeof(b));
        assert_memory_equal(a, b, expected.size);
    }
}

static void compare_tree(const char *ours, const char *theirs)
{
    char *found = malloc(100000), *expected = malloc(100000), *rest = expected;

    assert_int_equal(env_list(ours, found, 100000), 0);
    host_list_names(theirs, expected);
    assert_string_equal(found, expected);
    while (*rest != '\0') {
        char a[700], b[700], name[300];

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(rest, "\n"), rest);
        rest += strlen(name) + 1;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        snprintf(a, sizeof(a), "%s/%s", ours, name);
        snprintf(b, sizeof(b), "%s/%s", theirs, name);
        compare_entry(a, b);
    }
    free(found);
    free(expected);
}

static void check_one_image(const char *options)
{
    char theirs[100];
    size_t size;
    void *image = env_make_image(host, options, &size);
    struct inode_stat stat;

    mount_image(image, size);
    snprintf(theirs, sizeof(theirs), "%s/t", host);
    compare_tree("/i/t", theirs);
    assert_int_equal(env_stat("/i/t/absent", &stat), -ENOENT);
    assert_int_equal(env_stat("/i/t/many/name-701-of-many", &stat), -ENOENT);
    assert_int_equal(env_stat("/i/t/0", &stat), -ENOENT);
    assert_int_equal(env_stat("/i/t/zzz", &stat), -ENOENT);
    assert_int_equal(env_write("/i/t/one", 0, "x", 1), -EROFS);
    assert_int_equal(fs_mkdir(NULL, "/i/t/new", 0777), -EROFS);
    assert_int_equal(fs_unlink(NULL, "/i/t/one"), -EROFS);
    assert_int_equal(fs_unmount(NULL, "/i", 0), 0);
    free_image(image);
}

static void check_image(const char *options)
{
    static const uint32_t kinds[] = {0, 512, 4096};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        disk_block = kinds[i];
        check_one_image(options);
    }
    disk_block = 0;
}

static void default_layout(void **unused)
{
    (void)unused;
    check_image("");
}

static void extended_inodes(void **unused)
{
    (void)unused;
    check_image("-Eforce-inode-extended");
}

static void compact_inodes(void **unused)
{
    (void)unused;
    check_image("-Eforce-inode-compact");
}

static void no_inline_data(void **unused)
{
    (void)unused;
    check_image("-Enoinline_data");
}

static void chunks(void **unused)
{
    (void)unused;
    check_image("--chunksize=4096");
}

static void large_chunks(void **unused)
{
    (void)unused;
    check_image("--chunksize=65536 -Eforce-chunk-indexes");
}

static void extended_attributes(void **unused)
{
    size_t size;
    void *image = env_make_image(host, "-x0", &size);
    char value[10], list[100];
    struct path path;
    ssize_t length;

    (void)unused;
    mount_image(image, size);
    assert_int_equal(path_lookup(NULL, "/i/t/one", 0, &path), 0);
    length = fs_listxattr(&path, list, sizeof(list));
    if (length == 18) { /* the host's /tmp may have no user attributes */
        assert_int_equal(fs_getxattr(&path, "user.one", value, sizeof(value)), 1);
        assert_int_equal(value[0], '1');
        assert_int_equal(fs_getxattr(&path, "user.two", NULL, 0), 2);
        assert_int_equal(fs_getxattr(&path, "user.two", value, 1), -ERANGE);
        assert_int_equal(fs_listxattr(&path, list, 17), -ERANGE);
    }
    assert_int_equal(fs_getxattr(&path, "user.three", value, sizeof(value)), -ENODATA);
    path_unref(&path);
    assert_int_equal(fs_unmount(NULL, "/i", 0), 0);
    free(image);
}

/* Refusals. */

static void compressed(void **unused)
{
    size_t size;
    void *image = env_make_image(host, "-zlz4", &size);
    struct superblock *sb;
    int error;

    (void)unused;
    error = erofs_mount_ram((paddr_t)(uintptr_t)image, size, &sb);
    if (error == 0) { /* features say nothing, files do */
        char data[16];

        superblock_unuse(sb);
        mount_image(image, size);
        assert_int_equal(env_read("/i/t/text", 0, data, sizeof(data)), -EOPNOTSUPP);
        assert_int_equal(fs_unmount(NULL, "/i", 0), 0);
    } else {
        assert_int_equal(error, -EINVAL);
    }
    free(image);
}

static void wrong_superblocks(void **unused)
{
    struct superblock *sb;
    struct erofs_super *super;
    size_t size;
    uint8_t *image = env_make_image(host, "", &size);
    paddr_t pa = (paddr_t)(uintptr_t)image;

    (void)unused;
    super = (struct erofs_super *)(image + EROFS_SUPER_OFFSET);
    super->feature_compat &= ~EROFS_COMPAT_CHECKSUM;
    assert_int_equal(erofs_mount_ram(pa, 1000, &sb), -EINVAL);
    assert_int_equal(erofs_mount_ram(pa, size - 4096, &sb), -EUCLEAN);
    super->feature_incompat |= EROFS_INCOMPAT_48BIT;
    assert_int_equal(erofs_mount_ram(pa, size, &sb), -EINVAL);
    super->feature_incompat = 2;
    assert_int_equal(erofs_mount_ram(pa, size, &sb), -EINVAL);
    super->feature_incompat = 0;
    super->block_bits = 30;
    assert_int_equal(erofs_mount_ram(pa, size, &sb), -EINVAL);
    super->block_bits = 12;
    super->dir_block_bits = 1;
    assert_int_equal(erofs_mount_ram(pa, size, &sb), -EINVAL);
    super->dir_block_bits = 0;
    super->root_nid = 0xffff;
    assert_true(erofs_mount_ram(pa, size, &sb) < 0);
    super->magic = 0;
    assert_int_equal(erofs_mount_ram(pa, size, &sb), -EINVAL);
    free(image);
}

static void bad_checksum(void **unused)
{
    struct superblock *sb;
    size_t size;
    uint8_t *image = env_make_image(host, "", &size);

    (void)unused;
    image[EROFS_SUPER_OFFSET + 30] ^= 1;
    assert_int_equal(erofs_mount_ram((paddr_t)(uintptr_t)image, size, &sb), -EUCLEAN);
    free(image);
}

/* Damage. */

static void visit(const char *ours, unsigned depth)
{
    char *names = malloc(400000), *rest = names, data[5000];
    struct path path;

    if (path_lookup(NULL, ours, 0, &path) == 0) {
        fs_listxattr(&path, data, sizeof(data));
        fs_getxattr(&path, "user.one", data, sizeof(data));
        path_unref(&path);
    }
    env_read(ours, 0, data, sizeof(data));
    env_readlink(ours, data, sizeof(data));
    env_list(ours, names, 400000);
    for (unsigned count = 0; *rest != '\0' && depth < 4 && count < 40; count++) {
        char below[2000];
        size_t length = strcspn(rest, "\n");

        if (snprintf(below, sizeof(below), "%s/%.*s", ours, (int)length, rest) > 1500)
            break;
        if (rest[0] != '.')
            visit(below, depth + 1);
        rest += length + (rest[length] == '\n');
    }
    free(names);
}

static void damage_images(void)
{
    uint64_t state = 1234567;
    size_t size;
    uint8_t *original = env_make_image(host, "", &size);

    ((struct erofs_super *)(original + EROFS_SUPER_OFFSET))->feature_compat = 0;
    for (unsigned round = 0; round < 150; round++) {
        uint8_t *image = aligned_alloc(4096, size);
        struct superblock *sb;
        bool mounts;

        memcpy(image, original, size);
        for (unsigned i = 0; i < 30; i++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            /* metadata lies at the start and at the end; contents do not matter */
            size_t at = (state >> 33) % 40000;
            image[(state >> 20) & 1 ? at % size : size - 1 - at % size] = (uint8_t)(state >> 50);
        }
        mounts = mount(image, size, &sb) == 0;
        if (mounts)
            superblock_unuse(sb);
        if (disk != NULL)
            disk_free(disk);
        disk = NULL;
        if (mounts) {
            mount_image(image, size);
            visit("/i", 0);
            assert_int_equal(fs_unmount(NULL, "/i", 0), 0);
        }
        free_image(image);
    }
    free(original);
}

static void damage(void **unused)
{
    (void)unused;
    damage_images();
    disk_block = 512;
    damage_images();
    disk_block = 0;
}

/* A sector that cannot be read: -EIO where it is needed, and what it should be once it can. */
static void unreadable(void **unused)
{
    char path[100], list[1000];
    uint8_t *expected = malloc(300000), *found = malloc(300000);
    struct inode_stat stat;
    unsigned failed = 0;
    size_t size;
    void *image = env_make_image(host, "", &size);
    FILE *file;

    (void)unused;
    snprintf(path, sizeof(path), "%s/t/large", host);
    file = fopen(path, "rb");
    assert_int_equal(fread(expected, 1, 300000, file), 300000);
    fclose(file);
    disk_block = 512;
    for (uint64_t sector = 0; sector < size / 512; sector += 37) {
        mount_image(image, size);
        disk_set_bad(disk, sector);
        if (env_stat("/i/t/large", &stat) != 0)
            assert_int_equal(env_stat("/i/t/large", &stat), -EIO);
        else if (env_read("/i/t/large", 0, found, 300000) != 300000)
            failed++;
        env_list("/i/t", list, sizeof(list));
        disk_set_bad(disk, UINT64_MAX);
        assert_int_equal(env_read("/i/t/large", 0, found, 300000), 300000);
        assert_memory_equal(found, expected, 300000);
        assert_int_equal(fs_unmount(NULL, "/i", 0), 0);
        disk_free(disk);
        disk = NULL;
    }
    disk_block = 0;
    assert_in_range(failed, 10, 100); /* the file takes 586 sectors */
    free(expected);
    free(found);
    free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_layout),
        cmocka_unit_test(extended_inodes),
        cmocka_unit_test(compact_inodes),
        cmocka_unit_test(no_inline_data),
        cmocka_unit_test(chunks),
        cmocka_unit_test(large_chunks),
        cmocka_unit_test(extended_attributes),
        cmocka_unit_test(compressed),
        cmocka_unit_test(wrong_superblocks),
        cmocka_unit_test(bad_checksum),
        cmocka_unit_test(damage),
        cmocka_unit_test(unreadable),
    };

    env_start(NULL, 0);
    assert_int_equal(fs_mkdir(NULL, "/i", 0755), 0);
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
