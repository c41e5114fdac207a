/* SPDX-License-Identifier: MIT
 *
 * The command line. Options come before SOURCE; all behind SOURCE belongs to the program. A value
 * follows its option as the next word or after '='. Behind `--` no word is an option.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nearest.h"
#include "network.h"

#define RUN   COMMAND_RUN
#define BUILD COMMAND_BUILD
#define SHOW  COMMAND_INSPECT
#define CHECK COMMAND_CHECK
#define MAKE  (RUN | BUILD | CHECK)

#define HELP_COLUMN 27 /* where the texts of `remora help COMMAND` begin */

struct option_rule {
    const char *name;
    const char *value; /* NULL: a switch */
    unsigned commands;
    int (*set)(struct options *options, const char *value);
    const char *help;
};

static int set_size(struct options *options, const char *value)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (*end == 'G' || *end == 'g')
        number *= 1024;
    if (end == value || (*end && strchr("GgMm", *end) == NULL) || (*end && end[1]) || number == 0 ||
        number > MEMORY_MIB_MAX)
        return message_error("-m %s: give the memory in MiB, as in -m 512 or -m 2G", value);
    options->memory_mib = (unsigned)number;
    return 0;
}

static int set_cpus(struct options *options, const char *value)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (end == value || *end || number == 0 || number > CPUS_MAX)
        return message_error("--cpus %s: give a number from 1 to %u", value, CPUS_MAX);
    options->cpus = (unsigned)number;
    return 0;
}

static int set_timeout(struct options *options, const char *value)
{
    char *end;

    options->timeout = strtod(value, &end);
    if (end == value || *end || !(options->timeout > 0) || options->timeout > 1e9)
        return message_error("--timeout %s: give a number of seconds above 0", value);
    return 0;
}

static int add_env(struct options *options, const char *value)
{
    if (*value == '\0' || *value == '=')
        return message_error("-e %s: give NAME=VALUE, or NAME to pass on the host's", value);
    if (strchr(value, '=') == NULL) {
        const char *host = getenv(value);

        if (host)
            words_take(&options->env, text_format("%s=%s", value, host));
    } else {
        words_add(&options->env, value);
    }
    return 0;
}

static int add_env_file(struct options *options, const char *value)
{
    FILE *file = fopen(value, "re");
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    int status = 0;

    if (file == NULL)
        return message_error("--env-file %s: %s", value, strerror(errno));
    while (status == 0 && (length = getline(&line, &room, file)) >= 0) {
        number++;
        if (line[0] == '=' || strlen(line) != (size_t)length)
            status =
                message_error("--env-file %s: line %zu %s; give NAME=VALUE, or NAME to pass on "
                              "the host's",
                              value, number, line[0] == '=' ? "has no name" : "holds a zero byte");
        line[strcspn(line, "\r\n")] = '\0';
        if (status == 0 && line[0] && line[0] != '#')
            status = add_env(options, line);
    }
    if (status == 0 && ferror(file))
        status = message_error("--env-file %s: %s", value, strerror(errno));
    free(line);
    fclose(file);
    return status;
}

static int add_port(struct options *options, const char *value)
{
    struct port port;

    if (!port_parse(&port, value))
        return message_error(
            "-p %s: give HOST:GUEST, as in -p 8080:80, or ADDRESS:HOST:GUEST, either "
            "with /udp behind it; HOST 0 is any port that is free",
            value);
    words_add(&options->ports, value);
    return 0;
}

/* Kept as HOST:GUEST or HOST:GUEST:ro. A guest's path that leads nowhere but to the root, or back
 * up, would hide what is below it. */
static int add_volume(struct options *options, const char *value)
{
    size_t length = strlen(value) - (text_ends(value, ":rw") ? 3 : 0);
    char *volume = memory_copy(value, length);
    const char *colon = strchr(volume, ':'), *mode = colon ? strchr(colon + 1, ':') : NULL;
    bool good = colon && colon != volume && colon[1] == '/' && (!mode || strcmp(mode, ":ro") == 0);

    if (!good)
        message_error("-v %s: give HOST:GUEST or HOST:GUEST:ro, GUEST as an absolute path", value);
    else if (colon[1 + strspn(colon + 1, "/.")] == '\0' ||
             colon + 1 + strspn(colon + 1, "/.") == mode || strstr(colon, "/../") ||
             text_ends(colon, "/.."))
        good = message_error("-v %s: give a folder below / as GUEST, without `..`", value) == 0;
    if (good)
        words_add(&options->volumes, volume);
    free(volume);
    return good ? 0 : STATUS_ERROR;
}

static int add_sysroot(struct options *options, const char *value)
{
    struct stat info;

    if (stat(value, &info) < 0 || !S_ISDIR(info.st_mode))
        return message_error("--sysroot %s: %s; name a folder of this host", value,
                             S_ISREG(info.st_mode) ? strerror(ENOTDIR) : strerror(errno));
    words_add(&options->sysroot, value);
    return 0;
}

#define TEXT_SETTER(field)                                             \
    static int set_##field(struct options *options, const char *value) \
    {                                                                  \
        options->field = value;                                        \
        return 0;                                                      \
    }
#define LIST_SETTER(field)                                             \
    static int add_##field(struct options *options, const char *value) \
    {                                                                  \
        words_add(&options->field, value);                             \
        return 0;                                                      \
    }

TEXT_SETTER(workdir)
TEXT_SETTER(user)
TEXT_SETTER(lock)
TEXT_SETTER(output)
TEXT_SETTER(machine)
TEXT_SETTER(accel)
TEXT_SETTER(cpu)
TEXT_SETTER(kernel)
TEXT_SETTER(name)
TEXT_SETTER(net)
LIST_SETTER(with)
LIST_SETTER(qemu_args)

static int set_offline(struct options *options, const char *value)
{
    (void)value;
    options->offline = true;
    return 0;
}

static int set_detach(struct options *options, const char *value)
{
    (void)value;
    options->detach = true;
    return 0;
}

static int set_quiet(struct options *options, const char *value)
{
    (void)value;
    options->level = MESSAGE_QUIET;
    return 0;
}

static int set_verbose(struct options *options, const char *value)
{
    (void)value;
    options->level = MESSAGE_VERBOSE;
    return 0;
}

static const struct option_rule rules[] = {
    {"-o", "FILE", BUILD, set_output, "where to write the image (required)"},
    {"-e", "NAME=VALUE", RUN | BUILD, add_env, "environment variable; NAME alone takes the host's"},
    {"--env-file", "FILE", RUN | BUILD, add_env_file,
     "environment variables, one NAME=VALUE a line"},
    {"-w", "DIR", RUN | BUILD, set_workdir, "working directory of the program"},
    {"-u", "USER", RUN | BUILD, set_user, "user[:group], names or numbers"},
    {"-m", "MEM", RUN | BUILD, set_size, "memory in MiB, or with G in GiB (default 512)"},
    {"--cpus", "N", RUN | BUILD, set_cpus, "CPUs (default 1)"},
    {"--name", "NAME", RUN | BUILD, set_name, "name of the guest, and its host name"},
    {"-d", NULL, RUN, set_detach,
     "run it detached, and print its name once the program runs; see ps, logs, stop, rm"},
    {"-p", "HOST:GUEST[/udp]", RUN, add_port,
     "forward a port of the host to the guest; ADDRESS: may stand before it, HOST 0 is any free"},
    {"--net", "KIND", RUN, set_net,
     "user (with -p the default; the guest reaches nothing), user,out (it reaches all that the "
     "host does), tap:NAME, none"},
    {"-v", "HOST:GUEST[:ro]", RUN, add_volume, "share a folder of the host with the guest"},
    {"--with", "SOURCE", MAKE, add_with,
     "put another source's files in too, as in --with deb:libc6"},
    {"--sysroot", "DIR", MAKE, add_sysroot,
     "where an ELF file's loader and libraries are taken from"},
    {"--lock", "FILE", MAKE, set_lock, "pin the packages: written if missing, followed if there"},
    {"--offline", NULL, MAKE, set_offline, "use what was downloaded before, no network"},
    {"--kernel", "FILE", RUN | BUILD, set_kernel, "the kernel Image (default: beside the command)"},
    {"--machine", "NAME", RUN, set_machine, "virt (default) or another machine of QEMU"},
    {"--accel", "NAME", RUN, set_accel, "kvm, hvf or tcg (default: chosen; -V says which and why)"},
    {"--cpu", "MODEL", RUN, set_cpu, "CPU model of QEMU"},
    {"--qemu-arg", "ARG", RUN, add_qemu_args, "one more argument for QEMU (may be repeated)"},
    {"--timeout", "S", RUN, set_timeout, "end the guest after S seconds, with status 124"},
    {"-q", NULL, MAKE | SHOW, set_quiet, "only errors and what the program writes"},
    {"-V", NULL, MAKE | SHOW, set_verbose, "say what is done"},
};

static const struct option_rule *find_rule(const char *word, size_t length, enum command command)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if ((rules[i].commands & command) && strlen(rules[i].name) == length &&
            memcmp(rules[i].name, word, length) == 0)
            return &rules[i];
    return NULL;
}

static const char *command_name(enum command command)
{
    return command == RUN     ? "run"
           : command == BUILD ? "build"
           : command == SHOW  ? "inspect"
                              : "check";
}

/* Names of docker's that users know by heart, and slips of the finger. */
static int report_unknown(const char *word, size_t length, enum command command)
{
    static const char *const known_elsewhere[][2] = {
        {"--publish", "-p"}, {"--volume", "-v"}, {"--env", "-e"},    {"--workdir", "-w"},
        {"--user", "-u"},    {"--detach", "-d"}, {"--memory", "-m"}, {"--network", "--net"},
        {"--smp", "--cpus"}, {"--output", "-o"}, {"--quiet", "-q"},  {"--verbose", "-V"},
        {"-c", "--cpus"},
    };
    const char *names[sizeof(rules) / sizeof(rules[0])], *meant = NULL;
    char *name = memory_copy(word, length);
    size_t count = 0;

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].commands & command)
            names[count++] = rules[i].name;
    for (size_t i = 0; i < sizeof(known_elsewhere) / sizeof(known_elsewhere[0]); i++)
        if (strcmp(known_elsewhere[i][0], name) == 0 &&
            find_rule(known_elsewhere[i][1], strlen(known_elsewhere[i][1]), command))
            meant = known_elsewhere[i][1];
    if (meant == NULL && length > 2)
        meant = text_nearest(name, names, count);
    free(name);
    if (meant)
        return message_error("unknown option %s; did you mean %s? `remora help %s` lists them",
                             word, meant, command_name(command));
    return message_error("unknown option %s; `remora help %s` lists them", word,
                         command_name(command));
}

/* One option at argv[0]; *used: words taken. */
static int parse_option(struct options *options, enum command command, char *const argv[],
                        size_t *used)
{
    const char *word = argv[0];
    bool is_long = word[1] == '-';
    size_t length = is_long ? strcspn(word, "=") : 2;
    const struct option_rule *rule = find_rule(word, length, command);
    const char *value = word[length] ? word + length + (is_long ? 1 : 0) : NULL;

    *used = 1;
    if (rule == NULL)
        return report_unknown(word, length, command);
    if (rule->value == NULL)
        return value ? message_error("%s takes no value", rule->name) : rule->set(options, NULL);
    if (value == NULL) {
        value = argv[1];
        *used = 2;
    }
    if (value == NULL)
        return message_error("%s needs a value: %s %s", rule->name, rule->name, rule->value);
    return rule->set(options, value);
}

int options_parse(struct options *options, enum command command, char *const argv[], bool *help)
{
    *options = (struct options){.level = MESSAGE_NORMAL};
    *help = false;
    while (*argv) {
        size_t used = 1;
        int status;

        if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0) {
            options_help(command);
            *help = true;
            return 0;
        }
        if ((*argv)[0] != '-' || (*argv)[1] == '\0') {
            /* build takes -o behind its source as well; all else there is the program's. */
            if (options->source == NULL)
                options->source = *argv;
            else
                words_add(&options->args, *argv);
            argv++;
            if (command == COMMAND_RUN)
                break;
            continue;
        }
        if (strcmp(*argv, "--") == 0)
            break;
        if (options->source && !(strcmp(*argv, "-o") == 0 && command == COMMAND_BUILD)) {
            words_add(&options->args, *argv++);
            continue;
        }
        status = parse_option(options, command, argv, &used);
        if (status)
            return status;
        argv += used;
    }
    if (*argv && strcmp(*argv, "--") == 0)
        argv++;
    if (options->source == NULL && *argv)
        options->source = *argv++;
    while (*argv)
        words_add(&options->args, *argv++);
    message_set_level(options->level);
    if (options->source == NULL)
        return message_error("no %s given; see `remora help %s`",
                             command == SHOW ? "FILE" : "SOURCE", command_name(command));
    return 0;
}

void options_free(struct options *options)
{
    words_clear(&options->args);
    words_clear(&options->env);
    words_clear(&options->with);
    words_clear(&options->sysroot);
    words_clear(&options->ports);
    words_clear(&options->volumes);
    words_clear(&options->qemu_args);
}

/* The text beside the option, in lines that fit a terminal. */
static void print_option(const char *option, const char *text)
{
    const size_t room = 80 - HELP_COLUMN;

    printf("  %-*s ", HELP_COLUMN - 3, option);
    while (strlen(text) > room) {
        size_t length = room;

        while (length && text[length] != ' ')
            length--;
        if (length == 0)
            break;
        printf("%.*s\n%*s", (int)length, text, HELP_COLUMN, "");
        text += length + 1;
    }
    puts(text);
}

void options_help(enum command command)
{
    static const struct {
        enum command command;
        const char *usage;
    } usages[] = {
        {RUN, "remora run [OPTIONS] SOURCE [ARG...]\n\n"
              "Boots SOURCE as a virtual machine of its own; this terminal is its console."},
        {BUILD, "remora build [OPTIONS] SOURCE [ARG...] -o FILE\n\n"
                "Makes a bootable image; nothing is booted. The same input gives the same bytes."},
        {SHOW, "remora inspect FILE\n\n"
               "Shows what an image holds: program, packages with versions and licences, files."},
        {CHECK, "remora check [OPTIONS] SOURCE\n\n"
                "Shows what would be missing: loaders, libraries, CPU features, system calls."},
    };

    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
        if (usages[i].command == command)
            printf("usage: %s\n\n", usages[i].usage);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        char *head;

        if (!(rules[i].commands & command))
            continue;
        head = text_format("%s %s", rules[i].name, rules[i].value ? rules[i].value : "");
        print_option(head, rules[i].help);
        free(head);
    }
    print_option("-h, --help", "this text");
}
