/* Serves org.bluez on the bus named by DBUS_SYSTEM_BUS_ADDRESS until it is told to end (SIGTERM):
 *
 *   fake-bluez [--connections N] [--device ADDRESS=NAME,WORD,...]... [--devices N=NAME,WORD,...]...
 *
 * A WORD is a service of profile.h (heart-rate, thermometer, oximeter, blood-pressure, glucose, scale, battery, time,
 * information) or one of:
 *
 *   public            a public address; else it is a static random one
 *   sealed            all that it notifies is for bonded centrals (glucose readings always are)
 *   passkey=N         pairing asks the central's agent for N
 *   identity=ADDRESS  its address is a private one, this is what pairing gives away
 *   late-name         its name is known only after the first connection
 *   hidden            it advertises only what the control interface says
 *   clock=SECONDS     its clock is ahead by so much
 *   clock-locked      its clock can't be set
 *   records=N         readings in a glucose meter
 *
 * --devices makes N of one kind, with the addresses C0:00:00:00:00:01 and on. Says "ready" on its standard output. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "ble/fake.h"

int fake_open(Fake *f) {
        int r;

        if (f->bus)
                return 0;
        r = sd_bus_open_system(&f->bus);
        if (r >= 0)
                r = objects_open(f);
        f->root.visible = f->manager.visible = true;
        if (r >= 0)
                r = sd_bus_attach_event(f->bus, f->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_request_name(f->bus, "org.bluez", 0);
        if (r < 0)
                return r;
        adapter_add(f, true);
        return 0;
}

static int on_restart(sd_event_source *source, uint64_t usec, void *userdata) {
        return fake_open(userdata);
}

/* As if killed: nothing is signalled but the loss of the name, and what was open is gone. */
void fake_restart(Fake *f, uint64_t down_us) {
        sd_bus *bus = f->bus;

        f->restart = sd_event_source_disable_unref(f->restart);
        for (size_t i = 0; i < f->n_objects; i++)
                f->objects[i]->visible = false;
        for (size_t i = 0; i < f->n_devices; i++) {
                Device *d = &f->devices[i];

                d->connecting = sd_bus_message_unref(d->connecting);
                d->pairing = sd_bus_message_unref(d->pairing);
                d->leaving = sd_bus_message_unref(d->leaving);
                device_drop(d);
                d->has_rssi = false;
        }
        f->powered = f->discovering = f->duplicates = false;
        f->n_filter = 0;
        f->scan_trouble = TROUBLE_NONE;
        *f->discoverer = *f->agent_owner = '\0';
        f->bus = NULL;
        if (bus)
                (void) sd_bus_flush_close_unref(bus);
        if (down_us != UINT64_MAX)
                (void) sd_event_add_time_relative(
                                f->event, &f->restart, CLOCK_MONOTONIC, down_us, 1, on_restart, f);
}

static int on_beacon(sd_event_source *source, uint64_t usec, void *userdata) {
        Fake *f = userdata;

        for (size_t i = 0; f->bus && i < f->n_devices; i++) {
                f->devices[i].rssi = (int16_t) (f->devices[i].rssi == -60 ? -69 : -60);
                adapter_advertise(&f->devices[i], false);
        }
        (void) sd_event_source_set_time_relative(source, FAKE_BEACON_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int add_devices(Fake *f, const char *argument, const char **ret_fault) {
        char *end;
        unsigned long n = strtoul(argument, &end, 10);

        if (*end != '=')
                return *ret_fault = "wants N=NAME,WORD,...", -EINVAL;
        for (unsigned long i = 1; i <= n; i++) {
                char text[256];

                (void) snprintf(text, sizeof(text), "C0:00:00:00:%02lX:%02lX%s", i >> 8 & 0xff, i & 0xff,
                                end);
                if (!device_add(f, text, ret_fault))
                        return -EINVAL;
        }
        return 0;
}

static int read_arguments(Fake *f, int argc, char **argv) {
        for (int i = 1; i < argc; i += 2) {
                const char *value = i + 1 < argc ? argv[i + 1] : "", *fault = NULL;

                if (streq(argv[i], "--connections"))
                        f->connections_max = (unsigned) strtoul(value, NULL, 10);
                else if (streq(argv[i], "--device"))
                        (void) device_add(f, value, &fault);
                else if (streq(argv[i], "--devices"))
                        (void) add_devices(f, value, &fault);
                else
                        fault = "is not known";
                if (fault) {
                        (void) fprintf(stderr, "fake-bluez: %s %s: %s\n", argv[i], value, fault);
                        return -EINVAL;
                }
        }
        return 0;
}

static int open_all(Fake *f) {
        sigset_t mask;
        int r = sigemptyset(&mask) < 0 || sigaddset(&mask, SIGTERM) < 0 ||
                                                sigprocmask(SIG_BLOCK, &mask, NULL) < 0
                                ? -errno
                                : sd_event_add_signal(f->event, NULL, SIGTERM, NULL, NULL);

        if (r >= 0)
                r = fake_open(f);
        if (r >= 0)
                r = control_open(f);
        if (r >= 0)
                r = sd_event_add_time_relative(
                                f->event, &f->beacon, CLOCK_MONOTONIC, FAKE_BEACON_US, 1, on_beacon, f);
        return r;
}

static void free_all(Fake *f) {
        for (size_t i = 0; i < f->n_devices; i++) {
                Device *d = &f->devices[i];

                (void) sd_bus_message_unref(d->connecting);
                (void) sd_bus_message_unref(d->pairing);
                (void) sd_bus_message_unref(d->leaving);
                (void) sd_event_source_disable_unref(d->leave);
                (void) sd_event_source_disable_unref(d->step);
                (void) sd_event_source_disable_unref(d->report);
        }
        (void) sd_event_source_disable_unref(f->restart);
        (void) sd_event_source_disable_unref(f->stream);
        (void) sd_event_source_disable_unref(f->beacon);
        (void) sd_bus_flush_close_unref(f->bus);
        (void) sd_bus_flush_close_unref(f->control);
        fake_log_clear(f);
        free(f->counters);
        free(f->devices);
        free(f);
}

int main(int argc, char **argv) {
        Fake *f = calloc(1, sizeof(Fake));
        int r = -ENOMEM;

        if (!f)
                return EXIT_FAILURE;
        f->devices = calloc(FAKE_DEVICES_MAX, sizeof(Device));
        f->counters = calloc(FAKE_COUNTERS_MAX, sizeof(Counter));
        object_init(f, &f->root, &root_interface, NULL, "/");
        object_init(f, &f->manager, &manager_interface, NULL, "/org/bluez");
        object_init(f, &f->adapter, &adapter_interface, NULL, "/org/bluez/hci0");
        if (f->devices && f->counters)
                r = sd_event_default(&f->event);
        if (r >= 0)
                r = read_arguments(f, argc, argv);
        if (r >= 0)
                r = open_all(f);
        if (r >= 0) {
                (void) puts("ready");
                (void) fflush(stdout);
                r = sd_event_loop(f->event);
        }
        if (r < 0)
                (void) fprintf(stderr, "fake-bluez: %s\n", strerror(-r));
        (void) sd_event_unref(f->event);
        free_all(f);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
