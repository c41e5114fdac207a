/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove and memset in portable C. A CPU port that has better ones leaves this file out of
 * its build; there are no weak symbols.
 */
#include <lib/endian.h>
#include <lib/string.h>

#undef memcpy
#undef memmove
#undef memset

__no_loop_idiom void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    for (; size >= 8; size -= 8, d += 8, s += 8)
        store_u64(d, load_u64(s));
    while (size-- > 0)
        *d++ = *s++;
    return to;
}

static __no_loop_idiom void copy_backward(uint8_t *to, const uint8_t *from, size_t size)
{
    for (; size >= 8; size -= 8)
        store_u64(to + size - 8, load_u64(from + size - 8));
    while (size-- > 0)
        to[size] = from[size];
}

/* The forward loop loads each word before it stores it, so moving down never reads what it wrote.
 */
static __no_loop_idiom void copy_forward(uint8_t *to, const uint8_t *from, size_t size)
{
    for (; size >= 8; size -= 8, to += 8, from += 8)
        store_u64(to, load_u64(from));
    while (size-- > 0)
        *to++ = *from++;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((vaddr_t)to - (vaddr_t)from < size)
        copy_backward(to, from, size);
    else
        copy_forward(to, from, size);
    return to;
}

__no_loop_idiom void *memset(void *to, int byte, size_t size)
{
    uint8_t *d = to;
    uint64_t word = (uint8_t)byte * 0x0101010101010101ULL;

    for (; size >= 8; size -= 8, d += 8)
        store_u64(d, word);
    while (size-- > 0)
        *d++ = (uint8_t)byte;
    return to;
}
