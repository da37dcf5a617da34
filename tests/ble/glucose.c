#include "ble/glucose.h"

enum {
        OP_REPORT = 1,
        OP_DELETE = 2,
        OP_ABORT = 3,
        OP_COUNT = 4,
        OP_COUNT_RESPONSE = 5,
        OP_RESPONSE = 6,

        OPERATOR_NONE = 0,
        OPERATOR_ALL = 1,
        OPERATOR_AT_MOST = 2,
        OPERATOR_AT_LEAST = 3,
        OPERATOR_RANGE = 4,
        OPERATOR_FIRST = 5,
        OPERATOR_LAST = 6,

        FILTER_SEQUENCE = 1,

        CODE_SUCCESS = 1,
        CODE_NOT_SUPPORTED = 2,
        CODE_BAD_OPERATOR = 3,
        CODE_OPERATOR_NOT_SUPPORTED = 4,
        CODE_BAD_OPERAND = 5,
        CODE_NO_RECORDS = 6,
        CODE_OPERAND_NOT_SUPPORTED = 9,
};

int glucose_add(Glucose *g, int64_t clock_s) {
        if (g->n_records == GLUCOSE_RECORDS_MAX)
                return -1;
        g->times_s[g->n_records++] = clock_s;
        return 0;
}

static GlucoseAnswer response(uint8_t op, uint8_t code, uint8_t *ret, size_t *ret_len) {
        ret[0] = OP_RESPONSE;
        ret[1] = OPERATOR_NONE;
        ret[2] = op;
        ret[3] = code;
        *ret_len = 4;
        return GLUCOSE_RESPONSE;
}

/* Records [from, to) of a request, or a response code other than success. */
static uint8_t select_records(const Glucose *g, Bytes request, size_t *ret_from, size_t *ret_to) {
        uint8_t which = request.data[1];
        size_t operands = which == OPERATOR_RANGE ? 2
                                                  : which == OPERATOR_AT_MOST || which == OPERATOR_AT_LEAST;
        size_t n = g->n_records, first = 1, last = n;

        if (which == OPERATOR_NONE || which > OPERATOR_LAST)
                return which == OPERATOR_NONE ? CODE_BAD_OPERATOR : CODE_OPERATOR_NOT_SUPPORTED;
        if (operands > 0 && request.len > 2 && request.data[2] != FILTER_SEQUENCE)
                return CODE_OPERAND_NOT_SUPPORTED;
        if (request.len != (operands > 0 ? 3 + 2 * operands : 2))
                return CODE_BAD_OPERAND;

        if (which == OPERATOR_AT_LEAST || which == OPERATOR_RANGE)
                first = MAX(le16_read(request.data + 3), (uint16_t) 1);
        if (which == OPERATOR_AT_MOST)
                last = MIN((size_t) le16_read(request.data + 3), n);
        if (which == OPERATOR_RANGE) {
                last = MIN((size_t) le16_read(request.data + 5), n);
                if (le16_read(request.data + 3) > le16_read(request.data + 5))
                        return CODE_BAD_OPERAND;
        }
        if (which == OPERATOR_FIRST)
                last = MIN((size_t) 1, n);
        if (which == OPERATOR_LAST)
                first = MAX(n, (size_t) 1);
        *ret_from = first - 1;
        *ret_to = last;
        return first > last ? CODE_NO_RECORDS : CODE_SUCCESS;
}

GlucoseAnswer glucose_request(Glucose *g, Bytes request, uint8_t *ret, size_t *ret_len) {
        size_t from = 0, to = 0;
        uint8_t op = request.len > 0 ? request.data[0] : 0, code;

        if (op == OP_ABORT) {
                glucose_reset(g);
                return response(op, CODE_SUCCESS, ret, ret_len);
        }
        if (g->next < g->end)
                return GLUCOSE_BUSY;
        if (request.len < 2 || op == OP_DELETE || op > OP_COUNT || op == 0)
                return response(op, CODE_NOT_SUPPORTED, ret, ret_len);

        code = select_records(g, request, &from, &to);
        if (op == OP_COUNT && (code == CODE_SUCCESS || code == CODE_NO_RECORDS)) {
                ret[0] = OP_COUNT_RESPONSE;
                ret[1] = OPERATOR_NONE;
                le16_write(ret + 2, (uint16_t) (code == CODE_SUCCESS ? to - from : 0));
                *ret_len = 4;
                return GLUCOSE_RESPONSE;
        }
        if (code != CODE_SUCCESS)
                return response(op, code, ret, ret_len);
        g->next = from;
        g->end = to;
        return GLUCOSE_REPORT;
}

bool glucose_take(Glucose *g, uint8_t *ret, size_t *ret_len) {
        if (g->next >= g->end) {
                (void) response(OP_REPORT, CODE_SUCCESS, ret, ret_len);
                return false;
        }
        ret[0] = 0x03; /* with time offset, concentration in kg/L, type and location */
        le16_write(ret + 1, (uint16_t) (g->next + 1));
        profile_put_time(ret + 3, g->times_s[g->next]);
        le16_write(ret + 10, 0);
        sfloat_write(ret + 12, 90 + (int) (g->next % 60), -5);
        ret[14] = 0x11; /* capillary whole blood, finger */
        *ret_len = 15;
        g->next++;
        return true;
}
