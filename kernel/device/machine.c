/* SPDX-License-Identifier: MIT */
/* What the machine is, who runs it, and how it ends. */
#include <abi/frame.h>
#include <arch/cpu.h>
#include <arch/instruction_count.h>
#include <arch/irqflags.h>
#include <arch/psci.h>
#include <arch/trap.h>
#include <core/clock.h>
#include <core/ipi.h>
#include <core/log.h>
#include <device/console.h>
#include <device/dt.h>
#include <device/machine.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>

#define NO_HYPERVISOR "none or unknown"

/* --- identity --- */

/* Implementer 0x41, Arm: the main ID registers' part numbers in the cores' manuals. */
static const struct {
    uint16_t part;
    const char *name;
} arm_parts[] = {
    {0xd03, "Cortex-A53"},  {0xd04, "Cortex-A35"},  {0xd05, "Cortex-A55"},
    {0xd07, "Cortex-A57"},  {0xd08, "Cortex-A72"},  {0xd09, "Cortex-A73"},
    {0xd0a, "Cortex-A75"},  {0xd0b, "Cortex-A76"},  {0xd0c, "Neoverse-N1"},
    {0xd0d, "Cortex-A77"},  {0xd40, "Neoverse-V1"}, {0xd41, "Cortex-A78"},
    {0xd44, "Cortex-X1"},   {0xd46, "Cortex-A510"}, {0xd47, "Cortex-A710"},
    {0xd48, "Cortex-X2"},   {0xd49, "Neoverse-N2"}, {0xd4a, "Neoverse-E1"},
    {0xd4d, "Cortex-A715"}, {0xd4f, "Neoverse-V2"}, {0xd83, "Neoverse-V3AE"},
    {0xd84, "Neoverse-V3"}, {0xd8e, "Neoverse-N3"},
};

const char *machine_cpu_name(uint32_t midr)
{
    uint16_t part = midr >> 4 & 0xfff;

    switch (midr >> 24) {
    case 0x00:
        return part == 0x051 ? "QEMU max" : "unknown";
    case 0x41:
        for (unsigned i = 0; i < ARRAY_SIZE(arm_parts); i++) {
            if (arm_parts[i].part == part)
                return arm_parts[i].name;
        }
        return "unknown Arm core";
    case 0x46:
        return part == 0x001 ? "Fujitsu A64FX" : "unknown Fujitsu core";
    case 0x61:
        return "Apple core";
    case 0xc0:
        return "Ampere core";
    default:
        return "unknown";
    }
}

const char *machine_model(void)
{
    const struct fw_node *root = fw_root();
    const char *model = root != NULL ? fw_property_string(root, "model") : NULL;

    if (model == NULL && root != NULL)
        model = fw_compatible(root, 0);
    return model != NULL ? model : "unknown machine";
}

/* KVM answers to the vendor call with its UUID 28b46fb6-2ec5-11e9-a9ca-4b564d003a74. Only asked by
 * HVC, which then has a handler, and of firmware that knows SMCCC 1.1. */
static bool is_kvm(void)
{
    struct smccc_result id;

    machine_find_psci();
    if (smccc_conduit() != SMCCC_HVC || psci_version() < 0x10000)
        return false;
    id = smccc_call(SMCCC_HVC, 0x8400000a /* PSCI_FEATURES */, SMCCC_VERSION, 0, 0);
    if ((int32_t)id.x[0] < 0)
        return false;
    id = smccc_call(SMCCC_HVC, SMCCC_VENDOR_HYP_UID, 0, 0, 0);
    return (uint32_t)id.x[0] == 0xb66fb428U && (uint32_t)id.x[1] == 0xe911c52eU &&
           (uint32_t)id.x[2] == 0x564bcaa9U && (uint32_t)id.x[3] == 0x743a004dU;
}

/* Looked for when somebody asks: few do. */
static const char *hypervisor(void)
{
    const struct fw_node *root = fw_root(), *node;

    if (root == NULL)
        return NO_HYPERVISOR;
    node = fw_find_child(root, "hypervisor");
    if (node != NULL && fw_is_compatible(node, "xen,xen"))
        return "Xen";
    if (is_kvm())
        return "KVM";
    if (fw_find_child(root, "fw-cfg") != NULL)
        return "QEMU without KVM";
    if (fw_is_compatible(root, "linux,dummy-virt"))
        return "unknown virtual machine monitor";
    return NO_HYPERVISOR;
}

const char *trap_abort_sender(void)
{
    const char *name = hypervisor();

    return strcmp(name, NO_HYPERVISOR) != 0 ? name : "the machine";
}

/* Told to who asked for such lines: the first use of the log's formatting is a part of a boot. */
void machine_log_banner(void)
{
    uint32_t midr;

    if (log_level() < LOG_INFO)
        return;
    machine_find_psci();
    midr = (uint32_t)sysreg_read(midr_el1);
    log_info("%s, %s r%up%u, %u CPUs, hypervisor: %s, PSCI %u.%u", machine_model(),
             machine_cpu_name(midr), midr >> 20 & 0xf, midr & 0xf, dt_cpu_count(), hypervisor(),
             psci_version() >> 16, psci_version() & 0xffff);
}

/* --- PSCI from the tree (binding arm/psci.yaml) --- */

static enum smccc_conduit conduit_of(const struct fw_node *node)
{
    const char *method = fw_property_string(node, "method");

    if (method != NULL && strcmp(method, "hvc") == 0)
        return SMCCC_HVC;
    if (method != NULL && strcmp(method, "smc") == 0)
        return SMCCC_SMC;
    log_error("Bad 'method' property of %s: '%s', expected 'hvc' or 'smc'; PSCI is not used",
              fw_name(node), method != NULL ? method : "");
    return SMCCC_NONE;
}

void machine_find_psci(void)
{
    struct psci_functions old = {0};
    enum smccc_conduit conduit;
    bool is_old = false;

    if (psci_available())
        return;
    const struct fw_node *node = fw_find_compatible(NULL, "arm,psci-0.2");

    if (node == NULL)
        node = fw_find_compatible(NULL, "arm,psci-1.0");
    if (node == NULL) {
        node = fw_find_compatible(NULL, "arm,psci");
        is_old = true;
    }
    if (node == NULL)
        return;
    conduit = conduit_of(node);
    if (conduit == SMCCC_NONE)
        return;
    if (is_old)
        fw_property_u32(node, "cpu_on", &old.cpu_on);
    if (psci_init(conduit, is_old ? &old : NULL) != 0)
        log_error("PSCI does not answer by %s; not used", conduit == SMCCC_HVC ? "hvc" : "smc");
}

/* --- times --- */

static uint64_t start_count;
static struct machine_boot boot;

void machine_note_start(void)
{
    start_count = clock_counter();
}

void machine_note_program(void)
{
    char text[80];
    int length;

    boot.time_ns = clock_monotonic_ns();
    boot.instructions = instruction_count_end();
    if (!console_options()->has_nonce)
        return;
    length = scnprintf(text, sizeof(text), "start=%llu program=%llu",
                       (unsigned long long)clock_count_to_ns(start_count),
                       (unsigned long long)boot.time_ns);
    console_frame(FRAME_TIMES, text, (size_t)length, true);
}

const struct machine_boot *machine_boot(void)
{
    return &boot;
}

/* --- the end --- */

_Noreturn static void end(void (*psci)(void))
{
    irq_disable();
    console_flush();
    machine_find_psci();
    if (psci_available())
        psci();
    cpu_halt(); /* nothing answers: at least the CPU sleeps */
}

void machine_power_off(void)
{
    end(psci_system_off);
}

void machine_restart(void)
{
    end(psci_system_reset);
}

void machine_exit_status(unsigned status)
{
    console_exit_status(status);
    machine_power_off();
}

void machine_exit_signal(unsigned signal)
{
    console_exit_signal(signal);
    machine_power_off();
}

void machine_die(void)
{
    console_panic_mode();
    machine_exit_status(FRAME_STATUS_ERROR);
}
