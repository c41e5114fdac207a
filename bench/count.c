// SPDX-License-Identifier: MIT
// A QEMU plugin that counts the instructions a guest runs and reports the count when the guest
// executes `hint #0x70`..`hint #0x7f` (no-operations on every arm64 CPU): a line "mark K COUNT
// DIFFERENT" each, "total COUNT" at the end. DIFFERENT tells how many instructions were translated
// so far, each address once. Every instruction is counted as it starts, so a block left early by an
// exception is not counted whole. One vCPU only: the counter is not atomic.
//
//     qemu-system-aarch64 ... -plugin count.so,out=FILE[,hot=FILE]
//
// hot=FILE: at the end, how often each instruction ran, a line "ADDRESS COUNT" each.
//
// The declarations below are what is used of QEMU's plugin interface, version 1
// (docs/devel/tcg-plugins.rst).
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *),
                                            int flags, void *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op, void *,
                                                uint64_t);

enum { INTERFACE_VERSION = 1, CALLBACK_NO_REGISTERS = 0, INLINE_ADD_U64 = 0 };

EXPORT int qemu_plugin_version = INTERFACE_VERSION;
EXPORT int qemu_plugin_install(plugin_id, const struct qemu_info *, int argc, char **argv);

// Counters by address: a hash table with linear probing, never emptied. The last one takes what is
// too much.
#define SLOTS (1u << 20)
static struct {
    uint64_t address, count;
} slots[SLOTS];

static uint64_t count;
static unsigned different;
static FILE *out, *hot;

static uint64_t *slot_of(uint64_t address)
{
    unsigned at = (unsigned)(address * 0x9e3779b97f4a7c15ul >> 44);
    for (unsigned tries = 0; tries < SLOTS; tries++, at = (at + 1) % SLOTS) {
        if (slots[at].address == 0) {
            slots[at].address = address;
            different++;
        }
        if (slots[at].address == address)
            return &slots[at].count;
    }
    return &slots[SLOTS - 1].count;
}

static void on_mark(unsigned cpu, void *mark)
{
    (void)cpu;
    fprintf(out, "mark %u %" PRIu64 " %u\n", (unsigned)(uintptr_t)mark, count, different);
    fflush(out);
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        uint64_t *slot = slot_of(qemu_plugin_insn_vaddr(instruction));
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, INLINE_ADD_U64, &count, 1);
        if (hot)
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, INLINE_ADD_U64, slot, 1);
        // hint #imm7: the immediate is bits 5 to 11 (Arm ARM C6.2, HINT).
        if ((word & ~(0x7fu << 5)) == 0xd503201fu && (word >> 9 & 7) == 7)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, CALLBACK_NO_REGISTERS,
                                                   (void *)(uintptr_t)(word >> 5 & 15));
    }
}

static void on_exit(plugin_id id, void *unused)
{
    (void)id;
    (void)unused;
    fprintf(out, "total %" PRIu64 "\n", count);
    fclose(out);
    for (unsigned i = 0; hot && i < SLOTS; i++)
        if (slots[i].count)
            fprintf(hot, "%" PRIx64 " %" PRIu64 "\n", slots[i].address, slots[i].count);
    if (hot)
        fclose(hot);
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    out = stderr;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4) && (out = fopen(argv[i] + 4, "w")))
            continue;
        if (!strncmp(argv[i], "hot=", 4) && (hot = fopen(argv[i] + 4, "w")))
            continue;
        fprintf(stderr,
                "count: found argument %s, expected out=FILE or hot=FILE that can be written\n",
                argv[i]);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, NULL);
    return 0;
}
