/* SPDX-License-Identifier: MIT */
/*
 * The address space of a process: areas (address ranges with one protection and backing) in a tree,
 * a page table, accounting. All calls may sleep unless said otherwise; addresses and lengths are
 * the program's and are checked. Several threads may call at once.
 *
 * Locks: vmspace->lock (rwlock, areas; faults read) before object->area_lock before
 * vmspace->pt_lock (spinlock, page table). None of them is held over I/O, sleep for memory, or
 * access to user memory.
 */
#ifndef MM_VMSPACE_H
#define MM_VMSPACE_H

#include <arch/pagetable.h>
#include <arch/trap.h>
#include <core/lock.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/types.h>
#include <mm/object.h>

/* Protection: as PROT_*. */
#define VM_READ      1U
#define VM_WRITE     2U
#define VM_EXEC      4U
#define VM_PROT_MASK 7U
#define VM_BTI       16U /* with VM_EXEC: guarded, branches must land on a BTI instruction */

/* Area flags; those up to VM_STACK may be given to vm_map. */
#define VM_SHARED    0x10U /* writes are seen by all who map the object */
#define VM_FIXED     0x20U /* at exactly `hint`, replacing what is there */
#define VM_NOREPLACE 0x40U /* with VM_FIXED: -EEXIST instead of replacing */
#define VM_GROWSDOWN \
    0x80U /* grows towards lower addresses on faults, down to the stack limit and guard gap */
#define VM_POPULATE    0x100U /* fault all pages in before returning */
#define VM_NORESERVE   0x200U
#define VM_LOCKED      0x400U /* mlock: populated, counted */
#define VM_NOHUGE      0x800U
#define VM_HUGE        0x1000U
#define VM_NOFORK      0x2000U /* MADV_DONTFORK */
#define VM_WIPEFORK    0x4000U
#define VM_NODUMP      0x8000U
#define VM_STACK       0x10000U /* MAP_STACK: no huge pages */
#define VM_LOCKONFAULT 0x20000U
#define VM_IO          0x40000U /* frames of a device */

/* What keeps a file open while it is mapped, and names it in /proc/self/maps; opaque to mm. */
struct vm_owner_ops {
    void (*ref)(void *owner);
    void (*unref)(void *owner);
};

struct vm_area {
    struct rb_node node;  /* in vmspace->areas, by start; augmented with the largest gap */
    vaddr_t start, end;   /* [start, end), page-aligned */
    uint64_t gap;         /* free bytes between the previous area (or the floor) and start */
    uint64_t subtree_gap; /* largest in the subtree */
    struct vmspace *vmspace;
    unsigned prot;            /* VM_READ.. */
    unsigned max_prot;        /* what mprotect may give */
    unsigned flags;           /* VM_SHARED.. */
    struct vm_object *object; /* NULL: private anonymous */
    uint64_t offset;          /* of start in the object, in pages */
    struct list_node object_link;
    const struct vm_owner_ops *owner_ops;
    void *owner;      /* struct file of the linux layer, or NULL */
    const char *name; /* "[heap]", "[stack]", "[vdso]", ... static; or NULL */
};

struct vmspace {
    struct rwlock lock; /* guards the areas and all but what is named below */
    struct rb_root areas;
    struct vm_area *cached; /* last area found, a hint checked under the lock (read without) */
    unsigned area_count;
    uint64_t pages_mapped; /* size of all areas */
    uint64_t pages_locked;
    uint64_t pages_data, pages_stack, pages_exec,
        pages_shared;   /* for /proc/self/status, in pages */
    vaddr_t mmap_top;   /* new areas go below, top-down; set by exec with its random offset */
    vaddr_t mmap_floor; /* lowest address for areas without VM_FIXED */
    vaddr_t brk_start, brk_end; /* heap, set by vm_set_brk */
    uint64_t limit_as, limit_data, limit_stack,
        limit_memlock;      /* bytes, from setrlimit; UINT64_MAX: none */
    bool memlock_unlimited; /* limit_memlock does not bind (CAP_IPC_LOCK) */
    unsigned lock_future;   /* VM_LOCKED | VM_LOCKONFAULT of mlockall(MCL_FUTURE) */

    struct spinlock pt_lock; /* guards the page table */
    struct pagetable pagetable;
    uint64_t pages_resident; /* pt_lock; frames with counted references */
    uint64_t pages_resident_peak;

    atomic_t refs;
};

/* An empty space with one reference; NULL when out of memory. */
struct vmspace *vmspace_create(void);
void vmspace_ref(struct vmspace *vs);
void vmspace_unref(struct vmspace *vs); /* the last one unmaps all */

/* A copy for fork: private pages are shared copy-on-write. -ENOMEM. */
int vmspace_clone(struct vmspace *from, struct vmspace **out);

/* Makes it the address space of this CPU (NULL: none, for kernel threads); with interrupts off,
 * from the thread switch. */
void vmspace_activate(struct vmspace *vs);

/*
 * Maps `len` bytes (rounded up to pages) and returns where. hint 0 and no VM_FIXED: the highest gap
 * below mmap_top that fits. A hint without VM_FIXED is taken if free. The object's reference and
 * the owner's are taken by the area, not stolen. offset in bytes, page-aligned. -EINVAL, -ENOMEM
 * (space, limits), -EEXIST, -EPERM (below mmap_floor).
 */
struct vm_request {
    vaddr_t hint;
    size_t len;
    unsigned prot, max_prot; /* max_prot 0: everything */
    unsigned flags;
    struct vm_object *object;
    uint64_t offset;
    const struct vm_owner_ops *owner_ops;
    void *owner;
    const char *name;
};
int vm_map_request(struct vmspace *vs, const struct vm_request *request, vaddr_t *addr);

int vm_map(struct vmspace *vs, vaddr_t hint, size_t len, unsigned prot, unsigned flags,
           struct vm_object *object, uint64_t offset, vaddr_t *addr);

int vm_unmap(struct vmspace *vs, vaddr_t addr, size_t len);
int vm_protect(struct vmspace *vs, vaddr_t addr, size_t len,
               unsigned prot); /* -ENOMEM hole, -EACCES max_prot */

/* flags: REMAP_*; returns the new address in *addr. Errors as mremap(2). */
#define REMAP_MAYMOVE   1U
#define REMAP_FIXED     2U
#define REMAP_DONTUNMAP 4U
int vm_remap(struct vmspace *vs, vaddr_t old, size_t old_len, size_t new_len, unsigned flags,
             vaddr_t fixed, vaddr_t *addr);

/* advice: the Linux MADV_* number. Errors as madvise(2). */
int vm_advise(struct vmspace *vs, vaddr_t addr, size_t len, int advice);
int vm_sync(struct vmspace *vs, vaddr_t addr, size_t len, bool wait, bool invalidate);

/* brk(2): the new break, or the old one when it cannot be moved there. vm_set_brk places an empty
 * heap. */
vaddr_t vm_brk(struct vmspace *vs, vaddr_t brk);
void vm_set_brk(struct vmspace *vs, vaddr_t start);

/* flags: 0 or VM_LOCKED [| VM_LOCKONFAULT]. -ENOMEM hole or limit, -EAGAIN could not be populated.
 */
int vm_lock(struct vmspace *vs, vaddr_t addr, size_t len, unsigned flags);
int vm_lock_all(struct vmspace *vs, unsigned flags, bool current_areas, bool future);

/* One byte per page, 1 if resident. -ENOMEM hole. vec is kernel memory. */
int vm_residence(struct vmspace *vs, vaddr_t addr, size_t len, unsigned char *vec);

/*
 * A fault at addr; access as struct fault (FAULT_READ, FAULT_WRITE, FAULT_EXEC). 0: mapped now, try
 * again. -EFAULT: no area (SEGV_MAPERR), -EACCES: protection (SEGV_ACCERR), -EIO: SIGBUS
 * (BUS_ADRERR), -ENOMEM: out of memory. Called in thread context with interrupts on; may sleep.
 */
int vm_fault(struct vmspace *vs, vaddr_t addr, unsigned access);

/*
 * A zeroed page of the program's own at an address of a private area where nothing is yet: exec
 * fills it through the pointer before the program runs. NULL: out of memory.
 */
void *vm_new_page(struct vmspace *vs, vaddr_t va);

/* Faults a range in ahead of use (VM_POPULATE, mlock); stops at the first error. */
int vm_populate(struct vmspace *vs, vaddr_t addr, size_t len, unsigned access);

/*
 * The frame behind a user address, faulted in for `access` and held by a reference: for DMA, futex
 * keys, other processes' memory. With FAULT_WRITE the page is the program's own and marked dirty
 * where it has a file. Errors as vm_fault. Release by page_unpin_user.
 */
int page_pin_user(struct vmspace *vs, vaddr_t addr, unsigned access, struct page **page);
void page_unpin_user(struct page *page);

/* Copies between kernel memory and any vmspace (procfs, process_vm_readv, ptrace); returns bytes
 * copied, -EFAULT if none. */
ssize_t vm_read(struct vmspace *vs, void *to, vaddr_t from, size_t len);
ssize_t vm_write(struct vmspace *vs, vaddr_t to, const void *from, size_t len);

/* What a shared futex is keyed by: the object and byte offset behind addr when the area is shared,
 * else NULL and addr. The object is referenced for the caller. -EFAULT when nothing is mapped. */
int vm_futex_key(struct vmspace *vs, vaddr_t addr, struct vm_object **object, uint64_t *offset);

/* Calls fn for each area in order of address, with the lock read-held: fn must not sleep on user
 * memory and not call back into vmspace. Stops when fn returns non-zero and returns that. */
int vm_for_each_area(struct vmspace *vs, int (*fn)(const struct vm_area *, void *), void *arg);

/* Pages present in [addr, addr+len), for smaps; the caller is inside vm_for_each_area. */
uint64_t vm_resident_pages(struct vmspace *vs, vaddr_t addr, size_t len);

#endif
