/* SPDX-License-Identifier: MIT
 *
 * /proc/N/maps, smaps and smaps_rollup. The areas are copied out first, because names and inodes of
 * files may not be asked for under the address space's lock.
 */
#include <file/file.h>
#include <fs/inode.h>
#include <fs/open.h>
#include <fs/path.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "map_owner.h"
#include "proc.h"

struct area_copy {
    vaddr_t start, end;
    unsigned prot, flags;
    uint64_t offset, resident;
    struct file *file;
    const char *name;
};

struct area_list {
    struct area_copy *area;
    size_t count, capacity;
    bool count_pages;
};

static int copy_area(const struct vm_area *area, void *arg)
{
    struct area_list *list = arg;
    struct area_copy *copy;

    if (list->count == list->capacity)
        return 1;
    copy = &list->area[list->count++];
    *copy = (struct area_copy){.start = area->start,
                               .end = area->end,
                               .prot = area->prot,
                               .flags = area->flags,
                               .name = area->name,
                               .offset = area->object ? area->offset * PAGE_SIZE : 0};
    if (area->owner_ops == &map_owner_ops) {
        copy->file = area->owner;
        file_ref(copy->file);
    }
    if (list->count_pages)
        copy->resident = vm_resident_pages(area->vmspace, area->start, area->end - area->start);
    return 0;
}

static void list_free(struct area_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->area[i].file)
            file_unref(list->area[i].file);
    }
    kfree(list->area);
}

/* The areas of the entry's process; -ESRCH when it is gone. */
static int list_areas(const struct pseudo_entry *entry, struct area_list *list, bool count_pages)
{
    struct process *process = proc_process(entry);
    struct vmspace *vs;
    reg_t flags;

    *list = (struct area_list){.count_pages = count_pages};
    if (!process)
        return -ESRCH;
    flags = spin_lock_irq(&process->lock);
    vs = process->vmspace;
    if (vs)
        vmspace_ref(vs);
    spin_unlock_irq(&process->lock, flags);
    process_unref(process);
    if (!vs)
        return 0;
    list->capacity = vs->area_count + 16;
    list->area = kmalloc_array(list->capacity, sizeof(*list->area));
    if (list->area)
        vm_for_each_area(vs, copy_area, list);
    vmspace_unref(vs);
    return list->area ? 0 : -ENOMEM;
}

#define NAME_COLUMN 73

static void print_name(struct pseudo_text *text, const struct area_copy *area, size_t line_start)
{
    static const char spaces[] = "                                                       "
                                 "                  ";
    size_t used = text->length - line_start;
    char *name;
    struct path path;

    if (!area->name && !area->file)
        return;
    if (used < NAME_COLUMN)
        pseudo_write(text, spaces, NAME_COLUMN - used);
    if (area->name) {
        pseudo_puts(text, area->name);
        return;
    }
    name = kmalloc(PAGE_SIZE);
    if (name && path_of_file(area->file, &path) == 0 &&
        path_name(&path, NULL, name, PAGE_SIZE) >= 0)
        pseudo_puts(text, name);
    kfree(name);
}

static void print_area(struct pseudo_text *text, const struct area_copy *area)
{
    struct inode_stat stat;
    size_t line_start = text->length;

    memset(&stat, 0, sizeof(stat));
    if (area->file)
        fs_file_stat(area->file, &stat);
    pseudo_printf(text, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long)area->start,
                  (unsigned long)area->end, area->prot & VM_READ ? 'r' : '-',
                  area->prot & VM_WRITE ? 'w' : '-', area->prot & VM_EXEC ? 'x' : '-',
                  area->flags & VM_SHARED ? 's' : 'p', (unsigned long long)area->offset,
                  (unsigned)(stat.dev >> 8 & 0xfff), (unsigned)(stat.dev & 0xff),
                  (unsigned long long)stat.ino);
    print_name(text, area, line_start);
    pseudo_puts(text, "\n");
}

static int maps_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct area_list list;
    int error = list_areas(entry, &list, false);

    for (size_t i = 0; !error && i < list.count; i++)
        print_area(text, &list.area[i]);
    list_free(&list);
    return error;
}

/* Of resident pages it is not told who shares them: private areas count as private. */
static void print_sizes(struct pseudo_text *text, uint64_t kib, uint64_t resident_kib, bool shared,
                        bool dirty)
{
    unsigned long long r = resident_kib;

    pseudo_printf(
        text,
        "Size:           %8llu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
        (unsigned long long)kib);
    pseudo_printf(text, "Rss:            %8llu kB\nPss:            %8llu kB\n", r, r);
    pseudo_printf(text,
                  "Shared_Clean:   %8llu kB\nShared_Dirty:   %8llu kB\n"
                  "Private_Clean:  %8llu kB\nPrivate_Dirty:  %8llu kB\n",
                  shared && !dirty ? r : 0, shared && dirty ? r : 0, !shared && !dirty ? r : 0,
                  !shared && dirty ? r : 0);
    pseudo_printf(text, "Referenced:     %8llu kB\nAnonymous:      %8llu kB\n", r,
                  !shared && dirty ? r : 0);
    pseudo_puts(text, "LazyFree:              0 kB\nAnonHugePages:         0 kB\n"
                      "ShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
                      "Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\n"
                      "Swap:                  0 kB\nSwapPss:               0 kB\n");
    pseudo_printf(text, "Locked:         %8llu kB\n", 0ull);
}

static int smaps_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct area_list list;
    int error = list_areas(entry, &list, true);

    for (size_t i = 0; !error && i < list.count; i++) {
        const struct area_copy *area = &list.area[i];

        print_area(text, area);
        print_sizes(text, (area->end - area->start) / 1024, area->resident * 4,
                    area->flags & VM_SHARED, area->prot & VM_WRITE);
        pseudo_printf(text, "THPeligible:    %d\nVmFlags: %s%s%smr mw me %s%s%s\n",
                      !area->file && !(area->flags & VM_NOHUGE), area->prot & VM_READ ? "rd " : "",
                      area->prot & VM_WRITE ? "wr " : "", area->prot & VM_EXEC ? "ex " : "",
                      area->flags & VM_SHARED ? "sh " : "", area->flags & VM_GROWSDOWN ? "gd " : "",
                      area->prot & VM_BTI ? "bt " : "");
    }
    list_free(&list);
    return error;
}

static int rollup_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct area_list list;
    uint64_t size = 0, resident = 0;
    int error = list_areas(entry, &list, true);

    for (size_t i = 0; !error && i < list.count; i++) {
        size += list.area[i].end - list.area[i].start;
        resident += list.area[i].resident;
    }
    if (!error && list.count) {
        pseudo_printf(text, "%08lx-%08lx ---p 00000000 00:00 0 %*s[rollup]\n",
                      (unsigned long)list.area[0].start,
                      (unsigned long)list.area[list.count - 1].end, 24, "");
        print_sizes(text, size / 1024, resident * 4, false, true);
    }
    list_free(&list);
    return error;
}

const struct pseudo_ops proc_maps_ops = {.show = maps_show, .owner = proc_owner};
const struct pseudo_ops proc_smaps_ops = {.show = smaps_show, .owner = proc_owner};
const struct pseudo_ops proc_smaps_rollup_ops = {.show = rollup_show, .owner = proc_owner};
