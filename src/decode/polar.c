/* Polar's heart rate broadcast: blocks, of which those that are no heart rate say their length. */
#include <errno.h>

#include "decode/advert_internal.h"

enum { SENSOR_CONTACT = 1 << 1, OTHER_BLOCK = 1 << 6 };

/* Status, a byte of no meaning here, the rate averaged over a short time and, by newer ones as the last byte, over a longer
 * time, which is what they display. The status has a counter of three bits: too few to tell a new measurement from one sent again. */
static void take_rate(Packet *p, unsigned status) {
        (void) packet_u8(p);
        unsigned rate = packet_u8(p);
        if (p->left.len == 1)
                rate = packet_u8(p);
        p->left.len = 0; /* other blocks */
        if (!(status & SENSOR_CONTACT))
                p->flags |= FLAG_SENSOR_OFF;
        (void) packet_add_value(p, "hr", "/min", rate);
}

int advert_polar(Packet *p, _unused_ const AdvertSecret *secret, Error *e) {
        while (p->left.len > 0) {
                unsigned head = packet_u8(p);
                if (!(head & OTHER_BLOCK)) {
                        take_rate(p, head);
                        return 0;
                }
                (void) packet_bytes(p, packet_u8(p));
        }
        return p->ran_out ? 0 : error_set(e, -EBADMSG, "no heart rate in it");
}
