/* SPDX-License-Identifier: MIT
 *
 * `remora ps`, `logs`, `stop` and `rm`: guests that run detached.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "guests.h"
#include "message.h"

#define STOP_SECONDS  10
#define LOOK_AGAIN_NS 50000000 /* a detached guest is no child: its end has to be looked for */
#define KILL_SECONDS  2        /* between ending a guest and killing the process that runs it */

static void pause_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- ps. ---------------------------------------------------------------------------------------
 */

static char *state_text(const struct guest_record *guest)
{
    switch (guest->state) {
    case GUEST_RUNNING:
        return text_copy("running");
    case GUEST_EXITED:
        return text_format("exited %d", guest->status);
    default:
        return text_copy("lost");
    }
}

static char *ports_text(const struct guest_record *guest)
{
    struct buffer text = {0};
    json_t *port;
    size_t i;

    json_array_foreach(json_object_get(guest->info, "ports"), i, port)
    {
        const char *address = json_string_value(json_object_get(port, "address"));
        const char *protocol = json_string_value(json_object_get(port, "protocol"));

        buffer_format(&text, "%s%s%s%d:%d%s", i ? "," : "", address ? address : "",
                      address && *address ? ":" : "",
                      (int)json_integer_value(json_object_get(port, "host")),
                      (int)json_integer_value(json_object_get(port, "guest")),
                      protocol && strcmp(protocol, "udp") == 0 ? "/udp" : "");
    }
    return text.data ? text.data : text_copy("-");
}

static char *command_text(const struct guest_record *guest)
{
    struct buffer text = {0};
    json_t *word;
    size_t i;

    json_array_foreach(json_object_get(guest->info, "command"), i, word)
        buffer_format(&text, "%s%s", i ? " " : "", json_string_value(word));
    return text.data ? text.data : text_copy("-");
}

static void print_guest(const struct guest_record *guest)
{
    char *state = state_text(guest), *ports = ports_text(guest), *command = command_text(guest);

    printf("%-20s %-11s %-20s %s\n", guest->name, state, ports, command);
    free(state);
    free(ports);
    free(command);
}

static json_t *json_of_guest(const struct guest_record *guest)
{
    static const char *const states[] = {"running", "exited", "lost"};
    json_t *object = json_deep_copy(guest->info);

    json_object_set_new(object, "name", json_string(guest->name));
    json_object_set_new(object, "state", json_string(states[guest->state]));
    if (guest->state == GUEST_EXITED)
        json_object_set_new(object, "status", json_integer(guest->status));
    if (guest->state != GUEST_RUNNING)
        json_object_del(object, "pid"); /* may be another process's by now */
    return object;
}

static void print_guests(const struct guest_record *guests, size_t count, bool all, bool as_json)
{
    json_t *list = json_array();

    if (!as_json)
        printf("%-20s %-11s %-20s %s\n", "NAME", "STATE", "PORTS", "COMMAND");
    for (size_t i = 0; i < count; i++) {
        if (!all && guests[i].state != GUEST_RUNNING)
            continue;
        if (as_json)
            json_array_append_new(list, json_of_guest(&guests[i]));
        else
            print_guest(&guests[i]);
    }
    if (as_json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
}

int command_ps(char *const argv[])
{
    struct guest_record *guests;
    bool all = false, as_json = false;
    size_t count;
    int status;

    for (; *argv; argv++)
        if (strcmp(*argv, "-a") == 0)
            all = true;
        else if (strcmp(*argv, "--json") == 0)
            as_json = true;
        else
            return message_error("usage: remora ps [-a] [--json]");
    status = guest_list(&guests, &count);
    if (status)
        return status;
    print_guests(guests, count, all, as_json);
    for (size_t i = 0; i < count; i++)
        guest_free(&guests[i]);
    free(guests);
    return 0;
}

/* --- logs. -------------------------------------------------------------------------------------
 */

/* What the log has from its offset on. */
static int copy_log(int log)
{
    static char part[1 << 16];
    ssize_t got;

    while ((got = read(log, part, sizeof(part))) > 0)
        for (ssize_t done = 0; done < got;) {
            ssize_t more = write(STDOUT_FILENO, part + done, (size_t)(got - done));

            if (more < 0 && errno != EINTR)
                return message_error("standard output: %s", strerror(errno));
            done += more > 0 ? more : 0;
        }
    return got < 0 ? message_error("the log: %s", strerror(errno)) : 0;
}

static int open_log(const struct guest_record *guest, const char *name)
{
    char *path = guest_file(guest, name);
    int log = open(path, O_RDONLY | O_CLOEXEC);

    free(path);
    return log;
}

/* What was written to the log before it became too long for one file. */
static int copy_old_log(const struct guest_record *guest)
{
    int log = open_log(guest, "log.old"), status = log < 0 ? 0 : copy_log(log);

    if (log >= 0)
        close(log);
    return status;
}

/* All that is there; goes on with a new file when this one has become the old one. */
static int copy_news(const struct guest_record *guest, int *log)
{
    struct stat now, then;
    int next = open_log(guest, "log"), status;

    if (next < 0 || fstat(next, &now) < 0 || fstat(*log, &then) < 0 || now.st_ino == then.st_ino) {
        if (next >= 0)
            close(next);
        return copy_log(*log);
    }
    status = copy_log(*log);
    close(*log);
    *log = next;
    return status ? status : copy_log(next);
}

int command_logs(char *const argv[])
{
    bool follow = argv[0] && strcmp(argv[0], "-f") == 0;
    struct guest_record guest;
    bool runs = follow;
    int status, log;

    argv += follow;
    if (argv[0] == NULL || argv[1] || argv[0][0] == '-')
        return message_error("usage: remora logs [-f] NAME");
    status = guest_find(&guest, argv[0]);
    if (status)
        return status;
    log = open_log(&guest, "log");
    status = log < 0 ? message_error("the log of %s: %s", guest.name, strerror(errno))
                     : copy_old_log(&guest);
    while (status == 0) {
        /* In this order, so that what is written last is not missed. */
        guest_refresh(&guest);
        runs = follow && guest.state == GUEST_RUNNING;
        status = copy_news(&guest, &log);
        if (!runs)
            break;
        pause_a_moment();
    }
    if (log >= 0)
        close(log);
    guest_free(&guest);
    return status;
}

/* --- stop and rm. ------------------------------------------------------------------------------
 */

static bool ended_within(struct guest_record *guest, double seconds)
{
    double until = now() + seconds;

    for (;;) {
        guest_refresh(guest);
        if (guest->state != GUEST_RUNNING)
            return true;
        if (now() >= until)
            return false;
        pause_a_moment();
    }
}

/* The first SIGTERM goes to the program, the second ends the guest. */
static int stop_guest(struct guest_record *guest, double seconds)
{
    static const int signals[] = {SIGTERM, SIGTERM, SIGKILL};

    if (guest->state != GUEST_RUNNING)
        return message_error("%s does not run; `remora rm %s` forgets it", guest->name,
                             guest->name);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        pid_t process = guest_process(guest);

        if (process <= 1 || kill(process, signals[i]) < 0)
            return message_error("%s: process %d cannot be ended: %s", guest->name, (int)process,
                                 process <= 1 ? "its record is damaged" : strerror(errno));
        if (ended_within(guest, i == 0 ? seconds : KILL_SECONDS))
            return 0;
    }
    return message_error("%s: still there after SIGKILL", guest->name);
}

static int forget_guest(struct guest_record *guest, double seconds)
{
    (void)seconds;
    if (guest->state == GUEST_RUNNING)
        return message_error("%s runs; `remora stop %s` first", guest->name, guest->name);
    return guest_remove(guest);
}

/* Does it for each name; the status is that of the last that failed. */
static int for_each_name(char *const names[], int (*work)(struct guest_record *, double),
                         double seconds)
{
    int status = 0;

    for (; *names; names++) {
        struct guest_record guest;
        int part = guest_find(&guest, *names);

        if (part == 0) {
            part = work(&guest, seconds);
            guest_free(&guest);
        }
        status = part ? part : status;
    }
    return status;
}

int command_stop(char *const argv[])
{
    double seconds = STOP_SECONDS;

    if (argv[0] && strcmp(argv[0], "--time") == 0 && argv[1]) {
        char *end;

        seconds = strtod(argv[1], &end);
        if (end == argv[1] || *end || !(seconds >= 0 && seconds < 1e6))
            return message_error("--time %s: give a number of seconds", argv[1]);
        argv += 2;
    }
    if (argv[0] == NULL || argv[0][0] == '-')
        return message_error("usage: remora stop [--time S] NAME...");
    return for_each_name(argv, stop_guest, seconds);
}

int command_rm(char *const argv[])
{
    if (argv[0] == NULL || argv[0][0] == '-')
        return message_error("usage: remora rm NAME...");
    return for_each_name(argv, forget_guest, 0);
}
