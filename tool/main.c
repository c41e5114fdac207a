/* SPDX-License-Identifier: MIT
 *
 * The `remora` command: which of its commands is meant.
 */
#include <stdio.h>
#include <string.h>

#include "cache.h"
#include "commands.h"
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

int main(int argc, char *argv[])
{
    if (argc < 2) {
        fputs(help_text, stderr);
        return STATUS_ERROR;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argv + 2);
    return message_error("unknown command %s; see `remora help`", argv[1]);
}
