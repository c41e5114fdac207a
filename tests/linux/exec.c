// SPDX-License-Identifier: MIT
// execve(2): errors, then what a new program keeps and loses, through a chain of programs: this
// file executes itself with the stage's name as first argument; the last stage ends the process.
#define CHECK_NO_MAIN
#include "check.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static char *self_path = "/proc/self/exe";

static void script(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, mode);
    (void)!write(fd, text, strlen(text));
    close(fd);
    chmod(name, mode);
}

static int run(const char *name)
{
    char *argv[] = {(char *)name, NULL}, *envp[] = {NULL};
    return execve(name, argv, envp);
}

CHECK(exec_missing_and_not_executable)
{
    script("plain", "text", 0644);
    EXPECT_ERR(run("missing"), ENOENT);
    EXPECT_ERR(run("plain"), EACCES);
    EXPECT_ERR(run("."), EACCES);
    EXPECT_ERR(run("plain/x"), ENOTDIR);
    EXPECT_ERR(run(""), ENOENT);
}

CHECK(exec_wrong_formats)
{
    script("text", "just text", 0755);
    script("empty", "", 0755);
    script("short", "\177ELF", 0755);
    EXPECT_ERR(run("text"), ENOEXEC);
    EXPECT_ERR(run("empty"), ENOEXEC);
    EXPECT_ERR(run("short"), ENOEXEC);
}

CHECK(exec_script_interpreter_errors)
{
    script("lost", "#!/no/such/interpreter\n", 0755);
    script("nothing", "#!\n", 0755);
    script("loop", "#!loop\n", 0755);
    EXPECT_ERR(run("lost"), ENOENT);
    EXPECT_ERR(run("nothing"), ENOEXEC);
    EXPECT_ERR(run("loop"), ELOOP);
}

CHECK(exec_bad_pointers)
{
    char *bad_argv[] = {BAD_POINTER, NULL}, *envp[] = {NULL};
    EXPECT_ERR(execve(BAD_POINTER, envp, envp), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, self_path, BAD_POINTER, envp), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, self_path, bad_argv, envp), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, self_path, envp, BAD_POINTER), EFAULT);
}

CHECK(exec_arguments_too_large)
{
    static char *many[40];
    char *envp[] = {NULL}, *large = malloc(140000);
    memset(large, 'x', 139999);
    large[139999] = 0;
    many[0] = large; // one string may have 128 KiB
    EXPECT_ERR(execve(self_path, many, envp), E2BIG);
    large[120000] = 0;
    for (int i = 0; i < 39; i++)
        many[i] = large; // all together a quarter of the stack limit: 2 MiB
    EXPECT_ERR(execve(self_path, many, envp), E2BIG);
    free(large);
}

CHECK(exec_other_machine)
{
    // An ELF header for x86-64.
    static const unsigned char header[64] = {0x7f, 'E', 'L',      'F',       2,
                                             1,    1,   [16] = 2, [18] = 62, [20] = 1};
    int fd = open("x86", O_RDWR | O_CREAT | O_TRUNC, 0755);
    EXPECT_EQ(write(fd, header, sizeof header), (ssize_t)sizeof header);
    close(fd);
    EXPECT_ERR(run("x86"), ENOEXEC);
}

CHECK(exec_file_open_for_writing)
{
    char data[65536];
    int from = open(self_path, O_RDONLY), to = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0755);
    ssize_t n;
    while ((n = read(from, data, sizeof data)) > 0)
        EXPECT_EQ(write(to, data, (size_t)n), n);
    close(from);
    EXPECT_ERR(run("./copy"), ETXTBSY);
    close(to);
}

CHECK(exec_at_errors)
{
    char *argv[] = {"x", NULL};
    EXPECT_ERR(syscall(SYS_execveat, AT_FDCWD, "missing", argv, argv, 0), ENOENT);
    EXPECT_ERR(syscall(SYS_execveat, 555, "x", argv, argv, 0), EBADF);
    EXPECT_ERR(syscall(SYS_execveat, AT_FDCWD, "x", argv, argv, 0x77), EINVAL);
    int fd = open(".", O_RDONLY);
    EXPECT_ERR(syscall(SYS_execveat, fd, "", argv, argv, 0), ENOENT);
    EXPECT_ERR(syscall(SYS_execveat, fd, "", argv, argv, AT_EMPTY_PATH), EACCES);
    close(fd);
}

CHECK(write_to_a_running_program)
{
    EXPECT_ERR(open(self_path, O_RDWR), ETXTBSY);
}

// The stages. What each prepares, the next one verifies.
#define STAGE(condition)                                                            \
    do {                                                                            \
        if (condition) {                                                            \
            printf("ok exec_stage(%s)\n", #condition);                              \
        } else {                                                                    \
            printf("FAIL exec_stage: found %s false, expected true\n", #condition); \
            stage_failed = 1;                                                       \
        }                                                                           \
        fflush(stdout);                                                             \
    } while (0)

static int stage_failed;

static void ignore(int number)
{
    (void)number;
}

static void *sleep_on(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

static void prepare_first(char **argv, char **envp)
{
    sigset_t set;
    pthread_t thread;
    struct rlimit limit = {77, 1000};
    signal(SIGUSR1, ignore);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_SETMASK, &set, NULL);
    raise(SIGTERM);
    dup3(1, 50, O_CLOEXEC);
    dup3(1, 51, 0);
    prctl(PR_SET_NAME, "renamed");
    umask(031);
    setrlimit(RLIMIT_NOFILE, &limit);
    setpriority(PRIO_PROCESS, 0, 3);
    mmap((void *)0x7000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    alarm(100);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, sleep_on, NULL);
    usleep(10000);
    execve(self_path, argv, envp);
    printf("FAIL exec_first: found errno %d, expected a new program\n", errno);
}

static int first_stage(int argc, char **argv, char **envp)
{
    struct sigaction action;
    sigset_t set;
    struct rlimit limit;
    unsigned char in_core[1];
    char name[17] = "";
    STAGE(argc == 4);
    STAGE(!strcmp(argv[1], "first") && !strcmp(argv[2], "") && !strcmp(argv[3], "a b\n\"c"));
    STAGE(envp[0] && !strcmp(envp[0], "ONE=1") && envp[1] && !strcmp(envp[1], "EMPTY=") &&
          !envp[2]);
    sigaction(SIGUSR1, NULL, &action);
    STAGE(action.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &action);
    STAGE(action.sa_handler == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &set);
    STAGE(sigismember(&set, SIGTERM) && sigismember(&set, SIGQUIT) && !sigismember(&set, SIGHUP));
    sigpending(&set);
    STAGE(sigismember(&set, SIGTERM));
    STAGE(fcntl(50, F_GETFD) == -1 && errno == EBADF);
    STAGE(fcntl(51, F_GETFD) == 0);
    prctl(PR_GET_NAME, name);
    STAGE(!strcmp(name, "exe") || !strcmp(name, "exec"));
    STAGE(umask(022) == 031);
    getrlimit(RLIMIT_NOFILE, &limit);
    STAGE(limit.rlim_cur == 77);
    STAGE(getpriority(PRIO_PROCESS, 0) == 3);
    STAGE(mincore((void *)0x7000000000, PAGE, in_core) == -1 && errno == ENOMEM);
    unsigned left = alarm(0);
    STAGE(left > 90 && left <= 100);
    STAGE(getpid() == gettid());
    stack_t alternate;
    sigaltstack(NULL, &alternate);
    STAGE(alternate.ss_flags == SS_DISABLE);
    char **p = envp;
    while (*p)
        p++;
    STAGE(((uintptr_t)(argv - 1) & 15) == 0);
    return stage_failed;
}

static int to_script(void)
{
    char *argv[] = {"ignored", "second-argument", NULL}, *envp[] = {"FROM=script", NULL};
    script("run-me", "#! /proc/self/exe   script with spaces  \nrest\n", 0755);
    execve("./run-me", argv, envp);
    printf("FAIL exec_script: found errno %d, expected a new program\n", errno);
    return 1;
}

// An interpreter line gives one optional argument, then the script's path, then the arguments but
// the first.
static int script_stage(int argc, char **argv)
{
    STAGE(argc == 4);
    STAGE(!strcmp(argv[1], "script with spaces"));
    STAGE(!strcmp(argv[2], "./run-me"));
    STAGE(!strcmp(argv[3], "second-argument"));
    if (stage_failed)
        return 1;
    char *next[] = {"x", "by-descriptor", NULL}, *envp[] = {NULL};
    int fd = open(self_path, O_RDONLY | O_CLOEXEC);
    syscall(SYS_execveat, fd, "", next, envp, AT_EMPTY_PATH);
    printf("FAIL exec_at: found errno %d, expected a new program\n", errno);
    return 1;
}

static void *exec_from_thread(void *unused)
{
    char *argv[] = {"x", "from-thread", NULL}, *envp[] = {NULL};
    (void)unused;
    execve(self_path, argv, envp);
    printf("FAIL exec_from_thread: found errno %d, expected a new program\n", errno);
    _exit(1);
}

static int descriptor_stage(void)
{
    pthread_t thread;
    STAGE(access("/proc/self/exe", X_OK) == 0);
    if (stage_failed)
        return 1;
    pthread_create(&thread, NULL, exec_from_thread, NULL);
    for (;;)
        pause();
}

static int thread_stage(void)
{
    STAGE(getpid() == gettid()); // the thread took over the id of the process
    pthread_t thread;
    STAGE(pthread_create(&thread, NULL, sleep_on, NULL) == 0);
    printf(stage_failed ? "FAIL exec_chain: see above\n" : "ok exec_chain\n");
    return stage_failed;
}

int main(int argc, char **argv, char **envp)
{
    if (argc > 1 && !strcmp(argv[1], "first"))
        return first_stage(argc, argv, envp) || to_script();
    if (argc > 1 && !strncmp(argv[1], "script", 6))
        return script_stage(argc, argv);
    if (argc > 1 && !strcmp(argv[1], "by-descriptor"))
        return descriptor_stage();
    if (argc > 1 && !strcmp(argv[1], "from-thread"))
        return thread_stage();
    int failed = check_main(argc, argv);
    if (!failed && argc < 2) {
        char *next[] = {"exec", "first", "", "a b\n\"c", NULL},
             *environment[] = {"ONE=1", "EMPTY=", NULL};
        prepare_first(next, environment);
        return 1;
    }
    return failed;
}
