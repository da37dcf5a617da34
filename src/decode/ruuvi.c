/* Ruuvi data format 5 (RAWv2): most significant byte first; each field has a value that says that it was not measured. */
#include <errno.h>
#include <math.h>

#include "decode/advert_internal.h"

enum { FORMAT_RAWV2 = 5, RAWV2_SIZE = 23 /* behind the format */ };
enum {
        NO_TEMPERATURE = INT16_MIN,
        NO_HUMIDITY = UINT16_MAX,
        NO_PRESSURE = UINT16_MAX,
        NO_SEQUENCE = UINT16_MAX
};
enum { PRESSURE_FIRST = 50000 /* Pa */ };

int advert_ruuvi(Packet *p, _unused_ const AdvertSecret *secret, Error *e) {
        unsigned format = packet_u8(p);

        if (!p->ran_out && format != FORMAT_RAWV2)
                return error_set(e, -EBADMSG, "data format %u: expected %d", format, FORMAT_RAWV2);
        int32_t temperature = packet_be_signed(p, 2);
        uint32_t humidity = packet_be(p, 2), pressure = packet_be(p, 2);
        /* acceleration, battery voltage and transmission power, movements */
        (void) packet_bytes(p, 3 * 2 + 2 + 1);
        uint32_t sequence = packet_be(p, 2);
        (void) packet_bytes(p, ADVERT_ADDRESS_SIZE);

        (void) packet_add_value(p, "ambient_temp", "Cel",
                        temperature == NO_TEMPERATURE ? (double) NAN : temperature / 200.0);
        (void) packet_add_value(
                        p, "humidity", "%", humidity == NO_HUMIDITY ? (double) NAN : humidity / 400.0);
        (void) packet_add_value(p, "pressure", "Pa",
                        pressure == NO_PRESSURE ? (double) NAN : pressure + (double) PRESSURE_FIRST);
        p->seq = sequence;
        p->has_seq = sequence != NO_SEQUENCE;
        return 0;
}
