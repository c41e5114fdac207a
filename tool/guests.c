/* SPDX-License-Identifier: MIT
 *
 * The files of detached guests.
 */
#include "guests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "message.h"

#define NAME_MAX_LENGTH 63

bool guest_name_is_good(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t length = strlen(name);

    return length && length <= NAME_MAX_LENGTH && strchr(first, name[0]) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               length;
}

static char *state_folder(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (state && state[0] == '/')
        return text_format("%s/remora/guests", state);
    if (home && home[0] == '/')
        return text_format("%s/.local/state/remora/guests", home);
    message_error("neither XDG_STATE_HOME nor HOME is set; set one to say where guests are noted");
    return NULL;
}

char *guest_file(const struct guest_record *guest, const char *name)
{
    return text_format("%s/%s", guest->folder, name);
}

static int report_file(const struct guest_record *guest, const char *name, int error)
{
    return message_error("%s/%s: %s", guest->folder, name, strerror(error));
}

void guest_free(struct guest_record *guest)
{
    if (guest->lock >= 0)
        close(guest->lock);
    free(guest->name);
    free(guest->folder);
    json_decref(guest->info);
    *guest = (struct guest_record){.lock = -1};
}

static int init(struct guest_record *guest, const char *name)
{
    char *folder = state_folder();

    *guest = (struct guest_record){.lock = -1};
    if (folder == NULL)
        return STATUS_ERROR;
    guest->name = text_copy(name);
    guest->folder = text_format("%s/%s", folder, name);
    guest->info = json_object();
    free(folder);
    return 0;
}

static int open_in(const struct guest_record *guest, const char *name, int flags)
{
    char *path = guest_file(guest, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);

    free(path);
    return fd;
}

/* --- Claiming a name. --------------------------------------------------------------------------
 */

/* Locks of the open file, not of the process: they outlast a fork and are asked about, not tried.
 */
static bool lock_take(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool lock_is_held(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* A lock counts only while it is the file of that name: another may have removed it meanwhile. */
static bool lock_is_current(const struct guest_record *guest)
{
    char *path = guest_file(guest, "lock");
    struct stat held, named;
    bool result = fstat(guest->lock, &held) == 0 && stat(path, &named) == 0 &&
                  held.st_ino == named.st_ino && held.st_dev == named.st_dev;

    free(path);
    return result;
}

static int take_lock(struct guest_record *guest)
{
    for (int tries = 0; tries < 100; tries++) {
        int error = make_folders(guest->folder);

        if (error)
            return message_error("%s: %s; set XDG_STATE_HOME to a folder that can be written",
                                 guest->folder, strerror(-error));
        guest->lock = open_in(guest, "lock", O_RDWR | O_CREAT);
        if (guest->lock < 0 && errno == ENOENT)
            continue;
        if (guest->lock < 0)
            return report_file(guest, "lock", errno);
        if (!lock_take(guest->lock))
            return message_error("a guest named %s is running; `remora stop %s` ends it, or choose "
                                 "another --name",
                                 guest->name, guest->name);
        if (lock_is_current(guest))
            return 0;
        close(guest->lock);
        guest->lock = -1;
    }
    return message_error("%s: others make and remove it all the time", guest->folder);
}

static void remove_file(const struct guest_record *guest, const char *name)
{
    char *path = guest_file(guest, name);

    unlink(path);
    free(path);
}

int guest_claim(struct guest_record *guest, const char *name)
{
    int status = init(guest, name);

    if (status == 0)
        status = take_lock(guest);
    if (status) {
        guest_free(guest);
        return status;
    }
    remove_file(guest, "guest.json");
    remove_file(guest, "log");
    remove_file(guest, "log.old");
    remove_file(guest, "status");
    return 0;
}

int guest_remove(struct guest_record *guest)
{
    static const char *const files[] = {"guest.json", "log", "log.old", "status", "lock"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        remove_file(guest, files[i]);
    if (rmdir(guest->folder) < 0 && errno != ENOENT)
        return message_error("%s: %s", guest->folder, strerror(errno));
    return 0;
}

static json_t *json_of_ports(const struct network *network)
{
    json_t *list = json_array();

    for (size_t i = 0; i < network->port_count; i++) {
        const struct port *port = &network->ports[i];

        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s}", "address", port->address,
                                              "host", port->host, "guest", port->guest, "protocol",
                                              port->udp ? "udp" : "tcp"));
    }
    return list;
}

int guest_describe(struct guest_record *guest, const struct options *options,
                   const struct network *network)
{
    json_t *command = json_array();
    char *path = guest_file(guest, "guest.json");
    int status = 0;

    json_array_append_new(command, json_string(options->source));
    for (size_t i = 0; i < options->args.count; i++)
        json_array_append_new(command, json_string(options->args.item[i]));
    json_decref(guest->info);
    guest->info =
        json_pack("{s:s, s:i, s:I, s:o, s:o}", "name", guest->name, "pid", (int)getpid(), "started",
                  (json_int_t)time(NULL), "command", command, "ports", json_of_ports(network));
    if (guest->info == NULL || json_dump_file(guest->info, path, JSON_INDENT(2)) < 0)
        status = message_error("%s: cannot be written", path);
    free(path);
    return status;
}

int guest_set_status(struct guest_record *guest, int status)
{
    int fd = open_in(guest, "status", O_WRONLY | O_CREAT | O_TRUNC);
    int result = 0;

    if (fd < 0 || dprintf(fd, "%d\n", status) < 0)
        result = report_file(guest, "status", errno);
    if (fd >= 0)
        close(fd);
    return result;
}

/* --- Looking at guests. ------------------------------------------------------------------------
 */

void guest_refresh(struct guest_record *guest)
{
    char *path = guest_file(guest, "guest.json");
    json_t *info = json_load_file(path, 0, NULL);
    char text[16] = "";
    int fd;

    free(path);
    if (json_is_object(info)) {
        json_decref(guest->info);
        guest->info = info;
    } else {
        json_decref(info);
    }
    if (lock_is_held(guest->lock)) {
        guest->state = GUEST_RUNNING;
        return;
    }
    fd = open_in(guest, "status", O_RDONLY);
    guest->state = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? GUEST_EXITED : GUEST_LOST;
    guest->status = atoi(text);
    if (fd >= 0)
        close(fd);
}

int guest_find(struct guest_record *guest, const char *name)
{
    int status = 0;

    if (!guest_name_is_good(name))
        return message_error("%s: no name of a guest; `remora ps -a` lists them", name);
    status = init(guest, name);
    if (status)
        return status;
    guest->lock = open_in(guest, "lock", O_RDWR);
    if (guest->lock < 0) {
        status = errno == ENOENT
                     ? message_error("no guest is named %s; `remora ps -a` lists them", name)
                     : report_file(guest, "lock", errno);
        guest_free(guest);
        return status;
    }
    guest_refresh(guest);
    return 0;
}

int guest_list(struct guest_record **guests, size_t *count)
{
    char *folder = state_folder();
    struct dirent **entries = NULL;
    int found;

    *guests = NULL;
    *count = 0;
    if (folder == NULL)
        return STATUS_ERROR;
    found = scandir(folder, &entries, NULL, alphasort);
    if (found < 0 && errno != ENOENT) {
        int status = message_error("%s: %s", folder, strerror(errno));

        free(folder);
        return status;
    }
    free(folder);
    *guests = memory_alloc(((found > 0 ? (size_t)found : 0) + 1) * sizeof(**guests));
    for (int i = 0; i < found; i++) {
        char *lock = NULL;

        if (guest_name_is_good(entries[i]->d_name) &&
            init(&(*guests)[*count], entries[i]->d_name) == 0) {
            lock = guest_file(&(*guests)[*count], "lock");
            if (access(lock, F_OK) == 0 &&
                ((*guests)[*count].lock = open(lock, O_RDWR | O_CLOEXEC)) >= 0)
                guest_refresh(&(*guests)[(*count)++]);
            else
                guest_free(&(*guests)[*count]);
        }
        free(lock);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

pid_t guest_process(const struct guest_record *guest)
{
    return (pid_t)json_integer_value(json_object_get(guest->info, "pid"));
}
