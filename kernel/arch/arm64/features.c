/* SPDX-License-Identifier: MIT */
/*
 * CPU features: ID registers, AT_HWCAP, and code alternatives. A field is "signed" where 0xf means
 * absent. Not offered to programs though a CPU may have it: SME, MTE
 * (their state is not switched); such fields read as absent.
 */
#include <arch/alternative.h>
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/features.h>
#include <arch/fixmap.h>
#include <arch/idregs.h>
#include <arch/irqflags.h>
#include <arch/memory_map.h>
#include <arch/registers.h>
#include <arch/sve.h>
#include <arch/sysreg.h>
#include <arch/uaccess.h>
#include <core/lock.h>
#include <lib/compiler.h>
#include <lib/string.h>

static uint64_t id_value[ID_COUNT];
static bool id_known;
static struct spinlock id_lock = SPINLOCK_INIT(RANK_DEVICE);

/* Two fields of ID_AA64PFR0_EL1 are signed: FP and AdvSIMD. */
static bool field_signed(enum id_register which, unsigned shift)
{
    return which == ID_PFR0 && (shift == 16 || shift == 20);
}

/* Algorithms of pointer authentication: what one CPU signs another must take, so they must be
 * equal. */
static bool field_exact(enum id_register which, unsigned shift)
{
    uint64_t exact = which == ID_ISAR1   ? ID_AA64ISAR1_PAUTH
                     : which == ID_ISAR2 ? ID_AA64ISAR2_PAUTH
                                         : 0;

    return exact >> shift & 15;
}

static uint64_t lower_fields(enum id_register which, uint64_t a, uint64_t b)
{
    uint64_t result = 0;

    for (unsigned shift = 0; shift < 64; shift += 4) {
        unsigned x = a >> shift & 15, y = b >> shift & 15, low = x < y ? x : y;

        if (field_signed(which, shift) && (x == 15 || y == 15))
            low = 15;
        if (field_exact(which, shift) && x != y)
            low = 0;
        result |= (uint64_t)low << shift;
    }
    return result;
}

void features_cpu_init(void)
{
    reg_t flags = spin_lock_irq(&id_lock);
    uint64_t others[ID_COUNT], *own = id_known ? others : id_value;

    own[ID_PFR0] = sysreg_read(S3_0_C0_C4_0);
    own[ID_PFR1] = sysreg_read(S3_0_C0_C4_1);
    own[ID_ZFR0] = sysreg_read(S3_0_C0_C4_4);
    own[ID_DFR0] = sysreg_read(S3_0_C0_C5_0);
    own[ID_ISAR0] = sysreg_read(S3_0_C0_C6_0);
    own[ID_ISAR1] = sysreg_read(S3_0_C0_C6_1);
    own[ID_ISAR2] = sysreg_read(S3_0_C0_C6_2);
    own[ID_MMFR0] = sysreg_read(S3_0_C0_C7_0);
    own[ID_MMFR1] = sysreg_read(S3_0_C0_C7_1);
    own[ID_MMFR2] = sysreg_read(S3_0_C0_C7_2);
    for (unsigned i = 0; id_known && i < ID_COUNT; i++)
        id_value[i] = lower_fields(i, id_value[i], own[i]);
    id_known = true;
    if (own[ID_PFR0] >> ID_AA64PFR0_SVE_SHIFT & 15)
        sve_cpu_init();
    spin_unlock_irq(&id_lock, flags);
}

unsigned id_field(enum id_register which, unsigned shift)
{
    return id_value[which] >> shift & 15;
}

struct hwcap {
    uint8_t bit, which, shift, least;
};

static const struct hwcap hwcap_table[] = {
    {3, ID_ISAR0, 4, 1},   /* AES */
    {4, ID_ISAR0, 4, 2},   /* PMULL */
    {5, ID_ISAR0, 8, 1},   /* SHA1 */
    {6, ID_ISAR0, 12, 1},  /* SHA2 */
    {7, ID_ISAR0, 16, 1},  /* CRC32 */
    {8, ID_ISAR0, 20, 2},  /* ATOMICS */
    {12, ID_ISAR0, 28, 1}, /* ASIMDRDM */
    {13, ID_ISAR1, 12, 1}, /* JSCVT */
    {14, ID_ISAR1, 16, 1}, /* FCMA */
    {15, ID_ISAR1, 20, 1}, /* LRCPC */
    {16, ID_ISAR1, 0, 1},  /* DCPOP */
    {17, ID_ISAR0, 32, 1}, /* SHA3 */
    {18, ID_ISAR0, 36, 1}, /* SM3 */
    {19, ID_ISAR0, 40, 1}, /* SM4 */
    {20, ID_ISAR0, 44, 1}, /* ASIMDDP */
    {21, ID_ISAR0, 12, 2}, /* SHA512 */
    {22, ID_PFR0, 32, 1},  /* SVE */
    {23, ID_ISAR0, 48, 1}, /* ASIMDFHM */
    {24, ID_PFR0, 48, 1},  /* DIT */
    {25, ID_MMFR2, 32, 1}, /* USCAT */
    {26, ID_ISAR1, 20, 2}, /* ILRCPC */
    {27, ID_ISAR0, 52, 1}, /* FLAGM */
    {28, ID_PFR1, 4, 2},   /* SSBS */
    {29, ID_ISAR1, 36, 1}, /* SB */
};

static const struct hwcap hwcap2_table[] = {
    {0, ID_ISAR1, 0, 2},   /* DCPODP */
    {1, ID_ZFR0, 0, 1},    /* SVE2 */
    {2, ID_ZFR0, 4, 1},    /* SVEAES */
    {3, ID_ZFR0, 4, 2},    /* SVEPMULL */
    {4, ID_ZFR0, 16, 1},   /* SVEBITPERM */
    {5, ID_ZFR0, 32, 1},   /* SVESHA3 */
    {6, ID_ZFR0, 40, 1},   /* SVESM4 */
    {7, ID_ISAR0, 52, 2},  /* FLAGM2 */
    {8, ID_ISAR1, 32, 1},  /* FRINT */
    {9, ID_ZFR0, 44, 1},   /* SVEI8MM */
    {10, ID_ZFR0, 52, 1},  /* SVEF32MM */
    {11, ID_ZFR0, 56, 1},  /* SVEF64MM */
    {12, ID_ZFR0, 20, 1},  /* SVEBF16 */
    {13, ID_ISAR1, 52, 1}, /* I8MM */
    {14, ID_ISAR1, 44, 1}, /* BF16 */
    {15, ID_ISAR1, 48, 1}, /* DGH */
    {16, ID_ISAR0, 60, 1}, /* RNG */
    {17, ID_PFR1, 0, 1},   /* BTI */
    {19, ID_MMFR0, 60, 1}, /* ECV */
    {20, ID_MMFR1, 44, 1}, /* AFP */
    {21, ID_ISAR2, 4, 1},  /* RPRES */
    {31, ID_ISAR2, 0, 2},  /* WFXT */
    {32, ID_ISAR1, 44, 2}, /* EBF16 */
    {33, ID_ZFR0, 20, 2},  /* SVE_EBF16 */
};

static uint64_t hwcap_collect(const struct hwcap *table, size_t count)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        bool has = id_field(table[i].which, table[i].shift) >= table[i].least;

        bits |= (uint64_t)has << table[i].bit;
    }
    return bits;
}

#define HWCAP_FP      (1UL << 0)
#define HWCAP_ASIMD   (1UL << 1)
#define HWCAP_FPHP    (1UL << 9)
#define HWCAP_ASIMDHP (1UL << 10)
#define HWCAP_CPUID   (1UL << 11)
#define HWCAP_PACA    (1UL << 30)

/* FEAT_PAuth of one of three algorithms: addresses, and PACGA. */
static bool has_address_auth(void)
{
    return id_field(ID_ISAR1, 4) != 0 || id_field(ID_ISAR1, 8) != 0 || id_field(ID_ISAR2, 12) != 0;
}

static bool has_generic_auth(void)
{
    return id_field(ID_ISAR1, 24) != 0 || id_field(ID_ISAR1, 28) != 0 || id_field(ID_ISAR2, 8) != 0;
}

uint64_t features_hwcap(void)
{
    uint64_t bits = hwcap_collect(hwcap_table, ARRAY_SIZE(hwcap_table)) | HWCAP_CPUID;
    unsigned fp = id_field(ID_PFR0, 16), simd = id_field(ID_PFR0, 20);

    if (fp != 15)
        bits |= fp >= 1 ? HWCAP_FP | HWCAP_FPHP : HWCAP_FP;
    if (simd != 15)
        bits |= simd >= 1 ? HWCAP_ASIMD | HWCAP_ASIMDHP : HWCAP_ASIMD;
    if (cpu_has(CAP_PAUTH))
        bits |= HWCAP_PACA | (has_generic_auth() ? HWCAP_PACG : 0);
    return bits;
}

uint64_t features_hwcap2(void)
{
    return hwcap_collect(hwcap2_table, ARRAY_SIZE(hwcap2_table));
}

/* Where the field is, and from which value on; but for CAP_PAUTH. */
static const struct {
    uint8_t which, shift, least;
} capability_field[] = {
    [CAP_LSE] = {ID_ISAR0, 20, 2},
    [CAP_PAN] = {ID_MMFR1, 20, 1},
    [CAP_BTI] = {ID_PFR1, 0, 1},
};

bool cpu_has(unsigned capability)
{
    if (capability == CAP_PAUTH)
        return has_address_auth();
    return id_field(capability_field[capability].which, capability_field[capability].shift) >=
           capability_field[capability].least;
}

void features_cpu_enable(void)
{
    reg_t control = sysreg_read(sctlr_el1);

    if (cpu_has(CAP_PAN))
        control &= ~(reg_t)SCTLR_SPAN; /* every exception to EL1 sets PSTATE.PAN */
    if (cpu_has(CAP_BTI))
        control |= SCTLR_BT0 | SCTLR_BT1;
    sysreg_write(sctlr_el1, control);
    isb();
}

/* What a program may see of each register; the rest reads as `fixed`, as Linux has it. */
static const struct {
    uint64_t visible, fixed;
} user_view[ID_COUNT] = {
    [ID_PFR0] = {0x000f000f00ff0000, 0x11},        [ID_PFR1] = {0x00000000000000ff, 0},
    [ID_ZFR0] = {0x0ff0ff0f00ff00ff, 0},           [ID_ISAR0] = {0xf0fffffff0fffff0, 0},
    [ID_ISAR1] = {0x00fff0ffffffffff, 0},          [ID_ISAR2] = {0x000000000000ffff, 0},
    [ID_MMFR0] = {0xf000000000000000, 0xff000000}, [ID_MMFR1] = {0x0000f00000000000, 0},
    [ID_MMFR2] = {0x0000000f00000000, 0},          [ID_DFR0] = {0, 0x6},
};

uint64_t id_user_view(enum id_register which)
{
    return (id_value[which] & user_view[which].visible) | user_view[which].fixed;
}

/* --- code alternatives --- */

struct alternative {
    int32_t original, replacement;  /* relative to the field */
    uint8_t size, replacement_size; /* bytes */
    uint16_t capability;
};

#define NOP 0xd503201fU

extern const struct alternative __alternatives_start[], __alternatives_end[];

/* Where `text` can be written; the mapping is kept for as long as the page stays the same. */
static uint32_t *writable(const char *text)
{
    static paddr_t mapped;
    static char *page;
    paddr_t address = image_phys(text);

    if (page == NULL || (address & PAGE_MASK) != mapped) {
        mapped = address & PAGE_MASK;
        page = fixmap_set(FIXMAP_PROBE, mapped, false);
    }
    return (uint32_t *)(page + (address & ~PAGE_MASK));
}

static void patch(const struct alternative *alternative)
{
    const char *original = (const char *)&alternative->original + alternative->original;
    const char *replacement = (const char *)&alternative->replacement + alternative->replacement;

    for (size_t i = 0; i < alternative->size; i += 4) {
        uint32_t instruction = NOP;

        if (i < alternative->replacement_size)
            memcpy(&instruction, replacement + i, sizeof(instruction));
        WRITE_ONCE(*writable(original + i), instruction);
    }
    icache_sync(original, alternative->size);
}

/*
 * Text is read-only: it is written through a second mapping. Data caches are coherent between the
 * two, so cleaning by the address in text is enough. The other CPUs wait in cpu.c, and no handler
 * runs text that is half of each.
 */
void alternatives_apply(void)
{
    reg_t flags = irq_save();

    for (const struct alternative *a = __alternatives_start; a < __alternatives_end; a++) {
        if (cpu_has(a->capability))
            patch(a);
    }
    fixmap_clear(FIXMAP_PROBE);
    isb();
    irq_restore(flags);
}

/* --- MRS at EL0 --- */

static const uint8_t register_by_encoding[8][8] = {
    [4] = {ID_PFR0 + 1, ID_PFR1 + 1, 0, 0, ID_ZFR0 + 1},
    [5] = {ID_DFR0 + 1},
    [6] = {ID_ISAR0 + 1, ID_ISAR1 + 1, ID_ISAR2 + 1},
    [7] = {ID_MMFR0 + 1, ID_MMFR1 + 1, ID_MMFR2 + 1},
};

static bool identity_register(unsigned op2, uint64_t *value)
{
    switch (op2) {
    case 0:
        *value = sysreg_read(midr_el1);
        return true;
    case 5:
        *value = 1UL << 31; /* MPIDR_EL1: topology is not shown */
        return true;
    case 6:
        *value = 0; /* REVIDR_EL1 */
        return true;
    default:
        return false;
    }
}

struct mrs {
    unsigned op0, op1, crn, crm, op2, rt;
};

static bool emulate(struct trapframe *frame, const struct mrs *mrs)
{
    uint64_t value = 0;

    if (mrs->op0 != 3 || mrs->op1 != 0 || mrs->crn != 0 || mrs->crm > 7 ||
        (mrs->crm >= 1 && mrs->crm <= 3))
        return false;
    if (mrs->crm == 0) {
        if (!identity_register(mrs->op2, &value))
            return false;
    } else if (register_by_encoding[mrs->crm][mrs->op2] != 0) {
        value = id_user_view(register_by_encoding[mrs->crm][mrs->op2] - 1);
    }
    if (mrs->rt != 31)
        frame->x[mrs->rt] = value;
    frame->pc += 4;
    frame->pstate &= ~(reg_t)SPSR_BTYPE; /* as after any instruction that is no branch */
    return true;
}

bool idreg_emulate_trapped(struct trapframe *frame, uint64_t esr)
{
    const struct mrs mrs = {
        .op0 = esr >> 20 & 3,
        .op1 = esr >> 14 & 7,
        .crn = esr >> 10 & 15,
        .crm = esr >> 1 & 15,
        .op2 = esr >> 17 & 7,
        .rt = esr >> 5 & 31,
    };

    return (esr & 1) != 0 && emulate(frame, &mrs);
}

bool idreg_emulate_undefined(struct trapframe *frame)
{
    uint32_t word;

    if (get_user32(&word, frame->pc) != 0 || word >> 20 != 0xd53)
        return false;
    const struct mrs mrs = {
        .op0 = 2 + (word >> 19 & 1),
        .op1 = word >> 16 & 7,
        .crn = word >> 12 & 15,
        .crm = word >> 8 & 15,
        .op2 = word >> 5 & 7,
        .rt = word & 31,
    };

    return emulate(frame, &mrs);
}
