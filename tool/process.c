/* SPDX-License-Identifier: MIT
 *
 * Running programs.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void start_child(char *const argv[], const struct words *env, int output, int errors)
{
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGTERM); /* no apt goes on when the command was killed */
    dup2(null, STDIN_FILENO);
    dup2(output >= 0 ? output : null, STDOUT_FILENO);
    dup2(errors >= 0 ? errors : null, STDERR_FILENO);
    for (size_t i = 0; env && i < env->count; i++)
        putenv(env->item[i]);
    execvp(argv[0], argv);
    _exit(127);
}

struct hearer {
    void (*heard)(const struct buffer *, void *);
    void *context;
};

/* Reads both pipes, output and errors, until both are closed. */
static void collect(int fds[2], struct buffer *buffers[2], const struct hearer *hearer)
{
    struct pollfd polls[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    static char part[1 << 16];

    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            ssize_t got;

            if (polls[i].fd < 0 || !polls[i].revents)
                continue;
            got = read(polls[i].fd, part, sizeof(part));
            if (got > 0)
                buffer_add(buffers[i], part, (size_t)got);
            else if (got == 0 || errno != EINTR)
                polls[i].fd = -1;
            if (got > 0 && i == 0 && hearer)
                hearer->heard(buffers[0], hearer->context);
        }
    }
}

static int wait_status(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(char *const argv[], const struct words *env, int output_fd, struct buffer *output,
               struct buffer *errors, const struct hearer *hearer)
{
    int output_pipe[2] = {-1, -1}, error_pipe[2] = {-1, -1};
    pid_t child;

    if ((output && pipe2(output_pipe, O_CLOEXEC) < 0) ||
        (errors && pipe2(error_pipe, O_CLOEXEC) < 0))
        return 127;
    child = fork();
    if (child == 0)
        start_child(argv, env, output ? output_pipe[1] : output_fd, error_pipe[1]);
    if (output)
        close(output_pipe[1]);
    if (errors)
        close(error_pipe[1]);
    if (child > 0)
        collect((int[]){output_pipe[0], error_pipe[0]}, (struct buffer *[]){output, errors},
                hearer);
    if (output)
        close(output_pipe[0]);
    if (errors)
        close(error_pipe[0]);
    return child < 0 ? 127 : wait_status(child);
}

int process_run(char *const argv[], const struct words *env, struct buffer *output,
                struct buffer *errors)
{
    return run(argv, env, -1, output, errors, NULL);
}

int process_run_heard(char *const argv[], const struct words *env, struct buffer *output,
                      struct buffer *errors, void (*heard)(const struct buffer *, void *),
                      void *context)
{
    return run(argv, env, -1, output, errors, &(struct hearer){heard, context});
}

int process_run_to(char *const argv[], const struct words *env, int output, struct buffer *errors)
{
    return run(argv, env, output, NULL, errors, NULL);
}

bool process_exists(const char *name)
{
    const char *path = getenv("PATH");
    struct words folders = {0};
    bool found = false;

    words_split(&folders, path ? path : "/usr/bin:/bin", ":");
    for (size_t i = 0; i < folders.count && !found; i++) {
        char *file = text_format("%s/%s", folders.item[i], name);

        found = access(file, X_OK) == 0;
        free(file);
    }
    words_clear(&folders);
    return found;
}
