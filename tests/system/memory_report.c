/* SPDX-License-Identifier: MIT
 *
 * Loaded into a server by LD_PRELOAD: a thread that answers every connection to port 9 with
 * /proc/meminfo and /proc/slabinfo, so that a test can see the memory of a guest whose only program
 * is the server.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(int peer, const char *name)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t size;

    while ((size = read(file, text, sizeof(text))) > 0)
        send(peer, text, (size_t)size, MSG_NOSIGNAL);
    close(file);
}

static void *answer(void *argument)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(9)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)argument;
    if (bind(listener, (struct sockaddr *)&name, sizeof(name)) || listen(listener, 4))
        return NULL;
    for (;;) {
        int peer = accept(listener, NULL, NULL);

        tell(peer, "/proc/meminfo");
        tell(peer, "/proc/slabinfo");
        close(peer);
    }
}

__attribute__((constructor)) static void start(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, answer, NULL);
}
