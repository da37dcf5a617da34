/* Pairing on an operator's word: an agent that lives as long as the command and speaks for one device only. A device that
 * has neither a display nor keys pairs by itself ("just works"); nobody can tell then that it is the one that is meant, so
 * that takes --yes. */
#include <errno.h>
#include <inttypes.h>

#include "cli/ble.h"

static const char agent_path[] = "/org/wardstone/agent";

typedef struct Pairing {
        BleBus *bus;
        const BleValues *values;
        BleKnown *device;
        bool was_asked; /* something was compared or entered */
        char failure[256];
} Pairing;

static int reject(sd_bus_message *m) {
        return sd_bus_reply_method_errorf(m, "org.bluez.Error.Rejected", "%s", "rejected");
}

/* The device that the agent speaks for; another one is none of this operator's business. */
static bool is_ours(const Pairing *p, const char *path) {
        return streq(p->device->path, path);
}

/* A line of the operator's, without its end; false at the end of the input. */
static bool ask(const char *question, char *ret, size_t size) {
        fputs(question, stdout);
        (void) fflush(stdout);
        if (!fgets(ret, (int) size, stdin))
                return false;
        ret[strcspn(ret, "\n")] = '\0';
        return true;
}

static int on_passkey(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pairing *p = userdata;
        char line[32];
        const char *path;
        char *end;

        if (sd_bus_message_read(m, "o", &path) < 0 || !is_ours(p, path))
                return reject(m);
        p->was_asked = true;
        if (!ask("Passkey that the device shows: ", line, sizeof line))
                return reject(m);
        unsigned long passkey = strtoul(line, &end, 10);
        if (end == line || *end != '\0' || passkey > 999999)
                return reject(m);
        return sd_bus_reply_method_return(m, "u", (uint32_t) passkey);
}

static int on_pin(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pairing *p = userdata;
        const char *path;
        char line[17];

        if (sd_bus_message_read(m, "o", &path) < 0 || !is_ours(p, path))
                return reject(m);
        p->was_asked = true;
        return ask("PIN of the device: ", line, sizeof line) ? sd_bus_reply_method_return(m, "s", line)
                                                             : reject(m);
}

static int on_confirmation(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pairing *p = userdata;
        const char *path;
        uint32_t passkey;
        char line[16];

        if (sd_bus_message_read(m, "ou", &path, &passkey) < 0 || !is_ours(p, path))
                return reject(m);
        p->was_asked = true;
        printf("The device must show %06" PRIu32 ".\n", passkey);
        return ask("Does it? [y/N] ", line, sizeof line) && (streq(line, "y") || streq(line, "yes"))
                               ? sd_bus_reply_method_return(m, "")
                               : reject(m);
}

static int on_display(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pairing *p = userdata;
        const char *path;
        uint32_t passkey;
        uint16_t entered;

        if (sd_bus_message_read(m, "ouq", &path, &passkey, &entered) < 0 || !is_ours(p, path))
                return reject(m);
        p->was_asked = true;
        if (entered == 0)
                printf("Enter %06" PRIu32 " on the device.\n", passkey);
        (void) fflush(stdout);
        return sd_bus_reply_method_return(m, "");
}

static int on_authorization(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pairing *p = userdata;
        const char *path;

        if (sd_bus_message_read(m, "o", &path) < 0 || !is_ours(p, path) || !p->values->yes)
                return reject(m);
        return sd_bus_reply_method_return(m, "");
}

static int on_service(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return reject(m);
}

static int on_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "");
}

/* org.bluez.Agent1 */
static const sd_bus_vtable agent[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Release", "", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RequestPinCode", "o", "s", on_pin, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RequestPasskey", "o", "u", on_passkey, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("DisplayPasskey", "ouq", "", on_display, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RequestConfirmation", "ou", "", on_confirmation, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RequestAuthorization", "o", "", on_authorization, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("AuthorizeService", "os", "", on_service, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Cancel", "", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int on_paired(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pairing *p = userdata;
        const sd_bus_error *failure = sd_bus_message_get_error(m);
        Error text;

        if (failure) {
                (void) ble_bus_error(failure, -EIO, "the device can't be paired", &text);
                (void) snprintf(p->failure, sizeof p->failure, "%.255s", text.message);
        }
        p->bus->is_over = true;
        return 0;
}

static int register_agent(Pairing *p, Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        int r = sd_bus_add_object_vtable(p->bus->bus, NULL, agent_path, "org.bluez.Agent1", agent, p);
        if (r >= 0)
                r = sd_bus_call_method(p->bus->bus, "org.bluez", "/org/bluez", "org.bluez.AgentManager1",
                                "RegisterAgent", &error, NULL, "os", agent_path, "KeyboardDisplay");
        return r < 0 ? ble_bus_error(&error, r, "answering for the device", e) : 0;
}

static int run(Pairing *p, Error *e) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        int r = sd_bus_message_new_method_call(
                        p->bus->bus, &m, "org.bluez", p->device->path, "org.bluez.Device1", "Pair");
        if (r >= 0)
                r = sd_bus_call_async(p->bus->bus, NULL, m, on_paired, p, (uint64_t) p->values->timeout_us);
        if (r >= 0)
                r = ble_bus_run(p->bus, INT64_MAX / 2);
        if (r < 0)
                return error_set(e, r, "pairing: %s", strerror(-r));
        return p->failure[0] ? error_set(e, -EACCES, "%s", p->failure) : 0;
}

/* Paired is not bonded: without keys that are kept the next connection starts from nothing. */
static int check_bond(Pairing *p, Error *e) {
        BleAddress address = p->device->address;
        Error unused;

        int r = ble_bus_load(p->bus, e);
        if (r != 0)
                return r;
        p->device = ble_bus_find(p->bus, &address);
        if (!p->device || !p->device->bonded)
                return error_set(e, -EACCES, "it paired, but keeps no bond: it would ask again each time");
        if (p->was_asked || p->values->yes)
                return 0;
        if (ble_bus_remove(p->bus, p->device, &unused) < 0)
                return error_set(e, -EACCES,
                                "it paired without anything to compare or to enter, and can't be forgotten: "
                                "see "
                                "wardstone ble forget");
        return error_set(e, -EACCES,
                        "it paired without anything to compare or to enter, so it can't be told from "
                        "another "
                        "device: forgotten; say --yes to accept that");
}

static int find_device(BleBus *b, const BleAddress *address, const BleValues *v, BleKnown **ret, Error *e) {
        char text[BLE_ADDRESS_TEXT];
        int r = 0;

        *ret = ble_bus_find(b, address);
        if (!*ret)
                r = ble_bus_listen(b, v->timeout_us, address, e);
        if (r == 0 && !*ret)
                *ret = ble_bus_find(b, address);
        ble_address_format(address, text);
        return r != 0 || *ret ? r : error_set(e, -ENOENT, "%s was not heard", text);
}

int ble_pair(const Invocation *in, const BleValues *v, Error *e) {
        _cleanup_(ble_bus_done) BleBus b = { 0 };
        Pairing p = { .bus = &b, .values = v };
        BleAddress address;

        int r = ble_address_operand(in->operands[0], &address, e);
        if (r == 0)
                r = ble_bus_connect(v, &b, e);
        if (r == 0)
                r = ble_bus_load(&b, e);
        if (r == 0)
                r = find_device(&b, &address, v, &p.device, e);
        if (r != 0)
                return r;
        if (p.device->bonded)
                return error_set(e, -EEXIST, "it is bonded already; see wardstone ble forget");
        r = register_agent(&p, e);
        if (r == 0)
                r = run(&p, e);
        if (r == 0)
                r = check_bond(&p, e);
        if (r == 0)
                r = ble_bus_trust(&b, p.device, e);
        if (r == 0)
                printf("%s is bonded and trusted.\n", in->operands[0]);
        return r;
}
