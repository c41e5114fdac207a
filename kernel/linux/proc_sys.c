/* SPDX-License-Identifier: MIT
 *
 * /proc/sys: what programs ask there at start.
 */
#include <arch/sve.h>
#include <device/rng.h>
#include <file/flags.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>

#include "proc.h"
#include "system.h"

static int hostname_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    char name[HOST_NAME_MAX + 1];

    (void)entry;
    system_hostname(name, sizeof(name));
    pseudo_printf(text, "%s\n", name);
    return 0;
}

static ssize_t hostname_store(const struct pseudo_entry *entry, const char *from, size_t length)
{
    char name[HOST_NAME_MAX + 1] = {0};

    (void)entry;
    if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
        return -EPERM;
    memcpy(name, from, min(length, (size_t)HOST_NAME_MAX));
    name[strcspn(name, "\n")] = 0;
    system_set_hostname(name);
    return (ssize_t)length;
}

static int domainname_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    char name[HOST_NAME_MAX + 1];

    (void)entry;
    system_domainname(name, sizeof(name));
    pseudo_printf(text, "%s\n", name);
    return 0;
}

static void print_uuid(struct pseudo_text *text, const uint8_t b[16])
{
    pseudo_printf(text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
                  b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                  b[13], b[14], b[15]);
}

static void make_uuid(uint8_t b[16])
{
    rng_bytes(b, 16);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 4122 section 4.4: random */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
}

static int uuid_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    uint8_t uuid[16];

    (void)entry;
    make_uuid(uuid);
    print_uuid(text, uuid);
    return 0;
}

static uint8_t boot_uuid[16];

static int boot_id_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    print_uuid(text, boot_uuid);
    return 0;
}

static int sve_default_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    pseudo_printf(text, "%u\n", sve_default() * SVE_VQ_BYTES);
    return 0;
}

/* A length in bytes, rounded down to one that there is; -1: the longest. */
static ssize_t sve_default_store(const struct pseudo_entry *entry, const char *from, size_t length)
{
    char digits[8] = {0};
    uint64_t bytes;

    (void)entry;
    memcpy(digits, from, min(length, sizeof(digits) - 1));
    digits[strcspn(digits, "\n")] = 0;
    if (strcmp(digits, "-1") == 0)
        bytes = SVE_VQ_MAX * SVE_VQ_BYTES;
    else if (parse_u64(digits, 0, &bytes, NULL) != 0 || bytes == 0 || bytes % SVE_VQ_BYTES != 0 ||
             bytes > SVE_VL_SETTABLE)
        return -EINVAL;
    sve_set_default(sve_choose((unsigned)min(bytes / SVE_VQ_BYTES, (uint64_t)SVE_VQ_MAX)));
    return (ssize_t)length;
}

static const struct {
    char path[40], value[28];
} values[] = {
    {"sys/kernel/ostype", "Linux\n"},
    {"sys/kernel/osrelease", SYSTEM_RELEASE "\n"},
    {"sys/kernel/version", SYSTEM_VERSION "\n"},
    {"sys/kernel/ngroups_max", "65536\n"},
    {"sys/kernel/cap_last_cap", "40\n"},
    {"sys/kernel/pid_max", "32768\n"},
    {"sys/kernel/threads-max", "32768\n"},
    {"sys/kernel/randomize_va_space", "2\n"},
    {"sys/kernel/core_pattern", "core\n"},
    {"sys/kernel/overflowuid", "65534\n"},
    {"sys/kernel/overflowgid", "65534\n"},
    {"sys/kernel/random/poolsize", "256\n"},
    {"sys/kernel/random/entropy_avail", "256\n"},
    {"sys/kernel/sched_rt_period_us", "1000000\n"},
    {"sys/kernel/sched_rt_runtime_us", "-1\n"},
    {"sys/kernel/shmmax", "18446744073692774399\n"},
    {"sys/kernel/shmall", "18446744073692774399\n"},
    {"sys/kernel/shmmni", "4096\n"},
    {"sys/vm/overcommit_memory", "0\n"},
    {"sys/vm/overcommit_ratio", "50\n"},
    {"sys/vm/max_map_count", "65530\n"},
    {"sys/vm/mmap_min_addr", "65536\n"},
    {"sys/vm/nr_hugepages", "0\n"},
    {"sys/vm/swappiness", "60\n"},
    {"sys/fs/file-max", "1048576\n"},
    {"sys/fs/nr_open", "1048576\n"},
    {"sys/fs/pipe-max-size", "1048576\n"},
    {"sys/fs/epoll/max_user_watches", "1048576\n"},
    {"sys/net/core/somaxconn", "4096\n"},
    {"sys/crypto/fips_enabled", "0\n"},
};

void proc_sys_init(void)
{
    static const struct pseudo_ops hostname_ops = {.show = hostname_show, .store = hostname_store};
    const struct pseudo_entry hostname = {.ops = &hostname_ops, .mode = S_IFREG | 0644};

    static const struct pseudo_ops sve_ops = {.show = sve_default_show, .store = sve_default_store};
    const struct pseudo_entry sve = {.ops = &sve_ops, .mode = S_IFREG | 0644};

    if (sve_supported())
        pseudo_register(PSEUDO_PROC, "sys/abi/sve_default_vector_length", &sve);
    make_uuid(boot_uuid);
    pseudo_register(PSEUDO_PROC, "sys/kernel/hostname", &hostname);
    proc_register("sys/kernel/domainname", domainname_show, NULL);
    proc_register("sys/kernel/random/uuid", uuid_show, NULL);
    proc_register("sys/kernel/random/boot_id", boot_id_show, NULL);
    inotify_register_limits();
    for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
        pseudo_register_text(PSEUDO_PROC, values[i].path, values[i].value);
}
