/* A characteristic's 16-bit UUID, most significant byte first, and a value. Whatever they are: samples are of vitals that
 * exist, in units that convert, of finite values; and what clocks and record access give is what they take. */
#include <math.h>
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "decode/decode.h"
#include "decode/gatt_time.h"
#include "decode/racp.h"
#include "../fuzz/fuzz-samples.h"

static void check_clock(uint16_t characteristic, Bytes value) {
        uint8_t again[GATT_CLOCK_MAX];
        int64_t us;
        Error e;

        if (gatt_clock_decode(characteristic, value, &us, &e) < 0)
                return;
        int len = gatt_clock_encode(characteristic, us, again);
        /* behind the date are the day of the week, which is not looked at, fractions and a reason */
        if (len != (int) value.len || memcmp(again, value.data, 7) != 0 ||
                        (len > 8 && again[8] != value.data[8]))
                abort();
}

static void check_response(Bytes value) {
        RacpResponse r;
        Error e;

        if (racp_parse(value, &r, &e) == 0 && !racp_result_text(r.result))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SampleList list = { 0 };
        Error e;

        if (size < 2)
                return 0;
        const Decoding d = { .format = DECODE_GATT, .code = be16_read(data) };
        Bytes value = BYTES(data + 2, size - 2);
        if (decode_payload(&d, value, 0, &list, &e) == 0)
                check_samples(&list);
        else if (list.count > 0)
                abort();
        sample_list_done(&list);
        check_clock(d.code, value);
        check_response(value);
        return 0;
}
