/* SPDX-License-Identifier: MIT */
/* The walk: links, dots, mounts, openat2's restrictions, permissions, and names of places. */
#include "env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <file/file.h>
#include <fs/context.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <lib/errno.h>

static struct cred nobody;

static int look(const char *name, unsigned flags)
{
    struct path path;
    int error = path_lookup(NULL, name, flags, &path);

    if (error == 0)
        path_unref(&path);
    return error;
}

/* What name leads to, told as a name again. */
static const char *place(const char *name, unsigned flags)
{
    static char text[PATH_MAX];
    struct path path;
    int error = path_lookup(NULL, name, flags, &path);

    if (error != 0) {
        snprintf(text, sizeof(text), "error %d", -error);
        return text;
    }
    assert_true(path_name(&path, NULL, text, sizeof(text)) > 0);
    path_unref(&path);
    return text;
}

static int make_world(void **unused)
{
    (void)unused;
    env_start(NULL, 0);
    fs_mkdir(NULL, "/a", 0755);
    fs_mkdir(NULL, "/a/b", 0755);
    fs_mkdir(NULL, "/a/b/c", 0755);
    fs_mkdir(NULL, "/m", 0755);
    fs_mkdir(NULL, "/secret", 0700);
    env_write("/secret/file", 0, "x", 1);
    env_write("/a/file", 0, "hello", 5);
    fs_symlink("b/c", NULL, "/a/rel");
    fs_symlink("/a/b", NULL, "/a/abs");
    fs_symlink("loop2", NULL, "/loop1");
    fs_symlink("loop1", NULL, "/loop2");
    fs_symlink("../file", NULL, "/a/b/up");
    fs_symlink("nowhere", NULL, "/dangling");
    fs_symlink("file/", NULL, "/a/slash");
    nobody = cred_root;
    nobody.uid = nobody.euid = nobody.fsuid = 65534;
    nobody.gid = nobody.egid = nobody.fsgid = 65534;
    nobody.cap_effective = nobody.cap_permitted = 0;
    return 0;
}

static void plain_names(void **unused)
{
    (void)unused;
    assert_string_equal(place("/", 0), "/");
    assert_string_equal(place("//a//b/./c/..", 0), "/a/b");
    assert_string_equal(place("/..", 0), "/");
    assert_string_equal(place("/../../a", 0), "/a");
    assert_string_equal(place("/a/.", 0), "/a");
    assert_string_equal(place("/a/b/", 0), "/a/b");
    assert_int_equal(look("", 0), -ENOENT);
    assert_int_equal(look("", LOOKUP_EMPTY), 0);
    assert_int_equal(look("/none", 0), -ENOENT);
    assert_int_equal(look("/none/x", 0), -ENOENT);
    assert_int_equal(look("/a/file/", 0), -ENOTDIR);
    assert_int_equal(look("/a/file/.", 0), -ENOTDIR);
    assert_int_equal(look("/a/file/x", 0), -ENOTDIR);
    assert_int_equal(look("/a/file/..", 0), -ENOTDIR);
    assert_int_equal(look("/a/file", LOOKUP_DIRECTORY), -ENOTDIR);
}

static void links(void **unused)
{
    (void)unused;
    assert_string_equal(place("/a/rel", LOOKUP_FOLLOW), "/a/b/c");
    assert_string_equal(place("/a/rel", 0), "/a/rel");
    assert_string_equal(place("/a/rel/", 0), "/a/b/c");
    assert_string_equal(place("/a/rel/..", 0), "/a/b");
    assert_string_equal(place("/a/abs/c", 0), "/a/b/c");
    assert_string_equal(place("/a/abs/up", LOOKUP_FOLLOW), "/a/file");
    assert_int_equal(look("/loop1", LOOKUP_FOLLOW), -ELOOP);
    assert_int_equal(look("/loop1/x", 0), -ELOOP);
    assert_int_equal(look("/loop1", 0), 0);
    assert_int_equal(look("/dangling", LOOKUP_FOLLOW), -ENOENT);
    assert_int_equal(look("/dangling", 0), 0);
    assert_int_equal(look("/a/slash", LOOKUP_FOLLOW), -ENOTDIR);
}

static void forty_links(void **unused)
{
    char name[40], target[40];

    (void)unused;
    fs_mkdir(NULL, "/links", 0755);
    env_write("/links/0", 0, "x", 1);
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "/links/%d", i);
        snprintf(target, sizeof(target), i % 2 ? "%d" : "/links/./%d", i - 1);
        assert_int_equal(fs_symlink(target, NULL, name), 0);
    }
    assert_int_equal(look("/links/40", LOOKUP_FOLLOW), 0);
    assert_int_equal(look("/links/41", LOOKUP_FOLLOW), -ELOOP);
    /* a link in the middle of each: what is left is put aside 40 deep */
    fs_mkdir(NULL, "/deep", 0755);
    fs_mkdir(NULL, "/deep/0", 0755);
    env_write("/deep/0/f", 0, "x", 1);
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "/deep/%d", i);
        snprintf(target, sizeof(target), "%d/../%d", i - 1, 0);
        assert_int_equal(fs_symlink(target, NULL, name), 0);
    }
    assert_int_equal(look("/deep/40/f", 0), 0);
    assert_int_equal(look("/deep/41/f", 0), -ELOOP);
}

static void long_names(void **unused)
{
    char *name = malloc(PATH_MAX + 10);

    (void)unused;
    memset(name, 'n', 300);
    name[0] = '/';
    name[256] = '\0';
    assert_int_equal(look(name, 0), -ENOENT);
    assert_int_equal(fs_mkdir(NULL, name, 0755), 0);
    assert_int_equal(look(name, 0), 0);
    assert_int_equal(fs_rmdir(NULL, name), 0);
    name[256] = 'n';
    name[257] = '\0';
    assert_int_equal(look(name, 0), -ENAMETOOLONG);
    assert_int_equal(fs_mkdir(NULL, name, 0755), -ENAMETOOLONG);
    name[257] = '/';
    strcpy(name + 258, "x");
    assert_int_equal(look(name, 0), -ENAMETOOLONG);
    free(name);
}

static void mounts(void **unused)
{
    struct inode_stat outside, inside;
    struct path path;

    (void)unused;
    assert_int_equal(env_stat("/m", &outside), 0);
    assert_int_equal(fs_mount("x", NULL, "/m", "tmpfs", 0, "size=64k,mode=1777"), 0);
    assert_int_equal(env_stat("/m", &inside), 0);
    assert_int_not_equal(inside.dev, outside.dev);
    assert_int_equal(inside.mode & 07777, 01777);
    assert_true(inside.is_mount_root);
    assert_int_equal(fs_mkdir(NULL, "/m/d", 0755), 0);
    assert_string_equal(place("/m/d", 0), "/m/d");
    assert_string_equal(place("/m/d/../..", 0), "/");
    assert_string_equal(place("/m/..", 0), "/");
    assert_int_equal(fs_rmdir(NULL, "/m"), -EBUSY);
    assert_int_equal(fs_rename(NULL, "/m", NULL, "/n", 0), -EBUSY);
    assert_int_equal(fs_rename(NULL, "/m/d", NULL, "/d", 0), -EXDEV);
    assert_int_equal(fs_link(NULL, "/a/file", NULL, "/m/file", 0), -EXDEV);
    assert_int_equal(look("/m/d", LOOKUP_NO_XDEV), -EXDEV);
    assert_int_equal(path_lookup(NULL, "/m/d", 0, &path), 0);
    assert_int_equal(fs_unmount(NULL, "/m", 0), -EBUSY);
    path_unref(&path);
    assert_int_equal(fs_unmount(NULL, "/m/d", 0), -EINVAL);
    assert_int_equal(fs_mount("/a", NULL, "/m/d", NULL, MS_BIND, NULL), 0);
    assert_string_equal(place("/m/d/b", 0), "/m/d/b");
    assert_int_equal(fs_unmount(NULL, "/m", 0), -EBUSY);
    assert_int_equal(fs_mount(NULL, NULL, "/m/d", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(env_write("/m/d/file", 0, "y", 1), -EROFS);
    assert_int_equal(fs_mkdir(NULL, "/m/d/new", 0755), -EROFS);
    assert_int_equal(fs_unmount(NULL, "/m", 2 /* MNT_DETACH */), 0);
    assert_int_equal(look("/m/d", 0), -ENOENT);
    assert_int_equal(fs_mount("x", NULL, "/m", "nofs", 0, NULL), -ENODEV);
    assert_int_equal(fs_mount("x", NULL, "/a/file", "tmpfs", 0, NULL), -ENOTDIR);
}

static void full_tmpfs(void **unused)
{
    char data[4096] = {1};
    struct statfs_info info;
    struct path path;
    unsigned flags;

    (void)unused;
    assert_int_equal(fs_mount("x", NULL, "/m", "tmpfs", 0, "size=64k"), 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(env_write("/m/f", i * 4096ul, data, 4096), 4096);
    assert_int_equal(env_write("/m/f", 16 * 4096, data, 4096), -ENOSPC);
    assert_int_equal(env_write("/m/f", 15 * 4096, data, 4096), 4096);
    assert_int_equal(env_write("/m/f", 15 * 4096 + 1, data, 4096), 4095);
    assert_int_equal(path_lookup(NULL, "/m", 0, &path), 0);
    assert_int_equal(fs_statfs(&path, &info, &flags), 0);
    assert_int_equal(info.blocks, 16);
    assert_int_equal(info.blocks_free, 0);
    assert_int_equal(env_truncate("/m/f", 4096), 0);
    assert_int_equal(fs_statfs(&path, &info, &flags), 0);
    assert_int_equal(info.blocks_free, 15);
    assert_int_equal(fs_unlink(NULL, "/m/f"), 0);
    dcache_prune(SIZE_MAX);
    assert_int_equal(fs_statfs(&path, &info, &flags), 0);
    assert_int_equal(info.blocks_free, 16);
    path_unref(&path);
    assert_int_equal(fs_unmount(NULL, "/m", 0), 0);
}

static void resolve_flags(void **unused)
{
    struct path at, path;

    (void)unused;
    assert_int_equal(path_lookup(NULL, "/a", 0, &at), 0);
    assert_int_equal(path_lookup(&at, "/a", LOOKUP_BENEATH, &path), -EXDEV);
    assert_int_equal(path_lookup(&at, "..", LOOKUP_BENEATH, &path), -EXDEV);
    assert_int_equal(path_lookup(&at, "b/../../a", LOOKUP_BENEATH, &path), -EXDEV);
    assert_int_equal(path_lookup(&at, "abs", LOOKUP_BENEATH | LOOKUP_FOLLOW, &path), -EXDEV);
    assert_int_equal(path_lookup(&at, "rel", LOOKUP_NO_SYMLINKS | LOOKUP_FOLLOW, &path), -ELOOP);
    assert_int_equal(path_lookup(&at, "rel", LOOKUP_NO_SYMLINKS, &path), 0);
    path_unref(&path);
    assert_int_equal(path_lookup(&at, "b/..", LOOKUP_BENEATH, &path), 0);
    path_unref(&path);
    assert_int_equal(path_lookup(&at, "rel", LOOKUP_BENEATH | LOOKUP_FOLLOW, &path), 0);
    path_unref(&path);
    assert_int_equal(path_lookup(&at, "/b/../../../b", LOOKUP_IN_ROOT, &path), 0);
    path_unref(&path);
    assert_int_equal(path_lookup(&at, "abs", LOOKUP_IN_ROOT | LOOKUP_FOLLOW, &path), -ENOENT);
    dcache_prune(SIZE_MAX);
    assert_int_equal(path_lookup(&at, "b", LOOKUP_CACHED, &path), -EAGAIN);
    path_unref(&at);
}

static void permissions(void **unused)
{
    struct inode_stat stat;
    struct file *file;

    (void)unused;
    env_act_as(&nobody);
    assert_int_equal(env_stat("/secret/file", &stat), -EACCES);
    assert_int_equal(env_open("/secret/file", O_RDONLY, 0, &file), -EACCES);
    assert_int_equal(env_open("/a/file", O_WRONLY, 0, &file), -EACCES);
    assert_int_equal(env_open("/a/file", O_RDONLY | O_TRUNC, 0, &file), -EACCES);
    assert_int_equal(env_open("/a/file", O_RDONLY | O_NOATIME, 0, &file), -EPERM);
    assert_int_equal(fs_mkdir(NULL, "/a/mine", 0755), -EACCES);
    assert_int_equal(fs_unlink(NULL, "/a/file"), -EACCES);
    assert_int_equal(fs_mknod(NULL, "/a/null", S_IFCHR | 0666, makedev(1, 3)), -EPERM);
    assert_int_equal(fs_mount("x", NULL, "/m", "tmpfs", 0, NULL), -EPERM);
    env_act_as(&cred_root);
    fs_mkdir(NULL, "/tmp", 0);
    struct path tmp;
    struct attr_change change = {.set = ATTR_MODE, .mode = 01777};
    assert_int_equal(path_lookup(NULL, "/tmp", 0, &tmp), 0);
    assert_int_equal(fs_setattr(&tmp, &change), 0);
    path_unref(&tmp);
    assert_int_equal(env_write("/tmp/roots", 0, "x", 1), 1);
    env_act_as(&nobody);
    assert_int_equal(env_write("/tmp/mine", 0, "x", 1), 1);
    assert_int_equal(fs_unlink(NULL, "/tmp/roots"), -EPERM);
    assert_int_equal(fs_rename(NULL, "/tmp/roots", NULL, "/tmp/other", 0), -EPERM);
    assert_int_equal(fs_rename(NULL, "/tmp/mine", NULL, "/tmp/roots", 0), -EPERM);
    assert_int_equal(fs_unlink(NULL, "/tmp/mine"), 0);
    env_act_as(&cred_root);
}

static void removed_places(void **unused)
{
    char text[100];
    struct path path;
    struct file *file;

    (void)unused;
    assert_int_equal(fs_mkdir(NULL, "/gone", 0755), 0);
    assert_int_equal(path_lookup(NULL, "/gone", 0, &path), 0);
    assert_int_equal(fs_rmdir(NULL, "/gone"), 0);
    assert_true(path_name(&path, NULL, text, sizeof(text)) > 0);
    assert_string_equal(text, "/gone (deleted)");
    assert_int_equal(fs_mkdir(&path, "x", 0755), -ENOENT);
    assert_int_equal(path_name(&path, NULL, text, 5), -ENAMETOOLONG);
    path_unref(&path);
    assert_int_equal(fs_memfd("name", 2, &file), 0);
    assert_int_equal(path_of_file(file, &path), 0);
    assert_true(path_name(&path, NULL, text, sizeof(text)) > 0);
    assert_string_equal(text, "/memfd:name (deleted)");
    assert_int_equal(fs_get_seals(file), 0);
    assert_int_equal(fs_add_seals(file, 2), 0);
    assert_int_equal(fs_get_seals(file), 2);
    file_unref(file);
}

static void unnamed_files(void **unused)
{
    struct file *file;
    struct path path, dir;

    (void)unused;
    assert_int_equal(env_open("/a", O_TMPFILE | O_RDWR, 0600, &file), 0);
    assert_int_equal(file_write_kernel(file, "data", 4, 0), 4);
    assert_int_equal(path_of_file(file, &path), 0);
    assert_int_equal(path_inode(&path)->nlink, 0);
    assert_int_equal(path_lookup(NULL, "/a", 0, &dir), 0);
    assert_int_equal(fs_link(&path, "", &dir, "named", LOOKUP_EMPTY), 0);
    path_unref(&dir);
    assert_int_equal(look("/a/named", 0), 0);
    file_unref(file);
    assert_int_equal(fs_unlink(NULL, "/a/named"), 0);
    assert_int_equal(env_open("/a", O_TMPFILE | O_EXCL | O_RDWR, 0600, &file), 0);
    assert_int_equal(path_of_file(file, &path), 0);
    assert_int_equal(fs_link(&path, "", NULL, "/a/named", LOOKUP_EMPTY), -ENOENT);
    file_unref(file);
}

static void executables(void **unused)
{
    struct file *exec = NULL, *file;

    (void)unused;
    assert_int_equal(fs_open_exec(NULL, "/a/file", LOOKUP_FOLLOW, &exec), -EACCES);
    assert_int_equal(env_open("/a/program", O_WRONLY | O_CREAT, 0755, &file), 0);
    assert_int_equal(fs_open_exec(NULL, "/a/program", LOOKUP_FOLLOW, &exec), -ETXTBSY);
    assert_null(exec);
    file_unref(file);
    assert_int_equal(fs_open_exec(NULL, "/a/program", LOOKUP_FOLLOW, &exec), 0);
    assert_int_equal(env_open("/a/program", O_WRONLY, 0, &file), -ETXTBSY);
    assert_int_equal(env_truncate("/a/program", 0), -ETXTBSY);
    fs_close_exec(exec);
    assert_int_equal(env_open("/a/program", O_WRONLY, 0, &file), 0);
    file_unref(file);
}

static void devices_and_proc(void **unused)
{
    char text[2000];

    (void)unused;
    assert_int_equal(env_read("/dev/zero", 0, text, 100), 100);
    assert_int_equal(text[99], 0);
    assert_int_equal(env_read("/dev/null", 0, text, 100), 0);
    assert_int_equal(env_write("/dev/full", 0, "x", 1), -ENOSPC);
    assert_true(env_read("/proc/filesystems", 0, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "nodev\ttmpfs\n"));
    assert_int_equal(fs_mkdir(NULL, "/proc/x", 0755), -ENOENT);
    assert_int_equal(fs_mknod(NULL, "/dev/other-null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(env_write("/dev/other-null", 0, "x", 1), 1);
    assert_int_equal(fs_unlink(NULL, "/dev/null"), 0);
    assert_int_equal(look("/dev/null", 0), -ENOENT);
    assert_int_equal(fs_mknod(NULL, "/a/none", S_IFCHR | 0666, makedev(250, 3)), 0);
    assert_int_equal(env_write("/a/none", 0, "x", 1), -ENXIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names),    cmocka_unit_test(links),
        cmocka_unit_test(forty_links),    cmocka_unit_test(long_names),
        cmocka_unit_test(mounts),         cmocka_unit_test(full_tmpfs),
        cmocka_unit_test(resolve_flags),  cmocka_unit_test(permissions),
        cmocka_unit_test(removed_places), cmocka_unit_test(unnamed_files),
        cmocka_unit_test(executables),    cmocka_unit_test(devices_and_proc),
    };

    return cmocka_run_group_tests(tests, make_world, NULL);
}
