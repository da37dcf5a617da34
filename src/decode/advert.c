#include "decode/advert.h"

#include <errno.h>

#include "decode/advert_internal.h"

/* Another format is a row here and a handler. */
static const struct Format {
        AdvertKind kind;
        uint16_t code;
        const char *name;
        bool encrypts; /* whether the format can */
        int (*decode)(Packet *p, const AdvertSecret *secret, Error *e);
} formats[] = {
        { ADVERT_SERVICE, 0xfcd2, "BTHome", true, advert_bthome },
        { ADVERT_SERVICE, 0x181a, "ATC", true, advert_atc },
        { ADVERT_MANUFACTURER, 0x0499, "Ruuvi", false, advert_ruuvi },
        { ADVERT_MANUFACTURER, 0x006b, "Polar", false, advert_polar },
};

static const struct Format *find(AdvertKind kind, uint16_t code) {
        for (size_t i = 0; i < ELEMENTS(formats); i++)
                if (formats[i].kind == kind && formats[i].code == code)
                        return formats + i;
        return NULL;
}

static int check(const struct Format *f, Bytes data, const AdvertSecret *secret, Error *e) {
        if (data.len > ADVERT_DATA_MAX)
                return error_set(e, -EBADMSG, "%zu bytes: expected at most %d", data.len, ADVERT_DATA_MAX);
        if (secret && !f->encrypts)
                return error_set(
                                e, -EBADMSG, "its adverts are never encrypted, but there is a key for them");
        return 0;
}

int advert_decode(AdvertKind kind, uint16_t code, Bytes data, const AdvertSecret *secret, SampleList *list,
                Error *e) {
        const struct Format *f = find(kind, code);
        Packet p = packet_open(data, list);

        if (!f)
                return error_set(e, -EBADMSG, "no reading is known of %s %04X",
                                kind == ADVERT_SERVICE ? "service data" : "manufacturer data", code);
        int r = check(f, data, secret, e);
        if (r == 0)
                r = f->decode(&p, secret, e);
        if (r == 0)
                r = packet_close(&p, false, e);
        if (r < 0) {
                sample_list_clear(list);
                return error_prefix(e, r, "%s", f->name);
        }
        return 0;
}

bool advert_at(size_t i, AdvertKind *ret_kind, uint16_t *ret_code, const char **ret_name) {
        if (i >= ELEMENTS(formats))
                return false;
        *ret_kind = formats[i].kind;
        *ret_code = formats[i].code;
        *ret_name = formats[i].name;
        return true;
}
