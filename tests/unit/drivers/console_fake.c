/* SPDX-License-Identifier: MIT */
#include <unit.h>

#include "console_fake.h"

#include <string.h>

#include <core/wait.h>
#include <core/work.h>
#include <device/firmware.h>
#include <lib/minmax.h>
#include <lib/printf.h>

struct console_fake around;

void console_fake_reset(void)
{
    around = (struct console_fake){.bootargs = "quiet", .typed_room = sizeof(around.typed)};
}

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
}

bool work_queue(struct work *work)
{
    around.queued = work;
    return true;
}

void console_fake_work(void)
{
    struct work *work = around.queued;

    around.queued = NULL;
    if (work != NULL)
        work->run(work);
}

struct fw_node *fw_find_path(const char *path)
{
    static struct fw_node chosen;

    (void)path;
    return &chosen;
}

const char *fw_property_string(const struct fw_node *node, const char *name)
{
    (void)node, (void)name;
    return around.bootargs;
}

int dev_register(const char *name, uint32_t mode, const struct char_device *device)
{
    (void)mode;
    assert_true(around.file_count < 16);
    strcpy(around.names[around.file_count], name);
    around.files[around.file_count++] = *device;
    return 0;
}

void dev_unregister(const char *name, unsigned major, unsigned minor)
{
    (void)major, (void)minor;
    for (unsigned i = 0; i < around.file_count; i++) {
        if (strcmp(around.names[i], name) == 0)
            around.names[i][0] = '\0';
    }
}

int sys_register(const char *path, int (*show)(struct pseudo_text *, const struct pseudo_entry *),
                 void *data)
{
    assert_int_equal(strncmp(path, "class/virtio-ports/vport", 24), 0);
    assert_non_null(show);
    assert_non_null(data);
    around.sys_count++;
    return 0;
}

int pseudo_register_link(enum pseudo_tree tree, const char *path, const char *target)
{
    assert_int_equal(tree, PSEUDO_DEV);
    assert_int_equal(strncmp(path, "virtio-ports/", 13), 0);
    assert_null(strchr(path + 13, '/'));
    assert_int_equal(strncmp(target, "../vport", 8), 0);
    around.links++;
    return 0;
}

void pseudo_printf(struct pseudo_text *text, const char *format, ...)
{
    (void)text, (void)format;
}

/* --- terminals and the console ------------------------------------------------------------------
 */

int tty_init(struct tty *tty, const struct tty_ops *ops)
{
    tty->ops = ops;
    waitq_init(&tty->readable);
    waitq_init(&tty->writable);
    return 0;
}

int tty_show(struct tty *tty, const char *name, unsigned major, unsigned minor)
{
    (void)name;
    assert_int_equal(major, 229);
    assert_true(around.terminal_count < 4);
    around.terminals[around.terminal_count++] = tty;
    (void)minor;
    return 0;
}

static size_t type(const uint8_t *from, size_t size)
{
    size_t taken = min(size, around.typed_room);

    memcpy(around.typed + around.typed_size, from, taken);
    around.typed_size += taken;
    around.typed_room -= taken;
    return taken;
}

size_t tty_input(struct tty *tty, const uint8_t *from, size_t size)
{
    (void)tty;
    return type(from, size);
}

void tty_hangup(struct tty *tty)
{
    tty->hung_up = true;
}

void tty_set_winsize(struct tty *tty, const struct tty_winsize *size)
{
    tty->winsize = *size;
}

bool console_input(struct console_device *device, const uint8_t *from, size_t size)
{
    type(from, size);
    if (around.typed_room >= 64)
        return true;
    device->ops->receive(device, false);
    return false;
}

void console_output_ready(struct console_device *device)
{
    assert_non_null(device->ops);
}

void console_replace(struct console_device *device)
{
    around.replaced = device;
    device->ops->receive(device, true);
    device->ops->resume_input(device);
}
