/* SPDX-License-Identifier: MIT
 *
 * A small web server that shows what its machine is: one page, and its figures as JSON.
 *
 *     httpd [PORT]      8080, unless told otherwise; SIGINT and SIGTERM end it
 *     httpd --boot      only says how many instructions booting took, if the machine counts them
 *
 * PAGE in the environment is the address at which the host finds the page, for a line that says so.
 * Most emulated machines do not count. BOOT_INSTRUCTIONS in the environment then says what a boot
 * of the same files took in one that does.
 *
 * One thread and poll(). GET and HEAD of `/` and `/status` only: no request names a file. A request
 * is at most REQUEST_MAX bytes and a connection that says nothing for IDLE_SECONDS is closed; who
 * comes while all CONNECTIONS are taken waits in the queue of the system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/klog.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "page.h"

#define CONNECTIONS  64
#define REQUEST_MAX  4096
#define REPLY_MAX    16384 /* of /status; the page is longer and sent as it is */
#define IDLE_SECONDS 30
#define LOG_LINES    20
#define LOG_BYTES    4096

struct connection {
    int fd; /* -1: free */
    double heard_at;
    char request[REQUEST_MAX];
    size_t request_size;
    char reply[REPLY_MAX];
    const char *parts[2]; /* what is still to be sent: head, body */
    size_t part_sizes[2];
    bool close_after;
    bool draining; /* all is sent: what still comes is dropped until the other side closes */
};

static struct connection connections[CONNECTIONS];
static unsigned long long requests;
static double boot_ms; /* from reset to the first program; outside Remora, to this program */
static unsigned long long boot_instructions;
static const char *boot_counted = "no"; /* live: by this machine; before: as the environment says */
static volatile sig_atomic_t ended;

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

static double uptime(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- The figures. ------------------------------------------------------------------------------
 */

struct text {
    char *at;
    size_t room; /* with the NUL */
};

static void add(struct text *text, const char *format, ...)
{
    va_list list;
    int size;

    va_start(list, format);
    size = vsnprintf(text->at, text->room, format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= text->room)
        size = text->room ? (int)text->room - 1 : 0;
    text->at += size;
    text->room -= (size_t)size;
}

/* A JSON string; what is not plain ASCII becomes '?'. */
static void add_string(struct text *text, const char *from, size_t size)
{
    add(text, "\"");
    for (size_t i = 0; i < size; i++)
        if (from[i] == '"' || from[i] == '\\')
            add(text, "\\%c", from[i]);
        else
            add(text, "%c", from[i] >= ' ' && from[i] <= '~' ? from[i] : '?');
    add(text, "\"");
}

/* The number behind `name` at the start of a line of a /proc file; 0 if there is none. */
static unsigned long long proc_number(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    unsigned long long number = 0;
    char line[256];

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoull(line + strlen(name), NULL, 10);
            break;
        }
    if (file)
        fclose(file);
    return number;
}

static void read_boot(void)
{
    const char *before = getenv("BOOT_INSTRUCTIONS");
    unsigned long long ns = proc_number("/proc/remora", "boot_ns:");

    boot_ms = ns ? (double)ns / 1e6 : uptime() * 1000;
    boot_instructions = proc_number("/proc/remora", "boot_instructions:");
    if (boot_instructions) {
        boot_counted = "live";
    } else if (before) {
        boot_instructions = strtoull(before, NULL, 10);
        boot_counted = boot_instructions ? "before" : "no";
    }
}

/* The last lines of the kernel's log, as far as this program may read it. */
static void add_log(struct text *text)
{
    static char log[LOG_BYTES];
    int size = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log));
    const char *end = log + (size > 0 ? size : 0), *line = end;

    for (int lines = 0; line > log; line--)
        if (line[-1] == '\n' && line != end && ++lines == LOG_LINES)
            break;
    if (line == log && size == sizeof(log)) { /* it begins within a line */
        line = memchr(log, '\n', sizeof(log));
        line = line ? line + 1 : end;
    }
    add(text, "[");
    for (bool first = true; line < end; first = false) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));

        stop = stop ? stop : end;
        add(text, first ? "" : ",");
        add_string(text, line, (size_t)(stop - line));
        line = stop < end ? stop + 1 : end;
    }
    add(text, "]");
}

static size_t write_status(char *to, size_t room)
{
    struct text text = {to, room};
    struct utsname name;
    char system[256];

    uname(&name);
    snprintf(system, sizeof(system), "%.60s %.60s on %.60s, %.60s", name.sysname, name.release,
             name.machine, name.nodename);
    add(&text, "{\"system\":");
    add_string(&text, system, strlen(system));
    add(&text,
        ",\"boot_ms\":%.3f,\"boot_instructions\":%llu,\"boot_counted\":\"%s\","
        "\"uptime_s\":%.3f,\"memory_total_kib\":%llu,\"memory_free_kib\":%llu,"
        "\"threads\":%llu,\"requests\":%llu,\"log\":",
        boot_ms, boot_instructions, boot_counted, uptime(),
        proc_number("/proc/meminfo", "MemTotal:"), proc_number("/proc/meminfo", "MemAvailable:"),
        proc_number("/proc/self/status", "Threads:"), requests);
    add_log(&text);
    add(&text, "}\n");
    return (size_t)(text.at - to);
}

/* --- Requests. ---------------------------------------------------------------------------------
 */

/* The reply's head goes to the front of `reply`, the body stays where it is. */
static void answer(struct connection *c, const char *status, const char *type, const char *body,
                   size_t size, bool head_only)
{
    static const char safe[] =
        "X-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; connect-src 'self'; img-src data:\r\n";
    int head = snprintf(c->reply, 1024,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                        "Cache-Control: no-store\r\n%s%sConnection: %s\r\n\r\n",
                        status, type, size, safe,
                        strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "",
                        c->close_after ? "close" : "keep-alive");

    c->parts[0] = c->reply;
    c->part_sizes[0] = (size_t)head;
    c->parts[1] = body;
    c->part_sizes[1] = head_only ? 0 : size;
}

static void refuse(struct connection *c, const char *status)
{
    c->close_after = true;
    answer(c, status, "text/plain", status, strlen(status), false);
}

/* The value of a header in the request's lines, which end with an empty one; NULL if absent. */
static const char *header(const char *request, const char *name)
{
    for (const char *line = strstr(request, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        size_t length = strlen(name);

        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 3 + length + strspn(line + 3 + length, " \t");
    }
    return NULL;
}

static void serve(struct connection *c)
{
    char method[8], path[256], version[12];
    const char *wish;
    bool head_only;

    if (sscanf(c->request, "%7s %255s %11[^\r\n]", method, path, version) != 3 ||
        strncmp(version, "HTTP/1.", 7) != 0) {
        refuse(c, "400 Bad Request");
        return;
    }
    requests++;
    head_only = strcmp(method, "HEAD") == 0;
    if (!head_only && strcmp(method, "GET") != 0) {
        refuse(c, "405 Method Not Allowed"); /* closed: a body may follow */
        return;
    }
    if (header(c->request, "Content-Length") || header(c->request, "Transfer-Encoding")) {
        refuse(c, "413 Content Too Large");
        return;
    }
    wish = header(c->request, "Connection");
    c->close_after =
        strcmp(version, "HTTP/1.0") == 0 || (wish && strncasecmp(wish, "close", 5) == 0);
    path[strcspn(path, "?")] = '\0';
    if (strcmp(path, "/") == 0)
        answer(c, "200 OK", "text/html; charset=utf-8", page_html, strlen(page_html), head_only);
    else if (strcmp(path, "/status") == 0)
        answer(c, "200 OK", "application/json", c->reply + 1024,
               write_status(c->reply + 1024, sizeof(c->reply) - 1024), head_only);
    else
        answer(c, "404 Not Found", "text/plain", "404 Not Found", 13, head_only);
}

/* Serves the first whole request that has come; what follows it stays for the next. */
static void look_for_request(struct connection *c)
{
    char *end;
    size_t size;

    c->request[c->request_size] = '\0';
    if (memchr(c->request, '\0', c->request_size)) {
        refuse(c, "400 Bad Request");
        return;
    }
    end = strstr(c->request, "\r\n\r\n");
    if (end == NULL) {
        if (c->request_size == REQUEST_MAX - 1)
            refuse(c, "431 Request Header Fields Too Large");
        return;
    }
    end[2] = '\0'; /* each line keeps its end */
    serve(c);
    size = (size_t)(end + 4 - c->request);
    memmove(c->request, c->request + size, c->request_size - size);
    c->request_size -= size;
}

/* --- Connections. ------------------------------------------------------------------------------
 */

static void hang_up(struct connection *c)
{
    close(c->fd);
    *c = (struct connection){.fd = -1};
}

static bool is_sending(const struct connection *c)
{
    return c->part_sizes[0] || c->part_sizes[1];
}

static void send_reply(struct connection *c)
{
    for (int i = 0; i < 2; i++)
        while (c->part_sizes[i]) {
            ssize_t done = send(c->fd, c->parts[i], c->part_sizes[i], MSG_NOSIGNAL);

            if (done < 0) {
                if (errno != EAGAIN && errno != EINTR)
                    hang_up(c);
                return;
            }
            c->parts[i] += done;
            c->part_sizes[i] -= (size_t)done;
            c->heard_at = uptime();
        }
    if (c->close_after) {
        /* Closed at once, bytes not read would make TCP reset, and the reply could be lost. */
        shutdown(c->fd, SHUT_WR);
        c->draining = true;
        c->request_size = 0;
    }
}

static void receive(struct connection *c)
{
    ssize_t got = recv(c->fd, c->request + c->request_size, REQUEST_MAX - 1 - c->request_size, 0);

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            hang_up(c);
        return;
    }
    if (c->draining)
        return; /* heard_at stays: draining, too, ends after IDLE_SECONDS */
    c->request_size += (size_t)got;
    c->heard_at = uptime();
}

/* Answers what is there, as far as the other side takes it. */
static void work(struct connection *c, bool may_read)
{
    if (is_sending(c))
        send_reply(c);
    else if (may_read)
        receive(c);
    while (c->fd >= 0 && !is_sending(c) && c->request_size) {
        look_for_request(c);
        if (!is_sending(c))
            return;
        send_reply(c);
    }
}

static void accept_one(int listener)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (connections[i].fd < 0) {
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

            if (fd >= 0) {
                connections[i].fd = fd;
                connections[i].heard_at = uptime();
            }
            return;
        }
}

static void loop(int listener)
{
    struct pollfd polls[CONNECTIONS + 1];

    while (!ended) {
        bool has_room = false;
        double time;

        for (int i = 0; i < CONNECTIONS; i++) {
            struct connection *c = &connections[i];

            has_room |= c->fd < 0;
            polls[i] = (struct pollfd){c->fd, is_sending(c) ? POLLOUT : POLLIN, 0};
        }
        polls[CONNECTIONS] = (struct pollfd){has_room ? listener : -1, POLLIN, 0};
        if (poll(polls, CONNECTIONS + 1, 1000) < 0)
            continue;
        time = uptime();
        for (int i = 0; i < CONNECTIONS; i++) {
            if (polls[i].revents)
                work(&connections[i], true);
            if (connections[i].fd >= 0 && time - connections[i].heard_at > IDLE_SECONDS)
                hang_up(&connections[i]);
        }
        if (polls[CONNECTIONS].revents)
            accept_one(listener);
    }
}

static int listen_on(unsigned long port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
        fprintf(stderr, "httpd: port %lu: %s\n", port, strerror(errno));
        return -1;
    }
    if (getenv("PAGE"))
        printf("\nThe guest's page is at %s - Ctrl-C here ends the guest.\n\n", getenv("PAGE"));
    else
        printf("httpd: listening on port %u\n", ntohs(name.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char *argv[])
{
    struct sigaction action = {.sa_handler = on_end};
    char *end = NULL;
    unsigned long port = argc > 1 ? strtoul(argv[1], &end, 10) : 8080;
    int listener;

    read_boot();
    if (argc == 2 && strcmp(argv[1], "--boot") == 0) {
        printf("%llu\n", boot_instructions);
        return 0;
    }
    if (argc > 2 || (argc > 1 && (end == argv[1] || *end || port > 65535))) {
        fprintf(stderr, "usage: httpd [PORT], or httpd --boot\n");
        return 2;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (int i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    listener = listen_on(port);
    if (listener < 0)
        return 1;
    loop(listener);
    return 0;
}
