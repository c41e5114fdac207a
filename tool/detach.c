/* SPDX-License-Identifier: MIT
 *
 * Splitting off the process that runs a detached guest. It ends with the guest and QEMU with it
 * (PR_SET_PDEATHSIG), so no daemon is needed and nothing stays behind when it is killed.
 */
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"

static void show_log(const struct guest_record *guest)
{
    char *path = guest_file(guest, "log");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char part[4096];
    ssize_t got;

    free(path);
    while (fd >= 0 && (got = read(fd, part, sizeof(part))) > 0)
        if (write(STDERR_FILENO, part, (size_t)got) != got)
            break;
    if (fd >= 0)
        close(fd);
}

static void show_started(struct guest_record *guest)
{
    json_t *port;
    size_t i;

    guest_refresh(guest); /* its guest.json was written meanwhile */
    json_array_foreach(json_object_get(guest->info, "ports"), i, port)
    {
        const char *address = json_string_value(json_object_get(port, "address"));

        message_note("%s:%d is the guest's port %d/%s", address && *address ? address : "localhost",
                     (int)json_integer_value(json_object_get(port, "host")),
                     (int)json_integer_value(json_object_get(port, "guest")),
                     json_string_value(json_object_get(port, "protocol")));
    }
    printf("%s\n", guest->name);
}

/* The command's side: until the byte that says that the program runs, or the end. */
static int wait_for_start(struct detached *detached, int from, pid_t process)
{
    int status = 0;
    ssize_t got;
    char byte;

    while ((got = read(from, &byte, 1)) < 0 && errno == EINTR)
        ;
    close(from);
    if (got == 1) {
        show_started(&detached->guest);
        guest_free(&detached->guest);
        return 0;
    }
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    show_log(&detached->guest);
    guest_remove(&detached->guest);
    guest_free(&detached->guest);
    if (!WIFEXITED(status))
        return message_error("the process that runs the guest was ended by signal %d",
                             WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* The guest's side: output and errors go to the file from now on. */
static int write_to_log(const char *path)
{
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (log < 0)
        return message_error("%s: %s", path, strerror(errno));
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    return 0;
}

static int leave_terminal(struct guest_record *guest)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), status;
    char *path;

    setsid();
    if (null < 0)
        return message_error("/dev/null: %s", strerror(errno));
    dup2(null, STDIN_FILENO);
    close(null);
    path = guest_file(guest, "log");
    status = write_to_log(path);
    free(path);
    return status;
}

void detached_wrote(void *context)
{
    struct detached *detached = context;
    struct stat log;
    char *path, *old;

    if (fstat(STDOUT_FILENO, &log) < 0 || log.st_size < DETACHED_LOG_MAX)
        return;
    path = guest_file(&detached->guest, "log");
    old = guest_file(&detached->guest, "log.old");
    if (rename(path, old) == 0)
        write_to_log(path);
    free(path);
    free(old);
}

int detach(struct detached *detached, const char *name, bool *is_guest)
{
    int tell[2];
    pid_t process;
    int status;

    *is_guest = false;
    if (!guest_name_is_good(name))
        return message_error("--name %s: with -d a name has letters, digits, '_', '.' and '-', at "
                             "most 63, the first a letter or digit",
                             name);
    status = guest_claim(&detached->guest, name);
    if (status)
        return status;
    if (pipe2(tell, O_CLOEXEC) < 0 || (process = fork()) < 0) {
        status = message_error("no process for the guest: %s", strerror(errno));
        guest_remove(&detached->guest);
        guest_free(&detached->guest);
        return status;
    }
    if (process) {
        close(tell[1]);
        return wait_for_start(detached, tell[0], process);
    }
    close(tell[0]);
    *is_guest = true;
    detached->tell = tell[1];
    return leave_terminal(&detached->guest);
}

void detached_started(void *context)
{
    struct detached *detached = context;

    if (detached->tell < 0)
        return;
    /* Nobody waits any more: the command was ended, so the guest is not wanted. */
    if (write(detached->tell, "", 1) != 1)
        kill(getpid(), SIGTERM);
    close(detached->tell);
    detached->tell = -1;
}

void detached_ended(struct detached *detached, int status)
{
    if (detached->tell < 0)
        guest_set_status(&detached->guest, status);
    guest_free(&detached->guest);
}
