/* SPDX-License-Identifier: MIT
 *
 * System calls that the kernel answers (its own table, by implemented_calls.py) and that code
 * makes.
 */
#include "system_calls.h"

#include <string.h>

#include "../kernel/linux/abi64/numbers.h"

#define LOOK_BACK 12 /* instructions; compilers put the number right before the call */

/* Arm ARM C6.2: SVC, MOVZ. */
#define SVC_0      0xd4000001u
#define MOVZ_MASK  0x7fe0001fu /* either width, register and shift kept */
#define MOVZ_R8    0x52800008u
#define MOVZ_VALUE 0x1fffe0u

bool system_call_implemented(unsigned number)
{
    static const uint16_t implemented[] = {
#include <tool/implemented_calls.h>
    };

    for (size_t i = 0; i < sizeof(implemented) / sizeof(implemented[0]); i++)
        if (implemented[i] == number)
            return true;
    return false;
}

const char *system_call_name(unsigned number)
{
    static const struct {
        unsigned number;
        const char *name;
    } names[] = {
#define NAMED(n, text) {n, #text},
        ABI64_SYSCALLS(NAMED)
#undef NAMED
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}

static uint32_t instruction(const uint8_t *text, size_t index)
{
    uint32_t word;

    memcpy(&word, text + 4 * index, sizeof(word));
    return word;
}

void system_calls_find(const uint8_t *text, size_t size, bool used[SYSTEM_CALL_MAX])
{
    for (size_t i = 0; i < size / 4; i++) {
        if (instruction(text, i) != SVC_0)
            continue;
        for (size_t back = 1; back <= LOOK_BACK && back <= i; back++) {
            uint32_t word = instruction(text, i - back);
            unsigned number = (word & MOVZ_VALUE) >> 5;

            if ((word & MOVZ_MASK) != MOVZ_R8)
                continue;
            if (number < SYSTEM_CALL_MAX)
                used[number] = true;
            break;
        }
    }
}
