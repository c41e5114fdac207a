/* SPDX-License-Identifier: MIT
 *
 * The virtual machine, as QEMU takes it.
 */
#include "machine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <abi/bootargs.h>

#define QEMU "qemu-system-aarch64"

void host_read(struct host *host)
{
    static struct utsname name;

    uname(&name);
    *host = (struct host){.system = name.sysname,
                          .machine = name.machine,
                          .has_kvm = access("/dev/kvm", F_OK) == 0,
                          .may_kvm = access("/dev/kvm", R_OK | W_OK) == 0};
}

static bool is_arm64(const struct host *host)
{
    return strcmp(host->machine, "aarch64") == 0 || strcmp(host->machine, "arm64") == 0;
}

static bool is_mac(const struct host *host)
{
    return strcmp(host->system, "Darwin") == 0;
}

static const struct accelerator accelerators[] = {
    {"kvm", "host", "host", "this is an arm64 host and /dev/kvm can be opened"},
    {"hvf", "host", "2", "this is a Mac with an arm64 CPU"},
    {"tcg", "cortex-a72", "3", ""},
};

static const char *tcg_reason(const struct host *host)
{
    if (!is_arm64(host))
        return "the host's CPU is not arm64, so its instructions are translated";
    if (!host->has_kvm)
        return "there is no /dev/kvm; with the kvm module loaded it would be much faster";
    return "/dev/kvm may not be opened by this user (add it to the group kvm for speed)";
}

int accelerator_choose(const struct host *host, const char *wanted, struct accelerator *choice)
{
    bool can_kvm = is_arm64(host) && !is_mac(host) && host->may_kvm;
    bool can_hvf = is_arm64(host) && is_mac(host);

    if (wanted == NULL) {
        *choice = accelerators[can_kvm ? 0 : can_hvf ? 1 : 2];
        if (!can_kvm && !can_hvf)
            choice->why = tcg_reason(host);
        return 0;
    }
    for (size_t i = 0; i < sizeof(accelerators) / sizeof(accelerators[0]); i++) {
        if (strcmp(accelerators[i].name, wanted) != 0)
            continue;
        if ((i == 0 && !can_kvm) || (i == 1 && !can_hvf))
            return message_error("--accel %s cannot be used here: %s; leave --accel away", wanted,
                                 i == 0 ? tcg_reason(host) : "it needs a Mac with an arm64 CPU");
        *choice = accelerators[i];
        choice->why = "asked for";
        return 0;
    }
    return message_error("--accel %s: unknown; choose kvm, hvf or tcg", wanted);
}

/* QEMU's option values double their commas. */
static char *quote_commas(const char *text, size_t length)
{
    struct buffer quoted = {0};

    for (size_t i = 0; i < length; i++) {
        if (text[i] == ',')
            buffer_add_byte(&quoted, ',');
        buffer_add_byte(&quoted, text[i]);
    }
    return quoted.data ? quoted.data : text_copy("");
}

static void add_volumes(const struct options *options, struct words *arguments)
{
    for (size_t i = 0; i < options->volumes.count; i++) {
        const char *volume = options->volumes.item[i];
        char *path = quote_commas(volume, strcspn(volume, ":"));

        words_add(arguments, "-fsdev");
        words_take(arguments, text_format("local,id=volume%zu,path=%s,security_model=none%s", i,
                                          path, text_ends(volume, ":ro") ? ",readonly=on" : ""));
        words_add(arguments, "-device");
        words_take(arguments,
                   text_format("virtio-9p-device,fsdev=volume%zu,mount_tag=volume%zu", i, i));
        free(path);
    }
}

static void add_pair(struct words *arguments, const char *option, char *value)
{
    words_add(arguments, option);
    words_take(arguments, value);
}

static void add_root(const struct machine_disk *root, struct words *arguments)
{
    if (root->path == NULL)
        return;
    add_pair(arguments, "-drive",
             text_format("if=none,id=root,format=raw,readonly=on,offset=%llu,size=%llu,file=%s",
                         (unsigned long long)root->offset, (unsigned long long)root->size,
                         root->path));
    add_pair(arguments, "-device",
             text_copy("virtio-blk-device,drive=root,serial=" ROOT_DISK_SERIAL));
}

void machine_arguments(const struct options *options, const struct accelerator *accelerator,
                       const struct machine_start *start, struct words *arguments)
{
    static const char *const fixed[] = {"-nodefaults", "-no-user-config", "-no-reboot", "-display",
                                        "none",        "-monitor",        "none"};
    const char *qemu = getenv("REMORA_QEMU");
    const char *machine = options->machine ? options->machine : "virt";
    bool is_virt = strcmp(machine, "virt") == 0;

    words_add(arguments, qemu ? qemu : QEMU);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        words_add(arguments, fixed[i]);
    if (options->name)
        add_pair(arguments, "-name", quote_commas(options->name, strlen(options->name)));
    add_pair(arguments, "-machine",
             is_virt ? text_format("virt,gic-version=%s", accelerator->gic) : text_copy(machine));
    if (is_virt || options->cpu)
        add_pair(arguments, "-cpu", text_copy(options->cpu ? options->cpu : accelerator->cpu));
    add_pair(arguments, "-accel", text_copy(accelerator->name));
    if (is_virt) {
        add_pair(arguments, "-m", text_format("%u", start->memory_mib));
        add_pair(arguments, "-smp", text_format("%u", start->cpus));
    }
    add_pair(arguments, "-chardev", text_copy("stdio,id=console,signal=off"));
    add_pair(arguments, "-serial", text_copy("chardev:console"));
    if (start->bulk >= 0) {
        add_pair(arguments, "-device", text_copy("virtio-serial-device,max_ports=2"));
        add_pair(arguments, "-chardev", text_format("socket,id=bulk,fd=%d", start->bulk));
        add_pair(arguments, "-device", text_copy("virtserialport,chardev=bulk,name=remora"));
    }
    network_arguments(start->network, arguments);
    add_root(&start->root, arguments);
    add_volumes(options, arguments);
    add_pair(arguments, "-kernel", text_copy(start->image));
    add_pair(arguments, "-append", text_copy(start->bootargs));
    words_add_all(arguments, &options->qemu_args);
}
