/* SPDX-License-Identifier: MIT */
/* Who takes whose message interrupts: the bindings pci-msi.txt and interrupt-controller/msi.txt. */
#include <core/log.h>
#include <device/msi.h>
#include <lib/endian.h>
#include <lib/errno.h>

#define MAP_ENTRY 16U /* bytes: first requester, controller, its first id, count */

static struct list_node controllers = LIST_INIT(controllers);

void msi_controller_register(struct msi_controller *controller)
{
    list_add_tail(&controllers, &controller->list);
}

static int set_controller(struct msi_device *device, uint32_t phandle, uint32_t id)
{
    const struct fw_node *node = fw_find_phandle(phandle);
    struct msi_controller *controller;

    list_for_each_entry (controller, &controllers, list) {
        if (controller->node == node) {
            device->controller = controller;
            device->id = id;
            return 0;
        }
    }
    return -ENODEV;
}

int msi_find(const struct fw_node *host, uint32_t requester, struct msi_device *device)
{
    uint32_t size, mask = ~0U, parent;
    const uint8_t *data = fw_property(host, "msi-map", &size);

    if (data == NULL)
        return fw_property_cell(host, "msi-parent", 0, &parent) == 0
                   ? set_controller(device, parent, requester)
                   : -ENODEV;
    if (size % MAP_ENTRY != 0) {
        log_error("Bad 'msi-map' property of %s: %u bytes, expected a multiple of %u; its devices "
                  "have no message interrupts",
                  fw_name(host), size, MAP_ENTRY);
        return -EINVAL;
    }
    fw_property_u32(host, "msi-map-mask", &mask);
    requester &= mask;
    for (; size >= MAP_ENTRY; size -= MAP_ENTRY, data += MAP_ENTRY) {
        uint32_t first = load_be32(data), count = load_be32(data + 12);

        if (requester >= first && requester - first < count)
            return set_controller(device, load_be32(data + 4),
                                  load_be32(data + 8) + (requester - first));
    }
    return -ENODEV;
}
