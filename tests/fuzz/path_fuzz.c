/* SPDX-License-Identifier: MIT */
/*
 * Path walk and everything that takes names: an input is a list of calls, each an operation byte, a
 * number byte and one or two names that end with a byte of 0. The world is a fresh tmpfs each time.
 */
#include <stdlib.h>
#include <string.h>

#include <file/file.h>
#include <fs/context.h>
#include <fs/mount.h>
#include <fs/open.h>

#include "../../kernel/fs/fs.h"
#include "../unit/fs/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

static uint8_t take_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* The next name, in a buffer of exactly its size so that ASan sees a step too far. */
static char *take_name(struct input *input)
{
    const uint8_t *start = input->at;
    char *name;

    while (input->at < input->end && *input->at != 0 && input->at - start < PATH_MAX - 1)
        input->at++;
    name = malloc((size_t)(input->at - start) + 1);
    memcpy(name, start, (size_t)(input->at - start));
    name[input->at - start] = '\0';
    if (input->at < input->end)
        input->at++;
    return name;
}

static const unsigned lookups[] = {0,
                                   LOOKUP_FOLLOW,
                                   LOOKUP_FOLLOW | LOOKUP_BENEATH,
                                   LOOKUP_FOLLOW | LOOKUP_IN_ROOT,
                                   LOOKUP_NO_SYMLINKS,
                                   LOOKUP_FOLLOW | LOOKUP_NO_XDEV,
                                   LOOKUP_CACHED | LOOKUP_FOLLOW,
                                   LOOKUP_DIRECTORY | LOOKUP_EMPTY};

static void look(const struct path *at, const char *name, unsigned n)
{
    static char text[PATH_MAX];
    struct path path;
    ssize_t length;

    if (path_lookup(at, name, lookups[n % 8] | (n & 64 ? LOOKUP_NO_MAGICLINKS : 0), &path) != 0)
        return;
    length = path_name(&path, NULL, text, n & 128 ? sizeof(text) : n);
    if (length >= 0 && (size_t)length != strlen(text))
        abort();
    fs_readlink(&path, text, n);
    path_unref(&path);
}

static void open_one(const struct path *at, const char *name, unsigned n)
{
    static const unsigned flags[] = {O_RDONLY,
                                     O_RDWR | O_CREAT,
                                     O_WRONLY | O_CREAT | O_EXCL,
                                     O_RDWR | O_TRUNC,
                                     O_TMPFILE | O_RDWR,
                                     O_PATH | O_NOFOLLOW,
                                     O_RDONLY | O_DIRECTORY,
                                     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW};
    struct open_request request = {.flags = flags[n % 8], .mode = 0755, .lookup = 0};
    struct file *file;

    if (n & 8)
        request.lookup = lookups[(n >> 4) % 8] & ~(LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
    if (fs_open(at, name, &request, &file) == 0) {
        if (file->access & FILE_WRITE)
            file_write_kernel(file, name, strlen(name), n * 100);
        file_unref(file);
    }
}

static void run(const struct path *at, const char *name, unsigned n)
{
    struct file *file;

    if (fs_open_exec(at, name, lookups[n % 8], &file) == 0)
        fs_close_exec(file);
    dcache_prune(n);
}

/* chdir, and the current directory's name. */
static void enter(const struct path *at, const char *name, unsigned n)
{
    char text[300];
    struct path path;

    if (path_lookup(at, name, LOOKUP_FOLLOW, &path) == 0) {
        fs_chdir(&path);
        path_unref(&path);
    }
    path_cwd(text, n + 1);
}

static void step(const struct path *at, struct input *input)
{
    unsigned op = take_byte(input) % 16, n = take_byte(input);
    char *a = take_name(input), *b = op >= 8 && op < 12 ? take_name(input) : NULL;

    switch (op) {
    case 0:
    case 1:
        look(at, a, n);
        break;
    case 2:
    case 3:
        open_one(at, a, n);
        break;
    case 4:
        fs_mkdir(at, a, n << 2);
        break;
    case 5:
        fs_rmdir(at, a);
        break;
    case 6:
        fs_unlink(at, a);
        break;
    case 7:
        fs_mknod(at, a, n & 1 ? S_IFIFO : S_IFCHR, n);
        break;
    case 8:
        fs_symlink(a, at, b);
        break;
    case 9:
        fs_link(at, a, at, b, n & 1 ? LOOKUP_FOLLOW : 0);
        break;
    case 10:
    case 11:
        fs_rename(at, a, at, b, n & 7);
        break;
    case 12:
        fs_mount("none", at, a, "tmpfs", 0, "size=1m");
        break;
    case 13:
        fs_unmount(at, a, n & 1 ? 2 : 0);
        break;
    case 14:
        run(at, a, n);
        break;
    default:
        enter(at, a, n);
        break;
    }
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    static struct cred user;
    static bool started;
    struct path world;

    if (!started) {
        env_start(NULL, 0);
        fs_mkdir(NULL, "/w", 0777);
        user = cred_root;
        user.uid = user.euid = user.fsuid = 1000;
        user.gid = user.egid = user.fsgid = 1000;
        user.cap_effective = 0;
        started = true;
    }
    if (fs_mount("world", NULL, "/w", "tmpfs", 0, "size=4m,mode=777") != 0 ||
        path_lookup(NULL, "/w", LOOKUP_FOLLOW, &world) != 0)
        abort();
    if (size > 0 && data[0] & 1)
        env_act_as(&user);
    fs_chroot(&world);
    fs_chdir(&world);
    for (unsigned i = 0; i < 100 && input.at < input.end; i++)
        step(i & 1 ? &world : NULL, &input);
    env_act_as(&cred_root);
    path_unref(&world);
    /* Back to the true root: the first mount's. */
    struct mount *first = mount_at_index(0);
    world = (struct path){first, dentry_ref(first->root)};
    fs_chroot(&world);
    fs_chdir(&world);
    path_unref(&world);
    while (fs_unmount(NULL, "/w", 2) == 0)
        ; /* the input may have mounted more over it, or unmounted it itself */
    return 0;
}
