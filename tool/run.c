/* SPDX-License-Identifier: MIT
 *
 * `remora run`: image, virtual machine, console, status.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "console.h"
#include "detach.h"
#include "frame.h"
#include "kernel.h"
#include "machine.h"
#include "percent.h"
#include "root.h"

#include <abi/bootargs.h>

#define MEMORY_DEFAULT_MIB 512
#define MEMORY_LEAST_MIB   8
#define ROOT_IN_MEMORY_MAX (64u << 20) /* bytes of a root; a larger one goes on a disk */
#define MEMORY_BESIDE_ROOT \
    192 /* MiB that a guest has at least beside its root, unless -m says less */

/* --- Boot parameters. --------------------------------------------------------------------------
 */

static void make_nonce(char nonce[FRAME_NONCE_LENGTH + 1])
{
    uint8_t bytes[FRAME_NONCE_LENGTH / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        exit(message_error("no random bytes from the host: %s", strerror(errno)));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

static void add_word(struct buffer *bootargs, const char *key, const char *value)
{
    buffer_format(bootargs, "%s%s=", bootargs->length ? " " : "", key);
    percent_add_bootarg(bootargs, value);
}

static void add_list(struct buffer *bootargs, const char *key, const struct words *values)
{
    buffer_format(bootargs, " %s=", key);
    for (size_t i = 0; i < values->count; i++) {
        if (i)
            buffer_add_byte(bootargs, ',');
        percent_add_bootarg(bootargs, values->item[i]);
    }
}

static void add_streams(struct buffer *bootargs, const struct console_streams *streams)
{
    buffer_format(bootargs, " " BOOTARGS_TTY "=%s%s%s", streams->tty[0] ? "i" : "",
                  streams->tty[1] ? "o" : "", streams->tty[2] ? "e" : "");
    if (streams->stderr_apart)
        buffer_add_text(bootargs, " " BOOTARGS_STDERR "=frame");
    if (streams->rows)
        buffer_format(bootargs, " " BOOTARGS_SIZE "=%ux%u", streams->rows, streams->columns);
}

/* What differs from the manifest that lies in a ready root. */
static void add_overrides(struct buffer *bootargs, const struct root *root,
                          const struct options *options)
{
    if (options->args.count)
        add_list(bootargs, BOOTARGS_ARGS, &root->manifest.args);
    if (options->workdir)
        add_word(bootargs, BOOTARGS_CWD, root->manifest.cwd);
    if (options->user)
        buffer_format(bootargs, " " BOOTARGS_USER "=%s", root->manifest.user);
    if (options->name)
        add_word(bootargs, BOOTARGS_HOSTNAME, root->manifest.hostname);
}

static void add_environment(struct buffer *bootargs, const struct root *root,
                            const struct options *options, const struct console_streams *streams)
{
    bool has_term = environment_get(&root->manifest.env, "TERM") != NULL;
    const char *term = getenv("TERM");
    struct words env = {0};

    if (root->fd >= 0) {
        words_add_all(&env, &options->env);
        if (options->user && environment_get(&root->manifest.env, "HOME"))
            words_take(&env, text_format("HOME=%s", environment_get(&root->manifest.env, "HOME")));
    }
    if ((streams->tty[0] || streams->tty[1]) && term && !has_term)
        words_take(&env, text_format("TERM=%s", term));
    if (env.count)
        add_list(bootargs, BOOTARGS_ENV, &env);
    words_clear(&env);
}

static int make_bootargs(struct buffer *bootargs, const char *nonce, const struct root *root,
                         const struct options *options, const struct console_streams *streams)
{
    add_word(bootargs, BOOTARGS_NONCE, nonce);
    add_streams(bootargs, streams);
    if (options->level == MESSAGE_VERBOSE)
        add_word(bootargs, BOOTARGS_LOG, "info");
    buffer_format(bootargs, " " BOOTARGS_TIME "=%lld", (long long)time(NULL));
    for (size_t i = 0; i < options->volumes.count; i++) {
        const char *guest = strchr(options->volumes.item[i], ':') + 1;
        bool read_only = text_ends(guest, ":ro");
        char *path = memory_copy(guest, strlen(guest) - (read_only ? 3 : 0));

        buffer_format(bootargs, " " BOOTARGS_VOLUME "=volume%zu:", i);
        percent_add_bootarg(bootargs, path);
        buffer_add_text(bootargs, read_only ? ":ro" : "");
        free(path);
    }
    if (root->fd >= 0)
        add_overrides(bootargs, root, options);
    add_environment(bootargs, root, options, streams);
    if (bootargs->length >= BOOTARGS_MAX)
        return message_error(
            "arguments and environment take %zu bytes, at most %d fit; put them into "
            "an image with `remora build`",
            bootargs->length, BOOTARGS_MAX - 1);
    return 0;
}

/* --- The image. --------------------------------------------------------------------------------
 */

/* A boot image in memory, so that nothing is left behind however the command ends. */
static int make_image(struct root *root, const struct options *options, int *fd)
{
    struct image kernel;
    int status = kernel_open(&kernel, options);

    if (status)
        return status;
    *fd = memfd_create("remora", 0);
    if (*fd < 0)
        status = message_error("no memory file for the image: %s", strerror(errno));
    else if (root->fd >= 0)
        status = image_write_root(&kernel, root->fd, root->offset, root->size, root->digest, *fd,
                                  "the image");
    else
        status = image_write(&kernel, &root->tree, *fd, "the image");
    image_close(&kernel);
    return status;
}

/* A root that is too large for memory becomes a disk of the machine, beside the kernel alone in
 * *kernel_fd, a memory file. */
static int split_image(const struct image *image, int *kernel_fd, struct machine_disk *root)
{
    *kernel_fd = memfd_create("remora", 0);
    if (*kernel_fd < 0)
        return message_error("no memory file for the kernel: %s", strerror(errno));
    *root = (struct machine_disk){image->path, image->remora.root_offset, image->remora.root_size};
    return image_write_kernel(image, *kernel_fd, "the kernel");
}

/* What is shared must be there: QEMU would say so only in its own words. */
static int check_volumes(const struct options *options)
{
    for (size_t i = 0; i < options->volumes.count; i++) {
        const char *volume = options->volumes.item[i];
        char *path = memory_copy(volume, strcspn(volume, ":"));
        struct stat info;
        int error = stat(path, &info) < 0           ? errno
                    : !S_ISDIR(info.st_mode)        ? ENOTDIR
                    : access(path, R_OK | X_OK) < 0 ? errno
                                                    : 0;

        free(path);
        if (error)
            return message_error("-v %s: %s; name a directory of this host that you may read",
                                 volume, strerror(error));
    }
    return 0;
}

static int check_features(uint64_t features, const struct options *options,
                          const struct network *network)
{
    if (network->kind != NETWORK_NONE && !(features & IMAGE_FEATURE_NETWORK))
        return message_error(
            "%s: the kernel was built without network: build one with CONFIG_INET=y "
            "(the default; make menuconfig), or name one by --kernel",
            options->ports.count ? "-p" : "--net");
    if (options->volumes.count && !(features & IMAGE_FEATURE_9P))
        return message_error(
            "-v: the kernel was built without the 9p file system: build one with "
            "CONFIG_FS_9P=y (the default; make menuconfig), or name one by --kernel");
    return check_volumes(options);
}

/* --- The virtual machine. ----------------------------------------------------------------------
 */

struct guest {
    pid_t process;
    struct console_channel channels[CONSOLE_CHANNELS];
    int errors; /* what QEMU itself says */
};

static void start_qemu(struct words *arguments, int input, int output, int errors)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid(); /* Ctrl-C is for the program in the guest, not for QEMU */
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execvp(arguments->item[0], arguments->item);
    _exit(errno == ENOENT ? 127 : 126);
}

/* As one line for a shell; without the nonce, which is for this run only. */
static void show_command(const struct words *arguments)
{
    struct buffer line = {0};

    for (size_t i = 0; i < arguments->count; i++) {
        const char *word = arguments->item[i];
        bool plain = *word && word[strcspn(word, " \t\n'\"$`\\*?&|;<>()[]{}#~!")] == '\0';

        if (text_starts(word, BOOTARGS_NONCE "="))
            word += strcspn(word, " ") + 1;
        buffer_add_text(&line, i ? " " : "");
        buffer_add_text(&line, plain ? "" : "'");
        for (; *word; word++)
            if (*word == '\'')
                buffer_add_text(&line, "'\\''");
            else
                buffer_add_byte(&line, *word);
        buffer_add_text(&line, plain ? "" : "'");
    }
    message_verbose("%s", line.data);
    buffer_free(&line);
}

static int start_guest(struct guest *guest, const struct options *options,
                       const struct accelerator *accelerator, struct machine_start *start,
                       bool has_ports)
{
    int input[2], output[2], errors[2], bulk[2] = {-1, -1};
    struct words arguments = {0};

    if ((has_ports && socketpair(AF_UNIX, SOCK_STREAM, 0, bulk) < 0) ||
        pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
        return message_error("no pipes for the guest's console: %s", strerror(errno));
    if (has_ports)
        fcntl(bulk[0], F_SETFD, FD_CLOEXEC);
    start->bulk = bulk[1];
    machine_arguments(options, accelerator, start, &arguments);
    show_command(&arguments);
    guest->process = fork();
    if (guest->process == 0)
        start_qemu(&arguments, input[0], output[1], errors[1]);
    words_clear(&arguments);
    close(input[0]);
    close(output[1]);
    close(errors[1]);
    if (has_ports)
        close(bulk[1]);
    guest->channels[0] = (struct console_channel){output[0], input[1]};
    guest->channels[1] = (struct console_channel){bulk[0], bulk[0]};
    guest->errors = errors[0];
    if (guest->process < 0)
        return message_error("QEMU cannot be started: %s", strerror(errno));
    return 0;
}

/* Waits a moment for the guest to power off, then ends it. Returns the wait status. */
static int end_guest(struct guest *guest, bool at_once)
{
    int status = 0;

    for (int i = 0; !at_once && i < 200; i++) {
        if (waitpid(guest->process, &status, WNOHANG) == guest->process)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    kill(guest->process, SIGKILL);
    waitpid(guest->process, &status, 0);
    return at_once ? 0 : status;
}

static void show_qemu_errors(int fd)
{
    static char text[8192];
    ssize_t got;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    got = read(fd, text, sizeof(text) - 1);
    if (got > 0) {
        text[got] = '\0';
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            message_error("%s", line);
    }
}

static int report_no_status(const struct guest *guest, bool guest_spoke, int wait_status)
{
    show_qemu_errors(guest->errors);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 127)
        return message_error("qemu-system-aarch64 is not installed; on Debian: "
                             "apt-get install qemu-system-arm");
    if (!guest_spoke && WIFEXITED(wait_status) && WEXITSTATUS(wait_status))
        return message_error(
            "QEMU did not start the machine, for the reason above; change -m, --cpus, "
            "--cpu, --machine or --qemu-arg accordingly (-V shows its whole command)");
    return message_error("the guest ended without a status");
}

static int finish(struct guest *guest, const struct console_result *result,
                  const struct options *options)
{
    bool at_once = result->end >= CONSOLE_TIMEOUT;
    int wait_status = end_guest(guest, at_once);

    switch (result->end) {
    case CONSOLE_EXIT:
        return result->value;
    case CONSOLE_SIGNAL:
        return FRAME_STATUS_SIGNAL_BASE + result->value;
    case CONSOLE_TIMEOUT:
        return message_fail(STATUS_TIMEOUT, "ended after %g seconds (--timeout)", options->timeout);
    case CONSOLE_INTERRUPTED:
        return FRAME_STATUS_SIGNAL_BASE + result->value;
    case CONSOLE_OUTPUT_GONE:
        return result->value ? FRAME_STATUS_SIGNAL_BASE + result->value : STATUS_ERROR;
    default:
        return report_no_status(guest, result->guest_spoke, wait_status);
    }
}

static unsigned choose_memory(const struct root *root, const struct options *options, uint64_t size)
{
    unsigned wanted = root->manifest.memory_mib ? root->manifest.memory_mib : MEMORY_DEFAULT_MIB;
    unsigned needed = (unsigned)(size >> 20) + MEMORY_BESIDE_ROOT;

    if (options->memory_mib)
        return options->memory_mib;
    return needed > wanted ? (needed + 127) / 128 * 128 : wanted;
}

/* What the guest starts from: image, disk, memory, boot parameters. */
static int prepare(struct root *root, const struct options *options, const struct image *image,
                   int *kernel_fd, struct machine_start *start, bool *has_ports)
{
    uint64_t features = image->remora.features;
    bool is_virt = !options->machine || strcmp(options->machine, "virt") == 0;
    bool on_disk =
        is_virt && (features & IMAGE_FEATURE_DISK) && image->remora.root_size > ROOT_IN_MEMORY_MAX;
    int status = check_features(features, options, start->network);

    *has_ports = is_virt && (features & IMAGE_FEATURE_PORTS);
    start->memory_mib =
        choose_memory(root, options, on_disk ? image->remora.kernel_size : image->size);
    start->cpus = options->cpus ? options->cpus : root->manifest.cpus ? root->manifest.cpus : 1;
    if (status == 0 && start->memory_mib < MEMORY_LEAST_MIB)
        status = message_error("-m %u: Remora needs at least %dM of memory", start->memory_mib,
                               MEMORY_LEAST_MIB);
    return status == 0 && on_disk ? split_image(image, kernel_fd, &start->root) : status;
}

static int add_bootargs(struct buffer *bootargs, const char *nonce, const struct root *root,
                        const struct options *options, const struct console_streams *streams,
                        const struct machine_start *start, bool has_ports)
{
    int status = make_bootargs(bootargs, nonce, root, options, streams);

    if (status == 0 && has_ports)
        add_word(bootargs, BOOTARGS_CONSOLE, "virtio");
    if (status == 0 && start->root.path)
        add_word(bootargs, BOOTARGS_ROOT, ROOT_DISK_PATH);
    return status;
}

/* detached: NULL when the streams are the user's. */
static int run_image(struct root *root, const struct options *options, int image_fd,
                     struct detached *detached)
{
    char *path = text_format("/proc/self/fd/%d", image_fd), *kernel_path = NULL;
    char nonce[FRAME_NONCE_LENGTH + 1];
    struct machine_start start = {.image = path};
    struct console_streams streams;
    struct accelerator accelerator = {0};
    struct buffer bootargs = {0};
    struct console_result result;
    struct guest guest = {0};
    struct network network;
    struct image image = {.fd = -1};
    bool has_ports = false;
    int kernel_fd = -1;
    struct host host;
    int status = network_choose(&network, options);

    if (status) {
        free(path);
        return status;
    }
    start.network = &network;
    host_read(&host);
    console_streams_read(&streams);
    if (detached) {
        streams.started = detached_started;
        streams.wrote = detached_wrote;
        streams.context = detached;
    }
    make_nonce(nonce);
    status = image_open(&image, path);
    if (status == 0)
        status = prepare(root, options, &image, &kernel_fd, &start, &has_ports);
    if (kernel_fd >= 0)
        start.image = kernel_path = text_format("/proc/self/fd/%d", kernel_fd);
    if (status == 0)
        status = accelerator_choose(&host, options->accel, &accelerator);
    if (status == 0)
        status = add_bootargs(&bootargs, nonce, root, options, &streams, &start, has_ports);
    start.bootargs = bootargs.data;
    if (status == 0)
        status = network_check_host(&network);
    if (status == 0 && detached)
        status = guest_describe(&detached->guest, options, &network);
    if (status == 0) {
        message_verbose("%s with -cpu %s: %s", accelerator.name,
                        options->cpu ? options->cpu : accelerator.cpu, accelerator.why);
        status = start_guest(&guest, options, &accelerator, &start, has_ports);
    }
    if (status == 0) {
        result = console_run(guest.channels, nonce, &streams, options->timeout);
        status = finish(&guest, &result, options);
    }
    buffer_free(&bootargs);
    network_free(&network);
    image_close(&image);
    free(path);
    free(kernel_path);
    return status;
}

static int run_detached(struct root *root, struct options *options, int image_fd)
{
    const char *program = strrchr(root->manifest.args.item[0], '/');
    struct detached detached;
    char *name = NULL;
    bool is_guest;
    int status;

    if (options->name == NULL) {
        unsigned number = 0;

        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            return message_error("no random bytes from the host: %s", strerror(errno));
        name = text_format("%.40s-%04x", program ? program + 1 : root->manifest.args.item[0],
                           number & 0xffff);
        options->name = name;
    }
    status = detach(&detached, options->name, &is_guest);
    if (is_guest) {
        if (status == 0)
            status = run_image(root, options, image_fd, &detached);
        detached_ended(&detached, status);
    }
    free(name);
    return status;
}

int command_run(char *const argv[])
{
    struct options options;
    struct root root;
    int image_fd = -1;
    bool help;
    int status = options_parse(&options, COMMAND_RUN, argv, &help);

    if (status || help)
        return status;
    status = root_load(&root, &options);
    if (status == 0)
        status = root_choose_program(&root, &options);
    if (status == 0 && root.fd < 0)
        status = root_seal(&root);
    if (status == 0 && root.image && options.kernel == NULL) {
        image_fd = open(root.image, O_RDONLY);
        if (image_fd < 0)
            status = message_error("%s: %s", root.image, strerror(errno));
    } else if (status == 0) {
        status = make_image(&root, &options, &image_fd);
    }
    message_progress_end();
    if (status == 0)
        status = options.detach ? run_detached(&root, &options, image_fd)
                                : run_image(&root, &options, image_fd, NULL);
    root_free(&root);
    options_free(&options);
    return status;
}
