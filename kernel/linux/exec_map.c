/* SPDX-License-Identifier: MIT
 *
 * Opening executable files and mapping their segments. Pages come from the file's object, so the
 * text of a program in the root image is mapped where it lies.
 */
#include <arch/alternative.h>
#include <arch/features.h>
#include <file/file.h>
#include <fs/inode.h>
#include <fs/open.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "exec_internal.h"
#include "map_owner.h"

int exec_file_open(struct exec_file *f, const struct path *at, const char *name, unsigned lookup,
                   const char **reason)
{
    struct inode_stat stat;
    ssize_t got;
    int error;

    memset(f, 0, sizeof(*f));
    *reason = NULL;
    error = fs_open_exec(at, name, lookup, &f->file);
    if (error)
        return error;
    error = fs_file_stat(f->file, &stat);
    if (!error) {
        f->size = stat.size;
        got = file_read_kernel(f->file, f->head, sizeof(f->head), 0);
        error = got < 0 ? (int)got : 0;
        f->head_bytes = got < 0 ? 0 : (size_t)got;
    }
    if (error)
        exec_file_close(f);
    return error;
}

void exec_file_close(struct exec_file *f)
{
    if (f->file)
        fs_close_exec(f->file);
    f->file = NULL;
}

static int parse_far_phdrs(struct exec_file *f, uint64_t offset, size_t bytes, const char **reason)
{
    void *phdrs = kmalloc(bytes);
    ssize_t got;
    int error;

    if (!phdrs)
        return -ENOMEM;
    got = file_read_kernel(f->file, phdrs, bytes, offset);
    if (got == (ssize_t)bytes) {
        error = elf_parse(&f->image, f->head, phdrs, bytes, f->size, reason);
    } else {
        *reason = "it is truncated in the program headers";
        error = got < 0 ? (int)got : -ENOEXEC;
    }
    kfree(phdrs);
    return error;
}

int exec_file_parse(struct exec_file *f, const char **reason)
{
    uint64_t offset;
    size_t bytes;
    int error = elf_parse_header(f->head, f->head_bytes, f->size, &offset, &bytes, reason);

    if (error)
        return error;
    if (offset + bytes <= f->head_bytes)
        return elf_parse(&f->image, f->head, f->head + offset, bytes, f->size, reason);
    return parse_far_phdrs(f, offset, bytes, reason);
}

int exec_file_guard(struct exec_file *f)
{
    size_t bytes = f->image.property_bytes;
    uint8_t *note;
    ssize_t got;

    if (bytes == 0 || !cpu_has(CAP_BTI))
        return 0;
    note = kmalloc(bytes);
    if (!note)
        return -ENOMEM;
    got = file_read_kernel(f->file, note, bytes, f->image.property_offset);
    f->guarded = got == (ssize_t)bytes && elf_property_has_bti(note, bytes);
    kfree(note);
    return got < 0 ? (int)got : 0;
}

/* Finds and claims a range for a position-independent file; its segments then replace it piecewise.
 */
static int choose_bias(struct exec_file *f, struct vmspace *vs, vaddr_t base_hint)
{
    const struct elf_image *image = &f->image;
    size_t length = image->end - image->first;
    uint64_t align = min(image->align, (uint64_t)2 << 20);
    vaddr_t base;
    int error;

    if (!image->is_pie) {
        f->bias = 0;
        return 0;
    }
    error =
        vm_map(vs, align_down(base_hint, align), length + align - PAGE_SIZE, 0, 0, NULL, 0, &base);
    if (error)
        return error;
    vm_unmap(vs, base, length + align - PAGE_SIZE);
    f->bias = align_up(base, align) - align_down(image->first, align);
    return 0;
}

/* Of the one file that the kernel is to guard: a static program, or the interpreter, which does the
 * same for what it loads itself. */
static unsigned segment_prot(const struct exec_file *f, const struct elf_segment *s)
{
    return s->prot | (f->guarded && (s->prot & VM_EXEC) ? VM_BTI : 0);
}

static int map_file_part(struct exec_file *f, struct vmspace *vs, const struct elf_segment *s,
                         struct vm_object *object)
{
    vaddr_t start = align_down(s->addr + f->bias, PAGE_SIZE);
    struct vm_request request = {
        .hint = start,
        .len = s->addr + f->bias + s->file_bytes - start,
        .prot = segment_prot(f, s),
        .flags = VM_FIXED,
        .object = object,
        .offset = align_down(s->offset, PAGE_SIZE),
        .owner_ops = &map_owner_ops,
        .owner = f->file,
    };
    vaddr_t at;

    return s->file_bytes ? vm_map_request(vs, &request, &at) : 0;
}

/*
 * .bss: the rest of the last file page is cleared, to the end of the page because the loaders of C
 * libraries take their first memory there; whole pages behind it are anonymous.
 */
static int map_zero_part(struct exec_file *f, struct vmspace *vs, const struct elf_segment *s)
{
    static const char zeros[256];
    vaddr_t file_end = s->addr + f->bias + s->file_bytes, end = s->addr + f->bias + s->mem_bytes;
    vaddr_t anonymous =
        s->file_bytes ? align_up(file_end, PAGE_SIZE) : align_down(file_end, PAGE_SIZE);

    if ((s->prot & VM_WRITE) && end > file_end) {
        for (vaddr_t at = file_end; at < anonymous; at += sizeof(zeros)) {
            ssize_t done = vm_write(vs, at, zeros, min((size_t)(anonymous - at), sizeof(zeros)));

            if (done < 0)
                return (int)done;
        }
    }
    if (end <= anonymous)
        return 0;
    return vm_map(vs, anonymous, end - anonymous, segment_prot(f, s), VM_FIXED, NULL, 0,
                  &anonymous);
}

int exec_file_map(struct exec_file *f, struct vmspace *vs, vaddr_t base_hint, const char **reason)
{
    struct vm_object *object = f->file->ops->object ? f->file->ops->object(f->file) : NULL;
    int error;

    *reason = "its file system cannot map files";
    if (!object)
        return -ENODEV;
    *reason = "there is no room for it in memory";
    error = choose_bias(f, vs, base_hint);
    for (unsigned i = 0; !error && i < f->image.segment_count; i++) {
        error = map_file_part(f, vs, &f->image.segments[i], object);
        if (!error)
            error = map_zero_part(f, vs, &f->image.segments[i]);
    }
    if (error == -EIO || error == -EFAULT)
        *reason = "it cannot be read";
    object_unref(object);
    return error;
}
