/* SPDX-License-Identifier: MIT
 *
 * The argument and environment strings of execve(2), gathered in kernel memory within the limits
 * that execve(2) tells under 'Limits on size of arguments and environment'.
 */
#include <arch/uaccess.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "exec_internal.h"

#define ARGS_MAX (2u << 20) /* kmalloc's largest block holds all strings */
#define ARGS_MIN (128u << 10)

void exec_args_init(struct exec_args *args, uint64_t stack_limit)
{
    memset(args, 0, sizeof(*args));
    args->limit = (size_t)clamp(stack_limit / 4, (uint64_t)ARGS_MIN, (uint64_t)ARGS_MAX);
}

void exec_args_free(struct exec_args *args)
{
    kfree(args->data);
    args->data = NULL;
}

static size_t space_used(const struct exec_args *args)
{
    return args->used + (args->argc + args->envc) * sizeof(uint64_t);
}

/* Room for `bytes` more of string and one pointer. */
static int make_room(struct exec_args *args, size_t bytes)
{
    size_t wanted = args->used + bytes, capacity = args->capacity ? args->capacity : 2048;
    char *data;

    if (space_used(args) + bytes + sizeof(uint64_t) > args->limit)
        return -E2BIG;
    if (wanted <= args->capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    data = krealloc(args->data, capacity);
    if (!data)
        return -ENOMEM;
    args->data = data;
    args->capacity = capacity;
    return 0;
}

static int add(struct exec_args *args, const char *string)
{
    size_t bytes = strlen(string) + 1;
    int error = bytes > EXEC_STRING_MAX ? -E2BIG : make_room(args, bytes);

    if (error)
        return error;
    memcpy(args->data + args->used, string, bytes);
    args->used += bytes;
    return 0;
}

int exec_args_add(struct exec_args *args, unsigned *count, const char *string)
{
    int error = add(args, string);

    if (!error)
        ++*count;
    return error;
}

/* Copies one string to the end, in steps of what is free there, growing as needed. */
static int add_user(struct exec_args *args, vaddr_t string)
{
    size_t start = args->used, length = 0;

    for (;;) {
        size_t room;
        ssize_t got;
        int error = make_room(args, length + 1);

        if (error)
            return error;
        room = args->capacity - start - length;
        got = strncpy_from_user(args->data + start + length, string + length, room);
        if (got < 0)
            return (int)got;
        length += (size_t)got;
        if ((size_t)got < room)
            break;
    }
    if (length + 1 > EXEC_STRING_MAX ||
        space_used(args) + length + 1 + sizeof(uint64_t) > args->limit)
        return -E2BIG;
    args->used = start + length + 1;
    return 0;
}

static int add_array(struct exec_args *args, vaddr_t array, unsigned *count)
{
    uint64_t pointer;
    int error;

    for (; array; array += sizeof(pointer)) {
        if (get_user64(&pointer, array))
            return -EFAULT;
        if (!pointer)
            break;
        error = add_user(args, pointer);
        if (error)
            return error;
        ++*count;
    }
    return 0;
}

int exec_args_copy(struct exec_args *args, vaddr_t argv, vaddr_t envp)
{
    int error = add_array(args, argv, &args->argc);

    /* A program may rely on argv[0]: like Linux since 5.18 an empty argv gets an empty string. */
    if (!error && args->argc == 0)
        error = exec_args_add(args, &args->argc, "");
    return error ? error : add_array(args, envp, &args->envc);
}

int exec_args_script(struct exec_args *args, const char *first, const char *second,
                     const char *third)
{
    const char *strings[3] = {first, second, third};
    size_t old = args->argc ? strlen(args->data) + 1 : 0, bytes = 0, at = 0;
    int error;

    for (unsigned i = 0; i < 3; i++)
        bytes += strings[i] ? strlen(strings[i]) + 1 : 0;
    error = make_room(args, bytes + 2 * sizeof(uint64_t));
    if (error)
        return error;
    memmove(args->data + bytes, args->data + old, args->used - old);
    for (unsigned i = 0; i < 3; i++) {
        if (!strings[i])
            continue;
        memcpy(args->data + at, strings[i], strlen(strings[i]) + 1);
        at += strlen(strings[i]) + 1;
    }
    args->used += bytes - old;
    args->argc += (second ? 3 : 2) - (old ? 1 : 0);
    return 0;
}
