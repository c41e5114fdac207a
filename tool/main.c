/* SPDX-License-Identifier: MIT
 *
 * The `remora` command: which of its commands is meant.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "commands.h"
#include "nearest.h"
#include "options.h"

static const char help_text[] =
    "usage: remora COMMAND [OPTIONS] ...\n"
    "\n"
    "Runs an unmodified arm64 Linux program as a virtual machine of its own.\n"
    "\n"
    "  remora run     [OPTIONS] SOURCE [ARG...]           boot it now; the terminal is its "
    "console\n"
    "  remora build   [OPTIONS] SOURCE [ARG...] -o FILE   make a bootable image\n"
    "  remora inspect FILE                                what is inside an image\n"
    "  remora check   [OPTIONS] SOURCE                    what would be missing\n"
    "  remora ps      [-a] [--json]                       detached guests: those that run, all\n"
    "  remora logs    [-f] NAME                           what one wrote; -f: until it ends\n"
    "  remora stop    [--time S] NAME...                  SIGTERM to the program, then its end\n"
    "  remora rm      NAME...                             forget ended guests\n"
    "  remora cache   ls|prune                            what was downloaded and built\n"
    "  remora help    [COMMAND]                           this text, or a command's options\n"
    "\n"
    "SOURCE is one of\n"
    "  FILE                an arm64 ELF program; ARGs are its arguments\n"
    "  DIR                 a folder with a remora.conf\n"
    "  deb:NAME[,NAME...]  Debian packages with all they depend on\n"
    "  oci:PATH            a container image, as a folder or tar file in OCI layout\n"
    "  IMAGE               what `remora build` made\n"
    "For all but FILE, ARGs replace the default command, its name first:\n"
    "  remora run build/programs/hello a b\n"
    "  remora run deb:sqlite3 sqlite3 :memory: 'select 6*7'\n"
    "  remora run deb:gzip gzip -9 <f >f.gz\n"
    "\n"
    "Ctrl-C interrupts the program; twice within a second ends the guest.\n"
    "Exit status: the program's; 128+N when signal N ended it; 124 --timeout; 125 an error of "
    "this\n"
    "command or no status from the guest; 126 cannot be executed; 127 not found.\n"
    "Files: the cache is $XDG_CACHE_HOME/remora or ~/.cache/remora, detached guests are noted in\n"
    "$XDG_STATE_HOME/remora or ~/.local/state/remora. Environment: REMORA_KERNEL "
    "names\n"
    "the kernel Image, REMORA_QEMU the program to use as qemu-system-aarch64.\n";

static const struct {
    const char *name, *usage;
} short_usages[] = {
    {"ps", "usage: remora ps [-a] [--json]\n\n"
           "Lists the detached guests that run (`remora run -d` starts one).\n\n"
           "  -a       those that have ended too\n"
           "  --json   as JSON, for scripts\n"},
    {"logs", "usage: remora logs [-f] NAME\n\n"
             "Prints what a detached guest wrote.\n\n"
             "  -f       go on until the guest ends\n"},
    {"stop", "usage: remora stop [--time S] NAME...\n\n"
             "Sends SIGTERM to the program of each guest, and ends what does not end by it.\n\n"
             "  --time S   seconds to wait before that (default 10)\n"},
    {"rm", "usage: remora rm NAME...\n\n"
           "Forgets guests that have ended, with their logs.\n"},
    {"cache", "usage: remora cache ls|prune\n\n"
              "  ls       what was downloaded and built, and how much room it takes\n"
              "  prune    throw all of it away; it is fetched again when it is needed\n"},
};

/* The help of ps, logs, stop, rm, cache. */
static bool short_help(const char *command)
{
    for (size_t i = 0; i < sizeof(short_usages) / sizeof(short_usages[0]); i++)
        if (strcmp(short_usages[i].name, command) == 0) {
            fputs(short_usages[i].usage, stdout);
            return true;
        }
    return false;
}

static int command_help(char *const argv[])
{
    static const struct {
        const char *name;
        enum command command;
    } topics[] = {{"run", COMMAND_RUN},
                  {"build", COMMAND_BUILD},
                  {"inspect", COMMAND_INSPECT},
                  {"check", COMMAND_CHECK}};

    for (size_t i = 0; *argv && i < sizeof(topics) / sizeof(topics[0]); i++)
        if (strcmp(topics[i].name, *argv) == 0) {
            options_help(topics[i].command);
            return 0;
        }
    if (*argv && (*argv)[0] != '-' && !short_help(*argv))
        return message_error("no command is called %s; `remora help` lists them", *argv);
    if (*argv == NULL || (*argv)[0] == '-')
        fputs(help_text, stdout);
    return 0;
}

static int command_cache(char *const argv[])
{
    if (argv[0] && strcmp(argv[0], "ls") == 0 && argv[1] == NULL)
        return cache_list();
    if (argv[0] && strcmp(argv[0], "prune") == 0 && argv[1] == NULL)
        return cache_prune();
    return message_error("usage: remora cache ls|prune");
}

static int command_version(char *const argv[])
{
    (void)argv;
    puts("remora " REMORA_VERSION);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(char *const argv[]);
} commands[] = {
    {"run", command_run},         {"build", command_build},
    {"inspect", command_inspect}, {"check", command_check},
    {"ps", command_ps},           {"logs", command_logs},
    {"stop", command_stop},       {"rm", command_rm},
    {"cache", command_cache},     {"help", command_help},
    {"--help", command_help},     {"-h", command_help},
    {"version", command_version}, {"--version", command_version},
};

static bool asks_for_help(const char *word)
{
    return word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

/* A slip of the finger, or `run` left away. */
static int report_unknown(char *const argv[])
{
    const char *names[sizeof(commands) / sizeof(commands[0])];
    const char *near;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        names[i] = commands[i].name;
    if (text_starts(argv[0], "deb:") || text_starts(argv[0], "oci:") || strchr(argv[0], '/'))
        return message_error("no command is called %s; to run it: remora run %s", argv[0], argv[0]);
    near = text_nearest(argv[0], names, sizeof(names) / sizeof(names[0]));
    if (near)
        return message_error("no command is called %s; did you mean %s? `remora help` lists them",
                             argv[0], near);
    return message_error("no command is called %s; `remora help` lists them", argv[0]);
}

static int run_command(char *const argv[])
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, argv[0]) == 0) {
            if (asks_for_help(argv[1]) && short_help(argv[0]))
                return 0;
            return commands[i].run(argv + 1);
        }
    return report_unknown(argv);
}

/* Numbers 0 to 2 that are closed would be given to files that the command opens. */
static void open_streams(void)
{
    static const int modes[] = {O_RDONLY, O_RDONLY, O_RDWR}; /* what is written to 1 still fails */

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
            exit(STATUS_ERROR);
}

int main(int argc, char *argv[])
{
    int status;

    open_streams();
    if (argc < 2) {
        fputs(help_text, stderr);
        return STATUS_ERROR;
    }
    status = run_command(argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout))
        return message_error("standard output: %s", strerror(errno));
    return status;
}
