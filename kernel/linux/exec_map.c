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

int exec_file_open(struct exec_file *f, uint8_t *head, const struct path *at, const char *name,
                   unsigned lookup, const char **reason)
{
    ssize_t got;
    int error;

    *reason = NULL;
    error = fs_open_exec(at, name, lookup, &f->file);
    if (error)
        return error;
    f->object = f->file->ops->object ? f->file->ops->object(f->file) : NULL;
    if (!f->object) {
        *reason = "its file system cannot map files";
        exec_file_close(f);
        return -ENODEV;
    }
    f->size = READ_ONCE(f->file->inode->size);
    got = exec_file_read(f, head, EXEC_HEAD, 0);
    if (got < 0)
        exec_file_close(f);
    else
        f->head_bytes = (size_t)got;
    return got < 0 ? (int)got : 0;
}

void exec_file_close(struct exec_file *f)
{
    if (f->object)
        object_unref(f->object);
    if (f->file)
        fs_close_exec(f->file);
    f->object = NULL;
    f->file = NULL;
}

ssize_t exec_file_read(struct exec_file *f, void *to, size_t bytes, uint64_t offset)
{
    if (offset >= f->size)
        return 0;
    return object_read(f->object, to, (size_t)min((uint64_t)bytes, f->size - offset), offset);
}

static int parse_far_phdrs(struct exec_file *f, const uint8_t *head, uint64_t offset, size_t bytes,
                           const char **reason)
{
    void *phdrs = kmalloc(bytes);
    ssize_t got;
    int error;

    if (!phdrs)
        return -ENOMEM;
    got = exec_file_read(f, phdrs, bytes, offset);
    if (got == (ssize_t)bytes) {
        error = elf_parse(&f->image, head, phdrs, bytes, f->size, reason);
    } else {
        *reason = "it is truncated in the program headers";
        error = got < 0 ? (int)got : -ENOEXEC;
    }
    kfree(phdrs);
    return error;
}

int exec_file_parse(struct exec_file *f, const uint8_t *head, const char **reason)
{
    uint64_t offset;
    size_t bytes;
    int error = elf_parse_header(head, f->head_bytes, f->size, &offset, &bytes, reason);

    if (error)
        return error;
    if (offset + bytes <= f->head_bytes)
        return elf_parse(&f->image, head, head + offset, bytes, f->size, reason);
    return parse_far_phdrs(f, head, offset, bytes, reason);
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
    got = exec_file_read(f, note, bytes, f->image.property_offset);
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

    if (!image->is_pie) { /* above are the vDSO and the stack */
        f->bias = 0;
        return image->end <= vs->mmap_top ? 0 : -ENOMEM;
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

static int map_file_part(struct exec_file *f, struct vmspace *vs, const struct elf_segment *s)
{
    vaddr_t start = align_down(s->addr + f->bias, PAGE_SIZE);
    struct vm_request request = {
        .hint = start,
        .len = s->addr + f->bias + s->file_bytes - start,
        .prot = segment_prot(f, s),
        .flags = VM_FIXED,
        .object = f->object,
        .offset = align_down(s->offset, PAGE_SIZE),
        .owner_ops = &map_owner_ops,
        .owner = f->file,
    };
    vaddr_t at;

    return s->file_bytes ? vm_map_request(vs, &request, &at) : 0;
}

/* The last page of a segment that .bss begins in: a copy, whose rest is zero to the end of the page
 * because the loaders of C libraries take their first memory there. */
static int map_last_page(struct exec_file *f, struct vmspace *vs, const struct elf_segment *s)
{
    vaddr_t end = s->addr + f->bias + s->file_bytes;
    size_t bytes = end % PAGE_SIZE;
    void *page = vm_new_page(vs, end - bytes);
    ssize_t got;

    if (!page)
        return -ENOMEM;
    got = exec_file_read(f, page, bytes, s->offset + s->file_bytes - bytes);
    return got < 0 ? (int)got : 0;
}

/* .bss, behind what comes from the file. */
static int map_zero_part(struct exec_file *f, struct vmspace *vs, const struct elf_segment *s)
{
    vaddr_t file_end = s->addr + f->bias + s->file_bytes, end = s->addr + f->bias + s->mem_bytes;
    vaddr_t anonymous =
        s->file_bytes ? align_up(file_end, PAGE_SIZE) : align_down(file_end, PAGE_SIZE);

    if ((s->prot & VM_WRITE) && end > file_end && anonymous > file_end) {
        int error = map_last_page(f, vs, s);

        if (error)
            return error;
    }
    if (end <= anonymous)
        return 0;
    return vm_map(vs, anonymous, end - anonymous, segment_prot(f, s), VM_FIXED, NULL, 0,
                  &anonymous);
}

int exec_file_map(struct exec_file *f, struct vmspace *vs, vaddr_t base_hint, const char **reason)
{
    int error = choose_bias(f, vs, base_hint);

    *reason = "there is no room for it in memory";
    for (unsigned i = 0; !error && i < f->image.segment_count; i++) {
        error = map_file_part(f, vs, &f->image.segments[i]);
        if (!error)
            error = map_zero_part(f, vs, &f->image.segments[i]);
    }
    if (error == -EIO || error == -EFAULT)
        *reason = "it cannot be read";
    return error;
}
