// SPDX-License-Identifier: MIT
// Loads the shared objects that it is given and asks each for its number: in the main thread and in
// ones that began before and after it was loaded, whose thread-local memory is made later.
// shared_value comes out of a library into this program by a copy relocation.
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

extern int shared_value;
static int (*probe)(void);
static sem_t loaded;

static void *call(void *wait)
{
    if (wait)
        sem_wait(&loaded);
    return (void *)(long)probe();
}

static int run(const char *name)
{
    pthread_t before, after;
    void *first, *second;
    pthread_create(&before, NULL, call, &loaded);
    void *library = dlopen(name, RTLD_NOW);
    probe = library ? (int (*)(void))dlsym(library, "probe") : NULL;
    if (!probe) {
        printf("%s: %s\n", name, dlerror());
        return 1;
    }
    sem_post(&loaded);
    pthread_create(&after, NULL, call, NULL);
    pthread_join(before, &first);
    pthread_join(after, &second);
    printf("%s: %d %ld %ld\n", name, probe(), (long)first, (long)second);
    return dlclose(library);
}

int main(int argc, char **argv)
{
    sem_init(&loaded, 0, 0);
    printf("copy: %d\n", shared_value);
    for (int i = 1; i < argc; i++)
        if (run(argv[i]))
            return 1;
    return 0;
}
