// SPDX-License-Identifier: MIT
// init: the first process of the Linux guest that the tests are compared with. It mounts the usual
// pseudo file systems, runs the programs that /list names, one after the other and each bounded in
// time, and reports on the console what each wrote and how it ended; then it powers the machine
// off.
//
// /list, a directive a line: run NAME | arg TEXT | env K=V | root DIR | cwd DIR | stdin FILE |
// timeout SECONDS | go. TEXT is percent-encoded. Console: "@begin NAME", then for each piece of
// output "@out LENGTH" and the bytes ("@err" for standard error), then "@end NAME
// exit|signal|timeout N".
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 256

struct run {
    char name[128], root[256], cwd[256], input[256];
    char *argv[MAX_WORDS], *envp[MAX_WORDS];
    unsigned argc, envc, timeout_s;
};

static void write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            data += n;
            length -= (size_t)n;
        }
    }
}

static char *percent_decode(const char *text)
{
    char *result = malloc(strlen(text) + 1), *to = result;
    for (; *text; text++) {
        unsigned byte;
        if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
            *to++ = (char)byte;
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
    return result;
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void mount_at(const char *root, const char *at, const char *type)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, at);
    mkdir(path, 0755);
    mount(type, path, type, 0, "");
}

// Loopback carries nothing until it is up.
static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
        perror("init: loopback");
    close(fd);
}

static void mount_all(const char *root)
{
    char path[512];
    mount_at(root, "/proc", "proc");
    mount_at(root, "/sys", "sysfs");
    mount_at(root, "/dev", "devtmpfs");
    mount_at(root, "/tmp", "tmpfs");
    snprintf(path, sizeof path, "%s/tmp", root);
    chmod(path, 01777);
    mount_at(root, "/run", "tmpfs");
    mount_at(root, "/dev/shm", "tmpfs");
    static const char *links[][2] = {{"/proc/self/fd", "/dev/fd"},
                                     {"/proc/self/fd/0", "/dev/stdin"},
                                     {"/proc/self/fd/1", "/dev/stdout"},
                                     {"/proc/self/fd/2", "/dev/stderr"}};
    for (unsigned i = 0; i < sizeof links / sizeof links[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, links[i][1]);
        (void)!symlink(links[i][0], path);
    }
}

// /modules/0, /modules/1 and so on, in this order.
static void load_modules(void)
{
    char path[32];
    for (unsigned i = 0;; i++) {
        snprintf(path, sizeof path, "/modules/%u", i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        if (syscall(SYS_finit_module, fd, "", 0))
            perror(path);
        close(fd);
    }
}

static void child(struct run *run, int out, int err)
{
    int in = open(run->input[0] ? run->input : "/dev/null", O_RDONLY);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    for (int fd = 3; fd < 32; fd++)
        close(fd);
    setsid();
    if (run->root[0] && (chroot(run->root) || chdir("/")))
        _exit(125);
    if (chdir(run->cwd[0] ? run->cwd : "/"))
        _exit(125);
    run->argv[run->argc] = NULL;
    run->envp[run->envc] = NULL;
    execve(run->argv[0], run->argv, run->envp);
    dprintf(2, "init: %s: %s\n", run->argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

// Copies what comes on the two pipes to the console until both are closed or the time is over.
static int forward(int out, int err, uint64_t deadline_ms)
{
    static char data[65536];
    struct pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        uint64_t now = now_ms();
        if (now >= deadline_ms || poll(fds, 2, (int)(deadline_ms - now)) == 0)
            return -1;
        for (int i = 0; i < 2; i++) {
            if (!fds[i].revents)
                continue;
            ssize_t n = read(fds[i].fd, data, sizeof data);
            if (n <= 0) {
                fds[i].fd = -1;
                continue;
            }
            char head[32];
            int length = snprintf(head, sizeof head, "@%s %zd\n", i ? "err" : "out", n);
            write_all(1, head, (size_t)length);
            write_all(1, data, (size_t)n);
        }
    }
    return 0;
}

static void do_run(struct run *run)
{
    int out[2], err[2], status = 0;
    if (run->root[0] && strcmp(run->root, "/"))
        mount_all(run->root);
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        return;
    printf("@begin %s\n", run->name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        child(run, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    uint64_t limit_ms = (uint64_t)(run->timeout_s ? run->timeout_s : 60) * 1000;
    int late = forward(out[0], err[0], now_ms() + limit_ms);
    if (late)
        kill(-pid, SIGKILL), kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(out[0]);
    close(err[0]);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    if (late)
        printf("@end %s timeout %u\n", run->name, run->timeout_s);
    else if (WIFSIGNALED(status))
        printf("@end %s signal %d\n", run->name, WTERMSIG(status));
    else
        printf("@end %s exit %d\n", run->name, WEXITSTATUS(status));
    fflush(stdout);
}

static void directive(struct run *run, char *line)
{
    char *value = strchr(line, ' ');
    value = value ? (*value = 0, value + 1) : line + strlen(line);
    if (!strcmp(line, "run")) {
        memset(run, 0, sizeof *run);
        snprintf(run->name, sizeof run->name, "%s", value);
    } else if (!strcmp(line, "arg") && run->argc + 1 < MAX_WORDS) {
        run->argv[run->argc++] = percent_decode(value);
    } else if (!strcmp(line, "env") && run->envc + 1 < MAX_WORDS) {
        run->envp[run->envc++] = percent_decode(value);
    } else if (!strcmp(line, "root")) {
        snprintf(run->root, sizeof run->root, "%s", value);
    } else if (!strcmp(line, "cwd")) {
        snprintf(run->cwd, sizeof run->cwd, "%s", value);
    } else if (!strcmp(line, "stdin")) {
        snprintf(run->input, sizeof run->input, "%s", value);
    } else if (!strcmp(line, "timeout")) {
        run->timeout_s = (unsigned)atoi(value);
    } else if (!strcmp(line, "go")) {
        do_run(run);
    }
}

int main(void)
{
    static struct run run;
    static char line[8192];
    mount_all("");
    int console = open("/dev/console", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(console, fd);
    struct termios raw;
    if (tcgetattr(1, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(1, TCSANOW, &raw);
    }
    raise_loopback();
    load_modules();
    FILE *list = fopen("/list", "re");
    while (list && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        directive(&run, line);
    }
    printf("@done\n");
    fflush(stdout);
    tcdrain(1);
    reboot(RB_POWER_OFF);
    return 0;
}
