// SPDX-License-Identifier: MIT
// Names: path resolution, links, rename, unlink, folders, getdents, current folder, permissions.
#include "check.h"
#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void fresh(const char *name)
{
    close(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
}

static bool exists(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

static ino_t inode(const char *name)
{
    struct stat st;
    return lstat(name, &st) ? 0 : st.st_ino;
}

CHECK(path_dots_and_slashes)
{
    mkdir("d", 0700);
    fresh("d/f");
    EXPECT_EQ(inode("./d/../d//./f"), inode("d/f"));
    EXPECT_OK(access("d/", F_OK));
    EXPECT_ERR(access("d/f/", F_OK), ENOTDIR);
    EXPECT_ERR(access("d/f/.", F_OK), ENOTDIR);
    EXPECT_ERR(access("d/f/..", F_OK), ENOTDIR);
    EXPECT_EQ(inode("/.."), inode("/"));
}

CHECK(path_too_long)
{
    static char name[5000];
    memset(name, 'n', 256);
    EXPECT_ERR(access(name, F_OK), ENAMETOOLONG);
    EXPECT_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    name[255] = 0;
    EXPECT_ERR(access(name, F_OK), ENOENT);
    for (int i = 0; i < 4998; i += 2)
        memcpy(name + i, "./", 2);
    EXPECT_ERR(access(name, F_OK), ENAMETOOLONG);
    name[4095] = 0;
    EXPECT_OK(access(name, F_OK));
}

CHECK(path_bad_pointer)
{
    struct stat st;
    EXPECT_ERR(open(BAD_POINTER, O_RDONLY), EFAULT);
    EXPECT_ERR(syscall(SYS_newfstatat, AT_FDCWD, BAD_POINTER, &st, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_newfstatat, AT_FDCWD, ".", BAD_POINTER, 0), EFAULT);
    EXPECT_ERR(mkdir(BAD_POINTER, 0700), EFAULT);
    EXPECT_ERR(unlink(BAD_POINTER), EFAULT);
    EXPECT_ERR(chdir(BAD_POINTER), EFAULT);
    EXPECT_ERR(rename("x", BAD_POINTER), EFAULT);
    EXPECT_ERR(symlink(BAD_POINTER, "y"), EFAULT);
    EXPECT_ERR(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", BAD_POINTER, 100), EFAULT);
    EXPECT_ERR(syscall(SYS_getcwd, BAD_POINTER, 100), EFAULT);
}

CHECK(path_relative_to_a_descriptor)
{
    mkdir("base", 0700);
    int base = open("base", O_RDONLY | O_DIRECTORY), path = open("base", O_PATH);
    int fd = openat(base, "inner", O_RDWR | O_CREAT, 0600);
    EXPECT(fd >= 0);
    close(fd);
    EXPECT(exists("base/inner"));
    EXPECT_OK(faccessat(path, "inner", F_OK, 0));
    fd = open("base/inner", O_RDONLY);
    EXPECT_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
    EXPECT_ERR(openat(555, "x", O_RDONLY), EBADF);
    EXPECT_OK(faccessat(555, "/", F_OK, 0));
    close(fd);
    close(base);
    close(path);
}

CHECK(symlink_read_and_follow)
{
    char text[64];
    fresh("goal");
    EXPECT_OK(symlink("goal", "way"));
    EXPECT_EQ(readlink("way", text, sizeof text), 4);
    EXPECT_EQ(memcmp(text, "goal", 4), 0);
    EXPECT_EQ(readlink("way", text, 2), 2);
    EXPECT_ERR(readlink("goal", text, sizeof text), EINVAL);
    EXPECT_ERR(readlink("nothing", text, sizeof text), ENOENT);
    EXPECT_ERR(readlink("way", text, 0), EINVAL);
    EXPECT_ERR(symlink("goal", "way"), EEXIST);
    EXPECT_ERR(symlink("", "empty"), ENOENT);
    struct stat st;
    EXPECT_OK(lstat("way", &st));
    EXPECT(S_ISLNK(st.st_mode));
    EXPECT_EQ(st.st_size, 4);
    EXPECT_EQ(st.st_mode & 0777, 0777);
    EXPECT_OK(stat("way", &st));
    EXPECT(S_ISREG(st.st_mode));
}

CHECK(symlink_chain_limit)
{
    char from[16], to[16];
    fresh("chain0");
    for (int i = 1; i <= 41; i++) {
        snprintf(from, sizeof from, "chain%d", i - 1);
        snprintf(to, sizeof to, "chain%d", i);
        EXPECT_OK(symlink(from, to));
    }
    EXPECT_OK(access("chain40", F_OK));
    EXPECT_ERR(access("chain41", F_OK), ELOOP);
}

CHECK(symlink_in_the_middle_and_absolute)
{
    char here[PATH_MAX];
    mkdir("real", 0700);
    fresh("real/file");
    symlink("real", "alias");
    EXPECT_EQ(inode("alias/file"), inode("real/file"));
    EXPECT_EQ(inode("alias/../real/file"), inode("real/file"));
    EXPECT(getcwd(here, sizeof here - 10) != NULL);
    strcat(here, "/real");
    symlink(here, "absolute");
    EXPECT_EQ(inode("absolute/file"), inode("real/file"));
    EXPECT_ERR(unlink("alias/"), ENOTDIR);
    EXPECT_ERR(rmdir("alias"), ENOTDIR);
}

CHECK(hard_links)
{
    struct stat st;
    fresh("h1");
    EXPECT_OK(link("h1", "h2"));
    EXPECT_EQ(inode("h1"), inode("h2"));
    EXPECT_OK(stat("h1", &st));
    EXPECT_EQ(st.st_nlink, 2);
    EXPECT_ERR(link("h1", "h2"), EEXIST);
    EXPECT_ERR(link("nothing", "h3"), ENOENT);
    mkdir("hd", 0700);
    EXPECT_ERR(link("hd", "hd2"), EPERM);
    EXPECT_OK(unlink("h1"));
    EXPECT_OK(stat("h2", &st));
    EXPECT_EQ(st.st_nlink, 1);
    symlink("h2", "hs");
    EXPECT_OK(link("hs", "hs2"));
    EXPECT_OK(lstat("hs2", &st));
    EXPECT(S_ISLNK(st.st_mode));
    EXPECT_ERR(linkat(AT_FDCWD, "h2", AT_FDCWD, "h9", 0x40000), EINVAL);
}

CHECK(unlink_errors)
{
    mkdir("ud", 0700);
    EXPECT_ERR(unlink("ud"), EISDIR);
    EXPECT_ERR(unlink("nothing"), ENOENT);
    EXPECT_ERR(rmdir("nothing"), ENOENT);
    fresh("uf");
    EXPECT_ERR(rmdir("uf"), ENOTDIR);
    fresh("ud/x");
    EXPECT_ERR(rmdir("ud"), ENOTEMPTY);
    EXPECT_OK(unlinkat(AT_FDCWD, "ud/x", 0));
    EXPECT_OK(unlinkat(AT_FDCWD, "ud", AT_REMOVEDIR));
    EXPECT_ERR(unlinkat(AT_FDCWD, "uf", 0x77), EINVAL);
    EXPECT_ERR(rmdir("."), EINVAL);
    EXPECT_ERR(rmdir(".."), ENOTEMPTY);
}

CHECK(mkdir_errors_and_mode)
{
    struct stat st;
    EXPECT_OK(mkdir("md", 01777));
    EXPECT_OK(stat("md", &st));
    EXPECT_EQ(st.st_mode, S_IFDIR | 01755);
    EXPECT_EQ(st.st_nlink, 2);
    EXPECT_ERR(mkdir("md", 0700), EEXIST);
    EXPECT_ERR(mkdir("no/md", 0700), ENOENT);
    fresh("mf");
    EXPECT_ERR(mkdir("mf/x", 0700), ENOTDIR);
    EXPECT_OK(mkdir("md/sub", 0700));
    EXPECT_OK(stat("md", &st));
    EXPECT_EQ(st.st_nlink, 3);
    EXPECT_OK(mkdir("slash/", 0700));
}

CHECK(rename_file)
{
    fresh("r1");
    ino_t number = inode("r1");
    EXPECT_OK(rename("r1", "r2"));
    EXPECT(!exists("r1"));
    EXPECT_EQ(inode("r2"), number);
    fresh("r3");
    EXPECT_OK(rename("r2", "r3"));
    EXPECT_EQ(inode("r3"), number);
    EXPECT_ERR(rename("nothing", "r3"), ENOENT);
    EXPECT_OK(rename("r3", "r3"));
    EXPECT_EQ(inode("r3"), number);
}

CHECK(rename_folders)
{
    mkdir("rd1", 0700);
    fresh("rd1/inside");
    mkdir("rd2", 0700);
    EXPECT_OK(rename("rd1", "rd2"));
    EXPECT(exists("rd2/inside"));
    mkdir("rd3", 0700);
    EXPECT_ERR(rename("rd3", "rd2"), ENOTEMPTY);
    fresh("rf");
    EXPECT_ERR(rename("rf", "rd2"), EISDIR);
    EXPECT_ERR(rename("rd3", "rf"), ENOTDIR);
    EXPECT_ERR(rename("rd2", "rd2/below"), EINVAL);
    EXPECT_OK(rename("rd2", "rd3/moved"));
    EXPECT(exists("rd3/moved/inside"));
    EXPECT_EQ(inode("rd3/moved/.."), inode("rd3"));
}

CHECK(rename_flags)
{
    fresh("x1");
    fresh("x2");
    ino_t a = inode("x1"), b = inode("x2");
    EXPECT_ERR(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x2", RENAME_NOREPLACE), EEXIST);
    EXPECT_OK(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x2", RENAME_EXCHANGE));
    EXPECT_EQ(inode("x1"), b);
    EXPECT_EQ(inode("x2"), a);
    EXPECT_ERR(renameat2(AT_FDCWD, "x1", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
    EXPECT_ERR(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x2", 0x80), EINVAL);
    EXPECT_ERR(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x2", RENAME_NOREPLACE | RENAME_EXCHANGE),
               EINVAL);
    EXPECT_OK(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x9", RENAME_NOREPLACE));
}

CHECK(rename_of_links_of_one_file_does_nothing)
{
    fresh("same1");
    link("same1", "same2");
    EXPECT_OK(rename("same1", "same2"));
    EXPECT(exists("same1") && exists("same2"));
}

CHECK(current_folder)
{
    char name[PATH_MAX];
    mkdir("cwd", 0700);
    EXPECT_OK(chdir("cwd"));
    EXPECT(getcwd(name, sizeof name) != NULL);
    EXPECT_STR(strrchr(name, '/'), "/cwd");
    EXPECT_ERR(syscall(SYS_getcwd, name, 2), ERANGE);
    EXPECT_EQ(syscall(SYS_getcwd, name, sizeof name), (long)strlen(name) + 1);
    fresh("file");
    EXPECT_ERR(chdir("file"), ENOTDIR);
    EXPECT_ERR(chdir("nothing"), ENOENT);
    int up = open("..", O_RDONLY);
    EXPECT_OK(fchdir(up));
    close(up);
    EXPECT(exists("cwd/file"));
}

CHECK(current_folder_removed)
{
    char name[64];
    mkdir("gone", 0700);
    EXPECT_OK(chdir("gone"));
    EXPECT_OK(rmdir("../gone"));
    EXPECT_ERR(syscall(SYS_getcwd, name, sizeof name), ENOENT);
    EXPECT_ERR(open("new", O_CREAT | O_RDWR, 0600), ENOENT);
    EXPECT_OK(chdir(".."));
}

struct found {
    int count, dots;
    unsigned char type_of_a, type_of_dir, type_of_link;
};

static void list(const char *path, struct found *found)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    memset(found, 0, sizeof *found);
    while (folder && (entry = readdir(folder))) {
        found->count++;
        found->dots += !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
        if (!strcmp(entry->d_name, "a"))
            found->type_of_a = entry->d_type;
        if (!strcmp(entry->d_name, "dir"))
            found->type_of_dir = entry->d_type;
        if (!strcmp(entry->d_name, "link"))
            found->type_of_link = entry->d_type;
    }
    if (folder)
        closedir(folder);
}

CHECK(folder_listing)
{
    struct found found;
    mkdir("ls", 0700);
    fresh("ls/a");
    mkdir("ls/dir", 0700);
    symlink("a", "ls/link");
    list("ls", &found);
    EXPECT_EQ(found.count, 5);
    EXPECT_EQ(found.dots, 2);
    EXPECT_EQ(found.type_of_a, DT_REG);
    EXPECT_EQ(found.type_of_dir, DT_DIR);
    EXPECT_EQ(found.type_of_link, DT_LNK);
}

CHECK(folder_listing_of_many)
{
    char name[32];
    struct found found;
    mkdir("much", 0700);
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "much/a-long-name-%d", i);
        fresh(name);
    }
    list("much", &found);
    EXPECT_EQ(found.count, 702);
    // Removing while listing: every name is seen at most once and all can be removed.
    DIR *folder = opendir("much");
    struct dirent *entry;
    int removed = 0;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            removed += unlinkat(dirfd(folder), entry->d_name, 0) == 0;
    closedir(folder);
    EXPECT_EQ(removed, 700);
    EXPECT_OK(rmdir("much"));
}

CHECK(folder_rewind_and_seek)
{
    struct dirent *entry;
    mkdir("rw", 0700);
    fresh("rw/a");
    fresh("rw/b");
    DIR *folder = opendir("rw");
    int n = 0;
    while (readdir(folder))
        n++;
    EXPECT_EQ(n, 4);
    rewinddir(folder);
    fresh("rw/c");
    rewinddir(folder);
    entry = readdir(folder);
    long place = telldir(folder);
    entry = readdir(folder);
    char second[256];
    snprintf(second, sizeof second, "%s", entry->d_name);
    seekdir(folder, place);
    entry = readdir(folder);
    EXPECT_STR(entry->d_name, second);
    closedir(folder);
}

CHECK(getdents_errors)
{
    char buffer[512];
    fresh("notdir");
    int file = open("notdir", O_RDONLY), folder = open(".", O_RDONLY);
    EXPECT_ERR(syscall(SYS_getdents64, file, buffer, sizeof buffer), ENOTDIR);
    EXPECT_ERR(syscall(SYS_getdents64, folder, buffer, 5), EINVAL);
    EXPECT_ERR(syscall(SYS_getdents64, 555, buffer, sizeof buffer), EBADF);
    EXPECT_ERR(syscall(SYS_getdents64, folder, BAD_POINTER, 512), EFAULT);
    close(file);
    close(folder);
}

CHECK(access_modes)
{
    fresh("acc");
    chmod("acc", 0600);
    EXPECT_OK(access("acc", R_OK | W_OK));
    EXPECT_ERR(access("acc", X_OK), EACCES);
    EXPECT_ERR(access("nothing", F_OK), ENOENT);
    EXPECT_ERR(access("acc", 77), EINVAL);
    EXPECT_OK(syscall(SYS_faccessat2, AT_FDCWD, "acc", R_OK, AT_EACCESS));
    EXPECT_ERR(syscall(SYS_faccessat2, AT_FDCWD, "acc", R_OK, 0x8000), EINVAL);
}

CHECK(chmod_of_a_name_with_flags)
{
    // fchmodat2 came with Linux 6.6: an older kernel says ENOSYS.
    fresh("flagged");
    long result = syscall(SYS_fchmodat2, AT_FDCWD, "flagged", 0640, 0);
    if (result == -1 && errno == ENOSYS)
        SKIP("this kernel has no fchmodat2");
    struct stat st;
    EXPECT_OK(stat("flagged", &st));
    EXPECT_EQ(st.st_mode & 07777, 0640);
    symlink("flagged", "flagged-link");
    EXPECT_ERR(syscall(SYS_fchmodat2, AT_FDCWD, "flagged-link", 0600, AT_SYMLINK_NOFOLLOW),
               EOPNOTSUPP);
    EXPECT_ERR(syscall(SYS_fchmodat2, AT_FDCWD, "flagged", 0600, 0x8000), EINVAL);
}

CHECK(permissions_of_another_user)
{
    fresh("secret");
    chmod("secret", 0600);
    chmod(".", 0755);
    mkdir("closed", 0700);
    fresh("closed/file");
    mkdir("readonly", 0755);
    // The calling thread only: the kernel's calls, not the library's that change all threads.
    EXPECT_OK(syscall(SYS_setresuid, -1, 1000, -1));
    int error_open = open("secret", O_RDONLY) < 0 ? errno : 0;
    int error_enter = access("closed/file", F_OK) == 0 ? 0 : errno;
    int error_search = open("closed/file", O_RDONLY) < 0 ? errno : 0;
    int error_create = open("readonly/new", O_CREAT | O_RDWR, 0600) < 0 ? errno : 0;
    int error_chmod = chmod("secret", 0666) ? errno : 0;
    int error_list = open("closed", O_RDONLY) < 0 ? errno : 0;
    EXPECT_OK(syscall(SYS_setresuid, -1, 0, -1));
    EXPECT_EQ(error_open, EACCES);
    EXPECT_EQ(error_enter, 0); // access() uses the real user, still root
    EXPECT_EQ(error_search, EACCES);
    EXPECT_EQ(error_create, EACCES);
    EXPECT_EQ(error_chmod, EPERM);
    EXPECT_EQ(error_list, EACCES);
}

CHECK(sticky_folder_protects_others_files)
{
    chmod(".", 0755);
    mkdir("sticky", 01777);
    chmod("sticky", 01777);
    fresh("sticky/roots");
    EXPECT_OK(syscall(SYS_setresuid, -1, 1000, -1));
    int error = unlink("sticky/roots") ? errno : 0;
    int fd = open("sticky/mine", O_CREAT | O_RDWR, 0600);
    int own = unlink("sticky/mine");
    EXPECT_OK(syscall(SYS_setresuid, -1, 0, -1));
    EXPECT_EQ(error, EPERM);
    EXPECT(fd >= 0);
    EXPECT_EQ(own, 0);
    close(fd);
}

CHECK(mknod_fifo_and_device)
{
    struct stat st;
    EXPECT_OK(mkfifo("fifo", 0600));
    EXPECT_OK(stat("fifo", &st));
    EXPECT(S_ISFIFO(st.st_mode));
    EXPECT_ERR(mkfifo("fifo", 0600), EEXIST);
    EXPECT_OK(mknod("null", S_IFCHR | 0600, makedev(1, 3)));
    EXPECT_OK(stat("null", &st));
    EXPECT_EQ(st.st_rdev, makedev(1, 3));
    EXPECT_OK(mknod("plain-node", S_IFREG | 0600, 0));
    EXPECT_ERR(mknod("dir-node", S_IFDIR | 0600, 0), EPERM);
}

static void *open_writer(void *name)
{
    int fd = open(name, O_WRONLY);
    (void)!write(fd, "through", 7);
    close(fd);
    return NULL;
}

CHECK(fifo_open_waits_for_the_other_side)
{
    pthread_t thread;
    char text[16] = "";
    EXPECT_OK(mkfifo("meet", 0600));
    EXPECT_ERR(open("meet", O_WRONLY | O_NONBLOCK), ENXIO);
    EXPECT_EQ(pthread_create(&thread, NULL, open_writer, "meet"), 0);
    int fd = open("meet", O_RDONLY);
    EXPECT(fd >= 0);
    EXPECT_EQ(read(fd, text, 16), 7);
    EXPECT_STR(text, "through");
    pthread_join(thread, NULL);
    EXPECT_EQ(read(fd, text, 16), 0);
    close(fd);
}

CHECK(statfs_of_a_folder)
{
    struct statfs st;
    EXPECT_OK(statfs(".", &st));
    EXPECT_EQ(st.f_bsize, 4096);
    EXPECT_EQ(st.f_namelen, 255);
    EXPECT(st.f_type != 0);
    int fd = open(".", O_RDONLY);
    EXPECT_OK(fstatfs(fd, &st));
    close(fd);
    EXPECT_OK(statfs("/proc", &st));
    EXPECT_EQ(st.f_type, 0x9fa0);
    EXPECT_ERR(statfs("nothing", &st), ENOENT);
    EXPECT_ERR(syscall(SYS_statfs, ".", BAD_POINTER), EFAULT);
}

CHECK(chroot_changes_the_root)
{
    int old = open("/", O_RDONLY);
    char here[PATH_MAX];
    EXPECT(getcwd(here, sizeof here) != NULL);
    mkdir("newroot", 0700);
    fresh("newroot/marker");
    EXPECT_OK(chroot("newroot"));
    int inside = access("/marker", F_OK), dotdot = access("/../marker", F_OK);
    EXPECT_OK(fchdir(old));
    EXPECT_OK(chroot("."));
    EXPECT_OK(chdir(here));
    EXPECT_EQ(inside, 0);
    EXPECT_EQ(dotdot, 0);
    EXPECT_ERR(chroot("nothing"), ENOENT);
    close(old);
}
